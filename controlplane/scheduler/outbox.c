/* SPDX-License-Identifier: Apache-2.0 */
/* Publishing: the one way from the leader to the config topic, and the outbox that feeds it.
 *
 * A record that can never be published (too large for the channel or for the broker) must not
 * block the others for ever.  It is taken out of its transaction, logged, written to the audit
 * trail and shown in the mapping's conditions; what the topic held for its key stays, so the
 * workers go on with the version before.  The next change of that object publishes it whole. */
#include <stdio.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/limits.h"
#include "cz/log.h"
#include "scheduler_priv.h"

#define BATCH 500
#define ROUNDS 20 /* batches in one step */
#define PUBLISH_TIMEOUT_MS 10000
#define OPEN_TIMEOUT_MS 10000
#define STAMP_ROOM 256 /* bytes that v, revision and epoch add */

/* ---- a list of writes -----------------------------------------------------------------------
 */

void cz__lead_writes_done(struct cz_lead_writes *w)
{
    for (size_t i = 0; i < w->len; i++) {
        cz_free(w->items[i].key);
        json_decref(w->items[i].value);
        cz_free(w->items[i].trace_id);
    }
    cz_free(w->items);
    *w = (struct cz_lead_writes){0};
}

struct cz_lead_write *cz__lead_writes_add(struct cz_lead_writes *w,
                                          const char *key,
                                          const json_t *value,
                                          int64_t revision)
{
    cz_grow(&w->items, &w->cap, w->len, sizeof(*w->items));
    struct cz_lead_write *r = &w->items[w->len++];
    *r = (struct cz_lead_write){.key = cz_strdup(key), .revision = revision};
    r->value = json_incref((json_t *)(uintptr_t)value); /* only counted, never changed */
    r->hash = value ? cz_model_hash(value, &r->size) : 0;
    r->bad = r->size > CZ_MAX_CHANNEL_RECORD - STAMP_ROOM;
    return r;
}

void cz__lead_marker(struct cz_lead *L,
                     struct cz_lead_writes *w,
                     int64_t revision,
                     size_t count)
{
    (void)L;
    json_t *v = json_pack("{s:b, s:I}", "snapshot", 1, "count", (json_int_t)count);
    cz__lead_writes_add(w, "settings", v, revision);
    json_decref(v);
}

/* ---- poison ---------------------------------------------------------------------------------
 */

static void audit_poison(struct cz_lead *L, const struct cz_lead_write *w, const char *why)
{
    const struct cz_model_entry *e = cz_model_get(&L->led, w->key);
    const char *team = cz_json_str(w->value, "team", e && e->mapping ? e->mapping->team : NULL);
    struct cz_change_meta meta = {
        .team = team, .actor = "system", .via = "system", .action = "config.publish"};
    json_t *detail = json_pack("{s:s, s:s}", "key", w->key, "problem", why);
    cz_json_set_i64(detail, "seq", w->revision);
    struct cz_error err = CZ_ERROR_INIT;
    if (cz_store_audit(L->s->store, &meta, "failed", detail, &err) != CZ_OK)
        cz_log(CZ_LOG_WARN, "scheduler", "cannot write audit event: %s", err.text);
    json_decref(detail);
}

static void poison(struct cz_lead *L, const struct cz_lead_write *w, const struct cz_error *err)
{
    struct cz_scheduler *s = L->s;
    char why[sizeof(err->text)];
    if (err->code == CZ_OK)
        snprintf(why, sizeof(why), "the record has %zu bytes, the config topic takes %d",
                 w->size, CZ_MAX_CHANNEL_RECORD);
    else
        snprintf(why, sizeof(why), "%s", err->text);
    cz_mutex_lock(&s->lock);
    const char *was = cz_map_get(&s->poisoned, w->key);
    bool fresh = !was || strcmp(was, why) != 0;
    if (fresh) {
        cz_map_put(&s->poisoned, w->key, cz_strdup(why));
        s->poisoned_total++;
    }
    cz_mutex_unlock(&s->lock);
    if (!fresh)
        return;
    cz_log(CZ_LOG_ERROR, "scheduler",
           "cannot be published and is left out: %s key=%s revision=%lld", why, w->key,
           (long long)w->revision);
    audit_poison(L, w, why);
}

static void unpoison(struct cz_scheduler *s, const char *key)
{
    CZ_LOCKED(&s->lock);
    cz_map_remove(&s->poisoned, key);
}

/* ---- publish --------------------------------------------------------------------------------
 */

static enum cz_err open_writer(struct cz_lead *L, struct cz_error *err)
{
    if (L->writer)
        return CZ_OK;
    /* A new writer fences whoever writes now: only the leader may do that. */
    enum cz_err rc = cz__lead_prove(L, err);
    if (rc != CZ_OK)
        return rc;
    rc = L->s->bus.open(L->s->bus.arg, cz_deadline_ms(OPEN_TIMEOUT_MS), err);
    L->writer = rc == CZ_OK;
    return rc;
}

static enum cz_err
send(struct cz_lead *L, struct cz_lead_write *const *w, size_t n, struct cz_error *err)
{
    enum cz_err rc = open_writer(L, err);
    if (rc != CZ_OK)
        return rc;
    struct cz_channel_write *out = cz_alloc_array(n, sizeof(*out));
    for (size_t i = 0; i < n; i++)
        out[i] = (struct cz_channel_write){.key = w[i]->key,
                                           .value = w[i]->value,
                                           .revision = w[i]->revision,
                                           .trace_id = w[i]->trace_id};
    struct cz_sched_bus *b = &L->s->bus;
    rc = b->publish(b->arg, out, n, L->stamp, cz_deadline_ms(PUBLISH_TIMEOUT_MS), err);
    cz_free(out);
    if (rc != CZ_OK && err && (err->flags & CZ_ERR_FATAL)) {
        b->close(b->arg);
        L->writer = false;
    }
    return rc;
}

/* Halves the list until the culprit is alone; the others keep their order. */
static enum cz_err
send_split(struct cz_lead *L, struct cz_lead_write **w, size_t n, struct cz_error *err)
{
    struct cz_error e = CZ_ERROR_INIT;
    enum cz_err rc = send(L, w, n, &e);
    if (rc != CZ_E_TOO_LARGE && rc != CZ_E_INVALID) {
        if (rc != CZ_OK)
            cz_fail_flags(err, rc, e.flags, e.detail, "%s", e.text);
        return rc;
    }
    if (n == 1) {
        w[0]->bad = true;
        poison(L, w[0], &e);
        return CZ_OK;
    }
    rc = send_split(L, w, n / 2, err);
    return rc == CZ_OK ? send_split(L, w + n / 2, n - n / 2, err) : rc;
}

static void remember(struct cz_lead *L, const struct cz_lead_write *w)
{
    const struct cz_model_entry *e =
        cz_model_put(&L->led, w->key, w->value, w->revision, w->hash);
    cz_view_tell_watch(L->s->watch, w->key, e);
    unpoison(L->s, w->key);
}

enum cz_err cz__lead_publish(struct cz_lead *L, struct cz_lead_writes *w, struct cz_error *err)
{
    struct cz_error none = CZ_ERROR_INIT;
    struct cz_lead_write **good = cz_alloc_array(w->len + 1, sizeof(struct cz_lead_write *));
    size_t n = 0;
    for (size_t i = 0; i < w->len; i++) {
        if (w->items[i].bad)
            poison(L, &w->items[i], &none);
        else
            good[n++] = &w->items[i];
    }
    enum cz_err rc = n > 0 ? send_split(L, good, n, err) : CZ_OK;
    for (size_t i = 0; rc == CZ_OK && i < n; i++) {
        if (!good[i]->bad)
            remember(L, good[i]);
    }
    cz_free(good);
    if (rc != CZ_OK) {
        L->heal_due =
            true; /* what the topic holds now is open: read and compare, do not guess */
        return rc;
    }
    L->published_at = cz_now();
    CZ_LOCKED(&L->s->lock);
    L->s->published_records += (int64_t)n;
    return CZ_OK;
}

/* ---- outbox ---------------------------------------------------------------------------------
 */

struct batch {
    struct cz_lead_writes writes;
    struct cz_map last; /* key → index + 1 of its last write in here */
};

static bool changes_nothing(const struct cz_lead *L,
                            const struct batch *b,
                            const struct cz_config_record *r,
                            uint64_t hash)
{
    size_t at = (size_t)(uintptr_t)cz_map_get(&b->last, r->key);
    if (at > 0) {
        const struct cz_lead_write *w = &b->writes.items[at - 1];
        return r->value ? w->value && w->hash == hash : !w->value;
    }
    const struct cz_model_entry *e = cz_model_get(&L->led, r->key);
    return r->value ? e && e->hash == hash : !e;
}

static void batch_add(struct cz_lead *L, struct batch *b, const struct cz_config_record *r)
{
    uint64_t hash = r->value ? cz_model_hash(r->value, NULL) : 0;
    if (changes_nothing(L, b, r, hash))
        return;
    struct cz_lead_write *w = cz__lead_writes_add(&b->writes, r->key, r->value, r->seq);
    w->trace_id = cz_strdup(r->trace_id);
    cz_map_put(&b->last, r->key, (void *)(uintptr_t)b->writes.len);
    if (r->value || strncmp(r->key, "mapping/", 8) != 0)
        return;
    char *key = cz_channel_make_key(CZ_CH_ASSIGNMENT, r->key + 8, NULL);
    if (cz_model_get(&L->led, key))
        cz__lead_writes_add(&b->writes, key, NULL, r->seq);
    cz_free(key);
}

/* Workers acknowledge a revision by what they have read: when no record carries @upto (nothing to
 * publish, no difference, or tombstones, which have no room for it), one that says nothing else does. */
static void batch_mark(struct cz_lead *L, struct batch *b, int64_t upto)
{
    int64_t highest = L->published;
    for (size_t i = 0; i < b->writes.len; i++) {
        const struct cz_lead_write *w = &b->writes.items[i];
        if (!w->bad && w->value && w->revision > highest)
            highest = w->revision;
    }
    if (highest < upto)
        cz__lead_marker(L, &b->writes, upto, L->led.entries.len);
}

static void note_published(struct cz_lead *L, int64_t upto, int pending, cz_time began)
{
    L->published = upto;
    CZ_LOCKED(&L->s->lock);
    L->s->state.published = upto;
    L->s->state.pending = pending;
    if (began)
        cz_histogram_add(&L->s->publish_ms, (cz_now() - began) / CZ_MS);
}

static enum cz_err publish_rows(struct cz_lead *L,
                                const struct cz_config_record_list *rows,
                                int64_t upto,
                                struct cz_error *err)
{
    struct batch b = {0};
    cz_map_init(&b.last, NULL);
    for (size_t i = 0; i < rows->len; i++)
        batch_add(L, &b, &rows->items[i]);
    batch_mark(L, &b, upto);
    enum cz_err rc = b.writes.len > 0 ? cz__lead_publish(L, &b.writes, err) : CZ_OK;
    if (rc == CZ_OK && b.writes.len > 0)
        cz__lead_plan_soon(L, 0);
    cz_map_done(&b.last);
    cz__lead_writes_done(&b.writes);
    if (rc == CZ_OK && rows->len > 0)
        rc = cz_store_outbox_done(L->s->store, L->epoch, rows->items[rows->len - 1].seq, err);
    return rc;
}

enum cz_err cz__lead_outbox(struct cz_lead *L, struct cz_error *err)
{
    /* Bounded, so that a stream of changes does not keep the plan waiting. */
    for (int round = 0; round < ROUNDS; round++) {
        struct cz_config_record_list rows = {0};
        int64_t seq = 0;
        cz_time began = cz_now();
        /* The number first: when no row is left after it, all up to it is published. */
        enum cz_err rc = cz_store_seq(L->s->store, &seq, err);
        if (rc == CZ_OK)
            rc = cz_store_outbox(L->s->store, BATCH, &rows, err);
        if (rc != CZ_OK)
            return rc;
        size_t n = rows.len;
        int64_t upto = n > 0 ? rows.items[n - 1].seq : seq;
        if (upto > L->published || n > 0)
            rc = publish_rows(L, &rows, upto, err);
        cz_config_record_list_done(&rows);
        if (rc != CZ_OK) {
            CZ_LOCKED(&L->s->lock);
            L->s->state.pending = (int)n;
            return rc;
        }
        if (upto < L->published)
            upto = L->published;
        note_published(L, upto, 0, n > 0 ? began : 0);
        if (n == 0)
            return CZ_OK;
    }
    return CZ_OK;
}
