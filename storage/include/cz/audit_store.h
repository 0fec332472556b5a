/* SPDX-License-Identifier: Apache-2.0 */
/** The audit log as it is kept: reading events, sealing them together with the history, comparing what is
 *  stored with the seals, letting old months go, and how far all of it is written elsewhere.  Events come
 *  in by cz_store_write(), cz_store_audit() and their like (cz/storage.h).
 *
 *  A seal covers the rows of `change`, `revision` and `audit_event` since the seal before; its root is a
 *  SHA-256 over the root before and hashes of these rows.  So no row can be changed, removed or put in
 *  between without another root, and who has a root from outside (log, topic) notices a rewritten chain.
 *
 *  Only the store in PostgreSQL has these functions; the one in memory keeps no events and answers
 *  CZ_E_UNAVAILABLE.  @thread any, not inside a write */
#ifndef CZ_AUDIT_STORE_H
#define CZ_AUDIT_STORE_H

#include "cz/storage.h"

struct cz_audit_event {
    int64_t id, at_ms;
    char *team, *actor, *actor_id, *token_id, *via, *action, *outcome; /* NULL: not known, or none */
    int64_t seq; /* of the change; 0: none */
    char *request_id, *trace_id, *ip;
    json_t *detail; /* NULL: none */
};
struct cz_audit_list { struct cz_audit_event *items; size_t len, cap; };
void cz_audit_list_done(struct cz_audit_list *l);

/** Borrowed strings; NULL and 0: any. */
struct cz_audit_filter {
    const char *team, *actor, *outcome, *request_id;
    const char *action; /* exact, or with a * at its end the begin of it: "mapping.*" */
    const char *name;   /* of an object that the change touched, or that the event's detail names */
    int64_t seq, from_ms, to_ms; /* from <= at < to */
    int64_t before;     /* id < before */
    int limit;          /* 0: none */
};
/** Newest first. */
CZ_MUST_USE enum cz_err cz_store_audit_list(struct cz_store *s, const struct cz_audit_filter *f,
                                            struct cz_audit_list *ret, struct cz_error *err);
/** The id up to which nothing can be added any more: ids are given before their transaction ends.
 *  CZ_E_UNAVAILABLE|RETRIABLE when somebody who adds an event takes long; nobody waits for us longer. */
CZ_MUST_USE enum cz_err cz_store_audit_decided(struct cz_store *s, int64_t *ret_id, struct cz_error *err);
/** Events with after < id <= upto, oldest first. */
CZ_MUST_USE enum cz_err cz_store_audit_next(struct cz_store *s, int64_t after, int64_t upto, int limit,
                                            struct cz_audit_list *ret, struct cz_error *err);

#define CZ_ROOT_SIZE 65
struct cz_seal {
    int64_t n, at_ms;
    int64_t change_seq, event_id;       /* everything up to these */
    int64_t changes, revisions, events; /* rows of this seal */
    char root[CZ_ROOT_SIZE];            /* hex */
};
struct cz_seal_list { struct cz_seal *items; size_t len, cap; };
void cz_seal_list_done(struct cz_seal_list *l);
/** @before n < before, newest first; 0: from the newest on.  @after >= 0: n > after, oldest first. */
CZ_MUST_USE enum cz_err cz_store_seals(struct cz_store *s, int64_t before, int64_t after, int limit,
                                       struct cz_seal_list *ret, struct cz_error *err);
/** Seal what is decided and not sealed, a bounded number of rows.
 *  @param ret  n 0: there was nothing  @param ret_more there is more to seal now
 *  CZ_E_CONFLICT: another instance sealed at the same time. */
CZ_MUST_USE enum cz_err cz_store_seal(struct cz_store *s, struct cz_seal *ret, bool *ret_more,
                                      struct cz_error *err);

/** A root that somebody kept elsewhere. */
struct cz_seal_anchor {
    int64_t n;
    const char *root; /* hex */
};
struct cz_audit_check {
    bool ok;            /* all that was compared holds */
    bool complete;      /* up to the newest seal */
    int64_t upto;       /* number of the last seal that was compared: where to go on */
    int64_t seals, changes, revisions, events; /* compared */
    int64_t dropped;    /* events that went with their month, by retention */
    char dropped_to[8]; /* "2025-10": this month and all before; "": none */
    struct cz_seal last; /* the newest seal; n 0: none */
    int64_t unsealed_changes, unsealed_events;
    /* what does not hold; ok: all 0 */
    int64_t bad_seal;   /* 0: behind the last seal */
    char bad_part[24];  /* "seal", "root", "change", "revision", "event 2026-11" */
    char bad_what[12];  /* "changed", "missing", "added", "differs" */
    int64_t bad_row;    /* seq or id of the first one; 0: not known */
    int64_t bad_rows;   /* how many rows differ in this part; 0: not known */
    int64_t bad_from, bad_to; /* the rows that the seal covers: from <= row <= to */
    char text[256];     /* for people */
};
/** Compute it again from the seal after @after on, in bounded statements, until the end, the first thing
 *  that does not hold, or @deadline (then not complete: go on at upto). */
CZ_MUST_USE enum cz_err cz_store_audit_verify(struct cz_store *s, int64_t after,
                                              const struct cz_seal_anchor *anchors, size_t n,
                                              cz_time deadline, struct cz_audit_check *ret,
                                              struct cz_error *err);

struct cz_audit_kept { char what[12]; char month[8]; int64_t events; }; /* "created", "dropped" */
struct cz_audit_kept_list { struct cz_audit_kept *items; size_t len, cap; };
/** Make the partitions of the next months, and drop months that are older than the owner's policy says
 *  and completely sealed; each one that goes is an event. @param ret free items with cz_free */
CZ_MUST_USE enum cz_err cz_store_audit_keep(struct cz_store *s, struct cz_audit_kept_list *ret,
                                            struct cz_error *err);
/** For how many months beside the current one events are kept: only the owner of the tables may say. */
CZ_MUST_USE enum cz_err cz_store_audit_policy(const char *conninfo, int keep_months, struct cz_error *err);

/** How far events and seals were written to @topic. 0: nothing. */
struct cz_audit_position { int64_t event_id, seal_n; };
CZ_MUST_USE enum cz_err cz_store_audit_position(struct cz_store *s, const char *topic,
                                                struct cz_audit_position *ret, struct cz_error *err);
CZ_MUST_USE enum cz_err cz_store_audit_set_position(struct cz_store *s, const char *topic,
                                                    const struct cz_audit_position *p,
                                                    struct cz_error *err);

#endif
