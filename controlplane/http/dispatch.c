/* SPDX-License-Identifier: Apache-2.0 */
/** The pipeline of one request, without sockets: framing → target → route → limits → who → query → body
 * → handler → answer.  Each step that fails ends it with a problem document. */
#include <string.h>
#include <strings.h>

#include "cz/alloc.h"
#include "cz/log.h"
#include "http_priv.h"

static void warn_token_in_url(const struct cz_http_request *rq, const struct cz_report *rep)
{
    for (size_t i = 0; i < rep->len; i++)
        if (cz_streq(rep->items[i].code, "token-in-url")) {
            cz_log(CZ_LOG_WARN, "http",
                   "a token was sent in a URL and refused peer=%s request_id=%s",
                   rq->raw->peer ? rq->raw->peer : "-", rq->id);
            cz__auth_refused(rq, CZ_HTTP_REFUSED_TOKEN_IN_URL);
        }
}

static enum cz_err options(struct cz_http_response *rs, const char *allow)
{
    rs->status = 204;
    cz_http_set_header(rs, "Allow", allow);
    return CZ_OK;
}

static enum cz_err
run(struct cz_http_request *rq, struct cz_http_response *rs, char *allow, struct cz_error *err)
{
    struct cz_http_server *s = rq->server;
    enum cz_err rc = cz__request_framing(rq, err);
    if (rc == CZ_OK && cz_streq(rq->raw->method, "OPTIONS") && cz_streq(rq->raw->target, "*"))
        return options(rs, "GET, HEAD, PUT, PATCH, POST, DELETE, OPTIONS");
    if (rc == CZ_OK)
        rc = cz__request_target(rq, rq->raw->target, err);
    if (rc == CZ_OK)
        rc = cz__router_find(&s->router, rq, rq->raw->method, allow, err);
    if (rc == CZ_E_METHOD && cz_streq(rq->raw->method, "OPTIONS")) {
        cz_error_reset(err);
        return options(rs, allow);
    }
    if (rc == CZ_OK)
        rc = cz__limit_address(rq, err);
    if (rc == CZ_OK)
        rc = cz__auth_check(rq, err);
    if (rc == CZ_OK) {
        rc = cz__request_query(rq, &rs->report, err);
        warn_token_in_url(rq, &rs->report);
    }
    if (rc == CZ_OK)
        rc = cz__request_body(rq, s->o.max_body, &rs->report, err);
    if (rc != CZ_OK)
        return rc;
    rc = rq->route->handler(rq, rs, err);
    if (rc == CZ_E_FORBIDDEN)
        cz__auth_refused(rq, CZ_HTTP_REFUSED_VERB);
    return rc;
}

static void finish(struct cz_http_request *rq, int status, cz_time start)
{
    bool found = rq->route != NULL;
    int64_t ms = (cz_now() - start) / CZ_MS;
    bool quiet = found && (rq->route->flags & CZ_HTTP_QUIET);
    cz__stats_add(&rq->server->stats, found ? rq->route_index : rq->server->router.len, status,
                  ms);
    cz_log(quiet ? CZ_LOG_DEBUG : CZ_LOG_INFO, "http",
           "request method=%s route=%s status=%d ms=%lld actor=%s peer=%s request_id=%s "
           "trace_id=%.32s",
           found ? rq->raw->method : "-", found ? rq->route->path : "none", status,
           (long long)ms, rq->who.actor ? rq->who.actor : "-", rq->raw->peer ? rq->raw->peer : "-",
           rq->id, rq->traceparent + sizeof("00-") - 1);
}

void cz_http_handle(struct cz_http_server *s,
                    const struct cz_http_raw *in,
                    struct cz_http_out *out)
{
    struct cz_http_request rq = {.server = s, .raw = in};
    struct cz_http_response rs = {.report = CZ_REPORT_INIT};
    struct cz_error err = CZ_ERROR_INIT;
    char allow[128] = "";
    cz_time start = cz_now();
    *out = (struct cz_http_out){0};
    cz__request_ids(&rq);
    enum cz_err rc = run(&rq, &rs, allow, &err);
    if (rc != CZ_OK) {
        if (err.code == CZ_OK && cz_report_error(&rs.report, &err) == CZ_OK)
            (void)cz_fail(&err, rc, "%s", cz_err_slug(rc));
        err.code = rc; /* the code that was returned is the verdict */
        if (rc == CZ_E_INVALID || rc == CZ_E_PARSE)
            cz__auth_refused(&rq, CZ_HTTP_REFUSED_INVALID);
        cz__response_problem(&rs, &rq, &err);
        if (rc == CZ_E_METHOD)
            cz_http_set_header(&rs, "Allow", allow);
    }
    cz__response_out(&rs, &rq, out);
    finish(&rq, out->status, start);
    cz__response_done(&rs);
    cz__auth_done(&rq);
    cz__request_done(&rq);
}
