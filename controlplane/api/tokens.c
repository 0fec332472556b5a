/* SPDX-License-Identifier: Apache-2.0 */
/** API tokens: one's own, and for admins everybody's. */
#include "api_priv.h"

HANDLER(cz__rest_tokens)
{
    json_t *o = NULL;
    enum cz_err rc = cz_identity_tokens(cz__api_identity(rq), cz_http_principal(rq),
                                        cz_http_query_bool(rq, "all"), &o, err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}

HANDLER(cz__rest_new_token)
{
    json_t *o = NULL;
    const struct cz_origin from = cz__api_origin(rq);
    enum cz_err rc = cz_identity_token_new(cz__api_identity(rq), cz_http_principal(rq), &from,
                                           cz_http_body(rq), &o, cz_http_report(rs), err);
    if (rc == CZ_OK)
        cz_http_json(rs, 201, o);
    return rc;
}

HANDLER(cz__rest_revoke_token)
{
    const struct cz_origin from = cz__api_origin(rq);
    (void)rs;
    return cz_identity_token_revoke(cz__api_identity(rq), cz_http_principal(rq), &from,
                                    cz_http_var(rq, "id"), err);
}
