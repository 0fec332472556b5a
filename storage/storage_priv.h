/* SPDX-License-Identifier: Apache-2.0 */
/** Inside of the store: the tables of functions that an implementation fills, and the small
 *  helpers that both implementations share.  storage/store.c dispatches the public functions of
 *  cz/storage.h through these tables; nobody outside of storage/ includes this header. */
#ifndef CZ_STORAGE_PRIV_H
#define CZ_STORAGE_PRIV_H

#include "cz/identity_store.h"
#include "cz/audit_store.h"
#include "cz/storage.h"

/** The same for cz/identity_store.h. */
struct cz_identity_vt {
    enum cz_err (*principal_new)(struct cz_store *s, const struct cz_principal_new *p,
                                 const char *password_hash, struct cz_principal_row *ret,
                                 struct cz_error *err);
    enum cz_err (*principal_login)(struct cz_store *s, const struct cz_principal_new *p,
                                   struct cz_principal_row *ret, struct cz_error *err);
    enum cz_err (*principal_get)(struct cz_store *s, const char *id, struct cz_principal_row *ret,
                                 struct cz_error *err);
    enum cz_err (*principals)(struct cz_store *s, struct cz_principal_list *ret,
                              struct cz_error *err);
    enum cz_err (*principal_set)(struct cz_store *s, const char *id,
                                 const struct cz_principal_change *c,
                                 struct cz_principal_row *ret, struct cz_error *err);
    enum cz_err (*password_get)(struct cz_store *s, const char *name, struct cz_principal_row *ret,
                                char **ret_hash, struct cz_error *err);
    enum cz_err (*password_set)(struct cz_store *s, const char *id, const char *hash,
                                struct cz_error *err);
    enum cz_err (*session_new)(struct cz_store *s, const struct cz_session_row *n,
                               const char *hash, int64_t absolute_ms, struct cz_error *err);
    enum cz_err (*session_get)(struct cz_store *s, const char *hash,
                               const struct cz_session_limits *limits, const char *ip,
                               struct cz_principal_row *ret, struct cz_session_row *ret_session,
                               struct cz_error *err);
    enum cz_err (*sessions)(struct cz_store *s, const char *principal_id,
                            const struct cz_session_limits *limits, struct cz_session_list *ret,
                            struct cz_error *err);
    enum cz_err (*session_end)(struct cz_store *s, const char *principal_id, const char *id,
                               struct cz_error *err);
    enum cz_err (*sessions_end)(struct cz_store *s, const char *principal_id, const char *but,
                                int64_t *ret, struct cz_error *err);
    enum cz_err (*token_new)(struct cz_store *s, const struct cz_token_row *n, const char *hash,
                             struct cz_error *err);
    enum cz_err (*token_get)(struct cz_store *s, const char *hash, const char *ip,
                             struct cz_principal_row *ret, struct cz_token_row *ret_token,
                             struct cz_error *err);
    enum cz_err (*tokens)(struct cz_store *s, const char *principal_id, struct cz_token_list *ret,
                          struct cz_error *err);
    enum cz_err (*token_revoke)(struct cz_store *s, const char *id, const char *principal_id,
                                struct cz_error *err);
    enum cz_err (*bootstrap_offer)(struct cz_store *s, const char *hash, int64_t life_ms,
                                   bool *ret, struct cz_error *err);
    enum cz_err (*bootstrap_use)(struct cz_store *s, const char *hash,
                                 const struct cz_principal_new *p, const char *password_hash,
                                 struct cz_principal_row *ret, struct cz_error *err);
    enum cz_err (*deployment_secret)(struct cz_store *s, char **ret, struct cz_error *err);
};

/** One entry per public function of the store, same order and meaning as in cz/storage.h.
 *  @thread any, unless the header says otherwise. */
struct cz_store_vt {
    enum cz_err (*get)(struct cz_store *s,
                       const char *team,
                       enum cz_kind kind,
                       const char *name,
                       struct cz_resource *ret,
                       struct cz_error *err);
    enum cz_err (*get_uid)(struct cz_store *s,
                           const char *uid,
                           struct cz_resource *ret,
                           struct cz_error *err);
    enum cz_err (*list)(struct cz_store *s,
                        const struct cz_list_filter *f,
                        struct cz_resource_list *ret,
                        int64_t *ret_seq,
                        struct cz_error *err);
    enum cz_err (*changes)(struct cz_store *s,
                           const struct cz_change_filter *f,
                           struct cz_change_list *ret,
                           struct cz_error *err);
    enum cz_err (*change)(struct cz_store *s,
                          int64_t seq,
                          struct cz_change *ret,
                          struct cz_revision_list *ret_revisions,
                          struct cz_error *err);
    enum cz_err (*revisions)(struct cz_store *s,
                             const char *team,
                             enum cz_kind kind,
                             const char *name,
                             int64_t before,
                             int limit,
                             struct cz_revision_list *ret,
                             struct cz_error *err);
    enum cz_err (*before)(struct cz_store *s,
                          int64_t seq,
                          struct cz_revision_list *ret,
                          struct cz_error *err);
    enum cz_err (*seq)(struct cz_store *s, int64_t *ret_seq, struct cz_error *err);
    enum cz_err (*wait)(struct cz_store *s,
                        int64_t after,
                        cz_time deadline,
                        int64_t *ret_seq,
                        struct cz_error *err);
    enum cz_err (*teams)(struct cz_store *s,
                         char ***ret,
                         size_t *ret_len,
                         struct cz_error *err);
    enum cz_err (*access_version)(struct cz_store *s, int64_t *ret, struct cz_error *err);
    enum cz_err (*put_team)(struct cz_store *s,
                            const char *team,
                            const struct cz_change_meta *meta,
                            struct cz_error *err);
    enum cz_err (*write)(struct cz_store *s,
                         const struct cz_change_meta *meta,
                         bool dry_run,
                         cz_write_fn fn,
                         void *arg,
                         int64_t *ret_seq,
                         struct cz_error *err);
    enum cz_err (*sets)(struct cz_store *s,
                        const char *team,
                        const char *name,
                        struct cz_set_state_list *ret,
                        struct cz_error *err);
    enum cz_err (*set_members)(struct cz_store *s,
                               const char *team,
                               const char *name,
                               struct cz_set_member_list *ret,
                               struct cz_error *err);
    enum cz_err (*set_moved)(struct cz_store *s,
                             const char *team,
                             const char *name,
                             struct cz_set_moved_list *ret,
                             struct cz_error *err);
    enum cz_err (*audit)(struct cz_store *s,
                         const struct cz_change_meta *meta,
                         const char *outcome,
                         const json_t *detail,
                         struct cz_error *err);
    enum cz_err (*mark)(struct cz_store *s,
                        const char *uid,
                        const char *name,
                        int64_t *ret,
                        struct cz_error *err);
    enum cz_err (*set_mark)(struct cz_store *s,
                            const char *uid,
                            const char *name,
                            int64_t value,
                            const struct cz_change_meta *meta,
                            const json_t *detail,
                            struct cz_error *err);
    enum cz_err (*put_report)(struct cz_store *s,
                              const char *uid,
                              const char *name,
                              const json_t *value,
                              struct cz_error *err);
    enum cz_err (*reports)(struct cz_store *s,
                           const char *name,
                           const char *uid,
                           json_t **ret,
                           struct cz_error *err);
    enum cz_err (*outbox)(struct cz_store *s,
                          int limit,
                          struct cz_config_record_list *ret,
                          struct cz_error *err);
    enum cz_err (*outbox_done)(struct cz_store *s,
                               int64_t epoch,
                               int64_t seq,
                               struct cz_error *err);
    enum cz_err (*config)(struct cz_store *s,
                          struct cz_config_record_list *ret,
                          int64_t *ret_seq,
                          struct cz_error *err);
    enum cz_err (*lead)(struct cz_store *s,
                        const char *instance,
                        int64_t lease_ms,
                        cz_time deadline,
                        struct cz_leadership **ret,
                        int64_t *ret_epoch,
                        char **ret_leader,
                        struct cz_error *err);
    enum cz_err (*check)(struct cz_store *s, cz_time deadline, struct cz_error *err);
    void (*stats)(struct cz_store *s, struct cz_store_stats *ret);
    void (*free)(struct cz_store *s);
    const struct cz_identity_vt *identity; /* NULL: it keeps no principals */
};

/** The audit log: one entry per function of cz/audit_store.h. */
struct cz_audit_vt {
    enum cz_err (*list)(struct cz_store *s,
                        const struct cz_audit_filter *f,
                        struct cz_audit_list *ret,
                        struct cz_error *err);
    enum cz_err (*decided)(struct cz_store *s, int64_t *ret_id, struct cz_error *err);
    enum cz_err (*next)(struct cz_store *s,
                        int64_t after,
                        int64_t upto,
                        int limit,
                        struct cz_audit_list *ret,
                        struct cz_error *err);
    enum cz_err (*seals)(struct cz_store *s,
                         int64_t before,
                         int64_t after,
                         int limit,
                         struct cz_seal_list *ret,
                         struct cz_error *err);
    enum cz_err (*seal)(struct cz_store *s,
                        struct cz_seal *ret,
                        bool *ret_more,
                        struct cz_error *err);
    enum cz_err (*verify)(struct cz_store *s,
                          int64_t after,
                          const struct cz_seal_anchor *anchors,
                          size_t n,
                          cz_time deadline,
                          struct cz_audit_check *ret,
                          struct cz_error *err);
    enum cz_err (*keep)(struct cz_store *s,
                        struct cz_audit_kept_list *ret,
                        struct cz_error *err);
    enum cz_err (*position)(struct cz_store *s,
                            const char *topic,
                            struct cz_audit_position *ret,
                            struct cz_error *err);
    enum cz_err (*set_position)(struct cz_store *s,
                                const char *topic,
                                const struct cz_audit_position *p,
                                struct cz_error *err);
};

/** First member of an implementation's store. */
struct cz_store {
    const struct cz_store_vt *vt;
    const struct cz_audit_vt *audit; /* NULL: it keeps no events */
};

/** @thread only inside the callback of cz_store_write() */
struct cz_tx_vt {
    enum cz_err (*get)(struct cz_tx *tx,
                       const char *team,
                       enum cz_kind kind,
                       const char *name,
                       struct cz_resource *ret,
                       struct cz_error *err);
    enum cz_err (*list)(struct cz_tx *tx,
                        const struct cz_list_filter *f,
                        struct cz_resource_list *ret,
                        struct cz_error *err);
    enum cz_err (*revision)(struct cz_tx *tx,
                            const char *team,
                            enum cz_kind kind,
                            const char *name,
                            int64_t generation,
                            struct cz_revision *ret,
                            struct cz_error *err);
    enum cz_err (*put)(struct cz_tx *tx,
                       const char *team,
                       enum cz_kind kind,
                       const char *name,
                       const json_t *doc,
                       const json_t *override,
                       const char *managed_by,
                       enum cz_op op,
                       struct cz_resource *ret,
                       struct cz_error *err);
    enum cz_err (*del)(struct cz_tx *tx,
                       const char *team,
                       enum cz_kind kind,
                       const char *name,
                       struct cz_error *err);
    enum cz_err (*publish)(struct cz_tx *tx,
                           const char *key,
                           const json_t *value,
                           struct cz_error *err);
    enum cz_err (*rename)(struct cz_tx *tx,
                          const char *team,
                          enum cz_kind kind,
                          const char *name,
                          const char *new_name,
                          struct cz_error *err);
    enum cz_err (*load)(struct cz_tx *tx,
                        const char *team,
                        const struct cz_tx_ref *refs,
                        size_t n,
                        const char *managed_by,
                        struct cz_resource_list *ret,
                        struct cz_error *err);
    bool (*touched)(struct cz_tx *tx,
                    size_t i,
                    const struct cz_resource **ret_before,
                    const struct cz_resource **ret_after);
    enum cz_err (*readers)(struct cz_tx *tx,
                           const struct cz_tx_places *of,
                           struct cz_resource_list *ret,
                           struct cz_error *err);
    enum cz_err (*committers)(struct cz_tx *tx,
                              const char *team,
                              const struct cz_tx_groups *of,
                              struct cz_resource_list *ret,
                              struct cz_error *err);
    enum cz_err (*set)(struct cz_tx *tx,
                       const char *team,
                       const char *name,
                       struct cz_set_state *ret,
                       bool *ret_found,
                       struct cz_error *err);
    enum cz_err (*put_set)(struct cz_tx *tx, const struct cz_set_state *set, struct cz_error *err);
    enum cz_err (*delete_set)(struct cz_tx *tx,
                              const char *team,
                              const char *name,
                              struct cz_error *err);
    enum cz_err (*members)(struct cz_tx *tx,
                           bool put,
                           const char *team,
                           const char *set,
                           const struct cz_set_member *members,
                           size_t n,
                           struct cz_error *err);
    enum cz_err (*see_all)(struct cz_tx *tx, bool all, struct cz_error *err);
    enum cz_err (*put_team)(struct cz_tx *tx, const char *team, struct cz_error *err);
    enum cz_err (*audit)(struct cz_tx *tx,
                         const struct cz_change_meta *meta,
                         const char *outcome,
                         const json_t *detail,
                         struct cz_error *err);
};

/** First member of an implementation's transaction. */
struct cz_tx {
    const struct cz_tx_vt *vt;
    int64_t seq;                   /* the number this write will have */
    int created, updated, deleted; /* counts for the change */
    bool dirty;                    /* something was really put, deleted or published */
};

/** @thread one at a time, except wake: any */
struct cz_leadership_vt {
    enum cz_err (*renew)(struct cz_leadership *l, struct cz_error *err);
    enum cz_err (*wait)(struct cz_leadership *l, cz_time deadline, struct cz_error *err);
    void (*wake)(struct cz_leadership *l);
    void (*free)(struct cz_leadership *l);
};
struct cz_leadership {
    const struct cz_leadership_vt *vt;
};

/* ---- shared by the implementations (storage/types.c) ----------------------------------------
 */

/** Room for one more element at the end of a list; zeroed, counted. */
struct cz_resource *cz__resource_push(struct cz_resource_list *l);
struct cz_change *cz__change_push(struct cz_change_list *l);
struct cz_revision *cz__revision_push(struct cz_revision_list *l);
struct cz_config_record *cz__config_record_push(struct cz_config_record_list *l);
struct cz_set_state *cz__set_state_push(struct cz_set_state_list *l);
struct cz_set_member *cz__set_member_push(struct cz_set_member_list *l);
struct cz_set_moved *cz__set_moved_push(struct cz_set_moved_list *l);
void cz__config_record_done(struct cz_config_record *r);

/** Deep copies: a json_t belongs to one thread at a time. */
void cz__resource_copy(const struct cz_resource *from, struct cz_resource *to);
/** As cz__resource_copy(), but the documents are the same ones. */
void cz__resource_share(const struct cz_resource *from, struct cz_resource *to);
void cz__set_state_copy(const struct cz_set_state *from, struct cz_set_state *to);
bool cz__set_state_same(const struct cz_set_state *a, const struct cz_set_state *b);
void cz__change_copy(const struct cz_change *from, struct cz_change *to);
void cz__revision_copy(const struct cz_revision *from, struct cz_revision *to);
/** NULL stays NULL. */
json_t *cz__json_copy(const json_t *j);
/** NULL (and JSON null) equals only NULL. */
bool cz__json_same(const json_t *a, const json_t *b);
/** What a put of the same name would change. */
bool cz__put_is_noop(const struct cz_resource *cur,
                     const json_t *doc,
                     const json_t *override,
                     const char *managed_by);
bool cz__spec_differs(const json_t *old_doc, const json_t *new_doc);
bool cz__op_parse(const char *name, enum cz_op *ret);

/** Is this a kind that says who may do what? */
bool cz__is_access_kind(enum cz_kind k);
/** The calling thread's scope: "*", or its teams as the text of a PostgreSQL array. */
const char *cz__scope_text(void);
/** @team NULL: what belongs to no team, seen only without a scope. */
bool cz__scope_sees(const char *team);
/** The text of a PostgreSQL array; cz_free. */
char *cz__array_text(const char *const *items, size_t n);

/** A thread holds at most one lease (postgres) or the lock (memory): a store function that is
 *  called from inside a write would wait for itself.  Asserts that none is held. */
void cz__hold_enter(void);
void cz__hold_leave(void);

#endif
