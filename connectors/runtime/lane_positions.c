/* SPDX-License-Identifier: Apache-2.0 */
/* Positions of a task that has no consumer group to keep them in, because its source is no topic:
 * records of the offsets topic, sent like any other and done when they are delivered. */
#include "cz/alloc.h"
#include "cz/log.h"
#include "cz/util.h"
#include "lane_priv.h"

struct lane_positions *lane__positions_new(const struct cz_offsets_at *at, size_t n)
{
    struct lane_positions *p = cz_alloc(sizeof *p);
    p->at = *at;
    p->at.uid = cz_strdup(at->uid);
    p->at.writer = cz_strdup(at->writer);
    p->sent = cz_alloc_array(n + 1, sizeof *p->sent);
    for (size_t i = 0; i < n; i++)
        atomic_store(&p->sent[i].state, CZ_INFLIGHT_DELIVERED);
    return p;
}

void lane__positions_free(struct lane_positions *p)
{
    if (!p)
        return;
    cz_free((char *)CZ_UNCONST(p->at.uid));
    cz_free((char *)CZ_UNCONST(p->at.writer));
    cz_free(p->sent);
    cz_free(p);
}

bool lane__positions_send(struct cz_task *t, bool (*wanted)(const struct lane_cursor *c))
{
    bool some = false;
    for (size_t i = 0; i < t->len; i++) {
        struct lane_cursor *c = &t->cursors[i];
        struct cz_inflight *e = &t->positions->sent[i];
        if (!wanted(c))
            continue;
        struct cz_error err = CZ_ERROR_INIT;
        struct cz_offsets_at at = t->positions->at;
        const struct cz_position position = lane__position(c);
        at.opaque = e;
        c->committing = c->tracker.position;
        atomic_store(&e->state, CZ_INFLIGHT_PENDING);
        if (!cz_offset_record_send(t->producer, &at, c->part->topic, c->part->partition, c->committing,
                                   &position, &err)) {
            some = true;
            continue;
        }
        atomic_store(&e->state, CZ_INFLIGHT_DELIVERED);
        c->committing = -1;
        CZ_LOG_EVERY(10000, CZ_LOG_WARN, "task", "%s: position: %s", t->label, err.text);
    }
    return some;
}

int lane__positions_state(const struct cz_task *t)
{
    int state = COMMIT_OK;
    for (size_t i = 0; i < t->len; i++) {
        switch ((enum cz_inflight_state)atomic_load_explicit(&t->positions->sent[i].state, memory_order_acquire)) {
        case CZ_INFLIGHT_PENDING:
            return COMMIT_BUSY;
        case CZ_INFLIGHT_FAILED:
            state = COMMIT_FAILED;
            break;
        case CZ_INFLIGHT_DELIVERED:
            break;
        }
    }
    return state;
}
