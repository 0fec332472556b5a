/* SPDX-License-Identifier: Apache-2.0 */
/** Inside of the service layer.  A write runs as an `attempt` inside the store's transaction:
 * it checks, puts and publishes, and only notes what it would have to ask Kafka.  Kafka is
 * asked between attempts, never while the transaction holds the store's write lock; then the
 * write runs again with the answers at hand (see cz__run). */
#ifndef CZ_SERVICE_PRIV_H
#define CZ_SERVICE_PRIV_H

#include <stdatomic.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/limits.h"
#include "cz/map.h"
#include "cz/mapping_spec.h"
#include "cz/service.h"
#include "cz/thread.h"
#include "cz/util.h"

void cz__access_done(struct cz_service *s); /* access_store.c */
struct cz__snapshot; /* snapshot.c: the mappings as of one seq, for polls */

struct cz_service {
    struct cz_store *store;
    struct cz_status_view *status;
    int timeout_ms;
    char *group_id; /* of the deployment; NULL: not known */
    char *file_data_path; /* the workers' folder, as it is seen from here; NULL: it is not */
    cz_service_topics_fn topics_fn;
    void *topics_arg;

    struct cz_mutex view_lock; /* held while the view is asked, so that it can be taken away */
    cz_service_view_fn view;
    cz_service_writer_fn writer;
    void *view_arg;

    struct cz_mutex lock;  /* the maps below; never held while Kafka or the store is asked */
    struct cz_map admins;  /* cluster hash → struct admin_entry (facts.c) */
    struct cz_map facts;   /* cluster hash "/" topic → struct cz__fact */
    struct cz_map teams;   /* names known to exist */
    struct cz_map moments; /* uid → when each condition changed last (conditions.c) */
    struct cz__snapshot *snapshot;
    struct cz_access_rules *rules; /* access_store.c; NULL: not read yet */
    int looks;          /* browse.c: that read records now */
    json_t *pair_stats; /* pairs.c: the last answer, for whom and since when */
    char *pair_stats_team;
    cz_time pair_stats_at;
    int64_t started_us; /* wall clock */

    struct cz_cond verify_done; /* a job that reads at full speed is over; with `lock` */
    bool verifying, redriving;  /* one runs of each (verify.c, dead_letters.c); under `lock` */
    atomic_bool verify_stop;    /* none may run any more */
    struct cz_map watched; /* uid → when the next look is (verify_watch.c); under `lock` */
    _Atomic int previews; /* under way */

    struct cz_mutex due_lock; /* overrides with an end (override.c) */
    struct cz_map due;        /* team "/" name → int64_t wall ms */
    int64_t due_seq;          /* -1: not loaded */
};

/* ---- facts.c: what Kafka says about topics ------------------------------------------------
 */

enum cz__fact_state {
    CZ__FACT_EXISTS,
    CZ__FACT_MISSING,
    CZ__FACT_FORBIDDEN,
    CZ__FACT_UNREACHABLE
};
struct cz__fact {
    enum cz__fact_state state;
    int32_t partitions;
    cz_time at;
    char text[200];
};
struct cz__wants {
    struct cz_map clusters; /* cluster hash → struct want (facts.c) */
};
void cz__wants_init(struct cz__wants *w);
void cz__wants_done(struct cz__wants *w);
/** @topic "": only whether the cluster can be reached. */
void cz__want(struct cz__wants *w, struct cz_cluster *c, const char *topic);
bool cz__wants_any(const struct cz__wants *w);
/** A fact learned at @since or later, or a good one that is a few seconds old. */
bool cz__fact(struct cz_service *s,
              const struct cz_cluster *c,
              const char *topic,
              cz_time since,
              struct cz__fact *ret);
/** Ask all clusters at once, at most @timeout_ms; afterwards every want is a fact. */
void cz__facts_fetch(struct cz_service *s, const struct cz__wants *w, int timeout_ms);
/** Borrow the admin client of a cluster; give it back soon. */
struct cz__admin_use {
    struct cz_admin *admin;
    char key[20];
};
enum cz_err cz__admin_take(struct cz_service *s,
                           struct cz_cluster *c,
                           struct cz__admin_use *ret,
                           struct cz_error *err);
void cz__admin_give(struct cz_service *s, const struct cz__admin_use *use);
void cz__pair_stats_init(struct cz_service *s); /* pairs.c */
void cz__pair_stats_done(struct cz_service *s);
void cz__admins_sweep(struct cz_service *s);
void cz__admins_done(struct cz_service *s);

struct cz_mapping_view;
/** What the scheduler knows of a mapping; false: nothing (conditions.c). */
bool cz__mapping_view(struct cz_service *s, const char *uid, struct cz_mapping_view *ret);

/* ---- write.c: attempts --------------------------------------------------------------------
 */

/** Where the problems of a document hang in the request's body. */
struct cz__origin {
    const char *base; /* put in front of each pointer */
    const char
        *fixed; /* else: every problem is at this place, its own pointer goes to the text */
    const char *what; /* NULL, or the object that the problem is about: `mapping "x"` */
};
struct cz__group_use {
    char *team, *name; /* of the mapping that was put */
    char *base, *fixed, *what;
};
struct cz__attempt {
    struct cz_service *s;
    struct cz_tx *tx;
    const struct cz_write *w;
    struct cz_change_meta *meta; /* of the change; a body may fill in what it learns */
    const struct cz_caller *who; /* NULL: our own work */
    struct cz_map rules; /* team → struct cz_team_rules, as of this transaction (access_tx.c) */
    struct cz_report rep;
    json_t *warnings, *changes, *skipped;
    struct cz__wants wants;
    cz_time since;          /* when the write began: facts learned later count */
    struct cz_map clusters; /* team "/" name → struct cz_cluster *, as of this transaction */
    struct cz__group_use *uses; /* consumer groups to compare before the end */
    size_t uses_len, uses_cap;
    struct cz__group_use *routes; /* mappings whose records may come back to them, the same way */
    size_t routes_len, routes_cap;
    int64_t stale_version; /* > 0: If-Match failed against this one */
    struct cz_resource result;
    bool have_result, created;
    enum { CZ__NOT_ASKED, CZ__NONE, CZ__SOME } recopies; /* of the team (recopy.c) */
};
typedef enum cz_err (*cz__body)(struct cz__attempt *a, void *arg, struct cz_error *err);
struct cz__job {
    struct cz_service *s;
    const struct cz_caller *who;
    const struct cz_write *w;
    const char *team;
    const char *action; /* "mapping.update" */
    int64_t reverts;
    bool makes_team; /* so it need not be there yet */
    cz__body body;
    void *arg;
};
enum cz_err cz__run(const struct cz__job *j,
                    struct cz_write_result *ret,
                    struct cz_report *rep,
                    struct cz_error *err);
/** Names of all teams; cz__names_free them. */
enum cz_err cz__team_names(struct cz_service *s, char ***ret, size_t *ret_len, struct cz_error *err);
void cz__names_free(char **names, size_t n);
enum cz_err cz__team_known(struct cz_service *s, const char *team, struct cz_error *err);
/** Names that nothing can bear (bad UTF-8, control characters) are not found, instead of being
 *  sent to the database, which would refuse them as an error of ours. */
enum cz_err cz__name_possible(const char *team, enum cz_kind kind, const char *name,
                              struct cz_error *err);
/** A cluster as it is stored, to talk to; cz_cluster_unref it. */
CZ_MUST_USE enum cz_err cz__stored_cluster(struct cz_service *s,
                                           const char *team,
                                           const char *name,
                                           struct cz_cluster **ret,
                                           struct cz_error *err);
/** The client of the schema registry that cluster @name names; cz_registry_unref it. */
CZ_MUST_USE enum cz_err cz__registry_of(const struct cz_cluster *c,
                                        const char *name,
                                        struct cz_registry **ret,
                                        struct cz_error *err);
/** *ret_found false instead of CZ_E_NOT_FOUND. */
enum cz_err cz__tx_find(struct cz__attempt *a,
                        const char *team,
                        enum cz_kind kind,
                        const char *name,
                        struct cz_resource *ret,
                        bool *ret_found,
                        struct cz_error *err);
/** If-Match and If-None-Match against @cur (NULL: there is none). */
enum cz_err
cz__precondition(struct cz__attempt *a, const struct cz_resource *cur, struct cz_error *err);
void cz__note_change(struct cz__attempt *a,
                     const char *op,
                     enum cz_kind kind,
                     const char *name);
void cz__warn(struct cz__attempt *a,
              const char *pointer,
              const char *code,
              const char *fmt,
              ...) CZ_PRINTF(4, 5);
/** Move problems of a part into the attempt's report as @o says. */
void cz__move_problems(struct cz__attempt *a,
                       const struct cz__origin *o,
                       struct cz_report *from);
void cz__origin_problem(struct cz__attempt *a,
                        const struct cz__origin *o,
                        const char *below,
                        const char *code,
                        const char *fmt,
                        ...) CZ_PRINTF(5, 6);

/* ---- document.c ---------------------------------------------------------------------------
 */

/** The stored form {group, labels, description, spec} of a request's body; problems to @rep.
 *  @cur what is stored (NULL: nothing), for the read-only members. New reference, never NULL.
 */
json_t *cz__document(const json_t *body,
                     const char *team,
                     enum cz_kind kind,
                     const char *name,
                     const struct cz_resource *cur,
                     struct cz_report *rep);
/** group, labels, description of any object of ours (a template's entries too). */
void cz__check_meta(const json_t *obj, const char *pointer, struct cz_report *rep);

/* ---- apply.c: one object and what follows from it -----------------------------------------
 */

struct cz__put {
    const char *team, *name;
    enum cz_kind kind;
    const json_t *doc, *override; /* override NULL: none */
    const char *managed_by;
    enum cz_op op;
    struct cz__origin origin;
    bool alone; /* the caller sees to what depends on it (a template's instances) */
};
/** Check, store, publish, and redo what depends on it (instances of a template, mappings of a
 *  value map). Problems go to the attempt's report, and then nothing will be stored.
 *  @ret may be NULL; set only when the put was made. */
enum cz_err cz__apply(struct cz__attempt *a,
                      const struct cz__put *p,
                      struct cz_resource *ret,
                      bool *ret_put,
                      struct cz_error *err);
/** Delete and tombstone; CZ_E_CONFLICT naming the users when it is in use. */
enum cz_err
cz__remove(struct cz__attempt *a, const struct cz_resource *cur, struct cz_error *err);
/** Put the override of an existing object; a mapping is published again. */
enum cz_err cz__apply_override(struct cz__attempt *a,
                               const struct cz_resource *cur,
                               json_t *override,
                               struct cz_resource *ret,
                               struct cz_error *err);
/** put.c: as cz__apply() of the document that @body stands for; @p->doc is not looked at.
 *  @cur what is stored, NULL: nothing. */
enum cz_err cz__put_document(struct cz__attempt *a,
                             const struct cz__put *p,
                             const json_t *body,
                             const struct cz_resource *cur,
                             struct cz_resource *ret,
                             bool *ret_put,
                             struct cz_error *err);
/** After cz_tx_put() of @op: history line and the result's created flag. true: it differed. */
bool cz__noted(struct cz__attempt *a, const struct cz_resource *r, enum cz_op op);

/* apply_mapping.c */
enum cz_err cz__apply_mapping(struct cz__attempt *a,
                              const struct cz__put *p,
                              struct cz_resource *ret,
                              bool *ret_put,
                              struct cz_error *err);
enum cz_err cz__republish_mapping(struct cz__attempt *a,
                                  const struct cz_resource *r,
                                  const struct cz__origin *o,
                                  bool test,
                                  struct cz_error *err);
/** Give an object another name; its uid, history, offsets and consumer group stay. */
enum cz_err cz__rename_mapping(struct cz__attempt *a,
                               const struct cz_resource *cur,
                               const char *new_name,
                               struct cz_error *err);
/** Does this spec switch replication on, for a group of the target's service? @was NULL: new */
bool cz__switches_on(const json_t *spec, const json_t *was);
/** Does the spec of a mapping name this value map, also as the one of a source topic? */
bool cz__uses_value_map(const json_t *spec, const char *name);
enum cz_err cz__publish_tombstone(struct cz__attempt *a, const char *uid, struct cz_error *err);
/* groups.c */
/** Whether this put can bring in another mapping's group, or a cycle. */
enum cz_err cz__group_concerned(struct cz__attempt *a,
                                const struct cz__put *p,
                                bool *ret_group,
                                bool *ret_route,
                                struct cz_error *err);
void cz__group_note(struct cz__attempt *a, const struct cz__put *p);
void cz__route_note(struct cz__attempt *a, const struct cz__put *p);
enum cz_err cz__groups_check(struct cz__attempt *a, struct cz_error *err);
/* cycles.c */
enum cz_err cz__cycles_check(struct cz__attempt *a, struct cz_error *err);
/* clusters of the team as of this transaction; *ret NULL: there is none (borrowed) */
enum cz_err cz__tx_cluster(struct cz__attempt *a,
                           const char *team,
                           const char *name,
                           struct cz_cluster **ret,
                           struct cz_error *err);
/* usage: names of up to a few objects of @team that refer to (kind, name); "" none. cz_free */
enum cz_err cz__users(struct cz__attempt *a,
                      const char *team,
                      enum cz_kind kind,
                      const char *name,
                      char **ret,
                      struct cz_error *err);

/* ---- render.c: templates ------------------------------------------------------------------
 */

void cz__check_template(const json_t *spec, const char *pointer, struct cz_report *rep);
void cz__check_instance(const json_t *spec, const char *pointer, struct cz_report *rep);
struct cz__rendered {
    char *name;
    json_t *doc;
    size_t index; /* of the template's entry */
};
struct cz__rendered_list {
    struct cz__rendered *items;
    size_t len;
};
void cz__rendered_done(struct cz__rendered_list *l);
/** @rep pointers: into the template ("/spec/mappings/0/name") for what is undefined there, with
 *  the code "undefined-variable"; into the instance ("/spec/vars/X", "/spec/overrides/n") else.
 *  @strict_overrides an override of a mapping that is not rendered is a problem. */
void cz__render(const json_t *template_spec,
                const json_t *instance_spec,
                bool strict_overrides,
                struct cz__rendered_list *ret,
                struct cz_report *rep);
/* instances.c */
enum cz_err cz__apply_instance(struct cz__attempt *a,
                               const struct cz__put *p,
                               struct cz_resource *ret,
                               bool *ret_put,
                               struct cz_error *err);
enum cz_err
cz__rerender_instances(struct cz__attempt *a, const struct cz__put *tmpl, struct cz_error *err);
/** The same of a template as it is stored now; nothing when there is none. @pointer of its document */
enum cz_err cz__rerender_template(struct cz__attempt *a,
                                  const char *team,
                                  const char *name,
                                  const char *pointer,
                                  struct cz_error *err);
char *cz__manager(const char *instance); /* "instance:<name>" */

/* ---- reading ------------------------------------------------------------------------------
 */

json_t *cz__envelope(struct cz_service *s, const struct cz_resource *r, bool with_status);
json_t *cz__override_json(const json_t *override);
void cz__set_time(json_t *obj, const char *key, int64_t wall_ms); /* 0: null */
bool cz__paused(const json_t *override);
/** The name that the mapping's default consumer group is made of: a renamed one keeps its group. */
const char *cz__group_bearer(const struct cz_resource *r);

/* what state a mapping is in, from the status view (conditions.c) */
struct cz__state {
    const char *name;
    enum cz_task_state state;
    int64_t observed; /* generation that all tasks run; 0: none */
    int tasks, running;
    struct cz_task_infos reported; /* current ones only; cz_task_infos_done */
    char error[200];
};
struct cz__subject { /* of a status: the few facts of a resource that it needs */
    const char *team, *name, *uid;
    int64_t generation;
    bool enabled, paused;
    char missing[300]; /* the grant that its team has not, so that it may not run; "" none */
    int64_t created_ms;
    const char *reason; /* of the pause, or NULL */
};
void cz__state_of(struct cz_service *s, const struct cz__subject *m, struct cz__state *ret);
void cz__state_done(struct cz__state *st);
void cz__set_found_topics(struct cz_service *s, const char *uid, struct cz_mapping_spec *spec);
bool cz__is_finished(struct cz_service *s, const struct cz_resource *r);
json_t *cz__conditions(struct cz_service *s,
                       const struct cz__subject *m,
                       const struct cz__state *st,
                       const struct cz_mapping_stats *stats);
struct cz__subject cz__subject_of(struct cz_service *s, const struct cz_resource *r);
json_t *cz__short_status(struct cz_service *s, const struct cz_resource *r);
json_t *cz__dropped_json(const int64_t *dropped);

/** All mappings, as subjects, as of the store's newest change; read again only after a change.
 */
struct cz__snapshot_item {
    struct cz__subject m;
    char *text[4]; /* what m points to */
    char *group;   /* NULL: none */
    int64_t verify_seconds;
    bool recopy; /* of another mapping */
};
struct cz__snapshot {
    int refs; /* under the service's lock */
    int64_t seq;
    struct cz__snapshot_item *items;
    size_t len;
};
enum cz_err
cz__snapshot_take(struct cz_service *s, struct cz__snapshot **ret, struct cz_error *err);
void cz__snapshot_give(struct cz_service *s, struct cz__snapshot *sn);
void cz__snapshot_free(struct cz__snapshot *sn);
/* recopy.c */
bool cz__owned_by_mapping(const char *managed_by);
char *cz__recopy_owner(const char *mapping); /* "mapping:<name>"; cz_free */
enum cz_err cz__remove_recopies(struct cz__attempt *a, const struct cz_resource *mapping, struct cz_error *err);
/* verify.c: jobs of a kind run one after the other. @busy of the service; false: not until @deadline */
bool cz__turn_take(struct cz_service *s, bool *busy, cz_time deadline);
void cz__turn_give(struct cz_service *s, bool *busy);
/* verify_watch.c */
json_t *cz__verified(struct cz_service *s, const char *uid); /* new reference; null: nothing known */
void cz__verified_on_request(struct cz_service *s, const struct cz_resource *mapping, const json_t *report,
                             int64_t began_ms);
void cz__verify_metrics(struct cz_service *s, const struct cz__snapshot *sn, struct cz_buf *out);
/* ---- sets: plan.c, plan_request.c, plan_show.c, sets.c -------------------------------------- */

struct cz__plan_item {
    enum cz_kind kind;
    const char *name, *renamed_from; /* into the request; renamed_from NULL: is not */
    char *pointer;                   /* "/objects/3" */
    json_t *body;                    /* what a PUT would send */
    enum { CZ__PLAN_PUT, CZ__PLAN_UNCHANGED, CZ__PLAN_BLOCKED } what;
};
struct cz__plan_items {
    struct cz__plan_item *items;
    size_t len;
};
/** plan_request.c: read the objects. false: there were problems, they are in @rep. */
bool cz__plan_items(const json_t *objects, struct cz__plan_items *ret, struct cz_report *rep);
void cz__plan_items_done(struct cz__plan_items *l);
/** plan_show.c: what this write has touched, sorted, with what it means for the records; @owner
 *  "set:<name>".  @param ret_summary filled  @param ret_hash SHA-256 of the changes and of the
 *  versions that they are about; cz_free. New reference. */
json_t *cz__plan_changes(struct cz__attempt *a,
                         const char *owner,
                         json_t *ret_summary,
                         char **ret_hash);
/** impact.c: what a change of one object means for its records, as [{"code","message",…}]. */
json_t *cz__impact(struct cz_service *s,
                   const struct cz_resource *before,
                   const struct cz_resource *after);
/** sets.c: where the database is not as the set's last apply left it. */
enum cz_err cz__set_drift(struct cz_service *s,
                          const char *team,
                          const char *set,
                          json_t **ret,
                          struct cz_error *err);
char *cz__set_owner(const char *set);                      /* "set:<name>" */
bool cz__owned_by_set(const char *managed_by);
bool cz__owned_by_instance(const char *managed_by);
/** An edit by hand of what somebody else manages. */
enum cz_err cz__refuse_managed(struct cz__attempt *a,
                               const struct cz_resource *cur,
                               struct cz_error *err);
/** After an apply: the set's row. */
enum cz_err cz__set_applied(struct cz__attempt *a,
                            const struct cz_set_state *old,
                            const struct cz_apply *apply,
                            const char *team,
                            const char *set,
                            struct cz_error *err);
/** rollback.c → sets.c: the set whose change is undone is suspended, its commit blocked. */
enum cz_err cz__suspend_rolled_back(struct cz__attempt *a,
                                    const struct cz_change *undone,
                                    struct cz_error *err);

struct cz_change_meta cz__meta(const struct cz_caller *who,
                               const char *team,
                               const char *action,
                               const char *comment);

#endif
