/* SPDX-License-Identifier: Apache-2.0 */
/* The SIMD engines of the structural index: AVX2 + PCLMUL (by function attribute, called only
 * when the CPU has them) and SSE2, which every x86-64 has.  The method is simdjson's (Langdale
 * and Lemire, "Parsing gigabytes of JSON per second"): classify 64 bytes at a time into bit
 * masks, resolve escapes by carry arithmetic, and find what is inside strings by a prefix xor.
 */
#include "json_priv.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,pclmul,bmi,popcnt")))
#define AVX2_INLINE AVX2 __attribute__((always_inline)) static inline

AVX2_INLINE uint64_t mask256(__m256i lo, __m256i hi)
{
    return (uint32_t)_mm256_movemask_epi8(lo) |
           ((uint64_t)(uint32_t)_mm256_movemask_epi8(hi) << 32);
}

AVX2_INLINE uint64_t equal256(__m256i lo, __m256i hi, char c)
{
    __m256i v = _mm256_set1_epi8(c);
    return mask256(_mm256_cmpeq_epi8(lo, v), _mm256_cmpeq_epi8(hi, v));
}

/* Classification by low nibble: a byte is of the class when the table holds just that byte. For
 * the operators bit 5 is set first, which makes [ and { one, and ] and }. */
AVX2_INLINE __m256i white_table(void)
{
    return _mm256_setr_epi8(' ', 100, 100, 100, 17, 100, 113, 2, 100, '\t', '\n', 112, 100,
                            '\r', 100, 100, ' ', 100, 100, 100, 17, 100, 113, 2, 100, '\t',
                            '\n', 112, 100, '\r', 100, 100);
}

AVX2_INLINE __m256i op_table(void)
{
    return _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ':', '{', ',', '}', 0, 0, 0, 0, 0, 0,
                            0, 0, 0, 0, 0, 0, ':', '{', ',', '}', 0, 0);
}

AVX2_INLINE uint64_t block_avx2(const char *p, struct cz__carry *c)
{
    const __m256i bit5 = _mm256_set1_epi8(0x20);
    __m256i lo = _mm256_loadu_si256((const void *)p);
    __m256i hi = _mm256_loadu_si256((const void *)(p + 32));
    struct cz__masks m;
    m.backslash = equal256(lo, hi, '\\');
    m.quote = equal256(lo, hi, '"');
    m.white = mask256(_mm256_cmpeq_epi8(lo, _mm256_shuffle_epi8(white_table(), lo)),
                      _mm256_cmpeq_epi8(hi, _mm256_shuffle_epi8(white_table(), hi)));
    m.op = mask256(
        _mm256_cmpeq_epi8(_mm256_or_si256(lo, bit5), _mm256_shuffle_epi8(op_table(), lo)),
        _mm256_cmpeq_epi8(_mm256_or_si256(hi, bit5), _mm256_shuffle_epi8(op_table(), hi)));
    c->any_backslash |= m.backslash;
    uint64_t quote = m.quote & ~cz__escaped(m.backslash, &c->escaped);
    __m128i ones = _mm_set1_epi8((char)0xff);
    __m128i product = _mm_clmulepi64_si128(_mm_set_epi64x(0, (int64_t)quote), ones, 0);
    return cz__starts(&m, quote, (uint64_t)_mm_cvtsi128_si64(product), c);
}

#define PUT(k)                                                                                 \
    out[k] = base + (uint32_t)_tzcnt_u64(bits);                                                \
    bits = _blsr_u64(bits)

/* Eight at a time without looking whether there are so many: the next block overwrites the
 * rest. */
AVX2_INLINE uint32_t *put_bits_avx2(uint32_t *out, uint32_t base, uint64_t bits)
{
    uint32_t *end = out + __builtin_popcountll(bits);
    while (out < end) {
        PUT(0);
        PUT(1);
        PUT(2);
        PUT(3);
        PUT(4);
        PUT(5);
        PUT(6);
        PUT(7);
        out += 8;
    }
    return end;
}
#undef PUT

AVX2 uint32_t cz__index_avx2(const char *data,
                             uint32_t len,
                             uint32_t *token,
                             struct cz__carry *c)
{
    struct cz__carry carry = *c;
    uint32_t *out = token;
    uint32_t at = 0;
    /* Two blocks a round: the second one's loads do not wait for the first one's stores. */
    for (; at + 128 <= len; at += 128) {
        uint64_t first = block_avx2(data + at, &carry);
        uint64_t second = block_avx2(data + at + 64, &carry);
        out = put_bits_avx2(out, at, first);
        out = put_bits_avx2(out, at + 64, second);
    }
    if (at + 64 <= len) {
        out = put_bits_avx2(out, at, block_avx2(data + at, &carry));
        at += 64;
    }
    if (at < len) {
        char tail[64];
        memset(tail, ' ', sizeof(tail));
        memcpy(tail, data + at, len - at);
        out = put_bits_avx2(out, at, block_avx2(tail, &carry));
    }
    *c = carry;
    return (uint32_t)(out - token);
}

static inline uint64_t equal128(const __m128i v[4], char c)
{
    __m128i with = _mm_set1_epi8(c);
    uint64_t mask = 0;
    for (int i = 0; i < 4; i++)
        mask |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v[i], with)) << (16 * i);
    return mask;
}

static uint64_t block_sse2(const char *p, struct cz__carry *c)
{
    __m128i v[4], folded[4];
    for (int i = 0; i < 4; i++) {
        v[i] = _mm_loadu_si128((const void *)(p + 16 * i));
        folded[i] = _mm_or_si128(v[i], _mm_set1_epi8(0x20));
    }
    struct cz__masks m = {
        .backslash = equal128(v, '\\'),
        .quote = equal128(v, '"'),
        .op = equal128(folded, '{') | equal128(folded, '}') | equal128(folded, ',') |
              equal128(folded, ':'),
        .white = equal128(v, ' ') | equal128(v, '\n') | equal128(v, '\r') | equal128(v, '\t'),
    };
    c->any_backslash |= m.backslash;
    uint64_t quote = m.quote & ~cz__escaped(m.backslash, &c->escaped);
    uint64_t inside = quote;
    for (int shift = 1; shift < 64; shift *= 2)
        inside ^= inside << shift;
    return cz__starts(&m, quote, inside, c);
}

uint32_t cz__index_sse2(const char *data, uint32_t len, uint32_t *token, struct cz__carry *c)
{
    uint32_t *out = token;
    uint32_t at = 0;
    for (; at + 64 <= len; at += 64)
        out = cz__put_bits(out, at, block_sse2(data + at, c));
    if (at < len) {
        char tail[64];
        memset(tail, ' ', sizeof(tail));
        memcpy(tail, data + at, len - at);
        out = cz__put_bits(out, at, block_sse2(tail, c));
    }
    return (uint32_t)(out - token);
}
#else
typedef int cz__no_x86_engine;
#endif
