/* SPDX-License-Identifier: Apache-2.0 */
/** Text on a terminal: its width, its control characters, numbers, ages, JSON with indentation.
 *  Names, reasons and errors come from elsewhere; none of them may move the cursor. */
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "cz/time.h"
#include "cz/util.h"
#include "table.h"

/* C.UTF-8 is part of glibc: the width does not depend on the user's locale. */
static locale_t utf8_locale(void)
{
    static locale_t locale;
    if (!locale)
        locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    return locale;
}

size_t cz_text_width(const char *s, size_t n)
{
    locale_t mine = utf8_locale();
    locale_t before = mine ? uselocale(mine) : (locale_t)0;
    mbstate_t state = {0};
    size_t width = 0, i = 0;
    while (i < n) {
        wchar_t c = 0;
        size_t took = mbrtowc(&c, s + i, n - i, &state);
        if (took == 0 || took > n - i) { /* NUL, bad or cut: one byte, one column */
            state = (mbstate_t){0};
            took = 1;
            c = L'?';
        }
        int w = wcwidth(c);
        width += w > 0 ? (size_t)w : 0;
        i += took;
    }
    if (before)
        (void)uselocale(before);
    return width;
}

/* Length of the UTF-8 sequence at @s (0: not valid) and whether it is safe to show. */
static size_t one(const char *s, size_t n, bool *ret_safe)
{
    unsigned char c = (unsigned char)s[0];
    size_t len = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    if (len > n || !cz_utf8_valid(s, len))
        return 0;
    unsigned char d = len > 1 ? (unsigned char)s[1] : 0, e = len > 2 ? (unsigned char)s[2] : 0;
    bool c1 = c == 0xC2 && d < 0xA0;
    bool bidi = c == 0xE2 && ((d == 0x80 && e >= 0xAA && e <= 0xAE) ||
                              (d == 0x81 && e >= 0xA6 && e <= 0xA9));
    *ret_safe = c >= 0x20 && c != 0x7F && !c1 && !bidi;
    return len;
}

void cz_text_clean(struct cz_buf *out, const char *s, bool lines)
{
    size_t n = strlen(s);
    for (size_t i = 0; i < n;) {
        bool safe = false;
        size_t len = one(s + i, n - i, &safe);
        if (s[i] == '\n' || s[i] == '\t')
            cz_buf_addc(out, lines ? s[i] : ' ');
        else if (safe)
            cz_buf_add(out, s + i, len);
        else
            cz_buf_adds(out, "\xEF\xBF\xBD");
        i += len ? len : 1;
    }
}

void cz_text_number(struct cz_buf *out, int64_t n)
{
    char digits[32];
    int len = snprintf(digits, sizeof digits, "%lld", (long long)n);
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0 && digits[i - 1] != '-')
            cz_buf_addc(out, ' ');
        cz_buf_addc(out, digits[i]);
    }
}

void cz_text_age(struct cz_buf *out, const char *rfc3339, int64_t now_ms)
{
    int64_t at;
    if (!cz_rfc3339_parse(rfc3339, &at)) {
        cz_buf_adds(out, rfc3339);
        return;
    }
    int64_t s = (now_ms - at) / 1000;
    const char *sign = s < 0 ? "in " : "";
    s = s < 0 ? -s : s;
    if (s < 120)
        cz_buf_addf(out, "%s%llds", sign, (long long)s);
    else if (s < 7200)
        cz_buf_addf(out, "%s%lldm", sign, (long long)(s / 60));
    else if (s < 172800)
        cz_buf_addf(out, "%s%lldh", sign, (long long)(s / 3600));
    else
        cz_buf_addf(out, "%s%lldd", sign, (long long)(s / 86400));
}

const char *cz_text_color(const char *word)
{
    static const struct {
        const char *word, *color;
    } colors[] = {
        {"RUNNING", "\x1b[32m"}, {"alive", "\x1b[32m"},      {"True", "\x1b[32m"},
        {"PAUSED", "\x1b[33m"},  {"RESTARTING", "\x1b[33m"}, {"UNASSIGNED", "\x1b[33m"},
        {"suspect", "\x1b[33m"}, {"Unknown", "\x1b[33m"},    {"FAILED", "\x1b[31m"},
        {"gone", "\x1b[31m"},    {"False", "\x1b[31m"},      {"FINISHED", "\x1b[32m"},
    };
    for (size_t i = 0; i < sizeof colors / sizeof *colors; i++)
        if (strcmp(colors[i].word, word) == 0)
            return colors[i].color;
    return "";
}

static void new_line(struct cz_buf *out, int depth)
{
    cz_buf_addc(out, '\n');
    for (int i = 0; i < depth; i++)
        cz_buf_adds(out, "  ");
}

/* The string that begins at s[i], quotes included; returns the index behind it. */
static size_t skip_string(const char *s, size_t i, size_t len)
{
    for (i++; i < len && s[i] != '"'; i++)
        if (s[i] == '\\')
            i++;
    return i < len ? i + 1 : len;
}

static size_t skip_blanks(const char *s, size_t i, size_t len)
{
    while (i < len && strchr(" \t\r\n", s[i]))
        i++;
    return i;
}

void cz_text_pretty(struct cz_buf *out, const char *json, size_t len)
{
    int depth = 0;
    for (size_t i = skip_blanks(json, 0, len); i < len; i = skip_blanks(json, i, len)) {
        char c = json[i];
        if (c == '"') {
            size_t end = skip_string(json, i, len);
            cz_buf_add(out, json + i, end - i);
            i = end;
            continue;
        }
        i++;
        if (c == '{' || c == '[') {
            size_t first = skip_blanks(json, i, len);
            cz_buf_addc(out, c);
            if (first < len && (json[first] == '}' || json[first] == ']')) {
                cz_buf_addc(out, json[first]);
                i = first + 1;
            } else {
                new_line(out, ++depth);
            }
        } else if (c == '}' || c == ']') {
            new_line(out, --depth);
            cz_buf_addc(out, c);
        } else if (c == ',') {
            cz_buf_addc(out, c);
            new_line(out, depth);
        } else {
            cz_buf_addc(out, c);
            if (c == ':')
                cz_buf_addc(out, ' ');
        }
    }
}
