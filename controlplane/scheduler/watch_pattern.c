/* SPDX-License-Identifier: Apache-2.0 */
/* Mappings with a pattern: which topics of their source match it.  All of a cluster's topics are
 * listed before its thread asks for single ones, so that a new topic is read within an interval.
 *
 * What was found keeps its place, and what is new comes behind it: a topic that comes or goes moves
 * as few partitions between tasks as can be.  A topic goes when the watch is sure that it is missing,
 * not when one list does not show it. */
#include <stdlib.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/log.h"
#include "cz/util.h"
#include "watch_priv.h"

#define LIST_TIMEOUT_MS 4000
#define MAX_TOPICS 1000

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct cz_topic_info *)a)->name, ((const struct cz_topic_info *)b)->name);
}

/* Topics of the deployment itself: what is copied out of them makes more of it. */
static bool is_own(const struct cz_watch *w, const char *name)
{
    static const char *const ends[] = {".config", ".status", ".offsets", ".offset-map"};
    size_t n = w->o.group_id ? strlen(w->o.group_id) : 0;
    if (n == 0 || strncmp(name, w->o.group_id, n) != 0)
        return false;
    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
        if (strcmp(name + n, ends[i]) == 0)
            return true;
    }
    return false;
}

static bool has(const struct cz_sched_pair *pairs, size_t n, const char *source)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(pairs[i].source, source) == 0)
            return true;
    }
    return false;
}

/* On one cluster: does the mapping write this topic itself? */
static bool writes(const struct user *u, const struct cz_topic_info *all, size_t n, const char *name)
{
    if (cz_streq(u->avoid, name))
        return true;
    for (size_t i = 0; i < n; i++) {
        if (!cz_topic_pattern_match(u->pattern, all[i].name))
            continue;
        char *target = cz_topic_template(u->template, all[i].name);
        bool same = strcmp(target, name) == 0;
        cz_free(target);
        if (same)
            return true;
    }
    return false;
}

static void add(struct user *u, const char *name)
{
    u->pairs = cz_realloc(u->pairs, (u->pairs_len + 1) * sizeof(*u->pairs));
    u->pairs[u->pairs_len++] = (struct cz_sched_pair){
        .source = cz_strdup(name), .target = cz_topic_template(u->template, name)};
}

/* Drop what is missing for sure. */
static bool leave(struct source *s, struct user *u)
{
    size_t kept = 0;
    for (size_t i = 0; i < u->pairs_len; i++) {
        const struct topic *t = cz_map_get(&s->topics, u->pairs[i].source);
        if (t && t->info.known && t->info.code == CZ_E_NOT_FOUND) {
            cz_free(u->pairs[i].source);
            cz_free(u->pairs[i].target);
            continue;
        }
        u->pairs[kept++] = u->pairs[i];
    }
    bool change = kept != u->pairs_len;
    u->pairs_len = kept;
    return change;
}

static bool expand(struct source *s, struct user *u, const struct cz_topic_info *all, size_t n)
{
    bool one_cluster = cz_map_get(&s->w->keys, u->target) == s;
    bool change = leave(s, u) || !u->listed;
    u->listed = true;
    for (size_t i = 0; i < n; i++) {
        const char *name = all[i].name;
        if (all[i].code != CZ_OK || is_own(s->w, name) || !cz_topic_pattern_match(u->pattern, name) ||
            has(u->pairs, u->pairs_len, name) || (one_cluster && writes(u, all, n, name)))
            continue;
        if (u->pairs_len == MAX_TOPICS) {
            CZ_LOG_EVERY(60000, CZ_LOG_WARN, "watch", "%s/%s: more than %d topics match; the others are not read",
                         u->team, u->name, MAX_TOPICS);
            break;
        }
        add(u, name);
        change = true;
    }
    return change;
}

static enum cz_err
list(struct source *s, struct cz_topic_info **ret, size_t *ret_n, struct cz_error *err)
{
    cz_time deadline = cz_deadline_ms(LIST_TIMEOUT_MS);
    if (s->w->o.all_topics)
        return s->w->o.all_topics(s->w->o.topics_arg, s->cluster, deadline, ret, ret_n, err);
    enum cz_err rc = s->admin ? CZ_OK : cz_admin_new(s->cluster, "citizenk-watch", &s->admin, err);
    return rc ? rc : cz_admin_all_topics(s->admin, deadline, ret, ret_n, NULL, err);
}

static bool reads(const struct source *s, const struct user *u)
{
    return u->pattern && cz_map_get(&s->w->keys, u->source) == s;
}

bool cz__watch_list(struct source *s, bool due, bool *ret_change)
{
    bool any = false, some = false;
    CZ_MAP_FOREACH (&s->w->users, i, e) {
        const struct user *u = e->value;
        any |= reads(s, u);
        some |= reads(s, u) && (due || !u->listed);
    }
    if (!some)
        return any;
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_topic_info *all = NULL;
    size_t n = 0;
    cz_mutex_unlock(&s->w->lock);
    enum cz_err rc = list(s, &all, &n, &err);
    if (rc == CZ_OK && n > 1)
        qsort(all, n, sizeof(*all), by_name);
    cz_mutex_lock(&s->w->lock);
    cz__watch_answered(s, rc, &err);
    CZ_MAP_FOREACH (&s->w->users, i, e) {
        struct user *u = e->value;
        if (rc == CZ_OK && reads(s, u))
            *ret_change |= expand(s, u, all, n);
    }
    for (struct source *o = s->w->sources; o && *ret_change; o = o->next)
        o->poke = true; /* targets that nobody wanted before */
    if (rc == CZ_OK)
        cz_topic_infos_free(all, n);
    return any;
}

bool cz_watch_pairs(struct cz_watch *w, const char *uid, struct cz_sched_pair **ret, size_t *ret_n)
{
    CZ_LOCKED(&w->lock);
    const struct user *u = cz_map_get(&w->users, uid);
    *ret = NULL;
    *ret_n = 0;
    if (!u || !u->listed)
        return false;
    *ret = cz_alloc_array(u->pairs_len + 1, sizeof(**ret));
    *ret_n = u->pairs_len;
    for (size_t i = 0; i < u->pairs_len; i++)
        (*ret)[i] = (struct cz_sched_pair){.source = cz_strdup(u->pairs[i].source),
                                           .target = cz_strdup(u->pairs[i].target)};
    return true;
}

void cz_watch_pairs_free(struct cz_sched_pair *pairs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        cz_free(pairs[i].source);
        cz_free(pairs[i].target);
    }
    cz_free(pairs);
}
