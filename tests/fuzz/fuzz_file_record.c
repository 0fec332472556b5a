/* SPDX-License-Identifier: Apache-2.0 */
/* LIBS: cz_formats */
/** Topic files: any bytes split and decode without harm; the same records come out however the
 * bytes are cut; what decodes is written and read again as the same record. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/file_record.h"
#include "cz/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static bool same(struct cz_slice a, struct cz_slice b)
{
    return !a.data == !b.data && a.len == b.len &&
           (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static void round_trip(struct cz_file_codec *a, struct cz_file_codec *b, struct cz_record *r)
{
    struct cz_buf line = CZ_BUF_INIT(CZ_MAX_FILE_RECORD);
    struct cz_record again;
    require(cz_file_encode(a, r, &line, NULL) == CZ_OK);
    require(cz_file_decode(b, line.data, line.len, &again, NULL) == CZ_OK);
    require(same(r->key, again.key) && same(r->value, again.value));
    require(r->offset == again.offset && r->timestamp_ms == again.timestamp_ms);
    struct cz_header x[4], y[4];
    size_t n = r->headers(r, x, 4);
    require(again.headers(&again, y, 4) == n);
    for (size_t i = 0; i < n && i < 4; i++)
        require(same(x[i].name, y[i].name) && same(x[i].value, y[i].value));
    cz_buf_done(&line);
}

/* Split in pieces of @step; gives the records' bytes, joined. */
static void split(const char *data, size_t size, size_t step, struct cz_buf *out)
{
    struct cz_file_split s = CZ_FILE_SPLIT_INIT;
    size_t at = 0, end = 0, used;
    struct cz_slice r;
    while (end < size) {
        end = end + step < size ? end + step : size;
        while (cz_file_split_next(&s, data + at, end - at, end == size, &r, &used)) {
            cz_buf_add(out, r.data, r.len);
            cz_buf_addc(out, '\n');
            at += used;
        }
        at += used;
        require(at <= end);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const char *text = (const char *)data + 1;
    size--;
    struct cz_file_codec *a = cz_file_codec_new(), *b = cz_file_codec_new();
    struct cz_buf whole = CZ_BUF_INIT(4 * CZ_MAX_FILE_RECORD), pieces = whole;
    split(text, size, size, &whole);
    split(text, size, 1 + data[0] % 16, &pieces);
    require(whole.len == pieces.len &&
            (whole.len == 0 || memcmp(whole.data, pieces.data, whole.len) == 0));
    struct cz_file_split s = CZ_FILE_SPLIT_INIT;
    struct cz_slice text_of;
    size_t at = 0, used;
    while (cz_file_split_next(&s, text + at, size - at, true, &text_of, &used)) {
        struct cz_record r;
        at += used;
        if (cz_file_decode(a, text_of.data, text_of.len, &r, NULL) == CZ_OK) {
            struct cz_file_codec *writer = cz_file_codec_new();
            round_trip(writer, b, &r);
            cz_file_codec_free(writer);
        }
    }
    cz_buf_done(&whole);
    cz_buf_done(&pieces);
    cz_file_codec_free(a);
    cz_file_codec_free(b);
    return 0;
}
