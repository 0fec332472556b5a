/* SPDX-License-Identifier: Apache-2.0 */
/** What a change of a mapping means for its tasks.  The worker (which compares resolved specs) and the
 *  plan of a change (which compares written ones) use the same list. */
#include <string.h>

#include "cz/json.h"
#include "cz/mapping_spec.h"

const char *const cz_mapping_live_fields[] = {
    "valid_jmespath", "sample",       "value_map", "mask",         "mask_secret", "transform_jmespath",
    "key_format",     "value_format", "validate",  "partitioning", "rate",        NULL};

/* What a task does not know of: "tasks" is the assignment's business. */
static const char *const UNSEEN[] = {"enabled", "tasks", "tests", "verify_seconds", NULL};

static bool listed(const char *const *list, const char *name)
{
    while (*list && strcmp(*list, name) != 0)
        list++;
    return *list != NULL;
}

static bool some_differ(const json_t *a, const json_t *b)
{
    const char *key;
    json_t *v;
    json_object_foreach ((json_t *)(uintptr_t)a, key, v) {
        const json_t *other = json_object_get(b, key);
        if (!listed(cz_mapping_live_fields, key) && !listed(UNSEEN, key) &&
            !(other && json_equal(v, other)))
            return true;
    }
    return false;
}

bool cz_mapping_restarts(const json_t *before, const json_t *after)
{
    const char *offset = cz_json_str(json_object_get(after, "on_change"), "offset", "keep");
    if (strcmp(offset, "keep") != 0 && !json_equal(before, after))
        return true;
    return some_differ(before, after) || some_differ(after, before);
}
