/* SPDX-License-Identifier: Apache-2.0 */
/** What a value map may hold: paths into the record, and per path old value → new value. */
#include <inttypes.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/limits.h"
#include "cz/util.h"
#include "mapping_priv.h"

#define DROP_RECORD (-1000)

enum target { TO_KEY, TO_VALUE, TO_PARTITION, TO_NOTHING };

/** "key", "key:partition" or "value" and a path of non-empty names. */
static enum target target_of(const char *path)
{
    if (cz_streq(path, "key"))
        return TO_KEY;
    if (cz_streq(path, "key:partition"))
        return TO_PARTITION;
    if (strncmp(path, "value.", 6) != 0)
        return TO_NOTHING;
    for (const char *p = path + 5; *p; p++) {
        if (*p == '.' && (p[1] == '.' || p[1] == '\0'))
            return TO_NOTHING;
    }
    return TO_VALUE;
}

static void check_entry(enum target to, const json_t *v, const char *at, struct cz_report *rep)
{
    if (to == TO_KEY && !json_is_string(v) && !json_is_number(v))
        (void)cz_report_add(rep, at, "type", "the new key must be a string or a number");
    if (to != TO_PARTITION)
        return;
    json_int_t n = json_integer_value(v);
    if (!json_is_integer(v) || n > INT32_MAX || (n < 0 && n != DROP_RECORD))
        (void)cz_report_add(rep, at, "range",
                            "must be a partition number, or %d to drop the record",
                            DROP_RECORD);
}

/* What stands under one path. */
static size_t
check_path(const char *path, const json_t *entries, char *at, struct cz_report *rep)
{
    const char *old;
    json_t *v;
    enum target to = target_of(path);
    if (to == TO_NOTHING) {
        (void)cz_report_add(rep, at, "value",
                            "must be key, key:partition, value.<path> or topics");
        return 0;
    }
    if (!json_is_object(entries)) {
        (void)cz_report_add(rep, at, "type", "must be an object {\"<old>\": <new>}");
        return 0;
    }
    json_object_foreach ((json_t *)(uintptr_t)entries, old, v) {
        size_t inner = strlen(at);
        cz_pointer_push(at, old);
        check_entry(to, v, at, rep);
        at[inner] = '\0';
    }
    return json_object_size(entries);
}

static size_t check_topics(const json_t *topics, char *at, struct cz_report *rep);

/* Returns the number of entries. */
static size_t check_map(const json_t *map, bool may_list, char *at, struct cz_report *rep)
{
    const char *path;
    json_t *entries;
    size_t total = 0;
    if (!json_is_object(map)) {
        (void)cz_report_add(rep, at, "type",
                            "must be an object {\"<path>\": {\"<old>\": <new>}}");
        return 0;
    }
    json_object_foreach ((json_t *)(uintptr_t)map, path, entries) {
        size_t depth = strlen(at);
        cz_pointer_push(at, path);
        total += may_list && cz_streq(path, "topics") ? check_topics(entries, at, rep)
                                                      : check_path(path, entries, at, rep);
        at[depth] = '\0';
    }
    return total;
}

static size_t check_topics(const json_t *topics, char *at, struct cz_report *rep)
{
    const char *topic;
    json_t *map;
    size_t total = 0;
    if (!json_is_object(topics))
        (void)cz_report_add(rep, at, "type", "must be an object {\"<topic>\": <map>}");
    json_object_foreach ((json_t *)(uintptr_t)topics, topic, map) {
        size_t depth = strlen(at);
        cz_pointer_push(at, topic);
        total += check_map(map, false, at, rep);
        at[depth] = '\0';
    }
    return total;
}

void cz_value_map_check(const json_t *map, const char *pointer, struct cz_report *rep)
{
    char at[CZ_POINTER_SIZE] = "";
    cz__pointer_copy(at, pointer);
    if (check_map(map, true, at, rep) > CZ_MAX_VALUE_MAP_ENTRIES)
        (void)cz_report_add(rep, pointer, "range", "at most %d entries",
                            CZ_MAX_VALUE_MAP_ENTRIES);
}
