/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 by RFC 4648, section 4, for bytes that are no text. */
#include "file_priv.h"

#include <string.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void cz_base64_add(struct cz_buf *out, const char *p, size_t n)
{
    const unsigned char *s = (const unsigned char *)p;
    size_t size = (n + 2) / 3 * 4;
    char *to = cz_buf_reserve(out, size);
    if (!to)
        return;
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t v = (uint32_t)s[i] << 16 | (left > 1 ? (uint32_t)s[i + 1] << 8 : 0) |
                     (left > 2 ? s[i + 2] : 0);
        *to++ = alphabet[v >> 18];
        *to++ = alphabet[v >> 12 & 63];
        *to++ = left > 1 ? alphabet[v >> 6 & 63] : '=';
        *to++ = left > 2 ? alphabet[v & 63] : '=';
    }
    out->len += size;
}

static int digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool cz__base64_read(const char *s, size_t n, char *out, size_t *ret_len)
{
    if (n % 4 != 0)
        return false;
    size_t pad = n > 0 && s[n - 1] == '=' ? (s[n - 2] == '=' ? 2 : 1) : 0;
    size_t len = 0;
    uint32_t v = 0;
    for (size_t i = 0; i < n; i++) {
        int d = i >= n - pad ? 0 : digit(s[i]);
        if (d < 0)
            return false;
        v = v << 6 | (uint32_t)d;
        if (i % 4 != 3)
            continue;
        size_t take = i == n - 1 ? 3 - pad : 3;
        if ((take == 1 && (v & 0xFFFF) != 0) || (take == 2 && (v & 0xFF) != 0))
            return false; /* bits that nobody would have written */
        for (size_t k = 0; k < take; k++)
            out[len++] = (char)(v >> (16 - 8 * k) & 0xFF);
        v = 0;
    }
    *ret_len = len;
    return true;
}
