/* SPDX-License-Identifier: Apache-2.0 */
/** The use cases of the control plane: what may be saved, what it means for the config topic, and
 *  what can be asked.  Plain C on the store, the status view and Kafka's metadata; no HTTP, no SQL.
 *  The REST layer turns a request into one call here and renders the answer.
 *
 *  A write is one transaction: the object, its history and what the workers must learn are stored
 *  together or not at all.  Everything that is wrong with a document is told at once, in a
 *  cz_report whose pointers start at the request's body ("/spec/source/topic").
 *  Documents of a write, by kind (unknown fields are problems):
 *    cluster    {"description"?,"labels"?,"group"?,"spec":{…cz/kafka.h…}}
 *    mapping    {"group"?,"labels"?,"description"?,"spec":{…cz/mapping_spec.h…}}
 *    template   {…,"spec":{"variables":{"A":{"default":"x","description":"…"}|{}},"mappings":[{"name","group"?,"labels"?,"description"?,"spec"}]}}
 *    instance   {…,"spec":{"template":"t","vars":{"A":"a"},"overrides":{"<mapping name>":{"enabled":false}}}}
 *    value_map  {…,"spec":{"key":{…},"value.a.b":{…},"key:partition":{…}}}
 *    team, binding, grant  {…,"spec":{…cz/access.h…}}
 *  The read-only members of the envelope that GET gives (kind, name, team, uid, generation,
 *  version, managed_by, override, status, created, updated, api) are accepted and ignored when they
 *  equal what is stored, so that GET → edit → PUT works; another value is a problem "read-only".
 *
 *  The envelope of one object:
 *    {"kind","name","team","uid","group"?,"labels"?,"description"?,"generation":"3","version":"17",
 *     "managed_by":null|"instance:x","override":null|{"paused","reason","until","restart"},
 *     "spec","created","updated","status":{…}}      status: mappings only
 *  Short status (in envelopes and lists): {"state","observed_generation","lag","in_per_second",
 *  "out_per_second","conditions":[…]}; states: RUNNING PAUSED STOPPED FAILED UNASSIGNED RESTARTING
 *  FINISHED.
 *
 *  Codes: CZ_E_INVALID (422, see the report), CZ_E_NOT_FOUND, CZ_E_STALE (If-Match does not hold;
 *  the text says who changed it and when), CZ_E_PRECONDITION (428), CZ_E_CONFLICT (409: in use, or
 *  managed by an instance; the text names them), CZ_E_UNAVAILABLE|RETRIABLE (database away).
 *  json_t * results are new references.  @thread any */
#ifndef CZ_SERVICE_H
#define CZ_SERVICE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "cz/access.h"
#include "cz/buf.h"
#include "cz/error.h"
#include "cz/kafka.h"
#include "cz/report.h"
#include "cz/status_view.h"
#include "cz/storage.h"
#include "cz/time.h"

struct cz_service;

/** Asks a cluster about topics; the default is a registry of cz_admin clients with idle expiry. */
typedef enum cz_err (*cz_service_topics_fn)(void *arg, struct cz_cluster *c, const char *const *names,
                                            size_t n, cz_time deadline, struct cz_topic_info **ret,
                                            struct cz_error *err);
struct cz_service_options {
    struct cz_store *store;        /* borrowed, outlives the service */
    struct cz_status_view *status; /* borrowed; NULL: nothing is known about workers */
    int metadata_timeout_ms;       /* 0: 3000 */
    const char *group_id;          /* of the deployment; borrowed; NULL: offsets cannot be translated */
    const char *file_data_path;    /* borrowed; of the workers' topic files; NULL: they cannot be verified */
    cz_service_topics_fn topics;   /* NULL: Kafka; else a test's */
    void *topics_arg;
};
struct cz_service *cz_service_new(const struct cz_service_options *o);
void cz_service_free(struct cz_service *s);

struct cz_mapping_view; /* cz/scheduler.h */
typedef bool (*cz_service_view_fn)(void *arg, const char *uid, struct cz_mapping_view *ret);
struct cz_writer_query;
typedef bool (*cz_service_writer_fn)(void *arg, const struct cz_writer_query *q, char *ret_name, size_t n);
/** Where assignment and topics of a mapping are known: wrappers of cz_scheduler_mapping() and
 *  cz_scheduler_writer().  The
 *  scheduler is made after the service, so main sets it after both exist and takes it away (NULL)
 *  before the scheduler is freed.  Without: the conditions rest on the status view alone. */
void cz_service_set_view(struct cz_service *s, cz_service_view_fn fn, cz_service_writer_fn writer, void *arg);

/** The rules of all teams at one moment. */
struct cz_access_rules;
/** As they are now; give them back. */
CZ_MUST_USE enum cz_err cz_service_rules(struct cz_service *s, struct cz_access_rules **ret,
                                         struct cz_error *err);
void cz_access_rules_give(struct cz_service *s, struct cz_access_rules *r);
/** Of a team; NULL: it has none. @at: 0, 1, … by name, NULL at the end */
const struct cz_team_rules *cz_access_team(const struct cz_access_rules *r, const char *team);
const struct cz_team_rules *cz_access_team_at(const struct cz_access_rules *r, size_t i);
/** What a caller is measured by: the rules are those of the moment when the request came. */
struct cz_access {
    const struct cz_principal *who;
    struct cz_access_rules *rules; /* NULL: none, as for who may everything */
};
/** May he see this team (NULL: what belongs to no team)? @a NULL: our own work, which sees all. */
bool cz_access_may_see(const struct cz_access *a, const char *team);
/** The teams that he may see; NULL: all there are. cz_free (the names are borrowed). */
const char **cz_access_visible(const struct cz_access *a, size_t *ret_len);

/** Who asks. Borrowed; NULL = unknown. */
struct cz_caller {
    const struct cz_principal *principal; /* NULL: the program itself */
    const struct cz_access *access; /* NULL: our own work, which may everything */
    const char *actor, *actor_id;
    const char *via; /* "api", "cli", "ui" */
    const char *request_id, *trace_id, *ip;
    const char *token_id; /* API token; NULL: none */
};

/* ---- writes ------------------------------------------------------------------------------- */

#define CZ_IF_MATCH_NONE 0   /* no If-Match header */
#define CZ_IF_MATCH_ANY (-1) /* If-Match: * */
struct cz_write {
    int64_t if_match;    /* expected version, or one of the above */
    bool create_only;    /* If-None-Match: * */
    bool dry_run;        /* everything but the storing */
    const char *comment; /* NULL: none */
    const char *break_glass; /* why an object that a set owns is changed past it; NULL: it is not */
};
struct cz_write_result {
    json_t *resource; /* envelope as stored (or as it would be); NULL after a delete and for a rollback */
    json_t *warnings; /* array of {"pointer","code","message"}; never NULL after CZ_OK */
    json_t *changes;  /* array of {"op","kind","name"} of every object touched; never NULL after CZ_OK */
    json_t *skipped;  /* rollback: array of {"kind","name","reason","version"?,"can_force"?}; else NULL */
    int64_t seq;      /* of the change; when nothing differed: the object's current version */
    int64_t version;  /* ETag of the resource (0: none) */
    bool created;     /* 201 instead of 200 */
    bool unchanged;   /* nothing differed, no change was made */
};
void cz_write_result_done(struct cz_write_result *r);

/** Create or replace. On an existing object neither If-Match nor create_only → CZ_E_PRECONDITION. */
CZ_MUST_USE enum cz_err cz_service_put(struct cz_service *s, const struct cz_caller *who,
                                       const struct cz_write *w, const char *team, enum cz_kind kind,
                                       const char *name, const json_t *doc,
                                       struct cz_write_result *ret, struct cz_report *rep,
                                       struct cz_error *err);
/** RFC 7396 merge patch of {group, labels, description, spec}. */
CZ_MUST_USE enum cz_err cz_service_patch(struct cz_service *s, const struct cz_caller *who,
                                         const struct cz_write *w, const char *team, enum cz_kind kind,
                                         const char *name, const json_t *patch,
                                         struct cz_write_result *ret, struct cz_report *rep,
                                         struct cz_error *err);
CZ_MUST_USE enum cz_err cz_service_delete(struct cz_service *s, const struct cz_caller *who,
                                          const struct cz_write *w, const char *team, enum cz_kind kind,
                                          const char *name, struct cz_write_result *ret,
                                          struct cz_error *err);
/** Overrides live outside the spec; no If-Match needed (checked when given).
 *  @reason NULL: none  @until_ms wall clock, 0: until resumed; in the past: CZ_E_INVALID */
CZ_MUST_USE enum cz_err cz_service_pause(struct cz_service *s, const struct cz_caller *who,
                                         const struct cz_write *w, const char *team, const char *name,
                                         const char *reason, int64_t until_ms,
                                         struct cz_write_result *ret, struct cz_error *err);
CZ_MUST_USE enum cz_err cz_service_resume(struct cz_service *s, const struct cz_caller *who,
                                          const struct cz_write *w, const char *team, const char *name,
                                          struct cz_write_result *ret, struct cz_error *err);
CZ_MUST_USE enum cz_err cz_service_restart(struct cz_service *s, const struct cz_caller *who,
                                           const struct cz_write *w, const char *team, const char *name,
                                           struct cz_write_result *ret, struct cz_error *err);
/** Put the document of an earlier generation again, checked as any other write. Works for a
 *  deleted object too (it comes back). If-Match is needed when the object is alive. */
CZ_MUST_USE enum cz_err cz_service_restore(struct cz_service *s, const struct cz_caller *who,
                                           const struct cz_write *w, const char *team, enum cz_kind kind,
                                           const char *name, int64_t generation,
                                           struct cz_write_result *ret, struct cz_report *rep,
                                           struct cz_error *err);
/** What a rollback overwrites although it was changed since. */
struct cz_force {
    bool all;
    const struct cz_force_item {
        enum cz_kind kind;
        const char *name;
        int64_t version; /* only if it is in this one; 0: in any */
    } *items;
    size_t len;
};
/** Undo a whole change by a new one. Objects changed since are in ret->skipped and not
 *  overwritten, but for those in @force (NULL: none); when nothing is left to undo: CZ_E_CONFLICT.
 *  A dry run tells what each object would get ("diff" in ret->changes). */
CZ_MUST_USE enum cz_err cz_service_rollback(struct cz_service *s, const struct cz_caller *who,
                                            const struct cz_write *w, int64_t seq,
                                            const struct cz_force *force,
                                            struct cz_write_result *ret, struct cz_report *rep,
                                            struct cz_error *err);
/** Many templates, instances and mappings of a team in one change: all or nothing. */
struct cz_set_item {
    enum cz_kind kind;
    const char *name;
    const json_t *doc;   /* of an object that is new */
    const json_t *patch; /* for one that exists, a merge patch; NULL: doc replaces it */
    const char *pointer; /* of the item in the request's body, for problems */
};
struct cz_set_switch { /* overrides `enabled` of the mapping of this name, rendered ones too */
    const char *name;
    bool enabled;
    const char *pointer;
};
struct cz_set {
    const struct cz_set_item *items;
    size_t len;
    const struct cz_set_switch *switches;
    size_t switches_len;
    unsigned prune; /* 1 << kind: objects of it that the set does not name are deleted */
    const char *label, *label_value; /* put on each; only what bears it is deleted; NULL: no matter */
};
/** @w->if_match: the number of the newest change, as a list gives it, or none. */
CZ_MUST_USE enum cz_err cz_service_put_set(struct cz_service *s, const struct cz_caller *who,
                                           const struct cz_write *w, const char *team,
                                           const struct cz_set *set, struct cz_write_result *ret,
                                           struct cz_report *rep, struct cz_error *err);
/* ---- sets: objects that are applied together, from a repository ----------------------------
 *  What a set owns bears managed_by "set:<name>".  plan.c has the rules. */
struct cz_apply {
    const json_t *objects; /* [{"kind","name","renamed_from"?,"group","labels","description","spec"}] */
    bool prune;          /* members that are not among the objects are deleted */
    bool adopt;          /* objects that nobody owns are taken over */
    bool force_adopt;    /* those of other sets too */
    bool allow_empty;    /* prune although there are no objects at all */
    int64_t max_deletes; /* -1: the guard's own bound, max(5, 20 % of the members) */
    bool override_block; /* also a commit that was rolled back */
    const char *plan_hash, *commit, *repo; /* NULL: not said */
};
/** What an apply would do; nothing is stored.  @param ret {"team","set","base_seq","plan_hash",
 *  "summary":{"create","update","delete","adopt","unchanged","blocked"},"changes":[{"op","kind","name",
 *  "version","before","after","patch":[…],"impact":[{"code","message",…}],"derived_from"?}],
 *  "blocked":[{"reason","message","kind"?,"name"?,"pointer"?}],"drift":[…],"notes":[…],"warnings":[…]} */
CZ_MUST_USE enum cz_err cz_service_plan(struct cz_service *s, const struct cz_caller *who,
                                        const char *team, const char *set,
                                        const struct cz_apply *apply, json_t **ret,
                                        struct cz_report *rep, struct cz_error *err);
/** Do it: all or nothing, in one change.  CZ_E_STALE_PLAN, CZ_E_PLAN_BLOCKED, CZ_E_COMMIT_BLOCKED,
 *  CZ_E_SUSPENDED: *ret_plan is the plan of now.  @param ret_plan may stay NULL */
CZ_MUST_USE enum cz_err cz_service_apply(struct cz_service *s, const struct cz_caller *who,
                                         const struct cz_write *w, const char *team, const char *set,
                                         const struct cz_apply *apply, struct cz_write_result *ret,
                                         json_t **ret_plan, struct cz_report *rep,
                                         struct cz_error *err);
/** {"items":[{"name","team","repo","commit","applied":{"seq","at","by"}|null,"state","members",
 *  "suspended":{"seq","at","by","reason"}|null,"blocked_commit","drifted"}]}; states: never_applied,
 *  in_sync, drifted, suspended */
CZ_MUST_USE enum cz_err cz_service_sets(struct cz_service *s, const char *team, json_t **ret,
                                        struct cz_error *err);
/** One of them, and "drift":[{"kind","name","what":"changed|deleted|released","changes"?,"seq","at",
 *  "by","comment"}] */
CZ_MUST_USE enum cz_err cz_service_set(struct cz_service *s, const char *team, const char *set,
                                       json_t **ret, struct cz_error *err);
/** No apply until it is resumed. @param ret as cz_service_set() */
CZ_MUST_USE enum cz_err cz_service_suspend_set(struct cz_service *s, const struct cz_caller *who,
                                               const struct cz_write *w, const char *team,
                                               const char *set, const char *reason, json_t **ret,
                                               struct cz_error *err);
/** @unblock: also the commit that was rolled back may be applied again. */
CZ_MUST_USE enum cz_err cz_service_resume_set(struct cz_service *s, const struct cz_caller *who,
                                              const struct cz_write *w, const char *team,
                                              const char *set, bool unblock, json_t **ret,
                                              struct cz_error *err);
/** Make the set the owner of objects as they are, or let them go (@adopt false; @n 0: all).
 *  @force: also from another set. */
struct cz_set_object { enum cz_kind kind; const char *name, *pointer; };
CZ_MUST_USE enum cz_err cz_service_own(struct cz_service *s, const struct cz_caller *who,
                                       const struct cz_write *w, const char *team, const char *set,
                                       const struct cz_set_object *objects, size_t n, bool adopt,
                                       bool force, struct cz_write_result *ret, struct cz_report *rep,
                                       struct cz_error *err);
/** Forget a set that owns nothing any more; else CZ_E_CONFLICT. */
CZ_MUST_USE enum cz_err cz_service_delete_set(struct cz_service *s, const struct cz_caller *who,
                                              const struct cz_write *w, const char *team,
                                              const char *set, struct cz_write_result *ret,
                                              struct cz_error *err);
/** Move the positions of a mapping that does not run (else CZ_E_CONFLICT), and write it to its history.
 *  @body {"to": "earliest" | "latest" | {"timestamp": …} | {"offsets": {"0": "42"}} | {"shift": n},
 *         "topic"?, "partitions"?: [n]}; @w dry_run, comment, if_match
 *  @param ret {"group","cluster","delivery","dry_run","moved":[{"topic","partition","from","to",
 *         "change"}],"seq"} */
CZ_MUST_USE enum cz_err cz_service_move_offsets(struct cz_service *s, const struct cz_caller *who,
                                                const struct cz_write *w, const char *team,
                                                const char *name, const json_t *body, json_t **ret,
                                                struct cz_report *rep, struct cz_error *err);
/** Create the team when absent, and set what @settings {"restricted"?,"own_clusters"?} says; the rest stays.
 *  A new team is restricted unless @settings say otherwise or the deployment's own token made it (so did
 *  all teams before there were others); settings that are there are changed with If-Match only.
 *  @settings NULL: none  @param ret {"name","restricted","own_clusters","version"|null,"dry_run",
 *  "warnings"}  @param ret_version for the ETag; 0: no settings were ever made */
CZ_MUST_USE enum cz_err cz_service_put_team(struct cz_service *s, const struct cz_caller *who,
                                            const struct cz_write *w, const char *team,
                                            const json_t *settings, json_t **ret, int64_t *ret_version,
                                            struct cz_report *rep, struct cz_error *err);
/** {"name","restricted","own_clusters","version"|null} */
CZ_MUST_USE enum cz_err cz_service_team(struct cz_service *s, const char *team, json_t **ret,
                                        int64_t *ret_version, struct cz_error *err);
/** For the scheduler, about once a second on the leader: resume what is paused until a moment that
 *  has passed (actor "system"). Cheap when nothing is due. @param ret_ended how many; may be NULL */
CZ_MUST_USE enum cz_err cz_service_end_overrides(struct cz_service *s, int *ret_ended,
                                                 struct cz_error *err);

/* ---- reads -------------------------------------------------------------------------------- */

/** @param ret envelope  @param ret_version for the ETag; may be NULL */
CZ_MUST_USE enum cz_err cz_service_get(struct cz_service *s, const char *team, enum cz_kind kind,
                                       const char *name, json_t **ret, int64_t *ret_version,
                                       struct cz_error *err);
struct cz_page {
    json_t *items;               /* array of envelopes */
    char *next_team, *next_name; /* key of the last item when there may be more; else NULL */
    int64_t seq;
};
void cz_page_done(struct cz_page *p);
/** @f->limit 0: CZ_DEFAULT_PAGE; more than CZ_MAX_PAGE: CZ_E_INVALID. @state only mappings in this
 *  state (name as in status.state), NULL: any. An unknown team is CZ_E_NOT_FOUND. */
CZ_MUST_USE enum cz_err cz_service_list(struct cz_service *s, const struct cz_list_filter *f,
                                        const char *state, struct cz_page *ret, struct cz_error *err);
/** {"items":[{"name","restricted","own_clusters"}]}: of those that @access may see; NULL: all */
CZ_MUST_USE enum cz_err cz_service_teams(struct cz_service *s, const struct cz_access *access, json_t **ret,
                                         struct cz_error *err);

/** {"items":[{"seq","at","team","actor","via","comment","request_id","reverts","created","updated","deleted"}],
 *   "next":"<seq for before= or after=>"|null,"seq"} */
CZ_MUST_USE enum cz_err cz_service_changes(struct cz_service *s, const struct cz_change_filter *f,
                                           json_t **ret, struct cz_error *err);
/** The team that a change is of; NULL: none. cz_free. */
CZ_MUST_USE enum cz_err cz_service_change_team(struct cz_service *s, int64_t seq, char **ret,
                                               struct cz_error *err);
/** The change and "objects":[revision + "before": document before, null for a create]. */
CZ_MUST_USE enum cz_err cz_service_change(struct cz_service *s, int64_t seq, json_t **ret,
                                          struct cz_error *err);
/** {"items":[{"seq","generation","op","at","actor","via","comment","uid","document","override"}],"next"} newest first */
CZ_MUST_USE enum cz_err cz_service_revisions(struct cz_service *s, const char *team, enum cz_kind kind,
                                             const char *name, int64_t before, int limit,
                                             json_t **ret, struct cz_error *err);
/** {"from","to","changes":[{"op":"add|remove|replace","pointer","from"?,"to"?}]} between generations. */
CZ_MUST_USE enum cz_err cz_service_diff(struct cz_service *s, const char *team, enum cz_kind kind,
                                        const char *name, int64_t from, int64_t to, json_t **ret,
                                        struct cz_error *err);
/** Wait until a change later than @after exists, or the deadline. */
CZ_MUST_USE enum cz_err cz_service_wait_change(struct cz_service *s, int64_t after, cz_time deadline,
                                               int64_t *ret_seq, struct cz_error *err);
/** Have all live workers applied the change? false: not before the deadline. */
bool cz_service_wait_applied(struct cz_service *s, int64_t seq, cz_time deadline);

/** Full status of a mapping: {"state","generation","observed_generation","conditions":[{"type",
 *  "status":"True|False|Unknown","reason","message","observed_generation","last_transition"}],
 *  "tasks":[{"task","state","worker","generation","since","error"?}],
 *  "partitions":[{"topic","partition","worker","position","end","lag","in","out","dropped"}],
 *  "lag","lag_seconds","lag_partitions_unknown","rates":{…},"delay_ms":{"p50","p99","p999"},"totals":{…}} */
CZ_MUST_USE enum cz_err cz_service_status(struct cz_service *s, const char *team, const char *name,
                                          json_t **ret, struct cz_error *err);
/** Translate positions by the mapping's offset map, exactly, also through filters.
 *  @body {"group": committed offsets of this one} or {"offsets": {"0": "42"} (by topic when there are
 *   several)}, "direction"?: "to_target" | "to_source"
 *  @param ret {"direction","group","partitions":[{"topic","partition","offset","to_topic",
 *   "to_partition","to_offset":null|"n","exact":bool,"reason"?}]} */
CZ_MUST_USE enum cz_err cz_service_translate(struct cz_service *s, const char *team, const char *name,
                                             const json_t *body, json_t **ret, struct cz_report *rep,
                                             struct cz_error *err);
/** Asks Kafka: {"group":null|"g","cluster","delivery","can_be_moved","partitions":[{"topic",
 *  "partition","committed","start","end","lag","error"?}]}; null: never, or not known. */
CZ_MUST_USE enum cz_err cz_service_offsets(struct cz_service *s, const char *team, const char *name,
                                           json_t **ret, struct cz_error *err);
/** {"items":[{"id","host","version","rest","state":"alive|suspect|gone","age_ms","started","applied",
 *   "epoch","tasks","capacity","files","lease_ms"}],"seq"} */
CZ_MUST_USE enum cz_err cz_service_workers(struct cz_service *s, json_t **ret, struct cz_error *err);
/** Per mapping totals: {"at","seq","items":[{"team","name","uid","group","state","generation","in",
 *   "out","bytes_in","bytes_out","dropped":{"filter":n,…},"lag","lag_seconds","in_per_second","out_per_second",
 *   "bytes_per_second","delay_ms":{"p50","p99","p999"}}],"totals":{…same sums…}}. @team NULL: all
 *  that @access may see. */
CZ_MUST_USE enum cz_err cz_service_stats(struct cz_service *s, const struct cz_access *access,
                                         const char *team, json_t **ret, struct cz_error *err);
/** The statistics of CitizenK Replicator: {"time","started","queue","mappings":[{"name",
 *  "source_topic_name","target_topic_name","valid_jmespath","target_service_consumer_group",
 *  "consumer_group_up","assignments":[0,1],"lag"|null,"source_count","target_count"}]}, a row for
 *  each pair of topics; calculated again after @every_ms at the earliest. */
CZ_MUST_USE enum cz_err cz_service_pair_stats(struct cz_service *s, const char *team, int64_t every_ms,
                                              json_t **ret, struct cz_error *err);
/** Names of the topics of a team's cluster, sorted, without those that begin with "__"; of a restricted
 *  team only those that a grant names. */
CZ_MUST_USE enum cz_err cz_service_cluster_topics(struct cz_service *s, const char *team,
                                                  const char *cluster, json_t **ret,
                                                  struct cz_error *err);
/** Names of its consumer groups, sorted; of a restricted team as above. */
CZ_MUST_USE enum cz_err cz_service_cluster_groups(struct cz_service *s, const char *team,
                                                  const char *cluster, json_t **ret,
                                                  struct cz_error *err);
enum cz_consume_from { CZ_CONSUME_LATEST, CZ_CONSUME_EARLIEST, CZ_CONSUME_OFFSET };
struct cz_consume {
    const char *team, *cluster, *topic;
    int64_t count; /* records at most */
    enum cz_consume_from from;
    int64_t offset;   /* CZ_CONSUME_OFFSET: in every partition */
    int64_t epoch_ms; /* > 0: from this time on instead */
    const int32_t *partitions; /* only these; none: all */
    size_t partitions_len;
    int timeout_ms;
};
/** Some records as a JSON array of lines of a topic file (cz/file_record.h), by time.  Bounded by
 *  count, 16 MiB and the timeout; what was read until then is given.  CZ_E_LIMIT: too many at once. */
CZ_MUST_USE enum cz_err cz_service_consume(struct cz_service *s, const struct cz_consume *q,
                                           struct cz_buf *out, struct cz_error *err);
/** Append the families of control-plane.md section 8 that concern mappings, workers, config and
 *  database (not HTTP's) in Prometheus text. */
CZ_MUST_USE enum cz_err cz_service_metrics(struct cz_service *s, struct cz_buf *out, struct cz_error *err);
/** Checks for /readyz: the store (and its schema), the first read of the status topic.
 *  @param ret {"checks":[{"name","ok","message"}]} always set; CZ_E_UNAVAILABLE when one fails. */
CZ_MUST_USE enum cz_err cz_service_ready(struct cz_service *s, cz_time deadline, json_t **ret,
                                         struct cz_error *err);
struct cz_verify_request {
    int64_t since_ms; /* of record timestamps; 0: since the mapping's last change; -1: all */
    int64_t until_ms; /* -1: now */
    int64_t window_ms, max_records;
    bool requested; /* by somebody; kept when the mapping is not compared by itself */
    bool others; /* the target has other writers: what is extra is counted, and no difference */
    cz_time deadline;
};
/** Read both sides of a mapping and compare them: the report of cz/verify.h and {"mapping",
 *  "generation","since","until"}. CZ_E_LIMIT: too many records, or one runs already. */
CZ_MUST_USE enum cz_err cz_service_verify(struct cz_service *s, const char *team, const char *name,
                                          const struct cz_verify_request *q, json_t **ret,
                                          struct cz_error *err);
/** Verify one mapping whose `verify_seconds` have passed, if there is one. Blocks while it reads.
 *  @thread one, on the instance that leads */
void cz_service_verify_due(struct cz_service *s);
/** Let go of what is being read, and read no more: before the service is freed. @thread any */
void cz_service_verify_stop(struct cz_service *s);
/** Copy a part of a mapping's source again, beside the mapping and with its stages of now: by a mapping
 *  "<name> (recopy)" that ends, and is taken away some time after that; to delete it ends it at once.
 *  @body {"from": time | "earliest" | {"offsets"}, "to"?: time | "now" | {"offsets"}}
 *  @param ret {"mapping": of the copy,"records": offsets that are read,"partitions":[{"topic","partition",
 *   "from","to"}],"dry_run","seq"}; CZ_E_CONFLICT: one runs already, or files */
CZ_MUST_USE enum cz_err cz_service_recopy(struct cz_service *s, const struct cz_caller *who,
                                          const struct cz_write *w, const char *team, const char *name,
                                          const json_t *body, json_t **ret, struct cz_report *rep,
                                          struct cz_error *err);
/** Take copies away that have been FINISHED for @kept_ms. @thread one, on the instance that leads */
void cz_service_recopies_end(struct cz_service *s, int64_t kept_ms);
enum cz_dead_letters_action { CZ_DEAD_LETTERS_LIST, CZ_DEAD_LETTERS_REDRIVE, CZ_DEAD_LETTERS_DISCARD };
struct cz_dead_letters_request {
    enum cz_dead_letters_action action;
    bool dry_run;
    const char *comment; /* for the audit; NULL: none */
    /* which of them; NULL, -1: any */
    const char *stage, *error, *topic; /* topic, partition and offsets are the source's */
    int32_t partition;
    int64_t from_offset, to_offset; /* [from, to) */
    int64_t since_ms, until_ms;     /* of record timestamps, [since, until) */
    int64_t max_records;
    int samples;
    cz_time deadline;
};
/** What the dead-letter topic holds of a mapping: counted and shown, sent through the mapping's stages
 *  again, or discarded; see cz/redrive.h, whose report is given with {"mapping","generation","dry_run"}.
 *  CZ_E_CONFLICT: the mapping has no dead letters that can be read; CZ_E_LIMIT: another job runs. */
CZ_MUST_USE enum cz_err cz_service_dead_letters(struct cz_service *s, const struct cz_caller *who,
                                                const char *team, const char *name,
                                                const struct cz_dead_letters_request *q, json_t **ret,
                                                struct cz_error *err);
/** What a mapping would do with records of its live source topic, by the worker's own stages.
 *  Nothing is written, no group is joined; bounded in records, bytes and time. */
#define CZ_MAX_PREVIEW 200
struct cz_preview_place {
    int32_t partition;
    int64_t offset;
};
struct cz_preview {
    const char *topic;    /* one of the mapping's sources; NULL: the first */
    int limit;            /* records, 1 to CZ_MAX_PREVIEW */
    int32_t partition;    /* -1: all */
    int64_t offset;       /* of the partition, from here on; -1: none */
    int64_t timestamp_ms; /* from here on; -1: none; neither: the last ones of each partition */
    const struct cz_preview_place *places; /* these records and no others; at most CZ_MAX_PREVIEW */
    size_t places_len;
};
/** @name the saved mapping; NULL: none  @spec instead of the saved one; NULL: that one
 *  @param ret {"topic","read","complete","passed","changed","dropped","errors","masks":bool,
 *   "records":[{"partition","offset","timestamp","verdict":"passed|changed|dropped|error",
 *    "reason","why":[…] (dropped), "stage","message" (error), "input":{"key","value","headers"},
 *    "output":{…,"partition"}, "changes":[{"op","pointer","from","to"}]}],
 *   "unmasked":[{"path","types","records"}], "unmasked_truncated"}
 *  Of a mapping that masks the input is shown masked, and no operand of its filter.
 *  CZ_E_CONFLICT: there is nothing to read; CZ_E_UNAVAILABLE: too many previews at once. */
CZ_MUST_USE enum cz_err cz_service_preview(struct cz_service *s, const char *team, const char *name,
                                           const json_t *spec, const struct cz_preview *what,
                                           json_t **ret, struct cz_report *rep, struct cz_error *err);
/** May somebody do something, and why. @who the one that is asked about  @team, @use NULL: none
 *  @param ret {"allowed","principal","verb","team"|null,"role"|null,"peek","missing"|null,"why":[…]} */
CZ_MUST_USE enum cz_err cz_service_can(struct cz_service *s, const struct cz_principal *who,
                                       enum cz_verb verb, const char *team,
                                       const struct cz_access_use *use, json_t **ret,
                                       struct cz_error *err);
/** JMESPath over any JSON: @document → {"result":…}; bounded. An expression that does not compile
 *  is a problem at /expression with its position. */
CZ_MUST_USE enum cz_err cz_service_eval(const char *expression, const json_t *document, json_t **ret,
                                        struct cz_report *rep, struct cz_error *err);

#endif
