/* SPDX-License-Identifier: Apache-2.0 */
/** Teams: the list, one with its settings, making and changing one. */
#include "api_priv.h"

HANDLER(cz__rest_teams)
{
    json_t *o = NULL;
    enum cz_err rc = cz_service_teams(cz__api_service(rq), cz__api_access(rq), &o, err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}

HANDLER(cz__rest_team)
{
    json_t *o = NULL;
    int64_t version = 0;
    enum cz_err rc = cz_service_team(cz__api_service(rq), cz_http_var(rq, "team"), &o, &version, err);
    if (rc != CZ_OK)
        return rc;
    if (version > 0 && cz_http_not_modified(rq, rs, version)) {
        json_decref(o);
        return CZ_OK;
    }
    cz_http_json(rs, 200, o);
    return CZ_OK;
}

/** The body without what is not a setting: the name, and what an answer adds. New reference. */
static json_t *settings_of(const struct cz_http_request *rq, struct cz_report *rep)
{
    json_t *body = cz__api_document(rq);
    const json_t *name = json_object_get(body, "name");
    if (name && !cz_streq(json_string_value(name), cz_http_var(rq, "team")))
        (void)cz_report_add(rep, "/name", "read-only", "must be the name in the path");
    (void)json_object_del(body, "name");
    (void)json_object_del(body, "version");
    return body;
}

HANDLER(cz__rest_put_team)
{
    struct cz_write w;
    json_t *o = NULL;
    int64_t version = 0;
    struct cz_caller who = cz__api_caller(rq);
    enum cz_err rc = cz__api_write(rq, &w, err);
    if (rc != CZ_OK)
        return rc;
    json_t *settings = settings_of(rq, cz_http_report(rs));
    rc = cz_report_ok(cz_http_report(rs)) ? CZ_OK : CZ_E_INVALID;
    if (rc == CZ_OK)
        rc = cz_service_put_team(cz__api_service(rq), &who, &w, cz_http_var(rq, "team"), settings, &o,
                                 &version, cz_http_report(rs), err);
    json_decref(settings);
    if (rc != CZ_OK)
        return rc;
    (void)json_object_set_new(o, "dry_run", json_boolean(w.dry_run));
    cz_http_json(rs, 200, o);
    if (version > 0 && !w.dry_run)
        cz_http_etag(rs, version);
    return CZ_OK;
}
