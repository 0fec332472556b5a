/* SPDX-License-Identifier: Apache-2.0 */
/** Where a request moves the positions of a mapping: reading the request, and the arithmetic. */
#include <inttypes.h>
#include <string.h>

#include "cz/time.h"
#include "offsets_priv.h"

/* ---- the request ---------------------------------------------------------------------------- */

static bool number(const json_t *v, int64_t *ret)
{
    if (json_is_integer(v)) {
        *ret = json_integer_value(v);
        return true;
    }
    return json_is_string(v) && cz_parse_i64(json_string_value(v), ret);
}

static void parse_timestamp(const json_t *v, struct cz__move *m, struct cz_report *rep)
{
    bool ok = number(v, &m->number) ||
              (json_is_string(v) && cz_rfc3339_parse(json_string_value(v), &m->number));
    if (!ok || m->number < 0)
        (void)cz_report_add(rep, "/to/timestamp", "value",
                            "must be a time as 2026-11-22T18:00:00Z, or milliseconds since 1970");
}

static void parse_object(const json_t *to, struct cz__move *m, struct cz_report *rep)
{
    const json_t *timestamp = json_object_get(to, "timestamp"),
                 *offsets = json_object_get(to, "offsets"), *shift = json_object_get(to, "shift");
    if (json_object_size(to) != 1 || !(timestamp || offsets || shift)) {
        (void)cz_report_add(rep, "/to", "value", "must be one of timestamp, offsets and shift");
    } else if (timestamp) {
        m->kind = CZ__MOVE_TIMESTAMP;
        parse_timestamp(timestamp, m, rep);
    } else if (shift) {
        m->kind = CZ__MOVE_SHIFT;
        if (!number(shift, &m->number))
            (void)cz_report_add(rep, "/to/shift", "type", "must be a number of records, < 0: back");
    } else {
        m->kind = CZ__MOVE_OFFSETS;
        m->offsets = offsets;
        if (!json_is_object(offsets) || json_object_size(offsets) == 0)
            (void)cz_report_add(rep, "/to/offsets", "type",
                                "must be {\"<partition>\": <offset>}, below the topic's name when the "
                                "mapping has several");
    }
}

static void parse_partitions(const json_t *list, struct cz_report *rep)
{
    size_t i;
    json_t *v;
    if (!json_is_array(list) || json_array_size(list) == 0)
        (void)cz_report_add(rep, "/partitions", "type", "must be a list of numbers");
    json_array_foreach (list, i, v) {
        CZ_CLEANUP(cz_freep) char *at = cz_strf("/partitions/%zu", i);
        if (!json_is_integer(v) || json_integer_value(v) < 0)
            (void)cz_report_add(rep, at, "type", "must be the number of a partition");
    }
}

void cz__move_parse(const json_t *body, struct cz__move *ret, struct cz_report *rep)
{
    const json_t *to = json_object_get(body, "to"), *topic = json_object_get(body, "topic");
    *ret = (struct cz__move){.topic = json_string_value(topic),
                             .partitions = json_object_get(body, "partitions")};
    const char *word = json_string_value(to), *key;
    json_t *v;
    json_object_foreach ((json_t *)(uintptr_t)body, key, v) {
        char at[CZ_POINTER_SIZE] = "";
        cz_pointer_push(at, key);
        if (!cz_streq(key, "to") && !cz_streq(key, "topic") && !cz_streq(key, "partitions"))
            (void)cz_report_add(rep, at, "unknown-field", "unknown field");
    }
    if (json_is_object(to))
        parse_object(to, ret, rep);
    else if (cz_streq(word, "latest"))
        ret->kind = CZ__MOVE_LATEST;
    else if (cz_streq(word, "earliest"))
        ret->kind = CZ__MOVE_EARLIEST;
    else
        (void)cz_report_add(rep, "/to", to ? "value" : "required",
                            "must be earliest, latest, {timestamp}, {offsets} or {shift}");
    if (topic && !ret->topic)
        (void)cz_report_add(rep, "/topic", "type", "must be the name of a source topic");
    if (ret->partitions)
        parse_partitions(ret->partitions, rep);
}

char *cz__move_text(const struct cz__move *m)
{
    char at[CZ_RFC3339_SIZE];
    switch (m->kind) {
    case CZ__MOVE_EARLIEST:
        return cz_strdup("earliest");
    case CZ__MOVE_LATEST:
        return cz_strdup("latest");
    case CZ__MOVE_TIMESTAMP:
        return cz_strdup(cz_rfc3339(m->number, at));
    case CZ__MOVE_SHIFT:
        return cz_strf("%" PRId64 " records %s", m->number < 0 ? -m->number : m->number,
                       m->number < 0 ? "back" : "ahead");
    case CZ__MOVE_OFFSETS:
    default:
        return cz_strdup("given offsets");
    }
}

/* ---- the arithmetic -------------------------------------------------------------------------- */

static bool listed(const json_t *partitions, int32_t p)
{
    size_t i;
    json_t *v;
    if (!partitions)
        return true;
    json_array_foreach (partitions, i, v) {
        if (json_integer_value(v) == p)
            return true;
    }
    return false;
}

/* {"0":…} or {"<topic>":{"0":…}}; *ret_at where it stands. */
static const json_t *given(const struct cz__move *m, const struct cz__position *p, char *ret_at)
{
    char name[16];
    (void)snprintf(name, sizeof name, "%d", (int)p->partition);
    const json_t *of = json_object_get(m->offsets, p->topic);
    snprintf(ret_at, CZ_POINTER_SIZE, "/to/offsets");
    if (json_is_object(of))
        cz_pointer_push(ret_at, p->topic);
    cz_pointer_push(ret_at, name);
    return json_object_get(json_is_object(of) ? of : m->offsets, name);
}

static void to_given(const struct cz__move *m, struct cz__position *p, size_t *used, struct cz_report *rep)
{
    char at[CZ_POINTER_SIZE];
    int64_t to = -1;
    const json_t *v = given(m, p, at);
    p->chosen &= v != NULL;
    if (!p->chosen)
        return;
    ++*used;
    if (!number(v, &to) || to < 0)
        (void)cz_report_add(rep, at, "value", "must be an offset");
    else if (to < p->start || to > p->end)
        (void)cz_report_add(rep, at, "range",
                            "the log has the offsets %" PRId64 " to %" PRId64 " (its end)", p->start, p->end);
    p->to = to;
}

static int64_t shifted(const struct cz__position *p, int64_t by)
{
    /* Never committed: from where it would begin, the end. */
    int64_t to;
    if (__builtin_add_overflow(p->committed >= 0 ? p->committed : p->end, by, &to))
        return by < 0 ? p->start : p->end;
    return to < p->start ? p->start : to > p->end ? p->end : to;
}

static size_t count_given(const json_t *offsets)
{
    size_t n = 0;
    const char *key;
    json_t *v;
    json_object_foreach ((json_t *)(uintptr_t)offsets, key, v)
        n += json_is_object(v) ? json_object_size(v) : 1;
    return n;
}

/* The same partition of several topics must not be meant by one number. */
static void check_ambiguous(const struct cz__move *m, const struct cz__position *p, size_t n, struct cz_report *rep)
{
    for (size_t i = 1; i < n; i++) {
        bool other = p[i].chosen && p[0].chosen && !cz_streq(p[i].topic, p[0].topic);
        if (other && !json_is_object(json_object_get(m->offsets, p[i].topic)) &&
            !json_is_object(json_object_get(m->offsets, p[0].topic))) {
            (void)cz_report_add(rep, "/to/offsets", "value",
                                "the mapping reads several topics: put the partitions below the topic's name");
            return;
        }
    }
}

void cz__move_apply(const struct cz__move *m, struct cz__position *p, size_t n, struct cz_report *rep)
{
    size_t chosen = 0, used = 0;
    for (size_t i = 0; i < n; i++) {
        p[i].chosen = (!m->topic || cz_streq(m->topic, p[i].topic)) && listed(m->partitions, p[i].partition);
        chosen += p[i].chosen;
    }
    if (chosen == 0) {
        (void)cz_report_add(rep, m->topic ? "/topic" : "/partitions", "not-found",
                            "the mapping reads no such %s", m->topic ? "topic and partition" : "partition");
        return;
    }
    if (m->kind == CZ__MOVE_OFFSETS)
        check_ambiguous(m, p, n, rep);
    for (size_t i = 0; i < n; i++) {
        if (!p[i].chosen)
            continue;
        if (m->kind == CZ__MOVE_OFFSETS)
            to_given(m, &p[i], &used, rep);
        else if (m->kind == CZ__MOVE_SHIFT)
            p[i].to = shifted(&p[i], m->number);
        else
            p[i].to = m->kind == CZ__MOVE_LATEST ? p[i].end : p[i].start;
    }
    if (m->kind == CZ__MOVE_OFFSETS && cz_report_ok(rep) && used < count_given(m->offsets))
        (void)cz_report_add(rep, "/to/offsets", "not-found",
                            "%zu of %zu given partitions are not read by the mapping, or not asked for",
                            count_given(m->offsets) - used, count_given(m->offsets));
}
