/* SPDX-License-Identifier: Apache-2.0 */
/** A mapping as it is now, from what is stored. */
#include "mapping_now.h"

#include "cz/mapping_stages.h"

enum { ASK_MS = 5000 };

static enum cz_err parse_spec(const json_t *doc, struct cz_mapping_spec **ret, struct cz_error *err)
{
    struct cz_report rep = CZ_REPORT_INIT;
    enum cz_err code = cz_mapping_spec_parse(doc, "/spec", ret, &rep);
    if (code)
        code = cz_report_error(&rep, err);
    cz_report_done(&rep);
    return code;
}

static enum cz_err value_map(struct cz_service *s, const struct cz__mapping_now *m, const char *name, json_t **ret,
                             struct cz_error *err)
{
    struct cz_resource r = {0};
    enum cz_err code = cz_store_get(s->store, m->mapping.team, CZ_KIND_VALUE_MAP, name, &r, err);
    if (!code)
        *ret = json_incref(json_object_get(r.doc, "spec"));
    cz_resource_done(&r);
    return code;
}

/* The value map that the spec names, or those of its topics. */
static enum cz_err value_maps(struct cz_service *s, const struct cz__mapping_now *m, const struct cz_mapping_spec *spec,
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
        code = name ? value_map(s, m, name, &map, &own) : CZ_OK;
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
        code = value_map(s, m, spec->value_map_ref, ret, err);
    json_decref(topics);
    return code;
}

/* As the workers have it: defaults filled in, the value map inline. */
static enum cz_err resolve(struct cz_service *s, struct cz__mapping_now *m, struct cz_error *err)
{
    const json_t *doc = json_object_get(m->mapping.doc, "spec");
    struct cz_mapping_spec *written = NULL;
    json_t *map = NULL, *full = NULL;
    enum cz_err code = parse_spec(doc, &written, err);
    if (!code)
        code = value_maps(s, m, written, &map, err);
    if (!code) {
        full = cz_mapping_spec_resolve(written, doc, m->mapping.team,
                                       cz__group_bearer(&m->mapping), map);
        code = parse_spec(full, &m->spec, err);
    }
    if (!code)
        cz__set_found_topics(s, m->mapping.uid, m->spec);
    if (!code && m->spec->pairs_len == 0)
        code = cz_fail(err, CZ_E_CONFLICT, "mapping '%s' has read no topic yet", m->mapping.name);
    json_decref(full);
    json_decref(map);
    cz_mapping_spec_free(written);
    return code;
}

/* @name NULL: that end is a file. */
static enum cz_err cluster(struct cz_service *s, const struct cz__mapping_now *m, const char *name,
                           struct cz_cluster **ret, struct cz__admin_use *ret_use, struct cz_error *err)
{
    enum cz_err code = name ? cz__stored_cluster(s, m->mapping.team, name, ret, err) : CZ_OK;
    return code || !name ? code : cz__admin_take(s, *ret, ret_use, err);
}

/* The schemas of Avro, and those of ids that are rewritten. */
static enum cz_err registries(struct cz__mapping_now *m, struct cz_error *err)
{
    const struct cz_mapping_spec *spec = m->spec;
    bool copies = m->source && m->target && (spec->copy_key_schemas || spec->copy_value_schemas);
    bool avro = spec->key_format == CZ_FORMAT_AVRO || spec->value_format == CZ_FORMAT_AVRO;
    enum cz_err code = CZ_OK;
    if (copies || avro)
        code = cz__registry_of(m->source, spec->source_cluster, &m->source_registry, err);
    if (!code && copies)
        code = cz__registry_of(m->target, spec->target_cluster, &m->target_registry, err);
    return code;
}

static enum cz_err cluster_id(struct cz_admin *a, char **ret, struct cz_error *err)
{
    return a ? cz_admin_cluster_id(a, cz_deadline_ms(ASK_MS), ret, err) : CZ_OK;
}

static enum cz_err stages(struct cz__mapping_now *m, struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *from = NULL;
    CZ_CLEANUP(cz_freep) char *to = NULL;
    enum cz_err code = cluster_id(m->source_admin, &from, err);
    if (!code)
        code = cluster_id(m->target_admin, &to, err);
    if (code)
        return code;
    const struct cz_stages_schemas schemas = {.registry = m->source_registry};
    const struct cz_mapping_stages_env env = {.team = m->mapping.team,
                                              .name = m->mapping.name,
                                              .generation = m->mapping.generation,
                                              .schemas = m->source_registry ? &schemas : NULL,
                                              .source_id = from,
                                              .target_id = to};
    return cz_mapping_stages_new(m->spec, &env, &m->stages, err);
}

enum cz_err cz__mapping_now(struct cz_service *s, const char *team, const char *name, struct cz__mapping_now *ret,
                            struct cz_error *err)
{
    *ret = (struct cz__mapping_now){0};
    enum cz_err code = cz__name_possible(team, CZ_KIND_MAPPING, name, err);
    if (!code)
        code = cz_store_get(s->store, team, CZ_KIND_MAPPING, name, &ret->mapping, err);
    return code ? code : resolve(s, ret, err);
}

enum cz_err cz__mapping_now_open(struct cz_service *s, struct cz__mapping_now *m, struct cz_error *err)
{
    enum cz_err code = cluster(s, m, m->spec->source_cluster, &m->source, &m->source_use, err);
    if (!code)
        code = cluster(s, m, m->spec->target_cluster, &m->target, &m->target_use, err);
    m->source_admin = m->source_use.admin;
    m->target_admin = m->target_use.admin;
    if (!code)
        code = registries(m, err);
    return code ? code : stages(m, err);
}

void cz__mapping_now_done(struct cz_service *s, struct cz__mapping_now *m)
{
    cz_stages_unref(m->stages);
    cz_registry_unref(m->source_registry);
    cz_registry_unref(m->target_registry);
    if (m->source_admin)
        cz__admin_give(s, &m->source_use);
    if (m->target_admin)
        cz__admin_give(s, &m->target_use);
    cz_cluster_unref(m->source);
    cz_cluster_unref(m->target);
    cz_mapping_spec_free(m->spec);
    cz_resource_done(&m->mapping);
}
