/* SPDX-License-Identifier: Apache-2.0 */
/** Sessions of browsers: found, listed, ended; and what one can know about oneself. */
#include <string.h>

#include "identity_priv.h"

static const struct cz_session_limits LIMITS = {.idle_ms = CZ__SESSION_IDLE_MS,
                                                .absolute_ms = CZ__SESSION_LIFE_MS};

enum cz_err cz_identity_session(struct cz_identity *id, const char *cookie, size_t len,
                                const char *ip, struct cz_principal **ret, struct cz_error *err)
{
    char hash[CZ__HASH_SIZE];
    struct cz_principal_row row = {0};
    struct cz_session_row s = {0};
    struct cz_error e = CZ_ERROR_INIT;
    enum cz_err rc = CZ_E_NOT_FOUND;
    if (id->store && cz__token_check(cookie, len, "session")) {
        (void)cz_sha256_hex(cookie, len, hash);
        rc = cz_store_session_get(id->store, hash, &LIMITS, ip, &row, &s, &e);
    }
    if (rc == CZ_E_NOT_FOUND) {
        cz__count(id, CZ__BY_SESSION, CZ__FAILED);
        return cz_fail(err, CZ_E_UNAUTHENTICATED, "this session is not known or has ended");
    }
    if (rc != CZ_OK)
        return cz_fail_flags(err, rc, e.flags, e.detail, "%s", e.text);
    cz__count(id, CZ__BY_SESSION, CZ__PASSED);
    struct cz_principal *p = cz__principal(id, &row);
    p->session_id = cz_strdup(s.id);
    p->auth_ms = s.created_ms;
    cz_principal_row_done(&row);
    cz_session_row_done(&s);
    *ret = p;
    return CZ_OK;
}

static json_t *shown(const struct cz_session_row *s, const struct cz_principal *p)
{
    json_t *o = json_object();
    cz_json_set_str(o, "id", s->id);
    cz__id_set_time(o, "created", s->created_ms);
    cz__id_set_time(o, "used", s->used_ms);
    cz_json_set_str_or_null(o, "ip", s->ip);
    cz_json_set_str_or_null(o, "agent", s->agent);
    (void)json_object_set_new(o, "current", json_boolean(cz_streq(s->id, p->session_id)));
    return o;
}

static enum cz_err whose(const struct cz_principal *p, const char *principal_id, const char *what,
                         const char **ret, struct cz_error *err)
{
    *ret = principal_id ? principal_id : p->id;
    return cz_streq(*ret, p->id) ? CZ_OK : cz__need_admin(p, what, err);
}

enum cz_err cz_identity_sessions(struct cz_identity *id, const struct cz_principal *p,
                                 const char *principal_id, json_t **ret, struct cz_error *err)
{
    struct cz_session_list l = {0};
    const char *of = NULL;
    enum cz_err rc = whose(p, principal_id, "the list of another one's sessions", &of, err);
    if (rc == CZ_OK)
        rc = cz_store_sessions(id->store, of, &LIMITS, &l, err);
    if (rc != CZ_OK)
        return rc;
    json_t *items = json_array();
    for (size_t i = 0; i < l.len; i++)
        (void)json_array_append_new(items, shown(&l.items[i], p));
    cz_session_list_done(&l);
    *ret = json_pack("{s:o}", "items", items);
    return CZ_OK;
}

enum cz_err cz_identity_session_end(struct cz_identity *id, const struct cz_principal *p,
                                    const struct cz_origin *from, const char *session_id,
                                    struct cz_error *err)
{
    const char *which = session_id ? session_id : p->session_id;
    if (!which)
        return cz_fail(err, CZ_E_CONFLICT,
                       "this request has no session: a token is revoked, not signed out");
    enum cz_err rc = cz_store_session_end(id->store, p->id, which, err);
    if (rc == CZ_OK)
        cz_identity_audit(id, p, NULL, from,
                          cz_streq(which, p->session_id) ? "auth.logout" : "session.end", "ok",
                          json_pack("{s:s}", "session", which));
    return rc;
}

enum cz_err cz_identity_sessions_end(struct cz_identity *id, const struct cz_principal *p,
                                     const struct cz_origin *from, const char *principal_id,
                                     json_t **ret, struct cz_error *err)
{
    const char *of = NULL;
    int64_t n = 0;
    enum cz_err rc = whose(p, principal_id, "ending another one's sessions", &of, err);
    if (rc == CZ_OK)
        rc = cz_store_sessions_end(id->store, of, cz_streq(of, p->id) ? p->session_id : NULL, &n,
                                   err);
    if (rc != CZ_OK)
        return rc;
    cz_identity_audit(id, p, NULL, from, "session.end_all", "ok",
                      json_pack("{s:s, s:I}", "principal_id", of, "ended", (json_int_t)n));
    *ret = json_pack("{s:I}", "ended", (json_int_t)n);
    return CZ_OK;
}

/* ---- oneself -------------------------------------------------------------------------------- */

static json_t *token_of(const struct cz_principal *p)
{
    if (!p->token_id)
        return json_null();
    json_t *o = json_pack("{s:s, s:s}", "id", p->token_id, "scope", cz_scope_name(p->scope));
    cz_json_set_str_or_null(o, "team", p->token_team);
    cz_json_set_str_or_null(o, "set", p->token_set);
    cz__id_set_time(o, "expires", p->token_expires_ms);
    return o;
}

json_t *cz_identity_me(const struct cz_principal *p)
{
    json_t *o = json_object(), *roles = json_array(), *groups = json_array();
    const char *via = p->root ? "static" : p->session_id ? "session" : "token";
    cz_json_set_str(o, "id", p->id);
    cz_json_set_str(o, "name", p->name);
    cz_json_set_str(o, "kind", p->service ? "service" : "user");
    cz_json_set_str_or_null(o, "issuer", p->issuer);
    if (p->root)
        (void)json_array_append_new(roles, json_string("root"));
    if (p->admin)
        (void)json_array_append_new(roles, json_string("admin"));
    if (p->auditor)
        (void)json_array_append_new(roles, json_string("auditor"));
    for (size_t i = 0; i < p->groups_len; i++)
        (void)json_array_append_new(groups, json_string(p->groups[i]));
    (void)json_object_set_new(o, "roles", roles);
    (void)json_object_set_new(o, "groups", groups);
    cz_json_set_str(o, "via", via);
    (void)json_object_set_new(o, "token", token_of(p));
    cz__id_set_time(o, "authenticated", p->auth_ms);
    return o;
}
