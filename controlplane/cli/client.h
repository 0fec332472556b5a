/* SPDX-License-Identifier: Apache-2.0 */
/** HTTP to one of several control planes.  TLS certificates are always verified, redirects are
 * not followed, only http and https are spoken.  A server that cannot be reached is passed over
 * for the next one; so is, for requests that change nothing, one that broke off or says 502 to
 * 504. client.c is the only file that includes curl. */
#ifndef CZ_CLI_CLIENT_H
#define CZ_CLI_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "cz/buf.h"
#include "cz/error.h"

struct cz_client;
struct cz_client_options {
    char *const *servers; /* "http://127.0.0.1:8080"; copied */
    size_t servers_len;
    const char *token;   /* NULL: none */
    const char *ca_file; /* NULL: the system's */
    int connect_ms;      /* 0: 5 s; 2 s when there are several servers */
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
    const char *server;
};
/** @return CZ_OK for any answer, whatever its status. CZ_E_UNAVAILABLE: no server answered. */
CZ_MUST_USE enum cz_err cz_client_send(struct cz_client *c,
                                       const struct cz_client_request *rq,
                                       struct cz_client_reply *ret,
                                       struct cz_error *err);
void cz_client_reply_done(struct cz_client_reply *r);
/** Is @url one that can be a server's? "http://host[:port]", no path, no user. */
CZ_MUST_USE enum cz_err cz_client_check_url(const char *url, struct cz_error *err);

#endif
