/* SPDX-License-Identifier: Apache-2.0 */
/** Cookies, other sites' pages, old sign-ins.  Tests bear the id of their line in the security
 * checklist. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/log.h"
#include "cz/util.h"
#include "fixture.h"

#define SESSION {"Cookie", "a=b; __Host-citizenk=" COOKIE "; c=d"}
#define BEARER {"Authorization", "Bearer " TOKEN}
#define JSON {"Content-Type", "application/json"}
#define CSRF {"X-CitizenK-CSRF", "1"}
#define SAME {"Sec-Fetch-Site", "same-origin"}
#define HOST {"Host", "ck.example:8080"}

enum { MAX_HEADERS = 6 };
struct row {
    const char *method, *target;
    struct cz_http_pair headers[MAX_HEADERS];
    int status;
};

static unsigned refusals[4];

static void refused(const struct cz_http_request *rq, enum cz_http_refusal what)
{
    (void)rq;
    refusals[what]++;
}

static int ask(struct cz_http_server *s, const struct row *r)
{
    struct cz_http_pair headers[MAX_HEADERS];
    struct cz_http_out out;
    size_t n = 0;
    for (size_t i = 0; i < MAX_HEADERS; i++)
        if (r->headers[i].name)
            headers[n++] = r->headers[i];
    bool body = cz_streq(r->method, "PUT");
    struct cz_http_raw raw = {.method = r->method,
                              .target = r->target,
                              .headers = headers,
                              .headers_len = n,
                              .body = body ? "{}" : NULL,
                              .body_len = body ? 2 : 0,
                              .peer = "127.0.0.1"};
    cz_http_handle(s, &raw, &out);
    int status = out.status;
    cz_http_out_done(&out);
    return status;
}

static void play(const struct cz_http_options *with, const struct row *rows, size_t n)
{
    struct cz_http_options o = *with;
    o.refused = refused;
    struct cz_http_server *s = fixture_server(&o);
    for (size_t i = 0; i < n; i++) {
        int got = ask(s, &rows[i]);
        if (got != rows[i].status)
            fail_msg("row %zu: %s %s: %d, wanted %d", i, rows[i].method, rows[i].target, got,
                     rows[i].status);
    }
    cz_http_server_free(s);
}
#define PLAY(o, rows) play(o, rows, sizeof(rows) / sizeof(rows[0]))
#define PUT(...) "PUT", "/t/a/m/b", {__VA_ARGS__}
#define GET(...) "GET", "/t/a/m/b", {__VA_ARGS__}

/* B3: the cookie is found among others, and nothing that only looks like it. */
static void test_b3_cookie(void **state)
{
    static const struct row rows[] = {
        {GET(SESSION), 200},
        {GET({"Cookie", "__Host-citizenk=" COOKIE}), 200},
        {GET({"Cookie", "x__Host-citizenk=" COOKIE}), 401},
        {GET({"Cookie", "__Host-citizenk=" COOKIE "x"}), 401},
        {GET({"Cookie", "__Host-citizenk="}), 401},
        {GET({"Cookie", "__Host-citizenk"}), 401},
        {GET({"Cookie", "a=__Host-citizenk=" COOKIE}), 401},
        /* a header that is there counts, even when a good cookie is there too */
        {GET(SESSION, {"Authorization", "Bearer wrong"}), 401},
    };
    (void)state;
    PLAY(&(struct cz_http_options){0}, rows);
}

static void test_b5_csrf_matrix(void **state)
{
    static const struct row rows[] = {
        /* what is safe needs nothing; a bearer token never does */
        {GET(SESSION, {"Sec-Fetch-Site", "cross-site"}), 200},
        {PUT(BEARER, JSON), 201},
        {PUT(BEARER, JSON, {"Sec-Fetch-Site", "cross-site"}), 201},
        {PUT(BEARER, SESSION, JSON), 201},
        /* all three, and each one missing or wrong */
        {PUT(SESSION, SAME, JSON, CSRF), 201},
        {PUT(SESSION, JSON, CSRF), 403},
        {PUT(SESSION, SAME, CSRF), 403},
        {PUT(SESSION, SAME, {"Content-Type", "text/plain"}, CSRF), 403},
        {PUT(SESSION, SAME, {"Content-Type", "application/x-www-form-urlencoded"}, CSRF), 403},
        {PUT(SESSION, SAME, JSON), 403},
        {PUT(SESSION, SAME, JSON, {"X-CitizenK-CSRF", "0"}), 403},
        {PUT(SESSION, SAME, JSON, {"X-CitizenK-CSRF", ""}), 403},
        {PUT(SESSION, {"Sec-Fetch-Site", "same-site"}, JSON, CSRF), 403},
        {PUT(SESSION, {"Sec-Fetch-Site", "cross-site"}, JSON, CSRF), 403},
        {PUT(SESSION, {"Sec-Fetch-Site", "none"}, JSON, CSRF), 403},
        /* Sec-Fetch-Site decides when it is there */
        {PUT(SESSION, {"Sec-Fetch-Site", "cross-site"}, {"Origin", "http://ck.example:8080"}, HOST,
             JSON, CSRF),
         403},
        /* absent: the origin */
        {PUT(SESSION, {"Origin", "http://ck.example:8080"}, HOST, JSON, CSRF), 201},
        {PUT(SESSION, {"Origin", "https://ck.example:8080"}, HOST, JSON, CSRF), 201},
        {PUT(SESSION, {"Origin", "http://evil.example"}, HOST, JSON, CSRF), 403},
        {PUT(SESSION, {"Origin", "http://ck.example:8080.evil.example"}, HOST, JSON, CSRF), 403},
        {PUT(SESSION, {"Origin", "http://ck.example"}, HOST, JSON, CSRF), 403},
        {PUT(SESSION, {"Origin", "null"}, HOST, JSON, CSRF), 403},
        {PUT(SESSION, {"Origin", "http://ck.example:8080"}, JSON, CSRF), 403},
        /* no body is no way around */
        {"DELETE", "/t/a/m/b", {SESSION, SAME, CSRF}, 204},
        {"DELETE", "/t/a/m/b", {SESSION, SAME}, 403},
        {"POST", "/t/a/m/b/poke", {SESSION, SAME, CSRF}, 403},
        {"POST", "/t/a/m/b/poke", {SESSION, SAME, CSRF, JSON}, 201},
    };
    size_t wanted = 0;
    (void)state;
    memset(refusals, 0, sizeof(refusals));
    PLAY(&(struct cz_http_options){0}, rows);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        wanted += rows[i].status == 403;
    assert_int_equal(refusals[CZ_HTTP_REFUSED_CSRF], wanted); /* G1: each one is told */
}

static void test_b5_known_origin(void **state)
{
    static const struct row rows[] = {
        {PUT(SESSION, {"Origin", "https://ck.example"}, HOST, JSON, CSRF), 201},
        {PUT(SESSION, {"Origin", "http://ck.example"}, HOST, JSON, CSRF), 403},
        {PUT(SESSION, {"Origin", "http://ck.example:8080"}, HOST, JSON, CSRF), 403},
    };
    (void)state;
    PLAY(&(struct cz_http_options){.origin = "https://ck.example"}, rows);
}

/* Another site's page must not sign its visitor in as somebody else. */
static void test_b5_sign_in(void **state)
{
    static const struct row rows[] = {
        {"POST", "/enter", {{0}}, 200},
        {"POST", "/enter", {SAME}, 200},
        {"POST", "/enter", {{"Sec-Fetch-Site", "cross-site"}}, 403},
        {"POST", "/enter", {{"Sec-Fetch-Site", "same-site"}}, 403},
        {"POST", "/enter", {{"Origin", "http://evil.example"}, HOST}, 403},
        {"POST", "/enter", {{"Origin", "http://ck.example:8080"}, HOST}, 200},
    };
    (void)state;
    PLAY(&(struct cz_http_options){0}, rows);
}

static void test_c8_recent_auth(void **state)
{
#define OLD {"Cookie", "__Host-citizenk=" OLD_COOKIE}
    static const struct row rows[] = {
        {"POST", "/recent", {SESSION, SAME, CSRF}, 200},
        {"POST", "/recent", {OLD, SAME, CSRF}, 401},
        {"POST", "/recent", {BEARER}, 200},
        {"DELETE", "/t/a/m/b", {OLD, SAME, CSRF}, 204}, /* other routes do not ask */
    };
    static const struct cz_http_pair headers[] = {OLD, SAME, CSRF};
    const struct cz_http_raw raw = {
        .method = "POST", .target = "/recent", .headers = headers, .headers_len = 3};
    struct cz_http_out out;
    PLAY(&(struct cz_http_options){0}, rows);
    cz_http_handle(*state, &raw, &out);
    assert_non_null(strstr(out.body, "/problems/reauth"));
    cz_http_out_done(&out);
}

static enum cz_err nothing_but_reading(const struct cz_http_request *rq, struct cz_error *err)
{
    return cz_streq(cz_http_route(rq)->method, "GET")
               ? CZ_OK
               : cz_fail(err, CZ_E_FORBIDDEN, "t.t is not yours");
}

static void test_g1_denials_are_told(void **state)
{
    static const struct row rows[] = {
        {GET(BEARER), 200},
        {PUT(BEARER, JSON), 403},
        {"GET", "/t/a/m/b?token=x", {BEARER}, 400},
    };
    (void)state;
    memset(refusals, 0, sizeof(refusals));
    PLAY(&(struct cz_http_options){.authorize = nothing_but_reading}, rows);
    assert_int_equal(refusals[CZ_HTTP_REFUSED_VERB], 1);
    assert_int_equal(refusals[CZ_HTTP_REFUSED_TOKEN_IN_URL], 1);
    assert_int_equal(refusals[CZ_HTTP_REFUSED_CSRF], 0);
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
        cmocka_unit_test(test_b3_cookie),       cmocka_unit_test(test_b5_csrf_matrix),
        cmocka_unit_test(test_b5_known_origin), cmocka_unit_test(test_b5_sign_in),
        cmocka_unit_test(test_c8_recent_auth),  cmocka_unit_test(test_g1_denials_are_told),
    };
    return cmocka_run_group_tests_name("http auth", tests, set_up, tear_down);
}
