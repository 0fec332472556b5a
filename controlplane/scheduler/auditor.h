/* SPDX-License-Identifier: Apache-2.0 */
/** Keeps the audit log: seals, retention, export; see auditor.c.  @thread any */
#ifndef CZ_SCHED_AUDITOR_H
#define CZ_SCHED_AUDITOR_H

#include "cz/audit_store.h"
#include "cz/buf.h"
#include "cz/kafka.h"
#include "cz/thread.h"

/* ---- audit_export.c: events and seals to a topic --------------------------------------------- */

struct cz_audit_export;
struct cz_audit_export *cz_audit_export_new(struct cz_store *store,
                                            struct cz_cluster *control,
                                            const char *group_id,
                                            const char *topic);
void cz_audit_export_free(struct cz_audit_export *x);
/** Write what is decided and not written yet, at most one batch, and remember how far that is.
 *  Blocks for some seconds at most; returns early when *stop.
 *  @param ret_events written now  @param ret_more call again at once */
CZ_MUST_USE enum cz_err cz_audit_export_step(struct cz_audit_export *x,
                                             const _Atomic bool *stop,
                                             int64_t *ret_events,
                                             bool *ret_more,
                                             struct cz_error *err);
/** The CloudEvent of an event or a seal, for its test. New reference. */
json_t *cz_audit_cloud_event(const char *group_id, const struct cz_audit_event *e);
json_t *cz_audit_cloud_seal(const char *group_id, const struct cz_seal *s);

/* ---- auditor.c ------------------------------------------------------------------------------- */

struct cz_auditor_options {
    struct cz_store *store;     /* borrowed, as the next two */
    struct cz_cluster *control;
    const char *group_id;
    int seal_ms;                /* 0: no seals */
    char *topic;                /* NULL: no export */
};
struct cz_auditor {
    struct cz_auditor_options o;
    struct cz_thread thread;
    bool started;
    _Atomic bool stop;
    struct cz_mutex lock; /* what follows */
    struct cz_cond wake;
    bool leads;
    cz_time sealed_at;    /* when all was sealed last, or when we began to lead */
    int64_t seals, broken, exported, dropped;
    bool export_tried, export_ok;
    /* the thread's own */
    struct cz_seal last;  /* that this instance made, or found made */
    struct cz_audit_export *export;
    cz_time seal_due, keep_due, export_due;
    unsigned export_failures;
};
/** With the options set. */
void cz_auditor_start(struct cz_auditor *a);
void cz_auditor_lead(struct cz_auditor *a, bool leads);
void cz_auditor_stop(struct cz_auditor *a); /* joins */
void cz_auditor_metrics(struct cz_auditor *a, struct cz_buf *out);

#endif
