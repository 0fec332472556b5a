/* SPDX-License-Identifier: Apache-2.0 */
/** Config tables from JSON: defaults, every kind of problem with its pointer and words, LATER
 *  fields, suggestions. */
#include "cz_test.h"

#include "cfg_sample.h"
#include "core_priv.h"
#include "cz/json.h"

static struct sample
parse(const char *text, const char *pointer, struct cz_report *rep, enum cz_err *ret)
{
    struct sample s = {0};
    json_t *j = NULL;
    assert_int_equal(cz_json_parse(text, strlen(text), &j, NULL), CZ_OK);
    *ret = cz_cfg_parse_json(sample_table, j, &s, pointer, rep);
    json_decref(j);
    return s;
}

static void all_defaults(void **state)
{
    (void)state;
    struct cz_report rep = CZ_REPORT_INIT;
    enum cz_err rc;
    struct sample s = parse("{\"name\":\"n\"}", "", &rep, &rc);
    assert_int_equal(rc, CZ_OK);
    assert_false(s.on);
    assert_int_equal(s.count, 5);
    assert_true(s.ratio > 0.49 && s.ratio < 0.51);
    assert_string_equal(s.name, "n");
    assert_string_equal(s.label, "none");
    assert_null(s.token);
    assert_int_equal(s.mode, 1);
    assert_int_equal(s.topics.len, 1);
    assert_string_equal(s.topics.items[0], "a");
    assert_null(s.extra);
    assert_true(s.tls.verify);
    assert_int_equal(s.tls.depth, 3);
    assert_int_equal(s.box.depth, 7);
    assert_true(s.box.verify);
    assert_int_equal(s.custom, 8);
    assert_int_equal(s.later, 1);
    cz_cfg_done(sample_table, &s);
    assert_null(s.name);
    cz_cfg_done(sample_table, &s); /* twice is harmless */
    cz_cfg_done(sample_table, NULL);
}

static void all_given(void **state)
{
    (void)state;
    struct cz_report rep = CZ_REPORT_INIT;
    enum cz_err rc;
    struct sample s =
        parse("{\"on\":true,\"count\":7.0,\"at_least\":9223372036854775807,\"ratio\":1,"
              "\"name\":\"x\","
              "\"label\":\"l\",\"token\":\"${env:T}\",\"mode\":\"dead_letter\",\"topics\":[],"
              "\"extra\":{\"k\":[1]},\"tls\":{\"verify\":false,\"password\":null,\"depth\":9},"
              "\"box\":null,\"custom\":21,\"later\":1,\"later_tls\":{\"depth\":3}}",
              "", &rep, &rc);
    assert_int_equal(rc, CZ_OK);
    assert_true(s.on);
    assert_int_equal(s.count, 7);
    assert_true(s.at_least == INT64_MAX);
    assert_string_equal(s.token, "${env:T}");
    assert_int_equal(s.mode, 2);
    assert_int_equal(s.topics.len, 0);
    assert_int_equal(json_array_size(json_object_get(s.extra, "k")), 1);
    assert_false(s.tls.verify);
    assert_int_equal(s.tls.depth, 9);
    assert_int_equal(s.box.depth, 7);
    assert_int_equal(s.custom, 42);
    cz_cfg_done(sample_table, &s);
}

/* One problem each; {"name":"n", …} goes around it unless the text begins with a brace. */
static const struct {
    const char *in, *pointer, *code, *message;
} problems[] = {
    {"{}", "/name", "required", "name is required"},
    {"[]", "", "type", "must be an object, not an array"},
    {"{\"name\":null}", "/name", "type", "must be a string, not null"},
    {"{\"name\":\"\"}", "/name", "range", "must not be empty"},
    {"{\"name\":\"12345678901\"}", "/name", "range", "must have at most 10 bytes, not 11"},
    {"{\"name\":5}", "/name", "type", "must be a string, not a number"},
    {"\"on\":1", "/on", "type", "must be true or false, not a number"},
    {"\"count\":\"5\"", "/count", "type", "must be a whole number, not a string"},
    {"\"count\":5.5", "/count", "type", "must be a whole number, not a number"},
    {"\"count\":0", "/count", "range", "must be between 1 and 100, not 0"},
    {"\"count\":101", "/count", "range", "must be between 1 and 100, not 101"},
    {"\"at_least\":-1", "/at_least", "range", "must be at least 0, not -1"},
    {"\"ratio\":1.5", "/ratio", "range", "must be between 0 and 1, not 1.5"},
    {"\"ratio\":true", "/ratio", "type", "must be a number, not a boolean"},
    {"\"token\":\"hunter2\"", "/token", "secret", "must be a secret reference"},
    {"\"mode\":\"skp\"", "/mode", "value",
     "must be one of stop, skip, dead_letter, not \"skp\""},
    {"\"mode\":1", "/mode", "type", "must be one of stop, skip, dead_letter, not a number"},
    {"\"topics\":\"a\"", "/topics", "type", "must be an array of strings, not a string"},
    {"\"topics\":[\"a\",{}]", "/topics/1", "type", "must be a string, not an object"},
    {"\"tls\":[]", "/tls", "type", "must be an object, not an array"},
    {"\"tls\":{\"depth\":10}", "/tls/depth", "range", "must be between 1 and 9, not 10"},
    {"\"tls\":{\"dept\":1}", "/tls/dept", "unknown-field",
     "unknown field \"dept\"; did you mean \"depth\"?"},
    {"\"tls\":{\"password\":\"hunter2\"}", "/tls/password", "secret",
     "must be a secret reference"},
    {"\"label\":\"!\"", "/label", "label", "must not shout"},
    {"\"custom\":\"x\"", "/custom", "custom", "must count apples"},
    {"\"later\":2", "/later", "not-available", "later is not available yet"},
    {"\"later_tls\":{\"depth\":4}", "/later_tls", "not-available",
     "later_tls is not available yet"},
    {"\"later_tls\":5", "/later_tls", "not-available", "later_tls is not available yet"},
    {"\"naem\":5", "/naem", "unknown-field", "unknown field \"naem\"; did you mean \"name\"?"},
    {"\"ratoi\":5", "/ratoi", "unknown-field", "did you mean \"ratio\"?"},
    {"\"atLeast\":5", "/atLeast", "unknown-field", "did you mean \"at_least\"?"},
    {"\"a/b\":5", "/a~1b", "unknown-field", "known are on, count, at_least, ratio, name"},
    {"\"of\":5", "/of", "unknown-field", "did you mean \"on\"?"},
};

static void each_problem(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(problems); i++) {
        const char *in = problems[i].in;
        bool whole = in[0] == '{' || in[0] == '[';
        CZ_CLEANUP(cz_freep) char *text = cz_strf(whole ? "%s" : "{\"name\":\"n\",%s}", in);
        CZ_CLEANUP(cz_freep) char *pointer = cz_strf("/spec%s", problems[i].pointer);
        struct cz_report rep = CZ_REPORT_INIT;
        enum cz_err rc;
        struct sample s = parse(text, "/spec", &rep, &rc);
        assert_int_equal(rc, CZ_E_INVALID);
        if (rep.len != 1 || strcmp(rep.items[0].pointer, pointer) != 0 ||
            strcmp(rep.items[0].code, problems[i].code) != 0)
            fail_msg("%s: %zu problems, first %s %s %s", in, rep.len, rep.items[0].pointer,
                     rep.items[0].code, rep.items[0].message);
        CONTAINS(rep.items[0].message, problems[i].message);
        assert_null(strstr(rep.items[0].message, "hunter2"));
        /* What was wrong has its default. */
        assert_true(s.count == 5 && s.mode == 1 && s.tls.depth == 3 && s.later == 1);
        cz_cfg_done(sample_table, &s);
        cz_report_done(&rep);
    }
}

static void all_problems_at_once(void **state)
{
    (void)state;
    struct cz_report rep = CZ_REPORT_INIT;
    (void)cz_report_add(&rep, "/earlier", "x", "y");
    enum cz_err rc;
    struct sample s = parse("{\"count\":0,\"mode\":1,\"zzz\":1,\"tls\":{\"depth\":0,\"q\":1}}",
                            "", &rep, &rc);
    assert_int_equal(rc, CZ_E_INVALID);
    static const char *const want[] = {"/earlier",   "/count", "/name", "/mode",
                                       "/tls/depth", "/tls/q", "/zzz"};
    assert_int_equal(rep.len, COUNT(want));
    for (size_t i = 0; i < COUNT(want); i++)
        assert_string_equal(rep.items[i].pointer, want[i]);
    cz_cfg_done(sample_table, &s);
    s = parse("{\"name\":\"n\"}", "", &rep, &rc); /* problems of others are not ours */
    assert_int_equal(rc, CZ_OK);
    cz_cfg_done(sample_table, &s);
    cz_report_done(&rep);
}

static void distances(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        unsigned want;
    } rows[] = {
        {"", "", 0},
        {"abc", "abc", 0},
        {"abc", "acb", 1},
        {"abc", "abcd", 1},
        {"abc", "ab", 1},
        {"abc", "xbc", 1},
        {"abcd", "badc", 2},
        {"abc", "xyz", 3},
        {"a", "abcd", 3},
        {"", "ab", 2},
        {"consumerGroup", "consumer_group", 2},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(cz__edit_distance(rows[i].a, rows[i].b), rows[i].want);
        assert_int_equal(cz__edit_distance(rows[i].b, rows[i].a), rows[i].want);
    }
    char longest[100];
    memset(longest, 'a', sizeof longest - 1);
    longest[99] = '\0';
    assert_int_equal(cz__edit_distance(longest, longest), 3);
}

int main(void)
{
    cz_json_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_defaults), cmocka_unit_test(all_given),
        cmocka_unit_test(each_problem), cmocka_unit_test(all_problems_at_once),
        cmocka_unit_test(distances)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
