/* SPDX-License-Identifier: Apache-2.0 */
/** The data path's consumer: partitions are assigned one by one (it never subscribes), offsets are
 *  always given, nothing is committed or stored by it.  Reading starts exactly where it is told; an
 *  offset that the broker no longer has is an error event, never a silent jump.
 *  @thread every function but cz_consumer_wake() belongs to the one thread that owns it.  Messages
 *  may be released on any thread, and all of them before cz_consumer_free(). */
#ifndef CZ_CONSUMER_H
#define CZ_CONSUMER_H

#include "cz/kafka.h"
#include "cz/record.h"

struct cz_consumer;

struct cz_consumer_options {
    struct cz_cluster *cluster; /* borrowed for the call */
    const char *client_id;
    const char *group_id;  /* only names the client to the broker; nothing is committed to it */
    bool read_committed;
    int prefetch_kib;      /* bound of what is fetched ahead */
    int fetch_wait_ms;     /* how long the broker holds an empty answer back; 0 = default (500) */
};
CZ_MUST_USE enum cz_err cz_consumer_new(const struct cz_consumer_options *o,
                                        struct cz_consumer **ret,
                                        struct cz_error *err);
void cz_consumer_free(struct cz_consumer *c);

/** Add one partition, read from @offset (>= 0) on. @opaque comes back with each of its events. */
CZ_MUST_USE enum cz_err cz_consumer_assign(struct cz_consumer *c,
                                           const char *topic,
                                           int32_t partition,
                                           int64_t offset,
                                           void *opaque,
                                           struct cz_error *err);
/** Remove it; what was fetched ahead is dropped. Unknown ones are CZ_OK. */
CZ_MUST_USE enum cz_err cz_consumer_unassign(struct cz_consumer *c,
                                             const char *topic,
                                             int32_t partition,
                                             struct cz_error *err);

enum cz_event_kind {
    CZ_EVENT_RECORD,
    CZ_EVENT_END,   /* the partition's end (for read_committed: the last stable offset) */
    CZ_EVENT_RESET, /* the offset is out of range: truncated, or the topic is another one */
    CZ_EVENT_ERROR, /* of the partition, or (opaque NULL) of the client; it retries by itself */
};
struct cz_event {
    enum cz_event_kind kind;
    void *opaque;           /* of the partition; NULL: none, or no longer assigned */
    struct cz_record record; /* RECORD; record.msg must be released. END: only .offset = end */
    bool last;              /* END: nothing will come behind it. Files only */
    bool bad;               /* RECORD: it could not be read, code and text say why. Files only */
    enum cz_err code;       /* ERROR, bad RECORD */
    char text[160];         /* ERROR, RESET, bad RECORD */
};
/** Wait up to @timeout_ms for the first event, then take what is there, at most @max.
 *  Events without a home (partition just removed) are released here and not returned. */
size_t cz_consumer_poll(struct cz_consumer *c, struct cz_event *out, size_t max, int timeout_ms);
/** End a waiting poll. @thread any */
void cz_consumer_wake(struct cz_consumer *c);
void cz_message_release(void *msg); /* NULL allowed */
/** A message made of a record from elsewhere: copies everything but the topic's name. It is held, sent
 *  and released as a consumed one. NULL: no memory. @thread any */
void *cz_message_make(const struct cz_record *r);
/** The record of a message that is still held. @topic borrowed by the record. */
void cz_message_record(void *msg, const char *topic, struct cz_record *ret);
/** Newest known high watermark of an assigned partition, without asking the broker; -1 = not known
 *  yet. The stable end of read_committed comes with END events. */
int64_t cz_consumer_end(struct cz_consumer *c, const char *topic, int32_t partition);

#endif
