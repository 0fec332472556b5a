/* SPDX-License-Identifier: Apache-2.0 */
/** Users and services, for platform admins (and to look at, for auditors). */
#include "api_priv.h"

HANDLER(cz__rest_principals)
{
    json_t *o = NULL;
    enum cz_err rc = cz_identity_principals(cz__api_identity(rq), cz_http_principal(rq), &o, err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}

HANDLER(cz__rest_new_principal)
{
    json_t *o = NULL;
    const struct cz_origin from = cz__api_origin(rq);
    enum cz_err rc = cz_identity_principal_new(cz__api_identity(rq), cz_http_principal(rq), &from,
                                               cz_http_body(rq), &o, cz_http_report(rs), err);
    if (rc == CZ_OK)
        cz_http_json(rs, 201, o);
    return rc;
}

HANDLER(cz__rest_patch_principal)
{
    json_t *o = NULL;
    const struct cz_origin from = cz__api_origin(rq);
    enum cz_err rc =
        cz_identity_principal_set(cz__api_identity(rq), cz_http_principal(rq), &from,
                                  cz_http_var(rq, "id"), cz_http_body(rq), &o, cz_http_report(rs), err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}

HANDLER(cz__rest_principal_sessions)
{
    json_t *o = NULL;
    enum cz_err rc = cz_identity_sessions(cz__api_identity(rq), cz_http_principal(rq),
                                          cz_http_var(rq, "id"), &o, err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}

HANDLER(cz__rest_end_principal_sessions)
{
    json_t *o = NULL;
    const struct cz_origin from = cz__api_origin(rq);
    enum cz_err rc = cz_identity_sessions_end(cz__api_identity(rq), cz_http_principal(rq), &from,
                                              cz_http_var(rq, "id"), &o, err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}
