/* SPDX-License-Identifier: Apache-2.0 */
/** Memory of one record.  A bump allocator with a maximum: what is allocated lives until the
 * next cz_arena_reset(), which costs nothing and keeps the memory.  An arena belongs to one
 * lane (thread); nothing in it is freed singly.  When the maximum is reached (or memory is out)
 * an allocation returns NULL and `failed` stays set until the reset. */
#ifndef CZ_ARENA_H
#define CZ_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct cz_arena_chunk;

struct cz_arena {
    struct cz_arena_chunk *chunk; /* the one in use; older ones hang on it */
    char *at, *end;
    size_t used; /* bytes handed out in closed chunks, for the maximum */
    size_t max;
    bool failed;
};

void cz_arena_init(struct cz_arena *a, size_t max);
void cz_arena_done(struct cz_arena *a);
/** Forget everything; one chunk is kept, so that a steady lane allocates nothing. */
void cz_arena_reset(struct cz_arena *a);
/** @size bytes, 8-byte aligned, not zeroed; NULL when over the maximum. size 0 gives a pointer.
 */
void *cz_arena_alloc(struct cz_arena *a, size_t size);
/** As cz_arena_alloc(n * size), NULL also on overflow. */
void *cz_arena_array(struct cz_arena *a, size_t n, size_t size);

#endif
