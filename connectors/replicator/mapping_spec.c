/* SPDX-License-Identifier: Apache-2.0 */
/** From the rows' raw struct to a struct cz_mapping_spec: what no single row can check (pairs
 *  against ends, loops on one cluster, things said twice), and the resolved form that workers
 *  read. */
#include "cz/mapping_spec.h"

#include <math.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/buf.h"
#include "cz/file_record.h"
#include "cz/json.h"
#include "cz/limits.h"
#include "cz/map.h"
#include "cz/topic_pattern.h"
#include "cz/util.h"
#include "mapping_priv.h"

#define TEMPLATE_MARK "{{topic}}"

struct check {
    struct cz_report *rep;
    const char *pointer; /* of the spec */
    const struct cz__raw *raw;
};

static enum cz_err
problem(const struct check *c, const char *below, const char *code, const char *text)
{
    CZ_CLEANUP(cz_freep) char *at = cz_strf("%s%s", c->pointer, below);
    return cz_report_add(c->rep, at, code, "%s", text);
}

static enum cz_err problem_pair(const struct check *c,
                                bool listed,
                                size_t i,
                                bool target,
                                const char *code,
                                const char *text)
{
    const char *member = target ? "target" : "source";
    bool file = (target ? c->raw->target.file : c->raw->source.file) != NULL;
    CZ_CLEANUP(cz_freep)
    char *at = listed ? cz_strf("%s/topics/%zu/%s", c->pointer, i, member)
                      : cz_strf("%s/%s/%s", c->pointer, member, file ? "file" : "topic");
    return cz_report_add(c->rep, at, code, "%s", text);
}

char *cz_mapping_topic_map(const struct cz_mapping_spec *s, const char *topic)
{
    if (!s->value_map_ref || !strstr(s->value_map_ref, TEMPLATE_MARK))
        return NULL;
    return cz_topic_template(s->value_map_ref, topic);
}

/** The name of an end as written, or its template: a topic's or a file's. */
static const char *end_name(const struct cz__end *e)
{
    return e->file ? e->file : e->topic;
}

static void free_pairs(struct cz_mapping_spec *s)
{
    for (size_t i = 0; i < s->pairs_len; i++) {
        cz_free(s->pairs[i].source);
        cz_free(s->pairs[i].target);
    }
    cz_free(s->pairs);
    s->pairs = NULL;
    s->pairs_len = 0;
}

static void collect_pairs(const struct check *c, struct cz_mapping_spec *s)
{
    const struct cz__raw *raw = c->raw;
    const char *target = end_name(&raw->target);
    if (raw->source.pattern)
        return; /* check_pattern() */
    if (raw->pairs.len == 0) {
        if (!raw->source.topic && raw->source.cluster)
            problem(c, "/source/topic", "required",
                    "a topic is required here, or a list in topics");
        const char *source = end_name(&raw->source);
        s->pairs = cz_alloc_array(1, sizeof *s->pairs);
        s->pairs[0].source = cz_strdup(source ? source : "");
        s->pairs[0].target = cz_topic_template(target, s->pairs[0].source);
        s->pairs_len = 1;
        return;
    }
    if (raw->source.topic)
        problem(c, "/source/topic", "both", "give either topics or source.topic, not both");
    if (raw->source.file && !cz_streq(raw->source.file, TEMPLATE_MARK))
        problem(c, "/source/file", "both", "beside topics only {{topic}} makes sense");
    if (target && !strstr(target, TEMPLATE_MARK))
        problem(c, raw->target.file ? "/target/file" : "/target/topic", "both",
                "beside topics only a template with {{topic}} makes sense");
    s->pairs = cz_alloc_array(raw->pairs.len, sizeof *s->pairs);
    for (size_t i = 0; i < raw->pairs.len; i++) {
        const struct cz_topic_pair *p = &raw->pairs.items[i];
        s->pairs[i].source = cz_strdup(p->source);
        s->pairs[i].target = cz_topic_template(p->target ? p->target : target, p->source);
    }
    s->pairs_len = raw->pairs.len;
}

static void check_file_name(const struct check *c, bool listed, size_t i, bool target, const char *name)
{
    struct cz_error err = CZ_ERROR_INIT;
    if (*name && !strstr(name, "{{") && cz_file_name_check(name, &err))
        problem_pair(c, listed, i, target, "file-name", err.text);
}

/** No source twice, target names possible, and no target that is read by this mapping itself.
 */
static void check_pairs(const struct check *c, const struct cz_mapping_spec *s)
{
    bool listed = c->raw->pairs.len > 0;
    bool one_cluster = s->source_cluster && cz_streq(s->source_cluster, s->target_cluster);
    struct cz_map seen = CZ_MAP_INIT(NULL);
    static char mark;
    for (size_t i = 0; i < s->pairs_len; i++) {
        const char *source = s->pairs[i].source;
        if (*source && cz_map_get(&seen, source))
            problem_pair(c, listed, i, false, "duplicate", "this source topic is listed twice");
        cz_map_put(&seen, source, &mark);
        if (s->source_file)
            check_file_name(c, listed, i, false, source);
        if (s->target_file)
            check_file_name(c, listed, i, true, s->pairs[i].target);
    }
    for (size_t i = 0; i < s->pairs_len; i++) {
        const char *target = s->pairs[i].target, *why;
        if (strstr(target, "{{"))
            problem_pair(c, listed, i, true, "topic-name",
                         "the only variable here is {{topic}}");
        else if (c->rep->len == 0 && !s->target_file && !cz__topic_name_ok(target, &why))
            problem_pair(c, listed, i, true, "topic-name", why);
        if (one_cluster && *target && cz_map_get(&seen, target))
            problem_pair(c, listed, i, true, "loop",
                         "this mapping reads that topic on the same cluster: records would go "
                         "round for ever");
    }
    bool letters_here = one_cluster || (s->target_file && s->source_cluster);
    if (letters_here && s->dead_letter_topic && cz_map_get(&seen, s->dead_letter_topic))
        problem(c, "/on_error/dead_letter", "loop",
                "this mapping reads that topic on the same cluster");
    cz_map_done(&seen);
}

/** In units, so that shares that meet leave no gap and share no entity. */
static uint32_t sample_units(double percent)
{
    return percent >= 0 && percent <= 100 ? (uint32_t)lround(percent * CZ__UNITS_PER_PERCENT)
                                          : 0;
}

static void check_rest(const struct check *c, const struct cz_mapping_spec *s)
{
    if (c->raw->target.topic && c->raw->target.cluster && !*c->raw->target.topic)
        problem(c, "/target/topic", "topic-name", "a topic name cannot be empty");
    if (s->sample_to > sample_units(100))
        problem(c, "/sample/percent", "range", "from and percent together must be at most 100");
    if (s->start == CZ_START_OFFSETS && s->pairs_len > 1)
        problem(c, "/start/offsets", "value",
                "offsets can be given for one topic only, not for a list");
    if (s->end == CZ_END_OFFSETS && s->pairs_len > 1)
        problem(c, "/end/offsets", "value", "offsets can be given for one topic only, not for a list");
    if (s->key_format == CZ_FORMAT_RAW && s->value_format == CZ_FORMAT_RAW && s->validate_full)
        problem(c, "/validate", "value",
                "nothing can be validated when key_format and value_format are raw");
}

static void check_offset_map(const struct check *c, const struct cz_mapping_spec *s)
{
    if (s->offset_map && (s->source_file || s->target_file))
        problem(c, "/offset_map", "value", "a file has no offsets to translate");
    else if (s->offset_map && s->partitioning != CZ_PARTITION_SAME)
        problem(c, "/offset_map", "value",
                "offsets can be translated only where a partition is copied to one partition: "
                "partitioning same");
}

static void check_topic_acls(const struct check *c)
{
    if (c->raw->topic_acls && c->raw->topic_policy != 2)
        problem(c, "/topic_acls", "value", "topics follow their source with topic_policy sync only");
    else if (c->raw->topic_acls && (c->raw->source.file || c->raw->target.file))
        problem(c, "/topic_acls", "value", "a file has no ACLs");
}

static void check_group_sync(const struct check *c, const struct cz_mapping_spec *s)
{
    if (json_array_size(c->raw->group_sync.groups) > 0 && !s->offset_map)
        problem(c, "/group_sync", "value", "positions are translated by the offset map: set offset_map");
}

static void check_pattern_target(const struct check *c, const struct cz_mapping_spec *s)
{
    const struct cz__raw *raw = c->raw;
    const char *at = raw->target.file ? "/target/file" : "/target/topic", *why;
    struct cz_error err = CZ_ERROR_INIT;
    CZ_CLEANUP(cz_freep) char *sample = cz_topic_template(end_name(&raw->target), "t");
    if (strstr(sample, "{{"))
        problem(c, at, raw->target.file ? "file-name" : "topic-name", "the only variable here is {{topic}}");
    else if (raw->target.file && !strstr(raw->target.file, TEMPLATE_MARK))
        problem(c, at, "file-name", "each topic has a file of its own: the name must contain {{topic}}");
    else if (raw->target.file && cz_file_name_check(sample, &err))
        problem(c, at, "file-name", err.text);
    else if (!raw->target.file && !cz__topic_name_ok(sample, &why))
        problem(c, at, "topic-name", why);
    else if (cz_streq(sample, "t") && cz_streq(s->source_cluster, s->target_cluster))
        problem(c, at, "loop", "each topic would be copied to itself: records would go round for ever");
}

/** The topics of a pattern are known to the scheduler only; see cz_mapping_spec_set_topics(). */
static void check_pattern(const struct check *c, struct cz_mapping_spec *s)
{
    const struct cz__raw *raw = c->raw;
    if (!raw->source.pattern) {
        if (json_array_size(raw->source.exclude) > 0)
            problem(c, "/source/exclude", "value", "only a pattern leaves topics out");
        return;
    }
    if (raw->source.topic || raw->source.file || raw->pairs.len > 0)
        problem(c, "/source/pattern", "both", "give either a pattern or topics, not both");
    check_pattern_target(c, s);
    if (s->start == CZ_START_OFFSETS)
        problem(c, "/start/offsets", "value", "offsets can be given for one topic only");
    if (s->end == CZ_END_OFFSETS)
        problem(c, "/end/offsets", "value", "offsets can be given for one topic only");
    if (s->value_map_ref && strstr(s->value_map_ref, TEMPLATE_MARK))
        problem(c, "/value_map", "value", "with a pattern one value map serves all topics");
    s->source_pattern = cz_strdup(raw->source.pattern);
    s->source_exclude = json_incref(raw->source.exclude);
    s->target_template = cz_strdup(end_name(&raw->target));
}

const char *cz_mapping_letters_cluster(const struct cz_mapping_spec *s)
{
    return s->target_cluster ? s->target_cluster : s->source_cluster;
}

void cz_mapping_spec_set_topics(struct cz_mapping_spec *s, const char *const *topics, size_t n)
{
    free_pairs(s);
    s->pairs = cz_alloc_array(n + 1, sizeof *s->pairs);
    for (size_t i = 0; i < n; i++) {
        s->pairs[i].source = cz_strdup(topics[i]);
        s->pairs[i].target = cz_topic_template(s->target_template, topics[i]);
    }
    s->pairs_len = n;
}

static void check_service_group(const struct check *c, const struct cz_mapping_spec *s)
{
    if (s->service_group && cz_streq(s->source_cluster, s->target_cluster) &&
        cz_streq(s->service_group, s->consumer_group))
        problem(c, "/target_service_consumer_group", "value",
                "this is the mapping's own consumer_group: its positions would be deleted");
}

static void check_delivery(const struct check *c, const struct cz_mapping_spec *s)
{
    if (s->exactly_once && !s->read_committed)
        problem(c, "/isolation", "value", "exactly_once reads only what is committed: read_committed");
}

/** Without a place to keep them, a restart would choose other ends, and begin again. */
static void check_end(const struct check *c, const struct cz_mapping_spec *s)
{
    bool kept = s->exactly_once || !s->consumer_group || *s->consumer_group;
    if (s->end != CZ_END_NONE && !kept)
        problem(c, "/end", "value",
                "a copy that ends needs a consumer_group, or delivery exactly_once, to know what is "
                "done");
    if (s->end == CZ_END_TIMESTAMP && s->start == CZ_START_TIMESTAMP && s->end_ms <= s->start_ms)
        problem(c, "/end/timestamp", "range", "must be after start.timestamp");
}

/** One end: a cluster (and its topics) or a file. */
static void check_side(const struct check *c, const struct cz__end *e, bool target)
{
    const char *end = target ? "target" : "source";
    CZ_CLEANUP(cz_freep) char *cluster = cz_strf("/%s/cluster", end);
    CZ_CLEANUP(cz_freep) char *topic = cz_strf("/%s/topic", end);
    if (!e->cluster && !e->file)
        problem(c, cluster, "required", "a cluster is required here, or a file");
    if (e->cluster && e->file)
        problem(c, cluster, "both", "give either a cluster or a file, not both");
    if (e->topic && e->file)
        problem(c, topic, "both", "give either a topic or a file, not both");
    if (target && !e->file && e->packing != 0)
        problem(c, "/target/compression", "value", "this is for files; see producer.compression");
    if (target && !e->file && (e->rotate.bytes > 0 || e->rotate.seconds > 0))
        problem(c, "/target/rotate", "value", "only a file can be rotated");
}

/** A file has no offsets of Kafka's, no latest, no group. */
static void check_source_file(const struct check *c, const struct cz_mapping_spec *s)
{
    if (s->start != CZ_START_COMMITTED && s->start != CZ_START_EARLIEST)
        problem(c, "/start", "value", "a file is read from its beginning; for a part of it see replay.from");
    if (s->end != CZ_END_NONE)
        problem(c, "/end", "value", "a file ends by itself; for a part of it see replay.to");
    if (s->on_change == CZ_ON_CHANGE_LATEST)
        problem(c, "/on_change/offset", "value", "a file has no latest: keep, or earliest to replay it again");
    if (s->consumer_group && *s->consumer_group)
        problem(c, "/consumer_group", "value", "a file has no consumer group");
    if (s->create_topics)
        problem(c, "/topic_policy", "value", "there is no source topic to create the target like");
    if (s->replay_from_ms >= s->replay_to_ms)
        problem(c, "/replay/to", "range", "must be after replay.from");
}

static void check_replay(const struct check *c, const struct cz_mapping_spec *s)
{
    bool usual = !(s->replay_speed < 1) && !(s->replay_speed > 1) && !s->replay_loop && s->replay_shift == 0 &&
                 s->replay_from_ms == INT64_MIN && s->replay_to_ms == INT64_MAX;
    if (s->source_file)
        check_source_file(c, s);
    else if (!usual)
        problem(c, "/replay", "value", "only files are replayed; for a part of a topic see start and end");
}

static void check_files(const struct check *c, const struct cz_mapping_spec *s)
{
    check_side(c, &c->raw->source, false);
    check_side(c, &c->raw->target, true);
    check_replay(c, s);
    if (!s->source_file && !s->target_file)
        return;
    if (s->source_file && s->target_file)
        problem(c, "/target/file", "value", "source and target cannot both be files");
    if (s->tasks > 1)
        problem(c, "/tasks", "value", "a file is read or written by one task");
    if (s->target_file && s->service_group)
        problem(c, "/target_service_consumer_group", "value", "a file as target has no consumer groups");
}

static char *take(char **p)
{
    char *v = *p;
    *p = NULL;
    return v;
}

/** Moves what it can out of @raw. */
static struct cz_mapping_spec *from_raw(struct cz__raw *raw, const struct check *c)
{
    struct cz_mapping_spec *s = cz_alloc(sizeof *s);
    s->enabled = raw->enabled;
    collect_pairs(c, s);
    s->source_file = raw->source.file != NULL;
    s->target_file = raw->target.file != NULL;
    s->target_packing = raw->target.packing;
    s->rotate_bytes = raw->target.rotate.bytes;
    s->rotate_ms = raw->target.rotate.seconds * 1000;
    s->replay_speed = raw->replay.speed;
    s->replay_loop = raw->replay.loop;
    s->replay_shift = raw->replay.shift.how;
    s->replay_shift_ms = raw->replay.shift.ms;
    s->replay_from_ms = raw->replay.from.given ? raw->replay.from.ms : INT64_MIN;
    s->replay_to_ms = raw->replay.to.given ? raw->replay.to.ms : INT64_MAX;
    s->source_cluster = cz_strdup(raw->source.cluster);
    s->target_cluster = cz_strdup(raw->target.cluster);
    s->start = raw->start.how;
    s->start_ms = raw->start.ms;
    s->start_offsets = json_incref(raw->start.offsets);
    s->end = raw->end.how;
    s->end_ms = raw->end.ms;
    s->end_offsets = json_incref(raw->end.offsets);
    s->on_change = (enum cz_on_change)raw->on_change.offset;
    if (raw->consumer_group && !cz_streq(raw->consumer_group, "default"))
        s->consumer_group = take(&raw->consumer_group);
    s->service_group = take(&raw->service_group);
    s->offset_map = raw->offset_map;
    s->read_committed = raw->isolation == 0;
    s->exactly_once = raw->delivery == 1;
    s->commit_interval_ms = raw->commit_interval_ms;
    s->verify_seconds = raw->verify_seconds;
    s->key_format = (enum cz_format)raw->key_format;
    s->value_format = (enum cz_format)raw->value_format;
    s->validate_full = raw->validate == 1;
    s->copy_value_schemas = raw->schemas.copy == 1 || raw->schemas.copy == 3;
    s->copy_key_schemas = raw->schemas.copy >= 2;
    s->subjects = (enum cz_subjects)raw->schemas.subjects;
    s->filter = take(&raw->filter);
    s->transform = take(&raw->transform);
    s->sample_from = sample_units(raw->sample.from);
    s->sample_to = s->sample_from + sample_units(raw->sample.percent);
    if (s->sample_from > 0 || s->sample_to != sample_units(100)) { /* else all pass: no stage */
        s->sample_by = take(&raw->sample.by);
        s->sample_salt = take(&raw->sample.salt);
    }
    s->value_map_ref = take(&raw->value_map.ref);
    s->value_map = json_incref(raw->value_map.map);
    s->headers_add = json_incref(raw->headers.add);
    s->headers_remove = json_incref(raw->headers.remove);
    s->headers_rename = json_incref(raw->headers.rename);
    s->provenance = raw->headers.provenance;
    s->mask = json_incref(raw->mask);
    s->tests = json_incref(raw->tests);
    s->mask_secret = take(&raw->mask_secret);
    s->partitioning = (enum cz_partitioning)raw->partitioning;
    s->create_topics = raw->topic_policy >= 1;
    s->on_error = raw->on_error.how;
    s->dead_letter_topic = take(&raw->on_error.topic);
    s->on_gap = (enum cz_on_gap)raw->on_gap;
    s->rate.cap = raw->rate.cap;
    s->rate.burst_s = raw->rate.burst_s;
    memcpy(s->rate.windows, raw->rate.windows.items, sizeof s->rate.windows);
    s->rate.windows_len = raw->rate.windows.len;
    s->tasks = raw->tasks;
    s->compression = cz_strdup(cz__compressions[raw->producer.compression]);
    s->linger_ms = raw->producer.linger_ms;
    return s;
}

enum cz_err cz_mapping_spec_parse(const json_t *spec,
                                  const char *pointer,
                                  struct cz_mapping_spec **ret,
                                  struct cz_report *rep)
{
    struct cz__raw raw = {0};
    struct cz_report mine = CZ_REPORT_INIT; /* this spec's own problems, in order */
    struct check c = {.rep = &mine, .pointer = pointer, .raw = &raw};
    struct cz_mapping_spec *s = NULL;
    (void)cz_cfg_parse_json(cz_mapping_table, spec, &raw, pointer, &mine);
    if (json_is_object(spec)) {
        s = from_raw(&raw, &c);
        check_pairs(&c, s);
        check_rest(&c, s);
        check_files(&c, s);
        check_pattern(&c, s);
        check_delivery(&c, s);
        check_service_group(&c, s);
        check_offset_map(&c, s);
        check_group_sync(&c, s);
        check_topic_acls(&c);
        check_end(&c, s);
        cz__check_masks_of(s, pointer, &mine);
    }
    cz_cfg_done(cz_mapping_table, &raw);
    for (size_t i = 0; i < mine.len; i++)
        (void)cz_report_add(rep, mine.items[i].pointer, mine.items[i].code, "%s",
                            mine.items[i].message);
    rep->truncated |= mine.truncated;
    bool ok = s && cz_report_ok(&mine);
    cz_report_done(&mine);
    if (!ok) {
        cz_mapping_spec_free(s);
        return CZ_E_INVALID;
    }
    *ret = s;
    return CZ_OK;
}

void cz_mapping_spec_free(struct cz_mapping_spec *s)
{
    if (!s)
        return;
    cz_free(s->source_cluster);
    cz_free(s->target_cluster);
    free_pairs(s);
    cz_free(s->source_pattern);
    json_decref(s->source_exclude);
    cz_free(s->target_template);
    json_decref(s->start_offsets);
    json_decref(s->end_offsets);
    cz_free(s->consumer_group);
    cz_free(s->service_group);
    cz_free(s->filter);
    cz_free(s->transform);
    cz_free(s->sample_by);
    cz_free(s->sample_salt);
    cz_free(s->value_map_ref);
    json_decref(s->value_map);
    json_decref(s->mask);
    json_decref(s->tests);
    json_decref(s->headers_add);
    json_decref(s->headers_remove);
    json_decref(s->headers_rename);
    cz_free(s->mask_secret);
    cz_free(s->dead_letter_topic);
    cz_free(s->compression);
    cz_free(s);
}

/* ---- resolved -----------------------------------------------------------------------------
 */

char *cz_mapping_default_group(const char *team, const char *name)
{
    struct cz_buf b = CZ_BUF_INIT(2 * CZ_MAX_NAME + 64);
    bool changed = false;
    cz_buf_adds(&b, "citizenk.");
    for (const char *p = team; *p; p++) {
        /* Kafka bears any character; but "a.b" with "c" and "a" with "b.c" must not be one
         * group. */
        changed |= *p == '.';
        cz_buf_addc(&b, *p == '.' ? '_' : *p);
    }
    cz_buf_addf(&b, ".%s", name);
    if (changed) {
        char hex[65];
        CZ_CLEANUP(cz_freep) char *both = cz_strf("%s/%s", team, name);
        cz_buf_addf(&b, "-%.12s", cz_sha256_hex(both, strlen(both), hex));
    }
    return cz_buf_steal(&b);
}

static json_t *resolved_pairs(const struct cz_mapping_spec *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->pairs_len; i++)
        (void)json_array_append_new(list, json_pack("{s:s,s:s}", "source", s->pairs[i].source,
                                                    "target", s->pairs[i].target));
    return list;
}

static void resolve_end(json_t *out, const char *end, const char *cluster)
{
    json_t *file = json_object_get(out, end);
    if (cluster) {
        (void)json_object_set_new(out, end, json_pack("{s:s}", "cluster", cluster));
        return;
    }
    json_t *o = json_pack("{s:s}", "file", TEMPLATE_MARK); /* the names are in `topics` */
    static const char *const kept[] = {"compression", "rotate"};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        json_t *v = json_object_get(file, kept[i]);
        if (v)
            (void)json_object_set(o, kept[i], v);
    }
    (void)json_object_set_new(out, end, o);
}

static void resolve_pattern(json_t *out, const struct cz_mapping_spec *s)
{
    json_t *source = json_object_get(out, "source");
    cz_json_set_str(source, "pattern", s->source_pattern);
    if (json_array_size(s->source_exclude) > 0)
        (void)json_object_set(source, "exclude", s->source_exclude);
    cz_json_set_str(json_object_get(out, "target"), s->target_file ? "file" : "topic", s->target_template);
    (void)json_object_del(out, "topics");
}

json_t *cz_mapping_spec_resolve(const struct cz_mapping_spec *s,
                                const json_t *spec,
                                const char *team,
                                const char *name,
                                const json_t *value_map)
{
    json_t *out = cz_cfg_with_defaults(cz_mapping_table, spec);
    for (const struct cz_cfg_key *row = cz_mapping_table; row->name; row++) {
        if (row->flags & CZ_CFG_LATER) /* at its default, or it would have been refused */
            (void)json_object_del(out, row->name);
    }
    (void)json_object_del(out, "tests"); /* were run when it was saved */
    resolve_end(out, "source", s->source_cluster);
    resolve_end(out, "target", s->target_cluster);
    if (s->source_pattern)
        resolve_pattern(out, s);
    else
        (void)json_object_set_new(out, "topics", resolved_pairs(s));
    CZ_CLEANUP(cz_freep)
    char *group = s->source_file      ? cz_strdup("")
                  : s->consumer_group ? cz_strdup(s->consumer_group)
                                      : cz_mapping_default_group(team, name);
    (void)json_object_set_new(out, "consumer_group", json_string(group));
    const json_t *map = s->value_map_ref ? value_map : s->value_map;
    if (map)
        (void)json_object_set_new(out, "value_map", json_deep_copy(map));
    else
        (void)json_object_del(out, "value_map");
    return out;
}
