/* SPDX-License-Identifier: Apache-2.0 */
/** Templates: substitution of {{VAR}} inside JSON strings and nothing else, so a value can
 * never bring in a member or change a type.  Values are not looked at again for placeholders.
 *  {{topic}} is left alone unless the template has a variable of that name: a target topic may
 *  hold it (see cz/mapping_spec.h). */
#include <string.h>

#include "service_priv.h"

#define MAX_VARIABLES 200
#define MAX_VARIABLE_NAME 64
#define MAX_VALUE_BYTES 1000
#define MAX_MAPPINGS 1000
#define MAX_RENDERED (8 * 1024 * 1024) /* bytes of all strings of one instance */

/* ---- substitution --------------------------------------------------------------------------
 */

struct render {
    const json_t *vars; /* name → string */
    char *at;           /* pointer of the string in work */
    size_t budget;
    bool has_topic; /* a variable is called topic: it must have a value then */
    struct cz_report *rep;
};

static bool variable_name(const char *s, size_t n)
{
    if (n == 0 || n > MAX_VARIABLE_NAME)
        return false;
    for (size_t i = 0; i < n; i++) {
        bool digit = (s[i] >= '0' && s[i] <= '9') || s[i] == '-' || s[i] == '.';
        bool letter =
            (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') || s[i] == '_';
        if (!letter && (!digit || i == 0))
            return false;
    }
    return true;
}

/** The next {{NAME}} at or after @s: its start and end, and the name without blanks. */
static const char *
next_mark(const char *s, const char **ret_end, const char **ret_name, size_t *ret_len)
{
    const char *open = strstr(s, "{{");
    const char *close = open ? strstr(open + 2, "}}") : NULL;
    if (!close)
        return NULL;
    const char *name = open + 2, *end = close;
    while (name < end && *name == ' ')
        name++;
    while (end > name && end[-1] == ' ')
        end--;
    *ret_end = close + 2;
    *ret_name = name;
    *ret_len = (size_t)(end - name);
    return open;
}

static void add_mark(struct render *r,
                     struct cz_buf *b,
                     const char *mark,
                     const char *end,
                     const char *name,
                     size_t len)
{
    CZ_CLEANUP(cz_freep) char *var = cz_strndup(name, len);
    /* In value_map it always is the source topic: CitizenK Replicator's templates may well have a
     * variable of this name. */
    const char *member = strrchr(r->at, '/');
    bool ours = cz_streq(var, "topic") && cz_streq(member, "/value_map");
    const json_t *v = ours ? NULL : json_object_get(r->vars, var);
    if (v)
        cz_buf_add(b, json_string_value(v), json_string_length(v));
    else if (ours || (cz_streq(var, "topic") && !r->has_topic))
        cz_buf_add(b, mark, (size_t)(end - mark));
    else
        (void)cz_report_add(r->rep, r->at, "undefined-variable", "variable \"%s\" has no value",
                            var);
}

static json_t *render_string(struct render *r, const json_t *v)
{
    const char *s = json_string_value(v), *end, *name, *mark;
    size_t len;
    if (!strstr(s, "{{"))
        return json_deep_copy(v);
    CZ_CLEANUP(cz_buf_done) struct cz_buf b = CZ_BUF_INIT(CZ_MAX_DOCUMENT);
    while ((mark = next_mark(s, &end, &name, &len))) {
        cz_buf_add(&b, s, (size_t)(mark - s));
        add_mark(r, &b, mark, end, name, len);
        s = end;
    }
    cz_buf_adds(&b, s);
    if (b.failed || b.len > r->budget) {
        (void)cz_report_add(r->rep, r->at, "range", "the rendered text is too long");
        return json_string("");
    }
    r->budget -= b.len;
    return json_stringn(cz_buf_str(&b), b.len);
}

static json_t *render_value(struct render *r, const json_t *v)
{
    const char *key;
    json_t *member, *out;
    size_t i, depth = strlen(r->at);
    if (json_is_string(v))
        return render_string(r, v);
    if (json_is_object(v)) {
        out = json_object();
        json_object_foreach ((json_t *)(uintptr_t)v, key, member) {
            cz_pointer_push(r->at, key);
            (void)json_object_set_new(out, key, render_value(r, member));
            r->at[depth] = '\0';
        }
        return out;
    }
    if (!json_is_array(v))
        return json_deep_copy(v);
    out = json_array();
    json_array_foreach (v, i, member) {
        cz_pointer_push_index(r->at, i);
        (void)json_array_append_new(out, render_value(r, member));
        r->at[depth] = '\0';
    }
    return out;
}

/* ---- checks at save ------------------------------------------------------------------------
 */

static void check_variable(const char *name, const json_t *v, char *at, struct cz_report *rep)
{
    const char *key;
    json_t *member;
    if (!variable_name(name, strlen(name)))
        (void)cz_report_add(rep, at, "name",
                            "a variable's name has 1 to %d letters, digits, '_', '-', '.'",
                            MAX_VARIABLE_NAME);
    if (!json_is_object(v)) {
        (void)cz_report_add(rep, at, "type",
                            "must be an object {\"default\"?, \"description\"?}");
        return;
    }
    json_object_foreach ((json_t *)(uintptr_t)v, key, member) {
        size_t depth = strlen(at);
        cz_pointer_push(at, key);
        if (!cz_streq(key, "default") && !cz_streq(key, "description"))
            (void)cz_report_add(rep, at, "unknown-field",
                                "unknown field; known are default and description");
        else if (!json_is_string(member))
            (void)cz_report_add(rep, at, "type", "must be a string");
        else if (json_string_length(member) > MAX_VALUE_BYTES)
            (void)cz_report_add(rep, at, "range", "at most %d bytes", MAX_VALUE_BYTES);
        at[depth] = '\0';
    }
}

static void check_variables(const json_t *vars, char *at, struct cz_report *rep)
{
    const char *name;
    json_t *v;
    if (!json_is_object(vars)) {
        (void)cz_report_add(rep, at, "type",
                            "must be an object {\"<name>\": {\"default\": …}}");
        return;
    }
    if (json_object_size(vars) > MAX_VARIABLES)
        (void)cz_report_add(rep, at, "range", "at most %d variables", MAX_VARIABLES);
    json_object_foreach ((json_t *)(uintptr_t)vars, name, v) {
        size_t depth = strlen(at);
        cz_pointer_push(at, name);
        check_variable(name, v, at, rep);
        at[depth] = '\0';
    }
}

/** What holds for every value of the variables: unknown fields, types, what is not there yet.
 */
static void check_raw_spec(const json_t *spec, const char *at, struct cz_report *rep)
{
    struct cz_report all = CZ_REPORT_INIT;
    struct cz_mapping_spec *s = NULL;
    if (cz_mapping_spec_parse(spec, at, &s, &all) == CZ_OK)
        cz_mapping_spec_free(s);
    for (size_t i = 0; i < all.len; i++) {
        const char *code = all.items[i].code;
        if (cz_streq(code, "unknown-field") || cz_streq(code, "type") ||
            cz_streq(code, "not-available") || cz_streq(code, "required") ||
            cz_streq(code, "both"))
            (void)cz_report_add(rep, all.items[i].pointer, code, "%s", all.items[i].message);
    }
    cz_report_done(&all);
}

static void check_entry(const json_t *entry, char *at, struct cz_report *rep)
{
    static const char *const known[] = {"name", "group", "labels", "description", "spec"};
    const char *key;
    json_t *v;
    if (!json_is_object(entry)) {
        (void)cz_report_add(rep, at, "type",
                            "must be an object {name, group, labels, description, spec}");
        return;
    }
    size_t depth = strlen(at);
    json_object_foreach ((json_t *)(uintptr_t)entry, key, v) {
        bool found = false;
        for (size_t i = 0; i < 5; i++)
            found |= cz_streq(key, known[i]);
        cz_pointer_push(at, key);
        if (!found)
            (void)cz_report_add(
                rep, at, "unknown-field",
                "unknown field; known are name, group, labels, description and spec");
        at[depth] = '\0';
    }
    cz__check_meta(entry, at, rep);
    cz_pointer_push(at, "name");
    if (!json_is_string(json_object_get(entry, "name")))
        (void)cz_report_add(rep, at, "required", "a name is required");
    at[depth] = '\0';
    cz_pointer_push(at, "spec");
    v = json_object_get(entry, "spec");
    if (json_is_object(v))
        check_raw_spec(v, at, rep);
    else
        (void)cz_report_add(rep, at, v ? "type" : "required", "a spec is required");
    at[depth] = '\0';
}

/** Each placeholder must be declared: render with every variable given, to see which are not.
 */
static void check_placeholders(const json_t *spec, const char *pointer, struct cz_report *rep)
{
    json_t *vars = json_object();
    const char *name;
    json_t *v;
    json_object_foreach (json_object_get(spec, "variables"), name, v) {
        (void)json_object_set_new(vars, name, json_string(""));
    }
    char at[CZ_POINTER_SIZE] = "";
    memcpy(at, pointer, strnlen(pointer, sizeof at - 1));
    cz_pointer_push(at, "mappings");
    struct render r = {.vars = vars, .at = at, .budget = MAX_RENDERED, .rep = rep};
    json_decref(render_value(&r, json_object_get(spec, "mappings")));
    json_decref(vars);
}

static void
check_fields(const json_t *spec, const char *const *known, char *at, struct cz_report *rep)
{
    const char *key;
    json_t *v;
    size_t depth = strlen(at);
    json_object_foreach ((json_t *)(uintptr_t)spec, key, v) {
        const char *const *k = known;
        while (*k && !cz_streq(*k, key))
            k++;
        cz_pointer_push(at, key);
        if (!*k)
            (void)cz_report_add(rep, at, "unknown-field", "unknown field");
        at[depth] = '\0';
    }
}

void cz__check_template(const json_t *spec, const char *pointer, struct cz_report *rep)
{
    static const char *const known[] = {"variables", "mappings", NULL};
    char at[CZ_POINTER_SIZE] = "";
    const json_t *vars = json_object_get(spec, "variables"),
                 *list = json_object_get(spec, "mappings"), *entry;
    size_t i, depth = strnlen(pointer, sizeof at - 1), before = rep->len;
    memcpy(at, pointer, depth);
    if (!json_is_object(spec))
        return; /* said by the document's check */
    check_fields(spec, known, at, rep);
    if (vars) {
        cz_pointer_push(at, "variables");
        check_variables(vars, at, rep);
        at[depth] = '\0';
    }
    cz_pointer_push(at, "mappings");
    size_t inner = strlen(at);
    if (!json_is_array(list))
        (void)cz_report_add(rep, at, list ? "type" : "required",
                            "a list of mappings is required");
    else if (json_array_size(list) == 0 || json_array_size(list) > MAX_MAPPINGS)
        (void)cz_report_add(rep, at, "range", "1 to %d mappings", MAX_MAPPINGS);
    json_array_foreach (list, i, entry) {
        cz_pointer_push_index(at, i);
        check_entry(entry, at, rep);
        at[inner] = '\0';
    }
    if (rep->len == before)
        check_placeholders(spec, pointer, rep);
}

static void check_override(const char *name, const json_t *v, char *at, struct cz_report *rep)
{
    (void)name;
    const json_t *enabled = json_object_get(v, "enabled");
    if (!json_is_object(v) || json_object_size(v) != 1 || !json_is_boolean(enabled))
        (void)cz_report_add(rep, at, "type",
                            "must be {\"enabled\": true} or {\"enabled\": false}");
}

static void check_var_value(const char *name, const json_t *v, char *at, struct cz_report *rep)
{
    (void)name;
    if (!json_is_string(v))
        (void)cz_report_add(rep, at, "type", "must be a string");
    else if (json_string_length(v) > MAX_VALUE_BYTES)
        (void)cz_report_add(rep, at, "range", "at most %d bytes", MAX_VALUE_BYTES);
}

static void check_each(const json_t *spec,
                       const char *member,
                       char *at,
                       struct cz_report *rep,
                       void (*check)(const char *, const json_t *, char *, struct cz_report *))
{
    const json_t *obj = json_object_get(spec, member);
    const char *key;
    json_t *v;
    size_t outer = strlen(at);
    cz_pointer_push(at, member);
    size_t depth = strlen(at);
    if (obj && !json_is_object(obj))
        (void)cz_report_add(rep, at, "type", "must be an object");
    json_object_foreach ((json_t *)(uintptr_t)obj, key, v) {
        cz_pointer_push(at, key);
        check(key, v, at, rep);
        at[depth] = '\0';
    }
    at[outer] = '\0';
}

void cz__check_instance(const json_t *spec, const char *pointer, struct cz_report *rep)
{
    static const char *const known[] = {"template", "vars", "overrides", NULL};
    char at[CZ_POINTER_SIZE] = "";
    size_t depth = strnlen(pointer, sizeof at - 1);
    memcpy(at, pointer, depth);
    if (!json_is_object(spec))
        return;
    check_fields(spec, known, at, rep);
    check_each(spec, "vars", at, rep, check_var_value);
    check_each(spec, "overrides", at, rep, check_override);
    const json_t *template = json_object_get(spec, "template");
    cz_pointer_push(at, "template");
    if (!json_is_string(template) || json_string_length(template) == 0)
        (void)cz_report_add(rep, at, template ? "type" : "required",
                            "the name of a template is required");
}

/* ---- rendering -----------------------------------------------------------------------------
 */

void cz__rendered_done(struct cz__rendered_list *l)
{
    for (size_t i = 0; i < l->len; i++) {
        cz_free(l->items[i].name);
        json_decref(l->items[i].doc);
    }
    cz_free(l->items);
    *l = (struct cz__rendered_list){0};
}

/** Values given, else defaults; a value for an unknown variable is a problem. */
static json_t *values(const json_t *template_spec, const json_t *given, struct cz_report *rep)
{
    json_t *out = json_object(), *declared = json_object_get(template_spec, "variables"), *v;
    const char *name;
    json_object_foreach (declared, name, v) {
        json_t *value = json_object_get(given, name);
        if (!value)
            value = json_object_get(v, "default");
        if (value)
            (void)json_object_set(out, name, value);
    }
    json_object_foreach ((json_t *)(uintptr_t)given, name, v) {
        char at[CZ_POINTER_SIZE] = "/spec/vars";
        cz_pointer_push(at, name);
        if (!json_object_get(declared, name))
            (void)cz_report_add(rep, at, "unknown-field", "the template has no variable \"%s\"",
                                name);
    }
    return out;
}

static void
take_rendered(struct cz__rendered *out, json_t *doc, size_t index, const json_t *overrides)
{
    const char *name = cz_json_str(doc, "name", "");
    const json_t *enabled = json_object_get(json_object_get(overrides, name), "enabled");
    out->name = cz_strdup(name);
    out->index = index;
    if (enabled)
        (void)json_object_set_new(json_object_get(doc, "spec"), "enabled",
                                  json_boolean(json_is_true(enabled)));
    (void)json_object_del(doc, "name");
    out->doc = doc;
}

static void check_overrides(const json_t *overrides,
                            const struct cz__rendered_list *l,
                            struct cz_report *rep)
{
    const char *name;
    json_t *v;
    json_object_foreach ((json_t *)(uintptr_t)overrides, name, v) {
        size_t i = 0;
        while (i < l->len && !cz_streq(l->items[i].name, name))
            i++;
        char at[CZ_POINTER_SIZE] = "/spec/overrides";
        cz_pointer_push(at, name);
        if (i == l->len)
            (void)cz_report_add(rep, at, "not-found", "the template makes no mapping \"%s\"",
                                name);
    }
}

void cz__render(const json_t *template_spec,
                const json_t *instance_spec,
                bool strict_overrides,
                struct cz__rendered_list *ret,
                struct cz_report *rep)
{
    const json_t *list = json_object_get(template_spec, "mappings"), *entry;
    const json_t *overrides = json_object_get(instance_spec, "overrides");
    json_t *vars = values(template_spec, json_object_get(instance_spec, "vars"), rep);
    char at[CZ_POINTER_SIZE] = "";
    struct render r = {.vars = vars, .at = at, .budget = MAX_RENDERED, .rep = rep};
    r.has_topic = json_object_get(json_object_get(template_spec, "variables"), "topic") != NULL;
    size_t i;
    *ret = (struct cz__rendered_list){
        .items = cz_alloc_array(json_array_size(list) + 1, sizeof *ret->items)};
    json_array_foreach (list, i, entry) {
        static const char base[] = "/spec/mappings";
        memcpy(at, base, sizeof base);
        cz_pointer_push_index(at, i);
        take_rendered(&ret->items[ret->len++], render_value(&r, entry), i, overrides);
    }
    if (strict_overrides)
        check_overrides(overrides, ret, rep);
    json_decref(vars);
}
