/* SPDX-License-Identifier: Apache-2.0 */
/** Writing a response: bodies, headers that every answer carries, problem documents. */
#include <string.h>
#include <strings.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/log.h"
#include "http_priv.h"

#define CSP                                                                                    \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "          \
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; "               \
    "frame-ancestors 'none'; object-src 'none'; require-trusted-types-for 'script'; "          \
    "trusted-types 'none'"

static const struct cz_http_pair ALWAYS[] = {
    {"Content-Security-Policy", CSP},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cache-Control", "no-store"},
};

void cz_http_json(struct cz_http_response *rs, int status, json_t *j)
{
    cz_free(rs->body);
    cz_free(rs->type);
    rs->status = status;
    rs->body = cz_json_text(j, false);
    rs->body_len = strlen(rs->body);
    rs->type = cz_strdup("application/json; charset=utf-8");
    json_decref(j);
}

void cz_http_text(struct cz_http_response *rs,
                  int status,
                  const char *type,
                  const struct cz_buf *b)
{
    cz_free(rs->body);
    cz_free(rs->type);
    rs->status = status;
    rs->body = cz_strndup(cz_buf_str(b), b->len);
    rs->body_len = b->len;
    rs->type = cz_strdup(type);
}

void cz_http_set_header(struct cz_http_response *rs, const char *name, const char *value)
{
    cz_grow(&rs->headers, &rs->headers_cap, rs->headers_len, sizeof(*rs->headers));
    struct cz__kv *kv = &rs->headers[rs->headers_len++];
    kv->name = cz_strdup(name);
    kv->value = cz_strdup(value);
    for (char *p = kv->value; *p; p++) /* a header never holds what could start another one */
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
}

/* Max-Age 0 alone is not enough for every client: the date of long ago is for the others. */
void cz_http_set_cookie(struct cz_http_response *rs, const char *name, const char *value,
                        int64_t life_s, bool lax)
{
    char *text = cz_strf("%s=%s; Path=/; Secure; HttpOnly; SameSite=%s; Max-Age=%lld%s", name,
                         life_s ? value : "", lax ? "Lax" : "Strict", (long long)life_s,
                         life_s ? "" : "; Expires=Thu, 01 Jan 1970 00:00:00 GMT");
    cz_http_set_header(rs, "Set-Cookie", text);
    explicit_bzero(text, strlen(text));
    cz_free(text);
}

void cz_http_etag(struct cz_http_response *rs, int64_t version)
{
    char tag[32];
    (void)snprintf(tag, sizeof(tag), "\"%lld\"", (long long)version);
    cz_http_set_header(rs, "ETag", tag);
}

static bool tag_listed(const char *list, const char *tag)
{
    size_t n = strlen(tag);
    if (strcmp(list, "*") == 0)
        return true;
    for (const char *p = list; (p = strstr(p, tag)); p += n)
        if (p[n] == 0 || p[n] == ',' || p[n] == ' ')
            return true;
    return false;
}

bool cz_http_not_modified(const struct cz_http_request *rq,
                          struct cz_http_response *rs,
                          int64_t version)
{
    const char *none = cz_http_header(rq, "If-None-Match");
    char tag[32];
    (void)snprintf(tag, sizeof(tag), "\"%lld\"", (long long)version);
    cz_http_set_header(rs, "ETag", tag);
    if (!none || !tag_listed(none, tag))
        return false;
    rs->status = 304;
    return true;
}

struct cz_report *cz_http_report(struct cz_http_response *rs)
{
    return &rs->report;
}

void cz__response_done(struct cz_http_response *rs)
{
    for (size_t i = 0; i < rs->headers_len; i++) {
        cz_free(rs->headers[i].name);
        cz_free(rs->headers[i].value);
    }
    cz_free(rs->headers);
    cz_free(rs->body);
    cz_free(rs->type);
    cz_report_done(&rs->report);
    json_decref(rs->members);
}

void cz_http_problem_member(struct cz_http_response *rs, const char *key, json_t *j)
{
    if (!rs->members)
        rs->members = json_object();
    (void)json_object_set_new(rs->members, key, j);
}

/* ---- problems -----------------------------------------------------------------------------
 */

/* "stale-version" → "Stale version" */
static void title_of(const char *slug, char out[64])
{
    (void)snprintf(out, 64, "%s", slug);
    for (char *p = out; *p; p++)
        if (*p == '-')
            *p = ' ';
    if (out[0] >= 'a' && out[0] <= 'z')
        out[0] = (char)(out[0] - 'a' + 'A');
}

/* What happened inside is for the log; the client gets what it can act on. */
static const char *detail_of(const struct cz_error *err, int status)
{
    if (status < 500)
        return err->text;
    if (err->code == CZ_E_UNAVAILABLE || err->code == CZ_E_FENCED)
        return "a service that is needed for this cannot be reached now; try again";
    if (err->code == CZ_E_TIMEOUT)
        return "this took too long; try again";
    return "internal error; the server's log has it under the request id";
}

static json_t *errors_of(const struct cz_report *rep)
{
    json_t *a = json_array();
    for (size_t i = 0; i < rep->len; i++)
        json_array_append_new(a, json_pack("{s:s, s:s, s:s}", "pointer", rep->items[i].pointer,
                                           "code", rep->items[i].code, "message",
                                           rep->items[i].message));
    return a;
}

static void drop_content(struct cz_http_response *rs)
{
    for (size_t i = 0; i < rs->headers_len; i++) {
        cz_free(rs->headers[i].name);
        cz_free(rs->headers[i].value);
    }
    rs->headers_len = 0;
    cz_free(rs->body);
    rs->body = NULL;
    rs->body_len = 0;
}

/* How long to wait is told by who knows it, else a second. */
static void retry_after(struct cz_http_response *rs, const struct cz_error *err)
{
    char seconds[24];
    bool known = err->code == CZ_E_LIMIT && err->detail > 0;
    (void)snprintf(seconds, sizeof(seconds), "%lld", known ? (long long)err->detail : 1LL);
    cz_http_set_header(rs, "Retry-After", seconds);
}

void cz__response_problem(struct cz_http_response *rs,
                          const struct cz_http_request *rq,
                          const struct cz_error *err)
{
    int status = cz_err_http_status(err->code);
    const char *slug = cz_err_slug(err->code);
    char title[64];
    char *type = cz_strf("/problems/%s", slug);
    char *instance = cz_strf("/requests/%s", rq->id);
    if (status >= 500)
        cz_log(status == 503 ? CZ_LOG_WARN : CZ_LOG_ERROR, "http",
               "request failed: %s code=%s request_id=%s trace_id=%.32s", err->text,
               cz_err_name(err->code), rq->id, rq->traceparent + sizeof("00-") - 1);
    drop_content(rs);
    title_of(slug, title);
    json_t *j = json_pack("{s:s, s:s, s:i, s:s, s:s}", "type", type, "title", title, "status",
                          status, "detail", detail_of(err, status), "instance", instance);
    if (!j) /* a text that is not UTF-8 */
        j = json_pack("{s:s, s:s, s:i, s:s}", "type", type, "title", title, "status", status,
                      "instance", instance);
    if (rs->report.len)
        json_object_set_new(j, "errors", errors_of(&rs->report));
    if (rs->report.truncated)
        json_object_set_new(j, "errors_truncated", json_true());
    if (rs->members)
        (void)json_object_update_missing(j, rs->members);
    cz_http_json(rs, status, j);
    cz_free(rs->type);
    rs->type = cz_strdup("application/problem+json; charset=utf-8");
    if (status == 401)
        cz_http_set_header(rs, "WWW-Authenticate", "Bearer realm=\"citizenk\"");
    if (status == 503 || status == 429)
        retry_after(rs, err);
    cz_free(type);
    cz_free(instance);
}

/* ---- out ----------------------------------------------------------------------------------
 */

static void out_add(struct cz_http_out *out, const char *name, const char *value)
{
    struct cz_http_pair *p = &out->headers[out->headers_len++];
    p->name = cz_strdup(name);
    p->value = cz_strdup(value);
}

/* draft-ietf-httpapi-ratelimit-headers; of the principal when it is known, else of the address. */
static void out_limit(struct cz_http_out *out, const struct cz__limit *l)
{
    char text[96];
    if (!l->policy)
        return;
    (void)snprintf(text, sizeof(text), "\"%s\";q=%lld;w=10", l->policy, (long long)l->quota);
    out_add(out, "RateLimit-Policy", text);
    (void)snprintf(text, sizeof(text), "\"%s\";r=%lld;t=%lld", l->policy, (long long)l->left,
                   (long long)l->reset_s);
    out_add(out, "RateLimit", text);
}

void cz__response_out(struct cz_http_response *rs,
                      const struct cz_http_request *rq,
                      struct cz_http_out *out)
{
    size_t always = sizeof(ALWAYS) / sizeof(ALWAYS[0]);
    out->status = rs->status ? rs->status : 204;
    out->headers = cz_alloc_array(always + rs->headers_len + 6, sizeof(*out->headers));
    for (size_t i = 0; i < always; i++)
        out_add(out, ALWAYS[i].name, ALWAYS[i].value);
    for (size_t i = 0; i < rs->headers_len; i++)
        out_add(out, rs->headers[i].name, rs->headers[i].value);
    out_add(out, "X-Request-Id", rq->id);
    out_limit(out, &rq->limit);
    if (rq->server->o.tls_cert)
        out_add(out, "Strict-Transport-Security", "max-age=31536000");
    if (rq->close || cz_http_server_draining(rq->server))
        out_add(out, "Connection", "close");
    if (rs->body && out->status != 204 && out->status != 304) {
        out_add(out, "Content-Type", rs->type);
        out->body = rs->body;
        out->body_len = rs->body_len;
        rs->body = NULL;
    }
}

void cz_http_out_done(struct cz_http_out *out)
{
    for (size_t i = 0; i < out->headers_len; i++) {
        void *name = (void *)(uintptr_t)out->headers[i].name;
        void *value = (void *)(uintptr_t)out->headers[i].value;
        cz_free(name);
        cz_free(value);
    }
    cz_free(out->headers);
    cz_free(out->body);
    *out = (struct cz_http_out){0};
}

const char *cz_http_out_header(const struct cz_http_out *out, const char *name)
{
    for (size_t i = 0; i < out->headers_len; i++)
        if (strcasecmp(out->headers[i].name, name) == 0)
            return out->headers[i].value;
    return NULL;
}
