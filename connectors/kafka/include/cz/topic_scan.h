/* SPDX-License-Identifier: Apache-2.0 */
/** Reading a topic of a cluster from given offsets to given ends, all partitions at once; no group takes
 *  part.  For bounded jobs (proof of copy, dead letters), not for the data path.  @thread one per scan */
#ifndef CZ_TOPIC_SCAN_H
#define CZ_TOPIC_SCAN_H

#include <stdatomic.h>

#include "cz/kafka.h"
#include "cz/record.h"

struct cz_scan {
    struct cz_cluster *cluster; /* borrowed, as admin and topic */
    struct cz_admin *admin;
    const char *topic;
    int32_t partitions;
    int64_t *begin, *end; /* per partition: [begin, end) is read; the caller fills them in */
    char topic_id[24];    /* "": the broker does not tell */
};
/** Its partitions are asked for; a topic that is not there is CZ_E_NOT_FOUND. cz_scan_done() */
CZ_MUST_USE enum cz_err cz_scan_open(struct cz_scan *s, struct cz_cluster *c, struct cz_admin *a,
                                     const char *topic, cz_time deadline, struct cz_error *err);
void cz_scan_done(struct cz_scan *s);
/** @what CZ_OFFSET_LATEST, CZ_OFFSET_EARLIEST or a time; @at one for each partition. */
CZ_MUST_USE enum cz_err cz_scan_ask(const struct cz_scan *s, int64_t what, bool read_committed,
                                    int64_t *at, cz_time deadline, struct cz_error *err);
int64_t cz_scan_count(const struct cz_scan *s); /* offsets in all of [begin, end) */

struct cz_scan_options {
    const char *client_id;
    bool read_committed;
    cz_time deadline;
    const atomic_bool *stop; /* give up when it becomes true; NULL: nobody says so */
    /** Each record, in order within a partition. An error (with @err) ends the scan. */
    enum cz_err (*record)(void *arg, const struct cz_record *r, struct cz_error *err);
    void *arg;
};
/** Read all of it. CZ_E_TIMEOUT: not within the deadline; CZ_E_CONFLICT: it was truncated meanwhile. */
CZ_MUST_USE enum cz_err cz_scan_run(const struct cz_scan *s, const struct cz_scan_options *o,
                                    struct cz_error *err);

#endif
