/* SPDX-License-Identifier: Apache-2.0 */
/* Reading dead letters: whose they are, what the record was, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cz/dead_letter.h"

struct made {
    const char *pairs[40]; /* name, value, …, NULL */
};

static struct cz_slice text(const char *s)
{
    return (struct cz_slice){s, s ? strlen(s) : 0};
}

static size_t made_headers(const struct cz_record *r, struct cz_header *out, size_t max)
{
    const struct made *m = r->msg;
    size_t n = 0;
    for (; m->pairs[2 * n]; n++) {
        if (n < max)
            out[n] = (struct cz_header){text(m->pairs[2 * n]), text(m->pairs[2 * n + 1])};
    }
    return n;
}

static struct cz_record record(struct made *m)
{
    return (struct cz_record){.topic = "dead",
                              .partition = 3,
                              .offset = 77,
                              .timestamp_ms = 1234,
                              .ts_type = CZ_TS_CREATE,
                              .key = text("k"),
                              .value = text("v"),
                              .headers = made_headers,
                              .msg = m};
}

#define PLACE CZ_LETTER_TOPIC, "orders", CZ_LETTER_PARTITION, "5", CZ_LETTER_OFFSET, "42"

static void test_a_letter(void **state)
{
    (void)state;
    struct made m = {{"trace", "1", PLACE, CZ_LETTER_LABEL, "team/a b/0", CZ_LETTER_STAGE, "decode", CZ_LETTER_ERROR,
                      "malformed", CZ_LETTER_MESSAGE, "no", NULL}};
    struct cz_record r = record(&m);
    struct cz_letter l;
    struct cz_header own[2];
    assert_true(cz_letter_read(&r, &l));
    assert_string_equal(l.record.topic, "orders");
    assert_int_equal(l.record.partition, 5);
    assert_int_equal(l.record.offset, 42);
    assert_int_equal(l.record.timestamp_ms, 1234);
    assert_memory_equal(l.record.value.data, "v", 1);
    assert_int_equal(l.record.headers(&l.record, own, 2), 1);
    assert_memory_equal(own[0].name.data, "trace", 5);
    assert_memory_equal(l.error.data, "malformed", l.error.len);
    assert_false(l.withheld);
    assert_true(cz_letter_is_of(&l, "team", "a b"));
    assert_false(cz_letter_is_of(&l, "team", "a"));
    assert_false(cz_letter_is_of(&l, "tea", "m/a b"));
    assert_false(cz_letter_is_of(&l, "team", "a b/0"));
    cz_letter_done(&l);
}

/* The source was a topic of dead letters itself: only the last letter is ours. */
static void test_a_letter_about_a_letter(void **state)
{
    (void)state;
    struct made m = {{PLACE, CZ_LETTER_LABEL, "x/y/0", CZ_LETTER_TOPIC, "dead", CZ_LETTER_PARTITION, "0",
                      CZ_LETTER_OFFSET, "1", CZ_LETTER_LABEL, "t/m/0", CZ_LETTER_WITHHELD, "mask", NULL}};
    struct cz_record r = record(&m);
    struct cz_letter l;
    assert_true(cz_letter_read(&r, &l));
    assert_string_equal(l.topic, "dead");
    assert_int_equal(l.record.offset, 1);
    assert_int_equal(l.headers_len, 4);
    assert_true(l.withheld);
    assert_true(cz_letter_is_of(&l, "t", "m"));
    cz_letter_done(&l);
}

static void test_no_letters(void **state)
{
    (void)state;
    struct made none[] = {
        {{NULL}},
        {{"a", "b", NULL}},
        {{CZ_LETTER_TOPIC, NULL, CZ_LETTER_PARTITION, "1", CZ_LETTER_OFFSET, "1", NULL}},
        {{CZ_LETTER_TOPIC, "t", CZ_LETTER_PARTITION, "1", NULL}},
        {{CZ_LETTER_TOPIC, "t", CZ_LETTER_PARTITION, "-1", CZ_LETTER_OFFSET, "1", NULL}},
        {{CZ_LETTER_TOPIC, "t", CZ_LETTER_PARTITION, "4294967296", CZ_LETTER_OFFSET, "1", NULL}},
        {{CZ_LETTER_TOPIC, "t", CZ_LETTER_PARTITION, "1", CZ_LETTER_OFFSET, "1x", NULL}},
        {{CZ_LETTER_PARTITION, "1", CZ_LETTER_OFFSET, "1", CZ_LETTER_TOPIC, "t", NULL}},
    };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        struct cz_record r = record(&none[i]);
        struct cz_letter l;
        assert_false(cz_letter_read(&r, &l));
        assert_false(cz_letter_is_of(&l, "t", "m"));
        cz_letter_done(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_letter),
        cmocka_unit_test(test_a_letter_about_a_letter),
        cmocka_unit_test(test_no_letters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
