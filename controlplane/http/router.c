/* SPDX-License-Identifier: Apache-2.0 */
/** Finding the route of a path.  Routing is ours and not ulfius': there path variables and the
 *  query share one map, "//x///y/" equals "/x/y", an unknown method is a 404 and every request
 *  copies all endpoints.  Here a path is split before it is decoded, so "%2F" stays inside its
 *  segment, and a literal segment wins over a variable. */
#include <string.h>

#include "cz/alloc.h"
#include "http_priv.h"

static const char *const METHODS[] = {"GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", NULL};

static bool is_var(const char *segment)
{
    return segment[0] == '{';
}

static enum cz_err check(const struct cz_http_route *r, struct cz_error *err)
{
    bool known = false;
    for (size_t i = 0; METHODS[i]; i++)
        known |= cz_streq(METHODS[i], r->method);
    if (!known || cz_streq(r->method, "HEAD") || !r->path || r->path[0] != '/' || !r->handler)
        return cz_fail(err, CZ_E_INTERNAL, "route %s %s is incomplete", r->method, r->path);
    if (!r->verb && !(r->flags & CZ_HTTP_NOAUTH))
        return cz_fail(err, CZ_E_INTERNAL, "route %s %s has no verb", r->method, r->path);
    if (!r->id)
        return cz_fail(err, CZ_E_INTERNAL, "route %s %s has no id", r->method, r->path);
    return CZ_OK;
}

static enum cz_err
compile(struct cz__route *out, const struct cz_http_route *r, struct cz_error *err)
{
    out->r = r;
    for (const char *p = r->path; *p == '/';) {
        size_t n = strcspn(p + 1, "/");
        if (n == 0 || out->segments_len == CZ_HTTP_MAX_SEGMENTS)
            return cz_fail(err, CZ_E_INTERNAL, "bad path in the route table: %s", r->path);
        out->segments[out->segments_len++] = cz_strndup(p + 1, n);
        p += 1 + n;
    }
    return CZ_OK;
}

static bool same_path(const struct cz__route *a, const struct cz__route *b)
{
    if (a->segments_len != b->segments_len)
        return false;
    for (size_t i = 0; i < a->segments_len; i++)
        if (is_var(a->segments[i]) != is_var(b->segments[i]) ||
            (!is_var(a->segments[i]) && strcmp(a->segments[i], b->segments[i]) != 0))
            return false;
    return true;
}

enum cz_err
cz__router_init(struct cz__router *r, const struct cz_http_route *table, struct cz_error *err)
{
    while (table[r->len].method)
        r->len++;
    r->routes = cz_alloc_array(r->len + 1, sizeof(*r->routes));
    for (size_t i = 0; i < r->len; i++) {
        enum cz_err rc = check(&table[i], err);
        if (rc == CZ_OK)
            rc = compile(&r->routes[i], &table[i], err);
        if (rc != CZ_OK)
            return rc;
        for (size_t j = 0; j < i; j++)
            if (same_path(&r->routes[i], &r->routes[j]) &&
                cz_streq(table[i].method, table[j].method))
                return cz_fail(err, CZ_E_INTERNAL, "route %s %s twice", table[i].method,
                               table[i].path);
    }
    return CZ_OK;
}

void cz__router_done(struct cz__router *r)
{
    for (size_t i = 0; r->routes && i < r->len; i++)
        for (size_t k = 0; k < r->routes[i].segments_len; k++)
            cz_free(r->routes[i].segments[k]);
    cz_free(r->routes);
    r->routes = NULL;
    r->len = 0;
}

/* How well a route fits: number of literal segments + 1, or 0 for not at all. */
static size_t fit(const struct cz__route *r, const struct cz_http_request *rq)
{
    size_t score = 1;
    if (r->segments_len != rq->segments_len)
        return 0;
    for (size_t i = 0; i < r->segments_len; i++) {
        if (is_var(r->segments[i])) {
            if (rq->segments[i][0] == 0)
                return 0;
        } else if (strcmp(r->segments[i], rq->segments[i]) != 0) {
            return 0;
        } else {
            score++;
        }
    }
    return score;
}

static void allow_add(char *allow, const char *method)
{
    size_t n = strlen(allow);
    (void)snprintf(allow + n, 128 - n, "%s%s", n ? ", " : "", method);
}

enum cz_err cz__router_find(const struct cz__router *r,
                            struct cz_http_request *rq,
                            const char *method,
                            char *allow,
                            struct cz_error *err)
{
    size_t best = 0;
    const struct cz__route *path = NULL;
    for (size_t i = 0; i < r->len; i++) {
        size_t f = fit(&r->routes[i], rq);
        if (f > best) {
            best = f;
            path = &r->routes[i];
        }
    }
    allow[0] = 0;
    if (!path)
        return cz_fail(err, CZ_E_NOT_FOUND, "there is nothing at this path");
    if (cz_streq(method, "HEAD"))
        method = "GET";
    for (size_t i = 0; i < r->len; i++) {
        const struct cz__route *c = &r->routes[i];
        if (!same_path(c, path))
            continue;
        allow_add(allow, c->r->method);
        if (cz_streq(c->r->method, "GET"))
            allow_add(allow, "HEAD");
        if (cz_streq(c->r->method, method)) {
            rq->route = c->r;
            rq->route_index = i;
        }
    }
    allow_add(allow, "OPTIONS");
    if (!rq->route)
        return cz_fail(err, CZ_E_METHOD, "this path answers to %s only", allow);
    return CZ_OK;
}
