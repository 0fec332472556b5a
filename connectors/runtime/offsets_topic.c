/* SPDX-License-Identifier: Apache-2.0 */
#include "cz/offsets_topic.h"

#include <inttypes.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/json.h"

int32_t cz_offsets_partition(const char *uid, int32_t partitions)
{
    uint32_t h = 2166136261u; /* FNV-1a: the same in every process and version */
    for (const char *p = uid; *p; p++)
        h = (h ^ (unsigned char)*p) * 16777619u;
    return (int32_t)(h % (uint32_t)partitions);
}

char *cz_offset_key(const char *uid, const char *topic, int32_t partition)
{
    return cz_strf("%s/%s/%d", uid, topic, partition); /* no topic has a slash in its name */
}

enum cz_err cz_offset_record_send(struct cz_producer *p, const struct cz_offsets_at *at,
                                  const char *topic, int32_t partition, int64_t offset,
                                  const struct cz_position *position, struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *key = cz_offset_key(at->uid, topic, partition);
    json_t *doc = json_object();
    json_object_set_new(doc, "v", json_integer(1));
    json_object_set_new(doc, "offset", json_integer(offset));
    json_object_set_new(doc, "generation", json_integer(position->generation));
    json_object_set_new(doc, "writer", json_string(at->writer));
    CZ_CLEANUP(cz_freep) char *text = cz_position_text(position);
    json_object_set_new(doc, "position", json_string(text));
    CZ_CLEANUP(cz_freep) char *value = cz_json_text(doc, false);
    json_decref(doc);
    const struct cz_send s = {
        .partition = at->partition,
        .key = {key, strlen(key)},
        .value = {value, strlen(value)},
        .copy = true,
        .opaque = at->opaque,
    };
    return cz_producer_send(p, at->topic, &s, err);
}

enum cz_err cz_offset_record_parse(struct cz_slice value, bool claim, struct cz_offset_record *ret,
                                   struct cz_error *err)
{
    json_t *doc = value.data ? json_loadb(value.data, value.len, JSON_REJECT_DUPLICATES, NULL) : NULL;
    int64_t offset = cz_json_int(doc, "offset", -1), v = cz_json_int(doc, "v", 0);
    const char *writer = cz_json_str(doc, "writer", NULL);
    enum cz_err code = CZ_OK;
    if (v != 1 || (!claim && offset < 0) || !writer) {
        code = cz_fail(err, CZ_E_PARSE, "not a %s (written by a newer version?)", claim ? "claim" : "position");
    } else {
        cz_free(ret->writer);
        ret->writer = cz_strdup(writer);
        ret->offset = claim ? -1 : offset;
        (void)cz_position_parse(cz_json_str(doc, "position", NULL), &ret->position);
        ret->position.generation = cz_json_int(doc, "generation", 0);
    }
    json_decref(doc);
    return code;
}
