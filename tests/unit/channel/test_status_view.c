/* SPDX-License-Identifier: Apache-2.0 */
/* The status view, fed by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/status_view.h"
#include "cz/thread.h"
#include "cz/time.h"

static struct cz_status_view *view(void)
{
    struct cz_status_view *v = NULL;
    assert_int_equal(cz_status_view_new(NULL, "g", &v, NULL), CZ_OK);
    assert_true(cz_status_view_ready(v));
    return v;
}

/* @text NULL: tombstone */
static void feed(struct cz_status_view *v, const char *key, const char *text)
{
    struct cz_channel_record r = {
        .key = CZ_UNCONST(key),
        .value = text ? json_loads(text, 0, NULL) : NULL,
        .timestamp_ms = cz_wall_ms(),
    };
    assert_true(!text || r.value);
    cz_status_view_feed(v, &r);
    json_decref(r.value);
}

static void nap(int ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000L};
    (void)nanosleep(&t, NULL);
}

static void test_workers(void **state)
{
    (void)state;
    struct cz_status_view *v = view();
    feed(v, "worker/w2",
         "{\"incarnation\":\"i2\",\"host\":\"h\",\"version\":\"1\",\"rest\":\"r\",\"lease_ms\":10000,"
         "\"applied\":\"7\",\"epoch\":\"2\",\"tasks\":3,\"capacity\":9,\"started_ms\":5,\"at_ms\":6}");
    feed(v, "worker/w1", "{\"incarnation\":\"i1\",\"lease_ms\":20}");
    struct cz_worker_infos w;
    nap(40);
    cz_status_workers(v, &w);
    assert_int_equal(w.len, 2);
    assert_string_equal(w.items[0].id, "w1");
    assert_false(w.items[0].alive); /* over its lease */
    assert_false(w.items[0].gone);  /* but not over the grace */
    assert_string_equal(w.items[1].id, "w2");
    assert_string_equal(w.items[1].incarnation, "i2");
    assert_true(w.items[1].alive);
    assert_int_equal(w.items[1].applied, 7);
    assert_int_equal(w.items[1].epoch, 2);
    assert_int_equal(w.items[1].tasks, 3);
    assert_int_equal(w.items[1].capacity, 9);
    cz_worker_infos_done(&w);
    feed(v, "worker/w2", NULL); /* left cleanly: gone at once */
    nap(2100);
    cz_status_workers(v, &w);
    assert_int_equal(w.len, 2);
    assert_true(w.items[0].gone);
    assert_true(w.items[1].gone);
    assert_false(w.items[1].alive);
    cz_worker_infos_done(&w);
    feed(v, "worker/w2", "{\"incarnation\":\"i3\",\"lease_ms\":10000}"); /* and comes back */
    cz_status_workers(v, &w);
    assert_true(w.items[1].alive);
    assert_false(w.items[1].gone);
    cz_worker_infos_done(&w);
    feed(v, "worker/never-seen", NULL);
    cz_status_view_free(v);
}

static enum cz_task_state state_of(struct cz_status_view *v, const char *uid, size_t i, size_t n)
{
    struct cz_task_infos t;
    cz_status_tasks(v, uid, &t);
    assert_int_equal(t.len, n);
    enum cz_task_state s = t.items[i].state;
    cz_task_infos_done(&t);
    return s;
}

static void test_tasks(void **state)
{
    (void)state;
    struct cz_status_view *v = view();
    feed(v, "worker/w1", "{\"incarnation\":\"i1\",\"lease_ms\":10000}");
    feed(v, "task/m/2", "{\"state\":\"RUNNING\",\"worker\":\"w1\",\"incarnation\":\"i1\",\"generation\":\"4\"}");
    feed(v, "task/m/0",
         "{\"state\":\"FAILED\",\"worker\":\"w1\",\"incarnation\":\"i1\",\"mapping_generation\":\"3\","
         "\"error\":{\"code\":\"decode\",\"text\":\"bad\"},\"since_ms\":8,\"at_ms\":9}");
    struct cz_task_infos t;
    cz_status_tasks(v, "m", &t);
    assert_int_equal(t.len, 2);
    assert_int_equal(t.items[0].task, 0);
    assert_int_equal(t.items[0].state, CZ_TASK_FAILED);
    assert_string_equal(t.items[0].error_code, "decode");
    assert_string_equal(t.items[0].error_text, "bad");
    assert_int_equal(t.items[0].mapping_generation, 3);
    assert_int_equal(t.items[1].task, 2);
    assert_int_equal(t.items[1].generation, 4);
    assert_null(t.items[1].error_code);
    cz_task_infos_done(&t);
    /* Nothing to say about unknown states, numbers, mappings. */
    feed(v, "task/m/0", "{\"state\":\"DANCING\",\"worker\":\"w1\"}");
    feed(v, "task/m/x", "{\"state\":\"RUNNING\"}");
    assert_int_equal(state_of(v, "m", 0, 2), CZ_TASK_FAILED);
    cz_status_tasks(v, "other", &t);
    assert_int_equal(t.len, 0);
    cz_task_infos_done(&t);
    /* An earlier life of the worker runs nothing any more, nor does an unknown or gone one. */
    feed(v, "worker/w1", "{\"incarnation\":\"i2\",\"lease_ms\":10000}");
    assert_int_equal(state_of(v, "m", 1, 2), CZ_TASK_UNASSIGNED);
    feed(v, "task/m/2", "{\"state\":\"RUNNING\",\"worker\":\"w1\",\"incarnation\":\"i2\"}");
    assert_int_equal(state_of(v, "m", 1, 2), CZ_TASK_RUNNING);
    feed(v, "worker/w1", NULL);
    assert_int_equal(state_of(v, "m", 1, 2), CZ_TASK_UNASSIGNED);
    feed(v, "task/m/2", "{\"state\":\"RUNNING\",\"worker\":\"w9\",\"incarnation\":\"i\"}");
    assert_int_equal(state_of(v, "m", 1, 2), CZ_TASK_UNASSIGNED);
    /* What is done stays done. */
    feed(v, "task/m/2", "{\"state\":\"FINISHED\",\"worker\":\"w9\",\"incarnation\":\"i\"}");
    assert_int_equal(state_of(v, "m", 1, 2), CZ_TASK_FINISHED);
    feed(v, "task/m/2", "{\"state\":\"RUNNING\",\"worker\":\"w9\",\"incarnation\":\"i\"}");
    feed(v, "task/m/0", NULL);
    assert_int_equal(state_of(v, "m", 0, 1), CZ_TASK_UNASSIGNED);
    feed(v, "task/m/2", NULL);
    feed(v, "task/m/2", NULL);
    cz_status_tasks(v, "m", &t);
    assert_int_equal(t.len, 0);
    cz_task_infos_done(&t);
    cz_status_view_free(v);
}

#define PART(t, p, in, out, pos, end, lag)                                                     \
    "{\"topic\":\"" t "\",\"partition\":" #p ",\"in\":" #in ",\"out\":\"" #out                 \
    "\",\"bytes_in\":100,\"bytes_out\":50,\"dropped\":{\"filter\":2,\"unheard\":1},"           \
    "\"position\":\"" #pos "\",\"end\":\"" #end "\",\"lag\":" #lag "}"
#define DELAY "\"delay\":{\"counts\":[1,0,2],\"sum_ms\":9,\"total\":3}"

static void test_stats_of_a_partition_that_moves(void **state)
{
    (void)state;
    struct cz_status_view *v = view();
    struct cz_mapping_stats s;
    assert_false(cz_status_stats(v, "m", &s));
    feed(v, "stats/A/m",
         "{\"at_ms\":1000,\"partitions\":[" PART("t", 1, 10, 8, 110, 120, 10) "," PART(
             "t", 0, 5, 5, 50, 50, 0) "]," DELAY "}");
    feed(v, "stats/B/m", "{\"at_ms\":2000,\"partitions\":[" PART("t", 1, 7, 6, 117, 120, 3) "]," DELAY "}");
    /* A reports once more, of partition 0 only something new: 1 belongs to B still. */
    feed(v, "stats/A/m",
         "{\"at_ms\":3000,\"partitions\":[" PART("t", 0, 6, 6, 51, 51, 0) "," PART(
             "t", 1, 10, 8, 110, 120, 10) "]," DELAY "}");
    assert_true(cz_status_stats(v, "m", &s));
    assert_int_equal(s.len, 2);
    assert_int_equal(s.partitions[0].partition, 0);
    assert_int_equal(s.partitions[0].in, 6);
    assert_string_equal(s.partitions[0].worker, "A");
    assert_int_equal(s.partitions[1].partition, 1);
    assert_int_equal(s.partitions[1].in, 17);
    assert_int_equal(s.partitions[1].out, 14);
    assert_string_equal(s.partitions[1].worker, "B");
    assert_int_equal(s.partitions[1].position, 117);
    assert_int_equal(s.partitions[1].lag, 3);
    assert_int_equal(s.partitions[1].dropped[CZ_DROP_FILTER], 4);
    assert_int_equal(s.in, 23);
    assert_int_equal(s.out, 20);
    assert_int_equal(s.bytes_in, 300);
    assert_int_equal(s.dropped[CZ_DROP_FILTER], 6);
    assert_int_equal(s.lag, 3);
    assert_int_equal(s.at_ms, 3000);
    assert_int_equal(s.delay.total, 6);
    assert_int_equal(s.delay.count[2], 4);
    cz_mapping_stats_done(&s);
    feed(v, "stats/A/m", NULL);
    assert_true(cz_status_stats(v, "m", &s));
    assert_int_equal(s.in, 7);
    cz_mapping_stats_done(&s);
    feed(v, "stats/B/m", NULL);
    assert_false(cz_status_stats(v, "m", &s)); /* nothing is kept of it */
    cz_status_view_free(v);
}

static void test_gaps(void **state)
{
    (void)state;
    struct cz_status_view *v = view();
    struct cz_gap_infos g;
    feed(v, "gap/u/b/1", "{\"uid\":\"u\",\"topic\":\"b\",\"partition\":1,\"kind\":\"truncated\","
                         "\"action\":\"stop\",\"from\":\"3\",\"to\":\"9\",\"missing\":\"6\",\"at_ms\":5}");
    feed(v, "gap/u/a/0", "{\"uid\":\"u\",\"topic\":\"a\",\"partition\":0,\"at_ms\":6}");
    feed(v, "gap/u/b/1", "{\"uid\":\"u\",\"topic\":\"b\",\"partition\":1,\"action\":\"skip\",\"at_ms\":7}");
    cz_status_gaps(v, "u", &g);
    assert_int_equal(g.len, 2);
    assert_string_equal(g.items[0].topic, "a");
    assert_string_equal(g.items[1].action, "skip");
    cz_gap_infos_done(&g);
    cz_status_gaps(v, "other", &g);
    assert_int_equal(g.len, 0);
    cz_gap_infos_done(&g);
    cz_status_new_gaps(v, 0, &g);
    assert_int_equal(g.len, 3);
    assert_string_equal(g.items[0].action, "stop");
    assert_int_equal(g.items[0].from, 3);
    assert_int_equal(g.items[0].to, 9);
    assert_int_equal(g.items[0].missing, 6);
    uint64_t seen = g.items[1].seen;
    cz_gap_infos_done(&g);
    cz_status_new_gaps(v, seen, &g);
    assert_int_equal(g.len, 1);
    cz_gap_infos_done(&g);
    for (int i = 0; i < 1200; i++)
        feed(v, "gap/u/a/0", "{\"uid\":\"u\",\"topic\":\"a\",\"partition\":0,\"at_ms\":8}");
    feed(v, "gap/u/b/1", NULL);
    cz_status_new_gaps(v, 0, &g);
    assert_int_equal(g.len, 1000);
    assert_int_equal(g.items[999].seen, 1203);
    cz_gap_infos_done(&g);
    cz_status_gaps(v, "u", &g);
    assert_int_equal(g.len, 1);
    cz_gap_infos_done(&g);
    cz_status_view_free(v);
}

/* The age counts of partitions that have a lag, and of these the oldest. */
static void test_lag_in_time(void **state)
{
    (void)state;
    static const char *const FORM = "{\"partitions\":["
                                    "{\"topic\":\"t\",\"partition\":0,\"lag\":0,\"newest_ms\":1},"
                                    "{\"topic\":\"t\",\"partition\":1,\"lag\":%d,\"newest_ms\":\"%lld\"},"
                                    "{\"topic\":\"t\",\"partition\":2,\"lag\":%d}]}";
    struct cz_status_view *v = view();
    struct cz_mapping_stats s;
    char text[400];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)snprintf(text, sizeof(text), FORM, 5, (long long)(cz_wall_ms() - 7000), 1);
    feed(v, "stats/A/m", text);
    assert_true(cz_status_stats(v, "m", &s));
    assert_in_range(s.lag_ms, 7000, 20000);
    cz_mapping_stats_done(&s);
    (void)snprintf(text, sizeof(text), FORM, 0, 1LL, 0);
    feed(v, "stats/A/m", text);
    assert_true(cz_status_stats(v, "m", &s));
    assert_int_equal(s.lag_ms, 0);
    cz_mapping_stats_done(&s);
#pragma GCC diagnostic pop
    feed(v, "stats/A/m", "{\"partitions\":[{\"topic\":\"t\",\"partition\":2,\"lag\":4}]}");
    assert_true(cz_status_stats(v, "m", &s));
    assert_int_equal(s.lag_ms, -1);
    cz_mapping_stats_done(&s);
    cz_status_view_free(v);
}

static void test_unknown_lag(void **state)
{
    (void)state;
    struct cz_status_view *v = view();
    struct cz_mapping_stats s;
    feed(v, "stats/A/m", "{\"partitions\":[{\"topic\":\"t\",\"partition\":0,\"in\":-5}]}");
    assert_true(cz_status_stats(v, "m", &s));
    assert_int_equal(s.lag, -1);
    assert_int_equal(s.in, 0); /* negative counters are no counters */
    assert_int_equal(s.partitions[0].position, -1);
    cz_mapping_stats_done(&s);
    feed(v, "stats/A/m", "{\"partitions\":\"what\",\"delay\":[],\"rate\":1}");
    assert_true(cz_status_stats(v, "m", &s));
    assert_int_equal(s.len, 0);
    cz_mapping_stats_done(&s);
    cz_status_view_free(v);
}

static void test_rates(void **state)
{
    (void)state;
    struct cz_status_view *v = view();
    struct cz_mapping_stats s;
    char text[200];
    /* 100 records every 300 ms */
    for (int i = 0; i <= 4; i++) {
        snprintf(text, sizeof(text),
                 "{\"partitions\":[{\"topic\":\"t\",\"partition\":0,\"in\":%d,\"out\":%d,\"bytes_in\":%d}]}",
                 i * 100, i * 50, i * 1000);
        feed(v, "stats/A/m", text);
        if (i < 4)
            nap(300);
    }
    assert_true(cz_status_stats(v, "m", &s));
    assert_in_range((int)s.in_per_second, 150, 340);
    assert_in_range((int)s.out_per_second, 75, 170);
    assert_in_range((int)s.bytes_per_second, 1500, 3400);
    cz_mapping_stats_done(&s);
    cz_status_view_free(v);
}

static void test_wait_applied(void **state)
{
    (void)state;
    struct cz_status_view *v = view();
    assert_false(cz_status_wait_applied(v, 1, cz_deadline_ms(10))); /* nobody there */
    feed(v, "worker/w1", "{\"lease_ms\":10000,\"applied\":\"7\"}");
    feed(v, "worker/w2", "{\"lease_ms\":10000,\"applied\":6}");
    assert_true(cz_status_wait_applied(v, 6, cz_deadline_ms(10)));
    assert_false(cz_status_wait_applied(v, 7, cz_deadline_ms(10)));
    feed(v, "worker/w2", "{\"lease_ms\":1,\"applied\":6}"); /* who is silent is not waited for */
    assert_true(cz_status_wait_applied(v, 7, cz_deadline_ms(2000)));
    cz_status_view_free(v);
}

static void test_wait_change(void **state)
{
    (void)state;
    struct cz_status_view *v = view();
    uint64_t version = 0;
    assert_false(cz_status_wait_change(v, &version, cz_deadline_ms(5)));
    feed(v, "worker/w1", "{\"lease_ms\":10000,\"applied\":\"7\",\"at_ms\":1}");
    assert_true(cz_status_wait_change(v, &version, cz_deadline_ms(5)));
    /* A heartbeat that says nothing new wakes nobody. */
    feed(v, "worker/w1", "{\"lease_ms\":10000,\"applied\":\"7\",\"at_ms\":2}");
    assert_false(cz_status_wait_change(v, &version, cz_deadline_ms(5)));
    feed(v, "worker/w1", "{\"lease_ms\":10000,\"applied\":\"8\",\"at_ms\":3}");
    assert_true(cz_status_wait_change(v, &version, cz_deadline_ms(5)));
    feed(v, "stats/w1/m", "{\"partitions\":[]}");
    feed(v, "later/x", "{}");
    assert_false(cz_status_wait_change(v, &version, cz_deadline_ms(5)));
    feed(v, "task/m/0", "{\"state\":\"RUNNING\"}");
    assert_true(cz_status_wait_change(v, &version, cz_deadline_ms(5)));
    cz_status_view_free(v);
}

int main(void)
{
    cz_json_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_workers),
        cmocka_unit_test(test_tasks),
        cmocka_unit_test(test_stats_of_a_partition_that_moves),
        cmocka_unit_test(test_gaps),
        cmocka_unit_test(test_lag_in_time),
        cmocka_unit_test(test_unknown_lag),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_wait_applied),
        cmocka_unit_test(test_wait_change),
    };
    return cmocka_run_group_tests_name("status view", tests, NULL, NULL);
}
