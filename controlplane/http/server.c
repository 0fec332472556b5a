/* SPDX-License-Identifier: Apache-2.0 */
/** ulfius and libmicrohttpd.  What is measured about them and answered here (guide:
 * libraries 2.1):
 *  - thread per connection, so that a handler may block; poll instead of select, so that file
 *    descriptors above 1024 work; limits of connections through libmicrohttpd's options;
 *  - the body is taken up to max_body + 1 bytes, so that a cut one is seen (413) and never
 * used;
 *  - one default endpoint for everything: routing is ours (router.c), and a callback always
 *    returns COMPLETE, because U_CALLBACK_ERROR throws the answer away;
 *  - the listening socket is made here: explicit address, clear error, known port;
 *  - the peer's address is taken from libmicrohttpd: ulfius' copy is cut for IPv6;
 *  - stop: quiesce → handlers see cz_http_stopping() → wait for what is in flight → stop →
 * close. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>
#include <ulfius.h>
#include <yder.h>

#include "cz/alloc.h"
#include "cz/log.h"
#include "http_priv.h"

struct glue {
    struct _u_instance ulfius;
    bool running;
    int fd; /* listening; libmicrohttpd's until it is quiesced */
    bool v6;
    char *cert, *key;
};

/* The connection that this thread serves: set when the request line was read. */
static _Thread_local struct cz__conn *tl_conn;

/* ---- libmicrohttpd's callbacks --------------------------------------------------------------
 */

static void peer_text(const struct sockaddr *a, char *out, size_t size)
{
    if (!a || getnameinfo(a,
                          a->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                   : sizeof(struct sockaddr_in),
                          out, (socklen_t)size, NULL, 0, NI_NUMERICHOST) != 0)
        (void)snprintf(out, size, "-");
}

static void on_connection(void *cls,
                          struct MHD_Connection *c,
                          void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct cz_http_server *s = cls;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (*socket_context)
            cz__conn_remove(&s->conns, *socket_context);
        *socket_context = NULL;
        return;
    }
    const union MHD_ConnectionInfo *fd =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    const union MHD_ConnectionInfo *addr =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    char peer[64] = "-";
    peer_text(addr ? addr->client_addr : NULL, peer, sizeof(peer));
    *socket_context = fd ? cz__conn_add(&s->conns, fd->connect_fd, peer) : NULL;
}

static void *on_request_line(void *cls, const char *uri, struct MHD_Connection *c)
{
    struct cz_http_server *s = cls;
    const union MHD_ConnectionInfo *i =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    tl_conn = i ? i->socket_context : NULL;
    if (tl_conn)
        cz__conn_state(&s->conns, tl_conn, CZ__CONN_READING);
    return ulfius_uri_logger(NULL, uri);
}

static void on_completed(void *cls,
                         struct MHD_Connection *c,
                         void **con_cls,
                         enum MHD_RequestTerminationCode code)
{
    struct cz_http_server *s = cls;
    const union MHD_ConnectionInfo *i =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    mhd_request_completed(NULL, c, con_cls, code);
    if (i && i->socket_context)
        cz__conn_state(&s->conns, i->socket_context, CZ__CONN_IDLE);
}

static void on_mhd_log(void *cls, const char *fmt, va_list ap) CZ_PRINTF(2, 0);
static void on_mhd_log(void *cls, const char *fmt, va_list ap)
{
    char text[256];
    (void)cls;
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    while (n > 0 && (size_t)n < sizeof(text) && text[n - 1] == '\n')
        text[--n] = 0;
    cz_log(CZ_LOG_DEBUG, "http", "libmicrohttpd: %s", text);
}

static void on_ulfius_log(
    void *cls, const char *app, const time_t date, const unsigned long level, const char *text)
{
    (void)cls, (void)app, (void)date;
    cz_log(level <= Y_LOG_LEVEL_ERROR ? CZ_LOG_WARN : CZ_LOG_DEBUG, "http", "%s", text);
}

/* ---- ulfius' callback -----------------------------------------------------------------------
 */

static void give(struct _u_response *response, const struct cz_http_out *out)
{
    /* A map has a key once, and an answer may set two cookies: names in another case are other
     * keys of the map, and the same header to a client. */
    for (size_t i = 0; i < out->headers_len; i++) {
        const char *name = out->headers[i].name;
        if (strcmp(name, "Set-Cookie") == 0 && u_map_has_key(response->map_header, name))
            name = "set-cookie";
        u_map_put(response->map_header, name, out->headers[i].value);
    }
    ulfius_set_binary_body_response(response, (unsigned)out->status, out->body ? out->body : "",
                                    out->body_len);
    response->status = out->status;
}

static int on_request(const struct _u_request *request, struct _u_response *response, void *arg)
{
    struct cz_http_server *s = arg;
    struct cz__conn *conn = tl_conn;
    struct cz_http_out out;
    size_t n = (size_t)u_map_count(request->map_header);
    struct cz_http_pair *headers = cz_alloc_array(n + 1, sizeof(*headers));
    const char **names = u_map_enum_keys(request->map_header);
    for (size_t i = 0; i < n; i++)
        headers[i] = (struct cz_http_pair){names[i], u_map_get(request->map_header, names[i])};
    struct cz_http_raw raw = {.method = request->http_verb,
                              .target = request->http_url,
                              .headers = headers,
                              .headers_len = n,
                              .body = request->binary_body,
                              .body_len = request->binary_body_length,
                              .peer = conn ? conn->peer : NULL};
    if (conn)
        cz__conn_state(&s->conns, conn, CZ__CONN_HANDLING);
    cz_http_handle(s, &raw, &out);
    give(response, &out);
    if (conn)
        cz__conn_state(&s->conns, conn, CZ__CONN_SENDING);
    cz_http_out_done(&out);
    cz_free(headers);
    return U_CALLBACK_COMPLETE;
}

/* ---- listening ------------------------------------------------------------------------------
 */

/* "host:port", "[v6]:port" → parts. */
static enum cz_err
split_listen(const char *listen, char host[256], char port[8], struct cz_error *err)
{
    const char *colon = strrchr(listen, ':');
    int64_t n;
    size_t len = colon ? (size_t)(colon - listen) : 0;
    if (len > 2 && listen[0] == '[' && listen[len - 1] == ']') {
        listen++;
        len -= 2;
    }
    if (!colon || len == 0 || len >= 256 || !cz_parse_i64(colon + 1, &n) || n < 0 || n > 65535)
        return cz_fail(err, CZ_E_INVALID,
                       "listen address must be HOST:PORT, as in 127.0.0.1:8080");
    memcpy(host, listen, len);
    host[len] = 0;
    (void)snprintf(port, 8, "%d", (int)n);
    return CZ_OK;
}

static enum cz_err
bind_one(const struct addrinfo *ai, const char *listen_on, int *ret, struct cz_error *err)
{
    int one = 1;
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return cz_fail_flags(err, CZ_E_IO, 0, errno, "cannot make a socket: %s",
                             strerror(errno));
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (ai->ai_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) != 0 || listen(fd, 1024) != 0) {
        int e = errno;
        (void)close(fd);
        return cz_fail_flags(err, CZ_E_IO, 0, e, "cannot listen on %s: %s", listen_on,
                             strerror(e));
    }
    *ret = fd;
    return CZ_OK;
}

static enum cz_err make_socket(struct cz_http_server *s, struct glue *g, struct cz_error *err)
{
    char host[256], port[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV},
                    *ai = NULL;
    enum cz_err rc = split_listen(s->o.listen, host, port, err);
    if (rc != CZ_OK)
        return rc;
    int e = getaddrinfo(host, port, &hints, &ai);
    if (e != 0)
        return cz_fail(err, CZ_E_INVALID, "listen address %s: %s", s->o.listen,
                       gai_strerror(e));
    rc = bind_one(ai, s->o.listen, &g->fd, err);
    g->v6 = ai->ai_family == AF_INET6;
    freeaddrinfo(ai);
    if (rc != CZ_OK)
        return rc;
    struct sockaddr_storage a;
    socklen_t len = sizeof(a);
    if (getsockname(g->fd, (struct sockaddr *)&a, &len) == 0)
        s->port = ntohs(g->v6 ? ((struct sockaddr_in6 *)&a)->sin6_port
                              : ((struct sockaddr_in *)&a)->sin_port);
    return CZ_OK;
}

static enum cz_err load_tls(struct cz_http_server *s, struct glue *g, struct cz_error *err)
{
    size_t n;
    if (!s->o.tls_cert && !s->o.tls_key)
        return CZ_OK;
    if (!s->o.tls_cert || !s->o.tls_key)
        return cz_fail(err, CZ_E_INVALID, "TLS needs both a certificate and a key");
    if (cz_read_file(s->o.tls_cert, 1 << 20, &g->cert, &n, err) != CZ_OK ||
        cz_read_file(s->o.tls_key, 1 << 20, &g->key, &n, err) != CZ_OK)
        return cz_fail_prefix(err, "TLS");
    return CZ_OK;
}

/* ---- start and stop -------------------------------------------------------------------------
 */

static struct MHD_OptionItem item(enum MHD_OPTION option, intptr_t value, void *ptr)
{
    return (struct MHD_OptionItem){.option = option, .value = value, .ptr_value = ptr};
}

static unsigned fill_options(struct cz_http_server *s, struct glue *g, struct MHD_OptionItem *o)
{
    unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
                     MHD_USE_POLL | MHD_USE_ITC | MHD_USE_ERROR_LOG;
    size_t n = 0;
    int idle = s->o.idle_ms > 0 ? s->o.idle_ms : 60000;
    o[n++] = item(MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)on_mhd_log, NULL);
    o[n++] = item(MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, s);
    o[n++] = item(MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)on_request_line, s);
    o[n++] = item(MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, s);
    o[n++] = item(MHD_OPTION_LISTEN_SOCKET, g->fd, NULL);
    o[n++] =
        item(MHD_OPTION_CONNECTION_LIMIT, s->o.connections > 0 ? s->o.connections : 1000, NULL);
    o[n++] = item(MHD_OPTION_PER_IP_CONNECTION_LIMIT,
                  s->o.connections_per_ip > 0 ? s->o.connections_per_ip : 500, NULL);
    o[n++] = item(MHD_OPTION_CONNECTION_TIMEOUT, (idle + 999) / 1000 + 1, NULL);
    o[n++] = item(MHD_OPTION_THREAD_STACK_SIZE, 1 << 20, NULL);
    o[n++] = item(MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL);
    if (g->v6)
        flags |= MHD_USE_IPv6;
    if (g->cert) {
        static char priorities[] = "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";
        flags |= MHD_USE_TLS;
        o[n++] = item(MHD_OPTION_HTTPS_MEM_CERT, 0, g->cert);
        o[n++] = item(MHD_OPTION_HTTPS_MEM_KEY, 0, g->key);
        o[n++] = item(MHD_OPTION_HTTPS_PRIORITIES, 0, priorities);
    }
    o[n] = item(MHD_OPTION_END, 0, NULL);
    return flags;
}

static void init_logs(void)
{
    y_init_logs("citizenk", Y_LOG_MODE_CALLBACK, Y_LOG_LEVEL_WARNING, NULL, NULL);
    y_set_logs_callback(on_ulfius_log, NULL, NULL);
}

static enum cz_err run_ulfius(struct cz_http_server *s, struct glue *g, struct cz_error *err)
{
    struct MHD_OptionItem options[24];
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    unsigned flags = fill_options(s, g, options);
    (void)pthread_once(&once, init_logs);
    if (ulfius_init_instance(&g->ulfius, (unsigned)s->port ? (unsigned)s->port : 1, NULL,
                             NULL) != U_OK)
        return cz_fail(err, CZ_E_INTERNAL, "ulfius does not start");
    g->running = true;
    g->ulfius.max_post_body_size = s->o.max_body + 1;
    g->ulfius.max_post_param_size = 1;
    g->ulfius.allowed_post_processor = U_POST_PROCESS_NONE;
    g->ulfius.check_utf8 = 0; /* would drop headers silently; we check what we use */
    if (ulfius_set_default_endpoint(&g->ulfius, on_request, s) != U_OK ||
        ulfius_start_framework_with_mhd_options(&g->ulfius, flags, options) != U_OK)
        return cz_fail(err, CZ_E_IO, "the HTTP server does not start on %s%s", s->o.listen,
                       g->cert ? " (are the TLS certificate and key a pair?)" : "");
    return CZ_OK;
}

static void glue_free(struct glue *g)
{
    if (g->running)
        ulfius_clean_instance(&g->ulfius);
    if (g->fd >= 0)
        (void)close(g->fd);
    cz_free(g->cert);
    cz_free(g->key);
    cz_free(g);
}

enum cz_err cz_http_server_start(struct cz_http_server *s, struct cz_error *err)
{
    struct glue *g = cz_alloc(sizeof(*g));
    g->fd = -1;
    enum cz_err rc = load_tls(s, g, err);
    if (rc == CZ_OK)
        rc = make_socket(s, g, err);
    if (rc == CZ_OK) {
        cz__conns_start(&s->conns);
        rc = run_ulfius(s, g, err);
    }
    if (rc != CZ_OK) {
        cz__conns_stop(&s->conns);
        glue_free(g);
        return rc;
    }
    s->glue = g;
    cz_log(CZ_LOG_INFO, "http", "listening address=%s port=%d tls=%s", s->o.listen, s->port,
           g->cert ? "yes" : "no");
    return CZ_OK;
}

void cz_http_server_stop(struct cz_http_server *s, cz_time deadline)
{
    struct glue *g = s->glue;
    if (!g)
        return;
    cz_http_server_drain(s);
    (void)MHD_quiesce_daemon(g->ulfius.mhd_daemon);
    cz__conns_drain(&s->conns, deadline);
    ulfius_stop_framework(&g->ulfius);
    cz__conns_stop(&s->conns);
    s->glue = NULL;
    glue_free(g);
}
