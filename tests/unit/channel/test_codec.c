/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and values of channel records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "cz/channel.h"
#include "cz/json.h"
#include "cz/limits.h"

static void test_keys(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        enum cz_channel_kind kind;
        const char *a, *b;
    } table[] = {
        {"settings", CZ_CH_SETTINGS, NULL, NULL},
        {"cluster/default/source", CZ_CH_CLUSTER, "default", "source"},
        {"cluster/team ü/a b", CZ_CH_CLUSTER, "team ü", "a b"},
        {"mapping/abc", CZ_CH_MAPPING, "abc", NULL},
        {"assignment/abc", CZ_CH_ASSIGNMENT, "abc", NULL},
        {"worker/w1", CZ_CH_WORKER, "w1", NULL},
        {"worker/host/w1", CZ_CH_WORKER, "host/w1", NULL},
        {"task/abc/12", CZ_CH_TASK, "abc", "12"},
        {"stats/w1/abc", CZ_CH_STATS, "w1", "abc"},
        {"gap/abc/orders/12", CZ_CH_GAP, "abc", "orders/12"},
        {"stats/host/w1/abc", CZ_CH_STATS, "host/w1", "abc"},
        {"", CZ_CH_UNKNOWN, NULL, NULL},
        {"setting", CZ_CH_UNKNOWN, NULL, NULL},
        {"settings/x", CZ_CH_UNKNOWN, NULL, NULL},
        {"mapping/", CZ_CH_UNKNOWN, NULL, NULL},
        {"mapping", CZ_CH_UNKNOWN, NULL, NULL},
        {"cluster/a", CZ_CH_UNKNOWN, NULL, NULL},
        {"cluster/a/", CZ_CH_UNKNOWN, NULL, NULL},
        {"cluster//a", CZ_CH_UNKNOWN, NULL, NULL},
        {"task/abc", CZ_CH_UNKNOWN, NULL, NULL},
        {"later/abc", CZ_CH_UNKNOWN, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        char *copy;
        const char *a, *b;
        assert_int_equal(cz_channel_key(table[i].key, &copy, &a, &b), table[i].kind);
        if (table[i].a)
            assert_string_equal(a, table[i].a);
        else
            assert_null(a);
        if (table[i].b)
            assert_string_equal(b, table[i].b);
        else
            assert_null(b);
        if (table[i].kind != CZ_CH_UNKNOWN) {
            char *made = cz_channel_make_key(table[i].kind, a, b);
            assert_string_equal(made, table[i].key);
            cz_free(made);
        }
        cz_free(copy);
    }
}

static enum cz_err decode(const char *value, struct cz_channel_record *r)
{
    return cz_channel_decode("mapping/a", 9, value, strlen(value), r, NULL);
}

static void test_decode_table(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        enum cz_err want;
        int64_t revision, epoch;
    } table[] = {
        {"{\"v\":1}", CZ_OK, 0, 0},
        {"{\"v\":1,\"revision\":\"9007199254740993\",\"epoch\":\"3\"}", CZ_OK, 9007199254740993, 3},
        {"{\"v\":1,\"revision\":12,\"epoch\":3,\"new\":{\"a\":[1]}}", CZ_OK, 12, 3},
        {"{\"v\":2}", CZ_E_INVALID, 0, 0},
        {"{\"v\":\"2\"}", CZ_E_INVALID, 0, 0},
        {"{\"v\":0}", CZ_E_PARSE, 0, 0},
        {"{}", CZ_E_PARSE, 0, 0},
        {"[]", CZ_E_PARSE, 0, 0},
        {"1", CZ_E_PARSE, 0, 0},
        {"", CZ_E_PARSE, 0, 0},
        {"{\"v\":1", CZ_E_PARSE, 0, 0},
        {"{\"v\":1} x", CZ_E_PARSE, 0, 0},
        {"{\"v\":1,\"v\":1}", CZ_E_PARSE, 0, 0},
        {"{\"v\":1,\"a\":\"\xff\"}", CZ_E_PARSE, 0, 0},
        {"{\"v\":1,\"revision\":-1}", CZ_E_PARSE, 0, 0},
        {"{\"v\":1,\"revision\":\"x\"}", CZ_E_PARSE, 0, 0},
        {"{\"v\":1,\"epoch\":[]}", CZ_E_PARSE, 0, 0},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        struct cz_channel_record r = {.key = CZ_UNCONST("untouched")};
        assert_int_equal(decode(table[i].value, &r), table[i].want);
        if (table[i].want) {
            assert_string_equal(r.key, "untouched");
            continue;
        }
        assert_string_equal(r.key, "mapping/a");
        assert_int_equal(r.revision, table[i].revision);
        assert_int_equal(r.epoch, table[i].epoch);
        cz_channel_record_done(&r);
    }
}

static void test_bad_keys(void **state)
{
    (void)state;
    struct cz_channel_record r;
    char big[4096];
    memset(big, 'a', sizeof(big));
    static const char value[] = "{\"v\":1}";
    assert_int_equal(cz_channel_decode(NULL, 0, value, 7, &r, NULL), CZ_E_PARSE);
    assert_int_equal(cz_channel_decode("", 0, value, 7, &r, NULL), CZ_E_PARSE);
    assert_int_equal(cz_channel_decode("a\0b", 3, value, 7, &r, NULL), CZ_E_PARSE);
    assert_int_equal(cz_channel_decode("\xff", 1, value, 7, &r, NULL), CZ_E_PARSE);
    assert_int_equal(cz_channel_decode(big, sizeof(big), value, 7, &r, NULL), CZ_E_PARSE);
    /* A key that we do not know is a record all the same: its reader decides. */
    assert_int_equal(cz_channel_decode("later/x", 7, value, 7, &r, NULL), CZ_OK);
    cz_channel_record_done(&r);
}

static void test_tombstone(void **state)
{
    (void)state;
    struct cz_channel_record r;
    assert_int_equal(cz_channel_decode("mapping/a", 9, NULL, 0, &r, NULL), CZ_OK);
    assert_null(r.value);
    assert_int_equal(r.revision, 0);
    cz_channel_record_done(&r);
    cz_channel_record_done(&r); /* twice is harmless */
}

static void test_round_trip_keeps_unknown_fields(void **state)
{
    (void)state;
    struct cz_error err = CZ_ERROR_INIT;
    json_t *value = json_pack("{s:i,s:s,s:s,s:{s:[i,n,b]},s:s}", "v", 99, "revision", "1", "epoch", "1",
                              "of a later version", "deep", 1, 1, "ключ", "значение");
    char *bytes;
    size_t len;
    assert_int_equal(cz_channel_encode(value, 77, 5, &bytes, &len, &err), CZ_OK);
    struct cz_channel_record r;
    assert_int_equal(cz_channel_decode("mapping/a", 9, bytes, len, &r, &err), CZ_OK);
    assert_int_equal(r.revision, 77);
    assert_int_equal(r.epoch, 5);
    assert_int_equal(cz_json_int(r.value, "v", 0), 1);
    assert_true(json_equal(json_object_get(r.value, "of a later version"),
                           json_object_get(value, "of a later version")));
    assert_string_equal(cz_json_str(r.value, "ключ", ""), "значение");
    cz_free(bytes);
    cz_channel_record_done(&r);
    json_decref(value);
}

static void test_status_keeps_its_own_epoch(void **state)
{
    (void)state;
    /* A heartbeat tells in `epoch` what the worker has applied; no stamp may take it away. */
    json_t *value = json_pack("{s:s,s:s}", "applied", "7", "epoch", "4");
    char *bytes;
    size_t len;
    assert_int_equal(cz_channel_encode(value, 0, 0, &bytes, &len, NULL), CZ_OK);
    assert_string_equal(bytes, "{\"v\":1,\"applied\":\"7\",\"epoch\":\"4\"}");
    assert_int_equal(len, strlen(bytes));
    cz_free(bytes);
    json_decref(value);
}

static void test_encode_refuses(void **state)
{
    (void)state;
    char *bytes = NULL;
    size_t len;
    json_t *array = json_array();
    assert_int_equal(cz_channel_encode(array, 1, 1, &bytes, &len, NULL), CZ_E_INVALID);
    assert_int_equal(cz_channel_encode(NULL, 1, 1, &bytes, &len, NULL), CZ_E_INVALID);
    json_decref(array);
    char *big = cz_alloc(CZ_MAX_CHANNEL_RECORD + 1);
    memset(big, 'x', CZ_MAX_CHANNEL_RECORD);
    json_t *value = json_pack("{s:s}", "a", big);
    assert_int_equal(cz_channel_encode(value, 1, 1, &bytes, &len, NULL), CZ_E_TOO_LARGE);
    assert_null(bytes);
    json_decref(value);
    cz_free(big);
}

int main(void)
{
    cz_json_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_decode_table),
        cmocka_unit_test(test_bad_keys),
        cmocka_unit_test(test_tombstone),
        cmocka_unit_test(test_round_trip_keeps_unknown_fields),
        cmocka_unit_test(test_status_keeps_its_own_epoch),
        cmocka_unit_test(test_encode_refuses),
    };
    return cmocka_run_group_tests_name("channel codec", tests, NULL, NULL);
}
