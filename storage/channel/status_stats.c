/* SPDX-License-Identifier: Apache-2.0 */
/** Counters of the mappings.  Each worker reports its own counters per partition; the total of a
 *  partition is the sum over all that ever worked on it, so that it goes on when the partition
 *  moves.  Where it stands (position, end, lag) is told by the worker whose numbers of it changed
 *  last: a former owner keeps reporting the same ones for as long as it has other partitions.
 *
 *  Rates come from the totals as they were over the last seconds of our own clock. */
#include <stdlib.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "status_priv.h"

enum {
    SAMPLES = 32,
    SAMPLE_GAP_MS = 250,
    WINDOW_MS = 5000,
    REPORT_MS = 1500, /* reports come once a second: no news for so long means nothing */
    MAX_PARTITIONS = 100000,
};

struct counters {
    int64_t in, out, bytes_in, bytes_out, dropped[CZ_DROP_COUNT_];
};
struct part {
    char *topic;
    int32_t partition;
    struct counters c;
    int64_t position, end, lag, newest_ms, begin, stop;
    uint64_t changed; /* the view's count of reports when its numbers last moved */
};
struct report { /* of one worker */
    char *worker;
    struct part *parts; /* sorted by topic, partition */
    size_t len;
    struct counters sum;
    struct cz_histogram delay;
    bool held;
    int64_t held_ms;
    int64_t at_ms;
};
struct sample {
    cz_time at;
    int64_t in, out, bytes_in;
};
struct cz__stats { /* of one mapping */
    struct cz_map reports; /* worker → struct report */
    struct counters sum;
    struct sample samples[SAMPLES]; /* ring; newest before `next` */
    size_t next, count;
    uint64_t reports_seen;
};

static void report_free(void *p)
{
    struct report *r = p;
    if (!r)
        return;
    for (size_t i = 0; i < r->len; i++)
        cz_free(r->parts[i].topic);
    cz_free(r->parts);
    cz_free(r->worker);
    cz_free(r);
}

void cz__stats_free(void *stats)
{
    struct cz__stats *s = stats;
    cz_map_done(&s->reports);
    cz_free(s);
}

static void add(struct counters *into, const struct counters *c, int sign)
{
    into->in += sign * c->in;
    into->out += sign * c->out;
    into->bytes_in += sign * c->bytes_in;
    into->bytes_out += sign * c->bytes_out;
    for (size_t i = 0; i < CZ_DROP_COUNT_; i++)
        into->dropped[i] += sign * c->dropped[i];
}

/* ---- parsing ----------------------------------------------------------------------------------------- */

/* Counters are sums of other processes' words: keep them where sums cannot overflow. */
static int64_t count_of(const json_t *j, const char *name)
{
    int64_t n = cz_json_int(j, name, 0);
    return n < 0 ? 0 : n > INT64_MAX / 65536 ? INT64_MAX / 65536 : n;
}

static void parse_part(const json_t *j, struct part *p)
{
    const json_t *dropped = json_object_get(j, "dropped");
    *p = (struct part){
        .topic = cz_strdup(cz_json_str(j, "topic", "")),
        .partition = (int32_t)cz_json_int(j, "partition", -1),
        .c = {.in = count_of(j, "in"),
              .out = count_of(j, "out"),
              .bytes_in = count_of(j, "bytes_in"),
              .bytes_out = count_of(j, "bytes_out")},
        .position = cz_json_int(j, "position", -1),
        .end = cz_json_int(j, "end", -1),
        .lag = cz_json_int(j, "lag", -1),
        .newest_ms = cz_json_int(j, "newest_ms", 0),
        .begin = cz_json_int(j, "begin", -1),
        .stop = cz_json_int(j, "stop", -1),
    };
    for (int d = 0; d < CZ_DROP_COUNT_; d++)
        p->c.dropped[d] = count_of(dropped, cz_drop_name((enum cz_drop)d));
}

static void parse_delay(const json_t *j, struct cz_histogram *h)
{
    const json_t *counts = json_object_get(j, "counts");
    for (size_t i = 0; i < CZ_HIST_BUCKETS && i < json_array_size(counts); i++) {
        json_int_t n = json_integer_value(json_array_get(counts, i));
        h->count[i] = n > 0 ? (uint64_t)n : 0;
    }
    h->total = (uint64_t)count_of(j, "total");
    h->sum_ms = count_of(j, "sum_ms");
}

static int by_partition(const void *a, const void *b)
{
    const struct part *x = a, *y = b;
    int c = strcmp(x->topic, y->topic);
    return c ? c : (x->partition > y->partition) - (x->partition < y->partition);
}

static struct report *parse_report(const char *worker, const json_t *j)
{
    const json_t *list = json_object_get(j, "partitions");
    size_t n = json_array_size(list);
    struct report *r = cz_alloc(sizeof(*r));
    r->worker = cz_strdup(worker);
    r->at_ms = cz_json_int(j, "at_ms", 0);
    r->len = n > MAX_PARTITIONS ? MAX_PARTITIONS : n;
    r->parts = cz_alloc_array(r->len + 1, sizeof(*r->parts));
    for (size_t i = 0; i < r->len; i++) {
        parse_part(json_array_get(list, i), &r->parts[i]);
        add(&r->sum, &r->parts[i].c, 1);
    }
    qsort(r->parts, r->len, sizeof(*r->parts), by_partition);
    parse_delay(json_object_get(j, "delay"), &r->delay);
    r->held = cz_json_bool(j, "held", false);
    r->held_ms = count_of(j, "held_ms");
    return r;
}

/* ---- taking a report ------------------------------------------------------------------------------------ */

static bool same_numbers(const struct part *a, const struct part *b)
{
    return a->position == b->position && a->c.in == b->c.in && a->c.out == b->c.out;
}

/* Partitions that did not move keep the time of their last change. */
static void mark_changes(struct report *r, const struct report *before, uint64_t now)
{
    for (size_t i = 0; i < r->len; i++) {
        struct part *p = &r->parts[i];
        const struct part *old =
            before && before->len
                ? bsearch(p, before->parts, before->len, sizeof(*p), by_partition)
                : NULL;
        p->changed = old && same_numbers(p, old) ? old->changed : now;
    }
}

static void take_sample(struct cz__stats *s)
{
    cz_time now = cz_now();
    struct sample *last = s->count ? &s->samples[(s->next + SAMPLES - 1) % SAMPLES] : NULL;
    struct sample *at = last;
    /* Several workers report one after the other: their words of one moment are one sample. */
    if (!last || now - last->at >= SAMPLE_GAP_MS * CZ_MS) {
        at = &s->samples[s->next];
        s->next = (s->next + 1) % SAMPLES;
        s->count += s->count < SAMPLES;
        at->at = now;
    }
    at->in = s->sum.in;
    at->out = s->sum.out;
    at->bytes_in = s->sum.bytes_in;
}

static void drop_report(struct cz_status_view *v, const char *worker, const char *uid)
{
    struct cz__stats *s = cz_map_get(&v->stats, uid);
    struct report *r = s ? cz_map_get(&s->reports, worker) : NULL;
    if (!r)
        return;
    add(&s->sum, &r->sum, -1);
    (void)cz_map_remove(&s->reports, worker);
    /* The samples are of another sum now. */
    s->count = s->next = 0;
    if (s->reports.len == 0)
        (void)cz_map_remove(&v->stats, uid);
}

void cz__stats_take(struct cz_status_view *v,
                    const char *worker,
                    const char *uid,
                    const struct cz_channel_record *rec)
{
    if (!rec->value) {
        drop_report(v, worker, uid);
        return;
    }
    struct cz__stats *s = cz_map_get(&v->stats, uid);
    if (!s) {
        s = cz_alloc(sizeof(*s));
        cz_map_init(&s->reports, report_free);
        cz_map_put(&v->stats, uid, s);
    }
    struct report *r = parse_report(worker, rec->value);
    const struct report *before = cz_map_get(&s->reports, worker);
    mark_changes(r, before, ++s->reports_seen);
    if (before)
        add(&s->sum, &before->sum, -1);
    add(&s->sum, &r->sum, 1);
    cz_map_put(&s->reports, worker, r);
    /* What was counted before we knew of it did not happen in this moment. */
    if (v->reading)
        s->count = s->next = 0;
    if (!v->reading)
        take_sample(s);
}

/* ---- asking ---------------------------------------------------------------------------------------------- */

static void rates(const struct cz__stats *s, struct cz_mapping_stats *ret)
{
    if (s->count < 2)
        return;
    cz_time now = cz_now();
    const struct sample *newest = &s->samples[(s->next + SAMPLES - 1) % SAMPLES], *oldest = newest;
    for (size_t i = 1; i < s->count; i++) {
        const struct sample *x = &s->samples[(s->next + SAMPLES - 1 - i) % SAMPLES];
        if (now - x->at > WINDOW_MS * CZ_MS)
            break;
        oldest = x;
    }
    cz_time span = newest->at - oldest->at;
    cz_time silent = now - oldest->at - REPORT_MS * CZ_MS;
    if (span <= 0)
        return;
    double seconds = (double)(silent > span ? silent : span) / (double)CZ_SEC;
    int64_t in = newest->in - oldest->in, out = newest->out - oldest->out;
    int64_t bytes = newest->bytes_in - oldest->bytes_in;
    ret->in_per_second = in > 0 ? (double)in / seconds : 0;
    ret->out_per_second = out > 0 ? (double)out / seconds : 0;
    ret->bytes_per_second = bytes > 0 ? (double)bytes / seconds : 0;
}

struct source { /* a part and whose it is */
    const struct part *part;
    const char *worker;
};

static int by_source(const void *a, const void *b)
{
    const struct source *x = a, *y = b;
    int c = by_partition(x->part, y->part);
    return c ? c : (x->part->changed > y->part->changed) - (x->part->changed < y->part->changed);
}

/* All parts of all reports, those of one partition side by side, the newest last. */
static struct source *collect(const struct cz__stats *s, size_t *ret_n)
{
    size_t n = 0;
    CZ_MAP_FOREACH (&s->reports, i, e)
        n += ((const struct report *)e->value)->len;
    struct source *all = cz_alloc_array(n + 1, sizeof(*all));
    n = 0;
    CZ_MAP_FOREACH (&s->reports, i, e) {
        const struct report *r = e->value;
        for (size_t k = 0; k < r->len; k++)
            all[n++] = (struct source){&r->parts[k], r->worker};
    }
    qsort(all, n, sizeof(*all), by_source);
    *ret_n = n;
    return all;
}

static void add_part(struct cz_partition_stats *o, const struct source *s)
{
    const struct part *p = s->part;
    o->in += p->c.in;
    o->out += p->c.out;
    o->bytes_in += p->c.bytes_in;
    o->bytes_out += p->c.bytes_out;
    for (size_t d = 0; d < CZ_DROP_COUNT_; d++)
        o->dropped[d] += p->c.dropped[d];
    cz_free(o->worker);
    o->worker = cz_strdup(s->worker);
    o->position = p->position;
    o->end = p->end;
    o->lag = p->lag;
    o->newest_ms = p->newest_ms > o->newest_ms ? p->newest_ms : o->newest_ms;
    o->begin = p->begin;
    o->stop = p->stop;
}

/* Nothing behind: no age, whatever the newest record's is. */
static void sum_lag(struct cz_mapping_stats *ret)
{
    int64_t now = cz_wall_ms();
    ret->lag = ret->lag_ms = -1;
    for (size_t i = 0; i < ret->len; i++) {
        const struct cz_partition_stats *p = &ret->partitions[i];
        if (p->lag < 0)
            continue;
        int64_t age = p->lag == 0 ? 0 : p->newest_ms > 0 ? now - p->newest_ms : -1;
        ret->lag = (ret->lag < 0 ? 0 : ret->lag) + p->lag;
        if (age > ret->lag_ms)
            ret->lag_ms = age;
    }
}

static void fill_partitions(const struct cz__stats *s, struct cz_mapping_stats *ret)
{
    size_t n;
    struct source *all = collect(s, &n);
    ret->partitions = cz_alloc_array(n + 1, sizeof(*ret->partitions));
    for (size_t i = 0; i < n; i++) {
        bool same = i > 0 && by_partition(all[i].part, all[i - 1].part) == 0;
        if (!same) {
            struct cz_partition_stats *o = &ret->partitions[ret->len++];
            o->topic = cz_strdup(all[i].part->topic);
            o->partition = all[i].part->partition;
        }
        add_part(&ret->partitions[ret->len - 1], &all[i]);
    }
    cz_free(all);
    sum_lag(ret);
}

bool cz_status_stats(struct cz_status_view *v, const char *uid, struct cz_mapping_stats *ret)
{
    CZ_LOCKED(&v->lock);
    const struct cz__stats *s = cz_map_get(&v->stats, uid);
    if (!s)
        return false;
    *ret = (struct cz_mapping_stats){
        .in = s->sum.in,
        .out = s->sum.out,
        .bytes_in = s->sum.bytes_in,
        .bytes_out = s->sum.bytes_out,
    };
    memcpy(ret->dropped, s->sum.dropped, sizeof(ret->dropped));
    CZ_MAP_FOREACH (&s->reports, i, e) {
        const struct report *r = e->value;
        cz_histogram_merge(&ret->delay, &r->delay);
        ret->held |= r->held;
        ret->held_ms += r->held_ms;
        if (r->at_ms > ret->at_ms)
            ret->at_ms = r->at_ms;
    }
    fill_partitions(s, ret);
    rates(s, ret);
    return true;
}

void cz_mapping_stats_done(struct cz_mapping_stats *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->len; i++) {
        cz_free(s->partitions[i].topic);
        cz_free(s->partitions[i].worker);
    }
    cz_free(s->partitions);
    *s = (struct cz_mapping_stats){0};
}
