/* SPDX-License-Identifier: Apache-2.0 */
/** Teams, bindings and grants inside of the service: the rules as the store has them, as a write
 *  sees them, and what they mean for a mapping. */
#ifndef CZ_ACCESS_PRIV_H
#define CZ_ACCESS_PRIV_H

#include "cz/mapping_spec.h"
#include "service_priv.h"

/* ---- access_spec.c ------------------------------------------------------------------------------ */

typedef void (*cz__missing_fn)(void *arg, const struct cz_access_use *use, const char *pointer);
/** Call @missing for everything that the mapping touches and the team has no grant for; @pointer
 *  begins with /spec. */
void cz__spec_missing(const struct cz_mapping_spec *spec,
                      const json_t *doc_spec,
                      const struct cz_team_rules *rules,
                      cz__missing_fn missing,
                      void *arg);
/** The cluster that a mapping's dead letters are on. */
const char *cz__letters_cluster(const struct cz_mapping_spec *spec);
void cz__missing_text(const struct cz_team_rules *rules, const struct cz_access_use *use, char *out, size_t size);
/** @out the first missing grant, "" none.  false: the mapping may run as far as grants go.
 *  @rules NULL: a team without any */
bool cz__spec_denied(const struct cz_team_rules *rules, const json_t *doc_spec, char *out, size_t size);
/** What every name that a regular expression finds begins with; "": nothing known. cz_free. */
char *cz__literal_prefix(const char *expression);

#define CZ__NOT_GRANTED "not-granted" /* code of a problem */

/* ---- access_tx.c: in a write -------------------------------------------------------------------- */

/** Has the caller this verb in the team? CZ_E_FORBIDDEN with what is missing. */
enum cz_err cz__need_verb(struct cz__attempt *a, const char *team, enum cz_verb verb, struct cz_error *err);
/** Has the caller the verb that writing (or, @operate, overriding) this kind needs? */
enum cz_err cz__may_write(struct cz__attempt *a, const char *team, enum cz_kind kind, bool operate, struct cz_error *err);
/** The team's rules as this write sees them; borrowed from the attempt until the next put. */
enum cz_err cz__tx_rules(struct cz__attempt *a, const char *team, const struct cz_team_rules **ret, struct cz_error *err);
/** Grants or settings of a team are about to be put or removed in @run; afterwards the team's mappings are
 *  published again as far as that changed what they may. */
typedef enum cz_err (*cz__rules_change)(struct cz__attempt *a, void *arg, struct cz_error *err);
enum cz_err cz__change_rules(struct cz__attempt *a,
                             const char *team,
                             cz__rules_change run,
                             void *arg,
                             struct cz_error *err);
void cz__rules_forget(struct cz__attempt *a);

/* ---- access_store.c: as the store has them ------------------------------------------------------- */

/** As they are now. cz_access_rules_give() them. */
enum cz_err cz__rules_take(struct cz_service *s, struct cz_access_rules **ret, struct cz_error *err);
/** As they were last seen, without asking the store (also within a write); NULL: never. */
struct cz_access_rules *cz__rules_held(struct cz_service *s);
/** What is held is looked at again; what a status says from then on is as fresh. */
void cz__rules_refresh(struct cz_service *s);
/** May a mapping run as far as its team's grants go?  CZ_E_FORBIDDEN says which one is missing. */
enum cz_err cz__may_run(struct cz_service *s, const struct cz_resource *mapping, struct cz_error *err);
/** Is a topic or group of a cluster shown to the team? @t NULL: a team without rules, which sees all */
bool cz__may_list(const struct cz_team_rules *t, const char *cluster, enum cz_grant_type type, const char *name);
/** May the team use this?  CZ_E_FORBIDDEN says which grant is missing. */
enum cz_err cz__may_use(struct cz_service *s, const char *team, const struct cz_access_use *use, struct cz_error *err);

#endif
