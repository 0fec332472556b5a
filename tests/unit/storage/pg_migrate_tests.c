/* SPDX-License-Identifier: Apache-2.0 */
/* Migrations, rights and the history that nobody can rewrite. */
#include <string.h>

#include "pg_env.h"

static char *owner_conninfo(const struct pg_env *e)
{
    char search_path[64];
    (void)snprintf(search_path, sizeof(search_path), "-c search_path=%s", e->schema);
    return pg_conninfo((const char *[]){"options", search_path, NULL});
}

static enum cz_err migrate(const struct pg_env *e, int *ret_applied, struct cz_error *err)
{
    char *conninfo = owner_conninfo(e);
    enum cz_err rc = cz_store_postgres_migrate(conninfo, e->role, ret_applied, err);
    cz_free(conninfo);
    return rc;
}

void test_migrate_again(void **state)
{
    struct cz_error err = CZ_ERROR_INIT;
    int applied = -1;
    ASSERT_OK(migrate(*state, &applied, &err), &err);
    assert_int_equal(applied, 0);
    ASSERT_CODE(cz_store_postgres_migrate("nonsense==1", NULL, NULL, NULL), CZ_E_INVALID);
    struct cz_store *s = NULL;
    ASSERT_CODE(cz_store_postgres_new("host='open", 1, &s, NULL), CZ_E_INVALID);
    assert_null(s);
}

void test_changed_migration(void **state)
{
    struct pg_env *e = *state;
    struct cz_error err = CZ_ERROR_INIT;
    char *sum = NULL, sql[256];
    assert_string_equal(
        pg_admin(e, "SELECT checksum FROM schema_migration WHERE version = 1", &sum), "");
    assert_string_equal(
        pg_admin(e, "UPDATE schema_migration SET checksum = 'x' WHERE version = 1", NULL), "");
    ASSERT_CODE(migrate(e, NULL, &err), CZ_E_CONFLICT);
    assert_non_null(strstr(err.text, "0001_base"));
    ASSERT_CODE(cz_store_check(e->stores.a, cz_deadline_ms(5000), NULL), CZ_E_CONFLICT);
    (void)snprintf(sql, sizeof(sql),
                   "UPDATE schema_migration SET checksum = '%s' WHERE version = 1", sum);
    assert_string_equal(pg_admin(e, sql, NULL), "");
    cz_error_reset(&err);
    ASSERT_OK(cz_store_check(e->stores.a, cz_deadline_ms(5000), &err), &err);
    cz_free(sum);
}

void test_newer_database(void **state)
{
    struct pg_env *e = *state;
    struct cz_error err = CZ_ERROR_INIT;
    assert_string_equal(
        pg_admin(e, "INSERT INTO schema_migration VALUES (9999, '9999_later', 'x')", NULL), "");
    ASSERT_CODE(migrate(e, NULL, &err), CZ_E_CONFLICT);
    assert_non_null(strstr(err.text, "newer"));
    ASSERT_CODE(cz_store_check(e->stores.a, cz_deadline_ms(5000), NULL), CZ_E_CONFLICT);
    assert_string_equal(pg_admin(e, "DELETE FROM schema_migration WHERE version = 9999", NULL),
                        "");
}

void test_empty_database(void **state)
{
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_store *s =
        pg_app_store(*state, 1, (const char *[]){"options", "-c search_path=pg_temp", NULL});
    ASSERT_CODE(cz_store_check(s, cz_deadline_ms(5000), &err), CZ_E_UNAVAILABLE);
    assert_non_null(strstr(err.text, "--migrate-only"));
    cz_store_free(s);
}

/* The month's own table. */
#define PARTITION(verb)                                                                        \
    "DO $$ BEGIN EXECUTE '" verb " audit_event_' || to_char(now() AT TIME ZONE 'UTC',"          \
    " 'YYYY_MM'); END $$"

void test_append_only(void **state)
{
    struct pg_env *e = *state;
    static const char *const refused[] = {"UPDATE change SET actor = 'x'",
                                          "DELETE FROM change",
                                          "TRUNCATE change CASCADE",
                                          "UPDATE revision SET op = 'x'",
                                          "DELETE FROM revision",
                                          "TRUNCATE revision",
                                          "UPDATE audit_event SET actor = 'x'",
                                          "DELETE FROM audit_event",
                                          "TRUNCATE audit_event",
                                          PARTITION("DELETE FROM"),
                                          PARTITION("TRUNCATE"),
                                          "TRUNCATE audit_event_default"};
    new_team(e->stores.a, "history");
    put(e->stores.a, "history", "m", "{}");
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
        assert_string_equal(pg_admin(e, refused[i], NULL), "42501");
}

void test_role(void **state)
{
    struct pg_env *e = *state;
    static const char *const refused[] = {"UPDATE change SET actor = 'x'",
                                          "DELETE FROM revision",
                                          "TRUNCATE audit_event",
                                          "DELETE FROM resource",
                                          "DELETE FROM epoch",
                                          "UPDATE schema_migration SET checksum = 'x'",
                                          "ALTER TABLE change DISABLE TRIGGER ALL",
                                          "DROP TABLE revision",
                                          "CREATE TABLE mine (i int)"};
    char *conninfo = pg_app_conninfo(e, NULL);
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
        assert_string_equal(pg_run_as(conninfo, refused[i]), "42501");
    assert_string_equal(pg_run_as(conninfo, "SELECT count(*) FROM audit_event"), "");
    cz_free(conninfo);
}

void test_audit_rows(void **state)
{
    struct pg_env *e = *state;
    struct cz_error err = CZ_ERROR_INIT;
    char sql[512], *text = NULL;
    const struct cz_change_meta meta = {.team = "history",
                                        .actor = "eve\n",
                                        .actor_id = "u9",
                                        .action = "mapping.peek",
                                        .ip = "::1"};
    json_t *detail = parse("{\"topic\":\"secret\"}");
    new_team(e->stores.a, "history");
    int64_t seq = put(e->stores.a, "history", "audited", "{}");
    (void)snprintf(
        sql, sizeof(sql),
        "SELECT concat_ws(' ', t.name, a.principal_id, a.actor, a.via, a.action, a.outcome, "
        "a.trace_id,"
        " a.ip) FROM audit_event a JOIN team t ON t.id = a.team_id WHERE a.seq = %lld",
        (long long)seq);
    assert_string_equal(pg_admin(e, sql, &text), "");
    assert_string_equal(text, "history u1 alice api mapping.update ok trace-1 127.0.0.1");
    cz_free(text);
    ASSERT_OK(cz_store_audit(e->stores.a, &meta, "denied", detail, &err), &err);
    assert_string_equal(
        pg_admin(e,
                 "SELECT concat_ws(' ', principal_id, actor, outcome, detail ->> 'topic')"
                 " FROM audit_event WHERE action = 'mapping.peek'",
                 &text),
        "");
    assert_string_equal(text, "u9 eve\n denied secret");
    cz_free(text);
    json_decref(detail);
}
