/* SPDX-License-Identifier: Apache-2.0 */
/** Config tables: what they say to others — JSON Schema (OpenAPI, forms), documents with their
 *  defaults filled in. */
#include <string.h>

#include "core_priv.h"
#include "cz/alloc.h"
#include "cz/json.h"

static json_t *values_of(const struct cz_cfg_key *row)
{
    json_t *all = json_array();
    for (size_t i = 0; row->values && row->values[i]; i++)
        (void)json_array_append_new(all, json_string(row->values[i]));
    return all;
}

static void
add_limits(json_t *s, const struct cz_cfg_key *row, const char *low, const char *high)
{
    if (!row->min && !row->max)
        return;
    (void)json_object_set_new(s, low, json_integer(row->min));
    if (row->max != INT64_MAX && row->max >= row->min)
        (void)json_object_set_new(s, high, json_integer(row->max));
}

static void add_string_rules(json_t *s, const struct cz_cfg_key *row)
{
    if (row->min > 0)
        (void)json_object_set_new(s, "minLength",
                                  json_integer(1)); /* bytes are not characters */
    if (row->max > 0)
        (void)json_object_set_new(s, "maxLength", json_integer(row->max));
    if (row->flags & CZ_CFG_SECRET) {
        (void)json_object_set_new(s, "format", json_string("secret-reference"));
        (void)json_object_set_new(s, "pattern", json_string("^\\$\\{(env|file):[^{}]+\\}$"));
    }
}

/* The schema of the type alone. */
static json_t *type_schema(const struct cz_cfg_key *row)
{
    switch (row->type) {
    case CZ_CFG_BOOL:
        return json_pack("{s:s}", "type", "boolean");
    case CZ_CFG_INT: {
        json_t *s = json_pack("{s:s}", "type", "integer");
        add_limits(s, row, "minimum", "maximum");
        return s;
    }
    case CZ_CFG_DOUBLE: {
        json_t *s = json_pack("{s:s}", "type", "number");
        add_limits(s, row, "minimum", "maximum");
        return s;
    }
    case CZ_CFG_STRING: {
        json_t *s = json_pack("{s:s}", "type", "string");
        add_string_rules(s, row);
        return s;
    }
    case CZ_CFG_ENUM:
        return json_pack("{s:s, s:o}", "type", "string", "enum", values_of(row));
    case CZ_CFG_STRINGS:
        return json_pack("{s:s, s:{s:s}}", "type", "array", "items", "type", "string");
    case CZ_CFG_OBJECT:
        return cz_cfg_schema(row->sub);
    case CZ_CFG_JSON:
    case CZ_CFG_CUSTOM:
        break;
    }
    json_t *s = row->schema ? json_loads(row->schema, 0, NULL) : NULL;
    return s ? s : json_object();
}

static void allow_null(json_t *s)
{
    json_t *type = json_object_get(s, "type");
    if (json_is_string(type)) {
        json_t *both = json_array();
        (void)json_array_append(both, type);
        (void)json_array_append_new(both, json_string("null"));
        (void)json_object_set_new(s, "type", both);
    }
    json_t *values = json_object_get(s, "enum");
    if (values)
        (void)json_array_append_new(values, json_null());
}

static json_t *row_schema(const struct cz_cfg_key *row)
{
    json_t *s = type_schema(row);
    if (row->flags & CZ_CFG_NULLABLE)
        allow_null(s);
    if (row->doc)
        (void)json_object_set_new(s, "description", json_string(row->doc));
    if (row->def && !(row->flags & CZ_CFG_SECRET))
        (void)json_object_set_new(s, "default", cz__cfg_default(row));
    if (row->group)
        (void)json_object_set_new(s, "x-group", json_string(row->group));
    if (row->flags & CZ_CFG_RELOAD)
        (void)json_object_set_new(s, "x-reload", json_true());
    if (row->flags & CZ_CFG_LATER)
        (void)json_object_set_new(s, "x-not-available", json_true());
    return s;
}

json_t *cz_cfg_schema(const struct cz_cfg_key *table)
{
    json_t *properties = json_object(), *required = json_array();
    for (const struct cz_cfg_key *row = table; row->name; row++) {
        (void)json_object_set_new(properties, row->name, row_schema(row));
        if (row->flags & CZ_CFG_REQUIRED)
            (void)json_array_append_new(required, json_string(row->name));
    }
    json_t *s = json_pack("{s:s, s:o, s:b}", "type", "object", "properties", properties,
                          "additionalProperties", 0);
    if (json_array_size(required) > 0)
        (void)json_object_set(s, "required", required);
    json_decref(required);
    return s;
}

/* The value that an absent field stands for, or NULL to leave it out. */
static json_t *filled(const struct cz_cfg_key *row, const json_t *v)
{
    if (row->type == CZ_CFG_OBJECT && json_is_object(v))
        return cz_cfg_with_defaults(row->sub, v);
    if (v && !json_is_null(v))
        return NULL;
    if (row->def) {
        json_t *def = cz__cfg_default(row);
        json_t *full =
            row->type == CZ_CFG_OBJECT ? cz_cfg_with_defaults(row->sub, def) : json_incref(def);
        json_decref(def);
        return full;
    }
    /* An object that must be given, or that means something by its absence, is not made up. */
    if (row->type != CZ_CFG_OBJECT || v || row->flags & (CZ_CFG_REQUIRED | CZ_CFG_NULLABLE))
        return NULL;
    json_t *none = json_object();
    json_t *full = cz_cfg_with_defaults(row->sub, none);
    json_decref(none);
    if (json_object_size(full) > 0)
        return full;
    json_decref(full);
    return NULL;
}

json_t *cz_cfg_with_defaults(const struct cz_cfg_key *table, const json_t *obj)
{
    json_t *out = obj ? json_deep_copy(obj) : json_object();
    if (!json_is_object(out))
        return out;
    for (const struct cz_cfg_key *row = table; row->name; row++) {
        json_t *v = filled(row, json_object_get(out, row->name));
        if (v)
            (void)json_object_set_new(out, row->name, v);
    }
    return out;
}
