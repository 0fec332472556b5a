/* SPDX-License-Identifier: Apache-2.0 */
/** The server object without its sockets: made from a route table, drained, freed. */
#include "cz/alloc.h"
#include "http_priv.h"

enum cz_err cz_http_server_new(const struct cz_http_options *o,
                               struct cz_http_server **ret,
                               struct cz_error *err)
{
    struct cz_http_server *s = cz_alloc(sizeof(*s));
    s->o = *o;
    s->o.listen = cz_strdup(o->listen ? o->listen : "127.0.0.1:8080");
    s->o.tls_cert = cz_strdup(o->tls_cert);
    s->o.tls_key = cz_strdup(o->tls_key);
    s->o.prefix = cz_strdup(o->prefix);
    s->o.origin = cz_strdup(o->origin);
    if (s->o.max_body == 0)
        s->o.max_body = CZ_MAX_BODY;
    cz__conns_init(&s->conns, o);
    cz__limits_init(&s->limits);
    enum cz_err rc = cz__router_init(&s->router, o->routes, err);
    cz__stats_init(&s->stats, s->router.len);
    if (rc != CZ_OK) {
        cz_http_server_free(s);
        return rc;
    }
    *ret = s;
    return CZ_OK;
}

static void free_const(const char *s)
{
    void *p = (void *)(uintptr_t)s;
    cz_free(p);
}

void cz_http_server_free(struct cz_http_server *s)
{
    if (!s)
        return;
    cz_http_server_stop(s, cz_now());
    cz__conns_done(&s->conns);
    cz__limits_done(&s->limits);
    cz__stats_done(&s->stats);
    cz__router_done(&s->router);
    free_const(s->o.listen);
    free_const(s->o.tls_cert);
    free_const(s->o.tls_key);
    free_const(s->o.prefix);
    free_const(s->o.origin);
    cz_free(s);
}

int cz_http_server_port(const struct cz_http_server *s)
{
    return s->port;
}

void cz_http_server_drain(struct cz_http_server *s)
{
    atomic_store(&s->stopping, true);
}

bool cz_http_server_draining(const struct cz_http_server *s)
{
    return atomic_load(&s->stopping);
}
