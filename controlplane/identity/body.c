/* SPDX-License-Identifier: Apache-2.0 */
/** Members of the small bodies of sign-in: unknown ones are problems, types are checked. */
#include "identity_priv.h"

static void at(const char *key, char pointer[CZ_POINTER_SIZE])
{
    pointer[0] = 0;
    cz_pointer_push(pointer, key);
}

void cz__body_known(const json_t *body, const char *const *names, struct cz_report *rep)
{
    const char *key;
    json_t *v;
    json_object_foreach ((json_t *)(uintptr_t)body, key, v) {
        bool ok = false;
        char pointer[CZ_POINTER_SIZE];
        for (size_t i = 0; names[i]; i++)
            ok |= cz_streq(names[i], key);
        at(key, pointer);
        if (!ok)
            (void)cz_report_add(rep, pointer, "unknown-field", "unknown field");
    }
}

const char *
cz__body_text(const json_t *body, const char *key, bool required, struct cz_report *rep)
{
    const json_t *v = json_object_get(body, key);
    char pointer[CZ_POINTER_SIZE];
    at(key, pointer);
    if (v && !json_is_null(v) && !json_is_string(v))
        (void)cz_report_add(rep, pointer, "type", "must be a string");
    else if (required && !json_is_string(v))
        (void)cz_report_add(rep, pointer, "required", "is required");
    return json_string_value(v);
}

const char *
cz__body_name(const json_t *body, const char *key, bool required, struct cz_report *rep)
{
    struct cz_error err = CZ_ERROR_INIT;
    char pointer[CZ_POINTER_SIZE];
    const char *s = cz__body_text(body, key, required, rep);
    at(key, pointer);
    if (!s || cz_name_check(s, &err) == CZ_OK)
        return s;
    (void)cz_report_add(rep, pointer, "value", "%s", err.text);
    return NULL;
}

int cz__body_bool(const json_t *body, const char *key, struct cz_report *rep)
{
    const json_t *v = json_object_get(body, key);
    char pointer[CZ_POINTER_SIZE];
    at(key, pointer);
    if (v && !json_is_boolean(v))
        (void)cz_report_add(rep, pointer, "type", "must be true or false");
    return json_is_boolean(v) ? json_is_true(v) : -1;
}
