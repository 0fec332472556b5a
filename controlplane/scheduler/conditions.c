/* SPDX-License-Identifier: Apache-2.0 */
/* What any instance knows of a mapping: from the config topic, the metadata watch and the
 * workers' reports.  Nothing here asks anybody, so it is cheap enough for every row of a list.
 */
#include <stdio.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/file_record.h"
#include "cz/util.h"
#include "scheduler_priv.h"

#define WORKERS_MAX_AGE (500 * CZ_MS)

static void
say(char *reason, size_t rn, char *message, size_t mn, const char *what, const char *text)
{
    snprintf(reason, rn, "%s", what);
    snprintf(message, mn, "%s", text);
}
#define SAY(ret, field, what, text)                                                            \
    say((ret)->field##_reason, sizeof((ret)->field##_reason), (ret)->field##_message,          \
        sizeof((ret)->field##_message), (what), (text))

/* ---- topics ---------------------------------------------------------------------------------
 */

/* The worst thing first: missing, forbidden, not known yet. @return false: nothing wrong */
static bool topic_problem(struct cz_scheduler *s,
                          const char *key,
                          const char *topic,
                          struct cz_mapping_view *ret)
{
    struct cz_watch_topic t;
    char text[sizeof(ret->topics_message)];
    cz_watch_topic(s->watch, key, topic, &t);
    if (t.known && t.code == CZ_OK)
        return false;
    const char *cluster = strchr(key, '/') ? strchr(key, '/') + 1 : key;
    if (!t.known) {
        if (ret->topics_exist == CZ_COND_TRUE) {
            ret->topics_exist = CZ_COND_UNKNOWN;
            snprintf(text, sizeof(text), "topic %.100s on cluster %.100s was not looked up yet",
                     topic, cluster);
            SAY(ret, topics, "Checking", text);
        }
        return true;
    }
    if (ret->topics_exist == CZ_COND_FALSE)
        return true;
    bool missing = t.code == CZ_E_NOT_FOUND;
    ret->topics_exist = CZ_COND_FALSE;
    if (missing && t.refusal[0]) {
        SAY(ret, topics, "TopicNotCreated", t.refusal);
        return true;
    }
    snprintf(text, sizeof(text), "topic %.100s %s cluster %.100s", topic,
             missing ? "does not exist on" : "may not be read on", cluster);
    SAY(ret, topics, missing ? "TopicMissing" : "TopicForbidden", text);
    return true;
}

/* Not every topic's name is one of a file; of a pattern's topics these are left out. */
static void file_problem(const struct cz_sched_pair *pair, struct cz_mapping_view *ret)
{
    struct cz_error err = CZ_ERROR_INIT;
    char text[sizeof(ret->topics_message)];
    if (ret->topics_exist == CZ_COND_FALSE || !cz_file_name_check(pair->target, &err))
        return;
    ret->topics_exist = CZ_COND_FALSE;
    snprintf(text, sizeof(text), "topic %.100s is not read: %.100s", pair->source, err.text);
    SAY(ret, topics, "FileName", text);
}

static void look_at_pair(struct cz_scheduler *s,
                         const struct cz_sched_mapping *m,
                         const struct cz_sched_pair *pair,
                         struct cz_mapping_view *ret)
{
    if (!m->source_file)
        topic_problem(s, m->source, pair->source, ret);
    if (!m->target_file)
        topic_problem(s, m->target, pair->target, ret);
    else if (m->pattern)
        file_problem(pair, ret);
}

static void look_at_pattern(struct cz_scheduler *s,
                            const struct cz_sched_mapping *m,
                            struct cz_mapping_view *ret)
{
    struct cz_sched_pair *pairs = NULL;
    size_t n = 0;
    char text[sizeof(ret->topics_message)];
    if (!cz_watch_pairs(s->watch, m->uid, &pairs, &n)) {
        ret->topics_exist = CZ_COND_UNKNOWN;
        SAY(ret, topics, "Checking", "the topics of the source cluster were not listed yet");
        return;
    }
    snprintf(text, sizeof(text), "%zu topics match", n);
    SAY(ret, topics, n > 0 ? "TopicsExist" : "NoTopicMatches", text);
    for (size_t i = 0; i < n; i++)
        look_at_pair(s, m, &pairs[i], ret);
    cz_watch_pairs_free(pairs, n);
}

static void look_at_topics(struct cz_scheduler *s,
                           const struct cz_sched_mapping *m,
                           struct cz_mapping_view *ret)
{
    const char *keys[] = {m->source, m->target};
    char why[200];
    ret->topics_exist = CZ_COND_TRUE;
    SAY(ret, topics, "TopicsExist", "");
    if (m->pattern) {
        look_at_pattern(s, m, ret);
    } else {
        for (size_t i = 0; i < m->pairs_len; i++)
            look_at_pair(s, m, &m->pairs[i], ret);
    }
    if (m->dead_letter)
        topic_problem(s, m->target, m->dead_letter, ret);
    for (size_t i = 0; i < 2 && ret->topics_exist != CZ_COND_FALSE; i++) {
        if (cz_watch_reachable(s->watch, keys[i], why, sizeof(why)))
            continue;
        ret->topics_exist = CZ_COND_UNKNOWN;
        SAY(ret, topics, "ClusterUnreachable", why);
    }
}

/* The worst thing first: what cannot be done, what was refused, what was not done yet. */
static void look_at_sync_of(struct cz_scheduler *s,
                            const struct cz_sched_mapping *m,
                            const struct cz_sched_pair *pair,
                            struct cz_mapping_view *ret)
{
    char text[sizeof(ret->synced_message)];
    struct cz_watch_topic from, to;
    cz_watch_topic(s->watch, m->source, pair->source, &from);
    cz_watch_topic(s->watch, m->target, pair->target, &to);
    bool known = from.partitions > 0 && to.partitions > 0;
    if (known && to.partitions > from.partitions) {
        ret->topics_synced = CZ_COND_FALSE;
        snprintf(text, sizeof(text), "topic %.100s has %d partitions, its source %d; none can be taken away",
                 pair->target, (int)to.partitions, (int)from.partitions);
        SAY(ret, synced, "MorePartitions", text);
    } else if (to.unsynced[0]) {
        ret->topics_synced = CZ_COND_FALSE;
        SAY(ret, synced, "NotSynced", to.unsynced);
    } else if (!known || to.partitions < from.partitions) {
        ret->topics_synced = CZ_COND_UNKNOWN;
        SAY(ret, synced, "Waiting", "the leader has not compared all topics yet");
    }
}

static void look_at_sync(struct cz_scheduler *s,
                         const struct cz_sched_mapping *m,
                         struct cz_mapping_view *ret)
{
    struct cz_sched_pair *found = NULL;
    size_t n = m->pairs_len;
    ret->syncs_topics = m->sync;
    if (!m->sync)
        return;
    ret->topics_synced = CZ_COND_TRUE;
    SAY(ret, synced, "InSync", "");
    if (m->pattern)
        (void)cz_watch_pairs(s->watch, m->uid, &found, &n);
    for (size_t i = 0; i < n && ret->topics_synced != CZ_COND_FALSE; i++)
        look_at_sync_of(s, m, m->pattern ? &found[i] : &m->pairs[i], ret);
    cz_watch_pairs_free(found, m->pattern ? n : 0);
}

static void look_at_groups(struct cz_scheduler *s,
                           const struct cz_sched_mapping *m,
                           struct cz_mapping_view *ret)
{
    char text[sizeof(ret->groups_message)] = "the leader has not compared them yet";
    bool ok = false;
    ret->syncs_groups = m->sync_groups != NULL;
    if (!ret->syncs_groups)
        return;
    bool known = cz_group_sync_last(&s->groups, m->uid, &ok, text, sizeof(text));
    ret->groups_synced = !known ? CZ_COND_UNKNOWN : ok ? CZ_COND_TRUE : CZ_COND_FALSE;
    SAY(ret, groups, !known ? "Waiting" : ok ? "Synced" : "NotSynced", text);
}

static void look_at_service_group(struct cz_scheduler *s,
                                  const struct cz_sched_mapping *m,
                                  struct cz_mapping_view *ret)
{
    struct cz_watch_group g;
    char text[sizeof(ret->service_group_message)], why[200];
    cz_watch_service_group(s->watch, m->uid, &g);
    ret->names_service_group = g.named;
    ret->service_group_state = g.state;
    if (!g.named)
        return;
    ret->service_group_deleted = g.due ? CZ_COND_FALSE : CZ_COND_TRUE;
    if (!g.due) {
        snprintf(text, sizeof(text), "group %.150s was deleted when replication was switched on", g.group);
        SAY(ret, service_group, "Deleted", text);
    } else if (!cz_watch_reachable(s->watch, m->target, why, sizeof(why))) {
        SAY(ret, service_group, "ClusterUnreachable", why);
    } else if (g.code == CZ_E_CONFLICT || g.state == CZ_GROUP_MEMBERS) {
        snprintf(text, sizeof(text), "group %.150s has members; it is deleted when they are gone", g.group);
        SAY(ret, service_group, "GroupHasMembers", text);
    } else if (g.code != CZ_OK) {
        SAY(ret, service_group, "NotDeleted", g.text);
    } else {
        ret->service_group_deleted = CZ_COND_UNKNOWN;
        SAY(ret, service_group, "Waiting", "the leader has not deleted it yet");
    }
}

/* ---- assignment -----------------------------------------------------------------------------
 */

enum presence { ABSENT, PRESENT };

/* With s->lock held. */
static enum presence worker_presence(const struct cz_scheduler *s, const char *id)
{
    for (size_t i = 0; id && i < s->workers.len; i++) {
        if (strcmp(s->workers.items[i].id, id) == 0)
            return s->workers.items[i].gone ? ABSENT : PRESENT;
    }
    return ABSENT;
}

static size_t live_workers(const struct cz_scheduler *s, bool with_files)
{
    size_t n = 0;
    for (size_t i = 0; i < s->workers.len; i++) {
        const struct cz_worker_info *w = &s->workers.items[i];
        n += w->alive && !w->gone && (w->files || !with_files);
    }
    return n;
}

static void refresh_workers(struct cz_scheduler *s)
{
    if (s->workers.items && cz_now() - s->workers_at < WORKERS_MAX_AGE)
        return;
    cz_worker_infos_done(&s->workers);
    s->workers = (struct cz_worker_infos){0};
    cz_status_workers(s->status, &s->workers);
    s->workers_at = cz_now();
}

static void look_at_assignment(struct cz_scheduler *s,
                               const struct cz_sched_mapping *m,
                               const struct cz_assignment *a,
                               struct cz_mapping_view *ret)
{
    CZ_LOCKED(&s->lock);
    refresh_workers(s);
    bool files = m->source_file || m->target_file;
    ret->assigned = CZ_COND_FALSE;
    ret->partitions = (int)cz_assignment_partitions(a);
    ret->assignment_generation = a ? a->generation : 0;
    ret->task_numbers = a ? a->tasks : 0;
    bool nobody = false; /* a task that the leader found no place for */
    for (int t = 0; a && t < a->tasks; t++) {
        if (cz_assignment_task_empty(a, t))
            continue;
        ret->tasks++;
        nobody |= a->workers[t] == NULL;
        ret->tasks_without_worker += worker_presence(s, a->workers[t]) == ABSENT;
    }
    if (a && ret->partitions > 0 && ret->tasks_without_worker == 0) {
        ret->assigned = CZ_COND_TRUE;
        SAY(ret, assigned, "Assigned", "");
    } else if (live_workers(s, false) == 0) {
        SAY(ret, assigned, "NoWorker", "no worker is alive");
    } else if (files && live_workers(s, true) == 0) {
        SAY(ret, assigned, "NoFolder", "no live worker has a folder of files (--file-data-path)");
    } else if (a && ret->partitions == 0) {
        SAY(ret, assigned, "NoPartitions", "none of its source topics has partitions");
    } else if (a && nobody) {
        SAY(ret, assigned, "NoCapacity", "every live worker is full");
    } else {
        ret->assigned = CZ_COND_UNKNOWN;
        SAY(ret, assigned, "Waiting", "the leader has not assigned all of it yet");
    }
}

static bool look_at_poison(struct cz_scheduler *s, const char *uid, struct cz_mapping_view *ret)
{
    char *key = cz_channel_make_key(CZ_CH_MAPPING, uid, NULL);
    cz_mutex_lock(&s->lock);
    const char *why = cz_map_get(&s->poisoned, key);
    if (why) {
        ret->assigned = CZ_COND_FALSE;
        SAY(ret, assigned, "TooLarge", why);
    }
    cz_mutex_unlock(&s->lock);
    cz_free(key);
    return why != NULL;
}

bool cz_scheduler_mapping(struct cz_scheduler *s, const char *uid, struct cz_mapping_view *ret)
{
    struct cz_mapping_view v = {.topics_exist = CZ_COND_UNKNOWN, .assigned = CZ_COND_UNKNOWN};
    SAY(&v, topics, "Checking", "not on the config topic yet");
    SAY(&v, assigned, "Waiting", "not on the config topic yet");
    cz_mutex_lock(&s->view.lock);
    const struct cz_model_entry *m = cz_model_get_uid(&s->view.now, CZ_CH_MAPPING, uid);
    const struct cz_model_entry *a = cz_model_get_uid(&s->view.now, CZ_CH_ASSIGNMENT, uid);
    bool known = m && m->mapping;
    if (known) {
        look_at_topics(s, m->mapping, &v);
        look_at_sync(s, m->mapping, &v);
        look_at_groups(s, m->mapping, &v);
        look_at_service_group(s, m->mapping, &v);
        look_at_assignment(s, m->mapping, a ? a->assignment : NULL, &v);
    }
    cz_mutex_unlock(&s->view.lock);
    bool poisoned = look_at_poison(s, uid, &v);
    *ret = v;
    return known || poisoned;
}

/* ---- who writes a topic ------------------------------------------------------------------------- */

static bool writes(struct cz_scheduler *s, const struct cz_sched_mapping *m, const char *topic)
{
    struct cz_sched_pair *found = NULL;
    size_t n = m->pairs_len;
    bool yes = false;
    if (m->pattern && !cz_watch_pairs(s->watch, m->uid, &found, &n))
        n = 0;
    for (size_t i = 0; i < n && !yes; i++)
        yes = strcmp((m->pattern ? found : m->pairs)[i].target, topic) == 0;
    cz_watch_pairs_free(found, m->pattern ? n : 0);
    return yes;
}

static bool is_cluster(const struct cz_scheduler *s, const char *name, uint64_t hash)
{
    CZ_CLEANUP(cz_freep) char *key = cz_strf("cluster/%s", name);
    const struct cz_model_entry *e = cz_model_get(&s->view.now, key);
    return e && e->cluster && cz_cluster_hash(e->cluster) == hash;
}

bool cz_scheduler_writer(struct cz_scheduler *s, const struct cz_writer_query *q, char *ret_name, size_t n)
{
    bool any = false;
    CZ_LOCKED(&s->view.lock);
    CZ_MAP_FOREACH (&s->view.now.entries, i, e) {
        const struct cz_sched_mapping *m = ((const struct cz_model_entry *)e->value)->mapping;
        if (!m || !m->enabled || m->target_file || cz_streq(m->uid, q->uid) || !writes(s, m, q->topic) ||
            !is_cluster(s, m->target, q->cluster))
            continue;
        bool own = cz_streq(m->team, q->team);
        if (!any || own)
            snprintf(ret_name, n, "%s", own ? m->name : "");
        any = true;
        if (own)
            break; /* the one that can be named */
    }
    return any;
}
