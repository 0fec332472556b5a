/* SPDX-License-Identifier: Apache-2.0 */
/** The history of one object: its revisions, the difference of two, and going back to one. */
#include "api_priv.h"

static enum cz_kind kind_of(const struct cz_http_request *rq)
{
    return (enum cz_kind)cz_http_route(rq)->kind;
}

HANDLER(cz__rest_revisions)
{
    json_t *o = NULL;
    enum cz_err rc =
        cz_service_revisions(cz__api_service(rq), cz_http_var(rq, "team"), kind_of(rq),
                             cz_http_var(rq, "name"), cz_http_query_int(rq, "before", 0),
                             (int)cz_http_query_int(rq, "limit", CZ_DEFAULT_PAGE), &o, err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}

HANDLER(cz__rest_diff)
{
    json_t *o = NULL;
    int64_t from = 0, to = 0;
    enum cz_err rc = cz__api_number(rq, "generation", &from, err);
    if (rc == CZ_OK)
        rc = cz__api_number(rq, "other", &to, err);
    if (rc == CZ_OK)
        rc = cz_service_diff(cz__api_service(rq), cz_http_var(rq, "team"), kind_of(rq),
                             cz_http_var(rq, "name"), from, to, &o, err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}

static enum cz_err read_generation(const json_t *body, int64_t *ret, struct cz_report *rep)
{
    static const char *const names[] = {"generation", NULL};
    const json_t *v = json_object_get(body, "generation");
    cz__api_known(body, names, rep);
    if (!v)
        (void)cz_report_add(rep, "/generation", "required",
                            "is required: the generation to go back to");
    else if (!cz__api_i64(v, ret) || *ret < 1)
        (void)cz_report_add(rep, "/generation", "type", "must be a positive number");
    return cz_report_ok(rep) ? CZ_OK : CZ_E_INVALID;
}

HANDLER(cz__rest_restore)
{
    struct cz_write w;
    struct cz_write_result r = {0};
    int64_t generation = 0;
    struct cz_caller who = cz__api_caller(rq);
    enum cz_err rc = cz__api_write(rq, &w, err);
    if (rc == CZ_OK)
        rc = read_generation(cz_http_body(rq), &generation, cz_http_report(rs));
    if (rc != CZ_OK)
        return rc;
    rc = cz_service_restore(cz__api_service(rq), &who, &w, cz_http_var(rq, "team"), kind_of(rq),
                            cz_http_var(rq, "name"), generation, &r, cz_http_report(rs), err);
    if (rc == CZ_OK)
        cz__api_written(rq, rs, &w, &r);
    return rc;
}
