/* SPDX-License-Identifier: Apache-2.0 */
/** Config tables: JSON Schema and documents with defaults. */
#include "cz_test.h"

#include "cfg_sample.h"
#include "cz/json.h"

static json_t *at(json_t *j, const char *a, const char *b)
{
    json_t *v = json_object_get(j, a);
    return b ? json_object_get(v, b) : v;
}

static void schema(void **state)
{
    (void)state;
    json_t *s = cz_cfg_schema(sample_table);
    assert_non_null(s);
    assert_string_equal(cz_json_str(s, "type", ""), "object");
    assert_true(json_is_false(json_object_get(s, "additionalProperties")));
    CZ_CLEANUP(cz_freep) char *required = cz_json_text(json_object_get(s, "required"), true);
    assert_string_equal(required, "[\"name\"]");
    json_t *p = json_object_get(s, "properties");
    static const struct {
        const char *name, *want;
    } rows[] = {
        {"on", "{\"description\":\"Whether it is "
               "on.\",\"type\":\"boolean\",\"x-group\":\"General\"}"},
        {"count", "{\"default\":5,\"description\":\"How many.\",\"maximum\":100,\"minimum\":1,"
                  "\"type\":\"integer\",\"x-group\":\"General\",\"x-reload\":true}"},
        {"at_least", "{\"default\":0,\"minimum\":0,\"type\":\"integer\"}"},
        {"label", "{\"default\":\"none\",\"type\":[\"string\",\"null\"]}"},
        {"mode", "{\"default\":\"skip\",\"description\":\"What to do.\","
                 "\"enum\":[\"stop\",\"skip\",\"dead_letter\"],\"type\":\"string\"}"},
        {"topics", "{\"default\":[\"a\"],\"items\":{\"type\":\"string\"},\"type\":\"array\"}"},
        {"extra", "{\"type\":\"object\"}"},
        {"custom", "{\"default\":4,\"type\":\"integer\"}"},
        {"later", "{\"default\":1,\"type\":\"integer\",\"x-not-available\":true}"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CZ_CLEANUP(cz_freep) char *text = cz_json_text(json_object_get(p, rows[i].name), true);
        assert_string_equal(text, rows[i].want);
    }
    assert_string_equal(cz_json_str(at(p, "token", NULL), "format", ""), "secret-reference");
    assert_non_null(json_object_get(at(p, "tls", "properties"), "depth"));
    json_decref(s);
}

static void with_defaults(void **state)
{
    (void)state;
    static const struct {
        const char *in, *want;
    } rows[] = {
        {"{}", "{\"at_least\":0,\"box\":{\"depth\":7,\"verify\":true},\"count\":5,\"custom\":4,"
               "\"label\":\"none\","
               "\"later\":1,\"later_tls\":{\"depth\":3,\"verify\":true},\"mode\":\"skip\","
               "\"ratio\":0.5,"
               "\"tls\":{\"depth\":3,\"verify\":true},\"topics\":[\"a\"]}"},
        {"{\"count\":9,\"unknown\":[1],\"label\":null,\"tls\":{\"depth\":1,\"odd\":2},\"box\":{"
         "}}",
         "{\"at_least\":0,\"box\":{\"depth\":3,\"verify\":true},\"count\":9,\"custom\":4,"
         "\"label\":\"none\","
         "\"later\":1,\"later_tls\":{\"depth\":3,\"verify\":true},\"mode\":\"skip\",\"ratio\":"
         "0.5,"
         "\"tls\":{\"depth\":1,\"odd\":2,\"verify\":true},\"topics\":[\"a\"],\"unknown\":[1]}"},
        {"[1]", "[1]"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *j = NULL;
        assert_int_equal(cz_json_parse(rows[i].in, strlen(rows[i].in), &j, NULL), CZ_OK);
        json_t *full = cz_cfg_with_defaults(sample_table, j);
        CZ_CLEANUP(cz_freep) char *before = cz_json_text(j, false);
        CZ_CLEANUP(cz_freep) char *text = cz_json_text(full, true);
        assert_string_equal(before, rows[i].in);
        assert_string_equal(text, rows[i].want);
        json_decref(full);
        json_decref(j);
    }
}

int main(void)
{
    cz_json_init();
    const struct CMUnitTest tests[] = {cmocka_unit_test(schema),
                                       cmocka_unit_test(with_defaults)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
