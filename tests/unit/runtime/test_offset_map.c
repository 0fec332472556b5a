/* SPDX-License-Identifier: Apache-2.0 */
/* The offset map against a plain model: a target topic as a list of source offsets.  Whatever is
 * filtered, aborted, copied twice or lost with a crash, an offset that is translated exactly lets a
 * reader of the target see exactly the records that follow, and never one less. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/offset_map.h"

enum { N = 4000, TARGET = 3 * N };

static uint32_t next_random(uint32_t *s)
{
    *s = *s * 1664525u + 1013904223u;
    return *s >> 8;
}

struct world {
    int64_t on_target[TARGET]; /* source offset of each record; -1: somebody else's, or a marker */
    int64_t end;               /* of the target */
    bool passed[N];            /* by the filter */
    int64_t handled;           /* source position */
    struct cz_map_block block;
    struct cz_offset_map map;
};

static void write_block(struct world *w)
{
    struct cz_error err = CZ_ERROR_INIT;
    CZ_CLEANUP(cz_freep) char *text = cz_map_block_text(&w->block, "t");
    json_t *j = NULL;
    assert_int_equal(cz_json_parse(text, strlen(text), &j, &err), CZ_OK);
    assert_int_equal(cz_offset_map_take(&w->map, j, &err), CZ_OK);
    json_decref(j);
    w->block.written = w->block.end;
    cz_map_block_next(&w->block);
}

static void copy(struct world *w, uint32_t *r, int64_t upto)
{
    for (; w->handled < upto; w->handled++) {
        if (next_random(r) % 50 == 0)
            w->on_target[w->end++] = -1;
        if (w->passed[w->handled]) {
            cz_map_block_add(&w->block, w->handled, 0, w->end);
            w->on_target[w->end++] = w->handled;
        }
    }
    cz_map_block_reach(&w->block, w->handled);
}

/* A reader that starts at @at of the target: does it see every passed record from @source on? */
static bool sees_all(const struct world *w, int64_t at, int64_t source)
{
    static bool seen[N];
    memset(seen, 0, sizeof seen);
    for (int64_t i = at; i < w->end; i++)
        if (w->on_target[i] >= 0)
            seen[w->on_target[i]] = true;
    for (int64_t i = source; i < w->handled; i++)
        if (w->passed[i] && !seen[i])
            return false;
    return true;
}

static bool sees_older(const struct world *w, int64_t at, int64_t source)
{
    for (int64_t i = at; i < w->end; i++)
        if (w->on_target[i] >= 0 && w->on_target[i] < source)
            return true;
    return false;
}

static void check(const struct world *w)
{
    for (int64_t s = 0; s <= w->handled; s += 1 + s % 7) {
        int64_t t, back;
        enum cz_translation how = cz_offset_map_forward(&w->map, s, &t);
        if (how == CZ_TRANSLATED || how == CZ_MAP_HOLE)
            assert_true(sees_all(w, t, s));
        if (how == CZ_TRANSLATED)
            assert_false(sees_older(w, t, s));
        if (how != CZ_TRANSLATED)
            continue;
        how = cz_offset_map_back(&w->map, t, &back);
        /* And back: nothing that the target's reader still has to see is left out. */
        if (how == CZ_TRANSLATED || how == CZ_MAP_HOLE)
            for (int64_t i = s; i < back; i++)
                assert_false(w->passed[i]);
    }
}

static void start(struct world *w, uint32_t *r, uint32_t share)
{
    memset(w, 0, sizeof *w);
    cz_offset_map_done(&w->map);
    cz_map_block_init(&w->block, 0);
    for (int i = 0; i < N; i++)
        w->passed[i] = next_random(r) % 100 < share;
}

static void finish(struct world *w)
{
    cz_map_block_done(&w->block);
    cz_offset_map_done(&w->map);
}

static void test_random(void **state)
{
    static struct world w;
    (void)state;
    for (uint32_t seed = 1; seed <= 30; seed++) {
        uint32_t r = seed;
        start(&w, &r, seed % 3 == 0 ? 100 : seed % 3 == 1 ? 50 : 3);
        while (w.handled < N) {
            int64_t upto = w.handled + 1 + next_random(&r) % 300;
            copy(&w, &r, upto < N ? upto : N);
            uint32_t what = next_random(&r) % 10;
            if (what < 6) {
                write_block(&w);
            } else if (what == 6 && w.handled > 100) { /* aborted: its records are markers on the target */
                int64_t back = w.handled - 1 - next_random(&r) % 100;
                int64_t first_gone = w.end;
                for (int64_t i = 0; i < w.end; i++)
                    if (w.on_target[i] >= back && i < first_gone)
                        first_gone = i;
                if (w.block.first <= back) { /* as in life: what was written was committed */
                    for (int64_t i = first_gone; i < w.end; i++)
                        if (w.on_target[i] >= back)
                            w.on_target[i] = -1;
                    cz_map_block_cut(&w.block, back);
                    w.handled = back;
                    write_block(&w);
                }
            } else if (what == 7) { /* a crash: part is copied twice, or was not noted */
                int64_t back = w.handled - next_random(&r) % 50;
                w.handled = back < 0 ? 0 : back;
                cz_map_block_init(&w.block, w.handled);
                write_block(&w); /* who starts says so */
            }
        }
        write_block(&w);
        check(&w);
        int64_t t;
        assert_int_equal(cz_offset_map_forward(&w.map, N, &t), CZ_TRANSLATED);
        assert_false(sees_older(&w, t, N));
        assert_int_equal(cz_offset_map_forward(&w.map, N + 5, &t), CZ_MAP_AHEAD);
        finish(&w);
    }
}

static void test_plain_copy_is_one_run(void **state)
{
    static struct world w;
    (void)state;
    start(&w, &(uint32_t){1}, 100);
    for (int64_t i = 0; i < N; i++) {
        cz_map_block_add(&w.block, i, 3, i + 70);
        if (i % 100 == 99)
            write_block(&w);
    }
    assert_int_equal(w.block.len, 1);
    assert_int_equal(w.map.runs_len, 1);
    assert_int_equal(w.map.spans_len, 1);
    int64_t t;
    assert_int_equal(cz_offset_map_forward(&w.map, 1234, &t), CZ_TRANSLATED);
    assert_int_equal(t, 1304);
    assert_int_equal(cz_offset_map_back(&w.map, 1304, &t), CZ_TRANSLATED);
    assert_int_equal(t, 1234);
    assert_int_equal(cz_offset_map_back(&w.map, 3, &t), CZ_MAP_BEFORE);
    /* Records that go elsewhere as well have no place of their own. */
    cz_map_block_add(&w.block, N, 4, 0);
    write_block(&w);
    assert_int_equal(cz_offset_map_forward(&w.map, 1234, &t), CZ_MAP_NONE);
    finish(&w);
}

static void test_refuses_what_is_not_ours(void **state)
{
    static const char *const bad[] = {
        "{}", "[]", "{\"v\":2,\"first\":0,\"end\":1,\"topic\":\"t\",\"partition\":0,\"runs\":[]}",
        "{\"v\":1,\"first\":5,\"end\":4,\"topic\":\"t\",\"partition\":0,\"runs\":[]}",
        "{\"v\":1,\"first\":0,\"end\":4,\"topic\":\"t\",\"partition\":0,\"runs\":[0,0]}",
        "{\"v\":1,\"first\":0,\"end\":4,\"topic\":\"t\",\"partition\":0,\"runs\":[0,0,0]}",
        "{\"v\":1,\"first\":0,\"end\":4,\"topic\":\"t\",\"partition\":0,\"runs\":[0,0,5]}",
        "{\"v\":1,\"first\":0,\"end\":4,\"topic\":\"t\",\"partition\":0,\"runs\":[-1,0,1]}",
        "{\"v\":1,\"first\":0,\"end\":9,\"topic\":\"t\",\"partition\":0,\"runs\":[0,9223372036854775807,9]}",
        "{\"v\":1,\"first\":0,\"end\":4,\"topic\":\"t\",\"partition\":0,\"runs\":[0,\"0\",1]}"};
    (void)state;
    struct cz_offset_map m = {0};
    cz_offset_map_done(&m);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct cz_error err = CZ_ERROR_INIT;
        json_t *j = NULL;
        assert_int_equal(cz_json_parse(bad[i], strlen(bad[i]), &j, &err), CZ_OK);
        assert_int_equal(cz_offset_map_take(&m, j, &err), CZ_E_PARSE);
        json_decref(j);
    }
    int64_t t;
    assert_int_equal(cz_offset_map_forward(&m, 0, &t), CZ_MAP_NONE);
    cz_offset_map_done(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_plain_copy_is_one_run),
        cmocka_unit_test(test_refuses_what_is_not_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
