/* SPDX-License-Identifier: Apache-2.0 */
/** What the audit log learns beside changes and refusals: that somebody looked at records, and that
 *  somebody sends one unacceptable request after the other, as a probe or a broken client does. */
#include "api_priv.h"
#include "cz/log.h"
#include "cz/service_audit.h"

enum { BURST = 20, WINDOW_S = 60, PEERS_MAX = 1000 };

/* Records are shown only when it is written down who sees them. @detail is taken. */
enum cz_err cz__api_peeked(const struct cz_http_request *rq,
                           const char *team,
                           json_t *detail,
                           struct cz_error *err)
{
    struct cz_caller who = cz__api_caller(rq);
    enum cz_err rc =
        cz_service_note(cz__api_service(rq), &who, team, "record.peek", "ok", detail, err);
    json_decref(detail);
    return rc;
}

/* ---- bursts -------------------------------------------------------------------------------- */

/* Count one more of @key; true when it is the one that makes a burst. All counts begin anew with each
 * window, and are bounded: who comes from a thousand addresses is not told apart. */
static bool counts(struct cz_api *a, const char *key)
{
    CZ_LOCKED(&a->lock);
    if (cz_now() >= a->window_ends || a->invalid.len >= PEERS_MAX) {
        cz_map_done(&a->invalid);
        cz_map_init(&a->invalid, cz_free);
        a->window_ends = cz_now() + WINDOW_S * CZ_SEC;
    }
    int *n = cz_map_get(&a->invalid, key);
    if (!n) {
        n = cz_alloc(sizeof(*n));
        cz_map_put(&a->invalid, key, n);
    }
    return ++*n == BURST;
}

void cz__api_invalid(const struct cz_http_request *rq)
{
    struct cz_api *a = cz_http_context(rq);
    struct cz_caller who = cz__api_caller(rq);
    struct cz_error err = CZ_ERROR_INIT;
    CZ_CLEANUP(cz_freep)
    char *key = cz_strf("%s %s", who.actor_id ? who.actor_id : who.actor ? who.actor : "",
                        who.ip ? who.ip : "");
    if (!counts(a, key))
        return;
    json_t *detail = json_pack("{s:i, s:i, s:s, s:s}", "requests", BURST, "within_seconds", WINDOW_S,
                               "method", cz_http_route(rq)->method, "route", cz_http_route(rq)->path);
    if (cz_service_note(a->service, &who, NULL, "request.invalid_burst", "failed", detail, &err) != CZ_OK)
        cz_log(CZ_LOG_WARN, "api", "audit event request.invalid_burst: %s", err.text);
    json_decref(detail);
}
