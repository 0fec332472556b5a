/* SPDX-License-Identifier: Apache-2.0 */
/* Questions and their answers.  A question is asked once however many want to know; one that could
 * not be answered is asked again with growing pauses, as long as somebody still wants to know.  While
 * the other side is away all questions share its pause. */
#include <string.h>

#include "cz/alloc.h"
#include "cz/limits.h"
#include "cz/map.h"
#include "cz/thread.h"
#include "registry_priv.h"

enum {
    RETRY_BASE_MS = 100,
    RETRY_CAP_MS = 2000,
    FAILED_MS = 30000, /* how long "there is none" counts */
    WANTED_MS = 60000, /* a question that nobody repeats is given up */
};

enum flight_state { OPEN, ANSWERED, FAILED };

struct flight {
    enum flight_state state;
    void *answer;
    struct cz_error error; /* FAILED; OPEN: of the last attempt */
    unsigned attempt;
    cz_time at;     /* OPEN: next attempt; FAILED: end of it */
    cz_time wanted; /* when somebody last asked */
};
struct cz__flights {
    cz__flight_fn run;
    void (*free_answer)(void *);
    void *arg;
    struct cz_thread thread;
    struct cz_mutex lock; /* below */
    struct cz_cond cond;
    struct cz_map flights; /* key → struct flight */
    size_t failed;
    bool stop;
};

static struct flight *add(struct cz__flights *f, const char *key)
{
    struct flight *one = cz_alloc(sizeof *one);
    one->at = cz_now();
    cz_map_put(&f->flights, key, one);
    cz_cond_signal(&f->cond);
    return one;
}

/* Forget every "there is none": ids that nobody has could come without end. */
static void forget_failed(struct cz__flights *f)
{
    CZ_MAP_FOREACH(&f->flights, i, e)
    {
        if (((struct flight *)e->value)->state == FAILED)
            cz_map_removen(&f->flights, e->key, e->key_len);
    }
    f->failed = 0;
}

static void reopen(struct cz__flights *f, struct flight *one)
{
    one->state = OPEN;
    one->attempt = 0;
    one->at = 0;
    cz_error_reset(&one->error);
    f->failed--;
    cz_cond_signal(&f->cond);
}

enum cz_lookup
cz__flights_get(struct cz__flights *f, const char *key, void **ret, struct cz_error *err)
{
    CZ_LOCKED(&f->lock);
    struct flight *one = cz_map_get(&f->flights, key);
    if (!one)
        one = add(f, key);
    if (one->state == ANSWERED) {
        *ret = one->answer;
        return CZ_LOOKUP_FOUND;
    }
    one->wanted = cz_now();
    if (one->state == FAILED && one->wanted >= one->at)
        reopen(f, one);
    if (err && one->error.code)
        *err = one->error;
    return one->state == FAILED ? CZ_LOOKUP_FAILED : CZ_LOOKUP_WAIT;
}

void cz__flights_forget(struct cz__flights *f)
{
    CZ_LOCKED(&f->lock);
    CZ_MAP_FOREACH(&f->flights, i, e)
    {
        struct flight *one = e->value;
        if (one->state != ANSWERED)
            continue;
        one->state = OPEN;
        one->attempt = 0;
        one->at = 0;
    }
}

/* The question that is due next; those that nobody wants any more go. */
static struct cz_map_entry *next_due(struct cz__flights *f, cz_time now)
{
    struct cz_map_entry *first = NULL;
    CZ_MAP_FOREACH(&f->flights, i, e)
    {
        struct flight *one = e->value;
        if (one->state != OPEN)
            continue;
        if (one->attempt > 0 && now - one->wanted > WANTED_MS * CZ_MS)
            cz_map_removen(&f->flights, e->key, e->key_len);
        else if (!first || one->at < ((struct flight *)first->value)->at)
            first = e;
    }
    return first;
}

/* While one is away so are all of its questions. */
static void put_off(struct cz__flights *f, const struct flight *by)
{
    CZ_MAP_FOREACH(&f->flights, i, e)
    {
        struct flight *one = e->value;
        if (one->state != OPEN || one->at >= by->at)
            continue;
        one->at = by->at;
        one->error = by->error; /* what is wrong now, not what was when it was asked last */
    }
}

static void settle(struct cz__flights *f, const char *key, enum cz_err code, void *answer,
                   const struct cz_error *err)
{
    struct flight *one = cz_map_get(&f->flights, key);
    if (!one) {
        if (!code && f->free_answer)
            f->free_answer(answer);
        return;
    }
    cz_error_reset(&one->error);
    if (!code) {
        one->state = ANSWERED;
        one->answer = answer;
        return;
    }
    one->error = *err;
    if (err->flags & CZ_ERR_RETRIABLE) {
        one->at = cz_deadline_ms(cz_backoff_ms(one->attempt++, RETRY_BASE_MS, RETRY_CAP_MS));
        if (code == CZ_E_UNAVAILABLE)
            put_off(f, one);
        return;
    }
    one->state = FAILED;
    one->at = cz_deadline_ms(FAILED_MS);
    if (++f->failed > CZ_MAX_REGISTRY_MISSING)
        forget_failed(f);
}

static void *flights_main(void *arg)
{
    struct cz__flights *f = arg;
    cz_mutex_lock(&f->lock);
    while (!f->stop) {
        cz_time now = cz_now();
        struct cz_map_entry *e = next_due(f, now);
        cz_time at = e ? ((struct flight *)e->value)->at : CZ_TIME_NEVER;
        if (at > now) {
            (void)cz_cond_wait(&f->cond, &f->lock, at);
            continue;
        }
        char *key = cz_strdup(e->key);
        struct cz_error err = CZ_ERROR_INIT;
        void *answer = NULL;
        cz_mutex_unlock(&f->lock);
        enum cz_err code = f->run(f->arg, key, &answer, &err);
        cz_mutex_lock(&f->lock);
        settle(f, key, code, answer, &err);
        cz_free(key);
    }
    cz_mutex_unlock(&f->lock);
    return NULL;
}

struct cz__flights *cz__flights_new(cz__flight_fn run, void (*free_answer)(void *), void *arg)
{
    struct cz__flights *f = cz_alloc(sizeof *f);
    f->run = run;
    f->free_answer = free_answer;
    f->arg = arg;
    cz_mutex_init(&f->lock);
    cz_cond_init(&f->cond);
    cz_map_init(&f->flights, cz_free);
    cz_thread_start(&f->thread, "cz-registry", flights_main, f);
    return f;
}

void cz__flights_free(struct cz__flights *f)
{
    if (!f)
        return;
    cz_mutex_lock(&f->lock);
    f->stop = true;
    cz_cond_broadcast(&f->cond);
    cz_mutex_unlock(&f->lock);
    cz_thread_join(&f->thread);
    CZ_MAP_FOREACH(&f->flights, i, e)
    {
        struct flight *one = e->value;
        if (one->state == ANSWERED && f->free_answer)
            f->free_answer(one->answer);
    }
    cz_map_done(&f->flights);
    cz_cond_done(&f->cond);
    cz_mutex_done(&f->lock);
    cz_free(f);
}
