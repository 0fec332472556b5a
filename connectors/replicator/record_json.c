/* SPDX-License-Identifier: Apache-2.0 */
/** Records from and to JSON: see cz/record_json.h. */
#include "cz/record_json.h"

#include <string.h>

#include "cz/alloc.h"
#include "cz/base64.h"
#include "cz/json.h"
#include "cz/time.h"
#include "cz/util.h"
#include "mapping_priv.h"

#define BASE64_HEAD 3 /* bytes of 4 characters */

/* ---- from JSON ----------------------------------------------------------------------------
 */

static size_t own_headers(const struct cz_record *r, struct cz_header *out, size_t max)
{
    const struct cz_json_record *j = r->msg;
    for (size_t i = 0; i < j->headers_len && i < max; i++)
        out[i] = j->headers[i];
    return j->headers_len;
}

static char *bytes_of(const json_t *v, bool text, struct cz_slice *ret)
{
    if (!v || json_is_null(v))
        return NULL;
    char *own;
    if (text && json_is_string(v)) {
        ret->len = json_string_length(v);
        own = cz_strndup(json_string_value(v), ret->len);
    } else {
        own = cz_json_text(v, false);
        ret->len = strlen(own);
    }
    ret->data = own;
    return own;
}

static void add_header(struct cz_json_record *j, const char *name, const json_t *v)
{
    struct cz_header *h = &j->headers[j->headers_len++];
    h->name = (struct cz_slice){cz_strdup(name), strlen(name)};
    if (json_is_string(v))
        h->value = (struct cz_slice){cz_strndup(json_string_value(v), json_string_length(v)),
                                     json_string_length(v)};
}

static void read_headers(struct cz_json_record *j, const json_t *v, char *at, struct cz_report *rep)
{
    const char *name;
    json_t *one;
    size_t i;
    j->headers = cz_alloc_array(json_array_size(v) + json_object_size(v) + 1, sizeof *j->headers);
    json_object_foreach ((json_t *)(uintptr_t)v, name, one) {
        if (!json_is_string(one) && !json_is_null(one))
            (void)cz_report_add(rep, at, "type", "the header %.100s must be a string or null", name);
        else
            add_header(j, name, one);
    }
    json_array_foreach(v, i, one) {
        const json_t *text = json_object_get(one, "value");
        const char *n = cz_json_str(one, "name", NULL);
        if (!n || (text && !json_is_string(text) && !json_is_null(text)))
            (void)cz_report_add(rep, at, "type", "headers in a list are {name, value}, both strings");
        else
            add_header(j, n, text);
    }
    if (!json_is_object(v) && !json_is_array(v))
        (void)cz_report_add(rep, at, "type", "must be {name: text} or a list of {name, value}");
}

static bool as_i64(const json_t *v, int64_t *ret)
{
    if (json_is_integer(v)) {
        *ret = json_integer_value(v);
        return true;
    }
    return json_is_string(v) && cz_parse_i64(json_string_value(v), ret);
}

static void read_member(struct cz_json_record *j, const char *name, const json_t *v, char *at,
                        struct cz_report *rep)
{
    int64_t n = 0;
    if (cz_streq(name, "headers")) {
        read_headers(j, v, at, rep);
    } else if (cz_streq(name, "topic")) {
        if (!json_is_string(v))
            (void)cz_report_add(rep, at, "type", "must be a string");
        else
            j->topic = cz_strdup(json_string_value(v));
    } else if (cz_streq(name, "partition")) {
        if (!as_i64(v, &n) || n < 0 || n > INT32_MAX)
            (void)cz_report_add(rep, at, "range", "must be a partition number");
        j->r.partition = (int32_t)n;
    } else if (cz_streq(name, "offset")) {
        if (!as_i64(v, &n) || n < 0)
            (void)cz_report_add(rep, at, "range", "must be an offset");
        j->r.offset = n;
    } else if (cz_streq(name, "timestamp")) {
        if (!as_i64(v, &n) && !(json_is_string(v) && cz_rfc3339_parse(json_string_value(v), &n)))
            (void)cz_report_add(rep, at, "value",
                                "must be a time as 2026-11-22T20:33:46Z, or milliseconds since 1970");
        j->r.timestamp_ms = n;
        j->r.ts_type = CZ_TS_CREATE;
    } else if (!cz_streq(name, "key") && !cz_streq(name, "value")) {
        (void)cz_report_add(rep, at, "unknown-field", "unknown field of a record");
    }
}

void cz_json_record_init(struct cz_json_record *j,
                         const json_t *input,
                         const struct cz_mapping_spec *spec,
                         const char *pointer,
                         struct cz_report *rep)
{
    char at[CZ_POINTER_SIZE] = "";
    const char *name;
    json_t *v;
    *j = (struct cz_json_record){0};
    cz__pointer_copy(at, pointer);
    if (!json_is_object(input))
        (void)cz_report_add(rep, at, "type", "must be an object: a record");
    json_object_foreach ((json_t *)(uintptr_t)input, name, v) {
        cz_pointer_push(at, name);
        read_member(j, name, v, at, rep);
        cz_pointer_pop(at);
    }
    j->key = bytes_of(json_object_get(input, "key"), spec->key_format != CZ_FORMAT_JSON, &j->r.key);
    j->value = bytes_of(json_object_get(input, "value"), spec->value_format == CZ_FORMAT_RAW, &j->r.value);
    if (!j->topic && spec->pairs_len > 0)
        j->topic = cz_strdup(spec->pairs[0].source);
    j->r.topic = j->topic ? j->topic : "";
    for (size_t i = 0; i < spec->pairs_len; i++) {
        if (cz_streq(spec->pairs[i].source, j->topic))
            j->r.target = spec->pairs[i].target;
    }
    j->r.headers = own_headers;
    j->r.msg = j;
}

void cz_json_record_done(struct cz_json_record *j)
{
    for (size_t i = 0; i < j->headers_len; i++) {
        cz_free(CZ_UNCONST(j->headers[i].name.data));
        cz_free(CZ_UNCONST(j->headers[i].value.data));
    }
    cz_free(j->headers);
    cz_free(j->key);
    cz_free(j->value);
    cz_free(j->topic);
    *j = (struct cz_json_record){0};
}

/* ---- to JSON ------------------------------------------------------------------------------
 */

static json_t *text_json(struct cz_slice bytes, size_t max)
{
    size_t n = bytes.len < max ? bytes.len : max;
    while (n > 0 && n < bytes.len && ((unsigned char)bytes.data[n] & 0xc0) == 0x80)
        n--;
    if (n == bytes.len)
        return json_stringn(bytes.data, n);
    CZ_CLEANUP(cz_freep) char *cut = cz_strf("%.*s…", (int)n, bytes.data);
    return json_string(cut);
}

json_t *cz_bytes_json(struct cz_slice bytes, size_t max, const char **ret_encoding)
{
    *ret_encoding = NULL;
    if (!bytes.data)
        return json_null();
    json_t *j = NULL;
    if (bytes.len <= max && !cz_json_parse(bytes.data, bytes.len, &j, NULL))
        return j;
    if (cz_utf8_valid(bytes.data, bytes.len) && !memchr(bytes.data, '\0', bytes.len)) {
        *ret_encoding = "text";
        return text_json(bytes, max);
    }
    *ret_encoding = "base64";
    CZ_CLEANUP(cz_buf_done) struct cz_buf b = CZ_BUF_INIT(2 * max + 8);
    size_t n = bytes.len < max ? bytes.len : max / BASE64_HEAD * BASE64_HEAD;
    cz_base64_add(&b, bytes.data, n);
    return json_stringn(cz_buf_str(&b), b.len);
}

json_t *cz_headers_json(const struct cz_header *h, size_t n, size_t max)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *one = json_object();
        struct cz_slice v = h[i].value;
        bool text = !v.data || (cz_utf8_valid(v.data, v.len) && !memchr(v.data, '\0', v.len));
        const char *encoding = "base64";
        (void)json_object_set_new(one, "name", json_stringn(h[i].name.data, h[i].name.len));
        (void)json_object_set_new(one, "value", !v.data ? json_null()
                                                : text  ? text_json(v, max)
                                                        : cz_bytes_json(v, max, &encoding));
        if (!text)
            cz_json_set_str(one, "value_encoding", encoding);
        (void)json_array_append_new(list, one);
    }
    return list;
}
