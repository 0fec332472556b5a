/* SPDX-License-Identifier: Apache-2.0 */
/** What only mappings have: pause, resume, restart (overrides outside the spec) and the status.
 */
#include "api_priv.h"

#define MAX_REASON 1000

struct pause {
    const char *reason; /* borrowed from the body */
    int64_t until_ms;
};

static enum cz_err read_pause(const json_t *body, struct pause *ret, struct cz_report *rep)
{
    static const char *const names[] = {"reason", "until", NULL};
    const json_t *reason = json_object_get(body, "reason"),
                 *until = json_object_get(body, "until");
    struct pause p = {0};
    cz__api_known(body, names, rep);
    if (reason && !json_is_null(reason) && !json_is_string(reason))
        (void)cz_report_add(rep, "/reason", "type", "must be a string");
    else if (json_string_length(reason) > MAX_REASON)
        (void)cz_report_add(rep, "/reason", "range", "must have at most %d bytes", MAX_REASON);
    else
        p.reason = json_string_value(reason);
    if (until && !json_is_null(until) &&
        (!json_is_string(until) || !cz_rfc3339_parse(json_string_value(until), &p.until_ms)))
        (void)cz_report_add(rep, "/until", "type", "must be a time as 2026-11-22T18:00:00Z");
    else if (p.until_ms && p.until_ms <= cz_wall_ms())
        (void)cz_report_add(rep, "/until", "range", "must be in the future");
    if (!cz_report_ok(rep))
        return CZ_E_INVALID;
    *ret = p;
    return CZ_OK;
}

HANDLER(cz__rest_pause)
{
    struct cz_write w;
    struct cz_write_result r = {0};
    struct pause p = {0};
    struct cz_caller who = cz__api_caller(rq);
    enum cz_err rc = cz__api_write(rq, &w, err);
    if (rc == CZ_OK)
        rc = read_pause(cz_http_body(rq), &p, cz_http_report(rs));
    if (rc != CZ_OK)
        return rc;
    rc = cz_service_pause(cz__api_service(rq), &who, &w, cz_http_var(rq, "team"),
                          cz_http_var(rq, "name"), p.reason, p.until_ms, &r, err);
    if (rc == CZ_OK)
        cz__api_written(rq, rs, &w, &r);
    return rc;
}

typedef enum cz_err (*action_fn)(struct cz_service *s,
                                 const struct cz_caller *who,
                                 const struct cz_write *w,
                                 const char *team,
                                 const char *name,
                                 struct cz_write_result *ret,
                                 struct cz_error *err);

/* resume and restart: nothing to say in the body. */
static enum cz_err act(const struct cz_http_request *rq,
                       struct cz_http_response *rs,
                       action_fn fn,
                       struct cz_error *err)
{
    static const char *const none[] = {NULL};
    struct cz_write w;
    struct cz_write_result r = {0};
    struct cz_caller who = cz__api_caller(rq);
    enum cz_err rc = cz__api_write(rq, &w, err);
    if (rc != CZ_OK)
        return rc;
    cz__api_known(cz_http_body(rq), none, cz_http_report(rs));
    if (!cz_report_ok(cz_http_report(rs)))
        return CZ_E_INVALID;
    rc = fn(cz__api_service(rq), &who, &w, cz_http_var(rq, "team"), cz_http_var(rq, "name"), &r,
            err);
    if (rc == CZ_OK)
        cz__api_written(rq, rs, &w, &r);
    return rc;
}

HANDLER(cz__rest_resume)
{
    return act(rq, rs, cz_service_resume, err);
}

HANDLER(cz__rest_restart)
{
    return act(rq, rs, cz_service_restart, err);
}

HANDLER(cz__rest_status)
{
    json_t *o = NULL;
    enum cz_err rc = cz_service_status(cz__api_service(rq), cz_http_var(rq, "team"),
                                       cz_http_var(rq, "name"), &o, err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}

HANDLER(cz__rest_recopy)
{
    struct cz_write w;
    json_t *o = NULL;
    struct cz_caller who = cz__api_caller(rq);
    enum cz_err rc = cz__api_write(rq, &w, err);
    if (rc == CZ_OK)
        rc = cz_service_recopy(cz__api_service(rq), &who, &w, cz_http_var(rq, "team"), cz_http_var(rq, "name"),
                               cz_http_body(rq), &o, cz_http_report(rs), err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}
