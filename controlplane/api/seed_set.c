/* SPDX-License-Identifier: Apache-2.0 */
/** A mapping file as the objects that it means: a mapping is a mapping, a template a template, and
 *  each use of one, {template, vars}, an instance.  An instance is named as its template; the
 *  second of the same template "<name> 2", and so on, unless the entry has a name. */
#include "seed_set.h"

#include <string.h>

#include "api_priv.h"
#include "seed_form.h"

void cz__seed_set_init(struct cz__seed_set *s, const char *group, json_t *current)
{
    *s = (struct cz__seed_set){.owned = json_array(), .group = group, .current = current};
}

void cz__seed_set_done(struct cz__seed_set *s)
{
    for (size_t i = 0; i < s->set.len; i++)
        cz_free(CZ_UNCONST(s->items[i].pointer));
    for (size_t i = 0; i < s->set.switches_len; i++)
        cz_free(CZ_UNCONST(s->switches[i].pointer));
    cz_free(s->items);
    cz_free(s->switches);
    cz_free(s->comment);
    json_decref(s->owned);
    json_decref(s->current);
}

/* ---- adding -------------------------------------------------------------------------------- */

/* @v is taken, and lives as long as the set. */
static json_t *own(struct cz__seed_set *s, json_t *v)
{
    (void)json_array_append_new(s->owned, v);
    return v;
}

/* @doc and @patch are taken. */
static void add_item(struct cz__seed_set *s,
                     enum cz_kind kind,
                     const char *name,
                     json_t *doc,
                     json_t *patch,
                     const char *at)
{
    cz_grow(&s->items, &s->items_cap, s->set.len, sizeof *s->items);
    s->items[s->set.len++] =
        (struct cz_set_item){.kind = kind,
                             .name = json_string_value(own(s, json_string(name))),
                             .doc = own(s, doc),
                             .patch = patch ? own(s, patch) : NULL,
                             .pointer = cz_strdup(at)};
    s->set.items = s->items;
}

static void below(struct cz_report *rep, const char *at, struct cz_report *from)
{
    for (size_t i = 0; i < from->len; i++) {
        char *full = cz_strf("%s%s", at, from->items[i].pointer);
        (void)cz_report_add(rep, full, from->items[i].code, "%s", from->items[i].message);
        cz_free(full);
    }
    cz_report_done(from);
}

/* Is this a mapping in the flat form, and with a name? */
static bool check_flat(const json_t *flat, const char *at, struct cz_report *rep)
{
    struct cz_report mine = CZ_REPORT_INIT;
    const json_t *name = json_object_get(flat, "name");
    if (!json_is_object(flat))
        (void)cz_report_add(&mine, "", "type", "must be a mapping: an object");
    else if (!json_is_string(name))
        (void)cz_report_add(&mine, "/name", name ? "type" : "required", "a name is needed");
    else
        cz__seed_check(flat, json_string_value(name), &mine);
    bool ok = cz_report_ok(&mine);
    below(rep, at, &mine);
    return ok;
}

static void add_mappings(struct cz__seed_set *s, const json_t *list, char *at, struct cz_report *rep)
{
    size_t i, depth = strlen(at);
    json_t *flat;
    if (list && !json_is_array(list))
        (void)cz_report_add(rep, at, "type", "must be a list of mappings");
    json_array_foreach (list, i, flat) {
        cz_pointer_push_index(at, i);
        const char *name = cz_json_str(flat, "name", "");
        if (check_flat(flat, at, rep))
            add_item(s, CZ_KIND_MAPPING, name, cz__seed_native(flat, s->group),
                     cz__seed_patch(flat, json_object_get(s->current, name)), at);
        at[depth] = '\0';
    }
}

static bool is_string_or_absent(const json_t *o, const char *name, bool needed, char *at,
                                struct cz_report *rep)
{
    const json_t *v = json_object_get(o, name);
    size_t depth = strlen(at);
    if (json_is_string(v) || (!needed && (!v || json_is_null(v))))
        return true;
    cz_pointer_push(at, name);
    (void)cz_report_add(rep, at, v ? "type" : "required", "must be a string");
    at[depth] = '\0';
    return false;
}

static char *instance_name(const struct cz__seed_set *s, const json_t *use)
{
    const char *template = cz_json_str(use, "template", "");
    const char *given = cz_json_str(use, "name", NULL);
    size_t same = 1;
    for (size_t i = 0; i < s->set.len; i++)
        same += s->items[i].kind == CZ_KIND_INSTANCE &&
                cz_streq(cz_json_str(json_object_get(s->items[i].doc, "spec"), "template", NULL),
                         template);
    if (given)
        return cz_strdup(given);
    return same > 1 ? cz_strf("%s %zu", template, same) : cz_strdup(template);
}

static void add_use(struct cz__seed_set *s, const json_t *use, char *at, struct cz_report *rep)
{
    static const char *const known[] = {"template", "vars", "name", NULL};
    struct cz_report mine = CZ_REPORT_INIT;
    json_t *vars = json_object_get(use, "vars");
    if (!json_is_object(use)) {
        (void)cz_report_add(rep, at, "type", "must be an object {template, vars}");
        return;
    }
    cz__api_known(use, known, &mine);
    bool ok = cz_report_ok(&mine);
    below(rep, at, &mine);
    ok &= is_string_or_absent(use, "template", true, at, rep);
    ok &= is_string_or_absent(use, "name", false, at, rep);
    if (!ok)
        return;
    json_t *doc = json_pack("{s:{s:O,s:o}}", "spec", "template", json_object_get(use, "template"),
                            "vars", json_is_null(vars) || !vars ? json_object() : json_incref(vars));
    char *name = instance_name(s, use);
    add_item(s, CZ_KIND_INSTANCE, name, doc, NULL, at);
    cz_free(name);
}

static void add_uses(struct cz__seed_set *s, const json_t *list, char *at, struct cz_report *rep)
{
    size_t i, depth = strlen(at);
    json_t *use;
    if (list && !json_is_null(list) && !json_is_array(list))
        (void)cz_report_add(rep, at, "type", "must be a list of {template, vars}");
    json_array_foreach (list, i, use) {
        cz_pointer_push_index(at, i);
        add_use(s, use, at, rep);
        at[depth] = '\0';
    }
}

/* One name of `enabled` or `disabled`. */
static void
add_switch(struct cz__seed_set *s, const json_t *v, bool enabled, char *at, struct cz_report *rep)
{
    const char *name = json_string_value(v);
    if (!name) {
        (void)cz_report_add(rep, at, "type", "must be the name of a mapping");
        return;
    }
    for (size_t i = 0; i < s->set.switches_len; i++) {
        if (!cz_streq(s->switches[i].name, name))
            continue;
        (void)cz_report_add(rep, at, "duplicate", "\"%s\" is listed at %s as well", name,
                            s->switches[i].pointer);
        return;
    }
    cz_grow(&s->switches, &s->switches_cap, s->set.switches_len, sizeof *s->switches);
    s->switches[s->set.switches_len++] =
        (struct cz_set_switch){.name = json_string_value(own(s, json_string(name))),
                               .enabled = enabled,
                               .pointer = cz_strdup(at)};
    s->set.switches = s->switches;
}

static void add_switches(
    struct cz__seed_set *s, const json_t *list, bool enabled, char *at, struct cz_report *rep)
{
    size_t i, depth = strlen(at);
    json_t *v;
    if (list && !json_is_null(list) && !json_is_array(list))
        (void)cz_report_add(rep, at, "type", "must be a list of names");
    json_array_foreach (list, i, v) {
        cz_pointer_push_index(at, i);
        add_switch(s, v, enabled, at, rep);
        at[depth] = '\0';
    }
}

void cz__seed_set_add(struct cz__seed_set *s, const json_t *doc, struct cz_report *rep)
{
    /* `rendered` and `file_error` are what GET adds. */
    static const char *const known[] = {"templates", "enabled",  "disabled",   "mappings",
                                        "comment",   "rendered", "file_error", NULL};
    const json_t *comment = json_object_get(doc, "comment");
    char at[CZ_POINTER_SIZE] = "";
    if (json_is_array(doc)) {
        add_mappings(s, doc, at, rep);
        return;
    }
    if (!json_is_object(doc)) {
        (void)cz_report_add(rep, "", "type", "must be a list of mappings, or an object");
        return;
    }
    cz__api_known(doc, known, rep);
    (void)is_string_or_absent(doc, "comment", false, at, rep);
    s->comment = cz_strdup(json_string_value(comment));
    static const struct {
        const char *name;
        bool enabled;
    } lists[] = {{"enabled", true}, {"disabled", false}};
    cz_pointer_push(at, "templates");
    add_uses(s, json_object_get(doc, "templates"), at, rep);
    for (size_t i = 0; i < 2; i++) {
        at[0] = '\0';
        cz_pointer_push(at, lists[i].name);
        add_switches(s, json_object_get(doc, lists[i].name), lists[i].enabled, at, rep);
    }
    const json_t *mappings = json_object_get(doc, "mappings");
    at[0] = '\0';
    cz_pointer_push(at, "mappings");
    add_mappings(s, json_is_null(mappings) ? NULL : mappings, at, rep);
}

/* ---- templates ----------------------------------------------------------------------------- */

/* Every {{VAR}} in the strings of @v is a variable. */
static void collect_variables(const json_t *v, json_t *variables)
{
    const char *key, *open, *close;
    json_t *one;
    size_t i;
    json_object_foreach ((json_t *)CZ_UNCONST(v), key, one)
        collect_variables(one, variables);
    json_array_foreach (v, i, one)
        collect_variables(one, variables);
    for (const char *s = json_string_value(v);
         s && (open = strstr(s, "{{")) && (close = strstr(open, "}}")); s = close + 2) {
        const char *from = open + 2, *to = close;
        while (from < to && *from == ' ')
            from++;
        while (to > from && to[-1] == ' ')
            to--;
        char *name = cz_strndup(from, (size_t)(to - from));
        (void)json_object_set_new(variables, name, json_object());
        cz_free(name);
    }
}

static void add_template(struct cz__seed_set *s,
                         const char *name,
                         const json_t *list,
                         char *at,
                         struct cz_report *rep)
{
    json_t *mappings = json_array(), *variables = json_object(), *flat;
    size_t i, depth = strlen(at);
    if (!json_is_array(list))
        (void)cz_report_add(rep, at, "type", "must be a list of mappings");
    json_array_foreach (list, i, flat) {
        cz_pointer_push_index(at, i);
        if (check_flat(flat, at, rep)) {
            json_t *entry = cz__seed_native(flat, s->group);
            (void)json_object_set(entry, "name", json_object_get(flat, "name"));
            (void)json_array_append_new(mappings, entry);
        }
        at[depth] = '\0';
    }
    collect_variables(list, variables);
    add_item(s, CZ_KIND_TEMPLATE, name,
             json_pack("{s:{s:o,s:o}}", "spec", "variables", variables, "mappings", mappings), NULL,
             at);
}

void cz__seed_set_add_templates(struct cz__seed_set *s,
                                const json_t *templates,
                                const char *pointer,
                                struct cz_report *rep)
{
    const char *name;
    json_t *list;
    char at[CZ_POINTER_SIZE] = "";
    (void)snprintf(at, sizeof at, "%s", pointer);
    size_t depth = strlen(at);
    if (!json_is_object(templates))
        (void)cz_report_add(rep, at, "type", "must be an object {\"<name>\": [mappings]}");
    json_object_foreach ((json_t *)CZ_UNCONST(templates), name, list) {
        cz_pointer_push(at, name);
        add_template(s, name, list, at, rep);
        at[depth] = '\0';
    }
}

json_t *cz__seed_template(const json_t *envelope)
{
    json_t *list = json_array(), *entry;
    size_t i;
    json_array_foreach (json_object_get(json_object_get(envelope, "spec"), "mappings"), i, entry)
        (void)json_array_append_new(list, cz__seed_flat(entry));
    return list;
}

json_t *cz__seed_instance(const json_t *envelope, json_t *enabled, json_t *disabled)
{
    const json_t *spec = json_object_get(envelope, "spec");
    const json_t *vars = json_object_get(spec, "vars");
    const char *name;
    json_t *v;
    json_object_foreach (json_object_get(spec, "overrides"), name, v)
        (void)json_array_append_new(cz_json_bool(v, "enabled", true) ? enabled : disabled,
                                    json_string(name));
    return json_pack("{s:O,s:O,s:o}", "name", json_object_get(envelope, "name"), "template",
                     json_object_get(spec, "template"), "vars",
                     vars ? json_deep_copy(vars) : json_object());
}

/* ---- places -------------------------------------------------------------------------------- */

/* "/mappings/3/spec/source/topic" → "/mappings/3/source_topic_name", and in a template
 * "/templates/t/spec/mappings/0/spec/enabled" → "/templates/t/0/enabled". */
static char *place_of(const char *native)
{
    static const char inner[] = "/spec/mappings/";
    const char *spec = strstr(native, "/spec");
    if (!spec)
        return cz_strdup(native);
    char *head = cz_strndup(native, (size_t)(spec - native)), *out;
    if (strncmp(spec, inner, sizeof inner - 1) == 0) {
        const char *index = spec + sizeof inner - 1;
        size_t n = strcspn(index, "/");
        char *rest = cz__seed_place(index + n);
        out = cz_strf("%s/%.*s%s", head, (int)n, index, rest);
        cz_free(rest);
    } else {
        char *rest = cz__seed_place(spec);
        out = cz_strf("%s%s", head, rest);
        cz_free(rest);
    }
    cz_free(head);
    return out;
}

void cz__seed_set_report(const struct cz_report *native, struct cz_report *rep)
{
    for (size_t i = 0; i < native->len; i++) {
        char *at = place_of(native->items[i].pointer);
        (void)cz_report_add(rep, at, native->items[i].code, "%s", native->items[i].message);
        cz_free(at);
    }
}

void cz__seed_set_warnings(json_t *warnings)
{
    size_t i;
    json_t *one;
    json_array_foreach (warnings, i, one) {
        char *at = place_of(cz_json_str(one, "pointer", ""));
        (void)json_object_set_new(one, "pointer", json_string(at));
        cz_free(at);
    }
}
