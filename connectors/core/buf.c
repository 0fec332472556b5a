/* SPDX-License-Identifier: Apache-2.0 */
/** The growing byte buffer.  Invariant: data is NULL or holds cap >= len + 1 bytes, so that
 * there is always room for the NUL. */
#include "cz/buf.h"

#include <stdio.h>
#include <string.h>

#include "core_priv.h"
#include "cz/alloc.h"

enum { FIRST_CAP = 64 };

void cz_buf_init(struct cz_buf *b, size_t max)
{
    *b = (struct cz_buf)CZ_BUF_INIT(max);
}

void cz_buf_done(struct cz_buf *b)
{
    if (!b)
        return;
    cz_free(b->data);
    cz_buf_init(b, b->max);
}

void cz_buf_clear(struct cz_buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->data)
        b->data[0] = '\0';
}

char *cz_buf_reserve(struct cz_buf *b, size_t n)
{
    if (b->failed)
        return NULL;
    if (n > b->max - b->len) {
        b->failed = true;
        return NULL;
    }
    size_t need = b->len + n + 1;
    if (need <= b->cap && b->data)
        return b->data + b->len;
    size_t cap = b->cap < FIRST_CAP ? FIRST_CAP : b->cap;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    if (cap > b->max && need <= b->max)
        cap = b->max < SIZE_MAX ? b->max + 1 : b->max;
    char *data = cz_try_realloc(b->data, cap);
    if (!data) {
        b->failed = true;
        return NULL;
    }
    data[b->len] = '\0';
    b->data = data;
    b->cap = cap;
    return data + b->len;
}

void cz_buf_add(struct cz_buf *b, const void *p, size_t n)
{
    char *to = cz_buf_reserve(b, n);
    if (!to)
        return;
    if (n > 0)
        memcpy(to, p, n);
    to[n] = '\0';
    b->len += n;
}

void cz_buf_adds(struct cz_buf *b, const char *s)
{
    if (s)
        cz_buf_add(b, s, strlen(s));
}

void cz_buf_addc(struct cz_buf *b, char c)
{
    cz_buf_add(b, &c, 1);
}

void cz_buf_addf(struct cz_buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    cz_buf_addvf(b, fmt, ap);
    va_end(ap);
}

void cz_buf_addvf(struct cz_buf *b, const char *fmt, va_list ap)
{
    if (b->failed)
        return;
    va_list again;
    va_copy(again, ap);
    size_t room = b->data ? b->cap - b->len : 0;
    int n = vsnprintf(room ? b->data + b->len : NULL, room, fmt, ap);
    if (n < 0) {
        b->failed = true;
    } else if ((size_t)n < room && (size_t)n <= b->max - b->len) {
        b->len += (size_t)n;
    } else {
        char *to = cz_buf_reserve(b, (size_t)n);
        if (to) {
            (void)vsnprintf(to, (size_t)n + 1, fmt, again);
            b->len += (size_t)n;
        }
    }
    if (b->failed && b->data)
        b->data[b->len] = '\0';
    va_end(again);
}

static void add_escape(struct cz_buf *b, unsigned char c)
{
    static const char short_form[] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r', ['"'] = '"'};
    char letter = c == '\\' ? '\\' : c < sizeof short_form ? short_form[c] : '\0';
    if (letter) {
        cz_buf_add(b, (const char[]){'\\', letter}, 2);
        return;
    }
    static const char hex[] = "0123456789abcdef";
    cz_buf_add(b, (const char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
}

void cz_buf_add_json_string(struct cz_buf *b, const char *s, size_t n)
{
    cz_buf_addc(b, '"');
    size_t start = 0, i = 0;
    while (i < n && !b->failed) {
        unsigned char c = (unsigned char)s[i];
        uint32_t cp;
        size_t len = c < 0x80 ? 1 : cz__utf8_next(s + i, n - i, &cp);
        if (len > 0 && c >= 0x20 && c != '"' && c != '\\' && c != 0x7F) {
            i += len;
            continue;
        }
        cz_buf_add(b, s + start, i - start);
        if (len == 0)
            cz_buf_adds(b, "\xEF\xBF\xBD");
        else
            add_escape(b, c);
        start = ++i;
    }
    if (start < i)
        cz_buf_add(b, s + start, i - start);
    cz_buf_addc(b, '"');
}

const char *cz_buf_str(const struct cz_buf *b)
{
    if (!b->data)
        return "";
    b->data[b->len] = '\0';
    return b->data;
}

char *cz_buf_steal(struct cz_buf *b)
{
    char *data = b->data;
    if (data)
        data[b->len] = '\0';
    else
        data = cz_alloc(1);
    cz_buf_init(b, b->max);
    return data;
}
