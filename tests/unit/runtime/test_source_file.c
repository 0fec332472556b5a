/* SPDX-License-Identifier: Apache-2.0 */
/* Files as a lane's source: when a record comes, what of it is kept, loops, windows, ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "cz/util.h"
#include "lane_source.h"

/* Never early; how late, is the machine's. The integration tests measure it. */
enum { MAX = 64, SLACK_MS = 90 };

struct got {
    int64_t offset, timestamp, at_ms; /* since the first poll */
    int32_t partition;
    enum cz_event_kind kind;
    bool bad;
    char value[32], text[160];
};
static char path[64];
static struct cz_file_folder *folder;
static struct got G[MAX];

static int setup(void **state)
{
    (void)state;
    (void)snprintf(path, sizeof path, "/tmp/cz-replay-XXXXXX");
    struct cz_error err = CZ_ERROR_INIT;
    assert_non_null(mkdtemp(path));
    assert_int_equal(cz_file_folder_open(path, &folder, &err), CZ_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cz_file_folder_free(folder);
    CZ_CLEANUP(cz_freep) char *rm = cz_strf("exec rm -r %s", path);
    FILE *p = popen(rm, "r");
    if (p)
        (void)pclose(p);
    return 0;
}

static void write_file(const char *name, const char *text)
{
    struct cz_error err = CZ_ERROR_INIT;
    CZ_CLEANUP(cz_freep) char *file = cz_strf("%s/%s.json", path, name);
    assert_int_equal(cz_write_file(file, text, strlen(text), 0600, &err), CZ_OK);
}

static struct lane_source open_source(struct cz_replay r)
{
    struct lane_source s;
    r.folder = folder;
    if (r.from_ms == 0 && r.to_ms == 0) {
        r.from_ms = INT64_MIN;
        r.to_ms = INT64_MAX;
    }
    lane__source_files(&r, &s);
    return s;
}

static void assign(struct lane_source *s, const char *name, int64_t offset)
{
    struct cz_error err = CZ_ERROR_INIT;
    if (s->ops->assign(s->self, name, 0, offset, path, &err))
        fail_msg("%s", err.text);
}

/* Until @max events, or @ms; with MAX until the first end. */
static int collect(struct lane_source *s, int max, int ms)
{
    struct cz_event e[MAX];
    cz_time began = cz_now();
    int n = 0;
    while (n < max && cz_now() < began + ms * CZ_MS) {
        size_t k = s->ops->poll(s->self, e, (size_t)(max - n), 10);
        for (size_t i = 0; i < k; i++) {
            struct got *g = &G[n++];
            const struct cz_record *r = &e[i].record;
            *g = (struct got){.kind = e[i].kind, .bad = e[i].bad, .offset = r->offset, .timestamp = r->timestamp_ms,
                              .partition = r->partition, .at_ms = (cz_now() - began) / CZ_MS};
            (void)snprintf(g->value, sizeof g->value, "%.*s", (int)r->value.len, r->value.data ? r->value.data : "");
            (void)snprintf(g->text, sizeof g->text, "%s", e[i].text);
            assert_ptr_equal(e[i].opaque, path);
            if (e[i].kind == CZ_EVENT_END) {
                assert_true(e[i].last);
                if (max == MAX)
                    return n;
                continue;
            }
            cz_message_release(r->msg);
        }
    }
    return n;
}

static void done(struct lane_source *s)
{
    s->ops->free(s->self);
}

#define LINE(n, ts) "{\"key\":\"k\",\"value\":\"v" #n "\",\"partition\":" #n ",\"timestamp\":" #ts "}\n"

/* ---- tests ---------------------------------------------------------------------------------- */

static void test_gaps(void **state)
{
    (void)state;
    static const struct {
        double speed;
        int64_t want[3];
    } rows[] = {{1, {0, 200, 500}}, {2, {0, 100, 250}}, {0.5, {0, 400, 1000}}, {0, {0, 0, 0}}};
    write_file("f", LINE(0, 5000) LINE(1, 5200) LINE(2, 5500));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct lane_source s = open_source((struct cz_replay){.speed = rows[i].speed});
        assign(&s, "f", 0);
        assert_int_equal(collect(&s, MAX, 3000), 4);
        for (int k = 0; k < 3; k++) {
            assert_in_range(G[k].at_ms, rows[i].want[k], rows[i].want[k] + SLACK_MS);
            assert_int_equal(G[k].timestamp, 5000 + (k == 1 ? 200 : k == 2 ? 500 : 0));
            assert_int_equal(G[k].partition, k);
            assert_int_equal(G[k].offset, k);
        }
        assert_int_equal(G[3].kind, CZ_EVENT_END);
        assert_int_equal(G[3].offset, 3);
        assert_int_equal(s.ops->end(s.self, "f", 0), 3);
        done(&s);
    }
}

/* A position in the middle: the first record at once, the gaps behind it as recorded. */
static void test_goes_on_in_the_middle(void **state)
{
    (void)state;
    write_file("f", LINE(0, 0) LINE(1, 100000) LINE(2, 100100));
    struct lane_source s = open_source((struct cz_replay){.speed = 1});
    assign(&s, "f", 1);
    assert_int_equal(collect(&s, MAX, 2000), 3);
    assert_string_equal(G[0].value, "v1");
    assert_in_range(G[0].at_ms, 0, SLACK_MS);
    assert_in_range(G[1].at_ms, 100, 100 + SLACK_MS);
    assign(&s, "f", 3); /* behind the end: there is nothing, and it says so again */
    assert_int_equal(collect(&s, MAX, 1000), 1);
    assert_int_equal(G[0].kind, CZ_EVENT_END);
    done(&s);
}

static void test_two_files_keep_their_places(void **state)
{
    (void)state;
    write_file("a", LINE(0, 1000) LINE(1, 1200));
    write_file("b", LINE(2, 1100) LINE(3, 1300));
    struct lane_source s = open_source((struct cz_replay){.speed = 1});
    assign(&s, "b", 0);
    assign(&s, "a", 0);
    assert_int_equal(collect(&s, 5, 2000), 5);
    assert_int_equal(G[3].kind, CZ_EVENT_END); /* of a */
    G[3] = G[4];
    static const char *const want[] = {"v0", "v2", "v1", "v3"};
    for (int i = 0; i < 4; i++) {
        assert_string_equal(G[i].value, want[i]);
        assert_in_range(G[i].at_ms, 100 * i, 100 * i + SLACK_MS);
    }
    done(&s);
}

static void test_window_and_shift(void **state)
{
    (void)state;
    write_file("f", LINE(0, 1000) LINE(1, 2000) "{\"key\":\"k\",\"value\":\"none\"}\n" LINE(2, 3000) LINE(3, 4000));
    struct lane_source s = open_source(
        (struct cz_replay){.speed = 0, .from_ms = 2000, .to_ms = 4000, .shift = CZ_SHIFT_BY, .shift_ms = -500});
    assign(&s, "f", 0);
    assert_int_equal(collect(&s, MAX, 1000), 4);
    assert_string_equal(G[0].value, "v1");
    assert_int_equal(G[0].timestamp, 1500);
    assert_string_equal(G[1].value, "none"); /* has the time of the one before */
    assert_string_equal(G[2].value, "v2");
    assert_int_equal(G[3].offset, 5); /* the end counts what was left out */
    done(&s);
    s = open_source((struct cz_replay){.speed = 0, .shift = CZ_SHIFT_NOW});
    assign(&s, "f", 0);
    assert_int_equal(collect(&s, MAX, 1000), 6);
    for (int i = 0; i < 5; i++)
        assert_in_range(cz_wall_ms() - G[i].timestamp, 0, 1000);
    done(&s);
}

static void test_loop(void **state)
{
    (void)state;
    write_file("f", LINE(0, 1000) LINE(1, 1050) LINE(2, 1100));
    struct lane_source s = open_source((struct cz_replay){.speed = 1, .loop = true});
    assign(&s, "f", 0);
    assert_int_equal(collect(&s, 8, 3000), 8);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(G[i].offset, i);
        assert_int_equal(G[i].timestamp, 1000 + 50 * (i % 3));
        int64_t want = i / 3 * 100 + i % 3 * 50;
        assert_in_range(G[i].at_ms, want, want + SLACK_MS);
    }
    done(&s);
    s = open_source((struct cz_replay){.speed = 0, .loop = true}); /* a start in a later turn */
    assign(&s, "f", 7);
    assert_int_equal(collect(&s, 3, 1000), 3);
    for (int i = 0; i < 3; i++) {
        char want[8];
        (void)snprintf(want, sizeof want, "v%d", (7 + i) % 3);
        assert_string_equal(G[i].value, want);
        assert_int_equal(G[i].offset, 7 + i);
    }
    assign(&s, "f", 2); /* back over the turn */
    assert_int_equal(collect(&s, 2, 1000), 2);
    assert_string_equal(G[0].value, "v2");
    assert_int_equal(G[1].offset, 3);
    done(&s);
}

static void test_bad_lines_and_missing_files(void **state)
{
    (void)state;
    struct cz_error err = CZ_ERROR_INIT;
    write_file("f", LINE(0, 1) "{\"key\":\n" LINE(1, 2));
    write_file("empty", "");
    struct lane_source s = open_source((struct cz_replay){.speed = 1});
    assign(&s, "f", 0);
    assert_int_equal(collect(&s, MAX, 1000), 4);
    assert_true(G[1].bad && !G[2].bad);
    assert_int_equal(G[1].offset, 1);
    assert_string_equal(G[1].value, "{\"key\":");
    assert_non_null(strstr(G[1].text, "f.json line 2"));
    assign(&s, "empty", 0);
    assert_int_equal(collect(&s, MAX, 1000), 1);
    assert_int_equal(s.ops->assign(s.self, "nosuch", 0, 0, path, &err), CZ_E_NOT_FOUND);
    done(&s);
    s = open_source((struct cz_replay){.speed = 0, .loop = true}); /* must not turn for ever */
    assign(&s, "empty", 0);
    assert_int_equal(collect(&s, MAX, 100), 1);
    done(&s);
}

static void test_headers_and_nulls(void **state)
{
    (void)state;
    write_file("f", "{\"topic\":\"t\",\"partition\":1,\"offset\":9,\"tstype\":\"create\",\"ts\":7,\"broker\":0,"
                    "\"headers\":[\"a\",\"1\",\"b\",null],\"key\":null,\"payload\":null}\n");
    struct lane_source s = open_source((struct cz_replay){.speed = 1});
    struct cz_event e[2];
    struct cz_header h[4];
    assign(&s, "f", 0);
    assert_int_equal(s.ops->poll(s.self, e, 1, 100), 1);
    const struct cz_record *r = &e[0].record;
    assert_null(r->key.data);
    assert_null(r->value.data);
    assert_int_equal(r->timestamp_ms, 7);
    assert_int_equal(r->headers(r, h, 4), 2);
    assert_memory_equal(h[0].name.data, "a", 2);
    assert_memory_equal(h[0].value.data, "1", 1);
    assert_memory_equal(h[1].name.data, "b", 2);
    assert_null(h[1].value.data);
    cz_message_release(r->msg);
    done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_gaps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_goes_on_in_the_middle, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_files_keep_their_places, setup, teardown),
        cmocka_unit_test_setup_teardown(test_window_and_shift, setup, teardown),
        cmocka_unit_test_setup_teardown(test_loop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_lines_and_missing_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_headers_and_nulls, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
