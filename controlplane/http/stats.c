/* SPDX-License-Identifier: Apache-2.0 */
/** Counters of requests by route, method and code, and the durations.  Labels come from the
 * route table only, never from what a client sent. */
#include "cz/alloc.h"
#include "http_priv.h"

void cz__stats_init(struct cz__stats *s, size_t routes)
{
    cz_mutex_init(&s->lock);
    s->len = routes;
    s->rows = cz_alloc_array(routes + 1, sizeof(*s->rows));
}

void cz__stats_done(struct cz__stats *s)
{
    if (s->rows)
        cz_mutex_done(&s->lock);
    cz_free(s->rows);
    s->rows = NULL;
}

void cz__stats_add(struct cz__stats *s, size_t row, int status, int64_t ms)
{
    CZ_LOCKED(&s->lock);
    if (status >= 100 && status < 100 + CZ_HTTP_CODES)
        s->rows[row].codes[status - 100]++;
    cz_histogram_add(&s->rows[row].ms, ms);
}

static void
labels(const struct cz_http_server *s, size_t row, const char **path, const char **method)
{
    *path = row < s->router.len ? s->router.routes[row].r->path : "none";
    *method = row < s->router.len ? s->router.routes[row].r->method : "any";
}

static void connections(struct cz_http_server *s, struct cz_buf *out)
{
    static const char *const names[CZ__CONN_STATES] = {"new", "reading", "handling", "sending",
                                                       "idle"};
    struct cz__conns *c = &s->conns;
    CZ_LOCKED(&c->lock);
    cz_prom_family(out, "citizenk_http_connections", "gauge", "Open connections by state.");
    for (size_t i = 0; i < CZ__CONN_STATES; i++)
        cz_prom_sample(out, "citizenk_http_connections", (double)c->count[i], "state", names[i],
                       NULL);
    cz_prom_family(out, "citizenk_http_connections_accepted_total", "counter",
                   "Connections accepted.");
    cz_prom_sample(out, "citizenk_http_connections_accepted_total", (double)c->accepted, NULL);
    cz_prom_family(out, "citizenk_http_connections_reaped_total", "counter",
                   "Connections cut because the client was too slow.");
    cz_prom_sample(out, "citizenk_http_connections_reaped_total", (double)c->reaped, NULL);
}

void cz_http_server_metrics(struct cz_http_server *s, struct cz_buf *out)
{
    const char *path, *method;
    cz_prom_family(out, "citizenk_http_requests_total", "counter", "HTTP requests answered.");
    cz_mutex_lock(&s->stats.lock);
    for (size_t i = 0; i <= s->stats.len; i++) {
        labels(s, i, &path, &method);
        for (int c = 0; c < CZ_HTTP_CODES; c++) {
            char code[16];
            if (!s->stats.rows[i].codes[c])
                continue;
            (void)snprintf(code, sizeof(code), "%d", c + 100);
            cz_prom_sample(out, "citizenk_http_requests_total",
                           (double)s->stats.rows[i].codes[c], "route", path, "method", method,
                           "code", code, NULL);
        }
    }
    cz_prom_family(out, "citizenk_http_request_duration_seconds", "histogram",
                   "Time from the complete request to the answer.");
    for (size_t i = 0; i <= s->stats.len; i++) {
        labels(s, i, &path, &method);
        if (s->stats.rows[i].ms.total)
            cz_prom_histogram(out, "citizenk_http_request_duration_seconds",
                              &s->stats.rows[i].ms, "route", path, "method", method, NULL);
    }
    cz_mutex_unlock(&s->stats.lock);
    connections(s, out);
}
