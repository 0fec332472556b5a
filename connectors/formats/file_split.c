/* SPDX-License-Identifier: Apache-2.0 */
/* Where a record begins and ends in a topic file.  Lines: newlines alone decide, so that a
 * broken line costs only itself.  An array: brackets and strings are followed. */
#include "cz/file_record.h"

#include <string.h>

#include "cz/limits.h"

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool next_line(struct cz_file_split *s,
                      const char *data,
                      size_t len,
                      bool eof,
                      struct cz_slice *ret,
                      size_t *used)
{
    while (*used < len) {
        const char *start = data + *used;
        size_t left = len - *used;
        const char *newline = memchr(start + s->seen, '\n', left - s->seen);
        if (!newline && !eof) {
            s->seen = left;
            return false;
        }
        size_t n = newline ? (size_t)(newline - start) : left;
        *used += newline ? n + 1 : n;
        s->seen = 0;
        while (n > 0 && blank(start[n - 1]))
            n--;
        while (n > 0 && blank(*start))
            start++, n--;
        if (n > 0) {
            *ret = (struct cz_slice){start, n};
            return true;
        }
    }
    return false;
}

/* Follow one byte; true when it ends the element, being the comma or bracket behind it. */
static bool element_ends(struct cz_file_split *s, char c)
{
    if (s->string) {
        if (s->escape)
            s->escape = false;
        else if (c == '\\')
            s->escape = true;
        else if (c == '"')
            s->string = false;
        return false;
    }
    if (s->depth == 0 && (c == ',' || c == ']'))
        return true;
    if (c == '"')
        s->string = true;
    else if (c == '{' || c == '[')
        s->depth++;
    else if ((c == '}' || c == ']') && s->depth > 0)
        s->depth--;
    return false;
}

static bool next_element(struct cz_file_split *s,
                         const char *data,
                         size_t len,
                         bool eof,
                         struct cz_slice *ret,
                         size_t *used)
{
    while (s->form == CZ_FILE_ARRAY && *used < len) {
        const char *start = data + *used;
        size_t left = len - *used, n = s->seen;
        bool end = false;
        while (n < left && !end)
            end = element_ends(s, start[n++]);
        s->seen = n;
        if (!end && !eof)
            return false;
        if (end && start[n - 1] == ']')
            s->form = CZ_FILE_LINES; /* whatever comes behind the array */
        *used += n;
        s->seen = s->depth = 0;
        s->string = s->escape = false;
        n -= end;
        while (n > 0 && blank(start[n - 1]))
            n--;
        while (n > 0 && blank(*start))
            start++, n--;
        if (n > 0) {
            *ret = (struct cz_slice){start, n};
            return true;
        }
    }
    return false;
}

bool cz_file_split_next(struct cz_file_split *s,
                        const char *data,
                        size_t len,
                        bool eof,
                        struct cz_slice *ret,
                        size_t *ret_used)
{
    *ret_used = 0;
    if (s->form == CZ_FILE_UNKNOWN) {
        if (len < 3 && !eof)
            return false; /* there may be a byte order mark */
        size_t at = len >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
        while (at < len && blank(data[at]))
            at++;
        if (at == len && !eof)
            return false;
        bool array = at < len && data[at] == '[';
        s->form = array ? CZ_FILE_ARRAY : CZ_FILE_LINES;
        *ret_used = at + array;
    }
    if (s->form == CZ_FILE_ARRAY && next_element(s, data, len, eof, ret, ret_used))
        return true;
    return s->form == CZ_FILE_LINES && next_line(s, data, len, eof, ret, ret_used);
}

enum cz_err cz_file_name_check(const char *name, struct cz_error *err)
{
    size_t n = strlen(name);
    if (n == 0 || n > CZ_MAX_NAME)
        return cz_fail(err, CZ_E_INVALID, "a file name has 1 to %d characters", CZ_MAX_NAME);
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    if (strspn(name, allowed) != n)
        return cz_fail(err, CZ_E_INVALID, "a file name is made of letters, digits, . _ and -");
    if (name[0] == '.' || strstr(name, ".."))
        return cz_fail(err, CZ_E_INVALID, "a file name begins with no . and has no ..");
    return CZ_OK;
}
