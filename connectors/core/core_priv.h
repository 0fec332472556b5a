/* SPDX-License-Identifier: Apache-2.0 */
/** What the files of connectors/core share with each other and with nobody else. */
#ifndef CZ_CORE_PRIV_H
#define CZ_CORE_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cz/cfg.h"

/** Length (1..4) of the well-formed UTF-8 sequence at @s (@n > 0 bytes are there), 0 when there
 * is none.  *ret_cp gets the code point. */
size_t cz__utf8_next(const char *s, size_t n, uint32_t *ret_cp);
/** The greatest length <= @n that does not cut a UTF-8 sequence of @s in two. */
size_t cz__utf8_cut(const char *s, size_t n);

/** Edit distance (insert, delete, replace, swap of neighbours); anything over 2 gives 3. */
unsigned cz__edit_distance(const char *a, const char *b);

/** Days since 1970-01-01 of a date, and the year that a day lies in. */
int64_t cz__days_from_civil(int64_t y, int64_t m, int64_t d);
int64_t cz__year_of_day(int64_t day);

/** cz_cfg_parse_json(), where a SECRET may be a value too: @literal_secrets. */
enum cz_err cz__cfg_parse(const struct cz_cfg_key *table,
                          const json_t *obj,
                          void *target,
                          const char *pointer,
                          bool literal_secrets,
                          struct cz_report *rep);
/** The row's default as JSON: its text, or what an absent field of its type means.  New
 *  reference; NULL when the row has none. */
json_t *cz__cfg_default(const struct cz_cfg_key *row);

#endif
