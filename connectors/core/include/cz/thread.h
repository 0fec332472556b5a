/* SPDX-License-Identifier: Apache-2.0 */
/** Threads, locks and waiting.  One thread owns each object; others send it messages.  Waits take
 *  an absolute monotonic deadline.  Signals are blocked in main before any thread starts and are
 *  taken by cz_signals_wait(). */
#ifndef CZ_THREAD_H
#define CZ_THREAD_H

#include <pthread.h>
#include <stdbool.h>

#include "cz/time.h"

struct cz_mutex {
    pthread_mutex_t m;
};
struct cz_cond {
    pthread_cond_t c; /* on CLOCK_MONOTONIC */
};

void cz_mutex_init(struct cz_mutex *m);
void cz_mutex_done(struct cz_mutex *m);
void cz_mutex_lock(struct cz_mutex *m);
void cz_mutex_unlock(struct cz_mutex *m);
void cz_cond_init(struct cz_cond *c);
void cz_cond_done(struct cz_cond *c);
void cz_cond_signal(struct cz_cond *c);
void cz_cond_broadcast(struct cz_cond *c);
/** false: the deadline passed. Spurious wake-ups are possible: loop on the condition. */
bool cz_cond_wait(struct cz_cond *c, struct cz_mutex *m, cz_time deadline);

/** Scoped lock: CZ_LOCKED(&p->lock) until the end of the block. */
#define CZ_LOCKED(mutex)                                                                       \
    __attribute__((cleanup(cz__unlockp), unused)) struct cz_mutex *cz__guard = cz__lock(mutex)
struct cz_mutex *cz__lock(struct cz_mutex *m);
void cz__unlockp(struct cz_mutex **m);

struct cz_thread {
    pthread_t id;
    bool started;
};
/** @name at most 15 bytes, shown by top -H. Aborts when no thread can be made. */
void cz_thread_start(struct cz_thread *t, const char *name, void *(*fn)(void *), void *arg);
void cz_thread_join(struct cz_thread *t); /* no-op when not started */

/** Block SIGINT, SIGTERM, SIGHUP, SIGPIPE for this and all later threads. Call first in main. */
void cz_signals_block(void);
/** Wait for SIGINT, SIGTERM or SIGHUP, or the deadline (returns 0). */
int cz_signals_wait(cz_time deadline);

#endif
