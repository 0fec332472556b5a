/* SPDX-License-Identifier: Apache-2.0 */
/** Inside the scheduler: the object that all instances have, and the state of one leadership.
 *
 *  Threads: `cz-leader` runs the leadership (leader.c, heal.c, outbox.c, plan.c) and owns
 * struct cz_lead; `cz-keeper` renews it while the leader is busy; the follower and the watch
 * have their own.  Lock order: lead_lock, then view, then watch; `lock` is a leaf. */
#ifndef CZ_SCHEDULER_PRIV_H
#define CZ_SCHEDULER_PRIV_H

#include <stdatomic.h>

#include "cz/metrics.h"
#include "cz/scheduler.h"
#include "cz/thread.h"
#include "model.h"
#include "assign.h"
#include "auditor.h"
#include "group_sync.h"
#include "view.h"
#include "watch.h"

/** What the leader needs of Kafka; the tests put another one in its place. */
struct cz_sched_bus {
    void *arg;
    enum cz_err (*ensure)(void *arg, cz_time deadline, bool *ret_created, struct cz_error *err);
    /** A new writer, which fences the one before. */
    enum cz_err (*open)(void *arg, cz_time deadline, struct cz_error *err);
    enum cz_err (*publish)(void *arg,
                           const struct cz_channel_write *w,
                           size_t n,
                           int64_t epoch,
                           cz_time deadline,
                           struct cz_error *err);
    void (*close)(void *arg); /* the writer, when open */
    /** Until the view has everything that is in the topic now. */
    enum cz_err (*sync)(void *arg, cz_time deadline, struct cz_error *err);
    void (*free)(void *arg);
};
CZ_MUST_USE enum cz_err cz_sched_bus_kafka(struct cz_cluster *control,
                                           const char *group_id,
                                           struct cz_view *view,
                                           struct cz_sched_bus *ret,
                                           struct cz_error *err);

#define CZ_CONTROL_KEY "//control" /* the control cluster's name in the watch: no team is ""   \
                                    */

struct cz_scheduler {
    struct cz_store *store;
    struct cz_cluster *control;
    struct cz_status_view *status;
    struct cz_service *service;
    char *group_id, *instance, *config_topic, *status_topic;
    int lease_ms;
    int verify_ms; /* between two comparisons of topic and model */
    struct cz_sched_bus bus;
    struct cz_view view;
    struct cz_watch *watch;
    struct cz_group_sync groups;
    struct cz_auditor auditor;
    struct cz_thread leader, keeper;
    bool started;

    struct cz_mutex lead_lock; /* guards the next five, and serialises renewals */
    struct cz_cond lead_cond;
    struct cz_leadership *lead; /* NULL: not leading */
    bool stop, in_step, lost;
    cz_time renewed_at, step_began;

    _Atomic bool topics_changed; /* set by the watch */

    struct cz_mutex lock; /* guards what is shown */
    struct cz_scheduler_state state;
    struct cz_map poisoned; /* config key → why it cannot be published */
    struct cz_worker_infos workers;
    cz_time workers_at;
    struct cz_histogram publish_ms;
    int64_t poisoned_total, heals_total, moves_total, published_records, homeless;
};

/** For tests: @bus and @topics instead of Kafka. */
struct cz_scheduler *cz__scheduler_make(const struct cz_scheduler_options *o,
                                        cz_watch_topics_fn topics,
                                        void *topics_arg);
void cz__scheduler_run(struct cz_scheduler *s); /* start the threads */

/* ---- one leadership -------------------------------------------------------------------------
 */

struct cz_lead_write {
    char *key;
    json_t *value; /* NULL: tombstone */
    int64_t revision;
    char *trace_id;
    uint64_t hash;
    size_t size;
    bool bad; /* cannot be published; set by cz__lead_publish */
};
struct cz_lead_writes {
    struct cz_lead_write *items;
    size_t len, cap;
};
void cz__lead_writes_done(struct cz_lead_writes *w);
/** @value is referenced. */
struct cz_lead_write *cz__lead_writes_add(struct cz_lead_writes *w,
                                          const char *key,
                                          const json_t *value,
                                          int64_t revision);

struct cz_lead_rates { /* measured load of a mapping */
    int tasks;
    double *per_task; /* bytes/s */
};
void cz__lead_rates_free(void *p);

struct cz_lead {
    struct cz_scheduler *s;
    int64_t epoch; /* of the leadership, in the store */
    int64_t stamp; /* in the records: epoch, or more when the topic has seen more */
    bool writer;   /* the bus is open */
    bool healed;   /* topic and store were compared in this leadership */
    bool heal_due, full;
    struct cz_model led; /* what we have published, or found published */
    int64_t published;   /* revision up to which everything is in the topic */
    cz_time published_at;
    cz_time ensured_at, retry_at, tick_at, rates_at, verify_at;
    cz_time gaps_at;
    uint64_t gaps_seen;
    unsigned failures;
    unsigned mismatches; /* of view and led in a row */
    char topic_id[24];
    uint64_t resets; /* of the view, seen */

    cz_time plan_due; /* CZ_TIME_NEVER: nothing to plan */
    cz_time balance_at;
    bool balance;
    char *workers;       /* who was there at the last look */
    struct cz_map rates; /* uid → struct cz_lead_rates */
    struct cz_map holds; /* "uid/task" → struct cz_lead_hold; see handover.c */
};

/* Codes of all of these: CZ_E_FENCED: step down; others: retry later. */
CZ_MUST_USE enum cz_err cz__lead_prove(struct cz_lead *L, struct cz_error *err);
/** One transaction; records what is published in the model. Those that cannot be published at
 * all are taken out, so that they hold up nobody else, and marked bad. */
CZ_MUST_USE enum cz_err
cz__lead_publish(struct cz_lead *L, struct cz_lead_writes *w, struct cz_error *err);
CZ_MUST_USE enum cz_err cz__lead_outbox(struct cz_lead *L, struct cz_error *err);
CZ_MUST_USE enum cz_err cz__lead_heal(struct cz_lead *L, struct cz_error *err);
void cz__lead_look_for_damage(struct cz_lead *L);
CZ_MUST_USE enum cz_err cz__lead_plan(struct cz_lead *L, struct cz_error *err);
void cz__lead_plan_soon(struct cz_lead *L, int delay_ms);
void cz__lead_look_at_workers(struct cz_lead *L);
void cz__lead_measure(struct cz_lead *L);
/* handover.c */
void cz__lead_hold_free(void *p);
/** Turn each move away from a worker that is still there into its first half: nobody's. */
void cz__lead_hold_moves(struct cz_lead *L, struct cz_plan_item *items, size_t n,
                         const struct cz_worker_infos *workers);
/** Tasks of @prev that wait for their release; cz_free. NULL: none. */
bool *cz__lead_held(struct cz_lead *L, const char *uid, const struct cz_assignment *prev);
void cz__lead_look_at_holds(struct cz_lead *L);
/* gaps.c */
void cz__lead_look_at_gaps(struct cz_lead *L);
/** The record that carries a revision when nothing else does. */
void cz__lead_marker(struct cz_lead *L,
                     struct cz_lead_writes *w,
                     int64_t revision,
                     size_t count);

void *cz__leader_main(void *arg);
void *cz__keeper_main(void *arg);
void cz__scheduler_wake(struct cz_scheduler *s);

#endif
