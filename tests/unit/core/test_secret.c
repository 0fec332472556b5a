/* SPDX-License-Identifier: Apache-2.0 */
/** Secret references: their form, resolution, and that no error text ever shows a value. */
#include "cz_test.h"

#include "cz/alloc.h"
#include "cz/secret.h"
#include "cz/util.h"

static char path[64];

static void forms(void **state)
{
    (void)state;
    static const struct {
        const char *in, *want; /* NULL: good */
    } rows[] = {
        {"${env:NAME}", NULL},
        {"${env:_a1}", NULL},
        {"${file:/run/secrets/x}", NULL},
        {"${file:/etc/x.properties:a.b}", NULL},
        {"hunter2", "must be a secret reference: ${env:NAME}"},
        {"", "must be a secret reference"},
        {NULL, "must be a secret reference"},
        {"${}", "unknown kind"},
        {"${vault:x}", "unknown kind"},
        {"${env:}", "environment variable"},
        {"${env:1A}", "environment variable"},
        {"${env:A-B}", "environment variable"},
        {"${file:}", "absolute"},
        {"${file:/}", "absolute"},
        {"${file:rel}", "absolute"},
        {"${file:/x:}", "no key"},
        {"${env:A}${env:B}", "one secret reference"},
        {"${env:A\n}", "one secret reference"},
        {"x${env:A}", "must be a secret reference"},
        {"${env:A} ", "must be a secret reference"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct cz_error e = CZ_ERROR_INIT;
        enum cz_err rc = cz_secret_check_ref(rows[i].in, &e);
        if (rc != (rows[i].want ? CZ_E_INVALID : CZ_OK))
            fail_msg("\"%s\": %s", rows[i].in, e.text);
        if (!rows[i].want)
            continue;
        CONTAINS(e.text, rows[i].want);
        assert_null(strstr(e.text, "hunter2"));
    }
    assert_true(cz_secret_is_ref("${x}"));
    assert_false(cz_secret_is_ref("${"));
    assert_false(cz_secret_is_ref(NULL));
}

static void environment(void **state)
{
    (void)state;
    struct cz_secret s = {0};
    struct cz_error e = CZ_ERROR_INIT;
    (void)setenv("CZ_TEST_SECRET", "hunter2", 1);
    assert_int_equal(cz_secret_resolve("${env:CZ_TEST_SECRET}", &s, &e), CZ_OK);
    assert_string_equal(s.value, "hunter2");
    assert_int_equal(s.len, 7);
    cz_secret_done(&s);
    assert_null(s.value);
    cz_secret_done(&s);
    cz_secret_done(NULL);
    (void)unsetenv("CZ_TEST_SECRET");
    assert_int_equal(cz_secret_resolve("${env:CZ_TEST_SECRET}", &s, &e), CZ_E_NOT_FOUND);
    assert_string_equal(e.text, "the environment variable CZ_TEST_SECRET is not set");
}

static void write_text(const char *text, size_t n)
{
    assert_int_equal(cz_write_file(path, text, n, 0600, NULL), CZ_OK);
}

static void whole_file(void **state)
{
    (void)state;
    static const struct {
        const char *in, *want;
    } rows[] = {{"hunter2", "hunter2"},
                {"hunter2\n", "hunter2"},
                {"hunter2\r\n", "hunter2"},
                {"two\nlines\n\n", "two\nlines\n"},
                {"", ""},
                {"\n", ""}};
    CZ_CLEANUP(cz_freep) char *ref = cz_strf("${file:%s}", path);
    for (size_t i = 0; i < COUNT(rows); i++) {
        write_text(rows[i].in, strlen(rows[i].in));
        struct cz_secret s = {0};
        assert_int_equal(cz_secret_resolve(ref, &s, NULL), CZ_OK);
        assert_string_equal(s.value, rows[i].want);
        assert_int_equal(s.len, strlen(rows[i].want));
        cz_secret_done(&s);
    }
    write_text("hunter2\0x", 9);
    struct cz_secret s = {0};
    struct cz_error e = CZ_ERROR_INIT;
    assert_int_equal(cz_secret_resolve(ref, &s, &e), CZ_E_INVALID);
    assert_null(strstr(e.text, "hunter2"));
    assert_null(s.value);
}

static void properties(void **state)
{
    (void)state;
    static const char text[] = "# comment = no\n! also = no\n\n"
                               "plain=value\n"
                               "  spaced  =  with blanks \n"
                               "colon:x=y\n"
                               "blank sep\n"
                               "empty=\n"
                               "nothing\n"
                               "esc\\=key=a\\\\b\\n\\tc\\=d\n"
                               "long=one, \\\n    two, \\\r\n   three\n"
                               "crlf=win\r\n"
                               "twice=1\ntwice=2\n"
                               "plain.longer=no\n"
                               "last=end\\";
    static const struct {
        const char *key, *want; /* NULL: not there */
    } rows[] = {
        {"plain", "value"},
        {"spaced", "with blanks "},
        {"colon", "x=y"},
        {"blank", "sep"},
        {"empty", ""},
        {"nothing", ""},
        {"esc=key", "a\\b\n\tc=d"},
        {"long", "one, two, three"},
        {"crlf", "win"},
        {"twice", "2"},
        {"last", "end"},
        {"comment", NULL},
        {"plai", NULL},
        {"#", NULL},
    };
    write_text(text, sizeof text - 1);
    for (size_t i = 0; i < COUNT(rows); i++) {
        CZ_CLEANUP(cz_freep) char *ref = cz_strf("${file:%s:%s}", path, rows[i].key);
        struct cz_secret s = {0};
        struct cz_error e = CZ_ERROR_INIT;
        enum cz_err rc = cz_secret_resolve(ref, &s, &e);
        if (rc != (rows[i].want ? CZ_OK : CZ_E_NOT_FOUND))
            fail_msg("%s: %s", rows[i].key, e.text);
        if (rows[i].want)
            assert_string_equal(s.value, rows[i].want);
        else
            CONTAINS(e.text, "no property");
        cz_secret_done(&s);
    }
}

static void missing_file(void **state)
{
    (void)state;
    struct cz_secret s = {0};
    struct cz_error e = CZ_ERROR_INIT;
    assert_int_equal(cz_secret_resolve("${file:/nonexistent/x:k}", &s, &e), CZ_E_NOT_FOUND);
    CONTAINS(e.text, "/nonexistent/x: cannot open");
}

static void equal(void **state)
{
    (void)state;
    assert_true(cz_secret_equal("abc", 3, "abc", 3));
    assert_true(cz_secret_equal(NULL, 0, "", 0));
    assert_false(cz_secret_equal("abc", 3, "abd", 3));
    assert_false(cz_secret_equal("abc", 3, "abcd", 4));
}

int main(void)
{
    (void)snprintf(path, sizeof path, "/tmp/cz-test-secret-XXXXXX");
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    (void)close(fd);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms),        cmocka_unit_test(environment),
        cmocka_unit_test(whole_file),   cmocka_unit_test(properties),
        cmocka_unit_test(missing_file), cmocka_unit_test(equal)};
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    (void)unlink(path);
    return rc;
}
