/* SPDX-License-Identifier: Apache-2.0 */
/* When to plan, with what, and what becomes of it: the leader's side of assign.h.
 *
 * A plan is due when a mapping changed, when the watch learned something about topics, when a
 * worker came or left (after a short pause, since they tend to come together), and once a
 * minute to even out measured load.  Tasks leave a worker only when it is gone or is to be
 * relieved. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/file_record.h"
#include "cz/log.h"
#include "scheduler_priv.h"

#define WORKER_PAUSE_MS 300
#define BALANCE_EVERY (60 * CZ_SEC)
#define MEASURE_EVERY (10 * CZ_SEC)
#define CHUNK 2000 /* assignments in one transaction */
#define SMOOTH 0.3 /* share of the newest measurement */

void cz__lead_plan_soon(struct cz_lead *L, int delay_ms)
{
    cz_time due = cz_deadline_ms(delay_ms);
    if (due < L->plan_due)
        L->plan_due = due;
}

/* ---- workers --------------------------------------------------------------------------------
 */

static bool listed(const char *list, const char *id)
{
    char *needle = cz_strf("\n+%s\n", id);
    bool found = list && strstr(list, needle);
    cz_free(needle);
    return found;
}

/* The workers as text, one "+id" (may get tasks), "~id" (keeps its own) or "-id" (gone) a line.
 */
static char *describe(const struct cz_worker_infos *w)
{
    struct cz_buf b = CZ_BUF_INIT(16 * 1024 * 1024);
    cz_buf_addc(&b, '\n');
    for (size_t i = 0; i < w->len; i++) {
        const struct cz_worker_info *k = &w->items[i];
        cz_buf_addf(&b, "%c%s\n", k->gone ? '-' : k->alive ? '+' : '~', k->id);
        if (!k->gone)
            cz_buf_addf(&b, "=%d%s\n", k->capacity, k->files ? " files" : "");
    }
    return cz_buf_steal(&b);
}

/* A new leader moves nothing at its first look: it has not measured what it would even out. */
void cz__lead_look_at_workers(struct cz_lead *L)
{
    if (!cz_status_view_ready(L->s->status))
        return;
    struct cz_worker_infos w = {0};
    cz_status_workers(L->s->status, &w);
    char *now = describe(&w);
    if (L->workers && strcmp(now, L->workers) == 0) {
        cz_free(now);
        cz_worker_infos_done(&w);
        return;
    }
    for (size_t i = 0; i < w.len; i++) {
        bool can = w.items[i].alive && !w.items[i].gone;
        if (can && L->workers && !listed(L->workers, w.items[i].id))
            L->balance = true; /* a newcomer takes its share */
    }
    cz__lead_plan_soon(L, L->workers ? WORKER_PAUSE_MS : 0);
    cz_free(L->workers);
    L->workers = now;
    cz_worker_infos_done(&w);
}

/* ---- measured load --------------------------------------------------------------------------
 */

void cz__lead_rates_free(void *p)
{
    struct cz_lead_rates *r = p;
    if (!r)
        return;
    cz_free(r->per_task);
    cz_free(r);
}

static size_t topic_index(const struct cz_assignment *a, const char *name)
{
    for (size_t i = 0; i < a->topics_len; i++) {
        if (strcmp(a->topics[i].name, name) == 0)
            return i;
    }
    return a->topics_len;
}

/* The mapping's rate, shared out by what its partitions have brought so far. */
static void measure(struct cz_lead *L, const char *uid, const struct cz_assignment *a)
{
    struct cz_mapping_stats st;
    if (!cz_status_stats(L->s->status, uid, &st))
        return;
    struct cz_lead_rates *r = cz_map_get(&L->rates, uid);
    if (!r || r->tasks != a->tasks) {
        r = cz_alloc(sizeof(*r));
        r->tasks = a->tasks;
        r->per_task = cz_alloc_array((size_t)a->tasks + 1, sizeof(*r->per_task));
        cz_map_put(&L->rates, uid, r);
    }
    double sum = 0;
    for (size_t i = 0; i < st.len; i++)
        sum += (double)st.partitions[i].bytes_in;
    for (int t = 0; t < r->tasks; t++)
        r->per_task[t] *= 1 - SMOOTH;
    for (size_t i = 0; i < st.len && sum > 0; i++) {
        size_t k = topic_index(a, st.partitions[i].topic);
        if (k == a->topics_len || st.partitions[i].partition < 0)
            continue;
        size_t task = ((size_t)st.partitions[i].partition + k) % (size_t)a->tasks;
        r->per_task[task] +=
            SMOOTH * st.bytes_per_second * (double)st.partitions[i].bytes_in / sum;
    }
    cz_mapping_stats_done(&st);
}

void cz__lead_measure(struct cz_lead *L)
{
    cz_time now = cz_now();
    if (now < L->rates_at)
        return;
    L->rates_at = now + MEASURE_EVERY;
    CZ_MAP_FOREACH (&L->led.entries, i, e) {
        const struct cz_model_entry *m = e->value;
        if (m->kind == CZ_CH_ASSIGNMENT && m->assignment && m->assignment->tasks > 0)
            measure(L, e->key + strlen("assignment/"), m->assignment);
    }
    CZ_MAP_FOREACH (&L->rates, i, e) {
        if (!cz_model_get_uid(&L->led, CZ_CH_ASSIGNMENT, e->key))
            cz_map_remove(&L->rates, e->key);
    }
    if (now < L->balance_at)
        return;
    L->balance_at = now + BALANCE_EVERY;
    L->balance = true;
    cz__lead_plan_soon(L, 0);
}

/* ---- the plan -------------------------------------------------------------------------------
 */

struct found { /* a mapping */
    const struct cz_sched_mapping *mapping;
    bool known;
    struct cz_sched_pair *pairs; /* of its pattern, owned */
    size_t len;
};
struct plan {
    struct cz_plan_item *items;
    size_t n;
    struct cz_place_worker *workers;
    size_t m, eligible;
    struct cz_worker_infos infos; /* owns the workers' names */
    struct cz_watch_topic *found; /* owns the topics' ids */
    size_t found_len;
    struct found *mappings;
    size_t mappings_len;
};

static int by_uid(const void *a, const void *b)
{
    return strcmp(((const struct cz_plan_item *)a)->uid, ((const struct cz_plan_item *)b)->uid);
}

static void plan_workers(struct cz_lead *L, struct plan *p)
{
    cz_status_workers(L->s->status, &p->infos);
    p->workers = cz_alloc_array(p->infos.len + 1, sizeof(*p->workers));
    p->m = p->infos.len;
    for (size_t i = 0; i < p->m; i++) {
        const struct cz_worker_info *w = &p->infos.items[i];
        p->workers[i] = (struct cz_place_worker){.id = w->id,
                                                 .capacity = w->capacity,
                                                 .files = w->files,
                                                 .eligible = w->alive && !w->gone,
                                                 .keeps = !w->gone};
        p->eligible += p->workers[i].eligible;
    }
}

static int32_t known_partitions(const struct cz_watch_topic *t)
{
    if (!t->known || (t->code == CZ_E_FORBIDDEN && t->partitions == 0))
        return CZ_PARTITIONS_UNKNOWN;
    return t->partitions;
}

/* A file is made by who writes it; a name that is none is told by the conditions. */
static void look_at_target(struct cz_lead *L, const struct cz_sched_mapping *m, const char *target,
                           struct cz_watch_topic *ret)
{
    struct cz_error err = CZ_ERROR_INIT;
    if (m->target_file)
        *ret = (struct cz_watch_topic){.known = true,
                                       .code = cz_file_name_check(target, &err) ? CZ_E_NOT_FOUND : CZ_OK};
    else
        cz_watch_topic(L->s->watch, m->target, target, ret);
}

/* Of what a pattern has found: the topics whose targets are there, or might be.  The first plan
 * waits until all is known: whatever comes later is read from its beginning. */
static bool usable(struct cz_lead *L, struct found *f, bool first)
{
    size_t kept = 0;
    for (size_t i = 0; i < f->len; i++) {
        struct cz_watch_topic from, to;
        cz_watch_topic(L->s->watch, f->mapping->source, f->pairs[i].source, &from);
        look_at_target(L, f->mapping, f->pairs[i].target, &to);
        bool known = from.known && to.known;
        if (!known && first)
            return false;
        if (!known || to.code == CZ_E_NOT_FOUND) {
            cz_free(f->pairs[i].source);
            cz_free(f->pairs[i].target);
            f->pairs[i] = (struct cz_sched_pair){0};
            continue;
        }
        struct cz_sched_pair pair = f->pairs[i];
        f->pairs[i] = (struct cz_sched_pair){0};
        f->pairs[kept++] = pair;
    }
    f->len = kept;
    return true;
}

static void plan_item(struct cz_lead *L, struct plan *p, const struct found *f)
{
    const struct cz_sched_mapping *m = f->mapping;
    const struct cz_sched_pair *pairs = m->pattern ? f->pairs : m->pairs;
    size_t len = m->pattern ? f->len : m->pairs_len;
    struct cz_plan_topic *topics = cz_alloc_array(len + 1, sizeof(*topics));
    for (size_t i = 0; i < len; i++) {
        struct cz_watch_topic *t = &p->found[p->found_len++];
        if (m->source_file) { /* one task reads it all */
            topics[i] = (struct cz_plan_topic){.name = pairs[i].source, .id = "", .partitions = 1};
            continue;
        }
        cz_watch_topic(L->s->watch, m->source, pairs[i].source, t);
        topics[i] = (struct cz_plan_topic){
            .name = pairs[i].source, .id = t->id, .partitions = known_partitions(t)};
    }
    const struct cz_model_entry *e = cz_model_get_uid(&L->led, CZ_CH_ASSIGNMENT, m->uid);
    const struct cz_lead_rates *r = cz_map_get(&L->rates, m->uid);
    const struct cz_assignment *prev = e ? e->assignment : NULL;
    p->items[p->n++] = (struct cz_plan_item){
        .uid = m->uid,
        .tasks = m->tasks,
        .files = m->source_file || m->target_file,
        .topics = topics,
        .topics_len = len,
        .pattern = m->pattern != NULL,
        .prev = prev,
        .held = cz__lead_held(L, m->uid, prev),
        .rates = prev && r && r->tasks == prev->tasks ? r->per_task : NULL};
}

/* The topics of one mapping, which stay as they are while the plan is made. false: not known yet */
static bool find_topics(struct cz_lead *L, struct found *f)
{
    if (!f->mapping->pattern)
        return true;
    const struct cz_model_entry *e = cz_model_get_uid(&L->led, CZ_CH_ASSIGNMENT, f->mapping->uid);
    return cz_watch_pairs(L->s->watch, f->mapping->uid, &f->pairs, &f->len) &&
           usable(L, f, !e || !e->assignment);
}

static void plan_items(struct cz_lead *L, struct plan *p)
{
    size_t topics = 0;
    p->mappings = cz_alloc_array(L->led.entries.len + 1, sizeof(*p->mappings));
    CZ_MAP_FOREACH (&L->led.entries, i, e) {
        struct found *f = &p->mappings[p->mappings_len];
        f->mapping = ((struct cz_model_entry *)e->value)->mapping;
        if (!f->mapping)
            continue;
        p->mappings_len++; /* also of those left out: to be freed */
        f->known = find_topics(L, f);
        topics += f->mapping->pattern ? f->len : f->mapping->pairs_len;
    }
    p->items = cz_alloc_array(p->mappings_len + 1, sizeof(*p->items));
    p->found = cz_alloc_array(topics + 1, sizeof(*p->found));
    for (size_t i = 0; i < p->mappings_len; i++) {
        if (p->mappings[i].known)
            plan_item(L, p, &p->mappings[i]);
    }
    if (p->n > 1)
        qsort(p->items, p->n, sizeof(*p->items), by_uid);
}

static void plan_done(struct plan *p)
{
    for (size_t i = 0; i < p->n; i++) {
        cz_free((void *)(uintptr_t)p->items[i].topics); /* made by plan_item */
        cz_free((void *)(uintptr_t)p->items[i].held);
        cz_assignment_free(p->items[i].next);
    }
    for (size_t i = 0; i < p->mappings_len; i++)
        cz_watch_pairs_free(p->mappings[i].pairs, p->mappings[i].len);
    cz_free(p->mappings);
    cz_free(p->items);
    cz_free(p->found);
    cz_free(p->workers);
    cz_worker_infos_done(&p->infos);
}

static enum cz_err publish_plan(struct cz_lead *L, const struct plan *p, struct cz_error *err)
{
    struct cz_lead_writes w = {0};
    enum cz_err rc = CZ_OK;
    for (size_t i = 0; i < p->n && rc == CZ_OK; i++) {
        if (p->items[i].next) {
            char *key = cz_channel_make_key(CZ_CH_ASSIGNMENT, p->items[i].uid, NULL);
            json_t *v = cz_assignment_render(p->items[i].next, p->items[i].uid);
            cz__lead_writes_add(&w, key, v, L->published);
            json_decref(v);
            cz_free(key);
        }
        if (w.len < CHUNK && i + 1 < p->n)
            continue;
        rc = w.len > 0 ? cz__lead_publish(L, &w, err) : CZ_OK;
        cz__lead_writes_done(&w);
    }
    return rc;
}

enum cz_err cz__lead_plan(struct cz_lead *L, struct cz_error *err)
{
    if (!cz_status_view_ready(L->s->status))
        return CZ_OK; /* stays due: without the workers' reports all would look gone */
    struct plan p = {0};
    struct cz_plan_result res = {0};
    enum cz_err rc = CZ_OK;
    cz_time began = cz_now();
    plan_workers(L, &p);
    L->plan_due = CZ_TIME_NEVER;
    if (p.eligible >
        0) { /* else nobody could be told; the coming of a worker makes it due again */
        plan_items(L, &p);
        cz_assign_plan(p.items, p.n, p.workers, p.m, L->stamp << 32, L->balance, &res);
        cz__lead_hold_moves(L, p.items, p.n, &p.infos);
        rc = publish_plan(L, &p, err);
    }
    if (rc == CZ_OK && p.eligible > 0)
        L->balance = false;
    if (rc != CZ_OK)
        cz__lead_plan_soon(L, 0);
    else if (res.changed > 0)
        cz_log(CZ_LOG_INFO, "scheduler",
               "assigned mappings=%zu moves=%zu homeless=%zu workers=%zu ms=%d", res.changed,
               res.moves, res.homeless, p.eligible, (int)((cz_now() - began) / CZ_MS));
    plan_done(&p);
    CZ_LOCKED(&L->s->lock);
    L->s->moves_total += (int64_t)res.moves;
    if (p.eligible > 0)
        L->s->homeless = (int64_t)res.homeless;
    return rc;
}
