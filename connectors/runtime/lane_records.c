/* SPDX-License-Identifier: Apache-2.0 */
/* A record's way through a lane: stages, partition, budget, send; and the way back: deliveries are
 * swept in offset order, and what failed is answered by the mapping's on_error. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cz/alloc.h"
#include "cz/dead_letter.h"
#include "cz/log.h"
#include "cz/mapping_stages.h"
#include "cz/util.h"
#include "lane_priv.h"

enum {
    BLOCK_MS = 20,      /* how long a lane waits for a full budget before it goes on without */
    BLOCK_BUSY_MS = 2,  /* the same when it had to wait a moment ago */
    BLOCK_ALONE_MS = 500, /* the same when no other task is kept waiting by it */
    BLOCK_AGAIN_MS = 1000,
    NAP_US = 200,
    LAG_MIN_MS = 25,
    LAG_MAX_MS = 2000,
    COPY_AFTER_MS = 300, /* deliveries take longer than this: copy */
};

/* ---- bookkeeping of what is in flight ------------------------------------------------------ */

static void be_busy(struct cz_lane *l, struct cz_task *t)
{
    if (t->busy)
        return;
    t->busy = true;
    t->next_busy = l->busy;
    l->busy = t;
}

static struct cz_inflight *push(struct cz_lane *l, struct lane_cursor *c, const struct cz_record *r,
                                size_t sent)
{
    struct cz_task *t = c->task;
    struct cz_inflight *e = cz_tracker_push(&c->tracker, r->offset);
    size_t source = r->key.len + r->value.len;
    e->bytes = (uint32_t)sent;
    e->charge = (uint32_t)(sent > source ? sent : source);
    e->pushed_ms = (uint32_t)(l->now / CZ_MS);
    e->timestamp_ms = r->ts_type == CZ_TS_NONE ? 0 : r->timestamp_ms;
    t->inflight_bytes += e->charge;
    t->inflight_records++;
    be_busy(l, t);
    return e;
}

static void forget(struct cz_task *t, const struct cz_inflight *e)
{
    t->inflight_bytes -= e->charge;
    t->inflight_records--;
}

static void unpush(struct lane_cursor *c, struct cz_inflight *e)
{
    forget(c->task, e);
    cz_tracker_unpush(&c->tracker);
}

static void drop(struct lane_cursor *c, const struct cz_record *r, enum cz_drop why)
{
    c->n.dropped[why]++;
    if (c->tracker.len == 0 && r->ts_type != CZ_TS_NONE)
        c->n.newest_ms = r->timestamp_ms; /* else a later delivery tells */
    cz_tracker_skip(&c->tracker, r->offset + 1);
}

static bool over_budget(const struct cz_task *t)
{
    return t->inflight_bytes >= CZ_TASK_BUDGET_BYTES ||
           t->inflight_records >= CZ_TASK_BUDGET_RECORDS;
}

/* Wait a little for the budget, so that a healthy target never costs a rewind. */
static bool wait_for_budget(struct cz_lane *l, struct cz_task *t)
{
    lane__sweep(l, t);
    if (!over_budget(t))
        return true;
    cz_time now = cz_now();
    bool alone = l->tasks == t && !t->next;
    bool again = now - l->blocked_at < BLOCK_AGAIN_MS * CZ_MS;
    cz_time until = now + (alone ? BLOCK_ALONE_MS : again ? BLOCK_BUSY_MS : BLOCK_MS) * CZ_MS;
    do {
        const struct timespec nap = {.tv_nsec = NAP_US * 1000};
        (void)nanosleep(&nap, NULL);
        lane__sweep(l, t);
        if (!over_budget(t) || t->phase != PHASE_READING)
            return t->phase == PHASE_READING;
    } while (cz_now() < until && !lane__has_commands(l));
    l->blocked_at = cz_now();
    return false;
}

void lane__lag_until(struct cz_lane *l, struct cz_task *t, cz_time when)
{
    be_busy(l, t); /* or nobody would look when the time has come */
    t->lagging = true;
    t->resume_at = when;
    for (size_t i = 0; i < t->len; i++) {
        t->cursors[i].behind = true;
        if (t->cursors[i].reader)
            lane__want_rewind(l, t->cursors[i].reader);
    }
}

/* Stop reading until some of the budget is free; longer each time while nothing is delivered. */
void lane__lag(struct cz_lane *l, struct cz_task *t)
{
    t->lag_ms = t->lag_ms ? t->lag_ms * 2 : LAG_MIN_MS;
    if (t->lag_ms > LAG_MAX_MS)
        t->lag_ms = LAG_MAX_MS;
    lane__lag_until(l, t, cz_now() + t->lag_ms * CZ_MS);
}

void lane__resume(struct cz_lane *l, struct cz_task *t)
{
    if (!t->lagging || cz_now() < t->resume_at ||
        t->inflight_bytes > CZ_TASK_BUDGET_BYTES / 2 ||
        t->inflight_records > CZ_TASK_BUDGET_RECORDS / 2)
        return;
    if (!lane__rate_resumes(t))
        return;
    lane__rate_resumed(t);
    t->lagging = false;
    for (size_t i = 0; i < t->len; i++) {
        if (t->cursors[i].reader)
            lane__want_rewind(l, t->cursors[i].reader);
    }
}

/* ---- sending ------------------------------------------------------------------------------- */

/* A source record that is held keeps in memory the whole answer of the broker that it came with,
 * the records of other mappings too.  For milliseconds that is cheaper than a copy; when the target
 * does not take them any more it is not. */
static bool slow(const struct cz_lane *l, struct lane_cursor *c)
{
    const struct cz_inflight *e = cz_tracker_front(&c->tracker);
    return e && (uint32_t)(l->now / CZ_MS) - e->pushed_ms > COPY_AFTER_MS;
}

/* Hold the source record for as long as its bytes are being sent, or may be wanted again. */
static void hold(struct cz_inflight *e, struct cz_record *r, struct cz_shared_msg *shared)
{
    if (shared) {
        cz_shared_msg_ref(shared);
        e->shared = shared;
    } else {
        e->msg = r->msg;
        r->msg = NULL; /* the entry's now */
    }
}

static void unhold(struct cz_inflight *e, struct cz_record *r)
{
    if (e->msg)
        r->msg = e->msg;
    e->msg = NULL;
    cz_shared_msg_unref(e->shared);
    e->shared = NULL;
}

enum sent { SENT, SENT_FULL, SENT_REFUSED };

static enum cz_err send(struct cz_task *t, struct cz_producer_topic *topic, const struct cz_send *s,
                        struct cz_error *err)
{
    if (t->txn && lane__txn_begin(t, err))
        return err->code;
    return cz_producer_send(t->producer, topic, s, err);
}

static enum sent append_record(struct cz_lane *l, struct lane_cursor *c, const struct cz_record *r,
                               const struct cz_stage_result *s, struct cz_error *err)
{
    struct cz_inflight *e = push(l, c, r, s->key.len + s->value.len);
    if (!lane__append(c, r, s, e, err))
        return SENT;
    unpush(c, e);
    return err->code == CZ_E_LIMIT ? SENT_FULL : SENT_REFUSED;
}

static enum sent send_record(struct cz_lane *l,
                             struct lane_cursor *c,
                             struct cz_record *r,
                             const struct cz_stage_result *s,
                             struct cz_shared_msg *shared,
                             struct cz_error *err)
{
    struct cz_task *t = c->task;
    bool copy = s->value_changed || slow(l, c);
    bool held = !copy || t->settings.on_error == CZ_ON_ERROR_DEAD_LETTER;
    int32_t partitions = cz_producer_topic_partitions(c->part->target); /* it may grow while we run */
    struct cz_inflight *e = push(l, c, r, s->key.len + s->value.len);
    const struct cz_send out = {
        .partition = cz_mapping_partition(t->settings.partitioning, r, s, partitions, &t->round_robin),
        .timestamp_ms = r->ts_type == CZ_TS_NONE ? 0 : r->timestamp_ms,
        .key = s->key,
        .value = s->value,
        .copy = copy,
        .msg = r->msg,
        .shared = shared != NULL,
        .own_headers = s->headers_changed,
        .headers = s->headers,
        .headers_len = s->headers_len,
        .opaque = e,
    };
    /* Before the send: the delivery may come at once, on another thread. */
    if (held)
        hold(e, r, shared);
    if (out.partition >= partitions) {
        cz_fail(err, CZ_E_INVALID, "partition %d: the target topic has %d", out.partition, partitions);
    } else if (!send(t, c->part->target, &out, err)) {
        return SENT;
    }
    unhold(e, r);
    unpush(c, e);
    return err->code == CZ_E_LIMIT ? SENT_FULL : SENT_REFUSED;
}

/* ---- on_error ------------------------------------------------------------------------------ */

/* What a dead letter tells, after the record's own headers; see cz/dead_letter.h. */
struct letter {
    char partition[16], offset[24];
    struct cz_header *headers; /* owned */
    size_t len;
    bool own; /* they are all; else those of the message come before */
};

static void tell(struct letter *w, const char *name, const char *text)
{
    w->headers[w->len++] = (struct cz_header){{name, strlen(name)}, {text, strlen(text)}};
}

/* What a mapping masks or takes out must not get to the target by way of its errors: of a masked record
 * only the place in the source is told, and removed headers are left off. */
static void write_letter(struct cz_lane *l, struct lane_cursor *c, const struct cz_record *r,
                         const char *stage, const struct cz_error *why, struct letter *w)
{
    const struct cz_stages *stages = c->task->settings.stages;
    bool masks = cz_stages_masks(stages);
    const struct cz_header *kept = NULL;
    size_t n = 0;
    *w = (struct letter){.own = masks || cz_stages_kept_headers(stages, l->ctx, r, &kept, &n)};
    (void)snprintf(w->partition, sizeof w->partition, "%d", r->partition);
    (void)snprintf(w->offset, sizeof w->offset, "%lld", (long long)r->offset);
    w->headers = cz_alloc_array(n + CZ_LETTER_HEADERS, sizeof *w->headers);
    for (; w->len < n; w->len++)
        w->headers[w->len] = kept[w->len];
    tell(w, CZ_LETTER_TOPIC, r->topic);
    tell(w, CZ_LETTER_PARTITION, w->partition);
    tell(w, CZ_LETTER_OFFSET, w->offset);
    tell(w, CZ_LETTER_LABEL, c->task->label);
    tell(w, CZ_LETTER_STAGE, stage);
    tell(w, CZ_LETTER_ERROR, cz_err_slug(why->code));
    tell(w, CZ_LETTER_MESSAGE, why->text);
    if (masks)
        tell(w, CZ_LETTER_WITHHELD, "mask");
}

static enum sent send_dead_letter(struct cz_lane *l,
                                  struct lane_cursor *c,
                                  const struct cz_record *r,
                                  struct cz_inflight *again,
                                  const char *stage,
                                  const struct cz_error *why,
                                  struct cz_error *err)
{
    struct cz_task *t = c->task;
    bool masks = cz_stages_masks(t->settings.stages);
    struct letter letter;
    write_letter(l, c, r, stage, why, &letter);
    struct cz_inflight *e = again ? again : push(l, c, r, r->key.len + r->value.len);
    e->dead_letter = true;
    /* A time that its topic does not take must not keep the letter out. */
    bool timed = r->ts_type != CZ_TS_NONE &&
                 cz_producer_topic_takes_time(t->settings.dead_letter, r->timestamp_ms, NULL);
    const struct cz_send out = {
        .partition = -1,
        .timestamp_ms = timed ? r->timestamp_ms : 0,
        .key = masks ? (struct cz_slice){0} : r->key,
        .value = masks ? (struct cz_slice){0} : r->value,
        .copy = true,
        .msg = r->msg,
        .own_headers = letter.own,
        .headers = letter.headers,
        .headers_len = letter.len,
        .opaque = e,
    };
    atomic_store_explicit(&e->state, CZ_INFLIGHT_PENDING, memory_order_relaxed);
    enum cz_err code = send(t, t->settings.dead_letter, &out, err);
    cz_free(letter.headers);
    if (!code)
        return SENT;
    if (again) {
        e->dead_letter = false;
        atomic_store_explicit(&e->state, CZ_INFLIGHT_FAILED, memory_order_relaxed);
    } else {
        unpush(c, e);
    }
    return err->code == CZ_E_LIMIT ? SENT_FULL : SENT_REFUSED;
}

static void fail_at(struct cz_lane *l,
                    struct lane_cursor *c,
                    int64_t offset,
                    const char *stage,
                    const struct cz_error *why)
{
    struct cz_error err = CZ_ERROR_INIT;
    cz_fail_flags(&err, why->code, why->flags, why->detail, "%s [%d] offset %lld, stage %s: %s",
                  c->part->topic, c->part->partition, (long long)offset, stage, why->text);
    lane__fail_task(l, c->task, &err);
}

/* Does this tell about the record?  Else it is about the producer or the target: try again. */
static bool of_record(const struct cz_error *err)
{
    return err->code == CZ_E_TOO_LARGE || err->code == CZ_E_INVALID;
}

static void fail_send(struct cz_lane *l, struct lane_cursor *c, int64_t offset, const char *stage,
                      struct cz_error *err)
{
    if (!of_record(err) && c->task->txn) {
        lane__txn_abort(l, c->task, err);
        return;
    }
    if (!of_record(err))
        err->flags |= CZ_ERR_RETRIABLE;
    fail_at(l, c, offset, stage, err);
}

/* A record that cannot be copied: false when the cursor must not go past it now. */
static bool on_error(struct cz_lane *l,
                     struct lane_cursor *c,
                     const struct cz_record *r,
                     const char *stage,
                     const struct cz_error *why)
{
    struct cz_task *t = c->task;
    struct cz_error err = CZ_ERROR_INIT;
    switch (t->settings.on_error) {
    case CZ_ON_ERROR_SKIP:
        CZ_LOG_EVERY(5000, CZ_LOG_WARN, "task", "%s: skipped %s [%d] offset %lld, stage %s: %s",
                     t->label, r->topic, r->partition, (long long)r->offset, stage, why->text);
        drop(c, r, CZ_DROP_ERROR);
        return true;
    case CZ_ON_ERROR_DEAD_LETTER:
        switch (send_dead_letter(l, c, r, NULL, stage, why, &err)) {
        case SENT:
            return true;
        case SENT_FULL:
            lane__lag(l, t);
            return false;
        case SENT_REFUSED:
            fail_send(l, c, r->offset, "dead letter", &err);
            return false;
        }
        break;
    case CZ_ON_ERROR_STOP:
        break;
    }
    fail_at(l, c, r->offset, stage, why);
    return false;
}

/* ---- one record, one cursor ----------------------------------------------------------------- */

/* Send it; false: the cursor stays before this record. */
static bool pass(struct cz_lane *l,
                 struct lane_cursor *c,
                 struct cz_record *r,
                 const struct cz_stage_result *s,
                 struct cz_shared_msg *shared)
{
    struct cz_error err = CZ_ERROR_INIT;
    switch (c->part->file ? append_record(l, c, r, s, &err) : send_record(l, c, r, s, shared, &err)) {
    case SENT:
        lane__rate_taken(c->task, (int64_t)(s->key.len + s->value.len));
        return true;
    case SENT_FULL:
        lane__lag(l, c->task);
        return false;
    case SENT_REFUSED:
        break;
    }
    if (of_record(&err))
        return on_error(l, c, r, "send", &err);
    fail_send(l, c, r->offset, "send", &err);
    return false;
}

/* Nothing of what is before @offset is still to come. */
static void go_to(struct lane_cursor *c, int64_t offset)
{
    if (c->next >= offset)
        return;
    c->next = offset;
    cz_tracker_skip(&c->tracker, offset);
    c->task->dirty = true;
}

static const char *unreadable(const struct cz_lane *l, struct cz_error *ret)
{
    (void)cz_fail(ret, l->bad->code, "%s", l->bad->text);
    return "read";
}

/* The cursor takes the record, unless it has seen it or cannot now. */
static void take(struct cz_lane *l, struct lane_cursor *c, struct cz_record *r, struct cz_shared_msg *shared)
{
    struct cz_task *t = c->task;
    if (r->offset < c->next || c->behind || t->phase != PHASE_READING)
        return;
    if (c->part->until_ms > 0 && c->stop == INT64_MAX && r->ts_type != CZ_TS_NONE &&
        r->timestamp_ms >= c->part->until_ms)
        c->stop = r->offset;
    if (r->offset >= c->stop) {
        go_to(c, c->stop);
        return;
    }
    if (over_budget(t) && !wait_for_budget(l, t)) {
        if (t->phase == PHASE_READING)
            lane__lag(l, t);
        return;
    }
    if (c->behind)
        return; /* its transaction came to nothing while we waited */
    if (!lane__rate_allows(l, t))
        return;
    struct cz_stage_result s;
    struct cz_error err = CZ_ERROR_INIT;
    int64_t bytes = (int64_t)(r->key.len + r->value.len);
    bool done = true;
    r->target = c->part->target ? cz_producer_topic_name(c->part->target) : NULL;
    if (c->poison_len > 0 && lane__poisoned(c, r->offset, &err))
        s = (struct cz_stage_result){.verdict = CZ_VERDICT_ERROR, .stage = "send"};
    else if (l->bad)
        s = (struct cz_stage_result){.verdict = CZ_VERDICT_ERROR, .stage = unreadable(l, &err)};
    else
        cz_stages_run(t->settings.stages, l->ctx, r, &s, &err);
    if (s.verdict == CZ_VERDICT_PASS)
        done = pass(l, c, r, &s, shared);
    else if (s.verdict == CZ_VERDICT_DROP)
        drop(c, r, s.drop);
    else if (s.verdict == CZ_VERDICT_WAIT)
        done = lane__wait(l, t, &err);
    else
        done = on_error(l, c, r, s.stage, &err);
    if (!done)
        return;
    if (t->waiting_since)
        lane__waited(l, t);
    c->next = r->offset + 1;
    c->n.in++;
    c->n.bytes_in += bytes;
    t->dirty = true;
}

void lane__on_record(struct cz_lane *l, struct lane_reader *r, struct cz_record *rec)
{
    struct lane_cursor *c = r->cursors;
    if (c && !c->next_in_reader) {
        take(l, c, rec, NULL);
        cz_message_release(rec->msg);
        return;
    }
    struct cz_shared_msg *shared = cz_shared_msg_new(rec->msg);
    for (; c; c = c->next_in_reader)
        take(l, c, rec, shared);
    cz_shared_msg_unref(shared);
}

/* Everything before @end was given to us; what is missing are control records. */
void lane__on_end(struct lane_reader *r, int64_t end, bool last)
{
    for (struct lane_cursor *c = r->cursors; c; c = c->next_in_reader) {
        if (last)
            c->stop = end;
        c->n.end = end;
        c->task->dirty = true;
        if (!c->behind && c->task->phase == PHASE_READING)
            go_to(c, end < c->stop ? end : c->stop);
    }
}

/* ---- deliveries ----------------------------------------------------------------------------- */

static void account(struct lane_cursor *c, const struct cz_inflight *e)
{
    struct cz_task *t = c->task;
    if (e->dead_letter) {
        c->n.dropped[CZ_DROP_DEAD_LETTER]++;
    } else {
        c->n.out++;
        c->n.bytes_out += e->bytes;
        if (t->map.topic)
            cz_map_block_add(&c->block, e->offset, e->target_partition, e->target);
        if (e->timestamp_ms > 0)
            cz_histogram_add(&t->delay, e->delay_ms);
    }
    if (e->timestamp_ms > 0)
        c->n.newest_ms = e->timestamp_ms;
    t->lag_ms = 0;
    t->dirty = true;
}

static void delivery_error(const struct lane_cursor *c, const struct cz_inflight *e, struct cz_error *ret)
{
    if (c->part->file && !e->dead_letter) {
        lane__append_failed(c, ret);
        return;
    }
    cz_fail_flags(ret,
                  (enum cz_err)e->code,
                  e->record_error ? 0 : (e->flags | CZ_ERR_RETRIABLE),
                  e->kafka_code,
                  "%s",
                  cz_producer_error_name(e->kafka_code));
}

/* Answer a failed delivery at the front; true: the front is settled, go on. */
static bool settle_failed(struct cz_lane *l, struct lane_cursor *c, struct cz_inflight *e)
{
    struct cz_task *t = c->task;
    struct cz_error why = CZ_ERROR_INIT;
    delivery_error(c, e, &why);
    bool by_policy = e->record_error && !e->dead_letter && t->phase == PHASE_READING;
    if (by_policy && t->settings.on_error == CZ_ON_ERROR_SKIP) {
        c->n.dropped[CZ_DROP_ERROR]++;
        forget(t, e);
        cz_tracker_pop(&c->tracker, true);
        return true;
    }
    if (by_policy && t->settings.on_error == CZ_ON_ERROR_DEAD_LETTER) {
        struct cz_record r;
        cz_message_record(e->shared ? e->shared->msg : e->msg, c->part->topic, &r);
        struct cz_error err = CZ_ERROR_INIT;
        if (send_dead_letter(l, c, &r, e, "send", &why, &err) != SENT_REFUSED)
            return false; /* under way again, or to be tried at the next sweep */
        if (!of_record(&err))
            why.flags |= CZ_ERR_RETRIABLE; /* the record still waits for its dead letter */
    }
    if (t->phase == PHASE_READING)
        fail_at(l, c, e->offset, "send", &why);
    c->broken = true;
    forget(t, e);
    cz_tracker_pop(&c->tracker, false);
    return true;
}

static void sweep_cursor(struct cz_lane *l, struct lane_cursor *c)
{
    struct cz_inflight *e;
    while ((e = cz_tracker_front(&c->tracker))) {
        switch ((enum cz_inflight_state)atomic_load_explicit(&e->state, memory_order_acquire)) {
        case CZ_INFLIGHT_PENDING:
            return;
        case CZ_INFLIGHT_DELIVERED:
            account(c, e);
            forget(c->task, e);
            cz_tracker_pop(&c->tracker, !c->broken);
            break;
        case CZ_INFLIGHT_FAILED:
            if (c->task->txn) {
                lane__txn_failed(l, c, e);
                forget(c->task, e);
                cz_tracker_pop(&c->tracker, false);
                break;
            }
            if (!settle_failed(l, c, e))
                return;
            break;
        }
    }
}

void lane__sweep(struct cz_lane *l, struct cz_task *t)
{
    for (size_t i = 0; i < t->len; i++)
        sweep_cursor(l, &t->cursors[i]);
}
