/* SPDX-License-Identifier: Apache-2.0 */
/* librdkafka's mock cluster: see mock_kafka.h. */
#include "mock_kafka.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <string.h>

#include "cz/alloc.h"

struct mock {
    rd_kafka_t *rk; /* also our producer */
    rd_kafka_mock_cluster_t *cluster;
    char *bootstrap;
};

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    (void)fprintf(stderr, "mock_kafka: %s\n", what);
    __builtin_trap();
}

struct mock *mock_new(void)
{
    char text[256];
    struct mock *m = cz_alloc(sizeof *m);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    must(!rd_kafka_conf_set(conf, "test.mock.num.brokers", "1", text, sizeof text), text);
    must(!rd_kafka_conf_set(conf, "linger.ms", "5", text, sizeof text), text);
    m->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    must(m->rk != NULL, text);
    m->cluster = rd_kafka_handle_mock_cluster(m->rk);
    m->bootstrap = cz_strdup(rd_kafka_mock_cluster_bootstraps(m->cluster));
    return m;
}

void mock_free(struct mock *m)
{
    rd_kafka_destroy(m->rk);
    cz_free(m->bootstrap);
    cz_free(m);
}

const char *mock_bootstrap(const struct mock *m)
{
    return m->bootstrap;
}

void mock_topic(struct mock *m, const char *topic, int partitions)
{
    must(!rd_kafka_mock_topic_create(m->cluster, topic, partitions, 1), "topic");
}

void mock_fill(struct mock *m, const char *topic, int partition, const char *format, int from, int n)
{
    char key[16], value[512];
    for (int i = from; i < from + n; i++) {
        int k = snprintf(key, sizeof key, "k%d", i % 7);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        int v = snprintf(value, sizeof value, format, i);
#pragma GCC diagnostic pop
        rd_kafka_resp_err_t e;
        do {
            e = rd_kafka_producev(m->rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
                                  RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key, (size_t)k),
                                  RD_KAFKA_V_VALUE(value, (size_t)v), RD_KAFKA_V_END);
            rd_kafka_poll(m->rk, e ? 10 : 0);
        } while (e == RD_KAFKA_RESP_ERR__QUEUE_FULL);
        must(!e, rd_kafka_err2str(e));
    }
    must(!rd_kafka_flush(m->rk, 20000), "fill");
}

void mock_send(struct mock *m, const char *topic, int partition, const char *key, size_t key_len,
               const char *value, size_t value_len, const char *header)
{
    rd_kafka_headers_t *h = rd_kafka_headers_new(1);
    if (header)
        must(!rd_kafka_header_add(h, "h", -1, header, -1), "header");
    must(!rd_kafka_producev(m->rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
                            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key, key_len),
                            RD_KAFKA_V_VALUE(CZ_UNCONST(value), value_len), RD_KAFKA_V_HEADERS(h),
                            RD_KAFKA_V_END),
         "send");
    must(!rd_kafka_flush(m->rk, 20000), "flush");
}

void mock_fill_big(struct mock *m, const char *topic, int partition, size_t size, int from, int n)
{
    CZ_CLEANUP(cz_freep) char *pad = cz_alloc(size + 1);
    memset(pad, 'x', size);
    for (int i = from; i < from + n; i++) {
        CZ_CLEANUP(cz_freep) char *value = cz_strf("{\"n\":%d,\"pad\":\"%s\"}", i, pad);
        rd_kafka_resp_err_t e;
        do {
            e = rd_kafka_producev(m->rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
                                  RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                  RD_KAFKA_V_VALUE(value, strlen(value)), RD_KAFKA_V_END);
            rd_kafka_poll(m->rk, e ? 10 : 0);
        } while (e == RD_KAFKA_RESP_ERR__QUEUE_FULL);
        must(!e, rd_kafka_err2str(e));
    }
    must(!rd_kafka_flush(m->rk, 60000), "fill");
}

void mock_cut(struct mock *m, const char *topic, int partition, int64_t offset)
{
    must(!rd_kafka_mock_partition_delete_records(m->cluster, topic, partition, offset), "cut");
}

int64_t mock_count(struct mock *m, const char *topic, int partition)
{
    int64_t low = 0, high = 0;
    if (rd_kafka_query_watermark_offsets(m->rk, topic, partition, &low, &high, 5000))
        return -1;
    return high - low;
}

static const char *stage_of(rd_kafka_message_t *r, size_t *ret_len)
{
    rd_kafka_headers_t *h = NULL;
    const void *value = NULL;
    *ret_len = 0;
    if (rd_kafka_message_headers(r, &h) || rd_kafka_header_get_last(h, "__connect.errors.stage", &value, ret_len))
        return NULL;
    return value;
}

static rd_kafka_t *reader(struct mock *m, const char *topic, int partition, int64_t offset)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    must(!rd_kafka_conf_set(conf, "bootstrap.servers", m->bootstrap, text, sizeof text), text);
    must(!rd_kafka_conf_set(conf, "group.id", "mock-read", text, sizeof text), text);
    must(!rd_kafka_conf_set(conf, "enable.partition.eof", "true", text, sizeof text), text);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    must(rk != NULL, text);
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(l, topic, partition)->offset = offset;
    rd_kafka_assign(rk, l);
    rd_kafka_topic_partition_list_destroy(l);
    return rk;
}

bool mock_header(struct mock *m, const char *topic, int partition, int64_t offset, char out[64])
{
    rd_kafka_t *rk = reader(m, topic, partition, offset);
    rd_kafka_message_t *r = rd_kafka_consumer_poll(rk, 20000);
    must(r && !r->err, "no record");
    rd_kafka_headers_t *h = NULL;
    const void *value = NULL;
    size_t n = 0;
    bool has = !rd_kafka_message_headers(r, &h) && !rd_kafka_header_get_last(h, "h", &value, &n);
    if (has)
        (void)snprintf(out, 64, "%.*s", (int)n, (const char *)value);
    rd_kafka_message_destroy(r);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    return has;
}

void mock_read(struct mock *m, const char *topic, int partition,
               void (*fn)(void *, int64_t, const char *, size_t, const char *, size_t, const char *), void *arg)
{
    rd_kafka_t *rk = reader(m, topic, partition, RD_KAFKA_OFFSET_BEGINNING);
    for (int idle = 0; idle < 100;) {
        rd_kafka_message_t *r = rd_kafka_consumer_poll(rk, 100);
        if (!r) {
            idle++;
            continue;
        }
        bool end = r->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
        if (!r->err) {
            size_t n;
            const char *stage = stage_of(r, &n);
            CZ_CLEANUP(cz_freep) char *copy = stage ? cz_strndup(stage, n) : NULL;
            fn(arg, r->offset, r->key, r->key_len, r->payload, r->len, copy);
        }
        rd_kafka_message_destroy(r);
        if (end)
            break;
    }
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
}

void mock_down(struct mock *m, bool down)
{
    if (down)
        rd_kafka_mock_broker_set_down(m->cluster, 1);
    else
        rd_kafka_mock_broker_set_up(m->cluster, 1);
}

void mock_errors(struct mock *m, int api, int code, int n)
{
    for (int i = 0; i < n; i++)
        rd_kafka_mock_push_request_errors(m->cluster, (int16_t)api, 1, (rd_kafka_resp_err_t)code);
}

void mock_produce_errors(struct mock *m, int code, int n)
{
    mock_errors(m, 0 /* Produce */, code, n);
}

void mock_make_fatal(struct cz_producer *p)
{
    /* The handle is the first member; no broker's answer makes a producer die on demand. */
    rd_kafka_t *rk = *(rd_kafka_t **)(void *)p;
    must(!rd_kafka_test_fatal_error(rk, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "test"), "fatal");
}
