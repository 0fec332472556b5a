/* SPDX-License-Identifier: Apache-2.0 */
/** Problem reports and JSON pointers. */
#include "cz/report.h"

#include <stdio.h>
#include <string.h>

#include "core_priv.h"
#include "cz/alloc.h"
#include "cz/limits.h"

void cz_report_done(struct cz_report *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->len; i++) {
        cz_free(r->items[i].pointer);
        cz_free(r->items[i].code);
        cz_free(r->items[i].message);
    }
    cz_free(r->items);
    *r = (struct cz_report)CZ_REPORT_INIT;
}

enum cz_err
cz_report_add(struct cz_report *r, const char *pointer, const char *code, const char *fmt, ...)
{
    if (r->len >= CZ_MAX_PROBLEMS) {
        r->truncated = true;
        return CZ_E_INVALID;
    }
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n < 0)
        text[0] = '\0';
    else if ((size_t)n >= sizeof text)
        text[cz__utf8_cut(text, sizeof text - 1)] = '\0';
    cz_grow(&r->items, &r->cap, r->len, sizeof *r->items);
    r->items[r->len++] = (struct cz_problem){
        .pointer = cz_strdup(pointer), .code = cz_strdup(code), .message = cz_strdup(text)};
    return CZ_E_INVALID;
}

bool cz_report_ok(const struct cz_report *r)
{
    return r->len == 0 && !r->truncated;
}

enum cz_err cz_report_error(const struct cz_report *r, struct cz_error *err)
{
    if (cz_report_ok(r))
        return CZ_OK;
    const struct cz_problem *p = r->items;
    if (!p)
        return cz_fail(err, CZ_E_INVALID, "invalid");
    return cz_fail(err, CZ_E_INVALID, "%s%s%s", p->pointer, *p->pointer ? ": " : "",
                   p->message);
}

void cz_pointer_push(char *out, const char *token)
{
    size_t len = strlen(out), i = len;
    if (len + 2 > CZ_POINTER_SIZE)
        return;
    out[i++] = '/';
    size_t start = i;
    for (; *token && i + 3 <= CZ_POINTER_SIZE; token++) {
        if (*token == '~' || *token == '/') {
            out[i++] = '~';
            out[i++] = *token == '~' ? '0' : '1';
        } else {
            out[i++] = *token;
        }
    }
    if (*token) /* cut: not in the middle of a character */
        i = start + cz__utf8_cut(out + start, i - start);
    out[i] = '\0';
}

void cz_pointer_push_index(char *out, size_t index)
{
    char token[24];
    (void)snprintf(token, sizeof token, "%zu", index);
    cz_pointer_push(out, token);
}

void cz_pointer_pop(char *out)
{
    char *slash = strrchr(out, '/');
    if (slash)
        *slash = '\0';
}
