/* SPDX-License-Identifier: Apache-2.0 */
/** CitizenK Replicator's paths about topics: value mappings of a source topic, the topics and groups
 *  of the clusters, records of a topic, and the statistics. */
#include <string.h>

#include "api_priv.h"

enum { MAX_PARTITIONS = 1000, MAX_ANSWER = 32 * 1024 * 1024 };

/* ---- value mappings: value maps of the team that bear the topic's name ---------------------- */

/* The document is the spec itself. */
static void strip_spec(const struct cz_report *native, struct cz_report *rep)
{
    for (size_t i = 0; i < native->len; i++) {
        const char *at = native->items[i].pointer;
        if (strncmp(at, "/spec", 5) == 0)
            at += 5;
        (void)cz_report_add(rep, at, native->items[i].code, "%s", native->items[i].message);
    }
}

static enum cz_err
write_of(const struct cz_http_request *rq, struct cz_write *ret, struct cz_error *err)
{
    enum cz_err rc = cz__api_write(rq, ret, err);
    if (rc == CZ_OK && ret->if_match == CZ_IF_MATCH_NONE && !ret->create_only)
        ret->if_match = CZ_IF_MATCH_ANY;
    return rc;
}

HANDLER(cz__rest_seed_value_map)
{
    json_t *o = NULL;
    int64_t version = 0;
    enum cz_err rc = cz_service_get(cz__api_service(rq), CZ_SEED_TEAM, CZ_KIND_VALUE_MAP,
                                    cz_http_var(rq, "topic"), &o, &version, err);
    if (rc != CZ_OK)
        return rc;
    cz_http_etag(rs, version);
    cz_http_json(rs, 200, json_incref(json_object_get(o, "spec")));
    json_decref(o);
    return CZ_OK;
}

static enum cz_err put_map(const struct cz_http_request *rq,
                           struct cz_http_response *rs,
                           const struct cz_write *w,
                           struct cz_error *err)
{
    struct cz_write_result r = {0};
    struct cz_report native = CZ_REPORT_INIT;
    struct cz_caller who = cz__api_caller(rq);
    json_t *doc = json_pack("{s:o}", "spec", cz__api_document(rq));
    enum cz_err rc = cz_service_put(cz__api_service(rq), &who, w, CZ_SEED_TEAM, CZ_KIND_VALUE_MAP,
                                    cz_http_var(rq, "topic"), doc, &r, &native, err);
    json_decref(doc);
    strip_spec(&native, cz_http_report(rs));
    cz_report_done(&native);
    if (rc != CZ_OK)
        return rc;
    json_t *spec = json_incref(json_object_get(r.resource, "spec"));
    json_decref(r.resource);
    r.resource = spec;
    cz__api_written(rq, rs, w, &r);
    return CZ_OK;
}

HANDLER(cz__rest_seed_put_value_map)
{
    struct cz_write w;
    enum cz_err rc = write_of(rq, &w, err);
    if (rc != CZ_OK)
        return rc;
    rc = put_map(rq, rs, &w, err);
    if (rc == CZ_E_STALE && w.if_match == CZ_IF_MATCH_ANY && !cz_http_header(rq, "If-Match")) {
        cz_error_reset(err); /* there is none yet */
        w.if_match = CZ_IF_MATCH_NONE;
        rc = put_map(rq, rs, &w, err);
    }
    return rc;
}

HANDLER(cz__rest_seed_delete_value_map)
{
    struct cz_write w;
    struct cz_write_result r = {0};
    struct cz_caller who = cz__api_caller(rq);
    enum cz_err rc = write_of(rq, &w, err);
    if (rc == CZ_OK)
        rc = cz_service_delete(cz__api_service(rq), &who, &w, CZ_SEED_TEAM, CZ_KIND_VALUE_MAP,
                               cz_http_var(rq, "topic"), &r, err);
    if (rc == CZ_OK)
        cz__api_written(rq, rs, &w, &r);
    return rc;
}

/* ---- clusters ------------------------------------------------------------------------------- */

typedef enum cz_err (*list_fn)(struct cz_service *s,
                               const char *team,
                               const char *cluster,
                               json_t **ret,
                               struct cz_error *err);

static enum cz_err list(const struct cz_http_request *rq,
                        struct cz_http_response *rs,
                        list_fn fn,
                        const char *member,
                        const char *cluster,
                        struct cz_error *err)
{
    const char *given = cz_http_query(rq, "cluster");
    json_t *names = NULL;
    enum cz_err rc =
        fn(cz__api_service(rq), CZ_SEED_TEAM, given ? given : cluster, &names, err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, json_pack("{s:o}", member, names));
    return rc;
}

HANDLER(cz__rest_seed_topics)
{
    return list(rq, rs, cz_service_cluster_topics, "topics", "source", err);
}

HANDLER(cz__rest_seed_groups)
{
    return list(rq, rs, cz_service_cluster_groups, "groups", "target", err);
}

/* ---- records -------------------------------------------------------------------------------- */

/* "0,1,4" */
static enum cz_err read_partitions(const char *text,
                                   int32_t *out,
                                   size_t *ret_len,
                                   struct cz_error *err)
{
    size_t len = 0;
    while (text && *text) {
        size_t n = strcspn(text, ",");
        char *one = cz_strndup(text, n);
        int64_t v;
        bool ok = cz_parse_i64(one, &v) && v >= 0 && v <= INT32_MAX && len < MAX_PARTITIONS;
        cz_free(one);
        if (!ok)
            return cz_fail(err, CZ_E_PARSE,
                           "query parameter partitions must be numbers with commas, at most %d",
                           MAX_PARTITIONS);
        out[len++] = (int32_t)v;
        text += n + (text[n] == ',');
    }
    *ret_len = len;
    return CZ_OK;
}

HANDLER(cz__rest_seed_consume)
{
    const char *cluster = cz_http_query(rq, "cluster"), *how = cz_http_query(rq, "strategy");
    int32_t partitions[MAX_PARTITIONS];
    struct cz_consume q = {.team = CZ_SEED_TEAM,
                           .cluster = cluster ? cluster : "source",
                           .topic = cz_http_query(rq, "topic"),
                           .count = cz_http_query_int(rq, "count", 10),
                           .from = cz_streq(how, "earliest")   ? CZ_CONSUME_EARLIEST
                                   : cz_streq(how, "specific") ? CZ_CONSUME_OFFSET
                                                               : CZ_CONSUME_LATEST,
                           .offset = cz_http_query_int(rq, "offset", 0),
                           .epoch_ms = cz_http_query_int(rq, "epoch", 0),
                           .partitions = partitions,
                           .timeout_ms = 1000 * (int)cz_http_query_int(rq, "timeout", 5)};
    if (!q.topic)
        return cz_fail(err, CZ_E_PARSE, "query parameter topic is needed");
    if (cz_http_query(rq, "offset") && q.from != CZ_CONSUME_OFFSET)
        return cz_fail(err, CZ_E_PARSE, "query parameter offset goes with strategy=specific");
    enum cz_err rc =
        read_partitions(cz_http_query(rq, "partitions"), partitions, &q.partitions_len, err);
    if (rc != CZ_OK)
        return rc;
    CZ_CLEANUP(cz_buf_done) struct cz_buf b = CZ_BUF_INIT(MAX_ANSWER);
    rc = cz_service_consume(cz__api_service(rq), &q, &b, err);
    if (rc == CZ_OK)
        rc = cz__api_peeked(rq, q.team,
                            json_pack("{s:s, s:s, s:s, s:I}", "by", "consume", "cluster", q.cluster, "topic",
                                      q.topic, "count", (json_int_t)q.count),
                            err);
    if (rc == CZ_OK)
        cz_http_text(rs, 200, "application/json", &b);
    return rc;
}

/* ---- statistics ----------------------------------------------------------------------------- */

HANDLER(cz__rest_seed_stats)
{
    const struct cz_api *a = cz_http_context(rq);
    json_t *o = NULL;
    enum cz_err rc = cz_service_pair_stats(a->service, CZ_SEED_TEAM, a->stats_every_ms, &o, err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    return rc;
}
