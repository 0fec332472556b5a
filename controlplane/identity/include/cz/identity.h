/* SPDX-License-Identifier: Apache-2.0 */
/** Sign-in: API tokens, sessions, local passwords, the identity provider, the first admin.  No HTTP:
 *  the API reads headers and sets cookies, here they are proved and made.  Nothing of it is cached:
 *  what is revoked, ended or disabled is so with the next request, on every instance.
 *
 *  Every event goes to the audit log: sign-ins and failed ones, tokens made and revoked, sessions
 *  ended, principals changed.
 *
 *  Codes: CZ_E_UNAUTHENTICATED (one text for all that is not known), CZ_E_LIMIT (too many tries; wait),
 *  CZ_E_INVALID (see the report), CZ_E_CONFLICT, CZ_E_NOT_FOUND, CZ_E_FORBIDDEN, and CZ_E_UNAVAILABLE
 *  when the database, or for a sign-in the identity provider, is away.  @thread any */
#ifndef CZ_IDENTITY_H
#define CZ_IDENTITY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cz/buf.h"
#include "cz/error.h"
#include "cz/identity_store.h"
#include "cz/principal.h"
#include "cz/report.h"

struct cz_identity;

/** An identity provider (OpenID Connect). */
struct cz_oidc_options {
    const char *issuer;        /* exactly as its tokens say it; https, or http on this machine */
    const char *client_id;
    const char *client_secret; /* NULL: a public client */
    const char *redirect_uri;  /* of ours: <public url>/api/v1/auth/oidc/callback */
    const char *scopes;        /* NULL: "openid profile" */
    const char *groups_claim;  /* NULL: "groups" */
    const char *name_claim;    /* NULL: "preferred_username" */
    const char *ca_file;       /* NULL: the system's */
};
struct cz_identity_options {
    struct cz_store *store; /* borrowed, outlives it; NULL: the static token is all there is */
    const char *token;      /* of --admin-token-file; only its SHA-256 is kept; NULL: none */
    size_t token_len;
    bool local_accounts;     /* users with a password of ours may sign in */
    const struct cz_oidc_options *oidc; /* copied; NULL: none */
    const char *admin_group; /* of the identity provider: its members are admins; NULL: none */
};
/** An address that an identity provider may have. */
CZ_MUST_USE enum cz_err cz_identity_check_issuer(const char *url, struct cz_error *err);
struct cz_identity *cz_identity_new(const struct cz_identity_options *o);
void cz_identity_free(struct cz_identity *id);

/** Where a request comes from; for sessions and the audit. Borrowed, NULL = unknown. */
struct cz_origin {
    const char *ip, *agent, *via, *request_id, *trace_id;
};
/** An audit event of sign-in and permission. @p NULL: nobody is known; @name then says who it was
 *  said to be. @detail is taken, NULL: none. A database that is away is logged, not told. */
void cz_identity_audit(struct cz_identity *id, const struct cz_principal *p, const char *name,
                       const struct cz_origin *from, const char *action, const char *outcome,
                       json_t *detail);

/** 32 hex of a secret that all instances of the deployment share. @ret 65 bytes. */
CZ_MUST_USE enum cz_err cz_identity_secret(struct cz_identity *id, const char *purpose, char *ret,
                                           struct cz_error *err);

/** citizenk_auth_attempts_total in Prometheus text. */
void cz_identity_metrics(struct cz_identity *id, struct cz_buf *out);
/** How one can sign in here: {"local","oidc":{"issuer"}|null} */
CZ_MUST_USE enum cz_err cz_identity_config(struct cz_identity *id, json_t **ret,
                                           struct cz_error *err);

/* ---- signing in ----------------------------------------------------------------------------- */

/** Somebody who has just signed in. */
struct cz_signed_in {
    char cookie[80];                /* value of the session's cookie; "": none was made */
    int64_t life_s;                 /* of the cookie */
    struct cz_principal *principal; /* cz_principal_free */
};
void cz_signed_in_done(struct cz_signed_in *s);
/** {"username","password"} → a session. One text and the same time for whatever was wrong. */
CZ_MUST_USE enum cz_err cz_identity_login(struct cz_identity *id, const json_t *body,
                                          const struct cz_origin *from, struct cz_signed_in *ret,
                                          struct cz_report *rep, struct cz_error *err);
/** The same, for programs: an API token of 12 hours instead. {"username","password","name"?}
 *  @param ret as cz_identity_token_new() */
CZ_MUST_USE enum cz_err cz_identity_login_token(struct cz_identity *id, const json_t *body,
                                                const struct cz_origin *from, json_t **ret,
                                                struct cz_report *rep, struct cz_error *err);
/** Offer a token for making the first admin, when there is none: *ret_offered, @out 80 bytes.  It
 *  is good once, for 15 minutes. */
CZ_MUST_USE enum cz_err cz_identity_bootstrap_offer(struct cz_identity *id, char *out,
                                                    bool *ret_offered, struct cz_error *err);
/** {"token","username","password"} → the first admin, signed in. */
CZ_MUST_USE enum cz_err cz_identity_bootstrap(struct cz_identity *id, const json_t *body,
                                              const struct cz_origin *from,
                                              struct cz_signed_in *ret, struct cz_report *rep,
                                              struct cz_error *err);

/* ---- by an identity provider ---------------------------------------------------------------- */

/** Begin: @ret_cookie (80 bytes) binds what follows to this browser, *ret_url (cz_free) is where it
 *  goes. State, nonce and PKCE verifier are made of the cookie: nothing is kept here. */
CZ_MUST_USE enum cz_err cz_identity_oidc_start(struct cz_identity *id, char *ret_cookie,
                                               char **ret_url, struct cz_error *err);
struct cz_oidc_back { /* what the browser brings back; NULL: absent */
    const char *cookie, *code, *state, *issuer, *error;
};
CZ_MUST_USE enum cz_err cz_identity_oidc_finish(struct cz_identity *id,
                                                const struct cz_oidc_back *back,
                                                const struct cz_origin *from,
                                                struct cz_signed_in *ret, struct cz_error *err);
/** Device flow, for programs: {"device_code","user_code","verification_uri",
 *  "verification_uri_complete"?,"expires_in","interval"} */
CZ_MUST_USE enum cz_err cz_identity_device_start(struct cz_identity *id, json_t **ret,
                                                 struct cz_error *err);
/** {"device_code","name"?} → an API token of 12 hours (as cz_identity_token_new()), or while nobody
 *  has agreed yet {"pending":true,"slow_down":bool}. */
CZ_MUST_USE enum cz_err cz_identity_device_poll(struct cz_identity *id, const json_t *body,
                                                const struct cz_origin *from, json_t **ret,
                                                struct cz_report *rep, struct cz_error *err);

/* ---- sessions ------------------------------------------------------------------------------- */

/** Whose session is this? Idle 30 minutes or 12 hours old it is nobody's.
 *  @param ret cz_principal_free */
CZ_MUST_USE enum cz_err cz_identity_session(struct cz_identity *id, const char *cookie, size_t len,
                                            const char *ip, struct cz_principal **ret,
                                            struct cz_error *err);
/** {"items":[{"id","created","used","ip","agent","current"}]} @principal_id NULL: one's own; another
 *  one's: for admins */
CZ_MUST_USE enum cz_err cz_identity_sessions(struct cz_identity *id, const struct cz_principal *p,
                                             const char *principal_id, json_t **ret,
                                             struct cz_error *err);
/** End one of one's own. @session_id NULL: that of @p (a logout). */
CZ_MUST_USE enum cz_err cz_identity_session_end(struct cz_identity *id, const struct cz_principal *p,
                                                const struct cz_origin *from,
                                                const char *session_id, struct cz_error *err);
/** End all of one's own but the one that asks, or (by an admin) all of another one's.
 *  @param ret {"ended"} */
CZ_MUST_USE enum cz_err cz_identity_sessions_end(struct cz_identity *id,
                                                 const struct cz_principal *p,
                                                 const struct cz_origin *from,
                                                 const char *principal_id, json_t **ret,
                                                 struct cz_error *err);
/** {"id","name","kind","issuer","roles":[…],"groups":[…],"via":"session|token|static",
 *  "token":{…}|null,"authenticated"} */
json_t *cz_identity_me(const struct cz_principal *p);

/* ---- principals ----------------------------------------------------------------------------- */

/** {"old","new"}: one's own password; ends one's other sessions. */
CZ_MUST_USE enum cz_err cz_identity_password(struct cz_identity *id, const struct cz_principal *p,
                                             const struct cz_origin *from, const json_t *body,
                                             struct cz_report *rep, struct cz_error *err);
/** {"items":[{"id","kind","issuer","subject","name","admin","auditor","disabled","groups","created",
 *  "login"}]} For admins and auditors. */
CZ_MUST_USE enum cz_err cz_identity_principals(struct cz_identity *id, const struct cz_principal *p,
                                               json_t **ret, struct cz_error *err);
/** {"kind":"user|service","name","password"(users),"admin"?,"auditor"?} By admins. */
CZ_MUST_USE enum cz_err cz_identity_principal_new(struct cz_identity *id,
                                                  const struct cz_principal *p,
                                                  const struct cz_origin *from, const json_t *body,
                                                  json_t **ret, struct cz_report *rep,
                                                  struct cz_error *err);
/** {"admin"?,"auditor"?,"disabled"?,"password"?} By admins. Disabling ends sessions and tokens; a
 *  new password ends sessions. */
CZ_MUST_USE enum cz_err cz_identity_principal_set(struct cz_identity *id,
                                                  const struct cz_principal *p,
                                                  const struct cz_origin *from,
                                                  const char *principal_id, const json_t *body,
                                                  json_t **ret, struct cz_report *rep,
                                                  struct cz_error *err);

/* ---- API tokens ----------------------------------------------------------------------------- */

#define CZ_TOKEN_MAX_LIFE_MS ((int64_t)365 * 24 * 3600 * 1000)
/** Who bears this? @param ret cz_principal_free */
CZ_MUST_USE enum cz_err cz_identity_bearer(struct cz_identity *id, const char *token, size_t len,
                                           const char *ip, struct cz_principal **ret,
                                           struct cz_error *err);
/** A principal as it is now, without any token or session: to ask what it may. CZ_E_NOT_FOUND
 *  @param ret cz_principal_free */
CZ_MUST_USE enum cz_err cz_identity_principal(struct cz_identity *id, const char *principal_id,
                                              struct cz_principal **ret, struct cz_error *err);
/** Make a token: {"name","scopes":["read",…],"team"?,"set"?,"expires": RFC 3339 | "expires_in_days":
 *  n, "principal"?: id of a service, by an admin}. It cannot do more than its principal can at the
 *  time of use, and one that is made by a token no more than that one, and for no longer.
 *  @param ret as listed, and "token": the value, which is shown this once */
CZ_MUST_USE enum cz_err cz_identity_token_new(struct cz_identity *id, const struct cz_principal *p,
                                              const struct cz_origin *from, const json_t *body,
                                              json_t **ret, struct cz_report *rep,
                                              struct cz_error *err);
/** {"items":[{"id","name","principal","principal_id","hint","scopes","team","set","created",
 *  "expires","used","used_ip","revoked","state":"active|expired|revoked"}]} @all: of everybody, for
 *  admins and auditors */
CZ_MUST_USE enum cz_err cz_identity_tokens(struct cz_identity *id, const struct cz_principal *p,
                                           bool all, json_t **ret, struct cz_error *err);
/** One's own; an admin anybody's. */
CZ_MUST_USE enum cz_err cz_identity_token_revoke(struct cz_identity *id,
                                                 const struct cz_principal *p,
                                                 const struct cz_origin *from, const char *token_id,
                                                 struct cz_error *err);

#endif
