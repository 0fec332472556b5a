/* SPDX-License-Identifier: Apache-2.0 */
/** UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#include "core_priv.h"
#include "cz/util.h"

static bool tail(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

size_t cz__utf8_next(const char *s, size_t n, uint32_t *ret_cp)
{
    const unsigned char *u = (const unsigned char *)s;
    uint32_t c = u[0];
    if (c < 0x80) {
        *ret_cp = c;
        return 1;
    }
    if (c >= 0xC2 && c <= 0xDF && n >= 2 && tail(u[1])) {
        *ret_cp = (c & 0x1FU) << 6 | (u[1] & 0x3FU);
        return 2;
    }
    if (c >= 0xE0 && c <= 0xEF && n >= 3 && tail(u[1]) && tail(u[2])) {
        uint32_t cp = (c & 0x0FU) << 12 | (u[1] & 0x3FU) << 6 | (u[2] & 0x3FU);
        *ret_cp = cp;
        return cp >= 0x800 && (cp < 0xD800 || cp > 0xDFFF) ? 3 : 0;
    }
    if (c >= 0xF0 && c <= 0xF4 && n >= 4 && tail(u[1]) && tail(u[2]) && tail(u[3])) {
        uint32_t cp =
            (c & 0x07U) << 18 | (u[1] & 0x3FU) << 12 | (u[2] & 0x3FU) << 6 | (u[3] & 0x3FU);
        *ret_cp = cp;
        return cp >= 0x10000 && cp <= 0x10FFFF ? 4 : 0;
    }
    return 0;
}

size_t cz__utf8_cut(const char *s, size_t n)
{
    size_t back = 0;
    while (back < n && back < 3 && tail((unsigned char)s[n - 1 - back]))
        back++;
    if (back == n)
        return n;
    size_t start = n - 1 - back;
    if ((unsigned char)s[start] < 0xC0)
        return n;
    uint32_t cp;
    return cz__utf8_next(s + start, n - start, &cp) == n - start ? n : start;
}

bool cz_utf8_valid(const char *s, size_t n)
{
    size_t i = 0;
    while (i < n) {
        uint32_t cp;
        size_t len = cz__utf8_next(s + i, n - i, &cp);
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}
