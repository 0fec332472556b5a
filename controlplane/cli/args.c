/* SPDX-License-Identifier: Apache-2.0 */
/** The command line: options anywhere, before or behind the command; "--" ends them.  What is
 *  wrong is told with what was probably meant. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "cz/time.h"
#include "cz/util.h"

void cz_cli_args_done(struct cz_cli_args *a)
{
    cz_free(a->given);
    cz_free(a->pos);
    *a = (struct cz_cli_args){0};
}

const char *cz_cli_nearest(const char *given, const char *const *names)
{
    const char *best = NULL;
    unsigned best_distance = 3;
    for (; *names; names++) {
        unsigned d = cz_edit_distance(given, *names);
        bool begins = strlen(given) >= 3 && strncmp(given, *names, strlen(given)) == 0;
        if (begins && d > 2)
            d = 2;
        if (d < best_distance && (begins || d < strlen(given))) {
            best = *names;
            best_distance = d;
        }
    }
    return best;
}

bool cz_cli_parse_duration(const char *s, int64_t *ret_ms)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                 {"h", 3600000}, {"d", 86400000}, {"", 1000}};
    size_t n = strspn(s, "0123456789");
    int64_t value;
    CZ_CLEANUP(cz_freep) char *digits = cz_strndup(s, n);
    if (!cz_parse_i64(digits, &value))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(units[i].unit, s + n) != 0)
            continue;
        if (value > INT64_MAX / 2 / units[i].ms)
            return false;
        *ret_ms = value * units[i].ms;
        return true;
    }
    return false;
}

/* ---- parsing --------------------------------------------------------------------------------
 */

static const struct cz_cli_opt *
find(const struct cz_cli_opt *table, const char *name, size_t n, char letter)
{
    for (const struct cz_cli_opt *o = table; o && o->name; o++) {
        if (letter ? o->letter == letter
                   : strlen(o->name) == n && memcmp(o->name, name, n) == 0)
            return o;
    }
    return NULL;
}

static const struct cz_cli_opt *
lookup(const struct cz_cli_args *a, const char *name, size_t n, char letter)
{
    const struct cz_cli_opt *o = a->cmd ? find(a->cmd->opts, name, n, letter) : NULL;
    return o ? o : find(cz_cli_globals, name, n, letter);
}

static enum cz_err
unknown_option(const struct cz_cli_args *a, const char *given, struct cz_error *err)
{
    const char *names[64];
    size_t n = 0;
    for (const struct cz_cli_opt *o = a->cmd ? a->cmd->opts : NULL; o && o->name && n < 40; o++)
        names[n++] = o->name;
    for (const struct cz_cli_opt *o = cz_cli_globals; o->name && n < 63; o++)
        names[n++] = o->name;
    names[n] = NULL;
    CZ_CLEANUP(cz_freep) char *bare = cz_strndup(given, strcspn(given, "="));
    const char *name = bare + strspn(bare, "-");
    const char *near = *name ? cz_cli_nearest(name, names) : NULL;
    return cz_fail(err, CZ_E_INVALID, "there is no option %s%s%s%s", bare,
                   near ? "; did you mean --" : "", near ? near : "", near ? "?" : "");
}

static enum cz_err
check_value(const struct cz_cli_opt *o, const char *value, struct cz_error *err)
{
    int64_t n;
    if (o->choices) {
        CZ_CLEANUP(cz_buf_done) struct cz_buf all = CZ_BUF_INIT(1024);
        for (const char *const *c = o->choices; *c; c++) {
            if (strcmp(*c, value) == 0)
                return CZ_OK;
            cz_buf_addf(&all, "%s%s", all.len ? ", " : "", *c);
        }
        return cz_fail(err, CZ_E_INVALID, "--%s must be one of %s", o->name, cz_buf_str(&all));
    }
    if (o->value == CZ_VAL_NUMBER && (!cz_parse_i64(value, &n) || n < 0))
        return cz_fail(err, CZ_E_INVALID, "--%s must be a number, not \"%s\"", o->name, value);
    if (o->value == CZ_VAL_DURATION && !cz_cli_parse_duration(value, &n))
        return cz_fail(err, CZ_E_INVALID,
                       "--%s must be a duration as 30s, 5m or 2h, not \"%s\"", o->name, value);
    if (o->value == CZ_VAL_TIME && !cz_rfc3339_parse(value, &n))
        return cz_fail(err, CZ_E_INVALID,
                       "--%s must be a time as 2026-11-22T18:00:00Z, not \"%s\"", o->name,
                       value);
    return CZ_OK;
}

static void add_given(struct cz_cli_args *a, const struct cz_cli_opt *o, const char *value)
{
    cz_grow(&a->given, &a->given_cap, a->given_len, sizeof *a->given);
    a->given[a->given_len++] = (struct cz_cli_given){o, value};
}

/* @attached: the value behind '=' or behind a letter, or NULL.  *at is the index of the option.
 */
static enum cz_err take_option(struct cz_cli_args *a,
                               const struct cz_cli_opt *o,
                               const char *attached,
                               int argc,
                               char **argv,
                               int *at,
                               struct cz_error *err)
{
    if (o->type == CZ_OPT_FLAG && attached)
        return cz_fail(err, CZ_E_INVALID, "--%s takes no value", o->name);
    if (o->type == CZ_OPT_VALUE || o->type == CZ_OPT_LIST) {
        if (!attached && *at + 1 >= argc)
            return cz_fail(err, CZ_E_INVALID, "--%s needs a value: %s", o->name, o->arg);
        attached = attached ? attached : argv[++*at];
    }
    bool file = a->cmd && a->cmd->output_file && strcmp(o->name, "output") == 0;
    enum cz_err rc = attached && !file ? check_value(o, attached, err) : CZ_OK;
    if (rc == CZ_OK)
        add_given(a, o, attached);
    return rc;
}

static enum cz_err
take_dashed(struct cz_cli_args *a, int argc, char **argv, int *at, struct cz_error *err)
{
    const char *arg = argv[*at], *attached = NULL;
    const struct cz_cli_opt *o;
    if (arg[1] == '-') {
        size_t n = strcspn(arg + 2, "=");
        attached = arg[2 + n] ? arg + 2 + n + 1 : NULL;
        o = lookup(a, arg + 2, n, 0);
    } else {
        o = lookup(a, NULL, 0, arg[1]);
        attached = arg[2] ? arg + 2 : NULL;
        if (attached && *attached == '=')
            attached++;
    }
    if (!o)
        return unknown_option(a, arg, err);
    if (strcmp(o->name, "help") == 0)
        a->help = true;
    if (strcmp(o->name, "version") == 0)
        a->version = true;
    return take_option(a, o, attached, argc, argv, at, err);
}

static enum cz_err take_word(struct cz_cli_args *a, const char *word, struct cz_error *err)
{
    if (a->cmd) {
        cz_grow(&a->pos, &a->pos_cap, a->pos_len, sizeof *a->pos);
        a->pos[a->pos_len++] = word;
        return CZ_OK;
    }
    a->cmd = cz_cli_command(word);
    if (a->cmd)
        return CZ_OK;
    const char *names[64];
    size_t n = 0;
    for (size_t i = 0; cz_cli_commands[i] && n < 63; i++)
        names[n++] = cz_cli_commands[i]->name;
    names[n] = NULL;
    const char *near = cz_cli_nearest(word, names);
    return cz_fail(err, CZ_E_INVALID, "there is no command \"%s\"%s%s%s", word,
                   near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static enum cz_err check_count(const struct cz_cli_args *a, struct cz_error *err)
{
    int n = (int)a->pos_len;
    if (!a->cmd || a->help || a->version)
        return CZ_OK;
    if (n < a->cmd->min_args)
        return cz_fail(err, CZ_E_INVALID, "an argument is missing: %s %s", a->cmd->name,
                       a->cmd->args);
    if (a->cmd->max_args >= 0 && n > a->cmd->max_args)
        return cz_fail(err, CZ_E_INVALID, "unexpected argument \"%s\": %s %s",
                       a->pos[a->cmd->max_args], a->cmd->name, a->cmd->args);
    return CZ_OK;
}

enum cz_err cz_cli_parse(int argc, char **argv, struct cz_cli_args *ret, struct cz_error *err)
{
    struct cz_cli_args a = {0};
    bool words_only = false;
    enum cz_err rc = CZ_OK;
    for (int i = 1; rc == CZ_OK && i < argc; i++) {
        if (!words_only && strcmp(argv[i], "--") == 0)
            words_only = true;
        else if (!words_only && argv[i][0] == '-' && argv[i][1] != '\0')
            rc = take_dashed(&a, argc, argv, &i, err);
        else
            rc = take_word(&a, argv[i], err);
    }
    if (rc == CZ_OK)
        rc = check_count(&a, err);
    *ret = a; /* also on failure: the message names the command */
    return rc;
}

/* ---- reading --------------------------------------------------------------------------------
 */

static const struct cz_cli_opt *known(const struct cz_cli *cli, const char *name)
{
    const struct cz_cli_opt *o = lookup(&cli->args, name, strlen(name), 0);
    if (!o)
        abort();
    return o;
}

bool cz_cli_has(const struct cz_cli *cli, const char *opt)
{
    const struct cz_cli_opt *o = known(cli, opt);
    for (size_t i = 0; i < cli->args.given_len; i++)
        if (cli->args.given[i].opt == o)
            return true;
    return false;
}

const char *cz_cli_value(const struct cz_cli *cli, const char *opt)
{
    const struct cz_cli_opt *o = known(cli, opt);
    for (size_t i = cli->args.given_len; i > 0; i--)
        if (cli->args.given[i - 1].opt == o && cli->args.given[i - 1].value)
            return cli->args.given[i - 1].value;
    return NULL;
}

const char *cz_cli_item(const struct cz_cli *cli, const char *opt, size_t i)
{
    const struct cz_cli_opt *o = known(cli, opt);
    for (size_t k = 0; k < cli->args.given_len; k++)
        if (cli->args.given[k].opt == o && i-- == 0)
            return cli->args.given[k].value;
    return NULL;
}

int64_t cz_cli_number(const struct cz_cli *cli, const char *opt, int64_t def)
{
    const char *s = cz_cli_value(cli, opt);
    int64_t n;
    return s && cz_parse_i64(s, &n) ? n : def;
}

int64_t cz_cli_duration(const struct cz_cli *cli, const char *opt, int64_t def_ms)
{
    const char *s = cz_cli_value(cli, opt);
    int64_t ms;
    return s && cz_cli_parse_duration(s, &ms) ? ms : def_ms;
}
