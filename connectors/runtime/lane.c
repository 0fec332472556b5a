/* SPDX-License-Identifier: Apache-2.0 */
/* The lane's thread: commands in, events out, and the loop between them. */
#include "cz/lane.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/log.h"
#include "lane_priv.h"

enum { TICK_MS = 50, SNAP_MS = 400, IDLE_MS = 100, BUSY_MS = 10 };

bool lane__leased(const struct cz_lane *l)
{
    return cz_now() < atomic_load_explicit(l->o.lease_until, memory_order_relaxed);
}

void lane__emit(struct cz_lane *l, enum cz_task_event_kind kind, struct cz_task *t,
                const struct cz_error *err)
{
    struct cz_task_event e = {.kind = kind, .task = t};
    if (err)
        e.error = *err;
    l->o.on_event(l->o.arg, &e);
}

static void give_up(struct cz_lane *l, struct cz_task *t, enum cz_task_event_kind kind,
                    const struct cz_error *err)
{
    if (t->phase != PHASE_READING)
        return;
    t->phase = PHASE_FAILED;
    l->detaching = true;
    lane__emit(l, kind, t, err);
}

void lane__fail_task(struct cz_lane *l, struct cz_task *t, const struct cz_error *err)
{
    give_up(l, t, CZ_TASK_EVENT_FAILED, err);
}

/* ---- commands ------------------------------------------------------------------------------ */

static void carry_out(struct cz_lane *l, struct lane_command *cmd)
{
    struct cz_task *t = cmd->task;
    switch (cmd->kind) {
    case CMD_ADD:
        t->next = l->tasks;
        l->tasks = t;
        l->transactional |= t->txn != NULL;
        for (size_t i = 0; i < t->len; i++) {
            if (t->cursors[i].next < t->cursors[i].stop)
                lane__attach(l, &t->cursors[i]);
        }
        return;
    case CMD_UPDATE:
        cz_stages_unref(t->settings.stages);
        t->settings = cmd->settings;
        lane__rate_changed(t);
        return;
    case CMD_REMOVE:
        t->phase = PHASE_REMOVING;
        t->remove_deadline = cmd->deadline;
        lane__detach_task(l, t);
        return;
    }
}

bool lane__has_commands(struct cz_lane *l)
{
    CZ_LOCKED(&l->lock);
    return l->head || l->stop;
}

static bool serve_commands(struct cz_lane *l)
{
    for (;;) {
        cz_mutex_lock(&l->lock);
        struct lane_command *cmd = l->head;
        bool stop = l->stop;
        if (cmd) {
            l->head = cmd->next;
            if (!l->head)
                l->tail = NULL;
        }
        cz_mutex_unlock(&l->lock);
        if (!cmd)
            return !stop;
        carry_out(l, cmd);
        cz_free(cmd);
        cz_mutex_lock(&l->lock);
        l->done++;
        cz_cond_broadcast(&l->done_cond);
        cz_mutex_unlock(&l->lock);
    }
}

static void send_command(struct cz_lane *l, struct lane_command *cmd)
{
    cz_mutex_lock(&l->lock);
    if (l->tail)
        l->tail->next = cmd;
    else
        l->head = cmd;
    l->tail = cmd;
    l->sent++;
    cz_mutex_unlock(&l->lock);
    l->source.ops->wake(l->source.self);
}

static struct lane_command *new_command(enum command_kind kind, struct cz_task *t)
{
    struct lane_command *cmd = cz_alloc(sizeof *cmd);
    cmd->kind = kind;
    cmd->task = t;
    return cmd;
}

void cz_lane_add(struct cz_lane *l, struct cz_task *t)
{
    send_command(l, new_command(CMD_ADD, t));
}

void cz_lane_update(struct cz_lane *l, struct cz_task *t, const struct cz_task_settings *settings)
{
    struct lane_command *cmd = new_command(CMD_UPDATE, t);
    cmd->settings = *settings;
    send_command(l, cmd);
}

void cz_lane_remove(struct cz_lane *l, struct cz_task *t, cz_time deadline)
{
    struct lane_command *cmd = new_command(CMD_REMOVE, t);
    cmd->deadline = deadline;
    send_command(l, cmd);
}

bool cz_lane_barrier(struct cz_lane *l, cz_time deadline)
{
    CZ_LOCKED(&l->lock);
    uint64_t want = l->sent;
    while (l->done < want) {
        if (!cz_cond_wait(&l->done_cond, &l->lock, deadline))
            return l->done >= want;
    }
    return true;
}

/* ---- the loop ------------------------------------------------------------------------------ */

/* The offset that was read is gone.  Only the cursors that stand on it have lost something: the
 * others, further on, are read again from where they are. */
static void on_reset(struct cz_lane *l, struct lane_reader *r)
{
    int64_t lost = INT64_MAX;
    for (struct lane_cursor *c = r->cursors; c; c = c->next_in_reader) {
        if (lane__takes(c) && c->next < lost)
            lost = c->next;
    }
    struct cz_error err = CZ_ERROR_INIT;
    cz_fail_flags(&err, CZ_E_CONFLICT, CZ_ERR_RETRIABLE, 0,
                  "%s [%d]: offset %lld is not in the topic any more (truncated by retention, or the "
                  "topic was created again)",
                  r->topic, r->partition, (long long)lost);
    for (struct lane_cursor *c = r->cursors; c; c = c->next_in_reader) {
        if (lane__takes(c) && c->next == lost)
            give_up(l, c->task, CZ_TASK_EVENT_GAP, &err);
    }
    lane__want_rewind(l, r);
}

static void on_trouble(struct cz_lane *l, struct lane_reader *r, const struct cz_event *e)
{
    if (!r || e->code == CZ_E_UNAVAILABLE || e->code == CZ_E_TIMEOUT) {
        CZ_LOG_EVERY(10000, CZ_LOG_WARN, "lane", "%s: %s", l->name, e->text);
        return; /* librdkafka goes on trying */
    }
    struct cz_error err = CZ_ERROR_INIT;
    cz_fail_flags(&err, e->code, CZ_ERR_RETRIABLE, 0, "%s [%d]: %s", r->topic, r->partition, e->text);
    for (struct lane_cursor *c = r->cursors; c; c = c->next_in_reader)
        lane__fail_task(l, c->task, &err);
}

static void serve_events(struct cz_lane *l, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct cz_event *e = &l->events[i];
        switch (e->kind) {
        case CZ_EVENT_RECORD:
            l->bad = e->bad ? e : NULL;
            lane__on_record(l, e->opaque, &e->record);
            break;
        case CZ_EVENT_END:
            lane__on_end(e->opaque, e->record.offset, e->last);
            break;
        case CZ_EVENT_RESET:
            on_reset(l, e->opaque);
            break;
        case CZ_EVENT_ERROR:
            on_trouble(l, e->opaque, e);
            break;
        }
    }
}

/* Give up everything: another worker may already run it. */
static void lose_lease(struct cz_lane *l)
{
    struct cz_error err = CZ_ERROR_INIT;
    cz_fail_flags(&err, CZ_E_FENCED, CZ_ERR_RETRIABLE, 0, "the worker's lease ran out");
    for (struct cz_task *t = l->tasks; t; t = t->next) {
        t->fenced = true;
        lane__fail_task(l, t, &err);
    }
}

static void detach_failed(struct cz_lane *l)
{
    if (!l->detaching)
        return;
    l->detaching = false;
    for (struct cz_task *t = l->tasks; t; t = t->next) {
        if (t->phase == PHASE_FAILED)
            lane__detach_task(l, t);
    }
}

static void sweep_busy(struct cz_lane *l)
{
    struct cz_task *t = l->busy, *keep = NULL;
    while (t) {
        struct cz_task *next = t->next_busy;
        lane__sweep(l, t);
        lane__resume(l, t);
        if (t->inflight_records > 0 || (t->lagging && t->phase == PHASE_READING)) {
            t->next_busy = keep;
            keep = t;
        } else {
            t->busy = false;
        }
        t = next;
    }
    l->busy = keep;
}

static void snapshot(struct cz_lane *l, struct cz_task *t)
{
    for (size_t i = 0; i < t->len; i++) {
        struct lane_cursor *c = &t->cursors[i];
        int64_t end = c->reader ? l->source.ops->end(l->source.self, c->part->topic, c->part->partition)
                                : -1;
        if (end > c->n.end) {
            c->n.end = end;
            t->dirty = true;
        }
        c->n.position = c->tracker.position;
        c->n.committed = c->committed;
    }
    bool held = t->phase == PHASE_READING && lane__rate_holds(t);
    if (!t->dirty && !held && !t->snap_held)
        return;
    t->dirty = false;
    CZ_LOCKED(&t->lock);
    for (size_t i = 0; i < t->len; i++) {
        const struct lane_cursor *c = &t->cursors[i];
        t->snap[i] = t->txn ? c->stable : c->n;
        t->snap[i].end = c->n.end;
        t->snap[i].committed = c->committed;
    }
    t->snap_delay = t->txn ? t->txn->delay : t->delay;
    t->snap_held = held;
    t->snap_held_ms = lane__rate_held_ms(t);
    t->snap_version = ++t->version;
}

/* Has a task that is being removed let go of everything, or run out of time? */
static bool removed(struct cz_lane *l, struct cz_task *t)
{
    if (t->phase != PHASE_REMOVING)
        return false;
    bool late = cz_now() >= t->remove_deadline;
    if (t->txn && !lane__txn_over(t, late))
        return false;
    bool mapped = late;
    if (t->inflight_records == 0 && !late) {
        mapped = lane__map_last(l, t);
        lane__commit(l, t, true);
    }
    /* In flight at a dead target: the entries belong to the producer, so keep the task until its
     * deliveries come (the herder purges a producer that is in the way). */
    if (t->inflight_records > 0 || lane__map_busy(t))
        return false;
    return (mapped && lane__commit_settled(t)) || (late && atomic_load(&t->commit_state) != COMMIT_BUSY);
}

/* A cursor at its end reads no more; a task whose cursors all are there, with everything
 * delivered, is done. */
static void look_at_ends(struct cz_lane *l, struct cz_task *t)
{
    bool done = t->inflight_records == 0;
    for (size_t i = 0; i < t->len; i++) {
        struct lane_cursor *c = &t->cursors[i];
        /* An aborted transaction is read again: only a commit ends it. */
        if ((t->txn ? c->stable.position : c->next) < c->stop)
            done = false;
        else if (c->reader)
            lane__detach(l, c);
    }
    if (!done || t->len == 0)
        return;
    t->phase = PHASE_FINISHED;
    lane__emit(l, CZ_TASK_EVENT_FINISHED, t, NULL);
}

static void tick(struct cz_lane *l)
{
    cz_time now = cz_now();
    if (now < l->tick_at)
        return;
    l->tick_at = now + TICK_MS * CZ_MS;
    bool snap = now >= l->snap_at;
    if (snap)
        l->snap_at = now + SNAP_MS * CZ_MS;
    struct cz_task **at = &l->tasks;
    while (*at) {
        struct cz_task *t = *at;
        if (t->phase == PHASE_READING) {
            lane__map_tick(t);
            lane__commit(l, t, false);
            look_at_ends(l, t);
        }
        if (snap || t->phase == PHASE_REMOVING)
            snapshot(l, t);
        if (!removed(l, t)) {
            at = &t->next;
            continue;
        }
        *at = t->next;
        snapshot(l, t);
        lane__emit(l, CZ_TASK_EVENT_REMOVED, t, NULL);
    }
}

static bool removing(const struct cz_lane *l)
{
    for (const struct cz_task *t = l->tasks; t; t = t->next) {
        if (t->phase == PHASE_REMOVING)
            return true;
    }
    return false;
}

static size_t read_some(struct cz_lane *l)
{
    if (l->transactional && lane__txn_drive(l))
        return 0; /* what was read now could not be sent */
    int wait = l->busy || l->rewinds || removing(l) ? BUSY_MS : IDLE_MS;
    return l->source.ops->poll(l->source.self, l->events, LANE_BATCH, wait);
}

static void *lane_main(void *arg)
{
    struct cz_lane *l = arg;
    while (serve_commands(l)) {
        l->now = cz_now();
        if (!lane__leased(l))
            lose_lease(l);
        detach_failed(l);
        lane__serve_rewinds(l);
        size_t n = read_some(l);
        l->now = cz_now();
        if (n > 0 && !lane__leased(l))
            lose_lease(l); /* after a long stop: none of these may be sent */
        serve_events(l, n);
        sweep_busy(l);
        tick(l);
    }
    return NULL;
}

enum cz_err cz_lane_new(const struct cz_lane_options *o, struct cz_lane **ret, struct cz_error *err)
{
    struct cz_lane *l = cz_alloc(sizeof *l);
    l->o = *o;
    l->name = cz_strdup(o->name);
    const struct cz_consumer_options co = {
        .cluster = o->cluster,
        .client_id = l->name,
        .group_id = o->group_id,
        .read_committed = o->read_committed,
        .prefetch_kib = o->prefetch_kib,
    };
    enum cz_err code = CZ_OK;
    if (o->replay)
        lane__source_files(o->replay, &l->source);
    else
        code = lane__source_kafka(&co, &l->source, err);
    if (code) {
        cz_free(l->name);
        cz_free(l);
        return code;
    }
    l->ctx = cz_stage_ctx_new();
    cz_mutex_init(&l->lock);
    cz_cond_init(&l->done_cond);
    cz_thread_start(&l->thread, "cz-lane", lane_main, l);
    *ret = l;
    return CZ_OK;
}

void cz_lane_free(struct cz_lane *l)
{
    if (!l)
        return;
    cz_mutex_lock(&l->lock);
    l->stop = true;
    cz_mutex_unlock(&l->lock);
    l->source.ops->wake(l->source.self);
    cz_thread_join(&l->thread);
    assert(!l->tasks);
    l->source.ops->free(l->source.self);
    cz_stage_ctx_free(l->ctx);
    cz_mutex_done(&l->lock);
    cz_cond_done(&l->done_cond);
    cz_free(l->name);
    cz_free(l);
}
