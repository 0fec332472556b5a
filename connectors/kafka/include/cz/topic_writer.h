/* SPDX-License-Identifier: Apache-2.0 */
/** A producer for few and small control records to partition 0 of one topic: idempotent, or
 *  transactional when a transactional id is given.  Unlike the data path's producer
 *  (cz/producer.h) its records have a time limit, and a topic that does not exist is told within
 *  about a second.  It has no thread: `delivered` runs inside poll, flush, commit, abort and free.
 *  @thread send: any; everything else belongs to one thread at a time */
#ifndef CZ_TOPIC_WRITER_H
#define CZ_TOPIC_WRITER_H

#include "cz/kafka.h"
#include "cz/record.h"

struct cz_topic_writer;

struct cz_topic_writer_options {
    struct cz_cluster *cluster; /* borrowed for the call */
    const char *client_id, *topic;
    const char *transactional_id; /* NULL: idempotent only */
    int linger_ms;
    int message_timeout_ms;     /* below the next one */
    int transaction_timeout_ms; /* with a transactional id */
    int queue_max;              /* records */
    /** Each sent record once: acknowledged (err->code CZ_OK) or failed (flag CZ_ERR_ABORT_TXN: it
     *  was dropped with its transaction or its writer). May be NULL. */
    void (*delivered)(void *arg, void *opaque, const struct cz_error *err);
    void *arg;
};
struct cz_topic_record {
    struct cz_slice key, value; /* copied; value.data NULL: tombstone */
    const char *traceparent;    /* header; NULL: none */
    const char *content_type;   /* header; NULL: none */
    void *opaque;
};

CZ_MUST_USE enum cz_err cz_topic_writer_new(const struct cz_topic_writer_options *o,
                                            struct cz_topic_writer **ret,
                                            struct cz_error *err);
/** Drops what is not delivered and destroys the client at once. */
void cz_topic_writer_free(struct cz_topic_writer *w);
/** Never blocks. CZ_E_LIMIT: the queue is full. */
CZ_MUST_USE enum cz_err cz_topic_writer_send(struct cz_topic_writer *w,
                                             const struct cz_topic_record *r,
                                             struct cz_error *err);
void cz_topic_writer_poll(struct cz_topic_writer *w, int timeout_ms);
/** Wait for all deliveries. false: the deadline passed. */
bool cz_topic_writer_flush(struct cz_topic_writer *w, cz_time deadline);
/** Fail what is queued or in flight; `delivered` runs with the next poll. */
void cz_topic_writer_purge(struct cz_topic_writer *w);
/** Ask the broker (not the cache) whether the topic exists now: CZ_OK, CZ_E_NOT_FOUND, … */
CZ_MUST_USE enum cz_err cz_topic_writer_check(struct cz_topic_writer *w,
                                              cz_time deadline,
                                              struct cz_error *err);
/** After a fatal error every send fails: build a new one. @thread any */
bool cz_topic_writer_dead(struct cz_topic_writer *w);

/* Transactions.  In the error: CZ_ERR_FATAL → free it and build a new one (always after an outcome
 * that is not known), CZ_ERR_ABORT_TXN → abort, then begin again. */
CZ_MUST_USE enum cz_err cz_topic_writer_init(struct cz_topic_writer *w,
                                             cz_time deadline,
                                             struct cz_error *err);
CZ_MUST_USE enum cz_err cz_topic_writer_begin(struct cz_topic_writer *w, struct cz_error *err);
CZ_MUST_USE enum cz_err cz_topic_writer_commit(struct cz_topic_writer *w,
                                               cz_time deadline,
                                               struct cz_error *err);
CZ_MUST_USE enum cz_err cz_topic_writer_abort(struct cz_topic_writer *w,
                                              cz_time deadline,
                                              struct cz_error *err);

#endif
