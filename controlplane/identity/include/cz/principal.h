/* SPDX-License-Identifier: Apache-2.0 */
/** Who asks: a user or a service, with what it was known by.  Made for one request and never
 *  changed; what it may do is decided from it (and from the bindings of its teams). */
#ifndef CZ_PRINCIPAL_H
#define CZ_PRINCIPAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cz/error.h"

/* X(enum, name). A scope includes those before it: who may apply may read. */
#define CZ_SCOPE_MAP(X)                                                                        \
    X(CZ_SCOPE_READ, "read")                                                                   \
    X(CZ_SCOPE_OPERATE, "operate") /* pause, resume, restart, move offsets */                  \
    X(CZ_SCOPE_APPLY, "apply")     /* mappings, templates, value maps */                       \
    X(CZ_SCOPE_ADMIN, "admin")     /* teams, clusters, bindings, tokens */
enum cz_scope {
#define X(e, name) e,
    CZ_SCOPE_MAP(X)
#undef X
        CZ_SCOPE_COUNT_
};
const char *cz_scope_name(enum cz_scope s);
bool cz_scope_parse(const char *name, enum cz_scope *ret);

struct cz_principal {
    char *id, *name;    /* the name may be shared, the id never is */
    char *issuer;       /* of the identity provider, "local", "service"; NULL: the static token */
    bool service;       /* not a person */
    bool root;          /* bears the token of --admin-token-file: may do everything */
    bool admin;         /* platform: teams, clusters, grants, settings; no payloads */
    bool auditor;       /* platform: reads all configuration and the audit; no payloads */
    char **groups;      /* of the identity provider, at the last sign-in */
    size_t groups_len;
    enum cz_scope scope; /* the widest that the token has; CZ_SCOPE_ADMIN without a token */
    char *token_id;      /* API token; NULL: none */
    char *token_team, *token_set; /* what the token is bound to; NULL: nothing */
    bool sign_in;            /* the token is that of a person's sign-in by a program */
    int64_t token_expires_ms; /* 0: no token */
    char *session_id;    /* NULL: no session */
    int64_t auth_ms;     /* when it signed in (wall clock); of a token: when it was made */
};
void cz_principal_free(struct cz_principal *p);
bool cz_principal_in_group(const struct cz_principal *p, const char *group);

#endif
