/* SPDX-License-Identifier: Apache-2.0 */
/** The object, who bears a token, and the audit of it all. */
#include "identity_priv.h"

#include <string.h>

#include "cz/log.h"
#include "cz/metrics.h"
#include "cz/secret.h"

struct cz_identity *cz_identity_new(const struct cz_identity_options *o)
{
    struct cz_identity *id = cz_alloc(sizeof(*id));
    id->store = o->store;
    id->admin_group = cz_strdup(o->admin_group);
    id->local_accounts = o->local_accounts;
    id->oidc = o->oidc ? cz__oidc_new(o->oidc) : NULL;
    cz__hasher_init(&id->hasher);
    cz__throttle_init(&id->throttle);
    id->has_static = o->token != NULL;
    if (o->token)
        (void)cz_sha256_hex(o->token, o->token_len, id->static_hash);
    cz_mutex_init(&id->lock);
    return id;
}

void cz_identity_free(struct cz_identity *id)
{
    if (!id)
        return;
    cz_mutex_done(&id->lock);
    cz__oidc_free(id->oidc);
    cz__hasher_done(&id->hasher);
    cz__throttle_done(&id->throttle);
    cz_free(id->admin_group);
    cz_free(id);
}

void cz__count(struct cz_identity *id, enum cz__method m, enum cz__result r)
{
    atomic_fetch_add(&id->attempts[m][r], 1);
}

void cz_identity_metrics(struct cz_identity *id, struct cz_buf *out)
{
    static const char *const methods[] = {[CZ__BY_PASSWORD] = "password",
                                          [CZ__BY_OIDC] = "oidc",
                                          [CZ__BY_TOKEN] = "token",
                                          [CZ__BY_SESSION] = "session"};
    static const char *const results[] = {
        [CZ__PASSED] = "ok", [CZ__FAILED] = "failed", [CZ__THROTTLED] = "throttled"};
    cz_prom_family(out, "citizenk_auth_attempts_total", "counter",
                   "Tries to sign in, and requests with a token or a session.");
    for (int m = 0; m < CZ__METHODS; m++)
        for (int r = 0; r < CZ__RESULTS; r++)
            cz_prom_sample(out, "citizenk_auth_attempts_total",
                           (double)atomic_load(&id->attempts[m][r]), "method", methods[m],
                           "result", results[r], NULL);
}

enum cz_err cz__need_admin(const struct cz_principal *p, const char *what, struct cz_error *err)
{
    if (p->root || p->admin)
        return CZ_OK;
    return cz_fail(err, CZ_E_FORBIDDEN, "%s needs the platform role admin", what);
}

void cz__id_set_time(json_t *o, const char *key, int64_t ms)
{
    char text[CZ_RFC3339_SIZE];
    (void)json_object_set_new(o, key, ms ? json_string(cz_rfc3339(ms, text)) : json_null());
}

/* With --admin-token-file the secret is made of it, as ever; without, the database has one. */
enum cz_err cz_identity_secret(struct cz_identity *id, const char *purpose, char *ret,
                               struct cz_error *err)
{
    char base[CZ__HASH_SIZE];
    if (id->has_static) {
        memcpy(base, id->static_hash, sizeof(base));
    } else {
        cz_mutex_lock(&id->lock);
        memcpy(base, id->secret, sizeof(base));
        cz_mutex_unlock(&id->lock);
    }
    if (!base[0] && !id->store)
        return cz_fail(err, CZ_E_UNAVAILABLE, "there is no database that keeps a secret");
    if (!base[0]) {
        char *text = NULL;
        enum cz_err rc = cz_store_deployment_secret(id->store, &text, err);
        if (rc != CZ_OK)
            return rc;
        (void)cz_sha256_hex(text, strlen(text), base);
        cz_free(text);
        CZ_LOCKED(&id->lock);
        memcpy(id->secret, base, sizeof(base));
    }
    char *text = cz_strf("%s %s", purpose, base);
    (void)cz_sha256_hex(text, strlen(text), ret);
    cz_free(text);
    return CZ_OK;
}

/* ---- bearers -------------------------------------------------------------------------------- */

/* Everything that an installation with --admin-token-file alone has. */
static struct cz_principal *static_principal(void)
{
    struct cz_principal *p = cz_alloc(sizeof(*p));
    p->id = cz_strdup("admin");
    p->name = cz_strdup("admin");
    p->root = p->admin = true;
    p->scope = CZ_SCOPE_ADMIN;
    return p;
}

static enum cz_scope widest(const char *scopes)
{
    enum cz_scope best = CZ_SCOPE_READ;
    for (int i = 0; i < CZ_SCOPE_COUNT_; i++) {
        const char *at = strstr(scopes, cz_scope_name((enum cz_scope)i));
        if (at)
            best = (enum cz_scope)i;
    }
    return best;
}

static enum cz_err find_bearer(struct cz_identity *id, const char *token, size_t len,
                               const char *ip, struct cz_principal **ret, struct cz_error *err)
{
    char hash[CZ__HASH_SIZE];
    struct cz_principal_row row = {0};
    struct cz_token_row t = {0};
    struct cz_error e = CZ_ERROR_INIT;
    (void)cz_sha256_hex(token, len, hash);
    if (id->has_static && cz_secret_equal(hash, 64, id->static_hash, 64)) {
        *ret = static_principal();
        return CZ_OK;
    }
    bool sign_in = cz__token_check(token, len, CZ__KIND_SIGN_IN);
    if (!id->store || (!sign_in && !cz__token_check(token, len, "user") && !cz__token_check(token, len, "service")))
        return cz_fail(err, CZ_E_UNAUTHENTICATED, "this token is not known");
    enum cz_err rc = cz_store_token_get(id->store, hash, ip, &row, &t, &e);
    if (rc == CZ_E_NOT_FOUND)
        return cz_fail(err, CZ_E_UNAUTHENTICATED, "this token is not known, expired or revoked");
    if (rc != CZ_OK)
        return cz_fail_flags(err, rc, e.flags, e.detail, "%s", e.text);
    struct cz_principal *p = cz__principal(id, &row);
    p->token_id = cz_strdup(t.id);
    p->token_team = cz_strdup(t.team);
    p->token_set = cz_strdup(t.set);
    p->scope = widest(t.scopes);
    p->auth_ms = t.created_ms;
    p->sign_in = sign_in;
    p->token_expires_ms = t.expires_ms;
    cz_principal_row_done(&row);
    cz_token_row_done(&t);
    *ret = p;
    return CZ_OK;
}

enum cz_err cz_identity_bearer(struct cz_identity *id, const char *token, size_t len,
                               const char *ip, struct cz_principal **ret, struct cz_error *err)
{
    enum cz_err rc = find_bearer(id, token, len, ip, ret, err);
    if (rc == CZ_OK || rc == CZ_E_UNAUTHENTICATED)
        cz__count(id, CZ__BY_TOKEN, rc == CZ_OK ? CZ__PASSED : CZ__FAILED);
    return rc;
}

enum cz_err cz_identity_principal(struct cz_identity *id, const char *principal_id,
                                  struct cz_principal **ret, struct cz_error *err)
{
    struct cz_principal_row row = {0};
    if (id->has_static && cz_streq(principal_id, "admin")) {
        *ret = static_principal();
        return CZ_OK;
    }
    enum cz_err rc = id->store ? cz_store_principal_get(id->store, principal_id, &row, err)
                               : cz_fail(err, CZ_E_NOT_FOUND, "there is no principal %.200s", principal_id);
    if (rc == CZ_OK)
        *ret = cz__principal(id, &row);
    cz_principal_row_done(&row);
    return rc;
}

/* ---- audit ---------------------------------------------------------------------------------- */

void cz_identity_audit(struct cz_identity *id, const struct cz_principal *p, const char *name,
                       const struct cz_origin *from, const char *action, const char *outcome,
                       json_t *detail)
{
    struct cz_error err = CZ_ERROR_INIT;
    const struct cz_change_meta m = {
        .actor = p ? p->name : name,
        .actor_id = p ? p->id : NULL,
        .token_id = p ? p->token_id : NULL,
        .via = from->via,
        .request_id = from->request_id,
        .trace_id = from->trace_id,
        .ip = from->ip,
        .action = action,
    };
    if (id->store && cz_store_audit(id->store, &m, outcome, detail, &err) != CZ_OK)
        CZ_LOG_EVERY(10000, CZ_LOG_WARN, "identity", "audit event is lost: %s (%s)", action,
                     err.text);
    json_decref(detail);
}
