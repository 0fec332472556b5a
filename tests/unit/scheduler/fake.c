/* SPDX-License-Identifier: Apache-2.0 */
/* See fake.h. */
#include "fake.h"

#include <stdio.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/json.h"

struct fake_writer {
    struct fake_kafka *k;
    int gen; /* 0: closed */
};

void fake_init(struct fake_kafka *k)
{
    memset(k, 0, sizeof(*k));
    cz_mutex_init(&k->lock);
}

static void clear(struct fake_kafka *k)
{
    for (size_t i = 0; i < k->len; i++) {
        cz_free(k->log[i].key);
        json_decref(k->log[i].value);
    }
    k->len = 0;
}

void fake_done(struct fake_kafka *k)
{
    clear(k);
    cz_free(k->log);
    cz_mutex_done(&k->lock);
}

static void deliver(struct fake_kafka *k, const struct fake_record *r)
{
    for (int i = 0; i < k->views_len; i++) {
        struct cz_channel_record c = {
            .key = r->key, .value = r->value, .revision = r->revision, .epoch = r->epoch};
        cz_view_ops.on_record(k->views[i], &c);
    }
}

static void append(struct fake_kafka *k, const struct cz_channel_write *w, int64_t epoch)
{
    cz_grow(&k->log, &k->cap, k->len, sizeof(*k->log));
    struct fake_record *r = &k->log[k->len++];
    *r = (struct fake_record){.key = cz_strdup(w->key),
                              .value = w->value ? json_deep_copy(w->value) : NULL,
                              .revision = w->revision,
                              .epoch = epoch,
                              .txn = k->txn};
    deliver(k, r);
}

static void set_topic(struct fake_kafka *k, const char *name, int partitions)
{
    int i = 0;
    while (i < k->topics_len && strcmp(k->topics[i].name, name) != 0)
        i++;
    if (i == k->topics_len)
        snprintf(k->topics[k->topics_len++].name, sizeof(k->topics[0].name), "%s", name);
    if (k->topics[i].partitions == 0)
        k->topics[i].id++;
    k->topics[i].partitions = partitions;
}

void fake_topic(struct fake_kafka *k, const char *name, int partitions)
{
    CZ_LOCKED(&k->lock);
    set_topic(k, name, partitions);
}

static enum cz_err
fake_ensure(void *arg, cz_time deadline, bool *ret_created, struct cz_error *err)
{
    (void)deadline;
    struct fake_kafka *k = ((struct fake_writer *)arg)->k;
    CZ_LOCKED(&k->lock);
    if (k->down)
        return cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0, "broker is down");
    *ret_created = !k->exists;
    if (k->exists)
        return CZ_OK;
    clear(k);
    k->exists = true;
    k->incarnation++;
    set_topic(k, "t.config", 1);
    set_topic(k, "t.status", 1);
    for (int i = 0; i < k->views_len; i++) {
        cz_view_ops.on_reset(k->views[i]);
        cz_view_ops.on_end(k->views[i]);
    }
    return CZ_OK;
}

static enum cz_err fake_open(void *arg, cz_time deadline, struct cz_error *err)
{
    (void)deadline, (void)err;
    struct fake_writer *w = arg;
    CZ_LOCKED(&w->k->lock);
    w->gen = ++w->k->gen;
    return CZ_OK;
}

static bool refused(const struct fake_kafka *k, const struct cz_channel_write *w)
{
    char *text = w->value ? cz_json_text(w->value, false) : NULL;
    bool too_large = text && k->too_large && strlen(text) > k->too_large;
    cz_free(text);
    return too_large;
}

static enum cz_err fake_publish(void *arg,
                                const struct cz_channel_write *w,
                                size_t n,
                                int64_t epoch,
                                cz_time deadline,
                                struct cz_error *err)
{
    (void)deadline;
    struct fake_writer *me = arg;
    struct fake_kafka *k = me->k;
    CZ_LOCKED(&k->lock);
    if (me->gen != k->gen)
        return cz_fail_flags(err, CZ_E_FENCED, CZ_ERR_FATAL, 0, "fenced");
    if (!k->exists || k->down)
        return cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0, "no such topic");
    if (k->fail_next > 0) {
        k->fail_next--;
        return cz_fail_flags(err, CZ_E_KAFKA, CZ_ERR_RETRIABLE | CZ_ERR_FATAL, 0,
                             "indefinite outcome");
    }
    for (size_t i = 0; i < n; i++) {
        if (refused(k, &w[i]))
            return cz_fail(err, CZ_E_TOO_LARGE, "message too large");
    }
    k->txn++;
    for (size_t i = 0; i < n; i++)
        append(k, &w[i], epoch);
    return CZ_OK;
}

static void fake_close(void *arg)
{
    ((struct fake_writer *)arg)->gen = 0;
}

static enum cz_err fake_sync(void *arg, cz_time deadline, struct cz_error *err)
{
    (void)arg, (void)deadline, (void)err;
    return CZ_OK; /* views see commits at once */
}

static void fake_free(void *arg)
{
    cz_free(arg);
}

struct cz_sched_bus fake_bus(struct fake_kafka *k, struct cz_view *view)
{
    struct fake_writer *w = cz_alloc(sizeof(*w));
    w->k = k;
    CZ_LOCKED(&k->lock);
    k->views[k->views_len++] = view;
    for (size_t i = 0; i < k->len; i++) {
        struct cz_channel_record c = {.key = k->log[i].key,
                                      .value = k->log[i].value,
                                      .revision = k->log[i].revision,
                                      .epoch = k->log[i].epoch};
        cz_view_ops.on_record(view, &c);
    }
    cz_view_ops.on_end(view);
    return (struct cz_sched_bus){.arg = w,
                                 .ensure = fake_ensure,
                                 .open = fake_open,
                                 .publish = fake_publish,
                                 .close = fake_close,
                                 .sync = fake_sync,
                                 .free = fake_free};
}

void fake_delete_config(struct fake_kafka *k)
{
    CZ_LOCKED(&k->lock);
    k->exists = false;
    set_topic(k, "t.config", 0);
}

void fake_intrude(struct fake_kafka *k, const char *key, const char *json)
{
    json_t *v = json ? json_loads(json, 0, NULL) : NULL;
    struct cz_channel_write w = {.key = key, .value = v};
    cz_mutex_lock(&k->lock);
    append(k, &w, 0);
    cz_mutex_unlock(&k->lock);
    json_decref(v);
}

enum cz_err fake_topics(void *arg,
                        struct cz_cluster *c,
                        const char *const *names,
                        size_t n,
                        cz_time deadline,
                        struct cz_topic_info **ret,
                        struct cz_error *err)
{
    (void)c, (void)deadline;
    struct fake_kafka *k = arg;
    CZ_LOCKED(&k->lock);
    if (k->down)
        return cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0, "broker is down");
    struct cz_topic_info *t = cz_alloc_array(n, sizeof(*t));
    for (size_t i = 0; i < n; i++) {
        t[i].name = cz_strdup(names[i]);
        t[i].code = CZ_E_NOT_FOUND;
        for (int j = 0; j < k->topics_len; j++) {
            if (strcmp(k->topics[j].name, names[i]) != 0 || k->topics[j].partitions == 0)
                continue;
            t[i].code = CZ_OK;
            t[i].partitions = k->topics[j].partitions;
            snprintf(t[i].topic_id, sizeof(t[i].topic_id), "id%d", k->topics[j].id);
        }
    }
    *ret = t;
    return CZ_OK;
}

json_t *fake_get(struct fake_kafka *k, const char *key, int64_t *ret_revision)
{
    CZ_LOCKED(&k->lock);
    for (size_t i = k->len; i-- > 0;) {
        if (strcmp(k->log[i].key, key) != 0)
            continue;
        if (ret_revision)
            *ret_revision = k->log[i].revision;
        return json_deep_copy(k->log[i].value);
    }
    return NULL;
}

size_t fake_count(struct fake_kafka *k, const char *key)
{
    CZ_LOCKED(&k->lock);
    size_t n = 0;
    for (size_t i = 0; i < k->len; i++)
        n += strcmp(k->log[i].key, key) == 0;
    return n;
}
