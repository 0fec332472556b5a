/* SPDX-License-Identifier: Apache-2.0 */
/** Access rules of a topic, copied from one cluster to another as MirrorMaker 2 does: what lets somebody
 *  write does not come along, so that the replicator alone writes the copy.  Rules are added, never taken
 *  away: the target's owner may have given more. */
#include <string.h>

#include "admin_priv.h"
#include "cz/map.h"
#include "cz/util.h"

/* The rules that hold for a topic: its own, those of prefixes of its name, and of *. @ret_event holds them. */
static enum cz_err rules_of(struct cz_admin *a,
                            const char *topic,
                            rd_kafka_ResourcePatternType_t pattern,
                            const char *what,
                            cz_time deadline,
                            rd_kafka_event_t **ret_event,
                            struct cz_error *err)
{
    char text[256];
    struct cz__call call;
    rd_kafka_AclBindingFilter_t *filter =
        rd_kafka_AclBindingFilter_new(RD_KAFKA_RESOURCE_TOPIC, topic, pattern, NULL, NULL, RD_KAFKA_ACL_OPERATION_ANY,
                                      RD_KAFKA_ACL_PERMISSION_TYPE_ANY, text, sizeof(text));
    if (!filter)
        return cz_fail(err, CZ_E_INVALID, "%s: %s", what, text);
    enum cz_err code = cz__call_init(&call, a, RD_KAFKA_ADMIN_OP_DESCRIBEACLS, deadline, err);
    if (!code) {
        rd_kafka_DescribeAcls(call.rk, filter, call.options, call.queue);
        code = cz__call_wait(&call, what, ret_event, err);
        cz__call_done(&call);
    }
    rd_kafka_AclBinding_destroy(filter);
    return code;
}

/* Nothing that is about writing: a rule that forbids it could meet the replicator. */
static bool comes_along(const rd_kafka_AclBinding_t *rule)
{
    return rd_kafka_AclBinding_operation(rule) != RD_KAFKA_ACL_OPERATION_WRITE;
}

static rd_kafka_AclOperation_t operation_there(const rd_kafka_AclBinding_t *rule)
{
    rd_kafka_AclOperation_t op = rd_kafka_AclBinding_operation(rule);
    return op == RD_KAFKA_ACL_OPERATION_ALL ? RD_KAFKA_ACL_OPERATION_READ : op;
}

static char *key_of(const rd_kafka_AclBinding_t *rule, rd_kafka_AclOperation_t op)
{
    return cz_strf("%s\n%s\n%d\n%d", rd_kafka_AclBinding_principal(rule), rd_kafka_AclBinding_host(rule), (int)op,
                   (int)rd_kafka_AclBinding_permission_type(rule));
}

static enum cz_err
create(struct cz_admin *a, rd_kafka_AclBinding_t **rules, size_t n, cz_time deadline, struct cz_error *err)
{
    static const char what[] = "ACLs of the target";
    struct cz__call call;
    rd_kafka_event_t *event = NULL;
    enum cz_err code = cz__call_init(&call, a, RD_KAFKA_ADMIN_OP_CREATEACLS, deadline, err);
    if (code)
        return code;
    rd_kafka_CreateAcls(call.rk, rules, n, call.options, call.queue);
    code = cz__call_wait(&call, what, &event, err);
    if (!code) {
        size_t got = 0;
        const rd_kafka_acl_result_t **r =
            rd_kafka_CreateAcls_result_acls(rd_kafka_event_CreateAcls_result(event), &got);
        for (size_t i = 0; !code && i < got; i++) {
            const rd_kafka_error_t *e = rd_kafka_acl_result_error(r[i]);
            if (e)
                code = cz__admin_fail(err, rd_kafka_error_code(e), what, rd_kafka_error_string(e));
        }
        rd_kafka_event_destroy(event);
    }
    cz__call_done(&call);
    return code;
}

/* What the target's topic misses of @all. */
static size_t missing(const rd_kafka_AclBinding_t **all,
                      size_t n,
                      struct cz_map *has,
                      const char *topic,
                      rd_kafka_AclBinding_t **ret)
{
    static char mark;
    char text[256];
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        rd_kafka_AclOperation_t op = operation_there(all[i]);
        CZ_CLEANUP(cz_freep) char *key = key_of(all[i], op);
        if (!comes_along(all[i]) || cz_map_get(has, key))
            continue;
        cz_map_put(has, key, &mark); /* several of the source's may come to the same */
        rd_kafka_AclBinding_t *one = rd_kafka_AclBinding_new(
            RD_KAFKA_RESOURCE_TOPIC, topic, RD_KAFKA_RESOURCE_PATTERN_LITERAL, rd_kafka_AclBinding_principal(all[i]),
            rd_kafka_AclBinding_host(all[i]), op, rd_kafka_AclBinding_permission_type(all[i]), text, sizeof(text));
        if (one)
            ret[len++] = one;
    }
    return len;
}

enum cz_err cz_admin_copy_acls(struct cz_admin *from,
                               const char *source,
                               struct cz_admin *to,
                               const char *target,
                               cz_time deadline,
                               size_t *ret_added,
                               struct cz_error *err)
{
    rd_kafka_event_t *theirs = NULL, *ours = NULL;
    struct cz_map has = CZ_MAP_INIT(NULL);
    static char mark;
    size_t n = 0, m = 0;
    enum cz_err code = rules_of(from, source, RD_KAFKA_RESOURCE_PATTERN_MATCH, "ACLs of the source", deadline, &theirs, err);
    if (!code)
        code = rules_of(to, target, RD_KAFKA_RESOURCE_PATTERN_LITERAL, "ACLs of the target", deadline, &ours, err);
    if (!code) {
        const rd_kafka_AclBinding_t **all = rd_kafka_DescribeAcls_result_acls(rd_kafka_event_DescribeAcls_result(theirs), &n);
        const rd_kafka_AclBinding_t **own = rd_kafka_DescribeAcls_result_acls(rd_kafka_event_DescribeAcls_result(ours), &m);
        for (size_t i = 0; i < m; i++) {
            CZ_CLEANUP(cz_freep) char *key = key_of(own[i], rd_kafka_AclBinding_operation(own[i]));
            cz_map_put(&has, key, &mark);
        }
        rd_kafka_AclBinding_t **add = cz_alloc_array(n + 1, sizeof(*add));
        size_t len = missing(all, n, &has, target, add);
        if (len > 0)
            code = create(to, add, len, deadline, err);
        if (!code)
            *ret_added = len;
        rd_kafka_AclBinding_destroy_array(add, len);
        cz_free(add);
    }
    if (theirs)
        rd_kafka_event_destroy(theirs);
    if (ours)
        rd_kafka_event_destroy(ours);
    cz_map_done(&has);
    return code;
}
