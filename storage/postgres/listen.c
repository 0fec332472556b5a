/* SPDX-License-Identifier: Apache-2.0 */
/* cz_store_wait(): one thread per store listens for commits on a session of its own and keeps
 * the newest seq; any number of waiters sleep on a condition.  The thread starts with the first
 * waiter and connects again by itself; meanwhile the waiters ask the database once a second. */
#include <sys/eventfd.h>
#include <unistd.h>

#include "cz/log.h"
#include "pg_priv.h"

enum { POLL_MS = 1000, ALIVE_MS = 5000, ANSWER_MS = 3000 };

struct pg_listener {
    struct pg_store *store;
    struct cz_thread thread;
    int stop_fd;          /* eventfd; readable: the thread ends */
    struct cz_mutex lock; /* guards all that follows */
    struct cz_cond changed;
    bool live;      /* the session listens, so newest is kept up */
    int64_t newest; /* -1: not known yet */
};

static void set_newest(struct pg_listener *l, int64_t seq, bool live)
{
    cz_mutex_lock(&l->lock);
    if (seq > l->newest)
        l->newest = seq;
    l->live = live;
    cz_cond_broadcast(&l->changed);
    cz_mutex_unlock(&l->lock);
}

/* The seq as the database says it, which also proves that the session still lives. */
static bool ask(struct pg_listener *l, struct cz_pg_conn *c)
{
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    if (cz_pg_exec(c, PG_SEQ, NULL, cz_deadline_ms(ANSWER_MS), &res, NULL) != CZ_OK)
        return false;
    set_newest(l, pg_int(res, 0, 0), true);
    return true;
}

/* One session from its beginning to its loss. false: told to stop. */
static bool session(struct pg_listener *l, struct cz_pg_conn *c)
{
    if (cz_pg_exec(c, PG_LISTEN, NULL, cz_deadline_ms(ANSWER_MS), NULL, NULL) != CZ_OK)
        return true;
    while (ask(l, c)) {
        int woken;
        do {
            int64_t seq = 0;
            if (!cz_pg_conn_drain(c, &seq, NULL))
                return true;
            if (seq)
                set_newest(l, seq, true);
            woken = cz_pg_conn_wait(c, l->stop_fd, cz_deadline_ms(ALIVE_MS));
        } while (woken == 1);
        if (woken == 2)
            return false;
    }
    return true;
}

static bool told_to_stop(struct pg_listener *l, int64_t wait_ms)
{
    struct cz_mutex *m = &l->lock;
    cz_time until = cz_deadline_ms(wait_ms);
    uint64_t count;
    bool stop = false;
    cz_mutex_lock(m);
    do {
        stop = read(l->stop_fd, &count, sizeof(count)) > 0;
    } while (!stop && cz_cond_wait(&l->changed, m, until) && cz_now() < until);
    cz_mutex_unlock(m);
    return stop;
}

static void *listen_main(void *arg)
{
    struct pg_listener *l = arg;
    unsigned failures = 0;
    bool go_on = true;
    while (go_on) {
        struct cz_pg_conn *c = NULL;
        struct cz_error e = CZ_ERROR_INIT;
        if (cz_pg_conn_open(l->store->target, pg_deadline(), l->stop_fd, &c, &e) == CZ_OK) {
            failures = 0;
            go_on = session(l, c);
            cz_pg_conn_free(c);
            set_newest(l, -1, false);
        } else {
            cz_log(CZ_LOG_DEBUG, "postgres", "listener: %s", e.text);
        }
        if (go_on)
            go_on = !told_to_stop(l, cz_backoff_ms(failures++, 50, 1000));
    }
    return NULL;
}

struct pg_listener *pg__listener_new(struct pg_store *s)
{
    struct pg_listener *l = cz_alloc(sizeof(*l));
    l->store = s;
    l->newest = -1;
    l->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    cz_mutex_init(&l->lock);
    cz_cond_init(&l->changed);
    return l;
}

void pg__listener_free(struct pg_listener *l)
{
    if (!l)
        return;
    uint64_t one = 1;
    if (write(l->stop_fd, &one, sizeof(one)) < 0)
        cz_log(CZ_LOG_DEBUG, "postgres", "eventfd: full, so it is readable already");
    cz_mutex_lock(&l->lock);
    cz_cond_broadcast(&l->changed);
    cz_mutex_unlock(&l->lock);
    cz_thread_join(&l->thread);
    if (l->stop_fd >= 0)
        (void)close(l->stop_fd);
    cz_cond_done(&l->changed);
    cz_mutex_done(&l->lock);
    cz_free(l);
}

/* ---- waiting
 * --------------------------------------------------------------------------------- */

/* The lock is held; it is given up while asking. */
static enum cz_err poll_seq(struct pg_listener *l, struct cz_error *err)
{
    int64_t seq = -1;
    cz_mutex_unlock(&l->lock);
    enum cz_err rc = pg__seq(&l->store->base, &seq, err);
    cz_mutex_lock(&l->lock);
    if (seq > l->newest)
        l->newest = seq;
    return rc;
}

enum cz_err pg__wait(
    struct cz_store *s, int64_t after, cz_time deadline, int64_t *ret_seq, struct cz_error *err)
{
    struct pg_listener *l = pg_of(s)->listener;
    struct cz_error e = CZ_ERROR_INIT;
    enum cz_err rc = CZ_OK;
    cz_time next_poll = 0;
    cz_mutex_lock(&l->lock);
    if (!l->thread.started)
        cz_thread_start(&l->thread, "pg-listen", listen_main, l);
    while (l->newest <= after) {
        if (!l->live && cz_now() >= next_poll) {
            cz_error_reset(&e);
            rc = poll_seq(l, &e);
            next_poll = cz_deadline_ms(POLL_MS);
            continue;
        }
        if (cz_now() >= deadline)
            break;
        cz_time until = l->live || deadline < next_poll ? deadline : next_poll;
        (void)cz_cond_wait(&l->changed, &l->lock, until);
    }
    int64_t newest = l->newest;
    cz_mutex_unlock(&l->lock);
    /* Never heard of the database at all: that is not "nothing changed". */
    if (newest < 0 && rc != CZ_OK)
        return cz_fail_flags(err, e.code, e.flags, e.detail, "%s", e.text);
    *ret_seq = newest > 0 ? newest : 0;
    return CZ_OK;
}
