/* SPDX-License-Identifier: Apache-2.0 */
/** `verify_seconds` of a mapping: its two sides are compared that often, on the instance that leads.
 * Each look begins where the one before began, less one period: what was on its way then is
 * compared now.  The last outcome is kept in the store, so that every instance shows it in status and
 * metrics, and the next leader goes on from there:
 *   {"generation", "next_since", "report": a short VerifyReport | null, "error": {"message","at"} | null} */
#include <string.h>

#include "cz/log.h"
#include "cz/metrics.h"
#include "service_priv.h"

#define REPORT "verify" /* its name in the store */
enum { LOOK_MS = 60000, RETRY_MS = 30000, WINDOW_MS = 60000, MAX_RECORDS = 5000000, NAMED = 5 };

struct watched { /* of one mapping; under the service's lock */
    int64_t generation;
    int64_t since_ms; /* of the next look; 0: as a first one */
    cz_time due;
    bool seen;
};

/* ---- what is kept --------------------------------------------------------------------------- */

static json_t *kept(struct cz_service *s, const char *uid)
{
    json_t *all = NULL, *one = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    if (cz_store_reports(s->store, REPORT, uid, &all, &err) == CZ_OK)
        one = json_incref(json_object_get(all, uid));
    json_decref(all);
    return one;
}

static void keep(struct cz_service *s, const char *uid, json_t *value)
{
    struct cz_error err = CZ_ERROR_INIT;
    enum cz_err code = cz_store_put_report(s->store, uid, REPORT, value, &err);
    if (code && code != CZ_E_NOT_FOUND) /* deleted in this moment */
        CZ_LOG_EVERY(60000, CZ_LOG_WARN, "verify", "the outcome cannot be kept: %s", err.text);
    json_decref(value);
}

/* What of a report is kept: no sums of partitions, and only the first differences. @report is taken */
static json_t *value_of(json_t *report, int64_t generation, int64_t began_ms, int64_t next_since)
{
    json_t *list = json_object_get(report, "differences"), *value = json_object();
    (void)json_object_del(report, "pairs");
    while (json_array_size(list) > NAMED)
        (void)json_array_remove(list, json_array_size(list) - 1);
    cz__set_time(report, "at", began_ms);
    cz_json_set_i64(value, "generation", generation);
    cz_json_set_i64(value, "next_since", next_since);
    (void)json_object_set_new(value, "report", report);
    (void)json_object_set_new(value, "error", json_null());
    return value;
}

/* The report that somebody asked for, of a mapping that nobody compares by itself. */
void cz__verified_on_request(struct cz_service *s, const struct cz_resource *mapping, const json_t *report,
                             int64_t began_ms)
{
    const json_t *spec = json_object_get(mapping->doc, "spec");
    if (cz_json_int(spec, "verify_seconds", 0) == 0)
        keep(s, mapping->uid, value_of(json_deep_copy(report), mapping->generation, began_ms, 0));
}

/* ---- whose turn it is ------------------------------------------------------------------------ */

static bool is_watched(const struct cz__snapshot_item *it)
{
    return it->verify_seconds > 0 && it->m.enabled;
}

static struct watched *entry(struct cz_service *s, const struct cz__subject *m)
{
    struct watched *w = cz_map_get(&s->watched, m->uid);
    return w && w->generation == m->generation ? w : NULL;
}

static bool any_is_new(struct cz_service *s, const struct cz__snapshot *sn)
{
    CZ_LOCKED(&s->lock);
    for (size_t i = 0; i < sn->len; i++) {
        if (is_watched(&sn->items[i]) && !entry(s, &sn->items[i].m))
            return true;
    }
    return false;
}

/* Go on where the leader before, or this one before a restart, left off. */
static struct watched *begin(const struct cz__snapshot_item *it, const json_t *value)
{
    struct watched *w = cz_alloc(sizeof *w);
    int64_t at = 0, period = it->verify_seconds * 1000;
    w->generation = it->m.generation;
    if (!value || cz_json_int(value, "generation", -1) != it->m.generation)
        return w; /* changed since: as a first one */
    w->since_ms = cz_json_int(value, "next_since", 0);
    if (cz_rfc3339_parse(cz_json_str(json_object_get(value, "report"), "at", ""), &at)) {
        int64_t left = at + period - cz_wall_ms();
        w->due = cz_deadline_ms(left < 0 ? 0 : left > period ? period : left);
    }
    return w;
}

/* Those that are new get their entries, those that are gone lose them. */
static enum cz_err look_round(struct cz_service *s, const struct cz__snapshot *sn, struct cz_error *err)
{
    json_t *all = NULL;
    enum cz_err code = any_is_new(s, sn) ? cz_store_reports(s->store, REPORT, NULL, &all, err) : CZ_OK;
    if (code)
        return code;
    CZ_LOCKED(&s->lock);
    for (size_t i = 0; i < sn->len; i++) {
        const struct cz__snapshot_item *it = &sn->items[i];
        if (!is_watched(it))
            continue;
        struct watched *w = entry(s, &it->m);
        if (!w) {
            w = begin(it, json_object_get(all, it->m.uid));
            cz_map_put(&s->watched, it->m.uid, w);
        }
        w->seen = true;
    }
    CZ_MAP_FOREACH (&s->watched, i, e) {
        struct watched *w = e->value;
        bool gone = !w->seen;
        w->seen = false;
        if (gone)
            (void)cz_map_remove(&s->watched, e->key);
    }
    json_decref(all);
    return CZ_OK;
}

/* The mapping that has been due for longest; @sn's. */
static const struct cz__snapshot_item *pick(struct cz_service *s, const struct cz__snapshot *sn, int64_t *ret_since)
{
    const struct cz__snapshot_item *best = NULL;
    cz_time first = cz_now();
    CZ_LOCKED(&s->lock);
    for (size_t i = 0; i < sn->len; i++) {
        const struct watched *w = is_watched(&sn->items[i]) ? entry(s, &sn->items[i].m) : NULL;
        if (!w || w->due > first)
            continue;
        first = w->due;
        best = &sn->items[i];
        *ret_since = w->since_ms;
    }
    return best;
}

/* ---- the outcome ------------------------------------------------------------------------------ */

/* A target that begins to differ is told once in the audit log, whatever becomes of the report. */
static void tell(struct cz_service *s, const struct cz__snapshot_item *it, const json_t *report)
{
    const struct cz_change_meta meta = {
        .team = it->m.team, .actor = "system", .via = "system", .action = "mapping.differs"};
    static const char *const names[] = {"missing", "doubled", "altered", "misplaced", "extra", "since", NULL};
    json_t *detail = json_object(), *first = json_array_get(json_object_get(report, "differences"), 0);
    CZ_CLEANUP(cz_freep) char *text = first ? cz_json_text(first, false) : NULL;
    struct cz_error err = CZ_ERROR_INIT;
    cz_log(CZ_LOG_WARN, "verify", "%s/%s: the target differs, first in %s", it->m.team, it->m.name, text ? text : "?");
    json_t *before = kept(s, it->m.uid);
    bool known = !cz_json_bool(json_object_get(before, "report"), "equal", true);
    json_decref(before);
    cz_json_set_str(detail, "mapping", it->m.name);
    for (const char *const *n = names; *n; n++)
        (void)json_object_set(detail, *n, json_object_get(report, *n));
    (void)json_object_set(detail, "first", first ? first : json_null());
    if (!known && cz_store_audit(s->store, &meta, "ok", detail, &err))
        CZ_LOG_EVERY(60000, CZ_LOG_WARN, "verify", "the audit log cannot be written: %s", err.text);
    json_decref(detail);
}

/* When and from where on the next look is; *ret_since as it is now. */
static bool plan(struct cz_service *s, const struct cz__snapshot_item *it, bool done, bool too_much, int64_t began_ms,
                 int64_t *ret_since)
{
    int64_t period = it->verify_seconds * 1000;
    CZ_LOCKED(&s->lock);
    struct watched *w = entry(s, &it->m);
    if (!w)
        return false;
    w->due = cz_deadline_ms(done || period < RETRY_MS ? period : RETRY_MS);
    /* In a live topic the newest records are looked at again, and late timestamps have some time.  More
     * than can be read in one look will not become less: it is left to `citizenk verify`. */
    if (done || too_much)
        w->since_ms = began_ms - period - LOOK_MS;
    *ret_since = w->since_ms;
    return true;
}

static void settle(struct cz_service *s, const struct cz__snapshot_item *it, json_t *report, int64_t began_ms,
                   const struct cz_error *err)
{
    int64_t since = 0;
    bool too_much = !report && (err->code == CZ_E_LIMIT || err->code == CZ_E_TIMEOUT);
    if (!plan(s, it, report != NULL, too_much, began_ms, &since)) {
        json_decref(report);
        return;
    }
    if (report) {
        if (!cz_json_bool(report, "equal", true))
            tell(s, it, report);
        keep(s, it->m.uid, value_of(report, it->m.generation, began_ms, since));
        return;
    }
    CZ_LOG_EVERY(60000, CZ_LOG_WARN, "verify", "%s/%s: %s", it->m.team, it->m.name, err->text);
    json_t *value = kept(s, it->m.uid), *why = json_pack("{s:s}", "message", err->text);
    if (!value)
        value = json_pack("{s:n}", "report");
    cz__set_time(why, "at", began_ms);
    (void)json_object_set_new(value, "error", why);
    cz_json_set_i64(value, "generation", it->m.generation);
    cz_json_set_i64(value, "next_since", since);
    keep(s, it->m.uid, value);
}

void cz_service_verify_due(struct cz_service *s)
{
    struct cz__snapshot *sn = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    int64_t since = 0, began = cz_wall_ms();
    json_t *report = NULL;
    if (cz__snapshot_take(s, &sn, &err))
        return;
    const struct cz__snapshot_item *it = look_round(s, sn, &err) ? NULL : pick(s, sn, &since);
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

/* ---- showing it ------------------------------------------------------------------------------- */

json_t *cz__verified(struct cz_service *s, const char *uid)
{
    json_t *value = kept(s, uid);
    json_t *report = json_incref(json_object_get(value, "report")), *error = json_object_get(value, "error");
    if (json_is_object(error) && !json_is_object(report)) {
        json_decref(report);
        report = json_object();
    }
    if (json_is_object(report))
        (void)json_object_set(report, "error", error ? error : json_null());
    json_decref(value);
    return report ? report : json_null();
}

void cz__verify_metrics(struct cz_service *s, const struct cz__snapshot *sn, struct cz_buf *out)
{
    static const char name[] = "citizenk_mapping_verify_differences";
    static const char when[] = "citizenk_mapping_verify_timestamp_seconds";
    static const char *const kinds[] = {"missing", "doubled", "altered", "misplaced", "extra", NULL};
    json_t *all = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    if (cz_store_reports(s->store, REPORT, NULL, &all, &err))
        return;
    cz_prom_family(out, name, "gauge", "What the last comparison of both sides found.");
    for (size_t i = 0; i < sn->len; i++) {
        const struct cz__subject *m = &sn->items[i].m;
        const json_t *report = json_object_get(json_object_get(all, m->uid), "report");
        for (const char *const *k = kinds; json_is_object(report) && *k; k++)
            cz_prom_sample(out, name, (double)cz_json_int(report, *k, 0), "team", m->team, "mapping", m->name,
                           "kind", *k, NULL);
    }
    cz_prom_family(out, when, "gauge", "When both sides were last compared.");
    for (size_t i = 0; i < sn->len; i++) {
        const struct cz__subject *m = &sn->items[i].m;
        const json_t *report = json_object_get(json_object_get(all, m->uid), "report");
        int64_t at = 0;
        if (cz_rfc3339_parse(cz_json_str(report, "at", ""), &at))
            cz_prom_sample(out, when, (double)at / 1000, "team", m->team, "mapping", m->name, NULL);
    }
    json_decref(all);
}
