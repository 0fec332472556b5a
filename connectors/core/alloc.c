/* SPDX-License-Identifier: Apache-2.0 */
/** Memory: the only file that calls malloc and its family.  cz_alloc() and friends abort when
 *  memory is out; cz_try_*() give NULL, also when the test hook says so. */
#include "cz/alloc.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Atomic long fail_after = -1;

void cz_alloc_fail_after(long n)
{
    atomic_store(&fail_after, n);
}

static int must_fail(void)
{
    long n = atomic_load_explicit(&fail_after, memory_order_relaxed);
    while (n >= 0) {
        if (n == 0)
            return 1;
        if (atomic_compare_exchange_weak(&fail_after, &n, n - 1))
            return 0;
    }
    return 0;
}

static void *check(void *p)
{
    if (p)
        return p;
    static const char text[] = "citizenk: out of memory\n";
    ssize_t n = write(STDERR_FILENO, text, sizeof text - 1);
    (void)n;
    abort();
}

static size_t product(size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes))
        check(NULL);
    return bytes;
}

void *cz_alloc(size_t size)
{
    return check(calloc(1, size ? size : 1));
}

void *cz_alloc_array(size_t n, size_t size)
{
    return cz_alloc(product(n, size));
}

void *cz_realloc(void *p, size_t size)
{
    return check(realloc(p, size ? size : 1));
}

void *cz_try_alloc(size_t size)
{
    return must_fail() ? NULL : calloc(1, size ? size : 1);
}

void *cz_try_realloc(void *p, size_t size)
{
    return must_fail() ? NULL : realloc(p, size ? size : 1);
}

char *cz_strdup(const char *s)
{
    return s ? cz_memdup(s, strlen(s) + 1) : NULL;
}

char *cz_strndup(const char *s, size_t n)
{
    if (!s)
        return NULL;
    size_t len = strnlen(s, n);
    char *copy = cz_alloc(len + 1);
    memcpy(copy, s, len);
    return copy;
}

char *cz_strf(const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    size_t size = n < 0 ? 1 : (size_t)n + 1;
    char *s = cz_alloc(size);
    if (n > 0)
        (void)vsnprintf(s, size, fmt, again);
    va_end(again);
    return s;
}

void *cz_memdup(const void *p, size_t n)
{
    if (!p)
        return NULL;
    void *copy = cz_alloc(n);
    memcpy(copy, p, n);
    return copy;
}

void cz_free(void *p)
{
    free(p);
}

void cz_freep(void *p)
{
    /* memcpy, because *p is a pointer of any type and a void ** would alias it wrongly. */
    void *old;
    void *none = NULL;
    memcpy(&old, p, sizeof old);
    memcpy(p, &none, sizeof none);
    free(old);
}

void cz_grow(void *p, size_t *cap, size_t used, size_t elem_size)
{
    if (used < *cap)
        return;
    size_t want = *cap < 8 ? 8 : product(*cap, 2);
    void *array;
    memcpy(&array, p, sizeof array);
    array = cz_realloc(array, product(want, elem_size));
    memcpy(p, &array, sizeof array);
    *cap = want;
}
