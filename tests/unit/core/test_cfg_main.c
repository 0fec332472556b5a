/* SPDX-License-Identifier: Apache-2.0 */
/** Config tables for main(): what lies over what, how options are written, whose name stands in
 *  an error, help. */
#include "cz_test.h"

#include "cfg_sample.h"
#include "cz/json.h"
#include "cz/util.h"

static char path[64];
enum { MAX_ARGS = 20 };

/* Words of @line are the arguments; words with a leading @ are set in the environment. */
static enum cz_err
run(const char *line, struct sample *ret, bool *ret_exit, struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *copy = cz_strdup(line);
    char *argv[MAX_ARGS + 2] = {copy}, *rest = copy, *word;
    int argc = 1;
    (void)clearenv();
    while ((word = strsep(&rest, " "))) {
        if (word[0] == '@')
            (void)putenv(word + 1);
        else if (*word && argc <= MAX_ARGS)
            argv[argc++] = word;
    }
    memset(ret, 0, sizeof *ret);
    enum cz_err rc =
        cz_cfg_parse_main(sample_table, "prog", "CZT_", argc, argv, ret, ret_exit, err);
    (void)clearenv();
    return rc;
}

static void layers(void **state)
{
    (void)state;
    static const char file[] =
        "{\"count\":10,\"name\":\"file\",\"label\":\"file\",\"tls\":{\"depth\":5}}";
    assert_int_equal(cz_write_file(path, file, sizeof file - 1, 0600, NULL), CZ_OK);
    CZ_CLEANUP(cz_freep)
    char *line = cz_strf("--config %s @CZT_COUNT=20 @CZT_NAME=env --count=30 --on "
                         "@CZT_TLS_DEPTH=6 --tls-verify no",
                         path);
    struct sample s;
    struct cz_error e = CZ_ERROR_INIT;
    bool leave = true;
    if (run(line, &s, &leave, &e))
        fail_msg("%s", e.text);
    assert_false(leave);
    assert_int_equal(s.count, 30);
    assert_string_equal(s.name, "env");
    assert_string_equal(s.label, "file");
    assert_true(s.on);
    assert_int_equal(s.tls.depth, 6);
    assert_false(s.tls.verify);
    cz_cfg_done(sample_table, &s);
    CZ_CLEANUP(cz_freep) char *by_env = cz_strf("@CZT_CONFIG=%s", path);
    assert_int_equal(run(by_env, &s, &leave, &e), CZ_OK);
    assert_string_equal(s.name, "file");
    cz_cfg_done(sample_table, &s);
}

static void spellings(void **state)
{
    (void)state;
    struct sample s;
    struct cz_error e = CZ_ERROR_INIT;
    bool leave;
    if (run("--name=n --topics a,b,,c --at-least 7 --token hunter2 --mode stop --on "
            "--extra={\"a\":1} --custom=3",
            &s, &leave, &e))
        fail_msg("%s", e.text);
    assert_int_equal(s.topics.len, 3);
    assert_string_equal(s.topics.items[2], "c");
    assert_int_equal(s.at_least, 7);
    assert_string_equal(s.token, "hunter2"); /* a value is allowed here */
    assert_int_equal(s.mode, 0);
    assert_int_equal(s.custom, 6);
    assert_true(s.on);
    assert_int_equal(cz_json_int(s.extra, "a", 0), 1);
    cz_cfg_done(sample_table, &s);
    assert_int_equal(run("--name --on --topics=[\"x,y\"] --ratio 0.25 @CZT_COUNT= @CZT_ON=off",
                         &s, &leave, &e),
                     CZ_OK);
    assert_string_equal(s.name, "--on"); /* the next word is the value, whatever it is */
    assert_string_equal(s.topics.items[0], "x,y");
    assert_int_equal(s.count, 5); /* an empty variable is none */
    assert_false(s.on);
    cz_cfg_done(sample_table, &s);
}

/* Variables that another program made known lie below the own one. */
static void aliases(void **state)
{
    (void)state;
    struct sample s;
    struct cz_error e = CZ_ERROR_INIT;
    bool leave;
    if (run("--name n @OLD_COUNT=x7 @OLDER_COUNT=8 @OLD_EXTRA_FETCH_MAX_BYTES=1 @OLD_EXTRA_A=b "
            "@OLD_EXTRA_= @OLD_EXTRA_EMPTY= @OLD_LABEL=",
            &s, &leave, &e))
        fail_msg("%s", e.text);
    assert_int_equal(s.count, 7);
    assert_int_equal(json_object_size(s.extra), 2);
    assert_string_equal(cz_json_str(s.extra, "fetch.max.bytes", ""), "1");
    assert_string_equal(cz_json_str(s.extra, "a", ""), "b");
    assert_string_equal(s.label, "");
    cz_cfg_done(sample_table, &s);
    assert_int_equal(run("--name n @OLDER_COUNT=8", &s, &leave, &e), CZ_OK);
    assert_int_equal(s.count, 8);
    assert_null(s.extra);
    assert_string_equal(s.label, "none");
    cz_cfg_done(sample_table, &s);
    assert_int_equal(run("--name n @OLD_COUNT=x7 @CZT_COUNT=9", &s, &leave, &e), CZ_OK);
    assert_int_equal(s.count, 9);
    cz_cfg_done(sample_table, &s);
}

static void errors(void **state)
{
    (void)state;
    static const struct {
        const char *line, *want;
    } rows[] = {
        {"--count 5", "--name is required (or CZT_NAME)"},
        {"--name n --count 0", "--count: must be between 1 and 100, not 0"},
        {"--name n --count x", "--count: must be a whole number, not \"x\""},
        {"--name n @CZT_COUNT=0", "CZT_COUNT: must be between 1 and 100, not 0"},
        {"--name n @OLD_COUNT=7", "OLD_COUNT: must be x and a number, not \"7\""},
        {"--name n @OLD_COUNT=x0", "OLD_COUNT: must be between 1 and 100, not 0"},
        {"--name n @OLDER_COUNT=many", "OLDER_COUNT: must be a whole number, not \"many\""},
        {"--name n @CZT_ON=maybe", "CZT_ON: must be true or false, not \"maybe\""},
        {"--name n --tls-depth 10", "--tls-depth: must be between 1 and 9, not 10"},
        {"--name n --mode x", "--mode: must be one of stop, skip, dead_letter, not \"x\""},
        {"--name n --ratio 1x", "--ratio: must be a number, not \"1x\""},
        {"--name n --extra {", "--extra: must be JSON, not \"{\""},
        {"--name n --topics [1]", "--topics: must be a string, not a number"},
        {"--name n --token ${env:}", "--token: the name of an environment variable"},
        {"--name n --later 2", "--later: later is not available yet"},
        {"--name n --later-tls-depth 4", "--later-tls-depth: later_tls is not available yet"},
        {"--nmae n", "unknown option --nmae; did you mean --name?"},
        {"--something n", "unknown option --something; see prog --help"},
        {"--name", "--name: needs a value"},
        {"stray", "unexpected argument \"stray\"; see prog --help"},
        {"-v", "unexpected argument \"-v\""},
        {"--", "unexpected argument \"--\""},
        {"--name n --config /nonexistent", "/nonexistent: cannot open"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct sample s;
        struct cz_error e = CZ_ERROR_INIT;
        bool leave = false;
        if (run(rows[i].line, &s, &leave, &e) == CZ_OK)
            fail_msg("accepted: %s", rows[i].line);
        CONTAINS(e.text, rows[i].want);
        assert_false(leave);
        assert_null(s.name); /* released */
    }
}

static void bad_files(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"{\n\"name\" \"x\"}", ": line 2 column 10"},
        {"[]", ": must hold a JSON object"},
        {"{\"name\":\"n\",\"cuont\":1}",
         ": /cuont: unknown field \"cuont\"; did you mean \"count\"?"},
        {"{\"name\":\"n\",\"tls\":{\"depth\":0}}",
         ": /tls/depth: must be between 1 and 9, not 0"},
    };
    CZ_CLEANUP(cz_freep) char *line = cz_strf("--config=%s", path);
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(cz_write_file(path, rows[i].text, strlen(rows[i].text), 0600, NULL),
                         CZ_OK);
        struct sample s;
        struct cz_error e = CZ_ERROR_INIT;
        bool leave;
        assert_int_not_equal(run(line, &s, &leave, &e), CZ_OK);
        assert_int_equal(strncmp(e.text, path, strlen(path)), 0);
        CONTAINS(e.text, rows[i].want);
    }
}

static void help(void **state)
{
    (void)state;
    CZ_CLEANUP(cz_buf_done) struct cz_buf b = CZ_BUF_INIT(100000);
    cz_cfg_help(sample_table, "prog", "CZT_", &b);
    const char *s = cz_buf_str(&b);
    CONTAINS(s, "Usage: prog ");
    CONTAINS(s, "\nGeneral:\n  --on\n      Whether it is on. [CZT_ON]\n  --count N\n");
    CONTAINS(s, "How many. Default: 5. [CZT_COUNT, OLD_COUNT, OLDER_COUNT]");
    CONTAINS(s, "Its name. Required. [CZT_NAME]");
    CONTAINS(s, "One of stop, skip, dead_letter. Default: \"skip\". [CZT_MODE]");
    CONTAINS(s, "  --tls-depth N\n      Default: 3. [CZT_TLS_DEPTH]\n");
    assert_null(strstr(s, "--later"));
    for (const char *line = s; *line; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 82);
}

static void help_and_version_exit(void **state)
{
    (void)state;
    static const char *const lines[] = {"--help", "--count x -h", "--version"};
    for (size_t i = 0; i < COUNT(lines); i++) {
        struct sample s;
        bool leave = false;
        assert_int_equal(run(lines[i], &s, &leave, NULL), CZ_OK);
        assert_true(leave);
    }
}

int main(void)
{
    cz_json_init();
    (void)snprintf(path, sizeof path, "/tmp/cz-test-cfg-XXXXXX");
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    (void)close(fd);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers), cmocka_unit_test(spellings),
        cmocka_unit_test(aliases),
        cmocka_unit_test(errors), cmocka_unit_test(bad_files),
        cmocka_unit_test(help),   cmocka_unit_test(help_and_version_exit)};
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    (void)unlink(path);
    return rc;
}
