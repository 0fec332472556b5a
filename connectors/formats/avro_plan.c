/* SPDX-License-Identifier: Apache-2.0 */
/* Which parts of a datum somebody reads: a schema and some tries of paths become a tree of types of
 * which the rest is passed over.  Where a path goes on into an array or a map, all of it is read. */
#include <string.h>

#include "avro_priv.h"
#include "cz/alloc.h"

struct paths {
    const struct cz_json_trie *const *at;
    size_t n;
};

static struct cz__avro_part *part_new(const struct cz__avro_type *t, size_t n)
{
    struct cz__avro_part *p = cz_alloc(sizeof *p);
    p->type = t;
    p->n = n;
    if (n > 0)
        p->of = cz_alloc_array(n, sizeof(void *));
    return p;
}

static void part_free(struct cz__avro_part *p)
{
    for (size_t i = 0; p && i < p->n; i++)
        part_free(p->of[i]);
    if (p)
        cz_free(p->of);
    cz_free(p);
}

static bool all_wanted(const struct paths *p)
{
    for (size_t i = 0; i < p->n; i++) {
        if (p->at[i]->slot >= 0)
            return true;
    }
    return false;
}

static struct cz__avro_part *build(const struct cz__avro_type *t, const struct paths *p, unsigned depth);

/* The part of one field; NULL: no path goes there. */
static struct cz__avro_part *build_field(const struct cz__avro_field *f, const struct paths *p,
                                         unsigned depth)
{
    const struct cz_json_trie **below = cz_alloc_array(p->n, sizeof *below);
    struct paths next = {.at = below};
    size_t len = strlen(f->name);
    for (size_t i = 0; i < p->n; i++) {
        for (const struct cz_json_trie *c = p->at[i]->child; c; c = c->next) {
            if (c->key && c->key_len == len && memcmp(c->key, f->name, len) == 0)
                below[next.n++] = c;
        }
    }
    struct cz__avro_part *part = next.n ? build(f->type, &next, depth) : NULL;
    cz_free(below);
    return part;
}

static struct cz__avro_part *build(const struct cz__avro_type *t, const struct paths *p, unsigned depth)
{
    bool open = t->kind == CZ__AVRO_RECORD || t->kind == CZ__AVRO_UNION;
    if (!open || t->n == 0 || all_wanted(p) || depth >= CZ_MAX_AVRO_DEPTH)
        return part_new(t, 0);
    struct cz__avro_part *part = part_new(t, t->n);
    for (size_t i = 0; i < t->n; i++)
        part->of[i] = t->kind == CZ__AVRO_UNION ? build(t->of[i], p, depth + 1)
                                                : build_field(&t->fields[i], p, depth + 1);
    return part;
}

struct cz_avro_plan *
cz_avro_plan_new(const struct cz_avro_schema *s, const struct cz_json_trie *const *tries, size_t n)
{
    const struct paths p = {tries, n};
    struct cz_avro_plan *plan = cz_alloc(sizeof *plan);
    plan->root = build(s->root, &p, 0);
    return plan;
}

void cz_avro_plan_free(struct cz_avro_plan *p)
{
    if (p)
        part_free(p->root);
    cz_free(p);
}
