/* SPDX-License-Identifier: Apache-2.0 */
/** Tables for a terminal: columns aligned by the display width of UTF-8 (a CJK character takes
 *  two columns, a combining one none), control characters made harmless. */
#ifndef CZ_CLI_TABLE_H
#define CZ_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cz/buf.h"

enum { CZ_TABLE_COLUMNS = 16 };
struct cz_table {
    struct cz_table_column {
        char *title;
        bool right; /* '>' */
        bool state; /* '*': coloured by its word */
    } columns[CZ_TABLE_COLUMNS];
    size_t columns_len;
    char **cells; /* row by row; owned */
    size_t cells_len, cells_cap;
};
/** @spec "NAME|*STATE|>LAG" */
void cz_table_init(struct cz_table *t, const char *spec);
void cz_table_done(struct cz_table *t);
/** The next cell; NULL or "" shows as "-". */
void cz_table_add(struct cz_table *t, const char *text);
void cz_table_addf(struct cz_table *t, const char *fmt, ...) CZ_PRINTF(2, 3);
/** With blanks between groups of three digits. */
void cz_table_number(struct cz_table *t, int64_t n);
/** @indent blanks before each line. The last column is not padded. */
void cz_table_print(const struct cz_table *t, struct cz_buf *out, int indent, bool color);

/** Columns that @s takes on a terminal. */
size_t cz_text_width(const char *s, size_t n);
/** Append with every control character (C0, DEL, C1, and bidi overrides) as U+FFFD; line breaks
 * and tabs stay when @lines, else become blanks. Not valid UTF-8: each bad byte is U+FFFD. */
void cz_text_clean(struct cz_buf *out, const char *s, bool lines);
/** "1 258" */
void cz_text_number(struct cz_buf *out, int64_t n);
/** "5m", "2h", "3d" since an RFC 3339 time; the text itself when it is none. */
void cz_text_age(struct cz_buf *out, const char *rfc3339, int64_t now_ms);
/** SGR sequence of a state or condition word, "" for those without a colour. */
const char *cz_text_color(const char *word);
/** Re-indent valid JSON text, two blanks a level; every scalar keeps its bytes. */
void cz_text_pretty(struct cz_buf *out, const char *json, size_t len);

#endif
