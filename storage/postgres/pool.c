/* SPDX-License-Identifier: Apache-2.0 */
/* The pool of sessions.  The one used last is lent first, so that the others can grow old and
 * be closed.  Connecting happens outside of the lock.  While the database is away one thread
 * alone tries, with back-off; the others wait for its result, and when it has been away for
 * long they are refused at once instead. */
#include <assert.h>
#include <poll.h>

#include "cz/log.h"
#include "pg_priv.h"

enum {
    MAX_WAITING = 256,
    IDLE_MS = 5 * 60 * 1000,
    BACKOFF_MIN_MS = 50,
    BACKOFF_MAX_MS = 1000,
};

struct cz_pg_pool {
    struct cz_pg_target *target;
    int max;
    struct cz_mutex lock; /* guards all that follows */
    struct cz_cond changed;
    struct cz_pg_conn *idle; /* used last first */
    int open, leased, opening, waiting;
    unsigned failures; /* of connecting, in a row */
    cz_time away_since, retry_at;
    struct cz_error last_error;
};

struct cz_pg_pool *cz_pg_pool_new(struct cz_pg_target *target, int max)
{
    struct cz_pg_pool *p = cz_alloc(sizeof(*p));
    p->target = target;
    p->max = max > 0 ? max : 1;
    cz_mutex_init(&p->lock);
    cz_cond_init(&p->changed);
    return p;
}

void cz_pg_pool_free(struct cz_pg_pool *p)
{
    if (!p)
        return;
    assert(p->leased == 0);
    while (p->idle) {
        struct cz_pg_conn *c = p->idle;
        p->idle = c->next;
        cz_pg_conn_free(c);
    }
    cz_cond_done(&p->changed);
    cz_mutex_done(&p->lock);
    cz_free(p);
}

/* Is a session that lay idle still good?  The server says nothing to an idle session but a
 * notice or its end. */
static bool still_good(struct cz_pg_conn *c)
{
    struct pollfd fd = {.fd = PQsocket(c->pg), .events = POLLIN};
    if (cz_now() > c->expires)
        return false;
    return poll(&fd, 1, 0) == 0 || cz_pg_conn_drain(c, NULL, NULL);
}

static enum cz_err refuse(const struct cz_pg_pool *p, struct cz_error *err)
{
    if (p->failures)
        return cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0, "%s",
                             p->last_error.text);
    return cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0,
                         "all %d database sessions are in use", p->max);
}

/* The lock is held; it is given up while connecting. NULL: it failed, and the pool knows why.
 */
static struct cz_pg_conn *open_one(struct cz_pg_pool *p, cz_time deadline)
{
    struct cz_pg_conn *c = NULL;
    struct cz_error e = CZ_ERROR_INIT;
    p->opening++;
    cz_mutex_unlock(&p->lock);
    enum cz_err rc = cz_pg_conn_open(p->target, deadline, -1, &c, &e);
    cz_mutex_lock(&p->lock);
    p->opening--;
    if (rc == CZ_OK) {
        if (p->failures)
            cz_log(CZ_LOG_INFO, "postgres", "the database is reachable again");
        p->failures = 0;
        p->open++;
        p->leased++;
    } else {
        if (p->failures == 0) {
            p->away_since = cz_now();
            cz_log(CZ_LOG_WARN, "postgres", "%s", e.text);
        }
        p->last_error = e;
        p->retry_at =
            cz_deadline_ms(cz_backoff_ms(p->failures++, BACKOFF_MIN_MS, BACKOFF_MAX_MS));
    }
    cz_cond_broadcast(&p->changed);
    return c;
}

static bool may_open(const struct cz_pg_pool *p)
{
    if (p->open + p->opening >= p->max)
        return false;
    return p->failures == 0 || (p->opening == 0 && cz_now() >= p->retry_at);
}

/* Away for so long that waiting for it is no help to anybody. */
static bool given_up(const struct cz_pg_pool *p)
{
    return p->failures && cz_now() - p->away_since > PG_PATIENCE_MS * CZ_MS;
}

/* The lock is held. A session, or NULL: refuse. */
static struct cz_pg_conn *take(struct cz_pg_pool *p, cz_time deadline)
{
    for (;;) {
        struct cz_pg_conn *c = p->idle;
        if (c) {
            p->idle = c->next;
            p->leased++;
            return c;
        }
        if (may_open(p) && (c = open_one(p, deadline)))
            return c;
        if (given_up(p) || cz_now() >= deadline || p->waiting >= MAX_WAITING)
            return NULL;
        cz_time until = deadline;
        if (p->failures && p->opening == 0 && p->retry_at < until)
            until = p->retry_at;
        p->waiting++;
        (void)cz_cond_wait(&p->changed, &p->lock, until);
        p->waiting--;
    }
}

enum cz_err cz_pg_pool_acquire(struct cz_pg_pool *p,
                               cz_time deadline,
                               struct cz_pg_conn **ret,
                               struct cz_error *err)
{
    cz__hold_enter();
    for (;;) {
        enum cz_err rc = CZ_OK;
        cz_mutex_lock(&p->lock);
        struct cz_pg_conn *c = take(p, deadline);
        if (!c)
            rc = refuse(p, err);
        cz_mutex_unlock(&p->lock);
        if (!c) {
            cz__hold_leave();
            return rc;
        }
        c->next = NULL;
        if (still_good(c)) {
            *ret = c;
            return CZ_OK;
        }
        cz_mutex_lock(&p->lock);
        p->open--;
        p->leased--;
        cz_cond_signal(&p->changed);
        cz_mutex_unlock(&p->lock);
        cz_pg_conn_free(c);
    }
}

/* Unlink those that lay idle for long; the lock is held. */
static struct cz_pg_conn *too_idle(struct cz_pg_pool *p)
{
    cz_time now = cz_now();
    struct cz_pg_conn **at = &p->idle;
    while (*at && now - (*at)->idle_since < IDLE_MS * CZ_MS)
        at = &(*at)->next;
    /* The list is ordered by the time of return: all behind are older. */
    struct cz_pg_conn *old = *at;
    *at = NULL;
    for (const struct cz_pg_conn *c = old; c; c = c->next)
        p->open--;
    return old;
}

void cz_pg_pool_release(struct cz_pg_pool *p, struct cz_pg_conn *c)
{
    bool keep = c->fate != PG_LOST && PQstatus(c->pg) == CONNECTION_OK &&
                PQtransactionStatus(c->pg) == PQTRANS_IDLE;
    c->fate = keep ? PG_FINE : PG_LOST;
    cz_mutex_lock(&p->lock);
    p->leased--;
    if (keep) {
        c->idle_since = cz_now();
        c->next = p->idle;
        p->idle = c;
    } else {
        p->open--;
        c->next = NULL;
    }
    struct cz_pg_conn *old = too_idle(p);
    cz_cond_signal(&p->changed);
    cz_mutex_unlock(&p->lock);
    cz__hold_leave();
    if (!keep)
        cz_pg_conn_free(c);
    while (old) {
        struct cz_pg_conn *next = old->next;
        cz_pg_conn_free(old);
        old = next;
    }
}

void cz_pg_pool_stats(struct cz_pg_pool *p, struct cz_store_stats *ret)
{
    cz_mutex_lock(&p->lock);
    *ret = (struct cz_store_stats){
        .pool_open = p->open, .pool_leased = p->leased, .pool_waiting = p->waiting};
    cz_mutex_unlock(&p->lock);
}
