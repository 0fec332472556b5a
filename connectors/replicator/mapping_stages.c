/* SPDX-License-Identifier: Apache-2.0 */
/** From a mapping's spec to its compiled stages: the one way there, for the worker and for whatever
 *  shows what the worker would do (mapping tests, preview). */
#include "cz/mapping_stages.h"

#include "cz/alloc.h"
#include "cz/secret.h"
#include "cz/stages.h"
#include "cz/util.h"

static enum cz_side_format side(enum cz_format f, bool registry)
{
    switch (f) {
    case CZ_FORMAT_RAW:
        return CZ_SIDE_RAW;
    case CZ_FORMAT_JSON:
        return CZ_SIDE_JSON;
    case CZ_FORMAT_AVRO:
        return registry ? CZ_SIDE_AVRO : CZ_SIDE_JSON;
    case CZ_FORMAT_AUTO:
        break;
    }
    return CZ_SIDE_AUTO;
}

/* Compile @conf with the formats and the masks of @spec, whose secret is resolved for as long as
 * that takes. */
static enum cz_err compile(const struct cz_mapping_spec *spec,
                           const struct cz_mapping_stages_env *env,
                           struct cz_stages_conf *conf,
                           struct cz_stages **ret,
                           struct cz_error *err)
{
    struct cz_secret secret = {0};
    if (cz_mask_needs_secret(spec->mask) && cz_secret_resolve(spec->mask_secret, &secret, err))
        return cz_fail_prefix(err, "the secret for hash masks cannot be had");
    conf->mask = (struct cz_mask_conf){
        .masks = spec->mask, .secret = {secret.value, secret.len}, .team = env->team};
    if (env->schemas)
        conf->schemas = *env->schemas;
    conf->key_format = side(spec->key_format, env->schemas != NULL);
    conf->value_format = side(spec->value_format, env->schemas != NULL);
    enum cz_err code = cz_stages_new(conf, ret, err);
    cz_secret_done(&secret);
    return code;
}

enum cz_err cz_mapping_masks_new(const struct cz_mapping_spec *spec,
                                 const struct cz_mapping_stages_env *env,
                                 struct cz_stages **ret,
                                 struct cz_error *err)
{
    struct cz_stages_conf conf = {0};
    *ret = NULL;
    return json_array_size(spec->mask) > 0 ? compile(spec, env, &conf, ret, err) : CZ_OK;
}

enum cz_err cz_mapping_stages_new(const struct cz_mapping_spec *spec,
                                  const struct cz_mapping_stages_env *env,
                                  struct cz_stages **ret,
                                  struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *label = cz_strf("%s/%s", env->team, env->name);
    struct cz_stages_conf conf = {
        .filter = spec->filter,
        .sample = {.by = spec->sample_by,
                   .salt = spec->sample_salt,
                   .from = spec->sample_from,
                   .to = spec->sample_to},
        .value_map = env->value_map ? env->value_map : spec->value_map,
        .transform = spec->transform,
        .headers = {.add = spec->headers_add,
                    .remove = spec->headers_remove,
                    .rename = spec->headers_rename,
                    .provenance = spec->provenance,
                    .mapping = label,
                    .source_cluster = spec->source_cluster,
                    .source_id = env->source_id ? env->source_id : spec->source_cluster,
                    .target_id = env->target_id ? env->target_id : spec->target_cluster,
                    .generation = env->generation},
        .validate_full = spec->validate_full,
    };
    return compile(spec, env, &conf, ret, err);
}

int32_t cz_mapping_partition(enum cz_partitioning how,
                             const struct cz_record *r,
                             const struct cz_stage_result *s,
                             int32_t n,
                             uint32_t *turn)
{
    if (s->partition >= 0)
        return s->partition;
    if (how == CZ_PARTITION_SAME && r->partition < n)
        return r->partition;
    if (how == CZ_PARTITION_ROUND_ROBIN || !s->key.data)
        return (int32_t)((*turn)++ % (uint32_t)n);
    return cz_java_partition(s->key.data, s->key.len, n);
}
