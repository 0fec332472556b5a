/* SPDX-License-Identifier: Apache-2.0 */
/** The admin client: handle, calls with deadlines, and topics.  Offsets and groups are in
 *  admin_offsets.c, commits without waiting in admin_async.c.  Nothing here uses
 *  DescribeConsumerGroups: it aborts the process after a broker outage (librdkafka 4605). */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "admin_priv.h"
#include "cz/log.h"
#include "cz/map.h"

enum { MIN_CALL_MS = 1, MAX_CALL_MS = 300000, GRACE_MS = 500, PAUSE_MS = 50, LOOK_MS = 5 };

enum cz_err cz_admin_new(struct cz_cluster *c,
                         const char *client_id,
                         struct cz_admin **ret,
                         struct cz_error *err)
{
    /* A consumer's handle with a group, although it never consumes: in librdkafka 2.15.1 a
     * NOT_COORDINATOR answer to ListConsumerGroupOffsets is passed on to the handle's own group,
     * and without one that is a null pointer (seen when a broker was fresh). */
    static const char *const settings[] = {"group.id", "citizenk.admin", "enable.auto.commit", "false", NULL};
    struct cz_error local = CZ_ERROR_INIT;
    struct cz_error *e = err ? err : &local;
    rd_kafka_conf_t *conf = cz__kafka_conf(c, client_id, e);
    if (!conf)
        return e->code;
    if (cz__kafka_set_all(conf, settings, e)) {
        rd_kafka_conf_destroy(conf);
        return e->code;
    }
    struct cz_admin *a = cz_alloc(sizeof(*a));
    a->conf = conf;
    cz_mutex_init(&a->lock);
    struct cz__handle *h = cz__handle_get(a, e);
    if (!h) {
        cz_admin_free(a);
        return e->code;
    }
    cz__handle_put(a, h);
    *ret = a;
    return CZ_OK;
}

static void handle_free(struct cz__handle *h)
{
    if (!h)
        return;
    cz__handle_drain(h);
    rd_kafka_queue_destroy(h->queue);
    rd_kafka_destroy_flags(h->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    cz_free(h);
}

void cz_admin_free(struct cz_admin *a)
{
    if (!a)
        return;
    cz__admin_async_done(a);
    handle_free(a->current);
    rd_kafka_conf_destroy(a->conf);
    cz_mutex_done(&a->lock);
    cz_free(a);
}

struct cz__handle *cz__handle_get(struct cz_admin *a, struct cz_error *err)
{
    CZ_LOCKED(&a->lock);
    if (!a->current) {
        rd_kafka_t *rk = NULL;
        if (cz__kafka_handle(RD_KAFKA_CONSUMER, rd_kafka_conf_dup(a->conf), &rk, err))
            return NULL;
        rd_kafka_poll_set_consumer(rk);
        a->current = cz_alloc(sizeof(*a->current));
        a->current->rk = rk;
        a->current->queue = rd_kafka_queue_new(rk);
    }
    a->current->users++;
    return a->current;
}

struct cz__handle *cz__handle_share(struct cz_admin *a, struct cz__handle *h)
{
    CZ_LOCKED(&a->lock);
    h->users++;
    return h;
}

void cz__handle_put(struct cz_admin *a, struct cz__handle *h)
{
    bool last;
    {
        CZ_LOCKED(&a->lock);
        last = --h->users == 0 && h->spoiled;
    }
    if (last)
        handle_free(h);
}

void cz__handle_spoil(struct cz_admin *a, struct cz__handle *h)
{
    CZ_LOCKED(&a->lock);
    h->spoiled = true;
    if (a->current == h)
        a->current = NULL;
}

void cz__handle_drain(struct cz__handle *h)
{
    /* Complaints about the group that nobody joins, e.g. that we may not see it. */
    for (rd_kafka_message_t *m; (m = rd_kafka_consumer_poll(h->rk, 0));)
        rd_kafka_message_destroy(m);
}

enum cz_err cz__call_init(struct cz__call *c,
                          struct cz_admin *a,
                          rd_kafka_admin_op_t op,
                          cz_time deadline,
                          struct cz_error *err)
{
    struct cz_error local = CZ_ERROR_INIT;
    struct cz_error *e = err ? err : &local;
    int ms = cz_remaining_ms(deadline);
    if (ms < 0 || ms > MAX_CALL_MS)
        ms = MAX_CALL_MS;
    if (ms < MIN_CALL_MS)
        ms = MIN_CALL_MS;
    struct cz__handle *h = cz__handle_get(a, e);
    if (!h)
        return e->code;
    *c = (struct cz__call){
        .admin = a,
        .handle = h,
        .rk = h->rk,
        .queue = rd_kafka_queue_new(h->rk),
        .options = rd_kafka_AdminOptions_new(h->rk, op),
        .deadline = cz_deadline_ms(ms),
        .coordinated = op == RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS ||
                       op == RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS ||
                       op == RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS ||
                       op == RD_KAFKA_ADMIN_OP_DELETEGROUPS,
    };
    (void)rd_kafka_AdminOptions_set_request_timeout(
        c->options, c->coordinated ? CZ__NO_LIMIT_MS : ms, NULL, 0);
    if (op == RD_KAFKA_ADMIN_OP_CREATETOPICS || op == RD_KAFKA_ADMIN_OP_DELETETOPICS)
        (void)rd_kafka_AdminOptions_set_operation_timeout(c->options, ms, NULL, 0);
    return CZ_OK;
}

void cz__call_done(struct cz__call *c)
{
    rd_kafka_AdminOptions_destroy(c->options);
    rd_kafka_queue_destroy(c->queue);
    cz__handle_drain(c->handle);
    cz__handle_put(c->admin, c->handle);
}

enum cz_err cz__admin_fail(struct cz_error *err, rd_kafka_resp_err_t e, const char *what, const char *text)
{
    uint32_t flags;
    enum cz_err code = cz__kafka_code(e, &flags);
    if (code == CZ_E_TIMEOUT)
        code = CZ_E_UNAVAILABLE;
    return cz_fail_flags(err, code, flags, e, "%s: %s", what, text ? text : rd_kafka_err2str(e));
}

enum cz_err cz__call_wait(struct cz__call *c,
                          const char *what,
                          rd_kafka_event_t **ret_event,
                          struct cz_error *err)
{
    /* Where librdkafka has the same limit, the grace keeps its late timer from looking like a lost
     * answer. */
    cz_time until = c->deadline + (c->coordinated ? 0 : GRACE_MS * CZ_MS);
    rd_kafka_event_t *event = NULL;
    while (!event && cz_remaining_ms(until) > 0)
        event = rd_kafka_queue_poll(c->queue, cz_remaining_ms(until));
    if (!event && c->coordinated)
        cz__handle_spoil(c->admin, c->handle);
    if (!event)
        return cz__admin_fail(err, RD_KAFKA_RESP_ERR__TIMED_OUT, what, NULL);
    rd_kafka_resp_err_t e = rd_kafka_event_error(event);
    if (e) {
        enum cz_err code = cz__admin_fail(err, e, what, rd_kafka_event_error_string(event));
        rd_kafka_event_destroy(event);
        return code;
    }
    *ret_event = event;
    return CZ_OK;
}

bool cz__admin_pause(cz_time deadline)
{
    if (cz_remaining_ms(deadline) == 0)
        return false;
    struct timespec t = {.tv_nsec = PAUSE_MS * 1000000L};
    (void)nanosleep(&t, NULL);
    return true;
}

static void copy_topic_id(const rd_kafka_Uuid_t *id, char *out, size_t size)
{
    const char *text = id ? rd_kafka_Uuid_base64str(id) : NULL;
    out[0] = '\0';
    bool zero = !text || (rd_kafka_Uuid_most_significant_bits(id) == 0 &&
                          rd_kafka_Uuid_least_significant_bits(id) == 0);
    if (!zero)
        (void)snprintf(out, size, "%s", text);
}

static void fill_topic(struct cz_topic_info *t, const rd_kafka_TopicDescription_t *d)
{
    rd_kafka_resp_err_t e = rd_kafka_error_code(rd_kafka_TopicDescription_error(d));
    size_t n = 0;
    (void)rd_kafka_TopicDescription_partitions(d, &n);
    t->code = cz__kafka_code(e, NULL);
    t->partitions = e ? 0 : (int32_t)n;
    if (!e)
        copy_topic_id(rd_kafka_TopicDescription_topic_id(d), t->topic_id, sizeof(t->topic_id));
}

/* Kafka refuses a name that comes twice. The names are borrowed. */
static rd_kafka_TopicCollection_t *collect(const char *const *names, size_t n)
{
    const char **once = cz_alloc_array(n, sizeof(*once));
    struct cz_map seen = CZ_MAP_INIT(NULL);
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        if (cz_map_get(&seen, names[i]))
            continue;
        cz_map_put(&seen, names[i], once);
        once[len++] = names[i];
    }
    rd_kafka_TopicCollection_t *c = rd_kafka_TopicCollection_of_topic_names(once, len);
    cz_map_done(&seen);
    cz_free(once);
    return c;
}

enum cz_err cz_admin_topics(struct cz_admin *a,
                            const char *const *names,
                            size_t n,
                            cz_time deadline,
                            struct cz_topic_info **ret,
                            struct cz_error *err)
{
    struct cz_topic_info *infos = cz_alloc_array(n ? n : 1, sizeof(*infos));
    for (size_t i = 0; i < n; i++) {
        infos[i].name = cz_strdup(names[i]);
        infos[i].code = CZ_E_NOT_FOUND;
    }
    if (n == 0) {
        *ret = infos;
        return CZ_OK;
    }
    struct cz__call call;
    enum cz_err code = cz__call_init(&call, a, RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, deadline, err);
    if (code) {
        cz_topic_infos_free(infos, n);
        return code;
    }
    rd_kafka_TopicCollection_t *c = collect(names, n);
    rd_kafka_DescribeTopics(call.rk, c, call.options, call.queue);
    rd_kafka_TopicCollection_destroy(c);
    rd_kafka_event_t *event = NULL;
    code = cz__call_wait(&call, "topics", &event, err);
    if (!code) {
        size_t got = 0;
        const rd_kafka_TopicDescription_t **d = rd_kafka_DescribeTopics_result_topics(
            rd_kafka_event_DescribeTopics_result(event), &got);
        /* The answer is in the broker's order. */
        for (size_t i = 0; i < got; i++)
            for (size_t k = 0; k < n; k++)
                if (strcmp(infos[k].name, rd_kafka_TopicDescription_name(d[i])) == 0)
                    fill_topic(&infos[k], d[i]);
        rd_kafka_event_destroy(event);
        *ret = infos;
    } else {
        cz_topic_infos_free(infos, n);
    }
    cz__call_done(&call);
    return code;
}

void cz_topic_infos_free(struct cz_topic_info *t, size_t n)
{
    if (!t)
        return;
    for (size_t i = 0; i < n; i++)
        cz_free(t[i].name);
    cz_free(t);
}

enum cz_err cz_admin_all_topics(struct cz_admin *a,
                                cz_time deadline,
                                struct cz_topic_info **ret,
                                size_t *ret_n,
                                int *ret_brokers,
                                struct cz_error *err)
{
    struct cz_error local = CZ_ERROR_INIT;
    struct cz__handle *h = cz__handle_get(a, err ? err : &local);
    if (!h)
        return err ? err->code : local.code;
    const rd_kafka_metadata_t *md = NULL;
    int ms = cz_remaining_ms(deadline);
    rd_kafka_resp_err_t e = rd_kafka_metadata(h->rk, 1, NULL, &md, ms < 0 ? MAX_CALL_MS : ms);
    cz__handle_put(a, h);
    if (e)
        return cz__admin_fail(err, e, "metadata", NULL);
    size_t n = (size_t)md->topic_cnt;
    struct cz_topic_info *infos = cz_alloc_array(n ? n : 1, sizeof(*infos));
    for (size_t i = 0; i < n; i++) {
        infos[i].name = cz_strdup(md->topics[i].topic);
        infos[i].code = cz__kafka_code(md->topics[i].err, NULL);
        infos[i].partitions = infos[i].code ? 0 : md->topics[i].partition_cnt;
    }
    if (ret_brokers)
        *ret_brokers = md->broker_cnt;
    rd_kafka_metadata_destroy(md);
    *ret = infos;
    *ret_n = n;
    return CZ_OK;
}

static const rd_kafka_topic_result_t **topic_results(rd_kafka_event_t *e, size_t *ret_n)
{
    switch (rd_kafka_event_type(e)) {
    case RD_KAFKA_EVENT_CREATETOPICS_RESULT:
        return rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(e), ret_n);
    case RD_KAFKA_EVENT_CREATEPARTITIONS_RESULT:
        return rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(e), ret_n);
    default:
        return rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(e), ret_n);
    }
}

/* Wait for the answer about one topic, and end the call; @tolerated counts as success. */
static enum cz_err topic_answer(struct cz__call *call,
                                rd_kafka_resp_err_t tolerated,
                                const char *what,
                                const char *name,
                                struct cz_error *err)
{
    rd_kafka_event_t *event = NULL;
    enum cz_err code = cz__call_wait(call, what, &event, err);
    if (!code) {
        size_t n = 0;
        const rd_kafka_topic_result_t **r = topic_results(event, &n);
        rd_kafka_resp_err_t e = n == 1 ? rd_kafka_topic_result_error(r[0]) : RD_KAFKA_RESP_ERR_NO_ERROR;
        uint32_t flags;
        if (n != 1) {
            code = cz_fail(err, CZ_E_KAFKA, "%s %s: %zu answers", what, name, n);
        } else if (e && e != tolerated) {
            const char *text = rd_kafka_topic_result_error_string(r[0]);
            code = cz__kafka_code(e, &flags);
            cz_fail_flags(err, code, flags, e, "%s %s: %s", what, name, text ? text : rd_kafka_err2str(e));
        }
        rd_kafka_event_destroy(event);
    }
    cz__call_done(call);
    return code;
}

static rd_kafka_NewTopic_t *new_topic(const char *name,
                                      int partitions,
                                      int replication,
                                      const char *const *configs,
                                      struct cz_error *err)
{
    char text[256];
    rd_kafka_NewTopic_t *t = rd_kafka_NewTopic_new(name, partitions, replication, text, sizeof(text));
    if (!t) {
        cz_fail(err, CZ_E_INVALID, "create topic %s: %s", name, text);
        return NULL;
    }
    for (size_t i = 0; configs && configs[i]; i += 2) {
        rd_kafka_resp_err_t e = rd_kafka_NewTopic_set_config(t, configs[i], configs[i + 1]);
        if (e) {
            cz__kafka_fail(err, e, "create topic %s: %s", name, configs[i]);
            rd_kafka_NewTopic_destroy(t);
            return NULL;
        }
    }
    return t;
}

enum cz_err cz_admin_create_topic(struct cz_admin *a,
                                  const char *name,
                                  int partitions,
                                  int replication,
                                  const char *const *configs,
                                  cz_time deadline,
                                  struct cz_error *err)
{
    struct cz_error local = CZ_ERROR_INIT;
    struct cz_error *e = err ? err : &local;
    struct cz__call call;
    rd_kafka_NewTopic_t *t = new_topic(name, partitions, replication, configs, e);
    if (!t)
        return e->code;
    enum cz_err code = cz__call_init(&call, a, RD_KAFKA_ADMIN_OP_CREATETOPICS, deadline, e);
    if (!code)
        rd_kafka_CreateTopics(call.rk, &t, 1, call.options, call.queue);
    rd_kafka_NewTopic_destroy(t);
    return code ? code : topic_answer(&call, RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS, "create topic", name, e);
}

enum cz_err cz_admin_grow_topic(struct cz_admin *a,
                                const char *topic,
                                int32_t partitions,
                                cz_time deadline,
                                struct cz_error *err)
{
    char text[256];
    struct cz__call call;
    rd_kafka_NewPartitions_t *p =
        rd_kafka_NewPartitions_new(topic, (size_t)partitions, text, sizeof(text));
    if (!p)
        return cz_fail(err, CZ_E_INVALID, "grow topic %s: %s", topic, text);
    enum cz_err code = cz__call_init(&call, a, RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, deadline, err);
    if (!code)
        rd_kafka_CreatePartitions(call.rk, &p, 1, call.options, call.queue);
    rd_kafka_NewPartitions_destroy(p);
    return code ? code : topic_answer(&call, RD_KAFKA_RESP_ERR_NO_ERROR, "grow topic", topic, err);
}

enum cz_err cz_admin_delete_topic(struct cz_admin *a,
                                  const char *name,
                                  cz_time deadline,
                                  struct cz_error *err)
{
    struct cz__call call;
    enum cz_err code = cz__call_init(&call, a, RD_KAFKA_ADMIN_OP_DELETETOPICS, deadline, err);
    if (code)
        return code;
    rd_kafka_DeleteTopic_t *t = rd_kafka_DeleteTopic_new(name);
    rd_kafka_DeleteTopics(call.rk, &t, 1, call.options, call.queue);
    rd_kafka_DeleteTopic_destroy(t);
    return topic_answer(&call, RD_KAFKA_RESP_ERR_NO_ERROR, "delete topic", name, err);
}

enum cz_err cz_admin_cluster_id(struct cz_admin *a, cz_time deadline, char **ret, struct cz_error *err)
{
    struct cz__handle *h = cz__handle_get(a, err);
    if (!h)
        return err->code;
    /* Looked at again and again: the wait in there is for a change of a topic, and a fresh handle knows
     * none, so it slept a second over an answer that was there. */
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    char *id = rd_kafka_clusterid(h->rk, 0);
    while (!id && cz_remaining_ms(deadline) > 0) {
        (void)nanosleep(&pause, NULL);
        id = rd_kafka_clusterid(h->rk, 0);
    }
    if (id)
        *ret = cz_strdup(id);
    rd_kafka_mem_free(h->rk, id);
    cz__handle_put(a, h);
    return id ? CZ_OK
              : cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0,
                              "the cluster does not say its id, which provenance needs");
}
