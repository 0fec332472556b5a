/* SPDX-License-Identifier: Apache-2.0 */
/** Positions of exactly-once tasks: records of the compacted topic `<group id>.offsets` on the target
 *  cluster, written in the transaction whose records they count.  Also of tasks that are at least
 *  once and read files, which have no consumer group: written outside of transactions.
 *
 *  A position.  Key: "<mapping uid>/<source topic>/<partition>".  Value:
 *  {"v":1,"offset":<next to read>,"generation":<of the mapping>,"writer":"<transactional id>",
 *   "position":<see cz/position.h>}.
 *  A claim, written before anything is read.  Key: the same and "/owner".  Value:
 *  {"v":1,"writer":"<transactional id>"}.
 *  All of a mapping is in one partition, by a hash of its uid: claims have one order. */
#ifndef CZ_OFFSETS_TOPIC_H
#define CZ_OFFSETS_TOPIC_H

#include "cz/kafka.h"
#include "cz/position.h"
#include "cz/producer.h"

struct cz_offsets_at {
    struct cz_producer_topic *topic;
    int32_t partition;
    const char *uid;
    const char *writer; /* transactional id; "": outside of transactions, owned by the lease alone */
    void *opaque;       /* of the deliveries */
};
struct cz_offset_record {
    int64_t offset; /* -1: no record at all */
    struct cz_position position;
    char *writer; /* owned */
};

int32_t cz_offsets_partition(const char *uid, int32_t partitions);
char *cz_offset_key(const char *uid, const char *topic, int32_t partition); /* cz_free */
/** Into the transaction that is open. @return as cz_producer_send() */
CZ_MUST_USE enum cz_err cz_offset_record_send(struct cz_producer *p, const struct cz_offsets_at *at,
                                              const char *topic, int32_t partition, int64_t offset,
                                              const struct cz_position *position, struct cz_error *err);
/** @param ret  its writer is replaced; @offset -1 for a claim */
CZ_MUST_USE enum cz_err cz_offset_record_parse(struct cz_slice value, bool claim, struct cz_offset_record *ret,
                                               struct cz_error *err);

/** How a task comes to own its positions; see offsets_claim.c. Strings and handles are borrowed. */
struct cz_offsets_claim {
    struct cz_cluster *target;
    struct cz_admin *admin; /* of the target */
    const char *client_id, *group_id;
    const char *topic;            /* its name */
    struct cz_offsets_at at;      /* at.topic and at.writer: with a producer only */
    struct cz_producer *producer; /* initialised; NULL: to read only, for a task that is at least once */
    /** Initialise a producer of the id and let go of it. */
    enum cz_err (*fence)(void *arg, const char *id, struct cz_error *err);
    bool (*leased)(void *arg);
    void *arg;
};
/** Fence everybody else who may write positions of @parts, and read them. With a producer: own them.
 *  @param ret one for each of @parts, zeroed; cz_free the writers. Errors are all retriable. */
CZ_MUST_USE enum cz_err cz_offsets_take(const struct cz_offsets_claim *c, const struct cz_tp_list *parts,
                                        struct cz_offset_record *ret, struct cz_error *err);
/** Write where the task begins (the offsets of @at), in a transaction of its own.
 *  @param positions  what stands beside them, one for each */
CZ_MUST_USE enum cz_err cz_offsets_begin(const struct cz_offsets_claim *c, const struct cz_tp_list *at,
                                         const struct cz_position *positions, struct cz_error *err);

#endif
