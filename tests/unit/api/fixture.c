/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <string.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/log.h"
#include "cz/time.h"

static enum cz_err topics(void *arg,
                          struct cz_cluster *c,
                          const char *const *names,
                          size_t n,
                          cz_time deadline,
                          struct cz_topic_info **ret,
                          struct cz_error *err)
{
    (void)arg, (void)deadline;
    if (strncmp(cz_cluster_bootstrap(c), "dead", 4) == 0)
        return cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0, "no broker answers");
    struct cz_topic_info *t = cz_alloc_array(n, sizeof(*t));
    for (size_t i = 0; i < n; i++) {
        bool missing = strncmp(names[i], "missing", 7) == 0;
        t[i].name = cz_strdup(names[i]);
        t[i].partitions = missing ? 0 : 4;
        t[i].code = missing ? CZ_E_NOT_FOUND : CZ_OK;
    }
    *ret = t;
    return CZ_OK;
}

int fx_set_up(void **state)
{
    struct fx *f = cz_alloc(sizeof(*f));
    struct cz_error err = CZ_ERROR_INIT;
    cz_log_set_level(CZ_LOG_ERROR);
    cz_json_init();
    f->store = cz_store_memory_new();
    assert_int_equal(cz_status_view_new(NULL, "t", &f->view, &err), CZ_OK);
    f->service = cz_service_new(
        &(struct cz_service_options){.store = f->store, .status = f->view, .topics = topics});
    f->api = cz_api_new(&(struct cz_api_options){
        .service = f->service, .token = TOKEN, .token_len = sizeof(TOKEN) - 1});
    struct cz_http_options o = {0};
    cz_api_serve(f->api, &o);
    assert_int_equal(cz_http_server_new(&o, &f->http, &err), CZ_OK);
    cz_api_set_server(f->api, f->http);
    *state = f;
    return 0;
}

int fx_tear_down(void **state)
{
    struct fx *f = *state;
    cz_http_server_free(f->http);
    cz_api_free(f->api);
    cz_service_free(f->service);
    cz_status_view_free(f->view);
    cz_store_free(f->store);
    cz_free(f);
    return 0;
}

int fx_ask(struct fx *f, const struct ask *a, char **ret)
{
    struct cz_http_pair headers[6];
    size_t n = 0;
    char *body = cz_strdup(a->body);
    struct cz_http_out out;
    for (char *p = body; p && *p; p++)
        if (*p == '\'')
            *p = '"';
    if (!a->anonymous)
        headers[n++] = (struct cz_http_pair){"Authorization", "Bearer " TOKEN};
    if (a->if_match)
        headers[n++] = (struct cz_http_pair){"If-Match", a->if_match};
    if (a->if_none_match)
        headers[n++] = (struct cz_http_pair){"If-None-Match", a->if_none_match};
    if (body)
        headers[n++] =
            (struct cz_http_pair){"Content-Type", a->type ? a->type : "application/json"};
    const struct cz_http_raw raw = {.method = a->method,
                                    .target = a->target,
                                    .headers = headers,
                                    .headers_len = n,
                                    .body = body,
                                    .body_len = body ? strlen(body) : 0,
                                    .peer = "127.0.0.1"};
    cz_http_handle(f->http, &raw, &out);
    int status = out.status;
    if (ret) {
        /* The ETag stands in front of the body, so that a table can look for both. */
        const char *tag = cz_http_out_header(&out, "ETag");
        *ret = cz_strf("%s %s", tag ? tag : "-", out.body ? out.body : "");
    }
    cz_http_out_done(&out);
    cz_free(body);
    return status;
}

json_t *
fx_json(struct fx *f, const char *method, const char *target, const char *body, int status)
{
    char *text = NULL;
    json_t *j = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    int got = fx_ask(f, &(struct ask){.method = method, .target = target, .body = body}, &text);
    if (got != status)
        fail_msg("%s %s: %d, wanted %d: %s", method, target, got, status, text);
    const char *json = strchr(text, ' ') + 1;
    assert_int_equal(cz_json_parse(json, strlen(json), &j, &err), CZ_OK);
    cz_free(text);
    return j;
}

void fx_worker(struct fx *f, const char *id, int64_t revision)
{
    struct cz_channel_record r = {
        .key = cz_strf("worker/%s", id), .offset = 1, .timestamp_ms = cz_wall_ms()};
    r.value =
        json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:I, s:i, s:I, s:I}", "id", id,
                  "incarnation", "i1", "host", "h", "version", "0.1.0", "capacity", 0,
                  "lease_ms", 10000, "tasks", 0, "applied", (json_int_t)revision, "epoch", 1,
                  "at_ms", (json_int_t)cz_wall_ms(), "started_ms", (json_int_t)cz_wall_ms());
    assert_non_null(r.value);
    cz_status_view_feed(f->view, &r);
    cz_channel_record_done(&r);
}

void fx_play(struct fx *f, const struct step *steps, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char *text = NULL;
        int status = fx_ask(f, &steps[i].a, &text);
        bool ok = status == steps[i].status;
        for (size_t k = 0; k < 4 && steps[i].part[k]; k++)
            ok &= strstr(text, steps[i].part[k]) != NULL;
        if (!ok)
            fail_msg("step %zu: %s %s %s\n→ %d %s\nwanted %d %s %s", i, steps[i].a.method,
                     steps[i].a.target, steps[i].a.body ? steps[i].a.body : "", status, text,
                     steps[i].status, steps[i].part[0] ? steps[i].part[0] : "",
                     steps[i].part[1] ? steps[i].part[1] : "");
        cz_free(text);
    }
}
