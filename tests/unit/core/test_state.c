/* SPDX-License-Identifier: Apache-2.0 */
/** Task states: every pair, and the setter's abort in a child process. */
#include "cz_test.h"

#include <sys/resource.h>
#include <sys/wait.h>

#include "cz/drop.h"
#include "cz/log.h"
#include "cz/state.h"

/* Rows: from, columns: to, in the order of the enum (U R P S F X=RESTARTING D=FINISHED). */
static const char *const want[] = {"-1111..", "1-11111", "11-111.", "111-11.",
                                   "1.11-1.", "11111-.", "1.1111-"};

static bool aborts(enum cz_task_state from, enum cz_task_state to)
{
    pid_t pid = fork();
    if (pid == 0) {
        (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0});
        (void)close(STDERR_FILENO);
        (void)cz_task_state_set(&from, to, "m=1", "test");
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void every_pair(void **state)
{
    (void)state;
    static char out[4096];
    cz_log_init(CZ_LOG_INFO, true);
    for (int from = 0; from < CZ_TASK_STATE_COUNT_; from++) {
        for (int to = 0; to < CZ_TASK_STATE_COUNT_; to++) {
            enum cz_task_state s = (enum cz_task_state)from, t = (enum cz_task_state)to;
            char c = want[from][to];
            assert_int_equal(cz_task_state_legal(s, t), c == '1');
            if (c == '.') {
                assert_true(aborts(s, t));
                continue;
            }
            bool changed = false;
            CAPTURE_STDERR(out, sizeof out,
                           changed = cz_task_state_set(&s, t, "task=7", "because"));
            assert_int_equal(s, t);
            assert_int_equal(changed, from != to);
            if (!changed) {
                assert_string_equal(out, "");
                continue;
            }
            char line[100];
            (void)snprintf(line, sizeof line, "%s → %s: because task=7",
                           cz_task_state_name((enum cz_task_state)from), cz_task_state_name(t));
            CONTAINS(out, line);
        }
    }
}

static void names(void **state)
{
    (void)state;
    for (int i = 0; i < CZ_TASK_STATE_COUNT_; i++) {
        enum cz_task_state s = CZ_TASK_STATE_COUNT_;
        assert_true(cz_task_state_parse(cz_task_state_name((enum cz_task_state)i), &s));
        assert_int_equal(s, i);
    }
    enum cz_task_state s = CZ_TASK_PAUSED;
    assert_false(cz_task_state_parse("running", &s));
    assert_false(cz_task_state_parse(NULL, &s));
    assert_int_equal(s, CZ_TASK_PAUSED);
    assert_string_equal(cz_task_state_name((enum cz_task_state)99), "?");
    assert_false(cz_task_state_legal((enum cz_task_state)99, CZ_TASK_PAUSED));
    enum cz_drop d = CZ_DROP_COUNT_;
    for (int i = 0; i < CZ_DROP_COUNT_; i++) {
        assert_true(cz_drop_parse(cz_drop_name((enum cz_drop)i), &d));
        assert_int_equal(d, i);
    }
    assert_false(cz_drop_parse("?", &d));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_pair), cmocka_unit_test(names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
