/* SPDX-License-Identifier: Apache-2.0 */
/* The sample stage: the promised places, shares inside one another and side by side, and what
 * counts as the entity of a record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cz/json.h"
#include "cz/stages.h"

#define ENTITIES 20000

static struct cz_stage_ctx *ctx;

static struct cz_stages *stages(const struct cz_stages_conf *conf)
{
    struct cz_stages *s = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    assert_int_equal(cz_stages_new(conf, &s, &err), CZ_OK);
    return s;
}

static struct cz_stages *share(const char *by, const char *salt, uint32_t from, uint32_t to)
{
    return stages(&(struct cz_stages_conf){.sample = {by, salt, from, to}});
}

static struct cz_record record_of(const char *key, const char *value)
{
    return (struct cz_record){.topic = "in",
                              .partition = 3,
                              .offset = 5,
                              .key = {key, key ? strlen(key) : 0},
                              .value = {value, value ? strlen(value) : 0}};
}

static bool in(const struct cz_stages *s, const struct cz_record *r)
{
    struct cz_stage_result got;
    struct cz_error err = CZ_ERROR_INIT;
    cz_stages_run(s, ctx, r, &got, &err);
    if (got.verdict == CZ_VERDICT_ERROR)
        fail_msg("%s: %s", got.stage, err.text);
    if (got.verdict == CZ_VERDICT_DROP)
        assert_int_equal(got.drop, CZ_DROP_SAMPLE);
    else
        assert_ptr_equal(got.value.data, r->value.data);
    return got.verdict == CZ_VERDICT_PASS;
}

/* The place of the record's entity, by halving. */
static uint32_t place_of(const char *by, const char *salt, const struct cz_record *r)
{
    uint32_t low = 0, high = CZ_SAMPLE_UNITS;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        struct cz_stages *s = share(by, salt, low, middle);
        if (in(s, r))
            high = middle;
        else
            low = middle;
        cz_stages_unref(s);
    }
    return low;
}

/* Computed by another program from the description in sample.h: they may never change. */
static void test_places_are_a_promise(void **state)
{
    (void)state;
    static const struct {
        const char *key, *salt;
        uint32_t place;
    } rows[] = {
        {"a", "", 378389},
        {"", "", 722706},
        {"user-1", "", 553910},
        {"user-1", "blend", 342804},
        {"é世", "", 356992},
        {"\"q\"", "", 110551},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cz_record r = record_of(rows[i].key, "no json");
        assert_int_equal(place_of("key", rows[i].salt, &r), rows[i].place);
    }
    struct cz_record r = record_of("a", "no json");
    assert_int_equal(place_of("record", "", &r), 215287);
}

/* 10 % is within 90 %; 90 % and the rest are all, each once; the sizes are about right. */
static void test_shares(void **state)
{
    (void)state;
    struct cz_stages *small = share("key", "", 0, 100000), *large = share("key", "", 0, 900000);
    struct cz_stages *rest = share("key", "", 900000, CZ_SAMPLE_UNITS);
    struct cz_stages *salted = share("key", "other", 0, 100000), *none = share("key", "", 0, 0);
    int in_small = 0, in_large = 0, in_both_salts = 0;
    for (int i = 0; i < ENTITIES; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "user-%d", i);
        struct cz_record r = record_of(key, "v");
        bool s = in(small, &r), l = in(large, &r);
        assert_true(l || !s);
        assert_true(in(rest, &r) == !l);
        assert_false(in(none, &r));
        r.offset = i; /* the key decides alone */
        assert_true(in(large, &r) == l);
        in_small += s;
        in_large += l;
        in_both_salts += s && in(salted, &r);
    }
    assert_in_range(in_small, ENTITIES * 9 / 100, ENTITIES * 11 / 100);
    assert_in_range(in_large, ENTITIES * 89 / 100, ENTITIES * 91 / 100);
    assert_in_range(in_both_salts, ENTITIES * 5 / 1000, ENTITIES * 15 / 1000);
    cz_stages_unref(small);
    cz_stages_unref(large);
    cz_stages_unref(rest);
    cz_stages_unref(salted);
    cz_stages_unref(none);
}

/* Where a value is the entity it has the place that the same bytes have as a key. */
static void test_entities(void **state)
{
    (void)state;
    static const struct {
        const char *by, *value, *entity; /* NULL: the record itself */
    } rows[] = {
        {"value.id", "{\"id\":\"user-7\"}", "user-7"},
        {"value.id", "{\"id\":\"us\\u0065r-7\"}", "user-7"},
        {"value.id", "{\"id\":170}", "170"},
        {"value.id", "{\"id\":true}", "true"},
        {"value.id", "{\"id\":\"\"}", ""},
        {"value.a || value.b", "{\"b\":\"x\"}", "x"},
        {"key", "{\"id\":1}", "k"},
        {"value.id", "{\"id\":null}", NULL},
        {"value.id", "{}", NULL},
        {"value.id", NULL, NULL},
        {"record", "no json", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cz_record r = record_of("k", rows[i].value);
        struct cz_record key = record_of(rows[i].entity, "v");
        uint32_t want = place_of(rows[i].entity ? "key" : "record", "s", &key);
        assert_int_equal(place_of(rows[i].by, "s", &r), want);
    }
    struct cz_record keyless = record_of(NULL, "v"), other = keyless;
    assert_int_equal(place_of("key", "s", &keyless), place_of("record", "s", &keyless));
    other.offset++;
    assert_int_not_equal(place_of("key", "s", &keyless), place_of("key", "s", &other));
    other = keyless;
    other.partition++;
    assert_int_not_equal(place_of("record", "s", &keyless), place_of("record", "s", &other));
    other = keyless;
    other.topic = "in2";
    assert_int_not_equal(place_of("record", "s", &keyless), place_of("record", "s", &other));
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *value, *stage;
    } rows[] = {
        {"{\"id\":[1]}", "sample"}, {"{\"id\":{}}", "sample"}, {"{\"id\":", "decode"}};
    struct cz_stages *s = share("value.id", "", 0, 500000);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cz_record r = record_of("k", rows[i].value);
        struct cz_stage_result got;
        struct cz_error err = CZ_ERROR_INIT;
        cz_stages_run(s, ctx, &r, &got, &err);
        assert_int_equal(got.verdict, CZ_VERDICT_ERROR);
        assert_string_equal(got.stage, rows[i].stage);
        assert_true(err.text[0]);
    }
    cz_stages_unref(s);
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_stages_conf bad = {.sample = {.by = "value.["}};
    assert_int_equal(cz_stages_new(&bad, &s, &err), CZ_E_INVALID);
}

/* The filter comes first and has its own reason; the value map comes after. */
static void test_order(void **state)
{
    (void)state;
    json_t *map = json_loads("{\"value.id\":{\"1\":2}}", 0, NULL);
    struct cz_stages_conf conf = {
        .filter = "value.id == `1`", .value_map = map, .sample = {.by = "value.id", .to = 0}};
    struct cz_stages *none = stages(&conf);
    conf.sample.to = CZ_SAMPLE_UNITS;
    struct cz_stages *all = stages(&conf);
    struct cz_record out = record_of("k", "{\"id\":5}"), one = record_of("k", "{\"id\":1}");
    struct cz_stage_result got;
    struct cz_error err = CZ_ERROR_INIT;
    cz_stages_run(none, ctx, &out, &got, &err);
    assert_int_equal(got.drop, CZ_DROP_FILTER);
    cz_stages_run(none, ctx, &one, &got, &err);
    assert_int_equal(got.verdict, CZ_VERDICT_DROP);
    assert_int_equal(got.drop, CZ_DROP_SAMPLE);
    cz_stages_run(all, ctx, &one, &got, &err);
    assert_int_equal(got.verdict, CZ_VERDICT_PASS);
    assert_memory_equal(got.value.data, "{\"id\":2}", 8);
    assert_false(cz_stages_is_raw(all));
    cz_stages_unref(none);
    cz_stages_unref(all);
    json_decref(map);
}

int main(void)
{
    cz_json_init();
    ctx = cz_stage_ctx_new();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places_are_a_promise), cmocka_unit_test(test_shares),
        cmocka_unit_test(test_entities),             cmocka_unit_test(test_errors),
        cmocka_unit_test(test_order),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    cz_stage_ctx_free(ctx);
    return failed;
}
