/* SPDX-License-Identifier: Apache-2.0 */
/* Replacing the values at dotted paths: the document is walked once, its bytes are copied up to
 * each value that changes, and everything else stays as it was. */
#include "cz/alloc.h"
#include "cz/limits.h"
#include "json_priv.h"

struct node {
    struct node *child, *next;
    char *key;
    uint32_t key_len;
    bool wanted;
    size_t path;
};

struct cz_json_paths {
    struct node root;
    size_t count;
};

struct cz_json_paths *cz_json_paths_new(void)
{
    return cz_alloc(sizeof(struct cz_json_paths));
}

static void free_nodes(struct node *n)
{
    while (n) {
        struct node *next = n->next;
        free_nodes(n->child);
        cz_free(n->key);
        cz_free(n);
        n = next;
    }
}

void cz_json_paths_free(struct cz_json_paths *p)
{
    if (!p)
        return;
    free_nodes(p->root.child);
    cz_free(p);
}

static struct node *child_of(struct node *parent, const char *key, size_t len)
{
    struct node **at = &parent->child;
    for (; *at; at = &(*at)->next) {
        if ((*at)->key_len == len && memcmp((*at)->key, key, len) == 0)
            return *at;
    }
    *at = cz_alloc(sizeof(**at));
    (*at)->key = cz_strndup(key, len);
    (*at)->key_len = (uint32_t)len;
    return *at;
}

/* One segment at *s: plain up to the next dot, or quoted with JSON's escapes. The text goes to
 * @out (room for the whole path); *s ends at the dot or the end. */
static const char *segment(const char **s, char *out, size_t *ret_len)
{
    if (**s != '"') {
        size_t n = strcspn(*s, ".");
        if (n == 0)
            return "a name is missing";
        memcpy(out, *s, n);
        *s += n;
        *ret_len = n;
        return NULL;
    }
    const char *start = ++*s;
    while (**s && **s != '"')
        *s += **s == '\\' && (*s)[1] ? 2 : 1;
    if (**s != '"')
        return "a quoted name is not closed";
    bool escape;
    uint32_t at, n = (uint32_t)(*s - start);
    const char *why = cz__string_check(start, n, &at, &escape);
    if (why)
        return why;
    *ret_len = cz__unescape(start, n, out);
    ++*s;
    return NULL;
}

enum cz_err cz_json_paths_add(struct cz_json_paths *p, const char *path, struct cz_error *err)
{
    if (strlen(path) > CZ_MAX_EXPRESSION)
        return cz_fail(err, CZ_E_INVALID, "a path is longer than %d bytes", CZ_MAX_EXPRESSION);
    CZ__SCRATCH char key[CZ_MAX_EXPRESSION + 4];
    const char *s = path;
    struct node *n = &p->root;
    while (*path) {
        size_t len = 0;
        const char *why = segment(&s, key, &len);
        if (why)
            return cz_fail(err, CZ_E_INVALID, "path '%.200s': %s", path, why);
        n = child_of(n, key, len);
        if (!*s)
            break;
        if (*s++ != '.')
            return cz_fail(err, CZ_E_INVALID, "path '%.200s': '.' was expected", path);
    }
    if (n->wanted)
        return cz_fail(err, CZ_E_INVALID, "path '%.200s' is given twice", path);
    n->wanted = true;
    n->path = p->count++;
    return CZ_OK;
}

struct rewrite {
    struct cz__walk w;
    cz_json_replace_fn fn;
    void *arg;
    struct cz_buf *out;
    uint32_t copied; /* bytes of the document that are in out */
    bool changed;
    enum cz_err rc;
};

static uint32_t
rewrite_value(struct rewrite *r, const struct node *n, uint32_t p, unsigned depth);

/* Hand the value [p, end) to the callback. False: it failed, or kept the value. */
static bool offer(struct rewrite *r, const struct node *n, uint32_t p, uint32_t end)
{
    struct cz_jval v;
    struct cz_slice text = cz_json_doc_text(r->w.d, (struct cz_json_hit){p + 1, end + 1});
    uint32_t start = r->w.t[p];
    if (*text.data == '{')
        v = (struct cz_jval){.type = CZ_J_OBJECT, .len = (uint32_t)text.len, .u.s = text.data};
    else if ((r->rc = cz__scalar(r->w.d, p, &v, r->w.err)) != CZ_OK)
        return false;
    size_t before = r->out->len;
    cz_buf_add(r->out, r->w.s + r->copied, start - r->copied);
    size_t mark = r->out->len;
    r->rc = r->fn(r->arg, n->path, v, r->out, r->w.err);
    if (r->rc == CZ_OK && r->out->len != mark) {
        r->copied = start + (uint32_t)text.len;
        r->changed = true;
        return true;
    }
    r->out->len = before;
    return false;
}

static uint32_t
rewrite_array(struct rewrite *r, const struct node *n, uint32_t p, unsigned depth)
{
    const struct cz__walk *w = &r->w;
    if (w->s[w->t[p]] == ']')
        return p + 1;
    for (;;) {
        p = rewrite_value(r, n, p, depth);
        if (p == 0)
            return 0;
        char c = w->s[w->t[p]];
        if (c == ']')
            return p + 1;
        if (c != ',')
            return cz__walk_fail(w, p, "',' or ']' was expected");
        p++;
    }
}

static const struct node *
member_node(const struct cz__walk *w, const struct node *n, uint32_t p)
{
    uint32_t len = cz__string_len(w, p);
    for (const struct node *c = n->child; c; c = c->next) {
        if (cz__key_is(w, p, len, c->key, c->key_len))
            return c;
    }
    return NULL;
}

static uint32_t
rewrite_object(struct rewrite *r, const struct node *n, uint32_t p, unsigned depth)
{
    const struct cz__walk *w = &r->w;
    if (w->s[w->t[p]] == '}')
        return p + 1;
    for (;;) {
        if (w->s[w->t[p]] != '"')
            return cz__walk_fail(w, p, "a member's name or '}' was expected");
        if (w->s[w->t[p + 1]] != ':')
            return cz__walk_fail(w, p + 1, "':' was expected");
        const struct node *child = member_node(w, n, p);
        p += 2;
        p = child ? rewrite_value(r, child, p, depth) : cz__skip_value(w, p, depth);
        if (p == 0)
            return 0;
        char c = w->s[w->t[p]];
        if (c == '}')
            return p + 1;
        if (c != ',')
            return cz__walk_fail(w, p, "',' or '}' was expected");
        p++;
    }
}

static uint32_t
rewrite_value(struct rewrite *r, const struct node *n, uint32_t p, unsigned depth)
{
    const struct cz__walk *w = &r->w;
    char c = w->s[w->t[p]];
    bool room = p < w->n && depth < CZ_MAX_RECORD_JSON_DEPTH;
    if (c == '[' && room)
        return rewrite_array(r, n, p + 1, depth + 1);
    uint32_t end;
    if (n->wanted) {
        end = cz__skip_value(w, p, depth);
        if (end == 0)
            return 0;
        if (offer(r, n, p, end))
            return end;
        if (r->rc != CZ_OK)
            return 0;
    }
    if (c == '{' && room && n->child)
        return rewrite_object(r, n, p + 1, depth + 1);
    return cz__skip_value(w, p, depth);
}

enum cz_err cz_json_doc_replace(const struct cz_json_doc *d,
                                const struct cz_json_paths *paths,
                                cz_json_replace_fn fn,
                                void *arg,
                                struct cz_buf *out,
                                bool *ret_changed,
                                struct cz_error *err)
{
    struct rewrite r = {
        .w = {.s = d->data, .t = d->token, .n = d->n, .d = d, .err = err},
        .fn = fn,
        .arg = arg,
        .out = out,
        .rc = CZ_OK,
    };
    cz_buf_clear(out);
    enum cz_err rc = cz__walk_begin(&r.w);
    if (rc != CZ_OK)
        return rc;
    uint32_t p = rewrite_value(&r, &paths->root, 0, 0);
    if (p == 0) {
        cz_buf_clear(out);
        return r.rc != CZ_OK ? r.rc : CZ_E_PARSE;
    }
    if (p < d->n)
        return cz__parse_error(err, d->token[p], "bytes after the end of the document");
    if (r.changed)
        cz_buf_add(out, d->data + r.copied, d->len - r.copied);
    if (out->failed)
        return cz_fail(err, CZ_E_LIMIT, "the new record is longer than %zu bytes", out->max);
    *ret_changed = r.changed;
    return CZ_OK;
}
