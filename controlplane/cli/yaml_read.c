/* SPDX-License-Identifier: Apache-2.0 */
/** Reader of the YAML subset, on libyaml's events.  The same walk also finds where a JSON
 * pointer leads (cz_yaml_find), so that places need not be kept for documents that are right.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "cz/alloc.h"
#include "cz/limits.h"
#include "cz/util.h"
#include "yaml_doc.h"

struct reader {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one */
    bool has_event;
    const char *text;
    size_t len;
    int depth;
    struct cz_error *err;
    /* search: the pointer of the node at hand is a prefix of `want` while at <= strlen(want) */
    const char *want;
    struct cz_yaml_place found;
};

void cz_yaml_docs_done(struct cz_yaml_docs *d)
{
    for (size_t i = 0; i < d->len; i++)
        json_decref(d->items[i].value);
    cz_free(d->items);
    *d = (struct cz_yaml_docs){0};
}

CZ_PRINTF(3, 4)
static enum cz_err fail_at(struct reader *r, const yaml_mark_t *at, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return cz_fail(r->err, CZ_E_PARSE, "%zu:%zu: %s", at->line + 1, at->column + 1, text);
}

/* Line and column (in characters) of a byte of the text. */
static yaml_mark_t mark_of(const struct reader *r, size_t at)
{
    yaml_mark_t m = {.index = at};
    for (size_t i = 0; i < at && i < r->len; i++) {
        if (r->text[i] == '\n') {
            m.line++;
            m.column = 0;
        } else if (((unsigned char)r->text[i] & 0xC0) != 0x80) {
            m.column++;
        }
    }
    return m;
}

static enum cz_err fail_parser(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    const char *problem = p->problem ? p->problem : "cannot be read";
    if (p->error == YAML_MEMORY_ERROR)
        return cz_fail(r->err, CZ_E_LIMIT, "out of memory");
    if (p->error == YAML_READER_ERROR) {
        yaml_mark_t m = mark_of(r, p->problem_offset);
        return fail_at(r, &m, "%s", problem);
    }
    if (p->context && p->context_mark.line != p->problem_mark.line)
        return fail_at(r, &p->problem_mark, "%s (%s that began in line %zu)", problem,
                       p->context, p->context_mark.line + 1);
    return fail_at(r, &p->problem_mark, "%s", problem);
}

static enum cz_err next(struct reader *r)
{
    if (r->has_event)
        yaml_event_delete(&r->event);
    r->has_event = yaml_parser_parse(&r->parser, &r->event) == 1;
    return r->has_event ? CZ_OK : fail_parser(r);
}

/* ---- search ---------------------------------------------------------------------------------
 */

/* Does the token at want+at name @key?  *ret_next: the offset behind it. */
static bool token_is(const char *want, size_t at, const char *key, size_t n, size_t *ret_next)
{
    if (want[at] != '/')
        return false;
    size_t i = at + 1;
    for (size_t k = 0; k < n; k++) {
        char c = want[i];
        if (c == '\0' || c == '/')
            return false;
        if (c == '~') {
            i++;
            c = want[i] == '0' ? '~' : want[i] == '1' ? '/' : '\0';
        }
        if (c != key[k])
            return false;
        i++;
    }
    *ret_next = i;
    return want[i] == '\0' || want[i] == '/';
}

/* The node under @key begins at @mark.  @at: how much of want its parent matched, or SIZE_MAX.
 * Returns the same for the node. */
static size_t
search(struct reader *r, size_t at, const char *key, size_t n, const yaml_mark_t *mark)
{
    size_t after;
    if (!r->want || at == SIZE_MAX || !token_is(r->want, at, key, n, &after))
        return SIZE_MAX;
    r->found = (struct cz_yaml_place){mark->line + 1, mark->column + 1};
    return after;
}

/* ---- nodes ----------------------------------------------------------------------------------
 */

static enum cz_err read_node(struct reader *r, size_t at, json_t **ret);

static enum cz_err
check_plain_node(struct reader *r, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor)
        return fail_at(r, &r->event.start_mark, "anchors are not allowed (&%s)",
                       (const char *)anchor);
    if (tag)
        return fail_at(r, &r->event.start_mark, "tags are not allowed (%s)", (const char *)tag);
    return CZ_OK;
}

static enum cz_err read_int(struct reader *r, const char *s, json_t **ret)
{
    bool prefixed = s[0] == '0' && s[1] != '\0';
    errno = 0;
    char *end;
    int64_t v = prefixed ? strtoll(s + 2, &end, s[1] == 'o' ? 8 : 16) : strtoll(s, &end, 10);
    if (errno == ERANGE)
        return fail_at(r, &r->event.start_mark,
                       "%.40s does not fit in 64 bits; quote it to make it a string", s);
    *ret = json_integer(v);
    return CZ_OK;
}

static enum cz_err read_float(struct reader *r, const char *s, json_t **ret)
{
    double v = strtod(s, NULL);
    if (!isfinite(v))
        return fail_at(r, &r->event.start_mark, "%.40s is too large for a number", s);
    *ret = json_real(v);
    return CZ_OK;
}

static enum cz_err read_string(struct reader *r, const char *s, size_t n, json_t **ret)
{
    if (memchr(s, '\0', n))
        return fail_at(r, &r->event.start_mark, "NUL is not allowed in a string");
    json_t *j = json_stringn(s, n);
    if (!j)
        return fail_at(r, &r->event.start_mark, "not valid UTF-8");
    *ret = j;
    return CZ_OK;
}

static enum cz_err read_scalar(struct reader *r, json_t **ret)
{
    const char *s = (const char *)r->event.data.scalar.value;
    size_t n = r->event.data.scalar.length;
    enum cz_err rc = check_plain_node(r, r->event.data.scalar.anchor, r->event.data.scalar.tag);
    if (rc)
        return rc;
    if (r->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return read_string(r, s, n, ret);
    switch (cz_yaml_resolve(s, n)) {
    case CZ_YAML_NULL:
        *ret = json_null();
        return CZ_OK;
    case CZ_YAML_TRUE:
        *ret = json_true();
        return CZ_OK;
    case CZ_YAML_FALSE:
        *ret = json_false();
        return CZ_OK;
    case CZ_YAML_INT:
        return read_int(r, s, ret);
    case CZ_YAML_FLOAT:
        return read_float(r, s, ret);
    case CZ_YAML_REFUSED:
        return fail_at(r, &r->event.start_mark,
                       "%.40s is not a number everywhere; write it in decimal, or quote it", s);
    case CZ_YAML_STRING:
    default:
        return read_string(r, s, n, ret);
    }
}

static enum cz_err read_sequence(struct reader *r, size_t at, json_t **ret)
{
    enum cz_err rc = check_plain_node(r, r->event.data.sequence_start.anchor,
                                      r->event.data.sequence_start.tag);
    json_t *list = json_array();
    size_t i = 0;
    while (rc == CZ_OK && (rc = next(r)) == CZ_OK && r->event.type != YAML_SEQUENCE_END_EVENT) {
        char index[24];
        int n = snprintf(index, sizeof index, "%zu", i++);
        json_t *item = NULL;
        rc = read_node(r, search(r, at, index, (size_t)n, &r->event.start_mark), &item);
        if (rc == CZ_OK)
            (void)json_array_append_new(list, item);
    }
    if (rc == CZ_OK)
        *ret = list;
    else
        json_decref(list);
    return rc;
}

/* The key of a member; its text is what counts, whatever a value of that form would be. */
static enum cz_err read_key(struct reader *r, const json_t *object, char **ret)
{
    if (r->event.type == YAML_ALIAS_EVENT)
        return fail_at(r, &r->event.start_mark, "aliases are not allowed");
    if (r->event.type != YAML_SCALAR_EVENT)
        return fail_at(r, &r->event.start_mark, "a key must be a scalar");
    const char *s = (const char *)r->event.data.scalar.value;
    size_t n = r->event.data.scalar.length;
    bool plain = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    enum cz_err rc = check_plain_node(r, r->event.data.scalar.anchor, r->event.data.scalar.tag);
    if (rc)
        return rc;
    if (plain && n == 0)
        return fail_at(r, &r->event.start_mark, "a key is missing before the colon");
    if (plain && strcmp(s, "<<") == 0)
        return fail_at(r, &r->event.start_mark, "merge keys (<<) are not allowed");
    if (memchr(s, '\0', n))
        return fail_at(r, &r->event.start_mark, "NUL is not allowed in a key");
    if (json_object_get(object, s))
        return fail_at(r, &r->event.start_mark, "the key \"%.100s\" is there twice", s);
    *ret = cz_strndup(s, n);
    return CZ_OK;
}

static enum cz_err read_member(struct reader *r, size_t at, json_t *object)
{
    CZ_CLEANUP(cz_freep) char *key = NULL;
    enum cz_err rc = read_key(r, object, &key);
    if (rc)
        return rc;
    yaml_mark_t mark = r->event.start_mark;
    size_t below = search(r, at, key, strlen(key), &mark);
    rc = next(r);
    if (rc)
        return rc;
    json_t *value = NULL;
    rc = read_node(r, below, &value);
    if (rc == CZ_OK && json_object_set_new(object, key, value) != 0)
        rc = fail_at(r, &mark, "a key is not valid UTF-8");
    return rc;
}

static enum cz_err read_mapping(struct reader *r, size_t at, json_t **ret)
{
    enum cz_err rc = check_plain_node(r, r->event.data.mapping_start.anchor,
                                      r->event.data.mapping_start.tag);
    json_t *object = json_object();
    while (rc == CZ_OK && (rc = next(r)) == CZ_OK && r->event.type != YAML_MAPPING_END_EVENT)
        rc = read_member(r, at, object);
    if (rc == CZ_OK)
        *ret = object;
    else
        json_decref(object);
    return rc;
}

/* The current event begins a node; afterwards it is the node's last one. */
static enum cz_err read_node(struct reader *r, size_t at, json_t **ret)
{
    bool nested =
        r->event.type == YAML_SEQUENCE_START_EVENT || r->event.type == YAML_MAPPING_START_EVENT;
    if (r->event.type == YAML_ALIAS_EVENT)
        return fail_at(r, &r->event.start_mark, "aliases are not allowed (*%s)",
                       (const char *)r->event.data.alias.anchor);
    if (nested && r->depth == CZ_MAX_JSON_DEPTH)
        return fail_at(r, &r->event.start_mark, "nested deeper than %d levels",
                       CZ_MAX_JSON_DEPTH);
    if (!nested)
        return read_scalar(r, ret);
    r->depth++;
    enum cz_err rc = r->event.type == YAML_MAPPING_START_EVENT ? read_mapping(r, at, ret)
                                                               : read_sequence(r, at, ret);
    r->depth--;
    return rc;
}

/* ---- documents ------------------------------------------------------------------------------
 */

static enum cz_err read_document(struct reader *r, json_t **ret)
{
    if (r->event.data.document_start.version_directive ||
        r->event.data.document_start.tag_directives.start !=
            r->event.data.document_start.tag_directives.end)
        return fail_at(r, &r->event.start_mark, "directives (%%YAML, %%TAG) are not allowed");
    enum cz_err rc = next(r);
    if (rc == CZ_OK && r->want)
        r->found = (struct cz_yaml_place){r->event.start_mark.line + 1,
                                          r->event.start_mark.column + 1};
    json_t *value = NULL;
    if (rc == CZ_OK)
        rc = read_node(r, 0, &value);
    if (rc == CZ_OK)
        rc = next(r); /* the document's end */
    if (rc == CZ_OK)
        *ret = value;
    else
        json_decref(value);
    return rc;
}

static enum cz_err check_text(struct reader *r)
{
    if (r->len > CZ_MAX_CLI_FILE)
        return cz_fail(r->err, CZ_E_TOO_LARGE, "1:1: larger than %d bytes", CZ_MAX_CLI_FILE);
    if (cz_utf8_valid(r->text, r->len))
        return CZ_OK;
    size_t good = 0, bad = r->len; /* the longest valid beginning, by halving */
    while (bad - good > 1) {
        size_t half = good + (bad - good) / 2, cut = half;
        while (cut > good && ((unsigned char)r->text[cut] & 0xC0) == 0x80)
            cut--;
        if (cut > good && cz_utf8_valid(r->text, cut))
            good = cut;
        else
            bad = half;
    }
    yaml_mark_t m = mark_of(r, good);
    return fail_at(r, &m, "not valid UTF-8");
}

static void reader_done(struct reader *r)
{
    if (r->has_event)
        yaml_event_delete(&r->event);
    yaml_parser_delete(&r->parser);
}

static enum cz_err
reader_init(struct reader *r, const char *text, size_t len, struct cz_error *err)
{
    if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        text += 3;
        len -= 3;
    }
    *r = (struct reader){.text = text, .len = len, .err = err};
    if (!yaml_parser_initialize(&r->parser))
        return cz_fail(err, CZ_E_LIMIT, "out of memory");
    yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r->parser, (const unsigned char *)text, len);
    return check_text(r);
}

static void add_document(struct cz_yaml_docs *d, json_t *value, size_t index)
{
    if (json_is_null(value)) {
        json_decref(value);
        return;
    }
    cz_grow(&d->items, &d->cap, d->len, sizeof *d->items);
    d->items[d->len++] = (struct cz_yaml_doc){value, index};
}

enum cz_err
cz_yaml_read(const char *text, size_t len, struct cz_yaml_docs *ret, struct cz_error *err)
{
    CZ_CLEANUP(reader_done) struct reader r;
    struct cz_yaml_docs docs = {0};
    enum cz_err rc = reader_init(&r, text, len, err);
    size_t index = 0;
    while (rc == CZ_OK && (rc = next(&r)) == CZ_OK && r.event.type != YAML_STREAM_END_EVENT) {
        json_t *value = NULL;
        if (r.event.type != YAML_DOCUMENT_START_EVENT)
            continue;
        rc = read_document(&r, &value);
        if (rc == CZ_OK)
            add_document(&docs, value, index++);
    }
    if (rc == CZ_OK)
        *ret = docs;
    else
        cz_yaml_docs_done(&docs);
    return rc;
}

struct cz_yaml_place
cz_yaml_find(const char *text, size_t len, size_t index, const char *pointer)
{
    CZ_CLEANUP(reader_done) struct reader r;
    struct cz_error err = CZ_ERROR_INIT;
    enum cz_err rc = reader_init(&r, text, len, &err);
    size_t at = 0;
    while (rc == CZ_OK && at <= index && (rc = next(&r)) == CZ_OK &&
           r.event.type != YAML_STREAM_END_EVENT) {
        json_t *value = NULL;
        if (r.event.type != YAML_DOCUMENT_START_EVENT)
            continue;
        r.want = at == index ? pointer : NULL;
        rc = read_document(&r, &value);
        json_decref(value);
        at++;
    }
    return r.found;
}
