/* SPDX-License-Identifier: Apache-2.0 */
/** A worker's writer to the status topic.  The topic is compacted, so only the newest value of a
 *  key matters: at most one record per key is on its way, and the newest value waits behind it.
 *  That bounds the memory by the number of keys however long a broker is away, and a task state
 *  that fails is sent again until the broker has it.  A record with an `acked` function (the
 *  heartbeat) is never sent again: its age is what the lease is about. */
#include <string.h>

#include "channel_priv.h"
#include "cz/alloc.h"
#include "cz/log.h"
#include "cz/map.h"
#include "cz/thread.h"
#include "cz/topic_writer.h"

enum {
    LINGER_MS = 5,
    MESSAGE_TIMEOUT_MS = 10000,
    POLL_MS = 100,
    RETRY_MS = 500,
    REBUILD_MS = 1000,
    MAX_KEYS = 50000,
};

typedef void (*acked_fn)(void *arg, enum cz_err code);

struct answer {
    acked_fn fn;
    void *arg;
    enum cz_err code;
};
struct slot {
    struct cz_status_writer *w;
    char *key;
    char *bytes; /* newest value; NULL: tombstone */
    size_t len;
    bool dirty;      /* the newest value is not on its way */
    bool in_flight;  /* a value is */
    bool again;      /* what is in flight is the newest value: send it again when it fails */
    cz_time not_before;
    struct answer waiting, flying; /* of the newest value, of the one in flight */
};
struct cz_status_writer {
    struct cz_cluster *cluster;
    char *topic;
    struct cz_thread thread;

    struct cz_mutex lock; /* what follows */
    struct cz_cond idle;
    struct cz_topic_writer *out; /* NULL while it is built anew */
    struct cz_map slots;         /* key → slot: everything that the broker does not have yet */
    struct answer *late;         /* answers of overtaken records, given by the thread */
    size_t late_len, late_cap;
    bool stop;
};

static void slot_free(void *p)
{
    struct slot *s = p;
    cz_free(s->key);
    cz_free(s->bytes);
    cz_free(s);
}

static void give_answer(const struct answer *a)
{
    if (a->fn)
        a->fn(a->arg, a->code);
}

/* Hand the newest value to librdkafka when none of its key is on its way.  @locks w->lock held */
static void push(struct slot *s)
{
    struct cz_status_writer *w = s->w;
    if (!s->dirty || s->in_flight || !w->out || cz_remaining_ms(s->not_before) > 0)
        return;
    const struct cz_topic_record r = {
        .key = {s->key, strlen(s->key)},
        .value = {s->bytes, s->len},
        .opaque = s,
    };
    if (cz_topic_writer_send(w->out, &r, NULL)) {
        s->not_before = cz_deadline_ms(RETRY_MS);
        return;
    }
    s->dirty = false;
    s->in_flight = true;
    s->flying = s->waiting;
    s->waiting = (struct answer){0};
    s->again = s->flying.fn == NULL;
}

static bool is_hopeless(enum cz_err code)
{
    return code == CZ_E_TOO_LARGE || code == CZ_E_INVALID;
}

static void on_delivered(void *arg, void *opaque, const struct cz_error *err)
{
    struct cz_status_writer *w = arg;
    struct slot *s = opaque;
    struct answer a;
    if (err->code)
        CZ_LOG_EVERY(10000, CZ_LOG_WARN, "channel", "status is not written: %s", err->text);
    {
        CZ_LOCKED(&w->lock);
        a = s->flying;
        a.code = err->code;
        s->flying = (struct answer){0};
        s->in_flight = false;
        if (err->code && s->again && !s->dirty && !is_hopeless(err->code)) {
            s->dirty = true;
            s->not_before = cz_deadline_ms(RETRY_MS);
        }
        if (s->dirty && !w->stop)
            push(s);
        else if (!s->dirty)
            cz_map_remove(&w->slots, s->key);
        if (w->slots.len == 0)
            cz_cond_broadcast(&w->idle);
    }
    give_answer(&a);
}

static enum cz_err build(struct cz_status_writer *w, struct cz_topic_writer **ret, struct cz_error *err)
{
    const struct cz_topic_writer_options o = {
        .cluster = w->cluster,
        .client_id = w->topic,
        .topic = w->topic,
        .linger_ms = LINGER_MS,
        .message_timeout_ms = MESSAGE_TIMEOUT_MS,
        .queue_max = MAX_KEYS,
        .delivered = on_delivered,
        .arg = w,
    };
    return cz_topic_writer_new(&o, ret, err);
}

/* A fatal error of the idempotent producer is cured by a new one; what was on its way is sent
 * again, since its failure comes back through on_delivered(). */
static void rebuild(struct cz_status_writer *w)
{
    struct cz_topic_writer *old, *fresh = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    cz_mutex_lock(&w->lock);
    old = w->out;
    w->out = NULL;
    cz_mutex_unlock(&w->lock);
    cz_topic_writer_free(old);
    if (build(w, &fresh, &err))
        CZ_LOG_EVERY(10000, CZ_LOG_WARN, "channel", "status writer: %s", err.text);
    cz_mutex_lock(&w->lock);
    w->out = fresh;
    if (!fresh && !w->stop)
        (void)cz_cond_wait(&w->idle, &w->lock, cz_deadline_ms(REBUILD_MS));
    cz_mutex_unlock(&w->lock);
}

/* What waits and may go now; and the answers of what was overtaken. */
static bool tend(struct cz_status_writer *w)
{
    struct answer *late;
    size_t n;
    bool stop;
    {
        CZ_LOCKED(&w->lock);
        CZ_MAP_FOREACH (&w->slots, i, e)
            push(e->value);
        late = w->late;
        n = w->late_len;
        w->late = NULL;
        w->late_len = w->late_cap = 0;
        stop = w->stop;
    }
    for (size_t i = 0; i < n; i++)
        give_answer(&late[i]);
    cz_free(late);
    return !stop;
}

static void *run(void *arg)
{
    struct cz_status_writer *w = arg;
    while (tend(w)) {
        /* Only this thread replaces w->out, so it may be used without the lock here. */
        if (w->out && !cz_topic_writer_dead(w->out))
            cz_topic_writer_poll(w->out, POLL_MS);
        else
            rebuild(w);
    }
    return NULL;
}

enum cz_err cz_status_writer_new(struct cz_cluster *c,
                                 const char *group_id,
                                 struct cz_status_writer **ret,
                                 struct cz_error *err)
{
    struct cz_status_writer *w = cz_alloc(sizeof(*w));
    w->cluster = cz_cluster_ref(c);
    w->topic = cz_channel_status_topic(group_id);
    cz_mutex_init(&w->lock);
    cz_cond_init(&w->idle);
    cz_map_init(&w->slots, slot_free);
    enum cz_err code = build(w, &w->out, err);
    if (code) {
        cz_status_writer_free(w);
        return code;
    }
    cz_thread_start(&w->thread, "cz-status", run, w);
    *ret = w;
    return CZ_OK;
}

/* The slot of a key, made when needed; NULL: too many.  @locks w->lock held */
static struct slot *slot_of(struct cz_status_writer *w, const char *key)
{
    struct slot *s = cz_map_get(&w->slots, key);
    if (s || w->slots.len >= MAX_KEYS)
        return s;
    s = cz_alloc(sizeof(*s));
    s->w = w;
    s->key = cz_strdup(key);
    cz_map_put(&w->slots, key, s);
    return s;
}

enum cz_err cz_status_writer_send(struct cz_status_writer *w,
                                  const char *key,
                                  const json_t *value,
                                  void (*acked)(void *arg, enum cz_err code),
                                  void *arg,
                                  struct cz_error *err)
{
    char *bytes = NULL;
    size_t len = 0;
    enum cz_err code = value ? cz_channel_encode(value, 0, 0, &bytes, &len, err) : CZ_OK;
    if (code)
        return code;
    CZ_LOCKED(&w->lock);
    struct slot *s = slot_of(w, key);
    if (!s) {
        cz_free(bytes);
        return cz_fail_flags(err, CZ_E_LIMIT, CZ_ERR_RETRIABLE, 0, "over %d status records wait", MAX_KEYS);
    }
    if (s->waiting.fn) {
        cz_grow(&w->late, &w->late_cap, w->late_len, sizeof(*w->late));
        w->late[w->late_len++] =
            (struct answer){.fn = s->waiting.fn, .arg = s->waiting.arg, .code = CZ_E_LIMIT};
    }
    cz_free(s->bytes);
    s->bytes = bytes;
    s->len = len;
    s->dirty = true;
    s->again = false;
    s->waiting = (struct answer){.fn = acked, .arg = arg};
    push(s);
    return CZ_OK;
}

void cz_status_writer_flush(struct cz_status_writer *w, cz_time deadline)
{
    CZ_LOCKED(&w->lock);
    while (w->slots.len > 0 && cz_cond_wait(&w->idle, &w->lock, deadline))
        ;
}

void cz_status_writer_free(struct cz_status_writer *w)
{
    if (!w)
        return;
    cz_mutex_lock(&w->lock);
    w->stop = true;
    cz_cond_broadcast(&w->idle);
    cz_mutex_unlock(&w->lock);
    cz_thread_join(&w->thread);
    cz_topic_writer_free(w->out);
    for (size_t i = 0; i < w->late_len; i++)
        give_answer(&w->late[i]);
    cz_free(w->late);
    CZ_MAP_FOREACH (&w->slots, i, e) {
        struct slot *s = e->value;
        s->waiting.code = CZ_E_UNAVAILABLE;
        give_answer(&s->waiting);
    }
    cz_map_done(&w->slots);
    cz_cond_done(&w->idle);
    cz_mutex_done(&w->lock);
    cz_cluster_unref(w->cluster);
    cz_free(w->topic);
    cz_free(w);
}
