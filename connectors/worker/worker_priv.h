/* SPDX-License-Identifier: Apache-2.0 */
/** Insides of the worker process.
 *
 *  Threads: the config follower puts records into the herder's inbox; the *herder* owns every
 *  mapping and task and decides; *starters* do what may block (metadata, offsets); lanes copy.
 *  Everything reaches the herder as a message (struct w_msg). */
#ifndef CZ_WORKER_PRIV_H
#define CZ_WORKER_PRIV_H

#include <stdatomic.h>

#include "cz/channel.h"
#include "cz/kafka.h"
#include "cz/lane.h"
#include "cz/map.h"
#include "cz/mapping_spec.h"
#include "cz/state.h"
#include "cz/thread.h"

struct worker_options {
    char *bootstrap, *kafka_properties, *group_id, *id, *listen, *log_level, *log_format, *file_data_path;
    int64_t lease_ms, prefetch_kib, commit_interval_ms, position_renewal_s, lanes, starters, capacity;
};

enum { W_MAX_LANES = 8, W_MAX_REFRESH = 64 };

/* ---- clients shared by tasks (clients.c) ---------------------------------------------------- */

/** A producer and how many tasks use it. */
struct w_producer {
    char *key;
    struct cz_producer *producer;
    int refs;
    bool own; /* of one exactly-once task: goes when the task does */
    cz_time unused_since;
    struct w_producer *next;
};
/** The lanes of one source cluster and isolation level. */
struct w_slots {
    char *key;
    struct cz_lane *lanes[W_MAX_LANES];
    struct cz_map parts[W_MAX_LANES]; /* "topic/partition" → (void *)count */
    bool own;                         /* of one exactly-once task; lane 0 only */
    bool left;                        /* that task is gone */
    struct w_slots *next;
};
struct w_clients {
    struct cz_mutex lock;
    struct cz_map admins; /* cluster key → struct cz_admin, kept for the life of the process */
    struct cz_map down;   /* cluster key → cz_time * until when it is not asked again */
    struct cz_map registries; /* registry key → struct cz_registry, kept for the life of the process */
    struct cz_map copiers;    /* two of them → struct cz_schema_copier, the same */
    struct w_producer *producers;
    struct w_slots *slots;
};
struct worker;
struct w_start;
struct w_gap;
void w_clients_init(struct w_clients *c);
void w_clients_done(struct worker *w);
CZ_MUST_USE enum cz_err w_admin(struct worker *w, struct cz_cluster *c, struct cz_admin **ret,
                                struct cz_error *err);
/** CZ_E_UNAVAILABLE while the cluster did not answer a moment ago. */
CZ_MUST_USE enum cz_err w_cluster_usable(struct worker *w, struct cz_cluster *c, struct cz_error *err);
void w_cluster_down(struct worker *w, struct cz_cluster *c);
CZ_MUST_USE enum cz_err w_producer_get(struct worker *w, struct cz_cluster *c, const char *compression,
                                       int linger_ms, int batch_bytes, struct w_producer **ret, struct cz_error *err);
/** A transactional one for a single task; other uses of the id are fenced when it is initialised. */
CZ_MUST_USE enum cz_err w_producer_own(struct worker *w, struct w_start *s, const char *id,
                                       struct w_producer **ret, struct cz_error *err);
void w_producer_put(struct worker *w, struct w_producer *p);
void w_producers_tick(struct worker *w);
/** Take a use of each producer (at most @max); w_producer_put() each. */
int64_t w_producers_queued(struct worker *w); /* records in all of them */
size_t w_producers_hold(struct worker *w, struct w_producer **ret, size_t max);
/** Free a producer that nobody uses; may block. NULL allowed. */
void w_client_reap(struct w_producer *p);
void w_slots_reap(struct w_slots *s); /* the same for a task's own lane */
/** A lane for the task's partitions: the first one that reads none of them, else the last. */
/** With @own_key: a lane of its own.  With @replay that lane reads files; @c is NULL then. */
CZ_MUST_USE enum cz_err w_lane_for(struct worker *w, struct cz_cluster *c, bool read_committed,
                                   const char *own_key, const struct cz_replay *replay, const struct cz_task_partition *parts,
                                   size_t n, struct w_slots **ret, int *ret_index, struct cz_error *err);
void w_lane_leave(struct w_slots *s, int index, const struct cz_task_partition *parts, size_t n);

/* schemas.c */
/** What the mapping's stages need of the clusters' registries; w_schemas_done(). A cluster is NULL where
 *  the end is a file. */
CZ_MUST_USE enum cz_err w_schemas(struct worker *w, const struct cz_mapping_spec *spec,
                                  const struct cz_cluster *source, const struct cz_cluster *target,
                                  struct cz_stages_schemas *ret, struct cz_error *err);
void w_schemas_done(struct cz_stages_schemas *s);
void w_registries_init(struct w_clients *c);
void w_registries_done(struct w_clients *c);

/* ---- mappings and tasks (herder) ------------------------------------------------------------ */

enum w_phase { W_IDLE, W_STARTING, W_RUNNING, W_STOPPING };

struct w_part {
    char *topic;
    int32_t partition;
    bool from_start;
    char topic_id[24]; /* as the leader knows it; "" unknown */
    char was_id[24];   /* of the topic of this name before; "" none */
    char ran_id[24];   /* that this worker read last; "" none */
};
struct w_mapping;
struct w_task {
    struct w_mapping *mapping;
    int n;
    enum w_phase phase;
    enum cz_task_state state;
    struct cz_error error;
    int64_t since_ms;
    int64_t generation; /* of the assignment */
    bool wanted;        /* assigned to us */
    struct w_part *parts;
    size_t parts_len;
    char *print;        /* what it runs, or failed, with; see reconcile.c */
    char *settings_print;
    bool sticky_failure; /* no retry by itself: wait for a change or a restart */
    unsigned attempt;
    cz_time retry_at;
    char *source_id, *target_id; /* Kafka's ids of the clusters, where provenance wants them */
    uint64_t start_seq; /* of the start under way */
    bool finished;      /* its lane says that all is done */
    /* while RUNNING or STOPPING */
    struct cz_task *task;
    struct w_producer *producer;
    struct w_slots *slots;
    int lane;
    cz_time stop_deadline;
    bool gap;         /* its reader was refused: the next start looks what is missing */
    cz_time gap_at;
    int64_t until_ms; /* to be started again then: its end will have come; 0: none */
    bool published; /* the state of now is on the status topic */
    bool renewing;    /* its positions are being committed again: not to be started meanwhile */
    cz_time renew_at; /* when next, while it does not run; 0: not known yet */
    struct w_task *next;
};
/** A task that a dead target holds back: let go of as soon as its deliveries come. */
struct w_zombie {
    struct cz_task *task;
    char *uid;
    struct w_producer *producer;
    struct w_slots *slots;
    int lane;
    struct w_zombie *next;
};
/** Totals of one partition from earlier lives, under "topic/partition". */
struct w_base {
    char *topic;
    int32_t partition;
    struct cz_partition_counters n;
    int64_t resume_generation; /* mapping generation that n.position belongs to; 0: none */
    char topic_id[24];         /* that was read */
};
struct w_mapping {
    char *uid, *team, *name;
    json_t *record;     /* mapping/<uid>; NULL: not known (yet, or any more) */
    json_t *assignment; /* assignment/<uid> */
    struct cz_mapping_spec *spec; /* parsed while something of it is ours */
    char *spec_error;
    int64_t spec_generation;
    bool stale; /* not seen since the config topic was reset */
    bool dirty; /* to be reconciled */
    struct w_task *tasks;
    struct cz_map base;    /* "topic/partition" → struct w_base */
    struct cz_histogram base_delay;
    int64_t base_held_ms;
    uint64_t stats_version;
    bool stats_sent;
};
struct w_cluster {
    json_t *spec;
    struct cz_cluster *cluster; /* NULL: bad spec */
    bool stale;
};

/* ---- messages to the herder ----------------------------------------------------------------- */

enum w_msg_kind { MSG_RECORD, MSG_END, MSG_RESET, MSG_TASK, MSG_STARTED, MSG_STOP };
struct w_start; /* a start job; start.c */
struct w_msg {
    enum w_msg_kind kind;
    struct cz_channel_record record; /* RECORD, owned */
    struct cz_task_event event;      /* TASK */
    struct w_start *start;           /* STARTED */
    struct w_msg *next;
};

struct worker {
    struct worker_options o;
    char incarnation[32];
    int64_t started_ms;
    struct cz_cluster *control;
    struct cz_admin *control_admin;
    struct cz_follower *follower;
    struct cz_status_writer *status;
    struct w_clients clients;
    struct cz_file_folder *files; /* of file_data_path; NULL: none */
    _Atomic int64_t lease_until; /* cz_time */

    struct cz_mutex lock; /* inbox, start queue */
    struct cz_cond cond, start_cond;
    struct w_msg *head, *tail;
    struct w_start *start_head, *start_tail;
    bool starters_stop;
    struct cz_thread herder, *starter;

    /* the herder's */
    struct cz_map mappings; /* uid → struct w_mapping */
    struct cz_map clusters; /* "team/name" → struct w_cluster */
    bool synced;            /* the config topic was read to its end */
    bool leased, settings_seen, stopping;
    bool ended;      /* the config topic of now was read to its end */
    bool syncing;    /* a W_JOB_SYNC is under way */
    bool refreshing; /* a W_JOB_REFRESH is */
    bool renewing;   /* a W_JOB_RENEW is */
    cz_time renew_at; /* when to look for the next one */
    bool unsettled;  /* some lane has not taken up all that was sent to it */
    cz_time refresh_at;
    int64_t applied, epoch;
    int64_t announced; /* applied as last sent */
    uint64_t start_seq;
    cz_time heartbeat_at, stats_at, stop_deadline;
    struct w_zombie *zombies;
    _Atomic bool ready;
};

/* herder.c */
void w_post(struct worker *w, struct w_msg *m);
void w_herder_start(struct worker *w);
void w_herder_stop(struct worker *w);
bool w_leased(const struct worker *w);
/* reconcile.c */
/** Parse the spec when needed; NULL: it cannot be run (m->spec_error says why). */
const struct cz_mapping_spec *w_spec(struct w_mapping *m);
struct w_cluster *w_cluster(struct worker *w, const struct w_mapping *m, const char *name);
/** What a task of this mapping runs with: a change of the first needs a restart, one of the second
 *  acts while it runs. cz_free both. false: not all of it is known yet. */
bool w_prints(struct worker *w, const struct w_task *t, char **ret_print, char **ret_settings);
/** How many tasks share the mapping's rate. */
int w_rate_share(const struct w_mapping *m);
void w_on_record(struct worker *w, const struct cz_channel_record *r);
void w_on_end(struct worker *w);
void w_all_dirty(struct worker *w); /* look at every mapping again */
void w_on_reset(struct worker *w);
void w_reconcile(struct worker *w, struct w_mapping *m);
struct w_mapping *w_mapping_get(struct worker *w, const char *uid, bool make);
void w_mapping_free(void *m);
void w_cluster_free(void *c);
/* tasks.c */
void w_drive(struct worker *w, struct w_task *t);
void w_task_set(struct worker *w, struct w_task *t, enum cz_task_state state, const char *reason);
void w_on_task_event(struct worker *w, const struct cz_task_event *e);
void w_on_started(struct worker *w, struct w_start *s);
void w_task_drop(struct worker *w, struct w_task *t); /* free it; only when IDLE */
bool w_tasks_busy(struct worker *w);                   /* something is still being stopped */
void w_tasks_tick(struct worker *w);
/* renew.c: positions of tasks that do not run are kept from being forgotten */
void w_renew_tick(struct worker *w);
void w_renew_run(struct worker *w, struct w_start *s); /* a starter's */
void w_renew_done(struct worker *w, const struct w_start *s);
/* report.c */
void w_heartbeat(struct worker *w, bool now);
void w_report_task(struct worker *w, struct w_task *t);
void w_report_gap(struct worker *w, const struct w_mapping *m, const struct w_gap *g);
void w_report_stats(struct worker *w);
void w_report_gone(struct worker *w, struct w_mapping *m); /* tombstones of a deleted mapping */
struct w_base *w_base_get(struct w_mapping *m, const char *topic, int32_t partition);
void w_bank(struct w_mapping *m, struct cz_task *t, int64_t generation); /* add a task's counters to the totals */
void w_load_totals(struct worker *w); /* take up the counters that we left on the status topic */
void w_leave(struct worker *w);

/* start.c: what may block is done by the starters */
enum w_job {
    W_JOB_START,   /* find out what a task needs */
    W_JOB_SYNC,    /* wait until the config topic is read to its end */
    W_JOB_REFRESH, /* partition counts of the target topics */
    W_JOB_REAP,    /* free a producer */
    W_JOB_RENEW,   /* commit the positions of an idle task again */
};
/** Where a partition begins and ends; start_places.c. */
struct w_place {
    int64_t at;      /* where to begin; before it is resolved: what to ask ListOffsets for */
    bool ask;        /* `at` is to be resolved */
    bool named;      /* `at` was written by the mapping's author */
    bool fresh;      /* to be committed before anything is read */
    int64_t missing; /* offsets that the source has lost before `at` */
    struct cz_position was;      /* beside what is committed */
    struct cz_position position; /* beside what we shall commit */
};
/** The source has lost what was to be read next; start_gaps.c. */
enum w_gap_kind {
    W_GAP_NONE,
    W_GAP_TRUNCATED, /* the log begins after us */
    W_GAP_RECREATED, /* it is another topic of the same name */
    W_GAP_BEYOND,    /* the same topic ends before us */
};
struct w_gap {
    char *topic;
    int32_t partition;
    enum w_gap_kind kind;
    enum cz_on_gap action; /* what was done: stopped, or gone on at `to` */
    int64_t from, to;
    int64_t missing; /* offsets, where they can be counted */
    struct w_gap *next;
};
struct w_start {
    enum w_job job;
    struct w_producer *spent; /* REAP */
    struct w_slots *spent_lane; /* REAP */
    uint64_t seq;
    char *uid;
    int n;
    /* in */
    struct cz_cluster *source, *target;
    struct w_part *parts;
    size_t parts_len;
    int64_t *resume; /* per part: where we were, -1 unknown; only without a group */
    char *label, *group;
    struct cz_mapping_spec *spec;
    int64_t generation, run;
    bool restarted; /* a restart began this run, not a change */
    bool gap; /* a reader was refused: see what is missing */
    /* out */
    struct cz_error error;
    struct w_place *places; /* per part */
    bool target_failed;     /* where positions were asked for it was the target, not the source */
    struct w_gap *gaps;     /* that were found */
    int64_t until_ms;       /* the time at which the copy ends, when that is still to come */
    struct cz_task_partition *out;
    size_t out_len;
    int batch_bytes; /* what all targets of the mapping take */
    struct cz_topic_rules *rules; /* of the target of each pair, then of the dead-letter topic */
    struct w_producer *producer;
    struct cz_producer_topic *dead_letter;
    struct cz_admin *source_admin;
    struct cz_task_txn txn; /* exactly once; strings owned */
    struct cz_task_map map; /* of offsets; its uid is borrowed */
    struct cz_file_sink *sink; /* a file as target */
    struct cz_file_out **outs; /* per part */
    char *source_id, *target_id;
    struct w_start *next;
};
void w_start_submit(struct worker *w, struct w_start *s);
void w_job_submit(struct worker *w, enum w_job job, struct w_producer *spent, struct w_slots *spent_lane);
void w_start_free(struct worker *w, struct w_start *s);
void *w_starter_main(void *arg);

/* start_places.c */
/** Find out and commit where each part begins and ends, in s->places. */
CZ_MUST_USE enum cz_err w_places(struct worker *w, struct w_start *s, struct cz_error *err);
/** @what: per part what to ask ListOffsets for, replaced by the answer; W_NOT_ASKED stays. */
CZ_MUST_USE enum cz_err w_ask_offsets(struct w_start *s, int64_t *what, bool read_committed,
                                      struct cz_error *err);
#define W_NOT_ASKED INT64_MIN
/** Was this very copy's end resolved before? */
bool w_end_known(const struct w_start *s, const struct w_place *p);
/* start_gaps.c */
/** Look whether the places are there; what is not is answered by `on_gap`. */
CZ_MUST_USE enum cz_err w_gaps(struct w_start *s, struct cz_error *err);
const char *w_gap_kind_name(enum w_gap_kind k);
const char *w_gap_action_name(enum cz_on_gap a);
void w_gaps_free(struct w_gap *g);
void w_place_fill(const struct w_start *s, size_t i, struct cz_task_partition *out);
/* start.c */
const char *w_target_of(const struct cz_mapping_spec *s, const char *source); /* NULL: no such pair */
/* start_file.c */
CZ_MUST_USE enum cz_err w_folder(struct worker *w, struct cz_error *err); /* is there one? */
CZ_MUST_USE enum cz_err w_sink_open(struct worker *w, struct w_start *s, struct cz_error *err);
struct cz_replay w_replay(const struct worker *w, const struct cz_mapping_spec *spec);
/** As w_txn_positions(), from the files. */
void w_sink_positions(struct w_start *s, struct cz_tp_list *l);
CZ_MUST_USE enum cz_err w_sink_claim(struct w_start *s, struct cz_error *err);

/* start_txn.c: positions of exactly-once tasks, see cz/offsets_topic.h */
/** For a file that is at least once: where its positions go, with the task's shared producer. */
CZ_MUST_USE enum cz_err w_plain_positions(struct worker *w, struct w_start *s, struct cz_error *err);
/** The producer of the task, fencing who had its id. */
CZ_MUST_USE enum cz_err w_txn_producer(struct worker *w, struct w_start *s, struct cz_error *err);
/** @l what the group has, per part: put in what the offsets topic has where that counts, as the
 *  group would have it; such places become fresh: to be committed to the group. Exactly once: nobody
 *  else writes positions of these parts any more. */
CZ_MUST_USE enum cz_err w_txn_positions(struct worker *w, struct w_start *s, struct cz_tp_list *l,
                                        struct cz_error *err);
/** Write where we begin, before anything is read. */
CZ_MUST_USE enum cz_err w_txn_begin(struct worker *w, struct w_start *s, struct cz_error *err);

#endif
