/* SPDX-License-Identifier: Apache-2.0 */
/** The request pipeline without sockets, by table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/log.h"
#include "fixture.h"

#define AUTH                                                                                   \
    {                                                                                          \
        "Authorization", "Bearer " TOKEN                                                       \
    }
#define JSON                                                                                   \
    {                                                                                          \
        "Content-Type", "application/json"                                                     \
    }

struct row {
    const char *method, *target;
    struct cz_http_pair headers[5];
    const char *body;
    int status;
    const char *part; /* must stand in the body; NULL: no body */
};

static const struct row rows[] = {
    /* routes */
    {"GET", "/livez", {{0}}, NULL, 200, "\"ok\""},
    {"HEAD", "/livez", {{0}}, NULL, 200, "\"ok\""},
    {"GET", "/nothing", {{0}}, NULL, 404, "/problems/not-found"},
    {"GET", "/livez/", {{0}}, NULL, 404, "not-found"},
    {"GET", "//livez", {{0}}, NULL, 404, "not-found"},
    {"GET", "/t//m/a", {AUTH}, NULL, 404, "not-found"},
    {"POST", "/livez", {{0}}, NULL, 405, "GET, HEAD, OPTIONS"},
    {"TRACE", "/livez", {{0}}, NULL, 405, "method-not-allowed"},
    {"BREW", "/t/a/m/b", {{0}}, NULL, 405, "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"},
    {"OPTIONS", "/t/a/m/b", {{0}}, NULL, 204, NULL},
    {"OPTIONS", "*", {{0}}, NULL, 204, NULL},
    {"OPTIONS", "/nothing", {{0}}, NULL, 404, "not-found"},
    {"GET", "http://x/livez", {{0}}, NULL, 400, "absolute path"},
    {"GET", "/t/a/m/special", {AUTH}, NULL, 200, "\"known\":true"},
    /* who */
    {"GET", "/t/a/m/b", {{0}}, NULL, 401, "unauthenticated"},
    {"GET", "/t/a/m/b", {{"Authorization", "Bearer wrong"}}, NULL, 401, "unknown token"},
    {"GET", "/t/a/m/b", {{"Authorization", "Basic " TOKEN}}, NULL, 401, "Bearer"},
    {"GET", "/t/a/m/b", {{"Authorization", "Bearer"}}, NULL, 401, "Bearer"},
    {"GET", "/t/a/m/b", {{"Authorization", "Bearer " TOKEN "," TOKEN}}, NULL, 401, "unknown"},
    {"GET", "/t/a/m/b", {{"authorization", "bearer  " TOKEN}}, NULL, 200, "tester"},
    {"GET", "/livez", {{"Authorization", "Bearer wrong"}}, NULL, 200, "\"known\":false"},
    {"GET", "/livez", {AUTH}, NULL, 200, "\"known\":true"},
    {"GET", "/metrics", {{0}}, NULL, 401, "unauthenticated"},
    {"GET", "/t/a/m/b?access_token=" TOKEN, {AUTH}, NULL, 400, "token-in-url"},
    {"GET", "/livez?Token=x", {{0}}, NULL, 400, "token-in-url"},
    /* path variables and query */
    {"GET", "/t/a%2Fb/m/caf%C3%A9", {AUTH}, NULL, 200, "\"team\":\"a/b\",\"name\":\"café\""},
    {"GET", "/t/a/m/real?name=evil", {AUTH}, NULL, 200, "\"name\":\"real\""},
    {"GET", "/t/a/m/real?name=evil", {AUTH}, NULL, 200, "\"q\":\"evil\""},
    {"GET", "/t/a/m/a+b?name=a+b", {AUTH}, NULL, 200, "\"name\":\"a+b\""},
    {"GET", "/t/a/m/a?name=a+b", {AUTH}, NULL, 200, "\"q\":\"a b\""},
    {"GET", "/t/a/m/a%00b", {AUTH}, NULL, 400, "percent-encoded"},
    {"GET", "/t/a/m/a%zz", {AUTH}, NULL, 400, "percent-encoded"},
    {"GET", "/t/a/m/a%4", {AUTH}, NULL, 400, "percent-encoded"},
    {"GET", "/t/a/m/%ff", {AUTH}, NULL, 400, "percent-encoded"},
    {"GET", "/t/a/m/b?name=%00", {AUTH}, NULL, 400, "percent-encoded"},
    {"GET", "/t/a/m/b?limit=1&limit=2", {AUTH}, NULL, 400, "given twice"},
    {"GET", "/t/a/m/b?limit=1&%6Cimit=2", {AUTH}, NULL, 400, "given twice"},
    {"GET", "/t/a/m/b?other=1", {AUTH}, NULL, 400, "no query parameter other"},
    {"GET", "/t/a/m/b?limit=0", {AUTH}, NULL, 400, "1 to 1000"},
    {"GET", "/t/a/m/b?limit=1x", {AUTH}, NULL, 400, "1 to 1000"},
    {"GET", "/t/a/m/b?limit=", {AUTH}, NULL, 400, "1 to 1000"},
    {"GET", "/t/a/m/b?limit=99", {AUTH}, NULL, 200, "\"limit\":99"},
    {"GET", "/t/a/m/b?flag", {AUTH}, NULL, 200, "\"flag\":true"},
    {"GET", "/t/a/m/b?flag=false", {AUTH}, NULL, 200, "\"flag\":false"},
    {"GET", "/t/a/m/b?flag=1", {AUTH}, NULL, 400, "true or false"},
    {"GET", "/t/a/m/b?colour=blue", {AUTH}, NULL, 400, "does not take"},
    {"GET", "/t/a/m/b?colour=red&", {AUTH}, NULL, 200, "limit"},
    {"GET", "/t/a/m/b?name=12345678901", {AUTH}, NULL, 400, "0 to 10 bytes"},
    /* bodies */
    {"PUT", "/t/a/m/b", {AUTH, JSON}, "{\"a\":1,\"b\":2}", 201, "\"members\":2"},
    {"PUT",
     "/t/a/m/b",
     {AUTH, {"Content-Type", "application/json; charset=UTF-8"}},
     "{}",
     201,
     "0"},
    {"PUT", "/t/a/m/b", {AUTH}, "{}", 415, "application/json"},
    {"PUT",
     "/t/a/m/b",
     {AUTH, {"Content-Type", "application/x-www-form-urlencoded"}},
     "a=1",
     415,
     "application/json"},
    {"PUT",
     "/t/a/m/b",
     {AUTH, {"Content-Type", "application/json; charset=latin1"}},
     "{}",
     415,
     "unsupported"},
    {"PUT",
     "/t/a/m/b",
     {AUTH, {"Content-Type", "application/jsonx"}},
     "{}",
     415,
     "unsupported"},
    {"PUT",
     "/t/a/m/b",
     {AUTH, {"Content-Type", "application/merge-patch+json"}},
     "{}",
     415,
     "unsupported"},
    {"PATCH",
     "/t/a/m/b",
     {AUTH, {"Content-Type", "application/merge-patch+json"}},
     "{}",
     201,
     "members"},
    {"PUT", "/t/a/m/b", {AUTH, JSON}, NULL, 400, "JSON object is needed"},
    {"PUT", "/t/a/m/b", {AUTH, JSON}, "{\"a\":1} x", 400, "malformed"},
    {"PUT", "/t/a/m/b", {AUTH, JSON}, "{} {}", 400, "malformed"},
    {"PUT", "/t/a/m/b", {AUTH, JSON}, "{\"a\":1,\"a\":2}", 400, "malformed"},
    {"PUT", "/t/a/m/b", {AUTH, JSON}, "{\"a\":", 400, "malformed"},
    {"PUT", "/t/a/m/b", {AUTH, JSON}, "[1]", 422, "must be a JSON object"},
    {"PUT", "/t/a/m/b", {{0}, JSON}, "[1]", 401, "unauthenticated"},
    {"GET", "/t/a/m/b", {AUTH, JSON}, "{}", 400, "takes no body"},
    {"POST", "/t/a/m/b/poke", {AUTH}, NULL, 201, "members"},
    {"PUT",
     "/t/a/m/b",
     {AUTH, JSON, {"Content-Length", "2"}, {"Transfer-Encoding", "chunked"}},
     "{}",
     400,
     "ambiguous"},
    {"PUT", "/t/a/m/b", {AUTH, JSON, {"Content-Length", "2,2"}}, "{}", 400, "ambiguous"},
    {"PUT",
     "/t/a/m/b",
     {AUTH, JSON, {"Content-Length", "1048577"}},
     "{}",
     413,
     "1048576 bytes"},
    {"DELETE", "/t/a/m/b", {AUTH}, NULL, 204, NULL},
    /* preconditions */
    {"PUT", "/t/a/m/b", {AUTH, JSON, {"If-Match", "\"12\""}}, "{}", 201, "\"version\":12"},
    {"PUT", "/t/a/m/b", {AUTH, JSON, {"If-Match", "*"}}, "{}", 201, "\"version\":-1"},
    {"PUT", "/t/a/m/b", {AUTH, JSON, {"If-Match", "12"}}, "{}", 400, "double quotes"},
    {"PUT",
     "/t/a/m/b",
     {AUTH, JSON, {"If-Match", "\"1\", \"2\""}},
     "{}",
     400,
     "one entity tag"},
    {"PUT", "/t/a/m/b", {AUTH, JSON, {"If-Match", "\"x\""}}, "{}", 412, "stale"},
    {"PUT", "/t/a/m/b", {AUTH, JSON, {"If-Match", "\"0\""}}, "{}", 412, "stale"},
    {"PUT",
     "/t/a/m/b",
     {AUTH, JSON, {"If-Match", "\"99999999999999999999999999999\""}},
     "{}",
     412,
     "stale"},
    {"PUT", "/t/a/m/b", {AUTH, JSON, {"If-Match", "W/\"1\""}}, "{}", 412, "weak"},
    {"PUT", "/t/a/m/b", {AUTH, JSON, {"If-None-Match", "*"}}, "{}", 201, "\"create\":true"},
    {"PUT", "/t/a/m/b", {AUTH, JSON, {"If-None-Match", "\"1\""}}, "{}", 400, "takes * only"},
    {"PUT",
     "/t/a/m/b",
     {AUTH, JSON, {"If-None-Match", "*"}, {"If-Match", "*"}},
     "{}",
     400,
     "exclude"},
    {"GET", "/t/a/m/b", {AUTH, {"If-None-Match", "\"7\""}}, NULL, 304, NULL},
    {"GET", "/t/a/m/b", {AUTH, {"If-None-Match", "\"5\", W/\"7\""}}, NULL, 304, NULL},
    {"GET", "/t/a/m/b", {AUTH, {"If-None-Match", "\"77\""}}, NULL, 200, "limit"},
    /* problems */
    {"GET",
     "/invalid",
     {AUTH},
     NULL,
     422,
     "{\"pointer\":\"/spec/b~1c\",\"code\":\"range\",\"message\":\"must be 1 to 5\"}"},
    {"GET", "/away", {AUTH}, NULL, 503, "try again"},
    {"GET", "/broken", {AUTH}, NULL, 500, "internal error"},
};

static void handle(struct cz_http_server *s, const struct row *r, struct cz_http_out *out)
{
    struct cz_http_pair headers[5];
    size_t n = 0;
    for (size_t i = 0; i < 5; i++)
        if (r->headers[i].name)
            headers[n++] = r->headers[i];
    struct cz_http_raw raw = {.method = r->method,
                              .target = r->target,
                              .headers = headers,
                              .headers_len = n,
                              .body = r->body,
                              .body_len = r->body ? strlen(r->body) : 0,
                              .peer = "127.0.0.1"};
    cz_http_handle(s, &raw, out);
}

static bool ends(const char *s, const char *end)
{
    size_t a = strlen(s), b = strlen(end);
    return a >= b && strcmp(s + a - b, end) == 0;
}

static void check_problem(const struct cz_http_out *out)
{
    json_t *j = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    assert_string_equal(cz_http_out_header(out, "Content-Type"),
                        "application/problem+json; charset=utf-8");
    assert_int_equal(cz_json_parse(out->body, out->body_len, &j, &err), CZ_OK);
    assert_int_equal(json_integer_value(json_object_get(j, "status")), out->status);
    assert_non_null(json_string_value(json_object_get(j, "type")));
    assert_non_null(json_string_value(json_object_get(j, "title")));
    assert_non_null(json_string_value(json_object_get(j, "detail")));
    assert_true(ends(json_string_value(json_object_get(j, "instance")),
                     cz_http_out_header(out, "X-Request-Id")));
    assert_null(strstr(out->body, "10.1.2.3"));
    assert_null(strstr(out->body, "secret detail"));
    json_decref(j);
}

static void test_table(void **state)
{
    struct cz_http_server *s = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cz_http_out out;
        handle(s, &rows[i], &out);
        if (out.status != rows[i].status || (rows[i].part == NULL) != (out.body == NULL) ||
            (rows[i].part && !strstr(out.body, rows[i].part)))
            fail_msg("%s %s: %d %s, wanted %d %s", rows[i].method, rows[i].target, out.status,
                     out.body ? out.body : "-", rows[i].status,
                     rows[i].part ? rows[i].part : "-");
        if (out.status >= 400)
            check_problem(&out);
        assert_int_equal(out.status == 401,
                         cz_http_out_header(&out, "WWW-Authenticate") != NULL);
        if (out.status == 405)
            assert_non_null(strstr(cz_http_out_header(&out, "Allow"), "OPTIONS"));
        cz_http_out_done(&out);
    }
}

static void test_headers(void **state)
{
    static const struct cz_http_pair want[] = {
        {"Content-Security-Policy", CSP},
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Cache-Control", "no-store"},
    };
    struct cz_http_server *s = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cz_http_out out;
        handle(s, &rows[i], &out);
        for (size_t k = 0; k < sizeof(want) / sizeof(want[0]); k++)
            assert_string_equal(cz_http_out_header(&out, want[k].name), want[k].value);
        for (size_t k = 0; k < out.headers_len; k++)
            assert_int_not_equal(strncasecmp(out.headers[k].name, "Access-Control", 14), 0);
        cz_http_out_done(&out);
    }
}

static const char *id_given(struct cz_http_server *s, const char *id, char *out64)
{
    struct row r = {.method = "GET", .target = "/livez", .headers = {{"X-Request-Id", id}}};
    struct cz_http_out out;
    handle(s, &r, &out);
    (void)snprintf(out64, 80, "%s", cz_http_out_header(&out, "X-Request-Id"));
    cz_http_out_done(&out);
    return out64;
}

static void test_request_id(void **state)
{
    char got[80];
    assert_string_equal(id_given(*state, "abc-DEF-123", got), "abc-DEF-123");
    assert_string_not_equal(id_given(*state, "short", got), "short");
    assert_string_not_equal(id_given(*state, "with blank and more", got),
                            "with blank and more");
    assert_string_not_equal(id_given(*state, "line\r\nSet-Cookie: x", got),
                            "line\r\nSet-Cookie: x");
    assert_int_equal(strlen(id_given(*state, "", got)), 26);
}

static void test_trace(void **state)
{
    static const char good[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    struct row r = {
        .method = "GET", .target = "/t/a/m/b", .headers = {AUTH, {"traceparent", good}}};
    struct cz_http_out out;
    handle(*state, &r, &out);
    assert_non_null(strstr(out.body, good));
    cz_http_out_done(&out);
    r.headers[1].value = "00-00000000000000000000000000000000-b7ad6b7169203331-01";
    handle(*state, &r, &out);
    assert_null(strstr(out.body, "b7ad6b7169203331"));
    assert_non_null(strstr(out.body, "\"trace\":\"00-"));
    cz_http_out_done(&out);
}

/* Of another version what is known of it is used; what is none begins a new trace. */
static void test_trace_versions(void **state)
{
#define IDS "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"
    static const struct {
        const char *given;
        bool taken;
    } t[] = {
        {"00-" IDS "-00", true},       {"01-" IDS "-01", true},
        {"cc-" IDS "-01-more", true},  {"00-" IDS "-01-more", false},
        {"cc-" IDS "-01more", false},  {"ff-" IDS "-01", false},
        {"0A-" IDS "-01", false},      {"00-" IDS "-0g", false},
        {"00-" IDS, false},            {"", false},
        {"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", false},
        {"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false},
        {"00-" IDS "-01,00-" IDS "-01", false},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct row r = {.method = "GET",
                        .target = "/t/a/m/b",
                        .headers = {AUTH, {"traceparent", t[i].given}}};
        struct cz_http_out out;
        handle(*state, &r, &out);
        if ((strstr(out.body, "\"trace\":\"00-" IDS "-0") != NULL) != t[i].taken)
            fail_msg("%s: %s", t[i].given, out.body);
        cz_http_out_done(&out);
    }
#undef IDS
}

/* What stderr got while @r was handled. cz_free. */
static char *logged(struct cz_http_server *s, const struct row *r)
{
    char text[4096] = "";
    struct cz_http_out out;
    enum cz_log_level level = cz_log_level();
    FILE *file = tmpfile();
    int keep = dup(STDERR_FILENO);
    assert_non_null(file);
    assert_true(keep >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    cz_log_set_level(CZ_LOG_INFO);
    handle(s, r, &out);
    cz_log_set_level(level);
    assert_true(dup2(keep, STDERR_FILENO) >= 0);
    (void)close(keep);
    rewind(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = 0;
    (void)fclose(file);
    cz_http_out_done(&out);
    return cz_strdup(text);
}

static void test_trace_in_log(void **state)
{
    static const char given[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    static const char id[] = "trace_id=0af7651916cd43dd8448eb211c80319c";
    struct row r = {
        .method = "GET", .target = "/broken", .headers = {AUTH, {"traceparent", given}}};
    char *text = logged(*state, &r);
    const char *failed = strstr(text, "request failed:");
    const char *line = strstr(text, "request method=GET route=/broken");
    assert_non_null(failed);
    assert_non_null(line);
    assert_non_null(strstr(failed, id));
    assert_non_null(strstr(line, id));
    cz_free(text);
}

static void test_body_limit(void **state)
{
    struct cz_http_options o = {.max_body = 16};
    struct cz_http_server *s = fixture_server(&o);
    struct cz_http_out out;
    struct row r = {.method = "PUT",
                    .target = "/t/a/m/b",
                    .headers = {AUTH, JSON},
                    .body = "{\"a\": 123456789}"};
    (void)state;
    handle(s, &r, &out); /* exactly 16 */
    assert_int_equal(out.status, 201);
    cz_http_out_done(&out);
    r.body = "{\"a\":1}          ";
    handle(s, &r, &out);
    assert_int_equal(out.status, 413);
    assert_string_equal(cz_http_out_header(&out, "Connection"), "close");
    cz_http_out_done(&out);
    cz_http_server_free(s);
}

static void test_open_metrics(void **state)
{
    struct cz_http_options o = {.open_metrics = true};
    struct cz_http_server *s = fixture_server(&o);
    struct cz_http_out out;
    struct row r = {.method = "GET", .target = "/metrics"};
    (void)state;
    handle(s, &r, &out);
    assert_int_equal(out.status, 200);
    cz_http_out_done(&out);
    cz_http_server_free(s);
}

static void test_metrics(void **state)
{
    struct cz_http_server *s = fixture_server(NULL);
    struct cz_buf b = CZ_BUF_INIT(1u << 20);
    struct cz_http_out out;
    struct row r = {.method = "GET", .target = "/t/secret-team/m/b"};
    (void)state;
    handle(s, &r, &out);
    cz_http_out_done(&out);
    r.target = "/no/such";
    handle(s, &r, &out);
    cz_http_out_done(&out);
    cz_http_server_metrics(s, &b);
    assert_non_null(strstr(b.data, "citizenk_http_requests_total{route=\"/t/{team}/m/"
                                   "{name}\",method=\"GET\",code=\"401\"} 1"));
    assert_non_null(strstr(
        b.data, "citizenk_http_requests_total{route=\"none\",method=\"any\",code=\"404\"} 1"));
    assert_non_null(strstr(b.data, "citizenk_http_request_duration_seconds_count"));
    assert_null(strstr(b.data, "secret-team"));
    cz_buf_done(&b);
    cz_http_server_free(s);
}

static enum cz_err
nop(const struct cz_http_request *rq, struct cz_http_response *rs, struct cz_error *err)
{
    (void)rq, (void)rs, (void)err;
    return CZ_OK;
}

static void refused(const struct cz_http_route *routes)
{
    struct cz_http_options o = {.routes = routes};
    struct cz_http_server *s = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    assert_int_equal(cz_http_server_new(&o, &s, &err), CZ_E_INTERNAL);
    assert_null(s);
}

static void test_bad_tables(void **state)
{
    static const struct cz_http_route no_verb[] = {
        {"GET", "/a", nop, 0, .tag = "t", .id = "i", .summary = "s"}, {0}};
    static const struct cz_http_route twice[] = {
        {"GET", "/a/{b}", nop, 0, .verb = "v", .tag = "t", .id = "i", .summary = "s"},
        {"GET", "/a/{c}", nop, 0, .verb = "v", .tag = "t", .id = "j", .summary = "s"},
        {0},
    };
    static const struct cz_http_route no_doc[] = {{"GET", "/a", nop, 0, .verb = "v"}, {0}};
    (void)state;
    refused(no_verb);
    refused(twice);
    refused(no_doc);
}

static int set_up(void **state)
{
    cz_log_set_level(CZ_LOG_ERROR);
    cz_json_init();
    *state = fixture_server(NULL);
    return *state ? 0 : 1;
}

static int tear_down(void **state)
{
    cz_http_server_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),      cmocka_unit_test(test_headers),
        cmocka_unit_test(test_request_id), cmocka_unit_test(test_trace),
        cmocka_unit_test(test_trace_versions), cmocka_unit_test(test_trace_in_log),
        cmocka_unit_test(test_body_limit), cmocka_unit_test(test_open_metrics),
        cmocka_unit_test(test_metrics),    cmocka_unit_test(test_bad_tables),
    };
    return cmocka_run_group_tests_name("http pipeline", tests, set_up, tear_down);
}
