/* SPDX-License-Identifier: Apache-2.0 */
/** Health, metrics, version.  /livez and /readyz are free for everybody, so they name checks
 * but tell why one fails only to who bears a token. */
#include "api_priv.h"

HANDLER(cz__rest_livez)
{
    (void)rq, (void)err;
    cz_http_json(rs, 200, json_pack("{s:s}", "status", "ok"));
    return CZ_OK;
}

static bool all_ok(const json_t *checks)
{
    size_t i;
    json_t *c;
    json_array_foreach ((json_t *)(uintptr_t)checks, i, c)
        if (!cz_json_bool(c, "ok", false))
            return false;
    return true;
}

HANDLER(cz__rest_readyz)
{
    const struct cz_api *a = cz_http_context(rq);
    json_t *got = NULL, *o = json_object();
    size_t i;
    json_t *c;
    /* What fails stands in the checks. */
    if (cz_service_ready(a->service, cz_deadline_ms(2000), &got, err) != CZ_OK)
        cz_error_reset(err);
    json_t *checks = got ? json_incref(json_object_get(got, "checks")) : NULL;
    json_decref(got);
    if (!checks)
        checks = json_array();
    if (a->ready)
        a->ready(a->arg, checks);
    (void)json_array_append_new(checks, json_pack("{s:s, s:b, s:s}", "name", "serving", "ok",
                                                  !cz_http_stopping(rq), "message",
                                                  cz_http_stopping(rq) ? "stopping" : ""));
    bool ok = all_ok(checks);
    json_array_foreach (checks, i, c)
        if (!cz_http_actor(rq))
            (void)json_object_del(c, "message");
    cz_json_set_str(o, "status", ok ? "ok" : "unavailable");
    if (cz_http_query_bool(rq, "verbose"))
        (void)json_object_set(o, "checks", checks);
    json_decref(checks);
    cz_http_json(rs, ok ? 200 : 503, o);
    return CZ_OK;
}

HANDLER(cz__rest_metrics)
{
    struct cz_api *a = cz_http_context(rq);
    struct cz_http_server *server = atomic_load(&a->server);
    struct cz_buf b = CZ_BUF_INIT(64u << 20);
    cz_prom_family(&b, "citizenk_build_info", "gauge", "Version of this process.");
    cz_prom_sample(&b, "citizenk_build_info", 1, "version", cz_version, NULL);
    enum cz_err rc = cz_service_metrics(a->service, &b, err);
    /* The database may be away: what this process knows by itself is shown all the same. */
    if (rc != CZ_OK && rc != CZ_E_UNAVAILABLE && rc != CZ_E_TIMEOUT) {
        cz_buf_done(&b);
        return rc;
    }
    cz_error_reset(err);
    cz_identity_metrics(a->identity, &b);
    cz__api_denied_metrics(a, &b);
    if (a->metrics)
        a->metrics(a->arg, &b);
    if (server)
        cz_http_server_metrics(server, &b);
    cz_http_text(rs, 200, "text/plain; version=0.0.4; charset=utf-8", &b);
    cz_buf_done(&b);
    return CZ_OK;
}

HANDLER(cz__rest_version)
{
    (void)rq, (void)err;
    cz_http_json(rs, 200,
                 json_pack("{s:s, s:s, s:s}", "version", cz_version, "api", "v1", "librdkafka",
                           cz_kafka_library_version()));
    return CZ_OK;
}
