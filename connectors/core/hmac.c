/* SPDX-License-Identifier: Apache-2.0 */
/** HMAC-SHA256: the keyed state is made once and copied for each sum, which saves hashing the key
 *  again and lets threads share it. */
#include "cz/hmac.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "cz/alloc.h"

struct cz_hmac {
    EVP_MAC_CTX *keyed;
};

struct cz_hmac *cz_hmac_new(const void *key, size_t len)
{
    struct cz_hmac *h = cz_alloc(sizeof *h);
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                 OSSL_PARAM_construct_end()};
    h->keyed = mac ? EVP_MAC_CTX_new(mac) : NULL;
    EVP_MAC_free(mac); /* the context has its own reference */
    if (!h->keyed || EVP_MAC_init(h->keyed, key, len, params) != 1)
        abort(); /* libcrypto without HMAC is not a machine to run on */
    return h;
}

void cz_hmac_free(struct cz_hmac *h)
{
    if (!h)
        return;
    EVP_MAC_CTX_free(h->keyed);
    cz_free(h);
}

void cz_hmac_sum(const struct cz_hmac *h, const void *p, size_t n, unsigned char *out)
{
    EVP_MAC_CTX *c = EVP_MAC_CTX_dup(h->keyed);
    size_t len = 0;
    if (!c || EVP_MAC_update(c, n ? p : "", n) != 1 || EVP_MAC_final(c, out, &len, CZ_HMAC_SIZE) != 1 ||
        len != CZ_HMAC_SIZE)
        abort();
    EVP_MAC_CTX_free(c);
}
