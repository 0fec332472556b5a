/* SPDX-License-Identifier: Apache-2.0 */
/** Principals as values, and what their platform roles and the scopes of their tokens allow. */
#include <string.h>

#include "identity_priv.h"

static const char *const scope_names[] = {
#define X(e, name) name,
    CZ_SCOPE_MAP(X)
#undef X
};

const char *cz_scope_name(enum cz_scope s)
{
    return (unsigned)s < CZ_SCOPE_COUNT_ ? scope_names[s] : "?";
}

bool cz_scope_parse(const char *name, enum cz_scope *ret)
{
    for (int i = 0; i < CZ_SCOPE_COUNT_; i++)
        if (cz_streq(name, scope_names[i])) {
            *ret = (enum cz_scope)i;
            return true;
        }
    return false;
}

void cz_principal_free(struct cz_principal *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->groups_len; i++)
        cz_free(p->groups[i]);
    cz_free(p->groups);
    cz_free(p->id);
    cz_free(p->name);
    cz_free(p->issuer);
    cz_free(p->token_id);
    cz_free(p->token_team);
    cz_free(p->token_set);
    cz_free(p->session_id);
    cz_free(p);
}

bool cz_principal_in_group(const struct cz_principal *p, const char *group)
{
    for (size_t i = 0; i < p->groups_len; i++)
        if (strcmp(p->groups[i], group) == 0)
            return true;
    return false;
}

struct cz_principal *cz__principal(const struct cz_identity *id, const struct cz_principal_row *row)
{
    struct cz_principal *p = cz_alloc(sizeof(*p));
    size_t i;
    json_t *g;
    p->id = cz_strdup(row->id);
    p->name = cz_strdup(row->name);
    p->issuer = cz_strdup(row->issuer);
    p->service = cz_streq(row->kind, "service");
    p->auditor = row->auditor;
    p->scope = CZ_SCOPE_ADMIN;
    p->groups = cz_alloc_array(json_array_size(row->groups) + 1, sizeof(*p->groups));
    json_array_foreach (row->groups, i, g)
        if (json_is_string(g))
            p->groups[p->groups_len++] = cz_strdup(json_string_value(g));
    p->admin = row->admin || (id->admin_group && cz_principal_in_group(p, id->admin_group));
    return p;
}

/* ---- verbs ---------------------------------------------------------------------------------- */

static const struct {
    const char *verb; /* "*.read": any that ends so; the first that fits counts */
    enum cz_scope scope;
} verb_scopes[] = {
    {"auth.self", CZ_SCOPE_READ},    {"principal.read", CZ_SCOPE_ADMIN},
    {"*.read", CZ_SCOPE_READ},       {"*.peek", CZ_SCOPE_READ},
    {"eval.use", CZ_SCOPE_READ},     {"mapping.operate", CZ_SCOPE_OPERATE},
    {"mapping.write", CZ_SCOPE_APPLY}, {"template.write", CZ_SCOPE_APPLY},
    {"instance.write", CZ_SCOPE_APPLY}, {"value_map.write", CZ_SCOPE_APPLY},
    {"change.rollback", CZ_SCOPE_APPLY}, {"set.plan", CZ_SCOPE_READ},
    {"set.apply", CZ_SCOPE_APPLY},
};

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

enum cz_scope cz_verb_scope(const char *verb)
{
    for (size_t i = 0; i < sizeof(verb_scopes) / sizeof(verb_scopes[0]); i++) {
        const char *v = verb_scopes[i].verb;
        if (v[0] == '*' ? ends_with(verb, v + 1) : strcmp(v, verb) == 0)
            return verb_scopes[i].scope;
    }
    return CZ_SCOPE_ADMIN;
}

bool cz_verb_is_payload(const char *verb)
{
    return ends_with(verb, ".peek") || strcmp(verb, "record.read") == 0;
}

bool cz_verb_is_own(const char *verb)
{
    return strcmp(verb, "auth.self") == 0 || strcmp(verb, "version.read") == 0;
}

enum cz_err
cz_principal_may(const struct cz_principal *p, const char *verb, struct cz_error *err)
{
    enum cz_scope needed = cz_verb_scope(verb);
    if (p->root)
        return CZ_OK;
    if (p->scope < needed)
        return cz_fail(err, CZ_E_FORBIDDEN, "%s needs a token with the scope %s", verb,
                       cz_scope_name(needed));
    if (cz_verb_is_own(verb))
        return CZ_OK;
    if (cz_verb_is_payload(verb))
        return cz_fail(err, CZ_E_FORBIDDEN, "%s shows records: no platform role includes that",
                       verb);
    if (p->admin || (p->auditor && ends_with(verb, ".read")))
        return CZ_OK;
    return cz_fail(err, CZ_E_FORBIDDEN, "%s is not among what %.200s may do", verb, p->name);
}
