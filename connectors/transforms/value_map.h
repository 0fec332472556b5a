/* SPDX-License-Identifier: Apache-2.0 */
/** Value maps compiled (private to libcz_transforms).  Lookup is by the text form of the current
 *  value (a string's content, a number's or literal's text); an unmapped value, a missing path and
 *  a null stay as they are; the new value keeps its JSON type. */
#ifndef CZ_VALUE_MAP_H
#define CZ_VALUE_MAP_H

#include <jansson.h>

#include "cz/jmespath.h"
#include "cz/map.h"

#define CZ_PARTITION_DROP (-1000)

struct cz_value_map {
    struct cz_map key;          /* text → struct cz_mapped */
    struct cz_map partition;    /* source key text → struct cz_mapped (.partition) */
    struct cz_json_paths *paths; /* of the value; NULL: none */
    struct cz_map *by_path;     /* one map per path number */
    size_t paths_len;
    struct cz_map topics;       /* source topic → struct cz_value_map, used instead of this one */
};
struct cz_mapped {
    char *json;    /* replacement as JSON text */
    size_t json_len;
    char *text;    /* as a raw key: a string's content, else the JSON text */
    size_t text_len;
    int32_t partition;
};

enum cz_err cz_value_map_new(const json_t *map, struct cz_value_map **ret, struct cz_error *err);
void cz_value_map_free(struct cz_value_map *m);
/** The map for records of @topic: its own, else @m. @m may be NULL. */
const struct cz_value_map *cz_value_map_of(const struct cz_value_map *m, const char *topic);
const struct cz_mapped *cz_value_map_find(const struct cz_map *m, const char *text, size_t len);
/** The value's text form for the lookup; false: it has none (null, array, object). @arena for
 *  strings with escapes. */
bool cz_value_map_text(struct cz_jval v, struct cz_arena *arena, struct cz_slice *ret);

#endif
