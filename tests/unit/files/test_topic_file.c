/* SPDX-License-Identifier: Apache-2.0 */
/* Topic files: what is appended is read back, in every packing and over rotations; torn ends are cut
 * off, foreign ones are left alone; exactly once by what the file holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "cz/thread.h"
#include "cz/topic_file.h"
#include "cz/util.h"

struct world {
    char path[64];
    struct cz_file_folder *folder;
    struct cz_mutex lock;
    struct cz_cond cond;
    int written, lost;
};
static struct world W;

static int setup(void **state)
{
    (void)state;
    struct cz_error err = CZ_ERROR_INIT;
    W = (struct world){.path = "/tmp/cz-files-XXXXXX"};
    assert_non_null(mkdtemp(W.path));
    assert_int_equal(cz_file_folder_open(W.path, &W.folder, &err), CZ_OK);
    cz_mutex_init(&W.lock);
    cz_cond_init(&W.cond);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cz_file_folder_free(W.folder);
    CZ_CLEANUP(cz_freep) char *rm = cz_strf("exec rm -r %s", W.path);
    FILE *p = popen(rm, "r");
    if (p)
        (void)pclose(p);
    cz_mutex_done(&W.lock);
    cz_cond_done(&W.cond);
    return 0;
}

static void on_written(void *opaque, const struct cz_error *err)
{
    (void)opaque;
    CZ_LOCKED(&W.lock);
    W.written += !err;
    W.lost += err != NULL;
    cz_cond_broadcast(&W.cond);
}

static void wait_done(int n)
{
    CZ_LOCKED(&W.lock);
    cz_time deadline = cz_deadline_ms(10000);
    while (W.written + W.lost < n)
        assert_true(cz_cond_wait(&W.cond, &W.lock, deadline));
}

static struct cz_file_sink *sink(enum cz_file_packing packing, int64_t rotate, bool exact)
{
    const struct cz_file_sink_options o = {.folder = W.folder, .packing = packing, .rotate_bytes = rotate,
                                           .flush_ms = 1, .exact = exact, .written = on_written};
    return cz_file_sink_new(&o);
}

static struct cz_file_out *out_of(struct cz_file_sink *s, const char *name)
{
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_file_out *o = NULL;
    if (cz_file_sink_open(s, name, &o, &err))
        fail_msg("%s", err.text);
    return o;
}

static void append(struct cz_file_out *o, int64_t offset)
{
    struct cz_error err = CZ_ERROR_INIT;
    char text[64];
    int n = snprintf(text, sizeof text, "{\"n\":%lld}", (long long)offset);
    const struct cz_record r = {.topic = "t", .partition = 3, .offset = offset, .timestamp_ms = 1000 + offset,
                                .ts_type = CZ_TS_CREATE, .key = {"k", 1}, .value = {text, (size_t)n}};
    if (cz_file_append(o, &r, NULL, &err))
        fail_msg("%s", err.text);
}

static void record(enum cz_file_packing packing, int64_t rotate, int64_t from, int64_t to, bool exact, int batch)
{
    struct cz_file_sink *s = sink(packing, rotate, exact);
    struct cz_file_out *o = out_of(s, "orders");
    int done = W.written + W.lost;
    for (int64_t i = from; i < to; i++) {
        append(o, i);
        if (batch && (i - from + 1) % batch == 0)
            wait_done(done + (int)(i - from) + 1);
    }
    cz_file_sink_free(s);
}

/* All values are {"n":@from..}; returns how many. */
static int64_t check(const char *name, int64_t from, int *ret_bad)
{
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_file_reader *r = NULL;
    int64_t n = 0;
    if (cz_file_reader_open(W.folder, name, &r, &err))
        fail_msg("%s", err.text);
    for (;;) {
        struct cz_record rec;
        struct cz_error why = CZ_ERROR_INIT;
        enum cz_file_read got = cz_file_read_next(r, &rec, &why);
        if (got == CZ_FILE_END)
            break;
        if (got == CZ_FILE_BAD && ret_bad) {
            ++*ret_bad;
            continue;
        }
        if (got != CZ_FILE_RECORD)
            fail_msg("%s", why.text);
        char want[64];
        int len = snprintf(want, sizeof want, "{\"n\":%lld}", (long long)(from + n));
        assert_int_equal(rec.value.len, len);
        assert_memory_equal(rec.value.data, want, (size_t)len);
        assert_int_equal(rec.timestamp_ms, 1000 + from + n);
        assert_int_equal(rec.partition, 3);
        assert_string_equal(rec.topic, "t");
        n++;
    }
    cz_file_reader_free(r);
    return n;
}

static char *path_of(const char *file)
{
    return cz_strf("%s/%s", W.path, file);
}

static void write_file(const char *file, const char *text, size_t n)
{
    struct cz_error err = CZ_ERROR_INIT;
    CZ_CLEANUP(cz_freep) char *path = path_of(file);
    assert_int_equal(cz_write_file(path, text, n, 0600, &err), CZ_OK);
}

static char *read_file(const char *file, size_t *ret_n)
{
    struct cz_error err = CZ_ERROR_INIT;
    char *text = NULL;
    CZ_CLEANUP(cz_freep) char *path = path_of(file);
    if (cz_read_file(path, 1 << 24, &text, ret_n, &err))
        fail_msg("%s", err.text);
    return text;
}

/* ---- tests ---------------------------------------------------------------------------------- */

static const char *const SUFFIX[] = {".json", ".json.gz", ".json.zst"};

static void test_round_trip(void **state)
{
    (void)state;
    for (int p = 0; p < 3; p++) {
        (void)teardown(NULL);
        (void)setup(NULL);
        record((enum cz_file_packing)p, 0, 0, 1000, false, 300);
        record((enum cz_file_packing)p, 0, 1000, 1500, false, 0);
        assert_int_equal(check("orders", 0, NULL), 1500);
        assert_int_equal(W.written, 1500);
        CZ_CLEANUP(cz_freep) char *file = cz_strf("%s/orders%s", W.path, SUFFIX[p]);
        assert_int_equal(access(file, R_OK), 0);
    }
}

static void test_rotation_and_change_of_packing(void **state)
{
    (void)state;
    record(CZ_FILE_PLAIN, 2000, 0, 500, false, 10);
    record(CZ_FILE_ZSTD, 2000, 500, 900, false, 10);
    record(CZ_FILE_GZIP, 0, 900, 1000, false, 0);
    record(CZ_FILE_PLAIN, 0, 1000, 1001, false, 0);
    assert_int_equal(check("orders", 0, NULL), 1001);
    CZ_CLEANUP(cz_freep) char *first = path_of("orders@00000001.json");
    assert_int_equal(access(first, R_OK), 0);
    CZ_CLEANUP(cz_freep) char *gone = path_of("orders.json.gz");
    assert_int_equal(access(gone, R_OK), -1);
}

/* Cut the file at every length of its last line or member: the record goes, all others stay. */
static void test_torn_ends(void **state)
{
    (void)state;
    for (int p = 0; p < 3; p++) {
        (void)teardown(NULL);
        (void)setup(NULL);
        CZ_CLEANUP(cz_freep) char *file = cz_strf("orders%s", SUFFIX[p]);
        record((enum cz_file_packing)p, 0, 0, 20, false, 0);
        size_t before, after;
        cz_free(read_file(file, &before));
        record((enum cz_file_packing)p, 0, 20, 21, false, 0);
        CZ_CLEANUP(cz_freep) char *whole = read_file(file, &after);
        assert_true(after > before);
        for (size_t n = before; n <= after; n++) {
            write_file(file, whole, n);
            bool kept = p == 0 ? n + 1 >= after : n == after;
            record((enum cz_file_packing)p, 0, kept ? 21 : 20, 23, false, 0);
            assert_int_equal(check("orders", 0, NULL), 23);
        }
        /* a hole of zeros, as a power cut leaves it */
        CZ_CLEANUP(cz_freep) char *holed = cz_alloc(after);
        memcpy(holed, whole, before);
        write_file(file, holed, after);
        record((enum cz_file_packing)p, 0, 20, 22, false, 0);
        assert_int_equal(check("orders", 0, NULL), 22);
    }
}

static void refused(const char *file, const char *text, enum cz_file_packing packing)
{
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_file_sink *s = sink(packing, 0, false);
    struct cz_file_out *o = NULL;
    write_file(file, text, strlen(text));
    assert_int_equal(cz_file_sink_open(s, "orders", &o, &err), CZ_E_INVALID);
    assert_false(err.flags & CZ_ERR_RETRIABLE);
    cz_file_sink_free(s);
    size_t n;
    CZ_CLEANUP(cz_freep) char *now = read_file(file, &n);
    assert_int_equal(n, strlen(text)); /* not a byte of it was touched */
    assert_string_equal(now, text);
}

static void test_foreign_files_are_not_touched(void **state)
{
    (void)state;
    refused("orders.json", "dear diary", CZ_FILE_PLAIN);
    refused("orders.json", "{\"a\":1}\nhalf", CZ_FILE_PLAIN);
    refused("orders.json", "[{\"key\":1,\"value\":2}]", CZ_FILE_PLAIN);
    static const char whole[] = "{\"key\":\"k\",\"value\":{\"n\":0},\"topic\":\"t\",\"partition\":3,\"timestamp\":1000}";
    write_file("orders.json", whole, sizeof whole - 1);
    record(CZ_FILE_PLAIN, 0, 1, 2, false, 0); /* whole, only without its newline */
    assert_int_equal(check("orders", 0, NULL), 2);
}

static void test_folder_is_the_limit(void **state)
{
    (void)state;
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_file_sink *s = sink(CZ_FILE_PLAIN, 0, false);
    struct cz_file_reader *r = NULL;
    struct cz_file_out *o = NULL;
    static const char *const names[] = {"../x", "/etc/passwd", "a/b", "..", ".x", "", "a@00000001", "a b"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(cz_file_sink_open(s, names[i], &o, NULL), CZ_E_INVALID);
        assert_int_equal(cz_file_reader_open(W.folder, names[i], &r, NULL), CZ_E_INVALID);
    }
    CZ_CLEANUP(cz_freep) char *link = path_of("link.json");
    assert_int_equal(symlink("/tmp/cz-files-elsewhere", link), 0);
    assert_int_equal(cz_file_sink_open(s, "link", &o, &err), CZ_E_FORBIDDEN);
    assert_non_null(strstr(err.text, "symbolic link"));
    CZ_CLEANUP(cz_freep) char *pipe = path_of("pipe.json");
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_int_not_equal(cz_file_sink_open(s, "pipe", &o, NULL), CZ_OK);
    assert_int_equal(cz_file_reader_open(W.folder, "none", &r, &err), CZ_E_NOT_FOUND);
    cz_file_sink_free(s);
}

static void test_one_writer(void **state)
{
    (void)state;
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_file_sink *a = sink(CZ_FILE_PLAIN, 0, false), *b = sink(CZ_FILE_PLAIN, 0, false);
    struct cz_file_out *o = out_of(a, "orders"), *other = NULL;
    assert_ptr_equal(out_of(a, "orders"), o);
    assert_int_equal(cz_file_sink_open(b, "orders", &other, &err), CZ_E_CONFLICT);
    assert_true(err.flags & CZ_ERR_RETRIABLE);
    cz_file_sink_free(a);
    (void)out_of(b, "orders");
    cz_file_sink_free(b);
}

static int64_t position(const char **note)
{
    static char found[64];
    struct cz_file_sink *s = sink(CZ_FILE_PLAIN, 500, true);
    int64_t at = cz_file_out_position(out_of(s, "orders"), "t", 3, note);
    assert_int_equal(cz_file_out_position(out_of(s, "orders"), "t", 4, note), -1);
    (void)cz_file_out_position(out_of(s, "orders"), "t", 3, note);
    (void)snprintf(found, sizeof found, "%s", *note ? *note : "none");
    *note = found;
    cz_file_sink_free(s);
    return at;
}

static void test_exactly_once(void **state)
{
    (void)state;
    const char *note;
    struct cz_error err = CZ_ERROR_INIT;
    assert_int_equal(position(&note), -1);
    record(CZ_FILE_PLAIN, 500, 0, 100, true, 10);
    assert_int_equal(position(&note), 100);
    record(CZ_FILE_PLAIN, 500, 0, 150, true, 10); /* from the beginning again: only the new ones */
    assert_int_equal(check("orders", 0, NULL), 150);
    CZ_CLEANUP(cz_freep) char *file = path_of(".orders.state");
    assert_int_equal(unlink(file), 0); /* the lines say it, too */
    assert_int_equal(position(&note), 150);
    assert_string_equal(note, "none");
    struct cz_file_sink *s = sink(CZ_FILE_PLAIN, 500, true);
    struct cz_file_out *o = out_of(s, "orders");
    cz_file_out_claim(o, "t", 3, 40, "g7"); /* "copy again from 40" outlives a restart */
    assert_int_equal(cz_file_out_claimed(o, &err), CZ_OK);
    cz_file_sink_free(s);
    assert_int_equal(position(&note), 40);
    assert_string_equal(note, "g7");
    record(CZ_FILE_PLAIN, 500, 40, 60, true, 10);
    assert_int_equal(position(&note), 60);
    assert_string_equal(note, "g7");
}

static void test_bad_lines_and_seek(void **state)
{
    (void)state;
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_file_reader *r = NULL;
    struct cz_record rec;
    static const char text[] = "{\"key\":1,\"value\":\"a\"}\n\n  \n{\"key\":2,\n{\"key\":3,\"value\":\"c\"}\n{\"key\":4,\"val";
    write_file("mixed.json", text, sizeof text - 1);
    assert_int_equal(cz_file_reader_open(W.folder, "mixed", &r, &err), CZ_OK);
    assert_int_equal(cz_file_read_next(r, &rec, &err), CZ_FILE_RECORD);
    assert_int_equal(cz_file_read_next(r, &rec, &err), CZ_FILE_BAD);
    assert_non_null(strstr(err.text, "mixed.json line 4:"));
    assert_int_equal(rec.offset, 1);
    assert_memory_equal(rec.value.data, "{\"key\":2,", rec.value.len);
    assert_int_equal(cz_file_read_next(r, &rec, &err), CZ_FILE_RECORD);
    cz_error_reset(&err);
    assert_int_equal(cz_file_read_next(r, &rec, &err), CZ_FILE_BAD);
    assert_non_null(strstr(err.text, "line 6:"));
    assert_int_equal(cz_file_read_next(r, &rec, &err), CZ_FILE_END);
    assert_int_equal(cz_file_reader_number(r), 4);
    assert_int_equal(cz_file_reader_seek(r, 2, &err), CZ_OK);
    assert_int_equal(cz_file_read_next(r, &rec, &err), CZ_FILE_RECORD);
    assert_memory_equal(rec.value.data, "c", 1);
    assert_int_equal(cz_file_reader_seek(r, 100, &err), CZ_OK);
    assert_int_equal(cz_file_read_next(r, &rec, &err), CZ_FILE_END);
    cz_file_reader_free(r);
}

static void test_seek_in_large_files(void **state)
{
    (void)state;
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_file_reader *r = NULL;
    struct cz_record rec;
    record(CZ_FILE_PLAIN, 4000000, 0, 150000, false, 50000);
    record(CZ_FILE_ZSTD, 0, 150000, 200000, false, 0);
    assert_int_equal(cz_file_reader_open(W.folder, "orders", &r, &err), CZ_OK);
    static const int64_t at[] = {199999, 0, 65536, 131072, 131071, 150001, 70000, 70001};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        assert_int_equal(cz_file_reader_seek(r, at[i], &err), CZ_OK);
        assert_int_equal(cz_file_read_next(r, &rec, &err), CZ_FILE_RECORD);
        assert_int_equal(rec.offset, at[i]);
        assert_int_equal(rec.timestamp_ms, 1000 + at[i]);
    }
    cz_file_reader_free(r);
}

static void test_damaged_packing_is_one_bad_record(void **state)
{
    (void)state;
    for (int p = 1; p < 3; p++) {
        (void)teardown(NULL);
        (void)setup(NULL);
        CZ_CLEANUP(cz_freep) char *file = cz_strf("orders%s", SUFFIX[p]);
        record((enum cz_file_packing)p, 0, 0, 50, false, 50);
        size_t n;
        CZ_CLEANUP(cz_freep) char *text = read_file(file, &n);
        write_file(file, text, n - 3);
        int bad = 0;
        (void)check("orders", 0, &bad);
        assert_int_equal(bad, 1);
    }
}

static void test_write_error_is_told(void **state)
{
    (void)state;
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_file_sink *s = sink(CZ_FILE_PLAIN, 1, false);
    struct cz_file_out *o = out_of(s, "orders");
    append(o, 0);
    wait_done(1);
    CZ_CLEANUP(cz_freep) char *file = path_of("orders.json");
    assert_int_equal(unlink(file), 0); /* so the rotation before the next batch fails */
    append(o, 1);
    wait_done(2);
    assert_int_equal(W.lost, 1);
    const struct cz_record r = {.topic = "t", .value = {"1", 1}};
    assert_int_not_equal(cz_file_append(o, &r, NULL, &err), CZ_OK);
    assert_non_null(strstr(err.text, "orders.json"));
    cz_file_sink_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rotation_and_change_of_packing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_torn_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_foreign_files_are_not_touched, setup, teardown),
        cmocka_unit_test_setup_teardown(test_folder_is_the_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_writer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_exactly_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_lines_and_seek, setup, teardown),
        cmocka_unit_test_setup_teardown(test_seek_in_large_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_packing_is_one_bad_record, setup, teardown),
        cmocka_unit_test_setup_teardown(test_write_error_is_told, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
