/* SPDX-License-Identifier: Apache-2.0 */
/** What the server asks the application about a request: who is it, may it, and what the audit log
 *  learns of a refusal.  Each route has one verb (routes.c); the decision is cz_access_decide()'s.
 *  What is not visible is not there (404), what is visible and not allowed is refused with the verb
 *  that is missing.  From here on the store shows the request's thread nothing but the teams that who
 *  asks may see: the second fence, which holds where a handler forgets to ask. */
#include <string.h>

#include "api_priv.h"
#include "cz/metrics.h"

struct who_state {
    struct cz_access access;
    struct cz_service *service;
};

const struct cz_access *cz__api_access(const struct cz_http_request *rq)
{
    const struct who_state *w = cz_http_state(rq);
    return w ? &w->access : NULL;
}

static void done_who(struct cz_http_who *who)
{
    struct who_state *w = who->state;
    cz_store_scope_all();
    if (w)
        cz_access_rules_give(w->service, w->access.rules);
    cz_free(w);
    cz_principal_free(who->principal);
    *who = (struct cz_http_who){0};
}

/** The rules belong to the moment of the request; without them nobody but who may everything gets in. */
static enum cz_err measure(const struct cz_http_request *rq, struct cz_http_who *who, struct cz_error *err)
{
    struct who_state *w = cz_alloc(sizeof(*w));
    w->service = cz__api_service(rq);
    w->access.who = who->principal;
    who->state = w;
    enum cz_err rc =
        who->principal->root ? CZ_OK : cz_service_rules(w->service, &w->access.rules, err);
    if (rc != CZ_OK)
        done_who(who);
    return rc;
}

static enum cz_err who_is_it(const struct cz_http_request *rq, const struct cz_http_credential *c,
                             struct cz_http_who *ret, struct cz_error *err)
{
    struct cz_principal *p = NULL;
    struct cz_identity *id = cz__api_identity(rq);
    const char *ip = cz_http_peer(rq);
    enum cz_err rc = c->cookie ? cz_identity_session(id, c->text, c->len, ip, &p, err)
                               : cz_identity_bearer(id, c->text, c->len, ip, &p, err);
    if (rc != CZ_OK)
        return rc;
    *ret = (struct cz_http_who){.id = p->id,
                                    .actor = p->name,
                                .person = p->session_id || p->sign_in,
                                .auth_ms = p->auth_ms,
                                .principal = p};
    return measure(rq, ret, err);
}

/* ---- may it? ---------------------------------------------------------------------------------- */

/* CitizenK Replicator's paths are those of one team. */
static const char *team_of(const struct cz_http_request *rq)
{
    const char *team = cz_http_var(rq, "team");
    return team || !cz_streq(cz_http_route(rq)->tag, "replicator") ? team : CZ_SEED_TEAM;
}

static void count_denied(const struct cz_http_request *rq)
{
    struct cz_api *a = cz_http_context(rq);
    enum cz_verb verb;
    if (cz_verb_parse(cz_http_route(rq)->verb, &verb))
        (void)atomic_fetch_add(&a->denied[verb], 1);
}

static void audit_refusal(const struct cz_http_request *rq, const char *action)
{
    const struct cz_http_route *r = cz_http_route(rq);
    const struct cz_origin from = cz__api_origin(rq);
    cz_identity_audit(cz__api_identity(rq), cz_http_principal(rq), NULL, &from, action, "denied",
                      json_pack("{s:s, s:s, s:s*, s:s}", "method", r->method, "route", r->path,
                                "verb", r->verb, "path", cz_http_path(rq)));
}

static enum cz_err hide(const struct cz_http_request *rq, struct cz_error *err, const char *what, const char *name)
{
    count_denied(rq);
    audit_refusal(rq, "auth.denied");
    return cz_fail(err, CZ_E_NOT_FOUND, "there is no %s '%.200s'", what, name);
}

/** Only what is the caller's to see, from here to the end of the request. */
static void fence(const struct cz_access *x)
{
    size_t n = 0;
    const char **teams = cz_access_visible(x, &n);
    if (teams)
        cz_store_scope(teams, n);
    cz_free(teams);
}

/** A token that is for one set reads all that its bearer may, but applies that set and does nothing else. */
static enum cz_err may_by_set(const struct cz_http_request *rq,
                              const struct cz_access *x,
                              enum cz_verb verb,
                              struct cz_error *err)
{
    bool acts = verb == CZ_VERB_SET_PLAN || verb == CZ_VERB_SET_APPLY;
    if (acts ? cz_streq(cz_http_var(rq, "name"), x->who->token_set) : cz_streq(cz_http_route(rq)->method, "GET"))
        return CZ_OK;
    return cz_fail(err, CZ_E_FORBIDDEN, "missing token: it is for the set '%.200s' only", x->who->token_set);
}

static enum cz_err may_in_team(const struct cz_http_request *rq,
                               const struct cz_access *x,
                               enum cz_verb verb,
                               const char *team,
                               struct cz_error *err)
{
    struct cz_access_answer a;
    const struct cz_team_rules none = {.team = (char *)(uintptr_t)team};
    const struct cz_team_rules *t = cz_access_team(x->rules, team);
    cz_access_decide(x->who, verb, t ? t : &none, NULL, &a);
    if (a.allowed && x->who->token_set)
        return may_by_set(rq, x, verb, err);
    if (a.allowed)
        return CZ_OK;
    if (!a.visible)
        return hide(rq, err, "team", team);
    return cz_fail(err, CZ_E_FORBIDDEN, "missing %s", a.missing);
}

/** Outside of teams, or of all that are visible: these lists show just those (teams.c, changes.c, stats.c), so
 *  they need no more than to be signed in. */
static enum cz_err may_outside(const struct cz_http_request *rq,
                               const struct cz_access *x,
                               enum cz_verb verb,
                               struct cz_error *err)
{
    struct cz_access_answer a;
    bool lists = cz_streq(cz_http_route(rq)->method, "GET") &&
                 (verb == CZ_VERB_TEAM_READ || verb == CZ_VERB_CHANGE_READ || verb == CZ_VERB_MAPPING_READ);
    cz_access_decide(x->who, verb, NULL, NULL, &a);
    return a.allowed || lists ? CZ_OK : cz_fail(err, CZ_E_FORBIDDEN, "missing %s", a.missing);
}

static enum cz_err may_change(const struct cz_http_request *rq,
                              const struct cz_access *x,
                              enum cz_verb verb,
                              struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *team = NULL;
    int64_t seq = 0;
    struct cz_error e = CZ_ERROR_INIT;
    enum cz_err rc = cz__api_number(rq, "seq", &seq, err);
    if (rc == CZ_OK)
        rc = cz_service_change_team(cz__api_service(rq), seq, &team, err);
    if (rc != CZ_OK)
        return rc;
    if (!cz_access_may_see(x, team))
        return hide(rq, err, "change", cz_http_var(rq, "seq"));
    rc = team ? may_in_team(rq, x, verb, team, &e) : may_outside(rq, x, verb, &e);
    return rc == CZ_OK ? rc : cz_fail(err, rc, "%s", e.text);
}

static enum cz_err may_it(const struct cz_http_request *rq, struct cz_error *err)
{
    const struct cz_access *x = cz__api_access(rq);
    const char *team = team_of(rq);
    enum cz_verb verb;
    enum cz_err rc;
    if (x->who->root)
        return CZ_OK;
    if (!cz_verb_parse(cz_http_route(rq)->verb, &verb))
        return cz_fail(err, CZ_E_INTERNAL, "the verb of this route is not known");
    if (team)
        rc = may_in_team(rq, x, verb, team, err);
    else if (strstr(cz_http_route(rq)->path, "{seq}"))
        rc = may_change(rq, x, verb, err);
    else
        rc = may_outside(rq, x, verb, err);
    if (rc == CZ_OK)
        fence(x);
    return rc;
}

/* ---- what is told of it ------------------------------------------------------------------------- */

static void refused(const struct cz_http_request *rq, enum cz_http_refusal what)
{
    static const char *const actions[] = {[CZ_HTTP_REFUSED_CSRF] = "auth.csrf",
                                          [CZ_HTTP_REFUSED_VERB] = "auth.denied",
                                          [CZ_HTTP_REFUSED_TOKEN_IN_URL] = "auth.token_in_url"};
    if (!cz_http_principal(rq)) /* nobody may fill the log without being known */
        return;
    if (what == CZ_HTTP_REFUSED_INVALID) {
        cz__api_invalid(rq);
        return;
    }
    if (what == CZ_HTTP_REFUSED_VERB)
        count_denied(rq);
    audit_refusal(rq, actions[what]);
}

void cz__api_denied_metrics(struct cz_api *a, struct cz_buf *out)
{
    cz_prom_family(out, "citizenk_authz_denied_total", "counter", "Requests refused for want of a verb or grant.");
    for (int v = 0; v < CZ_VERB_COUNT_; v++)
        cz_prom_sample(out, "citizenk_authz_denied_total", (double)atomic_load(&a->denied[v]), "verb",
                       cz_verb_name((enum cz_verb)v), NULL);
}

void cz_api_serve(struct cz_api *a, struct cz_http_options *o)
{
    o->context = a;
    o->routes = cz_api_routes;
    o->auth = who_is_it;
    o->done_who = done_who;
    o->authorize = may_it;
    o->refused = refused;
}
