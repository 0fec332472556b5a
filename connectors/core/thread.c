/* SPDX-License-Identifier: Apache-2.0 */
/** Threads, locks, waiting and signals over pthreads.  What pthreads reports here is always our
 *  own bug (a lock that is not held, a thread that was never started), so it aborts. */
#include "cz/thread.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void must(int rc, const char *what)
{
    if (rc == 0)
        return;
    (void)fprintf(stderr, "citizenk: %s: %s\n", what, strerrordesc_np(rc));
    abort();
}

static struct timespec to_timespec(cz_time t)
{
    return (struct timespec){.tv_sec = (time_t)(t / CZ_SEC), .tv_nsec = (long)(t % CZ_SEC)};
}

void cz_mutex_init(struct cz_mutex *m)
{
    must(pthread_mutex_init(&m->m, NULL), "pthread_mutex_init");
}

void cz_mutex_done(struct cz_mutex *m)
{
    must(pthread_mutex_destroy(&m->m), "pthread_mutex_destroy");
}

void cz_mutex_lock(struct cz_mutex *m)
{
    must(pthread_mutex_lock(&m->m), "pthread_mutex_lock");
}

void cz_mutex_unlock(struct cz_mutex *m)
{
    must(pthread_mutex_unlock(&m->m), "pthread_mutex_unlock");
}

struct cz_mutex *cz__lock(struct cz_mutex *m)
{
    cz_mutex_lock(m);
    return m;
}

void cz__unlockp(struct cz_mutex **m)
{
    cz_mutex_unlock(*m);
}

void cz_cond_init(struct cz_cond *c)
{
    pthread_condattr_t attr;
    must(pthread_condattr_init(&attr), "pthread_condattr_init");
    must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC), "pthread_condattr_setclock");
    must(pthread_cond_init(&c->c, &attr), "pthread_cond_init");
    must(pthread_condattr_destroy(&attr), "pthread_condattr_destroy");
}

void cz_cond_done(struct cz_cond *c)
{
    must(pthread_cond_destroy(&c->c), "pthread_cond_destroy");
}

void cz_cond_signal(struct cz_cond *c)
{
    must(pthread_cond_signal(&c->c), "pthread_cond_signal");
}

void cz_cond_broadcast(struct cz_cond *c)
{
    must(pthread_cond_broadcast(&c->c), "pthread_cond_broadcast");
}

bool cz_cond_wait(struct cz_cond *c, struct cz_mutex *m, cz_time deadline)
{
    if (deadline == CZ_TIME_NEVER) {
        must(pthread_cond_wait(&c->c, &m->m), "pthread_cond_wait");
        return true;
    }
    struct timespec at = to_timespec(deadline < 0 ? 0 : deadline);
    int rc = pthread_cond_timedwait(&c->c, &m->m, &at);
    if (rc == ETIMEDOUT)
        return false;
    must(rc, "pthread_cond_timedwait");
    return true;
}

void cz_thread_start(struct cz_thread *t, const char *name, void *(*fn)(void *), void *arg)
{
    must(pthread_create(&t->id, NULL, fn, arg), "pthread_create");
    t->started = true;
    char short_name[16];
    (void)snprintf(short_name, sizeof short_name, "%s", name);
    /* May fail when the thread has ended already; the name is a courtesy. */
    (void)pthread_setname_np(t->id, short_name);
}

void cz_thread_join(struct cz_thread *t)
{
    if (!t->started)
        return;
    must(pthread_join(t->id, NULL), "pthread_join");
    t->started = false;
}

static void stop_signals(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGTERM);
    (void)sigaddset(set, SIGHUP);
}

void cz_signals_block(void)
{
    sigset_t set;
    stop_signals(&set);
    (void)sigaddset(&set, SIGPIPE);
    must(pthread_sigmask(SIG_BLOCK, &set, NULL), "pthread_sigmask");
}

int cz_signals_wait(cz_time deadline)
{
    sigset_t set;
    stop_signals(&set);
    for (;;) {
        struct timespec left = {0};
        if (deadline != CZ_TIME_NEVER) {
            cz_time now = cz_now();
            left = to_timespec(deadline > now ? deadline - now : 0);
        }
        int sig = deadline == CZ_TIME_NEVER ? sigwaitinfo(&set, NULL)
                                            : sigtimedwait(&set, NULL, &left);
        if (sig > 0)
            return sig;
        if (errno == EAGAIN)
            return 0;
        if (errno != EINTR)
            must(errno, "sigtimedwait");
    }
}
