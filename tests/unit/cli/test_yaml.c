/* SPDX-License-Identifier: Apache-2.0 */
/** The YAML subset: what is read as what, every refused form with its place, and that what is
 *  written reads back the same. */
#include "cz_test.h"

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/limits.h"
#include "yaml_doc.h"

static void reads_as_json(void **state)
{
    static const struct {
        const char *yaml, *json;
    } cases[] = {
        {"a: 1", "{\"a\":1}"},
        {"a: -1", "{\"a\":-1}"},
        {"a: +7", "{\"a\":7}"},
        {"a: 0", "{\"a\":0}"},
        {"a: 0x1F", "{\"a\":31}"},
        {"a: 0o17", "{\"a\":15}"},
        {"a: 9223372036854775807", "{\"a\":9223372036854775807}"},
        {"a: 1.5", "{\"a\":1.5}"},
        {"a: .5", "{\"a\":0.5}"},
        {"a: 1.", "{\"a\":1.0}"},
        {"a: 1e3", "{\"a\":1000.0}"},
        {"a: true\nb: False\nc: TRUE", "{\"a\":true,\"b\":false,\"c\":true}"},
        {"a: null\nb: ~\nc:\nd: Null", "{\"a\":null,\"b\":null,\"c\":null,\"d\":null}"},
        /* strings in the core schema, something else in YAML 1.1 */
        {"a: yes\nb: off\nc: y", "{\"a\":\"yes\",\"b\":\"off\",\"c\":\"y\"}"},
        {"a: 1:30\nb: 1_000\nc: 2024-01-01",
         "{\"a\":\"1:30\",\"b\":\"1_000\",\"c\":\"2024-01-01\"}"},
        {"a: 0b11\nb: 1e\nc: 0x\nd: .\ne: '-'",
         "{\"a\":\"0b11\",\"b\":\"1e\",\"c\":\"0x\",\"d\":\".\",\"e\":\"-\"}"},
        {"a: '1'\nb: \"true\"\nc: 'null'", "{\"a\":\"1\",\"b\":\"true\",\"c\":\"null\"}"},
        {"a: ''", "{\"a\":\"\"}"},
        {"1001: 1\ntrue: x\nnull: y\n010: z",
         "{\"1001\":1,\"true\":\"x\",\"null\":\"y\",\"010\":\"z\"}"},
        {"'<<': a", "{\"<<\":\"a\"}"},
        {"a: [1, two, {b: c}]", "{\"a\":[1,\"two\",{\"b\":\"c\"}]}"},
        {"- a\n- - b\n  - c\n", "[\"a\",[\"b\",\"c\"]]"},
        {"a: |\n  one\n  two\n", "{\"a\":\"one\\ntwo\\n\"}"},
        {"a: >-\n  one\n  two\n", "{\"a\":\"one two\"}"},
        {"a: \"\\u00e4\\n\"", "{\"a\":\"ä\\n\"}"},
        {"f: key == 'hello' && value.msg == 'world'",
         "{\"f\":\"key == 'hello' && value.msg == 'world'\"}"},
        {"{\"a\": [1, 2], \"b\": {}}", "{\"a\":[1,2],\"b\":{}}"},
        {"\xEF\xBB\xBF"
         "a: 1",
         "{\"a\":1}"},
        {"# only\na: 1 # here\n", "{\"a\":1}"},
        {"---\na: 1\n...\n", "{\"a\":1}"},
        {"a: 1\r\nb: 2\r\n", "{\"a\":1,\"b\":2}"},
        {"42", "42"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cz_yaml_docs docs = {0};
        struct cz_error err = CZ_ERROR_INIT;
        if (cz_yaml_read(cases[i].yaml, strlen(cases[i].yaml), &docs, &err))
            fail_msg("%s: %s", cases[i].yaml, err.text);
        assert_int_equal(docs.len, 1);
        char *text = cz_json_text(docs.items[0].value, false);
        assert_string_equal(text, cases[i].json);
        cz_free(text);
        cz_yaml_docs_done(&docs);
    }
}

static void refuses_with_place(void **state)
{
    static const struct {
        const char *yaml, *want; /* beginning of the error, or a part of it */
    } cases[] = {
        {"a: &x 1", "1:4: anchors are not allowed (&x)"},
        {"a: &x {b: 1}", "1:4: anchors"},
        {"a: &x [1]", "1:4: anchors"},
        {"&x a: 1", "1:1: anchors"},
        {"a: *x", "1:4: aliases are not allowed (*x)"},
        {"? *x\n: 1", "1:3: aliases"},
        {"a: !!str 1", "1:4: tags are not allowed"},
        {"a: !local 1", "1:4: tags"},
        {"a: ! 1", "1:4: tags"},
        {"a: !!map {}", "1:4: tags"},
        {"a: !!seq []", "1:4: tags"},
        {"%YAML 1.2\n---\na: 1", "directives (%YAML, %TAG) are not allowed"},
        {"%TAG ! tag:x,2000:\n---\na: 1", "directives"},
        {"<<: {a: 1}", "1:1: merge keys (<<) are not allowed"},
        {"a: 1\nb: 2\na: 3", "3:1: the key \"a\" is there twice"},
        {"{a: 1, 'a': 2}", "1:8: the key \"a\" is there twice"},
        {"? [a]\n: 1", "1:3: a key must be a scalar"},
        {"? {a: b}\n: 1", "1:3: a key must be a scalar"},
        {"?\n: 1", "a key is missing before the colon"},
        {"a: 010", "1:4: 010 is not a number everywhere"},
        {"a: -007", "1:4: -007 is not a number everywhere"},
        {"a: 00.5", "not a number everywhere"},
        {"a: .inf", "1:4: .inf is not a number"},
        {"a: -.INF", "is not a number"},
        {"a: .nan", "is not a number"},
        {"a: 9223372036854775808", "1:4: 9223372036854775808 does not fit in 64 bits"},
        {"a: 0xFFFFFFFFFFFFFFFF", "does not fit in 64 bits"},
        {"a: 1e999", "1:4: 1e999 is too large for a number"},
        {"a: \"x\\0y\"", "1:4: NUL is not allowed in a string"},
        {"\"x\\0y\": 1", "1:1: NUL is not allowed in a key"},
        {"a: \"\\ud800\"", "1:"},
        {"a: [1, 2", "that began in line 1"},
        {"a: 'x", "1:"},
        {"a: 1\n\tb: 2", "2:1:"},
        {"a: b: c", "1:5:"},
        {"a: @b", "1:4:"},
        {"a: 1\n b: 2", "2:3:"},
        {"a: x\xFFy", "1:5: not valid UTF-8"},
        {"ab\xC3", "1:3: not valid UTF-8"},
        {"\xED\xA0\x80", "1:1: not valid UTF-8"},
        {"a: x\x01y", "1:5: control characters are not allowed"},
        {"a: 1\n--- b: [\n", "2:6:"},
        {"\xFF\xFE"
         "a\0",
         "1:1: not valid UTF-8"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cz_yaml_docs docs = {0};
        struct cz_error err = CZ_ERROR_INIT;
        enum cz_err rc = cz_yaml_read(cases[i].yaml, strlen(cases[i].yaml), &docs, &err);
        if (!rc)
            fail_msg("%s: was read", cases[i].yaml);
        assert_int_equal(rc, CZ_E_PARSE);
        if (!strstr(err.text, cases[i].want))
            fail_msg("%s: \"%s\" does not contain \"%s\"", cases[i].yaml, err.text,
                     cases[i].want);
        assert_int_equal(docs.len, 0);
    }
}

static void bounds(void **state)
{
    struct cz_buf b = CZ_BUF_INIT(CZ_MAX_CLI_FILE + 100);
    struct cz_yaml_docs docs = {0};
    struct cz_error err = CZ_ERROR_INIT;
    (void)state;
    for (int depth = CZ_MAX_JSON_DEPTH; depth <= CZ_MAX_JSON_DEPTH + 1; depth++) {
        cz_buf_clear(&b);
        for (int i = 0; i < depth; i++)
            cz_buf_addc(&b, '[');
        for (int i = 0; i < depth; i++)
            cz_buf_addc(&b, ']');
        enum cz_err rc = cz_yaml_read(b.data, b.len, &docs, &err);
        assert_int_equal(rc, depth <= CZ_MAX_JSON_DEPTH ? CZ_OK : CZ_E_PARSE);
        cz_yaml_docs_done(&docs);
    }
    CONTAINS(err.text, "nested deeper than 64 levels");
    cz_buf_clear(&b);
    while (b.len <= CZ_MAX_CLI_FILE)
        cz_buf_adds(&b, "# a long comment in the file\n");
    cz_error_reset(&err);
    assert_int_equal(cz_yaml_read(b.data, b.len, &docs, &err), CZ_E_TOO_LARGE);
    cz_buf_done(&b);
}

static void several_documents(void **state)
{
    static const char text[] = "---\n# empty\n---\na: 1\n---\n~\n---\n- 2\n...\n---\nb: 3\n";
    struct cz_yaml_docs docs = {0};
    struct cz_error err = CZ_ERROR_INIT;
    (void)state;
    assert_int_equal(cz_yaml_read(text, sizeof text - 1, &docs, &err), CZ_OK);
    assert_int_equal(docs.len, 3);
    assert_int_equal(docs.items[0].index, 1);
    assert_int_equal(docs.items[1].index, 3);
    assert_int_equal(docs.items[2].index, 4);
    struct cz_yaml_place p = cz_yaml_find(text, sizeof text - 1, 4, "/b");
    assert_int_equal(p.line, 11);
    cz_yaml_docs_done(&docs);
    assert_int_equal(cz_yaml_read("", 0, &docs, &err), CZ_OK);
    assert_int_equal(docs.len, 0);
}

static void finds_places(void **state)
{
    static const char text[] =
        "api: x\nspec:\n  source: {cluster: c, topic: t}\n  topics:\n    - source: A\n"
        "    - source: B\n  'a/b~c': 1\n  value: [[1, 2], 3]\n";
    static const struct {
        const char *pointer;
        size_t line, column;
    } cases[] = {
        {"", 1, 1},
        {"/api", 1, 1},
        {"/spec", 2, 1},
        {"/spec/source/topic", 3, 24},
        {"/spec/source/missing", 3, 3}, /* the nearest that is there */
        {"/spec/topics/1/source", 6, 7},
        {"/spec/topics/2", 4, 3},
        {"/spec/a~1b~0c", 7, 3},
        {"/spec/value/0/1", 8, 15},
        {"/nothing", 1, 1},
        {"/ap", 1, 1},
        {"garbage", 1, 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cz_yaml_place p = cz_yaml_find(text, sizeof text - 1, 0, cases[i].pointer);
        if (p.line != cases[i].line || p.column != cases[i].column)
            fail_msg("%s: %zu:%zu", cases[i].pointer, p.line, p.column);
    }
    assert_int_equal(cz_yaml_find(text, sizeof text - 1, 1, "/api").line, 0);
    /* JSON is YAML enough */
    assert_int_equal(cz_yaml_find("{\n \"a\": {\"b\":\n1}}", 17, 0, "/a/b").line, 2);
}

static void writes_what_it_reads(void **state)
{
    static const char *const cases[] = {
        "{\"a\":\"1\",\"b\":\"true\",\"c\":\"\",\"d\":\"null\",\"e\":\"~\",\"f\":\"0x1\",\"g\":"
        "\"010\"}",
        "{\"a\":\"yes\",\"b\":\"Off\",\"c\":\"1:30\",\"d\":\"2024-01-01\",\"e\":\"1_0\",\"f\":"
        "\".inf\",\"g\":\"=\"}",
        "{\"a\":\"x: y\",\"b\":\"- x\",\"c\":\"#x\",\"d\":\"x "
        "#y\",\"e\":\"'x'\",\"f\":\"\\\"\",\"g\":\"{a\",\"h\":\"*x\",\"i\":\"&x\",\"j\":\"!x\","
        "\"k\":\"%x\",\"l\":\"@x\",\"m\":\"|\"}",
        "{\"a\":\"one\\ntwo\",\"b\":\"one\\n\",\"c\":\"\\n\",\"d\":\" one\\n  two "
        "\\n\\n\",\"e\":\"a\\n\\nb\\n\\n\\n\",\"f\":\"\\tx\\n\"}",
        "{\"a\":\"\\u0001\\u007f\\u0085\\u2028\\ufeff\",\"b\":\"日本 ä 😀\",\"c\":\" "
        "lead\",\"d\":\"trail \",\"e\":\"a\\rb\"}",
        "{\"1\":1,\"true\":2,\"\":3,\"<<\":4,\"a b\":5,\"? x\":6,\"x\\ny\":7,\"~\":8}",
        "{\"a\":[],\"b\":{},\"c\":[[],[1,[2,{\"d\":[]}]]],\"e\":[{\"f\":1,\"g\":2},{\"h\":null}"
        "]}",
        "{\"a\":1.5,\"b\":-0.25,\"c\":1e+100,\"d\":1.0,\"e\":9223372036854775807,\"f\":-"
        "9223372036854775808}",
        "[1,2]",
        "{}",
        "[]",
        "\"x\"",
        "\"a\\nb\\n\"",
        "\"\"",
        "7",
        "true",
        "\"...\"",
        "\"---\"",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        json_t *j = json_loads(cases[i], JSON_DECODE_ANY, NULL);
        assert_non_null(j);
        struct cz_buf b = CZ_BUF_INIT(65536);
        cz_yaml_write(&b, j);
        assert_false(b.failed);
        assert_int_equal(b.data[b.len - 1], '\n');
        struct cz_yaml_docs docs = {0};
        struct cz_error err = CZ_ERROR_INIT;
        if (cz_yaml_read(b.data, b.len, &docs, &err))
            fail_msg("%s\n%s\n%s", cases[i], b.data, err.text);
        assert_int_equal(docs.len, 1);
        if (!json_equal(j, docs.items[0].value))
            fail_msg("%s\n%s", cases[i], b.data);
        cz_yaml_docs_done(&docs);
        cz_buf_done(&b);
        json_decref(j);
    }
}

static void writes_plainly(void **state)
{
    json_t *j = json_loads("{\"name\":\"Topic B to C\",\"id\":\"17\",\"spec\":{\"f\":\"key == "
                           "'x'\",\"l\":[1,\"no\"]}}",
                           0, NULL);
    struct cz_buf b = CZ_BUF_INIT(65536);
    (void)state;
    cz_yaml_write(&b, j);
    assert_string_equal(
        b.data,
        "name: Topic B to C\nid: \"17\"\nspec:\n  f: key == 'x'\n  l:\n  - 1\n  - \"no\"\n");
    cz_buf_done(&b);
    json_decref(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_as_json),  cmocka_unit_test(refuses_with_place),
        cmocka_unit_test(bounds),         cmocka_unit_test(several_documents),
        cmocka_unit_test(finds_places),   cmocka_unit_test(writes_what_it_reads),
        cmocka_unit_test(writes_plainly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
