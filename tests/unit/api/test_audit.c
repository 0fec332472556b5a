/* SPDX-License-Identifier: Apache-2.0 */
/** The audit log through the API, on a real PostgreSQL: filters, pages, files for other programs, and a
 *  verification that finds what the owner of the tables changed. */
#include <stdlib.h>
#include <string.h>

#include "cz/json.h"
#include "cz/log.h"
#include "cz/service_audit.h"
#include "cz/util.h"
#include "pg_fixture.h"

#define A "/api/v1/audit"
#define T "/api/v1/teams/default"
#define VALUES "{'spec':{'key':{'1':'2'}}}"

static json_t *
ask(struct pfx *f, const char *method, const char *target, const char *body, int status)
{
    return pfx_json(
        f, &(struct call){.method = method, .target = target, .body = body, .token = ROOT}, status);
}

static size_t count(struct pfx *f, const char *query)
{
    CZ_CLEANUP(cz_freep) char *target = cz_strf(A "?%s", query);
    json_t *o = ask(f, "GET", target, NULL, 200);
    size_t n = json_array_size(json_object_get(o, "items"));
    json_decref(o);
    return n;
}

static void note(struct pfx *f, const char *actor, const char *action, const char *outcome)
{
    struct cz_error err = CZ_ERROR_INIT;
    const struct cz_caller who = {
        .actor = actor, .actor_id = "u7", .via = "api", .request_id = "request-7", .ip = "10.0.0.7"};
    json_t *detail = json_pack("{s:s}", "name", "or\nders \"x\"");
    assert_int_equal(cz_service_note(f->service, &who, "default", action, outcome, detail, &err), CZ_OK);
    json_decref(detail);
}

static void test_events(void **state)
{
    struct pfx *f = *state;
    json_decref(ask(f, "PUT", T "/value-maps/one", VALUES, 201));
    note(f, "eve\nmallory", "mapping.peek", "denied");
    note(f, "alice", "mapping.peek", "ok");
    assert_int_equal(count(f, "outcome=denied"), 1);
    assert_int_equal(count(f, "actor=eve%0Amallory"), 1);
    assert_int_equal(count(f, "action=mapping.peek"), 2);
    assert_int_equal(count(f, "action=value_map.*&name=one"), 1);
    assert_int_equal(count(f, "request_id=request-7&team=default"), 2);
    assert_int_equal(count(f, "to=2001-01-01T00:00:00Z"), 0);
    assert_int_equal(count(f, "from=2001-01-01T00:00:00Z&outcome=denied"), 1);
    assert_int_equal(pfx_status(f, &(struct call){.method = "GET", .target = A "?from=yesterday", .token = ROOT}), 400);
    assert_int_equal(pfx_status(f, &(struct call){.method = "GET", .target = A "?team=nobody", .token = ROOT}), 404);
    assert_int_equal(pfx_status(f, &(struct call){.method = "GET", .target = A}), 401);

    json_t *page = ask(f, "GET", T "/audit?limit=1", NULL, 200);
    const json_t *e = json_array_get(json_object_get(page, "items"), 0);
    assert_string_equal(cz_json_str(e, "actor", ""), "alice");
    assert_string_equal(cz_json_str(e, "actor_id", ""), "u7");
    assert_string_equal(cz_json_str(e, "ip", ""), "10.0.0.7");
    assert_string_equal(cz_json_str(json_object_get(e, "detail"), "name", ""), "or\nders \"x\"");
    CZ_CLEANUP(cz_freep)
    char *more = cz_strf(T "/audit?limit=1&before=%s", cz_json_str(page, "next", "?"));
    json_decref(page);
    page = ask(f, "GET", more, NULL, 200);
    e = json_array_get(json_object_get(page, "items"), 0);
    assert_string_equal(cz_json_str(e, "actor", ""), "eve\nmallory");
    json_decref(page);
}

/* Status and header; the body in @ret. */
static int get_raw(struct pfx *f, const char *target, const char *accept, const char *header,
                   char **ret_header, char **ret)
{
    struct cz_http_pair headers[] = {{"Authorization", "Bearer " ROOT}, {"Accept", accept}};
    const struct cz_http_raw raw = {
        .method = "GET", .target = target, .headers = headers, .headers_len = accept ? 2 : 1};
    struct cz_http_out out;
    cz_http_handle(f->http, &raw, &out);
    *ret_header = cz_strdup(cz_http_out_header(&out, header));
    *ret = cz_strndup(out.body ? out.body : "", out.body_len);
    int status = out.status;
    cz_http_out_done(&out);
    return status;
}

static void test_export(void **state)
{
    struct pfx *f = *state;
    char *text = NULL, *header = NULL;
    note(f, "=HYPERLINK(\"http://x\")", "mapping.peek", "ok");
    note(f, "@sum\n\"q\",b", "mapping.peek", "ok");
    assert_int_equal(get_raw(f, A "/export?format=csv&limit=2", NULL, "Content-Disposition", &header, &text),
                     200);
    assert_string_equal(header, "attachment; filename=\"citizenk-audit.csv\"");
    assert_int_equal(strncmp(text, "id,at,team,actor,actor_id,", 26), 0);
    assert_non_null(strstr(text, ",\"'=HYPERLINK(\"\"http://x\"\")\",\"u7\","));
    assert_non_null(strstr(text, ",\"'@sum\n\"\"q\"\",b\",\"u7\","));
    assert_non_null(strstr(text, "\"{\"\"name\"\":\"\"or\\nders \\\"\"x\\\"\"\"\"}\"\r\n"));
    cz_free(text);
    cz_free(header);

    assert_int_equal(get_raw(f, T "/audit/export?limit=1", "text/csv", "X-CitizenK-Next", &header, &text),
                     200);
    assert_non_null(header);
    cz_free(text);
    CZ_CLEANUP(cz_freep) char *rest = cz_strf(A "/export?before=%s", header);
    cz_free(header);
    assert_int_equal(get_raw(f, rest, NULL, "Content-Type", &header, &text), 200);
    assert_string_equal(header, "application/x-ndjson");
    size_t lines = 0;
    for (char *p = text, *end; (end = strchr(p, '\n')); p = end + 1, lines++) {
        json_t *j = NULL;
        struct cz_error err = CZ_ERROR_INIT; /* a line is a document, also with a line break in a name */
        assert_int_equal(cz_json_parse(p, (size_t)(end - p), &j, &err), CZ_OK);
        json_decref(j);
    }
    assert_true(lines > 3);
    assert_int_equal(lines + 1, count(f, "limit=1000"));
    cz_free(text);
    cz_free(header);
}

static void test_bursts(void **state)
{
    struct pfx *f = *state;
    for (int i = 0; i < 15; i++)
        assert_int_equal(pfx_status(f, &(struct call){.method = "GET", .target = A "?seq=x", .token = ROOT}),
                         400);
    assert_int_equal(count(f, "action=request.invalid_burst"), 0);
    for (int i = 0; i < 30; i++) /* the 20th in a minute tells, the next ones are the same burst */
        json_decref(ask(f, "PUT", T "/value-maps/x", "{'spec':{'nonsense':1}}", 422));
    json_t *o = ask(f, "GET", A "?action=request.invalid_burst", NULL, 200);
    assert_int_equal(json_array_size(json_object_get(o, "items")), 1);
    const json_t *e = json_array_get(json_object_get(o, "items"), 0);
    assert_string_equal(cz_json_str(e, "outcome", ""), "failed");
    assert_string_equal(cz_json_str(e, "ip", ""), "127.0.0.1");
    assert_non_null(cz_json_str(e, "request_id", NULL));
    json_decref(o);
}

/* Whose change it was, and the caller's own. */
static void test_own_changes(void **state)
{
    struct pfx *f = *state;
    json_t *o = ask(f, "PUT", T "/value-maps/mine", VALUES, 201);
    CZ_CLEANUP(cz_freep) char *path = cz_strf("/api/v1/changes/%s", cz_json_str(o, "seq", ""));
    json_decref(o);
    o = ask(f, "GET", path, NULL, 200);
    assert_non_null(cz_json_str(o, "actor_id", NULL));
    assert_non_null(cz_json_str(o, "trace_id", NULL));
    assert_string_equal(cz_json_str(o, "ip", ""), "127.0.0.1");
    assert_true(json_is_null(json_object_get(o, "token_id")));
    json_decref(o);
    o = ask(f, "GET", "/api/v1/changes?mine=true&limit=1", NULL, 200);
    const json_t *c = json_array_get(json_object_get(o, "items"), 0);
    CZ_CLEANUP(cz_freep) char *undo = cz_strf("/api/v1/changes/%s/rollback", cz_json_str(c, "seq", ""));
    json_decref(o);
    o = ask(f, "GET", "/api/v1/changes?commit=abcd", NULL, 200);
    assert_int_equal(json_array_size(json_object_get(o, "items")), 0);
    json_decref(o);
    json_decref(ask(f, "POST", undo, "{'force':[{'kind':'nothing','name':'x'}]}", 422));
    json_decref(ask(f, "POST", undo, "{'force':3}", 422));
    json_decref(ask(f, "PUT", T "/value-maps/mine", "{'spec':{'key':{'1':'3'}}}", 428));
    json_decref(ask(f, "POST", undo, "{'force':[{'kind':'value_map','name':'mine','version':'1'}]}", 200));
    json_decref(ask(f, "GET", T "/value-maps/mine", NULL, 404));
}

static void seal(struct pfx *f)
{
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_seal s = {0};
    bool more = true;
    while (more)
        if (cz_store_seal(f->env->stores.a, &s, &more, &err) != CZ_OK)
            fail_msg("%s", err.text);
}

static void test_verify(void **state)
{
    struct pfx *f = *state;
    char *id = NULL;
    json_decref(ask(f, "PUT", T "/value-maps/two", VALUES, 201));
    seal(f);
    note(f, "eve", "mapping.peek", "denied");
    note(f, "bob", "mapping.peek", "ok");
    seal(f);
    json_t *o = ask(f, "POST", A "/verify", NULL, 200);
    assert_true(cz_json_bool(o, "ok", false) && cz_json_bool(o, "complete", false));
    assert_true(json_is_null(json_object_get(o, "failure")));
    CZ_CLEANUP(cz_freep)
    char *root = cz_strdup(cz_json_str(json_object_get(o, "last"), "root", ""));
    CZ_CLEANUP(cz_freep) char *n = cz_strdup(cz_json_str(json_object_get(o, "last"), "n", ""));
    json_decref(o);
    o = ask(f, "GET", A "/seals?limit=1", NULL, 200);
    assert_string_equal(cz_json_str(json_array_get(json_object_get(o, "items"), 0), "root", ""), root);
    assert_string_equal(cz_json_str(o, "next", ""), n);
    json_decref(o);
    CZ_CLEANUP(cz_freep) char *good = cz_strf("{'roots':{'%s':'%s'}}", n, root);
    o = ask(f, "POST", A "/verify", good, 200);
    assert_true(cz_json_bool(o, "ok", false));
    json_decref(o);
    root[0] = root[0] == '0' ? '1' : '0';
    CZ_CLEANUP(cz_freep) char *other = cz_strf("{'roots':{'%s':'%s'}}", n, root);
    o = ask(f, "POST", A "/verify", other, 200);
    assert_false(cz_json_bool(o, "ok", true));
    assert_string_equal(cz_json_str(json_object_get(o, "failure"), "part", ""), "root");
    json_decref(o);
    json_decref(ask(f, "POST", A "/verify", "{'roots':{'x':'00'},'nonsense':1}", 422));

    assert_string_equal(pg_admin(f->env, "SELECT max(id) FROM audit_event WHERE actor = 'eve'", &id), "");
    CZ_CLEANUP(cz_freep)
    char *tamper = cz_strf("SET session_replication_role = replica;"
                           "UPDATE audit_event SET actor = 'bob' WHERE id = %s", id);
    assert_string_equal(pg_admin(f->env, tamper, NULL), "");
    o = ask(f, "POST", A "/verify", "{'timeout_seconds':5}", 200);
    const json_t *bad = json_object_get(o, "failure");
    assert_false(cz_json_bool(o, "ok", true));
    assert_string_equal(cz_json_str(bad, "seal", ""), n);
    assert_string_equal(cz_json_str(bad, "what", ""), "changed");
    assert_string_equal(cz_json_str(bad, "row", ""), id);
    json_decref(o);
    cz_free(id);
}

/* From the caller's header into the history, the audit log and what goes to the workers. */
static void test_trace(void **state)
{
    static const char trace[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    struct pfx *f = *state;
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_config_record_list out = {0};
    size_t carried = 0;
    json_decref(ask(f, "PUT", T "/clusters/source", "{'spec':{'bootstrap_servers':'127.0.0.1:1'}}", 201));
    json_t *o = pfx_json(f,
                         &(struct call){.method = "PUT",
                                        .target = T "/mappings/traced",
                                        .body = "{'spec':{'source':{'cluster':'source','topic':'a'},"
                                                "'target':{'cluster':'source','topic':'b'}}}",
                                        .token = ROOT,
                                        .traceparent = trace},
                         201);
    CZ_CLEANUP(cz_freep) char *change = cz_strf("/api/v1/changes/%s", cz_json_str(o, "seq", "?"));
    json_decref(o);
    o = ask(f, "GET", change, NULL, 200);
    assert_string_equal(cz_json_str(o, "trace_id", ""), trace);
    json_decref(o);
    o = ask(f, "GET", A "?name=traced", NULL, 200);
    assert_string_equal(
        cz_json_str(json_array_get(json_object_get(o, "items"), 0), "trace_id", ""), trace);
    json_decref(o);
    ASSERT_OK(cz_store_outbox(f->env->stores.a, 1000, &out, &err), &err);
    for (size_t i = 0; i < out.len; i++)
        carried += cz_streq(out.items[i].trace_id, trace);
    assert_int_equal(carried, 1);
    cz_config_record_list_done(&out);
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
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_export),
        cmocka_unit_test(test_bursts),
        cmocka_unit_test(test_own_changes),
        cmocka_unit_test(test_trace),
        cmocka_unit_test(test_verify),
    };
    return cmocka_run_group_tests_name("audit log", tests, pfx_up, pfx_down);
}
