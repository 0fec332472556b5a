/* SPDX-License-Identifier: Apache-2.0 */
/* Positions of tasks that do not run.  Brokers forget the offsets of a group that nobody commits for
 * offsets.retention.minutes (7 days by default); a mapping that was paused or stopped for longer would
 * begin by its `start` again, and records would be lost; one that has FINISHED would be copied twice.
 * So the worker that has the task commits them again, as they are, now and then; a task that runs does
 * so by itself (lane_commit.c).  The task is not started meanwhile, so nothing newer is overwritten. */
#include <string.h>

#include "cz/alloc.h"
#include "cz/log.h"
#include "cz/util.h"
#include "worker_priv.h"

enum { LOOK_MS = 1000, ADMIN_MS = 5000, FIRST_MS = 600000, AGAIN_MS = 300000 };

static int64_t interval_ms(const struct worker *w)
{
    return w->o.position_renewal_s * 1000;
}

/* Not all at once when a worker comes up. */
static cz_time first_time(const struct worker *w)
{
    int64_t most = interval_ms(w) < FIRST_MS ? interval_ms(w) : FIRST_MS;
    uint32_t r;
    cz_random(&r, sizeof r);
    return cz_deadline_ms(most / 2 + r % (most / 2 + 1));
}

static bool due(struct worker *w, struct w_task *t)
{
    if (t->phase == W_RUNNING || !t->wanted || t->parts_len == 0) {
        t->renew_at = 0;
        return false;
    }
    if (t->renew_at == 0)
        t->renew_at = first_time(w);
    return t->phase == W_IDLE && !t->renewing && cz_now() >= t->renew_at;
}

/* @return whether the task has a group at all */
static bool submit(struct worker *w, struct w_task *t)
{
    struct w_mapping *m = t->mapping;
    const struct cz_mapping_spec *spec = w_spec(m);
    bool group = spec && spec->source_cluster && (!spec->consumer_group || *spec->consumer_group);
    const struct w_cluster *c = group ? w_cluster(w, m, spec->source_cluster) : NULL;
    t->renew_at = cz_deadline_ms(interval_ms(w));
    if (!c || !c->cluster)
        return false;
    struct w_start *s = cz_alloc(sizeof *s);
    s->job = W_JOB_RENEW;
    s->uid = cz_strdup(m->uid);
    s->n = t->n;
    s->source = cz_cluster_ref(c->cluster);
    s->group = spec->consumer_group ? cz_strdup(spec->consumer_group) : cz_mapping_default_group(m->team, m->name);
    s->parts_len = t->parts_len;
    s->parts = cz_alloc_array(t->parts_len, sizeof *s->parts);
    for (size_t i = 0; i < t->parts_len; i++) {
        s->parts[i] = t->parts[i];
        s->parts[i].topic = cz_strdup(t->parts[i].topic);
    }
    t->renewing = w->renewing = true;
    w_start_submit(w, s);
    return true;
}

void w_renew_tick(struct worker *w)
{
    if (!w->leased || w->stopping || w->renewing || cz_now() < w->renew_at)
        return; /* one at a time */
    w->renew_at = cz_deadline_ms(LOOK_MS);
    CZ_MAP_FOREACH (&w->mappings, i, e) {
        for (struct w_task *t = ((struct w_mapping *)e->value)->tasks; t; t = t->next) {
            if (due(w, t) && submit(w, t)) {
                w->renew_at = 0; /* there may be more */
                return;
            }
        }
    }
}

/* On a starter's thread. */
void w_renew_run(struct worker *w, struct w_start *s)
{
    struct cz_error *err = &s->error;
    struct cz_admin *admin = NULL;
    CZ_CLEANUP(cz_tp_list_done) struct cz_tp_list now = {0}, again = {0};
    enum cz_err code = w_cluster_usable(w, s->source, err);
    if (!code)
        code = w_admin(w, s->source, &admin, err);
    for (size_t i = 0; i < s->parts_len; i++)
        cz_tp_list_add(&now, s->parts[i].topic, s->parts[i].partition, -1);
    if (!code)
        code = cz_admin_group_offsets(admin, s->group, &now, cz_deadline_ms(ADMIN_MS), err);
    for (size_t i = 0; !code && i < now.len; i++) {
        const struct cz_tp *tp = &now.items[i];
        if (tp->offset >= 0)
            cz_tp_list_add(&again, tp->topic, tp->partition, tp->offset)->metadata = cz_strdup(tp->metadata);
    }
    if (!code)
        code = cz_admin_commit(admin, s->group, &again, cz_deadline_ms(ADMIN_MS), err);
    if (code == CZ_E_CONFLICT) /* somebody reads with this group: it is not idle */
        cz_error_reset(err);
    else if (code)
        CZ_LOG_EVERY(60000, CZ_LOG_WARN, "worker", "positions of group %s cannot be renewed: %s", s->group, err->text);
}

void w_renew_done(struct worker *w, const struct w_start *s)
{
    const struct w_mapping *m = w_mapping_get(w, s->uid, false);
    struct w_task *t = m ? m->tasks : NULL;
    w->renewing = false;
    while (t && t->n != s->n)
        t = t->next;
    if (!t)
        return;
    t->renewing = false;
    if (s->error.code && interval_ms(w) > AGAIN_MS)
        t->renew_at = cz_deadline_ms(AGAIN_MS);
    if (!w->stopping)
        w_drive(w, t);
}
