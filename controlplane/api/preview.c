/* SPDX-License-Identifier: Apache-2.0 */
/** POST …/preview: what a mapping, saved or not, would do with records of its live topic. */
#include "api_priv.h"
#include "cz/alloc.h"

#define DEFAULT_LIMIT 20

static void read_number(const json_t *body, const char *name, int64_t max, int64_t *ret, struct cz_report *rep)
{
    const json_t *v = json_object_get(body, name);
    int64_t n;
    char at[CZ_POINTER_SIZE] = "";
    if (!v || json_is_null(v))
        return;
    cz_pointer_push(at, name);
    if (!cz__api_i64(v, &n) || n < 0 || n > max)
        (void)cz_report_add(rep, at, "range", "must be a number from 0 to %lld", (long long)max);
    else
        *ret = n;
}

static void read_time(const json_t *body, int64_t *ret, struct cz_report *rep)
{
    const json_t *v = json_object_get(body, "timestamp");
    if (!v || json_is_null(v))
        return;
    if (!cz__api_i64(v, ret) && !(json_is_string(v) && cz_rfc3339_parse(json_string_value(v), ret)))
        (void)cz_report_add(rep, "/timestamp", "value",
                            "must be a time as 2026-11-22T18:00:00Z, or milliseconds since 1970");
    else if (*ret < 0)
        (void)cz_report_add(rep, "/timestamp", "range", "must not be before 1970");
}

/* "records": [{"partition", "offset"}]; *ret belongs to the caller. */
static void read_places(const json_t *body, struct cz_preview_place **ret, size_t *ret_len, struct cz_report *rep)
{
    static const char *const alone[] = {"limit", "partition", "offset", "timestamp", NULL};
    const json_t *list = json_object_get(body, "records"), *one;
    size_t i, n = json_array_size(list);
    if (!list || json_is_null(list))
        return;
    if (!json_is_array(list) || n == 0 || n > CZ_MAX_PREVIEW) {
        (void)cz_report_add(rep, "/records", "value", "must be a list of 1 to %d records {partition, offset}", CZ_MAX_PREVIEW);
        return;
    }
    for (i = 0; alone[i]; i++) {
        if (json_object_get(body, alone[i]) && !json_is_null(json_object_get(body, alone[i])))
            (void)cz_report_add(rep, "/records", "both", "records are chosen one by one, so without %s", alone[i]);
    }
    *ret = cz_alloc_array(n, sizeof **ret);
    json_array_foreach (list, i, one) {
        char at[CZ_POINTER_SIZE] = "/records";
        int64_t partition = -1, offset = -1;
        cz_pointer_push_index(at, i);
        bool good = json_object_size(one) == 2 && cz__api_i64(json_object_get(one, "partition"), &partition) && partition >= 0 &&
                    partition <= INT32_MAX && cz__api_i64(json_object_get(one, "offset"), &offset) && offset >= 0;
        if (!good)
            (void)cz_report_add(rep, at, "value", "must be an object {partition, offset} of numbers from 0 on");
        (*ret)[i] = (struct cz_preview_place){(int32_t)partition, offset};
    }
    *ret_len = n;
}

/* cz_free(*ret_places) in any case. */
static enum cz_err read_body(const json_t *body, struct cz_preview *ret, struct cz_preview_place **ret_places,
                             struct cz_report *rep)
{
    static const char *const names[] = {"spec", "topic", "limit", "partition", "offset", "timestamp",
                                        "records", NULL};
    const json_t *topic = json_object_get(body, "topic");
    int64_t limit = DEFAULT_LIMIT, partition = -1;
    struct cz_preview p = {.offset = -1, .timestamp_ms = -1};
    cz__api_known(body, names, rep);
    if (topic && !json_is_null(topic) && !json_is_string(topic))
        (void)cz_report_add(rep, "/topic", "type", "must be a string");
    read_number(body, "limit", CZ_MAX_PREVIEW, &limit, rep);
    read_number(body, "partition", INT32_MAX, &partition, rep);
    read_number(body, "offset", INT64_MAX, &p.offset, rep);
    read_time(body, &p.timestamp_ms, rep);
    read_places(body, ret_places, &p.places_len, rep);
    if (limit == 0)
        (void)cz_report_add(rep, "/limit", "range", "must be at least 1");
    if (p.offset >= 0 && partition < 0)
        (void)cz_report_add(rep, "/partition", "required", "an offset is one of a partition");
    if (p.offset >= 0 && p.timestamp_ms >= 0)
        (void)cz_report_add(rep, "/timestamp", "both", "give an offset or a time, not both");
    if (!cz_report_ok(rep))
        return CZ_E_INVALID;
    p.topic = json_string_value(topic);
    p.limit = (int)limit;
    p.partition = (int32_t)partition;
    p.places = *ret_places;
    *ret = p;
    return CZ_OK;
}

static enum cz_err preview(const struct cz_http_request *rq,
                           struct cz_http_response *rs,
                           const char *name,
                           struct cz_error *err)
{
    const json_t *body = cz_http_body(rq), *spec = json_object_get(body, "spec");
    struct cz_report *rep = cz_http_report(rs);
    struct cz_preview what;
    CZ_CLEANUP(cz_freep) struct cz_preview_place *places = NULL;
    json_t *o = NULL;
    if (!name && !spec)
        (void)cz_report_add(rep, "/spec", "required", "is required: the spec of a mapping");
    enum cz_err rc = read_body(body, &what, &places, rep);
    if (rc == CZ_OK)
        rc = cz_service_preview(cz__api_service(rq), cz_http_var(rq, "team"), name, spec, &what, &o, rep, err);
    if (rc == CZ_OK)
        rc = cz__api_peeked(rq, cz_http_var(rq, "team"),
                            json_pack("{s:s, s:s*, s:O?, s:O?, s:O?}", "by", "preview", "mapping", name,
                                      "topic", json_object_get(o, "topic"), "records",
                                      json_object_get(o, "read"), "masks", json_object_get(o, "masks")),
                            err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    else
        json_decref(o);
    return rc;
}

HANDLER(cz__rest_preview)
{
    return preview(rq, rs, cz_http_var(rq, "name"), err);
}

HANDLER(cz__rest_preview_spec)
{
    return preview(rq, rs, NULL, err);
}
