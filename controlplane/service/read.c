/* SPDX-License-Identifier: Apache-2.0 */
/** Reading objects: the envelope and the lists. */
#include <string.h>

#include "access_priv.h"

void cz__set_time(json_t *obj, const char *key, int64_t wall_ms)
{
    char text[CZ_RFC3339_SIZE];
    (void)json_object_set_new(
        obj, key, wall_ms > 0 ? json_string(cz_rfc3339(wall_ms, text)) : json_null());
}

json_t *cz__envelope(struct cz_service *s, const struct cz_resource *r, bool with_status)
{
    static const char *const members[] = {"group", "labels", "description"};
    json_t *e = json_object();
    cz_json_set_str(e, "kind", cz_kind_name(r->kind));
    cz_json_set_str(e, "name", r->name);
    cz_json_set_str(e, "team", r->team);
    cz_json_set_str(e, "uid", r->uid);
    for (size_t i = 0; i < 3; i++) {
        json_t *v = json_object_get(r->doc, members[i]);
        if (v)
            (void)json_object_set(e, members[i], v);
    }
    cz_json_set_i64(e, "generation", r->generation);
    cz_json_set_i64(e, "version", r->version);
    cz_json_set_str_or_null(e, "managed_by", r->managed_by);
    (void)json_object_set_new(e, "override", cz__override_json(r->override));
    json_t *spec = json_object_get(r->doc, "spec");
    (void)json_object_set_new(e, "spec", spec ? json_incref(spec) : json_object());
    cz__set_time(e, "created", r->created_ms);
    cz__set_time(e, "updated", r->updated_ms);
    if (with_status && r->kind == CZ_KIND_MAPPING)
        (void)json_object_set_new(e, "status", cz__short_status(s, r));
    return e;
}

enum cz_err cz_service_get(struct cz_service *s,
                           const char *team,
                           enum cz_kind kind,
                           const char *name,
                           json_t **ret,
                           int64_t *ret_version,
                           struct cz_error *err)
{
    struct cz_resource r = {0};
    enum cz_err code = cz__name_possible(team, kind, name, err);
    if (code == CZ_OK)
        code = cz_store_get(s->store, team, kind, name, &r, err);
    if (code)
        return code;
    if (kind == CZ_KIND_MAPPING)
        cz__rules_refresh(s);
    *ret = cz__envelope(s, &r, true);
    if (ret_version)
        *ret_version = r.version;
    cz_resource_done(&r);
    return CZ_OK;
}

void cz_page_done(struct cz_page *p)
{
    json_decref(p->items);
    cz_free(p->next_team);
    cz_free(p->next_name);
    *p = (struct cz_page){0};
}

static void set_next(struct cz_page *p, const struct cz_resource *last)
{
    cz_free(p->next_team);
    cz_free(p->next_name);
    p->next_team = cz_strdup(last->team);
    p->next_name = cz_strdup(last->name);
}

/** One read of the store into the page. *ret_more: the store has more behind it. */
static enum cz_err list_some(struct cz_service *s,
                             const struct cz_list_filter *f,
                             const char *state,
                             size_t limit,
                             struct cz_page *p,
                             bool *ret_more,
                             struct cz_error *err)
{
    struct cz_resource_list l = {0};
    enum cz_err code = cz_store_list(s->store, f, &l, &p->seq, err);
    if (code)
        return code;
    size_t asked = (size_t)f->limit - 1, i = 0;
    for (; i < l.len && i < asked && json_array_size(p->items) < limit; i++) {
        json_t *e = cz__envelope(s, &l.items[i], true);
        const char *is = cz_json_str(json_object_get(e, "status"), "state", NULL);
        if (!state || cz_streq(state, is))
            (void)json_array_append(p->items, e);
        json_decref(e);
        set_next(p, &l.items[i]);
    }
    *ret_more = i < l.len;
    cz_resource_list_done(&l);
    return CZ_OK;
}

enum cz_err cz_service_list(struct cz_service *s,
                            const struct cz_list_filter *f,
                            const char *state,
                            struct cz_page *ret,
                            struct cz_error *err)
{
    struct cz_list_filter mine = *f;
    int limit = f->limit == 0 ? CZ_DEFAULT_PAGE : f->limit;
    struct cz_page p = {.items = json_array()};
    bool more = true;
    enum cz_err code = CZ_OK;
    if (limit < 0 || limit > CZ_MAX_PAGE)
        code = cz_fail(err, CZ_E_INVALID, "limit must be 1 to %d", CZ_MAX_PAGE);
    if (code == CZ_OK && f->team)
        code = cz__team_known(s, f->team, err);
    if (f->kind == CZ_KIND_MAPPING)
        cz__rules_refresh(s);
    /* A state is not in the store: read on until the page is full. */
    mine.limit = state ? CZ_MAX_PAGE + 1 : limit + 1;
    while (code == CZ_OK && more && json_array_size(p.items) < (size_t)limit) {
        code = list_some(s, &mine, state, (size_t)limit, &p, &more, err);
        mine.after_team = p.next_team ? p.next_team : mine.after_team;
        mine.after_name = p.next_name ? p.next_name : mine.after_name;
    }
    if (code) {
        cz_page_done(&p);
        return code;
    }
    if (!more) {
        cz_freep(&p.next_team);
        cz_freep(&p.next_name);
    }
    *ret = p;
    return CZ_OK;
}
