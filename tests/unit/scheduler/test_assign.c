/* SPDX-License-Identifier: Apache-2.0 */
/* Assignment as a pure function: every partition exactly once, balance, stickiness,
 * determinism, few moves, capacity, new and re-created topics, and the time that a big fleet
 * takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "assign.h"
#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/time.h"

/* ---- a fleet to play with -------------------------------------------------------------------
 */

struct mapping {
    char uid[32];
    int tasks;
    struct cz_plan_topic topics[4];
    size_t topics_len;
    struct cz_assignment *a;
    double rates[256];
    bool measured, files;
};
struct fleet {
    struct mapping *mappings;
    size_t n;
    struct cz_place_worker workers[256];
    char ids[256][16];
    size_t m;
    struct cz_plan_result last;
    int64_t generation;
};

static uint64_t seed = 88172645463325252ULL;
static unsigned rnd(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed % n);
}

static void fleet_init(struct fleet *f, size_t mappings, int partitions)
{
    memset(f, 0, sizeof(*f));
    f->mappings = cz_alloc_array(mappings, sizeof(*f->mappings));
    f->n = mappings;
    for (size_t i = 0; i < mappings; i++) {
        struct mapping *m = &f->mappings[i];
        snprintf(m->uid, sizeof(m->uid), "u%08zu", i);
        m->topics[0] =
            (struct cz_plan_topic){.name = "orders", .id = "A", .partitions = partitions};
        m->topics_len = 1;
    }
}

static void fleet_done(struct fleet *f)
{
    for (size_t i = 0; i < f->n; i++)
        cz_assignment_free(f->mappings[i].a);
    cz_free(f->mappings);
}

static void fleet_worker(struct fleet *f, const char *id, int capacity)
{
    size_t at = 0;
    while (at < f->m && strcmp(f->workers[at].id, id) < 0)
        at++;
    for (size_t i = f->m; i > at; i--) {
        f->workers[i] = f->workers[i - 1];
        memcpy(f->ids[i], f->ids[i - 1], sizeof(f->ids[i]));
        f->workers[i].id = f->ids[i];
    }
    snprintf(f->ids[at], sizeof(f->ids[at]), "%s", id);
    f->workers[at] = (struct cz_place_worker){
        .id = f->ids[at], .capacity = capacity, .eligible = true, .keeps = true};
    f->m++;
}

static void fleet_gone(struct fleet *f, size_t i)
{
    f->workers[i].eligible = false;
    f->workers[i].keeps = false;
}

static void fleet_plan(struct fleet *f, bool balance)
{
    struct cz_plan_item *items = cz_alloc_array(f->n + 1, sizeof(*items));
    for (size_t i = 0; i < f->n; i++) {
        struct mapping *m = &f->mappings[i];
        items[i] = (struct cz_plan_item){.uid = m->uid,
                                         .tasks = m->tasks,
                                         .files = m->files,
                                         .topics = m->topics,
                                         .topics_len = m->topics_len,
                                         .prev = m->a,
                                         .rates = m->measured ? m->rates : NULL};
    }
    cz_assign_plan(items, f->n, f->workers, f->m, f->generation, balance, &f->last);
    for (size_t i = 0; i < f->n; i++) {
        if (!items[i].next)
            continue;
        if (f->mappings[i].a)
            assert_true(items[i].next->generation > f->mappings[i].a->generation);
        cz_assignment_free(f->mappings[i].a);
        f->mappings[i].a = items[i].next;
    }
    cz_free(items);
}

static size_t tasks_of(const struct fleet *f, const char *id)
{
    size_t n = 0;
    for (size_t i = 0; i < f->n; i++) {
        const struct cz_assignment *a = f->mappings[i].a;
        for (int t = 0; a && t < a->tasks; t++)
            n += a->workers[t] && strcmp(a->workers[t], id) == 0 &&
                 !cz_assignment_task_empty(a, t);
    }
    return n;
}

/* Each partition of each known topic is in exactly one task of the rendered record. */
static void check_complete(const struct mapping *m)
{
    json_t *j = cz_assignment_render(m->a, m->uid);
    int seen[4][2048] = {{0}};
    size_t i, k;
    json_t *task, *part;
    json_array_foreach (json_object_get(j, "tasks"), i, task) {
        assert_true(json_array_size(json_object_get(task, "partitions")) > 0);
        json_array_foreach (json_object_get(task, "partitions"), k, part) {
            const char *topic = cz_json_str(part, "topic", "");
            for (size_t t = 0; t < m->topics_len; t++)
                seen[t][cz_json_int(part, "partition", 0)] +=
                    strcmp(m->topics[t].name, topic) == 0;
        }
    }
    for (size_t t = 0; t < m->topics_len; t++) {
        for (int p = 0; p < m->topics[t].partitions; p++)
            assert_int_equal(seen[t][p], 1);
        assert_int_equal(seen[t][m->topics[t].partitions > 0 ? m->topics[t].partitions : 0], 0);
    }
    struct cz_assignment *back = cz_assignment_parse(j);
    assert_non_null(back);
    for (int t = 0; t < m->a->tasks; t++) {
        if (!cz_assignment_task_empty(m->a, t) && m->a->workers[t])
            assert_string_equal(back->workers[t], m->a->workers[t]);
    }
    assert_int_equal(back->generation, m->a->generation);
    cz_assignment_free(back);
    json_decref(j);
}

/* ---- shape ----------------------------------------------------------------------------------
 */

static void test_partition_mod_tasks(void **state)
{
    (void)state;
    struct fleet f;
    fleet_init(&f, 1, 10);
    f.mappings[0].tasks = 4;
    fleet_worker(&f, "w1", 0);
    fleet_plan(&f, false);
    json_t *j = cz_assignment_render(f.mappings[0].a, "u");
    size_t i, k;
    json_t *task, *part;
    json_array_foreach (json_object_get(j, "tasks"), i, task) {
        json_array_foreach (json_object_get(task, "partitions"), k, part) {
            assert_int_equal(cz_json_int(part, "partition", -1) % 4, (int)i);
            assert_null(json_object_get(part, "from_start"));
        }
    }
    json_decref(j);
    check_complete(&f.mappings[0]);
    fleet_done(&f);
}

static void test_auto_tasks(void **state)
{
    (void)state;
    struct fleet f;
    fleet_init(&f, 1, 12);
    fleet_worker(&f, "w1", 0);
    fleet_plan(&f, false);
    assert_int_equal(f.mappings[0].a->tasks, 1);
    fleet_worker(&f, "w2", 0);
    fleet_plan(&f, true); /* one worker copies it with ease: nothing is touched */
    assert_int_equal(f.last.changed, 0);
    f.mappings[0].measured = true;
    f.mappings[0].rates[0] = CZ_SPLIT_RATE;
    fleet_plan(&f, true);
    assert_int_equal(f.mappings[0].a->tasks, 2);
    assert_int_equal(tasks_of(&f, "w1"), 1);
    assert_int_equal(tasks_of(&f, "w2"), 1);
    fleet_worker(&f, "w3", 0); /* not twice as many: no change at all */
    fleet_plan(&f, true);
    assert_int_equal(f.last.changed, 0);
    fleet_worker(&f, "w4", 0);
    f.mappings[0].rates[1] = CZ_SPLIT_RATE;
    fleet_plan(&f, true);
    assert_int_equal(f.mappings[0].a->tasks, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(tasks_of(&f, f.workers[i].id), 1);
    fleet_gone(&f, 3); /* never shrinks */
    fleet_plan(&f, false);
    assert_int_equal(f.mappings[0].a->tasks, 4);
    check_complete(&f.mappings[0]);
    fleet_done(&f);
}

static void test_new_partitions(void **state)
{
    (void)state;
    struct fleet f;
    fleet_init(&f, 1, 4);
    fleet_worker(&f, "w1", 0);
    fleet_worker(&f, "w2", 0);
    fleet_plan(&f, false);
    struct cz_as_topic before = f.mappings[0].a->topics[0];
    assert_int_equal(before.from_start, -1);
    f.mappings[0].topics[0].partitions = 7;
    fleet_plan(&f, false);
    assert_int_equal(f.last.changed, 1);
    assert_int_equal(f.last.moves, 0);
    assert_int_equal(f.mappings[0].a->topics[0].from_start, 4);
    f.mappings[0].topics[0].partitions = 9;
    fleet_plan(&f, false);
    assert_int_equal(f.mappings[0].a->topics[0].from_start, 4);
    check_complete(&f.mappings[0]);
    fleet_plan(&f, false);
    assert_int_equal(f.last.changed, 0);
    fleet_done(&f);
}

static void test_missing_and_recreated(void **state)
{
    (void)state;
    struct fleet f;
    fleet_init(&f, 1, 0); /* missing from the beginning */
    struct mapping *m = &f.mappings[0];
    m->topics[0].id = "";
    fleet_worker(&f, "w1", 0);
    fleet_plan(&f, false);
    assert_int_equal(m->a->tasks, 0);
    m->topics[0] = (struct cz_plan_topic){.name = "orders", .id = "A", .partitions = 2};
    fleet_plan(&f, false); /* appears after the mapping began: read from its start */
    assert_int_equal(m->a->topics[0].from_start, 0);
    m->topics[0].partitions = 0; /* deleted */
    m->topics[0].id = "";
    fleet_plan(&f, false);
    assert_int_equal(cz_assignment_partitions(m->a), 0);
    assert_string_equal(m->a->topics[0].id, "A");
    assert_string_equal(m->a->topics[0].was_id, "");
    m->topics[0] = (struct cz_plan_topic){.name = "orders", .id = "B", .partitions = 1};
    fleet_plan(&f, false); /* another topic now: its id is in the record */
    assert_string_equal(m->a->topics[0].id, "B");
    assert_string_equal(m->a->topics[0].was_id, "A");
    assert_int_equal(m->a->topics[0].seen, 1);
    json_t *record = cz_assignment_render(m->a, "u"); /* it outlives the leader */
    struct cz_assignment *read = cz_assignment_parse(record);
    assert_string_equal(read->topics[0].was_id, "A");
    cz_assignment_free(read);
    json_decref(record);
    check_complete(m);
    m->topics[0].partitions = CZ_PARTITIONS_UNKNOWN; /* cluster away: nothing changes */
    fleet_plan(&f, true);
    assert_int_equal(f.last.changed, 0);
    fleet_done(&f);
}

/* A pattern's topics: none is an answer; one that comes is read from its beginning; one that goes
 * leaves the others where they are. */
static void test_pattern(void **state)
{
    (void)state;
    struct cz_plan_topic topics[2] = {{.name = "a", .id = "A", .partitions = 2},
                                      {.name = "b", .id = "B", .partitions = 2}};
    struct cz_place_worker w = {.id = "w", .eligible = true, .keeps = true};
    struct cz_plan_result res;
    struct cz_plan_item it = {.uid = "u", .topics = topics, .pattern = true};
    cz_assign_plan(&it, 1, &w, 1, 0, false, &res);
    struct cz_assignment *none = it.next;
    assert_non_null(none);
    assert_int_equal(none->tasks, 0);
    it = (struct cz_plan_item){.uid = "u", .topics = topics, .topics_len = 1, .pattern = true, .prev = none};
    cz_assign_plan(&it, 1, &w, 1, 0, false, &res);
    struct cz_assignment *one = it.next;
    assert_int_equal(one->topics[0].from_start, 0);
    it = (struct cz_plan_item){.uid = "u", .topics = topics, .topics_len = 2, .pattern = true, .prev = one};
    cz_assign_plan(&it, 1, &w, 1, 0, false, &res);
    struct cz_assignment *two = it.next;
    assert_int_equal(two->topics[1].from_start, 0);
    assert_int_equal(cz_assignment_partitions(two), 4);
    it = (struct cz_plan_item){.uid = "u", .topics = topics, .topics_len = 2, .pattern = true};
    cz_assign_plan(&it, 1, &w, 1, 0, false, &res);
    assert_int_equal(it.next->topics[0].from_start, -1); /* there from the beginning */
    cz_assignment_free(it.next);
    cz_assignment_free(none);
    cz_assignment_free(one);
    cz_assignment_free(two);
}

static void test_unknown_waits(void **state)
{
    (void)state;
    struct fleet f;
    fleet_init(&f, 1, CZ_PARTITIONS_UNKNOWN);
    struct mapping *m = &f.mappings[0];
    fleet_worker(&f, "w1", 0);
    fleet_plan(&f, false);
    assert_null(m->a);
    m->topics[1] = (struct cz_plan_topic){.name = "b", .id = "", .partitions = 3};
    m->topics_len = 2;
    fleet_plan(&f, false);
    assert_int_equal(cz_assignment_partitions(m->a), 3);
    m->topics[0].partitions = 5; /* known only now: it may be as old as the mapping */
    fleet_plan(&f, false);
    assert_int_equal(m->a->topics[0].from_start, -1);
    check_complete(m);
    fleet_done(&f);
}

static void test_pairs_are_spread(void **state)
{
    (void)state;
    struct fleet f;
    fleet_init(&f, 1, 1);
    struct mapping *m = &f.mappings[0];
    static const char *const names[] = {"a", "b", "c", "d"};
    for (size_t i = 0; i < 4; i++)
        m->topics[i] = (struct cz_plan_topic){.name = names[i], .id = "", .partitions = 1};
    m->topics_len = 4;
    for (int w = 1; w <= 4; w++) {
        char id[16];
        snprintf(id, sizeof(id), "w%d", w);
        fleet_worker(&f, id, 0);
    }
    fleet_plan(&f, false);
    assert_int_equal(m->a->tasks, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(tasks_of(&f, f.workers[i].id), 1);
    check_complete(m);
    fleet_done(&f);
}

/* ---- placement ------------------------------------------------------------------------------
 */

static void test_no_worker_and_capacity(void **state)
{
    (void)state;
    struct fleet f;
    fleet_init(&f, 5, 1);
    fleet_plan(&f, false);
    assert_int_equal(f.last.homeless, 5);
    fleet_worker(&f, "w1", 3);
    fleet_plan(&f, true);
    assert_int_equal(tasks_of(&f, "w1"), 3);
    assert_int_equal(f.last.homeless, 2);
    fleet_worker(&f, "w2", 1);
    fleet_plan(&f, true);
    assert_int_equal(tasks_of(&f, "w1"), 3);
    assert_int_equal(tasks_of(&f, "w2"), 1);
    fleet_gone(&f, 0); /* nobody else has room: they keep its name */
    fleet_plan(&f, false);
    assert_int_equal(f.last.changed, 0);
    assert_int_equal(f.last.homeless, 4);
    f.workers[0].eligible = f.workers[0].keeps = true;
    fleet_plan(&f, true);
    assert_int_equal(f.last.changed, 0);
    fleet_done(&f);
}

static void test_suspect_keeps_but_gets_none(void **state)
{
    (void)state;
    struct fleet f;
    fleet_init(&f, 10, 1);
    fleet_worker(&f, "w1", 0);
    fleet_worker(&f, "w2", 0);
    fleet_plan(&f, false);
    f.workers[0].eligible = false; /* lease over, grace not */
    fleet_plan(&f, true);
    assert_int_equal(f.last.changed, 0);
    fleet_done(&f);
}

static void test_weights_balance(void **state)
{
    (void)state;
    struct fleet f;
    fleet_init(&f, 40, 1);
    fleet_worker(&f, "w1", 0);
    fleet_worker(&f, "w2", 0);
    fleet_plan(&f, false);
    for (size_t i = 0; i < f.n; i++) {
        bool on1 = strcmp(f.mappings[i].a->workers[0], "w1") == 0;
        f.mappings[i].rates[0] = on1 ? 1e6 : 1e4;
        f.mappings[i].measured = true;
    }
    fleet_plan(&f, false);
    assert_int_equal(f.last.changed, 0); /* not asked to balance */
    fleet_plan(&f, true);
    assert_true(f.last.moves >= 8 && f.last.moves <= 12);
    fleet_plan(&f, true);
    assert_int_equal(f.last.changed, 0); /* settled */
    for (size_t i = 0; i < f.n; i++)
        f.mappings[i].rates[0] *= 0.95 + rnd(10) / 100.0;
    fleet_plan(&f, true);
    assert_int_equal(f.last.changed, 0); /* noise */
    fleet_done(&f);
}

static void test_lost_and_new_worker(void **state)
{
    (void)state;
    struct fleet f;
    fleet_init(&f, 500, 4);
    for (size_t i = 0; i < f.n; i++)
        f.mappings[i].tasks = 4;
    for (int w = 0; w < 20; w++) {
        char id[16];
        snprintf(id, sizeof(id), "w%02d", w);
        fleet_worker(&f, id, 0);
    }
    fleet_plan(&f, true);
    for (size_t w = 0; w < 20; w++)
        assert_int_equal(tasks_of(&f, f.workers[w].id), 100);
    fleet_gone(&f, 7);
    fleet_plan(&f, false);
    assert_int_equal(f.last.moves, 100);
    assert_int_equal(tasks_of(&f, "w07"), 0);
    f.workers[7].eligible = f.workers[7].keeps = true;
    fleet_plan(&f, true);
    assert_true(f.last.moves <= 120 && f.last.moves >= 85);
    assert_true(tasks_of(&f, "w07") >= 85);
    fleet_done(&f);
}

/* A task of a file is where a folder is, or nowhere, and moves only when that worker is gone. */
static void test_files_stay_with_their_folder(void **state)
{
    (void)state;
    struct fleet f;
    fleet_init(&f, 30, 1);
    for (size_t i = 0; i < f.n; i++)
        f.mappings[i].files = i < 10;
    for (int w = 0; w < 3; w++) {
        char id[16];
        snprintf(id, sizeof(id), "w%d", w);
        fleet_worker(&f, id, 0);
    }
    fleet_plan(&f, false);
    assert_int_equal(f.last.homeless, 10);
    f.workers[1].files = true;
    fleet_plan(&f, true);
    for (size_t i = 0; i < 10; i++)
        assert_string_equal(f.mappings[i].a->workers[0], "w1");
    assert_int_equal(f.last.homeless, 0);
    f.workers[2].files = true;
    fleet_plan(&f, true); /* w1 has more than its share, and keeps the files */
    for (size_t i = 0; i < 10; i++)
        assert_string_equal(f.mappings[i].a->workers[0], "w1");
    f.mappings[20].files = true; /* a mapping that became one of a file */
    fleet_gone(&f, 1);
    fleet_plan(&f, false);
    for (size_t i = 0; i < 10; i++)
        assert_string_equal(f.mappings[i].a->workers[0], "w2");
    assert_string_equal(f.mappings[20].a->workers[0], "w2");
    fleet_done(&f);
}

/* ---- random life ----------------------------------------------------------------------------
 */

static void random_step(struct fleet *f, bool *balance)
{
    *balance = false;
    unsigned what = rnd(6);
    size_t w = f->m ? rnd((unsigned)f->m) : 0;
    struct mapping *m = &f->mappings[rnd((unsigned)f->n)];
    struct cz_plan_topic *t = &m->topics[rnd((unsigned)m->topics_len)];
    if (what == 0 && f->m < 12) {
        char id[16];
        snprintf(id, sizeof(id), "w%03u-%zu", rnd(1000), f->m);
        fleet_worker(f, id, 0);
        *balance = true;
    } else if (what == 1 && f->m) {
        fleet_gone(f, w);
    } else if (what == 2 && f->m) {
        f->workers[w].eligible = f->workers[w].keeps = *balance = true;
    } else if (what == 3) {
        t->partitions += (int)rnd(5);
    } else if (what == 4) {
        m->tasks = (int)rnd(6);
    } else {
        t->partitions = 0;
    }
}

static void check_fleet(const struct fleet *f)
{
    size_t live = 0;
    for (size_t w = 0; w < f->m; w++)
        live += f->workers[w].eligible;
    for (size_t i = 0; i < f->n; i++) {
        const struct mapping *m = &f->mappings[i];
        check_complete(m);
        for (int t = 0; t < m->a->tasks && live > 0; t++) {
            if (cz_assignment_task_empty(m->a, t))
                continue;
            assert_non_null(m->a->workers[t]);
            size_t w = 0;
            while (strcmp(f->workers[w].id, m->a->workers[t]) != 0)
                w++;
            assert_true(f->workers[w].eligible);
        }
    }
}

static void test_random(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b", "c", "d"};
    for (int run = 0; run < 20; run++) {
        struct fleet f;
        fleet_init(&f, 30, 0);
        for (size_t i = 0; i < f.n; i++) {
            f.mappings[i].topics_len = 1 + rnd(3);
            for (size_t t = 0; t < f.mappings[i].topics_len; t++)
                f.mappings[i].topics[t] = (struct cz_plan_topic){
                    .name = names[t], .id = "", .partitions = (int)rnd(9)};
        }
        for (int step = 0; step < 60; step++) {
            bool balance;
            random_step(&f, &balance);
            fleet_plan(&f, balance);
            check_fleet(&f);
            fleet_plan(&f, false); /* the same again: nothing to do */
            assert_int_equal(f.last.changed, 0);
        }
        fleet_done(&f);
    }
}

static void test_deterministic(void **state)
{
    (void)state;
    struct fleet f[2];
    for (int k = 0; k < 2; k++) {
        seed = 4711;
        fleet_init(&f[k], 200, 3);
        for (int w = 0; w < 7; w++) {
            char id[16];
            snprintf(id, sizeof(id), "w%d", w);
            fleet_worker(&f[k], id, 0);
        }
        fleet_plan(&f[k], true);
        for (int step = 0; step < 50; step++) {
            bool balance;
            random_step(&f[k], &balance);
            fleet_plan(&f[k], balance);
        }
    }
    for (size_t i = 0; i < f[0].n; i++)
        assert_true(cz_assignment_equal(f[0].mappings[i].a, f[1].mappings[i].a));
    fleet_done(&f[0]);
    fleet_done(&f[1]);
}

/* The bar: 100,000 partitions to 200 workers in 500 ms; losing one moves <= 1.2 x its share. */
static void big(size_t mappings, int partitions)
{
    struct fleet *f = cz_alloc(sizeof(*f));
    fleet_init(f, mappings, partitions);
    for (int w = 0; w < 200; w++) {
        char id[16];
        snprintf(id, sizeof(id), "w%03d", w);
        fleet_worker(f, id, 0);
    }
    cz_time t0 = cz_now();
    fleet_plan(f, true);
    cz_time t1 = cz_now();
    size_t share = tasks_of(f, "w100");
    fleet_gone(f, 100);
    cz_time t2 = cz_now();
    fleet_plan(f, false);
    cz_time t3 = cz_now();
    assert_true((double)f->last.moves <= 1.2 * (double)share);
    print_message(
        "%zu mappings x %d partitions: first %d ms, loss of one %d ms, %zu moves of %zu\n",
        mappings, partitions, (int)((t1 - t0) / CZ_MS), (int)((t3 - t2) / CZ_MS), f->last.moves,
        share);
    f->workers[100].eligible = f->workers[100].keeps = true;
    fleet_plan(f, true);
    assert_true((double)f->last.moves <= 1.2 * (double)share);
    fleet_done(f);
    cz_free(f);
}

static void test_big(void **state)
{
    (void)state;
    big(1000, 100);
    big(10000, 10);
    big(100000, 1);
}

static void test_bad_records(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{}",
        "[]",
        "{\"task_count\":1}",
        "{\"task_count\":-1,\"topics\":[],\"tasks\":[]}",
        "{\"task_count\":100000,\"topics\":[],\"tasks\":[]}",
        "{\"task_count\":1,\"topics\":[{}],\"tasks\":[]}",
        "{\"task_count\":1,\"topics\":[{\"topic\":\"a\",\"partitions\":5,\"seen\":2}],"
        "\"tasks\":[]}",
        "{\"task_count\":1,\"topics\":[{\"topic\":\"a\",\"partitions\":99999999,\"seen\":"
        "99999999}],\"tasks\":[]}",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        json_t *j = json_loads(bad[i], 0, NULL);
        assert_non_null(j);
        assert_null(cz_assignment_parse(j));
        json_decref(j);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_partition_mod_tasks),
        cmocka_unit_test(test_auto_tasks),
        cmocka_unit_test(test_new_partitions),
        cmocka_unit_test(test_missing_and_recreated),
        cmocka_unit_test(test_pattern),
        cmocka_unit_test(test_unknown_waits),
        cmocka_unit_test(test_pairs_are_spread),
        cmocka_unit_test(test_no_worker_and_capacity),
        cmocka_unit_test(test_suspect_keeps_but_gets_none),
        cmocka_unit_test(test_weights_balance),
        cmocka_unit_test(test_lost_and_new_worker),
        cmocka_unit_test(test_files_stay_with_their_folder),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_deterministic),
        cmocka_unit_test(test_big),
        cmocka_unit_test(test_bad_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
