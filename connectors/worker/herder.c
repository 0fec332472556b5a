/* SPDX-License-Identifier: Apache-2.0 */
/* The herder's thread: takes messages, reconciles what they touched, and only then tells by its
 * heartbeat that the revision is applied. */
#include <string.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/log.h"
#include "worker_priv.h"

enum { TICK_MS = 100, BARRIER_MS = 50, STOP_LIMIT_MS = 15000, PURGE_MS = 10000, REFRESH_MS = 3000 };

void w_post(struct worker *w, struct w_msg *m)
{
    CZ_LOCKED(&w->lock);
    if (w->tail)
        w->tail->next = m;
    else
        w->head = m;
    w->tail = m;
    cz_cond_signal(&w->cond);
}

bool w_leased(const struct worker *w)
{
    return cz_now() < atomic_load(&w->lease_until);
}

/* ---- the follower's callbacks --------------------------------------------------------------- */

static void post(struct worker *w, enum w_msg_kind kind)
{
    struct w_msg *m = cz_alloc(sizeof *m);
    m->kind = kind;
    w_post(w, m);
}

static void on_record(void *arg, const struct cz_channel_record *r)
{
    struct w_msg *m = cz_alloc(sizeof *m);
    m->kind = MSG_RECORD;
    m->record = *r;
    m->record.key = cz_strdup(r->key);
    m->record.value = json_incref(r->value);
    w_post(arg, m);
}

static void on_end(void *arg)
{
    post(arg, MSG_END);
}

static void on_reset(void *arg)
{
    post(arg, MSG_RESET);
}

static const struct cz_follower_ops FOLLOWER_OPS = {on_record, on_end, on_reset};

/* ---- messages ------------------------------------------------------------------------------- */

/* What the follower had posted before it was in sync has been handled by now. */
static void on_synced(struct worker *w, const struct cz_error *err)
{
    w->syncing = false;
    if (err->code || !w_leased(w))
        return; /* tried again by watch_lease() */
    w->leased = true;
    atomic_store(&w->ready, true);
    cz_log(CZ_LOG_INFO, "worker", "leased: running what is assigned");
    w_all_dirty(w);
}

static void on_job(struct worker *w, struct w_start *s)
{
    switch (s->job) {
    case W_JOB_START:
        w_on_started(w, s);
        return;
    case W_JOB_SYNC:
        on_synced(w, &s->error);
        break;
    case W_JOB_REFRESH:
        w->refreshing = false;
        w->refresh_at = cz_deadline_ms(REFRESH_MS);
        break;
    case W_JOB_REAP:
        break;
    case W_JOB_RENEW:
        w_renew_done(w, s);
        break;
    }
    w_start_free(w, s);
}

static void handle(struct worker *w, struct w_msg *m)
{
    switch (m->kind) {
    case MSG_RECORD:
        w_on_record(w, &m->record);
        cz_channel_record_done(&m->record);
        break;
    case MSG_END:
        w_on_end(w);
        break;
    case MSG_RESET:
        w_on_reset(w);
        break;
    case MSG_TASK:
        w_on_task_event(w, &m->event);
        break;
    case MSG_STARTED:
        on_job(w, m->start);
        break;
    case MSG_STOP:
        w->stopping = true;
        w->stop_deadline = cz_deadline_ms(STOP_LIMIT_MS);
        w_all_dirty(w);
        break;
    }
    cz_free(m);
}

static bool take_messages(struct worker *w, cz_time deadline)
{
    cz_mutex_lock(&w->lock);
    while (!w->head) {
        if (!cz_cond_wait(&w->cond, &w->lock, deadline))
            break;
    }
    struct w_msg *m = w->head;
    w->head = w->tail = NULL;
    cz_mutex_unlock(&w->lock);
    bool some = m != NULL;
    while (m) {
        struct w_msg *next = m->next;
        handle(w, m);
        m = next;
    }
    return some;
}

/* ---- the loop ------------------------------------------------------------------------------- */

static bool reconcile_dirty(struct worker *w)
{
    bool some = false;
    if (!w->synced)
        return false;
    CZ_MAP_FOREACH(&w->mappings, i, e)
    {
        struct w_mapping *m = e->value;
        if (m->dirty) {
            w_reconcile(w, m);
            some = true;
        }
    }
    return some;
}

/* Every change sent to a lane must act before we say so.  A lane that is busy is asked again in the
 * next turn: meanwhile nothing is announced, and heartbeats go on. */
static bool barrier(struct worker *w)
{
    cz_time deadline = cz_deadline_ms(BARRIER_MS);
    for (struct w_slots *s = w->clients.slots; s; s = s->next) {
        for (int i = 0; i < W_MAX_LANES; i++) {
            if (s->lanes[i] && !cz_lane_barrier(s->lanes[i], deadline))
                return false;
        }
    }
    return true;
}

/* Leased again after a loss: the assignment may be another one by now, so read it first. */
static void watch_lease(struct worker *w)
{
    bool leased = w_leased(w);
    if (w->leased && !leased) {
        w->leased = false;
        cz_log(CZ_LOG_WARN, "worker", "the lease ran out: the status topic cannot be written");
    } else if (!w->leased && leased && w->synced && !w->syncing && !w->stopping) {
        w->syncing = true;
        w_job_submit(w, W_JOB_SYNC, NULL, NULL);
    }
}

static void watch_targets(struct worker *w)
{
    if (w->refreshing || w->stopping || cz_now() < w->refresh_at)
        return;
    w->refreshing = true;
    w_job_submit(w, W_JOB_REFRESH, NULL, NULL);
}

static bool may_end(struct worker *w)
{
    if (!w->stopping)
        return false;
    if (!w_tasks_busy(w))
        return true;
    if (cz_remaining_ms(w->stop_deadline) > STOP_LIMIT_MS - PURGE_MS)
        return false;
    /* A dead target: let go of what it holds, its records will be read again. */
    CZ_LOCKED(&w->clients.lock);
    for (struct w_producer *p = w->clients.producers; p; p = p->next)
        cz_producer_purge(p->producer);
    return false;
}

static void *herder_main(void *arg)
{
    struct worker *w = arg;
    while (!may_end(w)) {
        bool some = take_messages(w, cz_deadline_ms(TICK_MS));
        watch_lease(w);
        watch_targets(w);
        if (reconcile_dirty(w) || some || w->unsettled)
            w->unsettled = !barrier(w);
        w_tasks_tick(w);
        w_renew_tick(w);
        w_producers_tick(w);
        w_heartbeat(w, w->synced && !w->unsettled && w->applied > w->announced);
        w_report_stats(w);
    }
    w->stats_at = 0;
    w_report_stats(w);
    return NULL;
}

void w_herder_start(struct worker *w)
{
    struct cz_error err = CZ_ERROR_INIT;
    CZ_CLEANUP(cz_freep) char *topic = cz_channel_config_topic(w->o.group_id);
    w->starter = cz_alloc_array((size_t)w->o.starters, sizeof *w->starter);
    for (int i = 0; i < (int)w->o.starters; i++)
        cz_thread_start(&w->starter[i], "cz-starter", w_starter_main, w);
    if (cz_follower_new(w->control, topic, w->o.id, &FOLLOWER_OPS, w, &w->follower, &err)) {
        cz_log(CZ_LOG_ERROR, "worker", "%s", err.text);
        exit(1);
    }
    cz_thread_start(&w->herder, "cz-herder", herder_main, w);
}

void w_herder_stop(struct worker *w)
{
    post(w, MSG_STOP);
    cz_thread_join(&w->herder);
    cz_mutex_lock(&w->lock);
    w->starters_stop = true;
    cz_cond_broadcast(&w->start_cond);
    cz_mutex_unlock(&w->lock);
    for (int i = 0; i < (int)w->o.starters; i++)
        cz_thread_join(&w->starter[i]);
    cz_free(w->starter);
    cz_follower_free(w->follower); /* after the starters, one of which may wait for it */
    (void)take_messages(w, 0); /* starts that ended meanwhile: freed, not run */
    while (w->start_head) {
        struct w_start *s = w->start_head;
        w->start_head = s->next;
        w_start_free(w, s);
    }
}
