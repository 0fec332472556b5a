/* SPDX-License-Identifier: Apache-2.0 */
/** Masks: what is personal leaves the source only as a token, a part, a word or not at all.
 *
 *  A mask is {"path": …, "how": …}.  Paths are those of value maps: `value`, `value.a.b` (through
 *  arrays: each element), `key`, `key.a.b`.  What stands at a path is masked whatever its type, an
 *  object as a whole; a null and a missing path stay as they are.
 *
 *    hash      a token: the same text gives the same one on every topic of the team, for ever
 *    redact    the string "***"
 *    truncate  the first `length` characters (CZ_MASK_LENGTH); of a number's digits too, as a
 *              string; what has no text (true, false, an object) is redacted
 *    null      null
 *
 *  The token is a promise, since two mappings and two versions must agree: the first 16 bytes, in
 *  lower-case hex, of HMAC-SHA256 over the text form of the value (a string's content, a number's
 *  or literal's text, an object's JSON text as it stands, a key's bytes), keyed by HMAC-SHA256 over
 *  "citizenk.mask." and the team's name, keyed by the secret.  So one secret serves all teams of a
 *  deployment, and no team can make another's tokens by masking guesses of its own.
 *
 *  Of a key only `hash` is allowed: with another mask different entities would get one key, and
 *  compaction would delete all but one of them. */
#ifndef CZ_MASK_H
#define CZ_MASK_H

#include <jansson.h>
#include <stdbool.h>

#include "cz/buf.h"
#include "cz/error.h"
#include "cz/jmespath.h"

#define CZ_MASK_LENGTH 4   /* truncate, when nothing is said */
#define CZ_MASK_KEY_MIN 16 /* bytes of the secret */

enum cz_mask_how { CZ_MASK_HASH, CZ_MASK_REDACT, CZ_MASK_TRUNCATE, CZ_MASK_NULL };
extern const char *const cz_mask_hows[]; /* by enum cz_mask_how, ended by NULL */

struct cz_mask_conf {
    const json_t *masks;     /* a list; checked when the mapping was saved; NULL, []: no stage */
    struct cz_slice secret;  /* wanted when cz_mask_needs_secret() */
    const char *team;
    bool key_json; /* key_format json: a token is a JSON string whatever the key was */
};
/** Does one of the list hash? */
bool cz_mask_needs_secret(const json_t *masks);

struct cz_mask;
/** CZ_E_INVALID: a bad entry, or no secret or a short one where one is needed. */
CZ_MUST_USE enum cz_err
cz_mask_new(const struct cz_mask_conf *conf, struct cz_mask **ret, struct cz_error *err);
void cz_mask_free(struct cz_mask *m); /* NULL allowed */
/** The record that @e has begun with: its value and key with the masks applied.  *ret_… stays as it
 *  is when nothing changed; else it points into the buffer. */
CZ_MUST_USE enum cz_err cz_mask_value(const struct cz_mask *m,
                                      struct cz_eval *e,
                                      struct cz_buf *out,
                                      struct cz_slice *ret_value,
                                      struct cz_error *err);
CZ_MUST_USE enum cz_err cz_mask_key(const struct cz_mask *m,
                                    struct cz_eval *e,
                                    struct cz_buf *out,
                                    struct cz_slice *ret_key,
                                    struct cz_error *err);

#endif
