/* SPDX-License-Identifier: Apache-2.0 */
/** Teams: the list, one with its settings, making and changing one.  The settings are a resource of the
 *  team (kind team, of its name), so they have a version and a history. */
#include <string.h>

#include "access_priv.h"

static json_t *team_json(const char *team, const struct cz_team_rules *t)
{
    return json_pack("{s:s,s:b,s:b}", "name", team, "restricted", t && t->restricted, "own_clusters",
                     t && t->own_clusters);
}

enum cz_err cz_service_teams(struct cz_service *s,
                             const struct cz_access *access,
                             json_t **ret,
                             struct cz_error *err)
{
    char **names = NULL;
    size_t n = 0;
    struct cz_access_rules *rules = NULL;
    enum cz_err code = cz__team_names(s, &names, &n, err);
    if (code == CZ_OK)
        code = cz__rules_take(s, &rules, err);
    if (code == CZ_OK) {
        json_t *items = json_array();
        for (size_t i = 0; i < n; i++)
            if (cz_access_may_see(access, names[i]))
                (void)json_array_append_new(items, team_json(names[i], cz_access_team(rules, names[i])));
        *ret = json_pack("{s:o}", "items", items);
    }
    cz_access_rules_give(s, rules);
    cz__names_free(names, n);
    return code;
}

static json_t *described(const char *team, const struct cz_resource *settings)
{
    const json_t *spec = settings ? json_object_get(settings->doc, "spec") : NULL;
    struct cz_team_rules t = {0};
    cz_team_rules_settings(&t, spec);
    json_t *o = team_json(team, &t);
    (void)json_object_set_new(o, "version", settings ? cz_json_i64(settings->version) : json_null());
    return o;
}

enum cz_err cz_service_team(struct cz_service *s,
                            const char *team,
                            json_t **ret,
                            int64_t *ret_version,
                            struct cz_error *err)
{
    struct cz_resource r = {0};
    enum cz_err code = cz__name_possible(team, CZ_KIND_TEAM, team, err);
    if (code == CZ_OK)
        code = cz__team_known(s, team, err);
    if (code)
        return code;
    struct cz_error e = CZ_ERROR_INIT;
    code = cz_store_get(s->store, team, CZ_KIND_TEAM, team, &r, &e);
    if (code && code != CZ_E_NOT_FOUND)
        return cz_fail_flags(err, e.code, e.flags, 0, "%s", e.text);
    *ret = described(team, code ? NULL : &r);
    *ret_version = code ? 0 : r.version;
    if (code == CZ_OK)
        cz_resource_done(&r);
    return CZ_OK;
}

/* ---- making and changing ------------------------------------------------------------------------- */

struct team_put {
    const char *team;
    const json_t *settings; /* NULL: none given */
    bool restricted;        /* what a new team is */
    bool is_new;
};

static enum cz_err put_body(struct cz__attempt *a, void *arg, struct cz_error *err)
{
    const struct team_put *t = arg;
    struct cz_resource cur = {0};
    bool found = false;
    enum cz_err code = cz_tx_put_team(a->tx, t->team, err);
    if (code == CZ_OK)
        code = cz__tx_find(a, t->team, CZ_KIND_TEAM, t->team, &cur, &found, err);
    if (code == CZ_OK && found)
        code = cz__precondition(a, &cur, err);
    if (code == CZ_OK && !found && a->w->if_match != CZ_IF_MATCH_NONE && a->w->if_match != CZ_IF_MATCH_ANY)
        code = cz__precondition(a, NULL, err);
    if (code == CZ_OK) {
        json_t *spec = found ? json_deep_copy(json_object_get(cur.doc, "spec"))
                             : json_pack("{s:b}", "restricted", t->is_new && t->restricted);
        if (t->settings)
            (void)json_object_update(spec, (json_t *)(uintptr_t)t->settings);
        json_t *doc = json_pack("{s:o}", "spec", spec);
        const struct cz__put p = {.team = t->team,
                                  .name = t->team,
                                  .kind = CZ_KIND_TEAM,
                                  .doc = doc,
                                  .op = found ? CZ_OP_UPDATE : CZ_OP_CREATE,
                                  .origin = {.base = "", .fixed = NULL}};
        code = cz__apply(a, &p, &a->result, &a->have_result, err);
        json_decref(doc);
    }
    cz_resource_done(&cur);
    return code;
}

/** Neither settings nor a caller who would have them: the team alone, as before there were any. */
static enum cz_err put_bare(struct cz_service *s,
                            const struct cz_caller *who,
                            const struct cz_write *w,
                            const struct team_put *t,
                            json_t **ret,
                            int64_t *ret_version,
                            struct cz_error *err)
{
    const char *team = t->team;
    struct cz_change_meta meta = cz__meta(who, team, "team.create", w->comment);
    enum cz_err code = w->dry_run ? CZ_OK : cz_store_put_team(s->store, team, &meta, err);
    if (code)
        return code;
    if (!w->dry_run || !t->is_new)
        return cz_service_team(s, team, ret, ret_version, err);
    *ret = described(team, NULL);
    *ret_version = 0;
    return CZ_OK;
}

static bool is_new(struct cz_service *s, const char *team, bool *ret, struct cz_error *err)
{
    struct cz_error e = CZ_ERROR_INIT;
    enum cz_err code = cz__team_known(s, team, &e);
    *ret = code == CZ_E_NOT_FOUND;
    if (code == CZ_OK || code == CZ_E_NOT_FOUND)
        return true;
    (void)cz_fail_flags(err, e.code, e.flags, 0, "%s", e.text);
    return false;
}

static void point_at_members(struct cz_report *rep, struct cz_report *from)
{
    for (size_t i = 0; i < from->len; i++) {
        const char *p = from->items[i].pointer;
        p = strncmp(p, "/spec", 5) == 0 ? p + 5 : p; /* the body has the settings outright */
        (void)cz_report_add(rep, p, from->items[i].code, "%s", from->items[i].message);
    }
    cz_report_done(from);
}

enum cz_err cz_service_put_team(struct cz_service *s,
                                const struct cz_caller *who,
                                const struct cz_write *w,
                                const char *team,
                                const json_t *settings,
                                json_t **ret,
                                int64_t *ret_version,
                                struct cz_report *rep,
                                struct cz_error *err)
{
    bool root = !who || !who->access || who->access->who->root;
    struct team_put t = {.team = team, .settings = settings, .restricted = !root};
    struct cz_report mine = CZ_REPORT_INIT;
    struct cz_write_result r = {0};
    if (cz_name_check(team, err) != CZ_OK)
        return CZ_E_INVALID;
    if (!is_new(s, team, &t.is_new, err))
        return err ? err->code : CZ_E_UNAVAILABLE;
    if (json_object_size(settings) == 0 && (root || !t.is_new))
        return put_bare(s, who, w, &t, ret, ret_version, err);
    const struct cz__job j = {.s = s,
                              .who = who,
                              .w = w,
                              .team = team,
                              .action = "team.put",
                              .makes_team = true,
                              .body = put_body,
                              .arg = &t};
    enum cz_err code = cz__run(&j, &r, &mine, err);
    point_at_members(rep, &mine);
    if (code == CZ_OK) {
        const json_t *spec = json_object_get(r.resource, "spec");
        struct cz_team_rules now = {0};
        cz_team_rules_settings(&now, spec);
        *ret = team_json(team, &now);
        cz_json_set_i64(*ret, "version", r.version);
        (void)json_object_set(*ret, "warnings", r.warnings);
        *ret_version = r.version;
    }
    cz_write_result_done(&r);
    return code;
}
