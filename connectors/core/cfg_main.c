/* SPDX-License-Identifier: Apache-2.0 */
/** Config tables for a program's main(): defaults < JSON file < environment < arguments, and
 *  `--help`.  Everything is laid over one JSON object, which then goes the way of any document;
 *  a nested field `outer.inner` is the option --outer-inner.  Problems name the option,
 * variable or file that the value came from. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core_priv.h"
#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/limits.h"
#include "cz/util.h"

enum { MAX_NESTING = 4, MAX_OPTION = 128 };
enum source { FROM_NOWHERE, FROM_FILE, FROM_ENV, FROM_ARG };

/* One row of the table, flattened. */
struct option {
    const struct cz_cfg_key *row;
    const char *path[MAX_NESTING];
    size_t depth;
    char flag[MAX_OPTION];     /* "--outer-inner" */
    char variable[MAX_OPTION]; /* "CITIZENK_OUTER_INNER" */
    const char *given;         /* FROM_ENV: the variable that it came from */
    enum source source;
    bool later; /* it or an object around it is not available yet */
};
struct options {
    struct option *items;
    size_t len, cap;
    const char *env_prefix;
};
struct loader {
    struct options opts;
    json_t *doc;
    char *file; /* what --config names, or NULL */
    const char *program;
    int argc, at; /* at: the next argument */
    char **argv;
};

static void add_names(struct option *o, const char *env_prefix)
{
    size_t f = 0, v = strnlen(env_prefix, MAX_OPTION / 2);
    memcpy(o->variable, env_prefix, v);
    o->flag[f++] = '-';
    for (size_t i = 0; i < o->depth; i++) {
        o->flag[f++] = '-';
        if (i > 0)
            o->variable[v++] = '_';
        for (const char *c = o->path[i]; *c && f < MAX_OPTION - 2 && v < MAX_OPTION - 2; c++) {
            bool sign = *c == '_' || *c == '.' || *c == '-';
            bool lower = *c >= 'a' && *c <= 'z';
            o->flag[f++] = sign ? '-' : *c;
            o->variable[v++] = sign ? '_' : lower ? (char)(*c - 'a' + 'A') : *c;
        }
    }
    o->flag[f] = '\0';
    o->variable[v] = '\0';
}

static void
flatten(struct options *all, const struct cz_cfg_key *table, const struct option *parent)
{
    for (const struct cz_cfg_key *row = table; row->name; row++) {
        struct option o = parent ? *parent : (struct option){0};
        if (o.depth == MAX_NESTING)
            return;
        o.row = row;
        o.path[o.depth++] = row->name;
        o.later = o.later || row->flags & CZ_CFG_LATER;
        if (row->type == CZ_CFG_OBJECT) {
            flatten(all, row->sub, &o);
            continue;
        }
        add_names(&o, all->env_prefix);
        cz_grow(&all->items, &all->cap, all->len, sizeof *all->items);
        all->items[all->len++] = o;
    }
}

static struct option *by_flag(struct options *all, const char *flag, size_t n)
{
    for (size_t i = 0; i < all->len; i++) {
        if (strlen(all->items[i].flag) == n && memcmp(all->items[i].flag, flag, n) == 0)
            return &all->items[i];
    }
    return NULL;
}

static bool is_bool_word(const char *s, bool *ret)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(s, words[i]) == 0) {
            *ret = i % 2;
            return true;
        }
    }
    return false;
}

static json_t *split_list(const char *s)
{
    json_t *list = json_array();
    while (*s) {
        size_t n = strcspn(s, ",");
        if (n > 0)
            (void)json_array_append_new(list, json_stringn(s, n));
        s += n + (s[n] == ',');
    }
    return list;
}

static json_t *parse_text_json(const char *s)
{
    json_t *j = NULL;
    return cz_json_parse(s, strlen(s), &j, NULL) ? NULL : j;
}

/* The JSON that the text of an option or variable stands for; NULL and @want when it cannot be.
 */
static json_t *from_text(const struct cz_cfg_key *row, const char *s, const char **want)
{
    bool flag;
    int64_t n;
    char *end;
    double d;
    json_t *j;
    switch (row->type) {
    case CZ_CFG_BOOL:
        *want = "true or false";
        return is_bool_word(s, &flag) ? json_boolean(flag) : NULL;
    case CZ_CFG_INT:
        *want = "a whole number";
        return cz_parse_i64(s, &n) ? json_integer(n) : NULL;
    case CZ_CFG_DOUBLE:
        *want = "a number";
        d = strtod(s, &end);
        return end != s && !*end ? json_real(d) : NULL;
    case CZ_CFG_STRINGS:
        *want = "a list";
        return *s == '[' ? parse_text_json(s) : split_list(s);
    case CZ_CFG_JSON:
        *want = "JSON";
        return parse_text_json(s);
    case CZ_CFG_CUSTOM:
        *want = "UTF-8";
        j = parse_text_json(s);
        return j ? j : json_string(s);
    case CZ_CFG_STRING:
    case CZ_CFG_ENUM:
    case CZ_CFG_OBJECT:
    default:
        *want = "UTF-8";
        return json_string(s);
    }
}

/* Put @v at the option's path, making the objects on the way. */
static void lay(json_t *doc, const struct option *o, json_t *v)
{
    json_t *at = doc;
    for (size_t i = 0; i + 1 < o->depth; i++) {
        json_t *next = json_object_get(at, o->path[i]);
        if (!json_is_object(next)) {
            next = json_object();
            (void)json_object_set_new(at, o->path[i], next);
        }
        at = next;
    }
    (void)json_object_set_new(at, o->path[o->depth - 1], v);
}

static enum cz_err set(struct loader *l,
                       struct option *o,
                       const char *text,
                       enum source source,
                       struct cz_error *err)
{
    const char *want = "";
    const char *name = source == FROM_ARG ? o->flag : o->given;
    json_t *v = from_text(o->row, text, &want);
    if (!v && o->row->flags & CZ_CFG_SECRET)
        return cz_fail(err, CZ_E_INVALID, "%s: must be %s", name, want);
    if (!v)
        return cz_fail(err, CZ_E_INVALID, "%s: must be %s, not \"%.80s\"", name, want, text);
    lay(l->doc, o, v);
    o->source = source;
    return CZ_OK;
}

/* "KAFKA_SOURCE_EXTRA_CONFIG_FETCH_MAX_BYTES" → "fetch.max.bytes" */
static char *member_name(const char *variable, size_t prefix, size_t n)
{
    char *name = cz_strndup(variable + prefix, n - prefix);
    for (char *c = name; *c; c++)
        *c = *c == '_' ? '.' : *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
    return name;
}

static bool load_members(struct loader *l, struct option *o, const char *prefix)
{
    size_t n = strlen(prefix);
    json_t *all = json_object();
    for (char **e = environ; e && *e; e++) {
        const char *equals = strchr(*e, '=');
        if (!equals || strncmp(*e, prefix, n) != 0 || !equals[1] || *e + n >= equals)
            continue;
        CZ_CLEANUP(cz_freep) char *name = member_name(*e, n, (size_t)(equals - *e));
        (void)json_object_set_new(all, name, json_string(equals + 1));
    }
    bool any = json_object_size(all) > 0;
    if (any) {
        lay(l->doc, o, json_incref(all));
        o->source = FROM_ENV;
        o->given = prefix;
    }
    json_decref(all);
    return any;
}

static bool is_prefix(const struct option *o, const struct cz_cfg_alias *a)
{
    size_t n = strlen(a->variable);
    return o->row->type == CZ_CFG_JSON && a->variable[n - 1] == '_';
}

/* The first alias that is in the environment. */
static enum cz_err load_aliases(struct loader *l, struct option *o, struct cz_error *err)
{
    for (const struct cz_cfg_alias *a = o->row->aliases; a && a->variable; a++) {
        if (is_prefix(o, a) && load_members(l, o, a->variable))
            return CZ_OK;
        const char *given = is_prefix(o, a) ? NULL : getenv(a->variable);
        if (!given || (!*given && !a->even_empty))
            continue;
        const char *text = a->text ? a->text(given) : given;
        if (!text)
            return cz_fail(err, CZ_E_INVALID, "%s: must be %s, not \"%.80s\"", a->variable,
                           a->want, given);
        o->given = a->variable;
        return set(l, o, text, FROM_ENV, err);
    }
    return CZ_OK;
}

static enum cz_err load_environment(struct loader *l, struct cz_error *err)
{
    enum cz_err rc = CZ_OK;
    for (size_t i = 0; !rc && i < l->opts.len; i++) {
        struct option *o = &l->opts.items[i];
        const char *text = getenv(o->variable);
        if (text && *text) { /* empty: `NAME=${NAME:-}` of a compose file means absent */
            o->given = o->variable;
            rc = set(l, o, text, FROM_ENV, err);
        } else {
            rc = load_aliases(l, o, err);
        }
    }
    return rc;
}

static enum cz_err
unknown_option(struct loader *l, const char *flag, size_t n, struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *given = cz_strndup(flag, n);
    const char *best = NULL;
    unsigned best_distance = 3;
    for (size_t i = 0; i < l->opts.len; i++) {
        unsigned d = cz__edit_distance(given, l->opts.items[i].flag);
        if (d < best_distance) {
            best = l->opts.items[i].flag;
            best_distance = d;
        }
    }
    if (best)
        return cz_fail(err, CZ_E_INVALID, "unknown option %.80s; did you mean %s?", given,
                       best);
    return cz_fail(err, CZ_E_INVALID, "unknown option %.80s; see %s --help", given, l->program);
}

/* The value of the option at l->at: behind '=' or the next argument.  NULL: there is none. */
static const char *value_of(struct loader *l, const char *equals, const struct option *o)
{
    bool ignored;
    bool is_bool = o && o->row->type == CZ_CFG_BOOL;
    l->at++;
    if (equals)
        return equals + 1;
    const char *next = l->at < l->argc ? l->argv[l->at] : NULL;
    if (is_bool && !(next && is_bool_word(next, &ignored)))
        return "true";
    if (next)
        l->at++;
    return next;
}

static enum cz_err load_argument(struct loader *l, bool config_only, struct cz_error *err)
{
    const char *arg = l->argv[l->at];
    if (strncmp(arg, "--", 2) != 0 || !arg[2])
        return cz_fail(err, CZ_E_INVALID, "unexpected argument \"%.80s\"; see %s --help", arg,
                       l->program);
    const char *equals = strchr(arg, '=');
    size_t n = equals ? (size_t)(equals - arg) : strlen(arg);
    bool is_config = n == 8 && memcmp(arg, "--config", 8) == 0;
    struct option *o = is_config ? NULL : by_flag(&l->opts, arg, n);
    if (!is_config && !o)
        return unknown_option(l, arg, n, err);
    const char *text = value_of(l, equals, o);
    if (!text)
        return cz_fail(err, CZ_E_INVALID, "%.*s: needs a value", (int)n, arg);
    if (is_config && config_only) {
        cz_free(l->file);
        l->file = cz_strdup(text);
    }
    return o && !config_only ? set(l, o, text, FROM_ARG, err) : CZ_OK;
}

/* Two rounds over the arguments: the first only finds the file, which lies below them. */
static enum cz_err load_arguments(struct loader *l, bool config_only, struct cz_error *err)
{
    enum cz_err rc = CZ_OK;
    for (l->at = 1; l->at < l->argc && !rc;)
        rc = load_argument(l, config_only, err);
    return rc;
}

static enum cz_err load_file(struct loader *l, struct cz_error *err)
{
    if (!l->file) {
        CZ_CLEANUP(cz_freep) char *variable = cz_strf("%sCONFIG", l->opts.env_prefix);
        const char *name = getenv(variable);
        if (!name || !*name)
            return CZ_OK;
        l->file = cz_strdup(name);
    }
    CZ_CLEANUP(cz_freep) char *text = NULL;
    size_t len = 0;
    enum cz_err rc = cz_read_file(l->file, CZ_MAX_BODY, &text, &len, err);
    if (rc)
        return rc;
    json_t *doc = NULL;
    rc = cz_json_parse(text, len, &doc, err);
    if (rc)
        return cz_fail_prefix(err, "%s", l->file);
    if (!json_is_object(doc)) {
        json_decref(doc);
        return cz_fail(err, CZ_E_INVALID, "%s: must hold a JSON object", l->file);
    }
    json_decref(l->doc);
    l->doc = doc;
    return CZ_OK;
}

/* Does @pointer name @outer or something in it? */
static bool is_within(const char *pointer, const char *outer)
{
    size_t n = strlen(outer);
    return strncmp(outer, pointer, n) == 0 && (!pointer[n] || pointer[n] == '/');
}

/* The option that @pointer is about, or NULL.  A problem of an item belongs to the option of
 * the list, one of an object to an option in it that was given. */
static const struct option *by_pointer(const struct options *all, const char *pointer)
{
    for (size_t i = 0; i < all->len; i++) {
        char own[CZ_POINTER_SIZE] = "";
        for (size_t k = 0; k < all->items[i].depth; k++)
            cz_pointer_push(own, all->items[i].path[k]);
        bool given = all->items[i].source == FROM_ARG || all->items[i].source == FROM_ENV;
        if (is_within(pointer, own) || (given && is_within(own, pointer)))
            return &all->items[i];
    }
    return NULL;
}

static enum cz_err
explain(const struct loader *l, const struct cz_report *rep, struct cz_error *err)
{
    const struct cz_problem *p = &rep->items[0];
    const struct option *o = by_pointer(&l->opts, p->pointer);
    if (o && o->source == FROM_ARG)
        return cz_fail(err, CZ_E_INVALID, "%s: %s", o->flag, p->message);
    if (o && o->source == FROM_ENV)
        return cz_fail(err, CZ_E_INVALID, "%s: %s", o->given, p->message);
    if (o && strcmp(p->code, "required") == 0)
        return cz_fail(err, CZ_E_INVALID, "%s is required (or %s)", o->flag, o->variable);
    const char *file = l->file ? l->file : "configuration";
    return cz_fail(err, CZ_E_INVALID, "%s: %s: %s", file, p->pointer, p->message);
}

static enum cz_err
load(struct loader *l, const struct cz_cfg_key *table, void *target, struct cz_error *err)
{
    enum cz_err rc = load_arguments(l, true, err);
    if (!rc)
        rc = load_file(l, err);
    if (!rc)
        rc = load_environment(l, err);
    if (!rc)
        rc = load_arguments(l, false, err);
    if (rc)
        return rc;
    struct cz_report rep = CZ_REPORT_INIT;
    rc = cz__cfg_parse(table, l->doc, target, "", true, &rep);
    if (rc) {
        rc = explain(l, &rep, err);
        cz_cfg_done(table, target);
    }
    cz_report_done(&rep);
    return rc;
}

static bool print_and_exit(const struct cz_cfg_key *table, const struct loader *l)
{
    for (int i = 1; i < l->argc; i++) {
        if (cz_streq(l->argv[i], "--version")) {
            (void)printf("%s %s\n", l->program, cz_version);
            return true;
        }
        if (cz_streq(l->argv[i], "--help") || cz_streq(l->argv[i], "-h")) {
            CZ_CLEANUP(cz_buf_done) struct cz_buf b = CZ_BUF_INIT(1024 * 1024);
            cz_cfg_help(table, l->program, l->opts.env_prefix, &b);
            (void)fputs(cz_buf_str(&b), stdout);
            return true;
        }
    }
    return false;
}

enum cz_err cz_cfg_parse_main(const struct cz_cfg_key *table,
                              const char *program,
                              const char *env_prefix,
                              int argc,
                              char **argv,
                              void *target,
                              bool *ret_exit,
                              struct cz_error *err)
{
    struct loader l = {.program = program, .argc = argc, .argv = argv};
    l.opts.env_prefix = env_prefix ? env_prefix : "";
    *ret_exit = print_and_exit(table, &l);
    if (*ret_exit)
        return CZ_OK;
    flatten(&l.opts, table, NULL);
    l.doc = json_object();
    enum cz_err rc = load(&l, table, target, err);
    json_decref(l.doc);
    cz_free(l.file);
    cz_free(l.opts.items);
    return rc;
}

static const char *placeholder(const struct cz_cfg_key *row)
{
    static const char *const words[] = {
        [CZ_CFG_BOOL] = "",        [CZ_CFG_INT] = " N",       [CZ_CFG_DOUBLE] = " NUMBER",
        [CZ_CFG_STRING] = " TEXT", [CZ_CFG_ENUM] = " NAME",   [CZ_CFG_STRINGS] = " A,B,…",
        [CZ_CFG_JSON] = " JSON",   [CZ_CFG_OBJECT] = " JSON", [CZ_CFG_CUSTOM] = " VALUE"};
    return words[row->type];
}

/* @text wrapped at words, each line behind @indent blanks. */
static void add_wrapped(struct cz_buf *out, const char *text, size_t indent)
{
    enum { WIDTH = 78 };
    size_t column = 0;
    text += strspn(text, " ");
    while (*text) {
        size_t n = strcspn(text, " ");
        if (column > 0 && column + 1 + n > WIDTH - indent) {
            cz_buf_addc(out, '\n');
            column = 0;
        }
        if (column == 0)
            cz_buf_addf(out, "%*s", (int)indent, "");
        else
            cz_buf_addc(out, ' ');
        cz_buf_add(out, text, n);
        column += n + (column > 0);
        text += n;
        text += strspn(text, " ");
    }
    cz_buf_addc(out, '\n');
}

static void add_option(struct cz_buf *out, const struct option *o)
{
    const struct cz_cfg_key *row = o->row;
    CZ_CLEANUP(cz_buf_done) struct cz_buf b = CZ_BUF_INIT(8192);
    cz_buf_adds(&b, row->doc ? row->doc : "");
    if (row->type == CZ_CFG_ENUM) {
        cz_buf_adds(&b, " One of");
        for (size_t i = 0; row->values[i]; i++)
            cz_buf_addf(&b, "%s %s", i ? "," : "", row->values[i]);
        cz_buf_addc(&b, '.');
    }
    if (row->flags & CZ_CFG_REQUIRED)
        cz_buf_adds(&b, " Required.");
    else if (row->def && !(row->flags & CZ_CFG_SECRET))
        cz_buf_addf(&b, " Default: %s.", row->def);
    cz_buf_addf(&b, " [%s", o->variable);
    for (const struct cz_cfg_alias *a = row->aliases; a && a->variable; a++)
        cz_buf_addf(&b, ", %s%s", a->variable, is_prefix(o, a) ? "…" : "");
    cz_buf_addc(&b, ']');
    cz_buf_addf(out, "  %s%s\n", o->flag, placeholder(row));
    add_wrapped(out, cz_buf_str(&b), 6);
}

static bool same_group(const struct option *a, const char *group)
{
    return cz_streq(a->row->group, group);
}

/* One group: its heading and its options, also those that stand elsewhere in the table. */
static void add_group(struct cz_buf *out, const struct options *all, const char *group)
{
    cz_buf_addf(out, "\n%s:\n", group ? group : "Options");
    for (size_t i = 0; i < all->len; i++) {
        if (same_group(&all->items[i], group) && !all->items[i].later)
            add_option(out, &all->items[i]);
    }
}

void cz_cfg_help(const struct cz_cfg_key *table,
                 const char *program,
                 const char *env_prefix,
                 struct cz_buf *out)
{
    struct options all = {.env_prefix = env_prefix ? env_prefix : ""};
    flatten(&all, table, NULL);
    cz_buf_addf(
        out,
        "Usage: %s [--config FILE] [--name VALUE | --name=VALUE]…\n\n"
        "A setting comes from its default, the JSON file of --config (or %sCONFIG), the\n"
        "environment variable in [brackets], the argument; the later one wins.\n"
        "  --help, --version\n",
        program, all.env_prefix);
    for (size_t i = 0; i < all.len; i++) {
        bool shown = all.items[i].later;
        for (size_t k = 0; k < i && !shown; k++)
            shown = !all.items[k].later && same_group(&all.items[k], all.items[i].row->group);
        if (!shown)
            add_group(out, &all, all.items[i].row->group);
    }
    cz_free(all.items);
}
