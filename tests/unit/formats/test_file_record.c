/* SPDX-License-Identifier: Apache-2.0 */
/* Topic files: every odd record comes back byte for byte; other people's forms are read; broken
 * lines cost only themselves, however the bytes arrive. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "cz/file_record.h"
#include "cz/limits.h"

#define B(text) {text, sizeof(text) - 1}
#define S(text) ((struct cz_slice)B(text))
#define COUNT(a) (sizeof(a) / sizeof *(a))

static const struct cz_header odd_headers[] = {
    {B("a"), B("1")},
    {B("a"), {NULL, 0}},
    {B(""), B("")},
    {B("bin\xFF"), B("\x00\xFE")},
    {B("ü"), B("{\"x\":1}\n")},
};
static size_t some_headers(const struct cz_record *r, struct cz_header *out, size_t max)
{
    (void)r;
    for (size_t i = 0; i < COUNT(odd_headers) && i < max; i++)
        out[i] = odd_headers[i];
    return COUNT(odd_headers);
}

static void same(struct cz_slice a, struct cz_slice b, const char *what)
{
    if (!a.data != !b.data || a.len != b.len || (a.len && memcmp(a.data, b.data, a.len) != 0))
        fail_msg("%s: \"%.*s\" came back as \"%.*s\"", what, (int)a.len, a.data ? a.data : "(null)",
                 (int)b.len, b.data ? b.data : "(null)");
}

static void round_trip(struct cz_file_codec *c, struct cz_record r)
{
    struct cz_buf line = CZ_BUF_INIT(CZ_MAX_FILE_RECORD);
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_record got;
    assert_int_equal(cz_file_encode(c, &r, &line, &err), CZ_OK);
    assert_int_equal(line.data[line.len - 1], '\n');
    assert_ptr_equal(memchr(line.data, '\n', line.len), line.data + line.len - 1);
    if (cz_file_decode(c, line.data, line.len, &got, &err))
        fail_msg("%s: %s", line.data, err.text);
    same(r.key, got.key, "key");
    same(r.value, got.value, "value");
    assert_string_equal(got.topic, r.topic);
    assert_int_equal(got.partition, r.partition);
    assert_int_equal(got.offset, r.offset);
    assert_int_equal(got.ts_type, r.ts_type);
    assert_int_equal(got.timestamp_ms, r.ts_type == CZ_TS_NONE ? 0 : r.timestamp_ms);
    struct cz_header h[COUNT(odd_headers)];
    size_t n = got.headers(&got, h, COUNT(h));
    assert_int_equal(n, r.headers ? COUNT(odd_headers) : 0);
    for (size_t i = 0; i < n; i++) {
        same(odd_headers[i].name, h[i].name, "header name");
        same(odd_headers[i].value, h[i].value, "header value");
    }
    cz_buf_done(&line);
}

static const struct cz_slice odd[] = {
    {NULL, 0},
    B(""),
    B("text"),
    B("null"),
    B("true"),
    B("false"),
    B("nul"),
    B("12"),
    B("-0.0e+1"),
    B("012"),
    B("1e99999"),
    B("\"a JSON string\""),
    B("\"half"),
    B("{}"),
    B("{ \"b\" : 1.0,\t\"a\":[1 ,2], \"a\":\"\\u00e9\\/\" }"),
    B("{\n  \"pretty\": 1\n}"),
    B("{\"a\":1}\r"),
    B("{\"a\":1} "),
    B(" {\"a\":1}"),
    B("{\"a\":1}{\"b\":2}"),
    B("{\"a\":1"),
    B("{\"a\":tru}"),
    B("{\"a\":\"\xFF\"}"),
    B("[1,2,\"\\ud83d\\ude00\"]"),
    B("[\"\\ud83d\"]"),
    B("grün \xF0\x9F\x98\x80 \x01 \x7F \\ \" /"),
    B("\x00"),
    B("a\x00z"),
    B("\xFF"),
    B("\xFF\xFE"),
    B("\x00\x01\xFE\xFF"),
    B("\xED\xA0\x80"),
    B("\xC3"),
    B("line\nline\r\n"),
    B("\xE2\x80\xA8"),
};

static void odd_records(void **state)
{
    (void)state;
    struct cz_file_codec *c = cz_file_codec_new();
    for (size_t i = 0; i < COUNT(odd); i++) {
        for (size_t k = 0; k < COUNT(odd); k++)
            round_trip(c, (struct cz_record){.topic = "orders",
                                             .partition = (int32_t)k,
                                             .offset = INT64_MAX - (int64_t)i,
                                             .timestamp_ms = 1700000000123,
                                             .ts_type = (enum cz_ts_type)(k % 3),
                                             .key = odd[i],
                                             .value = odd[k],
                                             .headers = k % 2 ? some_headers : NULL});
    }
    cz_file_codec_free(c);
}

static void deep_and_random(void **state)
{
    (void)state;
    struct cz_file_codec *c = cz_file_codec_new();
    char text[2 * CZ_MAX_RECORD_JSON_DEPTH + 2];
    for (size_t n = CZ_MAX_RECORD_JSON_DEPTH - 2; n <= CZ_MAX_RECORD_JSON_DEPTH + 1; n++) {
        memset(text, '[', n);
        memset(text + n, ']', n);
        round_trip(c, (struct cz_record){.topic = "t", .value = {text, 2 * n}});
    }
    uint32_t seed = 1;
    for (size_t i = 0; i < 20000; i++) {
        size_t n = i % 40;
        for (size_t k = 0; k < n; k++) {
            seed = seed * 1664525 + 1013904223;
            text[k] = i % 2 ? "{}[]\":,\\ntu\n 01"[seed >> 28] : (char)(seed >> 24);
        }
        round_trip(c, (struct cz_record){.topic = "t", .key = {text, n}, .value = {text, n / 2}});
    }
    size_t big = 3 * 1024 * 1024;
    char *bytes = cz_alloc(big);
    for (size_t i = 0; i < big; i++)
        bytes[i] = (char)(i * 7);
    round_trip(c, (struct cz_record){.topic = "t", .value = {bytes, big}});
    cz_free(bytes);
    cz_file_codec_free(c);
}

static void in_place(void **state)
{
    (void)state;
    struct cz_file_codec *c = cz_file_codec_new();
    struct cz_buf line = CZ_BUF_INIT(1024);
    struct cz_record r = {.topic = "t", .key = S("k"), .value = S("{\"a\": 1.0}"), .offset = 7};
    assert_int_equal(cz_file_encode(c, &r, &line, NULL), CZ_OK);
    assert_string_equal(line.data, "{\"topic\":\"t\",\"key\":\"k\",\"value\":{\"a\": 1.0},"
                                   "\"partition\":0,\"offset\":7}\n");
    size_t before = line.len;
    char big[2000] = {'x'};
    r.value = (struct cz_slice){big, sizeof big};
    assert_int_equal(cz_file_encode(c, &r, &line, NULL), CZ_E_LIMIT);
    assert_int_equal(line.len, before);
    cz_buf_clear(&line);
    r.value = S("\xFF\x00");
    assert_int_equal(cz_file_encode(c, &r, &line, NULL), CZ_OK);
    assert_non_null(strstr(line.data, "\"value\":\"/wA=\",\"value_encoding\":\"base64\""));
    cz_buf_done(&line);
    cz_file_codec_free(c);
}

static void foreign_lines(void **state)
{
    (void)state;
    struct cz_file_codec *c = cz_file_codec_new();
    struct cz_record r;
    struct cz_header h[2];
    static const char kcat[] =
        "{\"topic\":\"t\",\"partition\":3,\"offset\":9,\"tstype\":\"create\",\"ts\":1234,\"broker\":0,"
        "\"headers\":[\"a\",\"1\",\"b\",null],\"key\":null,\"payload\":\"{\\\"x\\\":1}\"}";
    assert_int_equal(cz_file_decode(c, kcat, sizeof kcat - 1, &r, NULL), CZ_OK);
    assert_int_equal(r.partition, 3);
    assert_int_equal(r.timestamp_ms, 1234);
    assert_int_equal(r.ts_type, CZ_TS_CREATE);
    assert_null(r.key.data);
    same(S("{\"x\":1}"), r.value, "payload");
    assert_int_equal(r.headers(&r, h, 2), 2);
    same(S("b"), h[1].name, "name");
    assert_null(h[1].value.data);
    static const char object[] = "{\"value\":[ 1 ],\"headers\":{\"n\":\"v\"}}";
    assert_int_equal(cz_file_decode(c, object, sizeof object - 1, &r, NULL), CZ_OK);
    same(S("[ 1 ]"), r.value, "value");
    assert_int_equal(r.headers(&r, NULL, 0), 1);
    assert_int_equal(r.headers(&r, h, 2), 1);
    same(S("v"), h[0].value, "header");
    cz_file_codec_free(c);
}

static void bad_lines(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum cz_err want;
    } bad[] = {
        {"", CZ_E_PARSE},
        {"{\"value\":1", CZ_E_PARSE},
        {"{\"value\":{\"a\":tru}}", CZ_E_PARSE},
        {"[1]", CZ_E_INVALID},
        {"17", CZ_E_INVALID},
        {"{}", CZ_E_INVALID},
        {"{\"value\":1,\"value_encoding\":\"base64\"}", CZ_E_INVALID},
        {"{\"value\":\"YQ\",\"value_encoding\":\"base64\"}", CZ_E_INVALID},
        {"{\"value\":\"YR==\",\"value_encoding\":\"base64\"}", CZ_E_INVALID},
        {"{\"value\":\"====\",\"value_encoding\":\"base64\"}", CZ_E_INVALID},
        {"{\"value\":\"YQ==\",\"value_encoding\":\"hex\"}", CZ_E_INVALID},
        {"{\"value\":1,\"timestamp\":\"soon\"}", CZ_E_INVALID},
        {"{\"value\":1,\"timestamp\":1.5}", CZ_E_INVALID},
        {"{\"value\":1,\"partition\":4294967296}", CZ_E_INVALID},
        {"{\"value\":1,\"topic\":{}}", CZ_E_INVALID},
        {"{\"value\":1,\"headers\":[\"a\"]}", CZ_E_INVALID},
        {"{\"value\":1,\"headers\":[{\"name\":1}]}", CZ_E_INVALID},
        {"{\"value\":1,\"headers\":\"a\"}", CZ_E_INVALID},
    };
    struct cz_file_codec *c = cz_file_codec_new();
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct cz_record r;
        struct cz_error err = CZ_ERROR_INIT;
        enum cz_err got = cz_file_decode(c, bad[i].text, strlen(bad[i].text), &r, &err);
        if (got != bad[i].want || !err.text[0])
            fail_msg("%s: %s \"%s\"", bad[i].text, cz_err_name(got), err.text);
    }
    cz_file_codec_free(c);
}

/* Feed @file in pieces of @step bytes; the records joined by '|'. */
static void split(const char *file, size_t step, char *out, size_t size)
{
    struct cz_file_split s = CZ_FILE_SPLIT_INIT;
    size_t n = strlen(file), at = 0, end = 0, used;
    struct cz_slice r;
    *out = '\0';
    while (at < n || end < n) {
        end = end + step < n ? end + step : n;
        while (cz_file_split_next(&s, file + at, end - at, end == n, &r, &used)) {
            size_t have = strlen(out);
            (void)snprintf(out + have, size - have, "%.*s|", (int)r.len, r.data);
            at += used;
        }
        at += used;
    }
}

static void splitting(void **state)
{
    (void)state;
    static const struct {
        const char *file, *want;
    } cases[] = {
        {"", ""},
        {"\n\n \r\n", ""},
        {"{1}\n{2}\n", "{1}|{2}|"},
        {"{1}\r\n\r\n  {2}", "{1}|{2}|"},
        {"\xEF\xBB\xBF{1}\n[broken\n{2}\n", "{1}|[broken|{2}|"},
        {"[]", ""},
        {"[{\"a\":[1,\"],\\\"\"]},\n {2} ]\n", "{\"a\":[1,\"],\\\"\"]}|{2}|"},
        {" [1,2", "1|2|"},
        {"[1]\n{2}\n", "1|{2}|"},
        {"x", "x|"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (size_t step = 1; step < 40; step++) {
            char got[200];
            split(cases[i].file, step, got, sizeof got);
            if (strcmp(got, cases[i].want) != 0)
                fail_msg("%s by %zu: %s", cases[i].file, step, got);
        }
    }
}

static void names(void **state)
{
    (void)state;
    static const char *const good[] = {"orders", "a.b-c_D9", "x"};
    static const char *const bad[] = {"", ".", "..", "a..b", ".a", "a/b", "/a", "a\\b", "ü", "a b", "a\n"};
    for (size_t i = 0; i < COUNT(good); i++)
        assert_int_equal(cz_file_name_check(good[i], NULL), CZ_OK);
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(cz_file_name_check(bad[i], NULL), CZ_E_INVALID);
    char long_name[CZ_MAX_NAME + 2] = {0};
    memset(long_name, 'a', CZ_MAX_NAME + 1);
    assert_int_equal(cz_file_name_check(long_name, NULL), CZ_E_INVALID);
    assert_int_equal(cz_file_name_check(long_name + 1, NULL), CZ_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(odd_records),   cmocka_unit_test(deep_and_random),
        cmocka_unit_test(in_place),      cmocka_unit_test(foreign_lines),
        cmocka_unit_test(bad_lines),     cmocka_unit_test(splitting),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
