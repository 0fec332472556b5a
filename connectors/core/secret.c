/* SPDX-License-Identifier: Apache-2.0 */
/** Secret references and their resolution.  No value ever reaches an error text or a log; every
 *  buffer that held one is wiped before it is freed. */
#include "cz/secret.h"

#include <stdlib.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/util.h"

enum { MAX_SECRET_FILE = 256 * 1024, MAX_REF = 4096 };

/* The parts of a reference, borrowed from its text. */
struct ref {
    bool is_env;
    const char *name; /* variable, or path */
    size_t name_len;
    const char *key; /* of a properties file, or NULL */
    size_t key_len;
};

bool cz_secret_is_ref(const char *s)
{
    size_t n = s ? strlen(s) : 0;
    return n >= 3 && s[0] == '$' && s[1] == '{' && s[n - 1] == '}';
}

static bool is_variable(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool letter =
            (s[i] >= 'A' && s[i] <= 'Z') || (s[i] >= 'a' && s[i] <= 'z') || s[i] == '_';
        if (!letter && (i == 0 || s[i] < '0' || s[i] > '9'))
            return false;
    }
    return n > 0;
}

static enum cz_err parse_file_ref(struct ref *r, struct cz_error *err)
{
    const char *colon = memrchr(r->name, ':', r->name_len);
    if (colon) {
        r->key = colon + 1;
        r->key_len = r->name_len - (size_t)(r->key - r->name);
        r->name_len = (size_t)(colon - r->name);
        if (r->key_len == 0)
            return cz_fail(err, CZ_E_INVALID,
                           "the secret reference names no key after the colon");
    }
    if (r->name_len < 2 || r->name[0] != '/')
        return cz_fail(err, CZ_E_INVALID, "the path of a secret file must be absolute");
    return CZ_OK;
}

static enum cz_err parse_ref(const char *s, struct ref *ret, struct cz_error *err)
{
    static const char forms[] = "${env:NAME}, ${file:/path} or ${file:/path:key}";
    if (!cz_secret_is_ref(s))
        return cz_fail(err, CZ_E_INVALID, "must be a secret reference: %s", forms);
    size_t n = strlen(s);
    if (n > MAX_REF)
        return cz_fail(err, CZ_E_INVALID, "a secret reference has at most %d bytes", MAX_REF);
    for (size_t i = 2; i < n - 1; i++) {
        if (s[i] == '{' || s[i] == '}' || (unsigned char)s[i] < 0x20)
            return cz_fail(err, CZ_E_INVALID, "must be one secret reference: %s", forms);
    }
    struct ref r = {0};
    if (strncmp(s, "${env:", 6) == 0) {
        r = (struct ref){.is_env = true, .name = s + 6, .name_len = n - 7};
        if (!is_variable(r.name, r.name_len))
            return cz_fail(err, CZ_E_INVALID,
                           "the name of an environment variable has letters, digits and "
                           "underscores, and no digit in front");
    } else if (strncmp(s, "${file:", 7) == 0) {
        r = (struct ref){.name = s + 7, .name_len = n - 8};
        enum cz_err rc = parse_file_ref(&r, err);
        if (rc)
            return rc;
    } else {
        return cz_fail(err, CZ_E_INVALID, "unknown kind of secret reference; known are %s",
                       forms);
    }
    *ret = r;
    return CZ_OK;
}

enum cz_err cz_secret_check_ref(const char *s, struct cz_error *err)
{
    struct ref r;
    return parse_ref(s, &r, err);
}

struct pair {
    char *key, *value; /* two halves of one room, each as long as the text */
    size_t key_len, value_len;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\f' || c == '\r';
}

static char unescape(char c)
{
    return c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c == 'f' ? '\f' : c;
}

/* A backslash at @s: gives the character to add, or '\0' for a continued line, and moves on. */
static char take_escape(const char **s, const char *end)
{
    const char *p = *s + 1;
    if (p < end && *p == '\r' && p + 1 < end && p[1] == '\n')
        p++;
    if (p < end && *p == '\n') {
        p++;
        while (p < end && is_space(*p))
            p++;
        *s = p;
        return '\0';
    }
    *s = p < end ? p + 1 : end;
    return p < end ? unescape(*p) : '\0';
}

static const char *skip_separator(const char *s, const char *end)
{
    bool seen = false;
    for (; s < end; s++) {
        bool sign = (*s == '=' || *s == ':') && !seen;
        if (!sign && !is_space(*s))
            break;
        seen = seen || sign;
    }
    return s;
}

/* Reads one logical line of a properties file into key and value (escapes resolved), as
 * java.util.Properties does; \uXXXX is left as it is.  Returns where the next line begins. */
static const char *next_pair(const char *s, const char *end, struct pair *p)
{
    p->key_len = p->value_len = 0;
    while (s < end && (is_space(*s) || *s == '\n'))
        s++;
    if (s < end && (*s == '#' || *s == '!')) {
        const char *eol = memchr(s, '\n', (size_t)(end - s));
        return eol ? eol + 1 : end;
    }
    bool in_key = true;
    while (s < end && *s != '\n') {
        if (in_key && (*s == '=' || *s == ':' || is_space(*s))) {
            in_key = false;
            s = skip_separator(s, end);
            continue;
        }
        bool escaped = *s == '\\';
        char c = escaped ? take_escape(&s, end) : *s++;
        if (escaped && c == '\0')
            continue;
        if (in_key)
            p->key[p->key_len++] = c;
        else
            p->value[p->value_len++] = c;
    }
    if (p->value_len > 0 && p->value[p->value_len - 1] == '\r')
        p->value_len--;
    return s;
}

static bool
find_property(const char *text, size_t len, const struct ref *r, struct cz_secret *ret)
{
    char *room = cz_alloc_array(2, len + 1);
    struct pair p = {.key = room, .value = room + len + 1};
    const char *s = text, *end = text + len;
    bool found = false;
    while (s < end) { /* the last one wins, as in Java */
        s = next_pair(s, end, &p);
        if (p.key_len != r->key_len || memcmp(p.key, r->key, r->key_len) != 0)
            continue;
        cz_secret_done(ret);
        ret->value = cz_alloc(p.value_len + 1);
        memcpy(ret->value, p.value, p.value_len);
        ret->len = p.value_len;
        found = true;
    }
    explicit_bzero(room, 2 * (len + 1));
    cz_free(room);
    return found;
}

static enum cz_err
resolve_file(const struct ref *r, struct cz_secret *ret, struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *path = cz_strndup(r->name, r->name_len);
    char *text = NULL;
    size_t len = 0;
    enum cz_err rc = cz_read_file(path, MAX_SECRET_FILE, &text, &len, err);
    if (rc)
        return rc;
    struct cz_secret found = {0};
    if (!r->key) {
        if (len > 0 && text[len - 1] == '\n')
            len--;
        if (len > 0 && text[len - 1] == '\r')
            len--;
        found = (struct cz_secret){.value = cz_alloc(len + 1), .len = len};
        memcpy(found.value, text, len);
    } else if (!find_property(text, len, r, &found)) {
        rc = cz_fail(err, CZ_E_NOT_FOUND, "%s: no property \"%.*s\"", path, (int)r->key_len,
                     r->key);
    }
    explicit_bzero(text, len);
    cz_free(text);
    if (!rc && memchr(found.value, '\0', found.len)) {
        cz_secret_done(&found);
        rc = cz_fail(err, CZ_E_INVALID, "%s: a secret must not contain a NUL byte", path);
    }
    if (!rc)
        *ret = found;
    return rc;
}

enum cz_err cz_secret_resolve(const char *ref, struct cz_secret *ret, struct cz_error *err)
{
    struct ref r;
    enum cz_err rc = parse_ref(ref, &r, err);
    if (rc)
        return rc;
    if (!r.is_env)
        return resolve_file(&r, ret, err);
    CZ_CLEANUP(cz_freep) char *name = cz_strndup(r.name, r.name_len);
    const char *value = getenv(name);
    if (!value)
        return cz_fail(err, CZ_E_NOT_FOUND, "the environment variable %s is not set", name);
    *ret = (struct cz_secret){.value = cz_strdup(value), .len = strlen(value)};
    return CZ_OK;
}

void cz_secret_done(struct cz_secret *s)
{
    if (!s)
        return;
    if (s->value)
        explicit_bzero(s->value, s->len);
    cz_free(s->value);
    *s = (struct cz_secret){0};
}

bool cz_secret_equal(const void *a, size_t a_len, const void *b, size_t b_len)
{
    const volatile unsigned char *x = a, *y = b;
    if (a_len != b_len)
        return false;
    unsigned char diff = 0;
    for (size_t i = 0; i < a_len; i++)
        diff = (unsigned char)(diff | (x[i] ^ y[i]));
    return diff == 0;
}
