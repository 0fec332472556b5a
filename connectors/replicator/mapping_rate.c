/* SPDX-License-Identifier: Apache-2.0 */
/** `rate`: the table of a window, the parser of the list, and which caps hold at a moment. */
#include <string.h>

#include "cz/rate.h"
#include "cz/util.h"
#include "mapping_priv.h"

enum { DAY_MIN = 24 * 60, WEEK_DAYS = 7, ALL_DAYS = 0x7f, MAX_OFFSET_MIN = 14 * 60 };

static const char *const day_names[WEEK_DAYS] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

#define WINDOW(member) offsetof(struct cz_rate_window, member)

/** "HH:MM" → minutes; -1: not a time of the day. */
static int minutes_of(const char *s)
{
    bool shape = s && strlen(s) == 5 && s[2] == ':' && strspn(s, "0123456789:") == 5 && s[0] != ':' &&
                 s[1] != ':' && s[3] != ':' && s[4] != ':';
    if (!shape)
        return -1;
    int hours = (s[0] - '0') * 10 + s[1] - '0', minutes = (s[3] - '0') * 10 + s[4] - '0';
    return hours < 24 && minutes < 60 ? hours * 60 + minutes : -1;
}

static void parse_time(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    int *minutes = field;
    *minutes = minutes_of(json_string_value(v));
    if (*minutes < 0)
        (void)cz_report_add(rep, pointer, "value", "must be a time of the day as 22:30");
}

static void parse_tz(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    struct cz_rate_tz *tz = field;
    struct cz_error err = CZ_ERROR_INIT;
    const char *s = json_string_value(v);
    bool offset = s && (s[0] == '+' || s[0] == '-');
    int minutes = offset ? minutes_of(s + 1) : 0;
    *tz = (struct cz_rate_tz){0};
    if (!s || minutes < 0 || minutes > MAX_OFFSET_MIN)
        (void)cz_report_add(rep, pointer, "value", "must be Z, an offset from UTC as +02:00, or a time zone");
    else if (offset)
        tz->utc_offset = s[0] == '-' ? -minutes : minutes;
    else if (!cz_streq(s, "Z") && cz_timezone_get(s, &tz->zone, &err))
        (void)cz_report_add(rep, pointer, "value", "must be Z, an offset from UTC as +02:00, or a time zone: %s",
                            err.text);
}

static void parse_days(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    unsigned *days = field;
    size_t i;
    json_t *day;
    *days = 0;
    json_array_foreach ((json_t *)(uintptr_t)v, i, day) {
        int n = 0;
        while (n < WEEK_DAYS && !cz_streq(json_string_value(day), day_names[n]))
            n++;
        if (n == WEEK_DAYS) {
            *days = 0;
            break;
        }
        *days |= 1u << n;
    }
    if (*days == 0)
        (void)cz_report_add(rep, pointer, "value", "must be a list of mon, tue, wed, thu, fri, sat, sun");
}

static const struct cz_cfg_key window_table[] = {
    {.name = "from",
     .type = CZ_CFG_CUSTOM,
     .flags = CZ_CFG_REQUIRED,
     .offset = WINDOW(from),
     .parse = parse_time,
     .schema = "{\"type\":\"string\"}",
     .doc = "Begin, as 22:00."},
    {.name = "to",
     .type = CZ_CFG_CUSTOM,
     .flags = CZ_CFG_REQUIRED,
     .offset = WINDOW(to),
     .parse = parse_time,
     .schema = "{\"type\":\"string\"}",
     .doc = "End, on the next day when it is not after `from`."},
    {.name = "days",
     .type = CZ_CFG_CUSTOM,
     .offset = WINDOW(days),
     .def = "[\"mon\",\"tue\",\"wed\",\"thu\",\"fri\",\"sat\",\"sun\"]",
     .parse = parse_days,
     .schema = "{\"type\":\"array\"}",
     .doc = "Days on which it begins."},
    {.name = "tz",
     .type = CZ_CFG_CUSTOM,
     .offset = WINDOW(tz),
     .def = "\"Z\"",
     .parse = parse_tz,
     .schema = "{\"type\":\"string\"}",
     .doc = "Z, an offset from UTC as +02:00, or a zone with its daylight saving time as Europe/Berlin."},
    {.name = "records_per_second",
     .type = CZ_CFG_INT,
     .offset = WINDOW(cap.records),
     .def = "0",
     .min = 0,
     .max = CZ__MAX_RATE,
     .doc = "Records per second; 0: no cap."},
    {.name = "bytes_per_second",
     .type = CZ_CFG_INT,
     .offset = WINDOW(cap.bytes),
     .def = "0",
     .min = 0,
     .max = CZ__MAX_RATE,
     .doc = "Bytes per second; 0: no cap."},
    {0},
};

void cz__parse_windows(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    struct cz__windows *w = field;
    char at[CZ_POINTER_SIZE] = "";
    size_t n = json_array_size(v);
    if (!json_is_array(v)) {
        (void)cz_report_add(rep, pointer, "type", "must be a list of windows");
        return;
    }
    if (n > CZ_MAX_RATE_WINDOWS) {
        (void)cz_report_add(rep, pointer, "range", "at most %d windows", CZ_MAX_RATE_WINDOWS);
        return;
    }
    cz__pointer_copy(at, pointer);
    for (size_t i = 0; i < n; i++) {
        cz_pointer_push_index(at, i);
        (void)cz_cfg_parse_json(window_table, json_array_get(v, i), &w->items[i], at, rep);
        cz_pointer_pop(at);
    }
    w->len = (int)n;
}

/* ---- at a moment ---------------------------------------------------------------------------- */

static bool within(const struct cz_rate_window *w, int64_t wall_ms)
{
    int64_t minutes = wall_ms / 60000 + w->tz.utc_offset;
    if (w->tz.zone)
        minutes = (wall_ms / 1000 + cz_timezone_offset(w->tz.zone, wall_ms)) / 60;
    int at = (int)(minutes % DAY_MIN);
    int day = (int)((minutes / DAY_MIN + 3) % WEEK_DAYS); /* 1970 began on a Thursday */
    int yesterday = (day + WEEK_DAYS - 1) % WEEK_DAYS;
    bool today = w->days >> day & 1;
    if (w->from < w->to)
        return today && at >= w->from && at < w->to;
    return (today && at >= w->from) || (at < w->to && w->days >> yesterday & 1);
}

struct cz_rate_cap cz_rate_at(const struct cz_rate *r, int64_t wall_ms)
{
    for (int i = 0; i < r->windows_len; i++) {
        if (within(&r->windows[i], wall_ms))
            return r->windows[i].cap;
    }
    return r->cap;
}

bool cz_rate_limits(const struct cz_rate *r)
{
    bool limits = r->cap.records > 0 || r->cap.bytes > 0;
    for (int i = 0; i < r->windows_len; i++)
        limits |= r->windows[i].cap.records > 0 || r->windows[i].cap.bytes > 0;
    return limits;
}
