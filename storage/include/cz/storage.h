/* SPDX-License-Identifier: Apache-2.0 */
/** The store of the control plane: teams, resources, history, the outbox to the config topic and
 *  the leadership.  One interface, two implementations: storage/postgres (production) and
 *  storage/memory (tests).  The service layer knows only this header.
 *
 *  Model (guide: control-plane, section 4).  One write = one `change` with a gap-free,
 *  commit-ordered number `seq`; it is the version (ETag) of everything it touched, the watch cursor
 *  and the revision on the config topic.  `revision` keeps a full snapshot per touched object,
 *  `resource` the current state, `outbox` what must reach the config topic, `config_record` what
 *  the config topic should hold (so that a lost topic heals), `audit_event` who did or tried what.
 *
 *  Ownership: functions that return objects give them to the caller, who frees them with the
 *  matching _free/_done; strings in filters and metas are borrowed.
 *  Threads: a cz_store may be used from any thread; a cz_tx only inside its callback.
 *  Errors: CZ_E_UNAVAILABLE|RETRIABLE when the database is away or the pool is exhausted,
 *  CZ_E_NOT_FOUND, CZ_E_STALE, CZ_E_CONFLICT as said below, CZ_E_INTERNAL for our own bugs.
 *  CZ_E_UNAVAILABLE without RETRIABLE (state "08007") comes only from cz_store_write: the database
 *  was lost during the commit and stayed away, so it is not known whether the change was made. */
#ifndef CZ_STORAGE_H
#define CZ_STORAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cz/error.h"
#include "cz/time.h"

struct cz_store;
struct cz_tx;

/* X(enum, name in documents and SQL, collection in URLs) */
#define CZ_KIND_MAP(X)                                                                         \
    X(CZ_KIND_CLUSTER, "cluster", "clusters")                                                  \
    X(CZ_KIND_MAPPING, "mapping", "mappings")                                                  \
    X(CZ_KIND_TEMPLATE, "template", "templates")                                               \
    X(CZ_KIND_INSTANCE, "instance", "instances")                                               \
    X(CZ_KIND_VALUE_MAP, "value_map", "value-maps")                                            \
    X(CZ_KIND_TEAM, "team", "teams") /* a team's settings; bears the team's name */             \
    X(CZ_KIND_BINDING, "binding", "bindings")                                                  \
    X(CZ_KIND_GRANT, "grant", "grants")
enum cz_kind {
#define X(e, name, coll) e,
    CZ_KIND_MAP(X)
#undef X
        CZ_KIND_COUNT_
};
const char *cz_kind_name(enum cz_kind k);
const char *cz_kind_collection(enum cz_kind k);
bool cz_kind_parse(const char *name_or_collection, enum cz_kind *ret);

/* X(enum, name) operations of a revision */
#define CZ_OP_MAP(X)                                                                           \
    X(CZ_OP_CREATE, "create")                                                                  \
    X(CZ_OP_UPDATE, "update")                                                                  \
    X(CZ_OP_DELETE, "delete")                                                                  \
    X(CZ_OP_RESTORE, "restore")                                                                \
    X(CZ_OP_OVERRIDE, "override") /* pause, resume, restart: outside the spec */               \
    X(CZ_OP_ADOPT, "adopt")       /* a set became its owner */                                 \
    X(CZ_OP_RELEASE, "release")   /* its set let it go */
enum cz_op {
#define X(e, name) e,
    CZ_OP_MAP(X)
#undef X
        CZ_OP_COUNT_
};
const char *cz_op_name(enum cz_op op);

struct cz_resource {
    char *team;
    enum cz_kind kind;
    char *name;
    char *uid;          /* immutable; a name created again gets a new one */
    int64_t generation; /* +1 when doc.spec changes (1 = created) */
    int64_t version;    /* seq of the last change: the ETag */
    char *managed_by;   /* NULL: UI or API; else "instance:<name>" or "set:<name>" */
    json_t *doc;        /* {"group","labels","description","spec"}: what the user wrote */
    json_t *override;   /* {"paused","reason","until","restart"}; NULL: none */
    int64_t deleted_seq; /* 0: alive */
    int64_t created_ms, updated_ms;
};
void cz_resource_done(struct cz_resource *r);

struct cz_resource_list {
    struct cz_resource *items;
    size_t len, cap;
};
void cz_resource_list_done(struct cz_resource_list *l);

/** Who makes a change, and why. Borrowed strings; NULL = unknown. */
struct cz_change_meta {
    const char *team;  /* NULL: platform-wide */
    const char *actor; /* principal's name as it is now */
    const char *actor_id;
    const char *token_id; /* API token that it was made with; NULL: none */
    const char *via;   /* "api", "cli", "ui", "git", "system" */
    const char *comment;
    const char *request_id;
    const char *trace_id;
    const char *ip;
    const char *action; /* verb for the audit event: "mapping.update", … */
    int64_t reverts;    /* seq of the change that this one rolls back, 0 = none */
    const char *set_name, *git_commit, *plan_hash; /* of the apply of a set; may be set by the body */
};

struct cz_change {
    int64_t seq;
    int64_t at_ms;
    char *team, *actor, *via, *comment, *request_id;
    char *actor_id, *token_id, *trace_id, *ip; /* NULL: not known, or none */
    int64_t reverts;
    int created, updated, deleted; /* counts of objects */
    char *set_name, *git_commit, *plan_hash; /* NULL: not the apply of a set */
};
struct cz_revision {
    int64_t seq;        /* of its change */
    char *team;
    enum cz_kind kind;
    char *name, *uid;
    int64_t generation; /* after the change */
    enum cz_op op;
    json_t *doc;      /* full snapshot after the change; for delete: the last one before */
    json_t *override; /* NULL: none */
    int64_t at_ms;
    char *actor, *via, *comment;
    char *managed_by; /* after the change; NULL: nobody */
};
void cz_change_done(struct cz_change *c);
void cz_revision_done(struct cz_revision *r);
struct cz_change_list { struct cz_change *items; size_t len, cap; };
struct cz_revision_list { struct cz_revision *items; size_t len, cap; };
void cz_change_list_done(struct cz_change_list *l);
void cz_revision_list_done(struct cz_revision_list *l);

/* ---- reading ------------------------------------------------------------------------------ */

/** @param team a live team. CZ_E_NOT_FOUND when there is none alive by that name. */
CZ_MUST_USE enum cz_err cz_store_get(struct cz_store *s, const char *team, enum cz_kind kind,
                                     const char *name, struct cz_resource *ret, struct cz_error *err);
/** The object of this uid, also when it is deleted (then deleted_seq is set). */
CZ_MUST_USE enum cz_err cz_store_get_uid(struct cz_store *s, const char *uid, struct cz_resource *ret,
                                         struct cz_error *err);

struct cz_list_filter {
    const char *team;   /* NULL: all teams */
    enum cz_kind kind;  /* CZ_KIND_COUNT_: all kinds */
    const char *group;  /* exact; NULL: any */
    const char *name_contains; /* ASCII letters in any case; NULL: any */
    const char *label_key, *label_value; /* NULL: any */
    const char *managed_by; /* exact; NULL: any */
    const char *managed_prefix; /* it begins so; NULL: any */
    const char *consumer_group; /* doc.spec.consumer_group, exact; NULL: any */
    const char *group_bearer; /* renamed, and bore this name before (override.group_name); NULL: any */
    const char *source_cluster; /* doc.spec.source.cluster, exact; NULL: any */
    const char *source_topic;   /* with it: doc.spec.source.topic, or none there (a list, a pattern) */
    const char *after_team, *after_name; /* keyset cursor: (team, name) greater than; NULL: from the start */
    int limit;          /* 0: no limit */
};
/** Ordered by (team, kind, name) bytewise. @param ret_seq the store's seq that the list reflects (may be NULL). */
CZ_MUST_USE enum cz_err cz_store_list(struct cz_store *s, const struct cz_list_filter *f,
                                      struct cz_resource_list *ret, int64_t *ret_seq, struct cz_error *err);

struct cz_change_filter {
    const char *team, *actor, *via; /* NULL: any */
    const char *set_name;           /* applied by this set; NULL: any */
    const char *actor_id;           /* of the principal; NULL: any */
    const char *commit;             /* begin of the Git commit; NULL: any */
    const char *const *teams;       /* only of these, beside @team; NULL: any */
    size_t teams_len;
    enum cz_kind kind;              /* CZ_KIND_COUNT_: any */
    const char *name;               /* object name; NULL: any */
    int64_t before; /* seq < before, newest first; 0: newest */
    int64_t after;  /* > 0: seq > after, oldest first instead */
    int limit;
};
CZ_MUST_USE enum cz_err cz_store_changes(struct cz_store *s, const struct cz_change_filter *f,
                                         struct cz_change_list *ret, struct cz_error *err);
CZ_MUST_USE enum cz_err cz_store_change(struct cz_store *s, int64_t seq, struct cz_change *ret,
                                        struct cz_revision_list *ret_revisions, struct cz_error *err);
/** Revisions of the object that bears, or last bore, this name; newest first.
 *  @before seq bound, 0 = newest. CZ_E_NOT_FOUND when there never was one. */
CZ_MUST_USE enum cz_err cz_store_revisions(struct cz_store *s, const char *team, enum cz_kind kind,
                                           const char *name, int64_t before, int limit,
                                           struct cz_revision_list *ret, struct cz_error *err);
/** Of each object that change @seq touched, the revision that it had before; none for what it
 *  created.  By uid, in no order. */
CZ_MUST_USE enum cz_err cz_store_before(struct cz_store *s, int64_t seq,
                                        struct cz_revision_list *ret, struct cz_error *err);
CZ_MUST_USE enum cz_err cz_store_seq(struct cz_store *s, int64_t *ret_seq, struct cz_error *err);
/** Wait until the store's seq is > @after or @deadline. Returns CZ_OK either way; only a database
 *  that could never be asked is CZ_E_UNAVAILABLE. */
CZ_MUST_USE enum cz_err cz_store_wait(struct cz_store *s, int64_t after, cz_time deadline,
                                      int64_t *ret_seq, struct cz_error *err);
/** Names of live teams, sorted. The caller frees each with cz_free and the array too. */
CZ_MUST_USE enum cz_err cz_store_teams(struct cz_store *s, char ***ret, size_t *ret_len, struct cz_error *err);
/** Create the team when absent. */
CZ_MUST_USE enum cz_err cz_store_put_team(struct cz_store *s, const char *team,
                                          const struct cz_change_meta *meta, struct cz_error *err);

/** A set of a team: what was applied last, and whether anything may be applied. */
struct cz_set_state {
    char *team, *name;
    char *repo, *commit;              /* of the last apply; NULL: not said */
    int64_t applied_seq, applied_ms;  /* 0: never */
    char *applied_by;
    bool suspended;
    int64_t suspended_seq, suspended_ms; /* the change that did it; 0: by hand */
    char *suspended_by, *suspended_reason;
    char *blocked_commit;             /* NULL: none */
    int64_t members;                  /* objects that it owns; read only */
};
struct cz_set_state_list { struct cz_set_state *items; size_t len, cap; };
void cz_set_state_done(struct cz_set_state *s);
void cz_set_state_list_done(struct cz_set_state_list *l);
/** An object as the set's last apply left it: it had the version @seq then. */
struct cz_set_member {
    enum cz_kind kind;
    char *name, *uid;
    int64_t seq;
};
struct cz_set_member_list { struct cz_set_member *items; size_t len, cap; };
void cz_set_member_list_done(struct cz_set_member_list *l);
/** The sets of a team by name, or the one of this name (@name NULL: all). */
CZ_MUST_USE enum cz_err cz_store_sets(struct cz_store *s, const char *team, const char *name,
                                      struct cz_set_state_list *ret, struct cz_error *err);
/** Its members by (kind, name), as the last apply, adopt or release left them. */
CZ_MUST_USE enum cz_err cz_store_set_members(struct cz_store *s, const char *team, const char *name,
                                             struct cz_set_member_list *ret, struct cz_error *err);
/** A member that has another version than the set's last apply left. */
struct cz_set_moved {
    struct cz_set_member was;
    json_t *doc;            /* of the version was.seq; NULL: not known */
    struct cz_resource now; /* maybe deleted */
    int64_t seq, at_ms;     /* the newest change of it */
    char *actor, *comment;
};
struct cz_set_moved_list { struct cz_set_moved *items; size_t len, cap; };
void cz_set_moved_list_done(struct cz_set_moved_list *l);
/** By (kind, name). */
CZ_MUST_USE enum cz_err cz_store_set_moved(struct cz_store *s, const char *team, const char *name,
                                           struct cz_set_moved_list *ret, struct cz_error *err);
/** Version of what says who may do what (teams' settings, bindings, grants): the seq of the last
 *  change that touched one. */
CZ_MUST_USE enum cz_err cz_store_access_version(struct cz_store *s, int64_t *ret, struct cz_error *err);

/** The second fence between teams: until cz_store_scope_all() the calling thread sees and writes
 *  resources, revisions and changes of these teams only, whatever its calls ask for.  A thread
 *  that never called this one sees all.  @teams copied */
void cz_store_scope(const char *const *teams, size_t n);
void cz_store_scope_all(void);
/** For what is shared between requests (caches): see all until resumed, whoever asks. */
void cz_store_scope_suspend(void);
void cz_store_scope_resume(void);

/* ---- writing ------------------------------------------------------------------------------ */

/** Body of a write. Runs in one transaction with the epoch row locked, so it sees and makes a
 *  consistent state; it may run again after a retriable failure, so it must have no other effect.
 *  A code other than CZ_OK rolls everything back. It may call cz_tx_* only: a cz_store_* call on
 *  its thread would wait for itself, and asserts. */
typedef enum cz_err (*cz_write_fn)(struct cz_tx *tx, void *arg, struct cz_error *err);

/** One change. When @fn put nothing, no change is made and *ret_seq is the current seq.
 *  @dry_run: run everything, then roll back (*ret_seq = the number it would have had). */
CZ_MUST_USE enum cz_err cz_store_write(struct cz_store *s, const struct cz_change_meta *meta,
                                       bool dry_run, cz_write_fn fn, void *arg,
                                       int64_t *ret_seq, struct cz_error *err);

/** The number this write will have. */
int64_t cz_tx_seq(const struct cz_tx *tx);
CZ_MUST_USE enum cz_err cz_tx_get(struct cz_tx *tx, const char *team, enum cz_kind kind,
                                  const char *name, struct cz_resource *ret, struct cz_error *err);
CZ_MUST_USE enum cz_err cz_tx_list(struct cz_tx *tx, const struct cz_list_filter *f,
                                   struct cz_resource_list *ret, struct cz_error *err);
/** The newest revision of generation @generation, deletions excepted, of the object that bears, or
 *  bore last, this name (so that a deleted object can be restored, as a new one). */
CZ_MUST_USE enum cz_err cz_tx_revision(struct cz_tx *tx, const char *team, enum cz_kind kind,
                                       const char *name, int64_t generation,
                                       struct cz_revision *ret, struct cz_error *err);
/** Create or update (team, kind, name) with @doc and @override (NULL: none), and write its
 *  revision. The store sets uid (new: cz_uid), generation (+1 only when doc.spec differs) and
 *  version. An identical doc, override and managed_by is a no-op.
 *  @op CREATE, UPDATE, RESTORE or OVERRIDE, for the history.
 *  @param ret the stored state, may be NULL. Team unknown → CZ_E_NOT_FOUND. */
CZ_MUST_USE enum cz_err cz_tx_put(struct cz_tx *tx, const char *team, enum cz_kind kind,
                                  const char *name, const json_t *doc, const json_t *override,
                                  const char *managed_by, enum cz_op op,
                                  struct cz_resource *ret, struct cz_error *err);
CZ_MUST_USE enum cz_err cz_tx_delete(struct cz_tx *tx, const char *team, enum cz_kind kind,
                                     const char *name, struct cz_error *err);
/** Another name for an object, as an update of it: uid, generation and history stay.
 *  CZ_E_CONFLICT: the name is taken. */
CZ_MUST_USE enum cz_err cz_tx_rename(struct cz_tx *tx, const char *team, enum cz_kind kind,
                                     const char *name, const char *new_name, struct cz_error *err);

/** For writes of many objects: read those that bear one of these names, and those that @managed_by
 *  (NULL: none) owns, at once.  From here on what was read is remembered, and what is put, deleted
 *  and published is sent together, at the end or before the next list; an object that is put twice
 *  in the change has one revision.  @param ret what was found; its documents are shared with the
 *  store: not to be changed */
struct cz_tx_ref { enum cz_kind kind; const char *name; };
CZ_MUST_USE enum cz_err cz_tx_load(struct cz_tx *tx, const char *team, const struct cz_tx_ref *refs,
                                   size_t n, const char *managed_by, struct cz_resource_list *ret,
                                   struct cz_error *err);
/** After cz_tx_load(): the @i-th object that this write has touched so far, in no order; borrowed,
 *  valid until the next call with @tx.  @ret_before NULL: it was not there; @ret_after NULL: it is
 *  deleted.  false: no more. */
bool cz_tx_touched(struct cz_tx *tx, size_t i, const struct cz_resource **ret_before,
                   const struct cz_resource **ret_after);
/** The mappings of all teams that read one of these topics (or may do so: a list or a pattern) from a
 *  cluster of one of these names. */
struct cz_tx_places { const char *const *clusters; size_t clusters_len; const char *const *topics; size_t topics_len; };
CZ_MUST_USE enum cz_err cz_tx_readers(struct cz_tx *tx, const struct cz_tx_places *of,
                                      struct cz_resource_list *ret, struct cz_error *err);

/** The mappings of a team that name one of these consumer groups, or that bore one of these names
 *  before they were renamed. */
struct cz_tx_groups { const char *const *groups; size_t groups_len; const char *const *bearers; size_t bearers_len; };
CZ_MUST_USE enum cz_err cz_tx_committers(struct cz_tx *tx, const char *team, const struct cz_tx_groups *of,
                                         struct cz_resource_list *ret, struct cz_error *err);

CZ_MUST_USE enum cz_err cz_tx_set(struct cz_tx *tx, const char *team, const char *name,
                                  struct cz_set_state *ret, bool *ret_found, struct cz_error *err);
/** Create or replace it; a row that differs makes the write a change. */
CZ_MUST_USE enum cz_err cz_tx_put_set(struct cz_tx *tx, const struct cz_set_state *set,
                                      struct cz_error *err);
CZ_MUST_USE enum cz_err cz_tx_delete_set(struct cz_tx *tx, const char *team, const char *name,
                                         struct cz_error *err);
/** These are members of the set now, in these versions (other members stay). */
CZ_MUST_USE enum cz_err cz_tx_put_members(struct cz_tx *tx, const char *team, const char *set,
                                          const struct cz_set_member *members, size_t n,
                                          struct cz_error *err);
CZ_MUST_USE enum cz_err cz_tx_drop_members(struct cz_tx *tx, const char *team, const char *set,
                                           const struct cz_set_member *members, size_t n,
                                           struct cz_error *err);
/** Within a scope: from here on (@all false: until here) this write sees all teams, for checks that
 *  concern more than one; what they find of others is not the caller's to be told. */
CZ_MUST_USE enum cz_err cz_tx_see_all(struct cz_tx *tx, bool all, struct cz_error *err);
/** Create the team when absent, as a part of this write. */
CZ_MUST_USE enum cz_err cz_tx_put_team(struct cz_tx *tx, const char *team, struct cz_error *err);
/** An audit event that is there when, and only when, the write is. */
CZ_MUST_USE enum cz_err cz_tx_audit(struct cz_tx *tx, const struct cz_change_meta *meta,
                                    const char *outcome, const json_t *detail, struct cz_error *err);
/** What the config topic shall hold for @key from this change on (NULL: a tombstone). The value
 *  has no `v`, `revision` and `epoch` yet: the publisher stamps them. A value that the topic
 *  holds already, and a tombstone of a key that it does not hold, are no-ops. */
CZ_MUST_USE enum cz_err cz_tx_publish(struct cz_tx *tx, const char *key, const json_t *value,
                                      struct cz_error *err);

/** Audit event without a change (denials, tries, peeks). */
CZ_MUST_USE enum cz_err cz_store_audit(struct cz_store *s, const struct cz_change_meta *meta,
                                       const char *outcome, const json_t *detail, struct cz_error *err);

/** How far something that must be done once for an object is done: a number by object and name that
 *  outlives a leader and is no change of the object.  @param ret 0: never set */
CZ_MUST_USE enum cz_err cz_store_mark(struct cz_store *s, const char *uid, const char *name,
                                      int64_t *ret, struct cz_error *err);
/** Set it, together with the audit event of @meta and @detail (outcome "ok"). */
CZ_MUST_USE enum cz_err cz_store_set_mark(struct cz_store *s, const char *uid, const char *name,
                                          int64_t value, const struct cz_change_meta *meta,
                                          const json_t *detail, struct cz_error *err);

/** The last report about an object by name, made by one instance and shown by all; no change of the
 *  object.  CZ_E_NOT_FOUND: there is no object of this uid. */
CZ_MUST_USE enum cz_err cz_store_put_report(struct cz_store *s, const char *uid, const char *name,
                                            const json_t *value, struct cz_error *err);
/** @uid NULL: of all objects that are not deleted.  @param ret {uid: value}, new reference */
CZ_MUST_USE enum cz_err cz_store_reports(struct cz_store *s, const char *name, const char *uid,
                                         json_t **ret, struct cz_error *err);

/* ---- the leader's side -------------------------------------------------------------------- */

struct cz_config_record {
    int64_t seq;
    char *key;
    json_t *value; /* NULL: tombstone */
    char *trace_id; /* of the change, NULL: none */
};
struct cz_config_record_list { struct cz_config_record *items; size_t len, cap; };
void cz_config_record_list_done(struct cz_config_record_list *l);

/** Unpublished outbox rows in (seq, n) order, whole changes only; at most about @limit rows. */
CZ_MUST_USE enum cz_err cz_store_outbox(struct cz_store *s, int limit,
                                        struct cz_config_record_list *ret, struct cz_error *err);
/** Everything up to and with @seq is published by the leader of @epoch. CZ_E_FENCED when a newer
 *  epoch exists. */
CZ_MUST_USE enum cz_err cz_store_outbox_done(struct cz_store *s, int64_t epoch, int64_t seq,
                                             struct cz_error *err);
/** What the config topic should hold now (no tombstones), and the seq that this reflects. */
CZ_MUST_USE enum cz_err cz_store_config(struct cz_store *s, struct cz_config_record_list *ret,
                                        int64_t *ret_seq, struct cz_error *err);

/** A session of its own + advisory lock + epoch row.  @thread one at a time, wake: any */
struct cz_leadership;
/** Try to become the leader; never blocks longer than @deadline.
 *  *ret NULL: somebody else leads (then *ret_leader names it, may be NULL; cz_free).
 *  A leader that has not renewed for @lease_ms (SIGSTOP, dead host) is put aside: its database
 *  session is ended, then the lock is tried again.
 *  @param ret_epoch strictly larger than every epoch before. */
CZ_MUST_USE enum cz_err cz_leadership_try(struct cz_store *s, const char *instance, int64_t lease_ms,
                                          cz_time deadline, struct cz_leadership **ret,
                                          int64_t *ret_epoch, char **ret_leader, struct cz_error *err);
/** Prove that we still lead and renew; CZ_E_FENCED when not: stop leading at once. */
CZ_MUST_USE enum cz_err cz_leadership_renew(struct cz_leadership *l, struct cz_error *err);
void cz_leadership_free(struct cz_leadership *l); /* gives the lock back; NULL allowed */
/** Wait for the NOTIFY of a commit, or @deadline. CZ_OK: look at the outbox (also spuriously). */
CZ_MUST_USE enum cz_err cz_leadership_wait(struct cz_leadership *l, cz_time deadline, struct cz_error *err);
/** Interrupt cz_leadership_wait from another thread. */
void cz_leadership_wake(struct cz_leadership *l);

/* ---- life --------------------------------------------------------------------------------- */

struct cz_store_stats { int pool_open, pool_leased, pool_waiting; };
/** @conninfo libpq; @pool_max connections. Does not connect yet. */
CZ_MUST_USE enum cz_err cz_store_postgres_new(const char *conninfo, int pool_max,
                                              struct cz_store **ret, struct cz_error *err);
/** Apply numbered migrations under an advisory lock, as the owner role. Idempotent. Grants the
 *  run-time role @app_role (created NOLOGIN when absent; NULL: none) only what it needs.
 *  @param ret_applied how many were applied (may be NULL) */
CZ_MUST_USE enum cz_err cz_store_postgres_migrate(const char *conninfo, const char *app_role,
                                                  int *ret_applied, struct cz_error *err);
/** The role that @conninfo names as its user; NULL: none named. cz_free. */
char *cz_store_postgres_role(const char *conninfo);
struct cz_store *cz_store_memory_new(void);
void cz_store_free(struct cz_store *s);
/** Is it reachable, and is its schema the one we know? For /readyz. */
CZ_MUST_USE enum cz_err cz_store_check(struct cz_store *s, cz_time deadline, struct cz_error *err);
void cz_store_stats(struct cz_store *s, struct cz_store_stats *ret);

#endif
