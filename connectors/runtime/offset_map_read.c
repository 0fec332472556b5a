/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the offset maps of one mapping out of their topic. */
#include <string.h>

#include "cz/alloc.h"
#include "cz/consumer.h"
#include "cz/json.h"
#include "cz/log.h"
#include "cz/map.h"
#include "cz/offset_map.h"
#include "cz/offsets_topic.h"

enum { BATCH = 256 };

struct reading {
    const char *uid;
    struct cz_map *maps;
    int64_t at;
};

static void map_free(void *p)
{
    struct cz_offset_map *m = p;
    cz_offset_map_done(m);
    cz_free(m);
}

/* "<uid>/<topic>/<partition>/<first>": the part between uid and first; NULL: of another mapping. */
static char *name_of(const struct reading *r, struct cz_slice key)
{
    size_t uid = strlen(r->uid), end = key.len;
    if (key.len <= uid + 1 || memcmp(key.data, r->uid, uid) != 0 || key.data[uid] != '/')
        return NULL;
    while (end > uid + 1 && key.data[end - 1] != '/')
        end--;
    return end > uid + 2 ? cz_strndup((const char *)key.data + uid + 1, end - uid - 2) : NULL;
}

/* A block that is not understood is a hole; one that is too much ends the reading. */
static enum cz_err take(struct reading *r, const struct cz_record *rec, struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *name = name_of(r, rec->key);
    if (!name || !rec->value.data)
        return CZ_OK;
    struct cz_offset_map *m = cz_map_get(r->maps, name);
    if (!m) {
        m = cz_alloc(sizeof *m);
        cz_offset_map_done(m); /* nothing known */
        cz_map_put(r->maps, name, m);
    }
    struct cz_error own = CZ_ERROR_INIT;
    json_t *block = json_loadb((const char *)rec->value.data, rec->value.len, JSON_REJECT_DUPLICATES, NULL);
    enum cz_err code = cz_offset_map_take(m, block, &own);
    json_decref(block);
    if (code == CZ_E_LIMIT)
        return cz_fail(err, code, "%s: %s", name, own.text);
    if (code)
        cz_log(CZ_LOG_DEBUG, "runtime", "offset map of %s: %s", name, own.text);
    return CZ_OK;
}

static enum cz_err take_event(struct reading *r, struct cz_event *e, struct cz_error *err)
{
    enum cz_err code = CZ_OK;
    switch (e->kind) {
    case CZ_EVENT_RECORD:
        code = take(r, &e->record, err);
        r->at = e->record.offset + 1;
        cz_message_release(e->record.msg);
        break;
    case CZ_EVENT_END:
        r->at = e->record.offset;
        break;
    case CZ_EVENT_RESET:
        code = cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0, "offset map: %s", e->text);
        break;
    case CZ_EVENT_ERROR:
        cz_log(CZ_LOG_DEBUG, "runtime", "offset map: %s", e->text);
        break;
    }
    return code;
}

static enum cz_err read_to(struct reading *r, struct cz_consumer *c, int64_t end, cz_time deadline, struct cz_error *err)
{
    struct cz_event *events = cz_alloc_array(BATCH, sizeof *events);
    enum cz_err code = CZ_OK;
    while (!code && r->at < end) {
        size_t n = cz_consumer_poll(c, events, BATCH, 100);
        for (size_t i = 0; i < n; i++) {
            enum cz_err one = take_event(r, &events[i], code ? NULL : err);
            code = code ? code : one;
        }
        if (!code && r->at < end && cz_remaining_ms(deadline) == 0)
            code = cz_fail_flags(err, CZ_E_TIMEOUT, CZ_ERR_RETRIABLE, 0, "the offset map cannot be read in time");
    }
    cz_free(events);
    return code;
}

static enum cz_err ends(struct cz_admin *admin, const char *topic, int32_t partition, cz_time deadline,
                        int64_t *ret_first, int64_t *ret_end, struct cz_error *err)
{
    const int64_t what[] = {CZ_OFFSET_EARLIEST, CZ_OFFSET_LATEST};
    int64_t *const to[] = {ret_first, ret_end};
    enum cz_err code = CZ_OK;
    for (int i = 0; i < 2 && !code; i++) {
        CZ_CLEANUP(cz_tp_list_done) struct cz_tp_list l = {0};
        cz_tp_list_add(&l, topic, partition, what[i]);
        code = cz_admin_list_offsets(admin, &l, true, deadline, err);
        if (!code && l.items[0].code)
            code = cz_fail_flags(err, l.items[0].code, CZ_ERR_RETRIABLE, 0, "%s [%d]: %s", topic,
                                 (int)partition, cz_err_slug(l.items[0].code));
        *to[i] = l.items[0].offset;
    }
    return code;
}

enum cz_err cz_offset_maps_read(struct cz_cluster *target, struct cz_admin *admin, const char *group_id,
                                const char *uid, cz_time deadline, struct cz_map *ret, struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *topic = cz_strf(CZ_OFFSET_MAP_TOPIC, group_id);
    const char *name = topic;
    struct cz_topic_info *info = NULL;
    struct cz_consumer *c = NULL;
    struct reading r = {.uid = uid, .maps = ret};
    int64_t end = 0;
    cz_map_init(ret, map_free);
    enum cz_err code = cz_admin_topics(admin, &name, 1, deadline, &info, err);
    int32_t partitions = !code && !info->code ? info->partitions : 0;
    enum cz_err why = code ? CZ_OK : info->code;
    cz_topic_infos_free(info, info ? 1 : 0);
    if (code || partitions == 0)
        return code ? code
                    : cz_fail(err, why ? why : CZ_E_NOT_FOUND, "there is no offset map: topic %s: %s", topic,
                              cz_err_slug(why ? why : CZ_E_NOT_FOUND));
    int32_t partition = cz_offsets_partition(uid, partitions);
    const struct cz_consumer_options o = {.cluster = target,
                                          .client_id = "citizenk-offset-map",
                                          .group_id = group_id,
                                          .read_committed = true,
                                          .prefetch_kib = 4096,
                                          .fetch_wait_ms = 50};
    code = ends(admin, topic, partition, deadline, &r.at, &end, err);
    if (!code && r.at < end)
        code = cz_consumer_new(&o, &c, err);
    if (!code && r.at < end)
        code = cz_consumer_assign(c, topic, partition, r.at, &r, err);
    if (!code)
        code = read_to(&r, c, end, deadline, err);
    cz_consumer_free(c);
    return code;
}
