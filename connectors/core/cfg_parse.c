/* SPDX-License-Identifier: Apache-2.0 */
/** Config tables: from a JSON object into a plain struct.  Every problem of the document is
 *  reported, each at its JSON pointer; a field that cannot be taken keeps its default, so that
 *  checks across fields still find a usable struct. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core_priv.h"
#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/secret.h"
#include "cz/util.h"

/* What stays the same during one walk over the tables. */
struct walk {
    struct cz_report *rep;
    bool literal_secrets;
};

static void parse_object(const struct walk *w,
                         const struct cz_cfg_key *table,
                         const json_t *obj,
                         char *target,
                         char *pointer,
                         bool is_default);

static const char *type_name(const json_t *v)
{
    if (!v)
        return "nothing";
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    case JSON_NULL:
    default:
        return "null";
    }
}

static void
wrong_type(const struct walk *w, const char *pointer, const char *want, const json_t *v)
{
    (void)cz_report_add(w->rep, pointer, "type", "must be %s, not %s", want, type_name(v));
}

unsigned cz__edit_distance(const char *a, const char *b)
{
    enum { LONGEST = 64, FAR = 3 };
    size_t n = strlen(a), m = strlen(b);
    if (n > LONGEST || m > LONGEST || n > m + 2 || m > n + 2)
        return FAR;
    unsigned row[3][LONGEST + 1]; /* the row in work and the two before it */
    for (size_t j = 0; j <= m; j++)
        row[0][j] = (unsigned)j;
    for (size_t i = 1; i <= n; i++) {
        unsigned *now = row[i % 3];
        const unsigned *last = row[(i + 2) % 3], *older = row[(i + 1) % 3];
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= m; j++) {
            unsigned best = last[j - 1] + (a[i - 1] != b[j - 1]);
            if (last[j] + 1 < best)
                best = last[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && older[j - 2] + 1 < best)
                best = older[j - 2] + 1;
            now[j] = best;
        }
    }
    return row[n % 3][m] < FAR ? row[n % 3][m] : FAR;
}

/* Is @known near enough to @given to be meant?  Distance 2, and most of the word is right. */
static unsigned nearness(const char *given, const char *known)
{
    unsigned d = cz__edit_distance(given, known);
    return d <= 2 && d < strlen(known) && d < strlen(given) ? d : 3;
}

static void add_list(struct cz_buf *b, const char *name)
{
    cz_buf_addf(b, "%s%s", b->len ? ", " : "", name);
}

static void unknown_field(const struct walk *w,
                          const struct cz_cfg_key *table,
                          const char *name,
                          const char *pointer)
{
    const char *best = NULL;
    unsigned best_distance = 3;
    CZ_CLEANUP(cz_buf_done) struct cz_buf all = CZ_BUF_INIT(600);
    for (const struct cz_cfg_key *row = table; row->name; row++) {
        unsigned d = nearness(name, row->name);
        if (d < best_distance) {
            best = row->name;
            best_distance = d;
        }
        if (!(row->flags & CZ_CFG_LATER))
            add_list(&all, row->name);
    }
    if (best)
        (void)cz_report_add(w->rep, pointer, "unknown-field",
                            "unknown field \"%.80s\"; did you mean \"%s\"?", name, best);
    else if (!all.failed && all.len > 0)
        (void)cz_report_add(w->rep, pointer, "unknown-field",
                            "unknown field \"%.80s\"; known are %s", name, cz_buf_str(&all));
    else
        (void)cz_report_add(w->rep, pointer, "unknown-field", "unknown field \"%.80s\"", name);
}

static void parse_int(const struct walk *w,
                      const struct cz_cfg_key *row,
                      const json_t *v,
                      int64_t *field,
                      const char *pointer)
{
    double real = json_real_value(v);
    /* 5.0 is a whole number too, as JSON Schema has it. */
    bool whole = json_is_real(v) && fabs(real) < 9007199254740992.0 && !(floor(real) < real);
    if (!json_is_integer(v) && !whole) {
        wrong_type(w, pointer, "a whole number", v);
        return;
    }
    int64_t n = whole ? (int64_t)real : json_integer_value(v);
    if ((row->min || row->max) && (n < row->min || n > row->max)) {
        if (row->max == INT64_MAX)
            (void)cz_report_add(w->rep, pointer, "range", "must be at least %lld, not %lld",
                                (long long)row->min, (long long)n);
        else
            (void)cz_report_add(w->rep, pointer, "range",
                                "must be between %lld and %lld, not %lld", (long long)row->min,
                                (long long)row->max, (long long)n);
        return;
    }
    *field = n;
}

static void parse_double(const struct walk *w,
                         const struct cz_cfg_key *row,
                         const json_t *v,
                         double *field,
                         const char *pointer)
{
    if (!json_is_number(v)) {
        wrong_type(w, pointer, "a number", v);
        return;
    }
    double d = json_number_value(v);
    if ((row->min || row->max) && (d < (double)row->min || d > (double)row->max)) {
        (void)cz_report_add(w->rep, pointer, "range",
                            "must be between %lld and %lld, not %.15g", (long long)row->min,
                            (long long)row->max, d);
        return;
    }
    *field = d;
}

static bool
length_ok(const struct walk *w, const struct cz_cfg_key *row, size_t n, const char *pointer)
{
    if (row->min > 0 && n < (size_t)row->min) {
        if (n == 0)
            (void)cz_report_add(w->rep, pointer, "range", "must not be empty");
        else
            (void)cz_report_add(w->rep, pointer, "range",
                                "must have at least %lld bytes, not %zu", (long long)row->min,
                                n);
        return false;
    }
    if (row->max > 0 && n > (size_t)row->max) {
        (void)cz_report_add(w->rep, pointer, "range", "must have at most %lld bytes, not %zu",
                            (long long)row->max, n);
        return false;
    }
    return true;
}

static void parse_string(const struct walk *w,
                         const struct cz_cfg_key *row,
                         const json_t *v,
                         char **field,
                         const char *pointer)
{
    const char *s = json_string_value(v);
    if (!s) {
        wrong_type(w, pointer, "a string", v);
        return;
    }
    if (strlen(s) != json_string_length(v)) {
        (void)cz_report_add(w->rep, pointer, "type", "must not contain a NUL character");
        return;
    }
    bool secret = row->flags & CZ_CFG_SECRET;
    if (secret && (!w->literal_secrets || cz_secret_is_ref(s))) {
        struct cz_error err = CZ_ERROR_INIT;
        if (cz_secret_check_ref(s, &err)) {
            (void)cz_report_add(w->rep, pointer, "secret", "%s", err.text);
            return;
        }
    }
    if (length_ok(w, row, json_string_length(v), pointer))
        *field = cz_strdup(s);
}

static void parse_enum(const struct walk *w,
                       const struct cz_cfg_key *row,
                       const json_t *v,
                       int *field,
                       const char *pointer)
{
    const char *s = json_string_value(v);
    CZ_CLEANUP(cz_buf_done) struct cz_buf all = CZ_BUF_INIT(700);
    for (int i = 0; row->values[i]; i++) {
        if (s && strcmp(s, row->values[i]) == 0) {
            *field = i;
            return;
        }
        add_list(&all, row->values[i]);
    }
    if (s)
        (void)cz_report_add(w->rep, pointer, "value", "must be one of %s, not \"%.80s\"",
                            cz_buf_str(&all), s);
    else
        (void)cz_report_add(w->rep, pointer, "type", "must be one of %s, not %s",
                            cz_buf_str(&all), type_name(v));
}

static void free_strings(struct cz_cfg_strings *s)
{
    for (size_t i = 0; i < s->len; i++)
        cz_free(s->items[i]);
    cz_free(s->items);
    *s = (struct cz_cfg_strings){0};
}

static void parse_strings(const struct walk *w,
                          const json_t *v,
                          struct cz_cfg_strings *field,
                          char *pointer)
{
    if (!json_is_array(v)) {
        wrong_type(w, pointer, "an array of strings", v);
        return;
    }
    size_t n = json_array_size(v), depth = strlen(pointer);
    struct cz_cfg_strings made = {.items = cz_alloc_array(n, sizeof *made.items)};
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(v, i);
        if (json_is_string(item)) {
            made.items[made.len++] = cz_strdup(json_string_value(item));
            continue;
        }
        cz_pointer_push_index(pointer, i);
        wrong_type(w, pointer, "a string", item);
        pointer[depth] = '\0';
    }
    if (made.len == n)
        *field = made;
    else
        free_strings(&made);
}

static void parse_by_type(const struct walk *w,
                          const struct cz_cfg_key *row,
                          const json_t *v,
                          void *field,
                          char *pointer,
                          bool is_default)
{
    switch (row->type) {
    case CZ_CFG_BOOL:
        if (json_is_boolean(v))
            *(bool *)field = json_is_true(v);
        else
            wrong_type(w, pointer, "true or false", v);
        break;
    case CZ_CFG_INT:
        parse_int(w, row, v, field, pointer);
        break;
    case CZ_CFG_DOUBLE:
        parse_double(w, row, v, field, pointer);
        break;
    case CZ_CFG_STRING:
        parse_string(w, row, v, field, pointer);
        break;
    case CZ_CFG_ENUM:
        parse_enum(w, row, v, field, pointer);
        break;
    case CZ_CFG_STRINGS:
        parse_strings(w, v, field, pointer);
        break;
    case CZ_CFG_JSON:
        *(json_t **)field = json_deep_copy(v);
        break;
    case CZ_CFG_OBJECT:
        parse_object(w, row->sub, v, field, pointer, is_default);
        break;
    case CZ_CFG_CUSTOM:
        row->parse(v, field, pointer, w->rep);
        break;
    }
}

json_t *cz__cfg_default(const struct cz_cfg_key *row)
{
    if (row->def)
        return json_loads(row->def, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    if (row->type == CZ_CFG_BOOL)
        return json_false();
    if (row->type == CZ_CFG_STRINGS)
        return json_array();
    return row->type == CZ_CFG_OBJECT ? json_object() : NULL;
}

static void
set_default(const struct walk *w, const struct cz_cfg_key *row, void *field, char *pointer)
{
    if (row->type == CZ_CFG_ENUM && !row->def)
        return; /* stays 0, the first of its values */
    json_t *def = cz__cfg_default(row);
    if (!def)
        return;
    /* Defaults are ours: they are not checked against what only users must keep to. */
    struct cz_report ignored = CZ_REPORT_INIT;
    struct walk quiet = {.rep = row->def ? w->rep : &ignored, .literal_secrets = true};
    parse_by_type(&quiet, row, def, field, pointer, true);
    cz_report_done(&ignored);
    json_decref(def);
}

/* Would leaving the LATER field out mean the same as @v does? */
static bool equals_default(const struct cz_cfg_key *row, const json_t *v)
{
    json_t *def = cz__cfg_default(row);
    bool same;
    if (row->type == CZ_CFG_OBJECT && row->sub && json_is_object(v)) {
        json_t *full = cz_cfg_with_defaults(row->sub, v);
        json_t *full_def = cz_cfg_with_defaults(row->sub, def);
        same = json_equal(full, full_def);
        json_decref(full);
        json_decref(full_def);
    } else if (json_is_number(v) && json_is_number(def)) {
        double a = json_number_value(v), b = json_number_value(def);
        same = !(a < b) && !(a > b);
    } else {
        same = def ? json_equal(v, def) || (json_is_null(v) && !row->def) : json_is_null(v);
    }
    json_decref(def);
    return same;
}

/* The value is there: parse it, check it.  false: the field needs its default. */
static bool take(const struct walk *w,
                 const struct cz_cfg_key *row,
                 const json_t *v,
                 void *field,
                 char *pointer)
{
    if (row->flags & CZ_CFG_LATER) {
        if (!equals_default(row, v))
            (void)cz_report_add(w->rep, pointer, "not-available", "%s is not available yet",
                                row->name);
        return false;
    }
    if (json_is_null(v) && row->flags & CZ_CFG_NULLABLE)
        return false;
    size_t before = w->rep->len;
    bool truncated = w->rep->truncated;
    parse_by_type(w, row, v, field, pointer, false);
    bool ok = w->rep->len == before && w->rep->truncated == truncated;
    if (ok && row->type != CZ_CFG_CUSTOM && row->parse)
        row->parse(v, field, pointer, w->rep);
    /* An object or custom value that is partly wrong has set what it could. */
    return ok || row->type == CZ_CFG_OBJECT || row->type == CZ_CFG_CUSTOM;
}

static void parse_row(const struct walk *w,
                      const struct cz_cfg_key *row,
                      const json_t *obj,
                      char *target,
                      char *pointer,
                      bool is_default)
{
    size_t depth = strlen(pointer);
    cz_pointer_push(pointer, row->name);
    void *field = target + row->offset;
    const json_t *v = json_object_get(obj, row->name);
    if (!v || !take(w, row, v, field, pointer)) {
        if (!v && row->flags & CZ_CFG_REQUIRED && !is_default)
            (void)cz_report_add(w->rep, pointer, "required", "%s is required", row->name);
        set_default(w, row, field, pointer);
    }
    pointer[depth] = '\0';
}

static bool in_table(const struct cz_cfg_key *table, const char *name)
{
    for (const struct cz_cfg_key *row = table; row->name; row++) {
        if (strcmp(row->name, name) == 0)
            return true;
    }
    return false;
}

static void parse_object(const struct walk *w,
                         const struct cz_cfg_key *table,
                         const json_t *obj,
                         char *target,
                         char *pointer,
                         bool is_default)
{
    bool is_object = json_is_object(obj);
    if (!is_object)
        wrong_type(w, pointer, "an object", obj);
    for (const struct cz_cfg_key *row = table; row->name; row++)
        parse_row(w, row, is_object ? obj : NULL, target, pointer, is_default || !is_object);
    if (!is_object)
        return;
    size_t depth = strlen(pointer);
    for (void *it = json_object_iter(CZ_UNCONST(obj)); it;
         it = json_object_iter_next(CZ_UNCONST(obj), it)) {
        const char *name = json_object_iter_key(it);
        if (in_table(table, name))
            continue;
        cz_pointer_push(pointer, name);
        unknown_field(w, table, name, pointer);
        pointer[depth] = '\0';
    }
}

enum cz_err cz__cfg_parse(const struct cz_cfg_key *table,
                          const json_t *obj,
                          void *target,
                          const char *pointer,
                          bool literal_secrets,
                          struct cz_report *rep)
{
    char where[CZ_POINTER_SIZE];
    (void)snprintf(where, sizeof where, "%s", pointer ? pointer : "");
    size_t before = rep->len;
    struct walk w = {.rep = rep, .literal_secrets = literal_secrets};
    parse_object(&w, table, obj, target, where, false);
    return rep->len == before && !rep->truncated ? CZ_OK : CZ_E_INVALID;
}

enum cz_err cz_cfg_parse_json(const struct cz_cfg_key *table,
                              const json_t *obj,
                              void *target,
                              const char *pointer,
                              struct cz_report *rep)
{
    return cz__cfg_parse(table, obj, target, pointer, false, rep);
}

void cz_cfg_done(const struct cz_cfg_key *table, void *target)
{
    for (const struct cz_cfg_key *row = table; target && row->name; row++) {
        void *field = (char *)target + row->offset;
        if (row->type == CZ_CFG_STRING) {
            char **s = field;
            if (*s && row->flags & CZ_CFG_SECRET)
                explicit_bzero(*s, strlen(*s));
            cz_freep(field);
        } else if (row->type == CZ_CFG_STRINGS) {
            free_strings(field);
        } else if (row->type == CZ_CFG_JSON) {
            json_decref(*(json_t **)field);
            *(json_t **)field = NULL;
        } else if (row->type == CZ_CFG_OBJECT) {
            cz_cfg_done(row->sub, field);
        } else if (row->type == CZ_CFG_CUSTOM && row->done) {
            row->done(field);
        }
    }
}
