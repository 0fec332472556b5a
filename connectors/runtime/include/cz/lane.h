/* SPDX-License-Identifier: Apache-2.0 */
/** Lanes: the threads of the data path.  A lane owns one consumer of one source cluster (a *slot*)
 *  and runs the tasks that were given to it: poll → stages → shared producer → contiguous offsets →
 *  commit.  Two tasks that read the same partition in one lane share its records, each with its own
 *  position; the one that falls behind makes the lane read again from its position, and the other
 *  skips what it has seen.
 *
 *  Delivery: a record is *done* when its delivery report came, or when it was dropped on purpose.
 *  The position of a cursor is the end of the contiguous run of done records; only that is
 *  committed.  Enqueued is not delivered.
 *
 *  Back-pressure: each task has a budget of bytes and records in flight.  A task whose budget stays
 *  used up stops reading (it *lags*) and goes on where it was once half of it is free; the other
 *  tasks of the lane run on.
 *
 *  Lease: a lane whose worker's lease has run out gives up all its tasks at once and commits
 *  nothing more.
 *
 *  Threads: commands are sent from the herder's thread and carried out on the lane's; a task
 *  belongs to the lane from cz_lane_add() until its REMOVED event. */
#ifndef CZ_LANE_H
#define CZ_LANE_H

#include <stdatomic.h>

#include "cz/drop.h"
#include "cz/kafka.h"
#include "cz/mapping_spec.h"
#include "cz/metrics.h"
#include "cz/offsets_topic.h"
#include "cz/position.h"
#include "cz/producer.h"
#include "cz/replay.h"
#include "cz/stages.h"
#include "cz/topic_file.h"

#define CZ_TASK_BUDGET_BYTES (16 * 1024 * 1024) /* in flight, per task */
#define CZ_TASK_BUDGET_RECORDS 50000            /* some 100 ms of a fast mapping */

/* ---- tasks -------------------------------------------------------------------------------- */

/** What may change while a task runs. */
struct cz_task_settings {
    struct cz_stages *stages; /* a reference */
    enum cz_partitioning partitioning;
    enum cz_on_error on_error;
    struct cz_producer_topic *dead_letter; /* NULL: none */
    bool rate_limits; /* `rate` has a cap */
    int rate_share;   /* of how many tasks this is one */
    struct cz_rate rate;
    int64_t generation; /* of the mapping; goes into the commit's metadata */
};
/** One source partition of a task. */
struct cz_task_partition {
    char *topic; /* owned */
    int32_t partition;
    int64_t start;                      /* read from here */
    bool bounded;                       /* read to position.end, not for ever */
    int64_t until_ms;                   /* 0; else the first record that is so young, and what follows it,
                                           are not read: for an end that is still to come */
    int64_t missing;                    /* offsets before `start` that the source has lost */
    struct cz_position position;        /* to be written beside every commit; its kind and generation
                                           are the task's */
    struct cz_producer_topic *target;   /* of the pair; its partition count must be known */
    struct cz_file_out *file;           /* instead: append to this file of the task's sink */
};
/** Exactly once: the producer has the transactional id `at.writer` and serves this task alone, as
 *  does its lane. */
struct cz_task_txn {
    struct cz_offsets_at at; /* strings are copied */
    int64_t interval_ms;
};
/** Where the task's offset map goes (cz/offset_map.h); the topic is a handle of its producer. */
struct cz_task_map {
    struct cz_producer_topic *topic; /* NULL: no map is kept */
    int32_t partition;
    const char *uid; /* of the mapping; copied */
};
struct cz_task_conf {
    const char *label;  /* "<team>/<mapping>/<task>", for logs and error headers; copied */
    const char *group;  /* commit to this group; NULL: no group. Copied */
    struct cz_admin *source;      /* for commits; borrowed, outlives the task */
    struct cz_producer *producer; /* borrowed, outlives the task; with a sink: only for dead letters, NULL without */
    struct cz_file_sink *sink;    /* records go to files; taken over. `written` of its options is
                                     cz_inflight_written */
    bool exact;                   /* the sink keeps positions: commits to the group say so */
    const struct cz_task_txn *txn; /* NULL: at least once */
    struct cz_task_map map;
    const struct cz_offsets_at *positions; /* at least once, without a group: positions go to the offsets
                                              topic, plain records of it. Strings are copied */
    struct cz_task_settings settings;     /* the reference is taken over */
    struct cz_task_partition *partitions; /* array and its topics are taken over */
    size_t partitions_len;
};
/** The delivery function of every producer that tasks send to. @thread the producer's */
void cz_inflight_delivered(const struct cz_delivery *d);
/** The same for sinks. @thread the sink's */
void cz_inflight_written(void *opaque, const struct cz_error *err);

struct cz_task;
/** @param conf its owned parts move into the task */
struct cz_task *cz_task_new(const struct cz_task_conf *conf);
/** Only before cz_lane_add() or after REMOVED. */
void cz_task_free(struct cz_task *t);

struct cz_partition_counters {
    const char *topic; /* borrowed from the task */
    int32_t partition;
    int64_t in, out, bytes_in, bytes_out, dropped[CZ_DROP_COUNT_];
    int64_t position; /* end of the contiguous done run */
    int64_t end;      /* end of the source partition, -1 unknown */
    int64_t committed; /* acknowledged by the group coordinator, -1 never */
    int64_t newest_ms; /* timestamp of the last record done, 0 none */
    int64_t begin, stop; /* of a bounded copy: from where, and its end; -1 none */
};
struct cz_task_counters {
    struct cz_partition_counters *partitions; /* cz_free */
    size_t len;
    struct cz_histogram delay;
    bool held;       /* waits because of its rate */
    int64_t held_ms; /* has waited so long in all */
    uint64_t version; /* changes when anything changed */
};
/** A recent snapshot (at most about half a second old). @thread any */
void cz_task_counters(struct cz_task *t, struct cz_task_counters *ret);

enum cz_task_event_kind {
    CZ_TASK_EVENT_WAITING, /* reads nothing until a schema is known; error OK: it goes on */
    CZ_TASK_EVENT_FAILED,  /* stopped reading; must be removed by the herder */
    CZ_TASK_EVENT_GAP,     /* the same, because the source has lost what it would read next */
    CZ_TASK_EVENT_FINISHED, /* every partition was copied to its end; must be removed, too */
    CZ_TASK_EVENT_REMOVED, /* the lane has let go of it: free it */
};
struct cz_task_event {
    enum cz_task_event_kind kind;
    struct cz_task *task;
    struct cz_error error; /* WAITING: what for. FAILED, GAP; RETRIABLE: may be started again by itself */
};

/* ---- lanes -------------------------------------------------------------------------------- */

struct cz_lane;
struct cz_lane_options {
    struct cz_cluster *cluster;
    const struct cz_replay *replay; /* instead: files are replayed, for a task of its own; copied */
    const char *name;     /* thread name and client.id, copied */
    const char *group_id; /* of the deployment */
    bool read_committed;
    int prefetch_kib;
    int commit_interval_ms;
    const _Atomic int64_t *lease_until; /* cz_time; outlives the lane */
    /** Runs on the lane's thread; must be quick. */
    void (*on_event)(void *arg, const struct cz_task_event *e);
    void *arg;
};
CZ_MUST_USE enum cz_err cz_lane_new(const struct cz_lane_options *o,
                                    struct cz_lane **ret,
                                    struct cz_error *err);
/** Stops and joins; all tasks must have been removed before. */
void cz_lane_free(struct cz_lane *l);
void cz_lane_add(struct cz_lane *l, struct cz_task *t);
/** @settings' reference is taken over. Acts from the next record on. */
void cz_lane_update(struct cz_lane *l, struct cz_task *t, const struct cz_task_settings *settings);
/** Stop reading, wait for the deliveries and the last commit until @deadline, then REMOVED. */
void cz_lane_remove(struct cz_lane *l, struct cz_task *t, cz_time deadline);
/** Wait until every command sent before has been carried out; false: @deadline passed. */
bool cz_lane_barrier(struct cz_lane *l, cz_time deadline);

#endif
