/* SPDX-License-Identifier: Apache-2.0 */
/** Who may what, over a real database.  The matrix of all routes × callers × own and other team is
 *  compared with permissions.golden.  When a route or a rule changes on purpose, write it again and read
 *  the difference:
 *    CITIZENK_WRITE_GOLDEN=1 python3 tests/support/with_postgres.py build/dev/tests/test_api_access
 *  The other tests bear the id of their line in the security checklist. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cz/json.h"
#include "cz/log.h"
#include "cz/util.h"
#include "pg_fixture.h"

#define GET(path, who) {.method = "GET", .target = path, .token = who}
#define OWN "/api/v1/teams/own"
#define OTHER "/api/v1/teams/other"

struct actor {
    const char *name, *spec; /* spec: of its binding in the team own, NULL: none */
    const char *scope;       /* of its token */
    bool admin, auditor;
    const char *token_team;
    char *id, *token;
};
static struct actor actors[] = {
    {"none", NULL, "admin", false, false, NULL, NULL, NULL},
    {"viewer", "'role':'viewer'", "admin", false, false, NULL, NULL, NULL},
    {"peek", "'role':'viewer','peek':true", "admin", false, false, NULL, NULL, NULL},
    {"operator", "'role':'operator'", "admin", false, false, NULL, NULL, NULL},
    {"editor", "'role':'editor'", "admin", false, false, NULL, NULL, NULL},
    {"owner", "'role':'owner'", "admin", false, false, NULL, NULL, NULL},
    {"admin", NULL, "admin", true, false, NULL, NULL, NULL},
    {"auditor", NULL, "admin", false, true, NULL, NULL, NULL},
    {"owner:read", "'role':'owner','peek':true", "read", false, false, NULL, NULL, NULL},
    {"owner:operate", "'role':'owner','peek':true", "operate", false, false, NULL, NULL, NULL},
    {"owner:apply", "'role':'owner','peek':true", "apply", false, false, NULL, NULL, NULL},
    {"admin@other", NULL, "admin", true, false, "other", NULL, NULL},
    {"root", NULL, NULL, false, false, NULL, NULL, NULL},
};
#define ACTORS (sizeof(actors) / sizeof(actors[0]))

static char *token_of(const char *name)
{
    for (size_t i = 0; i < ACTORS; i++)
        if (strcmp(actors[i].name, name) == 0)
            return actors[i].token;
    fail_msg("no actor %s", name);
    return NULL;
}

static void root(struct pfx *f, const char *method, const char *target, const char *body, int status)
{
    json_decref(pfx_json(f, &(struct call){.method = method, .target = target, .body = body, .token = ROOT}, status));
}

static void make_actor(struct pfx *f, struct actor *a)
{
    struct cz_principal_row row = {0};
    struct cz_error err = CZ_ERROR_INIT;
    const struct cz_principal_new p = {.kind = "service", .issuer = CZ_ISSUER_SERVICE, .subject = a->name,
                                       .name = a->name, .admin = a->admin, .auditor = a->auditor};
    if (!a->scope) {
        a->token = cz_strdup(ROOT);
        return;
    }
    ASSERT_OK(cz_store_principal_new(f->env->stores.a, &p, NULL, &row, &err), &err);
    a->id = cz_strdup(row.id);
    cz_principal_row_done(&row);
    CZ_CLEANUP(cz_freep) char *team = a->token_team ? cz_strf(",'team':'%s'", a->token_team) : cz_strdup("");
    CZ_CLEANUP(cz_freep)
    char *body = cz_strf("{'name':'t','principal':'%s','scopes':['%s'],'expires_in_days':1%s}", a->id, a->scope, team);
    json_t *j = pfx_json(
        f, &(struct call){.method = "POST", .target = "/api/v1/tokens", .body = body, .token = ROOT}, 201);
    a->token = cz_strdup(json_string_value(json_object_get(j, "token")));
    json_decref(j);
    if (!a->spec)
        return;
    CZ_CLEANUP(cz_freep) char *binding = cz_strf("{'spec':{'principal':'%s',%s}}", a->id, a->spec);
    CZ_CLEANUP(cz_freep) char *path = cz_strf(OWN "/bindings/%s", a->name);
    root(f, "PUT", path, binding, 201);
    cz_free(path);
    path = cz_strf("/api/v1/teams/default/bindings/%s", a->name);
    root(f, "PUT", path, binding, 201);
}

static int64_t own_change, other_change;
static struct pfx *pfx_current;

static int64_t seq_of(struct pfx *f, const char *target, const char *body)
{
    json_t *j = pfx_json(f, &(struct call){.method = "PUT", .target = target, .body = body, .token = ROOT}, 201);
    int64_t seq = cz_json_int(j, "seq", 0);
    json_decref(j);
    return seq;
}

#define CLUSTER "{'spec':{'bootstrap_servers':'127.0.0.1:1'}}"
#define MAPPING "{'spec':{'source':{'cluster':'c','topic':'a'},'target':{'cluster':'c','topic':'b'}}}"

static int up(void **state)
{
    if (pfx_up(state) != 0)
        return 1;
    struct pfx *f = pfx_current = *state;
    root(f, "PUT", OWN, NULL, 200);
    root(f, "PUT", OTHER, NULL, 200);
    root(f, "PUT", OWN "/clusters/c", CLUSTER, 201);
    root(f, "PUT", OTHER "/clusters/c", CLUSTER, 201);
    own_change = seq_of(f, OWN "/mappings/m", MAPPING);
    other_change = seq_of(f, OTHER "/mappings/m", MAPPING);
    for (size_t i = 0; i < ACTORS; i++)
        make_actor(f, &actors[i]);
    return 0;
}

static int down(void **state)
{
    for (size_t i = 0; i < ACTORS; i++) {
        cz_freep(&actors[i].id);
        cz_freep(&actors[i].token);
    }
    return pfx_down(state);
}

/* ---- D1: the matrix ------------------------------------------------------------------------------ */

static enum cz_err reached(const struct cz_http_request *rq, struct cz_http_response *rs, struct cz_error *err)
{
    (void)rq, (void)err;
    cz_http_json(rs, 299, json_object());
    return CZ_OK;
}

/* The product's routes with handlers that do nothing: what answers 299 has passed all checks of who may. */
static struct cz_http_server *stubbed(struct pfx *f, struct cz_http_route **ret_routes)
{
    size_t n = 0;
    struct cz_http_options o = {0};
    struct cz_http_server *http = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    while (cz_api_routes[n].method)
        n++;
    struct cz_http_route *routes = cz_alloc_array(n + 1, sizeof(*routes));
    for (size_t i = 0; i < n; i++) {
        routes[i] = cz_api_routes[i];
        routes[i].handler = reached;
    }
    cz_api_serve(f->api, &o);
    o.routes = routes;
    ASSERT_OK(cz_http_server_new(&o, &http, &err), &err);
    *ret_routes = routes;
    return http;
}

static char *target_of(const struct cz_http_route *r, bool own)
{
    struct cz_buf b = CZ_BUF_INIT(1000);
    for (const char *p = r->path; *p; p++) {
        if (*p != '{') {
            cz_buf_addc(&b, *p);
            continue;
        }
        size_t n = strcspn(p, "}");
        if (strncmp(p, "{team}", n + 1) == 0)
            cz_buf_adds(&b, own ? "own" : "other");
        else if (strncmp(p, "{seq}", n + 1) == 0)
            cz_buf_addf(&b, "%lld", (long long)(own ? own_change : other_change));
        else
            cz_buf_adds(&b, "1");
        p += n;
    }
    return cz_buf_steal(&b);
}

static const char *cell(struct cz_http_server *http, const struct cz_http_route *r, const char *target, const char *token)
{
    static char text[16];
    CZ_CLEANUP(cz_freep) char *bearer = cz_strf("Bearer %s", token);
    const struct cz_http_pair headers[] = {{"Authorization", bearer}, {"Content-Type", "application/json"}};
    bool body = (r->flags & CZ_HTTP_BODY) != 0;
    const struct cz_http_raw raw = {.method = r->method, .target = target, .headers = headers,
                                    .headers_len = body ? 2 : 1, .body = body ? "{}" : NULL,
                                    .body_len = body ? 2 : 0, .peer = "127.0.0.1"};
    struct cz_http_out out;
    cz_http_handle(http, &raw, &out);
    (void)snprintf(text, sizeof(text), "%d", out.status);
    if (out.status == 299)
        (void)snprintf(text, sizeof(text), "yes");
    cz_http_out_done(&out);
    return text;
}

static bool by_team(const struct cz_http_route *r)
{
    return strstr(r->path, "{team}") || strstr(r->path, "{seq}");
}

static void add_row(struct cz_buf *out, struct cz_http_server *http, const struct cz_http_route *r, bool own)
{
    CZ_CLEANUP(cz_freep) char *target = target_of(r, own);
    cz_buf_addf(out, "%-7s%-80s%-17s%-6s", r->method, r->path, r->verb ? r->verb : "(free)",
                by_team(r) ? (own ? "own" : "other") : "-");
    for (size_t i = 0; i < ACTORS; i++) {
        char title[32];
        (void)snprintf(title, sizeof(title), "%-*s", (int)strlen(actors[i].name) + 1, cell(http, r, target, actors[i].token));
        cz_buf_adds(out, i + 1 < ACTORS ? title : cell(http, r, target, actors[i].token));
    }
    cz_buf_addc(out, '\n');
}

static char *matrix(struct pfx *f)
{
    struct cz_http_route *routes = NULL;
    struct cz_http_server *http = stubbed(f, &routes);
    struct cz_buf b = CZ_BUF_INIT(1 << 20);
    cz_buf_adds(&b, "# Who may use which route: made and checked by test_access.c (see there).\n"
                    "# yes: may; 403: sees the team but lacks the verb; 404: must not even know the team.\n"
                    "# Callers are bound in the team own (and default); name:scope has a token of that scope,\n"
                    "# name@team one for that team only; root is the token of --admin-token-file.\n");
    cz_buf_addf(&b, "%-7s%-80s%-17s%-6s", "METHOD", "ROUTE", "VERB", "TEAM");
    for (size_t i = 0; i < ACTORS; i++)
        cz_buf_addf(&b, i + 1 < ACTORS ? "%s " : "%s\n", actors[i].name);
    for (const struct cz_http_route *r = routes; r->method; r++) {
        add_row(&b, http, r, true);
        if (by_team(r))
            add_row(&b, http, r, false);
    }
    cz_http_server_free(http);
    cz_free(routes);
    return cz_buf_steal(&b);
}

static void compare(const char *is, const char *want)
{
    for (int line = 1; *is || *want; line++) {
        size_t n = strcspn(is, "\n"), m = strcspn(want, "\n");
        if (n != m || strncmp(is, want, n) != 0)
            fail_msg("permissions.golden, line %d:\n%.*s\nbut now:\n%.*s", line, (int)m, want, (int)n, is);
        is += n + (is[n] != 0);
        want += m + (want[m] != 0);
    }
}

static void test_d1_matrix(void **state)
{
    CZ_CLEANUP(cz_freep) char *is = matrix(*state);
    CZ_CLEANUP(cz_freep) char *want = NULL;
    size_t len = 0;
    struct cz_error err = CZ_ERROR_INIT;
    if (getenv("CITIZENK_WRITE_GOLDEN")) {
        FILE *out = fopen(GOLDEN, "w");
        assert_non_null(out);
        (void)fputs(is, out);
        assert_int_equal(fclose(out), 0);
        return;
    }
    ASSERT_OK(cz_read_file(GOLDEN, 1 << 20, &want, &len, &err), &err);
    compare(is, want);
}

static void test_d1_unknown_bearer(void **state)
{
    struct cz_http_route *routes = NULL;
    struct cz_http_server *http = stubbed(*state, &routes);
    for (const struct cz_http_route *r = routes; r->method; r++) {
        CZ_CLEANUP(cz_freep) char *target = target_of(r, true);
        const char *is = cell(http, r, target, "czk_user_nobody");
        if (strcmp(is, r->flags & CZ_HTTP_NOAUTH ? "yes" : "401") != 0)
            fail_msg("%s %s: %s without a good token", r->method, r->path, is);
    }
    cz_http_server_free(http);
    cz_free(routes);
}

/* ---- D2: another team's ids ----------------------------------------------------------------------- */

static bool mentions(struct pfx *f, const char *target, const char *token, const char *text)
{
    struct answer a = pfx_call(f, &(struct call)GET(target, token));
    assert_int_equal(a.status, 200);
    bool yes = a.out.body && strstr(a.out.body, text);
    answer_done(&a);
    return yes;
}

static void test_d2_lists_show_own(void **state)
{
    struct pfx *f = *state;
    static const char *const lists[] = {"/api/v1/teams", "/api/v1/changes", "/api/v1/changes?after=0", "/api/v1/stats"};
    for (size_t i = 0; i < 4; i++) {
        assert_true(mentions(f, lists[i], token_of("viewer"), "\"own\""));
        assert_false(mentions(f, lists[i], token_of("viewer"), "\"other\""));
        assert_true(mentions(f, lists[i], token_of("admin"), "\"other\""));
        assert_false(mentions(f, lists[i], token_of("admin@other"), "\"own\""));
        assert_true(mentions(f, lists[i], token_of("admin@other"), "\"other\""));
        assert_false(mentions(f, lists[i], token_of("none"), "\"own\""));
    }
    assert_int_equal(pfx_status(f, &(struct call)GET("/api/v1/changes?team=other", token_of("viewer"))), 404);
    CZ_CLEANUP(cz_freep) char *other = cz_strf("/api/v1/changes/%lld", (long long)other_change);
    CZ_CLEANUP(cz_freep) char *undo = cz_strf("%s/rollback", other);
    CZ_CLEANUP(cz_freep) char *own = cz_strf("/api/v1/changes/%lld", (long long)own_change);
    assert_int_equal(pfx_status(f, &(struct call)GET(other, token_of("viewer"))), 404);
    assert_int_equal(pfx_status(f, &(struct call)GET(own, token_of("viewer"))), 200);
    assert_int_equal(pfx_status(f, &(struct call){.method = "POST", .target = undo, .token = token_of("owner")}), 404);
    /* not there and not yours are one answer */
    struct answer a = pfx_call(f, &(struct call)GET(OTHER "/mappings/m", token_of("owner")));
    struct answer b = pfx_call(f, &(struct call)GET("/api/v1/teams/never/mappings/m", token_of("owner")));
    assert_int_equal(a.status, 404);
    assert_int_equal(b.status, 404);
    assert_string_equal(json_string_value(json_object_get(a.json, "detail")), "there is no team 'other'");
    assert_string_equal(json_string_value(json_object_get(b.json, "detail")), "there is no team 'never'");
    answer_done(&a);
    answer_done(&b);
}

/* The second fence: a request's thread sees nothing of another team, even past the service. */
static enum cz_err look_everywhere(const struct cz_http_request *rq, struct cz_http_response *rs, struct cz_error *err)
{
    struct cz_list_filter f = {.kind = CZ_KIND_MAPPING}; /* its WHERE was removed */
    struct cz_resource_list l = {0};
    struct pfx *fx = pfx_current;
    (void)rq;
    enum cz_err rc = cz_store_list(fx->env->stores.a, &f, &l, NULL, err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, json_pack("{s:i}", "seen", (int)l.len));
    cz_resource_list_done(&l);
    return rc;
}

static void test_d2_second_fence(void **state)
{
    struct pfx *f = *state;
    struct cz_http_route routes[] = {{.method = "GET", .path = "/api/v1/teams/{team}/mappings",
                                      .handler = look_everywhere, .verb = "mapping.read", .tag = "x", .id = "x"},
                                     {0}};
    struct cz_http_options o = {0};
    struct cz_http_server *http = NULL, *kept = f->http;
    struct cz_error err = CZ_ERROR_INIT;
    cz_api_serve(f->api, &o);
    o.routes = routes;
    ASSERT_OK(cz_http_server_new(&o, &http, &err), &err);
    f->http = http;
    json_t *mine = pfx_json(f, &(struct call)GET(OWN "/mappings", token_of("viewer")), 200);
    json_t *all = pfx_json(f, &(struct call)GET(OWN "/mappings", token_of("admin")), 200);
    f->http = kept;
    assert_int_equal(cz_json_int(mine, "seen", -1), 1);
    assert_int_equal(cz_json_int(all, "seen", -1), 2);
    json_decref(mine);
    json_decref(all);
    cz_http_server_free(http);
    assert_true(mentions(f, OTHER "/mappings", ROOT, "\"m\"")); /* the scope ended with the request */
}

/* ---- D4: members that nobody writes ---------------------------------------------------------------- */

static void test_d4_mass_assignment(void **state)
{
    struct pfx *f = *state;
    static const char *const probes[] = {"'managed_by':'instance:x'", "'team_id':1",  "'team':'other'", "'version':'999'",
                                         "'uid':'x'",                 "'admin':true", "'override':{'paused':true}"};
    for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
        CZ_CLEANUP(cz_freep)
        char *body = cz_strf("{'spec':{'source':{'cluster':'c','topic':'a'},'target':{'cluster':'c','topic':'b'}},%s}",
                             probes[i]);
        assert_int_equal(pfx_status(f, &(struct call){.method = "PUT", .target = OWN "/mappings/probe", .body = body,
                                                      .token = token_of("editor")}), 422);
    }
    static const char *const rules[] = {"{'spec':{'principal':'x','role':'owner','admin':true}}",
                                        "{'spec':{'principal':'x','role':'root'}}"};
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pfx_status(f, &(struct call){.method = "PUT", .target = OWN "/bindings/probe",
                                                      .body = rules[i], .token = token_of("owner")}), 422);
    assert_int_equal(pfx_status(f, &(struct call){.method = "PUT", .target = OWN, .body = "{'id':1}",
                                                  .token = token_of("admin")}), 422);
}

/* ---- as a team lives it ---------------------------------------------------------------------------- */

static void refused(struct pfx *f, struct call c, const char *text)
{
    struct answer a = pfx_call(f, &c);
    if (a.status != 403 || !strstr(a.out.body, text))
        fail_msg("%s %s: %d %s, wanted 403 %s", c.method, c.target, a.status, a.out.body, text);
    answer_done(&a);
}

#define TEAM "/api/v1/teams/payments"

static void test_d3_story_of_a_team(void **state)
{
    struct pfx *f = *state;
    char *admin = token_of("admin"), *eva = token_of("none");
    json_t *j = pfx_json(f, &(struct call){.method = "PUT", .target = TEAM, .token = admin}, 200);
    assert_true(json_is_true(json_object_get(j, "restricted")));
    json_decref(j);
    assert_int_equal(pfx_status(f, &(struct call)GET(TEAM, eva)), 404);
    CZ_CLEANUP(cz_freep) char *id = cz_strdup(actors[0].id);
    CZ_CLEANUP(cz_freep) char *editor = cz_strf("{'spec':{'principal':'%s','role':'editor'}}", id);
    json_decref(pfx_json(f, &(struct call){.method = "PUT", .target = TEAM "/bindings/eva", .body = editor, .token = admin}, 201));
    json_decref(pfx_json(f, &(struct call){.method = "PUT", .target = TEAM "/clusters/c", .body = CLUSTER, .token = admin}, 201));
    refused(f, (struct call){.method = "PUT", .target = TEAM "/clusters/d", .body = CLUSTER, .token = eva}, "cluster.write");
    refused(f, (struct call){.method = "PUT", .target = TEAM "/mappings/m", .body = MAPPING, .token = eva},
            "read for topic \\\"a\\\" on cluster \\\"c\\\"");
    refused(f, (struct call){.method = "PUT", .target = TEAM "/mappings/m?dry_run=true", .body = MAPPING, .token = eva},
            "/spec/target/topic");
    refused(f, (struct call){.method = "PUT", .target = TEAM "/grants/all", .token = eva,
                             .body = "{'spec':{'cluster':'c','resource_type':'topic','pattern_type':'literal',"
                                     "'pattern':'*','modes':['read','write']}}"}, "grant.write");
    json_decref(pfx_json(f, &(struct call){.method = "PUT", .target = TEAM "/grants/all", .token = admin,
                             .body = "{'spec':{'cluster':'c','resource_type':'topic','pattern_type':'literal',"
                                     "'pattern':'*','modes':['read','write']}}"}, 201));
    json_decref(pfx_json(f, &(struct call){.method = "PUT", .target = TEAM "/mappings/m", .body = MAPPING, .token = eva}, 201));
    refused(f, (struct call){.method = "POST", .target = TEAM "/mappings/m/preview", .token = eva}, "mapping.peek");
    refused(f, (struct call){.method = "PUT", .target = TEAM "/bindings/eva2", .body = editor, .token = eva}, "binding.write");
    assert_true(pfx_audited(f, "auth.denied", "denied") >= 6);
}

static void test_revocation_is_audited(void **state)
{
    struct pfx *f = *state;
    char *admin = token_of("admin");
    struct answer a = pfx_call(f, &(struct call)GET(TEAM "/mappings/m", admin));
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.out.body, "\"Granted\""));
    answer_done(&a);
    json_decref(pfx_json(f, &(struct call){.method = "DELETE", .target = TEAM "/grants/all", .token = admin,
                                           .if_match = "*"}, 200));
    a = pfx_call(f, &(struct call)GET(TEAM "/mappings/m", admin));
    assert_non_null(strstr(a.out.body, "\"GrantMissing\""));
    assert_non_null(strstr(a.out.body, "\"state\":\"STOPPED\""));
    answer_done(&a);
    assert_int_equal(pfx_audited(f, "mapping.unauthorized", "ok"), 1);
    CZ_CLEANUP(cz_freep)
    char *state_now = pfx_sql(f, "SELECT value ->> 'state' FROM config_record WHERE value ->> 'team' = 'payments' AND"
                                 " value ->> 'name' = 'm'");
    assert_string_equal(state_now, "STOPPED");
}

static void test_revoked_member_is_out_at_once(void **state)
{
    struct pfx *f = *state;
    char *eva = token_of("none");
    assert_int_equal(pfx_status(f, &(struct call)GET(TEAM "/mappings", eva)), 200);
    json_decref(pfx_json(f, &(struct call){.method = "DELETE", .target = TEAM "/bindings/eva", .token = token_of("admin"),
                                           .if_match = "*"}, 200));
    assert_int_equal(pfx_status(f, &(struct call)GET(TEAM "/mappings", eva)), 404);
}

static void test_can(void **state)
{
    struct pfx *f = *state;
    json_t *j = pfx_json(f, &(struct call)GET("/api/v1/access?verb=mapping.operate&team=own", token_of("operator")), 200);
    assert_true(json_is_true(json_object_get(j, "allowed")));
    assert_string_equal(json_string_value(json_object_get(j, "role")), "operator");
    assert_true(json_array_size(json_object_get(j, "why")) >= 2);
    json_decref(j);
    j = pfx_json(f, &(struct call)GET("/api/v1/access?verb=mapping.write&team=own", token_of("operator")), 200);
    assert_false(json_is_true(json_object_get(j, "allowed")));
    assert_non_null(strstr(json_string_value(json_object_get(j, "missing")), "editor"));
    json_decref(j);
    CZ_CLEANUP(cz_freep) char *about = cz_strf("/api/v1/access?verb=mapping.operate&team=own&principal=%s", actors[3].id);
    CZ_CLEANUP(cz_freep) char *kafka = cz_strf("%s&topic=a&cluster=c&mode=read", about);
    refused(f, (struct call)GET(about, token_of("editor")), "ask about others");
    j = pfx_json(f, &(struct call)GET(kafka, token_of("owner")), 200);
    assert_true(json_is_true(json_object_get(j, "allowed"))); /* own is not restricted */
    json_decref(j);
    assert_int_equal(pfx_status(f, &(struct call)GET("/api/v1/access?verb=mapping.read&team=other", token_of("owner"))), 404);
    assert_int_equal(pfx_status(f, &(struct call)GET("/api/v1/access?verb=mapping.fly", token_of("owner"))), 400);
    assert_int_equal(pfx_status(f, &(struct call)GET("/api/v1/access?verb=mapping.read&topic=a", token_of("owner"))), 400);
    assert_int_equal(pfx_status(f, &(struct call)GET("/api/v1/access?verb=mapping.read&team=own&principal=no", token_of("admin"))), 404);
}

static void test_denials_are_counted(void **state)
{
    struct pfx *f = *state;
    struct answer a = pfx_call(f, &(struct call)GET(OWN "/mappings/m/nothing", token_of("viewer")));
    answer_done(&a);
    CZ_CLEANUP(cz_freep) char *text = pfx_text(f, "/metrics", token_of("admin"));
    const char *line = strstr(text, "citizenk_authz_denied_total{verb=\"cluster.write\"} ");
    assert_non_null(line);
    assert_true(strtol(strchr(line, '}') + 2, NULL, 10) >= 1);
    refused(f, (struct call)GET("/metrics", token_of("owner")), "metrics.read");
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
        cmocka_unit_test(test_d1_matrix),
        cmocka_unit_test(test_d1_unknown_bearer),
        cmocka_unit_test(test_d2_lists_show_own),
        cmocka_unit_test(test_d2_second_fence),
        cmocka_unit_test(test_d4_mass_assignment),
        cmocka_unit_test(test_d3_story_of_a_team),
        cmocka_unit_test(test_revocation_is_audited),
        cmocka_unit_test(test_revoked_member_is_out_at_once),
        cmocka_unit_test(test_can),
        cmocka_unit_test(test_denials_are_counted),
    };
    return cmocka_run_group_tests_name("access", tests, up, down);
}
