/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers keep their text, so they are compared as decimals: sign, place of the first digit,
 * digits.  Nothing is rounded, an id beyond 2^53 equals only itself, and 1 == 1.0 == 10e-1. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "json_priv.h"

#define NUM_TEXT 40
#define MAX_EXPONENT 1000000000000LL

/* 0.d1 d2 d3 … × 10^point; digits run from s to end and may hold a '.'. */
struct decimal {
    int sign; /* -1, 0, 1 */
    int64_t point;
    const char *s, *end;
};

static uint32_t shortest(double d, char *out)
{
    if (d == 0) {
        out[0] = '0';
        return 1;
    }
    if (floor(d) == d && fabs(d) < 9007199254740992.0)
        return (uint32_t)snprintf(out, NUM_TEXT, "%.0f", d);
    int n = 0;
    for (int digits = 15; digits <= 17; digits++) {
        n = snprintf(out, NUM_TEXT, "%.*g", digits, d);
        if (strtod(out, NULL) == d)
            break;
    }
    return (uint32_t)n;
}

/* The text of any number: its own, or the computed value's in @buf. */
static const char *text_of(const struct cz_jval *v, char buf[NUM_TEXT], uint32_t *ret_len)
{
    if (v->flags & CZ_J_INT) {
        *ret_len = (uint32_t)snprintf(buf, NUM_TEXT, "%lld", (long long)v->u.i);
        return buf;
    }
    if (v->flags & CZ_J_DBL) {
        *ret_len = shortest(v->u.d, buf);
        return buf;
    }
    *ret_len = v->len;
    return v->u.s;
}

static int64_t exponent_of(const char *s, const char *end)
{
    bool negative = s < end && *s == '-';
    int64_t e = 0;
    if (s < end && (*s == '-' || *s == '+'))
        s++;
    for (; s < end && e < MAX_EXPONENT; s++)
        e = e * 10 + (*s - '0');
    return negative ? -e : e;
}

static struct decimal decimal_of(const char *s, uint32_t n)
{
    const char *end = s + n;
    struct decimal d = {1, 0, NULL, NULL};
    if (*s == '-') {
        d.sign = -1;
        s++;
    }
    const char *mantissa_end = s, *dot = NULL;
    for (; mantissa_end < end && *mantissa_end != 'e' && *mantissa_end != 'E'; mantissa_end++) {
        if (*mantissa_end == '.')
            dot = mantissa_end;
    }
    int64_t exponent = mantissa_end < end ? exponent_of(mantissa_end + 1, end) : 0;
    while (s < mantissa_end && (*s == '0' || *s == '.'))
        s++;
    if (s == mantissa_end) {
        d.sign = 0;
        return d;
    }
    if (!dot)
        d.point = mantissa_end - s;
    else
        d.point = dot >= s ? dot - s : dot + 1 - s;
    d.point += exponent;
    d.s = s;
    d.end = mantissa_end;
    return d;
}

static int next_digit(struct decimal *d)
{
    if (d->s < d->end && *d->s == '.')
        d->s++;
    return d->s < d->end ? *d->s++ : '0';
}

static int compare_digits(struct decimal a, struct decimal b)
{
    while (a.s < a.end || b.s < b.end) {
        int x = next_digit(&a), y = next_digit(&b);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return 0;
}

/* An integer of at most 18 digits, without a dot or an exponent. */
static bool small_int(const struct cz_jval *v, int64_t *ret)
{
    if (v->flags & CZ_J_INT) {
        *ret = v->u.i;
        return true;
    }
    if ((v->flags & CZ_J_DBL) || v->len > 18)
        return false;
    bool negative = v->u.s[0] == '-';
    int64_t value = 0;
    for (uint32_t i = negative; i < v->len; i++) {
        unsigned digit = (unsigned)(v->u.s[i] - '0');
        if (digit > 9)
            return false;
        value = value * 10 + digit;
    }
    *ret = negative ? -value : value;
    return true;
}

int cz_jnum_compare(struct cz_jval a, struct cz_jval b)
{
    int64_t x, y;
    if (small_int(&a, &x) && small_int(&b, &y))
        return (x > y) - (x < y);
    char abuf[NUM_TEXT], bbuf[NUM_TEXT];
    uint32_t alen, blen;
    const char *as = text_of(&a, abuf, &alen), *bs = text_of(&b, bbuf, &blen);
    struct decimal da = decimal_of(as, alen), db = decimal_of(bs, blen);
    if (da.sign != db.sign)
        return da.sign < db.sign ? -1 : 1;
    if (da.sign == 0)
        return 0;
    if (da.point != db.point)
        return (da.point < db.point ? -1 : 1) * da.sign;
    return compare_digits(da, db) * da.sign;
}

double cz_jnum_double(struct cz_jval v)
{
    int64_t small;
    if (v.flags & CZ_J_DBL)
        return v.u.d;
    if (small_int(&v, &small))
        return (double)small;
    struct decimal d = decimal_of(v.u.s, v.len);
    if (d.sign == 0)
        return 0;
    if (d.point > 400 || d.point < -400)
        return d.point > 0 ? HUGE_VAL * d.sign : 0;
    /* 768 digits decide any double; written without a dot, so that no locale matters. */
    char buf[800];
    int n = 0;
    if (d.sign < 0)
        buf[n++] = '-';
    int digits = 0;
    while (d.s < d.end && digits < 768) {
        if (*d.s == '.' && ++d.s == d.end)
            break;
        buf[n++] = *d.s++;
        digits++;
    }
    snprintf(buf + n, sizeof(buf) - (size_t)n, "e%lld", (long long)(d.point - digits));
    return strtod(buf, NULL);
}

bool cz_jnum_int(struct cz_jval v, int64_t *ret)
{
    if (small_int(&v, ret))
        return true;
    char buf[NUM_TEXT];
    uint32_t n;
    const char *s = text_of(&v, buf, &n);
    struct decimal d = decimal_of(s, n);
    uint64_t value = 0;
    if (d.sign == 0) {
        *ret = 0;
        return true;
    }
    if (d.point <= 0 || d.point > 19)
        return false;
    for (int64_t i = 0; i < d.point; i++) {
        if (__builtin_mul_overflow(value, 10ULL, &value) ||
            __builtin_add_overflow(value, (uint64_t)(next_digit(&d) - '0'), &value))
            return false;
    }
    while (d.s < d.end) {
        if (next_digit(&d) != '0')
            return false;
    }
    if (value > (uint64_t)INT64_MAX + (d.sign < 0))
        return false;
    *ret = d.sign < 0 ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

void cz__number_write(struct cz_buf *out, const struct cz_jval *v)
{
    char buf[NUM_TEXT];
    uint32_t n;
    const char *s = text_of(v, buf, &n);
    cz_buf_add(out, s, n);
}
