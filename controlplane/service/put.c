/* SPDX-License-Identifier: Apache-2.0 */
/** Put, patch, delete and restore of one object. */
#include <string.h>

#include "access_priv.h"

struct target {
    const char *team, *name;
    enum cz_kind kind;
    const json_t *body; /* put: the document, patch: the patch */
    int64_t generation; /* restore */
};

enum cz_err cz__refuse_managed(struct cz__attempt *a,
                               const struct cz_resource *cur,
                               struct cz_error *err)
{
    if (!cur || !cur->managed_by)
        return CZ_OK;
    if (!cz__owned_by_set(cur->managed_by))
        return cz_fail(err, CZ_E_CONFLICT, "mapping '%s' is managed by %s: change that instead",
                       cur->name, cur->managed_by);
    if (!a->w->break_glass)
        return cz_fail(err, CZ_E_OWNED,
                       "%s '%s' belongs to the %s: change it there, or break the glass with a reason",
                       cz_kind_name(cur->kind), cur->name, cur->managed_by);
    enum cz_err code = cz__need_verb(a, cur->team, CZ_VERB_SET_WRITE, err);
    if (code)
        return code;
    a->meta->action = "set.break_glass";
    a->meta->comment = a->w->comment ? a->w->comment : a->w->break_glass;
    return CZ_OK;
}

enum cz_err cz__put_document(struct cz__attempt *a,
                             const struct cz__put *p,
                             const json_t *body,
                             const struct cz_resource *cur,
                             struct cz_resource *ret,
                             bool *ret_put,
                             struct cz_error *err)
{
    struct cz_report rep = CZ_REPORT_INIT;
    json_t *doc = cz__document(body, p->team, p->kind, p->name, cur, &rep);
    cz__move_problems(a, &p->origin, &rep);
    struct cz__put put = *p;
    put.doc = doc;
    put.override = cur ? cur->override : NULL;
    enum cz_err code = cz__apply(a, &put, ret, ret_put, err);
    json_decref(doc);
    return code;
}

static enum cz_err put_document(struct cz__attempt *a,
                                const struct target *t,
                                const json_t *body,
                                const struct cz_resource *cur,
                                enum cz_op op,
                                struct cz_error *err)
{
    struct cz__put p = {
        .team = t->team, .name = t->name, .kind = t->kind, .op = op, .origin = {.base = ""}};
    p.managed_by = cur ? cur->managed_by : NULL;
    enum cz_err code = cz__put_document(a, &p, body, cur, &a->result, &a->have_result, err);
    a->created = code == CZ_OK && !cur;
    return code;
}

static enum cz_err put_body(struct cz__attempt *a, void *arg, struct cz_error *err)
{
    const struct target *t = arg;
    struct cz_resource cur = {0};
    bool found;
    enum cz_err code = cz__tx_find(a, t->team, t->kind, t->name, &cur, &found, err);
    if (code)
        return code;
    const struct cz_resource *old = found ? &cur : NULL;
    code = cz__precondition(a, old, err);
    if (code == CZ_OK)
        code = cz__refuse_managed(a, old, err);
    if (code == CZ_OK)
        code = put_document(a, t, t->body, old, found ? CZ_OP_UPDATE : CZ_OP_CREATE, err);
    cz_resource_done(&cur);
    return code;
}

static enum cz_err patch_body(struct cz__attempt *a, void *arg, struct cz_error *err)
{
    const struct target *t = arg;
    struct cz_resource cur = {0};
    enum cz_err code = cz_tx_get(a->tx, t->team, t->kind, t->name, &cur, err);
    if (code)
        return code;
    code = cz__precondition(a, &cur, err);
    if (code == CZ_OK)
        code = cz__refuse_managed(a, &cur, err);
    if (code == CZ_OK && !json_is_object(t->body)) {
        (void)cz_report_add(&a->rep, "", "type", "a merge patch must be an object");
    } else if (code == CZ_OK) {
        json_t *body = cz_json_merge_patch(cur.doc, t->body);
        code = put_document(a, t, body, &cur, CZ_OP_UPDATE, err);
        json_decref(body);
    }
    cz_resource_done(&cur);
    return code;
}

static enum cz_err delete_body(struct cz__attempt *a, void *arg, struct cz_error *err)
{
    const struct target *t = arg;
    struct cz_resource cur = {0};
    enum cz_err code = cz_tx_get(a->tx, t->team, t->kind, t->name, &cur, err);
    if (code)
        return code;
    code = cz__precondition(a, &cur, err);
    if (code == CZ_OK)
        code = cz__owned_by_mapping(cur.managed_by) ? CZ_OK : cz__refuse_managed(a, &cur, err);
    if (code == CZ_OK)
        code = cz__remove(a, &cur, err);
    cz_resource_done(&cur);
    return code;
}

static enum cz_err restore_body(struct cz__attempt *a, void *arg, struct cz_error *err)
{
    const struct target *t = arg;
    struct cz_resource cur = {0};
    struct cz_revision rev = {0};
    bool found;
    enum cz_err code = cz__tx_find(a, t->team, t->kind, t->name, &cur, &found, err);
    if (code)
        return code;
    code = found ? cz__precondition(a, &cur, err) : CZ_OK;
    if (code == CZ_OK)
        code = cz__refuse_managed(a, found ? &cur : NULL, err);
    if (code == CZ_OK)
        code = cz_tx_revision(a->tx, t->team, t->kind, t->name, t->generation, &rev, err);
    if (code == CZ_OK)
        code = put_document(a, t, rev.doc, found ? &cur : NULL, CZ_OP_RESTORE, err);
    cz_revision_done(&rev);
    cz_resource_done(&cur);
    return code;
}

static enum cz_err run(struct cz_service *s,
                       const struct cz_caller *who,
                       const struct cz_write *w,
                       const char *verb,
                       struct target *t,
                       cz__body body,
                       struct cz_write_result *ret,
                       struct cz_report *rep,
                       struct cz_error *err)
{
    enum cz_err code = cz__name_possible(t->team, t->kind, t->name, err);
    if (code)
        return code;
    CZ_CLEANUP(cz_freep) char *action = cz_strf("%s.%s", cz_kind_name(t->kind), verb);
    struct cz__job j = {
        .s = s, .who = who, .w = w, .team = t->team, .action = action, .body = body, .arg = t};
    return cz__run(&j, ret, rep, err);
}

enum cz_err cz_service_put(struct cz_service *s,
                           const struct cz_caller *who,
                           const struct cz_write *w,
                           const char *team,
                           enum cz_kind kind,
                           const char *name,
                           const json_t *doc,
                           struct cz_write_result *ret,
                           struct cz_report *rep,
                           struct cz_error *err)
{
    struct cz_error why = CZ_ERROR_INIT;
    if (cz_name_check(name, &why) != CZ_OK) {
        if (rep)
            (void)cz_report_add(rep, "/name", "name", "%s", why.text);
        return cz_fail(err, CZ_E_INVALID, "/name: %s", why.text);
    }
    struct target t = {.team = team, .name = name, .kind = kind, .body = doc};
    return run(s, who, w, "put", &t, put_body, ret, rep, err);
}

enum cz_err cz_service_patch(struct cz_service *s,
                             const struct cz_caller *who,
                             const struct cz_write *w,
                             const char *team,
                             enum cz_kind kind,
                             const char *name,
                             const json_t *patch,
                             struct cz_write_result *ret,
                             struct cz_report *rep,
                             struct cz_error *err)
{
    struct target t = {.team = team, .name = name, .kind = kind, .body = patch};
    return run(s, who, w, "patch", &t, patch_body, ret, rep, err);
}

enum cz_err cz_service_delete(struct cz_service *s,
                              const struct cz_caller *who,
                              const struct cz_write *w,
                              const char *team,
                              enum cz_kind kind,
                              const char *name,
                              struct cz_write_result *ret,
                              struct cz_error *err)
{
    struct target t = {.team = team, .name = name, .kind = kind};
    return run(s, who, w, "delete", &t, delete_body, ret, NULL, err);
}

enum cz_err cz_service_restore(struct cz_service *s,
                               const struct cz_caller *who,
                               const struct cz_write *w,
                               const char *team,
                               enum cz_kind kind,
                               const char *name,
                               int64_t generation,
                               struct cz_write_result *ret,
                               struct cz_report *rep,
                               struct cz_error *err)
{
    struct target t = {.team = team, .name = name, .kind = kind, .generation = generation};
    return run(s, who, w, "restore", &t, restore_body, ret, rep, err);
}
