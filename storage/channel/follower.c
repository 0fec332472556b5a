/* SPDX-License-Identifier: Apache-2.0 */
/** Follows one compacted topic for ever.  One thread does: find the topic → take its id, first
 *  offset and high watermark → read → look every two seconds whether it still is that topic.  When
 *  it is not, the consumer is thrown away with everything that librdkafka remembers of the old one.
 *
 *  "The end" is judged by position (the last record + 1, or what the consumer's end event tells),
 *  never by comparing a record's offset with the high watermark: the last offsets of a topic that
 *  is written in transactions are markers, which no reader gets to see. */
#include <stdatomic.h>
#include <string.h>

#include "channel_priv.h"
#include "cz/alloc.h"
#include "cz/consumer.h"
#include "cz/log.h"
#include "cz/thread.h"

enum {
    BATCH = 256,
    POLL_MS = 100,
    RETRY_MS = 250,         /* between looks for a topic that is missing or not reachable */
    CHECK_MS = 2000,        /* between looks whether the topic is still the same */
    SUSPECT_CHECK_MS = 200, /* the same after an error or when a sync asks */
    ASK_MS = 3000,          /* limit of one question to the cluster */
    PREFETCH_KIB = 8192,
    FETCH_WAIT_MS = 100, /* the end behind a commit marker is told by the next empty answer */
};

struct cz_follower {
    struct cz_cluster *cluster;
    struct cz_admin *admin;
    char *topic, *client_id;
    struct cz_follower_ops ops;
    void *arg;
    struct cz_thread thread;
    struct cz_consumer *consumer; /* the thread's own; NULL: not reading */
    int64_t target;               /* high watermark when (re)reading began */
    bool ended;                   /* on_end has been given for this reading */
    bool suspect;                 /* look soon whether the topic is the same */
    cz_time next_check;
    uint64_t undecodable;

    struct cz_mutex lock; /* what follows */
    struct cz_cond moved;
    char topic_id[24]; /* "" = none, or unknown to the broker */
    bool reading, poked, stop;
    int64_t position; /* everything below has been given to on_record */
};

static bool must_stop(struct cz_follower *f)
{
    CZ_LOCKED(&f->lock);
    return f->stop;
}

/* Wait without holding up the end of the follower. */
static void pause_ms(struct cz_follower *f, int ms)
{
    cz_time until = cz_deadline_ms(ms);
    CZ_LOCKED(&f->lock);
    while (!f->stop && cz_cond_wait(&f->moved, &f->lock, until))
        ;
}

static void set_position(struct cz_follower *f, int64_t position)
{
    CZ_LOCKED(&f->lock);
    if (position <= f->position)
        return;
    f->position = position;
    cz_cond_broadcast(&f->moved);
}

static void stop_reading(struct cz_follower *f)
{
    cz_consumer_free(f->consumer);
    f->consumer = NULL;
    CZ_LOCKED(&f->lock);
    f->reading = false;
    cz_cond_broadcast(&f->moved);
}

/* ---- beginning ---------------------------------------------------------------------------------- */

static enum cz_err offset_of(struct cz_follower *f, int64_t which, int64_t *ret, struct cz_error *err)
{
    CZ_CLEANUP(cz_tp_list_done) struct cz_tp_list l = {0};
    cz_tp_list_add(&l, f->topic, 0, which);
    enum cz_err code = cz_admin_list_offsets(f->admin, &l, false, cz_deadline_ms(ASK_MS), err);
    if (!code && l.items[0].code)
        code = cz_fail_flags(err,
                             l.items[0].code,
                             CZ_ERR_RETRIABLE,
                             0,
                             "offsets of %s: %s",
                             f->topic,
                             cz_err_slug(l.items[0].code));
    if (!code)
        *ret = l.items[0].offset;
    return code;
}

/* The topic as it is now; CZ_E_NOT_FOUND: there is none. @ret_id holds CZ__ID bytes. */
static enum cz_err identify(struct cz_follower *f, int ms, char ret_id[24], struct cz_error *err)
{
    struct cz_topic_info *t = NULL;
    const char *name = f->topic;
    enum cz_err code = cz_admin_topics(f->admin, &name, 1, cz_deadline_ms(ms), &t, err);
    if (code)
        return code;
    code = t->code;
    if (code)
        cz_fail_flags(err, code, CZ_ERR_RETRIABLE, 0, "topic %s: %s", name, cz_err_slug(code));
    else
        memcpy(ret_id, t->topic_id, sizeof(t->topic_id));
    cz_topic_infos_free(t, 1);
    return code;
}

static enum cz_err open_consumer(struct cz_follower *f, int64_t from, struct cz_error *err)
{
    const struct cz_consumer_options o = {
        .cluster = f->cluster,
        .client_id = f->client_id,
        .group_id = f->client_id,
        .read_committed = true,
        .prefetch_kib = PREFETCH_KIB,
        .fetch_wait_ms = FETCH_WAIT_MS,
    };
    enum cz_err code = cz_consumer_new(&o, &f->consumer, err);
    if (!code)
        code = cz_consumer_assign(f->consumer, f->topic, 0, from, f, err);
    if (code) {
        cz_consumer_free(f->consumer);
        f->consumer = NULL;
    }
    return code;
}

static enum cz_err begin(struct cz_follower *f, struct cz_error *err)
{
    char id[24] = "";
    int64_t first = 0, target = 0;
    enum cz_err code = identify(f, ASK_MS, id, err);
    if (!code)
        code = offset_of(f, CZ_OFFSET_EARLIEST, &first, err);
    if (!code)
        code = offset_of(f, CZ_OFFSET_LATEST, &target, err);
    if (!code)
        code = open_consumer(f, first, err);
    if (code)
        return code;
    f->target = target;
    f->ended = false;
    f->suspect = false;
    f->next_check = cz_deadline_ms(CHECK_MS);
    cz_log(CZ_LOG_DEBUG, "channel", "reading topic=%s from=%lld to=%lld", f->topic, (long long)first,
           (long long)target);
    CZ_LOCKED(&f->lock);
    memcpy(f->topic_id, id, sizeof(id));
    f->position = first;
    f->reading = true;
    cz_cond_broadcast(&f->moved);
    return CZ_OK;
}

/* ---- reading ------------------------------------------------------------------------------------- */

static void give(struct cz_follower *f, const struct cz_record *m)
{
    struct cz_channel_record r = {0};
    struct cz_error err = CZ_ERROR_INIT;
    if (cz_channel_decode(m->key.data, m->key.len, m->value.data, m->value.len, &r, &err)) {
        f->undecodable++;
        CZ_LOG_EVERY(10000, CZ_LOG_WARN, "channel", "skipped topic=%s offset=%lld count=%llu: %s",
                     f->topic, (long long)m->offset, (unsigned long long)f->undecodable, err.text);
        return;
    }
    r.offset = m->offset;
    r.timestamp_ms = m->timestamp_ms;
    f->ops.on_record(f->arg, &r);
    cz_channel_record_done(&r);
}

static void check_end(struct cz_follower *f, int64_t position)
{
    if (f->ended || position < f->target)
        return;
    f->ended = true;
    if (f->ops.on_end)
        f->ops.on_end(f->arg);
}

/* false: this reading is over, begin again. */
static bool handle(struct cz_follower *f, const struct cz_event *e)
{
    switch (e->kind) {
    case CZ_EVENT_RECORD:
        give(f, &e->record);
        check_end(f, e->record.offset + 1);
        set_position(f, e->record.offset + 1);
        return true;
    case CZ_EVENT_END:
        check_end(f, e->record.offset);
        set_position(f, e->record.offset);
        return true;
    case CZ_EVENT_RESET:
        cz_log(CZ_LOG_WARN, "channel", "topic=%s was cut or made again: %s", f->topic, e->text);
        return false;
    case CZ_EVENT_ERROR:
        cz_log(CZ_LOG_DEBUG, "channel", "topic=%s: %s", f->topic, e->text);
        if (!f->suspect)
            f->next_check = cz_deadline_ms(SUSPECT_CHECK_MS);
        f->suspect = true;
        return true;
    }
    return true;
}

/* Is it still the topic that we read?  An answer that does not come changes nothing. */
static bool same_topic(struct cz_follower *f)
{
    char id[24] = "";
    struct cz_error err = CZ_ERROR_INIT;
    enum cz_err code = identify(f, ASK_MS, id, &err);
    f->suspect = false;
    f->next_check = cz_deadline_ms(CHECK_MS);
    if (code == CZ_E_NOT_FOUND) {
        cz_log(CZ_LOG_WARN, "channel", "topic=%s is gone, waiting for it", f->topic);
        return false;
    }
    if (code)
        return true;
    CZ_LOCKED(&f->lock);
    bool same = strcmp(id, f->topic_id) == 0;
    if (!same)
        cz_log(CZ_LOG_WARN, "channel", "topic=%s is another one now, reading it anew", f->topic);
    return same;
}

static bool check_due(struct cz_follower *f)
{
    CZ_LOCKED(&f->lock);
    bool poked = f->poked;
    f->poked = false;
    return poked || cz_remaining_ms(f->next_check) == 0;
}

static bool read_some(struct cz_follower *f)
{
    struct cz_event events[BATCH];
    size_t n = cz_consumer_poll(f->consumer, events, BATCH, POLL_MS);
    bool go_on = true;
    for (size_t i = 0; i < n; i++) {
        if (go_on)
            go_on = handle(f, &events[i]);
        if (events[i].kind == CZ_EVENT_RECORD)
            cz_message_release(events[i].record.msg);
    }
    return go_on && (!check_due(f) || same_topic(f));
}

/* One reading: from finding the topic until it is another one. */
static void follow(struct cz_follower *f, bool *again)
{
    struct cz_error err = CZ_ERROR_INIT;
    if (f->ops.on_reset && *again) {
        f->ops.on_reset(f->arg);
        *again = false;
    }
    if (begin(f, &err)) {
        CZ_LOG_EVERY(10000, CZ_LOG_INFO, "channel", "waiting for topic=%s: %s", f->topic, err.text);
        pause_ms(f, RETRY_MS);
        return;
    }
    while (!must_stop(f) && read_some(f))
        ;
    stop_reading(f);
    *again = true;
}

static void *run(void *arg)
{
    struct cz_follower *f = arg;
    bool again = false;
    while (!must_stop(f))
        follow(f, &again);
    return NULL;
}

/* ---- interface ------------------------------------------------------------------------------------ */

enum cz_err cz_follower_new(struct cz_cluster *c,
                            const char *topic,
                            const char *client_id,
                            const struct cz_follower_ops *ops,
                            void *arg,
                            struct cz_follower **ret,
                            struct cz_error *err)
{
    struct cz_admin *admin = NULL;
    enum cz_err code = cz_admin_new(c, client_id, &admin, err);
    if (code)
        return code;
    struct cz_follower *f = cz_alloc(sizeof(*f));
    f->cluster = cz_cluster_ref(c);
    f->admin = admin;
    f->topic = cz_strdup(topic);
    f->client_id = cz_strdup(client_id);
    f->ops = *ops;
    f->arg = arg;
    cz_mutex_init(&f->lock);
    cz_cond_init(&f->moved);
    cz_thread_start(&f->thread, "cz-follow", run, f);
    *ret = f;
    return CZ_OK;
}

void cz_follower_free(struct cz_follower *f)
{
    if (!f)
        return;
    cz_mutex_lock(&f->lock);
    f->stop = true;
    cz_cond_broadcast(&f->moved);
    cz_mutex_unlock(&f->lock);
    cz_thread_join(&f->thread);
    cz_consumer_free(f->consumer);
    cz_admin_free(f->admin);
    cz_cluster_unref(f->cluster);
    cz_cond_done(&f->moved);
    cz_mutex_done(&f->lock);
    cz_free(f->topic);
    cz_free(f->client_id);
    cz_free(f);
}

/* Wait until the topic @id has been read up to @end. */
static bool wait_for(struct cz_follower *f, const char *id, int64_t end, cz_time deadline)
{
    CZ_LOCKED(&f->lock);
    for (;;) {
        bool same = f->reading && strcmp(id, f->topic_id) == 0;
        if (same && f->position >= end)
            return true;
        if (f->stop)
            return false;
        if (!same && f->reading)
            f->poked = true; /* it reads a topic that is no more: let it look at once */
        if (!cz_cond_wait(&f->moved, &f->lock, deadline))
            return false;
    }
}

enum cz_err cz_follower_sync(struct cz_follower *f, cz_time deadline, struct cz_error *err)
{
    for (;;) {
        char id[24] = "", after[24] = "";
        int64_t end = 0;
        int ms = cz_remaining_ms(deadline);
        struct cz_error e = CZ_ERROR_INIT;
        enum cz_err code = identify(f, ms < 0 || ms > ASK_MS ? ASK_MS : ms, id, &e);
        if (!code)
            code = offset_of(f, CZ_OFFSET_LATEST, &end, &e);
        if (!code && !wait_for(f, id, end, deadline))
            return cz_fail_flags(err, CZ_E_TIMEOUT, CZ_ERR_RETRIABLE, 0,
                                 "topic %s was not read to its end in time", f->topic);
        /* The end may have been that of a topic which came in between. */
        if (!code)
            code = identify(f, ASK_MS, after, &e);
        if (!code && strcmp(id, after) == 0)
            return CZ_OK;
        if (code && cz_remaining_ms(deadline) == 0)
            return cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, e.detail, "%s", e.text);
        if (code)
            pause_ms(f, RETRY_MS);
    }
}
