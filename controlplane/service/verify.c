/* SPDX-License-Identifier: Apache-2.0 */
/** Proof of copy of one mapping: finds out what it is made of, as it is now, and lets cz_verify()
 * read both sides.  One at a time in a control plane: it reads as fast as the brokers give. */
#include <string.h>

#include "cz/mapping_stages.h"
#include "cz/verify.h"
#include "service_priv.h"

enum {
    ASK_MS = 5000,
    MARGIN_MS = 10000, /* after a change: until then records may have gone by the spec before */
};

struct subject {
    struct cz_resource mapping;
    struct cz_mapping_spec *spec;
    struct cz_cluster *source, *target; /* NULL: that end is a file */
    struct cz_admin *source_admin, *target_admin;
    struct cz_file_folder *folder;
    struct cz_registry *source_registry, *target_registry;
    struct cz_stages *stages;
    struct cz_mapping_stats stats;
    bool known; /* stats are */
};

static enum cz_err parse_spec(const json_t *doc, struct cz_mapping_spec **ret, struct cz_error *err)
{
    struct cz_report rep = CZ_REPORT_INIT;
    enum cz_err code = cz_mapping_spec_parse(doc, "/spec", ret, &rep);
    if (code)
        code = cz_report_error(&rep, err);
    cz_report_done(&rep);
    return code;
}

static enum cz_err value_map(struct cz_service *s, const struct subject *u, const char *name, json_t **ret,
                             struct cz_error *err)
{
    struct cz_resource r = {0};
    enum cz_err code = cz_store_get(s->store, u->mapping.team, CZ_KIND_VALUE_MAP, name, &r, err);
    if (!code)
        *ret = json_incref(json_object_get(r.doc, "spec"));
    cz_resource_done(&r);
    return code;
}

/* The value map that the spec names, or those of its topics. */
static enum cz_err value_maps(struct cz_service *s, const struct subject *u, const struct cz_mapping_spec *spec,
                              json_t **ret, struct cz_error *err)
{
    json_t *topics = json_object();
    enum cz_err code = CZ_OK;
    bool by_topic = false;
    for (size_t i = 0; !code && spec->value_map_ref && i < spec->pairs_len; i++) {
        CZ_CLEANUP(cz_freep) char *name = cz_mapping_topic_map(spec, spec->pairs[i].source);
        struct cz_error own = CZ_ERROR_INIT;
        json_t *map = NULL;
        by_topic |= name != NULL;
        code = name ? value_map(s, u, name, &map, &own) : CZ_OK;
        if (code == CZ_E_NOT_FOUND)
            code = CZ_OK; /* this topic has none */
        else if (code)
            cz_fail_flags(err, code, own.flags, own.detail, "%s", own.text);
        if (map)
            json_object_set_new(topics, spec->pairs[i].source, map);
    }
    if (!code && by_topic)
        *ret = json_pack("{s:O}", "topics", topics);
    else if (!code && spec->value_map_ref)
        code = value_map(s, u, spec->value_map_ref, ret, err);
    json_decref(topics);
    return code;
}

/* As the workers have it: defaults filled in, the value map inline. */
static enum cz_err resolve(struct cz_service *s, struct subject *u, struct cz_error *err)
{
    const json_t *doc = json_object_get(u->mapping.doc, "spec");
    struct cz_mapping_spec *written = NULL;
    json_t *map = NULL, *full = NULL;
    enum cz_err code = parse_spec(doc, &written, err);
    if (!code)
        code = value_maps(s, u, written, &map, err);
    if (!code) {
        full = cz_mapping_spec_resolve(written, doc, u->mapping.team,
                                       cz__group_bearer(&u->mapping), map);
        code = parse_spec(full, &u->spec, err);
    }
    if (!code)
        cz__set_found_topics(s, u->mapping.uid, u->spec);
    if (!code && u->spec->pairs_len == 0)
        code = cz_fail(err, CZ_E_CONFLICT, "mapping '%s' has read no topic yet", u->mapping.name);
    json_decref(full);
    json_decref(map);
    cz_mapping_spec_free(written);
    return code;
}

static enum cz_err cluster(struct cz_service *s, const struct subject *u, const char *name,
                           struct cz_cluster **ret, struct cz_admin **ret_admin, struct cz_error *err)
{
    if (!name)
        return CZ_OK;
    enum cz_err code = cz__stored_cluster(s, u->mapping.team, name, ret, err);
    return code ? code : cz_admin_new(*ret, "citizenk-verify", ret_admin, err);
}

/* Of files: they are in a folder of the workers, who tell nothing of what is in them. */
static enum cz_err folder(struct cz_service *s, struct subject *u, struct cz_error *err)
{
    if (!u->spec->source_file && !u->spec->target_file)
        return CZ_OK;
    if (!s->file_data_path)
        return cz_fail(err, CZ_E_CONFLICT, "mapping '%s' %s files of its worker's --file-data-path; to verify it, give "
                       "the control plane the same folder by --file-data-path (to read is enough)", u->mapping.name,
                       u->spec->source_file ? "reads" : "writes");
    enum cz_err code = cz_file_folder_open(s->file_data_path, &u->folder, err);
    return code ? cz_fail_prefix(err, "this control plane's --file-data-path") : CZ_OK;
}

/* The schemas of Avro, and those of ids that are rewritten. */
static enum cz_err registries(struct subject *u, struct cz_error *err)
{
    const struct cz_mapping_spec *spec = u->spec;
    bool copies = u->source && u->target && (spec->copy_key_schemas || spec->copy_value_schemas);
    bool avro = spec->key_format == CZ_FORMAT_AVRO || spec->value_format == CZ_FORMAT_AVRO;
    enum cz_err code = CZ_OK;
    if (copies || avro)
        code = cz__registry_of(u->source, spec->source_cluster, &u->source_registry, err);
    if (!code && copies)
        code = cz__registry_of(u->target, spec->target_cluster, &u->target_registry, err);
    return code;
}

static enum cz_err cluster_id(struct cz_admin *a, char **ret, struct cz_error *err)
{
    return a ? cz_admin_cluster_id(a, cz_deadline_ms(ASK_MS), ret, err) : CZ_OK;
}

static enum cz_err stages(struct subject *u, struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *from = NULL;
    CZ_CLEANUP(cz_freep) char *to = NULL;
    enum cz_err code = cluster_id(u->source_admin, &from, err);
    if (!code)
        code = cluster_id(u->target_admin, &to, err);
    if (code)
        return code;
    const struct cz_stages_schemas schemas = {.registry = u->source_registry};
    const struct cz_mapping_stages_env env = {.team = u->mapping.team,
                                              .name = u->mapping.name,
                                              .generation = u->mapping.generation,
                                              .schemas = u->source_registry ? &schemas : NULL,
                                              .source_id = from,
                                              .target_id = to};
    return cz_mapping_stages_new(u->spec, &env, &u->stages, err);
}

static enum cz_err look_up(struct cz_service *s, const char *team, const char *name, struct subject *u,
                           struct cz_error *err)
{
    enum cz_err code = cz__name_possible(team, CZ_KIND_MAPPING, name, err);
    if (!code)
        code = cz_store_get(s->store, team, CZ_KIND_MAPPING, name, &u->mapping, err);
    if (!code)
        code = resolve(s, u, err);
    if (!code)
        code = folder(s, u, err);
    if (!code)
        code = cluster(s, u, u->spec->source_cluster, &u->source, &u->source_admin, err);
    if (!code)
        code = cluster(s, u, u->spec->target_cluster, &u->target, &u->target_admin, err);
    if (!code)
        code = registries(u, err);
    if (!code)
        code = stages(u, err);
    if (!code)
        u->known = s->status && cz_status_stats(s->status, u->mapping.uid, &u->stats);
    return code;
}

static void let_go(struct subject *u)
{
    if (u->known)
        cz_mapping_stats_done(&u->stats);
    cz_stages_unref(u->stages);
    cz_registry_unref(u->source_registry);
    cz_registry_unref(u->target_registry);
    cz_file_folder_free(u->folder);
    cz_admin_free(u->source_admin);
    cz_admin_free(u->target_admin);
    cz_cluster_unref(u->source);
    cz_cluster_unref(u->target);
    cz_mapping_spec_free(u->spec);
    cz_resource_done(&u->mapping);
}

/* What no worker has told of since its start may stand in the group. */
static int64_t committed(const struct subject *u, const char *topic, int32_t partition)
{
    const char *group = u->spec->consumer_group;
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_tp_list l = {0};
    int64_t at = -1;
    if (!group || !*group || !u->source_admin)
        return -1;
    cz_tp_list_add(&l, topic, partition, -1);
    if (!cz_admin_group_offsets(u->source_admin, group, &l, cz_deadline_ms(ASK_MS), &err) && !l.items[0].code)
        at = l.items[0].offset;
    cz_tp_list_done(&l);
    return at;
}

static int64_t position(void *arg, const char *topic, int32_t partition)
{
    const struct subject *u = arg;
    for (size_t i = 0; u->known && i < u->stats.len; i++) {
        const struct cz_partition_stats *p = &u->stats.partitions[i];
        if (p->partition == partition && p->position >= 0 && strcmp(p->topic, topic) == 0)
            return p->position;
    }
    return committed(u, topic, partition);
}

/* From where on the mapping, as it is now, has to have copied everything.  A file is replayed whole, and
 * its records tell old times. */
static int64_t since(const struct subject *u)
{
    if (u->spec->source_file)
        return -1;
    if (u->spec->start == CZ_START_EARLIEST && u->mapping.generation == 1)
        return -1;
    return u->mapping.updated_ms + MARGIN_MS;
}

static enum cz_err run(const struct subject *u, const struct cz_verify_request *q, const atomic_bool *stop,
                       json_t **ret, struct cz_error *err)
{
    struct cz_verify_conf conf = {
        .source = u->source,
        .target = u->target,
        .source_admin = u->source_admin,
        .target_admin = u->target_admin,
        .folder = u->folder,
        .source_registry = u->source_registry,
        .target_registry = u->target_registry,
        .client_id = "citizenk-verify",
        .spec = u->spec,
        .stages = u->stages,
        .since_ms = q->since_ms == 0 ? since(u) : q->since_ms,
        .until_ms = q->until_ms,
        .window_ms = q->window_ms,
        .max_records = q->max_records,
        .others = q->others,
        .deadline = q->deadline,
        .stop = stop,
        .position = position,
        .arg = CZ_UNCONST(u),
    };
    enum cz_err code = cz_verify(&conf, ret, err);
    if (code)
        return code;
    cz_json_set_str(*ret, "mapping", u->mapping.name);
    cz_json_set_i64(*ret, "generation", u->mapping.generation);
    cz__set_time(*ret, "since", conf.since_ms > 0 ? conf.since_ms : 0);
    cz__set_time(*ret, "until", conf.until_ms > 0 ? conf.until_ms : 0);
    json_t *notes = json_object_get(*ret, "notes");
    if (q->since_ms == 0 && conf.since_ms > 0)
        json_array_append_new(notes, json_string("since the mapping's last change; give `since` for another time"));
    if (!u->spec->exactly_once)
        json_array_append_new(notes, json_string("delivery at_least_once may double records"));
    return CZ_OK;
}

static bool my_turn(struct cz_service *s, cz_time deadline)
{
    CZ_LOCKED(&s->lock);
    while (s->verifying) {
        if (!cz_cond_wait(&s->verify_done, &s->lock, deadline))
            return false;
    }
    s->verifying = true;
    return true;
}

enum cz_err cz_service_verify(struct cz_service *s, const char *team, const char *name,
                              const struct cz_verify_request *q, json_t **ret, struct cz_error *err)
{
    struct subject u = {0};
    if (!my_turn(s, q->deadline))
        return cz_fail_flags(err, CZ_E_LIMIT, CZ_ERR_RETRIABLE, 0,
                             "other verifications run in this control plane: try again later");
    enum cz_err code = look_up(s, team, name, &u, err);
    if (!code)
        code = run(&u, q, &s->verify_stop, ret, err);
    let_go(&u);
    cz_mutex_lock(&s->lock);
    s->verifying = false;
    cz_cond_broadcast(&s->verify_done);
    cz_mutex_unlock(&s->lock);
    return code;
}
