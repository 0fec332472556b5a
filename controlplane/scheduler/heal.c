/* SPDX-License-Identifier: Apache-2.0 */
/* Healing: the config topic is compared with what it should hold, and what differs is published
 * in one transaction.  At the start of a leadership, after the topic was deleted or created
 * again, and when the topic turns out to hold something that nobody of ours wrote. */
#include <stdlib.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/log.h"
#include "scheduler_priv.h"

#define ENSURE_TIMEOUT_MS 5000
#define SYNC_TIMEOUT_MS 20000
#define QUIET_MS 2000 /* nothing published or read for so long: comparing is fair */

struct heal {
    struct cz_lead *L;
    bool full; /* publish all: the topic is empty, whatever the view says */
    cz_time began, ensured, opened, read; /* when these steps were done, for the log */
    int64_t seq;
    struct cz_model desired;
    struct cz_lead_writes writes;
};

/* ---- what should be there -------------------------------------------------------------------
 */

static uint64_t found_hash(const struct heal *h, const char *key, bool *ret_there)
{
    const struct cz_model_entry *e = h->full ? NULL : cz_model_get(&h->L->s->view.now, key);
    *ret_there = e != NULL;
    return e ? e->hash : 0;
}

static void want(struct heal *h, const char *key, const json_t *value, int64_t revision)
{
    bool there;
    uint64_t hash = cz_model_hash(value, NULL);
    uint64_t found = found_hash(h, key, &there);
    cz_model_put(&h->desired, key, value, revision, hash);
    if (!there || found != hash)
        cz__lead_writes_add(&h->writes, key, value, revision);
}

/* In one leadership our own assignments count; a new leader goes on from the topic's. */
static void want_assignment(struct heal *h, const char *uid)
{
    const struct cz_model *from = h->L->healed ? &h->L->led : &h->L->s->view.now;
    const struct cz_model_entry *e = cz_model_get_uid(from, CZ_CH_ASSIGNMENT, uid);
    if (!e || !e->assignment)
        return;
    char *key = cz_channel_make_key(CZ_CH_ASSIGNMENT, uid, NULL);
    json_t *value = cz_assignment_render(e->assignment, uid);
    want(h, key, value, h->seq);
    json_decref(value);
    cz_free(key);
}

static int by_seq(const void *a, const void *b)
{
    const struct cz_config_record *x = a;
    const struct cz_config_record *y = b;
    return x->seq != y->seq ? (x->seq < y->seq ? -1 : 1) : strcmp(x->key, y->key);
}

/* In the order of the changes, as the outbox does it: a reader who has seen a revision has seen
 * all before it. */
static void want_all(struct heal *h, struct cz_config_record_list *config)
{
    if (config->len > 1)
        qsort(config->items, config->len, sizeof(*config->items), by_seq);
    for (size_t i = 0; i < config->len; i++) {
        if (config->items[i].value)
            want(h, config->items[i].key, config->items[i].value, config->items[i].seq);
    }
    for (size_t i = 0; i < config->len; i++) {
        if (config->items[i].value && strncmp(config->items[i].key, "mapping/", 8) == 0)
            want_assignment(h, config->items[i].key + 8);
    }
}

static void drop_strangers(struct heal *h)
{
    CZ_MAP_FOREACH (&h->L->s->view.now.entries, i, e) {
        if (strcmp(e->key, "settings") != 0 && !cz_model_get(&h->desired, e->key))
            cz__lead_writes_add(&h->writes, e->key, NULL, h->seq);
    }
}

/* ---- doing it -------------------------------------------------------------------------------
 */

/* What could not be published is not in the topic, so it must not be in the model of it either.
 */
static void take_over_model(struct heal *h)
{
    struct cz_lead *L = h->L;
    for (size_t i = 0; i < h->writes.len; i++) {
        const struct cz_lead_write *w = &h->writes.items[i];
        bool there;
        uint64_t found = found_hash(h, w->key, &there);
        struct cz_model_entry *e = cz_model_get(&h->desired, w->key);
        if (!w->bad)
            continue;
        if (!there)
            cz_model_put(&h->desired, w->key, NULL, 0, 0);
        else if (e)
            e->hash = found;
    }
    const struct cz_lead_write *marker = &h->writes.items[h->writes.len - 1];
    cz_model_put(&h->desired, marker->key, marker->value, marker->revision, marker->hash);
    cz_model_done(&L->led);
    L->led = h->desired;
    cz_model_init(&h->desired);
    CZ_MAP_FOREACH (&L->led.entries, i, e)
        cz_view_tell_watch(L->s->watch, e->key, e->value);
}

static enum cz_err publish_difference(struct heal *h, struct cz_error *err)
{
    struct cz_lead *L = h->L;
    struct cz_config_record_list config = {0};
    enum cz_err rc = cz_store_config(L->s->store, &config, &h->seq, err);
    if (rc != CZ_OK)
        return rc;
    cz_mutex_lock(&L->s->view.lock);
    if (!L->healed) /* the store may come from a backup: readers refuse a lower epoch for ever
                     */
        L->stamp = L->s->view.epoch >= L->epoch ? L->s->view.epoch + 1 : L->epoch;
    want_all(h, &config);
    drop_strangers(h);
    cz_mutex_unlock(&L->s->view.lock);
    cz_config_record_list_done(&config);
    size_t differ = h->writes.len;
    cz__lead_marker(L, &h->writes, h->seq, h->desired.entries.len);
    rc = cz__lead_publish(L, &h->writes, err);
    if (rc != CZ_OK)
        return rc;
    cz_mutex_lock(&L->s->view.lock);
    take_over_model(h);
    cz_mutex_unlock(&L->s->view.lock);
    cz_log(CZ_LOG_INFO, "scheduler",
           "config topic compared%s: %zu of %zu records published epoch=%lld revision=%lld"
           " ensure_ms=%d open_ms=%d read_ms=%d publish_ms=%d",
           h->full ? " (it is new)" : "", differ, L->led.entries.len, (long long)L->stamp,
           (long long)h->seq, (int)((h->ensured - h->began) / CZ_MS),
           (int)((h->opened - h->ensured) / CZ_MS), (int)((h->read - h->opened) / CZ_MS),
           (int)((cz_now() - h->read) / CZ_MS));
    CZ_LOCKED(&L->s->lock);
    L->s->heals_total += differ > 0;
    return CZ_OK;
}

static enum cz_err read_to_end(struct cz_lead *L, struct cz_error *err)
{
    struct cz_sched_bus *b = &L->s->bus;
    enum cz_err rc = b->sync(b->arg, cz_deadline_ms(SYNC_TIMEOUT_MS), err);
    if (rc != CZ_OK)
        return rc;
    CZ_LOCKED(&L->s->view.lock);
    if (L->s->view.reading)
        return cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0,
                             "the config topic is being read again");
    return CZ_OK;
}

static enum cz_err prepare(struct heal *h, struct cz_error *err)
{
    struct cz_lead *L = h->L;
    struct cz_sched_bus *b = &L->s->bus;
    bool created = false;
    enum cz_err rc = b->ensure(b->arg, cz_deadline_ms(ENSURE_TIMEOUT_MS), &created, err);
    if (rc != CZ_OK)
        return rc;
    L->ensured_at = h->ensured = cz_now();
    L->full = h->full = L->full || created; /* remembered, should this try fail */
    if (!L->writer && !L->healed) {
        /* Fence the leader before us first: what is read after this is the last of it. */
        rc = cz__lead_prove(L, err);
        if (rc == CZ_OK)
            rc = b->open(b->arg, cz_deadline_ms(SYNC_TIMEOUT_MS), err);
        if (rc != CZ_OK)
            return rc;
        L->writer = true;
    }
    h->opened = cz_now();
    L->resets = cz_view_resets(&L->s->view);
    rc = h->full ? CZ_OK : read_to_end(L, err);
    h->read = cz_now();
    return rc;
}

enum cz_err cz__lead_heal(struct cz_lead *L, struct cz_error *err)
{
    struct heal h = {.L = L, .began = cz_now()};
    cz_model_init(&h.desired);
    enum cz_err rc = prepare(&h, err);
    if (rc == CZ_OK)
        rc = publish_difference(&h, err);
    if (rc == CZ_OK && h.seq > 0)
        rc = cz_store_outbox_done(L->s->store, L->epoch, h.seq, err);
    cz_model_done(&h.desired);
    cz__lead_writes_done(&h.writes);
    if (rc != CZ_OK)
        return rc;
    struct cz_watch_topic t;
    cz_watch_topic(L->s->watch, CZ_CONTROL_KEY, L->s->config_topic, &t);
    L->topic_id[0] = '\0'; /* a new topic's id is learned at the watch's next look */
    if (t.known && !h.full)
        memcpy(L->topic_id, t.id, sizeof(L->topic_id));
    L->healed = true;
    L->heal_due = L->full = false;
    L->mismatches = 0;
    L->published = h.seq;
    cz__lead_plan_soon(L, 0);
    CZ_LOCKED(&L->s->lock);
    L->s->state.leader = true;
    L->s->state.published = h.seq;
    return CZ_OK;
}

/* ---- damage ---------------------------------------------------------------------------------
 */

static bool view_differs(struct cz_lead *L)
{
    struct cz_view *v = &L->s->view;
    CZ_LOCKED(&v->lock);
    int pause = L->s->verify_ms < QUIET_MS ? L->s->verify_ms : QUIET_MS;
    cz_time quiet = cz_now() - pause * CZ_MS;
    if (!v->ready || v->reading || v->changed_at > quiet || L->published_at > quiet)
        return false;
    if (v->now.entries.len != L->led.entries.len)
        return true;
    CZ_MAP_FOREACH (&L->led.entries, i, e) {
        const struct cz_model_entry *a = e->value;
        const struct cz_model_entry *b = cz_model_get(&v->now, e->key);
        if (!b || a->hash != b->hash)
            return true;
    }
    return false;
}

static void look_at_topic(struct cz_lead *L)
{
    struct cz_watch_topic config;
    struct cz_watch_topic status;
    cz_watch_topic(L->s->watch, CZ_CONTROL_KEY, L->s->config_topic, &config);
    cz_watch_topic(L->s->watch, CZ_CONTROL_KEY, L->s->status_topic, &status);
    bool settled = cz_now() - L->ensured_at > 3 * CZ_SEC; /* the watch has looked again since */
    if (!settled)
        return;
    if ((config.known && config.code == CZ_E_NOT_FOUND) ||
        (status.known && status.code == CZ_E_NOT_FOUND))
        L->heal_due = true;
    if (!config.known || config.code != CZ_OK || !config.id[0])
        return;
    if (L->topic_id[0] && strcmp(L->topic_id, config.id) != 0)
        L->heal_due = L->full = true;
    memcpy(L->topic_id, config.id, sizeof(L->topic_id));
}

void cz__lead_look_for_damage(struct cz_lead *L)
{
    look_at_topic(L);
    if (cz_view_resets(&L->s->view) != L->resets)
        L->heal_due = true;
    if (cz_now() < L->verify_at)
        return;
    L->verify_at = cz_deadline_ms(L->s->verify_ms);
    L->mismatches = view_differs(L) ? L->mismatches + 1 : 0;
    if (L->mismatches >= 2) {
        cz_log(CZ_LOG_WARN, "scheduler",
               "the config topic holds what the leader did not write");
        L->heal_due = true;
    }
}
