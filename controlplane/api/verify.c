/* SPDX-License-Identifier: Apache-2.0 */
/** POST …/mappings/{name}/verify: is all of it on the target, and nothing else? */
#include <string.h>

#include "api_priv.h"

enum { WINDOW_S = 60, MAX_WINDOW_S = 86400, TIMEOUT_S = 25, MAX_TIMEOUT_S = 600, RECORDS = 1000000 };

static void time_member(const json_t *body, const char *name, int64_t *ret, struct cz_report *rep)
{
    const json_t *v = json_object_get(body, name);
    if (!v || json_is_null(v))
        return;
    if (json_is_string(v) && strcmp(json_string_value(v), "all") == 0 && *name == 's')
        *ret = -1;
    else if (!json_is_string(v) || !cz_rfc3339_parse(json_string_value(v), ret)) {
        CZ_CLEANUP(cz_freep) char *pointer = cz_strf("/%s", name);
        (void)cz_report_add(rep, pointer, "type", "must be a time as 2026-11-22T18:00:00Z%s",
                            *name == 's' ? ", or all" : "");
    }
}

static int64_t number(const json_t *body, const char *name, int64_t otherwise, int64_t max, struct cz_report *rep)
{
    const json_t *v = json_object_get(body, name);
    int64_t n = 0;
    if (!v || json_is_null(v))
        return otherwise;
    if (cz__api_i64(v, &n) && n >= 1 && n <= max)
        return n;
    CZ_CLEANUP(cz_freep) char *pointer = cz_strf("/%s", name);
    (void)cz_report_add(rep, pointer, "range", "must be a whole number from 1 to %lld", (long long)max);
    return otherwise;
}

HANDLER(cz__rest_verify)
{
    static const char *const names[] = {"since", "until", "window_seconds", "max_records", "others", "timeout_seconds",
                                        NULL};
    const json_t *body = cz_http_body(rq);
    struct cz_report *rep = cz_http_report(rs);
    struct cz_verify_request q = {.until_ms = -1, .requested = true};
    json_t *o = NULL;
    cz__api_known(body, names, rep);
    time_member(body, "since", &q.since_ms, rep);
    time_member(body, "until", &q.until_ms, rep);
    q.window_ms = number(body, "window_seconds", WINDOW_S, MAX_WINDOW_S, rep) * 1000;
    q.max_records = number(body, "max_records", RECORDS, INT64_MAX, rep);
    const json_t *others = json_object_get(body, "others");
    if (others && !json_is_null(others) && !json_is_boolean(others))
        (void)cz_report_add(rep, "/others", "type", "must be true or false");
    q.others = json_is_true(others);
    q.deadline = cz_deadline_ms((int)number(body, "timeout_seconds", TIMEOUT_S, MAX_TIMEOUT_S, rep) * 1000);
    if (!cz_report_ok(rep))
        return CZ_E_INVALID;
    enum cz_err rc = cz_service_verify(cz__api_service(rq), cz_http_var(rq, "team"), cz_http_var(rq, "name"),
                                       &q, &o, err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}
