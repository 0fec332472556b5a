/* SPDX-License-Identifier: Apache-2.0 */
/** Reading history: changes, revisions, differences between generations. */
#include <string.h>

#include "service_priv.h"

static json_t *change_json(const struct cz_change *c)
{
    json_t *o = json_object();
    cz_json_set_i64(o, "seq", c->seq);
    cz__set_time(o, "at", c->at_ms);
    cz_json_set_str_or_null(o, "team", c->team);
    cz_json_set_str_or_null(o, "actor", c->actor);
    cz_json_set_str_or_null(o, "via", c->via);
    cz_json_set_str_or_null(o, "comment", c->comment);
    cz_json_set_str_or_null(o, "request_id", c->request_id);
    cz_json_set_str_or_null(o, "actor_id", c->actor_id);
    cz_json_set_str_or_null(o, "token_id", c->token_id);
    cz_json_set_str_or_null(o, "trace_id", c->trace_id);
    cz_json_set_str_or_null(o, "ip", c->ip);
    (void)json_object_set_new(o, "reverts", c->reverts ? cz_json_i64(c->reverts) : json_null());
    cz_json_set_str_or_null(o, "set", c->set_name);
    cz_json_set_str_or_null(o, "commit", c->git_commit);
    cz_json_set_str_or_null(o, "plan_hash", c->plan_hash);
    (void)json_object_set_new(o, "created", json_integer(c->created));
    (void)json_object_set_new(o, "updated", json_integer(c->updated));
    (void)json_object_set_new(o, "deleted", json_integer(c->deleted));
    return o;
}

static json_t *revision_json(const struct cz_revision *r)
{
    json_t *o = json_object();
    cz_json_set_i64(o, "seq", r->seq);
    cz_json_set_i64(o, "generation", r->generation);
    cz_json_set_str(o, "op", cz_op_name(r->op));
    cz_json_set_str(o, "team", r->team);
    cz_json_set_str(o, "kind", cz_kind_name(r->kind));
    cz_json_set_str(o, "name", r->name);
    cz_json_set_str(o, "uid", r->uid);
    cz__set_time(o, "at", r->at_ms);
    cz_json_set_str_or_null(o, "actor", r->actor);
    cz_json_set_str_or_null(o, "via", r->via);
    cz_json_set_str_or_null(o, "comment", r->comment);
    cz_json_set_str_or_null(o, "managed_by", r->managed_by);
    (void)json_object_set_new(o, "document", r->doc ? json_incref(r->doc) : json_null());
    (void)json_object_set_new(o, "override", cz__override_json(r->override));
    return o;
}

static bool limit_ok(int *limit, struct cz_error *err)
{
    if (*limit == 0)
        *limit = CZ_DEFAULT_PAGE;
    if (*limit > 0 && *limit <= CZ_MAX_PAGE)
        return true;
    (void)cz_fail(err, CZ_E_INVALID, "limit must be 1 to %d", CZ_MAX_PAGE);
    return false;
}

enum cz_err cz_service_changes(struct cz_service *s,
                               const struct cz_change_filter *f,
                               json_t **ret,
                               struct cz_error *err)
{
    struct cz_change_filter mine = *f;
    struct cz_change_list l = {0};
    int64_t seq = 0;
    if (!limit_ok(&mine.limit, err))
        return CZ_E_INVALID;
    size_t limit = (size_t)mine.limit++;
    enum cz_err code = f->team ? cz__team_known(s, f->team, err) : CZ_OK;
    if (code == CZ_OK)
        code = cz_store_seq(s->store, &seq, err);
    if (code == CZ_OK)
        code = cz_store_changes(s->store, &mine, &l, err);
    if (code)
        return code;
    json_t *items = json_array();
    size_t n = l.len < limit ? l.len : limit;
    for (size_t i = 0; i < n; i++)
        (void)json_array_append_new(items, change_json(&l.items[i]));
    *ret = json_pack("{s:o}", "items", items);
    (void)json_object_set_new(*ret, "next",
                              l.len > limit ? cz_json_i64(l.items[n - 1].seq) : json_null());
    cz_json_set_i64(*ret, "seq", seq);
    cz_change_list_done(&l);
    return CZ_OK;
}

enum cz_err cz_service_change_team(struct cz_service *s, int64_t seq, char **ret, struct cz_error *err)
{
    struct cz_change c = {0};
    enum cz_err code = cz_store_change(s->store, seq, &c, NULL, err);
    if (code)
        return code;
    *ret = c.team;
    c.team = NULL;
    cz_change_done(&c);
    return CZ_OK;
}

/** What the object was before the change; NULL: nothing. */
static json_t *document_before(struct cz_service *s, const struct cz_revision *r)
{
    struct cz_revision_list l = {0};
    json_t *doc = NULL;
    if (r->op == CZ_OP_DELETE)
        return json_incref(r->doc);
    if (cz_store_revisions(s->store, r->team, r->kind, r->name, r->seq, 1, &l, NULL) != CZ_OK)
        return NULL;
    if (l.len > 0 && cz_streq(l.items[0].uid, r->uid))
        doc = json_incref(l.items[0].doc);
    cz_revision_list_done(&l);
    return doc;
}

enum cz_err
cz_service_change(struct cz_service *s, int64_t seq, json_t **ret, struct cz_error *err)
{
    struct cz_change c = {0};
    struct cz_revision_list l = {0};
    enum cz_err code = cz_store_change(s->store, seq, &c, &l, err);
    if (code)
        return code;
    json_t *objects = json_array();
    for (size_t i = 0; i < l.len; i++) {
        json_t *o = revision_json(&l.items[i]), *before = document_before(s, &l.items[i]);
        (void)json_object_set(o, "before", before ? before : json_null());
        if (l.items[i].op == CZ_OP_DELETE)
            (void)json_object_set_new(o, "document", json_null());
        json_t *changes =
            cz_json_diff(before, l.items[i].op == CZ_OP_DELETE ? NULL : l.items[i].doc);
        (void)json_object_set_new(o, "changes", changes);
        json_decref(before);
        (void)json_array_append_new(objects, o);
    }
    *ret = change_json(&c);
    (void)json_object_set_new(*ret, "objects", objects);
    cz_change_done(&c);
    cz_revision_list_done(&l);
    return CZ_OK;
}

enum cz_err cz_service_revisions(struct cz_service *s,
                                 const char *team,
                                 enum cz_kind kind,
                                 const char *name,
                                 int64_t before,
                                 int limit,
                                 json_t **ret,
                                 struct cz_error *err)
{
    struct cz_revision_list l = {0};
    if (!limit_ok(&limit, err))
        return CZ_E_INVALID;
    enum cz_err code = cz__name_possible(team, kind, name, err);
    if (code == CZ_OK)
        code = cz_store_revisions(s->store, team, kind, name, before, limit + 1, &l, err);
    if (code)
        return code;
    json_t *items = json_array();
    size_t n = l.len < (size_t)limit ? l.len : (size_t)limit;
    for (size_t i = 0; i < n; i++)
        (void)json_array_append_new(items, revision_json(&l.items[i]));
    *ret = json_pack("{s:o}", "items", items);
    (void)json_object_set_new(
        *ret, "next", l.len > (size_t)limit ? cz_json_i64(l.items[n - 1].seq) : json_null());
    cz_revision_list_done(&l);
    return CZ_OK;
}

/** The newest document of a generation, out of the object's history. */
static enum cz_err document_of(struct cz_service *s,
                               const char *team,
                               enum cz_kind kind,
                               const char *name,
                               int64_t generation,
                               json_t **ret,
                               struct cz_error *err)
{
    int64_t before = 0;
    for (;;) {
        struct cz_revision_list l = {0};
        enum cz_err code =
            cz_store_revisions(s->store, team, kind, name, before, CZ_MAX_PAGE, &l, err);
        if (code)
            return code;
        size_t n = l.len;
        for (size_t i = 0; i < n && !*ret; i++) {
            if (l.items[i].generation == generation && l.items[i].op != CZ_OP_DELETE)
                *ret = json_incref(l.items[i].doc);
            before = l.items[i].seq;
        }
        cz_revision_list_done(&l);
        if (*ret)
            return CZ_OK;
        if (n < CZ_MAX_PAGE)
            return cz_fail(err, CZ_E_NOT_FOUND, "%s '%s' has no generation %lld",
                           cz_kind_name(kind), name, (long long)generation);
    }
}

enum cz_err cz_service_diff(struct cz_service *s,
                            const char *team,
                            enum cz_kind kind,
                            const char *name,
                            int64_t from,
                            int64_t to,
                            json_t **ret,
                            struct cz_error *err)
{
    json_t *a = NULL, *b = NULL;
    enum cz_err code = cz__name_possible(team, kind, name, err);
    if (code == CZ_OK)
        code = document_of(s, team, kind, name, from, &a, err);
    if (code == CZ_OK)
        code = document_of(s, team, kind, name, to, &b, err);
    if (code == CZ_OK) {
        *ret = json_pack("{s:o}", "changes", cz_json_diff(a, b));
        cz_json_set_i64(*ret, "from", from);
        cz_json_set_i64(*ret, "to", to);
    }
    json_decref(a);
    json_decref(b);
    return code;
}
