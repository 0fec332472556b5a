/* SPDX-License-Identifier: Apache-2.0 */
/* How a task comes to own its positions.  The same transactional id is fenced by Kafka; two ids on
 * one partition (the number of tasks was changed, or a worker slept through it) are fenced here:
 *
 *   1. our producer is initialised (before this file): who had our id is out, its transaction ended;
 *   2. scan: high watermark of the offsets partition, read committed up to it;
 *   3. fence every rival, and scan on, until a scan shows none;
 *   4. claim: a record per partition under our id, in a transaction; scan on;
 *   5. a rival in that scan: fence it and claim again from 3.  None: the positions read are ours.
 *
 * Of two that start at once the later claim (they are in one log) sees the earlier one and fences it;
 * the earlier one then fails at its first transaction.  A claim carries no position, so that one
 * which comes too late spoils nothing.  Rivals of a partition are all that claimed it since the claim
 * of who wrote its last position: that one fenced everybody before. */
#include <inttypes.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/consumer.h"
#include "cz/json.h"
#include "cz/log.h"
#include "cz/map.h"
#include "cz/offsets_topic.h"
#include "cz/util.h"

enum { ADMIN_MS = 5000, READ_MS = 15000, COMMIT_MS = 15000, SLICE_MS = 500, ROUNDS = 16, BATCH = 256 };

/* Who may still write a partition's positions, in the order of their claims. */
struct rivals {
    char **ids;
    size_t len;
};
struct scan {
    const struct cz_offsets_claim *c;
    const struct cz_tp_list *parts;
    struct cz_offset_record *recs;
    struct rivals *rivals; /* per part, of this scan */
    struct cz_map keys;    /* key of a position → its number + 1 */
    struct cz_consumer *consumer;
    struct cz_event *events;
    int64_t at; /* read up to here */
};

/* ---- rivals --------------------------------------------------------------------------------- */

static void forget(struct rivals *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        cz_free(r->ids[i]);
    r->len -= n;
    if (n > 0 && r->len > 0)
        memmove(r->ids, r->ids + n, r->len * sizeof *r->ids);
}

static size_t find(const struct rivals *r, const char *id)
{
    size_t i = 0;
    while (i < r->len && strcmp(r->ids[i], id) != 0)
        i++;
    return i;
}

static void add(struct rivals *r, const char *id)
{
    r->ids = cz_realloc(r->ids, (r->len + 1) * sizeof *r->ids);
    r->ids[r->len++] = cz_strdup(id);
}

static void claimed(struct rivals *r, const char *id)
{
    size_t i = find(r, id);
    add(r, id);
    if (i == r->len - 1)
        return; /* the first of it */
    cz_free(r->ids[i]);
    memmove(r->ids + i, r->ids + i + 1, (--r->len - i) * sizeof *r->ids);
}

static void positioned(struct rivals *r, const char *id)
{
    size_t i = find(r, id);
    if (i < r->len)
        forget(r, i); /* it has fenced who claimed before it */
    else
        add(r, id);
}

static bool rival(const struct scan *s, const char *id)
{
    return !s->c->producer || !cz_streq(id, s->c->at.writer);
}

static bool any_rival(const struct scan *s)
{
    for (size_t i = 0; i < s->parts->len; i++) {
        for (size_t k = 0; k < s->rivals[i].len; k++) {
            if (rival(s, s->rivals[i].ids[k]))
                return true;
        }
    }
    return false;
}

static enum cz_err fence_rivals(struct scan *s, struct cz_error *err)
{
    struct cz_map done = CZ_MAP_INIT(NULL);
    enum cz_err code = CZ_OK;
    for (size_t i = 0; !code && i < s->parts->len; i++) {
        const struct rivals *r = &s->rivals[i];
        for (size_t k = 0; !code && k < r->len; k++) {
            if (!rival(s, r->ids[k]) || cz_map_get(&done, r->ids[k]))
                continue;
            cz_map_put(&done, r->ids[k], s);
            code = s->c->fence(s->c->arg, r->ids[k], err);
        }
    }
    cz_map_done(&done);
    return code;
}

/* ---- scan ----------------------------------------------------------------------------------- */

static const char OWNER[] = "/owner";
#define OWNER_LEN (sizeof OWNER - 1)

static enum cz_err take(struct scan *s, const struct cz_record *r, struct cz_error *err)
{
    size_t len = r->key.len;
    bool claim = len > OWNER_LEN && memcmp(r->key.data + len - OWNER_LEN, OWNER, OWNER_LEN) == 0;
    intptr_t n = (intptr_t)cz_map_getn(&s->keys, r->key.data, claim ? len - OWNER_LEN : len);
    if (n == 0)
        return CZ_OK; /* of another task */
    struct cz_offset_record *rec = &s->recs[n - 1], read = {0};
    if (!r->value.data) {
        if (!claim)
            rec->offset = -1; /* forgotten on purpose */
        return CZ_OK;
    }
    enum cz_err code = cz_offset_record_parse(r->value, claim, &read, err);
    if (code)
        return code;
    if (claim) {
        claimed(&s->rivals[n - 1], read.writer);
        cz_free(read.writer);
        return CZ_OK;
    }
    if (*read.writer) /* else nobody that could be fenced */
        positioned(&s->rivals[n - 1], read.writer);
    cz_free(rec->writer);
    *rec = read;
    return CZ_OK;
}

static enum cz_err take_event(struct scan *s, struct cz_event *e, struct cz_error *err)
{
    enum cz_err code = CZ_OK;
    switch (e->kind) {
    case CZ_EVENT_RECORD:
        code = take(s, &e->record, err);
        s->at = e->record.offset + 1;
        cz_message_release(e->record.msg);
        break;
    case CZ_EVENT_END:
        s->at = e->record.offset;
        break;
    case CZ_EVENT_RESET:
        code = cz_fail(err, CZ_E_UNAVAILABLE, "positions: %s", e->text);
        break;
    case CZ_EVENT_ERROR:
        cz_log(CZ_LOG_DEBUG, "runtime", "positions: %s", e->text);
        break;
    }
    return code;
}

static enum cz_err ask(const struct scan *s, int64_t what, int64_t *ret, struct cz_error *err)
{
    const struct cz_offsets_claim *c = s->c;
    struct cz_tp_list l = {0};
    struct cz_tp *tp = cz_tp_list_add(&l, c->topic, c->at.partition, what);
    enum cz_err code = cz_admin_list_offsets(c->admin, &l, false, cz_deadline_ms(ADMIN_MS), err);
    if (!code && (tp->code || tp->offset < 0))
        code = cz_fail(err, tp->code ? tp->code : CZ_E_KAFKA, "%s [%d]: its end cannot be read", c->topic,
                       c->at.partition);
    *ret = tp->offset;
    cz_tp_list_done(&l);
    return code;
}

static enum cz_err open_scan(struct scan *s, struct cz_error *err)
{
    const struct cz_offsets_claim *c = s->c;
    const struct cz_consumer_options o = {.cluster = c->target,
                                          .client_id = c->client_id,
                                          .group_id = c->group_id,
                                          .read_committed = true,
                                          .prefetch_kib = 4096,
                                          .fetch_wait_ms = 50};
    enum cz_err code = ask(s, CZ_OFFSET_EARLIEST, &s->at, err);
    if (!code)
        code = cz_consumer_new(&o, &s->consumer, err);
    if (!code)
        code = cz_consumer_assign(s->consumer, c->topic, c->at.partition, s->at, s, err);
    return code;
}

/* From where the last scan ended to the end of now. */
static enum cz_err scan(struct scan *s, struct cz_error *err)
{
    int64_t end = 0;
    for (size_t i = 0; i < s->parts->len; i++)
        forget(&s->rivals[i], s->rivals[i].len);
    enum cz_err code = ask(s, CZ_OFFSET_LATEST, &end, err);
    if (!code && !s->consumer)
        code = open_scan(s, err);
    cz_time deadline = cz_deadline_ms(READ_MS);
    while (!code && s->at < end) {
        size_t n = cz_consumer_poll(s->consumer, s->events, BATCH, 100);
        for (size_t i = 0; i < n; i++) {
            enum cz_err one = take_event(s, &s->events[i], code ? NULL : err);
            code = code ? code : one;
        }
        if (!code && s->at < end && cz_remaining_ms(deadline) == 0)
            code = cz_fail(err, CZ_E_TIMEOUT,
                           "positions in %s [%d] cannot be read past %" PRId64 " of %" PRId64
                           ": an open transaction hides them, or the partition is away",
                           s->c->topic, s->c->at.partition, s->at, end);
    }
    return code;
}

/* ---- writing -------------------------------------------------------------------------------- */

static enum cz_err send_claim(const struct cz_offsets_claim *c, const struct cz_tp *tp, struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *key = cz_offset_key(c->at.uid, tp->topic, tp->partition);
    CZ_CLEANUP(cz_freep) char *owner = cz_strf("%s%s", key, OWNER);
    json_t *doc = json_pack("{s:i, s:s}", "v", 1, "writer", c->at.writer);
    CZ_CLEANUP(cz_freep) char *value = cz_json_text(doc, false);
    json_decref(doc);
    const struct cz_send send = {.partition = c->at.partition,
                                 .key = {owner, strlen(owner)},
                                 .value = {value, strlen(value)},
                                 .copy = true};
    return cz_producer_send(c->producer, c->at.topic, &send, err);
}

static enum cz_err commit(const struct cz_offsets_claim *c, struct cz_error *err)
{
    cz_time deadline = cz_deadline_ms(COMMIT_MS);
    for (;;) {
        /* Asked each time: a commit may take long, and who has no lease must not own. */
        if (!c->leased(c->arg))
            return cz_fail(err, CZ_E_FENCED, "the worker's lease ran out");
        struct cz_error own = CZ_ERROR_INIT;
        enum cz_err code = cz_producer_txn_commit(c->producer, SLICE_MS, &own);
        if (!code)
            return CZ_OK;
        if (!(own.flags & CZ_ERR_RETRIABLE) || cz_remaining_ms(deadline) == 0)
            return cz_fail_flags(err, code, 0, own.detail, "claim of the start: %s", own.text);
    }
}

/* One transaction: claims, or with @positions those. */
static enum cz_err write_all(const struct cz_offsets_claim *c, const struct cz_tp_list *l,
                             const struct cz_position *positions, struct cz_error *err)
{
    enum cz_err code = CZ_OK;
    if (l->len == 0)
        return CZ_OK;
    code = cz_producer_txn_begin(c->producer, err);
    for (size_t i = 0; !code && i < l->len; i++) {
        const struct cz_tp *tp = &l->items[i];
        code = positions ? cz_offset_record_send(c->producer, &c->at, tp->topic, tp->partition, tp->offset,
                                                 &positions[i], err)
                         : send_claim(c, tp, err);
    }
    return code ? code : commit(c, err);
}

static enum cz_err retriable(enum cz_err code, struct cz_error *err)
{
    if (code)
        err->flags = CZ_ERR_RETRIABLE; /* the next try has a new producer */
    return code;
}

enum cz_err cz_offsets_begin(const struct cz_offsets_claim *c, const struct cz_tp_list *at,
                             const struct cz_position *positions, struct cz_error *err)
{
    return retriable(write_all(c, at, positions, err), err);
}

/* ---- all of it ------------------------------------------------------------------------------ */

static enum cz_err own(struct scan *s, struct cz_error *err)
{
    bool owned = !s->c->producer;
    enum cz_err code = scan(s, err);
    for (int round = 0; !code; round++) {
        bool rivals = any_rival(s);
        if (!rivals && owned)
            break;
        if (round == ROUNDS)
            return cz_fail(err, CZ_E_CONFLICT, "others go on claiming the positions of this mapping");
        code = rivals ? fence_rivals(s, err) : write_all(s->c, s->parts, NULL, err);
        owned = !rivals || !s->c->producer;
        if (!code)
            code = scan(s, err);
    }
    return code;
}

enum cz_err cz_offsets_take(const struct cz_offsets_claim *c, const struct cz_tp_list *parts,
                            struct cz_offset_record *ret, struct cz_error *err)
{
    struct scan s = {.c = c, .parts = parts, .recs = ret, .keys = CZ_MAP_INIT(NULL)};
    s.rivals = cz_alloc_array(parts->len + 1, sizeof *s.rivals);
    s.events = cz_alloc_array(BATCH, sizeof *s.events);
    for (size_t i = 0; i < parts->len; i++) {
        CZ_CLEANUP(cz_freep) char *key = cz_offset_key(c->at.uid, parts->items[i].topic, parts->items[i].partition);
        cz_map_put(&s.keys, key, (void *)(intptr_t)(i + 1));
        ret[i].offset = -1;
    }
    enum cz_err code = retriable(own(&s, err), err);
    cz_consumer_free(s.consumer);
    for (size_t i = 0; i < parts->len; i++) {
        forget(&s.rivals[i], s.rivals[i].len);
        cz_free(s.rivals[i].ids);
    }
    cz_map_done(&s.keys);
    cz_free(s.rivals);
    cz_free(s.events);
    return code;
}
