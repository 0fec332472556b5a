/* SPDX-License-Identifier: Apache-2.0 */
/** The audit log: events with filters, all of them as a file, the seals, and their verification. */
#include <string.h>

#include "api_priv.h"
#include "cz/service_audit.h"

enum { VERIFY_S = 20, MAX_VERIFY_S = 25, MAX_ANCHORS = 100 };

static enum cz_err
read_time(const struct cz_http_request *rq, const char *name, int64_t *ret, struct cz_error *err)
{
    const char *text = cz_http_query(rq, name);
    if (!text || (cz_rfc3339_parse(text, ret) && *ret > 0))
        return CZ_OK;
    return cz_fail(err, CZ_E_PARSE, "%s must be a time as 2026-11-22T18:00:00Z, not \"%.40s\"", name,
                   text);
}

static enum cz_err
read_filter(const struct cz_http_request *rq, struct cz_audit_filter *f, struct cz_error *err)
{
    *f = (struct cz_audit_filter){
        .team = cz_http_query(rq, "team"),
        .actor = cz_http_query(rq, "actor"),
        .outcome = cz_http_query(rq, "outcome"),
        .request_id = cz_http_query(rq, "request_id"),
        .action = cz_http_query(rq, "action"),
        .name = cz_http_query(rq, "name"),
        .seq = cz_http_query_int(rq, "seq", 0),
        .before = cz_http_query_int(rq, "before", 0),
        .limit = (int)cz_http_query_int(rq, "limit", 0),
    };
    if (cz_http_route(rq)->kind) /* the team's own */
        f->team = cz_http_var(rq, "team");
    enum cz_err rc = read_time(rq, "from", &f->from_ms, err);
    return rc ? rc : read_time(rq, "to", &f->to_ms, err);
}

HANDLER(cz__rest_audit)
{
    struct cz_audit_filter f;
    json_t *o = NULL;
    enum cz_err rc = read_filter(rq, &f, err);
    if (rc == CZ_OK)
        rc = cz_service_audit(cz__api_service(rq), &f, &o, err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}

/* format=, else what Accept names, else NDJSON. */
static bool wants_csv(const struct cz_http_request *rq)
{
    const char *format = cz_http_query(rq, "format"), *accept = cz_http_header(rq, "Accept");
    if (format)
        return cz_streq(format, "csv");
    return accept && strstr(accept, "text/csv") && !strstr(accept, "application/x-ndjson");
}

HANDLER(cz__rest_audit_export)
{
    struct cz_audit_filter f;
    struct cz_buf out CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(0);
    int64_t next = 0;
    bool csv = wants_csv(rq);
    enum cz_err rc = read_filter(rq, &f, err);
    if (rc == CZ_OK)
        rc = cz_service_audit_export(cz__api_service(rq), &f, csv ? CZ_AUDIT_CSV : CZ_AUDIT_NDJSON,
                                     &out, &next, err);
    if (rc != CZ_OK)
        return rc;
    cz_http_text(rs, 200, csv ? "text/csv; charset=utf-8; header=present" : "application/x-ndjson", &out);
    cz_http_set_header(rs, "Content-Disposition",
                       csv ? "attachment; filename=\"citizenk-audit.csv\""
                           : "attachment; filename=\"citizenk-audit.ndjson\"");
    if (next) {
        CZ_CLEANUP(cz_freep) char *text = cz_strf("%lld", (long long)next);
        cz_http_set_header(rs, "X-CitizenK-Next", text);
    }
    return CZ_OK;
}

HANDLER(cz__rest_seals)
{
    json_t *o = NULL;
    enum cz_err rc = cz_service_seals(cz__api_service(rq), cz_http_query_int(rq, "before", 0),
                                      (int)cz_http_query_int(rq, "limit", CZ_DEFAULT_PAGE), &o, err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}

/* ---- verification -------------------------------------------------------------------------- */

static bool root_ok(const json_t *v)
{
    const char *s = json_string_value(v);
    return s && strlen(s) == CZ_ROOT_SIZE - 1 && strspn(s, "0123456789abcdef") == CZ_ROOT_SIZE - 1;
}

/* {"17": "ab…"} */
static size_t
read_roots(const json_t *body, struct cz_seal_anchor *ret, struct cz_report *rep)
{
    json_t *roots = json_object_get(body, "roots"), *v;
    const char *key;
    size_t n = 0;
    if (roots && !json_is_null(roots) && !json_is_object(roots))
        (void)cz_report_add(rep, "/roots", "type", "must be an object: number of a seal → its root");
    if (json_object_size(roots) > MAX_ANCHORS)
        (void)cz_report_add(rep, "/roots", "range", "at most %d roots", MAX_ANCHORS);
    json_object_foreach (roots, key, v) {
        char at[CZ_POINTER_SIZE] = "/roots";
        int64_t seal = 0;
        cz_pointer_push(at, key);
        if (!cz_parse_i64(key, &seal) || seal < 1)
            (void)cz_report_add(rep, at, "value", "the number of a seal is a positive number");
        else if (!root_ok(v))
            (void)cz_report_add(rep, at, "value", "a root is 64 hexadecimal digits, small letters");
        else if (n < MAX_ANCHORS)
            ret[n++] = (struct cz_seal_anchor){.n = seal, .root = json_string_value(v)};
    }
    return n;
}

static int64_t read_number(const json_t *body, const char *name, int64_t min, int64_t max, int64_t def,
                           struct cz_report *rep)
{
    const json_t *v = json_object_get(body, name);
    int64_t n = def;
    if (!v || json_is_null(v) || (cz__api_i64(v, &n) && n >= min && n <= max))
        return n;
    CZ_CLEANUP(cz_freep) char *pointer = cz_strf("/%s", name);
    (void)cz_report_add(rep, pointer, "range", "must be a whole number from %lld to %lld",
                        (long long)min, (long long)max);
    return def;
}

HANDLER(cz__rest_audit_verify)
{
    static const char *const names[] = {"after", "roots", "timeout_seconds", NULL};
    struct cz_seal_anchor anchors[MAX_ANCHORS];
    const json_t *body = cz_http_body(rq);
    struct cz_report *rep = cz_http_report(rs);
    json_t *o = NULL;
    cz__api_known(body, names, rep);
    int64_t after = read_number(body, "after", 0, INT64_MAX - 1, 0, rep);
    int64_t seconds = read_number(body, "timeout_seconds", 1, MAX_VERIFY_S, VERIFY_S, rep);
    size_t n = read_roots(body, anchors, rep);
    if (!cz_report_ok(rep))
        return CZ_E_INVALID;
    enum cz_err rc = cz_service_audit_verify(cz__api_service(rq), after, anchors, n,
                                             cz_deadline_ms(1000 * seconds), &o, err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}
