/* SPDX-License-Identifier: Apache-2.0 */
/* The schema, the roles and the conninfos of the PostgreSQL tests. */
#include "pg_env.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cz/buf.h"

static void add_option(struct cz_buf *b, const char *key, const char *value)
{
    cz_buf_addf(b, " %s='", key);
    for (; *value; value++) {
        if (*value == '\'' || *value == '\\')
            cz_buf_addc(b, '\\');
        cz_buf_addc(b, *value);
    }
    cz_buf_addc(b, '\'');
}

static const char *changed(const char *const *changes, const char *key)
{
    for (; changes && *changes; changes += 2)
        if (strcmp(changes[0], key) == 0)
            return changes[1];
    return NULL;
}

char *pg_conninfo(const char *const *changes)
{
    PQconninfoOption *options = PQconninfoParse(getenv("CITIZENK_TEST_POSTGRES"), NULL);
    struct cz_buf b = CZ_BUF_INIT(16384);
    if (!options)
        fail_msg("CITIZENK_TEST_POSTGRES is malformed");
    for (PQconninfoOption *o = options; o && o->keyword; o++) {
        const char *value = changed(changes, o->keyword);
        if (value || o->val)
            add_option(&b, o->keyword, value ? value : o->val);
    }
    PQconninfoFree(options);
    return cz_buf_steal(&b);
}

char *pg_option(const char *key, const char *def)
{
    PQconninfoOption *options = PQconninfoParse(getenv("CITIZENK_TEST_POSTGRES"), NULL);
    char *value = NULL;
    for (PQconninfoOption *o = options; o && o->keyword; o++)
        if (o->val && strcmp(o->keyword, key) == 0)
            value = cz_strdup(o->val);
    PQconninfoFree(options);
    return value ? value : cz_strdup(def);
}

char *pg_app_conninfo(const struct pg_env *e, const char *const *changes)
{
    char search_path[64];
    const char *all[32] = {NULL};
    size_t n = 0;
    (void)snprintf(search_path, sizeof(search_path), "-c search_path=%s", e->schema);
    const char *const ours[] = {"user",    e->role,     "password", "s3cret",
                                "options", search_path, NULL};
    for (; changes && changes[n] && n < 24; n++)
        all[n] = changes[n]; /* first, so that these win */
    memcpy(&all[n], ours, sizeof(ours));
    return pg_conninfo(all);
}

struct cz_store *pg_app_store(const struct pg_env *e, int pool_max, const char *const *changes)
{
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_store *s = NULL;
    char *conninfo = pg_app_conninfo(e, changes);
    ASSERT_OK(cz_store_postgres_new(conninfo, pool_max, &s, &err), &err);
    cz_free(conninfo);
    return s;
}

const char *pg_admin(struct pg_env *e, const char *sql, char **ret_text)
{
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    e->admin->fate = PG_FINE;
    if (cz_pg_exec_text(e->admin, sql, cz_deadline_ms(20000), &res, &err) != CZ_OK) {
        print_message("# %s: %s\n", sql, err.text);
        return err.state[0] ? e->admin->error.state : "?????";
    }
    if (ret_text)
        *ret_text = PQntuples(res) ? cz_strdup(PQgetvalue(res, 0, 0)) : NULL;
    return "";
}

const char *pg_run_as(const char *conninfo, const char *sql)
{
    static char state[6];
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_pg_target *t = NULL;
    struct cz_pg_conn *c = NULL;
    const struct cz_pg_limits limits = {0};
    ASSERT_OK(cz_pg_target_new(conninfo, &limits, &t, &err), &err);
    ASSERT_OK(cz_pg_conn_open(t, cz_deadline_ms(5000), -1, &c, &err), &err);
    state[0] = '\0';
    if (cz_pg_exec_text(c, sql, cz_deadline_ms(5000), NULL, &err) != CZ_OK)
        memcpy(state, err.state, sizeof(state));
    cz_pg_conn_free(c);
    cz_pg_target_free(t);
    return state;
}

/* ---- up and down
 * ----------------------------------------------------------------------------- */

struct migrator {
    struct cz_thread thread;
    const char *conninfo, *role;
    int applied;
    struct cz_error err;
};

static void *migrate_main(void *arg)
{
    struct migrator *m = arg;
    enum cz_err rc = cz_store_postgres_migrate(m->conninfo, m->role, &m->applied, &m->err);
    if (rc != CZ_OK)
        m->applied = -1000;
    return NULL;
}

/* Two instances that start at once: all is applied, nothing twice. */
static void migrate_twice_at_once(const struct pg_env *e, const char *conninfo)
{
    struct migrator m[2];
    memset(m, 0, sizeof(m));
    for (int i = 0; i < 2; i++) {
        m[i].conninfo = conninfo;
        m[i].role = e->role;
        cz_thread_start(&m[i].thread, "migrate", migrate_main, &m[i]);
    }
    for (int i = 0; i < 2; i++)
        cz_thread_join(&m[i].thread);
    if (m[0].applied < 0 || m[1].applied < 0)
        fail_msg("migrate: %s", m[m[0].applied < 0 ? 0 : 1].err.text);
    assert_true(m[0].applied + m[1].applied > 0);
    assert_true(m[0].applied == 0 || m[1].applied == 0);
}

int pg_env_up(void **state)
{
    static struct pg_env e;
    struct cz_error err = CZ_ERROR_INIT;
    const struct cz_pg_limits limits = {0};
    char sql[256], search_path[64];
    memset(&e, 0, sizeof(e));
    (void)snprintf(e.schema, sizeof(e.schema), "cz_test_%ld", (long)getpid());
    (void)snprintf(e.role, sizeof(e.role), "cz_test_app_%ld", (long)getpid());
    (void)snprintf(search_path, sizeof(search_path), "-c search_path=%s", e.schema);
    char *conninfo = pg_conninfo((const char *[]){"options", search_path, NULL});
    ASSERT_OK(cz_pg_target_new(conninfo, &limits, &e.admin_target, &err), &err);
    ASSERT_OK(cz_pg_conn_open(e.admin_target, cz_deadline_ms(5000), -1, &e.admin, &err), &err);
    (void)snprintf(sql, sizeof(sql), "CREATE SCHEMA %s", e.schema);
    assert_string_equal(pg_admin(&e, sql, NULL), "");
    migrate_twice_at_once(&e, conninfo);
    (void)snprintf(sql, sizeof(sql), "ALTER ROLE %s LOGIN PASSWORD 's3cret'", e.role);
    assert_string_equal(pg_admin(&e, sql, NULL), "");
    e.stores.a = pg_app_store(&e, 8, NULL);
    e.stores.b = pg_app_store(&e, 4, NULL);
    cz_free(conninfo);
    *state = &e;
    return 0;
}

int pg_env_down(void **state)
{
    struct pg_env *e = *state;
    char sql[256];
    cz_store_free(e->stores.a);
    cz_store_free(e->stores.b);
    (void)snprintf(sql, sizeof(sql),
                   "SET client_min_messages = warning; DROP SCHEMA %s CASCADE; DROP ROLE %s",
                   e->schema, e->role);
    assert_string_equal(pg_admin(e, sql, NULL), "");
    cz_pg_conn_free(e->admin);
    cz_pg_target_free(e->admin_target);
    return 0;
}
