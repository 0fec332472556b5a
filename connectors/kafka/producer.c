/* SPDX-License-Identifier: Apache-2.0 */
/* The data path's producer over librdkafka.  Delivery reports come as a callback on the poll
 * thread (callbacks and events must not be mixed).  Values of consumed records are sent from where
 * they lie in the fetch buffer; headers move from the source record to the sent one and come back
 * when the send fails. */
#include "cz/producer.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/log.h"
#include "cz/map.h"
#include "cz/thread.h"
#include "kafka_priv.h"

struct cz_producer {
    rd_kafka_t *rk;
    cz_delivered_fn delivered;
    struct cz_thread poller;
    _Atomic bool stop, dead;
    struct cz_mutex lock; /* topics */
    struct cz_map topics; /* name → struct cz_producer_topic */
};

#define CZ_STRING_(x) #x
#define CZ_STRING(x) CZ_STRING_(x)

struct cz_producer_topic {
    rd_kafka_topic_t *rkt;
    _Atomic int32_t partitions;
    _Atomic bool compacted;
    _Atomic int64_t max_before_ms, max_after_ms;
};

/* Errors of one record that no retry and no other broker state will cure. */
static bool is_record_error(rd_kafka_resp_err_t e)
{
    return e == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || e == RD_KAFKA_RESP_ERR_INVALID_MSG ||
           e == RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE || e == RD_KAFKA_RESP_ERR_INVALID_RECORD ||
           e == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP || e == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE;
}

rd_kafka_t *cz__producer_handle(struct cz_producer *p)
{
    return p->rk;
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    (void)rk;
    const struct cz_producer *p = opaque;
    struct cz_delivery d = {.opaque = m->_private, .kafka_code = m->err,
                            .offset = m->offset, .partition = m->partition};
    if (m->err) {
        struct cz_error e = CZ_ERROR_INIT;
        d.code = cz__kafka_fail(&e, m->err, "delivery");
        d.flags = e.flags;
        d.record_error = is_record_error(m->err);
    }
    p->delivered(&d);
}

static void on_error(rd_kafka_t *rk, int err, const char *reason, void *opaque)
{
    struct cz_producer *p = opaque;
    char text[256];
    if (err == RD_KAFKA_RESP_ERR__FATAL) {
        rd_kafka_resp_err_t code = rd_kafka_fatal_error(rk, text, sizeof text);
        atomic_store(&p->dead, true);
        cz_log(CZ_LOG_WARN, "producer", "fatal: %s: %s", rd_kafka_err2name(code), text);
    } else {
        CZ_LOG_EVERY(10000, CZ_LOG_WARN, "producer", "%s", reason);
    }
}

static void *poll_main(void *arg)
{
    struct cz_producer *p = arg;
    while (!atomic_load(&p->stop))
        rd_kafka_poll(p->rk, 100);
    return NULL;
}

static void topic_destroy(void *p)
{
    struct cz_producer_topic *t = p;
    if (!t)
        return;
    rd_kafka_topic_destroy(t->rkt);
    cz_free(t);
}

static enum cz_err make_conf(const struct cz_producer_options *o,
                             rd_kafka_conf_t **ret,
                             struct cz_error *err)
{
    rd_kafka_conf_t *conf = cz__kafka_conf(o->cluster, o->client_id, err);
    if (!conf)
        return err ? err->code : CZ_E_INVALID;
    char linger[16], batch[16];
    const char *timeout = o->transactional_id ? CZ_STRING(CZ_TXN_MESSAGE_MS) : "0";
    (void)snprintf(batch, sizeof batch, "%d", o->batch_bytes > 0 ? o->batch_bytes : 1000000);
    (void)snprintf(linger, sizeof linger, "%d", o->linger_ms);
    const char *const settings[] = {
        "enable.idempotence", "true",
        "acks", "all",
        "message.timeout.ms", timeout,
        "compression.codec", o->compression,
        "linger.ms", linger,
        /* Mappings are bounded by their own budgets; these are only the last fence. */
        "queue.buffering.max.messages", "200000",
        "queue.buffering.max.kbytes", "65536",
        "batch.size", batch,
        /* What is too large is for the target to say. */
        "message.max.bytes", "50000000",
        "batch.num.messages", "10000",
        "retry.backoff.ms", "100",
        "topic.metadata.refresh.interval.ms", "30000",
        NULL,
    };
    enum cz_err code = cz__kafka_set_all(conf, settings, err);
    if (!code && o->transactional_id) {
        const char *const txn[] = {"transactional.id", o->transactional_id, "transaction.timeout.ms",
                                   CZ_STRING(CZ_TXN_TIMEOUT_MS), NULL};
        code = cz__kafka_set_all(conf, txn, err);
    }
    if (code) {
        rd_kafka_conf_destroy(conf);
        return code;
    }
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_error_cb(conf, on_error);
    *ret = conf;
    return CZ_OK;
}

enum cz_err cz_producer_new(const struct cz_producer_options *o,
                            struct cz_producer **ret,
                            struct cz_error *err)
{
    rd_kafka_conf_t *conf = NULL;
    enum cz_err code = make_conf(o, &conf, err);
    if (code)
        return code;
    struct cz_producer *p = cz_alloc(sizeof *p);
    p->delivered = o->delivered;
    rd_kafka_conf_set_opaque(conf, p);
    code = cz__kafka_handle(RD_KAFKA_PRODUCER, conf, &p->rk, err);
    if (code) {
        cz_free(p);
        return code;
    }
    cz_mutex_init(&p->lock);
    cz_map_init(&p->topics, topic_destroy);
    cz_thread_start(&p->poller, "cz-producer", poll_main, p);
    *ret = p;
    return CZ_OK;
}

void cz_producer_free(struct cz_producer *p, cz_time deadline)
{
    if (!p)
        return;
    /* From here on this thread serves the delivery reports. */
    atomic_store(&p->stop, true);
    cz_thread_join(&p->poller);
    if (rd_kafka_flush(p->rk, cz_remaining_ms(deadline)))
        cz_producer_purge(p);
    (void)rd_kafka_flush(p->rk, 5000);
    cz_map_done(&p->topics);
    rd_kafka_destroy(p->rk);
    cz_mutex_done(&p->lock);
    cz_free(p);
}

bool cz_producer_dead(struct cz_producer *p)
{
    return atomic_load(&p->dead);
}

int64_t cz_producer_queued(const struct cz_producer *p)
{
    return rd_kafka_outq_len(p->rk);
}

void cz_producer_purge(struct cz_producer *p)
{
    rd_kafka_purge(p->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
}

const char *cz_producer_error_name(int kafka_code)
{
    return rd_kafka_err2name((rd_kafka_resp_err_t)kafka_code);
}

enum cz_err cz_producer_topic(struct cz_producer *p,
                              const char *name,
                              struct cz_producer_topic **ret,
                              struct cz_error *err)
{
    CZ_LOCKED(&p->lock);
    struct cz_producer_topic *t = cz_map_get(&p->topics, name);
    if (!t) {
        rd_kafka_topic_t *rkt = rd_kafka_topic_new(p->rk, name, NULL);
        if (!rkt)
            return cz__kafka_fail(err, rd_kafka_last_error(), "topic %s", name);
        t = cz_alloc(sizeof *t);
        t->rkt = rkt;
        cz_map_put(&p->topics, name, t);
    }
    *ret = t;
    return CZ_OK;
}

const char *cz_producer_topic_name(const struct cz_producer_topic *t)
{
    return rd_kafka_topic_name(t->rkt);
}

int32_t cz_producer_topic_partitions(const struct cz_producer_topic *t)
{
    return atomic_load_explicit(&t->partitions, memory_order_relaxed);
}

void cz_producer_topic_expect(struct cz_producer_topic *t, int32_t partitions)
{
    int32_t unknown = 0;
    (void)atomic_compare_exchange_strong(&t->partitions, &unknown, partitions);
}

enum cz_err cz_producer_refresh(struct cz_producer *p, cz_time deadline, struct cz_error *err)
{
    const struct rd_kafka_metadata *md = NULL;
    rd_kafka_resp_err_t e = rd_kafka_metadata(p->rk, 0, NULL, &md, cz_remaining_ms(deadline));
    if (e)
        return cz__kafka_fail(err, e, "metadata of the target topics");
    CZ_LOCKED(&p->lock);
    for (int i = 0; i < md->topic_cnt; i++) {
        struct cz_producer_topic *t = cz_map_get(&p->topics, md->topics[i].topic);
        if (t && !md->topics[i].err && md->topics[i].partition_cnt > 0)
            atomic_store_explicit(&t->partitions, md->topics[i].partition_cnt, memory_order_relaxed);
    }
    rd_kafka_metadata_destroy(md);
    return CZ_OK;
}

static bool moves_headers(const struct cz_send *s)
{
    return s->headers_len == 0 && !s->shared && !s->own_headers && !cz__message_own(s->msg);
}

/* Headers for a send: those of the source record are moved, or copied when some are added. */
static rd_kafka_headers_t *take_headers(const struct cz_send *s)
{
    rd_kafka_headers_t *h = NULL;
    if (moves_headers(s)) {
        if (s->msg && rd_kafka_message_detach_headers(s->msg, &h))
            h = NULL;
        return h;
    }
    if (s->msg && !s->own_headers && cz__message_own(s->msg))
        h = cz__message_own_headers(s->msg);
    else if (s->msg && !s->own_headers && !rd_kafka_message_headers(s->msg, &h) && h)
        h = rd_kafka_headers_copy(h);
    if (!h && s->headers_len > 0)
        h = rd_kafka_headers_new(s->headers_len);
    for (size_t i = 0; i < s->headers_len; i++)
        rd_kafka_header_add(h,
                            s->headers[i].name.data,
                            (ssize_t)s->headers[i].name.len,
                            s->headers[i].value.data,
                            (ssize_t)s->headers[i].value.len);
    return h;
}

static enum cz_err send_failed(const struct cz_send *s,
                               rd_kafka_headers_t *h,
                               rd_kafka_error_t *e,
                               struct cz_error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_error_code(e);
    if (h && s->msg && moves_headers(s))
        rd_kafka_message_set_headers(s->msg, h);
    else if (h)
        rd_kafka_headers_destroy(h);
    enum cz_err ret = CZ_E_LIMIT;
    if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
        ret = cz__kafka_fail(err, code, "send: %s", rd_kafka_error_string(e));
    else
        cz_fail_flags(err, CZ_E_LIMIT, CZ_ERR_RETRIABLE, code, "producer queue full");
    if (is_record_error(code))
        ret = CZ_E_TOO_LARGE;
    rd_kafka_error_destroy(e);
    return ret;
}

void cz_producer_topic_rules(struct cz_producer_topic *t, const struct cz_topic_rules *rules)
{
    atomic_store(&t->compacted, rules->compacted);
    atomic_store(&t->max_before_ms, rules->max_before_ms);
    atomic_store(&t->max_after_ms, rules->max_after_ms);
}

bool cz_producer_topic_takes_time(const struct cz_producer_topic *t, int64_t timestamp_ms, struct cz_error *err)
{
    int64_t before = atomic_load_explicit(&t->max_before_ms, memory_order_relaxed);
    int64_t after = atomic_load_explicit(&t->max_after_ms, memory_order_relaxed);
    if (timestamp_ms == 0 || (before == 0 && after == 0))
        return true;
    int64_t ahead = timestamp_ms - cz_wall_ms();
    if (after > 0 && ahead > after)
        cz_fail(err, CZ_E_INVALID, "its timestamp is %lld s in the future, the target topic takes %lld s",
                (long long)(ahead / 1000), (long long)(after / 1000));
    else if (before > 0 && -ahead > before)
        cz_fail(err, CZ_E_INVALID, "its timestamp is %lld s old, the target topic takes %lld s",
                (long long)(-ahead / 1000), (long long)(before / 1000));
    else
        return true;
    return false;
}

enum cz_err cz_producer_send(struct cz_producer *p,
                             struct cz_producer_topic *t,
                             const struct cz_send *s,
                             struct cz_error *err)
{
    if (!s->key.data && atomic_load_explicit(&t->compacted, memory_order_relaxed))
        return cz_fail(err, CZ_E_INVALID, "the target topic is compacted and takes no record without a key");
    if (!cz_producer_topic_takes_time(t, s->timestamp_ms, err))
        return CZ_E_INVALID;
    rd_kafka_headers_t *h = take_headers(s);
    rd_kafka_vu_t vu[8] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = t->rkt},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = s->partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = s->copy ? RD_KAFKA_MSG_F_COPY : 0},
        {.vtype = RD_KAFKA_VTYPE_VALUE,
         .u.mem = {.ptr = CZ_UNCONST(s->value.data), .size = s->value.len}},
        {.vtype = RD_KAFKA_VTYPE_KEY,
         .u.mem = {.ptr = CZ_UNCONST(s->key.data), .size = s->key.len}},
        {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = s->timestamp_ms},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = s->opaque},
    };
    size_t n = 7;
    if (h)
        vu[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = h};
    rd_kafka_error_t *e = rd_kafka_produceva(p->rk, vu, n);
    return e ? send_failed(s, h, e, err) : CZ_OK;
}
