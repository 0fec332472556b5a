/* SPDX-License-Identifier: Apache-2.0 */
/* The leader's side of the channel on real Kafka: one admin client, one writer, the follower.
 */
#include "cz/alloc.h"
#include "scheduler_priv.h"

struct bus {
    struct cz_cluster *control;
    char *group_id;
    struct cz_admin *admin;
    struct cz_config_writer *writer;
    struct cz_follower *follower;
};

static enum cz_err
bus_ensure(void *arg, cz_time deadline, bool *ret_created, struct cz_error *err)
{
    struct bus *b = arg;
    if (!b->admin) {
        enum cz_err rc = cz_admin_new(b->control, "citizenk-leader", &b->admin, err);
        if (rc != CZ_OK)
            return rc;
    }
    return cz_channel_ensure(b->admin, b->group_id, deadline, ret_created, err);
}

static void bus_close(void *arg)
{
    struct bus *b = arg;
    cz_config_writer_free(b->writer);
    b->writer = NULL;
}

static enum cz_err bus_open(void *arg, cz_time deadline, struct cz_error *err)
{
    struct bus *b = arg;
    bus_close(b);
    return cz_config_writer_new(b->control, b->group_id, deadline, &b->writer, err);
}

static enum cz_err bus_publish(void *arg,
                               const struct cz_channel_write *w,
                               size_t n,
                               int64_t epoch,
                               cz_time deadline,
                               struct cz_error *err)
{
    struct bus *b = arg;
    return cz_config_writer_publish(b->writer, w, n, epoch, deadline, err);
}

static enum cz_err bus_sync(void *arg, cz_time deadline, struct cz_error *err)
{
    struct bus *b = arg;
    return cz_follower_sync(b->follower, deadline, err);
}

static void bus_free(void *arg)
{
    struct bus *b = arg;
    bus_close(b);
    cz_follower_free(b->follower);
    cz_admin_free(b->admin);
    cz_free(b->group_id);
    cz_free(b);
}

enum cz_err cz_sched_bus_kafka(struct cz_cluster *control,
                               const char *group_id,
                               struct cz_view *view,
                               struct cz_sched_bus *ret,
                               struct cz_error *err)
{
    char *topic = cz_channel_config_topic(group_id);
    struct bus *b = cz_alloc(sizeof(*b));
    b->control = control;
    b->group_id = cz_strdup(group_id);
    enum cz_err rc = cz_follower_new(control, topic, "citizenk-scheduler", &cz_view_ops, view,
                                     &b->follower, err);
    cz_free(topic);
    if (rc != CZ_OK) {
        bus_free(b);
        return rc;
    }
    *ret = (struct cz_sched_bus){.arg = b,
                                 .ensure = bus_ensure,
                                 .open = bus_open,
                                 .publish = bus_publish,
                                 .close = bus_close,
                                 .sync = bus_sync,
                                 .free = bus_free};
    return CZ_OK;
}
