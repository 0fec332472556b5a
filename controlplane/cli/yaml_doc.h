/* SPDX-License-Identifier: Apache-2.0 */
/** A strict subset of YAML, read into and written from jansson.  Refused: anchors, aliases,
 * tags, directives, merge keys, duplicate or non-scalar keys, .inf and .nan, integers that
 * start with 0 or do not fit in 64 bits, NUL in strings, nesting over CZ_MAX_JSON_DEPTH.  Plain
 * scalars follow the core schema of YAML 1.2 (so `yes` and `1:30` are strings).  Errors are
 * CZ_E_PARSE with "line:column: reason".  @thread any */
#ifndef CZ_YAML_DOC_H
#define CZ_YAML_DOC_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "cz/buf.h"
#include "cz/error.h"

struct cz_yaml_docs {
    struct cz_yaml_doc {
        json_t *value;
        size_t index; /* its place in the stream; empty documents count but are not here */
    } * items;
    size_t len, cap;
};
void cz_yaml_docs_done(struct cz_yaml_docs *d);

/** Read all documents of @text; empty ones are left out. */
CZ_MUST_USE enum cz_err
cz_yaml_read(const char *text, size_t len, struct cz_yaml_docs *ret, struct cz_error *err);

struct cz_yaml_place {
    size_t line, column; /* from 1; 0: unknown */
};
/** Where the value that @pointer names begins in document @index; when it is not there, its
 *  nearest ancestor that is. */
struct cz_yaml_place
cz_yaml_find(const char *text, size_t len, size_t index, const char *pointer);

/** Append @j as one block-style document without markers, ending in a newline. Reading it gives
 *  the same value again. */
void cz_yaml_write(struct cz_buf *out, const json_t *j);

enum cz_yaml_scalar {
    CZ_YAML_STRING,
    CZ_YAML_NULL,
    CZ_YAML_TRUE,
    CZ_YAML_FALSE,
    CZ_YAML_INT,
    CZ_YAML_FLOAT,
    CZ_YAML_REFUSED, /* looks like a number but JSON has none such, or readers disagree on it */
};
/** What a plain scalar means in the core schema. */
enum cz_yaml_scalar cz_yaml_resolve(const char *s, size_t n);

#endif
