/* SPDX-License-Identifier: Apache-2.0 */
/** Rules within a write: the caller's verb for each object that the write touches (a rollback or a set
 *  may touch kinds that its route says nothing about), and the team's grants as the write itself
 *  leaves them.  A grant that goes stops the mappings that need it in the same transaction, so there
 *  is no moment at which it is gone and they still run on its strength. */
#include <string.h>

#include "access_priv.h"

static enum cz_verb verb_of(enum cz_kind kind, bool operate)
{
    switch (kind) {
    case CZ_KIND_CLUSTER:
        return CZ_VERB_CLUSTER_WRITE;
    case CZ_KIND_MAPPING:
        return operate ? CZ_VERB_MAPPING_OPERATE : CZ_VERB_MAPPING_WRITE;
    case CZ_KIND_TEMPLATE:
        return CZ_VERB_TEMPLATE_WRITE;
    case CZ_KIND_INSTANCE:
        return CZ_VERB_INSTANCE_WRITE;
    case CZ_KIND_VALUE_MAP:
        return CZ_VERB_VALUE_MAP_WRITE;
    case CZ_KIND_BINDING:
        return CZ_VERB_BINDING_WRITE;
    case CZ_KIND_GRANT:
        return CZ_VERB_GRANT_WRITE;
    case CZ_KIND_TEAM:
    case CZ_KIND_COUNT_:
        break;
    }
    return CZ_VERB_TEAM_WRITE;
}

enum cz_err cz__need_verb(struct cz__attempt *a, const char *team, enum cz_verb verb, struct cz_error *err)
{
    const struct cz_access *x = a->who ? a->who->access : NULL;
    struct cz_access_answer answer;
    const struct cz_team_rules none = {.team = (char *)(uintptr_t)team};
    if (!x) /* our own work */
        return CZ_OK;
    const struct cz_team_rules *t = cz_access_team(x->rules, team);
    cz_access_decide(x->who, verb, t ? t : &none, NULL, &answer);
    if (answer.allowed)
        return CZ_OK;
    if (!answer.visible)
        return cz_fail(err, CZ_E_NOT_FOUND, "there is no team '%s'", team);
    return cz_fail(err, CZ_E_FORBIDDEN, "missing %s", answer.missing);
}

enum cz_err cz__may_write(struct cz__attempt *a, const char *team, enum cz_kind kind, bool operate, struct cz_error *err)
{
    return cz__need_verb(a, team, verb_of(kind, operate), err);
}

/* ---- the team's rules ------------------------------------------------------------------------- */

static void free_rules(void *p)
{
    cz_team_rules_done(p);
    cz_free(p);
}

void cz__rules_forget(struct cz__attempt *a)
{
    cz_map_done(&a->rules);
    cz_map_init(&a->rules, free_rules);
}

static enum cz_err load(struct cz__attempt *a, const char *team, struct cz_team_rules *t, struct cz_error *err)
{
    struct cz_resource settings = {0};
    struct cz_list_filter f = {.team = team, .kind = CZ_KIND_GRANT};
    struct cz_resource_list l = {0};
    bool found = false;
    t->team = cz_strdup(team);
    enum cz_err code = cz__tx_find(a, team, CZ_KIND_TEAM, team, &settings, &found, err);
    if (found)
        cz_team_rules_settings(t, json_object_get(settings.doc, "spec"));
    cz_resource_done(&settings);
    if (code == CZ_OK && t->restricted)
        code = cz_tx_list(a->tx, &f, &l, err);
    for (size_t i = 0; code == CZ_OK && i < l.len; i++)
        (void)cz_team_rules_grant(t, l.items[i].name, json_object_get(l.items[i].doc, "spec"));
    cz_resource_list_done(&l);
    return code;
}

enum cz_err cz__tx_rules(struct cz__attempt *a, const char *team, const struct cz_team_rules **ret, struct cz_error *err)
{
    struct cz_team_rules *t = cz_map_get(&a->rules, team);
    if (!t) {
        t = cz_alloc(sizeof *t);
        enum cz_err code = load(a, team, t, err);
        if (code) {
            free_rules(t);
            return code;
        }
        cz_map_put(&a->rules, team, t);
    }
    *ret = t;
    return CZ_OK;
}

/* ---- what a change of them does to the mappings -------------------------------------------------- */

static enum cz_err tell(struct cz__attempt *a, const struct cz_resource *m, const char *missing, struct cz_error *err)
{
    const char *action = *missing ? "mapping.unauthorized" : "mapping.authorized";
    const struct cz_change_meta meta = cz__meta(a->who, m->team, action, NULL);
    json_t *detail = json_pack("{s:s,s:s}", "mapping", m->name, "uid", m->uid);
    if (*missing) {
        cz_json_set_str(detail, "missing", missing);
        cz__warn(a, "", "mapping-stopped", "mapping \"%s\" stops: %s", m->name, missing);
    }
    enum cz_err code = cz_tx_audit(a->tx, &meta, "ok", detail, err);
    json_decref(detail);
    return code;
}

static enum cz_err authorize_again(struct cz__attempt *a,
                                   const struct cz_resource *m,
                                   const struct cz_team_rules *was,
                                   const struct cz_team_rules *is,
                                   struct cz_error *err)
{
    char before[400], now[400];
    const json_t *spec = json_object_get(m->doc, "spec");
    bool denied_before = cz__spec_denied(was, spec, before, sizeof before);
    bool denied = cz__spec_denied(is, spec, now, sizeof now);
    if (denied == denied_before)
        return CZ_OK;
    CZ_CLEANUP(cz_freep) char *what = cz_strf("mapping \"%s\"", m->name);
    const struct cz__origin o = {.base = "", .fixed = "", .what = what};
    enum cz_err code = tell(a, m, now, err);
    return code == CZ_OK ? cz__republish_mapping(a, m, &o, false, err) : code;
}

enum cz_err cz__change_rules(struct cz__attempt *a,
                             const char *team,
                             cz__rules_change run,
                             void *arg,
                             struct cz_error *err)
{
    struct cz_team_rules was = {0};
    struct cz_list_filter f = {.team = team, .kind = CZ_KIND_MAPPING};
    struct cz_resource_list l = {0};
    const struct cz_team_rules *is = NULL;
    enum cz_err code = load(a, team, &was, err);
    if (code == CZ_OK)
        code = run(a, arg, err);
    cz__rules_forget(a);
    if (code == CZ_OK)
        code = cz__tx_rules(a, team, &is, err);
    if (code == CZ_OK && (was.restricted || is->restricted))
        code = cz_tx_list(a->tx, &f, &l, err);
    for (size_t i = 0; code == CZ_OK && i < l.len; i++)
        code = authorize_again(a, &l.items[i], &was, is, err);
    cz_resource_list_done(&l);
    cz_team_rules_done(&was);
    return code;
}
