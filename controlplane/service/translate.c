/* SPDX-License-Identifier: Apache-2.0 */
/** Positions of the source told as positions of the target, and back, by the mapping's offset map
 *  (cz/offset_map.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cz/offset_map.h"
#include "offsets_priv.h"

enum { ASK_MS = 20000 };

struct request {
    bool back; /* to_source */
    const char *group;
    const json_t *offsets;
};
struct work {
    struct cz_service *s;
    struct cz_resource r;
    struct cz_mapping_spec *spec;
    struct cz_cluster *source, *target;
    struct cz__admin_use source_use, target_use;
    struct cz_map maps; /* see cz_offset_maps_read() */
    cz_time deadline;
};

static void parse(const json_t *body, struct request *ret, struct cz_report *rep)
{
    const json_t *direction = json_object_get(body, "direction"), *group = json_object_get(body, "group");
    const char *word = direction ? json_string_value(direction) : "to_target", *key;
    json_t *v;
    *ret = (struct request){.back = cz_streq(word, "to_source"),
                            .group = json_string_value(group),
                            .offsets = json_object_get(body, "offsets")};
    json_object_foreach ((json_t *)(uintptr_t)body, key, v) {
        char at[CZ_POINTER_SIZE] = "";
        cz_pointer_push(at, key);
        if (!cz_streq(key, "direction") && !cz_streq(key, "group") && !cz_streq(key, "offsets"))
            (void)cz_report_add(rep, at, "unknown-field", "unknown field");
    }
    if (!ret->back && !cz_streq(word, "to_target"))
        (void)cz_report_add(rep, "/direction", "value", "must be to_target or to_source");
    if (group && (!ret->group || !*ret->group))
        (void)cz_report_add(rep, "/group", "type", "must be the name of a consumer group");
    if (ret->offsets && !json_is_object(ret->offsets))
        (void)cz_report_add(rep, "/offsets", "type", "must be {\"<partition>\": <offset>}, or that by topic");
    if (!group == !ret->offsets)
        (void)cz_report_add(rep, "", "value", "one of group and offsets is needed");
}

static enum cz_err load(struct work *w, const char *team, const char *name, struct cz_error *err)
{
    enum cz_err code = cz__stored_mapping(w->s, team, name, &w->r, &w->spec, err);
    if (!code && (!w->spec->offset_map || !w->s->group_id))
        code = cz_fail(err, CZ_E_CONFLICT, "mapping '%s' keeps no offset map: set offset_map", name);
    if (!code)
        code = cz__stored_cluster(w->s, team, w->spec->source_cluster, &w->source, err);
    if (!code)
        code = cz__stored_cluster(w->s, team, w->spec->target_cluster, &w->target, err);
    if (!code)
        code = cz__admin_take(w->s, w->source, &w->source_use, err);
    if (!code)
        code = cz__admin_take(w->s, w->target, &w->target_use, err);
    if (!code)
        code = cz_offset_maps_read(w->target, w->target_use.admin, w->s->group_id, w->r.uid, w->deadline,
                                   &w->maps, err);
    return code;
}

static void done(struct work *w)
{
    if (w->source_use.admin)
        cz__admin_give(w->s, &w->source_use);
    if (w->target_use.admin)
        cz__admin_give(w->s, &w->target_use);
    cz_map_done(&w->maps);
    cz_mapping_spec_free(w->spec);
    cz_cluster_unref(w->source);
    cz_cluster_unref(w->target);
    cz_resource_done(&w->r);
}

/* "<topic>/<partition>" */
static int32_t partition_in(const char *name, char **ret_topic)
{
    const char *slash = strrchr(name, '/');
    int64_t n = -1;
    *ret_topic = cz_strndup(name, slash ? (size_t)(slash - name) : 0);
    return slash && cz_parse_i64(slash + 1, &n) ? (int32_t)n : -1;
}

/* Where the positions that are asked for are: a partition of the map's one end. */
static void add_places(const struct work *w, const struct request *q, struct cz_tp_list *l)
{
    CZ_MAP_FOREACH (&w->maps, i, e) {
        const struct cz_offset_map *m = e->value;
        CZ_CLEANUP(cz_freep) char *topic = NULL;
        int32_t partition = partition_in(e->key, &topic);
        if (q->back && m->target_topic && m->target_partition >= 0)
            cz_tp_list_add(l, m->target_topic, m->target_partition, -1)->metadata = cz_strdup(e->key);
        else if (!q->back)
            cz_tp_list_add(l, topic, partition, -1)->metadata = cz_strdup(e->key);
    }
}

static int64_t given(const json_t *offsets, const struct cz_tp *tp)
{
    char name[16];
    (void)snprintf(name, sizeof name, "%d", (int)tp->partition);
    const json_t *of = json_object_get(offsets, tp->topic);
    return cz_json_int(json_is_object(of) ? of : offsets, name, -1);
}

/* The places' offsets: as the request says, or the group has committed. */
static enum cz_err fill(const struct work *w, const struct request *q, struct cz_tp_list *l, struct cz_error *err)
{
    CZ_CLEANUP(cz_tp_list_done) struct cz_tp_list asked = {0};
    for (size_t i = 0; q->offsets && i < l->len; i++)
        l->items[i].offset = given(q->offsets, &l->items[i]);
    if (q->offsets)
        return CZ_OK;
    for (size_t i = 0; i < l->len; i++)
        cz_tp_list_add(&asked, l->items[i].topic, l->items[i].partition, -1);
    enum cz_err code = cz_admin_group_offsets(q->back ? w->target_use.admin : w->source_use.admin, q->group,
                                              &asked, w->deadline, err);
    for (size_t i = 0; !code && i < l->len; i++)
        l->items[i].offset = asked.items[i].offset;
    return code;
}

static const char *reason_of(enum cz_translation how)
{
    switch (how) {
    case CZ_TRANSLATED:
        return NULL;
    case CZ_MAP_HOLE:
        return "the map could not be written when this was copied: records may come again";
    case CZ_MAP_BEFORE:
        return "older than what the map knows";
    case CZ_MAP_AHEAD:
        return "not copied yet";
    case CZ_MAP_NONE:
    default:
        return "nothing is known, or its records went to several partitions";
    }
}

static json_t *translate(const struct work *w, const struct request *q, const struct cz_tp *tp)
{
    const struct cz_offset_map *m = cz_map_get(&w->maps, tp->metadata);
    CZ_CLEANUP(cz_freep) char *source = NULL;
    int32_t partition = partition_in(tp->metadata, &source);
    int64_t to = -1;
    enum cz_translation how = q->back ? cz_offset_map_back(m, tp->offset, &to)
                                      : cz_offset_map_forward(m, tp->offset, &to);
    json_t *o = json_object();
    cz_json_set_str(o, "topic", tp->topic);
    (void)json_object_set_new(o, "partition", json_integer(tp->partition));
    (void)json_object_set_new(o, "offset", cz_json_i64(tp->offset));
    (void)json_object_set_new(o, "to_topic", q->back           ? json_string(source)
                                             : m->target_topic ? json_string(m->target_topic)
                                                               : json_null());
    (void)json_object_set_new(o, "to_partition", json_integer(q->back ? partition : m->target_partition));
    (void)json_object_set_new(o, "to_offset", to >= 0 ? cz_json_i64(to) : json_null());
    (void)json_object_set_new(o, "exact", json_boolean(how == CZ_TRANSLATED));
    cz_json_set_str(o, "reason", reason_of(how));
    return o;
}

static int by_place(const void *a, const void *b)
{
    const struct cz_tp *x = a, *y = b;
    int by_topic = strcmp(x->topic, y->topic);
    return by_topic ? by_topic : x->partition - y->partition;
}

enum cz_err cz_service_translate(struct cz_service *s,
                                 const char *team,
                                 const char *name,
                                 const json_t *body,
                                 json_t **ret,
                                 struct cz_report *rep,
                                 struct cz_error *err)
{
    struct request q;
    struct work w = {.s = s, .maps = CZ_MAP_INIT(NULL), .deadline = cz_deadline_ms(ASK_MS)};
    CZ_CLEANUP(cz_tp_list_done) struct cz_tp_list l = {0};
    parse(body, &q, rep);
    if (!cz_report_ok(rep))
        return cz_report_error(rep, err);
    enum cz_err code = load(&w, team, name, err);
    if (!code)
        add_places(&w, &q, &l);
    if (!code && l.len > 0) {
        qsort(l.items, l.len, sizeof *l.items, by_place);
        code = fill(&w, &q, &l, err);
    }
    if (!code) {
        json_t *list = json_array();
        for (size_t i = 0; i < l.len; i++) {
            if (l.items[i].offset >= 0)
                (void)json_array_append_new(list, translate(&w, &q, &l.items[i]));
        }
        *ret = json_object();
        cz_json_set_str(*ret, "direction", q.back ? "to_source" : "to_target");
        cz_json_set_str(*ret, "group", q.group);
        (void)json_object_set_new(*ret, "partitions", list);
    }
    done(&w);
    return code;
}
