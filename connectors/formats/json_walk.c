/* SPDX-License-Identifier: Apache-2.0 */
/* The walk: one pass over the tokens that checks the structure of the whole document and notes
 * where the values lie that a trie asks for.  Parts that no path can reach go through the tight
 * loop of skip_container(), which looks at no key.
 *
 * Two sentinels follow the last token; both repeat the first token, an opening bracket. Nothing
 * but a value position accepts one, and opening a container checks for the end, so the loops
 * need no bounds check of their own. */
#include "cz/limits.h"
#include "json_priv.h"

const uint8_t cz__class[256] = {
    ['-'] = CZ__SCALAR,     ['0'] = CZ__SCALAR, ['1'] = CZ__SCALAR, ['2'] = CZ__SCALAR,
    ['3'] = CZ__SCALAR,     ['4'] = CZ__SCALAR, ['5'] = CZ__SCALAR, ['6'] = CZ__SCALAR,
    ['7'] = CZ__SCALAR,     ['8'] = CZ__SCALAR, ['9'] = CZ__SCALAR, ['t'] = CZ__SCALAR,
    ['f'] = CZ__SCALAR,     ['n'] = CZ__SCALAR, ['"'] = CZ__QUOTE,  ['{'] = CZ__OPEN_OBJECT,
    ['['] = CZ__OPEN_ARRAY,
};

enum cz_err cz__parse_error(struct cz_error *err, uint32_t pos, const char *reason)
{
    return cz_fail(err, CZ_E_PARSE, "position %u: %s", pos, reason);
}

uint32_t cz__walk_fail(const struct cz__walk *w, uint32_t p, const char *reason)
{
    if (p >= w->n)
        (void)cz__parse_error(w->err, w->d->len, "the document ends too early");
    else
        (void)cz__parse_error(w->err, w->t[p], reason);
    return 0;
}

static inline uint8_t class_at(const struct cz__walk *w, uint32_t p)
{
    return cz__class[(uint8_t)w->s[w->t[p]]];
}

/* @p: the token behind an opening bracket. Returns the token behind its closing one, or 0. */
static uint32_t skip_container(const struct cz__walk *w, uint32_t p, char close, unsigned depth)
{
    const char *s = w->s;
    const uint32_t *t = w->t;
    CZ__SCRATCH char closers[CZ_MAX_RECORD_JSON_DEPTH + 1];
    unsigned base = depth;
    closers[depth] = close;
    if (s[t[p]] == close)
        return p + 1;
    for (;;) {
        if (close == '}') {
            if (s[t[p]] != '"')
                return cz__walk_fail(w, p, "a member's name or '}' was expected");
            if (s[t[p + 1]] != ':')
                return cz__walk_fail(w, p + 1, "':' was expected");
            p += 2;
        }
        uint8_t class = class_at(w, p);
        if (class == CZ__BAD)
            return cz__walk_fail(w, p, "a value was expected");
        if (class >= CZ__OPEN_OBJECT) {
            if (p >= w->n || ++depth > CZ_MAX_RECORD_JSON_DEPTH)
                return cz__walk_fail(w, p, "nested too deeply");
            closers[depth] = close = class == CZ__OPEN_OBJECT ? '}' : ']';
            if (s[t[p + 1]] != close) {
                p++;
                continue;
            }
        }
        p++;
        while (s[t[p]] != ',') {
            if (s[t[p]] != close)
                return cz__walk_fail(w, p, "',' or the closing bracket was expected");
            p++;
            if (depth == base)
                return p;
            close = closers[--depth];
        }
        p++;
    }
}

uint32_t cz__skip_value(const struct cz__walk *w, uint32_t p, unsigned depth)
{
    uint8_t class = class_at(w, p);
    if (class == CZ__SCALAR || class == CZ__QUOTE)
        return p + 1;
    if (class == CZ__BAD)
        return cz__walk_fail(w, p, "a value was expected");
    if (p >= w->n || depth >= CZ_MAX_RECORD_JSON_DEPTH)
        return cz__walk_fail(w, p, "nested too deeply");
    return skip_container(w, p + 1, class == CZ__OPEN_OBJECT ? '}' : ']', depth + 1);
}

static bool escaped_key_is(const char *s, uint32_t len, const char *key, uint32_t key_len)
{
    const char *end = s + len;
    while (s < end) {
        char c[4];
        unsigned n = cz__next_char(&s, end, c);
        if (n == 0 || n > key_len || memcmp(c, key, n) != 0)
            return false;
        key += n;
        key_len -= n;
    }
    return key_len == 0;
}

bool cz__key_is(
    const struct cz__walk *w, uint32_t p, uint32_t len, const char *key, uint32_t key_len)
{
    const char *s = w->s + w->t[p] + 1;
    if (len == key_len && memcmp(s, key, len) == 0)
        return true;
    /* An escape makes the text longer than what it stands for. */
    if (!w->d->has_escape || len <= key_len || !memchr(s, '\\', len))
        return false;
    return escaped_key_is(s, len, key, key_len);
}

static uint32_t walk_value(const struct cz__walk *w,
                           const struct cz_json_trie *node,
                           uint32_t p,
                           unsigned depth);

static inline const struct cz_json_trie *
child_by_key(const struct cz__walk *w, const struct cz_json_trie *node, uint32_t p)
{
    uint32_t len = cz__string_len(w, p);
    const char *s = w->s + w->t[p] + 1;
    for (const struct cz_json_trie *c = node->child; c; c = c->next) {
        /* Most keys differ in length or in the first byte. */
        bool same = c->key && c->key_len == len && (len == 0 || *s == *c->key) &&
                    memcmp(s, c->key, len) == 0;
        if (same || (w->d->has_escape && c->key && cz__key_is(w, p, len, c->key, c->key_len)))
            return c;
    }
    return NULL;
}

static uint32_t walk_object(const struct cz__walk *w,
                            const struct cz_json_trie *node,
                            uint32_t p,
                            unsigned depth)
{
    const char *s = w->s;
    const uint32_t *t = w->t;
    if (s[t[p]] == '}')
        return p + 1;
    for (;;) {
        if (s[t[p]] != '"')
            return cz__walk_fail(w, p, "a member's name or '}' was expected");
        if (s[t[p + 1]] != ':')
            return cz__walk_fail(w, p + 1, "':' was expected");
        const struct cz_json_trie *child = child_by_key(w, node, p);
        p += 2;
        if (child)
            p = walk_value(w, child, p, depth);
        else if (class_at(w, p) - 1U < CZ__QUOTE)
            p++;
        else
            p = cz__skip_value(w, p, depth);
        if (p == 0)
            return 0;
        char c = s[t[p]];
        if (c == '}')
            return p + 1;
        if (c != ',')
            return cz__walk_fail(w, p, "',' or '}' was expected");
        p++;
    }
}

static const struct cz_json_trie *child_by_index(const struct cz_json_trie *node,
                                                 uint32_t index)
{
    for (const struct cz_json_trie *c = node->child; c; c = c->next) {
        if (!c->key && c->index == index)
            return c;
    }
    return NULL;
}

static bool has_index_child(const struct cz_json_trie *node)
{
    const struct cz_json_trie *c = node->child;
    while (c && c->key)
        c = c->next;
    return c != NULL;
}

static uint32_t walk_array(const struct cz__walk *w,
                           const struct cz_json_trie *node,
                           uint32_t p,
                           unsigned depth)
{
    const char *s = w->s;
    const uint32_t *t = w->t;
    if (s[t[p]] == ']')
        return p + 1;
    for (uint32_t index = 0;; index++) {
        const struct cz_json_trie *child = child_by_index(node, index);
        p = child ? walk_value(w, child, p, depth) : cz__skip_value(w, p, depth);
        if (p == 0)
            return 0;
        char c = s[t[p]];
        if (c == ']')
            return p + 1;
        if (c != ',')
            return cz__walk_fail(w, p, "',' or ']' was expected");
        p++;
    }
}

/* @depth: containers around the value. */
static uint32_t walk_value(const struct cz__walk *w,
                           const struct cz_json_trie *node,
                           uint32_t p,
                           unsigned depth)
{
    uint32_t start = p;
    uint8_t class = class_at(w, p);
    if (node->slot_first < node->slot_end) /* an earlier duplicate of this key is forgotten */
        memset(w->hits + node->slot_first, 0,
               (size_t)(node->slot_end - node->slot_first) * sizeof(*w->hits));
    if (p < w->n && depth < CZ_MAX_RECORD_JSON_DEPTH && class == CZ__OPEN_OBJECT &&
        node->child) {
        p = walk_object(w, node, p + 1, depth + 1);
    } else if (p < w->n && depth < CZ_MAX_RECORD_JSON_DEPTH && class == CZ__OPEN_ARRAY &&
               has_index_child(node)) {
        p = walk_array(w, node, p + 1, depth + 1);
    } else {
        struct cz_jval v;
        if (class == CZ__SCALAR && node->child && cz__scalar(w->d, p, &v, w->err) != CZ_OK)
            return 0;
        p = cz__skip_value(w, p, depth);
    }
    if (p != 0 && node->slot >= 0)
        w->hits[node->slot] = (struct cz_json_hit){start + 1, p + 1};
    return p;
}

enum cz_err cz__walk_begin(const struct cz__walk *w)
{
    if (w->n == 0)
        return cz__parse_error(w->err, 0, "there is no JSON");
    if (w->d->open_string)
        return cz__parse_error(w->err, w->d->len, "a string is not closed");
    uint8_t class = class_at(w, 0);
    if (class >= CZ__OPEN_OBJECT)
        return CZ_OK;
    if (class == CZ__BAD)
        return cz__parse_error(w->err, w->t[0], "a value was expected");
    if (w->n > 1)
        return cz__parse_error(w->err, w->t[1], "bytes after the end of the document");
    struct cz_jval v;
    return cz__scalar(w->d, 0, &v, w->err);
}

enum cz_err cz_json_doc_walk(const struct cz_json_doc *d,
                             const struct cz_json_trie *trie,
                             struct cz_json_hit *hits,
                             struct cz_error *err)
{
    struct cz__walk w = {
        .s = d->data, .t = d->token, .n = d->n, .d = d, .hits = hits, .err = err};
    enum cz_err rc = cz__walk_begin(&w);
    if (rc != CZ_OK)
        return rc;
    uint32_t p = trie ? walk_value(&w, trie, 0, 0) : cz__skip_value(&w, 0, 0);
    if (p == 0)
        return CZ_E_PARSE;
    if (p < d->n)
        return cz__parse_error(err, d->token[p], "bytes after the end of the document");
    return CZ_OK;
}
