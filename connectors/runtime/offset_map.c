/* SPDX-License-Identifier: Apache-2.0 */
/* The offset map: blocks as they are written, and what can be read out of them; see the header. */
#include "cz/offset_map.h"

#include <inttypes.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/util.h"

enum { NO_PARTITION = -2, SCATTERED = -1, KEEP_RUNS = 4000000 };

/* ---- writing --------------------------------------------------------------------------------- */

void cz_map_block_init(struct cz_map_block *b, int64_t first)
{
    struct cz_map_run *runs = b->runs;
    size_t cap = b->cap;
    *b = (struct cz_map_block){.first = first, .end = first, .partition = NO_PARTITION, .runs = runs,
                                .cap = cap, .written = -1};
}

void cz_map_block_done(struct cz_map_block *b)
{
    cz_free(b->runs);
    *b = (struct cz_map_block){0};
}

void cz_map_block_add(struct cz_map_block *b, int64_t source, int32_t partition, int64_t target)
{
    if (b->len == CZ_OFFSET_MAP_RUNS_MAX)
        cz_map_block_init(b, source);
    struct cz_map_run *last = b->len ? &b->runs[b->len - 1] : NULL;
    if (b->partition == NO_PARTITION)
        b->partition = partition;
    else if (b->partition != partition)
        b->partition = SCATTERED;
    if (b->partition == SCATTERED) {
        b->len = 0;
    } else if (last && source == last->source + last->len && target == last->target + last->len) {
        last->len++;
    } else {
        cz_grow(&b->runs, &b->cap, b->len, sizeof *b->runs);
        b->runs[b->len++] = (struct cz_map_run){source, target, 1};
    }
    b->end = source + 1;
}

void cz_map_block_reach(struct cz_map_block *b, int64_t position)
{
    if (position > b->end)
        b->end = position;
}

void cz_map_block_next(struct cz_map_block *b)
{
    size_t gone = 0;
    if (!cz_map_block_full(b) || b->written < 0)
        return;
    while (gone < b->len && b->runs[gone].source + b->runs[gone].len <= b->written)
        gone++;
    b->len -= gone;
    memmove(b->runs, b->runs + gone, b->len * sizeof *b->runs);
    if (b->len > 0 && b->runs[0].source < b->written) {
        int64_t over = b->written - b->runs[0].source;
        b->runs[0] = (struct cz_map_run){b->written, b->runs[0].target + over, b->runs[0].len - over};
    }
    b->first = b->written;
    b->written = b->end == b->first ? b->end : -1; /* an empty one says nothing new */
}

/* The runs below @position only. */
static size_t cut(struct cz_map_run *runs, size_t len, int64_t position)
{
    while (len > 0 && runs[len - 1].source >= position)
        len--;
    if (len > 0 && runs[len - 1].source + runs[len - 1].len > position)
        runs[len - 1].len = position - runs[len - 1].source;
    return len;
}

void cz_map_block_cut(struct cz_map_block *b, int64_t position)
{
    if (position < b->first) {
        cz_map_block_init(b, position);
        return;
    }
    b->len = cut(b->runs, b->len, position);
    b->end = position;
    b->written = -1;
}

char *cz_map_block_key(const struct cz_map_block *b, const char *uid, const char *topic, int32_t partition)
{
    return cz_strf("%s/%s/%d/%" PRId64, uid, topic, (int)partition, b->first);
}

char *cz_map_block_text(const struct cz_map_block *b, const char *target_topic)
{
    json_t *doc = json_object(), *runs = json_array();
    int64_t source = b->first, target = 0;
    for (size_t i = 0; i < b->len; i++) {
        const struct cz_map_run *r = &b->runs[i];
        (void)json_array_append_new(runs, json_integer(r->source - source));
        (void)json_array_append_new(runs, json_integer(r->target - target));
        (void)json_array_append_new(runs, json_integer(r->len));
        source = r->source + r->len;
        target = r->target + r->len;
    }
    (void)json_object_set_new(doc, "v", json_integer(1));
    (void)json_object_set_new(doc, "first", json_integer(b->first));
    (void)json_object_set_new(doc, "end", json_integer(b->end));
    cz_json_set_str(doc, "topic", target_topic);
    (void)json_object_set_new(doc, "partition", json_integer(b->partition));
    (void)json_object_set_new(doc, "runs", runs);
    char *text = cz_json_text(doc, false);
    json_decref(doc);
    return text;
}

/* ---- reading: taking a block ------------------------------------------------------------------ */

void cz_offset_map_done(struct cz_offset_map *m)
{
    cz_free(m->target_topic);
    cz_free(m->runs);
    cz_free(m->spans);
    *m = (struct cz_offset_map){.target_partition = NO_PARTITION};
}

static int64_t number(const json_t *array, size_t i)
{
    const json_t *v = json_array_get(array, i);
    return json_is_integer(v) ? json_integer_value(v) : -1;
}

/* Whether it is one of ours, with all numbers in their order. */
static bool valid(const json_t *block)
{
    const json_t *runs = json_object_get(block, "runs");
    int64_t first = cz_json_int(block, "first", -1), end = cz_json_int(block, "end", -1);
    int64_t source = first, target = 0;
    if (cz_json_int(block, "v", 0) != 1 || first < 0 || end < first || !json_is_array(runs) ||
        json_array_size(runs) % 3 != 0 || json_array_size(runs) > 3 * CZ_OFFSET_MAP_RUNS_MAX ||
        !cz_json_str(block, "topic", NULL))
        return false;
    for (size_t i = 0; i < json_array_size(runs); i += 3) {
        int64_t gap = number(runs, i), jump = number(runs, i + 1), len = number(runs, i + 2);
        if (gap < 0 || jump < 0 || len <= 0 || __builtin_add_overflow(source, gap, &source) ||
            __builtin_add_overflow(source, len, &source) || __builtin_add_overflow(target, jump, &target) ||
            __builtin_add_overflow(target, len, &target))
            return false;
    }
    return source <= end;
}

static void clear(struct cz_offset_map *m)
{
    m->runs_len = m->spans_len = 0;
}

/* Forget what was known of the source from @first on. */
static void forget(struct cz_offset_map *m, int64_t first)
{
    m->runs_len = cut(m->runs, m->runs_len, first);
    while (m->spans_len > 0 && m->spans[m->spans_len - 1].first >= first)
        m->spans_len--;
    if (m->spans_len > 0 && m->spans[m->spans_len - 1].end > first)
        m->spans[m->spans_len - 1].end = first;
}

static void add_span(struct cz_offset_map *m, int64_t first, int64_t end)
{
    if (m->spans_len > 0 && m->spans[m->spans_len - 1].end == first) {
        m->spans[m->spans_len - 1].end = end;
        return;
    }
    cz_grow(&m->spans, &m->spans_cap, m->spans_len, sizeof *m->spans);
    m->spans[m->spans_len++] = (struct cz_map_span){first, end};
}

static void add_run(struct cz_offset_map *m, struct cz_map_run r)
{
    struct cz_map_run *last = m->runs_len ? &m->runs[m->runs_len - 1] : NULL;
    if (last && r.source == last->source + last->len && r.target == last->target + last->len) {
        last->len += r.len;
        return;
    }
    cz_grow(&m->runs, &m->runs_cap, m->runs_len, sizeof *m->runs);
    m->runs[m->runs_len++] = r;
}

/* The records go to another place now: what was known of the old one is of no use. */
static void follow_target(struct cz_offset_map *m, const json_t *block)
{
    const char *topic = cz_json_str(block, "topic", NULL);
    int32_t partition = (int32_t)cz_json_int(block, "partition", NO_PARTITION);
    int64_t target = number(json_object_get(block, "runs"), 1);
    const struct cz_map_run *last = m->runs_len ? &m->runs[m->runs_len - 1] : NULL;
    bool other = !cz_streq(topic, m->target_topic) ||
                 (partition != NO_PARTITION && m->target_partition != partition) ||
                 (target >= 0 && last && target < last->target + last->len); /* a new topic of that name */
    if (m->target_topic && other)
        clear(m);
    cz_free(m->target_topic);
    m->target_topic = cz_strdup(topic);
    if (partition != NO_PARTITION || other)
        m->target_partition = partition;
}

enum cz_err cz_offset_map_take(struct cz_offset_map *m, const json_t *block, struct cz_error *err)
{
    const json_t *runs = json_object_get(block, "runs");
    if (!valid(block))
        return cz_fail(err, CZ_E_PARSE, "not a block of an offset map (written by a newer version?)");
    if (m->runs_len > KEEP_RUNS)
        return cz_fail(err, CZ_E_LIMIT, "the offset map has more than %d runs", KEEP_RUNS);
    int64_t source = cz_json_int(block, "first", 0), target = 0;
    forget(m, source);
    follow_target(m, block);
    add_span(m, source, cz_json_int(block, "end", 0));
    for (size_t i = 0; i < json_array_size(runs); i += 3) {
        source += number(runs, i);
        target += number(runs, i + 1);
        add_run(m, (struct cz_map_run){source, target, number(runs, i + 2)});
        source += number(runs, i + 2);
        target += number(runs, i + 2);
    }
    return CZ_OK;
}

/* ---- reading: translating --------------------------------------------------------------------- */

/* The first run that ends after @at, by source or by target; runs_len: none. */
static size_t find(const struct cz_offset_map *m, int64_t at, bool by_target)
{
    size_t low = 0, high = m->runs_len;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const struct cz_map_run *r = &m->runs[mid];
        if ((by_target ? r->target : r->source) + r->len > at)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

/* The span that @source is in, its end included; NULL: none. *ret_before: one lies before it. */
static const struct cz_map_span *span_of(const struct cz_offset_map *m, int64_t source, bool *ret_before)
{
    *ret_before = false;
    for (size_t i = 0; i < m->spans_len; i++) {
        const struct cz_map_span *s = &m->spans[i];
        if (source >= s->first && source <= s->end)
            return s;
        *ret_before |= s->end < source;
    }
    return NULL;
}

enum cz_translation cz_offset_map_forward(const struct cz_offset_map *m, int64_t source, int64_t *ret)
{
    bool before;
    *ret = -1;
    if (m->spans_len == 0 || m->target_partition < 0)
        return CZ_MAP_NONE;
    const struct cz_map_span *s = span_of(m, source, &before);
    size_t i = find(m, source, false);
    int64_t after_last = i > 0 ? m->runs[i - 1].target + m->runs[i - 1].len : -1;
    if (!s && !before)
        return CZ_MAP_BEFORE;
    if (!s) {
        *ret = after_last;
        if (after_last < 0)
            return CZ_MAP_NONE;
        return source > m->spans[m->spans_len - 1].end ? CZ_MAP_AHEAD : CZ_MAP_HOLE;
    }
    const struct cz_map_run *r = i < m->runs_len ? &m->runs[i] : NULL;
    if (r && source >= r->source)
        *ret = r->target + (source - r->source);
    else if (r && r->source < s->end)
        *ret = r->target;
    else
        *ret = after_last; /* the next copied record is not known, but it comes after this one */
    if (*ret < 0)
        return CZ_MAP_NONE;
    bool next_to_it = *ret != after_last || m->runs[i - 1].source >= s->first;
    return next_to_it ? CZ_TRANSLATED : CZ_MAP_HOLE; /* records of the hole may lie between */
}

enum cz_translation cz_offset_map_back(const struct cz_offset_map *m, int64_t target, int64_t *ret)
{
    bool before;
    *ret = -1;
    if (m->runs_len == 0 || m->target_partition < 0)
        return CZ_MAP_NONE;
    size_t i = find(m, target, true);
    const struct cz_map_run *r = i < m->runs_len ? &m->runs[i] : NULL;
    if (!r) {
        *ret = m->spans[m->spans_len - 1].end;
        return CZ_TRANSLATED;
    }
    if (target >= r->target) {
        *ret = r->source + (target - r->target);
        return CZ_TRANSLATED;
    }
    if (i == 0)
        return CZ_MAP_BEFORE;
    const struct cz_map_run *last = &m->runs[i - 1];
    const struct cz_map_span *s = span_of(m, last->source + last->len, &before);
    bool hole = !s || r->source >= s->end;
    *ret = hole ? last->source + last->len : r->source;
    return hole ? CZ_MAP_HOLE : CZ_TRANSLATED;
}
