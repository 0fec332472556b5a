/* SPDX-License-Identifier: Apache-2.0 */
#include "pg_fixture.h"

#include <string.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/log.h"
#include "cz/util.h"

struct cz_identity_options pfx_options = {.token = ROOT, .token_len = sizeof(ROOT) - 1};

int pfx_up(void **state)
{
    struct pfx *f = cz_alloc(sizeof(*f));
    struct cz_error err = CZ_ERROR_INIT;
    void *env = NULL;
    cz_json_init();
    if (pg_env_up(&env) != 0)
        return 1;
    f->env = env;
    f->service = cz_service_new(&(struct cz_service_options){.store = f->env->stores.a});
    pfx_options.store = f->env->stores.a;
    f->identity = cz_identity_new(&pfx_options);
    f->api = cz_api_new(
        &(struct cz_api_options){.service = f->service, .identity = f->identity});
    struct cz_http_options o = {0};
    cz_api_serve(f->api, &o);
    ASSERT_OK(cz_http_server_new(&o, &f->http, &err), &err);
    *state = f;
    return 0;
}

int pfx_down(void **state)
{
    struct pfx *f = *state;
    void *env = f->env;
    cz_http_server_free(f->http);
    cz_api_free(f->api);
    cz_identity_free(f->identity);
    cz_service_free(f->service);
    cz_free(f);
    return pg_env_down(&env);
}

static void swap_quotes(char *s)
{
    for (; s && *s; s++)
        if (*s == '\'')
            *s = '"';
}

struct answer pfx_call(struct pfx *f, const struct call *c)
{
    struct cz_http_pair headers[8];
    struct answer a = {0};
    struct cz_error err = CZ_ERROR_INIT;
    size_t n = 0;
    CZ_CLEANUP(cz_freep) char *body = cz_strdup(c->body);
    CZ_CLEANUP(cz_freep) char *bearer = c->token ? cz_strf("Bearer %s", c->token) : NULL;
    CZ_CLEANUP(cz_freep) char *cookie =
        c->cookie ? cz_strf("__Host-citizenk=%s", c->cookie) : NULL;
    swap_quotes(body);
    if (bearer)
        headers[n++] = (struct cz_http_pair){"Authorization", bearer};
    if (c->if_match)
        headers[n++] = (struct cz_http_pair){"If-Match", c->if_match};
    if (cookie) {
        headers[n++] = (struct cz_http_pair){"Cookie", cookie};
        headers[n++] = (struct cz_http_pair){"Sec-Fetch-Site", "same-origin"};
        headers[n++] = (struct cz_http_pair){"X-CitizenK-CSRF", "1"};
    }
    if (body || cookie)
        headers[n++] = (struct cz_http_pair){"Content-Type", "application/json"};
    headers[n++] = (struct cz_http_pair){"User-Agent", "test"};
    if (c->traceparent)
        headers[n++] = (struct cz_http_pair){"traceparent", c->traceparent};
    const struct cz_http_raw raw = {.method = c->method,
                                    .target = c->target,
                                    .headers = headers,
                                    .headers_len = n,
                                    .body = body,
                                    .body_len = body ? strlen(body) : 0,
                                    .peer = c->ip ? c->ip : "127.0.0.1"};
    cz_http_handle(f->http, &raw, &a.out);
    a.status = a.out.status;
    if (a.out.body && cz_json_parse(a.out.body, a.out.body_len, &a.json, &err) != CZ_OK)
        fail_msg("%s %s: no JSON: %s", c->method, c->target, a.out.body);
    return a;
}

char *pfx_text(struct pfx *f, const char *target, const char *token)
{
    CZ_CLEANUP(cz_freep) char *bearer = cz_strf("Bearer %s", token);
    const struct cz_http_pair header = {"Authorization", bearer};
    const struct cz_http_raw raw = {
        .method = "GET", .target = target, .headers = &header, .headers_len = 1, .peer = "127.0.0.1"};
    struct cz_http_out out;
    cz_http_handle(f->http, &raw, &out);
    assert_int_equal(out.status, 200);
    char *text = cz_strdup(out.body);
    cz_http_out_done(&out);
    return text;
}

void answer_done(struct answer *a)
{
    json_decref(a->json);
    cz_http_out_done(&a->out);
}

int pfx_status(struct pfx *f, const struct call *c)
{
    struct answer a = pfx_call(f, c);
    answer_done(&a);
    return a.status;
}

json_t *pfx_json(struct pfx *f, const struct call *c, int status)
{
    struct answer a = pfx_call(f, c);
    if (a.status != status)
        fail_msg("%s %s: %d, wanted %d: %s", c->method, c->target, a.status, status,
                 a.out.body ? a.out.body : "-");
    json_t *j = json_incref(a.json);
    answer_done(&a);
    return j;
}

char *pfx_sql(struct pfx *f, const char *sql)
{
    char *text = NULL;
    assert_string_equal(pg_admin(f->env, sql, &text), "");
    return text;
}

int64_t pfx_audited(struct pfx *f, const char *action, const char *outcome)
{
    int64_t n = -1;
    CZ_CLEANUP(cz_freep) char *sql = cz_strf(
        "SELECT count(*) FROM audit_event WHERE action = '%s' AND outcome = '%s'", action, outcome);
    CZ_CLEANUP(cz_freep) char *text = pfx_sql(f, sql);
    assert_true(cz_parse_i64(text, &n));
    return n;
}

char *answer_cookie(const struct answer *a)
{
    static const char start[] = "__Host-citizenk=";
    for (size_t i = 0; i < a->out.headers_len; i++) {
        const char *v = a->out.headers[i].value;
        if (strcmp(a->out.headers[i].name, "Set-Cookie") == 0 &&
            strncmp(v, start, sizeof(start) - 1) == 0) {
            v += sizeof(start) - 1;
            return cz_strndup(v, strcspn(v, ";"));
        }
    }
    return NULL;
}
