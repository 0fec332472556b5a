/* SPDX-License-Identifier: Apache-2.0 */
/* The store in memory: one write from its beginning to its commit or roll-back. */
#include <string.h>

#include "cz/alloc.h"
#include "cz/util.h"
#include "memory_priv.h"

static struct mem_tx *tx_of(struct cz_tx *tx)
{
    return (struct mem_tx *)tx;
}

static enum cz_err mem_tx_get(struct cz_tx *tx,
                              const char *team,
                              enum cz_kind kind,
                              const char *name,
                              struct cz_resource *ret,
                              struct cz_error *err)
{
    const struct cz_resource *r = mem__find(tx_of(tx)->store, team, kind, name, false);
    if (!r)
        return cz_fail(err, CZ_E_NOT_FOUND, "there is no %s '%s'", cz_kind_name(kind), name);
    cz__resource_copy(r, ret);
    return CZ_OK;
}

static enum cz_err mem_tx_list(struct cz_tx *tx,
                               const struct cz_list_filter *f,
                               struct cz_resource_list *ret,
                               struct cz_error *err)
{
    (void)err;
    mem__list(tx_of(tx)->store, f, ret);
    return CZ_OK;
}

static const struct cz_revision *
find_revision(const struct cz_revision_list *l, const char *uid, int64_t generation)
{
    for (size_t i = l->len; i-- > 0;) {
        const struct cz_revision *v = &l->items[i];
        if (v->generation == generation && v->op != CZ_OP_DELETE && strcmp(v->uid, uid) == 0)
            return v;
    }
    return NULL;
}

static enum cz_err mem_tx_revision(struct cz_tx *tx,
                                   const char *team,
                                   enum cz_kind kind,
                                   const char *name,
                                   int64_t generation,
                                   struct cz_revision *ret,
                                   struct cz_error *err)
{
    struct mem_tx *t = tx_of(tx);
    const struct cz_resource *r = mem__find(t->store, team, kind, name, true);
    const struct cz_revision *v = NULL;
    if (r)
        v = find_revision(&t->revisions, r->uid, generation);
    if (r && !v)
        v = find_revision(&t->store->revisions, r->uid, generation);
    if (!v)
        return cz_fail(err, CZ_E_NOT_FOUND, "%s '%s' has no generation %lld",
                       cz_kind_name(kind), name, (long long)generation);
    cz__revision_copy(v, ret);
    return CZ_OK;
}

/* ---- changing -------------------------------------------------------------------------------
 */

static void remember(struct mem_tx *t, const struct cz_resource *r)
{
    size_t index = (size_t)(r - t->store->resources.items);
    if (index >= t->n_resources)
        return; /* new in this write: the roll-back cuts it off */
    cz_grow(&t->undo, &t->cap_undo, t->n_undo, sizeof(*t->undo));
    struct mem_undo *u = &t->undo[t->n_undo++];
    u->index = index;
    cz__resource_copy(r, &u->before);
}

static void add_revision(struct mem_tx *t, const struct cz_resource *r, enum cz_op op)
{
    struct cz_revision *v = cz__revision_push(&t->revisions);
    *v = (struct cz_revision){
        .seq = t->base.seq,
        .team = cz_strdup(r->team),
        .kind = r->kind,
        .name = cz_strdup(r->name),
        .uid = cz_strdup(r->uid),
        .generation = r->generation,
        .op = op,
        .managed_by = cz_strdup(r->managed_by),
        .doc = cz__json_copy(r->doc),
        .override = cz__json_copy(r->override),
        .at_ms = r->updated_ms,
    };
    t->base.dirty = true;
}

static struct cz_resource *
create(struct mem_tx *t, const char *team, enum cz_kind kind, const char *name)
{
    char uid[CZ_UID_SIZE];
    struct cz_resource *r = cz__resource_push(&t->store->resources);
    r->team = cz_strdup(team);
    r->kind = kind;
    r->name = cz_strdup(name);
    r->uid = cz_strdup(cz_uid(uid));
    r->generation = 1;
    r->created_ms = cz_wall_ms();
    t->base.created++;
    return r;
}

static enum cz_err mem_tx_put(struct cz_tx *tx,
                              const char *team,
                              enum cz_kind kind,
                              const char *name,
                              const json_t *doc,
                              const json_t *override,
                              const char *managed_by,
                              enum cz_op op,
                              struct cz_resource *ret,
                              struct cz_error *err)
{
    struct mem_tx *t = tx_of(tx);
    if (!mem__has_team(t->store, team) || !cz__scope_sees(team))
        return cz_fail(err, CZ_E_NOT_FOUND, "there is no team '%s'", team);
    struct cz_resource *r = mem__find(t->store, team, kind, name, false);
    bool noop = r && cz__put_is_noop(r, doc, override, managed_by);
    if (!r) {
        r = create(t, team, kind, name);
    } else if (!noop) {
        remember(t, r);
        r->generation += cz__spec_differs(r->doc, doc) ? 1 : 0;
        t->base.updated++;
    }
    if (!noop) {
        json_decref(r->doc);
        json_decref(r->override);
        cz_free(r->managed_by);
        r->doc = cz__json_copy(doc);
        r->override = override && !json_is_null(override) ? cz__json_copy(override) : NULL;
        r->managed_by = cz_strdup(managed_by);
        r->version = t->base.seq;
        r->updated_ms = cz_wall_ms();
        add_revision(t, r, op);
    }
    if (ret)
        cz__resource_copy(r, ret);
    return CZ_OK;
}

static enum cz_err mem_tx_rename(struct cz_tx *tx,
                                 const char *team,
                                 enum cz_kind kind,
                                 const char *name,
                                 const char *new_name,
                                 struct cz_error *err)
{
    struct mem_tx *t = tx_of(tx);
    struct cz_resource *r = mem__find(t->store, team, kind, name, false);
    if (!r)
        return cz_fail(err, CZ_E_NOT_FOUND, "there is no %s '%s'", cz_kind_name(kind), name);
    if (mem__find(t->store, team, kind, new_name, false))
        return cz_fail(err, CZ_E_CONFLICT, "there is a %s '%s' already", cz_kind_name(kind),
                       new_name);
    remember(t, r);
    cz_free(r->name);
    r->name = cz_strdup(new_name);
    r->version = t->base.seq;
    r->updated_ms = cz_wall_ms();
    add_revision(t, r, CZ_OP_UPDATE);
    t->base.updated++;
    return CZ_OK;
}

static enum cz_err mem_tx_delete(struct cz_tx *tx,
                                 const char *team,
                                 enum cz_kind kind,
                                 const char *name,
                                 struct cz_error *err)
{
    struct mem_tx *t = tx_of(tx);
    struct cz_resource *r = mem__find(t->store, team, kind, name, false);
    if (!r)
        return cz_fail(err, CZ_E_NOT_FOUND, "there is no %s '%s'", cz_kind_name(kind), name);
    remember(t, r);
    r->version = r->deleted_seq = t->base.seq;
    r->updated_ms = cz_wall_ms();
    add_revision(t, r, CZ_OP_DELETE);
    t->base.deleted++;
    return CZ_OK;
}

/* What the topic holds for @key as this write sees it; NULL: nothing. */
static const json_t *config_value(const struct mem_tx *t, const char *key)
{
    for (size_t i = t->published.len; i-- > 0;)
        if (strcmp(t->published.items[i].key, key) == 0)
            return t->published.items[i].value;
    for (size_t i = 0; i < t->store->config.len; i++)
        if (strcmp(t->store->config.items[i].key, key) == 0)
            return t->store->config.items[i].value;
    return NULL;
}

static enum cz_err
mem_tx_publish(struct cz_tx *tx, const char *key, const json_t *value, struct cz_error *err)
{
    (void)err;
    struct mem_tx *t = tx_of(tx);
    if (cz__json_same(config_value(t, key), value))
        return CZ_OK;
    struct cz_config_record *r = cz__config_record_push(&t->published);
    r->seq = t->base.seq;
    r->key = cz_strdup(key);
    r->value = cz__json_copy(value);
    t->base.dirty = true;
    return CZ_OK;
}

static enum cz_err mem_tx_see_all(struct cz_tx *tx, bool all, struct cz_error *err)
{
    (void)tx, (void)err;
    if (all)
        cz_store_scope_suspend();
    else
        cz_store_scope_resume();
    return CZ_OK;
}

static enum cz_err mem_tx_put_team(struct cz_tx *tx, const char *team, struct cz_error *err)
{
    struct mem_tx *t = tx_of(tx);
    enum cz_err rc = cz_name_check(team, err);
    if (rc != CZ_OK || mem__has_team(t->store, team))
        return rc;
    mem__add_team(t->store, team);
    cz_free(t->new_team);
    t->new_team = cz_strdup(team);
    return CZ_OK;
}

static enum cz_err mem_tx_audit(struct cz_tx *tx,
                                const struct cz_change_meta *meta,
                                const char *outcome,
                                const json_t *detail,
                                struct cz_error *err)
{
    (void)tx, (void)meta, (void)outcome, (void)detail, (void)err; /* as in mem_audit() */
    return CZ_OK;
}

static const struct cz_tx_vt mem_tx_vt = {
    .get = mem_tx_get,
    .list = mem_tx_list,
    .revision = mem_tx_revision,
    .put = mem_tx_put,
    .del = mem_tx_delete,
    .publish = mem_tx_publish,
    .rename = mem_tx_rename,
    .load = mem__tx_load,
    .touched = mem__tx_touched,
    .readers = mem__tx_readers,
    .committers = mem__tx_committers,
    .set = mem__tx_set,
    .put_set = mem__tx_put_set,
    .delete_set = mem__tx_delete_set,
    .members = mem__tx_members,
    .see_all = mem_tx_see_all,
    .put_team = mem_tx_put_team,
    .audit = mem_tx_audit,
};

/* ---- commit and roll-back -------------------------------------------------------------------
 */

static void set_config(struct mem_store *m, const struct cz_config_record *r)
{
    size_t i = 0;
    while (i < m->config.len && strcmp(m->config.items[i].key, r->key) != 0)
        i++;
    if (i < m->config.len) {
        cz__config_record_done(&m->config.items[i]);
        m->config.items[i] = m->config.items[--m->config.len];
    }
    if (r->value)
        *cz__config_record_push(&m->config) =
            (struct cz_config_record){.seq = r->seq,
                                      .key = cz_strdup(r->key),
                                      .value = cz__json_copy(r->value),
                                      .trace_id = cz_strdup(r->trace_id)};
}

static void commit(struct mem_tx *t, const struct cz_change_meta *meta)
{
    struct mem_store *m = t->store;
    m->seq = t->base.seq;
    struct cz_change *c = cz__change_push(&m->changes);
    *c = (struct cz_change){.seq = m->seq,
                            .at_ms = cz_wall_ms(),
                            .team = cz_strdup(meta->team),
                            .actor = cz_strdup(meta->actor),
                            .via = cz_strdup(meta->via),
                            .comment = cz_strdup(meta->comment),
                            .request_id = cz_strdup(meta->request_id),
                            .reverts = meta->reverts,
                            .created = t->base.created,
                            .updated = t->base.updated,
                            .deleted = t->base.deleted,
                            .set_name = cz_strdup(meta->set_name),
                            .git_commit = cz_strdup(meta->git_commit),
                            .plan_hash = cz_strdup(meta->plan_hash),
                            .actor_id = cz_strdup(meta->actor_id),
                            .token_id = cz_strdup(meta->token_id),
                            .trace_id = cz_strdup(meta->trace_id),
                            .ip = cz_strdup(meta->ip)};
    mem__set_ops_commit(t);
    for (size_t i = 0; i < t->revisions.len; i++) {
        struct cz_revision *v = cz__revision_push(&m->revisions);
        *v = t->revisions.items[i];
        v->at_ms = c->at_ms;
        v->actor = cz_strdup(meta->actor);
        v->via = cz_strdup(meta->via);
        v->comment = cz_strdup(meta->comment);
    }
    t->revisions.len = 0; /* moved */
    for (size_t i = 0; i < t->published.len; i++) {
        struct cz_config_record *r = &t->published.items[i];
        r->trace_id = cz_strdup(meta->trace_id);
        set_config(m, r);
        *cz__config_record_push(&m->outbox) = *r;
    }
    t->published.len = 0; /* moved */
    cz_cond_broadcast(&m->changed);
}

static void roll_back(struct mem_tx *t)
{
    struct cz_resource_list *l = &t->store->resources;
    if (t->new_team)
        mem__remove_team(t->store, t->new_team);
    while (l->len > t->n_resources)
        cz_resource_done(&l->items[--l->len]);
    while (t->n_undo > 0) {
        struct mem_undo *u = &t->undo[--t->n_undo];
        cz_resource_done(&l->items[u->index]);
        l->items[u->index] = u->before;
    }
}

static void tx_done(struct mem_tx *t)
{
    for (size_t i = 0; i < t->n_undo; i++)
        cz_resource_done(&t->undo[i].before);
    cz_free(t->undo);
    mem__set_ops_done(t);
    cz_free(t->new_team);
    cz_revision_list_done(&t->revisions);
    cz_config_record_list_done(&t->published);
}

enum cz_err mem__write(struct cz_store *s,
                       const struct cz_change_meta *meta,
                       bool dry_run,
                       cz_write_fn fn,
                       void *arg,
                       int64_t *ret_seq,
                       struct cz_error *err)
{
    struct mem_store *m = mem_of(s);
    mem__lock(m);
    struct mem_tx t = {.base = {.vt = &mem_tx_vt, .seq = m->seq + 1},
                       .store = m,
                       .n_resources = m->resources.len};
    enum cz_err rc = fn(&t.base, arg, err);
    bool keep = rc == CZ_OK && t.base.dirty && !dry_run;
    if (keep)
        commit(&t, meta);
    else
        roll_back(&t);
    if (rc == CZ_OK && ret_seq)
        *ret_seq = t.base.dirty ? t.base.seq : m->seq;
    tx_done(&t);
    mem__unlock(m);
    return rc;
}
