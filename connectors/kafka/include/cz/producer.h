/* SPDX-License-Identifier: Apache-2.0 */
/** The data path's producer: idempotent, acks=all, no time limit, shared by all mappings to one
 *  target with equal settings.  A thread of its own polls it and gives the delivery reports.
 *  @thread cz_producer_send: any; the delivery function runs on the producer's thread */
#ifndef CZ_PRODUCER_H
#define CZ_PRODUCER_H

#include "cz/kafka.h"
#include "cz/record.h"

struct cz_producer;

struct cz_delivery {
    void *opaque;      /* of cz_producer_send */
    int64_t offset;    /* of the record on the target; CZ_OK only */
    int32_t partition;
    enum cz_err code;  /* CZ_OK: acknowledged by all in-sync replicas */
    uint32_t flags;    /* enum cz_err_flags */
    int kafka_code;
    bool record_error; /* this record itself is refused (too large, invalid): no retry will help */
};
/** @delivered must be quick and must not call the producer. */
typedef void (*cz_delivered_fn)(const struct cz_delivery *d);

struct cz_producer_options {
    struct cz_cluster *cluster; /* borrowed for the call */
    const char *client_id;
    const char *compression;    /* none gzip snappy lz4 zstd */
    int linger_ms;
    int batch_bytes;            /* most of a batch: a target refuses a whole batch; 0: 1000000 */
    cz_delivered_fn delivered;
    const char *transactional_id; /* NULL: none, records have no time limit; else see below */
};
CZ_MUST_USE enum cz_err cz_producer_new(const struct cz_producer_options *o,
                                        struct cz_producer **ret,
                                        struct cz_error *err);
/** Wait for deliveries until @deadline, purge the rest (they are reported as failed), destroy. */
void cz_producer_free(struct cz_producer *p, cz_time deadline);
/** A fatal error (fenced, sequence lost): every later send fails; build a new one. */
bool cz_producer_dead(struct cz_producer *p);
/** Fail what is queued (flag ABORT in the delivery), so that its records are released. */
void cz_producer_purge(struct cz_producer *p);
/** Records that are queued or in flight. @thread any */
int64_t cz_producer_queued(const struct cz_producer *p);
const char *cz_producer_error_name(int kafka_code);

/** Handle of a topic; lives as long as the producer. CZ_E_KAFKA when the name is no topic name. */
struct cz_producer_topic;
CZ_MUST_USE enum cz_err cz_producer_topic(struct cz_producer *p,
                                          const char *name,
                                          struct cz_producer_topic **ret,
                                          struct cz_error *err);

const char *cz_producer_topic_name(const struct cz_producer_topic *t);

/** How many partitions the topic has, as far as known; 0: not known. @thread any */
int32_t cz_producer_topic_partitions(const struct cz_producer_topic *t);
/** Somebody else has asked: take this count until the producer knows its own. */
void cz_producer_topic_expect(struct cz_producer_topic *t, int32_t partitions);
/** What a topic takes, by its configuration. */
struct cz_topic_rules {
    bool compacted;                   /* no record without a key */
    int64_t max_before_ms, max_after_ms; /* how far a timestamp may be from now; 0: as far as it likes */
};
/** A record that the topic would not take is refused by cz_producer_send(), alone: the broker would refuse the whole
 *  batch that it is in, and the good records of it with it. */
void cz_producer_topic_rules(struct cz_producer_topic *t, const struct cz_topic_rules *rules);
/** Does the topic take a record of this time? */
bool cz_producer_topic_takes_time(const struct cz_producer_topic *t, int64_t timestamp_ms, struct cz_error *err);
/** Ask the cluster for the partition counts of all topics that this producer has handles of; the
 *  producer itself takes them up too (it refuses partitions that it has not heard of). @thread any */
CZ_MUST_USE enum cz_err cz_producer_refresh(struct cz_producer *p, cz_time deadline, struct cz_error *err);

/* Transactions (options.transactional_id).  A record's time limit is below the transaction's, so a
 * target that is away ends in an error that asks for an abort, not in a fenced producer. */
#define CZ_TXN_MESSAGE_MS 20000
#define CZ_TXN_TIMEOUT_MS 30000
/** Fence whoever used the id before and end its transaction. Bounded by @deadline. */
CZ_MUST_USE enum cz_err cz_producer_txn_init(struct cz_producer *p, cz_time deadline, struct cz_error *err);
CZ_MUST_USE enum cz_err cz_producer_txn_begin(struct cz_producer *p, struct cz_error *err);
/** One bounded piece of a commit or an abort; delivery reports run inside. In the error's flags:
 *  CZ_ERR_FATAL → free the producer; CZ_ERR_ABORT_TXN → abort; CZ_ERR_RETRIABLE → not over yet, call
 *  the same again. */
CZ_MUST_USE enum cz_err cz_producer_txn_commit(struct cz_producer *p, int slice_ms, struct cz_error *err);
CZ_MUST_USE enum cz_err cz_producer_txn_abort(struct cz_producer *p, int slice_ms, struct cz_error *err);

struct cz_send {
    int32_t partition; /* >= 0; -1: any (dead letters) */
    int64_t timestamp_ms; /* 0: now */
    struct cz_slice key, value; /* data NULL: null */
    bool copy;         /* copy the value now; else it must stay in place until the delivery */
    void *msg;         /* source record, whose headers are sent along; they stay with it when the
                          send fails. NULL: none */
    bool shared;       /* msg is sent more than once: copy its headers instead of moving them */
    bool own_headers;  /* `headers` are all; those of msg stay where they are */
    const struct cz_header *headers; /* else: extra ones after those of msg */
    size_t headers_len;
    void *opaque;
};
/** @return CZ_OK: enqueued, a delivery will come · CZ_E_LIMIT: queue full, nothing happened ·
 *  else refused for good, no delivery comes (CZ_E_TOO_LARGE, CZ_E_NOT_FOUND unknown partition, …) */
CZ_MUST_USE enum cz_err cz_producer_send(struct cz_producer *p,
                                         struct cz_producer_topic *t,
                                         const struct cz_send *s,
                                         struct cz_error *err);

/** Headers of a consumed message into @out; returns how many there are (may exceed @max). */
size_t cz_message_headers(const struct cz_record *r, struct cz_header *out, size_t max);

#endif
