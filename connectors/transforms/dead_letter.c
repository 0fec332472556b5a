/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a dead letter: what it tells stands behind the last header that begins a letter.  A record that
 * was a dead letter before (the source may be such a topic) has further ones, which are its own. */
#include "cz/dead_letter.h"

#include <string.h>

#include "cz/alloc.h"
#include "cz/util.h"

static bool is(struct cz_slice s, const char *text)
{
    return s.data && s.len == strlen(text) && memcmp(s.data, text, s.len) == 0;
}

static size_t own_headers(const struct cz_record *r, struct cz_header *out, size_t max)
{
    const struct cz_letter *l = r->msg;
    for (size_t i = 0; i < l->headers_len && i < max; i++)
        out[i] = l->headers[i];
    return l->headers_len;
}

static bool number(struct cz_slice s, int64_t max, int64_t *ret)
{
    char text[24];
    if (!s.data || s.len >= sizeof text)
        return false;
    memcpy(text, s.data, s.len);
    text[s.len] = '\0';
    return cz_parse_i64(text, ret) && *ret >= 0 && *ret <= max;
}

static void take(struct cz_letter *l, const struct cz_header *h, struct cz_slice *partition, struct cz_slice *offset)
{
    const struct {
        const char *name;
        struct cz_slice *to;
    } told[] = {
        {CZ_LETTER_PARTITION, partition}, {CZ_LETTER_OFFSET, offset},     {CZ_LETTER_LABEL, &l->label},
        {CZ_LETTER_STAGE, &l->stage},     {CZ_LETTER_ERROR, &l->error}, {CZ_LETTER_MESSAGE, &l->message},
    };
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        if (is(h->name, told[i].name))
            *told[i].to = h->value;
    }
    l->withheld |= is(h->name, CZ_LETTER_WITHHELD);
}

bool cz_letter_read(const struct cz_record *r, struct cz_letter *ret)
{
    *ret = (struct cz_letter){0};
    size_t n = r->headers ? r->headers(r, NULL, 0) : 0, first = n;
    if (n == 0)
        return false;
    ret->headers = cz_alloc_array(n, sizeof *ret->headers);
    (void)r->headers(r, ret->headers, n);
    for (size_t i = 0; i < n; i++) {
        if (is(ret->headers[i].name, CZ_LETTER_TOPIC))
            first = i;
    }
    struct cz_slice partition = {0}, offset = {0};
    for (size_t i = first; i < n; i++)
        take(ret, &ret->headers[i], &partition, &offset);
    int64_t p, o;
    if (first == n || !ret->headers[first].value.data || !number(partition, INT32_MAX, &p) ||
        !number(offset, INT64_MAX, &o))
        return false;
    ret->topic = cz_strndup(ret->headers[first].value.data, ret->headers[first].value.len);
    ret->headers_len = first;
    ret->record = *r;
    ret->record.topic = ret->topic;
    ret->record.partition = (int32_t)p;
    ret->record.offset = o;
    ret->record.headers = own_headers;
    ret->record.msg = ret;
    return true;
}

void cz_letter_done(struct cz_letter *l)
{
    cz_free(l->topic);
    cz_free(l->headers);
    *l = (struct cz_letter){0};
}

bool cz_letter_is_of(const struct cz_letter *l, const char *team, const char *mapping)
{
    size_t t = strlen(team), m = strlen(mapping);
    const char *s = l->label.data;
    return s && l->label.len > t + m + 1 && memcmp(s, team, t) == 0 && s[t] == '/' &&
           memcmp(s + t + 1, mapping, m) == 0 && s[t + 1 + m] == '/';
}
