/* SPDX-License-Identifier: Apache-2.0 */
/* A target after the other: sums of both sides, then the records of the windows whose sums differ.
 * What should have arrived is what the mapping's stages make of the source's records now. */
#include "cz/verify.h"

#include <inttypes.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/replay.h"
#include "cz/util.h"
#include "verify_priv.h"

/* ---- opening ---------------------------------------------------------------------------------- */

static enum cz_err open_sides(struct verify_pair *p, const char *target, struct cz_error *err)
{
    const struct cz_verify_conf *c = p->conf;
    const struct cz_mapping_spec *spec = c->spec;
    enum cz_err code = CZ_OK;
    p->target = (struct verify_side){.cluster = c->target, .admin = c->target_admin, .folder = c->folder};
    p->sources = cz_alloc_array(spec->pairs_len + 1, sizeof *p->sources);
    for (size_t i = 0; !code && i < spec->pairs_len; i++) {
        if (strcmp(spec->pairs[i].target, target) != 0)
            continue;
        struct verify_side *s = &p->sources[p->sources_len];
        *s = (struct verify_side){.cluster = c->source, .admin = c->source_admin, .folder = c->folder,
                                  .number = (uint32_t)p->sources_len++};
        code = verify_side_open(s, spec->pairs[i].source, c->deadline, err);
    }
    return code ? code : verify_side_open(&p->target, target, c->deadline, err);
}

static enum cz_err target_facts(struct verify_pair *p, json_t *report, struct cz_error *err)
{
    const struct cz_verify_conf *c = p->conf;
    CZ_CLEANUP(cz_freep) char *stamps = NULL;
    CZ_CLEANUP(cz_freep) char *cleanup = NULL;
    const char *topic = p->target.topic;
    enum cz_err code = cz_admin_topic_config(c->target_admin, topic, "message.timestamp.type", &stamps, c->deadline, err);
    if (!code)
        code = cz_admin_topic_config(c->target_admin, topic, "cleanup.policy", &cleanup, c->deadline, err);
    if (code)
        return code;
    if (cz_streq(stamps, "LogAppendTime")) {
        p->timestamps = false;
        verify_note(report, "%s has timestamps of its own (LogAppendTime): all of it is one window, and times are "
                    "not compared", topic);
    }
    if (cleanup && strstr(cleanup, "compact"))
        verify_note(report, "%s is compacted: what is missing may have been compacted away", topic);
    return CZ_OK;
}

/* Where the records of both sides can be told by their partitions. */
static void choose_groups(struct verify_pair *p)
{
    const struct cz_mapping_spec *spec = p->conf->spec;
    bool file = !p->target.cluster;
    p->by_key = !file && spec->partitioning == CZ_PARTITION_KEY;
    for (size_t i = 0; i < p->sources_len && !file; i++) {
        const struct verify_side *s = &p->sources[i];
        int32_t most = s->cluster ? s->partitions : s->widest + 1;
        p->by_key |= most > p->target.partitions;
    }
    p->by_partition = file || spec->partitioning != CZ_PARTITION_ROUND_ROBIN;
    if (p->by_key && spec->copy_key_schemas)
        p->by_partition = false; /* the key's bytes hold an id that only the target's registry knows */
}

/* ---- bounds ------------------------------------------------------------------------------------ */

static enum cz_err limits(struct verify_pair *p, struct cz_error *err)
{
    int64_t most = p->conf->max_records;
    for (size_t i = 0; i <= p->sources_len; i++) {
        const struct verify_side *s = i < p->sources_len ? &p->sources[i] : &p->target;
        int64_t n = verify_side_count(s);
        if (n > most)
            return cz_fail(err, CZ_E_LIMIT, "%s: %" PRId64 " records, more than %" PRId64
                           ": give a shorter time span, or allow more", s->topic, n, most);
    }
    return CZ_OK;
}

static enum cz_err end_of(struct verify_pair *p, struct verify_side *s, bool read_committed, struct cz_error *err)
{
    const struct cz_verify_conf *c = p->conf;
    return s->cluster ? verify_side_ask(s, CZ_OFFSET_LATEST, read_committed, s->end, c->deadline, err)
                      : verify_file_measure(s, c, err);
}

static enum cz_err begin_of(struct verify_pair *p, struct verify_side *s, bool read_committed, struct cz_error *err)
{
    const struct cz_verify_conf *c = p->conf;
    int64_t since = p->timestamps && c->since_ms >= 0 ? c->since_ms : CZ_OFFSET_EARLIEST;
    return s->cluster ? verify_side_ask(s, since, read_committed, s->begin, c->deadline, err) : CZ_OK;
}

/* Positions, the target's ends, the sources' ends: in this order, see the header. */
static enum cz_err bounds(struct verify_pair *p, json_t *report, struct cz_error *err)
{
    const struct cz_verify_conf *c = p->conf;
    bool committed = c->spec->read_committed;
    for (size_t k = 0; k < p->sources_len; k++) {
        for (int32_t i = 0; i < p->sources[k].partitions; i++)
            p->sources[k].position[i] = c->position(c->arg, p->sources[k].topic, i);
    }
    struct cz_error why = CZ_ERROR_INIT;
    enum cz_err code = end_of(p, &p->target, true, &why);
    if (code == CZ_E_NOT_FOUND && !p->target.cluster) { /* the first record makes the file */
        verify_note(report, "there is no file %s.json", p->target.topic);
        code = CZ_OK;
    } else if (code) {
        return cz_fail_flags(err, why.code, why.flags, why.detail, "%s", why.text);
    }
    for (size_t k = 0; !code && k < p->sources_len; k++)
        code = end_of(p, &p->sources[k], committed, err);
    for (size_t k = 0; !code && k < p->sources_len; k++) {
        if (!p->sources[k].untimed || !p->timestamps)
            continue;
        p->timestamps = false;
        verify_note(report, "%s has records without a time, which get one when they are sent: all of it is one "
                    "window, and times are not compared", p->sources[k].topic);
    }
    for (size_t k = 0; !code && k < p->sources_len; k++)
        code = begin_of(p, &p->sources[k], committed, err);
    if (!code)
        code = begin_of(p, &p->target, true, err);
    return code ? code : limits(p, err);
}

/* ---- a pair ------------------------------------------------------------------------------------ */

static bool any_differs(const struct verify_pair *p)
{
    for (size_t i = 0; i < p->sums.len; i++) {
        if (verify_window_differs(&p->sums.items[i]))
            return true;
    }
    return false;
}

static enum cz_err read_both(struct verify_pair *p, struct cz_error *err)
{
    enum cz_err code = CZ_OK;
    for (size_t i = 0; !code && i < p->sources_len; i++)
        code = verify_scan(&p->sources[i], p->conf, verify_on_source, p, err);
    return code ? code : verify_scan(&p->target, p->conf, verify_on_target, p, err);
}

static void close_pair(struct verify_pair *p)
{
    for (size_t i = 0; i < p->sources_len; i++)
        verify_side_done(&p->sources[i]);
    cz_free(p->sources);
    verify_side_done(&p->target);
    verify_sums_done(&p->sums);
    verify_schemas_free(p->schemas);
    cz_stage_ctx_free(p->ctx);
    cz_free(p->items.items);
}

static enum cz_err one_pair(struct verify_pair *p, const char *target, json_t *report, struct verify_totals *t,
                            struct cz_error *err)
{
    verify_sums_init(&p->sums);
    p->ctx = cz_stage_ctx_new();
    p->schemas = verify_schemas_new(p->conf);
    p->timestamps = !p->conf->spec->source_file || p->conf->spec->replay_shift != CZ_SHIFT_NOW;
    enum cz_err code = open_sides(p, target, err);
    if (!code && p->target.cluster)
        code = target_facts(p, report, err);
    if (!code)
        code = bounds(p, report, err);
    choose_groups(p);
    if (!code)
        code = read_both(p, err);
    p->second = true;
    if (!code && any_differs(p))
        code = read_both(p, err);
    if (!code)
        verify_report_add(report, t, p);
    return code;
}

/* Is @i the first of its target? */
static bool first_of_target(const struct cz_mapping_spec *spec, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (strcmp(spec->pairs[k].target, spec->pairs[i].target) == 0)
            return false;
    }
    return true;
}

enum cz_err cz_verify(const struct cz_verify_conf *conf, json_t **ret, struct cz_error *err)
{
    const struct cz_mapping_spec *spec = conf->spec;
    struct verify_totals t = {0};
    enum cz_err code = CZ_OK;
    if (spec->source_file && spec->replay_loop)
        return cz_fail(err, CZ_E_CONFLICT, "a replay that loops never ends, so it cannot be told what should be there");
    json_t *report = verify_report_new();
    if (spec->source_file && spec->replay_shift == CZ_SHIFT_NOW)
        verify_note(report, "replay.shift: now: all of it is one window, and times are not compared");
    for (size_t i = 0; !code && i < spec->pairs_len; i++) {
        struct verify_pair p = {.conf = conf};
        if (!first_of_target(spec, i))
            continue;
        code = one_pair(&p, spec->pairs[i].target, report, &t, err);
        close_pair(&p);
    }
    if (code) {
        json_decref(report);
        return code;
    }
    verify_report_end(report, &t, conf->others);
    *ret = report;
    return CZ_OK;
}
