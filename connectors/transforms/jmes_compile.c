/* SPDX-License-Identifier: Apache-2.0 */
/* From the parsed tree to the fast program: every path that starts at the root becomes a slot,
 * which the walk over a record fills through the trie.  What is evaluated over elements (the
 * right side of a projection, a filter's condition, an expression reference) stays as it is,
 * since its current value is no path of the root. */
#include <string.h>

#include "cz/alloc.h"
#include "jmes_priv.h"

#define NAME(s)                                                                                \
    {                                                                                          \
        s, sizeof(s) - 1                                                                       \
    }
const struct cz_slice cz__member_names[CZ__M_COUNT] = {
    [CZ__M_KEY] = NAME("key"),
    [CZ__M_VALUE] = NAME("value"),
    [CZ__M_HEADERS] = NAME("headers"),
    [CZ__M_TOPIC] = NAME("topic"),
    [CZ__M_PARTITION] = NAME("partition"),
    [CZ__M_OFFSET] = NAME("offset"),
    [CZ__M_TIMESTAMP] = NAME("timestamp"),
};

/* The memory of a program: its nodes grow with its text. */
#define PROGRAM_MEMORY ((size_t)CZ_MAX_EXPRESSION * 1024)

struct rewriter {
    struct cz_jmespath *x;
    struct cz_arena *a;
};
typedef struct cz_json_trie *path;

static bool is_path(const struct cz__node *n)
{
    switch ((int)n->op) {
    case CZ__CURRENT:
    case CZ__FIELD:
        return true;
    case CZ__INDEX:
        return n->u.index >= 0;
    case CZ__CHAIN:
        for (uint32_t i = 0; i < n->n; i++) {
            if (!is_path(n->kids[i]))
                return false;
        }
        return true;
    default:
        return false;
    }
}

/* The trie's node of a path that is_path() has found. NULL: out of memory. */
static path path_of(struct rewriter *r, const struct cz__node *n, path base)
{
    if (n->op == CZ__FIELD)
        return cz_json_trie_child(r->a, base, n->u.val.u.s, n->u.val.len, 0);
    if (n->op == CZ__INDEX)
        return cz_json_trie_child(r->a, base, NULL, 0, (uint32_t)n->u.index);
    if (n->op == CZ__CHAIN) {
        for (uint32_t i = 0; base && i < n->n; i++)
            base = path_of(r, n->kids[i], base);
    }
    return base;
}

static struct cz__node *
path_node(struct rewriter *r, enum cz__op op, uint32_t kids, path at, uint32_t pos)
{
    struct cz__node *n = at ? cz__node_new(r->a, op, kids, pos) : NULL;
    if (!n)
        return NULL;
    n->u.path = at;
    at->slot = 0; /* wanted; numbered at the end */
    if (op == CZ__SLOT && at == &r->x->root)
        r->x->needs_tree = true;
    return n;
}

static struct cz__node *rewrite(struct rewriter *r, struct cz__node *n, path base);

/* A copy of @n, its first @count kids rewritten. */
static struct cz__node *
rewrite_kids(struct rewriter *r, const struct cz__node *n, path base, uint32_t count)
{
    struct cz__node *copy = cz__node_new(r->a, (enum cz__op)n->op, n->n, n->pos);
    if (!copy)
        return NULL;
    struct cz__node **kids = copy->kids;
    *copy = *n;
    copy->kids = kids;
    for (uint32_t i = 0; i < n->n; i++) {
        kids[i] = i < count ? rewrite(r, n->kids[i], base) : n->kids[i];
        if (!kids[i])
            return NULL;
    }
    return copy;
}

/* The steps that are a path move the base; the first other one is rewritten over it; the rest
 * works on that one's result. */
static struct cz__node *rewrite_chain(struct rewriter *r, const struct cz__node *n, path base)
{
    uint32_t first = 0;
    while (base && first < n->n && is_path(n->kids[first]))
        base = path_of(r, n->kids[first++], base);
    if (!base)
        return NULL;
    if (first == n->n)
        return path_node(r, CZ__SLOT, 0, base, n->pos);
    struct cz__node *head = rewrite(r, n->kids[first], base);
    if (!head || first + 1 == n->n)
        return head;
    struct cz__node *out = cz__node_new(r->a, CZ__CHAIN, n->n - first, n->pos);
    if (!out)
        return NULL;
    memcpy(out->kids, n->kids + first, out->n * sizeof(*out->kids));
    out->kids[0] = head;
    return out;
}

/* [a, b] and {x: a} are null over null. */
static struct cz__node *rewrite_guarded(struct rewriter *r, const struct cz__node *n, path base)
{
    struct cz__node *guard = path_node(r, CZ__GUARD, 1, base, n->pos);
    if (guard)
        guard->kids[0] = rewrite_kids(r, n, base, n->n);
    return guard && guard->kids[0] ? guard : NULL;
}

/* An index from the end, or a slice: over the whole array at the base. */
static struct cz__node *rewrite_over_base(struct rewriter *r, struct cz__node *n, path base)
{
    struct cz__node *out = cz__node_new(r->a, CZ__CHAIN, 2, n->pos);
    struct cz__node *slot = path_node(r, CZ__SLOT, 0, base, n->pos);
    if (!out || !slot)
        return NULL;
    out->kids[0] = slot;
    out->kids[1] = n;
    return out;
}

static struct cz__node *rewrite(struct rewriter *r, struct cz__node *n, path base)
{
    if (is_path(n))
        return path_node(r, CZ__SLOT, 0, path_of(r, n, base), n->pos);
    switch ((enum cz__op)n->op) {
    case CZ__CHAIN:
        return rewrite_chain(r, n, base);
    case CZ__INDEX:
    case CZ__SLICE:
        return rewrite_over_base(r, n, base);
    case CZ__LIST:
    case CZ__HASH:
        return rewrite_guarded(r, n, base);
    case CZ__PROJECT:
    case CZ__PROJECT_VALUES:
    case CZ__PROJECT_FILTER:
    case CZ__FLATTEN:
        return rewrite_kids(r, n, base, 1);
    case CZ__OR:
    case CZ__AND:
    case CZ__NOT:
    case CZ__EQ:
    case CZ__NE:
    case CZ__LT:
    case CZ__LE:
    case CZ__GT:
    case CZ__GE:
    case CZ__FUNCTION:
        return rewrite_kids(r, n, base, n->n);
    case CZ__LITERAL:
    case CZ__EXPREF:
    case CZ__CURRENT:
    case CZ__FIELD:
    case CZ__SLOT:
    case CZ__GUARD:
        break;
    }
    return n;
}

static enum cz__member member_of(const struct cz_json_trie *c)
{
    for (int m = 0; c->key && m < CZ__M_COUNT; m++) {
        if (c->key_len == cz__member_names[m].len &&
            memcmp(c->key, cz__member_names[m].data, c->key_len) == 0)
            return (enum cz__member)m;
    }
    return CZ__M_OTHER;
}

bool cz__rewrite(struct cz_jmespath *x)
{
    struct rewriter r = {x, &x->arena};
    x->root.slot = -1;
    x->fast = rewrite(&r, x->tree, &x->root);
    if (!x->fast)
        return false;
    x->slots = cz_json_trie_number(&x->root, 0);
    x->slot_member = cz_arena_alloc(&x->arena, (size_t)x->slots);
    if (!x->slot_member)
        return false;
    memset(x->slot_member, CZ__M_ROOT, (size_t)x->slots);
    x->reads = x->needs_tree ? CZ_READS_ALL : 0;
    for (const struct cz_json_trie *c = x->root.child; c; c = c->next) {
        enum cz__member m = member_of(c);
        if (c->slot_end > c->slot_first)
            memset(x->slot_member + c->slot_first, (int)m,
                   (size_t)(c->slot_end - c->slot_first));
        if (m != CZ__M_OTHER)
            x->reads |= 1U << m;
    }
    return true;
}

static const struct cz_json_trie *member_paths(const struct cz_jmespath *x, enum cz__member m)
{
    if (x->root.slot >= 0)
        return &x->root; /* the whole record */
    for (const struct cz_json_trie *c = x->root.child; c; c = c->next) {
        if (member_of(c) == m)
            return c;
    }
    return NULL;
}

const struct cz_json_trie *cz_jmespath_value_paths(const struct cz_jmespath *x)
{
    return member_paths(x, CZ__M_VALUE);
}

const struct cz_json_trie *cz_jmespath_key_paths(const struct cz_jmespath *x)
{
    return member_paths(x, CZ__M_KEY);
}

enum cz_err cz_jmespath_compile(const char *text,
                                size_t len,
                                struct cz_jmespath **ret,
                                struct cz_error *err)
{
    if (len > CZ_MAX_EXPRESSION)
        return cz__jmes_fail(err, CZ_JMESPATH_LIMIT, CZ_MAX_EXPRESSION,
                             "the expression is longer than %d bytes", CZ_MAX_EXPRESSION);
    struct cz_jmespath *x = cz_alloc(sizeof(*x));
    cz_arena_init(&x->arena, PROGRAM_MEMORY);
    enum cz_err rc = CZ_OK;
    char *copy = cz_arena_alloc(&x->arena, len + 1);
    if (copy) {
        memcpy(copy, text, len);
        copy[len] = '\0';
        x->text = copy;
        rc = cz__parse(x, copy, (uint32_t)len, err);
    }
    if (rc == CZ_OK && (!copy || !cz__rewrite(x)))
        rc = cz__jmes_fail(err, CZ_JMESPATH_LIMIT, 0, "the expression is too large");
    if (rc != CZ_OK) {
        cz_jmespath_free(x);
        return rc;
    }
    *ret = x;
    return CZ_OK;
}

void cz_jmespath_free(struct cz_jmespath *x)
{
    if (!x)
        return;
    cz_arena_done(&x->arena);
    cz_free(x);
}

void cz_jmespath_freep(struct cz_jmespath **x)
{
    cz_jmespath_free(*x);
    *x = NULL;
}

uint32_t cz_jmespath_reads(const struct cz_jmespath *x)
{
    return x->reads;
}

bool cz_jmespath_needs_tree(const struct cz_jmespath *x)
{
    return x->needs_tree;
}

const char *cz_jmespath_category_name(int64_t detail)
{
    static const char *const names[] = {
        "",     "syntax", "invalid-type", "invalid-arity", "invalid-value", "unknown-function",
        "limit"};
    return detail > 0 && detail <= CZ_JMESPATH_LIMIT ? names[detail] : "";
}
