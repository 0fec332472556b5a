/* SPDX-License-Identifier: Apache-2.0 */
/* A lane between two mock clusters: see lane_world.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "lane_world.h"

static void on_event(void *arg, const struct cz_task_event *e)
{
    struct world *w = arg;
    CZ_LOCKED(&w->lock);
    if (e->kind == CZ_TASK_EVENT_FAILED || e->kind == CZ_TASK_EVENT_GAP) {
        w->failed[w->failed_n++] = e->task;
        w->error = e->error;
        w->gap_n += e->kind == CZ_TASK_EVENT_GAP;
    } else if (e->kind == CZ_TASK_EVENT_FINISHED) {
        w->finished_n++;
    } else {
        w->removed[w->removed_n++] = e->task;
    }
    cz_cond_broadcast(&w->cond);
}

struct cz_producer *world_producer(struct world *w, const char *id)
{
    const struct cz_producer_options o = {.cluster = w->to, .client_id = "test", .compression = "lz4",
                                          .linger_ms = 1, .transactional_id = id,
                                          .delivered = cz_inflight_delivered};
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_producer *p = NULL;
    assert_int_equal(cz_producer_new(&o, &p, &err), CZ_OK);
    if (id && cz_producer_txn_init(p, cz_deadline_ms(10000), &err))
        fail_msg("%s", err.text);
    return p;
}

void world_exact(struct world *w, int64_t interval_ms)
{
    struct cz_error err = CZ_ERROR_INIT;
    cz_producer_free(w->producer, cz_deadline_ms(1000));
    w->producer = world_producer(w, "me");
    w->txn = cz_alloc(sizeof *w->txn);
    *w->txn = (struct cz_task_txn){.interval_ms = interval_ms, .at = {.uid = "uid", .writer = "me"}};
    assert_int_equal(cz_producer_topic(w->producer, "pos", &w->txn->at.topic, &err), CZ_OK);
}

int world_setup(void **state)
{
    struct world *w = cz_alloc(sizeof *w);
    struct cz_error err = CZ_ERROR_INIT;
    w->source = mock_new();
    w->target = mock_new();
    mock_topic(w->source, "in", 2);
    mock_topic(w->target, "out", 2);
    mock_topic(w->target, "dead", 1);
    mock_topic(w->target, "pos", 1);
    mock_topic(w->target, "map", 1);
    cz_mutex_init(&w->lock);
    cz_cond_init(&w->cond);
    assert_int_equal(cz_cluster_from_bootstrap(mock_bootstrap(w->source), NULL, &w->from, &err), CZ_OK);
    assert_int_equal(cz_cluster_from_bootstrap(mock_bootstrap(w->target), NULL, &w->to, &err), CZ_OK);
    if (cz_admin_new(w->from, "test", &w->admin, &err))
        fail_msg("%s", err.text);
    w->producer = world_producer(w, NULL);
    atomic_store(&w->lease_until, CZ_TIME_NEVER);
    const struct cz_lane_options lo = {.cluster = w->from, .name = "lane", .group_id = "test",
                                       .read_committed = true, .prefetch_kib = 4096,
                                       .commit_interval_ms = 100, .lease_until = &w->lease_until,
                                       .on_event = on_event, .arg = w};
    assert_int_equal(cz_lane_new(&lo, &w->lane, &err), CZ_OK);
    *state = w;
    return 0;
}

int world_teardown(void **state)
{
    struct world *w = *state;
    cz_producer_purge(w->producer);
    while (w->added_n > 0)
        remove_task(w, w->added[0]);
    cz_lane_free(w->lane);
    cz_producer_free(w->producer, cz_deadline_ms(1000));
    cz_admin_free(w->admin);
    cz_cluster_unref(w->from);
    cz_cluster_unref(w->to);
    mock_free(w->source);
    mock_free(w->target);
    cz_mutex_done(&w->lock);
    cz_cond_done(&w->cond);
    cz_free(w->txn);
    cz_free(w);
    return 0;
}

struct cz_task_settings world_settings(struct world *w, const struct wish *wish)
{
    struct cz_task_settings s = {.partitioning = wish->partitioning, .on_error = wish->on_error, .generation = 7,
                                .rate = wish->rate, .rate_limits = cz_rate_limits(&wish->rate),
                                .rate_share = wish->rate_share};
    struct cz_error err = CZ_ERROR_INIT;
    json_t *map = wish->value_map ? json_loads(wish->value_map, 0, NULL) : NULL;
    const struct cz_stages_conf conf = {.filter = wish->filter, .value_map = map};
    assert_int_equal(cz_stages_new(&conf, &s.stages, &err), CZ_OK);
    json_decref(map);
    assert_int_equal(cz_producer_topic(w->producer, "dead", &s.dead_letter, &err), CZ_OK);
    return s;
}

struct cz_task *add_task(struct world *w, const struct wish *wish)
{
    struct cz_error err = CZ_ERROR_INIT;
    size_t n = (size_t)wish->partitions;
    struct cz_task_partition *parts = cz_alloc_array(n, sizeof *parts);
    for (size_t i = 0; i < n; i++) {
        parts[i] = (struct cz_task_partition){.topic = cz_strdup("in"), .partition = (int32_t)i,
                                              .start = wish->start,
                                              .bounded = wish->end > 0,
                                              .until_ms = wish->until_ms,
                                              .missing = wish->missing,
                                              .position = {.begin = wish->start,
                                                           .end = wish->end > 0 ? wish->end : -1}};
        assert_int_equal(cz_producer_topic(w->producer, "out", &parts[i].target, &err), CZ_OK);
        cz_producer_topic_expect(parts[i].target, 2);
    }
    struct cz_task_map map = {.uid = "uid", .partition = wish->map_partition};
    if (wish->map) {
        assert_int_equal(cz_producer_topic(w->producer, "map", &map.topic, &err), CZ_OK);
        cz_producer_topic_expect(map.topic, 1);
    }
    const struct cz_task_conf conf = {.label = "t/m/0", .map = map, .group = !wish->group ? "g" : *wish->group ? wish->group : NULL, .source = w->admin,
                                      .producer = w->producer, .txn = w->txn, .settings = world_settings(w, wish),
                                      .partitions = parts, .partitions_len = n};
    struct cz_task *t = cz_task_new(&conf);
    cz_lane_add(w->lane, t);
    assert_in_range(w->added_n, 0, 63);
    w->added[w->added_n++] = t;
    return t;
}

struct cz_partition_counters counters(struct cz_task *t, size_t i)
{
    struct cz_task_counters c = {0};
    cz_task_counters(t, &c);
    struct cz_partition_counters n = c.partitions[i];
    cz_free(c.partitions);
    return n;
}

void wait_position(struct cz_task *t, size_t i, int64_t position)
{
    cz_time deadline = cz_deadline_ms(20000);
    while (counters(t, i).position < position) {
        if (cz_now() >= deadline)
            fail_msg("position %lld, not %lld; in %lld, out %lld", (long long)counters(t, i).position,
                     (long long)position, (long long)counters(t, i).in, (long long)counters(t, i).out);
        const struct timespec nap = {.tv_nsec = 5000000};
        (void)nanosleep(&nap, NULL);
    }
    assert_int_equal(counters(t, i).position, position);
}

bool wait_count(struct world *w, const int *count, int want, int ms)
{
    CZ_LOCKED(&w->lock);
    cz_time deadline = cz_deadline_ms(ms);
    while (*count < want) {
        if (!cz_cond_wait(&w->cond, &w->lock, deadline))
            break;
    }
    return *count >= want;
}

void remove_task(struct world *w, struct cz_task *t)
{
    int before = w->removed_n;
    for (int i = 0; i < w->added_n; i++) {
        if (w->added[i] == t)
            w->added[i] = w->added[--w->added_n];
    }
    cz_lane_remove(w->lane, t, cz_deadline_ms(5000));
    assert_true(wait_count(w, &w->removed_n, before + 1, 15000));
    cz_task_free(t);
}

int64_t committed_by(struct world *w, const char *group, int32_t partition)
{
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_tp_list l = {0};
    cz_tp_list_add(&l, "in", partition, -1);
    assert_int_equal(cz_admin_group_offsets(w->admin, group, &l, cz_deadline_ms(5000), &err), CZ_OK);
    int64_t at = l.items[0].offset;
    cz_tp_list_done(&l);
    return at;
}

int64_t committed(struct world *w, int32_t partition)
{
    return committed_by(w, "g", partition);
}

void nap_ms(int ms)
{
    const struct timespec nap = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    (void)nanosleep(&nap, NULL);
}

void check_record(void *arg, int64_t offset, const char *key, size_t key_len, const char *value,
                         size_t len, const char *stage)
{
    (void)offset;
    struct expect *e = arg;
    char want[512];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    int n = snprintf(want, sizeof want, e->format, e->next);
#pragma GCC diagnostic pop
    assert_int_equal(len, n);
    assert_memory_equal(value, want, len);
    if (e->stage)
        assert_string_equal(stage ? stage : "", e->stage);
    assert_true(key && key_len >= 2);
    e->next += e->step;
    e->n++;
}
