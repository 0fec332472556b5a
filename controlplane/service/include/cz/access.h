/* SPDX-License-Identifier: Apache-2.0 */
/** Who may do what, and why.  A verb needs a role in a team (bindings), and what a mapping touches
 *  in Kafka needs a grant of its team.  Rights only add up; nothing is ever denied by a rule.
 *
 *  Everything here is pure: `rules` are what the store holds at one moment (access_rules.c fills
 *  them), `who` is the caller as the sign-in knows him, the decision has no other input and no
 *  effect.  Documents (kinds of cz/storage.h):
 *    team     {"restricted":true,"own_clusters":false}: bears its team's name; absent: both false
 *    binding  {"principal":"<id>"}|{"idp_group":"<name>"} and "role":"viewer|operator|editor|owner",
 *             "peek":false
 *    grant    {"cluster":"prod","resource_type":"topic|group","pattern_type":"literal|prefix",
 *             "pattern":"orders.","modes":["read","write","peek","delete"]}; the pattern or the
 *             cluster "*": all
 *  A team that is not restricted may use all topics and groups of its clusters: so it was before
 *  there were grants, and so it stays for the teams of then.  @thread any */
#ifndef CZ_ACCESS_H
#define CZ_ACCESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "cz/principal.h"
#include "cz/report.h"

#define CZ_ROLE_MAP(X)                                                                         \
    X(CZ_ROLE_NONE, "none")                                                                    \
    X(CZ_ROLE_VIEWER, "viewer")                                                                \
    X(CZ_ROLE_OPERATOR, "operator")                                                            \
    X(CZ_ROLE_EDITOR, "editor")                                                                \
    X(CZ_ROLE_OWNER, "owner")
enum cz_role {
#define X(e, name) e,
    CZ_ROLE_MAP(X)
#undef X
        CZ_ROLE_COUNT_,
    CZ_ROLE_PEEK,    /* of a verb: the binding's flag, whatever the role */
    CZ_ROLE_NOBODY,  /* of a verb: no role of a team has it, the platform's only */
    CZ_ROLE_ANYBODY, /* of a verb: whoever is signed in */
};
const char *cz_role_name(enum cz_role r);
bool cz_role_parse(const char *name, enum cz_role *ret);

/* Roles of the platform: they are there in every team. */
#define CZ_PLATFORM_ADMIN 1u
#define CZ_PLATFORM_AUDITOR 2u

/* X(enum, name, lowest role, roles of the platform that have it, narrowest scope of a token that has it) */
#define CZ_BOTH (CZ_PLATFORM_ADMIN | CZ_PLATFORM_AUDITOR)
#define CZ_VERB_MAP(X)                                                                         \
    X(CZ_VERB_VERSION_READ, "version.read", ANYBODY, CZ_BOTH, READ)                            \
    X(CZ_VERB_AUTH_SELF, "auth.self", ANYBODY, CZ_BOTH, READ) /* one's own sign-in */          \
    X(CZ_VERB_PRINCIPAL_READ, "principal.read", NOBODY, CZ_BOTH, ADMIN)                        \
    X(CZ_VERB_PRINCIPAL_WRITE, "principal.write", NOBODY, CZ_PLATFORM_ADMIN, ADMIN)            \
    X(CZ_VERB_EVAL_USE, "eval.use", ANYBODY, CZ_BOTH, READ)                                    \
    X(CZ_VERB_WORKER_READ, "worker.read", ANYBODY, CZ_BOTH, READ)                              \
    X(CZ_VERB_ACCESS_READ, "access.read", ANYBODY, CZ_BOTH, READ)                              \
    X(CZ_VERB_METRICS_READ, "metrics.read", NOBODY, CZ_BOTH, READ)                             \
    X(CZ_VERB_TEAM_READ, "team.read", VIEWER, CZ_BOTH, READ)                                   \
    X(CZ_VERB_TEAM_WRITE, "team.write", NOBODY, CZ_PLATFORM_ADMIN, ADMIN)                      \
    X(CZ_VERB_BINDING_READ, "binding.read", VIEWER, CZ_BOTH, READ)                             \
    X(CZ_VERB_BINDING_WRITE, "binding.write", OWNER, CZ_PLATFORM_ADMIN, ADMIN)                 \
    X(CZ_VERB_GRANT_READ, "grant.read", VIEWER, CZ_BOTH, READ)                                 \
    X(CZ_VERB_GRANT_WRITE, "grant.write", NOBODY, CZ_PLATFORM_ADMIN, ADMIN)                    \
    X(CZ_VERB_CLUSTER_READ, "cluster.read", VIEWER, CZ_BOTH, READ)                             \
    X(CZ_VERB_CLUSTER_WRITE, "cluster.write", NOBODY, CZ_PLATFORM_ADMIN, ADMIN)                \
    X(CZ_VERB_MAPPING_READ, "mapping.read", VIEWER, CZ_BOTH, READ)                             \
    X(CZ_VERB_MAPPING_OPERATE, "mapping.operate", OPERATOR, 0, OPERATE)                        \
    X(CZ_VERB_MAPPING_WRITE, "mapping.write", EDITOR, 0, APPLY)                                \
    X(CZ_VERB_MAPPING_PEEK, "mapping.peek", PEEK, 0, OPERATE)                                  \
    X(CZ_VERB_RECORD_READ, "record.read", PEEK, 0, OPERATE)                                    \
    X(CZ_VERB_TEMPLATE_READ, "template.read", VIEWER, CZ_BOTH, READ)                           \
    X(CZ_VERB_TEMPLATE_WRITE, "template.write", EDITOR, 0, APPLY)                              \
    X(CZ_VERB_INSTANCE_READ, "instance.read", VIEWER, CZ_BOTH, READ)                           \
    X(CZ_VERB_INSTANCE_WRITE, "instance.write", EDITOR, 0, APPLY)                              \
    X(CZ_VERB_VALUE_MAP_READ, "value_map.read", VIEWER, CZ_BOTH, READ)                         \
    X(CZ_VERB_VALUE_MAP_WRITE, "value_map.write", EDITOR, 0, APPLY)                            \
    X(CZ_VERB_SET_READ, "set.read", VIEWER, CZ_BOTH, READ)                                     \
    X(CZ_VERB_SET_PLAN, "set.plan", EDITOR, 0, READ)                                           \
    X(CZ_VERB_SET_APPLY, "set.apply", EDITOR, 0, APPLY)                                        \
    X(CZ_VERB_SET_WRITE, "set.write", OWNER, 0, APPLY) /* and to apply past its rules */       \
    X(CZ_VERB_CHANGE_READ, "change.read", VIEWER, CZ_BOTH, READ)                               \
    X(CZ_VERB_AUDIT_READ, "audit.read", OWNER, CZ_BOTH, READ)                                  \
    X(CZ_VERB_CHANGE_ROLLBACK, "change.rollback", EDITOR, CZ_PLATFORM_ADMIN, APPLY)            \
    X(CZ_VERB_TOPIC_READ, "topic.read", VIEWER, CZ_BOTH, READ)                                 \
    X(CZ_VERB_GROUP_READ, "group.read", VIEWER, CZ_BOTH, READ)
enum cz_verb {
#define X(e, name, role, platform, scope) e,
    CZ_VERB_MAP(X)
#undef X
        CZ_VERB_COUNT_
};
const char *cz_verb_name(enum cz_verb v);
bool cz_verb_parse(const char *name, enum cz_verb *ret);

/* ---- what is asked about ---------------------------------------------------------------------- */

enum cz_grant_type { CZ_GRANT_TOPIC, CZ_GRANT_GROUP };
#define CZ_MODE_READ 1u
#define CZ_MODE_WRITE 2u
#define CZ_MODE_PEEK 4u
#define CZ_MODE_DELETE 8u
const char *cz_mode_name(unsigned one_mode);
/** Something in Kafka that is to be used. */
struct cz_access_use {
    const char *cluster;
    enum cz_grant_type type;
    const char *name;
    bool prefix;   /* all names that begin so */
    unsigned mode; /* one CZ_MODE_… */
};

/* ---- what holds ------------------------------------------------------------------------------- */

struct cz_binding {
    char *name;     /* of the document */
    char *principal, *idp_group; /* one of them */
    enum cz_role role;
    bool peek;
};
struct cz_grant {
    char *name, *cluster, *pattern;
    enum cz_grant_type type;
    bool prefix;
    unsigned modes;
};
struct cz_team_rules {
    char *team;
    bool restricted, own_clusters;
    struct cz_binding *bindings;
    size_t bindings_len, bindings_cap;
    struct cz_grant *grants;
    size_t grants_len, grants_cap;
};
void cz_team_rules_done(struct cz_team_rules *t);
/** Add a document's spec; false: it says nothing that is understood, and then gives no right. */
bool cz_team_rules_binding(struct cz_team_rules *t, const char *name, const json_t *spec);
bool cz_team_rules_grant(struct cz_team_rules *t, const char *name, const json_t *spec);
void cz_team_rules_settings(struct cz_team_rules *t, const json_t *spec);
/** Is the spec of a team, binding or grant one? Problems go to @rep below @pointer. */
void cz_check_team(const json_t *spec, const char *pointer, struct cz_report *rep);
void cz_check_binding(const json_t *spec, const char *pointer, struct cz_report *rep);
void cz_check_grant(const json_t *spec, const char *pointer, struct cz_report *rep);

/** The team's grant that allows a use; NULL: none, or none is needed (*ret_needed false). */
const struct cz_grant *cz_access_grant(const struct cz_team_rules *t,
                                       const struct cz_access_use *use,
                                       bool *ret_needed);

/* ---- the decision ----------------------------------------------------------------------------- */

#define CZ_WHY_STEPS 8
struct cz_access_answer {
    bool allowed;
    bool visible; /* may know that the team is there; not so: answer as if it were not */
    enum cz_role role;
    bool peek;
    char missing[300]; /* what is missing, when not allowed: "verb …" or "grant …" */
    char why[CZ_WHY_STEPS][300]; /* how it came to that, step by step */
    size_t why_len;
};
/** May @who do @verb in a team (NULL: outside of teams, or wherever he may see), and, with @use,
 *  use this in Kafka?  @team NULL: there is no such team, or none is meant. */
void cz_access_decide(const struct cz_principal *who,
                      enum cz_verb verb,
                      const struct cz_team_rules *team,
                      const struct cz_access_use *use,
                      struct cz_access_answer *ret);
/** Role and peek flag of a caller in a team, without a word about why. */
enum cz_role cz_access_role(const struct cz_principal *who,
                            const struct cz_team_rules *team,
                            bool *ret_peek);
/** May he know that the team is there? */
bool cz_access_sees(const struct cz_principal *who, const struct cz_team_rules *team);

#endif
