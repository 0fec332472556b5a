/* SPDX-License-Identifier: Apache-2.0 */
/** The admin client: consumer groups.  Whether a group has members is read from the list of all
 *  groups, which every broker answers for those that it coordinates: describing a group is a call
 *  to its coordinator, and DescribeConsumerGroups is banned here (see admin.c). */
#include <string.h>

#include "admin_priv.h"

enum cz_err cz_admin_delete_group(struct cz_admin *a,
                                  const char *group,
                                  cz_time deadline,
                                  struct cz_error *err)
{
    struct cz__call call;
    enum cz_err code = cz__call_init(&call, a, RD_KAFKA_ADMIN_OP_DELETEGROUPS, deadline, err);
    if (code)
        return code;
    rd_kafka_DeleteGroup_t *ask = rd_kafka_DeleteGroup_new(group);
    rd_kafka_DeleteGroups(call.rk, &ask, 1, call.options, call.queue);
    rd_kafka_DeleteGroup_destroy(ask);
    rd_kafka_event_t *event = NULL;
    code = cz__call_wait(&call, "delete group", &event, err);
    if (!code) {
        size_t n = 0;
        const rd_kafka_group_result_t **groups = rd_kafka_DeleteGroups_result_groups(
            rd_kafka_event_DeleteGroups_result(event), &n);
        const rd_kafka_error_t *ge = n == 1 ? rd_kafka_group_result_error(groups[0]) : NULL;
        rd_kafka_resp_err_t e = ge ? rd_kafka_error_code(ge) : RD_KAFKA_RESP_ERR_NO_ERROR;
        if (e == RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP)
            code = cz_fail_flags(err, CZ_E_CONFLICT, CZ_ERR_RETRIABLE, e,
                                 "delete group %s: it has members", group);
        else if (e && e != RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND)
            code = cz__kafka_fail(err, e, "delete group %s", group);
        rd_kafka_event_destroy(event);
    }
    cz__call_done(&call);
    return code;
}

static enum cz_group_state state_of(rd_kafka_consumer_group_state_t s)
{
    if (s == RD_KAFKA_CONSUMER_GROUP_STATE_EMPTY)
        return CZ_GROUP_EMPTY;
    if (s == RD_KAFKA_CONSUMER_GROUP_STATE_DEAD)
        return CZ_GROUP_ABSENT;
    return s == RD_KAFKA_CONSUMER_GROUP_STATE_UNKNOWN ? CZ_GROUP_UNKNOWN : CZ_GROUP_MEMBERS;
}

/* An answer that lacks a broker's groups is none: a group that it has would look absent. */
static enum cz_err take_groups(rd_kafka_event_t *event,
                               struct cz_group **ret,
                               size_t *ret_n,
                               struct cz_error *err)
{
    size_t n = 0, bad = 0;
    const rd_kafka_ListConsumerGroups_result_t *result =
        rd_kafka_event_ListConsumerGroups_result(event);
    const rd_kafka_error_t **errors = rd_kafka_ListConsumerGroups_result_errors(result, &bad);
    if (bad > 0)
        return cz__admin_fail(err, rd_kafka_error_code(errors[0]), "consumer groups",
                              rd_kafka_error_string(errors[0]));
    const rd_kafka_ConsumerGroupListing_t **all =
        rd_kafka_ListConsumerGroups_result_valid(result, &n);
    struct cz_group *groups = cz_alloc_array(n ? n : 1, sizeof(*groups));
    for (size_t i = 0; i < n; i++) {
        groups[i].name = cz_strdup(rd_kafka_ConsumerGroupListing_group_id(all[i]));
        groups[i].state = state_of(rd_kafka_ConsumerGroupListing_state(all[i]));
    }
    *ret = groups;
    *ret_n = n;
    return CZ_OK;
}

enum cz_err cz_admin_groups(struct cz_admin *a,
                            cz_time deadline,
                            struct cz_group **ret,
                            size_t *ret_n,
                            struct cz_error *err)
{
    struct cz__call call;
    enum cz_err code = cz__call_init(&call, a, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS, deadline, err);
    if (code)
        return code;
    rd_kafka_ListConsumerGroups(call.rk, call.options, call.queue);
    rd_kafka_event_t *event = NULL;
    code = cz__call_wait(&call, "consumer groups", &event, err);
    if (!code) {
        code = take_groups(event, ret, ret_n, err);
        rd_kafka_event_destroy(event);
    }
    cz__call_done(&call);
    return code;
}

void cz_groups_free(struct cz_group *g, size_t n)
{
    for (size_t i = 0; g && i < n; i++)
        cz_free(g[i].name);
    cz_free(g);
}
