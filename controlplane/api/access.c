/* SPDX-License-Identifier: Apache-2.0 */
/** GET /api/v1/access: may somebody do something, and why.  About oneself anybody may ask; about others
 *  who reads the team's members: admins, auditors and the owners of the team. */
#include "api_priv.h"

static const struct {
    const char *name;
    unsigned mode;
} modes[] = {{"read", CZ_MODE_READ}, {"write", CZ_MODE_WRITE}, {"peek", CZ_MODE_PEEK}, {"delete", CZ_MODE_DELETE}};

/* What in Kafka is asked about; @ret_any false: nothing. */
static enum cz_err read_use(const struct cz_http_request *rq,
                            struct cz_access_use *use,
                            bool *ret_any,
                            struct cz_error *err)
{
    const char *topic = cz_http_query(rq, "topic"), *group = cz_http_query(rq, "group"),
               *mode = cz_http_query(rq, "mode");
    use->cluster = cz_http_query(rq, "cluster");
    *ret_any = topic || group;
    if (topic && group)
        return cz_fail(err, CZ_E_PARSE, "ask about a topic or a group, not both");
    if (!*ret_any && (use->cluster || mode))
        return cz_fail(err, CZ_E_PARSE, "cluster and mode go with a topic or a group");
    if (!*ret_any)
        return CZ_OK;
    if (!use->cluster || !mode || !cz_http_query(rq, "team"))
        return cz_fail(err, CZ_E_PARSE, "a topic or a group needs team, cluster and mode");
    use->type = topic ? CZ_GRANT_TOPIC : CZ_GRANT_GROUP;
    use->name = topic ? topic : group;
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
        if (cz_streq(modes[i].name, mode))
            use->mode = modes[i].mode;
    return CZ_OK;
}

static bool may_ask_about_others(const struct cz_access *x, const char *team)
{
    struct cz_access_answer a;
    const struct cz_team_rules *t = team ? cz_access_team(x->rules, team) : NULL;
    cz_access_decide(x->who, CZ_VERB_BINDING_WRITE, t, NULL, &a);
    return x->who->root || x->who->admin || x->who->auditor || (t && a.allowed);
}

HANDLER(cz__rest_access)
{
    const struct cz_access *x = cz__api_access(rq);
    const char *team = cz_http_query(rq, "team"), *other = cz_http_query(rq, "principal");
    struct cz_access_use use = {0};
    struct cz_principal *p = NULL;
    json_t *o = NULL;
    bool any = false;
    enum cz_verb verb = CZ_VERB_COUNT_;
    enum cz_err rc = read_use(rq, &use, &any, err);
    if (rc == CZ_OK && !cz_http_query(rq, "verb"))
        rc = cz_fail(err, CZ_E_PARSE, "query parameter verb is needed");
    if (rc != CZ_OK)
        return rc;
    (void)cz_verb_parse(cz_http_query(rq, "verb"), &verb); /* the parameter's values are just these */
    if (team && !cz_access_may_see(x, team))
        return cz_fail(err, CZ_E_NOT_FOUND, "there is no team '%s'", team);
    if (other && !cz_streq(other, x->who->id)) {
        if (!may_ask_about_others(x, team))
            return cz_fail(err, CZ_E_FORBIDDEN,
                           "missing verb binding.write in the team: only who has it, or a role of the platform, may "
                           "ask about others");
        rc = cz_identity_principal(cz__api_identity(rq), other, &p, err);
    }
    if (rc == CZ_OK)
        rc = cz_service_can(cz__api_service(rq), p ? p : x->who, verb, team, any ? &use : NULL, &o, err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    cz_principal_free(p);
    return rc;
}
