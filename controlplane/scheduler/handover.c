/* SPDX-License-Identifier: Apache-2.0 */
/* Hand-over of a task from one living worker to another, in two halves, so that a planned move
 * repeats no record: first the task is nobody's, and its worker drains, commits and reports it
 * UNASSIGNED; only then is it given to the other one.  A worker that does not report in time, or
 * goes, is not waited for; a new leader does not know of holds and places at once.  Either costs
 * repeated records and loses none. */
#include <stdio.h>
#include <string.h>

#include "cz/alloc.h"
#include "scheduler_priv.h"

/* A worker stops waiting for a dead target after some 8 s. */
#define RELEASE_WITHIN (12 * CZ_SEC)

struct cz_lead_hold {
    char *uid, *from;
    int task;
    int64_t generation;
    cz_time deadline;
};

void cz__lead_hold_free(void *p)
{
    struct cz_lead_hold *h = p;
    if (!h)
        return;
    cz_free(h->uid);
    cz_free(h->from);
    cz_free(h);
}

static const struct cz_worker_info *find_worker(const struct cz_worker_infos *w, const char *id)
{
    for (size_t i = 0; i < w->len; i++) {
        if (strcmp(w->items[i].id, id) == 0)
            return &w->items[i];
    }
    return NULL;
}

static void
hold(struct cz_lead *L, const char *uid, int task, const char *from, int64_t generation)
{
    struct cz_lead_hold *h = cz_alloc(sizeof(*h));
    h->uid = cz_strdup(uid);
    h->from = cz_strdup(from);
    h->task = task;
    h->generation = generation;
    h->deadline = cz_now() + RELEASE_WITHIN;
    CZ_CLEANUP(cz_freep) char *key = cz_strf("%s/%d", uid, task);
    cz_map_put(&L->holds, key, h);
}

void cz__lead_hold_moves(struct cz_lead *L,
                         struct cz_plan_item *items,
                         size_t n,
                         const struct cz_worker_infos *workers)
{
    for (size_t i = 0; i < n; i++) {
        struct cz_assignment *a = items[i].next;
        for (int t = 0; a && t < a->tasks; t++) {
            const char *was = cz_assignment_hint(items[i].prev, a->tasks, t);
            if (!was || !a->workers[t] || strcmp(was, a->workers[t]) == 0)
                continue;
            const struct cz_worker_info *w = find_worker(workers, was);
            if (!w || w->gone)
                continue;
            hold(L, items[i].uid, t, was, a->generation);
            cz_free(a->workers[t]);
            a->workers[t] = NULL;
        }
    }
}

bool *cz__lead_held(struct cz_lead *L, const char *uid, const struct cz_assignment *prev)
{
    bool *held = NULL;
    for (int t = 0; prev && L->holds.len > 0 && t < prev->tasks; t++) {
        CZ_CLEANUP(cz_freep) char *key = cz_strf("%s/%d", uid, t);
        if (!cz_map_get(&L->holds, key))
            continue;
        if (!held)
            held = cz_alloc_array((size_t)prev->tasks, sizeof(*held));
        held[t] = true;
    }
    return held;
}

static bool released(struct cz_lead *L, const struct cz_lead_hold *h)
{
    struct cz_task_infos tasks = {0};
    bool done = false;
    cz_status_tasks(L->s->status, h->uid, &tasks);
    for (size_t i = 0; i < tasks.len; i++) {
        const struct cz_task_info *k = &tasks.items[i];
        done |= k->task == h->task && k->state == CZ_TASK_UNASSIGNED &&
                k->generation >= h->generation;
    }
    cz_task_infos_done(&tasks);
    return done;
}

void cz__lead_look_at_holds(struct cz_lead *L)
{
    if (L->holds.len == 0)
        return;
    struct cz_worker_infos workers = {0};
    cz_status_workers(L->s->status, &workers);
    CZ_MAP_FOREACH (&L->holds, i, e) {
        const struct cz_lead_hold *h = e->value;
        const struct cz_worker_info *w = find_worker(&workers, h->from);
        if (w && !w->gone && cz_now() < h->deadline && !released(L, h))
            continue;
        cz_map_remove(&L->holds, e->key);
        cz__lead_plan_soon(L, 0);
    }
    cz_worker_infos_done(&workers);
}
