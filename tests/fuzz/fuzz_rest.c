/* SPDX-License-Identifier: Apache-2.0 */
/* LIBS: cz_api cz_http cz_service cz_channel cz_storage_memory cz_storage cz_kafka cz_core */
/** A request through the whole pipeline and API on the store in memory, without sockets.  The
 *  input is text: method, target, headers line by line, an empty line, the body.  Every answer
 *  that is an error must be a problem document, and nothing may be a 500. */
#include <stdlib.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/api.h"
#include "cz/json.h"
#include "cz/log.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TOKEN "czk_fuzz_0123456789abcdef"
#define MAX_HEADERS 16

static struct cz_http_server *server;

/* Kafka by name: no network here. */
static enum cz_err topics(void *arg,
                          struct cz_cluster *c,
                          const char *const *names,
                          size_t n,
                          cz_time deadline,
                          struct cz_topic_info **ret,
                          struct cz_error *err)
{
    (void)arg, (void)c, (void)deadline, (void)err;
    struct cz_topic_info *t = cz_alloc_array(n + 1, sizeof(*t));
    for (size_t i = 0; i < n; i++) {
        t[i].name = cz_strdup(names[i]);
        t[i].partitions = 4;
    }
    *ret = t;
    return CZ_OK;
}

static void put_cluster(void)
{
    static const char body[] = "{\"spec\":{\"bootstrap_servers\":\"h:1\"}}";
    static const struct cz_http_pair headers[] = {{"Authorization", "Bearer " TOKEN},
                                                  {"Content-Type", "application/json"}};
    const struct cz_http_raw raw = {.method = "PUT",
                                    .target = "/api/v1/teams/default/clusters/source",
                                    .headers = headers,
                                    .headers_len = 2,
                                    .body = body,
                                    .body_len = sizeof(body) - 1};
    struct cz_http_out out;
    cz_http_handle(server, &raw, &out);
    if (out.status != 201)
        abort();
    cz_http_out_done(&out);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    struct cz_error err = CZ_ERROR_INIT;
    cz_log_set_level(CZ_LOG_ERROR);
    cz_json_init();
    struct cz_service *service = cz_service_new(
        &(struct cz_service_options){.store = cz_store_memory_new(), .topics = topics});
    struct cz_api *api = cz_api_new(&(struct cz_api_options){
        .service = service, .token = TOKEN, .token_len = sizeof(TOKEN) - 1});
    struct cz_http_options o = {.max_body = 65536};
    cz_api_serve(api, &o);
    if (cz_http_server_new(&o, &server, &err) != CZ_OK)
        abort();
    cz_api_set_server(api, server);
    put_cluster();
    return 0;
}

/* Cuts the line at @*at off; NULL at the end. */
static char *line(char **at)
{
    char *start = *at, *end = start ? strchr(start, '\n') : NULL;
    if (end)
        *end++ = 0;
    *at = end;
    return start;
}

static void check(const struct cz_http_out *out)
{
    json_t *j = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    if (out->status == 500)
        abort();
    if (out->status < 400 || out->status == 503)
        return;
    if (cz_json_parse(out->body, out->body_len, &j, &err) != CZ_OK ||
        json_integer_value(json_object_get(j, "status")) != out->status)
        abort();
    json_decref(j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cz_http_pair headers[MAX_HEADERS] = {{"Authorization", "Bearer " TOKEN},
                                                {"Content-Type", "application/json"}};
    struct cz_http_raw raw = {.headers = headers, .headers_len = 2};
    struct cz_http_out out;
    char *text = cz_strndup((const char *)data, size), *at = text, *l;
    raw.method = line(&at);
    raw.target = line(&at);
    while ((l = line(&at)) && *l) {
        char *colon = strchr(l, ':');
        if (!colon || raw.headers_len == MAX_HEADERS)
            continue;
        *colon = 0;
        headers[raw.headers_len++] = (struct cz_http_pair){l, colon + 1};
    }
    raw.body = at;
    raw.body_len = at ? strlen(at) : 0;
    /* Long waits are for people. */
    if (raw.target && !strstr(raw.target, "wait")) {
        cz_http_handle(server, &raw, &out);
        check(&out);
        cz_http_out_done(&out);
    }
    cz_free(text);
    return 0;
}
