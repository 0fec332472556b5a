/* SPDX-License-Identifier: Apache-2.0 */
/* The store in memory: sets and their members, and the questions that writes of many objects ask.
 * What a write does to sets is collected and done at its commit. */
#include <string.h>

#include "cz/alloc.h"
#include "cz/util.h"
#include "memory_priv.h"

static struct mem_tx *tx_of(struct cz_tx *tx)
{
    return (struct mem_tx *)tx;
}

static struct cz_set_state *find_set(struct mem_store *m, const char *team, const char *name)
{
    for (size_t i = 0; i < m->sets.len; i++)
        if (strcmp(m->sets.items[i].team, team) == 0 && strcmp(m->sets.items[i].name, name) == 0)
            return &m->sets.items[i];
    return NULL;
}

static int64_t count_owned(const struct mem_store *m, const struct cz_set_state *s)
{
    CZ_CLEANUP(cz_freep) char *owner = cz_strf("set:%s", s->name);
    int64_t n = 0;
    for (size_t i = 0; i < m->resources.len; i++) {
        const struct cz_resource *r = &m->resources.items[i];
        n += !r->deleted_seq && strcmp(r->team, s->team) == 0 && cz_streq(r->managed_by, owner);
    }
    return n;
}

enum cz_err mem__sets(struct cz_store *s,
                      const char *team,
                      const char *name,
                      struct cz_set_state_list *ret,
                      struct cz_error *err)
{
    (void)err;
    struct mem_store *m = (struct mem_store *)s;
    struct cz_set_state_list out = {0};
    mem__lock(m);
    for (size_t i = 0; i < m->sets.len; i++) {
        const struct cz_set_state *one = &m->sets.items[i];
        if (strcmp(one->team, team) != 0 || (name && strcmp(one->name, name) != 0))
            continue;
        size_t at = out.len;
        (void)cz__set_state_push(&out);
        for (; at > 0 && strcmp(out.items[at - 1].name, one->name) > 0; at--)
            out.items[at] = out.items[at - 1];
        cz__set_state_copy(one, &out.items[at]);
        out.items[at].members = count_owned(m, one);
    }
    mem__unlock(m);
    *ret = out;
    return CZ_OK;
}

static bool after(const struct cz_set_member *a, const struct cz_set_member *b)
{
    int c = strcmp(cz_kind_name(a->kind), cz_kind_name(b->kind));
    return c ? c > 0 : strcmp(a->name, b->name) > 0;
}

enum cz_err mem__set_members(struct cz_store *s,
                             const char *team,
                             const char *name,
                             struct cz_set_member_list *ret,
                             struct cz_error *err)
{
    (void)err;
    struct mem_store *m = (struct mem_store *)s;
    struct cz_set_member_list out = {0};
    mem__lock(m);
    for (size_t i = 0; i < m->members.len; i++) {
        const struct mem_member *one = &m->members.items[i];
        if (strcmp(one->team, team) != 0 || strcmp(one->set, name) != 0)
            continue;
        size_t at = out.len;
        (void)cz__set_member_push(&out);
        for (; at > 0 && after(&out.items[at - 1], &one->m); at--)
            out.items[at] = out.items[at - 1];
        out.items[at] = (struct cz_set_member){one->m.kind, cz_strdup(one->m.name),
                                               cz_strdup(one->m.uid), one->m.seq};
    }
    mem__unlock(m);
    *ret = out;
    return CZ_OK;
}

static void
fill_moved(const struct mem_store *m, const struct cz_resource *r, struct cz_set_moved *ret)
{
    cz__resource_copy(r, &ret->now);
    for (size_t i = 0; i < m->revisions.len; i++) {
        const struct cz_revision *v = &m->revisions.items[i];
        if (strcmp(v->uid, r->uid) != 0)
            continue;
        if (v->seq <= ret->was.seq) {
            json_decref(ret->doc);
            ret->doc = cz__json_copy(v->doc);
        }
        cz_free(ret->actor);
        cz_free(ret->comment);
        ret->seq = v->seq;
        ret->at_ms = v->at_ms;
        ret->actor = cz_strdup(v->actor);
        ret->comment = cz_strdup(v->comment);
    }
}

enum cz_err mem__set_moved(struct cz_store *s,
                           const char *team,
                           const char *name,
                           struct cz_set_moved_list *ret,
                           struct cz_error *err)
{
    struct mem_store *m = (struct mem_store *)s;
    struct cz_set_member_list members = {0};
    struct cz_set_moved_list out = {0};
    enum cz_err rc = mem__set_members(s, team, name, &members, err);
    mem__lock(m);
    for (size_t i = 0; rc == CZ_OK && i < members.len; i++) {
        for (size_t k = 0; k < m->resources.len; k++) {
            const struct cz_resource *r = &m->resources.items[k];
            if (strcmp(r->uid, members.items[i].uid) != 0 || r->version == members.items[i].seq)
                continue;
            struct cz_set_moved *one = cz__set_moved_push(&out);
            one->was = members.items[i];
            members.items[i] = (struct cz_set_member){0};
            fill_moved(m, r, one);
            break;
        }
    }
    mem__unlock(m);
    cz_set_member_list_done(&members);
    *ret = out;
    return rc;
}

/* ---- in a write ----------------------------------------------------------------------------- */

enum cz_err mem__tx_set(struct cz_tx *tx,
                        const char *team,
                        const char *name,
                        struct cz_set_state *ret,
                        bool *ret_found,
                        struct cz_error *err)
{
    (void)err;
    struct mem_store *m = tx_of(tx)->store;
    const struct cz_set_state *s = find_set(m, team, name);
    *ret_found = s != NULL;
    if (s) {
        cz__set_state_copy(s, ret);
        ret->members = count_owned(m, s);
    }
    return CZ_OK;
}

static struct mem_set_op *new_op(struct mem_tx *t)
{
    cz_grow(&t->set_ops, &t->cap_set_ops, t->n_set_ops, sizeof *t->set_ops);
    struct mem_set_op *op = &t->set_ops[t->n_set_ops++];
    *op = (struct mem_set_op){0};
    return op;
}

enum cz_err
mem__tx_put_set(struct cz_tx *tx, const struct cz_set_state *set, struct cz_error *err)
{
    struct mem_tx *t = tx_of(tx);
    const struct cz_set_state *old = find_set(t->store, set->team, set->name);
    if (!mem__has_team(t->store, set->team))
        return cz_fail(err, CZ_E_NOT_FOUND, "there is no team '%s'", set->team);
    if (old && cz__set_state_same(old, set))
        return CZ_OK;
    cz__set_state_copy(set, &new_op(t)->state);
    tx->dirty = true;
    return CZ_OK;
}

enum cz_err
mem__tx_delete_set(struct cz_tx *tx, const char *team, const char *name, struct cz_error *err)
{
    struct mem_tx *t = tx_of(tx);
    if (!find_set(t->store, team, name))
        return cz_fail(err, CZ_E_NOT_FOUND, "there is no set '%s'", name);
    struct mem_set_op *op = new_op(t);
    op->deleted = cz_strdup(name);
    op->member.team = cz_strdup(team);
    tx->dirty = true;
    return CZ_OK;
}

static bool member_differs(const struct mem_store *m,
                           const char *team,
                           const char *set,
                           const struct cz_set_member *want,
                           bool put)
{
    for (size_t i = 0; i < m->members.len; i++) {
        const struct mem_member *is = &m->members.items[i];
        if (is->m.kind == want->kind && strcmp(is->m.name, want->name) == 0 &&
            strcmp(is->team, team) == 0 && strcmp(is->set, set) == 0)
            return !put || is->m.seq != want->seq || strcmp(is->m.uid, want->uid) != 0;
    }
    return put;
}

enum cz_err mem__tx_members(struct cz_tx *tx,
                            bool put,
                            const char *team,
                            const char *set,
                            const struct cz_set_member *members,
                            size_t n,
                            struct cz_error *err)
{
    (void)err;
    for (size_t i = 0; i < n; i++) {
        if (!member_differs(tx_of(tx)->store, team, set, &members[i], put))
            continue;
        tx->dirty = true;
        struct mem_set_op *op = new_op(tx_of(tx));
        op->put = put;
        op->drop = !put;
        op->member = (struct mem_member){
            cz_strdup(team),
            cz_strdup(set),
            {members[i].kind, cz_strdup(members[i].name), cz_strdup(members[i].uid), members[i].seq}};
    }
    return CZ_OK;
}

static void member_done(struct mem_member *m)
{
    cz_free(m->team);
    cz_free(m->set);
    cz_free(m->m.name);
    cz_free(m->m.uid);
    *m = (struct mem_member){0};
}

void mem__set_ops_done(struct mem_tx *t)
{
    for (size_t i = 0; i < t->n_set_ops; i++) {
        cz_set_state_done(&t->set_ops[i].state);
        cz_free(t->set_ops[i].deleted);
        member_done(&t->set_ops[i].member);
    }
    cz_free(t->set_ops);
}

static void drop_member(struct mem_store *m, const struct mem_member *gone, bool of_any_set)
{
    for (size_t i = 0; i < m->members.len; i++) {
        struct mem_member *one = &m->members.items[i];
        if (one->m.kind != gone->m.kind || strcmp(one->m.name, gone->m.name) != 0 ||
            strcmp(one->team, gone->team) != 0 || (!of_any_set && strcmp(one->set, gone->set) != 0))
            continue;
        member_done(one);
        *one = m->members.items[--m->members.len];
        return;
    }
}

static void delete_set(struct mem_store *m, const char *team, const char *name)
{
    struct cz_set_state *s = find_set(m, team, name);
    if (!s)
        return;
    cz_set_state_done(s);
    *s = m->sets.items[--m->sets.len];
}

void mem__set_ops_commit(struct mem_tx *t)
{
    struct mem_store *m = t->store;
    for (size_t i = 0; i < t->n_set_ops; i++) {
        struct mem_set_op *op = &t->set_ops[i];
        if (op->state.name) {
            delete_set(m, op->state.team, op->state.name);
            *cz__set_state_push(&m->sets) = op->state;
            op->state = (struct cz_set_state){0};
        } else if (op->deleted) {
            delete_set(m, op->member.team, op->deleted);
        } else {
            drop_member(m, &op->member, op->put);
            if (!op->put)
                continue;
            cz_grow(&m->members.items, &m->members.cap, m->members.len, sizeof *m->members.items);
            m->members.items[m->members.len++] = op->member;
            op->member = (struct mem_member){0};
        }
    }
}

void mem__sets_done(struct mem_store *m)
{
    for (size_t i = 0; i < m->members.len; i++)
        member_done(&m->members.items[i]);
    cz_free(m->members.items);
    cz_set_state_list_done(&m->sets);
}

/* ---- many objects --------------------------------------------------------------------------- */

static bool wanted(const struct cz_resource *r,
                   const char *team,
                   const struct cz_tx_ref *refs,
                   size_t n,
                   const char *managed_by)
{
    if (r->deleted_seq || strcmp(r->team, team) != 0)
        return false;
    if (managed_by && cz_streq(r->managed_by, managed_by))
        return true;
    for (size_t i = 0; i < n; i++)
        if (refs[i].kind == r->kind && strcmp(refs[i].name, r->name) == 0)
            return true;
    return false;
}

enum cz_err mem__tx_load(struct cz_tx *tx,
                         const char *team,
                         const struct cz_tx_ref *refs,
                         size_t n,
                         const char *managed_by,
                         struct cz_resource_list *ret,
                         struct cz_error *err)
{
    (void)err;
    const struct cz_resource_list *all = &tx_of(tx)->store->resources;
    *ret = (struct cz_resource_list){0};
    for (size_t i = 0; i < all->len; i++)
        if (wanted(&all->items[i], team, refs, n, managed_by))
            cz__resource_copy(&all->items[i], cz__resource_push(ret));
    return CZ_OK;
}

/* The first state that is remembered of a place is the one before the write. */
static const struct cz_resource *state_before(const struct mem_tx *t, size_t index)
{
    for (size_t i = 0; i < t->n_undo; i++)
        if (t->undo[i].index == index)
            return &t->undo[i].before;
    return NULL;
}

bool mem__tx_touched(struct cz_tx *tx,
                     size_t i,
                     const struct cz_resource **ret_before,
                     const struct cz_resource **ret_after)
{
    struct mem_tx *t = tx_of(tx);
    const struct cz_resource_list *all = &t->store->resources;
    size_t n = 0;
    for (size_t k = 0; k < all->len; k++) {
        const struct cz_resource *before = state_before(t, k), *now = &all->items[k];
        bool created = k >= t->n_resources && !now->deleted_seq;
        bool changed = before && !before->deleted_seq &&
                       (now->version == tx->seq || strcmp(before->name, now->name) != 0);
        if ((!created && !changed) || n++ != i)
            continue;
        *ret_before = created ? NULL : before;
        *ret_after = now->deleted_seq ? NULL : now;
        return true;
    }
    return false;
}

static bool among(const char *s, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (cz_streq(s, list[i]))
            return true;
    return false;
}

enum cz_err mem__tx_readers(struct cz_tx *tx,
                            const struct cz_tx_places *of,
                            struct cz_resource_list *ret,
                            struct cz_error *err)
{
    (void)err;
    const struct cz_resource_list *all = &tx_of(tx)->store->resources;
    *ret = (struct cz_resource_list){0};
    for (size_t i = 0; i < all->len; i++) {
        const struct cz_resource *r = &all->items[i];
        const json_t *source = json_object_get(json_object_get(r->doc, "spec"), "source");
        const char *topic = json_string_value(json_object_get(source, "topic"));
        if (r->deleted_seq || r->kind != CZ_KIND_MAPPING ||
            !among(json_string_value(json_object_get(source, "cluster")), of->clusters,
                   of->clusters_len))
            continue;
        if (!topic || among(topic, of->topics, of->topics_len))
            cz__resource_copy(r, cz__resource_push(ret));
    }
    return CZ_OK;
}

enum cz_err mem__tx_committers(struct cz_tx *tx,
                               const char *team,
                               const struct cz_tx_groups *of,
                               struct cz_resource_list *ret,
                               struct cz_error *err)
{
    (void)err;
    const struct cz_resource_list *all = &tx_of(tx)->store->resources;
    *ret = (struct cz_resource_list){0};
    for (size_t i = 0; i < all->len; i++) {
        const struct cz_resource *r = &all->items[i];
        const char *group =
            json_string_value(json_object_get(json_object_get(r->doc, "spec"), "consumer_group"));
        const char *bearer = json_string_value(json_object_get(r->override, "group_name"));
        if (r->deleted_seq || r->kind != CZ_KIND_MAPPING || strcmp(r->team, team) != 0)
            continue;
        if ((group && among(group, of->groups, of->groups_len)) ||
            (bearer && among(bearer, of->bearers, of->bearers_len)))
            cz__resource_copy(r, cz__resource_push(ret));
    }
    return CZ_OK;
}
