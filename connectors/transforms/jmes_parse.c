/* SPDX-License-Identifier: Apache-2.0 */
/* The parser: top-down operator precedence with the binding powers that all implementations of
 * JMESPath use.  A projection takes as its right side whatever follows that binds tighter than
 * a projection stop.  Chains of `.`, `|`, `||` and `&&` become flat nodes, so the depth of a
 * program is that of its brackets and projections. */
#include <string.h>

#include "jmes_priv.h"

#define PROJECTION_STOP 10
#define MAX_RECURSION 400

struct parser {
    struct cz__lexer lex;
    struct cz__lexeme tok, next; /* at hand, and the one behind it */
    struct cz_arena *a;
    struct cz_error *err;
    unsigned nesting;   /* brackets, parentheses, '!', '&' */
    unsigned recursion; /* also projections */
};
typedef struct cz__node *node;

static const uint8_t power[CZ__T_COUNT] = {
    [CZ__T_PIPE] = 1,    [CZ__T_OR] = 2,      [CZ__T_AND] = 3,     [CZ__T_EQ] = 5,
    [CZ__T_NE] = 5,      [CZ__T_LT] = 5,      [CZ__T_LE] = 5,      [CZ__T_GT] = 5,
    [CZ__T_GE] = 5,      [CZ__T_FLATTEN] = 9, [CZ__T_STAR] = 20,   [CZ__T_FILTER] = 21,
    [CZ__T_DOT] = 40,    [CZ__T_NOT] = 45,    [CZ__T_LBRACE] = 50, [CZ__T_LBRACKET] = 55,
    [CZ__T_LPAREN] = 60,
};

/* @n is all that stands from @begin up to the token at hand; what stood in parentheses knows its
 * place already. */
static void span(const struct parser *p, node n, uint32_t begin)
{
    if (n->pos_end > 0)
        return;
    n->pos_begin = begin;
    n->pos_end = p->tok.pos;
}

/* All parse functions return NULL after filling p->err. */
static node expression(struct parser *p, unsigned min_power);

static node fail_at(struct parser *p, uint32_t pos, const char *reason)
{
    (void)cz__jmes_fail(p->err, CZ_JMESPATH_SYNTAX, pos, "%s", reason);
    return NULL;
}

static node fail(struct parser *p, const char *reason)
{
    if (p->tok.type == CZ__T_END)
        return fail_at(p, p->tok.pos, "the expression ends too early");
    return fail_at(p, p->tok.pos, reason);
}

static bool advance(struct parser *p)
{
    p->tok = p->next;
    return p->tok.type == CZ__T_END || cz__lex(&p->lex, &p->next) == CZ_OK;
}

static bool expect(struct parser *p, enum cz__token type, const char *reason)
{
    if (p->tok.type != type) {
        (void)fail(p, reason);
        return false;
    }
    return advance(p);
}

struct cz__node *cz__node_new(struct cz_arena *a, enum cz__op op, uint32_t kids, uint32_t pos)
{
    node n = cz_arena_alloc(a, sizeof(*n));
    node *list = cz_arena_array(a, kids, sizeof(node));
    if (!n || !list)
        return NULL;
    *n = (struct cz__node){.op = (uint8_t)op, .n = kids, .pos = pos, .kids = list};
    return n;
}

void cz__node_depth(struct cz__node *n)
{
    n->depth = 1;
    for (uint32_t i = 0; i < n->n; i++) {
        if (n->kids[i]->depth >= n->depth)
            n->depth = (uint16_t)(n->kids[i]->depth + 1);
    }
}

static node finish(struct parser *p, node n)
{
    if (!n)
        return fail_at(p, p->tok.pos, "the expression is too large");
    cz__node_depth(n);
    if (n->depth <= CZ__MAX_TREE_DEPTH)
        return n;
    (void)cz__jmes_fail(p->err, CZ_JMESPATH_LIMIT, n->pos, "the expression nests too deeply");
    return NULL;
}

static node leaf(struct parser *p, enum cz__op op, uint32_t pos)
{
    return finish(p, cz__node_new(p->a, op, 0, pos));
}

static node with_kids(struct parser *p, enum cz__op op, uint32_t pos, uint32_t n, node *kids)
{
    for (uint32_t i = 0; i < n; i++) {
        if (!kids[i])
            return NULL;
    }
    node made = cz__node_new(p->a, op, n, pos);
    if (made)
        memcpy(made->kids, kids, n * sizeof(*kids));
    return finish(p, made);
}

static node one(struct parser *p, enum cz__op op, uint32_t pos, node a)
{
    return with_kids(p, op, pos, 1, (node[]){a});
}

static node two(struct parser *p, enum cz__op op, uint32_t pos, node a, node b)
{
    return with_kids(p, op, pos, 2, (node[]){a, b});
}

/* Growing list of kids; doubles in the arena. */
struct list {
    node *items;
    struct cz_jval *names;
    uint32_t n, cap;
};

static bool push(struct parser *p, struct list *l, node item, const struct cz_jval *name)
{
    if (!item)
        return false;
    if (l->n == l->cap) {
        uint32_t cap = l->cap ? l->cap * 2 : 4;
        node *items = cz_arena_array(p->a, cap, sizeof(node));
        struct cz_jval *names = cz_arena_array(p->a, cap, sizeof(*names));
        if (!items || !names) {
            (void)fail_at(p, p->tok.pos, "the expression is too large");
            return false;
        }
        if (l->n > 0) {
            memcpy(items, l->items, l->n * sizeof(node));
            memcpy(names, l->names, l->n * sizeof(*names));
        }
        *l = (struct list){items, names, l->n, cap};
    }
    if (name)
        l->names[l->n] = *name;
    l->items[l->n++] = item;
    return true;
}

static node from_list(struct parser *p, enum cz__op op, uint32_t pos, struct list *l)
{
    node n = cz__node_new(p->a, op, 0, pos);
    if (!n)
        return finish(p, n);
    n->kids = l->items;
    n->n = l->n;
    return finish(p, n);
}

/* left op right, where left may already be such a chain that nobody else holds. */
static node
chain(struct parser *p, enum cz__op op, uint32_t pos, node left, struct list *l, node right)
{
    if (!left || !right)
        return NULL;
    if (l->n == 0 && !push(p, l, left, NULL))
        return NULL;
    if (!push(p, l, right, NULL))
        return NULL;
    return from_list(p, op, pos, l);
}

static node enter(struct parser *p, unsigned min_power)
{
    if (++p->nesting > CZ_MAX_EXPRESSION_DEPTH) {
        (void)cz__jmes_fail(p->err, CZ_JMESPATH_LIMIT, p->tok.pos, "nested more than %d levels",
                            CZ_MAX_EXPRESSION_DEPTH);
        return NULL;
    }
    node n = expression(p, min_power);
    p->nesting--;
    return n;
}

/* Behind the opening '['. */
static node multi_list(struct parser *p, uint32_t pos)
{
    struct list l = {0};
    for (;;) {
        if (!push(p, &l, enter(p, 0), NULL))
            return NULL;
        if (p->tok.type == CZ__T_RBRACKET)
            break;
        if (!expect(p, CZ__T_COMMA, "',' or ']' was expected"))
            return NULL;
    }
    return advance(p) ? from_list(p, CZ__LIST, pos, &l) : NULL;
}

/* Behind the opening '{'. */
static node multi_hash(struct parser *p, uint32_t pos)
{
    struct list l = {0};
    for (;;) {
        struct cz_jval name = p->tok.val;
        if (p->tok.type != CZ__T_IDENT && p->tok.type != CZ__T_QUOTED)
            return fail(p, "a name was expected");
        if (!advance(p) || !expect(p, CZ__T_COLON, "':' was expected"))
            return NULL;
        if (!push(p, &l, enter(p, 0), &name))
            return NULL;
        if (p->tok.type == CZ__T_RBRACE)
            break;
        if (!expect(p, CZ__T_COMMA, "',' or '}' was expected"))
            return NULL;
    }
    node n = advance(p) ? from_list(p, CZ__HASH, pos, &l) : NULL;
    if (n)
        n->u.names = l.names;
    return n;
}

static node dot_rhs(struct parser *p, unsigned min_power)
{
    uint32_t pos = p->tok.pos;
    if (p->tok.type == CZ__T_IDENT || p->tok.type == CZ__T_QUOTED || p->tok.type == CZ__T_STAR)
        return expression(p, min_power);
    if (p->tok.type == CZ__T_LBRACKET)
        return advance(p) ? multi_list(p, pos) : NULL;
    if (p->tok.type == CZ__T_LBRACE)
        return advance(p) ? multi_hash(p, pos) : NULL;
    return fail(p, "a name, '*', '[' or '{' was expected after '.'");
}

static node projection_rhs(struct parser *p, unsigned min_power)
{
    if (power[p->tok.type] < PROJECTION_STOP)
        return leaf(p, CZ__CURRENT, p->tok.pos);
    if (p->tok.type == CZ__T_LBRACKET || p->tok.type == CZ__T_FILTER)
        return expression(p, min_power);
    if (p->tok.type == CZ__T_DOT)
        return advance(p) ? dot_rhs(p, min_power) : NULL;
    return fail(p, "unexpected behind a projection");
}

static node slice_args(struct parser *p, uint32_t pos)
{
    struct cz__slice_args *s = cz_arena_alloc(p->a, sizeof(*s));
    node n = leaf(p, CZ__SLICE, pos);
    if (!s || !n)
        return n ? fail(p, "the expression is too large") : NULL;
    *s = (struct cz__slice_args){.step = 1};
    n->u.slice = s;
    unsigned colons = 0;
    bool filled = false; /* this part has its number */
    while (p->tok.type != CZ__T_RBRACKET) {
        if (p->tok.type == CZ__T_COLON && colons < 2) {
            colons++;
            filled = false;
        } else if (p->tok.type == CZ__T_NUMBER && !filled) {
            filled = true;
            *(colons == 0 ? &s->start : colons == 1 ? &s->stop : &s->step) = p->tok.number;
            s->has_start |= colons == 0;
            s->has_stop |= colons == 1;
        } else {
            return fail(p, "a bad slice");
        }
        if (!advance(p))
            return NULL;
    }
    if (s->step == 0) {
        (void)cz__jmes_fail(p->err, CZ_JMESPATH_INVALID_VALUE, pos, "a slice step of 0");
        return NULL;
    }
    return advance(p) ? n : NULL;
}

/* Behind '[' with a number or ':' at hand. @left NULL: the current value. */
static node index_or_slice(struct parser *p, node left, uint32_t pos)
{
    if (p->tok.type == CZ__T_COLON || p->next.type == CZ__T_COLON) {
        node slice = slice_args(p, pos);
        if (left)
            slice = two(p, CZ__CHAIN, pos, left, slice);
        return slice ? two(p, CZ__PROJECT, pos, slice, projection_rhs(p, power[CZ__T_STAR]))
                     : NULL;
    }
    node n = leaf(p, CZ__INDEX, pos);
    if (!n)
        return NULL;
    n->u.index = p->tok.number;
    if (!advance(p) || !expect(p, CZ__T_RBRACKET, "']' was expected"))
        return NULL;
    return n;
}

static node star_projection(struct parser *p, node left, uint32_t pos)
{
    if (!left || !advance(p) || !expect(p, CZ__T_RBRACKET, "']' was expected"))
        return NULL;
    return two(p, CZ__PROJECT, pos, left, projection_rhs(p, power[CZ__T_STAR]));
}

static node filter(struct parser *p, node left, uint32_t pos)
{
    node condition = left ? enter(p, 0) : NULL;
    if (!condition || !expect(p, CZ__T_RBRACKET, "']' was expected"))
        return NULL;
    node right = p->tok.type == CZ__T_FLATTEN ? leaf(p, CZ__CURRENT, pos)
                                              : projection_rhs(p, power[CZ__T_FILTER]);
    return with_kids(p, CZ__PROJECT_FILTER, pos, 3, (node[]){left, right, condition});
}

static node flatten(struct parser *p, node left, uint32_t pos)
{
    node flat = left ? one(p, CZ__FLATTEN, pos, left) : NULL;
    return flat ? two(p, CZ__PROJECT, pos, flat, projection_rhs(p, power[CZ__T_FLATTEN]))
                : NULL;
}

static node argument(struct parser *p)
{
    uint32_t pos = p->tok.pos;
    if (p->tok.type != CZ__T_EXPREF)
        return enter(p, 0);
    if (!advance(p))
        return NULL;
    return one(p, CZ__EXPREF, pos, enter(p, 0));
}

/* The name and '(' are read. */
static node call(struct parser *p, struct cz_jval name, uint32_t pos)
{
    struct list l = {0};
    if (p->tok.type != CZ__T_RPAREN) {
        for (;;) {
            if (!push(p, &l, argument(p), NULL))
                return NULL;
            if (p->tok.type == CZ__T_RPAREN)
                break;
            if (!expect(p, CZ__T_COMMA, "',' or ')' was expected"))
                return NULL;
        }
    }
    if (!advance(p))
        return NULL;
    int f = cz__function_find(name.u.s, name.len);
    if (f < 0) {
        (void)cz__jmes_fail(p->err, CZ_JMESPATH_UNKNOWN_FUNCTION, pos,
                            "there is no function %.*s()", (int)(name.len < 80 ? name.len : 80),
                            name.u.s);
        return NULL;
    }
    const struct cz__function_def *def = &cz__functions[f];
    if (l.n < def->min || (def->max != 255 && l.n > def->max)) {
        (void)cz__jmes_fail(p->err, CZ_JMESPATH_INVALID_ARITY, pos,
                            "%s() takes %s%u argument%s, not %u", def->name,
                            def->max == 255 ? "at least " : "", def->min,
                            def->min == 1 ? "" : "s", l.n);
        return NULL;
    }
    node n = from_list(p, CZ__FUNCTION, pos, &l);
    if (n)
        n->function = (uint8_t)f;
    return n;
}

static node named(struct parser *p, const struct cz__lexeme *t)
{
    if (p->tok.type == CZ__T_LPAREN) {
        if (t->type == CZ__T_QUOTED)
            return fail(p, "a function's name is not quoted");
        return advance(p) ? call(p, t->val, t->pos) : NULL;
    }
    node n = leaf(p, CZ__FIELD, t->pos);
    if (n)
        n->u.val = t->val;
    return n;
}

static node bracket_prefix(struct parser *p, uint32_t pos)
{
    if (p->tok.type == CZ__T_NUMBER || p->tok.type == CZ__T_COLON)
        return index_or_slice(p, NULL, pos);
    if (p->tok.type == CZ__T_STAR && p->next.type == CZ__T_RBRACKET)
        return star_projection(p, leaf(p, CZ__CURRENT, pos), pos);
    return multi_list(p, pos);
}

static node parenthesised(struct parser *p)
{
    node n = enter(p, 0);
    if (!n || !expect(p, CZ__T_RPAREN, "')' was expected"))
        return NULL;
    return n;
}

/* A token that begins an expression. */
static node prefix(struct parser *p)
{
    struct cz__lexeme t = p->tok;
    node n;
    if (!advance(p))
        return NULL;
    switch ((int)t.type) {
    case CZ__T_IDENT:
    case CZ__T_QUOTED:
        return named(p, &t);
    case CZ__T_LITERAL:
        n = leaf(p, CZ__LITERAL, t.pos);
        if (n)
            n->u.val = t.val;
        return n;
    case CZ__T_CURRENT:
        return leaf(p, CZ__CURRENT, t.pos);
    case CZ__T_STAR:
        n = leaf(p, CZ__CURRENT, t.pos);
        return n ? two(p, CZ__PROJECT_VALUES, t.pos, n, projection_rhs(p, power[CZ__T_STAR]))
                 : NULL;
    case CZ__T_FILTER:
        return filter(p, leaf(p, CZ__CURRENT, t.pos), t.pos);
    case CZ__T_FLATTEN:
        return flatten(p, leaf(p, CZ__CURRENT, t.pos), t.pos);
    case CZ__T_LBRACKET:
        return bracket_prefix(p, t.pos);
    case CZ__T_LBRACE:
        return multi_hash(p, t.pos);
    case CZ__T_LPAREN:
        return parenthesised(p);
    case CZ__T_NOT:
        return one(p, CZ__NOT, t.pos, enter(p, power[CZ__T_NOT]));
    case CZ__T_END:
        return fail_at(p, t.pos, "the expression ends too early");
    case CZ__T_EXPREF:
        return fail_at(p, t.pos, "'&' stands only before an argument of a function");
    default:
        return fail_at(p, t.pos, "an expression cannot begin here");
    }
}

static node comparison(struct parser *p, node left, enum cz__token type, uint32_t pos)
{
    node right = expression(p, power[type]);
    return right ? two(p, (enum cz__op)(CZ__EQ + (type - CZ__T_EQ)), pos, left, right) : NULL;
}

/* A token that continues an expression. @last, @l: the flat chain that left is, if any. */
static node infix(struct parser *p, node left, int *last, struct list *l)
{
    struct cz__lexeme t = p->tok;
    int kind = t.type == CZ__T_OR ? CZ__OR : t.type == CZ__T_AND ? CZ__AND : CZ__CHAIN;
    if (kind != *last)
        *l = (struct list){0};
    *last = -1;
    if (!advance(p))
        return NULL;
    switch ((int)t.type) {
    case CZ__T_DOT:
        if (p->tok.type == CZ__T_STAR) {
            if (!advance(p))
                return NULL;
            return two(p, CZ__PROJECT_VALUES, t.pos, left, projection_rhs(p, power[CZ__T_DOT]));
        }
        *last = CZ__CHAIN;
        return chain(p, CZ__CHAIN, left->pos, left, l, dot_rhs(p, power[CZ__T_DOT]));
    case CZ__T_PIPE:
    case CZ__T_OR:
    case CZ__T_AND:
        *last = kind;
        return chain(p, (enum cz__op)kind, left->pos, left, l, expression(p, power[t.type]));
    case CZ__T_FILTER:
        return filter(p, left, t.pos);
    case CZ__T_FLATTEN:
        return flatten(p, left, t.pos);
    case CZ__T_LBRACKET:
        if (p->tok.type == CZ__T_STAR)
            return star_projection(p, left, t.pos);
        if (p->tok.type != CZ__T_NUMBER && p->tok.type != CZ__T_COLON)
            return fail(p, "a number, ':' or '*' was expected");
        if (p->tok.type == CZ__T_COLON || p->next.type == CZ__T_COLON)
            return index_or_slice(p, left, t.pos);
        *last = CZ__CHAIN;
        return chain(p, CZ__CHAIN, left->pos, left, l, index_or_slice(p, NULL, t.pos));
    default:
        break;
    }
    if (t.type >= CZ__T_EQ && t.type <= CZ__T_GE)
        return comparison(p, left, t.type, t.pos);
    return fail_at(p, t.pos, "unexpected here");
}

static node expression(struct parser *p, unsigned min_power)
{
    if (++p->recursion > MAX_RECURSION) {
        (void)cz__jmes_fail(p->err, CZ_JMESPATH_LIMIT, p->tok.pos,
                            "the expression nests too deeply");
        return NULL;
    }
    struct list l = {0};
    int last = -1;
    uint32_t begin = p->tok.pos;
    node left = prefix(p);
    while (left && power[p->tok.type] > min_power) {
        span(p, left, begin);
        left = infix(p, left, &last, &l);
    }
    if (left)
        span(p, left, begin);
    p->recursion--;
    return left;
}

enum cz_err
cz__parse(struct cz_jmespath *x, const char *text, uint32_t len, struct cz_error *err)
{
    struct cz_error own = CZ_ERROR_INIT;
    struct parser p = {
        .lex = {.s = text, .len = len, .a = &x->arena, .err = err ? err : &own},
        .a = &x->arena,
        .err = err ? err : &own,
    };
    if (cz__lex(&p.lex, &p.tok) != CZ_OK)
        return p.err->code;
    p.next = p.tok;
    if (p.tok.type != CZ__T_END && cz__lex(&p.lex, &p.next) != CZ_OK)
        return p.err->code;
    x->tree = expression(&p, 0);
    if (x->tree && p.tok.type != CZ__T_END)
        (void)fail_at(&p, p.tok.pos, "unexpected here");
    return p.err->code;
}
