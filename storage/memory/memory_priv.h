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
    struct cz_revision_list revisions;
    struct cz_config_record_list published;
};

static inline struct mem_store *mem_of(struct cz_store *s)
{
    return (struct mem_store *)s;
}

void mem__lock(struct mem_store *m);
void mem__unlock(struct mem_store *m);
/** The functions below want the lock held. */
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
enum cz_err mem__lead(struct cz_store *s,
                      const char *instance,
                      int64_t lease_ms,
                      cz_time deadline,
                      struct cz_leadership **ret,
                      int64_t *ret_epoch,
                      char **ret_leader,
                      struct cz_error *err);

#endif
