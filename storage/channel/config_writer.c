/* SPDX-License-Identifier: Apache-2.0 */
/** The leader's writer of the config topic.  One publish is one transaction: readers see all of it
 *  or nothing.  Kafka fences the writer before by the shared transactional id.
 *
 *  After an outcome that nobody knows the client is destroyed on the spot: librdkafka would go on
 *  trying in the background, and a record that shows up after we said "failed" is what the callers
 *  are promised not to see. */
#include <string.h>

#include "channel_priv.h"
#include "cz/alloc.h"
#include "cz/log.h"
#include "cz/topic_writer.h"

enum {
    TRANSACTION_TIMEOUT_MS = 15000,
    MESSAGE_TIMEOUT_MS = 10000,
    CHECK_MS = 3000,
    ABORT_MS = 3000,
    QUEUE_MAX = 100000,
};

struct cz_config_writer {
    struct cz_topic_writer *out; /* NULL: dead */
    char *topic;
    struct cz_error first; /* first failed delivery of the running transaction */
    struct cz_error death; /* why it is dead */
};

struct encoded {
    char *bytes; /* NULL: tombstone */
    size_t len;
};

static void on_delivered(void *arg, void *opaque, const struct cz_error *err)
{
    (void)opaque;
    struct cz_config_writer *w = arg;
    /* One that only went down with its transaction is not the reason. */
    if (err->code && !w->first.code && !(err->flags & CZ_ERR_ABORT_TXN))
        w->first = *err;
}

enum cz_err cz_config_writer_new(struct cz_cluster *c,
                                 const char *group_id,
                                 cz_time deadline,
                                 struct cz_config_writer **ret,
                                 struct cz_error *err)
{
    struct cz_config_writer *w = cz_alloc(sizeof(*w));
    w->topic = cz_channel_config_topic(group_id);
    const struct cz_topic_writer_options o = {
        .cluster = c,
        .client_id = w->topic,
        .topic = w->topic,
        .transactional_id = w->topic,
        .message_timeout_ms = MESSAGE_TIMEOUT_MS,
        .transaction_timeout_ms = TRANSACTION_TIMEOUT_MS,
        .queue_max = QUEUE_MAX,
        .delivered = on_delivered,
        .arg = w,
    };
    struct cz_error e = CZ_ERROR_INIT;
    enum cz_err code = cz_topic_writer_new(&o, &w->out, &e);
    if (!code)
        code = cz_topic_writer_init(w->out, deadline, &e);
    if (!code) {
        *ret = w;
        return CZ_OK;
    }
    /* There is no object that could be dead; trying again may well work. */
    bool away = code == CZ_E_TIMEOUT || code == CZ_E_UNAVAILABLE || code == CZ_E_FENCED;
    code = cz_fail_flags(err,
                         away ? CZ_E_UNAVAILABLE : code,
                         away ? CZ_ERR_RETRIABLE : 0,
                         e.detail,
                         "%s",
                         e.text);
    cz_config_writer_free(w);
    return code;
}

void cz_config_writer_free(struct cz_config_writer *w)
{
    if (!w)
        return;
    cz_topic_writer_free(w->out);
    cz_free(w->topic);
    cz_free(w);
}

/* No further word of this writer may reach the topic. */
static enum cz_err die(struct cz_config_writer *w, const struct cz_error *why, struct cz_error *err)
{
    cz_topic_writer_free(w->out);
    w->out = NULL;
    w->death = *why;
    w->death.flags = CZ_ERR_FATAL;
    cz_log(CZ_LOG_INFO, "channel", "writer of topic=%s is dead: %s", w->topic, why->text);
    return cz_fail_flags(err, why->code, CZ_ERR_FATAL, why->detail, "%s", why->text);
}

/* Give the transaction up; the writer lives on when the broker confirms it. */
static enum cz_err give_up(struct cz_config_writer *w, const struct cz_error *why, struct cz_error *err)
{
    struct cz_error e = CZ_ERROR_INIT;
    struct cz_error reason = w->first.code ? w->first : *why;
    if (cz_topic_writer_abort(w->out, cz_deadline_ms(ABORT_MS), &e))
        return die(w, &e, err);
    return cz_fail_flags(
        err, reason.code, CZ_ERR_RETRIABLE, reason.detail, "publish: %s", reason.text);
}

static enum cz_err send_one(struct cz_config_writer *w,
                            const struct cz_channel_write *r,
                            const struct encoded *value,
                            cz_time deadline,
                            struct cz_error *err)
{
    const struct cz_topic_record out = {
        .key = {r->key, strlen(r->key)},
        .value = {value->bytes, value->len},
        .traceparent = r->trace_id,
    };
    for (;;) {
        struct cz_error e = CZ_ERROR_INIT;
        enum cz_err code = cz_topic_writer_send(w->out, &out, &e);
        if (!code)
            return CZ_OK;
        if (code != CZ_E_LIMIT || cz_remaining_ms(deadline) == 0)
            return cz_fail_flags(err, code, e.flags, e.detail, "%s", e.text);
        cz_topic_writer_poll(w->out, 20);
    }
}

static enum cz_err transact(struct cz_config_writer *w,
                            const struct cz_channel_write *records,
                            const struct encoded *values,
                            size_t n,
                            cz_time deadline,
                            struct cz_error *err)
{
    struct cz_error e = CZ_ERROR_INIT;
    w->first = (struct cz_error)CZ_ERROR_INIT;
    if (cz_topic_writer_begin(w->out, &e))
        return die(w, &e, err);
    for (size_t i = 0; i < n; i++)
        if (send_one(w, &records[i], &values[i], deadline, &e))
            return e.flags & CZ_ERR_FATAL ? die(w, &e, err) : give_up(w, &e, err);
    if (!cz_topic_writer_commit(w->out, deadline, &e))
        return CZ_OK;
    return e.flags & CZ_ERR_ABORT_TXN ? give_up(w, &e, err) : die(w, &e, err);
}

static enum cz_err encode_all(const struct cz_channel_write *records,
                              size_t n,
                              int64_t epoch,
                              struct encoded *values,
                              struct cz_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (!records[i].value)
            continue;
        struct cz_error e = CZ_ERROR_INIT;
        if (cz_channel_encode(
                records[i].value, records[i].revision, epoch, &values[i].bytes, &values[i].len, &e))
            return cz_fail(err, e.code, "%.200s: %s", records[i].key, e.text);
    }
    return CZ_OK;
}

enum cz_err cz_config_writer_publish(struct cz_config_writer *w,
                                     const struct cz_channel_write *records,
                                     size_t n,
                                     int64_t epoch,
                                     cz_time deadline,
                                     struct cz_error *err)
{
    if (!w->out)
        return cz_fail_flags(
            err, w->death.code, CZ_ERR_FATAL, w->death.detail, "writer is dead: %s", w->death.text);
    if (n == 0)
        return CZ_OK;
    struct encoded *values = cz_alloc_array(n, sizeof(*values));
    enum cz_err code = encode_all(records, n, epoch, values, err);
    /* A missing topic is found out before anything is begun, so the caller can make it again at
     * once, and librdkafka's own memory of the topic is renewed by the way. */
    cz_time check = cz_deadline_ms(CHECK_MS);
    if (!code)
        code = cz_topic_writer_check(w->out, check < deadline ? check : deadline, err);
    if (!code)
        code = transact(w, records, values, n, deadline, err);
    for (size_t i = 0; i < n; i++)
        cz_free(values[i].bytes);
    cz_free(values);
    return code;
}
