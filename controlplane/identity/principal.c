/* SPDX-License-Identifier: Apache-2.0 */
/** Principals as values; what they may do is decided by cz/access.h. */
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
