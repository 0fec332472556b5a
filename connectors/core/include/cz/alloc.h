/* SPDX-License-Identifier: Apache-2.0 */
/** Memory.  Small allocations of our own sizes abort when memory is out (the state is in Kafka and
 *  PostgreSQL; a crash is safe).  Sizes that come from outside go through cz_try_alloc() or a
 *  `struct cz_buf`, which is born with a maximum.  All memory is released with cz_free().
 *  A test may make the n-th allocation fail (cz_alloc_fail_after).  @thread any */
#ifndef CZ_ALLOC_H
#define CZ_ALLOC_H

#include <stddef.h>

#include <stdint.h>

/** Drop const where a C API takes a mutable pointer that it only reads. */
#define CZ_UNCONST(p) ((void *)(uintptr_t)(p))
#define CZ_CLEANUP(fn) __attribute__((cleanup(fn)))

void *cz_alloc(size_t size) __attribute__((malloc, returns_nonnull));  /* zeroed; aborts */
void *cz_alloc_array(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *cz_realloc(void *p, size_t size) __attribute__((returns_nonnull)); /* aborts */
void *cz_try_alloc(size_t size) __attribute__((malloc));               /* NULL when out */
void *cz_try_realloc(void *p, size_t size);
char *cz_strdup(const char *s);                 /* NULL stays NULL */
char *cz_strndup(const char *s, size_t n);
char *cz_strf(const char *fmt, ...) __attribute__((format(printf, 1, 2), returns_nonnull));
void *cz_memdup(const void *p, size_t n);       /* NULL stays NULL */
void cz_free(void *p);
/** Free *p and set it to NULL; for CZ_CLEANUP(cz_freep). @p is the address of any pointer. */
void cz_freep(void *p);

/** Make room for one more element in a growing array. @p address of the array pointer. */
void cz_grow(void *p, size_t *cap, size_t used, size_t elem_size);

/** Test hook: let cz_try_* fail after @n more successes (-1: never). */
void cz_alloc_fail_after(long n);

#endif
