/* SPDX-License-Identifier: Apache-2.0 */
/** A mapping as it is now: what a job of the control plane needs that reads or writes on a mapping's behalf
 *  (verify.c, dead_letters.c). */
#ifndef CZ_SERVICE_MAPPING_NOW_H
#define CZ_SERVICE_MAPPING_NOW_H

#include "cz/stages.h"
#include "service_priv.h"

struct cz__mapping_now {
    struct cz_resource mapping;
    struct cz_mapping_spec *spec; /* resolved: value map inline, the topics that a pattern has found */
    /* after open; NULL where that end is a file */
    struct cz_cluster *source, *target;
    struct cz_admin *source_admin, *target_admin; /* of what follows */
    struct cz_registry *source_registry, *target_registry; /* where Avro or copied schemas want them */
    struct cz_stages *stages;
    struct cz__admin_use source_use, target_use;
};
/** Its document. Nobody asks Kafka. cz__mapping_now_done() in any case */
CZ_MUST_USE enum cz_err cz__mapping_now(struct cz_service *s,
                                        const char *team,
                                        const char *name,
                                        struct cz__mapping_now *ret,
                                        struct cz_error *err);
/** Its clusters and its stages. */
CZ_MUST_USE enum cz_err
cz__mapping_now_open(struct cz_service *s, struct cz__mapping_now *m, struct cz_error *err);
void cz__mapping_now_done(struct cz_service *s, struct cz__mapping_now *m);

#endif
