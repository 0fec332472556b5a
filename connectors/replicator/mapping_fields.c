/* SPDX-License-Identifier: Apache-2.0 */
/** The parsers of a mapping's fields that have more than one shape, and the checks of single
 *  fields beyond type and range. */
#include <math.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/jmespath.h"
#include "cz/json.h"
#include "cz/limits.h"
#include "cz/time.h"
#include "cz/topic_pattern.h"
#include "cz/util.h"
#include "mapping_priv.h"

#define KAFKA_TOPIC_MAX 249

static void wrong_type(const char *pointer, struct cz_report *rep, const char *want)
{
    (void)cz_report_add(rep, pointer, "type", "must be %s", want);
}

/* ---- topics -------------------------------------------------------------------------------
 */

bool cz__topic_name_ok(const char *name, const char **ret_why)
{
    size_t n = strlen(name);
    *ret_why = NULL;
    if (n == 0)
        *ret_why = "a topic name cannot be empty";
    else if (n > KAFKA_TOPIC_MAX)
        *ret_why = "a topic name has at most 249 characters";
    else if (cz_streq(name, ".") || cz_streq(name, ".."))
        *ret_why = "a topic cannot be named '.' or '..'";
    else if (strspn(name,
                    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != n)
        *ret_why = "a topic name has only letters, digits, '.', '_' and '-'";
    return *ret_why == NULL;
}

void cz__topic_check(const char *name, const char *pointer, struct cz_report *rep)
{
    const char *why;
    if (!cz__topic_name_ok(name, &why))
        (void)cz_report_add(rep, pointer, "topic-name", "%s", why);
}

void cz__check_topic(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    (void)field;
    if (json_is_string(v))
        cz__topic_check(json_string_value(v), pointer, rep);
}

void cz__check_pattern(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    struct cz_topic_pattern *p = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    (void)field;
    if (json_is_string(v) && cz_topic_pattern_new(json_string_value(v), NULL, &p, &err))
        (void)cz_report_add(rep, pointer, "pattern", "%s", err.text);
    cz_topic_pattern_free(p);
}

void cz__check_exclude(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    struct cz_topic_pattern *p = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    (void)field;
    if (!json_is_array(v))
        wrong_type(pointer, rep, "a list of regular expressions");
    else if (cz_topic_pattern_new(".", v, &p, &err))
        (void)cz_report_add(rep, pointer, "pattern", "%s", err.text);
    cz_topic_pattern_free(p);
}

/** A target's topic may hold {{topic}}: only what stands around it can be checked here. */
void cz__check_target_topic(const json_t *v,
                            void *field,
                            const char *pointer,
                            struct cz_report *rep)
{
    (void)field;
    const char *s = json_string_value(v);
    if (s && !strstr(s, "{{"))
        cz__topic_check(s, pointer, rep);
}

static void parse_pair(const json_t *v, struct cz__pairs *out, char *at, struct cz_report *rep)
{
    static const char *const members[] = {"source", "target"};
    const char *name[2] = {NULL, NULL};
    if (!json_is_object(v)) {
        wrong_type(at, rep, "an object {source, target}");
        return;
    }
    const char *key;
    json_t *member;
    json_object_foreach ((json_t *)(uintptr_t)v, key, member) {
        cz_pointer_push(at, key);
        int i = cz_streq(key, members[0]) ? 0 : cz_streq(key, members[1]) ? 1 : -1;
        if (i < 0)
            (void)cz_report_add(rep, at, "unknown-field",
                                "unknown field; a pair has source and target");
        else if (!json_is_string(member))
            wrong_type(at, rep, "a string");
        else {
            name[i] = json_string_value(member);
            if (i == 0)
                cz__topic_check(name[i], at, rep);
            else
                cz__check_target_topic(member, NULL, at, rep);
        }
        cz_pointer_pop(at);
    }
    if (!name[0] && !json_object_get(v, "source")) {
        cz_pointer_push(at, "source");
        (void)cz_report_add(rep, at, "required", "a source topic is required");
        cz_pointer_pop(at);
    }
    out->items[out->len].source = cz_strdup(name[0] ? name[0] : "");
    out->items[out->len].target = cz_strdup(name[1]);
    out->len++;
}

void cz__parse_pairs(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    struct cz__pairs *p = field;
    if (!json_is_array(v)) {
        wrong_type(pointer, rep, "a list of {source, target}");
        return;
    }
    size_t n = json_array_size(v);
    if (n > CZ_MAX_TOPIC_PAIRS) {
        (void)cz_report_add(rep, pointer, "range", "at most %d pairs", CZ_MAX_TOPIC_PAIRS);
        return;
    }
    p->items = cz_alloc_array(n ? n : 1, sizeof *p->items);
    char at[CZ_POINTER_SIZE] = "";
    cz__pointer_copy(at, pointer);
    for (size_t i = 0; i < n; i++) {
        cz_pointer_push_index(at, i);
        parse_pair(json_array_get(v, i), p, at, rep);
        cz_pointer_pop(at);
    }
}

void cz__done_pairs(void *field)
{
    struct cz__pairs *p = field;
    for (size_t i = 0; i < p->len; i++) {
        cz_free(p->items[i].source);
        cz_free(p->items[i].target);
    }
    cz_free(p->items);
    *p = (struct cz__pairs){0};
}

/* ---- start and end --------------------------------------------------------------------------------
 */

static void
parse_timestamp(const json_t *v, int64_t *ms, const char *pointer, struct cz_report *rep)
{
    if (json_is_integer(v) && json_integer_value(v) >= 0)
        *ms = json_integer_value(v);
    else if (!json_is_string(v) ||
             (!cz_rfc3339_parse(json_string_value(v), ms) &&
              !cz_parse_i64(json_string_value(v), ms)) ||
             *ms < 0)
        (void)cz_report_add(
            rep, pointer, "value",
            "must be a time as 2026-11-22T20:33:46Z, or milliseconds since 1970");
}

static void parse_offsets(const json_t *v, json_t **ret, char *at, struct cz_report *rep)
{
    const char *key;
    json_t *off;
    if (!json_is_object(v) || json_object_size(v) == 0) {
        wrong_type(at, rep,
                   "an object {\"<partition>\": \"<offset>\"} with at least one entry");
        return;
    }
    json_object_foreach ((json_t *)(uintptr_t)v, key, off) {
        int64_t p = -1, o = -1;
        cz_pointer_push(at, key);
        if (!cz_parse_i64(key, &p) || p < 0 || p > INT32_MAX)
            (void)cz_report_add(rep, at, "value", "the name must be a partition number");
        if (json_is_string(off) && !cz_parse_i64(json_string_value(off), &o))
            o = -1;
        else if (json_is_integer(off))
            o = json_integer_value(off);
        if (o < 0)
            (void)cz_report_add(rep, at, "value", "must be an offset, 0 or more, as a string");
        cz_pointer_pop(at);
    }
    *ret = json_deep_copy(v);
}

static void
parse_start_object(const json_t *v, struct cz__start *s, char *at, struct cz_report *rep)
{
    const char *key;
    json_t *member;
    if (json_object_size(v) != 1) {
        wrong_type(at, rep, "{timestamp: …} or {offsets: …}");
        return;
    }
    json_object_foreach ((json_t *)(uintptr_t)v, key, member) {
        cz_pointer_push(at, key);
        if (cz_streq(key, "timestamp")) {
            s->how = CZ_START_TIMESTAMP;
            parse_timestamp(member, &s->ms, at, rep);
        } else if (cz_streq(key, "offsets")) {
            s->how = CZ_START_OFFSETS;
            parse_offsets(member, &s->offsets, at, rep);
        } else
            (void)cz_report_add(rep, at, "unknown-field",
                                "unknown field; timestamp or offsets");
        cz_pointer_pop(at);
    }
}

void cz__parse_start(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    struct cz__start *s = field;
    const char *word = json_string_value(v);
    char at[CZ_POINTER_SIZE] = "";
    cz__pointer_copy(at, pointer);
    if (json_is_object(v))
        parse_start_object(v, s, at, rep);
    else if (cz_streq(word, "committed"))
        s->how = CZ_START_COMMITTED;
    else if (cz_streq(word, "earliest"))
        s->how = CZ_START_EARLIEST;
    else if (cz_streq(word, "latest"))
        s->how = CZ_START_LATEST;
    else
        (void)cz_report_add(
            rep, pointer, "value",
            "must be committed, earliest, latest, {timestamp: …} or {offsets: …}");
}

void cz__done_start(void *field)
{
    struct cz__start *s = field;
    json_decref(s->offsets);
    s->offsets = NULL;
}

void cz__parse_end(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    struct cz__stop *e = field;
    const char *word = json_string_value(v);
    const json_t *timestamp = json_object_get(v, "timestamp"), *offsets = json_object_get(v, "offsets");
    char at[CZ_POINTER_SIZE] = "";
    if (cz_streq(word, "none")) {
        e->how = CZ_END_NONE;
    } else if (cz_streq(word, "now")) {
        e->how = CZ_END_NOW;
    } else if (timestamp && json_object_size(v) == 1) {
        cz__pointer_copy(at, pointer);
        cz_pointer_push(at, "timestamp");
        e->how = CZ_END_TIMESTAMP;
        parse_timestamp(timestamp, &e->ms, at, rep);
    } else if (offsets && json_object_size(v) == 1) {
        cz__pointer_copy(at, pointer);
        cz_pointer_push(at, "offsets");
        e->how = CZ_END_OFFSETS;
        parse_offsets(offsets, &e->offsets, at, rep);
    } else {
        (void)cz_report_add(rep, pointer, "value", "must be none, now, {timestamp: …} or {offsets: …}");
    }
}

void cz__done_end(void *field)
{
    struct cz__stop *e = field;
    json_decref(e->offsets);
    e->offsets = NULL;
}

/* ---- replay -------------------------------------------------------------------------------
 */

void cz__parse_shift(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    struct cz__shift *s = field;
    const char *word = json_string_value(v);
    s->how = cz_streq(word, "now") ? 1 : json_is_integer(v) ? 2 : 0; /* as enum cz_shift */
    s->ms = json_integer_value(v);
    if (!cz_streq(word, "none") && !cz_streq(word, "now") && !json_is_integer(v))
        (void)cz_report_add(rep, pointer, "value", "must be none, now or a number of milliseconds");
}

void cz__parse_moment(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    struct cz__moment *m = field;
    m->given = !json_is_null(v);
    if (m->given)
        parse_timestamp(v, &m->ms, pointer, rep);
}

/* ---- the other fields of more than one shape ----------------------------------------------
 */

void cz__parse_on_error(const json_t *v,
                        void *field,
                        const char *pointer,
                        struct cz_report *rep)
{
    struct cz__on_error *e = field;
    const char *word = json_string_value(v);
    const json_t *topic = json_object_get(v, "dead_letter");
    if (cz_streq(word, "stop"))
        e->how = CZ_ON_ERROR_STOP;
    else if (cz_streq(word, "skip"))
        e->how = CZ_ON_ERROR_SKIP;
    else if (json_object_size(v) == 1 && json_is_string(topic)) {
        char at[CZ_POINTER_SIZE] = "";
        cz__pointer_copy(at, pointer);
        cz_pointer_push(at, "dead_letter");
        cz__topic_check(json_string_value(topic), at, rep);
        e->how = CZ_ON_ERROR_DEAD_LETTER;
        e->topic = cz_strdup(json_string_value(topic));
    } else
        (void)cz_report_add(rep, pointer, "value",
                            "must be stop, skip or {dead_letter: <topic>}");
}

void cz__done_on_error(void *field)
{
    cz_freep(&((struct cz__on_error *)field)->topic);
}

void cz__parse_value_map(const json_t *v,
                         void *field,
                         const char *pointer,
                         struct cz_report *rep)
{
    struct cz__value_map *m = field;
    if (json_is_null(v))
        return;
    if (json_is_object(v)) {
        cz_value_map_check(v, pointer, rep);
        m->map = json_deep_copy(v);
    } else if (json_is_string(v)) {
        struct cz_error err = CZ_ERROR_INIT;
        if (cz_name_check(json_string_value(v), &err) != CZ_OK)
            (void)cz_report_add(rep, pointer, "name", "%s", err.text);
        m->ref = cz_strdup(json_string_value(v));
    } else
        wrong_type(pointer, rep, "the name of a value map, or a map itself");
}

void cz__done_value_map(void *field)
{
    struct cz__value_map *m = field;
    cz_freep(&m->ref);
    json_decref(m->map);
    m->map = NULL;
}

void cz__parse_tasks(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    int64_t *tasks = field;
    if (cz_streq(json_string_value(v), "auto"))
        *tasks = 0;
    else if (json_is_integer(v) && json_integer_value(v) >= 1 &&
             json_integer_value(v) <= CZ_MAX_TASKS)
        *tasks = json_integer_value(v);
    else
        (void)cz_report_add(rep, pointer, "range", "must be auto, or a number from 1 to %d",
                            CZ_MAX_TASKS);
}

void cz__check_filter(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    (void)field;
    if (!json_is_string(v))
        return;
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_jmespath *x = NULL;
    if (cz_jmespath_compile(json_string_value(v), json_string_length(v), &x, &err) != CZ_OK)
        (void)cz_report_add(rep, pointer, "jmespath", "%s", err.text);
    cz_jmespath_free(x);
}

void cz__check_percent(const json_t *v,
                       void *field,
                       const char *pointer,
                       struct cz_report *rep)
{
    (void)field;
    double units = json_number_value(v) * CZ__UNITS_PER_PERCENT;
    if (json_is_number(v) && fabs(units - round(units)) > 1e-6)
        (void)cz_report_add(rep, pointer, "value", "must have at most 4 decimals");
}

void cz__check_sample_by(const json_t *v,
                         void *field,
                         const char *pointer,
                         struct cz_report *rep)
{
    const char *s = json_string_value(v);
    if (!cz_streq(s, "key") && !cz_streq(s, "record"))
        cz__check_filter(v, field, pointer, rep);
}

void cz__check_group(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    (void)field;
    const char *s = json_string_value(v);
    if (!s)
        return;
    bool control = false;
    for (const char *p = s; *p; p++)
        control |= (unsigned char)*p < 0x20 || *p == 0x7f;
    if (control)
        (void)cz_report_add(rep, pointer, "value", "a group name has no control characters");
}

void cz__check_group_patterns(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    size_t i;
    json_t *p;
    (void)field;
    json_array_foreach (v, i, p) {
        CZ_CLEANUP(cz_freep) char *at = cz_strf("%s/%zu", pointer, i);
        if (!json_is_string(p) || json_string_length(p) == 0)
            (void)cz_report_add(rep, at, "type", "must be the name of a group, or a pattern of names");
        else
            cz__check_group(p, NULL, at, rep);
    }
    if (v && !json_is_array(v))
        (void)cz_report_add(rep, pointer, "type", "must be a list of names");
}

