/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the audit log, on the leading instance and on a thread of its own, so that neither a slow
 * database nor a Kafka that is away holds up anything else: seals what was written, each seal with a line
 * in the log (a root that somebody keeps elsewhere is what makes a chain worth anything), makes and
 * drops the months' partitions, and writes events and seals to the audit topic.  Two instances that
 * both believe to lead do no harm: a number of a seal is given once, and the topic is at least once. */
#include <string.h>

#include "auditor.h"
#include "cz/alloc.h"
#include "cz/log.h"
#include "cz/metrics.h"
#include "cz/util.h"

enum { TICK_MS = 500, SEALS_AT_ONCE = 200, RETRY_MS = 2000, KEEP_MS = 3600 * 1000 };

static void say(const char *what, const struct cz_error *err)
{
    CZ_LOG_EVERY(30000, CZ_LOG_WARN, "audit", "%s: %s", what, err->text);
}

/* ---- seals ----------------------------------------------------------------------------------- */

/* The seal that we know to be the newest must still be what it was. */
static enum cz_err look_back(struct cz_auditor *a, struct cz_error *err)
{
    struct cz_seal_list l = {0};
    enum cz_err rc = cz_store_seals(a->o.store, 0, -1, 1, &l, err);
    if (rc == CZ_OK && l.len > 0 && l.items[0].n > a->last.n) {
        cz_seal_list_done(&l); /* another instance went on */
        rc = cz_store_seals(a->o.store, a->last.n + 1, -1, 1, &l, err);
    }
    if (rc == CZ_OK && a->last.n > 0 &&
        (l.len == 0 || l.items[0].n != a->last.n || !cz_streq(l.items[0].root, a->last.root))) {
        cz_log(CZ_LOG_ERROR, "audit", "seal n=%lld root=%s was changed or removed: run citizenk audit verify",
               (long long)a->last.n, a->last.root);
        CZ_LOCKED(&a->lock);
        a->broken++;
    }
    cz_seal_list_done(&l);
    return rc;
}

static enum cz_err seal_all(struct cz_auditor *a, struct cz_error *err)
{
    bool more = true;
    enum cz_err rc = look_back(a, err);
    for (int i = 0; rc == CZ_OK && more && i < SEALS_AT_ONCE && !a->stop; i++) {
        struct cz_seal s = {0};
        rc = cz_store_seal(a->o.store, &s, &more, err);
        if (rc != CZ_OK || s.n == 0)
            continue;
        cz_log(CZ_LOG_INFO, "audit", "sealed n=%lld root=%s change=%lld event=%lld", (long long)s.n,
               s.root, (long long)s.change_seq, (long long)s.event_id);
        a->last = s;
        CZ_LOCKED(&a->lock);
        a->seals++;
    }
    if (rc == CZ_OK && !more) {
        CZ_LOCKED(&a->lock);
        a->sealed_at = cz_now();
    }
    return rc;
}

static void seal_when_due(struct cz_auditor *a)
{
    struct cz_error err = CZ_ERROR_INIT;
    if (a->o.seal_ms <= 0 || cz_now() < a->seal_due)
        return;
    enum cz_err rc = seal_all(a, &err);
    int again = RETRY_MS < a->o.seal_ms ? RETRY_MS : a->o.seal_ms;
    a->seal_due = cz_deadline_ms(rc == CZ_OK ? a->o.seal_ms : again);
    if (rc == CZ_E_CONFLICT) /* the other one has sealed it */
        a->last = (struct cz_seal){0};
    else if (rc != CZ_OK)
        say("cannot seal", &err);
}

/* ---- months ---------------------------------------------------------------------------------- */

static void keep_when_due(struct cz_auditor *a)
{
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_audit_kept_list l = {0};
    if (cz_now() < a->keep_due)
        return;
    enum cz_err rc = cz_store_audit_keep(a->o.store, &l, &err);
    a->keep_due = cz_deadline_ms(rc == CZ_OK ? KEEP_MS : 10 * RETRY_MS);
    if (rc != CZ_OK)
        say("cannot look after the months", &err);
    for (size_t i = 0; i < l.len; i++) {
        cz_log(CZ_LOG_INFO, "audit", "month %s month=%s events=%lld", l.items[i].what, l.items[i].month,
               (long long)l.items[i].events);
        CZ_LOCKED(&a->lock);
        if (cz_streq(l.items[i].what, "dropped"))
            a->dropped += l.items[i].events;
    }
    cz_free(l.items);
}

/* ---- export ---------------------------------------------------------------------------------- */

/* @return there is more to do at once */
static bool export_when_due(struct cz_auditor *a)
{
    struct cz_error err = CZ_ERROR_INIT;
    int64_t events = 0;
    bool more = false;
    if (!a->o.topic || cz_now() < a->export_due)
        return false;
    if (!a->export)
        a->export = cz_audit_export_new(a->o.store, a->o.control, a->o.group_id, a->o.topic);
    enum cz_err rc = cz_audit_export_step(a->export, &a->stop, &events, &more, &err);
    a->export_failures = rc == CZ_OK ? 0 : a->export_failures + 1;
    a->export_due = rc == CZ_OK ? 0 : cz_deadline_ms(cz_backoff_ms(a->export_failures, 500, 15000));
    if (rc != CZ_OK && !a->stop)
        say("cannot write to the audit topic", &err);
    CZ_LOCKED(&a->lock);
    a->exported += events;
    a->export_tried = true;
    a->export_ok = rc == CZ_OK;
    return rc == CZ_OK && more;
}

/* ---- the thread ------------------------------------------------------------------------------ */

static void forget(struct cz_auditor *a)
{
    cz_audit_export_free(a->export);
    a->export = NULL;
    a->last = (struct cz_seal){0};
    a->seal_due = a->keep_due = a->export_due = 0;
    a->export_failures = 0;
}

static void *auditor_main(void *arg)
{
    struct cz_auditor *a = arg;
    cz_mutex_lock(&a->lock);
    while (!a->stop) {
        bool leads = a->leads, more = false;
        cz_mutex_unlock(&a->lock);
        if (leads) {
            keep_when_due(a);
            seal_when_due(a);
            more = export_when_due(a);
        } else
            forget(a);
        cz_mutex_lock(&a->lock);
        if (!more && !a->stop)
            cz_cond_wait(&a->wake, &a->lock, cz_deadline_ms(TICK_MS));
    }
    cz_mutex_unlock(&a->lock);
    forget(a);
    return NULL;
}

void cz_auditor_start(struct cz_auditor *a)
{
    a->started = true;
    cz_mutex_init(&a->lock);
    cz_cond_init(&a->wake);
    cz_thread_start(&a->thread, "cz-audit", auditor_main, a);
}

void cz_auditor_lead(struct cz_auditor *a, bool leads)
{
    if (!a->started)
        return;
    CZ_LOCKED(&a->lock);
    if (leads && !a->leads)
        a->sealed_at = cz_now();
    a->leads = leads;
}

void cz_auditor_stop(struct cz_auditor *a)
{
    if (!a->started)
        return;
    cz_mutex_lock(&a->lock);
    a->stop = true;
    cz_cond_broadcast(&a->wake);
    cz_mutex_unlock(&a->lock);
    cz_thread_join(&a->thread);
    cz_cond_done(&a->wake);
    cz_mutex_done(&a->lock);
    a->started = false;
}

static void one(struct cz_buf *out, const char *name, const char *type, const char *help, double v)
{
    cz_prom_family(out, name, type, help);
    cz_prom_sample(out, name, v, NULL);
}

void cz_auditor_metrics(struct cz_auditor *a, struct cz_buf *out)
{
    if (!a->started)
        return;
    CZ_LOCKED(&a->lock);
    if (a->leads && a->o.seal_ms > 0)
        one(out, "citizenk_audit_seal_age_seconds", "gauge",
            "Since all of history and audit log was sealed last; only on the instance that leads.",
            (double)(cz_now() - a->sealed_at) / 1e9);
    one(out, "citizenk_audit_seals_total", "counter", "Seals made by this instance.", (double)a->seals);
    one(out, "citizenk_audit_seals_broken_total", "counter",
        "Times that the newest seal known to this instance was not there as it was made.",
        (double)a->broken);
    one(out, "citizenk_audit_events_dropped_total", "counter",
        "Events that this instance dropped with their month, by retention.", (double)a->dropped);
    if (!a->o.topic)
        return;
    one(out, "citizenk_audit_exported_total", "counter",
        "Events and seals that this instance wrote to the audit topic.", (double)a->exported);
    if (a->leads && a->export_tried)
        one(out, "citizenk_audit_export_up", "gauge",
            "1 when the audit topic took the last batch; only on the instance that leads.", a->export_ok);
}
