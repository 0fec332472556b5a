/* SPDX-License-Identifier: Apache-2.0 */
/** Gaps: what sources have lost before it was copied.  Of each partition the last one is known. */
#include <stdlib.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/util.h"
#include "status_priv.h"

enum { KEPT = 1000 };

static void gap_done(struct cz_gap_info *g)
{
    cz_free(g->uid);
    cz_free(g->topic);
    cz_free(g->kind);
    cz_free(g->action);
    cz_free(g->worker);
}

static struct cz_gap_info copy_of(const struct cz_gap_info *g)
{
    struct cz_gap_info c = *g;
    c.uid = cz_strdup(g->uid);
    c.topic = cz_strdup(g->topic);
    c.kind = cz_strdup(g->kind);
    c.action = cz_strdup(g->action);
    c.worker = cz_strdup(g->worker);
    return c;
}

void cz__gap_free(void *gap)
{
    if (!gap)
        return;
    gap_done(gap);
    cz_free(gap);
}

static void remember(struct cz_gap_infos *l, const struct cz_gap_info *g)
{
    if (!l->items)
        l->items = cz_alloc_array(KEPT, sizeof(*l->items));
    if (l->len == KEPT) {
        gap_done(&l->items[0]);
        memmove(l->items, l->items + 1, --l->len * sizeof(*l->items));
    }
    l->items[l->len++] = copy_of(g);
}

void cz__gap_take(struct cz_status_view *v, const struct cz_channel_record *r)
{
    if (!r->value) {
        (void)cz_map_remove(&v->gaps, r->key);
        return;
    }
    struct cz_gap_info *g = cz_alloc(sizeof(*g));
    *g = (struct cz_gap_info){
        .uid = cz_strdup(cz_json_str(r->value, "uid", "")),
        .topic = cz_strdup(cz_json_str(r->value, "topic", "")),
        .kind = cz_strdup(cz_json_str(r->value, "kind", "")),
        .action = cz_strdup(cz_json_str(r->value, "action", "")),
        .worker = cz_strdup(cz_json_str(r->value, "worker", "")),
        .partition = (int32_t)cz_json_int(r->value, "partition", -1),
        .from = cz_json_int(r->value, "from", -1),
        .to = cz_json_int(r->value, "to", -1),
        .missing = cz_json_int(r->value, "missing", 0),
        .at_ms = cz_json_int(r->value, "at_ms", 0),
        .seen = ++v->gaps_seen,
    };
    cz_map_put(&v->gaps, r->key, g);
    remember(&v->new_gaps, g);
}

static int by_place(const void *a, const void *b)
{
    const struct cz_gap_info *x = a, *y = b;
    int c = strcmp(x->topic, y->topic);
    return c ? c : (x->partition > y->partition) - (x->partition < y->partition);
}

void cz_status_gaps(struct cz_status_view *v, const char *uid, struct cz_gap_infos *ret)
{
    CZ_LOCKED(&v->lock);
    struct cz_gap_info *items = cz_alloc_array(v->gaps.len + 1, sizeof(*items));
    size_t n = 0;
    CZ_MAP_FOREACH (&v->gaps, i, e) {
        const struct cz_gap_info *g = e->value;
        if (cz_streq(uid, g->uid))
            items[n++] = copy_of(g);
    }
    qsort(items, n, sizeof(*items), by_place);
    *ret = (struct cz_gap_infos){.items = items, .len = n};
}

void cz_status_new_gaps(struct cz_status_view *v, uint64_t after, struct cz_gap_infos *ret)
{
    CZ_LOCKED(&v->lock);
    *ret = (struct cz_gap_infos){.items =
                                     cz_alloc_array(v->new_gaps.len + 1, sizeof(*ret->items))};
    for (size_t i = 0; i < v->new_gaps.len; i++) {
        if (v->new_gaps.items[i].seen > after)
            ret->items[ret->len++] = copy_of(&v->new_gaps.items[i]);
    }
}

void cz_gap_infos_done(struct cz_gap_infos *g)
{
    for (size_t i = 0; i < g->len; i++)
        gap_done(&g->items[i]);
    cz_free(g->items);
    *g = (struct cz_gap_infos){0};
}

static void set_known(json_t *o, const char *key, int64_t v)
{
    (void)json_object_set_new(o, key, v >= 0 ? cz_json_i64(v) : json_null());
}

json_t *cz_gap_json(const struct cz_gap_info *g)
{
    char at[CZ_RFC3339_SIZE];
    json_t *o = json_object();
    cz_json_set_str(o, "topic", g->topic);
    (void)json_object_set_new(o, "partition", json_integer(g->partition));
    cz_json_set_str(o, "kind", g->kind);
    cz_json_set_str(o, "action", g->action);
    set_known(o, "from", g->from);
    set_known(o, "to", g->to);
    cz_json_set_i64(o, "missing", g->missing);
    cz_json_set_str(o, "worker", g->worker);
    cz_json_set_str(o, "at", cz_rfc3339(g->at_ms, at));
    return o;
}
