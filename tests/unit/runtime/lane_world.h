/* SPDX-License-Identifier: Apache-2.0 */
/** A lane between two mock clusters, for the tests of connectors/runtime. */
#ifndef LANE_WORLD_H
#define LANE_WORLD_H

#include "cz/lane.h"
#include "cz/thread.h"
#include "mock_kafka.h"

struct world {
    struct mock *source, *target;
    struct cz_cluster *from, *to;
    struct cz_admin *admin;
    struct cz_producer *producer;
    struct cz_task_txn *txn; /* world_exact(): tasks are exactly once */
    struct cz_lane *lane;
    _Atomic int64_t lease_until;
    struct cz_mutex lock;
    struct cz_cond cond;
    struct cz_task *failed[64], *removed[64];
    int failed_n, gap_n, removed_n, finished_n;
    struct cz_task *added[64]; /* for the teardown of a test that failed half-way */
    int added_n;
    struct cz_error error;
};
struct wish {
    const char *filter, *value_map;
    const char *group; /* default: "g" */
    enum cz_on_error on_error;
    enum cz_partitioning partitioning;
    int64_t start;
    int64_t end; /* 0: none */
    int64_t until_ms, missing;
    struct cz_rate rate;
    int rate_share;
    int partitions;
    bool map; /* an offset map is kept on "map" */
    int32_t map_partition;
};
int world_setup(void **state);
int world_teardown(void **state);
/** From here on tasks are exactly once, with transactions of @interval_ms; positions on "pos". */
void world_exact(struct world *w, int64_t interval_ms);
/** A producer of ours on the target; @id NULL: without transactions. */
struct cz_producer *world_producer(struct world *w, const char *id);
struct cz_task_settings world_settings(struct world *w, const struct wish *wish);
struct cz_task *add_task(struct world *w, const struct wish *wish);
struct cz_partition_counters counters(struct cz_task *t, size_t i);
void wait_position(struct cz_task *t, size_t i, int64_t position);
bool wait_count(struct world *w, const int *count, int want, int ms);
void remove_task(struct world *w, struct cz_task *t);
int64_t committed_by(struct world *w, const char *group, int32_t partition);
int64_t committed(struct world *w, int32_t partition);
void nap_ms(int ms);

/** Values must be @format of the numbers from @next on; dead letters carry their stage. */
struct expect {
    const char *format;
    int next, step, n;
    const char *stage;
};
void check_record(void *arg, int64_t offset, const char *key, size_t key_len, const char *value,
                  size_t len, const char *stage);

#endif
