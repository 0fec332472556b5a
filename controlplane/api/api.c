/* SPDX-License-Identifier: Apache-2.0 */
/** The object behind the handlers. */
#include "api_priv.h"

struct cz_api *cz_api_new(const struct cz_api_options *o)
{
    struct cz_api *a = cz_alloc(sizeof(*a));
    a->service = o->service;
    if (!o->identity)
        a->own_identity =
            cz_identity_new(&(struct cz_identity_options){.token = o->token, .token_len = o->token_len});
    a->identity = o->identity ? o->identity : a->own_identity;
    a->source_group = cz_strdup(o->source_group);
    a->stats_every_ms = o->stats_every_ms;
    cz_mutex_init(&a->lock);
    cz_map_init(&a->invalid, cz_free);
    a->ready = o->ready;
    a->metrics = o->metrics;
    a->arg = o->arg;
    return a;
}

void cz_api_free(struct cz_api *a)
{
    if (!a)
        return;
    cz_identity_free(a->own_identity);
    cz_free(a->source_group);
    cz_free(a->file_error);
    cz_map_done(&a->invalid);
    cz_mutex_done(&a->lock);
    cz_free(a);
}

void cz_api_set_server(struct cz_api *a, struct cz_http_server *s)
{
    atomic_store(&a->server, s);
}
