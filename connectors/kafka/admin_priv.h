/* SPDX-License-Identifier: Apache-2.0 */
/** Insides of the admin client, shared by admin*.c.  Every call has its own queue and options, so
 *  any number of threads may call at once; only the asynchronous commits share a queue, which the
 *  admin's one thread serves. */
#ifndef CZ_ADMIN_PRIV_H
#define CZ_ADMIN_PRIV_H

#include "cz/thread.h"
#include "kafka_priv.h"

struct cz__commit; /* an asynchronous commit on its way */

struct cz_admin {
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue; /* results of asynchronous commits */
    struct cz_thread thread; /* started with the first of them */
    struct cz_mutex lock;    /* what follows */
    struct cz__commit *pending;
    bool stop;
};

/* One synchronous call: options and queue of its own. */
struct cz__call {
    struct cz_admin *admin;
    rd_kafka_queue_t *queue;
    rd_kafka_AdminOptions_t *options;
    cz_time deadline;
};
void cz__call_init(struct cz__call *c, struct cz_admin *a, rd_kafka_admin_op_t op, cz_time deadline);
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
void cz__admin_drain(struct cz_admin *a);
/** Stop the thread and finish every pending commit. */
void cz__admin_async_done(struct cz_admin *a);

#endif
