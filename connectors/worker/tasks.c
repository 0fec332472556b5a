/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a task on this worker: IDLE → STARTING → RUNNING → STOPPING → IDLE, driven by what is
 * wanted (reconcile.c) and by what happens (lane events).  w_drive() is the only place that decides
 * the next step; the state that users see has the one setter w_task_set(). */
#include <inttypes.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/log.h"
#include "cz/mapping_stages.h"
#include "cz/util.h"
#include "worker_priv.h"

enum { STOP_MS = 8000, RETRY_BASE_MS = 500, RETRY_CAP_MS = 30000, STEADY_MS = 60000, GAP_AGAIN_MS = 10000 };

void w_task_set(struct worker *w, struct w_task *t, enum cz_task_state state, const char *reason)
{
    CZ_CLEANUP(cz_freep) char *what = cz_strf("%s/%s/%d", t->mapping->team, t->mapping->name, t->n);
    if (cz_task_state_set(&t->state, state, what, reason)) {
        t->since_ms = cz_wall_ms();
        t->published = false;
    }
    if (state != CZ_TASK_FAILED && state != CZ_TASK_RESTARTING && t->error.code) {
        cz_error_reset(&t->error);
        t->published = false;
    }
    if (!t->published)
        w_report_task(w, t);
}

static void fail(struct worker *w, struct w_task *t, const struct cz_error *err)
{
    if (t->state == CZ_TASK_RUNNING && cz_wall_ms() - t->since_ms > STEADY_MS)
        t->attempt = 0;
    t->error = *err;
    t->sticky_failure = !(err->flags & CZ_ERR_RETRIABLE);
    t->retry_at = cz_deadline_ms(cz_backoff_ms(t->attempt++, RETRY_BASE_MS, RETRY_CAP_MS));
    t->published = false;
    if (t->state == CZ_TASK_FAILED)
        w_report_task(w, t);
    else
        w_task_set(w, t, CZ_TASK_FAILED, err->text);
}

/* ---- starting ------------------------------------------------------------------------------- */

static int64_t *resume_positions(const struct w_task *t)
{
    int64_t *at = cz_alloc_array(t->parts_len + 1, sizeof *at);
    int64_t generation = cz_json_int(t->mapping->record, "generation", 0);
    for (size_t i = 0; i < t->parts_len; i++) {
        CZ_CLEANUP(cz_freep) char *key = cz_strf("%s/%d", t->parts[i].topic, t->parts[i].partition);
        const struct w_base *b = cz_map_get(&t->mapping->base, key);
        at[i] = b && b->resume_generation == generation ? b->n.position : -1;
    }
    return at;
}

/* The topics of a pattern are those that the assignment names. */
static void set_topics(struct cz_mapping_spec *spec, const struct w_task *t)
{
    const char **names = cz_alloc_array(t->parts_len + 1, sizeof *names);
    struct cz_map seen = CZ_MAP_INIT(NULL);
    size_t n = 0;
    for (size_t i = 0; i < t->parts_len; i++) {
        if (!cz_map_get(&seen, t->parts[i].topic))
            names[n++] = t->parts[i].topic;
        cz_map_put(&seen, t->parts[i].topic, t->parts[i].topic);
    }
    cz_mapping_spec_set_topics(spec, names, n);
    cz_map_done(&seen);
    cz_free(names);
}

static void submit_start(struct worker *w, struct w_task *t)
{
    struct w_mapping *m = t->mapping;
    const struct cz_mapping_spec *spec = w_spec(m);
    struct w_start *s = cz_alloc(sizeof *s);
    s->seq = t->start_seq = ++w->start_seq;
    s->uid = cz_strdup(m->uid);
    s->n = t->n;
    if (spec->source_cluster)
        s->source = cz_cluster_ref(w_cluster(w, m, spec->source_cluster)->cluster);
    if (spec->target_cluster)
        s->target = cz_cluster_ref(w_cluster(w, m, spec->target_cluster)->cluster);
    s->parts_len = t->parts_len;
    s->parts = cz_alloc_array(t->parts_len + 1, sizeof *s->parts);
    for (size_t i = 0; i < t->parts_len; i++) {
        s->parts[i] = t->parts[i];
        s->parts[i].topic = cz_strdup(t->parts[i].topic);
        const struct w_base *b = w_base_get(m, t->parts[i].topic, t->parts[i].partition);
        memcpy(s->parts[i].ran_id, b->topic_id, sizeof b->topic_id);
    }
    s->resume = resume_positions(t);
    s->label = cz_strf("%s/%s/%d", m->team, m->name, t->n);
    s->generation = cz_json_int(m->record, "generation", 0);
    s->run = cz_json_int(m->record, "run", 0);
    s->restarted = s->run > 0 && s->run == cz_json_int(m->record, "restart", -1);
    s->gap = t->gap;
    if (!spec->consumer_group)
        s->group = cz_mapping_default_group(m->team, m->name);
    else if (spec->consumer_group[0])
        s->group = cz_strdup(spec->consumer_group);
    /* A copy of its own: the mapping may change while the start is under way. */
    if (spec->source_pattern)
        set_topics(m->spec, t);
    s->spec = m->spec;
    m->spec = NULL;
    t->phase = W_STARTING;
    t->finished = false;
    w_start_submit(w, s);
}

/* NULL: the end is a file, or the cluster has just been deleted. */
static const struct cz_cluster *cluster_of(struct worker *w, const struct w_mapping *m, const char *name)
{
    const struct w_cluster *c = name ? w_cluster(w, m, name) : NULL;
    return c ? c->cluster : NULL;
}

static enum cz_err make_settings(struct worker *w, const struct w_task *t, const struct cz_mapping_spec *spec,
                                 int64_t generation, struct cz_task_settings *ret, struct cz_error *err)
{
    struct cz_stages_schemas schemas = {0};
    if (w_schemas(w, spec, cluster_of(w, t->mapping, spec->source_cluster),
                  cluster_of(w, t->mapping, spec->target_cluster), &schemas, err))
        return err->code;
    const struct cz_mapping_stages_env env = {
        .schemas = &schemas,
        .team = t->mapping->team,
        .name = t->mapping->name,
        .generation = generation,
        .source_id = t->source_id,
        .target_id = t->target_id,
    };
    ret->partitioning = spec->partitioning;
    ret->on_error = spec->on_error;
    ret->generation = generation;
    ret->rate = spec->rate;
    ret->rate_limits = cz_rate_limits(&spec->rate);
    ret->rate_share = w_rate_share(t->mapping);
    enum cz_err code = cz_mapping_stages_new(spec, &env, &ret->stages, err);
    w_schemas_done(&schemas);
    return code;
}

static void launch(struct worker *w, struct w_task *t, struct w_start *s, struct cz_error *err)
{
    struct cz_task_settings settings = {.dead_letter = s->dead_letter};
    cz_free(t->source_id);
    cz_free(t->target_id);
    t->source_id = s->source_id;
    t->target_id = s->target_id;
    s->source_id = s->target_id = NULL; /* the task's now */
    if (make_settings(w, t, s->spec, s->generation, &settings, err))
        return;
    struct w_slots *slots = NULL;
    int lane = 0;
    bool txn = s->spec->exactly_once && !s->sink, file = s->spec->source_file;
    const char *own = txn ? s->txn.at.writer : file ? s->label : NULL;
    const struct cz_replay replay = w_replay(w, s->spec);
    if (w_lane_for(w, s->source, s->spec->read_committed, own, file ? &replay : NULL, s->out, s->out_len, &slots,
                   &lane, err)) {
        cz_stages_unref(settings.stages);
        return;
    }
    const struct cz_task_conf conf = {
        .label = s->label,
        .group = s->group,
        .source = s->source_admin,
        .producer = s->producer ? s->producer->producer : NULL,
        .sink = s->sink,
        .exact = s->spec->exactly_once,
        .map = s->map,
        .txn = txn ? &s->txn : NULL,
        .positions = file && !txn ? &s->txn.at : NULL,
        .settings = settings,
        .partitions = s->out,
        .partitions_len = s->out_len,
    };
    t->task = cz_task_new(&conf);
    t->producer = s->producer;
    t->slots = slots;
    t->lane = lane;
    t->until_ms = s->until_ms;
    t->gap = false;
    for (size_t i = 0; i < s->out_len; i++)
        memcpy(w_base_get(t->mapping, s->out[i].topic, s->out[i].partition)->topic_id,
               s->out[i].position.topic_id, sizeof s->out[i].position.topic_id);
    s->out = NULL; /* the task's now */
    s->out_len = 0;
    s->producer = NULL;
    s->sink = NULL;
    cz_lane_add(slots->lanes[lane], t->task);
}

/* The prints of now; a start or a failure is remembered with them. */
static void remember_prints(struct worker *w, struct w_task *t)
{
    cz_free(t->print);
    cz_free(t->settings_print);
    t->print = t->settings_print = NULL;
    (void)w_prints(w, t, &t->print, &t->settings_print);
}

void w_on_started(struct worker *w, struct w_start *s)
{
    struct w_mapping *m = w_mapping_get(w, s->uid, false);
    struct w_task *t = m ? m->tasks : NULL;
    while (t && !(t->n == s->n && t->phase == W_STARTING && t->start_seq == s->seq))
        t = t->next;
    for (struct w_gap *g = m ? s->gaps : NULL; g; g = g->next)
        w_report_gap(w, m, g);
    if (t) {
        char *print = NULL, *settings = NULL;
        bool same = w_prints(w, t, &print, &settings) && cz_streq(print, t->print) &&
                    cz_streq(settings, t->settings_print);
        cz_free(print);
        cz_free(settings);
        t->phase = W_IDLE;
        bool run = same && t->wanted && !w->stopping &&
                   cz_streq(cz_json_str(m->record, "state", ""), "RUNNING");
        if (run && !s->error.code)
            launch(w, t, s, &s->error);
        if (t->task) {
            t->phase = W_RUNNING;
            w_task_set(w, t, CZ_TASK_RUNNING, "started");
        } else if (run && s->error.code) {
            fail(w, t, &s->error);
        }
        w_drive(w, t);
    }
    w_start_free(w, s);
}

/* ---- stopping ------------------------------------------------------------------------------- */

static void stop(struct w_task *t)
{
    t->phase = W_STOPPING;
    t->stop_deadline = cz_deadline_ms(STOP_MS);
    cz_lane_remove(t->slots->lanes[t->lane], t->task, t->stop_deadline);
}

static void let_go(struct worker *w, struct cz_task *task, struct w_producer *producer,
                   struct w_slots *slots, int lane)
{
    struct cz_task_counters c = {0};
    cz_task_counters(task, &c);
    struct cz_task_partition *parts = cz_alloc_array(c.len + 1, sizeof *parts);
    for (size_t i = 0; i < c.len; i++)
        parts[i] = (struct cz_task_partition){.topic = (char *)CZ_UNCONST(c.partitions[i].topic),
                                              .partition = c.partitions[i].partition};
    w_lane_leave(slots, lane, parts, c.len);
    cz_free(parts);
    cz_free(c.partitions);
    cz_task_free(task);
    w_producer_put(w, producer);
}

/* The target does not answer: stop waiting, so that the task can be started again. */
static void make_zombie(struct worker *w, struct w_task *t)
{
    struct w_zombie *z = cz_alloc(sizeof *z);
    *z = (struct w_zombie){.task = t->task,
                           .uid = cz_strdup(t->mapping->uid),
                           .producer = t->producer,
                           .slots = t->slots,
                           .lane = t->lane,
                           .next = w->zombies};
    w->zombies = z;
    cz_log(CZ_LOG_WARN, "herder", "%s/%s/%d: records are still in flight; no longer waiting for them",
           t->mapping->team, t->mapping->name, t->n);
    t->task = NULL;
    t->producer = NULL;
    t->phase = W_IDLE;
}

static bool bury_zombie(struct worker *w, struct cz_task *task)
{
    for (struct w_zombie **at = &w->zombies; *at; at = &(*at)->next) {
        struct w_zombie *z = *at;
        if (z->task != task)
            continue;
        *at = z->next;
        struct w_mapping *m = w_mapping_get(w, z->uid, false);
        if (m)
            w_bank(m, task, 0);
        let_go(w, task, z->producer, z->slots, z->lane);
        cz_free(z->uid);
        cz_free(z);
        return true;
    }
    return false;
}

static struct w_task *owner(struct worker *w, const struct cz_task *task)
{
    CZ_MAP_FOREACH(&w->mappings, i, e)
    {
        for (struct w_task *t = ((struct w_mapping *)e->value)->tasks; t; t = t->next) {
            if (t->task == task)
                return t;
        }
    }
    return NULL;
}

/* The next start looks what is missing.  Should it find nothing, not in a hurry. */
static void on_gap(struct worker *w, struct w_task *t, const struct cz_error *err)
{
    if (t->phase != W_RUNNING)
        return;
    bool again = t->gap_at > 0 && cz_now() - t->gap_at < GAP_AGAIN_MS * CZ_MS;
    t->gap = true;
    t->gap_at = cz_now();
    if (again)
        fail(w, t, err);
    else
        w_task_set(w, t, CZ_TASK_RESTARTING, err->text);
    stop(t);
}

void w_on_task_event(struct worker *w, const struct cz_task_event *e)
{
    struct w_task *t = owner(w, e->task);
    /* A lane may see a lost lease that is there again before we looked: read what changed meanwhile. */
    if (e->error.code == CZ_E_FENCED)
        w->leased = false;
    if (!t) {
        if (e->kind == CZ_TASK_EVENT_REMOVED)
            (void)bury_zombie(w, e->task);
        return;
    }
    if (e->kind == CZ_TASK_EVENT_WAITING) {
        if (t->phase == W_RUNNING && t->state == CZ_TASK_RUNNING) {
            t->error = e->error;
            w_report_task(w, t);
        }
        return;
    }
    if (e->kind == CZ_TASK_EVENT_FAILED) {
        if (t->phase != W_RUNNING)
            return; /* being removed already */
        fail(w, t, &e->error);
        stop(t);
        return;
    }
    if (e->kind == CZ_TASK_EVENT_GAP) {
        on_gap(w, t, &e->error);
        return;
    }
    if (e->kind == CZ_TASK_EVENT_FINISHED) {
        if (t->phase != W_RUNNING)
            return;
        t->finished = true; /* said when it was committed, at REMOVED */
        stop(t);
        return;
    }
    w_bank(t->mapping, t->task, cz_json_int(t->mapping->record, "generation", 0));
    let_go(w, t->task, t->producer, t->slots, t->lane);
    t->task = NULL;
    t->producer = NULL;
    t->phase = W_IDLE;
    t->mapping->stats_sent = false;
    struct w_mapping *m = t->mapping;
    if (t->finished && t->state == CZ_TASK_RUNNING)
        w_task_set(w, t, CZ_TASK_FINISHED, "all its work is done");
    w_drive(w, t);
    if (!m->record && !m->tasks)
        w_reconcile(w, m);
}

/* ---- the decision --------------------------------------------------------------------------- */

void w_task_drop(struct worker *w, struct w_task *t)
{
    (void)w;
    struct w_task **at = &t->mapping->tasks;
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    t->mapping->dirty = true; /* one that was deleted goes with its last task */
    for (size_t i = 0; i < t->parts_len; i++)
        cz_free(t->parts[i].topic);
    cz_free(t->parts);
    cz_free(t->print);
    cz_free(t->settings_print);
    cz_free(t->source_id);
    cz_free(t->target_id);
    cz_free(t);
}

static void update_live(struct worker *w, struct w_task *t, char *settings_print)
{
    struct cz_task_settings s = {0};
    struct cz_error err = CZ_ERROR_INIT;
    int64_t generation = cz_json_int(t->mapping->record, "generation", 0);
    if (w_spec(t->mapping)->source_pattern)
        set_topics(t->mapping->spec, t);
    if (make_settings(w, t, w_spec(t->mapping), generation, &s, &err)) {
        cz_free(settings_print);
        fail(w, t, &err);
        stop(t);
        return;
    }
    s.dead_letter = NULL;
    /* The dead-letter topic is part of the other print, so the handle of now stays right. */
    if (s.on_error == CZ_ON_ERROR_DEAD_LETTER &&
        cz_producer_topic(t->producer->producer, w_spec(t->mapping)->dead_letter_topic, &s.dead_letter, &err)) {
        cz_free(settings_print);
        cz_stages_unref(s.stages);
        fail(w, t, &err);
        stop(t);
        return;
    }
    cz_lane_update(t->slots->lanes[t->lane], t->task, &s);
    cz_free(t->settings_print);
    t->settings_print = settings_print;
    t->published = false;
    w_report_task(w, t);
}

/* First half of a hand-over: the task is nobody's, and we have let go of it, so say it.  Where
 * somebody else has it already, the report is theirs. */
static void release(struct worker *w, struct w_task *t)
{
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(t->mapping->assignment, "tasks"), i, item)
    {
        if (cz_json_int(item, "task", -1) != t->n || *cz_json_str(item, "worker", ""))
            continue;
        t->generation = cz_json_int(t->mapping->assignment, "generation", 0);
        t->published = false;
        w_task_set(w, t, CZ_TASK_UNASSIGNED, "handed over");
    }
}

/* Does another task of the mapping still hold a partition of this one (a task that was split)? */
static bool partition_taken(const struct w_task *t)
{
    bool taken = false;
    for (struct w_task *o = t->mapping->tasks; o && !taken; o = o->next) {
        if (o == t || !o->task)
            continue;
        struct cz_task_counters c = {0};
        cz_task_counters(o->task, &c);
        for (size_t i = 0; i < c.len && !taken; i++) {
            for (size_t k = 0; k < t->parts_len && !taken; k++)
                taken = c.partitions[i].partition == t->parts[k].partition &&
                        strcmp(c.partitions[i].topic, t->parts[k].topic) == 0;
        }
        cz_free(c.partitions);
    }
    return taken;
}

static void drive_idle(struct worker *w, struct w_task *t, const char *state)
{
    if (t->renewing)
        return; /* looked at again when that is done */
    if (!t->wanted) {
        release(w, t);
        w_task_drop(w, t);
        return;
    }
    if (strcmp(state, "PAUSED") == 0 || strcmp(state, "STOPPED") == 0) {
        w_task_set(w, t, state[0] == 'P' ? CZ_TASK_PAUSED : CZ_TASK_STOPPED, "as configured");
        t->sticky_failure = false;
        t->attempt = 0;
        t->retry_at = 0;
        return;
    }
    if (!w->synced || !w->leased || w->stopping)
        return;
    char *print = NULL, *settings = NULL;
    bool known = w_prints(w, t, &print, &settings);
    bool same = known && cz_streq(print, t->print) && cz_streq(settings, t->settings_print);
    cz_free(print);
    cz_free(settings);
    if (!known) {
        struct cz_error err = CZ_ERROR_INIT;
        cz_fail_flags(&err, CZ_E_INVALID, 0, 0, "%s",
                      t->mapping->spec_error ? t->mapping->spec_error
                                             : "a cluster of this mapping is not known or not usable");
        if (t->state != CZ_TASK_FAILED || strcmp(err.text, t->error.text) != 0)
            fail(w, t, &err);
        return;
    }
    if (same && t->state == CZ_TASK_FAILED && (t->sticky_failure || cz_now() < t->retry_at))
        return;
    if (same && t->state == CZ_TASK_FINISHED) {
        if (!t->published)
            w_report_task(w, t);
        return;
    }
    if (partition_taken(t))
        return; /* looked at again by the tick */
    if (!same)
        t->attempt = 0;
    remember_prints(w, t);
    if (t->state == CZ_TASK_FAILED || t->state == CZ_TASK_FINISHED)
        w_task_set(w, t, CZ_TASK_RESTARTING, t->finished ? "to be run again" : "trying again");
    submit_start(w, t);
}

static void drive_running(struct worker *w, struct w_task *t, const char *state)
{
    if (!t->wanted || w->stopping || strcmp(state, "RUNNING") != 0) {
        stop(t);
        return;
    }
    if (t->until_ms > 0 && cz_wall_ms() >= t->until_ms) {
        w_task_set(w, t, CZ_TASK_RESTARTING, "the time of its end has come");
        stop(t);
        return;
    }
    char *print = NULL, *settings = NULL;
    if (!w_prints(w, t, &print, &settings))
        return; /* keep what runs: an unreadable change must not stop it */
    if (!cz_streq(print, t->print)) {
        w_task_set(w, t, CZ_TASK_RESTARTING, "its definition changed");
        stop(t);
    } else if (!cz_streq(settings, t->settings_print)) {
        update_live(w, t, settings);
        settings = NULL;
    } else if (!t->published) {
        w_report_task(w, t);
    }
    cz_free(print);
    cz_free(settings);
}

void w_drive(struct worker *w, struct w_task *t)
{
    const char *state = cz_json_str(t->mapping->record, "state", "STOPPED");
    switch (t->phase) {
    case W_IDLE:
        drive_idle(w, t, state);
        return;
    case W_RUNNING:
        drive_running(w, t, state);
        return;
    case W_STARTING: /* w_on_started() looks again */
        return;
    case W_STOPPING:
        if (cz_now() > t->stop_deadline + CZ_SEC) {
            make_zombie(w, t);
            drive_idle(w, t, state);
        }
        return;
    }
}

void w_tasks_tick(struct worker *w)
{
    CZ_MAP_FOREACH(&w->mappings, i, e)
    {
        struct w_mapping *m = e->value;
        for (struct w_task *t = m->tasks, *next; t; t = next) {
            next = t->next;
            bool waits = t->state == CZ_TASK_PAUSED || t->state == CZ_TASK_STOPPED ||
                         t->state == CZ_TASK_FINISHED ||
                         (t->state == CZ_TASK_FAILED && (t->sticky_failure || cz_now() < t->retry_at));
            bool ends = t->phase == W_RUNNING && t->until_ms > 0 && cz_wall_ms() >= t->until_ms;
            if (ends || t->phase == W_STOPPING || (t->phase == W_IDLE && !(waits && t->wanted)))
                w_drive(w, t); /* else a change will: it makes the mapping dirty */
        }
    }
}

bool w_tasks_busy(struct worker *w)
{
    CZ_MAP_FOREACH(&w->mappings, i, e)
    {
        for (struct w_task *t = ((struct w_mapping *)e->value)->tasks; t; t = t->next) {
            if (t->phase != W_IDLE)
                return true;
        }
    }
    return w->zombies != NULL;
}
