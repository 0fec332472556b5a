/* SPDX-License-Identifier: Apache-2.0 */
/** What runs, as documents: the full status of a mapping, workers, and counters per mapping. */
#include <string.h>

#include "access_priv.h"

json_t *cz__dropped_json(const int64_t *dropped)
{
    json_t *o = json_object();
    for (int i = 0; i < CZ_DROP_COUNT_; i++)
        cz_json_set_i64(o, cz_drop_name((enum cz_drop)i), dropped[i]);
    return o;
}

static void set_known(json_t *o, const char *key, int64_t v)
{
    (void)json_object_set_new(o, key, v >= 0 ? cz_json_i64(v) : json_null());
}

static json_t *seconds_json(int64_t ms)
{
    return ms < 0 ? json_null() : json_real((double)ms / 1000);
}

static json_t *delay_json(const struct cz_histogram *h)
{
    if (h->total == 0)
        return json_pack("{s:n,s:n,s:n}", "p50", "p99", "p999");
    return json_pack("{s:f,s:f,s:f}", "p50", cz_histogram_quantile(h, 0.5), "p99",
                     cz_histogram_quantile(h, 0.99), "p999", cz_histogram_quantile(h, 0.999));
}

static void add_totals(json_t *o, const struct cz_mapping_stats *st)
{
    cz_json_set_i64(o, "in", st->in);
    cz_json_set_i64(o, "out", st->out);
    cz_json_set_i64(o, "bytes_in", st->bytes_in);
    cz_json_set_i64(o, "bytes_out", st->bytes_out);
    (void)json_object_set_new(o, "dropped", cz__dropped_json(st->dropped));
}

static void add_rates(json_t *o, const struct cz_mapping_stats *st)
{
    (void)json_object_set_new(o, "in_per_second", json_real(st->in_per_second));
    (void)json_object_set_new(o, "out_per_second", json_real(st->out_per_second));
    (void)json_object_set_new(o, "bytes_per_second", json_real(st->bytes_per_second));
}

/* ---- the full status of one mapping ---------------------------------------------------------
 */

static json_t *task_json(const struct cz_task_info *t)
{
    json_t *o = json_object();
    (void)json_object_set_new(o, "task", json_integer(t->task));
    cz_json_set_str(o, "state", cz_task_state_name(t->state));
    cz_json_set_str(o, "worker", t->worker);
    cz_json_set_i64(o, "generation", t->generation);
    cz_json_set_i64(o, "observed_generation", t->mapping_generation);
    cz__set_time(o, "since", t->since_ms);
    if (t->error_code || t->error_text) {
        json_t *e = json_object();
        cz_json_set_str(e, "code", t->error_code);
        cz_json_set_str(e, "message", t->error_text);
        (void)json_object_set_new(o, "error", e);
    }
    return o;
}

/** Reported tasks, and those of the assignment that nobody reports. */
static json_t *tasks_json(const struct cz__state *st)
{
    json_t *list = json_array();
    size_t r = 0;
    for (int n = 0; n < st->tasks || r < st->reported.len; n++) {
        if (r < st->reported.len && st->reported.items[r].task <= n) {
            (void)json_array_append_new(list, task_json(&st->reported.items[r++]));
            continue;
        }
        if (n >= st->tasks) {
            (void)json_array_append_new(list, task_json(&st->reported.items[r++]));
            continue;
        }
        struct cz_task_info none = {.task = n, .state = CZ_TASK_UNASSIGNED};
        (void)json_array_append_new(list, task_json(&none));
    }
    return list;
}

static json_t *partitions_json(const struct cz_mapping_stats *st)
{
    json_t *list = json_array();
    for (size_t i = 0; i < st->len; i++) {
        const struct cz_partition_stats *p = &st->partitions[i];
        json_t *o = json_object();
        cz_json_set_str(o, "topic", p->topic);
        (void)json_object_set_new(o, "partition", json_integer(p->partition));
        cz_json_set_str(o, "worker", p->worker);
        set_known(o, "position", p->position);
        set_known(o, "end", p->end);
        set_known(o, "lag", p->lag);
        set_known(o, "begin", p->begin);
        set_known(o, "stop", p->stop);
        cz_json_set_i64(o, "in", p->in);
        cz_json_set_i64(o, "out", p->out);
        (void)json_object_set_new(o, "dropped", cz__dropped_json(p->dropped));
        (void)json_array_append_new(list, o);
    }
    return list;
}

/** Of a bounded copy: how much of what lies between its begins and its ends is done. */
static json_t *progress_json(const struct cz_mapping_stats *st)
{
    int64_t total = 0, done = 0;
    bool bounded = false;
    for (size_t i = 0; i < st->len; i++) {
        const struct cz_partition_stats *p = &st->partitions[i];
        if (p->stop < 0 || p->stop < p->begin)
            continue;
        int64_t at = p->position < p->begin ? p->begin : p->position;
        bounded = true;
        total += p->stop - p->begin;
        done += (at > p->stop ? p->stop : at) - p->begin;
    }
    if (!bounded)
        return json_null();
    json_t *o = json_object();
    cz_json_set_i64(o, "done", done);
    cz_json_set_i64(o, "total", total);
    (void)json_object_set_new(o, "percent",
                              json_real(total > 0 ? 100.0 * (double)done / (double)total : 100));
    return o;
}

/** What the source has lost; of each partition the last time. */
static json_t *gaps_json(struct cz_service *s, const char *uid)
{
    json_t *list = json_array();
    struct cz_gap_infos gaps = {0};
    if (s->status)
        cz_status_gaps(s->status, uid, &gaps);
    for (size_t i = 0; i < gaps.len; i++)
        (void)json_array_append_new(list, cz_gap_json(&gaps.items[i]));
    cz_gap_infos_done(&gaps);
    return list;
}

static int64_t known_lag(const struct cz_mapping_stats *st, int *ret_unknown)
{
    int64_t lag = 0;
    *ret_unknown = 0;
    for (size_t i = 0; i < st->len; i++) {
        if (st->partitions[i].lag < 0)
            ++*ret_unknown;
        else
            lag += st->partitions[i].lag;
    }
    return lag;
}

static json_t *status_json(struct cz_service *s,
                           const struct cz__subject *m,
                           const struct cz_mapping_stats *stats)
{
    static const struct cz_mapping_stats nothing = {.lag = -1, .lag_ms = -1};
    const struct cz_mapping_stats *st = stats ? stats : &nothing;
    struct cz__state state;
    int unknown = 0;
    int64_t lag = known_lag(st, &unknown);
    json_t *o = json_object(), *rates = json_object(), *totals = json_object();
    cz__state_of(s, m, &state);
    cz_json_set_str(o, "state", state.name);
    cz_json_set_i64(o, "generation", m->generation);
    cz_json_set_i64(o, "observed_generation", state.observed);
    (void)json_object_set_new(o, "conditions", cz__conditions(s, m, &state, stats));
    (void)json_object_set_new(o, "tasks", tasks_json(&state));
    (void)json_object_set_new(o, "partitions", partitions_json(st));
    set_known(o, "lag", st->len > 0 ? lag : -1);
    (void)json_object_set_new(o, "lag_seconds", seconds_json(st->lag_ms));
    (void)json_object_set_new(o, "lag_partitions_unknown", json_integer(unknown));
    (void)json_object_set_new(o, "progress", progress_json(st));
    (void)json_object_set_new(o, "gaps", gaps_json(s, m->uid));
    add_rates(rates, st);
    (void)json_object_set_new(o, "rates", rates);
    (void)json_object_set_new(o, "held", json_boolean(st->held));
    cz_json_set_i64(o, "held_ms", st->held_ms);
    (void)json_object_set_new(o, "delay_ms", delay_json(&st->delay));
    add_totals(totals, st);
    (void)json_object_set_new(o, "totals", totals);
    cz__set_time(o, "reported", st->at_ms);
    (void)json_object_set_new(o, "verified", cz__verified(s, m->uid));
    cz__state_done(&state);
    return o;
}

enum cz_err cz_service_status(struct cz_service *s,
                              const char *team,
                              const char *name,
                              json_t **ret,
                              struct cz_error *err)
{
    struct cz_resource r = {0};
    struct cz_mapping_stats stats = {0};
    enum cz_err code = cz__name_possible(team, CZ_KIND_MAPPING, name, err);
    if (code == CZ_OK)
        code = cz_store_get(s->store, team, CZ_KIND_MAPPING, name, &r, err);
    if (code)
        return code;
    cz__rules_refresh(s);
    struct cz__subject m = cz__subject_of(s, &r);
    bool known = s->status && cz_status_stats(s->status, r.uid, &stats);
    *ret = status_json(s, &m, known ? &stats : NULL);
    if (known)
        cz_mapping_stats_done(&stats);
    cz_resource_done(&r);
    return CZ_OK;
}

/** The topics of a pattern, as far as workers have read them. */
void cz__set_found_topics(struct cz_service *s, const char *uid, struct cz_mapping_spec *spec)
{
    struct cz_mapping_stats st = {0};
    if (!spec->source_pattern || !s->status || !cz_status_stats(s->status, uid, &st))
        return;
    const char **names = cz_alloc_array(st.len + 1, sizeof *names);
    size_t n = 0;
    for (size_t i = 0; i < st.len; i++) { /* sorted */
        if (n == 0 || !cz_streq(names[n - 1], st.partitions[i].topic))
            names[n++] = st.partitions[i].topic;
    }
    cz_mapping_spec_set_topics(spec, names, n);
    cz_free(names);
    cz_mapping_stats_done(&st);
}

/* ---- workers -------------------------------------------------------------------------------
 */

static json_t *worker_json(const struct cz_worker_info *w)
{
    json_t *o = json_object();
    cz_json_set_str(o, "id", w->id);
    cz_json_set_str(o, "host", w->host);
    cz_json_set_str(o, "version", w->version);
    cz_json_set_str(o, "rest", w->rest);
    cz_json_set_str(o, "state", w->gone ? "gone" : w->alive ? "alive" : "suspect");
    (void)json_object_set_new(o, "age_ms", json_integer(w->age_ms));
    (void)json_object_set_new(o, "lease_ms", json_integer(w->lease_ms));
    cz__set_time(o, "started", w->started_ms);
    cz_json_set_i64(o, "applied", w->applied);
    cz_json_set_i64(o, "epoch", w->epoch);
    (void)json_object_set_new(o, "tasks", json_integer(w->tasks));
    (void)json_object_set_new(o, "capacity", json_integer(w->capacity));
    (void)json_object_set_new(o, "files", json_boolean(w->files));
    return o;
}

enum cz_err cz_service_workers(struct cz_service *s, json_t **ret, struct cz_error *err)
{
    struct cz_worker_infos l = {0};
    int64_t seq = 0;
    enum cz_err code = cz_store_seq(s->store, &seq, err);
    if (code)
        return code;
    if (s->status)
        cz_status_workers(s->status, &l);
    json_t *items = json_array();
    for (size_t i = 0; i < l.len; i++)
        (void)json_array_append_new(items, worker_json(&l.items[i]));
    cz_worker_infos_done(&l);
    *ret = json_pack("{s:o}", "items", items);
    cz_json_set_i64(*ret, "seq", seq);
    return CZ_OK;
}

/* ---- counters of all mappings ---------------------------------------------------------------
 */

struct sums {
    struct cz_mapping_stats st; /* partitions unused */
    int64_t mappings, lag_unknown;
    int states[CZ_TASK_STATE_COUNT_];
};

static void add_sums(struct sums *t, const struct cz_mapping_stats *st)
{
    t->st.in += st->in;
    t->st.out += st->out;
    t->st.bytes_in += st->bytes_in;
    t->st.bytes_out += st->bytes_out;
    for (int i = 0; i < CZ_DROP_COUNT_; i++)
        t->st.dropped[i] += st->dropped[i];
    if (st->lag >= 0)
        t->st.lag += st->lag;
    else
        t->lag_unknown++;
    if (st->lag_ms > t->st.lag_ms)
        t->st.lag_ms = st->lag_ms; /* of the one that is furthest behind */
    t->st.in_per_second += st->in_per_second;
    t->st.out_per_second += st->out_per_second;
    t->st.bytes_per_second += st->bytes_per_second;
    cz_histogram_merge(&t->st.delay, &st->delay);
}

static json_t *
item_json(struct cz_service *s, const struct cz__snapshot_item *it, struct sums *sums)
{
    struct cz_mapping_stats st = {.lag = -1, .lag_ms = -1};
    struct cz__state state;
    bool known = s->status && cz_status_stats(s->status, it->m.uid, &st);
    json_t *o = json_object();
    cz__state_of(s, &it->m, &state);
    cz_json_set_str(o, "team", it->m.team);
    cz_json_set_str(o, "name", it->m.name);
    cz_json_set_str(o, "uid", it->m.uid);
    cz_json_set_str(o, "group", it->group);
    cz_json_set_str(o, "state", state.name);
    cz_json_set_i64(o, "generation", it->m.generation);
    cz_json_set_i64(o, "observed_generation", state.observed);
    add_totals(o, &st);
    set_known(o, "lag", st.lag);
    (void)json_object_set_new(o, "lag_seconds", seconds_json(st.lag_ms));
    add_rates(o, &st);
    (void)json_object_set_new(o, "delay_ms", delay_json(&st.delay));
    sums->mappings++;
    sums->states[state.state]++;
    if (known || it->m.enabled)
        add_sums(sums, &st);
    cz__state_done(&state);
    if (known)
        cz_mapping_stats_done(&st);
    return o;
}

static json_t *sums_json(const struct sums *t)
{
    json_t *o = json_object(), *states = json_object();
    (void)json_object_set_new(o, "mappings", json_integer(t->mappings));
    for (int i = 0; i < CZ_TASK_STATE_COUNT_; i++)
        (void)json_object_set_new(states, cz_task_state_name((enum cz_task_state)i),
                                  json_integer(t->states[i]));
    (void)json_object_set_new(o, "states", states);
    add_totals(o, &t->st);
    cz_json_set_i64(o, "lag", t->st.lag);
    (void)json_object_set_new(o, "lag_seconds", seconds_json(t->st.lag_ms));
    (void)json_object_set_new(o, "lag_mappings_unknown", json_integer(t->lag_unknown));
    add_rates(o, &t->st);
    (void)json_object_set_new(o, "delay_ms", delay_json(&t->st.delay));
    return o;
}

enum cz_err
cz_service_stats(struct cz_service *s,
                 const struct cz_access *access,
                 const char *team,
                 json_t **ret,
                 struct cz_error *err)
{
    struct cz__snapshot *sn = NULL;
    struct sums sums = {.st.lag_ms = -1};
    enum cz_err code = team ? cz__team_known(s, team, err) : CZ_OK;
    if (code == CZ_OK)
        code = cz__snapshot_take(s, &sn, err);
    if (code)
        return code;
    json_t *items = json_array();
    for (size_t i = 0; i < sn->len; i++) {
        const char *of = sn->items[i].m.team;
        if ((!team || cz_streq(team, of)) && cz_access_may_see(access, of))
            (void)json_array_append_new(items, item_json(s, &sn->items[i], &sums));
    }
    *ret = json_pack("{s:o}", "items", items);
    cz__set_time(*ret, "at", cz_wall_ms());
    cz_json_set_i64(*ret, "seq", sn->seq);
    (void)json_object_set_new(*ret, "totals", sums_json(&sums));
    cz__snapshot_give(s, sn);
    return CZ_OK;
}
