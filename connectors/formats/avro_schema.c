/* SPDX-License-Identifier: Apache-2.0 */
/* A schema's text becomes a graph of types.  Names are resolved while reading: a name is known from
 * where its definition begins, so a type may contain itself. */
#include <string.h>

#include "avro_priv.h"
#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/map.h"

struct build {
    struct cz_avro_schema *schema;
    struct cz_map names; /* full name → type */
    unsigned depth;
    struct cz_error *err;
};

static const char *const primitives[] = {"null", "boolean", "int", "long", "float", "double",
                                         "bytes", "string"};

static struct cz__avro_type *type_new(struct build *b, enum cz__avro_kind kind)
{
    struct cz__avro_type *t = cz_alloc(sizeof *t);
    t->kind = kind;
    t->next = b->schema->types;
    b->schema->types = t;
    return t;
}

static const struct cz__avro_type *invalid(struct build *b, const char *what, const char *name)
{
    cz_fail(b->err, CZ_E_INVALID, "Avro schema: %s '%.200s'", what, name);
    return NULL;
}

static const struct cz__avro_type *build(struct build *b, const json_t *j, const char *space);

static const struct cz__avro_type *by_name(struct build *b, const char *name, const char *space)
{
    for (size_t i = 0; i < sizeof primitives / sizeof *primitives; i++) {
        if (strcmp(name, primitives[i]) == 0)
            return type_new(b, (enum cz__avro_kind)i);
    }
    struct cz__avro_type *t = NULL;
    if (*space && !strchr(name, '.')) {
        char *full = cz_strf("%s.%s", space, name);
        t = cz_map_get(&b->names, full);
        cz_free(full);
    }
    if (!t)
        t = cz_map_get(&b->names, name);
    return t ? t : invalid(b, "no type is called", name);
}

/* Give @t its full name; *ret_space is the namespace of what stands inside (cz_free). */
static bool define(struct build *b, struct cz__avro_type *t, const json_t *j, const char *space,
                   char **ret_space)
{
    const char *name = cz_json_str(j, "name", "");
    const char *dot = strrchr(name, '.');
    if (!*name)
        return invalid(b, "a named type has no name", "") != NULL;
    if (dot)
        *ret_space = cz_strndup(name, (size_t)(dot - name));
    else
        *ret_space = cz_strdup(cz_json_str(j, "namespace", space));
    t->name = dot || !**ret_space ? cz_strdup(name) : cz_strf("%s.%s", *ret_space, name);
    if (cz_map_get(&b->names, t->name))
        return invalid(b, "defined twice:", t->name) != NULL;
    cz_map_put(&b->names, t->name, t);
    return true;
}

static bool build_field(struct build *b, struct cz__avro_field *f, const json_t *j, const char *space)
{
    const char *name = cz_json_str(j, "name", "");
    struct cz_buf label = CZ_BUF_INIT(CZ_MAX_AVRO_SCHEMA * 8);
    if (!*name)
        return invalid(b, "a field has no name", "") != NULL;
    f->name = cz_strdup(name);
    cz_buf_add_json_string(&label, name, strlen(name));
    cz_buf_addc(&label, ':');
    f->label_len = label.len;
    f->label = cz_buf_steal(&label);
    f->type = build(b, json_object_get(j, "type"), space);
    const json_t *def = json_object_get(j, "default");
    f->def_json = def ? cz_json_text(def, false) : NULL;
    return f->type != NULL;
}

static bool build_record(struct build *b, struct cz__avro_type *t, const json_t *j, const char *space)
{
    const json_t *fields = json_object_get(j, "fields");
    if (!json_is_array(fields))
        return invalid(b, "no fields in record", t->name) != NULL;
    t->fields = cz_alloc_array(json_array_size(fields) + 1, sizeof *t->fields);
    struct cz_map seen = CZ_MAP_INIT(NULL);
    size_t i;
    json_t *field;
    bool ok = true;
    json_array_foreach(CZ_UNCONST(fields), i, field)
    {
        t->n++;
        if (ok && (ok = build_field(b, &t->fields[i], field, space))) {
            if (cz_map_get(&seen, t->fields[i].name))
                ok = invalid(b, "a record has two fields", t->fields[i].name) != NULL;
            cz_map_put(&seen, t->fields[i].name, t);
        }
    }
    cz_map_done(&seen);
    return ok;
}

static bool build_enum(struct build *b, struct cz__avro_type *t, const json_t *j)
{
    const json_t *symbols = json_object_get(j, "symbols");
    size_t i;
    json_t *s;
    t->symbols = cz_alloc_array(json_array_size(symbols) + 1, sizeof *t->symbols);
    json_array_foreach(CZ_UNCONST(symbols), i, s)
    {
        if (!json_is_string(s))
            return invalid(b, "a symbol is no string in enum", t->name) != NULL;
        t->symbols[t->n++] = cz_strdup(json_string_value(s));
    }
    return t->n > 0 || invalid(b, "no symbols in enum", t->name);
}

static bool build_fixed(struct build *b, struct cz__avro_type *t, const json_t *j)
{
    int64_t size = cz_json_int(j, "size", -1);
    if (size < 0 || size > CZ_MAX_EVAL_OUTPUT)
        return invalid(b, "no usable size in fixed", t->name) != NULL;
    t->size = (size_t)size;
    return true;
}

static const struct cz__avro_type *build_named(struct build *b, enum cz__avro_kind kind,
                                               const json_t *j, const char *space)
{
    struct cz__avro_type *t = type_new(b, kind);
    char *inner = NULL;
    bool ok = define(b, t, j, space, &inner);
    if (ok && kind == CZ__AVRO_RECORD)
        ok = build_record(b, t, j, inner);
    else if (ok && kind == CZ__AVRO_ENUM)
        ok = build_enum(b, t, j);
    else if (ok)
        ok = build_fixed(b, t, j);
    cz_free(inner);
    return ok ? t : NULL;
}

static const struct cz__avro_type *build_items(struct build *b, enum cz__avro_kind kind,
                                               const json_t *item, const char *space)
{
    struct cz__avro_type *t = type_new(b, kind);
    t->of = cz_alloc(sizeof(const void *));
    t->n = 1;
    t->of[0] = build(b, item, space);
    return t->of[0] ? t : NULL;
}

static const struct cz__avro_type *build_union(struct build *b, const json_t *j, const char *space)
{
    struct cz__avro_type *t = type_new(b, CZ__AVRO_UNION);
    size_t i;
    json_t *branch;
    t->of = cz_alloc_array(json_array_size(j) + 1, sizeof(const void *));
    json_array_foreach(CZ_UNCONST(j), i, branch)
    {
        t->of[t->n] = build(b, branch, space);
        if (!t->of[t->n++])
            return NULL;
        if (t->of[i]->kind == CZ__AVRO_UNION)
            return invalid(b, "a union stands directly in a union", "");
    }
    return t->n ? t : invalid(b, "a union has no branches", "");
}

/* A logical type that does not fit its type is to be ignored, says the specification. */
static const struct cz__avro_type *with_logical(struct build *b, const struct cz__avro_type *plain,
                                                const json_t *j)
{
    const char *logical = cz_json_str(j, "logicalType", "");
    bool decimal = strcmp(logical, "decimal") == 0 &&
                   (plain->kind == CZ__AVRO_BYTES || plain->kind == CZ__AVRO_FIXED);
    bool uuid = strcmp(logical, "uuid") == 0 && plain->kind == CZ__AVRO_FIXED && plain->size == 16;
    int64_t scale = cz_json_int(j, "scale", 0), precision = cz_json_int(j, "precision", 0);
    struct cz__avro_type *t = b->schema->types;
    while (t && t != plain)
        t = t->next;
    if (!t || (!decimal && !uuid))
        return plain;
    if (decimal && (precision < 1 || scale < 0 || scale > precision || precision > 100000))
        return plain;
    t->logical = decimal ? CZ__AVRO_DECIMAL : CZ__AVRO_UUID;
    t->scale = (unsigned)scale;
    t->precision = (unsigned)precision;
    return t;
}

static const struct cz__avro_type *build_object(struct build *b, const json_t *j, const char *space)
{
    const json_t *type = json_object_get(j, "type");
    const char *name = json_is_string(type) ? json_string_value(type) : NULL;
    const struct cz__avro_type *t = NULL;
    if (!name)
        return build(b, type, space);
    if (strcmp(name, "record") == 0 || strcmp(name, "error") == 0)
        return build_named(b, CZ__AVRO_RECORD, j, space);
    if (strcmp(name, "enum") == 0)
        return build_named(b, CZ__AVRO_ENUM, j, space);
    if (strcmp(name, "array") == 0)
        return build_items(b, CZ__AVRO_ARRAY, json_object_get(j, "items"), space);
    if (strcmp(name, "map") == 0)
        return build_items(b, CZ__AVRO_MAP, json_object_get(j, "values"), space);
    bool fixed = strcmp(name, "fixed") == 0;
    t = fixed ? build_named(b, CZ__AVRO_FIXED, j, space) : by_name(b, name, space);
    /* A name that is only referred to keeps the logical type of its definition. */
    return t && (fixed || !t->name) ? with_logical(b, t, j) : t;
}

static const struct cz__avro_type *build(struct build *b, const json_t *j, const char *space)
{
    const struct cz__avro_type *t = NULL;
    if (++b->depth > CZ_MAX_AVRO_DEPTH)
        (void)invalid(b, "nested too deep at", space);
    else if (json_is_string(j))
        t = by_name(b, json_string_value(j), space);
    else if (json_is_array(j))
        t = build_union(b, j, space);
    else if (json_is_object(j))
        t = build_object(b, j, space);
    else
        (void)invalid(b, "a type is neither name, object nor list in", space);
    b->depth--;
    return t;
}

enum cz_err cz_avro_schema_new(const struct cz_slice *texts,
                               size_t n,
                               struct cz_avro_schema **ret,
                               struct cz_error *err)
{
    struct cz_error own = CZ_ERROR_INIT;
    struct build b = {.schema = cz_alloc(sizeof *b.schema), .err = &own, .names = CZ_MAP_INIT(NULL)};
    for (size_t i = 0; i < n && !own.code; i++) {
        json_t *j = NULL;
        if (texts[i].len > CZ_MAX_AVRO_SCHEMA)
            cz_fail(&own, CZ_E_TOO_LARGE, "Avro schema: over %d bytes", CZ_MAX_AVRO_SCHEMA);
        else if (texts[i].len > 0 && texts[i].data[0] != '{' && texts[i].data[0] != '[' &&
                 texts[i].data[0] != '"')
            j = json_stringn(texts[i].data, texts[i].len); /* a bare name, as some registries say */
        else if (cz_json_parse(texts[i].data, texts[i].len, &j, &own))
            cz_fail_prefix(&own, "Avro schema (its JSON may nest %d deep, which is about %d records in "
                                 "one another)", CZ_MAX_JSON_DEPTH, CZ_MAX_JSON_DEPTH / 3);
        if (!own.code)
            b.schema->root = build(&b, j, "");
        json_decref(j);
    }
    cz_map_done(&b.names);
    if (!own.code && !b.schema->root)
        cz_fail(&own, CZ_E_INVALID, "Avro schema: empty");
    if (own.code) {
        cz_avro_schema_free(b.schema);
        return cz_fail_flags(err, own.code, own.flags, own.detail, "%s", own.text);
    }
    cz__avro_defaults(b.schema);
    *ret = b.schema;
    return CZ_OK;
}

static void type_free(struct cz__avro_type *t)
{
    for (size_t i = 0; t->fields && i < t->n; i++) {
        cz_free(t->fields[i].name);
        cz_free(t->fields[i].label);
        cz_free(t->fields[i].def_json);
        cz_free(t->fields[i].def);
    }
    for (size_t i = 0; t->symbols && i < t->n; i++)
        cz_free(t->symbols[i]);
    cz_free(t->fields);
    cz_free(t->symbols);
    cz_free(t->of);
    cz_free(t->name);
    cz_free(t);
}

void cz_avro_schema_free(struct cz_avro_schema *s)
{
    if (!s)
        return;
    while (s->types) {
        struct cz__avro_type *t = s->types;
        s->types = t->next;
        type_free(t);
    }
    cz_free(s);
}

void cz_avro_schema_freep(struct cz_avro_schema **s)
{
    cz_avro_schema_free(*s);
    *s = NULL;
}

const char *cz_avro_schema_name(const struct cz_avro_schema *s)
{
    return s->root->name;
}
