/* SPDX-License-Identifier: Apache-2.0 */
/** Difference of two JSON documents as a flat list, one entry per place that differs. */
#include <string.h>

#include "cz/json.h"
#include "cz/report.h"

static void
add(json_t *out, const char *op, const char *at, const json_t *from, const json_t *to)
{
    json_t *one = json_object();
    cz_json_set_str(one, "op", op);
    cz_json_set_str(one, "pointer", at);
    if (from)
        (void)json_object_set_new(one, "from", json_deep_copy(from));
    if (to)
        (void)json_object_set_new(one, "to", json_deep_copy(to));
    (void)json_array_append_new(out, one);
}

static void diff(json_t *out, char *at, const json_t *from, const json_t *to);

static void diff_objects(json_t *out, char *at, const json_t *from, const json_t *to)
{
    const char *key;
    json_t *v;
    size_t depth = strlen(at);
    json_object_foreach ((json_t *)(uintptr_t)from, key, v) {
        cz_pointer_push(at, key);
        diff(out, at, v, json_object_get(to, key));
        at[depth] = '\0';
    }
    json_object_foreach ((json_t *)(uintptr_t)to, key, v) {
        cz_pointer_push(at, key);
        if (!json_object_get(from, key))
            diff(out, at, NULL, v);
        at[depth] = '\0';
    }
}

static void diff_arrays(json_t *out, char *at, const json_t *from, const json_t *to)
{
    size_t n = json_array_size(from), m = json_array_size(to), depth = strlen(at);
    for (size_t i = 0; i < n || i < m; i++) {
        cz_pointer_push_index(at, i);
        diff(out, at, i < n ? json_array_get(from, i) : NULL,
             i < m ? json_array_get(to, i) : NULL);
        at[depth] = '\0';
    }
}

static void diff(json_t *out, char *at, const json_t *from, const json_t *to)
{
    if (!from || !to) {
        if (from || to)
            add(out, from ? "remove" : "add", at, from, to);
    } else if (json_is_object(from) && json_is_object(to))
        diff_objects(out, at, from, to);
    else if (json_is_array(from) && json_is_array(to))
        diff_arrays(out, at, from, to);
    else if (!json_equal(from, to))
        add(out, "replace", at, from, to);
}

json_t *cz_json_diff(const json_t *from, const json_t *to)
{
    json_t *out = json_array();
    char at[CZ_POINTER_SIZE] = "";
    diff(out, at, from, to);
    return out;
}
