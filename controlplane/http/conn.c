/* SPDX-License-Identifier: Apache-2.0 */
/** Every open connection and what it is doing.  libmicrohttpd's timeout counts inactivity only:
 * a client that sends one byte every two seconds lives for ever and holds a thread.  So each
 * state has a limit of its own here, and a reaper thread shuts the socket of a connection that
 * stays in one too long; libmicrohttpd then ends it by itself.  A handler is never reaped: it
 * has its own deadlines.
 *
 *  A connection is added and removed by libmicrohttpd's accept thread, and removed before its
 *  socket is closed; so under the lock every fd in the list is the right one. */
#include <sys/socket.h>

#include "cz/alloc.h"
#include "http_priv.h"

static cz_time limit(int ms, int def)
{
    return (cz_time)(ms > 0 ? ms : def) * CZ_MS;
}

void cz__conns_init(struct cz__conns *c, const struct cz_http_options *o)
{
    cz_mutex_init(&c->lock);
    cz_cond_init(&c->changed);
    c->limit[CZ__CONN_NEW] = limit(o->header_ms, 10000);
    c->limit[CZ__CONN_READING] = limit(o->request_ms, 30000);
    c->limit[CZ__CONN_HANDLING] = CZ_TIME_NEVER;
    c->limit[CZ__CONN_SENDING] = limit(o->send_ms, 60000);
    c->limit[CZ__CONN_IDLE] = limit(o->idle_ms, 60000);
}

void cz__conns_done(struct cz__conns *c)
{
    while (c->head)
        cz__conn_remove(c, c->head);
    cz_cond_done(&c->changed);
    cz_mutex_done(&c->lock);
}

static void cut(struct cz__conns *c, struct cz__conn *n)
{
    if (n->reaped)
        return;
    n->reaped = true;
    c->reaped++;
    (void)shutdown(n->fd, SHUT_RDWR);
}

static void *reaper_main(void *arg)
{
    struct cz__conns *c = arg;
    CZ_LOCKED(&c->lock);
    while (!c->stop) {
        cz_time now = cz_now();
        for (struct cz__conn *n = c->head; n; n = n->next)
            if (c->limit[n->state] != CZ_TIME_NEVER && now - n->since > c->limit[n->state])
                cut(c, n);
        /* Waits on the common condition: an early wake-up only costs a look at the list. */
        cz_time next = now + 250 * CZ_MS;
        while (!c->stop && cz_cond_wait(&c->changed, &c->lock, next))
            ;
    }
    return NULL;
}

void cz__conns_start(struct cz__conns *c)
{
    c->stop = false;
    cz_thread_start(&c->reaper, "http-reaper", reaper_main, c);
}

void cz__conns_stop(struct cz__conns *c)
{
    cz_mutex_lock(&c->lock);
    c->stop = true;
    cz_cond_broadcast(&c->changed);
    cz_mutex_unlock(&c->lock);
    cz_thread_join(&c->reaper);
}

struct cz__conn *cz__conn_add(struct cz__conns *c, int fd, const char *peer)
{
    struct cz__conn *n = cz_alloc(sizeof(*n));
    n->fd = fd;
    n->since = cz_now();
    (void)snprintf(n->peer, sizeof(n->peer), "%s", peer);
    CZ_LOCKED(&c->lock);
    n->next = c->head;
    if (c->head)
        c->head->prev = n;
    c->head = n;
    c->count[n->state]++;
    c->accepted++;
    return n;
}

void cz__conn_state(struct cz__conns *c, struct cz__conn *n, enum cz__conn_state state)
{
    CZ_LOCKED(&c->lock);
    c->count[n->state]--;
    c->count[state]++;
    n->state = state;
    n->since = cz_now();
    if (state == CZ__CONN_IDLE)
        cz_cond_broadcast(&c->changed);
}

void cz__conn_remove(struct cz__conns *c, struct cz__conn *n)
{
    cz_mutex_lock(&c->lock);
    if (n->prev)
        n->prev->next = n->next;
    else
        c->head = n->next;
    if (n->next)
        n->next->prev = n->prev;
    c->count[n->state]--;
    cz_cond_broadcast(&c->changed);
    cz_mutex_unlock(&c->lock);
    cz_free(n);
}

static size_t in_flight(const struct cz__conns *c)
{
    return c->count[CZ__CONN_READING] + c->count[CZ__CONN_HANDLING] +
           c->count[CZ__CONN_SENDING];
}

void cz__conns_drain(struct cz__conns *c, cz_time deadline)
{
    CZ_LOCKED(&c->lock);
    while (in_flight(c) && cz_cond_wait(&c->changed, &c->lock, deadline))
        ;
    for (struct cz__conn *n = c->head; n; n = n->next)
        if (n->state != CZ__CONN_HANDLING && n->state != CZ__CONN_IDLE &&
            n->state != CZ__CONN_NEW)
            cut(c, n);
}
