/* SPDX-License-Identifier: Apache-2.0 */
/** Insides of the Avro reader and writer. */
#ifndef CZ_AVRO_PRIV_H
#define CZ_AVRO_PRIV_H

#include <stdbool.h>

#include "cz/avro.h"
#include "cz/limits.h"

enum cz__avro_kind {
    CZ__AVRO_NULL,
    CZ__AVRO_BOOLEAN,
    CZ__AVRO_INT,
    CZ__AVRO_LONG,
    CZ__AVRO_FLOAT,
    CZ__AVRO_DOUBLE,
    CZ__AVRO_BYTES,
    CZ__AVRO_STRING,
    CZ__AVRO_RECORD,
    CZ__AVRO_ENUM,
    CZ__AVRO_ARRAY,
    CZ__AVRO_MAP,
    CZ__AVRO_UNION,
    CZ__AVRO_FIXED,
};
enum cz__avro_logical { CZ__AVRO_PLAIN, CZ__AVRO_DECIMAL, CZ__AVRO_UUID };

struct cz__avro_field {
    char *name;
    char *label; /* "name": as JSON, quoted, with the colon */
    size_t label_len;
    const struct cz__avro_type *type;
    char *def_json; /* default as JSON text; NULL: none */
    char *def;      /* default as a datum; NULL: none, or it does not fit the type */
    size_t def_len;
};
struct cz__avro_type {
    enum cz__avro_kind kind;
    enum cz__avro_logical logical;
    char *name;      /* full name of a record, enum, fixed */
    size_t size;     /* fixed: bytes */
    unsigned scale, precision; /* decimal */
    size_t n;        /* fields, symbols, branches; array and map: 1 */
    struct cz__avro_field *fields;
    char **symbols;
    const struct cz__avro_type **of; /* branches; item */
    struct cz__avro_type *next; /* of the schema's list */
};
struct cz_avro_schema {
    struct cz__avro_type *types; /* all of them, for freeing */
    const struct cz__avro_type *root;
};

/** A place in a datum. The first failure is kept in `why`. */
struct cz__avro_in {
    const unsigned char *start, *at, *end;
    uint64_t budget; /* values that may still come: those without bytes are endless else */
    unsigned depth;
    const char *why;
};
void cz__avro_in_init(struct cz__avro_in *in, const char *data, size_t len);
/** Note the first reason; false. */
bool cz__avro_bad(struct cz__avro_in *in, const char *why);
/** Pass a value; as JSON to @out unless that is NULL, when strings are not looked at. */
bool cz__avro_value(struct cz__avro_in *in, const struct cz__avro_type *t, struct cz_buf *out);
/** A number, in the bounds that @t gives it (branch, symbol, int). */
bool cz__avro_number(struct cz__avro_in *in, const struct cz__avro_type *t, int64_t *ret);
/** Items of the next block of an array or map; 0: it was the last. */
bool cz__avro_block(struct cz__avro_in *in, uint64_t *ret);
bool cz__avro_sized(struct cz__avro_in *in, const char **ret, size_t *ret_n);

/** What of a value becomes JSON: of a record its fields, of a union its branches. */
struct cz__avro_part {
    const struct cz__avro_type *type;
    struct cz__avro_part **of; /* NULL: all of it; a NULL element: nothing of that field */
    size_t n;
};
struct cz_avro_plan {
    struct cz__avro_part *root;
};

/** Two's complement, big-endian → decimal text. */
void cz__avro_decimal_text(const char *p, size_t n, unsigned scale, struct cz_buf *out);
/** JSON number → the shortest two's complement.  @out has room for CZ_MAX_AVRO_DECIMAL bytes.
 *  @return NULL, or why not */
const char *cz__avro_decimal_bytes(const char *text, size_t len, unsigned scale, unsigned precision,
                                   unsigned char *out, size_t *ret_n);
/** Turn the defaults of all fields into data. */
void cz__avro_defaults(struct cz_avro_schema *s);
#endif
