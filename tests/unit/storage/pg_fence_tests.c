/* SPDX-License-Identifier: Apache-2.0 */
/* Row level security as the second fence: statements from which every WHERE was taken away still show
 * and touch nothing of another team, and without a scope there is nothing at all. */
#include <stdlib.h>
#include <string.h>

#include "pg_env.h"

/* The first value of what the run-time role sees in a transaction with this scope (NULL: not set). */
static char *seen(struct pg_env *e, const char *scope, const char *sql, const char **ret_state)
{
    static char state[6];
    const struct cz_pg_limits limits = {0};
    char *conninfo = pg_app_conninfo(e, NULL), *value = NULL, *text;
    struct cz_pg_target *t = NULL;
    struct cz_pg_conn *c = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    ASSERT_OK(cz_pg_target_new(conninfo, &limits, &t, &err), &err);
    ASSERT_OK(cz_pg_conn_open(t, cz_deadline_ms(5000), -1, &c, &err), &err);
    text = scope ? cz_strf("BEGIN; SELECT set_config('citizenk.teams', '%s', true); %s", scope, sql)
                 : cz_strf("RESET citizenk.teams; SET citizenk.teams = ''; BEGIN; %s", sql);
    state[0] = 0;
    if (cz_pg_exec_text(c, text, cz_deadline_ms(5000), &res, &err) != CZ_OK)
        memcpy(state, err.state, sizeof(state));
    else if (PQntuples(res))
        value = cz_strdup(PQgetvalue(res, 0, 0));
    if (ret_state)
        *ret_state = state;
    cz_pg_conn_free(c);
    cz_pg_target_free(t);
    cz_free(conninfo);
    cz_free(text);
    return value;
}

static long count(struct pg_env *e, const char *scope, const char *sql)
{
    char *text = seen(e, scope, sql, NULL);
    long n = text ? strtol(text, NULL, 10) : -1;
    cz_free(text);
    return n;
}

void test_fence(void **state)
{
    struct pg_env *e = *state;
    struct cz_store *s = e->stores.a;
    const char *code = NULL;
    new_team(s, "fence a");
    new_team(s, "fence b");
    (void)put(s, "fence a", "m", "{\"spec\":{\"n\":1}}");
    (void)put(s, "fence b", "m", "{\"spec\":{\"n\":1}}");
    (void)put(s, "fence b", "m2", "{\"spec\":{\"n\":1}}");
    static const char *const tables[] = {"resource", "revision", "change"};
    for (size_t i = 0; i < 3; i++) {
        char sql[100];
        (void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", tables[i]);
        assert_int_equal(count(e, NULL, sql), 0);
        assert_int_equal(count(e, "", sql), 0);
        assert_int_equal(count(e, "{}", sql), 0);
        assert_int_equal(count(e, "{\"fence a\"}", sql), 1);
        assert_int_equal(count(e, "{\"fence b\"}", sql), 2);
        assert_int_equal(count(e, "{\"fence a\",\"fence b\"}", sql), 3);
        assert_true(count(e, "*", sql) >= 3);
    }
    assert_int_equal(count(e, "{\"fence a\"}", "WITH u AS (UPDATE resource SET managed_by = 'x' RETURNING 1)"
                                               " SELECT count(*) FROM u"), 1);
    cz_free(seen(e, "{\"fence a\"}",
                 "INSERT INTO resource (team_id, kind, name, uid, generation, version, doc) SELECT id, 'mapping',"
                 " 'z', 'z', 1, 1, '{}' FROM team WHERE name = 'fence b'", &code));
    assert_string_equal(code, "42501");
    cz_free(seen(e, "{\"fence a\"}",
                 "UPDATE resource SET team_id = (SELECT id FROM team WHERE name = 'fence b')", &code));
    assert_string_equal(code, "42501");
    cz_free(seen(e, "{\"fence a\"}", "ALTER TABLE resource DISABLE ROW LEVEL SECURITY", &code));
    assert_string_equal(code, "42501");
}
