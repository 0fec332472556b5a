/* SPDX-License-Identifier: Apache-2.0 */
/** Prometheus families of mappings, workers and the database pool (guide: control-plane,
 * section 8).  HTTP's own and the scheduler's families are appended by them.  A family's
 * samples must stand together, so each family is one walk over the mappings. */
#include "service_priv.h"

struct row {
    const struct cz__snapshot_item *it;
    struct cz_mapping_stats stats;
    bool known;
    enum cz_task_state state;
    int64_t observed;
};

typedef double (*value_fn)(const struct row *r);

static double records_in(const struct row *r)
{
    return (double)r->stats.in;
}
static double records_out(const struct row *r)
{
    return (double)r->stats.out;
}
static double bytes_in(const struct row *r)
{
    return (double)r->stats.bytes_in;
}
static double bytes_out(const struct row *r)
{
    return (double)r->stats.bytes_out;
}
static double held(const struct row *r)
{
    return (double)r->stats.held_ms / 1000;
}
static double generation(const struct row *r)
{
    return (double)r->it->m.generation;
}
static double observed(const struct row *r)
{
    return (double)r->observed;
}

static const struct family {
    const char *name, *type, *help;
    value_fn value;
    bool needs_stats;
} families[] = {
    {"citizenk_mapping_records_in_total", "counter", "Records read from the source.",
     records_in, true},
    {"citizenk_mapping_records_out_total", "counter", "Records delivered to the target.",
     records_out, true},
    {"citizenk_mapping_bytes_in_total", "counter", "Bytes of keys and values read.", bytes_in,
     true},
    {"citizenk_mapping_bytes_out_total", "counter", "Bytes of keys and values delivered.",
     bytes_out, true},
    {"citizenk_mapping_held_seconds_total", "counter",
     "Time that tasks waited because of the mapping's rate.", held, true},
    {"citizenk_mapping_generation", "gauge", "Generation of the stored spec.", generation,
     false},
    {"citizenk_mapping_observed_generation", "gauge",
     "Generation that all tasks run; 0 when none does.", observed, false},
};

static void simple_families(struct cz_buf *out, const struct row *rows, size_t n)
{
    for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
        cz_prom_family(out, families[f].name, families[f].type, families[f].help);
        for (size_t i = 0; i < n; i++) {
            if (rows[i].known || !families[f].needs_stats)
                cz_prom_sample(out, families[f].name, families[f].value(&rows[i]), "team",
                               rows[i].it->m.team, "mapping", rows[i].it->m.name, NULL);
        }
    }
}

static void dropped(struct cz_buf *out, const struct row *rows, size_t n)
{
    static const char name[] = "citizenk_mapping_records_dropped_total";
    cz_prom_family(out, name, "counter", "Records not delivered on purpose, by reason.");
    for (size_t i = 0; i < n; i++) {
        for (int d = 0; rows[i].known && d < CZ_DROP_COUNT_; d++)
            cz_prom_sample(out, name, (double)rows[i].stats.dropped[d], "team",
                           rows[i].it->m.team, "mapping", rows[i].it->m.name, "reason",
                           cz_drop_name((enum cz_drop)d), NULL);
    }
}

static void lag(struct cz_buf *out, const struct row *rows, size_t n)
{
    static const char name[] = "citizenk_mapping_lag_records";
    cz_prom_family(out, name, "gauge", "Records of the source that were not handled yet.");
    for (size_t i = 0; i < n; i++) {
        if (rows[i].known && rows[i].stats.lag >= 0)
            cz_prom_sample(out, name, (double)rows[i].stats.lag, "team", rows[i].it->m.team,
                           "mapping", rows[i].it->m.name, NULL);
    }
}

static void gaps(struct cz_service *s, struct cz_buf *out, const struct row *rows, size_t n)
{
    static const char name[] = "citizenk_mapping_last_gap_timestamp_seconds";
    cz_prom_family(out, name, "gauge",
                   "When a source was last found to have lost what was not copied.");
    for (size_t i = 0; i < n; i++) {
        struct cz_gap_infos found = {0};
        int64_t last = 0;
        if (s->status)
            cz_status_gaps(s->status, rows[i].it->m.uid, &found);
        for (size_t k = 0; k < found.len; k++)
            last = found.items[k].at_ms > last ? found.items[k].at_ms : last;
        if (last > 0)
            cz_prom_sample(out, name, (double)last / 1000, "team", rows[i].it->m.team, "mapping",
                           rows[i].it->m.name, NULL);
        cz_gap_infos_done(&found);
    }
}

static void lag_seconds(struct cz_buf *out, const struct row *rows, size_t n)
{
    static const char name[] = "citizenk_mapping_lag_seconds";
    cz_prom_family(out, name, "gauge", "Age of the last record done, of the partition furthest behind; 0 without lag.");
    for (size_t i = 0; i < n; i++) {
        if (rows[i].known && rows[i].stats.lag_ms >= 0)
            cz_prom_sample(out, name, (double)rows[i].stats.lag_ms / 1000, "team", rows[i].it->m.team,
                           "mapping", rows[i].it->m.name, NULL);
    }
}

static void delay(struct cz_buf *out, const struct row *rows, size_t n)
{
    static const char name[] = "citizenk_mapping_delay_seconds";
    cz_prom_family(out, name, "histogram", "Time from the record's timestamp to its delivery.");
    for (size_t i = 0; i < n; i++) {
        if (rows[i].known)
            cz_prom_histogram(out, name, &rows[i].stats.delay, "team", rows[i].it->m.team,
                              "mapping", rows[i].it->m.name, NULL);
    }
}

static void states(struct cz_buf *out, const struct row *rows, size_t n)
{
    static const char name[] = "citizenk_mapping_state";
    cz_prom_family(out, name, "gauge", "1 for the state that the mapping is in.");
    for (size_t i = 0; i < n; i++) {
        for (int st = 0; st < CZ_TASK_STATE_COUNT_; st++)
            cz_prom_sample(out, name, (enum cz_task_state)st == rows[i].state ? 1 : 0, "team",
                           rows[i].it->m.team, "mapping", rows[i].it->m.name, "state",
                           cz_task_state_name((enum cz_task_state)st), NULL);
    }
}

static void mappings(struct cz_service *s, const struct cz__snapshot *sn, struct cz_buf *out)
{
    CZ_CLEANUP(cz_freep) struct row *rows = cz_alloc_array(sn->len + 1, sizeof *rows);
    for (size_t i = 0; i < sn->len; i++) {
        struct cz__state st;
        rows[i].it = &sn->items[i];
        rows[i].known =
            s->status && cz_status_stats(s->status, sn->items[i].m.uid, &rows[i].stats);
        cz__state_of(s, &sn->items[i].m, &st);
        rows[i].state = st.state;
        rows[i].observed = st.observed;
        cz__state_done(&st);
    }
    simple_families(out, rows, sn->len);
    dropped(out, rows, sn->len);
    lag(out, rows, sn->len);
    gaps(s, out, rows, sn->len);
    lag_seconds(out, rows, sn->len);
    delay(out, rows, sn->len);
    states(out, rows, sn->len);
    for (size_t i = 0; i < sn->len; i++) {
        if (rows[i].known)
            cz_mapping_stats_done(&rows[i].stats);
    }
}

static void workers(struct cz_service *s, struct cz_buf *out)
{
    struct cz_worker_infos l = {0};
    if (s->status)
        cz_status_workers(s->status, &l);
    cz_prom_family(out, "citizenk_worker_up", "gauge", "1 while the worker's lease holds.");
    for (size_t i = 0; i < l.len; i++)
        cz_prom_sample(out, "citizenk_worker_up", l.items[i].alive && !l.items[i].gone ? 1 : 0,
                       "worker", l.items[i].id, NULL);
    cz_prom_family(out, "citizenk_worker_epoch", "gauge",
                   "Leader's epoch of the newest record the worker applied.");
    for (size_t i = 0; i < l.len; i++)
        cz_prom_sample(out, "citizenk_worker_epoch", (double)l.items[i].epoch, "worker",
                       l.items[i].id, NULL);
    cz_prom_family(out, "citizenk_worker_applied_revision", "gauge",
                   "Newest revision that the worker applied.");
    for (size_t i = 0; i < l.len; i++)
        cz_prom_sample(out, "citizenk_worker_applied_revision", (double)l.items[i].applied,
                       "worker", l.items[i].id, NULL);
    cz_prom_family(out, "citizenk_worker_tasks", "gauge", "Tasks that the worker runs.");
    for (size_t i = 0; i < l.len; i++)
        cz_prom_sample(out, "citizenk_worker_tasks", (double)l.items[i].tasks, "worker",
                       l.items[i].id, NULL);
    cz_worker_infos_done(&l);
}

static void database(struct cz_service *s, struct cz_buf *out)
{
    static const char name[] = "citizenk_db_pool_connections";
    struct cz_store_stats st = {0};
    cz_store_stats(s->store, &st);
    cz_prom_family(out, name, "gauge",
                   "Connections to the database, and requests that wait for one.");
    cz_prom_sample(out, name, st.pool_open, "state", "open", NULL);
    cz_prom_sample(out, name, st.pool_leased, "state", "leased", NULL);
    cz_prom_sample(out, name, st.pool_waiting, "state", "waiting", NULL);
}

enum cz_err cz_service_metrics(struct cz_service *s, struct cz_buf *out, struct cz_error *err)
{
    struct cz__snapshot *sn = NULL;
    struct cz_error e = CZ_ERROR_INIT;
    /* With the database away the workers' side is still worth showing. */
    enum cz_err code = cz__snapshot_take(s, &sn, &e);
    if (code == CZ_OK) {
        cz_prom_family(out, "citizenk_config_revision", "gauge",
                       "Number of the newest change.");
        cz_prom_sample(out, "citizenk_config_revision", (double)sn->seq, NULL);
        mappings(s, sn, out);
        cz__verify_metrics(s, sn, out);
        cz__snapshot_give(s, sn);
    }
    cz_prom_family(out, "citizenk_database_up", "gauge",
                   "1 when the database answered just now.");
    cz_prom_sample(out, "citizenk_database_up", code == CZ_OK ? 1 : 0, NULL);
    workers(s, out);
    database(s, out);
    (void)err;
    return CZ_OK;
}
