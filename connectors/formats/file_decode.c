/* SPDX-License-Identifier: Apache-2.0 */
/* A line of a topic file as a record.  Nothing that stands in the line in place is copied. */
#include "file_priv.h"

#include <string.h>

#include "cz/alloc.h"
#include "cz/limits.h"

enum slot {
    TOPIC,
    PARTITION,
    OFFSET,
    TIMESTAMP,
    TS, /* kcat's */
    TIMESTAMP_TYPE,
    KEY,
    KEY_ENCODING,
    VALUE,
    PAYLOAD, /* kcat's */
    VALUE_ENCODING,
    HEADERS,
    SLOTS_END
};

static const char *const members[] = {"topic", "partition", "offset",       "timestamp",
                                      "ts",    "timestamp_type", "key",     "key_encoding",
                                      "value", "payload",   "value_encoding", "headers"};

struct cz_file_codec *cz_file_codec_new(void)
{
    struct cz_file_codec *c = cz_alloc(sizeof(*c));
    cz_json_doc_init(&c->doc);
    cz_arena_init(&c->program, 64 * 1024);
    cz_arena_init(&c->arena, CZ_MAX_FILE_RECORD);
    c->trie = cz_arena_alloc(&c->program, sizeof(*c->trie));
    *c->trie = (struct cz_json_trie){.slot = -1};
    for (size_t i = 0; i < SLOTS_END; i++)
        cz_json_trie_child(&c->program, c->trie, members[i], strlen(members[i]), 0)->slot = 0;
    (void)cz_json_trie_number(c->trie, 0); /* members[i] has slot i */
    return c;
}

void cz_file_codec_free(struct cz_file_codec *c)
{
    if (!c)
        return;
    cz_json_doc_done(&c->doc);
    cz_arena_done(&c->program);
    cz_arena_done(&c->arena);
    cz_free(c->headers);
    cz_free(c);
}

size_t cz__file_headers(struct cz_file_codec *c, const struct cz_record *r)
{
    if (!r->headers)
        return 0;
    for (;;) {
        size_t n = r->headers(r, c->headers, c->headers_cap);
        if (n <= c->headers_cap)
            return n;
        cz_grow(&c->headers, &c->headers_cap, n, sizeof(*c->headers));
    }
}

static size_t headers_of(const struct cz_record *r, struct cz_header *out, size_t max)
{
    const struct cz_file_codec *c = r->msg;
    size_t n = c->headers_len < max ? c->headers_len : max;
    if (n > 0) /* asked for their number alone, @out may be NULL */
        memcpy(out, c->headers, n * sizeof(*out));
    return c->headers_len;
}

/* A string or other value as bytes; @base64: it must be a string of that. */
static enum cz_err to_bytes(struct cz_file_codec *c,
                            struct cz_jval v,
                            struct cz_slice text,
                            bool base64,
                            struct cz_slice *ret,
                            struct cz_error *err)
{
    if (v.type == CZ_J_NULL) {
        *ret = (struct cz_slice){NULL, 0};
        return CZ_OK;
    }
    if (v.type == CZ_J_STRING) {
        if (!cz_jval_plain(&c->arena, &v))
            return cz_fail(err, CZ_E_LIMIT, "the record is too large");
        text = (struct cz_slice){v.u.s, v.len};
    } else if (base64) {
        return cz_fail(err, CZ_E_INVALID, "base64 is a string");
    }
    if (base64) {
        char *to = cz_arena_alloc(&c->arena, text.len / 4 * 3);
        size_t n;
        if (!to)
            return cz_fail(err, CZ_E_LIMIT, "the record is too large");
        if (!cz__base64_read(text.data, text.len, to, &n))
            return cz_fail(err, CZ_E_INVALID, "this is not base64");
        text = (struct cz_slice){to, n};
    }
    *ret = text;
    return CZ_OK;
}

static enum cz_err
is_base64(struct cz_file_codec *c, struct cz_jval v, bool *ret, struct cz_error *err)
{
    *ret = false;
    if (v.type == CZ_J_NULL)
        return CZ_OK;
    if (v.type != CZ_J_STRING || !cz_jval_plain(&c->arena, &v) || v.len != 6 ||
        memcmp(v.u.s, "base64", 6) != 0)
        return cz_fail(err, CZ_E_INVALID, "the only encoding is \"base64\"");
    *ret = true;
    return CZ_OK;
}

/* The type of a value without making a tree of it: only scalars are read. */
static enum cz_err scalar(struct cz_file_codec *c,
                          struct cz_json_hit hit,
                          struct cz_jval *ret,
                          struct cz_error *err)
{
    struct cz_slice text = hit.tok ? cz_json_doc_text(&c->doc, hit) : (struct cz_slice){NULL, 0};
    if (text.len > 0 && (*text.data == '{' || *text.data == '[')) {
        *ret = (struct cz_jval){.type = *text.data == '{' ? CZ_J_OBJECT : CZ_J_ARRAY};
        return CZ_OK;
    }
    return cz_json_doc_value(&c->doc, hit, &c->arena, ret, err);
}

static enum cz_err side(struct cz_file_codec *c,
                        struct cz_json_hit hit,
                        struct cz_json_hit encoding,
                        struct cz_slice *ret,
                        struct cz_error *err)
{
    struct cz_jval v, how;
    bool base64 = false;
    if (scalar(c, hit, &v, err) || scalar(c, encoding, &how, err) ||
        is_base64(c, how, &base64, err))
        return err->code;
    struct cz_slice text = hit.tok ? cz_json_doc_text(&c->doc, hit) : (struct cz_slice){NULL, 0};
    return to_bytes(c, v, text, base64, ret, err);
}

static enum cz_err add_header(struct cz_file_codec *c,
                              struct cz_jval name,
                              bool name_base64,
                              struct cz_jval value,
                              bool value_base64,
                              struct cz_error *err)
{
    if (name.type != CZ_J_STRING || (value.type != CZ_J_STRING && value.type != CZ_J_NULL))
        return cz_fail(err, CZ_E_INVALID, "headers have a text as name, text or null as value");
    cz_grow(&c->headers, &c->headers_cap, c->headers_len, sizeof(*c->headers));
    struct cz_header *h = &c->headers[c->headers_len];
    struct cz_slice none = {NULL, 0};
    if (to_bytes(c, name, none, name_base64, &h->name, err) ||
        to_bytes(c, value, none, value_base64, &h->value, err))
        return err->code;
    c->headers_len++;
    return CZ_OK;
}

/* [{"name","value"}…], kcat's [name, value, …] or {"name": "value"}. */
static enum cz_err read_headers(struct cz_file_codec *c, struct cz_jval v, struct cz_error *err)
{
    for (uint32_t i = 0; v.type == CZ_J_OBJECT && i < v.len; i++) {
        if (add_header(c, v.u.members[i].key, false, v.u.members[i].val, false, err))
            return err->code;
    }
    for (uint32_t i = 0; v.type == CZ_J_ARRAY && i < v.len; i++) {
        struct cz_jval item = v.u.items[i];
        bool name64 = false, value64 = false;
        struct cz_jval name = item, value = CZ_JNULL;
        if (item.type == CZ_J_OBJECT) {
            name = cz_jval_get(item, "name", 4);
            value = cz_jval_get(item, "value", 5);
            if (is_base64(c, cz_jval_get(item, "name_encoding", 13), &name64, err) ||
                is_base64(c, cz_jval_get(item, "value_encoding", 14), &value64, err))
                return err->code;
        } else if (++i < v.len) {
            value = v.u.items[i];
        } else {
            return cz_fail(err, CZ_E_INVALID, "a header without a value");
        }
        if (add_header(c, name, name64, value, value64, err))
            return err->code;
    }
    if (v.type != CZ_J_OBJECT && v.type != CZ_J_ARRAY && v.type != CZ_J_NULL)
        return cz_fail(err, CZ_E_INVALID, "headers are an array or an object");
    return CZ_OK;
}

static enum cz_err
integer(struct cz_jval v, const char *what, int64_t max, int64_t *ret, struct cz_error *err)
{
    int64_t i = 0;
    if (v.type != CZ_J_NULL &&
        (v.type != CZ_J_NUMBER || !cz_jnum_int(v, &i) || i < -1 || i > max))
        return cz_fail(err, CZ_E_INVALID, "%s is not a number from -1 on", what);
    *ret = i;
    return CZ_OK;
}

static enum cz_err
read_meta(struct cz_file_codec *c, struct cz_jval *v, struct cz_record *r, struct cz_error *err)
{
    struct cz_jval time = v[TIMESTAMP].type == CZ_J_NULL ? v[TS] : v[TIMESTAMP];
    int64_t partition;
    if (integer(v[PARTITION], "partition", INT32_MAX, &partition, err) ||
        integer(v[OFFSET], "offset", INT64_MAX, &r->offset, err) ||
        integer(time, "timestamp", INT64_MAX, &r->timestamp_ms, err))
        return err->code;
    r->partition = (int32_t)partition;
    bool append = cz_jval_equal(v[TIMESTAMP_TYPE], cz_jval_str("append", 6));
    if (time.type != CZ_J_NULL)
        r->ts_type = append ? CZ_TS_APPEND : CZ_TS_CREATE;
    if (v[TOPIC].type == CZ_J_NULL)
        return CZ_OK;
    if (v[TOPIC].type != CZ_J_STRING)
        return cz_fail(err, CZ_E_INVALID, "topic is not a text");
    char *name = NULL;
    if (cz_jval_plain(&c->arena, &v[TOPIC]))
        name = cz_arena_alloc(&c->arena, (size_t)v[TOPIC].len + 1);
    if (!name)
        return cz_fail(err, CZ_E_LIMIT, "the record is too large");
    memcpy(name, v[TOPIC].u.s, v[TOPIC].len);
    name[v[TOPIC].len] = '\0';
    r->topic = name;
    return CZ_OK;
}

static enum cz_err
decode(struct cz_file_codec *c, const char *text, size_t len, struct cz_record *r, struct cz_error *err)
{
    struct cz_json_hit hits[SLOTS_END] = {0};
    struct cz_jval v[SLOTS_END];
    if (cz_json_doc_index(&c->doc, text, len, err) ||
        cz_json_doc_walk(&c->doc, c->trie, hits, err) || cz_json_doc_check_full(&c->doc, err))
        return err->code;
    if (c->doc.data[c->doc.token[0]] != '{')
        return cz_fail(err, CZ_E_INVALID, "a record is an object");
    for (size_t i = TOPIC; i <= TIMESTAMP_TYPE; i++) {
        if (scalar(c, hits[i], &v[i], err))
            return err->code;
    }
    if (cz_json_doc_value(&c->doc, hits[HEADERS], &c->arena, &v[HEADERS], err) ||
        read_meta(c, v, r, err) || read_headers(c, v[HEADERS], err) ||
        side(c, hits[KEY], hits[KEY_ENCODING], &r->key, err))
        return err->code;
    size_t value = hits[VALUE].tok ? VALUE : PAYLOAD;
    if (!hits[value].tok && !hits[KEY].tok)
        return cz_fail(err, CZ_E_INVALID, "neither key nor value: this is no record");
    return side(c, hits[value], hits[VALUE_ENCODING], &r->value, err);
}

enum cz_err cz_file_decode(struct cz_file_codec *c,
                           const char *text,
                           size_t len,
                           struct cz_record *ret,
                           struct cz_error *err)
{
    struct cz_error own = CZ_ERROR_INIT;
    struct cz_record r = {.topic = "", .headers = headers_of, .msg = c};
    cz_arena_reset(&c->arena);
    c->headers_len = 0;
    if (decode(c, text, len, &r, &own))
        return cz_fail(err, own.code, "%s", own.text);
    *ret = r;
    return CZ_OK;
}
