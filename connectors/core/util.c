/* SPDX-License-Identifier: Apache-2.0 */
/** Small things: numbers, names, uids, random bytes, murmur2, SHA-256. */
#include "cz/util.h"

#include <errno.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core_priv.h"
#include "cz/limits.h"

const char *const cz_version = CZ_VERSION;

void cz_fault(const char *point)
{
    const char *wanted = getenv("CITIZENK_FAULT");
    if (wanted && strcmp(wanted, point) == 0)
        (void)raise(SIGKILL);
}

bool cz_parse_i64(const char *s, int64_t *ret)
{
    if (!s)
        return false;
    bool negative = *s == '-';
    if (negative)
        s++;
    if (!*s)
        return false;
    int64_t v = 0;
    for (; *s; s++) {
        if (*s < '0' || *s > '9')
            return false;
        /* Downwards, because INT64_MIN has no positive twin. */
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, *s - '0', &v))
            return false;
    }
    if (!negative && v == INT64_MIN)
        return false;
    *ret = negative ? v : -v;
    return true;
}

bool cz_streq(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool is_blank(uint32_t cp)
{
    return cp == ' ' || cp == 0xA0 || cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200A) ||
           cp == 0x202F || cp == 0x205F || cp == 0x3000;
}

/* Why @cp may not stand in a name, or NULL.  Bidi and invisible characters make two names that
 * look alike; line separators break logs and listings. */
static const char *refused(uint32_t cp)
{
    if (cp < 0x20 || (cp >= 0x7F && cp <= 0x9F) || cp == 0x2028 || cp == 0x2029)
        return "a control character";
    if (cp == 0x061C || cp == 0x200E || cp == 0x200F || (cp >= 0x202A && cp <= 0x202E) ||
        (cp >= 0x2066 && cp <= 0x2069))
        return "a text direction (bidi) character";
    if (cp == 0x200B || cp == 0x2060 || cp == 0xFEFF)
        return "an invisible character";
    if (cp == '/')
        return "a slash";
    return NULL;
}

enum cz_err cz_name_check(const char *name, struct cz_error *err)
{
    size_t n = name ? strlen(name) : 0;
    if (n == 0)
        return cz_fail(err, CZ_E_INVALID, "a name must not be empty");
    if (n > CZ_MAX_NAME)
        return cz_fail(err, CZ_E_INVALID, "a name has at most %d bytes, not %zu", CZ_MAX_NAME,
                       n);
    if (cz_streq(name, ".") || cz_streq(name, ".."))
        return cz_fail(err, CZ_E_INVALID, "a name must not be \"%s\"", name);
    uint32_t cp = 0;
    for (size_t i = 0, len; i < n; i += len) {
        len = cz__utf8_next(name + i, n - i, &cp);
        if (len == 0)
            return cz_fail(err, CZ_E_INVALID, "a name must be UTF-8: byte %zu is not", i + 1);
        const char *what = refused(cp);
        if (what)
            return cz_fail(err, CZ_E_INVALID, "a name must not contain %s (U+%04X at byte %zu)",
                           what, (unsigned)cp, i + 1);
        if (is_blank(cp) && (i == 0 || i + len == n))
            return cz_fail(err, CZ_E_INVALID, "a name must not begin or end with a blank");
    }
    return CZ_OK;
}

void cz_random(void *p, size_t n)
{
    unsigned char *to = p;
    while (n > 0) {
        ssize_t got = getrandom(to, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) /* no random numbers: nothing here would be safe any more */
            abort();
        to += got;
        n -= (size_t)got;
    }
}

char *cz_uid(char *out)
{
    static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz"; /* Crockford's */
    unsigned char bytes[16];
    cz_random(bytes, sizeof bytes);
    unsigned bits = 0, have = 2; /* 26 × 5 = 130: two zero bits lead */
    size_t in = 0;
    for (size_t i = 0; i < CZ_UID_SIZE - 1; i++) {
        if (have < 5) {
            bits = (bits << 8 | bytes[in++]) & 0xFFFU;
            have += 8;
        }
        have -= 5;
        out[i] = alphabet[bits >> have & 31U];
    }
    out[CZ_UID_SIZE - 1] = '\0';
    return out;
}

uint32_t cz_murmur2(const void *key, size_t len)
{
    const uint32_t m = 0x5bd1e995;
    const unsigned char *p = key;
    uint32_t h = 0x9747b28cU ^ (uint32_t)len;
    size_t left = len;
    for (; left >= 4; left -= 4, p += 4) {
        uint32_t k =
            (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        k *= m;
        k ^= k >> 24;
        k *= m;
        h = h * m ^ k;
    }
    if (left > 2)
        h ^= (uint32_t)p[2] << 16;
    if (left > 1)
        h ^= (uint32_t)p[1] << 8;
    if (left > 0) {
        h ^= p[0];
        h *= m;
    }
    h ^= h >> 13;
    h *= m;
    return h ^ h >> 15;
}

int32_t cz_java_partition(const void *key, size_t len, int32_t partitions)
{
    return partitions > 0 ? (int32_t)(cz_murmur2(key, len) & 0x7fffffffU) % partitions : 0;
}

char *cz_sha256_hex(const void *p, size_t n, char *out)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (EVP_Digest(n ? p : "", n, sum, &len, EVP_sha256(), NULL) != 1 || len != 32)
        abort(); /* libcrypto without SHA-256 is not a machine to run on */
    for (size_t i = 0; i < 32; i++) {
        out[2 * i] = hex[sum[i] >> 4];
        out[2 * i + 1] = hex[sum[i] & 15];
    }
    out[64] = '\0';
    return out;
}

unsigned cz_edit_distance(const char *a, const char *b)
{
    return cz__edit_distance(a, b);
}
