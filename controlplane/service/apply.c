/* SPDX-License-Identifier: Apache-2.0 */
/** One object and what follows from it, inside a transaction: the checks of its kind, the put,
 *  what the workers must learn, and what depends on it. */
#include <string.h>

#include "access_priv.h"

#define MAX_NAMED_USERS 5

bool cz__noted(struct cz__attempt *a, const struct cz_resource *r, enum cz_op op)
{
    if (r->version != cz_tx_seq(a->tx))
        return false; /* nothing differed */
    cz__note_change(a, cz_op_name(op), r->kind, r->name);
    return true;
}

/* ---- clusters ------------------------------------------------------------------------------
 */

static enum cz_err
publish_cluster(struct cz__attempt *a, const struct cz_resource *r, struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *key = cz_channel_make_key(CZ_CH_CLUSTER, r->team, r->name);
    json_t *value = json_pack("{s:s,s:s,s:O}", "team", r->team, "name", r->name, "spec",
                              json_object_get(r->doc, "spec"));
    enum cz_err code = cz_tx_publish(a->tx, key, value, err);
    json_decref(value);
    return code;
}

/** An unreachable cluster is worth a word, but no reason to refuse: it may come up later. */
static void check_reachable(struct cz__attempt *a, struct cz_cluster *c)
{
    struct cz__fact f;
    if (!cz__fact(a->s, c, "", a->since, &f))
        cz__want(&a->wants, c, "");
    else if (f.state == CZ__FACT_UNREACHABLE)
        cz__warn(a, "/spec/bootstrap_servers", "cluster-unreachable",
                 "the cluster cannot be reached now: %s", f.text);
}

static enum cz_err put_plain(struct cz__attempt *a,
                             const struct cz__put *p,
                             struct cz_resource *r,
                             struct cz_error *err)
{
    enum cz_err code = cz_tx_put(a->tx, p->team, p->kind, p->name, p->doc, p->override,
                                 p->managed_by, p->op, r, err);
    return code;
}

static enum cz_err apply_cluster(struct cz__attempt *a,
                                 const struct cz__put *p,
                                 struct cz_resource *r,
                                 bool *ret_put,
                                 struct cz_error *err)
{
    struct cz_report rep = CZ_REPORT_INIT;
    struct cz_cluster *c = NULL;
    enum cz_err code = CZ_OK;
    if (cz_cluster_parse(json_object_get(p->doc, "spec"), "/spec", &c, &rep) == CZ_OK) {
        check_reachable(a, c);
        code = put_plain(a, p, r, err);
        *ret_put = code == CZ_OK;
        if (*ret_put && cz__noted(a, r, p->op))
            code = publish_cluster(a, r, err);
    }
    cz_cluster_unref(c);
    cz__move_problems(a, &p->origin, &rep);
    return code;
}

/* ---- value maps ----------------------------------------------------------------------------
 */

/** The mappings that name the map hold its content on the config topic: publish them again. */
static enum cz_err
republish_users(struct cz__attempt *a, const struct cz__put *p, struct cz_error *err)
{
    struct cz_list_filter f = {.team = p->team, .kind = CZ_KIND_MAPPING};
    struct cz_resource_list l = {0};
    enum cz_err code = cz_tx_list(a->tx, &f, &l, err);
    for (size_t i = 0; code == CZ_OK && i < l.len; i++) {
        if (!cz__uses_value_map(json_object_get(l.items[i].doc, "spec"), p->name))
            continue;
        CZ_CLEANUP(cz_freep) char *what = cz_strf("mapping \"%s\"", l.items[i].name);
        CZ_CLEANUP(cz_freep)
        char *at =
            p->origin.fixed ? cz_strdup(p->origin.fixed) : cz_strf("%s/spec", p->origin.base);
        struct cz__origin o = {.base = "", .fixed = at, .what = what};
        code = cz__republish_mapping(a, &l.items[i], &o, true, err);
    }
    cz_resource_list_done(&l);
    return code;
}

/* An object that others are made of: its own check, the put, and when that changed something, what
 * follows for those others. */
static enum cz_err apply_base(struct cz__attempt *a,
                              const struct cz__put *p,
                              struct cz_resource *r,
                              void (*check)(const json_t *, const char *, struct cz_report *),
                              enum cz_err (*follow)(struct cz__attempt *,
                                                    const struct cz__put *,
                                                    struct cz_error *),
                              bool *ret_put,
                              struct cz_error *err)
{
    struct cz_report rep = CZ_REPORT_INIT;
    check(json_object_get(p->doc, "spec"), "/spec", &rep);
    bool ok = cz_report_ok(&rep);
    cz__move_problems(a, &p->origin, &rep);
    if (!ok)
        return CZ_OK;
    enum cz_err code = put_plain(a, p, r, err);
    *ret_put = code == CZ_OK;
    if (*ret_put && cz__noted(a, r, p->op) && !p->alone)
        code = follow(a, p, err);
    return code;
}

/* ---- who may do what ------------------------------------------------------------------------
 */

static enum cz_err nothing_follows(struct cz__attempt *a, const struct cz__put *p, struct cz_error *err)
{
    (void)a, (void)p, (void)err;
    return CZ_OK;
}

struct rule_put {
    const struct cz__put *p;
    struct cz_resource *r;
    bool *put;
};

static enum cz_err put_rule(struct cz__attempt *a, void *arg, struct cz_error *err)
{
    const struct rule_put *x = arg;
    return apply_base(a, x->p, x->r, x->p->kind == CZ_KIND_TEAM ? cz_check_team : cz_check_grant,
                      nothing_follows, x->put, err);
}

static enum cz_err remove_rule(struct cz__attempt *a, void *arg, struct cz_error *err)
{
    const struct cz_resource *cur = arg;
    return cz_tx_delete(a->tx, cur->team, cur->kind, cur->name, err);
}

enum cz_err cz__apply(struct cz__attempt *a,
                      const struct cz__put *p,
                      struct cz_resource *ret,
                      bool *ret_put,
                      struct cz_error *err)
{
    struct cz_resource r = {0};
    bool put = false;
    struct rule_put rule = {.p = p, .r = &r, .put = &put};
    bool copies = cz__owned_by_mapping(p->managed_by); /* what an operator has a mapping copy once more */
    enum cz_err code = cz__may_write(a, p->team, p->kind, copies, err);
    if (code)
        return code;
    switch (p->kind) {
    case CZ_KIND_CLUSTER:
        code = apply_cluster(a, p, &r, &put, err);
        break;
    case CZ_KIND_MAPPING:
        code = cz__apply_mapping(a, p, &r, &put, err);
        break;
    case CZ_KIND_TEMPLATE:
        code = apply_base(a, p, &r, cz__check_template, cz__rerender_instances, &put, err);
        break;
    case CZ_KIND_INSTANCE:
        code = cz__apply_instance(a, p, &r, &put, err);
        break;
    case CZ_KIND_VALUE_MAP:
        code = apply_base(a, p, &r, cz_value_map_check, republish_users, &put, err);
        break;
    case CZ_KIND_BINDING:
        code = apply_base(a, p, &r, cz_check_binding, nothing_follows, &put, err);
        break;
    case CZ_KIND_TEAM:
    case CZ_KIND_GRANT:
        code = cz__change_rules(a, p->team, put_rule, &rule, err);
        break;
    case CZ_KIND_COUNT_:
        code = CZ_E_INTERNAL;
        break;
    }
    if (ret_put)
        *ret_put = put;
    if (ret && put)
        *ret = r;
    else
        cz_resource_done(&r);
    return code;
}

/* ---- deleting ------------------------------------------------------------------------------
 */

static bool refers(const struct cz_resource *r, enum cz_kind kind, const char *name)
{
    const json_t *spec = json_object_get(r->doc, "spec");
    if (kind == CZ_KIND_TEMPLATE)
        return cz_streq(cz_json_str(spec, "template", NULL), name);
    if (kind == CZ_KIND_VALUE_MAP)
        return cz_streq(cz_json_str(spec, "value_map", NULL), name);
    return cz_streq(cz_json_str(json_object_get(spec, "source"), "cluster", NULL), name) ||
           cz_streq(cz_json_str(json_object_get(spec, "target"), "cluster", NULL), name);
}

enum cz_err cz__users(struct cz__attempt *a,
                      const char *team,
                      enum cz_kind kind,
                      const char *name,
                      char **ret,
                      struct cz_error *err)
{
    bool by_instance = kind == CZ_KIND_TEMPLATE;
    struct cz_list_filter f = {.team = team,
                               .kind = by_instance ? CZ_KIND_INSTANCE : CZ_KIND_MAPPING};
    struct cz_resource_list l = {0};
    struct cz_buf b = CZ_BUF_INIT(MAX_NAMED_USERS * (CZ_MAX_NAME + 32));
    size_t users = 0;
    enum cz_err code = cz_tx_list(a->tx, &f, &l, err);
    for (size_t i = 0; code == CZ_OK && i < l.len; i++) {
        if (!refers(&l.items[i], kind, name))
            continue;
        if (users++ < MAX_NAMED_USERS)
            cz_buf_addf(&b, "%s%s \"%s\"", users > 1 ? ", " : "", cz_kind_name(l.items[i].kind),
                        l.items[i].name);
    }
    if (users > MAX_NAMED_USERS)
        cz_buf_addf(&b, " and %zu more", users - MAX_NAMED_USERS);
    cz_resource_list_done(&l);
    char *text = cz_buf_steal(&b);
    if (code)
        cz_free(text);
    else
        *ret = text;
    return code;
}

static enum cz_err
remove_rendered(struct cz__attempt *a, const struct cz_resource *cur, struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *manager = cz__manager(cur->name);
    struct cz_list_filter f = {
        .team = cur->team, .kind = CZ_KIND_MAPPING, .managed_by = manager};
    struct cz_resource_list l = {0};
    enum cz_err code = cz_tx_list(a->tx, &f, &l, err);
    for (size_t i = 0; code == CZ_OK && i < l.len; i++)
        code = cz__remove(a, &l.items[i], err);
    cz_resource_list_done(&l);
    return code;
}

static enum cz_err
unpublish(struct cz__attempt *a, const struct cz_resource *cur, struct cz_error *err)
{
    if (cur->kind == CZ_KIND_MAPPING)
        return cz__publish_tombstone(a, cur->uid, err);
    if (cur->kind != CZ_KIND_CLUSTER)
        return CZ_OK;
    CZ_CLEANUP(cz_freep) char *key = cz_channel_make_key(CZ_CH_CLUSTER, cur->team, cur->name);
    return cz_tx_publish(a->tx, key, NULL, err);
}

enum cz_err
cz__remove(struct cz__attempt *a, const struct cz_resource *cur, struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *users = NULL;
    bool rule = cur->kind == CZ_KIND_BINDING || cur->kind == CZ_KIND_GRANT;
    enum cz_err code =
        cz__may_write(a, cur->team, cur->kind, cz__owned_by_mapping(cur->managed_by), err);
    if (code)
        return code;
    if (cur->kind == CZ_KIND_TEAM) /* without them the team would be unrestricted */
        return cz_fail(err, CZ_E_CONFLICT, "the settings of team '%s' can be changed, not deleted", cur->team);
    if (cur->kind == CZ_KIND_INSTANCE)
        code = remove_rendered(a, cur, err);
    else if (cur->kind == CZ_KIND_MAPPING)
        code = cz__remove_recopies(a, cur, err);
    else if (!rule)
        code = cz__users(a, cur->team, cur->kind, cur->name, &users, err);
    if (code)
        return code;
    if (users && *users)
        return cz_fail(err, CZ_E_CONFLICT, "%s '%s' is in use by %.400s",
                       cz_kind_name(cur->kind), cur->name, users);
    if (cur->kind == CZ_KIND_GRANT)
        code = cz__change_rules(a, cur->team, remove_rule, (void *)(uintptr_t)cur, err);
    else
        code = cz_tx_delete(a->tx, cur->team, cur->kind, cur->name, err);
    if (code == CZ_OK)
        code = unpublish(a, cur, err);
    const struct cz__put gone = {
        .team = cur->team, .name = cur->name, .kind = cur->kind, .origin = {.base = ""}};
    if (code == CZ_OK && cur->kind == CZ_KIND_VALUE_MAP) /* of those that do without one */
        code = republish_users(a, &gone, err);
    if (code == CZ_OK)
        cz__note_change(a, cz_op_name(CZ_OP_DELETE), cur->kind, cur->name);
    return code;
}

/* ---- overrides -----------------------------------------------------------------------------
 */

enum cz_err cz__apply_override(struct cz__attempt *a,
                               const struct cz_resource *cur,
                               json_t *override,
                               struct cz_resource *ret,
                               struct cz_error *err)
{
    struct cz_resource r = {0};
    enum cz_err code = cz__may_write(a, cur->team, cur->kind, true, err);
    if (code == CZ_OK)
        code = cz_tx_put(a->tx, cur->team, cur->kind, cur->name, cur->doc, override,
                         cur->managed_by, CZ_OP_OVERRIDE, &r, err);
    if (code)
        return code;
    if (cz__noted(a, &r, CZ_OP_OVERRIDE) && r.kind == CZ_KIND_MAPPING) {
        struct cz__origin o = {.base = ""};
        code = cz__republish_mapping(a, &r, &o, false, err);
    }
    if (code == CZ_OK)
        *ret = r;
    else
        cz_resource_done(&r);
    return code;
}
