/* SPDX-License-Identifier: Apache-2.0 */
/** The store in PostgreSQL: inside.  From below: a target says where and how to connect; a
 *  connection runs statements with a deadline and judges every failure; the pool lends
 *  connections; write.c runs transactions; the rest is one file per group of functions.  SQL
 *  is static text in stmt.c, values travel only as parameters. */
#ifndef CZ_PG_PRIV_H
#define CZ_PG_PRIV_H

#include <libpq-fe.h>

#include "cz/alloc.h"
#include "cz/thread.h"
#include "stmt.h"
#include "storage_priv.h"

/* Nobody waits longer than this for a database that is away: a bit under the promised 5 s. */
#define PG_PATIENCE_MS 4500
#define PG_CHANNEL "citizenk_change"

/* ---- target.c: where and how to connect
 * ------------------------------------------------------ */

struct cz_pg_target;
struct cz_pg_limits { /* of the session, in ms; 0: none */
    int statement, lock, idle_in_transaction;
};
CZ_MUST_USE enum cz_err cz_pg_target_new(const char *conninfo,
                                         const struct cz_pg_limits *limits,
                                         struct cz_pg_target **ret,
                                         struct cz_error *err);
void cz_pg_target_free(struct cz_pg_target *t);
/** Open a session on the first host that answers, beginning with the one that did last.
 *  @thread any  @param stop_fd gives up when it is readable, -1: none */
CZ_MUST_USE enum cz_err cz_pg_target_connect(
    struct cz_pg_target *t, cz_time deadline, int stop_fd, PGconn **ret, struct cz_error *err);

/* ---- conn.c: one session
 * --------------------------------------------------------------------- */

/** What became of the session by its last failure. */
enum pg_fate {
    PG_FINE,
    PG_FAILED,   /* the statement failed, the session stands */
    PG_CONFLICT, /* as PG_FAILED, but the same transaction may succeed again (40001, 40P01) */
    PG_LOST,     /* the session is gone or of no more use */
};
struct cz_pg_conn {
    PGconn *pg;
    enum pg_fate fate;
    struct cz_error error; /* the failure behind fate */
    bool prepared[PG_STMT_COUNT_];
    cz_time born, idle_since, expires;
    struct cz_pg_conn *next; /* in the pool's idle list */
};
CZ_MUST_USE enum cz_err cz_pg_conn_open(struct cz_pg_target *t,
                                        cz_time deadline,
                                        int stop_fd,
                                        struct cz_pg_conn **ret,
                                        struct cz_error *err);
void cz_pg_conn_free(struct cz_pg_conn *c);
/** Run a statement with as many @values as it has parameters (NULL: SQL NULL).
 *  @thread the one that holds @c  @param ret may be NULL; PQclear it */
CZ_MUST_USE enum cz_err cz_pg_exec(struct cz_pg_conn *c,
                                   enum pg_stmt stmt,
                                   const char *const *values,
                                   cz_time deadline,
                                   PGresult **ret,
                                   struct cz_error *err);
/** Let the rest of the transaction see what the calling thread's scope allows. */
CZ_MUST_USE enum cz_err cz_pg_scope(struct cz_pg_conn *c, cz_time deadline, struct cz_error *err);
/** Run the text of a migration, or text with quoted identifiers, without parameters. */
CZ_MUST_USE enum cz_err cz_pg_exec_text(struct cz_pg_conn *c,
                                        const char *sql,
                                        cz_time deadline,
                                        PGresult **ret,
                                        struct cz_error *err);
/** Note a loss that the caller found (a broken socket). Returns CZ_E_UNAVAILABLE. */
enum cz_err cz_pg_conn_lost(struct cz_pg_conn *c, struct cz_error *err, const char *what);
/** Take what the server sent unasked. false: the session is gone.
 *  @param ret_seq raised to the highest seq that was notified */
bool cz_pg_conn_drain(struct cz_pg_conn *c, int64_t *ret_seq, bool *ret_notified);
/** Wait until the server sent something (1), @wake_fd is readable (2), or the deadline (0). */
int cz_pg_conn_wait(struct cz_pg_conn *c, int wake_fd, cz_time deadline);
static inline void cz_pg_clear(PGresult **res)
{
    PQclear(*res);
}

/* ---- pool.c
 * ---------------------------------------------------------------------------------- */

struct cz_pg_pool;
struct cz_pg_pool *cz_pg_pool_new(struct cz_pg_target *target, int max); /* borrows target */
void cz_pg_pool_free(struct cz_pg_pool *p); /* nothing may be lent any more */
/** Borrow a session. Blocks until @deadline at most.
 *  @thread any, but a thread that holds one must not take another  @locks not while connecting
 *  @return CZ_OK · CZ_E_UNAVAILABLE|RETRIABLE exhausted, or the database is away */
CZ_MUST_USE enum cz_err cz_pg_pool_acquire(struct cz_pg_pool *p,
                                           cz_time deadline,
                                           struct cz_pg_conn **ret,
                                           struct cz_error *err);
/** Give it back. It is kept only when it is healthy and outside of a transaction. */
void cz_pg_pool_release(struct cz_pg_pool *p, struct cz_pg_conn *c);
void cz_pg_pool_stats(struct cz_pg_pool *p, struct cz_store_stats *ret);

/* ---- the store
 * ------------------------------------------------------------------------------- */

struct pg_store {
    struct cz_store base;
    struct cz_pg_target *target;
    struct cz_pg_pool *pool;
    struct pg_listener *listener;
};
static inline struct pg_store *pg_of(struct cz_store *s)
{
    return (struct pg_store *)s;
}
static inline cz_time pg_deadline(void)
{
    return cz_deadline_ms(PG_PATIENCE_MS);
}

/** One statement that may be run again: borrow, run, give back; again when the session was
 * lost. */
CZ_MUST_USE enum cz_err pg__query(struct pg_store *s,
                                  enum pg_stmt stmt,
                                  const char *const *values,
                                  PGresult **ret,
                                  struct cz_error *err);

/** Body of a transaction. @begun the result of its first statement; @unsure a COMMIT of this
 *  transaction was lost before: find out first and clear it; when it was done leave *ret_commit
 *  false. */
typedef enum cz_err (*pg_tx_fn)(struct cz_pg_conn *c,
                                const PGresult *begun,
                                bool *unsure,
                                void *arg,
                                bool *ret_commit,
                                struct cz_error *err);
/** Run @fn between @begin and COMMIT; the whole again on a conflict or a lost session. */
CZ_MUST_USE enum cz_err cz_pg_tx(
    struct cz_pg_pool *pool, enum pg_stmt begin, pg_tx_fn fn, void *arg, struct cz_error *err);

/** The transaction that a cz_write_fn gets. */
struct pg_tx {
    struct cz_tx base;
    struct cz_pg_conn *conn;
    int next_revision, next_record; /* place within the change */
    struct pg_batch *batch;         /* NULL: every statement is sent at once */
    bool dry_run;
};
extern const struct cz_tx_vt pg__tx_vt;
/** A statement of the transaction, with the usual patience. */
CZ_MUST_USE enum cz_err pg__tx_run(struct cz_tx *tx,
                                   enum pg_stmt stmt,
                                   const char *const *values,
                                   PGresult **ret,
                                   struct cz_error *err);
/** The object as the database has it. */
CZ_MUST_USE enum cz_err pg__tx_find(struct cz_tx *tx,
                                    const char *team,
                                    enum cz_kind kind,
                                    const char *name,
                                    struct cz_resource *ret,
                                    bool *ret_found,
                                    struct cz_error *err);

/* ---- batch.c: writes of many objects: remembered and sent together
 * --------------------------------------------------------------------------------------- */

struct pg_batch;
/** Rows of objects, so that a list sees them. */
CZ_MUST_USE enum cz_err pg__batch_flush(struct pg_tx *tx, struct cz_error *err);
/** Everything, unless it is a dry run; the transaction's counts and whether it is a change. */
CZ_MUST_USE enum cz_err pg__batch_finish(struct pg_tx *tx, struct cz_error *err);
void pg__batch_free(struct pg_batch *b);
enum cz_err pg__batch_get(struct pg_tx *tx,
                          const char *team,
                          enum cz_kind kind,
                          const char *name,
                          struct cz_resource *ret,
                          bool *ret_found,
                          struct cz_error *err);
enum cz_err pg__batch_put(struct pg_tx *tx,
                          const char *team,
                          enum cz_kind kind,
                          const char *name,
                          const json_t *doc,
                          const json_t *override,
                          const char *managed_by,
                          enum cz_op op,
                          struct cz_resource *ret,
                          struct cz_error *err);
enum cz_err pg__batch_delete(struct pg_tx *tx,
                             const char *team,
                             enum cz_kind kind,
                             const char *name,
                             struct cz_error *err);
void pg__batch_publish(struct pg_tx *tx, const char *key, const json_t *value);
enum cz_err pg__tx_rename(struct cz_tx *tx,
                          const char *team,
                          enum cz_kind kind,
                          const char *name,
                          const char *new_name,
                          struct cz_error *err);
enum cz_err pg__tx_load(struct cz_tx *tx,
                        const char *team,
                        const struct cz_tx_ref *refs,
                        size_t n,
                        const char *managed_by,
                        struct cz_resource_list *ret,
                        struct cz_error *err);
bool pg__tx_touched(struct cz_tx *tx,
                    size_t i,
                    const struct cz_resource **ret_before,
                    const struct cz_resource **ret_after);
enum cz_err pg__tx_readers(struct cz_tx *tx,
                           const struct cz_tx_places *of,
                           struct cz_resource_list *ret,
                           struct cz_error *err);

/* ---- sets.c
 * ---------------------------------------------------------------------------------- */

enum cz_err pg__sets(struct cz_store *s,
                     const char *team,
                     const char *name,
                     struct cz_set_state_list *ret,
                     struct cz_error *err);
enum cz_err pg__set_members(struct cz_store *s,
                            const char *team,
                            const char *name,
                            struct cz_set_member_list *ret,
                            struct cz_error *err);
enum cz_err pg__tx_committers(struct cz_tx *tx,
                              const char *team,
                              const struct cz_tx_groups *of,
                              struct cz_resource_list *ret,
                              struct cz_error *err);
enum cz_err pg__set_moved(struct cz_store *s,
                          const char *team,
                          const char *name,
                          struct cz_set_moved_list *ret,
                          struct cz_error *err);
enum cz_err pg__tx_set(struct cz_tx *tx,
                       const char *team,
                       const char *name,
                       struct cz_set_state *ret,
                       bool *ret_found,
                       struct cz_error *err);
enum cz_err pg__tx_put_set(struct cz_tx *tx, const struct cz_set_state *set, struct cz_error *err);
enum cz_err
pg__tx_delete_set(struct cz_tx *tx, const char *team, const char *name, struct cz_error *err);
enum cz_err pg__tx_members(struct cz_tx *tx,
                           bool put,
                           const char *team,
                           const char *set,
                           const struct cz_set_member *members,
                           size_t n,
                           struct cz_error *err);

/* ---- rows.c: parameters and rows
 * ------------------------------------------------------------- */

/** A number as a parameter. */
struct pg_num {
    char text[24];
};
const char *pg_num(struct pg_num *n, int64_t v);
/** NULL when @v <= 0. */
const char *pg_limit(struct pg_num *n, int64_t v);
/** JSON as a parameter, NULL for none; cz_free. */
char *pg_json(const json_t *j, bool canonical);

int64_t pg_int(const PGresult *res, int row, int col); /* NULL: 0 */
char *pg_str(const PGresult *res, int row, int col);   /* NULL stays NULL; cz_free */
/** false: the row is of a kind or form that this version does not know; @ret is untouched. */
bool pg_row_resource(const PGresult *res, int row, int col, struct cz_resource *ret);
bool pg_row_revision(const PGresult *res, int row, int col, struct cz_revision *ret);
void pg_row_change(const PGresult *res, int row, struct cz_change *ret);
/** NULL stays NULL; false: there is a value, but it is no JSON that we can read. */
bool pg_get_json(const PGresult *res, int row, int col, json_t **ret);
bool pg_row_config(const PGresult *res, int row, int col, struct cz_config_record *ret);
enum cz_err pg_row_bad(const PGresult *res, struct cz_error *err);

/* An audit event as parameters of PG_AUDIT, alone and within a write. @detail its JSON, may be NULL */
enum { PG_AUDIT_PARAMS = 11 };
void pg_audit_params(const struct cz_change_meta *m,
                     const char *outcome,
                     const char *detail,
                     const char *ret[PG_AUDIT_PARAMS]);

/* Filters as parameters, shared by the store's and the transaction's list. */
enum { PG_LIST_PARAMS = 15 };
struct pg_list_params {
    const char *values[PG_LIST_PARAMS];
    struct pg_num limit;
};
void pg_list_params(const struct cz_list_filter *f, struct pg_list_params *ret);
void pg_rows_resources(const PGresult *res, struct cz_resource_list *ret, int64_t *ret_seq);

/* ---- the entries of the store's table
 * -------------------------------------------------------- */

enum cz_err pg__get(struct cz_store *s,
                    const char *team,
                    enum cz_kind kind,
                    const char *name,
                    struct cz_resource *ret,
                    struct cz_error *err);
enum cz_err
pg__get_uid(struct cz_store *s, const char *uid, struct cz_resource *ret, struct cz_error *err);
enum cz_err pg__list(struct cz_store *s,
                     const struct cz_list_filter *f,
                     struct cz_resource_list *ret,
                     int64_t *ret_seq,
                     struct cz_error *err);
enum cz_err pg__changes(struct cz_store *s,
                        const struct cz_change_filter *f,
                        struct cz_change_list *ret,
                        struct cz_error *err);
enum cz_err pg__change(struct cz_store *s,
                       int64_t seq,
                       struct cz_change *ret,
                       struct cz_revision_list *ret_revisions,
                       struct cz_error *err);
enum cz_err pg__before(struct cz_store *s,
                       int64_t seq,
                       struct cz_revision_list *ret,
                       struct cz_error *err);
enum cz_err pg__revisions(struct cz_store *s,
                          const char *team,
                          enum cz_kind kind,
                          const char *name,
                          int64_t before,
                          int limit,
                          struct cz_revision_list *ret,
                          struct cz_error *err);
enum cz_err pg__access_version(struct cz_store *s, int64_t *ret, struct cz_error *err);
enum cz_err pg__seq(struct cz_store *s, int64_t *ret_seq, struct cz_error *err);
enum cz_err pg__write(struct cz_store *s,
                      const struct cz_change_meta *meta,
                      bool dry_run,
                      cz_write_fn fn,
                      void *arg,
                      int64_t *ret_seq,
                      struct cz_error *err);
enum cz_err pg__lead(struct cz_store *s,
                     const char *instance,
                     int64_t lease_ms,
                     cz_time deadline,
                     struct cz_leadership **ret,
                     int64_t *ret_epoch,
                     char **ret_leader,
                     struct cz_error *err);
enum cz_err pg__wait(struct cz_store *s,
                     int64_t after,
                     cz_time deadline,
                     int64_t *ret_seq,
                     struct cz_error *err);
/* audit.c, audit_verify.c */
extern const struct cz_audit_vt pg__audit_vt;
enum cz_err pg__audit_verify(struct cz_store *s,
                             int64_t after,
                             const struct cz_seal_anchor *anchors,
                             size_t n,
                             cz_time deadline,
                             struct cz_audit_check *ret,
                             struct cz_error *err);
enum cz_err pg__seals(struct cz_store *s,
                      int64_t before,
                      int64_t after,
                      int limit,
                      struct cz_seal_list *ret,
                      struct cz_error *err);
struct pg_listener *pg__listener_new(struct pg_store *s);
void pg__listener_free(struct pg_listener *l);
extern const struct cz_identity_vt pg__identity_vt;
/** CZ_OK when the migrations that @c sees in the database are just those of this program.
 *  @param ret_done how many of ours are there */
enum cz_err pg__schema_compare(const PGresult *applied, int *ret_done, struct cz_error *err);

#endif
