/* SPDX-License-Identifier: Apache-2.0 */
/** HMAC-SHA256 with a key that is prepared once.  @thread any; cz_hmac_sum() may run on many */
#ifndef CZ_HMAC_H
#define CZ_HMAC_H

#include <stddef.h>

#define CZ_HMAC_SIZE 32

struct cz_hmac;
struct cz_hmac *cz_hmac_new(const void *key, size_t len);
void cz_hmac_free(struct cz_hmac *h); /* NULL allowed; wipes the key */
/** @out CZ_HMAC_SIZE bytes */
void cz_hmac_sum(const struct cz_hmac *h, const void *p, size_t n, unsigned char *out);

#endif
