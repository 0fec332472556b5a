/* SPDX-License-Identifier: Apache-2.0 */
/** …/mappings/{name}/dead-letters: what could not be copied: looked at, re-driven, discarded. */
#include <string.h>

#include "api_priv.h"

enum { SAMPLES = 10, MAX_SAMPLES = 200, TIMEOUT_S = 25, MAX_TIMEOUT_S = 600 };
#define MAX_RECORDS INT64_C(1000000000)

static void problem(struct cz_report *rep, const char *name, const char *code, const char *text)
{
    CZ_CLEANUP(cz_freep) char *pointer = cz_strf("/%s", name);
    (void)cz_report_add(rep, pointer, code, "%s", text);
}

static const char *text_of(const json_t *o, const char *name, struct cz_report *rep)
{
    const json_t *v = json_object_get(o, name);
    if (v && !json_is_null(v) && !json_is_string(v))
        problem(rep, name, "type", "must be a text");
    return json_string_value(v);
}

static int64_t number_of(const json_t *o, const char *name, int64_t otherwise, int64_t min, int64_t max,
                         struct cz_report *rep)
{
    const json_t *v = json_object_get(o, name);
    int64_t n;
    if (!v || json_is_null(v))
        return otherwise;
    if (cz__api_i64(v, &n) && n >= min && n <= max)
        return n;
    CZ_CLEANUP(cz_freep)
    char *text = cz_strf("must be a whole number from %lld to %lld", (long long)min, (long long)max);
    problem(rep, name, "range", text);
    return otherwise;
}

static int64_t time_of(const json_t *o, const char *name, struct cz_report *rep)
{
    const json_t *v = json_object_get(o, name);
    int64_t ms = -1;
    if (v && !json_is_null(v) && !(json_is_string(v) && cz_rfc3339_parse(json_string_value(v), &ms)))
        problem(rep, name, "type", "must be a time as 2026-11-22T18:00:00Z");
    return ms;
}

/* The same members in a body and in a query. */
static void read_request(const json_t *o, struct cz_dead_letters_request *q, struct cz_report *rep)
{
    q->stage = text_of(o, "stage", rep);
    q->error = text_of(o, "error", rep);
    q->topic = text_of(o, "topic", rep);
    q->partition = (int32_t)number_of(o, "partition", -1, 0, INT32_MAX, rep);
    q->from_offset = number_of(o, "from_offset", -1, 0, INT64_MAX, rep);
    q->to_offset = number_of(o, "to_offset", -1, 0, INT64_MAX, rep);
    q->since_ms = time_of(o, "since", rep);
    q->until_ms = time_of(o, "until", rep);
    q->max_records = number_of(o, "max_records", MAX_RECORDS, 1, MAX_RECORDS, rep);
    q->samples = (int)number_of(o, "samples", SAMPLES, 0, MAX_SAMPLES, rep);
    q->deadline = cz_deadline_ms(1000 * (int)number_of(o, "timeout_seconds", TIMEOUT_S, 1, MAX_TIMEOUT_S, rep));
    if ((q->from_offset >= 0 || q->to_offset >= 0) && q->partition < 0)
        problem(rep, "partition", "required", "offsets are those of a partition of the source");
}

static enum cz_err answer(const struct cz_http_request *rq, struct cz_http_response *rs,
                          const struct cz_dead_letters_request *q, struct cz_error *err)
{
    struct cz_caller who = cz__api_caller(rq);
    json_t *o = NULL;
    if (!cz_report_ok(cz_http_report(rs)))
        return CZ_E_INVALID;
    enum cz_err rc = cz_service_dead_letters(cz__api_service(rq), &who, cz_http_var(rq, "team"),
                                             cz_http_var(rq, "name"), q, &o, err);
    if (rc == CZ_OK && q->action == CZ_DEAD_LETTERS_LIST && q->samples > 0)
        rc = cz__api_peeked(rq, cz_http_var(rq, "team"),
                            json_pack("{s:s, s:s, s:i}", "by", "dead-letters", "mapping",
                                      cz_http_var(rq, "name"), "samples", q->samples),
                            err);
    if (rc == CZ_OK)
        cz_http_json(rs, 200, o);
    else
        json_decref(o);
    return rc;
}

HANDLER(cz__rest_dead_letters)
{
    struct cz_dead_letters_request q = {.action = CZ_DEAD_LETTERS_LIST};
    json_t *o = json_object();
    for (const struct cz_http_param *p = cz_http_route(rq)->query; p->name; p++)
        cz_json_set_str(o, p->name, cz_http_query(rq, p->name));
    read_request(o, &q, cz_http_report(rs));
    enum cz_err rc = answer(rq, rs, &q, err);
    json_decref(o);
    return rc;
}

static enum cz_err act(const struct cz_http_request *rq, struct cz_http_response *rs, enum cz_dead_letters_action what,
                       struct cz_error *err)
{
    static const char *const names[] = {"stage",       "error", "topic", "partition",   "from_offset",
                                        "to_offset",   "since", "until", "max_records", "timeout_seconds",
                                        NULL};
    struct cz_dead_letters_request q = {.action = what,
                                        .dry_run = cz_http_query_bool(rq, "dry_run"),
                                        .comment = cz_http_query(rq, "comment")};
    cz__api_known(cz_http_body(rq), names, cz_http_report(rs));
    read_request(cz_http_body(rq), &q, cz_http_report(rs));
    return answer(rq, rs, &q, err);
}

HANDLER(cz__rest_redrive)
{
    return act(rq, rs, CZ_DEAD_LETTERS_REDRIVE, err);
}

HANDLER(cz__rest_discard)
{
    return act(rq, rs, CZ_DEAD_LETTERS_DISCARD, err);
}
