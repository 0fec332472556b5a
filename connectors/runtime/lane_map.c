/* SPDX-License-Identifier: Apache-2.0 */
/* The offset map of a task (cz/offset_map.h), from delivery reports in offset order.  Exactly once:
 * written in the task's transactions, one behind the records.  At least once: in rounds, about once a
 * second and before every commit of positions: a commit goes only as far as the map was acknowledged.
 * So a worker that dies leaves no hole: what the map does not say lies behind the committed position,
 * and is copied, and noted, again.  Only a map that cannot be written for long does not hold commits up
 * for ever: then positions go on without it, and there is a hole. */
#include <string.h>

#include "cz/alloc.h"
#include "cz/log.h"
#include "lane_priv.h"

enum { WRITE_EVERY_MS = 1000, AGAIN_MS = 200, GIVE_UP_MS = 5000 };

static bool keeps(const struct cz_task *t)
{
    return t->map.topic && !t->txn; /* in rounds */
}

static bool pending(const struct lane_cursor *c)
{
    return c->block.written != c->block.end;
}

bool lane__map_pending(const struct cz_task *t)
{
    for (size_t i = 0; t->map.topic && i < t->len; i++) {
        if (pending(&t->cursors[i]))
            return true;
    }
    return false;
}

static bool any_full(const struct cz_task *t)
{
    for (size_t i = 0; i < t->len; i++) {
        if (cz_map_block_full(&t->cursors[i].block))
            return true;
    }
    return false;
}

static enum cz_err write_one(struct cz_task *t, struct lane_cursor *c, struct cz_error *err)
{
    struct cz_map_block *b = &c->block;
    CZ_CLEANUP(cz_freep) char *key = cz_map_block_key(b, t->map.uid, c->part->topic, c->part->partition);
    CZ_CLEANUP(cz_freep) char *value = cz_map_block_text(b, cz_producer_topic_name(c->part->target));
    const struct cz_send s = {.partition = t->map.partition,
                              .key = {key, strlen(key)},
                              .value = {value, strlen(value)},
                              .copy = true,
                              .opaque = t->txn ? NULL : &c->map_sent};
    if (!t->txn)
        atomic_store(&c->map_sent.state, CZ_INFLIGHT_PENDING);
    enum cz_err code = cz_producer_send(t->producer, t->map.topic, &s, err);
    if (!code)
        b->written = b->end;
    else if (!t->txn)
        atomic_store(&c->map_sent.state, CZ_INFLIGHT_DELIVERED);
    c->map_sending = !code && !t->txn;
    return code;
}

enum cz_err lane__map_write(struct cz_task *t, struct cz_error *err)
{
    enum cz_err code = CZ_OK;
    for (size_t i = 0; t->map.topic && !code && i < t->len; i++) {
        struct lane_cursor *c = &t->cursors[i];
        cz_map_block_reach(&c->block, c->tracker.position);
        if (pending(c) && !c->map_sending)
            code = write_one(t, c, err);
    }
    if (code != CZ_E_LIMIT)
        return code;
    cz_error_reset(err); /* at the next turn */
    return CZ_OK;
}

/* ---- at least once: rounds -------------------------------------------------------------------- */

/* Take in what was acknowledged or refused meanwhile. @return nothing is under way */
static bool collect(struct cz_task *t)
{
    bool idle = true;
    for (size_t i = 0; i < t->len; i++) {
        struct lane_cursor *c = &t->cursors[i];
        if (!c->map_sending)
            continue;
        int state = atomic_load_explicit(&c->map_sent.state, memory_order_acquire);
        if (state == CZ_INFLIGHT_PENDING) {
            idle = false;
            continue;
        }
        c->map_sending = false;
        if (state == CZ_INFLIGHT_FAILED) {
            c->block.written = -1;
            CZ_LOG_EVERY(10000, CZ_LOG_WARN, "task", "%s: offset map: it was not written (%s)", t->label,
                         cz_producer_error_name(c->map_sent.kafka_code));
            continue;
        }
        c->mapped = c->block.written > c->mapped ? c->block.written : c->mapped;
        cz_map_block_next(&c->block);
    }
    return idle;
}

/* Is all that the round began with in the map? */
static bool complete(const struct cz_task *t)
{
    for (size_t i = 0; i < t->len; i++) {
        if (t->cursors[i].mapped < t->cursors[i].map_want)
            return false;
    }
    return true;
}

static void begin(struct cz_task *t)
{
    for (size_t i = 0; i < t->len; i++)
        t->cursors[i].map_want = t->cursors[i].tracker.position;
    t->map_until = cz_deadline_ms(GIVE_UP_MS);
    t->map_again = 0;
}

static void give_up(struct cz_task *t)
{
    CZ_LOG_EVERY(10000, CZ_LOG_WARN, "task", "%s: the offset map cannot be written: positions go on without it",
                 t->label);
    for (size_t i = 0; i < t->len; i++) {
        struct lane_cursor *c = &t->cursors[i];
        c->mapped = c->mapped > c->map_want ? c->mapped : c->map_want;
    }
}

bool lane__map_round(struct cz_task *t)
{
    struct cz_error err = CZ_ERROR_INIT;
    if (!keeps(t))
        return true;
    bool idle = collect(t);
    cz_time now = cz_now();
    if (!t->map_until)
        begin(t);
    bool over = complete(t);
    if (!over && now >= t->map_until) {
        give_up(t);
        over = true;
    }
    if (over) {
        t->map_until = 0;
        t->map_at = now + WRITE_EVERY_MS * CZ_MS;
        return true;
    }
    if (idle && now >= t->map_again) {
        t->map_again = now + AGAIN_MS * CZ_MS;
        if (lane__map_write(t, &err))
            CZ_LOG_EVERY(10000, CZ_LOG_WARN, "task", "%s: offset map: %s", t->label, err.text);
    }
    return false;
}

void lane__map_tick(struct cz_task *t)
{
    if (keeps(t) && (t->map_until || cz_now() >= t->map_at || any_full(t)))
        (void)lane__map_round(t);
}

int64_t lane__map_reaches(const struct lane_cursor *c)
{
    int64_t position = c->tracker.position;
    return keeps(c->task) && c->mapped < position ? c->mapped : position;
}

bool lane__map_last(const struct cz_lane *l, struct cz_task *t)
{
    return !keeps(t) || t->fenced || !lane__leased(l) || lane__map_round(t);
}

bool lane__map_busy(struct cz_task *t)
{
    return keeps(t) && !collect(t);
}

/* ---- exactly once ----------------------------------------------------------------------------- */

void lane__map_committed(struct cz_task *t)
{
    for (size_t i = 0; t->map.topic && i < t->len; i++)
        cz_map_block_next(&t->cursors[i].block);
}

void lane__map_aborted(struct cz_task *t)
{
    for (size_t i = 0; t->map.topic && i < t->len; i++)
        cz_map_block_cut(&t->cursors[i].block, t->cursors[i].stable.position);
}
