/* SPDX-License-Identifier: Apache-2.0 */
/** The expression language: JMESPath, complete, over records.
 *
 *  cz_jmespath_compile() turns the text into a program and the trie of the paths that it reads.
 *  A program is immutable and shared by all lanes; each lane has its `struct cz_eval` with the
 *  arena, the structural indexes and the slots, used for record after record:
 *
 *      cz_eval_begin(e, &record, &options);            per record, costs nothing
 *      cz_jmespath_match(expr, e, &pass, &err);        any number of expressions
 *      cz_eval_value_doc(e, &doc, &err);               the same index for a value map
 *
 *  A record is seen as the object {key, value, headers, topic, partition, offset, timestamp};
 * only the members that the expression reads are decoded. Errors of expressions are
 * CZ_E_INVALID with the category in err->detail and a text "position N: reason" (N counts bytes
 * from 0) for those found when compiling; a record that is not JSON is CZ_E_PARSE; an exceeded
 * bound is CZ_E_LIMIT. As in every implementation of JMESPath `!` binds tighter than `.`: !a.b
 * is (!a).b, which is null; write !(a.b).  Beyond the specification: < <= > >= also order two
 * strings (by code point), as jmespath.py does. @thread any for programs; one at a time for a
 * cz_eval */
#ifndef CZ_JMESPATH_H
#define CZ_JMESPATH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cz/buf.h"
#include "cz/error.h"
#include "cz/json_doc.h"
#include "cz/record.h"

/** In cz_error.detail. The names are those of the compliance suite. */
enum cz_jmespath_category {
    CZ_JMESPATH_SYNTAX = 1,
    CZ_JMESPATH_INVALID_TYPE,
    CZ_JMESPATH_INVALID_ARITY,
    CZ_JMESPATH_INVALID_VALUE,
    CZ_JMESPATH_UNKNOWN_FUNCTION,
    CZ_JMESPATH_LIMIT,
};
const char *cz_jmespath_category_name(int64_t detail); /* "invalid-type"; "" for others */

/** Which members of a record an expression can touch. */
enum cz_reads {
    CZ_READS_KEY = 1 << 0,
    CZ_READS_VALUE = 1 << 1,
    CZ_READS_HEADERS = 1 << 2,
    CZ_READS_TOPIC = 1 << 3,
    CZ_READS_PARTITION = 1 << 4,
    CZ_READS_OFFSET = 1 << 5,
    CZ_READS_TIMESTAMP = 1 << 6,
    CZ_READS_ALL = (1 << 7) - 1,
};

struct cz_jmespath;
/** Compile @text (UTF-8). Arity, unknown functions and a slice step of 0 are found here, types
 * at evaluation. @param ret owned by the caller, cz_jmespath_free()
 *  @return CZ_OK · CZ_E_INVALID (detail = category) */
CZ_MUST_USE enum cz_err cz_jmespath_compile(const char *text,
                                            size_t len,
                                            struct cz_jmespath **ret,
                                            struct cz_error *err);
void cz_jmespath_free(struct cz_jmespath *x);
void cz_jmespath_freep(struct cz_jmespath **x);          /* for CZ_CLEANUP */
uint32_t cz_jmespath_reads(const struct cz_jmespath *x); /* enum cz_reads */
/** The paths into the record's value (or key) that the expression reads, for formats that are turned
 *  into JSON for it; NULL: none. */
const struct cz_json_trie *cz_jmespath_value_paths(const struct cz_jmespath *x);
const struct cz_json_trie *cz_jmespath_key_paths(const struct cz_jmespath *x);
/** Must the whole document become a tree (`@`, keys(@), …)? For tests and for explaining cost.
 */
bool cz_jmespath_needs_tree(const struct cz_jmespath *x);

/* ---- a lane's context ---------------------------------------------------------------------
 */

enum cz_side_format {
    CZ_SIDE_AUTO, /* value: JSON. key: JSON when its bytes are, else its text as a string */
    CZ_SIDE_RAW,  /* a string; bytes that are not UTF-8 are CZ_E_PARSE */
    CZ_SIDE_JSON, /* must be JSON */
    CZ_SIDE_AVRO, /* only for stages, which show it to expressions as JSON */
};
struct cz_eval_options {
    enum cz_side_format key_format, value_format;
    bool validate_full; /* each decoded side is checked completely, not only what is read */
};

struct cz_eval;
struct cz_eval *cz_eval_new(void);
void cz_eval_free(struct cz_eval *e);
void cz_eval_freep(struct cz_eval **e);
/** Start with a record (borrowed until the next begin). Nothing is decoded yet. */
void cz_eval_begin(struct cz_eval *e,
                   const struct cz_record *record,
                   const struct cz_eval_options *options);
/** Does the record pass? JMESPath's truth: false, null, "", [] and {} are false; 0 is true. */
CZ_MUST_USE enum cz_err cz_jmespath_match(const struct cz_jmespath *x,
                                          struct cz_eval *e,
                                          bool *ret_pass,
                                          struct cz_error *err);
/** The value of the expression for the record; valid until the next begin. */
CZ_MUST_USE enum cz_err cz_jmespath_value(const struct cz_jmespath *x,
                                          struct cz_eval *e,
                                          struct cz_jval *ret,
                                          struct cz_error *err);
/** Why is the expression true or false of the record: the parts of && and || that decide, as
 *  [{"expression","value","operands":[{"expression","value"}]}], with operands of comparisons and
 *  functions that are no literals.  Slow: for preview and tests of mappings. New reference. */
CZ_MUST_USE enum cz_err cz_jmespath_explain(const struct cz_jmespath *x,
                                            struct cz_eval *e,
                                            json_t **ret,
                                            struct cz_error *err);
/** The record's value (or key) as an indexed document, made at most once per record;
 *  *ret is NULL when it is null or plain text (format raw; a key of format auto that is no JSON).
 *  Its structure has been checked. Borrowed until the next begin. */
CZ_MUST_USE enum cz_err
cz_eval_value_doc(struct cz_eval *e, const struct cz_json_doc **ret, struct cz_error *err);
CZ_MUST_USE enum cz_err
cz_eval_key_doc(struct cz_eval *e, const struct cz_json_doc **ret, struct cz_error *err);
/** The memory of the record, for stages that need some until the next begin. */
struct cz_arena *cz_eval_arena(struct cz_eval *e);
/** For tests: evaluate over a whole tree, without slots (the reference). */
void cz_eval_force_tree(struct cz_eval *e, bool on);

/* ---- over any JSON text ---------------------------------------------------------------------
 */

/** Evaluate over one JSON document (fully checked) and append the result as JSON text. Numbers
 *  and strings that were not computed keep their text. Ends a record begun before. */
CZ_MUST_USE enum cz_err cz_jmespath_search(const struct cz_jmespath *x,
                                           struct cz_eval *e,
                                           const char *json,
                                           size_t len,
                                           struct cz_buf *out,
                                           struct cz_error *err);
/** Compile and search in one; for `citizenk eval`. @out should have a maximum of
 *  CZ_MAX_EVAL_OUTPUT. */
CZ_MUST_USE enum cz_err cz_jmespath_eval_text(const char *expr,
                                              size_t expr_len,
                                              const char *json,
                                              size_t json_len,
                                              struct cz_buf *out,
                                              struct cz_error *err);

#endif
