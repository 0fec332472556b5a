/* SPDX-License-Identifier: Apache-2.0 */
/** Threads, locks, waiting, signals. */
#include "cz_test.h"

#include <signal.h>

#include "cz/thread.h"

struct shared {
    struct cz_mutex lock;
    struct cz_cond changed;
    int n;
};

static void *count(void *arg)
{
    struct shared *s = arg;
    for (int i = 0; i < 1000; i++) {
        CZ_LOCKED(&s->lock);
        s->n++;
        cz_cond_broadcast(&s->changed);
    }
    return NULL;
}

static void locked_counting(void **state)
{
    (void)state;
    struct shared s = {.n = 0};
    cz_mutex_init(&s.lock);
    cz_cond_init(&s.changed);
    struct cz_thread t[4] = {0};
    for (size_t i = 0; i < COUNT(t); i++)
        cz_thread_start(&t[i], "a-name-that-is-too-long", count, &s);
    cz_mutex_lock(&s.lock);
    cz_time deadline = cz_deadline_ms(20000);
    while (s.n < 4000 && cz_cond_wait(&s.changed, &s.lock, deadline))
        ;
    assert_int_equal(s.n, 4000);
    cz_mutex_unlock(&s.lock);
    for (size_t i = 0; i < COUNT(t); i++) {
        cz_thread_join(&t[i]);
        cz_thread_join(&t[i]); /* again: no-op */
    }
    cz_cond_done(&s.changed);
    cz_mutex_done(&s.lock);
}

static void wait_ends_at_the_deadline(void **state)
{
    (void)state;
    struct shared s = {.n = 0};
    cz_mutex_init(&s.lock);
    cz_cond_init(&s.changed);
    cz_mutex_lock(&s.lock);
    cz_time begin = cz_now();
    while (cz_cond_wait(&s.changed, &s.lock, begin + 30 * CZ_MS))
        ;
    assert_true(cz_now() - begin >= 30 * CZ_MS);
    assert_false(cz_cond_wait(&s.changed, &s.lock, 0));
    cz_mutex_unlock(&s.lock);
    cz_cond_done(&s.changed);
    cz_mutex_done(&s.lock);
}

static void *signal_process(void *arg)
{
    (void)arg;
    (void)kill(getpid(), SIGHUP);
    return NULL;
}

static void signals(void **state)
{
    (void)state;
    cz_signals_block();
    cz_time begin = cz_now();
    assert_int_equal(cz_signals_wait(begin + 20 * CZ_MS), 0);
    assert_true(cz_now() - begin >= 20 * CZ_MS);
    (void)kill(getpid(), SIGTERM);
    assert_int_equal(cz_signals_wait(cz_deadline_ms(5000)), SIGTERM);
    struct cz_thread t = {0};
    cz_thread_start(&t, "hup", signal_process, NULL);
    assert_int_equal(cz_signals_wait(CZ_TIME_NEVER), SIGHUP);
    cz_thread_join(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(locked_counting),
                                       cmocka_unit_test(wait_ends_at_the_deadline),
                                       cmocka_unit_test(signals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
