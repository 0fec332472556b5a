/* SPDX-License-Identifier: Apache-2.0 */
/** What the files of controlplane/identity share. */
#ifndef CZ_IDENTITY_PRIV_H
#define CZ_IDENTITY_PRIV_H

#include <stdatomic.h>

#include "cz/alloc.h"
#include "cz/identity.h"
#include "cz/json.h"
#include "cz/storage.h"
#include "cz/thread.h"
#include "cz/time.h"
#include "cz/util.h"

#define CZ__HASH_SIZE 65
#define CZ__SESSION_IDLE_MS (30 * 60 * 1000)
#define CZ__SESSION_LIFE_MS (12 * 3600 * 1000)
#define CZ__BOOTSTRAP_LIFE_MS (15 * 60 * 1000)

/* password.c */
#define CZ__PASSWORD_HASH_SIZE 128
/** At most so many hashes at once: each takes 19 MiB and a core for about 60 ms. */
struct cz__hasher {
    struct cz_mutex lock;
    struct cz_cond freed;
    int running, waiting;
    char dummy[CZ__PASSWORD_HASH_SIZE]; /* of nobody's password: an unknown user takes as long */
};
void cz__hasher_init(struct cz__hasher *h);
void cz__hasher_done(struct cz__hasher *h);
/** Wait for a turn: CZ_E_UNAVAILABLE|RETRIABLE when it takes too long. */
enum cz_err cz__hasher_enter(struct cz__hasher *h, struct cz_error *err);
void cz__hasher_leave(struct cz__hasher *h);
/** What is wrong with a new password goes to @rep at @pointer. */
void cz__password_check(const char *password, size_t len, const char *name, const char *pointer,
                        struct cz_report *rep);
/** Takes a turn by itself. */
enum cz_err cz__password_hash(struct cz__hasher *h, const char *password,
                              char out[CZ__PASSWORD_HASH_SIZE], struct cz_error *err);
/** Within a turn. @hash NULL: of nobody; takes as long and is false. */
bool cz__password_verify(struct cz__hasher *h, const char *password, const char *hash);

/* throttle.c: who has tried too often.  In this instance only, bounded, forgotten after a while. */
struct cz__try {
    char key[CZ__HASH_SIZE];
    unsigned failures;
    cz_time last;
};
struct cz__throttle {
    struct cz_mutex lock;
    struct cz__try *tries; /* a table by hash, linear probing; key[0] 0: free */
};
void cz__throttle_init(struct cz__throttle *t);
void cz__throttle_done(struct cz__throttle *t);
/** How long this account must wait at this address; 0: try. */
int64_t cz__throttle_wait_ms(struct cz__throttle *t, const char *name, const char *ip, cz_time now);
void cz__throttle_failed(struct cz__throttle *t, const char *name, const char *ip, cz_time now);
void cz__throttle_passed(struct cz__throttle *t, const char *name, const char *ip, cz_time now);

enum cz__method { CZ__BY_PASSWORD, CZ__BY_OIDC, CZ__BY_TOKEN, CZ__BY_SESSION, CZ__METHODS };
enum cz__result { CZ__PASSED, CZ__FAILED, CZ__THROTTLED, CZ__RESULTS };

struct cz_identity {
    struct cz_store *store;
    char *admin_group;               /* NULL: none */
    bool local_accounts;
    struct cz__oidc *oidc; /* NULL: none */
    struct cz__hasher hasher;
    struct cz__throttle throttle;
    atomic_ullong attempts[CZ__METHODS][CZ__RESULTS];
    bool has_static;
    char static_hash[CZ__HASH_SIZE]; /* of --admin-token-file */
    struct cz_mutex lock;            /* of the secret */
    char secret[CZ__HASH_SIZE];      /* "": not read yet */
};

/** From what is stored. Empties nothing. */
struct cz_principal *cz__principal(const struct cz_identity *id, const struct cz_principal_row *row);
/** p->admin or p->root; CZ_E_FORBIDDEN with @what. */
enum cz_err cz__need_admin(const struct cz_principal *p, const char *what, struct cz_error *err);
/** A moment as RFC 3339, null for 0. */
void cz__id_set_time(json_t *o, const char *key, int64_t ms);

/* oidc_provider.c: the provider as it describes itself, kept for a while; requests to it. */
struct cz__oidc;
struct cz__oidc *cz__oidc_new(const struct cz_oidc_options *o);
void cz__oidc_free(struct cz__oidc *o);
const struct cz_oidc_options *cz__oidc_options(const struct cz__oidc *o);
enum cz__endpoint { CZ__AUTHORIZE, CZ__TOKEN, CZ__DEVICE, CZ__ENDPOINTS };
/** URL of an endpoint; cz_free. CZ_E_UNAVAILABLE: the provider is away; CZ_E_NOT_FOUND: it has none. */
enum cz_err cz__oidc_endpoint(struct cz__oidc *o, enum cz__endpoint e, char **ret,
                              struct cz_error *err);
/** POST a form as our client. @param ret_status of HTTP */
enum cz_err cz__oidc_post(struct cz__oidc *o, enum cz__endpoint e, const char *form, int *ret_status,
                          json_t **ret, struct cz_error *err);
/** Does one of the provider's own keys verify this? Asks for new keys when @token names one that is
 *  not known. @param ret_claims of the token */
enum cz_err cz__oidc_verify(struct cz__oidc *o, const char *token, json_t **ret_claims,
                            struct cz_error *err);

/* oidc_claims.c */
/** Is the token for us, now, and (@nonce, NULL: none was sent) the answer to what we asked?
 *  CZ_E_UNAUTHENTICATED with the claim that is wrong. */
enum cz_err cz__claims_check(const json_t *claims, const struct cz_oidc_options *o,
                             const char *nonce, int64_t now_s, struct cz_error *err);
/** The principal that they speak of. @p borrows from @claims; *ret_groups is a new reference. */
void cz__claims_principal(const json_t *claims, const struct cz_oidc_options *o,
                          struct cz_principal_new *p, json_t **ret_groups);

/* login.c */
/** An API token for somebody who has just signed in from a program. */
enum cz_err cz__sign_in_token(struct cz_identity *id, const struct cz_principal_row *row,
                              const char *name, const char *method, const struct cz_origin *from,
                              json_t **ret, struct cz_report *rep, struct cz_error *err);

void cz__count(struct cz_identity *id, enum cz__method m, enum cz__result r);

/* login.c: a session for somebody who has proved who it is. */
enum cz_err cz__session_make(struct cz_identity *id, const struct cz_principal_row *row,
                             const struct cz_origin *from, struct cz_signed_in *ret,
                             struct cz_error *err);

/** CZ_E_LIMIT (detail: seconds) while @name must wait at @ip. */
enum cz_err cz__check_throttle(struct cz_identity *id, const char *name, const char *ip,
                               struct cz_error *err);
/** Is this the account's password? Throttled and audited as a sign-in. */
enum cz_err cz__prove_password(struct cz_identity *id, const char *name, const char *password,
                               const struct cz_origin *from, struct cz_error *err);

/* body.c: members of a small body; what is wrong goes to @rep. */
void cz__body_known(const json_t *body, const char *const *names, struct cz_report *rep);
/** A name (CZ_MAX_NAME, no control characters); NULL when absent or wrong. */
const char *cz__body_name(const json_t *body, const char *key, bool required, struct cz_report *rep);
/** Any text, as it is. */
const char *cz__body_text(const json_t *body, const char *key, bool required, struct cz_report *rep);
/** 0, 1, or -1: absent. */
int cz__body_bool(const json_t *body, const char *key, struct cz_report *rep);

/* token.c */
#define CZ__TOKEN_SIZE 80
#define CZ__KIND_SIGN_IN "cli" /* of the token that a program gets for a person's sign-in */
/** As cz_identity_token_new(), with a value of this kind. */
enum cz_err cz__token_new(struct cz_identity *id, const struct cz_principal *p,
                          const struct cz_origin *from, const json_t *body, const char *kind,
                          json_t **ret, struct cz_report *rep, struct cz_error *err);
/** A new random value "czk_<kind>_<43 base62>_<6 base62 of a CRC>". */
void cz__token_make(const char *kind, char out[CZ__TOKEN_SIZE]);
/** Well-formed, of this kind (NULL: any), and its CRC fits? */
bool cz__token_check(const char *token, size_t len, const char *kind);

#endif
