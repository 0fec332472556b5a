/* SPDX-License-Identifier: Apache-2.0 */
/* The mask stage: each way to mask on each type, paths through arrays and into keys, tokens as
 * promised (made by another program), and that what cannot be masked does not pass. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cz/json.h"
#include "cz/stages.h"

#define SECRET "0123456789abcdef"
/* HMAC-SHA256 by Python's hmac, secret as above, team red. */
#define T_JOE "9f55dcc936b33c91a952f8bc9972c19a"
#define T_17 "275f47c50200d8c1312f6899af3abe26"
#define T_OBJECT "537fb69172a2e85070d90bf9d2dc826c"
#define T_JOE_BLUE "10f08b360ad59c805c7041d55ded994e"

static struct cz_stage_ctx *ctx;

static json_t *json(const char *text)
{
    json_t *j = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    if (cz_json_parse(text, strlen(text), &j, &err) != CZ_OK)
        fail_msg("%s: %s", text, err.text);
    return j;
}

struct row {
    const char *masks, *key, *value;   /* NULL key or value: null */
    const char *want_key, *want_value; /* "=": as it came; "!": an error of stage want_stage */
    const char *want_stage;
    enum cz_side_format key_format, value_format;
};
#define MASK(path, how) "[{\"path\":\"" path "\",\"how\":\"" how "\"}]"

static const struct row ROWS[] = {
    {MASK("value.u.email", "hash"), "k", "{\"u\": {\"email\":\"joe@example.com\", \"n\":1.50}}", "=",
     "{\"u\": {\"email\":\"" T_JOE "\", \"n\":1.50}}", .want_stage = NULL},
    {MASK("value.a", "hash"), "k", "{\"a\":\"joe\\u0040example.com\"}", "=", "{\"a\":\"" T_JOE "\"}", .want_stage = NULL},
    {MASK("value.a", "hash"), "k", "{\"\\u0061\":\"joe@example.com\"}", "=", "{\"\\u0061\":\"" T_JOE "\"}", .want_stage = NULL},
    {MASK("value.a", "hash"), "k", "{\"a\":\"17\",\"b\":17}", "=", "{\"a\":\"" T_17 "\",\"b\":17}", .want_stage = NULL},
    {MASK("value.a", "hash"), "k", "{\"a\":17}", "=", "{\"a\":\"" T_17 "\"}", .want_stage = NULL},
    {MASK("value.a", "hash"), "k", "{\"a\":{\"a\": 1}}", "=", "{\"a\":\"" T_OBJECT "\"}", .want_stage = NULL},
    {MASK("value.a", "hash"), "k", "{\"a\":[17,[17,{\"a\": 1}],null]}", "=",
     "{\"a\":[\"" T_17 "\",[\"" T_17 "\",\"" T_OBJECT "\"],null]}", .want_stage = NULL},
    {MASK("value.a.b", "redact"), "k", "{\"a\":[{\"b\":1},{\"c\":2},{\"b\":{\"x\":\"y\"}}]}", "=",
     "{\"a\":[{\"b\":\"***\"},{\"c\":2},{\"b\":\"***\"}]}", .want_stage = NULL},
    {MASK("value.a", "redact"), "k", "{\"a\":1,\"a\":\"again\"}", "=", "{\"a\":\"***\",\"a\":\"***\"}", .want_stage = NULL},
    {MASK("value.a", "null"), "k", "{\"a\":{\"b\":[1]},\"z\":0}", "=", "{\"a\":null,\"z\":0}", .want_stage = NULL},
    {MASK("value.a", "truncate"), "k", "{\"a\":\"abcdefgh\"}", "=", "{\"a\":\"abcd\"}", .want_stage = NULL},
    {MASK("value.a", "truncate"), "k", "{\"a\":\"a\\\"\\u00e9\xe2\x82\xac!\"}", "=",
     "{\"a\":\"a\\\"\xc3\xa9\xe2\x82\xac\"}", .want_stage = NULL},
    {MASK("value.a", "truncate"), "k", "{\"a\":123456}", "=", "{\"a\":\"1234\"}", .want_stage = NULL},
    {MASK("value.a", "truncate"), "k", "{\"a\":true}", "=", "{\"a\":\"***\"}", .want_stage = NULL},
    {MASK("value.a", "truncate"), "k", "{\"a\":{\"b\":\"secret\"}}", "=", "{\"a\":\"***\"}", .want_stage = NULL},
    {"[{\"path\":\"value.a\",\"how\":\"truncate\",\"length\":1}]", "k", "{\"a\":\"abc\"}", "=", "{\"a\":\"a\"}", .want_stage = NULL},
    {MASK("value", "hash"), "k", "\"joe@example.com\"", "=", "\"" T_JOE "\"", .want_stage = NULL},
    {MASK("value", "redact"), "k", "{\"a\":1}", "=", "\"***\"", .want_stage = NULL},
    {MASK("value", "hash"), "k", "joe@example.com", "=", T_JOE, NULL, .value_format = CZ_SIDE_RAW},
    /* as they are */
    {MASK("value.a", "hash"), "k", "{\"a\":null}", "=", "=", .want_stage = NULL},
    {MASK("value.a", "hash"), "k", "{\"b\":1}", "=", "=", .want_stage = NULL},
    {MASK("value.a", "hash"), "k", NULL, "=", "=", .want_stage = NULL},
    {MASK("value", "hash"), "k", NULL, "=", "=", NULL, .value_format = CZ_SIDE_RAW},
    {MASK("key", "hash"), NULL, "x", "=", "=", .want_stage = NULL},
    /* keys */
    {MASK("key", "hash"), "joe@example.com", "not json", T_JOE, "=", .want_stage = NULL},
    {MASK("key", "hash"), "\"joe@example.com\"", "{}", "\"" T_JOE "\"", "=", .want_stage = NULL},
    {MASK("key", "hash"), "17", "{}", T_17, "=", .want_stage = NULL},
    {MASK("key", "hash"), "17", "{}", "\"" T_17 "\"", "=", NULL, .key_format = CZ_SIDE_JSON},
    {MASK("key", "hash"), "{\"a\": 1}", "{}", T_OBJECT, "=", .want_stage = NULL},
    {MASK("key", "hash"), "\xff\xfe", "{}", "!", "!", .want_stage = "decode"},
    {MASK("key.id", "hash"), "{\"id\":17,\"z\":1}", "{}", "{\"id\":\"" T_17 "\",\"z\":1}", "=", .want_stage = NULL},
    /* what cannot be read does not pass */
    {MASK("value.a", "hash"), "k", "a=joe@example.com", "!", "!", .want_stage = "decode"},
    {MASK("value.a", "hash"), "k", "{\"a\":\"joe\"", "!", "!", .want_stage = "decode"},
    {MASK("value.a", "hash"), "k", "{\"a\":\"\\ud800\"}", "!", "!", .want_stage = "decode"},
};

static struct cz_stages *stages(const struct cz_stages_conf *conf)
{
    struct cz_stages *s = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    if (cz_stages_new(conf, &s, &err))
        fail_msg("%s", err.text);
    return s;
}

static struct cz_slice slice(const char *s)
{
    return (struct cz_slice){s, s ? strlen(s) : 0};
}

static void same(const struct row *row, const char *what, struct cz_slice got, struct cz_slice came, const char *want)
{
    if (strcmp(want, "=") == 0) {
        assert_ptr_equal(got.data, came.data);
        assert_int_equal(got.len, came.len);
    } else if (got.len != strlen(want) || memcmp(got.data, want, got.len) != 0) {
        fail_msg("%s of %s: %s is %.*s, not %s", row->masks, row->value, what, (int)got.len, got.data, want);
    }
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        const struct row *row = &ROWS[i];
        json_t *masks = json(row->masks);
        struct cz_stages *s = stages(&(struct cz_stages_conf){
            .mask = {.masks = masks, .secret = slice(SECRET), .team = "red"},
            .key_format = row->key_format,
            .value_format = row->value_format});
        json_decref(masks);
        const struct cz_record r = {.topic = "t", .key = slice(row->key), .value = slice(row->value)};
        struct cz_stage_result got;
        struct cz_error err = CZ_ERROR_INIT;
        assert_true(cz_stages_masks(s));
        cz_stages_run(s, ctx, &r, &got, &err);
        if (row->want_stage) {
            assert_int_equal(got.verdict, CZ_VERDICT_ERROR);
            assert_string_equal(got.stage, row->want_stage);
        } else {
            if (got.verdict != CZ_VERDICT_PASS)
                fail_msg("%s of %s: %s", row->masks, row->value, err.text);
            same(row, "key", got.key, r.key, row->want_key);
            same(row, "value", got.value, r.value, row->want_value);
            assert_int_equal(got.value_changed, got.value.data != r.value.data);
        }
        cz_stages_unref(s);
    }
}

static void run(const struct cz_stages_conf *conf, const char *key, const char *value, const char *want_key,
                const char *want_value)
{
    struct cz_stages *s = stages(conf);
    const struct cz_record r = {.topic = "t", .key = slice(key), .value = slice(value)};
    struct cz_stage_result got;
    struct cz_error err = CZ_ERROR_INIT;
    cz_stages_run(s, ctx, &r, &got, &err);
    if (got.verdict != CZ_VERDICT_PASS)
        fail_msg("%s: %s", value, err.text);
    const struct row row = {.masks = "stages", .value = value};
    same(&row, "key", got.key, r.key, want_key);
    same(&row, "value", got.value, r.value, want_value);
    cz_stages_unref(s);
}

/* Filter, sample and the lookup of a value map see the source; the transform sees only masks. */
static void test_order(void **state)
{
    (void)state;
    json_t *masks = json("[{\"path\":\"value.a\",\"how\":\"hash\"},{\"path\":\"value.b\",\"how\":\"redact\"},"
                         "{\"path\":\"key\",\"how\":\"hash\"}]");
    json_t *map = json("{\"value.a\":{\"x\":17},\"key\":{\"k\":\"joe@example.com\"}}");
    run(&(struct cz_stages_conf){.filter = "value.a == 'x' && value.b == 's'",
                                 .value_map = map,
                                 .mask = {.masks = masks, .secret = slice(SECRET), .team = "red"},
                                 .transform = "{k: key, a: value.a, b: value.b, all: value}"},
        "k", "{\"a\":\"x\",\"b\":\"s\",\"c\":1}", T_JOE,
        "{\"k\":\"" T_JOE "\",\"a\":\"" T_17 "\",\"b\":\"***\",\"all\":{\"a\":\"" T_17
        "\",\"b\":\"***\",\"c\":1}}");
    json_decref(masks);
    json_decref(map);
}

static void test_teams_differ(void **state)
{
    (void)state;
    json_t *masks = json(MASK("value", "hash"));
    run(&(struct cz_stages_conf){.mask = {.masks = masks, .secret = slice(SECRET), .team = "blue"}}, "k",
        "\"joe@example.com\"", "=", "\"" T_JOE_BLUE "\"");
    json_decref(masks);
}

/* Without a secret, or with one that can be guessed, there are no stages. */
static void test_needs_secret(void **state)
{
    (void)state;
    static const char *const secrets[] = {NULL, "", "0123456789abcde"};
    json_t *masks = json("[{\"path\":\"value.a\",\"how\":\"redact\"},{\"path\":\"value.b\",\"how\":\"hash\"}]");
    assert_true(cz_mask_needs_secret(masks));
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        const struct cz_stages_conf conf = {.mask = {.masks = masks, .secret = slice(secrets[i]), .team = "t"}};
        struct cz_stages *s = NULL;
        struct cz_error err = CZ_ERROR_INIT;
        assert_int_equal(cz_stages_new(&conf, &s, &err), CZ_E_INVALID);
        assert_non_null(strstr(err.text, "at least 16 bytes"));
        assert_null(s);
    }
    (void)json_array_remove(masks, 1);
    assert_false(cz_mask_needs_secret(masks));
    struct cz_stages *s = stages(&(struct cz_stages_conf){.mask = {.masks = masks}});
    cz_stages_unref(s);
    json_decref(masks);
}

static void test_bad_entries(void **state)
{
    (void)state;
    static const char *const bad[] = {MASK("value.a", "hide"), MASK("header.a", "redact"),
                                      MASK("value..a", "redact"), "[{\"path\":\"value.a\"}]", "[5]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_t *masks = json(bad[i]);
        struct cz_stages *s = NULL;
        struct cz_error err = CZ_ERROR_INIT;
        assert_int_equal(cz_stages_new(&(struct cz_stages_conf){.mask = {.masks = masks}}, &s, &err), CZ_E_INVALID);
        json_decref(masks);
    }
}

static int make_ctx(void **state)
{
    (void)state;
    ctx = cz_stage_ctx_new();
    return 0;
}

static int free_ctx(void **state)
{
    (void)state;
    cz_stage_ctx_free(ctx);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),         cmocka_unit_test(test_order),
        cmocka_unit_test(test_teams_differ), cmocka_unit_test(test_needs_secret),
        cmocka_unit_test(test_bad_entries),
    };
    return cmocka_run_group_tests(tests, make_ctx, free_ctx);
}
