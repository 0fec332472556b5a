/* SPDX-License-Identifier: Apache-2.0 */
/* citizenk-worker: stateless; reads the config topic, runs the tasks assigned to it, reports on the
 * status topic.  Never talks to PostgreSQL. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cz/alloc.h"
#include "cz/cfg.h"
#include "cz/http.h"
#include "cz/json.h"
#include "cz/log.h"
#include "cz/metrics.h"
#include "cz/util.h"
#include "worker_priv.h"

#define ROW(field_, type_, ...)                                                                \
    {                                                                                          \
        .type = (type_), .offset = offsetof(struct worker_options, field_), __VA_ARGS__        \
    }
static const struct cz_cfg_key OPTIONS[] = {
    ROW(bootstrap, CZ_CFG_STRING, .name = "bootstrap_servers", .flags = CZ_CFG_REQUIRED,
        .doc = "Brokers of the control cluster, which holds the config and status topics."),
    ROW(kafka_properties, CZ_CFG_STRING, .name = "kafka_properties",
        .doc = "File of librdkafka properties (key=value lines) for the control cluster."),
    ROW(group_id, CZ_CFG_STRING, .name = "group_id", .def = "\"citizenk\"",
        .doc = "Id of the deployment: the topics are <group_id>.config and <group_id>.status."),
    ROW(id, CZ_CFG_STRING, .name = "worker_id",
        .doc = "Name of this worker, unique in the deployment. Default: host name and process id."),
    ROW(listen, CZ_CFG_STRING, .name = "listen", .def = "\"127.0.0.1:0\"",
        .doc = "Address for /livez, /readyz and /metrics. Port 0: any free one."),
    ROW(lease_ms, CZ_CFG_INT, .name = "lease_ms", .def = "10000", .min = 2000, .max = 600000,
        .doc = "A worker that could not report for this long stops its tasks (milliseconds)."),
    ROW(capacity, CZ_CFG_INT, .name = "capacity", .def = "0", .min = 0, .max = 1000000,
        .doc = "Most tasks that this worker takes; 0: no limit."),
    ROW(prefetch_kib, CZ_CFG_INT, .name = "prefetch_kib", .def = "32768", .min = 1024, .max = 4194304,
        .doc = "Bound of what one lane fetches ahead (KiB)."),
    ROW(commit_interval_ms, CZ_CFG_INT, .name = "commit_interval_ms", .def = "1000", .min = 50, .max = 600000,
        .doc = "How often positions are committed to the consumer group (milliseconds)."),
    ROW(position_renewal_s, CZ_CFG_INT, .name = "position_renewal_seconds", .def = "21600", .min = 1, .max = 604800,
        .doc = "How often the positions of tasks that are paused, stopped or finished are committed again, so "
               "that brokers do not forget them after offsets.retention.minutes."),
    ROW(lanes, CZ_CFG_INT, .name = "lanes", .def = "4", .min = 1, .max = W_MAX_LANES,
        .doc = "Most lanes (consumers) per source cluster. More are used only when mappings read "
               "the same partitions."),
    ROW(starters, CZ_CFG_INT, .name = "starters", .def = "4", .min = 1, .max = 64,
        .doc = "Threads that start tasks."),
    ROW(file_data_path, CZ_CFG_STRING, .name = "file_data_path",
        .aliases = (const struct cz_cfg_alias[]){{.variable = "FILE_DATA_PATH"}, {0}},
        .doc = "Folder of topic files. Without it this worker gets no mapping from or to files."),
    ROW(log_level, CZ_CFG_STRING, .name = "log_level", .def = "\"info\"",
        .aliases = cz_log_level_aliases,
        .doc = "error, warn, info or debug."),
    ROW(log_format, CZ_CFG_STRING, .name = "log_format", .def = "\"auto\"",
        .aliases = cz_log_format_aliases,
        .doc = "json, logfmt, or auto: logfmt on a terminal."),
    {0},
};

/* ---- health --------------------------------------------------------------------------------- */

static enum cz_err livez(const struct cz_http_request *rq, struct cz_http_response *rs, struct cz_error *err)
{
    (void)rq;
    (void)err;
    cz_http_json(rs, 200, json_pack("{s:s}", "status", "ok"));
    return CZ_OK;
}

static enum cz_err readyz(const struct cz_http_request *rq, struct cz_http_response *rs, struct cz_error *err)
{
    const struct worker *w = cz_http_context(rq);
    if (!atomic_load(&w->ready) || !w_leased(w))
        return cz_fail(err, CZ_E_UNAVAILABLE, "%s",
                       atomic_load(&w->ready) ? "no lease: the status topic cannot be written"
                                              : "the config topic is not read yet");
    cz_http_json(rs, 200, json_pack("{s:s}", "status", "ok"));
    return CZ_OK;
}

static enum cz_err metrics(const struct cz_http_request *rq, struct cz_http_response *rs, struct cz_error *err)
{
    const struct worker *w = cz_http_context(rq);
    (void)err;
    CZ_CLEANUP(cz_buf_done) struct cz_buf b = CZ_BUF_INIT(1024 * 1024);
    cz_prom_family(&b, "citizenk_build_info", "gauge", "Version of this process.");
    cz_prom_sample(&b, "citizenk_build_info", 1, "version", cz_version, NULL);
    cz_prom_family(&b, "citizenk_worker_leased", "gauge", "1 while the worker holds its lease.");
    cz_prom_sample(&b, "citizenk_worker_leased", w_leased(w), "worker", w->o.id, NULL);
    cz_http_text(rs, 200, "text/plain; version=0.0.4; charset=utf-8", &b);
    return CZ_OK;
}

static const struct cz_http_route ROUTES[] = {
    {.method = "GET", .path = "/livez", .handler = livez, .flags = CZ_HTTP_NOAUTH | CZ_HTTP_QUIET, .id = "livez"},
    {.method = "GET", .path = "/readyz", .handler = readyz, .flags = CZ_HTTP_NOAUTH | CZ_HTTP_QUIET, .id = "readyz"},
    {.method = "GET", .path = "/metrics", .handler = metrics, .flags = CZ_HTTP_NOAUTH | CZ_HTTP_QUIET, .id = "metrics"},
    {0},
};

/* ---- life ----------------------------------------------------------------------------------- */

static void init(struct worker *w)
{
    char uid[CZ_UID_SIZE];
    (void)snprintf(w->incarnation, sizeof w->incarnation, "%s", cz_uid(uid));
    w->started_ms = cz_wall_ms();
    if (!w->o.id) {
        char host[200] = "worker";
        (void)gethostname(host, sizeof host - 1);
        w->o.id = cz_strf("%s-%d", host, (int)getpid());
    }
    cz_mutex_init(&w->lock);
    cz_cond_init(&w->cond);
    cz_cond_init(&w->start_cond);
    cz_map_init(&w->mappings, w_mapping_free);
    cz_map_init(&w->clusters, w_cluster_free);
    w_clients_init(&w->clients);
}

static enum cz_err connect_control(struct worker *w, struct cz_error *err)
{
    enum cz_err code = cz_cluster_from_bootstrap(w->o.bootstrap, w->o.kafka_properties, &w->control, err);
    if (!code)
        code = cz_name_check(w->o.id, err);
    if (!code)
        code = cz_status_writer_new(w->control, w->o.group_id, &w->status, err);
    return code;
}

static enum cz_err serve(struct worker *w, struct cz_http_server **ret, struct cz_error *err)
{
    const struct cz_http_options o = {.listen = w->o.listen, .context = w, .routes = ROUTES, .open_metrics = true};
    enum cz_err code = cz_http_server_new(&o, ret, err);
    if (!code)
        code = cz_http_server_start(*ret, err);
    if (code)
        return code;
    /* What the heartbeat tells, with the real port. */
    char *colon = strrchr(w->o.listen, ':');
    char *listen = cz_strf("%.*s:%d", (int)(colon ? colon - w->o.listen : 0), w->o.listen,
                           cz_http_server_port(*ret));
    cz_free(w->o.listen);
    w->o.listen = listen;
    return CZ_OK;
}

static void done(struct worker *w)
{
    CZ_MAP_FOREACH(&w->mappings, i, e)
    {
        struct w_mapping *m = e->value;
        while (m->tasks)
            w_task_drop(w, m->tasks);
    }
    w_clients_done(w);
    cz_map_done(&w->mappings);
    cz_map_done(&w->clusters);
    cz_file_folder_free(w->files);
    cz_status_writer_free(w->status);
    cz_cluster_unref(w->control);
    cz_cfg_done(OPTIONS, &w->o);
}

int main(int argc, char **argv)
{
    static struct worker worker;
    struct worker *w = &worker;
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_http_server *http = NULL;
    bool leave = false;
    cz_signals_block();
    cz_json_init();
    if (cz_cfg_parse_main(OPTIONS, "citizenk-worker", "CITIZENK_", argc, argv, &w->o, &leave, &err)) {
        (void)fprintf(stderr, "citizenk-worker: %s\n", err.text);
        return 64;
    }
    if (leave) {
        cz_cfg_done(OPTIONS, &w->o);
        return 0;
    }
    enum cz_log_level level = CZ_LOG_INFO;
    if (!cz_log_level_parse(w->o.log_level, &level)) {
        (void)fprintf(stderr, "citizenk-worker: --log-level: error, warn, info or debug\n");
        return 64;
    }
    bool json = cz_streq(w->o.log_format, "json") ||
                (cz_streq(w->o.log_format, "auto") && !isatty(STDERR_FILENO));
    cz_log_init(level, json);
    init(w);
    if ((w->o.file_data_path && cz_file_folder_open(w->o.file_data_path, &w->files, &err)) ||
        connect_control(w, &err) || serve(w, &http, &err)) {
        cz_log(CZ_LOG_ERROR, "worker", "%s", err.text);
        return 1;
    }
    cz_log(CZ_LOG_INFO, "worker", "%s %s, librdkafka %s, deployment %s, health at %s", w->o.id,
           cz_version, cz_kafka_library_version(), w->o.group_id, w->o.listen);
    w_load_totals(w);
    w_herder_start(w);
    while (cz_signals_wait(CZ_TIME_NEVER) == SIGHUP)
        continue;
    cz_log(CZ_LOG_INFO, "worker", "stopping: tasks drain and commit");
    w_herder_stop(w);
    w_leave(w);
    cz_http_server_stop(http, cz_deadline_ms(1000));
    cz_http_server_free(http);
    done(w);
    cz_log(CZ_LOG_INFO, "worker", "stopped");
    return 0;
}
