/* SPDX-License-Identifier: Apache-2.0 */
/** Sets: plan and apply of many objects at once, and what else can be done with a set. */
#include <string.h>

#include "api_priv.h"

/* ---- reading bodies ------------------------------------------------------------------------- */

static bool read_flag(const json_t *body, const char *key, struct cz_report *rep)
{
    char at[CZ_POINTER_SIZE] = "";
    const json_t *v = json_object_get(body, key);
    cz_pointer_push(at, key);
    if (v && !json_is_null(v) && !json_is_boolean(v))
        (void)cz_report_add(rep, at, "type", "must be true or false");
    return json_is_true(v);
}

static const char *
read_text(const json_t *body, const char *key, size_t max, struct cz_report *rep)
{
    char at[CZ_POINTER_SIZE] = "";
    const json_t *v = json_object_get(body, key);
    cz_pointer_push(at, key);
    if (!v || json_is_null(v))
        return NULL;
    if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v))
        (void)cz_report_add(rep, at, "type", "must be a string");
    else if (json_string_length(v) > max || json_string_length(v) == 0)
        (void)cz_report_add(rep, at, "range", "must have 1 to %zu bytes", max);
    return json_string_value(v);
}

static const char *const APPLY_MEMBERS[] = {
    "objects",   "prune",  "adopt", "force_adopt", "allow_empty", "max_deletes", "override_block",
    "plan_hash", "commit", "repo",  "comment",     NULL};

static enum cz_err
read_apply(const json_t *body, struct cz_apply *ret, const char **ret_comment, struct cz_report *rep)
{
    const json_t *max = json_object_get(body, "max_deletes");
    cz__api_known(body, APPLY_MEMBERS, rep);
    *ret = (struct cz_apply){.objects = json_object_get(body, "objects"),
                             .prune = read_flag(body, "prune", rep),
                             .adopt = read_flag(body, "adopt", rep),
                             .force_adopt = read_flag(body, "force_adopt", rep),
                             .allow_empty = read_flag(body, "allow_empty", rep),
                             .override_block = read_flag(body, "override_block", rep),
                             .max_deletes = -1,
                             .plan_hash = read_text(body, "plan_hash", 64, rep),
                             .commit = read_text(body, "commit", 200, rep),
                             .repo = read_text(body, "repo", 1000, rep)};
    *ret_comment = read_text(body, "comment", 1000, rep);
    if (!json_is_array(ret->objects))
        (void)cz_report_add(rep, "/objects", ret->objects ? "type" : "required",
                            "must be the list of the set's objects");
    if (max && !json_is_null(max) && (!json_is_integer(max) || json_integer_value(max) < 0))
        (void)cz_report_add(rep, "/max_deletes", "type", "must be a number of 0 or more");
    else if (json_is_integer(max))
        ret->max_deletes = json_integer_value(max);
    return cz_report_ok(rep) ? CZ_OK : CZ_E_INVALID;
}

/* ---- plan and apply ------------------------------------------------------------------------- */

HANDLER(cz__rest_plan_set)
{
    struct cz_apply apply;
    const char *comment = NULL;
    json_t *plan = NULL;
    struct cz_caller who = cz__api_caller(rq);
    enum cz_err rc = read_apply(cz_http_body(rq), &apply, &comment, cz_http_report(rs));
    if (rc == CZ_OK)
        rc = cz_service_plan(cz__api_service(rq), &who, cz_http_var(rq, "team"),
                             cz_http_var(rq, "name"), &apply, &plan, cz_http_report(rs), err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, plan);
    else
        json_decref(plan);
    return rc;
}

HANDLER(cz__rest_apply_set)
{
    struct cz_apply apply;
    struct cz_write w;
    struct cz_write_result r = {0};
    const char *comment = NULL;
    json_t *plan = NULL;
    struct cz_caller who = cz__api_caller(rq);
    enum cz_err rc = cz__api_write(rq, &w, err);
    if (rc == CZ_OK)
        rc = read_apply(cz_http_body(rq), &apply, &comment, cz_http_report(rs));
    if (rc != CZ_OK)
        return rc;
    w.comment = w.comment ? w.comment : comment;
    rc = cz_service_apply(cz__api_service(rq), &who, &w, cz_http_var(rq, "team"),
                          cz_http_var(rq, "name"), &apply, &r, &plan, cz_http_report(rs), err);
    if (rc == CZ_OK) {
        r.resource = json_pack("{s:o}", "plan", plan);
        cz__api_written(rq, rs, &w, &r);
    } else if (plan) {
        cz_http_problem_member(rs, "plan", plan);
    }
    return rc;
}

/* ---- reading sets --------------------------------------------------------------------------- */

HANDLER(cz__rest_sets)
{
    json_t *o = NULL;
    enum cz_err rc = cz_service_sets(cz__api_service(rq), cz_http_var(rq, "team"), &o, err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}

HANDLER(cz__rest_set)
{
    json_t *o = NULL;
    enum cz_err rc = cz_service_set(cz__api_service(rq), cz_http_var(rq, "team"),
                                    cz_http_var(rq, "name"), &o, err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}

/* ---- what can be done with a set ------------------------------------------------------------ */

HANDLER(cz__rest_suspend_set)
{
    static const char *const names[] = {"reason", NULL};
    struct cz_write w;
    json_t *o = NULL;
    struct cz_caller who = cz__api_caller(rq);
    enum cz_err rc = cz__api_write(rq, &w, err);
    if (rc != CZ_OK)
        return rc;
    cz__api_known(cz_http_body(rq), names, cz_http_report(rs));
    const char *reason = read_text(cz_http_body(rq), "reason", 1000, cz_http_report(rs));
    if (!cz_report_ok(cz_http_report(rs)))
        return CZ_E_INVALID;
    rc = cz_service_suspend_set(cz__api_service(rq), &who, &w, cz_http_var(rq, "team"),
                                cz_http_var(rq, "name"), reason, &o, err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}

HANDLER(cz__rest_resume_set)
{
    static const char *const names[] = {"unblock", NULL};
    struct cz_write w;
    json_t *o = NULL;
    struct cz_caller who = cz__api_caller(rq);
    enum cz_err rc = cz__api_write(rq, &w, err);
    if (rc != CZ_OK)
        return rc;
    cz__api_known(cz_http_body(rq), names, cz_http_report(rs));
    bool unblock = read_flag(cz_http_body(rq), "unblock", cz_http_report(rs));
    if (!cz_report_ok(cz_http_report(rs)))
        return CZ_E_INVALID;
    rc = cz_service_resume_set(cz__api_service(rq), &who, &w, cz_http_var(rq, "team"),
                               cz_http_var(rq, "name"), unblock, &o, err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}

HANDLER(cz__rest_delete_set)
{
    struct cz_write w;
    struct cz_write_result r = {0};
    struct cz_caller who = cz__api_caller(rq);
    enum cz_err rc = cz__api_write(rq, &w, err);
    if (rc == CZ_OK)
        rc = cz_service_delete_set(cz__api_service(rq), &who, &w, cz_http_var(rq, "team"),
                                   cz_http_var(rq, "name"), &r, err);
    if (rc == CZ_OK)
        cz__api_written(rq, rs, &w, &r);
    return rc;
}

struct owning {
    struct cz_set_object *objects;
    char **pointers;
    size_t n;
    bool force;
};

static void owning_done(struct owning *o)
{
    for (size_t i = 0; i < o->n; i++)
        cz_free(o->pointers[i]);
    cz_free(o->pointers);
    cz_free(o->objects);
}

static void read_object(const json_t *v, struct owning *o, struct cz_report *rep)
{
    const char *name = json_string_value(json_object_get(v, "name"));
    const char *kind = json_string_value(json_object_get(v, "kind"));
    char *at = cz_strf("/objects/%zu", o->n);
    struct cz_set_object *to = &o->objects[o->n];
    o->pointers[o->n++] = at;
    *to = (struct cz_set_object){.name = name, .pointer = at};
    if (!name || cz_name_check(name, NULL) || !kind || !cz_kind_parse(kind, &to->kind))
        (void)cz_report_add(rep, at, "type", "must be {kind, name} of an object");
}

/* {"objects":[{"kind","name"}]}, and for adopting "force", for releasing "all". */
static enum cz_err
read_owning(const json_t *body, bool adopt, struct owning *ret, struct cz_report *rep)
{
    static const char *const adopting[] = {"objects", "force", NULL},
                             *const releasing[] = {"objects", "all", NULL};
    const json_t *list = json_object_get(body, "objects"), *v;
    size_t i;
    cz__api_known(body, adopt ? adopting : releasing, rep);
    bool flag = read_flag(body, adopt ? "force" : "all", rep), all = flag && !adopt;
    ret->force = flag && adopt;
    if (all ? list != NULL : !json_is_array(list) || json_array_size(list) == 0)
        (void)cz_report_add(rep, "/objects", list ? "type" : "required",
                            adopt ? "must be a list of {kind, name}"
                                  : "must be a list of {kind, name}, or say all: true instead");
    ret->objects = cz_alloc_array(json_array_size(list) + 1, sizeof *ret->objects);
    ret->pointers = cz_alloc_array(json_array_size(list) + 1, sizeof *ret->pointers);
    json_array_foreach ((json_t *)(uintptr_t)list, i, v)
        read_object(v, ret, rep);
    return cz_report_ok(rep) ? CZ_OK : CZ_E_INVALID;
}

static enum cz_err own(const struct cz_http_request *rq,
                       struct cz_http_response *rs,
                       bool adopt,
                       struct cz_error *err)
{
    struct cz_write w;
    struct cz_write_result r = {0};
    CZ_CLEANUP(owning_done) struct owning o = {0};
    struct cz_caller who = cz__api_caller(rq);
    enum cz_err rc = cz__api_write(rq, &w, err);
    if (rc == CZ_OK)
        rc = read_owning(cz_http_body(rq), adopt, &o, cz_http_report(rs));
    if (rc == CZ_OK)
        rc = cz_service_own(cz__api_service(rq), &who, &w, cz_http_var(rq, "team"),
                            cz_http_var(rq, "name"), o.objects, o.n, adopt, o.force, &r,
                            cz_http_report(rs), err);
    if (rc == CZ_OK)
        cz__api_written(rq, rs, &w, &r);
    return rc;
}

HANDLER(cz__rest_adopt)
{
    return own(rq, rs, true, err);
}

HANDLER(cz__rest_release)
{
    return own(rq, rs, false, err);
}
