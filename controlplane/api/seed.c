/* SPDX-License-Identifier: Apache-2.0 */
/** The mappings of the team `default` in CitizenK Replicator's flat form, at its paths.  A view:
 * every call is one of the service's, so there is one truth and one history.  seed_form.c
 * translates. */
#include <string.h>

#include "api_priv.h"
#include "seed_form.h"

/* What the original never asked for: a version.  One that a client sends is honoured. */
static enum cz_err
write_of(const struct cz_http_request *rq, struct cz_write *ret, struct cz_error *err)
{
    enum cz_err rc = cz__api_write(rq, ret, err);
    if (rc == CZ_OK && ret->if_match == CZ_IF_MATCH_NONE)
        ret->if_match = CZ_IF_MATCH_ANY;
    return rc;
}

static void
written(const struct cz_http_request *rq, struct cz_http_response *rs, const struct cz_write *w,
        struct cz_write_result *r)
{
    if (r->resource) {
        json_t *flat = cz__seed_flat(r->resource);
        json_decref(r->resource);
        r->resource = flat;
    }
    cz__seed_warnings(r->warnings);
    cz__api_written(rq, rs, w, r);
}

HANDLER(cz__rest_seed_get)
{
    json_t *o = NULL;
    int64_t version = 0;
    enum cz_err rc = cz_service_get(cz__api_service(rq), CZ_SEED_TEAM, CZ_KIND_MAPPING,
                                    cz_http_var(rq, "name"), &o, &version, err);
    if (rc != CZ_OK)
        return rc;
    cz_http_etag(rs, version);
    cz_http_json(rs, 200, cz__seed_flat(o));
    json_decref(o);
    return CZ_OK;
}

typedef enum cz_err (*write_fn)(struct cz_service *s,
                                const struct cz_caller *who,
                                const struct cz_write *w,
                                const char *team,
                                enum cz_kind kind,
                                const char *name,
                                const json_t *doc,
                                struct cz_write_result *ret,
                                struct cz_report *rep,
                                struct cz_error *err);

/* One write; what is wrong is told with pointers into the flat document. */
static enum cz_err store(const struct cz_http_request *rq,
                         struct cz_http_response *rs,
                         write_fn fn,
                         const struct cz_write *w,
                         const json_t *doc,
                         struct cz_error *err)
{
    struct cz_write_result r = {0};
    struct cz_report native = CZ_REPORT_INIT;
    struct cz_caller who = cz__api_caller(rq);
    enum cz_err rc = fn(cz__api_service(rq), &who, w, CZ_SEED_TEAM, CZ_KIND_MAPPING,
                        cz_http_var(rq, "name"), doc, &r, &native, err);
    cz__seed_report(&native, cz_http_report(rs));
    cz_report_done(&native);
    if (rc == CZ_OK)
        written(rq, rs, w, &r);
    return rc;
}

static enum cz_err create(const struct cz_http_request *rq,
                          struct cz_http_response *rs,
                          struct cz_write w,
                          const json_t *flat,
                          struct cz_error *err)
{
    const struct cz_api *a = cz_http_context(rq);
    json_t *named = json_copy(CZ_UNCONST(flat));
    (void)json_object_set_new(named, "name", json_string(cz_http_var(rq, "name")));
    json_t *doc = cz__seed_native(named, a->source_group);
    json_decref(named);
    w.create_only = true;
    w.if_match = CZ_IF_MATCH_NONE;
    enum cz_err rc = store(rq, rs, cz_service_put, &w, doc, err);
    json_decref(doc);
    return rc;
}

/* A patch, so that what the flat form cannot say (a mask, a rate) outlives an edit through it. */
static enum cz_err replace(const struct cz_http_request *rq,
                           struct cz_http_response *rs,
                           const struct cz_write *w,
                           const json_t *flat,
                           struct cz_error *err)
{
    json_t *current = NULL;
    enum cz_err rc = cz_service_get(cz__api_service(rq), CZ_SEED_TEAM, CZ_KIND_MAPPING,
                                    cz_http_var(rq, "name"), &current, NULL, err);
    if (rc != CZ_OK)
        return rc;
    json_t *doc = cz__seed_patch(flat, current);
    json_decref(current);
    rc = store(rq, rs, cz_service_patch, w, doc, err);
    json_decref(doc);
    return rc;
}

static enum cz_err put(const struct cz_http_request *rq,
                       struct cz_http_response *rs,
                       bool may_replace,
                       struct cz_error *err)
{
    struct cz_write w;
    enum cz_err rc = write_of(rq, &w, err);
    if (rc != CZ_OK)
        return rc;
    json_t *flat = cz__api_document(rq);
    cz__seed_check(flat, cz_http_var(rq, "name"), cz_http_report(rs));
    if (!cz_report_ok(cz_http_report(rs)))
        rc = CZ_E_INVALID;
    else if (!may_replace || w.create_only)
        rc = create(rq, rs, w, flat, err);
    else
        rc = replace(rq, rs, &w, flat, err);
    if (rc == CZ_E_NOT_FOUND && w.if_match == CZ_IF_MATCH_ANY &&
        !cz_http_header(rq, "If-Match")) {
        cz_error_reset(err);
        rc = create(rq, rs, w, flat, err);
    }
    json_decref(flat);
    return rc;
}

HANDLER(cz__rest_seed_post)
{
    return put(rq, rs, false, err);
}

HANDLER(cz__rest_seed_put)
{
    return put(rq, rs, true, err);
}

HANDLER(cz__rest_seed_delete)
{
    struct cz_write w;
    struct cz_write_result r = {0};
    struct cz_caller who = cz__api_caller(rq);
    enum cz_err rc = write_of(rq, &w, err);
    if (rc == CZ_OK)
        rc = cz_service_delete(cz__api_service(rq), &who, &w, CZ_SEED_TEAM, CZ_KIND_MAPPING,
                               cz_http_var(rq, "name"), &r, err);
    if (rc == CZ_OK)
        written(rq, rs, &w, &r);
    return rc;
}

/* The mapping of a template is switched by its instance's overrides, as `enabled` and `disabled` of a
 * mapping file are. */
static enum cz_err switch_rendered(const struct cz_http_request *rq,
                                   struct cz_http_response *rs,
                                   struct cz_write w,
                                   const char *instance,
                                   bool enabled,
                                   struct cz_error *err)
{
    struct cz_service *s = cz__api_service(rq);
    const char *name = cz_http_var(rq, "name");
    struct cz_write_result r = {0};
    struct cz_caller who = cz__api_caller(rq);
    json_t *doc =
        json_pack("{s:{s:{s:{s:b}}}}", "spec", "overrides", name, "enabled", (int)enabled);
    w.if_match = CZ_IF_MATCH_ANY; /* the instance's; the mapping's is checked */
    enum cz_err rc = cz_service_patch(s, &who, &w, CZ_SEED_TEAM, CZ_KIND_INSTANCE, instance, doc, &r,
                                      cz_http_report(rs), err);
    json_decref(doc);
    if (rc != CZ_OK)
        return rc;
    json_decref(r.resource);
    r.resource = NULL;
    rc = cz_service_get(s, CZ_SEED_TEAM, CZ_KIND_MAPPING, name, &r.resource, &r.version, err);
    if (rc == CZ_OK && w.dry_run)
        (void)json_object_set_new(json_object_get(r.resource, "spec"), "enabled",
                                  json_boolean(enabled));
    if (rc == CZ_OK)
        written(rq, rs, &w, &r);
    else
        cz_write_result_done(&r);
    return rc;
}

static enum cz_err switch_mapping(const struct cz_http_request *rq,
                                  struct cz_http_response *rs,
                                  const struct cz_write *w,
                                  bool enabled,
                                  struct cz_error *err)
{
    static const char instance[] = "instance:";
    json_t *current = NULL;
    int64_t version = 0;
    enum cz_err rc = cz_service_get(cz__api_service(rq), CZ_SEED_TEAM, CZ_KIND_MAPPING,
                                    cz_http_var(rq, "name"), &current, &version, err);
    if (rc != CZ_OK)
        return rc;
    const char *owner = cz_json_str(current, "managed_by", "");
    if (strncmp(owner, instance, sizeof instance - 1) != 0) {
        json_t *doc = json_pack("{s:{s:b}}", "spec", "enabled", (int)enabled);
        rc = store(rq, rs, cz_service_patch, w, doc, err);
        json_decref(doc);
    } else if (w->if_match > 0 && w->if_match != version) {
        rc = cz_fail(err, CZ_E_STALE, "the mapping is in version %lld now", (long long)version);
    } else {
        rc = switch_rendered(rq, rs, *w, owner + sizeof instance - 1, enabled, err);
    }
    json_decref(current);
    return rc;
}

static enum cz_err switch_to(const struct cz_http_request *rq,
                             struct cz_http_response *rs,
                             bool enabled,
                             struct cz_error *err)
{
    static const char *const none[] = {NULL};
    struct cz_write w;
    enum cz_err rc = write_of(rq, &w, err);
    if (rc != CZ_OK)
        return rc;
    cz__api_known(cz_http_body(rq), none, cz_http_report(rs));
    if (!cz_report_ok(cz_http_report(rs)))
        return CZ_E_INVALID;
    return switch_mapping(rq, rs, &w, enabled, err);
}

HANDLER(cz__rest_seed_enable)
{
    return switch_to(rq, rs, true, err);
}

HANDLER(cz__rest_seed_disable)
{
    return switch_to(rq, rs, false, err);
}
