/* SPDX-License-Identifier: Apache-2.0 */
/** Plan and apply of a set: all objects of it in one change, or none.  Both run the same body in a
 *  transaction; a plan is rolled back.  So what a plan says is what the apply does, and the hash that
 *  binds them is made of what the transaction touched, with the versions that it met.
 *
 *  Rules.  An object has one owner: a set, an instance or nobody.  What nobody owns is taken over only
 *  when `adopt` says so, what another set owns only by `force_adopt`, what an instance renders never.
 *  Deletes: only with `prune`, only members, and only up to a bound.  Order: mappings and instances
 *  that go; then what comes, each after those that it names; then templates, value maps and clusters
 *  that go.  What is blocked is told beside what would be done, and then an apply does nothing. */
#include <string.h>

#include "access_priv.h"

#define MIN_GUARD 5      /* so many members may always be pruned at once */
#define GUARD_PERCENT 20 /* or so many of them */

struct plan_run {
    const struct cz_apply *apply;
    const char *team, *set;
    bool plan_only;
    const json_t *drift; /* told in the plan; NULL: nothing */
    struct cz__plan_items items;
    struct cz_map names; /* kind "/" name, and former names, of the items */

    /* of this attempt */
    struct cz__attempt *a;
    char *owner;
    struct cz_set_state state;
    bool known; /* there is such a set */
    struct cz_resource_list members;
    json_t *blocked, *notes;
    size_t deletes, unchanged;
    enum cz_err refused; /* why nothing may be applied, if so */
    json_t *plan;        /* the result; kept after the attempt */
};

static void attempt_done(struct plan_run *r)
{
    cz_freep(&r->owner);
    cz_set_state_done(&r->state);
    cz_resource_list_done(&r->members);
    json_decref(r->blocked);
    json_decref(r->notes);
    json_decref(r->plan);
    r->blocked = r->notes = r->plan = NULL;
    r->deletes = r->unchanged = 0;
    r->known = false;
    r->refused = CZ_OK;
}

CZ_PRINTF(4, 5)
static void block(struct plan_run *r,
                  const char *reason,
                  const struct cz__plan_item *it,
                  const char *fmt,
                  ...)
{
    char text[600];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    json_t *one = json_object();
    cz_json_set_str(one, "reason", reason);
    cz_json_set_str(one, "message", text);
    if (it) {
        cz_json_set_str(one, "kind", cz_kind_name(it->kind));
        cz_json_set_str(one, "name", it->name);
        cz_json_set_str(one, "pointer", it->pointer);
    }
    (void)json_array_append_new(r->blocked, one);
}

/* ---- what may be applied at all ------------------------------------------------------------- */

static void refuse(struct plan_run *r, enum cz_err code, const char *text)
{
    r->refused = code;
    block(r, cz_err_slug(code), NULL, "%s", text);
}

/** A commit that was rolled back is refused; another one ends the suspension that followed from it. */
static void check_state(struct plan_run *r)
{
    const struct cz_set_state *s = &r->state;
    const char *commit = r->apply->commit;
    if (!r->known || r->apply->override_block)
        return;
    if (s->blocked_commit && cz_streq(commit, s->blocked_commit)) {
        CZ_CLEANUP(cz_freep)
        char *text = cz_strf("commit %.64s was rolled back: %.300s", commit,
                             s->suspended_reason ? s->suspended_reason : "it is blocked");
        refuse(r, CZ_E_COMMIT_BLOCKED, text);
        return;
    }
    if (!s->suspended || (s->suspended_seq > 0 && commit && s->blocked_commit))
        return;
    CZ_CLEANUP(cz_freep)
    char *text = cz_strf("the set is suspended%s%.300s%s", s->suspended_reason ? ": " : "",
                         s->suspended_reason ? s->suspended_reason : "",
                         s->suspended_seq > 0 ? "; resume it, or say which commit this is" : "");
    refuse(r, CZ_E_SUSPENDED, text);
}

/* ---- who owns what -------------------------------------------------------------------------- */

/** May the set write this object? Else the reason is among the blocked. */
static bool may_take(struct plan_run *r, const struct cz__plan_item *it, const struct cz_resource *cur)
{
    if (!cur || cz_streq(cur->managed_by, r->owner))
        return true;
    if (!cur->managed_by) {
        if (r->apply->adopt || r->apply->force_adopt)
            return true;
        block(r, "needs-adopt", it, "%s \"%s\" exists and belongs to no set: adopt it to take it over",
              cz_kind_name(it->kind), it->name);
        return false;
    }
    if (cz__owned_by_set(cur->managed_by) && r->apply->force_adopt)
        return true;
    block(r, cz__owned_by_set(cur->managed_by) ? "owned-by-set" : "owned-by-instance", it,
          "%s \"%s\" belongs to %s", cz_kind_name(it->kind), it->name, cur->managed_by);
    return false;
}

static enum cz_err rename_first(struct plan_run *r,
                                struct cz__plan_item *it,
                                struct cz_resource *cur,
                                bool *found,
                                struct cz_error *err)
{
    struct cz_resource old = {0};
    bool there = false;
    enum cz_err code =
        cz__tx_find(r->a, r->team, it->kind, it->renamed_from, &old, &there, err);
    if (code || !there) /* renamed already, or never applied under the old name */
        return code;
    if (*found) {
        block(r, "name-taken", it, "mapping \"%s\" cannot be renamed to \"%s\": there are both",
              it->renamed_from, it->name);
        it->what = CZ__PLAN_BLOCKED;
    } else if (!may_take(r, it, &old)) {
        it->what = CZ__PLAN_BLOCKED;
    } else {
        code = cz__rename_mapping(r->a, &old, it->name, err);
        if (code == CZ_OK)
            code = cz__tx_find(r->a, r->team, it->kind, it->name, cur, found, err);
    }
    cz_resource_done(&old);
    return code;
}

/* ---- puts ----------------------------------------------------------------------------------- */

static enum cz_err put_item(struct plan_run *r, struct cz__plan_item *it, struct cz_error *err)
{
    struct cz_resource cur = {0};
    bool found = false;
    struct cz_report rep = CZ_REPORT_INIT;
    it->what = CZ__PLAN_PUT;
    enum cz_err code = cz__tx_find(r->a, r->team, it->kind, it->name, &cur, &found, err);
    if (code == CZ_OK && it->renamed_from)
        code = rename_first(r, it, &cur, &found, err);
    if (code == CZ_OK && it->what == CZ__PLAN_PUT && !may_take(r, it, found ? &cur : NULL))
        it->what = CZ__PLAN_BLOCKED;
    if (code == CZ_OK && it->what == CZ__PLAN_PUT) {
        CZ_CLEANUP(cz_freep) char *what = cz_strf("%s \"%s\"", cz_kind_name(it->kind), it->name);
        struct cz__put p = {.team = r->team,
                            .name = it->name,
                            .kind = it->kind,
                            .managed_by = r->owner,
                            .override = cur.override,
                            .op = !found                                ? CZ_OP_CREATE
                                  : cz_streq(cur.managed_by, r->owner) ? CZ_OP_UPDATE
                                                                        : CZ_OP_ADOPT,
                            .origin = {.base = it->pointer, .what = what},
                            .alone = it->kind == CZ_KIND_TEMPLATE};
        json_t *doc = cz__document(it->body, r->team, it->kind, it->name, found ? &cur : NULL, &rep);
        bool same = found && cz_report_ok(&rep) && json_equal(doc, cur.doc) &&
                    cz_streq(cur.managed_by, r->owner) && cur.version < cz_tx_seq(r->a->tx);
        cz__move_problems(r->a, &p.origin, &rep);
        p.doc = doc;
        if (same)
            it->what = CZ__PLAN_UNCHANGED;
        else
            code = cz__apply(r->a, &p, NULL, NULL, err);
        r->unchanged += same;
        json_decref(doc);
    }
    cz_resource_done(&cur);
    return code;
}

static enum cz_err put_kind(struct plan_run *r, enum cz_kind kind, struct cz_error *err)
{
    enum cz_err code = CZ_OK;
    for (size_t i = 0; code == CZ_OK && i < r->items.len; i++)
        if (r->items.items[i].kind == kind)
            code = put_item(r, &r->items.items[i], err);
    return code;
}

/** Instances that the set does not name, or that did not change, follow their templates now. */
static enum cz_err render_again(struct plan_run *r, struct cz_error *err)
{
    enum cz_err code = CZ_OK;
    for (size_t i = 0; code == CZ_OK && i < r->items.len && cz_report_ok(&r->a->rep); i++) {
        const struct cz__plan_item *it = &r->items.items[i];
        if (it->kind == CZ_KIND_TEMPLATE && it->what == CZ__PLAN_PUT)
            code = cz__rerender_template(r->a, r->team, it->name, it->pointer, err);
    }
    return code;
}

/* ---- deletes -------------------------------------------------------------------------------- */

static bool named(const struct plan_run *r, const struct cz_resource *m)
{
    CZ_CLEANUP(cz_freep) char *key = cz_strf("%d/%s", (int)m->kind, m->name);
    return cz_map_get(&r->names, key) != NULL;
}

static void collect_names(struct plan_run *r)
{
    for (size_t i = 0; i < r->items.len; i++) {
        const struct cz__plan_item *it = &r->items.items[i];
        const char *both[] = {it->name, it->renamed_from};
        for (size_t k = 0; k < 2 && both[k]; k++) {
            CZ_CLEANUP(cz_freep) char *key = cz_strf("%d/%s", (int)it->kind, both[k]);
            cz_map_put(&r->names, key, r);
        }
    }
}

/** Takes the members that go out of r->members. */
static void find_deletes(struct plan_run *r, struct cz_resource_list *ret)
{
    for (size_t i = 0; i < r->members.len; i++) {
        struct cz_resource *m = &r->members.items[i];
        if (!cz_streq(m->managed_by, r->owner) || named(r, m))
            continue;
        cz_grow(&ret->items, &ret->cap, ret->len, sizeof *ret->items);
        ret->items[ret->len++] = *m;
        *m = (struct cz_resource){0};
    }
}

static size_t count_members(const struct plan_run *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->members.len; i++)
        n += cz_streq(r->members.items[i].managed_by, r->owner);
    return n;
}

/** What must not happen by mistake: everything gone because a folder was empty or a path wrong. */
static void guard(struct plan_run *r, size_t deletes, size_t members)
{
    int64_t bound = r->apply->max_deletes;
    if (bound < 0) {
        bound = (int64_t)(members * GUARD_PERCENT / 100);
        bound = bound < MIN_GUARD ? MIN_GUARD : bound;
    }
    if (deletes > 0 && r->items.len == 0 && !r->apply->allow_empty)
        block(r, "empty-set", NULL,
              "there are no objects at all: all %zu members would be deleted (allow_empty)", deletes);
    if ((int64_t)deletes > bound)
        block(r, "too-many-deletes", NULL,
              "%zu of %zu members would be deleted, more than %lld (max_deletes)", deletes, members,
              (long long)bound);
}

static enum cz_err delete_one(struct plan_run *r, const struct cz_resource *m, struct cz_error *err)
{
    struct cz_error e = CZ_ERROR_INIT;
    enum cz_err code = cz__remove(r->a, m, &e);
    const struct cz__plan_item it = {.kind = m->kind, .name = m->name};
    if (code == CZ_E_CONFLICT) {
        block(r, "in-use", &it, "%s", e.text);
        return CZ_OK;
    }
    if (code && err && err->code == CZ_OK)
        *err = e;
    return code;
}

static enum cz_err delete_kinds(struct plan_run *r,
                                const struct cz_resource_list *l,
                                const enum cz_kind *kinds,
                                size_t n,
                                struct cz_error *err)
{
    enum cz_err code = CZ_OK;
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; code == CZ_OK && i < l->len; i++)
            if (l->items[i].kind == kinds[k])
                code = delete_one(r, &l->items[i], err);
    return code;
}

static void note_left(struct plan_run *r, const struct cz_resource_list *l)
{
    for (size_t i = 0; i < l->len; i++)
        (void)json_array_append_new(
            r->notes, json_pack("{s:s, s:s, s:s, s:s}", "code", "not-listed", "kind",
                                cz_kind_name(l->items[i].kind), "name", l->items[i].name, "message",
                                "is a member of the set but not among the objects; prune would delete it"));
}

/* ---- the whole ------------------------------------------------------------------------------ */

static enum cz_err load(struct plan_run *r, struct cz_error *err)
{
    size_t n = 0;
    struct cz_tx_ref *refs = cz_alloc_array(2 * r->items.len + 1, sizeof *refs);
    for (size_t i = 0; i < r->items.len; i++) {
        const struct cz__plan_item *it = &r->items.items[i];
        refs[n++] = (struct cz_tx_ref){it->kind, it->name};
        if (it->renamed_from)
            refs[n++] = (struct cz_tx_ref){it->kind, it->renamed_from};
    }
    enum cz_err code = cz_tx_load(r->a->tx, r->team, refs, n, r->owner, &r->members, err);
    cz_free(refs);
    if (code == CZ_OK)
        code = cz_tx_set(r->a->tx, r->team, r->set, &r->state, &r->known, err);
    return code;
}

static enum cz_err execute(struct plan_run *r, struct cz_error *err)
{
    static const enum cz_kind first[] = {CZ_KIND_MAPPING, CZ_KIND_INSTANCE},
                              last[] = {CZ_KIND_TEMPLATE, CZ_KIND_VALUE_MAP, CZ_KIND_CLUSTER, CZ_KIND_GRANT,
                                        CZ_KIND_BINDING},
                              bases[] = {CZ_KIND_BINDING,   CZ_KIND_GRANT,    CZ_KIND_CLUSTER,
                                         CZ_KIND_VALUE_MAP, CZ_KIND_TEMPLATE, CZ_KIND_INSTANCE};
    size_t members = count_members(r);
    struct cz_resource_list gone = {0};
    enum cz_err code = CZ_OK;
    find_deletes(r, &gone);
    if (r->apply->prune) {
        r->deletes = gone.len;
        guard(r, gone.len, members);
        code = delete_kinds(r, &gone, first, 2, err);
    } else {
        note_left(r, &gone);
    }
    for (size_t i = 0; code == CZ_OK && i < sizeof bases / sizeof bases[0]; i++)
        code = put_kind(r, bases[i], err);
    if (code == CZ_OK)
        code = render_again(r, err);
    if (code == CZ_OK)
        code = put_kind(r, CZ_KIND_MAPPING, err);
    if (code == CZ_OK && r->apply->prune)
        code = delete_kinds(r, &gone, last, sizeof last / sizeof last[0], err);
    cz_resource_list_done(&gone);
    return code;
}

static void make_plan(struct plan_run *r)
{
    json_t *summary = json_object(), *p = json_object();
    CZ_CLEANUP(cz_freep) char *hash = NULL;
    json_t *changes = cz__plan_changes(r->a, r->owner, summary, &hash);
    (void)json_object_set_new(summary, "unchanged", json_integer((json_int_t)r->unchanged));
    (void)json_object_set_new(summary, "blocked",
                              json_integer((json_int_t)json_array_size(r->blocked)));
    cz_json_set_str(p, "team", r->team);
    cz_json_set_str(p, "set", r->set);
    cz_json_set_str_or_null(p, "commit", r->apply->commit);
    cz_json_set_i64(p, "base_seq", cz_tx_seq(r->a->tx) - 1);
    cz_json_set_str(p, "plan_hash", hash);
    (void)json_object_set_new(p, "prune", json_boolean(r->apply->prune));
    (void)json_object_set_new(p, "summary", summary);
    (void)json_object_set_new(p, "changes", changes);
    (void)json_object_set(p, "blocked", r->blocked);
    (void)json_object_set_new(p, "drift",
                              r->drift ? json_incref((json_t *)(uintptr_t)r->drift) : json_array());
    (void)json_object_set(p, "notes", r->notes);
    (void)json_object_set_new(p, "warnings", json_incref(r->a->warnings));
    r->plan = p;
}

static struct cz_set_member member_of(const struct cz_resource *r)
{
    return (struct cz_set_member){r->kind, cz_strdup(r->name), cz_strdup(r->uid), r->version};
}

static void add_member(struct cz_set_member_list *l, const struct cz_resource *r)
{
    cz_grow(&l->items, &l->cap, l->len, sizeof *l->items);
    l->items[l->len++] = member_of(r);
}

/** What was edited past the set, and is again as the files say; what is gone and is not named any
 *  more is no member. */
static enum cz_err settle_drift(struct plan_run *r,
                                struct cz_set_member_list *put,
                                struct cz_set_member_list *drop,
                                struct cz_error *err)
{
    enum cz_err code = CZ_OK;
    json_t *d;
    size_t i;
    json_array_foreach (r->drift, i, d) {
        struct cz_resource now = {0};
        enum cz_kind kind;
        bool found = false;
        if (!cz_kind_parse(cz_json_str(d, "kind", ""), &kind))
            continue;
        code = cz__tx_find(r->a, r->team, kind, cz_json_str(d, "name", ""), &now, &found, err);
        if (code)
            return code;
        struct cz_resource gone = {.kind = kind, .name = cz_strdup(cz_json_str(d, "name", ""))};
        bool mine = found && cz_streq(now.managed_by, r->owner);
        if (mine && named(r, &now) && now.version < cz_tx_seq(r->a->tx)) /* else it is added below */
            add_member(put, &now);
        else if (!mine && !named(r, &gone))
            add_member(drop, &gone);
        cz_free(gone.name);
        cz_resource_done(&now);
    }
    return CZ_OK;
}

/** Everything that the set's row and its members say after this apply. */
static enum cz_err keep_books(struct plan_run *r, struct cz_error *err)
{
    const struct cz_set_state *s = &r->state;
    const struct cz_resource *before, *after;
    struct cz_set_member_list put = {0}, drop = {0};
    enum cz_err code = settle_drift(r, &put, &drop, err);
    for (size_t i = 0; code == CZ_OK && cz_tx_touched(r->a->tx, i, &before, &after); i++) {
        if (before && (!after || !cz_streq(before->name, after->name)))
            add_member(&drop, before);
        if (after && cz_streq(after->managed_by, r->owner))
            add_member(&put, after);
    }
    bool differs = put.len + drop.len > 0 || !r->known || s->suspended ||
                   !cz_streq(s->commit, r->apply->commit) ||
                   (s->blocked_commit && r->apply->override_block);
    if (code == CZ_OK)
        code = cz_tx_drop_members(r->a->tx, r->team, r->set, drop.items, drop.len, err);
    if (code == CZ_OK)
        code = cz_tx_put_members(r->a->tx, r->team, r->set, put.items, put.len, err);
    if (code == CZ_OK && differs)
        code = cz__set_applied(r->a, s, r->apply, r->team, r->set, err);
    cz_set_member_list_done(&put);
    cz_set_member_list_done(&drop);
    return code;
}

static enum cz_err refuse_apply(struct plan_run *r, struct cz_error *err)
{
    const char *hash = cz_json_str(r->plan, "plan_hash", "");
    const json_t *first = json_array_get(r->blocked, 0);
    if (r->refused)
        return cz_fail(err, r->refused, "%s", cz_json_str(first, "message", ""));
    if (first)
        return cz_fail(err, CZ_E_PLAN_BLOCKED, "%s%s", cz_json_str(first, "message", ""),
                       json_array_size(r->blocked) > 1 ? " (and more, see the plan)" : "");
    if (r->apply->plan_hash && !cz_streq(r->apply->plan_hash, hash))
        return cz_fail(err, CZ_E_STALE_PLAN,
                       "something has changed since this was planned: look at the new plan");
    return CZ_OK;
}

static enum cz_err plan_body(struct cz__attempt *a, void *arg, struct cz_error *err)
{
    struct plan_run *r = arg;
    attempt_done(r);
    r->a = a;
    r->owner = cz__set_owner(r->set);
    r->blocked = json_array();
    r->notes = json_array();
    bool forces = r->apply->force_adopt || r->apply->override_block; /* for who may write the set itself */
    enum cz_err code = forces ? cz__need_verb(a, r->team, CZ_VERB_SET_WRITE, err) : CZ_OK;
    if (code == CZ_OK)
        code = load(r, err);
    if (code)
        return code;
    check_state(r);
    code = execute(r, err);
    if (code || !cz_report_ok(&a->rep) || cz__wants_any(&a->wants))
        return code;
    make_plan(r);
    if (r->plan_only)
        return CZ_OK;
    code = refuse_apply(r, err);
    if (code)
        return code;
    a->meta->set_name = r->set;
    a->meta->git_commit = r->apply->commit;
    a->meta->plan_hash = cz_json_str(r->plan, "plan_hash", NULL);
    return keep_books(r, err);
}

static enum cz_err run(struct plan_run *r,
                       struct cz_service *s,
                       const struct cz_caller *who,
                       const struct cz_write *w,
                       struct cz_write_result *ret,
                       json_t **ret_plan,
                       struct cz_report *rep,
                       struct cz_error *err)
{
    json_t *drift = NULL;
    enum cz_err code = cz__team_known(s, r->team, err);
    if (code == CZ_OK && cz_name_check(r->set, err))
        return CZ_E_INVALID;
    if (code == CZ_OK && !cz__plan_items(r->apply->objects, &r->items, rep))
        return cz_report_error(rep, err);
    if (code == CZ_OK)
        code = cz__set_drift(s, r->team, r->set, &drift, err);
    r->drift = drift;
    collect_names(r);
    struct cz__job j = {.s = s,
                        .who = who,
                        .w = w,
                        .team = r->team,
                        .action = "set.apply",
                        .body = plan_body,
                        .arg = r};
    if (code == CZ_OK)
        code = cz__run(&j, ret, rep, err);
    if (ret_plan && r->plan)
        *ret_plan = json_incref(r->plan);
    json_decref(drift);
    cz__plan_items_done(&r->items);
    cz_map_done(&r->names);
    attempt_done(r);
    return code;
}

enum cz_err cz_service_plan(struct cz_service *s,
                            const struct cz_caller *who,
                            const char *team,
                            const char *set,
                            const struct cz_apply *apply,
                            json_t **ret,
                            struct cz_report *rep,
                            struct cz_error *err)
{
    struct plan_run r = {.apply = apply, .team = team, .set = set, .plan_only = true};
    const struct cz_write w = {.dry_run = true};
    struct cz_write_result result = {0};
    enum cz_err code = run(&r, s, who, &w, &result, ret, rep, err);
    cz_write_result_done(&result);
    return code;
}

enum cz_err cz_service_apply(struct cz_service *s,
                             const struct cz_caller *who,
                             const struct cz_write *w,
                             const char *team,
                             const char *set,
                             const struct cz_apply *apply,
                             struct cz_write_result *ret,
                             json_t **ret_plan,
                             struct cz_report *rep,
                             struct cz_error *err)
{
    struct plan_run r = {.apply = apply, .team = team, .set = set};
    return run(&r, s, who, w, ret, ret_plan, rep, err);
}
