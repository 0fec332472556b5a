/* SPDX-License-Identifier: Apache-2.0 */
/* Clients that tasks share: one admin handle per cluster, one producer per target and settings, a
 * few lanes per source.  A thousand mappings must not mean a thousand clients. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/log.h"
#include "worker_priv.h"

enum { DOWN_MS = 1500, UNUSED_MS = 30000, FLUSH_MS = 1000 };

static void admin_free(void *a)
{
    cz_admin_free(a);
}

void w_clients_init(struct w_clients *c)
{
    cz_mutex_init(&c->lock);
    cz_map_init(&c->admins, admin_free);
    cz_map_init(&c->down, cz_free);
    w_registries_init(c);
}

static char *cluster_key(struct cz_cluster *c)
{
    return cz_strf("%016" PRIx64, cz_cluster_hash(c));
}

enum cz_err w_admin(struct worker *w, struct cz_cluster *c, struct cz_admin **ret, struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *key = cluster_key(c);
    CZ_LOCKED(&w->clients.lock);
    struct cz_admin *a = cz_map_get(&w->clients.admins, key);
    if (!a) {
        enum cz_err code = cz_admin_new(c, w->o.id, &a, err);
        if (code)
            return code;
        cz_map_put(&w->clients.admins, key, a);
    }
    *ret = a;
    return CZ_OK;
}

enum cz_err w_cluster_usable(struct worker *w, struct cz_cluster *c, struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *key = cluster_key(c);
    CZ_LOCKED(&w->clients.lock);
    const cz_time *until = cz_map_get(&w->clients.down, key);
    if (until && cz_now() < *until)
        return cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0, "cluster %s does not answer",
                             cz_cluster_bootstrap(c));
    return CZ_OK;
}

void w_cluster_down(struct worker *w, struct cz_cluster *c)
{
    CZ_CLEANUP(cz_freep) char *key = cluster_key(c);
    cz_time *until = cz_alloc(sizeof *until);
    *until = cz_deadline_ms(DOWN_MS);
    CZ_LOCKED(&w->clients.lock);
    cz_map_put(&w->clients.down, key, until);
}

/* ---- producers ------------------------------------------------------------------------------ */

static struct w_producer *find_producer(struct w_clients *c, const char *key)
{
    for (struct w_producer *p = c->producers; p; p = p->next) {
        if (!cz_producer_dead(p->producer) && strcmp(p->key, key) == 0)
            return p;
    }
    return NULL;
}

enum cz_err w_producer_get(struct worker *w, struct cz_cluster *c, const char *compression,
                           int linger_ms, int batch_bytes, struct w_producer **ret, struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *key =
        cz_strf("%016" PRIx64 "/%s/%d/%d", cz_cluster_hash(c), compression, linger_ms, batch_bytes);
    CZ_LOCKED(&w->clients.lock);
    struct w_producer *p = find_producer(&w->clients, key);
    if (!p) {
        const struct cz_producer_options o = {
            .cluster = c,
            .client_id = w->o.id,
            .compression = compression,
            .linger_ms = linger_ms,
            .batch_bytes = batch_bytes,
            .delivered = cz_inflight_delivered,
        };
        struct cz_producer *producer = NULL;
        enum cz_err code = cz_producer_new(&o, &producer, err);
        if (code)
            return code;
        p = cz_alloc(sizeof *p);
        p->key = cz_strdup(key);
        p->producer = producer;
        p->next = w->clients.producers;
        w->clients.producers = p;
    }
    p->refs++;
    *ret = p;
    return CZ_OK;
}

enum cz_err w_producer_own(struct worker *w, struct w_start *s, const char *id,
                           struct w_producer **ret, struct cz_error *err)
{
    const struct cz_producer_options o = {
        .cluster = s->target,
        .client_id = w->o.id,
        .compression = s->spec->compression,
        .linger_ms = (int)s->spec->linger_ms,
        .batch_bytes = s->batch_bytes,
        .delivered = cz_inflight_delivered,
        .transactional_id = id,
    };
    struct cz_producer *producer = NULL;
    enum cz_err code = cz_producer_new(&o, &producer, err);
    if (code)
        return code;
    struct w_producer *p = cz_alloc(sizeof *p);
    p->key = cz_strf("own/%s", id); /* no key of a shared one */
    p->producer = producer;
    p->own = true;
    p->refs = 1;
    CZ_LOCKED(&w->clients.lock);
    p->next = w->clients.producers;
    w->clients.producers = p;
    *ret = p;
    return CZ_OK;
}

void w_producer_put(struct worker *w, struct w_producer *p)
{
    if (!p)
        return;
    CZ_LOCKED(&w->clients.lock);
    if (--p->refs == 0)
        p->unused_since = cz_now();
}

int64_t w_producers_queued(struct worker *w)
{
    int64_t n = 0;
    CZ_LOCKED(&w->clients.lock);
    for (const struct w_producer *p = w->clients.producers; p; p = p->next)
        n += cz_producer_queued(p->producer);
    return n;
}

static void free_producer(struct w_producer *p, int flush_ms)
{
    cz_producer_free(p->producer, cz_deadline_ms(flush_ms));
    cz_free(p->key);
    cz_free(p);
}

void w_client_reap(struct w_producer *p)
{
    if (p)
        free_producer(p, 0); /* nobody uses it: nothing is in flight */
}

size_t w_producers_hold(struct worker *w, struct w_producer **ret, size_t max)
{
    size_t n = 0;
    CZ_LOCKED(&w->clients.lock);
    for (struct w_producer *p = w->clients.producers; p && n < max; p = p->next) {
        if (p->refs == 0 || cz_producer_dead(p->producer))
            continue;
        p->refs++;
        ret[n++] = p;
    }
    return n;
}

/* Unused ones go; on a starter's thread, because closing a client takes its time. */
void w_producers_tick(struct worker *w)
{
    struct w_producer *old = NULL;
    cz_mutex_lock(&w->clients.lock);
    for (struct w_producer **at = &w->clients.producers; *at;) {
        struct w_producer *p = *at;
        bool spent = p->refs == 0 && (p->own || cz_producer_dead(p->producer) ||
                                      cz_now() - p->unused_since > UNUSED_MS * CZ_MS);
        if (!spent) {
            at = &p->next;
            continue;
        }
        *at = p->next;
        p->next = old;
        old = p;
    }
    cz_mutex_unlock(&w->clients.lock);
    while (old) {
        struct w_producer *next = old->next;
        w_job_submit(w, W_JOB_REAP, old, NULL);
        old = next;
    }
    for (struct w_slots **at = &w->clients.slots; *at;) {
        struct w_slots *s = *at;
        if (!s->left) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        w_job_submit(w, W_JOB_REAP, NULL, s);
    }
}

/* ---- lanes ---------------------------------------------------------------------------------- */

static struct w_slots *slots_for(struct worker *w, struct cz_cluster *c, bool read_committed,
                                 const char *own_key)
{
    CZ_CLEANUP(cz_freep) char *key = cz_strf("%016" PRIx64 "/%d%s%s", c ? cz_cluster_hash(c) : 0,
                                             (int)read_committed, own_key ? "/" : "",
                                             own_key ? own_key : "");
    for (struct w_slots *s = w->clients.slots; s && !own_key; s = s->next) {
        if (strcmp(s->key, key) == 0)
            return s;
    }
    struct w_slots *s = cz_alloc(sizeof *s);
    s->key = cz_strdup(key);
    s->own = own_key != NULL;
    for (int i = 0; i < W_MAX_LANES; i++)
        cz_map_init(&s->parts[i], NULL);
    s->next = w->clients.slots;
    w->clients.slots = s;
    return s;
}

static char *part_key(const struct cz_task_partition *p)
{
    return cz_strf("%s/%d", p->topic, p->partition);
}

static int shared_parts(struct w_slots *s, int lane, const struct cz_task_partition *parts, size_t n)
{
    int shared = 0;
    for (size_t i = 0; i < n; i++) {
        CZ_CLEANUP(cz_freep) char *key = part_key(&parts[i]);
        shared += cz_map_get(&s->parts[lane], key) != NULL;
    }
    return shared;
}

static int choose_lane(struct worker *w, struct w_slots *s, const struct cz_task_partition *parts, size_t n)
{
    int best = 0;
    size_t best_cost = SIZE_MAX;
    if (s->own)
        return 0;
    for (int i = 0; i < (int)w->o.lanes; i++) {
        if (!s->lanes[i] || shared_parts(s, i, parts, n) == 0)
            return i;
        if (s->parts[i].len < best_cost) {
            best = i;
            best_cost = s->parts[i].len;
        }
    }
    return best; /* every lane reads some of them: share where the least is read */
}

static void on_lane_event(void *arg, const struct cz_task_event *e)
{
    struct w_msg *m = cz_alloc(sizeof *m);
    m->kind = MSG_TASK;
    m->event = *e;
    w_post(arg, m);
}

enum cz_err w_lane_for(struct worker *w, struct cz_cluster *c, bool read_committed,
                       const char *own_key, const struct cz_replay *replay,
                       const struct cz_task_partition *parts, size_t n,
                       struct w_slots **ret, int *ret_index, struct cz_error *err)
{
    struct w_slots *s = slots_for(w, c, read_committed, own_key);
    int i = choose_lane(w, s, parts, n);
    if (!s->lanes[i]) {
        CZ_CLEANUP(cz_freep) char *name = cz_strf("%s-%d", w->o.id, i);
        const struct cz_lane_options o = {
            .cluster = c,
            .replay = replay,
            .name = name,
            .group_id = w->o.group_id,
            .read_committed = read_committed,
            .prefetch_kib = (int)w->o.prefetch_kib,
            .commit_interval_ms = (int)w->o.commit_interval_ms,
            .lease_until = &w->lease_until,
            .on_event = on_lane_event,
            .arg = w,
        };
        enum cz_err code = cz_lane_new(&o, &s->lanes[i], err);
        if (code) {
            s->left = s->own;
            return code;
        }
    }
    for (size_t k = 0; k < n; k++) {
        CZ_CLEANUP(cz_freep) char *key = part_key(&parts[k]);
        intptr_t count = (intptr_t)cz_map_get(&s->parts[i], key);
        cz_map_put(&s->parts[i], key, (void *)(count + 1));
    }
    *ret = s;
    *ret_index = i;
    return CZ_OK;
}

void w_lane_leave(struct w_slots *s, int index, const struct cz_task_partition *parts, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        CZ_CLEANUP(cz_freep) char *key = part_key(&parts[k]);
        intptr_t count = (intptr_t)cz_map_get(&s->parts[index], key);
        if (count > 1)
            cz_map_put(&s->parts[index], key, (void *)(count - 1));
        else
            cz_map_remove(&s->parts[index], key);
    }
    s->left = s->own;
}

void w_slots_reap(struct w_slots *s)
{
    if (!s)
        return;
    for (int i = 0; i < W_MAX_LANES; i++) {
        cz_lane_free(s->lanes[i]);
        cz_map_done(&s->parts[i]);
    }
    cz_free(s->key);
    cz_free(s);
}

void w_clients_done(struct worker *w)
{
    struct w_clients *c = &w->clients;
    while (c->producers) {
        struct w_producer *next = c->producers->next;
        free_producer(c->producers, FLUSH_MS);
        c->producers = next;
    }
    while (c->slots) {
        struct w_slots *s = c->slots;
        c->slots = s->next;
        w_slots_reap(s);
    }
    cz_map_done(&c->admins);
    cz_map_done(&c->down);
    w_registries_done(c);
    cz_mutex_done(&c->lock);
}
