/* SPDX-License-Identifier: Apache-2.0 */
/* Trees of a document's parts, in an arena, and the complete check.  The tokens have been
 * walked, so the brackets are known to match; what is checked here are the scalars. */
#include "cz/limits.h"
#include "json_priv.h"

struct builder {
    const struct cz_json_doc *d;
    struct cz_arena *a;
    struct cz_jval *stack;
    uint32_t sp;
    unsigned depth;
    uint32_t base[CZ_MAX_RECORD_JSON_DEPTH + 1];
};

static enum cz_err no_room(struct cz_error *err)
{
    return cz_fail(err, CZ_E_LIMIT, "the record needs more than the memory of one evaluation");
}

static int compare_keys(const struct cz_jmember *m, uint32_t a, uint32_t b)
{
    const struct cz_jval *x = &m[a].key, *y = &m[b].key;
    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return memcmp(x->u.s, y->u.s, x->len);
}

/* Sort the numbers 0..n-1 by key, stable (bottom-up merge). Returns the sorted half of @two. */
static uint32_t *sort_members(const struct cz_jmember *m, uint32_t n, uint32_t *two)
{
    uint32_t *from = two, *to = two + n;
    for (uint32_t i = 0; i < n; i++)
        from[i] = i;
    for (uint64_t width = 1; width < n; width *= 2) {
        for (uint64_t lo = 0; lo < n; lo += 2 * width) {
            uint64_t mid = lo + width < n ? lo + width : n;
            uint64_t hi = lo + 2 * width < n ? lo + 2 * width : n;
            for (uint64_t i = lo, j = mid, k = lo; k < hi; k++) {
                bool left = i < mid && (j >= hi || compare_keys(m, from[i], from[j]) <= 0);
                to[k] = left ? from[i++] : from[j++];
            }
        }
        uint32_t *swap = from;
        from = to;
        to = swap;
    }
    return from;
}

/* The first of equal keys keeps its place and gets the last one's value. A removed member has a
 * key of type null until compact(). */
static bool mark_many(struct cz_arena *a, struct cz_jmember *m, uint32_t n, bool *ret_found)
{
    uint32_t *two = cz_arena_array(a, (size_t)n * 2, sizeof(*two));
    if (!two)
        return false;
    const uint32_t *order = sort_members(m, n, two);
    for (uint32_t i = 0, first = 0; i + 1 < n; i++) {
        if (compare_keys(m, order[first], order[i + 1]) != 0) {
            first = i + 1;
            continue;
        }
        m[order[first]].val = m[order[i + 1]].val;
        m[order[i + 1]].key.flags = CZ_J_INT; /* marked; compared by text only */
        *ret_found = true;
    }
    return true;
}

static void mark_few(struct cz_jmember *m, uint32_t n, bool *ret_found)
{
    for (uint32_t i = 1; i < n; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if ((m[k].key.flags & CZ_J_INT) || compare_keys(m, k, i) != 0)
                continue;
            m[k].val = m[i].val;
            m[i].key.flags = CZ_J_INT;
            *ret_found = true;
            break;
        }
    }
}

static bool drop_duplicates(struct cz_arena *a, struct cz_jmember *m, uint32_t *n)
{
    bool found = false;
    if (*n <= 16)
        mark_few(m, *n, &found);
    else if (!mark_many(a, m, *n, &found))
        return false;
    if (!found)
        return true;
    uint32_t keep = 0;
    for (uint32_t i = 0; i < *n; i++) {
        if (!(m[i].key.flags & CZ_J_INT))
            m[keep++] = m[i];
    }
    *n = keep;
    return true;
}

static bool close_array(struct builder *b, uint32_t n, struct cz_jval *ret)
{
    struct cz_jval *items = cz_arena_array(b->a, n, sizeof(*items));
    if (!items)
        return false;
    memcpy(items, b->stack + b->sp, n * sizeof(*items));
    *ret = (struct cz_jval){.type = CZ_J_ARRAY, .len = n, .u.items = items};
    return true;
}

static bool close_object(struct builder *b, uint32_t n, struct cz_jval *ret)
{
    uint32_t count = n / 2; /* key, value, key, value: the layout of members */
    struct cz_jmember *m = cz_arena_array(b->a, count, sizeof(*m));
    if (!m)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        m[i].key = b->stack[b->sp + 2 * i];
        m[i].val = b->stack[b->sp + 2 * i + 1];
        if (m[i].key.flags && !cz_jval_plain(b->a, &m[i].key))
            return false;
    }
    if (!drop_duplicates(b->a, m, &count))
        return false;
    *ret = (struct cz_jval){.type = CZ_J_OBJECT, .len = count, .u.members = m};
    return true;
}

static bool close_container(struct builder *b, char bracket)
{
    struct cz_jval v;
    uint32_t n = b->sp - b->base[b->depth - 1];
    b->depth--;
    b->sp -= n;
    if (!(bracket == ']' ? close_array(b, n, &v) : close_object(b, n, &v)))
        return false;
    b->stack[b->sp++] = v;
    return true;
}

static enum cz_err build(struct builder *b, uint32_t tok, uint32_t end, struct cz_error *err)
{
    for (uint32_t i = tok; i < end; i++) {
        char c = b->d->data[b->d->token[i]];
        if (c == ',' || c == ':')
            continue;
        if (c == '{' || c == '[') {
            b->base[b->depth++] = b->sp;
            continue;
        }
        if (c == '}' || c == ']') {
            if (!close_container(b, c))
                return no_room(err);
            continue;
        }
        enum cz_err rc = cz__scalar(b->d, i, &b->stack[b->sp], err);
        if (rc != CZ_OK)
            return rc;
        b->sp++;
    }
    return CZ_OK;
}

enum cz_err cz_json_doc_value(const struct cz_json_doc *d,
                              struct cz_json_hit hit,
                              struct cz_arena *a,
                              struct cz_jval *ret,
                              struct cz_error *err)
{
    if (hit.tok == 0) {
        *ret = CZ_JNULL;
        return CZ_OK;
    }
    uint32_t tok = hit.tok - 1, end = hit.end - 1;
    if (end - tok == 1)
        return cz__scalar(d, tok, ret, err);
    CZ__SCRATCH struct builder b;
    b.d = d;
    b.a = a;
    b.sp = 0;
    b.depth = 0;
    /* Each value on the stack stands for at least two tokens: itself and a comma or bracket. */
    b.stack = cz_arena_array(a, (end - tok) / 2 + 2, sizeof(*b.stack));
    if (!b.stack)
        return no_room(err);
    enum cz_err rc = build(&b, tok, end, err);
    if (rc == CZ_OK)
        *ret = b.stack[0];
    return rc;
}

struct cz_slice cz_json_doc_text(const struct cz_json_doc *d, struct cz_json_hit hit)
{
    if (hit.tok == 0)
        return (struct cz_slice){NULL, 0};
    uint32_t start = d->token[hit.tok - 1];
    uint32_t next = hit.end - 1 < d->n ? d->token[hit.end - 1] : d->len;
    return (struct cz_slice){d->data + start, cz__token_end(d->data, start, next) - start};
}

enum cz_err cz_json_doc_check_full(const struct cz_json_doc *d, struct cz_error *err)
{
    for (uint32_t i = 0; i < d->n; i++) {
        uint8_t class = cz__class[(uint8_t)d->data[d->token[i]]];
        if (class != CZ__SCALAR && class != CZ__QUOTE)
            continue;
        struct cz_jval v;
        enum cz_err rc = cz__scalar(d, i, &v, err);
        if (rc != CZ_OK)
            return rc;
    }
    return CZ_OK;
}

enum cz_err cz_json_read(struct cz_json_doc *d,
                         struct cz_arena *a,
                         const char *data,
                         size_t len,
                         struct cz_jval *ret,
                         struct cz_error *err)
{
    enum cz_err rc = cz_json_doc_index(d, data, len, err);
    if (rc == CZ_OK)
        rc = cz_json_doc_walk(d, NULL, NULL, err);
    if (rc == CZ_OK)
        rc = cz_json_doc_value(d, (struct cz_json_hit){1, d->n + 1}, a, ret, err);
    return rc;
}
