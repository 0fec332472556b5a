/* SPDX-License-Identifier: Apache-2.0 */
/** Exit codes of answers, paths and queries, problem documents as text, server addresses, and
 * the files that may hold a token. */
#include "cz_test.h"

#include <sys/stat.h>

#include "cz/http_client.h"
#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/util.h"
#include "rest.h"

static void exit_codes(void **state)
{
    static const struct {
        int status, exit;
    } cases[] = {
        {200, 0}, {201, 0}, {204, 0}, {304, 1}, {400, 5}, {401, 4}, {403, 4},
        {404, 1}, {405, 1}, {409, 3}, {412, 3}, {413, 5}, {415, 5}, {422, 5},
        {428, 3}, {429, 1}, {500, 1}, {502, 1}, {503, 1}, {504, 1}, {0, 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(cz_rest_exit(cases[i].status), cases[i].exit);
}

static void paths(void **state)
{
    (void)state;
    CZ_REST_PATH(p, "teams", "default", "mappings", "orders to ä/%?#", "pause");
    assert_string_equal(
        p.data, "/api/v1/teams/default/mappings/orders%20to%20%C3%A4%2F%25%3F%23/pause");
    CZ_REST_PATH(q, "changes", "..");
    cz_rest_query(&q, "a", NULL);
    cz_rest_query(&q, "a", "x&y=z +");
    cz_rest_query(&q, "b", "");
    assert_string_equal(q.data, "/api/v1/changes/..?a=x%26y%3Dz%20%2B&b=");
}

static void problems(void **state)
{
    static const struct {
        int status;
        const char *json, *want;
        int exit;
    } cases[] = {
        {422,
         "{\"title\":\"Invalid\",\"detail\":\"2 "
         "problems\",\"errors\":[{\"pointer\":\"/spec/"
         "a\",\"code\":\"range\",\"message\":\"no\"},"
         "{\"pointer\":\"\",\"code\":\"type\",\"message\":\"bad\\u001b[2J\"}]}",
         "citizenk: mapping/x: /spec/a: no\ncitizenk: mapping/x: bad�[2J\n", 5},
        {412, "{\"detail\":\"changed by alice at 10:00\"}",
         "citizenk: mapping/x: changed by alice at 10:00\n", 3},
        {401, "{\"detail\":\"this token is not known\"}",
         "this token is not known (token: context, CITIZENK_TOKEN", 4},
        {404, "{\"title\":\"Not found\"}", "citizenk: mapping/x: Not found\n", 1},
        {502, NULL, "citizenk: mapping/x: <html>\nstatus 502", 1},
        {200, "{}", "the server gave no reason", 1}, /* not for good answers, but never 0 */
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char said[4096];
        int rc = 0;
        struct cz_rest_reply r = {.status = cases[i].status};
        if (cases[i].json)
            r.json = json_loads(cases[i].json, 0, NULL);
        else
            r.text = cz_strdup("<html>");
        CAPTURE_STDERR(said, sizeof said, rc = cz_rest_problem("mapping/x", &r));
        assert_int_equal(rc, cases[i].exit);
        CONTAINS(said, cases[i].want);
        cz_rest_reply_done(&r);
    }
}

static void urls(void **state)
{
    static const struct {
        const char *url;
        bool ok;
    } cases[] = {
        {"http://127.0.0.1:8080", true},
        {"https://a.example/", true},
        {"HTTPS://a", true},
        {"http://[::1]:8080", true},
        {"127.0.0.1:8080", false},
        {"ftp://a", false},
        {"file:///etc", false},
        {"http://", false},
        {"http://u:p@a", false},
        {"http://a/api", false},
        {"http://a?b", false},
        {"http://a b", false},
        {"http://a\r\nX: y", false},
        {"", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cz_error err = CZ_ERROR_INIT;
        if ((cz_client_check_url(cases[i].url, false, &err) == CZ_OK) != cases[i].ok)
            fail_msg("%s: %s", cases[i].url, err.text);
    }
}

static void tokens_have_no_line_breaks(void **state)
{
    char *servers[] = {CZ_UNCONST("http://127.0.0.1:1")};
    struct cz_client *c = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_client_options o = {
        .servers = servers, .servers_len = 1, .token = "a\r\nX-Evil: 1"};
    (void)state;
    assert_int_equal(cz_client_new(&o, &c, &err), CZ_E_INVALID);
    assert_null(strstr(err.text, "Evil"));
}

/* Opens the context of a file with @mode; the token file beside it has @token_mode. */
static enum cz_err open_context(const char *folder,
                                const char *fields,
                                mode_t mode,
                                mode_t token_mode,
                                struct cz_cli *cli,
                                struct cz_error *err)
{
    char *file = cz_strf("%s/cli.json", folder), *token = cz_strf("%s/token", folder), *text;
    char *argv[] = {CZ_UNCONST("citizenk"), CZ_UNCONST("version"), CZ_UNCONST("--context-file"),
                    file};
    text = cz_strf(
        "{\"current\":\"a\",\"contexts\":{\"a\":{\"servers\":[\"http://127.0.0.1:1\"]%s}}}",
        fields);
    (void)unlink(file);
    (void)unlink(token);
    assert_int_equal(cz_write_file(file, text, strlen(text), 0600, NULL), CZ_OK);
    assert_int_equal(cz_write_file(token, "s3cret\n", 7, 0600, NULL), CZ_OK);
    assert_int_equal(chmod(file, mode), 0);
    assert_int_equal(chmod(token, token_mode), 0);
    *cli = (struct cz_cli){0};
    assert_int_equal(cz_cli_parse(4, argv, &cli->args, err), CZ_OK);
    enum cz_err rc = cz_cli_context_open(cli, err);
    cz_cli_args_done(&cli->args);
    cz_free(file);
    cz_free(token);
    cz_free(text);
    return rc;
}

static void token_files_are_private(void **state)
{
    char folder[] = "/tmp/cz-cli-XXXXXX";
    struct cz_cli cli;
    struct cz_error err = CZ_ERROR_INIT;
    (void)state;
    assert_non_null(mkdtemp(folder));
    unsetenv("CITIZENK_TOKEN");
    unsetenv("CITIZENK_TOKEN_FILE");
    CZ_CLEANUP(cz_freep) char *by_file = cz_strf(",\"token_file\":\"%s/token\"", folder);
    assert_int_equal(open_context(folder, by_file, 0644, 0600, &cli, &err), CZ_OK);
    assert_string_equal(cli.context.token, "s3cret");
    assert_string_equal(cli.context.team, "default");
    cz_cli_context_done(&cli.context);
    assert_int_equal(open_context(folder, by_file, 0644, 0640, &cli, &err), CZ_E_FORBIDDEN);
    CONTAINS(err.text, "can be read by others");
    cz_error_reset(&err);
    assert_int_equal(open_context(folder, ",\"token\":\"abc\"", 0600, 0600, &cli, &err), CZ_OK);
    assert_string_equal(cli.context.token, "abc");
    cz_cli_context_done(&cli.context);
    assert_int_equal(open_context(folder, ",\"token\":\"abc\"", 0604, 0600, &cli, &err),
                     CZ_E_FORBIDDEN);
    cz_error_reset(&err);
    assert_int_equal(open_context(folder, ",\"tokn\":\"abc\"", 0600, 0600, &cli, &err),
                     CZ_E_INVALID);
    CONTAINS(err.text, "/tokn");
    cz_error_reset(&err);
    /* the environment wins, and makes the context's file unneeded */
    setenv("CITIZENK_TOKEN", "fromenv", 1);
    assert_int_equal(open_context(folder, by_file, 0644, 0644, &cli, &err), CZ_OK);
    assert_string_equal(cli.context.token, "fromenv");
    cz_cli_context_done(&cli.context);
    unsetenv("CITIZENK_TOKEN");
    CZ_CLEANUP(cz_freep) char *file = cz_strf("%s/cli.json", folder);
    CZ_CLEANUP(cz_freep) char *token = cz_strf("%s/token", folder);
    (void)unlink(file);
    (void)unlink(token);
    (void)rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exit_codes),
        cmocka_unit_test(paths),
        cmocka_unit_test(problems),
        cmocka_unit_test(urls),
        cmocka_unit_test(tokens_have_no_line_breaks),
        cmocka_unit_test(token_files_are_private),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
