/* SPDX-License-Identifier: Apache-2.0 */
/* What a comparison found, as a document. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "verify_priv.h"

static const char *const kinds[] = {
#define X(id, name) name,
    VERIFY_KIND_MAP(X)
#undef X
};

json_t *verify_report_new(void)
{
    return json_pack("{s:[], s:[], s:[]}", "pairs", "differences", "notes");
}

void verify_note(json_t *report, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)json_array_append_new(json_object_get(report, "notes"), json_vsprintf(fmt, ap));
    va_end(ap);
}

/* ---- differences -------------------------------------------------------------------------------- */

static json_t *place(const char *topic, const struct verify_item *i)
{
    json_t *o = json_pack("{s:s, s:i}", "topic", topic, "partition", i->partition);
    cz_json_set_i64(o, "offset", i->offset);
    cz_json_set_i64(o, "timestamp", i->timestamp_ms);
    return o;
}

static json_t *difference_json(const struct verify_pair *p, const struct verify_difference *d)
{
    json_t *o = json_pack("{s:s}", "kind", kinds[d->kind]);
    if (d->source)
        json_object_set_new(o, "source", place(p->sources[d->source->side].topic, d->source));
    if (d->target)
        json_object_set_new(o, "target", place(p->target.topic, d->target));
    return o;
}

/* A text for each partition that has one: the first that differs there. */
static json_t *tell_differences(struct verify_pair *p, json_t *list)
{
    struct verify_difference *d = NULL;
    size_t n = verify_diff(&p->items, &d);
    json_t *firsts = json_object();
    for (size_t i = 0; i < n; i++) {
        char group[16];
        p->found[d[i].kind]++;
        (void)snprintf(group, sizeof group, "%d", (int)(d[i].source ? d[i].source : d[i].target)->group);
        bool shown = json_array_size(list) < CZ_VERIFY_SHOWN, first = !json_object_get(firsts, group);
        json_t *o = shown || first ? difference_json(p, &d[i]) : NULL;
        if (shown)
            json_array_append(list, o);
        if (first)
            json_object_set(firsts, group, o);
        json_decref(o);
    }
    cz_free(d);
    return firsts;
}

/* ---- a pair -------------------------------------------------------------------------------------- */

struct group {
    int64_t n[VERIFY_CLASSES];
    uint64_t hash;
    bool any, differs;
};

static json_t *group_json(int32_t number, const struct group *g, const json_t *firsts)
{
    char text[24], name[16];
    (void)snprintf(text, sizeof text, "%016" PRIx64, g->hash);
    (void)snprintf(name, sizeof name, "%d", (int)number);
    json_t *o = json_pack("{s:s, s:b}", "hash", text, "sums_equal", !g->differs);
    json_object_set_new(o, "partition", number < 0 ? json_null() : json_integer(number));
    cz_json_set_i64(o, "expected", g->n[VERIFY_EXPECTED]);
    cz_json_set_i64(o, "pending", g->n[VERIFY_PENDING]);
    cz_json_set_i64(o, "arrived", g->n[VERIFY_ARRIVED]);
    if (json_object_get(firsts, name))
        json_object_set(o, "first_difference", json_object_get(firsts, name));
    return o;
}

static json_t *groups_json(const struct verify_pair *p, const json_t *firsts)
{
    json_t *list = json_array();
    int32_t last = -1;
    for (size_t i = 0; i < p->sums.len; i++)
        last = p->sums.items[i].group > last ? p->sums.items[i].group : last;
    struct group *groups = cz_alloc_array((size_t)last + 2, sizeof *groups); /* from -1 on */
    for (size_t i = 0; i < p->sums.len; i++) {
        const struct verify_window *w = &p->sums.items[i];
        struct group *g = &groups[w->group + 1];
        g->any = true;
        g->hash += w->sum.hash[VERIFY_ARRIVED];
        g->differs |= verify_window_differs(w);
        for (int c = 0; c < VERIFY_CLASSES; c++)
            g->n[c] += w->sum.n[c];
    }
    for (int32_t g = -1; g <= last; g++) {
        if (groups[g + 1].any)
            json_array_append_new(list, group_json(g, &groups[g + 1], firsts));
    }
    cz_free(groups);
    return list;
}

static json_t *pair_json(const struct verify_pair *p, const json_t *firsts)
{
    int64_t differing = 0;
    json_t *sources = json_array();
    for (size_t i = 0; i < p->sums.len; i++)
        differing += verify_window_differs(&p->sums.items[i]);
    for (size_t i = 0; i < p->sources_len; i++)
        json_array_append_new(sources, json_string(p->sources[i].topic));
    json_t *o = json_pack("{s:o, s:s, s:b, s:o}", "sources", sources, "target", p->target.topic, "timestamps",
                          p->timestamps, "partitions", groups_json(p, firsts));
    cz_json_set_i64(o, "expected", p->expected);
    cz_json_set_i64(o, "pending", p->pending);
    cz_json_set_i64(o, "arrived", p->arrived);
    cz_json_set_i64(o, "windows", (int64_t)p->sums.len);
    cz_json_set_i64(o, "windows_compared_by_record", differing);
    return o;
}

static void add_totals(struct verify_totals *t, const struct verify_pair *p)
{
    t->expected += p->expected;
    t->pending += p->pending;
    t->arrived += p->arrived;
    t->errors += p->errors;
    for (int i = 0; i < CZ_DROP_COUNT_; i++)
        t->dropped[i] += p->dropped[i];
    for (int i = 0; i < VERIFY_KINDS; i++)
        t->found[i] += p->found[i];
}

void verify_report_add(json_t *report, struct verify_totals *t, struct verify_pair *p)
{
    json_t *firsts = tell_differences(p, json_object_get(report, "differences"));
    add_totals(t, p);
    json_array_append_new(json_object_get(report, "pairs"), pair_json(p, firsts));
    json_decref(firsts);
    if (p->found[VERIFY_MISPLACED] > 0 && p->by_key)
        verify_note(report, "%s: a record goes where its key belongs among the %d partitions that there are now; "
                    "what was copied when there were fewer lies elsewhere", p->target.topic, p->target.partitions);
}

void verify_report_end(json_t *report, const struct verify_totals *t, bool others)
{
    json_t *dropped = json_object();
    int64_t differences = 0;
    for (int i = 0; i < CZ_DROP_COUNT_; i++) {
        if (t->dropped[i] > 0)
            cz_json_set_i64(dropped, cz_drop_name((enum cz_drop)i), t->dropped[i]);
    }
    for (int i = 0; i < VERIFY_KINDS; i++) {
        cz_json_set_i64(report, kinds[i], t->found[i]);
        differences += i == VERIFY_EXTRA && others ? 0 : t->found[i];
    }
    json_object_set_new(report, "equal", json_boolean(differences == 0));
    json_object_set_new(report, "dropped", dropped);
    cz_json_set_i64(report, "errors", t->errors);
    cz_json_set_i64(report, "expected", t->expected);
    cz_json_set_i64(report, "pending", t->pending);
    cz_json_set_i64(report, "arrived", t->arrived);
}
