/* SPDX-License-Identifier: Apache-2.0 */
/** The metadata watch: which topics that mappings use exist, with how many partitions, and
 * whether they are still the same topics.  Runs in every control plane instance, leading or
 * not: it is one metadata request per cluster and interval, and so each instance can answer for
 * the conditions of a mapping by itself.
 *
 *  A thread per distinct cluster (equal connection settings share one, whatever teams call
 * them), so that a dead cluster delays nobody else.  A topic that is wanted for the first time
 * is asked for at once; the others every interval, or 20 times as long as the last answer took.
 *  On the instance that leads, the thread of a target cluster also creates the topics that a mapping
 *  with `topic_policy: create` misses there.  Creating what exists does nothing, so two leaders or
 *  a stale answer do no harm.
 *  A known topic counts as missing only when two answers half a second apart say so: a broker
 * that has just come back may not know its topics for a moment.  @thread any */
#ifndef CZ_SCHED_WATCH_H
#define CZ_SCHED_WATCH_H

#include "cz/buf.h"
#include "model.h"

struct cz_watch;

typedef enum cz_err (*cz_watch_topics_fn)(void *arg,
                                          struct cz_cluster *c,
                                          const char *const *names,
                                          size_t n,
                                          cz_time deadline,
                                          struct cz_topic_info **ret,
                                          struct cz_error *err);
typedef enum cz_err (*cz_watch_all_fn)(void *arg,
                                       struct cz_cluster *c,
                                       cz_time deadline,
                                       struct cz_topic_info **ret,
                                       size_t *ret_n,
                                       struct cz_error *err);
struct cz_watch_job { /* a topic to create */
    struct cz_cluster *cluster; /* where */
    const char *topic;
    struct cz_cluster *like_cluster; /* the source whose settings it gets; NULL: dead letters */
    const char *like;
    int32_t partitions;
    int32_t has; /* sync: partitions of the topic now */
    bool acls;   /* sync: access rules, too */
};
typedef enum cz_err (*cz_watch_create_fn)(void *arg,
                                          const struct cz_watch_job *job,
                                          cz_time deadline,
                                          struct cz_error *err);
struct cz_watch_once { /* something that is done once for a mapping, whoever leads */
    const char *uid, *team, *mapping;
    const char *what; /* name of the mark in the store */
    int64_t value;    /* the mark when it is done */
};
struct cz_watch_options {
    int interval_ms;
    int groups_interval_ms; /* between two looks at the groups of a cluster; 0: 2000 */
    cz_watch_topics_fn topics; /* NULL: ask Kafka; else a test's */
    cz_watch_create_fn create; /* as topics */
    /* As topics: all groups of a cluster, and the deletion of one. */
    enum cz_err (*groups)(void *arg, struct cz_cluster *c, struct cz_group **ret, size_t *ret_n,
                          struct cz_error *err);
    enum cz_err (*delete_group)(void *arg, struct cz_cluster *c, const char *group,
                                struct cz_error *err);
    /* As topics: what is different on the target is made so; *ret_done says what, NULL: nothing. */
    enum cz_err (*sync)(void *arg, const struct cz_watch_job *job, cz_time deadline,
                        json_t **ret_done, struct cz_error *err);
    cz_watch_all_fn all_topics; /* as topics */
    const char *group_id;      /* its topics match no pattern */
    void *topics_arg;          /* of the tests' functions */
    void (*changed)(void *arg); /* something is known now that was not, or is different */
    /* What was done once, as the store remembers it; set_done writes the audit event too.  NULL:
     * nothing of that kind is done. */
    enum cz_err (*get_done)(void *arg, const struct cz_watch_once *o, int64_t *ret,
                            struct cz_error *err);
    enum cz_err (*set_done)(void *arg, const struct cz_watch_once *o, const char *action,
                            const json_t *detail, struct cz_error *err);
    void (*audit)(void *arg, const struct cz_watch_once *of, const char *action,
                  const json_t *detail); /* NULL: nobody wants to know */
    void *arg;
};
struct cz_watch *cz_watch_new(const struct cz_watch_options *o);
void cz_watch_free(struct cz_watch *w); /* joins; a few seconds at most */

/** @key "<team>/<name>", or any other name; NULL cluster: not there any more. */
void cz_watch_cluster(struct cz_watch *w, const char *key, struct cz_cluster *c);
/** The topics of a mapping; NULL: none any more. */
void cz_watch_mapping(struct cz_watch *w, const char *uid, const struct cz_sched_mapping *m);

/** Whether this instance creates topics. */
void cz_watch_lead(struct cz_watch *w, bool leads);

struct cz_watch_topic {
    bool known;         /* asked and answered */
    enum cz_err code;   /* CZ_OK, CZ_E_NOT_FOUND, CZ_E_FORBIDDEN, … */
    int32_t partitions; /* 0 unless CZ_OK */
    char id[24];
    char refusal[160]; /* why it could not be created; "" unless we tried */
    char unsynced[160]; /* why it does not follow its source; "" unless we tried */
    bool compared;      /* with its source, by this instance */
};
void cz_watch_topic(struct cz_watch *w,
                    const char *key,
                    const char *topic,
                    struct cz_watch_topic *ret);
struct cz_watch_group { /* of the target's service; see watch_groups.c */
    bool named;         /* the mapping names one */
    bool due;           /* it is still to be deleted */
    enum cz_group_state state;
    enum cz_err code; /* of the last try to delete it */
    char group[256], text[160];
};
void cz_watch_service_group(struct cz_watch *w, const char *uid, struct cz_watch_group *ret);

/** The pairs that were found for a mapping with a pattern. @return false: not looked yet.
 *  cz_watch_pairs_free() */
bool cz_watch_pairs(struct cz_watch *w, const char *uid, struct cz_sched_pair **ret, size_t *ret_n);
void cz_watch_pairs_free(struct cz_sched_pair *pairs, size_t n);
/** Did the last look at the cluster succeed? @text (size n) says why not. true while unasked.
 */
bool cz_watch_reachable(struct cz_watch *w, const char *key, char *text, size_t n);
/** Number of clusters asked, and of those that did not answer last time. */
void cz_watch_count(struct cz_watch *w, int *ret_clusters, int *ret_unreachable);

#endif
