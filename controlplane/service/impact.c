/* SPDX-License-Identifier: Apache-2.0 */
/** What a change of one object means for records, in words and numbers: what starts and stops, where
 *  reading goes on, what is skipped or read again, whose consumer group is deleted.  Numbers are what
 *  the workers said last; where they said nothing, none is given. */
#include <string.h>

#include "service_priv.h"

static json_t *say(json_t *list, const char *code, char *text)
{
    json_t *one = json_object();
    cz_json_set_str(one, "code", code);
    cz_json_set_str(one, "message", text);
    (void)json_array_append_new(list, one);
    cz_free(text);
    return one;
}

static const char *cluster_of(const json_t *spec, const char *end)
{
    return cz_json_str(json_object_get(spec, end), "cluster", "a file");
}

static bool on(const json_t *spec)
{
    return cz_json_bool(spec, "enabled", true);
}

static const char *start_of(const json_t *spec)
{
    const json_t *start = json_object_get(spec, "start");
    return json_is_object(start) ? "the place that `start` names" : cz_json_str(spec, "start", "committed");
}

/** Records that a mapping has not read yet; -1: not known. */
static int64_t lag_of(struct cz_service *s, const char *uid)
{
    struct cz_mapping_stats st = {0};
    if (!s->status || !cz_status_stats(s->status, uid, &st))
        return -1;
    int64_t lag = st.lag;
    cz_mapping_stats_done(&st);
    return lag;
}

static void offset_impact(struct cz_service *s,
                          const struct cz_resource *before,
                          const json_t *spec,
                          json_t *list)
{
    const char *offset = cz_json_str(json_object_get(spec, "on_change"), "offset", "keep");
    if (strcmp(offset, "latest") == 0) {
        int64_t lag = lag_of(s, before->uid);
        json_t *one = say(list, "offset-jump",
                          lag < 0 ? cz_strdup("the position jumps to the end: what was not read yet is skipped")
                                  : cz_strf("the position jumps to the end: %lld records are skipped",
                                            (long long)lag));
        if (lag >= 0)
            cz_json_set_i64(one, "records", lag);
    } else if (strcmp(offset, "earliest") == 0) {
        (void)say(list, "read-again", cz_strdup("everything is read again from the beginning"));
    }
}

static void group_impact(const json_t *spec, const json_t *was, json_t *list)
{
    const char *group = cz_json_str(spec, "target_service_consumer_group", "");
    if (cz__switches_on(spec, was))
        (void)say(list, "group-deleted",
                  cz_strf("consumer group \"%s\" on cluster \"%s\" will be deleted", group,
                          cluster_of(spec, "target")));
}

static void restart_impact(struct cz_service *s,
                           const struct cz_resource *before,
                           const struct cz_resource *after,
                           json_t *list)
{
    struct cz__subject m = cz__subject_of(s, before);
    struct cz__state st;
    cz__state_of(s, &m, &st);
    json_t *one = say(list, "restart",
                      st.tasks > 0 ? cz_strf("%d %s again with generation %lld", st.tasks,
                                             st.tasks == 1 ? "task starts" : "tasks start",
                                             (long long)after->generation)
                                   : cz_strf("its tasks start again with generation %lld",
                                             (long long)after->generation));
    if (st.tasks > 0)
        (void)json_object_set_new(one, "tasks", json_integer(st.tasks));
    cz__state_done(&st);
}

static bool differs(const json_t *a, const json_t *b, const char *key)
{
    const json_t *x = json_object_get(a, key), *y = json_object_get(b, key);
    return x != y && !(x && y && json_equal(x, y));
}

static void source_impact(const json_t *spec, const json_t *was, json_t *list)
{
    if (differs(spec, was, "source") || differs(spec, was, "topics") ||
        differs(spec, was, "consumer_group"))
        (void)say(list, "source",
                  cz_strf("reads other topics, or for another group: begins at %s where nothing is "
                          "committed",
                          start_of(spec)));
    if (differs(spec, was, "target"))
        (void)say(list, "target", cz_strdup("writes elsewhere: what was written stays where it is"));
}

static void changed_impact(struct cz_service *s,
                           const struct cz_resource *before,
                           const struct cz_resource *after,
                           json_t *list)
{
    const json_t *spec = json_object_get(after->doc, "spec"), *was = json_object_get(before->doc, "spec");
    if (!cz_streq(before->name, after->name))
        (void)say(list, "renamed",
                  cz_strf("renamed from \"%s\": id, history, offsets and consumer group stay",
                          before->name));
    if (after->generation == before->generation)
        return;
    if (on(was) && !on(spec)) {
        (void)say(list, "switched-off", cz_strdup("stops; its committed position is kept"));
        return;
    }
    if (!on(spec))
        return;
    if (!on(was))
        (void)say(list, "switched-on", cz_strdup("starts again where its group has committed"));
    else if (cz_mapping_restarts(was, spec))
        restart_impact(s, before, after, list);
    else
        (void)say(list, "live",
                  cz_strf("taken up by running tasks as generation %lld, without a restart",
                          (long long)after->generation));
    source_impact(spec, was, list);
    offset_impact(s, before, spec, list);
    group_impact(spec, was, list);
}

static void paused_note(const struct cz_resource *r, json_t *list)
{
    const char *why = cz_json_str(r->override, "reason", NULL);
    if (cz__paused(r->override))
        (void)say(list, "paused",
                  cz_strf("is paused%s%s: an override, which this does not change", why ? ": " : "",
                          why ? why : ""));
}

static void mapping_impact(struct cz_service *s,
                           const struct cz_resource *before,
                           const struct cz_resource *after,
                           json_t *list)
{
    if (!after) {
        (void)say(list, "deleted",
                  cz_strdup(on(json_object_get(before->doc, "spec"))
                                ? "stops; what its group has committed is kept, and it can be restored"
                                : "is switched off already; it can be restored"));
        return;
    }
    const json_t *spec = json_object_get(after->doc, "spec");
    if (before) {
        changed_impact(s, before, after, list);
        paused_note(after, list);
    } else if (on(spec)) {
        (void)say(list, "starts",
                  cz_strf("starts to read from cluster \"%s\", at %s", cluster_of(spec, "source"),
                          start_of(spec)));
        group_impact(spec, NULL, list);
    }
}

json_t *cz__impact(struct cz_service *s,
                   const struct cz_resource *before,
                   const struct cz_resource *after)
{
    json_t *list = json_array();
    const struct cz_resource *one = after ? after : before;
    bool changed = before && after && before->generation != after->generation;
    if (one->kind == CZ_KIND_MAPPING)
        mapping_impact(s, before, after, list);
    else if (one->kind == CZ_KIND_CLUSTER && changed)
        (void)say(list, "reconnect",
                  cz_strdup("mappings that use this cluster connect again with the new settings"));
    else if (one->kind == CZ_KIND_VALUE_MAP && changed)
        (void)say(list, "live",
                  cz_strdup("mappings that name this map take it up without a restart"));
    return list;
}
