/* SPDX-License-Identifier: Apache-2.0 */
/* The leadership: take it, lead, and step down at the first doubt.
 *
 * Two things guard against two leaders.  The store gives the leadership to one instance at a
 * time, and a record of the one before is refused by Kafka itself, because a new leader's first
 * act is to open the deployment's transactional writer, which fences the old one.  So a leader
 * that was stopped for a while and does not know may try what it likes.
 *
 * The leadership is renewed every second, by this thread between two steps or by the keeper
 * while a step takes long.  The lease is 3 s and the others look twice a second, so that a new
 * leader is at work within 5 s even when the old one was only stopped (a dead one is noticed at
 * once). */
#include <stdio.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/log.h"
#include "cz/service.h"
#include "scheduler_priv.h"

#define TRY_TIMEOUT_MS 3000
#define RENEW_EVERY CZ_SEC
#define STEP_LIMIT (120 * CZ_SEC) /* a leader that hangs longer is put aside */
#define TICK_MS 200

/* ---- renewal --------------------------------------------------------------------------------
 */

/* With lead_lock held. */
static enum cz_err renew_locked(struct cz_scheduler *s, struct cz_error *err)
{
    if (s->lost || !s->lead)
        return cz_fail(err, CZ_E_FENCED, "the leadership is lost");
    enum cz_err rc = cz_leadership_renew(s->lead, err);
    s->renewed_at = cz_now();
    if (rc == CZ_OK)
        return CZ_OK;
    /* Not proven is lost: the lock lives on a connection that may be gone. */
    s->lost = true;
    cz_error_reset(err);
    return cz_fail(err, CZ_E_FENCED, "the leadership cannot be renewed");
}

enum cz_err cz__lead_prove(struct cz_lead *L, struct cz_error *err)
{
    CZ_LOCKED(&L->s->lead_lock);
    return renew_locked(L->s, err);
}

void *cz__keeper_main(void *arg)
{
    struct cz_scheduler *s = arg;
    cz_mutex_lock(&s->lead_lock);
    while (!s->stop) {
        cz_time now = cz_now();
        bool busy = s->lead && s->in_step && !s->lost && now - s->step_began < STEP_LIMIT;
        if (busy && now - s->renewed_at > RENEW_EVERY) {
            struct cz_error err = CZ_ERROR_INIT;
            if (renew_locked(s, &err) != CZ_OK)
                cz_log(CZ_LOG_WARN, "scheduler", "%s", err.text);
        }
        cz_cond_wait(&s->lead_cond, &s->lead_lock, cz_now() + 300 * CZ_MS);
    }
    cz_mutex_unlock(&s->lead_lock);
    return NULL;
}

void cz__scheduler_wake(struct cz_scheduler *s)
{
    CZ_LOCKED(&s->lead_lock);
    if (s->lead)
        cz_leadership_wake(s->lead);
}

static void set_step(struct cz_scheduler *s, bool in_step)
{
    CZ_LOCKED(&s->lead_lock);
    s->in_step = in_step;
    s->step_began = cz_now();
}

/* ---- leading --------------------------------------------------------------------------------
 */

static void set_problem(struct cz_scheduler *s, const char *text)
{
    CZ_LOCKED(&s->lock);
    snprintf(s->state.problem, sizeof(s->state.problem), "%.255s", text);
}

static bool stopping(struct cz_scheduler *s)
{
    CZ_LOCKED(&s->lead_lock);
    return s->stop;
}

static void end_overrides(struct cz_lead *L)
{
    struct cz_error err = CZ_ERROR_INIT;
    int ended = 0;
    if (!L->s->service || cz_now() < L->tick_at)
        return;
    L->tick_at = cz_now() + CZ_SEC;
    if (cz_service_end_overrides(L->s->service, &ended, &err) != CZ_OK)
        CZ_LOG_EVERY(30000, CZ_LOG_WARN, "scheduler", "cannot end due pauses: %s", err.text);
}

static enum cz_err step(struct cz_lead *L, struct cz_error *err)
{
    cz__lead_look_for_damage(L);
    if (L->heal_due) {
        enum cz_err rc = cz__lead_heal(L, err);
        if (rc != CZ_OK)
            return rc;
    }
    enum cz_err rc = cz__lead_outbox(L, err);
    if (rc != CZ_OK)
        return rc;
    if (atomic_exchange(&L->s->topics_changed, false))
        cz__lead_plan_soon(L, 0);
    cz__lead_look_at_workers(L);
    cz__lead_measure(L);
    cz__lead_look_at_holds(L);
    if (cz_now() >= L->plan_due)
        rc = cz__lead_plan(L, err);
    cz__lead_look_at_gaps(L);
    if (rc == CZ_OK)
        end_overrides(L);
    return rc;
}

/* A step that failed is repeated after a growing pause; what it was about is still to be done.
 */
static enum cz_err step_again(struct cz_lead *L, struct cz_error *err)
{
    if (cz_now() < L->retry_at)
        return CZ_OK;
    enum cz_err rc = step(L, err);
    if (rc == CZ_OK) {
        if (L->failures > 0)
            set_problem(L->s, "");
        L->failures = 0;
        return CZ_OK;
    }
    if (rc == CZ_E_FENCED)
        return rc;
    L->failures++;
    L->retry_at = cz_now() + cz_backoff_ms(L->failures, 200, 2000) * CZ_MS;
    set_problem(L->s, err->text);
    CZ_LOG_EVERY(5000, CZ_LOG_WARN, "scheduler", "will try again: %s", err->text);
    cz_error_reset(err);
    return CZ_OK;
}

static enum cz_err renew_when_due(struct cz_scheduler *s, struct cz_error *err)
{
    CZ_LOCKED(&s->lead_lock);
    if (!s->lost && cz_now() - s->renewed_at < RENEW_EVERY)
        return CZ_OK;
    return renew_locked(s, err);
}

static void lead_init(struct cz_lead *L, struct cz_scheduler *s, int64_t epoch)
{
    *L = (struct cz_lead){
        .s = s, .epoch = epoch, .stamp = epoch, .heal_due = true, .plan_due = 0};
    L->balance_at = cz_now() + 30 * CZ_SEC; /* three measurements */
    cz_model_init(&L->led);
    cz_map_init(&L->rates, cz__lead_rates_free);
    cz_map_init(&L->holds, cz__lead_hold_free);
}

static void lead_done(struct cz_lead *L)
{
    L->s->bus.close(L->s->bus.arg);
    cz_model_done(&L->led);
    cz_map_done(&L->rates);
    cz_map_done(&L->holds);
    cz_free(L->workers);
}

static void show_leader(struct cz_scheduler *s, int64_t epoch, const char *name)
{
    CZ_LOCKED(&s->lock);
    s->state.epoch = epoch;
    if (epoch == 0)
        s->state.leader = false;
    s->state.pending = 0;
    snprintf(s->state.leader_name, sizeof(s->state.leader_name), "%.207s", name ? name : "");
}

/* Until fenced or told to stop. */
static void lead(struct cz_scheduler *s, struct cz_leadership *l, int64_t epoch)
{
    struct cz_lead L;
    struct cz_error err = CZ_ERROR_INIT;
    enum cz_err rc = CZ_OK;
    lead_init(&L, s, epoch);
    cz_watch_lead(s->watch, true);
    cz_group_sync_lead(&s->groups, true);
    cz_auditor_lead(&s->auditor, true);
    cz_log(CZ_LOG_INFO, "scheduler", "leading instance=%s epoch=%lld", s->instance,
           (long long)epoch);
    show_leader(s, epoch, s->instance);
    while (rc == CZ_OK && !stopping(s)) {
        rc = step_again(&L, &err);
        set_step(s, false);
        if (rc == CZ_OK)
            rc = renew_when_due(s, &err);
        if (rc == CZ_OK && !stopping(s))
            rc = cz_leadership_wait(l, cz_deadline_ms(TICK_MS), &err);
        set_step(s, true);
        if (rc == CZ_E_TIMEOUT)
            rc = CZ_OK;
        if (rc == CZ_OK)
            cz_error_reset(&err);
    }
    cz_watch_lead(s->watch, false);
    cz_group_sync_lead(&s->groups, false);
    cz_auditor_lead(&s->auditor, false);
    lead_done(&L);
    show_leader(s, 0, "");
    if (rc != CZ_OK)
        cz_log(CZ_LOG_WARN, "scheduler", "stepping down: %s epoch=%lld", err.text,
               (long long)epoch);
}

/* ---- taking it ------------------------------------------------------------------------------
 */

static void pause_a_while(struct cz_scheduler *s, int64_t ms)
{
    cz_time until = cz_deadline_ms(ms);
    cz_mutex_lock(&s->lead_lock);
    while (!s->stop && cz_now() < until)
        cz_cond_wait(&s->lead_cond, &s->lead_lock, until);
    cz_mutex_unlock(&s->lead_lock);
}

static void take_lead(struct cz_scheduler *s, struct cz_leadership *l)
{
    CZ_LOCKED(&s->lead_lock);
    s->lead = l;
    s->lost = false;
    s->in_step = l != NULL;
    s->renewed_at = s->step_began = cz_now();
}

static bool try_to_lead(struct cz_scheduler *s, unsigned *failures)
{
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_leadership *l = NULL;
    int64_t epoch = 0;
    char *leader = NULL;
    enum cz_err rc =
        cz_leadership_try(s->store, s->instance, s->lease_ms, cz_deadline_ms(TRY_TIMEOUT_MS),
                          &l, &epoch, &leader, &err);
    if (rc != CZ_OK) {
        ++*failures;
        set_problem(s, err.text);
        CZ_LOG_EVERY(30000, CZ_LOG_WARN, "scheduler", "cannot ask for the leadership: %s",
                     err.text);
        return false;
    }
    *failures = 0;
    set_problem(s, "");
    if (!l) {
        show_leader(s, 0, leader);
        cz_free(leader);
        return false;
    }
    cz_free(leader);
    take_lead(s, l);
    lead(s, l, epoch);
    take_lead(s, NULL);
    cz_leadership_free(l);
    return true;
}

void *cz__leader_main(void *arg)
{
    struct cz_scheduler *s = arg;
    unsigned failures = 0;
    while (!stopping(s)) {
        bool led = try_to_lead(s, &failures);
        if (failures > 0)
            pause_a_while(s, cz_backoff_ms(failures, 300, 2000));
        else
            pause_a_while(s, led ? cz_backoff_ms(0, 1000, 1000) : cz_backoff_ms(0, 600, 600));
    }
    return NULL;
}
