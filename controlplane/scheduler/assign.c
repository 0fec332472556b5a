/* SPDX-License-Identifier: Apache-2.0 */
/* The plan: each mapping's shape (how many tasks, which partitions are new), then the placement
 * of all tasks at once, then what differs from before.  The rules stand in assign.h. */
#include "assign.h"

#include <string.h>

#include "cz/alloc.h"
#include "cz/limits.h"
#include "cz/map.h"
#include "cz/util.h"

/* ---- shape ----------------------------------------------------------------------------------
 */

static const struct cz_as_topic *
find_topic(const struct cz_assignment *a, const char *name, size_t hint)
{
    if (!a)
        return NULL;
    if (hint < a->topics_len && strcmp(a->topics[hint].name, name) == 0)
        return &a->topics[hint];
    for (size_t i = 0; i < a->topics_len; i++) {
        if (strcmp(a->topics[i].name, name) == 0)
            return &a->topics[i];
    }
    return NULL;
}

static void copy_id(char out[24], const char *id)
{
    size_t n = strnlen(id ? id : "", 23);
    memcpy(out, id ? id : "", n);
    out[n] = '\0';
}

static void set_id(struct cz_as_topic *t, const char *id)
{
    copy_id(t->id, id);
}

/* Partitions above `seen` began after the mapping did, so they are read from their beginning,
 * wherever the mapping itself was told to start. */
static void shape_topic(struct cz_as_topic *t,
                        const struct cz_plan_topic *now,
                        const struct cz_as_topic *was)
{
    copy_id(t->was_id, was ? was->was_id : "");
    if (now->partitions == CZ_PARTITIONS_UNKNOWN) {
        if (was) {
            t->partitions = was->partitions;
            t->seen = was->seen;
            t->from_start = was->from_start;
            set_id(t, was->id);
        } else {
            t->seen = CZ_PARTITIONS_UNKNOWN;
            t->from_start = -1;
        }
        return;
    }
    bool known = was && was->seen != CZ_PARTITIONS_UNKNOWN;
    bool recreated = known && now->id[0] && was->id[0] && strcmp(now->id, was->id) != 0;
    if (recreated)
        copy_id(t->was_id, was->id);
    t->partitions = now->partitions;
    t->seen = known && !recreated && was->seen > now->partitions ? was->seen : now->partitions;
    t->from_start = known ? was->from_start : -1;
    if (known && t->from_start < 0 && now->partitions > was->seen)
        t->from_start = was->seen;
    set_id(t, now->id[0] || !known ? now->id : was->id);
    if (now->partitions == 0 && known) { /* missing: remember what it was */
        t->seen = was->seen;
        set_id(t, was->id);
    }
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* A split stops and starts the whole mapping once, so a worker that comes must not split what one
 * worker copies with ease: that would touch every mapping of the deployment at once. */
static bool heavy(const struct cz_plan_item *it)
{
    double sum = 0;
    for (int t = 0; it->rates && it->prev && t < it->prev->tasks; t++)
        sum += it->rates[t];
    return sum >= CZ_SPLIT_RATE;
}

/* @parts the number of tasks that can have a partition. */
static int shape_tasks(const struct cz_plan_item *it, int parts, int live)
{
    int had = it->prev ? it->prev->tasks : 0;
    if (parts == 0)
        return had;
    if (it->tasks > 0)
        return smaller(smaller(it->tasks, parts), CZ_MAX_TASKS);
    int want = smaller(smaller(parts, live > 1 ? live : 1), CZ_AUTO_TASKS_MAX);
    if (had == 0)
        return want;
    while (2 * had <= want && heavy(it))
        had *= 2;
    return had;
}

/* Where the partitions of task @t ran before; NULL: nowhere. */
const char *cz_assignment_hint(const struct cz_assignment *prev, int tasks, int t)
{
    if (!prev || prev->tasks == 0)
        return NULL;
    if (tasks % prev->tasks == 0)
        return prev->workers[t % prev->tasks];
    return t < prev->tasks ? prev->workers[t] : NULL;
}

/* NULL: nothing is known of its topics yet. */
static struct cz_assignment *shape(const struct cz_plan_item *it, int live)
{
    bool known = it->prev || it->pattern;
    for (size_t i = 0; i < it->topics_len && !known; i++)
        known = it->topics[i].partitions != CZ_PARTITIONS_UNKNOWN;
    if (!known)
        return NULL;
    struct cz_assignment *a = cz_alloc(sizeof(*a));
    a->topics = cz_alloc_array(it->topics_len + 1, sizeof(*a->topics));
    a->topics_len = it->topics_len;
    int parts = 0;
    for (size_t i = 0; i < it->topics_len; i++) {
        struct cz_as_topic *t = &a->topics[i];
        t->name = cz_strdup(it->topics[i].name);
        const struct cz_as_topic *was = find_topic(it->prev, t->name, i);
        shape_topic(t, &it->topics[i], was);
        if (it->pattern && it->prev && !was)
            t->from_start = 0; /* came after the mapping began */
        if (t->partitions > 0 && (int)i + t->partitions > parts)
            parts = (int)i + t->partitions;
    }
    a->tasks = shape_tasks(it, parts, live);
    a->workers = cz_alloc_array((size_t)a->tasks + 1, sizeof(*a->workers));
    for (int t = 0; t < a->tasks; t++)
        a->workers[t] = cz_strdup(cz_assignment_hint(it->prev, a->tasks, t));
    return a;
}

/* ---- placement ------------------------------------------------------------------------------
 */

static double weight_of(const struct cz_plan_item *it, const struct cz_assignment *a, int task)
{
    double w = 0;
    for (size_t i = 0; i < a->topics_len; i++) {
        int first = (task - (int)(i % (size_t)a->tasks) + a->tasks) % a->tasks;
        if (first < a->topics[i].partitions)
            w +=
                CZ_PARTITION_BASE_LOAD * ((a->topics[i].partitions - first - 1) / a->tasks + 1);
    }
    if (it->rates && it->prev && it->prev->tasks > 0 && a->tasks % it->prev->tasks == 0)
        w += it->rates[task % it->prev->tasks] * it->prev->tasks / a->tasks;
    return w;
}

struct planner {
    struct cz_plan_item *items;
    size_t n;
    struct cz_place_worker *workers;
    size_t m;
    struct cz_map index; /* worker id → index + 1 */
    struct cz_place_task *tasks;
    size_t tasks_len;
};

static int worker_index(const struct planner *p, const char *id)
{
    return id ? (int)(intptr_t)cz_map_get(&p->index, id) - 1 : -1;
}

/* Has a partition, and is not on its way from one worker to another. */
static bool placeable(const struct cz_plan_item *it, int t)
{
    bool held = it->held && it->prev && t < it->prev->tasks && it->held[t];
    return !held && !cz_assignment_task_empty(it->next, t);
}

static void collect(struct planner *p)
{
    size_t cap = 1;
    for (size_t i = 0; i < p->n; i++)
        cap += p->items[i].next ? (size_t)p->items[i].next->tasks : 0;
    p->tasks = cz_alloc_array(cap, sizeof(*p->tasks));
    for (size_t i = 0; i < p->n; i++) {
        const struct cz_assignment *a = p->items[i].next;
        for (int t = 0; a && t < a->tasks; t++) {
            if (placeable(&p->items[i], t))
                p->tasks[p->tasks_len++] =
                    (struct cz_place_task){.weight = weight_of(&p->items[i], a, t),
                                           .files = p->items[i].files,
                                           .prev = worker_index(p, a->workers[t])};
        }
    }
}

/* Without a place a task keeps the name of a worker that is gone: should it come back under
 * that name, it goes on at once, and nothing had to be written meanwhile. */
static void
settle(struct planner *p, const struct cz_place_task *t, char **worker, size_t *homeless)
{
    if (t->worker >= 0) {
        if (t->worker == t->prev)
            return;
        cz_free(*worker);
        *worker = cz_strdup(p->workers[t->worker].id);
        return;
    }
    ++*homeless;
    if (t->prev >= 0 && p->workers[t->prev].keeps) {
        cz_free(*worker);
        *worker = NULL;
    }
}

static size_t count_moves(const struct cz_plan_item *it)
{
    size_t moves = 0;
    for (int t = 0; it->next && t < it->next->tasks; t++) {
        const char *was = cz_assignment_hint(it->prev, it->next->tasks, t);
        moves += was && it->next->workers[t] && strcmp(was, it->next->workers[t]) != 0;
    }
    return moves;
}

static void finish(struct planner *p, int64_t generation, struct cz_plan_result *ret)
{
    size_t k = 0;
    for (size_t i = 0; i < p->n; i++) {
        struct cz_plan_item *it = &p->items[i];
        struct cz_assignment *a = it->next;
        for (int t = 0; a && t < a->tasks; t++) {
            if (placeable(it, t))
                settle(p, &p->tasks[k++], &a->workers[t], &ret->homeless);
        }
        if (!a || cz_assignment_equal(a, it->prev)) {
            cz_assignment_free(a);
            it->next = NULL;
            continue;
        }
        int64_t least =
            it->prev && it->prev->generation > generation ? it->prev->generation : generation;
        a->generation = least + 1;
        ret->moves += count_moves(it);
        ret->changed++;
    }
}

void cz_assign_plan(struct cz_plan_item *items,
                    size_t n,
                    struct cz_place_worker *workers,
                    size_t m,
                    int64_t generation,
                    bool balance,
                    struct cz_plan_result *ret)
{
    struct planner p = {.items = items, .n = n, .workers = workers, .m = m};
    int live = 0;
    cz_map_init(&p.index, NULL);
    for (size_t i = 0; i < m; i++) {
        cz_map_put(&p.index, workers[i].id, (void *)(intptr_t)(i + 1));
        live += workers[i].eligible;
    }
    for (size_t i = 0; i < n; i++)
        items[i].next = shape(&items[i], live);
    collect(&p);
    cz_place(p.tasks, p.tasks_len, workers, m, balance);
    *ret = (struct cz_plan_result){0};
    finish(&p, generation, ret);
    cz_free(p.tasks);
    cz_map_done(&p.index);
}
