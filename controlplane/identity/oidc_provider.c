/* SPDX-License-Identifier: Apache-2.0 */
/** The identity provider: its description and keys, kept for ten minutes, and requests to it.  Only the
 *  configured issuer is ever asked; redirects are not followed; keys that a token brings along or points
 *  to are not looked at. */
#include <rhonabwy.h>
#include <string.h>

#include "cz/http_client.h"
#include "identity_priv.h"

enum { KEEP_MS = 10 * 60 * 1000, AGAIN_MS = 2000, KEYS_AGAIN_MS = 2000, ANSWER_MS = 5000 };
enum { MAX_ANSWER = 512 * 1024, MAX_TOKEN = 64 * 1024 };

struct cz__oidc {
    struct cz_oidc_options o; /* strings owned */
    struct cz_mutex lock;     /* of all that follows; held while the provider is asked */
    char *endpoints[CZ__ENDPOINTS];
    char *keys_url;
    bool basic; /* the client's secret goes into a header, else into the form */
    jwks_t *keys;
    cz_time good_until, next_try, next_keys; /* 0: never */
};

static char *or_default(const char *s, const char *def)
{
    return cz_strdup(s && *s ? s : def);
}

struct cz__oidc *cz__oidc_new(const struct cz_oidc_options *o)
{
    struct cz__oidc *p = cz_alloc(sizeof(*p));
    p->o = (struct cz_oidc_options){
        .issuer = cz_strdup(o->issuer),
        .client_id = cz_strdup(o->client_id),
        .client_secret = cz_strdup(o->client_secret),
        .redirect_uri = cz_strdup(o->redirect_uri),
        .scopes = or_default(o->scopes, "openid profile"),
        .groups_claim = or_default(o->groups_claim, "groups"),
        .name_claim = or_default(o->name_claim, "preferred_username"),
        .ca_file = cz_strdup(o->ca_file),
    };
    cz_mutex_init(&p->lock);
    return p;
}

static void forget(struct cz__oidc *p)
{
    for (int i = 0; i < CZ__ENDPOINTS; i++) {
        cz_free(p->endpoints[i]);
        p->endpoints[i] = NULL;
    }
    cz_free(p->keys_url);
    p->keys_url = NULL;
    r_jwks_free(p->keys);
    p->keys = NULL;
    p->good_until = 0;
}

void cz__oidc_free(struct cz__oidc *p)
{
    if (!p)
        return;
    forget(p);
    if (p->o.client_secret)
        explicit_bzero(CZ_UNCONST(p->o.client_secret), strlen(p->o.client_secret));
    const char *const all[] = {p->o.issuer,       p->o.client_id,  p->o.client_secret,
                               p->o.redirect_uri, p->o.scopes,     p->o.groups_claim,
                               p->o.name_claim,   p->o.ca_file};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        cz_free(CZ_UNCONST(all[i]));
    cz_mutex_done(&p->lock);
    cz_free(p);
}

const struct cz_oidc_options *cz__oidc_options(const struct cz__oidc *p)
{
    return &p->o;
}

/* ---- requests ------------------------------------------------------------------------------- */

static bool on_this_machine(const char *url)
{
    static const char *const starts[] = {"http://127.0.0.1", "http://localhost", "http://[::1]"};
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        size_t n = strlen(starts[i]);
        if (strncmp(url, starts[i], n) == 0 && strchr(":/", url[n]))
            return true;
    }
    return false;
}

enum cz_err cz_identity_check_issuer(const char *url, struct cz_error *err)
{
    enum cz_err rc = cz_client_check_url(url, true, err);
    if (rc == CZ_OK && strncmp(url, "https://", 8) != 0 && !on_this_machine(url))
        rc = cz_fail(err, CZ_E_INVALID, "%.200s: must be an https:// address", url);
    return rc;
}

/* @form NULL: GET */
static enum cz_err ask(const struct cz__oidc *p, const char *url, const char *form, bool basic,
                       int *ret_status, json_t **ret, struct cz_error *err)
{
    enum cz_err rc = cz_identity_check_issuer(url, err);
    if (rc != CZ_OK)
        return rc;
    size_t n = 8 + strcspn(url + 8, "/");
    CZ_CLEANUP(cz_freep) char *origin = cz_strndup(url, n);
    char *const servers[] = {origin};
    struct cz_client_options o = {.servers = servers,
                                  .servers_len = 1,
                                  .max_answer = MAX_ANSWER,
                                  .connect_ms = 3000,
                                  .ca_file = p->o.ca_file};
    struct cz_buf user = CZ_BUF_INIT(8192), password = CZ_BUF_INIT(8192);
    if (basic) { /* RFC 6749, 2.3.1: both are form-encoded first */
        cz_client_encode(&user, p->o.client_id);
        cz_client_encode(&password, p->o.client_secret);
        o.user = cz_buf_str(&user);
        o.password = cz_buf_str(&password);
    }
    struct cz_client *c = NULL;
    struct cz_client_reply reply = {0};
    const struct cz_client_request rq = {.method = form ? "POST" : "GET",
                                         .path = url[n] ? url + n : "/",
                                         .body = form,
                                         .type = "application/x-www-form-urlencoded",
                                         .timeout_ms = ANSWER_MS};
    rc = cz_client_new(&o, &c, err);
    if (rc == CZ_OK)
        rc = cz_client_send(c, &rq, &reply, err);
    if (rc == CZ_OK) {
        *ret_status = reply.status;
        if (cz_json_parse(cz_buf_str(&reply.body), reply.body.len, ret, NULL) != CZ_OK)
            rc = cz_fail(err, CZ_E_UNAVAILABLE,
                         "the identity provider answers %d without JSON at %.200s", reply.status, url);
        cz_client_reply_done(&reply);
    }
    cz_client_free(c);
    if (password.data)
        explicit_bzero(password.data, password.len);
    cz_buf_done(&password);
    cz_buf_done(&user);
    return rc;
}

/* ---- its description ------------------------------------------------------------------------ */

static enum cz_err get(const struct cz__oidc *p, const char *url, json_t **ret, struct cz_error *err)
{
    int status = 0;
    enum cz_err rc = ask(p, url, NULL, false, &status, ret, err);
    if (rc == CZ_OK && status != 200) {
        json_decref(*ret);
        *ret = NULL;
        rc = cz_fail(err, CZ_E_UNAVAILABLE, "the identity provider answers %d at %.200s", status, url);
    }
    return rc;
}

static bool lists(const json_t *doc, const char *key, const char *value)
{
    size_t i;
    json_t *v;
    json_array_foreach (json_object_get(doc, key), i, v)
        if (cz_streq(json_string_value(v), value))
            return true;
    return false;
}

static enum cz_err take_description(struct cz__oidc *p, const json_t *doc, struct cz_error *err)
{
    static const char *const keys[] = {[CZ__AUTHORIZE] = "authorization_endpoint",
                                       [CZ__TOKEN] = "token_endpoint",
                                       [CZ__DEVICE] = "device_authorization_endpoint"};
    if (!cz_streq(cz_json_str(doc, "issuer", NULL), p->o.issuer))
        return cz_fail(err, CZ_E_UNAVAILABLE,
                       "the identity provider calls itself %.200s, not %.200s as configured",
                       cz_json_str(doc, "issuer", "nothing"), p->o.issuer);
    for (int i = 0; i < CZ__ENDPOINTS; i++)
        p->endpoints[i] = cz_strdup(cz_json_str(doc, keys[i], NULL));
    p->keys_url = cz_strdup(cz_json_str(doc, "jwks_uri", NULL));
    if (!p->endpoints[CZ__AUTHORIZE] || !p->endpoints[CZ__TOKEN] || !p->keys_url)
        return cz_fail(err, CZ_E_UNAVAILABLE, "the identity provider's description is incomplete");
    p->basic = !json_object_get(doc, "token_endpoint_auth_methods_supported") ||
               lists(doc, "token_endpoint_auth_methods_supported", "client_secret_basic");
    return CZ_OK;
}

static enum cz_err take_keys(struct cz__oidc *p, struct cz_error *err)
{
    json_t *doc = NULL;
    jwks_t *keys = NULL;
    p->next_keys = cz_deadline_ms(KEYS_AGAIN_MS);
    enum cz_err rc = get(p, p->keys_url, &doc, err);
    if (rc != CZ_OK)
        return rc;
    CZ_CLEANUP(cz_freep) char *text = cz_json_text(doc, false);
    json_decref(doc);
    if (r_jwks_init(&keys) != RHN_OK || r_jwks_import_from_json_str(keys, text) != RHN_OK) {
        r_jwks_free(keys);
        return cz_fail(err, CZ_E_UNAVAILABLE, "the identity provider's keys cannot be read");
    }
    r_jwks_free(p->keys);
    p->keys = keys;
    return CZ_OK;
}

/* The lock is held. A provider that failed a moment ago is not asked again by everybody who waits. */
static enum cz_err ready(struct cz__oidc *p, struct cz_error *err)
{
    json_t *doc = NULL;
    if (cz_now() < p->good_until)
        return CZ_OK;
    if (cz_now() < p->next_try)
        return cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0,
                             "the identity provider did not answer a moment ago");
    p->next_try = cz_deadline_ms(ANSWER_MS + AGAIN_MS);
    forget(p);
    size_t n = strlen(p->o.issuer);
    CZ_CLEANUP(cz_freep) char *url =
        cz_strf("%.*s/.well-known/openid-configuration",
                (int)(n && p->o.issuer[n - 1] == '/' ? n - 1 : n), p->o.issuer);
    enum cz_err rc = get(p, url, &doc, err);
    if (rc == CZ_OK)
        rc = take_description(p, doc, err);
    json_decref(doc);
    if (rc == CZ_OK)
        rc = take_keys(p, err);
    p->next_try = rc == CZ_OK ? 0 : cz_deadline_ms(AGAIN_MS);
    p->good_until = rc == CZ_OK ? cz_deadline_ms(KEEP_MS) : 0;
    return rc;
}

enum cz_err cz__oidc_endpoint(struct cz__oidc *p, enum cz__endpoint e, char **ret,
                              struct cz_error *err)
{
    CZ_LOCKED(&p->lock);
    enum cz_err rc = ready(p, err);
    if (rc == CZ_OK && !p->endpoints[e])
        rc = cz_fail(err, CZ_E_NOT_FOUND, "the identity provider does not offer this");
    if (rc == CZ_OK)
        *ret = cz_strdup(p->endpoints[e]);
    return rc;
}

enum cz_err cz__oidc_post(struct cz__oidc *p, enum cz__endpoint e, const char *form,
                          int *ret_status, json_t **ret, struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *url = NULL;
    struct cz_buf all = CZ_BUF_INIT(64 * 1024);
    enum cz_err rc = cz__oidc_endpoint(p, e, &url, err);
    if (rc != CZ_OK)
        return rc;
    cz_mutex_lock(&p->lock);
    bool basic = p->o.client_secret && p->basic;
    cz_mutex_unlock(&p->lock);
    cz_buf_addf(&all, "%s&client_id=", form);
    cz_client_encode(&all, p->o.client_id);
    if (p->o.client_secret && !basic) {
        cz_buf_adds(&all, "&client_secret=");
        cz_client_encode(&all, p->o.client_secret);
    }
    rc = ask(p, url, cz_buf_str(&all), basic, ret_status, ret, err);
    if (all.data)
        explicit_bzero(all.data, all.len);
    cz_buf_done(&all);
    return rc;
}

/* ---- signatures ----------------------------------------------------------------------------- */

/* The algorithm must be one of ours and fit the key: a public key is never taken for an HMAC's. */
static bool fits(jwa_alg alg, jwk_t *key)
{
    int type = r_jwk_key_type(key, NULL, R_FLAG_IGNORE_REMOTE);
    const char *use = r_jwk_get_property_str(key, "use");
    if (!(type & R_KEY_TYPE_PUBLIC) || (use && !cz_streq(use, "sig")))
        return false;
    return (alg == R_JWA_ALG_RS256 && (type & R_KEY_TYPE_RSA)) ||
           (alg == R_JWA_ALG_ES256 && (type & R_KEY_TYPE_EC)) ||
           (alg == R_JWA_ALG_EDDSA && (type & R_KEY_TYPE_EDDSA));
}

/* A copy; NULL: none. A token without a key id is verified by the only key there is. */
static jwk_t *key_of(const struct cz__oidc *p, const char *kid)
{
    if (kid)
        return r_jwks_get_by_kid(p->keys, kid);
    return r_jwks_size(p->keys) == 1 ? r_jwks_get_at(p->keys, 0) : NULL;
}

static enum cz_err verify_with(struct cz__oidc *p, jwt_t *jwt, struct cz_error *err)
{
    const char *kid = r_jwt_get_header_str_value(jwt, "kid");
    jwa_alg alg = r_jwt_get_sign_alg(jwt);
    jwk_t *key = key_of(p, kid);
    if (!key && cz_now() >= p->next_keys) {
        enum cz_err rc = take_keys(p, err);
        if (rc != CZ_OK)
            return rc;
        key = key_of(p, kid);
    }
    if (!key)
        return cz_fail(err, CZ_E_UNAUTHENTICATED, "signature: by a key that the issuer does not have");
    bool ok = fits(alg, key) && r_jwt_verify_signature(jwt, key, R_FLAG_IGNORE_REMOTE) == RHN_OK;
    r_jwk_free(key);
    return ok ? CZ_OK
              : cz_fail(err, CZ_E_UNAUTHENTICATED,
                        "signature: is wrong, or not RS256, ES256 or EdDSA");
}

enum cz_err cz__oidc_verify(struct cz__oidc *p, const char *token, json_t **ret_claims,
                            struct cz_error *err)
{
    jwt_t *jwt = NULL;
    if (strlen(token) > MAX_TOKEN || r_jwt_init(&jwt) != RHN_OK)
        return cz_fail(err, CZ_E_UNAUTHENTICATED, "the token is too long");
    enum cz_err rc = CZ_OK;
    json_t *crit = NULL;
    if (r_jwt_advanced_parse(jwt, token, R_PARSE_NONE, R_FLAG_IGNORE_REMOTE) != RHN_OK ||
        r_jwt_get_type(jwt) != R_JWT_TYPE_SIGN)
        rc = cz_fail(err, CZ_E_UNAUTHENTICATED, "the token is not a signed JWT");
    if (rc == CZ_OK && (crit = r_jwt_get_header_json_t_value(jwt, "crit")))
        rc = cz_fail(err, CZ_E_UNAUTHENTICATED, "the token wants extensions that are not known");
    json_decref(crit);
    if (rc == CZ_OK) {
        CZ_LOCKED(&p->lock);
        rc = ready(p, err);
        if (rc == CZ_OK)
            rc = verify_with(p, jwt, err);
    }
    if (rc == CZ_OK)
        *ret_claims = r_jwt_get_full_claims_json_t(jwt);
    r_jwt_free(jwt);
    return rc;
}
