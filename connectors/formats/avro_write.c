/* SPDX-License-Identifier: Apache-2.0 */
/* JSON text → datum.  The walk goes through the JSON and, side by side, through the datum that the
 * JSON came from: a part that still reads the same is copied as bytes, whatever union branch, block
 * layout or overlong number it has; where something changed the walk goes on inside.
 *
 * Work is bounded: a part is read once per level above it, and trying the branches of unions costs
 * from one budget for the whole datum. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "avro_priv.h"
#include "cz/alloc.h"
#include "json_priv.h"

enum { MAX_NUMBER = 400, FREE_TRIES = 10000 };

struct cz_avro_writer {
    struct cz_json_doc doc;
    struct cz_arena arena;
    struct cz_buf old; /* parts of the old datum, as JSON */
};

/* The old value beside the new one. */
struct old {
    bool on;
    struct cz__avro_in in;
};
struct step {
    const char *name; /* NULL: an element */
    uint32_t index;
};
struct writer {
    struct cz__walk w;
    struct cz_arena *arena;
    struct cz_buf *old;
    struct cz_buf *out;
    uint64_t budget;
    struct step path[CZ_MAX_AVRO_DEPTH + 1];
    unsigned depth;
    char why[400];
};

static bool write_value(struct writer *o, const struct cz__avro_type *t, uint32_t p, struct old *was);

/* ---- errors --------------------------------------------------------------------------------- */

static bool bad(struct writer *o, const char *fmt, ...) CZ_PRINTF(2, 3);
static bool bad(struct writer *o, const char *fmt, ...)
{
    struct cz_buf text = CZ_BUF_INIT(sizeof o->why - 1);
    va_list ap;
    cz_buf_adds(&text, o->depth > 0 && o->path[0].name ? "field " : "");
    for (unsigned i = 0; i < o->depth; i++) {
        if (o->path[i].name)
            cz_buf_addf(&text, "%s%.60s", i ? "." : "", o->path[i].name);
        else
            cz_buf_addf(&text, "[%u]", o->path[i].index);
    }
    cz_buf_adds(&text, o->depth > 0 ? ": " : "");
    va_start(ap, fmt);
    cz_buf_addvf(&text, fmt, ap);
    va_end(ap);
    (void)snprintf(o->why, sizeof o->why, "%s", cz_buf_str(&text));
    cz_buf_done(&text);
    return false;
}

static bool enter(struct writer *o, const char *name, uint32_t index)
{
    if (o->depth >= CZ_MAX_AVRO_DEPTH)
        return bad(o, "nested too deep");
    o->path[o->depth++] = (struct step){name, index};
    return true;
}

static const char *const kind_names[] = {"null",   "boolean", "int",    "long", "float", "double", "bytes",
                                         "string", "record",  "enum",   "array", "map",  "union",  "fixed"};

static const char *type_text(const struct cz__avro_type *t)
{
    return t->name ? t->name : kind_names[t->kind];
}

/* ---- pieces of a datum ----------------------------------------------------------------------- */

static void put_long(struct cz_buf *out, int64_t v)
{
    uint64_t u = ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
    for (; u >= 0x80; u >>= 7)
        cz_buf_addc(out, (char)(u | 0x80));
    cz_buf_addc(out, (char)u);
}

static void put_sized(struct cz_buf *out, const char *s, size_t n)
{
    put_long(out, (int64_t)n);
    cz_buf_add(out, s, n);
}

static struct cz_slice text_of(const struct writer *o, uint32_t p, uint32_t end)
{
    return cz_json_doc_text(o->w.d, (struct cz_json_hit){p + 1, end + 1});
}

static bool plain(struct writer *o, struct cz_jval *v)
{
    return cz_jval_plain(o->arena, v) || bad(o, "the record needs more than the memory of one evaluation");
}

/* ---- scalars --------------------------------------------------------------------------------- */

static bool write_integer(struct writer *o, const struct cz__avro_type *t, struct cz_jval v)
{
    int64_t i;
    if (v.type != CZ_J_NUMBER || !cz_jnum_int(v, &i))
        return bad(o, "not a whole number of 64 bits, as %s needs", type_text(t));
    if (t->kind == CZ__AVRO_INT && (i < INT32_MIN || i > INT32_MAX))
        return bad(o, "%lld is over 32 bits", (long long)i);
    put_long(o->out, i);
    return true;
}

static bool special_real(struct cz_jval v, double *ret)
{
    static const struct {
        const char *text;
        double value;
    } names[] = {{"NaN", (double)NAN}, {"Infinity", (double)INFINITY}, {"-Infinity", (double)-INFINITY}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (v.len == strlen(names[i].text) && memcmp(v.u.s, names[i].text, v.len) == 0) {
            *ret = names[i].value;
            return true;
        }
    }
    return false;
}

static bool write_real(struct writer *o, const struct cz__avro_type *t, struct cz_jval v)
{
    bool single = t->kind == CZ__AVRO_FLOAT;
    double d = 0;
    float f = 0;
    if (v.type == CZ_J_STRING && special_real(v, &d)) {
        f = (float)d;
    } else if (v.type == CZ_J_NUMBER && v.len < MAX_NUMBER) {
        char text[MAX_NUMBER];
        memcpy(text, v.u.s, v.len);
        text[v.len] = '\0';
        d = strtod(text, NULL);
        f = strtof(text, NULL);
        if (single ? isinf(f) : isinf(d))
            return bad(o, "the number is too large for %s", type_text(t));
    } else {
        return bad(o, "not a number, as %s needs", type_text(t));
    }
    if (single)
        cz_buf_add(o->out, &f, sizeof f);
    else
        cz_buf_add(o->out, &d, sizeof d);
    return true;
}

/* The bytes that the characters U+0000..U+00FF stand for, in place of them in the arena. */
static bool bytes_of(struct writer *o, struct cz_jval *v)
{
    if (v->type != CZ_J_STRING)
        return bad(o, "not a string of bytes");
    if (!plain(o, v))
        return false;
    char *to = cz_arena_alloc(o->arena, v->len + 1), *at = to;
    if (!to)
        return bad(o, "the record needs more than the memory of one evaluation");
    for (uint32_t i = 0; i < v->len; i++) {
        unsigned char c = (unsigned char)v->u.s[i];
        if (c >= 0x80) {
            unsigned char next = i + 1 < v->len ? (unsigned char)v->u.s[++i] : 0;
            if (c > 0xc3)
                return bad(o, "a character over U+00FF stands for no byte");
            c = (unsigned char)((c & 3) << 6 | (next & 0x3f));
        }
        *at++ = (char)c;
    }
    v->u.s = to;
    v->len = (uint32_t)(at - to);
    return true;
}

static bool uuid_bytes(struct cz_jval v, char out[16])
{
    unsigned n = 0, half = 0;
    for (uint32_t i = 0; i < v.len; i++) {
        char c = v.u.s[i];
        if (v.len == 36 && (i == 8 || i == 13 || i == 18 || i == 23)) {
            if (c != '-')
                return false;
            continue;
        }
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0 || n >= 16)
            return false;
        out[n] = (char)((half ? (unsigned)(unsigned char)out[n] << 4 : 0) | (unsigned)digit);
        n += half;
        half ^= 1;
    }
    return n == 16;
}

static bool write_decimal(struct writer *o, const struct cz__avro_type *t, struct cz_jval v)
{
    unsigned char digits[CZ_MAX_AVRO_DECIMAL];
    size_t n = 0;
    const char *why = cz__avro_decimal_bytes(v.u.s, v.len, t->scale, t->precision, digits, &n);
    if (why)
        return bad(o, "%s", why);
    if (t->kind == CZ__AVRO_BYTES) {
        put_sized(o->out, (const char *)digits, n);
        return true;
    }
    if (n > t->size)
        return bad(o, "a decimal is too large for %zu bytes", t->size);
    for (size_t i = n; i < t->size && !o->out->failed; i++)
        cz_buf_addc(o->out, (char)(digits[0] & 0x80 ? 0xff : 0));
    cz_buf_add(o->out, digits, n);
    return true;
}

static bool write_blob(struct writer *o, const struct cz__avro_type *t, struct cz_jval v)
{
    char uuid[16];
    if (t->logical == CZ__AVRO_DECIMAL && v.type == CZ_J_NUMBER)
        return write_decimal(o, t, v);
    if (t->logical == CZ__AVRO_UUID && v.type == CZ_J_STRING && v.len == 36) {
        if (!uuid_bytes(v, uuid))
            return bad(o, "not a UUID");
        cz_buf_add(o->out, uuid, sizeof uuid);
        return true;
    }
    if (!bytes_of(o, &v))
        return false;
    if (t->kind == CZ__AVRO_BYTES) {
        put_sized(o->out, v.u.s, v.len);
        return true;
    }
    if (v.len != t->size)
        return bad(o, "%u bytes where %s has %zu", v.len, type_text(t), t->size);
    cz_buf_add(o->out, v.u.s, v.len);
    return true;
}

static bool write_text(struct writer *o, const struct cz__avro_type *t, struct cz_jval v)
{
    if (v.type != CZ_J_STRING)
        return bad(o, "not a string, as %s needs", type_text(t));
    if (!plain(o, &v))
        return false;
    if (t->kind == CZ__AVRO_STRING) {
        put_sized(o->out, v.u.s, v.len);
        return true;
    }
    for (size_t i = 0; i < t->n; i++) {
        if (strlen(t->symbols[i]) == v.len && memcmp(t->symbols[i], v.u.s, v.len) == 0) {
            put_long(o->out, (int64_t)i);
            return true;
        }
    }
    return bad(o, "'%.*s' is no symbol of %s", (int)(v.len < 60 ? v.len : 60), v.u.s, type_text(t));
}

static bool write_scalar(struct writer *o, const struct cz__avro_type *t, uint32_t p)
{
    struct cz_jval v;
    struct cz_error err = CZ_ERROR_INIT;
    char first = o->w.s[o->w.t[p]];
    if (first == '{' || first == '[')
        return bad(o, "an %s where %s is needed", first == '{' ? "object" : "array", type_text(t));
    if (cz__scalar(o->w.d, p, &v, &err))
        return bad(o, "%s", err.text);
    switch (t->kind) {
    case CZ__AVRO_NULL:
        return v.type == CZ_J_NULL || bad(o, "not null");
    case CZ__AVRO_BOOLEAN:
        if (v.type != CZ_J_TRUE && v.type != CZ_J_FALSE)
            return bad(o, "neither true nor false");
        cz_buf_addc(o->out, v.type == CZ_J_TRUE);
        return true;
    case CZ__AVRO_INT:
    case CZ__AVRO_LONG:
        return write_integer(o, t, v);
    case CZ__AVRO_FLOAT:
    case CZ__AVRO_DOUBLE:
        return write_real(o, t, v);
    case CZ__AVRO_STRING:
    case CZ__AVRO_ENUM:
        return write_text(o, t, v);
    case CZ__AVRO_BYTES:
    case CZ__AVRO_FIXED:
        return write_blob(o, t, v);
    case CZ__AVRO_RECORD:
    case CZ__AVRO_ARRAY:
    case CZ__AVRO_MAP:
    case CZ__AVRO_UNION:
        break;
    }
    return bad(o, "unknown type");
}

/* ---- containers ------------------------------------------------------------------------------ */

struct member {
    uint32_t key, value; /* tokens */
    bool taken;
};

/* The members of the object at @p, in the arena. */
static struct member *members(struct writer *o, uint32_t p, uint32_t *ret_n)
{
    const struct cz__walk *w = &o->w;
    uint32_t n = 0;
    for (int pass = 0;; pass++) {
        struct member *m = pass ? cz_arena_array(o->arena, n + 1, sizeof *m) : NULL;
        if (pass && !m)
            return NULL;
        n = 0;
        for (uint32_t at = p + 1; w->s[w->t[at]] == '"'; n++) {
            if (m)
                m[n] = (struct member){.key = at, .value = at + 2};
            at = cz__skip_value(w, at + 2, o->depth);
            if (w->s[w->t[at]] == ',')
                at++;
        }
        *ret_n = n;
        if (m)
            return m;
    }
}

/* The last member of that name; those before it count as taken, too. */
static const struct member *take_member(struct writer *o, struct member *m, uint32_t n, const char *name,
                                        uint32_t *hint)
{
    const struct member *found = NULL;
    uint32_t len = (uint32_t)strlen(name);
    for (uint32_t i = 0; i < n; i++) {
        struct member *one = &m[(*hint + i) % n];
        if (one->taken || !cz__key_is(&o->w, one->key, cz__string_len(&o->w, one->key), name, len))
            continue;
        one->taken = true;
        if (i == 0)
            (*hint)++; /* in the schema's order, as we write them */
        if (!found || one > found)
            found = one;
    }
    return found;
}

static bool write_field(struct writer *o, const struct cz__avro_type *t, size_t i, const struct member *m,
                        struct old *was)
{
    const struct cz__avro_field *f = &t->fields[i];
    if (m) {
        bool ok = enter(o, f->name, 0) && write_value(o, f->type, m->value, was);
        if (ok)
            o->depth--;
        return ok;
    }
    if (!f->def)
        return bad(o, "field %.60s of %s is missing and has no default", f->name, type_text(t));
    cz_buf_add(o->out, f->def, f->def_len);
    if (was->on)
        was->on = cz__avro_value(&was->in, f->type, NULL);
    return true;
}

static bool write_record(struct writer *o, const struct cz__avro_type *t, uint32_t p, struct old *was)
{
    uint32_t n = 0, hint = 0;
    if (o->w.s[o->w.t[p]] != '{')
        return bad(o, "not an object, as record %s needs", type_text(t));
    struct member *m = members(o, p, &n);
    if (!m)
        return bad(o, "the record needs more than the memory of one evaluation");
    for (size_t i = 0; i < t->n; i++) {
        if (!write_field(o, t, i, take_member(o, m, n, t->fields[i].name, &hint), was))
            return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t len = cz__string_len(&o->w, m[i].key);
        if (!m[i].taken)
            return bad(o, "record %s has no field '%.*s'", type_text(t), (int)(len < 60 ? len : 60),
                       o->w.s + o->w.t[m[i].key] + 1);
    }
    return true;
}

/* The items of the old array or map, one by one. */
struct old_items {
    struct old *was;
    uint64_t left;
    bool over;
};

static bool next_old(struct old_items *x)
{
    if (!x->was->on || x->over)
        return false;
    if (x->left == 0 && (!cz__avro_block(&x->was->in, &x->left) || x->left == 0)) {
        x->over = true;
        return false;
    }
    x->left--;
    return true;
}

static bool write_array(struct writer *o, const struct cz__avro_type *t, uint32_t p, struct old *was)
{
    const struct cz__walk *w = &o->w;
    struct old_items items = {.was = was};
    uint32_t n = 0;
    if (w->s[w->t[p]] != '[')
        return bad(o, "not an array");
    for (uint32_t at = p + 1; w->s[w->t[at]] != ']'; n++) {
        at = cz__skip_value(w, at, o->depth);
        at += w->s[w->t[at]] == ',';
    }
    if (n > 0)
        put_long(o->out, n);
    for (uint32_t i = 0, at = p + 1; i < n; i++) {
        struct old none = {0};
        bool beside = next_old(&items);
        if (!enter(o, NULL, i) || !write_value(o, t->of[0], at, beside ? was : &none))
            return false;
        o->depth--;
        at = cz__skip_value(w, at, o->depth) + 1;
    }
    put_long(o->out, 0);
    return true;
}

/* Does the old map's next entry have this key?  Then it is beside the new one. */
static bool same_key(struct old_items *x, struct cz_slice *pending, struct cz_jval key)
{
    const char *s;
    size_t n;
    if (!pending->data) {
        if (!next_old(x))
            return false;
        if (!cz__avro_sized(&x->was->in, &s, &n)) {
            x->was->on = false;
            return false;
        }
        *pending = (struct cz_slice){s, n};
    }
    if (pending->len != key.len || memcmp(pending->data, key.u.s, key.len) != 0)
        return false;
    pending->data = NULL;
    return true;
}

static bool write_map(struct writer *o, const struct cz__avro_type *t, uint32_t p, struct old *was)
{
    uint32_t n = 0;
    struct old_items items = {.was = was};
    struct cz_slice pending = {0};
    if (o->w.s[o->w.t[p]] != '{')
        return bad(o, "not an object, as a map needs");
    struct member *m = members(o, p, &n);
    if (!m)
        return bad(o, "the record needs more than the memory of one evaluation");
    if (n > 0)
        put_long(o->out, n);
    for (uint32_t i = 0; i < n; i++) {
        struct cz_jval key;
        struct cz_error err = CZ_ERROR_INIT;
        struct old none = {0};
        if (cz__scalar(o->w.d, m[i].key, &key, &err))
            return bad(o, "%s", err.text);
        if (!plain(o, &key))
            return false;
        put_sized(o->out, key.u.s, key.len);
        bool beside = same_key(&items, &pending, key);
        if (!enter(o, NULL, i) || !write_value(o, t->of[0], m[i].value, beside ? was : &none))
            return false;
        o->depth--;
    }
    put_long(o->out, 0);
    return true;
}

/* One branch; nothing is left behind when it does not fit. */
static bool try_branch(struct writer *o, const struct cz__avro_type *t, size_t branch, uint32_t p,
                       struct old *was)
{
    size_t len = o->out->len;
    unsigned depth = o->depth;
    put_long(o->out, (int64_t)branch);
    if (write_value(o, t->of[branch], p, was))
        return true;
    if (!o->out->failed)
        o->out->len = len;
    o->depth = depth;
    return false;
}

static bool write_union(struct writer *o, const struct cz__avro_type *t, uint32_t p, struct old *was)
{
    int64_t branch = -1;
    size_t others = 0;
    bool null = o->w.s[o->w.t[p]] == 'n';
    if (was->on && !cz__avro_number(&was->in, t, &branch))
        branch = -1;
    if (branch >= 0 && try_branch(o, t, (size_t)branch, p, was))
        return true;
    for (size_t i = 0; i < t->n && !o->out->failed; i++) {
        struct old none = {0};
        if ((int64_t)i == branch || (t->of[i]->kind == CZ__AVRO_NULL) != null)
            continue;
        others++;
        if (try_branch(o, t, i, p, &none))
            return true;
    }
    if (o->budget == 0 || others + (branch >= 0) == 1)
        return false; /* the reason of the only branch there is */
    return bad(o, "the value fits no branch of the union");
}

static bool write_anew(struct writer *o, const struct cz__avro_type *t, uint32_t p, struct old *was)
{
    if (t->kind == CZ__AVRO_ARRAY)
        return write_array(o, t, p, was);
    if (t->kind == CZ__AVRO_MAP)
        return write_map(o, t, p, was);
    return t->kind == CZ__AVRO_UNION ? write_union(o, t, p, was) : write_scalar(o, t, p);
}

/* Copy the old bytes when they read the same; *ret_after is the place behind them. */
static bool copied(struct writer *o, const struct cz__avro_type *t, uint32_t p, struct old *was,
                   struct cz__avro_in *ret_after)
{
    struct cz__avro_in in = was->in;
    cz_buf_clear(o->old);
    if (!cz__avro_value(&in, t, o->old) || o->old->failed) {
        was->on = false;
        return false;
    }
    *ret_after = in;
    struct cz_slice now = text_of(o, p, cz__skip_value(&o->w, p, o->depth));
    if (now.len != o->old->len || memcmp(now.data, o->old->data, now.len) != 0)
        return false;
    cz_buf_add(o->out, was->in.at, (size_t)(in.at - was->in.at));
    return true;
}

/* Write the value at token @p; @was moves past its old value. */
static bool write_value(struct writer *o, const struct cz__avro_type *t, uint32_t p, struct old *was)
{
    struct cz__avro_in after = {0};
    if (o->budget == 0)
        return bad(o, "too many branches of unions were tried");
    if (o->out->failed)
        return bad(o, "the datum is over %zu bytes", o->out->max);
    o->budget--;
    if (t->kind == CZ__AVRO_RECORD) /* nothing but its fields: they are looked at one by one */
        return write_record(o, t, p, was);
    if (was->on && copied(o, t, p, was, &after)) {
        was->in = after;
        return true;
    }
    bool beside = was->on;
    struct old inside = *was;
    bool ok = write_anew(o, t, p, &inside);
    if (beside)
        was->in = after;
    return ok;
}

/* ---- entry points ---------------------------------------------------------------------------- */

struct cz_avro_writer *cz_avro_writer_new(void)
{
    struct cz_avro_writer *w = cz_alloc(sizeof *w);
    cz_json_doc_init(&w->doc);
    cz_arena_init(&w->arena, CZ_MAX_EVAL_OUTPUT);
    cz_buf_init(&w->old, CZ_MAX_EVAL_OUTPUT);
    return w;
}

void cz_avro_writer_free(struct cz_avro_writer *w)
{
    if (!w)
        return;
    cz_json_doc_done(&w->doc);
    cz_arena_done(&w->arena);
    cz_buf_done(&w->old);
    cz_free(w);
}

static enum cz_err write_type(struct cz_avro_writer *w, const struct cz__avro_type *t, struct cz_slice json,
                              struct cz_slice datum, struct cz_buf *out, struct cz_error *err)
{
    struct old was = {.on = datum.data != NULL};
    enum cz_err code = cz_json_doc_index(&w->doc, json.data, json.len, err);
    if (!code)
        code = cz_json_doc_walk(&w->doc, NULL, NULL, err);
    if (code)
        return code;
    cz_arena_reset(&w->arena);
    if (was.on)
        cz__avro_in_init(&was.in, datum.data, datum.len);
    struct writer o = {
        .w = {.s = w->doc.data, .t = w->doc.token, .n = w->doc.n, .d = &w->doc, .err = err},
        .arena = &w->arena,
        .old = &w->old,
        .out = out,
        .budget = FREE_TRIES + 4 * (uint64_t)json.len,
    };
    bool ok = write_value(&o, t, 0, &was);
    if (out->failed)
        return cz_fail(err, CZ_E_LIMIT, "the Avro datum is over %zu bytes", out->max);
    return ok ? CZ_OK : cz_fail(err, CZ_E_INVALID, "%s", o.why);
}

enum cz_err cz_avro_from_json(struct cz_avro_writer *w,
                              const struct cz_avro_schema *s,
                              struct cz_slice json,
                              struct cz_slice was,
                              struct cz_buf *out,
                              struct cz_error *err)
{
    return write_type(w, s->root, json, was, out, err);
}

/* ---- defaults -------------------------------------------------------------------------------- */

static bool make_default(struct cz_avro_writer *w, struct cz__avro_field *f)
{
    struct cz_buf out = CZ_BUF_INIT(CZ_MAX_AVRO_SCHEMA);
    struct cz_slice json = {f->def_json, strlen(f->def_json)};
    if (!write_type(w, f->type, json, (struct cz_slice){0}, &out, NULL)) {
        f->def_len = out.len;
        f->def = cz_buf_steal(&out);
    }
    cz_buf_done(&out);
    return f->def != NULL;
}

/* A default may rest on those of the records in it: go round until nothing comes to it. */
void cz__avro_defaults(struct cz_avro_schema *s)
{
    struct cz_avro_writer *w = cz_avro_writer_new();
    bool more = true;
    for (unsigned round = 0; more && round < CZ_MAX_AVRO_DEPTH; round++) {
        more = false;
        for (struct cz__avro_type *t = s->types; t; t = t->next) {
            for (size_t i = 0; t->fields && i < t->n; i++) {
                struct cz__avro_field *f = &t->fields[i];
                if (f->def_json && !f->def)
                    more |= make_default(w, f);
            }
        }
    }
    cz_avro_writer_free(w);
}
