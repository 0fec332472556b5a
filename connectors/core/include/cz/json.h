/* SPDX-License-Identifier: Apache-2.0 */
/** jansson for REST, configuration and channel documents (never on the data path, see
 *  cz/json_doc.h for that).  @thread any, a json_t belongs to one thread at a time. */
#ifndef CZ_JSON_H
#define CZ_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cz/buf.h"
#include "cz/error.h"

/** Parse exactly one JSON document: duplicate keys, trailing bytes, NUL in keys, bad UTF-8 and
 *  nesting over CZ_MAX_JSON_DEPTH are CZ_E_PARSE with line and column.
 *  @param ret  owned by the caller (json_decref) */
CZ_MUST_USE enum cz_err cz_json_parse(const char *text, size_t len, json_t **ret, struct cz_error *err);
/** Compact text; keys sorted when @canonical (for hashing and comparing). cz_free. */
char *cz_json_text(const json_t *j, bool canonical);
void cz_json_add(struct cz_buf *b, const json_t *j);

/* Lenient getters for documents that we wrote ourselves: default when absent or another type. */
const char *cz_json_str(const json_t *obj, const char *key, const char *def);
int64_t cz_json_int(const json_t *obj, const char *key, int64_t def); /* also "123" strings */
bool cz_json_bool(const json_t *obj, const char *key, bool def);
/** 64-bit numbers travel as strings. New reference. */
json_t *cz_json_i64(int64_t v);
/** obj[key] = new string / number / …; NULL values are left out. */
void cz_json_set_str(json_t *obj, const char *key, const char *v);
void cz_json_set_str_or_null(json_t *obj, const char *key, const char *v); /* NULL: null */
void cz_json_set_i64(json_t *obj, const char *key, int64_t v); /* as string */
/** RFC 7396 merge patch. New reference. */
json_t *cz_json_merge_patch(const json_t *target, const json_t *patch);
/** What differs, as a list of {"op":"add|remove|replace","pointer","from"?,"to"?}; NULL: nothing
 *  there. New reference. */
json_t *cz_json_diff(const json_t *from, const json_t *to);
/** Must run once in main before any thread (jansson's hash seed). */
void cz_json_init(void);

#endif
