/* SPDX-License-Identifier: Apache-2.0 */
/** What Kafka says about topics: a registry of admin clients by connection settings, closed
 * after a minute without use, and a small cache of answers.  A good answer holds for some
 * seconds, so that a run of writes does not ask for each; a bad one holds only for the write
 * that asked, and an unreachable cluster for three seconds, so that one dead cluster cannot
 * slow every save. */
#include <stdio.h>
#include <string.h>

#include "service_priv.h"

#define GOOD_FOR (5 * CZ_SEC)
#define UNREACHABLE_FOR (3 * CZ_SEC)
#define IDLE_AFTER (60 * CZ_SEC)
#define MAX_FACTS 20000
#define PROBE_TOPIC "__consumer_offsets" /* any name will do: only the answer counts */

struct admin_entry {
    struct cz_admin *admin;
    int busy;
    cz_time used;
};
struct want {
    struct cz_cluster *cluster;
    char **topics;
    size_t len, cap;
};

#define HASH_SIZE 20
static char *hash_key(const struct cz_cluster *c, char *out)
{
    (void)snprintf(out, HASH_SIZE, "%016llx", (unsigned long long)cz_cluster_hash(c));
    return out;
}

/* ---- wants --------------------------------------------------------------------------------
 */

static void free_want(void *p)
{
    struct want *w = p;
    for (size_t i = 0; i < w->len; i++)
        cz_free(w->topics[i]);
    cz_free(w->topics);
    cz_cluster_unref(w->cluster);
    cz_free(w);
}

void cz__wants_init(struct cz__wants *w)
{
    cz_map_init(&w->clusters, free_want);
}

void cz__wants_done(struct cz__wants *w)
{
    cz_map_done(&w->clusters);
}

void cz__want(struct cz__wants *w, struct cz_cluster *c, const char *topic)
{
    char key[HASH_SIZE];
    struct want *one = cz_map_get(&w->clusters, hash_key(c, key));
    if (!one) {
        one = cz_alloc(sizeof *one);
        one->cluster = cz_cluster_ref(c);
        cz_map_put(&w->clusters, key, one);
    }
    for (size_t i = 0; i < one->len; i++) {
        if (cz_streq(one->topics[i], topic))
            return;
    }
    cz_grow(&one->topics, &one->cap, one->len, sizeof *one->topics);
    one->topics[one->len++] = cz_strdup(topic);
}

bool cz__wants_any(const struct cz__wants *w)
{
    return w->clusters.len > 0;
}

/* ---- the cache ----------------------------------------------------------------------------
 */

static char *fact_key(const struct cz_cluster *c, const char *topic)
{
    char key[HASH_SIZE];
    return cz_strf("%s/%s", hash_key(c, key), topic);
}

bool cz__fact(struct cz_service *s,
              const struct cz_cluster *c,
              const char *topic,
              cz_time since,
              struct cz__fact *ret)
{
    CZ_CLEANUP(cz_freep) char *key = fact_key(c, topic);
    cz_time now = cz_now();
    CZ_LOCKED(&s->lock);
    const struct cz__fact *f = cz_map_get(&s->facts, key);
    if (!f)
        return false;
    bool fresh = f->at >= since;
    if (f->state == CZ__FACT_EXISTS)
        fresh |= now - f->at < GOOD_FOR;
    else if (f->state == CZ__FACT_UNREACHABLE)
        fresh |= now - f->at < UNREACHABLE_FOR;
    if (fresh)
        *ret = *f;
    return fresh;
}

static void learn(struct cz_service *s,
                  const struct cz_cluster *c,
                  const char *topic,
                  enum cz__fact_state state,
                  int32_t partitions,
                  const char *text)
{
    CZ_CLEANUP(cz_freep) char *key = fact_key(c, topic);
    struct cz__fact *f = cz_alloc(sizeof *f);
    *f = (struct cz__fact){.state = state, .partitions = partitions, .at = cz_now()};
    (void)snprintf(f->text, sizeof f->text, "%s", text ? text : "");
    CZ_LOCKED(&s->lock);
    if (s->facts.len > MAX_FACTS)
        cz_map_clear(&s->facts);
    cz_map_put(&s->facts, key, f);
}

/* ---- the registry of admin clients ---------------------------------------------------------
 */

static struct cz_admin *borrow(struct cz_service *s, const char *key)
{
    CZ_LOCKED(&s->lock);
    struct admin_entry *e = cz_map_get(&s->admins, key);
    if (!e)
        return NULL;
    e->busy++;
    return e->admin;
}

static enum cz_err acquire(struct cz_service *s,
                           struct cz_cluster *c,
                           const char *key,
                           struct cz_admin **ret,
                           struct cz_error *err)
{
    *ret = borrow(s, key);
    if (*ret)
        return CZ_OK;
    struct cz_admin *mine = NULL;
    enum cz_err code = cz_admin_new(c, "citizenk-controlplane", &mine, err);
    if (code)
        return code;
    cz_mutex_lock(&s->lock);
    struct admin_entry *e = cz_map_get(&s->admins, key);
    if (!e) { /* else somebody was quicker: use theirs */
        e = cz_alloc(sizeof *e);
        e->admin = mine;
        mine = NULL;
        cz_map_put(&s->admins, key, e);
    }
    e->busy++;
    *ret = e->admin;
    cz_mutex_unlock(&s->lock);
    cz_admin_free(mine);
    return CZ_OK;
}

static void give_back(struct cz_service *s, const char *key)
{
    CZ_LOCKED(&s->lock);
    struct admin_entry *e = cz_map_get(&s->admins, key);
    e->busy--;
    e->used = cz_now();
}

enum cz_err cz__admin_take(struct cz_service *s,
                           struct cz_cluster *c,
                           struct cz__admin_use *ret,
                           struct cz_error *err)
{
    cz__admins_sweep(s);
    return acquire(s, c, hash_key(c, ret->key), &ret->admin, err);
}

void cz__admin_give(struct cz_service *s, const struct cz__admin_use *use)
{
    give_back(s, use->key);
}

void cz__admins_sweep(struct cz_service *s)
{
    struct cz_admin *idle[16];
    size_t n = 0;
    cz_time now = cz_now();
    cz_mutex_lock(&s->lock);
    struct cz_map_entry *e;
    for (size_t i = 0; n < 16 && (e = cz_map_next(&s->admins, &i));) {
        struct admin_entry *a = e->value;
        if (a->busy > 0 || now - a->used < IDLE_AFTER)
            continue;
        idle[n++] = a->admin;
        CZ_CLEANUP(cz_freep) char *key = cz_strdup(e->key);
        cz_free(cz_map_steal(&s->admins, key));
    }
    cz_mutex_unlock(&s->lock);
    while (n > 0)
        cz_admin_free(idle[--n]); /* may take a moment: not under the lock */
}

void cz__admins_done(struct cz_service *s)
{
    CZ_MAP_FOREACH (&s->admins, i, e) {
        struct admin_entry *a = e->value;
        cz_admin_free(a->admin);
        cz_free(a);
    }
    cz_map_done(&s->admins);
}

static enum cz_err ask(struct cz_service *s,
                       struct cz_cluster *c,
                       const char *const *names,
                       size_t n,
                       cz_time deadline,
                       struct cz_topic_info **ret,
                       struct cz_error *err)
{
    if (s->topics_fn)
        return s->topics_fn(s->topics_arg, c, names, n, deadline, ret, err);
    char key[HASH_SIZE];
    struct cz_admin *admin = NULL;
    enum cz_err code = acquire(s, c, hash_key(c, key), &admin, err);
    if (code)
        return code;
    code = cz_admin_topics(admin, names, n, deadline, ret, err);
    give_back(s, key);
    return code;
}

/* ---- fetching -----------------------------------------------------------------------------
 */

struct fetch {
    struct cz_service *s;
    struct want *want;
    cz_time deadline;
    struct cz_thread thread;
};

static void
learn_topic(const struct fetch *f, const char *topic, const struct cz_topic_info *info)
{
    struct cz_cluster *c = f->want->cluster;
    if (!*topic || (info->code == CZ_OK && info->partitions > 0))
        learn(f->s, c, topic, CZ__FACT_EXISTS, info->partitions, NULL);
    else if (info->code == CZ_E_FORBIDDEN)
        learn(f->s, c, topic, CZ__FACT_FORBIDDEN, 0, NULL);
    else if (info->code == CZ_OK || info->code == CZ_E_NOT_FOUND)
        learn(f->s, c, topic, CZ__FACT_MISSING, 0, NULL);
    else
        learn(f->s, c, topic, CZ__FACT_UNREACHABLE, 0,
              "the cluster gave no answer about this topic");
}

static void *fetch_cluster(void *arg)
{
    const struct fetch *f = arg;
    const struct want *w = f->want;
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_topic_info *infos = NULL;
    CZ_CLEANUP(cz_freep) const char **names = cz_alloc_array(w->len, sizeof *names);
    for (size_t i = 0; i < w->len; i++)
        names[i] = *w->topics[i] ? w->topics[i] : PROBE_TOPIC;
    enum cz_err code = ask(f->s, w->cluster, names, w->len, f->deadline, &infos, &err);
    for (size_t i = 0; i < w->len; i++) {
        if (code)
            learn(f->s, w->cluster, w->topics[i], CZ__FACT_UNREACHABLE, 0, err.text);
        else
            learn_topic(f, w->topics[i], &infos[i]);
    }
    cz_topic_infos_free(infos, infos ? w->len : 0);
    return NULL;
}

void cz__facts_fetch(struct cz_service *s, const struct cz__wants *w, int timeout_ms)
{
    size_t n = w->clusters.len, i = 0;
    cz_time deadline = cz_deadline_ms(timeout_ms);
    CZ_CLEANUP(cz_freep) struct fetch *fetches = cz_alloc_array(n ? n : 1, sizeof *fetches);
    CZ_MAP_FOREACH (&w->clusters, at, e) {
        fetches[i++] = (struct fetch){.s = s, .want = e->value, .deadline = deadline};
    }
    for (i = 1; i < n; i++) /* in parallel: a dead one must not use up the others' time */
        cz_thread_start(&fetches[i].thread, "cz-metadata", fetch_cluster, &fetches[i]);
    if (n > 0)
        (void)fetch_cluster(&fetches[0]);
    for (i = 1; i < n; i++)
        cz_thread_join(&fetches[i].thread);
    cz__admins_sweep(s);
}
