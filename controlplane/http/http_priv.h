/* SPDX-License-Identifier: Apache-2.0 */
/** What the files of controlplane/http share.  Nothing here names ulfius or libmicrohttpd: only
 *  server.c does. */
#ifndef CZ_HTTP_PRIV_H
#define CZ_HTTP_PRIV_H

#include <stdatomic.h>

#include "cz/http.h"
#include "cz/limits.h"
#include "cz/metrics.h"
#include "cz/thread.h"
#include "cz/util.h"

#define CZ_HTTP_MAX_SEGMENTS 16
#define CZ_HTTP_MAX_QUERY 32
#define CZ_HTTP_MAX_TARGET 8192

struct cz__kv {
    char *name, *value;
};

struct cz_http_response {
    int status;
    char *type; /* Content-Type */
    char *body;
    size_t body_len;
    struct cz__kv *headers;
    size_t headers_len, headers_cap;
    struct cz_report report;
    json_t *members; /* of the problem; NULL: none */
};

/* How a request stands to a limit (limit.c); policy NULL: none applies. */
struct cz__limit {
    const char *policy;
    int64_t quota, left, reset_s, wait_s; /* wait 0: it may pass */
};

struct cz_http_request {
    struct cz_http_server *server;
    const struct cz_http_raw *raw;
    const struct cz_http_route *route;
    size_t route_index;
    char *path;                           /* as sent */
    char *segments[CZ_HTTP_MAX_SEGMENTS]; /* decoded */
    size_t segments_len;
    struct cz__kv query[CZ_HTTP_MAX_QUERY]; /* decoded */
    size_t query_len;
    json_t *body;
    struct cz_http_who who; /* actor NULL: not authenticated */
    bool cookie;            /* who is known by a cookie */
    char id[65];
    char traceparent[56];
    struct cz__limit limit; /* of the last bucket that was asked */
    bool close; /* framing we do not trust: end the connection with the answer */
};

/* router.c: a route with its path cut into segments */
struct cz__route {
    const struct cz_http_route *r;
    char *segments[CZ_HTTP_MAX_SEGMENTS]; /* literal, or "{name}" */
    size_t segments_len;
};
struct cz__router {
    struct cz__route *routes;
    size_t len;
};
enum cz_err
cz__router_init(struct cz__router *r, const struct cz_http_route *table, struct cz_error *err);
void cz__router_done(struct cz__router *r);
/** Sets rq->route, or CZ_E_NOT_FOUND, or CZ_E_METHOD. @allow (128 bytes) gets the methods of
 * the path whenever the path is known. */
enum cz_err cz__router_find(const struct cz__router *r,
                            struct cz_http_request *rq,
                            const char *method,
                            char *allow,
                            struct cz_error *err);

/* request.c */
enum cz_err
cz__request_target(struct cz_http_request *rq, const char *target, struct cz_error *err);
enum cz_err
cz__request_query(struct cz_http_request *rq, struct cz_report *rep, struct cz_error *err);
enum cz_err cz__request_body(struct cz_http_request *rq,
                             size_t max,
                             struct cz_report *rep,
                             struct cz_error *err);
enum cz_err cz__request_framing(struct cz_http_request *rq, struct cz_error *err);
void cz__request_ids(struct cz_http_request *rq);

/* auth.c: who asks, did its own page send it, may it */
enum cz_err cz__auth_check(struct cz_http_request *rq, struct cz_error *err);
/** The handler's or the authorizer's refusal, for the audit. */
void cz__auth_refused(const struct cz_http_request *rq, enum cz_http_refusal what);
void cz__auth_done(struct cz_http_request *rq);

/* limit.c: how many requests an address and a principal may send */
struct cz__limit_slot {
    char key[65];
    cz_time full_at; /* when its bucket is full again */
};
struct cz__limits {
    struct cz_mutex lock;
    struct cz__limit_slot *slots;
};
void cz__limits_init(struct cz__limits *l);
void cz__limits_done(struct cz__limits *l);
/** CZ_E_LIMIT: too many; the error's detail is the seconds to wait. */
enum cz_err cz__limit_address(struct cz_http_request *rq, struct cz_error *err);
enum cz_err cz__limit_principal(struct cz_http_request *rq, struct cz_error *err);

void cz__request_done(struct cz_http_request *rq);

/* response.c */
void cz__response_done(struct cz_http_response *rs);
void cz__response_problem(struct cz_http_response *rs,
                          const struct cz_http_request *rq,
                          const struct cz_error *err);
void cz__response_out(struct cz_http_response *rs,
                      const struct cz_http_request *rq,
                      struct cz_http_out *out);

/* stats.c: counters by route, and one row more for requests that no route took */
#define CZ_HTTP_CODES 500 /* 100..599 */
struct cz__route_stats {
    uint64_t codes[CZ_HTTP_CODES];
    struct cz_histogram ms;
};
struct cz__stats {
    struct cz_mutex lock;
    struct cz__route_stats *rows; /* len + 1 */
    size_t len;
};
void cz__stats_init(struct cz__stats *s, size_t routes);
void cz__stats_done(struct cz__stats *s);
void cz__stats_add(struct cz__stats *s, size_t row, int status, int64_t ms);

/* conn.c: every connection, and the reaper */
enum cz__conn_state {
    CZ__CONN_NEW,      /* accepted, no request line yet */
    CZ__CONN_READING,  /* request line seen, headers or body still coming */
    CZ__CONN_HANDLING, /* in a handler */
    CZ__CONN_SENDING,  /* the answer goes out */
    CZ__CONN_IDLE,     /* kept alive */
    CZ__CONN_STATES
};
struct cz__conn {
    struct cz__conn *prev, *next;
    int fd;
    enum cz__conn_state state;
    cz_time since;
    bool reaped;
    char peer[64];
};
struct cz__conns {
    struct cz_mutex lock;
    struct cz_cond changed;
    struct cz__conn *head;
    size_t count[CZ__CONN_STATES];
    cz_time limit[CZ__CONN_STATES]; /* CZ_TIME_NEVER: none */
    uint64_t accepted, reaped;
    bool stop;
    struct cz_thread reaper;
};
void cz__conns_init(struct cz__conns *c, const struct cz_http_options *o);
void cz__conns_done(struct cz__conns *c);
void cz__conns_start(struct cz__conns *c);
void cz__conns_stop(struct cz__conns *c);
struct cz__conn *cz__conn_add(struct cz__conns *c, int fd, const char *peer);
void cz__conn_state(struct cz__conns *c, struct cz__conn *n, enum cz__conn_state state);
void cz__conn_remove(struct cz__conns *c, struct cz__conn *n);
/** Wait until no request is in flight, or @deadline; then cut what does not run a handler. */
void cz__conns_drain(struct cz__conns *c, cz_time deadline);

struct cz_http_server {
    struct cz_http_options o; /* strings owned */
    struct cz__router router;
    struct cz__stats stats;
    struct cz__limits limits;
    struct cz__conns conns;
    atomic_bool stopping;
    int port;
    void *glue; /* server.c */
};

#endif
