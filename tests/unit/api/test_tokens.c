/* SPDX-License-Identifier: Apache-2.0 */
/** API tokens against a real database.  Tests bear the id of their line in the security checklist. */
#include <stdlib.h>
#include <string.h>

#include "cz/json.h"
#include "cz/log.h"
#include "pg_fixture.h"

#define TOKENS "/api/v1/tokens"
#define GET(path, who) {.method = "GET", .target = path, .token = who}

/* A service, made as the administrator does; its id. cz_free. */
static char *service(struct pfx *f, const char *name, bool admin)
{
    struct cz_principal_row row = {0};
    struct cz_error err = CZ_ERROR_INIT;
    const struct cz_principal_new p = {.kind = "service",
                                       .issuer = CZ_ISSUER_SERVICE,
                                       .subject = name,
                                       .name = name,
                                       .admin = admin};
    ASSERT_OK(cz_store_principal_new(f->env->stores.a, &p, NULL, &row, &err), &err);
    char *id = cz_strdup(row.id);
    cz_principal_row_done(&row);
    return id;
}

/* A token with @scopes ('read','apply') and whatever @more says. @ret_id cz_free, may be NULL. */
static char *token(struct pfx *f, const char *principal, const char *scopes, const char *more,
                   char **ret_id)
{
    CZ_CLEANUP(cz_freep) char *body =
        cz_strf("{'name':'t','principal':'%s','scopes':[%s],'expires_in_days':1%s}", principal,
                scopes, more);
    json_t *j = pfx_json(
        f, &(struct call){.method = "POST", .target = TOKENS, .body = body, .token = ROOT}, 201);
    char *value = cz_strdup(json_string_value(json_object_get(j, "token")));
    if (ret_id)
        *ret_id = cz_strdup(json_string_value(json_object_get(j, "id")));
    json_decref(j);
    return value;
}

static void test_form(void **state)
{
    struct pfx *f = *state;
    CZ_CLEANUP(cz_freep) char *id = service(f, "form", true);
    CZ_CLEANUP(cz_freep) char *value = token(f, id, "'read'", "", NULL);
    static const char base62[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    assert_int_equal(strlen(value), strlen("czk_service_") + 43 + 1 + 6);
    assert_int_equal(strncmp(value, "czk_service_", 12), 0);
    assert_int_equal(strspn(value + 12, base62), 43);
    assert_int_equal(value[12 + 43], '_');
    assert_int_equal(strspn(value + 12 + 44, base62), 6);
    /* only its hash is in the database, and nothing of it in the audit but the hint */
    CZ_CLEANUP(cz_freep) char *sql = cz_strf(
        "SELECT count(*) FROM api_token t, audit_event a WHERE t::text LIKE '%%%.20s%%'"
        " OR a::text LIKE '%%%.20s%%'", value + 12, value + 12);
    CZ_CLEANUP(cz_freep) char *found = pfx_sql(f, sql);
    assert_string_equal(found, "0");
    assert_int_equal(pfx_audited(f, "token.create", "ok") > 0, 1);
    /* a list never shows it again */
    struct answer a = pfx_call(f, &(struct call)GET(TOKENS "?all", ROOT));
    assert_int_equal(a.status, 200);
    assert_null(strstr(a.out.body, value + 14));
    assert_non_null(strstr(a.out.body, "\"hint\":\"czk_service_"));
    answer_done(&a);
}

static void test_c7_header_only(void **state)
{
    struct pfx *f = *state;
    CZ_CLEANUP(cz_freep) char *id = service(f, "header", true);
    CZ_CLEANUP(cz_freep) char *value = token(f, id, "'read'", "", NULL);
    CZ_CLEANUP(cz_freep) char *in_url = cz_strf("/api/v1/teams?token=%s", value);
    CZ_CLEANUP(cz_freep) char *twice = cz_strf("%s,%s", value, value);
    CZ_CLEANUP(cz_freep) char *shorter = cz_strndup(value, strlen(value) - 1);
    CZ_CLEANUP(cz_freep) char *other = cz_strdup(value);
    other[20] = other[20] == 'a' ? 'b' : 'a';
    assert_int_equal(pfx_status(f, &(struct call)GET("/api/v1/teams", value)), 200);
    assert_int_equal(pfx_status(f, &(struct call)GET("/api/v1/teams", other)), 401);
    assert_int_equal(pfx_status(f, &(struct call)GET("/api/v1/teams", shorter)), 401);
    assert_int_equal(pfx_status(f, &(struct call)GET("/api/v1/teams", twice)), 401);
    assert_int_equal(pfx_status(f, &(struct call)GET(in_url, NULL)), 401);
    /* with a good header it is refused, and flagged */
    int64_t before = pfx_audited(f, "auth.token_in_url", "denied");
    assert_int_equal(pfx_status(f, &(struct call)GET(in_url, value)), 400);
    assert_int_equal(pfx_audited(f, "auth.token_in_url", "denied"), before + 1);
}

static void test_c7_expiry(void **state)
{
    struct pfx *f = *state;
    CZ_CLEANUP(cz_freep) char *id = service(f, "expiry", true);
    CZ_CLEANUP(cz_freep) char *tid = NULL;
    CZ_CLEANUP(cz_freep) char *value = token(f, id, "'read'", "", &tid);
    CZ_CLEANUP(cz_freep) char *sql = cz_strf(
        "UPDATE api_token SET expires_at = statement_timestamp() - interval '1 ms' WHERE id = '%s'",
        tid);
    assert_int_equal(pfx_status(f, &(struct call)GET("/api/v1/teams", value)), 200);
    cz_free(pfx_sql(f, sql));
    assert_int_equal(pfx_status(f, &(struct call)GET("/api/v1/teams", value)), 401);
    static const char *const refused[] = {
        "'expires_in_days':366",
        "'expires_in_days':0",
        "'expires_in_days':1.5",
        "'expires':'2001-01-01T00:00:00Z'",
        "'expires':'2999-01-01T00:00:00Z'",
        "'expires':'tomorrow'",
        "'x':1",
        "'expires_in_days':1,'expires':'2999-01-01T00:00:00Z'",
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        CZ_CLEANUP(cz_freep) char *body =
            cz_strf("{'name':'t','principal':'%s','scopes':['read'],%s}", id, refused[i]);
        json_decref(pfx_json(
            f, &(struct call){.method = "POST", .target = TOKENS, .body = body, .token = ROOT}, 422));
    }
}

/* Also on another instance, which has its own pool and no memory of the token. */
static void test_c7_revoked_at_once(void **state)
{
    struct pfx *f = *state;
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_principal *p = NULL;
    CZ_CLEANUP(cz_freep) char *id = service(f, "revoked", true);
    CZ_CLEANUP(cz_freep) char *tid = NULL;
    CZ_CLEANUP(cz_freep) char *value = token(f, id, "'read'", "", &tid);
    CZ_CLEANUP(cz_freep) char *path = cz_strf(TOKENS "/%s", tid);
    struct cz_identity *other =
        cz_identity_new(&(struct cz_identity_options){.store = f->env->stores.b});
    ASSERT_OK(cz_identity_bearer(other, value, strlen(value), NULL, &p, &err), &err);
    cz_principal_free(p);
    assert_int_equal(pfx_status(f, &(struct call)GET("/api/v1/teams", value)), 200);
    assert_int_equal(
        pfx_status(f, &(struct call){.method = "DELETE", .target = path, .token = ROOT}), 204);
    assert_int_equal(pfx_status(f, &(struct call)GET("/api/v1/teams", value)), 401);
    assert_int_equal(cz_identity_bearer(other, value, strlen(value), NULL, &p, &err),
                     CZ_E_UNAUTHENTICATED);
    cz_identity_free(other);
    assert_int_equal(pfx_audited(f, "token.revoke", "ok") > 0, 1);
    assert_int_equal(
        pfx_status(f, &(struct call){.method = "DELETE", .target = TOKENS "/none", .token = ROOT}),
        404);
}

static void test_disabled_principal(void **state)
{
    struct pfx *f = *state;
    CZ_CLEANUP(cz_freep) char *id = service(f, "disabled", true);
    CZ_CLEANUP(cz_freep) char *spare = service(f, "spare admin", true);
    CZ_CLEANUP(cz_freep) char *value = token(f, id, "'read'", "", NULL);
    struct cz_principal_row row = {0};
    struct cz_error err = CZ_ERROR_INIT;
    ASSERT_OK(cz_store_principal_set(f->env->stores.a, id,
                                     &(struct cz_principal_change){-1, -1, 1, NULL}, &row, &err),
              &err);
    assert_true(row.disabled);
    cz_principal_row_done(&row);
    assert_int_equal(pfx_status(f, &(struct call)GET("/api/v1/teams", value)), 401);
}

static void test_last_use(void **state)
{
    struct pfx *f = *state;
    CZ_CLEANUP(cz_freep) char *id = service(f, "use", true);
    CZ_CLEANUP(cz_freep) char *tid = NULL;
    CZ_CLEANUP(cz_freep) char *value = token(f, id, "'read'", "", &tid);
    CZ_CLEANUP(cz_freep) char *sql =
        cz_strf("SELECT used_ip || ' ' || xmin FROM api_token WHERE id = '%s'", tid);
    struct call c = GET("/api/v1/teams", value);
    c.ip = "10.9.8.7";
    assert_int_equal(pfx_status(f, &c), 200);
    CZ_CLEANUP(cz_freep) char *first = pfx_sql(f, sql);
    assert_int_equal(strncmp(first, "10.9.8.7 ", 9), 0);
    c.ip = "10.9.8.8";
    assert_int_equal(pfx_status(f, &c), 200);
    CZ_CLEANUP(cz_freep) char *second = pfx_sql(f, sql);
    assert_string_equal(first, second); /* not written again within the minute */
}

static void test_scopes(void **state)
{
    static const struct {
        const char *scopes;
        int read, operate, apply, admin; /* statuses; 404: the scope was enough */
    } rows[] = {
        {"'read'", 200, 403, 403, 403},
        {"'operate'", 200, 404, 403, 403},
        {"'apply'", 200, 404, 404, 403},
        {"'admin'", 200, 404, 404, 200},
    };
    struct pfx *f = *state;
    CZ_CLEANUP(cz_freep) char *id = service(f, "scopes", true);
    CZ_CLEANUP(cz_freep) char *editor = cz_strf("{'spec':{'principal':'%s','role':'editor'}}", id);
    assert_int_equal(pfx_status(f, &(struct call){.method = "PUT", .token = ROOT, .body = editor,
                                                  .target = "/api/v1/teams/default/bindings/scopes"}),
                     201);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CZ_CLEANUP(cz_freep) char *v = token(f, id, rows[i].scopes, "", NULL);
        assert_int_equal(pfx_status(f, &(struct call)GET("/api/v1/teams", v)), rows[i].read);
        assert_int_equal(
            pfx_status(f, &(struct call){.method = "POST", .token = v,
                                         .target = "/api/v1/teams/default/mappings/no/pause"}),
            rows[i].operate);
        assert_int_equal(
            pfx_status(f, &(struct call){.method = "DELETE", .token = v,
                                         .target = "/api/v1/teams/default/mappings/no"}),
            rows[i].apply);
        assert_int_equal(pfx_status(f, &(struct call){.method = "PUT", .token = v,
                                                      .target = "/api/v1/teams/scoped"}),
                         rows[i].admin);
    }
    assert_int_equal(pfx_audited(f, "auth.denied", "denied") >= 6, 1);
}

/* The scope is no right: without a role it opens nothing, whatever it says. */
static void test_scope_is_cut_by_role(void **state)
{
    struct pfx *f = *state;
    CZ_CLEANUP(cz_freep) char *id = service(f, "nobody", false);
    CZ_CLEANUP(cz_freep) char *v = token(f, id, "'admin'", "", NULL);
    assert_int_equal(
        pfx_status(f, &(struct call){.method = "PUT", .target = "/api/v1/teams/x", .token = v}), 404);
    assert_int_equal(pfx_status(f, &(struct call)GET(TOKENS, v)), 200);
    assert_int_equal(pfx_status(f, &(struct call)GET(TOKENS "?all", v)), 403);
}

static void test_bound_to_team(void **state)
{
    struct pfx *f = *state;
    CZ_CLEANUP(cz_freep) char *id = service(f, "bound", true);
    CZ_CLEANUP(cz_freep) char *v = token(f, id, "'admin'", ",'team':'default'", NULL);
    assert_int_equal(pfx_status(f, &(struct call)GET("/api/v1/teams/default/mappings", v)), 200);
    assert_int_equal(pfx_status(f, &(struct call)GET("/mappings", v)), 200);
    assert_int_equal(pfx_status(f, &(struct call)GET("/api/v1/teams/other/mappings", v)), 404);
    assert_int_equal(pfx_status(f, &(struct call)GET("/api/v1/changes", v)), 200);
    /* it makes none that is wider than itself */
    static const char *const wider[] = {
        "{'name':'w','scopes':['admin'],'expires_in_days':1}",
        "{'name':'w','scopes':['admin'],'expires_in_days':1,'team':'other'}",
        "{'name':'w','scopes':['admin'],'expires_in_days':2,'team':'default'}",
    };
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pfx_status(f, &(struct call){.method = "POST", .target = TOKENS,
                                                      .body = wider[i], .token = v}),
                         422);
    CZ_CLEANUP(cz_freep) char *low = token(f, id, "'read'", "", NULL);
    assert_int_equal(
        pfx_status(f, &(struct call){.method = "POST", .target = TOKENS, .token = low,
                                     .body = "{'name':'w','scopes':['apply'],'expires_in_days':1}"}),
        422);
}

/* Who did it, with what: in the change and in the audit event. */
static void test_history_names_the_token(void **state)
{
    struct pfx *f = *state;
    CZ_CLEANUP(cz_freep) char *id = service(f, "a \"name\"\nwith a newline? no", true);
    CZ_CLEANUP(cz_freep) char *tid = NULL;
    CZ_CLEANUP(cz_freep) char *v = token(f, id, "'admin'", "", &tid);
    json_decref(pfx_json(f, &(struct call){.method = "PUT", .token = v,
                                           .target = "/api/v1/teams/default/clusters/hist",
                                           .body = "{'spec':{'bootstrap_servers':'127.0.0.1:1'}}"},
                         201));
    CZ_CLEANUP(cz_freep) char *sql = cz_strf(
        "SELECT (c.principal_id = '%s' AND c.token_id = '%s' AND a.token_id = c.token_id"
        " AND a.principal_id = c.principal_id)::text"
        " FROM change c JOIN audit_event a ON a.seq = c.seq ORDER BY c.seq DESC LIMIT 1", id, tid);
    CZ_CLEANUP(cz_freep) char *same = pfx_sql(f, sql);
    assert_string_equal(same, "true");
    /* G1: the name comes out as JSON, whatever it holds */
    json_decref(pfx_json(f, &(struct call)GET("/api/v1/changes", ROOT), 200));
}

static void test_cursor_without_static_token(void **state)
{
    struct pfx *f = *state;
    char a[65], b[65], c[65];
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_identity *one =
        cz_identity_new(&(struct cz_identity_options){.store = f->env->stores.a});
    struct cz_identity *two =
        cz_identity_new(&(struct cz_identity_options){.store = f->env->stores.b});
    ASSERT_OK(cz_identity_secret(one, "x", a, &err), &err);
    ASSERT_OK(cz_identity_secret(two, "x", b, &err), &err);
    ASSERT_OK(cz_identity_secret(two, "y", c, &err), &err);
    assert_string_equal(a, b);
    assert_string_not_equal(a, c);
    cz_identity_free(one);
    cz_identity_free(two);
}

int main(void)
{
    const char *conninfo = getenv("CITIZENK_TEST_POSTGRES");
    if (!conninfo || !*conninfo) {
        print_message("# skipped: set CITIZENK_TEST_POSTGRES to the conninfo of a superuser\n");
        return 0;
    }
    cz_log_init(CZ_LOG_ERROR, false);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_c7_header_only),
        cmocka_unit_test(test_c7_expiry),
        cmocka_unit_test(test_c7_revoked_at_once),
        cmocka_unit_test(test_disabled_principal),
        cmocka_unit_test(test_last_use),
        cmocka_unit_test(test_scopes),
        cmocka_unit_test(test_scope_is_cut_by_role),
        cmocka_unit_test(test_bound_to_team),
        cmocka_unit_test(test_history_names_the_token),
        cmocka_unit_test(test_cursor_without_static_token),
    };
    return cmocka_run_group_tests_name("api tokens", tests, pfx_up, pfx_down);
}
