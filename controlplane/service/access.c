/* SPDX-License-Identifier: Apache-2.0 */
/** The decision: role, scope and grant, in this order, each step told.  Pure, so that what it says
 *  about somebody else, or about a rule that is not there yet, is what would really happen. */
#include <stdio.h>
#include <string.h>

#include "cz/access.h"
#include "cz/util.h"

struct verb {
    const char *name;
    enum cz_role role;
    unsigned platform;
    enum cz_scope scope;
};
static const struct verb verbs[] = {
#define X(e, text, least, roles, needs)                                                        \
    [e] = {.name = text, .role = CZ_ROLE_##least, .platform = (roles), .scope = CZ_SCOPE_##needs},
    CZ_VERB_MAP(X)
#undef X
};
static const char *const role_names[] = {
#define X(e, name) [e] = name,
    CZ_ROLE_MAP(X)
#undef X
};

const char *cz_role_name(enum cz_role r)
{
    return r < CZ_ROLE_COUNT_ ? role_names[r] : "unknown";
}

bool cz_role_parse(const char *name, enum cz_role *ret)
{
    for (int r = CZ_ROLE_VIEWER; r < CZ_ROLE_COUNT_; r++) {
        if (cz_streq(name, role_names[r])) {
            *ret = (enum cz_role)r;
            return true;
        }
    }
    return false;
}

const char *cz_verb_name(enum cz_verb v)
{
    return v < CZ_VERB_COUNT_ ? verbs[v].name : "unknown";
}

bool cz_verb_parse(const char *name, enum cz_verb *ret)
{
    for (int v = 0; v < CZ_VERB_COUNT_; v++) {
        if (cz_streq(name, verbs[v].name)) {
            *ret = (enum cz_verb)v;
            return true;
        }
    }
    return false;
}

const char *cz_mode_name(unsigned one_mode)
{
    switch (one_mode) {
    case CZ_MODE_READ:
        return "read";
    case CZ_MODE_WRITE:
        return "write";
    case CZ_MODE_PEEK:
        return "peek";
    case CZ_MODE_DELETE:
        return "delete";
    default:
        return "unknown";
    }
}

/* ---- telling --------------------------------------------------------------------------------- */

static void step(struct cz_access_answer *a, const char *fmt, ...) CZ_PRINTF(2, 3);
static void step(struct cz_access_answer *a, const char *fmt, ...)
{
    va_list ap;
    if (a->why_len == CZ_WHY_STEPS)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(a->why[a->why_len], sizeof a->why[0], fmt, ap);
    va_end(ap);
    char *text = a->why[a->why_len++];
    size_t n = strlen(text);
    while (n > 0 && !cz_utf8_valid(text, n)) /* cut in the middle of a character */
        text[--n] = '\0';
}

static void refuse(struct cz_access_answer *a, const char *fmt, ...) CZ_PRINTF(2, 3);
static void refuse(struct cz_access_answer *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(a->missing, sizeof a->missing, fmt, ap);
    va_end(ap);
    size_t n = strlen(a->missing);
    while (n > 0 && !cz_utf8_valid(a->missing, n))
        a->missing[--n] = '\0';
    a->allowed = false;
}

/* ---- roles ----------------------------------------------------------------------------------- */

static bool binds(const struct cz_binding *b, const struct cz_principal *who)
{
    if (b->principal)
        return cz_streq(b->principal, who->id);
    return cz_principal_in_group(who, b->idp_group);
}

static void tell_binding(struct cz_access_answer *a, const struct cz_team_rules *t, const struct cz_binding *b)
{
    step(a, "binding \"%.80s\" of team \"%.80s\": %s \"%.60s\" is %s%s", b->name, t->team,
         b->principal ? "principal" : "group", b->principal ? b->principal : b->idp_group,
         cz_role_name(b->role), b->peek ? " with peek" : "");
}

static enum cz_role role_in(const struct cz_principal *who,
                            const struct cz_team_rules *t,
                            bool *peek,
                            struct cz_access_answer *tell)
{
    enum cz_role best = CZ_ROLE_NONE;
    *peek = false;
    for (size_t i = 0; t && i < t->bindings_len; i++) {
        const struct cz_binding *b = &t->bindings[i];
        if (!binds(b, who))
            continue;
        best = b->role > best ? b->role : best;
        *peek |= b->peek;
        if (tell && tell->why_len + 3 < CZ_WHY_STEPS)
            tell_binding(tell, t, b);
    }
    return best;
}

static unsigned platform_of(const struct cz_principal *who)
{
    return (who->admin ? CZ_PLATFORM_ADMIN : 0) | (who->auditor ? CZ_PLATFORM_AUDITOR : 0);
}

static bool token_is_for(const struct cz_principal *who, const struct cz_team_rules *t)
{
    return !who->token_team || !t || cz_streq(who->token_team, t->team);
}

enum cz_role cz_access_role(const struct cz_principal *who,
                            const struct cz_team_rules *team,
                            bool *ret_peek)
{
    bool peek = true;
    enum cz_role role = who->root ? CZ_ROLE_OWNER : role_in(who, team, &peek, NULL);
    if (!token_is_for(who, team)) {
        role = CZ_ROLE_NONE;
        peek = false;
    }
    if (ret_peek)
        *ret_peek = peek;
    return role;
}

bool cz_access_sees(const struct cz_principal *who, const struct cz_team_rules *team)
{
    return token_is_for(who, team) &&
           (who->root || platform_of(who) || cz_access_role(who, team, NULL) != CZ_ROLE_NONE);
}

/* ---- the verb -------------------------------------------------------------------------------- */

static void tell_who(const struct cz_principal *who, struct cz_access_answer *a)
{
    const char *name = who->name ? who->name : who->id ? who->id : "nobody";
    if (who->root)
        step(a, "\"%.100s\" bears the deployment's own token: it may everything", name);
    if (who->admin)
        step(a, "\"%.100s\" is an admin of the platform", name);
    if (who->auditor)
        step(a, "\"%.100s\" is an auditor of the platform", name);
}

static bool has_verb(const struct verb *v,
                     enum cz_verb verb,
                     const struct cz_principal *who,
                     const struct cz_team_rules *team,
                     struct cz_access_answer *a)
{
    if (who->root || (platform_of(who) & v->platform)) {
        step(a, "that has the verb %s", v->name);
        return true;
    }
    if (v->role == CZ_ROLE_ANYBODY) {
        step(a, "whoever is signed in has the verb %s", v->name);
        return true;
    }
    bool owns = verb == CZ_VERB_CLUSTER_WRITE && team && team->own_clusters && a->role == CZ_ROLE_OWNER;
    bool yes = v->role == CZ_ROLE_PEEK ? a->peek : v->role < CZ_ROLE_COUNT_ && a->role >= v->role;
    if (owns)
        step(a, "own_clusters of team \"%.100s\": its owners have the verb %s", team->team, v->name);
    else if (yes && v->role == CZ_ROLE_PEEK)
        step(a, "the flag peek has the verb %s", v->name);
    else if (yes)
        step(a, "the role %s has the verb %s", cz_role_name(a->role), v->name);
    return owns || yes;
}

static void refuse_verb(const struct verb *v, const struct cz_team_rules *team, struct cz_access_answer *a)
{
    const char *in = team ? team->team : NULL;
    if (v->role == CZ_ROLE_PEEK)
        refuse(a, "verb %s: a binding with peek%s%.150s%s is needed", v->name,
               in ? " in team \"" : "", in ? in : "", in ? "\"" : "");
    else if (v->role == CZ_ROLE_NOBODY)
        refuse(a, "verb %s: only %s of the platform %s it", v->name,
               v->platform == CZ_BOTH ? "admins and auditors" : "admins", "have");
    else
        refuse(a, "verb %s: the role %s%s%.150s%s is needed, or a higher one", v->name,
               cz_role_name(v->role), in ? " in team \"" : "", in ? in : "", in ? "\"" : "");
}

/* ---- the grant ------------------------------------------------------------------------------- */

static bool covers(const struct cz_grant *g, const struct cz_access_use *use)
{
    if (g->type != use->type || !(g->modes & use->mode))
        return false;
    if (!cz_streq(g->cluster, "*") && !cz_streq(g->cluster, use->cluster))
        return false;
    if (cz_streq(g->pattern, "*"))
        return true;
    if (g->prefix)
        return strncmp(use->name, g->pattern, strlen(g->pattern)) == 0;
    return !use->prefix && cz_streq(g->pattern, use->name);
}

const struct cz_grant *cz_access_grant(const struct cz_team_rules *t,
                                       const struct cz_access_use *use,
                                       bool *ret_needed)
{
    *ret_needed = t->restricted;
    for (size_t i = 0; t->restricted && i < t->grants_len; i++)
        if (covers(&t->grants[i], use))
            return &t->grants[i];
    return NULL;
}

static void decide_use(const struct cz_team_rules *t,
                       const struct cz_access_use *use,
                       struct cz_access_answer *a)
{
    bool needed;
    const char *what = use->type == CZ_GRANT_TOPIC ? "topic" : "group";
    const struct cz_grant *g = cz_access_grant(t, use, &needed);
    if (!needed)
        step(a, "team \"%.100s\" is not restricted: it may use all of its clusters", t->team);
    else if (g)
        step(a, "grant \"%.80s\": %s of %s%s \"%.100s\" on cluster \"%.60s\"", g->name,
             cz_mode_name(use->mode), g->prefix ? "the prefix of a " : "the ", what, g->pattern,
             g->cluster);
    else
        refuse(a, "grant: team \"%.60s\" needs %s for %s \"%.100s%s\" on cluster \"%.60s\"", t->team,
               cz_mode_name(use->mode), what, use->name, use->prefix ? "…" : "", use->cluster);
}

/* ---- all ------------------------------------------------------------------------------------- */

static void decide_token(const struct verb *v,
                         const struct cz_principal *who,
                         const struct cz_team_rules *team,
                         struct cz_access_answer *a)
{
    if (!who->token_id && !who->token_team)
        return;
    bool platforms = !team && v->role != CZ_ROLE_ANYBODY && who->token_team; /* of all teams */
    if (platforms || !token_is_for(who, team)) {
        a->visible = false;
        refuse(a, "token: it is for team \"%.150s\" only", who->token_team);
    } else if (who->scope < v->scope) {
        refuse(a, "token: its scope %s does not have the verb %s, the scope %s does", cz_scope_name(who->scope),
               v->name, cz_scope_name(v->scope));
    } else {
        step(a, "the token's scope %s has the verb %s", cz_scope_name(who->scope), v->name);
    }
}

void cz_access_decide(const struct cz_principal *who,
                      enum cz_verb verb,
                      const struct cz_team_rules *team,
                      const struct cz_access_use *use,
                      struct cz_access_answer *ret)
{
    const struct verb *v = &verbs[verb];
    memset(ret, 0, sizeof *ret);
    tell_who(who, ret);
    ret->role = who->root ? CZ_ROLE_OWNER : role_in(who, team, &ret->peek, ret);
    ret->peek |= who->root;
    ret->visible = !team || cz_access_sees(who, team);
    ret->allowed = true;
    if (!has_verb(v, verb, who, team, ret))
        refuse_verb(v, team, ret);
    if (ret->allowed)
        decide_token(v, who, team, ret);
    if (ret->allowed && use && team)
        decide_use(team, use, ret);
    if (!ret->allowed)
        step(ret, "missing: %.250s", ret->missing);
}
