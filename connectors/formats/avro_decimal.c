/* SPDX-License-Identifier: Apache-2.0 */
/* Decimals: two's complement of any length as an exact number, and back. */
#include <string.h>

#include "avro_priv.h"
#include "cz/util.h"

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

/* ---- the way back --------------------------------------------------------------------------- */

struct decimal {
    bool negative;
    char digits[DIGITS]; /* without leading zeros */
    size_t n;
    int64_t exponent; /* of ten, for all digits as a whole number */
};

static bool add_digit(struct decimal *d, char c)
{
    if (c == '0' && d->n == 0)
        return true;
    if (d->n == DIGITS)
        return false;
    d->digits[d->n++] = c;
    return true;
}

/* The text is a JSON number: checked before. */
static const char *split(const char *s, size_t len, struct decimal *d)
{
    const char *end = s + len;
    bool behind = false;
    d->negative = s < end && *s == '-';
    for (s += d->negative; s < end && *s != 'e' && *s != 'E'; s++) {
        if (*s == '.') {
            behind = true;
            continue;
        }
        if (!add_digit(d, *s))
            return "a decimal has too many digits";
        d->exponent -= behind;
    }
    if (s < end) {
        char text[20] = "";
        size_t n = (size_t)(end - s - 1);
        int64_t e;
        s += s[1] == '+' ? 2 : 1;
        n = (size_t)(end - s);
        if (n >= sizeof text || n == 0)
            return "a decimal's exponent is out of range";
        memcpy(text, s, n);
        if (!cz_parse_i64(text, &e) || e > 100000 || e < -100000)
            return "a decimal's exponent is out of range";
        d->exponent += e;
    }
    return NULL;
}

/* All digits as a whole number of units of the scale. */
static const char *to_scale(struct decimal *d, unsigned scale)
{
    int64_t shift = d->exponent + (int64_t)scale;
    if (d->n == 0)
        return NULL;
    for (; shift < 0; shift++) {
        if (d->n == 0 || d->digits[--d->n] != '0')
            return "a decimal has more digits behind the point than its scale";
    }
    for (; shift > 0; shift--) {
        if (!add_digit(d, '0'))
            return "a decimal has too many digits";
    }
    return NULL;
}

const char *cz__avro_decimal_bytes(const char *text, size_t len, unsigned scale, unsigned precision,
                                   unsigned char *out, size_t *ret_n)
{
    struct decimal d = {0};
    unsigned char m[CZ_MAX_AVRO_DECIMAL + 1] = {0}; /* magnitude, big-endian */
    const size_t size = sizeof m;
    const char *why = split(text, len, &d);
    if (!why)
        why = to_scale(&d, scale);
    if (!why && d.n > precision)
        why = "a decimal has more digits than its precision";
    if (why)
        return why;
    for (size_t i = 0; i < d.n; i++) {
        unsigned carry = (unsigned)(d.digits[i] - '0');
        for (size_t k = size; k-- > 0;) {
            unsigned v = m[k] * 10U + carry;
            m[k] = (unsigned char)v;
            carry = v >> 8;
        }
        if (carry)
            return "a decimal is too large";
    }
    if (d.negative) {
        unsigned carry = 1;
        for (size_t k = size; k-- > 0;) {
            unsigned v = (unsigned char)~m[k] + carry;
            m[k] = (unsigned char)v;
            carry = v >> 8;
        }
    }
    /* As short as the sign allows. */
    size_t first = 0;
    while (first + 1 < size && ((m[first] == 0 && !(m[first + 1] & 0x80)) ||
                                (m[first] == 0xff && (m[first + 1] & 0x80))))
        first++;
    if (size - first > CZ_MAX_AVRO_DECIMAL)
        return "a decimal is too large";
    memcpy(out, m + first, size - first);
    *ret_n = size - first;
    return NULL;
}
