/* SPDX-License-Identifier: Apache-2.0 */
/** How a write runs: attempts in the store's transaction, questions to Kafka between them, and
 *  the result.  Bodies only note what they miss, so they never block on the network while the
 *  store is locked. */
#include <stdio.h>
#include <string.h>

#include "access_priv.h"

#define MAX_ATTEMPTS 6 /* each may miss something that a concurrent change brought in */

static void unref_cluster(void *p)
{
    cz_cluster_unref(p);
}

static void free_uses(struct cz__group_use **list, size_t *len, size_t *cap)
{
    for (size_t i = 0; i < *len; i++) {
        struct cz__group_use *u = &(*list)[i];
        cz_free(u->team);
        cz_free(u->name);
        cz_free(u->base);
        cz_free(u->fixed);
        cz_free(u->what);
    }
    cz_freep(list);
    *len = *cap = 0;
}

/** Forget what the attempt did; the wants stay. */
static void attempt_reset(struct cz__attempt *a)
{
    cz_report_done(&a->rep);
    json_decref(a->warnings);
    json_decref(a->changes);
    json_decref(a->skipped);
    a->warnings = a->changes = a->skipped = NULL;
    cz_map_done(&a->clusters);
    cz_map_init(&a->clusters, unref_cluster);
    cz__rules_forget(a);
    free_uses(&a->uses, &a->uses_len, &a->uses_cap);
    free_uses(&a->routes, &a->routes_len, &a->routes_cap);
    cz_resource_done(&a->result);
    a->result = (struct cz_resource){0};
    a->have_result = a->created = false;
    a->stale_version = 0;
    a->recopies = CZ__NOT_ASKED;
}

struct run {
    const struct cz__job *job;
    struct cz__attempt a;
};

/* Nothing is wrong but that grants are missing: then the caller is refused, not the document. */
static bool only_grants(const struct cz_report *rep)
{
    for (size_t i = 0; i < rep->len; i++)
        if (!cz_streq(rep->items[i].code, CZ__NOT_GRANTED))
            return false;
    return rep->len > 0;
}

/** Records may go round through other teams, whoever writes. */
static enum cz_err cycles_of_all(struct cz__attempt *a, struct cz_error *err)
{
    struct cz_error e = CZ_ERROR_INIT;
    enum cz_err code = cz_tx_see_all(a->tx, true, err);
    if (code)
        return code;
    enum cz_err found = cz__cycles_check(a, &e);
    code = cz_tx_see_all(a->tx, false, found ? NULL : err);
    if (found)
        return cz_fail_flags(err, found, e.flags, e.detail, "%s", e.text);
    return code;
}

static enum cz_err attempt(struct cz_tx *tx, void *arg, struct cz_error *err)
{
    struct run *r = arg;
    struct cz__attempt *a = &r->a;
    attempt_reset(a);
    cz__wants_done(&a->wants);
    cz__wants_init(&a->wants);
    a->tx = tx;
    a->warnings = json_array();
    a->changes = json_array();
    enum cz_err code = r->job->body(a, r->job->arg, err);
    bool again = cz__wants_any(&a->wants); /* then all of this comes once more */
    if (code == CZ_OK && !again)
        code = cz__groups_check(a, err);
    if (code == CZ_OK && !again)
        code = cycles_of_all(a, err);
    if (code == CZ_OK && only_grants(&a->rep))
        code = cz_fail(err, CZ_E_FORBIDDEN, "%s", a->rep.items[0].message);
    else if (code == CZ_OK && (!cz_report_ok(&a->rep) || cz__wants_any(&a->wants)))
        code = cz_fail(err, CZ_E_INVALID, "the document cannot be accepted");
    return code;
}

/** "412: version 17 was made by alice at …": looked up after the transaction is over. */
static void explain_stale(struct cz_service *s, struct cz__attempt *a, struct cz_error *err)
{
    struct cz_change c = {0};
    struct cz_revision_list revisions = {0};
    int64_t version = a->stale_version;
    if (version <= 0 || cz_store_change(s->store, version, &c, &revisions, NULL) != CZ_OK)
        return;
    char at[CZ_RFC3339_SIZE];
    CZ_CLEANUP(cz_freep) char *text = cz_strdup(err->text);
    cz_error_reset(err);
    (void)cz_fail(err, CZ_E_STALE, "%.200s: changed by %.150s at %s", text,
                  c.actor ? c.actor : "an unknown actor", cz_rfc3339(c.at_ms, at));
    cz_change_done(&c);
    cz_revision_list_done(&revisions);
}

static void give_result(const struct cz__job *j,
                        struct cz__attempt *a,
                        int64_t seq,
                        struct cz_write_result *ret)
{
    *ret = (struct cz_write_result){.warnings = json_incref(a->warnings),
                                    .changes = json_incref(a->changes),
                                    .skipped = json_incref(a->skipped),
                                    .created = a->created,
                                    .unchanged = json_array_size(a->changes) == 0,
                                    .seq = seq};
    if (!a->have_result)
        return;
    ret->version = a->result.version;
    if (ret->unchanged)
        ret->seq = a->result.version;
    if (a->result.kind == CZ_KIND_MAPPING)
        cz__rules_refresh(j->s);
    ret->resource = cz__envelope(j->s, &a->result, true);
}

static void
give_problems(struct cz__attempt *a, enum cz_err code, struct cz_report *rep, struct cz_error *err)
{
    for (size_t i = 0; rep && i < a->rep.len; i++) {
        const struct cz_problem *p = &a->rep.items[i];
        (void)cz_report_add(rep, p->pointer, p->code, "%s", p->message);
    }
    if (code != CZ_E_INVALID)
        return;
    cz_error_reset(err);
    (void)cz_report_error(&a->rep, err);
}

static enum cz_err run_attempts(struct run *r,
                                struct cz_write_result *ret,
                                struct cz_report *rep,
                                struct cz_error *err)
{
    const struct cz__job *j = r->job;
    struct cz__attempt *a = &r->a;
    struct cz_change_meta meta = cz__meta(j->who, j->team, j->action, j->w->comment);
    meta.reverts = j->reverts;
    a->meta = &meta;
    for (int i = 0; i < MAX_ATTEMPTS; i++) {
        struct cz_error e = CZ_ERROR_INIT;
        int64_t seq = 0;
        enum cz_err code =
            cz_store_write(j->s->store, &meta, j->w->dry_run, attempt, r, &seq, &e);
        if (code == CZ_OK) {
            give_result(j, a, seq, ret);
            return CZ_OK;
        }
        bool asks = code == CZ_E_INVALID && cz__wants_any(&a->wants);
        if (asks && i + 1 < MAX_ATTEMPTS) {
            cz__facts_fetch(j->s, &a->wants, j->s->timeout_ms);
            continue;
        }
        if (asks && cz_report_ok(&a->rep))
            return cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0,
                                 "too many changes at the same time; try again");
        if ((code == CZ_E_INVALID || code == CZ_E_FORBIDDEN) && !cz_report_ok(&a->rep))
            give_problems(a, code, rep, &e);
        if (code == CZ_E_STALE)
            explain_stale(j->s, a, &e);
        if (err && err->code == CZ_OK)
            *err = e;
        return code;
    }
    return cz_fail(err, CZ_E_INTERNAL, "not reached");
}

enum cz_err cz__run(const struct cz__job *j,
                    struct cz_write_result *ret,
                    struct cz_report *rep,
                    struct cz_error *err)
{
    enum cz_err code = j->team && !j->makes_team ? cz__team_known(j->s, j->team, err) : CZ_OK;
    if (code)
        return code;
    struct run r = {.job = j, .a = {.s = j->s, .w = j->w, .who = j->who, .since = cz_now()}};
    cz__wants_init(&r.a.wants);
    cz_map_init(&r.a.clusters, unref_cluster);
    cz_map_init(&r.a.rules, NULL); /* nothing to free yet */
    code = run_attempts(&r, ret, rep, err);
    attempt_reset(&r.a);
    cz_map_done(&r.a.clusters);
    cz_map_done(&r.a.rules);
    cz__wants_done(&r.a.wants);
    return code;
}

void cz_write_result_done(struct cz_write_result *r)
{
    json_decref(r->resource);
    json_decref(r->warnings);
    json_decref(r->changes);
    json_decref(r->skipped);
    *r = (struct cz_write_result){0};
}

/* ---- what bodies use -----------------------------------------------------------------------
 */

enum cz_err cz__tx_find(struct cz__attempt *a,
                        const char *team,
                        enum cz_kind kind,
                        const char *name,
                        struct cz_resource *ret,
                        bool *ret_found,
                        struct cz_error *err)
{
    struct cz_error e = CZ_ERROR_INIT;
    enum cz_err code = cz_tx_get(a->tx, team, kind, name, ret, &e);
    *ret_found = code == CZ_OK;
    if (code == CZ_OK || code == CZ_E_NOT_FOUND)
        return CZ_OK;
    if (err && err->code == CZ_OK)
        *err = e;
    return code;
}

enum cz_err
cz__precondition(struct cz__attempt *a, const struct cz_resource *cur, struct cz_error *err)
{
    const struct cz_write *w = a->w;
    if (!cur) {
        if (w->if_match != CZ_IF_MATCH_NONE)
            return cz_fail(err, CZ_E_STALE,
                           "If-Match was given, but the object does not exist");
        return CZ_OK;
    }
    if (w->create_only) {
        a->stale_version = cur->version;
        return cz_fail(err, CZ_E_STALE, "%s '%s' exists already, in version %lld",
                       cz_kind_name(cur->kind), cur->name, (long long)cur->version);
    }
    if (w->if_match == CZ_IF_MATCH_NONE)
        return cz_fail(
            err, CZ_E_PRECONDITION,
            "%s '%s' exists: send its version in If-Match, or If-None-Match: * to create only",
            cz_kind_name(cur->kind), cur->name);
    if (w->if_match == CZ_IF_MATCH_ANY || w->if_match == cur->version)
        return CZ_OK;
    a->stale_version = cur->version;
    return cz_fail(err, CZ_E_STALE, "%s '%s' is in version %lld now, not %lld",
                   cz_kind_name(cur->kind), cur->name, (long long)cur->version,
                   (long long)w->if_match);
}

void cz__note_change(struct cz__attempt *a, const char *op, enum cz_kind kind, const char *name)
{
    (void)json_array_append_new(a->changes, json_pack("{s:s,s:s,s:s}", "op", op, "kind",
                                                      cz_kind_name(kind), "name", name));
}

void cz__warn(
    struct cz__attempt *a, const char *pointer, const char *code, const char *fmt, ...)
{
    char text[500];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    size_t i;
    json_t *w;
    json_array_foreach (a->warnings, i, w) {
        if (cz_streq(cz_json_str(w, "message", ""), text) &&
            cz_streq(cz_json_str(w, "pointer", ""), pointer))
            return;
    }
    json_t *one = json_object();
    cz_json_set_str(one, "pointer", pointer);
    cz_json_set_str(one, "code", code);
    size_t n = strlen(text);
    while (n > 0 && !cz_utf8_valid(text, n)) /* cut in the middle of a character */
        n--;
    (void)json_object_set_new(one, "message", json_stringn_nocheck(text, n));
    (void)json_array_append_new(a->warnings, one);
}

static void add_problem(struct cz__attempt *a,
                        const struct cz__origin *o,
                        const char *below,
                        const char *code,
                        const char *text)
{
    CZ_CLEANUP(cz_freep)
    char *at = o->fixed ? cz_strdup(o->fixed) : cz_strf("%s%s", o->base, below);
    if (!o->what)
        (void)cz_report_add(&a->rep, at, code, "%s", text);
    else if (o->fixed && *below)
        (void)cz_report_add(&a->rep, at, code, "%s (%s): %s", o->what, below, text);
    else
        (void)cz_report_add(&a->rep, at, code, "%s: %s", o->what, text);
}

void cz__origin_problem(struct cz__attempt *a,
                        const struct cz__origin *o,
                        const char *below,
                        const char *code,
                        const char *fmt,
                        ...)
{
    char text[800];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    add_problem(a, o, below, code, text);
}

void cz__move_problems(struct cz__attempt *a,
                       const struct cz__origin *o,
                       struct cz_report *from)
{
    for (size_t i = 0; i < from->len; i++)
        add_problem(a, o, from->items[i].pointer, from->items[i].code, from->items[i].message);
    a->rep.truncated |= from->truncated;
    cz_report_done(from);
}
