/* SPDX-License-Identifier: Apache-2.0 */
/** The checks of `headers` and of `mask`: the shape of its entries, their paths, and that what they ask for makes
 *  sense for the side that they mask. */
#include <string.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/json_doc.h"
#include "cz/limits.h"
#include "cz/mask.h"
#include "cz/secret.h"
#include "cz/util.h"
#include "mapping_priv.h"

#define MAX_HEADERS 100
#define MASK_VARIABLE "CITIZENK_MASK_"
#define MASK_FILE "mask"
#define MAX_LENGTH 1000 /* characters that truncate may leave */

static enum cz_err bad(struct cz_report *rep, char *at, const char *member, const char *code, const char *text)
{
    cz_pointer_push(at, member);
    (void)cz_report_add(rep, at, code, "%s", text);
    cz_pointer_pop(at);
    return CZ_E_INVALID;
}

/* ---- headers ------------------------------------------------------------------------------
 */

static void check_name(const char *name, size_t len, const char *at, struct cz_report *rep)
{
    if (len == 0 || len > CZ_MAX_NAME || memchr(name, '\0', len))
        (void)cz_report_add(rep, at, "value", "a header's name has 1 to %d bytes", CZ_MAX_NAME);
}

/** `add` and `rename`: {name: text}; only the text of `add` may be null. */
void cz__check_header_texts(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    (void)field;
    const char *name;
    json_t *text;
    char at[CZ_POINTER_SIZE] = "";
    cz__pointer_copy(at, pointer);
    bool rename = strstr(pointer, "/rename") != NULL;
    if (!json_is_object(v)) {
        (void)cz_report_add(rep, pointer, "type", "must be an object {name: text}");
        return;
    }
    if (json_object_size(v) > MAX_HEADERS)
        (void)cz_report_add(rep, pointer, "range", "at most %d headers", MAX_HEADERS);
    json_object_foreach ((json_t *)(uintptr_t)v, name, text) {
        cz_pointer_push(at, name);
        check_name(name, strlen(name), at, rep);
        if (!json_is_string(text) && !(json_is_null(text) && !rename))
            (void)cz_report_add(rep, at, "type", "must be a string");
        else if (rename)
            check_name(json_string_value(text), json_string_length(text), at, rep);
        cz_pointer_pop(at);
    }
}

void cz__check_header_names(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    (void)field;
    size_t i;
    json_t *name;
    char at[CZ_POINTER_SIZE] = "";
    cz__pointer_copy(at, pointer);
    if (!json_is_array(v)) {
        (void)cz_report_add(rep, pointer, "type", "must be a list of names");
        return;
    }
    if (json_array_size(v) > MAX_HEADERS)
        (void)cz_report_add(rep, pointer, "range", "at most %d names", MAX_HEADERS);
    json_array_foreach(v, i, name) {
        cz_pointer_push_index(at, i);
        if (!json_is_string(name))
            (void)cz_report_add(rep, at, "type", "must be a string");
        else
            check_name(json_string_value(name), json_string_length(name), at, rep);
        cz_pointer_pop(at);
    }
}

/* ---- masks --------------------------------------------------------------------------------
 */

static bool known_how(const char *how)
{
    for (int i = 0; how && cz_mask_hows[i]; i++) {
        if (cz_streq(how, cz_mask_hows[i]))
            return true;
    }
    return false;
}

/* "value", "value.…", "key", "key.…": the path into that side, or NULL. */
static const char *below_side(const char *path, const char *name)
{
    size_t n = strlen(name);
    if (strncmp(path, name, n) != 0)
        return NULL;
    return path[n] == '.' && path[n + 1] ? path + n + 1 : path[n] ? NULL : path + n;
}

struct masks {
    struct cz_json_paths *value, *key; /* as far as they have been seen */
    struct cz_report *rep;
};

static void check_path(struct masks *m, const char *path, const char *how, char *at)
{
    const char *in_value = below_side(path, "value"), *in_key = below_side(path, "key");
    struct cz_error err = CZ_ERROR_INIT;
    if (!in_value && !in_key)
        (void)bad(m->rep, at, "path", "value", "must be key, value, key.<path> or value.<path>");
    else if (cz_json_paths_add(in_key ? m->key : m->value, in_key ? in_key : in_value, &err))
        (void)bad(m->rep, at, "path", "value", err.text);
    else if (in_key && known_how(how) && !cz_streq(how, cz_mask_hows[CZ_MASK_HASH]))
        (void)bad(m->rep, at, "how", "value",
                  "a key can only be hashed: else different entities would get one key");
}

static void check_members(const json_t *entry, char *at, struct cz_report *rep)
{
    static const char *const names[] = {"path", "how", "length"};
    const char *name;
    json_t *v;
    json_object_foreach ((json_t *)(uintptr_t)entry, name, v) {
        bool known = false;
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            known |= cz_streq(name, names[i]);
        if (!known)
            (void)bad(rep, at, name, "unknown-field", "unknown field; a mask has path, how and length");
    }
    const json_t *length = json_object_get(entry, "length");
    if (length && (!json_is_integer(length) || json_integer_value(length) < 1 ||
                   json_integer_value(length) > MAX_LENGTH))
        (void)bad(rep, at, "length", "range", "must be a number of characters from 1 to 1000");
    else if (length && !cz_streq(cz_json_str(entry, "how", ""), cz_mask_hows[CZ_MASK_TRUNCATE]))
        (void)bad(rep, at, "length", "value", "only truncate has a length");
}

static void check_mask(struct masks *m, const json_t *entry, char *at)
{
    const char *path = cz_json_str(entry, "path", NULL), *how = cz_json_str(entry, "how", NULL);
    if (!json_is_object(entry)) {
        (void)cz_report_add(m->rep, at, "type", "must be an object {path, how}");
        return;
    }
    check_members(entry, at, m->rep);
    if (!known_how(how))
        (void)bad(m->rep, at, "how", json_object_get(entry, "how") ? "value" : "required",
                  "must be hash, redact, truncate or \"null\"");
    if (!path)
        (void)bad(m->rep, at, "path", json_object_get(entry, "path") ? "type" : "required",
                  "a path is required, as value.user.email");
    else
        check_path(m, path, how, at);
}

void cz__check_mask(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    (void)field;
    struct masks m = {.rep = rep};
    char at[CZ_POINTER_SIZE] = "";
    cz__pointer_copy(at, pointer);
    if (!json_is_array(v)) {
        (void)cz_report_add(rep, pointer, "type", "must be a list of {path, how}");
        return;
    }
    if (json_array_size(v) > CZ_MAX_MASKS) {
        (void)cz_report_add(rep, pointer, "range", "at most %d masks", CZ_MAX_MASKS);
        return;
    }
    m.value = cz_json_paths_new();
    m.key = cz_json_paths_new();
    for (size_t i = 0; i < json_array_size(v); i++) {
        cz_pointer_push_index(at, i);
        check_mask(&m, json_array_get(v, i), at);
        cz_pointer_pop(at);
    }
    cz_json_paths_free(m.value);
    cz_json_paths_free(m.key);
}

/** Only secrets that are there for masks: a token is a keyed hash, by which the author of a mapping
 *  could else guess any other secret of the processes that run it. */
void cz__check_mask_secret(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    (void)field;
    static const char env[] = "${env:", file[] = "${file:";
    const char *s = json_string_value(v);
    struct cz_error err = CZ_ERROR_INIT;
    if (!s || cz_secret_check_ref(s, &err)) /* the row's own check says so */
        return;
    bool ok = strncmp(s, env, sizeof env - 1) == 0 &&
              strncmp(s + sizeof env - 1, MASK_VARIABLE, sizeof MASK_VARIABLE - 1) == 0;
    if (strncmp(s, file, sizeof file - 1) == 0) {
        const char *path = s + sizeof file - 1, *key = strrchr(path, ':');
        CZ_CLEANUP(cz_freep) char *name = cz_strndup(path, key ? (size_t)(key - path) : strlen(path));
        const char *base = strrchr(name, '/');
        ok = base && strncmp(base + 1, MASK_FILE, sizeof MASK_FILE - 1) == 0;
    }
    if (!ok)
        (void)cz_report_add(rep, pointer, "secret",
                            "must be a secret for masks: a variable " MASK_VARIABLE "…, or a file whose name "
                            "begins with " MASK_FILE);
}

/* A side that is read as text has no paths; the whole of it can be masked, but not to null: that
 * would delete the key. */
void cz__check_masks_of(const struct cz_mapping_spec *s, const char *pointer, struct cz_report *rep)
{
    size_t i;
    json_t *entry;
    json_array_foreach(s->mask, i, entry) {
        const char *path = cz_json_str(entry, "path", "");
        const char *how = cz_json_str(entry, "how", "");
        bool raw = path[0] == 'k' ? s->key_format == CZ_FORMAT_RAW : s->value_format == CZ_FORMAT_RAW;
        CZ_CLEANUP(cz_freep) char *at = cz_strf("%s/mask/%zu/path", pointer, i);
        if (raw && strchr(path, '.'))
            (void)cz_report_add(rep, at, "value", "format raw has no paths; mask the whole of it, or "
                                                  "choose another format");
        else if (raw && cz_streq(how, cz_mask_hows[CZ_MASK_NULL]))
            (void)cz_report_add(rep, at, "value",
                                "a raw value that becomes null would delete the key; redact it");
    }
}
