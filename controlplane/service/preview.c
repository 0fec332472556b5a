/* SPDX-License-Identifier: Apache-2.0 */
/** Preview: a mapping, saved or not, over records of its live source topic, by the worker's own
 *  stages.  Of a mapping that masks nothing unmasked is shown: its input is the record as the masks
 *  leave it, operands of the filter are withheld, and so is what cannot be masked. */
#include <string.h>

#include "access_priv.h"
#include "cz/mapping_stages.h"
#include "cz/record_json.h"
#include "cz/stages.h"
#include "peek.h"
#include "preview_fields.h"

enum { MAX_AT_ONCE = 4, TIME_MS = 10000, MAX_SHOWN = 16 * 1024, MAX_HEADERS = 1000 };

struct previewing {
    struct cz_service *s;
    const char *team, *name;
    struct cz_mapping_spec *spec;
    int64_t generation; /* of the saved mapping; 0: none */
    json_t *value_map;  /* of the previewed topic; NULL: none or inline */
    struct cz_stages_schemas schemas; /* of Avro; never the copier, which writes */
    cz_time deadline;
    struct cz_stages *stages, *masks; /* masks alone; NULL: none */
    struct cz_stage_ctx *ctx, *mask_ctx, *view_ctx;
    struct cz__fields *fields;
    json_t *out, *records;
    int64_t passed, changed, dropped, errors;
};

/* ---- one record ----------------------------------------------------------------------------
 */

static void set_bytes(json_t *o, const char *key, struct cz_slice bytes)
{
    const char *encoding;
    (void)json_object_set_new(o, key, cz_bytes_json(bytes, MAX_SHOWN, &encoding));
    CZ_CLEANUP(cz_freep) char *name = cz_strf("%s_encoding", key);
    cz_json_set_str(o, name, encoding);
}

static json_t *own_headers(const struct cz_record *r)
{
    struct cz_header *h = cz_alloc_array(MAX_HEADERS, sizeof *h);
    size_t n = r->headers ? r->headers(r, h, MAX_HEADERS) : 0;
    json_t *list = cz_headers_json(h, n < MAX_HEADERS ? n : MAX_HEADERS, MAX_SHOWN);
    cz_free(h);
    return list;
}

/* @r with another key and value, where Avro is shown as its JSON when it can be read. */
static json_t *record_json(const struct previewing *p, const struct cz_record *r, struct cz_slice key,
                           struct cz_slice value, json_t *headers)
{
    json_t *o = json_object();
    struct cz_record shown = *r;
    shown.key = key;
    shown.value = value;
    const struct cz_record as = shown;
    (void)cz_stages_view(p->stages, p->view_ctx, &as, &shown);
    set_bytes(o, "key", shown.key);
    set_bytes(o, "value", shown.value);
    (void)json_object_set_new(o, "headers", headers);
    return o;
}

/* A schema that is not known yet is waited for. */
static void run_stages(const struct previewing *p, const struct cz_stages *s, struct cz_stage_ctx *c,
                       const struct cz_record *r, struct cz_stage_result *ret, struct cz_error *err)
{
    cz_stages_run_until(s, c, r, p->deadline, NULL, ret, err);
}

/* The record as it may be shown; NULL: not at all. */
static json_t *shown_input(struct previewing *p, const struct cz_record *r, json_t *changes)
{
    struct cz_stage_result masked = {.key = r->key, .value = r->value};
    struct cz_error err = CZ_ERROR_INIT;
    json_t *plain = record_json(p, r, r->key, r->value, own_headers(r));
    if (!p->masks)
        return plain;
    run_stages(p, p->masks, p->mask_ctx, r, &masked, &err);
    json_t *shown = NULL;
    if (masked.verdict == CZ_VERDICT_PASS) {
        size_t i;
        json_t *one, *diff;
        shown = record_json(p, r, masked.key, masked.value, own_headers(r));
        diff = cz_json_diff(plain, shown);
        json_array_foreach (diff, i, one) {
            (void)json_object_del(one, "from");
            cz_json_set_str(one, "op", "mask");
            (void)json_array_append(changes, one);
        }
        json_decref(diff);
    }
    json_decref(plain);
    return shown;
}

static json_t *why(struct previewing *p, const struct cz_record *r)
{
    json_t *parts = cz_stages_explain(p->stages, p->ctx, r), *part;
    size_t i;
    json_array_foreach (parts, i, part) {
        if (!p->masks)
            continue;
        (void)json_object_del(part, "operands");
        (void)json_object_del(part, "value");
    }
    return parts ? parts : json_array();
}

static void add_output(struct previewing *p,
                       const struct cz_record *r,
                       const struct cz_stage_result *got,
                       const json_t *input,
                       json_t *changes,
                       json_t *o)
{
    json_t *headers = got->headers_changed ? cz_headers_json(got->headers, got->headers_len, MAX_SHOWN)
                                           : own_headers(r);
    json_t *output = record_json(p, r, got->key, got->value, headers);
    json_t *diff = cz_json_diff(input, output);
    (void)json_array_extend(changes, diff);
    json_decref(diff);
    int64_t partition = got->partition >= 0                              ? got->partition
                        : p->spec->partitioning == CZ_PARTITION_SAME ? r->partition
                                                                       : -1;
    (void)json_object_set_new(output, "partition", partition >= 0 ? json_integer(partition) : json_null());
    (void)json_object_set_new(o, "output", output);
    bool changed = json_array_size(changes) > 0 || got->partition >= 0;
    cz_json_set_str(o, "verdict", changed ? "changed" : "passed");
    p->passed += !changed;
    p->changed += changed;
}

static void preview_record(struct previewing *p, struct cz_record *r)
{
    struct cz_stage_result got;
    struct cz_record seen;
    struct cz_error err = CZ_ERROR_INIT;
    json_t *o = json_object(), *changes = json_array();
    (void)json_object_set_new(o, "partition", json_integer(r->partition));
    cz_json_set_i64(o, "offset", r->offset);
    cz__set_time(o, "timestamp", r->ts_type == CZ_TS_NONE ? 0 : r->timestamp_ms);
    run_stages(p, p->stages, p->ctx, r, &got, &err); /* first: it waits for schemas, what shows Avro does not */
    json_t *input = shown_input(p, r, changes);
    switch (got.verdict) {
    case CZ_VERDICT_PASS:
        add_output(p, r, &got, input, changes, o);
        if (cz_stages_view(p->stages, p->view_ctx, r, &seen))
            cz__fields_add(p->fields, &seen);
        (void)json_object_set(o, "changes", changes);
        break;
    case CZ_VERDICT_DROP:
        p->dropped++;
        cz_json_set_str(o, "verdict", "dropped");
        cz_json_set_str(o, "reason", cz_drop_name(got.drop));
        if (got.drop == CZ_DROP_FILTER)
            (void)json_object_set_new(o, "why", why(p, r));
        break;
    case CZ_VERDICT_WAIT: /* the registry did not answer in time */
    case CZ_VERDICT_ERROR:
        p->errors++;
        cz_json_set_str(o, "verdict", "error");
        cz_json_set_str(o, "stage", got.stage ? got.stage : "decode");
        cz_json_set_str(o, "message", err.text);
        break;
    }
    json_decref(changes);
    (void)json_object_set_new(o, "input", input ? input : json_null());
    (void)json_array_append_new(p->records, o);
}

/* ---- what it needs -------------------------------------------------------------------------
 */

static enum cz_err read_spec(struct previewing *p, const json_t *given, struct cz_report *rep, struct cz_error *err)
{
    struct cz_resource r = {0};
    struct cz_report mine = CZ_REPORT_INIT;
    enum cz_err code = CZ_OK;
    if (p->name)
        code = cz_store_get(p->s->store, p->team, CZ_KIND_MAPPING, p->name, &r, err);
    if (code)
        return code;
    p->generation = r.generation;
    const json_t *spec = given ? given : json_object_get(r.doc, "spec");
    if (cz_mapping_spec_parse(spec, "/spec", &p->spec, &mine))
        code = cz_report_error(&mine, err);
    for (size_t i = 0; i < mine.len; i++)
        (void)cz_report_add(rep, mine.items[i].pointer, mine.items[i].code, "%s", mine.items[i].message);
    cz_report_done(&mine);
    cz_resource_done(&r);
    return code;
}

static enum cz_err read_value_map(struct previewing *p, const char *topic, struct cz_report *rep, struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *own = cz_mapping_topic_map(p->spec, topic);
    const char *name = own ? own : p->spec->value_map_ref;
    struct cz_resource r = {0};
    if (!name)
        return CZ_OK;
    enum cz_err code = cz_store_get(p->s->store, p->team, CZ_KIND_VALUE_MAP, name, &r, own ? NULL : err);
    if (code == CZ_OK)
        p->value_map = json_incref(json_object_get(r.doc, "spec"));
    cz_resource_done(&r);
    if (code == CZ_E_NOT_FOUND && own)
        return CZ_OK; /* this topic has none */
    if (code == CZ_E_NOT_FOUND) {
        cz_error_reset(err);
        (void)cz_report_add(rep, "/spec/value_map", "not-found", "there is no value map \"%s\"", name);
        return cz_report_error(rep, err);
    }
    return code == CZ_OK ? CZ_OK : cz_fail(err, code, "the value map \"%s\" cannot be read now", name);
}

static enum cz_err source_of(struct previewing *p, struct cz_cluster **ret, struct cz_report *rep, struct cz_error *err)
{
    const char *name = p->spec->source_cluster;
    enum cz_err code = cz__stored_cluster(p->s, p->team, name, ret, err);
    if (code != CZ_E_NOT_FOUND)
        return code;
    cz_error_reset(err);
    (void)cz_report_add(rep, "/spec/source/cluster", "not-found", "there is no cluster \"%s\" in team \"%s\"", name,
                        p->team);
    return cz_report_error(rep, err);
}

static enum cz_err open_registry(struct previewing *p, const struct cz_cluster *source, struct cz_error *err)
{
    if (p->spec->key_format != CZ_FORMAT_AVRO && p->spec->value_format != CZ_FORMAT_AVRO)
        return CZ_OK;
    return cz__registry_of(source, p->spec->source_cluster, &p->schemas.registry, err);
}

static enum cz_err compile(struct previewing *p, struct cz_report *rep, struct cz_error *err)
{
    const struct cz_mapping_stages_env env = {.team = p->team,
                                              .name = p->name ? p->name : "",
                                              .generation = p->generation,
                                              .schemas = p->schemas.registry ? &p->schemas : NULL,
                                              .value_map = p->value_map};
    struct cz_error why_not = CZ_ERROR_INIT;
    enum cz_err code = cz_mapping_stages_new(p->spec, &env, &p->stages, &why_not);
    if (!code)
        code = cz_mapping_masks_new(p->spec, &env, &p->masks, &why_not);
    if (code) {
        const char *at = cz_mask_needs_secret(p->spec->mask) ? "/spec/mask_secret" : "/spec";
        (void)cz_report_add(rep, at, "secret", "the mapping cannot be run here: %s", why_not.text);
        return cz_report_error(rep, err);
    }
    p->ctx = cz_stage_ctx_new();
    p->mask_ctx = cz_stage_ctx_new();
    p->view_ctx = cz_stage_ctx_new();
    p->fields = cz__fields_new(p->spec);
    return CZ_OK;
}

/* The topic to read: the mapping's first, or the one that is asked for. */
static enum cz_err topic_of(struct previewing *p, const char *asked, const struct cz_topic_pair **ret,
                            struct cz_report *rep, struct cz_error *err)
{
    const struct cz_mapping_spec *spec = p->spec;
    *ret = spec->pairs_len > 0 ? &spec->pairs[0] : NULL;
    for (size_t i = 0; asked && i < spec->pairs_len; i++) {
        if (cz_streq(spec->pairs[i].source, asked))
            *ret = &spec->pairs[i];
    }
    if (spec->source_file)
        return cz_fail(err, CZ_E_CONFLICT, "the source of this mapping is a file: a preview reads topics");
    if (!*ret)
        return cz_fail(err, CZ_E_CONFLICT, "this mapping has no topic yet");
    if (!asked || cz_streq((*ret)->source, asked))
        return CZ_OK;
    (void)cz_report_add(rep, "/topic", "value", "this mapping does not read topic \"%s\"", asked);
    return cz_report_error(rep, err);
}

/* ---- the use case --------------------------------------------------------------------------
 */

static enum cz__peek_from from_of(const struct cz_preview *w)
{
    return w->places_len > 0         ? CZ__PEEK_CHOSEN
           : w->timestamp_ms >= 0    ? CZ__PEEK_TIME
           : w->offset >= 0          ? CZ__PEEK_OFFSET
                                     : CZ__PEEK_SHARED;
}

/* A mapping's topic that is not there is the mapping's matter, not of the request's path. */
static enum cz_err look(struct previewing *p, const struct cz__peek_ask *ask, struct cz__peek *ret, struct cz_error *err)
{
    struct cz_error why = CZ_ERROR_INIT;
    enum cz_err code = cz__peek(p->s, ask, ret, &why);
    if (!code)
        return CZ_OK;
    bool ours = code == CZ_E_NOT_FOUND || code == CZ_E_FORBIDDEN;
    return cz_fail_flags(err, ours ? CZ_E_CONFLICT : code, why.flags, why.detail, "%s", why.text);
}

static enum cz_err show(struct previewing *p, const struct cz_preview *what, const struct cz_topic_pair *pair,
                        struct cz_cluster *cluster, struct cz_error *err)
{
    struct cz__peek found = {0};
    const struct cz__peek_ask ask = {.cluster = cluster,
                                     .topic = pair->source,
                                     .client_id = "citizenk-preview",
                                     .read_committed = p->spec->read_committed,
                                     .deadline = p->deadline,
                                     .from = from_of(what),
                                     .at = what->timestamp_ms >= 0 ? what->timestamp_ms : what->offset,
                                     .count = what->limit,
                                     .partitions = &what->partition,
                                     .partitions_len = what->partition >= 0,
                                     .places = what->places,
                                     .places_len = what->places_len};
    enum cz_err code = look(p, &ask, &found, err);
    size_t n = found.len;
    if (what->places_len == 0 && n > (size_t)what->limit)
        n = (size_t)what->limit;
    for (size_t i = 0; !code && i < n; i++) {
        found.records[i].target = pair->target;
        preview_record(p, &found.records[i]);
    }
    if (!code) {
        cz_json_set_str(p->out, "topic", pair->source);
        (void)json_object_set_new(p->out, "read", json_integer((json_int_t)n));
        (void)json_object_set_new(p->out, "complete", json_boolean(found.complete));
    }
    cz__peek_done(&found);
    return code;
}

static enum cz_err run(struct previewing *p,
                       const struct cz_preview *what,
                       struct cz_report *rep,
                       struct cz_error *err)
{
    struct cz_cluster *cluster = NULL;
    const struct cz_topic_pair *pair = NULL;
    p->deadline = cz_deadline_ms(TIME_MS);
    enum cz_err code = topic_of(p, what->topic, &pair, rep, err);
    if (!code) {
        const struct cz_access_use use = {.cluster = p->spec->source_cluster,
                                          .type = CZ_GRANT_TOPIC,
                                          .name = pair->source,
                                          .mode = CZ_MODE_PEEK};
        code = cz__may_use(p->s, p->team, &use, err);
    }
    if (!code)
        code = read_value_map(p, pair->source, rep, err);
    if (!code)
        code = source_of(p, &cluster, rep, err);
    if (!code)
        code = open_registry(p, cluster, err);
    if (!code)
        code = compile(p, rep, err);
    if (!code)
        code = show(p, what, pair, cluster, err);
    cz_cluster_unref(cluster);
    return code;
}

static void give(struct previewing *p, json_t **ret)
{
    json_t *o = p->out;
    bool truncated = false;
    (void)json_object_set_new(o, "passed", json_integer(p->passed));
    (void)json_object_set_new(o, "changed", json_integer(p->changed));
    (void)json_object_set_new(o, "dropped", json_integer(p->dropped));
    (void)json_object_set_new(o, "errors", json_integer(p->errors));
    (void)json_object_set_new(o, "masks", json_boolean(p->masks != NULL));
    (void)json_object_set(o, "records", p->records);
    (void)json_object_set_new(o, "unmasked", cz__fields_json(p->fields, &truncated));
    (void)json_object_set_new(o, "unmasked_truncated", json_boolean(truncated));
    *ret = json_incref(o);
}

enum cz_err cz_service_preview(struct cz_service *s,
                               const char *team,
                               const char *name,
                               const json_t *spec,
                               const struct cz_preview *what,
                               json_t **ret,
                               struct cz_report *rep,
                               struct cz_error *err)
{
    struct previewing p = {.s = s, .team = team, .name = name, .out = json_object(), .records = json_array()};
    enum cz_err code = cz__name_possible(team, CZ_KIND_MAPPING, name ? name : "x", err);
    if (!code)
        code = cz__team_known(s, team, err);
    bool room = atomic_fetch_add(&s->previews, 1) < MAX_AT_ONCE;
    if (!code && !room)
        code = cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0,
                             "%d previews are under way: try again in a moment", MAX_AT_ONCE);
    if (!code)
        code = read_spec(&p, spec, rep, err);
    if (!code)
        code = run(&p, what, rep, err);
    atomic_fetch_sub(&s->previews, 1);
    if (!code)
        give(&p, ret);
    json_decref(p.out);
    json_decref(p.records);
    json_decref(p.value_map);
    cz__fields_free(p.fields);
    cz_stage_ctx_free(p.ctx);
    cz_stage_ctx_free(p.mask_ctx);
    cz_stage_ctx_free(p.view_ctx);
    cz_stages_unref(p.stages);
    cz_stages_unref(p.masks);
    cz_registry_unref(p.schemas.registry);
    cz_mapping_spec_free(p.spec);
    return code;
}
