/* SPDX-License-Identifier: Apache-2.0 */
/** The two topics of the channel: made when missing, checked when not.  More than one partition
 *  would lose the order that readers rely on; a retention by time would lose settings. */
#include <stdio.h>
#include <string.h>

#include "channel_priv.h"
#include "cz/alloc.h"
#include "cz/log.h"

/* LogAppendTime: ages are judged by the broker's one clock and not by each writer's.
 * segment.ms: only closed segments are compacted.
 * delete.retention.ms: how late a reader may come for a tombstone; one that begins at the start
 * never misses one. */
static const char *const config_settings[] = {
    "cleanup.policy", "compact",
    "min.cleanable.dirty.ratio", "0.1",
    "segment.ms", "3600000",
    "segment.bytes", "67108864",
    "delete.retention.ms", "86400000",
    "message.timestamp.type", "LogAppendTime",
    "max.message.bytes", CZ__CHANNEL_MESSAGE_MAX,
    NULL};
static const char *const status_settings[] = {
    "cleanup.policy", "compact",
    "min.cleanable.dirty.ratio", "0.1",
    "segment.ms", "600000",
    "segment.bytes", "33554432",
    "delete.retention.ms", "3600000",
    "message.timestamp.type", "LogAppendTime",
    "max.message.bytes", CZ__CHANNEL_MESSAGE_MAX,
    NULL};

char *cz_channel_config_topic(const char *group_id)
{
    return cz_strf("%s.config", group_id);
}

char *cz_channel_status_topic(const char *group_id)
{
    return cz_strf("%s.status", group_id);
}

static enum cz_err check_topic(struct cz_admin *a,
                               const struct cz_topic_info *t,
                               cz_time deadline,
                               struct cz_error *err)
{
    if (t->partitions != 1)
        return cz_fail(err,
                       CZ_E_CONFLICT,
                       "topic %s has %d partitions and must have 1: delete it (it is written "
                       "again), or use another group id",
                       t->name,
                       (int)t->partitions);
    struct cz_error e = CZ_ERROR_INIT;
    char *policy = NULL;
    if (cz_admin_topic_config(a, t->name, "cleanup.policy", &policy, deadline, &e)) {
        if (e.code != CZ_E_FORBIDDEN)
            return cz_fail_flags(err, e.code, e.flags, e.detail, "%s", e.text);
        cz_log(CZ_LOG_WARN, "channel", "cannot check that %s is compacted: %s", t->name, e.text);
        return CZ_OK;
    }
    bool good = policy && strcmp(policy, "compact") == 0;
    if (!good)
        cz_fail(err,
                CZ_E_CONFLICT,
                "topic %s has cleanup.policy=%.40s and must have compact: kafka-configs.sh --alter "
                "--entity-type topics --entity-name %s --add-config cleanup.policy=compact",
                t->name,
                policy ? policy : "(none)",
                t->name);
    cz_free(policy);
    return good ? CZ_OK : CZ_E_CONFLICT;
}

static enum cz_err ensure_one(struct cz_admin *a,
                              const char *name,
                              const char *const *settings,
                              cz_time deadline,
                              bool *ret_created,
                              struct cz_error *err)
{
    struct cz_topic_info *t = NULL;
    enum cz_err code = cz_admin_ensure_topic(a, name, 1, settings, deadline, &t, ret_created, err);
    if (!code && !*ret_created)
        code = check_topic(a, t, deadline, err);
    cz_topic_infos_free(t, t ? 1 : 0);
    return code;
}

enum cz_err cz_channel_ensure(struct cz_admin *a,
                              const char *group_id,
                              cz_time deadline,
                              bool *ret_created,
                              struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *config = cz_channel_config_topic(group_id);
    CZ_CLEANUP(cz_freep) char *status = cz_channel_status_topic(group_id);
    bool created = false, other = false;
    enum cz_err code = ensure_one(a, config, config_settings, deadline, &created, err);
    if (!code)
        code = ensure_one(a, status, status_settings, deadline, &other, err);
    if (!code && ret_created)
        *ret_created = created;
    return code;
}
