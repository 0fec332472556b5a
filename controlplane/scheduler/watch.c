/* SPDX-License-Identifier: Apache-2.0 */
/* The metadata watch; see watch.h.  One mutex guards everything but the admin client, which
 * belongs to its cluster's thread and is used without the lock. */
#include "watch_priv.h"

#include <stdio.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/log.h"
#include "cz/util.h"

#define ASK_TIMEOUT_MS 4000
#define RECHECK_MS 500 /* before a known topic counts as missing */
#define RETRY_MS 1000  /* of a cluster that did not answer */
#define COST_FACTOR 20 /* at most 5 % of the time is spent asking */

/* ---- what is wanted -------------------------------------------------------------------------
 */

static void user_free(void *p)
{
    struct user *u = p;
    for (size_t i = 0; i < u->pairs_len; i++) {
        cz_free(u->pairs[i].source);
        cz_free(u->pairs[i].target);
    }
    cz_free(u->pairs);
    cz_topic_pattern_free(u->pattern);
    cz_free(u->pattern_text);
    cz_free(u->template);
    cz_free(u->avoid);
    json_decref(u->exclude);
    cz_free(u->source);
    cz_free(u->target);
    cz_free(u->dead_letter);
    cz_free(u->service_group);
    cz_free(u->team);
    cz_free(u->name);
    cz_free(u);
}

static void
want(struct source *s, const char *name, bool fresh, char ***names, size_t *len, size_t *cap)
{
    struct topic *t = cz_map_get(&s->topics, name);
    if (!t) {
        t = cz_alloc(sizeof(*t));
        t->mark = s->round - 1;
        cz_map_put(&s->topics, name, t);
    }
    if (t->mark == s->round)
        return;
    t->mark = s->round;
    if (fresh && t->info.known)
        return;
    cz_grow(names, cap, *len, sizeof(**names));
    (*names)[(*len)++] = cz_strdup(name);
}

/* The names to ask for, each once. @fresh: only those never answered. */
static char **gather(struct source *s, bool fresh, size_t *ret_len)
{
    char **names = NULL;
    size_t cap = 0;
    size_t len = 0;
    s->round++;
    CZ_MAP_FOREACH (&s->w->users, i, e) {
        const struct user *u = e->value;
        bool source = cz_map_get(&s->w->keys, u->source) == s;
        bool target = cz_map_get(&s->w->keys, u->target) == s;
        for (size_t k = 0; k < u->pairs_len && (source || target); k++) {
            if (source)
                want(s, u->pairs[k].source, fresh, &names, &len, &cap);
            if (target)
                want(s, u->pairs[k].target, fresh, &names, &len, &cap);
        }
        if (target && u->dead_letter)
            want(s, u->dead_letter, fresh, &names, &len, &cap);
    }
    CZ_MAP_FOREACH (&s->topics, i, e) {
        if (((struct topic *)e->value)->mark != s->round)
            cz_map_remove(&s->topics, e->key);
    }
    *ret_len = len;
    return names;
}

/* ---- asking ---------------------------------------------------------------------------------
 */

static enum cz_err ask(struct source *s,
                       char *const *names,
                       size_t n,
                       struct cz_topic_info **ret,
                       struct cz_error *err)
{
    cz_time deadline = cz_deadline_ms(ASK_TIMEOUT_MS);
    const char *const *list = (const char *const *)names;
    if (s->w->o.topics)
        return s->w->o.topics(s->w->o.topics_arg, s->cluster, list, n, deadline, ret, err);
    if (!s->admin) {
        enum cz_err rc = cz_admin_new(s->cluster, "citizenk-watch", &s->admin, err);
        if (rc != CZ_OK)
            return rc;
    }
    return cz_admin_topics(s->admin, list, n, deadline, ret, err);
}

/* One answer. @return whether anything is different now */
static bool learn(struct source *s, const struct cz_topic_info *info)
{
    struct topic *t = cz_map_get(&s->topics, info->name);
    if (!t)
        return false; /* nobody wants it any more */
    struct cz_watch_topic old = t->info;
    bool there = old.known && old.code == CZ_OK;
    if (info->code == CZ_E_NOT_FOUND && there && !t->missing_once) {
        t->missing_once = s->recheck = true;
        return false;
    }
    t->missing_once = false;
    bool certain =
        info->code == CZ_OK || info->code == CZ_E_NOT_FOUND || info->code == CZ_E_FORBIDDEN;
    if (!certain)
        return false; /* a broker in trouble: what we knew still holds */
    t->info.known = true;
    t->info.code = info->code;
    if (info->code != CZ_E_NOT_FOUND) {
        t->refusals = 0;
        t->info.refusal[0] = '\0';
    }
    if (info->code != CZ_E_FORBIDDEN)
        t->info.partitions = info->code == CZ_OK ? info->partitions : 0;
    if (info->code == CZ_OK)
        memcpy(t->info.id, info->topic_id, sizeof(t->info.id));
    return !old.known || old.code != t->info.code || old.partitions != t->info.partitions ||
           strcmp(old.id, t->info.id) != 0;
}

bool cz__watch_answered(struct source *s, enum cz_err rc, const struct cz_error *err)
{
    bool change = !s->asked || s->unreachable != (rc != CZ_OK);
    if (change && rc != CZ_OK)
        cz_log(CZ_LOG_WARN, "watch", "cluster does not answer: %s bootstrap=%s", err->text,
               cz_cluster_bootstrap(s->cluster));
    else if (change && s->asked)
        cz_log(CZ_LOG_INFO, "watch", "cluster answers again bootstrap=%s",
               cz_cluster_bootstrap(s->cluster));
    s->asked = true;
    s->unreachable = rc != CZ_OK;
    snprintf(s->error, sizeof(s->error), "%.199s", rc == CZ_OK ? "" : err->text);
    return change;
}

/* News may be what a topic that shall be created waited for, on any cluster. */
static void create_soon(struct cz_watch *w)
{
    for (struct source *s = w->sources; s; s = s->next)
        s->create_at = s->sync_at = s->groups_at = 0;
    cz_cond_broadcast(&w->wake);
}

/* Something is different; with the lock held before and after. */
static void tell(struct source *s)
{
    if (s->stop)
        return;
    create_soon(s->w);
    cz_mutex_unlock(&s->w->lock);
    s->w->o.changed(s->w->o.arg);
    cz_mutex_lock(&s->w->lock);
}

/* Ask for @names (taken), with the lock held before and after. */
static void look(struct source *s, char **names, size_t n)
{
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_topic_info *infos = NULL;
    s->recheck = false;
    cz_mutex_unlock(&s->w->lock);
    enum cz_err rc = ask(s, names, n, &infos, &err);
    cz_mutex_lock(&s->w->lock);
    bool change = cz__watch_answered(s, rc, &err);
    for (size_t i = 0; rc == CZ_OK && i < n; i++)
        change |= learn(s, &infos[i]);
    for (size_t i = 0; i < n; i++)
        cz_free(names[i]);
    cz_free(names);
    if (rc == CZ_OK)
        cz_topic_infos_free(infos, n);
    if (change)
        tell(s);
}

static cz_time next_look(const struct source *s, cz_time began, bool any)
{
    cz_time now = cz_now();
    cz_time pause = s->w->o.interval_ms * CZ_MS;
    if (!any)
        return CZ_TIME_NEVER; /* until somebody wants something */
    if (s->unreachable)
        return now + RETRY_MS * CZ_MS;
    if (s->recheck)
        return now + RECHECK_MS * CZ_MS;
    if ((now - began) * COST_FACTOR > pause)
        pause = (now - began) * COST_FACTOR;
    return now + pause;
}

/* Between two looks: one thing that is to be done on the cluster, or sleep. */
static void tend(struct source *s, cz_time next)
{
    struct cz_watch *w = s->w;
    bool up = s->asked && !s->unreachable;
    cz_time create_at = w->leads && up ? s->create_at : CZ_TIME_NEVER;
    cz_time sync_at = w->leads && up ? s->sync_at : CZ_TIME_NEVER;
    cz_time groups_at = w->o.get_done && up ? s->groups_at : CZ_TIME_NEVER;
    cz_time until = create_at < groups_at ? create_at : groups_at;
    until = sync_at < until ? sync_at : until;
    if (cz_now() >= create_at)
        s->create_at = cz__watch_create(s);
    else if (cz_now() >= sync_at)
        s->sync_at = cz__watch_sync(s);
    else if (cz_now() >= groups_at)
        s->groups_at = cz__watch_groups(s);
    else
        cz_cond_wait(&w->wake, &w->lock, until < next ? until : next);
}

static void *watch_main(void *arg)
{
    struct source *s = arg;
    struct cz_watch *w = s->w;
    cz_mutex_lock(&w->lock);
    cz_time next = 0;
    while (!s->stop) {
        bool due = cz_now() >= next;
        if (!due && !(s->poke && !s->unreachable)) {
            tend(s, next);
            continue;
        }
        size_t n = 0;
        cz_time began = cz_now();
        s->poke = false;
        bool found = false;
        bool lists = cz__watch_list(s, due, &found);
        if (found)
            tell(s);
        char **names = gather(s, !due, &n);
        if (n > 0)
            look(s, names, n);
        if (due || ((n > 0 || lists) && next == CZ_TIME_NEVER))
            next = next_look(s, began, n > 0 || lists);
        else if (s->unreachable && n > 0)
            next = cz_now() + RETRY_MS * CZ_MS;
    }
    s->done = true;
    cz_mutex_unlock(&w->lock);
    return NULL;
}

/* ---- clusters -------------------------------------------------------------------------------
 */

static struct source *source_get(struct cz_watch *w, struct cz_cluster *c)
{
    uint64_t hash = cz_cluster_hash(c);
    for (struct source *s = w->sources; s; s = s->next) {
        if (s->hash == hash && !s->stop)
            return s;
    }
    struct source *s = cz_alloc(sizeof(*s));
    s->w = w;
    s->hash = hash;
    s->cluster = cz_cluster_ref(c);
    cz_map_init(&s->topics, cz_free);
    s->next = w->sources;
    w->sources = s;
    cz_thread_start(&s->thread, "cz-watch", watch_main, s);
    return s;
}

static void source_free(struct source *s)
{
    cz_thread_join(&s->thread);
    cz_admin_free(s->admin);
    cz_map_done(&s->topics);
    cz_cluster_unref(s->cluster);
    cz_free(s);
}

/* Takes the sources whose threads are through off the list (all when @all). */
static struct source *reap(struct cz_watch *w, bool all)
{
    struct source *dead = NULL;
    for (struct source **p = &w->sources; *p;) {
        struct source *s = *p;
        if (!s->done && !all) {
            p = &s->next;
            continue;
        }
        *p = s->next;
        s->next = dead;
        dead = s;
    }
    return dead;
}

static void free_all(struct source *dead)
{
    while (dead) {
        struct source *next = dead->next;
        source_free(dead);
        dead = next;
    }
}

static void release(struct source *s)
{
    if (s && --s->refs == 0)
        s->stop = true;
}

static void poke_all(struct cz_watch *w)
{
    for (struct source *s = w->sources; s; s = s->next)
        s->poke = true;
    create_soon(w);
}

void cz_watch_cluster(struct cz_watch *w, const char *key, struct cz_cluster *c)
{
    cz_mutex_lock(&w->lock);
    struct source *was = cz_map_get(&w->keys, key);
    struct source *now = c ? source_get(w, c) : NULL;
    if (now != was) {
        if (now) {
            now->refs++;
            cz_map_put(&w->keys, key, now);
        } else {
            cz_map_remove(&w->keys, key);
        }
        release(was);
        poke_all(w);
    }
    struct source *dead = reap(w, false);
    cz_mutex_unlock(&w->lock);
    free_all(dead);
}

/* ---- telling ----------------------------------------------------------------------------------
 */

void cz__watch_once_of(const char *uid, const struct user *u, struct cz_watch_once *ret)
{
    *ret = (struct cz_watch_once){
        .uid = cz_strdup(uid), .team = cz_strdup(u->team), .mapping = cz_strdup(u->name)};
}

void cz__watch_once_done(struct cz_watch_once *o)
{
    cz_free(CZ_UNCONST(o->uid));
    cz_free(CZ_UNCONST(o->team));
    cz_free(CZ_UNCONST(o->mapping));
}

void cz__watch_audit(const struct cz_watch *w, const struct cz_watch_once *of, const char *action, json_t *detail)
{
    if (w->o.audit)
        w->o.audit(w->o.arg, of, action, detail);
    json_decref(detail);
}

/* ---- the rest of the interface --------------------------------------------------------------
 */

static bool same_user(const struct user *u, const struct cz_sched_mapping *m)
{
    if (!u || strcmp(u->source, m->source) != 0 || strcmp(u->target, m->target) != 0 ||
        !cz_streq(u->pattern_text, m->pattern) || !cz_streq(u->template, m->template) ||
        (u->exclude != m->exclude && !json_equal(u->exclude, m->exclude)) ||
        (!m->pattern && u->pairs_len != m->pairs_len) || u->create != m->create || u->sync != m->sync || u->acls != m->acls ||
        !cz_streq(u->dead_letter, m->dead_letter) || !cz_streq(u->name, m->name) ||
        !cz_streq(u->service_group, m->service_group) || u->switched_on != m->switched_on)
        return false;
    if (u->pattern_text)
        return true; /* its pairs are not of the mapping */
    for (size_t i = 0; i < u->pairs_len; i++) {
        if (strcmp(u->pairs[i].source, m->pairs[i].source) != 0 ||
            strcmp(u->pairs[i].target, m->pairs[i].target) != 0)
            return false;
    }
    return true;
}

static void set_pattern(struct user *u, const struct cz_sched_mapping *m)
{
    struct cz_error err = CZ_ERROR_INIT;
    if (!m->pattern)
        return;
    u->pattern_text = cz_strdup(m->pattern);
    u->exclude = json_deep_copy(m->exclude);
    u->template = cz_strdup(m->template);
    u->avoid = cz_strdup(m->avoid);
    if (cz_topic_pattern_new(m->pattern, m->exclude, &u->pattern, &err) != CZ_OK)
        cz_log(CZ_LOG_WARN, "watch", "%s/%s: source.pattern: %s", m->team, m->name, err.text);
}

void cz_watch_mapping(struct cz_watch *w, const char *uid, const struct cz_sched_mapping *m)
{
    CZ_LOCKED(&w->lock);
    if (!m) {
        cz_map_remove(&w->users, uid);
        return;
    }
    if (same_user(cz_map_get(&w->users, uid), m))
        return;
    struct user *u = cz_alloc(sizeof(*u));
    u->source = cz_strdup(m->source);
    u->target = cz_strdup(m->target);
    u->dead_letter = cz_strdup(m->dead_letter);
    u->create = m->create;
    u->sync = m->sync;
    u->acls = m->acls;
    u->team = cz_strdup(m->team);
    u->name = cz_strdup(m->name);
    u->service_group = cz_strdup(m->service_group);
    u->switched_on = m->switched_on;
    u->pairs = cz_alloc_array(m->pairs_len + 1, sizeof(*u->pairs));
    u->pairs_len = m->pairs_len;
    for (size_t i = 0; i < m->pairs_len; i++)
        u->pairs[i] = (struct cz_sched_pair){.source = cz_strdup(m->pairs[i].source),
                                             .target = cz_strdup(m->pairs[i].target)};
    set_pattern(u, m);
    cz_map_put(&w->users, uid, u);
    poke_all(w);
}

void cz_watch_lead(struct cz_watch *w, bool leads)
{
    CZ_LOCKED(&w->lock);
    w->leads = leads;
    create_soon(w);
}

void cz_watch_topic(struct cz_watch *w,
                    const char *key,
                    const char *topic,
                    struct cz_watch_topic *ret)
{
    CZ_LOCKED(&w->lock);
    const struct source *s = cz_map_get(&w->keys, key);
    const struct topic *t = s ? cz_map_get(&s->topics, topic) : NULL;
    *ret = t ? t->info : (struct cz_watch_topic){.known = false};
}

bool cz_watch_reachable(struct cz_watch *w, const char *key, char *text, size_t n)
{
    CZ_LOCKED(&w->lock);
    const struct source *s = cz_map_get(&w->keys, key);
    if (n > 0)
        snprintf(text, n, "%s", s ? s->error : "");
    return !s || !s->unreachable;
}

void cz_watch_count(struct cz_watch *w, int *ret_clusters, int *ret_unreachable)
{
    CZ_LOCKED(&w->lock);
    *ret_clusters = 0;
    *ret_unreachable = 0;
    for (const struct source *s = w->sources; s; s = s->next) {
        *ret_clusters += s->asked && !s->stop;
        *ret_unreachable += s->asked && !s->stop && s->unreachable;
    }
}

struct cz_watch *cz_watch_new(const struct cz_watch_options *o)
{
    struct cz_watch *w = cz_alloc(sizeof(*w));
    w->o = *o;
    cz_mutex_init(&w->lock);
    cz_cond_init(&w->wake);
    cz_map_init(&w->keys, NULL);
    cz_map_init(&w->users, user_free);
    return w;
}

void cz_watch_free(struct cz_watch *w)
{
    if (!w)
        return;
    cz_mutex_lock(&w->lock);
    for (struct source *s = w->sources; s; s = s->next)
        s->stop = true;
    struct source *dead = reap(w, true);
    cz_cond_broadcast(&w->wake);
    cz_mutex_unlock(&w->lock);
    free_all(dead);
    cz_map_done(&w->keys);
    cz_map_done(&w->users);
    cz_cond_done(&w->wake);
    cz_mutex_done(&w->lock);
    cz_free(w);
}
