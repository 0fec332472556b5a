/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_registry.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/util.h"

enum { TICK_MS = 20, REQUEST = 65536, WAIT_MS = 10000 };

static const char none[] = "{\"error_code\":40403,\"message\":\"Schema not found\"}";

static void check(bool ok, const char *what)
{
    if (ok)
        return;
    perror(what);
    abort();
}

/* A whole request; false: the client went. */
static bool receive(int fd, char *text)
{
    size_t len = 0;
    for (;;) {
        ssize_t n = read(fd, text + len, REQUEST - 1 - len);
        if (n <= 0)
            return false;
        len += (size_t)n;
        text[len] = '\0';
        const char *end = strstr(text, "\r\n\r\n");
        if (!end)
            continue;
        const char *length = strcasestr(text, "\r\ncontent-length:");
        size_t body = length && length < end ? (size_t)strtoul(length + 17, NULL, 10) : 0;
        if (len >= (size_t)(end + 4 - text) + body)
            return true;
    }
}

static void note(struct fake_registry *f, const char *request, const char *text)
{
    const char *auth = strcasestr(text, "\r\nauthorization: "), *body = strstr(text, "\r\n\r\n");
    f->authorization[0] = '\0';
    if (auth)
        (void)snprintf(f->authorization, sizeof f->authorization, "%.*s", (int)strcspn(auth + 17, "\r"), auth + 17);
    json_object_set_new(f->bodies, request, json_string(body ? body + 4 : ""));
    json_object_set_new(f->asked, request,
                        json_integer(json_integer_value(json_object_get(f->asked, request)) + 1));
    f->total++;
    cz_cond_broadcast(&f->changed);
}

static void answer(struct fake_registry *f, int fd, const char *text)
{
    char method[16] = "", path[512] = "";
    (void)sscanf(text, "%15s %511s", method, path);
    CZ_CLEANUP(cz_freep) char *request = cz_strf("%s %s", method, path);
    CZ_CLEANUP(cz_freep) char *reply = NULL;
    {
        CZ_LOCKED(&f->lock);
        const json_t *known = json_object_get(f->answers, request);
        int status = known ? (int)json_integer_value(json_array_get(known, 0)) : 404;
        const char *body = known ? json_string_value(json_array_get(known, 1)) : none;
        status = f->broken ? f->broken : status;
        reply = cz_strf("HTTP/1.1 %d x\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
                        "Connection: close\r\n\r\n%s", status, strlen(body), body);
        note(f, request, text);
    }
    check(write(fd, reply, strlen(reply)) == (ssize_t)strlen(reply), "write");
}

static bool stopped(struct fake_registry *f)
{
    CZ_LOCKED(&f->lock);
    return f->stop;
}

static void *serve(void *arg)
{
    struct fake_registry *f = arg;
    char *text = cz_alloc(REQUEST);
    while (!stopped(f)) {
        struct pollfd p = {.fd = f->fd, .events = POLLIN};
        if (poll(&p, 1, TICK_MS) <= 0)
            continue;
        int fd = accept(f->fd, NULL, NULL);
        if (fd < 0)
            continue;
        if (receive(fd, text))
            answer(f, fd, text);
        (void)close(fd);
    }
    cz_free(text);
    return NULL;
}

void fake_registry_start(struct fake_registry *f)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    *f = (struct fake_registry){.answers = json_object(), .asked = json_object(), .bodies = json_object()};
    cz_mutex_init(&f->lock);
    cz_cond_init(&f->changed);
    f->fd = socket(AF_INET, SOCK_STREAM, 0);
    check(f->fd >= 0 && bind(f->fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(f->fd, 16) == 0 &&
              getsockname(f->fd, (struct sockaddr *)&at, &len) == 0,
          "fake registry");
    (void)snprintf(f->url, sizeof f->url, "http://127.0.0.1:%d", (int)ntohs(at.sin_port));
    f->conf.url = f->url;
    cz_thread_start(&f->thread, "registry", serve, f);
}

void fake_registry_stop(struct fake_registry *f)
{
    cz_mutex_lock(&f->lock);
    f->stop = true;
    cz_mutex_unlock(&f->lock);
    cz_thread_join(&f->thread);
    (void)close(f->fd);
    json_decref(f->answers);
    json_decref(f->asked);
    json_decref(f->bodies);
    cz_cond_done(&f->changed);
    cz_mutex_done(&f->lock);
}

void fake_registry_answer(struct fake_registry *f, const char *request, int status, const char *body)
{
    CZ_LOCKED(&f->lock);
    json_object_set_new(f->answers, request, json_pack("[i,s]", status, body));
}

void fake_registry_schema(struct fake_registry *f, unsigned id, const char *type, const char *text)
{
    json_t *o = json_pack("{s:s,s:s}", "schema", text, "schemaType", type);
    CZ_CLEANUP(cz_freep) char *body = cz_json_text(o, false);
    CZ_CLEANUP(cz_freep) char *request = cz_strf("GET /schemas/ids/%u", id);
    json_decref(o);
    fake_registry_answer(f, request, 200, body);
}

void fake_registry_break(struct fake_registry *f, int status)
{
    CZ_LOCKED(&f->lock);
    f->broken = status;
}

int fake_registry_asked(struct fake_registry *f, const char *request)
{
    CZ_LOCKED(&f->lock);
    return request ? (int)json_integer_value(json_object_get(f->asked, request)) : f->total;
}

bool fake_registry_wait(struct fake_registry *f, int n)
{
    cz_time deadline = cz_deadline_ms(WAIT_MS);
    CZ_LOCKED(&f->lock);
    while (f->total < n) {
        if (!cz_cond_wait(&f->changed, &f->lock, deadline))
            return false;
    }
    return true;
}
