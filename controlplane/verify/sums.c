/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of windows.  The hash of a window is the sum of its records' hashes: the order does not
 * matter, and a record twice is not the same as no record. */
#include <string.h>

#include "cz/alloc.h"
#include "verify_priv.h"

void verify_sums_init(struct verify_sums *s)
{
    *s = (struct verify_sums){.index = CZ_MAP_INIT(NULL)};
}

void verify_sums_done(struct verify_sums *s)
{
    cz_map_done(&s->index);
    cz_free(s->items);
}

struct window_key {
    int64_t begin, group;
};

struct verify_window *verify_sums_find(struct verify_sums *s, int32_t group, int64_t begin)
{
    const struct window_key key = {begin, group};
    size_t at = (size_t)(uintptr_t)cz_map_getn(&s->index, &key, sizeof key);
    return at ? &s->items[at - 1] : NULL;
}

bool verify_sums_add(struct verify_sums *s, int32_t group, int64_t begin, enum verify_class class,
                     uint64_t hash)
{
    struct verify_window *w = verify_sums_find(s, group, begin);
    if (!w) {
        const struct window_key key = {begin, group};
        if (s->len == CZ_VERIFY_MAX_WINDOWS)
            return false;
        cz_grow(&s->items, &s->cap, s->len, sizeof *s->items);
        s->items[s->len] = (struct verify_window){.group = group, .begin = begin};
        w = &s->items[s->len++];
        cz_map_putn(&s->index, &key, sizeof key, (void *)(uintptr_t)s->len);
    }
    w->sum.n[class]++;
    w->sum.hash[class] += hash;
    return true;
}

bool verify_window_differs(const struct verify_window *w)
{
    const struct verify_sum *s = &w->sum;
    int64_t n = s->n[VERIFY_ARRIVED] - s->n[VERIFY_EXPECTED];
    uint64_t hash = s->hash[VERIFY_ARRIVED] - s->hash[VERIFY_EXPECTED];
    bool nothing_more = n == 0 && hash == 0;
    bool all_pending = n == s->n[VERIFY_PENDING] && hash == s->hash[VERIFY_PENDING];
    return !nothing_more && !all_pending;
}

/* ---- hash ------------------------------------------------------------------------------------ */

static uint64_t mix(uint64_t h)
{
    h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdULL;
    h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53ULL;
    return h ^ (h >> 33);
}

/* Null, empty and absent are different things. */
static uint64_t add(uint64_t h, struct cz_slice s)
{
    h = mix(h ^ (s.data ? s.len + 1 : 0));
    size_t i = 0;
    for (; i + 8 <= s.len; i += 8) {
        uint64_t word;
        memcpy(&word, s.data + i, 8);
        h = mix(h ^ word) + 0x9e3779b97f4a7c15ULL;
    }
    uint64_t rest = 0;
    if (i < s.len)
        memcpy(&rest, s.data + i, s.len - i);
    return mix(h ^ rest);
}

static uint64_t add_content(uint64_t h, const struct verify_content *c)
{
    h = add(h, c->bytes);
    return c->schema ? mix(h ^ c->schema) : h;
}

uint64_t verify_hash(const struct verify_content *key, const struct verify_content *value, int64_t timestamp_ms,
                     const struct cz_header *headers, size_t headers_len)
{
    uint64_t h = add_content(add_content(1, key), value);
    h = mix(h ^ (uint64_t)timestamp_ms);
    for (size_t i = 0; i < headers_len; i++)
        h = add(add(h, headers[i].name), headers[i].value);
    return mix(h ^ headers_len);
}

uint64_t verify_hash_text(const char *text)
{
    uint64_t h = add(2, (struct cz_slice){text, strlen(text)});
    return h ? h : 1;
}
