/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks to workers: sticky, weighted, with few moves.  See assign.h for the rules.  Costs
 * O(n log n) for n tasks; 100,000 tasks on 200 workers take some tens of milliseconds. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "assign.h"
#include "cz/alloc.h"

/* Running tasks move when a worker's load leaves the outer band around the mean, and then until
 * all are within the inner one: two bands, so that noise in the measured rates moves nothing.
 */
#define BAND_OUTER 0.25
#define BAND_INNER 0.10

struct place {
    struct cz_place_task *tasks;
    size_t n;
    struct cz_place_worker *workers;
    size_t m;
    size_t *pool; /* indices of tasks to be placed */
    size_t pool_len;
    size_t *heap; /* workers by load, least first */
    size_t heap_len;
};

static void put(struct place *p, size_t task, size_t worker)
{
    p->tasks[task].worker = (int)worker;
    p->workers[worker].load += p->tasks[task].weight;
    p->workers[worker].tasks++;
}

static void take(struct place *p, size_t task)
{
    struct cz_place_worker *w = &p->workers[p->tasks[task].worker];
    w->load -= p->tasks[task].weight;
    w->tasks--;
    p->tasks[task].worker = -1;
}

static bool has_room(const struct cz_place_worker *w)
{
    return w->eligible && (w->capacity <= 0 || w->tasks < w->capacity);
}

static bool suits(const struct cz_place_task *t, const struct cz_place_worker *w)
{
    return w->files || !t->files;
}

/* ---- order ----------------------------------------------------------------------------------
 */

static int by_weight(const void *a, const void *b, void *arg)
{
    const struct place *p = arg;
    size_t x = *(const size_t *)a;
    size_t y = *(const size_t *)b;
    double wx = p->tasks[x].weight;
    double wy = p->tasks[y].weight;
    if (wx < wy || wx > wy)
        return wx > wy ? -1 : 1;
    return x < y ? -1 : x > y;
}

static bool lighter(const struct place *p, size_t x, size_t y)
{
    const struct cz_place_worker *a = &p->workers[x];
    const struct cz_place_worker *b = &p->workers[y];
    if (a->load < b->load || a->load > b->load)
        return a->load < b->load;
    if (a->tasks != b->tasks)
        return a->tasks < b->tasks;
    return x < y;
}

static void sift_down(struct place *p, size_t i)
{
    for (;;) {
        size_t least = i;
        for (size_t c = 2 * i + 1; c <= 2 * i + 2 && c < p->heap_len; c++) {
            if (lighter(p, p->heap[c], p->heap[least]))
                least = c;
        }
        if (least == i)
            return;
        size_t t = p->heap[i];
        p->heap[i] = p->heap[least];
        p->heap[least] = t;
        i = least;
    }
}

/* ---- steps ----------------------------------------------------------------------------------
 */

static void keep_where_they_are(struct place *p)
{
    for (size_t i = 0; i < p->n; i++) {
        int prev = p->tasks[i].prev;
        struct cz_place_worker *w = prev < 0 ? NULL : &p->workers[prev];
        p->tasks[i].worker = -1;
        if (w && w->keeps && suits(&p->tasks[i], w) && (w->capacity <= 0 || w->tasks < w->capacity))
            put(p, i, (size_t)prev);
        else
            p->pool[p->pool_len++] = i;
    }
}

/* Tasks of files first: few workers suit them. What is left in the pool suits any worker. */
static void place_files(struct place *p)
{
    size_t left = 0;
    for (size_t i = 0; i < p->pool_len; i++) {
        size_t task = p->pool[i], best = p->m;
        if (!p->tasks[task].files) {
            p->pool[left++] = task;
            continue;
        }
        for (size_t w = 0; w < p->m; w++) {
            if (has_room(&p->workers[w]) && p->workers[w].files && (best == p->m || lighter(p, w, best)))
                best = w;
        }
        if (best < p->m)
            put(p, task, best);
    }
    p->pool_len = left;
}

static void place_pool(struct place *p)
{
    qsort_r(p->pool, p->pool_len, sizeof(*p->pool), by_weight, p);
    place_files(p);
    p->heap_len = 0;
    for (size_t i = 0; i < p->m; i++) {
        if (has_room(&p->workers[i]))
            p->heap[p->heap_len++] = i;
    }
    for (size_t i = p->heap_len / 2; i-- > 0;)
        sift_down(p, i);
    for (size_t i = 0; i < p->pool_len && p->heap_len > 0; i++) {
        put(p, p->pool[i], p->heap[0]);
        if (!has_room(&p->workers[p->heap[0]]))
            p->heap[0] = p->heap[--p->heap_len];
        sift_down(p, 0);
    }
    p->pool_len = 0;
}

/* Mean load of the workers that may get tasks; 0 when there is none. */
static double mean_load(const struct place *p)
{
    double sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < p->m; i++) {
        sum += p->workers[i].eligible ? p->workers[i].load : 0;
        n += p->workers[i].eligible;
    }
    return n ? sum / (double)n : 0;
}

static bool outside(const struct place *p, double mean, double band)
{
    for (size_t i = 0; i < p->m; i++) {
        const struct cz_place_worker *w = &p->workers[i];
        if (w->eligible && (w->load > mean * (1 + band) || w->load < mean * (1 - band)))
            return true;
    }
    return false;
}

/* Overloaded workers give away, heaviest first, what brings them down to the mean, not below.
 */
static void shed(struct place *p, double mean)
{
    size_t *order = cz_alloc_array(p->n + 1, sizeof(*order));
    for (size_t i = 0; i < p->n; i++)
        order[i] = i;
    qsort_r(order, p->n, sizeof(*order), by_weight, p);
    for (size_t k = 0; k < p->n; k++) {
        const struct cz_place_task *t = &p->tasks[order[k]];
        const struct cz_place_worker *w = t->worker < 0 ? NULL : &p->workers[t->worker];
        if (w && w->eligible && !t->files && w->load - t->weight >= mean * 0.999) {
            take(p, order[k]);
            p->pool[p->pool_len++] = order[k];
        }
    }
    cz_free(order);
}

/* The task on @from whose move to @to evens them out best; n: none does. */
static size_t best_task(const struct place *p, size_t from, size_t to)
{
    double gap = p->workers[from].load - p->workers[to].load;
    size_t best = p->n;
    for (size_t i = 0; i < p->n; i++) {
        double w = p->tasks[i].weight;
        if (p->tasks[i].worker != (int)from || p->tasks[i].files || w <= 0 || w >= gap * 0.999)
            continue;
        if (best == p->n || fabs(w - gap / 2) < fabs(p->tasks[best].weight - gap / 2))
            best = i;
    }
    return best;
}

/* Single moves from the heaviest worker to the lightest until all are in the inner band. */
static void even_out(struct place *p, double mean)
{
    bool *done = cz_alloc_array(p->m + 1, sizeof(*done));
    for (size_t round = 0; round < 2 * p->m + 8; round++) {
        size_t from = p->m;
        size_t to = p->m;
        for (size_t i = 0; i < p->m; i++) {
            const struct cz_place_worker *w = &p->workers[i];
            if (w->eligible && !done[i] && (from == p->m || w->load > p->workers[from].load))
                from = i;
            if (has_room(w) && (to == p->m || lighter(p, i, to)))
                to = i;
        }
        if (from == p->m || to == p->m ||
            (p->workers[from].load <= mean * (1 + BAND_INNER) &&
             p->workers[to].load >= mean * (1 - BAND_INNER)))
            break;
        size_t task = best_task(p, from, to);
        if (task == p->n) {
            done[from] = true;
            continue;
        }
        take(p, task);
        put(p, task, to);
    }
    cz_free(done);
}

size_t cz_place(struct cz_place_task *tasks,
                size_t n,
                struct cz_place_worker *workers,
                size_t m,
                bool balance)
{
    struct place p = {.tasks = tasks, .n = n, .workers = workers, .m = m};
    p.pool = cz_alloc_array(n + 1, sizeof(*p.pool));
    p.heap = cz_alloc_array(m + 1, sizeof(*p.heap));
    for (size_t i = 0; i < m; i++) {
        workers[i].load = 0;
        workers[i].tasks = 0;
    }
    keep_where_they_are(&p);
    place_pool(&p);
    double mean = mean_load(&p);
    if (balance && outside(&p, mean, BAND_OUTER)) {
        p.pool_len = 0; /* what found no room before finds none now */
        shed(&p, mean);
        place_pool(&p);
        even_out(&p, mean);
    }
    cz_free(p.pool);
    cz_free(p.heap);
    size_t moves = 0;
    for (size_t i = 0; i < n; i++)
        moves += tasks[i].prev >= 0 && tasks[i].worker >= 0 && tasks[i].worker != tasks[i].prev;
    return moves;
}
