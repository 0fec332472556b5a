/* SPDX-License-Identifier: Apache-2.0 */
/** Numbers, names, UTF-8, uids, SHA-256, and murmur2 by the vectors of Kafka's own UtilsTest.
 */
#include "cz_test.h"

#include "cz/limits.h"
#include "cz/util.h"

static void murmur2(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        int32_t want;
    } rows[] = {
        {"21", -973932308},
        {"foobar", -790332482},
        {"a-little-bit-long-string", -985981536},
        {"a-little-bit-longer-string", -1486304829},
        {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
        {"abc", 479470107},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint32_t h = cz_murmur2(rows[i].key, strlen(rows[i].key));
        assert_int_equal((int32_t)h, rows[i].want);
        assert_int_equal(cz_java_partition(rows[i].key, strlen(rows[i].key), 7),
                         (rows[i].want & 0x7fffffff) % 7);
    }
    assert_int_equal(cz_java_partition("x", 1, 0), 0);
    assert_int_equal(cz_murmur2("", 0), cz_murmur2(NULL, 0));
}

static void parse_i64(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        bool ok;
        int64_t want;
    } rows[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"007", true, 7},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"99999999999999999999", false, 0},
        {"", false, 0},
        {"-", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"1.0", false, 0},
        {"0x1", false, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t got = 42;
        if (cz_parse_i64(rows[i].in, &got) != rows[i].ok)
            fail_msg("\"%s\"", rows[i].in);
        assert_true(got == (rows[i].ok ? rows[i].want : 42));
    }
    int64_t n;
    assert_false(cz_parse_i64(NULL, &n));
}

static void utf8(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        bool ok;
    } rows[] = {
        {"", true},
        {"abc", true},
        {"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", true},
        {"\xEF\xBF\xBF", true},
        {"\xF4\x8F\xBF\xBF", true},
        {"\xC0\x80", false},
        {"\xC1\xBF", false},
        {"\xE0\x9F\xBF", false},
        {"\xED\xA0\x80", false},
        {"\xF0\x8F\xBF\xBF", false},
        {"\xF4\x90\x80\x80", false},
        {"\xF5\x80\x80\x80", false},
        {"\x80", false},
        {"a\xE2\x82", false},
        {"\xFF", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(cz_utf8_valid(rows[i].in, strlen(rows[i].in)), rows[i].ok);
}

static void names(void **state)
{
    (void)state;
    static char long_name[CZ_MAX_NAME + 2];
    memset(long_name, 'a', CZ_MAX_NAME + 1);
    static const struct {
        const char *in, *want; /* NULL: good */
    } rows[] = {
        {"orders", NULL},
        {"Aufträge 2026 (été)", NULL},
        {"日本語", NULL},
        {"a.b-c_d:e", NULL},
        {"...", NULL},
        {"", "must not be empty"},
        {NULL, "must not be empty"},
        {".", "must not be \".\""},
        {"..", "must not be \"..\""},
        {"a/b", "a slash (U+002F at byte 2)"},
        {" a", "begin or end with a blank"},
        {"a ", "begin or end with a blank"},
        {"a\xC2\xA0", "begin or end with a blank"},
        {"\xE3\x80\x80"
         "a",
         "begin or end with a blank"},
        {"a\tb", "a control character (U+0009 at byte 2)"},
        {"a\x7F", "a control character"},
        {"a\xC2\x85", "a control character"},
        {"a\xE2\x80\xA8", "a control character"},
        {"a\xE2\x80\xAE"
         "b",
         "(bidi) character (U+202E at byte 2)"},
        {"\xE2\x81\xA6x", "(bidi)"},
        {"\xE2\x80\x8Fx", "(bidi)"},
        {"\xD8\x9Cx", "(bidi)"},
        {"a\xE2\x80\x8B"
         "b",
         "an invisible character"},
        {"a\xFF", "must be UTF-8: byte 2"},
        {long_name, "at most 200 bytes, not 201"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct cz_error e = CZ_ERROR_INIT;
        enum cz_err rc = cz_name_check(rows[i].in, &e);
        if (rc != (rows[i].want ? CZ_E_INVALID : CZ_OK))
            fail_msg("\"%s\": %s", rows[i].in, e.text);
        if (rows[i].want)
            CONTAINS(e.text, rows[i].want);
    }
    long_name[CZ_MAX_NAME] = '\0';
    assert_int_equal(cz_name_check(long_name, NULL), CZ_OK);
}

static void uids(void **state)
{
    (void)state;
    char last[CZ_UID_SIZE] = "", uid[CZ_UID_SIZE];
    bool seen[26][256] = {{false}};
    for (int i = 0; i < 2000; i++) {
        assert_ptr_equal(cz_uid(uid), uid);
        assert_int_equal(strlen(uid), 26);
        assert_int_equal(strspn(uid, "0123456789abcdefghjkmnpqrstvwxyz"), 26);
        assert_string_not_equal(uid, last);
        memcpy(last, uid, sizeof last);
        for (size_t k = 0; k < 26; k++)
            seen[k][(unsigned char)uid[k]] = true;
    }
    for (size_t k = 0; k < 26; k++) { /* 128 bits: 8 letters in front, 32 elsewhere */
        int n = 0;
        for (size_t c = 0; c < 256; c++)
            n += seen[k][c];
        assert_int_equal(n, k == 0 ? 8 : 32);
    }
}

static void sha256(void **state)
{
    (void)state;
    char out[65];
    assert_string_equal(cz_sha256_hex("abc", 3, out),
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_string_equal(cz_sha256_hex(NULL, 0, out),
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void small(void **state)
{
    (void)state;
    assert_true(cz_streq(NULL, NULL));
    assert_false(cz_streq("a", NULL));
    assert_false(cz_streq(NULL, "a"));
    assert_true(cz_streq("a", "a"));
    assert_string_equal(cz_version, "0.1.0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(murmur2), cmocka_unit_test(parse_i64),
                                       cmocka_unit_test(utf8),    cmocka_unit_test(names),
                                       cmocka_unit_test(uids),    cmocka_unit_test(sha256),
                                       cmocka_unit_test(small)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
