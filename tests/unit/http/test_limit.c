/* SPDX-License-Identifier: Apache-2.0 */
/** Too many requests: who is counted together, what is answered, what is never refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cz/log.h"
#include "cz/util.h"
#include "fixture.h"

/* A bucket of ten; the rate is one a second, so that a test's time hardly fills it. */
enum { BUCKET = 10 };

static void ask(struct cz_http_server *s, const char *target, const char *token, const char *peer,
                struct cz_http_out *out)
{
    const struct cz_http_pair headers[] = {{"Authorization", token}};
    cz_http_handle(s,
                   &(struct cz_http_raw){.method = "GET",
                                         .target = target,
                                         .headers = headers,
                                         .headers_len = token ? 1 : 0,
                                         .peer = peer},
                   out);
}

static int status(struct cz_http_server *s, const char *target, const char *token, const char *peer)
{
    struct cz_http_out out;
    ask(s, target, token, peer, &out);
    int n = out.status;
    cz_http_out_done(&out);
    return n;
}

/* How many of @n get @want. */
static int count(struct cz_http_server *s, const char *token, const char *peer, int n, int want)
{
    int got = 0;
    for (int i = 0; i < n; i++)
        got += status(s, "/t/a/m/b", token, peer) == want;
    return got;
}

#define GOOD "Bearer " TOKEN
#define BAD "Bearer wrong"

static void test_principal(void **state)
{
    (void)state;
    struct cz_http_options o = {.requests_per_second = 1};
    struct cz_http_server *s = fixture_server(&o);
    struct cz_http_out out;
    ask(s, "/t/a/m/b", GOOD, "10.0.0.1", &out);
    assert_int_equal(out.status, 200);
    assert_string_equal(cz_http_out_header(&out, "RateLimit-Policy"), "\"principal\";q=10;w=10");
    assert_string_equal(cz_http_out_header(&out, "RateLimit"), "\"principal\";r=9;t=1");
    assert_null(cz_http_out_header(&out, "Retry-After"));
    cz_http_out_done(&out);
    /* From wherever: it is one principal. */
    assert_in_range(count(s, GOOD, "10.0.0.2", 3 * BUCKET, 200), BUCKET - 1, 2 * BUCKET);
    ask(s, "/t/a/m/b", GOOD, "10.0.0.3", &out);
    assert_int_equal(out.status, 429);
    assert_non_null(strstr(out.body, "/problems/limit"));
    assert_non_null(strstr(out.body, "too many requests of this principal: more than 1 a second"));
    assert_string_equal(cz_http_out_header(&out, "Retry-After"), "1");
    assert_non_null(strstr(cz_http_out_header(&out, "RateLimit"), "\"principal\";r=0;t="));
    cz_http_out_done(&out);
    /* Who is not known is nobody's principal. */
    assert_int_equal(count(s, BAD, "10.0.0.1", BUCKET + 5, 401), BUCKET + 5);
    assert_int_equal(status(s, "/livez", GOOD, "10.0.0.1"), 200);
    cz_http_server_free(s);
}

static void test_address(void **state)
{
    (void)state;
    struct cz_http_options o = {.requests_per_second_per_ip = 1};
    struct cz_http_server *s = fixture_server(&o);
    struct cz_http_out out;
    /* Guessing tokens is counted, before they are looked up. */
    assert_in_range(count(s, BAD, "10.0.0.1", 3 * BUCKET, 401), BUCKET, 2 * BUCKET);
    ask(s, "/t/a/m/b", GOOD, "10.0.0.1", &out);
    assert_int_equal(out.status, 429);
    assert_non_null(strstr(out.body, "of this address"));
    assert_non_null(strstr(cz_http_out_header(&out, "RateLimit-Policy"), "\"address\";q=10;w=10"));
    cz_http_out_done(&out);
    assert_int_equal(status(s, "/t/a/m/b", GOOD, "10.0.0.2"), 200);
    assert_int_equal(status(s, "/livez", NULL, "10.0.0.1"), 200);
    /* A network of IPv6 is one address, the next one is another. */
    assert_in_range(count(s, BAD, "2001:db8:0:1::1", 2 * BUCKET, 401), BUCKET, 2 * BUCKET - 1);
    assert_int_equal(status(s, "/t/a/m/b", GOOD, "2001:db8:0:1:ffff::9"), 429);
    assert_int_equal(status(s, "/t/a/m/b", GOOD, "2001:db8:0:2::1"), 200);
    cz_http_server_free(s);
}

/* No proxy is trusted: what a header says of the address makes nobody another one. */
static void test_a9_forwarded_address_is_not_believed(void **state)
{
    (void)state;
    static const char *const names[] = {"X-Forwarded-For", "Forwarded", "X-Real-IP"};
    struct cz_http_options o = {.requests_per_second_per_ip = 1};
    struct cz_http_server *s = fixture_server(&o);
    int refused = 0;
    for (int i = 0; i < 3 * BUCKET; i++) {
        char value[32];
        (void)snprintf(value, sizeof(value), "%s10.1.1.%d", i % 3 == 1 ? "for=" : "", i);
        const struct cz_http_pair headers[] = {{"Authorization", GOOD}, {names[i % 3], value}};
        struct cz_http_out out;
        cz_http_handle(s,
                       &(struct cz_http_raw){.method = "GET",
                                             .target = "/t/a/m/b",
                                             .headers = headers,
                                             .headers_len = 2,
                                             .peer = "10.0.0.1"},
                       &out);
        refused += out.status == 429;
        cz_http_out_done(&out);
    }
    assert_in_range(refused, BUCKET, 2 * BUCKET);
    cz_http_server_free(s);
}

static void test_none(void **state)
{
    (void)state;
    struct cz_http_server *s = fixture_server(NULL);
    struct cz_http_out out;
    assert_int_equal(count(s, GOOD, "10.0.0.1", 50 * BUCKET, 200), 50 * BUCKET);
    ask(s, "/t/a/m/b", GOOD, "10.0.0.1", &out);
    assert_null(cz_http_out_header(&out, "RateLimit"));
    cz_http_out_done(&out);
    cz_http_server_free(s);
}

/* More askers than there are places: each is still served, and old ones are forgotten only. */
static void test_many(void **state)
{
    (void)state;
    struct cz_http_options o = {.requests_per_second_per_ip = 1};
    struct cz_http_server *s = fixture_server(&o);
    for (int i = 0; i < 20000; i++) {
        char peer[32];
        (void)snprintf(peer, sizeof(peer), "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
        assert_int_equal(status(s, "/t/a/m/b", GOOD, peer), 200);
    }
    cz_http_server_free(s);
}

int main(void)
{
    cz_log_init(CZ_LOG_ERROR, false);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_principal),
        cmocka_unit_test(test_address),
        cmocka_unit_test(test_a9_forwarded_address_is_not_believed),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests_name("limits of requests", tests, NULL, NULL);
}
