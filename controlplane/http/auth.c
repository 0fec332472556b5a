/* SPDX-License-Identifier: Apache-2.0 */
/** Who asks, and may it: credential → principal → was it our own page (cookies only) → is the
 *  sign-in recent enough → does the application allow it.  A bearer token is never sent by a
 *  browser on its own, so only requests that live on a cookie must prove where they come from. */
#include <string.h>
#include <strings.h>

#include "cz/alloc.h"
#include "http_priv.h"

/* ---- the credential ------------------------------------------------------------------------- */

static enum cz_err bearer(const char *header, struct cz_http_credential *ret, struct cz_error *err)
{
    if (strncasecmp(header, "Bearer ", 7) != 0)
        return cz_fail(err, CZ_E_UNAUTHENTICATED, "only Authorization: Bearer is known here");
    header += 7;
    while (*header == ' ')
        header++;
    *ret = (struct cz_http_credential){.text = header, .len = strlen(header)};
    return CZ_OK;
}

static enum cz_err authenticate(struct cz_http_request *rq, struct cz_error *err)
{
    const struct cz_http_options *o = &rq->server->o;
    const char *header = cz_http_header(rq, "Authorization");
    CZ_CLEANUP(cz_freep) char *cookie = header ? NULL : cz_http_cookie(rq, CZ_HTTP_COOKIE_NAME);
    struct cz_http_credential c = {.cookie = true, .text = cookie};
    enum cz_err rc = CZ_OK;
    if (header)
        rc = bearer(header, &c, err);
    else if (!cookie)
        rc = cz_fail(err, CZ_E_UNAUTHENTICATED, "a bearer token or a session is needed");
    else
        c.len = strlen(cookie);
    if (rc == CZ_OK && !o->auth)
        rc = cz_fail(err, CZ_E_UNAUTHENTICATED, "there are no tokens");
    if (rc == CZ_OK)
        rc = o->auth(rq, &c, &rq->who, err);
    rq->cookie = rc == CZ_OK && c.cookie;
    return rc;
}

/* ---- was it our own page? ------------------------------------------------------------------- */

static bool is_unsafe(const struct cz_http_request *rq)
{
    return !cz_streq(rq->raw->method, "GET") && !cz_streq(rq->raw->method, "HEAD");
}

/* Behind a proxy that ends TLS the scheme is not ours to know: then the authority decides. */
static bool is_own_origin(const struct cz_http_request *rq, const char *origin)
{
    const struct cz_http_options *o = &rq->server->o;
    const char *host = cz_http_header(rq, "Host");
    if (o->origin)
        return cz_streq(origin, o->origin);
    if (strncmp(origin, "https://", 8) == 0)
        return host && strcasecmp(origin + 8, host) == 0;
    return !o->tls_cert && host && strncmp(origin, "http://", 7) == 0 &&
           strcasecmp(origin + 7, host) == 0;
}

static bool is_json(const struct cz_http_request *rq)
{
    const char *type = cz_http_header(rq, "Content-Type");
    return !(rq->route->flags & CZ_HTTP_BODY) ||
           (type && (strncasecmp(type, "application/json", 16) == 0 ||
                     strncasecmp(type, "application/merge-patch+json", 28) == 0));
}

static enum cz_err refuse_csrf(const struct cz_http_request *rq, const char *why, struct cz_error *err)
{
    cz__auth_refused(rq, CZ_HTTP_REFUSED_CSRF);
    return cz_fail(err, CZ_E_FORBIDDEN, "this may be another site's page that uses a session: %s",
                   why);
}

static enum cz_err check_csrf(const struct cz_http_request *rq, struct cz_error *err)
{
    const char *site = cz_http_header(rq, "Sec-Fetch-Site");
    const char *origin = cz_http_header(rq, "Origin");
    if (site ? !cz_streq(site, "same-origin") : !origin || !is_own_origin(rq, origin))
        return refuse_csrf(rq, "Sec-Fetch-Site: same-origin, or the own Origin, is needed", err);
    if (!is_json(rq))
        return refuse_csrf(rq, "Content-Type: application/json is needed", err);
    if (!cz_streq(cz_http_header(rq, "X-CitizenK-CSRF"), "1"))
        return refuse_csrf(rq, "X-CitizenK-CSRF: 1 is needed", err);
    return CZ_OK;
}

/* Signing in sets a cookie: another site must not sign its visitors in as somebody else.  What is no
 * browser sends neither header. */
static enum cz_err check_sign_in(const struct cz_http_request *rq, struct cz_error *err)
{
    const char *site = cz_http_header(rq, "Sec-Fetch-Site");
    const char *origin = cz_http_header(rq, "Origin");
    if (site && !cz_streq(site, "same-origin"))
        return refuse_csrf(rq, "Sec-Fetch-Site must be same-origin", err);
    if (origin && !is_own_origin(rq, origin))
        return refuse_csrf(rq, "Origin is not this server", err);
    return CZ_OK;
}

/* ---- all ------------------------------------------------------------------------------------ */

static enum cz_err check_recent(const struct cz_http_request *rq, struct cz_error *err)
{
    if (!rq->who.person || cz_wall_ms() - rq->who.auth_ms <= CZ_HTTP_RECENT_MS)
        return CZ_OK;
    return cz_fail(err, CZ_E_REAUTH, "sign in again: this needs a sign-in of the last %d minutes",
                   CZ_HTTP_RECENT_MS / 60000);
}

enum cz_err cz__auth_check(struct cz_http_request *rq, struct cz_error *err)
{
    const struct cz_http_options *o = &rq->server->o;
    unsigned f = rq->route->flags;
    bool is_free = (f & CZ_HTTP_NOAUTH) || ((f & CZ_HTTP_OPEN_METRICS) && o->open_metrics);
    if (is_free) {
        if ((f & CZ_HTTP_SHOWS_MORE) && authenticate(rq, NULL) != CZ_OK)
            rq->who = (struct cz_http_who){0};
        return (f & CZ_HTTP_SIGN_IN) && is_unsafe(rq) ? check_sign_in(rq, err) : CZ_OK;
    }
    enum cz_err rc = authenticate(rq, err);
    if (rc == CZ_OK)
        rc = cz__limit_principal(rq, err);
    if (rc == CZ_OK && rq->cookie && is_unsafe(rq))
        rc = check_csrf(rq, err);
    if (rc != CZ_OK)
        return rc;
    rc = o->authorize ? o->authorize(rq, err) : CZ_OK;
    if (rc == CZ_E_FORBIDDEN)
        cz__auth_refused(rq, CZ_HTTP_REFUSED_VERB);
    if (rc == CZ_OK && (f & CZ_HTTP_RECENT_AUTH))
        rc = check_recent(rq, err);
    return rc;
}

void cz__auth_refused(const struct cz_http_request *rq, enum cz_http_refusal what)
{
    if (rq->server->o.refused)
        rq->server->o.refused(rq, what);
}

void cz__auth_done(struct cz_http_request *rq)
{
    if (rq->who.principal && rq->server->o.done_who)
        rq->server->o.done_who(&rq->who);
}
