/* SPDX-License-Identifier: Apache-2.0 */
/** The first admin.  There is no default account: on a database without an admin each instance offers
 *  a random token in its log; the first one that is used makes the admin and ends them all. */
#include <string.h>

#include "identity_priv.h"

enum cz_err cz_identity_bootstrap_offer(struct cz_identity *id, char *out, bool *ret_offered,
                                        struct cz_error *err)
{
    char value[CZ__TOKEN_SIZE], hash[CZ__HASH_SIZE];
    cz__token_make("bootstrap", value);
    (void)cz_sha256_hex(value, strlen(value), hash);
    enum cz_err rc =
        cz_store_bootstrap_offer(id->store, hash, CZ__BOOTSTRAP_LIFE_MS, ret_offered, err);
    if (rc == CZ_OK && *ret_offered)
        memcpy(out, value, sizeof(value));
    return rc;
}

static enum cz_err use(struct cz_identity *id, const char *token, const char *name,
                       const char *password, struct cz_principal_row *ret, struct cz_error *err)
{
    char token_hash[CZ__HASH_SIZE], hash[CZ__PASSWORD_HASH_SIZE];
    const struct cz_principal_new n = {
        .kind = "user", .issuer = CZ_ISSUER_LOCAL, .subject = name, .name = name, .admin = true};
    (void)cz_sha256_hex(token, strlen(token), token_hash);
    enum cz_err rc = cz__token_check(token, strlen(token), "bootstrap") ? CZ_OK : CZ_E_NOT_FOUND;
    if (rc == CZ_OK)
        rc = cz__password_hash(&id->hasher, password, hash, err);
    if (rc == CZ_OK)
        rc = cz_store_bootstrap_use(id->store, token_hash, &n, hash, ret, err);
    return rc;
}

enum cz_err cz_identity_bootstrap(struct cz_identity *id, const json_t *body,
                                  const struct cz_origin *from, struct cz_signed_in *ret,
                                  struct cz_report *rep, struct cz_error *err)
{
    static const char *const known[] = {"token", "username", "password", NULL};
    struct cz_principal_row row = {0};
    struct cz_error e = CZ_ERROR_INIT;
    cz__body_known(body, known, rep);
    const char *token = cz__body_text(body, "token", true, rep);
    const char *name = cz__body_name(body, "username", true, rep);
    const char *password = cz__body_text(body, "password", true, rep);
    if (password)
        cz__password_check(password, json_string_length(json_object_get(body, "password")), name,
                           "/password", rep);
    if (!cz_report_ok(rep))
        return CZ_E_INVALID;
    if (!id->store || !id->local_accounts)
        return cz_fail(err, CZ_E_NOT_FOUND, "there are no local accounts here");
    enum cz_err rc = cz__check_throttle(id, "\nbootstrap", from->ip, err);
    if (rc != CZ_OK)
        return rc;
    rc = use(id, token, name, password, &row, &e);
    if (rc == CZ_E_NOT_FOUND) {
        cz__throttle_failed(&id->throttle, "\nbootstrap", from->ip, cz_now());
        cz_identity_audit(id, NULL, name, from, "auth.bootstrap", "failed", NULL);
        return cz_fail(err, CZ_E_UNAUTHENTICATED,
                       "this bootstrap token is unknown, used or expired");
    }
    if (rc != CZ_OK)
        return cz_fail_flags(err, rc, e.flags, e.detail, "%s", e.text);
    rc = cz__session_make(id, &row, from, ret, err);
    if (rc == CZ_OK)
        cz_identity_audit(id, ret->principal, NULL, from, "auth.bootstrap", "ok", NULL);
    cz_principal_row_done(&row);
    return rc;
}

enum cz_err cz_identity_config(struct cz_identity *id, json_t **ret, struct cz_error *err)
{
    (void)err;
    const struct cz_oidc_options *o = id->oidc ? cz__oidc_options(id->oidc) : NULL;
    *ret = json_pack("{s:b, s:o}", "local", id->local_accounts && id->store, "oidc",
                     o ? json_pack("{s:s}", "issuer", o->issuer) : json_null());
    return CZ_OK;
}
