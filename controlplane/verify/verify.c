/* SPDX-License-Identifier: Apache-2.0 */
/* A pair of topics after the other: sums of both sides, then the records of the windows whose sums
 * differ.  What should have arrived is what the mapping's stages make of the source's records now. */
#include "cz/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/headers.h"
#include "cz/json.h"
#include "cz/util.h"
#include "verify_priv.h"

enum { MAX_HEADERS = 256 };

struct pair {
    const struct cz_verify_conf *conf;
    const struct cz_topic_pair *topics;
    struct verify_side source, target;
    int64_t *position;    /* per partition of the source: settled up to here */
    bool by_partition;    /* where a record goes is known, so partitions are compared one by one */
    bool timestamps;      /* the target keeps them */
    bool second;          /* the second reading: items, of windows that differ */
    struct cz_stage_ctx *ctx;
    struct verify_sums sums;
    struct verify_items items;
    int64_t dropped[CZ_DROP_COUNT_], errors, expected, pending, arrived;
    int64_t found[VERIFY_KINDS];
};

/* ---- one record ------------------------------------------------------------------------------ */

static bool in_time(const struct pair *p, int64_t ms)
{
    const struct cz_verify_conf *c = p->conf;
    return !p->timestamps || ((c->since_ms < 0 || ms >= c->since_ms) && (c->until_ms < 0 || ms < c->until_ms));
}

static int64_t window_of(const struct pair *p, int64_t ms)
{
    return p->timestamps && ms > 0 ? ms - ms % p->conf->window_ms : 0;
}

static enum cz_err add_item(struct pair *p, const struct verify_item *item, struct cz_error *err)
{
    const struct verify_window *w =
        verify_sums_find(&p->sums, item->group, window_of(p, item->timestamp_ms));
    if (!w || !verify_window_differs(w))
        return CZ_OK;
    if (p->items.len == CZ_VERIFY_MAX_SUSPECTS)
        return cz_fail(err, CZ_E_LIMIT,
                       "%s: more than %d records in windows that differ; give a shorter time span or window",
                       p->topics->target, CZ_VERIFY_MAX_SUSPECTS);
    cz_grow(&p->items.items, &p->items.cap, p->items.len, sizeof *p->items.items);
    p->items.items[p->items.len++] = *item;
    return CZ_OK;
}

/* A copy's provenance tells the mapping's generation of that moment, which nobody can know again. */
static size_t without_provenance(struct cz_header *headers, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        struct cz_slice name = headers[i].name;
        if (name.len != sizeof CZ_PROVENANCE - 1 || memcmp(name.data, CZ_PROVENANCE, name.len) != 0)
            headers[kept++] = headers[i];
    }
    return kept;
}

/* A record that is on the target, or should be. @s what it is there; NULL: as it is. */
static enum cz_err count(struct pair *p, const struct cz_stage_result *s, const struct cz_record *r,
                         int32_t group, enum verify_class class, struct cz_error *err)
{
    struct cz_header headers[MAX_HEADERS];
    struct cz_slice key = s ? s->key : r->key, value = s ? s->value : r->value;
    size_t n = 0;
    if (s && s->headers_changed) {
        n = s->headers_len < MAX_HEADERS ? s->headers_len : MAX_HEADERS;
        memcpy(headers, s->headers, n * sizeof *headers);
    } else if (r->headers) {
        n = r->headers(r, headers, MAX_HEADERS);
    }
    n = without_provenance(headers, n < MAX_HEADERS ? n : MAX_HEADERS);
    int64_t ms = p->timestamps && r->ts_type != CZ_TS_NONE ? r->timestamp_ms : -1;
    const struct verify_item item = {
        .hash = verify_hash(key, value, ms, headers, n),
        .name = verify_hash(key, (struct cz_slice){0}, ms, NULL, 0),
        .group = p->by_partition ? group : -1,
        .partition = r->partition,
        .offset = r->offset,
        .timestamp_ms = r->timestamp_ms,
        .class = class,
    };
    if (p->second)
        return add_item(p, &item, err);
    if (!verify_sums_add(&p->sums, item.group, window_of(p, item.timestamp_ms), class, item.hash))
        return cz_fail(err, CZ_E_LIMIT, "more than %d windows: give a longer window or a shorter time span",
                       CZ_VERIFY_MAX_WINDOWS);
    return CZ_OK;
}

static enum cz_err on_source(void *arg, const struct cz_record *r, struct cz_error *err)
{
    struct pair *p = arg;
    struct cz_stage_result s;
    struct cz_error why = CZ_ERROR_INIT;
    if (!in_time(p, r->timestamp_ms))
        return CZ_OK;
    struct cz_record as = *r;
    as.topic = p->topics->source;
    cz_stages_run(p->conf->stages, p->ctx, &as, &s, &why);
    if (s.verdict != CZ_VERDICT_PASS) {
        if (!p->second && s.verdict == CZ_VERDICT_DROP)
            p->dropped[s.drop]++;
        else if (!p->second)
            p->errors++;
        return CZ_OK;
    }
    bool pending = r->offset >= p->position[r->partition];
    if (!p->second)
        *(pending ? &p->pending : &p->expected) += 1;
    int32_t group = s.partition >= 0 ? s.partition : r->partition;
    return count(p, &s, r, group, pending ? VERIFY_PENDING : VERIFY_EXPECTED, err);
}

static enum cz_err on_target(void *arg, const struct cz_record *r, struct cz_error *err)
{
    struct pair *p = arg;
    if (!in_time(p, r->timestamp_ms))
        return CZ_OK;
    if (!p->second)
        p->arrived++;
    return count(p, NULL, r, r->partition, VERIFY_ARRIVED, err);
}

/* ---- a pair ---------------------------------------------------------------------------------- */

static enum cz_err limits(struct pair *p, struct cz_error *err)
{
    const struct cz_verify_conf *c = p->conf;
    const struct verify_side *const sides[] = {&p->source, &p->target};
    for (size_t i = 0; i < 2; i++) {
        int64_t n = verify_side_count(sides[i]);
        if (n > c->max_records)
            return cz_fail(err, CZ_E_LIMIT, "%s: %" PRId64 " records, more than %" PRId64
                           ": give a shorter time span, or allow more", sides[i]->topic, n, c->max_records);
    }
    return CZ_OK;
}

/* Positions, the target's ends, the source's ends: in this order, see the header. */
static enum cz_err bounds(struct pair *p, struct cz_error *err)
{
    const struct cz_verify_conf *c = p->conf;
    int64_t since = p->timestamps && c->since_ms >= 0 ? c->since_ms : CZ_OFFSET_EARLIEST;
    p->position = cz_alloc_array((size_t)p->source.partitions + 1, sizeof *p->position);
    for (int32_t i = 0; i < p->source.partitions; i++)
        p->position[i] = c->position(c->arg, p->topics->source, i);
    enum cz_err code = verify_side_ask(&p->target, CZ_OFFSET_LATEST, true, p->target.end, c->deadline, err);
    if (!code)
        code = verify_side_ask(&p->source, CZ_OFFSET_LATEST, c->spec->read_committed, p->source.end, c->deadline, err);
    if (!code)
        code = verify_side_ask(&p->source, since, c->spec->read_committed, p->source.begin, c->deadline, err);
    if (!code)
        code = verify_side_ask(&p->target, since, true, p->target.begin, c->deadline, err);
    return code ? code : limits(p, err);
}

static enum cz_err open_pair(struct pair *p, json_t *notes, struct cz_error *err)
{
    const struct cz_verify_conf *c = p->conf;
    CZ_CLEANUP(cz_freep) char *stamps = NULL;
    CZ_CLEANUP(cz_freep) char *cleanup = NULL;
    enum cz_err code = verify_side_open(&p->source, c->source, c->source_admin, p->topics->source, c->deadline, err);
    if (!code)
        code = verify_side_open(&p->target, c->target, c->target_admin, p->topics->target, c->deadline, err);
    if (!code)
        code = cz_admin_topic_config(c->target_admin, p->topics->target, "message.timestamp.type", &stamps,
                                     c->deadline, err);
    if (!code)
        code = cz_admin_topic_config(c->target_admin, p->topics->target, "cleanup.policy", &cleanup, c->deadline, err);
    if (code)
        return code;
    p->timestamps = !cz_streq(stamps, "LogAppendTime");
    p->by_partition = c->spec->partitioning == CZ_PARTITION_SAME && p->source.partitions <= p->target.partitions;
    if (!p->timestamps)
        json_array_append_new(notes, json_sprintf("%s has timestamps of its own (LogAppendTime): all of it is one "
                                                  "window, and times are not compared", p->topics->target));
    if (cleanup && strstr(cleanup, "compact"))
        json_array_append_new(notes, json_sprintf("%s is compacted: what is missing may have been compacted away",
                                                  p->topics->target));
    return CZ_OK;
}

static bool any_differs(const struct pair *p)
{
    for (size_t i = 0; i < p->sums.len; i++) {
        if (verify_window_differs(&p->sums.items[i]))
            return true;
    }
    return false;
}

static enum cz_err read_both(struct pair *p, struct cz_error *err)
{
    enum cz_err code = verify_scan(&p->source, p->conf, on_source, p, err);
    return code ? code : verify_scan(&p->target, p->conf, on_target, p, err);
}

/* ---- report ---------------------------------------------------------------------------------- */

static const char *const kinds[] = {
#define X(id, name) name,
    VERIFY_KIND_MAP(X)
#undef X
};

static json_t *place(const char *topic, const struct verify_item *i)
{
    json_t *o = json_pack("{s:s, s:i}", "topic", topic, "partition", i->partition);
    cz_json_set_i64(o, "offset", i->offset);
    cz_json_set_i64(o, "timestamp", i->timestamp_ms);
    return o;
}

static void tell_differences(struct pair *p, json_t *list)
{
    struct verify_difference *d = NULL;
    size_t n = verify_diff(&p->items, &d);
    for (size_t i = 0; i < n; i++) {
        p->found[d[i].kind]++;
        if (json_array_size(list) >= CZ_VERIFY_SHOWN)
            continue;
        json_t *o = json_pack("{s:s}", "kind", kinds[d[i].kind]);
        if (d[i].source)
            json_object_set_new(o, "source", place(p->topics->source, d[i].source));
        if (d[i].target)
            json_object_set_new(o, "target", place(p->topics->target, d[i].target));
        json_array_append_new(list, o);
    }
    cz_free(d);
}

static json_t *group_json(const struct pair *p, int32_t group)
{
    int64_t n[VERIFY_CLASSES] = {0};
    uint64_t hash = 0;
    bool equal = true, any = false;
    for (size_t i = 0; i < p->sums.len; i++) {
        const struct verify_window *w = &p->sums.items[i];
        if (w->group != group)
            continue;
        any = true;
        hash += w->sum.hash[VERIFY_ARRIVED];
        equal &= !verify_window_differs(w);
        for (int c = 0; c < VERIFY_CLASSES; c++)
            n[c] += w->sum.n[c];
    }
    if (!any)
        return NULL;
    char text[24];
    (void)snprintf(text, sizeof text, "%016" PRIx64, hash);
    json_t *o = json_pack("{s:s, s:b}", "hash", text, "sums_equal", equal);
    json_object_set_new(o, "partition", group < 0 ? json_null() : json_integer(group));
    cz_json_set_i64(o, "expected", n[VERIFY_EXPECTED]);
    cz_json_set_i64(o, "pending", n[VERIFY_PENDING]);
    cz_json_set_i64(o, "arrived", n[VERIFY_ARRIVED]);
    return o;
}

static json_t *pair_json(const struct pair *p)
{
    int64_t differing = 0;
    json_t *groups = json_array();
    for (size_t i = 0; i < p->sums.len; i++)
        differing += verify_window_differs(&p->sums.items[i]);
    for (int32_t g = -1; g < p->target.partitions; g++) {
        json_t *o = group_json(p, g);
        if (o)
            json_array_append_new(groups, o);
    }
    json_t *o = json_pack("{s:s, s:s, s:b, s:o}", "source", p->topics->source, "target", p->topics->target,
                          "timestamps", p->timestamps, "partitions", groups);
    cz_json_set_i64(o, "expected", p->expected);
    cz_json_set_i64(o, "pending", p->pending);
    cz_json_set_i64(o, "arrived", p->arrived);
    cz_json_set_i64(o, "windows", (int64_t)p->sums.len);
    cz_json_set_i64(o, "windows_compared_by_record", differing);
    return o;
}

static void close_pair(struct pair *p)
{
    verify_side_done(&p->source);
    verify_side_done(&p->target);
    verify_sums_done(&p->sums);
    cz_stage_ctx_free(p->ctx);
    cz_free(p->items.items);
    cz_free(p->position);
}

/* The sums of a report over its pairs. */
struct totals {
    int64_t expected, pending, arrived, errors, dropped[CZ_DROP_COUNT_], found[VERIFY_KINDS];
};

static void add_totals(struct totals *t, const struct pair *p)
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

static enum cz_err one_pair(struct pair *p, json_t *report, struct totals *t, struct cz_error *err)
{
    verify_sums_init(&p->sums);
    p->ctx = cz_stage_ctx_new();
    enum cz_err code = open_pair(p, json_object_get(report, "notes"), err);
    if (!code)
        code = bounds(p, err);
    if (!code)
        code = read_both(p, err);
    p->second = true;
    if (!code && any_differs(p))
        code = read_both(p, err);
    if (code)
        return code;
    tell_differences(p, json_object_get(report, "differences"));
    add_totals(t, p);
    json_array_append_new(json_object_get(report, "pairs"), pair_json(p));
    return CZ_OK;
}

static void finish(json_t *report, const struct totals *t)
{
    json_t *dropped = json_object();
    int64_t differences = 0;
    for (int i = 0; i < CZ_DROP_COUNT_; i++) {
        if (t->dropped[i] > 0)
            cz_json_set_i64(dropped, cz_drop_name((enum cz_drop)i), t->dropped[i]);
    }
    for (int i = 0; i < VERIFY_KINDS; i++) {
        cz_json_set_i64(report, kinds[i], t->found[i]);
        differences += t->found[i];
    }
    json_object_set_new(report, "equal", json_boolean(differences == 0));
    json_object_set_new(report, "dropped", dropped);
    cz_json_set_i64(report, "errors", t->errors);
    cz_json_set_i64(report, "expected", t->expected);
    cz_json_set_i64(report, "pending", t->pending);
    cz_json_set_i64(report, "arrived", t->arrived);
}

enum cz_err cz_verify(const struct cz_verify_conf *conf, json_t **ret, struct cz_error *err)
{
    json_t *report = json_pack("{s:[], s:[], s:[]}", "pairs", "differences", "notes");
    struct totals t = {0};
    enum cz_err code = CZ_OK;
    for (size_t i = 0; !code && i < conf->spec->pairs_len; i++) {
        struct pair p = {.conf = conf, .topics = &conf->spec->pairs[i]};
        code = one_pair(&p, report, &t, err);
        close_pair(&p);
    }
    if (code) {
        json_decref(report);
        return code;
    }
    finish(report, &t);
    *ret = report;
    return CZ_OK;
}
