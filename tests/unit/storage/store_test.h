/* SPDX-License-Identifier: Apache-2.0 */
/** What the tests of the store share: two handles on the same data (the same one twice for the
 *  store in memory), short forms of the calls that tests make all the time, and the tests that
 *  every implementation must pass. */
#ifndef STORE_TEST_H
#define STORE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "cz/storage.h"
#include "cz/thread.h"

struct store_env {
    struct cz_store *a, *b;
};

#define ASSERT_OK(call, err)                                                                   \
    do {                                                                                       \
        enum cz_err rc_ = (call);                                                              \
        if (rc_ != CZ_OK)                                                                      \
            fail_msg("%s: %s: %s", #call, cz_err_name(rc_), (err)->text);                      \
    } while (0)
#define ASSERT_CODE(call, code)                                                                \
    do {                                                                                       \
        enum cz_err rc_ = (call);                                                              \
        if (rc_ != (code))                                                                     \
            fail_msg("%s: %s instead of %s", #call, cz_err_name(rc_), cz_err_name(code));      \
    } while (0)

/** One step of a write. */
struct step {
    enum { STEP_END, STEP_PUT, STEP_DELETE, STEP_PUBLISH, STEP_FAIL } what;
    const char *name; /* of the mapping, or the key of the record */
    const char *json; /* document or value; NULL: tombstone */
    const char *override;
    const char *managed_by;
    enum cz_op op;
};
/** Do @steps (up to STEP_END) on the mappings of @team in one write. */
enum cz_err do_steps(struct cz_store *s,
                     const char *team,
                     bool dry_run,
                     const struct step *steps,
                     int64_t *ret_seq,
                     struct cz_error *err);
/** One put of a mapping; asserts success. Returns the seq. */
int64_t put(struct cz_store *s, const char *team, const char *name, const char *doc);
int64_t del(struct cz_store *s, const char *team, const char *name);
/** Get a mapping; asserts success. */
struct cz_resource get(struct cz_store *s, const char *team, const char *name);
void new_team(struct cz_store *s, const char *team);
json_t *parse(const char *text);
int64_t now_seq(struct cz_store *s);
/** Forget what tests before left in the outbox. */
void empty_outbox(struct cz_store *s);
/** spec.n of a document. */
int64_t spec_n(const json_t *doc);
/** Count spec.n of a mapping up by one, in one write. @thread any */
enum cz_err count_up(struct cz_store *s,
                     const char *team,
                     const char *name,
                     int64_t *ret_seq,
                     struct cz_error *err);

/* store_suite_scope.c */
void test_scope(void **state);
void test_access_version(void **state);
void test_team_of_a_write(void **state);
/* store_suite.c */
void test_kinds(void **state);
void test_create_get_update(void **state);
void test_documents_come_back(void **state);
void test_list(void **state);
void test_list_pages(void **state);
void test_list_by_source(void **state);
void test_delete_and_again(void **state);
void test_teams(void **state);
void test_errors(void **state);
void test_dry_run(void **state);
void test_failed_write_leaves_nothing(void **state);
/* store_suite_history.c */
void test_changes(void **state);
void test_revisions(void **state);
void test_restore(void **state);
void test_outbox(void **state);
void test_outbox_whole_changes(void **state);
void test_config(void **state);
void test_audit_and_check(void **state);
void test_marks(void **state);
void test_reports(void **state);
/* store_suite_lead.c */
void test_leadership(void **state);
void test_stale_leader(void **state);
void test_leadership_wait(void **state);
void test_outbox_fencing(void **state);
void test_wait(void **state);
/* store_suite_threads.c */
void test_writers(void **state);
void test_optimistic(void **state);

/* store_suite_sets.c */
void test_many(void **state);
void test_rename(void **state);
void test_sets(void **state);

#define STORE_SUITE                                                                            \
    cmocka_unit_test(test_kinds), cmocka_unit_test(test_create_get_update),                    \
        cmocka_unit_test(test_documents_come_back), cmocka_unit_test(test_list),               \
        cmocka_unit_test(test_list_pages), cmocka_unit_test(test_delete_and_again),            \
        cmocka_unit_test(test_teams), cmocka_unit_test(test_errors),                           \
        cmocka_unit_test(test_scope), cmocka_unit_test(test_access_version),                   \
        cmocka_unit_test(test_team_of_a_write),                                                \
        cmocka_unit_test(test_dry_run), cmocka_unit_test(test_failed_write_leaves_nothing),    \
        cmocka_unit_test(test_changes), cmocka_unit_test(test_revisions),                      \
        cmocka_unit_test(test_restore), cmocka_unit_test(test_outbox),                         \
        cmocka_unit_test(test_outbox_whole_changes), cmocka_unit_test(test_config),            \
        cmocka_unit_test(test_list_by_source), cmocka_unit_test(test_audit_and_check), cmocka_unit_test(test_marks), cmocka_unit_test(test_reports),      \
        cmocka_unit_test(test_leadership),                                                     \
        cmocka_unit_test(test_stale_leader), cmocka_unit_test(test_leadership_wait),           \
        cmocka_unit_test(test_outbox_fencing), cmocka_unit_test(test_wait),                    \
        cmocka_unit_test(test_writers), cmocka_unit_test(test_optimistic),                     \
        cmocka_unit_test(test_many), cmocka_unit_test(test_rename), cmocka_unit_test(test_sets)

#endif
