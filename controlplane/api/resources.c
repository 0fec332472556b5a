/* SPDX-License-Identifier: Apache-2.0 */
/** Clusters, mappings, templates, instances and value maps are read and written alike:
 *  /api/v1/teams/{team}/<collection>[/{name}].  The route's `kind` says which one it is. */
#include <string.h>

#include "api_priv.h"

static enum cz_kind kind_of(const struct cz_http_request *rq)
{
    return (enum cz_kind)cz_http_route(rq)->kind;
}

/* ---- list ---------------------------------------------------------------------------------
 */

/* The list and its filters, as text: what a cursor is bound to. */
static char *scope_of(const struct cz_http_request *rq)
{
    static const char *const filters[] = {"group", "name", "label", "state", "managed_by"};
    struct cz_buf b = CZ_BUF_INIT(1 << 16);
    cz_buf_addf(&b, "%d %s", cz_http_route(rq)->kind, cz_http_var(rq, "team"));
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
        const char *v = cz_http_query(rq, filters[i]);
        cz_buf_addf(&b, "\n%s%s%s", filters[i], v ? "=" : "", v ? v : "");
    }
    return cz_buf_steal(&b);
}

static enum cz_err read_label(const struct cz_http_request *rq,
                              char **ret_key,
                              const char **ret_value,
                              struct cz_error *err)
{
    const char *label = cz_http_query(rq, "label");
    const char *eq = label ? strchr(label, '=') : NULL;
    if (!label)
        return CZ_OK;
    if (!eq || eq == label)
        return cz_fail(err, CZ_E_PARSE, "query parameter label must be key=value");
    *ret_key = cz_strndup(label, (size_t)(eq - label));
    *ret_value = eq + 1;
    return CZ_OK;
}

static void render_page(const struct cz_http_request *rq,
                        struct cz_http_response *rs,
                        const char *scope,
                        struct cz_page *page)
{
    json_t *o = json_object();
    char *next = page->next_name
                     ? cz__cursor_make(cz_http_context(rq), scope,
                                       page->next_team ? page->next_team : "", page->next_name)
                     : NULL;
    (void)json_object_set(o, "items", page->items);
    cz_json_set_str_or_null(o, "next", next);
    cz_json_set_i64(o, "seq", page->seq);
    cz_http_json(rs, 200, o);
    cz_free(next);
}

HANDLER(cz__rest_list)
{
    struct cz_page page = {0};
    CZ_CLEANUP(cz_freep) char *scope = scope_of(rq);
    CZ_CLEANUP(cz_freep) char *after_team = NULL;
    CZ_CLEANUP(cz_freep) char *after_name = NULL;
    CZ_CLEANUP(cz_freep) char *label_key = NULL;
    const char *cursor = cz_http_query(rq, "cursor");
    struct cz_list_filter f = {
        .team = cz_http_var(rq, "team"),
        .kind = kind_of(rq),
        .group = cz_http_query(rq, "group"),
        .name_contains = cz_http_query(rq, "name"),
        .managed_by = cz_http_query(rq, "managed_by"),
        .limit = (int)cz_http_query_int(rq, "limit", CZ_DEFAULT_PAGE),
    };
    enum cz_err rc = read_label(rq, &label_key, &f.label_value, err);
    if (rc == CZ_OK)
        rc = cz__cursor_ready(cz_http_context(rq), err);
    if (rc == CZ_OK && cursor)
        rc = cz__cursor_read(cz_http_context(rq), scope, cursor, &after_team, &after_name, err);
    if (rc != CZ_OK)
        return rc;
    f.label_key = label_key;
    f.after_team = after_team;
    f.after_name = after_name;
    rc = cz_service_list(cz__api_service(rq), &f, cz_http_query(rq, "state"), &page, err);
    if (rc == CZ_OK)
        render_page(rq, rs, scope, &page);
    cz_page_done(&page);
    return rc;
}

/* ---- one ----------------------------------------------------------------------------------
 */

HANDLER(cz__rest_get)
{
    json_t *o = NULL;
    int64_t version = 0;
    enum cz_err rc = cz_service_get(cz__api_service(rq), cz_http_var(rq, "team"), kind_of(rq),
                                    cz_http_var(rq, "name"), &o, &version, err);
    if (rc != CZ_OK)
        return rc;
    /* The version does not cover a mapping's status: there a 304 would show an old state. */
    if (kind_of(rq) == CZ_KIND_MAPPING)
        cz_http_etag(rs, version);
    else if (cz_http_not_modified(rq, rs, version)) {
        json_decref(o);
        return CZ_OK;
    }
    cz_http_json(rs, 200, o);
    return CZ_OK;
}

HANDLER(cz__rest_put)
{
    struct cz_write w;
    struct cz_write_result r = {0};
    struct cz_caller who = cz__api_caller(rq);
    enum cz_err rc = cz__api_write(rq, &w, err);
    if (rc != CZ_OK)
        return rc;
    json_t *doc = cz__api_document(rq);
    rc = cz_service_put(cz__api_service(rq), &who, &w, cz_http_var(rq, "team"), kind_of(rq),
                        cz_http_var(rq, "name"), doc, &r, cz_http_report(rs), err);
    json_decref(doc);
    if (rc == CZ_OK)
        cz__api_written(rq, rs, &w, &r);
    return rc;
}

HANDLER(cz__rest_patch)
{
    struct cz_write w;
    struct cz_write_result r = {0};
    struct cz_caller who = cz__api_caller(rq);
    enum cz_err rc = cz__api_write(rq, &w, err);
    if (rc != CZ_OK)
        return rc;
    json_t *doc = cz__api_document(rq);
    rc = cz_service_patch(cz__api_service(rq), &who, &w, cz_http_var(rq, "team"), kind_of(rq),
                          cz_http_var(rq, "name"), doc, &r, cz_http_report(rs), err);
    json_decref(doc);
    if (rc == CZ_OK)
        cz__api_written(rq, rs, &w, &r);
    return rc;
}

HANDLER(cz__rest_delete)
{
    struct cz_write w;
    struct cz_write_result r = {0};
    struct cz_caller who = cz__api_caller(rq);
    enum cz_err rc = cz__api_write(rq, &w, err);
    if (rc != CZ_OK)
        return rc;
    rc = cz_service_delete(cz__api_service(rq), &who, &w, cz_http_var(rq, "team"), kind_of(rq),
                           cz_http_var(rq, "name"), &r, err);
    if (rc == CZ_OK)
        cz__api_written(rq, rs, &w, &r);
    return rc;
}
