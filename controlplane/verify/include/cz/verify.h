/* SPDX-License-Identifier: Apache-2.0 */
/** Proof of copy: reads both sides of a mapping and tells whether the target holds exactly what
 *  should have arrived, through the mapping's own stages; if not, which record is the first to differ.
 *
 *  Both sides are summed up per partition and window of time: a count, and a hash that does not
 *  depend on the order.  Windows whose sums differ are read again, record by record.
 *
 *  Consistent while the mapping runs: first its positions are taken, then the target's ends, then the
 *  source's.  A record before its partition's position must be there; one behind it may be.
 *  @thread any */
#ifndef CZ_VERIFY_H
#define CZ_VERIFY_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "cz/kafka.h"
#include "cz/mapping_spec.h"
#include "cz/stages.h"
#include "cz/time.h"
#include "cz/topic_file.h"

enum {
    CZ_VERIFY_MAX_WINDOWS = 100000,   /* of all partitions of a pair */
    CZ_VERIFY_MAX_SUSPECTS = 2000000, /* records that are compared one by one */
    CZ_VERIFY_SHOWN = 100,            /* differences that are named */
};

struct cz_verify_conf {
    struct cz_cluster *source, *target; /* NULL: that end is a file */
    struct cz_admin *source_admin, *target_admin;
    struct cz_file_folder *folder;      /* of files; NULL: neither end is one */
    /* of a mapping that makes schema ids those of another registry; else NULL */
    struct cz_registry *source_registry, *target_registry;
    const char *client_id;
    const struct cz_mapping_spec *spec;
    struct cz_stages *stages;    /* without a copier of schemas: nothing is written anywhere */
    int64_t since_ms, until_ms;  /* of record timestamps, [since, until); -1: no bound */
    int64_t window_ms;
    int64_t max_records;         /* of one topic or file: more are refused */
    bool others;                 /* the targets have other writers: what is extra is no difference */
    cz_time deadline;
    const atomic_bool *stop; /* give up when it becomes true */
    /** Next offset that the mapping has not settled; -1: not known. */
    int64_t (*position)(void *arg, const char *topic, int32_t partition);
    void *arg;
};
/** @param ret  {"equal","expected","arrived","pending","dropped":{reason:n},"errors","missing","doubled",
 *   "altered","misplaced","extra","pairs":[{"sources":[…],"target","expected","pending","arrived","windows",
 *   "windows_compared_by_record","timestamps","partitions":[{"partition","expected","pending","arrived",
 *   "hash","sums_equal","first_difference"?}]}],"differences":[{"kind","source"?,"target"?}],"notes":[…]},
 *   a pair for each target
 *  @return CZ_OK also when they differ; CZ_E_LIMIT: more than max_records; CZ_E_CONFLICT: of this mapping
 *  it cannot be told what should be there */
CZ_MUST_USE enum cz_err cz_verify(const struct cz_verify_conf *conf, json_t **ret, struct cz_error *err);

#endif
