/* SPDX-License-Identifier: Apache-2.0 */
/** Tables: collected cell by cell, measured, then printed. */
#include "table.h"

#include <string.h>

#include "cz/alloc.h"

enum { MAX_CELL = 64 * 1024 };

void cz_table_init(struct cz_table *t, const char *spec)
{
    *t = (struct cz_table){0};
    while (*spec && t->columns_len < CZ_TABLE_COLUMNS) {
        struct cz_table_column *c = &t->columns[t->columns_len++];
        for (; *spec == '>' || *spec == '*'; spec++) {
            c->right |= *spec == '>';
            c->state |= *spec == '*';
        }
        size_t n = strcspn(spec, "|");
        c->title = cz_strndup(spec, n);
        spec += n + (spec[n] == '|');
    }
}

void cz_table_done(struct cz_table *t)
{
    for (size_t i = 0; i < t->columns_len; i++)
        cz_free(t->columns[i].title);
    for (size_t i = 0; i < t->cells_len; i++)
        cz_free(t->cells[i]);
    cz_free(t->cells);
    *t = (struct cz_table){0};
}

void cz_table_add(struct cz_table *t, const char *text)
{
    struct cz_buf b = CZ_BUF_INIT(MAX_CELL);
    cz_text_clean(&b, text && *text ? text : "-", false);
    cz_grow(&t->cells, &t->cells_cap, t->cells_len, sizeof *t->cells);
    t->cells[t->cells_len++] = cz_buf_steal(&b);
}

void cz_table_addf(struct cz_table *t, const char *fmt, ...)
{
    CZ_CLEANUP(cz_buf_done) struct cz_buf b = CZ_BUF_INIT(MAX_CELL);
    va_list ap;
    va_start(ap, fmt);
    cz_buf_addvf(&b, fmt, ap);
    va_end(ap);
    cz_table_add(t, cz_buf_str(&b));
}

void cz_table_number(struct cz_table *t, int64_t n)
{
    CZ_CLEANUP(cz_buf_done) struct cz_buf b = CZ_BUF_INIT(64);
    cz_text_number(&b, n);
    cz_table_add(t, cz_buf_str(&b));
}

static void pad(struct cz_buf *out, size_t n)
{
    while (n-- > 0)
        cz_buf_addc(out, ' ');
}

static void print_cell(const struct cz_table *t,
                       struct cz_buf *out,
                       size_t column,
                       const char *text,
                       size_t width,
                       bool color)
{
    const struct cz_table_column *c = &t->columns[column];
    bool last = column + 1 == t->columns_len;
    size_t mine = cz_text_width(text, strlen(text));
    size_t blanks = width > mine ? width - mine : 0;
    const char *sgr = color && c->state ? cz_text_color(text) : "";
    if (c->right)
        pad(out, blanks);
    cz_buf_addf(out, "%s%s%s", sgr, text, *sgr ? "\x1b[0m" : "");
    if (!last)
        pad(out, (c->right ? 0 : blanks) + 2);
}

void cz_table_print(const struct cz_table *t, struct cz_buf *out, int indent, bool color)
{
    size_t n = t->columns_len, width[CZ_TABLE_COLUMNS] = {0};
    for (size_t c = 0; c < n; c++)
        width[c] = cz_text_width(t->columns[c].title, strlen(t->columns[c].title));
    for (size_t i = 0; i < t->cells_len; i++) {
        size_t w = cz_text_width(t->cells[i], strlen(t->cells[i]));
        if (w > width[i % n])
            width[i % n] = w;
    }
    pad(out, (size_t)indent);
    for (size_t c = 0; c < n; c++)
        print_cell(t, out, c, t->columns[c].title, width[c], false);
    for (size_t i = 0; i < t->cells_len; i++) {
        if (i % n == 0) {
            cz_buf_addc(out, '\n');
            pad(out, (size_t)indent);
        }
        print_cell(t, out, i % n, t->cells[i], width[i % n], color);
    }
    cz_buf_addc(out, '\n');
}
