/* SPDX-License-Identifier: Apache-2.0 */
/* Which letters of a partition are done: a position, and ranges behind it.  Letters that nobody chose yet, or
 * that failed again, are the holes between. */
#include <inttypes.h>
#include <string.h>

#include "cz/json.h"
#include "cz/util.h"
#include "redrive_priv.h"

enum { VALUE_MAX = 700 * 1024 }; /* a record of a usual topic has a megabyte */

void redrive_done_free(struct redrive_done *d)
{
    cz_free(d->items);
    *d = (struct redrive_done){0};
}

void redrive_done_copy(const struct redrive_done *from, struct redrive_done *to)
{
    *to = (struct redrive_done){.position = from->position, .len = from->len, .cap = from->len};
    if (from->len > 0)
        to->items = cz_memdup(from->items, from->len * sizeof *from->items);
}

/* The first range that ends at @offset or behind it. */
static size_t find(const struct redrive_done *d, int64_t offset)
{
    size_t low = 0, high = d->len;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (d->items[mid].to < offset)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

bool redrive_done_has(const struct redrive_done *d, int64_t offset)
{
    if (offset < d->position)
        return true;
    size_t i = find(d, offset + 1);
    return i < d->len && d->items[i].from <= offset;
}

static void take_out(struct redrive_done *d, size_t from, size_t to)
{
    if (from < to)
        memmove(&d->items[from], &d->items[to], (d->len - to) * sizeof *d->items);
    d->len -= to - from;
}

void redrive_done_add(struct redrive_done *d, int64_t from, int64_t to)
{
    if (from >= to || to <= d->position)
        return;
    size_t first = find(d, from), end = first;
    for (; end < d->len && d->items[end].from <= to; end++) {
        from = d->items[end].from < from ? d->items[end].from : from;
        to = d->items[end].to > to ? d->items[end].to : to;
    }
    if (from <= d->position) {
        d->position = to;
        take_out(d, 0, end);
        return;
    }
    if (first == end) {
        cz_grow(&d->items, &d->cap, d->len, sizeof *d->items);
        memmove(&d->items[first + 1], &d->items[first], (d->len - first) * sizeof *d->items);
        d->len++;
    } else {
        take_out(d, first + 1, end);
    }
    d->items[first] = (struct redrive_range){from, to};
}

enum cz_err redrive_done_write(const struct redrive_done *d, const char *topic_id, struct cz_buf *out,
                               struct cz_error *err)
{
    cz_buf_init(out, VALUE_MAX);
    cz_buf_addf(out, "{\"v\":1,\"topic_id\":");
    cz_buf_add_json_string(out, topic_id, strlen(topic_id));
    cz_buf_addf(out, ",\"position\":\"%" PRId64 "\",\"done\":\"", d->position);
    for (size_t i = 0; i < d->len; i++)
        cz_buf_addf(out, "%s%" PRId64 "-%" PRId64, i ? "," : "", d->items[i].from, d->items[i].to);
    cz_buf_adds(out, "\"}");
    return out->failed ? cz_fail(err, CZ_E_LIMIT,
                                 "letters were taken from too many places: re-drive or discard older ones first")
                       : CZ_OK;
}

static bool read_ranges(const char *text, struct redrive_done *ret)
{
    CZ_CLEANUP(cz_freep) char *copy = cz_strdup(text);
    char *save = NULL;
    for (char *one = strtok_r(copy, ",", &save); one; one = strtok_r(NULL, ",", &save)) {
        char *dash = strchr(one, '-');
        int64_t from, to;
        if (!dash)
            return false;
        *dash = '\0';
        if (!cz_parse_i64(one, &from) || !cz_parse_i64(dash + 1, &to) || from < 0 || to <= from)
            return false;
        redrive_done_add(ret, from, to);
    }
    return true;
}

enum cz_err redrive_done_read(struct cz_slice value, struct redrive_done *ret, char **ret_topic_id,
                              struct cz_error *err)
{
    json_t *o = NULL;
    *ret = (struct redrive_done){0};
    enum cz_err code = cz_json_parse(value.data ? value.data : "", value.len, &o, err);
    if (!code && cz_json_int(o, "v", 0) != 1)
        code = cz_fail(err, CZ_E_INVALID, "it was written by a newer version");
    if (!code) {
        ret->position = cz_json_int(o, "position", 0);
        if (!read_ranges(cz_json_str(o, "done", ""), ret))
            code = cz_fail(err, CZ_E_PARSE, "its list of ranges cannot be read");
    }
    if (code)
        redrive_done_free(ret);
    else
        *ret_topic_id = cz_strdup(cz_json_str(o, "topic_id", ""));
    json_decref(o);
    return code;
}
