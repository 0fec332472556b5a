/* SPDX-License-Identifier: Apache-2.0 */
/** The error type: filling, prefixing and the tables that turn a code into an HTTP status, a
 *  problem slug or a name.  Texts are cut at a UTF-8 boundary, because they end up in JSON. */
#include "cz/error.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core_priv.h"

static void set_text(char *text, size_t size, const char *fmt, va_list ap) CZ_PRINTF(3, 0);

static void set_text(char *text, size_t size, const char *fmt, va_list ap)
{
    int n = vsnprintf(text, size, fmt, ap);
    if (n < 0)
        text[0] = '\0';
    else if ((size_t)n >= size)
        text[cz__utf8_cut(text, size - 1)] = '\0';
}

enum cz_err cz_fail(struct cz_error *err, enum cz_err code, const char *fmt, ...)
{
    if (!err || err->code != CZ_OK)
        return code;
    va_list ap;
    va_start(ap, fmt);
    set_text(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    err->code = code;
    return code;
}

enum cz_err cz_fail_flags(struct cz_error *err,
                          enum cz_err code,
                          uint32_t flags,
                          int64_t detail,
                          const char *fmt,
                          ...)
{
    if (!err || err->code != CZ_OK)
        return code;
    va_list ap;
    va_start(ap, fmt);
    set_text(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    err->code = code;
    err->flags = flags;
    err->detail = detail;
    return code;
}

enum cz_err cz_fail_prefix(struct cz_error *err, const char *fmt, ...)
{
    if (!err)
        return CZ_E_INTERNAL;
    if (err->code == CZ_OK)
        return CZ_OK;
    char text[sizeof err->text];
    va_list ap;
    va_start(ap, fmt);
    set_text(text, sizeof text, fmt, ap);
    va_end(ap);
    size_t n = strlen(text);
    int more = snprintf(text + n, sizeof text - n, ": %s", err->text);
    if (more > 0 && (size_t)more >= sizeof text - n)
        text[cz__utf8_cut(text, sizeof text - 1)] = '\0';
    memcpy(err->text, text, sizeof text);
    return err->code;
}

void cz_error_reset(struct cz_error *err)
{
    if (err)
        *err = (struct cz_error)CZ_ERROR_INIT;
}

static const struct {
    const char *name, *slug;
    int status;
} map[CZ_ERR_COUNT_] = {
#define X(name, status, slug) [name] = {#name, slug, status},
    CZ_ERR_MAP(X)
#undef X
};

static bool known(enum cz_err code)
{
    return (unsigned)code < CZ_ERR_COUNT_;
}

int cz_err_http_status(enum cz_err code)
{
    return known(code) ? map[code].status : 500;
}

const char *cz_err_slug(enum cz_err code)
{
    return known(code) ? map[code].slug : "internal";
}

const char *cz_err_name(enum cz_err code)
{
    return known(code) ? map[code].name : "CZ_E_?";
}
