/* SPDX-License-Identifier: Apache-2.0 */
/** Text on a terminal: widths, tables, control characters, numbers, ages, JSON with
 * indentation. */
#include "cz_test.h"

#include "cz/alloc.h"
#include "cz/time.h"
#include "table.h"

static void widths(void **state)
{
    static const struct {
        const char *text;
        size_t width;
    } cases[] = {
        {"", 0},          {"abc", 3}, {"ä", 1},    {"日本", 4},
        {"e\xCC\x81", 1}, {"😀", 2},   {"\xFF", 1}, {"a\xE6\x97", 3},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(cz_text_width(cases[i].text, strlen(cases[i].text)), cases[i].width);
}

static void tables_align(void **state)
{
    struct cz_table t;
    struct cz_buf b = CZ_BUF_INIT(65536);
    (void)state;
    cz_table_init(&t, "NAME|*STATE|>LAG|NOTE");
    cz_table_add(&t, "日本");
    cz_table_add(&t, "RUNNING");
    cz_table_number(&t, 1234567);
    cz_table_add(&t, "");
    cz_table_add(&t, "a\nb\x1b[31m");
    cz_table_add(&t, "PAUSED");
    cz_table_number(&t, -5);
    cz_table_addf(&t, "%s", "x");
    cz_table_print(&t, &b, 0, false);
    assert_string_equal(b.data, "NAME      STATE          LAG  NOTE\n"
                                "日本      RUNNING  1 234 567  -\n"
                                "a b\xEF\xBF\xBD[31m  PAUSED          -5  x\n");
    cz_buf_clear(&b);
    cz_table_print(&t, &b, 2, true);
    CONTAINS(b.data, "\x1b[32mRUNNING\x1b[0m  1 234 567");
    CONTAINS(b.data, "  NAME      STATE ");
    cz_table_done(&t);
    cz_buf_done(&b);
}

static void control_characters(void **state)
{
    static const struct {
        const char *in, *line, *lines;
    } cases[] = {
        {"plain ä", "plain ä", "plain ä"},
        {"a\nb\tc", "a b c", "a\nb\tc"},
        {"\x1b]0;x\x07", "�]0;x�", "�]0;x�"},
        {"\x7f\r", "��", "��"},
        {"\xC2\x9B"
         "1m",
         "�1m", "�1m"}, /* CSI of C1 */
        {"\xE2\x80\xAE"
         "abc",
         "�abc", "�abc"}, /* right-to-left override */
        {"\xE2\x81\xA6", "�", "�"},
        {"x\xFFy\xC3", "x�y�", "x�y�"},
        {"\xC2\xA0", "\xC2\xA0", "\xC2\xA0"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cz_buf b = CZ_BUF_INIT(1024);
        cz_text_clean(&b, cases[i].in, false);
        assert_string_equal(cz_buf_str(&b), cases[i].line);
        cz_buf_clear(&b);
        cz_text_clean(&b, cases[i].in, true);
        assert_string_equal(cz_buf_str(&b), cases[i].lines);
        cz_buf_done(&b);
    }
}

static void numbers_and_ages(void **state)
{
    static const struct {
        int64_t n;
        const char *text;
    } numbers[] = {
        {0, "0"},
        {999, "999"},
        {1000, "1 000"},
        {-1000, "-1 000"},
        {-100, "-100"},
        {1234567, "1 234 567"},
        {INT64_MAX, "9 223 372 036 854 775 807"},
        {INT64_MIN, "-9 223 372 036 854 775 808"},
    };
    static const struct {
        int64_t ago_s;
        const char *text;
    } ages[] = {{5, "5s"},    {119, "119s"},  {120, "2m"},
                {7200, "2h"}, {172800, "2d"}, {-60, "in 60s"}};
    (void)state;
    struct cz_buf b = CZ_BUF_INIT(256);
    for (size_t i = 0; i < COUNT(numbers); i++) {
        cz_buf_clear(&b);
        cz_text_number(&b, numbers[i].n);
        assert_string_equal(b.data, numbers[i].text);
    }
    for (size_t i = 0; i < COUNT(ages); i++) {
        char at[CZ_RFC3339_SIZE];
        int64_t now = 1700000000000;
        cz_buf_clear(&b);
        cz_text_age(&b, cz_rfc3339(now - ages[i].ago_s * 1000, at), now);
        assert_string_equal(b.data, ages[i].text);
    }
    cz_buf_clear(&b);
    cz_text_age(&b, "yesterday", 0);
    assert_string_equal(b.data, "yesterday");
    cz_buf_done(&b);
}

static void pretty_json(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"1.10", "1.10"},
        {"\"a{,:}\\\"\"", "\"a{,:}\\\"\""},
        {"{}", "{}"},
        {"[ ]", "[]"},
        {"{\"a\":[1,{\"b\":null}],\"c\":{}}",
         "{\n  \"a\": [\n    1,\n    {\n      \"b\": null\n    }\n  ],\n  \"c\": {}\n}"},
        {" [1 , 12345678901234567890]\n", "[\n  1,\n  12345678901234567890\n]"},
        {"[\"unended", "[\n  \"unended"}, /* never read past the end */
        {"[\"x\\", "[\n  \"x\\"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cz_buf b = CZ_BUF_INIT(4096);
        char *copy = cz_memdup(cases[i].in, strlen(cases[i].in)); /* no terminator: ASan sees */
        cz_text_pretty(&b, copy, strlen(cases[i].in));
        assert_string_equal(cz_buf_str(&b), cases[i].out);
        cz_free(copy);
        cz_buf_done(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(widths),
        cmocka_unit_test(tables_align),
        cmocka_unit_test(control_characters),
        cmocka_unit_test(numbers_and_ages),
        cmocka_unit_test(pretty_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
