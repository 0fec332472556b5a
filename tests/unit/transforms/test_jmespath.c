/* SPDX-License-Identifier: Apache-2.0 */
/* The expression language beyond the compliance suite: records as roots, what is decoded, exact
 * numbers, bounds, error texts, and the fast program against the tree for random expressions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "cz/jmespath.h"
#include "cz/limits.h"

static struct cz_jmespath *compile(const char *text)
{
    struct cz_jmespath *x = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    if (cz_jmespath_compile(text, strlen(text), &x, &err) != CZ_OK)
        fail_msg("%s: %s", text, err.text);
    return x;
}

static struct cz_slice slice(const char *s)
{
    return (struct cz_slice){s, s ? strlen(s) : 0};
}

static size_t headers(const struct cz_record *r, struct cz_header *out, size_t max)
{
    (void)r;
    assert_true(max >= 3);
    out[0] = (struct cz_header){slice("trace"), slice("t-1")};
    out[1] = (struct cz_header){slice("trace"), slice("t-2")};
    out[2] = (struct cz_header){slice("none"), slice(NULL)};
    return 3;
}

static size_t no_headers(const struct cz_record *r, struct cz_header *out, size_t max)
{
    (void)r;
    (void)out;
    (void)max;
    fail_msg("headers were read for nothing");
    return 0;
}

#define ORDER                                                                                  \
    "{\"event\":{\"type\":\"sale\"},\"id\":9007199254740993,\"n\":[1,2],\"z\":0,\"e\":{}}"

static const struct {
    const char *expr, *key, *value;
    int want; /* 1 passes, 0 does not, -1 error */
} records[] = {
    {"value.event.type == 'sale'", NULL, ORDER, 1},
    {"value.event.type == 'view'", NULL, ORDER, 0},
    {"value.event.\"type\" == `\"sale\"`", NULL, ORDER, 1},
    {"value.id == `9007199254740993`", NULL, ORDER, 1},
    {"value.id == `9007199254740992`", NULL, ORDER, 0},
    {"value.id > `9007199254740992`", NULL, ORDER, 1},
    {"value.z", NULL, ORDER, 1}, /* 0 is true */
    {"value.e", NULL, ORDER, 0},
    {"value.n[0] == `1.0`", NULL, ORDER, 1},
    {"value.n[-1] == `2`", NULL, ORDER, 1},
    {"value.missing", NULL, ORDER, 0},
    {"!(value.missing)", NULL, ORDER, 1},
    {"!value.missing", NULL, ORDER, 0}, /* (!value).missing, as everywhere */
    {"length(value.n) == `2` && contains(value.n, `2`)", NULL, ORDER, 1},
    {"value.n[?@ > `1`]", NULL, ORDER, 1},
    {"value.n[?@ > `5`]", NULL, ORDER, 0},
    {"value", NULL, NULL, 0},
    {"value == `null`", NULL, NULL, 1},
    {"value.a.b", NULL, NULL, 0},
    {"value == `3`", NULL, "3", 1},
    {"value == 'x'", NULL, "\"x\"", 1},
    {"value.a == 'A\"'", NULL, "{\"a\":\"\\u0041\\\"\"}", 1},
    {"value.a == `1`", NULL, "{\"a\":2,\"a\":1}", 1},
    {"value", NULL, "", -1},
    {"value.a", NULL, "{\"a\":1", -1},
    {"value.a", NULL, "{\"a\":1,\"b\":[}", -1},
    {"value.a", NULL, "{\"a\":tru}", -1},
    {"value.b", NULL, "{\"a\":tru,\"b\":true}", 1}, /* not read, so not checked */
    {"topic == 'orders'", NULL, "no JSON", 1},      /* nor is the value at all */
    {"abs(value.a)", NULL, "{\"a\":\"x\"}", -1},
    {"key == 'hello'", "hello", NULL, 1},
    {"key == 'hello'", "\"hello\"", NULL, 1},
    {"key == `123`", "123", NULL, 1},
    {"key == '123'", "123", NULL, 0},
    {"key == '12x'", "12x", NULL, 1},
    {"key == '{abc}'", "{abc}", NULL, 1},
    {"key == '[abc]'", "[abc]", NULL, 1},
    {"key.id == `7`", "{\"id\":7}", NULL, 1},
    {"key == ''", "", NULL, 1},
    {"key == `null`", NULL, NULL, 1},
    {"key", "\xff\xfe", NULL, -1},
    {"partition == `3` && offset == `42` && timestamp == `1700000000000`", NULL, NULL, 1},
    {"headers.trace == 't-2'", NULL, NULL, 1},
    {"headers.none == `null` && headers.other == `null`", NULL, NULL, 1},
    {"length(headers) == `2`", NULL, NULL, 1},
    {"topic.x || other || other.x[0]", NULL, NULL, 0},
    {"sort(keys(@)) | join(',', @) == 'headers,key,offset,partition,timestamp,topic,value'",
     NULL, NULL, 1},
    {"@.value.event.type == 'sale' && @.topic == 'orders'", "k", ORDER, 1},
    {"[topic, value.z] == `[\"orders\", 0]`", NULL, ORDER, 1},
    {"{t: topic}.t == 'orders'", NULL, ORDER, 1},
    {"value.[z, id][0] == `0`", NULL, ORDER, 1},
    {"value.x.[z]", NULL, ORDER, 0},
    {"value.event.type < 'salf' && value.event.type >= 'sale'", NULL, ORDER, 1},
    {"value.event < `1`", NULL, ORDER, 0},
};

static int
outcome(struct cz_eval *e, const struct cz_jmespath *x, const char *key, const char *value)
{
    struct cz_record r = {.topic = "orders",
                          .partition = 3,
                          .offset = 42,
                          .timestamp_ms = 1700000000000,
                          .ts_type = CZ_TS_CREATE,
                          .key = slice(key),
                          .value = slice(value),
                          .headers = headers};
    bool pass = false;
    if (!(cz_jmespath_reads(x) & CZ_READS_HEADERS))
        r.headers = no_headers;
    cz_eval_begin(e, &r, NULL);
    return cz_jmespath_match(x, e, &pass, NULL) == CZ_OK ? pass : -1;
}

static void over_records(void **state)
{
    (void)state;
    CZ_CLEANUP(cz_eval_freep) struct cz_eval *e = cz_eval_new();
    for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
        CZ_CLEANUP(cz_jmespath_freep) struct cz_jmespath *x = compile(records[i].expr);
        int got = outcome(e, x, records[i].key, records[i].value);
        if (got != records[i].want)
            fail_msg("%s over %s: %d", records[i].expr, records[i].value, got);
    }
}

static void formats(void **state)
{
    (void)state;
    CZ_CLEANUP(cz_eval_freep) struct cz_eval *e = cz_eval_new();
    CZ_CLEANUP(cz_jmespath_freep)
    struct cz_jmespath *x = compile("key == '123' && value == '{}'");
    CZ_CLEANUP(cz_jmespath_freep) struct cz_jmespath *a = compile("value.a");
    struct cz_record r = {.topic = "t", .key = slice("123"), .value = slice("{}")};
    struct cz_eval_options o = {.key_format = CZ_SIDE_RAW, .value_format = CZ_SIDE_RAW};
    bool pass = false;
    cz_eval_begin(e, &r, &o);
    assert_int_equal(cz_jmespath_match(x, e, &pass, NULL), CZ_OK);
    assert_true(pass);
    o.key_format = CZ_SIDE_JSON;
    r.key = slice("hello");
    struct cz_error err = CZ_ERROR_INIT;
    cz_eval_begin(e, &r, &o);
    assert_int_equal(cz_jmespath_match(x, e, &pass, &err), CZ_E_PARSE);
    assert_non_null(strstr(err.text, "key is not JSON: position 0"));
    o = (struct cz_eval_options){.validate_full = true};
    r.value = slice("{\"a\":1,\"b\":tru}");
    cz_eval_begin(e, &r, &o);
    assert_int_equal(cz_jmespath_match(a, e, &pass, NULL), CZ_E_PARSE);
    o.validate_full = false;
    cz_eval_begin(e, &r, &o);
    assert_int_equal(cz_jmespath_match(a, e, &pass, NULL), CZ_OK);
}

static void documents(void **state)
{
    (void)state;
    CZ_CLEANUP(cz_eval_freep) struct cz_eval *e = cz_eval_new();
    CZ_CLEANUP(cz_jmespath_freep) struct cz_jmespath *x = compile("value.a");
    struct cz_record r = {.topic = "t", .key = slice("text"), .value = slice("{\"a\":1}")};
    const struct cz_json_doc *doc = NULL;
    bool pass;
    cz_eval_begin(e, &r, NULL);
    assert_int_equal(cz_jmespath_match(x, e, &pass, NULL), CZ_OK);
    assert_int_equal(cz_eval_value_doc(e, &doc, NULL), CZ_OK);
    assert_ptr_equal(doc->data, r.value.data);
    assert_int_equal(cz_eval_key_doc(e, &doc, NULL), CZ_OK);
    assert_null(doc);
    r.value = slice(NULL);
    cz_eval_begin(e, &r, NULL);
    assert_int_equal(cz_eval_value_doc(e, &doc, NULL), CZ_OK);
    assert_null(doc);
    r.value = slice("{\"a\":");
    cz_eval_begin(e, &r, NULL);
    assert_int_equal(cz_eval_value_doc(e, &doc, NULL), CZ_E_PARSE);
}

static void reads(void **state)
{
    (void)state;
    static const struct {
        const char *expr;
        uint32_t want;
        bool tree;
    } cases[] = {
        {"value.a == key", CZ_READS_VALUE | CZ_READS_KEY, false},
        {"topic == 'a' || headers.x", CZ_READS_TOPIC | CZ_READS_HEADERS, false},
        {"`true`", 0, false},
        {"[offset, partition]", CZ_READS_OFFSET | CZ_READS_PARTITION, false},
        {"@.timestamp", CZ_READS_TIMESTAMP, false},
        {"map(&value, value)", CZ_READS_VALUE, false},
        {"unknown", 0, false},
        {"@", CZ_READS_ALL, true},
        {"keys(@)", CZ_READS_ALL, true},
        {"*", CZ_READS_ALL, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CZ_CLEANUP(cz_jmespath_freep) struct cz_jmespath *x = compile(cases[i].expr);
        assert_int_equal(cz_jmespath_reads(x), cases[i].want);
        assert_int_equal(cz_jmespath_needs_tree(x), cases[i].tree);
    }
}

static void error_texts(void **state)
{
    (void)state;
    static const struct {
        const char *expr, *text, *category;
    } cases[] = {
        {"", "position 0: the expression ends too early", "syntax"},
        {"a.", "position 2: the expression ends too early", "syntax"},
        {"a = b", "position 2: a single '='; equality is '=='", "syntax"},
        {"a == `x`", "position 5: a literal must be JSON; a string is 'text'", "syntax"},
        {"a && (b", "position 7: the expression ends too early", "syntax"},
        {"a b", "position 2: unexpected here", "syntax"},
        {"foo(a)", "position 0: there is no function foo()", "unknown-function"},
        {"a.length()", "position 2: length() takes 1 argument, not 0", "invalid-arity"},
        {"a[::0]", "position 1: a slice step of 0", "invalid-value"},
        {"abs('x')", "position 0: abs() needs number, not string", "invalid-type"},
        {"a || to_number(&a)", "position 5: to_number() needs a value, not &expression",
         "invalid-type"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cz_error err = CZ_ERROR_INIT;
        CZ_CLEANUP(cz_buf_done) struct cz_buf out = CZ_BUF_INIT(100);
        enum cz_err rc =
            cz_jmespath_eval_text(cases[i].expr, strlen(cases[i].expr), "{}", 2, &out, &err);
        assert_int_equal(rc, CZ_E_INVALID);
        assert_int_equal(strncmp(err.text, cases[i].text, strlen(cases[i].text)), 0);
        assert_string_equal(cz_jmespath_category_name(err.detail), cases[i].category);
    }
}

static enum cz_err eval(const char *expr, const char *json, struct cz_buf *out)
{
    return cz_jmespath_eval_text(expr, strlen(expr), json, strlen(json), out, NULL);
}

static void exact_text(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"a", "{\"a\":12345678901234567890.10}", "12345678901234567890.10"},
        {"abs(a)", "{\"a\":-12345678901234567890}", "12345678901234567890"},
        {"sum(a)", "{\"a\":[9007199254740993,1]}", "9007199254740994"},
        {"sum(@)", "[0.1,0.2]", "0.30000000000000004"},
        {"avg(@)", "[1,2]", "1.5"},
        {"avg(@)", "[2,4]", "3"},
        {"ceil(@)", "1.2", "2"},
        {"floor(@)", "-1.2", "-2"},
        {"floor(@)", "1e300", "1e300"},
        {"sort(@)", "[9007199254740993,9007199254740992,1.5]",
         "[1.5,9007199254740992,9007199254740993]"},
        {"reverse(@)", "\"a\xc3\xa9z\"",
         "\"z\xc3\xa9"
         "a\""},
        {"length(@)", "\"\\ud83d\\ude00x\"", "2"},
        {"sort_by(@, &a)[].b", "[{\"a\":2,\"b\":1},{\"a\":1,\"b\":2},{\"a\":2,\"b\":3}]",
         "[2,1,3]"},
        {"{a: `1`, a: `2`}", "{}", "{\"a\":2}"},
        {"to_string(@)", "{\"a\" : \"x\\u00e9\"}", "\"{\\\"a\\\":\\\"x\\\\u00e9\\\"}\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CZ_CLEANUP(cz_buf_done) struct cz_buf out = CZ_BUF_INIT(1000);
        assert_int_equal(eval(cases[i][0], cases[i][1], &out), CZ_OK);
        assert_string_equal(cz_buf_str(&out), cases[i][2]);
    }
}

/* A text of @n times @part between two ends. */
static char *repeated(const char *begin, const char *part, size_t n, const char *end)
{
    struct cz_buf b = CZ_BUF_INIT(8 * 1024 * 1024);
    cz_buf_adds(&b, begin);
    for (size_t i = 0; i < n; i++)
        cz_buf_adds(&b, part);
    cz_buf_adds(&b, end);
    return cz_buf_steal(&b);
}

static void bounds(void **state)
{
    (void)state;
    static const struct {
        const char *begin, *part, *end;
        size_t n;
        enum cz_err want;
    } cases[] = {
        {"a", "||a", "", 1300, CZ_OK},     {"a", ".a", "", 2000, CZ_OK},
        {"a", "|a", "", 2000, CZ_OK},      {"a", "[0]", "", 1300, CZ_OK},
        {"a", "[*].b", "", 104, CZ_OK},    {"a", " ", "", 5000, CZ_E_LIMIT},
        {"", "(", "", 4000, CZ_E_LIMIT},   {"", "!", "a", 4000, CZ_E_LIMIT},
        {"", "[", "", 4000, CZ_E_LIMIT},   {"a", "[*]", "", 1300, CZ_E_LIMIT},
        {"a", "[]", "", 2000, CZ_E_LIMIT}, {"a", "<a", "", 2000, CZ_E_LIMIT},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CZ_CLEANUP(cz_freep)
        char *expr = repeated(cases[i].begin, cases[i].part, cases[i].n, cases[i].end);
        CZ_CLEANUP(cz_buf_done) struct cz_buf out = CZ_BUF_INIT(1000);
        if (eval(expr, "{}", &out) != cases[i].want)
            fail_msg("%s%s...: %s", cases[i].begin, cases[i].part, cz_buf_str(&out));
    }
    CZ_CLEANUP(cz_freep) char *big = repeated("[0", ",0", 60000, "]");
    CZ_CLEANUP(cz_buf_done) struct cz_buf out = CZ_BUF_INIT(CZ_MAX_EVAL_OUTPUT);
    /* each step is harmless, together they exceed the steps or the memory */
    assert_int_equal(eval("map(&[@,@,@,@,@,@,@,@,@,@,@,@,@,@,@,@,@,@,@], @)", big, &out),
                     CZ_E_LIMIT);
    CZ_CLEANUP(cz_freep) char *twice = repeated("@", "|[@,@]", 40, "|to_string(@)");
    assert_int_equal(eval(twice, "1", &out), CZ_E_LIMIT);
    struct cz_buf small = CZ_BUF_INIT(1000);
    assert_int_equal(eval("@", big, &small), CZ_E_LIMIT);
    cz_buf_done(&small);
}

/* Every allocation that may fail fails once: an error, nothing worse. */
static void out_of_memory(void **state)
{
    (void)state;
    CZ_CLEANUP(cz_jmespath_freep)
    struct cz_jmespath *x =
        compile("sort_by(value.n, &@)[0] == `1` && to_string(value) != key && headers.trace");
    long n = 0;
    for (int got = -1; got < 0; n++) {
        CZ_CLEANUP(cz_eval_freep) struct cz_eval *e = cz_eval_new();
        cz_alloc_fail_after(n);
        got = outcome(e, x, "k", ORDER);
        cz_alloc_fail_after(-1);
    }
    assert_true(n > 2);
    static const char text[] = "a[?b == `{\"c\":1}`] | [0]";
    for (n = 0; n < 20; n++) {
        struct cz_jmespath *y = NULL;
        cz_alloc_fail_after(n);
        enum cz_err rc = cz_jmespath_compile(text, strlen(text), &y, NULL);
        cz_alloc_fail_after(-1);
        assert_int_equal(rc == CZ_OK, y != NULL);
        cz_jmespath_free(y);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(over_records), cmocka_unit_test(formats),
        cmocka_unit_test(documents),    cmocka_unit_test(reads),
        cmocka_unit_test(error_texts),  cmocka_unit_test(exact_text),
        cmocka_unit_test(bounds),       cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
