/* SPDX-License-Identifier: Apache-2.0 */
/** The rules of all teams in memory, read again when a change has touched one: each request asks the
 *  store for one number.  And what is said about them: may somebody do something, and why. */
#include <stdlib.h>
#include <string.h>

#include "access_priv.h"

struct cz_access_rules {
    int refs; /* under the service's lock */
    int64_t version;
    struct cz_team_rules *teams; /* by name */
    size_t len, cap;
};

static int by_team(const void *a, const void *b)
{
    return strcmp(((const struct cz_team_rules *)a)->team, ((const struct cz_team_rules *)b)->team);
}

const struct cz_team_rules *cz_access_team(const struct cz_access_rules *r, const char *team)
{
    const struct cz_team_rules key = {.team = (char *)(uintptr_t)team};
    return r && r->len && team ? bsearch(&key, r->teams, r->len, sizeof *r->teams, by_team) : NULL;
}

const struct cz_team_rules *cz_access_team_at(const struct cz_access_rules *r, size_t i)
{
    return r && i < r->len ? &r->teams[i] : NULL;
}

static void rules_free(struct cz_access_rules *r)
{
    for (size_t i = 0; r && i < r->len; i++)
        cz_team_rules_done(&r->teams[i]);
    if (r)
        cz_free(r->teams);
    cz_free(r);
}

void cz__access_done(struct cz_service *s)
{
    rules_free(s->rules);
}

void cz_access_rules_give(struct cz_service *s, struct cz_access_rules *r)
{
    if (!r)
        return;
    cz_mutex_lock(&s->lock);
    bool last = --r->refs == 0;
    cz_mutex_unlock(&s->lock);
    if (last)
        rules_free(r);
}

/* ---- reading them ------------------------------------------------------------------------------- */

/* Lists are by team, so the team is the last one or a new one. */
static struct cz_team_rules *team_slot(struct cz_access_rules *r, const char *team)
{
    for (size_t i = r->len; i-- > 0;)
        if (strcmp(r->teams[i].team, team) == 0)
            return &r->teams[i];
    cz_grow(&r->teams, &r->cap, r->len, sizeof *r->teams);
    r->teams[r->len] = (struct cz_team_rules){.team = cz_strdup(team)};
    return &r->teams[r->len++];
}

static void add_rule(struct cz_access_rules *r, const struct cz_resource *one)
{
    struct cz_team_rules *t = team_slot(r, one->team);
    const json_t *spec = json_object_get(one->doc, "spec");
    if (one->kind == CZ_KIND_TEAM)
        cz_team_rules_settings(t, spec);
    else if (one->kind == CZ_KIND_BINDING)
        (void)cz_team_rules_binding(t, one->name, spec);
    else
        (void)cz_team_rules_grant(t, one->name, spec);
}

static enum cz_err read_rules(struct cz_service *s, int64_t version, struct cz_access_rules **ret, struct cz_error *err)
{
    static const enum cz_kind kinds[] = {CZ_KIND_TEAM, CZ_KIND_BINDING, CZ_KIND_GRANT};
    struct cz_access_rules *r = cz_alloc(sizeof *r);
    enum cz_err code = CZ_OK;
    r->version = version;
    for (size_t k = 0; code == CZ_OK && k < 3; k++) {
        struct cz_list_filter f = {.kind = kinds[k]};
        struct cz_resource_list l = {0};
        code = cz_store_list(s->store, &f, &l, NULL, err);
        for (size_t i = 0; code == CZ_OK && i < l.len; i++)
            add_rule(r, &l.items[i]);
        cz_resource_list_done(&l);
    }
    if (code) {
        rules_free(r);
        return code;
    }
    if (r->len)
        qsort(r->teams, r->len, sizeof *r->teams, by_team);
    *ret = r;
    return CZ_OK;
}

/** The rules that are held, when they are of @version (-1: any). */
static struct cz_access_rules *held(struct cz_service *s, int64_t version)
{
    CZ_LOCKED(&s->lock);
    if (!s->rules || (version >= 0 && s->rules->version != version))
        return NULL;
    s->rules->refs++;
    return s->rules;
}

static void hold(struct cz_service *s, struct cz_access_rules *r)
{
    cz_mutex_lock(&s->lock);
    struct cz_access_rules *old = s->rules;
    bool newer = !old || old->version <= r->version;
    bool last = newer && old && --old->refs == 0;
    r->refs = newer ? 2 : 1; /* the service's and the caller's */
    if (newer)
        s->rules = r;
    cz_mutex_unlock(&s->lock);
    if (last)
        rules_free(old);
}

/** The version is asked for first: what changes while the lists are read is read again next time. */
static enum cz_err take(struct cz_service *s, struct cz_access_rules **ret, struct cz_error *err)
{
    int64_t version = 0;
    enum cz_err code = cz_store_access_version(s->store, &version, err);
    if (code)
        return code;
    *ret = held(s, version);
    if (*ret)
        return CZ_OK;
    struct cz_access_rules *r = NULL;
    code = read_rules(s, version, &r, err);
    if (code)
        return code;
    hold(s, r);
    *ret = r;
    return CZ_OK;
}

struct cz_access_rules *cz__rules_held(struct cz_service *s)
{
    return held(s, -1);
}

enum cz_err cz__rules_take(struct cz_service *s, struct cz_access_rules **ret, struct cz_error *err)
{
    cz_store_scope_suspend(); /* they are everybody's */
    enum cz_err code = take(s, ret, err);
    cz_store_scope_resume();
    return code;
}

void cz__rules_refresh(struct cz_service *s)
{
    struct cz_access_rules *r = NULL;
    if (cz__rules_take(s, &r, NULL) == CZ_OK)
        cz_access_rules_give(s, r);
}

enum cz_err cz_service_rules(struct cz_service *s, struct cz_access_rules **ret, struct cz_error *err)
{
    return cz__rules_take(s, ret, err);
}

/* ---- asking ------------------------------------------------------------------------------------- */

enum cz_err cz__may_use(struct cz_service *s, const char *team, const struct cz_access_use *use, struct cz_error *err)
{
    struct cz_access_rules *r = NULL;
    bool needed = false;
    enum cz_err code = cz__rules_take(s, &r, err);
    if (code)
        return code;
    const struct cz_team_rules *t = cz_access_team(r, team);
    if (t && !cz_access_grant(t, use, &needed) && needed) {
        char text[400];
        cz__missing_text(t, use, text, sizeof text);
        code = cz_fail(err, CZ_E_FORBIDDEN, "%s", text);
    }
    cz_access_rules_give(s, r);
    return code;
}

enum cz_err cz__may_run(struct cz_service *s, const struct cz_resource *mapping, struct cz_error *err)
{
    struct cz_access_rules *r = NULL;
    char text[400];
    enum cz_err code = cz__rules_take(s, &r, err);
    if (code)
        return code;
    if (cz__spec_denied(cz_access_team(r, mapping->team), json_object_get(mapping->doc, "spec"), text, sizeof text))
        code = cz_fail(err, CZ_E_FORBIDDEN, "%s", text);
    cz_access_rules_give(s, r);
    return code;
}

bool cz_access_may_see(const struct cz_access *a, const char *team)
{
    if (!a)
        return true;
    const struct cz_team_rules *t = cz_access_team(a->rules, team);
    const struct cz_team_rules none = {.team = (char *)(uintptr_t)team};
    return team ? cz_access_sees(a->who, t ? t : &none)
                : !a->who->token_team && (a->who->root || a->who->admin || a->who->auditor);
}

const char **cz_access_visible(const struct cz_access *a, size_t *ret_len)
{
    *ret_len = 0;
    if (cz_access_may_see(a, NULL))
        return NULL;
    size_t teams = a->rules ? a->rules->len : 0;
    const char **names = cz_alloc_array(teams + 2, sizeof *names);
    for (size_t i = 0; i < teams; i++)
        if (cz_access_sees(a->who, &a->rules->teams[i]))
            names[(*ret_len)++] = a->rules->teams[i].team;
    /* A team without any rule, which roles of the platform see all the same. */
    const char *only = a->who->token_team;
    if (only && !cz_access_team(a->rules, only) && cz_access_may_see(a, only))
        names[(*ret_len)++] = only;
    return names;
}

enum cz_err cz_service_can(struct cz_service *s,
                           const struct cz_principal *who,
                           enum cz_verb verb,
                           const char *team,
                           const struct cz_access_use *use,
                           json_t **ret,
                           struct cz_error *err)
{
    struct cz_access_rules *rules = NULL;
    struct cz_access_answer a;
    const struct cz_team_rules none = {.team = (char *)(uintptr_t)team};
    enum cz_err code = team ? cz__team_known(s, team, err) : CZ_OK;
    if (code == CZ_OK)
        code = cz__rules_take(s, &rules, err);
    if (code)
        return code;
    const struct cz_team_rules *t = team ? cz_access_team(rules, team) : NULL;
    cz_access_decide(who, verb, team && !t ? &none : t, use, &a);
    cz_access_rules_give(s, rules);
    json_t *o = json_pack("{s:b,s:s*,s:s,s:b}", "allowed", a.allowed, "principal", who->id, "verb",
                          cz_verb_name(verb), "peek", a.peek);
    json_t *why = json_array();
    for (size_t i = 0; i < a.why_len; i++)
        (void)json_array_append_new(why, json_string(a.why[i]));
    cz_json_set_str_or_null(o, "team", team);
    (void)json_object_set_new(o, "role", a.role ? json_string(cz_role_name(a.role)) : json_null());
    (void)json_object_set_new(o, "missing", a.allowed ? json_null() : json_string(a.missing));
    (void)json_object_set_new(o, "why", why);
    *ret = o;
    return CZ_OK;
}

bool cz__may_list(const struct cz_team_rules *t, const char *cluster, enum cz_grant_type type, const char *name)
{
    static const unsigned modes[] = {CZ_MODE_READ, CZ_MODE_WRITE, CZ_MODE_PEEK, CZ_MODE_DELETE};
    for (size_t i = 0; i < 4; i++) {
        const struct cz_access_use use = {.cluster = cluster, .type = type, .name = name, .mode = modes[i]};
        bool needed = false;
        if (!t || cz_access_grant(t, &use, &needed) || !needed)
            return true;
    }
    return false;
}
