/* SPDX-License-Identifier: Apache-2.0 */
/** The one growing byte buffer.  Born with a maximum; a write past it (or out of memory) sets
 *  `failed`, keeps what was there and makes every later write a no-op, so a chain of appends is
 *  checked once at its end.  `data` is NUL-terminated after any write (the NUL is not counted).
 *  Not thread safe; one owner. */
#ifndef CZ_BUF_H
#define CZ_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cz/error.h"

struct cz_buf {
    char *data; /* NULL until the first write */
    size_t len, cap, max;
    bool failed;
};

#define CZ_BUF_INIT(maximum) {.max = (maximum)}

void cz_buf_init(struct cz_buf *b, size_t max);
void cz_buf_done(struct cz_buf *b); /* frees; b may be used again with the same max */
void cz_buf_clear(struct cz_buf *b); /* len = 0, failed = false, keeps the memory */
void cz_buf_add(struct cz_buf *b, const void *p, size_t n);
void cz_buf_adds(struct cz_buf *b, const char *s);
void cz_buf_addc(struct cz_buf *b, char c);
void cz_buf_addf(struct cz_buf *b, const char *fmt, ...) CZ_PRINTF(2, 3);
void cz_buf_addvf(struct cz_buf *b, const char *fmt, va_list ap) CZ_PRINTF(2, 0);
/** Append @n bytes of @s as a JSON string with quotes; invalid UTF-8 becomes U+FFFD. */
void cz_buf_add_json_string(struct cz_buf *b, const char *s, size_t n);
/** Room for @n more bytes at data+len, or NULL (failed set). The caller adds to len. */
char *cz_buf_reserve(struct cz_buf *b, size_t n);
const char *cz_buf_str(const struct cz_buf *b); /* never NULL */
/** Take the memory (cz_free); b is empty after. Never NULL. */
char *cz_buf_steal(struct cz_buf *b);

#endif
