/* SPDX-License-Identifier: Apache-2.0 */
/* The topics of our own (the channel's, positions): made when they are missing. */
#include <time.h>

#include "cz/kafka.h"
#include "cz/log.h"
#include "kafka_priv.h"

enum { MAX_REPLICATION = 3, VISIBLE_POLL_MS = 20 };

static enum cz_err replication(struct cz_admin *a, cz_time deadline, int *ret, struct cz_error *err)
{
    struct cz_topic_info *all = NULL;
    size_t n = 0;
    int brokers = 0;
    enum cz_err code = cz_admin_all_topics(a, deadline, &all, &n, &brokers, err);
    if (code)
        return code;
    cz_topic_infos_free(all, n);
    *ret = brokers < 1 ? 1 : brokers > MAX_REPLICATION ? MAX_REPLICATION : brokers;
    return CZ_OK;
}

/* A topic that was just made shows up at the other brokers a little later. */
static enum cz_err wait_visible(struct cz_admin *a, const char *name, cz_time deadline,
                                struct cz_topic_info **ret, struct cz_error *err)
{
    for (;;) {
        struct cz_topic_info *t = NULL;
        struct cz_error e = CZ_ERROR_INIT;
        enum cz_err code = cz_admin_topics(a, &name, 1, deadline, &t, &e);
        if (!code && !t->code && t->partitions > 0) {
            *ret = t;
            return CZ_OK;
        }
        cz_topic_infos_free(t, t ? 1 : 0);
        if (cz_remaining_ms(deadline) == 0)
            return cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0,
                                 "topic %s was made but is not visible yet", name);
        const struct timespec pause = {.tv_nsec = VISIBLE_POLL_MS * 1000000L};
        (void)nanosleep(&pause, NULL);
    }
}

enum cz_err cz_admin_ensure_topic(struct cz_admin *a,
                                  const char *name,
                                  int partitions,
                                  const char *const *configs,
                                  cz_time deadline,
                                  struct cz_topic_info **ret,
                                  bool *ret_created,
                                  struct cz_error *err)
{
    struct cz_topic_info *t = NULL;
    int copies = 0;
    enum cz_err code = cz_admin_topics(a, &name, 1, deadline, &t, err);
    if (code)
        return code;
    enum cz_err found = t->code;
    *ret_created = false;
    if (!found) {
        *ret = t;
        return CZ_OK;
    }
    cz_topic_infos_free(t, 1);
    if (found != CZ_E_NOT_FOUND)
        return cz_fail(err, found, "topic %s: %s", name, cz_err_slug(found));
    code = replication(a, deadline, &copies, err);
    if (!code)
        code = cz_admin_create_topic(a, name, partitions, copies, configs, deadline, err);
    if (!code)
        code = wait_visible(a, name, deadline, ret, err);
    if (code)
        return code;
    cz_log(CZ_LOG_INFO, "kafka", "created topic=%s partitions=%d replication=%d", name, partitions, copies);
    *ret_created = true;
    return CZ_OK;
}
