/* SPDX-License-Identifier: Apache-2.0 */
/** The admin client: configuration of topics. */
#include <string.h>

#include "admin_priv.h"

/* Ask for the topic's configuration. @ret_entries belong to @ret_event. */
static enum cz_err describe(struct cz__call *call,
                            const char *topic,
                            rd_kafka_event_t **ret_event,
                            const rd_kafka_ConfigEntry_t ***ret_entries,
                            size_t *ret_n,
                            struct cz_error *err)
{
    rd_kafka_ConfigResource_t *ask = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_DescribeConfigs(call->rk, &ask, 1, call->options, call->queue);
    rd_kafka_ConfigResource_destroy(ask);
    enum cz_err code = cz__call_wait(call, "topic configuration", ret_event, err);
    if (code)
        return code;
    size_t n = 0;
    const rd_kafka_ConfigResource_t **r = rd_kafka_DescribeConfigs_result_resources(
        rd_kafka_event_DescribeConfigs_result(*ret_event), &n);
    rd_kafka_resp_err_t e = n == 1 ? rd_kafka_ConfigResource_error(r[0]) : RD_KAFKA_RESP_ERR__FAIL;
    if (e) {
        code = cz__kafka_fail(err, e, "configuration of topic %s", topic);
        rd_kafka_event_destroy(*ret_event);
        return code;
    }
    *ret_entries = rd_kafka_ConfigResource_configs(r[0], ret_n);
    return CZ_OK;
}

static char *value_of(const rd_kafka_ConfigEntry_t *const *entries, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), key) == 0)
            return cz_strdup(rd_kafka_ConfigEntry_value(entries[i]));
    return NULL;
}

enum cz_err cz_admin_topic_values(struct cz_admin *a,
                                  const char *topic,
                                  const char *const *keys,
                                  size_t keys_len,
                                  char **ret,
                                  cz_time deadline,
                                  struct cz_error *err)
{
    struct cz__call call;
    enum cz_err code = cz__call_init(&call, a, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, deadline, err);
    if (code)
        return code;
    rd_kafka_event_t *event = NULL;
    const rd_kafka_ConfigEntry_t **entries = NULL;
    size_t n = 0;
    code = describe(&call, topic, &event, &entries, &n, err);
    if (!code) {
        for (size_t i = 0; i < keys_len; i++)
            ret[i] = value_of(entries, n, keys[i]);
        rd_kafka_event_destroy(event);
    }
    cz__call_done(&call);
    return code;
}

enum cz_err cz_admin_topic_config(struct cz_admin *a,
                                  const char *topic,
                                  const char *key,
                                  char **ret,
                                  cz_time deadline,
                                  struct cz_error *err)
{
    return cz_admin_topic_values(a, topic, &key, 1, ret, deadline, err);
}

/* Set on the topic itself, not by the broker or by default. */
static bool wanted(const rd_kafka_ConfigEntry_t *entry, const char *const *names)
{
    bool own = rd_kafka_ConfigEntry_source(entry) == RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG;
    if (!own || !rd_kafka_ConfigEntry_value(entry))
        return false;
    for (size_t i = 0; names[i]; i++)
        if (strcmp(names[i], rd_kafka_ConfigEntry_name(entry)) == 0)
            return true;
    return false;
}

enum cz_err cz_admin_topic_own_configs(struct cz_admin *a,
                                       const char *topic,
                                       const char *const *names,
                                       char ***ret,
                                       cz_time deadline,
                                       struct cz_error *err)
{
    struct cz__call call;
    enum cz_err code = cz__call_init(&call, a, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, deadline, err);
    if (code)
        return code;
    rd_kafka_event_t *event = NULL;
    const rd_kafka_ConfigEntry_t **entries = NULL;
    size_t n = 0;
    code = describe(&call, topic, &event, &entries, &n, err);
    if (!code) {
        char **list = cz_alloc_array(2 * n + 1, sizeof(*list));
        size_t len = 0;
        for (size_t i = 0; i < n; i++) {
            if (!wanted(entries[i], names))
                continue;
            list[len++] = cz_strdup(rd_kafka_ConfigEntry_name(entries[i]));
            list[len++] = cz_strdup(rd_kafka_ConfigEntry_value(entries[i]));
        }
        *ret = list;
        rd_kafka_event_destroy(event);
    }
    cz__call_done(&call);
    return code;
}

static enum cz_err add_changes(rd_kafka_ConfigResource_t *r,
                               const struct cz_config_change *changes,
                               size_t n,
                               const char *topic,
                               struct cz_error *err)
{
    for (size_t i = 0; i < n; i++) {
        rd_kafka_error_t *bad = rd_kafka_ConfigResource_add_incremental_config(
            r, changes[i].key,
            changes[i].value ? RD_KAFKA_ALTER_CONFIG_OP_TYPE_SET : RD_KAFKA_ALTER_CONFIG_OP_TYPE_DELETE,
            changes[i].value);
        if (bad)
            return cz__kafka_fail_take(err, bad, "configuration of topic %s: %s", topic, changes[i].key);
    }
    return CZ_OK;
}

static enum cz_err altered(rd_kafka_event_t *event, const char *topic, struct cz_error *err)
{
    size_t n = 0;
    const rd_kafka_ConfigResource_t **r = rd_kafka_IncrementalAlterConfigs_result_resources(
        rd_kafka_event_IncrementalAlterConfigs_result(event), &n);
    rd_kafka_resp_err_t e = n == 1 ? rd_kafka_ConfigResource_error(r[0]) : RD_KAFKA_RESP_ERR__FAIL;
    if (!e)
        return CZ_OK;
    const char *text = n == 1 ? rd_kafka_ConfigResource_error_string(r[0]) : NULL;
    return cz__kafka_fail(err, e, "configuration of topic %s%s%s", topic, text ? ": " : "", text ? text : "");
}

enum cz_err cz_admin_set_topic_configs(struct cz_admin *a,
                                       const char *topic,
                                       const struct cz_config_change *changes,
                                       size_t n,
                                       cz_time deadline,
                                       struct cz_error *err)
{
    struct cz__call call;
    enum cz_err code = cz__call_init(&call, a, RD_KAFKA_ADMIN_OP_INCREMENTALALTERCONFIGS, deadline, err);
    if (code)
        return code;
    rd_kafka_ConfigResource_t *ask = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_event_t *event = NULL;
    code = add_changes(ask, changes, n, topic, err);
    if (!code) {
        rd_kafka_IncrementalAlterConfigs(call.rk, &ask, 1, call.options, call.queue);
        code = cz__call_wait(&call, "topic configuration", &event, err);
    }
    rd_kafka_ConfigResource_destroy(ask);
    if (!code) {
        code = altered(event, topic, err);
        rd_kafka_event_destroy(event);
    }
    cz__call_done(&call);
    return code;
}

void cz_admin_configs_free(char **configs)
{
    for (size_t i = 0; configs && configs[i]; i++)
        cz_free(configs[i]);
    cz_free(configs);
}
