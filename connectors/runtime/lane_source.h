/* SPDX-License-Identifier: Apache-2.0 */
/** What a lane reads from (private to libcz_runtime): a Kafka consumer, or topic files that are
 *  replayed.  The contract is the consumer's (cz/consumer.h); it is called per batch and per
 *  assignment, never per record. */
#ifndef CZ_LANE_SOURCE_H
#define CZ_LANE_SOURCE_H

#include "cz/consumer.h"
#include "cz/lane.h"

struct lane_source_ops {
    enum cz_err (*assign)(void *self, const char *topic, int32_t partition, int64_t offset, void *opaque,
                          struct cz_error *err);
    enum cz_err (*unassign)(void *self, const char *topic, int32_t partition, struct cz_error *err);
    size_t (*poll)(void *self, struct cz_event *out, size_t max, int timeout_ms);
    void (*wake)(void *self); /* any thread */
    int64_t (*end)(void *self, const char *topic, int32_t partition);
    void (*free)(void *self);
};
struct lane_source {
    const struct lane_source_ops *ops;
    void *self;
};
CZ_MUST_USE enum cz_err lane__source_kafka(const struct cz_consumer_options *o, struct lane_source *ret,
                                           struct cz_error *err);
/** "Topics" are names of files, each has the one partition 0; an offset is the number of a record,
 *  counted on over the turns of a loop. */
void lane__source_files(const struct cz_replay *r, struct lane_source *ret);

#endif
