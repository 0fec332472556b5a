/* SPDX-License-Identifier: Apache-2.0 */
/* The offset map that a lane keeps at least once: whenever a worker dies, what the map does not say
 * must not be committed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cz/json.h"
#include "lane_world.h"

struct known {
    int64_t end;
    int n;
};

static void take_block(void *arg, int64_t offset, const char *key, size_t key_len, const char *value, size_t len,
                       const char *stage)
{
    struct known *k = arg;
    json_t *block = json_loadb(value, len, 0, NULL);
    int64_t end = cz_json_int(block, "end", -1);
    (void)offset, (void)key, (void)key_len, (void)stage;
    k->end = end > k->end ? end : k->end;
    k->n++;
    json_decref(block);
}

static struct known in_map(struct world *w)
{
    struct known k = {.end = -1};
    mock_read(w->target, "map", 0, take_block, &k);
    return k;
}

static void test_commits_follow_the_map(void **state)
{
    struct world *w = *state;
    struct cz_task *t = add_task(w, &(struct wish){.partitions = 1, .map = true, .filter = "value.n != `7`"});
    int64_t seen = -1;
    for (int i = 0; i < 8; i++) {
        mock_fill(w->source, "in", 0, "{\"n\":%d}", i * 250, 250);
        nap_ms(150);
        int64_t at = committed(w, 0);
        assert_true(at >= seen);
        seen = at;
        if (at > 0)
            assert_in_range(in_map(w).end, at, 2000);
    }
    assert_in_range(seen, 1, 2000); /* some were committed meanwhile */
    wait_position(t, 0, 2000);
    remove_task(w, t);
    assert_int_equal(committed(w, 0), 2000);
    assert_int_equal(in_map(w).end, 2000);
}

/* No group to commit to: the map is written all the same, and before the task is gone. */
static void test_map_without_commits(void **state)
{
    struct world *w = *state;
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 0, 100);
    struct cz_task *t = add_task(w, &(struct wish){.partitions = 1, .map = true, .group = ""});
    wait_position(t, 0, 100);
    remove_task(w, t);
    struct known k = in_map(w);
    assert_int_equal(k.end, 100);
    assert_in_range(k.n, 1, 5); /* not at every turn */
}

static void test_map_that_cannot_be_written(void **state)
{
    struct world *w = *state;
    mock_fill(w->source, "in", 0, "{\"n\":%d}", 0, 100);
    struct cz_task *t = add_task(w, &(struct wish){.partitions = 1, .map = true, .map_partition = 9});
    wait_position(t, 0, 100);
    assert_int_equal(committed(w, 0), -1);
    cz_time deadline = cz_deadline_ms(15000);
    while (committed(w, 0) < 100 && cz_now() < deadline)
        nap_ms(50);
    assert_int_equal(committed(w, 0), 100);
    remove_task(w, t);
}

#define LANE_TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
int main(void)
{
    cz_json_init();
    const struct CMUnitTest tests[] = {
        LANE_TEST(test_commits_follow_the_map),
        LANE_TEST(test_map_without_commits),
        LANE_TEST(test_map_that_cannot_be_written),
    };
    cmocka_set_test_filter(getenv("CZ_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
