/* SPDX-License-Identifier: Apache-2.0 */
/** Sets beside plan and apply (plan.c): what the page of a set shows, drift, suspending and resuming,
 *  owning and letting go.
 *
 *  Drift is one thing only: the objects as the set's last apply left them, compared with the database.
 *  `set_member.seq` is the version that each had then; who paused a mapping since did not change it. */
#include <string.h>

#include "service_priv.h"

char *cz__set_owner(const char *set)
{
    return cz_strf("set:%s", set);
}

bool cz__owned_by_set(const char *managed_by)
{
    return managed_by && strncmp(managed_by, "set:", 4) == 0;
}

bool cz__owned_by_instance(const char *managed_by)
{
    return managed_by && strncmp(managed_by, "instance:", 9) == 0;
}

/* ---- drift ---------------------------------------------------------------------------------- */

static void add_drift(json_t *list, const struct cz_set_moved *m, const char *what)
{
    json_t *one = json_object();
    cz_json_set_str(one, "kind", cz_kind_name(m->was.kind));
    cz_json_set_str(one, "name", m->was.name);
    cz_json_set_str(one, "what", what);
    if (strcmp(what, "changed") == 0)
        (void)json_object_set_new(one, "changes", cz_json_diff(m->doc, m->now.doc));
    cz_json_set_i64(one, "seq", m->seq);
    cz__set_time(one, "at", m->at_ms);
    cz_json_set_str_or_null(one, "by", m->actor);
    cz_json_set_str_or_null(one, "comment", m->comment);
    (void)json_array_append_new(list, one);
}

enum cz_err cz__set_drift(struct cz_service *s,
                          const char *team,
                          const char *set,
                          json_t **ret,
                          struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *owner = cz__set_owner(set);
    struct cz_set_moved_list l = {0};
    enum cz_err code = cz_store_set_moved(s->store, team, set, &l, err);
    if (code)
        return code;
    json_t *list = json_array();
    for (size_t i = 0; i < l.len; i++) {
        const struct cz_set_moved *m = &l.items[i];
        if (m->now.deleted_seq)
            add_drift(list, m, "deleted");
        else if (!cz_streq(m->now.managed_by, owner))
            add_drift(list, m, "released");
        else if (!m->doc || !json_equal(m->doc, m->now.doc))
            add_drift(list, m, "changed");
    }
    cz_set_moved_list_done(&l);
    *ret = list;
    return CZ_OK;
}

/* ---- what is shown -------------------------------------------------------------------------- */

static json_t *suspended_json(const struct cz_set_state *s)
{
    if (!s->suspended)
        return json_null();
    json_t *o = json_object();
    (void)json_object_set_new(o, "seq", s->suspended_seq ? cz_json_i64(s->suspended_seq) : json_null());
    cz__set_time(o, "at", s->suspended_ms);
    cz_json_set_str_or_null(o, "by", s->suspended_by);
    cz_json_set_str_or_null(o, "reason", s->suspended_reason);
    return o;
}

static json_t *applied_json(const struct cz_set_state *s)
{
    if (!s->applied_seq)
        return json_null();
    json_t *o = json_object();
    cz_json_set_i64(o, "seq", s->applied_seq);
    cz__set_time(o, "at", s->applied_ms);
    cz_json_set_str_or_null(o, "by", s->applied_by);
    return o;
}

static json_t *set_json(const struct cz_set_state *s, size_t drifted)
{
    json_t *o = json_object();
    cz_json_set_str(o, "name", s->name);
    cz_json_set_str(o, "team", s->team);
    cz_json_set_str_or_null(o, "repo", s->repo);
    cz_json_set_str_or_null(o, "commit", s->commit);
    (void)json_object_set_new(o, "applied", applied_json(s));
    cz_json_set_str(o, "state",
                    s->suspended      ? "suspended"
                    : !s->applied_seq ? "never_applied"
                    : drifted > 0     ? "drifted"
                                      : "in_sync");
    (void)json_object_set_new(o, "members", json_integer(s->members));
    (void)json_object_set_new(o, "drifted", json_integer((json_int_t)drifted));
    (void)json_object_set_new(o, "suspended", suspended_json(s));
    cz_json_set_str_or_null(o, "blocked_commit", s->blocked_commit);
    return o;
}

enum cz_err
cz_service_sets(struct cz_service *s, const char *team, json_t **ret, struct cz_error *err)
{
    struct cz_set_state_list l = {0};
    enum cz_err code = cz__team_known(s, team, err);
    if (code == CZ_OK)
        code = cz_store_sets(s->store, team, NULL, &l, err);
    json_t *items = json_array();
    for (size_t i = 0; code == CZ_OK && i < l.len; i++) {
        json_t *drift = NULL;
        code = cz__set_drift(s, team, l.items[i].name, &drift, err);
        if (code == CZ_OK)
            (void)json_array_append_new(items, set_json(&l.items[i], json_array_size(drift)));
        json_decref(drift);
    }
    cz_set_state_list_done(&l);
    if (code == CZ_OK)
        *ret = json_pack("{s:O}", "items", items);
    json_decref(items);
    return code;
}

static enum cz_err no_set(const char *set, struct cz_error *err)
{
    return cz_fail(err, CZ_E_NOT_FOUND, "there is no set '%s'", set);
}

enum cz_err cz_service_set(
    struct cz_service *s, const char *team, const char *set, json_t **ret, struct cz_error *err)
{
    struct cz_set_state_list l = {0};
    json_t *drift = NULL;
    enum cz_err code = cz__team_known(s, team, err);
    if (code == CZ_OK && cz_name_check(set, NULL))
        return no_set(set, err);
    if (code == CZ_OK)
        code = cz_store_sets(s->store, team, set, &l, err);
    if (code == CZ_OK && l.len == 0)
        return no_set(set, err);
    if (code == CZ_OK)
        code = cz__set_drift(s, team, set, &drift, err);
    if (code == CZ_OK) {
        *ret = set_json(&l.items[0], json_array_size(drift));
        (void)json_object_set(*ret, "drift", drift);
    }
    json_decref(drift);
    cz_set_state_list_done(&l);
    return code;
}

/* ---- what becomes of a set's row ------------------------------------------------------------ */

static void take_text(char **slot, const char *text)
{
    cz_free(*slot);
    *slot = cz_strdup(text);
}

enum cz_err cz__set_applied(struct cz__attempt *a,
                            const struct cz_set_state *old,
                            const struct cz_apply *apply,
                            const char *team,
                            const char *set,
                            struct cz_error *err)
{
    struct cz_set_state s = {.team = (char *)(uintptr_t)team,
                             .name = (char *)(uintptr_t)set,
                             .repo = (char *)(uintptr_t)(apply->repo ? apply->repo : old->repo),
                             .commit = (char *)(uintptr_t)apply->commit,
                             .applied_seq = cz_tx_seq(a->tx),
                             .applied_ms = cz_wall_ms(),
                             .applied_by = (char *)(uintptr_t)a->meta->actor,
                             .blocked_commit = apply->override_block ? NULL : old->blocked_commit};
    return cz_tx_put_set(a->tx, &s, err);
}

enum cz_err cz__suspend_rolled_back(struct cz__attempt *a,
                                    const struct cz_change *undone,
                                    struct cz_error *err)
{
    struct cz_set_state s = {0};
    bool found = false;
    if (!undone->set_name)
        return CZ_OK;
    enum cz_err code = cz_tx_set(a->tx, undone->team, undone->set_name, &s, &found, err);
    if (code == CZ_OK && found) {
        CZ_CLEANUP(cz_freep)
        char *why = cz_strf("change %lld was rolled back%s%.300s", (long long)undone->seq,
                            a->w->comment ? ": " : "", a->w->comment ? a->w->comment : "");
        s.suspended = true;
        s.suspended_seq = cz_tx_seq(a->tx);
        s.suspended_ms = cz_wall_ms();
        take_text(&s.suspended_by, a->meta->actor);
        take_text(&s.suspended_reason, why);
        if (undone->git_commit)
            take_text(&s.blocked_commit, undone->git_commit);
        code = cz_tx_put_set(a->tx, &s, err);
    }
    cz_set_state_done(&s);
    return code;
}

struct state_change {
    const char *team, *set, *reason;
    bool suspend, unblock, remove;
};

static enum cz_err state_body(struct cz__attempt *a, void *arg, struct cz_error *err)
{
    const struct state_change *c = arg;
    struct cz_set_state s = {0};
    bool found = false;
    enum cz_err code = cz_tx_set(a->tx, c->team, c->set, &s, &found, err);
    if (code || !found)
        return code ? code : no_set(c->set, err);
    if (c->remove) {
        code = s.members > 0 ? cz_fail(err, CZ_E_CONFLICT,
                                       "set '%s' owns %lld objects: release them first", c->set,
                                       (long long)s.members)
                             : cz_tx_delete_set(a->tx, c->team, c->set, err);
        if (code == CZ_OK)
            (void)json_array_append_new(
                a->changes, json_pack("{s:s, s:s, s:s}", "op", "delete", "kind", "set", "name", c->set));
        cz_set_state_done(&s);
        return code;
    }
    s.suspended = c->suspend;
    s.suspended_seq = 0;
    s.suspended_ms = c->suspend ? cz_wall_ms() : 0;
    take_text(&s.suspended_by, c->suspend ? a->meta->actor : NULL);
    take_text(&s.suspended_reason, c->suspend ? c->reason : NULL);
    if (c->unblock)
        take_text(&s.blocked_commit, NULL);
    code = cz_tx_put_set(a->tx, &s, err);
    cz_set_state_done(&s);
    return code;
}

static enum cz_err change_state(struct cz_service *s,
                                const struct cz_caller *who,
                                const struct cz_write *w,
                                const char *action,
                                struct state_change *c,
                                struct cz_write_result *ret,
                                struct cz_error *err)
{
    struct cz_write mine = *w;
    if (cz_name_check(c->set, NULL))
        return no_set(c->set, err);
    if (!mine.comment)
        mine.comment = c->reason;
    struct cz__job j = {.s = s,
                        .who = who,
                        .w = &mine,
                        .team = c->team,
                        .action = action,
                        .body = state_body,
                        .arg = c};
    return cz__run(&j, ret, NULL, err);
}

enum cz_err cz_service_suspend_set(struct cz_service *s,
                                   const struct cz_caller *who,
                                   const struct cz_write *w,
                                   const char *team,
                                   const char *set,
                                   const char *reason,
                                   json_t **ret,
                                   struct cz_error *err)
{
    struct state_change c = {.team = team, .set = set, .reason = reason, .suspend = true};
    struct cz_write_result r = {0};
    enum cz_err code = change_state(s, who, w, "set.suspend", &c, &r, err);
    cz_write_result_done(&r);
    return code ? code : cz_service_set(s, team, set, ret, err);
}

enum cz_err cz_service_resume_set(struct cz_service *s,
                                  const struct cz_caller *who,
                                  const struct cz_write *w,
                                  const char *team,
                                  const char *set,
                                  bool unblock,
                                  json_t **ret,
                                  struct cz_error *err)
{
    struct state_change c = {.team = team, .set = set, .unblock = unblock};
    struct cz_write_result r = {0};
    enum cz_err code = change_state(s, who, w, "set.resume", &c, &r, err);
    cz_write_result_done(&r);
    return code ? code : cz_service_set(s, team, set, ret, err);
}

enum cz_err cz_service_delete_set(struct cz_service *s,
                                  const struct cz_caller *who,
                                  const struct cz_write *w,
                                  const char *team,
                                  const char *set,
                                  struct cz_write_result *ret,
                                  struct cz_error *err)
{
    struct state_change c = {.team = team, .set = set, .remove = true};
    return change_state(s, who, w, "set.delete", &c, ret, err);
}

/* ---- adopt and release ---------------------------------------------------------------------- */

struct own_run {
    const char *team, *set;
    const struct cz_set_object *objects;
    size_t n;
    bool adopt, force;
    char *owner;
};

static enum cz_err own_one(struct cz__attempt *a,
                           const struct own_run *r,
                           const struct cz_resource *cur,
                           const char *pointer,
                           struct cz_error *err)
{
    const char *after = r->adopt ? r->owner : NULL;
    struct cz__origin o = {.base = pointer};
    struct cz_resource now = {0};
    if (!r->adopt && !cz_streq(cur->managed_by, r->owner)) {
        cz__origin_problem(a, &o, "/name", "not-a-member", "the %s \"%s\" is not in this set",
                           cz_kind_name(cur->kind), cur->name);
        return CZ_OK;
    }
    if (r->adopt && cur->managed_by && !cz_streq(cur->managed_by, r->owner) &&
        (!r->force || !cz__owned_by_set(cur->managed_by))) {
        cz__origin_problem(a, &o, "/name", "owned", "the %s \"%s\" belongs to %s",
                           cz_kind_name(cur->kind), cur->name, cur->managed_by);
        return CZ_OK;
    }
    enum cz_op op = r->adopt ? CZ_OP_ADOPT : CZ_OP_RELEASE;
    enum cz_err code = cz_tx_put(a->tx, cur->team, cur->kind, cur->name, cur->doc, cur->override,
                                 after, op, &now, err);
    if (code)
        return code;
    (void)cz__noted(a, &now, op);
    const struct cz_set_member m = {now.kind, now.name, now.uid, now.version};
    code = r->adopt ? cz_tx_put_members(a->tx, r->team, r->set, &m, 1, err)
                    : cz_tx_drop_members(a->tx, r->team, r->set, &m, 1, err);
    cz_resource_done(&now);
    return code;
}

static enum cz_err own_named(struct cz__attempt *a, const struct own_run *r, struct cz_error *err)
{
    enum cz_err code = CZ_OK;
    for (size_t i = 0; code == CZ_OK && i < r->n; i++) {
        const struct cz_set_object *o = &r->objects[i];
        const struct cz__origin at = {.base = o->pointer};
        struct cz_resource cur = {0};
        bool found = false;
        code = cz__tx_find(a, r->team, o->kind, o->name, &cur, &found, err);
        if (code == CZ_OK && found)
            code = own_one(a, r, &cur, o->pointer, err);
        else if (code == CZ_OK)
            cz__origin_problem(a, &at, "/name", "not-found", "there is no %s \"%s\"",
                               cz_kind_name(o->kind), o->name);
        cz_resource_done(&cur);
    }
    return code;
}

static enum cz_err own_body(struct cz__attempt *a, void *arg, struct cz_error *err)
{
    const struct own_run *r = arg;
    struct cz_set_state s = {0};
    struct cz_resource_list l = {0};
    bool found = false;
    enum cz_err code = cz_tx_set(a->tx, r->team, r->set, &s, &found, err);
    if (code == CZ_OK && !found && !r->adopt)
        code = no_set(r->set, err);
    if (code == CZ_OK && !found) {
        struct cz_set_state made = {.team = (char *)(uintptr_t)r->team,
                                    .name = (char *)(uintptr_t)r->set};
        code = cz_tx_put_set(a->tx, &made, err);
    }
    if (code == CZ_OK)
        code = cz_tx_load(a->tx, r->team, NULL, 0, r->owner, &l, err);
    if (code == CZ_OK && r->n > 0)
        code = own_named(a, r, err);
    for (size_t i = 0; code == CZ_OK && r->n == 0 && i < l.len; i++)
        code = own_one(a, r, &l.items[i], "", err);
    if (code == CZ_OK)
        a->meta->set_name = r->set;
    cz_resource_list_done(&l);
    cz_set_state_done(&s);
    return code;
}

enum cz_err cz_service_own(struct cz_service *s,
                           const struct cz_caller *who,
                           const struct cz_write *w,
                           const char *team,
                           const char *set,
                           const struct cz_set_object *objects,
                           size_t n,
                           bool adopt,
                           bool force,
                           struct cz_write_result *ret,
                           struct cz_report *rep,
                           struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *owner = cz__set_owner(set);
    struct own_run r = {.team = team,
                        .set = set,
                        .objects = objects,
                        .n = n,
                        .adopt = adopt,
                        .force = force,
                        .owner = owner};
    if (cz_name_check(set, err))
        return CZ_E_INVALID;
    struct cz__job j = {.s = s,
                        .who = who,
                        .w = w,
                        .team = team,
                        .action = adopt ? "set.adopt" : "set.release",
                        .body = own_body,
                        .arg = &r};
    return cz__run(&j, ret, rep, err);
}
