/* SPDX-License-Identifier: Apache-2.0 */
/** The history: changes newest first (before=), oldest first (after=), as a watch (after= and
 *  wait=), one change with its objects, and undoing one. */
#include "api_priv.h"

static void read_filter(const struct cz_http_request *rq, struct cz_change_filter *f)
{
    const char *kind = cz_http_query(rq, "kind");
    *f = (struct cz_change_filter){
        .team = cz_http_query(rq, "team"),
        .actor = cz_http_query(rq, "actor"),
        .via = cz_http_query(rq, "via"),
        .set_name = cz_http_query(rq, "set"),
        .commit = cz_http_query(rq, "commit"),
        .kind = CZ_KIND_COUNT_,
        .name = cz_http_query(rq, "name"),
        .before = cz_http_query_int(rq, "before", 0),
        .after = cz_http_query_int(rq, "after", 0),
        .limit = (int)cz_http_query_int(rq, "limit", CZ_DEFAULT_PAGE),
    };
    const char *mine = cz__api_caller(rq).actor_id;
    if (cz_http_query_bool(rq, "mine"))
        f->actor_id = mine ? mine : "";
    if (cz_http_route(rq)->kind) /* the team's own list */
        f->team = cz_http_var(rq, "team");
    if (kind)
        (void)cz_kind_parse(kind, &f->kind); /* the parameter's values are just these */
}

/* after=0 means "from the first on", which the filter cannot say.  Numbers have no gaps, so the
 * first page are the changes below limit + 1, turned around. */
static enum cz_err
first_page(struct cz_service *s, struct cz_change_filter f, json_t **ret, struct cz_error *err)
{
    json_t *o = NULL, *items = json_array();
    int limit = f.limit ? f.limit : CZ_DEFAULT_PAGE;
    f.before = limit + 1;
    f.limit = limit;
    enum cz_err rc = cz_service_changes(s, &f, &o, err);
    if (rc != CZ_OK) {
        json_decref(items);
        return rc;
    }
    json_t *old = json_object_get(o, "items");
    for (size_t i = json_array_size(old); i > 0; i--)
        (void)json_array_append(items, json_array_get(old, i - 1));
    (void)json_object_set_new(o, "items", items);
    (void)json_object_set_new(
        o, "next", cz_json_int(o, "seq", 0) > limit ? cz_json_i64(limit) : json_null());
    *ret = o;
    return CZ_OK;
}

static enum cz_err page(const struct cz_http_request *rq, json_t **ret, struct cz_error *err)
{
    struct cz_change_filter f;
    read_filter(rq, &f);
    const char **teams = f.team ? NULL : cz_access_visible(cz__api_access(rq), &f.teams_len);
    f.teams = teams;
    enum cz_err rc;
    if (f.team && !cz_access_may_see(cz__api_access(rq), f.team))
        rc = cz_fail(err, CZ_E_NOT_FOUND, "there is no team '%s'", f.team);
    else if (cz_http_query(rq, "after") && f.after == 0)
        rc = first_page(cz__api_service(rq), f, ret, err);
    else
        rc = cz_service_changes(cz__api_service(rq), &f, ret, err);
    cz_free(teams);
    return rc;
}

/* Ask again after each change until one passes the filters, or the time is over. */
static enum cz_err watch(const struct cz_http_request *rq, json_t **ret, struct cz_error *err)
{
    cz_time deadline = cz_deadline_ms(1000 * cz_http_query_int(rq, "wait", 0));
    json_t *o = NULL;
    enum cz_err rc = page(rq, &o, err);
    int64_t seen = rc == CZ_OK ? cz_json_int(o, "seq", 0) : 0;
    while (rc == CZ_OK && json_array_size(json_object_get(o, "items")) == 0 &&
           cz_now() < deadline && !cz_http_stopping(rq)) {
        cz_time slice = cz_deadline_ms(500);
        int64_t now = seen;
        rc = cz_service_wait_change(cz__api_service(rq), seen,
                                    slice < deadline ? slice : deadline, &now, err);
        if (rc != CZ_OK || now <= seen)
            continue;
        json_decref(o);
        o = NULL;
        rc = page(rq, &o, err);
        seen = rc == CZ_OK ? cz_json_int(o, "seq", now) : seen;
    }
    if (rc == CZ_OK)
        *ret = o;
    else
        json_decref(o);
    return rc;
}

HANDLER(cz__rest_changes)
{
    json_t *o = NULL;
    if (cz_http_query(rq, "before") && cz_http_query(rq, "after"))
        return cz_fail(err, CZ_E_PARSE, "before and after exclude each other");
    if (cz_http_query(rq, "wait") && !cz_http_query(rq, "after"))
        return cz_fail(err, CZ_E_PARSE,
                       "wait needs after: the number of the last change you know");
    enum cz_err rc = watch(rq, &o, err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}

HANDLER(cz__rest_change)
{
    json_t *o = NULL;
    int64_t seq = 0;
    enum cz_err rc = cz__api_number(rq, "seq", &seq, err);
    if (rc == CZ_OK)
        rc = cz_service_change(cz__api_service(rq), seq, &o, err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}

static void read_force_item(const json_t *v, size_t i, struct cz_force_item *ret, struct cz_report *rep)
{
    static const char *const names[] = {"kind", "name", "version", NULL};
    const json_t *version = json_object_get(v, "version");
    const char *kind = cz_json_str(v, "kind", "");
    CZ_CLEANUP(cz_freep) char *at = cz_strf("/force/%zu", i);
    ret->name = cz_json_str(v, "name", NULL);
    bool known = json_is_object(v) && ret->name && cz_kind_parse(kind, &ret->kind);
    const char *key;
    json_t *member;
    json_object_foreach ((json_t *)(uintptr_t)v, key, member)
        known &= cz_streq(key, names[0]) || cz_streq(key, names[1]) || cz_streq(key, names[2]);
    if (!known || (version && (!cz__api_i64(version, &ret->version) || ret->version < 1)))
        (void)cz_report_add(rep, at, "value",
                            "must be {kind, name} of an object, and version if it must be in that one");
}

/* cz_free ret->items. */
static enum cz_err read_force(const json_t *body, struct cz_force *ret, struct cz_report *rep)
{
    static const char *const names[] = {"force", NULL};
    json_t *force = json_object_get(body, "force");
    size_t n = json_array_size(force);
    struct cz_force_item *items = cz_alloc_array(n + 1, sizeof(*items));
    cz__api_known(body, names, rep);
    *ret = (struct cz_force){.all = json_is_true(force), .items = items, .len = n};
    if (force && !json_is_boolean(force) && !json_is_null(force) && !json_is_array(force))
        (void)cz_report_add(rep, "/force", "type", "must be true, or a list of {kind, name, version}");
    for (size_t i = 0; i < n; i++)
        read_force_item(json_array_get(force, i), i, &items[i], rep);
    return cz_report_ok(rep) ? CZ_OK : CZ_E_INVALID;
}

HANDLER(cz__rest_rollback)
{
    struct cz_write w;
    struct cz_write_result r = {0};
    int64_t seq = 0;
    struct cz_caller who = cz__api_caller(rq);
    enum cz_err rc = cz__api_number(rq, "seq", &seq, err);
    if (rc == CZ_OK)
        rc = cz__api_write(rq, &w, err);
    if (rc != CZ_OK)
        return rc;
    struct cz_force force;
    rc = read_force(cz_http_body(rq), &force, cz_http_report(rs));
    if (rc == CZ_OK)
        rc = cz_service_rollback(cz__api_service(rq), &who, &w, seq, &force, &r, cz_http_report(rs),
                                 err);
    if (rc == CZ_OK)
        cz__api_written(rq, rs, &w, &r);
    cz_free((void *)(uintptr_t)force.items);
    return rc;
}
