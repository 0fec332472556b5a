/* SPDX-License-Identifier: Apache-2.0 */
/* Why an expression is true or false of a record: down through &&, || and ! to the parts that
 * decide, each with the values of its operands.  A part is evaluated by compiling its own text, so
 * that it reads no more of the record than the whole did.  For people, not for the data path. */
#include <string.h>

#include "cz/alloc.h"
#include "jmes_priv.h"

enum { MAX_PARTS = 20, MAX_SHOWN = 1024 };

struct explaining {
    const struct cz_jmespath *x;
    struct cz_eval *e;
    json_t *parts;
    struct cz_error *err;
};

static struct cz_slice text_of(const struct explaining *x, const struct cz__node *n)
{
    const char *s = x->x->text + n->pos_begin;
    size_t len = n->pos_end - n->pos_begin;
    while (len > 0 && strchr(" \t\r\n", s[len - 1]))
        len--;
    return (struct cz_slice){s, len};
}

/* As JSON; what is long is cut and becomes a text. */
static json_t *shown(struct cz_jval v)
{
    CZ_CLEANUP(cz_buf_done) struct cz_buf b = CZ_BUF_INIT(CZ_MAX_EVAL_OUTPUT);
    cz_jval_write(&b, v);
    json_t *j = b.len <= MAX_SHOWN ? json_loadb(cz_buf_str(&b), b.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL)
                                   : NULL;
    if (j)
        return j;
    size_t n = b.len < MAX_SHOWN ? b.len : MAX_SHOWN;
    while (n > 0 && n < b.len && ((unsigned char)b.data[n] & 0xc0) == 0x80)
        n--;
    CZ_CLEANUP(cz_freep) char *cut = cz_strf("%.*s%s", (int)n, cz_buf_str(&b), n < b.len ? "…" : "");
    return json_string(cut);
}

/* The part's truth and, as JSON, its value. */
static enum cz_err
value_of(struct explaining *x, const struct cz__node *n, bool *ret_true, json_t **ret)
{
    struct cz_slice text = text_of(x, n);
    CZ_CLEANUP(cz_jmespath_freep) struct cz_jmespath *part = NULL;
    struct cz_jval v;
    enum cz_err code = cz_jmespath_compile(text.data, text.len, &part, x->err);
    if (!code)
        code = cz_jmespath_value(part, x->e, &v, x->err);
    if (code)
        return code;
    *ret_true = cz__truthy(v);
    if (ret)
        *ret = shown(v);
    return CZ_OK;
}

static enum cz_err add_operands(struct explaining *x, const struct cz__node *n, json_t *part)
{
    bool compares = n->op >= CZ__EQ && n->op <= CZ__GE;
    if (!compares && n->op != CZ__FUNCTION)
        return CZ_OK;
    json_t *list = json_array();
    for (uint32_t i = 0; i < n->n; i++) {
        const struct cz__node *kid = n->kids[i];
        bool truth;
        json_t *v = NULL;
        if (kid->op == CZ__LITERAL || kid->pos_end == 0) /* says it all; an expression as such */
            continue;
        enum cz_err code = value_of(x, kid, &truth, &v);
        if (code) {
            json_decref(list);
            return code;
        }
        struct cz_slice text = text_of(x, kid);
        (void)json_array_append_new(
            list, json_pack("{s:s%,s:o}", "expression", text.data, text.len, "value", v));
    }
    (void)json_object_set_new(part, "operands", list);
    return CZ_OK;
}

static enum cz_err add_part(struct explaining *x, const struct cz__node *n)
{
    bool truth;
    json_t *v = NULL;
    if (json_array_size(x->parts) >= MAX_PARTS)
        return CZ_OK;
    enum cz_err code = value_of(x, n, &truth, &v);
    if (code)
        return code;
    struct cz_slice text = text_of(x, n);
    json_t *part = json_pack("{s:s%,s:o}", "expression", text.data, text.len, "value", v);
    code = add_operands(x, n, part);
    (void)json_array_append_new(x->parts, part);
    return code;
}

/* Why is @n, which is @truth, so?  A chain of && is false by its first false part and true by all;
 * || the other way round. */
static enum cz_err why(struct explaining *x, const struct cz__node *n, bool truth)
{
    enum cz_err code = CZ_OK;
    if (n->op == CZ__NOT)
        return why(x, n->kids[0], !truth);
    if (n->op != CZ__AND && n->op != CZ__OR)
        return add_part(x, n);
    bool all = truth == (n->op == CZ__AND);
    for (uint32_t i = 0; !code && i < n->n; i++) {
        bool t = truth;
        if (!all)
            code = value_of(x, n->kids[i], &t, NULL);
        if (code || t != truth)
            continue;
        code = why(x, n->kids[i], truth);
        if (!all)
            break;
    }
    return code;
}

enum cz_err cz_jmespath_explain(const struct cz_jmespath *x,
                                struct cz_eval *e,
                                json_t **ret,
                                struct cz_error *err)
{
    struct explaining ex = {.x = x, .e = e, .parts = json_array(), .err = err};
    bool truth;
    enum cz_err code = cz_jmespath_match(x, e, &truth, err);
    if (!code)
        code = why(&ex, x->tree, truth);
    if (code)
        json_decref(ex.parts);
    else
        *ret = ex.parts;
    return code;
}
