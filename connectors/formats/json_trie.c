/* SPDX-License-Identifier: Apache-2.0 */
/* Building the trie of wanted paths.  Children are kept in the order of their making: an
 * expression names few, and the walk compares them one after the other. */
#include <string.h>

#include "cz/json_doc.h"

static bool is_child(const struct cz_json_trie *c, const char *key, size_t len, uint32_t index)
{
    if (!key || !c->key)
        return !key && !c->key && c->index == index;
    return c->key_len == len && memcmp(c->key, key, len) == 0;
}

struct cz_json_trie *cz_json_trie_child(struct cz_arena *a,
                                        struct cz_json_trie *node,
                                        const char *key,
                                        size_t key_len,
                                        uint32_t index)
{
    struct cz_json_trie **at = &node->child;
    for (; *at; at = &(*at)->next) {
        if (is_child(*at, key, key_len, index))
            return *at;
    }
    struct cz_json_trie *c = cz_arena_alloc(a, sizeof(*c));
    if (!c)
        return NULL;
    *c = (struct cz_json_trie){
        .key = key, .key_len = (uint32_t)key_len, .index = key ? 0 : index, .slot = -1};
    *at = c;
    return c;
}

int32_t cz_json_trie_number(struct cz_json_trie *node, int32_t first)
{
    node->slot_first = first;
    if (node->slot >= 0)
        node->slot = first++;
    for (struct cz_json_trie *c = node->child; c; c = c->next)
        first = cz_json_trie_number(c, first);
    node->slot_end = first;
    return first;
}
