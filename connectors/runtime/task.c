/* SPDX-License-Identifier: Apache-2.0 */
/* A task as the lane runs it: birth, death, and the snapshot of its counters. */
#include <string.h>

#include "cz/alloc.h"
#include "lane_priv.h"

struct cz_task *cz_task_new(const struct cz_task_conf *conf)
{
    struct cz_task *t = cz_alloc(sizeof *t);
    t->label = cz_strdup(conf->label);
    t->group = cz_strdup(conf->group);
    t->source = conf->source;
    t->producer = conf->producer;
    t->sink = conf->sink;
    t->exact = conf->exact || conf->txn;
    t->settings = conf->settings;
    t->partitions = conf->partitions;
    t->len = conf->partitions_len;
    t->cursors = cz_alloc_array(t->len ? t->len : 1, sizeof *t->cursors);
    t->snap = cz_alloc_array(t->len ? t->len : 1, sizeof *t->snap);
    for (size_t i = 0; i < t->len; i++) {
        struct lane_cursor *c = &t->cursors[i];
        const struct cz_task_partition *p = &t->partitions[i];
        c->task = t;
        c->part = p;
        c->next = p->start;
        c->stop = p->bounded ? p->position.end : INT64_MAX;
        c->committing = -1;
        c->committed = -1;
        cz_tracker_init(&c->tracker, p->start);
        cz_map_block_init(&c->block, p->start);
        c->mapped = -1;
        c->n = (struct cz_partition_counters){
            .topic = p->topic,
            .partition = p->partition,
            .position = p->start,
            .end = -1,
            .committed = -1,
            .begin = p->bounded ? p->position.begin : -1,
            .stop = p->bounded ? p->position.end : -1,
        };
        c->n.dropped[CZ_DROP_GAP] = p->missing;
        t->snap[i] = c->n;
        c->stable = c->n;
    }
    t->map = conf->map;
    t->map.uid = cz_strdup(conf->map.uid);
    if (conf->txn)
        t->txn = lane__txn_new(conf->txn);
    if (conf->positions)
        t->positions = lane__positions_new(conf->positions, t->len);
    t->renew_at = cz_deadline_ms(3600 * 1000);
    cz_mutex_init(&t->lock);
    return t;
}

void cz_task_free(struct cz_task *t)
{
    if (!t)
        return;
    cz_file_sink_free(t->sink);
    for (size_t i = 0; i < t->len; i++) {
        cz_tracker_done(&t->cursors[i].tracker);
        cz_free(t->cursors[i].poison);
        cz_map_block_done(&t->cursors[i].block);
        cz_free(t->partitions[i].topic);
    }
    lane__txn_free(t->txn);
    cz_free(CZ_UNCONST(t->map.uid));
    lane__positions_free(t->positions);
    cz_stages_unref(t->settings.stages);
    cz_mutex_done(&t->lock);
    cz_free(t->partitions);
    cz_free(t->cursors);
    cz_free(t->snap);
    cz_free(t->label);
    cz_free(t->group);
    cz_free(t);
}

void cz_task_counters(struct cz_task *t, struct cz_task_counters *ret)
{
    CZ_LOCKED(&t->lock);
    ret->len = t->len;
    ret->partitions = cz_memdup(t->snap, (t->len ? t->len : 1) * sizeof *t->snap);
    ret->delay = t->snap_delay;
    ret->held = t->snap_held;
    ret->held_ms = t->snap_held_ms;
    ret->version = t->snap_version;
}
