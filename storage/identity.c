/* SPDX-License-Identifier: Apache-2.0 */
/* The public functions of cz/identity_store.h: to the implementation's table, and plain data. */
#include "cz/alloc.h"
#include "storage_priv.h"

/* Without a store there is the one principal of the options. */
#define CALL(fn, ...)                                                                          \
    (s && s->vt->identity ? s->vt->identity->fn(s, __VA_ARGS__)                                \
                          : cz_fail(err, CZ_E_UNAVAILABLE, "this store keeps no principals"))

enum cz_err cz_store_principal_new(struct cz_store *s, const struct cz_principal_new *p,
                                   const char *password_hash, struct cz_principal_row *ret,
                                   struct cz_error *err)
{
    return CALL(principal_new, p, password_hash, ret, err);
}

enum cz_err cz_store_principal_login(struct cz_store *s, const struct cz_principal_new *p,
                                     struct cz_principal_row *ret, struct cz_error *err)
{
    return CALL(principal_login, p, ret, err);
}

enum cz_err cz_store_principal_get(struct cz_store *s, const char *id, struct cz_principal_row *ret,
                                   struct cz_error *err)
{
    return CALL(principal_get, id, ret, err);
}

enum cz_err cz_store_principals(struct cz_store *s, struct cz_principal_list *ret,
                                struct cz_error *err)
{
    return CALL(principals, ret, err);
}

enum cz_err cz_store_principal_set(struct cz_store *s, const char *id,
                                   const struct cz_principal_change *c,
                                   struct cz_principal_row *ret, struct cz_error *err)
{
    return CALL(principal_set, id, c, ret, err);
}

enum cz_err cz_store_password_get(struct cz_store *s, const char *name,
                                  struct cz_principal_row *ret, char **ret_hash,
                                  struct cz_error *err)
{
    return CALL(password_get, name, ret, ret_hash, err);
}

enum cz_err cz_store_password_set(struct cz_store *s, const char *id, const char *hash,
                                  struct cz_error *err)
{
    return CALL(password_set, id, hash, err);
}

enum cz_err cz_store_session_new(struct cz_store *s, const struct cz_session_row *n,
                                 const char *hash, int64_t absolute_ms, struct cz_error *err)
{
    return CALL(session_new, n, hash, absolute_ms, err);
}

enum cz_err cz_store_session_get(struct cz_store *s, const char *hash,
                                 const struct cz_session_limits *limits, const char *ip,
                                 struct cz_principal_row *ret, struct cz_session_row *ret_session,
                                 struct cz_error *err)
{
    return CALL(session_get, hash, limits, ip, ret, ret_session, err);
}

enum cz_err cz_store_sessions(struct cz_store *s, const char *principal_id,
                              const struct cz_session_limits *limits, struct cz_session_list *ret,
                              struct cz_error *err)
{
    return CALL(sessions, principal_id, limits, ret, err);
}

enum cz_err cz_store_session_end(struct cz_store *s, const char *principal_id, const char *id,
                                 struct cz_error *err)
{
    return CALL(session_end, principal_id, id, err);
}

enum cz_err cz_store_sessions_end(struct cz_store *s, const char *principal_id, const char *but,
                                  int64_t *ret, struct cz_error *err)
{
    return CALL(sessions_end, principal_id, but, ret, err);
}

enum cz_err cz_store_token_new(struct cz_store *s, const struct cz_token_row *n, const char *hash,
                               struct cz_error *err)
{
    return CALL(token_new, n, hash, err);
}

enum cz_err cz_store_token_get(struct cz_store *s, const char *hash, const char *ip,
                               struct cz_principal_row *ret, struct cz_token_row *ret_token,
                               struct cz_error *err)
{
    return CALL(token_get, hash, ip, ret, ret_token, err);
}

enum cz_err cz_store_tokens(struct cz_store *s, const char *principal_id, struct cz_token_list *ret,
                            struct cz_error *err)
{
    return CALL(tokens, principal_id, ret, err);
}

enum cz_err cz_store_token_revoke(struct cz_store *s, const char *id, const char *principal_id,
                                  struct cz_error *err)
{
    return CALL(token_revoke, id, principal_id, err);
}

enum cz_err cz_store_bootstrap_offer(struct cz_store *s, const char *hash, int64_t life_ms,
                                     bool *ret, struct cz_error *err)
{
    return CALL(bootstrap_offer, hash, life_ms, ret, err);
}

enum cz_err cz_store_bootstrap_use(struct cz_store *s, const char *hash,
                                   const struct cz_principal_new *p, const char *password_hash,
                                   struct cz_principal_row *ret, struct cz_error *err)
{
    return CALL(bootstrap_use, hash, p, password_hash, ret, err);
}

enum cz_err cz_store_deployment_secret(struct cz_store *s, char **ret, struct cz_error *err)
{
    return CALL(deployment_secret, ret, err);
}

/* ---- plain data ----------------------------------------------------------------------------- */

void cz_principal_row_done(struct cz_principal_row *p)
{
    cz_free(p->id);
    cz_free(p->kind);
    cz_free(p->issuer);
    cz_free(p->subject);
    cz_free(p->name);
    json_decref(p->groups);
    *p = (struct cz_principal_row){0};
}

void cz_session_row_done(struct cz_session_row *s)
{
    cz_free(s->id);
    cz_free(s->principal_id);
    cz_free(s->ip);
    cz_free(s->agent);
    *s = (struct cz_session_row){0};
}

void cz_token_row_done(struct cz_token_row *t)
{
    cz_free(t->id);
    cz_free(t->principal_id);
    cz_free(t->principal);
    cz_free(t->name);
    cz_free(t->hint);
    cz_free(t->scopes);
    cz_free(t->team);
    cz_free(t->set);
    cz_free(t->used_ip);
    *t = (struct cz_token_row){0};
}

#define LIST_DONE(type, row_done)                                                              \
    void type##_list_done(struct type##_list *l)                                               \
    {                                                                                          \
        for (size_t i = 0; i < l->len; i++)                                                    \
            row_done(&l->items[i]);                                                            \
        cz_free(l->items);                                                                     \
        *l = (struct type##_list){0};                                                          \
    }
LIST_DONE(cz_principal, cz_principal_row_done)
LIST_DONE(cz_session, cz_session_row_done)
LIST_DONE(cz_token, cz_token_row_done)
