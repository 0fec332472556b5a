/* SPDX-License-Identifier: Apache-2.0 */
/* Topics of mappings with `topic_policy: sync`: their partition count, those settings that
 * belong to the data rather than to the cluster, and with `topic_acls` who may read them follow the source's.  A setting that the source's
 * topic does not have goes back to the target's default.  A topic never shrinks: more partitions than
 * the source has are left and told.  Partitions are compared with every look at the metadata, settings
 * less often: each comparison is a request per topic.  On the leading instance, on the thread of the
 * target's cluster. */
#include <stdio.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/log.h"
#include "cz/util.h"
#include "watch_priv.h"

#define SYNC_TIMEOUT_MS 5000
#define SYNC_EVERY_MS 10000
#define SYNC_EACH_MS 200 /* with many topics: so much time for each */

struct pick {
    struct cz_watch_job job;
    struct topic *topic;
    struct cz_watch_once of;
    size_t synced; /* topics on this cluster that follow a source */
    cz_time next;
};

/* ---- which ------------------------------------------------------------------------------------- */

static const struct topic *source_topic(const struct source *s, const struct user *u, const char *name)
{
    const struct source *from = cz_map_get(&s->w->keys, u->source);
    const struct topic *t = from && !from->unreachable ? cz_map_get(&from->topics, name) : NULL;
    return t && t->info.known && t->info.code == CZ_OK ? t : NULL;
}

/* The source with the most partitions decides when several go to one topic. */
static const struct topic *
largest(const struct source *s, const char *target, const struct user **ret_user, const char **ret_uid,
        const char **ret_name)
{
    const struct topic *best = NULL;
    CZ_MAP_FOREACH (&s->w->users, i, e) {
        const struct user *u = e->value;
        bool mine = u->sync && cz_map_get(&s->w->keys, u->target) == s;
        for (size_t k = 0; mine && k < u->pairs_len; k++) {
            const struct topic *t =
                strcmp(u->pairs[k].target, target) == 0 ? source_topic(s, u, u->pairs[k].source) : NULL;
            if (!t || (best && best->info.partitions >= t->info.partitions))
                continue;
            best = t;
            *ret_user = u;
            *ret_uid = e->key;
            *ret_name = u->pairs[k].source;
        }
    }
    return best;
}

static void consider(struct source *s, const char *target, struct pick *p)
{
    struct topic *t = cz_map_get(&s->topics, target);
    const struct user *u = NULL;
    const char *uid = NULL, *name = NULL;
    p->synced++;
    if (p->topic || !t || !t->info.known || t->info.code != CZ_OK)
        return;
    const struct topic *from = largest(s, target, &u, &uid, &name);
    if (!from)
        return; /* its arrival is news */
    bool grown = from->info.partitions != t->synced && from->info.partitions > t->info.partitions;
    if (!grown && cz_now() < t->sync_at) {
        p->next = t->sync_at < p->next ? t->sync_at : p->next;
        return;
    }
    const struct source *cluster = cz_map_get(&s->w->keys, u->source);
    p->topic = t;
    p->job = (struct cz_watch_job){.cluster = cz_cluster_ref(s->cluster),
                                   .topic = cz_strdup(target),
                                   .like_cluster = cz_cluster_ref(cluster->cluster),
                                   .like = cz_strdup(name),
                                   .partitions = from->info.partitions,
                                   .has = t->info.partitions,
                                   .acls = u->acls};
    cz__watch_once_of(uid, u, &p->of);
}

static void pick_done(struct pick *p)
{
    cz_cluster_unref(p->job.cluster);
    cz_cluster_unref(p->job.like_cluster);
    cz_free(CZ_UNCONST(p->job.topic));
    cz_free(CZ_UNCONST(p->job.like));
    cz__watch_once_done(&p->of);
}

/* ---- doing it ---------------------------------------------------------------------------------- */

static const char *value_in(char *const *configs, const char *key)
{
    for (size_t i = 0; configs[i]; i += 2)
        if (strcmp(configs[i], key) == 0)
            return configs[i + 1];
    return NULL;
}

static enum cz_err sync_configs(struct source *s, const struct cz_watch_job *job, cz_time deadline,
                                json_t *done, struct cz_error *err)
{
    struct cz_config_change changes[32];
    char **want = NULL, **have = NULL;
    struct cz_admin *from = NULL;
    size_t n = 0;
    enum cz_err rc = cz_admin_new(job->like_cluster, "citizenk-watch", &from, err);
    if (rc == CZ_OK)
        rc = cz_admin_topic_own_configs(from, job->like, cz__watch_followed, &want, deadline, err);
    if (rc == CZ_OK)
        rc = cz_admin_topic_own_configs(s->admin, job->topic, cz__watch_followed, &have, deadline, err);
    for (size_t i = 0; rc == CZ_OK && cz__watch_followed[i] && n < 32; i++) {
        const char *key = cz__watch_followed[i], *value = value_in(want, key);
        if (!cz_streq(value, value_in(have, key)))
            changes[n++] = (struct cz_config_change){key, value};
    }
    if (rc == CZ_OK && n > 0)
        rc = cz_admin_set_topic_configs(s->admin, job->topic, changes, n, deadline, err);
    if (rc == CZ_OK && n > 0) {
        json_t *list = json_object();
        for (size_t i = 0; i < n; i++)
            (void)json_object_set_new(list, changes[i].key,
                                      changes[i].value ? json_string(changes[i].value) : json_null());
        (void)json_object_set_new(done, "settings", list);
    }
    cz_admin_configs_free(want);
    cz_admin_configs_free(have);
    cz_admin_free(from);
    return rc;
}

static enum cz_err sync_acls(struct source *s, const struct cz_watch_job *job, cz_time deadline, json_t *done,
                             struct cz_error *err)
{
    struct cz_admin *from = NULL;
    size_t added = 0;
    enum cz_err rc = cz_admin_new(job->like_cluster, "citizenk-watch", &from, err);
    if (rc == CZ_OK)
        rc = cz_admin_copy_acls(from, job->like, s->admin, job->topic, deadline, &added, err);
    if (added > 0)
        (void)json_object_set_new(done, "acls_added", json_integer((json_int_t)added));
    cz_admin_free(from);
    return rc;
}

/* @ret_done what was changed; NULL: nothing. Also with an error: the part that succeeded. */
static enum cz_err
follow(struct source *s, const struct cz_watch_job *job, json_t **ret_done, struct cz_error *err)
{
    cz_time deadline = cz_deadline_ms(SYNC_TIMEOUT_MS);
    if (s->w->o.sync)
        return s->w->o.sync(s->w->o.topics_arg, job, deadline, ret_done, err);
    json_t *done = json_object();
    enum cz_err rc = CZ_OK;
    if (job->has < job->partitions)
        rc = cz_admin_grow_topic(s->admin, job->topic, job->partitions, deadline, err);
    if (rc == CZ_OK && job->has < job->partitions)
        (void)json_object_set_new(done, "partitions", json_integer(job->partitions));
    if (rc == CZ_OK)
        rc = sync_configs(s, job, deadline, done, err);
    if (rc == CZ_OK && job->acls)
        rc = sync_acls(s, job, deadline, done, err);
    *ret_done = json_object_size(done) ? json_incref(done) : NULL;
    json_decref(done);
    return rc;
}

/* With the lock. @topic may be wanted no more. */
static void note(struct source *s, const struct pick *p, enum cz_err rc, bool grew, const struct cz_error *err)
{
    struct topic *t = cz_map_get(&s->topics, p->job.topic);
    int64_t every = (int64_t)p->synced * SYNC_EACH_MS;
    if (!t)
        return;
    t->info.compared = true;
    t->synced = p->job.partitions;
    t->sync_at = cz_now() + (every > SYNC_EVERY_MS ? every : SYNC_EVERY_MS) * CZ_MS;
    snprintf(t->info.unsynced, sizeof(t->info.unsynced), "%.159s", rc == CZ_OK ? "" : err->text);
    if (grew) {
        t->info.known = false; /* ask again at once */
        s->poke = true;
    }
}

cz_time cz__watch_sync(struct source *s)
{
    struct pick p = {.next = CZ_TIME_NEVER};
    struct cz_error err = CZ_ERROR_INIT;
    json_t *done = NULL;
    CZ_MAP_FOREACH (&s->w->users, i, e) {
        const struct user *u = e->value;
        bool mine = u->sync && cz_map_get(&s->w->keys, u->target) == s;
        for (size_t k = 0; mine && k < u->pairs_len; k++)
            consider(s, u->pairs[k].target, &p);
    }
    if (!p.topic)
        return p.next;
    cz_mutex_unlock(&s->w->lock);
    enum cz_err rc = follow(s, &p.job, &done, &err);
    bool grew = json_object_get(done, "partitions") != NULL;
    if (done) {
        cz_log(CZ_LOG_INFO, "watch", "topic follows its source topic=%s bootstrap=%s", p.job.topic,
               cz_cluster_bootstrap(s->cluster));
        cz_json_set_str(done, "mapping", p.of.mapping);
        cz_json_set_str(done, "topic", p.job.topic);
        cz__watch_audit(s->w, &p.of, "mapping.topic.sync", done);
    }
    if (rc != CZ_OK)
        CZ_LOG_EVERY(10000, CZ_LOG_WARN, "watch", "cannot sync topic: %s bootstrap=%s", err.text,
                     cz_cluster_bootstrap(s->cluster));
    cz_mutex_lock(&s->w->lock);
    note(s, &p, rc, grew, &err);
    pick_done(&p);
    return 0; /* there may be more */
}
