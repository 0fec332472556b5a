/* SPDX-License-Identifier: Apache-2.0 */
/* Proof of copy without Kafka: sums of windows, and what is said about records that differ. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "verify_priv.h"

static struct cz_slice text(const char *s)
{
    return (struct cz_slice){s, s ? strlen(s) : 0};
}

static const struct verify_content *content(const char *s)
{
    static struct verify_content room[4];
    static size_t next;
    struct verify_content *c = &room[next++ % 4];
    *c = (struct verify_content){.bytes = text(s)};
    return c;
}

static void test_hash_tells_apart(void **state)
{
    (void)state;
    const struct cz_header h[] = {{text("a"), text("b")}, {text("a"), {0}}, {text("a"), text("")}};
    const uint64_t all[] = {
        verify_hash(content("k"), content("v"), 1, NULL, 0),
        verify_hash(content("k"), content("v"), 2, NULL, 0),
        verify_hash(content("kv"), content(""), 1, NULL, 0),
        verify_hash(content(NULL), content("v"), 1, NULL, 0),
        verify_hash(content(""), content("v"), 1, NULL, 0),
        verify_hash(content("k"), content(NULL), 1, NULL, 0),
        verify_hash(content("k"), content(""), 1, NULL, 0),
        verify_hash(content("v"), content("k"), 1, NULL, 0),
        verify_hash(content("k"), content("12345678"), 1, NULL, 0),
        verify_hash(content("k"), content("123456789"), 1, NULL, 0),
        verify_hash(content("k"), content("v"), 1, h, 1),
        verify_hash(content("k"), content("v"), 1, h + 1, 1),
        verify_hash(content("k"), content("v"), 1, h + 2, 1),
        verify_hash(content("k"), content("v"), 1, h, 2),
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        for (size_t k = 0; k < i; k++)
            assert_int_not_equal(all[i], all[k]);
    }
    struct verify_content one = *content("v"), other = *content("v");
    one.schema = 1;
    other.schema = 2;
    assert_int_not_equal(verify_hash(content("k"), &one, 1, NULL, 0), all[0]);
    assert_int_not_equal(verify_hash(content("k"), &one, 1, NULL, 0), verify_hash(content("k"), &other, 1, NULL, 0));
    assert_int_equal(all[0], verify_hash(content("k"), content("v"), 1, NULL, 0));
}

static void test_windows(void **state)
{
    (void)state;
    struct verify_sums s;
    verify_sums_init(&s);
    for (uint64_t i = 1; i <= 3; i++)
        assert_true(verify_sums_add(&s, 0, 60000, VERIFY_EXPECTED, i));
    for (uint64_t i = 3; i >= 1; i--) /* the order does not matter */
        assert_true(verify_sums_add(&s, 0, 60000, VERIFY_ARRIVED, i));
    assert_true(verify_sums_add(&s, 1, 60000, VERIFY_ARRIVED, 9));
    struct verify_window *w = verify_sums_find(&s, 0, 60000);
    assert_false(verify_window_differs(w));
    assert_true(verify_window_differs(verify_sums_find(&s, 1, 60000)));
    assert_null(verify_sums_find(&s, 0, 0));
    assert_true(verify_sums_add(&s, 0, 60000, VERIFY_PENDING, 7)); /* on its way */
    w = verify_sums_find(&s, 0, 60000);
    assert_false(verify_window_differs(w));
    assert_true(verify_sums_add(&s, 0, 60000, VERIFY_ARRIVED, 7)); /* and there */
    assert_false(verify_window_differs(w));
    assert_true(verify_sums_add(&s, 0, 60000, VERIFY_ARRIVED, 7)); /* twice */
    assert_true(verify_window_differs(w));
    verify_sums_done(&s);
}

static void test_too_many_windows(void **state)
{
    (void)state;
    struct verify_sums s;
    verify_sums_init(&s);
    for (int64_t i = 0; i < CZ_VERIFY_MAX_WINDOWS; i++)
        assert_true(verify_sums_add(&s, 0, i, VERIFY_EXPECTED, 1));
    assert_false(verify_sums_add(&s, 1, 0, VERIFY_EXPECTED, 1));
    assert_true(verify_sums_add(&s, 0, 5, VERIFY_ARRIVED, 1));
    verify_sums_done(&s);
}

#define E(h, k, p, o) {.hash = (h), .name = (k), .group = (p), .partition = (p), .offset = (o), .class = VERIFY_EXPECTED}
#define P(h, k, p, o) {.hash = (h), .name = (k), .group = (p), .partition = (p), .offset = (o), .class = VERIFY_PENDING}
#define A(h, k, p, o) {.hash = (h), .name = (k), .group = (p), .partition = (p), .offset = (o), .class = VERIFY_ARRIVED}

static size_t diff(const struct verify_item *items, size_t n, struct verify_difference **ret,
                   struct verify_items *keep)
{
    keep->items = cz_memdup(items, n * sizeof *items);
    keep->len = n;
    return verify_diff(keep, ret);
}

static void test_each_kind(void **state)
{
    (void)state;
    const struct verify_item items[] = {
        E(1, 1, 0, 10), A(1, 1, 0, 100),                  /* there */
        E(2, 2, 0, 11),                                   /* missing */
        E(3, 3, 0, 12), A(3, 3, 0, 101), A(3, 3, 0, 102), /* doubled */
        E(4, 4, 0, 13), A(40, 4, 0, 103),                 /* altered */
        E(5, 5, 0, 14), A(5, 5, 1, 104),                  /* misplaced */
        A(6, 6, 1, 105),                                  /* extra */
        P(7, 7, 0, 15), P(8, 8, 0, 16), A(8, 8, 0, 106),  /* on their way */
        E(9, 9, 0, 17), E(9, 9, 0, 18), A(9, 9, 0, 107), A(9, 9, 0, 108), /* two alike */
    };
    static const struct {
        enum verify_kind kind;
        int64_t source, target;
    } WANT[] = {{VERIFY_MISSING, 11, -1}, {VERIFY_DOUBLED, 12, 102}, {VERIFY_ALTERED, 13, 103},
                {VERIFY_MISPLACED, 14, 104}, {VERIFY_EXTRA, -1, 105}};
    struct verify_items keep = {0};
    struct verify_difference *d = NULL;
    assert_int_equal(diff(items, sizeof items / sizeof *items, &d, &keep), 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(d[i].kind, WANT[i].kind);
        assert_int_equal(d[i].source ? d[i].source->offset : -1, WANT[i].source);
        assert_int_equal(d[i].target ? d[i].target->offset : -1, WANT[i].target);
    }
    cz_free(d);
    cz_free(keep.items);
}

static void test_many_of_one_name(void **state)
{
    (void)state;
    /* Three lost and two others of the same key and time: two altered, one missing. */
    const struct verify_item items[] = {E(1, 7, 0, 1), E(2, 7, 0, 2), E(3, 7, 0, 3), A(8, 7, 0, 50), A(9, 7, 0, 51)};
    struct verify_items keep = {0};
    struct verify_difference *d = NULL;
    int n[VERIFY_KINDS] = {0};
    assert_int_equal(diff(items, 5, &d, &keep), 3);
    for (size_t i = 0; i < 3; i++)
        n[d[i].kind]++;
    assert_int_equal(n[VERIFY_ALTERED], 2);
    assert_int_equal(n[VERIFY_MISSING], 1);
    assert_int_equal(d[0].source->offset, 1);
    cz_free(d);
    cz_free(keep.items);
    assert_int_equal(verify_diff(&(struct verify_items){0}, &d), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_tells_apart), cmocka_unit_test(test_windows),
        cmocka_unit_test(test_too_many_windows), cmocka_unit_test(test_each_kind),
        cmocka_unit_test(test_many_of_one_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
