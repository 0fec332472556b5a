/* SPDX-License-Identifier: Apache-2.0 */
/** What the workers say, kept in memory by each control plane: liveness, task states, counters.
 *  Fed by a follower of the status topic.  Liveness is judged by the time *we* received the last
 *  heartbeat (monotonic) and the worker's lease, never by the worker's clock.  @thread any */
#ifndef CZ_STATUS_VIEW_H
#define CZ_STATUS_VIEW_H

#include "cz/channel.h"
#include "cz/drop.h" /* enum cz_drop, cz_drop_name(): in libcz_core */
#include "cz/metrics.h"
#include "cz/state.h"

struct cz_status_view;
CZ_MUST_USE enum cz_err cz_status_view_new(struct cz_cluster *c, const char *group_id,
                                           struct cz_status_view **ret, struct cz_error *err);
void cz_status_view_free(struct cz_status_view *v);
/** The first read to the end is done. */
bool cz_status_view_ready(struct cz_status_view *v);
/** Test seam: feed a record without Kafka (cz_status_view_new with c == NULL follows nothing). */
void cz_status_view_feed(struct cz_status_view *v, const struct cz_channel_record *r);

struct cz_worker_info {
    char *id, *incarnation, *host, *version, *rest;
    int64_t started_ms, at_ms;   /* wall clock */
    int64_t age_ms;              /* since we received its last heartbeat; after a start of ours: since then */
    int64_t lease_ms;
    int64_t applied, epoch;      /* highest revision applied */
    int tasks, capacity;
    int64_t queue;               /* records in its producers */
    bool files;                  /* it has a folder of topic files */
    bool alive;                  /* age_ms <= lease_ms */
    bool gone;                   /* left cleanly, or age_ms > lease + grace: tasks may move */
};
struct cz_worker_infos { struct cz_worker_info *items; size_t len; };
void cz_status_workers(struct cz_status_view *v, struct cz_worker_infos *ret); /* sorted by id */
void cz_worker_infos_done(struct cz_worker_infos *w);

struct cz_task_info {
    int task;
    enum cz_task_state state; /* as reported; UNASSIGNED when its worker is gone */
    char *worker, *incarnation, *error_code, *error_text; /* NULL: none */
    int64_t generation, mapping_generation, since_ms, at_ms;
};
struct cz_task_infos { struct cz_task_info *items; size_t len; };
void cz_status_tasks(struct cz_status_view *v, const char *uid, struct cz_task_infos *ret); /* by number */
/** Forget those with a number of @limit or more. */
void cz_task_infos_below(struct cz_task_infos *t, int limit);
void cz_task_infos_done(struct cz_task_infos *t);

struct cz_partition_stats {
    char *topic;
    int32_t partition;
    char *worker;                     /* who reported last */
    int64_t in, out, bytes_in, bytes_out, dropped[CZ_DROP_COUNT_]; /* totals over all workers */
    int64_t position, end, lag;       /* of the newest report; -1 unknown */
    int64_t newest_ms;                /* timestamp of the last record done, 0 none */
    int64_t begin, stop;              /* of a bounded copy: from where, and its end; -1 none */
};
struct cz_mapping_stats {
    struct cz_partition_stats *partitions; /* sorted by topic, partition */
    size_t len;
    int64_t in, out, bytes_in, bytes_out, dropped[CZ_DROP_COUNT_], lag; /* sums; lag -1 unknown */
    int64_t lag_ms; /* age of the last record done, of the partition that is furthest behind; -1 unknown */
    double in_per_second, out_per_second, bytes_per_second; /* over the last few seconds */
    struct cz_histogram delay;
    bool held;       /* waits because of its rate */
    int64_t held_ms; /* has waited so long, all tasks together */
    int64_t at_ms; /* newest report */
};
/** false: nothing known about @uid. */
bool cz_status_stats(struct cz_status_view *v, const char *uid, struct cz_mapping_stats *ret);
void cz_mapping_stats_done(struct cz_mapping_stats *s);

/** The last gap of a partition: see the record in cz/channel.h. */
struct cz_gap_info {
    char *uid, *topic, *kind, *action, *worker;
    int32_t partition;
    int64_t from, to, missing, at_ms;
    uint64_t seen; /* grows with each record that comes */
};
struct cz_gap_infos { struct cz_gap_info *items; size_t len; };
/** The last of each partition of mapping @uid, by topic and partition. */
void cz_status_gaps(struct cz_status_view *v, const char *uid, struct cz_gap_infos *ret);
/** All that came with a higher `seen` than @after, as they came (of very many only the newest). */
void cz_status_new_gaps(struct cz_status_view *v, uint64_t after, struct cz_gap_infos *ret);
void cz_gap_infos_done(struct cz_gap_infos *g);
/** {"topic","partition","kind","action","from":n|null,"to":n|null,"missing","worker","at"}; new reference */
json_t *cz_gap_json(const struct cz_gap_info *g);

/** Wait until every live worker has applied @revision, or @deadline (false). With no live worker: false. */
bool cz_status_wait_applied(struct cz_status_view *v, int64_t revision, cz_time deadline);
/** Wait until anything about workers or tasks changed since @version (in/out), or the deadline. */
bool cz_status_wait_change(struct cz_status_view *v, uint64_t *version, cz_time deadline);

#endif
