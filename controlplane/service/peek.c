/* SPDX-License-Identifier: Apache-2.0 */
/** Reading a few records of a live topic: see peek.h. */
#include "peek.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cz/producer.h"

enum { PREFETCH_KIB = 4096, BATCH = 64, POLL_MS = 100, FETCH_WAIT_MS = 20, AGAIN_MS = 100 };
#define MAX_BYTES (16LL * 1024 * 1024)

struct part {
    int32_t partition;
    int64_t first, end; /* what the broker has */
    int64_t start;
    int64_t want, got; /* records */
    bool done;
};
struct reading {
    const struct cz__peek_ask *ask;
    struct cz__peek *out;
    struct part *parts;
    size_t len;
};

/* ---- where ---------------------------------------------------------------------------------
 */

static enum cz_err list_once(struct reading *r, struct cz_admin *admin, int64_t which, int64_t *out, struct cz_error *err)
{
    struct cz_tp_list l = {0};
    for (size_t i = 0; i < r->len; i++)
        cz_tp_list_add(&l, r->ask->topic, r->parts[i].partition, which);
    enum cz_err code = cz_admin_list_offsets(admin, &l, r->ask->read_committed, r->ask->deadline, err);
    for (size_t i = 0; !code && i < r->len; i++) {
        out[i] = l.items[i].offset;
        if (l.items[i].code)
            code = cz_fail_flags(err, l.items[i].code, CZ_ERR_RETRIABLE, 0, "the offsets of \"%s\" [%d] cannot be read",
                                 r->ask->topic, (int)r->parts[i].partition);
    }
    cz_tp_list_done(&l);
    return code;
}

/* ListOffsets of all parts at once. @which: CZ_OFFSET_EARLIEST, CZ_OFFSET_LATEST or a time.  A topic that
 * has just been made may have no leader yet. */
static enum cz_err list(struct reading *r, struct cz_admin *admin, int64_t which, int64_t *out, struct cz_error *err)
{
    const struct timespec pause = {.tv_nsec = AGAIN_MS * 1000000L};
    for (;;) {
        struct cz_error why = CZ_ERROR_INIT;
        enum cz_err code = list_once(r, admin, which, out, &why);
        if (code == CZ_OK)
            return CZ_OK;
        if (code != CZ_E_UNAVAILABLE || cz_remaining_ms(r->ask->deadline) <= AGAIN_MS)
            return cz_fail_flags(err, code, why.flags, why.detail, "%s", why.text);
        (void)nanosleep(&pause, NULL);
    }
}

static bool asked_for(const struct cz__peek_ask *a, int32_t partition)
{
    for (size_t i = 0; i < a->partitions_len; i++) {
        if (a->partitions[i] == partition)
            return true;
    }
    for (size_t i = 0; i < a->places_len; i++) {
        if (a->places[i].partition == partition)
            return true;
    }
    return a->partitions_len + a->places_len == 0;
}

static enum cz_err too_high(const struct cz__peek_ask *a, int32_t partition, int32_t n, struct cz_error *err)
{
    return partition < n ? CZ_OK
                         : cz_fail(err, CZ_E_NOT_FOUND, "topic \"%s\" has no partition %d, it has %d", a->topic,
                                   (int)partition, (int)n);
}

static enum cz_err find_parts(struct reading *r, struct cz_admin *admin, struct cz_error *err)
{
    const struct cz__peek_ask *a = r->ask;
    struct cz_topic_info *info = NULL;
    enum cz_err code = cz_admin_topics(admin, &a->topic, 1, a->deadline, &info, err);
    if (code)
        return code;
    int32_t n = info->partitions;
    if (info->code == CZ_E_FORBIDDEN)
        code = cz_fail(err, CZ_E_FORBIDDEN, "the cluster does not let us see topic \"%s\"", a->topic);
    else if (n <= 0)
        code = cz_fail(err, CZ_E_NOT_FOUND, "there is no topic \"%s\" on this cluster", a->topic);
    for (size_t i = 0; !code && i < a->partitions_len; i++)
        code = too_high(a, a->partitions[i], n, err);
    for (size_t i = 0; !code && i < a->places_len; i++)
        code = too_high(a, a->places[i].partition, n, err);
    cz_topic_infos_free(info, 1);
    if (code)
        return code;
    r->parts = cz_alloc_array((size_t)n, sizeof *r->parts);
    for (int32_t p = 0; p < n; p++) {
        if (asked_for(a, p))
            r->parts[r->len++].partition = p;
    }
    return CZ_OK;
}

/* The last @count records of all partitions together, as evenly as they are filled. */
static void share_out(struct reading *r, int64_t count)
{
    bool more = true;
    while (count > 0 && more) {
        more = false;
        for (size_t i = 0; i < r->len && count > 0; i++) {
            struct part *p = &r->parts[i];
            if (p->want >= p->end - p->first)
                continue;
            p->want++;
            count--;
            more = true;
        }
    }
    for (size_t i = 0; i < r->len; i++)
        r->parts[i].start = r->parts[i].end - r->parts[i].want;
}

/* From the first chosen record of the partition to behind the last one. */
static void span(const struct cz__peek_ask *a, struct part *p)
{
    int64_t first = INT64_MAX, last = -1;
    for (size_t i = 0; i < a->places_len; i++) {
        int64_t at = a->places[i].offset;
        if (a->places[i].partition != p->partition)
            continue;
        first = at < first ? at : first;
        last = at > last ? at : last;
        p->want++;
    }
    p->start = first;
    p->end = last < p->end ? last + 1 : p->end;
}

static void place(const struct reading *r, struct part *p, int64_t at_time)
{
    const struct cz__peek_ask *a = r->ask;
    p->want = a->count;
    switch (a->from) {
    case CZ__PEEK_LAST:
        p->start = p->end - a->count;
        break;
    case CZ__PEEK_OFFSET:
        p->start = a->at;
        break;
    case CZ__PEEK_TIME:
        p->start = at_time;
        break;
    case CZ__PEEK_CHOSEN:
        p->want = 0;
        span(a, p);
        break;
    case CZ__PEEK_FIRST:
    case CZ__PEEK_SHARED:
        p->start = p->first;
        break;
    }
    if (p->start < p->first)
        p->start = p->first;
}

static enum cz_err choose(struct reading *r, struct cz_admin *admin, struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) int64_t *at = cz_alloc_array(r->len + 1, sizeof *at);
    enum cz_err code = list(r, admin, CZ_OFFSET_EARLIEST, at, err);
    for (size_t i = 0; !code && i < r->len; i++)
        r->parts[i].first = at[i];
    if (!code)
        code = list(r, admin, CZ_OFFSET_LATEST, at, err);
    for (size_t i = 0; !code && i < r->len; i++)
        r->parts[i].end = at[i];
    if (!code && r->ask->from == CZ__PEEK_TIME)
        code = list(r, admin, r->ask->at, at, err);
    if (!code && r->ask->from == CZ__PEEK_SHARED)
        share_out(r, r->ask->count);
    for (size_t i = 0; !code && i < r->len && r->ask->from != CZ__PEEK_SHARED; i++)
        place(r, &r->parts[i], at[i]);
    return code;
}

/* ---- reading -------------------------------------------------------------------------------
 */

static void finish(struct reading *r, struct part *p)
{
    p->done = true;
    (void)!cz_consumer_unassign(r->out->consumer, r->ask->topic, p->partition, NULL);
}

static bool is_chosen(const struct cz__peek_ask *a, const struct part *p, int64_t offset)
{
    for (size_t i = 0; i < a->places_len; i++) {
        if (a->places[i].partition == p->partition && a->places[i].offset == offset)
            return true;
    }
    return a->from != CZ__PEEK_CHOSEN;
}

static void take(struct reading *r, struct part *p, struct cz_record *rec)
{
    struct cz__peek *out = r->out;
    bool inside = !p->done && rec->offset < p->end; /* read_uncommitted readers see no more than the rest */
    if (inside && is_chosen(r->ask, p, rec->offset)) {
        cz_grow(&out->records, &out->cap, out->len, sizeof *out->records);
        out->records[out->len] = *rec;
        out->records[out->len++].topic = r->ask->topic;
        out->bytes += (int64_t)(rec->key.len + rec->value.len);
        p->got++;
    } else {
        cz_message_release(rec->msg);
    }
    if (!p->done && (p->got >= p->want || rec->offset + 1 >= p->end))
        finish(r, p);
}

static bool all_done(const struct reading *r)
{
    for (size_t i = 0; i < r->len; i++) {
        if (!r->parts[i].done)
            return false;
    }
    return true;
}

static enum cz_err on_event(struct reading *r, struct cz_event *e, struct cz_error *err)
{
    struct part *p = e->opaque;
    switch (e->kind) {
    case CZ_EVENT_RECORD:
        take(r, p, &e->record);
        return CZ_OK;
    case CZ_EVENT_END:
    case CZ_EVENT_RESET: /* cut off while we looked: nothing there to show */
        if (p && !p->done)
            finish(r, p);
        return CZ_OK;
    case CZ_EVENT_ERROR:
        if (e->code == CZ_E_FORBIDDEN)
            return cz_fail(err, e->code, "the cluster does not let us read topic \"%s\": %s", r->ask->topic, e->text);
        cz_error_reset(&r->out->trouble);
        (void)cz_fail(&r->out->trouble, e->code, "%s", e->text);
        return CZ_OK; /* it tries again by itself; the deadline ends it */
    }
    return CZ_OK;
}

static enum cz_err read_all(struct reading *r, struct cz_error *err)
{
    struct cz_event events[BATCH];
    enum cz_err code = CZ_OK;
    for (size_t i = 0; !code && i < r->len; i++) {
        struct part *p = &r->parts[i];
        p->done = p->want == 0 || p->start >= p->end;
        if (!p->done)
            code = cz_consumer_assign(r->out->consumer, r->ask->topic, p->partition, p->start, p, err);
    }
    while (!code && !all_done(r) && cz_now() < r->ask->deadline && r->out->bytes < MAX_BYTES) {
        size_t n = cz_consumer_poll(r->out->consumer, events, BATCH, POLL_MS);
        for (size_t i = 0; i < n; i++) {
            if (!code)
                code = on_event(r, &events[i], err);
            else if (events[i].kind == CZ_EVENT_RECORD)
                cz_message_release(events[i].record.msg);
        }
    }
    r->out->complete = all_done(r);
    return code;
}

static int by_time(const void *a, const void *b)
{
    const struct cz_record *x = a, *y = b;
    if (x->timestamp_ms != y->timestamp_ms)
        return x->timestamp_ms < y->timestamp_ms ? -1 : 1;
    if (x->partition != y->partition)
        return x->partition < y->partition ? -1 : 1;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static bool nothing_to_read(const struct reading *r)
{
    for (size_t i = 0; i < r->len; i++) {
        if (r->parts[i].want > 0 && r->parts[i].start < r->parts[i].end)
            return false;
    }
    return true;
}

static enum cz_err read_records(struct reading *r, struct cz_error *err)
{
    const struct cz__peek_ask *a = r->ask;
    const struct cz_consumer_options o = {.cluster = a->cluster,
                                          .client_id = a->client_id,
                                          .group_id = a->client_id,
                                          .read_committed = a->read_committed,
                                          .prefetch_kib = PREFETCH_KIB,
                                          .fetch_wait_ms = FETCH_WAIT_MS};
    r->out->complete = nothing_to_read(r);
    if (r->out->complete)
        return CZ_OK;
    enum cz_err code = cz_consumer_new(&o, &r->out->consumer, err);
    if (!code)
        code = read_all(r, err);
    if (!code && r->out->len > 0)
        qsort(r->out->records, r->out->len, sizeof *r->out->records, by_time);
    return code;
}

enum cz_err cz__peek(struct cz_service *s,
                     const struct cz__peek_ask *ask,
                     struct cz__peek *ret,
                     struct cz_error *err)
{
    struct reading r = {.ask = ask, .out = ret};
    struct cz__admin_use use;
    *ret = (struct cz__peek){0};
    enum cz_err code = cz__admin_take(s, ask->cluster, &use, err);
    if (code)
        return code;
    code = find_parts(&r, use.admin, err);
    if (!code)
        code = choose(&r, use.admin, err);
    cz__admin_give(s, &use);
    if (!code)
        code = read_records(&r, err);
    cz_free(r.parts);
    return code;
}

void cz__peek_done(struct cz__peek *p)
{
    for (size_t i = 0; i < p->len; i++)
        cz_message_release(p->records[i].msg);
    cz_free(p->records);
    cz_consumer_free(p->consumer);
    *p = (struct cz__peek){0};
}
