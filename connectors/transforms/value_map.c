/* SPDX-License-Identifier: Apache-2.0 */
/* Value maps compiled: see value_map.h.  The document's form was checked when it was saved
 * (cz_value_map_check); what is still wrong here is an error, not a guess. */
#include "value_map.h"

#include <string.h>

#include "cz/alloc.h"
#include "cz/json.h"

static void mapped_free(void *p)
{
    struct cz_mapped *m = p;
    if (!m)
        return;
    cz_free(m->json);
    cz_free(m->text);
    cz_free(m);
}

static struct cz_mapped *mapped_new(const json_t *to)
{
    struct cz_mapped *m = cz_alloc(sizeof *m);
    m->json = cz_json_text(to, false);
    m->json_len = strlen(m->json);
    if (json_is_string(to)) {
        m->text_len = json_string_length(to);
        m->text = cz_strndup(json_string_value(to), m->text_len);
    } else {
        m->text_len = m->json_len;
        m->text = cz_strdup(m->json);
    }
    m->partition = json_is_integer(to) ? (int32_t)json_integer_value(to) : -1;
    return m;
}

static void fill(struct cz_map *into, const json_t *entries)
{
    const char *from;
    json_t *to;
    json_object_foreach(CZ_UNCONST(entries), from, to) cz_map_put(into, from, mapped_new(to));
}

static enum cz_err add_path(struct cz_value_map *m,
                            const char *path,
                            const json_t *entries,
                            struct cz_error *err)
{
    if (!m->paths)
        m->paths = cz_json_paths_new();
    enum cz_err code = cz_json_paths_add(m->paths, path, err);
    if (code)
        return code;
    m->by_path = cz_realloc(m->by_path, (m->paths_len + 1) * sizeof *m->by_path);
    cz_map_init(&m->by_path[m->paths_len], mapped_free);
    fill(&m->by_path[m->paths_len], entries);
    m->paths_len++;
    return CZ_OK;
}

static void map_free(void *p)
{
    cz_value_map_free(p);
}

static enum cz_err
add_topics(struct cz_value_map *m, const json_t *topics, struct cz_error *err)
{
    const char *topic;
    json_t *map;
    json_object_foreach(CZ_UNCONST(topics), topic, map)
    {
        struct cz_value_map *own = NULL;
        enum cz_err code = cz_value_map_new(map, &own, err);
        if (code)
            return code;
        cz_map_put(&m->topics, topic, own);
    }
    return CZ_OK;
}

const struct cz_value_map *cz_value_map_of(const struct cz_value_map *m, const char *topic)
{
    if (!m || m->topics.len == 0)
        return m;
    const struct cz_value_map *own = cz_map_get(&m->topics, topic);
    return own ? own : m;
}

enum cz_err cz_value_map_new(const json_t *map, struct cz_value_map **ret, struct cz_error *err)
{
    struct cz_value_map *m = cz_alloc(sizeof *m);
    cz_map_init(&m->key, mapped_free);
    cz_map_init(&m->partition, mapped_free);
    cz_map_init(&m->topics, map_free);
    const char *name;
    json_t *entries;
    enum cz_err code = CZ_OK;
    json_object_foreach(CZ_UNCONST(map), name, entries)
    {
        if (code)
            break;
        if (strcmp(name, "key") == 0)
            fill(&m->key, entries);
        else if (strcmp(name, "key:partition") == 0)
            fill(&m->partition, entries);
        else if (strcmp(name, "topics") == 0)
            code = add_topics(m, entries, err);
        else if (strncmp(name, "value.", 6) == 0)
            code = add_path(m, name + 6, entries, err);
        else if (strcmp(name, "value") == 0)
            code = add_path(m, "", entries, err);
        else
            code = cz_fail(err, CZ_E_INVALID, "value map: unknown entry \"%s\"", name);
    }
    if (code) {
        cz_value_map_free(m);
        return code;
    }
    *ret = m;
    return CZ_OK;
}

void cz_value_map_free(struct cz_value_map *m)
{
    if (!m)
        return;
    cz_map_done(&m->key);
    cz_map_done(&m->partition);
    cz_map_done(&m->topics);
    cz_json_paths_free(m->paths);
    for (size_t i = 0; i < m->paths_len; i++)
        cz_map_done(&m->by_path[i]);
    cz_free(m->by_path);
    cz_free(m);
}

const struct cz_mapped *cz_value_map_find(const struct cz_map *m, const char *text, size_t len)
{
    return cz_map_getn(m, text, len);
}

bool cz_value_map_text(struct cz_jval v, struct cz_arena *arena, struct cz_slice *ret)
{
    switch ((enum cz_jtype)v.type) {
    case CZ_J_TRUE:
        *ret = (struct cz_slice){"true", 4};
        return true;
    case CZ_J_FALSE:
        *ret = (struct cz_slice){"false", 5};
        return true;
    case CZ_J_NUMBER:
        *ret = (struct cz_slice){v.u.s, v.len};
        return true;
    case CZ_J_STRING:
        if (!cz_jval_plain(arena, &v))
            return false;
        *ret = (struct cz_slice){v.u.s, v.len};
        return true;
    case CZ_J_NULL:
    case CZ_J_ARRAY:
    case CZ_J_OBJECT:
    case CZ_J_EXPREF:
        break;
    }
    return false;
}
