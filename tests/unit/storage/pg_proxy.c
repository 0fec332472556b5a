/* SPDX-License-Identifier: Apache-2.0 */
/* The misbehaving proxy: a poll loop over pairs of sockets. */
#include "pg_proxy.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "store_test.h"

enum { MAX_PAIRS = 64, CHUNK = 64 * 1024 };

struct pair {
    int client, server;   /* -1: closed */
    bool swallow, doomed; /* drop the server's answer; end both at the server's next word */
};
struct pg_proxy {
    struct sockaddr_storage addr;
    socklen_t addr_len;
    int listener;
    char port[16];
    struct cz_thread thread;
    struct pair pairs[MAX_PAIRS];
    _Atomic int mode;
    _Atomic bool stop;
};

static int connect_server(const struct pg_proxy *p)
{
    int fd = socket(p->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&p->addr, p->addr_len) != 0) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

static void end(struct pair *q)
{
    if (q->client >= 0)
        (void)close(q->client);
    if (q->server >= 0)
        (void)close(q->server);
    *q = (struct pair){.client = -1, .server = -1};
}

static void take(struct pg_proxy *p, int mode)
{
    int fd = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
    for (size_t i = 0; fd >= 0 && mode != PROXY_REFUSE && i < MAX_PAIRS; i++) {
        struct pair *q = &p->pairs[i];
        if (q->client >= 0 || q->server >= 0)
            continue;
        q->client = fd;
        q->server = connect_server(p);
        if (q->server < 0)
            end(q);
        return;
    }
    if (fd >= 0)
        (void)close(fd);
}

static bool send_all(int fd, const char *data, size_t n)
{
    while (n > 0) {
        ssize_t k = send(fd, data, n, MSG_NOSIGNAL);
        if (k <= 0)
            return false;
        data += k;
        n -= (size_t)k;
    }
    return true;
}

/* The client sent COMMIT. false: it is not passed on as it is. */
static bool at_commit(struct pg_proxy *p, struct pair *q, int mode, const char *data, size_t n)
{
    if (mode < PROXY_CUT_BEFORE_COMMIT)
        return true;
    atomic_store(&p->mode, mode == PROXY_REFUSE_FROM_COMMIT ? PROXY_REFUSE : PROXY_PASS);
    if (mode == PROXY_CUT_AFTER_COMMIT) {
        q->doomed = true;
        return true;
    }
    if (mode == PROXY_CUT_DURING_COMMIT && send_all(q->server, data, n)) {
        q->swallow = true;
        (void)close(q->client);
        q->client = -1;
    } else {
        end(q);
    }
    return false;
}

static void from_client(struct pg_proxy *p, struct pair *q, int mode)
{
    static const char commit[] = "Q\0\0\0\x0b"
                                 "COMMIT";
    static char data[CHUNK];
    ssize_t n = recv(q->client, data, sizeof(data), 0);
    if (n <= 0) {
        end(q);
        return;
    }
    if (memmem(data, (size_t)n, commit, sizeof(commit)) &&
        !at_commit(p, q, mode, data, (size_t)n))
        return;
    if (!send_all(q->server, data, (size_t)n))
        end(q);
}

static void from_server(struct pair *q)
{
    static char data[CHUNK];
    ssize_t n = recv(q->server, data, sizeof(data), 0);
    if (n <= 0 || q->doomed || q->swallow || !send_all(q->client, data, (size_t)n))
        end(q);
}

static void turn(struct pg_proxy *p)
{
    struct pollfd fds[1 + 2 * MAX_PAIRS];
    int mode = atomic_load(&p->mode);
    for (size_t i = 0; mode == PROXY_REFUSE && i < MAX_PAIRS; i++)
        end(&p->pairs[i]);
    fds[0] = (struct pollfd){.fd = p->listener, .events = POLLIN};
    for (size_t i = 0; i < MAX_PAIRS; i++) {
        bool deaf = mode == PROXY_STALL;
        fds[1 + 2 * i] =
            (struct pollfd){.fd = deaf ? -1 : p->pairs[i].client, .events = POLLIN};
        fds[2 + 2 * i] =
            (struct pollfd){.fd = deaf ? -1 : p->pairs[i].server, .events = POLLIN};
    }
    if (poll(fds, 1 + 2 * MAX_PAIRS, 10) <= 0 || mode != atomic_load(&p->mode))
        return;
    for (size_t i = 0; i < MAX_PAIRS; i++) {
        struct pair *q = &p->pairs[i];
        if (fds[1 + 2 * i].revents && q->client >= 0)
            from_client(p, q, atomic_load(&p->mode));
        if (fds[2 + 2 * i].revents && q->server >= 0)
            from_server(q);
    }
    if (fds[0].revents)
        take(p, mode);
}

static void *proxy_main(void *arg)
{
    struct pg_proxy *p = arg;
    while (!atomic_load(&p->stop))
        turn(p);
    return NULL;
}

static void set_address(struct pg_proxy *p, const char *host, const char *port)
{
    if (host[0] == '/') {
        struct sockaddr_un un = {.sun_family = AF_UNIX};
        (void)snprintf(un.sun_path, sizeof(un.sun_path), "%.80s/.s.PGSQL.%.8s", host, port);
        memcpy(&p->addr, &un, sizeof(un));
        p->addr_len = sizeof(un);
        return;
    }
    struct addrinfo *ai = NULL;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    assert_int_equal(getaddrinfo(host, port, &hints, &ai), 0);
    memcpy(&p->addr, ai->ai_addr, ai->ai_addrlen);
    p->addr_len = ai->ai_addrlen;
    freeaddrinfo(ai);
}

struct pg_proxy *pg_proxy_new(const char *host, const char *port)
{
    struct pg_proxy *p = cz_alloc(sizeof(*p));
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(in);
    for (size_t i = 0; i < MAX_PAIRS; i++)
        p->pairs[i] = (struct pair){.client = -1, .server = -1};
    set_address(p, host, port);
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(p->listener, (const struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(listen(p->listener, 64), 0);
    assert_int_equal(getsockname(p->listener, (struct sockaddr *)&in, &len), 0);
    (void)snprintf(p->port, sizeof(p->port), "%d", ntohs(in.sin_port));
    cz_thread_start(&p->thread, "pg-proxy", proxy_main, p);
    return p;
}

void pg_proxy_free(struct pg_proxy *p)
{
    atomic_store(&p->stop, true);
    cz_thread_join(&p->thread);
    for (size_t i = 0; i < MAX_PAIRS; i++)
        end(&p->pairs[i]);
    (void)close(p->listener);
    cz_free(p);
}

const char *pg_proxy_port(const struct pg_proxy *p)
{
    return p->port;
}

void pg_proxy_set(struct pg_proxy *p, enum pg_proxy_mode mode)
{
    atomic_store(&p->mode, (int)mode);
}

enum pg_proxy_mode pg_proxy_get(struct pg_proxy *p)
{
    return (enum pg_proxy_mode)atomic_load(&p->mode);
}
