/* SPDX-License-Identifier: Apache-2.0 */
/** Reading a few records of a live topic for a preview: from the ends of its partitions, from an
 *  offset or from a moment on.  Bounded in records, bytes and time; by offsets of its own, so that
 *  no group and no position is touched. */
#include <stdlib.h>
#include <string.h>

#include "cz/producer.h"
#include "preview.h"

enum { PREFETCH_KIB = 1024, BATCH = 64, POLL_MS = 200, FETCH_WAIT_MS = 20 };
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

/* ListOffsets of all parts at once. @which: CZ_OFFSET_EARLIEST, CZ_OFFSET_LATEST or a time. */
static enum cz_err list(struct reading *r, struct cz_admin *admin, int64_t which, int64_t *out, struct cz_error *err)
{
    struct cz_tp_list l = {0};
    for (size_t i = 0; i < r->len; i++)
        cz_tp_list_add(&l, r->ask->topic, r->parts[i].partition, which);
    enum cz_err code = cz_admin_list_offsets(admin, &l, r->ask->read_committed, r->ask->deadline, err);
    for (size_t i = 0; !code && i < r->len; i++) {
        out[i] = l.items[i].offset;
        if (l.items[i].code)
            code = cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0,
                                 "the offsets of %s [%d] cannot be read (%s)", r->ask->topic,
                                 r->parts[i].partition, cz_err_slug(l.items[i].code));
    }
    cz_tp_list_done(&l);
    return code;
}

static enum cz_err find_parts(struct reading *r, struct cz_admin *admin, struct cz_error *err)
{
    const struct cz_preview *w = &r->ask->what;
    struct cz_topic_info *info = NULL;
    enum cz_err code = cz_admin_topics(admin, &r->ask->topic, 1, r->ask->deadline, &info, err);
    if (code)
        return code;
    int32_t n = info->partitions;
    if (info->code == CZ_E_FORBIDDEN)
        code = cz_fail(err, CZ_E_CONFLICT, "the cluster does not let us see topic \"%s\"", r->ask->topic);
    else if (n <= 0)
        code = cz_fail(err, CZ_E_CONFLICT, "topic \"%s\" does not exist", r->ask->topic);
    else if (w->partition >= n)
        code = cz_fail(err, CZ_E_CONFLICT, "topic \"%s\" has %d partitions", r->ask->topic, n);
    cz_topic_infos_free(info, 1);
    if (code)
        return code;
    r->len = w->partition >= 0 ? 1 : (size_t)n;
    r->parts = cz_alloc_array(r->len, sizeof *r->parts);
    for (size_t i = 0; i < r->len; i++)
        r->parts[i].partition = w->partition >= 0 ? w->partition : (int32_t)i;
    return CZ_OK;
}

/* The last @limit records of all partitions together, as evenly as they are filled. */
static void share_out(struct reading *r, int limit)
{
    bool more = true;
    while (limit > 0 && more) {
        more = false;
        for (size_t i = 0; i < r->len && limit > 0; i++) {
            struct part *p = &r->parts[i];
            if (p->want >= p->end - p->first)
                continue;
            p->want++;
            limit--;
            more = true;
        }
    }
    for (size_t i = 0; i < r->len; i++)
        r->parts[i].start = r->parts[i].end - r->parts[i].want;
}

static enum cz_err choose(struct reading *r, struct cz_admin *admin, struct cz_error *err)
{
    const struct cz_preview *w = &r->ask->what;
    CZ_CLEANUP(cz_freep) int64_t *at = cz_alloc_array(r->len, sizeof *at);
    enum cz_err code = list(r, admin, CZ_OFFSET_EARLIEST, at, err);
    for (size_t i = 0; !code && i < r->len; i++)
        r->parts[i].first = at[i];
    if (!code)
        code = list(r, admin, CZ_OFFSET_LATEST, at, err);
    for (size_t i = 0; !code && i < r->len; i++)
        r->parts[i].end = at[i];
    if (!code && w->timestamp_ms >= 0)
        code = list(r, admin, w->timestamp_ms, at, err);
    if (code)
        return code;
    if (w->timestamp_ms < 0 && w->offset < 0) {
        share_out(r, w->limit);
        return CZ_OK;
    }
    for (size_t i = 0; i < r->len; i++) {
        struct part *p = &r->parts[i];
        p->want = w->limit;
        p->start = w->offset >= 0 ? w->offset : at[i];
        if (p->start < p->first)
            p->start = p->first;
    }
    return CZ_OK;
}

/* ---- reading -------------------------------------------------------------------------------
 */

static void finish(struct reading *r, struct part *p)
{
    p->done = true;
    (void)!cz_consumer_unassign(r->out->consumer, r->ask->topic, p->partition, NULL);
}

static void take(struct reading *r, struct part *p, struct cz_record *rec)
{
    struct cz__peek *out = r->out;
    if (p->done || rec->offset >= p->end) { /* read_uncommitted readers see no more than the rest */
        cz_message_release(rec->msg);
    } else {
        cz_grow(&out->records, &out->cap, out->len, sizeof *out->records);
        out->records[out->len] = *rec;
        out->records[out->len++].topic = r->ask->topic;
        out->bytes += (int64_t)(rec->key.len + rec->value.len);
        p->got++;
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
        if (p && !p->done)
            finish(r, p);
        return CZ_OK;
    case CZ_EVENT_RESET: /* cut off while we looked: nothing there to show */
        if (p && !p->done)
            finish(r, p);
        return CZ_OK;
    case CZ_EVENT_ERROR:
        if (e->code == CZ_E_FORBIDDEN)
            return cz_fail(err, CZ_E_CONFLICT, "the cluster does not let us read topic \"%s\": %s", r->ask->topic,
                           e->text);
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

static enum cz_err open_consumer(const struct cz__peek_ask *ask, struct cz__peek *ret, struct cz_error *err)
{
    const struct cz_consumer_options o = {.cluster = ask->cluster,
                                          .client_id = "citizenk-preview",
                                          .group_id = "citizenk.preview",
                                          .read_committed = ask->read_committed,
                                          .prefetch_kib = PREFETCH_KIB,
                                          .fetch_wait_ms = FETCH_WAIT_MS};
    return cz_consumer_new(&o, &ret->consumer, err);
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
        code = open_consumer(ask, ret, err);
    if (!code)
        code = read_all(&r, err);
    if (!code && ret->len > 0)
        qsort(ret->records, ret->len, sizeof *ret->records, by_time);
    while (!code && ret->len > (size_t)ask->what.limit)
        cz_message_release(ret->records[--ret->len].msg);
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
