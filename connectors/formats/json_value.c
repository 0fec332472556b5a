/* SPDX-License-Identifier: Apache-2.0 */
/* Values: making, comparing, looking up, writing. */
#include "json_priv.h"

struct cz_jval cz_jval_bool(bool b)
{
    return (struct cz_jval){.type = b ? CZ_J_TRUE : CZ_J_FALSE};
}

struct cz_jval cz_jval_int(int64_t i)
{
    return (struct cz_jval){.type = CZ_J_NUMBER, .flags = CZ_J_INT, .u.i = i};
}

struct cz_jval cz_jval_str(const char *s, size_t n)
{
    return (struct cz_jval){.type = CZ_J_STRING, .len = (uint32_t)n, .u.s = s};
}

bool cz_jval_plain(struct cz_arena *a, struct cz_jval *v)
{
    if (!(v->flags & CZ_J_RAW))
        return true;
    char *out = cz_arena_alloc(a, (size_t)v->len + 4);
    if (!out)
        return false;
    v->len = cz__unescape(v->u.s, v->len, out);
    v->u.s = out;
    v->flags = 0;
    return true;
}

struct cz_jval cz_jval_get(struct cz_jval o, const char *key, size_t len)
{
    if (o.type != CZ_J_OBJECT)
        return CZ_JNULL;
    for (uint32_t i = o.len; i-- > 0;) {
        const struct cz_jmember *m = &o.u.members[i];
        if (m->key.len == len && memcmp(m->key.u.s, key, len) == 0)
            return m->val;
    }
    return CZ_JNULL;
}

/* The bytes of a string one by one, escapes decoded. */
struct chars {
    const char *s, *end;
    bool raw;
    unsigned n, at;
    char c[4];
};

static int next_byte(struct chars *i)
{
    if (i->at < i->n)
        return (unsigned char)i->c[i->at++];
    if (i->s >= i->end)
        return -1;
    if (!i->raw)
        return (unsigned char)*i->s++;
    i->n = cz__next_char(&i->s, i->end, i->c);
    i->at = 1;
    return (unsigned char)i->c[0];
}

static bool strings_equal(const struct cz_jval *a, const struct cz_jval *b)
{
    if (!((a->flags | b->flags) & CZ_J_RAW))
        return a->len == b->len && memcmp(a->u.s, b->u.s, a->len) == 0;
    struct chars x = {.s = a->u.s, .end = a->u.s + a->len, .raw = a->flags & CZ_J_RAW};
    struct chars y = {.s = b->u.s, .end = b->u.s + b->len, .raw = b->flags & CZ_J_RAW};
    for (;;) {
        int p = next_byte(&x), q = next_byte(&y);
        if (p != q)
            return false;
        if (p < 0)
            return true;
    }
}

static bool spend(uint64_t *budget)
{
    if (*budget == 0)
        return false;
    --*budget;
    return true;
}

/* Members in the same order are found at once; others cost a search each, hence the budget. */
static bool objects_equal(const struct cz_jval *a, const struct cz_jval *b, uint64_t *budget)
{
    if (a->len != b->len)
        return false;
    for (uint32_t i = 0; i < a->len; i++) {
        const struct cz_jmember *m = &a->u.members[i];
        uint32_t k = i, tries = 0;
        while (!strings_equal(&m->key, &b->u.members[k].key)) {
            if (++tries == b->len || !spend(budget))
                return false;
            k = k + 1 == b->len ? 0 : k + 1;
        }
        if (!cz_jval_equal_within(m->val, b->u.members[k].val, budget))
            return false;
    }
    return true;
}

bool cz_jval_equal_within(struct cz_jval a, struct cz_jval b, uint64_t *budget)
{
    if (a.type != b.type || !spend(budget))
        return false;
    switch ((enum cz_jtype)a.type) {
    case CZ_J_NUMBER:
        return cz_jnum_compare(a, b) == 0;
    case CZ_J_STRING:
        return strings_equal(&a, &b);
    case CZ_J_OBJECT:
        return objects_equal(&a, &b, budget);
    case CZ_J_EXPREF:
        return a.u.expr == b.u.expr;
    case CZ_J_ARRAY:
        if (a.len != b.len)
            return false;
        for (uint32_t i = 0; i < a.len; i++) {
            if (!cz_jval_equal_within(a.u.items[i], b.u.items[i], budget))
                return false;
        }
        return true;
    case CZ_J_NULL:
    case CZ_J_FALSE:
    case CZ_J_TRUE:
        break;
    }
    return true;
}

bool cz_jval_equal(struct cz_jval a, struct cz_jval b)
{
    uint64_t budget = UINT64_MAX;
    return cz_jval_equal_within(a, b, &budget);
}

static void write_string(struct cz_buf *out, const struct cz_jval *v)
{
    if (!(v->flags & CZ_J_RAW)) {
        cz_buf_add_json_string(out, v->u.s, v->len);
        return;
    }
    cz_buf_addc(out, '"');
    cz_buf_add(out, v->u.s, v->len);
    cz_buf_addc(out, '"');
}

static void write_container(struct cz_buf *out, const struct cz_jval *v)
{
    bool object = v->type == CZ_J_OBJECT;
    cz_buf_addc(out, object ? '{' : '[');
    for (uint32_t i = 0; i < v->len && !out->failed; i++) {
        if (i > 0)
            cz_buf_addc(out, ',');
        if (object) {
            write_string(out, &v->u.members[i].key);
            cz_buf_addc(out, ':');
        }
        cz_jval_write(out, object ? v->u.members[i].val : v->u.items[i]);
    }
    cz_buf_addc(out, object ? '}' : ']');
}

void cz_jval_write(struct cz_buf *out, struct cz_jval v)
{
    switch ((enum cz_jtype)v.type) {
    case CZ_J_NULL:
    case CZ_J_EXPREF: /* a reference to an expression is no value */
        cz_buf_add(out, "null", 4);
        break;
    case CZ_J_FALSE:
        cz_buf_add(out, "false", 5);
        break;
    case CZ_J_TRUE:
        cz_buf_add(out, "true", 4);
        break;
    case CZ_J_NUMBER:
        cz__number_write(out, &v);
        break;
    case CZ_J_STRING:
        write_string(out, &v);
        break;
    case CZ_J_ARRAY:
    case CZ_J_OBJECT:
        write_container(out, &v);
        break;
    }
}
