/* SPDX-License-Identifier: Apache-2.0 */
/* The arena: chunks of doubling size, newest first.  A reset keeps the newest (largest) chunk
 * unless it is unusually large, so that one huge record does not hold memory for ever. */
#include "cz/arena.h"

#include <stdint.h>

#include "cz/alloc.h"

#define FIRST_CHUNK ((size_t)16 * 1024)
#define KEEP_CHUNK ((size_t)1024 * 1024)

struct cz_arena_chunk {
    struct cz_arena_chunk *older;
    size_t size; /* of data */
    char data[];
};

void cz_arena_init(struct cz_arena *a, size_t max)
{
    *a = (struct cz_arena){.max = max};
}

static void free_chunks(struct cz_arena_chunk *c)
{
    while (c) {
        struct cz_arena_chunk *older = c->older;
        cz_free(c);
        c = older;
    }
}

void cz_arena_done(struct cz_arena *a)
{
    free_chunks(a->chunk);
    cz_arena_init(a, a->max);
}

void cz_arena_reset(struct cz_arena *a)
{
    a->failed = false;
    a->used = 0;
    if (!a->chunk)
        return;
    if (a->chunk->older) {
        free_chunks(a->chunk->older);
        a->chunk->older = NULL;
    }
    if (a->chunk->size > KEEP_CHUNK) {
        cz_arena_done(a);
        return;
    }
    a->at = a->chunk->data;
    a->end = a->at + a->chunk->size;
}

static void *alloc_slow(struct cz_arena *a, size_t size)
{
    size_t have = a->chunk ? a->chunk->size : 0;
    size_t room = a->max - a->used > have ? a->max - a->used - have : 0;
    if (size > room) {
        a->failed = true;
        return NULL;
    }
    size_t want = have ? have * 2 : FIRST_CHUNK;
    if (want < size)
        want = size;
    if (want > room)
        want = room;
    struct cz_arena_chunk *c = cz_try_alloc(sizeof(*c) + want);
    if (!c) {
        a->failed = true;
        return NULL;
    }
    c->older = a->chunk;
    c->size = want;
    a->used += have;
    a->chunk = c;
    a->at = c->data + size;
    a->end = c->data + want;
    return c->data;
}

void *cz_arena_alloc(struct cz_arena *a, size_t size)
{
    if (size > SIZE_MAX - 16) {
        a->failed = true;
        return NULL;
    }
    size = size ? (size + 7) & ~(size_t)7 : 8;
    if (size <= (size_t)(a->end - a->at)) {
        void *p = a->at;
        a->at += size;
        return p;
    }
    return alloc_slow(a, size);
}

void *cz_arena_array(struct cz_arena *a, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes)) {
        a->failed = true;
        return NULL;
    }
    return cz_arena_alloc(a, bytes);
}
