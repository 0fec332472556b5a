/* SPDX-License-Identifier: Apache-2.0 */
/* A record as a line of a topic file.  The rule that keeps bytes whole: a JSON string stands for
 * its content, so only JSON that is no string may stand in place. */
#include "file_priv.h"

#include <string.h>

#include "cz/limits.h"
#include "cz/util.h"

/* Deep documents are written as strings: in place they would be one level deeper in the line. */
static bool deep(const struct cz_json_doc *d)
{
    unsigned depth = 0;
    for (uint32_t i = 0; i < d->n; i++) {
        char c = d->data[d->token[i]];
        if ((c == '{' || c == '[') && ++depth >= CZ_MAX_RECORD_JSON_DEPTH)
            return true;
        if (c == '}' || c == ']')
            depth--;
    }
    return false;
}

static bool in_place(struct cz_file_codec *c, struct cz_slice s)
{
    if (s.len == 0 || s.len >= UINT32_MAX || !strchr("{[-0123456789tf", s.data[0]) ||
        s.data[0] == '\0' || memchr(s.data, '\n', s.len) || memchr(s.data, '\r', s.len))
        return false;
    char last = s.data[s.len - 1];
    return last != ' ' && last != '\t' &&
           cz_json_doc_index(&c->doc, s.data, s.len, NULL) == CZ_OK &&
           cz_json_doc_walk(&c->doc, NULL, NULL, NULL) == CZ_OK &&
           cz_json_doc_check_full(&c->doc, NULL) == CZ_OK && !deep(&c->doc);
}

/* "name":…, and "name_encoding" when it is needed. Headers (of which there may be many small
 * ones) are never JSON in place. */
static void
add_side(struct cz_file_codec *c, struct cz_buf *out, const char *name, struct cz_slice s, bool json)
{
    cz_buf_addf(out, "\"%s\":", name);
    if (!s.data) {
        cz_buf_adds(out, "null");
    } else if (json && in_place(c, s)) {
        cz_buf_add(out, s.data, s.len);
    } else if (cz_utf8_valid(s.data, s.len)) {
        cz_buf_add_json_string(out, s.data, s.len);
    } else {
        cz_buf_addc(out, '"');
        cz_base64_add(out, s.data, s.len);
        cz_buf_addf(out, "\",\"%s_encoding\":\"base64\"", name);
    }
}

static void add_headers(struct cz_file_codec *c, struct cz_buf *out, const struct cz_record *r)
{
    size_t n = cz__file_headers(c, r);
    for (size_t i = 0; i < n; i++) {
        cz_buf_adds(out, i ? ",{" : ",\"headers\":[{");
        add_side(c, out, "name", c->headers[i].name, false);
        cz_buf_addc(out, ',');
        add_side(c, out, "value", c->headers[i].value, false);
        cz_buf_addc(out, '}');
    }
    if (n > 0)
        cz_buf_addc(out, ']');
}

enum cz_err cz_file_encode(struct cz_file_codec *c,
                           const struct cz_record *r,
                           struct cz_buf *out,
                           struct cz_error *err)
{
    size_t before = out->len;
    cz_buf_adds(out, "{\"topic\":");
    cz_buf_add_json_string(out, r->topic, strlen(r->topic));
    cz_buf_addc(out, ',');
    add_side(c, out, "key", r->key, true);
    cz_buf_addc(out, ',');
    add_side(c, out, "value", r->value, true);
    cz_buf_addf(out, ",\"partition\":%d,\"offset\":%lld", r->partition, (long long)r->offset);
    if (r->ts_type != CZ_TS_NONE)
        cz_buf_addf(out, ",\"timestamp\":%lld", (long long)r->timestamp_ms);
    if (r->ts_type == CZ_TS_APPEND)
        cz_buf_adds(out, ",\"timestamp_type\":\"append\"");
    add_headers(c, out, r);
    cz_buf_adds(out, "}\n");
    if (!out->failed)
        return CZ_OK;
    out->len = before;
    out->failed = false;
    return cz_fail(err, CZ_E_LIMIT, "the record is too large for a line of a file");
}
