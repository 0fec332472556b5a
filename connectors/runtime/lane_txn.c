/* SPDX-License-Identifier: Apache-2.0 */
/* Exactly once: a task's records and its positions go into one transaction on the target.
 *
 * IDLE → OPEN at the first record (or progress without one) → COMMITTING in bounded pieces, between
 * which commands are served and nothing is read → SETTLING until the last delivery report is in →
 * IDLE.  An error that asks for it: ABORTING, then every cursor goes back to the last committed
 * position.  Anything whose outcome is not known: DEAD; the task fails, retriable, and its next
 * start fences this producer and reads the position back.
 *
 * Counters that others see move with the commit only. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/log.h"
#include "cz/offsets_topic.h"
#include "cz/util.h"
#include "lane_priv.h"

enum {
    SLICE_MS = 100,      /* one piece of a commit or abort: a command waits no longer */
    IDLE_COMMIT_MS = 2000, /* progress that sent nothing */
    GIVE_UP_MS = CZ_TXN_TIMEOUT_MS + 10000,
    NAP_US = 200,
};

/* The one place that sets the state: what follows what. */
static void go(struct cz_task *t, enum txn_state state)
{
    static const unsigned legal[] = {
        [TXN_IDLE] = 1u << TXN_OPEN | 1u << TXN_DEAD,
        [TXN_OPEN] = 1u << TXN_COMMITTING | 1u << TXN_ABORTING | 1u << TXN_DEAD,
        [TXN_COMMITTING] = 1u << TXN_SETTLING | 1u << TXN_ABORTING | 1u << TXN_DEAD,
        [TXN_SETTLING] = 1u << TXN_IDLE | 1u << TXN_DEAD,
        [TXN_ABORTING] = 1u << TXN_REWINDING | 1u << TXN_DEAD,
        [TXN_REWINDING] = 1u << TXN_IDLE | 1u << TXN_DEAD,
        [TXN_DEAD] = 1u << TXN_DEAD,
    };
    assert(legal[t->txn->state] & 1u << state);
    t->txn->state = state;
    if (state == TXN_COMMITTING || state == TXN_ABORTING)
        t->txn->give_up_at = cz_deadline_ms(GIVE_UP_MS);
}

static bool progressed(const struct lane_cursor *c)
{
    return c->next > c->stable.position;
}

/* Is there something for a transaction that has no record? */
static bool any_progress(const struct cz_task *t)
{
    if (lane__map_pending(t))
        return true;
    for (size_t i = 0; i < t->len; i++) {
        if (progressed(&t->cursors[i]))
            return true;
    }
    return false;
}

static void die(struct cz_lane *l, struct cz_task *t, const struct cz_error *why)
{
    struct cz_error err = CZ_ERROR_INIT;
    cz_fail_flags(&err, why->code ? why->code : CZ_E_KAFKA, CZ_ERR_RETRIABLE, why->detail,
                  "transaction: %s", why->text);
    go(t, TXN_DEAD);
    cz_producer_purge(t->producer);
    lane__fail_task(l, t, &err);
}

enum cz_err lane__txn_begin(struct cz_task *t, struct cz_error *err)
{
    struct lane_txn *x = t->txn;
    if (x->state == TXN_OPEN)
        return CZ_OK;
    if (x->state != TXN_IDLE)
        return cz_fail_flags(err, CZ_E_KAFKA, CZ_ERR_RETRIABLE, 0, "the transaction is being ended");
    enum cz_err code = cz_producer_txn_begin(t->producer, err);
    if (code)
        return code;
    go(t, TXN_OPEN);
    x->commit_at = cz_deadline_ms(x->interval_ms);
    return CZ_OK;
}

void lane__txn_abort(struct cz_lane *l, struct cz_task *t, const struct cz_error *why)
{
    struct lane_txn *x = t->txn;
    if (x->state == TXN_IDLE) {
        die(l, t, why);
        return;
    }
    if (x->state != TXN_OPEN && x->state != TXN_COMMITTING)
        return;
    CZ_LOG_EVERY(5000, CZ_LOG_WARN, "task", "%s: transaction aborted: %s", t->label, why->text);
    go(t, TXN_ABORTING);
    for (size_t i = 0; i < t->len; i++)
        t->cursors[i].behind = true; /* take nothing more of what was read */
}

void lane__txn_failed(struct cz_lane *l, struct lane_cursor *c, const struct cz_inflight *e)
{
    struct cz_task *t = c->task;
    if (e->record_error && !e->dead_letter) {
        c->poison = cz_realloc(c->poison, (c->poison_len + 1) * sizeof *c->poison);
        c->poison[c->poison_len++] =
            (struct lane_poison){.offset = e->offset, .kafka_code = e->kafka_code, .code = e->code};
    }
    struct cz_error why = CZ_ERROR_INIT;
    cz_fail(&why, (enum cz_err)e->code, "%s [%d] offset %" PRId64 ": %s", c->part->topic,
            c->part->partition, e->offset, cz_producer_error_name(e->kafka_code));
    if (t->txn->state == TXN_OPEN || t->txn->state == TXN_COMMITTING)
        lane__txn_abort(l, t, &why);
}

bool lane__poisoned(const struct lane_cursor *c, int64_t offset, struct cz_error *ret)
{
    for (size_t i = 0; i < c->poison_len; i++) {
        const struct lane_poison *p = &c->poison[i];
        if (p->offset != offset)
            continue;
        cz_fail_flags(ret, (enum cz_err)p->code, 0, p->kafka_code, "%s",
                      cz_producer_error_name(p->kafka_code));
        return true;
    }
    return false;
}

/* The positions, as the last records of the transaction. */
static enum cz_err send_positions(struct cz_task *t, struct cz_error *err)
{
    struct lane_txn *x = t->txn;
    for (size_t i = 0; i < t->len; i++) {
        const struct lane_cursor *c = &t->cursors[i];
        if (!progressed(c))
            continue;
        const struct cz_position at = lane__position(c);
        enum cz_err code = cz_offset_record_send(t->producer, &x->at, c->part->topic,
                                                 c->part->partition, c->next, &at, err);
        if (code)
            return code;
    }
    return CZ_OK;
}

static void start_commit(struct cz_lane *l, struct cz_task *t)
{
    struct cz_error err = CZ_ERROR_INIT;
    enum cz_err code = lane__txn_begin(t, &err);
    if (!code)
        code = send_positions(t, &err);
    if (!code)
        code = lane__map_write(t, &err);
    if (code == CZ_E_LIMIT)
        return; /* the queue is full: at the next turn; a position twice does no harm */
    if (code) {
        lane__txn_abort(l, t, &err);
        return;
    }
    go(t, TXN_COMMITTING);
    cz_fault("txn-before-commit");
}

/* What is behind us will not come again; what is ahead must not be sent again. */
static void forget_poison(struct lane_cursor *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->poison_len; i++) {
        if (c->poison[i].offset >= c->next)
            c->poison[n++] = c->poison[i];
    }
    c->poison_len = n;
}

static void committed(struct cz_task *t)
{
    struct lane_txn *x = t->txn;
    for (size_t i = 0; i < t->len; i++) {
        struct lane_cursor *c = &t->cursors[i];
        c->stable = c->n;
        c->stable.position = c->next;
        forget_poison(c);
    }
    lane__map_committed(t);
    x->delay = t->delay;
    x->idle_at = cz_deadline_ms(IDLE_COMMIT_MS);
    go(t, TXN_IDLE);
    t->dirty = true;
}

static void rewind_all(struct cz_lane *l, struct cz_task *t)
{
    t->lagging = false;
    lane__rate_resumed(t);
    t->delay = t->txn->delay;
    for (size_t i = 0; i < t->len; i++) {
        struct lane_cursor *c = &t->cursors[i];
        int64_t end = c->n.end;
        c->n = c->stable;
        c->n.end = end;
        c->next = c->stable.position;
        c->behind = true;
        cz_tracker_done(&c->tracker);
        cz_tracker_init(&c->tracker, c->next);
        if (c->reader)
            lane__want_rewind(l, c->reader);
    }
    lane__map_aborted(t);
    go(t, TXN_IDLE);
}

/* Have all delivery reports been taken in?  The last ones may be on their way from another thread. */
static bool settled(struct cz_lane *l, struct cz_task *t)
{
    lane__sweep(l, t);
    if (t->inflight_records == 0)
        return true;
    const struct timespec nap = {.tv_nsec = NAP_US * 1000};
    (void)nanosleep(&nap, NULL);
    return false;
}

/* What a piece of a commit or abort came to; CZ_OK: it is over. */
static void after_piece(struct cz_lane *l, struct cz_task *t, const struct cz_error *err)
{
    struct lane_txn *x = t->txn;
    if (err->flags & CZ_ERR_FATAL || cz_now() >= x->give_up_at)
        die(l, t, err);
    else if (err->flags & CZ_ERR_ABORT_TXN && x->state == TXN_COMMITTING)
        lane__txn_abort(l, t, err);
}

static bool due(const struct cz_task *t)
{
    const struct lane_txn *x = t->txn;
    if (t->phase == PHASE_REMOVING)
        return x->state == TXN_OPEN || any_progress(t);
    if (t->phase != PHASE_READING)
        return false;
    cz_time now = cz_now();
    if (x->state == TXN_OPEN)
        return now >= x->commit_at;
    return now >= x->idle_at && any_progress(t);
}

static void step(struct cz_lane *l, struct cz_task *t)
{
    struct lane_txn *x = t->txn;
    struct cz_error err = CZ_ERROR_INIT;
    switch (x->state) {
    case TXN_IDLE:
    case TXN_OPEN:
        if (t->fenced && x->state == TXN_OPEN) {
            cz_fail(&err, CZ_E_FENCED, "the worker's lease ran out");
            lane__txn_abort(l, t, &err);
        } else if (!t->fenced && due(t)) {
            start_commit(l, t);
        }
        return;
    case TXN_COMMITTING:
        if (t->fenced || !lane__leased(l)) {
            cz_fail(&err, CZ_E_FENCED, "the worker's lease ran out during a commit");
            die(l, t, &err);
        } else if (cz_producer_txn_commit(t->producer, SLICE_MS, &err)) {
            after_piece(l, t, &err);
        } else {
            cz_fault("txn-after-commit");
            go(t, TXN_SETTLING);
        }
        return;
    case TXN_SETTLING:
        if (settled(l, t))
            committed(t);
        return;
    case TXN_ABORTING:
        if (!cz_producer_txn_abort(t->producer, SLICE_MS, &err))
            go(t, TXN_REWINDING);
        else
            after_piece(l, t, &err);
        return;
    case TXN_REWINDING:
        if (settled(l, t))
            rewind_all(l, t);
        return;
    case TXN_DEAD:
        return;
    }
}

static bool ending(const struct lane_txn *x)
{
    return x->state != TXN_IDLE && x->state != TXN_OPEN && x->state != TXN_DEAD;
}

bool lane__txn_drive(struct cz_lane *l)
{
    bool busy = false;
    for (struct cz_task *t = l->tasks; t; t = t->next) {
        if (!t->txn)
            continue;
        step(l, t);
        busy |= ending(t->txn);
    }
    return busy;
}

bool lane__txn_over(struct cz_task *t, bool late)
{
    struct lane_txn *x = t->txn;
    if (x->state == TXN_DEAD || (x->state == TXN_IDLE && (t->fenced || !any_progress(t))))
        return true;
    if (late) {
        go(t, TXN_DEAD);
        cz_producer_purge(t->producer);
    }
    return late;
}

struct lane_txn *lane__txn_new(const struct cz_task_txn *conf)
{
    struct lane_txn *x = cz_alloc(sizeof *x);
    x->at = conf->at;
    x->at.uid = cz_strdup(conf->at.uid);
    x->at.writer = cz_strdup(conf->at.writer);
    x->interval_ms = conf->interval_ms;
    return x;
}

void lane__txn_free(struct lane_txn *x)
{
    if (!x)
        return;
    cz_free((char *)CZ_UNCONST(x->at.uid));
    cz_free((char *)CZ_UNCONST(x->at.writer));
    cz_free(x);
}
