/* SPDX-License-Identifier: Apache-2.0 */
/* The scheduler's life: make, start, stop, and what is shown of it. */
#include <stdio.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/log.h"
#include "scheduler_priv.h"

static void topics_changed(void *arg)
{
    struct cz_scheduler *s = arg;
    atomic_store(&s->topics_changed, true);
    cz__scheduler_wake(s);
}

static enum cz_err get_done(void *arg, const struct cz_watch_once *o, int64_t *ret, struct cz_error *err)
{
    const struct cz_scheduler *s = arg;
    return cz_store_mark(s->store, o->uid, o->what, ret, err);
}

static enum cz_err set_done(void *arg,
                            const struct cz_watch_once *o,
                            const char *action,
                            const json_t *detail,
                            struct cz_error *err)
{
    const struct cz_scheduler *s = arg;
    const struct cz_change_meta meta = {
        .team = o->team, .actor = "system", .via = "system", .action = action};
    return cz_store_set_mark(s->store, o->uid, o->what, o->value, &meta, detail, err);
}

/* What was done stays done when the event cannot be written. */
static void audit(void *arg, const struct cz_watch_once *of, const char *action, const json_t *detail)
{
    const struct cz_scheduler *s = arg;
    struct cz_error err = CZ_ERROR_INIT;
    const struct cz_change_meta meta = {
        .team = of->team, .actor = "system", .via = "system", .action = action};
    if (cz_store_audit(s->store, &meta, "ok", detail, &err) != CZ_OK)
        cz_log(CZ_LOG_WARN, "scheduler", "audit event %s of %s/%s: %s", action, of->team, of->mapping,
               err.text);
}

/* The channel's own topics are watched like everybody's: that is how a deleted one is noticed.
 */
static void watch_control(struct cz_scheduler *s)
{
    char key[] = CZ_CONTROL_KEY;
    struct cz_sched_pair pairs[] = {{s->config_topic, s->status_topic}};
    struct cz_sched_mapping m = {
        .uid = key, .team = key, .name = key, .source = key, .target = key, .pairs = pairs, .pairs_len = 1};
    cz_watch_cluster(s->watch, CZ_CONTROL_KEY, s->control);
    cz_watch_mapping(s->watch, CZ_CONTROL_KEY, &m);
}

struct cz_scheduler *cz__scheduler_make(const struct cz_scheduler_options *o,
                                        cz_watch_topics_fn topics,
                                        void *topics_arg)
{
    struct cz_scheduler *s = cz_alloc(sizeof(*s));
    s->store = o->store;
    s->control = cz_cluster_ref(o->control);
    s->status = o->status;
    s->service = o->service;
    s->group_id = cz_strdup(o->group_id);
    s->instance = cz_strdup(o->instance);
    s->config_topic = cz_channel_config_topic(o->group_id);
    s->status_topic = cz_channel_status_topic(o->group_id);
    s->lease_ms = o->lease_ms > 0 ? o->lease_ms : 3000;
    s->verify_ms = 10000;
    s->auditor.o = (struct cz_auditor_options){.store = o->store,
                                               .control = s->control,
                                               .group_id = s->group_id,
                                               .seal_ms = o->audit_seal_ms,
                                               .topic = cz_strdup(o->audit_topic)};
    cz_mutex_init(&s->lead_lock);
    cz_cond_init(&s->lead_cond);
    cz_mutex_init(&s->lock);
    cz_map_init(&s->poisoned, cz_free);
    struct cz_watch_options w = {
        .groups_interval_ms = o->groups_interval_ms,
        .interval_ms = o->metadata_interval_ms > 0 ? o->metadata_interval_ms : 2000,
        .topics = topics,
        .group_id = s->group_id,
        .topics_arg = topics_arg,
        .changed = topics_changed,
        .get_done = get_done,
        .set_done = set_done,
        .audit = audit,
        .arg = s};
    s->watch = cz_watch_new(&w);
    cz_view_init(&s->view, s->watch);
    return s;
}

enum cz_err cz_scheduler_new(const struct cz_scheduler_options *o,
                             struct cz_scheduler **ret,
                             struct cz_error *err)
{
    if (!o->store || !o->control || !o->status || !o->group_id || !o->instance)
        return cz_fail(err, CZ_E_INVALID,
                       "the scheduler needs store, cluster, status, group id and name");
    *ret = cz__scheduler_make(o, NULL, NULL);
    return CZ_OK;
}

void cz__scheduler_run(struct cz_scheduler *s)
{
    s->started = true;
    watch_control(s);
    cz_thread_start(&s->keeper, "cz-keeper", cz__keeper_main, s);
    cz_thread_start(&s->leader, "cz-leader", cz__leader_main, s);
}

enum cz_err cz_scheduler_start(struct cz_scheduler *s, struct cz_error *err)
{
    if (s->started)
        return CZ_OK;
    enum cz_err rc = cz_sched_bus_kafka(s->control, s->group_id, &s->view, &s->bus, err);
    if (rc != CZ_OK)
        return rc;
    cz_group_sync_start(&s->groups, &s->view, s->group_id);
    cz_auditor_start(&s->auditor);
    cz__scheduler_run(s);
    return CZ_OK;
}

void cz_scheduler_stop(struct cz_scheduler *s)
{
    if (!s->started)
        return;
    s->started = false;
    cz_mutex_lock(&s->lead_lock);
    s->stop = true;
    cz_cond_broadcast(&s->lead_cond);
    if (s->lead)
        cz_leadership_wake(s->lead);
    cz_mutex_unlock(&s->lead_lock);
    cz_thread_join(&s->leader);
    cz_thread_join(&s->keeper);
    cz_group_sync_stop(&s->groups);
    cz_auditor_stop(&s->auditor);
    s->bus.free(s->bus.arg);
}

void cz_scheduler_free(struct cz_scheduler *s)
{
    if (!s)
        return;
    cz_scheduler_stop(s);
    cz_watch_free(s->watch); /* until now it answers for the conditions */
    cz_view_done(&s->view);
    cz_map_done(&s->poisoned);
    cz_worker_infos_done(&s->workers);
    cz_mutex_done(&s->lock);
    cz_cond_done(&s->lead_cond);
    cz_mutex_done(&s->lead_lock);
    cz_cluster_unref(s->control);
    cz_free(s->auditor.o.topic);
    cz_free(s->group_id);
    cz_free(s->instance);
    cz_free(s->config_topic);
    cz_free(s->status_topic);
    cz_free(s);
}

/* ---- shown ----------------------------------------------------------------------------------
 */

void cz_scheduler_get_state(struct cz_scheduler *s, struct cz_scheduler_state *ret)
{
    bool ready = cz_view_ready(&s->view);
    CZ_LOCKED(&s->lock);
    *ret = s->state;
    ret->config_ready = ready;
}

enum cz_err cz_scheduler_ready(struct cz_scheduler *s, struct cz_error *err)
{
    char why[200];
    if (!cz_watch_reachable(s->watch, CZ_CONTROL_KEY, why, sizeof(why)))
        return cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0,
                             "the control cluster does not answer: %s", why);
    if (!cz_view_ready(&s->view))
        return cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0,
                             "the config topic was not read yet");
    return CZ_OK;
}

static void gauge(struct cz_buf *out, const char *name, const char *help, double v)
{
    cz_prom_family(out, name, "gauge", help);
    cz_prom_sample(out, name, v, NULL);
}

static void counter(struct cz_buf *out, const char *name, const char *help, int64_t v)
{
    cz_prom_family(out, name, "counter", help);
    cz_prom_sample(out, name, (double)v, NULL);
}

void cz_scheduler_metrics(struct cz_scheduler *s, struct cz_buf *out)
{
    int clusters = 0;
    int unreachable = 0;
    cz_watch_count(s->watch, &clusters, &unreachable);
    cz_auditor_metrics(&s->auditor, out);
    CZ_LOCKED(&s->lock);
    const struct cz_scheduler_state *st = &s->state;
    gauge(out, "citizenk_leader", "1 while this instance leads.", st->leader);
    gauge(out, "citizenk_leader_epoch",
          "Epoch of this instance's leadership, 0 when it does not lead.", (double)st->epoch);
    gauge(out, "citizenk_config_published_revision",
          "Revision up to which the leader has published everything.", (double)st->published);
    gauge(out, "citizenk_outbox_pending",
          "Outbox rows that the leader has seen and not published.", st->pending);
    cz_prom_family(out, "citizenk_outbox_publish_seconds", "histogram",
                   "From reading the outbox to the commit on the config topic.");
    cz_prom_histogram(out, "citizenk_outbox_publish_seconds", &s->publish_ms, NULL);
    counter(out, "citizenk_config_records_published_total",
            "Records written to the config topic.", s->published_records);
    counter(out, "citizenk_config_poisoned_total",
            "Changes that could not be published and were left out.", s->poisoned_total);
    counter(out, "citizenk_config_heals_total",
            "Times the config topic differed and was repaired.", s->heals_total);
    counter(out, "citizenk_assignment_moves_total", "Tasks moved from one worker to another.",
            s->moves_total);
    gauge(out, "citizenk_tasks_unassigned", "Tasks for which the leader has no worker.",
          (double)s->homeless);
    gauge(out, "citizenk_watched_clusters", "Clusters whose topics are watched.", clusters);
    gauge(out, "citizenk_watched_clusters_unreachable", "Those of them that do not answer.",
          unreachable);
}
