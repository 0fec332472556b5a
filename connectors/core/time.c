/* SPDX-License-Identifier: Apache-2.0 */
/** Clocks, RFC 3339 and back-off.  The calendar is computed here (proleptic Gregorian, UTC), so
 *  that no time zone file or locale can get in. */
#include "cz/time.h"

#include <limits.h>
#include <string.h>
#include <time.h>

#include "core_priv.h"
#include "cz/util.h"

cz_time cz_now(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (cz_time)ts.tv_sec * CZ_SEC + ts.tv_nsec;
}

int64_t cz_wall_ms(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

cz_time cz_deadline_ms(int64_t ms)
{
    cz_time now = cz_now();
    if (ms < 0 || ms > (CZ_TIME_NEVER - now) / CZ_MS)
        return CZ_TIME_NEVER;
    return now + ms * CZ_MS;
}

int cz_remaining_ms(cz_time deadline)
{
    if (deadline == CZ_TIME_NEVER)
        return -1;
    cz_time now = cz_now();
    if (deadline <= now)
        return 0;
    cz_time left = deadline - now;
    cz_time ms = left / CZ_MS + (left % CZ_MS != 0);
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

/* Days from civil and back: Howard Hinnant, "chrono-compatible low-level date algorithms". */
int64_t cz__days_from_civil(int64_t y, int64_t m, int64_t d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

static void civil_from_days(int64_t z, int64_t *ret_y, int *ret_m, int *ret_d)
{
    z += 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *ret_d = (int)(doy - (153 * mp + 2) / 5 + 1);
    *ret_m = (int)(mp < 10 ? mp + 3 : mp - 9);
    *ret_y = yoe + era * 400 + (*ret_m <= 2);
}

int64_t cz__year_of_day(int64_t day)
{
    int64_t year;
    int m, d;
    civil_from_days(day, &year, &m, &d);
    return year;
}

/* 0000-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z: RFC 3339 has four digits. */
#define FIRST_MS (-62167219200000LL)
#define LAST_MS 253402300799999LL

char *cz_rfc3339(int64_t wall_ms, char *out)
{
    int64_t ms = wall_ms < FIRST_MS ? FIRST_MS : wall_ms > LAST_MS ? LAST_MS : wall_ms;
    int64_t day = ms / 86400000 - (ms % 86400000 < 0);
    int in_day = (int)(ms - day * 86400000);
    int64_t y;
    int m, d;
    civil_from_days(day, &y, &m, &d);
    /* A digit of the pattern says which part its place shows; filled from the right. */
    static const char pattern[] = "0000-11-22T33:44:55.666Z";
    int64_t part[] = {
        y, m, d, in_day / 3600000, in_day / 60000 % 60, in_day / 1000 % 60, in_day % 1000};
    memcpy(out, pattern, sizeof pattern);
    for (size_t i = sizeof pattern - 1; i-- > 0;) {
        if (pattern[i] >= '0' && pattern[i] <= '6') {
            int64_t *v = &part[pattern[i] - '0'];
            out[i] = (char)('0' + *v % 10);
            *v /= 10;
        }
    }
    return out;
}

/* Exactly @n digits at *s; moves *s on.  -1 when there are other characters. */
static int digits(const char **s, int n)
{
    int v = 0;
    for (int i = 0; i < n; i++) {
        char c = (*s)[i];
        if (c < '0' || c > '9')
            return -1;
        v = v * 10 + (c - '0');
    }
    *s += n;
    return v;
}

static bool literal(const char **s, const char *any_of)
{
    for (const char *c = any_of; *c; c++) {
        if (**s == *c) {
            (*s)++;
            return true;
        }
    }
    return false;
}

static bool parse_date(const char **s, int64_t *ret_day)
{
    static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int y = digits(s, 4);
    if (y < 0 || !literal(s, "-"))
        return false;
    int m = digits(s, 2);
    if (m < 1 || m > 12 || !literal(s, "-"))
        return false;
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    int d = digits(s, 2);
    if (d < 1 || d > month_days[m - 1] + (m == 2 && leap))
        return false;
    *ret_day = cz__days_from_civil(y, m, d);
    return true;
}

/* "HH:MM:SS" with any number of decimals, of which three count. */
static bool parse_clock(const char **s, int64_t *ret_ms)
{
    int h = digits(s, 2);
    if (h < 0 || h > 23 || !literal(s, ":"))
        return false;
    int m = digits(s, 2);
    if (m < 0 || m > 59 || !literal(s, ":"))
        return false;
    int sec = digits(s, 2);
    if (sec < 0 || sec > 60) /* 60: a leap second, counted as the second after it */
        return false;
    int64_t ms = ((int64_t)h * 3600 + m * 60 + sec) * 1000;
    if (literal(s, ".")) {
        if (**s < '0' || **s > '9')
            return false;
        for (int unit = 100; **s >= '0' && **s <= '9'; (*s)++, unit /= 10)
            ms += (int64_t)unit * (**s - '0');
    }
    *ret_ms = ms;
    return true;
}

static bool parse_offset(const char **s, int64_t *ret_ms)
{
    *ret_ms = 0;
    if (literal(s, "Zz"))
        return true;
    int sign = **s == '-' ? -1 : 1;
    if (!literal(s, "+-"))
        return false;
    int h = digits(s, 2);
    if (h < 0 || h > 23 || !literal(s, ":"))
        return false;
    int m = digits(s, 2);
    if (m < 0 || m > 59)
        return false;
    *ret_ms = (int64_t)sign * (h * 60 + m) * 60000;
    return true;
}

bool cz_rfc3339_parse(const char *s, int64_t *ret_wall_ms)
{
    int64_t day, clock_ms, offset_ms;
    if (!s || !parse_date(&s, &day) || !literal(&s, "Tt ") || !parse_clock(&s, &clock_ms) ||
        !parse_offset(&s, &offset_ms) || *s)
        return false;
    *ret_wall_ms = day * 86400000 + clock_ms - offset_ms;
    return true;
}

int64_t cz_backoff_ms(unsigned attempt, int64_t base_ms, int64_t cap_ms)
{
    int64_t base = base_ms < 1 ? 1 : base_ms;
    int64_t high = base;
    for (unsigned i = 0; i < attempt && high < cap_ms; i++)
        high = high > INT64_MAX / 2 ? INT64_MAX : high * 2;
    if (high > cap_ms)
        high = cap_ms;
    int64_t low = base / 2 < high ? base / 2 : high;
    if (high <= low)
        return low < 0 ? 0 : low;
    uint64_t r;
    cz_random(&r, sizeof r);
    return low + (int64_t)(r % (uint64_t)(high - low + 1));
}
