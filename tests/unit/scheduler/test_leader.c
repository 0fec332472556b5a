/* SPDX-License-Identifier: Apache-2.0 */
/* The leader's loop on the store in memory and a control cluster in memory: what reaches the
 * config topic, in which order, once; fencing, healing, poison, workers, partitions,
 * conditions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/log.h"
#include "fake.h"

struct world {
    struct fake_kafka kafka;
    struct cz_store *store;
    struct cz_cluster *control;
    struct cz_status_view *status;
    struct cz_scheduler *s[2];
    int64_t clock_ms;
};

/* ---- helpers --------------------------------------------------------------------------------
 */

#define EVENTUALLY(cond)                                                                       \
    do {                                                                                       \
        cz_time until_ = cz_deadline_ms(8000);                                                 \
        while (!(cond) && cz_now() < until_)                                                   \
            nap(10);                                                                           \
        assert_true(cond);                                                                     \
    } while (0)

static void nap(int ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000L};
    nanosleep(&t, NULL);
}

static void start(struct world *w, int i, const char *name)
{
    struct cz_scheduler_options o = {.store = w->store,
                                     .control = w->control,
                                     .status = w->status,
                                     .group_id = "t",
                                     .instance = name,
                                     .lease_ms = 600,
                                     .metadata_interval_ms = 100};
    w->s[i] = cz__scheduler_make(&o, fake_topics, &w->kafka);
    w->s[i]->verify_ms = 200;
    w->s[i]->bus = fake_bus(&w->kafka, &w->s[i]->view);
    cz__scheduler_run(w->s[i]);
}

static bool leads(struct world *w, int i)
{
    struct cz_scheduler_state st;
    cz_scheduler_get_state(w->s[i], &st);
    return st.leader;
}

static int64_t published(struct world *w, int i)
{
    struct cz_scheduler_state st;
    cz_scheduler_get_state(w->s[i], &st);
    return st.published;
}

static int setup(void **state)
{
    struct world *w = cz_alloc(sizeof(*w));
    cz_log_set_level(CZ_LOG_ERROR);
    fake_init(&w->kafka);
    w->store = cz_store_memory_new();
    assert_int_equal(cz_cluster_from_bootstrap("127.0.0.1:1", NULL, &w->control, NULL), CZ_OK);
    assert_int_equal(cz_status_view_new(NULL, "t", &w->status, NULL), CZ_OK);
    assert_true(cz_status_view_ready(w->status));
    start(w, 0, "one");
    EVENTUALLY(leads(w, 0));
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    cz_scheduler_free(w->s[0]);
    cz_scheduler_free(w->s[1]);
    cz_status_view_free(w->status);
    cz_store_free(w->store);
    cz_cluster_unref(w->control);
    fake_done(&w->kafka);
    cz_free(w);
    return 0;
}

struct put {
    const char *key[2];
    json_t *value[2]; /* taken */
    const char *name; /* object touched, so that there is a change */
    int n;
};

static enum cz_err put_fn(struct cz_tx *tx, void *arg, struct cz_error *err)
{
    struct put *p = arg;
    json_t *doc = json_pack("{s:{s:I}}", "spec", "n", (json_int_t)cz_tx_seq(tx));
    enum cz_err rc = cz_tx_put(tx, "default", CZ_KIND_MAPPING, p->name, doc, NULL, NULL,
                               CZ_OP_UPDATE, NULL, err);
    json_decref(doc);
    for (int i = 0; i < p->n && rc == CZ_OK; i++)
        rc = cz_tx_publish(tx, p->key[i], p->value[i], err);
    return rc;
}

static int64_t change(struct world *w, struct put *p)
{
    struct cz_change_meta meta = {
        .team = "default", .actor = "t", .via = "api", .action = "mapping.update"};
    struct cz_error err = CZ_ERROR_INIT;
    int64_t seq = 0;
    if (cz_store_write(w->store, &meta, false, put_fn, p, &seq, &err) != CZ_OK)
        fail_msg("%s", err.text);
    for (int i = 0; i < p->n; i++)
        json_decref(p->value[i]);
    return seq;
}

static json_t *cluster_json(void)
{
    return json_pack("{s:s, s:s, s:{s:s}}", "team", "default", "name", "source", "spec",
                     "bootstrap_servers", "127.0.0.1:1");
}

static json_t *mapping_json(const char *uid, const char *topic, int mark)
{
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:{s:i, s:{s:s}, s:{s:s}, s:[{s:s, s:s}], s:s}}", "uid", uid,
        "team", "default", "name", uid, "generation", "1", "state", "RUNNING", "spec", "mark",
        mark, "source", "cluster", "source", "target", "cluster", "source", "topics", "source",
        topic, "target", "out", "tasks", "auto");
}

/* A mapping on @topic, with the cluster it reads. */
static int64_t add_mapping(struct world *w, const char *uid, const char *topic, int mark)
{
    char key[64];
    snprintf(key, sizeof(key), "mapping/%s", uid);
    struct put p = {.key = {"cluster/default/source", key},
                    .value = {cluster_json(), mapping_json(uid, topic, mark)},
                    .name = uid,
                    .n = 2};
    return change(w, &p);
}

static void worker(struct world *w, const char *id, bool here)
{
    char key[64];
    snprintf(key, sizeof(key), "worker/%s", id);
    json_t *v =
        here ? json_pack("{s:i, s:s, s:s, s:s, s:i, s:i, s:s}", "v", 1, "id", id, "incarnation",
                         id, "host", "h", "lease_ms", 600000, "capacity", 0, "applied", "0")
             : NULL;
    struct cz_channel_record r = {.key = key, .value = v, .timestamp_ms = cz_wall_ms()};
    cz_status_view_feed(w->status, &r);
    json_decref(v);
}

/* Who runs task @n of @uid; cz_free. */
static char *runner(struct world *w, const char *uid, size_t n)
{
    char key[64];
    snprintf(key, sizeof(key), "assignment/%s", uid);
    json_t *a = fake_get(&w->kafka, key, NULL);
    char *id =
        cz_strdup(cz_json_str(json_array_get(json_object_get(a, "tasks"), n), "worker", NULL));
    json_decref(a);
    return id;
}

static bool runs(struct world *w, const char *uid, const char *id)
{
    char *r = runner(w, uid, 0);
    bool same = r && strcmp(r, id) == 0;
    cz_free(r);
    return same;
}

static int mark_of(struct world *w, const char *key)
{
    json_t *v = fake_get(&w->kafka, key, NULL);
    int mark = (int)cz_json_int(json_object_get(v, "spec"), "mark", -1);
    json_decref(v);
    return mark;
}

/* ---- tests ----------------------------------------------------------------------------------
 */

static void test_publishes_and_assigns(void **state)
{
    struct world *w = *state;
    fake_topic(&w->kafka, "orders", 4);
    fake_topic(&w->kafka, "out", 4);
    worker(w, "w1", true);
    int64_t seq = add_mapping(w, "u1", "orders", 1);
    EVENTUALLY(published(w, 0) >= seq);
    assert_int_equal(mark_of(w, "mapping/u1"), 1);
    int64_t revision = 0;
    json_decref(fake_get(&w->kafka, "mapping/u1", &revision));
    assert_int_equal(revision, seq);
    EVENTUALLY(runs(w, "u1", "w1"));
    struct cz_mapping_view v;
    assert_true(cz_scheduler_mapping(w->s[0], "u1", &v));
    assert_int_equal(v.topics_exist, CZ_COND_TRUE);
    assert_int_equal(v.assigned, CZ_COND_TRUE);
    assert_int_equal(v.partitions, 4);
    struct put del = {.key = {"mapping/u1"}, .value = {NULL}, .name = "u1", .n = 1};
    seq = change(w, &del);
    EVENTUALLY(mark_of(w, "mapping/u1") == -1);
    assert_null(fake_get(&w->kafka, "assignment/u1", NULL)); /* in the same transaction */
    json_decref(fake_get(&w->kafka, "settings", &revision));
    assert_int_equal(revision, seq); /* tombstones cannot tell it: so that workers can acknowledge it */
    assert_false(cz_scheduler_mapping(w->s[0], "u1", &v));
}

static void test_identical_write_is_a_noop(void **state)
{
    struct world *w = *state;
    add_mapping(w, "u1", "orders", 1);
    int64_t seq = add_mapping(w, "u1", "orders", 1);
    EVENTUALLY(published(w, 0) >= seq);
    assert_int_equal(fake_count(&w->kafka, "mapping/u1"), 1);
    assert_int_equal(fake_count(&w->kafka, "cluster/default/source"), 1);
    int64_t revision = 0;
    json_decref(fake_get(&w->kafka, "settings", &revision));
    assert_int_equal(revision, seq); /* so that workers can acknowledge it */
    add_mapping(w, "u1", "orders", 2);
    seq = add_mapping(w, "u1", "orders", 1); /* there and back: not a no-op */
    EVENTUALLY(published(w, 0) >= seq);
    assert_int_equal(mark_of(w, "mapping/u1"), 1);
}

static void test_order(void **state)
{
    struct world *w = *state;
    int64_t seq = 0;
    for (int i = 1; i <= 1500; i++) {
        char uid[16];
        snprintf(uid, sizeof(uid), "u%d", i % 7);
        seq = add_mapping(w, uid, "orders", i);
        if (i % 400 == 0)
            w->kafka.fail_next = 2;
    }
    EVENTUALLY(published(w, 0) >= seq);
    int64_t last = 0;
    int marks[7] = {0};
    for (size_t i = 0; i < w->kafka.len; i++) {
        const struct fake_record *r = &w->kafka.log[i];
        if (strncmp(r->key, "mapping/", 8) != 0)
            continue;
        int mark = (int)cz_json_int(json_object_get(r->value, "spec"), "mark", -1);
        assert_true(r->revision >= last);
        assert_true(mark > marks[mark % 7]);
        last = r->revision;
        marks[mark % 7] = mark;
    }
    for (int i = 0; i < 7; i++)
        assert_true(marks[i] > 1493);
}

static void test_fenced_leader_comes_back(void **state)
{
    struct world *w = *state;
    int64_t seq = add_mapping(w, "u1", "orders", 1);
    EVENTUALLY(published(w, 0) >= seq);
    struct cz_scheduler_state before, after;
    cz_scheduler_get_state(w->s[0], &before);
    w->kafka.gen++; /* somebody else has opened the writer */
    seq = add_mapping(w, "u1", "orders", 2);
    EVENTUALLY(mark_of(w, "mapping/u1") == 2);
    cz_scheduler_get_state(w->s[0], &after);
    assert_true(after.epoch > before.epoch);
    assert_true(w->kafka.log[w->kafka.len - 1].epoch > before.epoch);
}

static void test_second_takes_over(void **state)
{
    struct world *w = *state;
    fake_topic(&w->kafka, "orders", 2);
    worker(w, "w1", true);
    add_mapping(w, "u1", "orders", 1);
    EVENTUALLY(runs(w, "u1", "w1"));
    json_t *a = fake_get(&w->kafka, "assignment/u1", NULL);
    int64_t generation = cz_json_int(a, "generation", 0);
    json_decref(a);
    start(w, 1, "two");
    nap(300);
    assert_false(leads(w, 1));
    size_t len = w->kafka.len;
    cz_scheduler_stop(w->s[0]);
    EVENTUALLY(leads(w, 1));
    nap(400);
    assert_int_equal(w->kafka.len,
                     len + 1); /* the marker: nothing else differs, nothing moves */
    fake_topic(&w->kafka, "orders", 3);
    EVENTUALLY(fake_count(&w->kafka, "assignment/u1") == 2);
    a = fake_get(&w->kafka, "assignment/u1", NULL);
    assert_true(cz_json_int(a, "generation", 0) > generation);
    json_decref(a);
}

static void test_topic_deleted(void **state)
{
    struct world *w = *state;
    fake_topic(&w->kafka, "orders", 2);
    worker(w, "w1", true);
    add_mapping(w, "u1", "orders", 1);
    add_mapping(w, "u2", "orders", 2);
    EVENTUALLY(runs(w, "u1", "w1") && runs(w, "u2", "w1"));
    nap(3200); /* the leader gives the watch time to see a topic it has just made */
    fake_delete_config(&w->kafka);
    EVENTUALLY(w->kafka.exists);
    EVENTUALLY(mark_of(w, "mapping/u1") == 1 && mark_of(w, "mapping/u2") == 2 &&
               runs(w, "u2", "w1"));
    EVENTUALLY(fake_count(&w->kafka, "settings") > 0);
    size_t i = 0;
    while (i < w->kafka.len && strcmp(w->kafka.log[i].key, "settings") != 0)
        i++;
    assert_int_equal(i, 5); /* cluster, 2 mappings, 2 assignments, then the snapshot's end */
    for (size_t k = 0; k <= i; k++)
        assert_int_equal(w->kafka.log[k].txn, w->kafka.log[0].txn);
}

static void test_intruder_is_removed(void **state)
{
    struct world *w = *state;
    add_mapping(w, "u1", "orders", 1);
    EVENTUALLY(mark_of(w, "mapping/u1") == 1);
    fake_intrude(&w->kafka, "mapping/evil",
                 "{\"uid\":\"evil\",\"team\":\"default\",\"spec\":{}}");
    fake_intrude(&w->kafka, "mapping/u1", NULL);
    EVENTUALLY(mark_of(w, "mapping/u1") == 1);
    json_t *evil = fake_get(&w->kafka, "mapping/evil", NULL);
    assert_null(evil);
}

static void test_poison(void **state)
{
    struct world *w = *state;
    w->kafka.too_large = 600;
    json_t *big = mapping_json("u1", "orders", 1);
    char *text = cz_alloc(1000);
    memset(text, 'x', 999);
    json_object_set_new(json_object_get(big, "spec"), "pad", json_string(text));
    struct put p = {.key = {"mapping/u1"}, .value = {big}, .name = "u1", .n = 1};
    change(w, &p);
    cz_free(text);
    int64_t seq = add_mapping(w, "u2", "orders", 2);
    EVENTUALLY(published(w, 0) >= seq);
    assert_int_equal(mark_of(w, "mapping/u2"), 2);
    assert_int_equal(fake_count(&w->kafka, "mapping/u1"), 0);
    struct cz_mapping_view v;
    assert_true(cz_scheduler_mapping(w->s[0], "u1", &v));
    assert_string_equal(v.assigned_reason, "TooLarge");
    size_t len = w->kafka.len;
    nap(1000);
    assert_int_equal(w->kafka.len, len);     /* no storm */
    seq = add_mapping(w, "u1", "orders", 3); /* the next version fits */
    EVENTUALLY(mark_of(w, "mapping/u1") == 3);
    EVENTUALLY(cz_scheduler_mapping(w->s[0], "u1", &v) &&
               strcmp(v.assigned_reason, "TooLarge") != 0);
}

static void test_workers_and_partitions(void **state)
{
    struct world *w = *state;
    struct cz_mapping_view v;
    fake_topic(&w->kafka, "orders", 2);
    add_mapping(w, "u1", "orders", 1);
    add_mapping(w, "u2", "missing", 1);
    EVENTUALLY(cz_scheduler_mapping(w->s[0], "u2", &v) && v.topics_exist == CZ_COND_FALSE);
    assert_string_equal(v.topics_reason, "TopicMissing");
    assert_true(cz_scheduler_mapping(w->s[0], "u1", &v));
    assert_string_equal(v.assigned_reason, "NoWorker");
    worker(w, "w1", true);
    EVENTUALLY(runs(w, "u1", "w1"));
    worker(w, "w2", true);
    nap(500);
    /* Light: it is neither split nor moved. */
    assert_int_equal(fake_count(&w->kafka, "assignment/u1"), 1);
    cz_time t0 = cz_now();
    worker(w, "w1", false);
    EVENTUALLY(runs(w, "u1", "w2"));
    assert_true(cz_now() - t0 < CZ_SEC);
    fake_topic(&w->kafka, "orders", 3);
    EVENTUALLY(cz_scheduler_mapping(w->s[0], "u1", &v) && v.partitions == 3);
    json_t *a = fake_get(&w->kafka, "assignment/u1", NULL);
    json_t *part = json_array_get(
        json_object_get(json_array_get(json_object_get(a, "tasks"), 0), "partitions"), 2);
    assert_int_equal(cz_json_int(part, "partition", -1), 2);
    assert_true(cz_json_bool(part, "from_start", false));
    json_decref(a);
    fake_topic(&w->kafka, "missing", 1); /* created after the mapping: from its beginning */
    EVENTUALLY(cz_scheduler_mapping(w->s[0], "u2", &v) && v.assigned == CZ_COND_TRUE);
    a = fake_get(&w->kafka, "assignment/u2", NULL);
    part = json_array_get(
        json_object_get(json_array_get(json_object_get(a, "tasks"), 0), "partitions"), 0);
    assert_true(cz_json_bool(part, "from_start", false));
    json_decref(a);
}

static void test_broker_away(void **state)
{
    struct world *w = *state;
    w->kafka.down = true;
    int64_t seq = add_mapping(w, "u1", "orders", 1);
    nap(600);
    assert_true(published(w, 0) < seq);
    EVENTUALLY(cz_scheduler_ready(w->s[0], NULL) != CZ_OK);
    w->kafka.down = false;
    EVENTUALLY(published(w, 0) >= seq && mark_of(w, "mapping/u1") == 1);
    EVENTUALLY(cz_scheduler_ready(w->s[0], NULL) == CZ_OK);
    struct cz_buf b = CZ_BUF_INIT(65536);
    cz_scheduler_metrics(w->s[0], &b);
    assert_non_null(strstr(cz_buf_str(&b), "citizenk_leader 1"));
    cz_buf_done(&b);
}

int main(void)
{
    cz_json_init();
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_publishes_and_assigns),
        T(test_identical_write_is_a_noop),
        T(test_order),
        T(test_fenced_leader_comes_back),
        T(test_second_takes_over),
        T(test_topic_deleted),
        T(test_intruder_is_removed),
        T(test_poison),
        T(test_workers_and_partitions),
        T(test_broker_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
