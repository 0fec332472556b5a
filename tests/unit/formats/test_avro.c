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
    assert_int_equal(cz_avro_to_json(s, data, len, &out, NULL), CZ_OK);
    assert_string_equal(cz_buf_str(&out), want);
    for (size_t cut = 0; cut < len; cut++) { /* in memory of its own, so that ASan sees more */
        char *part = cz_memdup(data, cut ? cut : 1);
        cz_buf_clear(&out);
        assert_int_equal(cz_avro_to_json(s, part, cut, &out, NULL), CZ_E_PARSE);
        cz_free(part);
    }
    struct cz_buf small = CZ_BUF_INIT(100);
    assert_int_equal(cz_avro_to_json(s, data, len, &small, NULL), CZ_E_TOO_LARGE);
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
        assert_int_equal(cz_avro_to_json(s, cases[i].data, cases[i].len, &out, &err), CZ_E_PARSE);
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

static void wire(void **state)
{
    (void)state;
    uint32_t id = 0;
    assert_int_equal(cz_avro_wire_id((struct cz_slice){"\0\x80\0\1\2x", 6}, &id, NULL), CZ_OK);
    assert_int_equal(id, 0x80000102);
    assert_int_equal(cz_avro_wire_id((struct cz_slice){"\0\1\2\3", 4}, &id, NULL), CZ_E_PARSE);
    struct cz_error err = CZ_ERROR_INIT;
    assert_int_equal(cz_avro_wire_id((struct cz_slice){"\1xxxx", 5}, &id, &err), CZ_E_PARSE);
    assert_non_null(strstr(err.text, "GUID"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden),
        cmocka_unit_test(refused),
        cmocka_unit_test(bad_schemas),
        cmocka_unit_test(wire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
