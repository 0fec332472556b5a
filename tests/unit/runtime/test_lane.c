/* SPDX-License-Identifier: Apache-2.0 */
/* Lanes against librdkafka's mock clusters: one as the source, one as the target. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/lane.h"
#include "cz/thread.h"
#include "mock_kafka.h"

struct world {
    struct mock *source, *target;
    struct cz_cluster *from, *to;
    struct cz_admin *admin;
    struct cz_producer *producer;
    struct cz_lane *lane;
    _Atomic int64_t lease_until;
    struct cz_mutex lock;
    struct cz_cond cond;
    struct cz_task *failed[8], *removed[8];
    int failed_n, removed_n;
    struct cz_error error;
};

static void on_event(void *arg, const struct cz_task_event *e)
{
    struct world *w = arg;
    CZ_LOCKED(&w->lock);
    if (e->kind == CZ_TASK_EVENT_FAILED) {
        w->failed[w->failed_n++] = e->task;
        w->error = e->error;
    } else {
        w->removed[w->removed_n++] = e->task;
    }
    cz_cond_broadcast(&w->cond);
}

static int setup(void **state)
{
    struct world *w = cz_alloc(sizeof *w);
    struct cz_error err = CZ_ERROR_INIT;
    w->source = mock_new();
    w->target = mock_new();
    mock_topic(w->source, "in", 2);
    mock_topic(w->target, "out", 2);
    mock_topic(w->target, "dead", 1);
    cz_mutex_init(&w->lock);
    cz_cond_init(&w->cond);
    assert_int_equal(cz_cluster_from_bootstrap(mock_bootstrap(w->source), NULL, &w->from, &err), CZ_OK);
    assert_int_equal(cz_cluster_from_bootstrap(mock_bootstrap(w->target), NULL, &w->to, &err), CZ_OK);
    if (cz_admin_new(w->from, "test", &w->admin, &err))
        fail_msg("%s", err.text);
    const struct cz_producer_options po = {.cluster = w->to, .client_id = "test", .compression = "lz4",
                                           .linger_ms = 1, .delivered = cz_inflight_delivered};
    assert_int_equal(cz_producer_new(&po, &w->producer, &err), CZ_OK);
    atomic_store(&w->lease_until, CZ_TIME_NEVER);
    const struct cz_lane_options lo = {.cluster = w->from, .name = "lane", .group_id = "test",
                                       .read_committed = true, .prefetch_kib = 4096,
                                       .commit_interval_ms = 100, .lease_until = &w->lease_until,
                                       .on_event = on_event, .arg = w};
    assert_int_equal(cz_lane_new(&lo, &w->lane, &err), CZ_OK);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    cz_lane_free(w->lane);
    cz_producer_free(w->producer, cz_deadline_ms(1000));
    cz_admin_free(w->admin);
    cz_cluster_unref(w->from);
    cz_cluster_unref(w->to);
    mock_free(w->source);
    mock_free(w->target);
    cz_mutex_done(&w->lock);
    cz_cond_done(&w->cond);
    cz_free(w);
    return 0;
}

struct wish {
    const char *filter, *value_map;
    enum cz_on_error on_error;
    enum cz_partitioning partitioning;
    int64_t start;
    int partitions;
};

static struct cz_task_settings settings(struct world *w, const struct wish *wish)
{
    struct cz_task_settings s = {.partitioning = wish->partitioning, .on_error = wish->on_error, .generation = 7};
    struct cz_error err = CZ_ERROR_INIT;
    json_t *map = wish->value_map ? json_loads(wish->value_map, 0, NULL) : NULL;
    const struct cz_stages_conf conf = {.filter = wish->filter, .value_map = map};
    assert_int_equal(cz_stages_new(&conf, &s.stages, &err), CZ_OK);
    json_decref(map);
    assert_int_equal(cz_producer_topic(w->producer, "dead", &s.dead_letter, &err), CZ_OK);
    return s;
}

static struct cz_task *add_task(struct world *w, const struct wish *wish)
{
    struct cz_error err = CZ_ERROR_INIT;
    size_t n = (size_t)wish->partitions;
    struct cz_task_partition *parts = cz_alloc_array(n, sizeof *parts);
    for (size_t i = 0; i < n; i++) {
        parts[i] = (struct cz_task_partition){.topic = cz_strdup("in"), .partition = (int32_t)i,
                                              .start = wish->start, .target_partitions = 2};
        assert_int_equal(cz_producer_topic(w->producer, "out", &parts[i].target, &err), CZ_OK);
    }
    const struct cz_task_conf conf = {.label = "t/m/0", .group = "g", .source = w->admin,
                                      .producer = w->producer, .settings = settings(w, wish),
                                      .partitions = parts, .partitions_len = n};
    struct cz_task *t = cz_task_new(&conf);
    cz_lane_add(w->lane, t);
    return t;
}

static struct cz_partition_counters counters(struct cz_task *t, size_t i)
{
    struct cz_task_counters c = {0};
    cz_task_counters(t, &c);
    struct cz_partition_counters n = c.partitions[i];
    cz_free(c.partitions);
    return n;
}

static void wait_position(struct cz_task *t, size_t i, int64_t position)
{
    cz_time deadline = cz_deadline_ms(20000);
    while (counters(t, i).position < position) {
        assert_true(cz_now() < deadline);
        const struct timespec nap = {.tv_nsec = 5000000};
        (void)nanosleep(&nap, NULL);
    }
    assert_int_equal(counters(t, i).position, position);
}

static bool wait_count(struct world *w, const int *count, int want, int ms)
{
    CZ_LOCKED(&w->lock);
    cz_time deadline = cz_deadline_ms(ms);
    while (*count < want) {
        if (!cz_cond_wait(&w->cond, &w->lock, deadline))
            break;
    }
    return *count >= want;
}

static void remove_task(struct world *w, struct cz_task *t)
{
    int before = w->removed_n;
    cz_lane_remove(w->lane, t, cz_deadline_ms(5000));
    assert_true(wait_count(w, &w->removed_n, before + 1, 15000));
    cz_task_free(t);
}

static int64_t committed(struct world *w, int32_t partition)
{
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_tp_list l = {0};
    cz_tp_list_add(&l, "in", partition, -1);
    assert_int_equal(cz_admin_group_offsets(w->admin, "g", &l, cz_deadline_ms(5000), &err), CZ_OK);
    int64_t at = l.items[0].offset;
    cz_tp_list_done(&l);
    return at;
}

/* Values must be "<i>" in order from @next on; dead letters carry their stage. */
struct expect {
    const char *format;
    int next, step, n;
    const char *stage;
};
static void check_record(void *arg, int64_t offset, const char *key, size_t key_len, const char *value,
                         size_t len, const char *stage)
{
    (void)offset;
    struct expect *e = arg;
    char want[512];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    int n = snprintf(want, sizeof want, e->format, e->next);
#pragma GCC diagnostic pop
    assert_int_equal(len, n);
    assert_memory_equal(value, want, len);
    if (e->stage)
        assert_string_equal(stage ? stage : "", e->stage);
    assert_true(key && key_len >= 2);
    e->next += e->step;
    e->n++;
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void test_copies_in_order_and_commits(void **state)
{
    struct world *w = *state;
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 0, 3000);
    mock_fill(w->source, "in", 1, "{\"n\":%d}", 0, 100);
    struct cz_task *t = add_task(w, &(struct wish){.partitions = 2});
    wait_position(t, 0, 3000);
    wait_position(t, 1, 100);
    assert_int_equal(counters(t, 0).in, 3000);
    assert_int_equal(counters(t, 0).out, 3000);
    remove_task(w, t);
    assert_int_equal(committed(w, 0), 3000);
    assert_int_equal(committed(w, 1), 100);
    struct expect e = {.format = "{\"n\":%d}", .step = 1};
    mock_read(w->target, "out", 0, check_record, &e);
    assert_int_equal(e.n, 3000);
}

static void test_filter_counts_and_live_update(void **state)
{
    struct world *w = *state;
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 0, 1000);
    struct cz_task *t = add_task(w, &(struct wish){.partitions = 1, .filter = "value.n >= `600`"});
    wait_position(t, 0, 1000);
    assert_int_equal(counters(t, 0).dropped[CZ_DROP_FILTER], 600);
    assert_int_equal(counters(t, 0).out, 400);
    struct cz_task_settings s = settings(w, &(struct wish){.filter = "value.n < `0`"});
    cz_lane_update(w->lane, t, &s);
    assert_true(cz_lane_barrier(w->lane, cz_deadline_ms(5000)));
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 1000, 10);
    wait_position(t, 0, 1010);
    assert_int_equal(counters(t, 0).out, 400);
    assert_int_equal(counters(t, 0).dropped[CZ_DROP_FILTER], 610);
    remove_task(w, t);
    assert_int_equal(mock_count(w->target, "out", 0), 400);
}

static void fill_with_poison(struct world *w)
{
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 0, 10);
    mock_fill(w->source, "in", 0, "{\"n\":%d", 10, 1);
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 11, 10);
}

static void test_poison_stop(void **state)
{
    struct world *w = *state;
    fill_with_poison(w);
    struct cz_task *t = add_task(w, &(struct wish){.partitions = 1, .filter = "value.n >= `0`"});
    assert_true(wait_count(w, &w->failed_n, 1, 10000));
    assert_non_null(strstr(w->error.text, "in [0] offset 10, stage decode"));
    assert_false(w->error.flags & CZ_ERR_RETRIABLE);
    remove_task(w, t);
    assert_int_equal(committed(w, 0), 10); /* before the poisoned record, and not after */
}

static void test_poison_skip(void **state)
{
    struct world *w = *state;
    fill_with_poison(w);
    struct cz_task *t = add_task(
        w, &(struct wish){.partitions = 1, .filter = "value.n >= `0`", .on_error = CZ_ON_ERROR_SKIP});
    wait_position(t, 0, 21);
    assert_int_equal(counters(t, 0).dropped[CZ_DROP_ERROR], 1);
    assert_int_equal(counters(t, 0).out, 20);
    remove_task(w, t);
}

static void test_poison_dead_letter(void **state)
{
    struct world *w = *state;
    fill_with_poison(w);
    struct cz_task *t = add_task(w, &(struct wish){.partitions = 1, .filter = "value.n >= `0`",
                                                   .on_error = CZ_ON_ERROR_DEAD_LETTER});
    wait_position(t, 0, 21);
    assert_int_equal(counters(t, 0).dropped[CZ_DROP_DEAD_LETTER], 1);
    remove_task(w, t);
    struct expect e = {.format = "{\"n\":%d", .next = 10, .step = 1, .stage = "decode"};
    mock_read(w->target, "dead", 0, check_record, &e);
    assert_int_equal(e.n, 1);
}

static void test_refused_delivery_stops(void **state)
{
    struct world *w = *state;
    mock_produce_errors(w->target, 10 /* MSG_SIZE_TOO_LARGE */, 1);
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 0, 1);
    struct cz_task *t = add_task(w, &(struct wish){.partitions = 1});
    assert_true(wait_count(w, &w->failed_n, 1, 10000));
    remove_task(w, t);
    assert_int_equal(committed(w, 0), -1);
}

static void test_refused_delivery_goes_to_dead_letters(void **state)
{
    struct world *w = *state;
    mock_produce_errors(w->target, 10, 1);
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 0, 1);
    struct cz_task *t = add_task(w, &(struct wish){.partitions = 1, .on_error = CZ_ON_ERROR_DEAD_LETTER});
    wait_position(t, 0, 1);
    assert_int_equal(counters(t, 0).dropped[CZ_DROP_DEAD_LETTER], 1);
    remove_task(w, t);
    assert_int_equal(mock_count(w->target, "dead", 0), 1);
}

static void test_two_tasks_share_a_partition(void **state)
{
    struct world *w = *state;
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 0, 500);
    struct cz_task *a = add_task(w, &(struct wish){.partitions = 1, .start = 400});
    wait_position(a, 0, 500);
    struct cz_task *b = add_task(w, &(struct wish){.partitions = 1, .start = 0}); /* behind a */
    wait_position(b, 0, 500);
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 500, 50);
    wait_position(a, 0, 550);
    wait_position(b, 0, 550);
    assert_int_equal(counters(a, 0).in, 150);
    assert_int_equal(counters(b, 0).in, 550);
    remove_task(w, a);
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 550, 50);
    wait_position(b, 0, 600);
    remove_task(w, b);
    assert_int_equal(mock_count(w->target, "out", 0), 150 + 600);
}

static void test_lease_lost(void **state)
{
    struct world *w = *state;
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 0, 10);
    struct cz_task *t = add_task(w, &(struct wish){.partitions = 1});
    wait_position(t, 0, 10);
    atomic_store(&w->lease_until, 0);
    assert_true(wait_count(w, &w->failed_n, 1, 5000));
    assert_int_equal(w->error.code, CZ_E_FENCED);
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 10, 10);
    remove_task(w, t);
    assert_int_equal(mock_count(w->target, "out", 0), 10);
}

static void test_target_down_then_up(void **state)
{
    struct world *w = *state;
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 0, 10);
    struct cz_task *t = add_task(w, &(struct wish){.partitions = 1});
    wait_position(t, 0, 10);
    mock_down(w->target, true);
    int n = CZ_TASK_BUDGET_RECORDS + 5000;
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 10, n); /* more than the budget: it must lag */
    const struct timespec nap = {.tv_sec = 1};
    (void)nanosleep(&nap, NULL);
    assert_true(counters(t, 0).position < 10 + n);
    mock_down(w->target, false);
    wait_position(t, 0, 10 + n);
    assert_int_equal(counters(t, 0).in, 10 + n);
    remove_task(w, t);
    struct expect e = {.format = "{\"n\":%d}", .step = 1};
    mock_read(w->target, "out", 0, check_record, &e);
    assert_int_equal(e.n, 10 + n); /* each once and in order: idempotent, and no gap at the rewind */
}

static void test_value_map_and_partition(void **state)
{
    struct world *w = *state;
    mock_fill(w->source, "in", 0, "{\"a\":{\"b\":\"v%d\"}, \"x\": 1.50}", 1, 1);
    mock_fill(w->source, "in", 0, "{\"a\":{\"b\":\"v%d\"}}", 2, 1);
    mock_fill(w->source, "in", 0, "{\"a\":{\"b\":\"v%d\"}}", 3, 1);
    struct cz_task *t = add_task(
        w, &(struct wish){.partitions = 1,
                          .value_map = "{\"value.a.b\":{\"v1\":17},\"key:partition\":{\"k1\":1,\"k2\":-1000}}"});
    wait_position(t, 0, 3);
    assert_int_equal(counters(t, 0).dropped[CZ_DROP_PARTITION], 1);
    remove_task(w, t);
    struct expect moved = {.format = "{\"a\":{\"b\":%d}, \"x\": 1.50}", .next = 17, .step = 1};
    mock_read(w->target, "out", 1, check_record, &moved);
    assert_int_equal(moved.n, 1);
    struct expect kept = {.format = "{\"a\":{\"b\":\"v%d\"}}", .next = 3, .step = 1};
    mock_read(w->target, "out", 0, check_record, &kept);
    assert_int_equal(kept.n, 1);
}

#define LANE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    cz_json_init();
    const struct CMUnitTest tests[] = {
        LANE_TEST(test_copies_in_order_and_commits),
        LANE_TEST(test_filter_counts_and_live_update),
        LANE_TEST(test_poison_stop),
        LANE_TEST(test_poison_skip),
        LANE_TEST(test_poison_dead_letter),
        LANE_TEST(test_refused_delivery_stops),
        LANE_TEST(test_refused_delivery_goes_to_dead_letters),
        LANE_TEST(test_two_tasks_share_a_partition),
        LANE_TEST(test_lease_lost),
        LANE_TEST(test_target_down_then_up),
        LANE_TEST(test_value_map_and_partition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
