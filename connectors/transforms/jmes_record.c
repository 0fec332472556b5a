/* SPDX-License-Identifier: Apache-2.0 */
/* The lane's context: a record seen as {key, value, headers, topic, partition, offset,
 * timestamp}, of which only what a program reads is decoded, and the entry points of the
 * evaluation. */
#include <string.h>

#include "cz/alloc.h"
#include "cz/util.h"
#include "jmes_priv.h"

#define MAX_HEADERS 1024

struct cz_eval *cz_eval_new(void)
{
    struct cz_eval *e = cz_alloc(sizeof(*e));
    cz_arena_init(&e->arena, CZ_MAX_EVAL_OUTPUT);
    cz_buf_init(&e->scratch, CZ_MAX_EVAL_OUTPUT);
    return e;
}

void cz_eval_free(struct cz_eval *e)
{
    if (!e)
        return;
    cz_json_doc_done(&e->key.doc);
    cz_json_doc_done(&e->value.doc);
    cz_arena_done(&e->arena);
    cz_buf_done(&e->scratch);
    cz_free(e->hits);
    cz_free(e->vals);
    cz_free(e->ready);
    cz_free(e);
}

void cz_eval_freep(struct cz_eval **e)
{
    cz_eval_free(*e);
    *e = NULL;
}

void cz_eval_begin(struct cz_eval *e,
                   const struct cz_record *record,
                   const struct cz_eval_options *options)
{
    cz_arena_reset(&e->arena);
    e->record = record;
    e->options = options ? *options : (struct cz_eval_options){0};
    e->search = false;
    e->key.state = e->value.state = CZ__SIDE_NONE;
    e->key.checked = e->value.checked = false;
}

struct cz_arena *cz_eval_arena(struct cz_eval *e)
{
    return &e->arena;
}

void cz_eval_force_tree(struct cz_eval *e, bool on)
{
    e->force_tree = on;
}

/* ---- the two sides -------------------------------------------------------------------------
 */

/* Where errors go: never NULL, and nothing is cleared that was not filled. */
static struct cz_error *errors_to(struct cz_eval *e, struct cz_error *err)
{
    if (err)
        return err;
    if (e->own_err.code != CZ_OK)
        cz_error_reset(&e->own_err);
    return &e->own_err;
}

static enum cz_err
side_text(struct cz__side *s, struct cz_slice bytes, const char *what, struct cz_error *err)
{
    if (!cz_utf8_valid(bytes.data, bytes.len))
        return cz_fail(err, CZ_E_PARSE, "the record's %s is not valid UTF-8", what);
    s->text = cz_jval_str(bytes.data, bytes.len);
    s->state = CZ__SIDE_TEXT;
    return CZ_OK;
}

static enum cz_err check_side(struct cz__side *s, bool full, struct cz_error *err)
{
    if (s->checked)
        return CZ_OK;
    enum cz_err rc = cz_json_doc_walk(&s->doc, NULL, NULL, err);
    if (rc == CZ_OK && full)
        rc = cz_json_doc_check_full(&s->doc, err);
    s->checked = rc == CZ_OK;
    return rc;
}

static enum cz_err open_value(struct cz_eval *e, struct cz_error *err)
{
    struct cz__side *s = &e->value;
    struct cz_slice bytes = e->record->value;
    if (s->state != CZ__SIDE_NONE)
        return CZ_OK;
    if (!bytes.data) {
        s->state = CZ__SIDE_NULL;
        return CZ_OK;
    }
    if (e->options.value_format == CZ_SIDE_RAW)
        return side_text(s, bytes, "value", err);
    enum cz_err rc = cz_json_doc_index(&s->doc, bytes.data, bytes.len, err);
    if (rc == CZ_OK && e->options.validate_full)
        rc = check_side(s, true, err);
    if (rc == CZ_OK)
        s->state = CZ__SIDE_DOC;
    return rc == CZ_OK ? rc : cz_fail_prefix(err, "value is not JSON");
}

/* Keys are short: a key is always checked completely, so that `auto` can tell text from JSON.
 */
static enum cz_err open_key(struct cz_eval *e, struct cz_error *err)
{
    struct cz__side *s = &e->key;
    struct cz_slice bytes = e->record->key;
    if (s->state != CZ__SIDE_NONE)
        return CZ_OK;
    if (!bytes.data) {
        s->state = CZ__SIDE_NULL;
        return CZ_OK;
    }
    if (e->options.key_format == CZ_SIDE_RAW)
        return side_text(s, bytes, "key", err);
    bool is_auto = e->options.key_format == CZ_SIDE_AUTO;
    struct cz_error *why = is_auto ? NULL : err;
    enum cz_err rc = cz_json_doc_index(&s->doc, bytes.data, bytes.len, why);
    if (rc == CZ_OK)
        rc = check_side(s, true, why);
    if (rc == CZ_OK)
        s->state = CZ__SIDE_DOC;
    else if (is_auto)
        return side_text(s, bytes, "key", err);
    return rc == CZ_OK ? rc : cz_fail_prefix(err, "key is not JSON");
}

static enum cz_err side_doc(struct cz_eval *e,
                            struct cz__side *s,
                            const struct cz_json_doc **ret,
                            struct cz_error *err)
{
    *ret = NULL;
    if (s->state != CZ__SIDE_DOC)
        return CZ_OK;
    enum cz_err rc = check_side(s, e->options.validate_full, err);
    if (rc == CZ_OK)
        *ret = &s->doc;
    return rc;
}

enum cz_err
cz_eval_value_doc(struct cz_eval *e, const struct cz_json_doc **ret, struct cz_error *err)
{
    err = errors_to(e, err);
    enum cz_err rc = open_value(e, err);
    return rc == CZ_OK ? side_doc(e, &e->value, ret, err) : rc;
}

enum cz_err
cz_eval_key_doc(struct cz_eval *e, const struct cz_json_doc **ret, struct cz_error *err)
{
    err = errors_to(e, err);
    enum cz_err rc = open_key(e, err);
    return rc == CZ_OK ? side_doc(e, &e->key, ret, err) : rc;
}

/* ---- members as values
 * ----------------------------------------------------------------------- */

static enum cz_err side_value(struct cz_eval *e, struct cz__side *s, struct cz_jval *ret)
{
    if (s->state == CZ__SIDE_NULL || s->state == CZ__SIDE_TEXT) {
        *ret = s->state == CZ__SIDE_NULL ? CZ_JNULL : s->text;
        return CZ_OK;
    }
    enum cz_err rc = check_side(s, e->options.validate_full, e->err);
    if (rc == CZ_OK)
        rc = cz_json_doc_value(&s->doc, (struct cz_json_hit){1, s->doc.n + 1}, &e->arena, ret,
                               e->err);
    return rc;
}

/* {name: text}; of a name given twice the last one wins. */
static enum cz_err headers_value(struct cz_eval *e, struct cz_jval *ret)
{
    struct cz_header *h = NULL;
    size_t n = 0;
    if (e->record->headers) {
        h = cz_arena_array(&e->arena, MAX_HEADERS, sizeof(*h));
        n = h ? e->record->headers(e->record, h, MAX_HEADERS) : 0;
    }
    if (n > MAX_HEADERS)
        n = MAX_HEADERS;
    struct cz_jmember *m = cz_arena_array(&e->arena, n, sizeof(*m));
    if (!m || (e->record->headers && !h))
        return cz__no_memory(e);
    uint32_t count = 0;
    for (size_t i = 0; i < n; i++) {
        struct cz_slice name = h[i].name, v = h[i].value;
        if (!cz_utf8_valid(name.data, name.len) || (v.data && !cz_utf8_valid(v.data, v.len)))
            return cz_fail(e->err, CZ_E_PARSE, "header %zu of the record is not valid UTF-8",
                           i);
        uint32_t at = 0;
        while (at < count &&
               (m[at].key.len != name.len || memcmp(m[at].key.u.s, name.data, name.len) != 0))
            at++;
        m[at].key = cz_jval_str(name.data, name.len);
        m[at].val = v.data ? cz_jval_str(v.data, v.len) : CZ_JNULL;
        count += at == count;
    }
    *ret = (struct cz_jval){.type = CZ_J_OBJECT, .len = count, .u.members = m};
    return CZ_OK;
}

static enum cz_err member_value(struct cz_eval *e, enum cz__member m, struct cz_jval *ret)
{
    const struct cz_record *r = e->record;
    enum cz_err rc;
    switch (m) {
    case CZ__M_KEY:
        rc = open_key(e, e->err);
        return rc == CZ_OK ? side_value(e, &e->key, ret) : rc;
    case CZ__M_VALUE:
        rc = open_value(e, e->err);
        return rc == CZ_OK ? side_value(e, &e->value, ret) : rc;
    case CZ__M_HEADERS:
        return headers_value(e, ret);
    case CZ__M_TOPIC:
        *ret = r->topic ? cz_jval_str(r->topic, strlen(r->topic)) : CZ_JNULL;
        break;
    case CZ__M_PARTITION:
        *ret = cz_jval_int(r->partition);
        break;
    case CZ__M_OFFSET:
        *ret = cz_jval_int(r->offset);
        break;
    case CZ__M_TIMESTAMP:
        *ret = r->ts_type == CZ_TS_NONE ? CZ_JNULL : cz_jval_int(r->timestamp_ms);
        break;
    case CZ__M_OTHER:
    case CZ__M_ROOT:
        *ret = CZ_JNULL;
        break;
    }
    return CZ_OK;
}

static enum cz_err root_value(struct cz_eval *e, struct cz_jval *ret)
{
    if (e->search)
        return side_value(e, &e->value, ret);
    struct cz_jmember *members = cz_arena_array(&e->arena, CZ__M_COUNT, sizeof(*members));
    if (!members)
        return cz__no_memory(e);
    for (int m = 0; m < CZ__M_COUNT; m++) {
        members[m].key = cz_jval_str(cz__member_names[m].data, cz__member_names[m].len);
        enum cz_err rc = member_value(e, (enum cz__member)m, &members[m].val);
        if (rc != CZ_OK)
            return rc;
    }
    *ret = (struct cz_jval){.type = CZ_J_OBJECT, .len = CZ__M_COUNT, .u.members = members};
    return CZ_OK;
}

/* ---- slots
 * ----------------------------------------------------------------------------------- */

static void ready(struct cz_eval *e, int32_t slot, struct cz_jval v)
{
    e->vals[slot] = v;
    e->ready[slot] = 1;
}

/* Fill the slots at and below @t from a value that is at hand. */
static void fill_from_value(struct cz_eval *e, const struct cz_json_trie *t, struct cz_jval v)
{
    if (t->slot >= 0)
        ready(e, t->slot, v);
    for (const struct cz_json_trie *c = t->child; c; c = c->next) {
        struct cz_jval below = CZ_JNULL;
        if (c->key)
            below = cz_jval_get(v, c->key, c->key_len);
        else if (v.type == CZ_J_ARRAY && c->index < v.len)
            below = v.u.items[c->index];
        fill_from_value(e, c, below);
    }
}

static enum cz_err
fill_from_side(struct cz_eval *e, const struct cz_json_trie *t, struct cz__side *s)
{
    if (s->state != CZ__SIDE_DOC) {
        fill_from_value(e, t, s->state == CZ__SIDE_TEXT ? s->text : CZ_JNULL);
        return CZ_OK;
    }
    enum cz_err rc = cz_json_doc_walk(&s->doc, t, e->hits, e->err);
    s->checked |= rc == CZ_OK && !e->options.validate_full;
    return rc;
}

static enum cz_err fill_member(struct cz_eval *e, const struct cz_json_trie *c)
{
    enum cz__member m = CZ__M_OTHER;
    if (c->slot_end > c->slot_first)
        m = (enum cz__member)e->x->slot_member[c->slot_first];
    enum cz_err rc;
    struct cz_jval v = CZ_JNULL;
    if (m == CZ__M_VALUE) {
        rc = open_value(e, e->err);
        if (rc != CZ_OK)
            return rc;
        rc = fill_from_side(e, c, &e->value);
        return rc == CZ_OK ? rc : cz_fail_prefix(e->err, "value is not JSON");
    }
    if (m == CZ__M_KEY) {
        rc = open_key(e, e->err);
        return rc == CZ_OK ? fill_from_side(e, c, &e->key) : rc;
    }
    rc = member_value(e, m, &v);
    if (rc == CZ_OK)
        fill_from_value(e, c, v);
    return rc;
}

static void make_slots(struct cz_eval *e, size_t n)
{
    while (e->hit_cap < n)
        cz_grow(&e->hits, &e->hit_cap, e->hit_cap, sizeof(*e->hits));
    while (e->slot_cap < n)
        cz_grow(&e->vals, &e->slot_cap, e->slot_cap, sizeof(*e->vals));
    while (e->ready_cap < n)
        cz_grow(&e->ready, &e->ready_cap, e->ready_cap, sizeof(*e->ready));
    memset(e->hits, 0, n * sizeof(*e->hits));
    memset(e->ready, 0, n);
}

enum cz_err cz__slot_value(struct cz_eval *e, int32_t slot, struct cz_jval *ret)
{
    if (e->ready[slot]) {
        *ret = e->vals[slot];
        return CZ_OK;
    }
    enum cz_err rc;
    enum cz__member m = (enum cz__member)e->x->slot_member[slot];
    if (e->hits[slot].tok == 0 && m == CZ__M_ROOT) {
        rc = root_value(e, ret);
    } else {
        const struct cz__side *s = m == CZ__M_KEY && !e->search ? &e->key : &e->value;
        rc = cz_json_doc_value(&s->doc, e->hits[slot], &e->arena, ret, e->err);
    }
    if (rc == CZ_OK)
        ready(e, slot, *ret);
    return rc;
}

/* ---- entry points
 * ------------------------------------------------------------------------------ */

static enum cz_err run_tree(struct cz_eval *e, struct cz_jval *ret)
{
    struct cz_jval root;
    enum cz_err rc = root_value(e, &root);
    return rc == CZ_OK ? cz__eval(e, e->x->tree, root, ret) : rc;
}

static enum cz_err
run(const struct cz_jmespath *x, struct cz_eval *e, struct cz_jval *ret, struct cz_error *err)
{
    enum cz_err rc = CZ_OK;
    e->err = errors_to(e, err);
    e->steps = 0;
    e->x = x;
    if (e->force_tree) {
        rc = run_tree(e, ret);
    } else {
        if (x->slots > 0)
            make_slots(e, (size_t)x->slots);
        if (e->search)
            rc = fill_from_side(e, &x->root, &e->value);
        for (const struct cz_json_trie *c = e->search ? NULL : x->root.child; rc == CZ_OK && c;
             c = c->next)
            rc = fill_member(e, c);
        if (rc == CZ_OK)
            rc = cz__eval(e, x->fast, CZ_JNULL, ret);
    }
    e->err = NULL;
    return rc;
}

enum cz_err cz_jmespath_value(const struct cz_jmespath *x,
                              struct cz_eval *e,
                              struct cz_jval *ret,
                              struct cz_error *err)
{
    struct cz_jval v;
    enum cz_err rc = run(x, e, &v, err);
    if (rc == CZ_OK)
        *ret = v;
    return rc;
}

enum cz_err cz_jmespath_match(const struct cz_jmespath *x,
                              struct cz_eval *e,
                              bool *ret_pass,
                              struct cz_error *err)
{
    struct cz_jval v;
    enum cz_err rc = run(x, e, &v, err);
    if (rc == CZ_OK)
        *ret_pass = cz__truthy(v);
    return rc;
}

enum cz_err cz_jmespath_search(const struct cz_jmespath *x,
                               struct cz_eval *e,
                               const char *json,
                               size_t len,
                               struct cz_buf *out,
                               struct cz_error *err)
{
    struct cz_eval_options full = {.validate_full = true};
    struct cz_jval v;
    cz_eval_begin(e, NULL, &full);
    e->search = true;
    enum cz_err rc = cz_json_doc_index(&e->value.doc, json, len, err);
    if (rc == CZ_OK)
        rc = check_side(&e->value, true, err);
    if (rc != CZ_OK)
        return rc;
    e->value.state = CZ__SIDE_DOC;
    rc = run(x, e, &v, err);
    if (rc != CZ_OK)
        return rc;
    cz_jval_write(out, v);
    if (out->failed)
        return cz_fail_flags(err, CZ_E_LIMIT, 0, CZ_JMESPATH_LIMIT,
                             "the result is longer than %zu bytes", out->max);
    return CZ_OK;
}

enum cz_err cz_jmespath_eval_text(const char *expr,
                                  size_t expr_len,
                                  const char *json,
                                  size_t json_len,
                                  struct cz_buf *out,
                                  struct cz_error *err)
{
    CZ_CLEANUP(cz_jmespath_freep) struct cz_jmespath *x = NULL;
    enum cz_err rc = cz_jmespath_compile(expr, expr_len, &x, err);
    if (rc != CZ_OK)
        return rc;
    CZ_CLEANUP(cz_eval_freep) struct cz_eval *e = cz_eval_new();
    return cz_jmespath_search(x, e, json, json_len, out, err);
}
