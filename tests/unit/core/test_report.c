/* SPDX-License-Identifier: Apache-2.0 */
/** Reports and JSON pointers. */
#include "cz_test.h"

#include "cz/limits.h"
#include "cz/report.h"

static void report(void **state)
{
    (void)state;
    struct cz_report r = CZ_REPORT_INIT;
    struct cz_error e = CZ_ERROR_INIT;
    assert_true(cz_report_ok(&r));
    assert_int_equal(cz_report_error(&r, &e), CZ_OK);
    assert_int_equal(cz_report_add(&r, "/a", "type", "must be %s", "x"), CZ_E_INVALID);
    assert_false(cz_report_ok(&r));
    assert_int_equal(cz_report_error(&r, &e), CZ_E_INVALID);
    assert_string_equal(e.text, "/a: must be x");
    for (int i = 0; i < CZ_MAX_PROBLEMS + 5; i++)
        (void)cz_report_add(&r, "", "c", "%d", i);
    assert_int_equal(r.len, CZ_MAX_PROBLEMS);
    assert_true(r.truncated);
    cz_report_done(&r);
    assert_true(cz_report_ok(&r));
    (void)cz_report_add(&r, "", "c", "whole");
    cz_error_reset(&e);
    (void)cz_report_error(&r, &e);
    assert_string_equal(e.text, "whole");
    cz_report_done(&r);
    cz_report_done(NULL);
}

static void pointers(void **state)
{
    (void)state;
    char p[CZ_POINTER_SIZE] = "";
    cz_pointer_push(p, "spec");
    cz_pointer_push(p, "a/b~c");
    cz_pointer_push_index(p, 12);
    cz_pointer_push(p, "");
    assert_string_equal(p, "/spec/a~1b~0c/12/");
    cz_pointer_pop(p);
    cz_pointer_pop(p);
    cz_pointer_pop(p);
    assert_string_equal(p, "/spec");
    cz_pointer_pop(p);
    cz_pointer_pop(p);
    assert_string_equal(p, "");
}

static void long_pointers_are_cut(void **state)
{
    (void)state;
    static char token[2000];
    for (size_t kind = 0; kind < 3; kind++) {
        for (size_t i = 0; i < sizeof token - 1; i++)
            token[i] = kind == 0 ? 'a' : kind == 1 ? '~' : "\xE2\x82\xAC"[i % 3];
        char p[CZ_POINTER_SIZE] = "";
        for (int i = 0; i < 5; i++) {
            cz_pointer_push(p, token);
            assert_true(strlen(p) < sizeof p);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(report), cmocka_unit_test(pointers),
                                       cmocka_unit_test(long_pointers_are_cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
