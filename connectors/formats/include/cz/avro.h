/* SPDX-License-Identifier: Apache-2.0 */
/** Avro's binary form, read and written by a schema: datum ↔ JSON text.
 *
 *  A schema is compiled once from the registry's own text (jansson, not on the data path) and is
 *  immutable then.  Reading trusts nothing: lengths end at the datum's end, nesting at
 *  CZ_MAX_AVRO_DEPTH, values without bytes (null, an empty record) are counted, the output is
 *  bounded by its buffer.
 *
 *  As JSON: a record is an object in the schema's order, a map an object, an enum its symbol, a
 *  union the bare value of its branch.  Numbers are exact: float and double are the shortest text
 *  that reads back as the same number; "NaN", "Infinity" and "-Infinity" are strings.  bytes and fixed are a string with
 *  one character U+0000..U+00FF per byte, as in Avro's own JSON.  decimal is an exact number
 *  (longer than CZ_MAX_AVRO_DECIMAL bytes: as bytes); uuid is its text, also when it is a fixed of
 *  16.  Times stay the numbers that they are (date: days; time and timestamp: of their unit), so
 *  that they compare and add.
 *  @thread a schema may be shared, a buffer belongs to one thread */
#ifndef CZ_AVRO_H
#define CZ_AVRO_H

#include <stddef.h>
#include <stdint.h>

#include "cz/buf.h"
#include "cz/error.h"
#include "cz/json_doc.h"
#include "cz/record.h"

struct cz_avro_schema;
/** Compile @texts[@n - 1]; the ones before it are what it refers to, each after its own references.
 *  @return CZ_OK · CZ_E_PARSE (no JSON) · CZ_E_INVALID (no Avro schema) · CZ_E_TOO_LARGE */
CZ_MUST_USE enum cz_err cz_avro_schema_new(const struct cz_slice *texts,
                                           size_t n,
                                           struct cz_avro_schema **ret,
                                           struct cz_error *err);
void cz_avro_schema_free(struct cz_avro_schema *s); /* NULL allowed */
void cz_avro_schema_freep(struct cz_avro_schema **s);
/** Full name of a named type, else NULL. */
const char *cz_avro_schema_name(const struct cz_avro_schema *s);
/** What the schema says about a datum, as a text that two schemas share when every datum means the same
 *  by both: names, order, symbols, sizes, decimals; not layout, documentation, defaults and aliases, nor
 *  which parts are written in schemas that it refers to.  cz_free.  NULL: too large. */
char *cz_avro_schema_form(const struct cz_avro_schema *s);

/** Which parts of a datum become JSON: those that the paths of the tries reach.  It belongs to the
 *  schema, and must be freed before. */
struct cz_avro_plan;
struct cz_avro_plan *
cz_avro_plan_new(const struct cz_avro_schema *s, const struct cz_json_trie *const *tries, size_t n);
void cz_avro_plan_free(struct cz_avro_plan *p); /* NULL allowed */

/** Append the datum as JSON, @plan's parts of it (NULL: all).  The whole of @data must be one datum;
 *  strings that are in no part are not checked.  @out NULL: only check.
 *  @return CZ_OK · CZ_E_PARSE ("Avro byte N: reason") · CZ_E_TOO_LARGE (over @out's maximum) */
CZ_MUST_USE enum cz_err cz_avro_to_json(const struct cz_avro_schema *s,
                                        const struct cz_avro_plan *plan,
                                        const char *data,
                                        size_t len,
                                        struct cz_buf *out,
                                        struct cz_error *err);

/** JSON → datum, the way back: the same JSON stands for the same values.  A member that is missing
 *  has its field's default; one that no field has is an error, so that nothing is lost silently.  Of
 *  a union the branch of the old datum is taken when it fits, else the first one that does.  What is
 *  the same text as in the old datum keeps its bytes, however odd their encoding.
 *  @thread a writer belongs to one thread */
struct cz_avro_writer;
struct cz_avro_writer *cz_avro_writer_new(void);
void cz_avro_writer_free(struct cz_avro_writer *w); /* NULL allowed */
/** Append the datum to @out.  @was: the datum that the JSON came from; NULL data: none.
 *  @return CZ_OK · CZ_E_PARSE (no JSON) · CZ_E_INVALID ("field a.b: reason") · CZ_E_LIMIT */
CZ_MUST_USE enum cz_err cz_avro_from_json(struct cz_avro_writer *w,
                                          const struct cz_avro_schema *s,
                                          struct cz_slice json,
                                          struct cz_slice was,
                                          struct cz_buf *out,
                                          struct cz_error *err);

#endif
