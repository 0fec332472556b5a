/* SPDX-License-Identifier: Apache-2.0 */
/* The evaluator: one function per kind of node over values of 16 bytes.  The same code runs the
 * fast program, whose paths are slots, and the tree as parsed, which is the reference. */
#include <string.h>

#include "jmes_priv.h"

enum cz_err cz__no_memory(struct cz_eval *e)
{
    return cz_fail_flags(e->err, CZ_E_LIMIT, 0, CZ_JMESPATH_LIMIT,
                         "the evaluation needs more than %d bytes", CZ_MAX_EVAL_OUTPUT);
}

enum cz_err cz__charge(struct cz_eval *e, uint64_t steps)
{
    e->steps += steps;
    if (e->steps <= CZ_MAX_EVAL_STEPS)
        return CZ_OK;
    return cz_fail_flags(e->err, CZ_E_LIMIT, 0, CZ_JMESPATH_LIMIT,
                         "the evaluation takes more than %d steps", CZ_MAX_EVAL_STEPS);
}

bool cz__truthy(struct cz_jval v)
{
    if (v.type == CZ_J_STRING || v.type == CZ_J_ARRAY || v.type == CZ_J_OBJECT)
        return v.len > 0;
    return v.type != CZ_J_NULL && v.type != CZ_J_FALSE;
}

enum cz_err cz__plain(struct cz_eval *e, struct cz_jval *v)
{
    return cz_jval_plain(&e->arena, v) ? CZ_OK : cz__no_memory(e);
}

enum cz_err cz__equal(struct cz_eval *e, struct cz_jval a, struct cz_jval b, bool *ret)
{
    uint64_t have = CZ_MAX_EVAL_STEPS + 1 - e->steps, left = have;
    *ret = cz_jval_equal_within(a, b, &left);
    return cz__charge(e, left == 0 ? CZ_MAX_EVAL_STEPS + 1 : have - left);
}

int cz__order(struct cz_jval a, struct cz_jval b)
{
    if (a.type == CZ_J_NUMBER)
        return cz_jnum_compare(a, b);
    int c = memcmp(a.u.s, b.u.s, a.len < b.len ? a.len : b.len);
    return c ? c : (a.len > b.len) - (a.len < b.len);
}

static enum cz_err
eval_field(struct cz_eval *e, const struct cz__node *n, struct cz_jval cur, struct cz_jval *ret)
{
    *ret = cz_jval_get(cur, n->u.val.u.s, n->u.val.len);
    return cur.type == CZ_J_OBJECT ? cz__charge(e, cur.len / 16) : CZ_OK;
}

static struct cz_jval element(struct cz_jval array, int64_t index)
{
    if (array.type != CZ_J_ARRAY)
        return CZ_JNULL;
    if (index < 0)
        index += array.len;
    return index >= 0 && index < array.len ? array.u.items[index] : CZ_JNULL;
}

static int64_t clamp_end(int64_t at, bool given, int64_t len, int64_t step, bool is_start)
{
    int64_t low = step < 0 ? -1 : 0, high = step < 0 ? len - 1 : len;
    if (!given)
        return (step < 0) == is_start ? high : low;
    if (at < 0)
        at += len;
    return at < low ? low : at > high ? high : at;
}

static enum cz_err
eval_slice(struct cz_eval *e, const struct cz__node *n, struct cz_jval cur, struct cz_jval *ret)
{
    const struct cz__slice_args *s = n->u.slice;
    *ret = CZ_JNULL;
    if (cur.type != CZ_J_ARRAY)
        return CZ_OK;
    int64_t start = clamp_end(s->start, s->has_start, cur.len, s->step, true);
    int64_t stop = clamp_end(s->stop, s->has_stop, cur.len, s->step, false);
    struct cz_jval *items = cz_arena_array(&e->arena, cur.len, sizeof(*items));
    if (!items)
        return cz__no_memory(e);
    uint32_t count = 0;
    for (int64_t i = start; s->step > 0 ? i < stop : i > stop; i += s->step)
        items[count++] = cur.u.items[i];
    *ret = (struct cz_jval){.type = CZ_J_ARRAY, .len = count, .u.items = items};
    return cz__charge(e, count);
}

static enum cz_err
eval_chain(struct cz_eval *e, const struct cz__node *n, struct cz_jval cur, struct cz_jval *ret)
{
    for (uint32_t i = 0; i < n->n; i++) {
        enum cz_err rc = cz__eval(e, n->kids[i], cur, &cur);
        if (rc != CZ_OK)
            return rc;
    }
    *ret = cur;
    return CZ_OK;
}

/* The first that decides, else the last. */
static enum cz_err
eval_logic(struct cz_eval *e, const struct cz__node *n, struct cz_jval cur, struct cz_jval *ret)
{
    bool decides = n->op == CZ__OR;
    for (uint32_t i = 0; i < n->n; i++) {
        enum cz_err rc = cz__eval(e, n->kids[i], cur, ret);
        if (rc != CZ_OK || cz__truthy(*ret) == decides)
            return rc;
    }
    return CZ_OK;
}

static enum cz_err
compare(struct cz_eval *e, int op, struct cz_jval a, struct cz_jval b, struct cz_jval *ret)
{
    *ret = CZ_JNULL;
    if (op == CZ__EQ || op == CZ__NE) {
        bool equal;
        enum cz_err rc = cz__equal(e, a, b, &equal);
        *ret = cz_jval_bool(equal == (op == CZ__EQ));
        return rc;
    }
    if (a.type != b.type || (a.type != CZ_J_NUMBER && a.type != CZ_J_STRING))
        return CZ_OK;
    if (a.type == CZ_J_STRING && (cz__plain(e, &a) != CZ_OK || cz__plain(e, &b) != CZ_OK))
        return CZ_E_LIMIT;
    int c = cz__order(a, b);
    bool holds = op == CZ__LT ? c < 0 : op == CZ__LE ? c <= 0 : op == CZ__GT ? c > 0 : c >= 0;
    *ret = cz_jval_bool(holds);
    return CZ_OK;
}

static enum cz_err eval_comparison(struct cz_eval *e,
                                   const struct cz__node *n,
                                   struct cz_jval cur,
                                   struct cz_jval *ret)
{
    struct cz_jval a, b;
    enum cz_err rc = cz__eval(e, n->kids[0], cur, &a);
    if (rc == CZ_OK)
        rc = cz__eval(e, n->kids[1], cur, &b);
    return rc == CZ_OK ? compare(e, n->op, a, b, ret) : rc;
}

static enum cz_err
eval_list(struct cz_eval *e, const struct cz__node *n, struct cz_jval cur, struct cz_jval *ret)
{
    struct cz_jval *items = cz_arena_array(&e->arena, n->n, sizeof(*items));
    if (!items)
        return cz__no_memory(e);
    for (uint32_t i = 0; i < n->n; i++) {
        enum cz_err rc = cz__eval(e, n->kids[i], cur, &items[i]);
        if (rc != CZ_OK)
            return rc;
    }
    *ret = (struct cz_jval){.type = CZ_J_ARRAY, .len = n->n, .u.items = items};
    return CZ_OK;
}

static enum cz_err
eval_hash(struct cz_eval *e, const struct cz__node *n, struct cz_jval cur, struct cz_jval *ret)
{
    struct cz_jmember *members = cz_arena_array(&e->arena, n->n, sizeof(*members));
    if (!members)
        return cz__no_memory(e);
    uint32_t count = 0;
    for (uint32_t i = 0; i < n->n; i++) {
        uint32_t at = 0; /* a name given twice: the last one wins */
        while (at < count && cz__order(members[at].key, n->u.names[i]) != 0)
            at++;
        enum cz_err rc = cz__eval(e, n->kids[i], cur, &members[at].val);
        if (rc != CZ_OK)
            return rc;
        members[at].key = n->u.names[i];
        count += at == count;
    }
    *ret = (struct cz_jval){.type = CZ_J_OBJECT, .len = count, .u.members = members};
    return CZ_OK;
}

static enum cz_err eval_flatten(struct cz_eval *e,
                                const struct cz__node *n,
                                struct cz_jval cur,
                                struct cz_jval *ret)
{
    struct cz_jval source;
    enum cz_err rc = cz__eval(e, n->kids[0], cur, &source);
    *ret = CZ_JNULL;
    if (rc != CZ_OK || source.type != CZ_J_ARRAY)
        return rc;
    size_t total = 0;
    for (uint32_t i = 0; i < source.len; i++)
        total += source.u.items[i].type == CZ_J_ARRAY ? source.u.items[i].len : 1;
    rc = cz__charge(e, total + source.len);
    if (rc != CZ_OK)
        return rc;
    struct cz_jval *items = cz_arena_array(&e->arena, total, sizeof(*items));
    if (!items)
        return cz__no_memory(e);
    uint32_t count = 0;
    for (uint32_t i = 0; i < source.len; i++) {
        struct cz_jval v = source.u.items[i];
        if (v.type != CZ_J_ARRAY) {
            items[count++] = v;
            continue;
        }
        memcpy(items + count, v.u.items, v.len * sizeof(*items));
        count += v.len;
    }
    *ret = (struct cz_jval){.type = CZ_J_ARRAY, .len = count, .u.items = items};
    return CZ_OK;
}

static bool is_identity(const struct cz__node *n)
{
    return n->op == CZ__CURRENT;
}

/* The right side over one element; a null result is left out. */
static enum cz_err project_one(struct cz_eval *e,
                               const struct cz__node *n,
                               struct cz_jval v,
                               struct cz_jval *items,
                               uint32_t *count)
{
    enum cz_err rc = CZ_OK;
    if (n->op == CZ__PROJECT_FILTER) {
        struct cz_jval pass;
        rc = cz__eval(e, n->kids[2], v, &pass);
        if (rc != CZ_OK || !cz__truthy(pass))
            return rc;
    }
    if (!is_identity(n->kids[1]))
        rc = cz__eval(e, n->kids[1], v, &v);
    if (rc == CZ_OK && v.type != CZ_J_NULL)
        items[(*count)++] = v;
    return rc;
}

static enum cz_err eval_project(struct cz_eval *e,
                                const struct cz__node *n,
                                struct cz_jval cur,
                                struct cz_jval *ret)
{
    struct cz_jval source;
    enum cz_err rc = cz__eval(e, n->kids[0], cur, &source);
    uint8_t wanted = n->op == CZ__PROJECT_VALUES ? CZ_J_OBJECT : CZ_J_ARRAY;
    *ret = CZ_JNULL;
    if (rc != CZ_OK || source.type != wanted)
        return rc;
    struct cz_jval *items = cz_arena_array(&e->arena, source.len, sizeof(*items));
    if (!items)
        return cz__no_memory(e);
    uint32_t count = 0;
    rc = cz__charge(e, source.len);
    for (uint32_t i = 0; rc == CZ_OK && i < source.len; i++) {
        struct cz_jval v = wanted == CZ_J_OBJECT ? source.u.members[i].val : source.u.items[i];
        rc = project_one(e, n, v, items, &count);
    }
    *ret = (struct cz_jval){.type = CZ_J_ARRAY, .len = count, .u.items = items};
    return rc;
}

static enum cz_err
check_argument(struct cz__call *c, const struct cz__function_def *def, uint32_t i)
{
    uint16_t accepts = def->accepts[i < 2 ? i : 1];
    if (def->max == 255)
        accepts = def->accepts[0];
    if (accepts & (1U << c->args[i].type))
        return CZ_OK;
    static const char *const names[] = {[CZ_J_NUMBER] = "number",
                                        [CZ_J_STRING] = "string",
                                        [CZ_J_ARRAY] = "array",
                                        [CZ_J_OBJECT] = "object",
                                        [CZ_J_EXPREF] = "&expression"};
    char wanted[64] = "";
    size_t at = 0;
    for (unsigned t = CZ_J_NUMBER; t <= CZ_J_EXPREF; t++) {
        if (!(accepts & (1U << t)))
            continue;
        const char *parts[] = {at ? " or " : "", names[t]};
        for (int k = 0; k < 2; k++) {
            size_t n = strlen(parts[k]);
            memcpy(wanted + at, parts[k], n + 1);
            at += n;
        }
    }
    return cz__type_error(c, accepts == CZ__A_ANY ? "a value" : wanted, c->args[i]);
}

static enum cz_err eval_function(struct cz_eval *e,
                                 const struct cz__node *n,
                                 struct cz_jval cur,
                                 struct cz_jval *ret)
{
    const struct cz__function_def *def = &cz__functions[n->function];
    struct cz_jval few[4];
    struct cz__call c = {.e = e, .node = n, .args = few, .n = n->n};
    if (n->n > 4)
        c.args = cz_arena_array(&e->arena, n->n, sizeof(*c.args));
    if (!c.args)
        return cz__no_memory(e);
    for (uint32_t i = 0; i < n->n; i++) {
        enum cz_err rc = cz__eval(e, n->kids[i], cur, &c.args[i]);
        if (rc == CZ_OK)
            rc = check_argument(&c, def, i);
        if (rc != CZ_OK)
            return rc;
    }
    return def->fn(&c, ret);
}

/* A container need not be built, nor a record's root, to be known as not null. */
static bool surely_there(const struct cz_eval *e, const struct cz_json_trie *path)
{
    const struct cz_json_hit *h = &e->hits[path->slot];
    return (path == &e->x->root && !e->search) || h->end - h->tok > 1;
}

static enum cz_err eval_guard(struct cz_eval *e, const struct cz__node *n, struct cz_jval *ret)
{
    const struct cz__node *list = n->kids[0];
    if (!surely_there(e, n->u.path)) {
        enum cz_err rc = cz__slot_value(e, n->u.path->slot, ret);
        if (rc != CZ_OK || ret->type == CZ_J_NULL)
            return rc;
    }
    return list->op == CZ__LIST ? eval_list(e, list, CZ_JNULL, ret)
                                : eval_hash(e, list, CZ_JNULL, ret);
}

enum cz_err
cz__eval(struct cz_eval *e, const struct cz__node *n, struct cz_jval cur, struct cz_jval *ret)
{
    if (++e->steps > CZ_MAX_EVAL_STEPS)
        return cz__charge(e, 0);
    switch ((enum cz__op)n->op) {
    case CZ__CURRENT:
        *ret = cur;
        return CZ_OK;
    case CZ__LITERAL:
        *ret = n->u.val;
        return CZ_OK;
    case CZ__SLOT:
        return cz__slot_value(e, n->u.path->slot, ret);
    case CZ__GUARD:
        return eval_guard(e, n, ret);
    case CZ__FIELD:
        return eval_field(e, n, cur, ret);
    case CZ__INDEX:
        *ret = element(cur, n->u.index);
        return CZ_OK;
    case CZ__SLICE:
        return eval_slice(e, n, cur, ret);
    case CZ__CHAIN:
        return eval_chain(e, n, cur, ret);
    case CZ__OR:
    case CZ__AND:
        return eval_logic(e, n, cur, ret);
    case CZ__NOT: {
        enum cz_err rc = cz__eval(e, n->kids[0], cur, ret);
        *ret = cz_jval_bool(rc == CZ_OK && !cz__truthy(*ret));
        return rc;
    }
    case CZ__EQ:
    case CZ__NE:
    case CZ__LT:
    case CZ__LE:
    case CZ__GT:
    case CZ__GE:
        return eval_comparison(e, n, cur, ret);
    case CZ__LIST:
    case CZ__HASH:
        *ret = CZ_JNULL;
        if (cur.type == CZ_J_NULL)
            return CZ_OK;
        return n->op == CZ__LIST ? eval_list(e, n, cur, ret) : eval_hash(e, n, cur, ret);
    case CZ__FLATTEN:
        return eval_flatten(e, n, cur, ret);
    case CZ__PROJECT:
    case CZ__PROJECT_VALUES:
    case CZ__PROJECT_FILTER:
        return eval_project(e, n, cur, ret);
    case CZ__FUNCTION:
        return eval_function(e, n, cur, ret);
    case CZ__EXPREF:
        *ret = (struct cz_jval){.type = CZ_J_EXPREF, .u.expr = n->kids[0]};
        return CZ_OK;
    }
    return CZ_OK;
}
