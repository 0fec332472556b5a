/* SPDX-License-Identifier: Apache-2.0 */
/* The Avro reader: every type against a datum that fastavro wrote, and what it must refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "cz/avro.h"
#include "cz/avro_wire.h"

/* by fastavro's schemaless_writer */
static const char schema[] =
    "{\"type\":\"record\",\"name\":\"R\",\"namespace\":\"a.b\",\"fields\":[{\"name\":\"n\",\"type\":\"null"
    "\"},{\"name\":\"t\",\"type\":\"boolean\"},{\"name\":\"i\",\"type\":\"int\"},{\"name\":\"l\",\"type\":\"l"
    "ong\"},{\"name\":\"f\",\"type\":\"float\"},{\"name\":\"d\",\"type\":\"double\"},{\"name\":\"by\",\"typ"
    "e\":\"bytes\"},{\"name\":\"s\",\"type\":\"string\"},{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name"
    "\":\"E\",\"symbols\":[\"X\",\"Y\"]}},{\"name\":\"x\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\""
    ":2}},{\"name\":\"a\",\"type\":{\"type\":\"array\",\"items\":\"E\"}},{\"name\":\"m\",\"type\":{\"type\""
    ":\"map\",\"values\":\"long\"}},{\"name\":\"u\",\"type\":[\"null\",\"string\",\"R\"]},{\"name\":\"dec\""
    ",\"type\":{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":30,\"scale\":3}},{\"nam"
    "e\":\"ts\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}}]}";
static const char datum_hex[] =
    "01ffffffff0ffeffffffffffffffff01cdcccc3d9a9999999999b93f080061ff220868c3a9220280"
    "7a0400020002026b01000401ffffffff0ffeffffffffffffffff01cdcccc3d9a9999999999b93f08"
    "0061ff220868c3a92202807a0400020002026b01000204696e14fd62bd49b1898ebdbb83f6a1abfe"
    "f96214fd62bd49b1898ebdbb83f6a1abfef962";
static const char want[] =
    "{\"n\":null,\"t\":true,\"i\":-2147483648,\"l\":9223372036854775807,\"f\":0.1,\"d\":0.1,\"by\":"
    "\"\\u0000a\\u00ff\\u0022\",\"s\":\"hé\\\"\",\"e\":\"Y\",\"x\":\"\\u0080z\",\"a\":[\"X\",\"Y\"],\"m\":{\"k\":-1"
    "},\"u\":{\"n\":null,\"t\":true,\"i\":-2147483648,\"l\":9223372036854775807,\"f\":0.1,\"d\":0.1"
    ",\"by\":\"\\u0000a\\u00ff\\u0022\",\"s\":\"hé\\\"\",\"e\":\"Y\",\"x\":\"\\u0080z\",\"a\":[\"X\",\"Y\"],\"m\":{"
    "\"k\":-1},\"u\":\"in\",\"dec\":-12345678901234567890.045,\"ts\":1700000000123},\"dec\":-1234"
    "5678901234567890.045,\"ts\":1700000000123}";

static struct cz_avro_schema *compile(const char *text)
{
    struct cz_avro_schema *s = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    const struct cz_slice t = {text, strlen(text)};
    if (cz_avro_schema_new(&t, 1, &s, &err))
        fail_msg("%s", err.text);
    return s;
}

static void golden(void **state)
{
    (void)state;
    static char data[sizeof datum_hex / 2];
    size_t len = strlen(datum_hex) / 2;
    for (size_t i = 0; i < len; i++) {
        char two[3] = {datum_hex[2 * i], datum_hex[2 * i + 1], 0};
        data[i] = (char)strtol(two, NULL, 16);
    }
    struct cz_avro_schema *s = compile(schema);
    struct cz_buf out = CZ_BUF_INIT(1 << 20);
    assert_string_equal(cz_avro_schema_name(s), "a.b.R");
    assert_int_equal(cz_avro_to_json(s, NULL, data, len, &out, NULL), CZ_OK);
    assert_string_equal(cz_buf_str(&out), want);
    for (size_t cut = 0; cut < len; cut++) { /* in memory of its own, so that ASan sees more */
        char *part = cz_memdup(data, cut ? cut : 1);
        cz_buf_clear(&out);
        assert_int_equal(cz_avro_to_json(s, NULL, part, cut, &out, NULL), CZ_E_PARSE);
        cz_free(part);
    }
    struct cz_buf small = CZ_BUF_INIT(100);
    assert_int_equal(cz_avro_to_json(s, NULL, data, len, &small, NULL), CZ_E_TOO_LARGE);
    cz_buf_done(&small);
    cz_buf_done(&out);
    cz_avro_schema_free(s);
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *data;
        size_t len;
        const char *why;
    } cases[] = {
        {"\"boolean\"", "\2", 1, "neither 0 nor 1"},
        {"\"int\"", "\xff\xff\xff\xff\x7f", 5, "32 bits"},
        {"\"long\"", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10, "64 bits"},
        {"\"string\"", "\1", 1, "past the end"},
        {"\"string\"", "\2\xff", 2, "UTF-8"},
        {"\"null\"", "x", 1, "bytes follow"},
        {"[\"null\"]", "\2", 1, "no such branch"},
        {"{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}", "\2", 1, "no such symbol"},
        {"{\"type\":\"array\",\"items\":\"null\"}", "\x80\x80\x80\x80\x10\0", 6, "more items"},
        {"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"r\",\"type\":\"R\"}]}", "", 0,
         "too deep"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cz_avro_schema *s = compile(cases[i].schema);
        struct cz_buf out = CZ_BUF_INIT(1 << 20);
        struct cz_error err = CZ_ERROR_INIT;
        assert_int_equal(cz_avro_to_json(s, NULL, cases[i].data, cases[i].len, &out, &err), CZ_E_PARSE);
        if (!strstr(err.text, cases[i].why))
            fail_msg("%zu: %s", i, err.text);
        cz_buf_done(&out);
        cz_avro_schema_free(s);
    }
}

static void bad_schemas(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "{", "\"nothing\"", "[]", "[[\"int\"]]", "{\"type\":\"record\",\"name\":\"R\"}",
        "{\"type\":\"fixed\",\"name\":\"F\"}", "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[]}",
        "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"},"
        "{\"name\":\"a\",\"type\":\"int\"}]}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct cz_slice t = {bad[i], strlen(bad[i])};
        struct cz_avro_schema *s = NULL;
        if (!cz_avro_schema_new(&t, 1, &s, NULL))
            fail_msg("accepted: %s", bad[i]);
        assert_null(s);
    }
}

/* ---- the way back ---- */

static char hexed[4096];
static const char *hex_of(const struct cz_buf *b)
{
    for (size_t i = 0; i < b->len && i < sizeof hexed / 2 - 1; i++)
        (void)snprintf(hexed + 2 * i, 3, "%02x", (unsigned char)b->data[i]);
    hexed[b->len * 2] = 0;
    return hexed;
}

static size_t unhex(const char *hex, char *out)
{
    size_t n = strlen(hex) / 2;
    for (size_t i = 0; i < n; i++) {
        char two[3] = {hex[2 * i], hex[2 * i + 1], 0};
        out[i] = (char)strtol(two, NULL, 16);
    }
    return n;
}

/* JSON → hex, or "!reason". */
static const char *written(const char *schema_text, const char *json, const char *was_hex)
{
    static char was[2048], text[600];
    struct cz_avro_schema *s = compile(schema_text);
    struct cz_avro_writer *w = cz_avro_writer_new();
    struct cz_buf out = CZ_BUF_INIT(1 << 20);
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_slice old = {0};
    if (was_hex)
        old = (struct cz_slice){was, unhex(was_hex, was)};
    const char *ret = text;
    if (cz_avro_from_json(w, s, (struct cz_slice){json, strlen(json)}, old, &out, &err))
        (void)snprintf(text, sizeof text, "!%s", err.text);
    else
        ret = hex_of(&out);
    cz_buf_done(&out);
    cz_avro_writer_free(w);
    cz_avro_schema_free(s);
    return ret;
}

#define REC(fields) "{\"type\":\"record\",\"name\":\"R\",\"fields\":[" fields "]}"
#define F(name, type) "{\"name\":\"" name "\",\"type\":" type "}"
#define DEC(p, s) "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":" p ",\"scale\":" s "}"

static void writes(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *json, *was, *want;
    } cases[] = {
        {schema, want, datum_hex, datum_hex},
        {"\"long\"", "-1", NULL, "01"},
        {"\"long\"", "1e3", NULL, "d00f"},
        {"\"long\"", "1.5", NULL, "!not a whole number"},
        {"\"int\"", "2147483648", NULL, "!2147483648 is over 32 bits"},
        {"\"boolean\"", "true", NULL, "01"},
        {"\"string\"", "\"\\u00e9\"", NULL, "04c3a9"},
        {"\"bytes\"", "\"\\u00e9\"", NULL, "02e9"},
        {"\"bytes\"", "\"\\u0100\"", NULL, "!a character over U+00FF"},
        {"\"double\"", "\"NaN\"", NULL, "000000000000f87f"},
        {"\"float\"", "1e39", NULL, "!the number is too large"},
        {DEC("9", "2"), "-1.5", NULL, "04ff6a"},
        {DEC("9", "2"), "1.28", NULL, "040080"},
        {DEC("9", "2"), "0", NULL, "0200"},
        {DEC("9", "2"), "1.5e2", NULL, "043a98"},
        {DEC("9", "2"), "1.001", NULL, "!a decimal has more digits behind the point"},
        {DEC("3", "2"), "10.00", NULL, "!a decimal has more digits than its precision"},
        {"{\"type\":\"fixed\",\"name\":\"F\",\"size\":3,\"logicalType\":\"decimal\",\"precision\":6,\"scale\":0}",
         "-2", NULL, "fffffe"},
        {"{\"type\":\"fixed\",\"name\":\"U\",\"size\":16,\"logicalType\":\"uuid\"}",
         "\"00112233-4455-6677-8899-aabbccddeeff\"", NULL, "00112233445566778899aabbccddeeff"},
        {"[\"null\",\"int\",\"string\"]", "null", NULL, "00"},
        {"[\"null\",\"int\",\"string\"]", "\"a\"", NULL, "040261"},
        {"[\"null\",\"int\"]", "\"a\"", NULL, "!not a whole number"},
        {"[\"null\",\"int\",\"long\"]", "true", NULL, "!the value fits no branch"},
        {"[\"int\",\"long\"]", "5", "020a", "020a"},    /* the branch that it was */
        {"[\"int\",\"long\"]", "6", "020a", "020c"},    /* also with another value */
        {"\"long\"", "5", "8a00", "8a00"},              /* however odd the bytes are */
        {"{\"type\":\"array\",\"items\":\"int\"}", "[1,2]", NULL, "04020400"},
        {"{\"type\":\"map\",\"values\":\"int\"}", "{\"a\":1}", NULL, "020261" "0200"},
        {REC(F("a", "\"int\"") "," F("b", "\"int\"")), "{\"b\":2,\"a\":1}", NULL, "0204"},
        {REC(F("a", "\"int\"")), "{\"a\":1,\"b\":2}", NULL, "!record R has no field 'b'"},
        {REC(F("a", "\"int\"")), "{}", NULL, "!field a of R is missing and has no default"},
        {REC("{\"name\":\"a\",\"type\":[\"null\",\"int\"],\"default\":null}," F("b", "\"int\"")), "{\"b\":1}", NULL,
         "0002"},
        {REC("{\"name\":\"a\",\"type\":{\"type\":\"array\",\"items\":\"int\"},\"default\":[7]}"), "{}", NULL,
         "020e00"},
        {REC(F("a", "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"X\"]}")), "{\"a\":\"Y\"}", NULL,
         "!field a: 'Y' is no symbol of E"},
        {"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"r\",\"type\":[\"null\",\"R\"]}]}",
         "{\"r\":{\"r\":null}}", NULL, "0200"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = written(cases[i].schema, cases[i].json, cases[i].was);
        bool ok = cases[i].want[0] == '!' ? strncmp(got, cases[i].want, strlen(cases[i].want)) == 0
                                          : strcmp(got, cases[i].want) == 0;
        if (!ok)
            fail_msg("%zu: %s: got %s", i, cases[i].json, got);
    }
}

/* One field changes; every other byte stays, also those that we would have written otherwise. */
static void unchanged_bytes_stay(void **state)
{
    (void)state;
    static const char s[] = REC(F("n", "\"long\"") "," F("items", "{\"type\":\"array\",\"items\":[\"int\",\"long\"]}") ","
                                F("m", "{\"type\":\"map\",\"values\":\"string\"}"));
    /* n: 5 overlong; two blocks of one item, the second with a size; a map of one block with a size */
    static const char was[] = "8a00" "02" "0204" "01" "04" "0006" "00" "03" "0e" "0261" "0278" "0262" "0279" "00";
    assert_string_equal(written(s, "{\"n\":5,\"items\":[2,3],\"m\":{\"a\":\"x\",\"b\":\"y\"}}", was), was);
    assert_string_equal(written(s, "{\"n\":6,\"items\":[2,3],\"m\":{\"a\":\"x\",\"b\":\"y\"}}", was),
                        "0c" "02" "0204" "01" "04" "0006" "00" "03" "0e" "0261" "0278" "0262" "0279" "00");
    /* a changed item: its neighbour keeps its branch, the blocks become one */
    assert_string_equal(written(s, "{\"n\":5,\"items\":[2,4],\"m\":{\"a\":\"x\",\"b\":\"y\"}}", was),
                        "8a00" "04" "0204" "0008" "00" "03" "0e" "0261" "0278" "0262" "0279" "00");
    assert_string_equal(written(s, "{\"n\":5,\"items\":[2,3],\"m\":{\"b\":\"y\",\"c\":\"\"}}", was),
                        "8a00" "02" "0204" "01" "04" "0006" "00" "04" "0262" "0279" "0263" "00" "00");
}

/* Branches of branches that all fail late must not take for ever. */
static void unions_are_bounded(void **state)
{
    (void)state;
    static const char s[] =
        "{\"type\":\"record\",\"name\":\"A\",\"fields\":[{\"name\":\"n\",\"type\":[\"int\",\"A\","
        "{\"type\":\"record\",\"name\":\"B\",\"fields\":[{\"name\":\"n\",\"type\":[\"int\",\"A\",\"B\"]}]}]}]}";
    struct cz_buf json = CZ_BUF_INIT(4096);
    for (int i = 0; i < 50; i++)
        cz_buf_adds(&json, "{\"n\":");
    cz_buf_adds(&json, "\"no\"");
    for (int i = 0; i < 50; i++)
        cz_buf_addc(&json, '}');
    assert_int_equal(written(s, cz_buf_str(&json), NULL)[0], '!');
    cz_buf_done(&json);
}

static void planned(void **state)
{
    (void)state;
    struct cz_arena arena;
    cz_arena_init(&arena, 1 << 16);
    struct cz_json_trie root = {.slot = -1};
    cz_json_trie_child(&arena, cz_json_trie_child(&arena, &root, "u", 1, 0), "e", 1, 0)->slot = 0;
    cz_json_trie_child(&arena, &root, "s", 1, 0)->slot = 0;
    (void)cz_json_trie_child(&arena, &root, "absent", 6, 0);
    const struct cz_json_trie *tries[] = {&root};
    static char data[sizeof datum_hex / 2];
    size_t len = unhex(datum_hex, data);
    struct cz_avro_schema *s = compile(schema);
    struct cz_avro_plan *plan = cz_avro_plan_new(s, tries, 1);
    struct cz_buf out = CZ_BUF_INIT(1 << 20);
    assert_int_equal(cz_avro_to_json(s, plan, data, len, &out, NULL), CZ_OK);
    assert_string_equal(cz_buf_str(&out), "{\"s\":\"hé\\\"\",\"u\":{\"e\":\"Y\"}}");
    for (size_t cut = 0; cut < len; cut++) {
        char *part = cz_memdup(data, cut ? cut : 1);
        cz_buf_clear(&out);
        assert_int_equal(cz_avro_to_json(s, plan, part, cut, &out, NULL), CZ_E_PARSE);
        cz_free(part);
    }
    cz_buf_done(&out);
    cz_avro_plan_free(plan);
    cz_avro_schema_free(s);
    cz_arena_done(&arena);
}

static void nesting_is_explained(void **state)
{
    (void)state;
    struct cz_buf text = CZ_BUF_INIT(1 << 16);
    for (int i = 0; i < 40; i++)
        cz_buf_addf(&text, "{\"type\":\"record\",\"name\":\"R%d\",\"fields\":[{\"name\":\"f\",\"type\":", i);
    cz_buf_adds(&text, "\"int\"");
    for (int i = 0; i < 40; i++)
        cz_buf_adds(&text, "}]}");
    struct cz_avro_schema *s = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    const struct cz_slice t = {cz_buf_str(&text), text.len};
    assert_int_not_equal(cz_avro_schema_new(&t, 1, &s, &err), CZ_OK);
    assert_non_null(strstr(err.text, "about 21 records in one another"));
    cz_buf_done(&text);
}

static void wire(void **state)
{
    (void)state;
    static const char guid[] = "\1\0\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe\xf";
    static const struct cz_slice none = {0};
    char text[CZ_SCHEMA_NAME_SIZE];
    struct cz_avro_wire w;
    assert_int_equal(cz_avro_wire((struct cz_slice){"\0\x80\0\1\2x", 6}, none, &w, NULL), CZ_OK);
    assert_string_equal(cz_schema_name_text(&w.name, text), "2147483906");
    assert_int_equal(w.prefix, 5);
    assert_int_equal(w.datum.len, 1);
    assert_int_equal(cz_avro_wire((struct cz_slice){"\0\1\2\3", 4}, none, &w, NULL), CZ_E_PARSE);
    assert_int_equal(cz_avro_wire((struct cz_slice){"{\"a\":1}", 7}, none, &w, NULL), CZ_E_PARSE);
    assert_int_equal(cz_avro_wire((struct cz_slice){guid, 17}, none, &w, NULL), CZ_OK);
    assert_string_equal(cz_schema_name_text(&w.name, text), "00010203-0405-0607-0809-0a0b0c0d0e0f");
    assert_int_equal(cz_avro_wire((struct cz_slice){"x", 1}, (struct cz_slice){guid, 17}, &w, NULL), CZ_OK);
    assert_true(w.in_header && w.name.is_guid && w.datum.len == 1 && w.prefix == 0);
    assert_int_equal(cz_avro_wire((struct cz_slice){"x", 1}, (struct cz_slice){"\0\0\0\0\7", 5}, &w, NULL), CZ_OK);
    assert_true(w.in_header && !w.name.is_guid && w.name.id == 7);
    assert_int_equal(cz_avro_wire((struct cz_slice){"x", 1}, (struct cz_slice){"7", 1}, &w, NULL), CZ_E_PARSE);
}

static void forms(void **state)
{
    (void)state;
    static const char *const alike[][2] = {
        {"\"int\"", "{\"type\": \"int\", \"doc\": \"d\"}"},
        {"{\"type\":\"record\",\"name\":\"a.R\",\"fields\":[{\"name\":\"x\",\"type\":[\"null\",\"R\"]}]}",
         "{\"fields\":[{\"default\":null,\"name\":\"x\",\"type\":[{\"type\":\"null\"},\"a.R\"]}],"
         "\"name\":\"R\",\"namespace\":\"a\",\"type\":\"record\",\"aliases\":[\"Q\"]}"},
    };
    static const char *const different[] = {
        "\"int\"", "\"long\"", "{\"type\":\"array\",\"items\":\"int\"}", "{\"type\":\"map\",\"values\":\"int\"}",
        "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}", "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"B\",\"A\"]}",
        "{\"type\":\"enum\",\"name\":\"F\",\"symbols\":[\"A\",\"B\"]}", "{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}",
        "{\"type\":\"fixed\",\"name\":\"F\",\"size\":3}", "[\"int\",\"null\"]", "[\"null\",\"int\"]", "\"bytes\"",
        "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":4,\"scale\":1}",
        "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":4,\"scale\":2}",
        "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"x\",\"type\":\"int\"}]}",
        "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"y\",\"type\":\"int\"}]}",
    };
    for (size_t i = 0; i < sizeof alike / sizeof *alike; i++) {
        CZ_CLEANUP(cz_avro_schema_freep) struct cz_avro_schema *a = compile(alike[i][0]);
        CZ_CLEANUP(cz_avro_schema_freep) struct cz_avro_schema *b = compile(alike[i][1]);
        CZ_CLEANUP(cz_freep) char *x = cz_avro_schema_form(a);
        CZ_CLEANUP(cz_freep) char *y = cz_avro_schema_form(b);
        assert_string_equal(x, y);
    }
    char *seen[sizeof different / sizeof *different];
    for (size_t i = 0; i < sizeof different / sizeof *different; i++) {
        CZ_CLEANUP(cz_avro_schema_freep) struct cz_avro_schema *s = compile(different[i]);
        seen[i] = cz_avro_schema_form(s);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(seen[i], seen[k]);
    }
    for (size_t i = 0; i < sizeof different / sizeof *different; i++)
        cz_free(seen[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden),
        cmocka_unit_test(refused),
        cmocka_unit_test(bad_schemas),
        cmocka_unit_test(writes),
        cmocka_unit_test(unchanged_bytes_stay),
        cmocka_unit_test(unions_are_bounded),
        cmocka_unit_test(planned),
        cmocka_unit_test(nesting_is_explained),
        cmocka_unit_test(wire),
        cmocka_unit_test(forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
