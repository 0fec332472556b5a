/* SPDX-License-Identifier: Apache-2.0 */
/* The data path's consumer over librdkafka: manual incremental assignment, explicit offsets, batch
 * polling from the consumer queue.  A record's topic and partition lead to the owner's opaque by a
 * map whose last answer is remembered, since fetched records arrive in runs of one partition. */
#include "cz/consumer.h"

#include <stdio.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/log.h"
#include "cz/map.h"
#include "cz/producer.h"
#include "kafka_priv.h"

enum { BATCH_MAX = 1024, ASSIGN_KEY_MAX = 300 };

struct cz_consumer {
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    struct cz_map partitions; /* "topic\0" + partition bytes → struct assigned */
    rd_kafka_message_t *batch[BATCH_MAX];
    const rd_kafka_topic_t *last_rkt; /* the remembered answer */
    int32_t last_partition;
    struct assigned *last;
};

struct assigned {
    char *topic;
    int32_t partition;
    void *opaque;
};

static void assigned_free(void *p)
{
    struct assigned *a = p;
    if (!a)
        return;
    cz_free(a->topic);
    cz_free(a);
}

/* Key of the map: the topic's bytes, a NUL, the partition. Returns its length, 0 when too long. */
static size_t partition_key(char out[ASSIGN_KEY_MAX], const char *topic, int32_t partition)
{
    size_t n = strlen(topic);
    if (n + 1 + sizeof partition > ASSIGN_KEY_MAX)
        return 0;
    memcpy(out, topic, n + 1);
    memcpy(out + n + 1, &partition, sizeof partition);
    return n + 1 + sizeof partition;
}

enum cz_err cz_consumer_new(const struct cz_consumer_options *o,
                            struct cz_consumer **ret,
                            struct cz_error *err)
{
    rd_kafka_conf_t *conf = cz__kafka_conf(o->cluster, o->client_id, err);
    if (!conf)
        return err ? err->code : CZ_E_INVALID;
    char prefetch[16], wait[16];
    (void)snprintf(prefetch, sizeof prefetch, "%d", o->prefetch_kib);
    (void)snprintf(wait, sizeof wait, "%d", o->fetch_wait_ms > 0 ? o->fetch_wait_ms : 500);
    const char *const settings[] = {
        "group.id", o->group_id,
        "enable.auto.commit", "false",
        "enable.auto.offset.store", "false",
        "auto.offset.reset", "error",
        "enable.partition.eof", "true",
        "isolation.level", o->read_committed ? "read_committed" : "read_uncommitted",
        "queued.max.messages.kbytes", prefetch,
        /* A record that waits costs about 500 bytes beside its own; and one answer of a broker must
         * not be many times what may wait. */
        "queued.min.messages", "20000",
        "fetch.max.bytes", "8388608",
        "fetch.wait.max.ms", wait,
        "fetch.queue.backoff.ms", "2",
        "check.crcs", "true",
        "topic.metadata.refresh.interval.ms", "30000",
        NULL,
    };
    rd_kafka_t *rk = NULL;
    enum cz_err code = cz__kafka_set_all(conf, settings, err);
    if (code) {
        rd_kafka_conf_destroy(conf);
        return code;
    }
    code = cz__kafka_handle(RD_KAFKA_CONSUMER, conf, &rk, err);
    if (code)
        return code;
    struct cz_consumer *c = cz_alloc(sizeof *c);
    c->rk = rk;
    rd_kafka_poll_set_consumer(rk);
    c->queue = rd_kafka_queue_get_consumer(rk);
    cz_map_init(&c->partitions, assigned_free);
    *ret = c;
    return CZ_OK;
}

void cz_consumer_free(struct cz_consumer *c)
{
    if (!c)
        return;
    rd_kafka_queue_destroy(c->queue);
    rd_kafka_consumer_close(c->rk);
    rd_kafka_destroy(c->rk);
    cz_map_done(&c->partitions);
    cz_free(c);
}

/* Run an incremental (un)assign of one partition. */
static enum cz_err change_assignment(struct cz_consumer *c,
                                     const char *topic,
                                     int32_t partition,
                                     int64_t offset,
                                     bool add,
                                     struct cz_error *err)
{
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(l, topic, partition)->offset = offset;
    rd_kafka_error_t *e =
        add ? rd_kafka_incremental_assign(c->rk, l) : rd_kafka_incremental_unassign(c->rk, l);
    rd_kafka_topic_partition_list_destroy(l);
    if (!e)
        return CZ_OK;
    enum cz_err code = cz__kafka_fail(err,
                                      rd_kafka_error_code(e),
                                      "%s %s [%d]: %s",
                                      add ? "assign" : "unassign",
                                      topic,
                                      partition,
                                      rd_kafka_error_string(e));
    rd_kafka_error_destroy(e);
    return code;
}

enum cz_err cz_consumer_assign(struct cz_consumer *c,
                               const char *topic,
                               int32_t partition,
                               int64_t offset,
                               void *opaque,
                               struct cz_error *err)
{
    char key[ASSIGN_KEY_MAX];
    size_t n = partition_key(key, topic, partition);
    if (n == 0)
        return cz_fail(err, CZ_E_INVALID, "topic name too long");
    enum cz_err code = change_assignment(c, topic, partition, offset, true, err);
    if (code)
        return code;
    struct assigned *a = cz_alloc(sizeof *a);
    a->topic = cz_strdup(topic);
    a->partition = partition;
    a->opaque = opaque;
    cz_map_putn(&c->partitions, key, n, a);
    c->last_rkt = NULL;
    return CZ_OK;
}

enum cz_err cz_consumer_unassign(struct cz_consumer *c,
                                 const char *topic,
                                 int32_t partition,
                                 struct cz_error *err)
{
    char key[ASSIGN_KEY_MAX];
    size_t n = partition_key(key, topic, partition);
    struct assigned *a = n ? cz_map_getn(&c->partitions, key, n) : NULL;
    if (!a)
        return CZ_OK;
    enum cz_err code = change_assignment(c, topic, partition, -1, false, err);
    /* Gone from our view in any case: no event of it may reach its former owner. */
    c->last_rkt = NULL;
    cz_map_removen(&c->partitions, key, n);
    return code;
}

static struct assigned *find(struct cz_consumer *c, const char *topic, int32_t partition)
{
    char key[ASSIGN_KEY_MAX];
    size_t n = partition_key(key, topic, partition);
    return n ? cz_map_getn(&c->partitions, key, n) : NULL;
}

/* The partition of a message, by the remembered answer when it is the same as before. */
static struct assigned *find_cached(struct cz_consumer *c, const rd_kafka_message_t *m)
{
    if (!m->rkt)
        return NULL;
    if (m->rkt == c->last_rkt && m->partition == c->last_partition)
        return c->last;
    struct assigned *a = find(c, rd_kafka_topic_name(m->rkt), m->partition);
    c->last_rkt = m->rkt;
    c->last_partition = m->partition;
    c->last = a;
    return a;
}

/* Turn one librdkafka message into an event; false: nobody is interested (message released). */
static bool to_event(struct cz_consumer *c, rd_kafka_message_t *m, struct cz_event *e)
{
    struct assigned *a = find_cached(c, m);
    e->opaque = a ? a->opaque : NULL;
    if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (!a) {
            rd_kafka_message_destroy(m);
            return false;
        }
        e->kind = CZ_EVENT_RECORD;
        cz_message_record(m, a->topic, &e->record);
        return true;
    }
    e->record = (struct cz_record){.offset = m->offset, .partition = m->partition};
    if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        e->kind = CZ_EVENT_END;
    } else {
        struct cz_error err = CZ_ERROR_INIT;
        e->kind = m->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
                          m->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE
                      ? CZ_EVENT_RESET
                      : CZ_EVENT_ERROR;
        e->code = cz__kafka_fail(&err, m->err, "%s", rd_kafka_message_errstr(m));
        (void)snprintf(e->text, sizeof e->text, "%.*s", (int)sizeof e->text - 1, err.text);
    }
    bool wanted = a != NULL || e->kind == CZ_EVENT_ERROR;
    rd_kafka_message_destroy(m);
    return wanted;
}

size_t cz_consumer_poll(struct cz_consumer *c, struct cz_event *out, size_t max, int timeout_ms)
{
    if (max > BATCH_MAX)
        max = BATCH_MAX;
    /* A batch call waits for a full batch, so: one with the timeout, the rest without. */
    ssize_t n = rd_kafka_consume_batch_queue(c->queue, 0, c->batch, max);
    if (n <= 0 && timeout_ms > 0) {
        n = rd_kafka_consume_batch_queue(c->queue, timeout_ms, c->batch, 1);
        if (n == 1 && max > 1) {
            ssize_t more = rd_kafka_consume_batch_queue(c->queue, 0, c->batch + 1, max - 1);
            n += more > 0 ? more : 0;
        }
    }
    size_t k = 0;
    for (ssize_t i = 0; i < n; i++) {
        if (to_event(c, c->batch[i], &out[k]))
            k++;
    }
    return k;
}

void cz_consumer_wake(struct cz_consumer *c)
{
    rd_kafka_queue_yield(c->queue);
}

int64_t cz_consumer_end(struct cz_consumer *c, const char *topic, int32_t partition)
{
    int64_t low = -1, high = -1;
    if (rd_kafka_get_watermark_offsets(c->rk, topic, partition, &low, &high))
        return -1;
    return high >= 0 ? high : -1;
}
