/* SPDX-License-Identifier: Apache-2.0 */
/** Undoing a whole change: each object gets what it was before, in one new change that is
 * checked as any other.  What was changed since is told and left alone.  Mappings of an
 * instance follow from the instance and its template, which are undone before them. */
#include <stdlib.h>
#include <string.h>

#include "service_priv.h"

struct undo {
    const struct cz_revision *rev;
    struct cz_revision before; /* the state before the change */
    bool has_before;
};
struct plan {
    int64_t seq;
    const struct cz_change *change;
    const struct cz_force *force; /* NULL: nothing */
    bool derives; /* a template or an instance is in it: its mappings follow from that */
    struct undo *items;
    size_t len;
};

static json_t *
skip(struct cz__attempt *a, const struct cz_revision *rev, const char *reason, int64_t by)
{
    json_t *one = json_pack("{s:s,s:s,s:s}", "kind", cz_kind_name(rev->kind), "name", rev->name,
                            "reason", reason);
    if (by > 0)
        cz_json_set_i64(one, "version", by);
    (void)json_array_append_new(a->skipped, one);
    return one;
}

/** Changed since: is it to be overwritten all the same? If not it is told.
 *  @version 0: it is not there any more */
static bool
forced(struct cz__attempt *a, const struct plan *plan, const struct undo *u, const char *reason, int64_t version)
{
    const struct cz_revision *rev = u->rev;
    const struct cz_force *f = plan->force;
    bool named = false;
    if (f && f->all)
        return true;
    for (size_t i = 0; f && i < f->len; i++) {
        if (f->items[i].kind != rev->kind || !cz_streq(f->items[i].name, rev->name))
            continue;
        named = true;
        if (f->items[i].version == 0 || f->items[i].version == version)
            return true;
    }
    (void)json_object_set_new(
        skip(a, rev, named ? "it is not in the version that was named any more" : reason, version),
        "can_force", json_true());
    return false;
}

/** Say more about what was just noted for the object, behind @from in the list of changes. */
static void annotate(struct cz__attempt *a, size_t from, const struct undo *u, const json_t *was, bool by_force)
{
    for (size_t i = from; i < json_array_size(a->changes); i++) {
        json_t *one = json_array_get(a->changes, i);
        if (by_force)
            (void)json_object_set_new(one, "forced", json_true());
        if (a->w->dry_run && was && u->has_before && u->rev->op != CZ_OP_OVERRIDE &&
            cz_streq(cz_json_str(one, "kind", ""), cz_kind_name(u->rev->kind)) &&
            cz_streq(cz_json_str(one, "name", ""), u->before.name))
            (void)json_object_set_new(one, "diff", cz_json_diff(was, u->before.doc));
    }
}

static enum cz_err put_back(struct cz__attempt *a,
                            const struct undo *u,
                            const json_t *doc,
                            const json_t *override,
                            const char *managed_by,
                            struct cz_error *err)
{
    const struct cz_revision *rev = u->rev;
    CZ_CLEANUP(cz_freep) char *what = cz_strf("%s \"%s\"", cz_kind_name(rev->kind), rev->name);
    struct cz__put p = {.team = rev->team,
                        .name = u->has_before ? u->before.name : rev->name,
                        .kind = rev->kind,
                        .doc = doc,
                        .override = override,
                        .managed_by = managed_by,
                        .op = CZ_OP_RESTORE,
                        .origin = {.base = "", .fixed = "", .what = what}};
    return cz__apply(a, &p, NULL, NULL, err);
}

/** The object is alive and as the change left it. */
static enum cz_err undo_alive(struct cz__attempt *a,
                              const struct undo *u,
                              const struct cz_resource *cur,
                              struct cz_error *err)
{
    const struct cz_revision *rev = u->rev;
    bool override_only = rev->op == CZ_OP_OVERRIDE;
    struct cz_resource put = {0};
    if (override_only) {
        enum cz_err code =
            cz__apply_override(a, cur, u->has_before ? u->before.override : NULL, &put, err);
        cz_resource_done(&put);
        return code;
    }
    if (!u->has_before)
        return cz__remove(a, cur, err);
    if (!cz_streq(u->before.name, rev->name)) {
        enum cz_err code = cz__rename_mapping(a, cur, u->before.name, err);
        if (code)
            return code;
    }
    return put_back(a, u, u->before.doc, cur->override, u->before.managed_by, err);
}

/** The change deleted it. @cur who bears the name now, NULL: nobody */
static enum cz_err undo_delete(struct cz__attempt *a,
                               const struct plan *plan,
                               const struct undo *u,
                               const struct cz_resource *cur,
                               bool derived,
                               struct cz_error *err)
{
    const struct cz_revision *rev = u->rev;
    if (!cur && derived)
        (void)skip(a, rev, "it follows from an instance or template that was changed since", 0);
    else if (!cur)
        return put_back(a, u, rev->doc, rev->override,
                        cz__owned_by_set(rev->managed_by) ? rev->managed_by : NULL, err);
    else if (forced(a, plan, u, "the name is in use again", cur->version))
        return put_back(a, u, rev->doc, cur->override, cur->managed_by, err);
    return CZ_OK;
}

/** The change made or altered it, and since then it was deleted. */
static enum cz_err undo_gone(struct cz__attempt *a,
                             const struct plan *plan,
                             const struct undo *u,
                             bool derived,
                             struct cz_error *err)
{
    const struct cz_revision *rev = u->rev;
    const char *reason = "it was deleted since";
    if (!u->has_before) {
        if (rev->kind != CZ_KIND_MAPPING)
            (void)skip(a, rev, reason, 0); /* gone is what was wanted */
        return CZ_OK;
    }
    if (derived || rev->op == CZ_OP_OVERRIDE)
        (void)skip(a, rev, reason, 0);
    else if (forced(a, plan, u, reason, 0))
        return put_back(a, u, u->before.doc, u->before.override,
                        cz__owned_by_set(u->before.managed_by) ? u->before.managed_by : NULL, err);
    return CZ_OK;
}

static enum cz_err undo_one(struct cz__attempt *a,
                            const struct plan *plan,
                            const struct undo *u,
                            struct cz_error *err)
{
    const struct cz_revision *rev = u->rev;
    struct cz_resource cur = {0};
    bool found;
    enum cz_err code = cz__tx_find(a, rev->team, rev->kind, rev->name, &cur, &found, err);
    if (code)
        return code;
    bool managed = found && cz__owned_by_instance(cur.managed_by);
    bool redone =
        managed && cur.version == cz_tx_seq(a->tx); /* its instance was undone above */
    bool derived = plan->derives && rev->kind == CZ_KIND_MAPPING;
    bool as_left = found && cur.version == plan->seq && cz_streq(cur.uid, rev->uid);
    size_t noted = json_array_size(a->changes);
    if (redone) {
        /* done */
    } else if (managed && rev->op != CZ_OP_OVERRIDE) /* its instance says what it is */
        (void)skip(a, rev,
                   rev->op == CZ_OP_DELETE ? "the name is in use again"
                   : as_left               ? "it follows from its instance, which was changed since"
                                           : "it was changed since",
                   cur.version);
    else if (rev->op == CZ_OP_DELETE)
        code = undo_delete(a, plan, u, found ? &cur : NULL, derived, err);
    else if (!found)
        code = undo_gone(a, plan, u, derived, err);
    else if (as_left || forced(a, plan, u, "it was changed since", cur.version))
        code = undo_alive(a, u, &cur, err);
    annotate(a, noted, u, found ? cur.doc : NULL, found ? !as_left : rev->op != CZ_OP_DELETE);
    cz_resource_done(&cur);
    return code;
}

/** Objects that come back before those that use them; objects that go, after their users. */
static int rank(const struct undo *u)
{
    static const int comes[] = {[CZ_KIND_CLUSTER] = 0,
                                [CZ_KIND_VALUE_MAP] = 1,
                                [CZ_KIND_TEMPLATE] = 2,
                                [CZ_KIND_INSTANCE] = 3,
                                [CZ_KIND_TEAM] = -3,
                                [CZ_KIND_BINDING] = -2,
                                [CZ_KIND_GRANT] = -1,
                                [CZ_KIND_MAPPING] = 4};
    static const int goes[] = {[CZ_KIND_INSTANCE] = 10,
                               [CZ_KIND_MAPPING] = 11,
                               [CZ_KIND_TEMPLATE] = 12,
                               [CZ_KIND_VALUE_MAP] = 13,
                               [CZ_KIND_CLUSTER] = 14,
                               [CZ_KIND_GRANT] = 15,
                               [CZ_KIND_BINDING] = 16,
                               [CZ_KIND_TEAM] = 17};
    bool away = u->rev->op != CZ_OP_DELETE && u->rev->op != CZ_OP_OVERRIDE && !u->has_before;
    return away ? goes[u->rev->kind] : comes[u->rev->kind];
}

static int by_rank(const void *pa, const void *pb)
{
    const struct undo *a = pa, *b = pb;
    int ra = rank(a), rb = rank(b);
    return ra != rb ? ra - rb : strcmp(a->rev->name, b->rev->name);
}

/** All that the change touched, at once: one by one would be slow for a change of a thousand. */
static enum cz_err load(struct cz__attempt *a, const struct plan *plan, struct cz_error *err)
{
    struct cz_tx_ref *refs = cz_alloc_array(plan->len + 1, sizeof *refs);
    struct cz_resource_list l = {0};
    for (size_t i = 0; i < plan->len; i++)
        refs[i] = (struct cz_tx_ref){plan->items[i].rev->kind, plan->items[i].rev->name};
    enum cz_err code = cz_tx_load(a->tx, plan->change->team, refs, plan->len, NULL, &l, err);
    cz_resource_list_done(&l);
    cz_free(refs);
    return code;
}

static enum cz_err rollback_body(struct cz__attempt *a, void *arg, struct cz_error *err)
{
    const struct plan *plan = arg;
    a->skipped = json_array();
    enum cz_err code = plan->change->team && plan->len > 0 ? load(a, plan, err) : CZ_OK;
    for (size_t i = 0; code == CZ_OK && i < plan->len; i++)
        code = undo_one(a, plan, &plan->items[i], err);
    if (code == CZ_OK && json_array_size(a->changes) > 0)
        code = cz__suspend_rolled_back(a, plan->change, err);
    if (code || json_array_size(a->changes) > 0 || !cz_report_ok(&a->rep) ||
        cz__wants_any(&a->wants))
        return code;
    const json_t *first = json_array_get(a->skipped, 0);
    return cz_fail(err, CZ_E_CONFLICT, "nothing of change %lld can be undone%s%s%s%s",
                   (long long)plan->seq, first ? ": " : "", cz_json_str(first, "name", ""),
                   first ? ": " : "", cz_json_str(first, "reason", ""));
}

/** History never changes, so what was before is looked up outside of the transaction. */
static enum cz_err find_before(struct cz_service *s, struct plan *plan, struct cz_error *err)
{
    struct cz_revision_list l = {0};
    struct cz_map by_uid = CZ_MAP_INIT(NULL);
    enum cz_err code = cz_store_before(s->store, plan->seq, &l, err);
    for (size_t i = 0; code == CZ_OK && i < l.len; i++)
        cz_map_put(&by_uid, l.items[i].uid, &l.items[i]);
    for (size_t i = 0; code == CZ_OK && i < plan->len; i++) {
        struct undo *u = &plan->items[i];
        struct cz_revision *before = cz_map_steal(&by_uid, u->rev->uid);
        if (!before || before->op == CZ_OP_DELETE)
            continue;
        u->before = *before;
        u->has_before = true;
        *before = (struct cz_revision){0};
    }
    cz_map_done(&by_uid);
    cz_revision_list_done(&l);
    return code;
}

enum cz_err cz_service_rollback(struct cz_service *s,
                                const struct cz_caller *who,
                                const struct cz_write *w,
                                int64_t seq,
                                const struct cz_force *force,
                                struct cz_write_result *ret,
                                struct cz_report *rep,
                                struct cz_error *err)
{
    struct cz_change c = {0};
    struct cz_revision_list revs = {0};
    enum cz_err code = cz_store_change(s->store, seq, &c, &revs, err);
    if (code)
        return code;
    struct plan plan = {
        .seq = seq, .change = &c, .force = force, .len = revs.len, .items = cz_alloc_array(revs.len + 1, sizeof *plan.items)};
    for (size_t i = 0; i < revs.len; i++) {
        plan.items[i].rev = &revs.items[i];
        plan.derives |=
            revs.items[i].kind == CZ_KIND_TEMPLATE || revs.items[i].kind == CZ_KIND_INSTANCE;
    }
    code = find_before(s, &plan, err);
    if (code == CZ_OK) {
        qsort(plan.items, plan.len, sizeof *plan.items, by_rank);
        CZ_CLEANUP(cz_freep) char *comment = cz_strf("undoes change %lld", (long long)seq);
        struct cz_write mine = *w;
        if (!mine.comment)
            mine.comment = comment;
        struct cz__job j = {.s = s,
                            .who = who,
                            .w = &mine,
                            .team = c.team,
                            .action = "change.rollback",
                            .reverts = seq,
                            .body = rollback_body,
                            .arg = &plan};
        code = cz__run(&j, ret, rep, err);
    }
    for (size_t i = 0; i < plan.len; i++)
        cz_revision_done(&plan.items[i].before);
    cz_free(plan.items);
    cz_change_done(&c);
    cz_revision_list_done(&revs);
    return code;
}
