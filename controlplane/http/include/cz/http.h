/* SPDX-License-Identifier: Apache-2.0 */
/** The HTTP server.  A table of routes is the single source for registration, 404 and 405, the
 *  check of query parameters, authentication and the OpenAPI document.  A handler gets a
 * request whose path variables, query and JSON body have been checked, and either fills the
 * response or returns an error, which is rendered as a problem document (RFC 9457).
 *
 *  cz_http_handle() is the whole pipeline without sockets (tests, fuzzing); the server puts it
 *  behind ulfius.  This library is the only one that includes ulfius.h.
 *
 *  Threads: one per connection, so a handler may block (with a deadline of its own); it must be
 *  reentrant.  Long waits look at cz_http_stopping() at least once a second. */
#ifndef CZ_HTTP_H
#define CZ_HTTP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cz/buf.h"
#include "cz/error.h"
#include "cz/report.h"
#include "cz/time.h"

struct cz_http_server;
struct cz_http_request;
struct cz_http_response;
struct cz_principal; /* the application's: who asks */

/* ---- routes -------------------------------------------------------------------------------
 */

enum cz_http_flags {
    CZ_HTTP_NOAUTH = 1 << 0,        /* free for everybody: health, and signing in */
    CZ_HTTP_OPEN_METRICS = 1 << 1,  /* free when the server's option open_metrics says so */
    CZ_HTTP_BODY = 1 << 2,          /* takes a JSON object as body; without the flag: no body */
    CZ_HTTP_BODY_OPTIONAL = 1 << 3, /* with CZ_HTTP_BODY: may be left out */
    CZ_HTTP_MERGE_PATCH = 1 << 4,   /* application/merge-patch+json is accepted too */
    CZ_HTTP_IF_MATCH = 1 << 5,      /* honours If-Match and If-None-Match (documentation) */
    CZ_HTTP_CACHED = 1 << 6,        /* answers with an ETag and 304 (documentation) */
    CZ_HTTP_QUIET = 1 << 7, /* its request lines are logged at debug (probes, scrapes) */
    CZ_HTTP_BODY_LIST = 1 << 8, /* with CZ_HTTP_BODY: may be an array as well */
    CZ_HTTP_RECENT_AUTH = 1 << 9,  /* a session must have signed in within CZ_HTTP_RECENT_MS */
    CZ_HTTP_SHOWS_MORE = 1 << 10,  /* with NOAUTH: shows more to a good credential */
    CZ_HTTP_SIGN_IN = 1 << 11,     /* with NOAUTH: refused when another site's page sent it */
};
#define CZ_HTTP_RECENT_MS (10 * 60 * 1000)
#define CZ_HTTP_COOKIE_NAME "__Host-citizenk" /* of a session */
enum cz_http_type { CZ_HTTP_STRING, CZ_HTTP_INTEGER, CZ_HTTP_BOOLEAN };

struct cz_http_param {
    const char *name;
    enum cz_http_type type;
    int64_t min, max;          /* INTEGER: inclusive; STRING: bytes; both 0: any */
    const char *const *values; /* STRING: the only values, NULL-terminated; NULL: any */
    const char *doc;
};

/** @return CZ_OK: the response is filled (default 204).  Else it is thrown away and @err, with
 *  the entries of cz_http_report(), becomes the problem document. */
typedef enum cz_err (*cz_http_handler)(const struct cz_http_request *rq,
                                       struct cz_http_response *rs,
                                       struct cz_error *err);

struct cz_http_route {
    const char *method; /* GET (HEAD comes by itself), PUT, PATCH, POST, DELETE */
    const char *path;   /* "/api/v1/teams/{team}/mappings/{name}" */
    cz_http_handler handler;
    unsigned flags;   /* enum cz_http_flags */
    const char *verb; /* permission that is needed: "mapping.read"; NULL only with NOAUTH */
    const struct cz_http_param *query; /* ended by {0}; NULL: none */
    const char *request, *response;    /* schema names, NULL: none; response also media types of text:
                                          "text/csv,application/x-ndjson" */
    int status;                        /* of success, for the document; 0: 200 */
    const char *tag, *id, *summary;    /* id: operationId */
    int kind;                          /* the handler's own */
};

/* ---- the request, for handlers --------------------------------------------------------------
 */

const struct cz_http_route *cz_http_route(const struct cz_http_request *rq);
void *cz_http_context(const struct cz_http_request *rq); /* options.context */
const char *cz_http_var(const struct cz_http_request *rq,
                        const char *name); /* never NULL for a declared one */
const char *cz_http_query(const struct cz_http_request *rq,
                          const char *name); /* NULL: absent */
int64_t cz_http_query_int(const struct cz_http_request *rq, const char *name, int64_t def);
bool cz_http_query_bool(const struct cz_http_request *rq,
                        const char *name); /* "?x", "?x=true" */
const char *cz_http_header(const struct cz_http_request *rq, const char *name);
const json_t *
cz_http_body(const struct cz_http_request *rq); /* an object (or list, see BODY_LIST); NULL: none */
const char *cz_http_path(const struct cz_http_request *rq); /* as sent, without the query */
const char *cz_http_actor(const struct cz_http_request *rq); /* NULL: not authenticated */
/** Who asks, as the auth function said it; NULL: not authenticated. */
const struct cz_principal *cz_http_principal(const struct cz_http_request *rq);
void *cz_http_state(const struct cz_http_request *rq); /* of cz_http_who */
/** Value of a cookie; NULL: none. cz_free. */
char *cz_http_cookie(const struct cz_http_request *rq, const char *name);
const char *cz_http_request_id(const struct cz_http_request *rq);
const char *cz_http_traceparent(const struct cz_http_request *rq); /* accepted or made */
const char *cz_http_peer(const struct cz_http_request *rq);        /* IP address as text */
bool cz_http_stopping(const struct cz_http_request *rq);
/** The version a write expects. @ret_version: the number of If-Match: "17"; 0: no header; -1:
 * "*".
 *  @ret_create_only: If-None-Match: *. CZ_E_PARSE for what is no such header, CZ_E_STALE for an
 *  entity tag that can never match. */
CZ_MUST_USE enum cz_err cz_http_preconditions(const struct cz_http_request *rq,
                                              int64_t *ret_version,
                                              bool *ret_create_only,
                                              struct cz_error *err);

/* ---- the response, for handlers -------------------------------------------------------------
 */

/** @j is taken. */
void cz_http_json(struct cz_http_response *rs, int status, json_t *j);
/** The text of @b is copied. */
void cz_http_text(struct cz_http_response *rs,
                  int status,
                  const char *type,
                  const struct cz_buf *b);
void cz_http_set_header(struct cz_http_response *rs, const char *name, const char *value);
/** Set a cookie that no script reads and only TLS (and localhost) carries: Secure, HttpOnly, Path=/,
 *  no Domain. @life_s 0: delete it.  @lax SameSite=Lax, for the way back from an identity provider;
 *  else Strict */
void cz_http_set_cookie(struct cz_http_response *rs, const char *name, const char *value,
                        int64_t life_s, bool lax);
/** ETag: "<version>". */
void cz_http_etag(struct cz_http_response *rs, int64_t version);
/** ETag, and true when If-None-Match holds: the response is then a 304 and complete. */
bool cz_http_not_modified(const struct cz_http_request *rq,
                          struct cz_http_response *rs,
                          int64_t version);
/** What is wrong with the body; becomes `errors` of the problem. */
struct cz_report *cz_http_report(struct cz_http_response *rs);

/** A further member of the problem document, when it becomes one. @j is taken. */
void cz_http_problem_member(struct cz_http_response *rs, const char *key, json_t *j);

/* ---- the server -----------------------------------------------------------------------------
 */

/** What a request proves itself with. */
struct cz_http_credential {
    bool cookie; /* of a session; else a bearer token */
    const char *text;
    size_t len;
};
/** What the pipeline must know of who asks. */
struct cz_http_who {
    const char *id;                 /* borrowed as well; whose requests are counted together; NULL: actor */
    const char *actor;              /* borrowed from the principal; for the log */
    bool person;                    /* somebody signed in: RECENT_AUTH asks when */
    int64_t auth_ms;                /* that sign-in, wall clock */
    struct cz_principal *principal; /* owned by the request, given back by done_who */
    void *state;                    /* the application's own, given back with it */
};
/** Who is it? CZ_OK: *ret is filled. CZ_E_UNAUTHENTICATED: nobody; other codes are passed on.
 *  Must compare in constant time. */
typedef enum cz_err (*cz_http_auth_fn)(const struct cz_http_request *rq,
                                       const struct cz_http_credential *c,
                                       struct cz_http_who *ret,
                                       struct cz_error *err);
/** What the audit wants to know although no handler ran. */
enum cz_http_refusal {
    CZ_HTTP_REFUSED_CSRF,
    CZ_HTTP_REFUSED_VERB,
    CZ_HTTP_REFUSED_TOKEN_IN_URL,
    CZ_HTTP_REFUSED_INVALID, /* the answer is a 400 or 422 */
};

struct cz_http_options {
    const char
        *listen; /* "127.0.0.1:8080", "[::1]:0"; NULL: 127.0.0.1:8080. Port 0: any free */
    const char *tls_cert, *tls_key; /* PEM files, both or none */
    const char *prefix; /* "/replicator": every path is served below it as well; NULL: none */
    int connections;                /* at once; 0: 1000 */
    int connections_per_ip;         /* 0: 500 */
    int requests_per_second;        /* of one principal, in the long run; 0: any */
    int requests_per_second_per_ip; /* of one address, signed in or not; 0: any */
    int header_ms;                  /* accept → request line; 0: 10 s */
    int request_ms;                 /* request line → end of the body; 0: 30 s */
    int send_ms;                    /* sending the answer; 0: 60 s */
    int idle_ms;                    /* kept alive without a request; 0: 60 s */
    size_t max_body;                /* 0: CZ_MAX_BODY */
    bool open_metrics;
    const char *origin; /* "https://citizenk.example": how browsers see it; NULL: by Host */
    cz_http_auth_fn auth; /* NULL: nothing but NOAUTH routes is reachable */
    void (*done_who)(struct cz_http_who *who); /* NULL: nothing to free */
    /** May who asks use this route (its verb, its path)? NULL: whoever is known may. */
    enum cz_err (*authorize)(const struct cz_http_request *rq, struct cz_error *err);
    void (*refused)(const struct cz_http_request *rq, enum cz_http_refusal what); /* NULL: none */
    void *context;                      /* for handlers and auth */
    const struct cz_http_route *routes; /* ended by {0}; must outlive the server */
};

/** Check the table and build the server; no socket yet. CZ_E_INTERNAL: the table is wrong. */
CZ_MUST_USE enum cz_err cz_http_server_new(const struct cz_http_options *o,
                                           struct cz_http_server **ret,
                                           struct cz_error *err);
/** Listen and serve. CZ_E_INVALID: listen address or TLS files; CZ_E_IO: cannot listen. */
CZ_MUST_USE enum cz_err cz_http_server_start(struct cz_http_server *s, struct cz_error *err);
int cz_http_server_port(const struct cz_http_server *s);
/** From here on cz_http_stopping() is true and answers close their connections. @thread any */
void cz_http_server_drain(struct cz_http_server *s);
bool cz_http_server_draining(const struct cz_http_server *s);
/** Stop taking connections, wait until @deadline for requests in flight, cut what is left,
 * stop. A handler that still runs is waited for. */
void cz_http_server_stop(struct cz_http_server *s, cz_time deadline);
void cz_http_server_free(struct cz_http_server *s); /* stops when running */
/** citizenk_http_* in Prometheus text. */
void cz_http_server_metrics(struct cz_http_server *s, struct cz_buf *out);

/* ---- the pipeline without sockets -----------------------------------------------------------
 */

struct cz_http_pair {
    const char *name, *value;
};
struct cz_http_raw {
    const char *method, *target; /* target as on the request line */
    const struct cz_http_pair *headers;
    size_t headers_len;
    const void *body;
    size_t body_len;
    const char *peer; /* NULL: unknown */
};
struct cz_http_out {
    int status;
    struct cz_http_pair *headers; /* owned */
    size_t headers_len;
    char *body; /* owned; NULL: none */
    size_t body_len;
};
void cz_http_handle(struct cz_http_server *s,
                    const struct cz_http_raw *in,
                    struct cz_http_out *out);
void cz_http_out_done(struct cz_http_out *out);
const char *cz_http_out_header(const struct cz_http_out *out,
                               const char *name); /* NULL: none */

#endif
