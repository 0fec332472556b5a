/* SPDX-License-Identifier: Apache-2.0 */
/** JSON: what the parser refuses and where, the writer, getters, RFC 7396's own examples. */
#include "cz_test.h"

#include <math.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/limits.h"

static json_t *must_parse(const char *text)
{
    json_t *j = NULL;
    struct cz_error e = CZ_ERROR_INIT;
    if (cz_json_parse(text, strlen(text), &j, &e))
        fail_msg("%s: %s", text, e.text);
    return j;
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *in, *where;
    } rows[] = {
        {"", "line 1 column 1"},
        {"  ", "line 1"},
        {"{\"a\":1,\n\"a\":2}", "line 2"},
        {"{} {}", "line 1"},
        {"{}x", "line 1"},
        {"[1,]", "line 1"},
        {"{\"a\\u0000b\":1}", "line 1"},
        {"\"a\\u0000b\"", "line 1"},
        {"\"\xFF\"", "line 1"},
        {"\"\xED\xA0\x80\"", "line 1"},
        {"nul", "line 1"},
        {"01", "line 1"},
        {"+1", "line 1"},
        {"99999999999999999999", "line 1"},
        {"1e999", "line 1"},
        {"\xEF\xBB\xBF{}", "line 1"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *j = NULL;
        struct cz_error e = CZ_ERROR_INIT;
        if (cz_json_parse(rows[i].in, strlen(rows[i].in), &j, &e) != CZ_E_PARSE)
            fail_msg("accepted: %s", rows[i].in);
        assert_null(j);
        CONTAINS(e.text, rows[i].where);
    }
    json_t *j = NULL;
    assert_int_equal(cz_json_parse("{}\0", 3, &j, NULL), CZ_E_PARSE);
}

static void depth(void **state)
{
    (void)state;
    char text[4 * CZ_MAX_JSON_DEPTH];
    for (size_t n = CZ_MAX_JSON_DEPTH; n <= CZ_MAX_JSON_DEPTH + 1; n++) {
        memset(text, '[', n);
        memset(text + n, ']', n);
        json_t *j = NULL;
        struct cz_error e = CZ_ERROR_INIT;
        enum cz_err rc = cz_json_parse(text, 2 * n, &j, &e);
        assert_int_equal(rc, n > CZ_MAX_JSON_DEPTH ? CZ_E_PARSE : CZ_OK);
        if (rc)
            CONTAINS(e.text, "line 1 column 65: nested deeper than 64 levels");
        json_decref(j);
    }
    /* Brackets in strings do not count. */
    memset(text, '[', 200);
    text[0] = '"';
    memcpy(text + 1, "\\\"", 2);
    text[199] = '"';
    json_t *j = NULL;
    assert_int_equal(cz_json_parse(text, 200, &j, NULL), CZ_OK);
    json_decref(j);
}

static void writer(void **state)
{
    (void)state;
    static const struct {
        const char *in, *want, *canonical;
    } rows[] = {
        {"{ \"b\" : 1, \"a\" : [ true, false, null ] }", "{\"b\":1,\"a\":[true,false,null]}",
         "{\"a\":[true,false,null],\"b\":1}"},
        {"{\"z\":{\"y\":1,\"x\":2},\"a\":{}}", "{\"z\":{\"y\":1,\"x\":2},\"a\":{}}",
         "{\"a\":{},\"z\":{\"x\":2,\"y\":1}}"},
        {"0.1", "0.1", "0.1"},
        {"1.0", "1.0", "1.0"},
        {"-2.5e-7", "-2.5e-07", "-2.5e-07"},
        {"0.30000000000000004", "0.30000000000000004", "0.30000000000000004"},
        {"1e300", "1e+300", "1e+300"},
        {"-9223372036854775808", "-9223372036854775808", "-9223372036854775808"},
        {"\"\\u00e9\\n\"", "\"é\\n\"", "\"é\\n\""},
        {"[]", "[]", "[]"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *j = must_parse(rows[i].in);
        CZ_CLEANUP(cz_freep) char *text = cz_json_text(j, false);
        CZ_CLEANUP(cz_freep) char *sorted = cz_json_text(j, true);
        assert_string_equal(text, rows[i].want);
        assert_string_equal(sorted, rows[i].canonical);
        json_t *back = must_parse(text);
        assert_true(json_equal(j, back));
        json_decref(back);
        json_decref(j);
    }
    CZ_CLEANUP(cz_freep) char *none = cz_json_text(NULL, true);
    assert_string_equal(none, "null");
}

static void getters(void **state)
{
    (void)state;
    json_t *j = must_parse("{\"s\":\"x\",\"i\":5,\"n\":\"77\",\"b\":true,\"bad\":\"7x\"}");
    assert_string_equal(cz_json_str(j, "s", "d"), "x");
    assert_string_equal(cz_json_str(j, "i", "d"), "d");
    assert_int_equal(cz_json_int(j, "i", -1), 5);
    assert_int_equal(cz_json_int(j, "n", -1), 77);
    assert_int_equal(cz_json_int(j, "bad", -1), -1);
    assert_int_equal(cz_json_int(NULL, "n", -1), -1);
    assert_true(cz_json_bool(j, "b", false));
    assert_true(cz_json_bool(j, "s", true));
    cz_json_set_str(j, "none", NULL);
    assert_null(json_object_get(j, "none"));
    cz_json_set_str(j, "raw", "a\xFF");
    assert_string_equal(cz_json_str(j, "raw", ""), "a\xEF\xBF\xBD");
    cz_json_set_i64(j, "big", INT64_MIN);
    assert_string_equal(cz_json_str(j, "big", ""), "-9223372036854775808");
    assert_true(cz_json_int(j, "big", 0) == INT64_MIN);
    json_decref(j);
}

/* RFC 7396, appendix A. */
static void merge_patch(void **state)
{
    (void)state;
    static const struct {
        const char *target, *patch, *want;
    } rows[] = {
        {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
        {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
        {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
        {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
        {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
        {"[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]"},
        {"{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]"},
        {"{\"a\":\"foo\"}", "null", "null"},
        {"{\"a\":\"foo\"}", "\"bar\"", "\"bar\""},
        {"{\"e\":null}", "{\"a\":1}", "{\"a\":1,\"e\":null}"},
        {"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"},
        {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *target = must_parse(rows[i].target), *patch = must_parse(rows[i].patch);
        json_t *got = cz_json_merge_patch(target, patch);
        CZ_CLEANUP(cz_freep) char *text = cz_json_text(got, true);
        CZ_CLEANUP(cz_freep) char *before = cz_json_text(target, false);
        assert_string_equal(text, rows[i].want);
        assert_string_equal(before, rows[i].target);
        json_decref(got);
        json_decref(target);
        json_decref(patch);
    }
}

/* A document that the buffer cannot hold is seen in `failed`. */
static void out_of_memory(void **state)
{
    (void)state;
    json_t *j = must_parse(
        "{\"a\":[1,2,3],\"b\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}");
    bool succeeded = false;
    for (long n = 0; n < 10 && !succeeded; n++) {
        CZ_CLEANUP(cz_buf_done) struct cz_buf b = CZ_BUF_INIT(1000);
        cz_alloc_fail_after(n);
        cz_json_add(&b, j);
        cz_alloc_fail_after(-1);
        succeeded = !b.failed;
    }
    assert_true(succeeded);
    json_decref(j);
}

int main(void)
{
    cz_json_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused),     cmocka_unit_test(depth),
        cmocka_unit_test(writer),      cmocka_unit_test(getters),
        cmocka_unit_test(merge_patch), cmocka_unit_test(out_of_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
