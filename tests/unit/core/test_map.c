/* SPDX-License-Identifier: Apache-2.0 */
/** The hash map against a plain array that does the same. */
#include "cz_test.h"

#include "cz/alloc.h"
#include "cz/map.h"

static void basics(void **state)
{
    (void)state;
    CZ_CLEANUP(cz_map_done) struct cz_map m = CZ_MAP_INIT(cz_free);
    assert_null(cz_map_get(&m, "a"));
    assert_false(cz_map_remove(&m, "a"));
    assert_null(cz_map_steal(&m, "a"));
    cz_map_put(&m, "a", cz_strdup("1"));
    cz_map_put(&m, "a", cz_strdup("2")); /* frees the first */
    char *v = cz_map_get(&m, "a");
    cz_map_put(&m, "a", v); /* itself again: not freed */
    assert_string_equal(cz_map_get(&m, "a"), "2");
    assert_int_equal(m.len, 1);
    cz_map_putn(&m, "x\0y", 3, cz_strdup("3"));
    cz_map_putn(&m, "", 0, cz_strdup("empty"));
    assert_null(cz_map_get(&m, "x"));
    assert_string_equal(cz_map_getn(&m, "x\0y", 3), "3");
    assert_string_equal(cz_map_get(&m, ""), "empty");
    assert_true(cz_map_removen(&m, "x\0y", 3));
    char *stolen = cz_map_steal(&m, "");
    assert_string_equal(stolen, "empty");
    cz_free(stolen);
    assert_true(cz_map_remove(&m, "a"));
    assert_int_equal(m.len, 0);
    cz_map_clear(&m);
    cz_map_done(NULL);
}

enum { KEYS = 500 };

static void same_as_an_array(void **state)
{
    (void)state;
    static int values[KEYS];
    bool present[KEYS] = {false};
    CZ_CLEANUP(cz_map_done) struct cz_map m = CZ_MAP_INIT(NULL);
    size_t len = 0;
    unsigned r = 1;
    for (int step = 0; step < 60000; step++) {
        r = r * 1103515245U + 12345U;
        size_t k = (r >> 8) % KEYS;
        char key[32];
        (void)snprintf(key, sizeof key, "key-%zu", k);
        if (r >> 31) {
            cz_map_put(&m, key, &values[k]);
            len += !present[k];
            present[k] = true;
        } else {
            assert_int_equal(cz_map_remove(&m, key), present[k]);
            len -= present[k];
            present[k] = false;
        }
        assert_int_equal(m.len, len);
        assert_ptr_equal(cz_map_get(&m, key), present[k] ? &values[k] : NULL);
    }
    assert_true(m.cap <= 4096); /* tombstones are swept */
    size_t seen = 0;
    CZ_MAP_FOREACH (&m, i, e) {
        size_t k = (size_t)((int *)e->value - values);
        assert_true(present[k]);
        seen++;
    }
    assert_int_equal(seen, len);
}

static void remove_while_walking(void **state)
{
    (void)state;
    static int value;
    CZ_CLEANUP(cz_map_done) struct cz_map m = CZ_MAP_INIT(NULL);
    for (int i = 0; i < 100; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "%d", i);
        cz_map_put(&m, key, &value);
    }
    size_t seen = 0;
    CZ_MAP_FOREACH (&m, i, e) {
        char key[16];
        (void)snprintf(key, sizeof key, "%s", e->key);
        assert_true(cz_map_remove(&m, key));
        seen++;
    }
    assert_int_equal(seen, 100);
    assert_int_equal(m.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(basics),
                                       cmocka_unit_test(same_as_an_array),
                                       cmocka_unit_test(remove_while_walking)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
