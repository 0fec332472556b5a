/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP by libcurl: one easy handle, so that connections are kept between requests.  Certificates
 * and keys that come as text are handed to libcurl as files in memory: its GnuTLS build takes them
 * in no other way, and a key has no business on a disk. */
#include "cz/http_client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cz/alloc.h"
#include "cz/util.h"

enum {
    DEFAULT_MS = 30000,
    CONNECT_MS = 5000,
    CONNECT_ONE_OF_MANY_MS = 2000,
    MAX_HEADER = 8192
};

/* Text as a file without a name. */
struct memory_file {
    bool open;
    int fd;
    char path[32];
};
struct cz_client {
    CURL *curl;
    char **servers;
    size_t servers_len, good; /* good: the one that answered last */
    char *authorization;      /* "Authorization: Bearer …"; NULL: none */
    char *user, *password, *key_password;
    char *name, *accept; /* whole headers; name may be NULL */
    char *ca_file;
    struct memory_file ca, certificate, key;
    const atomic_bool *cancel;
    bool any_hostname;
    size_t max_answer;
    int connect_ms;
    char error[CURL_ERROR_SIZE];
};

static void wipe(char *s)
{
    if (s)
        explicit_bzero(s, strlen(s));
    cz_free(s);
}

static enum cz_err memory_file(struct memory_file *f, const char *text, struct cz_error *err)
{
    size_t n = text ? strlen(text) : 0;
    if (!text)
        return CZ_OK;
    f->fd = memfd_create("pem", MFD_CLOEXEC);
    if (f->fd < 0)
        return cz_fail(err, CZ_E_IO, "no memory file for a certificate");
    f->open = true;
    (void)snprintf(f->path, sizeof f->path, "/proc/self/fd/%d", f->fd);
    for (size_t done = 0; done < n;) {
        ssize_t w = write(f->fd, text + done, n - done);
        if (w <= 0)
            return cz_fail(err, CZ_E_IO, "no memory file for a certificate");
        done += (size_t)w;
    }
    return CZ_OK;
}

static void memory_file_done(struct memory_file *f)
{
    if (f->open)
        (void)close(f->fd);
}

void cz_client_free(struct cz_client *c)
{
    if (!c)
        return;
    if (c->curl)
        curl_easy_cleanup(c->curl);
    for (size_t i = 0; i < c->servers_len; i++)
        cz_free(c->servers[i]);
    cz_free(c->servers);
    wipe(c->authorization);
    wipe(c->user);
    wipe(c->password);
    wipe(c->key_password);
    memory_file_done(&c->ca);
    memory_file_done(&c->certificate);
    memory_file_done(&c->key);
    cz_free(c->name);
    cz_free(c->accept);
    cz_free(c->ca_file);
    cz_free(c);
}

static const char *host_of(const char *url)
{
    if (strncasecmp(url, "http://", 7) == 0)
        return url + 7;
    return strncasecmp(url, "https://", 8) == 0 ? url + 8 : NULL;
}

enum cz_err cz_client_check_url(const char *url, bool with_path, struct cz_error *err)
{
    const char *host = host_of(url);
    if (!host)
        return cz_fail(err, CZ_E_INVALID, "server \"%s\": must begin with http:// or https://",
                       url);
    size_t n = strcspn(host, "/");
    if (n == 0 || memchr(host, '@', n) || strpbrk(host, " \t\r\n?#"))
        return cz_fail(err, CZ_E_INVALID, "server \"%s\": must be http://host:port", url);
    if (!with_path && host[n] && strcmp(host + n, "/") != 0)
        return cz_fail(err, CZ_E_INVALID, "server \"%s\": must have no path", url);
    return CZ_OK;
}

static enum cz_err check_token(const char *token, struct cz_error *err)
{
    for (const char *p = token; *p; p++)
        if (*p <= ' ' || *p == 0x7f)
            return cz_fail(err, CZ_E_INVALID,
                           "the token has characters that no token can have");
    return CZ_OK;
}

static void copy_options(struct cz_client *c, const struct cz_client_options *o)
{
    c->servers = cz_alloc_array(o->servers_len, sizeof *c->servers);
    for (size_t i = 0; i < o->servers_len; i++) {
        size_t n = strlen(o->servers[i]);
        c->servers[c->servers_len++] =
            cz_strndup(o->servers[i], n - (o->servers[i][n - 1] == '/'));
    }
    if (o->token)
        c->authorization = cz_strf("Authorization: Bearer %s", o->token);
    if (o->name)
        c->name = cz_strf("X-CitizenK-Client: %s", o->name);
    c->accept = cz_strf("Accept: %s", o->accept ? o->accept : "application/json");
    c->user = cz_strdup(o->user);
    c->password = cz_strdup(o->password);
    c->key_password = cz_strdup(o->key_password);
    c->ca_file = cz_strdup(o->ca_file);
    c->any_hostname = o->any_hostname;
    c->cancel = o->cancel;
    c->max_answer = o->max_answer;
    c->connect_ms = o->connect_ms        ? o->connect_ms
                    : c->servers_len > 1 ? CONNECT_ONE_OF_MANY_MS
                                         : CONNECT_MS;
}

enum cz_err
cz_client_new(const struct cz_client_options *o, struct cz_client **ret, struct cz_error *err)
{
    enum cz_err rc = o->token ? check_token(o->token, err) : CZ_OK;
    for (size_t i = 0; rc == CZ_OK && i < o->servers_len; i++)
        rc = cz_client_check_url(o->servers[i], o->with_path, err);
    if (rc)
        return rc;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return cz_fail(err, CZ_E_INTERNAL, "libcurl cannot be initialised");
    struct cz_client *c = cz_alloc(sizeof *c);
    c->curl = curl_easy_init();
    copy_options(c, o);
    rc = memory_file(&c->ca, o->ca_pem, err);
    if (!rc)
        rc = memory_file(&c->certificate, o->certificate_pem, err);
    if (!rc)
        rc = memory_file(&c->key, o->key_pem, err);
    if (!rc && !c->curl)
        rc = cz_fail(err, CZ_E_INTERNAL, "libcurl cannot be initialised");
    if (rc) {
        cz_client_free(c);
        return rc;
    }
    *ret = c;
    return CZ_OK;
}

void cz_client_encode(struct cz_buf *out, const char *s)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     (c >= '0' && c <= '9') || strchr("-._~", c);
        if (plain)
            cz_buf_addc(out, *s);
        else
            cz_buf_addf(out, "%%%02X", c);
    }
}

void cz_client_reply_done(struct cz_client_reply *r)
{
    cz_buf_done(&r->body);
    cz_free(r->etag);
    cz_free(r->request_id);
    cz_free(r->next);
    *r = (struct cz_client_reply){0};
}

/* ---- one attempt ----------------------------------------------------------------------------
 */

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    struct cz_client_reply *r = arg;
    cz_buf_add(&r->body, p, size * n);
    return r->body.failed ? 0 : size * n;
}

/* The value of the header @name without blanks and quotes, or NULL when it is another header.
 */
static char *header_value(const char *p, size_t n, const char *name)
{
    size_t skip = strlen(name);
    if (n <= skip || strncasecmp(p, name, skip) != 0 || p[skip] != ':')
        return NULL;
    p += skip + 1;
    n -= skip + 1;
    while (n > 0 && strchr(" \t\"", *p)) {
        p++;
        n--;
    }
    while (n > 0 && strchr(" \t\r\n\"", p[n - 1]))
        n--;
    return cz_strndup(p, n < MAX_HEADER ? n : MAX_HEADER);
}

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
    struct cz_client_reply *r = arg;
    char *etag = header_value(p, size * n, "etag");
    char *request_id = header_value(p, size * n, "x-request-id");
    char *next = header_value(p, size * n, "x-citizenk-next");
    if (etag) {
        cz_free(r->etag);
        r->etag = etag;
    }
    if (request_id) {
        cz_free(r->request_id);
        r->request_id = request_id;
    }
    if (next) {
        cz_free(r->next);
        r->next = next;
    }
    CZ_CLEANUP(cz_freep) char *later = header_value(p, size * n, "retry-after");
    if (later && !cz_parse_i64(later, &r->retry_after_s))
        r->retry_after_s = 0;
    return size * n;
}

static struct curl_slist *headers_of(const struct cz_client *c,
                                     const struct cz_client_request *rq)
{
    struct curl_slist *list = NULL;
    list = curl_slist_append(list, c->accept);
    if (c->name)
        list = curl_slist_append(list, c->name);
    list = curl_slist_append(list, "Expect:"); /* no wait for 100-continue */
    if (c->authorization)
        list = curl_slist_append(list, c->authorization);
    if (rq->body || strcmp(rq->method, "GET") != 0) {
        CZ_CLEANUP(cz_freep)
        char *type = cz_strf("Content-Type: %s", rq->type ? rq->type : "application/json");
        list = curl_slist_append(list, type);
    }
    if (rq->if_match) {
        CZ_CLEANUP(cz_freep) char *match = cz_strf("If-Match: \"%s\"", rq->if_match);
        list = curl_slist_append(list, match);
    }
    if (rq->create_only)
        list = curl_slist_append(list, "If-None-Match: *");
    return list;
}

static bool is_loopback(const char *url)
{
    const char *host = host_of(url);
    return host && (strncmp(host, "127.", 4) == 0 || strncmp(host, "localhost", 9) == 0 ||
                    strncmp(host, "[::1]", 5) == 0);
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)a, (void)b, (void)c, (void)d;
    return atomic_load((const atomic_bool *)arg);
}

static void set_security(const struct cz_client *c)
{
    CURL *h = c->curl;
    curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, c->any_hostname ? 0L : 2L);
    if (c->ca.open)
        curl_easy_setopt(h, CURLOPT_CAINFO, c->ca.path);
    else if (c->ca_file)
        curl_easy_setopt(h, CURLOPT_CAINFO, c->ca_file);
    if (c->certificate.open)
        curl_easy_setopt(h, CURLOPT_SSLCERT, c->certificate.path);
    if (c->key.open)
        curl_easy_setopt(h, CURLOPT_SSLKEY, c->key.path);
    if (c->key_password)
        curl_easy_setopt(h, CURLOPT_KEYPASSWD, c->key_password);
    if (c->user) {
        curl_easy_setopt(h, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(h, CURLOPT_USERNAME, c->user);
        curl_easy_setopt(h, CURLOPT_PASSWORD, c->password ? c->password : "");
    }
}

static void set_options(struct cz_client *c,
                        const struct cz_client_request *rq,
                        const char *server,
                        const char *url,
                        struct cz_client_reply *reply)
{
    CURL *h = c->curl;
    CZ_CLEANUP(cz_freep) char *agent = cz_strf("citizenk/%s", cz_version);
    curl_easy_reset(h); /* keeps connections */
    curl_easy_setopt(h, CURLOPT_URL, url);
    curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, rq->method);
    curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(h, CURLOPT_PATH_AS_IS, 1L); /* an object may be called ".." */
    curl_easy_setopt(h, CURLOPT_USERAGENT, agent);
    curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
    set_security(c);
    if (c->cancel) {
        curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, on_progress);
        curl_easy_setopt(h, CURLOPT_XFERINFODATA, CZ_UNCONST(c->cancel));
        curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
    }
    curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, (long)c->connect_ms);
    curl_easy_setopt(h, CURLOPT_TIMEOUT_MS,
                     (long)(rq->timeout_ms ? rq->timeout_ms : DEFAULT_MS));
    curl_easy_setopt(h, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(h, CURLOPT_ERRORBUFFER, c->error);
    curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(h, CURLOPT_WRITEDATA, reply);
    curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(h, CURLOPT_HEADERDATA, reply);
    if (is_loopback(server)) /* a token for this machine has no business in a proxy */
        curl_easy_setopt(h, CURLOPT_PROXY, "");
    if (rq->body) {
        curl_easy_setopt(h, CURLOPT_POSTFIELDS, rq->body);
        curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(rq->body));
    }
}

static CURLcode attempt(struct cz_client *c,
                        const struct cz_client_request *rq,
                        const char *server,
                        struct cz_client_reply *reply)
{
    CZ_CLEANUP(cz_freep) char *url = cz_strf("%s%s", server, rq->path);
    struct curl_slist *headers = headers_of(c, rq);
    long status = 0;
    c->error[0] = '\0';
    set_options(c, rq, server, url, reply);
    curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
    CURLcode code = curl_easy_perform(c->curl);
    (void)curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);
    reply->status = (int)status;
    reply->server = server;
    return code;
}

/* ---- one of several servers -----------------------------------------------------------------
 */

/* Was the request certainly not received?  Then any other server may get it. */
static bool never_sent(CURL *h, CURLcode code)
{
    double connected = 0;
    if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST)
        return true;
    (void)curl_easy_getinfo(h, CURLINFO_PRETRANSFER_TIME, &connected);
    return code == CURLE_OPERATION_TIMEDOUT && !(connected > 0);
}

static bool try_next(struct cz_client *c,
                     const struct cz_client_request *rq,
                     CURLcode code,
                     const struct cz_client_reply *reply)
{
    bool reads = strcmp(rq->method, "GET") == 0;
    if (code == CURLE_OK)
        return reads && reply->status >= 502 && reply->status <= 504;
    return never_sent(c->curl, code) ||
           (reads && (code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR ||
                      code == CURLE_SEND_ERROR || code == CURLE_PARTIAL_FILE ||
                      code == CURLE_OPERATION_TIMEDOUT));
}

static enum cz_err fail_curl(const struct cz_client *c,
                             const char *server,
                             CURLcode code,
                             const struct cz_client_reply *reply,
                             struct cz_error *err)
{
    const char *text = c->error[0] ? c->error : curl_easy_strerror(code);
    if (code == CURLE_WRITE_ERROR && reply->body.failed)
        return cz_fail(err, CZ_E_TOO_LARGE, "%s: the answer is larger than %zu bytes", server,
                       c->max_answer);
    return cz_fail(err, CZ_E_UNAVAILABLE, "%s: %s", server, text);
}

enum cz_err cz_client_send(struct cz_client *c,
                           const struct cz_client_request *rq,
                           struct cz_client_reply *ret,
                           struct cz_error *err)
{
    struct cz_buf told = CZ_BUF_INIT(1024);
    for (size_t i = 0; i < c->servers_len; i++) {
        size_t at = (c->good + i) % c->servers_len;
        struct cz_client_reply reply = {.body = CZ_BUF_INIT(c->max_answer)};
        CURLcode code = attempt(c, rq, c->servers[at], &reply);
        bool last = i + 1 == c->servers_len;
        if (code == CURLE_OK && (last || !try_next(c, rq, code, &reply))) {
            c->good = at;
            *ret = reply;
            cz_buf_done(&told);
            return CZ_OK;
        }
        struct cz_error why = CZ_ERROR_INIT;
        enum cz_err rc = code == CURLE_OK ? cz_fail(&why, CZ_E_UNAVAILABLE, "%s: status %d",
                                                    c->servers[at], reply.status)
                                          : fail_curl(c, c->servers[at], code, &reply, &why);
        bool on = try_next(c, rq, code, &reply);
        cz_client_reply_done(&reply);
        cz_buf_addf(&told, "%s%s", told.len ? "; " : "", why.text);
        if (last || !on) {
            rc = cz_fail(err, rc, "%s", cz_buf_str(&told));
            cz_buf_done(&told);
            return rc;
        }
    }
    cz_buf_done(&told);
    return cz_fail(err, CZ_E_NOT_FOUND, "no server is known");
}
