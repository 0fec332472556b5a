/* SPDX-License-Identifier: Apache-2.0 */
/** Signing in by an identity provider: authorization code with PKCE, and the device flow for programs.
 *  What must be remembered between the two halves of a sign-in is made of one random cookie: state, nonce
 *  and verifier are hashes of it for three purposes, so no half-finished sign-in is kept anywhere, any
 *  instance can finish it, and an answer that was meant for another browser fits nothing. */
#include <string.h>

#include "cz/http_client.h"
#include "cz/log.h"
#include "cz/secret.h"
#include "identity_priv.h"

static void derive(const char *purpose, const char *cookie, char out[CZ__HASH_SIZE])
{
    CZ_CLEANUP(cz_freep) char *text = cz_strf("citizenk oidc %s %s", purpose, cookie);
    (void)cz_sha256_hex(text, strlen(text), out);
    explicit_bzero(text, strlen(text));
}

/* base64url(SHA-256(@s)), 43 characters. */
static void challenge_of(const char *s, char out[44])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char hex[CZ__HASH_SIZE];
    unsigned bits = 0, have = 0;
    size_t n = 0;
    (void)cz_sha256_hex(s, strlen(s), hex);
    for (size_t i = 0; i < 64; i++) {
        bits = bits << 4 | (unsigned)(hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10);
        have += 4;
        if (have >= 6) {
            have -= 6;
            out[n++] = digits[bits >> have & 63];
        }
    }
    out[n++] = digits[bits << (6 - have) & 63];
    out[n] = 0;
}

static void add(struct cz_buf *b, const char *key, const char *value)
{
    cz_buf_addf(b, "%s%s=", b->len && b->data[b->len - 1] != '?' ? "&" : "", key);
    cz_client_encode(b, value);
}

static enum cz_err need_oidc(const struct cz_identity *id, struct cz_error *err)
{
    return id->oidc && id->store ? CZ_OK
                                 : cz_fail(err, CZ_E_NOT_FOUND, "there is no identity provider here");
}

enum cz_err cz_identity_oidc_start(struct cz_identity *id, char *ret_cookie, char **ret_url,
                                   struct cz_error *err)
{
    char cookie[CZ__TOKEN_SIZE], state[CZ__HASH_SIZE], nonce[CZ__HASH_SIZE],
        verifier[CZ__HASH_SIZE], challenge[44];
    CZ_CLEANUP(cz_freep) char *url = NULL;
    struct cz_buf b = CZ_BUF_INIT(16 * 1024);
    enum cz_err rc = need_oidc(id, err);
    if (rc == CZ_OK)
        rc = cz__oidc_endpoint(id->oidc, CZ__AUTHORIZE, &url, err);
    if (rc != CZ_OK)
        return rc;
    const struct cz_oidc_options *o = cz__oidc_options(id->oidc);
    cz__token_make("login", cookie);
    derive("state", cookie, state);
    derive("nonce", cookie, nonce);
    derive("verifier", cookie, verifier);
    challenge_of(verifier, challenge);
    cz_buf_addf(&b, "%s%c", url, strchr(url, '?') ? '&' : '?');
    add(&b, "response_type", "code");
    add(&b, "client_id", o->client_id);
    add(&b, "redirect_uri", o->redirect_uri);
    add(&b, "scope", o->scopes);
    add(&b, "state", state);
    add(&b, "nonce", nonce);
    add(&b, "code_challenge", challenge);
    add(&b, "code_challenge_method", "S256");
    memcpy(ret_cookie, cookie, sizeof(cookie));
    *ret_url = cz_buf_steal(&b);
    return CZ_OK;
}

/* ---- the way back --------------------------------------------------------------------------- */

static enum cz_err check_back(const struct cz_oidc_options *o, const struct cz_oidc_back *back,
                              struct cz_error *err)
{
    char state[CZ__HASH_SIZE];
    if (!back->cookie || !cz__token_check(back->cookie, strlen(back->cookie), "login"))
        return cz_fail(err, CZ_E_UNAUTHENTICATED, "this browser did not begin a sign-in");
    derive("state", back->cookie, state);
    if (!back->state || !cz_secret_equal(back->state, strlen(back->state), state, 64))
        return cz_fail(err, CZ_E_UNAUTHENTICATED, "state: the answer is for another sign-in");
    if (back->issuer && !cz_streq(back->issuer, o->issuer))
        return cz_fail(err, CZ_E_UNAUTHENTICATED, "iss: the answer is of another issuer");
    if (back->error)
        return cz_fail(err, CZ_E_UNAUTHENTICATED, "the identity provider says: %.100s", back->error);
    return back->code ? CZ_OK : cz_fail(err, CZ_E_UNAUTHENTICATED, "the answer has no code");
}

/* An ID token becomes a principal. @nonce NULL: the flow has none. */
static enum cz_err accept(struct cz_identity *id, const json_t *answer, const char *nonce,
                          struct cz_principal_row *ret, struct cz_error *err)
{
    const char *token = cz_json_str(answer, "id_token", NULL);
    const struct cz_oidc_options *o = cz__oidc_options(id->oidc);
    json_t *claims = NULL, *groups = NULL;
    struct cz_principal_new p;
    if (!token)
        return cz_fail(err, CZ_E_UNAUTHENTICATED, "the identity provider gave no ID token");
    enum cz_err rc = cz__oidc_verify(id->oidc, token, &claims, err);
    if (rc == CZ_OK)
        rc = cz__claims_check(claims, o, nonce, cz_wall_ms() / 1000, err);
    if (rc == CZ_OK) {
        cz__claims_principal(claims, o, &p, &groups);
        rc = cz_store_principal_login(id->store, &p, ret, err);
    }
    if (rc == CZ_OK && ret->disabled) {
        cz_principal_row_done(ret);
        rc = cz_fail(err, CZ_E_UNAUTHENTICATED, "this principal is disabled");
    }
    json_decref(groups);
    json_decref(claims);
    return rc;
}

static enum cz_err exchange(struct cz_identity *id, const struct cz_oidc_back *back,
                            struct cz_principal_row *ret, struct cz_error *err)
{
    const struct cz_oidc_options *o = cz__oidc_options(id->oidc);
    char verifier[CZ__HASH_SIZE], nonce[CZ__HASH_SIZE];
    struct cz_buf form = CZ_BUF_INIT(32 * 1024);
    json_t *answer = NULL;
    int status = 0;
    enum cz_err rc = check_back(o, back, err);
    if (rc != CZ_OK)
        return rc;
    derive("verifier", back->cookie, verifier);
    derive("nonce", back->cookie, nonce);
    add(&form, "grant_type", "authorization_code");
    add(&form, "code", back->code);
    add(&form, "redirect_uri", o->redirect_uri);
    add(&form, "code_verifier", verifier);
    rc = cz__oidc_post(id->oidc, CZ__TOKEN, cz_buf_str(&form), &status, &answer, err);
    cz_buf_done(&form);
    if (rc == CZ_OK && status != 200)
        rc = cz_fail(err, CZ_E_UNAUTHENTICATED, "the identity provider refuses the code (%d: %.100s)",
                     status, cz_json_str(answer, "error", "no reason"));
    if (rc == CZ_OK)
        rc = accept(id, answer, nonce, ret, err);
    json_decref(answer);
    return rc;
}

/* Why is for the operator; outside there is one text.  Strangers cannot fill the log with it: they wait. */
static enum cz_err refused(struct cz_identity *id, const struct cz_origin *from,
                           const struct cz_error *why, struct cz_error *err)
{
    cz__count(id, CZ__BY_OIDC, CZ__FAILED);
    cz__throttle_failed(&id->throttle, "\noidc", from->ip, cz_now());
    cz_log(CZ_LOG_WARN, "identity", "sign-in refused: %s request_id=%s", why->text,
           from->request_id ? from->request_id : "-");
    cz_identity_audit(id, NULL, NULL, from, "auth.login", "failed",
                      json_pack("{s:s, s:s}", "method", "oidc", "reason", why->text));
    return cz_fail(err, CZ_E_UNAUTHENTICATED,
                   "the identity provider's answer was refused; the log has the reason under the "
                   "request id");
}

enum cz_err cz_identity_oidc_finish(struct cz_identity *id, const struct cz_oidc_back *back,
                                    const struct cz_origin *from, struct cz_signed_in *ret,
                                    struct cz_error *err)
{
    struct cz_principal_row row = {0};
    struct cz_error why = CZ_ERROR_INIT;
    enum cz_err rc = need_oidc(id, err);
    if (rc == CZ_OK)
        rc = cz__check_throttle(id, "\noidc", from->ip, err);
    if (rc != CZ_OK)
        return rc;
    rc = exchange(id, back, &row, &why);
    if (rc == CZ_E_UNAUTHENTICATED)
        return refused(id, from, &why, err);
    if (rc != CZ_OK)
        return cz_fail_flags(err, rc, why.flags, why.detail, "%s", why.text);
    rc = cz__session_make(id, &row, from, ret, err);
    cz_principal_row_done(&row);
    if (rc != CZ_OK)
        return rc;
    cz__count(id, CZ__BY_OIDC, CZ__PASSED);
    cz__throttle_passed(&id->throttle, "\noidc", from->ip, cz_now());
    cz_identity_audit(id, ret->principal, NULL, from, "auth.login", "ok",
                      json_pack("{s:s, s:s}", "method", "oidc", "session",
                                ret->principal->session_id));
    return CZ_OK;
}

/* ---- programs ------------------------------------------------------------------------------- */

enum cz_err cz_identity_device_start(struct cz_identity *id, json_t **ret, struct cz_error *err)
{
    static const char *const keep[] = {"device_code",     "user_code",
                                       "verification_uri", "verification_uri_complete",
                                       "expires_in",      "interval"};
    struct cz_buf form = CZ_BUF_INIT(4096);
    json_t *answer = NULL;
    int status = 0;
    enum cz_err rc = need_oidc(id, err);
    if (rc != CZ_OK)
        return rc;
    add(&form, "scope", cz__oidc_options(id->oidc)->scopes);
    rc = cz__oidc_post(id->oidc, CZ__DEVICE, cz_buf_str(&form), &status, &answer, err);
    cz_buf_done(&form);
    if (rc == CZ_OK && (status != 200 || !cz_json_str(answer, "device_code", NULL) ||
                        !cz_json_str(answer, "user_code", NULL) ||
                        !cz_json_str(answer, "verification_uri", NULL)))
        rc = cz_fail(err, CZ_E_UNAVAILABLE, "the identity provider refuses the device flow (%d: %.100s)",
                     status, cz_json_str(answer, "error", "incomplete answer"));
    if (rc == CZ_OK) {
        json_t *o = json_object();
        for (size_t i = 0; i < sizeof(keep) / sizeof(keep[0]); i++)
            if (json_object_get(answer, keep[i]))
                (void)json_object_set(o, keep[i], json_object_get(answer, keep[i]));
        *ret = o;
    }
    json_decref(answer);
    return rc;
}

static enum cz_err poll(struct cz_identity *id, const char *code, struct cz_principal_row *row,
                        json_t **ret_pending, struct cz_error *err)
{
    struct cz_buf form = CZ_BUF_INIT(16 * 1024);
    json_t *answer = NULL;
    int status = 0;
    add(&form, "grant_type", "urn:ietf:params:oauth:grant-type:device_code");
    add(&form, "device_code", code);
    enum cz_err rc = cz__oidc_post(id->oidc, CZ__TOKEN, cz_buf_str(&form), &status, &answer, err);
    cz_buf_done(&form);
    if (rc != CZ_OK)
        return rc;
    const char *error = cz_json_str(answer, "error", "");
    bool slow = strcmp(error, "slow_down") == 0;
    if (status != 200 && (slow || strcmp(error, "authorization_pending") == 0))
        *ret_pending = json_pack("{s:b, s:b}", "pending", 1, "slow_down", slow);
    else if (status != 200)
        rc = cz_fail(err, CZ_E_UNAUTHENTICATED, "the identity provider says: %.100s", error);
    else
        rc = accept(id, answer, NULL, row, err);
    json_decref(answer);
    return rc;
}

enum cz_err cz_identity_device_poll(struct cz_identity *id, const json_t *body,
                                    const struct cz_origin *from, json_t **ret,
                                    struct cz_report *rep, struct cz_error *err)
{
    static const char *const known[] = {"device_code", "name", NULL};
    struct cz_principal_row row = {0};
    struct cz_error why = CZ_ERROR_INIT;
    json_t *pending = NULL;
    enum cz_err rc = need_oidc(id, err);
    if (rc == CZ_OK)
        rc = cz__check_throttle(id, "\noidc", from->ip, err);
    if (rc != CZ_OK)
        return rc;
    cz__body_known(body, known, rep);
    const char *code = cz__body_text(body, "device_code", true, rep);
    const char *name = cz__body_name(body, "name", false, rep);
    if (!cz_report_ok(rep))
        return CZ_E_INVALID;
    rc = poll(id, code, &row, &pending, &why);
    if (rc == CZ_E_UNAUTHENTICATED)
        return refused(id, from, &why, err);
    if (rc != CZ_OK)
        return cz_fail_flags(err, rc, why.flags, why.detail, "%s", why.text);
    if (pending) {
        *ret = pending;
        return CZ_OK;
    }
    cz__count(id, CZ__BY_OIDC, CZ__PASSED);
    rc = cz__sign_in_token(id, &row, name, "device", from, ret, rep, err);
    cz_principal_row_done(&row);
    return rc;
}
