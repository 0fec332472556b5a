/* SPDX-License-Identifier: Apache-2.0 */
/** The object behind the handlers, and who may call them: for now one principal, the bearer of
 * the bootstrap token.  Only its hash is kept; the hash of what a client sends is compared in
 * constant time. */
#include "api_priv.h"
#include "cz/secret.h"

struct cz_api *cz_api_new(const struct cz_api_options *o)
{
    struct cz_api *a = cz_alloc(sizeof(*a));
    a->service = o->service;
    a->actor = cz_strdup(o->actor ? o->actor : "admin");
    a->source_group = cz_strdup(o->source_group);
    a->stats_every_ms = o->stats_every_ms;
    cz_mutex_init(&a->lock);
    a->ready = o->ready;
    a->metrics = o->metrics;
    a->arg = o->arg;
    (void)cz_sha256_hex(o->token, o->token_len, a->token_hash);
    char *text = cz_strf("citizenk cursor v1 %s", a->token_hash);
    (void)cz_sha256_hex(text, sizeof("citizenk cursor v1 ") - 1 + 64, a->cursor_key);
    cz_free(text);
    return a;
}

void cz_api_free(struct cz_api *a)
{
    if (!a)
        return;
    cz_free(a->actor);
    cz_free(a->source_group);
    cz_free(a->file_error);
    cz_mutex_done(&a->lock);
    cz_free(a);
}

void cz_api_set_server(struct cz_api *a, struct cz_http_server *s)
{
    atomic_store(&a->server, s);
}

enum cz_err cz_api_auth(
    void *context, const char *token, size_t len, const char **ret_actor, struct cz_error *err)
{
    const struct cz_api *a = context;
    char hash[65];
    (void)cz_sha256_hex(token, len, hash);
    if (!cz_secret_equal(hash, 64, a->token_hash, 64))
        return cz_fail(err, CZ_E_UNAUTHENTICATED, "this token is not known");
    *ret_actor = a->actor;
    return CZ_OK;
}
