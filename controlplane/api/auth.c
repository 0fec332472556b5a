/* SPDX-License-Identifier: Apache-2.0 */
/** What the server asks the application about a request: who is it, may it, and what the audit log
 *  learns of a refusal.  Roles in teams are not decided here: a principal without a platform role
 *  may do nothing but look after its own sign-in. */
#include "api_priv.h"
#include "cz/log.h"

static enum cz_err who_is_it(const struct cz_http_request *rq, const struct cz_http_credential *c,
                             struct cz_http_who *ret, struct cz_error *err)
{
    struct cz_principal *p = NULL;
    struct cz_identity *id = cz__api_identity(rq);
    const char *ip = cz_http_peer(rq);
    enum cz_err rc = c->cookie ? cz_identity_session(id, c->text, c->len, ip, &p, err)
                               : cz_identity_bearer(id, c->text, c->len, ip, &p, err);
    if (rc == CZ_OK)
        *ret = (struct cz_http_who){.actor = p->name,
                                    .person = p->session_id || p->sign_in,
                                    .auth_ms = p->auth_ms,
                                    .principal = p};
    return rc;
}

static void done_who(struct cz_http_who *who)
{
    cz_principal_free(who->principal);
    *who = (struct cz_http_who){0};
}

/* CitizenK Replicator's paths are those of one team. */
static const char *team_of(const struct cz_http_request *rq)
{
    const char *team = cz_http_var(rq, "team");
    return team || !cz_streq(cz_http_route(rq)->tag, "replicator") ? team : CZ_SEED_TEAM;
}

static enum cz_err may_it(const struct cz_http_request *rq, struct cz_error *err)
{
    const struct cz_principal *p = cz_http_principal(rq);
    const char *verb = cz_http_route(rq)->verb;
    enum cz_err rc = cz_principal_may(p, verb, err);
    if (rc == CZ_OK && p->token_team && !cz_verb_is_own(verb) &&
        !cz_streq(p->token_team, team_of(rq)))
        rc = cz_fail(err, CZ_E_FORBIDDEN, "this token is for the team %.200s only", p->token_team);
    return rc;
}

static void refused(const struct cz_http_request *rq, enum cz_http_refusal what)
{
    static const char *const actions[] = {[CZ_HTTP_REFUSED_CSRF] = "auth.csrf",
                                          [CZ_HTTP_REFUSED_VERB] = "auth.denied",
                                          [CZ_HTTP_REFUSED_TOKEN_IN_URL] = "auth.token_in_url"};
    const struct cz_principal *p = cz_http_principal(rq);
    const struct cz_http_route *r = cz_http_route(rq);
    const struct cz_origin from = cz__api_origin(rq);
    if (!p) /* nobody may fill the log without being known */
        return;
    if (what == CZ_HTTP_REFUSED_INVALID) {
        cz__api_invalid(rq);
        return;
    }
    cz_identity_audit(cz__api_identity(rq), p, NULL, &from, actions[what], "denied",
                      json_pack("{s:s, s:s, s:s*, s:s}", "method", r->method, "route", r->path,
                                "verb", r->verb, "path", cz_http_path(rq)));
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
