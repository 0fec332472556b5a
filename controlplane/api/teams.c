/* SPDX-License-Identifier: Apache-2.0 */
/** Teams: the list, and making one. */
#include "api_priv.h"

HANDLER(cz__rest_teams)
{
    json_t *o = NULL;
    enum cz_err rc = cz_service_teams(cz__api_service(rq), &o, err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}

HANDLER(cz__rest_put_team)
{
    static const char *const known[] = {"name", NULL};
    json_t *o = NULL;
    struct cz_caller who = cz__api_caller(rq);
    const char *team = cz_http_var(rq, "team");
    const json_t *name = json_object_get(cz_http_body(rq), "name");
    cz__api_known(cz_http_body(rq), known, cz_http_report(rs));
    if (name && !cz_streq(json_string_value(name), team))
        (void)cz_report_add(cz_http_report(rs), "/name", "read-only",
                            "must be the name in the path");
    if (!cz_report_ok(cz_http_report(rs)))
        return CZ_E_INVALID;
    enum cz_err rc = cz_service_put_team(cz__api_service(rq), &who, team, &o, err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}
