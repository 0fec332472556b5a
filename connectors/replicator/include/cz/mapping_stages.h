/* SPDX-License-Identifier: Apache-2.0 */
/** The compiled stages of a mapping, see cz/stages.h.  @thread any */
#ifndef CZ_MAPPING_STAGES_H
#define CZ_MAPPING_STAGES_H

#include "cz/mapping_spec.h"

struct cz_stages_schemas;
/** What the spec does not say. */
struct cz_mapping_stages_env {
    const char *team, *name;
    int64_t generation;
    /* Kafka's own ids of the clusters, for provenance; NULL (nobody asks Kafka): their names */
    const char *source_id, *target_id;
    const struct cz_stages_schemas *schemas; /* NULL (no registry at hand): Avro sides come as their JSON */
    const json_t *value_map; /* of spec->value_map_ref; NULL: what the (resolved) spec holds */
};
struct cz_stages;
/** Secrets are resolved here, by this process; one that cannot be had is an error that names it. */
CZ_MUST_USE enum cz_err cz_mapping_stages_new(const struct cz_mapping_spec *spec,
                                              const struct cz_mapping_stages_env *env,
                                              struct cz_stages **ret,
                                              struct cz_error *err);
/** The masks alone, to show a record that may not be seen unmasked; *ret NULL: there are none. */
CZ_MUST_USE enum cz_err cz_mapping_masks_new(const struct cz_mapping_spec *spec,
                                             const struct cz_mapping_stages_env *env,
                                             struct cz_stages **ret,
                                             struct cz_error *err);

struct cz_record;
struct cz_stage_result;
/** The partition of the target that a record goes to, of @n > 0; may be none of them when the key map says
 *  so.  @turn counts records that go in turn. */
int32_t cz_mapping_partition(enum cz_partitioning how,
                             const struct cz_record *r,
                             const struct cz_stage_result *s,
                             int32_t n,
                             uint32_t *turn);

#endif
