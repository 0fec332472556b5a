/* SPDX-License-Identifier: Apache-2.0 */
/* Files as targets: a record in flight is one that was appended and is not yet on the disk. */
#include "cz/alloc.h"
#include "lane_priv.h"

static size_t stage_headers(const struct cz_record *r, struct cz_header *out, size_t max)
{
    const struct cz_stage_result *s = r->msg;
    for (size_t i = 0; i < s->headers_len && i < max; i++)
        out[i] = s->headers[i];
    return s->headers_len;
}

enum cz_err lane__append(const struct lane_cursor *c, const struct cz_record *r, const struct cz_stage_result *s,
                         struct cz_inflight *e, struct cz_error *err)
{
    struct cz_record line = *r;
    line.topic = c->part->topic; /* the reader's string may go before the file's */
    line.key = s->key;
    line.value = s->value;
    if (s->headers_changed) {
        line.headers = stage_headers;
        line.msg = CZ_UNCONST(s);
    }
    /* The partition stays the source's: a file has none, and exactly once goes by it. */
    return cz_file_append(c->part->file, &line, e, err);
}

void lane__append_failed(const struct lane_cursor *c, struct cz_error *ret)
{
    cz_file_out_error(c->part->file, ret);
    ret->flags |= CZ_ERR_RETRIABLE;
}

void cz_inflight_written(void *opaque, const struct cz_error *err)
{
    const struct cz_delivery d = {.opaque = opaque, .code = err ? err->code : CZ_OK, .flags = err ? err->flags : 0};
    cz_inflight_delivered(&d);
}
