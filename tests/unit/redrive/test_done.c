/* SPDX-License-Identifier: Apache-2.0 */
/* Which letters are done: ranges that grow together, against a plain table; and their record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "redrive_priv.h"

enum { SPAN = 300, ROUNDS = 400 };

/* The same numbers in every run. */
static int any(int below)
{
    static uint32_t x = 7;
    x = x * 1664525U + 1013904223U;
    return (int)((x >> 8) % (uint32_t)below);
}

/* Ranges are in order and do not touch, nor do they touch the position. */
static void assert_tidy(const struct redrive_done *d)
{
    int64_t end = d->position;
    for (size_t i = 0; i < d->len; i++) {
        assert_true(d->items[i].from > end);
        assert_true(d->items[i].to > d->items[i].from);
        end = d->items[i].to;
    }
}

static void assert_equal(const struct redrive_done *a, const struct redrive_done *b)
{
    assert_int_equal(a->position, b->position);
    assert_int_equal(a->len, b->len);
    for (size_t i = 0; i < a->len; i++) {
        assert_int_equal(a->items[i].from, b->items[i].from);
        assert_int_equal(a->items[i].to, b->items[i].to);
    }
}

static void reread(const struct redrive_done *d)
{
    struct cz_buf value = {0};
    struct redrive_done back;
    char *id = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    assert_int_equal(redrive_done_write(d, "an \"id\"", &value, &err), CZ_OK);
    assert_int_equal(redrive_done_read((struct cz_slice){value.data, value.len}, &back, &id, &err), CZ_OK);
    assert_equal(d, &back);
    assert_string_equal(id, "an \"id\"");
    redrive_done_free(&back);
    cz_buf_done(&value);
    cz_free(id);
}

static void test_any_order(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct redrive_done d = {0}, copy;
        bool table[SPAN] = {0};
        for (int n = any(60); n > 0; n--) {
            int from = any(SPAN), to = from + any(round % 2 ? 3 : 40);
            to = to > SPAN ? SPAN : to;
            redrive_done_add(&d, from, to);
            for (int i = from; i < to; i++)
                table[i] = true;
            assert_tidy(&d);
        }
        for (int i = 0; i < SPAN; i++)
            assert_int_equal(redrive_done_has(&d, i), table[i]);
        redrive_done_copy(&d, &copy);
        assert_equal(&d, &copy);
        redrive_done_add(&copy, 0, SPAN);
        assert_int_equal(copy.position, SPAN);
        assert_int_equal(copy.len, 0);
        reread(&d);
        redrive_done_free(&copy);
        redrive_done_free(&d);
    }
}

static void test_records_that_are_not_ours(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "{", "[]", "{\"v\":2,\"position\":\"1\"}", "{\"v\":1,\"position\":\"1\",\"done\":\"5\"}",
        "{\"v\":1,\"position\":\"1\",\"done\":\"9-5\"}", "{\"v\":1,\"position\":\"1\",\"done\":\"5-x\"}", NULL};
    for (size_t i = 0; bad[i]; i++) {
        struct redrive_done d;
        char *id = NULL;
        struct cz_error err = CZ_ERROR_INIT;
        assert_int_not_equal(redrive_done_read((struct cz_slice){bad[i], strlen(bad[i])}, &d, &id, &err), CZ_OK);
        assert_null(id);
        assert_int_equal(d.len, 0);
    }
}

static void test_too_many_holes(void **state)
{
    (void)state;
    struct redrive_done d = {0};
    struct cz_buf value = {0};
    struct cz_error err = CZ_ERROR_INIT;
    for (int64_t i = 0; i < 100000; i++)
        redrive_done_add(&d, INT64_C(1000000000) + 2 * i, INT64_C(1000000001) + 2 * i);
    assert_int_equal(redrive_done_write(&d, "", &value, &err), CZ_E_LIMIT);
    cz_buf_done(&value);
    redrive_done_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_records_that_are_not_ours),
        cmocka_unit_test(test_too_many_holes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
