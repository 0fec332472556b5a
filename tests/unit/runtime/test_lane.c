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
#include "lane_world.h"

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
    struct cz_task_settings s = world_settings(w, &(struct wish){.filter = "value.n < `0`"});
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

#define LANE_TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
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
