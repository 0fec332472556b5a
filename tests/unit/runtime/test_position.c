/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "cz/position.h"

static void is(const struct cz_position *p, const char *want)
{
    CZ_CLEANUP(cz_freep) char *text = cz_position_text(p);
    assert_string_equal(text, want);
}

static void test_there_and_back(void **state)
{
    (void)state;
    struct cz_position p = CZ_POSITION_INIT;
    p.kind = 'g';
    p.generation = 7;
    is(&p, "g7");
    memcpy(p.topic_id, "AAAAAAAAAAAAAAAAAAAAAA", 23);
    is(&p, "g7 tAAAAAAAAAAAAAAAAAAAAAA");
    p.kind = 'x';
    p.begin = 0;
    p.end = INT64_MAX;
    p.run = 3;
    is(&p, "x7 r3 b0 e9223372036854775807 tAAAAAAAAAAAAAAAAAAAAAA");
    p.end_ms = 12;
    struct cz_position back;
    assert_true(cz_position_parse("x7 r3 b0 e9223372036854775807 u12 tAAAAAAAAAAAAAAAAAAAAAA", &back));
    is(&p, "x7 r3 b0 e9223372036854775807 u12 tAAAAAAAAAAAAAAAAAAAAAA");
    is(&back, "x7 r3 b0 e9223372036854775807 u12 tAAAAAAAAAAAAAAAAAAAAAA");
}

static void test_others_and_newer(void **state)
{
    (void)state;
    struct cz_position p;
    static const char *const others[] = {"", "g", "gx", "g-1", "h1", "reset by a tool", "g 1"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_false(cz_position_parse(others[i], &p));
        assert_int_equal(p.kind, 0);
        assert_int_equal(p.end, -1);
    }
    assert_false(cz_position_parse(NULL, &p));
    assert_true(cz_position_parse("g5 z9 e x tThisIsNoTopicIdItIsTooLongForOne b-4", &p));
    assert_int_equal(p.generation, 5);
    assert_int_equal(p.end, -1);
    assert_int_equal(p.begin, -1);
    assert_string_equal(p.topic_id, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_there_and_back),
                                       cmocka_unit_test(test_others_and_newer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
