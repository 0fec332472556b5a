/* SPDX-License-Identifier: Apache-2.0 */
/* Conformance of a store, third part: leadership, fencing and waiting for commits. */
#include <string.h>

#include "store_test.h"

enum { LONG_LEASE = 60000 };

static const struct store_env *env(void **state)
{
    return *state;
}

static struct cz_leadership *
lead(struct cz_store *s, const char *who, int64_t lease_ms, int64_t *ret_epoch)
{
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_leadership *l = NULL;
    ASSERT_OK(
        cz_leadership_try(s, who, lease_ms, cz_deadline_ms(5000), &l, ret_epoch, NULL, &err),
        &err);
    return l;
}

void test_leadership(void **state)
{
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_leadership *none = NULL;
    int64_t e1 = 0, e2 = 0, e3 = -1;
    char *who = NULL;
    struct cz_leadership *l = lead(env(state)->a, "one", LONG_LEASE, &e1);
    assert_non_null(l);
    assert_true(e1 > 0);
    ASSERT_OK(cz_leadership_try(env(state)->b, "two", LONG_LEASE, cz_deadline_ms(5000), &none,
                                &e3, &who, &err),
              &err);
    assert_null(none);
    assert_string_equal(who, "one");
    assert_int_equal(e3, -1);
    cz_free(who);
    ASSERT_OK(cz_leadership_renew(l, &err), &err);
    cz_leadership_free(l);
    cz_leadership_free(NULL);
    /* freed: the next one has it at once */
    cz_time until = cz_deadline_ms(3000);
    do {
        l = lead(env(state)->b, "two", LONG_LEASE, &e2);
    } while (!l && cz_now() < until);
    assert_non_null(l);
    assert_true(e2 > e1);
    ASSERT_OK(cz_leadership_renew(l, &err), &err);
    cz_leadership_free(l);
}

static void pause_ms(int64_t ms)
{
    struct cz_mutex m;
    struct cz_cond c;
    cz_time until = cz_deadline_ms(ms);
    cz_mutex_init(&m);
    cz_cond_init(&c);
    cz_mutex_lock(&m);
    while (cz_now() < until)
        (void)cz_cond_wait(&c, &m, until);
    cz_mutex_unlock(&m);
    cz_cond_done(&c);
    cz_mutex_done(&m);
}

void test_stale_leader(void **state)
{
    struct cz_error err = CZ_ERROR_INIT;
    int64_t e1 = 0, e2 = 0;
    struct cz_leadership *old = lead(env(state)->a, "sleeper", LONG_LEASE, &e1);
    assert_non_null(old);
    pause_ms(150);
    ASSERT_OK(cz_leadership_renew(old, &err), &err);
    assert_null(lead(env(state)->b, "heir", 120, &e2)); /* it has just renewed */
    pause_ms(200);
    struct cz_leadership *young = lead(env(state)->b, "heir", 120, &e2);
    assert_non_null(young);
    assert_true(e2 > e1);
    ASSERT_CODE(cz_leadership_renew(old, NULL), CZ_E_FENCED);
    ASSERT_CODE(cz_leadership_wait(old, cz_deadline_ms(1000), NULL), CZ_E_FENCED);
    ASSERT_CODE(cz_store_outbox_done(env(state)->a, e1, 1, NULL), CZ_E_FENCED);
    ASSERT_OK(cz_leadership_renew(young, &err), &err);
    cz_leadership_free(old); /* must not give away what the heir has */
    ASSERT_OK(cz_leadership_renew(young, &err), &err);
    cz_leadership_free(young);
}

struct later {
    struct cz_store *store;
    struct cz_leadership *wake;
    const char *team;
};

static void *write_later(void *arg)
{
    struct later *w = arg;
    pause_ms(50);
    if (w->wake)
        cz_leadership_wake(w->wake);
    else
        put(w->store, w->team, "m", "{}");
    return NULL;
}

void test_leadership_wait(void **state)
{
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_thread t = {0};
    int64_t epoch = 0;
    new_team(env(state)->a, "leadwait");
    struct cz_leadership *l = lead(env(state)->a, "waiter", LONG_LEASE, &epoch);
    assert_non_null(l);
    /* nothing happens */
    cz_time begin = cz_now();
    ASSERT_OK(cz_leadership_wait(l, cz_deadline_ms(60), &err), &err);
    assert_true(cz_now() - begin >= 55 * CZ_MS);
    /* a commit */
    struct later w = {.store = env(state)->b, .team = "leadwait"};
    cz_thread_start(&t, "writer", write_later, &w);
    begin = cz_now();
    ASSERT_OK(cz_leadership_wait(l, cz_deadline_ms(5000), &err), &err);
    assert_true(cz_now() - begin < 3 * CZ_SEC);
    cz_thread_join(&t);
    struct cz_resource r = get(env(state)->a, "leadwait", "m");
    assert_int_equal(now_seq(env(state)->a), r.version);
    cz_resource_done(&r);
    /* a commit while nobody waits is not forgotten, not even over a renewal */
    del(env(state)->b, "leadwait", "m");
    ASSERT_OK(cz_leadership_renew(l, &err), &err);
    begin = cz_now();
    ASSERT_OK(cz_leadership_wait(l, cz_deadline_ms(5000), &err), &err);
    assert_true(cz_now() - begin < 3 * CZ_SEC);
    /* a wake */
    w.wake = l;
    cz_thread_start(&t, "waker", write_later, &w);
    begin = cz_now();
    ASSERT_OK(cz_leadership_wait(l, cz_deadline_ms(5000), &err), &err);
    assert_true(cz_now() - begin < 3 * CZ_SEC);
    cz_thread_join(&t);
    cz_leadership_free(l);
}

void test_outbox_fencing(void **state)
{
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_store *s = env(state)->a;
    int64_t e1 = 0, e2 = 0;
    empty_outbox(s);
    const struct step one[] = {{.what = STEP_PUBLISH, .name = "fence/x", .json = "{}"},
                               {.what = STEP_END}};
    ASSERT_OK(do_steps(s, "default", false, one, NULL, &err), &err);
    cz_leadership_free(lead(s, "first", LONG_LEASE, &e1));
    struct cz_leadership *l = NULL;
    for (cz_time until = cz_deadline_ms(3000); !l && cz_now() < until;)
        l = lead(s, "second", LONG_LEASE, &e2);
    assert_non_null(l);
    ASSERT_CODE(cz_store_outbox_done(s, e1, now_seq(s), NULL), CZ_E_FENCED);
    struct cz_config_record_list rows = {0};
    ASSERT_OK(cz_store_outbox(s, 10, &rows, &err), &err);
    assert_int_equal(rows.len, 1);
    cz_config_record_list_done(&rows);
    ASSERT_OK(cz_store_outbox_done(s, e2, now_seq(s), &err), &err);
    ASSERT_OK(cz_store_outbox(s, 10, &rows, &err), &err);
    assert_int_equal(rows.len, 0);
    cz_leadership_free(l);
}

void test_wait(void **state)
{
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_store *s = env(state)->a;
    int64_t before = now_seq(s), seq = -1;
    new_team(s, "wait");
    ASSERT_OK(cz_store_wait(s, before, cz_deadline_ms(60), &seq, &err), &err);
    assert_int_equal(seq, before);
    ASSERT_OK(cz_store_wait(s, before - 1, cz_deadline_ms(60), &seq, &err), &err);
    assert_int_equal(seq, before);
    struct later w = {.store = env(state)->b, .team = "wait"};
    struct cz_thread t = {0};
    cz_thread_start(&t, "writer", write_later, &w);
    cz_time begin = cz_now();
    ASSERT_OK(cz_store_wait(s, before, cz_deadline_ms(5000), &seq, &err), &err);
    assert_true(cz_now() - begin < 3 * CZ_SEC);
    assert_int_equal(seq, before + 1);
    cz_thread_join(&t);
}
