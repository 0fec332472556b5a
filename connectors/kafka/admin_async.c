/* SPDX-License-Identifier: Apache-2.0 */
/** Commits without waiting.  librdkafka answers on the handle's queue, which the admin's one thread
 *  reads; each commit stands in a list with its own deadline until it is answered or given up, so
 *  that every `done` runs exactly once, also when the admin is freed in between.  Giving one up
 *  spoils the handle (see admin_priv.h), and with it go the others that wait on it: they may be sent
 *  again on the next one. */
#include <string.h>

#include "admin_priv.h"

enum { POLL_MS = 100, CLOSE_MS = 1000 };

struct cz__commit {
    struct cz__commit *next;
    struct cz__handle *handle; /* NULL: could not be made */
    char *group;
    cz_time deadline;
    struct cz_error error;
    void (*done)(void *arg, const struct cz_error *err);
    void *arg;
};

static void finish(struct cz_admin *a, struct cz__commit *c)
{
    if (c->done)
        c->done(c->arg, &c->error);
    if (c->handle)
        cz__handle_put(a, c->handle);
    cz_free(c->group);
    cz_free(c);
}

/* Take @c out of the list; false: it has been given up. */
static bool take_pending(struct cz_admin *a, const struct cz__commit *c)
{
    CZ_LOCKED(&a->lock);
    for (struct cz__commit **p = &a->pending; *p; p = &(*p)->next) {
        if (*p == c) {
            *p = c->next;
            return true;
        }
    }
    return false;
}

static void serve(struct cz_admin *a, rd_kafka_event_t *event)
{
    struct cz__commit *c = rd_kafka_event_opaque(event);
    if (!c || !take_pending(a, c))
        return;
    rd_kafka_resp_err_t e = rd_kafka_event_error(event);
    if (e)
        cz__admin_fail(&c->error, e, "commit", rd_kafka_event_error_string(event));
    else
        (void)cz__commit_result(event, c->group, NULL, &c->error);
    finish(a, c);
}

static bool given_up(struct cz__commit *c, bool all)
{
    if (!all && c->handle && !c->handle->spoiled && cz_remaining_ms(c->deadline) > 0)
        return false;
    cz_fail_flags(&c->error,
                  CZ_E_UNAVAILABLE,
                  CZ_ERR_RETRIABLE,
                  RD_KAFKA_RESP_ERR__TIMED_OUT,
                  "commit of group %s: no answer from the cluster",
                  c->group);
    return true;
}

/* Finish what is over its time, or what waits on a handle that nobody reads any more. */
static void give_up(struct cz_admin *a, bool all)
{
    struct cz__commit *over = NULL;
    for (bool again = true; again;) {
        again = false;
        CZ_LOCKED(&a->lock);
        for (struct cz__commit **p = &a->pending; *p;) {
            struct cz__commit *c = *p;
            if (!given_up(c, all)) {
                p = &c->next;
                continue;
            }
            *p = c->next;
            c->next = over;
            over = c;
            if (!c->handle || c->handle->spoiled)
                continue;
            /* The others on it are found in one more round. */
            again = true;
            c->handle->spoiled = true;
            if (a->current == c->handle)
                a->current = NULL;
        }
    }
    while (over) {
        struct cz__commit *c = over;
        over = c->next;
        finish(a, c);
    }
}

static bool stopped(struct cz_admin *a, bool *ret_idle)
{
    CZ_LOCKED(&a->lock);
    *ret_idle = a->pending == NULL;
    return a->stop;
}

static void poll_once(struct cz_admin *a)
{
    struct cz__handle *h = cz__handle_get(a, NULL);
    if (!h)
        return;
    cz__handle_drain(h);
    rd_kafka_event_t *event = rd_kafka_queue_poll(h->queue, POLL_MS);
    if (event) {
        serve(a, event);
        rd_kafka_event_destroy(event);
    }
    cz__handle_put(a, h);
}

static void *run(void *arg)
{
    struct cz_admin *a = arg;
    cz_time close_by = CZ_TIME_NEVER;
    for (;;) {
        bool idle;
        bool stop = stopped(a, &idle);
        if (stop && close_by == CZ_TIME_NEVER)
            close_by = cz_deadline_ms(CLOSE_MS);
        if (stop && (idle || cz_remaining_ms(close_by) == 0))
            return NULL;
        poll_once(a);
        give_up(a, false);
    }
}

/* Put the commit into the list before it is sent: its answer may be faster than we are. */
static void enlist(struct cz_admin *a, struct cz__commit *c)
{
    CZ_LOCKED(&a->lock);
    c->next = a->pending;
    a->pending = c;
    if (!a->thread.started)
        cz_thread_start(&a->thread, "cz-commit", run, a);
}

void cz_admin_commit_async(struct cz_admin *a,
                           const char *group,
                           const struct cz_tp_list *l,
                           int timeout_ms,
                           void (*done)(void *arg, const struct cz_error *err),
                           void *arg)
{
    struct cz__commit *c = cz_alloc(sizeof(*c));
    *c = (struct cz__commit){
        .group = cz_strdup(group), .done = done, .arg = arg, .deadline = cz_deadline_ms(timeout_ms)};
    /* Ours as long as it takes to send; the commit has a share of its own. */
    struct cz__handle *h = cz__handle_get(a, &c->error);
    c->handle = h ? cz__handle_share(a, h) : NULL;
    enlist(a, c);
    if (!h)
        return;
    rd_kafka_AdminOptions_t *o =
        rd_kafka_AdminOptions_new(h->rk, RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS);
    (void)rd_kafka_AdminOptions_set_request_timeout(o, CZ__NO_LIMIT_MS, NULL, 0);
    rd_kafka_AdminOptions_set_opaque(o, c);
    rd_kafka_topic_partition_list_t *list = cz__tp_list_to_kafka(l);
    rd_kafka_AlterConsumerGroupOffsets_t *ask = rd_kafka_AlterConsumerGroupOffsets_new(group, list);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_AlterConsumerGroupOffsets(h->rk, &ask, 1, o, h->queue);
    rd_kafka_AlterConsumerGroupOffsets_destroy(ask);
    rd_kafka_AdminOptions_destroy(o);
    cz__handle_put(a, h);
}

void cz__admin_async_done(struct cz_admin *a)
{
    {
        CZ_LOCKED(&a->lock);
        a->stop = true;
    }
    cz_thread_join(&a->thread);
    /* What the cluster has not answered is neither committed nor refused. */
    give_up(a, true);
}
