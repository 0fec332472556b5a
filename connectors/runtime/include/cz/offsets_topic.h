/* SPDX-License-Identifier: Apache-2.0 */
/** Positions of exactly-once tasks: records of the compacted topic `<group id>.offsets` on the target
 *  cluster, written in the transaction whose records they count.
 *
 *  Key: "<mapping uid>/<source topic>/<partition>".  Value:
 *  {"v":1,"offset":<next to read>,"generation":<of the mapping>,"writer":"<transactional id>",
 *   "position":<see cz/position.h>}.
 *  All of a mapping is in one partition, by a hash of its uid. */
#ifndef CZ_OFFSETS_TOPIC_H
#define CZ_OFFSETS_TOPIC_H

#include "cz/position.h"
#include "cz/producer.h"

struct cz_offsets_at {
    struct cz_producer_topic *topic;
    int32_t partition;
    const char *uid;
    const char *writer; /* transactional id */
};
struct cz_offset_record {
    int64_t offset;     /* -1: no record at all */
    struct cz_position position;
    char *writer; /* owned */
};

int32_t cz_offsets_partition(const char *uid, int32_t partitions);
char *cz_offset_key(const char *uid, const char *topic, int32_t partition); /* cz_free */
/** Into the transaction that is open. @return as cz_producer_send() */
CZ_MUST_USE enum cz_err cz_offset_record_send(struct cz_producer *p, const struct cz_offsets_at *at,
                                              const char *topic, int32_t partition, int64_t offset,
                                              const struct cz_position *position, struct cz_error *err);
/** @param ret  its writer is replaced */
CZ_MUST_USE enum cz_err cz_offset_record_parse(struct cz_slice value, struct cz_offset_record *ret,
                                               struct cz_error *err);

#endif
