/* SPDX-License-Identifier: Apache-2.0 */
/** Handlers that show what they were given: GET echoes path variables and query, PUT echoes the
 *  body's length, one sleeps, one waits until the server drains, each kind of error has a path.
 */
#include "fixture.h"

#include <string.h>
#include <time.h>

#include "cz/json.h"
#include "cz/secret.h"
#include "cz/util.h"

static enum cz_err
live(const struct cz_http_request *rq, struct cz_http_response *rs, struct cz_error *err)
{
    (void)err;
    cz_http_json(rs, 200,
                 json_pack("{s:s, s:b}", "status", "ok", "known", cz_http_actor(rq) != NULL));
    return CZ_OK;
}

static enum cz_err
get_thing(const struct cz_http_request *rq, struct cz_http_response *rs, struct cz_error *err)
{
    (void)err;
    if (cz_http_not_modified(rq, rs, 7))
        return CZ_OK;
    json_t *j =
        json_pack("{s:s, s:s, s:i, s:b}", "team", cz_http_var(rq, "team"), "name",
                  cz_http_var(rq, "name"), "limit", (int)cz_http_query_int(rq, "limit", 5),
                  "flag", cz_http_query_bool(rq, "flag"));
    cz_json_set_str(j, "q", cz_http_query(rq, "name"));
    cz_json_set_str(j, "actor", cz_http_actor(rq));
    cz_json_set_str(j, "trace", cz_http_traceparent(rq));
    cz_http_json(rs, 200, j);
    return CZ_OK;
}

static enum cz_err
put_thing(const struct cz_http_request *rq, struct cz_http_response *rs, struct cz_error *err)
{
    int64_t version;
    bool create;
    enum cz_err rc = cz_http_preconditions(rq, &version, &create, err);
    if (rc != CZ_OK)
        return rc;
    const json_t *b = cz_http_body(rq);
    cz_http_json(rs, 201,
                 json_pack("{s:i, s:i, s:b}", "members", (int)json_object_size(b), "version",
                           (int)version, "create", create));
    cz_http_etag(rs, 8);
    return CZ_OK;
}

static enum cz_err
del_thing(const struct cz_http_request *rq, struct cz_http_response *rs, struct cz_error *err)
{
    (void)rq, (void)rs, (void)err;
    return CZ_OK;
}

static enum cz_err
invalid(const struct cz_http_request *rq, struct cz_http_response *rs, struct cz_error *err)
{
    (void)rq, (void)err;
    cz_http_set_header(rs, "ETag", "\"1\"");
    (void)cz_report_add(cz_http_report(rs), "/spec/a", "type", "must be a number");
    return cz_report_add(cz_http_report(rs), "/spec/b~1c", "range", "must be 1 to 5");
}

static enum cz_err
away(const struct cz_http_request *rq, struct cz_http_response *rs, struct cz_error *err)
{
    (void)rq, (void)rs;
    return cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0,
                         "connection to 10.1.2.3 refused");
}

static enum cz_err
broken(const struct cz_http_request *rq, struct cz_http_response *rs, struct cz_error *err)
{
    (void)rq, (void)rs;
    return cz_fail(err, CZ_E_INTERNAL, "secret detail");
}

static enum cz_err
slow(const struct cz_http_request *rq, struct cz_http_response *rs, struct cz_error *err)
{
    struct timespec t = {.tv_nsec = cz_http_query_int(rq, "ms", 1000) * 1000000};
    (void)err;
    (void)nanosleep(&t, NULL);
    cz_http_json(rs, 200, json_pack("{s:b}", "slept", 1));
    return CZ_OK;
}

atomic_int fixture_held;
atomic_bool fixture_release;

static enum cz_err
hold(const struct cz_http_request *rq, struct cz_http_response *rs, struct cz_error *err)
{
    struct timespec t = {.tv_nsec = 10000000};
    (void)rq, (void)err;
    atomic_fetch_add(&fixture_held, 1);
    for (int i = 0; i < 6000 && !atomic_load(&fixture_release); i++)
        (void)nanosleep(&t, NULL);
    atomic_fetch_sub(&fixture_held, 1);
    cz_http_json(rs, 200, json_pack("{s:b}", "held", 1));
    return CZ_OK;
}

static enum cz_err
wait_drain(const struct cz_http_request *rq, struct cz_http_response *rs, struct cz_error *err)
{
    struct timespec t = {.tv_nsec = 20000000};
    (void)err;
    for (int i = 0; i < 500 && !cz_http_stopping(rq); i++)
        (void)nanosleep(&t, NULL);
    cz_http_json(rs, 200, json_pack("{s:b}", "woken", cz_http_stopping(rq)));
    return CZ_OK;
}

static enum cz_err
big(const struct cz_http_request *rq, struct cz_http_response *rs, struct cz_error *err)
{
    struct cz_buf b = CZ_BUF_INIT(8u << 20);
    (void)rq, (void)err;
    for (int i = 0; i < 400000; i++)
        cz_buf_adds(&b, "0123456789");
    cz_http_text(rs, 200, "text/plain; charset=utf-8", &b);
    cz_buf_done(&b);
    return CZ_OK;
}

static const char *const colours[] = {"red", "green", NULL};
static const struct cz_http_param query[] = {
    {.name = "limit", .type = CZ_HTTP_INTEGER, .min = 1, .max = 1000, .doc = "d"},
    {.name = "flag", .type = CZ_HTTP_BOOLEAN, .doc = "d"},
    {.name = "name", .type = CZ_HTTP_STRING, .min = 0, .max = 10, .doc = "d"},
    {.name = "colour", .type = CZ_HTTP_STRING, .values = colours, .doc = "d"},
    {0},
};
static const struct cz_http_param slow_query[] = {
    {.name = "ms", .type = CZ_HTTP_INTEGER, .min = 0, .max = 999, .doc = "d"},
    {0},
};

#define DOC(i) .verb = "t.t", .tag = "t", .id = i, .summary = "s"
const struct cz_http_route fixture_routes[] = {
    {"GET", "/livez", live, CZ_HTTP_NOAUTH | CZ_HTTP_SHOWS_MORE | CZ_HTTP_QUIET, .tag = "t", .id = "live", .summary = "s"},
    {"GET", "/metrics", live, CZ_HTTP_OPEN_METRICS, DOC("metrics")},
    {"GET", "/t/{team}/m/{name}", get_thing, 0, .query = query, DOC("get")},
    {"PUT", "/t/{team}/m/{name}", put_thing, CZ_HTTP_BODY, DOC("put")},
    {"PATCH", "/t/{team}/m/{name}", put_thing, CZ_HTTP_BODY | CZ_HTTP_MERGE_PATCH,
     DOC("patch")},
    {"DELETE", "/t/{team}/m/{name}", del_thing, 0, DOC("delete")},
    {"POST", "/t/{team}/m/{name}/poke", put_thing, CZ_HTTP_BODY | CZ_HTTP_BODY_OPTIONAL,
     DOC("poke")},
    {"GET", "/t/{team}/m/special", live, 0, DOC("special")},
    {"POST", "/recent", live, CZ_HTTP_RECENT_AUTH, DOC("recent")},
    {"POST", "/enter", live, CZ_HTTP_NOAUTH | CZ_HTTP_SIGN_IN, DOC("enter")},
    {"GET", "/invalid", invalid, 0, DOC("invalid")},
    {"GET", "/away", away, 0, DOC("away")},
    {"GET", "/broken", broken, 0, DOC("broken")},
    {"GET", "/slow", slow, CZ_HTTP_NOAUTH, .query = slow_query, DOC("slow")},
    {"GET", "/hold", hold, CZ_HTTP_NOAUTH, DOC("hold")},
    {"GET", "/wait", wait_drain, CZ_HTTP_NOAUTH, DOC("wait")},
    {"GET", "/big", big, CZ_HTTP_NOAUTH, DOC("big")},
    {0},
};

enum cz_err fixture_auth(const struct cz_http_request *rq,
                         const struct cz_http_credential *c,
                         struct cz_http_who *ret,
                         struct cz_error *err)
{
    const char *known = c->cookie ? COOKIE : TOKEN;
    bool old = c->cookie && cz_streq(c->text, OLD_COOKIE);
    (void)rq;
    if (!old && !cz_secret_equal(c->text, c->len, known, strlen(known)))
        return cz_fail(err, CZ_E_UNAUTHENTICATED, "unknown token");
    ret->actor = "tester";
    ret->person = c->cookie;
    ret->auth_ms = cz_wall_ms() - (old ? 24 * 3600 * 1000 : 0);
    return CZ_OK;
}

struct cz_http_server *fixture_server(const struct cz_http_options *with)
{
    struct cz_http_options o = with ? *with : (struct cz_http_options){0};
    struct cz_http_server *s = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    o.routes = fixture_routes;
    o.auth = fixture_auth;
    if (!o.listen)
        o.listen = "127.0.0.1:0";
    return cz_http_server_new(&o, &s, &err) == CZ_OK ? s : NULL;
}
