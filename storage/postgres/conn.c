/* SPDX-License-Identifier: Apache-2.0 */
/* One session with the database.  Statements are sent without blocking and waited for with a
 * deadline, because a server that is stopped or cut off answers nothing for minutes.  Every
 * failure is judged here, once: the fate of the session tells the pool and the transactions
 * what to do, the error tells people. */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "cz/util.h"
#include "pg_priv.h"

/* Sessions are renewed now and then, so that after a failover the load spreads again. */
enum { LIFETIME_MS = 30 * 60 * 1000 };

enum cz_err cz_pg_conn_open(struct cz_pg_target *t,
                            cz_time deadline,
                            int stop_fd,
                            struct cz_pg_conn **ret,
                            struct cz_error *err)
{
    PGconn *pg = NULL;
    enum cz_err rc = cz_pg_target_connect(t, deadline, stop_fd, &pg, err);
    if (rc != CZ_OK)
        return rc;
    struct cz_pg_conn *c = cz_alloc(sizeof(*c));
    c->pg = pg;
    c->born = c->idle_since = cz_now();
    c->expires =
        cz_deadline_ms(cz_backoff_ms(0, LIFETIME_MS / 10, LIFETIME_MS / 10) + LIFETIME_MS);
    /* Not by the session's options: a pooler in between may drop those.  A transaction of a thread that
     * may see less says so itself (cz_pg_scope). */
    rc = cz_pg_exec_text(c, "SET citizenk.teams = '*'", deadline, NULL, err);
    if (rc != CZ_OK) {
        cz_pg_conn_free(c);
        return rc;
    }
    *ret = c;
    return CZ_OK;
}

void cz_pg_conn_free(struct cz_pg_conn *c)
{
    if (!c)
        return;
    PQfinish(c->pg);
    cz_free(c);
}

/* ---- judging
 * --------------------------------------------------------------------------------- */

static enum cz_err give(struct cz_pg_conn *c, struct cz_error *err)
{
    if (err && err->code == CZ_OK)
        *err = c->error;
    return c->error.code;
}

enum cz_err cz_pg_conn_lost(struct cz_pg_conn *c, struct cz_error *err, const char *what)
{
    c->fate = PG_LOST;
    cz_error_reset(&c->error);
    const char *line = what ? what : PQerrorMessage(c->pg);
    cz_fail_flags(&c->error, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0,
                  "the database session was lost: %.*s", (int)strcspn(line, "\n"), line);
    return give(c, err);
}

static bool in_class(const char *state, const char *class)
{
    return strncmp(state, class, strlen(class)) == 0;
}

static enum pg_fate fate_of(const struct cz_pg_conn *c, const char *state)
{
    /* 08: connection; 57P: the server goes down or ended us; 25006: it became a standby. */
    if (PQstatus(c->pg) == CONNECTION_BAD || in_class(state, "08") || in_class(state, "57P") ||
        in_class(state, "25006"))
        return PG_LOST;
    return in_class(state, "40001") || in_class(state, "40P01") ? PG_CONFLICT : PG_FAILED;
}

static enum cz_err code_of(enum pg_fate fate, const char *state, uint32_t *flags)
{
    /* 53: no room, connections or memory; 55P03, 57014: waited too long for a lock or an end.
     */
    if (fate != PG_FAILED || in_class(state, "53") || in_class(state, "55P03") ||
        in_class(state, "57014")) {
        *flags = CZ_ERR_RETRIABLE;
        return CZ_E_UNAVAILABLE;
    }
    if (in_class(state, "22"))
        return CZ_E_INVALID; /* a value that the database cannot take */
    return in_class(state, "23505") ? CZ_E_CONFLICT : CZ_E_INTERNAL;
}

/* @res failed: note it. */
static enum cz_err judge(struct cz_pg_conn *c, const PGresult *res, struct cz_error *err)
{
    const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
    state = state ? state : "";
    enum pg_fate fate = fate_of(c, state);
    if (fate == PG_LOST)
        (void)cz_pg_conn_lost(c, NULL, text ? text : PQresultErrorMessage(res));
    else {
        uint32_t flags = 0;
        enum cz_err code = code_of(fate, state, &flags);
        cz_error_reset(&c->error);
        cz_fail_flags(&c->error, code, flags, 0, "database: %s",
                      text ? text : PQresultErrorMessage(res));
        c->fate = fate;
    }
    memcpy(c->error.state, state, strnlen(state, sizeof(c->error.state) - 1));
    return give(c, err);
}

/* ---- waiting
 * --------------------------------------------------------------------------------- */

/* Until the next result can be taken without blocking. false: the deadline. */
static bool await_result(struct cz_pg_conn *c, cz_time deadline)
{
    for (;;) {
        int unsent = PQflush(c->pg);
        if (unsent < 0 || (unsent == 0 && !PQisBusy(c->pg)))
            return true; /* PQgetResult tells what was wrong */
        struct pollfd fd = {.fd = PQsocket(c->pg),
                            .events = (short)(POLLIN | (unsent ? POLLOUT : 0))};
        int n = poll(&fd, 1, cz_remaining_ms(deadline));
        if (n == 0)
            return false;
        if (n < 0 && errno != EINTR)
            return true;
        if (n > 0 && (fd.revents & ~POLLOUT) && !PQconsumeInput(c->pg))
            return true;
    }
}

static bool failed(const PGresult *res)
{
    ExecStatusType st = PQresultStatus(res);
    return st != PGRES_COMMAND_OK && st != PGRES_TUPLES_OK && st != PGRES_EMPTY_QUERY;
}

/* All results of what was sent; the first failed one or else the last is kept. */
static enum cz_err
collect(struct cz_pg_conn *c, cz_time deadline, PGresult **ret, struct cz_error *err)
{
    PGresult *kept = NULL;
    for (;;) {
        if (!await_result(c, deadline)) {
            PQclear(kept);
            return cz_pg_conn_lost(c, err, "no answer in time");
        }
        PGresult *next = PQgetResult(c->pg);
        if (!next)
            break;
        if (kept && failed(kept)) {
            PQclear(next);
            continue;
        }
        PQclear(kept);
        kept = next;
    }
    if (!kept)
        return cz_pg_conn_lost(c, err, NULL);
    if (failed(kept)) {
        enum cz_err rc = judge(c, kept, err);
        PQclear(kept);
        return rc;
    }
    if (ret)
        *ret = kept;
    else
        PQclear(kept);
    return CZ_OK;
}

/* ---- statements
 * ------------------------------------------------------------------------------ */

static enum cz_err
prepare(struct cz_pg_conn *c, enum pg_stmt stmt, cz_time deadline, struct cz_error *err)
{
    if (c->prepared[stmt])
        return CZ_OK;
    const struct pg_stmt_text *s = pg_stmt_text(stmt);
    if (!PQsendPrepare(c->pg, s->name, s->sql, 0, NULL))
        return cz_pg_conn_lost(c, err, NULL);
    enum cz_err rc = collect(c, deadline, NULL, err);
    if (rc == CZ_OK)
        c->prepared[stmt] = true;
    return rc;
}

enum cz_err cz_pg_exec(struct cz_pg_conn *c,
                       enum pg_stmt stmt,
                       const char *const *values,
                       cz_time deadline,
                       PGresult **ret,
                       struct cz_error *err)
{
    const struct pg_stmt_text *s = pg_stmt_text(stmt);
    assert(s->sql && (values || s->params == 0));
    if (c->fate == PG_LOST)
        return give(c, err);
    if (s->name) {
        enum cz_err rc = prepare(c, stmt, deadline, err);
        if (rc != CZ_OK)
            return rc;
    }
    int sent;
    if (s->simple)
        sent = PQsendQuery(c->pg, s->sql);
    else if (s->name)
        sent = PQsendQueryPrepared(c->pg, s->name, s->params, values, NULL, NULL, 0);
    else
        sent = PQsendQueryParams(c->pg, s->sql, s->params, NULL, values, NULL, NULL, 0);
    return sent ? collect(c, deadline, ret, err) : cz_pg_conn_lost(c, err, NULL);
}

enum cz_err cz_pg_exec_text(struct cz_pg_conn *c,
                            const char *sql,
                            cz_time deadline,
                            PGresult **ret,
                            struct cz_error *err)
{
    if (c->fate == PG_LOST)
        return give(c, err);
    return PQsendQuery(c->pg, sql) ? collect(c, deadline, ret, err)
                                   : cz_pg_conn_lost(c, err, NULL);
}

/* ---- notifications
 * --------------------------------------------------------------------------- */

bool cz_pg_conn_drain(struct cz_pg_conn *c, int64_t *ret_seq, bool *ret_notified)
{
    if (c->fate == PG_LOST)
        return false;
    bool alive = PQconsumeInput(c->pg) && PQstatus(c->pg) == CONNECTION_OK;
    for (PGnotify *n; (n = PQnotifies(c->pg));) {
        int64_t seq = 0;
        if (cz_parse_i64(n->extra, &seq) && ret_seq && seq > *ret_seq)
            *ret_seq = seq;
        if (ret_notified)
            *ret_notified = true;
        PQfreemem(n);
    }
    if (!alive)
        (void)cz_pg_conn_lost(c, NULL, NULL);
    return alive;
}

int cz_pg_conn_wait(struct cz_pg_conn *c, int wake_fd, cz_time deadline)
{
    struct pollfd fds[2] = {{.fd = PQsocket(c->pg), .events = POLLIN},
                            {.fd = wake_fd, .events = POLLIN}};
    for (;;) {
        int n = poll(fds, 2, cz_remaining_ms(deadline));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return 0;
        return fds[1].revents ? 2 : 1;
    }
}
