/* SPDX-License-Identifier: Apache-2.0 */
/* Which source partitions a lane's consumer reads, and from where.  Several cursors may share a
 * reader; the consumer then reads from the lowest position that is wanted, and each cursor skips
 * what it has seen. */
#include <string.h>

#include "cz/alloc.h"
#include "cz/log.h"
#include "lane_priv.h"

/* How often one partition may be read again because a cursor fell behind. */
#define REWIND_INTERVAL (50 * CZ_MS)

static struct lane_reader *find_reader(struct cz_lane *l, const char *topic, int32_t partition)
{
    for (struct lane_reader *r = l->readers; r; r = r->next) {
        if (r->partition == partition && strcmp(r->topic, topic) == 0)
            return r;
    }
    return NULL;
}

static struct lane_reader *new_reader(struct cz_lane *l, const char *topic, int32_t partition)
{
    struct lane_reader *r = cz_alloc(sizeof *r);
    r->topic = cz_strdup(topic);
    r->partition = partition;
    r->next = l->readers;
    l->readers = r;
    return r;
}

static void free_reader(struct cz_lane *l, struct lane_reader *r)
{
    struct lane_reader **at = &l->readers;
    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    cz_free(r->topic);
    cz_free(r);
}

static bool wants(const struct lane_cursor *c)
{
    return c->task->phase == PHASE_READING && !c->task->lagging;
}

bool lane__takes(const struct lane_cursor *c)
{
    return wants(c) && !c->behind;
}

static void unassign(struct cz_lane *l, struct lane_reader *r)
{
    struct cz_error err = CZ_ERROR_INIT;
    if (r->assigned && l->source.ops->unassign(l->source.self, r->topic, r->partition, &err))
        cz_log(CZ_LOG_WARN, "lane", "%s: %s", l->name, err.text);
    r->assigned = false;
}

/* Read from the lowest position that a willing cursor wants, or not at all. */
static void assign(struct cz_lane *l, struct lane_reader *r)
{
    int64_t from = INT64_MAX;
    for (struct lane_cursor *c = r->cursors; c; c = c->next_in_reader) {
        if (wants(c) && c->next < from)
            from = c->next;
    }
    unassign(l, r);
    r->rewind = false;
    r->rewind_after = cz_now() + REWIND_INTERVAL;
    if (from == INT64_MAX)
        return;
    struct cz_error err = CZ_ERROR_INIT;
    if (l->source.ops->assign(l->source.self, r->topic, r->partition, from, r, &err)) {
        for (struct lane_cursor *c = r->cursors; c; c = c->next_in_reader) {
            if (wants(c))
                lane__fail_task(l, c->task, &err);
        }
        return;
    }
    r->assigned = true;
    for (struct lane_cursor *c = r->cursors; c; c = c->next_in_reader) {
        if (wants(c))
            c->behind = false;
    }
}

void lane__want_rewind(struct cz_lane *l, struct lane_reader *r)
{
    r->rewind = true;
    l->rewinds = true;
}

void lane__attach(struct cz_lane *l, struct lane_cursor *c)
{
    const struct cz_task_partition *p = c->part;
    struct lane_reader *r = find_reader(l, p->topic, p->partition);
    if (!r)
        r = new_reader(l, p->topic, p->partition);
    c->reader = r;
    c->next_in_reader = r->cursors;
    r->cursors = c;
    c->behind = true;
    lane__want_rewind(l, r);
    if (!r->assigned)
        r->rewind_after = 0;
}

void lane__detach(struct cz_lane *l, struct lane_cursor *c)
{
    struct lane_reader *r = c->reader;
    if (!r)
        return;
    struct lane_cursor **at = &r->cursors;
    while (*at != c)
        at = &(*at)->next_in_reader;
    *at = c->next_in_reader;
    c->reader = NULL;
    if (!r->cursors) {
        unassign(l, r);
        free_reader(l, r);
    }
}

void lane__detach_task(struct cz_lane *l, struct cz_task *t)
{
    for (size_t i = 0; i < t->len; i++)
        lane__detach(l, &t->cursors[i]);
}

void lane__serve_rewinds(struct cz_lane *l)
{
    if (!l->rewinds)
        return;
    cz_time now = cz_now();
    bool left = false;
    for (struct lane_reader *r = l->readers; r; r = r->next) {
        if (!r->rewind)
            continue;
        if (now >= r->rewind_after)
            assign(l, r);
        else
            left = true;
    }
    l->rewinds = left;
}
