/* SPDX-License-Identifier: Apache-2.0 */
/* Record by record: what of the suspects has no counterpart. */
#include <stdlib.h>

#include "cz/alloc.h"
#include "verify_priv.h"

static int compare(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int by_place(const struct verify_item *x, const struct verify_item *y)
{
    if (x->side != y->side)
        return x->side < y->side ? -1 : 1;
    if (x->partition != y->partition)
        return x->partition < y->partition ? -1 : 1;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int by_content(const void *a, const void *b)
{
    const struct verify_item *x = a, *y = b;
    int c = compare(x->hash, y->hash);
    if (c == 0 && x->group != y->group)
        c = x->group < y->group ? -1 : 1;
    if (c == 0 && x->class != y->class)
        c = x->class < y->class ? -1 : 1;
    return c ? c : by_place(x, y);
}

static int by_name(const void *a, const void *b)
{
    const struct verify_difference *x = a, *y = b;
    const struct verify_item *p = x->source ? x->source : x->target, *q = y->source ? y->source : y->target;
    int c = compare(p->name, q->name);
    if (c == 0 && !x->source != !y->source)
        c = x->source ? -1 : 1;
    return c ? c : by_place(p, q);
}

static int by_source(const void *a, const void *b)
{
    const struct verify_difference *x = a, *y = b;
    if (!x->source != !y->source)
        return x->source ? -1 : 1;
    return x->source ? by_place(x->source, y->source) : by_place(x->target, y->target);
}

struct found {
    struct verify_difference *items;
    size_t len, cap;
};

static void note(struct found *f, enum verify_kind kind, const struct verify_item *source,
                 const struct verify_item *target)
{
    cz_grow(&f->items, &f->cap, f->len, sizeof *f->items);
    f->items[f->len++] = (struct verify_difference){kind, source, target};
}

/* Items of one content and group, by class. */
static void weigh(struct found *f, const struct verify_item *items, size_t len)
{
    size_t n[VERIFY_CLASSES] = {0};
    for (size_t i = 0; i < len; i++)
        n[items[i].class]++;
    size_t expected = n[VERIFY_EXPECTED], pending = n[VERIFY_PENDING], arrived = n[VERIFY_ARRIVED];
    for (size_t i = arrived; i < expected; i++) /* which of several alike is not to be told */
        note(f, VERIFY_MISSING, &items[i], NULL);
    for (size_t i = expected + pending; i < arrived; i++) {
        const struct verify_item *target = &items[expected + pending + i];
        if (expected + pending > 0)
            note(f, VERIFY_DOUBLED, &items[0], target);
        else
            note(f, VERIFY_EXTRA, NULL, target);
    }
}

/* One that is missing and one that is too many, of the same key and time, are one that was altered;
 * of the same content, one that is on another partition. */
static void pair_up(struct found *f)
{
    qsort(f->items, f->len, sizeof *f->items, by_name);
    size_t kept = 0;
    for (size_t i = 0; i < f->len;) {
        size_t end = i, missing = 0, extra = 0;
        uint64_t name = (f->items[i].source ? f->items[i].source : f->items[i].target)->name;
        while (end < f->len && (f->items[end].source ? f->items[end].source : f->items[end].target)->name == name)
            end++;
        struct verify_difference *group = &f->items[i];
        size_t len = end - i;
        for (;;) {
            while (missing < len && group[missing].kind != VERIFY_MISSING)
                missing++;
            while (extra < len && group[extra].kind != VERIFY_EXTRA)
                extra++;
            if (missing >= len || extra >= len)
                break;
            bool same = group[missing].source->hash == group[extra].target->hash;
            group[missing].target = group[extra].target;
            group[missing].kind = same ? VERIFY_MISPLACED : VERIFY_ALTERED;
            group[extra].kind = VERIFY_KINDS; /* told */
        }
        for (; i < end; i++) {
            if (f->items[i].kind != VERIFY_KINDS)
                f->items[kept++] = f->items[i];
        }
    }
    f->len = kept;
}

size_t verify_diff(struct verify_items *items, struct verify_difference **ret)
{
    struct found f = {0};
    *ret = NULL;
    if (items->len == 0)
        return 0;
    qsort(items->items, items->len, sizeof *items->items, by_content);
    for (size_t i = 0; i < items->len;) {
        size_t end = i;
        while (end < items->len && items->items[end].hash == items->items[i].hash &&
               items->items[end].group == items->items[i].group)
            end++;
        weigh(&f, &items->items[i], end - i);
        i = end;
    }
    if (f.len > 0) {
        pair_up(&f);
        qsort(f.items, f.len, sizeof *f.items, by_source);
    }
    *ret = f.items;
    return f.len;
}
