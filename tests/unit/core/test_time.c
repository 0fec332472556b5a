/* SPDX-License-Identifier: Apache-2.0 */
/** RFC 3339 in both directions, deadlines, back-off. */
#include "cz_test.h"

#include <limits.h>
#include <time.h>

#include "cz/time.h"

static void format(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *want;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {1795379626942LL, "2026-11-22T20:33:46.942Z"},
        {951782400000LL, "2000-02-29T00:00:00.000Z"},
        {951868800000LL, "2000-03-01T00:00:00.000Z"},
        {-62135596800000LL, "0001-01-01T00:00:00.000Z"},
        {INT64_MAX, "9999-12-31T23:59:59.999Z"},
        {INT64_MIN, "0000-01-01T00:00:00.000Z"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char out[CZ_RFC3339_SIZE];
        assert_string_equal(cz_rfc3339(rows[i].ms, out), rows[i].want);
        int64_t back;
        assert_true(cz_rfc3339_parse(out, &back));
        if (rows[i].ms != INT64_MAX && rows[i].ms != INT64_MIN)
            assert_int_equal(back, rows[i].ms);
    }
}

/* Every day of 800 years, against libc. */
static void same_as_libc(void **state)
{
    (void)state;
    for (int64_t day = -146097; day < 146097; day++) {
        char out[CZ_RFC3339_SIZE], want[64];
        time_t t = (time_t)(day * 86400 + 3661);
        struct tm tm;
        assert_non_null(gmtime_r(&t, &tm));
        (void)strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%S.007Z", &tm);
        cz_rfc3339((int64_t)t * 1000 + 7, out);
        if (strcmp(out, want) != 0)
            fail_msg("%s is not %s", out, want);
        int64_t back;
        if (!cz_rfc3339_parse(out, &back) || back != (int64_t)t * 1000 + 7)
            fail_msg("%s does not read back", out);
    }
}

static void parse(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        bool ok;
        int64_t want;
    } rows[] = {
        {"1970-01-01T00:00:00Z", true, 0},
        {"1970-01-01t00:00:00z", true, 0},
        {"1970-01-01 00:00:00Z", true, 0},
        {"1970-01-01T01:00:00+01:00", true, 0},
        {"1969-12-31T19:30:00-04:30", true, 0},
        {"1970-01-01T00:00:00.5Z", true, 500},
        {"1970-01-01T00:00:00.0019999Z", true, 1},
        {"1970-01-01T00:00:00.123456789123456789Z", true, 123},
        {"1998-12-31T23:59:60Z", true, 915148800000},
        {"2024-02-29T00:00:00Z", true, 1709164800000},
        {"2023-02-29T00:00:00Z", false, 0},
        {"1900-02-29T00:00:00Z", false, 0},
        {"1970-01-01T00:00:00", false, 0},
        {"1970-01-01T00:00:00.Z", false, 0},
        {"1970-01-01T24:00:00Z", false, 0},
        {"1970-01-01T00:60:00Z", false, 0},
        {"1970-13-01T00:00:00Z", false, 0},
        {"1970-00-01T00:00:00Z", false, 0},
        {"1970-01-32T00:00:00Z", false, 0},
        {"1970-01-01T00:00:00Z ", false, 0},
        {"1970-01-01T00:00:00+0100", false, 0},
        {"1970-01-01T00:00:00+24:00", false, 0},
        {"1970-1-01T00:00:00Z", false, 0},
        {"", false, 0},
        {"19", false, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t got = -77;
        if (cz_rfc3339_parse(rows[i].in, &got) != rows[i].ok)
            fail_msg("\"%s\"", rows[i].in);
        assert_int_equal(got, rows[i].ok ? rows[i].want : -77);
    }
    int64_t untouched = 1;
    assert_false(cz_rfc3339_parse(NULL, &untouched));
}

static void deadlines(void **state)
{
    (void)state;
    assert_int_equal(cz_deadline_ms(-1), CZ_TIME_NEVER);
    assert_int_equal(cz_deadline_ms(INT64_MAX), CZ_TIME_NEVER);
    assert_int_equal(cz_remaining_ms(CZ_TIME_NEVER), -1);
    assert_int_equal(cz_remaining_ms(0), 0);
    assert_int_equal(cz_remaining_ms(CZ_TIME_NEVER - 1), INT_MAX);
    int left = cz_remaining_ms(cz_deadline_ms(5000));
    assert_true(left > 4000 && left <= 5000);
    assert_int_equal(cz_remaining_ms(cz_now() + CZ_MS / 2), 1); /* rounded up */
}

static void backoff(void **state)
{
    (void)state;
    static const struct {
        unsigned attempt;
        int64_t base, cap, low, high;
    } rows[] = {
        {0, 100, 10000, 50, 100},
        {1, 100, 10000, 50, 200},
        {5, 100, 10000, 50, 3200},
        {20, 100, 10000, 50, 10000},
        {4000000000U, 100, INT64_MAX, 50, INT64_MAX},
        {3, 100, 10, 10, 10},
        {3, 0, 0, 0, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (int k = 0; k < 200; k++) {
            int64_t ms = cz_backoff_ms(rows[i].attempt, rows[i].base, rows[i].cap);
            assert_true(ms >= rows[i].low && ms <= rows[i].high);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(format), cmocka_unit_test(same_as_libc),
                                       cmocka_unit_test(parse), cmocka_unit_test(deadlines),
                                       cmocka_unit_test(backoff)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
