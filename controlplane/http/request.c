/* SPDX-License-Identifier: Apache-2.0 */
/** Reading a request: the target, the query against the route's parameters, the body, ids.  All
 * of it is done on the raw request line and never on the maps that ulfius made, because those
 * join repeated keys with a comma and mix the query with path variables. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "http_priv.h"

/* ---- target -------------------------------------------------------------------------------
 */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Percent-decode @n bytes; NULL when malformed, not UTF-8, or with a NUL inside. */
static char *decode(const char *s, size_t n, bool plus)
{
    char *out = cz_alloc(n + 1);
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        int c = (unsigned char)s[i];
        if (c == '+' && plus) {
            c = ' ';
        } else if (c == '%') {
            int hi = i + 2 < n ? hex(s[i + 1]) : -1;
            int lo = i + 2 < n ? hex(s[i + 2]) : -1;
            c = hi < 0 || lo < 0 ? 0 : hi * 16 + lo;
            i += 2;
        }
        if (c == 0) {
            cz_free(out);
            return NULL;
        }
        out[len++] = (char)c;
    }
    if (!cz_utf8_valid(out, len)) {
        cz_free(out);
        return NULL;
    }
    return out;
}

/* Where the path begins that the routes know. */
static const char *behind_prefix(const struct cz_http_request *rq)
{
    const char *prefix = rq->server->o.prefix;
    size_t n = prefix ? strlen(prefix) : 0;
    bool below = n && strncmp(rq->path, prefix, n) == 0 && rq->path[n] == '/';
    return below ? rq->path + n : rq->path;
}

static enum cz_err split_path(struct cz_http_request *rq, struct cz_error *err)
{
    for (const char *p = behind_prefix(rq); *p == '/';) {
        size_t n = strcspn(p + 1, "/");
        if (rq->segments_len == CZ_HTTP_MAX_SEGMENTS)
            return cz_fail(err, CZ_E_NOT_FOUND, "there is nothing at this path");
        char *s = decode(p + 1, n, false);
        if (!s)
            return cz_fail(err, CZ_E_PARSE, "the path is not percent-encoded UTF-8");
        rq->segments[rq->segments_len++] = s;
        p += 1 + n;
    }
    return CZ_OK;
}

static enum cz_err split_query(struct cz_http_request *rq, const char *q, struct cz_error *err)
{
    while (*q) {
        size_t n = strcspn(q, "&");
        const char *eq = memchr(q, '=', n);
        size_t name_len = eq ? (size_t)(eq - q) : n;
        if (n && rq->query_len == CZ_HTTP_MAX_QUERY)
            return cz_fail(err, CZ_E_PARSE, "more than %d query parameters", CZ_HTTP_MAX_QUERY);
        if (n) {
            struct cz__kv *kv = &rq->query[rq->query_len++];
            kv->name = decode(q, name_len, true);
            kv->value = eq ? decode(eq + 1, n - name_len - 1, true) : cz_strdup("");
            if (!kv->name || !kv->value)
                return cz_fail(err, CZ_E_PARSE, "the query is not percent-encoded UTF-8");
        }
        q += n + (q[n] == '&');
    }
    return CZ_OK;
}

enum cz_err
cz__request_target(struct cz_http_request *rq, const char *target, struct cz_error *err)
{
    size_t n = strcspn(target, "?");
    rq->path = cz_strndup(target, n);
    if (strlen(target) > CZ_HTTP_MAX_TARGET)
        return cz_fail(err, CZ_E_PARSE, "the request target is longer than %d bytes",
                       CZ_HTTP_MAX_TARGET);
    if (rq->path[0] != '/')
        return cz_fail(err, CZ_E_PARSE, "the request target is not an absolute path");
    enum cz_err rc = split_path(rq, err);
    return rc == CZ_OK && target[n] ? split_query(rq, target + n + 1, err) : rc;
}

void cz__request_done(struct cz_http_request *rq)
{
    for (size_t i = 0; i < rq->segments_len; i++)
        cz_free(rq->segments[i]);
    for (size_t i = 0; i < rq->query_len; i++) {
        cz_free(rq->query[i].name);
        cz_free(rq->query[i].value);
    }
    cz_free(rq->path);
    json_decref(rq->body);
}

/* ---- query --------------------------------------------------------------------------------
 */

static bool is_token_name(const char *name)
{
    static const char *const names[] = {"token",  "access_token",  "api_key",
                                        "apikey", "authorization", "bearer"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return false;
}

static const struct cz_http_param *declared(const struct cz_http_route *r, const char *name)
{
    for (const struct cz_http_param *p = r->query; p && p->name; p++)
        if (strcmp(p->name, name) == 0)
            return p;
    return NULL;
}

static bool one_of(const char *const *values, const char *s)
{
    for (; *values; values++)
        if (strcmp(*values, s) == 0)
            return true;
    return false;
}

static void check_value(const struct cz_http_param *p, const char *v, struct cz_report *rep)
{
    int64_t n;
    bool bounded = p->min || p->max;
    switch (p->type) {
    case CZ_HTTP_INTEGER:
        if (!cz_parse_i64(v, &n) || (bounded && (n < p->min || n > p->max)))
            cz_report_add(rep, "", "query",
                          "query parameter %s must be an integer from %lld to %lld", p->name,
                          (long long)(bounded ? p->min : INT64_MIN),
                          (long long)(bounded ? p->max : INT64_MAX));
        break;
    case CZ_HTTP_BOOLEAN:
        if (*v && strcmp(v, "true") != 0 && strcmp(v, "false") != 0)
            cz_report_add(rep, "", "query", "query parameter %s must be true or false",
                          p->name);
        break;
    case CZ_HTTP_STRING:
        if (p->values && !one_of(p->values, v))
            cz_report_add(rep, "", "query", "query parameter %s does not take this value",
                          p->name);
        else if (bounded && ((int64_t)strlen(v) < p->min || (int64_t)strlen(v) > p->max))
            cz_report_add(rep, "", "query", "query parameter %s must have %lld to %lld bytes",
                          p->name, (long long)p->min, (long long)p->max);
        break;
    }
}

enum cz_err
cz__request_query(struct cz_http_request *rq, struct cz_report *rep, struct cz_error *err)
{
    for (size_t i = 0; i < rq->query_len; i++) {
        const char *name = rq->query[i].name;
        const struct cz_http_param *p = declared(rq->route, name);
        bool repeated = false;
        for (size_t j = 0; j < i; j++)
            repeated |= strcmp(rq->query[j].name, name) == 0;
        if (is_token_name(name) && !p)
            cz_report_add(rep, "", "token-in-url",
                          "a token in a URL ends up in logs: send it as Authorization: Bearer, "
                          "and revoke this one");
        else if (!p)
            cz_report_add(rep, "", "query", "there is no query parameter %.60s here", name);
        else if (repeated)
            cz_report_add(rep, "", "query", "query parameter %s is given twice", name);
        else
            check_value(p, rq->query[i].value, rep);
    }
    if (!cz_report_ok(rep))
        return cz_fail(err, CZ_E_PARSE, "%s", rep->items[0].message);
    return CZ_OK;
}

const char *cz_http_query(const struct cz_http_request *rq, const char *name)
{
    for (size_t i = 0; i < rq->query_len; i++)
        if (strcmp(rq->query[i].name, name) == 0)
            return rq->query[i].value;
    return NULL;
}

int64_t cz_http_query_int(const struct cz_http_request *rq, const char *name, int64_t def)
{
    const char *v = cz_http_query(rq, name);
    int64_t n;
    return v && cz_parse_i64(v, &n) ? n : def;
}

bool cz_http_query_bool(const struct cz_http_request *rq, const char *name)
{
    const char *v = cz_http_query(rq, name);
    return v && strcmp(v, "false") != 0;
}

/* ---- headers ------------------------------------------------------------------------------
 */

const char *cz_http_header(const struct cz_http_request *rq, const char *name)
{
    for (size_t i = 0; i < rq->raw->headers_len; i++)
        if (strcasecmp(rq->raw->headers[i].name, name) == 0)
            return rq->raw->headers[i].value;
    return NULL;
}

/* Two ways to tell the length of one body is how a request is smuggled past a proxy. ulfius
 * joins repeated headers with a comma, which is how they are seen here. */
enum cz_err cz__request_framing(struct cz_http_request *rq, struct cz_error *err)
{
    const char *len = cz_http_header(rq, "Content-Length");
    const char *te = cz_http_header(rq, "Transfer-Encoding");
    int64_t n;
    if ((len && te) || (len && !cz_parse_i64(len, &n)) ||
        (te && strcasecmp(te, "chunked") != 0)) {
        rq->close = true;
        return cz_fail(err, CZ_E_PARSE, "the length of the body is ambiguous");
    }
    return CZ_OK;
}

static bool all_hex(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (hex(s[i]) < 0 || isupper((unsigned char)s[i]))
            return false;
    return true;
}

/* W3C Trace Context. A version that is not known yet may say more behind the four parts that are:
 * those are used; ff is no version. */
static bool good_traceparent(const char *s)
{
    static const char zero[] = "00000000000000000000000000000000";
    size_t n = s ? strlen(s) : 0;
    if (n < 55 || s[2] != '-' || s[35] != '-' || s[52] != '-' || !all_hex(s, 2) ||
        !all_hex(s + 3, 32) || !all_hex(s + 36, 16) || !all_hex(s + 53, 2) ||
        memcmp(s + 3, zero, 32) == 0 || memcmp(s + 36, zero, 16) == 0)
        return false;
    if (memcmp(s, "00", 2) == 0)
        return n == 55;
    return memcmp(s, "ff", 2) != 0 && (n == 55 || s[55] == '-');
}

static bool good_request_id(const char *s)
{
    size_t n = s ? strlen(s) : 0;
    if (n < 8 || n > 64)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)s[i]) && s[i] != '-')
            return false;
    return true;
}

void cz__request_ids(struct cz_http_request *rq)
{
    const char *id = cz_http_header(rq, "X-Request-Id");
    const char *trace = cz_http_header(rq, "traceparent");
    if (good_request_id(id))
        (void)snprintf(rq->id, sizeof(rq->id), "%s", id);
    else
        (void)cz_uid(rq->id);
    if (good_traceparent(trace)) {
        (void)snprintf(rq->traceparent, sizeof(rq->traceparent), "00%.53s", trace + 2);
        return;
    }
    unsigned char r[24];
    cz_random(r, sizeof(r));
    r[0] |= 1; /* all zero is not allowed */
    r[16] |= 1;
    char *p = rq->traceparent;
    p += snprintf(p, 4, "00-");
    for (size_t i = 0; i < sizeof(r); i++)
        p += snprintf(p, 4, i == 16 ? "-%02x" : "%02x", r[i]);
    (void)snprintf(p, 4, "-01");
}

/* One entity tag "123"; anything else that is well-formed can never match. */
static enum cz_err parse_tag(const char *s, int64_t *ret, struct cz_error *err)
{
    size_t n = strlen(s);
    char digits[24];
    if (strncmp(s, "W/\"", 3) == 0)
        return cz_fail(err, CZ_E_STALE,
                       "a weak entity tag never matches: send the ETag as it was given");
    if (n < 2 || s[0] != '"' || strchr(s + 1, '"') != s + n - 1)
        return cz_fail(err, CZ_E_PARSE, "If-Match takes one entity tag in double quotes, or *");
    if (n - 2 >= sizeof(digits))
        return cz_fail(err, CZ_E_STALE, "no version has this entity tag");
    memcpy(digits, s + 1, n - 2);
    digits[n - 2] = 0;
    if (!cz_parse_i64(digits, ret) || *ret <= 0)
        return cz_fail(err, CZ_E_STALE, "no version has this entity tag");
    return CZ_OK;
}

enum cz_err cz_http_preconditions(const struct cz_http_request *rq,
                                  int64_t *ret_version,
                                  bool *ret_create_only,
                                  struct cz_error *err)
{
    const char *match = cz_http_header(rq, "If-Match");
    const char *none = cz_http_header(rq, "If-None-Match");
    int64_t version = 0;
    if (match && none)
        return cz_fail(err, CZ_E_PARSE, "If-Match and If-None-Match exclude each other");
    if (none && strcmp(none, "*") != 0)
        return cz_fail(err, CZ_E_PARSE, "If-None-Match on a write takes * only");
    if (match && strcmp(match, "*") == 0) {
        version = -1;
    } else if (match) {
        enum cz_err rc = parse_tag(match, &version, err);
        if (rc != CZ_OK)
            return rc;
    }
    *ret_version = version;
    *ret_create_only = none != NULL;
    return CZ_OK;
}

/* ---- body ---------------------------------------------------------------------------------
 */

static bool media_type_is(const char *header, const char *type)
{
    size_t n = strlen(type);
    if (strncasecmp(header, type, n) != 0)
        return false;
    while (header[n] == ' ' || header[n] == '\t')
        n++;
    if (!header[n])
        return true;
    if (header[n++] != ';')
        return false;
    while (header[n] == ' ' || header[n] == '\t')
        n++;
    return strcasecmp(header + n, "charset=utf-8") == 0 ||
           strcasecmp(header + n, "charset=\"utf-8\"") == 0;
}

static enum cz_err check_type(const struct cz_http_request *rq, struct cz_error *err)
{
    const char *type = cz_http_header(rq, "Content-Type");
    bool patch = rq->route->flags & CZ_HTTP_MERGE_PATCH;
    if (type && (media_type_is(type, "application/json") ||
                 (patch && media_type_is(type, "application/merge-patch+json"))))
        return CZ_OK;
    return cz_fail(err, CZ_E_MEDIA_TYPE,
                   "the body must be sent as Content-Type: application/json%s",
                   patch ? " or application/merge-patch+json" : "");
}

enum cz_err cz__request_body(struct cz_http_request *rq,
                             size_t max,
                             struct cz_report *rep,
                             struct cz_error *err)
{
    const struct cz_http_raw *raw = rq->raw;
    const char *len = cz_http_header(rq, "Content-Length");
    unsigned flags = rq->route->flags;
    int64_t announced = 0;
    if (len && !cz_parse_i64(len, &announced))
        announced = 0;
    if (raw->body_len > max || announced > (int64_t)max) {
        rq->close = true;
        return cz_fail(err, CZ_E_TOO_LARGE, "the body has more than %zu bytes", max);
    }
    if (raw->body_len == 0) {
        if (!(flags & CZ_HTTP_BODY) || (flags & CZ_HTTP_BODY_OPTIONAL))
            return CZ_OK;
        return cz_fail(err, CZ_E_PARSE, "a JSON object is needed as body");
    }
    if (!(flags & CZ_HTTP_BODY))
        return cz_fail(err, CZ_E_PARSE, "this request takes no body");
    enum cz_err rc = check_type(rq, err);
    if (rc == CZ_OK)
        rc = cz_json_parse(raw->body, raw->body_len, &rq->body, err);
    if (rc != CZ_OK || json_is_object(rq->body))
        return rc;
    if (!(flags & CZ_HTTP_BODY_LIST))
        return cz_report_add(rep, "", "type", "must be a JSON object");
    if (!json_is_array(rq->body))
        return cz_report_add(rep, "", "type", "must be a JSON object or list");
    return CZ_OK;
}

/* ---- getters ------------------------------------------------------------------------------
 */

const struct cz_http_route *cz_http_route(const struct cz_http_request *rq)
{
    return rq->route;
}

void *cz_http_context(const struct cz_http_request *rq)
{
    return rq->server->o.context;
}

const char *cz_http_var(const struct cz_http_request *rq, const char *name)
{
    const struct cz__route *r = &rq->server->router.routes[rq->route_index];
    size_t n = strlen(name);
    for (size_t i = 0; i < r->segments_len; i++)
        if (r->segments[i][0] == '{' && strncmp(r->segments[i] + 1, name, n) == 0 &&
            r->segments[i][n + 1] == '}')
            return rq->segments[i];
    return NULL;
}

const json_t *cz_http_body(const struct cz_http_request *rq)
{
    return rq->body;
}

const char *cz_http_path(const struct cz_http_request *rq)
{
    return rq->path;
}

const char *cz_http_actor(const struct cz_http_request *rq)
{
    return rq->who.actor;
}

const struct cz_principal *cz_http_principal(const struct cz_http_request *rq)
{
    return rq->who.principal;
}

void *cz_http_state(const struct cz_http_request *rq)
{
    return rq->who.state;
}

char *cz_http_cookie(const struct cz_http_request *rq, const char *name)
{
    const char *p = cz_http_header(rq, "Cookie");
    size_t n = strlen(name);
    while (p && *p) {
        size_t len = strcspn(p, ";");
        if (len > n && strncmp(p, name, n) == 0 && p[n] == '=')
            return cz_strndup(p + n + 1, len - n - 1);
        p += len;
        p += strspn(p, "; ");
    }
    return NULL;
}

const char *cz_http_request_id(const struct cz_http_request *rq)
{
    return rq->id;
}

const char *cz_http_traceparent(const struct cz_http_request *rq)
{
    return rq->traceparent;
}

const char *cz_http_peer(const struct cz_http_request *rq)
{
    return rq->raw->peer;
}

bool cz_http_stopping(const struct cz_http_request *rq)
{
    return cz_http_server_draining(rq->server);
}
