/* SPDX-License-Identifier: Apache-2.0 */
/** A config table with a row of every type, for the tests of cfg. */
#ifndef CZ_CFG_SAMPLE_H
#define CZ_CFG_SAMPLE_H

#include "cz/alloc.h"
#include "cz/cfg.h"

struct sample_tls {
    bool verify;
    char *password;
    int64_t depth;
};
struct sample {
    bool on;
    int64_t count, at_least;
    double ratio;
    char *name, *label, *token;
    int mode;
    struct cz_cfg_strings topics;
    json_t *extra;
    struct sample_tls tls, box;
    int64_t custom;
    int64_t later;
    struct sample_tls later_tls;
};

static const char *const sample_modes[] = {"stop", "skip", "dead_letter", NULL};

static const struct cz_cfg_key sample_tls_table[] = {
    {.name = "verify",
     .type = CZ_CFG_BOOL,
     .offset = offsetof(struct sample_tls, verify),
     .def = "true"},
    {.name = "password",
     .type = CZ_CFG_STRING,
     .flags = CZ_CFG_SECRET | CZ_CFG_NULLABLE,
     .offset = offsetof(struct sample_tls, password)},
    {.name = "depth",
     .type = CZ_CFG_INT,
     .offset = offsetof(struct sample_tls, depth),
     .def = "3",
     .min = 1,
     .max = 9},
    {0}};

/* A number twice as large as given, from a number or "N apples". */
static void
sample_custom_parse(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    if (json_is_integer(v))
        *(int64_t *)field = json_integer_value(v) * 2;
    else
        (void)cz_report_add(rep, pointer, "custom", "must count apples");
}

static void
sample_label_check(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    (void)field;
    if (json_string_value(v)[0] == '!')
        (void)cz_report_add(rep, pointer, "label", "must not shout");
}

static const char *sample_count_text(const char *given)
{
    return given[0] == 'x' ? given + 1 : NULL;
}

#define ALIAS(...)                                                                             \
    (const struct cz_cfg_alias[]) { {.variable = __VA_ARGS__}, {0} }
#define AT(f) .offset = offsetof(struct sample, f)
static const struct cz_cfg_key sample_table[] = {
    {.name = "on", .type = CZ_CFG_BOOL, AT(on), .group = "General", .doc = "Whether it is on."},
    {.name = "count",
     .type = CZ_CFG_INT,
     AT(count),
     .def = "5",
     .min = 1,
     .max = 100,
     .group = "General",
     .flags = CZ_CFG_RELOAD,
     .aliases = ALIAS("OLD_COUNT", .text = sample_count_text, .want = "x and a number"},
                      {.variable = "OLDER_COUNT"),
     .doc = "How many."},
    {.name = "at_least",
     .type = CZ_CFG_INT,
     AT(at_least),
     .def = "0",
     .min = 0,
     .max = INT64_MAX},
    {.name = "ratio", .type = CZ_CFG_DOUBLE, AT(ratio), .def = "0.5", .min = 0, .max = 1},
    {.name = "name",
     .type = CZ_CFG_STRING,
     AT(name),
     .flags = CZ_CFG_REQUIRED,
     .min = 1,
     .max = 10,
     .group = "General",
     .doc = "Its name."},
    {.name = "label",
     .type = CZ_CFG_STRING,
     AT(label),
     .flags = CZ_CFG_NULLABLE,
     .def = "\"none\"",
     .aliases = ALIAS("OLD_LABEL", .even_empty = true),
     .parse = sample_label_check},
    {.name = "token",
     .type = CZ_CFG_STRING,
     AT(token),
     .flags = CZ_CFG_SECRET,
     .doc = "Secret."},
    {.name = "mode",
     .type = CZ_CFG_ENUM,
     AT(mode),
     .def = "\"skip\"",
     .values = sample_modes,
     .doc = "What to do."},
    {.name = "topics", .type = CZ_CFG_STRINGS, AT(topics), .def = "[\"a\"]"},
    {.name = "extra", .type = CZ_CFG_JSON, AT(extra), .schema = "{\"type\":\"object\"}",
     .aliases = ALIAS("OLD_EXTRA_")},
    {.name = "tls", .type = CZ_CFG_OBJECT, AT(tls), .sub = sample_tls_table, .doc = "TLS."},
    {.name = "box",
     .type = CZ_CFG_OBJECT,
     AT(box),
     .sub = sample_tls_table,
     .flags = CZ_CFG_NULLABLE,
     .def = "{\"depth\":7}"},
    {.name = "custom",
     .type = CZ_CFG_CUSTOM,
     AT(custom),
     .def = "4",
     .parse = sample_custom_parse,
     .schema = "{\"type\":\"integer\"}"},
    {.name = "later", .type = CZ_CFG_INT, AT(later), .flags = CZ_CFG_LATER, .def = "1"},
    {.name = "later_tls",
     .type = CZ_CFG_OBJECT,
     AT(later_tls),
     .flags = CZ_CFG_LATER,
     .sub = sample_tls_table},
    {0}};
#undef AT

#endif
