/* SPDX-License-Identifier: Apache-2.0 */
/* The public functions of cz/storage.h: each goes straight to the implementation's table.
 * Arguments that can only be wrong by our own bug are asserted here, once for both. */
#include <assert.h>

#include "cz/alloc.h"
#include "storage_priv.h"

enum cz_err cz_store_get(struct cz_store *s,
                         const char *team,
                         enum cz_kind kind,
                         const char *name,
                         struct cz_resource *ret,
                         struct cz_error *err)
{
    assert(team && name && kind < CZ_KIND_COUNT_);
    return s->vt->get(s, team, kind, name, ret, err);
}

enum cz_err cz_store_get_uid(struct cz_store *s,
                             const char *uid,
                             struct cz_resource *ret,
                             struct cz_error *err)
{
    assert(uid);
    return s->vt->get_uid(s, uid, ret, err);
}

enum cz_err cz_store_list(struct cz_store *s,
                          const struct cz_list_filter *f,
                          struct cz_resource_list *ret,
                          int64_t *ret_seq,
                          struct cz_error *err)
{
    return s->vt->list(s, f, ret, ret_seq, err);
}

enum cz_err cz_store_changes(struct cz_store *s,
                             const struct cz_change_filter *f,
                             struct cz_change_list *ret,
                             struct cz_error *err)
{
    return s->vt->changes(s, f, ret, err);
}

enum cz_err cz_store_change(struct cz_store *s,
                            int64_t seq,
                            struct cz_change *ret,
                            struct cz_revision_list *ret_revisions,
                            struct cz_error *err)
{
    return s->vt->change(s, seq, ret, ret_revisions, err);
}

enum cz_err cz_store_revisions(struct cz_store *s,
                               const char *team,
                               enum cz_kind kind,
                               const char *name,
                               int64_t before,
                               int limit,
                               struct cz_revision_list *ret,
                               struct cz_error *err)
{
    assert(team && name && kind < CZ_KIND_COUNT_);
    return s->vt->revisions(s, team, kind, name, before, limit, ret, err);
}

enum cz_err cz_store_before(struct cz_store *s,
                            int64_t seq,
                            struct cz_revision_list *ret,
                            struct cz_error *err)
{
    return s->vt->before(s, seq, ret, err);
}

enum cz_err cz_store_seq(struct cz_store *s, int64_t *ret_seq, struct cz_error *err)
{
    return s->vt->seq(s, ret_seq, err);
}

enum cz_err cz_store_wait(
    struct cz_store *s, int64_t after, cz_time deadline, int64_t *ret_seq, struct cz_error *err)
{
    return s->vt->wait(s, after, deadline, ret_seq, err);
}

enum cz_err
cz_store_teams(struct cz_store *s, char ***ret, size_t *ret_len, struct cz_error *err)
{
    return s->vt->teams(s, ret, ret_len, err);
}

enum cz_err cz_store_access_version(struct cz_store *s, int64_t *ret, struct cz_error *err)
{
    return s->vt->access_version(s, ret, err);
}

enum cz_err cz_store_put_team(struct cz_store *s,
                              const char *team,
                              const struct cz_change_meta *meta,
                              struct cz_error *err)
{
    assert(team);
    return s->vt->put_team(s, team, meta, err);
}

enum cz_err cz_store_write(struct cz_store *s,
                           const struct cz_change_meta *meta,
                           bool dry_run,
                           cz_write_fn fn,
                           void *arg,
                           int64_t *ret_seq,
                           struct cz_error *err)
{
    assert(meta && fn);
    return s->vt->write(s, meta, dry_run, fn, arg, ret_seq, err);
}

enum cz_err cz_store_audit(struct cz_store *s,
                           const struct cz_change_meta *meta,
                           const char *outcome,
                           const json_t *detail,
                           struct cz_error *err)
{
    assert(meta && outcome);
    return s->vt->audit(s, meta, outcome, detail, err);
}

/* ---- inside a write -------------------------------------------------------------------------
 */

int64_t cz_tx_seq(const struct cz_tx *tx)
{
    return tx->seq;
}

enum cz_err cz_tx_get(struct cz_tx *tx,
                      const char *team,
                      enum cz_kind kind,
                      const char *name,
                      struct cz_resource *ret,
                      struct cz_error *err)
{
    assert(team && name && kind < CZ_KIND_COUNT_);
    return tx->vt->get(tx, team, kind, name, ret, err);
}

enum cz_err cz_tx_list(struct cz_tx *tx,
                       const struct cz_list_filter *f,
                       struct cz_resource_list *ret,
                       struct cz_error *err)
{
    return tx->vt->list(tx, f, ret, err);
}

enum cz_err cz_tx_revision(struct cz_tx *tx,
                           const char *team,
                           enum cz_kind kind,
                           const char *name,
                           int64_t generation,
                           struct cz_revision *ret,
                           struct cz_error *err)
{
    assert(team && name && kind < CZ_KIND_COUNT_);
    return tx->vt->revision(tx, team, kind, name, generation, ret, err);
}

enum cz_err cz_tx_put(struct cz_tx *tx,
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
    assert(team && name && doc && kind < CZ_KIND_COUNT_ && op < CZ_OP_COUNT_);
    assert(op != CZ_OP_DELETE);
    return tx->vt->put(tx, team, kind, name, doc, override, managed_by, op, ret, err);
}

enum cz_err cz_tx_delete(struct cz_tx *tx,
                         const char *team,
                         enum cz_kind kind,
                         const char *name,
                         struct cz_error *err)
{
    assert(team && name && kind < CZ_KIND_COUNT_);
    return tx->vt->del(tx, team, kind, name, err);
}

enum cz_err
cz_tx_publish(struct cz_tx *tx, const char *key, const json_t *value, struct cz_error *err)
{
    assert(key);
    return tx->vt->publish(tx, key, value, err);
}

/* ---- the leader's side ----------------------------------------------------------------------
 */

enum cz_err cz_store_mark(struct cz_store *s,
                          const char *uid,
                          const char *name,
                          int64_t *ret,
                          struct cz_error *err)
{
    assert(uid && name && ret);
    return s->vt->mark(s, uid, name, ret, err);
}

enum cz_err cz_store_set_mark(struct cz_store *s,
                              const char *uid,
                              const char *name,
                              int64_t value,
                              const struct cz_change_meta *meta,
                              const json_t *detail,
                              struct cz_error *err)
{
    assert(uid && name && meta && meta->action);
    return s->vt->set_mark(s, uid, name, value, meta, detail, err);
}

enum cz_err cz_store_put_report(struct cz_store *s,
                                const char *uid,
                                const char *name,
                                const json_t *value,
                                struct cz_error *err)
{
    assert(uid && name && value);
    return s->vt->put_report(s, uid, name, value, err);
}

enum cz_err cz_store_reports(
    struct cz_store *s, const char *name, const char *uid, json_t **ret, struct cz_error *err)
{
    assert(name && ret);
    return s->vt->reports(s, name, uid, ret, err);
}

enum cz_err cz_store_outbox(struct cz_store *s,
                            int limit,
                            struct cz_config_record_list *ret,
                            struct cz_error *err)
{
    assert(limit > 0);
    return s->vt->outbox(s, limit, ret, err);
}

enum cz_err
cz_store_outbox_done(struct cz_store *s, int64_t epoch, int64_t seq, struct cz_error *err)
{
    return s->vt->outbox_done(s, epoch, seq, err);
}

enum cz_err cz_store_config(struct cz_store *s,
                            struct cz_config_record_list *ret,
                            int64_t *ret_seq,
                            struct cz_error *err)
{
    return s->vt->config(s, ret, ret_seq, err);
}

enum cz_err cz_leadership_try(struct cz_store *s,
                              const char *instance,
                              int64_t lease_ms,
                              cz_time deadline,
                              struct cz_leadership **ret,
                              int64_t *ret_epoch,
                              char **ret_leader,
                              struct cz_error *err)
{
    assert(instance && lease_ms > 0);
    return s->vt->lead(s, instance, lease_ms, deadline, ret, ret_epoch, ret_leader, err);
}

enum cz_err cz_leadership_renew(struct cz_leadership *l, struct cz_error *err)
{
    return l->vt->renew(l, err);
}

void cz_leadership_free(struct cz_leadership *l)
{
    if (l)
        l->vt->free(l);
}

enum cz_err cz_leadership_wait(struct cz_leadership *l, cz_time deadline, struct cz_error *err)
{
    return l->vt->wait(l, deadline, err);
}

void cz_leadership_wake(struct cz_leadership *l)
{
    l->vt->wake(l);
}

enum cz_err cz_tx_see_all(struct cz_tx *tx, bool all, struct cz_error *err)
{
    return tx->vt->see_all(tx, all, err);
}

enum cz_err cz_tx_put_team(struct cz_tx *tx, const char *team, struct cz_error *err)
{
    assert(team);
    return tx->vt->put_team(tx, team, err);
}

enum cz_err cz_tx_audit(struct cz_tx *tx,
                        const struct cz_change_meta *meta,
                        const char *outcome,
                        const json_t *detail,
                        struct cz_error *err)
{
    assert(meta && outcome);
    return tx->vt->audit(tx, meta, outcome, detail, err);
}

/* ---- life -----------------------------------------------------------------------------------
 */

void cz_store_free(struct cz_store *s)
{
    if (s)
        s->vt->free(s);
}

enum cz_err cz_store_check(struct cz_store *s, cz_time deadline, struct cz_error *err)
{
    return s->vt->check(s, deadline, err);
}

void cz_store_stats(struct cz_store *s, struct cz_store_stats *ret)
{
    s->vt->stats(s, ret);
}

/* ---- sets -----------------------------------------------------------------------------------
 */

enum cz_err cz_store_sets(struct cz_store *s,
                          const char *team,
                          const char *name,
                          struct cz_set_state_list *ret,
                          struct cz_error *err)
{
    assert(team);
    return s->vt->sets(s, team, name, ret, err);
}

enum cz_err cz_store_set_members(struct cz_store *s,
                                 const char *team,
                                 const char *name,
                                 struct cz_set_member_list *ret,
                                 struct cz_error *err)
{
    assert(team && name);
    return s->vt->set_members(s, team, name, ret, err);
}

enum cz_err cz_store_set_moved(struct cz_store *s,
                               const char *team,
                               const char *name,
                               struct cz_set_moved_list *ret,
                               struct cz_error *err)
{
    assert(team && name);
    return s->vt->set_moved(s, team, name, ret, err);
}

enum cz_err cz_tx_set(struct cz_tx *tx,
                      const char *team,
                      const char *name,
                      struct cz_set_state *ret,
                      bool *ret_found,
                      struct cz_error *err)
{
    assert(team && name);
    return tx->vt->set(tx, team, name, ret, ret_found, err);
}

enum cz_err
cz_tx_put_set(struct cz_tx *tx, const struct cz_set_state *set, struct cz_error *err)
{
    assert(set->team && set->name);
    return tx->vt->put_set(tx, set, err);
}

enum cz_err
cz_tx_delete_set(struct cz_tx *tx, const char *team, const char *name, struct cz_error *err)
{
    assert(team && name);
    return tx->vt->delete_set(tx, team, name, err);
}

enum cz_err cz_tx_put_members(struct cz_tx *tx,
                              const char *team,
                              const char *set,
                              const struct cz_set_member *members,
                              size_t n,
                              struct cz_error *err)
{
    return n ? tx->vt->members(tx, true, team, set, members, n, err) : CZ_OK;
}

enum cz_err cz_tx_drop_members(struct cz_tx *tx,
                               const char *team,
                               const char *set,
                               const struct cz_set_member *members,
                               size_t n,
                               struct cz_error *err)
{
    return n ? tx->vt->members(tx, false, team, set, members, n, err) : CZ_OK;
}

/* ---- many objects at once ------------------------------------------------------------------- */

enum cz_err cz_tx_rename(struct cz_tx *tx,
                         const char *team,
                         enum cz_kind kind,
                         const char *name,
                         const char *new_name,
                         struct cz_error *err)
{
    assert(team && name && new_name && kind < CZ_KIND_COUNT_);
    return tx->vt->rename(tx, team, kind, name, new_name, err);
}

enum cz_err cz_tx_load(struct cz_tx *tx,
                       const char *team,
                       const struct cz_tx_ref *refs,
                       size_t n,
                       const char *managed_by,
                       struct cz_resource_list *ret,
                       struct cz_error *err)
{
    assert(team);
    return tx->vt->load(tx, team, refs, n, managed_by, ret, err);
}

bool cz_tx_touched(struct cz_tx *tx,
                   size_t i,
                   const struct cz_resource **ret_before,
                   const struct cz_resource **ret_after)
{
    return tx->vt->touched(tx, i, ret_before, ret_after);
}

enum cz_err cz_tx_readers(struct cz_tx *tx,
                          const struct cz_tx_places *of,
                          struct cz_resource_list *ret,
                          struct cz_error *err)
{
    return tx->vt->readers(tx, of, ret, err);
}

enum cz_err cz_tx_committers(struct cz_tx *tx,
                             const char *team,
                             const struct cz_tx_groups *of,
                             struct cz_resource_list *ret,
                             struct cz_error *err)
{
    assert(team);
    return tx->vt->committers(tx, team, of, ret, err);
}
