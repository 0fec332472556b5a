/* SPDX-License-Identifier: Apache-2.0 */
/* Datum → JSON text, or only past it.  Every length is compared with what is left before it is
 * used. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "avro_priv.h"
#include "cz/util.h"

void cz__avro_in_init(struct cz__avro_in *in, const char *data, size_t len)
{
    const unsigned char *p = (const unsigned char *)data;
    *in = (struct cz__avro_in){.start = p, .at = p, .end = p + len};
    in->budget = CZ_MAX_AVRO_FREE_VALUES + (uint64_t)len * 16;
}

bool cz__avro_bad(struct cz__avro_in *in, const char *why)
{
    if (!in->why)
        in->why = why;
    return false;
}

static bool bad(struct cz__avro_in *in, const char *why)
{
    return cz__avro_bad(in, why);
}

static size_t left(const struct cz__avro_in *in)
{
    return (size_t)(in->end - in->at);
}

static bool read_long(struct cz__avro_in *in, int64_t *ret)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (in->at == in->end)
            return bad(in, "ends inside a number");
        unsigned char c = *in->at++;
        if (shift == 63 && c > 1)
            return bad(in, "a number is over 64 bits");
        v |= (uint64_t)(c & 0x7f) << shift;
        if (!(c & 0x80)) {
            *ret = (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
            return true;
        }
    }
    return bad(in, "a number is over 64 bits");
}

static bool read_bytes(struct cz__avro_in *in, size_t n, const char **ret)
{
    if (n > left(in))
        return bad(in, "a length goes past the end");
    *ret = (const char *)in->at;
    in->at += n;
    return true;
}

bool cz__avro_sized(struct cz__avro_in *in, const char **ret, size_t *ret_n)
{
    int64_t n;
    if (!read_long(in, &n))
        return false;
    if (n < 0 || (uint64_t)n > left(in))
        return bad(in, "a length goes past the end");
    *ret_n = (size_t)n;
    return read_bytes(in, *ret_n, ret);
}

bool cz__avro_block(struct cz__avro_in *in, uint64_t *ret)
{
    int64_t n, size;
    if (!read_long(in, &n))
        return false;
    if (n == INT64_MIN)
        return bad(in, "a block has no sensible length");
    if (n < 0) {
        n = -n;
        if (!read_long(in, &size))
            return false;
        if (size < 0 || (uint64_t)size > left(in))
            return bad(in, "a block goes past the end");
    }
    if ((uint64_t)n > in->budget)
        return bad(in, "a block has more items than bytes");
    *ret = (uint64_t)n;
    return true;
}

/* ---- scalars as text ------------------------------------------------------------------------ */

static bool put_string(struct cz__avro_in *in, const char *s, size_t n, struct cz_buf *out)
{
    if (!out)
        return true; /* what nobody reads is not looked at, as in JSON */
    if (!cz_utf8_valid(s, n))
        return bad(in, "a string is not UTF-8");
    cz_buf_add_json_string(out, s, n);
    return true;
}

/* One character U+0000..U+00FF per byte. */
static void put_bytes(struct cz_buf *out, const char *s, size_t n)
{
    cz_buf_addc(out, '"');
    for (size_t i = 0; i < n && !out->failed; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c < 0x20 || c == '"' || c == '\\' || c >= 0x7f)
            cz_buf_addf(out, "\\u%04x", c);
        else
            cz_buf_addc(out, (char)c);
    }
    cz_buf_addc(out, '"');
}

static void put_uuid(struct cz_buf *out, const char *s)
{
    cz_buf_addc(out, '"');
    for (size_t i = 0; i < 16; i++)
        cz_buf_addf(out, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x",
                    (unsigned char)s[i]);
    cz_buf_addc(out, '"');
}

static void put_int(struct cz_buf *out, int64_t v)
{
    char text[24], *p = text + sizeof text;
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do
        *--p = (char)('0' + u % 10);
    while (u /= 10);
    if (v < 0)
        *--p = '-';
    cz_buf_add(out, p, (size_t)(text + sizeof text - p));
}

/* The shortest text that reads back as the same number. */
static void put_real(struct cz_buf *out, double d, bool single)
{
    char text[40];
    if (isnan(d) || isinf(d)) {
        cz_buf_adds(out, isnan(d) ? "\"NaN\"" : d > 0 ? "\"Infinity\"" : "\"-Infinity\"");
        return;
    }
    if (fabs(d) < 1e15 && d == (double)(int64_t)d && !(d == 0 && signbit(d))) {
        put_int(out, (int64_t)d);
        return;
    }
    for (int digits = single ? 6 : 15; digits <= (single ? 9 : 17); digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, d);
        if (single ? strtof(text, NULL) == (float)d : strtod(text, NULL) == d)
            break;
    }
    cz_buf_adds(out, text);
}

static bool read_real(struct cz__avro_in *in, bool single, struct cz_buf *out)
{
    const char *p;
    float f;
    double d;
    if (!read_bytes(in, single ? sizeof f : sizeof d, &p))
        return false;
    if (!out)
        return true;
    memcpy(single ? (void *)&f : (void *)&d, p, single ? sizeof f : sizeof d);
    put_real(out, single ? (double)f : d, single);
    return true;
}

static void put_blob(const struct cz__avro_type *t, const char *p, size_t n, struct cz_buf *out)
{
    if (t->logical == CZ__AVRO_DECIMAL && n <= CZ_MAX_AVRO_DECIMAL && n > 0)
        cz__avro_decimal_text(p, n, t->scale, out);
    else if (t->logical == CZ__AVRO_UUID)
        put_uuid(out, p);
    else
        put_bytes(out, p, n);
}

/* ---- containers ----------------------------------------------------------------------------- */

static void put(struct cz_buf *out, const char *s, size_t n)
{
    if (out)
        cz_buf_add(out, s, n);
}

static bool read_record(struct cz__avro_in *in, const struct cz__avro_type *t, struct cz_buf *out)
{
    put(out, "{", 1);
    for (size_t i = 0; i < t->n; i++) {
        if (i)
            put(out, ",", 1);
        put(out, t->fields[i].label, t->fields[i].label_len);
        if (!cz__avro_value(in, t->fields[i].type, out))
            return false;
    }
    put(out, "}", 1);
    return true;
}

static bool read_entry(struct cz__avro_in *in, const struct cz__avro_type *t, struct cz_buf *out)
{
    const char *key;
    size_t n;
    if (t->kind == CZ__AVRO_MAP) {
        if (!cz__avro_sized(in, &key, &n) || !put_string(in, key, n, out))
            return false;
        put(out, ":", 1);
    }
    return cz__avro_value(in, t->of[0], out);
}

static bool read_blocks(struct cz__avro_in *in, const struct cz__avro_type *t, struct cz_buf *out)
{
    bool map = t->kind == CZ__AVRO_MAP, first = true;
    uint64_t n;
    put(out, map ? "{" : "[", 1);
    for (;;) {
        if (!cz__avro_block(in, &n))
            return false;
        if (n == 0)
            break;
        for (; n > 0; n--, first = false) {
            if (!first)
                put(out, ",", 1);
            if (!read_entry(in, t, out))
                return false;
        }
    }
    put(out, map ? "}" : "]", 1);
    return true;
}

bool cz__avro_number(struct cz__avro_in *in, const struct cz__avro_type *t, int64_t *ret)
{
    int64_t v;
    if (!read_long(in, &v))
        return false;
    if (t->kind == CZ__AVRO_INT && (v < INT32_MIN || v > INT32_MAX))
        return bad(in, "an int is over 32 bits");
    if ((t->kind == CZ__AVRO_ENUM || t->kind == CZ__AVRO_UNION) && (v < 0 || (uint64_t)v >= t->n))
        return bad(in, t->kind == CZ__AVRO_ENUM ? "no such symbol" : "no such branch");
    *ret = v;
    return true;
}

static bool read_number(struct cz__avro_in *in, const struct cz__avro_type *t, struct cz_buf *out)
{
    int64_t v;
    if (!cz__avro_number(in, t, &v))
        return false;
    if (t->kind == CZ__AVRO_UNION)
        return cz__avro_value(in, t->of[v], out);
    if (out && t->kind == CZ__AVRO_ENUM)
        cz_buf_add_json_string(out, t->symbols[v], strlen(t->symbols[v]));
    else if (out)
        put_int(out, v);
    return true;
}

static bool read_boolean(struct cz__avro_in *in, struct cz_buf *out)
{
    const char *p;
    if (!read_bytes(in, 1, &p))
        return false;
    if (*p != 0 && *p != 1)
        return bad(in, "a boolean is neither 0 nor 1");
    put(out, *p ? "true" : "false", *p ? 4 : 5);
    return true;
}

static bool read_typed(struct cz__avro_in *in, const struct cz__avro_type *t, struct cz_buf *out)
{
    const char *p;
    size_t n = t->size;
    switch (t->kind) {
    case CZ__AVRO_NULL:
        put(out, "null", 4);
        return true;
    case CZ__AVRO_BOOLEAN:
        return read_boolean(in, out);
    case CZ__AVRO_INT:
    case CZ__AVRO_LONG:
    case CZ__AVRO_ENUM:
    case CZ__AVRO_UNION:
        return read_number(in, t, out);
    case CZ__AVRO_FLOAT:
    case CZ__AVRO_DOUBLE:
        return read_real(in, t->kind == CZ__AVRO_FLOAT, out);
    case CZ__AVRO_STRING:
        return cz__avro_sized(in, &p, &n) && put_string(in, p, n, out);
    case CZ__AVRO_BYTES:
    case CZ__AVRO_FIXED:
        if (!(t->kind == CZ__AVRO_BYTES ? cz__avro_sized(in, &p, &n) : read_bytes(in, n, &p)))
            return false;
        if (out)
            put_blob(t, p, n, out);
        return true;
    case CZ__AVRO_RECORD:
        return read_record(in, t, out);
    case CZ__AVRO_ARRAY:
    case CZ__AVRO_MAP:
        return read_blocks(in, t, out);
    }
    return bad(in, "unknown type");
}

bool cz__avro_value(struct cz__avro_in *in, const struct cz__avro_type *t, struct cz_buf *out)
{
    if (in->budget == 0)
        return bad(in, "more values than bytes");
    if (in->depth >= CZ_MAX_AVRO_DEPTH)
        return bad(in, "nested too deep");
    if (out && out->failed)
        return bad(in, "too large as JSON");
    in->budget--;
    in->depth++;
    bool ok = read_typed(in, t, out);
    in->depth--;
    return ok;
}

/* ---- only a part --------------------------------------------------------------------------- */

static bool read_part(struct cz__avro_in *in, const struct cz__avro_part *part, struct cz_buf *out);

static bool record_part(struct cz__avro_in *in, const struct cz__avro_part *part, struct cz_buf *out)
{
    const struct cz__avro_type *t = part->type;
    bool first = true;
    cz_buf_addc(out, '{');
    for (size_t i = 0; i < t->n; i++) {
        if (!part->of[i]) {
            if (!cz__avro_value(in, t->fields[i].type, NULL))
                return false;
            continue;
        }
        if (!first)
            cz_buf_addc(out, ',');
        first = false;
        cz_buf_add(out, t->fields[i].label, t->fields[i].label_len);
        if (!read_part(in, part->of[i], out))
            return false;
    }
    cz_buf_addc(out, '}');
    return true;
}

static bool read_part(struct cz__avro_in *in, const struct cz__avro_part *part, struct cz_buf *out)
{
    int64_t branch;
    if (!part->of)
        return cz__avro_value(in, part->type, out);
    if (in->depth >= CZ_MAX_AVRO_DEPTH)
        return bad(in, "nested too deep");
    in->depth++;
    bool ok = part->type->kind == CZ__AVRO_RECORD
                  ? record_part(in, part, out)
                  : cz__avro_number(in, part->type, &branch) && read_part(in, part->of[branch], out);
    in->depth--;
    return ok;
}

enum cz_err cz_avro_to_json(const struct cz_avro_schema *s,
                            const struct cz_avro_plan *plan,
                            const char *data,
                            size_t len,
                            struct cz_buf *out,
                            struct cz_error *err)
{
    struct cz__avro_in in;
    cz__avro_in_init(&in, data, len);
    bool ok = plan ? read_part(&in, plan->root, out) : cz__avro_value(&in, s->root, out);
    if (ok && in.at != in.end)
        ok = bad(&in, "bytes follow the datum");
    if (out && out->failed)
        return cz_fail(err, CZ_E_TOO_LARGE, "the Avro datum is over %zu bytes as JSON", out->max);
    if (!ok)
        return cz_fail(err, CZ_E_PARSE, "Avro byte %zu: %s", (size_t)(in.at - in.start), in.why);
    return CZ_OK;
}
