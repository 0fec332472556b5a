/* SPDX-License-Identifier: Apache-2.0 */
/** Log lines: JSON and logfmt, escaping, levels, cutting, the gate. */
#include "cz_test.h"

#include <jansson.h>
#include <time.h>

#include "cz/alloc.h"
#include "cz/log.h"
#include "cz/util.h"

static char out[200000];

static void json_line(void **state)
{
    (void)state;
    cz_log_init(CZ_LOG_INFO, true);
    cz_alloc_fail_after(0); /* must work without memory */
    CAPTURE_STDERR(out, sizeof out,
                   cz_log(CZ_LOG_WARN, "room", "a \"b\"\n\x1b[31m %s=%d \xFF", "k", 7));
    cz_alloc_fail_after(-1);
    assert_int_equal(out[strlen(out) - 1], '\n');
    assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1); /* one line */
    json_t *j = json_loads(out, 0, NULL);
    assert_non_null(j);
    assert_string_equal(json_string_value(json_object_get(j, "level")), "warn");
    assert_string_equal(json_string_value(json_object_get(j, "component")), "room");
    assert_string_equal(json_string_value(json_object_get(j, "msg")),
                        "a \"b\"\n\x1b[31m k=7 \xEF\xBF\xBD");
    assert_int_equal(strlen(json_string_value(json_object_get(j, "ts"))), 24);
    json_decref(j);
}

static void default_is_json_when_no_terminal(void **state)
{
    (void)state;
    CAPTURE_STDERR(out, sizeof out, cz_log(CZ_LOG_INFO, "x", "hello"));
    assert_int_equal(out[0], '{');
}

static void logfmt_line(void **state)
{
    (void)state;
    cz_log_init(CZ_LOG_INFO, false);
    CAPTURE_STDERR(out, sizeof out, cz_log(CZ_LOG_INFO, "a b", "x\ny"));
    CONTAINS(out, "level=info component=\"a b\" msg=\"x\\ny\"\n");
    assert_int_equal(strncmp(out, "ts=2", 4), 0);
}

static void levels(void **state)
{
    (void)state;
    cz_log_init(CZ_LOG_WARN, true);
    CAPTURE_STDERR(out, sizeof out, cz_log(CZ_LOG_INFO, "x", "no"));
    assert_string_equal(out, "");
    cz_log_set_level(CZ_LOG_DEBUG);
    assert_int_equal(cz_log_level(), CZ_LOG_DEBUG);
    CAPTURE_STDERR(out, sizeof out, cz_log(CZ_LOG_DEBUG, "x", "yes"));
    CONTAINS(out, "yes");
    enum cz_log_level level = CZ_LOG_ERROR;
    assert_true(cz_log_level_parse("WARNING", &level));
    assert_int_equal(level, CZ_LOG_WARN);
    assert_false(cz_log_level_parse("loud", &level));
    assert_false(cz_log_level_parse(NULL, &level));
    for (int i = CZ_LOG_ERROR; i <= CZ_LOG_DEBUG; i++) {
        assert_true(cz_log_level_parse(cz_log_level_name((enum cz_log_level)i), &level));
        assert_int_equal(level, i);
    }
}

static void long_message_is_cut(void **state)
{
    (void)state;
    static char text[20001];
    cz_log_init(CZ_LOG_INFO, true);
    for (int kind = 0; kind < 2; kind++) { /* the worst escape, and characters of three bytes */
        for (size_t i = 0; i < sizeof text - 1; i++)
            text[i] = kind ? "\xE2\x82\xAC"[i % 3] : '\x01';
        CAPTURE_STDERR(out, sizeof out, cz_log(CZ_LOG_INFO, "x", "%s", text));
        json_t *j = json_loads(out, 0, NULL);
        assert_non_null(j);
        const char *msg = json_string_value(json_object_get(j, "msg"));
        assert_true(strlen(msg) > 4000);
        assert_null(strstr(msg, "\xEF\xBF\xBD"));
        json_decref(j);
    }
}

static void gate(void **state)
{
    (void)state;
    cz_log_init(CZ_LOG_INFO, true);
    struct cz_log_gate g = {0};
    assert_true(cz_log_gate(&g, 50));
    for (int i = 0; i < 5; i++)
        assert_false(cz_log_gate(&g, 50));
    (void)nanosleep(&(struct timespec){.tv_nsec = 60000000}, NULL);
    assert_true(cz_log_gate(&g, 50));
    CAPTURE_STDERR(out, sizeof out, cz_log(CZ_LOG_INFO, "x", "again"));
    CONTAINS(out, "\"held_back\":5");
    CAPTURE_STDERR(out, sizeof out, cz_log(CZ_LOG_INFO, "x", "again"));
    assert_null(strstr(out, "held_back"));
    CAPTURE_STDERR(out, sizeof out, {
        for (int i = 0; i < 10; i++)
            CZ_LOG_EVERY(60000, CZ_LOG_INFO, "x", "line %d", i);
    });
    CONTAINS(out, "line 0");
    assert_null(strstr(out, "line 1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(default_is_json_when_no_terminal),
                                       cmocka_unit_test(json_line),
                                       cmocka_unit_test(logfmt_line),
                                       cmocka_unit_test(levels),
                                       cmocka_unit_test(long_message_is_cut),
                                       cmocka_unit_test(gate)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
