/* SPDX-License-Identifier: Apache-2.0 */
/** Buffers and memory: growth, maximum, JSON strings, and every allocation failing in turn. */
#include "cz_test.h"

#include "cz/alloc.h"
#include "cz/buf.h"

static void grows_and_ends_with_nul(void **state)
{
    (void)state;
    CZ_CLEANUP(cz_buf_done) struct cz_buf b = CZ_BUF_INIT(100000);
    assert_string_equal(cz_buf_str(&b), "");
    for (int i = 0; i < 5000; i++) {
        cz_buf_addf(&b, "%d,", i);
        assert_int_equal(b.data[b.len], 0);
    }
    assert_false(b.failed);
    assert_int_equal(b.len, strlen(b.data));
    cz_buf_clear(&b);
    assert_string_equal(cz_buf_str(&b), "");
    cz_buf_adds(&b, NULL);
    cz_buf_add(&b, "a\0b", 3);
    assert_int_equal(b.len, 3);
    assert_memory_equal(b.data, "a\0b", 4);
}

static void maximum(void **state)
{
    (void)state;
    CZ_CLEANUP(cz_buf_done) struct cz_buf b = CZ_BUF_INIT(5);
    cz_buf_adds(&b, "12345");
    assert_false(b.failed);
    cz_buf_addc(&b, '6');
    assert_true(b.failed);
    assert_string_equal(cz_buf_str(&b), "12345");
    cz_buf_adds(&b, ""); /* a no-op from here on */
    assert_null(cz_buf_reserve(&b, 0));
    cz_buf_clear(&b);
    cz_buf_addf(&b, "%s", "123456");
    assert_true(b.failed);
    assert_string_equal(cz_buf_str(&b), "");
    cz_buf_clear(&b);
    cz_buf_adds(&b, "12");
    cz_buf_addf(&b, "%d", 3456);
    assert_true(b.failed);
    assert_string_equal(cz_buf_str(&b), "12");
}

static void steal_and_reserve(void **state)
{
    (void)state;
    struct cz_buf b = CZ_BUF_INIT(50);
    char *none = cz_buf_steal(&b);
    assert_string_equal(none, "");
    cz_free(none);
    char *to = cz_buf_reserve(&b, 3);
    assert_non_null(to);
    memcpy(to, "xyz", 3);
    b.len += 3;
    assert_string_equal(cz_buf_str(&b), "xyz");
    char *s = cz_buf_steal(&b);
    assert_string_equal(s, "xyz");
    assert_null(b.data);
    assert_int_equal(b.max, 50);
    cz_free(s);
    assert_null(cz_buf_reserve(&b, SIZE_MAX));
}

static void json_strings(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        size_t n;
        const char *want;
    } rows[] = {
        {"", 0, "\"\""},
        {"abc", 3, "\"abc\""},
        {"a\"b\\c", 5, "\"a\\\"b\\\\c\""},
        {"\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\""},
        {"\x01\x1f\x7f", 3, "\"\\u0001\\u001f\\u007f\""},
        {"a\0b", 3, "\"a\\u0000b\""},
        {"\xE2\x82\xAC", 3, "\"\xE2\x82\xAC\""},
        {"\xE2\x82", 2, "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {"\xED\xA0\x80", 3, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {"x\xFFy", 3, "\"x\xEF\xBF\xBDy\""},
        {"\xF0\x9F\x98\x80!", 5, "\"\xF0\x9F\x98\x80!\""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CZ_CLEANUP(cz_buf_done) struct cz_buf b = CZ_BUF_INIT(1000);
        cz_buf_add_json_string(&b, rows[i].in, rows[i].n);
        assert_string_equal(cz_buf_str(&b), rows[i].want);
    }
}

/* Fail the n-th allocation until none fails: what was there before stays, and nothing leaks. */
static void out_of_memory(void **state)
{
    (void)state;
    bool succeeded = false;
    for (long n = 0; n < 50 && !succeeded; n++) {
        CZ_CLEANUP(cz_buf_done) struct cz_buf b = CZ_BUF_INIT(10000);
        cz_alloc_fail_after(n);
        for (int i = 0; i < 100; i++) {
            cz_buf_addf(&b, "%04d", i);
            cz_buf_add_json_string(&b, "é\n", 3);
        }
        cz_alloc_fail_after(-1);
        succeeded = !b.failed;
        assert_int_equal(strlen(cz_buf_str(&b)), b.len);
        assert_true(n > 0 || (b.failed && b.len == 0));
    }
    assert_true(succeeded);
}

static void try_alloc_fails(void **state)
{
    (void)state;
    cz_alloc_fail_after(1);
    void *p = cz_try_alloc(10);
    assert_non_null(p);
    assert_null(cz_try_alloc(10));
    assert_null(cz_try_realloc(p, 20));
    cz_alloc_fail_after(-1);
    p = cz_try_realloc(p, 20);
    assert_non_null(p);
    cz_freep(&p);
    assert_null(p);
    assert_null(cz_strdup(NULL));
    assert_null(cz_memdup(NULL, 3));
    assert_null(cz_strndup(NULL, 3));
    CZ_CLEANUP(cz_freep) char *s = cz_strndup("abc", 2);
    assert_string_equal(s, "ab");
    CZ_CLEANUP(cz_freep) char *f = cz_strf("%s-%d", s, 7);
    assert_string_equal(f, "ab-7");
}

static void grow(void **state)
{
    (void)state;
    CZ_CLEANUP(cz_freep) int *array = NULL;
    size_t cap = 0;
    for (size_t i = 0; i < 100; i++) {
        cz_grow(&array, &cap, i, sizeof *array);
        assert_true(cap > i);
        array[i] = (int)i;
    }
    assert_int_equal(array[99], 99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(grows_and_ends_with_nul),
                                       cmocka_unit_test(maximum),
                                       cmocka_unit_test(steal_and_reserve),
                                       cmocka_unit_test(json_strings),
                                       cmocka_unit_test(out_of_memory),
                                       cmocka_unit_test(try_alloc_fails),
                                       cmocka_unit_test(grow)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
