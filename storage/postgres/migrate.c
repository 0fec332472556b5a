/* SPDX-License-Identifier: Apache-2.0 */
/* Numbered migrations: each once, in a transaction of its own, under an advisory lock, by the
 * owner of the tables; then the rights of the run-time role.  What was applied is recorded with
 * the checksum of its text, so that a file that was changed afterwards, or a database of a
 * newer program, is noticed and not guessed about. */
#include <string.h>

#include "cz/buf.h"
#include "cz/log.h"
#include "cz/util.h"
#include "migrations.h"
#include "pg_priv.h"

/* The lock of the migrations: 'czmigrat' as a number. */
#define MIGRATE_LOCK "7168162056388108660"
enum { STEP_MS = 10 * 60 * 1000, LOCK_MS = 60 * 1000 };

static enum cz_err
run(struct cz_pg_conn *c, const char *sql, PGresult **ret, struct cz_error *err)
{
    return cz_pg_exec_text(c, sql, cz_deadline_ms(STEP_MS), ret, err);
}

enum cz_err pg__schema_compare(const PGresult *applied, int *ret_done, struct cz_error *err)
{
    for (int row = 0; row < PQntuples(applied); row++) {
        int64_t version = pg_int(applied, row, 0);
        if (row >= cz__pg_migrations_len)
            return cz_fail(
                err, CZ_E_CONFLICT,
                "the database is of a newer version: it has migration %lld (%s), this"
                " program knows %d",
                (long long)version, PQgetvalue(applied, row, 1), cz__pg_migrations_len);
        const struct cz_pg_migration *m = &cz__pg_migrations[row];
        if (version != m->version)
            return cz_fail(err, CZ_E_CONFLICT, "migration %d is missing in the database",
                           m->version);
        if (strcmp(PQgetvalue(applied, row, 2), m->checksum) != 0)
            return cz_fail(err, CZ_E_CONFLICT,
                           "migration %s in the database is not the one of this program: its"
                           " text was changed after it was applied",
                           m->name);
    }
    *ret_done = PQntuples(applied);
    return CZ_OK;
}

/* Identifiers and literals of the few statements that have some are quoted by libpq. */
static bool
add_quoted(struct cz_buf *b, struct cz_pg_conn *c, const char *text, bool identifier)
{
    char *quoted = identifier ? PQescapeIdentifier(c->pg, text, strlen(text))
                              : PQescapeLiteral(c->pg, text, strlen(text));
    if (quoted)
        cz_buf_adds(b, quoted);
    PQfreemem(quoted);
    return quoted != NULL;
}

static enum cz_err
apply(struct cz_pg_conn *c, const struct cz_pg_migration *m, struct cz_error *err)
{
    struct cz_buf b = CZ_BUF_INIT(4 * 1024 * 1024);
    cz_buf_addf(&b, "BEGIN;\n%s\n;INSERT INTO schema_migration VALUES (%d, ", m->sql,
                m->version);
    (void)add_quoted(&b, c, m->name, false);
    cz_buf_addf(&b, ", '%s'); COMMIT", m->checksum);
    enum cz_err rc = b.failed
                         ? cz_fail(err, CZ_E_TOO_LARGE, "migration %s is too large", m->name)
                         : run(c, cz_buf_str(&b), NULL, err);
    cz_buf_done(&b);
    if (rc != CZ_OK)
        return cz_fail_prefix(err, "migration %s", m->name);
    cz_log(CZ_LOG_INFO, "postgres", "migration %s applied", m->name);
    return CZ_OK;
}

static enum cz_err apply_all(struct cz_pg_conn *c, int *ret_applied, struct cz_error *err)
{
    int done = 0;
    CZ_CLEANUP(cz_pg_clear) PGresult *applied = NULL;
    /* Two instances may start at the same moment: one of them waits here. */
    enum cz_err rc = run(c, "SELECT pg_advisory_lock(" MIGRATE_LOCK ")", NULL, err);
    if (rc == CZ_OK)
        rc = run(c,
                 "CREATE TABLE IF NOT EXISTS schema_migration (version integer PRIMARY KEY,"
                 " name text NOT NULL, checksum text NOT NULL,"
                 " applied_at timestamptz NOT NULL DEFAULT statement_timestamp())",
                 NULL, err);
    if (rc == CZ_OK)
        rc = cz_pg_exec(c, PG_SCHEMA, NULL, cz_deadline_ms(STEP_MS), &applied, err);
    if (rc == CZ_OK)
        rc = pg__schema_compare(applied, &done, err);
    for (int i = done; rc == CZ_OK && i < cz__pg_migrations_len; i++)
        rc = apply(c, &cz__pg_migrations[i], err);
    if (rc == CZ_OK && ret_applied)
        *ret_applied = cz__pg_migrations_len - done;
    return rc;
}

/* ---- the run-time role
 * ----------------------------------------------------------------------- */

/* What the program does to each table; all else is taken away.  History can only be added to.
 */
static const struct {
    const char *rights, *tables;
} grants[] = {
    {"SELECT", "schema_migration, deployment"},
    {"SELECT, INSERT", "change, revision, audit_event, audit_seal, audit_seal_part"},
    {"SELECT, INSERT, UPDATE", "audit_export"},
    {"SELECT", "audit_policy"},
    {"EXECUTE", "FUNCTION audit_keep()"},
    {"SELECT, INSERT, UPDATE", "team, resource, mark, report"},
    {"SELECT, INSERT, UPDATE", "principal, local_password, api_token, bootstrap_token"},
    {"SELECT, INSERT, UPDATE, DELETE", "session"},
    {"SELECT, UPDATE", "epoch, leader"},
    {"SELECT, INSERT, DELETE", "outbox"},
    {"SELECT, INSERT, UPDATE, DELETE", "config_record, apply_set, set_member"},
};

/* *ret: 0 there is no such role; 1 it may be restricted; 2 it is the owner or a superuser. */
static enum cz_err
role_state(struct cz_pg_conn *c, const char *role, int *ret, struct cz_error *err)
{
    struct cz_buf b = CZ_BUF_INIT(4096);
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    cz_buf_adds(&b, "SELECT rolsuper OR rolname = current_user OR oid = (SELECT relowner FROM"
                    " pg_class WHERE oid = 'change'::regclass) FROM pg_roles WHERE rolname = ");
    (void)add_quoted(&b, c, role, false);
    enum cz_err rc = run(c, cz_buf_str(&b), &res, err);
    cz_buf_done(&b);
    if (rc == CZ_OK)
        *ret = PQntuples(res) == 0 ? 0 : PQgetvalue(res, 0, 0)[0] == 't' ? 2 : 1;
    return rc;
}

static enum cz_err
grant_all(struct cz_pg_conn *c, const char *role, bool create, struct cz_error *err)
{
    struct cz_buf q = CZ_BUF_INIT(1024), b = CZ_BUF_INIT(16 * 1024);
    if (!add_quoted(&q, c, role, true) || q.failed) {
        cz_buf_done(&q);
        return cz_fail(err, CZ_E_INVALID, "'%s' cannot be the name of a role", role);
    }
    const char *name = cz_buf_str(&q);
    cz_buf_adds(&b, "BEGIN;");
    if (create)
        cz_buf_addf(&b, "CREATE ROLE %s NOLOGIN;", name);
    /* The schema is the current one, whose name is not ours to know. */
    cz_buf_addf(&b,
                "DO $$ BEGIN EXECUTE format('GRANT USAGE ON SCHEMA %%I TO %%s',"
                " current_schema(), $q$%s$q$); END $$;",
                name);
    for (size_t i = 0; i < sizeof(grants) / sizeof(*grants); i++) {
        cz_buf_addf(&b, "REVOKE ALL ON %s FROM %s;", grants[i].tables, name);
        cz_buf_addf(&b, "GRANT %s ON %s TO %s;", grants[i].rights, grants[i].tables, name);
    }
    cz_buf_adds(&b, "COMMIT");
    enum cz_err rc = b.failed ? cz_fail(err, CZ_E_INTERNAL, "grants do not fit")
                              : run(c, cz_buf_str(&b), NULL, err);
    cz_buf_done(&b);
    cz_buf_done(&q);
    return rc == CZ_OK ? rc : cz_fail_prefix(err, "rights of the role '%s'", role);
}

static enum cz_err restrict_role(struct cz_pg_conn *c, const char *role, struct cz_error *err)
{
    int state = 0;
    enum cz_err rc = strchr(role, '$') ? cz_fail(err, CZ_E_INVALID, "no $ in a role's name")
                                       : role_state(c, role, &state, err);
    if (rc != CZ_OK)
        return rc;
    if (state < 2)
        return grant_all(c, role, state == 0, err);
    cz_log(CZ_LOG_WARN, "postgres",
           "role '%s' owns the tables: it can do more than the program needs, and its rows are not fenced by"
           " team", role);
    return CZ_OK;
}

enum cz_err cz_store_postgres_migrate(const char *conninfo,
                                      const char *app_role,
                                      int *ret_applied,
                                      struct cz_error *err)
{
    struct cz_pg_target *t = NULL;
    struct cz_pg_conn *c = NULL;
    int applied = 0;
    const struct cz_pg_limits limits = {.lock = LOCK_MS};
    enum cz_err rc = cz_pg_target_new(conninfo, &limits, &t, err);
    if (rc == CZ_OK)
        rc = cz_pg_conn_open(t, pg_deadline(), -1, &c, err);
    if (rc == CZ_OK)
        rc = apply_all(c, &applied, err);
    if (rc == CZ_OK && app_role)
        rc = restrict_role(c, app_role, err);
    cz_pg_conn_free(c); /* ends the session and with it the lock */
    cz_pg_target_free(t);
    if (rc == CZ_OK && ret_applied)
        *ret_applied = applied;
    return rc;
}
