/* SPDX-License-Identifier: Apache-2.0 */
/** What the files of controlplane/identity share. */
#ifndef CZ_IDENTITY_PRIV_H
#define CZ_IDENTITY_PRIV_H

#include "cz/alloc.h"
#include "cz/identity.h"
#include "cz/json.h"
#include "cz/storage.h"
#include "cz/thread.h"
#include "cz/time.h"
#include "cz/util.h"

#define CZ__HASH_SIZE 65

struct cz_identity {
    struct cz_store *store;
    char *admin_group;               /* NULL: none */
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

/* token.c */
#define CZ__TOKEN_SIZE 80
/** A new random value "czk_<kind>_<43 base62>_<6 base62 of a CRC>". */
void cz__token_make(const char *kind, char out[CZ__TOKEN_SIZE]);
/** Well-formed, of this kind (NULL: any), and its CRC fits? */
bool cz__token_check(const char *token, size_t len, const char *kind);

#endif
