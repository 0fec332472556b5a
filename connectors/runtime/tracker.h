/* SPDX-License-Identifier: Apache-2.0 */
/** What is in flight of one source partition, in offset order (private to libcz_runtime).
 *
 *  The lane pushes an entry per record that it sends and sweeps finished ones from the front, so
 *  the position moves only over a contiguous run.  Dropped records make no entry: they are added to
 *  the range of the entry before them.  The producer's thread touches an entry once, in
 *  cz_inflight_delivered(), and publishes it by `state` (release); after that the entry is the
 *  lane's again.  Entries live in chunks, so their addresses are stable. */
#ifndef CZ_TRACKER_H
#define CZ_TRACKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "cz/producer.h"

enum cz_inflight_state { CZ_INFLIGHT_PENDING, CZ_INFLIGHT_DELIVERED, CZ_INFLIGHT_FAILED };

struct cz_inflight {
    void *msg; /* source record, until delivered; NULL when its bytes were copied and suffice */
    struct cz_shared_msg *shared; /* when several tasks hold the record: instead of msg */
    int64_t offset;
    int64_t next;         /* position once this is done: offset + 1, or more when drops followed */
    int64_t timestamp_ms; /* of the record; 0: none */
    int64_t target;       /* DELIVERED: its offset there */
    int32_t target_partition;
    uint32_t bytes;       /* sent */
    uint32_t charge;      /* against the task's budget: what it keeps in memory */
    uint32_t pushed_ms;   /* of the lane's clock */
    int32_t delay_ms;
    int32_t kafka_code;   /* FAILED */
    _Atomic uint8_t state; /* enum cz_inflight_state */
    uint8_t code;         /* FAILED: enum cz_err */
    uint8_t flags;        /* FAILED: enum cz_err_flags */
    bool record_error;    /* FAILED: this record is refused for good */
    bool dead_letter;     /* it went to the dead-letter topic */
};

enum { CZ_CHUNK_ENTRIES = 62 };
struct cz_chunk {
    struct cz_chunk *next;
    struct cz_inflight entry[CZ_CHUNK_ENTRIES];
};
struct cz_tracker {
    struct cz_chunk *head, *tail, *spare;
    unsigned head_at, tail_at; /* next to sweep in head; next free in tail */
    size_t len;
    int64_t position; /* end of the contiguous done run */
};

/** A record held by several tasks. */
struct cz_shared_msg {
    _Atomic int refs;
    void *msg;
};
struct cz_shared_msg *cz_shared_msg_new(void *msg);
void cz_shared_msg_ref(struct cz_shared_msg *s);
void cz_shared_msg_unref(struct cz_shared_msg *s);

void cz_tracker_init(struct cz_tracker *t, int64_t position);
void cz_tracker_done(struct cz_tracker *t); /* len must be 0 */
struct cz_inflight *cz_tracker_push(struct cz_tracker *t, int64_t offset);
void cz_tracker_unpush(struct cz_tracker *t); /* take the last push back (the send failed) */
/** Everything up to @next (exclusive) needs no delivery. */
void cz_tracker_skip(struct cz_tracker *t, int64_t next);
struct cz_inflight *cz_tracker_front(struct cz_tracker *t); /* NULL: nothing in flight */
/** Drop the front entry; @advance: its range is done. Releases what it still holds. */
void cz_tracker_pop(struct cz_tracker *t, bool advance);

#endif
