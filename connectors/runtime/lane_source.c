/* SPDX-License-Identifier: Apache-2.0 */
/* The usual source: a Kafka consumer. */
#include "lane_source.h"

static enum cz_err assign(void *self, const char *topic, int32_t partition, int64_t offset, void *opaque,
                          struct cz_error *err)
{
    return cz_consumer_assign(self, topic, partition, offset, opaque, err);
}

static enum cz_err unassign(void *self, const char *topic, int32_t partition, struct cz_error *err)
{
    return cz_consumer_unassign(self, topic, partition, err);
}

static size_t poll(void *self, struct cz_event *out, size_t max, int timeout_ms)
{
    return cz_consumer_poll(self, out, max, timeout_ms);
}

static void wake(void *self)
{
    cz_consumer_wake(self);
}

static int64_t end(void *self, const char *topic, int32_t partition)
{
    return cz_consumer_end(self, topic, partition);
}

static void done(void *self)
{
    cz_consumer_free(self);
}

enum cz_err lane__source_kafka(const struct cz_consumer_options *o, struct lane_source *ret, struct cz_error *err)
{
    static const struct lane_source_ops ops = {assign, unassign, poll, wake, end, done};
    struct cz_consumer *c = NULL;
    enum cz_err code = cz_consumer_new(o, &c, err);
    if (!code)
        *ret = (struct lane_source){&ops, c};
    return code;
}
