/* SPDX-License-Identifier: Apache-2.0 */
/** What an ID token must say, and whom it speaks of.  Its signature was checked before. */
#include <string.h>

#include "identity_priv.h"

enum { LEEWAY_S = 60, MAX_SUBJECT = 255, MAX_GROUPS = 500 };

static enum cz_err wrong(struct cz_error *err, const char *claim, const char *why)
{
    return cz_fail(err, CZ_E_UNAUTHENTICATED, "claim %s: %s", claim, why);
}

static const char *text(const json_t *claims, const char *name)
{
    const json_t *v = json_object_get(claims, name);
    const char *s = json_string_value(v);
    return s && strlen(s) == json_string_length(v) ? s : NULL;
}

static enum cz_err check_audience(const json_t *claims, const char *client_id, struct cz_error *err)
{
    const json_t *aud = json_object_get(claims, "aud"), *a;
    const json_t *azp = json_object_get(claims, "azp");
    bool ours = cz_streq(json_string_value(aud), client_id);
    size_t i;
    json_array_foreach (aud, i, a)
        ours |= cz_streq(json_string_value(a), client_id);
    if (!ours)
        return wrong(err, "aud", "the token is for another client");
    if ((azp || json_array_size(aud) > 1) && !cz_streq(json_string_value(azp), client_id))
        return wrong(err, "azp", "the token was issued to another client");
    return CZ_OK;
}

static enum cz_err check_times(const json_t *claims, int64_t now_s, struct cz_error *err)
{
    const json_t *exp = json_object_get(claims, "exp"), *iat = json_object_get(claims, "iat"),
                 *nbf = json_object_get(claims, "nbf");
    if (!json_is_number(exp) || json_number_value(exp) + LEEWAY_S <= (double)now_s)
        return wrong(err, "exp", "the token has expired, or says nothing about it");
    if (!json_is_number(iat) || json_number_value(iat) - LEEWAY_S > (double)now_s)
        return wrong(err, "iat", "the token is from the future, or says nothing about it");
    if (nbf && (!json_is_number(nbf) || json_number_value(nbf) - LEEWAY_S > (double)now_s))
        return wrong(err, "nbf", "the token is not valid yet");
    return CZ_OK;
}

enum cz_err cz__claims_check(const json_t *claims, const struct cz_oidc_options *o,
                             const char *nonce, int64_t now_s, struct cz_error *err)
{
    const char *sub = text(claims, "sub");
    if (!cz_streq(text(claims, "iss"), o->issuer))
        return wrong(err, "iss", "the token is of another issuer");
    enum cz_err rc = check_audience(claims, o->client_id, err);
    if (rc == CZ_OK)
        rc = check_times(claims, now_s, err);
    if (rc != CZ_OK)
        return rc;
    if (nonce && !cz_streq(text(claims, "nonce"), nonce))
        return wrong(err, "nonce", "the token answers another question");
    if (!sub || !*sub || strlen(sub) > MAX_SUBJECT)
        return wrong(err, "sub", "the token names nobody");
    return CZ_OK;
}

static const char *good_name(const json_t *claims, const char *claim)
{
    struct cz_error err = CZ_ERROR_INIT;
    const char *s = text(claims, claim);
    return s && cz_name_check(s, &err) == CZ_OK ? s : NULL;
}

void cz__claims_principal(const json_t *claims, const struct cz_oidc_options *o,
                          struct cz_principal_new *p, json_t **ret_groups)
{
    const json_t *list = json_object_get(claims, o->groups_claim), *g;
    const char *const names[] = {o->name_claim, "name", "email", "sub"};
    struct cz_error err = CZ_ERROR_INIT;
    size_t i;
    json_t *groups = json_array();
    json_array_foreach (list, i, g)
        if (json_is_string(g) && cz_name_check(json_string_value(g), &err) == CZ_OK &&
            json_array_size(groups) < MAX_GROUPS)
            (void)json_array_append(groups, (json_t *)CZ_UNCONST(g));
        else
            cz_error_reset(&err);
    *p = (struct cz_principal_new){
        .kind = "user", .issuer = o->issuer, .subject = text(claims, "sub"), .groups = groups};
    for (i = 0; !p->name && i < sizeof(names) / sizeof(names[0]); i++)
        p->name = good_name(claims, names[i]);
    if (!p->name)
        p->name = "user";
    *ret_groups = groups;
}
