/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a connection string signs in as: the role that gets run-time rights only. */
#include "cz/storage.h"
#include "cz/util.h"
#include "pg_priv.h"

char *cz_store_postgres_role(const char *conninfo)
{
    char *role = NULL;
    PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
    for (PQconninfoOption *o = options; o && o->keyword; o++)
        if (cz_streq(o->keyword, "user") && o->val && *o->val)
            role = cz_strdup(o->val);
    PQconninfoFree(options);
    return role;
}
