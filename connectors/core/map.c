/* SPDX-License-Identifier: Apache-2.0 */
/** The hash map: open addressing, linear probing, load at most 3/4, SipHash-1-3 with a random
 * seed so that keys from outside cannot be chosen to collide.  An empty slot has key NULL and
 * hash 0, a tombstone has key NULL and hash 1. */
#include "cz/map.h"

#include <pthread.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/util.h"

enum { FIRST_SLOTS = 16, HASH_EMPTY = 0, HASH_TOMBSTONE = 1 };

static uint64_t seed[2];

static void make_seed(void)
{
    cz_random(seed, sizeof seed);
}

static uint64_t rotl(uint64_t x, int b)
{
    return x << b | x >> (64 - b);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

uint64_t cz_hash(const void *p, size_t n)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, make_seed);
    uint64_t v[4] = {seed[0] ^ 0x736f6d6570736575ULL, seed[1] ^ 0x646f72616e646f6dULL,
                     seed[0] ^ 0x6c7967656e657261ULL, seed[1] ^ 0x7465646279746573ULL};
    const unsigned char *s = p;
    size_t left = n;
    for (; left >= 8; left -= 8, s += 8) {
        uint64_t m;
        memcpy(&m, s, 8);
        v[3] ^= m;
        sip_round(v);
        v[0] ^= m;
    }
    uint64_t last = (uint64_t)n << 56;
    for (size_t i = 0; i < left; i++)
        last |= (uint64_t)s[i] << (8 * i);
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void cz_map_init(struct cz_map *m, void (*free_value)(void *))
{
    *m = (struct cz_map)CZ_MAP_INIT(free_value);
}

void cz_map_clear(struct cz_map *m)
{
    for (size_t i = 0; i < m->cap; i++) {
        struct cz_map_entry *e = &m->slots[i];
        if (e->key && m->free_value)
            m->free_value(e->value);
        cz_free(e->key);
        *e = (struct cz_map_entry){0};
    }
    m->len = m->used = 0;
}

void cz_map_done(struct cz_map *m)
{
    if (!m)
        return;
    cz_map_clear(m);
    cz_free(m->slots);
    cz_map_init(m, m->free_value);
}

/* The entry of the key, or NULL. */
static struct cz_map_entry *
find(const struct cz_map *m, const void *key, size_t n, uint64_t hash)
{
    if (m->len == 0)
        return NULL;
    for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
        struct cz_map_entry *e = &m->slots[i];
        if (!e->key && e->hash == HASH_EMPTY)
            return NULL;
        if (e->key && e->hash == hash && e->key_len == n &&
            (n == 0 || memcmp(e->key, key, n) == 0))
            return e;
    }
}

static void place(struct cz_map *m, struct cz_map_entry entry)
{
    size_t i = entry.hash & (m->cap - 1);
    while (m->slots[i].key)
        i = (i + 1) & (m->cap - 1);
    if (m->slots[i].hash != HASH_TOMBSTONE)
        m->used++;
    m->slots[i] = entry;
    m->len++;
}

/* Room for one more; a rebuild also sweeps the tombstones out. */
static void make_room(struct cz_map *m)
{
    if ((m->used + 1) * 4 <= m->cap * 3)
        return;
    size_t cap = FIRST_SLOTS;
    while ((m->len + 1) * 2 > cap)
        cap *= 2;
    struct cz_map old = *m;
    m->slots = cz_alloc_array(cap, sizeof *m->slots);
    m->cap = cap;
    m->len = m->used = 0;
    for (size_t i = 0; i < old.cap; i++) {
        if (old.slots[i].key)
            place(m, old.slots[i]);
    }
    cz_free(old.slots);
}

void *cz_map_getn(const struct cz_map *m, const void *key, size_t n)
{
    struct cz_map_entry *e = m->len ? find(m, key, n, cz_hash(key, n)) : NULL;
    return e ? e->value : NULL;
}

void *cz_map_get(const struct cz_map *m, const char *key)
{
    return cz_map_getn(m, key, strlen(key));
}

void cz_map_putn(struct cz_map *m, const void *key, size_t n, void *value)
{
    uint64_t hash = cz_hash(key, n);
    struct cz_map_entry *e = find(m, key, n, hash);
    if (e) {
        void *old = e->value;
        e->value = value;
        if (m->free_value && old != value)
            m->free_value(old);
        return;
    }
    make_room(m);
    char *copy = cz_alloc(n + 1);
    if (n > 0)
        memcpy(copy, key, n);
    place(m, (struct cz_map_entry){.key = copy, .key_len = n, .hash = hash, .value = value});
}

void cz_map_put(struct cz_map *m, const char *key, void *value)
{
    cz_map_putn(m, key, strlen(key), value);
}

static void bury(struct cz_map *m, struct cz_map_entry *e)
{
    cz_free(e->key);
    *e = (struct cz_map_entry){.hash = HASH_TOMBSTONE};
    m->len--;
}

bool cz_map_removen(struct cz_map *m, const void *key, size_t n)
{
    struct cz_map_entry *e = find(m, key, n, cz_hash(key, n));
    if (!e)
        return false;
    void *value = e->value;
    bury(m, e);
    if (m->free_value)
        m->free_value(value);
    return true;
}

bool cz_map_remove(struct cz_map *m, const char *key)
{
    return cz_map_removen(m, key, strlen(key));
}

void *cz_map_steal(struct cz_map *m, const char *key)
{
    struct cz_map_entry *e = find(m, key, strlen(key), cz_hash(key, strlen(key)));
    if (!e)
        return NULL;
    void *value = e->value;
    bury(m, e);
    return value;
}

struct cz_map_entry *cz_map_next(const struct cz_map *m, size_t *i)
{
    while (*i < m->cap) {
        struct cz_map_entry *e = &m->slots[(*i)++];
        if (e->key)
            return e;
    }
    return NULL;
}
