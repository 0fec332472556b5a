/* SPDX-License-Identifier: Apache-2.0 */
/* Where an exactly-once task begins: its producer (initialised, which fences who had its id), what the
 * offsets topic says (cz/offsets_topic.h), and whether that or the group's offset counts. */
#include <inttypes.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/util.h"
#include "worker_priv.h"

enum { ADMIN_MS = 5000, INIT_MS = 15000, PARTITIONS = 50 };

static char *offsets_topic(struct worker *w)
{
    return cz_strf("%s.offsets", w->o.group_id);
}

/* The partition of the offsets topic, which is made when it is missing. */
static enum cz_err ensure_partition(struct worker *w, struct w_start *s, const char *topic, struct cz_error *err)
{
    /* A claim that compaction takes away is a rival that the next start does not fence: none may go
     * before every start that could need it has long ended. */
    static const char *const settings[] = {"cleanup.policy", "compact", "segment.bytes", "16777216",
                                           "min.cleanable.dirty.ratio", "0.1",
                                           "min.compaction.lag.ms", "3600000", NULL};
    struct cz_admin *admin = NULL;
    struct cz_topic_info *info = NULL;
    bool created;
    enum cz_err code = w_admin(w, s->target, &admin, err);
    if (!code)
        code = cz_admin_ensure_topic(admin, topic, PARTITIONS, settings, cz_deadline_ms(ADMIN_MS), &info,
                                     &created, err);
    if (!code)
        s->txn.at.partition = cz_offsets_partition(s->uid, info->partitions);
    cz_topic_infos_free(info, info ? 1 : 0);
    return code;
}

enum cz_err w_plain_positions(struct worker *w, struct w_start *s, struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *topic = offsets_topic(w);
    s->txn.at.uid = cz_strdup(s->uid);
    s->txn.at.writer = cz_strdup("");
    enum cz_err code = ensure_partition(w, s, topic, err);
    if (!code)
        code = cz_producer_topic(s->producer->producer, topic, &s->txn.at.topic, err);
    return code;
}

enum cz_err w_txn_producer(struct worker *w, struct w_start *s, struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *topic = offsets_topic(w);
    s->txn.interval_ms = s->spec->commit_interval_ms;
    s->txn.at.uid = cz_strdup(s->uid);
    s->txn.at.writer = cz_strf("%s.%s.%d", w->o.group_id, s->uid, s->n);
    enum cz_err code = ensure_partition(w, s, topic, err);
    if (!code)
        code = w_producer_own(w, s, s->txn.at.writer, &s->producer, err);
    if (!code)
        code = cz_producer_topic(s->producer->producer, topic, &s->txn.at.topic, err);
    if (!code)
        code = cz_producer_txn_init(s->producer->producer, cz_deadline_ms(INIT_MS), err);
    if (code)
        err->flags = CZ_ERR_RETRIABLE; /* the next try makes a new producer */
    else
        cz_fault("txn-after-init");
    return code;
}

/* ---- positions ------------------------------------------------------------------------------ */

struct claimant {
    struct worker *w;
    struct w_start *s;
};

static enum cz_err fence(void *arg, const char *id, struct cz_error *err)
{
    const struct claimant *me = arg;
    struct w_producer *p = NULL;
    enum cz_err code = w_producer_own(me->w, me->s, id, &p, err);
    if (!code)
        code = cz_producer_txn_init(p->producer, cz_deadline_ms(INIT_MS), err);
    w_producer_put(me->w, p);
    return code;
}

static bool leased(void *arg)
{
    const struct claimant *me = arg;
    return w_leased(me->w);
}

static struct cz_offsets_claim claim_of(struct claimant *me, struct cz_admin *admin, const char *topic)
{
    struct w_start *s = me->s;
    struct cz_offsets_claim c = {
        .target = s->target,
        .admin = admin,
        .client_id = me->w->o.id,
        .group_id = me->w->o.group_id,
        .topic = topic,
        .at = s->txn.at,
        .producer = s->spec->exactly_once ? s->producer->producer : NULL,
        .fence = fence,
        .leased = leased,
        .arg = me,
    };
    c.at.uid = s->uid;
    return c;
}

/* The partition that holds the mapping's positions; -1: there is no such topic. */
static enum cz_err find_partition(struct w_start *s, struct cz_admin *admin, const char *topic, int32_t *ret,
                                  struct cz_error *err)
{
    struct cz_topic_info *info = NULL;
    enum cz_err code = cz_admin_topics(admin, &topic, 1, cz_deadline_ms(ADMIN_MS), &info, err);
    if (code)
        return code;
    if (info->code && info->code != CZ_E_NOT_FOUND)
        code = cz_fail_flags(err, info->code, CZ_ERR_RETRIABLE, 0, "topic %s: %s", topic, cz_err_slug(info->code));
    *ret = info->code ? -1 : cz_offsets_partition(s->uid, info->partitions);
    cz_topic_infos_free(info, 1);
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

/* Copied at least once since, or moved by an operator? Then the group knows better. */
static bool record_counts(const struct w_start *s, const struct cz_tp *tp, const struct cz_offset_record *r)
{
    if (r->offset < 0 || (tp->offset >= 0 && cz_streq(tp->metadata, CZ_POSITION_MOVED)))
        return false;
    if (s->spec->source_file)
        return true; /* there is no group */
    return s->spec->exactly_once ? generation_of(tp, 'g') <= r->position.generation : generation_of(tp, 'x') >= 0;
}

enum cz_err w_txn_positions(struct worker *w, struct w_start *s, struct cz_tp_list *l,
                            struct cz_error *err)
{
    bool wanted = s->spec->exactly_once || s->spec->source_file;
    for (size_t i = 0; i < l->len; i++) {
        if (l->items[i].code)
            return CZ_OK; /* the caller tells of it */
        wanted |= generation_of(&l->items[i], 'x') >= 0;
    }
    if (!wanted)
        return CZ_OK;
    CZ_CLEANUP(cz_freep) char *topic = offsets_topic(w);
    struct claimant me = {w, s};
    struct cz_admin *admin = NULL;
    enum cz_err code = w_admin(w, s->target, &admin, err);
    if (code)
        return code;
    struct cz_offsets_claim c = claim_of(&me, admin, topic);
    if (!s->spec->exactly_once)
        code = find_partition(s, admin, topic, &c.at.partition, err);
    if (code || c.at.partition < 0)
        return code;
    struct cz_offset_record *recs = cz_alloc_array(l->len + 1, sizeof *recs);
    code = cz_offsets_take(&c, l, recs, err);
    for (size_t i = 0; i < l->len; i++) {
        struct cz_tp *tp = &l->items[i];
        s->places[i].fresh = s->spec->exactly_once || generation_of(tp, 'x') >= 0;
        if (!code && record_counts(s, tp, &recs[i]))
            put(tp, &recs[i]);
        cz_free(recs[i].writer);
    }
    cz_free(recs);
    return code;
}

enum cz_err w_txn_begin(struct worker *w, struct w_start *s, struct cz_error *err)
{
    struct claimant me = {w, s};
    const struct cz_offsets_claim c = claim_of(&me, NULL, NULL);
    struct cz_position *positions = cz_alloc_array(s->parts_len + 1, sizeof *positions);
    struct cz_tp_list l = {0};
    for (size_t i = 0; i < s->parts_len; i++) {
        cz_tp_list_add(&l, s->parts[i].topic, s->parts[i].partition, s->places[i].at);
        positions[i] = s->places[i].position;
    }
    enum cz_err code = cz_offsets_begin(&c, &l, positions, err);
    cz_tp_list_done(&l);
    cz_free(positions);
    return code;
}
