/* SPDX-License-Identifier: Apache-2.0 */
/** The store in memory: inside.  One mutex guards everything; a write holds it from beginning
 * to end, as PostgreSQL's writers hold the epoch row.  Resources are changed in place with an
 * undo list, everything else that a write makes is collected in the transaction and moved over
 * at the commit. */
#ifndef CZ_STORAGE_MEMORY_PRIV_H
#define CZ_STORAGE_MEMORY_PRIV_H

#include "cz/map.h"
#include "cz/thread.h"
#include "storage_priv.h"

struct mem_member {
    char *team, *set;
    struct cz_set_member m;
};
struct mem_member_list {
    struct mem_member *items;
    size_t len, cap;
};
struct mem_set_op { /* of a write, done at its commit */
    struct cz_set_state state; /* name NULL: not this */
    char *deleted;             /* name of a set; NULL: not this */
    bool put, drop;            /* a member */
    struct mem_member member;
};

struct mem_store {
    struct cz_store base;
    struct cz_mutex lock;   /* guards all that follows */
    struct cz_cond changed; /* a commit, a new leader, a wake */
    int64_t seq;
    char **teams; /* sorted bytewise */
    size_t n_teams, cap_teams;
    struct cz_resource_list resources; /* the deleted ones too, in order of creation */
    struct cz_change_list changes;     /* changes.items[i].seq == i + 1 */
    struct cz_revision_list revisions; /* by seq, then in the order of the write */
    struct cz_config_record_list outbox;
    struct cz_config_record_list config; /* not sorted */
    int64_t epoch;
    char *leader;                /* who led last */
    struct mem_leadership *lead; /* who leads now, or NULL */
    cz_time renewed_at;
    struct cz_map marks; /* uid "/" name → int64_t */
    json_t *reports;     /* name → {uid: value} */
    struct cz_set_state_list sets;
    struct mem_member_list members;
};

struct mem_undo {
    size_t index; /* in store->resources */
    struct cz_resource before;
};
struct mem_tx {
    struct cz_tx base;
    struct mem_store *store;
    size_t n_resources; /* at the beginning: what stands behind is new */
    struct mem_undo *undo;
    size_t n_undo, cap_undo;
    char *new_team; /* made by this write; at most one */
    struct cz_revision_list revisions;
    struct cz_config_record_list published;
    struct mem_set_op *set_ops;
    size_t n_set_ops, cap_set_ops;
};

static inline struct mem_store *mem_of(struct cz_store *s)
{
    return (struct mem_store *)s;
}

void mem__lock(struct mem_store *m);
void mem__unlock(struct mem_store *m);
/** The functions below want the lock held. */
void mem__add_team(struct mem_store *m, const char *team);
void mem__remove_team(struct mem_store *m, const char *team);
bool mem__has_team(const struct mem_store *m, const char *team);
/** The live resource of this name, else (@dead) the one that bore it last, else NULL. */
struct cz_resource *mem__find(
    struct mem_store *m, const char *team, enum cz_kind kind, const char *name, bool dead);
void mem__list(struct mem_store *m,
               const struct cz_list_filter *f,
               struct cz_resource_list *ret);
enum cz_err mem__write(struct cz_store *s,
                       const struct cz_change_meta *meta,
                       bool dry_run,
                       cz_write_fn fn,
                       void *arg,
                       int64_t *ret_seq,
                       struct cz_error *err);
/* memory_set.c: sets, and writes of many objects */
enum cz_err mem__sets(struct cz_store *s,
                      const char *team,
                      const char *name,
                      struct cz_set_state_list *ret,
                      struct cz_error *err);
enum cz_err mem__set_members(struct cz_store *s,
                             const char *team,
                             const char *name,
                             struct cz_set_member_list *ret,
                             struct cz_error *err);
enum cz_err mem__set_moved(struct cz_store *s,
                           const char *team,
                           const char *name,
                           struct cz_set_moved_list *ret,
                           struct cz_error *err);
enum cz_err mem__tx_load(struct cz_tx *tx,
                         const char *team,
                         const struct cz_tx_ref *refs,
                         size_t n,
                         const char *managed_by,
                         struct cz_resource_list *ret,
                         struct cz_error *err);
bool mem__tx_touched(struct cz_tx *tx,
                     size_t i,
                     const struct cz_resource **ret_before,
                     const struct cz_resource **ret_after);
enum cz_err mem__tx_readers(struct cz_tx *tx,
                            const struct cz_tx_places *of,
                            struct cz_resource_list *ret,
                            struct cz_error *err);
enum cz_err mem__tx_committers(struct cz_tx *tx,
                              const char *team,
                              const struct cz_tx_groups *of,
                              struct cz_resource_list *ret,
                              struct cz_error *err);
enum cz_err mem__tx_set(struct cz_tx *tx,
                        const char *team,
                        const char *name,
                        struct cz_set_state *ret,
                        bool *ret_found,
                        struct cz_error *err);
enum cz_err
mem__tx_put_set(struct cz_tx *tx, const struct cz_set_state *set, struct cz_error *err);
enum cz_err
mem__tx_delete_set(struct cz_tx *tx, const char *team, const char *name, struct cz_error *err);
enum cz_err mem__tx_members(struct cz_tx *tx,
                            bool put,
                            const char *team,
                            const char *set,
                            const struct cz_set_member *members,
                            size_t n,
                            struct cz_error *err);
void mem__set_ops_commit(struct mem_tx *t);
void mem__set_ops_done(struct mem_tx *t);
void mem__sets_done(struct mem_store *m);
enum cz_err mem__lead(struct cz_store *s,
                      const char *instance,
                      int64_t lease_ms,
                      cz_time deadline,
                      struct cz_leadership **ret,
                      int64_t *ret_epoch,
                      char **ret_leader,
                      struct cz_error *err);

#endif
