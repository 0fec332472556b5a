/* SPDX-License-Identifier: Apache-2.0 */
/** Who may sign in, and with what: the part of the store that controlplane/identity lives on.
 *  Principals are disabled and never deleted.  Secrets come in as hashes only: SHA-256 hex of random
 *  values, argon2id of passwords.  Nothing is cached: what is revoked is revoked for every instance
 *  with the next request.
 *
 *  Ownership, threads and errors are those of cz/storage.h.  A store that keeps no principals (in
 *  memory) answers CZ_E_UNAVAILABLE. */
#ifndef CZ_IDENTITY_STORE_H
#define CZ_IDENTITY_STORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cz/error.h"

struct cz_store;

#define CZ_ISSUER_LOCAL "local"     /* users with a password here; subject: the name */
#define CZ_ISSUER_SERVICE "service" /* not people: tokens only; subject: the name */

struct cz_principal_row {
    char *id, *kind; /* kind: "user" or "service" */
    char *issuer, *subject, *name;
    bool admin, auditor, disabled;
    json_t *groups; /* array of strings, as of the last sign-in */
    int64_t created_ms, login_ms; /* login 0: never */
};
struct cz_principal_list {
    struct cz_principal_row *items;
    size_t len, cap;
};
void cz_principal_row_done(struct cz_principal_row *p);
void cz_principal_list_done(struct cz_principal_list *l);

struct cz_principal_new {
    const char *kind, *issuer, *subject, *name;
    bool admin, auditor;
    const json_t *groups; /* NULL: none */
};
/** CZ_E_CONFLICT: (issuer, subject) exists. @password_hash NULL: none */
CZ_MUST_USE enum cz_err cz_store_principal_new(struct cz_store *s, const struct cz_principal_new *p,
                                               const char *password_hash,
                                               struct cz_principal_row *ret, struct cz_error *err);
/** A user of an identity provider signed in: made when absent (with the roles of @p), else name and
 *  groups are refreshed and the roles stay. */
CZ_MUST_USE enum cz_err cz_store_principal_login(struct cz_store *s,
                                                 const struct cz_principal_new *p,
                                                 struct cz_principal_row *ret,
                                                 struct cz_error *err);
CZ_MUST_USE enum cz_err cz_store_principal_get(struct cz_store *s, const char *id,
                                               struct cz_principal_row *ret, struct cz_error *err);
/** All, by name. */
CZ_MUST_USE enum cz_err cz_store_principals(struct cz_store *s, struct cz_principal_list *ret,
                                            struct cz_error *err);
struct cz_principal_change {
    int admin, auditor, disabled; /* 0, 1, or -1: as it is */
    const char *name;             /* NULL: as it is */
};
/** Disabling ends the principal's sessions. CZ_E_CONFLICT: it is the last admin. */
CZ_MUST_USE enum cz_err cz_store_principal_set(struct cz_store *s, const char *id,
                                               const struct cz_principal_change *c,
                                               struct cz_principal_row *ret, struct cz_error *err);
/** A local user that is not disabled, and the hash. CZ_E_NOT_FOUND: none. */
CZ_MUST_USE enum cz_err cz_store_password_get(struct cz_store *s, const char *name,
                                              struct cz_principal_row *ret, char **ret_hash,
                                              struct cz_error *err);
CZ_MUST_USE enum cz_err cz_store_password_set(struct cz_store *s, const char *id, const char *hash,
                                              struct cz_error *err);

struct cz_session_row {
    char *id, *principal_id;
    char *ip, *agent; /* of its last use; NULL: unknown */
    int64_t created_ms, used_ms;
};
struct cz_session_list {
    struct cz_session_row *items;
    size_t len, cap;
};
void cz_session_row_done(struct cz_session_row *s);
void cz_session_list_done(struct cz_session_list *l);
struct cz_session_limits {
    int64_t idle_ms, absolute_ms;
};
/** @n id, principal_id, ip, agent; also marks the principal's sign-in and throws away sessions
 *  older than @absolute_ms. */
CZ_MUST_USE enum cz_err cz_store_session_new(struct cz_store *s, const struct cz_session_row *n,
                                             const char *hash, int64_t absolute_ms,
                                             struct cz_error *err);
/** A session that is within its limits, of a principal that is not disabled; its last use is
 *  written at most once a minute. CZ_E_NOT_FOUND: none. */
CZ_MUST_USE enum cz_err cz_store_session_get(struct cz_store *s, const char *hash,
                                             const struct cz_session_limits *limits,
                                             const char *ip, struct cz_principal_row *ret,
                                             struct cz_session_row *ret_session,
                                             struct cz_error *err);
CZ_MUST_USE enum cz_err cz_store_sessions(struct cz_store *s, const char *principal_id,
                                          const struct cz_session_limits *limits,
                                          struct cz_session_list *ret, struct cz_error *err);
/** CZ_E_NOT_FOUND: the principal has no such session. */
CZ_MUST_USE enum cz_err cz_store_session_end(struct cz_store *s, const char *principal_id,
                                             const char *id, struct cz_error *err);
/** All of a principal, @but one (NULL: really all). @param ret how many */
CZ_MUST_USE enum cz_err cz_store_sessions_end(struct cz_store *s, const char *principal_id,
                                              const char *but, int64_t *ret, struct cz_error *err);

struct cz_token_row {
    char *id, *principal_id, *principal; /* principal: its name */
    char *name, *hint, *scopes;          /* scopes: "read,apply"; hint: how the value begins */
    char *team, *set;                    /* NULL: not bound */
    int64_t created_ms, expires_ms, used_ms, revoked_ms; /* 0: never */
    char *used_ip;
};
struct cz_token_list {
    struct cz_token_row *items;
    size_t len, cap;
};
void cz_token_row_done(struct cz_token_row *t);
void cz_token_list_done(struct cz_token_list *l);
/** @n id, principal_id, name, hint, scopes, team, set, expires_ms */
CZ_MUST_USE enum cz_err cz_store_token_new(struct cz_store *s, const struct cz_token_row *n,
                                           const char *hash, struct cz_error *err);
/** A token that is neither expired nor revoked, of a principal that is not disabled; its last use
 *  is written at most once a minute. CZ_E_NOT_FOUND: none. */
CZ_MUST_USE enum cz_err cz_store_token_get(struct cz_store *s, const char *hash, const char *ip,
                                           struct cz_principal_row *ret,
                                           struct cz_token_row *ret_token, struct cz_error *err);
/** Newest first, expired and revoked ones too. @principal_id NULL: everybody's */
CZ_MUST_USE enum cz_err cz_store_tokens(struct cz_store *s, const char *principal_id,
                                        struct cz_token_list *ret, struct cz_error *err);
/** Again is fine. CZ_E_NOT_FOUND: no such token of @principal_id (NULL: of anybody). */
CZ_MUST_USE enum cz_err cz_store_token_revoke(struct cz_store *s, const char *id,
                                              const char *principal_id, struct cz_error *err);

/** Offer a bootstrap token, when there is no admin yet. @param ret was it? */
CZ_MUST_USE enum cz_err cz_store_bootstrap_offer(struct cz_store *s, const char *hash,
                                                 int64_t life_ms, bool *ret, struct cz_error *err);
/** Make the first admin. CZ_E_NOT_FOUND: the token is unknown, expired or used, or there is an
 *  admin already. Of several at once one wins. */
CZ_MUST_USE enum cz_err cz_store_bootstrap_use(struct cz_store *s, const char *hash,
                                               const struct cz_principal_new *p,
                                               const char *password_hash,
                                               struct cz_principal_row *ret, struct cz_error *err);

/** Random text that was made with the database, the same for every instance. cz_free. */
CZ_MUST_USE enum cz_err cz_store_deployment_secret(struct cz_store *s, char **ret,
                                                   struct cz_error *err);

#endif
