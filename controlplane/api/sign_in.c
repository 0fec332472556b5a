/* SPDX-License-Identifier: Apache-2.0 */
/** Signing in and out, one's own sessions and password.  Cookies are set here and nowhere else. */
#include <string.h>

#include "api_priv.h"
#include "cz/log.h"

HANDLER(cz__rest_auth_config)
{
    json_t *o = NULL;
    enum cz_err rc = cz_identity_config(cz__api_identity(rq), &o, err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}

/* A browser that signs in anew leaves its old session behind: it ends. */
static void end_old(const struct cz_http_request *rq, const struct cz_origin *from)
{
    CZ_CLEANUP(cz_freep) char *old = cz_http_cookie(rq, CZ_HTTP_COOKIE_NAME);
    struct cz_principal *p = NULL;
    struct cz_identity *id = cz__api_identity(rq);
    if (!old || cz_identity_session(id, old, strlen(old), from->ip, &p, NULL) != CZ_OK)
        return;
    if (cz_identity_session_end(id, p, from, NULL, NULL) != CZ_OK)
        cz_log(CZ_LOG_DEBUG, "api", "an old session could not be ended: it ends by itself");
    cz_principal_free(p);
}

static void signed_in(const struct cz_http_request *rq, struct cz_http_response *rs,
                      struct cz_signed_in *s)
{
    const struct cz_origin from = cz__api_origin(rq);
    end_old(rq, &from);
    cz_http_json(rs, 200, cz_identity_me(s->principal));
    cz_http_set_cookie(rs, CZ_HTTP_COOKIE_NAME, s->cookie, s->life_s, false);
    cz_signed_in_done(s);
}

HANDLER(cz__rest_login)
{
    struct cz_signed_in s = {0};
    const struct cz_origin from = cz__api_origin(rq);
    enum cz_err rc = cz_identity_login(cz__api_identity(rq), cz_http_body(rq), &from, &s,
                                       cz_http_report(rs), err);
    if (rc == CZ_OK)
        signed_in(rq, rs, &s);
    return rc;
}

HANDLER(cz__rest_login_token)
{
    json_t *o = NULL;
    const struct cz_origin from = cz__api_origin(rq);
    enum cz_err rc = cz_identity_login_token(cz__api_identity(rq), cz_http_body(rq), &from, &o,
                                             cz_http_report(rs), err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}

HANDLER(cz__rest_bootstrap)
{
    struct cz_signed_in s = {0};
    const struct cz_origin from = cz__api_origin(rq);
    enum cz_err rc = cz_identity_bootstrap(cz__api_identity(rq), cz_http_body(rq), &from, &s,
                                           cz_http_report(rs), err);
    if (rc == CZ_OK)
        signed_in(rq, rs, &s);
    return rc;
}

#define LOGIN_COOKIE "__Host-citizenk-login" /* of a sign-in that is under way elsewhere */
enum { LOGIN_LIFE_S = 600 };

static void go_to(struct cz_http_response *rs, const char *where)
{
    struct cz_buf none = CZ_BUF_INIT(16);
    cz_http_text(rs, 302, "text/plain; charset=utf-8", &none);
    cz_http_set_header(rs, "Location", where);
    cz_buf_done(&none);
}

HANDLER(cz__rest_oidc_login)
{
    char cookie[80];
    CZ_CLEANUP(cz_freep) char *url = NULL;
    enum cz_err rc = cz_identity_oidc_start(cz__api_identity(rq), cookie, &url, err);
    if (rc != CZ_OK)
        return rc;
    go_to(rs, url);
    /* Lax: it must come along when the provider sends the browser back. */
    cz_http_set_cookie(rs, LOGIN_COOKIE, cookie, LOGIN_LIFE_S, true);
    return CZ_OK;
}

HANDLER(cz__rest_oidc_callback)
{
    struct cz_signed_in s = {0};
    CZ_CLEANUP(cz_freep) char *cookie = cz_http_cookie(rq, LOGIN_COOKIE);
    const struct cz_origin from = cz__api_origin(rq);
    const struct cz_oidc_back back = {.cookie = cookie,
                                      .code = cz_http_query(rq, "code"),
                                      .state = cz_http_query(rq, "state"),
                                      .issuer = cz_http_query(rq, "iss"),
                                      .error = cz_http_query(rq, "error")};
    enum cz_err rc = cz_identity_oidc_finish(cz__api_identity(rq), &back, &from, &s, err);
    if (rc != CZ_OK)
        return rc;
    signed_in(rq, rs, &s);
    go_to(rs, "/");
    cz_http_set_cookie(rs, LOGIN_COOKIE, NULL, 0, true);
    return CZ_OK;
}

HANDLER(cz__rest_device)
{
    json_t *o = NULL;
    enum cz_err rc = cz_identity_device_start(cz__api_identity(rq), &o, err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}

HANDLER(cz__rest_device_token)
{
    json_t *o = NULL;
    const struct cz_origin from = cz__api_origin(rq);
    enum cz_err rc = cz_identity_device_poll(cz__api_identity(rq), cz_http_body(rq), &from, &o,
                                             cz_http_report(rs), err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}

HANDLER(cz__rest_logout)
{
    const struct cz_origin from = cz__api_origin(rq);
    enum cz_err rc = cz_identity_session_end(cz__api_identity(rq), cz_http_principal(rq), &from,
                                             NULL, err);
    if (rc != CZ_OK)
        return rc;
    cz_http_set_cookie(rs, CZ_HTTP_COOKIE_NAME, NULL, 0, false);
    cz_http_set_header(rs, "Clear-Site-Data", "\"cache\", \"cookies\", \"storage\"");
    return CZ_OK;
}

HANDLER(cz__rest_me)
{
    (void)err;
    cz_http_json(rs, 200, cz_identity_me(cz_http_principal(rq)));
    return CZ_OK;
}

HANDLER(cz__rest_password)
{
    const struct cz_origin from = cz__api_origin(rq);
    return cz_identity_password(cz__api_identity(rq), cz_http_principal(rq), &from,
                                cz_http_body(rq), cz_http_report(rs), err);
}

HANDLER(cz__rest_sessions)
{
    json_t *o = NULL;
    enum cz_err rc =
        cz_identity_sessions(cz__api_identity(rq), cz_http_principal(rq), NULL, &o, err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}

HANDLER(cz__rest_end_session)
{
    const struct cz_origin from = cz__api_origin(rq);
    (void)rs;
    return cz_identity_session_end(cz__api_identity(rq), cz_http_principal(rq), &from,
                                   cz_http_var(rq, "id"), err);
}

HANDLER(cz__rest_end_sessions)
{
    json_t *o = NULL;
    const struct cz_origin from = cz__api_origin(rq);
    enum cz_err rc = cz_identity_sessions_end(cz__api_identity(rq), cz_http_principal(rq), &from,
                                              NULL, &o, err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}
