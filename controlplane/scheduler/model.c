/* SPDX-License-Identifier: Apache-2.0 */
/* The content of a config topic in memory; see model.h.  Reading is lenient: these are
 * documents that the service has checked, and one that is not understood must not stop the
 * others. */
#include "model.h"

#include <string.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/limits.h"
#include "cz/util.h"

static void mapping_free(struct cz_sched_mapping *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->pairs_len; i++) {
        cz_free(m->pairs[i].source);
        cz_free(m->pairs[i].target);
    }
    cz_free(m->pairs);
    cz_free(m->pattern);
    cz_free(m->template);
    cz_free(m->avoid);
    json_decref(m->exclude);
    cz_free(m->uid);
    cz_free(m->team);
    cz_free(m->name);
    cz_free(m->source);
    cz_free(m->target);
    cz_free(m->dead_letter);
    cz_free(m->service_group);
    cz_free(m->own_group);
    json_decref(m->sync_groups);
    cz_free(m);
}

static void entry_free(void *p)
{
    struct cz_model_entry *e = p;
    mapping_free(e->mapping);
    cz_cluster_unref(e->cluster);
    cz_assignment_free(e->assignment);
    cz_free(e);
}

void cz_model_init(struct cz_model *m)
{
    cz_map_init(&m->entries, entry_free);
}

void cz_model_done(struct cz_model *m)
{
    cz_map_done(&m->entries);
}

uint64_t cz_model_hash(const json_t *value, size_t *ret_len)
{
    json_t *copy = NULL;
    if (json_is_object(value)) {
        copy = json_copy((json_t *)(uintptr_t)value); /* shallow; jansson wants it mutable */
        json_object_del(copy, "v");
        json_object_del(copy, "revision");
        json_object_del(copy, "epoch");
    }
    char *text = cz_json_text(copy ? copy : value, true);
    size_t len = text ? strlen(text) : 0;
    uint64_t h = cz_hash(text ? text : "", len);
    if (ret_len)
        *ret_len = len;
    cz_free(text);
    json_decref(copy);
    return h;
}

static void add_pair(struct cz_sched_mapping *m, const char *source, const char *target)
{
    if (!source || m->pairs_len == CZ_MAX_TOPIC_PAIRS)
        return;
    m->pairs = cz_realloc(m->pairs, (m->pairs_len + 1) * sizeof(*m->pairs));
    m->pairs[m->pairs_len++] = (struct cz_sched_pair){
        .source = cz_strdup(source), .target = cz_strdup(target ? target : source)};
}

static struct cz_sched_mapping *mapping_parse(const json_t *j)
{
    const char *uid = cz_json_str(j, "uid", NULL);
    const char *team = cz_json_str(j, "team", NULL);
    const json_t *spec = json_object_get(j, "spec");
    const json_t *source = json_object_get(spec, "source");
    const json_t *target = json_object_get(spec, "target");
    if (!uid || !team || !json_is_object(spec))
        return NULL;
    struct cz_sched_mapping *m = cz_alloc(sizeof(*m));
    m->uid = cz_strdup(uid);
    m->team = cz_strdup(team);
    m->name = cz_strdup(cz_json_str(j, "name", ""));
    m->source = cz_strf("%s/%s", team, cz_json_str(source, "cluster", ""));
    m->target = cz_strf("%s/%s", team, cz_json_str(target, "cluster", ""));
    m->source_file = json_object_get(source, "file") != NULL;
    m->target_file = json_object_get(target, "file") != NULL;
    size_t i;
    json_t *pair;
    json_array_foreach (json_object_get(spec, "topics"), i, pair)
        add_pair(m, cz_json_str(pair, "source", NULL), cz_json_str(pair, "target", NULL));
    const char *pattern = cz_json_str(source, "pattern", NULL);
    if (pattern) {
        m->pattern = cz_strdup(pattern);
        m->exclude = json_deep_copy(json_object_get(source, "exclude"));
        m->template = cz_strdup(cz_json_str(target, m->target_file ? "file" : "topic", NULL));
    } else if (m->pairs_len == 0)
        add_pair(m, cz_json_str(source, "topic", NULL), cz_json_str(target, "topic", NULL));
    const char *policy = cz_json_str(spec, "topic_policy", "require");
    bool enabled = json_is_true(json_object_get(spec, "enabled"));
    m->enabled = enabled;
    m->sync = enabled && cz_streq(policy, "sync");
    m->acls = m->sync && json_is_true(json_object_get(spec, "topic_acls"));
    m->create = m->sync || (enabled && cz_streq(policy, "create"));
    const char *dead = cz_json_str(json_object_get(spec, "on_error"), "dead_letter", NULL);
    m->avoid = dead && (m->target_file || strcmp(m->source, m->target) == 0) ? cz_strdup(dead) : NULL;
    m->dead_letter = m->create && dead && !m->target_file ? cz_strdup(dead) : NULL;
    if (enabled) {
        m->service_group = cz_strdup(cz_json_str(spec, "target_service_consumer_group", NULL));
        m->switched_on = cz_json_int(j, "switched_on", 0);
        const json_t *sync = json_object_get(spec, "group_sync");
        if (json_array_size(json_object_get(sync, "groups")) > 0)
            m->sync_groups = json_deep_copy(json_object_get(sync, "groups"));
        m->sync_groups_ms = (int)cz_json_int(sync, "interval_ms", 10000);
        m->own_group = cz_strdup(cz_json_str(spec, "consumer_group", ""));
    }
    int64_t tasks = cz_json_int(spec, "tasks", 0);
    m->tasks = tasks > 0 && tasks <= CZ_MAX_TASKS ? (int)tasks : 0;
    if (m->source_file || m->target_file)
        m->tasks = 1; /* who has the file has all of it */
    return m;
}

static struct cz_cluster *cluster_parse(const json_t *j)
{
    struct cz_report rep = CZ_REPORT_INIT;
    struct cz_cluster *c = NULL;
    if (cz_cluster_parse(json_object_get(j, "spec"), "", &c, &rep) != CZ_OK)
        c = NULL;
    cz_report_done(&rep);
    return c;
}

struct cz_model_entry *cz_model_put(
    struct cz_model *m, const char *key, const json_t *value, int64_t revision, uint64_t hash)
{
    if (!value) {
        cz_map_remove(&m->entries, key);
        return NULL;
    }
    char *copy = NULL;
    const char *a = NULL;
    const char *b = NULL;
    struct cz_model_entry *e = cz_alloc(sizeof(*e));
    e->kind = cz_channel_key(key, &copy, &a, &b);
    e->hash = hash;
    e->revision = revision;
    if (e->kind == CZ_CH_MAPPING)
        e->mapping = mapping_parse(value);
    if (e->kind == CZ_CH_CLUSTER)
        e->cluster = cluster_parse(value);
    if (e->kind == CZ_CH_ASSIGNMENT)
        e->assignment = cz_assignment_parse(value);
    cz_free(copy);
    cz_map_put(&m->entries, key, e);
    return e;
}

struct cz_model_entry *cz_model_get(const struct cz_model *m, const char *key)
{
    return cz_map_get(&m->entries, key);
}

struct cz_model_entry *
cz_model_get_uid(const struct cz_model *m, enum cz_channel_kind kind, const char *uid)
{
    char *key = cz_channel_make_key(kind, uid, NULL);
    struct cz_model_entry *e = cz_map_get(&m->entries, key);
    cz_free(key);
    return e;
}
