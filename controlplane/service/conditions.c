/* SPDX-License-Identifier: Apache-2.0 */
/** The state of a mapping and its conditions.  A task's report counts only when its worker's
 * lease holds and it is about the current assignment: what a worker said before it was lost, or
 * before its task was given away, says nothing about now. */
#include <stdio.h>
#include <string.h>

#include "cz/scheduler.h"
#include "access_priv.h"

#define MAX_MOMENTS 20000
#define CONDITION_COUNT 8

static const char *const condition_names[CONDITION_COUNT] = {
    "Ready", "Assigned", "TopicsExist", "Progressing", "ServiceGroupDeleted", "TopicsSynced", "GroupsSynced",
    "Authorized"};

struct moment { /* last status of each condition, and since when */
    char status[CONDITION_COUNT];
    int64_t since_ms[CONDITION_COUNT];
};

/* ---- state ---------------------------------------------------------------------------------
 */

struct cz__subject cz__subject_of(struct cz_service *s, const struct cz_resource *r)
{
    struct cz_access_rules *rules = cz__rules_held(s);
    struct cz__subject m = {
        .team = r->team,
        .name = r->name,
        .uid = r->uid,
        .generation = r->generation,
        .enabled = cz_json_bool(json_object_get(r->doc, "spec"), "enabled", true),
        .paused = cz__paused(r->override),
        .reason = cz_json_str(r->override, "reason", NULL),
        .created_ms = r->created_ms};
    (void)cz__spec_denied(cz_access_team(rules, r->team), json_object_get(r->doc, "spec"), m.missing,
                          sizeof m.missing);
    cz_access_rules_give(s, rules);
    return m;
}

/** false: the scheduler has not told us (yet). */
bool cz__mapping_view(struct cz_service *s, const char *uid, struct cz_mapping_view *ret)
{
    *ret =
        (struct cz_mapping_view){.topics_exist = CZ_COND_UNKNOWN, .assigned = CZ_COND_UNKNOWN};
    CZ_LOCKED(&s->view_lock);
    return s->view && s->view(s->view_arg, uid, ret);
}

static bool worker_alive(const struct cz_worker_infos *workers, const struct cz_task_info *t)
{
    for (size_t i = 0; i < workers->len; i++) {
        const struct cz_worker_info *w = &workers->items[i];
        if (cz_streq(w->id, t->worker))
            return w->alive && !w->gone && cz_streq(w->incarnation, t->incarnation);
    }
    return false;
}

/** Reports that are about now, in @all's place; the others are UNASSIGNED.  What a task has
 * FINISHED stays so wherever it is, until the mapping is changed. */
static void keep_current(struct cz_service *s,
                         struct cz_task_infos *all,
                         int64_t generation,
                         int64_t mapping_generation)
{
    struct cz_worker_infos workers = {0};
    cz_status_workers(s->status, &workers);
    bool viewed = generation > 0;
    for (size_t i = 0; !viewed && i < all->len; i++) { /* the newest that we were told of */
        if (all->items[i].generation > generation)
            generation = all->items[i].generation;
    }
    for (size_t i = 0; i < all->len; i++) {
        struct cz_task_info *t = &all->items[i];
        if (t->state == CZ_TASK_FINISHED && t->mapping_generation == mapping_generation)
            continue;
        if (t->generation != generation || !worker_alive(&workers, t)) {
            t->state = CZ_TASK_UNASSIGNED;
            t->mapping_generation = 0;
        }
    }
    cz_worker_infos_done(&workers);
}

static void count_states(const struct cz_task_infos *l, int tasks, int *count)
{
    for (size_t i = 0; i < l->len; i++)
        count[l->items[i].state]++;
    int known = 0;
    for (int i = 0; i < CZ_TASK_STATE_COUNT_; i++)
        known += count[i];
    if (known < tasks)
        count[CZ_TASK_UNASSIGNED] += tasks - known;
}

void cz__state_of(struct cz_service *s, const struct cz__subject *m, struct cz__state *ret)
{
    struct cz_mapping_view v;
    int count[CZ_TASK_STATE_COUNT_] = {0};
    *ret = (struct cz__state){.state = CZ_TASK_UNASSIGNED};
    bool viewed = cz__mapping_view(s, m->uid, &v);
    if (s->status) {
        cz_status_tasks(s->status, m->uid, &ret->reported);
        if (viewed && v.task_numbers > 0) /* it may have had more: that is history */
            cz_task_infos_below(&ret->reported, v.task_numbers);
        keep_current(s, &ret->reported, viewed ? v.assignment_generation : 0, m->generation);
    }
    ret->tasks = viewed && v.tasks > 0 ? v.tasks : (int)ret->reported.len;
    count_states(&ret->reported, ret->tasks, count);
    ret->running = count[CZ_TASK_RUNNING];
    if (!m->enabled || m->missing[0])
        ret->state = CZ_TASK_STOPPED;
    else if (m->paused)
        ret->state = CZ_TASK_PAUSED;
    else if (count[CZ_TASK_FAILED] > 0)
        ret->state = CZ_TASK_FAILED;
    else if (count[CZ_TASK_RESTARTING] > 0)
        ret->state = CZ_TASK_RESTARTING;
    else if (ret->tasks > 0 && count[CZ_TASK_FINISHED] == ret->tasks)
        ret->state = CZ_TASK_FINISHED;
    else if (ret->running > 0 && ret->running + count[CZ_TASK_FINISHED] == ret->tasks)
        ret->state = CZ_TASK_RUNNING;
    ret->name = cz_task_state_name(ret->state);
    for (size_t i = 0; i < ret->reported.len; i++) {
        const struct cz_task_info *t = &ret->reported.items[i];
        if (i == 0 || t->mapping_generation < ret->observed)
            ret->observed = t->mapping_generation;
        if (t->state == CZ_TASK_FAILED && !ret->error[0])
            (void)snprintf(ret->error, sizeof ret->error, "task %d: %s", t->task,
                           t->error_text ? t->error_text : "failed");
    }
    if (ret->reported.len < (size_t)ret->tasks)
        ret->observed = 0;
}

bool cz__is_finished(struct cz_service *s, const struct cz_resource *r)
{
    struct cz__subject m = cz__subject_of(s, r);
    struct cz__state st;
    cz__state_of(s, &m, &st);
    bool yes = st.state == CZ_TASK_FINISHED && st.observed >= r->generation;
    cz__state_done(&st);
    return yes;
}

void cz__state_done(struct cz__state *st)
{
    cz_task_infos_done(&st->reported);
}

/* ---- conditions ----------------------------------------------------------------------------
 */

struct condition {
    enum cz_condition status;
    const char *reason;
    char message[300];
};

static void
set(struct condition *c, enum cz_condition status, const char *reason, const char *message)
{
    c->status = status;
    c->reason = reason;
    (void)snprintf(c->message, sizeof c->message, "%s", message);
}

static void assigned(struct condition *c,
                     const struct cz__state *st,
                     bool viewed,
                     const struct cz_mapping_view *v)
{
    int unassigned = 0;
    for (size_t i = 0; i < st->reported.len; i++)
        unassigned += st->reported.items[i].state == CZ_TASK_UNASSIGNED;
    if (st->reported.len < (size_t)st->tasks)
        unassigned += st->tasks - (int)st->reported.len;
    if (viewed && v->assigned != CZ_COND_TRUE) {
        set(c, v->assigned, v->assigned_reason, v->assigned_message);
    } else if (st->tasks == 0) {
        set(c, viewed ? CZ_COND_FALSE : CZ_COND_UNKNOWN, "Waiting",
            "no worker has reported a task yet");
    } else if (unassigned > 0) {
        set(c, CZ_COND_FALSE, "Waiting", "");
        (void)snprintf(c->message, sizeof c->message,
                       "%d of %d tasks are not with a live worker yet", unassigned, st->tasks);
    } else {
        set(c, CZ_COND_TRUE, "Assigned", "");
        (void)snprintf(c->message, sizeof c->message, "%d tasks are with live workers",
                       st->tasks);
    }
}

static void progressing(struct condition *c,
                        const struct cz__subject *m,
                        const struct cz__state *st,
                        const struct cz_mapping_stats *stats)
{
    if (!m->enabled)
        set(c, CZ_COND_FALSE, "Stopped", "spec.enabled is false");
    else if (m->missing[0])
        set(c, CZ_COND_FALSE, "NotAuthorized", m->missing);
    else if (m->paused)
        set(c, CZ_COND_FALSE, "Paused", m->reason ? m->reason : "paused");
    else if (st->state == CZ_TASK_FAILED)
        set(c, CZ_COND_FALSE, "Failed", st->error);
    else if (st->state == CZ_TASK_FINISHED)
        set(c, CZ_COND_FALSE, "Finished", "all its work is done");
    else if (st->state != CZ_TASK_RUNNING)
        set(c, CZ_COND_FALSE, "NotRunning", "not all tasks are running");
    else if (!stats)
        set(c, CZ_COND_UNKNOWN, "NoStatistics", "the workers have not reported counters yet");
    else if (stats->lag == 0)
        set(c, CZ_COND_TRUE, "UpToDate", "everything in the source has been handled");
    else if (stats->held)
        set(c, CZ_COND_TRUE, "HeldByRate", "it is as fast as its rate allows");
    else if (stats->in_per_second > 0)
        set(c, CZ_COND_TRUE, "Moving", "records are being handled");
    else if (stats->lag < 0)
        set(c, CZ_COND_UNKNOWN, "LagUnknown", "the end of the source is not known");
    else
        set(c, CZ_COND_FALSE, "Stalled",
            "there are records to handle, and none was handled lately");
}

static void
ready(struct condition *all, const struct cz__subject *m, const struct cz__state *st)
{
    struct condition *c = &all[0];
    bool rolled_out = st->observed >= m->generation;
    if (m->missing[0])
        set(c, CZ_COND_FALSE, all[7].reason, all[7].message);
    else if (st->state == CZ_TASK_FAILED)
        set(c, CZ_COND_FALSE, "Failed", st->error);
    else if (all[2].status == CZ_COND_FALSE)
        set(c, CZ_COND_FALSE, all[2].reason, all[2].message);
    else if (!m->enabled || m->paused)
        set(c, CZ_COND_FALSE, all[3].reason, all[3].message);
    else if (all[1].status != CZ_COND_TRUE)
        set(c, CZ_COND_FALSE, all[1].reason, all[1].message);
    else if (!rolled_out)
        set(c, CZ_COND_FALSE, "RollingOut", "not all workers run the newest generation yet");
    else if (st->state == CZ_TASK_RUNNING)
        set(c, CZ_COND_TRUE, "Running", "all tasks are running or finished");
    else if (st->state == CZ_TASK_FINISHED)
        set(c, CZ_COND_TRUE, "Finished", "all its work is done");
    else
        set(c, CZ_COND_FALSE, "NotRunning", "not all tasks are running");
}

/** Since when each condition is as it is: kept here, as seen by this control plane; for what
 * was so when we first looked, the mapping's creation is too early and now is too late, so:
 * now. */
static void moments(struct cz_service *s,
                    const struct cz__subject *m,
                    const struct condition *all,
                    int64_t *ret)
{
    int64_t now = cz_wall_ms();
    CZ_LOCKED(&s->lock);
    if (s->moments.len > MAX_MOMENTS)
        cz_map_clear(&s->moments);
    struct moment *known = cz_map_get(&s->moments, m->uid);
    if (!known) {
        known = cz_alloc(sizeof *known);
        cz_map_put(&s->moments, m->uid, known);
    }
    for (int i = 0; i < CONDITION_COUNT; i++) {
        char status = (char)('0' + (int)all[i].status);
        if (known->status[i] != status) {
            known->status[i] = status;
            known->since_ms[i] = now;
        }
        ret[i] = known->since_ms[i];
    }
}

json_t *cz__conditions(struct cz_service *s,
                       const struct cz__subject *m,
                       const struct cz__state *st,
                       const struct cz_mapping_stats *stats)
{
    static const char *const words[] = {
        [CZ_COND_FALSE] = "False", [CZ_COND_TRUE] = "True", [CZ_COND_UNKNOWN] = "Unknown"};
    struct condition all[CONDITION_COUNT] = {0};
    struct cz_mapping_view v;
    int64_t since[CONDITION_COUNT];
    bool viewed = cz__mapping_view(s, m->uid, &v);
    assigned(&all[1], st, viewed, &v);
    if (viewed)
        set(&all[2], v.topics_exist, v.topics_reason, v.topics_message);
    else
        set(&all[2], CZ_COND_UNKNOWN, "Checking", "the topics were not looked at yet");
    progressing(&all[3], m, st, stats);
    if (viewed && v.names_service_group)
        set(&all[4], v.service_group_deleted, v.service_group_reason, v.service_group_message);
    if (viewed && v.syncs_topics)
        set(&all[5], v.topics_synced, v.synced_reason, v.synced_message);
    if (viewed && v.syncs_groups)
        set(&all[6], v.groups_synced, v.groups_reason, v.groups_message);
    if (m->missing[0])
        set(&all[7], CZ_COND_FALSE, "GrantMissing", m->missing);
    else
        set(&all[7], CZ_COND_TRUE, "Granted", "the team may use all that the mapping names");
    ready(all, m, st);
    moments(s, m, all, since);
    json_t *list = json_array();
    for (int i = 0; i < CONDITION_COUNT; i++) {
        if (!all[i].reason) /* one that not every mapping has */
            continue;
        json_t *c = json_object();
        cz_json_set_str(c, "type", condition_names[i]);
        cz_json_set_str(c, "status", words[all[i].status]);
        cz_json_set_str(c, "reason", all[i].reason);
        cz_json_set_str(c, "message", all[i].message);
        cz_json_set_i64(c, "observed_generation", st->observed);
        cz__set_time(c, "last_transition", since[i]);
        (void)json_array_append_new(list, c);
    }
    return list;
}

json_t *cz__short_status(struct cz_service *s, const struct cz_resource *r)
{
    struct cz__subject m = cz__subject_of(s, r);
    struct cz__state st;
    struct cz_mapping_stats stats = {0};
    bool known = s->status && cz_status_stats(s->status, r->uid, &stats);
    cz__state_of(s, &m, &st);
    json_t *o = json_object();
    cz_json_set_str(o, "state", st.name);
    cz_json_set_i64(o, "observed_generation", st.observed);
    (void)json_object_set_new(o, "lag",
                              known && stats.lag >= 0 ? cz_json_i64(stats.lag) : json_null());
    (void)json_object_set_new(o, "in_per_second", json_real(known ? stats.in_per_second : 0));
    (void)json_object_set_new(o, "out_per_second", json_real(known ? stats.out_per_second : 0));
    (void)json_object_set_new(o, "conditions",
                              cz__conditions(s, &m, &st, known ? &stats : NULL));
    if (st.error[0])
        cz_json_set_str(o, "error", st.error);
    cz__state_done(&st);
    if (known)
        cz_mapping_stats_done(&stats);
    return o;
}
