/* SPDX-License-Identifier: Apache-2.0 */
/* Exactly once in a lane: what is written when, and what comes of a transaction that fails.  The mock
 * cluster keeps what was aborted, so "once" is judged against real brokers (tests/integration). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "lane_world.h"

enum { END_TXN = 26, TOO_LARGE = 10, FENCED = 47, FORBIDDEN = 29 };

/* The last position on "pos". */
struct last {
    int n;
    long long offset, generation;
};
static void on_position(void *arg, int64_t offset, const char *key, size_t key_len, const char *value,
                        size_t len, const char *stage)
{
    struct last *last = arg;
    (void)offset;
    (void)stage;
    struct cz_offset_record r = {0};
    struct cz_error err = CZ_ERROR_INIT;
    assert_int_equal(key_len, 8);
    assert_memory_equal(key, "uid/in/0", 8);
    assert_int_equal(cz_offset_record_parse((struct cz_slice){value, len}, false, &r, &err), CZ_OK);
    assert_string_equal(r.writer, "me");
    last->n++;
    last->offset = r.offset;
    last->generation = r.position.generation;
    cz_free(r.writer);
}

static struct last position_of(struct world *w)
{
    struct last last = {.offset = -1};
    mock_read(w->target, "pos", 0, on_position, &last);
    return last;
}

static void wait_sent(struct world *w, int64_t n)
{
    for (int i = 0; mock_count(w->target, "out", 0) < n; i++) {
        assert_true(i < 1000);
        nap_ms(10);
    }
}

static void test_positions_go_with_the_records(void **state)
{
    struct world *w = *state;
    world_exact(w, 50);
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 0, 500);
    struct cz_task *t = add_task(w, &(struct wish){.partitions = 1});
    wait_position(t, 0, 500);
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 500, 10);
    wait_position(t, 0, 510);
    remove_task(w, t);
    struct last last = position_of(w);
    assert_int_equal(last.offset, 510);
    assert_int_equal(last.generation, 7);
    assert_in_range(last.n, 2, 20);
    assert_int_equal(committed(w, 0), 510);
    struct expect e = {.format = "{\"n\":%d}", .step = 1};
    mock_read(w->target, "out", 0, check_record, &e);
    assert_int_equal(e.n, 510);
}

/* What others see moves with the commit, and a removal commits what is under way. */
static void test_nothing_is_told_before_the_commit(void **state)
{
    struct world *w = *state;
    world_exact(w, 60000);
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 0, 50);
    struct cz_task *t = add_task(w, &(struct wish){.partitions = 1});
    wait_sent(w, 50);
    nap_ms(600); /* some snapshots later */
    assert_int_equal(counters(t, 0).out, 0);
    assert_int_equal(counters(t, 0).position, 0);
    assert_int_equal(mock_count(w->target, "pos", 0), 0);
    remove_task(w, t);
    assert_int_equal(position_of(w).offset, 50);
    assert_int_equal(committed(w, 0), 50);
}

static void test_refused_record_is_remembered(void **state)
{
    struct world *w = *state;
    world_exact(w, 50);
    struct cz_task *t = add_task(w, &(struct wish){.partitions = 1, .on_error = CZ_ON_ERROR_DEAD_LETTER});
    mock_produce_errors(w->target, TOO_LARGE, 1);
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 0, 1);
    wait_position(t, 0, 1);
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 1, 20);
    wait_position(t, 0, 21);
    assert_int_equal(counters(t, 0).out, 20);
    assert_int_equal(counters(t, 0).dropped[CZ_DROP_DEAD_LETTER], 1);
    remove_task(w, t);
    struct expect dead = {.format = "{\"n\":%d}", .step = 1, .stage = "send"};
    mock_read(w->target, "dead", 0, check_record, &dead);
    assert_int_equal(dead.n, 1);
    assert_int_equal(w->failed_n, 0);
}

static void test_refused_record_stops(void **state)
{
    struct world *w = *state;
    world_exact(w, 50);
    struct cz_task *t = add_task(w, &(struct wish){.partitions = 1, .on_error = CZ_ON_ERROR_STOP});
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 0, 5);
    wait_position(t, 0, 5);
    mock_produce_errors(w->target, TOO_LARGE, 1);
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 5, 1);
    assert_true(wait_count(w, &w->failed_n, 1, 15000));
    assert_int_equal(w->error.flags & CZ_ERR_RETRIABLE, 0);
    assert_non_null(strstr(w->error.text, "offset 5"));
    remove_task(w, t);
    assert_int_equal(position_of(w).offset, 5);
}

/* Aborted: read again from the last commit, counted once. */
static void test_aborted_and_rewound(void **state)
{
    struct world *w = *state;
    world_exact(w, 100);
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 0, 10);
    struct cz_task *t = add_task(w, &(struct wish){.partitions = 1});
    wait_position(t, 0, 10);
    mock_produce_errors(w->target, FORBIDDEN, 1);
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 10, 10);
    wait_position(t, 0, 20);
    assert_int_equal(counters(t, 0).in, 20);
    assert_int_equal(counters(t, 0).out, 20);
    assert_int_equal(w->failed_n, 0);
    remove_task(w, t);
    assert_int_equal(position_of(w).offset, 20);
}

static void test_fenced_at_the_commit(void **state)
{
    struct world *w = *state;
    world_exact(w, 50);
    mock_errors(w->target, END_TXN, FENCED, 1);
    struct cz_task *t = add_task(w, &(struct wish){.partitions = 1});
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 0, 10);
    assert_true(wait_count(w, &w->failed_n, 1, 15000));
    assert_true(w->error.flags & CZ_ERR_RETRIABLE);
    assert_int_equal(counters(t, 0).position, 0);
    remove_task(w, t);
    assert_int_equal(committed(w, 0), -1);
}

static void test_lease_lost_in_a_transaction(void **state)
{
    struct world *w = *state;
    world_exact(w, 60000);
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 0, 10);
    struct cz_task *t = add_task(w, &(struct wish){.partitions = 1});
    wait_sent(w, 10);
    atomic_store(&w->lease_until, 0);
    assert_true(wait_count(w, &w->failed_n, 1, 15000));
    assert_int_equal(w->error.code, CZ_E_FENCED);
    remove_task(w, t);
    assert_int_equal(mock_count(w->target, "pos", 0), 0);
    assert_int_equal(committed(w, 0), -1);
}

/* Drops alone make a transaction too, and an end is reached with its commit only. */
static void test_filtered_to_its_end(void **state)
{
    struct world *w = *state;
    world_exact(w, 50);
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 0, 50);
    struct cz_task *t = add_task(w, &(struct wish){.partitions = 1, .end = 30, .filter = "value.n < `0`"});
    assert_true(wait_count(w, &w->finished_n, 1, 15000));
    assert_int_equal(position_of(w).offset, 30);
    assert_int_equal(counters(t, 0).dropped[CZ_DROP_FILTER], 30);
    remove_task(w, t);
    assert_int_equal(mock_count(w->target, "out", 0), 0);
}

#define TXN_TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
int main(void)
{
    cz_json_init();
    const struct CMUnitTest tests[] = {
        TXN_TEST(test_positions_go_with_the_records),
        TXN_TEST(test_nothing_is_told_before_the_commit),
        TXN_TEST(test_refused_record_is_remembered),
        TXN_TEST(test_refused_record_stops),
        TXN_TEST(test_aborted_and_rewound),
        TXN_TEST(test_fenced_at_the_commit),
        TXN_TEST(test_lease_lost_in_a_transaction),
        TXN_TEST(test_filtered_to_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
