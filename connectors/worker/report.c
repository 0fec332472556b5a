/* SPDX-License-Identifier: Apache-2.0 */
/* What this worker tells on the status topic: heartbeat (and by its acknowledgement the lease),
 * task states, counters.  Counters are totals that never run backwards: what earlier tasks of this
 * process counted is kept in w_base, and what this worker counted before its restart is read back
 * from the status topic at start. */
#include <string.h>
#include <unistd.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/log.h"
#include "cz/util.h"
#include "worker_priv.h"

enum { HEARTBEAT_MS = 1000, STATS_MS = 1000, SYNC_MS = 10000 };

/* ---- heartbeat and lease -------------------------------------------------------------------- */

struct beat {
    struct worker *w;
    cz_time sent;
};

static void on_beat(void *arg, enum cz_err code)
{
    struct beat *b = arg;
    /* Counted from the sending: the leader counts from the arrival, which is later. */
    if (code == CZ_OK) {
        int64_t until = b->sent + b->w->o.lease_ms * CZ_MS;
        if (until > atomic_load(&b->w->lease_until))
            atomic_store(&b->w->lease_until, until);
    }
    cz_free(b);
}

static int count_tasks(const struct worker *w)
{
    int n = 0;
    CZ_MAP_FOREACH(&w->mappings, i, e)
    {
        for (struct w_task *t = ((struct w_mapping *)e->value)->tasks; t; t = t->next)
            n += t->wanted;
    }
    return n;
}

void w_heartbeat(struct worker *w, bool now)
{
    cz_time time = cz_now();
    if (!now && time < w->heartbeat_at)
        return;
    w->heartbeat_at = time + HEARTBEAT_MS * CZ_MS;
    char host[256] = "";
    (void)gethostname(host, sizeof host - 1);
    int64_t applied = !w->synced ? 0 : w->unsettled ? w->announced : w->applied;
    json_t *j = json_object();
    cz_json_set_str(j, "id", w->o.id);
    cz_json_set_str(j, "incarnation", w->incarnation);
    cz_json_set_str(j, "host", host);
    cz_json_set_str(j, "version", cz_version);
    cz_json_set_str(j, "rest", w->o.listen);
    cz_json_set_i64(j, "applied", applied);
    cz_json_set_i64(j, "epoch", w->epoch);
    json_object_set_new(j, "started_ms", json_integer(w->started_ms));
    json_object_set_new(j, "capacity", json_integer(w->o.capacity));
    json_object_set_new(j, "files", json_boolean(w->files != NULL));
    json_object_set_new(j, "lease_ms", json_integer(w->o.lease_ms));
    json_object_set_new(j, "tasks", json_integer(count_tasks(w)));
    json_object_set_new(j, "queue", json_integer(w_producers_queued(w)));
    json_object_set_new(j, "at_ms", json_integer(cz_wall_ms()));
    struct beat *b = cz_alloc(sizeof *b);
    *b = (struct beat){w, time};
    CZ_CLEANUP(cz_freep) char *key = cz_channel_make_key(CZ_CH_WORKER, w->o.id, NULL);
    struct cz_error err = CZ_ERROR_INIT;
    if (cz_status_writer_send(w->status, key, j, on_beat, b, &err)) {
        CZ_LOG_EVERY(10000, CZ_LOG_WARN, "worker", "heartbeat: %s", err.text);
        cz_free(b);
    } else {
        w->announced = applied;
    }
    json_decref(j);
}

static void send(struct worker *w, const char *key, const json_t *value)
{
    struct cz_error err = CZ_ERROR_INIT;
    if (cz_status_writer_send(w->status, key, value, NULL, NULL, &err))
        CZ_LOG_EVERY(10000, CZ_LOG_WARN, "worker", "status %s: %s", key, err.text);
}

void w_leave(struct worker *w)
{
    CZ_CLEANUP(cz_freep) char *key = cz_channel_make_key(CZ_CH_WORKER, w->o.id, NULL);
    send(w, key, NULL);
    cz_status_writer_flush(w->status, cz_deadline_ms(3000));
}

/* ---- tasks ---------------------------------------------------------------------------------- */

void w_report_task(struct worker *w, struct w_task *t)
{
    t->published = true;
    json_t *j = json_object();
    cz_json_set_str(j, "uid", t->mapping->uid);
    json_object_set_new(j, "task", json_integer(t->n));
    cz_json_set_str(j, "state", cz_task_state_name(t->state));
    cz_json_set_str(j, "worker", w->o.id);
    cz_json_set_str(j, "incarnation", w->incarnation);
    cz_json_set_i64(j, "generation", t->generation);
    cz_json_set_i64(j, "mapping_generation", cz_json_int(t->mapping->record, "generation", 0));
    if (t->error.code) {
        json_t *e = json_object();
        cz_json_set_str(e, "code", cz_err_slug(t->error.code));
        cz_json_set_str(e, "text", t->error.text);
        json_object_set_new(j, "error", e);
    }
    json_object_set_new(j, "since_ms", json_integer(t->since_ms));
    json_object_set_new(j, "at_ms", json_integer(cz_wall_ms()));
    CZ_CLEANUP(cz_freep) char *n = cz_strf("%d", t->n);
    CZ_CLEANUP(cz_freep) char *key = cz_channel_make_key(CZ_CH_TASK, t->mapping->uid, n);
    send(w, key, j);
    json_decref(j);
}

/* Not overwritten by what the task does next: the leader makes an audit event of it. */
void w_report_gap(struct worker *w, const struct w_mapping *m, const struct w_gap *g)
{
    json_t *j = json_object();
    cz_json_set_str(j, "uid", m->uid);
    cz_json_set_str(j, "topic", g->topic);
    json_object_set_new(j, "partition", json_integer(g->partition));
    cz_json_set_str(j, "kind", w_gap_kind_name(g->kind));
    cz_json_set_str(j, "action", w_gap_action_name(g->action));
    cz_json_set_i64(j, "from", g->from);
    cz_json_set_i64(j, "to", g->to);
    cz_json_set_i64(j, "missing", g->missing);
    cz_json_set_str(j, "worker", w->o.id);
    json_object_set_new(j, "at_ms", json_integer(cz_wall_ms()));
    CZ_CLEANUP(cz_freep) char *part = cz_strf("%s/%d", g->topic, g->partition);
    CZ_CLEANUP(cz_freep) char *key = cz_channel_make_key(CZ_CH_GAP, m->uid, part);
    send(w, key, j);
    json_decref(j);
}

/* ---- counters ------------------------------------------------------------------------------- */

struct w_base *w_base_get(struct w_mapping *m, const char *topic, int32_t partition)
{
    CZ_CLEANUP(cz_freep) char *key = cz_strf("%s/%d", topic, partition);
    struct w_base *b = cz_map_get(&m->base, key);
    if (b)
        return b;
    b = cz_alloc(sizeof *b);
    b->topic = cz_strdup(topic);
    b->partition = partition;
    b->n = (struct cz_partition_counters){
        .position = -1, .end = -1, .committed = -1, .begin = -1, .stop = -1};
    cz_map_put(&m->base, key, b);
    return b;
}

static void add(struct cz_partition_counters *into, const struct cz_partition_counters *n)
{
    into->in += n->in;
    into->out += n->out;
    into->bytes_in += n->bytes_in;
    into->bytes_out += n->bytes_out;
    for (int d = 0; d < CZ_DROP_COUNT_; d++)
        into->dropped[d] += n->dropped[d];
    into->position = n->position;
    into->committed = n->committed;
    into->newest_ms = n->newest_ms > 0 ? n->newest_ms : into->newest_ms;
    into->begin = n->begin;
    into->stop = n->stop;
    if (n->end > into->end)
        into->end = n->end;
}

void w_bank(struct w_mapping *m, struct cz_task *t, int64_t generation)
{
    struct cz_task_counters c = {0};
    cz_task_counters(t, &c);
    for (size_t i = 0; i < c.len; i++) {
        struct w_base *b = w_base_get(m, c.partitions[i].topic, c.partitions[i].partition);
        int64_t position = b->n.position;
        add(&b->n, &c.partitions[i]);
        if (generation > 0)
            b->resume_generation = generation;
        else
            b->n.position = position; /* of a task that is long replaced */
    }
    cz_histogram_merge(&m->base_delay, &c.delay);
    m->base_held_ms += c.held_ms;
    cz_free(c.partitions);
}

static json_t *partition_json(const char *topic, int32_t partition, const struct cz_partition_counters *n)
{
    json_t *j = json_object();
    cz_json_set_str(j, "topic", topic);
    json_object_set_new(j, "partition", json_integer(partition));
    json_object_set_new(j, "in", json_integer(n->in));
    json_object_set_new(j, "out", json_integer(n->out));
    json_object_set_new(j, "bytes_in", json_integer(n->bytes_in));
    json_object_set_new(j, "bytes_out", json_integer(n->bytes_out));
    json_t *dropped = json_object();
    for (int d = 0; d < CZ_DROP_COUNT_; d++) {
        if (n->dropped[d] > 0)
            json_object_set_new(dropped, cz_drop_name((enum cz_drop)d), json_integer(n->dropped[d]));
    }
    json_object_set_new(j, "dropped", dropped);
    cz_json_set_i64(j, "position", n->position);
    cz_json_set_i64(j, "end", n->end);
    if (n->stop >= 0) {
        cz_json_set_i64(j, "begin", n->begin);
        cz_json_set_i64(j, "stop", n->stop);
    }
    int64_t end = n->stop >= 0 ? n->stop : n->end; /* what there is to do */
    int64_t lag = end >= 0 && n->position >= 0 ? end - n->position : -1;
    json_object_set_new(j, "lag", json_integer(lag < -1 ? 0 : lag));
    if (n->newest_ms > 0)
        cz_json_set_i64(j, "newest_ms", n->newest_ms);
    return j;
}

static json_t *delay_json(const struct cz_histogram *h)
{
    json_t *j = json_object(), *counts = json_array();
    for (int i = 0; i < CZ_HIST_BUCKETS; i++)
        json_array_append_new(counts, json_integer((json_int_t)h->count[i]));
    json_object_set_new(j, "counts", counts);
    json_object_set_new(j, "sum_ms", json_integer(h->sum_ms));
    json_object_set_new(j, "total", json_integer((json_int_t)h->total));
    return j;
}

/* All partitions that this worker ever counted for the mapping: totals are summed over workers. */
static json_t *mapping_stats(struct worker *w, struct w_mapping *m)
{
    struct cz_map live = CZ_MAP_INIT(cz_free);
    struct cz_histogram delay = m->base_delay;
    int64_t held_ms = m->base_held_ms;
    bool held = false;
    for (struct w_task *t = m->tasks; t; t = t->next) {
        if (!t->task)
            continue;
        struct cz_task_counters c = {0};
        cz_task_counters(t->task, &c);
        cz_histogram_merge(&delay, &c.delay);
        held |= c.held;
        held_ms += c.held_ms;
        for (size_t i = 0; i < c.len; i++) {
            (void)w_base_get(m, c.partitions[i].topic, c.partitions[i].partition);
            CZ_CLEANUP(cz_freep) char *key =
                cz_strf("%s/%d", c.partitions[i].topic, c.partitions[i].partition);
            cz_map_put(&live, key, cz_memdup(&c.partitions[i], sizeof c.partitions[i]));
        }
        cz_free(c.partitions);
    }
    json_t *parts = json_array();
    CZ_MAP_FOREACH(&m->base, i, e)
    {
        const struct w_base *b = e->value;
        struct cz_partition_counters n = b->n;
        const struct cz_partition_counters *now = cz_map_get(&live, e->key);
        if (now)
            add(&n, now);
        json_array_append_new(parts, partition_json(b->topic, b->partition, &n));
    }
    cz_map_done(&live);
    json_t *j = json_object();
    cz_json_set_str(j, "worker", w->o.id);
    cz_json_set_str(j, "uid", m->uid);
    json_object_set_new(j, "at_ms", json_integer(cz_wall_ms()));
    json_object_set_new(j, "partitions", parts);
    json_object_set_new(j, "delay", delay_json(&delay));
    json_object_set_new(j, "held", json_boolean(held));
    cz_json_set_i64(j, "held_ms", held_ms);
    return j;
}

static uint64_t stats_version(const struct w_mapping *m)
{
    uint64_t v = 0;
    for (struct w_task *t = m->tasks; t; t = t->next) {
        if (!t->task)
            continue;
        struct cz_task_counters c = {0};
        cz_task_counters(t->task, &c);
        v = v * 31 + c.version + 1;
        cz_free(c.partitions);
    }
    return v;
}

void w_report_stats(struct worker *w)
{
    if (cz_now() < w->stats_at)
        return;
    w->stats_at = cz_deadline_ms(STATS_MS);
    CZ_MAP_FOREACH(&w->mappings, i, e)
    {
        struct w_mapping *m = e->value;
        uint64_t v = stats_version(m);
        if ((m->stats_sent && v == m->stats_version) || (!m->tasks && m->base.len == 0))
            continue;
        m->stats_version = v;
        m->stats_sent = true;
        CZ_CLEANUP(cz_freep) char *key = cz_channel_make_key(CZ_CH_STATS, w->o.id, m->uid);
        json_t *j = mapping_stats(w, m);
        send(w, key, j);
        json_decref(j);
    }
}

static void forget_gaps(struct worker *w, const struct w_mapping *m, const json_t *partitions)
{
    size_t i;
    json_t *p;
    json_array_foreach(partitions, i, p)
    {
        CZ_CLEANUP(cz_freep) char *part =
            cz_strf("%s/%d", cz_json_str(p, "topic", ""), (int)cz_json_int(p, "partition", 0));
        CZ_CLEANUP(cz_freep) char *key = cz_channel_make_key(CZ_CH_GAP, m->uid, part);
        send(w, key, NULL);
    }
}

void w_report_gone(struct worker *w, struct w_mapping *m)
{
    CZ_CLEANUP(cz_freep) char *stats = cz_channel_make_key(CZ_CH_STATS, w->o.id, m->uid);
    send(w, stats, NULL);
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(m->assignment, "tasks"), i, item)
    {
        CZ_CLEANUP(cz_freep) char *n = cz_strf("%d", (int)cz_json_int(item, "task", 0));
        CZ_CLEANUP(cz_freep) char *key = cz_channel_make_key(CZ_CH_TASK, m->uid, n);
        send(w, key, NULL);
        forget_gaps(w, m, json_object_get(item, "partitions"));
    }
}

/* ---- totals from before our restart ---------------------------------------------------------- */

static void load_partition(struct w_mapping *m, const json_t *p)
{
    struct w_base *b = w_base_get(m, cz_json_str(p, "topic", ""), (int32_t)cz_json_int(p, "partition", 0));
    b->n.in = cz_json_int(p, "in", 0);
    b->n.out = cz_json_int(p, "out", 0);
    b->n.bytes_in = cz_json_int(p, "bytes_in", 0);
    b->n.bytes_out = cz_json_int(p, "bytes_out", 0);
    for (int d = 0; d < CZ_DROP_COUNT_; d++)
        b->n.dropped[d] = cz_json_int(json_object_get(p, "dropped"), cz_drop_name((enum cz_drop)d), 0);
    b->n.position = cz_json_int(p, "position", -1);
    b->n.end = cz_json_int(p, "end", -1);
    b->n.begin = cz_json_int(p, "begin", -1);
    b->n.stop = cz_json_int(p, "stop", -1);
}

static void on_old_status(void *arg, const struct cz_channel_record *r)
{
    struct worker *w = arg;
    const char *worker = NULL, *uid = NULL;
    CZ_CLEANUP(cz_freep) char *copy = NULL;
    if (cz_channel_key(r->key, &copy, &worker, &uid) != CZ_CH_STATS || strcmp(worker, w->o.id) != 0)
        return;
    cz_map_remove(&w->mappings, uid);
    if (!r->value)
        return;
    struct w_mapping *m = w_mapping_get(w, uid, true);
    size_t i;
    json_t *p;
    json_array_foreach(json_object_get(r->value, "partitions"), i, p) load_partition(m, p);
    const json_t *delay = json_object_get(r->value, "delay");
    const json_t *counts = json_object_get(delay, "counts");
    for (size_t k = 0; k < CZ_HIST_BUCKETS; k++)
        m->base_delay.count[k] = (uint64_t)json_integer_value(json_array_get(counts, k));
    m->base_held_ms = cz_json_int(r->value, "held_ms", 0);
    m->base_delay.sum_ms = cz_json_int(delay, "sum_ms", 0);
    m->base_delay.total = (uint64_t)cz_json_int(delay, "total", 0);
}

static void nothing(void *arg)
{
    (void)arg;
}

void w_load_totals(struct worker *w)
{
    static const struct cz_follower_ops ops = {on_old_status, nothing, nothing};
    CZ_CLEANUP(cz_freep) char *topic = cz_channel_status_topic(w->o.group_id);
    struct cz_follower *f = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    if (cz_follower_new(w->control, topic, w->o.id, &ops, w, &f, &err) ||
        cz_follower_sync(f, cz_deadline_ms(SYNC_MS), &err))
        cz_log(CZ_LOG_WARN, "worker", "earlier counters cannot be read, counting from 0: %s", err.text);
    cz_follower_free(f);
}
