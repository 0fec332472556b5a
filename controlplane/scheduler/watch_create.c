/* SPDX-License-Identifier: Apache-2.0 */
/* Creating the topics that mappings with `topic_policy: create` (or sync) miss on their target.  Runs on the
 * thread of the target's cluster, so that a cluster that refuses or hangs delays no other. */
#include <stdio.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/log.h"
#include "cz/util.h"
#include "watch_priv.h"

#define CREATE_TIMEOUT_MS 5000
#define SEEN_MS 500 /* until a topic just created shows in the metadata */

/* What a created topic takes over when the source's topic sets it.  Left to the target: replication
 * and min.insync.replicas (its brokers may be fewer), message.timestamp.* (the source's timestamps
 * are kept), throttles and tiering (of the cluster, not of the data). */
const char *const cz__watch_followed[] = {
    "cleanup.policy",
    "compression.type",
    "delete.retention.ms",
    "max.compaction.lag.ms",
    "max.message.bytes",
    "min.cleanable.dirty.ratio",
    "min.compaction.lag.ms",
    "retention.bytes",
    "retention.ms",
    "segment.bytes",
    "segment.ms",
    NULL};

struct pick {
    struct cz_watch_job job;
    struct topic *topic;
    const char *uid; /* whose mapping it is for, of several the one that decides */
    const struct user *user;
    cz_time next;
};

/* @like NULL: a dead letter topic. The largest source decides when several go to one topic. */
static void consider(struct source *s,
                     const char *uid,
                     const struct user *u,
                     const char *name,
                     const char *like,
                     struct pick *p)
{
    struct topic *t = cz_map_get(&s->topics, name);
    if (!t || !t->info.known || t->info.code != CZ_E_NOT_FOUND)
        return;
    struct cz_watch_job job = {.cluster = s->cluster, .topic = name, .partitions = 1};
    if (like) {
        const struct source *from = cz_map_get(&s->w->keys, u->source);
        const struct topic *ft = from ? cz_map_get(&from->topics, like) : NULL;
        if (!ft || from->unreachable || !ft->info.known || ft->info.partitions <= 0)
            return; /* its arrival is news */
        job.like_cluster = from->cluster;
        job.like = like;
        job.partitions = ft->info.partitions;
    }
    if (cz_now() < t->create_at) {
        p->next = t->create_at < p->next ? t->create_at : p->next;
        return;
    }
    bool better = p->topic == t && (job.partitions > p->job.partitions || !p->job.like);
    if (p->topic && !better)
        return;
    p->job = job;
    p->topic = t;
    p->uid = uid;
    p->user = u;
}

static void pick_one(struct source *s, struct pick *p)
{
    CZ_MAP_FOREACH (&s->w->users, i, e) {
        const struct user *u = e->value;
        if (!u->create || cz_map_get(&s->w->keys, u->target) != s)
            continue;
        for (size_t k = 0; k < u->pairs_len; k++)
            consider(s, e->key, u, u->pairs[k].target, u->pairs[k].source, p);
        if (u->dead_letter)
            consider(s, e->key, u, u->dead_letter, NULL, p);
    }
}

static enum cz_err
read_configs(const struct cz_watch_job *job, cz_time deadline, char ***ret, struct cz_error *err)
{
    struct cz_admin *a = NULL;
    enum cz_err rc = cz_admin_new(job->like_cluster, "citizenk-watch", &a, err);
    if (rc == CZ_OK)
        rc = cz_admin_topic_own_configs(a, job->like, cz__watch_followed, ret, deadline, err);
    cz_admin_free(a);
    return rc;
}

static enum cz_err create(struct source *s, const struct cz_watch_job *job, struct cz_error *err)
{
    cz_time deadline = cz_deadline_ms(CREATE_TIMEOUT_MS);
    if (s->w->o.create)
        return s->w->o.create(s->w->o.topics_arg, job, deadline, err);
    /* Dead letters have the timestamps of their records: retention would take them away before anybody looks. */
    static const char *const kept[] = {"retention.ms", "-1", NULL};
    char **configs = NULL;
    enum cz_err rc = job->like ? read_configs(job, deadline, &configs, err) : CZ_OK;
    if (rc == CZ_OK)
        rc = cz_admin_create_topic(s->admin, job->topic, job->partitions, -1,
                                   job->like ? (const char *const *)configs : kept, deadline, err);
    cz_admin_configs_free(configs);
    return rc;
}

/* With the lock. @topic may be wanted no more. */
static void note(struct source *s, const char *topic, enum cz_err rc, const struct cz_error *err)
{
    struct topic *t = cz_map_get(&s->topics, topic);
    if (!t)
        return;
    if (rc == CZ_OK) {
        t->info.known = false; /* ask again at once */
        t->info.refusal[0] = '\0';
        t->create_at = cz_now() + SEEN_MS * CZ_MS;
        s->poke = true;
        return;
    }
    t->create_at = cz_now() + cz_backoff_ms(++t->refusals, 2000, 60000) * CZ_MS;
    snprintf(t->info.refusal, sizeof(t->info.refusal), "%.159s", err->text);
}

cz_time cz__watch_create(struct source *s)
{
    struct pick p = {.next = CZ_TIME_NEVER};
    struct cz_error err = CZ_ERROR_INIT;
    pick_one(s, &p);
    if (!p.topic)
        return p.next;
    struct cz_watch_job job = p.job;
    char *topic = cz_strdup(job.topic);
    char *like = job.like ? cz_strdup(job.like) : NULL;
    struct cz_watch_once of;
    cz__watch_once_of(p.uid, p.user, &of);
    job.topic = topic;
    job.like = like;
    if (job.like_cluster)
        cz_cluster_ref(job.like_cluster);
    cz_mutex_unlock(&s->w->lock);
    enum cz_err rc = create(s, &job, &err);
    if (rc == CZ_OK) {
        cz_log(CZ_LOG_INFO, "watch", "topic created topic=%s partitions=%d bootstrap=%s", topic,
               (int)job.partitions, cz_cluster_bootstrap(s->cluster));
        cz__watch_audit(s->w, &of, "mapping.topic.create",
                        json_pack("{s:s,s:s,s:i}", "mapping", of.mapping, "topic", topic, "partitions",
                                  (int)job.partitions));
    } else {
        cz_log(CZ_LOG_WARN, "watch", "cannot create topic: %s bootstrap=%s", err.text,
               cz_cluster_bootstrap(s->cluster));
    }
    cz__watch_once_done(&of);
    cz_cluster_unref(job.like_cluster);
    cz_mutex_lock(&s->w->lock);
    note(s, topic, rc, &err);
    cz_free(topic);
    cz_free(like);
    return 0; /* there may be more */
}
