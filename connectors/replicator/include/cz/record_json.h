/* SPDX-License-Identifier: Apache-2.0 */
/** A record as people write and read it in JSON: in the tests of a mapping and in a preview.
 *
 *  {"key","value","headers","topic","partition","offset","timestamp"}, every member optional; an
 *  absent or null key or value is null.  A value that is JSON stands as it is, so a string is a JSON
 *  string; in a key, and in a value of format raw, a string stands for its own text.  Headers are
 *  {name: text} or, where order and duplicates matter, [{"name","value"}].
 *  @thread one at a time per object */
#ifndef CZ_RECORD_JSON_H
#define CZ_RECORD_JSON_H

#include <jansson.h>

#include "cz/mapping_spec.h"
#include "cz/record.h"

struct cz_json_record {
    struct cz_record r; /* points into what follows, so the object must not be moved */
    char *key, *value, *topic;
    struct cz_header *headers; /* texts owned */
    size_t headers_len;
};
/** Problems go to @rep, below @pointer; cz_json_record_done() in any case. */
void cz_json_record_init(struct cz_json_record *j,
                         const json_t *input,
                         const struct cz_mapping_spec *spec,
                         const char *pointer,
                         struct cz_report *rep);
void cz_json_record_done(struct cz_json_record *j);

/** Bytes for people: JSON where they are JSON, else a text, else base64. *ret_encoding says which:
 *  NULL, "text" or "base64". At most about @max bytes of text are shown. New reference. */
json_t *cz_bytes_json(struct cz_slice bytes, size_t max, const char **ret_encoding);
/** [{"name","value","value_encoding"?}] */
json_t *cz_headers_json(const struct cz_header *h, size_t n, size_t max);

#endif
