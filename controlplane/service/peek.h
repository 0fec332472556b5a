/* SPDX-License-Identifier: Apache-2.0 */
/** A few records of a live topic, for who looks at them (preview.c, browse.c).  Bounded in records, bytes
 *  and time; by offsets of its own, so that no group and no position is touched. */
#ifndef CZ_SERVICE_PEEK_H
#define CZ_SERVICE_PEEK_H

#include "cz/consumer.h"
#include "service_priv.h"

enum cz__peek_from {
    CZ__PEEK_LAST,   /* the last `count` of each partition */
    CZ__PEEK_SHARED, /* the last `count` of all partitions together, as evenly as they are filled */
    CZ__PEEK_FIRST,
    CZ__PEEK_OFFSET, /* from `at` on; of a log that begins later from there */
    CZ__PEEK_TIME,
    CZ__PEEK_CHOSEN, /* those of `places`, and no other */
};
struct cz__peek_ask {
    struct cz_cluster *cluster;
    const char *topic;
    const char *client_id;
    bool read_committed;
    cz_time deadline;
    enum cz__peek_from from;
    int64_t at;
    int64_t count;             /* records; of each partition but for SHARED */
    const int32_t *partitions; /* only these; none: all */
    size_t partitions_len;
    const struct cz_preview_place *places;
    size_t places_len;
};
struct cz__peek {
    struct cz_consumer *consumer;
    struct cz_record *records; /* by time, partition, offset; their messages belong to the consumer */
    size_t len, cap;
    int64_t bytes;
    bool complete; /* else time or the bound of bytes ended it */
    struct cz_error trouble; /* the last that Kafka told of, when it is not complete */
};
/** @return CZ_OK · CZ_E_NOT_FOUND: no such topic or partition · CZ_E_FORBIDDEN · CZ_E_UNAVAILABLE
 *  cz__peek_done() in any case. */
CZ_MUST_USE enum cz_err cz__peek(struct cz_service *s,
                                 const struct cz__peek_ask *ask,
                                 struct cz__peek *ret,
                                 struct cz_error *err);
void cz__peek_done(struct cz__peek *p);

#endif
