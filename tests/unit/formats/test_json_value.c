/* SPDX-License-Identifier: Apache-2.0 */
/* Values: exact numbers, trees with duplicate keys, equality, the arena's bound, and the
 * replacer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "cz/json_doc.h"

static struct cz_jval number(const char *s)
{
    assert_true(cz_jnum_valid(s, strlen(s)));
    return (struct cz_jval){.type = CZ_J_NUMBER, .len = (uint32_t)strlen(s), .u.s = s};
}

static void numbers(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        int want;
    } cases[] = {
        {"1", "1.0", 0},
        {"1", "10e-1", 0},
        {"100", "1e2", 0},
        {"0", "-0", 0},
        {"0.0", "0e99", 0},
        {"-1", "1", -1},
        {"2", "10", -1},
        {"-2", "-10", 1},
        {"0.1", "0.10", 0},
        {"0.05", "0.5", -1},
        {"0.05", "5e-2", 0},
        {"1.5", "1.49999", 1},
        {"9007199254740993", "9007199254740992", 1},
        {"9007199254740993", "9007199254740993.0", 0},
        {"123456789012345678901234567890", "123456789012345678901234567891", -1},
        {"1e400", "1e401", -1},
        {"-1e-400", "0", -1},
        {"1e99999999999999999999", "1e5", 1},
        {"9223372036854775807", "9223372036854775808", -1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cz_jval a = number(cases[i].a), b = number(cases[i].b);
        if (cz_jnum_compare(a, b) != cases[i].want || cz_jnum_compare(b, a) != -cases[i].want)
            fail_msg("%s <> %s", cases[i].a, cases[i].b);
    }
    assert_int_equal(cz_jnum_compare(cz_jval_int(5), number("5.0")), 0);
    struct cz_jval third = {.type = CZ_J_NUMBER, .flags = CZ_J_DBL, .u.d = 0.1 + 0.2};
    assert_int_equal(cz_jnum_compare(third, number("0.30000000000000004")), 0);
}

static void number_forms(void **state)
{
    (void)state;
    static const char *const bad[] = {"",   "-",   "+1",  "01", "1.",  ".5",
                                      "1e", "1e+", "0x1", "1 ", "NaN", "-01"};
    int64_t i;
    for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++)
        assert_false(cz_jnum_valid(bad[k], strlen(bad[k])));
    assert_true(cz_jnum_int(number("-9223372036854775808"), &i) && i == INT64_MIN);
    assert_false(cz_jnum_int(number("9223372036854775808"), &i));
    assert_true(cz_jnum_int(number("1.2e1"), &i) && i == 12);
    assert_false(cz_jnum_int(number("1.25e1"), &i));
    assert_true(cz_jnum_int(number("10.000"), &i) && i == 10);
    assert_false(cz_jnum_int(number("1e19"), &i));
    assert_true(cz_jnum_double(number("-1.5e3")) == -1500);
    assert_true(cz_jnum_double(number("0.1")) == 0.1);
    assert_true(cz_jnum_double(number("1e999")) > 1e308);
}

/* Read, write again. */
static void trees(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {" [1 , 2.50, \"a\\u0062\" ] ", "[1,2.50,\"a\\u0062\"]"},
        {"{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}"},
        {"{\"a\":1,\"\\u0061\":[]}", "{\"a\":[]}"},
        {"{\"a\":1,\"a\":2,\"a\":3}", "{\"a\":3}"},
        {"{\"k1\":1,\"k2\":1,\"k3\":1,\"k4\":1,\"k5\":1,\"k6\":1,\"k7\":1,\"k8\":1,\"k9\":1,"
         "\"k10\":1,"
         "\"k11\":1,\"k12\":1,\"k13\":1,\"k14\":1,\"k15\":1,\"k16\":1,\"k3\":7,\"k1\":8,\"k3\":"
         "9}",
         "{\"k1\":8,\"k2\":1,\"k3\":9,\"k4\":1,\"k5\":1,\"k6\":1,\"k7\":1,\"k8\":1,\"k9\":1,"
         "\"k10\":1,"
         "\"k11\":1,\"k12\":1,\"k13\":1,\"k14\":1,\"k15\":1,\"k16\":1}"},
        {"[[[]],{},{\"\":{\"\":null}}]", "[[[]],{},{\"\":{\"\":null}}]"},
        {"12345678901234567890.10", "12345678901234567890.10"},
    };
    struct cz_json_doc d = CZ_JSON_DOC_INIT;
    struct cz_arena a;
    cz_arena_init(&a, 65536);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CZ_CLEANUP(cz_buf_done) struct cz_buf out = CZ_BUF_INIT(4096);
        struct cz_jval v;
        assert_int_equal(cz_json_read(&d, &a, cases[i][0], strlen(cases[i][0]), &v, NULL),
                         CZ_OK);
        cz_jval_write(&out, v);
        assert_string_equal(cz_buf_str(&out), cases[i][1]);
        cz_arena_reset(&a);
    }
    cz_json_doc_done(&d);
    cz_arena_done(&a);
}

static void equality(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool want;
    } cases[] = {
        {"{\"a\":1,\"b\":[1.0]}", "{\"b\":[1],\"a\":1e0}", true},
        {"\"\\u00e9\\n\"", "\"\xc3\xa9\\u000a\"", true},
        {"\"ab\"", "\"a\\u0062c\"", false},
        {"[1,2]", "[2,1]", false},
        {"{\"a\":1}", "{\"b\":1}", false},
        {"{\"a\":1,\"b\":2}", "{\"a\":1,\"c\":2}", false},
        {"true", "1", false},
        {"null", "false", false},
    };
    struct cz_json_doc d = CZ_JSON_DOC_INIT, f = CZ_JSON_DOC_INIT;
    struct cz_arena a;
    cz_arena_init(&a, 65536);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cz_jval v, w;
        assert_int_equal(cz_json_read(&d, &a, cases[i].a, strlen(cases[i].a), &v, NULL), CZ_OK);
        assert_int_equal(cz_json_read(&f, &a, cases[i].b, strlen(cases[i].b), &w, NULL), CZ_OK);
        assert_int_equal(cz_jval_equal(v, w), cases[i].want);
        assert_int_equal(cz_jval_equal(w, v), cases[i].want);
    }
    cz_json_doc_done(&d);
    cz_json_doc_done(&f);
    cz_arena_done(&a);
}

static void arena_bound(void **state)
{
    (void)state;
    struct cz_arena a;
    struct cz_json_doc d = CZ_JSON_DOC_INIT;
    struct cz_jval v;
    cz_arena_init(&a, 20000);
    for (int round = 0; round < 3; round++) {
        size_t got = 0;
        while (cz_arena_alloc(&a, 100))
            got += 100;
        assert_true(a.failed && got <= 20000 && got > 15000);
        cz_arena_reset(&a);
        assert_false(a.failed);
    }
    assert_null(cz_arena_array(&a, SIZE_MAX / 2, 16));
    cz_arena_reset(&a);
    char big[7999];
    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = i % 2 ? '1' : ',';
    big[0] = '[';
    big[sizeof(big) - 1] = ']';
    assert_int_equal(cz_json_read(&d, &a, big, sizeof(big), &v, NULL), CZ_E_LIMIT);
    cz_arena_done(&a);
    cz_json_doc_done(&d);
}

/* ---- the replacer ---- */

static enum cz_err
replace(void *arg, size_t path, struct cz_jval v, struct cz_buf *out, struct cz_error *err)
{
    (void)arg;
    if (v.type == CZ_J_STRING && v.len == 4 && memcmp(v.u.s, "fail", 4) == 0)
        return cz_fail(err, CZ_E_INVALID, "refused");
    if (v.type == CZ_J_STRING && v.len == 4 && memcmp(v.u.s, "keep", 4) == 0)
        return CZ_OK;
    if (v.type == CZ_J_OBJECT && path != 2)
        return CZ_OK;
    cz_buf_addf(out, "<%zu>", path);
    return CZ_OK;
}

static void replacing(void **state)
{
    (void)state;
    static const struct {
        const char *json, *want; /* NULL: not changed */
    } cases[] = {
        {"{\"a\" : 1, \"z\":[ 1 , 2 ]}", "{\"a\" : <0>, \"z\":[ 1 , 2 ]}"},
        {"{\"a\":\"keep\",\"z\":2}", NULL},
        {"{ \"b\":{\"c\": \"x\" ,\"d\":2 } } ", "{ \"b\":{\"c\": <1> ,\"d\":2 } } "},
        {"{\"b\":[{\"c\":1},{\"c\":[2,[3,\"keep\"]]},5],\"a\":[]}",
         "{\"b\":[{\"c\":<1>},{\"c\":[<1>,[<1>,\"keep\"]]},5],\"a\":[]}"},
        {"[{\"a\":1},{\"a\":2}]", "[{\"a\":<0>},{\"a\":<0>}]"},
        {"{\"o.p\":{\"x\":1}}", "{\"o.p\":<2>}"},
        {"{\"a\":1,\"a\":2}", "{\"a\":<0>,\"a\":<0>}"},
        {"{\"\\u0061\":1}", "{\"\\u0061\":<0>}"},
        {"{}", NULL},
        {"3", NULL},
    };
    struct cz_json_doc d = CZ_JSON_DOC_INIT;
    struct cz_json_paths *p = cz_json_paths_new();
    struct cz_error err = CZ_ERROR_INIT;
    assert_int_equal(cz_json_paths_add(p, "a", &err), CZ_OK);
    assert_int_equal(cz_json_paths_add(p, "b.c", &err), CZ_OK);
    assert_int_equal(cz_json_paths_add(p, "\"o.p\"", &err), CZ_OK);
    CZ_CLEANUP(cz_buf_done) struct cz_buf out = CZ_BUF_INIT(4096);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool changed = false;
        assert_int_equal(cz_json_doc_index(&d, cases[i].json, strlen(cases[i].json), NULL),
                         CZ_OK);
        assert_int_equal(cz_json_doc_replace(&d, p, replace, NULL, &out, &changed, NULL),
                         CZ_OK);
        assert_int_equal(changed, cases[i].want != NULL);
        assert_string_equal(cz_buf_str(&out), cases[i].want ? cases[i].want : "");
    }
    static const char *const broken[] = {"{\"a\":1",     "{\"a\":1 2}",  "{\"b\":{\"c\":1}]",
                                         "{\"a\":[1,]}", "{\"a\":fail}", "{\"a\":\"fail\"}",
                                         "{} {}"};
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        bool changed = false;
        assert_int_equal(cz_json_doc_index(&d, broken[i], strlen(broken[i]), NULL), CZ_OK);
        assert_int_not_equal(cz_json_doc_replace(&d, p, replace, NULL, &out, &changed, NULL),
                             CZ_OK);
        assert_false(changed);
    }
    cz_json_paths_free(p);
    cz_json_doc_done(&d);
}

static void whole_document_and_bad_paths(void **state)
{
    (void)state;
    struct cz_json_doc d = CZ_JSON_DOC_INIT;
    struct cz_json_paths *p = cz_json_paths_new();
    static const char *const bad[] = {".", "a.", ".a", "a..b", "\"a", "\"a\"b", "\"\\q\""};
    CZ_CLEANUP(cz_buf_done) struct cz_buf out = CZ_BUF_INIT(100);
    bool changed = false;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(cz_json_paths_add(p, bad[i], NULL), CZ_E_INVALID);
    assert_int_equal(cz_json_paths_add(p, "", NULL), CZ_OK);
    assert_int_equal(cz_json_paths_add(p, "", NULL), CZ_E_INVALID);
    assert_int_equal(cz_json_doc_index(&d, " 5 ", 3, NULL), CZ_OK);
    assert_int_equal(cz_json_doc_replace(&d, p, replace, NULL, &out, &changed, NULL), CZ_OK);
    assert_string_equal(cz_buf_str(&out), " <0> ");
    cz_json_paths_free(p);
    cz_json_doc_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(number_forms),
        cmocka_unit_test(trees),
        cmocka_unit_test(equality),
        cmocka_unit_test(arena_bound),
        cmocka_unit_test(replacing),
        cmocka_unit_test(whole_document_and_bad_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
