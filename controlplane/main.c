/* SPDX-License-Identifier: Apache-2.0 */
/** citizenk-controlplane: REST API and scheduler of one deployment.
 *
 *  Start: signals blocked → options → token → migrations → store, status view, service,
 * scheduler, HTTP.  A database or control cluster that is away does not keep it from starting:
 * HTTP answers, /readyz says 503 with the reason, and all recovers by itself; what is wrong for
 * good (a bad option, a schema of a newer version, no token) ends it with a clear message. Stop
 * on SIGTERM or SIGINT: /readyz 503 → requests in flight are answered → scheduler gives the
 *  leadership back → exit 0.  A second signal ends it at once. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cz/alloc.h"
#include "cz/api.h"
#include "cz/audit_store.h"
#include "cz/cfg.h"
#include "cz/http.h"
#include "cz/identity.h"
#include "cz/json.h"
#include "cz/log.h"
#include "cz/scheduler.h"
#include "cz/service.h"
#include "cz/status_view.h"
#include "cz/storage.h"
#include "cz/thread.h"
#include "cz/util.h"
#include "options.h"
#include "replicator.h"
#include "sign_in.h"

#define PROGRAM "citizenk-controlplane"
#define MIN_TOKEN 16
#define STOP_MS 15000
#define VERIFY_TICK_MS 1000 /* how often to look whether a verification is due */
#define RECOPY_KEPT_MS 600000 /* a copy that is done stays so long, to be looked at */

struct app {
    struct options o;
    char *token;
    size_t token_len;
    struct cz_store *store;
    struct cz_cluster *control;
    struct cz_status_view *status;
    struct cz_service *service;
    struct cz_identity *identity;
    struct cz_api *api;
    struct cz_scheduler *scheduler;
    struct cz_http_server *http;
    struct replicator *replicator;
    struct cz_thread boot, signals, verifier;
    struct cz_mutex lock;
    struct cz_cond changed;
    bool stop; /* under lock, as all below */
    bool migrated;
    char problem[512]; /* why not yet */
};

/* ---- options ------------------------------------------------------------------------------
 */

static enum cz_err check_options(struct app *a, struct cz_error *err)
{
    struct options *o = &a->o;
    if (!o->instance) {
        char host[128] = "controlplane";
        (void)gethostname(host, sizeof(host) - 1);
        o->instance = cz_strf("%s-%d", host, (int)getpid());
    }
    if (o->migrate_only)
        return CZ_OK;
    if (!o->bootstrap)
        return cz_fail(err, CZ_E_INVALID,
                       "--bootstrap-servers is needed: the brokers of the control cluster");
    enum cz_err rc = sign_in_check(o, err);
    return rc == CZ_OK ? replicator_check(o, err) : rc;
}

static void start_log(const struct options *o)
{
    bool json = o->log_format == 1 || (o->log_format == 0 && !isatty(STDERR_FILENO));
    cz_log_init((enum cz_log_level)o->log_level, json);
}

static enum cz_err read_token(struct app *a, struct cz_error *err)
{
    struct stat st;
    const char *path = a->o.admin_token_file;
    if (!path)
        return CZ_OK;
    if (cz_read_file(path, 4096, &a->token, &a->token_len, err) != CZ_OK)
        return cz_fail_prefix(err, "--admin-token-file");
    while (a->token_len && strchr(" \t\r\n", a->token[a->token_len - 1]))
        a->token[--a->token_len] = 0;
    if (a->token_len < MIN_TOKEN)
        return cz_fail(err, CZ_E_INVALID, "the token in %s has less than %d characters", path,
                       MIN_TOKEN);
    if (strcspn(a->token, " \t\r\n") != a->token_len)
        return cz_fail(err, CZ_E_INVALID, "the token in %s must be one word on one line", path);
    if (stat(path, &st) == 0 && (st.st_mode & 077))
        cz_log(CZ_LOG_WARN, "main", "the token file can be read by others: chmod 600 path=%s",
               path);
    return CZ_OK;
}

/* ---- migrations ---------------------------------------------------------------------------
 */

static enum cz_err migrate(struct app *a, struct cz_error *err)
{
    int applied = 0;
    const char *owner = a->o.postgres_admin ? a->o.postgres_admin : a->o.postgres;
    char *role = a->o.postgres_admin ? cz_store_postgres_role(a->o.postgres) : NULL;
    enum cz_err rc = cz_store_postgres_migrate(owner, role, &applied, err);
    if (rc == CZ_OK)
        rc = cz_store_audit_policy(owner, (int)a->o.audit_keep_months, err);
    cz_free(role);
    CZ_LOCKED(&a->lock);
    a->migrated = rc == CZ_OK;
    (void)snprintf(a->problem, sizeof(a->problem), "%s", rc == CZ_OK ? "" : err->text);
    if (rc == CZ_OK)
        cz_log(CZ_LOG_INFO, "main", "schema is current applied=%d", applied);
    return rc;
}

static bool passes_by(const struct cz_error *err)
{
    return err->code == CZ_E_UNAVAILABLE || err->code == CZ_E_TIMEOUT ||
           (err->flags & CZ_ERR_RETRIABLE);
}

/* true: go on; false: the program stops. */
static bool pause_boot(struct app *a, unsigned attempt)
{
    cz_time deadline = cz_deadline_ms(cz_backoff_ms(attempt, 200, 2000));
    CZ_LOCKED(&a->lock);
    while (!a->stop && cz_cond_wait(&a->changed, &a->lock, deadline))
        ;
    return !a->stop;
}

/* Migrations until the database is there, then the scheduler. */
static void *boot_main(void *arg)
{
    struct app *a = arg;
    struct cz_error err = CZ_ERROR_INIT;
    bool ready = a->migrated; /* written by this thread, or before it began */
    for (unsigned attempt = 0; !ready && pause_boot(a, attempt); attempt++) {
        cz_error_reset(&err);
        ready = migrate(a, &err) == CZ_OK;
        if (!ready && !passes_by(&err)) {
            cz_log(CZ_LOG_ERROR, "main", "migrations: %s", err.text);
            _exit(EXIT_FAILURE);
        }
        if (!ready)
            CZ_LOG_EVERY(10000, CZ_LOG_WARN, "main", "waiting for the database: %s", err.text);
    }
    if (ready)
        sign_in_offer(&a->o, a->identity);
    if (ready && cz_scheduler_start(a->scheduler, &err) != CZ_OK) {
        cz_log(CZ_LOG_ERROR, "main", "scheduler: %s", err.text);
        _exit(EXIT_FAILURE);
    }
    if (ready)
        a->replicator = replicator_start(&a->o, a->service, a->api);
    return NULL;
}

static bool leads(struct app *a)
{
    struct cz_scheduler_state st;
    cz_scheduler_get_state(a->scheduler, &st);
    return st.leader;
}

/* Recopies that are done, and mappings that want to be verified again and again: by the instance that leads. */
static void *verifier_main(void *arg)
{
    struct app *a = arg;
    bool stop = false;
    while (!stop) {
        bool leader = leads(a);
        if (leader)
            cz_service_recopies_end(a->service, RECOPY_KEPT_MS);
        if (leader)
            cz_service_verify_due(a->service);
        cz_time deadline = cz_deadline_ms(VERIFY_TICK_MS);
        CZ_LOCKED(&a->lock);
        while (!a->stop && cz_cond_wait(&a->changed, &a->lock, deadline))
            ;
        stop = a->stop;
    }
    return NULL;
}

/* ---- readiness, metrics, conditions: what the API asks back ---------------------------------
 */

static void ready(void *arg, json_t *checks)
{
    struct app *a = arg;
    struct cz_error err = CZ_ERROR_INIT;
    bool scheduler = cz_scheduler_ready(a->scheduler, &err) == CZ_OK;
    (void)json_array_append_new(checks,
                                json_pack("{s:s, s:b, s:s}", "name", "control_cluster", "ok",
                                          scheduler, "message", scheduler ? "ok" : err.text));
    CZ_LOCKED(&a->lock);
    (void)json_array_append_new(checks, json_pack("{s:s, s:b, s:s}", "name", "migrations", "ok",
                                                  a->migrated, "message",
                                                  a->migrated ? "ok" : a->problem));
}

static void metrics(void *arg, struct cz_buf *out)
{
    struct app *a = arg;
    cz_scheduler_metrics(a->scheduler, out);
}

static bool mapping_view(void *arg, const char *uid, struct cz_mapping_view *ret)
{
    return cz_scheduler_mapping(arg, uid, ret);
}

static bool topic_writer(void *arg, const struct cz_writer_query *q, char *ret_name, size_t n)
{
    return cz_scheduler_writer(arg, q, ret_name, n);
}

/* ---- start --------------------------------------------------------------------------------
 */

static enum cz_err start_http(struct app *a, struct cz_error *err)
{
    struct cz_http_options h = {
        .listen = a->o.listen,
        .tls_cert = a->o.tls_cert,
        .tls_key = a->o.tls_key,
        .connections = (int)a->o.connections,
        .connections_per_ip = (int)a->o.connections_per_ip,
        .requests_per_second = (int)a->o.requests_per_second,
        .requests_per_second_per_ip = (int)a->o.requests_per_second_per_ip,
        .open_metrics = a->o.metrics_open,
        .origin = a->o.public_url,
        .prefix = a->o.api_prefix && *a->o.api_prefix ? a->o.api_prefix : NULL,
    };
    cz_api_serve(a->api, &h);
    enum cz_err rc = cz_http_server_new(&h, &a->http, err);
    if (rc != CZ_OK)
        return rc;
    cz_api_set_server(a->api, a->http);
    return cz_http_server_start(a->http, err);
}

static enum cz_err start_parts(struct app *a, struct cz_error *err)
{
    enum cz_err rc = cz_store_postgres_new(a->o.postgres, (int)a->o.pool_size, &a->store, err);
    if (rc == CZ_OK)
        rc = cz_cluster_from_bootstrap(a->o.bootstrap, a->o.kafka_properties, &a->control, err);
    if (rc == CZ_OK)
        rc = cz_status_view_new(a->control, a->o.group_id, &a->status, err);
    if (rc != CZ_OK)
        return rc;
    a->service =
        cz_service_new(&(struct cz_service_options){
            .store = a->store,
            .status = a->status,
            .group_id = a->o.group_id,
            .file_data_path = a->o.file_data_path});
    rc = sign_in_new(&a->o, a->store, a->token, a->token_len, &a->identity, err);
    if (rc != CZ_OK)
        return rc;
    a->api = cz_api_new(&(struct cz_api_options){.service = a->service,
                                                 .identity = a->identity,
                                                 .source_group = a->o.source.group_name,
                                                 .stats_every_ms = 1000 * a->o.stats_every_seconds,
                                                 .ready = ready,
                                                 .metrics = metrics,
                                                 .arg = a});
    const struct cz_scheduler_options so = {
        .store = a->store,
        .control = a->control,
        .status = a->status,
        .service = a->service,
        .group_id = a->o.group_id,
        .instance = a->o.instance,
        .groups_interval_ms = (int)(1000 * a->o.delete_groups_every_seconds),
        .audit_seal_ms = (int)(1000 * a->o.audit_seal_seconds),
        .audit_topic = a->o.audit_topic,
    };
    rc = cz_scheduler_new(&so, &a->scheduler, err);
    if (rc != CZ_OK)
        return rc;
    cz_service_set_view(a->service, mapping_view, topic_writer, a->scheduler);
    return start_http(a, err);
}

static enum cz_err start(struct app *a, struct cz_error *err)
{
    struct cz_error first = CZ_ERROR_INIT;
    enum cz_err rc = read_token(a, err);
    if (rc != CZ_OK)
        return rc;
    if (migrate(a, &first) != CZ_OK) {
        if (!passes_by(&first))
            return cz_fail(err, first.code, "migrations: %s", first.text);
        cz_log(CZ_LOG_WARN, "main", "waiting for the database: %s", first.text);
    }
    rc = start_parts(a, err);
    if (rc == CZ_OK) {
        cz_thread_start(&a->boot, "boot", boot_main, a);
        cz_thread_start(&a->verifier, "verifier", verifier_main, a);
    }
    return rc;
}

/* ---- stop ---------------------------------------------------------------------------------
 */

static void *second_signal_main(void *arg)
{
    (void)arg;
    while (cz_signals_wait(CZ_TIME_NEVER) == SIGHUP)
        ;
    cz_log(CZ_LOG_WARN, "main", "second signal: exit at once");
    _exit(130);
}

static void stop(struct app *a)
{
    if (a->http)
        cz_http_server_drain(a->http);
    cz_mutex_lock(&a->lock);
    a->stop = true;
    cz_cond_broadcast(&a->changed);
    cz_mutex_unlock(&a->lock);
    if (a->service)
        cz_service_verify_stop(a->service);
    cz_thread_join(&a->boot);
    cz_thread_join(&a->verifier);
    replicator_stop(a->replicator);
    if (a->http) {
        cz_time end = cz_deadline_ms(a->o.drain_ms);
        while (cz_remaining_ms(end) > 0)
            (void)usleep(20000);
        cz_http_server_stop(a->http, cz_deadline_ms(STOP_MS));
    }
    if (a->service)
        cz_service_set_view(a->service, NULL, NULL, NULL);
    cz_scheduler_free(a->scheduler);
    cz_http_server_free(a->http);
    cz_api_free(a->api);
    cz_identity_free(a->identity);
    cz_service_free(a->service);
    cz_status_view_free(a->status);
    cz_cluster_unref(a->control);
    cz_store_free(a->store);
    cz_free(a->token);
}

static int run(struct app *a)
{
    struct cz_error err = CZ_ERROR_INIT;
    int code = EXIT_FAILURE;
    if (a->o.migrate_only) {
        if (migrate(a, &err) == CZ_OK)
            return EXIT_SUCCESS;
        cz_log(CZ_LOG_ERROR, "main", "migrations: %s", err.text);
        return EXIT_FAILURE;
    }
    if (start(a, &err) == CZ_OK) {
        cz_log(CZ_LOG_INFO, "main", "started version=%s instance=%s group_id=%s port=%d",
               cz_version, a->o.instance, a->o.group_id, cz_http_server_port(a->http));
        while (cz_signals_wait(CZ_TIME_NEVER) == SIGHUP)
            ;
        cz_log(CZ_LOG_INFO, "main", "stopping instance=%s", a->o.instance);
        cz_thread_start(&a->signals, "signals", second_signal_main, NULL);
        (void)pthread_detach(a->signals.id);
        code = EXIT_SUCCESS;
    } else {
        cz_log(CZ_LOG_ERROR, "main", "%s", err.text);
    }
    stop(a);
    return code;
}

int main(int argc, char **argv)
{
    struct app a = {0};
    struct cz_error err = CZ_ERROR_INIT;
    bool leave = false;
    cz_signals_block();
    cz_json_init();
    cz_mutex_init(&a.lock);
    cz_cond_init(&a.changed);
    enum cz_err rc =
        cz_cfg_parse_main(controlplane_options, PROGRAM, "CITIZENK_", argc, argv, &a.o, &leave, &err);
    if (rc == CZ_OK && !leave && check_options(&a, &err) != CZ_OK) {
        rc = CZ_E_INVALID;
        cz_cfg_done(controlplane_options, &a.o);
    }
    if (rc != CZ_OK) {
        (void)fprintf(stderr, PROGRAM ": %s\n", err.text);
        return 64;
    }
    start_log(&a.o);
    int code = leave ? EXIT_SUCCESS : run(&a);
    cz_cfg_done(controlplane_options, &a.o);
    cz_cond_done(&a.changed);
    cz_mutex_done(&a.lock);
    return code;
}
