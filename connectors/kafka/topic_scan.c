/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a topic from given offsets to given ends. */
#include "cz/topic_scan.h"

#include <stdio.h>

#include "cz/alloc.h"
#include "cz/consumer.h"

enum { BATCH = 512, PREFETCH_KIB = 8192, FETCH_MS = 100 };

enum cz_err cz_scan_open(struct cz_scan *s, struct cz_cluster *c, struct cz_admin *a,
                         const char *topic, cz_time deadline, struct cz_error *err)
{
    struct cz_topic_info *info = NULL;
    enum cz_err code = cz_admin_topics(a, &topic, 1, deadline, &info, err);
    if (code)
        return code;
    if (info->code || info->partitions == 0)
        code = cz_fail(err, info->code ? info->code : CZ_E_NOT_FOUND, "topic %s: %s", topic,
                       cz_err_slug(info->code ? info->code : CZ_E_NOT_FOUND));
    *s = (struct cz_scan){.cluster = c, .admin = a, .topic = topic, .partitions = info->partitions};
    (void)snprintf(s->topic_id, sizeof s->topic_id, "%s", info->topic_id);
    cz_topic_infos_free(info, 1);
    s->begin = cz_alloc_array((size_t)s->partitions + 1, sizeof *s->begin);
    s->end = cz_alloc_array((size_t)s->partitions + 1, sizeof *s->end);
    return code;
}

void cz_scan_done(struct cz_scan *s)
{
    cz_free(s->begin);
    cz_free(s->end);
}

enum cz_err cz_scan_ask(const struct cz_scan *s, int64_t what, bool read_committed, int64_t *at,
                        cz_time deadline, struct cz_error *err)
{
    struct cz_tp_list l = {0};
    for (int32_t p = 0; p < s->partitions; p++)
        cz_tp_list_add(&l, s->topic, p, what);
    enum cz_err code = cz_admin_list_offsets(s->admin, &l, read_committed, deadline, err);
    for (size_t i = 0; !code && i < l.len; i++) {
        if (l.items[i].code || l.items[i].offset < 0)
            code = cz_fail_flags(err, l.items[i].code ? l.items[i].code : CZ_E_KAFKA, CZ_ERR_RETRIABLE, 0,
                                 "%s [%zu]: its offsets cannot be read", s->topic, i);
        at[i] = l.items[i].offset;
    }
    cz_tp_list_done(&l);
    return code;
}

int64_t cz_scan_count(const struct cz_scan *s)
{
    int64_t n = 0;
    for (int32_t p = 0; p < s->partitions; p++)
        n += s->end[p] > s->begin[p] ? s->end[p] - s->begin[p] : 0;
    return n;
}

struct reading {
    const struct cz_scan *side;
    const struct cz_scan_options *o;
    int64_t *next;
    int32_t left; /* partitions not at their ends */
};

static void reached(struct reading *rd, int32_t p, int64_t next)
{
    int64_t end = rd->side->end[p];
    rd->left -= rd->next[p] < end && next >= end;
    rd->next[p] = next > rd->next[p] ? next : rd->next[p];
}

static enum cz_err take(struct reading *rd, struct cz_event *e, struct cz_error *err)
{
    enum cz_err code = CZ_OK;
    int64_t *slot = e->opaque;
    int32_t p = slot ? (int32_t)(slot - rd->next) : -1;
    switch (e->kind) {
    case CZ_EVENT_RECORD:
        if (e->record.offset < rd->side->end[p])
            code = rd->o->record(rd->o->arg, &e->record, err);
        reached(rd, p, e->record.offset + 1);
        cz_message_release(e->record.msg);
        break;
    case CZ_EVENT_END:
        reached(rd, p, e->record.offset);
        break;
    case CZ_EVENT_RESET:
        code = cz_fail_flags(err, CZ_E_CONFLICT, CZ_ERR_RETRIABLE, 0,
                             "%s: truncated while it was read: %s", rd->side->topic, e->text);
        break;
    case CZ_EVENT_ERROR:
        if (e->code == CZ_E_FORBIDDEN || e->code == CZ_E_NOT_FOUND)
            code = cz_fail(err, e->code, "%s: %s", rd->side->topic, e->text);
        break; /* else librdkafka goes on trying, and we have a deadline */
    }
    return code;
}

static enum cz_err read_on(struct reading *rd, struct cz_consumer *c, struct cz_error *err)
{
    struct cz_event *events = cz_alloc_array(BATCH, sizeof *events);
    enum cz_err code = CZ_OK;
    while (!code && rd->left > 0) {
        size_t n = cz_consumer_poll(c, events, BATCH, FETCH_MS);
        for (size_t i = 0; i < n; i++) {
            if (!code)
                code = take(rd, &events[i], err);
            else if (events[i].kind == CZ_EVENT_RECORD)
                cz_message_release(events[i].record.msg);
        }
        if (!code && rd->o->stop && atomic_load(rd->o->stop))
            code = cz_fail(err, CZ_E_UNAVAILABLE, "this control plane stops");
        if (!code && rd->left > 0 && cz_remaining_ms(rd->o->deadline) == 0)
            code = cz_fail_flags(err, CZ_E_TIMEOUT, CZ_ERR_RETRIABLE, 0,
                                 "%s: not read to its end in time; give a shorter time span", rd->side->topic);
    }
    cz_free(events);
    return code;
}

enum cz_err cz_scan_run(const struct cz_scan *s, const struct cz_scan_options *o, struct cz_error *err)
{
    const struct cz_consumer_options consumer = {.cluster = s->cluster,
                                                 .client_id = o->client_id,
                                                 .group_id = o->client_id,
                                                 .read_committed = o->read_committed,
                                                 .prefetch_kib = PREFETCH_KIB,
                                                 .fetch_wait_ms = FETCH_MS};
    struct cz_consumer *c = NULL;
    struct reading rd = {.side = s, .o = o};
    enum cz_err code = cz_consumer_new(&consumer, &c, err);
    if (code)
        return code;
    rd.next = cz_memdup(s->begin, (size_t)s->partitions * sizeof *rd.next);
    for (int32_t p = 0; !code && p < s->partitions; p++) {
        if (s->begin[p] >= s->end[p])
            continue;
        rd.left++;
        code = cz_consumer_assign(c, s->topic, p, s->begin[p], &rd.next[p], err);
    }
    if (!code)
        code = read_on(&rd, c, err);
    cz_consumer_free(c);
    cz_free(rd.next);
    return code;
}
