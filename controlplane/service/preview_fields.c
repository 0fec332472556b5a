/* SPDX-License-Identifier: Apache-2.0 */
/** Fields seen unmasked: the leaves of keys and values, by the paths that masks use (an array stands
 *  for each of its elements), with the types that were met. */
#include "preview_fields.h"

#include <string.h>

#include "cz/record_json.h"
#include "service_priv.h"

enum { MAX_FIELDS = 500, MAX_PATH = 1000, MAX_TREE_BYTES = 1024 * 1024 };

struct cz__fields {
    const json_t *masks;
    json_t *seen;    /* path → {"types":{name:true},"records":n,"last":record number} */
    json_int_t record; /* number of the record in work */
    bool truncated;
};

struct cz__fields *cz__fields_new(const struct cz_mapping_spec *spec)
{
    struct cz__fields *f = cz_alloc(sizeof *f);
    f->masks = spec->mask;
    f->seen = json_object();
    return f;
}

void cz__fields_free(struct cz__fields *f)
{
    if (!f)
        return;
    json_decref(f->seen);
    cz_free(f);
}

static bool covered(const struct cz__fields *f, const char *path)
{
    size_t i;
    json_t *one;
    json_array_foreach (f->masks, i, one) {
        const char *mask = cz_json_str(one, "path", "");
        size_t n = strlen(mask);
        if (strncmp(path, mask, n) == 0 && (path[n] == '\0' || path[n] == '.'))
            return true;
    }
    return false;
}

static void note(struct cz__fields *f, const char *path, const char *type)
{
    json_t *one = json_object_get(f->seen, path);
    if (!one && covered(f, path))
        return;
    if (!one && json_object_size(f->seen) >= MAX_FIELDS) {
        f->truncated = true;
        return;
    }
    if (!one) {
        one = json_pack("{s:{},s:i,s:i}", "types", "records", 0, "last", -1);
        (void)json_object_set_new(f->seen, path, one);
    }
    (void)json_object_set_new(json_object_get(one, "types"), type, json_true());
    if (json_integer_value(json_object_get(one, "last")) == f->record)
        return;
    json_t *records = json_object_get(one, "records");
    (void)json_integer_set(records, json_integer_value(records) + 1);
    (void)json_integer_set(json_object_get(one, "last"), f->record);
}

/* A name as paths have it: quoted when it could be read otherwise. */
static void add_name(struct cz_buf *path, const char *name)
{
    cz_buf_addc(path, '.');
    if (*name && !strpbrk(name, ".\""))
        cz_buf_adds(path, name);
    else
        cz_buf_add_json_string(path, name, strlen(name));
}

static const char *type_of(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_STRING:
        return "string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "boolean";
    case JSON_OBJECT:
        return "object";
    case JSON_ARRAY:
        return "array";
    case JSON_NULL:
        break;
    }
    return "null";
}

static void walk(struct cz__fields *f, struct cz_buf *path, const json_t *v)
{
    const char *name;
    json_t *one;
    size_t i, len = path->len;
    if (path->failed)
        return;
    json_object_foreach ((json_t *)(uintptr_t)v, name, one) {
        add_name(path, name);
        walk(f, path, one);
        path->len = len;
        path->data[len] = '\0';
    }
    json_array_foreach (v, i, one)
        walk(f, path, one);
    if (json_object_size(v) + json_array_size(v) == 0)
        note(f, cz_buf_str(path), type_of(v));
}

static void add_side(struct cz__fields *f, const char *side, struct cz_slice bytes)
{
    const char *encoding;
    if (!bytes.data)
        return;
    json_t *v = cz_bytes_json(bytes, MAX_TREE_BYTES, &encoding);
    if (encoding) {
        note(f, side, strcmp(encoding, "base64") == 0 ? "bytes" : "text");
    } else {
        CZ_CLEANUP(cz_buf_done) struct cz_buf path = CZ_BUF_INIT(MAX_PATH);
        cz_buf_adds(&path, side);
        walk(f, &path, v);
        f->truncated |= path.failed;
    }
    json_decref(v);
}

void cz__fields_add(struct cz__fields *f, const struct cz_record *r)
{
    add_side(f, "key", r->key);
    add_side(f, "value", r->value);
    f->record++;
}

json_t *cz__fields_json(const struct cz__fields *f, bool *ret_truncated)
{
    json_t *list = json_array(), *one, *yes;
    const char *path, *type;
    json_object_foreach (f->seen, path, one) {
        json_t *types = json_array();
        json_object_foreach (json_object_get(one, "types"), type, yes)
            (void)json_array_append_new(types, json_string(type));
        (void)json_array_append_new(list, json_pack("{s:s,s:o,s:O}", "path", path, "types", types, "records",
                                                    json_object_get(one, "records")));
    }
    *ret_truncated = f->truncated;
    return list;
}
