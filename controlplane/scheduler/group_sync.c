/* SPDX-License-Identifier: Apache-2.0 */
/* Consumer groups follow their topics (`group_sync`): what a group has committed on the source of a
 * mapping is translated by the mapping's offset map and committed on the target, so that a service that
 * moves over goes on where it was.  Only for a group that has no members on the target, and never
 * backwards: once it has run there its own position counts.  On the leading instance, on a thread of its
 * own: a cluster that hangs delays other groups, and nothing else. */
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/log.h"
#include "cz/offset_map.h"
#include "cz/util.h"
#include "group_sync.h"

enum { TICK_MS = 300, LIMIT_MS = 20000 };

struct done { /* of one mapping */
    cz_time next;
    bool known, ok;
    char text[200];
};
struct job {
    char *uid, *label, *own_group;
    json_t *patterns;
    struct cz_cluster *source, *target;
    struct cz_admin *from, *to;
    struct cz_map maps;
    cz_time deadline;
    int groups, moved;
};

static void job_done(struct job *j)
{
    cz_admin_free(j->from);
    cz_admin_free(j->to);
    cz_map_done(&j->maps);
    cz_cluster_unref(j->source);
    cz_cluster_unref(j->target);
    json_decref(j->patterns);
    cz_free(j->uid);
    cz_free(j->label);
    cz_free(j->own_group);
}

/* ---- one mapping ------------------------------------------------------------------------------ */

static bool wanted(const struct job *j, const char *group)
{
    size_t i;
    json_t *p;
    if (cz_streq(group, j->own_group))
        return false; /* ours: it means nothing on the target */
    json_array_foreach (j->patterns, i, p) {
        if (fnmatch(json_string_value(p), group, 0) == 0)
            return true;
    }
    return false;
}

static bool has_members(const struct cz_group *g, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(g[i].name, name) == 0)
            return g[i].state == CZ_GROUP_MEMBERS || g[i].state == CZ_GROUP_UNKNOWN;
    return false;
}

static int32_t partition_in(const char *key, char **ret_topic)
{
    const char *slash = strrchr(key, '/');
    int64_t n = -1;
    *ret_topic = cz_strndup(key, slash ? (size_t)(slash - key) : 0);
    return slash && cz_parse_i64(slash + 1, &n) ? (int32_t)n : -1;
}

struct place { /* of the target; several partitions of the source may come together there */
    const struct cz_offset_map *map;
    int64_t at, has; /* where the group shall be, and is; -1: nowhere */
};

static struct place *place_of(struct cz_map *places, const struct cz_offset_map *m)
{
    CZ_CLEANUP(cz_freep) char *key = cz_strf("%s/%d", m->target_topic, (int)m->target_partition);
    struct place *p = cz_map_get(places, key);
    if (!p) {
        p = cz_alloc(sizeof(*p));
        *p = (struct place){.map = m, .at = -1, .has = -1};
        cz_map_put(places, key, p);
    }
    return p;
}

/* The group's positions on both sides, of the partitions that can be translated. */
static enum cz_err ask(struct job *j, const char *group, struct cz_tp_list *from, struct cz_map *places,
                       struct cz_error *err)
{
    CZ_CLEANUP(cz_tp_list_done) struct cz_tp_list to = {0};
    CZ_MAP_FOREACH (&j->maps, i, e) {
        const struct cz_offset_map *m = e->value;
        CZ_CLEANUP(cz_freep) char *topic = NULL;
        int32_t partition = partition_in(e->key, &topic);
        if (partition < 0 || m->target_partition < 0 || !m->target_topic)
            continue;
        cz_tp_list_add(from, topic, partition, -1);
        (void)place_of(places, m);
    }
    CZ_MAP_FOREACH (places, i, e) {
        const struct cz_offset_map *m = ((const struct place *)e->value)->map;
        cz_tp_list_add(&to, m->target_topic, m->target_partition, -1);
    }
    enum cz_err rc = cz_admin_group_offsets(j->from, group, from, j->deadline, err);
    if (rc == CZ_OK)
        rc = cz_admin_group_offsets(j->to, group, &to, j->deadline, err);
    size_t n = 0;
    CZ_MAP_FOREACH (places, i, e)
        ((struct place *)e->value)->has = to.items[n++].offset;
    return rc;
}

/* Exact, or a little before; of several that come together the first, so that nothing is missed. */
static void translate(const struct job *j, const struct cz_tp *from, struct cz_map *places)
{
    CZ_CLEANUP(cz_freep) char *key = cz_strf("%s/%d", from->topic, (int)from->partition);
    const struct cz_offset_map *m = cz_map_get(&j->maps, key);
    int64_t at = -1;
    if (from->offset >= 0)
        (void)cz_offset_map_forward(m, from->offset, &at);
    struct place *p = place_of(places, m);
    if (at >= 0 && (p->at < 0 || at < p->at))
        p->at = at;
}

static enum cz_err sync_group(struct job *j, const char *group, struct cz_error *err)
{
    CZ_CLEANUP(cz_tp_list_done) struct cz_tp_list from = {0}, commit = {0};
    CZ_CLEANUP(cz_map_done) struct cz_map places = CZ_MAP_INIT(cz_free);
    enum cz_err rc = ask(j, group, &from, &places, err);
    for (size_t i = 0; rc == CZ_OK && i < from.len; i++)
        translate(j, &from.items[i], &places);
    CZ_MAP_FOREACH (&places, i, e) {
        const struct place *p = e->value;
        if (p->at > p->has)
            cz_tp_list_add(&commit, p->map->target_topic, p->map->target_partition, p->at)->metadata =
                cz_strdup("citizenk");
    }
    if (rc == CZ_OK && commit.len > 0)
        rc = cz_admin_commit(j->to, group, &commit, j->deadline, err);
    if (rc == CZ_E_CONFLICT) { /* somebody joined it meanwhile: its own position counts */
        cz_error_reset(err);
        return CZ_OK;
    }
    j->moved += rc == CZ_OK && commit.len > 0;
    return rc;
}

static enum cz_err sync_all(struct job *j, const char *group_id, struct cz_error *err)
{
    struct cz_group *from = NULL, *to = NULL;
    size_t from_n = 0, to_n = 0;
    enum cz_err rc = cz_admin_new(j->source, "citizenk-groups", &j->from, err);
    if (rc == CZ_OK)
        rc = cz_admin_new(j->target, "citizenk-groups", &j->to, err);
    if (rc == CZ_OK)
        rc = cz_offset_maps_read(j->target, j->to, group_id, j->uid, j->deadline, &j->maps, err);
    if (rc == CZ_OK)
        rc = cz_admin_groups(j->from, j->deadline, &from, &from_n, err);
    if (rc == CZ_OK)
        rc = cz_admin_groups(j->to, j->deadline, &to, &to_n, err);
    for (size_t i = 0; rc == CZ_OK && i < from_n; i++) {
        if (!wanted(j, from[i].name) || has_members(to, to_n, from[i].name))
            continue;
        j->groups++;
        rc = sync_group(j, from[i].name, err);
    }
    cz_groups_free(from, from_n);
    cz_groups_free(to, to_n);
    return rc;
}

/* ---- the thread ------------------------------------------------------------------------------- */

static struct done *done_of(struct cz_group_sync *g, const char *uid)
{
    struct done *d = cz_map_get(&g->done, uid);
    if (!d) {
        d = cz_alloc(sizeof(*d));
        cz_map_put(&g->done, uid, d);
    }
    return d;
}

static struct cz_cluster *cluster_of(struct cz_view *v, const char *key)
{
    CZ_CLEANUP(cz_freep) char *full = cz_strf("cluster/%s", key);
    const struct cz_model_entry *e = cz_model_get(&v->now, full);
    return e && e->cluster ? cz_cluster_ref(e->cluster) : NULL;
}

/* A mapping whose time has come. */
static bool pick(struct cz_group_sync *g, struct job *ret)
{
    struct cz_view *v = g->view;
    CZ_LOCKED(&v->lock);
    CZ_MAP_FOREACH (&v->now.entries, i, e) {
        const struct cz_model_entry *m = e->value;
        if (m->kind != CZ_CH_MAPPING || !m->mapping || !m->mapping->sync_groups)
            continue;
        cz_mutex_lock(&g->lock);
        struct done *d = done_of(g, m->mapping->uid);
        bool due = cz_now() >= d->next;
        if (due)
            d->next = cz_deadline_ms(m->mapping->sync_groups_ms);
        cz_mutex_unlock(&g->lock);
        if (!due)
            continue;
        *ret = (struct job){.uid = cz_strdup(m->mapping->uid),
                            .label = cz_strf("%s/%s", m->mapping->team, m->mapping->name),
                            .own_group = cz_strdup(m->mapping->own_group),
                            .patterns = json_deep_copy(m->mapping->sync_groups),
                            .source = cluster_of(v, m->mapping->source),
                            .target = cluster_of(v, m->mapping->target),
                            .maps = CZ_MAP_INIT(NULL),
                            .deadline = cz_deadline_ms(LIMIT_MS)};
        return true;
    }
    return false;
}

static void run(struct cz_group_sync *g, struct job *j)
{
    struct cz_error err = CZ_ERROR_INIT;
    enum cz_err rc = j->source && j->target ? sync_all(j, g->group_id, &err)
                                            : cz_fail(&err, CZ_E_NOT_FOUND, "a cluster of it is not known");
    if (rc != CZ_OK)
        CZ_LOG_EVERY(10000, CZ_LOG_WARN, "groups", "%s: %s", j->label, err.text);
    else if (j->moved)
        cz_log(CZ_LOG_INFO, "groups", "groups follow on the target mapping=%s groups=%d moved=%d", j->label,
               j->groups, j->moved);
    CZ_LOCKED(&g->lock);
    struct done *d = done_of(g, j->uid);
    d->known = true;
    d->ok = rc == CZ_OK;
    if (rc == CZ_OK)
        snprintf(d->text, sizeof(d->text), "%d groups without members on the target were compared", j->groups);
    else
        snprintf(d->text, sizeof(d->text), "%.199s", err.text);
}

static void *groups_main(void *arg)
{
    struct cz_group_sync *g = arg;
    cz_mutex_lock(&g->lock);
    while (!g->stop) {
        bool leads = g->leads;
        struct job j = {0};
        cz_mutex_unlock(&g->lock);
        bool any = leads && pick(g, &j);
        if (any) {
            run(g, &j);
            job_done(&j);
        }
        cz_mutex_lock(&g->lock);
        if (!any && !g->stop)
            cz_cond_wait(&g->wake, &g->lock, cz_deadline_ms(TICK_MS));
    }
    cz_mutex_unlock(&g->lock);
    return NULL;
}

void cz_group_sync_start(struct cz_group_sync *g, struct cz_view *view, const char *group_id)
{
    *g = (struct cz_group_sync){.view = view, .group_id = group_id, .started = true};
    cz_mutex_init(&g->lock);
    cz_cond_init(&g->wake);
    cz_map_init(&g->done, cz_free);
    cz_thread_start(&g->thread, "cz-groups", groups_main, g);
}

void cz_group_sync_lead(struct cz_group_sync *g, bool leads)
{
    if (!g->started)
        return;
    CZ_LOCKED(&g->lock);
    g->leads = leads;
}

void cz_group_sync_stop(struct cz_group_sync *g)
{
    if (!g->started)
        return;
    cz_mutex_lock(&g->lock);
    g->stop = true;
    cz_cond_broadcast(&g->wake);
    cz_mutex_unlock(&g->lock);
    cz_thread_join(&g->thread);
    cz_map_done(&g->done);
    cz_cond_done(&g->wake);
    cz_mutex_done(&g->lock);
    *g = (struct cz_group_sync){0};
}

bool cz_group_sync_last(struct cz_group_sync *g, const char *uid, bool *ret_ok, char *text, size_t n)
{
    if (!g->started)
        return false;
    CZ_LOCKED(&g->lock);
    const struct done *d = cz_map_get(&g->done, uid);
    if (!d || !d->known)
        return false;
    *ret_ok = d->ok;
    snprintf(text, n, "%s", d->text);
    return true;
}
