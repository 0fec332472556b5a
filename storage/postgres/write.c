/* SPDX-License-Identifier: Apache-2.0 */
/* Transactions.  A transaction is run again as a whole when the database says so (40001, 40P01)
 * or when the session is lost.  A session that is lost during COMMIT leaves open what happened;
 * the next attempt first takes the epoch lock, which the old session cannot hold any more once
 * it has committed or rolled back, and then looks for the change's token: only so is the answer
 * final, and nothing is ever applied twice. */
#include <string.h>

#include "cz/util.h"
#include "pg_priv.h"

/* The deadline ends the attempts; this only bounds a loop that would turn without waiting. */
enum { MAX_ATTEMPTS = 1000 };

enum outcome { DONE, FINAL, AGAIN, UNKNOWN };

/* After a failure: the session may be gone, its transaction is in any case. */
static enum outcome abandon(struct cz_pg_conn *c, enum outcome otherwise)
{
    enum pg_fate fate = c->fate;
    if (fate != PG_LOST && cz_pg_exec(c, PG_ROLLBACK, NULL, pg_deadline(), NULL, NULL) != CZ_OK)
        c->fate = PG_LOST; /* the pool closes it, which rolls back as well */
    return fate == PG_LOST || fate == PG_CONFLICT ? AGAIN : otherwise;
}

static enum outcome commit(struct cz_pg_conn *c, struct cz_error *err)
{
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    if (cz_pg_exec(c, PG_COMMIT, NULL, pg_deadline(), &res, err) != CZ_OK)
        return c->fate == PG_LOST ? UNKNOWN : abandon(c, FINAL);
    /* COMMIT of a transaction that failed before says ROLLBACK, and no error. */
    if (strcmp(PQcmdStatus(res), "COMMIT") == 0)
        return DONE;
    cz_fail(err, CZ_E_INTERNAL, "a failed statement of the transaction was not noticed");
    return FINAL;
}

enum cz_err cz_pg_scope(struct cz_pg_conn *c, cz_time deadline, struct cz_error *err)
{
    const char *values[] = {cz__scope_text()};
    return cz_streq(values[0], "*") ? CZ_OK : cz_pg_exec(c, PG_SCOPE, values, deadline, NULL, err);
}

static enum outcome attempt(struct cz_pg_conn *c,
                            enum pg_stmt begin,
                            bool *unsure,
                            pg_tx_fn fn,
                            void *arg,
                            struct cz_error *err)
{
    bool wants_commit = false;
    CZ_CLEANUP(cz_pg_clear) PGresult *begun = NULL;
    c->fate = PG_FINE;
    if (cz_pg_exec(c, begin, NULL, pg_deadline(), &begun, err) != CZ_OK)
        return abandon(c, FINAL);
    enum cz_err rc = cz_pg_scope(c, pg_deadline(), err);
    if (rc == CZ_OK)
        rc = fn(c, begun, unsure, arg, &wants_commit, err);
    if (rc == CZ_OK && c->fate != PG_FINE) {
        /* The body passed over a failed statement; the transaction is dead all the same. */
        cz_error_reset(err);
        *err = c->error;
        rc = c->error.code;
    }
    if (rc != CZ_OK)
        return abandon(c, FINAL);
    if (wants_commit)
        return commit(c, err);
    (void)abandon(c, FINAL);
    return DONE;
}

static enum cz_err give_up(const struct cz_error *e, bool unsure, struct cz_error *err)
{
    if (!unsure) {
        if (err && err->code == CZ_OK)
            *err = *e;
        return e->code;
    }
    /* Not RETRIABLE: to do it again could do it twice. 08007: transaction resolution unknown.
     */
    enum cz_err rc = cz_fail_flags(err, CZ_E_UNAVAILABLE, 0, 0,
                                   "the database was lost during the commit, so it is not known"
                                   " whether the change was made: %.300s",
                                   e->text);
    if (err && err->state[0] == '\0')
        memcpy(err->state, "08007", 6);
    return rc;
}

enum cz_err cz_pg_tx(
    struct cz_pg_pool *pool, enum pg_stmt begin, pg_tx_fn fn, void *arg, struct cz_error *err)
{
    cz_time deadline = pg_deadline();
    bool unsure = false;
    struct cz_error e = CZ_ERROR_INIT;
    for (int n = 0; n < MAX_ATTEMPTS; n++) {
        struct cz_pg_conn *c = NULL;
        struct cz_error last = e;
        cz_error_reset(&e);
        if (cz_pg_pool_acquire(pool, deadline, &c, &e) != CZ_OK)
            return give_up(n > 0 ? &last : &e, unsure, err);
        enum outcome o = attempt(c, begin, &unsure, fn, arg, &e);
        cz_pg_pool_release(pool, c);
        if (o == DONE)
            return CZ_OK;
        if (o == FINAL)
            return give_up(&e, unsure, err);
        unsure = unsure || o == UNKNOWN;
        if (cz_now() >= deadline)
            break;
    }
    return give_up(&e, unsure, err);
}

/* A statement of a thread that may not see all is a transaction of its own, because its scope is
 * the transaction's. */
static enum cz_err scoped(struct cz_pg_conn *c,
                          enum pg_stmt stmt,
                          const char *const *values,
                          cz_time deadline,
                          PGresult **ret,
                          struct cz_error *err)
{
    PGresult *res = NULL;
    enum cz_err rc = cz_pg_exec(c, PG_BEGIN, NULL, deadline, NULL, err);
    if (rc == CZ_OK)
        rc = cz_pg_scope(c, deadline, err);
    if (rc == CZ_OK)
        rc = cz_pg_exec(c, stmt, values, deadline, &res, err);
    enum pg_fate fate = c->fate;
    if (rc == CZ_OK)
        rc = cz_pg_exec(c, PG_COMMIT, NULL, deadline, NULL, err);
    else if (fate != PG_LOST && cz_pg_exec(c, PG_ROLLBACK, NULL, deadline, NULL, NULL) == CZ_OK)
        c->fate = fate;
    if (rc == CZ_OK && ret)
        *ret = res;
    else
        PQclear(res);
    return rc;
}

static enum cz_err once(struct cz_pg_conn *c,
                        enum pg_stmt stmt,
                        const char *const *values,
                        cz_time deadline,
                        PGresult **ret,
                        struct cz_error *err)
{
    if (cz_streq(cz__scope_text(), "*"))
        return cz_pg_exec(c, stmt, values, deadline, ret, err);
    return scoped(c, stmt, values, deadline, ret, err);
}

enum cz_err pg__query(struct pg_store *s,
                      enum pg_stmt stmt,
                      const char *const *values,
                      PGresult **ret,
                      struct cz_error *err)
{
    cz_time deadline = pg_deadline();
    struct cz_error e = CZ_ERROR_INIT;
    for (int n = 0; n < MAX_ATTEMPTS; n++) {
        struct cz_pg_conn *c = NULL;
        cz_error_reset(&e);
        if (cz_pg_pool_acquire(s->pool, deadline, &c, &e) != CZ_OK)
            break;
        c->fate = PG_FINE;
        enum cz_err rc = once(c, stmt, values, deadline, ret, &e);
        bool again = c->fate == PG_LOST || c->fate == PG_CONFLICT;
        cz_pg_pool_release(s->pool, c);
        if (rc == CZ_OK)
            return CZ_OK;
        if (!again || cz_now() >= deadline)
            break;
    }
    return give_up(&e, false, err);
}

/* ---- cz_store_write
 * -------------------------------------------------------------------------- */

struct write_call {
    const struct cz_change_meta *meta;
    bool dry_run;
    cz_write_fn fn;
    void *arg;
    char token[CZ_UID_SIZE];
    int64_t seq; /* result */
};

/* Was the change made by the attempt whose COMMIT was lost? */
static enum cz_err
find_token(struct cz_pg_conn *c, struct write_call *w, bool *ret_found, struct cz_error *err)
{
    const char *values[] = {w->token};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = cz_pg_exec(c, PG_FIND_TOKEN, values, pg_deadline(), &res, err);
    if (rc != CZ_OK)
        return rc;
    *ret_found = PQntuples(res) > 0;
    if (*ret_found)
        w->seq = pg_int(res, 0, 0);
    return CZ_OK;
}

/* The rows of the change itself: last, because only now its counts are known. */
static enum cz_err
finish(const struct pg_tx *tx, const struct write_call *w, struct cz_error *err)
{
    const struct cz_change_meta *m = w->meta;
    struct pg_num seq, reverts, created, updated, deleted;
    const char *values[] = {pg_num(&seq, tx->base.seq),
                            w->token,
                            m->team,
                            m->actor_id,
                            m->actor,
                            m->via,
                            m->comment,
                            m->request_id,
                            m->trace_id,
                            m->ip,
                            pg_limit(&reverts, m->reverts),
                            pg_num(&created, tx->base.created),
                            pg_num(&updated, tx->base.updated),
                            pg_num(&deleted, tx->base.deleted),
                            m->action,
                            m->token_id,
                            m->set_name,
                            m->git_commit,
                            m->plan_hash};
    return cz_pg_exec(tx->conn, PG_FINISH_WRITE, values, pg_deadline(), NULL, err);
}

static enum cz_err write_body(struct cz_pg_conn *c,
                              const PGresult *begun,
                              bool *unsure,
                              void *arg,
                              bool *ret_commit,
                              struct cz_error *err)
{
    struct write_call *w = arg;
    bool found = false;
    if (*unsure) {
        enum cz_err rc = find_token(c, w, &found, err);
        if (rc != CZ_OK)
            return rc;
        *unsure = false;
        if (found)
            return CZ_OK;
    }
    struct pg_tx tx = {.base = {.vt = &pg__tx_vt, .seq = pg_int(begun, 0, 0)}, .conn = c,
                       .dry_run = w->dry_run};
    if (tx.base.seq <= 0)
        return cz_fail(err, CZ_E_INTERNAL, "the epoch row is missing");
    enum cz_err rc = w->fn(&tx.base, w->arg, err);
    if (rc == CZ_OK && c->fate == PG_FINE)
        rc = pg__batch_finish(&tx, err);
    pg__batch_free(tx.batch);
    if (rc != CZ_OK || c->fate != PG_FINE)
        return rc;
    w->seq = tx.base.dirty ? tx.base.seq : tx.base.seq - 1;
    if (!tx.base.dirty)
        return CZ_OK;
    if (w->dry_run)
        return CZ_OK;
    *ret_commit = true;
    return finish(&tx, w, err);
}

enum cz_err pg__write(struct cz_store *s,
                      const struct cz_change_meta *meta,
                      bool dry_run,
                      cz_write_fn fn,
                      void *arg,
                      int64_t *ret_seq,
                      struct cz_error *err)
{
    struct write_call w = {.meta = meta, .dry_run = dry_run, .fn = fn, .arg = arg};
    (void)cz_uid(w.token);
    enum cz_err rc = cz_pg_tx(pg_of(s)->pool, PG_BEGIN_WRITE, write_body, &w, err);
    if (rc == CZ_OK && ret_seq)
        *ret_seq = w.seq;
    return rc;
}
