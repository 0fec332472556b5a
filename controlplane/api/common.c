/* SPDX-License-Identifier: Apache-2.0 */
/** The parts that many requests have in common: who asks, what a write may say about itself,
 * and how its result is shown. */
#include <string.h>
#include <time.h>

#include "api_priv.h"

struct cz_service *cz__api_service(const struct cz_http_request *rq)
{
    const struct cz_api *a = cz_http_context(rq);
    return a->service;
}

/* Which of our own clients asks; anything else is just "api". A session is a browser's. */
static const char *via(const struct cz_http_request *rq)
{
    const struct cz_principal *p = cz_http_principal(rq);
    const char *client = cz_http_header(rq, "X-CitizenK-Client");
    if (cz_streq(client, "cli"))
        return "cli";
    return cz_streq(client, "ui") || (p && p->session_id) ? "ui" : "api";
}

struct cz_caller cz__api_caller(const struct cz_http_request *rq)
{
    const struct cz_principal *p = cz_http_principal(rq);
    return (struct cz_caller){
        .principal = p,
        .access = cz__api_access(rq),
        .actor = cz_http_actor(rq),
        .actor_id = p ? p->id : NULL,
        .token_id = p ? p->token_id : NULL,
        .via = via(rq),
        .request_id = cz_http_request_id(rq),
        .trace_id = cz_http_traceparent(rq),
        .ip = cz_http_peer(rq),
    };
}

struct cz_identity *cz__api_identity(const struct cz_http_request *rq)
{
    const struct cz_api *a = cz_http_context(rq);
    return a->identity;
}

struct cz_origin cz__api_origin(const struct cz_http_request *rq)
{
    return (struct cz_origin){
        .ip = cz_http_peer(rq),
        .agent = cz_http_header(rq, "User-Agent"),
        .via = via(rq),
        .request_id = cz_http_request_id(rq),
        .trace_id = cz_http_traceparent(rq),
    };
}

enum cz_err
cz__api_write(const struct cz_http_request *rq, struct cz_write *ret, struct cz_error *err)
{
    struct cz_write w = {.dry_run = cz_http_query_bool(rq, "dry_run"),
                         .comment = cz_http_query(rq, "comment"),
                         .break_glass = cz_http_query(rq, "break_glass")};
    enum cz_err rc = cz_http_preconditions(rq, &w.if_match, &w.create_only, err);
    if (rc == CZ_OK)
        *ret = w;
    return rc;
}

/* So that what a PUT answered can be edited and put again. */
static const char *const ANSWER_ONLY[] = {"seq",       "warnings", "changes", "skipped",
                                          "unchanged", "dry_run",  "applied"};

json_t *cz__api_document(const struct cz_http_request *rq)
{
    json_t *doc = json_copy((json_t *)(uintptr_t)cz_http_body(rq));
    for (size_t i = 0; i < sizeof(ANSWER_ONLY) / sizeof(ANSWER_ONLY[0]); i++)
        (void)json_object_del(doc, ANSWER_ONLY[i]);
    return doc;
}

/* In slices, so that a stopping server is not held up. */
static bool wait_applied(const struct cz_http_request *rq, int64_t seq)
{
    cz_time deadline = cz_deadline_ms(1000 * cz_http_query_int(rq, "timeout", 10));
    while (!cz_http_stopping(rq)) {
        cz_time slice = cz_deadline_ms(500);
        if (cz_service_wait_applied(cz__api_service(rq), seq,
                                    slice < deadline ? slice : deadline))
            return true;
        if (cz_now() >= deadline)
            return false;
        struct timespec pause = {.tv_nsec =
                                     20000000}; /* nothing to wait on: no worker is known */
        (void)nanosleep(&pause, NULL);
    }
    return false;
}

static void set_steal(json_t *o, const char *key, json_t **v)
{
    if (*v)
        (void)json_object_set_new(o, key, *v);
    *v = NULL;
}

void cz__api_written(const struct cz_http_request *rq,
                     struct cz_http_response *rs,
                     const struct cz_write *w,
                     struct cz_write_result *r)
{
    json_t *o = r->resource ? json_copy(r->resource) : json_object();
    bool created = r->created && !w->dry_run;
    cz_json_set_i64(o, "seq", r->seq);
    set_steal(o, "warnings", &r->warnings);
    set_steal(o, "changes", &r->changes);
    set_steal(o, "skipped", &r->skipped);
    (void)json_object_set_new(o, "unchanged", json_boolean(r->unchanged));
    (void)json_object_set_new(o, "dry_run", json_boolean(w->dry_run));
    if (cz_http_query(rq, "wait") && !w->dry_run) {
        bool applied = wait_applied(rq, r->seq);
        (void)json_object_set_new(o, "applied", json_boolean(applied));
        cz_http_set_header(rs, "X-CitizenK-Applied", applied ? "true" : "false");
    }
    cz_http_json(rs, created ? 201 : 200, o);
    if (r->version > 0 && !w->dry_run)
        cz_http_etag(rs, r->version);
    if (created)
        cz_http_set_header(rs, "Location", cz_http_path(rq));
    cz_write_result_done(r);
}

enum cz_err cz__api_number(const struct cz_http_request *rq,
                           const char *var,
                           int64_t *ret,
                           struct cz_error *err)
{
    int64_t n;
    if (!cz_parse_i64(cz_http_var(rq, var), &n) || n <= 0)
        return cz_fail(err, CZ_E_NOT_FOUND, "%s in the path must be a positive number", var);
    *ret = n;
    return CZ_OK;
}

bool cz__api_i64(const json_t *v, int64_t *ret)
{
    if (json_is_integer(v)) {
        *ret = json_integer_value(v);
        return true;
    }
    return json_is_string(v) && strlen(json_string_value(v)) == json_string_length(v) &&
           cz_parse_i64(json_string_value(v), ret);
}

void cz__api_known(const json_t *body, const char *const *names, struct cz_report *rep)
{
    const char *key;
    json_t *v;
    json_object_foreach ((json_t *)(uintptr_t)body, key, v) {
        bool known = false;
        char at[CZ_POINTER_SIZE] = "";
        for (size_t i = 0; names[i]; i++)
            known |= cz_streq(names[i], key);
        cz_pointer_push(at, key);
        if (!known)
            (void)cz_report_add(rep, at, "unknown-field", "unknown field");
    }
}
