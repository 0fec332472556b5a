/* SPDX-License-Identifier: Apache-2.0 */
/** Insides of lanes and tasks, shared by the files of connectors/runtime only. */
#ifndef CZ_LANE_PRIV_H
#define CZ_LANE_PRIV_H

#include "cz/lane.h"
#include "cz/offset_map.h"
#include "cz/thread.h"
#include "lane_source.h"
#include "tracker.h"

enum { LANE_BATCH = 512 };

/** A source partition as the lane's consumer reads it, for one cursor or several. */
struct lane_reader {
    char *topic;
    int32_t partition;
    struct lane_cursor *cursors; /* linked by next_in_reader */
    bool assigned;               /* the consumer has it */
    bool rewind;                 /* some cursor is behind what is read: assign again */
    cz_time rewind_after;        /* not before: a slow target must not make us read for ever */
    struct lane_reader *next;
};

/** One source partition of one task. */
struct lane_cursor {
    struct cz_task *task;
    struct lane_reader *reader; /* NULL: not reading */
    struct lane_cursor *next_in_reader;
    const struct cz_task_partition *part;
    struct cz_tracker tracker;
    int64_t next; /* offset to process next */
    int64_t stop; /* offset that is not taken any more; INT64_MAX: none */
    bool behind;  /* the consumer is past `next`: take nothing until it was assigned again */
    bool broken;  /* a record failed: the position must not move any more */
    int64_t committing, committed;
    struct cz_partition_counters n; /* live counters, the lane's own */
    /* exactly once */
    struct cz_partition_counters stable; /* as of the last committed transaction */
    struct lane_poison *poison;          /* refused by the target: not to be sent again */
    size_t poison_len;
    struct cz_map_block block; /* of the offset map, when one is kept */
    /* at least once: its record under way; as far as it was acknowledged; where the round is through */
    struct cz_inflight map_sent;
    bool map_sending;
    int64_t mapped, map_want;
};
struct lane_poison {
    int64_t offset;
    int32_t kafka_code;
    uint8_t code; /* enum cz_err */
};

enum txn_state {
    TXN_IDLE,
    TXN_OPEN,
    TXN_COMMITTING,
    TXN_SETTLING, /* committed; delivery reports on their way */
    TXN_ABORTING,
    TXN_REWINDING, /* aborted; delivery reports on their way */
    TXN_DEAD,
};
struct lane_txn {
    struct cz_offsets_at at; /* strings owned */
    int64_t interval_ms;
    enum txn_state state;
    cz_time commit_at, idle_at, give_up_at;
    struct cz_histogram delay; /* as of the last committed transaction */
};

struct lane_rate {
    double records, bytes; /* what may be taken; below 0: owed */
    struct cz_rate_cap cap; /* of now */
    cz_time filled_at, look_at;
    bool held; /* lagging, for that */
    cz_time held_at, resumed_at;
    int64_t held_ms; /* before held_at */
};
struct lane_positions {
    struct cz_offsets_at at;  /* strings owned */
    struct cz_inflight *sent; /* per cursor: the position under way */
};

enum task_phase { PHASE_READING, PHASE_FAILED, PHASE_FINISHED, PHASE_REMOVING };

struct cz_task {
    char *label, *group;
    struct cz_admin *source;
    struct cz_producer *producer;
    struct cz_file_sink *sink; /* owned; NULL: the producer */
    bool exact;
    struct cz_task_settings settings;
    struct cz_task_partition *partitions;
    struct lane_cursor *cursors;
    size_t len;

    /* the lane's */
    struct lane_txn *txn; /* NULL: at least once */
    struct lane_rate rate;
    struct cz_task_map map; /* uid owned */
    cz_time map_at;         /* next round of the offset map */
    cz_time map_until, map_again; /* the one under way: given up, tried again; 0: none is */
    struct lane_positions *positions; /* NULL: the group's */
    enum task_phase phase;
    bool lagging; /* the budget is used up: not reading */
    cz_time waiting_since; /* 0: not waiting for a schema */
    char waiting_for[256]; /* as the herder was told; "": it was not */
    bool fenced;  /* the lease ran out: commit nothing more */
    int64_t inflight_bytes, inflight_records;
    int64_t lag_ms;    /* back-off of `lagging` */
    cz_time resume_at; /* earliest end of `lagging` */
    bool dirty;        /* counters changed since the snapshot */
    uint32_t round_robin;
    struct cz_histogram delay;
    cz_time commit_at, renew_at, remove_deadline;
    bool commit_failed_logged;
    _Atomic int commit_state; /* enum commit_state */
    struct cz_task *next;      /* in the lane's list */
    struct cz_task *next_busy; /* in the list of tasks with something in flight */
    bool busy;
    uint64_t version;

    struct cz_mutex lock; /* snapshot */
    struct cz_partition_counters *snap;
    struct cz_histogram snap_delay;
    bool snap_held;
    int64_t snap_held_ms;
    uint64_t snap_version;
};
enum commit_state { COMMIT_IDLE, COMMIT_BUSY, COMMIT_OK, COMMIT_FAILED };

enum command_kind { CMD_ADD, CMD_UPDATE, CMD_REMOVE };
struct lane_command {
    enum command_kind kind;
    struct cz_task *task;
    struct cz_task_settings settings;
    cz_time deadline;
    struct lane_command *next;
};

struct cz_lane {
    struct cz_lane_options o;
    char *name;
    struct lane_source source;
    const struct cz_event *bad; /* the record of now could not be read: why */
    struct cz_thread thread;
    struct cz_stage_ctx *ctx;
    struct lane_reader *readers;
    struct cz_task *tasks, *busy;
    bool rewinds;   /* some reader wants a rewind */
    bool transactional; /* has had a task that is exactly once */
    bool detaching; /* some failed task is still attached */
    struct cz_event events[LANE_BATCH];
    cz_time now; /* of this turn of the loop */
    cz_time tick_at, snap_at;
    cz_time blocked_at; /* when the lane last waited for a budget */

    struct cz_mutex lock; /* below */
    struct cz_cond done_cond;
    struct lane_command *head, *tail;
    uint64_t sent, done;
    bool stop;
};

/* lane.c */
void lane__emit(struct cz_lane *l, enum cz_task_event_kind kind, struct cz_task *t,
                const struct cz_error *err);
/** Stop reading for this task and tell the herder; it is detached by the loop, not here. */
void lane__fail_task(struct cz_lane *l, struct cz_task *t, const struct cz_error *err);
bool lane__leased(const struct cz_lane *l);
bool lane__has_commands(struct cz_lane *l); /* somebody waits for the lane */
/* lane_readers.c */
void lane__attach(struct cz_lane *l, struct lane_cursor *c);
void lane__detach(struct cz_lane *l, struct lane_cursor *c);
void lane__detach_task(struct cz_lane *l, struct cz_task *t);
void lane__want_rewind(struct cz_lane *l, struct lane_reader *r);
/** Does the cursor take what its reader gives? */
bool lane__takes(const struct lane_cursor *c);
void lane__serve_rewinds(struct cz_lane *l);
/* lane_records.c */
void lane__on_record(struct cz_lane *l, struct lane_reader *r, struct cz_record *rec);
void lane__on_end(struct lane_reader *r, int64_t end, bool last);
void lane__sweep(struct cz_lane *l, struct cz_task *t);
void lane__lag(struct cz_lane *l, struct cz_task *t); /* read nothing for a while, longer each time */
void lane__resume(struct cz_lane *l, struct cz_task *t); /* end `lagging` when it may */
void lane__lag_until(struct cz_lane *l, struct cz_task *t, cz_time when);
/* lane_rate.c */
/** May the task take a record?  Else it is held from now on. */
bool lane__rate_allows(struct cz_lane *l, struct cz_task *t);
void lane__rate_taken(struct cz_task *t, int64_t bytes);
bool lane__rate_resumes(struct cz_task *t); /* may one that is held go on? */
void lane__rate_resumed(struct cz_task *t);
void lane__rate_changed(struct cz_task *t); /* its settings are others now */
int64_t lane__rate_held_ms(const struct cz_task *t);
/** Is it the rate that sets the pace?  Held now, or a moment ago: in between it takes what it may. */
bool lane__rate_holds(const struct cz_task *t);
/* lane_file.c: files as targets */
/** Append the record as the stages left it; @e is reported by cz_inflight_written(). */
CZ_MUST_USE enum cz_err lane__append(const struct lane_cursor *c, const struct cz_record *r,
                                     const struct cz_stage_result *s, struct cz_inflight *e,
                                     struct cz_error *err);
void lane__append_failed(const struct lane_cursor *c, struct cz_error *ret); /* why */
/* lane_wait.c */
/** The record's stages cannot run yet: read it again later. Always false. */
bool lane__wait(struct cz_lane *l, struct cz_task *t, const struct cz_error *why);
void lane__waited(struct cz_lane *l, struct cz_task *t); /* they could again */
/* lane_commit.c */
struct cz_position lane__position(const struct lane_cursor *c); /* to be written beside it */
void lane__commit(struct cz_lane *l, struct cz_task *t, bool now);
bool lane__commit_settled(struct cz_task *t); /* nothing under way, nothing left to commit */
void lane__commit_collect(struct cz_task *t);
/* lane_map.c */
/** Write what is new in the map; with a transaction: into it. CZ_OK also when the queue is full. */
CZ_MUST_USE enum cz_err lane__map_write(struct cz_task *t, struct cz_error *err);
/* At least once */
/** Bring all that is done into the map, step by step. @return it is there, or was given up */
bool lane__map_round(struct cz_task *t);
void lane__map_tick(struct cz_task *t); /* a round now and then */
bool lane__map_last(const struct cz_lane *l, struct cz_task *t); /* and before it goes; @return as above */
bool lane__map_busy(struct cz_task *t); /* a record of it is under way */
/** The position that may be committed: the task's, as far as the map (if any) says where it is. */
int64_t lane__map_reaches(const struct lane_cursor *c);
/* Exactly once */
void lane__map_committed(struct cz_task *t);
void lane__map_aborted(struct cz_task *t);
bool lane__map_pending(const struct cz_task *t); /* something was not written yet */
/* lane_positions.c */
struct lane_positions *lane__positions_new(const struct cz_offsets_at *at, size_t n);
void lane__positions_free(struct lane_positions *p);
/** Of the cursors that want it; true: some are under way. */
bool lane__positions_send(struct cz_task *t, bool (*wanted)(const struct lane_cursor *c));
int lane__positions_state(const struct cz_task *t); /* enum commit_state of what was sent */
/* lane_txn.c */
struct lane_txn *lane__txn_new(const struct cz_task_txn *conf);
void lane__txn_free(struct lane_txn *x);
/** Be in a transaction. */
CZ_MUST_USE enum cz_err lane__txn_begin(struct cz_task *t, struct cz_error *err);
/** Give the transaction up and go back; without one: the producer is of no use any more. */
void lane__txn_abort(struct cz_lane *l, struct cz_task *t, const struct cz_error *why);
void lane__txn_failed(struct cz_lane *l, struct lane_cursor *c, const struct cz_inflight *e);
bool lane__poisoned(const struct lane_cursor *c, int64_t offset, struct cz_error *ret);
/** One step of every transaction; true: one is being ended, read nothing. */
bool lane__txn_drive(struct cz_lane *l);
/** Removing: nothing is left to commit. @late: give up. */
bool lane__txn_over(struct cz_task *t, bool late);

#endif
