/* SPDX-License-Identifier: Apache-2.0 */
/** The one hash map: byte-string key → pointer.  Keys are copied; values are borrowed unless a
 *  free function was given.  Open addressing with a per-process random seed.  Insertion order is
 *  not kept.  Not thread safe; one owner.  While walking, only the current entry may be removed. */
#ifndef CZ_MAP_H
#define CZ_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cz_map_entry {
    char *key; /* NUL-terminated copy */
    size_t key_len;
    uint64_t hash;
    void *value;
};
struct cz_map {
    struct cz_map_entry *slots;
    size_t cap, len, used; /* used counts tombstones too */
    void (*free_value)(void *);
};
#define CZ_MAP_INIT(free_fn) {.free_value = (free_fn)}

void cz_map_init(struct cz_map *m, void (*free_value)(void *));
void cz_map_done(struct cz_map *m);
void cz_map_clear(struct cz_map *m);
void *cz_map_get(const struct cz_map *m, const char *key);
void *cz_map_getn(const struct cz_map *m, const void *key, size_t n);
/** Insert or replace (the old value is freed when a free function is set). */
void cz_map_put(struct cz_map *m, const char *key, void *value);
void cz_map_putn(struct cz_map *m, const void *key, size_t n, void *value);
bool cz_map_remove(struct cz_map *m, const char *key); /* frees the value */
bool cz_map_removen(struct cz_map *m, const void *key, size_t n);
void *cz_map_steal(struct cz_map *m, const char *key); /* removes, gives the value */
/** Walk: for (i = 0; (e = cz_map_next(m, &i));) */
struct cz_map_entry *cz_map_next(const struct cz_map *m, size_t *i);
#define CZ_MAP_FOREACH(m, i, e)                                                                \
    for (size_t i = 0; i != SIZE_MAX; i = SIZE_MAX)                                            \
        for (struct cz_map_entry *e; (e = cz_map_next((m), &i));)

uint64_t cz_hash(const void *p, size_t n); /* seeded per process: never store it */

#endif
