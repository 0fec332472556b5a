/* SPDX-License-Identifier: Apache-2.0 */
/** The admin client's offsets and groups.  A committed offset that could not be read is an error
 *  of the whole call: it must never look like "never committed" (reliability, finding 6). */
#include <stdio.h>
#include <string.h>

#include "admin_priv.h"
#include "cz/map.h"

enum {
    KEY_MAX = 300,
    NO_OFFSET = -1001, /* RD_KAFKA_OFFSET_INVALID */
    NONE_YOUNGER = -1, /* ListOffsets: no record is as young as the timestamp */
};

struct cz_tp *cz_tp_list_add(struct cz_tp_list *l, const char *topic, int32_t partition, int64_t offset)
{
    cz_grow(&l->items, &l->cap, l->len, sizeof(*l->items));
    struct cz_tp *tp = &l->items[l->len++];
    *tp = (struct cz_tp){.topic = cz_strdup(topic),
                         .partition = partition,
                         .offset = offset,
                         .leader_epoch = -1};
    return tp;
}

void cz_tp_list_done(struct cz_tp_list *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < l->len; i++) {
        cz_free(CZ_UNCONST(l->items[i].topic));
        cz_free(CZ_UNCONST(l->items[i].metadata));
    }
    cz_free(l->items);
    *l = (struct cz_tp_list){0};
}

/* The list owns it, so it is the library's memory. */
static void set_metadata(rd_kafka_topic_partition_t *t, const char *text)
{
    t->metadata_size = strlen(text);
    t->metadata = rd_kafka_mem_malloc(NULL, t->metadata_size + 1);
    memcpy(t->metadata, text, t->metadata_size + 1);
}

rd_kafka_topic_partition_list_t *cz__tp_list_to_kafka(const struct cz_tp_list *l)
{
    rd_kafka_topic_partition_list_t *out = rd_kafka_topic_partition_list_new((int)l->len);
    for (size_t i = 0; i < l->len; i++) {
        const struct cz_tp *tp = &l->items[i];
        rd_kafka_topic_partition_t *t =
            rd_kafka_topic_partition_list_add(out, tp->topic, tp->partition);
        t->offset = tp->offset;
        if (tp->leader_epoch >= 0)
            rd_kafka_topic_partition_set_leader_epoch(t, tp->leader_epoch);
        if (tp->metadata)
            set_metadata(t, tp->metadata);
    }
    return out;
}

/* ---- finding our item for an answered partition ----------------------------------------------- */

static size_t item_key(char out[KEY_MAX], const char *topic, int32_t partition)
{
    int n = snprintf(out, KEY_MAX, "%d %.250s", partition, topic);
    return n > 0 ? (size_t)n : 0;
}

static void index_items(struct cz_map *m, struct cz_tp_list *l)
{
    char key[KEY_MAX];
    cz_map_init(m, NULL);
    for (size_t i = 0; i < l->len; i++)
        cz_map_putn(m, key, item_key(key, l->items[i].topic, l->items[i].partition), &l->items[i]);
}

static struct cz_tp *find_item(const struct cz_map *m, const char *topic, int32_t partition)
{
    char key[KEY_MAX];
    return cz_map_getn(m, key, item_key(key, topic, partition));
}

/* ---- ListOffsets ------------------------------------------------------------------------------ */

static void take_offsets(const rd_kafka_ListOffsets_result_t *result,
                         const struct cz_map *items,
                         struct cz_tp_list *after_end)
{
    size_t n = 0;
    const rd_kafka_ListOffsetsResultInfo_t **infos = rd_kafka_ListOffsets_result_infos(result, &n);
    for (size_t i = 0; i < n; i++) {
        const rd_kafka_topic_partition_t *t =
            rd_kafka_ListOffsetsResultInfo_topic_partition(infos[i]);
        struct cz_tp *tp = find_item(items, t->topic, t->partition);
        if (!tp)
            continue;
        bool late = t->offset == NONE_YOUNGER && tp->offset >= 0 && after_end;
        tp->code = cz__kafka_code(t->err, NULL);
        /* A leader that went away in the middle of the call: librdkafka answers "no error" and an
         * invalid offset. */
        if (!tp->code && t->offset < 0 && !late)
            tp->code = CZ_E_UNAVAILABLE;
        if (!tp->code && late)
            cz_tp_list_add(after_end, tp->topic, tp->partition, CZ_OFFSET_LATEST);
        else if (!tp->code)
            tp->offset = t->offset;
        if (!tp->code && t->offset >= 0)
            tp->leader_epoch = rd_kafka_topic_partition_get_leader_epoch(t);
    }
}

/* No partition at all was reached: that is not an answer. */
static enum cz_err all_away(const struct cz_tp_list *l, struct cz_error *err)
{
    for (size_t i = 0; i < l->len; i++)
        if (l->items[i].code != CZ_E_TIMEOUT && l->items[i].code != CZ_E_UNAVAILABLE)
            return CZ_OK;
    return cz__admin_fail(err, RD_KAFKA_RESP_ERR__TIMED_OUT, "list offsets", NULL);
}

static enum cz_err list_offsets(struct cz_admin *a,
                                struct cz_tp_list *l,
                                bool read_committed,
                                cz_time deadline,
                                struct cz_tp_list *after_end,
                                struct cz_error *err)
{
    struct cz__call call;
    enum cz_err code = cz__call_init(&call, a, RD_KAFKA_ADMIN_OP_LISTOFFSETS, deadline, err);
    if (code)
        return code;
    rd_kafka_error_t *bad = rd_kafka_AdminOptions_set_isolation_level(
        call.options,
        read_committed ? RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED
                       : RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED);
    code = bad ? cz__kafka_fail_take(err, bad, "list offsets") : CZ_OK;
    rd_kafka_event_t *event = NULL;
    if (!code) {
        rd_kafka_topic_partition_list_t *list = cz__tp_list_to_kafka(l);
        rd_kafka_ListOffsets(call.rk, list, call.options, call.queue);
        rd_kafka_topic_partition_list_destroy(list);
        struct cz_error e = CZ_ERROR_INIT;
        code = cz__call_wait(&call, "list offsets", &event, &e);
        /* Partitions that were added since the handle last heard of the topic: it goes on believing
         * its cache for minutes ("No leaders found").  The next one asks. */
        if (code && e.detail == RD_KAFKA_RESP_ERR__NOENT)
            cz__handle_spoil(a, call.handle);
        if (code)
            cz_fail_flags(err, e.code, e.flags, e.detail, "%s", e.text);
    }
    if (!code) {
        struct cz_map items;
        index_items(&items, l);
        for (size_t i = 0; i < l->len; i++)
            l->items[i].code = CZ_E_KAFKA; /* until it is answered */
        take_offsets(rd_kafka_event_ListOffsets_result(event), &items, after_end);
        cz_map_done(&items);
        code = all_away(l, err);
        rd_kafka_event_destroy(event);
    }
    cz__call_done(&call);
    return code;
}

enum cz_err cz_admin_list_offsets(struct cz_admin *a,
                                  struct cz_tp_list *l,
                                  bool read_committed,
                                  cz_time deadline,
                                  struct cz_error *err)
{
    if (l->len == 0)
        return CZ_OK;
    CZ_CLEANUP(cz_tp_list_done) struct cz_tp_list late = {0};
    enum cz_err code = list_offsets(a, l, read_committed, deadline, &late, err);
    if (code || late.len == 0)
        return code;
    /* No record is as young as the asked timestamp: that is the end. */
    code = list_offsets(a, &late, read_committed, deadline, NULL, err);
    if (code)
        return code;
    struct cz_map items;
    index_items(&items, l);
    for (size_t i = 0; i < late.len; i++) {
        struct cz_tp *tp = find_item(&items, late.items[i].topic, late.items[i].partition);
        tp->code = late.items[i].code;
        tp->offset = late.items[i].offset;
    }
    cz_map_done(&items);
    return CZ_OK;
}

/* ---- committed offsets of a group -------------------------------------------------------------- */

/* Take the answer of a group; the first partition error is the call's. */
static enum cz_err take_committed(const rd_kafka_group_result_t *g,
                                  const char *group,
                                  struct cz_tp_list *l,
                                  struct cz_error *err)
{
    const rd_kafka_error_t *ge = rd_kafka_group_result_error(g);
    if (ge)
        return cz__kafka_fail(err, rd_kafka_error_code(ge), "offsets of group %s", group);
    const rd_kafka_topic_partition_list_t *got = rd_kafka_group_result_partitions(g);
    struct cz_map items;
    index_items(&items, l);
    size_t answered = 0;
    enum cz_err code = CZ_OK;
    for (int i = 0; got && i < got->cnt && !code; i++) {
        const rd_kafka_topic_partition_t *t = &got->elems[i];
        struct cz_tp *tp = find_item(&items, t->topic, t->partition);
        if (!tp)
            continue;
        if (t->err) {
            code = cz__kafka_fail(
                err, t->err, "offset of group %s, %s [%d]", group, t->topic, (int)t->partition);
            break;
        }
        answered++;
        tp->code = CZ_OK;
        tp->offset = t->offset == NO_OFFSET ? -1 : t->offset;
        tp->leader_epoch = rd_kafka_topic_partition_get_leader_epoch(t);
        cz_free(CZ_UNCONST(tp->metadata));
        tp->metadata = t->metadata ? cz_strndup(t->metadata, t->metadata_size) : NULL;
    }
    if (!code && answered < items.len)
        code = cz_fail_flags(err,
                             CZ_E_KAFKA,
                             CZ_ERR_RETRIABLE,
                             0,
                             "offsets of group %s: %zu of %zu partitions answered",
                             group,
                             answered,
                             items.len);
    cz_map_done(&items);
    return code;
}

static enum cz_err group_offsets(struct cz_admin *a,
                                 const char *group,
                                 struct cz_tp_list *l,
                                 cz_time deadline,
                                 struct cz_error *err)
{
    struct cz__call call;
    enum cz_err code = cz__call_init(&call, a, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, deadline, err);
    if (code)
        return code;
    rd_kafka_error_t *bad = rd_kafka_AdminOptions_set_require_stable_offsets(call.options, 1);
    code = bad ? cz__kafka_fail_take(err, bad, "group offsets") : CZ_OK;
    rd_kafka_event_t *event = NULL;
    if (!code) {
        rd_kafka_topic_partition_list_t *list = cz__tp_list_to_kafka(l);
        rd_kafka_ListConsumerGroupOffsets_t *ask = rd_kafka_ListConsumerGroupOffsets_new(group, list);
        rd_kafka_topic_partition_list_destroy(list);
        rd_kafka_ListConsumerGroupOffsets(call.rk, &ask, 1, call.options, call.queue);
        rd_kafka_ListConsumerGroupOffsets_destroy(ask);
        code = cz__call_wait(&call, "group offsets", &event, err);
    }
    if (!code) {
        size_t n = 0;
        const rd_kafka_group_result_t **groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
            rd_kafka_event_ListConsumerGroupOffsets_result(event), &n);
        code = n == 1 ? take_committed(groups[0], group, l, err)
                      : cz_fail(err, CZ_E_KAFKA, "offsets of group %s: %zu answers", group, n);
        rd_kafka_event_destroy(event);
    }
    cz__call_done(&call);
    return code;
}

enum cz_err cz_admin_group_offsets(struct cz_admin *a,
                                   const char *group,
                                   struct cz_tp_list *l,
                                   cz_time deadline,
                                   struct cz_error *err)
{
    if (l->len == 0)
        return CZ_OK;
    for (;;) {
        /* A pending transaction or a coordinator that moves is worth another try. */
        struct cz_error e = CZ_ERROR_INIT;
        if (!group_offsets(a, group, l, deadline, &e))
            return CZ_OK;
        if (!(e.flags & CZ_ERR_RETRIABLE) || !cz__admin_pause(deadline))
            return cz_fail_flags(err, e.code, e.flags, e.detail, "%s", e.text);
    }
}

/* ---- commits ------------------------------------------------------------------------------------ */

enum cz_err cz__commit_result(rd_kafka_event_t *event,
                              const char *group,
                              struct cz_tp_list *l,
                              struct cz_error *err)
{
    size_t n = 0;
    const rd_kafka_group_result_t **groups = rd_kafka_AlterConsumerGroupOffsets_result_groups(
        rd_kafka_event_AlterConsumerGroupOffsets_result(event), &n);
    if (n != 1)
        return cz_fail(err, CZ_E_KAFKA, "commit of group %s: %zu answers", group, n);
    const rd_kafka_error_t *ge = rd_kafka_group_result_error(groups[0]);
    if (ge)
        return cz__kafka_fail(err, rd_kafka_error_code(ge), "commit of group %s", group);
    struct cz_map items = CZ_MAP_INIT(NULL);
    if (l)
        index_items(&items, l);
    const rd_kafka_topic_partition_list_t *got = rd_kafka_group_result_partitions(groups[0]);
    enum cz_err code = CZ_OK;
    for (int i = 0; got && i < got->cnt; i++) {
        const rd_kafka_topic_partition_t *t = &got->elems[i];
        struct cz_tp *tp = l ? find_item(&items, t->topic, t->partition) : NULL;
        if (tp)
            tp->code = cz__kafka_code(t->err, NULL);
        if (t->err && !code)
            code = cz__kafka_fail(
                err, t->err, "commit of group %s, %s [%d]", group, t->topic, (int)t->partition);
    }
    cz_map_done(&items);
    return code;
}

enum cz_err cz_admin_commit(struct cz_admin *a,
                            const char *group,
                            struct cz_tp_list *l,
                            cz_time deadline,
                            struct cz_error *err)
{
    if (l->len == 0)
        return CZ_OK;
    struct cz__call call;
    enum cz_err code = cz__call_init(&call, a, RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS, deadline, err);
    if (code)
        return code;
    rd_kafka_topic_partition_list_t *list = cz__tp_list_to_kafka(l);
    rd_kafka_AlterConsumerGroupOffsets_t *ask = rd_kafka_AlterConsumerGroupOffsets_new(group, list);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_AlterConsumerGroupOffsets(call.rk, &ask, 1, call.options, call.queue);
    rd_kafka_AlterConsumerGroupOffsets_destroy(ask);
    rd_kafka_event_t *event = NULL;
    code = cz__call_wait(&call, "commit", &event, err);
    if (!code) {
        code = cz__commit_result(event, group, l, err);
        rd_kafka_event_destroy(event);
    }
    cz__call_done(&call);
    return code;
}
