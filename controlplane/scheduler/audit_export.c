/* SPDX-License-Identifier: Apache-2.0 */
/* Events and seals to a Kafka topic, as CloudEvents 1.0 in structured JSON: one value that any reader of
 * JSON understands, whole also where headers get lost.  All to one partition, in order, keyed by the team.
 * A batch is remembered in the database once the brokers have acknowledged all of it: after a failure it is
 * written again, so a record may be there twice, with the same id; none is left out.  Only what is decided
 * is written (cz_store_audit_decided), so no event can appear behind the position later. */
#include <stdio.h>
#include <string.h>

#include "auditor.h"
#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/log.h"
#include "cz/service_audit.h"
#include "cz/topic_writer.h"

enum {
    BATCH = 500,
    ENSURE_MS = 5000,
    MESSAGE_MS = 8000, /* below FLUSH_MS: a flush ends with an answer for each record */
    FLUSH_MS = 10000,
    SLICE_MS = 200,
    VALUE_MAX = 900 * 1000, /* what a topic with default limits takes */
};
#define TYPE "io.citizenk.audit."
#define CONTENT_TYPE "application/cloudevents+json; charset=UTF-8"

struct cz_audit_export {
    struct cz_store *store;
    struct cz_cluster *control;
    const char *group_id;
    char *topic;
    struct cz_topic_writer *out; /* NULL: not open */
    struct cz_audit_position at;
    bool known; /* `at` was read */
    int failed; /* deliveries of the running batch */
    struct cz_error first;
};

struct cz_audit_export *cz_audit_export_new(struct cz_store *store,
                                            struct cz_cluster *control,
                                            const char *group_id,
                                            const char *topic)
{
    struct cz_audit_export *x = cz_alloc(sizeof(*x));
    *x = (struct cz_audit_export){
        .store = store, .control = control, .group_id = group_id, .topic = cz_strdup(topic)};
    return x;
}

static void close_writer(struct cz_audit_export *x)
{
    cz_topic_writer_free(x->out);
    x->out = NULL;
}

void cz_audit_export_free(struct cz_audit_export *x)
{
    if (!x)
        return;
    close_writer(x);
    cz_free(x->topic);
    cz_free(x);
}

/* ---- CloudEvents ----------------------------------------------------------------------------- */

static json_t *envelope(const char *group_id, const char *id, const char *type, int64_t at_ms)
{
    char time[CZ_RFC3339_SIZE];
    CZ_CLEANUP(cz_freep) char *source = cz_strf("/citizenk/%s", group_id);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "specversion", "1.0", "id", id, "source", source,
                     "type", type, "time", cz_rfc3339(at_ms, time), "datacontenttype",
                     "application/json");
}

json_t *cz_audit_cloud_event(const char *group_id, const struct cz_audit_event *e)
{
    char id[32];
    CZ_CLEANUP(cz_freep) char *type = cz_strf(TYPE "%s", e->action);
    (void)snprintf(id, sizeof(id), "%lld", (long long)e->id);
    json_t *o = envelope(group_id, id, type, e->at_ms);
    cz_json_set_str(o, "subject", e->team);
    cz_json_set_str(o, "traceparent", e->trace_id);
    (void)json_object_set_new(o, "data", cz_audit_event_json(e));
    return o;
}

json_t *cz_audit_cloud_seal(const char *group_id, const struct cz_seal *s)
{
    char id[32];
    (void)snprintf(id, sizeof(id), "seal-%lld", (long long)s->n);
    json_t *o = envelope(group_id, id, TYPE "seal", s->at_ms);
    (void)json_object_set_new(o, "data", cz_seal_json(s));
    return o;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void on_delivered(void *arg, void *opaque, const struct cz_error *err)
{
    struct cz_audit_export *x = arg;
    (void)opaque;
    if (!err->code)
        return;
    if (x->failed++ == 0)
        x->first = *err;
}

static enum cz_err open_writer(struct cz_audit_export *x, struct cz_error *err)
{
    static const char *const settings[] = {"cleanup.policy", "delete", "retention.ms", "-1", NULL};
    struct cz_admin *admin = NULL;
    struct cz_topic_info *t = NULL;
    bool created = false;
    if (x->out && !cz_topic_writer_dead(x->out))
        return CZ_OK;
    close_writer(x);
    enum cz_err rc = cz_admin_new(x->control, "citizenk-audit", &admin, err);
    if (rc == CZ_OK)
        rc = cz_admin_ensure_topic(admin, x->topic, 1, settings, cz_deadline_ms(ENSURE_MS), &t, &created,
                                   err);
    cz_topic_infos_free(t, t ? 1 : 0);
    cz_admin_free(admin);
    const struct cz_topic_writer_options o = {.cluster = x->control,
                                              .client_id = "citizenk-audit",
                                              .topic = x->topic,
                                              .linger_ms = 5,
                                              .message_timeout_ms = MESSAGE_MS,
                                              .queue_max = 2 * BATCH,
                                              .delivered = on_delivered,
                                              .arg = x};
    if (rc == CZ_OK)
        rc = cz_topic_writer_new(&o, &x->out, err);
    if (rc == CZ_OK && created)
        cz_log(CZ_LOG_INFO, "audit", "made the topic=%s", x->topic);
    return rc;
}

/* @o is taken. */
static enum cz_err send(struct cz_audit_export *x, json_t *o, const char *team, struct cz_error *err)
{
    char *text = cz_json_text(o, false);
    if (strlen(text) > VALUE_MAX) { /* better without its detail than never */
        json_t *data = json_object_get(o, "data");
        (void)json_object_set_new(data, "detail", json_pack("{s:s}", "withheld", "too large"));
        cz_free(text);
        text = cz_json_text(o, false);
    }
    const struct cz_topic_record r = {.key = {team, team ? strlen(team) : 0},
                                      .value = {text, strlen(text)},
                                      .traceparent = cz_json_str(o, "traceparent", NULL),
                                      .content_type = CONTENT_TYPE};
    enum cz_err rc = cz_topic_writer_send(x->out, &r, err);
    cz_free(text);
    json_decref(o);
    return rc;
}

/* All or nothing counts. */
static enum cz_err flush(struct cz_audit_export *x, const _Atomic bool *stop, struct cz_error *err)
{
    cz_time deadline = cz_deadline_ms(FLUSH_MS);
    while (!cz_topic_writer_flush(x->out, cz_deadline_ms(SLICE_MS)))
        if (*stop || cz_now() >= deadline)
            return cz_fail(err, CZ_E_TIMEOUT, "the brokers of %s do not answer", x->topic);
    if (x->failed == 0)
        return CZ_OK;
    return cz_fail_flags(err, x->first.code, x->first.flags, x->first.detail, "%s", x->first.text);
}

static enum cz_err send_events(struct cz_audit_export *x,
                               struct cz_audit_position *to,
                               size_t *n,
                               struct cz_error *err)
{
    struct cz_audit_list l = {0};
    int64_t decided = 0;
    enum cz_err rc = cz_store_audit_list(x->store, &(struct cz_audit_filter){.limit = 1}, &l, err);
    bool any = rc == CZ_OK && l.len > 0 && l.items[0].id > to->event_id;
    cz_audit_list_done(&l);
    if (!any) /* nothing new: nobody is asked to wait for us */
        return rc;
    rc = cz_store_audit_decided(x->store, &decided, err);
    if (rc == CZ_OK)
        rc = cz_store_audit_next(x->store, to->event_id, decided, BATCH, &l, err);
    if (rc == CZ_OK && l.len > 0)
        rc = open_writer(x, err);
    for (size_t i = 0; rc == CZ_OK && i < l.len; i++) {
        rc = send(x, cz_audit_cloud_event(x->group_id, &l.items[i]), l.items[i].team, err);
        to->event_id = l.items[i].id;
        ++*n;
    }
    cz_audit_list_done(&l);
    return rc;
}

static enum cz_err send_seals(struct cz_audit_export *x,
                              struct cz_audit_position *to,
                              size_t *n,
                              struct cz_error *err)
{
    struct cz_seal_list l = {0};
    enum cz_err rc = cz_store_seals(x->store, 0, to->seal_n, BATCH, &l, err);
    if (rc == CZ_OK && l.len > 0)
        rc = open_writer(x, err);
    for (size_t i = 0; rc == CZ_OK && i < l.len; i++) {
        rc = send(x, cz_audit_cloud_seal(x->group_id, &l.items[i]), NULL, err);
        to->seal_n = l.items[i].n;
        ++*n;
    }
    cz_seal_list_done(&l);
    return rc;
}

enum cz_err cz_audit_export_step(struct cz_audit_export *x,
                                 const _Atomic bool *stop,
                                 int64_t *ret_events,
                                 bool *ret_more,
                                 struct cz_error *err)
{
    size_t events = 0, seals = 0;
    enum cz_err rc = CZ_OK;
    if (!x->known)
        rc = cz_store_audit_position(x->store, x->topic, &x->at, err);
    x->known = rc == CZ_OK;
    x->failed = 0;
    struct cz_audit_position to = x->at;
    if (rc == CZ_OK)
        rc = send_events(x, &to, &events, err);
    if (rc == CZ_OK)
        rc = send_seals(x, &to, &seals, err);
    if (events + seals == 0)
        return rc;
    if (rc == CZ_OK)
        rc = flush(x, stop, err);
    if (rc == CZ_OK)
        rc = cz_store_audit_set_position(x->store, x->topic, &to, err);
    if (rc != CZ_OK) { /* nothing of this batch may arrive after the next attempt began */
        close_writer(x);
        return rc;
    }
    x->at = to;
    *ret_events = (int64_t)(events + seals);
    *ret_more = events == BATCH || seals == BATCH;
    return CZ_OK;
}
