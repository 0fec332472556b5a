/* SPDX-License-Identifier: Apache-2.0 */
/** The server on loopback, talked to through raw sockets: what only shows on the wire.  Lines
 * of the security checklist (guide: control-plane, section 6) stand at the tests that cover
 * them. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/log.h"
#include "cz/thread.h"
#include "fixture.h"

/* How long to wait for what must come: the machine may be busy with other things. */
#define PATIENCE 20000
#define HOST "Host: x\r\n"
#define AUTH "Authorization: Bearer " TOKEN "\r\n"

static int dial(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static bool say(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t w = send(fd, p, n, MSG_NOSIGNAL);
        if (w <= 0)
            return false;
        p += w;
        n -= (size_t)w;
    }
    return true;
}

static bool sayz(int fd, const char *s)
{
    return say(fd, s, strlen(s));
}

/* Everything until the end or @ms of silence. */
static void hear(int fd, int ms, struct cz_buf *out)
{
    char b[4096];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (poll(&p, 1, ms) == 1) {
        ssize_t n = recv(fd, b, sizeof(b), 0);
        if (n <= 0)
            return;
        cz_buf_add(out, b, (size_t)n);
    }
}

/* Until @part has come; the rest of the answer may still be on its way. */
static void hear_until(int fd, const char *part)
{
    struct cz_buf b = CZ_BUF_INIT(1u << 20);
    char c[4096];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (!strstr(cz_buf_str(&b), part)) {
        ssize_t n = poll(&p, 1, PATIENCE) == 1 ? recv(fd, c, sizeof(c), 0) : 0;
        if (n <= 0)
            fail_msg("no \"%s\" in: %s", part, cz_buf_str(&b));
        cz_buf_add(&b, c, (size_t)n);
    }
    cz_buf_done(&b);
}

/* true: the other side ended it within @ms. */
static bool closed_within(int fd, int ms)
{
    char b[4096];
    cz_time deadline = cz_deadline_ms(ms);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (poll(&p, 1, cz_remaining_ms(deadline)) == 1)
        if (recv(fd, b, sizeof(b), 0) <= 0)
            return true;
    return false;
}

static char *ask(int port, const char *request, size_t n)
{
    struct cz_buf b = CZ_BUF_INIT(16u << 20);
    int fd = dial(port);
    assert_true(fd >= 0);
    (void)say(fd, request, n);
    hear(fd, PATIENCE, &b);
    (void)close(fd);
    return cz_buf_steal(&b);
}

static void expect(int port, const char *request, const char *start, const char *part)
{
    char *got = ask(port, request, strlen(request));
    if (strncmp(got, start, strlen(start)) != 0 || (part && !strstr(got, part)))
        fail_msg("asked %.200s\ngot %.800s\nwanted %s %s", request, got, start,
                 part ? part : "");
    cz_free(got);
}

static int start(struct cz_http_server *s)
{
    struct cz_error err = CZ_ERROR_INIT;
    if (cz_http_server_start(s, &err) != CZ_OK)
        fail_msg("%s", err.text);
    return cz_http_server_port(s);
}

/* Until the server's metrics say @line. */
static void wait_metric(struct cz_http_server *s, const char *line)
{
    struct cz_buf b = CZ_BUF_INIT(1u << 20);
    cz_time deadline = cz_deadline_ms(PATIENCE);
    for (;;) {
        cz_buf_clear(&b);
        cz_http_server_metrics(s, &b);
        if (strstr(cz_buf_str(&b), line))
            break;
        if (cz_now() > deadline)
            fail_msg("never: %s\n%s", line, cz_buf_str(&b));
        (void)poll(NULL, 0, 20);
    }
    cz_buf_done(&b);
}

struct fx {
    struct cz_http_server *s;
    int port;
};

/* A2, problem documents, HEAD, framing */
static void test_a6_wire(void **state)
{
    int port = ((struct fx *)*state)->port;
    expect(port, "GET /livez HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", "HTTP/1.1 200",
           "{\"status\":\"ok\"");
    expect(port, "GET /x HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", "HTTP/1.1 404",
           "application/problem+json");
    expect(port,
           "PUT /livez HTTP/1.1\r\n" HOST "Content-Length: 0\r\nConnection: close\r\n\r\n",
           "HTTP/1.1 405", "Allow: GET, HEAD, OPTIONS");
    expect(port, "TRACE /livez HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", "HTTP/1.1 405",
           "Allow");
    expect(port, "OPTIONS /livez HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", "HTTP/1.1 204",
           "Allow: GET, HEAD, OPTIONS");
    expect(port, "GET /t/a/m/b HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", "HTTP/1.1 401",
           "WWW-Authenticate: Bearer");
    expect(port, "GET /livez HTTP/1.1\r\n\r\n", "HTTP/1.1 400", NULL); /* A6: no Host */
    expect(port, "GET /t/a/m/real?name=evil HTTP/1.1\r\n" HOST AUTH "Connection: close\r\n\r\n",
           "HTTP/1.1 200", "\"name\":\"real\"");
    expect(port,
           "GET /t/a/m/b?limit=1&limit=2 HTTP/1.1\r\n" HOST AUTH "Connection: close\r\n\r\n",
           "HTTP/1.1 400", "given twice"); /* A10 */
    expect(port, "DELETE /t/a/m/b HTTP/1.1\r\n" HOST AUTH "Connection: close\r\n\r\n",
           "HTTP/1.1 204", NULL);
    expect(port,
           "GET /t/a/m/b HTTP/1.1\r\n" HOST AUTH
           "If-None-Match: \"7\"\r\nConnection: close\r\n\r\n",
           "HTTP/1.1 304", "ETag: \"7\"");
}

static void test_head(void **state)
{
    static const char rq[] = "HEAD /livez HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n";
    char *got = ask(((struct fx *)*state)->port, rq, sizeof(rq) - 1);
    assert_memory_equal(got, "HTTP/1.1 200", 12);
    assert_non_null(strstr(got, "Content-Length: "));
    assert_string_equal(strstr(got, "\r\n\r\n"), "\r\n\r\n");
    cz_free(got);
}

/* A1, A7 */
static void test_bodies(void **state)
{
    int port = ((struct fx *)*state)->port;
#define PUT(headers, body)                                                                     \
    "PUT /t/a/m/b HTTP/1.1\r\n" HOST AUTH "Connection: close\r\n" headers "\r\n" body
    expect(port, PUT("Content-Type: application/json\r\nContent-Length: 7\r\n", "{\"a\":1}"),
           "HTTP/1.1 201", "\"members\":1");
    expect(port, PUT("Content-Type: application/json\r\nContent-Length: 9\r\n", "{\"a\":1} x"),
           "HTTP/1.1 400", "malformed");
    expect(
        port,
        PUT("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n", "a=1"),
        "HTTP/1.1 415", "unsupported-media-type");
    expect(port,
           PUT("Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 3\r\n", "a=1"),
           "HTTP/1.1 415", "unsupported-media-type");
    expect(port,
           PUT("Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n",
               "7\r\n{\"a\":1}\r\n0\r\n\r\n"),
           "HTTP/1.1 201", "\"members\":1");
    /* A6: two lengths */
    expect(port,
           PUT("Content-Type: application/json\r\nContent-Length: 2\r\nTransfer-Encoding: "
               "chunked\r\n",
               "2\r\n{}\r\n0\r\n\r\n"),
           "HTTP/1.1 400", NULL);
    expect(port,
           PUT("Content-Type: application/json\r\nContent-Length: 2\r\nContent-Length: 7\r\n",
               "{\"a\":1}"),
           "HTTP/1.1 400", NULL);
}

/* A1: one byte too much, with a length and chunked; the limit itself passes */
static void test_a1_body_limit(void **state)
{
    enum { LIMIT = 1024 };
    struct cz_http_options o = {.max_body = LIMIT};
    struct cz_http_server *s = fixture_server(&o);
    int port = start(s);
    (void)state;
    for (int over = 0; over < 2; over++) {
        struct cz_buf body = CZ_BUF_INIT(4096), a = CZ_BUF_INIT(8192);
        cz_buf_adds(&body, "{\"a\":\"");
        while (body.len < (size_t)(LIMIT + over - 2))
            cz_buf_addc(&body, 'x');
        cz_buf_adds(&body, "\"}");
        cz_buf_addf(&a, PUT("Content-Type: application/json\r\nContent-Length: %zu\r\n", "%s"),
                    body.len, body.data);
        expect(port, a.data, over ? "HTTP/1.1 413" : "HTTP/1.1 201",
               over ? "too-large" : "members");
        cz_buf_clear(&a);
        cz_buf_addf(&a,
                    PUT("Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n",
                        "%zx\r\n%s\r\n0\r\n\r\n"),
                    body.len, body.data);
        expect(port, a.data, over ? "HTTP/1.1 413" : "HTTP/1.1 201",
               over ? "too-large" : "members");
        cz_buf_done(&body);
        cz_buf_done(&a);
    }
    cz_http_server_free(s);
}

static void test_keep_alive(void **state)
{
    static const char rq[] = "GET /livez HTTP/1.1\r\n" HOST "\r\n";
    int fd = dial(((struct fx *)*state)->port);
    for (int i = 0; i < 3; i++) {
        assert_true(say(fd, rq, sizeof(rq) - 1));
        hear_until(fd, "\"ok\"");
        (void)poll(NULL, 0, 20);
    }
    (void)close(fd);
}

/* A4: 200 idle sockets, and handlers that sleep, do not keep /livez from answering */
static void test_a4_idle_and_slow(void **state)
{
    enum { IDLE = 200, SLOW = 8 };
    static const char hold[] = "GET /hold HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n";
    int port = ((struct fx *)*state)->port;
    int idle[IDLE], busy[SLOW];
    for (int i = 0; i < IDLE; i++)
        assert_true((idle[i] = dial(port)) >= 0);
    for (int i = 0; i < SLOW; i++) {
        busy[i] = dial(port);
        assert_true(say(busy[i], hold, sizeof(hold) - 1));
    }
    while (atomic_load(&fixture_held) < SLOW)
        (void)poll(NULL, 0, 10);
    expect(port, "GET /livez HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", "HTTP/1.1 200",
           "\"ok\"");
    assert_int_equal(atomic_load(&fixture_held), SLOW); /* they are all still there */
    atomic_store(&fixture_release, true);
    for (int i = 0; i < SLOW; i++) {
        hear_until(busy[i], "held");
        (void)close(busy[i]);
    }
    for (int i = 0; i < IDLE; i++)
        (void)close(idle[i]);
}

/* A4: inactivity is not enough: a client that drips bytes is cut after the limit of its state
 */
static bool cut_while_dripping(int port, const char *first, int ms)
{
    int fd = dial(port);
    cz_time deadline = cz_deadline_ms(ms);
    bool cut = false;
    assert_true(say(fd, first, strlen(first)));
    while (!cut && cz_now() < deadline)
        cut = closed_within(fd, 100) || !sayz(fd, "a");
    (void)close(fd);
    return cut;
}

static void test_a4_reaper(void **state)
{
    struct cz_http_options o = {
        .header_ms = 400, .request_ms = 600, .idle_ms = 500, .send_ms = 700};
    struct cz_http_server *s = fixture_server(&o);
    int port = start(s);
    (void)state;
    int fd = dial(port);
    assert_true(closed_within(fd, PATIENCE)); /* says nothing */
    (void)close(fd);
    assert_true(cut_while_dripping(port, "GET /livez", PATIENCE));
    assert_true(cut_while_dripping(port, "GET /livez HTTP/1.1\r\n" HOST "X: ", PATIENCE));
    assert_true(cut_while_dripping(
        port, PUT("Content-Type: application/json\r\nContent-Length: 1000\r\n", "{"),
        PATIENCE));
    fd = dial(port); /* kept alive, then idle */
    assert_true(sayz(fd, "GET /livez HTTP/1.1\r\n" HOST "\r\n"));
    assert_true(closed_within(fd, PATIENCE));
    (void)close(fd);
    fd = dial(port); /* a handler is not cut, however long it takes */
    assert_true(sayz(fd, "GET /slow?ms=999 HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"));
    struct cz_buf b = CZ_BUF_INIT(1u << 16);
    hear(fd, PATIENCE, &b);
    assert_non_null(strstr(cz_buf_str(&b), "slept"));
    cz_buf_done(&b);
    (void)close(fd);
    cz_http_server_free(s);
}

/* A client that does not read its answer is cut as well. */
static void test_a4_reader_that_stops(void **state)
{
    struct cz_http_options o = {.send_ms = 500};
    struct cz_http_server *s = fixture_server(&o);
    int port = start(s);
    int small = 4096;
    (void)state;
    int fd = dial(port);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    assert_true(sayz(fd, "GET /big HTTP/1.1\r\n" HOST "\r\n"));
    wait_metric(s, "citizenk_http_connections_reaped_total 1\n");
    (void)close(fd);
    cz_http_server_free(s);
}

static void test_a4_connection_limit(void **state)
{
    struct cz_http_options o = {.connections = 4, .connections_per_ip = 4};
    struct cz_http_server *s = fixture_server(&o);
    int port = start(s), fd[4];
    (void)state;
    for (int i = 0; i < 4; i++)
        fd[i] = dial(port);
    wait_metric(s, "connections_accepted_total 4\n");
    int more = dial(port);
    if (more >= 0) {
        (void)sayz(more, "GET /livez HTTP/1.1\r\n" HOST "\r\n");
        struct cz_buf b = CZ_BUF_INIT(1u << 16);
        hear(more, 500, &b);
        assert_int_equal(b.len, 0);
        cz_buf_done(&b);
        (void)close(more);
    }
    (void)close(fd[0]);
    wait_metric(s, "citizenk_http_connections{state=\"new\"} 3\n");
    expect(port, "GET /livez HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", "HTTP/1.1 200",
           NULL);
    for (int i = 1; i < 4; i++)
        (void)close(fd[i]);
    cz_http_server_free(s);
}

/* A3 */
static void test_a3_listen(void **state)
{
    static const char *const bad[] = {"8080",        ":8080",
                                      "127.0.0.1:",  "127.0.0.1:70000",
                                      "127.0.0.1:x", "no.such.host.invalid:1"};
    struct cz_error err = CZ_ERROR_INIT;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct cz_http_options o = {.listen = bad[i]};
        struct cz_http_server *s = fixture_server(&o);
        cz_error_reset(&err);
        assert_int_equal(cz_http_server_start(s, &err), CZ_E_INVALID);
        cz_http_server_free(s);
    }
    char used[64];
    (void)snprintf(used, sizeof(used), "127.0.0.1:%d", ((struct fx *)*state)->port);
    struct cz_http_options o = {.listen = used};
    struct cz_http_server *s = fixture_server(&o);
    cz_error_reset(&err);
    assert_int_equal(cz_http_server_start(s, &err), CZ_E_IO);
    assert_non_null(strstr(err.text, used));
    assert_int_equal(err.detail, EADDRINUSE);
    cz_http_server_free(s);
}

static void test_ipv6(void **state)
{
    struct cz_http_options o = {.listen = "[::1]:0"};
    struct cz_http_server *s = fixture_server(&o);
    struct cz_error err = CZ_ERROR_INIT;
    (void)state;
    if (cz_http_server_start(s, &err) != CZ_OK) { /* a machine without IPv6 */
        cz_http_server_free(s);
        skip();
    }
    struct sockaddr_in6 a = {.sin6_family = AF_INET6,
                             .sin6_port = htons((uint16_t)cz_http_server_port(s)),
                             .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    struct cz_buf b = CZ_BUF_INIT(1u << 16);
    static const char rq[] = "GET /livez HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n";
    assert_true(say(fd, rq, sizeof(rq) - 1));
    hear(fd, PATIENCE, &b);
    assert_non_null(strstr(cz_buf_str(&b), "\"ok\""));
    cz_buf_done(&b);
    (void)close(fd);
    cz_http_server_free(s);
}

static void *stop_main(void *arg)
{
    cz_http_server_stop(arg, cz_deadline_ms(5000));
    return NULL;
}

/* Stop: no new connections, long waits are woken, what is in flight is answered. */
static void test_graceful_stop(void **state)
{
    struct cz_http_server *s = fixture_server(NULL);
    int port = start(s);
    struct cz_buf a = CZ_BUF_INIT(1u << 16), b = CZ_BUF_INIT(1u << 16);
    struct cz_thread t = {0};
    (void)state;
    int slow = dial(port), wait = dial(port), idle = dial(port);
    assert_true(sayz(slow, "GET /slow?ms=600 HTTP/1.1\r\n" HOST "\r\n"));
    assert_true(sayz(wait, "GET /wait HTTP/1.1\r\n" HOST "\r\n"));
    wait_metric(s, "citizenk_http_connections{state=\"handling\"} 2\n");
    wait_metric(s, "citizenk_http_connections{state=\"new\"} 1\n");
    cz_time begin = cz_now();
    cz_thread_start(&t, "stop", stop_main, s);
    hear(slow, PATIENCE, &a);
    hear(wait, PATIENCE, &b);
    assert_non_null(strstr(cz_buf_str(&a), "slept"));
    assert_non_null(strstr(cz_buf_str(&a), "Connection: close"));
    assert_non_null(strstr(cz_buf_str(&b), "\"woken\":true"));
    cz_thread_join(&t);
    assert_true(cz_now() - begin < PATIENCE * CZ_MS);
    assert_true(closed_within(idle, 1000));
    assert_int_equal(dial(port), -1);
    (void)close(slow);
    (void)close(wait);
    (void)close(idle);
    cz_buf_done(&a);
    cz_buf_done(&b);
    cz_http_server_free(s);
}

/* Junk on the wire: the server goes on. */
static void test_a6_junk(void **state)
{
    static const char *const junk[] = {
        "\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00",
        "GET /%%%% HTTP/1.1\r\n" HOST "\r\n",
        "GET /livez?%00=%00&&&=&a HTTP/1.1\r\n" HOST "\r\n",
        "PUT /t/a/m/b HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        "PUT /t/a/m/b HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n",
        "PUT /t/a/m/b HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\n",
        "GET /livez HTTP/1.1\r\n" HOST "Cookie: ;;;=;\r\nAuthorization: Basic ====\r\n\r\n",
    };
    int port = ((struct fx *)*state)->port;
    for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
        struct cz_buf b = CZ_BUF_INIT(1u << 16);
        int fd = dial(port);
        (void)say(fd, junk[i], strlen(junk[i]));
        hear(fd, 60, &b);
        (void)close(fd);
        cz_buf_done(&b);
    }
    expect(port, "GET /livez HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", "HTTP/1.1 200",
           NULL);
}

static int set_up(void **state)
{
    static struct fx fx;
    cz_log_set_level(CZ_LOG_ERROR);
    cz_json_init();
    fx.s = fixture_server(NULL);
    fx.port = start(fx.s);
    *state = &fx;
    return 0;
}

static int tear_down(void **state)
{
    cz_http_server_free(((struct fx *)*state)->s);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a6_wire),
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_a1_body_limit),
        cmocka_unit_test(test_keep_alive),
        cmocka_unit_test(test_a4_idle_and_slow),
        cmocka_unit_test(test_a4_reaper),
        cmocka_unit_test(test_a4_reader_that_stops),
        cmocka_unit_test(test_a4_connection_limit),
        cmocka_unit_test(test_a3_listen),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_graceful_stop),
        cmocka_unit_test(test_a6_junk),
    };
    return cmocka_run_group_tests_name("http server", tests, set_up, tear_down);
}
