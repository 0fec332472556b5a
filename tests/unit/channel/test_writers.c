/* SPDX-License-Identifier: Apache-2.0 */
/* The config and status writers against librdkafka's mock cluster: what goes wrong, and what the
 * writer says about it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "cz/channel.h"
#include "cz/json.h"
#include "cz/log.h"
#include "mock.h"

static struct mock mock;

static int setup(void **state)
{
    (void)state;
    mock_init(&mock, 1);
    mock_topic(&mock, "g.config");
    mock_topic(&mock, "g.status");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mock_done(&mock);
    return 0;
}

static struct cz_config_writer *writer(void)
{
    struct cz_config_writer *w = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    enum cz_err code = cz_config_writer_new(mock.cluster, "g", cz_deadline_ms(10000), &w, &err);
    if (code)
        fail_msg("%s", err.text);
    return w;
}

static enum cz_err publish(struct cz_config_writer *w, int ms, struct cz_error *err)
{
    json_t *value = json_pack("{s:s}", "state", "RUNNING");
    const struct cz_channel_write records[] = {
        {.key = "mapping/a", .value = value, .revision = 1, .trace_id = "00-11-22-01"},
        {.key = "mapping/b", .value = NULL, .revision = 2},
    };
    *err = (struct cz_error)CZ_ERROR_INIT;
    enum cz_err code = cz_config_writer_publish(w, records, 2, 1, cz_deadline_ms(ms), err);
    json_decref(value);
    assert_int_equal(code, err->code);
    return code;
}

static void test_publish(void **state)
{
    (void)state;
    struct cz_config_writer *w = writer();
    struct cz_error err = CZ_ERROR_INIT;
    assert_int_equal(publish(w, 5000, &err), CZ_OK);
    assert_int_equal(publish(w, 5000, &err), CZ_OK);
    assert_int_equal(cz_config_writer_publish(w, NULL, 0, 1, cz_deadline_ms(10), &err), CZ_OK);
    const struct cz_channel_write bad = {.key = "mapping/a", .value = json_array(), .revision = 1};
    assert_int_equal(cz_config_writer_publish(w, &bad, 1, 1, cz_deadline_ms(5000), &err), CZ_E_INVALID);
    assert_int_equal(err.flags, 0);
    json_decref((json_t *)(uintptr_t)bad.value);
    assert_int_equal(publish(w, 5000, &err), CZ_OK);
    cz_config_writer_free(w);
}

static void test_fenced(void **state)
{
    (void)state;
    static const rd_kafka_resp_err_t codes[] = {RD_KAFKA_RESP_ERR_PRODUCER_FENCED,
                                                RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH};
    static const int apis[] = {API_ADD_PARTITIONS, API_END_TXN};
    for (size_t i = 0; i < 4; i++) {
        struct cz_config_writer *w = writer();
        struct cz_error err;
        assert_int_equal(publish(w, 5000, &err), CZ_OK);
        mock_answer(&mock, apis[i % 2], 1, codes[i / 2], 0);
        assert_int_equal(publish(w, 5000, &err), CZ_E_FENCED);
        assert_true(err.flags & CZ_ERR_FATAL);
        /* Dead is dead, and says why. */
        assert_int_equal(publish(w, 5000, &err), CZ_E_FENCED);
        assert_true(err.flags & CZ_ERR_FATAL);
        cz_config_writer_free(w);
    }
}

static void test_retriable_commit(void **state)
{
    (void)state;
    struct cz_config_writer *w = writer();
    struct cz_error err;
    mock_answer(&mock, API_END_TXN, 2, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, 0);
    assert_int_equal(publish(w, 5000, &err), CZ_OK);
    cz_config_writer_free(w);
}

/* A record that the broker refuses: the transaction is given up, the writer lives on. */
static void test_refused_record(void **state)
{
    (void)state;
    struct cz_config_writer *w = writer();
    struct cz_error err;
    mock_answer(&mock, API_PRODUCE, 1, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, 0);
    assert_int_equal(publish(w, 5000, &err), CZ_E_TOO_LARGE);
    assert_int_equal(err.flags, CZ_ERR_RETRIABLE);
    /* librdkafka leaves a hole in the sequence numbers, which costs one more try. */
    if (publish(w, 5000, &err))
        assert_int_equal(err.flags, CZ_ERR_RETRIABLE);
    assert_int_equal(publish(w, 5000, &err), CZ_OK);
    cz_config_writer_free(w);
}

/* The commit is not answered in time: nobody knows, so the writer must be dead. */
static void test_indefinite_commit(void **state)
{
    (void)state;
    struct cz_config_writer *w = writer();
    struct cz_error err;
    assert_int_equal(publish(w, 5000, &err), CZ_OK);
    mock_answer(&mock, API_END_TXN, 1, RD_KAFKA_RESP_ERR_NO_ERROR, 4000);
    cz_time t = cz_now();
    assert_int_equal(publish(w, 700, &err), CZ_E_TIMEOUT);
    assert_true(err.flags & CZ_ERR_FATAL);
    assert_true(cz_now() - t < 3 * CZ_SEC);
    assert_int_equal(publish(w, 5000, &err), CZ_E_TIMEOUT);
    assert_true(err.flags & CZ_ERR_FATAL);
    cz_config_writer_free(w);
}

static void test_broker_away(void **state)
{
    (void)state;
    struct cz_config_writer *w = writer(), *none = NULL;
    struct cz_error err;
    rd_kafka_mock_broker_set_down(mock.m, 1);
    cz_time t = cz_now();
    enum cz_err code = publish(w, 1000, &err);
    assert_int_equal(code, CZ_E_UNAVAILABLE);
    assert_int_equal(err.flags & CZ_ERR_FATAL, 0);
    assert_true(cz_now() - t < 3 * CZ_SEC);
    err = (struct cz_error)CZ_ERROR_INIT;
    code = cz_config_writer_new(mock.cluster, "g", cz_deadline_ms(700), &none, &err);
    assert_int_equal(code, CZ_E_UNAVAILABLE);
    assert_int_equal(err.flags, CZ_ERR_RETRIABLE);
    assert_null(none);
    rd_kafka_mock_broker_set_up(mock.m, 1);
    for (int i = 0; i < 20 && publish(w, 2000, &err); i++)
        ;
    assert_int_equal(err.code, CZ_OK);
    cz_config_writer_free(w);
}

static void test_missing_topic(void **state)
{
    (void)state;
    struct cz_config_writer *w = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    assert_int_equal(cz_config_writer_new(mock.cluster, "other", cz_deadline_ms(5000), &w, &err), CZ_OK);
    cz_time t = cz_now();
    assert_int_equal(publish(w, 5000, &err), CZ_E_NOT_FOUND);
    assert_int_equal(err.flags, CZ_ERR_RETRIABLE);
    assert_true(cz_now() - t < 2 * CZ_SEC);
    mock_topic(&mock, "other.config");
    assert_int_equal(publish(w, 5000, &err), CZ_OK);
    cz_config_writer_free(w);
}

/* ---- status ---------------------------------------------------------------------------------------- */

struct acks {
    _Atomic int ok, overtaken, failed;
};

static void on_acked(void *arg, enum cz_err code)
{
    struct acks *a = arg;
    atomic_fetch_add(code == CZ_OK ? &a->ok : code == CZ_E_LIMIT ? &a->overtaken : &a->failed, 1);
}

static void send_beat(struct cz_status_writer *w, struct acks *a, int n)
{
    json_t *value = json_pack("{s:i}", "at_ms", n);
    assert_int_equal(cz_status_writer_send(w, "worker/w1", value, on_acked, a, NULL), CZ_OK);
    json_decref(value);
}

static void wait_for(_Atomic int *counter, int want, int ms)
{
    cz_time until = cz_deadline_ms(ms);
    struct timespec t = {.tv_nsec = 1000000};
    while (atomic_load(counter) < want && cz_remaining_ms(until) > 0)
        (void)nanosleep(&t, NULL);
    assert_int_equal(atomic_load(counter), want);
}

static void test_status(void **state)
{
    (void)state;
    struct cz_status_writer *w = NULL;
    struct acks a = {0};
    assert_int_equal(cz_status_writer_new(mock.cluster, "g", &w, NULL), CZ_OK);
    send_beat(w, &a, 1);
    wait_for(&a.ok, 1, 10000);
    /* While one is on its way, only the newest waits behind it. */
    mock_answer(&mock, API_PRODUCE, 1, RD_KAFKA_RESP_ERR_NO_ERROR, 300);
    for (int i = 0; i < 10; i++)
        send_beat(w, &a, i);
    wait_for(&a.ok, 3, 10000);
    wait_for(&a.overtaken, 8, 1000);
    /* A tombstone, and the end of everything that waits. */
    assert_int_equal(cz_status_writer_send(w, "worker/w1", NULL, NULL, NULL, NULL), CZ_OK);
    cz_status_writer_flush(w, cz_deadline_ms(5000));
    assert_int_equal(a.failed, 0);
    cz_status_writer_free(w);
}

static void test_status_without_a_broker(void **state)
{
    (void)state;
    struct cz_status_writer *w = NULL;
    struct acks a = {0};
    json_t *value = json_pack("{s:s}", "state", "FAILED");
    assert_int_equal(cz_status_writer_new(mock.cluster, "g", &w, NULL), CZ_OK);
    rd_kafka_mock_broker_set_down(mock.m, 1);
    /* However much is said, one record per key waits. */
    for (int i = 0; i < 100000; i++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "task/m/%d", i % 100);
        assert_int_equal(cz_status_writer_send(w, key, value, NULL, NULL, NULL), CZ_OK);
    }
    cz_time t = cz_now();
    cz_status_writer_flush(w, cz_deadline_ms(200));
    assert_true(cz_now() - t < CZ_SEC);
    rd_kafka_mock_broker_set_up(mock.m, 1);
    cz_status_writer_flush(w, cz_deadline_ms(20000));
    send_beat(w, &a, 1);
    wait_for(&a.ok, 1, 10000);
    /* What waits when the writer is freed gets its answer. */
    rd_kafka_mock_broker_set_down(mock.m, 1);
    for (int i = 0; i < 5; i++)
        send_beat(w, &a, i);
    cz_status_writer_free(w);
    assert_int_equal(a.ok + a.overtaken + a.failed, 6);
    json_decref(value);
}

/* A state that the broker refused for a while is sent again; a heartbeat is not. */
static void test_status_errors(void **state)
{
    (void)state;
    struct cz_status_writer *w = NULL;
    struct acks a = {0};
    json_t *value = json_pack("{s:s}", "state", "FAILED");
    assert_int_equal(cz_status_writer_new(mock.cluster, "g", &w, NULL), CZ_OK);
    send_beat(w, &a, 0);
    wait_for(&a.ok, 1, 10000);
    mock_answer(&mock, API_PRODUCE, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, 0);
    assert_int_equal(cz_status_writer_send(w, "task/m/0", value, NULL, NULL, NULL), CZ_OK);
    cz_time t = cz_now();
    cz_status_writer_flush(w, cz_deadline_ms(10000));
    assert_true(cz_now() - t > 300 * CZ_MS && cz_now() - t < 9 * CZ_SEC);
    mock_answer(&mock, API_PRODUCE, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, 0);
    send_beat(w, &a, 1);
    wait_for(&a.failed, 1, 10000);
    send_beat(w, &a, 2);
    wait_for(&a.ok, 2, 10000);
    json_decref(value);
    cz_status_writer_free(w);
}

/* ---- the admin client and coordinators --------------------------------------------------------------- */

static void test_group_offsets_errors(void **state)
{
    (void)state;
    static const rd_kafka_resp_err_t codes[] = {RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
                                                RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
                                                RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE};
    struct cz_admin *a = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    assert_int_equal(cz_admin_new(mock.cluster, "t", &a, NULL), CZ_OK);
    struct cz_tp_list l = {0};
    cz_tp_list_add(&l, "g.config", 0, 0);
    for (size_t i = 0; i < 3; i++) {
        mock_answer(&mock, API_OFFSET_FETCH, 2, codes[i], 0);
        l.items[0].offset = 7;
        assert_int_equal(cz_admin_group_offsets(a, "grp", &l, cz_deadline_ms(5000), &err), CZ_OK);
        assert_int_equal(l.items[0].offset, -1);
        mock_answer(&mock, API_OFFSET_COMMIT, 1, codes[i], 0);
        enum cz_err code = cz_admin_commit(a, "grp", &l, cz_deadline_ms(5000), NULL);
        assert_true(code == CZ_E_UNAVAILABLE || code == CZ_E_INVALID);
    }
    /* An answer that is not one must not look like "never committed". */
    mock_answer(&mock, API_OFFSET_FETCH, 1, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, 0);
    l.items[0].offset = 7;
    assert_int_equal(cz_admin_group_offsets(a, "grp", &l, cz_deadline_ms(5000), &err), CZ_E_FORBIDDEN);
    assert_int_equal(l.items[0].offset, 7);
    cz_tp_list_done(&l);
    cz_admin_free(a);
}

static void on_commit(void *arg, const struct cz_error *err)
{
    struct acks *a = arg;
    atomic_fetch_add(err->code ? &a->failed : &a->ok, 1);
}

/* What a commit says about itself comes back with the offset, from either kind of commit: a start
 * knows by it whether a change was answered already. */
static void test_commit_metadata(void **state)
{
    (void)state;
    struct cz_admin *a = NULL;
    struct acks acks = {0};
    struct cz_tp_list l = {0}, read = {0};
    assert_int_equal(cz_admin_new(mock.cluster, "t", &a, NULL), CZ_OK);
    cz_tp_list_add(&l, "g.config", 0, 5)->metadata = cz_strdup("g7");
    cz_tp_list_add(&read, "g.config", 0, -1);
    assert_int_equal(cz_admin_commit(a, "grp", &l, cz_deadline_ms(5000), NULL), CZ_OK);
    assert_int_equal(cz_admin_group_offsets(a, "grp", &read, cz_deadline_ms(5000), NULL), CZ_OK);
    assert_string_equal(read.items[0].metadata, "g7");
    cz_free(CZ_UNCONST(l.items[0].metadata));
    l.items[0].metadata = cz_strdup("g8");
    cz_admin_commit_async(a, "grp", &l, 5000, on_commit, &acks);
    wait_for(&acks.ok, 1, 10000);
    assert_int_equal(cz_admin_group_offsets(a, "grp", &read, cz_deadline_ms(5000), NULL), CZ_OK);
    assert_string_equal(read.items[0].metadata, "g8");
    cz_tp_list_done(&l);
    cz_tp_list_done(&read);
    cz_admin_free(a);
}

/* librdkafka aborts the process here when it is let to time such a request out by itself. */
static void test_outage_with_coordinator_requests(void **state)
{
    (void)state;
    struct cz_admin *a = NULL;
    struct acks acks = {0};
    struct cz_tp_list l = {0};
    cz_tp_list_add(&l, "g.config", 0, 5);
    assert_int_equal(cz_admin_new(mock.cluster, "t", &a, NULL), CZ_OK);
    cz_admin_commit_async(a, "grp", &l, 10000, on_commit, &acks);
    wait_for(&acks.ok, 1, 10000);
    for (int round = 0; round < 2; round++) {
        rd_kafka_mock_broker_set_down(mock.m, 1);
        for (int i = 0; i < 3; i++)
            cz_admin_commit_async(a, "grp", &l, 200, on_commit, &acks);
        enum cz_err code = cz_admin_group_offsets(a, "grp", &l, cz_deadline_ms(300), NULL);
        assert_int_equal(code, CZ_E_UNAVAILABLE);
        wait_for(&acks.failed, 3 * (round + 1), 5000);
        rd_kafka_mock_broker_set_up(mock.m, 1);
        l.items[0].offset = 6;
        code = CZ_E_UNAVAILABLE;
        for (int i = 0; i < 10 && code == CZ_E_UNAVAILABLE; i++)
            code = cz_admin_commit(a, "grp", &l, cz_deadline_ms(2000), NULL);
        assert_int_equal(code, CZ_OK);
        l.items[0].offset = 0;
        assert_int_equal(cz_admin_group_offsets(a, "grp", &l, cz_deadline_ms(5000), NULL), CZ_OK);
        assert_int_equal(l.items[0].offset, 6);
    }
    /* Freed with commits on their way: each gets its one answer. */
    rd_kafka_mock_broker_set_down(mock.m, 1);
    for (int i = 0; i < 3; i++)
        cz_admin_commit_async(a, "grp", &l, 60000, on_commit, &acks);
    cz_time t = cz_now();
    cz_admin_free(a);
    assert_true(cz_now() - t < 5 * CZ_SEC);
    assert_int_equal(acks.failed, 9);
    cz_tp_list_done(&l);
}

int main(void)
{
    cz_json_init();
    cz_log_init(CZ_LOG_ERROR, false);
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_publish),
        TEST(test_fenced),
        TEST(test_retriable_commit),
        TEST(test_refused_record),
        TEST(test_indefinite_commit),
        TEST(test_broker_away),
        TEST(test_missing_topic),
        TEST(test_status),
        TEST(test_status_without_a_broker),
        TEST(test_status_errors),
        TEST(test_group_offsets_errors),
        TEST(test_commit_metadata),
        TEST(test_outage_with_coordinator_requests),
    };
    return cmocka_run_group_tests_name("channel writers", tests, NULL, NULL);
}
