/* SPDX-License-Identifier: Apache-2.0 */
/** Positions of a mapping: shown, moved, translated. */
#include "api_priv.h"

HANDLER(cz__rest_offsets)
{
    json_t *o = NULL;
    enum cz_err rc = cz_service_offsets(cz__api_service(rq), cz_http_var(rq, "team"),
                                        cz_http_var(rq, "name"), &o, err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}

HANDLER(cz__rest_move_offsets)
{
    struct cz_write w;
    json_t *o = NULL;
    struct cz_caller who = cz__api_caller(rq);
    enum cz_err rc = cz__api_write(rq, &w, err);
    if (rc == CZ_OK)
        rc = cz_service_move_offsets(cz__api_service(rq), &who, &w, cz_http_var(rq, "team"),
                                     cz_http_var(rq, "name"), cz_http_body(rq), &o,
                                     cz_http_report(rs), err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}

HANDLER(cz__rest_translate_offsets)
{
    json_t *o = NULL;
    enum cz_err rc = cz_service_translate(cz__api_service(rq), cz_http_var(rq, "team"),
                                          cz_http_var(rq, "name"), cz_http_body(rq), &o,
                                          cz_http_report(rs), err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}
