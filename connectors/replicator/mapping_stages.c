/* SPDX-License-Identifier: Apache-2.0 */
/** From a mapping's spec to its compiled stages: the one way there, for the worker and for whatever
 *  shows what the worker would do (mapping tests, preview). */
#include "cz/mapping_stages.h"

#include "cz/alloc.h"
#include "cz/secret.h"
#include "cz/stages.h"

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

enum cz_err cz_mapping_stages_new(const struct cz_mapping_spec *spec,
                                  const struct cz_mapping_stages_env *env,
                                  struct cz_stages **ret,
                                  struct cz_error *err)
{
    struct cz_secret secret = {0};
    if (cz_mask_needs_secret(spec->mask) && cz_secret_resolve(spec->mask_secret, &secret, err))
        return cz_fail_prefix(err, "the secret for hash masks cannot be had");
    CZ_CLEANUP(cz_freep) char *label = cz_strf("%s/%s", env->team, env->name);
    static const struct cz_stages_schemas none = {0};
    const struct cz_stages_conf conf = {
        .schemas = env->schemas ? *env->schemas : none,
        .filter = spec->filter,
        .sample = {.by = spec->sample_by,
                   .salt = spec->sample_salt,
                   .from = spec->sample_from,
                   .to = spec->sample_to},
        .value_map = env->value_map ? env->value_map : spec->value_map,
        .mask = {.masks = spec->mask, .secret = {secret.value, secret.len}, .team = env->team},
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
        .key_format = side(spec->key_format, env->schemas != NULL),
        .value_format = side(spec->value_format, env->schemas != NULL),
        .validate_full = spec->validate_full,
    };
    enum cz_err code = cz_stages_new(&conf, ret, err);
    cz_secret_done(&secret);
    return code;
}
