/* SPDX-License-Identifier: Apache-2.0 */
/** Error type: first one wins, prefixes, cutting, the maps. */
#include "cz_test.h"

#include "cz/error.h"
#include "cz/util.h"

static void first_wins(void **state)
{
    (void)state;
    struct cz_error e = CZ_ERROR_INIT;
    assert_int_equal(cz_fail_flags(&e, CZ_E_IO, CZ_ERR_RETRIABLE, 5, "a %d", 1), CZ_E_IO);
    assert_int_equal(cz_fail(&e, CZ_E_STALE, "b"), CZ_E_STALE);
    assert_int_equal(e.code, CZ_E_IO);
    assert_int_equal(e.flags, CZ_ERR_RETRIABLE);
    assert_int_equal(e.detail, 5);
    assert_string_equal(e.text, "a 1");
    cz_error_reset(&e);
    assert_int_equal(e.code, CZ_OK);
    assert_string_equal(e.text, "");
    assert_int_equal(cz_fail(NULL, CZ_E_LIMIT, "x"), CZ_E_LIMIT);
    cz_error_reset(NULL);
}

static void prefix(void **state)
{
    (void)state;
    struct cz_error e = CZ_ERROR_INIT;
    assert_int_equal(cz_fail_prefix(&e, "nothing"), CZ_OK);
    assert_string_equal(e.text, "");
    (void)cz_fail(&e, CZ_E_IO, "broken");
    assert_int_equal(cz_fail_prefix(&e, "file %s", "x"), CZ_E_IO);
    assert_string_equal(e.text, "file x: broken");
    assert_int_equal(cz_fail_prefix(NULL, "x"), CZ_E_INTERNAL);
}

static void cut_is_utf8(void **state)
{
    (void)state;
    char text[1200];
    for (size_t shift = 0; shift < 4; shift++) {
        size_t n = shift;
        memset(text, 'a', sizeof text);
        while (n + 3 < sizeof text - 1) {
            memcpy(text + n, "\xE2\x82\xAC", 3);
            n += 3;
        }
        text[n] = '\0';
        struct cz_error e = CZ_ERROR_INIT;
        (void)cz_fail(&e, CZ_E_IO, "%s", text);
        assert_true(cz_utf8_valid(e.text, strlen(e.text)));
        assert_true(strlen(e.text) > sizeof e.text - 5);
        (void)cz_fail_prefix(&e, "%.*s", (int)shift, "xyz");
        assert_true(cz_utf8_valid(e.text, strlen(e.text)));
    }
}

static void maps(void **state)
{
    (void)state;
    assert_int_equal(cz_err_http_status(CZ_E_STALE), 412);
    assert_string_equal(cz_err_slug(CZ_E_STALE), "stale-version");
    assert_string_equal(cz_err_name(CZ_E_STALE), "CZ_E_STALE");
    for (int i = 0; i < CZ_ERR_COUNT_; i++) {
        int status = cz_err_http_status((enum cz_err)i);
        assert_true(status >= 200 && status < 600);
        assert_true(strlen(cz_err_slug((enum cz_err)i)) > 0);
    }
    assert_int_equal(cz_err_http_status((enum cz_err)9999), 500);
    assert_string_equal(cz_err_slug((enum cz_err)9999), "internal");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(first_wins), cmocka_unit_test(prefix),
                                       cmocka_unit_test(cut_is_utf8), cmocka_unit_test(maps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
