/* SPDX-License-Identifier: Apache-2.0 */
/** Clusters from the environment are written once, at the start.  A mapping file is read again and
 *  again; when its text, or that of its templates, is another one, all of it is applied in one
 *  change.  What fails is tried again and logged when the reason is a new one: nothing was changed
 *  then.  Every instance may do so: a second one finds nothing to change. */
#include "replicator.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/limits.h"
#include "cz/log.h"
#include "cz/thread.h"
#include "cz/util.h"

#define TEAM "default"
#define RETRY_MS 1000
#define MAX_TEMPLATES 1000

struct replicator {
    const struct options *o;
    struct cz_service *service;
    struct cz_api *api;
    struct cz_thread thread;
    struct cz_mutex lock;
    struct cz_cond changed;
    bool stop;
    char seen[65];   /* hash of what is applied; "" nothing */
    char *complaint; /* the last one; NULL: all is well */
};

/* ---- clusters ------------------------------------------------------------------------------- */

/* Properties of librdkafka that a cluster has fields for. @return false: it is no such one */
static bool take_field(json_t *spec, const char *key, const char *value, const char *which)
{
    static const struct {
        const char *property, *field, *ref;
    } fields[] = {
        {"ssl.ca.location", "ssl_ca", "${file:%s}"},
        {"ssl.ca.pem", "ssl_ca", "%s"},
        {"ssl.certificate.location", "ssl_certificate", "${file:%s}"},
        {"ssl.certificate.pem", "ssl_certificate", "%s"},
        {"ssl.key.location", "ssl_key", "${file:%s}"},
        {"ssl.key.pem", "ssl_key", NULL},
        {"ssl.key.password", "ssl_key_password", NULL},
    };
    if (strcmp(key, "ssl.endpoint.identification.algorithm") == 0 &&
        (cz_streq(value, "none") || cz_streq(value, "https"))) {
        (void)json_object_set_new(spec, "ssl_verify_hostname", json_boolean(*value != 'n'));
        return true;
    }
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (strcmp(key, fields[i].property) != 0)
            continue;
        bool file = fields[i].ref && fields[i].ref[0] == '$';
        bool secret = !fields[i].ref;
        CZ_CLEANUP(cz_freep) char *text =
            file     ? cz_strf("${file:%s}", value)
            : secret ? cz_strf("${env:KAFKA_%s_EXTRA_CONFIG_%s}", which,
                               strcmp(key, "ssl.key.pem") == 0 ? "SSL_KEY_PEM" : "SSL_KEY_PASSWORD")
                     : cz_strdup(value);
        (void)json_object_set_new(spec, fields[i].field, json_string(text));
        return true;
    }
    return false;
}

/* @which "SOURCE" or "TARGET". New reference. */
static json_t *cluster_spec(const struct end_options *e, const char *which)
{
    static const char *const protocols[] = {"plaintext", "ssl", "sasl_plaintext", "sasl_ssl"};
    static const char *const mechanisms[] = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"};
    bool sasl = e->sasl_username || e->sasl_password || e->sasl_mechanism > 0;
    json_t *spec = json_object(), *properties = json_object(), *v;
    const char *key;
    cz_json_set_str(spec, "bootstrap_servers", e->server_url);
    cz_json_set_str(spec, "security_protocol", protocols[2 * sasl + e->use_tls]);
    if (sasl)
        cz_json_set_str(spec, "sasl_mechanism", mechanisms[e->sasl_mechanism]);
    cz_json_set_str(spec, "sasl_username", e->sasl_username);
    cz_json_set_str(spec, "sasl_password", e->sasl_password);
    json_object_foreach (e->extra_config, key, v)
        if (!json_is_string(v) || !take_field(spec, key, json_string_value(v), which))
            (void)json_object_set(properties, key, v);
    if (json_object_size(properties) > 0)
        (void)json_object_set(spec, "properties", properties);
    json_decref(properties);
    return spec;
}

/* "/properties/fetch.max.bytes" → "KAFKA_SOURCE_EXTRA_CONFIG_FETCH_MAX_BYTES" */
static char *variable_of(const char *pointer, const char *which)
{
    static const char extra[] = "/properties/";
    bool is_extra = strncmp(pointer, extra, sizeof extra - 1) == 0;
    const char *name = is_extra                                     ? pointer + sizeof extra - 1
                       : strncmp(pointer, "/bootstrap", 10) == 0    ? "server_url"
                       : strncmp(pointer, "/security_", 10) == 0    ? "use_tls"
                       : strncmp(pointer, "/ssl_", 5) == 0          ? "extra_config_"
                                                                    : pointer + (*pointer == '/');
    char *out = cz_strf("KAFKA_%s_%s%s", which, is_extra ? "EXTRA_CONFIG_" : "", name);
    for (char *c = out; *c; c++)
        *c = *c == '.' || *c == '/' ? '_' : (char)toupper((unsigned char)*c);
    return out;
}

static enum cz_err
check_end(const struct end_options *e, const char *which, struct cz_error *err)
{
    struct cz_report rep = CZ_REPORT_INIT;
    struct cz_cluster *c = NULL;
    if (!e->server_url)
        return CZ_OK;
    json_t *spec = cluster_spec(e, which);
    enum cz_err code = cz_cluster_parse(spec, "", &c, &rep);
    if (code != CZ_OK && rep.len > 0) {
        CZ_CLEANUP(cz_freep) char *name = variable_of(rep.items[0].pointer, which);
        (void)cz_fail(err, CZ_E_INVALID, "%s: %s", name, rep.items[0].message);
    }
    json_decref(spec);
    cz_cluster_unref(c);
    cz_report_done(&rep);
    return code;
}

enum cz_err replicator_check(const struct options *o, struct cz_error *err)
{
    enum cz_err code = check_end(&o->source, "SOURCE", err);
    if (code == CZ_OK)
        code = check_end(&o->target, "TARGET", err);
    if (code == CZ_OK && o->templates_folder && !o->mappings_file)
        code = cz_fail(err, CZ_E_INVALID, "--templates-folder needs --mappings-file");
    return code;
}

static enum cz_err put_cluster(struct replicator *r,
                               const struct end_options *e,
                               const char *which,
                               const char *name,
                               struct cz_error *err)
{
    static const struct cz_caller who = {.actor = "environment", .via = "system"};
    struct cz_write w = {.if_match = CZ_IF_MATCH_ANY, .comment = "from the environment"};
    struct cz_write_result result = {0};
    struct cz_report rep = CZ_REPORT_INIT;
    if (!e->server_url)
        return CZ_OK;
    json_t *patch = json_pack("{s:o}", "spec", cluster_spec(e, which));
    enum cz_err code = cz_service_put(r->service, &who, &w, TEAM, CZ_KIND_CLUSTER, name, patch,
                                      &result, &rep, err);
    if (code == CZ_E_STALE) { /* there is none yet */
        cz_error_reset(err);
        w.if_match = CZ_IF_MATCH_NONE;
        code = cz_service_put(r->service, &who, &w, TEAM, CZ_KIND_CLUSTER, name, patch, &result,
                              &rep, err);
    }
    if (code == CZ_OK && !result.unchanged)
        cz_log(CZ_LOG_INFO, "replicator", "cluster from the environment name=%s", name);
    cz_write_result_done(&result);
    cz_report_done(&rep);
    json_decref(patch);
    return code;
}

/* ---- the mapping file ----------------------------------------------------------------------- */

static enum cz_err read_json(const char *path, json_t **ret, struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *text = NULL;
    size_t len = 0;
    enum cz_err code = cz_read_file(path, CZ_MAX_BODY, &text, &len, err);
    if (code)
        return code;
    code = cz_json_parse(text, len, ret, err);
    return code ? cz_fail_prefix(err, "%s", path) : CZ_OK;
}

static bool is_template(const char *file)
{
    size_t n = strlen(file);
    return file[0] != '.' && n > 5 && strcmp(file + n - 5, ".json") == 0;
}

static enum cz_err read_templates(const char *folder, json_t **ret, struct cz_error *err)
{
    DIR *d = opendir(folder);
    if (!d)
        return cz_fail(err, CZ_E_IO, "%s: %s", folder, strerror(errno));
    enum cz_err code = CZ_OK;
    json_t *all = json_object();
    for (struct dirent *e; code == CZ_OK && (e = readdir(d));) {
        json_t *list = NULL;
        if (!is_template(e->d_name))
            continue;
        CZ_CLEANUP(cz_freep) char *path = cz_strf("%s/%s", folder, e->d_name);
        CZ_CLEANUP(cz_freep) char *name = cz_strndup(e->d_name, strlen(e->d_name) - 5);
        code = read_json(path, &list, err);
        if (code == CZ_OK)
            (void)json_object_set_new(all, name, list);
        if (code == CZ_OK && json_object_size(all) > MAX_TEMPLATES)
            code = cz_fail(err, CZ_E_LIMIT, "%s: more than %d templates", folder, MAX_TEMPLATES);
    }
    (void)closedir(d);
    if (code)
        json_decref(all);
    else
        *ret = all;
    return code;
}

static void hash_of(const json_t *doc, const json_t *templates, char out[65])
{
    json_t *both = json_pack("[O,O?]", doc, templates);
    CZ_CLEANUP(cz_freep) char *text = cz_json_text(both, true);
    (void)cz_sha256_hex(text, strlen(text), out);
    json_decref(both);
}

static enum cz_err apply(struct replicator *r,
                         const json_t *doc,
                         const json_t *templates,
                         struct cz_error *err)
{
    static const struct cz_caller who = {.actor = "mapping file", .via = "system"};
    const char *slash = strrchr(r->o->mappings_file, '/');
    const struct cz_api_import in = {.doc = doc,
                                     .templates = templates,
                                     .label_value = slash ? slash + 1 : r->o->mappings_file};
    const struct cz_write w = {0};
    struct cz_write_result result = {0};
    struct cz_report rep = CZ_REPORT_INIT;
    enum cz_err code = cz_api_import(r->api, &who, &w, &in, &result, &rep, err);
    if (code == CZ_OK)
        cz_log(CZ_LOG_INFO, "replicator", "mapping file is applied path=%s changes=%zu",
               r->o->mappings_file, json_array_size(result.changes));
    else
        (void)cz_fail_prefix(err, "%s", r->o->mappings_file);
    cz_write_result_done(&result);
    cz_report_done(&rep);
    return code;
}

static enum cz_err look(struct replicator *r, struct cz_error *err)
{
    json_t *doc = NULL, *templates = NULL;
    char hash[65];
    enum cz_err code = read_json(r->o->mappings_file, &doc, err);
    if (code == CZ_OK && r->o->templates_folder)
        code = read_templates(r->o->templates_folder, &templates, err);
    if (code == CZ_OK) {
        hash_of(doc, templates, hash);
        if (strcmp(hash, r->seen) != 0)
            code = apply(r, doc, templates, err);
        if (code == CZ_OK)
            memcpy(r->seen, hash, sizeof r->seen);
    }
    json_decref(doc);
    json_decref(templates);
    return code;
}

/* ---- the thread ----------------------------------------------------------------------------- */

static void complain(struct replicator *r, const struct cz_error *err)
{
    const char *text = err->code ? err->text : NULL;
    if (text && !cz_streq(text, r->complaint))
        cz_log(CZ_LOG_ERROR, "replicator", "nothing was changed: %s", text);
    cz_free(r->complaint);
    r->complaint = cz_strdup(text);
    cz_api_set_file_error(r->api, text);
}

/* true: go on; false: the program stops. */
static bool wait_ms(struct replicator *r, int64_t ms)
{
    cz_time deadline = cz_deadline_ms(ms);
    CZ_LOCKED(&r->lock);
    while (!r->stop && cz_cond_wait(&r->changed, &r->lock, deadline))
        ;
    return !r->stop;
}

static void *thread_main(void *arg)
{
    struct replicator *r = arg;
    bool clusters = false, go_on = true;
    while (go_on) {
        struct cz_error err = CZ_ERROR_INIT;
        if (!clusters)
            clusters = put_cluster(r, &r->o->source, "SOURCE", "source", &err) == CZ_OK &&
                       put_cluster(r, &r->o->target, "TARGET", "target", &err) == CZ_OK;
        if (clusters && !r->o->mappings_file)
            return NULL;
        if (clusters)
            (void)look(r, &err);
        complain(r, &err);
        go_on = wait_ms(r, clusters ? r->o->read_mappings_every_seconds * 1000 : RETRY_MS);
    }
    return NULL;
}

struct replicator *replicator_start(const struct options *o, struct cz_service *s, struct cz_api *api)
{
    if (!o->source.server_url && !o->target.server_url && !o->mappings_file)
        return NULL;
    struct replicator *r = cz_alloc(sizeof *r);
    r->o = o;
    r->service = s;
    r->api = api;
    cz_mutex_init(&r->lock);
    cz_cond_init(&r->changed);
    cz_thread_start(&r->thread, "replicator", thread_main, r);
    return r;
}

void replicator_stop(struct replicator *r)
{
    if (!r)
        return;
    cz_mutex_lock(&r->lock);
    r->stop = true;
    cz_cond_broadcast(&r->changed);
    cz_mutex_unlock(&r->lock);
    cz_thread_join(&r->thread);
    cz_cond_done(&r->changed);
    cz_mutex_done(&r->lock);
    cz_free(r->complaint);
    cz_free(r);
}
