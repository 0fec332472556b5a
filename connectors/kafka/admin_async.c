/* SPDX-License-Identifier: Apache-2.0 */
/** Commits without waiting.  librdkafka answers on a queue that the admin's one thread reads; each
 *  commit stands in a list until it is answered, so that every `done` runs exactly once, also when
 *  the admin is freed in between. */
#include <string.h>

#include "admin_priv.h"

enum { POLL_MS = 200, CLOSE_MS = 1000 };

struct cz__commit {
    struct cz__commit *next;
    char *group;
    void (*done)(void *arg, const struct cz_error *err);
    void *arg;
};

static void finish(struct cz__commit *c, const struct cz_error *err)
{
    if (c->done)
        c->done(c->arg, err);
    cz_free(c->group);
    cz_free(c);
}

/* Take @c out of the list; false: somebody else has finished it. */
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
    struct cz_error err = CZ_ERROR_INIT;
    rd_kafka_resp_err_t e = rd_kafka_event_error(event);
    if (e)
        cz__admin_fail(&err, e, "commit", rd_kafka_event_error_string(event));
    else
        (void)cz__commit_result(event, c->group, NULL, &err);
    finish(c, &err);
}

static bool stopped(struct cz_admin *a, bool *ret_idle)
{
    CZ_LOCKED(&a->lock);
    *ret_idle = a->pending == NULL;
    return a->stop;
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
        cz__admin_drain(a);
        rd_kafka_event_t *event = rd_kafka_queue_poll(a->queue, POLL_MS);
        if (!event)
            continue;
        serve(a, event);
        rd_kafka_event_destroy(event);
    }
}

void cz_admin_commit_async(struct cz_admin *a,
                           const char *group,
                           const struct cz_tp_list *l,
                           int timeout_ms,
                           void (*done)(void *arg, const struct cz_error *err),
                           void *arg)
{
    struct cz__commit *c = cz_alloc(sizeof(*c));
    *c = (struct cz__commit){.group = cz_strdup(group), .done = done, .arg = arg};
    {
        CZ_LOCKED(&a->lock);
        c->next = a->pending;
        a->pending = c;
        if (!a->thread.started)
            cz_thread_start(&a->thread, "cz-commit", run, a);
    }
    rd_kafka_AdminOptions_t *o =
        rd_kafka_AdminOptions_new(a->rk, RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS);
    (void)rd_kafka_AdminOptions_set_request_timeout(o, timeout_ms > 0 ? timeout_ms : 1, NULL, 0);
    rd_kafka_AdminOptions_set_opaque(o, c);
    rd_kafka_topic_partition_list_t *list = cz__tp_list_to_kafka(l);
    rd_kafka_AlterConsumerGroupOffsets_t *ask = rd_kafka_AlterConsumerGroupOffsets_new(group, list);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_AlterConsumerGroupOffsets(a->rk, &ask, 1, o, a->queue);
    rd_kafka_AlterConsumerGroupOffsets_destroy(ask);
    rd_kafka_AdminOptions_destroy(o);
}

void cz__admin_async_done(struct cz_admin *a)
{
    {
        CZ_LOCKED(&a->lock);
        a->stop = true;
    }
    rd_kafka_queue_yield(a->queue);
    cz_thread_join(&a->thread);
    /* What the cluster has not answered is neither committed nor refused. */
    struct cz_error err = CZ_ERROR_INIT;
    cz_fail_flags(&err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0, "commit: the client is closed");
    while (a->pending) {
        struct cz__commit *c = a->pending;
        a->pending = c->next;
        finish(c, &err);
    }
}
