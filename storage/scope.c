/* SPDX-License-Identifier: Apache-2.0 */
/* Which teams the calling thread may see: set once for a request, obeyed by every function of the
 * store.  It is a thread's and not an argument so that no call can forget it. */
#include <string.h>

#include "cz/alloc.h"
#include "cz/buf.h"
#include "cz/util.h"
#include "storage_priv.h"

static _Thread_local char *scope_text; /* NULL: all */
static _Thread_local char **scope_teams;
static _Thread_local size_t scope_len;
static _Thread_local int suspended;

static void add_quoted(struct cz_buf *b, const char *s)
{
    cz_buf_addc(b, '"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            cz_buf_addc(b, '\\');
        cz_buf_addc(b, *s);
    }
    cz_buf_addc(b, '"');
}

char *cz__array_text(const char *const *items, size_t n)
{
    size_t bytes = 3;
    for (size_t i = 0; i < n; i++)
        bytes += 2 * strlen(items[i]) + 3;
    struct cz_buf b = CZ_BUF_INIT(bytes);
    cz_buf_addc(&b, '{');
    for (size_t i = 0; i < n; i++) {
        if (i)
            cz_buf_addc(&b, ',');
        add_quoted(&b, items[i]);
    }
    cz_buf_addc(&b, '}');
    return cz_buf_steal(&b);
}

void cz_store_scope_all(void)
{
    for (size_t i = 0; i < scope_len; i++)
        cz_free(scope_teams[i]);
    cz_freep(&scope_teams);
    cz_freep(&scope_text);
    scope_len = 0;
}

void cz_store_scope(const char *const *teams, size_t n)
{
    cz_store_scope_all();
    scope_text = cz__array_text(teams, n);
    scope_teams = cz_alloc_array(n + 1, sizeof(*scope_teams));
    for (scope_len = 0; scope_len < n; scope_len++)
        scope_teams[scope_len] = cz_strdup(teams[scope_len]);
}

void cz_store_scope_suspend(void)
{
    suspended++;
}

void cz_store_scope_resume(void)
{
    suspended--;
}

const char *cz__scope_text(void)
{
    return scope_text && suspended == 0 ? scope_text : "*";
}

bool cz__scope_sees(const char *team)
{
    if (!scope_text || suspended > 0)
        return true;
    for (size_t i = 0; i < scope_len; i++)
        if (cz_streq(scope_teams[i], team))
            return true;
    return false;
}

bool cz__is_access_kind(enum cz_kind k)
{
    return k == CZ_KIND_TEAM || k == CZ_KIND_BINDING || k == CZ_KIND_GRANT;
}
