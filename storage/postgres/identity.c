/* SPDX-License-Identifier: Apache-2.0 */
/* Principals, sessions and tokens in PostgreSQL: each function is one statement. */
#include <string.h>

#include "cz/json.h"
#include "cz/util.h"
#include "pg_priv.h"

enum { PRINCIPAL_COLUMNS = 11 };

/* ---- rows ----------------------------------------------------------------------------------- */

static bool get_bool(const PGresult *res, int row, int col)
{
    return PQgetvalue(res, row, col)[0] == 't';
}

static const char *bool_text(bool b)
{
    return b ? "true" : "false";
}

static void read_principal(const PGresult *res, int row, struct cz_principal_row *ret)
{
    const char *groups = PQgetvalue(res, row, 8);
    *ret = (struct cz_principal_row){.id = pg_str(res, row, 0),
                                     .kind = pg_str(res, row, 1),
                                     .issuer = pg_str(res, row, 2),
                                     .subject = pg_str(res, row, 3),
                                     .name = pg_str(res, row, 4),
                                     .admin = get_bool(res, row, 5),
                                     .auditor = get_bool(res, row, 6),
                                     .disabled = get_bool(res, row, 7),
                                     .groups = json_loads(groups, 0, NULL),
                                     .created_ms = pg_int(res, row, 9),
                                     .login_ms = pg_int(res, row, 10)};
    if (!json_is_array(ret->groups)) {
        json_decref(ret->groups);
        ret->groups = json_array();
    }
}

static void read_session(const PGresult *res, int row, int col, struct cz_session_row *ret)
{
    *ret = (struct cz_session_row){.id = pg_str(res, row, col),
                                   .principal_id = pg_str(res, row, col + 1),
                                   .ip = pg_str(res, row, col + 2),
                                   .agent = pg_str(res, row, col + 3),
                                   .created_ms = pg_int(res, row, col + 4),
                                   .used_ms = pg_int(res, row, col + 5)};
}

static void read_token(const PGresult *res, int row, int col, struct cz_token_row *ret)
{
    *ret = (struct cz_token_row){.id = pg_str(res, row, col),
                                 .principal_id = pg_str(res, row, col + 1),
                                 .principal = pg_str(res, row, col + 2),
                                 .name = pg_str(res, row, col + 3),
                                 .hint = pg_str(res, row, col + 4),
                                 .scopes = pg_str(res, row, col + 5),
                                 .team = pg_str(res, row, col + 6),
                                 .set = pg_str(res, row, col + 7),
                                 .created_ms = pg_int(res, row, col + 8),
                                 .expires_ms = pg_int(res, row, col + 9),
                                 .used_ms = pg_int(res, row, col + 10),
                                 .revoked_ms = pg_int(res, row, col + 11),
                                 .used_ip = pg_str(res, row, col + 12)};
}

/* ---- principals ----------------------------------------------------------------------------- */

enum { NEW_PARAMS = 8 };
struct new_params {
    char id[CZ_UID_SIZE];
    char *groups;
};

static void fill_new(const struct cz_principal_new *p, struct new_params *n, const char **values)
{
    n->groups = pg_json(p->groups, false);
    values[0] = cz_uid(n->id);
    values[1] = p->kind;
    values[2] = p->issuer;
    values[3] = p->subject;
    values[4] = p->name;
    values[5] = bool_text(p->admin);
    values[6] = bool_text(p->auditor);
    values[7] = n->groups;
}

static enum cz_err put_principal(struct cz_store *s, enum pg_stmt stmt,
                                 const struct cz_principal_new *p, const char *const *more,
                                 struct cz_principal_row *ret, bool *ret_found, struct cz_error *err)
{
    struct new_params n;
    const char *values[NEW_PARAMS + 2] = {NULL};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    fill_new(p, &n, values);
    if (more)
        memcpy(&values[NEW_PARAMS], more, 2 * sizeof(*more));
    enum cz_err rc = pg__query(pg_of(s), stmt, values, &res, err);
    cz_free(n.groups);
    if (rc != CZ_OK)
        return rc;
    *ret_found = PQntuples(res) > 0;
    if (*ret_found)
        read_principal(res, 0, ret);
    return CZ_OK;
}

static enum cz_err principal_new(struct cz_store *s, const struct cz_principal_new *p,
                                 const char *password_hash, struct cz_principal_row *ret,
                                 struct cz_error *err)
{
    const char *more[2] = {password_hash, NULL};
    struct cz_error e = CZ_ERROR_INIT;
    bool found = false;
    enum cz_err rc = put_principal(s, PG_PRINCIPAL_NEW, p, more, ret, &found, &e);
    if (rc == CZ_E_CONFLICT)
        return cz_fail(err, CZ_E_CONFLICT, "there is a %s of this name already", p->kind);
    return rc == CZ_OK ? rc : cz_fail_flags(err, rc, e.flags, e.detail, "%s", e.text);
}

static enum cz_err principal_login(struct cz_store *s, const struct cz_principal_new *p,
                                   struct cz_principal_row *ret, struct cz_error *err)
{
    bool found = false;
    return put_principal(s, PG_PRINCIPAL_LOGIN, p, NULL, ret, &found, err);
}

static enum cz_err principal_get(struct cz_store *s, const char *id, struct cz_principal_row *ret,
                                 struct cz_error *err)
{
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__query(pg_of(s), PG_PRINCIPAL_GET, &id, &res, err);
    if (rc == CZ_OK && PQntuples(res) == 0)
        return cz_fail(err, CZ_E_NOT_FOUND, "there is no principal of this id");
    if (rc == CZ_OK)
        read_principal(res, 0, ret);
    return rc;
}

static enum cz_err principals(struct cz_store *s, struct cz_principal_list *ret, struct cz_error *err)
{
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__query(pg_of(s), PG_PRINCIPALS, NULL, &res, err);
    if (rc != CZ_OK)
        return rc;
    struct cz_principal_list out = {0};
    for (int row = 0; row < PQntuples(res); row++) {
        cz_grow(&out.items, &out.cap, out.len, sizeof(*out.items));
        read_principal(res, row, &out.items[out.len++]);
    }
    *ret = out;
    return CZ_OK;
}

static enum cz_err principal_set(struct cz_store *s, const char *id,
                                 const struct cz_principal_change *c, struct cz_principal_row *ret,
                                 struct cz_error *err)
{
    const char *values[] = {id, c->admin < 0 ? NULL : bool_text(c->admin),
                            c->auditor < 0 ? NULL : bool_text(c->auditor),
                            c->disabled < 0 ? NULL : bool_text(c->disabled), c->name};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__query(pg_of(s), PG_PRINCIPAL_SET, values, &res, err);
    if (rc != CZ_OK)
        return rc;
    if (PQntuples(res) > 0) {
        read_principal(res, 0, ret);
        return CZ_OK;
    }
    struct cz_principal_row there = {0};
    rc = principal_get(s, id, &there, err);
    cz_principal_row_done(&there);
    return rc != CZ_OK ? rc
                       : cz_fail(err, CZ_E_CONFLICT, "this is the last admin: make another one first");
}

static enum cz_err password_get(struct cz_store *s, const char *name, struct cz_principal_row *ret,
                                char **ret_hash, struct cz_error *err)
{
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__query(pg_of(s), PG_PASSWORD_GET, &name, &res, err);
    if (rc == CZ_OK && PQntuples(res) == 0)
        return cz_fail(err, CZ_E_NOT_FOUND, "there is no local user of this name");
    if (rc == CZ_OK) {
        read_principal(res, 0, ret);
        *ret_hash = pg_str(res, 0, PRINCIPAL_COLUMNS);
    }
    return rc;
}

static enum cz_err password_set(struct cz_store *s, const char *id, const char *hash,
                                struct cz_error *err)
{
    const char *values[] = {id, hash};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    return pg__query(pg_of(s), PG_PASSWORD_SET, values, &res, err);
}

/* ---- sessions ------------------------------------------------------------------------------- */

static enum cz_err session_new(struct cz_store *s, const struct cz_session_row *n, const char *hash,
                               int64_t absolute_ms, struct cz_error *err)
{
    struct pg_num absolute;
    const char *values[] = {hash,  n->id,    n->principal_id,
                            n->ip, n->agent, pg_num(&absolute, absolute_ms)};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    return pg__query(pg_of(s), PG_SESSION_NEW, values, &res, err);
}

static enum cz_err session_get(struct cz_store *s, const char *hash,
                               const struct cz_session_limits *limits, const char *ip,
                               struct cz_principal_row *ret, struct cz_session_row *ret_session,
                               struct cz_error *err)
{
    struct pg_num idle, absolute;
    const char *values[] = {hash, pg_num(&idle, limits->idle_ms),
                            pg_num(&absolute, limits->absolute_ms), ip};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__query(pg_of(s), PG_SESSION_GET, values, &res, err);
    if (rc == CZ_OK && PQntuples(res) == 0)
        return cz_fail(err, CZ_E_NOT_FOUND, "there is no such session");
    if (rc == CZ_OK) {
        read_principal(res, 0, ret);
        read_session(res, 0, PRINCIPAL_COLUMNS, ret_session);
    }
    return rc;
}

static enum cz_err sessions(struct cz_store *s, const char *principal_id,
                            const struct cz_session_limits *limits, struct cz_session_list *ret,
                            struct cz_error *err)
{
    struct pg_num idle, absolute;
    const char *values[] = {principal_id, pg_num(&idle, limits->idle_ms),
                            pg_num(&absolute, limits->absolute_ms)};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__query(pg_of(s), PG_SESSIONS, values, &res, err);
    if (rc != CZ_OK)
        return rc;
    struct cz_session_list out = {0};
    for (int row = 0; row < PQntuples(res); row++) {
        cz_grow(&out.items, &out.cap, out.len, sizeof(*out.items));
        read_session(res, row, 0, &out.items[out.len++]);
    }
    *ret = out;
    return CZ_OK;
}

static enum cz_err one_row(struct cz_store *s, enum pg_stmt stmt, const char *const *values,
                           const char *none, struct cz_error *err)
{
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__query(pg_of(s), stmt, values, &res, err);
    return rc == CZ_OK && PQntuples(res) == 0 ? cz_fail(err, CZ_E_NOT_FOUND, "%s", none) : rc;
}

static enum cz_err session_end(struct cz_store *s, const char *principal_id, const char *id,
                               struct cz_error *err)
{
    const char *values[] = {principal_id, id};
    return one_row(s, PG_SESSION_END, values, "there is no such session", err);
}

static enum cz_err sessions_end(struct cz_store *s, const char *principal_id, const char *but,
                                int64_t *ret, struct cz_error *err)
{
    const char *values[] = {principal_id, but};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__query(pg_of(s), PG_SESSIONS_END, values, &res, err);
    if (rc == CZ_OK)
        *ret = pg_int(res, 0, 0);
    return rc;
}

/* ---- tokens --------------------------------------------------------------------------------- */

static enum cz_err token_new(struct cz_store *s, const struct cz_token_row *n, const char *hash,
                             struct cz_error *err)
{
    struct pg_num expires;
    const char *values[] = {n->id,     hash,    n->hint, n->principal_id,           n->name,
                            n->scopes, n->team, n->set,  pg_num(&expires, n->expires_ms)};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    return pg__query(pg_of(s), PG_TOKEN_NEW, values, &res, err);
}

static enum cz_err token_get(struct cz_store *s, const char *hash, const char *ip,
                             struct cz_principal_row *ret, struct cz_token_row *ret_token,
                             struct cz_error *err)
{
    const char *values[] = {hash, ip};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__query(pg_of(s), PG_TOKEN_GET, values, &res, err);
    if (rc == CZ_OK && PQntuples(res) == 0)
        return cz_fail(err, CZ_E_NOT_FOUND, "there is no such token");
    if (rc == CZ_OK) {
        read_principal(res, 0, ret);
        read_token(res, 0, PRINCIPAL_COLUMNS, ret_token);
    }
    return rc;
}

static enum cz_err tokens(struct cz_store *s, const char *principal_id, struct cz_token_list *ret,
                          struct cz_error *err)
{
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__query(pg_of(s), PG_TOKENS, &principal_id, &res, err);
    if (rc != CZ_OK)
        return rc;
    struct cz_token_list out = {0};
    for (int row = 0; row < PQntuples(res); row++) {
        cz_grow(&out.items, &out.cap, out.len, sizeof(*out.items));
        read_token(res, row, 0, &out.items[out.len++]);
    }
    *ret = out;
    return CZ_OK;
}

static enum cz_err token_revoke(struct cz_store *s, const char *id, const char *principal_id,
                                struct cz_error *err)
{
    const char *values[] = {id, principal_id};
    return one_row(s, PG_TOKEN_REVOKE, values, "there is no such token", err);
}

/* ---- the first admin ------------------------------------------------------------------------ */

static enum cz_err bootstrap_offer(struct cz_store *s, const char *hash, int64_t life_ms, bool *ret,
                                   struct cz_error *err)
{
    struct pg_num life;
    const char *values[] = {hash, pg_num(&life, life_ms)};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__query(pg_of(s), PG_BOOTSTRAP_OFFER, values, &res, err);
    if (rc == CZ_OK)
        *ret = PQntuples(res) > 0;
    return rc;
}

static enum cz_err bootstrap_use(struct cz_store *s, const char *hash,
                                 const struct cz_principal_new *p, const char *password_hash,
                                 struct cz_principal_row *ret, struct cz_error *err)
{
    const char *more[2] = {password_hash, hash};
    bool found = false;
    enum cz_err rc = put_principal(s, PG_BOOTSTRAP_USE, p, more, ret, &found, err);
    return rc == CZ_OK && !found
               ? cz_fail(err, CZ_E_NOT_FOUND, "this bootstrap token is unknown, used or expired")
               : rc;
}

static enum cz_err deployment_secret(struct cz_store *s, char **ret, struct cz_error *err)
{
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__query(pg_of(s), PG_DEPLOYMENT_SECRET, NULL, &res, err);
    if (rc == CZ_OK && PQntuples(res) != 1)
        return cz_fail(err, CZ_E_INTERNAL, "the row of the deployment is missing");
    if (rc == CZ_OK)
        *ret = pg_str(res, 0, 0);
    return rc;
}

const struct cz_identity_vt pg__identity_vt = {
    .principal_new = principal_new,
    .principal_login = principal_login,
    .principal_get = principal_get,
    .principals = principals,
    .principal_set = principal_set,
    .password_get = password_get,
    .password_set = password_set,
    .session_new = session_new,
    .session_get = session_get,
    .sessions = sessions,
    .session_end = session_end,
    .sessions_end = sessions_end,
    .token_new = token_new,
    .token_get = token_get,
    .tokens = tokens,
    .token_revoke = token_revoke,
    .bootstrap_offer = bootstrap_offer,
    .bootstrap_use = bootstrap_use,
    .deployment_secret = deployment_secret,
};
