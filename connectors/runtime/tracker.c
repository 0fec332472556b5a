/* SPDX-License-Identifier: Apache-2.0 */
/* In-flight records of one source partition: see tracker.h. */
#include "tracker.h"

#include <assert.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/consumer.h"
#include "cz/lane.h"
#include "cz/time.h"

struct cz_shared_msg *cz_shared_msg_new(void *msg)
{
    struct cz_shared_msg *s = cz_alloc(sizeof *s);
    atomic_init(&s->refs, 1);
    s->msg = msg;
    return s;
}

void cz_shared_msg_ref(struct cz_shared_msg *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
}

void cz_shared_msg_unref(struct cz_shared_msg *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    cz_message_release(s->msg);
    cz_free(s);
}

void cz_tracker_init(struct cz_tracker *t, int64_t position)
{
    *t = (struct cz_tracker){.position = position};
}

void cz_tracker_done(struct cz_tracker *t)
{
    assert(t->len == 0);
    cz_free(t->head);
    cz_free(t->spare);
    *t = (struct cz_tracker){.position = t->position};
}

static void add_chunk(struct cz_tracker *t)
{
    struct cz_chunk *c = t->spare;
    t->spare = NULL;
    if (!c)
        c = cz_alloc(sizeof *c);
    c->next = NULL;
    if (t->tail)
        t->tail->next = c;
    else
        t->head = c;
    t->tail = c;
    t->tail_at = 0;
}

struct cz_inflight *cz_tracker_push(struct cz_tracker *t, int64_t offset)
{
    if (!t->tail || t->tail_at == CZ_CHUNK_ENTRIES)
        add_chunk(t);
    struct cz_inflight *e = &t->tail->entry[t->tail_at++];
    t->len++;
    *e = (struct cz_inflight){.offset = offset, .next = offset + 1};
    return e;
}

/* The last pushed entry; only when len > 0. */
static struct cz_inflight *last(struct cz_tracker *t)
{
    return &t->tail->entry[t->tail_at - 1];
}

void cz_tracker_unpush(struct cz_tracker *t)
{
    /* Only ever the entry that was pushed last, so it is in the tail chunk. */
    assert(t->len > 0 && t->tail_at > 0);
    t->tail_at--;
    t->len--;
}

void cz_tracker_skip(struct cz_tracker *t, int64_t next)
{
    if (t->len == 0) {
        if (next > t->position)
            t->position = next;
        return;
    }
    struct cz_inflight *e = NULL;
    if (t->tail_at > 0) {
        e = last(t);
    } else {
        /* The tail chunk is empty again after an unpush: its predecessor holds the last one. */
        struct cz_chunk *c = t->head;
        while (c->next != t->tail)
            c = c->next;
        e = &c->entry[CZ_CHUNK_ENTRIES - 1];
    }
    if (next > e->next)
        e->next = next;
}

struct cz_inflight *cz_tracker_front(struct cz_tracker *t)
{
    return t->len ? &t->head->entry[t->head_at] : NULL;
}

void cz_tracker_pop(struct cz_tracker *t, bool advance)
{
    struct cz_inflight *e = &t->head->entry[t->head_at];
    if (e->msg)
        cz_message_release(e->msg);
    cz_shared_msg_unref(e->shared);
    if (advance && e->next > t->position)
        t->position = e->next;
    t->len--;
    if (++t->head_at < CZ_CHUNK_ENTRIES)
        return;
    struct cz_chunk *c = t->head;
    t->head = c->next;
    t->head_at = 0;
    if (!t->head) {
        t->tail = NULL;
        t->tail_at = 0;
    }
    if (t->spare)
        cz_free(c);
    else
        t->spare = c;
}

void cz_inflight_delivered(const struct cz_delivery *d)
{
    struct cz_inflight *e = d->opaque;
    if (!e)
        return; /* a position: the commit tells */
    if (d->code == CZ_OK) {
        int64_t delay = e->timestamp_ms > 0 ? cz_wall_ms() - e->timestamp_ms : -1;
        e->delay_ms = delay > INT32_MAX ? INT32_MAX : (int32_t)delay;
        if (e->msg)
            cz_message_release(e->msg);
        e->msg = NULL;
        cz_shared_msg_unref(e->shared);
        e->shared = NULL;
        e->target = d->offset;
        e->target_partition = d->partition;
        atomic_store_explicit(&e->state, CZ_INFLIGHT_DELIVERED, memory_order_release);
        return;
    }
    /* Kept: it may have to go to the dead-letter topic. */
    e->code = (uint8_t)d->code;
    e->flags = (uint8_t)d->flags;
    e->kafka_code = d->kafka_code;
    e->record_error = d->record_error;
    atomic_store_explicit(&e->state, CZ_INFLIGHT_FAILED, memory_order_release);
}
