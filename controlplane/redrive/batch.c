/* SPDX-License-Identifier: Apache-2.0 */
/* Letters that were collected: through the stages, to the target, and what is then done, in one transaction.
 * A target that refuses a record refuses the whole transaction; then it is halved until the one is found. */
#include <string.h>
#include <time.h>

#include "cz/log.h"
#include "cz/mapping_stages.h"
#include "cz/util.h"
#include "redrive_priv.h"

enum { ASK_MS = 10000, COMMIT_MS = 30000, SLICE_MS = 500, NAP_MS = 10, TRIES = 4 };

static void nap(void)
{
    const struct timespec t = {.tv_nsec = NAP_MS * 1000000L};
    (void)nanosleep(&t, NULL);
}

static void item_done(struct redrive_item *item)
{
    cz_letter_done(&item->letter);
    cz_message_release(item->msg);
    cz_message_release(item->source_msg);
    *item = (struct redrive_item){.job = item->job};
}

void redrive_items_done(struct redrive_job *j)
{
    for (size_t i = 0; i < j->len; i++)
        item_done(&j->items[i]);
    j->len = 0;
    j->bytes = 0;
}

/* ---- one letter ------------------------------------------------------------------------------ */

static void failed(struct redrive_item *item, const char *stage, const struct cz_error *why)
{
    item->outcome = REDRIVE_FAILED;
    item->stage = stage;
    item->why = *why;
}

static const char *target_of(const struct redrive_job *j, const char *source)
{
    for (size_t i = 0; i < j->conf->spec->pairs_len; i++) {
        if (strcmp(j->conf->spec->pairs[i].source, source) == 0)
            return j->conf->spec->pairs[i].target;
    }
    return NULL;
}

static enum cz_err target_topic(struct redrive_job *j, const char *name, struct cz_producer_topic **ret,
                                struct cz_error *err)
{
    struct cz_topic_info *info = NULL;
    *ret = cz_map_get(&j->targets, name);
    if (*ret)
        return CZ_OK;
    enum cz_err code = cz_admin_topics(j->conf->letters_admin, &name, 1, cz_deadline_ms(ASK_MS), &info, err);
    if (!code && (info->code || info->partitions == 0))
        code = cz_fail(err, info->code ? info->code : CZ_E_NOT_FOUND, "target topic %s: %s", name,
                       cz_err_slug(info->code ? info->code : CZ_E_NOT_FOUND));
    if (!code)
        code = cz_producer_topic(j->producer, name, ret, err);
    if (!code) { /* it refuses partitions that it has not heard of */
        cz_producer_topic_expect(*ret, info->partitions);
        code = cz_producer_refresh(j->producer, cz_deadline_ms(ASK_MS), err);
    }
    if (!code)
        cz_map_put(&j->targets, name, *ret);
    cz_topic_infos_free(info, info ? 1 : 0);
    return code;
}

static enum cz_err begin(struct redrive_job *j, struct cz_error *err)
{
    if (j->in_txn)
        return CZ_OK;
    enum cz_err code = cz_producer_txn_begin(j->producer, err);
    j->in_txn = !code;
    return code;
}

/* Is it the record that is refused?  Else it is about the target, and ends the job. */
static bool of_record(enum cz_err code)
{
    return code == CZ_E_TOO_LARGE || code == CZ_E_INVALID;
}

static enum cz_err send(struct redrive_job *j, struct redrive_item *item, const struct cz_record *r,
                        const struct cz_stage_result *s, struct cz_error *err)
{
    struct cz_header own[64], *all = own;
    struct cz_producer_topic *topic = NULL;
    enum cz_err code = target_topic(j, r->target, &topic, err);
    if (!code)
        code = begin(j, err);
    if (code)
        return code;
    size_t n = s->headers_changed ? s->headers_len : r->headers(r, own, sizeof own / sizeof *own);
    if (!s->headers_changed && n > sizeof own / sizeof *own) {
        all = cz_alloc_array(n, sizeof *all);
        (void)r->headers(r, all, n);
    }
    int32_t partitions = cz_producer_topic_partitions(topic);
    const struct cz_send out = {
        .partition = cz_mapping_partition(j->conf->spec->partitioning, r, s, partitions, &j->turn),
        .timestamp_ms = r->ts_type == CZ_TS_NONE ? 0 : r->timestamp_ms,
        .key = s->key,
        .value = s->value,
        .copy = true,
        .own_headers = true,
        .headers = s->headers_changed ? s->headers : all,
        .headers_len = n,
        .opaque = item,
    };
    atomic_fetch_add(&j->in_flight, 1);
    if (out.partition >= partitions)
        code = cz_fail(err, CZ_E_INVALID, "partition %d: the target topic has %d", out.partition, partitions);
    else
        do {
            code = cz_producer_send(j->producer, topic, &out, err);
            if (code == CZ_E_LIMIT)
                nap();
        } while (code == CZ_E_LIMIT && cz_remaining_ms(j->conf->deadline) > 0);
    if (code)
        atomic_fetch_sub(&j->in_flight, 1);
    if (all != own)
        cz_free(all);
    return code;
}

static void run_stages(struct redrive_job *j, const struct cz_record *r, struct cz_stage_result *s, struct cz_error *why)
{
    for (;;) {
        cz_stages_run(j->conf->stages, j->ctx, r, s, why);
        if (s->verdict != CZ_VERDICT_WAIT || cz_remaining_ms(j->conf->deadline) == 0)
            return;
        nap(); /* a schema is being fetched */
    }
}

static enum cz_err one(struct redrive_job *j, struct redrive_item *item, struct cz_error *err)
{
    struct cz_record r = item->letter.withheld ? item->original : item->letter.record;
    struct cz_stage_result s;
    struct cz_error why = CZ_ERROR_INIT;
    if (item->outcome == REDRIVE_GONE || item->outcome == REDRIVE_DISCARDED || item->refused)
        return CZ_OK;
    r.topic = item->letter.topic;
    r.target = target_of(j, r.topic);
    if (!r.target) {
        cz_fail(&why, CZ_E_NOT_FOUND, "the mapping does not copy topic %s any more", r.topic);
        failed(item, "route", &why);
        return CZ_OK;
    }
    run_stages(j, &r, &s, &why);
    item->outcome = s.verdict == CZ_VERDICT_DROP ? REDRIVE_DROPPED : REDRIVE_SENT;
    item->drop = s.drop;
    if (s.verdict == CZ_VERDICT_ERROR)
        failed(item, s.stage, &why);
    else if (s.verdict == CZ_VERDICT_WAIT)
        failed(item, "decode", &why);
    if (s.verdict != CZ_VERDICT_PASS || !j->producer)
        return CZ_OK;
    enum cz_err code = send(j, item, &r, &s, &why);
    if (code && !of_record(code))
        return cz_fail_flags(err, code, why.flags, why.detail, "%s", why.text);
    if (code)
        failed(item, "send", &why);
    return CZ_OK;
}

/* ---- transactions ---------------------------------------------------------------------------- */

static bool settled(const struct redrive_item *item)
{
    return item->outcome == REDRIVE_SENT || item->outcome == REDRIVE_DROPPED || item->outcome == REDRIVE_DISCARDED;
}

/* What will be done of @partition; false: nothing new. */
static bool add_done(const struct redrive_item *items, size_t n, int32_t partition, struct redrive_done *d)
{
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        if (items[i].place.partition != partition || !settled(&items[i]))
            continue;
        redrive_done_add(d, items[i].place.offset, items[i].place.offset + 1);
        any = true;
    }
    return any;
}

static enum cz_err send_done(struct redrive_job *j, const struct redrive_item *items, size_t n, struct cz_error *err)
{
    enum cz_err code = CZ_OK;
    for (int32_t p = 0; !code && p < j->letters.partitions; p++) {
        struct redrive_done d;
        redrive_done_copy(&j->done[p], &d);
        if (add_done(items, n, p, &d)) {
            code = begin(j, err);
            if (!code)
                code = redrive_state_send(j, p, &d, err);
        }
        redrive_done_free(&d);
    }
    return code;
}

static enum cz_err end(struct redrive_job *j,
                       enum cz_err (*step)(struct cz_producer *, int, struct cz_error *),
                       struct cz_error *err)
{
    cz_time until = cz_deadline_ms(COMMIT_MS);
    for (;;) {
        struct cz_error own = CZ_ERROR_INIT;
        enum cz_err code = step(j->producer, SLICE_MS, &own);
        if (!code || !(own.flags & CZ_ERR_RETRIABLE) || cz_remaining_ms(until) == 0) {
            j->in_txn = code != CZ_OK;
            return code ? cz_fail_flags(err, code, own.flags, own.detail, "%s", own.text) : CZ_OK;
        }
    }
}

/* Give the transaction up; whatever comes of it, no delivery is on its way afterwards. */
static enum cz_err give_up(struct redrive_job *j, struct cz_error *err)
{
    enum cz_err code = j->in_txn ? end(j, cz_producer_txn_abort, err) : CZ_OK;
    cz_time until = cz_deadline_ms(SLICE_MS * 10);
    while (!code && atomic_load(&j->in_flight) > 0) {
        if (cz_remaining_ms(until) == 0)
            return cz_fail(err, CZ_E_INTERNAL, "deliveries are missing after an abort");
        nap();
    }
    return code;
}

static enum cz_err attempt(struct redrive_job *j, struct redrive_item *items, size_t n, struct cz_error *err)
{
    enum cz_err code = CZ_OK;
    for (size_t i = 0; i < n; i++)
        atomic_store(&items[i].delivery, CZ_OK);
    for (size_t i = 0; !code && i < n; i++)
        code = one(j, &items[i], err);
    if (!code && j->producer)
        code = send_done(j, items, n, err);
    if (!code && j->in_txn) {
        code = end(j, cz_producer_txn_commit, err);
        j->committed |= !code;
        cz_fault("redrive-after-commit");
    }
    return code;
}

/* Those that the target has refused, of which @ret is one. */
static size_t refused(struct redrive_item *items, size_t n, struct redrive_item **ret)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (!(atomic_load(&items[i].delivery) & REDRIVE_REFUSED_BIT))
            continue;
        *ret = &items[i];
        k++;
    }
    return k;
}

static void count(struct redrive_job *j, const struct redrive_item *item)
{
    struct cz_slice none = {0};
    const char *error = cz_err_slug(item->why.code), *text = item->why.text;
    switch (item->outcome) {
    case REDRIVE_SENT:
        j->sent++;
        break;
    case REDRIVE_DROPPED:
        j->dropped[item->drop]++;
        break;
    case REDRIVE_DISCARDED:
        j->discarded++;
        break;
    case REDRIVE_GONE:
        j->gone++;
        break;
    case REDRIVE_FAILED:
        j->failed++;
        redrive_count_reason(j, item->stage ? (struct cz_slice){item->stage, strlen(item->stage)} : none,
                             (struct cz_slice){error, strlen(error)}, (struct cz_slice){text, strlen(text)});
        break;
    }
}

static void settle(struct redrive_job *j, const struct redrive_item *items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        count(j, &items[i]);
    for (int32_t p = 0; p < j->letters.partitions; p++)
        (void)add_done(items, n, p, &j->done[p]);
}

static enum cz_err drive(struct redrive_job *j, struct redrive_item *items, size_t n, struct cz_error *err)
{
    for (int tries = 1;; tries++) {
        struct cz_error own = CZ_ERROR_INIT;
        struct redrive_item *which = NULL;
        enum cz_err code = attempt(j, items, n, &own);
        if (!code) {
            settle(j, items, n);
            return CZ_OK;
        }
        if (code == CZ_E_FENCED)
            return cz_fail(err, CZ_E_CONFLICT, "another job has taken over the dead letters of this mapping");
        if ((own.flags & CZ_ERR_FATAL) || give_up(j, err))
            return cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, own.detail,
                                 "%s; run it again: it goes on where this one was given up", own.text);
        size_t k = refused(items, n, &which);
        if (k > 0 && n > 1) {
            code = drive(j, items, n / 2, err);
            return code ? code : drive(j, items + n / 2, n - n / 2, err);
        }
        if (k > 0) {
            (void)cz_fail(&own, CZ_E_TOO_LARGE, "the target refuses the record: %s", own.text);
            which->refused = true;
            failed(which, "send", &own);
        } else if (!(own.flags & CZ_ERR_ABORT_TXN) || tries == TRIES) {
            return cz_fail_flags(err, code, own.flags, own.detail, "%s", own.text);
        }
    }
}

enum cz_err redrive_batch(struct redrive_job *j, struct cz_error *err)
{
    enum cz_err code = CZ_OK;
    for (size_t i = 0; !code && i < j->len; i++) {
        struct redrive_item *item = &j->items[i];
        if (j->conf->action == CZ_REDRIVE_DISCARD)
            item->outcome = REDRIVE_DISCARDED;
        else if (item->letter.withheld)
            code = redrive_fetch(j, item, err);
    }
    if (!code && j->len > 0)
        code = drive(j, j->items, j->len, err);
    if (!code)
        redrive_items_done(j);
    return code;
}
