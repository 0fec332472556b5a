/* SPDX-License-Identifier: Apache-2.0 */
/* What is done, on the target cluster.  One record for each partition of a mapping's dead-letter topic, key
 * "<team>/<mapping>/<topic>/<partition>": by the first name, so that a mapping that is created again sends
 * nothing again that the one before it has sent. */
#include <stdio.h>
#include <string.h>

#include "cz/util.h"
#include "redrive_priv.h"

enum { INIT_MS = 20000, ASK_MS = 10000 };

void redrive_delivered(const struct cz_delivery *d)
{
    struct redrive_item *item = d->opaque;
    int told = (int)d->code | (d->record_error ? REDRIVE_REFUSED_BIT : 0);
    atomic_store(&item->delivery, told);
    atomic_fetch_sub(&item->job->in_flight, 1);
}

static char *state_topic(const struct redrive_job *j)
{
    return cz_strf(CZ_DEAD_LETTERS_TOPIC, j->conf->group_id);
}

static char *key_of(const struct redrive_job *j, int32_t partition)
{
    const struct cz_redrive_conf *c = j->conf;
    return cz_strf("%s/%s/%s/%d", c->team, c->first_name, c->spec->dead_letter_topic, (int)partition);
}

static enum cz_err ensure_topic(struct redrive_job *j, const char *topic, struct cz_error *err)
{
    static const char *const settings[] = {"cleanup.policy", "compact", "segment.bytes", "16777216", NULL};
    struct cz_topic_info *info = NULL;
    bool created;
    enum cz_err code = cz_admin_ensure_topic(j->conf->letters_admin, topic, 1, settings, cz_deadline_ms(ASK_MS), &info,
                                             &created, err);
    cz_topic_infos_free(info, info ? 1 : 0);
    return code;
}

static enum cz_err own(struct redrive_job *j, const char *topic, struct cz_error *err)
{
    const struct cz_redrive_conf *c = j->conf;
    CZ_CLEANUP(cz_freep) char *id = cz_strf("%s.dead-letters.%s/%s", c->group_id, c->team, c->first_name);
    const struct cz_producer_options o = {.cluster = c->letters,
                                          .client_id = c->client_id,
                                          .compression = c->spec->compression,
                                          .linger_ms = 5,
                                          .delivered = redrive_delivered,
                                          .transactional_id = id};
    enum cz_err code = ensure_topic(j, topic, err);
    if (!code)
        code = cz_producer_new(&o, &j->producer, err);
    if (!code)
        code = cz_producer_txn_init(j->producer, cz_deadline_ms(INIT_MS), err);
    if (!code)
        code = cz_producer_topic(j->producer, topic, &j->state, err);
    return code;
}

static enum cz_err take_state(void *arg, const struct cz_record *r, struct cz_error *err)
{
    struct redrive_job *j = arg;
    for (int32_t p = 0; p < j->letters.partitions; p++) {
        CZ_CLEANUP(cz_freep) char *key = key_of(j, p);
        if (!r->key.data || r->key.len != strlen(key) || memcmp(r->key.data, key, r->key.len) != 0)
            continue;
        struct redrive_done d = {0};
        char *topic_id = NULL;
        enum cz_err code = r->value.data ? redrive_done_read(r->value, &d, &topic_id, err) : CZ_OK;
        if (code)
            return cz_fail_prefix(err, "what is done of the dead letters (offset %lld of the topic that says so)",
                                  (long long)r->offset);
        redrive_done_free(&j->done[p]);
        /* Another topic of that name has other letters. */
        if (topic_id && cz_streq(topic_id, j->letters.topic_id))
            j->done[p] = d;
        else
            redrive_done_free(&d);
        cz_free(topic_id);
    }
    return CZ_OK;
}

static enum cz_err read_state(struct redrive_job *j, const char *topic, struct cz_error *err)
{
    const struct cz_redrive_conf *c = j->conf;
    struct cz_scan scan = {0};
    struct cz_error own = CZ_ERROR_INIT;
    enum cz_err code = cz_scan_open(&scan, c->letters, c->letters_admin, topic, cz_deadline_ms(ASK_MS), &own);
    if (code == CZ_E_NOT_FOUND && !j->producer) {
        cz_scan_done(&scan); /* nothing was ever re-driven */
        return CZ_OK;
    }
    if (code)
        (void)cz_fail_flags(err, code, own.flags, own.detail, "%s", own.text);
    /* Up to the high watermark: with it, what the one before us has committed is in. */
    if (!code)
        code = cz_scan_ask(&scan, CZ_OFFSET_EARLIEST, false, scan.begin, cz_deadline_ms(ASK_MS), err);
    if (!code)
        code = cz_scan_ask(&scan, CZ_OFFSET_LATEST, !j->producer, scan.end, cz_deadline_ms(ASK_MS), err);
    const struct cz_scan_options o = {.client_id = c->client_id,
                                      .read_committed = true,
                                      .deadline = cz_deadline_ms(INIT_MS),
                                      .stop = c->stop,
                                      .record = take_state,
                                      .arg = j};
    if (!code)
        code = cz_scan_run(&scan, &o, err);
    cz_scan_done(&scan);
    return code;
}

enum cz_err redrive_state_open(struct redrive_job *j, struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *topic = state_topic(j);
    bool writes = j->conf->action != CZ_REDRIVE_LIST && !j->conf->dry_run;
    enum cz_err code = writes ? own(j, topic, err) : CZ_OK;
    return code ? code : read_state(j, topic, err);
}

enum cz_err redrive_state_send(struct redrive_job *j, int32_t partition, const struct redrive_done *d,
                               struct cz_error *err)
{
    struct cz_buf value = {0};
    CZ_CLEANUP(cz_freep) char *key = key_of(j, partition);
    enum cz_err code = redrive_done_write(d, j->letters.topic_id, &value, err);
    if (!code) {
        const struct cz_send s = {.partition = 0,
                                  .key = {key, strlen(key)},
                                  .value = {value.data, value.len},
                                  .copy = true,
                                  .opaque = &j->items[REDRIVE_BATCH]};
        atomic_fetch_add(&j->in_flight, 1);
        code = cz_producer_send(j->producer, j->state, &s, err);
        if (code)
            atomic_fetch_sub(&j->in_flight, 1);
    }
    cz_buf_done(&value);
    return code;
}
