/* SPDX-License-Identifier: Apache-2.0 */
/** Secret references.  Documents hold `${env:NAME}` or `${file:/path}` or `${file:/path:key}` (a
 *  properties file), never a value; each process resolves them itself, at the time of use.
 *  @thread any */
#ifndef CZ_SECRET_H
#define CZ_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "cz/error.h"

struct cz_secret {
    char *value; /* never printed or logged */
    size_t len;
};
bool cz_secret_is_ref(const char *s);
/** CZ_E_INVALID with the reason when @s is not one well-formed reference. */
CZ_MUST_USE enum cz_err cz_secret_check_ref(const char *s, struct cz_error *err);
/** @param ret owned by the caller, cz_secret_done() wipes it. The error never holds the value. */
CZ_MUST_USE enum cz_err cz_secret_resolve(const char *ref, struct cz_secret *ret, struct cz_error *err);
void cz_secret_done(struct cz_secret *s);
/** Constant-time compare. */
bool cz_secret_equal(const void *a, size_t a_len, const void *b, size_t b_len);

#endif
