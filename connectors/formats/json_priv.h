/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the JSON reader share: the per-block bit logic of the index, character
 * classes, and the readers of single tokens. */
#ifndef CZ_JSON_PRIV_H
#define CZ_JSON_PRIV_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "cz/json_doc.h"

/* Scratch that need not be zeroed by -ftrivial-auto-var-init: it is written before it is read.
 */
#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define CZ__SCRATCH __attribute__((uninitialized))
#endif
#endif
#ifndef CZ__SCRATCH
#define CZ__SCRATCH
#endif

/* ---- index: 64 bytes become 64-bit masks, one bit per byte ------------------------------- */

struct cz__masks {
    uint64_t backslash, quote, op, white; /* op: { } [ ] : , and the bytes 0x0c, 0x1a */
};
/* What one block hands to the next. */
struct cz__carry {
    uint64_t escaped;   /* bit 0: the first byte is escaped */
    uint64_t in_string; /* all ones: we are inside a string */
    uint64_t scalar;    /* bit 0: the byte before belongs to an unquoted scalar */
    uint64_t any_backslash;
};

/* Which bytes are escaped by a backslash before them (runs of backslashes pair up). */
static inline uint64_t cz__escaped(uint64_t backslash, uint64_t *carry)
{
    const uint64_t odd = 0xAAAAAAAAAAAAAAAAULL;
    if (!backslash) {
        uint64_t escaped = *carry;
        *carry = 0;
        return escaped;
    }
    uint64_t potential = backslash & ~*carry;
    uint64_t code = (((potential << 1) | odd) - potential) ^ odd;
    uint64_t escaped = code ^ (backslash | *carry);
    *carry = (code & backslash) >> 63;
    return escaped;
}

/* Token starts of a block, given its masks and the prefix xor of its unescaped quotes. */
static inline uint64_t cz__starts(const struct cz__masks *m,
                                  uint64_t quote,
                                  uint64_t quote_prefix_xor,
                                  struct cz__carry *c)
{
    uint64_t in_string =
        quote_prefix_xor ^ c->in_string; /* opening quote in, closing one out */
    c->in_string = (uint64_t)((int64_t)in_string >> 63);
    uint64_t scalar = ~(m->op | m->white | quote | in_string);
    uint64_t scalar_start = scalar & ~((scalar << 1) | c->scalar);
    c->scalar = scalar >> 63;
    return (m->op & ~in_string) | (quote & in_string) | scalar_start;
}

static inline uint32_t *cz__put_bits(uint32_t *out, uint32_t base, uint64_t bits)
{
    while (bits) {
        *out++ = base + (uint32_t)__builtin_ctzll(bits);
        bits &= bits - 1;
    }
    return out;
}

/* Fill token (room for len + 64 entries); returns how many. */
typedef uint32_t (*cz__index_fn)(const char *data,
                                 uint32_t len,
                                 uint32_t *token,
                                 struct cz__carry *carry);
uint32_t
cz__index_portable(const char *data, uint32_t len, uint32_t *token, struct cz__carry *c);
#if defined(__x86_64__)
uint32_t cz__index_sse2(const char *data, uint32_t len, uint32_t *token, struct cz__carry *c);
uint32_t cz__index_avx2(const char *data, uint32_t len, uint32_t *token, struct cz__carry *c);
#endif

/* ---- tokens ------------------------------------------------------------------------------ */

enum cz__class {
    CZ__BAD,
    CZ__SCALAR, /* - 0-9 t f n */
    CZ__QUOTE,
    CZ__OPEN_OBJECT,
    CZ__OPEN_ARRAY,
};
extern const uint8_t cz__class[256];

static inline bool cz__is_white(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* End of the token that begins at @start when the next one begins at @next: between them stands
 * nothing but blanks. */
static inline uint32_t cz__token_end(const char *data, uint32_t start, uint32_t next)
{
    while (next > start && cz__is_white(data[next - 1]))
        next--;
    return next;
}

/* Check one scalar token (literal, number or string with quotes), make a value of it. */
enum cz_err cz__scalar(const struct cz_json_doc *d,
                       uint32_t tok,
                       struct cz_jval *ret,
                       struct cz_error *err);
void cz__number_write(struct cz_buf *out, const struct cz_jval *v);
enum cz_err cz__parse_error(struct cz_error *err, uint32_t pos, const char *reason);
/* Reason why the inside of a string is not valid, or NULL; *ret_escape: has a backslash. */
const char *cz__string_check(const char *s, uint32_t n, uint32_t *ret_at, bool *ret_escape);
/* One character of the inside of a string: 1..4 bytes into @out, *s moves on. 0: bad escape. */
unsigned cz__next_char(const char **s, const char *end, char out[4]);
/* Decode escapes (checked before). @out has room for n bytes; returns the length. */
uint32_t cz__unescape(const char *s, uint32_t n, char *out);

/* ---- the walk ---------------------------------------------------------------------------- */

struct cz__walk {
    const char *s;
    const uint32_t *t;
    uint32_t n;
    const struct cz_json_doc *d;
    struct cz_json_hit *hits;
    struct cz_error *err;
};
/* Token after the value at token @p, its structure checked; 0 on error. @depth: containers
 * around it. */
uint32_t cz__skip_value(const struct cz__walk *w, uint32_t p, unsigned depth);
/* Error at token @p; returns 0. */
uint32_t cz__walk_fail(const struct cz__walk *w, uint32_t p, const char *reason);
/* Length, after its opening quote, of the string token @p (not the last token). */
static inline uint32_t cz__string_len(const struct cz__walk *w, uint32_t p)
{
    return cz__token_end(w->s, w->t[p] + 1, w->t[p + 1]) - w->t[p] - 2;
}
/* Does the key token equal @key, escapes decoded? */
bool cz__key_is(
    const struct cz__walk *w, uint32_t p, uint32_t len, const char *key, uint32_t key_len);
/* Before any walk: is there anything, and is it closed? A root scalar is checked completely. */
enum cz_err cz__walk_begin(const struct cz__walk *w);

#endif
