/* SPDX-License-Identifier: Apache-2.0 */
/* A job: the letters that are not done yet, in the order of their partitions, up to what the topic held when
 * it began. */
#include "cz/redrive.h"

#include <string.h>

#include "cz/util.h"
#include "redrive_priv.h"

enum { ASK_MS = 10000, FREE_MS = 1000 };

static bool is(struct cz_slice s, const char *text)
{
    return s.data && s.len == strlen(text) && memcmp(s.data, text, s.len) == 0;
}

static bool matches(const struct cz_redrive_filter *f, const struct cz_letter *l)
{
    const struct cz_record *r = &l->record;
    bool timed = r->ts_type != CZ_TS_NONE;
    return (!f->stage || is(l->stage, f->stage)) && (!f->error || is(l->error, f->error)) &&
           (!f->topic || strcmp(l->topic, f->topic) == 0) && (f->partition < 0 || r->partition == f->partition) &&
           (f->from_offset < 0 || r->offset >= f->from_offset) && (f->to_offset < 0 || r->offset < f->to_offset) &&
           (f->since_ms < 0 || (timed && r->timestamp_ms >= f->since_ms)) &&
           (f->until_ms < 0 || (timed && r->timestamp_ms < f->until_ms));
}

static enum cz_err collect(struct redrive_job *j, const struct cz_record *r, struct cz_error *err)
{
    struct redrive_item *item = &j->items[j->len];
    *item = (struct redrive_item){.job = j, .place = *r};
    item->msg = cz_message_make(r);
    if (!item->msg)
        return cz_fail(err, CZ_E_LIMIT, "no memory for a letter of %zu bytes", r->value.len);
    struct cz_record copy;
    cz_message_record(item->msg, r->topic, &copy);
    j->len++;
    (void)cz_letter_read(&copy, &item->letter);
    j->bytes += (int64_t)(r->key.len + r->value.len);
    return j->len == REDRIVE_BATCH || j->bytes >= REDRIVE_BATCH_BYTES ? redrive_batch(j, err) : CZ_OK;
}

/* A letter of this mapping that is not done. */
static enum cz_err on_letter(struct redrive_job *j, const struct cz_record *r, const struct cz_letter *l,
                             struct cz_error *err)
{
    if (!matches(&j->conf->filter, l)) {
        j->others++;
        return CZ_OK;
    }
    if (j->matched >= j->conf->max_records || cz_remaining_ms(j->conf->deadline) == 0) {
        j->stopped = true; /* ends the scan */
        return CZ_E_LIMIT;
    }
    j->matched++;
    if (j->conf->action != CZ_REDRIVE_LIST)
        return collect(j, r, err);
    redrive_count_reason(j, l->stage, l->error, l->message);
    redrive_sample(j, r, l);
    return CZ_OK;
}

static bool is_ours(const struct redrive_job *j, const struct cz_letter *l)
{
    const struct cz_redrive_conf *c = j->conf;
    return cz_letter_is_of(l, c->team, c->mapping) || cz_letter_is_of(l, c->team, c->first_name);
}

static enum cz_err on_record(void *arg, const struct cz_record *r, struct cz_error *err)
{
    struct redrive_job *j = arg;
    struct redrive_done *d = &j->done[r->partition];
    struct cz_letter l = {0};
    enum cz_err code = CZ_OK;
    redrive_done_add(d, j->next[r->partition], r->offset); /* no records there */
    if (!redrive_done_has(d, r->offset)) {
        if (cz_letter_read(r, &l) && is_ours(j, &l))
            code = on_letter(j, r, &l, err);
        else
            redrive_done_add(d, r->offset, r->offset + 1); /* another mapping's */
    }
    cz_letter_done(&l);
    if (!code)
        j->next[r->partition] = r->offset + 1;
    return code;
}

static enum cz_err open_letters(struct redrive_job *j, struct cz_error *err)
{
    const struct cz_redrive_conf *c = j->conf;
    struct cz_scan *s = &j->letters;
    enum cz_err code = cz_scan_open(s, c->letters, c->letters_admin, c->spec->dead_letter_topic, cz_deadline_ms(ASK_MS),
                                    err);
    if (code)
        return cz_fail_prefix(err, "dead letters on cluster %s", cz_mapping_letters_cluster(c->spec));
    j->done = cz_alloc_array((size_t)s->partitions, sizeof *j->done);
    j->next = cz_alloc_array((size_t)s->partitions, sizeof *j->next);
    code = redrive_state_open(j, err);
    if (!code)
        code = cz_scan_ask(s, CZ_OFFSET_EARLIEST, true, s->begin, cz_deadline_ms(ASK_MS), err);
    if (!code)
        code = cz_scan_ask(s, CZ_OFFSET_LATEST, true, s->end, cz_deadline_ms(ASK_MS), err);
    for (int32_t p = 0; !code && p < s->partitions; p++) {
        redrive_done_add(&j->done[p], 0, s->begin[p]); /* gone by the topic's own retention */
        s->begin[p] = j->done[p].position;
        j->next[p] = s->begin[p];
    }
    return code;
}

static enum cz_err run(struct redrive_job *j, struct cz_error *err)
{
    const struct cz_scan_options o = {.client_id = j->conf->client_id,
                                      .read_committed = true,
                                      .deadline = j->conf->deadline,
                                      .stop = j->conf->stop,
                                      .record = on_record,
                                      .arg = j};
    struct cz_error own = CZ_ERROR_INIT;
    enum cz_err code = open_letters(j, err);
    if (code)
        return code;
    code = cz_scan_run(&j->letters, &o, &own);
    if (j->stopped || (code == CZ_E_TIMEOUT && j->matched > 0)) {
        j->stopped = true; /* the caller has the next one go on */
        code = CZ_OK;
    }
    if (code)
        return cz_fail_flags(err, code, own.flags, own.detail, "%s", own.text);
    return redrive_batch(j, err);
}

static void job_done(struct redrive_job *j)
{
    cz_producer_free(j->producer, cz_deadline_ms(j->in_txn ? 0 : FREE_MS)); /* reports all deliveries */
    redrive_items_done(j);
    cz_consumer_free(j->originals); /* after its messages */
    cz_stage_ctx_free(j->ctx);
    cz_map_done(&j->targets);
    for (int32_t p = 0; j->done && p < j->letters.partitions; p++)
        redrive_done_free(&j->done[p]);
    for (size_t i = 0; i < j->reasons_len; i++) {
        cz_free(j->reasons[i].stage);
        cz_free(j->reasons[i].error);
        cz_free(j->reasons[i].message);
    }
    cz_scan_done(&j->letters);
    json_decref(j->samples);
    cz_free(j->reasons);
    cz_free(j->items);
    cz_free(j->done);
    cz_free(j->next);
}

enum cz_err cz_redrive(const struct cz_redrive_conf *conf, json_t **ret, struct cz_error *err)
{
    struct redrive_job j = {.conf = conf, .targets = CZ_MAP_INIT(NULL), .samples = json_array()};
    j.ctx = cz_stage_ctx_new();
    j.items = cz_alloc_array(REDRIVE_BATCH + 1, sizeof *j.items);
    j.items[REDRIVE_BATCH].job = &j;
    enum cz_err code = run(&j, err);
    if (!code || j.committed)
        *ret = redrive_report(&j, !code && !j.stopped);
    job_done(&j);
    return code;
}
