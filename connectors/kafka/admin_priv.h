/* SPDX-License-Identifier: Apache-2.0 */
/** Insides of the admin client, shared by admin*.c.  Every call has its own queue and options, so
 *  any number of threads may call at once; only the asynchronous commits share a queue, which the
 *  admin's one thread serves.
 *
 *  Why handles come and go: in librdkafka (2.15.1 and before) a request to a group's coordinator
 *  that runs into its own time limit before it was sent aborts the whole process when the broker is
 *  back (assertion eonce->refcnt > 0; rd_kafka_admin_coord_request drops its reference and reports
 *  an error, upon which the reference is dropped once more).  So librdkafka gets a limit that never
 *  strikes, we keep the time, and a handle with such a request in it is not used any more and is
 *  destroyed with its last call.  By the way nothing that we gave up is sent later. */
#ifndef CZ_ADMIN_PRIV_H
#define CZ_ADMIN_PRIV_H

#include "cz/thread.h"
#include "kafka_priv.h"

struct cz__commit; /* an asynchronous commit on its way */

struct cz__handle {
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue; /* results of asynchronous commits */
    int users;               /* calls in progress; what follows has a->lock too */
    bool spoiled;            /* holds a request that was given up */
};
struct cz_admin {
    rd_kafka_conf_t *conf;   /* for the next handle */
    struct cz_thread thread; /* started with the first asynchronous commit */
    struct cz_mutex lock;    /* what follows */
    struct cz__handle *current; /* NULL: made with the next call */
    struct cz__commit *pending;
    bool stop;
};

/** The handle to use now; give it back with cz__handle_put(). NULL with @err filled: cannot be made. */
struct cz__handle *cz__handle_get(struct cz_admin *a, struct cz_error *err);
struct cz__handle *cz__handle_share(struct cz_admin *a, struct cz__handle *h); /* one more user */
void cz__handle_put(struct cz_admin *a, struct cz__handle *h);
/** No further call may use it. */
void cz__handle_spoil(struct cz_admin *a, struct cz__handle *h);

/* One synchronous call: options and queue of its own. */
struct cz__call {
    struct cz_admin *admin;
    struct cz__handle *handle;
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    rd_kafka_AdminOptions_t *options;
    cz_time deadline;
    bool coordinated; /* about groups: we keep the time */
};
/** cz__call_done() only after CZ_OK. */
CZ_MUST_USE enum cz_err cz__call_init(struct cz__call *c,
                                      struct cz_admin *a,
                                      rd_kafka_admin_op_t op,
                                      cz_time deadline,
                                      struct cz_error *err);
enum { CZ__NO_LIMIT_MS = 3600000 }; /* the longest that librdkafka takes; over any of our limits */
void cz__call_done(struct cz__call *c);
/** Wait for the answer. @ret_event  rd_kafka_event_destroy(). A silent cluster: CZ_E_UNAVAILABLE. */
CZ_MUST_USE enum cz_err cz__call_wait(struct cz__call *c,
                                      const char *what,
                                      rd_kafka_event_t **ret_event,
                                      struct cz_error *err);
/** As cz__kafka_fail(), where "no answer in time" means that the cluster is not reachable. */
enum cz_err cz__admin_fail(struct cz_error *err, rd_kafka_resp_err_t e, const char *what, const char *text);
/** Sleep before another try. false: no time left. */
bool cz__admin_pause(cz_time deadline);

/** Our list as librdkafka's (with metadata and leader epochs). rd_kafka_topic_partition_list_destroy */
rd_kafka_topic_partition_list_t *cz__tp_list_to_kafka(const struct cz_tp_list *l);
/** Verdict of an AlterConsumerGroupOffsets answer; codes go to @l, when given. */
enum cz_err cz__commit_result(rd_kafka_event_t *event,
                              const char *group,
                              struct cz_tp_list *l,
                              struct cz_error *err);
/** Throw away what the handle's own queue has gathered. */
void cz__handle_drain(struct cz__handle *h);
/** Stop the thread and finish every pending commit. */
void cz__admin_async_done(struct cz_admin *a);

#endif
