/* SPDX-License-Identifier: Apache-2.0 */
/** The outer document of a write: which members it may have, and the form that is stored. */
#include <string.h>

#include "service_priv.h"

#define MAX_LABELS 64
#define MAX_LABEL_KEY 63
#define MAX_DESCRIPTION 4096

static const char *const written[] = {"group", "labels", "description", "spec", NULL};
static const char *const read_only[] = {"uid",      "generation", "version", "managed_by",
                                        "override", "created",    "updated", NULL};

static bool listed(const char *const *list, const char *name)
{
    while (*list && !cz_streq(*list, name))
        list++;
    return *list != NULL;
}

static bool printable(const char *s)
{
    for (; *s; s++) {
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            return false;
    }
    return true;
}

static void check_labels(const json_t *labels, char *at, struct cz_report *rep)
{
    const char *key;
    json_t *v;
    if (!json_is_object(labels)) {
        (void)cz_report_add(rep, at, "type", "must be an object of strings");
        return;
    }
    if (json_object_size(labels) > MAX_LABELS)
        (void)cz_report_add(rep, at, "range", "at most %d labels", MAX_LABELS);
    json_object_foreach ((json_t *)(uintptr_t)labels, key, v) {
        size_t depth = strlen(at);
        cz_pointer_push(at, key);
        if (!*key || strlen(key) > MAX_LABEL_KEY || !printable(key))
            (void)cz_report_add(rep, at, "range",
                                "a label's name has 1 to %d bytes and no control characters",
                                MAX_LABEL_KEY);
        if (!json_is_string(v))
            (void)cz_report_add(rep, at, "type", "must be a string");
        else if (json_string_length(v) > CZ_MAX_NAME)
            (void)cz_report_add(rep, at, "range", "at most %d bytes", CZ_MAX_NAME);
        at[depth] = '\0';
    }
}

void cz__check_meta(const json_t *obj, const char *pointer, struct cz_report *rep)
{
    CZ_CLEANUP(cz_freep) char *group_at = cz_strf("%s/group", pointer);
    CZ_CLEANUP(cz_freep) char *text_at = cz_strf("%s/description", pointer);
    CZ_CLEANUP(cz_freep) char *labels_at = cz_alloc(CZ_POINTER_SIZE);
    struct cz_error why = CZ_ERROR_INIT;
    const json_t *v = json_object_get(obj, "group");
    if (v && !json_is_null(v) && !json_is_string(v))
        (void)cz_report_add(rep, group_at, "type", "must be a string");
    else if (json_is_string(v) && cz_name_check(json_string_value(v), &why) != CZ_OK)
        (void)cz_report_add(rep, group_at, "name", "%s", why.text);
    v = json_object_get(obj, "description");
    if (v && !json_is_null(v) && !json_is_string(v))
        (void)cz_report_add(rep, text_at, "type", "must be a string");
    else if (json_string_length(v) > MAX_DESCRIPTION)
        (void)cz_report_add(rep, text_at, "range", "at most %d bytes", MAX_DESCRIPTION);
    v = json_object_get(obj, "labels");
    if (v && !json_is_null(v)) {
        memcpy(labels_at, pointer, strnlen(pointer, CZ_POINTER_SIZE - 1));
        cz_pointer_push(labels_at, "labels");
        check_labels(v, labels_at, rep);
    }
}

/** A member of the envelope that GET gave: fine when it says what is so. */
static void check_read_only(const char *member,
                            const json_t *v,
                            const struct cz_resource *cur,
                            struct cz_report *rep)
{
    char at[CZ_POINTER_SIZE] = "";
    bool same = json_is_null(v);
    if (cur && !same) {
        json_t *now = cz__envelope(NULL, cur, false);
        const json_t *is = json_object_get(now, member);
        same = json_equal(is, v) ||
               (json_is_integer(v) && json_integer_value(v) == cz_json_int(now, member, -1));
        json_decref(now);
    }
    if (same)
        return;
    cz_pointer_push(at, member);
    (void)cz_report_add(rep, at, "read-only", "%s is not for writing", member);
}

static void
check_identity(const char *member, const json_t *v, const char *want, struct cz_report *rep)
{
    char at[CZ_POINTER_SIZE] = "";
    if (cz_streq(json_string_value(v), want))
        return;
    cz_pointer_push(at, member);
    (void)cz_report_add(rep, at, "read-only",
                        "must be \"%s\", as in the address, or be left out", want);
}

static void check_member(const char *key,
                         const json_t *v,
                         const char *team,
                         enum cz_kind kind,
                         const char *name,
                         const struct cz_resource *cur,
                         struct cz_report *rep)
{
    char at[CZ_POINTER_SIZE] = "";
    if (listed(written, key) || cz_streq(key, "status"))
        return;
    if (cz_streq(key, "api"))
        check_identity(key, v, "citizenk/v1", rep);
    else if (cz_streq(key, "kind"))
        check_identity(key, v, cz_kind_name(kind), rep);
    else if (cz_streq(key, "team"))
        check_identity(key, v, team, rep);
    else if (cz_streq(key, "name"))
        check_identity(key, v, name, rep);
    else if (listed(read_only, key))
        check_read_only(key, v, cur, rep);
    else {
        cz_pointer_push(at, key);
        (void)cz_report_add(rep, at, "unknown-field",
                            "unknown field; known are group, labels, description and spec");
    }
}

json_t *cz__document(const json_t *body,
                     const char *team,
                     enum cz_kind kind,
                     const char *name,
                     const struct cz_resource *cur,
                     struct cz_report *rep)
{
    json_t *doc = json_object();
    const char *key;
    json_t *v;
    if (!json_is_object(body)) {
        (void)cz_report_add(rep, "", "type", "must be an object with a spec");
        return doc;
    }
    json_object_foreach ((json_t *)(uintptr_t)body, key, v) {
        check_member(key, v, team, kind, name, cur, rep);
        if (listed(written, key) && !json_is_null(v))
            (void)json_object_set_new(doc, key, json_deep_copy(v));
    }
    cz__check_meta(body, "", rep);
    v = json_object_get(body, "spec");
    if (!v)
        (void)cz_report_add(rep, "/spec", "required", "a spec is required");
    else if (!json_is_object(v))
        (void)cz_report_add(rep, "/spec", "type", "must be an object");
    CZ_CLEANUP(cz_freep) char *text = cz_json_text(doc, false);
    if (strlen(text) > CZ_MAX_DOCUMENT)
        (void)cz_report_add(rep, "", "range", "the document has more than %d bytes",
                            CZ_MAX_DOCUMENT);
    return doc;
}
