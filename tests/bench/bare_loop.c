/* SPDX-License-Identifier: Apache-2.0 */
/* The floor: the least that a copy through librdkafka costs.  Assigns every partition of one topic
 * from its beginning, produces each record to the same partition of another topic from where it
 * lies (no copy), releases it in the delivery report, and ends when all is delivered.  Same
 * library, codec and guarantees as the worker (idempotent, acks=all); no offsets are committed, no
 * counters kept, nothing is checked.
 *   bare_loop SOURCE TOPIC TARGET TOPIC PARTITIONS RECORDS CODEC */
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 512 };

static _Atomic long delivered;
static _Atomic int stop;

static void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "bare_loop: %s: %s\n", what, why);
    exit(1);
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    (void)rk;
    (void)opaque;
    if (m->err)
        die("delivery", rd_kafka_err2str(m->err));
    rd_kafka_message_destroy(m->_private);
    atomic_fetch_add_explicit(&delivered, 1, memory_order_relaxed);
}

static rd_kafka_t *make(rd_kafka_type_t type, const char *const *pairs)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (; pairs[0]; pairs += 2) {
        if (rd_kafka_conf_set(conf, pairs[0], pairs[1], text, sizeof text))
            die(pairs[0], text);
    }
    if (type == RD_KAFKA_PRODUCER)
        rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof text);
    if (!rk)
        die("client", text);
    return rk;
}

static void *poll_main(void *rk)
{
    while (!atomic_load(&stop))
        rd_kafka_poll(rk, 100);
    return NULL;
}

/* Send one record on; waits while the queue is full. */
static void send_on(rd_kafka_t *to, rd_kafka_topic_t *topic, rd_kafka_message_t *m)
{
    rd_kafka_headers_t *h = NULL;
    if (rd_kafka_message_detach_headers(m, &h))
        h = NULL;
    rd_kafka_vu_t vu[8] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = m->partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = 0},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {m->payload, m->len}},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {m->key, m->key_len}},
        {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = rd_kafka_message_timestamp(m, NULL)},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = m},
    };
    size_t n = 7;
    if (h)
        vu[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = h};
    for (;;) {
        rd_kafka_error_t *e = rd_kafka_produceva(to, vu, n);
        if (!e)
            return;
        if (rd_kafka_error_code(e) != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            die("produce", rd_kafka_error_string(e));
        rd_kafka_error_destroy(e);
        const struct timespec nap = {.tv_nsec = 200000};
        (void)nanosleep(&nap, NULL);
    }
}

static void copy(rd_kafka_t *from, rd_kafka_t *to, rd_kafka_topic_t *topic, long records)
{
    static rd_kafka_message_t *batch[BATCH];
    rd_kafka_queue_t *q = rd_kafka_queue_get_consumer(from);
    for (long sent = 0; sent < records;) {
        ssize_t n = rd_kafka_consume_batch_queue(q, 0, batch, BATCH);
        if (n == 0)
            n = rd_kafka_consume_batch_queue(q, 100, batch, 1);
        for (ssize_t i = 0; i < n; i++) {
            if (batch[i]->err)
                die("consume", rd_kafka_message_errstr(batch[i]));
            send_on(to, topic, batch[i]);
            sent++;
        }
    }
    rd_kafka_queue_destroy(q);
}

int main(int argc, char **argv)
{
    if (argc != 8)
        die("usage", "SOURCE TOPIC TARGET TOPIC PARTITIONS RECORDS CODEC");
    const char *const consumer[] = {"bootstrap.servers", argv[1], "group.id", "bare-loop",
                                    "enable.auto.commit", "false", "enable.auto.offset.store", "false",
                                    "queued.max.messages.kbytes", "32768",
                                    "fetch.queue.backoff.ms", "2", NULL};
    const char *const producer[] = {"bootstrap.servers", argv[3], "enable.idempotence", "true",
                                    "compression.codec", argv[7], "linger.ms", "5",
                                    "queue.buffering.max.messages", "20000", NULL};
    rd_kafka_t *from = make(RD_KAFKA_CONSUMER, consumer);
    rd_kafka_t *to = make(RD_KAFKA_PRODUCER, producer);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(to, argv[4], NULL);
    pthread_t poller;
    if (pthread_create(&poller, NULL, poll_main, to))
        die("thread", "cannot be made");
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(8);
    for (int p = 0; p < (int)strtol(argv[5], NULL, 10); p++)
        rd_kafka_topic_partition_list_add(l, argv[2], p)->offset = 0;
    rd_kafka_poll_set_consumer(from);
    if (rd_kafka_assign(from, l))
        die("assign", argv[2]);
    rd_kafka_topic_partition_list_destroy(l);
    long records = strtol(argv[6], NULL, 10);
    copy(from, to, topic, records);
    while (atomic_load(&delivered) < records) {
        const struct timespec nap = {.tv_nsec = 1000000};
        (void)nanosleep(&nap, NULL);
    }
    atomic_store(&stop, 1);
    (void)pthread_join(poller, NULL);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(to);
    rd_kafka_consumer_close(from);
    rd_kafka_destroy(from);
    return 0;
}
