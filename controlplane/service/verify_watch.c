/* SPDX-License-Identifier: Apache-2.0 */
/** `verify_seconds` of a mapping: its two sides are compared that often, on the instance that leads.
 * Each look begins where the one before began, less one period: what was on its way then is
 * compared now.  The last outcome is in the mapping's status and in the metrics. */
#include <string.h>

#include "cz/log.h"
#include "cz/metrics.h"
#include "service_priv.h"

enum { LOOK_MS = 60000, RETRY_MS = 30000, WINDOW_MS = 60000, MAX_RECORDS = 5000000, NAMED = 5 };

struct watched { /* of one mapping; under the service's lock */
    int64_t generation;
    int64_t since_ms; /* of the next look; 0: as a first one */
    cz_time due;
    json_t *outcome; /* NULL: none yet */
    bool seen;
};

void cz__watched_free(void *p)
{
    struct watched *w = p;
    if (!w)
        return;
    json_decref(w->outcome);
    cz_free(w);
}

/* Its entry, begun again when the mapping was changed. */
static struct watched *entry(struct cz_service *s, const struct cz__subject *m)
{
    struct watched *w = cz_map_get(&s->watched, m->uid);
    if (w && w->generation == m->generation)
        return w;
    w = cz_alloc(sizeof *w);
    w->generation = m->generation;
    cz_map_put(&s->watched, m->uid, w);
    return w;
}

static void forget_the_rest(struct cz_service *s)
{
    CZ_MAP_FOREACH (&s->watched, i, e) {
        struct watched *w = e->value;
        bool gone = !w->seen;
        w->seen = false;
        if (gone)
            (void)cz_map_remove(&s->watched, e->key);
    }
}

/* The mapping that has been due for longest; @sn's. */
static const struct cz__snapshot_item *pick(struct cz_service *s, const struct cz__snapshot *sn, int64_t *ret_since)
{
    const struct cz__snapshot_item *best = NULL;
    cz_time now = cz_now(), first = now;
    CZ_LOCKED(&s->lock);
    for (size_t i = 0; i < sn->len; i++) {
        const struct cz__snapshot_item *it = &sn->items[i];
        if (it->verify_seconds <= 0 || !it->m.enabled)
            continue;
        struct watched *w = entry(s, &it->m);
        w->seen = true;
        if (w->due > first)
            continue;
        first = w->due;
        best = it;
        *ret_since = w->since_ms;
    }
    forget_the_rest(s);
    return best;
}

/* What of a report is kept: no sums of partitions, and only the first differences. */
static json_t *shortened(json_t *report, int64_t at_ms)
{
    json_t *list = json_object_get(report, "differences");
    (void)json_object_del(report, "pairs");
    while (json_array_size(list) > NAMED)
        (void)json_array_remove(list, json_array_size(list) - 1);
    cz__set_time(report, "at", at_ms);
    return report;
}

static void settle(struct cz_service *s, const struct cz__snapshot_item *it, json_t *report, int64_t began_ms,
                   const struct cz_error *err)
{
    int64_t period = it->verify_seconds * 1000;
    CZ_LOCKED(&s->lock);
    struct watched *w = cz_map_get(&s->watched, it->m.uid);
    if (!w || w->generation != it->m.generation) {
        json_decref(report);
        return;
    }
    w->due = cz_deadline_ms((int)(report || period < RETRY_MS ? period : RETRY_MS));
    if (!report) {
        CZ_LOG_EVERY(60000, CZ_LOG_WARN, "verify", "%s/%s: %s", it->m.team, it->m.name, err->text);
        return;
    }
    if (!cz_json_bool(report, "equal", true)) {
        CZ_CLEANUP(cz_freep) char *first = cz_json_text(json_array_get(json_object_get(report, "differences"), 0), false);
        cz_log(CZ_LOG_WARN, "verify", "%s/%s: the target differs, first in %s", it->m.team, it->m.name, first);
    }
    /* In a live topic the newest records are looked at again, and late timestamps have some time. */
    w->since_ms = began_ms - period - LOOK_MS;
    json_decref(w->outcome);
    w->outcome = shortened(report, began_ms);
}

void cz_service_verify_due(struct cz_service *s)
{
    struct cz__snapshot *sn = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    int64_t since = 0, began = cz_wall_ms();
    json_t *report = NULL;
    if (cz__snapshot_take(s, &sn, &err))
        return;
    const struct cz__snapshot_item *it = pick(s, sn, &since);
    if (it) {
        const struct cz_verify_request q = {.since_ms = since,
                                            .until_ms = -1,
                                            .window_ms = WINDOW_MS,
                                            .max_records = MAX_RECORDS,
                                            .deadline = cz_deadline_ms(LOOK_MS)};
        if (cz_service_verify(s, it->m.team, it->m.name, &q, &report, &err) != CZ_E_LIMIT || !(err.flags & CZ_ERR_RETRIABLE))
            settle(s, it, report, began, &err);
    }
    cz__snapshot_give(s, sn);
}

void cz_service_verify_stop(struct cz_service *s)
{
    atomic_store(&s->verify_stop, true);
}

json_t *cz__verified(struct cz_service *s, const char *uid)
{
    CZ_LOCKED(&s->lock);
    const struct watched *w = cz_map_get(&s->watched, uid);
    return w && w->outcome ? json_deep_copy(w->outcome) : json_null();
}

void cz__verify_metrics(struct cz_service *s, const struct cz__snapshot *sn, struct cz_buf *out)
{
    static const char name[] = "citizenk_mapping_verify_differences";
    static const char *const kinds[] = {"missing", "doubled", "altered", "misplaced", "extra", NULL};
    cz_prom_family(out, name, "gauge", "What the last comparison of both sides found, on the instance that leads.");
    CZ_LOCKED(&s->lock);
    for (size_t i = 0; i < sn->len; i++) {
        const struct cz__subject *m = &sn->items[i].m;
        const struct watched *w = cz_map_get(&s->watched, m->uid);
        for (const char *const *k = kinds; w && w->outcome && *k; k++)
            cz_prom_sample(out, name, (double)cz_json_int(w->outcome, *k, 0), "team", m->team, "mapping", m->name,
                           "kind", *k, NULL);
    }
}
