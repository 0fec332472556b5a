/* SPDX-License-Identifier: Apache-2.0 */
/* Single tokens: the check of literals, numbers and strings by RFC 8259, and escapes.  An
 * escape of half a surrogate pair is an error: it stands for no character. */
#include "cz/util.h"
#include "json_priv.h"

static const char *skip_digits(const char *s, const char *end)
{
    while (s < end && *s >= '0' && *s <= '9')
        s++;
    return s;
}

bool cz_jnum_valid(const char *s, size_t n)
{
    const char *end = s + n;
    if (s < end && *s == '-')
        s++;
    const char *digits = s;
    s = skip_digits(s, end);
    if (s == digits || (*digits == '0' && s - digits > 1))
        return false;
    if (s < end && *s == '.') {
        const char *fraction = ++s;
        s = skip_digits(s, end);
        if (s == fraction)
            return false;
    }
    if (s < end && (*s == 'e' || *s == 'E')) {
        s++;
        if (s < end && (*s == '+' || *s == '-'))
            s++;
        const char *exponent = s;
        s = skip_digits(s, end);
        if (s == exponent)
            return false;
    }
    return s == end;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Four hex digits, or -1. */
static int32_t hex4(const char *s, const char *end)
{
    if (end - s < 4)
        return -1;
    int32_t v = 0;
    for (int i = 0; i < 4; i++) {
        int h = hex_digit(s[i]);
        if (h < 0)
            return -1;
        v = v * 16 + h;
    }
    return v;
}

static unsigned put_utf8(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | (c >> 6));
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | (c >> 12));
        out[1] = (char)(0x80 | ((c >> 6) & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | (c >> 18));
    out[1] = (char)(0x80 | ((c >> 12) & 0x3F));
    out[2] = (char)(0x80 | ((c >> 6) & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

/* After "\u": the code point, two escapes for those beyond the BMP; *s moves on. -1: bad. */
static int32_t unicode_escape(const char **s, const char *end)
{
    int32_t c = hex4(*s, end);
    if (c < 0 || (c >= 0xDC00 && c <= 0xDFFF))
        return -1;
    *s += 4;
    if (c < 0xD800 || c > 0xDBFF)
        return c;
    if (end - *s < 6 || (*s)[0] != '\\' || (*s)[1] != 'u')
        return -1;
    int32_t low = hex4(*s + 2, end);
    if (low < 0xDC00 || low > 0xDFFF)
        return -1;
    *s += 6;
    return 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
}

unsigned cz__next_char(const char **s, const char *end, char out[4])
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = *(*s)++;
    if (c != '\\') {
        out[0] = c;
        return 1;
    }
    if (*s >= end)
        return 0;
    c = *(*s)++;
    if (c == 'u') {
        int32_t code = unicode_escape(s, end);
        return code < 0 ? 0 : put_utf8((uint32_t)code, out);
    }
    const char *at = c ? strchr(from, c) : NULL;
    if (!at)
        return 0;
    out[0] = to[at - from];
    return 1;
}

uint32_t cz__unescape(const char *s, uint32_t n, char *out)
{
    const char *end = s + n;
    char *start = out;
    while (s < end) {
        const char *stop = memchr(s, '\\', (size_t)(end - s));
        size_t plain = (size_t)((stop ? stop : end) - s);
        memcpy(out, s, plain);
        out += plain;
        s += plain;
        if (s < end)
            out += cz__next_char(&s, end, out);
    }
    return (uint32_t)(out - start);
}

/* Is any of the eight bytes below 0x20, above 0x7f, or a backslash? (May say yes wrongly.) */
static inline bool is_special8(uint64_t x)
{
    const uint64_t ones = 0x0101010101010101ULL, high = 0x8080808080808080ULL;
    uint64_t slash = x ^ (ones * '\\');
    return ((x | (x - ones * 0x20) | (slash - ones)) & high) != 0;
}

const char *cz__string_check(const char *s, uint32_t n, uint32_t *ret_at, bool *ret_escape)
{
    uint32_t i = 0;
    bool high = false;
    const char *end = s + n;
    *ret_escape = false;
    while (i < n) {
        uint64_t x;
        if (n - i >= sizeof(x) && (memcpy(&x, s + i, sizeof(x)), !is_special8(x))) {
            i += (uint32_t)sizeof(x);
            continue;
        }
        uint8_t c = (uint8_t)s[i];
        *ret_at = i;
        if (c < 0x20)
            return "a control character in a string";
        high |= c >= 0x80;
        if (c != '\\') {
            i++;
            continue;
        }
        char out[4];
        const char *at = s + i;
        *ret_escape = true;
        if (cz__next_char(&at, end, out) == 0)
            return "a bad escape in a string";
        i = (uint32_t)(at - s);
    }
    *ret_at = 0;
    if (high && !cz_utf8_valid(s, n))
        return "a string that is not valid UTF-8";
    return NULL;
}

static enum cz_err string_token(
    const char *s, uint32_t start, uint32_t end, struct cz_jval *ret, struct cz_error *err)
{
    bool escape = false;
    uint32_t at = 0, n = end - start - 2;
    const char *why = cz__string_check(s + start + 1, n, &at, &escape);
    if (why)
        return cz__parse_error(err, start + 1 + at, why);
    *ret = (struct cz_jval){
        .type = CZ_J_STRING, .flags = escape ? CZ_J_RAW : 0, .len = n, .u.s = s + start + 1};
    return CZ_OK;
}

enum cz_err
cz__scalar(const struct cz_json_doc *d, uint32_t tok, struct cz_jval *ret, struct cz_error *err)
{
    uint32_t start = d->token[tok];
    uint32_t end = cz__token_end(d->data, start, tok + 1 < d->n ? d->token[tok + 1] : d->len);
    const char *s = d->data + start;
    uint32_t n = end - start;
    if (*s == '"')
        return string_token(d->data, start, end, ret, err);
    if (n == 4 && memcmp(s, "true", 4) == 0)
        *ret = (struct cz_jval){.type = CZ_J_TRUE};
    else if (n == 5 && memcmp(s, "false", 5) == 0)
        *ret = (struct cz_jval){.type = CZ_J_FALSE};
    else if (n == 4 && memcmp(s, "null", 4) == 0)
        *ret = CZ_JNULL;
    else if (cz_jnum_valid(s, n))
        *ret = (struct cz_jval){.type = CZ_J_NUMBER, .len = n, .u.s = s};
    else
        return cz__parse_error(err, start, "neither a number nor true, false or null");
    return CZ_OK;
}
