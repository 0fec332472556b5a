/* SPDX-License-Identifier: Apache-2.0 */
/* A lane whose targets are files: delivered is what is on the disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "lane_world.h"

struct disk {
    char path[64];
    struct cz_file_folder *folder;
};
static struct disk D;

static int setup(void **state)
{
    struct cz_error err = CZ_ERROR_INIT;
    D = (struct disk){.path = "/tmp/cz-lane-XXXXXX"};
    assert_non_null(mkdtemp(D.path));
    assert_int_equal(cz_file_folder_open(D.path, &D.folder, &err), CZ_OK);
    return world_setup(state);
}

static int teardown(void **state)
{
    int rc = world_teardown(state);
    cz_file_folder_free(D.folder);
    CZ_CLEANUP(cz_freep) char *rm = cz_strf("exec rm -r %s", D.path);
    FILE *p = popen(rm, "r");
    if (p)
        (void)pclose(p);
    return rc;
}

static struct cz_task *add_file_task(struct world *w, const struct wish *wish, bool exact, int64_t rotate)
{
    struct cz_error err = CZ_ERROR_INIT;
    const struct cz_file_sink_options o = {.folder = D.folder, .flush_ms = 5, .exact = exact,
                                           .rotate_bytes = rotate, .written = cz_inflight_written};
    struct cz_file_sink *sink = cz_file_sink_new(&o);
    struct cz_task_partition *parts = cz_alloc_array(2, sizeof *parts);
    for (int32_t i = 0; i < 2; i++) {
        parts[i] = (struct cz_task_partition){.topic = cz_strdup("in"), .partition = i, .start = wish->start};
        if (cz_file_sink_open(sink, "out", &parts[i].file, &err))
            fail_msg("%s", err.text);
    }
    const struct cz_task_conf conf = {.label = "t/m/0", .group = "g", .source = w->admin, .sink = sink,
                                      .producer = wish->on_error == CZ_ON_ERROR_DEAD_LETTER ? w->producer : NULL,
                                      .exact = exact, .settings = world_settings(w, wish),
                                      .partitions = parts, .partitions_len = 2};
    struct cz_task *t = cz_task_new(&conf);
    cz_lane_add(w->lane, t);
    w->added[w->added_n++] = t;
    return t;
}

static int lines(void)
{
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_file_reader *r = NULL;
    struct cz_record rec;
    int n = 0;
    assert_int_equal(cz_file_reader_open(D.folder, "out", &r, &err), CZ_OK);
    while (cz_file_read_next(r, &rec, &err) == CZ_FILE_RECORD) {
        assert_string_equal(rec.topic, "in");
        assert_true(rec.key.len >= 2);
        n++;
    }
    assert_int_equal(err.code, CZ_OK);
    cz_file_reader_free(r);
    return n;
}

static void test_copies_and_commits(void **state)
{
    struct world *w = *state;
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 0, 3000);
    mock_fill(w->source, "in", 1, "{\"n\":%d}", 0, 100);
    struct cz_task *t = add_file_task(w, &(struct wish){.filter = "value.n >= `50`"}, false, 0);
    wait_position(t, 0, 3000);
    wait_position(t, 1, 100);
    assert_int_equal(counters(t, 0).out, 2950);
    assert_int_equal(counters(t, 0).dropped[CZ_DROP_FILTER], 50);
    remove_task(w, t);
    assert_int_equal(committed(w, 0), 3000);
    assert_int_equal(committed(w, 1), 100);
    assert_int_equal(lines(), 3000);
}

static void test_exact_appends_nothing_twice(void **state)
{
    struct world *w = *state;
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 0, 500);
    for (int i = 0; i < 2; i++) { /* as if nothing had been committed */
        struct cz_task *t = add_file_task(w, &(struct wish){0}, true, 5000);
        wait_position(t, 0, 500);
        remove_task(w, t);
    }
    assert_int_equal(lines(), 500);
}

/* Lines and letters are in flight together; the position waits for both. */
static void test_dead_letters_beside_the_file(void **state)
{
    struct world *w = *state;
    const struct wish wish = {.filter = "value.n >= `0`", .on_error = CZ_ON_ERROR_DEAD_LETTER};
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 0, 100);
    mock_fill(w->source, "in", 0, "{broken%d", 0, 3);
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 100, 100);
    struct cz_task *t = add_file_task(w, &wish, true, 0);
    wait_position(t, 0, 203);
    assert_int_equal(counters(t, 0).out, 200);
    assert_int_equal(counters(t, 0).dropped[CZ_DROP_DEAD_LETTER], 3);
    remove_task(w, t);
    assert_int_equal(committed(w, 0), 203);
    assert_int_equal(lines(), 200);
    assert_int_equal(mock_count(w->target, "dead", 0), 3);
}

/* A letter that its topic refuses is the task's end, by that reason and not by one of the file's. */
static void test_dead_letter_that_is_refused(void **state)
{
    struct world *w = *state;
    const struct wish wish = {.filter = "value.n >= `0`", .on_error = CZ_ON_ERROR_DEAD_LETTER};
    mock_produce_errors(w->target, 10 /* MSG_SIZE_TOO_LARGE */, 1);
    mock_fill(w->source, "in", 0, "{broken%d", 0, 1);
    struct cz_task *t = add_file_task(w, &wish, false, 0);
    assert_true(wait_count(w, &w->failed_n, 1, 10000));
    assert_non_null(strstr(w->error.text, "MSG_SIZE_TOO_LARGE"));
    assert_false(w->error.flags & CZ_ERR_RETRIABLE);
    remove_task(w, t);
    assert_int_equal(committed(w, 0), -1);
}

static void test_disk_that_fails(void **state)
{
    struct world *w = *state;
    struct cz_task *t = add_file_task(w, &(struct wish){0}, false, 1);
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 0, 10);
    wait_position(t, 0, 10);
    CZ_CLEANUP(cz_freep) char *file = cz_strf("%s/out.json", D.path);
    assert_int_equal(unlink(file), 0); /* its rotation fails */
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 10, 10);
    assert_true(wait_count(w, &w->failed_n, 1, 10000));
    assert_non_null(strstr(w->error.text, "out.json: cannot rename"));
    assert_true(w->error.flags & CZ_ERR_RETRIABLE);
    remove_task(w, t);
    assert_int_equal(committed(w, 0), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_copies_and_commits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_exact_appends_nothing_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dead_letters_beside_the_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dead_letter_that_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_disk_that_fails, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
