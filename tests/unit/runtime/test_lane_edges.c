/* SPDX-License-Identifier: Apache-2.0 */
/* A lane at its edges: what one task suffers must not reach the others, bounds of memory, positions
 * over rewinds, records of unusual form, and producers that die. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "lane_world.h"

/* Retention has passed the position of one task; its neighbour on the same partition goes on. */
static void test_truncation_fails_only_who_lost(void **state)
{
    struct world *w = *state;
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 0, 100);
    mock_cut(w->source, "in", 0, 50);
    struct cz_task *b = add_task(w, &(struct wish){.partitions = 1, .start = 80, .group = "b"});
    wait_position(b, 0, 100);
    struct cz_task *a = add_task(w, &(struct wish){.partitions = 1, .start = 10, .group = "a"});
    assert_true(wait_count(w, &w->failed_n, 1, 10000));
    assert_ptr_equal(w->failed[0], a);
    assert_int_equal(w->error.code, CZ_E_CONFLICT);
    assert_int_equal(w->gap_n, 1);
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 100, 50);
    wait_position(b, 0, 150);
    assert_int_equal(w->failed_n, 1);
    assert_int_equal(counters(b, 0).in, 70);
    remove_task(w, a);
    remove_task(w, b);
    assert_int_equal(committed_by(w, "a", 0), -1);
}

static void send_forms(struct world *w)
{
    mock_send(w->source, "in", 0, NULL, 0, "v", 1, NULL);
    mock_send(w->source, "in", 0, "", 0, "v", 1, NULL);
    mock_send(w->source, "in", 0, "k", 1, NULL, 0, "tomb");
    mock_send(w->source, "in", 0, "k", 1, "", 0, NULL);
    mock_send(w->source, "in", 0, "\0\xff", 2, "\0\xfe\n", 3, "x");
}

struct forms {
    int n;
};
static void check_form(void *arg, int64_t offset, const char *key, size_t key_len, const char *value,
                       size_t len, const char *stage)
{
    struct forms *f = arg;
    static const struct {
        bool null_key, null_value;
        size_t key_len, len;
    } WANT[] = {{true, false, 0, 1}, {false, false, 0, 1}, {false, true, 1, 0}, {false, false, 1, 0}, {false, false, 2, 3}};
    (void)offset;
    (void)stage;
    assert_in_range(f->n, 0, 4);
    assert_int_equal(key == NULL, WANT[f->n].null_key);
    assert_int_equal(value == NULL, WANT[f->n].null_value);
    assert_int_equal(key_len, WANT[f->n].key_len);
    assert_int_equal(len, WANT[f->n].len);
    f->n++;
}

/* Null and empty are two things; bytes are bytes; headers come along, also for a tombstone. */
static void test_forms_are_kept(void **state)
{
    struct world *w = *state;
    send_forms(w);
    struct cz_task *t = add_task(w, &(struct wish){.partitions = 1});
    wait_position(t, 0, 5);
    remove_task(w, t);
    struct forms f = {0};
    mock_read(w->target, "out", 0, check_form, &f);
    assert_int_equal(f.n, 5);
    char h[64];
    assert_true(mock_header(w->target, "out", 0, 2, h));
    assert_string_equal(h, "tomb");
    assert_false(mock_header(w->target, "out", 0, 3, h));
}

/* The same when several tasks hold the record: its headers are copied, not moved. */
static void test_shared_records_keep_their_headers(void **state)
{
    struct world *w = *state;
    struct cz_task *a = add_task(w, &(struct wish){.partitions = 1, .group = "a"});
    struct cz_task *b = add_task(w, &(struct wish){.partitions = 1, .group = "b"});
    send_forms(w);
    wait_position(a, 0, 5);
    wait_position(b, 0, 5);
    remove_task(w, a);
    remove_task(w, b);
    char h[64];
    assert_int_equal(mock_count(w->target, "out", 0), 10);
    int with = 0;
    for (int i = 0; i < 10; i++)
        with += mock_header(w->target, "out", 0, i, h);
    assert_int_equal(with, 4);
}

/* A refused record goes to the dead letters as it was, with its own headers. */
static void test_dead_letter_keeps_headers(void **state)
{
    struct world *w = *state;
    char h[64];
    mock_produce_errors(w->target, 10 /* MSG_SIZE_TOO_LARGE */, 1);
    mock_send(w->source, "in", 0, "k", 1, "v", 1, "mine");
    struct cz_task *t = add_task(w, &(struct wish){.partitions = 1, .on_error = CZ_ON_ERROR_DEAD_LETTER});
    wait_position(t, 0, 1);
    remove_task(w, t);
    assert_true(mock_header(w->target, "dead", 0, 0, h));
    assert_string_equal(h, "mine");
}

/* A dead producer is nobody's fault: the task may be started again by itself, on another one. */
static void test_fatal_producer_is_retriable(void **state)
{
    struct world *w = *state;
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 0, 10);
    struct cz_task *t = add_task(w, &(struct wish){.partitions = 1});
    wait_position(t, 0, 10);
    mock_make_fatal(w->producer);
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 10, 10);
    assert_true(wait_count(w, &w->failed_n, 1, 20000));
    assert_true(cz_producer_dead(w->producer));
    assert_true(w->error.flags & CZ_ERR_RETRIABLE);
    remove_task(w, t);
    assert_int_equal(committed(w, 0), 10);
}

/* While the target is away records are copied, so that fetched batches are let go; all come. */
static void test_big_records_through_an_outage(void **state)
{
    struct world *w = *state;
    enum { SIZE = 20000, N = 200 }; /* the mock broker keeps 5 MiB */
    struct cz_task *t = add_task(w, &(struct wish){.partitions = 1, .filter = "value.n != `7`"});
    mock_fill_big(w->source, "in", 0, SIZE, 0, 5);
    wait_position(t, 0, 5);
    mock_down(w->target, true);
    for (int n = 5; n < N; n += 39) {
        mock_fill_big(w->source, "in", 0, SIZE, n, 39);
        nap_ms(200);
    }
    mock_down(w->target, false);
    wait_position(t, 0, N);
    assert_int_equal(counters(t, 0).out, N - 1);
    assert_int_equal(counters(t, 0).in, N);
    assert_in_range(counters(t, 0).bytes_out, (uint64_t)SIZE * (N - 1), (uint64_t)(SIZE + 100) * N);
    remove_task(w, t);
}

/* What is counted as sent is what was sent, not what was read. */
static void test_bytes_out_of_mapped_values(void **state)
{
    struct world *w = *state;
    mock_send(w->source, "in", 0, "k", 1, "{\"a\":1}", 7, NULL);
    struct cz_task *t = add_task(w, &(struct wish){.partitions = 1, .value_map = "{\"value.a\":{\"1\":\"long text\"}}"});
    wait_position(t, 0, 1);
    assert_int_equal(counters(t, 0).bytes_in, 8);
    assert_int_equal(counters(t, 0).bytes_out, 1 + 17);
    remove_task(w, t);
}

/* Tasks come, go and fall behind on a shared partition: nobody misses a record, nobody takes one twice. */
static void test_no_gap_over_rewinds(void **state)
{
    struct world *w = *state;
    struct cz_task *a = add_task(w, &(struct wish){.partitions = 2, .group = "a"});
    int64_t end = 0;
    for (int round = 0; round < 12; round++) {
        mock_fill(w->source, "in", 0, "{\"n\":%d}", (int)end, 4000);
        mock_fill(w->source, "in", 1, "{\"n\":%d}", (int)end, 4000);
        end += 4000;
        mock_down(w->target, round % 3 == 1);
        struct cz_task *b = add_task(w, &(struct wish){.partitions = 2, .start = end / 2, .group = "b"});
        nap_ms(round * 23 % 150);
        struct cz_task *c = add_task(w, &(struct wish){.partitions = 2, .start = end / 3, .group = "c"});
        nap_ms(round * 31 % 250);
        mock_down(w->target, false);
        remove_task(w, c);
        wait_position(b, 0, end);
        wait_position(b, 1, end);
        assert_int_equal(counters(b, 0).in, end - end / 2);
        assert_int_equal(counters(b, 1).in, end - end / 2);
        remove_task(w, b);
        w->removed_n = 0;
    }
    wait_position(a, 0, end);
    wait_position(a, 1, end);
    assert_int_equal(counters(a, 0).in, end);
    assert_int_equal(counters(a, 1).in, end);
    remove_task(w, a);
    assert_int_equal(committed_by(w, "a", 0), end);
}

/* A bounded task takes what is before its end and no more, tells once, and a neighbour on the same
 * reader goes on; one that starts at its end reads nothing. */
static void test_bounded_task_finishes(void **state)
{
    struct world *w = *state;
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 0, 1000);
    mock_fill(w->source, "in", 1, "{\"n\":%d}", 0, 600);
    struct cz_task *free_ = add_task(w, &(struct wish){.partitions = 1, .group = "free", .filter = "value.n < `0`"});
    struct cz_task *t = add_task(w, &(struct wish){.partitions = 2, .end = 700, .group = "b"});
    wait_position(t, 0, 700);
    wait_position(t, 1, 600);
    assert_int_equal(w->finished_n, 0); /* partition 1 is not there yet */
    mock_fill(w->source, "in", 1, "{\"n\":%d}", 600, 200);
    assert_true(wait_count(w, &w->finished_n, 1, 20000));
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 1000, 10);
    wait_position(free_, 0, 1010);
    remove_task(w, t);
    assert_int_equal(committed_by(w, "b", 0), 700);
    assert_int_equal(committed_by(w, "b", 1), 700);
    struct expect e = {.format = "{\"n\":%d}", .step = 1};
    mock_read(w->target, "out", 0, check_record, &e);
    assert_int_equal(e.n, 700);
    struct cz_task *again = add_task(w, &(struct wish){.partitions = 2, .start = 700, .end = 700, .group = "b"});
    assert_true(wait_count(w, &w->finished_n, 2, 20000));
    assert_int_equal(counters(again, 0).in, 0);
    remove_task(w, again);
    remove_task(w, free_);
    assert_int_equal(w->failed_n, 0);
    assert_int_equal(w->finished_n, 2);
    assert_int_equal(mock_count(w->target, "out", 1), 700);
}

/* An end that is still to come: the first record of that time stops the cursor, for good. */
static void test_until_a_time(void **state)
{
    struct world *w = *state;
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 0, 100);
    nap_ms(20);
    int64_t until = cz_wall_ms();
    nap_ms(20);
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 100, 50);
    struct cz_task *t = add_task(w, &(struct wish){.partitions = 1, .until_ms = until, .missing = 5});
    assert_true(wait_count(w, &w->finished_n, 1, 20000));
    remove_task(w, t);
    assert_int_equal(committed(w, 0), 100);
    assert_int_equal(mock_count(w->target, "out", 0), 100);
    struct cz_task *idle = add_task(w, &(struct wish){.partitions = 1, .start = 150, .until_ms = INT64_MAX,
                                                      .group = "idle", .missing = 5});
    assert_int_equal(counters(idle, 0).dropped[CZ_DROP_GAP], 5);
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 150, 10);
    wait_position(idle, 0, 160);
    remove_task(w, idle);
    assert_int_equal(w->finished_n, 1);
}

/* A task is held to its share of the rate while its neighbour on the same reader is not, makes up for
 * what it did not use, and goes on at once when the cap is lifted; nothing is lost or twice. */
static void test_rate(void **state)
{
    struct world *w = *state;
    struct wish slow = {.partitions = 1, .group = "slow", .rate = {.cap = {.records = 400}, .burst_s = 1},
                        .rate_share = 2};
    struct cz_task *t = add_task(w, &slow);
    struct cz_task *fast = add_task(w, &(struct wish){.partitions = 2, .group = "fast", .filter = "value.n < `0`"});
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 0, 20000);
    cz_time began = cz_now();
    wait_position(fast, 0, 20000);
    assert_in_range(counters(t, 0).out, 0, 200 * ((cz_now() - began) / CZ_SEC + 2));
    int64_t before = counters(t, 0).out;
    began = cz_now();
    nap_ms(3000);
    int64_t some = counters(t, 0).out - before;
    int64_t seconds10 = (cz_now() - began) * 10 / CZ_SEC;
    assert_in_range(some, 20 * (seconds10 - 12), 20 * (seconds10 + 12)); /* the counters lag, it goes in steps */
    struct cz_task_counters c = {0};
    cz_task_counters(t, &c);
    assert_in_range(c.held_ms, 1500, INT64_MAX);
    assert_true(c.held);
    cz_free(c.partitions);
    slow.rate.cap.records = 0;
    struct cz_task_settings s = world_settings(w, &slow);
    cz_lane_update(w->lane, t, &s);
    wait_position(t, 0, 20000);
    remove_task(w, t);
    remove_task(w, fast);
    struct expect e = {.format = "{\"n\":%d}", .step = 1};
    mock_read(w->target, "out", 0, check_record, &e);
    assert_int_equal(e.n, 20000);
}

#define LANE_TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
int main(void)
{
    cz_json_init();
    const struct CMUnitTest tests[] = {
        LANE_TEST(test_truncation_fails_only_who_lost),
        LANE_TEST(test_forms_are_kept),
        LANE_TEST(test_shared_records_keep_their_headers),
        LANE_TEST(test_dead_letter_keeps_headers),
        LANE_TEST(test_fatal_producer_is_retriable),
        LANE_TEST(test_big_records_through_an_outage),
        LANE_TEST(test_bytes_out_of_mapped_values),
        LANE_TEST(test_no_gap_over_rewinds),
        LANE_TEST(test_bounded_task_finishes),
        LANE_TEST(test_until_a_time),
        LANE_TEST(test_rate),
    };
    cmocka_set_test_filter(getenv("CZ_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
