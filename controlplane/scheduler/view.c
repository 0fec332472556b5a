/* SPDX-License-Identifier: Apache-2.0 */
/* Follows the config topic into a model; see view.h.  Lock order: view, then watch. */
#include "view.h"

#include <string.h>

#include "cz/alloc.h"

void cz_view_tell_watch(struct cz_watch *w, const char *key, const struct cz_model_entry *e)
{
    if (!w)
        return;
    const char *slash = strchr(key, '/');
    const char *rest = slash ? slash + 1 : "";
    if (strncmp(key, "cluster/", 8) == 0)
        cz_watch_cluster(w, rest, e ? e->cluster : NULL);
    else if (strncmp(key, "mapping/", 8) == 0)
        cz_watch_mapping(w, rest, e ? e->mapping : NULL);
}

static void on_record(void *arg, const struct cz_channel_record *r)
{
    struct cz_view *v = arg;
    uint64_t hash = r->value ? cz_model_hash(r->value, NULL) : 0;
    CZ_LOCKED(&v->lock);
    v->changed_at = cz_now();
    if (r->epoch > 0 && r->epoch < v->epoch)
        return; /* a leader that was put aside; the new one repairs it */
    if (r->epoch > v->epoch)
        v->epoch = r->epoch;
    struct cz_model *m = v->reading ? &v->next : &v->now;
    const struct cz_model_entry *e = cz_model_put(m, r->key, r->value, r->revision, hash);
    cz_view_tell_watch(v->watch, r->key, e);
}

/* What was there before the reset and is not any more. */
static void forget_missing(struct cz_view *v)
{
    CZ_MAP_FOREACH (&v->now.entries, i, e) {
        if (!cz_model_get(&v->next, e->key))
            cz_view_tell_watch(v->watch, e->key, NULL);
    }
}

static void on_end(void *arg)
{
    struct cz_view *v = arg;
    CZ_LOCKED(&v->lock);
    if (!v->reading)
        return;
    forget_missing(v);
    struct cz_model old = v->now;
    v->now = v->next;
    cz_model_done(&old);
    cz_model_init(&v->next);
    v->reading = false;
    v->ready = true;
    v->changed_at = cz_now();
}

static void on_reset(void *arg)
{
    struct cz_view *v = arg;
    CZ_LOCKED(&v->lock);
    cz_model_done(&v->next);
    cz_model_init(&v->next);
    v->reading = true;
    v->epoch = 0; /* of the old topic */
    v->resets++;
}

const struct cz_follower_ops cz_view_ops = {
    .on_record = on_record, .on_end = on_end, .on_reset = on_reset};

void cz_view_init(struct cz_view *v, struct cz_watch *watch)
{
    memset(v, 0, sizeof(*v));
    cz_mutex_init(&v->lock);
    cz_model_init(&v->now);
    cz_model_init(&v->next);
    v->reading = true;
    v->watch = watch;
}

void cz_view_done(struct cz_view *v)
{
    cz_model_done(&v->now);
    cz_model_done(&v->next);
    cz_mutex_done(&v->lock);
}

bool cz_view_ready(struct cz_view *v)
{
    CZ_LOCKED(&v->lock);
    return v->ready;
}

uint64_t cz_view_resets(struct cz_view *v)
{
    CZ_LOCKED(&v->lock);
    return v->resets;
}
