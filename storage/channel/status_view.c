/* SPDX-License-Identifier: Apache-2.0 */
/** Workers and tasks as their own records tell, judged by when *we* heard of them.  A worker that
 *  left (tombstone) or was silent for lease + grace is gone, and a task of a worker that is gone, or
 *  of an earlier life of it, runs nowhere whatever its last record says.
 *
 *  What is read at our own start may be of any age, so those ages count from the end of that
 *  reading; only a record that is far too old by the broker's clock is not waited for. */
#include <stdlib.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/log.h"
#include "cz/util.h"
#include "status_priv.h"

enum {
    DEFAULT_LEASE_MS = 10000,
    GRACE_MS = 2000,
    OLD_MS = 600000,      /* at our start: not waited for */
    FORGET_MS = 86400000, /* of no interest to anybody any more */
    LEFT_MS = 60000,      /* how long one that left is still shown */
    WAIT_STEP_MS = 200,   /* liveness changes without an event */
    MAX_TASK = 100000,
};

struct worker {
    struct cz_worker_info info;
    cz_time heard; /* monotonic */
    int64_t timestamp_ms; /* the broker's, of the last record */
    bool left, old;
};
struct task_set {
    struct cz_task_info *items; /* by number */
    size_t len, cap;
};

static void worker_info_done(struct cz_worker_info *w)
{
    cz_free(w->id);
    cz_free(w->incarnation);
    cz_free(w->host);
    cz_free(w->version);
    cz_free(w->rest);
}

static void worker_free(void *p)
{
    struct worker *w = p;
    worker_info_done(&w->info);
    cz_free(w);
}

static void task_done(struct cz_task_info *t)
{
    cz_free(t->worker);
    cz_free(t->incarnation);
    cz_free(t->error_code);
    cz_free(t->error_text);
}

static void task_set_free(void *p)
{
    struct task_set *s = p;
    for (size_t i = 0; i < s->len; i++)
        task_done(&s->items[i]);
    cz_free(s->items);
    cz_free(s);
}

/* Somebody may wait for this.  @locks v->lock held */
static void touch(struct cz_status_view *v)
{
    v->version++;
    cz_cond_broadcast(&v->changed);
}

/* ---- workers --------------------------------------------------------------------------------------- */

static char *dup_str(const json_t *obj, const char *name)
{
    return cz_strdup(cz_json_str(obj, name, NULL));
}

static void parse_worker(const char *id, const json_t *j, struct cz_worker_info *w)
{
    *w = (struct cz_worker_info){
        .id = cz_strdup(id),
        .incarnation = dup_str(j, "incarnation"),
        .host = dup_str(j, "host"),
        .version = dup_str(j, "version"),
        .rest = dup_str(j, "rest"),
        .started_ms = cz_json_int(j, "started_ms", 0),
        .at_ms = cz_json_int(j, "at_ms", 0),
        .lease_ms = cz_json_int(j, "lease_ms", DEFAULT_LEASE_MS),
        .applied = cz_json_int(j, "applied", 0),
        .epoch = cz_json_int(j, "epoch", 0),
        .tasks = (int)cz_json_int(j, "tasks", 0),
        .capacity = (int)cz_json_int(j, "capacity", 0),
        .queue = cz_json_int(j, "queue", 0),
        .files = cz_json_bool(j, "files", false),
    };
}

/* What a watcher wants to know; heartbeats differ otherwise only in their time. */
static bool same_worker(const struct cz_worker_info *a, const struct cz_worker_info *b)
{
    return cz_streq(a->incarnation, b->incarnation) && cz_streq(a->rest, b->rest) &&
           cz_streq(a->version, b->version) && cz_streq(a->host, b->host) && a->applied == b->applied &&
           a->epoch == b->epoch && a->tasks == b->tasks && a->capacity == b->capacity && a->files == b->files &&
           a->lease_ms == b->lease_ms;
}

static bool is_alive(const struct worker *w, cz_time now)
{
    return !w->left && !w->old && now - w->heard <= w->info.lease_ms * CZ_MS;
}

static bool is_gone(const struct worker *w, cz_time now)
{
    return w->left || w->old || now - w->heard > (w->info.lease_ms + GRACE_MS) * CZ_MS;
}

static void forget_workers(struct cz_status_view *v)
{
    cz_time now = cz_now();
    CZ_MAP_FOREACH (&v->workers, i, e) {
        struct worker *w = e->value;
        cz_time keep = (w->left ? LEFT_MS : FORGET_MS) * CZ_MS;
        if (now - w->heard > keep)
            (void)cz_map_remove(&v->workers, e->key);
    }
}

static void worker_left(struct cz_status_view *v, struct worker *w)
{
    if (!w || w->left)
        return;
    w->left = true;
    w->heard = cz_now();
    cz_log(CZ_LOG_DEBUG, "status", "worker left id=%s", w->info.id);
    touch(v);
}

static void take_worker(struct cz_status_view *v, const char *id, const struct cz_channel_record *r)
{
    struct worker *w = cz_map_get(&v->workers, id);
    if (!r->value) {
        worker_left(v, w);
        return;
    }
    int64_t age = r->timestamp_ms > 0 ? cz_wall_ms() - r->timestamp_ms : 0;
    if (v->reading && age > FORGET_MS)
        return;
    if (!w) {
        w = cz_alloc(sizeof(*w));
        w->heard = cz_now();
        cz_map_put(&v->workers, id, w);
    }
    struct cz_worker_info before = w->info;
    bool was_gone = w->left || w->old;
    parse_worker(id, r->value, &w->info);
    /* A topic that is read once more tells nothing new about who is alive. */
    bool news = !v->reading || r->timestamp_ms <= 0 || r->timestamp_ms > w->timestamp_ms;
    if (news) {
        was_gone = was_gone || is_gone(w, cz_now());
        w->heard = cz_now();
        w->left = false;
        w->old = v->reading && age > OLD_MS;
        w->timestamp_ms = r->timestamp_ms;
    }
    if (was_gone || !before.id || !same_worker(&before, &w->info))
        touch(v);
    worker_info_done(&before);
}

static int by_id(const void *a, const void *b)
{
    const struct cz_worker_info *x = a, *y = b;
    return strcmp(x->id, y->id);
}

void cz_status_workers(struct cz_status_view *v, struct cz_worker_infos *ret)
{
    CZ_LOCKED(&v->lock);
    forget_workers(v);
    cz_time now = cz_now();
    struct cz_worker_info *items = cz_alloc_array(v->workers.len + 1, sizeof(*items));
    size_t n = 0;
    CZ_MAP_FOREACH (&v->workers, i, e) {
        const struct worker *w = e->value;
        struct cz_worker_info *o = &items[n++];
        *o = w->info;
        o->id = cz_strdup(w->info.id);
        o->incarnation = cz_strdup(w->info.incarnation);
        o->host = cz_strdup(w->info.host);
        o->version = cz_strdup(w->info.version);
        o->rest = cz_strdup(w->info.rest);
        o->age_ms = (now - w->heard) / CZ_MS;
        o->alive = is_alive(w, now);
        o->gone = is_gone(w, now);
    }
    qsort(items, n, sizeof(*items), by_id);
    *ret = (struct cz_worker_infos){.items = items, .len = n};
}

void cz_worker_infos_done(struct cz_worker_infos *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->len; i++)
        worker_info_done(&w->items[i]);
    cz_free(w->items);
    *w = (struct cz_worker_infos){0};
}

/* ---- tasks ------------------------------------------------------------------------------------------ */

/* The task with number @n, or where it belongs. */
static size_t find_task(const struct task_set *s, int n)
{
    size_t i = 0;
    while (i < s->len && s->items[i].task < n)
        i++;
    return i;
}

static bool has_task(const struct task_set *s, size_t i, int n)
{
    return i < s->len && s->items[i].task == n;
}

static void drop_task(struct cz_status_view *v, const char *uid, int n)
{
    struct task_set *s = cz_map_get(&v->tasks, uid);
    size_t i = s ? find_task(s, n) : 0;
    if (!s || !has_task(s, i, n))
        return;
    task_done(&s->items[i]);
    s->len--;
    memmove(&s->items[i], &s->items[i + 1], (s->len - i) * sizeof(*s->items));
    if (s->len == 0)
        (void)cz_map_remove(&v->tasks, uid);
    touch(v);
}

static bool parse_task(int n, const json_t *j, struct cz_task_info *t)
{
    const json_t *error = json_object_get(j, "error");
    enum cz_task_state state;
    if (!cz_task_state_parse(cz_json_str(j, "state", ""), &state))
        return false;
    *t = (struct cz_task_info){
        .task = n,
        .state = state,
        .worker = dup_str(j, "worker"),
        .incarnation = dup_str(j, "incarnation"),
        .error_code = dup_str(error, "code"),
        .error_text = dup_str(error, "text"),
        .generation = cz_json_int(j, "generation", 0),
        .mapping_generation = cz_json_int(j, "mapping_generation", 0),
        .since_ms = cz_json_int(j, "since_ms", 0),
        .at_ms = cz_json_int(j, "at_ms", 0),
    };
    return true;
}

static void take_task(struct cz_status_view *v,
                      const char *uid,
                      const char *number,
                      const struct cz_channel_record *r)
{
    int64_t n;
    if (!cz_parse_i64(number, &n) || n < 0 || n > MAX_TASK)
        return;
    if (!r->value) {
        drop_task(v, uid, (int)n);
        return;
    }
    struct cz_task_info t;
    if (!parse_task((int)n, r->value, &t)) {
        CZ_LOG_EVERY(10000, CZ_LOG_WARN, "status", "skipped key=%s: unknown state", r->key);
        return;
    }
    struct task_set *s = cz_map_get(&v->tasks, uid);
    if (!s) {
        s = cz_alloc(sizeof(*s));
        cz_map_put(&v->tasks, uid, s);
    }
    size_t i = find_task(s, t.task);
    if (has_task(s, i, t.task)) {
        task_done(&s->items[i]);
    } else {
        cz_grow(&s->items, &s->cap, s->len, sizeof(*s->items));
        memmove(&s->items[i + 1], &s->items[i], (s->len - i) * sizeof(*s->items));
        s->len++;
    }
    s->items[i] = t;
    touch(v);
}

/* Does the worker that wrote this record still live the life in which it wrote it? */
static bool holds(struct cz_status_view *v, const struct cz_task_info *t, cz_time now)
{
    const struct worker *w = t->worker ? cz_map_get(&v->workers, t->worker) : NULL;
    return w && !is_gone(w, now) && (!t->incarnation || cz_streq(t->incarnation, w->info.incarnation));
}

void cz_status_tasks(struct cz_status_view *v, const char *uid, struct cz_task_infos *ret)
{
    CZ_LOCKED(&v->lock);
    const struct task_set *s = cz_map_get(&v->tasks, uid);
    size_t n = s ? s->len : 0;
    struct cz_task_info *items = cz_alloc_array(n + 1, sizeof(*items));
    cz_time now = cz_now();
    for (size_t i = 0; i < n; i++) {
        const struct cz_task_info *t = &s->items[i];
        items[i] = *t;
        items[i].worker = cz_strdup(t->worker);
        items[i].incarnation = cz_strdup(t->incarnation);
        items[i].error_code = cz_strdup(t->error_code);
        items[i].error_text = cz_strdup(t->error_text);
        /* What is done is done, whoever did it and wherever that worker is now. */
        if (t->state != CZ_TASK_FINISHED && !holds(v, t, now))
            items[i].state = CZ_TASK_UNASSIGNED;
    }
    *ret = (struct cz_task_infos){.items = items, .len = n};
}

void cz_task_infos_below(struct cz_task_infos *t, int limit)
{
    while (t->len > 0 && t->items[t->len - 1].task >= limit)
        task_done(&t->items[--t->len]);
}

void cz_task_infos_done(struct cz_task_infos *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->len; i++)
        task_done(&t->items[i]);
    cz_free(t->items);
    *t = (struct cz_task_infos){0};
}

/* ---- the view itself ----------------------------------------------------------------------------------- */

void cz_status_view_feed(struct cz_status_view *v, const struct cz_channel_record *r)
{
    CZ_CLEANUP(cz_freep) char *copy = NULL;
    const char *a, *b;
    enum cz_channel_kind kind = cz_channel_key(r->key, &copy, &a, &b);
    CZ_LOCKED(&v->lock);
    if (kind == CZ_CH_WORKER)
        take_worker(v, a, r);
    else if (kind == CZ_CH_TASK)
        take_task(v, a, b, r);
    else if (kind == CZ_CH_STATS)
        cz__stats_take(v, a, b, r);
    else if (kind == CZ_CH_GAP)
        cz__gap_take(v, r);
}

static void on_record(void *arg, const struct cz_channel_record *r)
{
    cz_status_view_feed(arg, r);
}

static void on_end(void *arg)
{
    struct cz_status_view *v = arg;
    CZ_LOCKED(&v->lock);
    /* Those that were alive somewhere in what we have just read get their whole lease to say so
     * again; one that we knew before has its age already. */
    if (!v->ready)
        CZ_MAP_FOREACH (&v->workers, i, e)
            ((struct worker *)e->value)->heard = cz_now();
    v->ready = true;
    v->reading = false;
    touch(v);
}

static void on_reset(void *arg)
{
    struct cz_status_view *v = arg;
    CZ_LOCKED(&v->lock);
    v->reading = true;
}

enum cz_err cz_status_view_new(struct cz_cluster *c,
                               const char *group_id,
                               struct cz_status_view **ret,
                               struct cz_error *err)
{
    static const struct cz_follower_ops ops = {
        .on_record = on_record, .on_end = on_end, .on_reset = on_reset};
    struct cz_status_view *v = cz_alloc(sizeof(*v));
    cz_mutex_init(&v->lock);
    cz_cond_init(&v->changed);
    cz_map_init(&v->workers, worker_free);
    cz_map_init(&v->tasks, task_set_free);
    cz_map_init(&v->stats, cz__stats_free);
    cz_map_init(&v->gaps, cz__gap_free);
    enum cz_err code = CZ_OK;
    if (c) {
        CZ_CLEANUP(cz_freep) char *topic = cz_channel_status_topic(group_id);
        v->reading = true;
        code = cz_follower_new(c, topic, topic, &ops, v, &v->follower, err);
    } else {
        v->ready = true;
    }
    if (code) {
        cz_status_view_free(v);
        return code;
    }
    *ret = v;
    return CZ_OK;
}

void cz_status_view_free(struct cz_status_view *v)
{
    if (!v)
        return;
    cz_follower_free(v->follower);
    cz_map_done(&v->workers);
    cz_map_done(&v->tasks);
    cz_map_done(&v->stats);
    cz_map_done(&v->gaps);
    cz_gap_infos_done(&v->new_gaps);
    cz_cond_done(&v->changed);
    cz_mutex_done(&v->lock);
    cz_free(v);
}

bool cz_status_view_ready(struct cz_status_view *v)
{
    CZ_LOCKED(&v->lock);
    return v->ready;
}

static bool all_applied(struct cz_status_view *v, int64_t revision)
{
    bool any = false;
    cz_time now = cz_now();
    CZ_MAP_FOREACH (&v->workers, i, e) {
        const struct worker *w = e->value;
        if (!is_alive(w, now))
            continue;
        if (w->info.applied < revision)
            return false;
        any = true;
    }
    return any;
}

bool cz_status_wait_applied(struct cz_status_view *v, int64_t revision, cz_time deadline)
{
    CZ_LOCKED(&v->lock);
    for (;;) {
        if (v->ready && all_applied(v, revision))
            return true;
        if (cz_remaining_ms(deadline) == 0)
            return false;
        cz_time step = cz_deadline_ms(WAIT_STEP_MS);
        (void)cz_cond_wait(&v->changed, &v->lock, step < deadline ? step : deadline);
    }
}

bool cz_status_wait_change(struct cz_status_view *v, uint64_t *version, cz_time deadline)
{
    CZ_LOCKED(&v->lock);
    while (v->version == *version)
        if (!cz_cond_wait(&v->changed, &v->lock, deadline))
            break;
    bool changed = v->version != *version;
    *version = v->version;
    return changed;
}
