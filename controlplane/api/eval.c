/* SPDX-License-Identifier: Apache-2.0 */
/** POST /api/v1/eval: an expression over a document, by the workers' own engine. */
#include "api_priv.h"

HANDLER(cz__rest_eval)
{
    static const char *const names[] = {"expression", "document", NULL};
    const json_t *body = cz_http_body(rq);
    const json_t *expression = json_object_get(body, "expression"),
                 *document = json_object_get(body, "document");
    struct cz_report *rep = cz_http_report(rs);
    json_t *o = NULL;
    cz__api_known(body, names, rep);
    if (!json_is_string(expression))
        (void)cz_report_add(rep, "/expression", expression ? "type" : "required",
                            "a string is required");
    else if (json_string_length(expression) > CZ_MAX_EXPRESSION)
        (void)cz_report_add(rep, "/expression", "range", "must have at most %d bytes",
                            CZ_MAX_EXPRESSION);
    if (!document)
        (void)cz_report_add(rep, "/document", "required", "is required: any JSON value");
    if (!cz_report_ok(rep))
        return CZ_E_INVALID;
    enum cz_err rc = cz_service_eval(json_string_value(expression), document, &o, rep, err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}
