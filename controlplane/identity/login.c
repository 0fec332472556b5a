/* SPDX-License-Identifier: Apache-2.0 */
/** Signing in with a name and a password.  Whatever is wrong (no such account, disabled, another
 *  password) is one answer that takes one time: the hash is computed in any case. */
#include <string.h>

#include "identity_priv.h"

enum { MAX_PASSWORD = 1024, DEFAULT_TOKEN_MS = 12 * 3600 * 1000 };

void cz_signed_in_done(struct cz_signed_in *s)
{
    explicit_bzero(s->cookie, sizeof(s->cookie));
    cz_principal_free(s->principal);
    *s = (struct cz_signed_in){0};
}

enum cz_err cz__session_make(struct cz_identity *id, const struct cz_principal_row *row,
                             const struct cz_origin *from, struct cz_signed_in *ret,
                             struct cz_error *err)
{
    char value[CZ__TOKEN_SIZE], hash[CZ__HASH_SIZE], uid[CZ_UID_SIZE];
    CZ_CLEANUP(cz_freep) char *agent = from->agent ? cz_strndup(from->agent, 200) : NULL;
    if (agent && !cz_utf8_valid(agent, strlen(agent)))
        agent[0] = 0;
    cz__token_make("session", value);
    (void)cz_sha256_hex(value, strlen(value), hash);
    const struct cz_session_row s = {.id = cz_uid(uid),
                                     .principal_id = row->id,
                                     .ip = CZ_UNCONST(from->ip),
                                     .agent = agent};
    enum cz_err rc = cz_store_session_new(id->store, &s, hash, CZ__SESSION_LIFE_MS, err);
    if (rc == CZ_OK) {
        memcpy(ret->cookie, value, sizeof(value));
        ret->life_s = CZ__SESSION_LIFE_MS / 1000;
        ret->principal = cz__principal(id, row);
        ret->principal->session_id = cz_strdup(uid);
        ret->principal->auth_ms = cz_wall_ms();
    }
    explicit_bzero(value, sizeof(value));
    return rc;
}

/* ---- proving it ----------------------------------------------------------------------------- */

struct given {
    const char *name, *password;
};

static enum cz_err
read_given(const json_t *body, const char *more, struct given *g, struct cz_report *rep)
{
    const char *const known[] = {"username", "password", more, NULL};
    cz__body_known(body, known, rep);
    g->name = cz__body_text(body, "username", true, rep);
    g->password = cz__body_text(body, "password", true, rep);
    if (g->password && (json_string_length(json_object_get(body, "password")) > MAX_PASSWORD ||
                        strlen(g->name ? g->name : "") > MAX_PASSWORD))
        (void)cz_report_add(rep, "/password", "length", "must have %d bytes at most", MAX_PASSWORD);
    return cz_report_ok(rep) ? CZ_OK : CZ_E_INVALID;
}

enum cz_err cz__check_throttle(struct cz_identity *id, const char *name, const char *ip,
                               struct cz_error *err)
{
    int64_t wait = cz__throttle_wait_ms(&id->throttle, name, ip, cz_now());
    if (wait == 0)
        return CZ_OK;
    cz__count(id, CZ__BY_PASSWORD, CZ__THROTTLED);
    int64_t seconds = (wait + 999) / 1000;
    return cz_fail_flags(err, CZ_E_LIMIT, 0, seconds,
                         "too many failed tries: wait %lld s and try again", (long long)seconds);
}

static enum cz_err failed(struct cz_identity *id, const struct given *g,
                          const struct cz_origin *from, struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *name = cz_strndup(g->name, 200);
    if (!cz_utf8_valid(name, strlen(name))) /* cut within a character */
        name[0] = 0;
    cz__throttle_failed(&id->throttle, g->name, from->ip, cz_now());
    cz__count(id, CZ__BY_PASSWORD, CZ__FAILED);
    cz_identity_audit(id, NULL, name, from, "auth.login", "failed",
                      json_pack("{s:s}", "method", "password"));
    return cz_fail(err, CZ_E_UNAUTHENTICATED, "name or password is wrong");
}

/* Before the turn, so that who is throttled takes none, and within it: of many that come at once
 * only the first few may try before the first failure is known. */
static enum cz_err prove(struct cz_identity *id, const struct given *g,
                         const struct cz_origin *from, struct cz_principal_row *ret,
                         struct cz_error *err)
{
    struct cz_error e = CZ_ERROR_INIT;
    char *hash = NULL;
    enum cz_err rc = cz__check_throttle(id, g->name, from->ip, err);
    if (rc != CZ_OK)
        return rc;
    rc = cz_store_password_get(id->store, g->name, ret, &hash, &e);
    if (rc != CZ_OK && rc != CZ_E_NOT_FOUND)
        return cz_fail_flags(err, rc, e.flags, e.detail, "%s", e.text);
    rc = cz__hasher_enter(&id->hasher, err);
    if (rc == CZ_OK) {
        rc = cz__check_throttle(id, g->name, from->ip, err);
        if (rc == CZ_OK && !cz__password_verify(&id->hasher, g->password, hash))
            rc = failed(id, g, from, err);
        cz__hasher_leave(&id->hasher);
    }
    cz_free(hash);
    if (rc != CZ_OK)
        cz_principal_row_done(ret);
    else
        cz__throttle_passed(&id->throttle, g->name, from->ip, cz_now());
    return rc;
}

enum cz_err cz__prove_password(struct cz_identity *id, const char *name, const char *password,
                               const struct cz_origin *from, struct cz_error *err)
{
    struct cz_principal_row row = {0};
    enum cz_err rc = prove(id, &(struct given){name, password}, from, &row, err);
    cz_principal_row_done(&row);
    return rc;
}

static enum cz_err need_local(const struct cz_identity *id, struct cz_error *err)
{
    return id->local_accounts && id->store
               ? CZ_OK
               : cz_fail(err, CZ_E_NOT_FOUND, "there are no local accounts here");
}

enum cz_err cz_identity_login(struct cz_identity *id, const json_t *body,
                              const struct cz_origin *from, struct cz_signed_in *ret,
                              struct cz_report *rep, struct cz_error *err)
{
    struct given g;
    struct cz_principal_row row = {0};
    struct cz_signed_in s = {0};
    enum cz_err rc = need_local(id, err);
    if (rc == CZ_OK)
        rc = read_given(body, NULL, &g, rep);
    if (rc == CZ_OK)
        rc = prove(id, &g, from, &row, err);
    if (rc == CZ_OK)
        rc = cz__session_make(id, &row, from, &s, err);
    cz_principal_row_done(&row);
    if (rc != CZ_OK)
        return rc;
    cz__count(id, CZ__BY_PASSWORD, CZ__PASSED);
    cz_identity_audit(id, s.principal, NULL, from, "auth.login", "ok",
                      json_pack("{s:s, s:s}", "method", "password", "session",
                                s.principal->session_id));
    *ret = s;
    return CZ_OK;
}

enum cz_err cz__sign_in_token(struct cz_identity *id, const struct cz_principal_row *row,
                              const char *name, const char *method, const struct cz_origin *from,
                              json_t **ret, struct cz_report *rep, struct cz_error *err)
{
    char expires[CZ_RFC3339_SIZE];
    struct cz_principal *p = cz__principal(id, row);
    json_t *wish = json_pack("{s:s, s:[s], s:s}", "name", name ? name : "sign-in", "scopes", "admin",
                             "expires", cz_rfc3339(cz_wall_ms() + DEFAULT_TOKEN_MS, expires));
    cz_identity_audit(id, p, NULL, from, "auth.login", "ok", json_pack("{s:s}", "method", method));
    enum cz_err rc = cz__token_new(id, p, from, wish, CZ__KIND_SIGN_IN, ret, rep, err);
    json_decref(wish);
    cz_principal_free(p);
    return rc;
}

enum cz_err cz_identity_login_token(struct cz_identity *id, const json_t *body,
                                    const struct cz_origin *from, json_t **ret,
                                    struct cz_report *rep, struct cz_error *err)
{
    struct given g;
    struct cz_principal_row row = {0};
    enum cz_err rc = need_local(id, err);
    if (rc == CZ_OK)
        rc = read_given(body, "name", &g, rep);
    const char *name = cz__body_name(body, "name", false, rep);
    if (rc == CZ_OK && !cz_report_ok(rep))
        rc = CZ_E_INVALID;
    if (rc == CZ_OK)
        rc = prove(id, &g, from, &row, err);
    if (rc != CZ_OK)
        return rc;
    cz__count(id, CZ__BY_PASSWORD, CZ__PASSED);
    rc = cz__sign_in_token(id, &row, name, "password", from, ret, rep, err);
    cz_principal_row_done(&row);
    return rc;
}
