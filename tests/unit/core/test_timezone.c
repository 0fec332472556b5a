/* SPDX-License-Identifier: Apache-2.0 */
/* Time zones against libc, which can do one at a time, and files that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "cz/timezone.h"
#include "cz/util.h"

static void compare(const char *name, int64_t at)
{
    struct cz_error err = CZ_ERROR_INIT;
    const struct cz_timezone *z = NULL;
    time_t t = at;
    struct tm tm;
    if (cz_timezone_get(name, &z, &err))
        fail_msg("%s: %s", name, err.text);
    assert_non_null(localtime_r(&t, &tm));
    if (cz_timezone_offset(z, at * 1000) != tm.tm_gmtoff)
        fail_msg("%s at %lld: %d, not %ld", name, (long long)at, cz_timezone_offset(z, at * 1000), tm.tm_gmtoff);
}

/* With and without daylight saving time, in the south, by half hours, with a rule over midnight or
 * negative saving, and some that have seen a lot. */
static void test_as_libc(void **state)
{
    static const char *const zones[] = {
        "UTC", "Europe/Berlin", "Europe/Dublin", "Europe/Lisbon", "America/New_York", "America/St_Johns", "America/Godthab",
        "America/Sao_Paulo", "America/Santiago", "Asia/Kolkata", "Asia/Tehran", "Asia/Gaza", "Asia/Tokyo",
        "Africa/Casablanca", "Africa/Cairo", "Australia/Lord_Howe", "Australia/Sydney", "Pacific/Apia", "Pacific/Chatham",
        "Antarctica/Troll", "Etc/GMT+12", "EST"};
    (void)state;
    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
        uint32_t r = 1;
        assert_int_equal(setenv("TZ", zones[i], 1), 0);
        tzset();
        for (int k = 0; k < 3000; k++) {
            r = r * 1664525u + 1013904223u;
            compare(zones[i], (int64_t)r - 1000000000); /* 1938 to 2074 */
        }
        for (int64_t hour = 2051222400; hour < 2051222400 + 366 * 86400; hour += 1800) /* 2035, beyond fat files */
            compare(zones[i], hour + 86400 * 365 * 5);
    }
}

static void test_changes_of_berlin(void **state)
{
    struct cz_error err = CZ_ERROR_INIT;
    const struct cz_timezone *z = NULL, *again = NULL;
    (void)state;
    assert_int_equal(cz_timezone_get("Europe/Berlin", &z, &err), CZ_OK);
    assert_int_equal(cz_timezone_get("Europe/Berlin", &again, &err), CZ_OK);
    assert_ptr_equal(z, again);
    /* 2026-03-29T01:00:00Z and 2026-10-25T01:00:00Z */
    assert_int_equal(cz_timezone_offset(z, 1774745999999), 3600);
    assert_int_equal(cz_timezone_offset(z, 1774746000000), 7200);
    assert_int_equal(cz_timezone_offset(z, 1792889999999), 7200);
    assert_int_equal(cz_timezone_offset(z, 1792890000000), 3600);
}

static void test_names(void **state)
{
    static const char *const bad[] = {"", "/etc/passwd", "../UTC", "Europe", "Europe/", "Europe/Nowhere", "zone.tab",
                                      "Europe/Berlin\n", "right/UTC"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct cz_error err = CZ_ERROR_INIT;
        const struct cz_timezone *z = NULL;
        enum cz_err code = cz_timezone_get(bad[i], &z, &err);
        if (!strcmp(bad[i], "right/UTC") && code == CZ_E_NOT_FOUND)
            continue; /* not every system has it; with leap seconds it is refused */
        assert_int_not_equal(code, CZ_OK);
        assert_true(*err.text);
    }
    assert_int_equal(setenv("TZDIR", "/nonexistent", 1), 0);
    struct cz_error err = CZ_ERROR_INIT;
    const struct cz_timezone *z = NULL;
    assert_int_equal(cz_timezone_get("Asia/Seoul", &z, &err), CZ_E_NOT_FOUND);
    assert_non_null(strstr(err.text, "tzdata"));
    assert_int_equal(unsetenv("TZDIR"), 0);
}

/* A file cut anywhere, or with any byte changed, is refused or gives some offset: nothing else. */
static void test_damaged_files(void **state)
{
    struct cz_error err = CZ_ERROR_INIT;
    char *data = NULL;
    size_t len = 0;
    (void)state;
    assert_int_equal(cz_read_file("/usr/share/zoneinfo/Europe/Berlin", 1 << 20, &data, &len, &err), CZ_OK);
    for (size_t n = 0; n < len; n++) {
        char *part = cz_memdup(data, n + 1); /* no byte more, so that a sanitizer sees what is read */
        struct cz_timezone *z = NULL;
        part = cz_realloc(part, n ? n : 1);
        assert_int_not_equal(cz_timezone_parse(part, n, &z, NULL), CZ_OK);
        cz_free(part);
    }
    for (size_t at = 0; at < len; at++) {
        for (int bit = 0; bit < 8; bit++) {
            struct cz_timezone *z = NULL;
            data[at] = (char)(data[at] ^ 1 << bit);
            if (!cz_timezone_parse(data, len, &z, NULL))
                for (int64_t ms = -2000000000000; ms < 8000000000000; ms += 700000000000)
                    assert_in_range(cz_timezone_offset(z, ms) + 200000, 0, 400000);
            cz_free(z);
            data[at] = (char)(data[at] ^ 1 << bit);
        }
    }
    cz_free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_libc),
        cmocka_unit_test(test_changes_of_berlin),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_damaged_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
