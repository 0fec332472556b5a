/* SPDX-License-Identifier: Apache-2.0 */
/* Mapping tests: which pass, and what is said of those that do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/mapping_tests.h"
#include "cz/util.h"

#define SPEC                                                                                           \
    "{\"source\":{\"cluster\":\"a\",\"topic\":\"in\"},\"target\":{\"cluster\":\"b\",\"topic\":\"out\"}," \
    "\"valid_jmespath\":\"value.type == 'sale' && (value.n > `5` || contains(value.tags, 'x'))\","      \
    "\"value_map\":{\"value.id\":{\"1\":10},\"key\":{\"k1\":\"k9\"},\"key:partition\":{\"gone\":-1000,\"k3\":3}}," \
    "\"mask\":[{\"path\":\"value.email\",\"how\":\"redact\"}],"                                          \
    "\"headers\":{\"add\":{\"o\":\"p\"},\"remove\":[\"t*\"]},"                                           \
    "\"transform_jmespath\":\"{id: value.id, email: value.email, at: timestamp}\",\"tests\":[%s]}"
#define OK "\"value\":{\"type\":\"sale\",\"n\":6,\"id\":1,\"email\":\"joe\"}"

static const struct {
    const char *test; /* input and expect */
    const char *says; /* NULL: it passes */
} ROWS[] = {
    {"{" OK "},\"expect\":{\"passed\":true}", NULL},
    {"{" OK "},\"expect\":{\"value\":{\"id\":10.0,\"email\":\"***\",\"at\":null}}", NULL},
    {"{" OK ",\"timestamp\":\"1970-01-01T00:00:01Z\"},\"expect\":{\"value\":{\"id\":10,\"email\":\"***\",\"at\":1000}}", NULL},
    {"{" OK ",\"key\":\"k1\"},\"expect\":{\"key\":\"k9\"}", NULL},
    {"{" OK ",\"key\":\"k3\",\"partition\":1},\"expect\":{\"partition\":3}", NULL},
    {"{" OK ",\"key\":\"k4\",\"partition\":1},\"expect\":{\"partition\":1,\"key\":\"k4\"}", NULL},
    {"{" OK ",\"key\":\"gone\"},\"expect\":{\"dropped\":\"partition\"}", NULL},
    {"{" OK ",\"headers\":{\"t1\":\"x\",\"z\":\"y\"}},\"expect\":{\"headers\":{\"o\":\"p\"}}", NULL},
    {"{" OK ",\"headers\":[{\"name\":\"z\",\"value\":\"1\"},{\"name\":\"z\"}]},\"expect\":{\"headers\":"
     "[{\"name\":\"z\",\"value\":\"1\"},{\"name\":\"z\",\"value\":null},{\"name\":\"o\",\"value\":\"p\"}]}", NULL},
    {"{\"value\":{\"type\":\"buy\"}},\"expect\":{\"dropped\":true}", NULL},
    {"{\"value\":{\"type\":\"buy\"}},\"expect\":{\"passed\":false}", NULL},
    {"{\"value\":{\"type\":\"sale\",\"tags\":5}},\"expect\":{\"error\":\"filter\"}", NULL},
    {"{\"key\":\"k\"},\"expect\":{\"dropped\":\"filter\"}", NULL},

    {"{\"value\":{\"type\":\"buy\"}},\"expect\":{\"passed\":true}",
     "it should have passed, but it was dropped by filter: value.type == 'sale' is false with value.type \"buy\""},
    {"{\"value\":{\"type\":\"sale\",\"n\":5,\"tags\":[\"y\"]}},\"expect\":{\"passed\":true}",
     "dropped by filter: value.n > `5` is false with value.n 5, contains(value.tags, 'x') is false with value.tags "
     "[\"y\"]"},
    {"{" OK "},\"expect\":{\"dropped\":true}", "it should have been dropped, but it passed"},
    {"{" OK "},\"expect\":{\"dropped\":\"sample\"}", "it should have been dropped by sample, but it passed"},
    {"{" OK "},\"expect\":{\"passed\":false}", "it should have been held back, but it passed"},
    {"{\"value\":{\"type\":\"sale\",\"tags\":5}},\"expect\":{\"passed\":true}", "but it failed in stage filter: "},
    {"{\"value\":{\"type\":\"sale\",\"tags\":5}},\"expect\":{\"error\":\"decode\"}",
     "it should have failed in stage decode, but it failed in stage filter: "},
    {"{" OK "},\"expect\":{\"value\":{\"id\":11,\"email\":\"***\",\"x\":1}}",
     "value/id is 10, not 11; value/x is missing; value/at is null, which is not expected"},
    {"{" OK ",\"key\":\"k1\"},\"expect\":{\"key\":\"k1\"}", "key is \"k9\", not \"k1\""},
    {"{" OK "},\"expect\":{\"headers\":{\"o\":\"q\",\"r\":\"s\"}}",
     "header o is \"p\", not \"q\"; header r is missing"},
    {"{" OK "},\"expect\":{\"headers\":[]}", "headers/0 is {\"name\":\"o\",\"value\":\"p\"}, which is not expected"},
    {"{" OK ",\"key\":\"k3\"},\"expect\":{\"partition\":0}", "the partition is 3, not 0"},
};

static struct cz_mapping_spec *parse(const char *text, struct cz_report *rep)
{
    json_t *j = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_mapping_spec *s = NULL;
    if (cz_json_parse(text, strlen(text), &j, &err))
        fail_msg("%s: %s", text, err.text);
    (void)!cz_mapping_spec_parse(j, "/spec", &s, rep);
    json_decref(j);
    return s;
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        CZ_CLEANUP(cz_freep) char *test = cz_strf("{\"name\":\"t\",\"input\":%s}", ROWS[i].test);
        CZ_CLEANUP(cz_freep) char *text = cz_strf(SPEC, test);
        struct cz_report rep = CZ_REPORT_INIT;
        struct cz_mapping_spec *s = parse(text, &rep);
        if (!s)
            fail_msg("%s: %s %s", test, rep.items[0].pointer, rep.items[0].message);
        cz_mapping_tests_run(s, &(struct cz_mapping_stages_env){.team = "t", .name = "m"}, "/spec", &rep);
        if (!ROWS[i].says && rep.len > 0)
            fail_msg("%s: %s", test, rep.items[0].message);
        if (ROWS[i].says) {
            assert_int_equal(rep.len, 1);
            assert_string_equal(rep.items[0].pointer, "/spec/tests/0");
            assert_string_equal(rep.items[0].code, "test-failed");
            if (!strstr(rep.items[0].message, ROWS[i].says))
                fail_msg("%s: says %s", test, rep.items[0].message);
        }
        cz_report_done(&rep);
        cz_mapping_spec_free(s);
    }
}

static void test_form(void **state)
{
    (void)state;
    static const struct {
        const char *test, *pointer;
    } rows[] = {
        {"5", "/spec/tests/0"},
        {"{\"input\":{},\"expect\":{\"passed\":true}}", "/spec/tests/0/name"},
        {"{\"name\":\"t\",\"expect\":{\"passed\":true}}", "/spec/tests/0/input"},
        {"{\"name\":\"t\",\"input\":{}}", "/spec/tests/0/expect"},
        {"{\"name\":\"t\",\"input\":{},\"expect\":{}}", "/spec/tests/0/expect"},
        {"{\"name\":\"t\",\"input\":{},\"expect\":{\"pass\":true}}", "/spec/tests/0/expect/pass"},
        {"{\"name\":\"t\",\"input\":{\"val\":1},\"expect\":{\"passed\":true}}", "/spec/tests/0/input/val"},
        {"{\"name\":\"t\",\"input\":{\"offset\":-1},\"expect\":{\"passed\":true}}", "/spec/tests/0/input/offset"},
        {"{\"name\":\"t\",\"input\":{\"headers\":{\"a\":1}},\"expect\":{\"passed\":true}}", "/spec/tests/0/input/headers"},
        {"{\"name\":\"t\",\"input\":{},\"expect\":{\"dropped\":false}}", "/spec/tests/0/expect/dropped"},
        {"{\"name\":\"t\",\"input\":{},\"expect\":{\"dropped\":true,\"error\":true}}", "/spec/tests/0/expect"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CZ_CLEANUP(cz_freep) char *text = cz_strf(SPEC, rows[i].test);
        struct cz_report rep = CZ_REPORT_INIT;
        assert_null(parse(text, &rep));
        if (!cz_streq(rep.items[0].pointer, rows[i].pointer))
            fail_msg("%s: %s", rows[i].test, rep.items[0].pointer);
        cz_report_done(&rep);
    }
}

/* Tests of a hash need its secret here as well; they never run with another key instead. */
static void test_secret(void **state)
{
    (void)state;
    static const char text[] =
        "{\"source\":{\"cluster\":\"a\",\"topic\":\"in\"},\"target\":{\"cluster\":\"b\"},"
        "\"mask\":[{\"path\":\"value.a\",\"how\":\"hash\"}],\"mask_secret\":\"${env:CITIZENK_MASK_TEST}\",\"tests\":"
        "[{\"name\":\"t\",\"input\":{\"value\":{\"a\":\"joe@example.com\"}},\"expect\":{\"value\":{\"a\":"
        "\"9f55dcc936b33c91a952f8bc9972c19a\"}}}]}";
    const struct cz_mapping_stages_env env = {.team = "red", .name = "m"};
    struct cz_report rep = CZ_REPORT_INIT;
    struct cz_mapping_spec *s = parse(text, &rep);
    assert_non_null(s);
    (void)unsetenv("CITIZENK_MASK_TEST");
    cz_mapping_tests_run(s, &env, "/spec", &rep);
    assert_int_equal(rep.len, 1);
    assert_string_equal(rep.items[0].pointer, "/spec/mask_secret");
    assert_non_null(strstr(rep.items[0].message, "CITIZENK_MASK_TEST"));
    cz_report_done(&rep);
    rep = (struct cz_report)CZ_REPORT_INIT;
    (void)setenv("CITIZENK_MASK_TEST", "0123456789abcdef", 1);
    cz_mapping_tests_run(s, &env, "/spec", &rep);
    if (rep.len > 0)
        fail_msg("%s", rep.items[0].message);
    cz_mapping_spec_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
