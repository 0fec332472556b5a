/* SPDX-License-Identifier: Apache-2.0 */
/** A schema of its own in the server of CITIZENK_TEST_POSTGRES, migrated by its owner, and two
 *  stores that work in it as the restricted role.  The conninfo must be that of a superuser
 * (roles are made and sessions ended). */
#ifndef PG_ENV_H
#define PG_ENV_H

#include "pg_priv.h"
#include "store_test.h"

struct pg_env {
    struct store_env stores; /* first: the conformance suite sees only this */
    char schema[40], role[40];
    struct cz_pg_conn *admin; /* in the schema, as the owner */
    struct cz_pg_target *admin_target;
};
int pg_env_up(void **state);
int pg_env_down(void **state);

/** The server's conninfo with what @changes say: key, value, …, NULL. cz_free. */
char *pg_conninfo(const char *const *changes);
/** The same for the role of the run time in the schema. */
char *pg_app_conninfo(const struct pg_env *e, const char *const *changes);
struct cz_store *pg_app_store(const struct pg_env *e, int pool_max, const char *const *changes);
/** Value of a conninfo key, or @def. cz_free. */
char *pg_option(const char *key, const char *def);
/** Run SQL as the owner. Returns "" or the SQLSTATE; @ret_text first value (cz_free), may be
 * NULL. */
const char *pg_admin(struct pg_env *e, const char *sql, char **ret_text);
const char *pg_run_as(const char *conninfo, const char *sql);

/* pg_migrate_tests.c */
void test_migrate_again(void **state);
void test_changed_migration(void **state);
void test_newer_database(void **state);
void test_empty_database(void **state);
void test_append_only(void **state);
void test_role(void **state);
void test_audit_rows(void **state);
/* pg_audit_tests.c */
void test_audit_read(void **state);
void test_audit_undecided(void **state);
void test_seals(void **state);
void test_tampering(void **state);
void test_retention(void **state);
void test_audit_rights(void **state);
/* pg_fence_tests.c */
void test_fence(void **state);
/* pg_fault_tests.c */
void test_sessions_ended(void **state);
void test_lost_commit(void **state);
void test_unknown_commit(void **state);
void test_database_away(void **state);
void test_database_stalled(void **state);
void test_pool_exhausted(void **state);
void test_wait_survives(void **state);
void test_leader_session_lost(void **state);
void test_hosts(void **state);

#endif
