/* SPDX-License-Identifier: Apache-2.0 */
#include "seed_form.h"

#include <string.h>

#include "api_priv.h"

/* Where a problem of the native document lies in the flat one; longest first where one begins
 * another. */
static const struct {
    const char *native, *flat;
} PLACES[] = {
    {"/spec/source/topic", "/source_topic_name"},
    {"/spec/source/file", "/source_topic_name"},
    {"/spec/target/topic", "/target_topic_name"},
    {"/spec/target/file", "/target_topic_name"},
    {"/spec/source/cluster", "/source_is_file"},
    {"/spec/target/cluster", "/target_is_file"},
    {"/spec", ""},
};

char *cz__seed_place(const char *native)
{
    for (size_t i = 0; i < sizeof(PLACES) / sizeof(PLACES[0]); i++) {
        size_t n = strlen(PLACES[i].native);
        if (strncmp(native, PLACES[i].native, n) == 0 && (!native[n] || native[n] == '/'))
            return cz_strf("%s%s", PLACES[i].flat, native + n);
    }
    return cz_strdup(native);
}

void cz__seed_report(const struct cz_report *native, struct cz_report *rep)
{
    for (size_t i = 0; i < native->len; i++) {
        const struct cz_problem *p = &native->items[i];
        char *at = cz__seed_place(p->pointer);
        (void)cz_report_add(rep, at, p->code, "%s", p->message);
        cz_free(at);
    }
}

void cz__seed_warnings(json_t *warnings)
{
    size_t i;
    json_t *one;
    json_array_foreach (warnings, i, one) {
        const char *native = json_string_value(json_object_get(one, "pointer"));
        char *at = native ? cz__seed_place(native) : NULL;
        if (at)
            (void)json_object_set_new(one, "pointer", json_string(at));
        cz_free(at);
    }
}

/* null is as good as absent. */
static json_t *field(const json_t *o, const char *name)
{
    json_t *v = json_object_get(o, name);
    return json_is_null(v) ? NULL : v;
}

static void check_flag(const json_t *flat, const char *name, struct cz_report *rep)
{
    char at[CZ_POINTER_SIZE] = "";
    cz_pointer_push(at, name);
    if (field(flat, name) && !json_is_boolean(field(flat, name)))
        (void)cz_report_add(rep, at, "type", "must be true or false");
}

void cz__seed_check(const json_t *flat, const char *name, struct cz_report *rep)
{
    static const char *const names[] = {"name",
                                        "group",
                                        "enabled",
                                        "source_topic_name",
                                        "target_topic_name",
                                        "valid_jmespath",
                                        "source_is_file",
                                        "target_is_file",
                                        "topics",
                                        "target_service_consumer_group",
                                        NULL};
    static const char *const ends[] = {"source_topic_name", "target_topic_name"};
    const json_t *own = field(flat, "name");
    cz__api_known(flat, names, rep);
    if (own && (!json_is_string(own) || !cz_streq(json_string_value(own), name)))
        (void)cz_report_add(rep, "/name", "name", "must be the name in the path: %s", name);
    check_flag(flat, "source_is_file", rep);
    check_flag(flat, "target_is_file", rep);
    for (size_t i = 0; i < 2; i++) {
        char at[CZ_POINTER_SIZE] = "";
        cz_pointer_push(at, ends[i]);
        if (!field(flat, ends[i]) && !field(flat, "topics"))
            (void)cz_report_add(rep, at, "required", "is needed, unless topics lists pairs");
    }
}

static void set(json_t *o, const char *key, json_t *v, bool create)
{
    if (v)
        (void)json_object_set(o, key, v);
    else if (!create)
        (void)json_object_set_new(o, key, json_null());
}

/* source or target: the flat form has one name, which is_file makes a file's, and then there is no
 * cluster.  One that was chosen in the native form is kept. */
static json_t *end_of(const json_t *flat,
                      const char *cluster,
                      const char *name,
                      const char *is_file,
                      bool create,
                      const json_t *current)
{
    json_t *o = json_object();
    bool file = json_is_true(field(flat, is_file));
    const json_t *now = json_object_get(json_object_get(current, "spec"), cluster);
    if (!file && (create || (current && !field(now, "cluster"))))
        (void)json_object_set_new(o, "cluster", json_string(cluster));
    else if (file && !create)
        (void)json_object_set_new(o, "cluster", json_null());
    set(o, "topic", file ? NULL : field(flat, name), create);
    if (file && !field(flat, name)) /* all names of that end in `topics` are files' */
        (void)json_object_set_new(o, "file", json_string("{{topic}}"));
    else
        set(o, "file", file ? field(flat, name) : NULL, create);
    return o;
}

/* Where positions are kept: one group per mapping, so that two may read one topic. */
static void set_group(json_t *spec, const json_t *flat, const char *group)
{
    const char *name = cz_json_str(flat, "name", "");
    char *own = *group ? cz_strf("%s.%s", group, name) : cz_strdup("");
    (void)json_object_set_new(spec, "consumer_group", json_string(own));
    cz_free(own);
}

/* What create and patch have in common. */
static json_t *native(const json_t *flat, bool create, const json_t *current)
{
    static const char *const same[] = {"enabled", "valid_jmespath", "topics",
                                       "target_service_consumer_group"};
    json_t *doc = json_object(), *spec = json_object();
    set(doc, "group", field(flat, "group"), create);
    (void)json_object_set_new(doc, "spec", spec);
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
        set(spec, same[i], field(flat, same[i]), create);
    (void)json_object_set_new(
        spec, "source",
        end_of(flat, "source", "source_topic_name", "source_is_file", create, current));
    (void)json_object_set_new(
        spec, "target",
        end_of(flat, "target", "target_topic_name", "target_is_file", create, current));
    return doc;
}

/* What the original did: a topic that is switched on begins at its end. A file is replayed again. */
static void set_on_change(json_t *spec, bool file)
{
    (void)json_object_set_new(spec, "on_change", json_pack("{s:s}", "offset", file ? "earliest" : "latest"));
}

json_t *cz__seed_patch(const json_t *flat, const json_t *current)
{
    json_t *doc = native(flat, false, current), *spec = json_object_get(doc, "spec");
    const json_t *source = json_object_get(json_object_get(current, "spec"), "source");
    bool file = json_is_true(field(flat, "source_is_file"));
    if (file)
        (void)json_object_set_new(spec, "consumer_group", json_null()); /* a file has none */
    if (file != (field(source, "file") != NULL))
        set_on_change(spec, file);
    return doc;
}

json_t *cz__seed_native(const json_t *flat, const char *group)
{
    json_t *doc = native(flat, true, NULL), *spec = json_object_get(doc, "spec");
    bool file = json_is_true(field(flat, "source_is_file"));
    /* The values of a topic are mapped by what /value-mappings says about it. */
    (void)json_object_set_new(spec, "value_map", json_string("{{topic}}"));
    set_on_change(spec, file);
    if (group && !file)
        set_group(spec, flat, group);
    return doc;
}

static void copy(json_t *o, const char *key, const json_t *from, const char *name)
{
    json_t *v = json_object_get(from, name);
    if (cz_streq(json_string_value(v), "{{topic}}")) /* a list of files has no one name */
        v = NULL;
    (void)json_object_set(o, key, v ? v : json_null());
}

json_t *cz__seed_flat(const json_t *envelope)
{
    json_t *o = json_object();
    const json_t *spec = json_object_get(envelope, "spec");
    const json_t *source = json_object_get(spec, "source"),
                 *target = json_object_get(spec, "target");
    bool from_file = field(source, "file"), to_file = field(target, "file");
    copy(o, "name", envelope, "name");
    copy(o, "group", envelope, "group");
    (void)json_object_set_new(o, "enabled",
                              json_boolean(!json_is_false(json_object_get(spec, "enabled"))));
    copy(o, "source_topic_name", source, from_file ? "file" : "topic");
    copy(o, "target_topic_name", target, to_file ? "file" : "topic");
    if (!field(o, "target_topic_name")) /* the native default */
        copy(o, "target_topic_name", o, "source_topic_name");
    copy(o, "valid_jmespath", spec, "valid_jmespath");
    (void)json_object_set_new(o, "source_is_file", json_boolean(from_file));
    (void)json_object_set_new(o, "target_is_file", json_boolean(to_file));
    copy(o, "topics", spec, "topics");
    copy(o, "target_service_consumer_group", spec, "target_service_consumer_group");
    return o;
}
