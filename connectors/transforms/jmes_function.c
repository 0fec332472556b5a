/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of the specification, in one table; here those over single values, in
 * jmes_function_array.c those over arrays and objects. */
#include <math.h>
#include <string.h>

#include "jmes_priv.h"

const char *cz__type_name(struct cz_jval v)
{
    static const char *const names[] = {
        [CZ_J_NULL] = "null",     [CZ_J_FALSE] = "boolean",     [CZ_J_TRUE] = "boolean",
        [CZ_J_NUMBER] = "number", [CZ_J_STRING] = "string",     [CZ_J_ARRAY] = "array",
        [CZ_J_OBJECT] = "object", [CZ_J_EXPREF] = "&expression"};
    return names[v.type];
}

enum cz_err cz__type_error(struct cz__call *c, const char *wanted, struct cz_jval got)
{
    return cz__jmes_fail(c->e->err, CZ_JMESPATH_INVALID_TYPE, c->node->pos,
                         "%s() needs %s, not %s", cz__functions[c->node->function].name, wanted,
                         cz__type_name(got));
}

static enum cz_err fn_abs(struct cz__call *c, struct cz_jval *ret)
{
    struct cz_jval v = c->args[0];
    if (v.flags & CZ_J_DBL) {
        v.u.d = fabs(v.u.d);
    } else if (v.flags & CZ_J_INT) {
        if (v.u.i == INT64_MIN)
            v = (struct cz_jval){
                .type = CZ_J_NUMBER, .flags = CZ_J_DBL, .u.d = -(double)INT64_MIN};
        else if (v.u.i < 0)
            v.u.i = -v.u.i;
    } else if (v.u.s[0] == '-') {
        v.u.s++;
        v.len--;
    }
    *ret = v;
    return CZ_OK;
}

/* An integer stays as it is, whatever its size. */
static enum cz_err round_by(struct cz__call *c, double (*round_fn)(double), struct cz_jval *ret)
{
    int64_t i;
    struct cz_jval v = c->args[0];
    if (cz_jnum_int(v, &i)) {
        *ret = cz_jval_int(i);
        return CZ_OK;
    }
    double d = cz_jnum_double(v);
    if (fabs(d) < 9007199254740992.0)
        *ret = cz_jval_int((int64_t)round_fn(d));
    else
        *ret = v;
    return CZ_OK;
}

static enum cz_err fn_ceil(struct cz__call *c, struct cz_jval *ret)
{
    return round_by(c, ceil, ret);
}

static enum cz_err fn_floor(struct cz__call *c, struct cz_jval *ret)
{
    return round_by(c, floor, ret);
}

static enum cz_err fn_contains(struct cz__call *c, struct cz_jval *ret)
{
    struct cz_jval in = c->args[0], what = c->args[1];
    bool found = false;
    enum cz_err rc = CZ_OK;
    if (in.type == CZ_J_STRING && what.type == CZ_J_STRING) {
        if (cz__plain(c->e, &in) != CZ_OK || cz__plain(c->e, &what) != CZ_OK)
            return CZ_E_LIMIT;
        found = what.len == 0 || memmem(in.u.s, in.len, what.u.s, what.len);
    }
    if (in.type == CZ_J_ARRAY) {
        for (uint32_t i = 0; rc == CZ_OK && !found && i < in.len; i++)
            rc = cz__equal(c->e, in.u.items[i], what, &found);
    }
    *ret = cz_jval_bool(found);
    return rc;
}

static enum cz_err has_affix(struct cz__call *c, bool at_end, struct cz_jval *ret)
{
    struct cz_jval s = c->args[0], part = c->args[1];
    if (cz__plain(c->e, &s) != CZ_OK || cz__plain(c->e, &part) != CZ_OK)
        return CZ_E_LIMIT;
    const char *at = at_end ? s.u.s + s.len - (part.len <= s.len ? part.len : 0) : s.u.s;
    *ret = cz_jval_bool(part.len <= s.len && memcmp(at, part.u.s, part.len) == 0);
    return CZ_OK;
}

static enum cz_err fn_starts_with(struct cz__call *c, struct cz_jval *ret)
{
    return has_affix(c, false, ret);
}

static enum cz_err fn_ends_with(struct cz__call *c, struct cz_jval *ret)
{
    return has_affix(c, true, ret);
}

/* Of a string: code points. */
static enum cz_err fn_length(struct cz__call *c, struct cz_jval *ret)
{
    struct cz_jval v = c->args[0];
    uint32_t n = v.len;
    if (v.type == CZ_J_STRING) {
        if (cz__plain(c->e, &v) != CZ_OK)
            return CZ_E_LIMIT;
        n = 0;
        for (uint32_t i = 0; i < v.len; i++)
            n += ((uint8_t)v.u.s[i] & 0xC0) != 0x80;
    }
    *ret = cz_jval_int(n);
    return CZ_OK;
}

static enum cz_err fn_not_null(struct cz__call *c, struct cz_jval *ret)
{
    *ret = CZ_JNULL;
    for (uint32_t i = 0; i < c->n && ret->type == CZ_J_NULL; i++)
        *ret = c->args[i];
    return CZ_OK;
}

static enum cz_err reverse_string(struct cz__call *c, struct cz_jval v, struct cz_jval *ret)
{
    if (cz__plain(c->e, &v) != CZ_OK)
        return CZ_E_LIMIT;
    char *out = cz_arena_alloc(&c->e->arena, v.len);
    if (!out)
        return cz__no_memory(c->e);
    uint32_t end = v.len, n = 0;
    while (end > 0) {
        uint32_t start = end - 1;
        while (start > 0 && ((uint8_t)v.u.s[start] & 0xC0) == 0x80)
            start--;
        memcpy(out + n, v.u.s + start, end - start);
        n += end - start;
        end = start;
    }
    *ret = cz_jval_str(out, n);
    return CZ_OK;
}

static enum cz_err fn_reverse(struct cz__call *c, struct cz_jval *ret)
{
    struct cz_jval v = c->args[0];
    if (v.type == CZ_J_STRING)
        return reverse_string(c, v, ret);
    struct cz_jval *items = cz_arena_array(&c->e->arena, v.len, sizeof(*items));
    if (!items)
        return cz__no_memory(c->e);
    for (uint32_t i = 0; i < v.len; i++)
        items[i] = v.u.items[v.len - 1 - i];
    *ret = (struct cz_jval){.type = CZ_J_ARRAY, .len = v.len, .u.items = items};
    return cz__charge(c->e, v.len);
}

static enum cz_err fn_to_array(struct cz__call *c, struct cz_jval *ret)
{
    *ret = c->args[0];
    if (ret->type == CZ_J_ARRAY)
        return CZ_OK;
    struct cz_jval *item = cz_arena_alloc(&c->e->arena, sizeof(*item));
    if (!item)
        return cz__no_memory(c->e);
    *item = *ret;
    *ret = (struct cz_jval){.type = CZ_J_ARRAY, .len = 1, .u.items = item};
    return CZ_OK;
}

static enum cz_err fn_to_number(struct cz__call *c, struct cz_jval *ret)
{
    struct cz_jval v = c->args[0];
    *ret = v.type == CZ_J_NUMBER ? v : CZ_JNULL;
    if (v.type != CZ_J_STRING)
        return CZ_OK;
    if (cz__plain(c->e, &v) != CZ_OK)
        return CZ_E_LIMIT;
    if (cz_jnum_valid(v.u.s, v.len))
        *ret = (struct cz_jval){.type = CZ_J_NUMBER, .len = v.len, .u.s = v.u.s};
    return CZ_OK;
}

static enum cz_err fn_to_string(struct cz__call *c, struct cz_jval *ret)
{
    *ret = c->args[0];
    if (ret->type == CZ_J_STRING)
        return CZ_OK;
    struct cz_buf *b = &c->e->scratch;
    cz_buf_clear(b);
    cz_jval_write(b, c->args[0]);
    char *copy = b->failed ? NULL : cz_arena_alloc(&c->e->arena, b->len);
    if (!copy)
        return cz__no_memory(c->e);
    memcpy(copy, b->data, b->len);
    *ret = cz_jval_str(copy, b->len);
    return cz__charge(c->e, b->len / 16);
}

static enum cz_err fn_type(struct cz__call *c, struct cz_jval *ret)
{
    const char *name = cz__type_name(c->args[0]);
    *ret = cz_jval_str(name, strlen(name));
    return CZ_OK;
}

#define ANY CZ__A_ANY
#define NUM CZ__A_NUMBER
#define STR CZ__A_STRING
#define ARR CZ__A_ARRAY
#define OBJ CZ__A_OBJECT
#define EXP CZ__A_EXPREF

const struct cz__function_def cz__functions[] = {
    {"abs", fn_abs, 1, 1, {NUM, 0}},
    {"avg", cz__fn_avg, 1, 1, {ARR, 0}},
    {"ceil", fn_ceil, 1, 1, {NUM, 0}},
    {"contains", fn_contains, 2, 2, {ARR | STR, ANY}},
    {"ends_with", fn_ends_with, 2, 2, {STR, STR}},
    {"floor", fn_floor, 1, 1, {NUM, 0}},
    {"join", cz__fn_join, 2, 2, {STR, ARR}},
    {"keys", cz__fn_keys, 1, 1, {OBJ, 0}},
    {"length", fn_length, 1, 1, {STR | ARR | OBJ, 0}},
    {"map", cz__fn_map, 2, 2, {EXP, ARR}},
    {"max", cz__fn_max, 1, 1, {ARR, 0}},
    {"max_by", cz__fn_max_by, 2, 2, {ARR, EXP}},
    {"merge", cz__fn_merge, 1, 255, {OBJ, OBJ}},
    {"min", cz__fn_min, 1, 1, {ARR, 0}},
    {"min_by", cz__fn_min_by, 2, 2, {ARR, EXP}},
    {"not_null", fn_not_null, 1, 255, {ANY, ANY}},
    {"reverse", fn_reverse, 1, 1, {STR | ARR, 0}},
    {"sort", cz__fn_sort, 1, 1, {ARR, 0}},
    {"sort_by", cz__fn_sort_by, 2, 2, {ARR, EXP}},
    {"starts_with", fn_starts_with, 2, 2, {STR, STR}},
    {"sum", cz__fn_sum, 1, 1, {ARR, 0}},
    {"to_array", fn_to_array, 1, 1, {ANY, 0}},
    {"to_number", fn_to_number, 1, 1, {ANY, 0}},
    {"to_string", fn_to_string, 1, 1, {ANY, 0}},
    {"type", fn_type, 1, 1, {ANY, 0}},
    {"values", cz__fn_values, 1, 1, {OBJ, 0}},
};

int cz__function_find(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof(cz__functions) / sizeof(cz__functions[0]); i++) {
        const char *known = cz__functions[i].name;
        if (strlen(known) == len && memcmp(known, name, len) == 0)
            return (int)i;
    }
    return -1;
}
