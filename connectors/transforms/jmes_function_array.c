/* SPDX-License-Identifier: Apache-2.0 */
/* Functions over arrays and objects. Sorting is stable (merge sort in the lane's arena). */
#include <math.h>
#include <string.h>

#include "jmes_priv.h"

/* All elements of one type, numbers or strings (made plain in @items, a copy or NULL)? */
static enum cz_err
check_elements(struct cz__call *c, struct cz_jval array, uint8_t type, const char *wanted)
{
    for (uint32_t i = 0; i < array.len; i++) {
        if (array.u.items[i].type != type)
            return cz__type_error(c, wanted, array.u.items[i]);
    }
    return cz__charge(c->e, array.len);
}

static enum cz_err copy_plain(struct cz__call *c, struct cz_jval array, struct cz_jval **ret)
{
    struct cz_jval *items = cz_arena_array(&c->e->arena, array.len, sizeof(*items));
    if (!items)
        return cz__no_memory(c->e);
    for (uint32_t i = 0; i < array.len; i++) {
        items[i] = array.u.items[i];
        if (items[i].type == CZ_J_STRING && cz__plain(c->e, &items[i]) != CZ_OK)
            return CZ_E_LIMIT;
    }
    *ret = items;
    return CZ_OK;
}

static enum cz_err double_result(struct cz__call *c, double d, struct cz_jval *ret)
{
    if (!isfinite(d))
        return cz__jmes_fail(c->e->err, CZ_JMESPATH_INVALID_VALUE, c->node->pos,
                             "%s(): the result is too large for a number",
                             cz__functions[c->node->function].name);
    *ret = (struct cz_jval){.type = CZ_J_NUMBER, .flags = CZ_J_DBL, .u.d = d};
    return CZ_OK;
}

/* Exact while all are integers and the sum fits. */
enum cz_err cz__fn_sum(struct cz__call *c, struct cz_jval *ret)
{
    struct cz_jval array = c->args[0];
    enum cz_err rc = check_elements(c, array, CZ_J_NUMBER, "an array of numbers");
    if (rc != CZ_OK)
        return rc;
    int64_t exact = 0, i64;
    double sum = 0;
    bool is_exact = true;
    for (uint32_t i = 0; i < array.len; i++) {
        sum += cz_jnum_double(array.u.items[i]);
        is_exact = is_exact && cz_jnum_int(array.u.items[i], &i64) &&
                   !__builtin_add_overflow(exact, i64, &exact);
    }
    if (!is_exact)
        return double_result(c, sum, ret);
    *ret = cz_jval_int(exact);
    return CZ_OK;
}

enum cz_err cz__fn_avg(struct cz__call *c, struct cz_jval *ret)
{
    uint32_t n = c->args[0].len;
    struct cz_jval sum;
    *ret = CZ_JNULL;
    enum cz_err rc = cz__fn_sum(c, &sum);
    if (rc != CZ_OK || n == 0)
        return rc;
    if ((sum.flags & CZ_J_INT) && sum.u.i % n == 0) {
        *ret = cz_jval_int(sum.u.i / n);
        return CZ_OK;
    }
    return double_result(c, cz_jnum_double(sum) / n, ret);
}

enum cz_err cz__fn_join(struct cz__call *c, struct cz_jval *ret)
{
    struct cz_jval glue = c->args[0], array = c->args[1], *items = NULL;
    enum cz_err rc = check_elements(c, array, CZ_J_STRING, "an array of strings");
    if (rc == CZ_OK)
        rc = cz__plain(c->e, &glue);
    if (rc == CZ_OK)
        rc = copy_plain(c, array, &items);
    if (rc != CZ_OK)
        return rc;
    size_t total = array.len > 1 ? (size_t)glue.len * (array.len - 1) : 0;
    for (uint32_t i = 0; i < array.len; i++)
        total += items[i].len;
    char *out = cz_arena_alloc(&c->e->arena, total), *at = out;
    if (!out)
        return cz__no_memory(c->e);
    for (uint32_t i = 0; i < array.len; i++) {
        if (i > 0) {
            memcpy(at, glue.u.s, glue.len);
            at += glue.len;
        }
        memcpy(at, items[i].u.s, items[i].len);
        at += items[i].len;
    }
    *ret = cz_jval_str(out, total);
    return CZ_OK;
}

static enum cz_err parts(struct cz__call *c, bool keys, struct cz_jval *ret)
{
    struct cz_jval o = c->args[0];
    struct cz_jval *items = cz_arena_array(&c->e->arena, o.len, sizeof(*items));
    if (!items)
        return cz__no_memory(c->e);
    for (uint32_t i = 0; i < o.len; i++)
        items[i] = keys ? o.u.members[i].key : o.u.members[i].val;
    *ret = (struct cz_jval){.type = CZ_J_ARRAY, .len = o.len, .u.items = items};
    return cz__charge(c->e, o.len);
}

enum cz_err cz__fn_keys(struct cz__call *c, struct cz_jval *ret)
{
    return parts(c, true, ret);
}

enum cz_err cz__fn_values(struct cz__call *c, struct cz_jval *ret)
{
    return parts(c, false, ret);
}

enum cz_err cz__fn_map(struct cz__call *c, struct cz_jval *ret)
{
    const struct cz__node *expr = c->args[0].u.expr;
    struct cz_jval array = c->args[1];
    struct cz_jval *items = cz_arena_array(&c->e->arena, array.len, sizeof(*items));
    if (!items)
        return cz__no_memory(c->e);
    for (uint32_t i = 0; i < array.len; i++) {
        enum cz_err rc = cz__eval(c->e, expr, array.u.items[i], &items[i]);
        if (rc != CZ_OK)
            return rc;
    }
    *ret = (struct cz_jval){.type = CZ_J_ARRAY, .len = array.len, .u.items = items};
    return CZ_OK;
}

static uint32_t find_member(const struct cz_jmember *m, uint32_t n, struct cz_jval key)
{
    uint32_t i = 0;
    while (i < n && (m[i].key.len != key.len || memcmp(m[i].key.u.s, key.u.s, key.len) != 0))
        i++;
    return i;
}

/* The first argument's members cannot collide with each other; later ones are searched. */
enum cz_err cz__fn_merge(struct cz__call *c, struct cz_jval *ret)
{
    size_t total = 0;
    for (uint32_t i = 0; i < c->n; i++)
        total += c->args[i].len;
    struct cz_jmember *m = cz_arena_array(&c->e->arena, total, sizeof(*m));
    if (!m)
        return cz__no_memory(c->e);
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        uint32_t before = n;
        for (uint32_t k = 0; k < c->args[i].len; k++) {
            const struct cz_jmember *from = &c->args[i].u.members[k];
            uint32_t at = find_member(m, before, from->key);
            enum cz_err rc = cz__charge(c->e, 1 + before / 16);
            if (rc != CZ_OK)
                return rc;
            if (at == before)
                at = n++;
            m[at] = *from;
        }
    }
    *ret = (struct cz_jval){.type = CZ_J_OBJECT, .len = n, .u.members = m};
    return CZ_OK;
}

struct keyed {
    struct cz_jval key, val;
};

/* Stable bottom-up merge sort of pairs[0..n); @two has room for n as well. Returns the half. */
static struct keyed *sort_keyed(struct keyed *from, struct keyed *to, uint32_t n)
{
    for (uint64_t width = 1; width < n; width *= 2) {
        for (uint64_t lo = 0; lo < n; lo += 2 * width) {
            uint64_t mid = lo + width < n ? lo + width : n;
            uint64_t hi = lo + 2 * width < n ? lo + 2 * width : n;
            for (uint64_t i = lo, j = mid, k = lo; k < hi; k++) {
                bool left = i < mid && (j >= hi || cz__order(from[i].key, from[j].key) <= 0);
                to[k] = left ? from[i++] : from[j++];
            }
        }
        struct keyed *swap = from;
        from = to;
        to = swap;
    }
    return from;
}

/* Keys of the elements (@expr NULL: the elements themselves), all numbers or all strings.
 * *ret has room for twice the elements. */
static enum cz_err keyed_elements(struct cz__call *c,
                                  struct cz_jval array,
                                  const struct cz__node *expr,
                                  struct keyed **ret)
{
    struct keyed *pairs = cz_arena_array(&c->e->arena, (size_t)array.len * 2, sizeof(*pairs));
    if (!pairs)
        return cz__no_memory(c->e);
    for (uint32_t i = 0; i < array.len; i++) {
        struct keyed *p = &pairs[i];
        p->key = p->val = array.u.items[i];
        enum cz_err rc = expr ? cz__eval(c->e, expr, p->val, &p->key) : CZ_OK;
        if (rc != CZ_OK)
            return rc;
        bool sortable = p->key.type == CZ_J_NUMBER || p->key.type == CZ_J_STRING;
        if (!sortable || p->key.type != pairs[0].key.type)
            return cz__type_error(c,
                                  expr ? "keys that are all numbers or all strings"
                                       : "all numbers or all strings",
                                  p->key);
        if (p->key.type == CZ_J_STRING && cz__plain(c->e, &p->key) != CZ_OK)
            return CZ_E_LIMIT;
    }
    *ret = pairs;
    unsigned rounds = array.len > 1 ? 32U - (unsigned)__builtin_clz(array.len) : 1;
    return cz__charge(c->e, (uint64_t)array.len * rounds / 4);
}

static enum cz_err sort(struct cz__call *c, const struct cz__node *expr, struct cz_jval *ret)
{
    struct cz_jval array = c->args[0];
    struct keyed *pairs = NULL;
    enum cz_err rc = keyed_elements(c, array, expr, &pairs);
    if (rc != CZ_OK)
        return rc;
    pairs = sort_keyed(pairs, pairs + array.len, array.len);
    struct cz_jval *items = cz_arena_array(&c->e->arena, array.len, sizeof(*items));
    if (!items)
        return cz__no_memory(c->e);
    for (uint32_t i = 0; i < array.len; i++)
        items[i] = pairs[i].val;
    *ret = (struct cz_jval){.type = CZ_J_ARRAY, .len = array.len, .u.items = items};
    return CZ_OK;
}

enum cz_err cz__fn_sort(struct cz__call *c, struct cz_jval *ret)
{
    return sort(c, NULL, ret);
}

enum cz_err cz__fn_sort_by(struct cz__call *c, struct cz_jval *ret)
{
    return sort(c, c->args[1].u.expr, ret);
}

/* The first of the extreme ones; of an empty array null. */
static enum cz_err
extreme(struct cz__call *c, const struct cz__node *expr, int sign, struct cz_jval *ret)
{
    struct cz_jval array = c->args[0];
    struct keyed *pairs = NULL;
    enum cz_err rc = keyed_elements(c, array, expr, &pairs);
    if (rc != CZ_OK)
        return rc;
    uint32_t best = 0;
    for (uint32_t i = 1; i < array.len; i++) {
        if (cz__order(pairs[i].key, pairs[best].key) * sign > 0)
            best = i;
    }
    *ret = array.len ? pairs[best].val : CZ_JNULL;
    return CZ_OK;
}

enum cz_err cz__fn_max(struct cz__call *c, struct cz_jval *ret)
{
    return extreme(c, NULL, 1, ret);
}

enum cz_err cz__fn_min(struct cz__call *c, struct cz_jval *ret)
{
    return extreme(c, NULL, -1, ret);
}

enum cz_err cz__fn_max_by(struct cz__call *c, struct cz_jval *ret)
{
    return extreme(c, c->args[1].u.expr, 1, ret);
}

enum cz_err cz__fn_min_by(struct cz__call *c, struct cz_jval *ret)
{
    return extreme(c, c->args[1].u.expr, -1, ret);
}
