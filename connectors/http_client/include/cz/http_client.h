/* SPDX-License-Identifier: Apache-2.0 */
/** HTTP to one of several servers that are equal: control planes, schema registries.  TLS
 *  certificates are always verified, redirects are not followed, only http and https are spoken.  A
 *  server that cannot be reached is passed over for the next one; so is, for requests that change
 *  nothing, one that broke off or says 502 to 504.  Connections are kept between requests.
 *  @thread one at a time per client */
#ifndef CZ_HTTP_CLIENT_H
#define CZ_HTTP_CLIENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cz/buf.h"
#include "cz/error.h"

struct cz_client;
struct cz_client_options {
    char *const *servers; /* "http://127.0.0.1:8080"; copied */
    size_t servers_len;
    bool with_path;       /* a server's URL may have a path, "http://host/apis/v7" */
    const char *name;     /* header X-CitizenK-Client; NULL: none */
    const char *accept;   /* NULL: application/json */
    size_t max_answer;    /* bytes */
    int connect_ms;       /* 0: 5 s; 2 s when there are several servers */
    /* Secrets are copied, and wiped with the client.  NULL: none. */
    const char *token;           /* Authorization: Bearer */
    const char *user, *password; /* basic authentication */
    const char *ca_file;         /* NULL and no ca_pem: the system's */
    const char *ca_pem;          /* the certificates themselves */
    const char *certificate_pem, *key_pem, *key_password; /* the client's own */
    const atomic_bool *cancel; /* true: requests end within about a second; NULL: never */
    bool any_hostname; /* the certificate may carry another name than the URL */
};
CZ_MUST_USE enum cz_err
cz_client_new(const struct cz_client_options *o, struct cz_client **ret, struct cz_error *err);
void cz_client_free(struct cz_client *c);

struct cz_client_request {
    const char *method;
    const char *path;     /* with its query, percent-encoded */
    const char *if_match; /* a version; NULL: none */
    int create_only;      /* If-None-Match: * */
    const char *body;     /* JSON; NULL: none */
    const char *type;     /* NULL: application/json */
    int timeout_ms;       /* of one attempt; 0: 30 s */
};
struct cz_client_reply {
    int status;
    struct cz_buf body;
    char *etag;       /* without quotes; NULL: none */
    char *request_id; /* NULL: none */
    char *next;       /* X-CitizenK-Next: where the next page begins; NULL: none */
    int64_t retry_after_s; /* Retry-After; 0: none, or a date */
    const char *server;
};
/** @return CZ_OK for any answer, whatever its status. CZ_E_UNAVAILABLE: no server answered. */
CZ_MUST_USE enum cz_err cz_client_send(struct cz_client *c,
                                       const struct cz_client_request *rq,
                                       struct cz_client_reply *ret,
                                       struct cz_error *err);
void cz_client_reply_done(struct cz_client_reply *r);
/** Append @s percent-encoded, as one segment of a path or value of a query. */
void cz_client_encode(struct cz_buf *out, const char *s);
/** Is @url one that can be a server's? "http://host[:port]", no user, a path only @with_path. */
CZ_MUST_USE enum cz_err cz_client_check_url(const char *url, bool with_path, struct cz_error *err);

#endif
