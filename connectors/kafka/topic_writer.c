/* SPDX-License-Identifier: Apache-2.0 */
/** The producer of the control records. */
#include "cz/topic_writer.h"

#include <stdio.h>
#include <string.h>

#include "cz/log.h"
#include "kafka_priv.h"

enum { PURGE_MS = 2000 };

struct cz_topic_writer {
    rd_kafka_t *rk;
    rd_kafka_topic_t *topic;
    char *name;
    void (*delivered)(void *arg, void *opaque, const struct cz_error *err);
    void *arg;
    atomic_bool dead;
};

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    (void)rk;
    struct cz_topic_writer *w = opaque;
    struct cz_error err = CZ_ERROR_INIT;
    if (m->err)
        cz__kafka_fail(&err, m->err, "write to %s", w->name);
    if (m->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE || m->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
        err.flags |= CZ_ERR_ABORT_TXN;
    if (w->delivered)
        w->delivered(w->arg, m->_private, &err);
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct cz_topic_writer *w = opaque;
    char text[256];
    if (code != RD_KAFKA_RESP_ERR__FATAL) {
        cz_log(CZ_LOG_DEBUG, "kafka", "%s: %s", w->name, reason);
        return;
    }
    rd_kafka_resp_err_t e = rd_kafka_fatal_error(rk, text, sizeof(text));
    atomic_store(&w->dead, true);
    cz_log(CZ_LOG_INFO, "kafka", "writer of %s is dead: %s: %s", w->name, rd_kafka_err2name(e), text);
}

static enum cz_err configure(const struct cz_topic_writer_options *o,
                             rd_kafka_conf_t *conf,
                             struct cz_error *err)
{
    char linger[16], message[16], transaction[16], queue[16];
    (void)snprintf(linger, sizeof(linger), "%d", o->linger_ms);
    (void)snprintf(message, sizeof(message), "%d", o->message_timeout_ms);
    (void)snprintf(transaction, sizeof(transaction), "%d", o->transaction_timeout_ms);
    (void)snprintf(queue, sizeof(queue), "%d", o->queue_max);
    const char *const pairs[] = {
        "enable.idempotence", "true",
        "linger.ms", linger,
        "message.timeout.ms", message,
        "compression.type", "lz4",
        "message.max.bytes", "2097152", /* as the topics of the channel allow */
        "queue.buffering.max.messages", queue,
        "queue.buffering.max.kbytes", "65536",
        "retry.backoff.ms", "50",
        "retry.backoff.max.ms", "500",
        /* A topic that is gone is told by the caller's error, not waited for. */
        "topic.metadata.propagation.max.ms", "1000",
        "topic.metadata.refresh.interval.ms", "30000",
        NULL};
    enum cz_err code = cz__kafka_set_all(conf, pairs, err);
    if (!code && o->transactional_id)
        code = cz__kafka_set(conf, "transactional.id", o->transactional_id, err);
    if (!code && o->transactional_id)
        code = cz__kafka_set(conf, "transaction.timeout.ms", transaction, err);
    return code;
}

enum cz_err cz_topic_writer_new(const struct cz_topic_writer_options *o,
                                struct cz_topic_writer **ret,
                                struct cz_error *err)
{
    struct cz_error local = CZ_ERROR_INIT;
    struct cz_error *e = err ? err : &local;
    rd_kafka_conf_t *conf = cz__kafka_conf(o->cluster, o->client_id, e);
    if (!conf)
        return e->code;
    enum cz_err code = configure(o, conf, e);
    if (code) {
        rd_kafka_conf_destroy(conf);
        return code;
    }
    struct cz_topic_writer *w = cz_alloc(sizeof(*w));
    w->delivered = o->delivered;
    w->arg = o->arg;
    w->name = cz_strdup(o->topic);
    rd_kafka_conf_set_opaque(conf, w);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_error_cb(conf, on_error);
    code = cz__kafka_handle(RD_KAFKA_PRODUCER, conf, &w->rk, e);
    if (!code) {
        w->topic = rd_kafka_topic_new(w->rk, o->topic, NULL);
        if (!w->topic)
            code = cz__kafka_fail(e, rd_kafka_last_error(), "topic %s", o->topic);
    }
    if (code) {
        cz_topic_writer_free(w);
        return code;
    }
    *ret = w;
    return CZ_OK;
}

void cz_topic_writer_free(struct cz_topic_writer *w)
{
    if (!w)
        return;
    if (w->rk) {
        cz_topic_writer_purge(w);
        /* The reports of the purged records come through here. */
        (void)rd_kafka_flush(w->rk, PURGE_MS);
        if (w->topic)
            rd_kafka_topic_destroy(w->topic);
        rd_kafka_destroy(w->rk);
    }
    cz_free(w->name);
    cz_free(w);
}

static rd_kafka_headers_t *headers_of(const struct cz_topic_record *r)
{
    if (!r->traceparent && !r->content_type)
        return NULL;
    rd_kafka_headers_t *h = rd_kafka_headers_new(2);
    if (r->content_type)
        (void)rd_kafka_header_add(h, "content-type", -1, r->content_type, -1);
    if (r->traceparent)
        (void)rd_kafka_header_add(h, "traceparent", -1, r->traceparent, -1);
    return h;
}

enum cz_err cz_topic_writer_send(struct cz_topic_writer *w,
                                 const struct cz_topic_record *r,
                                 struct cz_error *err)
{
    rd_kafka_headers_t *h = headers_of(r);
    rd_kafka_vu_t vu[7] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = w->topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = 0},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_VALUE,
         .u.mem = {.ptr = CZ_UNCONST(r->value.data), .size = r->value.len}},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {.ptr = CZ_UNCONST(r->key.data), .size = r->key.len}},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = r->opaque},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = h},
    };
    rd_kafka_error_t *e = rd_kafka_produceva(w->rk, vu, h ? 7 : 6);
    if (!e)
        return CZ_OK;
    if (h)
        rd_kafka_headers_destroy(h);
    return cz__kafka_fail_take(err, e, "write to %s", w->name);
}

void cz_topic_writer_poll(struct cz_topic_writer *w, int timeout_ms)
{
    (void)rd_kafka_poll(w->rk, timeout_ms);
}

bool cz_topic_writer_flush(struct cz_topic_writer *w, cz_time deadline)
{
    return rd_kafka_flush(w->rk, cz_remaining_ms(deadline)) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

void cz_topic_writer_purge(struct cz_topic_writer *w)
{
    (void)rd_kafka_purge(w->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
}

enum cz_err cz_topic_writer_check(struct cz_topic_writer *w, cz_time deadline, struct cz_error *err)
{
    const rd_kafka_metadata_t *md = NULL;
    int ms = cz_remaining_ms(deadline);
    rd_kafka_resp_err_t e = rd_kafka_metadata(w->rk, 0, w->topic, &md, ms < 0 ? 60000 : ms);
    if (e) {
        uint32_t flags;
        enum cz_err code = cz__kafka_code(e, &flags);
        if (code == CZ_E_TIMEOUT)
            code = CZ_E_UNAVAILABLE;
        return cz_fail_flags(err, code, flags, e, "topic %s: %s", w->name, rd_kafka_err2str(e));
    }
    enum cz_err code = CZ_OK;
    if (md->topic_cnt != 1)
        code = cz_fail(err, CZ_E_KAFKA, "topic %s: the broker does not tell about it", w->name);
    else if (md->topics[0].err)
        code = cz__kafka_fail(err, md->topics[0].err, "topic %s", w->name);
    rd_kafka_metadata_destroy(md);
    return code;
}

bool cz_topic_writer_dead(struct cz_topic_writer *w)
{
    return atomic_load(&w->dead);
}

/* ---- transactions ------------------------------------------------------------------------------ */

/* What came of a transaction call. */
static enum cz_err told(struct cz_topic_writer *w, enum cz_err code, struct cz_error *own, struct cz_error *err)
{
    char text[256];
    if (!code)
        return CZ_OK;
    if (rd_kafka_fatal_error(w->rk, text, sizeof(text)))
        atomic_store(&w->dead, true);
    return cz_fail_flags(err, code, own->flags, own->detail, "%s: %s", w->name, own->text);
}

enum cz_err cz_topic_writer_init(struct cz_topic_writer *w, cz_time deadline, struct cz_error *err)
{
    struct cz_error own = CZ_ERROR_INIT;
    return told(w, cz__txn_call(w->rk, CZ__TXN_INIT, deadline, &own), &own, err);
}

enum cz_err cz_topic_writer_begin(struct cz_topic_writer *w, struct cz_error *err)
{
    struct cz_error own = CZ_ERROR_INIT;
    return told(w, cz__txn_begin(w->rk, &own), &own, err);
}

enum cz_err cz_topic_writer_commit(struct cz_topic_writer *w, cz_time deadline, struct cz_error *err)
{
    struct cz_error own = CZ_ERROR_INIT;
    return told(w, cz__txn_call(w->rk, CZ__TXN_COMMIT, deadline, &own), &own, err);
}

enum cz_err cz_topic_writer_abort(struct cz_topic_writer *w, cz_time deadline, struct cz_error *err)
{
    struct cz_error own = CZ_ERROR_INIT;
    return told(w, cz__txn_call(w->rk, CZ__TXN_ABORT, deadline, &own), &own, err);
}
