/* SPDX-License-Identifier: Apache-2.0 */
/* A side that is a topic, or (scan_file.c) a file: opened, and read from given offsets to given ends. */
#include "cz/alloc.h"
#include "cz/topic_scan.h"
#include "verify_priv.h"

enum cz_err verify_side_open(struct verify_side *s, const char *topic, cz_time deadline, struct cz_error *err)
{
    struct cz_scan scan = {.partitions = 1};
    enum cz_err code = s->cluster ? cz_scan_open(&scan, s->cluster, s->admin, topic, deadline, err) : CZ_OK;
    s->topic = topic;
    s->partitions = scan.partitions;
    cz_scan_done(&scan);
    s->begin = cz_alloc_array((size_t)s->partitions + 1, sizeof *s->begin);
    s->end = cz_alloc_array((size_t)s->partitions + 1, sizeof *s->end);
    s->position = cz_alloc_array((size_t)s->partitions + 1, sizeof *s->position);
    return code;
}

void verify_side_done(struct verify_side *s)
{
    cz_free(s->begin);
    cz_free(s->end);
    cz_free(s->position);
}

static struct cz_scan topic_of(const struct verify_side *s)
{
    return (struct cz_scan){.cluster = s->cluster,
                            .admin = s->admin,
                            .topic = s->topic,
                            .partitions = s->partitions,
                            .begin = s->begin,
                            .end = s->end};
}

enum cz_err verify_side_ask(const struct verify_side *s, int64_t what, bool read_committed, int64_t *at,
                            cz_time deadline, struct cz_error *err)
{
    const struct cz_scan scan = topic_of(s);
    return cz_scan_ask(&scan, what, read_committed, at, deadline, err);
}

int64_t verify_side_count(const struct verify_side *s)
{
    const struct cz_scan scan = topic_of(s);
    return cz_scan_count(&scan);
}

enum cz_err verify_may_go_on(const struct cz_verify_conf *conf, const char *topic, struct cz_error *err)
{
    if (atomic_load(conf->stop))
        return cz_fail(err, CZ_E_UNAVAILABLE, "this control plane stops");
    if (cz_remaining_ms(conf->deadline) == 0)
        return cz_fail_flags(err, CZ_E_TIMEOUT, CZ_ERR_RETRIABLE, 0,
                             "%s: not read to its end in time; give a shorter time span", topic);
    return CZ_OK;
}

struct reading {
    const struct verify_side *side;
    verify_record_fn fn;
    void *arg;
};

static enum cz_err take(void *arg, const struct cz_record *r, struct cz_error *err)
{
    const struct reading *rd = arg;
    return rd->fn(rd->arg, rd->side, r->partition, r, false, err);
}

enum cz_err verify_scan(const struct verify_side *s, const struct cz_verify_conf *conf, verify_record_fn fn,
                        void *arg, struct cz_error *err)
{
    struct reading rd = {.side = s, .fn = fn, .arg = arg};
    const struct cz_scan scan = topic_of(s);
    const struct cz_scan_options o = {.client_id = conf->client_id,
                                      .read_committed = s->cluster == conf->target || conf->spec->read_committed,
                                      .deadline = conf->deadline,
                                      .stop = conf->stop,
                                      .record = take,
                                      .arg = &rd};
    return s->cluster ? cz_scan_run(&scan, &o, err) : verify_file_scan(s, conf, fn, arg, err);
}
