/* SPDX-License-Identifier: Apache-2.0 */
/** The wire format of schema registries.  The schema is named in front of the datum by a 0 byte and
 *  a big-endian id of four bytes, or by a 1 byte and a GUID of 16; or by the same bytes as the value
 *  of a header, and then nothing stands in front of the datum.
 *  @thread any */
#ifndef CZ_AVRO_WIRE_H
#define CZ_AVRO_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cz/error.h"
#include "cz/record.h"

#define CZ_KEY_SCHEMA_HEADER "__key_schema_id"
#define CZ_VALUE_SCHEMA_HEADER "__value_schema_id"

struct cz_schema_name {
    bool is_guid;
    uint32_t id;
    unsigned char guid[16];
};
#define CZ_SCHEMA_NAME_SIZE 37
/** "42", or "8a3f…" as a GUID is written. @out CZ_SCHEMA_NAME_SIZE bytes. */
char *cz_schema_name_text(const struct cz_schema_name *n, char *out);
/** A GUID as it is written; false: it is none. */
bool cz_schema_guid_parse(const char *text, struct cz_schema_name *ret);

struct cz_avro_wire {
    struct cz_schema_name name;
    struct cz_slice datum;
    size_t prefix;  /* bytes in front of the datum */
    bool in_header;
};
/** @param header the value of the side's header; NULL data: it has none.  CZ_E_PARSE: no schema is
 *  named. */
CZ_MUST_USE enum cz_err cz_avro_wire(struct cz_slice payload,
                                     struct cz_slice header,
                                     struct cz_avro_wire *ret,
                                     struct cz_error *err);
enum { CZ_AVRO_WIRE_MAX = 17 };
/** Write what names the schema, as it stands in front of a datum or in a header. @out has room for
 *  CZ_AVRO_WIRE_MAX. @return how many bytes it is */
size_t cz_avro_wire_put(unsigned char *out, const struct cz_schema_name *name);

#endif
