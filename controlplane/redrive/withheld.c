/* SPDX-License-Identifier: Apache-2.0 */
/* Records that their letters withhold are read again from their place in the source.  It may be gone, or be
 * another record by now (a topic that was created again): then the letter stays, and is counted. */
#include "redrive_priv.h"

enum { FETCH_MS = 10000, POLL_MS = 200, WAIT_MS = 20, PREFETCH_KIB = 256, EVENTS = 16 };

static enum cz_err open_source(struct redrive_job *j, struct cz_error *err)
{
    const struct cz_redrive_conf *c = j->conf;
    const struct cz_consumer_options o = {.cluster = c->source,
                                          .client_id = c->client_id,
                                          .group_id = c->client_id,
                                          .read_committed = c->spec->read_committed,
                                          .prefetch_kib = PREFETCH_KIB,
                                          .fetch_wait_ms = WAIT_MS};
    return j->originals ? CZ_OK : cz_consumer_new(&o, &j->originals, err);
}

/* The record of the letter?  Its timestamp tells, where the letter kept it. */
static bool same(const struct redrive_item *item, const struct cz_record *r)
{
    const struct cz_record *l = &item->letter.record;
    return r->offset == l->offset &&
           (l->ts_type != CZ_TS_CREATE || r->ts_type == CZ_TS_NONE || r->timestamp_ms == l->timestamp_ms);
}

/* true: that is all there is to know. */
static bool take(struct redrive_item *item, struct cz_event *e, struct cz_error *err)
{
    int64_t wanted = item->letter.record.offset;
    if (!e->opaque)
        return false; /* of a letter before, or of the client: it tries again by itself */
    switch (e->kind) {
    case CZ_EVENT_RECORD:
        if (e->record.offset < wanted)
            return false;
        if (same(item, &e->record)) {
            item->source_msg = e->record.msg;
            e->record.msg = NULL;
            cz_message_record(item->source_msg, item->letter.topic, &item->original);
        } else {
            item->outcome = REDRIVE_GONE;
        }
        return true;
    case CZ_EVENT_END:
        if (e->record.offset <= wanted)
            item->outcome = REDRIVE_GONE;
        return e->record.offset <= wanted;
    case CZ_EVENT_RESET:
        item->outcome = REDRIVE_GONE;
        return true;
    case CZ_EVENT_ERROR:
        if (e->code == CZ_E_NOT_FOUND)
            item->outcome = REDRIVE_GONE;
        else if (e->code == CZ_E_FORBIDDEN)
            (void)cz_fail(err, e->code, "source topic %s: %s", item->letter.topic, e->text);
        return e->code == CZ_E_NOT_FOUND || e->code == CZ_E_FORBIDDEN;
    }
    return false;
}

static enum cz_err read_one(struct redrive_job *j, struct redrive_item *item, struct cz_error *err)
{
    struct cz_event events[EVENTS];
    cz_time until = cz_deadline_ms(FETCH_MS);
    bool known = false;
    struct cz_error own = CZ_ERROR_INIT;
    while (!known) {
        size_t n = cz_consumer_poll(j->originals, events, EVENTS, POLL_MS);
        for (size_t i = 0; i < n; i++) {
            if (!known)
                known = take(item, &events[i], &own);
            if (events[i].kind == CZ_EVENT_RECORD)
                cz_message_release(events[i].record.msg);
        }
        if (!known && cz_remaining_ms(until) == 0)
            return cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0,
                                 "%s [%d] offset %lld, whose dead letter withholds it, cannot be read now",
                                 item->letter.topic, (int)item->letter.record.partition,
                                 (long long)item->letter.record.offset);
    }
    return own.code ? cz_fail_flags(err, own.code, own.flags, own.detail, "%s", own.text) : CZ_OK;
}

enum cz_err redrive_fetch(struct redrive_job *j, struct redrive_item *item, struct cz_error *err)
{
    const struct cz_record *l = &item->letter.record;
    if (!j->conf->source) { /* lines of a file cannot be looked up */
        item->outcome = REDRIVE_GONE;
        return CZ_OK;
    }
    enum cz_err code = open_source(j, err);
    if (!code)
        code = cz_consumer_assign(j->originals, l->topic, l->partition, l->offset, item, err);
    if (code)
        return code;
    code = read_one(j, item, err);
    (void)!cz_consumer_unassign(j->originals, l->topic, l->partition, NULL);
    return code;
}
