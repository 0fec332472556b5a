/* SPDX-License-Identifier: Apache-2.0 */
/* Decimals: two's complement of any length as an exact number. */
#include <string.h>

#include "avro_priv.h"

enum { DIGITS = CZ_MAX_AVRO_DECIMAL * 5 / 2 + 2 }; /* log10(256) < 2.5 */

static unsigned divide_by_ten(unsigned char *p, size_t n)
{
    unsigned rest = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned v = rest << 8 | p[i];
        p[i] = (unsigned char)(v / 10);
        rest = v % 10;
    }
    return rest;
}

/* Make the magnitude of @p; true: it was negative. */
static bool magnitude(unsigned char *p, size_t n)
{
    if (!(p[0] & 0x80))
        return false;
    unsigned carry = 1;
    for (size_t i = n; i-- > 0;) {
        unsigned v = (unsigned char)~p[i] + carry;
        p[i] = (unsigned char)v;
        carry = v >> 8;
    }
    return true;
}

void cz__avro_decimal_text(const char *p, size_t n, unsigned scale, struct cz_buf *out)
{
    unsigned char m[CZ_MAX_AVRO_DECIMAL];
    char digits[DIGITS];
    size_t first = 0, at = DIGITS;
    memcpy(m, p, n);
    if (magnitude(m, n))
        cz_buf_addc(out, '-');
    while (first < n) {
        if (m[first] == 0)
            first++;
        else
            digits[--at] = (char)('0' + divide_by_ten(m + first, n - first));
    }
    size_t len = DIGITS - at;
    size_t whole = len > scale ? len - scale : 0;
    if (whole)
        cz_buf_add(out, digits + at, whole);
    else
        cz_buf_addc(out, '0');
    if (scale)
        cz_buf_addc(out, '.');
    for (size_t i = len; i < scale && !out->failed; i++)
        cz_buf_addc(out, '0');
    if (scale)
        cz_buf_add(out, digits + at + whole, len - whole);
}
