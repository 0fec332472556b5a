/* SPDX-License-Identifier: Apache-2.0 */
/* The structural index: where the tokens of a document begin.  This file chooses the engine at
 * run time and holds the portable one; the SIMD ones are in json_index_x86.c.  All engines give
 * the same tokens for the same bytes, also for bytes that are no JSON (fuzzed). */
#include <stdatomic.h>
#include <stdlib.h>

#include "cz/alloc.h"
#include "json_priv.h"

enum { IS_OP = 1, IS_WHITE = 2, IS_QUOTE = 4, IS_BACKSLASH = 8 };

/* 0x0c and 0x1a fold onto ',' and ':' in the SIMD engines' table look-up; they are marked here
 * as well, and the walk refuses them since no grammar has them. */
static const uint8_t kind[256] = {
    ['{'] = IS_OP,    ['}'] = IS_OP,         ['['] = IS_OP,     [']'] = IS_OP,
    [':'] = IS_OP,    [','] = IS_OP,         [0x0c] = IS_OP,    [0x1a] = IS_OP,
    [' '] = IS_WHITE, ['\t'] = IS_WHITE,     ['\n'] = IS_WHITE, ['\r'] = IS_WHITE,
    ['"'] = IS_QUOTE, ['\\'] = IS_BACKSLASH,
};

static uint64_t prefix_xor(uint64_t x)
{
    for (int shift = 1; shift < 64; shift *= 2)
        x ^= x << shift;
    return x;
}

static uint64_t block_portable(const uint8_t *p, uint32_t n, struct cz__carry *c)
{
    struct cz__masks m = {0, 0, 0, 0};
    for (uint32_t i = 0; i < n; i++) {
        uint64_t k = kind[p[i]];
        m.op |= (k & 1) << i;
        m.white |= ((k >> 1) & 1) << i;
        m.quote |= ((k >> 2) & 1) << i;
        m.backslash |= ((k >> 3) & 1) << i;
    }
    if (n < 64)
        m.white |= ~0ULL << n;
    c->any_backslash |= m.backslash;
    uint64_t quote = m.quote & ~cz__escaped(m.backslash, &c->escaped);
    return cz__starts(&m, quote, prefix_xor(quote), c);
}

uint32_t
cz__index_portable(const char *data, uint32_t len, uint32_t *token, struct cz__carry *c)
{
    uint32_t *out = token;
    for (uint32_t at = 0; at < len; at += 64) {
        uint32_t n = len - at < 64 ? len - at : 64;
        out = cz__put_bits(out, at, block_portable((const uint8_t *)data + at, n, c));
    }
    return (uint32_t)(out - token);
}

static _Atomic(cz__index_fn) engine;

bool cz_json_use_engine(enum cz_json_engine e)
{
    cz__index_fn fn = cz__index_portable;
#if defined(__x86_64__)
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("pclmul") &&
                __builtin_cpu_supports("bmi");
    if (e == CZ_JSON_AVX2 && !avx2)
        return false;
    if (e == CZ_JSON_AVX2 || (e == CZ_JSON_BEST && avx2))
        fn = cz__index_avx2;
    else if (e == CZ_JSON_SSE2 || e == CZ_JSON_BEST)
        fn = cz__index_sse2;
#else
    if (e == CZ_JSON_AVX2 || e == CZ_JSON_SSE2)
        return false;
#endif
    atomic_store_explicit(&engine, fn, memory_order_relaxed);
    return true;
}

static cz__index_fn choose(void)
{
    const char *name = getenv("CZ_JSON_INDEX");
    enum cz_json_engine e = CZ_JSON_BEST;
    if (name && strcmp(name, "avx2") == 0)
        e = CZ_JSON_AVX2;
    else if (name && strcmp(name, "sse2") == 0)
        e = CZ_JSON_SSE2;
    else if (name && strcmp(name, "portable") == 0)
        e = CZ_JSON_PORTABLE;
    if (!cz_json_use_engine(e))
        (void)cz_json_use_engine(CZ_JSON_BEST);
    return atomic_load_explicit(&engine, memory_order_relaxed);
}

void cz_json_doc_init(struct cz_json_doc *d)
{
    *d = (struct cz_json_doc)CZ_JSON_DOC_INIT;
}

void cz_json_doc_done(struct cz_json_doc *d)
{
    cz_free(d->token);
    cz_json_doc_init(d);
}

/* Room for one token per byte, the over-write of the last block and the sentinels. */
static bool make_room(struct cz_json_doc *d, uint32_t len)
{
    if (d->cap >= len + 66 && d->cap <= 1024U * 1024)
        return true;
    uint32_t cap = len + 66 < 4096 ? 4096 : (len + 66 + 4095) & ~4095U;
    if (d->cap == cap)
        return true;
    cz_free(d->token);
    d->cap = 0;
    d->token = cz_try_alloc((size_t)cap * sizeof(*d->token));
    if (!d->token)
        return false;
    d->cap = cap;
    return true;
}

enum cz_err
cz_json_doc_index(struct cz_json_doc *d, const char *data, size_t len, struct cz_error *err)
{
    d->n = 0;
    d->data = data;
    d->len = 0;
    if (len > 1024U * 1024 * 1024 || !make_room(d, (uint32_t)len))
        return cz_fail(err, CZ_E_LIMIT, "a record of %zu bytes does not fit into memory", len);
    cz__index_fn fn = atomic_load_explicit(&engine, memory_order_relaxed);
    if (!fn)
        fn = choose();
    struct cz__carry carry = {0, 0, 0, 0};
    d->len = (uint32_t)len;
    d->n = fn(data, (uint32_t)len, d->token, &carry);
    d->has_escape = carry.any_backslash != 0;
    d->open_string = carry.in_string != 0;
    /* A walk that runs over the end meets the first token again, which nothing accepts there.
     */
    d->token[d->n] = d->token[d->n + 1] = d->n ? d->token[0] : 0;
    return CZ_OK;
}
