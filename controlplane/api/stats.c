/* SPDX-License-Identifier: Apache-2.0 */
/** Workers, and the counters of mappings: of everything, or of one team. */
#include "api_priv.h"

HANDLER(cz__rest_workers)
{
    json_t *o = NULL;
    enum cz_err rc = cz_service_workers(cz__api_service(rq), &o, err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}

HANDLER(cz__rest_stats)
{
    json_t *o = NULL;
    const char *team = cz_http_route(rq)->kind ? cz_http_var(rq, "team") : NULL;
    enum cz_err rc = cz_service_stats(cz__api_service(rq), cz__api_access(rq), team, &o, err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}
