/* SPDX-License-Identifier: Apache-2.0 */
/** From the options to an identity object, and the way to the first admin. */
#include "sign_in.h"

#include <string.h>

#include "cz/alloc.h"
#include "cz/log.h"
#include "cz/secret.h"

enum { LOCAL_ON = 1, LOCAL_OFF };

/* Beside an identity provider local accounts are only there when somebody wants them. */
static bool has_local(const struct options *o)
{
    return o->local_accounts == LOCAL_ON || (o->local_accounts != LOCAL_OFF && !o->oidc_issuer);
}

enum cz_err sign_in_check(const struct options *o, struct cz_error *err)
{
    if (!o->oidc_issuer && (o->oidc_client_id || o->oidc_client_secret || o->oidc_admin_group))
        return cz_fail(err, CZ_E_INVALID, "--oidc-issuer is needed with the other --oidc options");
    if (o->oidc_issuer && !o->oidc_client_id)
        return cz_fail(err, CZ_E_INVALID, "--oidc-client-id is needed with --oidc-issuer");
    if (o->oidc_issuer && !o->public_url)
        return cz_fail(err, CZ_E_INVALID,
                       "--public-url is needed with --oidc-issuer: where the provider sends browsers "
                       "back to");
    if (!has_local(o) && !o->admin_token_file && !o->oidc_admin_group)
        return cz_fail(err, CZ_E_INVALID,
                       "nobody could become an admin: --oidc-admin-group, --local-accounts on or "
                       "--admin-token-file is needed");
    return CZ_OK;
}

enum cz_err sign_in_new(const struct options *o, struct cz_store *store, const char *token,
                        size_t token_len, struct cz_identity **ret, struct cz_error *err)
{
    struct cz_secret secret = {0};
    if (o->oidc_issuer && o->oidc_client_secret &&
        cz_secret_resolve(o->oidc_client_secret, &secret, err) != CZ_OK)
        return cz_fail_prefix(err, "--oidc-client-secret");
    CZ_CLEANUP(cz_freep) char *redirect =
        o->public_url ? cz_strf("%s/api/v1/auth/oidc/callback", o->public_url) : NULL;
    const struct cz_oidc_options oidc = {.issuer = o->oidc_issuer,
                                         .client_id = o->oidc_client_id,
                                         .client_secret = secret.value,
                                         .redirect_uri = redirect,
                                         .scopes = o->oidc_scopes,
                                         .groups_claim = o->oidc_groups_claim,
                                         .name_claim = o->oidc_name_claim,
                                         .ca_file = o->oidc_ca_file};
    *ret = cz_identity_new(&(struct cz_identity_options){.store = store,
                                                         .token = token,
                                                         .token_len = token_len,
                                                         .local_accounts = has_local(o),
                                                         .oidc = o->oidc_issuer ? &oidc : NULL,
                                                         .admin_group = o->oidc_admin_group});
    cz_secret_done(&secret);
    return CZ_OK;
}

void sign_in_offer(const struct options *o, struct cz_identity *id)
{
    char token[80];
    bool offered = false;
    struct cz_error err = CZ_ERROR_INIT;
    if (o->admin_token_file || o->oidc_admin_group || !has_local(o))
        return;
    if (cz_identity_bootstrap_offer(id, token, &offered, &err) != CZ_OK)
        cz_log(CZ_LOG_ERROR, "main", "bootstrap token: %s", err.text);
    else if (offered)
        cz_log(CZ_LOG_WARN, "main",
               "there is no admin yet: make the first one within 15 minutes, with citizenk login "
               "--bootstrap or POST /api/v1/auth/bootstrap token=%s",
               token);
    explicit_bzero(token, sizeof(token));
}
