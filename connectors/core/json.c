/* SPDX-License-Identifier: Apache-2.0 */
/** jansson with our rules: strict parsing, our own writer (shortest numbers that read back the
 *  same, sorted keys on wish), getters and the merge patch of RFC 7396. */
#include "cz/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/limits.h"
#include "cz/util.h"

/* Also the nesting that the writer follows; what we build ourselves is far below it. */
enum { MAX_WRITE_DEPTH = 1024 };

void cz_json_init(void)
{
    json_object_seed(0);
}

struct place {
    size_t line, column;
};

static struct place place_of(const char *text, size_t at)
{
    struct place p = {1, 1};
    for (size_t i = 0; i < at; i++) {
        p.column++;
        if (text[i] == '\n')
            p = (struct place){p.line + 1, 1};
    }
    return p;
}

/* jansson's own limit is 2048; ours is checked before it recurses. */
static enum cz_err check_depth(const char *text, size_t len, struct cz_error *err)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > CZ_MAX_JSON_DEPTH) {
                struct place p = place_of(text, i);
                return cz_fail(err, CZ_E_PARSE,
                               "line %zu column %zu: nested deeper than %d levels", p.line,
                               p.column, CZ_MAX_JSON_DEPTH);
            }
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return CZ_OK;
}

enum cz_err cz_json_parse(const char *text, size_t len, json_t **ret, struct cz_error *err)
{
    if (!text || len == 0)
        return cz_fail(err, CZ_E_PARSE, "line 1 column 1: the document is empty");
    enum cz_err rc = check_depth(text, len, err);
    if (rc)
        return rc;
    json_error_t je;
    json_t *j = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &je);
    if (!j)
        return cz_fail(err, CZ_E_PARSE, "line %d column %d: %s", je.line, je.column, je.text);
    *ret = j;
    return CZ_OK;
}

/* The shortest text that reads back as the same double, and still looks like a real. */
static void add_real(struct cz_buf *b, double v)
{
    char text[40];
    for (int precision = 15; precision <= 17; precision++) {
        (void)snprintf(text, sizeof text, "%.*g", precision, v);
        if (!(strtod(text, NULL) < v) && !(strtod(text, NULL) > v))
            break;
    }
    cz_buf_adds(b, text);
    if (!strpbrk(text, ".eEni"))
        cz_buf_adds(b, ".0");
}

struct member {
    const char *key;
    const json_t *value;
};

static int by_key(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    return strcmp(x->key, y->key);
}

static void add_value(struct cz_buf *b, const json_t *j, bool sorted, int depth);

static void add_member(struct cz_buf *b, struct member m, bool first, bool sorted, int depth)
{
    if (!first)
        cz_buf_addc(b, ',');
    cz_buf_add_json_string(b, m.key, strlen(m.key));
    cz_buf_addc(b, ':');
    add_value(b, m.value, sorted, depth);
}

static void add_object(struct cz_buf *b, const json_t *j, bool sorted, int depth)
{
    const char *key;
    json_t *value;
    size_t n = 0, size = json_object_size(j);
    struct member *members = sorted ? cz_alloc_array(size, sizeof *members) : NULL;
    cz_buf_addc(b, '{');
    json_object_foreach ((json_t *)CZ_UNCONST(j), key, value) {
        struct member m = {key, value};
        if (members)
            members[n] = m;
        else
            add_member(b, m, n == 0, sorted, depth);
        n++;
    }
    if (members)
        qsort(members, n, sizeof *members, by_key);
    for (size_t i = 0; members && i < n; i++)
        add_member(b, members[i], i == 0, sorted, depth);
    cz_buf_addc(b, '}');
    cz_free(members);
}

static void add_value(struct cz_buf *b, const json_t *j, bool sorted, int depth)
{
    if (!j || depth > MAX_WRITE_DEPTH) {
        cz_buf_adds(b, "null");
        return;
    }
    switch (json_typeof(j)) {
    case JSON_OBJECT:
        add_object(b, j, sorted, depth + 1);
        return;
    case JSON_ARRAY:
        cz_buf_addc(b, '[');
        for (size_t i = 0; i < json_array_size(j); i++) {
            if (i > 0)
                cz_buf_addc(b, ',');
            add_value(b, json_array_get(j, i), sorted, depth + 1);
        }
        cz_buf_addc(b, ']');
        return;
    case JSON_STRING:
        cz_buf_add_json_string(b, json_string_value(j), json_string_length(j));
        return;
    case JSON_INTEGER:
        cz_buf_addf(b, "%" JSON_INTEGER_FORMAT, json_integer_value(j));
        return;
    case JSON_REAL:
        add_real(b, json_real_value(j));
        return;
    case JSON_TRUE:
        cz_buf_adds(b, "true");
        return;
    case JSON_FALSE:
        cz_buf_adds(b, "false");
        return;
    case JSON_NULL:
    default:
        cz_buf_adds(b, "null");
    }
}

char *cz_json_text(const json_t *j, bool canonical)
{
    struct cz_buf b = CZ_BUF_INIT(SIZE_MAX / 4);
    add_value(&b, j, canonical, 0);
    if (b.failed) /* out of memory: half a document must never be stored */
        abort();
    return cz_buf_steal(&b);
}

void cz_json_add(struct cz_buf *b, const json_t *j)
{
    add_value(b, j, false, 0);
}

const char *cz_json_str(const json_t *obj, const char *key, const char *def)
{
    const char *s = json_string_value(json_object_get(obj, key));
    return s ? s : def;
}

int64_t cz_json_int(const json_t *obj, const char *key, int64_t def)
{
    const json_t *v = json_object_get(obj, key);
    if (json_is_integer(v))
        return json_integer_value(v);
    int64_t parsed;
    if (json_is_string(v) && cz_parse_i64(json_string_value(v), &parsed))
        return parsed;
    return def;
}

bool cz_json_bool(const json_t *obj, const char *key, bool def)
{
    const json_t *v = json_object_get(obj, key);
    return json_is_boolean(v) ? json_is_true(v) : def;
}

json_t *cz_json_i64(int64_t v)
{
    return json_sprintf("%lld", (long long)v);
}

void cz_json_set_str(json_t *obj, const char *key, const char *v)
{
    if (!v)
        return;
    json_t *s = json_string(v);
    if (!s) { /* not UTF-8: keep what can be kept */
        struct cz_buf b = CZ_BUF_INIT(SIZE_MAX / 4);
        cz_buf_add_json_string(&b, v, strlen(v));
        s = json_loadb(cz_buf_str(&b), b.len, JSON_DECODE_ANY, NULL);
        cz_buf_done(&b);
    }
    (void)json_object_set_new(obj, key, s);
}

void cz_json_set_str_or_null(json_t *obj, const char *key, const char *v)
{
    (void)json_object_set_new(obj, key, v ? json_string(v) : json_null());
}

void cz_json_set_i64(json_t *obj, const char *key, int64_t v)
{
    (void)json_object_set_new(obj, key, cz_json_i64(v));
}

json_t *cz_json_merge_patch(const json_t *target, const json_t *patch)
{
    if (!json_is_object(patch))
        return json_deep_copy(patch);
    json_t *result = json_is_object(target) ? json_copy(CZ_UNCONST(target)) : json_object();
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)CZ_UNCONST(patch), key, value) {
        if (json_is_null(value))
            (void)json_object_del(result, key);
        else
            (void)json_object_set_new(result, key,
                                      cz_json_merge_patch(json_object_get(result, key), value));
    }
    return result;
}
