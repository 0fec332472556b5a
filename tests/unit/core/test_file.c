/* SPDX-License-Identifier: Apache-2.0 */
/** Whole files: what is written is read back, limits, errors, nothing left behind. */
#include "cz_test.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "cz/alloc.h"
#include "cz/util.h"

static char dir[64], path[128];

static size_t files_in_dir(void)
{
    size_t n = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    while (readdir(d))
        n++;
    (void)closedir(d);
    return n - 2;
}

static void write_and_read(void **state)
{
    (void)state;
    struct cz_error e = CZ_ERROR_INIT;
    assert_int_equal(cz_write_file(path, "a\0b", 3, 0600, &e), CZ_OK);
    assert_int_equal(cz_write_file(path, "second", 6, 0600, &e), CZ_OK);
    assert_int_equal(files_in_dir(), 1);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    char *text = NULL;
    size_t len = 0;
    assert_int_equal(cz_read_file(path, 6, &text, &len, &e), CZ_OK);
    assert_int_equal(len, 6);
    assert_string_equal(text, "second");
    cz_free(text);
    text = NULL;
    assert_int_equal(cz_read_file(path, 5, &text, &len, &e), CZ_E_TOO_LARGE);
    assert_null(text);
    CONTAINS(e.text, "larger than 5 bytes");
}

static void errors(void **state)
{
    (void)state;
    char *text = NULL;
    struct cz_error e = CZ_ERROR_INIT;
    assert_int_equal(cz_read_file("/nonexistent/x", 5, &text, NULL, &e), CZ_E_NOT_FOUND);
    assert_string_equal(e.text, "/nonexistent/x: cannot open: No such file or directory");
    assert_int_equal(e.detail, ENOENT);
    cz_error_reset(&e);
    assert_int_equal(cz_read_file(dir, 5, &text, NULL, &e), CZ_E_IO);
    cz_error_reset(&e);
    assert_int_equal(cz_write_file("/nonexistent/x", "", 0, 0600, &e), CZ_E_NOT_FOUND);
    size_t before = files_in_dir();
    cz_error_reset(&e);
    assert_int_equal(cz_write_file(dir, "x", 1, 0600, &e),
                     CZ_E_IO); /* a folder is in the way */
    CONTAINS(e.text, "cannot replace");
    assert_int_equal(files_in_dir(), before);
}

static void no_known_size(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    assert_int_equal(cz_read_file("/proc/self/stat", 100000, &text, &len, NULL), CZ_OK);
    assert_int_equal(strlen(text), len);
    assert_true(len > 20);
    cz_free(text);
    assert_int_equal(cz_read_file("/dev/zero", 100000, &text, &len, NULL), CZ_E_TOO_LARGE);
    assert_int_equal(cz_read_file("/dev/null", 10, &text, &len, NULL), CZ_OK);
    assert_string_equal(text, "");
    cz_free(text);
}

static void out_of_memory(void **state)
{
    (void)state;
    bool succeeded = false;
    assert_int_equal(cz_write_file(path, "abc", 3, 0600, NULL), CZ_OK);
    for (long n = 0; n < 10 && !succeeded; n++) {
        char *text = NULL;
        cz_alloc_fail_after(n);
        enum cz_err rc = cz_read_file(path, 100, &text, NULL, NULL);
        cz_alloc_fail_after(-1);
        succeeded = rc == CZ_OK;
        assert_int_equal(text != NULL, succeeded);
        cz_free(text);
    }
    assert_true(succeeded);
}

int main(void)
{
    (void)snprintf(dir, sizeof dir, "/tmp/cz-test-file-XXXXXX");
    if (!mkdtemp(dir))
        return 1;
    (void)snprintf(path, sizeof path, "%s/file", dir);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write_and_read), cmocka_unit_test(errors),
        cmocka_unit_test(no_known_size), cmocka_unit_test(out_of_memory)};
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    (void)unlink(path);
    (void)rmdir(dir);
    return rc;
}
