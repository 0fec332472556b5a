/* SPDX-License-Identifier: Apache-2.0 */
/* Starting a task: what may block is done here, on a few starter threads, never on the herder's.
 * Target metadata first, then the positions (start_places.c). */
#include <string.h>

#include "cz/alloc.h"
#include "cz/log.h"
#include "cz/offset_map.h"
#include "cz/util.h"
#include "worker_priv.h"

enum { ADMIN_MS = 5000, SYNC_MS = 1000, REFRESH_WAIT_MS = 2000 };
enum { BATCH_BYTES = 1000000, BATCH_HEAD = 512 };

/* ---- target --------------------------------------------------------------------------------- */

const char *w_target_of(const struct cz_mapping_spec *s, const char *source)
{
    for (size_t i = 0; i < s->pairs_len; i++) {
        if (strcmp(s->pairs[i].source, source) == 0)
            return s->pairs[i].target;
    }
    return NULL;
}

static enum cz_err topic_ready(const struct cz_topic_info *info, struct cz_error *err)
{
    if (info->code == CZ_E_NOT_FOUND || (!info->code && info->partitions == 0))
        return cz_fail_flags(err, CZ_E_NOT_FOUND, CZ_ERR_RETRIABLE, 0,
                             "target topic %s does not exist", info->name);
    if (info->code)
        return cz_fail_flags(err, info->code, CZ_ERR_RETRIABLE, 0, "target topic %s: %s", info->name,
                             cz_err_slug(info->code));
    return CZ_OK;
}

enum { MAX_BYTES, POLICY, TIMESTAMPS, MAX_BEFORE, MAX_AFTER, MAX_DIFFERENCE, N_VALUES };

/* How far from now a record's own time may be; 0: as far as it likes.  Before Kafka 3.6 one value is for both. */
static int64_t max_distance(char *const *values, int which)
{
    int64_t ms = 0;
    if (!values[which])
        which = MAX_DIFFERENCE;
    bool own = values[TIMESTAMPS] && strcmp(values[TIMESTAMPS], "CreateTime") == 0;
    return own && values[which] && cz_parse_i64(values[which], &ms) && ms > 0 && ms < INT64_MAX ? ms : 0;
}

/* A target refuses a whole batch for being too large, and the records in it with it, which it would
 * have taken one by one.  So batches stay below the smallest limit; in a few sizes, so that mappings
 * go on sharing producers.  A cluster that does not tell has the usual limit.  And it refuses a batch for one
 * record that breaks its rules: the producer has to know them.  @first the place of the first one's rules */
static void fit_batches(struct w_start *s, struct cz_admin *admin, const char *const *names, size_t first, size_t n)
{
    static const char *const keys[N_VALUES] = {
        [MAX_BYTES] = "max.message.bytes",
        [POLICY] = "cleanup.policy",
        [TIMESTAMPS] = "message.timestamp.type",
        [MAX_BEFORE] = "message.timestamp.before.max.ms",
        [MAX_AFTER] = "message.timestamp.after.max.ms",
        [MAX_DIFFERENCE] = "message.timestamp.difference.max.ms",
    };
    int64_t limit = INT64_MAX;
    s->rules = cz_alloc_array(s->spec->pairs_len + 1, sizeof *s->rules);
    for (size_t i = 0; i < n; i++) {
        struct cz_error err = CZ_ERROR_INIT;
        char *values[N_VALUES] = {0};
        int64_t bytes;
        if (cz_admin_topic_values(admin, names[i], keys, N_VALUES, values, cz_deadline_ms(ADMIN_MS), &err))
            continue;
        if (values[MAX_BYTES] && cz_parse_i64(values[MAX_BYTES], &bytes) && bytes < limit)
            limit = bytes;
        s->rules[first + i] = (struct cz_topic_rules){
            .compacted = values[POLICY] && strstr(values[POLICY], "compact"),
            .max_before_ms = max_distance(values, MAX_BEFORE),
            .max_after_ms = max_distance(values, MAX_AFTER)};
        for (size_t k = 0; k < N_VALUES; k++)
            cz_free(values[k]);
    }
    s->batch_bytes = BATCH_BYTES;
    if (limit - BATCH_HEAD >= BATCH_BYTES)
        return;
    s->batch_bytes = 1 << 19;
    while (s->batch_bytes > 1 && s->batch_bytes > limit - BATCH_HEAD)
        s->batch_bytes /= 2;
}

/* Partition counts of the target topics, by pair; the dead-letter topic must be there as well. */
static enum cz_err ask_targets(struct worker *w, struct w_start *s, int32_t *counts, struct cz_error *err)
{
    const struct cz_mapping_spec *spec = s->spec;
    struct cz_admin *admin = NULL;
    enum cz_err code = w_admin(w, s->target, &admin, err);
    if (code)
        return code;
    size_t n = spec->pairs_len + (spec->dead_letter_topic ? 1 : 0);
    const char **names = cz_alloc_array(n, sizeof *names);
    for (size_t i = 0; i < spec->pairs_len; i++)
        names[i] = spec->pairs[i].target;
    if (spec->dead_letter_topic)
        names[n - 1] = spec->dead_letter_topic;
    struct cz_topic_info *infos = NULL;
    code = cz_admin_topics(admin, names, n, cz_deadline_ms(ADMIN_MS), &infos, err);
    if (code)
        w_cluster_down(w, s->target);
    for (size_t i = 0; !code && i < n; i++) {
        code = topic_ready(&infos[i], err);
        if (!code && i < spec->pairs_len)
            counts[i] = infos[i].partitions;
    }
    if (infos)
        cz_topic_infos_free(infos, n);
    if (!code)
        fit_batches(s, admin, names, 0, n);
    cz_free(names);
    return code;
}

/* ---- the job -------------------------------------------------------------------------------- */

/* The producer refuses partitions that it has not heard of, so its own knowledge counts; it is asked
 * again when it differs from what the cluster just said. */
static enum cz_err know_partitions(struct w_start *s, struct cz_producer_topic *target, const char *source,
                                   const int32_t *counts, bool *refreshed, struct cz_error *err)
{
    size_t k = 0;
    while (strcmp(s->spec->pairs[k].source, source) != 0)
        k++;
    cz_producer_topic_rules(target, &s->rules[k]);
    cz_producer_topic_expect(target, counts[k]);
    if (*refreshed || cz_producer_topic_partitions(target) == counts[k])
        return CZ_OK;
    *refreshed = true;
    return cz_producer_refresh(s->producer->producer, cz_deadline_ms(ADMIN_MS), err);
}

static enum cz_err fill_target(struct w_start *s, size_t i, const char *target, const int32_t *counts,
                               bool *refreshed, struct cz_task_partition *o, struct cz_error *err)
{
    if (s->sink) {
        o->file = s->outs[i];
        return CZ_OK;
    }
    enum cz_err code = cz_producer_topic(s->producer->producer, target, &o->target, err);
    return code ? code : know_partitions(s, o->target, s->parts[i].topic, counts, refreshed, err);
}

static enum cz_err fill_out(struct w_start *s, const int32_t *counts, struct cz_error *err)
{
    bool refreshed = false;
    s->out = cz_alloc_array(s->parts_len + 1, sizeof *s->out);
    for (size_t i = 0; i < s->parts_len; i++) {
        const char *target = w_target_of(s->spec, s->parts[i].topic);
        struct cz_task_partition *o = &s->out[s->out_len];
        if (!target)
            continue; /* a pair that was just taken out; the assignment will follow */
        enum cz_err code = fill_target(s, i, target, counts, &refreshed, o, err);
        if (code)
            return code;
        o->topic = cz_strdup(s->parts[i].topic);
        o->partition = s->parts[i].partition;
        w_place_fill(s, i, o);
        s->out_len++;
    }
    if (!s->spec->dead_letter_topic)
        return CZ_OK;
    enum cz_err code = cz_producer_topic(s->producer->producer, s->spec->dead_letter_topic, &s->dead_letter, err);
    if (!code)
        cz_producer_topic_rules(s->dead_letter, &s->rules[s->spec->pairs_len]);
    return code;
}

/* Dead letters of a file go to the source cluster, by a producer that serves for nothing else. */
static enum cz_err open_letters(struct worker *w, struct w_start *s, struct cz_error *err)
{
    const struct cz_mapping_spec *spec = s->spec;
    const char *name = spec->dead_letter_topic;
    struct cz_admin *admin = NULL;
    struct cz_topic_info *info = NULL;
    enum cz_err code = w_admin(w, s->source, &admin, err);
    if (!code)
        code = cz_admin_topics(admin, &name, 1, cz_deadline_ms(ADMIN_MS), &info, err);
    if (!code && info->code)
        code = cz_fail_flags(err, info->code, CZ_ERR_RETRIABLE, 0, "topic %s for dead letters, on the source cluster: %s",
                             name, cz_err_slug(info->code));
    cz_topic_infos_free(info, info ? 1 : 0);
    if (!code)
        fit_batches(s, admin, &name, spec->pairs_len, 1);
    return code ? code
                : w_producer_get(w, s->source, spec->compression, (int)spec->linger_ms, s->batch_bytes, &s->producer,
                                 err);
}

static enum cz_err open_file(struct worker *w, struct w_start *s, struct cz_error *err)
{
    enum cz_err code = w_sink_open(w, s, err);
    return code || !s->spec->dead_letter_topic ? code : open_letters(w, s, err);
}

static enum cz_err open_target(struct worker *w, struct w_start *s, int32_t *counts, struct cz_error *err)
{
    if (s->spec->target_file)
        return open_file(w, s, err);
    enum cz_err code = ask_targets(w, s, counts, err);
    if (code)
        return code;
    if (s->spec->exactly_once)
        return w_txn_producer(w, s, err);
    code = w_producer_get(w, s->target, s->spec->compression, (int)s->spec->linger_ms, s->batch_bytes,
                          &s->producer, err);
    return code || !s->spec->source_file ? code : w_plain_positions(w, s, err);
}

/* @c NULL: that end is a file, which has none. */
static enum cz_err cluster_id(struct worker *w, struct cz_cluster *c, char **ret, struct cz_error *err)
{
    struct cz_admin *admin = NULL;
    enum cz_err code = c ? w_admin(w, c, &admin, err) : CZ_OK;
    if (code || !c)
        return code;
    return cz_admin_cluster_id(admin, cz_deadline_ms(ADMIN_MS), ret, err);
}

/* Blocks of a filtered copy are many: those older than any sensible log go by themselves. */
static enum cz_err open_map(struct worker *w, struct w_start *s, struct cz_error *err)
{
    static const char *const settings[] = {"cleanup.policy", "compact,delete", "retention.ms", "2592000000",
                                           "segment.bytes", "16777216", NULL};
    CZ_CLEANUP(cz_freep) char *topic = cz_strf(CZ_OFFSET_MAP_TOPIC, w->o.group_id);
    struct cz_admin *admin = NULL;
    struct cz_topic_info *info = NULL;
    bool created;
    enum cz_err code = w_admin(w, s->target, &admin, err);
    if (!code)
        code = cz_admin_ensure_topic(admin, topic, CZ_OFFSET_MAP_PARTITIONS, settings, cz_deadline_ms(ADMIN_MS),
                                     &info, &created, err);
    if (!code)
        code = cz_producer_topic(s->producer->producer, topic, &s->map.topic, err);
    if (!code) {
        s->map.uid = s->uid;
        s->map.partition = cz_offsets_partition(s->uid, info->partitions);
        cz_producer_topic_expect(s->map.topic, info->partitions);
        if (cz_producer_topic_partitions(s->map.topic) != info->partitions || created)
            code = cz_producer_refresh(s->producer->producer, cz_deadline_ms(ADMIN_MS), err);
    }
    cz_topic_infos_free(info, info ? 1 : 0);
    return code;
}

static void run_start(struct worker *w, struct w_start *s)
{
    struct cz_error *err = &s->error;
    int32_t *counts = cz_alloc_array(s->spec->pairs_len + 1, sizeof *counts);
    enum cz_err code = s->target ? w_cluster_usable(w, s->target, err) : CZ_OK;
    if (!code)
        code = s->source ? w_cluster_usable(w, s->source, err) : w_folder(w, err);
    if (!code)
        code = open_target(w, s, counts, err);
    if (!code && s->spec->offset_map)
        code = open_map(w, s, err);
    if (!code)
        code = w_places(w, s, err);
    if (!code && s->spec->provenance)
        code = cluster_id(w, s->source, &s->source_id, err);
    if (!code && s->spec->provenance)
        code = cluster_id(w, s->target, &s->target_id, err);
    if (!code)
        (void)fill_out(s, counts, err);
    cz_free(counts);
}

static bool stopping(struct worker *w)
{
    CZ_LOCKED(&w->lock);
    return w->starters_stop;
}

/* Topics grow; what is copied by partition number or by key must follow within seconds. */
static void run_refresh(struct worker *w)
{
    struct w_producer *p[W_MAX_REFRESH];
    size_t n = w_producers_hold(w, p, W_MAX_REFRESH);
    for (size_t i = 0; i < n; i++) {
        struct cz_error err = CZ_ERROR_INIT;
        if (!stopping(w) && cz_producer_refresh(p[i]->producer, cz_deadline_ms(REFRESH_WAIT_MS), &err))
            cz_log(CZ_LOG_DEBUG, "worker", "%s", err.text);
        w_producer_put(w, p[i]);
    }
}

static void run(struct worker *w, struct w_start *s)
{
    switch (s->job) {
    case W_JOB_START:
        run_start(w, s);
        return;
    case W_JOB_SYNC:
        if (cz_follower_sync(w->follower, cz_deadline_ms(SYNC_MS), &s->error))
            cz_log(CZ_LOG_DEBUG, "worker", "%s", s->error.text);
        return;
    case W_JOB_REFRESH:
        run_refresh(w);
        return;
    case W_JOB_RENEW:
        w_renew_run(w, s);
        return;
    case W_JOB_REAP:
        w_client_reap(s->spent);
        w_slots_reap(s->spent_lane);
        s->spent = NULL;
        s->spent_lane = NULL;
        return;
    }
}

void w_job_submit(struct worker *w, enum w_job job, struct w_producer *spent,
                  struct w_slots *spent_lane)
{
    struct w_start *s = cz_alloc(sizeof *s);
    s->job = job;
    s->spent = spent;
    s->spent_lane = spent_lane;
    CZ_LOCKED(&w->lock);
    s->next = w->start_head; /* few and quick: before the starts */
    w->start_head = s;
    if (!w->start_tail)
        w->start_tail = s;
    cz_cond_signal(&w->start_cond);
}

void w_start_submit(struct worker *w, struct w_start *s)
{
    CZ_LOCKED(&w->lock);
    if (w->start_tail)
        w->start_tail->next = s;
    else
        w->start_head = s;
    w->start_tail = s;
    cz_cond_signal(&w->start_cond);
}

static struct w_start *next_job(struct worker *w)
{
    CZ_LOCKED(&w->lock);
    while (!w->start_head && !w->starters_stop)
        (void)cz_cond_wait(&w->start_cond, &w->lock, CZ_TIME_NEVER);
    struct w_start *s = w->start_head;
    if (s) {
        w->start_head = s->next;
        if (!w->start_head)
            w->start_tail = NULL;
        s->next = NULL;
    }
    return s;
}

void *w_starter_main(void *arg)
{
    struct worker *w = arg;
    struct w_start *s;
    while ((s = next_job(w))) {
        run(w, s);
        struct w_msg *m = cz_alloc(sizeof *m);
        m->kind = MSG_STARTED;
        m->start = s;
        w_post(w, m);
    }
    return NULL;
}

void w_start_free(struct worker *w, struct w_start *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->parts_len; i++)
        cz_free(s->parts[i].topic);
    for (size_t i = 0; i < s->out_len; i++)
        cz_free(s->out[i].topic);
    w_producer_put(w, s->producer);
    cz_file_sink_free(s->sink);
    cz_free(s->outs);
    w_client_reap(s->spent);
    w_slots_reap(s->spent_lane);
    cz_free((char *)CZ_UNCONST(s->txn.at.uid));
    cz_free((char *)CZ_UNCONST(s->txn.at.writer));
    cz_cluster_unref(s->source);
    cz_cluster_unref(s->target);
    cz_mapping_spec_free(s->spec);
    cz_free(s->parts);
    cz_free(s->out);
    cz_free(s->resume);
    cz_free(s->places);
    cz_free(s->rules);
    w_gaps_free(s->gaps);
    cz_free(s->uid);
    cz_free(s->label);
    cz_free(s->group);
    cz_free(s->source_id);
    cz_free(s->target_id);
    cz_free(s);
}
