/* SPDX-License-Identifier: Apache-2.0 */
/** Statistics as CitizenK Replicator has them: a row for each pair of topics of each mapping. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cz/scheduler.h"
#include "service_priv.h"

/* "2023-05-25 18:20:43.875557", UTC. */
static json_t *time_json(int64_t wall_us)
{
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm tm;
    char text[64];
    (void)gmtime_r(&seconds, &tm);
    size_t n = strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
    (void)snprintf(text + n, sizeof text - n, ".%06d", (int)(wall_us % 1000000));
    return json_string(text);
}

static int64_t wall_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

struct numbers {
    int64_t in, out, lag;
    bool lag_known;
    json_t *assigned;
};

/* What is known of the partitions of one source topic. */
static struct numbers
count_topic(const struct cz_mapping_stats *st, const char *topic, bool runs)
{
    struct numbers n = {.lag_known = true, .assigned = json_array()};
    for (size_t i = 0; i < st->len; i++) {
        const struct cz_partition_stats *p = &st->partitions[i];
        if (!cz_streq(p->topic, topic))
            continue;
        n.in += p->in;
        n.out += p->out;
        n.lag += p->lag > 0 ? p->lag : 0;
        n.lag_known &= p->lag >= 0;
        if (runs)
            (void)json_array_append_new(n.assigned, json_integer(p->partition));
    }
    n.lag_known &= json_array_size(n.assigned) > 0;
    return n;
}

static json_t *row_json(const char *name,
                        const struct cz_topic_pair *pair,
                        const json_t *spec,
                        bool group_up,
                        const struct numbers *n)
{
    static const char *const same[] = {"valid_jmespath", "target_service_consumer_group"};
    json_t *o = json_object();
    cz_json_set_str(o, "name", name);
    cz_json_set_str(o, "source_topic_name", pair->source);
    cz_json_set_str(o, "target_topic_name", pair->target);
    for (size_t i = 0; i < 2; i++) {
        json_t *v = json_object_get(spec, same[i]);
        (void)json_object_set(o, same[i], v ? v : json_null());
    }
    (void)json_object_set_new(o, "consumer_group_up", json_boolean(group_up));
    (void)json_object_set(o, "assignments", n->assigned);
    (void)json_object_set_new(o, "lag", n->lag_known ? json_integer(n->lag) : json_null());
    (void)json_object_set_new(o, "source_count", json_integer(n->in));
    (void)json_object_set_new(o, "target_count", json_integer(n->out));
    return o;
}

/* The target service's group is there and somebody reads with it. */
static bool group_up(struct cz_service *s, const char *uid)
{
    struct cz_mapping_view v;
    return cz__mapping_view(s, uid, &v) && v.service_group_state == CZ_GROUP_MEMBERS;
}

static void add_mapping(struct cz_service *s, const struct cz_resource *r, json_t *rows)
{
    const json_t *doc = json_object_get(r->doc, "spec");
    struct cz_report rep = CZ_REPORT_INIT;
    struct cz_mapping_spec *spec = NULL;
    struct cz_mapping_stats st = {.lag = -1};
    if (cz_mapping_spec_parse(doc, "", &spec, &rep) == CZ_OK) {
        bool runs = spec->enabled && !cz__paused(r->override);
        bool known = s->status && cz_status_stats(s->status, r->uid, &st);
        bool up = group_up(s, r->uid);
        cz__set_found_topics(s, r->uid, spec);
        for (size_t i = 0; i < spec->pairs_len; i++) {
            struct numbers n = count_topic(&st, spec->pairs[i].source, runs);
            (void)json_array_append_new(rows, row_json(r->name, &spec->pairs[i], doc, up, &n));
            json_decref(n.assigned);
        }
        if (known)
            cz_mapping_stats_done(&st);
    }
    cz_mapping_spec_free(spec);
    cz_report_done(&rep);
}

/* Records that the workers' producers hold. */
static int64_t queued(struct cz_service *s)
{
    struct cz_worker_infos l = {0};
    int64_t n = 0;
    if (s->status)
        cz_status_workers(s->status, &l);
    for (size_t i = 0; i < l.len; i++)
        n += l.items[i].gone ? 0 : l.items[i].queue;
    cz_worker_infos_done(&l);
    return n;
}

enum cz_err cz_service_pair_stats(struct cz_service *s,
                                  const char *team,
                                  int64_t every_ms,
                                  json_t **ret,
                                  struct cz_error *err)
{
    {
        CZ_LOCKED(&s->lock);
        if (s->pair_stats && cz_now() < s->pair_stats_at + every_ms * CZ_MS &&
            cz_streq(s->pair_stats_team, team)) {
            *ret = json_deep_copy(s->pair_stats);
            return CZ_OK;
        }
    }
    struct cz_list_filter f = {.team = team, .kind = CZ_KIND_MAPPING};
    struct cz_resource_list l = {0};
    enum cz_err code = cz_store_list(s->store, &f, &l, NULL, err);
    if (code)
        return code;
    json_t *rows = json_array();
    for (size_t i = 0; i < l.len; i++)
        add_mapping(s, &l.items[i], rows);
    cz_resource_list_done(&l);
    json_t *all = json_pack("{s:o,s:o,s:I,s:o}", "time", time_json(wall_us()), "started",
                            time_json(s->started_us), "queue", (json_int_t)queued(s), "mappings",
                            rows);
    CZ_LOCKED(&s->lock);
    json_decref(s->pair_stats);
    cz_free(s->pair_stats_team);
    s->pair_stats = json_deep_copy(all);
    s->pair_stats_team = cz_strdup(team);
    s->pair_stats_at = cz_now();
    *ret = all;
    return CZ_OK;
}

void cz__pair_stats_init(struct cz_service *s)
{
    s->started_us = wall_us();
}

void cz__pair_stats_done(struct cz_service *s)
{
    json_decref(s->pair_stats);
    cz_free(s->pair_stats_team);
}
