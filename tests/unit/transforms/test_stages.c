/* SPDX-License-Identifier: Apache-2.0 */
/* The stages of a mapping, row by row: filters, value maps, key maps, the partition by key, formats
 * and validation.  Each row is one record through freshly compiled stages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/stages.h"

#define BIN "\x00\xff\xfe\x01"

struct bytes {
    const char *data;
    size_t len;
};
#define B(s) {(s), sizeof(s) - 1}
#define NONE {NULL, 0}

struct row {
    const char *what, *filter, *map, *transform;
    enum cz_side_format key_format, value_format;
    bool full;
    struct bytes key, value;
    enum cz_verdict verdict;
    enum cz_drop drop;       /* DROP */
    const char *stage;       /* ERROR */
    struct bytes want_key, want_value; /* PASS; data "=": as it came */
    int partition;           /* PASS */
};
#define SAME B("=")
#define PASSES .verdict = CZ_VERDICT_PASS
#define DROPS(why) .verdict = CZ_VERDICT_DROP, .drop = (why)
#define FAILS(at) .verdict = CZ_VERDICT_ERROR, .stage = (at)
#define UNTOUCHED PASSES, .want_key = SAME, .want_value = SAME, .partition = -1
#define VALUE(v) PASSES, .want_key = SAME, .want_value = B(v), .partition = -1
#define KEY(k) PASSES, .want_key = B(k), .want_value = SAME, .partition = -1
#define PART(n) PASSES, .want_key = SAME, .want_value = SAME, .partition = (n)

static const struct row ROWS[] = {
    /* ---- filters ---- */
    {"no stage: any bytes pass", NULL, NULL, .key = B(BIN), .value = B("not json"), UNTOUCHED},
    {"raw key equals", "key == 'hello'", NULL, .key = B("hello"), .value = B("{}"), UNTOUCHED},
    {"raw key differs", "key == 'hello'", NULL, .key = B("hell"), .value = B("{}"), DROPS(CZ_DROP_FILTER)},
    {"json string key equals", "key == 'hello'", NULL, .key = B("\"hello\""), .value = B("{}"), UNTOUCHED},
    {"numeric key is a number", "key == `17`", NULL, .key = B("17"), .value = B("{}"), UNTOUCHED},
    {"format raw: numeric key is text", "key == '17'", NULL, .key_format = CZ_SIDE_RAW, .key = B("17"),
     .value = B("{}"), UNTOUCHED},
    {"key and value", "key == 'hello' && value.msg == 'world'", NULL, .key = B("hello"),
     .value = B("{\"msg\":\"world\"}"), UNTOUCHED},
    {"null key is null", "key == null", NULL, .key = NONE, .value = B("{}"), UNTOUCHED},
    {"binary key is no reason to fail when only the value is read", "value.a == `1`", NULL, .key = B(BIN),
     .value = B("{\"a\":1}"), UNTOUCHED},
    {"tombstone: value is null", "value == null", NULL, .key = B("k"), .value = NONE, UNTOUCHED},
    {"tombstone: no field", "value.a == 'x'", NULL, .key = B("k"), .value = NONE, DROPS(CZ_DROP_FILTER)},
    {"0 is true", "value.n", NULL, .key = B("k"), .value = B("{\"n\":0}"), UNTOUCHED},
    {"broken value is an error", "value.a == `1`", NULL, .key = B("k"), .value = B("{\"a\":"), FAILS("decode")},
    {"broken value is not read", "key == 'k'", NULL, .key = B("k"), .value = B("{\"a\":"), UNTOUCHED},
    {"type error of a function", "length(value.n) > `1`", NULL, .key = B("k"), .value = B("{\"n\":5}"),
     FAILS("filter")},
    {"value format raw is a string", "contains(value, 'err')", NULL, .value_format = CZ_SIDE_RAW,
     .key = B("k"), .value = B("an error"), UNTOUCHED},

    /* ---- values ---- */
    {"string to number keeps the type", NULL, "{\"value.a.b\":{\"v1\":17}}", .key = B("k"),
     .value = B("{\"a\":{\"b\":\"v1\"}}"), VALUE("{\"a\":{\"b\":17}}")},
    {"number is looked up by its text", NULL, "{\"value.a.b\":{\"1001\":1}}", .key = B("k"),
     .value = B("{\"a\": {\"b\": 1001}, \"z\":1.50}"), VALUE("{\"a\": {\"b\": 1}, \"z\":1.50}")},
    {"number as a string too", NULL, "{\"value.a.b\":{\"1001\":1}}", .key = B("k"),
     .value = B("{\"a\":{\"b\":\"1001\"}}"), VALUE("{\"a\":{\"b\":1}}")},
    {"to a string", NULL, "{\"value.a\":{\"1\":\"one\"}}", .key = B("k"), .value = B("{\"a\":1}"),
     VALUE("{\"a\":\"one\"}")},
    {"to null", NULL, "{\"value.a\":{\"1\":null}}", .key = B("k"), .value = B("{\"a\":1}"),
     VALUE("{\"a\":null}")},
    {"to an object", NULL, "{\"value.a\":{\"1\":{\"x\":[2]}}}", .key = B("k"), .value = B("{\"a\":1}"),
     VALUE("{\"a\":{\"x\":[2]}}")},
    {"to a string that needs escapes", NULL, "{\"value.a\":{\"1\":\"a\\\"b\\n\"}}", .key = B("k"),
     .value = B("{\"a\":1}"), VALUE("{\"a\":\"a\\\"b\\n\"}")},
    {"booleans by their text", NULL, "{\"value.a\":{\"true\":\"yes\"},\"value.b\":{\"false\":0}}",
     .key = B("k"), .value = B("{\"a\":true,\"b\":false}"), VALUE("{\"a\":\"yes\",\"b\":0}")},
    {"null has no text", NULL, "{\"value.a\":{\"null\":1}}", .key = B("k"), .value = B("{\"a\":null}"), UNTOUCHED},
    {"escaped string is looked up by its content", NULL, "{\"value.a\":{\"\u00e9/\":1}}", .key = B("k"),
     .value = B("{\"a\":\"\\u00e9\\/\"}"), VALUE("{\"a\":1}")},
    {"escaped key on the path", NULL, "{\"value.a\":{\"x\":1}}", .key = B("k"),
     .value = B("{\"\\u0061\":\"x\"}"), VALUE("{\"\\u0061\":1}")},
    {"unmapped stays", NULL, "{\"value.a\":{\"1\":2}}", .key = B("k"), .value = B("{\"a\" : 3 }"), UNTOUCHED},
    {"missing path stays", NULL, "{\"value.a.b.c\":{\"1\":2}}", .key = B("k"), .value = B("{\"a\":{\"x\":1}}"),
     UNTOUCHED},
    {"path through a scalar stays", NULL, "{\"value.a.b\":{\"1\":2}}", .key = B("k"), .value = B("{\"a\":1}"),
     UNTOUCHED},
    {"array of objects: each element", NULL, "{\"value.a.b\":{\"1\":10,\"2\":20}}", .key = B("k"),
     .value = B("{\"a\":[{\"b\":1},{\"b\":3},{\"c\":1},{\"b\":\"2\"}]}"),
     VALUE("{\"a\":[{\"b\":10},{\"b\":3},{\"c\":1},{\"b\":20}]}")},
    {"array at the end: each element", NULL, "{\"value.t\":{\"x\":1}}", .key = B("k"),
     .value = B("{\"t\":[\"x\",\"y\",\"x\"]}"), VALUE("{\"t\":[1,\"y\",1]}")},
    {"arrays in arrays", NULL, "{\"value.t.b\":{\"1\":9}}", .key = B("k"),
     .value = B("{\"t\":[[{\"b\":1}],{\"b\":1}]}"), VALUE("{\"t\":[[{\"b\":9}],{\"b\":9}]}")},
    {"document that is an array", NULL, "{\"value.b\":{\"1\":9}}", .key = B("k"), .value = B("[{\"b\":1},2]"),
     VALUE("[{\"b\":9},2]")},
    {"document that is a scalar", NULL, "{\"value\":{\"5\":\"five\"}}", .key = B("k"), .value = B("5"),
     VALUE("\"five\"")},
    {"several paths, also nested", NULL, "{\"value.a.b\":{\"1\":2},\"value.c\":{\"x\":\"y\"}}", .key = B("k"),
     .value = B("{\"c\":\"x\",\"a\":{\"b\":1}}"), VALUE("{\"c\":\"y\",\"a\":{\"b\":2}}")},
    {"no chain: the new value is not mapped again", NULL, "{\"value.a\":{\"1\":2,\"2\":3}}", .key = B("k"),
     .value = B("{\"a\":1}"), VALUE("{\"a\":2}")},
    {"tombstone has no values", NULL, "{\"value.a\":{\"1\":2}}", .key = B("k"), .value = NONE, UNTOUCHED},
    {"broken value is an error", NULL, "{\"value.a\":{\"1\":2}}", .key = B("k"), .value = B("nope"),
     FAILS("decode")},
    {"value format raw is not mapped", NULL, "{\"value.a\":{\"1\":2}}", .value_format = CZ_SIDE_RAW,
     .key = B("k"), .value = B("{\"a\":1}"), UNTOUCHED},
    {"filter sees the source", "value.a == `1`", "{\"value.a\":{\"1\":2}}", .key = B("k"),
     .value = B("{\"a\":1}"), VALUE("{\"a\":2}")},
    {"what the filter drops is not mapped", "value.a == `2`", "{\"value.a\":{\"1\":2}}", .key = B("k"),
     .value = B("{\"a\":1}"), DROPS(CZ_DROP_FILTER)},

    /* ---- keys ---- */
    {"raw key to number becomes text", NULL, "{\"key\":{\"1\":10}}", .key = B("1"), .value = B("x"), KEY("10")},
    {"raw key to text", NULL, "{\"key\":{\"abc\":\"xyz\"}}", .key = B("abc"), .value = B("x"), KEY("xyz")},
    {"json string key stays one", NULL, "{\"key\":{\"abc\":\"xyz\"}}", .key = B("\"abc\""), .value = B("x"),
     KEY("\"xyz\"")},
    {"json string key with escapes", NULL, "{\"key\":{\"a/b\":\"c\"}}", .key = B("\"a\\/b\""), .value = B("x"),
     KEY("\"c\"")},
    {"format raw: quotes are bytes", NULL, "{\"key\":{\"abc\":\"xyz\"}}", .key_format = CZ_SIDE_RAW,
     .key = B("\"abc\""), .value = B("x"), UNTOUCHED},
    {"unmapped key stays", NULL, "{\"key\":{\"abc\":\"xyz\"}}", .key = B("abcd"), .value = B("x"), UNTOUCHED},
    {"null key stays", NULL, "{\"key\":{\"\":\"x\",\"null\":\"y\"}}", .key = NONE, .value = B("x"), UNTOUCHED},
    {"empty key is not null", NULL, "{\"key\":{\"\":\"x\"}}", .key = B(""), .value = B("v"), KEY("x")},
    {"binary key stays", NULL, "{\"key\":{\"a\":\"x\"}}", .key = B(BIN), .value = B("v"), UNTOUCHED},
    {"half a json string is text", NULL, "{\"key\":{\"\\\"a\":\"x\"}}", .key = B("\"a"), .value = B("v"), KEY("x")},
    {"key of a tombstone", NULL, "{\"key\":{\"1\":10}}", .key = B("1"), .value = NONE, KEY("10")},
    {"format json: broken key", NULL, "{\"key\":{\"1\":10}}", .key_format = CZ_SIDE_JSON, .key = B("{"),
     .value = B("v"), FAILS("decode")},

    /* ---- partition by key ---- */
    {"partition by key", NULL, "{\"key:partition\":{\"1\":0,\"2\":5}}", .key = B("2"), .value = B("v"), PART(5)},
    {"partition 0", NULL, "{\"key:partition\":{\"1\":0}}", .key = B("1"), .value = B("v"), PART(0)},
    {"-1000 drops", NULL, "{\"key:partition\":{\"3\":-1000}}", .key = B("3"), .value = B("v"),
     DROPS(CZ_DROP_PARTITION)},
    {"-1000 drops a tombstone", NULL, "{\"key:partition\":{\"3\":-1000}}", .key = B("3"), .value = NONE,
     DROPS(CZ_DROP_PARTITION)},
    {"unmapped key: the mapping's own", NULL, "{\"key:partition\":{\"1\":0}}", .key = B("9"), .value = B("v"),
     UNTOUCHED},
    {"the source key chooses", NULL, "{\"key\":{\"1\":\"7\"},\"key:partition\":{\"1\":3,\"7\":4}}", .key = B("1"),
     .value = B("v"), PASSES, .want_key = B("7"), .want_value = SAME, .partition = 3},
    {"json string key chooses by its content", NULL, "{\"key:partition\":{\"a\":2}}", .key = B("\"a\""),
     .value = B("v"), PART(2)},
    {"all three", NULL, "{\"key\":{\"1\":10},\"key:partition\":{\"1\":1},\"value.a\":{\"x\":true}}", .key = B("1"),
     .value = B("{\"a\":\"x\"}"), PASSES, .want_key = B("10"), .want_value = B("{\"a\":true}"), .partition = 1},

    /* ---- formats and validation ---- */
    {"touched: what is not read may be broken", "value.a == `1`", NULL, .key = B("k"),
     .value = B("{\"a\":1,\"b\":tru}"), UNTOUCHED},
    {"full: all of it is checked", "value.a == `1`", NULL, .full = true, .key = B("k"),
     .value = B("{\"a\":1,\"b\":tru}"), FAILS("decode")},
    {"full without a filter", NULL, NULL, .full = true, .key = B("k"), .value = B("{\"b\":tru}"), FAILS("decode")},
    {"full, tombstone", NULL, NULL, .full = true, .key = B("k"), .value = NONE, UNTOUCHED},
    {"full, good", NULL, NULL, .full = true, .key = B("k"), .value = B("{\"b\":true}"), UNTOUCHED},
    {"value format json without a stage", NULL, NULL, .value_format = CZ_SIDE_JSON, .key = B("k"),
     .value = B("nope"), FAILS("decode")},
    {"value format json, tombstone", NULL, NULL, .value_format = CZ_SIDE_JSON, .key = B("k"), .value = NONE,
     UNTOUCHED},
    {"key format json without a stage", NULL, NULL, .key_format = CZ_SIDE_JSON, .key = B("nope"),
     .value = B("v"), FAILS("decode")},
    {"key format json, null key", NULL, NULL, .key_format = CZ_SIDE_JSON, .key = NONE, .value = B("v"), UNTOUCHED},

    /* ---- transform ---- */
    {"a new object; numbers keep their text", .transform = "{id: value.n, k: key, t: topic}", .key = B("k"),
     .value = B("{\"n\":1.50e3,\"x\":0}"), VALUE("{\"id\":1.50e3,\"k\":\"k\",\"t\":\"in\"}")},
    {"a scalar", .transform = "value.s", .key = B("k"), .value = B("{\"s\":\"a\\u00e9\"}"),
     VALUE("\"a\\u00e9\"")},
    {"false is a value", .transform = "value.b", .key = B("k"), .value = B("{\"b\":false}"), VALUE("false")},
    {"a null result is an error", .transform = "value.gone", .key = B("k"), .value = B("{}"), FAILS("transform")},
    {"a tombstone stays one", .transform = "{a: value.a}", .key = B("k"), .value = NONE, UNTOUCHED},
    {"type error", .transform = "length(value.n)", .key = B("k"), .value = B("{\"n\":1}"), FAILS("transform")},
    {"no json", .transform = "value.n", .key = B("k"), .value = B("{\"n\":"), FAILS("decode")},
    {"the whole of it", .transform = "value", .key = B("k"), .value = B("{\"a\":1, \"b\":[2]}"),
     VALUE("{\"a\":1,\"b\":[2]}")},
    {"after the filter", "value.n == `1`", .transform = "value.n", .key = B("k"), .value = B("{\"n\":2}"),
     DROPS(CZ_DROP_FILTER)},
    {"over the mapped value and key", NULL, "{\"value.n\":{\"1\":2},\"key\":{\"k\":\"z\"}}",
     "[key, value.n]", .key = B("k"), .value = B("{\"n\":1}"), PASSES, .want_key = B("z"),
     .want_value = B("[\"z\",2]"), .partition = -1},
    {"a value map that changes nothing", NULL, "{\"value.n\":{\"9\":2}}", "value.n", .key = B("k"),
     .value = B("{\"n\":1}"), VALUE("1")},

    {"empty value is no json", "value.a == `1`", NULL, .key = B("k"), .value = B(""), FAILS("decode")},
    /* ---- maps of a topic (records here are of topic "in") ---- */
    {"a topic's own map", NULL, "{\"topics\":{\"in\":{\"value.a\":{\"1\":2}}}}", .key = B("k"),
     .value = B("{\"a\":1}"), VALUE("{\"a\":2}")},
    {"a topic's own map instead of the rest", NULL,
     "{\"key\":{\"k\":\"rest\"},\"topics\":{\"in\":{\"key\":{\"k\":\"own\"}}}}", .key = B("k"),
     .value = B("{}"), KEY("own")},
    {"another topic's map", NULL,
     "{\"key\":{\"k\":\"rest\"},\"topics\":{\"out\":{\"key\":{\"k\":\"own\"}}}}", .key = B("k"),
     .value = B("{}"), KEY("rest")},
    {"only another topic's map", NULL, "{\"topics\":{\"out\":{\"key:partition\":{\"k\":-1000}}}}",
     .key = B("k"), .value = B("not json"), UNTOUCHED},
    {"a topic's map drops by partition", NULL,
     "{\"topics\":{\"in\":{\"key:partition\":{\"k\":-1000}}}}", .key = B("k"), .value = B("{}"),
     DROPS(CZ_DROP_PARTITION)},
};

static bool is_same(const struct bytes *want)
{
    return want->len == 1 && want->data[0] == '=';
}

static void check_bytes(const struct row *row, const char *side, const struct bytes *want,
                        const struct bytes *source, struct cz_slice got)
{
    const struct bytes *w = is_same(want) ? source : want;
    if ((w->data == NULL) != (got.data == NULL) || w->len != got.len ||
        (w->len > 0 && memcmp(w->data, got.data, w->len) != 0))
        fail_msg("%s: %s is %.*s", row->what, side, (int)got.len, got.data ? got.data : "");
    /* As it came means: the very bytes, no copy. */
    if (is_same(want) && got.data != source->data)
        fail_msg("%s: %s was copied", row->what, side);
}

static void check_row(const struct row *row, struct cz_stage_ctx *ctx)
{
    struct cz_error err = CZ_ERROR_INIT;
    json_t *map = row->map ? json_loads(row->map, JSON_DECODE_ANY, NULL) : NULL;
    if (row->map && !map)
        fail_msg("%s: bad row", row->what);
    const struct cz_stages_conf conf = {.filter = row->filter,
                                        .value_map = map,
                                        .transform = row->transform,
                                        .key_format = row->key_format,
                                        .value_format = row->value_format,
                                        .validate_full = row->full};
    struct cz_stages *s = NULL;
    if (cz_stages_new(&conf, &s, &err))
        fail_msg("%s: %s", row->what, err.text);
    json_decref(map);
    const struct cz_record r = {.topic = "in", .offset = 5, .key = {row->key.data, row->key.len},
                                .value = {row->value.data, row->value.len}};
    struct cz_stage_result got;
    cz_stages_run(s, ctx, &r, &got, &err);
    if (got.verdict != row->verdict)
        fail_msg("%s: verdict %d (%s)", row->what, (int)got.verdict, err.text);
    if (got.verdict == CZ_VERDICT_DROP && got.drop != row->drop)
        fail_msg("%s: drop %d", row->what, (int)got.drop);
    if (got.verdict == CZ_VERDICT_ERROR && (strcmp(got.stage, row->stage) != 0 || !err.text[0]))
        fail_msg("%s: stage %s (%s)", row->what, got.stage, err.text);
    if (got.verdict == CZ_VERDICT_PASS) {
        check_bytes(row, "key", &row->want_key, &row->key, got.key);
        check_bytes(row, "value", &row->want_value, &row->value, got.value);
        if (got.partition != row->partition)
            fail_msg("%s: partition %d", row->what, got.partition);
        if (got.value_changed == is_same(&row->want_value))
            fail_msg("%s: value_changed %d", row->what, got.value_changed);
    }
    cz_stages_unref(s);
}

/* One context for all rows: nothing of a record may stay for the next one. */
static void test_rows(void **state)
{
    (void)state;
    struct cz_stage_ctx *ctx = cz_stage_ctx_new();
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
            check_row(&ROWS[i], ctx);
    }
    cz_stage_ctx_free(ctx);
}

static void test_what_cannot_be_compiled(void **state)
{
    (void)state;
    static const char *const MAPS[] = {"{\"partition\":{\"0\":1}}", "{\"key.a\":{\"0\":1}}",
                                       "{\"value.a..b\":{\"0\":1}}", "{\"headers.a\":{\"0\":1}}"};
    for (size_t i = 0; i < sizeof MAPS / sizeof *MAPS; i++) {
        struct cz_error err = CZ_ERROR_INIT;
        struct cz_stages *s = NULL;
        json_t *map = json_loads(MAPS[i], 0, NULL);
        const struct cz_stages_conf conf = {.value_map = map};
        assert_int_equal(cz_stages_new(&conf, &s, &err), CZ_E_INVALID);
        assert_null(s);
        json_decref(map);
    }
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_stages *s = NULL;
    assert_int_equal(cz_stages_new(&(struct cz_stages_conf){.filter = "value.a =="}, &s, &err), CZ_E_INVALID);
}

static void test_raw(void **state)
{
    (void)state;
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_stages *s = NULL;
    json_t *empty = json_object();
    assert_int_equal(cz_stages_new(&(struct cz_stages_conf){.value_map = empty}, &s, &err), CZ_OK);
    assert_true(cz_stages_is_raw(s));
    struct cz_stages *again = cz_stages_ref(s);
    cz_stages_unref(s);
    assert_true(cz_stages_is_raw(again));
    cz_stages_unref(again);
    json_decref(empty);
}

int main(void)
{
    cz_json_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_what_cannot_be_compiled),
        cmocka_unit_test(test_raw),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
