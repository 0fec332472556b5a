/* SPDX-License-Identifier: Apache-2.0 */
/* The offset map of a task (cz/offset_map.h), from delivery reports in offset order.  At least once:
 * written about once a second and before the task goes; what was not written when a worker dies is a
 * hole in the map.  Exactly once: written in the task's transactions, one behind the records. */
#include <string.h>

#include "cz/alloc.h"
#include "cz/log.h"
#include "lane_priv.h"

enum { WRITE_EVERY_MS = 1000 };

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
                              .copy = true};
    enum cz_err code = cz_producer_send(t->producer, t->map.topic, &s, err);
    if (!code)
        b->written = b->end;
    return code;
}

enum cz_err lane__map_write(struct cz_task *t, struct cz_error *err)
{
    enum cz_err code = CZ_OK;
    for (size_t i = 0; t->map.topic && !code && i < t->len; i++) {
        struct lane_cursor *c = &t->cursors[i];
        cz_map_block_reach(&c->block, c->tracker.position);
        if (pending(c))
            code = write_one(t, c, err);
    }
    if (code != CZ_E_LIMIT)
        return code;
    cz_error_reset(err); /* at the next turn */
    return CZ_OK;
}

static void write_now(struct cz_task *t)
{
    struct cz_error err = CZ_ERROR_INIT;
    t->map_at = cz_deadline_ms(WRITE_EVERY_MS);
    if (lane__map_write(t, &err))
        CZ_LOG_EVERY(10000, CZ_LOG_WARN, "task", "%s: offset map: %s", t->label, err.text);
    for (size_t i = 0; i < t->len; i++)
        cz_map_block_next(&t->cursors[i].block);
}

void lane__map_tick(struct cz_task *t)
{
    if (t->map.topic && !t->txn && (cz_now() >= t->map_at || any_full(t)))
        write_now(t);
}

void lane__map_last(const struct cz_lane *l, struct cz_task *t)
{
    if (t->map.topic && !t->txn && !t->fenced && lane__leased(l) && lane__map_pending(t))
        write_now(t);
}

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
