/* SPDX-License-Identifier: Apache-2.0 */
/* LIBS: cz_formats */
/** The Avro reader and writer: up to the first 0 byte a schema, behind it a datum. Both may be
 *  anything; what is read as a datum must come out as valid JSON; what is written of that JSON must be
 *  readable again; with the old datum beside it the bytes must be the old ones. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cz/avro.h"
#include "cz/json_doc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require_json(const struct cz_buf *out)
{
    struct cz_json_doc doc = CZ_JSON_DOC_INIT;
    if (cz_json_doc_index(&doc, out->data, out->len, NULL) ||
        cz_json_doc_walk(&doc, NULL, NULL, NULL) || cz_json_doc_check_full(&doc, NULL))
        abort();
    cz_json_doc_done(&doc);
}

static void require_way_back(const struct cz_avro_schema *s, const struct cz_buf *json, struct cz_slice was)
{
    struct cz_avro_writer *w = cz_avro_writer_new();
    struct cz_buf out = CZ_BUF_INIT(1 << 20), again = CZ_BUF_INIT(1 << 22);
    const struct cz_slice text = {cz_buf_str(json), json->len};
    if (!cz_avro_from_json(w, s, text, (struct cz_slice){0}, &out, NULL)) {
        if (cz_avro_to_json(s, NULL, cz_buf_str(&out), out.len, &again, NULL))
            abort();
        require_json(&again);
    }
    cz_buf_clear(&out);
    if (cz_avro_from_json(w, s, text, was, &out, NULL) || out.len != was.len ||
        memcmp(cz_buf_str(&out), was.data, was.len) != 0)
        abort();
    cz_buf_done(&out);
    cz_buf_done(&again);
    cz_avro_writer_free(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *zero = size ? memchr(text, 0, size) : NULL;
    size_t n = zero ? (size_t)(zero - text) : size;
    const struct cz_slice schema = {text, n};
    struct cz_avro_schema *s = NULL;
    if (cz_avro_schema_new(&schema, 1, &s, NULL))
        return 0;
    struct cz_buf out = CZ_BUF_INIT(1 << 20);
    const char *datum = zero ? zero + 1 : text + size;
    const struct cz_slice was = {datum, (size_t)(text + size - datum)};
    if (!cz_avro_to_json(s, NULL, was.data, was.len, &out, NULL)) {
        require_json(&out);
        require_way_back(s, &out, was);
    }
    cz_buf_done(&out);
    cz_avro_schema_free(s);
    return 0;
}
