/* SPDX-License-Identifier: Apache-2.0 */
/** The API over a real database (CITIZENK_TEST_POSTGRES), for what only that keeps: principals,
 *  tokens, sessions.  No sockets, no Kafka. */
#ifndef CZ_TEST_API_PG_FIXTURE_H
#define CZ_TEST_API_PG_FIXTURE_H

#include "pg_env.h"

#include "cz/api.h"

#define ROOT "czk_test_0123456789abcdef" /* the token of --admin-token-file */

struct pfx {
    struct pg_env *env;
    struct cz_service *service;
    struct cz_identity *identity;
    struct cz_api *api;
    struct cz_http_server *http;
};
/** Fill what the tests want other than the default. */
extern struct cz_identity_options pfx_options;
int pfx_up(void **state);
int pfx_down(void **state);

struct call {
    const char *method, *target, *body; /* body: ' stands for " */
    const char *token;                  /* bearer; NULL: none */
    const char *if_match;               /* NULL: none */
    const char *cookie;                 /* session, with all that a browser's page sends; NULL: none */
    const char *ip;                     /* NULL: 127.0.0.1 */
    const char *traceparent;            /* NULL: not sent */
};
struct answer {
    int status;
    json_t *json;              /* NULL: none */
    struct cz_http_out out;    /* with headers */
};
struct answer pfx_call(struct pfx *f, const struct call *c);
void answer_done(struct answer *a);
/** The status alone. */
int pfx_status(struct pfx *f, const struct call *c);
/** As pfx_call(), but the status must be this one. */
json_t *pfx_json(struct pfx *f, const struct call *c, int status);
/** The text of an answer that is no JSON; the status must be 200. cz_free. */
char *pfx_text(struct pfx *f, const char *target, const char *token);
/** The first value of a query, as the owner of the tables. cz_free. */
char *pfx_sql(struct pfx *f, const char *sql);
/** Number of audit events of this action and outcome. */
int64_t pfx_audited(struct pfx *f, const char *action, const char *outcome);
/** Value of the session cookie that an answer sets; NULL: none. cz_free. */
char *answer_cookie(const struct answer *a);

#endif
