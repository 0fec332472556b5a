/* SPDX-License-Identifier: Apache-2.0 */
/** The command line: what is understood, and what is said about what is not. */
#include "cz_test.h"

#include "cli.h"

enum { MAX = 12 };

static enum cz_err parse(const char *const *words, struct cz_cli *cli, struct cz_error *err)
{
    char *argv[MAX + 1] = {CZ_UNCONST("citizenk")};
    int argc = 1;
    while (words[argc - 1]) {
        argv[argc] = CZ_UNCONST(words[argc - 1]);
        argc++;
    }
    *cli = (struct cz_cli){0};
    return cz_cli_parse(argc, argv, &cli->args, err);
}
#define PARSE(cli, err, ...) parse((const char *const[]){__VA_ARGS__, NULL}, cli, err)

static void understands(void **state)
{
    struct cz_cli cli;
    struct cz_error err = CZ_ERROR_INIT;
    (void)state;
    assert_int_equal(PARSE(&cli, &err, "-ojson", "get", "mappings", "a b", "--group=g", "-l",
                           "k=v", "--team", "t"),
                     CZ_OK);
    assert_string_equal(cli.args.cmd->name, "get");
    assert_int_equal(cli.args.pos_len, 2);
    assert_string_equal(cli.args.pos[1], "a b");
    assert_string_equal(cz_cli_value(&cli, "output"), "json");
    assert_string_equal(cz_cli_value(&cli, "group"), "g");
    assert_string_equal(cz_cli_value(&cli, "label"), "k=v");
    assert_string_equal(cz_cli_value(&cli, "team"), "t");
    assert_null(cz_cli_value(&cli, "state"));
    assert_int_equal(cz_cli_number(&cli, "limit", 7), 7);
    cz_cli_args_done(&cli.args);

    assert_int_equal(
        PARSE(&cli, &err, "apply", "-f", "-", "-f=b", "--file", "c", "--wait=2m", "--dry-run"),
        CZ_OK);
    assert_string_equal(cz_cli_item(&cli, "file", 0), "-");
    assert_string_equal(cz_cli_item(&cli, "file", 1), "b");
    assert_string_equal(cz_cli_item(&cli, "file", 2), "c");
    assert_null(cz_cli_item(&cli, "file", 3));
    assert_int_equal(cz_cli_duration(&cli, "wait", 0), 120000);
    assert_true(cz_cli_has(&cli, "dry-run"));
    cz_cli_args_done(&cli.args);

    /* --wait takes its value only behind '=' */
    assert_int_equal(PARSE(&cli, &err, "pause", "--wait", "60s", "--team", "x", "--team", "y"),
                     CZ_OK);
    assert_true(cz_cli_has(&cli, "wait"));
    assert_null(cz_cli_value(&cli, "wait"));
    assert_string_equal(cli.args.pos[0], "60s");
    assert_string_equal(cz_cli_value(&cli, "team"), "y");
    cz_cli_args_done(&cli.args);

    /* behind -- everything is a word; "-" always is */
    assert_int_equal(PARSE(&cli, &err, "describe", "mapping", "-", "--", "--team"), CZ_OK);
    assert_int_equal(cli.args.pos_len, 3);
    assert_string_equal(cli.args.pos[2], "--team");
    cz_cli_args_done(&cli.args);

    /* help needs no arguments; aliases are commands */
    assert_int_equal(PARSE(&cli, &err, "rollback", "--help"), CZ_OK);
    assert_true(cli.args.help);
    cz_cli_args_done(&cli.args);
    assert_int_equal(PARSE(&cli, &err, "rm", "mapping", "x"), CZ_OK);
    assert_string_equal(cli.args.cmd->name, "delete");
    cz_cli_args_done(&cli.args);
}

static void refuses(void **state)
{
    static const struct {
        const char *words[6];
        const char *want;
    } cases[] = {
        {{"gte"}, "there is no command \"gte\"; did you mean \"get\"?"},
        {{"hist"}, "did you mean \"history\"?"},
        {{"xyzzy"}, "there is no command \"xyzzy\""},
        {{"get", "mappings", "--gruop", "x"},
         "there is no option --gruop; did you mean --group?"},
        {{"get", "mappings", "--teem=x"}, "there is no option --teem; did you mean --team?"},
        {{"get", "mappings", "-Z"}, "there is no option -Z"},
        {{"get", "mappings", "--=x"}, "there is no option --"},
        {{"get"}, "an argument is missing: get KIND"},
        {{"eval", "a", "b"}, "unexpected argument \"b\": eval EXPRESSION"},
        {{"get", "mappings", "-o", "xml"}, "--output must be one of table, json, yaml, name"},
        {{"get", "mappings", "--team"}, "--team needs a value: TEAM"},
        {{"get", "mappings", "--limit", "-1"}, "--limit must be a number, not \"-1\""},
        {{"get", "mappings", "--limit=1x"}, "--limit must be a number"},
        {{"pause", "x", "--for", "soon"}, "--for must be a duration as 30s, 5m or 2h"},
        {{"pause", "x", "--until", "18:00"}, "--until must be a time as 2026-"},
        {{"pause", "x", "--wait=never"}, "--wait must be a duration"},
        {{"apply", "--dry-run=yes"}, "--dry-run takes no value"},
        {{"rollback", "1", "--yes"}, "there is no option --yes"},
        {{"--yes", "delete"}, "there is no option --yes"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cz_cli cli;
        struct cz_error err = CZ_ERROR_INIT;
        assert_int_equal(parse(cases[i].words, &cli, &err), CZ_E_INVALID);
        CONTAINS(err.text, cases[i].want);
        cz_cli_args_done(&cli.args);
    }
}

static void durations(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"90", 90000},
        {"90s", 90000},
        {"500ms", 500},
        {"2m", 120000},
        {"1h", 3600000},
        {"7d", 604800000},
        {"0", 0},
        {"", -1},
        {"s", -1},
        {"1.5s", -1},
        {"-1s", -1},
        {"1w", -1},
        {"1 s", -1},
        {"9223372036854775807d", -1},
        {"99999999999999999999s", -1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t ms = -1;
        assert_int_equal(cz_cli_parse_duration(cases[i].text, &ms), cases[i].ms >= 0);
        assert_int_equal(ms, cases[i].ms);
    }
}

static void targets(void **state)
{
    static const struct {
        const char *words[5];
        bool def; /* bare names are mappings */
        int len;  /* -1: usage error */
        const char *kind, *last;
    } cases[] = {
        {{"get", "mappings"}, false, 0, "mapping", NULL},
        {{"get", "vm", "a", "b"}, false, 2, "value_map", "b"},
        {{"get", "mapping/a", "cluster/b c"}, false, 2, NULL, "b c"},
        {{"get", "mapping", "cluster/x"}, false, 1, "mapping", "x"},
        {{"get", "workerz"}, false, -1, NULL, NULL},
        {{"get", "thing/x"}, false, -1, NULL, NULL},
        {{"get", "mapping/"}, false, -1, NULL, NULL},
        {{"get", "mapping/a", "b"}, false, -1, NULL, NULL},
        {{"get", "mapping", ""}, false, -1, NULL, NULL},
        {{"history"}, true, 0, "mapping", NULL},
        {{"history", "orders to staging"}, true, 1, "mapping", "orders to staging"},
        {{"history", "cluster"}, true, 1, "mapping", "cluster"}, /* one word is a name */
        {{"history", "cluster", "x"}, true, 1, "cluster", "x"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cz_cli cli;
        struct cz_error err = CZ_ERROR_INIT;
        struct cz_cli_targets t = {0};
        char said[4096];
        int rc = 0;
        assert_int_equal(parse(cases[i].words, &cli, &err), CZ_OK);
        CAPTURE_STDERR(
            said, sizeof said,
            rc = cz_cli_targets(&cli, cases[i].def ? cz_cli_kind("mapping") : NULL, &t));
        assert_int_equal(rc, cases[i].len < 0 ? CZ_EXIT_USAGE : CZ_EXIT_OK);
        if (cases[i].len >= 0)
            assert_int_equal(t.len, cases[i].len);
        if (cases[i].kind)
            assert_string_equal(t.kind->name, cases[i].kind);
        if (cases[i].last)
            assert_string_equal(t.items[t.len - 1].name, cases[i].last);
        cz_cli_targets_done(&t);
        cz_cli_args_done(&cli.args);
    }
}

/* Every command can be explained and completed, and no two options of one share a name. */
static void table_is_sound(void **state)
{
    (void)state;
    for (size_t i = 0; cz_cli_commands[i]; i++) {
        const struct cz_cli_cmd *c = cz_cli_commands[i];
        struct cz_buf help = CZ_BUF_INIT(65536);
        cz_cli_help(c, &help);
        CONTAINS(help.data, c->name);
        assert_ptr_equal(cz_cli_command(c->name), c);
        assert_non_null(c->exec);
        for (const struct cz_cli_opt *o = c->opts; o && o->name; o++) {
            CONTAINS(help.data, o->doc);
            assert_true(o->type == CZ_OPT_FLAG || o->arg);
            for (const struct cz_cli_opt *g = cz_cli_globals; g->name; g++) {
                assert_string_not_equal(g->name, o->name);
                assert_true(!o->letter || g->letter != o->letter);
            }
            for (const struct cz_cli_opt *p = c->opts; p != o; p++)
                assert_string_not_equal(p->name, o->name);
        }
        cz_buf_done(&help);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(understands),    cmocka_unit_test(refuses),
        cmocka_unit_test(durations),      cmocka_unit_test(targets),
        cmocka_unit_test(table_is_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
