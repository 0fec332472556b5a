/* SPDX-License-Identifier: Apache-2.0 */
/** Pause, resume, restart: overrides beside the spec, so that they are never mistaken for
 *  configuration.  Stored form: {"paused":true,"reason","until":"<ms>","restart":"<seq>",
 *  "run":"<seq>"}.  The number of the last restart request stays for good: were it to go away,
 *  workers would take that for another request.  So do "switched_on" and "group_name" (apply_mapping.c), which
 *  are not shown.  `run` is the number of the last restart or change that found the
 *  mapping FINISHED: a copy that ends is run again, while one that has not ended goes on. */
#include <string.h>

#include "offsets_priv.h"

#define CHANGES_PER_LOOK 500

static json_t *without_pause(const json_t *override)
{
    json_t *o = json_object();
    cz_json_set_str(o, "restart", cz_json_str(override, "restart", NULL));
    cz_json_set_str(o, "switched_on", cz_json_str(override, "switched_on", NULL));
    cz_json_set_str(o, "group_name", cz_json_str(override, "group_name", NULL));
    cz_json_set_str(o, "run", cz_json_str(override, "run", NULL));
    cz_json_set_str(o, "offsets_moved", cz_json_str(override, "offsets_moved", NULL));
    return o;
}

/** An empty override is none. */
static json_t *or_none(json_t *o)
{
    if (json_object_size(o) > 0)
        return o;
    json_decref(o);
    return NULL;
}

json_t *cz__override_json(const json_t *override)
{
    size_t hidden = json_object_get(override, "switched_on") != NULL;
    hidden += json_object_get(override, "group_name") != NULL;
    if (!override || json_object_size(override) == hidden)
        return json_null();
    json_t *o = json_deep_copy(override);
    (void)json_object_del(o, "switched_on");
    (void)json_object_del(o, "group_name");
    (void)json_object_set_new(o, "paused", json_boolean(cz__paused(override)));
    int64_t until = cz_json_int(override, "until", 0);
    if (until > 0)
        cz__set_time(o, "until", until);
    return o;
}

struct request {
    const char *team, *name, *reason;
    int64_t until_ms;
    enum { PAUSE, RESUME, RESTART, MOVED, END } what;
};

static json_t *new_override(const struct cz__attempt *a,
                            const struct request *r,
                            const struct cz_resource *cur)
{
    const json_t *old = cur->override;
    json_t *o;
    switch (r->what) {
    case PAUSE:
        o = without_pause(old);
        (void)json_object_set_new(o, "paused", json_true());
        cz_json_set_str(o, "reason", r->reason);
        if (r->until_ms > 0)
            cz_json_set_i64(o, "until", r->until_ms);
        return o;
    case RESTART:
        o = old ? json_deep_copy(old) : json_object();
        cz_json_set_i64(o, "restart", cz_tx_seq(a->tx));
        if (cz__is_finished(a->s, cur))
            cz_json_set_i64(o, "run", cz_tx_seq(a->tx));
        return o;
    case MOVED:
        o = old ? json_deep_copy(old) : json_object();
        cz_json_set_i64(o, "offsets_moved", cz_tx_seq(a->tx));
        return o;
    case RESUME:
    case END:
    default:
        return or_none(without_pause(old));
    }
}

/** The end of a pause is looked at again here: it may have been moved meanwhile. */
static bool still_due(const json_t *override, int64_t now)
{
    int64_t until = cz_json_int(override, "until", 0);
    return cz__paused(override) && until > 0 && until <= now;
}

static enum cz_err override_body(struct cz__attempt *a, void *arg, struct cz_error *err)
{
    const struct request *r = arg;
    struct cz_resource cur = {0};
    enum cz_err code = cz_tx_get(a->tx, r->team, CZ_KIND_MAPPING, r->name, &cur, err);
    if (code)
        return code;
    if (a->w->if_match != CZ_IF_MATCH_NONE)
        code = cz__precondition(a, &cur, err);
    bool skip = r->what == END && !still_due(cur.override, cz_wall_ms());
    if (code == CZ_OK && !skip) {
        json_t *o = new_override(a, r, &cur);
        code = cz__apply_override(a, &cur, o, &a->result, err);
        a->have_result = code == CZ_OK;
        json_decref(o);
    }
    cz_resource_done(&cur);
    return code;
}

static enum cz_err run(struct cz_service *s,
                       const struct cz_caller *who,
                       const struct cz_write *w,
                       const char *action,
                       struct request *r,
                       struct cz_write_result *ret,
                       struct cz_error *err)
{
    enum cz_err code = cz__name_possible(r->team, CZ_KIND_MAPPING, r->name, err);
    if (code)
        return code;
    struct cz__job j = {.s = s,
                        .who = who,
                        .w = w,
                        .team = r->team,
                        .action = action,
                        .body = override_body,
                        .arg = r};
    return cz__run(&j, ret, NULL, err);
}

enum cz_err cz_service_pause(struct cz_service *s,
                             const struct cz_caller *who,
                             const struct cz_write *w,
                             const char *team,
                             const char *name,
                             const char *reason,
                             int64_t until_ms,
                             struct cz_write_result *ret,
                             struct cz_error *err)
{
    struct request r = {
        .team = team, .name = name, .reason = reason, .until_ms = until_ms, .what = PAUSE};
    if (until_ms < 0 || (until_ms > 0 && until_ms <= cz_wall_ms()))
        return cz_fail(err, CZ_E_INVALID, "until must be in the future");
    if (reason && strlen(reason) > 1000)
        return cz_fail(err, CZ_E_INVALID, "a reason has at most 1000 bytes");
    return run(s, who, w, "mapping.pause", &r, ret, err);
}

enum cz_err cz_service_resume(struct cz_service *s,
                              const struct cz_caller *who,
                              const struct cz_write *w,
                              const char *team,
                              const char *name,
                              struct cz_write_result *ret,
                              struct cz_error *err)
{
    struct request r = {.team = team, .name = name, .what = RESUME};
    return run(s, who, w, "mapping.resume", &r, ret, err);
}

enum cz_err cz_service_restart(struct cz_service *s,
                               const struct cz_caller *who,
                               const struct cz_write *w,
                               const char *team,
                               const char *name,
                               struct cz_write_result *ret,
                               struct cz_error *err)
{
    struct request r = {.team = team, .name = name, .what = RESTART};
    return run(s, who, w, "mapping.restart", &r, ret, err);
}

enum cz_err cz__note_offsets_moved(struct cz_service *s,
                                   const struct cz_caller *who,
                                   const char *comment,
                                   const char *team,
                                   const char *name,
                                   int64_t *ret_seq,
                                   struct cz_error *err)
{
    struct request r = {.team = team, .name = name, .what = MOVED};
    struct cz_write w = {.comment = comment};
    struct cz_write_result result = {0};
    enum cz_err code = run(s, who, &w, "mapping.offsets.move", &r, &result, err);
    if (code == CZ_OK)
        *ret_seq = result.seq;
    cz_write_result_done(&result);
    return code;
}

/* ---- overrides that end --------------------------------------------------------------------
 */

/** All of this holds due_lock, which nobody else takes. */
static void
due_note(struct cz_service *s, const char *team, const char *name, const json_t *override)
{
    CZ_CLEANUP(cz_freep) char *key = cz_strf("%s/%s", team, name);
    int64_t until = cz__paused(override) ? cz_json_int(override, "until", 0) : 0;
    if (until <= 0) {
        (void)cz_map_remove(&s->due, key);
        return;
    }
    int64_t *box = cz_alloc(sizeof *box);
    *box = until;
    cz_map_put(&s->due, key, box);
}

static enum cz_err due_load(struct cz_service *s, struct cz_error *err)
{
    struct cz_list_filter f = {.kind = CZ_KIND_MAPPING};
    struct cz_resource_list l = {0};
    int64_t seq = 0;
    enum cz_err code = cz_store_list(s->store, &f, &l, &seq, err);
    if (code)
        return code;
    cz_map_clear(&s->due);
    for (size_t i = 0; i < l.len; i++)
        due_note(s, l.items[i].team, l.items[i].name, l.items[i].override);
    s->due_seq = seq;
    cz_resource_list_done(&l);
    return CZ_OK;
}

static enum cz_err due_change(struct cz_service *s, int64_t seq, struct cz_error *err)
{
    struct cz_change c = {0};
    struct cz_revision_list l = {0};
    enum cz_err code = cz_store_change(s->store, seq, &c, &l, err);
    if (code)
        return code;
    for (size_t i = 0; i < l.len; i++) {
        const struct cz_revision *r = &l.items[i];
        if (r->kind == CZ_KIND_MAPPING)
            due_note(s, r->team, r->name, r->op == CZ_OP_DELETE ? NULL : r->override);
    }
    s->due_seq = seq;
    cz_change_done(&c);
    cz_revision_list_done(&l);
    return CZ_OK;
}

/** Follow the changes since the last look; the first look reads all mappings. */
static enum cz_err due_follow(struct cz_service *s, struct cz_error *err)
{
    int64_t seq = 0;
    if (s->due_seq < 0)
        return due_load(s, err);
    enum cz_err code = cz_store_seq(s->store, &seq, err);
    while (code == CZ_OK && s->due_seq < seq) {
        struct cz_change_filter f = {.kind = CZ_KIND_COUNT_,
                                     .after = s->due_seq > 0 ? s->due_seq : 0,
                                     .limit = CHANGES_PER_LOOK};
        struct cz_change_list l = {0};
        if (f.after == 0)
            return due_load(s, err);
        code = cz_store_changes(s->store, &f, &l, err);
        for (size_t i = 0; code == CZ_OK && i < l.len; i++)
            code = due_change(s, l.items[i].seq, err);
        if (code == CZ_OK && l.len == 0)
            s->due_seq = seq; /* nothing we can see in between */
        cz_change_list_done(&l);
    }
    return code;
}

/** The name of one that is due; false: none. cz_free both. */
static bool due_take(struct cz_service *s, int64_t now, char **ret_team, char **ret_name)
{
    CZ_MAP_FOREACH (&s->due, i, e) {
        const char *slash = strchr(e->key, '/'); /* names hold none */
        if (*(int64_t *)e->value > now || !slash)
            continue;
        *ret_team = cz_strndup(e->key, (size_t)(slash - e->key));
        *ret_name = cz_strdup(slash + 1);
        CZ_CLEANUP(cz_freep) char *key = cz_strdup(e->key);
        (void)cz_map_remove(&s->due, key);
        return true;
    }
    return false;
}

static enum cz_err end_one(
    struct cz_service *s, const char *team, const char *name, int *ended, struct cz_error *err)
{
    struct cz_caller who = {.actor = "system", .via = "system"};
    struct cz_write w = {.comment = "the pause has ended"};
    struct cz_write_result result = {0};
    struct cz_error e = CZ_ERROR_INIT;
    struct request r = {.team = team, .name = name, .what = END};
    enum cz_err code = run(s, &who, &w, "mapping.resume", &r, &result, &e);
    if (code == CZ_OK && !result.unchanged)
        ++*ended;
    cz_write_result_done(&result);
    if (code == CZ_OK || code == CZ_E_NOT_FOUND)
        return CZ_OK;
    s->due_seq = -1; /* read it all again, so that this one is not forgotten */
    if (err && err->code == CZ_OK)
        *err = e;
    return code;
}

enum cz_err cz_service_end_overrides(struct cz_service *s, int *ret_ended, struct cz_error *err)
{
    char *team = NULL, *name = NULL;
    int ended = 0;
    cz__admins_sweep(s);
    CZ_LOCKED(&s->due_lock);
    enum cz_err code = due_follow(s, err);
    while (code == CZ_OK && due_take(s, cz_wall_ms(), &team, &name)) {
        code = end_one(s, team, name, &ended, err);
        cz_free(team);
        cz_free(name);
    }
    if (ret_ended)
        *ret_ended = ended;
    return code;
}
