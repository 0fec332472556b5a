/* SPDX-License-Identifier: Apache-2.0 */
/** Teams' settings, bindings and grants: their documents checked, and made into rules.  A document
 *  that is not understood (a newer version wrote it) gives no right. */
#include <string.h>

#include "cz/access.h"
#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/kafka.h"
#include "cz/limits.h"
#include "cz/util.h"

#define MAX_PRINCIPAL 512

static const struct {
    const char *name;
    unsigned mode;
} modes[] = {{"read", CZ_MODE_READ}, {"write", CZ_MODE_WRITE}, {"peek", CZ_MODE_PEEK}, {"delete", CZ_MODE_DELETE}};

static unsigned mode_of(const json_t *name)
{
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (cz_streq(json_string_value(name), modes[i].name))
            return modes[i].mode;
    return 0;
}

/* ---- rules ----------------------------------------------------------------------------------- */

void cz_team_rules_done(struct cz_team_rules *t)
{
    for (size_t i = 0; i < t->bindings_len; i++) {
        cz_free(t->bindings[i].name);
        cz_free(t->bindings[i].principal);
        cz_free(t->bindings[i].idp_group);
    }
    for (size_t i = 0; i < t->grants_len; i++) {
        cz_free(t->grants[i].name);
        cz_free(t->grants[i].cluster);
        cz_free(t->grants[i].pattern);
    }
    cz_free(t->bindings);
    cz_free(t->grants);
    cz_free(t->team);
    *t = (struct cz_team_rules){0};
}

void cz_team_rules_settings(struct cz_team_rules *t, const json_t *spec)
{
    t->restricted = cz_json_bool(spec, "restricted", false);
    t->own_clusters = cz_json_bool(spec, "own_clusters", false);
}

bool cz_team_rules_binding(struct cz_team_rules *t, const char *name, const json_t *spec)
{
    struct cz_report rep = CZ_REPORT_INIT;
    enum cz_role role;
    cz_check_binding(spec, "", &rep);
    bool ok = cz_report_ok(&rep) && cz_role_parse(cz_json_str(spec, "role", NULL), &role);
    cz_report_done(&rep);
    if (!ok)
        return false;
    cz_grow(&t->bindings, &t->bindings_cap, t->bindings_len, sizeof *t->bindings);
    t->bindings[t->bindings_len++] =
        (struct cz_binding){.name = cz_strdup(name),
                            .principal = cz_strdup(cz_json_str(spec, "principal", NULL)),
                            .idp_group = cz_strdup(cz_json_str(spec, "idp_group", NULL)),
                            .role = role,
                            .peek = cz_json_bool(spec, "peek", false)};
    return true;
}

bool cz_team_rules_grant(struct cz_team_rules *t, const char *name, const json_t *spec)
{
    struct cz_report rep = CZ_REPORT_INIT;
    cz_check_grant(spec, "", &rep);
    bool ok = cz_report_ok(&rep);
    cz_report_done(&rep);
    if (!ok)
        return false;
    struct cz_grant g = {.name = cz_strdup(name),
                         .cluster = cz_strdup(cz_json_str(spec, "cluster", NULL)),
                         .pattern = cz_strdup(cz_json_str(spec, "pattern", NULL)),
                         .prefix = cz_streq(cz_json_str(spec, "pattern_type", NULL), "prefix")};
    g.type = cz_streq(cz_json_str(spec, "resource_type", NULL), "group") ? CZ_GRANT_GROUP : CZ_GRANT_TOPIC;
    size_t i;
    json_t *one;
    json_array_foreach (json_object_get(spec, "modes"), i, one)
        g.modes |= mode_of(one);
    cz_grow(&t->grants, &t->grants_cap, t->grants_len, sizeof *t->grants);
    t->grants[t->grants_len++] = g;
    return true;
}

/* ---- checks ---------------------------------------------------------------------------------- */

static void problem(struct cz_report *rep, const char *pointer, const char *field, const char *code, const char *text)
{
    char at[CZ_POINTER_SIZE] = "";
    memcpy(at, pointer, strnlen(pointer, sizeof at - 1));
    cz_pointer_push(at, field);
    (void)cz_report_add(rep, at, code, "%s", text);
}

static void check_known(const json_t *spec, const char *const *names, const char *pointer, struct cz_report *rep)
{
    const char *key;
    json_t *v;
    json_object_foreach ((json_t *)(uintptr_t)spec, key, v) {
        size_t i = 0;
        while (names[i] && !cz_streq(names[i], key))
            i++;
        if (!names[i])
            problem(rep, pointer, key, "unknown-field", "unknown field");
    }
}

static void check_bool(const json_t *spec, const char *field, const char *pointer, struct cz_report *rep)
{
    const json_t *v = json_object_get(spec, field);
    if (v && !json_is_boolean(v))
        problem(rep, pointer, field, "type", "must be true or false");
}

/** NULL: it is wrong, and said so. */
static const char *
check_word(const json_t *spec, const char *field, size_t max, const char *pointer, struct cz_report *rep)
{
    const json_t *v = json_object_get(spec, field);
    const char *s = json_string_value(v);
    if (!v)
        problem(rep, pointer, field, "required", "is required");
    else if (!s)
        problem(rep, pointer, field, "type", "must be a string");
    else if (!*s || json_string_length(v) > max || strlen(s) != json_string_length(v))
        problem(rep, pointer, field, "range", "is empty or too long");
    else
        return s;
    return NULL;
}

static void check_choice(const json_t *spec,
                         const char *field,
                         const char *a,
                         const char *b,
                         const char *pointer,
                         struct cz_report *rep)
{
    char text[64];
    const char *s = check_word(spec, field, 64, pointer, rep);
    if (!s || cz_streq(s, a) || cz_streq(s, b))
        return;
    (void)snprintf(text, sizeof text, "must be %s or %s", a, b);
    problem(rep, pointer, field, "value", text);
}

void cz_check_team(const json_t *spec, const char *pointer, struct cz_report *rep)
{
    static const char *const names[] = {"restricted", "own_clusters", NULL};
    check_known(spec, names, pointer, rep);
    check_bool(spec, "restricted", pointer, rep);
    check_bool(spec, "own_clusters", pointer, rep);
}

void cz_check_binding(const json_t *spec, const char *pointer, struct cz_report *rep)
{
    static const char *const names[] = {"principal", "idp_group", "role", "peek", NULL};
    enum cz_role role;
    check_known(spec, names, pointer, rep);
    const char *word = check_word(spec, "role", 64, pointer, rep);
    if (word && !cz_role_parse(word, &role))
        problem(rep, pointer, "role", "value", "must be viewer, operator, editor or owner");
    check_bool(spec, "peek", pointer, rep);
    if (json_object_get(spec, "idp_group") && json_object_get(spec, "principal"))
        problem(rep, pointer, "idp_group", "both", "give either a principal or an idp_group");
    else if (json_object_get(spec, "idp_group"))
        (void)check_word(spec, "idp_group", MAX_PRINCIPAL, pointer, rep);
    else
        (void)check_word(spec, "principal", MAX_PRINCIPAL, pointer, rep);
}

static void check_modes(const json_t *spec, const char *pointer, struct cz_report *rep)
{
    const json_t *list = json_object_get(spec, "modes");
    bool group = cz_streq(cz_json_str(spec, "resource_type", NULL), "group");
    unsigned all = 0;
    size_t i;
    json_t *one;
    if (!json_is_array(list) || json_array_size(list) == 0) {
        problem(rep, pointer, "modes", list ? "type" : "required", "must be a list of read, write, peek, delete");
        return;
    }
    json_array_foreach (list, i, one) {
        unsigned mode = mode_of(one);
        if (!mode)
            problem(rep, pointer, "modes", "value", "must be of read, write, peek, delete");
        else if (mode == CZ_MODE_PEEK && group)
            problem(rep, pointer, "modes", "value", "peek is about topics");
        else if (mode == CZ_MODE_DELETE && !group)
            problem(rep, pointer, "modes", "value", "delete is about groups: nothing here deletes topics");
        if (all & mode)
            problem(rep, pointer, "modes", "duplicate", "names a mode twice");
        all |= mode;
    }
}

void cz_check_grant(const json_t *spec, const char *pointer, struct cz_report *rep)
{
    static const char *const names[] = {"cluster", "resource_type", "pattern_type", "pattern", "modes", NULL};
    check_known(spec, names, pointer, rep);
    (void)check_word(spec, "cluster", CZ_MAX_NAME, pointer, rep);
    check_choice(spec, "resource_type", "topic", "group", pointer, rep);
    check_choice(spec, "pattern_type", "literal", "prefix", pointer, rep);
    const char *pattern = check_word(spec, "pattern", 255, pointer, rep);
    if (pattern && strchr(pattern, '*') && strcmp(pattern, "*") != 0)
        problem(rep, pointer, "pattern", "value",
                "* stands alone, for all; for names that begin alike use pattern_type prefix");
    check_modes(spec, pointer, rep);
}
