/* SPDX-License-Identifier: Apache-2.0 */
/** Insides of cz_redrive. */
#ifndef CZ_REDRIVE_PRIV_H
#define CZ_REDRIVE_PRIV_H

#include "cz/alloc.h"
#include "cz/buf.h"
#include "cz/consumer.h"
#include "cz/dead_letter.h"
#include "cz/map.h"
#include "cz/producer.h"
#include "cz/redrive.h"
#include "cz/topic_scan.h"

/* ---- done.c: which offsets of a partition are done ------------------------------------------- */

struct redrive_range {
    int64_t from, to;
};
struct redrive_done {
    int64_t position; /* all before it */
    struct redrive_range *items; /* and these; sorted, apart from each other and from the position */
    size_t len, cap;
};
void redrive_done_free(struct redrive_done *d);
void redrive_done_copy(const struct redrive_done *from, struct redrive_done *to);
bool redrive_done_has(const struct redrive_done *d, int64_t offset);
void redrive_done_add(struct redrive_done *d, int64_t from, int64_t to);
/** The value of a record. CZ_E_LIMIT: too many holes. */
CZ_MUST_USE enum cz_err redrive_done_write(const struct redrive_done *d, const char *topic_id,
                                           struct cz_buf *out, struct cz_error *err);
/** *ret_topic_id cz_free */
CZ_MUST_USE enum cz_err redrive_done_read(struct cz_slice value, struct redrive_done *ret,
                                          char **ret_topic_id, struct cz_error *err);

/* ---- a job ----------------------------------------------------------------------------------- */

enum redrive_outcome {
    REDRIVE_SENT,
    REDRIVE_DROPPED, /* by the mapping's stages, as any record */
    REDRIVE_DISCARDED,
    REDRIVE_FAILED, /* stays */
    REDRIVE_GONE,   /* withheld, and the source does not have it any more; stays */
};
struct redrive_job;
struct redrive_item {
    struct redrive_job *job;
    void *msg; /* of the letter; owned */
    struct cz_record place; /* of the letter on its topic */
    struct cz_letter letter;
    void *source_msg;           /* withheld: what was read again; owned */
    struct cz_record original;  /* withheld: its record */
    bool refused;               /* the target does not take it */
    enum redrive_outcome outcome;
    enum cz_drop drop;
    const char *stage; /* FAILED */
    struct cz_error why;
    _Atomic int delivery; /* enum cz_err, with REFUSED_BIT when it is about this record */
};
enum { REDRIVE_REFUSED_BIT = 1 << 16, REDRIVE_BATCH = 500 };
#define REDRIVE_BATCH_BYTES (8 * 1024 * 1024)

struct redrive_reason {
    char *stage, *error, *message; /* message: of the first */
    int64_t n;
};
struct redrive_job {
    const struct cz_redrive_conf *conf;
    struct cz_scan letters;
    struct redrive_done *done; /* per partition of the dead-letter topic */
    int64_t *next;             /* the same: not looked at yet */
    bool stopped;              /* not all was looked at: enough records, or no time left */
    /* what is written */
    struct cz_producer *producer; /* NULL: nothing is */
    struct cz_producer_topic *state;
    _Atomic int in_flight;
    bool in_txn, committed; /* committed: something was, in this job */
    struct cz_map targets;  /* topic → struct cz_producer_topic */
    uint32_t turn;
    struct cz_stage_ctx *ctx;
    struct cz_consumer *originals; /* of the source; NULL: none was needed yet */
    struct redrive_item *items; /* REDRIVE_BATCH, and one for deliveries of what is done */
    size_t len;
    int64_t bytes;
    /* what came of it */
    int64_t matched, others, sent, dropped[CZ_DROP_COUNT_], discarded, failed, gone;
    struct redrive_reason *reasons;
    size_t reasons_len, reasons_cap;
    json_t *samples;
};
/* state.c */
/** Own what is done (with @j->producer: fence others), and read it. */
CZ_MUST_USE enum cz_err redrive_state_open(struct redrive_job *j, struct cz_error *err);
/** Into the transaction that is open. */
CZ_MUST_USE enum cz_err redrive_state_send(struct redrive_job *j, int32_t partition,
                                           const struct redrive_done *d, struct cz_error *err);
void redrive_delivered(const struct cz_delivery *d);
/* withheld.c */
/** Read the record of a withheld letter again; item->outcome GONE when the source has it no more. */
CZ_MUST_USE enum cz_err redrive_fetch(struct redrive_job *j, struct redrive_item *item, struct cz_error *err);
/* batch.c */
/** Carry out what was collected in j->items, and let go of them. */
CZ_MUST_USE enum cz_err redrive_batch(struct redrive_job *j, struct cz_error *err);
void redrive_items_done(struct redrive_job *j);
/* report.c */
void redrive_count_reason(struct redrive_job *j, struct cz_slice stage, struct cz_slice error,
                          struct cz_slice message);
void redrive_sample(struct redrive_job *j, const struct cz_record *place, const struct cz_letter *l);
json_t *redrive_report(const struct redrive_job *j, bool complete);

#endif
