/* SPDX-License-Identifier: Apache-2.0 */
/* Commits of a task's positions to its consumer group on the source cluster, so that any Kafka tool
 * shows the lag.  At most one commit of a task is under way; it carries the mapping's generation as
 * metadata, by which a later start knows whether `on_change` was already answered. */
#include "cz/alloc.h"
#include "cz/log.h"
#include "lane_priv.h"

enum { COMMIT_TIMEOUT_MS = 10000, COMMIT_RETRY_MS = 1000 };

/* Brokers forget the offsets of a group that is idle for offsets.retention.minutes (7 days by
 * default), and a group without offsets would start by policy: so an idle position is renewed. */
#define RENEW_EVERY (3600 * CZ_SEC)

static void on_committed(void *arg, const struct cz_error *err)
{
    struct cz_task *t = arg;
    bool failed = err && err->code;
    if (failed)
        CZ_LOG_EVERY(10000, CZ_LOG_WARN, "task", "%s: commit to group %s: %s", t->label, t->group,
                     err->text);
    /* Last touch of the task on this thread. */
    atomic_store(&t->commit_state, failed ? COMMIT_FAILED : COMMIT_OK);
}

void lane__commit_collect(struct cz_task *t)
{
    int state = atomic_load(&t->commit_state);
    if (state == COMMIT_BUSY && t->positions)
        state = lane__positions_state(t);
    if (state != COMMIT_OK && state != COMMIT_FAILED)
        return;
    for (size_t i = 0; i < t->len; i++) {
        struct lane_cursor *c = &t->cursors[i];
        if (state == COMMIT_OK && c->committing >= 0) {
            c->committed = c->committing;
            t->dirty = true;
        }
        c->committing = -1;
    }
    if (state == COMMIT_FAILED)
        t->commit_at = cz_now() + COMMIT_RETRY_MS * CZ_MS;
    atomic_store(&t->commit_state, COMMIT_IDLE);
}

struct cz_position lane__position(const struct lane_cursor *c)
{
    struct cz_position p = c->part->position;
    p.kind = c->task->exact ? 'x' : 'g';
    p.generation = c->task->settings.generation; /* it may have changed while we run */
    return p;
}

/* What a restart would go on from. */
static int64_t position(const struct lane_cursor *c)
{
    return c->task->txn ? c->stable.position : c->tracker.position;
}

static int64_t known(const struct lane_cursor *c)
{
    return c->committed >= 0 ? c->committed : c->part->start;
}

static bool behind(const struct lane_cursor *c)
{
    return position(c) > known(c);
}

static int64_t to_commit(const struct lane_cursor *c)
{
    int64_t at = c->task->txn ? c->stable.position : lane__map_reaches(c);
    return at > known(c) ? at : known(c);
}

bool lane__commit_settled(struct cz_task *t)
{
    lane__commit_collect(t);
    if (atomic_load(&t->commit_state) != COMMIT_IDLE)
        return false;
    if (!(t->group || t->positions) || t->fenced)
        return true;
    for (size_t i = 0; i < t->len; i++) {
        if (behind(&t->cursors[i]))
            return false;
    }
    return true;
}

void lane__commit(struct cz_lane *l, struct cz_task *t, bool now)
{
    lane__commit_collect(t);
    if (!(t->group || t->positions) || t->fenced || atomic_load(&t->commit_state) != COMMIT_IDLE)
        return;
    cz_time time = cz_now();
    if ((!now && time < t->commit_at) || !lane__leased(l))
        return;
    if (!lane__map_round(t))
        return; /* the map first: what is committed is not copied again */
    if (t->positions) {
        if (!lane__positions_send(t, behind))
            return;
        t->commit_at = time + l->o.commit_interval_ms * CZ_MS;
        atomic_store(&t->commit_state, COMMIT_BUSY);
        return;
    }
    struct cz_tp_list list = {0};
    bool renew = time >= t->renew_at;
    for (size_t i = 0; i < t->len; i++) {
        struct lane_cursor *c = &t->cursors[i];
        if (to_commit(c) == known(c) && !renew)
            continue;
        c->committing = to_commit(c);
        struct cz_tp *tp = cz_tp_list_add(&list, c->part->topic, c->part->partition, c->committing);
        const struct cz_position at = lane__position(c);
        tp->metadata = cz_position_text(&at);
    }
    if (renew)
        t->renew_at = time + RENEW_EVERY;
    if (list.len > 0) {
        t->commit_at = time + l->o.commit_interval_ms * CZ_MS;
        atomic_store(&t->commit_state, COMMIT_BUSY);
        cz_admin_commit_async(t->source, t->group, &list, COMMIT_TIMEOUT_MS, on_committed, t);
    }
    cz_tp_list_done(&list);
}
