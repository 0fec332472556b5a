/* SPDX-License-Identifier: Apache-2.0 */
/* The store in PostgreSQL: the conformance suite, and what only a real database can show. */
#include <stdlib.h>

#include "cz/json.h"
#include "cz/log.h"
#include "pg_env.h"

int main(void)
{
    const char *conninfo = getenv("CITIZENK_TEST_POSTGRES");
    if (!conninfo || !*conninfo) {
        print_message("# skipped: set CITIZENK_TEST_POSTGRES to the conninfo of a superuser\n");
        return 0;
    }
    cz_json_init();
    cz_log_init(CZ_LOG_ERROR, false);
    const struct CMUnitTest tests[] = {
        STORE_SUITE,
        cmocka_unit_test(test_migrate_again),
        cmocka_unit_test(test_changed_migration),
        cmocka_unit_test(test_newer_database),
        cmocka_unit_test(test_empty_database),
        cmocka_unit_test(test_append_only),
        cmocka_unit_test(test_role),
        cmocka_unit_test(test_fence),
        cmocka_unit_test(test_audit_rows),
        cmocka_unit_test(test_audit_read),
        cmocka_unit_test(test_audit_undecided),
        cmocka_unit_test(test_seals),
        cmocka_unit_test(test_tampering),
        cmocka_unit_test(test_retention),
        cmocka_unit_test(test_audit_rights),
        cmocka_unit_test(test_sessions_ended),
        cmocka_unit_test(test_lost_commit),
        cmocka_unit_test(test_unknown_commit),
        cmocka_unit_test(test_database_away),
        cmocka_unit_test(test_database_stalled),
        cmocka_unit_test(test_pool_exhausted),
        cmocka_unit_test(test_wait_survives),
        cmocka_unit_test(test_leader_session_lost),
        cmocka_unit_test(test_hosts),
    };
    return cmocka_run_group_tests_name("store in PostgreSQL", tests, pg_env_up, pg_env_down);
}
