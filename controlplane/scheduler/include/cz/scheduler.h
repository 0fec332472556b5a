/* SPDX-License-Identifier: Apache-2.0 */
/** The scheduler: one per control plane instance.  Exactly one instance leads at a time; the
 * leader alone writes the config topic: what the outbox holds, in order, and which worker runs
 * which partitions.  Every instance, leading or not, follows the config topic and watches the
 * topics that mappings use, so that any of them can answer for the state of a mapping. See
 * README.md beside it for the decisions.  @thread any, unless said otherwise */
#ifndef CZ_SCHEDULER_H
#define CZ_SCHEDULER_H

#include <stdbool.h>
#include <stdint.h>

#include "cz/buf.h"
#include "cz/error.h"
#include "cz/kafka.h"
#include "cz/status_view.h"
#include "cz/storage.h"

struct cz_scheduler;
struct cz_service;

struct cz_scheduler_options {
    struct cz_store *store;        /* borrowed, outlives the scheduler */
    struct cz_cluster *control;    /* borrowed: the cluster of the config and status topics */
    struct cz_status_view *status; /* borrowed */
    struct cz_service
        *service;         /* borrowed; ends due overrides once a second; NULL: nobody does */
    const char *group_id; /* the deployment's id */
    const char *instance; /* this control plane's name, shown as the leader */
    int lease_ms;         /* of the leadership; 0: 3000 */
    int groups_interval_ms;   /* between two looks at the target services' groups; 0: 2000 */
    int metadata_interval_ms; /* between two looks at a cluster's topics; 0: 2000 */
    int audit_seal_ms;        /* between two seals of the history; 0: none are made */
    const char *audit_topic;  /* of the control cluster, for events and seals; NULL: none */
};
/** Makes the object; nothing runs and nothing connects yet. */
CZ_MUST_USE enum cz_err cz_scheduler_new(const struct cz_scheduler_options *o,
                                         struct cz_scheduler **ret,
                                         struct cz_error *err);
/** Start its threads; brokers and database may be away, it waits for them. */
CZ_MUST_USE enum cz_err cz_scheduler_start(struct cz_scheduler *s, struct cz_error *err);
/** Give the leadership back and stop working (a few seconds at most). What is known of mappings
 *  can still be asked for. Idempotent. */
void cz_scheduler_stop(struct cz_scheduler *s);
void cz_scheduler_free(struct cz_scheduler *s); /* stops; NULL allowed */

struct cz_scheduler_state {
    bool leader;           /* this instance leads and has compared topic and store */
    int64_t epoch;         /* of our leadership; 0: not leading */
    char leader_name[208]; /* who leads, as far as known; "" unknown */
    bool config_ready;     /* the config topic was read to its end */
    int64_t published;     /* leader: revision up to which everything is published */
    int pending;           /* leader: outbox rows seen and not yet published */
    char problem[256];     /* what keeps it from its work now; "" nothing */
};
void cz_scheduler_get_state(struct cz_scheduler *s, struct cz_scheduler_state *ret);
/** Is it able to do its part? For /readyz: config topic read, control cluster reachable. */
CZ_MUST_USE enum cz_err cz_scheduler_ready(struct cz_scheduler *s, struct cz_error *err);
/** Prometheus families of the scheduler. */
void cz_scheduler_metrics(struct cz_scheduler *s, struct cz_buf *out);

/* ---- for the conditions of a mapping: any instance answers --------------------------------
 */

enum cz_condition { CZ_COND_FALSE, CZ_COND_TRUE, CZ_COND_UNKNOWN };

struct cz_mapping_view {
    enum cz_condition topics_exist;
    char topics_reason[32]; /* "TopicsExist" "TopicMissing" "TopicForbidden"
                               "ClusterUnreachable" "Checking" */
    char topics_message[256];
    bool syncs_topics; /* else what follows is empty */
    enum cz_condition topics_synced;
    char synced_reason[32]; /* "InSync" "MorePartitions" "NotSynced" "Waiting" */
    char synced_message[256];
    bool syncs_groups; /* else what follows is empty */
    enum cz_condition groups_synced;
    char groups_reason[32]; /* "Synced" "NotSynced" "Waiting" */
    char groups_message[256];
    bool names_service_group; /* else what follows is empty */
    enum cz_condition service_group_deleted;
    char service_group_reason[32]; /* "Deleted" "GroupHasMembers" "NotDeleted" "Waiting" */
    char service_group_message[256];
    enum cz_group_state service_group_state; /* on the target now */
    enum cz_condition assigned;
    char assigned_reason[32]; /* "Assigned" "NoWorker" "NoCapacity" "NoPartitions" "Waiting"
                                 "TooLarge" */
    char assigned_message[256];
    int64_t assignment_generation; /* 0: none yet */
    int tasks, partitions;         /* assigned ones */
    int task_numbers;              /* tasks are numbered below this; 0: not known */
    int tasks_without_worker;
};
/** What the config topic and the metadata watch know of the mapping. false: not on the config
 *  topic (yet): every condition is UNKNOWN. */
bool cz_scheduler_mapping(struct cz_scheduler *s, const char *uid, struct cz_mapping_view *ret);
struct cz_writer_query {
    uint64_t cluster; /* cz_cluster_hash() */
    const char *topic;
    const char *team, *uid; /* who asks: the one that is not meant */
};
/** Another enabled mapping that writes the topic, of whatever team, as the config topic says.
 *  @ret_name its name; "": it is another team's, who may not see it */
bool cz_scheduler_writer(struct cz_scheduler *s, const struct cz_writer_query *q, char *ret_name, size_t n);

#endif
