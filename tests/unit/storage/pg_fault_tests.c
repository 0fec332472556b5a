/* SPDX-License-Identifier: Apache-2.0 */
/* The store while the database fails: ended sessions, lost commits, a server that is away or
 * says nothing, and that all of it heals by itself. */
#include <stdatomic.h>
#include <string.h>

#include "pg_env.h"
#include "pg_proxy.h"

enum { COUNTERS = 4, COUNTS = 25, PATIENCE_MS = 5200 };

struct counter {
    struct cz_store *store;
    struct cz_thread thread;
    _Atomic bool done;
    char problem[256];
};

static void *count_main(void *arg)
{
    struct counter *c = arg;
    for (int i = 0; i < COUNTS && !c->problem[0];) {
        struct cz_error err = CZ_ERROR_INIT;
        if (count_up(c->store, "faults", "ended", NULL, &err) == CZ_OK)
            i++;
        else if (!(err.flags & CZ_ERR_RETRIABLE)) /* else it is certain that nothing was done */
            (void)snprintf(c->problem, sizeof(c->problem), "%s: %.200s", cz_err_name(err.code),
                           err.text);
    }
    atomic_store(&c->done, true);
    return NULL;
}

static int64_t count_of(struct cz_store *s, const char *name)
{
    struct cz_resource r = get(s, "faults", name);
    int64_t n = spec_n(r.doc);
    cz_resource_done(&r);
    return n;
}

static void start_count(struct cz_store *s, const char *name)
{
    new_team(s, "faults");
    put(s, "faults", name, "{\"spec\":{\"n\":0}}");
}

static bool all_done(struct counter *c)
{
    for (int i = 0; i < COUNTERS; i++)
        if (!atomic_load(&c[i].done))
            return false;
    return true;
}

/* Sessions of the store are ended one after the other, wherever in a transaction they are. */
void test_sessions_ended(void **state)
{
    struct pg_env *e = *state;
    static struct counter c[COUNTERS];
    struct cz_store *s =
        pg_app_store(e, COUNTERS, (const char *[]){"application_name", "victim", NULL});
    start_count(e->stores.a, "ended");
    int64_t before = now_seq(e->stores.a);
    for (int i = 0; i < COUNTERS; i++) {
        c[i].store = s;
        cz_thread_start(&c[i].thread, "counter", count_main, &c[i]);
    }
    int ended = 0;
    while (!all_done(c)) {
        assert_string_equal(
            pg_admin(e,
                     "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE"
                     " application_name = 'victim' ORDER BY random() LIMIT 1;"
                     " SELECT pg_sleep(0.03)",
                     NULL),
            "");
        ended++;
    }
    for (int i = 0; i < COUNTERS; i++) {
        cz_thread_join(&c[i].thread);
        assert_string_equal(c[i].problem, "");
    }
    print_message("# %d sessions were ended\n", ended);
    assert_int_equal(count_of(e->stores.a, "ended"), COUNTERS * COUNTS);
    assert_int_equal(now_seq(e->stores.a), before + COUNTERS * COUNTS);
    cz_store_free(s);
}

struct rig {
    struct pg_proxy *proxy;
    struct cz_store *store; /* through the proxy */
};

static struct rig rig_up(const struct pg_env *e, int pool_max)
{
    char *host = pg_option("host", "/var/run/postgresql"), *port = pg_option("port", "5432");
    struct rig r = {.proxy = pg_proxy_new(host, port)};
    r.store =
        pg_app_store(e, pool_max,
                     (const char *[]){"host", "127.0.0.1", "port", pg_proxy_port(r.proxy),
                                      "sslmode", "disable", "gssencmode", "disable", NULL});
    cz_free(host);
    cz_free(port);
    return r;
}

static void rig_down(struct rig *r)
{
    pg_proxy_set(r->proxy, PROXY_PASS);
    cz_store_free(r->store);
    pg_proxy_free(r->proxy);
}

void test_lost_commit(void **state)
{
    struct pg_env *e = *state;
    struct rig r = rig_up(e, 2);
    static const enum pg_proxy_mode modes[] = {PROXY_CUT_BEFORE_COMMIT, PROXY_CUT_AFTER_COMMIT,
                                               PROXY_CUT_DURING_COMMIT};
    int64_t n = 0;
    start_count(e->stores.a, "commit");
    for (int round = 0; round < 30; round++) {
        struct cz_error err = CZ_ERROR_INIT;
        int64_t seq = 0, before = now_seq(e->stores.a);
        pg_proxy_set(r.proxy, modes[round % 3]);
        ASSERT_OK(count_up(r.store, "faults", "commit", &seq, &err), &err);
        assert_int_equal(pg_proxy_get(r.proxy), PROXY_PASS); /* it did strike */
        assert_int_equal(count_of(e->stores.a, "commit"), ++n);
        assert_int_equal(seq, before + 1);
        assert_int_equal(now_seq(e->stores.a), before + 1);
    }
    rig_down(&r);
}

/* The database stays away after a lost COMMIT: nobody can know, and the caller is told so. */
void test_unknown_commit(void **state)
{
    struct pg_env *e = *state;
    struct rig r = rig_up(e, 2);
    struct cz_error err = CZ_ERROR_INIT;
    start_count(e->stores.a, "unknown");
    ASSERT_OK(count_up(r.store, "faults", "unknown", NULL, &err), &err);
    pg_proxy_set(r.proxy, PROXY_REFUSE_FROM_COMMIT);
    cz_time begin = cz_now();
    ASSERT_CODE(count_up(r.store, "faults", "unknown", NULL, &err), CZ_E_UNAVAILABLE);
    assert_true(cz_now() - begin < PATIENCE_MS * CZ_MS);
    assert_false(err.flags & CZ_ERR_RETRIABLE);
    assert_string_equal(err.state, "08007");
    assert_int_equal(count_of(e->stores.a, "unknown"), 1);
    rig_down(&r);
}

static void expect_away(struct cz_store *s, int max_ms)
{
    struct cz_error err = CZ_ERROR_INIT;
    int64_t seq = 0;
    cz_time begin = cz_now();
    ASSERT_CODE(cz_store_seq(s, &seq, &err), CZ_E_UNAVAILABLE);
    assert_true(err.flags & CZ_ERR_RETRIABLE);
    assert_true(cz_now() - begin < max_ms * CZ_MS);
}

static void expect_back(struct cz_store *s)
{
    enum cz_err rc;
    int64_t seq = 0;
    cz_time until = cz_deadline_ms(5000);
    do {
        rc = cz_store_seq(s, &seq, NULL);
    } while (rc != CZ_OK && cz_now() < until);
    assert_int_equal(rc, CZ_OK);
}

void test_database_away(void **state)
{
    struct pg_env *e = *state;
    struct rig r = rig_up(e, 4);
    struct cz_error err = CZ_ERROR_INIT;
    int64_t seq = 0;
    start_count(e->stores.a, "away");
    ASSERT_OK(count_up(r.store, "faults", "away", NULL, &err), &err);
    pg_proxy_set(r.proxy, PROXY_REFUSE);
    expect_away(r.store, PATIENCE_MS);
    expect_away(r.store, 1500); /* known to be away for long: no more waiting */
    ASSERT_CODE(count_up(r.store, "faults", "away", NULL, &err), CZ_E_UNAVAILABLE);
    assert_true(err.flags & CZ_ERR_RETRIABLE);
    cz_error_reset(&err);
    struct cz_leadership *l = NULL;
    ASSERT_CODE(
        cz_leadership_try(r.store, "x", 1000, cz_deadline_ms(500), &l, &seq, NULL, &err),
        CZ_E_UNAVAILABLE);
    pg_proxy_set(r.proxy, PROXY_PASS);
    expect_back(r.store);
    cz_error_reset(&err);
    ASSERT_OK(count_up(r.store, "faults", "away", NULL, &err), &err);
    assert_int_equal(count_of(r.store, "away"), 2);
    /* a short absence is ridden out: nobody sees an error */
    pg_proxy_set(r.proxy, PROXY_REFUSE);
    struct cz_thread t = {0};
    struct counter c = {.store = r.store};
    put(e->stores.a, "faults", "ended", "{\"spec\":{\"n\":0}}");
    cz_thread_start(&t, "counter", count_main, &c);
    assert_string_equal(pg_admin(e, "SELECT pg_sleep(0.3)", NULL), "");
    pg_proxy_set(r.proxy, PROXY_PASS);
    cz_thread_join(&t);
    assert_string_equal(c.problem, "");
    rig_down(&r);
}

void test_database_stalled(void **state)
{
    struct pg_env *e = *state;
    struct rig r = rig_up(e, 4);
    struct cz_error err = CZ_ERROR_INIT;
    start_count(e->stores.a, "stalled");
    ASSERT_OK(count_up(r.store, "faults", "stalled", NULL, &err), &err);
    pg_proxy_set(r.proxy, PROXY_STALL);
    expect_away(r.store, PATIENCE_MS);
    cz_time begin = cz_now();
    struct cz_leadership *l = NULL;
    ASSERT_CODE(
        cz_leadership_try(r.store, "x", 1000, cz_deadline_ms(300), &l, NULL, NULL, &err),
        CZ_E_UNAVAILABLE);
    assert_true(cz_now() - begin < CZ_SEC);
    ASSERT_CODE(cz_store_check(r.store, cz_deadline_ms(300), NULL), CZ_E_UNAVAILABLE);
    assert_true(cz_now() - begin < 2 * CZ_SEC);
    pg_proxy_set(r.proxy, PROXY_PASS);
    expect_back(r.store);
    rig_down(&r);
}

struct holder {
    struct cz_store *store;
    struct cz_thread thread;
    struct cz_mutex lock;
    struct cz_cond changed;
    bool inside, leave;
};

static enum cz_err hold_fn(struct cz_tx *tx, void *arg, struct cz_error *err)
{
    (void)tx, (void)err;
    struct holder *h = arg;
    cz_mutex_lock(&h->lock);
    h->inside = true;
    cz_cond_broadcast(&h->changed);
    while (!h->leave)
        (void)cz_cond_wait(&h->changed, &h->lock, CZ_TIME_NEVER);
    cz_mutex_unlock(&h->lock);
    return CZ_OK;
}

static void *hold_main(void *arg)
{
    struct holder *h = arg;
    const struct cz_change_meta meta = {.team = "faults"};
    (void)!cz_store_write(h->store, &meta, false, hold_fn, h, NULL, NULL);
    return NULL;
}

void test_pool_exhausted(void **state)
{
    struct cz_error err = CZ_ERROR_INIT;
    struct holder h = {.store = pg_app_store(*state, 1, NULL)};
    cz_mutex_init(&h.lock);
    cz_cond_init(&h.changed);
    cz_thread_start(&h.thread, "holder", hold_main, &h);
    cz_mutex_lock(&h.lock);
    while (!h.inside)
        (void)cz_cond_wait(&h.changed, &h.lock, CZ_TIME_NEVER);
    cz_mutex_unlock(&h.lock);
    cz_time begin = cz_now();
    ASSERT_CODE(cz_store_check(h.store, cz_deadline_ms(200), &err), CZ_E_UNAVAILABLE);
    assert_true(err.flags & CZ_ERR_RETRIABLE);
    assert_true(cz_now() - begin < CZ_SEC);
    struct cz_store_stats st;
    cz_store_stats(h.store, &st);
    assert_int_equal(st.pool_open, 1);
    assert_int_equal(st.pool_leased, 1);
    cz_mutex_lock(&h.lock);
    h.leave = true;
    cz_cond_broadcast(&h.changed);
    cz_mutex_unlock(&h.lock);
    cz_thread_join(&h.thread);
    cz_error_reset(&err);
    ASSERT_OK(cz_store_check(h.store, cz_deadline_ms(2000), &err), &err);
    cz_store_free(h.store);
    cz_cond_done(&h.changed);
    cz_mutex_done(&h.lock);
}

struct waiter {
    struct cz_store *store;
    struct cz_thread thread;
    int64_t after, seq;
    enum cz_err rc;
};

static void *wait_main(void *arg)
{
    struct waiter *w = arg;
    w->rc = cz_store_wait(w->store, w->after, cz_deadline_ms(8000), &w->seq, NULL);
    return NULL;
}

/* The listener's session is cut, and the commit comes while it has none. */
void test_wait_survives(void **state)
{
    struct pg_env *e = *state;
    struct rig r = rig_up(e, 4);
    struct cz_error err = CZ_ERROR_INIT;
    start_count(e->stores.a, "wait");
    for (int round = 0; round < 3; round++) {
        struct waiter w = {.store = r.store, .after = now_seq(e->stores.a)};
        int64_t seq = 0;
        ASSERT_OK(cz_store_wait(r.store, w.after, cz_deadline_ms(30), &seq, &err), &err);
        cz_thread_start(&w.thread, "waiter", wait_main, &w);
        pg_proxy_set(r.proxy, round == 1 ? PROXY_STALL : PROXY_REFUSE);
        assert_string_equal(pg_admin(e, "SELECT pg_sleep(0.1)", NULL), "");
        ASSERT_OK(count_up(e->stores.a, "faults", "wait", NULL, &err), &err);
        pg_proxy_set(r.proxy, PROXY_PASS);
        cz_time begin = cz_now();
        cz_thread_join(&w.thread);
        assert_int_equal(w.rc, CZ_OK);
        assert_int_equal(w.seq, w.after + 1);
        assert_true(cz_now() - begin < 3 * CZ_SEC);
    }
    rig_down(&r);
}

void test_leader_session_lost(void **state)
{
    struct pg_env *e = *state;
    struct cz_error err = CZ_ERROR_INIT;
    for (int round = 0; round < 2; round++) {
        struct cz_leadership *l = NULL;
        int64_t epoch = 0;
        for (cz_time until = cz_deadline_ms(3000); !l && cz_now() < until;)
            ASSERT_OK(cz_leadership_try(e->stores.a, "lost", 60000, cz_deadline_ms(3000), &l,
                                        &epoch, NULL, &err),
                      &err);
        assert_non_null(l);
        assert_string_equal(
            pg_admin(e, "SELECT pg_terminate_backend(backend_pid, 2000) FROM leader", NULL),
            "");
        cz_time begin = cz_now();
        if (round == 0)
            ASSERT_CODE(cz_leadership_wait(l, cz_deadline_ms(5000), NULL), CZ_E_FENCED);
        ASSERT_CODE(cz_leadership_renew(l, NULL), CZ_E_FENCED);
        assert_true(cz_now() - begin < 2 * CZ_SEC);
        cz_leadership_free(l);
    }
}

/* A list of hosts: one that refuses and one that is silent do not keep us from the good one. */
void test_hosts(void **state)
{
    struct pg_env *e = *state;
    struct rig r = rig_up(e, 1);
    struct cz_error err = CZ_ERROR_INIT;
    char ports[64], hosts[256];
    char *host = pg_option("host", "/var/run/postgresql"), *port = pg_option("port", "5432");
    (void)snprintf(hosts, sizeof(hosts), "127.0.0.1,127.0.0.1,%.100s", host);
    (void)snprintf(ports, sizeof(ports), "1,%s,%.8s", pg_proxy_port(r.proxy), port);
    pg_proxy_set(r.proxy, PROXY_STALL);
    struct cz_store *s =
        pg_app_store(e, 2, (const char *[]){"host", hosts, "port", ports, NULL});
    int64_t seq = 0;
    cz_time begin = cz_now();
    ASSERT_OK(cz_store_seq(s, &seq, &err), &err);
    assert_true(cz_now() - begin < PATIENCE_MS * CZ_MS);
    cz_store_free(s);
    cz_free(host);
    cz_free(port);
    rig_down(&r);
}
