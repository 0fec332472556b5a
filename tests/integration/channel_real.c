/* SPDX-License-Identifier: Apache-2.0 */
/** The channel against a real broker: `channel_real BOOTSTRAP SCENARIO`.  Each scenario uses a
 *  group id of its own, prints what it measured and ends with "ok SCENARIO" or a failure.
 *  `outage` talks to who runs it: it prints "broker: stop" or "broker: start" and waits for a line
 *  on stdin that says it is done. */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cz/alloc.h"
#include "cz/channel.h"
#include "cz/json.h"
#include "cz/log.h"
#include "cz/map.h"
#include "cz/status_view.h"
#include "cz/thread.h"
#include "cz/util.h"

static struct cz_cluster *cluster;
static struct cz_admin *admin;
static char group[64];

#define CHECK(cond, ...)                                                                       \
    do {                                                                                       \
        if (!(cond)) {                                                                         \
            printf("FAIL %s:%d %s: ", __func__, __LINE__, #cond);                              \
            printf(__VA_ARGS__);                                                               \
            printf("\n");                                                                      \
            exit(1);                                                                           \
        }                                                                                      \
    } while (0)
#define OK(call)                                                                               \
    do {                                                                                       \
        struct cz_error err = CZ_ERROR_INIT;                                                   \
        enum cz_err code_ = (call);                                                            \
        CHECK(code_ == CZ_OK, "%s %s", cz_err_name(code_), err.text);                          \
    } while (0)

/* ---- a reader that counts ---------------------------------------------------------------------- */

struct reader {
    struct cz_follower *f;
    _Atomic int records, ends, resets;
    struct cz_mutex lock;
    struct cz_map seen; /* key → "" */
    _Atomic int64_t last_revision;
    _Atomic cz_time last_at;
};

static void on_record(void *arg, const struct cz_channel_record *r)
{
    struct reader *d = arg;
    CZ_LOCKED(&d->lock);
    cz_map_put(&d->seen, r->key, CZ_UNCONST(r->value ? "" : NULL));
    atomic_store(&d->last_at, cz_now());
    atomic_store(&d->last_revision, r->revision);
    atomic_fetch_add(&d->records, 1);
}

static void on_end(void *arg)
{
    struct reader *d = arg;
    atomic_fetch_add(&d->ends, 1);
}

static void on_reset(void *arg)
{
    struct reader *d = arg;
    CZ_LOCKED(&d->lock);
    cz_map_clear(&d->seen);
    atomic_fetch_add(&d->resets, 1);
}

static struct reader *reader_new(const char *topic)
{
    static const struct cz_follower_ops ops = {
        .on_record = on_record, .on_end = on_end, .on_reset = on_reset};
    struct reader *d = cz_alloc(sizeof(*d));
    cz_mutex_init(&d->lock);
    cz_map_init(&d->seen, NULL);
    OK(cz_follower_new(cluster, topic, "channel-real", &ops, d, &d->f, &err));
    return d;
}

static void reader_free(struct reader *d)
{
    cz_follower_free(d->f);
    cz_map_done(&d->seen);
    cz_mutex_done(&d->lock);
    cz_free(d);
}

static size_t seen(struct reader *d)
{
    CZ_LOCKED(&d->lock);
    return d->seen.len;
}

static void nap(int ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000L};
    (void)nanosleep(&t, NULL);
}

#define WAIT(cond, ms)                                                                         \
    do {                                                                                       \
        cz_time until_ = cz_deadline_ms(ms);                                                   \
        while (!(cond) && cz_remaining_ms(until_) > 0)                                         \
            nap(1);                                                                            \
        CHECK(cond, "not within %d ms", ms);                                                   \
    } while (0)

/* ---- writing ------------------------------------------------------------------------------------- */

static json_t *mapping_value(int n)
{
    json_t *j = json_object();
    cz_json_set_i64(j, "generation", n);
    cz_json_set_str(j, "state", "RUNNING");
    cz_json_set_str(j, "spec",
                    "a resolved mapping of ordinary size ...................................."
                    "........................................................................"
                    "........................................................................");
    return j;
}

static enum cz_err publish(struct cz_config_writer *w, int from, int n, int64_t epoch, int ms, struct cz_error *err)
{
    struct cz_channel_write *out = cz_alloc_array((size_t)n, sizeof(*out));
    for (int i = 0; i < n; i++) {
        out[i].key = cz_strf("mapping/m%d", from + i);
        out[i].value = mapping_value(from + i);
        out[i].revision = from + i + 1;
        out[i].trace_id = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    }
    enum cz_err code = cz_config_writer_publish(w, out, (size_t)n, epoch, cz_deadline_ms(ms), err);
    for (int i = 0; i < n; i++) {
        cz_free(CZ_UNCONST(out[i].key));
        json_decref(CZ_UNCONST(out[i].value));
    }
    cz_free(out);
    return code;
}

static struct cz_config_writer *writer(void)
{
    struct cz_config_writer *w = NULL;
    OK(cz_config_writer_new(cluster, group, cz_deadline_ms(20000), &w, &err));
    return w;
}

static double ms_since(cz_time t)
{
    return (double)(cz_now() - t) / (double)CZ_MS;
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* ---- scenarios -------------------------------------------------------------------------------------- */

static void scenario_publish(void)
{
    bool created = false;
    OK(cz_channel_ensure(admin, group, cz_deadline_ms(20000), &created, &err));
    CHECK(created, "should be new");
    OK(cz_channel_ensure(admin, group, cz_deadline_ms(20000), &created, &err));
    CHECK(!created, "should be there");
    char *topic = cz_channel_config_topic(group);
    struct reader *d = reader_new(topic);
    WAIT(d->ends == 1, 10000);
    struct cz_config_writer *w = writer();
    cz_time t = cz_now();
    OK(publish(w, 0, 10000, 1, 15000, &err));
    printf("publish of 10000 mappings: %.0f ms\n", ms_since(t));
    WAIT(d->records == 10000, 10000);
    printf("... read by a follower: %.0f ms\n", ms_since(t));

    double visible[200], commit[200];
    for (int i = 0; i < 200; i++) {
        nap(10);
        t = cz_now();
        OK(publish(w, 20000 + i, 1, 1, 15000, &err));
        commit[i] = ms_since(t);
        WAIT(d->last_revision == 20001 + i, 5000);
        visible[i] = (double)(d->last_at - t) / (double)CZ_MS;
    }
    qsort(visible, 200, sizeof(double), by_value);
    qsort(commit, 200, sizeof(double), by_value);
    printf("one change: commit p50 %.1f p99 %.1f ms; on_record p50 %.1f p99 %.1f ms after publish\n",
           commit[100], commit[198], visible[100], visible[198]);

    t = cz_now();
    struct reader *cold = reader_new(topic);
    WAIT(cold->ends == 1, 10000);
    printf("cold read to the end: %.0f ms, %d records\n", ms_since(t), cold->records);
    CHECK(cold->records == 10200 && ms_since(t) < 3000, "%d", cold->records);
    OK(publish(w, 50000, 1, 1, 15000, &err));
    t = cz_now();
    OK(cz_follower_sync(cold->f, cz_deadline_ms(5000), &err));
    printf("sync: %.1f ms\n", ms_since(t));
    CHECK(cold->last_revision == 50001, "%" PRId64, cold->last_revision);
    /* The end of a topic whose last records are all markers, tombstones and compaction aside. */
    t = cz_now();
    OK(cz_follower_sync(cold->f, cz_deadline_ms(5000), &err));
    reader_free(cold);

    struct cz_config_writer *second = writer();
    struct cz_error bad = CZ_ERROR_INIT;
    enum cz_err code = publish(w, 60000, 1, 1, 15000, &bad);
    CHECK(code == CZ_E_FENCED && bad.flags & CZ_ERR_FATAL, "%s %s", cz_err_name(code), bad.text);
    cz_error_reset(&bad);
    CHECK(publish(w, 60000, 1, 1, 15000, &bad) == CZ_E_FENCED, "%s", bad.text);
    OK(publish(second, 60001, 1, 2, 15000, &err));
    OK(cz_follower_sync(d->f, cz_deadline_ms(5000), &err));
    CHECK(d->last_revision == 60002, "%" PRId64, d->last_revision);
    cz_config_writer_free(w);
    cz_config_writer_free(second);
    t = cz_now();
    reader_free(d);
    printf("follower freed in %.0f ms\n", ms_since(t));
    cz_free(topic);
}

static void scenario_recreate(void)
{
    OK(cz_channel_ensure(admin, group, cz_deadline_ms(20000), NULL, &err));
    char *topic = cz_channel_config_topic(group);
    struct reader *d = reader_new(topic);
    struct cz_config_writer *w = writer();
    OK(publish(w, 0, 500, 1, 15000, &err));
    WAIT(d->ends == 1 && seen(d) == 500, 10000);

    for (int round = 1; round <= 3; round++) {
        cz_time t = cz_now();
        OK(cz_admin_delete_topic(admin, topic, cz_deadline_ms(10000), &err));
        /* The writer tells it is gone, and stays usable. */
        struct cz_error bad = CZ_ERROR_INIT;
        enum cz_err code = publish(w, 1000, 1, 1, 10000, &bad);
        printf("publish to the deleted topic: %s in %.0f ms: %s\n", cz_err_name(code), ms_since(t), bad.text);
        CHECK(code == CZ_E_NOT_FOUND && bad.flags == CZ_ERR_RETRIABLE, "flags %u", bad.flags);
        if (round == 2)
            nap(3000); /* let everybody notice; in the other rounds it is back at once */
        bool created = false;
        OK(cz_channel_ensure(admin, group, cz_deadline_ms(20000), &created, &err));
        CHECK(created, "new");
        t = cz_now();
        OK(publish(w, 0, 800, 1, 15000, &err));
        printf("first publish after: %.0f ms\n", ms_since(t));
        WAIT(d->resets == round, 10000);
        WAIT(d->ends == round + 1 && seen(d) == 800, 10000);
        printf("all seen again after %.0f ms (round %d)\n", ms_since(t), round);
        OK(cz_follower_sync(d->f, cz_deadline_ms(5000), &err));
    }
    CHECK(d->resets == 3 && d->ends == 4, "%d %d", d->resets, d->ends);
    cz_config_writer_free(w);
    reader_free(d);
    cz_free(topic);
}

static _Atomic int acked_ok, acked_failed;
static void on_acked(void *arg, enum cz_err code)
{
    (void)arg;
    atomic_fetch_add(code ? &acked_failed : &acked_ok, 1);
}

static void scenario_status(void)
{
    OK(cz_channel_ensure(admin, group, cz_deadline_ms(20000), NULL, &err));
    char *topic = cz_channel_status_topic(group);
    struct cz_status_view *v = NULL;
    OK(cz_status_view_new(cluster, group, &v, &err));
    struct cz_status_writer *w = NULL;
    OK(cz_status_writer_new(cluster, group, &w, &err));
    WAIT(cz_status_view_ready(v), 5000);
    json_t *beat = json_pack("{s:s,s:i,s:s,s:i}", "incarnation", "i1", "lease_ms", 1000, "applied", "7", "at_ms", 5);
    cz_time t = cz_now();
    OK(cz_status_writer_send(w, "worker/w1", beat, on_acked, NULL, &err));
    WAIT(acked_ok == 1, 5000);
    printf("first heartbeat acked in %.1f ms\n", ms_since(t));
    nap(50);
    t = cz_now();
    OK(cz_status_writer_send(w, "worker/w1", beat, on_acked, NULL, &err));
    WAIT(acked_ok == 2, 5000);
    printf("next heartbeat acked in %.1f ms\n", ms_since(t));
    CHECK(cz_status_wait_applied(v, 7, cz_deadline_ms(2000)), "applied");
    CHECK(!cz_status_wait_applied(v, 8, cz_deadline_ms(300)), "not applied");
    json_t *task = json_pack("{s:s,s:s,s:s}", "state", "RUNNING", "worker", "w1", "incarnation", "i1");
    for (int i = 0; i < 2000; i++) {
        char key[64];
        snprintf(key, sizeof(key), "task/m%d/0", i % 1000);
        OK(cz_status_writer_send(w, key, task, NULL, NULL, &err));
    }
    cz_status_writer_flush(w, cz_deadline_ms(5000));
    struct cz_task_infos tasks;
    nap(100);
    cz_status_tasks(v, "m999", &tasks);
    CHECK(tasks.len == 1 && tasks.items[0].state == CZ_TASK_RUNNING, "%zu", tasks.len);
    cz_task_infos_done(&tasks);

    /* The topic goes away and comes back: nothing dies, and the state that nobody acked is sent. */
    OK(cz_admin_delete_topic(admin, topic, cz_deadline_ms(10000), &err));
    nap(200);
    int failed = acked_failed;
    OK(cz_status_writer_send(w, "worker/w1", beat, on_acked, NULL, &err));
    json_t *done = json_pack("{s:s,s:s,s:s}", "state", "PAUSED", "worker", "w1", "incarnation", "i1");
    OK(cz_status_writer_send(w, "task/m1/0", done, NULL, NULL, &err));
    t = cz_now();
    WAIT(acked_failed == failed + 1, 12000);
    printf("heartbeat to the deleted topic failed after %.0f ms\n", ms_since(t));
    OK(cz_channel_ensure(admin, group, cz_deadline_ms(20000), NULL, &err));
    t = cz_now();
    cz_status_writer_flush(w, cz_deadline_ms(15000));
    int ok = acked_ok;
    OK(cz_status_writer_send(w, "worker/w1", beat, on_acked, NULL, &err));
    WAIT(acked_ok == ok + 1, 15000);
    printf("heartbeats work again after %.0f ms\n", ms_since(t));
    t = cz_now();
    for (;;) {
        cz_status_tasks(v, "m1", &tasks);
        bool paused = tasks.len == 1 && tasks.items[0].state == CZ_TASK_PAUSED;
        cz_task_infos_done(&tasks);
        if (paused)
            break;
        CHECK(ms_since(t) < 8000, "the view does not see the state");
        nap(10);
    }
    printf("the view follows the new topic after %.0f ms\n", ms_since(t));
    json_decref(beat);
    json_decref(task);
    json_decref(done);
    cz_status_writer_free(w);
    t = cz_now();
    cz_status_view_free(v);
    printf("view freed in %.0f ms\n", ms_since(t));
    cz_free(topic);
}

static void tell(const char *what)
{
    char line[64];
    printf("broker: %s\n", what);
    fflush(stdout);
    CHECK(fgets(line, sizeof(line), stdin), "nobody answers");
}

static _Atomic int commits_done, commits_failed;
static void on_commit(void *arg, const struct cz_error *err)
{
    (void)arg;
    if (err->code)
        atomic_fetch_add(&commits_failed, 1);
    atomic_fetch_add(&commits_done, 1);
}

static void scenario_outage(void)
{
    OK(cz_channel_ensure(admin, group, cz_deadline_ms(20000), NULL, &err));
    char *topic = cz_channel_config_topic(group);
    struct reader *d = reader_new(topic);
    struct cz_config_writer *w = writer();
    struct cz_status_writer *s = NULL;
    OK(cz_status_writer_new(cluster, group, &s, &err));
    OK(publish(w, 0, 100, 1, 15000, &err));
    WAIT(d->ends == 1 && seen(d) == 100, 10000);
    json_t *beat = json_pack("{s:s}", "incarnation", "i1");
    CZ_CLEANUP(cz_tp_list_done) struct cz_tp_list l = {0};
    cz_tp_list_add(&l, topic, 0, 5);
    for (int round = 0; round < 3; round++) {
        tell("stop");
        /* Everything that may wait for an answer while the broker is away. */
        for (int i = 0; i < 3; i++) {
            CZ_CLEANUP(cz_tp_list_done) struct cz_tp_list ask = {0};
            cz_tp_list_add(&ask, topic, 0, CZ_OFFSET_LATEST);
            struct cz_error bad = CZ_ERROR_INIT;
            cz_time t = cz_now();
            enum cz_err code = cz_admin_list_offsets(admin, &ask, true, cz_deadline_ms(500), &bad);
            CHECK(code == CZ_E_UNAVAILABLE && ms_since(t) < 1500, "%s %.0f ms; %s %d", cz_err_name(code), ms_since(t), cz_err_name(ask.items[0].code), (int)ask.items[0].offset);
            cz_error_reset(&bad);
            code = cz_admin_group_offsets(admin, "channel-real", &ask, cz_deadline_ms(500), &bad);
            CHECK(code == CZ_E_UNAVAILABLE, "%s %s", cz_err_name(code), bad.text);
            struct cz_topic_info *infos = NULL;
            const char *name = topic;
            code = cz_admin_topics(admin, &name, 1, cz_deadline_ms(500), &infos, NULL);
            CHECK(code == CZ_E_UNAVAILABLE, "%s", cz_err_name(code));
            cz_admin_commit_async(admin, "channel-real", &l, 1000, on_commit, NULL);
            OK(cz_status_writer_send(s, "worker/w1", beat, on_acked, NULL, &err));
        }
        struct cz_error bad = CZ_ERROR_INIT;
        cz_time t = cz_now();
        enum cz_err code = publish(w, 5000, 1, 1, 2000, &bad);
        printf("publish without a broker: %s in %.0f ms: %s\n", cz_err_name(code), ms_since(t), bad.text);
        CHECK(code && !(bad.flags & CZ_ERR_FATAL), "nothing was begun");
        tell("start");
        t = cz_now();
        WAIT(publish(w, 100 * (round + 1), 100, 1, 15000, NULL) == CZ_OK, 20000);
        printf("publish works again after %.0f ms\n", ms_since(t));
        WAIT(seen(d) == 100u * (unsigned)(round + 2), 20000);
        OK(cz_follower_sync(d->f, cz_deadline_ms(10000), &err));
        printf("the follower goes on after %.0f ms\n", ms_since(t));
        int ok = acked_ok;
        OK(cz_status_writer_send(s, "worker/w1", beat, on_acked, NULL, &err));
        WAIT(acked_ok > ok, 20000);
        WAIT(commits_done == 3 * (round + 1), 5000);
        OK(cz_admin_commit(admin, "channel-real", &l, cz_deadline_ms(10000), &err));
    }
    CHECK(d->resets == 0, "%d resets", d->resets);
    json_decref(beat);
    cz_status_writer_free(s);
    cz_config_writer_free(w);
    reader_free(d);
    cz_free(topic);
}

static void scenario_admin(void)
{
    char *topic = cz_strf("%s.t", group);
    const char *names[] = {topic, "no-such-topic"};
    OK(cz_admin_create_topic(admin, topic, 3, 1, NULL, cz_deadline_ms(10000), &err));
    OK(cz_admin_create_topic(admin, topic, 3, 1, NULL, cz_deadline_ms(10000), &err));
    struct cz_topic_info *t = NULL;
    for (cz_time until = cz_deadline_ms(5000);; nap(20)) {
        OK(cz_admin_topics(admin, names, 2, cz_deadline_ms(5000), &t, &err));
        if (t[0].code == CZ_OK || cz_remaining_ms(until) == 0)
            break;
        cz_topic_infos_free(t, 2);
    }
    printf("topic %s: %d partitions, id %s; %s: %s\n", t[0].name, t[0].partitions, t[0].topic_id,
           t[1].name, cz_err_name(t[1].code));
    CHECK(t[0].partitions == 3 && t[0].topic_id[0] && t[1].code == CZ_E_NOT_FOUND, "wrong");
    cz_topic_infos_free(t, 2);
    size_t n = 0;
    int brokers = 0;
    OK(cz_admin_all_topics(admin, cz_deadline_ms(5000), &t, &n, &brokers, &err));
    CHECK(brokers == 1 && n > 0, "%d %zu", brokers, n);
    cz_topic_infos_free(t, n);
    CZ_CLEANUP(cz_tp_list_done) struct cz_tp_list l = {0};
    for (int i = 0; i < 3; i++)
        cz_tp_list_add(&l, topic, i, i == 2 ? cz_wall_ms() : CZ_OFFSET_LATEST);
    cz_tp_list_add(&l, "no-such-topic", 0, CZ_OFFSET_EARLIEST);
    cz_time at = cz_now();
    struct cz_error bad = CZ_ERROR_INIT;
    enum cz_err code = cz_admin_list_offsets(admin, &l, true, cz_deadline_ms(5000), &bad);
    printf("list offsets: %s %s in %.0f ms; codes", cz_err_name(code), bad.text, ms_since(at));
    for (size_t i = 0; i < l.len; i++)
        printf(" %s=%" PRId64, cz_err_name(l.items[i].code), l.items[i].offset);
    printf("\n");
    CHECK(code == CZ_OK && l.items[2].offset == 0 && l.items[3].code == CZ_E_NOT_FOUND, "wrong");
    l.len = 3; /* the fourth string is ours to free */
    cz_free(CZ_UNCONST(l.items[3].topic));
    char *g = cz_strf("%s.g", group);
    OK(cz_admin_group_offsets(admin, g, &l, cz_deadline_ms(15000), &err));
    CHECK(l.items[0].offset == -1 && l.items[2].offset == -1, "never committed");
    for (int i = 0; i < 3; i++)
        l.items[i].offset = 40 + i;
    OK(cz_admin_commit(admin, g, &l, cz_deadline_ms(5000), &err));
    for (int i = 0; i < 3; i++)
        l.items[i].offset = 0;
    OK(cz_admin_group_offsets(admin, g, &l, cz_deadline_ms(5000), &err));
    CHECK(l.items[0].offset == 40 && l.items[2].offset == 42, "%" PRId64, l.items[0].offset);
    at = cz_now();
    for (int i = 0; i < 500; i++) {
        char name[100];
        snprintf(name, sizeof(name), "%s.g%d", group, i);
        cz_admin_commit_async(admin, name, &l, 30000, on_commit, NULL);
    }
    WAIT(commits_done == 500, 40000);
    printf("500 groups committed in %.0f ms, %d failed\n", ms_since(at), commits_failed);
    CHECK(commits_failed == 0, "%d", commits_failed);
    OK(cz_admin_delete_group(admin, g, cz_deadline_ms(5000), &err));
    OK(cz_admin_delete_group(admin, g, cz_deadline_ms(5000), &err));
    OK(cz_admin_group_offsets(admin, g, &l, cz_deadline_ms(5000), &err));
    CHECK(l.items[0].offset == -1, "deleted");
    OK(cz_admin_delete_topic(admin, topic, cz_deadline_ms(5000), &err));
    code = cz_admin_delete_topic(admin, "no-such-topic", cz_deadline_ms(5000), NULL);
    CHECK(code == CZ_E_NOT_FOUND, "%s", cz_err_name(code));
    cz_free(topic);
    cz_free(g);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } scenarios[] = {{"publish", scenario_publish}, {"recreate", scenario_recreate},
                     {"status", scenario_status},   {"outage", scenario_outage},
                     {"admin", scenario_admin}};
    char uid[CZ_UID_SIZE];
    cz_json_init();
    cz_log_init(getenv("CITIZENK_DEBUG") ? CZ_LOG_DEBUG : CZ_LOG_WARN, false);
    if (argc != 3)
        return 2;
    snprintf(group, sizeof(group), "real-%s-%.8s", argv[2], cz_uid(uid));
    OK(cz_cluster_from_bootstrap(argv[1], NULL, &cluster, &err));
    OK(cz_admin_new(cluster, "channel-real", &admin, &err));
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++) {
        if (strcmp(argv[2], scenarios[i].name) != 0)
            continue;
        scenarios[i].run();
        cz_admin_free(admin);
        cz_cluster_unref(cluster);
        printf("ok %s\n", argv[2]);
        return 0;
    }
    return 2;
}
