/* SPDX-License-Identifier: Apache-2.0 */
/* The tracker against a plain model: whatever the order of pushes, drops and deliveries, the
 * position is the end of the contiguous run that is done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cz/lane.h"
#include "tracker.h"

enum { N = 3000 };

/* A small generator of our own, so that a failing seed can be run again. */
static uint32_t next_random(uint32_t *s)
{
    *s = *s * 1664525u + 1013904223u;
    return *s >> 8;
}

static void deliver(struct cz_inflight *e)
{
    const struct cz_delivery d = {.opaque = e};
    cz_inflight_delivered(&d);
}

static void sweep(struct cz_tracker *t)
{
    struct cz_inflight *e;
    while ((e = cz_tracker_front(t)) && atomic_load(&e->state) == CZ_INFLIGHT_DELIVERED)
        cz_tracker_pop(t, true);
}

static int64_t model_position(const bool *done, int64_t pushed)
{
    int64_t p = 0;
    while (p < pushed && done[p])
        p++;
    return p;
}

static void test_random(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 50; seed++) {
        static struct cz_inflight *entry[N];
        static bool done[N];
        uint32_t r = seed;
        struct cz_tracker t;
        int64_t pushed = 0;
        cz_tracker_init(&t, 0);
        for (int i = 0; i < N; i++) {
            entry[i] = NULL;
            done[i] = false;
        }
        for (int step = 0; step < 4 * N; step++) {
            uint32_t what = next_random(&r) % 10;
            if (what < 4 && pushed < N) {
                entry[pushed] = cz_tracker_push(&t, pushed);
                if (next_random(&r) % 20 == 0)
                    cz_tracker_unpush(&t);
                else
                    pushed++;
            } else if (what < 6 && pushed < N) {
                done[pushed++] = true;
                cz_tracker_skip(&t, pushed);
            } else if (pushed > 0) {
                /* Some entry that is in flight, not too far from the front. */
                int64_t at = model_position(done, pushed) + next_random(&r) % 100;
                if (at < pushed && !done[at]) {
                    done[at] = true;
                    deliver(entry[at]);
                }
            }
            sweep(&t);
            assert_int_equal(t.position, model_position(done, pushed));
        }
        for (int64_t i = 0; i < pushed; i++) {
            if (!done[i])
                deliver(entry[i]);
        }
        sweep(&t);
        assert_int_equal(t.position, pushed);
        assert_int_equal(t.len, 0);
        cz_tracker_done(&t);
    }
}

static void test_failed_does_not_advance(void **state)
{
    (void)state;
    struct cz_tracker t;
    cz_tracker_init(&t, 10);
    struct cz_inflight *a = cz_tracker_push(&t, 10), *b = cz_tracker_push(&t, 11);
    const struct cz_delivery d = {.opaque = a, .code = CZ_E_KAFKA, .record_error = true, .kafka_code = 10};
    deliver(b);
    cz_inflight_delivered(&d);
    assert_int_equal(atomic_load(&a->state), CZ_INFLIGHT_FAILED);
    assert_true(a->record_error);
    sweep(&t);
    assert_int_equal(t.position, 10);
    cz_tracker_pop(&t, false);
    cz_tracker_pop(&t, false);
    assert_int_equal(t.position, 10);
    cz_tracker_done(&t);
}

static void test_skip_widens_the_last(void **state)
{
    (void)state;
    struct cz_tracker t;
    cz_tracker_init(&t, 0);
    struct cz_inflight *e = NULL;
    for (int64_t i = 0; i < CZ_CHUNK_ENTRIES; i++)
        e = cz_tracker_push(&t, i);
    /* The next push opens a chunk and is taken back: the last entry is in the chunk before. */
    (void)cz_tracker_push(&t, CZ_CHUNK_ENTRIES);
    cz_tracker_unpush(&t);
    cz_tracker_skip(&t, 1000);
    assert_int_equal(e->next, 1000);
    assert_int_equal(t.position, 0);
    for (struct cz_inflight *f; (f = cz_tracker_front(&t));) {
        deliver(f);
        cz_tracker_pop(&t, true);
    }
    assert_int_equal(t.position, 1000);
    cz_tracker_skip(&t, 1001);
    assert_int_equal(t.position, 1001);
    cz_tracker_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_failed_does_not_advance),
        cmocka_unit_test(test_skip_widens_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
