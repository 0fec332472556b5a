/* SPDX-License-Identifier: Apache-2.0 */
/** Run by the build: a route that names no verb, or one that the permissions do not know, ends it; so no
 *  program is ever linked with a route that nobody decided about. */
#include <stdio.h>

#include "cz/api.h"
#include "cz/util.h"

static bool is_free(const struct cz_http_route *r)
{
    return (r->flags & CZ_HTTP_NOAUTH) != 0;
}

int main(void)
{
    int bad = 0;
    bool used[CZ_VERB_COUNT_] = {false};
    for (const struct cz_http_route *r = cz_api_routes; r->method; r++) {
        enum cz_verb v = CZ_VERB_COUNT_;
        if (r->verb && cz_verb_parse(r->verb, &v))
            used[v] = true;
        if (is_free(r) ? !r->verb : v < CZ_VERB_COUNT_)
            continue;
        bad++;
        (void)fprintf(stderr, "routes.c: %s %s %s%s\n", r->method, r->path,
                      !r->verb       ? "has no verb"
                      : is_free(r)   ? "is free for everybody and has the verb "
                                     : "has a verb that cz/access.h does not know: ",
                      r->verb ? r->verb : "");
    }
    for (int v = 0; v < CZ_VERB_COUNT_; v++) {
        if (used[v])
            continue;
        bad++;
        (void)fprintf(stderr, "access.h: no route has the verb %s\n", cz_verb_name((enum cz_verb)v));
    }
    return bad > 0;
}
