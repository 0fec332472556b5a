/* SPDX-License-Identifier: Apache-2.0 */
/* One record of either side: what it should be on the target, or is there, and where. */
#include <string.h>

#include "cz/alloc.h"
#include "cz/headers.h"
#include "cz/util.h"
#include "verify_priv.h"

enum { MAX_HEADERS = 256 };

/* ---- where ------------------------------------------------------------------------------------ */

static bool in_time(const struct verify_pair *p, int64_t ms)
{
    const struct cz_verify_conf *c = p->conf;
    return !p->timestamps || ((c->since_ms < 0 || ms >= c->since_ms) && (c->until_ms < 0 || ms < c->until_ms));
}

static int64_t window_of(const struct verify_pair *p, int64_t ms)
{
    return p->timestamps && ms > 0 ? ms - ms % p->conf->window_ms : 0;
}

/* The partition that a record belongs to, as the workers choose it; -1: it is not to be told. */
static int32_t group_of_source(const struct verify_pair *p, const struct cz_record *r, const struct cz_stage_result *s)
{
    bool same = p->conf->spec->partitioning == CZ_PARTITION_SAME;
    if (!p->by_partition)
        return -1;
    if (!p->target.cluster)
        return r->partition; /* a file keeps it */
    if (s->partition >= 0)
        return s->partition;
    if (p->by_key && !s->key.data)
        return -1;
    if (same && r->partition < p->target.partitions)
        return r->partition;
    return cz_java_partition(s->key.data, s->key.len, p->target.partitions);
}

static int32_t group_of_target(const struct verify_pair *p, const struct cz_record *r)
{
    return p->by_partition && (!p->by_key || r->key.data) ? r->partition : -1;
}

/* ---- what -------------------------------------------------------------------------------------- */

static enum cz_err add_item(struct verify_pair *p, const struct verify_item *item, struct cz_error *err)
{
    const struct verify_window *w =
        verify_sums_find(&p->sums, item->group, window_of(p, item->timestamp_ms));
    if (!w || !verify_window_differs(w))
        return CZ_OK;
    if (p->items.len == CZ_VERIFY_MAX_SUSPECTS)
        return cz_fail(err, CZ_E_LIMIT,
                       "%s: more than %d records in windows that differ; give a shorter time span or window",
                       p->target.topic, CZ_VERIFY_MAX_SUSPECTS);
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

static size_t headers_of(const struct cz_record *r, const struct cz_stage_result *s, struct cz_header *out)
{
    size_t n = 0;
    if (s && s->headers_changed) {
        n = s->headers_len < MAX_HEADERS ? s->headers_len : MAX_HEADERS;
        memcpy(out, s->headers, n * sizeof *out);
    } else if (r->headers) {
        n = r->headers(r, out, MAX_HEADERS);
    }
    return without_provenance(out, n < MAX_HEADERS ? n : MAX_HEADERS);
}

struct content {
    struct verify_content key, value;
    struct cz_header headers[MAX_HEADERS];
    size_t headers_len;
};

/* @s what a record becomes; NULL: it is on the target. */
static enum cz_err content_of(const struct verify_pair *p, const struct cz_record *r,
                              const struct cz_stage_result *s, struct content *ret, bool *ret_lost,
                              struct cz_error *err)
{
    ret->headers_len = headers_of(r, s, ret->headers);
    ret->key = (struct verify_content){.bytes = s ? s->key : r->key};
    ret->value = (struct verify_content){.bytes = s ? s->value : r->value};
    *ret_lost = false;
    if (!p->schemas)
        return CZ_OK;
    enum cz_err code = verify_schemas_look(p->schemas, !s, true, ret->key.bytes, ret->headers, &ret->headers_len,
                                           &ret->key, ret_lost, err);
    if (!code && !*ret_lost)
        code = verify_schemas_look(p->schemas, !s, false, ret->value.bytes, ret->headers, &ret->headers_len,
                                   &ret->value, ret_lost, err);
    return code;
}

static enum cz_err count(struct verify_pair *p, const struct verify_side *side, int32_t part,
                         const struct cz_record *r, const struct content *c, int32_t group,
                         enum verify_class class, struct cz_error *err)
{
    static const struct verify_content none = {0};
    int64_t ms = p->timestamps && r->ts_type != CZ_TS_NONE ? r->timestamp_ms : -1;
    const struct verify_item item = {
        .hash = verify_hash(&c->key, &c->value, ms, c->headers, c->headers_len),
        .name = verify_hash(&c->key, &none, ms, NULL, 0),
        .group = group,
        .partition = part,
        .side = side->number,
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

/* ---- the two sides ------------------------------------------------------------------------------ */

static enum cz_err not_copied(struct verify_pair *p, const struct cz_stage_result *s, const struct cz_error *why,
                              struct cz_error *err)
{
    if (s && s->verdict == CZ_VERDICT_WAIT)
        return cz_fail_flags(err, why->code, why->flags, why->detail, "%s", why->text);
    if (!p->second && s && s->verdict == CZ_VERDICT_DROP)
        p->dropped[s->drop]++;
    else if (!p->second)
        p->errors++;
    return CZ_OK;
}

/* As a replay changes the time of a record of a file. */
static void shift(const struct cz_mapping_spec *spec, struct cz_record *r)
{
    int64_t sum;
    if (r->ts_type != CZ_TS_NONE && !__builtin_add_overflow(r->timestamp_ms, spec->replay_shift_ms, &sum))
        r->timestamp_ms = sum > 0 ? sum : 0;
}

static bool replayed(const struct cz_mapping_spec *spec, const struct cz_record *r)
{
    return r->timestamp_ms >= spec->replay_from_ms && r->timestamp_ms < spec->replay_to_ms;
}

enum cz_err verify_on_source(void *arg, const struct verify_side *side, int32_t part, const struct cz_record *r,
                             bool bad, struct cz_error *err)
{
    struct verify_pair *p = arg;
    const struct cz_verify_conf *c = p->conf;
    struct cz_stage_result s;
    struct cz_error why = CZ_ERROR_INIT;
    struct cz_record as = *r;
    struct content content;
    bool lost;
    as.topic = side->topic;
    as.target = p->target.topic;
    if (!side->cluster) {
        if (!bad && !replayed(c->spec, r))
            return CZ_OK;
        shift(c->spec, &as);
    }
    if (!in_time(p, as.timestamp_ms))
        return CZ_OK;
    if (bad)
        return not_copied(p, NULL, NULL, err);
    cz_stages_run_until(c->stages, p->ctx, &as, c->deadline, c->stop, &s, &why);
    if (s.verdict != CZ_VERDICT_PASS)
        return not_copied(p, &s, &why, err);
    enum cz_err code = content_of(p, &as, &s, &content, &lost, err);
    if (code)
        return code;
    if (lost)
        return not_copied(p, NULL, NULL, err);
    bool pending = r->offset >= side->position[part];
    if (!p->second)
        *(pending ? &p->pending : &p->expected) += 1;
    return count(p, side, part, &as, &content, group_of_source(p, &as, &s),
                 pending ? VERIFY_PENDING : VERIFY_EXPECTED, err);
}

enum cz_err verify_on_target(void *arg, const struct verify_side *side, int32_t part, const struct cz_record *r,
                             bool bad, struct cz_error *err)
{
    struct verify_pair *p = arg;
    struct content content;
    bool lost;
    (void)bad; /* a line that is no record is one too many, by its text */
    if (!in_time(p, r->timestamp_ms))
        return CZ_OK;
    enum cz_err code = content_of(p, r, NULL, &content, &lost, err);
    if (code)
        return code;
    if (!p->second)
        p->arrived++;
    return count(p, side, part, r, &content, group_of_target(p, r), VERIFY_ARRIVED, err);
}
