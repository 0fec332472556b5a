/* SPDX-License-Identifier: Apache-2.0 */
/** CitizenK Replicator's documents as a whole: GET, PUT and POST of /mappings and /templates.  PUT
 *  says what there shall be, POST what there shall be besides.  Either is one change of the team
 *  `default`: all of it, or nothing. */
#include <string.h>

#include "api_priv.h"
#include "seed_form.h"
#include "seed_set.h"

#define LABEL "mappings-file"

/* ---- reading ------------------------------------------------------------------------------- */

/* All objects of a kind, in pages. @ret_seq the change that the first page reflects. */
static enum cz_err every(struct cz_service *s,
                         enum cz_kind kind,
                         json_t *out,
                         int64_t *ret_seq,
                         struct cz_error *err)
{
    struct cz_page page = {0};
    struct cz_list_filter f = {.team = CZ_SEED_TEAM, .kind = kind, .limit = CZ_MAX_PAGE};
    enum cz_err rc = cz_service_list(s, &f, NULL, &page, err);
    *ret_seq = page.seq;
    while (rc == CZ_OK) {
        (void)json_array_extend(out, page.items);
        if (!page.next_name)
            break;
        struct cz_page before = page;
        page = (struct cz_page){0};
        f.after_team = before.next_team;
        f.after_name = before.next_name;
        rc = cz_service_list(s, &f, NULL, &page, err);
        cz_page_done(&before);
    }
    cz_page_done(&page);
    return rc;
}

/* What was said about the latest change. */
static json_t *latest_comment(const struct cz_http_request *rq)
{
    struct cz_change_filter f = {.team = CZ_SEED_TEAM, .kind = CZ_KIND_COUNT_, .limit = 1};
    json_t *changes = NULL;
    if (cz_service_changes(cz__api_service(rq), &f, &changes, NULL) != CZ_OK)
        return json_null();
    const char *text =
        cz_json_str(json_array_get(json_object_get(changes, "items"), 0), "comment", NULL);
    json_t *v = text ? json_string(text) : json_null();
    json_decref(changes);
    return v;
}

void cz_api_set_file_error(struct cz_api *a, const char *text)
{
    CZ_LOCKED(&a->lock);
    cz_free(a->file_error);
    a->file_error = cz_strdup(text);
}

static json_t *file_error(struct cz_api *a)
{
    CZ_LOCKED(&a->lock);
    return a->file_error ? json_string(a->file_error) : json_null();
}

HANDLER(cz__rest_seed_state)
{
    json_t *mappings = json_array(), *instances = json_array(), *one;
    json_t *own = json_array(), *rendered = json_array(), *templates = json_array();
    json_t *enabled = json_array(), *disabled = json_array();
    int64_t seq = 0, later = 0;
    size_t i;
    enum cz_err rc = every(cz__api_service(rq), CZ_KIND_MAPPING, mappings, &seq, err);
    if (rc == CZ_OK)
        rc = every(cz__api_service(rq), CZ_KIND_INSTANCE, instances, &later, err);
    json_array_foreach (mappings, i, one)
        (void)json_array_append_new(cz_json_str(one, "managed_by", NULL) ? rendered : own,
                                    cz__seed_flat(one));
    json_array_foreach (instances, i, one)
        (void)json_array_append_new(templates, cz__seed_instance(one, enabled, disabled));
    if (rc == CZ_OK) {
        if (seq > 0)
            cz_http_etag(rs, seq);
        cz_http_json(rs, 200,
                     json_pack("{s:O,s:O,s:O,s:O,s:o,s:O,s:o}", "templates", templates, "enabled",
                               enabled, "disabled", disabled, "mappings", own, "comment",
                               latest_comment(rq), "rendered", rendered, "file_error",
                               file_error(cz_http_context(rq))));
    }
    json_t *all[] = {mappings, instances, own, rendered, templates, enabled, disabled};
    for (i = 0; i < sizeof all / sizeof *all; i++)
        json_decref(all[i]);
    return rc;
}

HANDLER(cz__rest_seed_templates)
{
    json_t *list = json_array(), *out = json_object(), *one;
    int64_t seq = 0;
    size_t i;
    enum cz_err rc = every(cz__api_service(rq), CZ_KIND_TEMPLATE, list, &seq, err);
    json_array_foreach (list, i, one)
        (void)json_object_set_new(out, cz_json_str(one, "name", ""), cz__seed_template(one));
    if (rc == CZ_OK && seq > 0)
        cz_http_etag(rs, seq);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, json_pack("{s:O}", "templates", out));
    json_decref(list);
    json_decref(out);
    return rc;
}

/* ---- writing ------------------------------------------------------------------------------- */

static enum cz_err store(struct cz_api *a,
                         const struct cz_caller *who,
                         struct cz_write w,
                         struct cz__seed_set *s,
                         struct cz_write_result *ret,
                         struct cz_report *rep,
                         struct cz_error *err)
{
    struct cz_report native = CZ_REPORT_INIT;
    if (!cz_report_ok(rep))
        return cz_report_error(rep, err);
    if (!w.comment || !*w.comment)
        w.comment = s->comment;
    enum cz_err rc =
        cz_service_put_set(a->service, who, &w, CZ_SEED_TEAM, &s->set, ret, &native, err);
    cz__seed_set_report(&native, rep);
    cz_report_done(&native);
    if (rc == CZ_OK)
        cz__seed_set_warnings(ret->warnings);
    else if (rc == CZ_E_INVALID && !cz_report_ok(rep) && err) {
        cz_error_reset(err); /* the first problem by its place in the user's document */
        (void)cz_report_error(rep, err);
    }
    return rc;
}

enum cz_err cz_api_import(struct cz_api *a,
                          const struct cz_caller *who,
                          const struct cz_write *w,
                          const struct cz_api_import *in,
                          struct cz_write_result *ret,
                          struct cz_report *rep,
                          struct cz_error *err)
{
    struct cz__seed_set s;
    json_t *list = json_array(), *current = json_object(), *one;
    int64_t seq = 0;
    size_t i;
    enum cz_err rc = every(a->service, CZ_KIND_MAPPING, list, &seq, err);
    json_array_foreach (list, i, one)
        (void)json_object_set(current, cz_json_str(one, "name", ""), one);
    json_decref(list);
    cz__seed_set_init(&s, a->source_group, current);
    if (in->templates)
        cz__seed_set_add_templates(&s, in->templates, "/templates", rep);
    cz__seed_set_add(&s, in->doc, rep);
    if (!in->keep)
        s.set.prune = 1U << CZ_KIND_MAPPING | 1U << CZ_KIND_INSTANCE;
    if (in->label_value) {
        s.set.label = LABEL;
        s.set.label_value = in->label_value;
        s.set.prune |= in->templates ? 1U << CZ_KIND_TEMPLATE : 0;
    }
    if (rc == CZ_OK)
        rc = store(a, who, *w, &s, ret, rep, err);
    cz__seed_set_done(&s);
    return rc;
}

/* A set knows one version only: the number of the newest change. */
static enum cz_err
write_of(const struct cz_http_request *rq, struct cz_write *ret, struct cz_error *err)
{
    enum cz_err rc = cz__api_write(rq, ret, err);
    if (rc == CZ_OK && ret->create_only)
        rc = cz_fail(err, CZ_E_PARSE, "If-None-Match has no meaning for a list");
    return rc;
}

static enum cz_err put_state(const struct cz_http_request *rq,
                             struct cz_http_response *rs,
                             bool keep,
                             struct cz_error *err)
{
    struct cz_write w;
    struct cz_write_result r = {0};
    struct cz_caller who = cz__api_caller(rq);
    enum cz_err rc = write_of(rq, &w, err);
    if (rc != CZ_OK)
        return rc;
    json_t *doc = cz__api_document(rq);
    const struct cz_api_import in = {.doc = doc, .keep = keep};
    rc = cz_api_import(cz_http_context(rq), &who, &w, &in, &r, cz_http_report(rs), err);
    json_decref(doc);
    if (rc == CZ_OK)
        cz__api_written(rq, rs, &w, &r);
    return rc;
}

HANDLER(cz__rest_seed_put_state)
{
    return put_state(rq, rs, false, err);
}

HANDLER(cz__rest_seed_post_state)
{
    return put_state(rq, rs, true, err);
}

static enum cz_err put_templates(const struct cz_http_request *rq,
                                 struct cz_http_response *rs,
                                 bool keep,
                                 struct cz_error *err)
{
    static const char *const known[] = {"templates", NULL};
    struct cz_api *a = cz_http_context(rq);
    struct cz_write w;
    struct cz_write_result r = {0};
    struct cz_caller who = cz__api_caller(rq);
    enum cz_err rc = write_of(rq, &w, err);
    if (rc != CZ_OK)
        return rc;
    struct cz__seed_set s;
    json_t *doc = cz__api_document(rq);
    cz__api_known(doc, known, cz_http_report(rs));
    cz__seed_set_init(&s, a->source_group, NULL);
    cz__seed_set_add_templates(&s, json_object_get(doc, "templates"), "/templates",
                               cz_http_report(rs));
    s.set.prune = keep ? 0 : 1U << CZ_KIND_TEMPLATE;
    rc = store(a, &who, w, &s, &r, cz_http_report(rs), err);
    cz__seed_set_done(&s);
    json_decref(doc);
    if (rc == CZ_OK)
        cz__api_written(rq, rs, &w, &r);
    return rc;
}

HANDLER(cz__rest_seed_put_templates)
{
    return put_templates(rq, rs, false, err);
}

HANDLER(cz__rest_seed_post_templates)
{
    return put_templates(rq, rs, true, err);
}
