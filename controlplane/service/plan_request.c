/* SPDX-License-Identifier: Apache-2.0 */
/** The objects of a plan or an apply, as they came: which kind, which name, and what of each is the
 *  document.  What is wrong with the documents themselves is found when they are put. */
#include <string.h>

#include "service_priv.h"

void cz__plan_items_done(struct cz__plan_items *l)
{
    for (size_t i = 0; i < l->len; i++) {
        cz_free(l->items[i].pointer);
        json_decref(l->items[i].body);
    }
    cz_free(l->items);
    *l = (struct cz__plan_items){0};
}

CZ_PRINTF(5, 6)
static bool problem(struct cz_report *rep,
                    const struct cz__plan_item *it,
                    const char *below,
                    const char *code,
                    const char *fmt,
                    ...)
{
    char text[400];
    va_list ap;
    CZ_CLEANUP(cz_freep) char *at = cz_strf("%s%s", it->pointer, below);
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    (void)cz_report_add(rep, at, code, "%s", text);
    return false;
}

static bool
read_name(const json_t *o, struct cz__plan_item *it, const char *key, struct cz_report *rep)
{
    struct cz_error why = CZ_ERROR_INIT;
    CZ_CLEANUP(cz_freep) char *below = cz_strf("/%s", key);
    const json_t *v = json_object_get(o, key);
    if (!json_is_string(v))
        return problem(rep, it, below, v ? "type" : "required", "must be the name of the object");
    if (strlen(json_string_value(v)) != json_string_length(v) ||
        cz_name_check(json_string_value(v), &why))
        return problem(rep, it, below, "name", "%s", why.code ? why.text : "no NUL in a name");
    return true;
}

static bool read_item(const json_t *o, struct cz__plan_item *it, struct cz_report *rep)
{
    if (!json_is_object(o))
        return problem(rep, it, "", "type", "must be an object {kind, name, spec}");
    const json_t *kind = json_object_get(o, "kind"), *from = json_object_get(o, "renamed_from");
    bool ok = json_is_string(kind) && cz_kind_parse(json_string_value(kind), &it->kind) &&
              cz_streq(json_string_value(kind), cz_kind_name(it->kind)) && it->kind != CZ_KIND_TEAM;
    if (!ok)
        (void)problem(rep, it, "/kind", kind ? "type" : "required",
                      "must be cluster, value_map, template, instance, mapping, binding or grant");
    ok &= read_name(o, it, "name", rep);
    if (from && !json_is_null(from))
        ok &= read_name(o, it, "renamed_from", rep);
    if (!ok)
        return false;
    it->name = json_string_value(json_object_get(o, "name"));
    it->renamed_from = json_string_value(from);
    if (it->renamed_from && it->kind != CZ_KIND_MAPPING)
        return problem(rep, it, "/renamed_from", "type", "only a mapping can be renamed");
    if (it->renamed_from && strcmp(it->renamed_from, it->name) == 0)
        return problem(rep, it, "/renamed_from", "name", "is the name that it has");
    it->body = json_copy((json_t *)(uintptr_t)o);
    (void)json_object_del(it->body, "renamed_from");
    return true;
}

/** Names of objects, and former names, stand for one object each. */
static bool take_name(struct cz_map *seen,
                      const struct cz__plan_item *it,
                      const char *name,
                      const char *below,
                      struct cz_report *rep)
{
    CZ_CLEANUP(cz_freep) char *key = cz_strf("%d/%s", (int)it->kind, name);
    const struct cz__plan_item *first = cz_map_get(seen, key);
    if (first)
        return problem(rep, it, below, "duplicate", "the %s \"%.200s\" is in %s too",
                       cz_kind_name(it->kind), name, first->pointer);
    cz_map_put(seen, key, (void *)(uintptr_t)it);
    return true;
}

bool cz__plan_items(const json_t *objects, struct cz__plan_items *ret, struct cz_report *rep)
{
    struct cz_map seen = CZ_MAP_INIT(NULL);
    struct cz__plan_items l = {.items = cz_alloc_array(json_array_size(objects) + 1, sizeof *l.items)};
    const json_t *o;
    size_t i;
    bool ok = true;
    json_array_foreach ((json_t *)(uintptr_t)objects, i, o) {
        struct cz__plan_item *it = &l.items[l.len++];
        it->pointer = cz_strf("/objects/%zu", i);
        bool good = read_item(o, it, rep);
        if (good)
            good = take_name(&seen, it, it->name, "/name", rep);
        if (good && it->renamed_from)
            good = take_name(&seen, it, it->renamed_from, "/renamed_from", rep);
        ok &= good;
    }
    cz_map_done(&seen);
    if (ok)
        *ret = l;
    else
        cz__plan_items_done(&l);
    return ok;
}
