/* SPDX-License-Identifier: Apache-2.0 */
/* What the config topic says, and what follows for our tasks. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/log.h"
#include "cz/util.h"
#include "worker_priv.h"

/* ---- the objects ---------------------------------------------------------------------------- */

static void base_free(void *p)
{
    struct w_base *b = p;
    if (!b)
        return;
    cz_free(b->topic);
    cz_free(b);
}

struct w_mapping *w_mapping_get(struct worker *w, const char *uid, bool make)
{
    struct w_mapping *m = cz_map_get(&w->mappings, uid);
    if (m || !make)
        return m;
    m = cz_alloc(sizeof *m);
    m->uid = cz_strdup(uid);
    cz_map_init(&m->base, base_free);
    cz_map_put(&w->mappings, uid, m);
    return m;
}

void w_mapping_free(void *p)
{
    struct w_mapping *m = p;
    if (!m)
        return;
    cz_mapping_spec_free(m->spec);
    json_decref(m->record);
    json_decref(m->assignment);
    cz_map_done(&m->base);
    cz_free(m->uid);
    cz_free(m->team);
    cz_free(m->name);
    cz_free(m->spec_error);
    cz_free(m);
}

void w_cluster_free(void *p)
{
    struct w_cluster *c = p;
    if (!c)
        return;
    json_decref(c->spec);
    cz_cluster_unref(c->cluster);
    cz_free(c);
}

const struct cz_mapping_spec *w_spec(struct w_mapping *m)
{
    if (m->spec || m->spec_error || !m->record)
        return m->spec;
    struct cz_report rep = CZ_REPORT_INIT;
    struct cz_error err = CZ_ERROR_INIT;
    if (cz_mapping_spec_parse(json_object_get(m->record, "spec"), "/spec", &m->spec, &rep)) {
        (void)cz_report_error(&rep, &err);
        m->spec_error = cz_strdup(err.text);
    }
    cz_report_done(&rep);
    return m->spec;
}

struct w_cluster *w_cluster(struct worker *w, const struct w_mapping *m, const char *name)
{
    CZ_CLEANUP(cz_freep) char *key = cz_strf("%s/%s", m->team, name);
    return cz_map_get(&w->clusters, key);
}

/* ---- fingerprints --------------------------------------------------------------------------- */

int w_rate_share(const struct w_mapping *m)
{
    return (int)json_array_size(json_object_get(m->assignment, "tasks"));
}

/* @name NULL: a file's end, which has none. */
static bool cluster_print(struct worker *w, const struct w_mapping *m, const char *name, uint64_t *ret)
{
    const struct w_cluster *c = name ? w_cluster(w, m, name) : NULL;
    if (name && (!c || !c->cluster))
        return false;
    *ret = c ? cz_cluster_hash(c->cluster) : 0;
    return true;
}

bool w_prints(struct worker *w, const struct w_task *t, char **ret_print, char **ret_settings)
{
    struct w_mapping *m = t->mapping;
    const struct cz_mapping_spec *s = w_spec(m);
    uint64_t from = 0, to = 0;
    if (!s || !cluster_print(w, m, s->source_cluster, &from) || !cluster_print(w, m, s->target_cluster, &to))
        return false;
    json_t *fixed = json_deep_copy(json_object_get(m->record, "spec"));
    json_t *live = json_object();
    for (const char *const *name = cz_mapping_live_fields; *name; name++) {
        json_object_set(live, *name, json_object_get(fixed, *name));
        json_object_del(fixed, *name);
    }
    int64_t generation = cz_json_int(m->record, "generation", 0);
    json_object_del(fixed, "tasks");
    json_object_del(fixed, "verify_seconds"); /* the control plane's */
    json_object_del(fixed, "enabled");
    json_t *parts = json_array();
    for (size_t i = 0; i < t->parts_len; i++) {
        /* Another topic of the same name: its tasks start again, and look what is missing. */
        CZ_CLEANUP(cz_freep) char *p = cz_strf("%s/%d/%s", t->parts[i].topic, t->parts[i].partition,
                                               t->parts[i].topic_id);
        json_array_append_new(parts, json_string(p));
    }
    json_object_set_new(fixed, "parts", parts);
    CZ_CLEANUP(cz_freep) char *a = cz_json_text(fixed, true);
    CZ_CLEANUP(cz_freep) char *b = cz_json_text(live, true);
    json_decref(fixed);
    json_decref(live);
    *ret_print = cz_strf("%016" PRIx64 " %016" PRIx64 " r%s g%" PRId64 " %s",
                         from, to,
                         cz_json_str(m->record, "restart", ""),
                         s->on_change == CZ_ON_CHANGE_KEEP ? 0 : generation, a);
    *ret_settings =
        cz_strf("g%" PRId64 " n%d %s", generation, cz_rate_limits(&s->rate) ? w_rate_share(m) : 0, b);
    return true;
}

/* ---- records -------------------------------------------------------------------------------- */

void w_all_dirty(struct worker *w)
{
    CZ_MAP_FOREACH(&w->mappings, i, e)
    {
        ((struct w_mapping *)e->value)->dirty = true;
    }
}

static void on_cluster(struct worker *w, const char *team, const char *name, const json_t *value)
{
    CZ_CLEANUP(cz_freep) char *key = cz_strf("%s/%s", team, name);
    w_all_dirty(w);
    if (!value) {
        cz_map_remove(&w->clusters, key);
        return;
    }
    struct w_cluster *c = cz_alloc(sizeof *c);
    c->spec = json_incref(json_object_get(value, "spec"));
    struct cz_report rep = CZ_REPORT_INIT;
    if (cz_cluster_parse(c->spec, "/spec", &c->cluster, &rep)) {
        struct cz_error err = CZ_ERROR_INIT;
        (void)cz_report_error(&rep, &err);
        cz_log(CZ_LOG_WARN, "herder", "cluster %s cannot be used: %s", key, err.text);
    }
    cz_report_done(&rep);
    cz_map_put(&w->clusters, key, c);
}

static void set_json(json_t **slot, const json_t *value)
{
    json_decref(*slot);
    *slot = value ? json_incref((json_t *)CZ_UNCONST(value)) : NULL;
}

static void on_mapping(struct worker *w, const char *uid, const json_t *value)
{
    struct w_mapping *m = w_mapping_get(w, uid, value != NULL);
    if (!m)
        return;
    set_json(&m->record, value);
    m->dirty = true;
    m->stale = false;
    cz_mapping_spec_free(m->spec);
    m->spec = NULL;
    cz_free(m->spec_error);
    m->spec_error = NULL;
    if (value && !m->team) {
        m->team = cz_strdup(cz_json_str(value, "team", ""));
        m->name = cz_strdup(cz_json_str(value, "name", ""));
    }
}

static void on_assignment(struct worker *w, const char *uid, const json_t *value)
{
    struct w_mapping *m = w_mapping_get(w, uid, value != NULL);
    if (!m)
        return;
    set_json(&m->assignment, value);
    m->dirty = true;
}

void w_on_record(struct worker *w, const struct cz_channel_record *r)
{
    if (r->epoch > 0 && r->epoch < w->epoch) {
        cz_log(CZ_LOG_WARN, "herder", "%s: record of an old leader (epoch %" PRId64 ") ignored", r->key,
               r->epoch);
        return;
    }
    if (r->epoch > w->epoch)
        w->epoch = r->epoch;
    if (r->revision > w->applied)
        w->applied = r->revision;
    const char *a = NULL, *b = NULL;
    CZ_CLEANUP(cz_freep) char *copy = NULL;
    switch (cz_channel_key(r->key, &copy, &a, &b)) {
    case CZ_CH_SETTINGS:
        w->settings_seen = true;
        if (w->ended)
            w_on_end(w); /* a topic that was empty when we read it is whole only now */
        break;
    case CZ_CH_CLUSTER:
        on_cluster(w, a, b, r->value);
        break;
    case CZ_CH_MAPPING:
        on_mapping(w, a, r->value);
        break;
    case CZ_CH_ASSIGNMENT:
        on_assignment(w, a, r->value);
        break;
    case CZ_CH_WORKER:
    case CZ_CH_TASK:
    case CZ_CH_STATS:
    case CZ_CH_GAP:
    case CZ_CH_UNKNOWN:
        break;
    }
}

void w_on_reset(struct worker *w)
{
    cz_log(CZ_LOG_WARN, "herder", "the config topic is another one now: reading it again");
    w->settings_seen = false;
    w->ended = false;
    w->epoch = 0;
    CZ_MAP_FOREACH(&w->mappings, i, e)
    {
        ((struct w_mapping *)e->value)->stale = true;
    }
}

/* Read to its end.  What a fresh topic does not name is gone, but only once the leader has said
 * (settings) that all is there: an empty or half-healed topic stops nobody. */
void w_on_end(struct worker *w)
{
    w->synced = true;
    w->ended = true;
    w_all_dirty(w);
    CZ_MAP_FOREACH(&w->mappings, i, e)
    {
        struct w_mapping *m = e->value;
        if (m->stale && w->settings_seen) {
            set_json(&m->record, NULL);
            set_json(&m->assignment, NULL);
            m->stale = false;
        }
    }
}

/* ---- reconcile ------------------------------------------------------------------------------ */

static struct w_task *task_get(struct w_mapping *m, int n)
{
    for (struct w_task *t = m->tasks; t; t = t->next) {
        if (t->n == n)
            return t;
    }
    struct w_task *t = cz_alloc(sizeof *t);
    t->mapping = m;
    t->n = n;
    t->state = CZ_TASK_UNASSIGNED;
    t->since_ms = cz_wall_ms();
    t->next = m->tasks;
    m->tasks = t;
    return t;
}

static void take_topic_id(struct w_part *p, const json_t *topics)
{
    size_t i;
    json_t *topic;
    json_array_foreach(topics, i, topic)
    {
        if (!cz_streq(cz_json_str(topic, "topic", ""), p->topic))
            continue;
        (void)snprintf(p->topic_id, sizeof p->topic_id, "%s", cz_json_str(topic, "id", ""));
        (void)snprintf(p->was_id, sizeof p->was_id, "%s", cz_json_str(topic, "was_id", ""));
    }
}

static void take_parts(struct w_task *t, const json_t *list, const json_t *topics)
{
    for (size_t i = 0; i < t->parts_len; i++)
        cz_free(t->parts[i].topic);
    cz_free(t->parts);
    t->parts_len = json_array_size(list);
    t->parts = cz_alloc_array(t->parts_len + 1, sizeof *t->parts);
    for (size_t i = 0; i < t->parts_len; i++) {
        const json_t *p = json_array_get(list, i);
        t->parts[i].topic = cz_strdup(cz_json_str(p, "topic", ""));
        t->parts[i].partition = (int32_t)cz_json_int(p, "partition", 0);
        t->parts[i].from_start = cz_json_bool(p, "from_start", false);
        take_topic_id(&t->parts[i], topics);
    }
}

void w_reconcile(struct worker *w, struct w_mapping *m)
{
    m->dirty = false;
    for (struct w_task *t = m->tasks; t; t = t->next)
        t->wanted = false;
    size_t i;
    json_t *item;
    json_array_foreach(m->record ? json_object_get(m->assignment, "tasks") : NULL, i, item)
    {
        if (!cz_streq(cz_json_str(item, "worker", ""), w->o.id))
            continue;
        struct w_task *t = task_get(m, (int)cz_json_int(item, "task", 0));
        t->wanted = true;
        int64_t generation = cz_json_int(m->assignment, "generation", 0);
        if (generation != t->generation)
            t->published = false;
        t->generation = generation;
        take_parts(t, json_object_get(item, "partitions"), json_object_get(m->assignment, "topics"));
    }
    for (struct w_task *t = m->tasks, *next; t; t = next) {
        next = t->next; /* w_drive may drop t */
        w_drive(w, t);
    }
    /* An assignment may come before its mapping: then it waits. */
    bool waits = m->assignment && !m->team;
    if (!m->record && !m->tasks && !waits) {
        w_report_gone(w, m);
        cz_map_remove(&w->mappings, m->uid);
    }
}
