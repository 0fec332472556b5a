/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "cz/time.h"
#include "cz/topic_pattern.h"

static struct cz_topic_pattern *compiled(const char *pattern, const char *exclude)
{
    struct cz_topic_pattern *p = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    json_t *list = exclude ? json_loads(exclude, 0, NULL) : NULL;
    if (cz_topic_pattern_new(pattern, list, &p, &err))
        fail_msg("%s: %s", pattern, err.text);
    json_decref(list);
    return p;
}

static void test_matches(void **state)
{
    (void)state;
    struct cz_topic_pattern *p = compiled("^orders\\.", "[\"\\\\.tmp$\", \"secret\"]");
    assert_true(cz_topic_pattern_match(p, "orders.eu"));
    assert_false(cz_topic_pattern_match(p, "orders"));
    assert_false(cz_topic_pattern_match(p, "my.orders.eu"));
    assert_false(cz_topic_pattern_match(p, "orders.tmp"));
    assert_false(cz_topic_pattern_match(p, "orders.secrets"));
    cz_topic_pattern_free(p);
    p = compiled(".", "[]");
    assert_true(cz_topic_pattern_match(p, "_one"));
    assert_false(cz_topic_pattern_match(p, "__consumer_offsets"));
    cz_topic_pattern_free(p);
    p = compiled("(eu|us)-[0-9]{2,3}$", NULL);
    assert_true(cz_topic_pattern_match(p, "x-us-123"));
    assert_false(cz_topic_pattern_match(p, "x-us-1"));
    cz_topic_pattern_free(p);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "(", "a[", "*{", "(a)\\1", "(((a{1,255}){1,255}){1,255})",
                                      "a{1001}", "((a{10,}){10,}){11,}"};
    struct cz_topic_pattern *p = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct cz_error err = CZ_ERROR_INIT;
        if (cz_topic_pattern_new(bad[i], NULL, &p, &err) == CZ_OK)
            fail_msg("accepted: %s", bad[i]);
        assert_true(err.text[0]);
    }
    struct cz_error err = CZ_ERROR_INIT;
    json_t *list = json_pack("[s,i]", "ok", 7);
    assert_int_equal(cz_topic_pattern_new("x", list, &p, &err), CZ_E_INVALID);
    json_decref(list);
    char *longest = cz_alloc(1002);
    memset(longest, 'a', 1001);
    assert_int_equal(cz_topic_pattern_new(longest, NULL, &p, &err), CZ_E_INVALID);
    cz_free(longest);
}

/* What takes exponential time elsewhere. */
static void test_time(void **state)
{
    (void)state;
    static const char *const nasty[] = {"^(a+)+$", "^(a|aa)+$", "^(a|a?)+$", "(.*a){20}", "(a|b)*a(a|b){12}$",
                                        "^(([a-z])+.)+[A-Z]([a-z])+$"};
    char name[250];
    memset(name, 'a', sizeof name);
    name[248] = '!';
    name[249] = '\0';
    cz_time began = cz_now();
    for (size_t i = 0; i < sizeof nasty / sizeof *nasty; i++) {
        struct cz_topic_pattern *p = compiled(nasty[i], NULL);
        for (int k = 0; k < 20; k++)
            (void)cz_topic_pattern_match(p, name);
        cz_topic_pattern_free(p);
    }
    assert_in_range((cz_now() - began) / CZ_MS, 0, 5000);
}

static void test_template(void **state)
{
    (void)state;
    static const char *const table[][2] = {
        {NULL, "t"}, {"x", "x"}, {"a.{{topic}}.b", "a.t.b"}, {"{{topic}}{{topic}}", "tt"}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        CZ_CLEANUP(cz_freep) char *name = cz_topic_template(table[i][0], "t");
        assert_string_equal(name, table[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_matches), cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_time), cmocka_unit_test(test_template)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
