/* SPDX-License-Identifier: Apache-2.0 */
/* Where an exactly-once task begins.  The order is what makes it exact: first the producer is
 * initialised (it fences who had its id, and ends that one's transaction), then the end of the
 * offsets partition is asked for, then the partition is read, committed records only, up to that
 * end.  A position written under another id (the number of tasks was changed): that id is fenced as
 * well and the partition read again.  Then the start is claimed under our own id, so the writer of
 * the last record is always the only possible other owner. */
#include <inttypes.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/consumer.h"
#include "cz/log.h"
#include "cz/util.h"
#include "worker_priv.h"

enum { ADMIN_MS = 5000, INIT_MS = 15000, READ_MS = 15000, PARTITIONS = 50, ROUNDS = 8, BATCH = 256, MAX_COPIES = 3 };

static char *offsets_topic(struct worker *w)
{
    return cz_strf("%s.offsets", w->o.group_id);
}

/* How many partitions it has; 0: it is not there. */
static enum cz_err look(struct cz_admin *admin, const char *name, int32_t *ret, struct cz_error *err)
{
    struct cz_topic_info *info = NULL;
    enum cz_err code = cz_admin_topics(admin, &name, 1, cz_deadline_ms(ADMIN_MS), &info, err);
    if (code)
        return code;
    *ret = info->code ? 0 : info->partitions;
    if (info->code && info->code != CZ_E_NOT_FOUND)
        code = cz_fail_flags(err, info->code, CZ_ERR_RETRIABLE, 0, "topic %s: %s", name, cz_err_slug(info->code));
    cz_topic_infos_free(info, 1);
    return code;
}

static enum cz_err ensure(struct cz_admin *admin, const char *name, int32_t *ret, struct cz_error *err)
{
    enum cz_err code = look(admin, name, ret, err);
    if (code || *ret > 0)
        return code;
    struct cz_topic_info *all = NULL;
    size_t n = 0;
    int brokers = 1;
    code = cz_admin_all_topics(admin, cz_deadline_ms(ADMIN_MS), &all, &n, &brokers, err);
    if (code)
        return code;
    cz_topic_infos_free(all, n);
    const char *const settings[] = {"cleanup.policy", "compact", "segment.bytes", "16777216",
                                    "min.cleanable.dirty.ratio", "0.1", NULL};
    code = cz_admin_create_topic(admin, name, PARTITIONS, brokers > MAX_COPIES ? MAX_COPIES : brokers,
                                 settings, cz_deadline_ms(ADMIN_MS), err);
    if (code)
        return code;
    code = look(admin, name, ret, err);
    if (!code && *ret == 0)
        code = cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0,
                             "topic %s was made but is not visible yet", name);
    return code;
}

static void retriable(struct cz_error *err)
{
    err->flags = CZ_ERR_RETRIABLE; /* the worker makes a new producer with the next try */
}

enum cz_err w_txn_producer(struct worker *w, struct w_start *s, struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *topic = offsets_topic(w);
    struct cz_admin *admin = NULL;
    int32_t partitions = 0;
    s->txn.interval_ms = s->spec->commit_interval_ms;
    s->txn.at.uid = cz_strdup(s->uid);
    s->txn.at.writer = cz_strf("%s.%s.%d", w->o.group_id, s->uid, s->n);
    enum cz_err code = w_admin(w, s->target, &admin, err);
    if (!code)
        code = ensure(admin, topic, &partitions, err);
    if (!code)
        code = w_producer_own(w, s, s->txn.at.writer, &s->producer, err);
    if (!code)
        code = cz_producer_topic(s->producer->producer, topic, &s->txn.at.topic, err);
    if (!code)
        code = cz_producer_txn_init(s->producer->producer, cz_deadline_ms(INIT_MS), err);
    if (code) {
        retriable(err);
        return code;
    }
    s->txn.at.partition = cz_offsets_partition(s->uid, partitions);
    cz_fault("txn-after-init");
    return CZ_OK;
}

static enum cz_err ask(struct cz_admin *a, const char *topic, int32_t partition, int64_t what, int64_t *ret,
                       struct cz_error *err)
{
    struct cz_tp_list l = {0};
    struct cz_tp *tp = cz_tp_list_add(&l, topic, partition, what);
    enum cz_err code = cz_admin_list_offsets(a, &l, false, cz_deadline_ms(ADMIN_MS), err);
    if (!code && (tp->code || tp->offset < 0))
        code = cz_fail_flags(err, tp->code ? tp->code : CZ_E_KAFKA, CZ_ERR_RETRIABLE, 0,
                             "%s [%d]: its end cannot be read", topic, partition);
    *ret = tp->offset;
    cz_tp_list_done(&l);
    return code;
}

static enum cz_err take(const struct w_start *s, const struct cz_record *r, struct cz_offset_record *recs,
                        struct cz_error *err)
{
    for (size_t i = 0; i < s->parts_len; i++) {
        CZ_CLEANUP(cz_freep) char *key = cz_offset_key(s->uid, s->parts[i].topic, s->parts[i].partition);
        if (strlen(key) != r->key.len || memcmp(key, r->key.data, r->key.len) != 0)
            continue;
        if (r->value.data)
            return cz_offset_record_parse(r->value, &recs[i], err);
        recs[i].offset = -1; /* forgotten on purpose */
    }
    return CZ_OK;
}

static enum cz_err take_event(const struct w_start *s, struct cz_event *e, int64_t *at,
                              struct cz_offset_record *recs, struct cz_error *err)
{
    enum cz_err code = CZ_OK;
    switch (e->kind) {
    case CZ_EVENT_RECORD:
        code = take(s, &e->record, recs, err);
        *at = e->record.offset + 1;
        cz_message_release(e->record.msg);
        break;
    case CZ_EVENT_END:
        *at = e->record.offset;
        break;
    case CZ_EVENT_RESET:
        code = cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0, "positions: %s", e->text);
        break;
    case CZ_EVENT_ERROR:
        cz_log(CZ_LOG_DEBUG, "worker", "positions: %s", e->text);
        break;
    }
    return code;
}

static enum cz_err read_up_to(struct worker *w, struct w_start *s, const char *topic, int32_t partition,
                              int64_t from, int64_t end, struct cz_offset_record *recs, struct cz_error *err)
{
    const struct cz_consumer_options o = {.cluster = s->target,
                                          .client_id = w->o.id,
                                          .group_id = w->o.group_id,
                                          .read_committed = true,
                                          .prefetch_kib = 4096,
                                          .fetch_wait_ms = 50};
    struct cz_consumer *c = NULL;
    struct cz_event *events = cz_alloc_array(BATCH, sizeof *events);
    int64_t at = from;
    enum cz_err code = cz_consumer_new(&o, &c, err);
    if (!code)
        code = cz_consumer_assign(c, topic, partition, from, s, err);
    cz_time deadline = cz_deadline_ms(READ_MS);
    while (!code && at < end) {
        size_t n = cz_consumer_poll(c, events, BATCH, 100);
        for (size_t i = 0; i < n; i++) {
            enum cz_err one = take_event(s, &events[i], &at, recs, code ? NULL : err);
            code = code ? code : one;
        }
        if (!code && at < end && cz_remaining_ms(deadline) == 0)
            code = cz_fail_flags(err, CZ_E_TIMEOUT, CZ_ERR_RETRIABLE, 0,
                                 "positions in %s [%d] cannot be read past %" PRId64 " of %" PRId64
                                 ": an open transaction hides them, or the partition is away",
                                 topic, partition, at, end);
    }
    cz_consumer_free(c);
    cz_free(events);
    return code;
}

static enum cz_err read_back(struct worker *w, struct w_start *s, const char *topic, int32_t partition,
                             struct cz_offset_record *recs, struct cz_error *err)
{
    struct cz_admin *admin = NULL;
    int64_t from = 0, end = 0;
    for (size_t i = 0; i < s->parts_len; i++)
        recs[i].offset = -1;
    enum cz_err code = w_admin(w, s->target, &admin, err);
    if (!code)
        code = ask(admin, topic, partition, CZ_OFFSET_LATEST, &end, err);
    if (!code)
        code = ask(admin, topic, partition, CZ_OFFSET_EARLIEST, &from, err);
    return code ? code : read_up_to(w, s, topic, partition, from, end, recs, err);
}

static enum cz_err fence(struct worker *w, struct w_start *s, const char *id, struct cz_error *err)
{
    struct w_producer *p = NULL;
    enum cz_err code = w_producer_own(w, s, id, &p, err);
    if (!code)
        code = cz_producer_txn_init(p->producer, cz_deadline_ms(INIT_MS), err);
    w_producer_put(w, p);
    if (code)
        retriable(err);
    return code;
}

/* Read, fence who else wrote, until nobody else is left. */
static enum cz_err read_fenced(struct worker *w, struct w_start *s, const char *topic, int32_t partition,
                               struct cz_offset_record *recs, struct cz_error *err)
{
    struct cz_map fenced = CZ_MAP_INIT(NULL);
    enum cz_err code = CZ_OK;
    bool again = true;
    for (int round = 0; !code && again; round++) {
        again = false;
        code = round < ROUNDS ? read_back(w, s, topic, partition, recs, err)
                              : cz_fail_flags(err, CZ_E_CONFLICT, CZ_ERR_RETRIABLE, 0,
                                              "others go on writing positions of this mapping");
        for (size_t i = 0; !code && i < s->parts_len; i++) {
            const char *who = recs[i].offset >= 0 ? recs[i].writer : NULL;
            if (!who || cz_streq(who, s->txn.at.writer) || cz_map_get(&fenced, who))
                continue;
            code = fence(w, s, who, err);
            cz_map_put(&fenced, who, s);
            again = true;
        }
    }
    cz_map_done(&fenced);
    return code;
}

static int64_t generation_of(const struct cz_tp *tp, char kind)
{
    struct cz_position p;
    bool ours = tp->offset >= 0 && cz_position_parse(tp->metadata, &p) && p.kind == kind;
    return ours ? p.generation : -1;
}

static void put(struct cz_tp *tp, const struct cz_offset_record *r)
{
    struct cz_position p = r->position;
    p.kind = 'g';
    tp->offset = r->offset;
    tp->code = CZ_OK;
    cz_free((char *)CZ_UNCONST(tp->metadata));
    tp->metadata = cz_position_text(&p);
}

/* Copied at least once since? Then the group knows better. */
static bool record_counts(const struct w_start *s, const struct cz_tp *tp, const struct cz_offset_record *r)
{
    if (r->offset < 0)
        return false;
    return s->spec->exactly_once ? generation_of(tp, 'g') <= r->position.generation : generation_of(tp, 'x') >= 0;
}

enum cz_err w_txn_positions(struct worker *w, struct w_start *s, struct cz_tp_list *l,
                            struct cz_error *err)
{
    bool wanted = s->spec->exactly_once;
    for (size_t i = 0; i < l->len; i++) {
        if (l->items[i].code)
            return CZ_OK; /* the caller tells of it */
        wanted |= generation_of(&l->items[i], 'x') >= 0;
    }
    if (!wanted)
        return CZ_OK;
    CZ_CLEANUP(cz_freep) char *topic = offsets_topic(w);
    struct cz_admin *admin = NULL;
    int32_t partitions = 0;
    enum cz_err code = w_admin(w, s->target, &admin, err);
    if (!code)
        code = look(admin, topic, &partitions, err);
    if (code || partitions == 0)
        return code;
    struct cz_offset_record *recs = cz_alloc_array(s->parts_len + 1, sizeof *recs);
    code = read_fenced(w, s, topic, cz_offsets_partition(s->uid, partitions), recs, err);
    for (size_t i = 0; i < s->parts_len; i++) {
        struct cz_tp *tp = &l->items[i];
        s->places[i].fresh = s->spec->exactly_once || generation_of(tp, 'x') >= 0;
        if (!code && record_counts(s, tp, &recs[i]))
            put(tp, &recs[i]);
        cz_free(recs[i].writer);
    }
    cz_free(recs);
    return code;
}

enum cz_err w_txn_claim(struct worker *w, struct w_start *s, struct cz_error *err)
{
    struct cz_producer *p = s->producer->producer;
    if (!w_leased(w))
        return cz_fail_flags(err, CZ_E_FENCED, CZ_ERR_RETRIABLE, 0, "the worker's lease ran out");
    enum cz_err code = cz_producer_txn_begin(p, err);
    for (size_t i = 0; !code && i < s->parts_len; i++)
        code = cz_offset_record_send(p, &s->txn.at, s->parts[i].topic, s->parts[i].partition,
                                     s->places[i].at, &s->places[i].position, err);
    cz_time deadline = cz_deadline_ms(INIT_MS);
    while (!code) {
        struct cz_error own = CZ_ERROR_INIT;
        code = cz_producer_txn_commit(p, 500, &own);
        if (!code)
            return CZ_OK;
        if (own.flags & CZ_ERR_RETRIABLE && cz_remaining_ms(deadline) > 0)
            code = CZ_OK;
        else
            cz_fail_flags(err, own.code, 0, own.detail, "claim of the start: %s", own.text);
    }
    retriable(err);
    return code;
}
