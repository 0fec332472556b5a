/* SPDX-License-Identifier: Apache-2.0 */
/* TZif files (RFC 9636): a list of moments at which the offset changes, and behind the last of them a
 * rule in POSIX form, as CET-1CEST,M3.5.0,M10.5.0/3.  Every count and index of a file is checked: it is
 * the system's, but which one is read is a tenant's word. */
#include "cz/timezone.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core_priv.h"
#include "cz/alloc.h"
#include "cz/map.h"
#include "cz/thread.h"
#include "cz/util.h"

enum { MAX_FILE = 256 * 1024, MAX_ZONE_NAME = 64, HEADER = 44, DAY = 86400, MAX_OFFSET = 26 * 3600 };

enum day_kind { DAY_JULIAN, DAY_OF_YEAR, DAY_OF_MONTH };
struct change { /* of a rule: the day, and the local time on it */
    enum day_kind kind;
    int month, week, day, time;
};
struct rule {
    bool there, saves; /* saves: it has daylight saving time */
    int standard, saving;
    struct change begin, end;
};
struct cz_timezone {
    size_t len;
    int64_t *at;   /* in order */
    int *offsets;  /* from that moment on */
    int first;     /* before all of them */
    struct rule rule;
};

/* ---- the rule --------------------------------------------------------------------------------- */

struct text {
    const char *p, *end;
};

static bool next_is(struct text *t, char c)
{
    if (t->p == t->end || *t->p != c)
        return false;
    t->p++;
    return true;
}

static bool take_number(struct text *t, int min, int max, int *ret)
{
    int n = 0, digits = 0;
    for (; t->p < t->end && isdigit((unsigned char)*t->p) && digits < 4; t->p++, digits++)
        n = n * 10 + (*t->p - '0');
    *ret = n;
    return digits > 0 && n >= min && n <= max;
}

static bool take_name(struct text *t)
{
    bool quoted = next_is(t, '<');
    const char *from = t->p;
    while (t->p < t->end && (isalpha((unsigned char)*t->p) ||
                             (quoted && (isdigit((unsigned char)*t->p) || *t->p == '+' || *t->p == '-'))))
        t->p++;
    return t->p - from >= 3 && (!quoted || next_is(t, '>'));
}

/* [+-]hh[:mm[:ss]] */
static bool take_time(struct text *t, int max_hours, int *ret)
{
    int h, m = 0, s = 0, sign = 1;
    if (next_is(t, '-'))
        sign = -1;
    else
        (void)next_is(t, '+');
    if (!take_number(t, 0, max_hours, &h))
        return false;
    if (next_is(t, ':')) {
        if (!take_number(t, 0, 59, &m) || (next_is(t, ':') && !take_number(t, 0, 59, &s)))
            return false;
    }
    *ret = sign * (h * 3600 + m * 60 + s);
    return true;
}

static bool take_change(struct text *t, struct change *ret)
{
    *ret = (struct change){.time = 2 * 3600};
    if (!next_is(t, ','))
        return false;
    bool ok;
    if (next_is(t, 'M')) {
        ret->kind = DAY_OF_MONTH;
        ok = take_number(t, 1, 12, &ret->month) && next_is(t, '.') && take_number(t, 1, 5, &ret->week) &&
             next_is(t, '.') && take_number(t, 0, 6, &ret->day);
    } else if (next_is(t, 'J')) {
        ret->kind = DAY_JULIAN;
        ok = take_number(t, 1, 365, &ret->day);
    } else {
        ret->kind = DAY_OF_YEAR;
        ok = take_number(t, 0, 365, &ret->day);
    }
    return ok && (!next_is(t, '/') || take_time(t, 167, &ret->time));
}

static bool parse_rule(struct text t, struct rule *ret)
{
    int west;
    *ret = (struct rule){0};
    if (t.p == t.end)
        return true; /* none: what held last holds */
    if (!take_name(&t) || !take_time(&t, 24, &west))
        return false;
    ret->there = true;
    ret->standard = -west;
    if (t.p == t.end)
        return true;
    ret->saves = true;
    ret->saving = ret->standard + 3600;
    if (!take_name(&t))
        return false;
    if (t.p < t.end && *t.p != ',') {
        if (!take_time(&t, 24, &west))
            return false;
        ret->saving = -west;
    }
    return take_change(&t, &ret->begin) && take_change(&t, &ret->end) && t.p == t.end;
}

static bool leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t day_of(const struct change *c, int64_t year)
{
    int64_t first = cz__days_from_civil(year, 1, 1);
    if (c->kind == DAY_OF_YEAR)
        return first + c->day;
    if (c->kind == DAY_JULIAN) /* 29 February is not counted */
        return first + c->day - 1 + (leap(year) && c->day >= 60);
    int64_t month = cz__days_from_civil(year, c->month, 1);
    int64_t next = c->month == 12 ? cz__days_from_civil(year + 1, 1, 1) : cz__days_from_civil(year, c->month + 1, 1);
    int64_t weekday = ((month + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
    int64_t day = month + (c->day - weekday + 7) % 7 + (c->week - 1) * 7;
    return day >= next ? day - 7 : day;
}

static int by_rule(const struct rule *r, int64_t at)
{
    if (!r->saves)
        return r->standard;
    int64_t local = at + r->standard;
    int64_t year = cz__year_of_day(local / DAY - (local % DAY < 0));
    int64_t begin = day_of(&r->begin, year) * DAY + r->begin.time - r->standard;
    int64_t end = day_of(&r->end, year) * DAY + r->end.time - r->saving;
    bool saving = begin < end ? at >= begin && at < end : at < end || at >= begin;
    return saving ? r->saving : r->standard;
}

int cz_timezone_offset(const struct cz_timezone *z, int64_t wall_ms)
{
    int64_t at = wall_ms / 1000 - (wall_ms % 1000 < 0);
    size_t low = 0, high = z->len; /* the first change after @at */
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (z->at[mid] > at)
            high = mid;
        else
            low = mid + 1;
    }
    if (low == z->len && z->rule.there)
        return by_rule(&z->rule, at);
    return low == 0 ? z->first : z->offsets[low - 1];
}

/* ---- the file --------------------------------------------------------------------------------- */

struct counts {
    uint32_t utc, std, leap, times, types, chars;
    int version;
};

static uint64_t big_endian(const unsigned char *p, int n)
{
    uint64_t v = 0;
    for (int i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

static bool read_header(const unsigned char *p, size_t len, struct counts *ret)
{
    if (len < HEADER || memcmp(p, "TZif", 4) != 0)
        return false;
    ret->version = p[4] ? p[4] - '0' : 1;
    uint32_t *const n[] = {&ret->utc, &ret->std, &ret->leap, &ret->times, &ret->types, &ret->chars};
    for (int i = 0; i < 6; i++) {
        *n[i] = (uint32_t)big_endian(p + 20 + 4 * i, 4);
        if (*n[i] > MAX_FILE)
            return false;
    }
    return ret->types > 0 && ret->types <= 256 && ret->leap == 0;
}

static size_t body_size(const struct counts *c, size_t time)
{
    return c->times * (time + 1) + (size_t)c->types * 6 + c->chars + c->std + c->utc;
}

/* @p: a body of @c with times of @time bytes; it is all there. */
static struct cz_timezone *read_body(const unsigned char *p, const struct counts *c, size_t time)
{
    const unsigned char *which = p + c->times * time, *types = which + c->times;
    size_t n = c->times;
    struct cz_timezone *z = cz_alloc(sizeof *z + n * sizeof *z->at + n * sizeof *z->offsets);
    z->at = (int64_t *)(void *)(z + 1);
    z->offsets = (int *)(void *)(z->at + n);
    z->first = (int32_t)big_endian(types, 4);
    z->len = n;
    bool ok = abs(z->first) <= MAX_OFFSET;
    for (size_t i = 0; ok && i < n; i++) {
        z->at[i] = time == 8 ? (int64_t)big_endian(p + i * 8, 8) : (int32_t)big_endian(p + i * 4, 4);
        ok = which[i] < c->types && (i == 0 || z->at[i] > z->at[i - 1]);
        z->offsets[i] = ok ? (int32_t)big_endian(types + (size_t)which[i] * 6, 4) : 0;
        ok = ok && abs(z->offsets[i]) <= MAX_OFFSET;
    }
    if (ok)
        return z;
    cz_free(z);
    return NULL;
}

/* "\n<rule>\n" behind the second body. */
static bool read_footer(const unsigned char *p, size_t len, struct rule *ret)
{
    const unsigned char *end = len > 1 && p[0] == '\n' ? memchr(p + 1, '\n', len - 1) : NULL;
    return end && parse_rule((struct text){(const char *)p + 1, (const char *)end}, ret);
}

static struct cz_timezone *parse(const unsigned char *p, size_t len)
{
    struct counts c;
    if (!read_header(p, len, &c) || len - HEADER < body_size(&c, 4))
        return NULL;
    if (c.version < 2)
        return read_body(p + HEADER, &c, 4);
    size_t skip = HEADER + body_size(&c, 4); /* for readers of old times */
    p += skip;
    len -= skip;
    if (!read_header(p, len, &c) || len - HEADER < body_size(&c, 8))
        return NULL;
    struct rule rule;
    size_t body = HEADER + body_size(&c, 8);
    if (!read_footer(p + body, len - body, &rule))
        return NULL;
    struct cz_timezone *z = read_body(p + HEADER, &c, 8);
    if (z)
        z->rule = rule;
    return z;
}

enum cz_err cz_timezone_parse(const void *data, size_t len, struct cz_timezone **ret, struct cz_error *err)
{
    struct cz_timezone *z = parse(data, len);
    if (!z)
        return cz_fail(err, CZ_E_PARSE, "not a time zone's file (TZif without leap seconds)");
    *ret = z;
    return CZ_OK;
}

/* ---- names ------------------------------------------------------------------------------------ */

static struct cz_mutex lock;
static struct cz_map zones = CZ_MAP_INIT(NULL);

static void init(void)
{
    cz_mutex_init(&lock);
}

static bool name_ok(const char *name)
{
    size_t n = name ? strlen(name) : 0;
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";
    return n > 0 && n <= MAX_ZONE_NAME && strspn(name, allowed) == n && name[0] != '/' && name[n - 1] != '/';
}

static enum cz_err load(const char *name, struct cz_timezone **ret, struct cz_error *err)
{
    const char *folder = getenv("TZDIR");
    folder = folder && *folder ? folder : "/usr/share/zoneinfo";
    CZ_CLEANUP(cz_freep) char *path = cz_strf("%s/%s", folder, name), *utc = cz_strf("%s/UTC", folder), *data = NULL;
    size_t len = 0;
    if (!cz_read_file(path, MAX_FILE, &data, &len, NULL))
        return cz_timezone_parse(data, len, ret, err);
    if (access(utc, R_OK) != 0)
        return cz_fail(err, CZ_E_NOT_FOUND, "no time zones are installed in %s (package tzdata)", folder);
    return cz_fail(err, CZ_E_NOT_FOUND, "there is no time zone %s", name);
}

enum cz_err cz_timezone_get(const char *name, const struct cz_timezone **ret, struct cz_error *err)
{
    if (!name_ok(name))
        return cz_fail(err, CZ_E_INVALID, "not the name of a time zone, as Europe/Berlin");
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, init);
    CZ_LOCKED(&lock);
    struct cz_timezone *z = cz_map_get(&zones, name);
    enum cz_err code = z ? CZ_OK : load(name, &z, err);
    if (code)
        return code;
    cz_map_put(&zones, name, z);
    *ret = z;
    return CZ_OK;
}
