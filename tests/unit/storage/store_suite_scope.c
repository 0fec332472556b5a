/* SPDX-License-Identifier: Apache-2.0 */
/* Conformance of a store: a thread with a scope sees and writes its teams only, whatever it asks for. */
#include <string.h>

#include "cz/util.h"
#include "store_test.h"

static struct cz_store *store(void **state)
{
    return ((struct store_env *)*state)->a;
}

static size_t listed(struct cz_store *s, const char *team, const char *kept_out)
{
    struct cz_list_filter f = {.team = team, .kind = CZ_KIND_MAPPING};
    struct cz_resource_list l = {0};
    struct cz_error err = CZ_ERROR_INIT;
    ASSERT_OK(cz_store_list(s, &f, &l, NULL, &err), &err);
    size_t n = l.len;
    for (size_t i = 0; i < l.len; i++)
        assert_string_not_equal(l.items[i].team, kept_out);
    cz_resource_list_done(&l);
    return n;
}

static size_t changes(struct cz_store *s, const struct cz_change_filter *f, const char *kept_out)
{
    struct cz_change_list l = {0};
    struct cz_error err = CZ_ERROR_INIT;
    ASSERT_OK(cz_store_changes(s, f, &l, &err), &err);
    size_t n = l.len;
    for (size_t i = 0; i < l.len; i++)
        assert_false(cz_streq(l.items[i].team, kept_out));
    cz_change_list_done(&l);
    return n;
}

/* Sees the other team only while it says so. */
static enum cz_err see_all(struct cz_tx *tx, void *arg, struct cz_error *err)
{
    struct cz_list_filter f = {.kind = CZ_KIND_MAPPING};
    size_t *seen = arg;
    for (int i = 0; i < 3; i++) {
        struct cz_resource_list l = {0};
        enum cz_err rc = i ? cz_tx_see_all(tx, i == 1, err) : CZ_OK;
        if (rc == CZ_OK)
            rc = cz_tx_list(tx, &f, &l, err);
        if (rc != CZ_OK)
            return rc;
        seen[i] = l.len;
        cz_resource_list_done(&l);
    }
    return CZ_OK;
}

void test_scope(void **state)
{
    struct cz_store *s = store(state);
    const char *const mine[] = {"scope \"\\,{}a", "no such"}, *const none[] = {NULL};
    new_team(s, mine[0]);
    new_team(s, "scope b");
    (void)put(s, mine[0], "m", "{\"spec\":{\"n\":1}}");
    int64_t theirs = put(s, "scope b", "m", "{\"spec\":{\"n\":1}}");
    struct cz_resource other = get(s, "scope b", "m"), r = {0};
    struct cz_change c = {0};
    struct cz_revision_list revs = {0};
    const struct cz_change_filter all = {.kind = CZ_KIND_COUNT_}, two = {.kind = CZ_KIND_COUNT_, .teams = mine, .teams_len = 2};
    const struct step write[] = {{STEP_PUT, .name = "n", .json = "{\"spec\":{}}", .op = CZ_OP_CREATE}, {STEP_END}};
    assert_int_equal(changes(s, &two, "scope b"), 1); /* a filter, without a scope */

    cz_store_scope(mine, 2);
    assert_int_equal(listed(s, NULL, "scope b"), 1);
    assert_int_equal(listed(s, "scope b", "scope b"), 0);
    assert_int_equal(changes(s, &all, "scope b"), 1);
    ASSERT_CODE(cz_store_get(s, "scope b", CZ_KIND_MAPPING, "m", &r, NULL), CZ_E_NOT_FOUND);
    ASSERT_CODE(cz_store_get_uid(s, other.uid, &r, NULL), CZ_E_NOT_FOUND);
    ASSERT_CODE(cz_store_change(s, theirs, &c, &revs, NULL), CZ_E_NOT_FOUND);
    ASSERT_CODE(cz_store_revisions(s, "scope b", CZ_KIND_MAPPING, "m", 0, 0, &revs, NULL), CZ_E_NOT_FOUND);
    assert_int_not_equal(do_steps(s, "scope b", false, write, NULL, NULL), CZ_OK);
    (void)put(s, mine[0], "n", "{\"spec\":{\"n\":1}}");
    assert_int_equal(listed(s, NULL, "scope b"), 2);

    size_t seen[3];
    const struct cz_change_meta meta = {.action = "test"};
    struct cz_error err = CZ_ERROR_INIT;
    ASSERT_OK(cz_store_write(s, &meta, true, see_all, seen, NULL, &err), &err);
    assert_int_equal(seen[0], 2);
    assert_true(seen[1] > 2);
    assert_int_equal(seen[2], 2);

    cz_store_scope_suspend();
    assert_true(listed(s, NULL, "") > 2);
    cz_store_scope_resume();
    cz_store_scope(none, 0);
    assert_int_equal(listed(s, NULL, ""), 0);
    cz_store_scope_all();
    assert_int_equal(listed(s, "scope b", ""), 1);
    cz_resource_done(&other);
}

static enum cz_err put_rule(struct cz_tx *tx, void *arg, struct cz_error *err)
{
    json_t *doc = parse("{\"spec\":{}}");
    enum cz_err rc = arg ? cz_tx_delete(tx, "default", CZ_KIND_GRANT, "g", err)
                         : cz_tx_put(tx, "default", CZ_KIND_GRANT, "g", doc, NULL, NULL, CZ_OP_CREATE, NULL, err);
    json_decref(doc);
    return rc;
}

void test_access_version(void **state)
{
    struct cz_store *s = store(state);
    const struct cz_change_meta meta = {.team = "default", .action = "test"};
    struct cz_error err = CZ_ERROR_INIT;
    int64_t seq = 0, version = -1, again = -1;
    ASSERT_OK(cz_store_write(s, &meta, false, put_rule, NULL, &seq, &err), &err);
    ASSERT_OK(cz_store_access_version(s, &version, &err), &err);
    assert_int_equal(version, seq);
    (void)put(s, "default", "no rule", "{\"spec\":{\"n\":5}}");
    ASSERT_OK(cz_store_access_version(s, &again, &err), &err);
    assert_int_equal(again, version);
    ASSERT_OK(cz_store_write(s, &meta, false, put_rule, &seq, &seq, &err), &err);
    ASSERT_OK(cz_store_access_version(s, &again, &err), &err);
    assert_int_equal(again, seq); /* what goes counts as well */
    assert_true(again > version);
}

static enum cz_err make_team(struct cz_tx *tx, void *arg, struct cz_error *err)
{
    const struct cz_change_meta meta = {.team = "made", .action = "test.made"};
    json_t *doc = parse("{\"spec\":{}}");
    enum cz_err rc = cz_tx_put_team(tx, "made", err);
    if (rc == CZ_OK)
        rc = cz_tx_put_team(tx, "made", err); /* it is there now */
    if (rc == CZ_OK)
        rc = cz_tx_put(tx, "made", CZ_KIND_TEAM, "made", doc, NULL, NULL, CZ_OP_CREATE, NULL, err);
    if (rc == CZ_OK)
        rc = cz_tx_audit(tx, &meta, "ok", doc, err);
    json_decref(doc);
    return rc == CZ_OK && arg ? cz_fail(err, CZ_E_CONFLICT, "no") : rc;
}

static bool has_team(struct cz_store *s, const char *team)
{
    char **names = NULL;
    size_t n = 0;
    bool yes = false;
    struct cz_error err = CZ_ERROR_INIT;
    ASSERT_OK(cz_store_teams(s, &names, &n, &err), &err);
    for (size_t i = 0; i < n; i++) {
        yes |= strcmp(names[i], team) == 0;
        cz_free(names[i]);
    }
    cz_free(names);
    return yes;
}

void test_team_of_a_write(void **state)
{
    struct cz_store *s = store(state);
    const struct cz_change_meta meta = {.team = "made", .action = "test"};
    struct cz_error err = CZ_ERROR_INIT;
    ASSERT_CODE(cz_store_write(s, &meta, false, make_team, &err, NULL, &err), CZ_E_CONFLICT);
    assert_false(has_team(s, "made"));
    cz_error_reset(&err);
    ASSERT_OK(cz_store_write(s, &meta, true, make_team, NULL, NULL, &err), &err);
    assert_false(has_team(s, "made"));
    ASSERT_OK(cz_store_write(s, &meta, false, make_team, NULL, NULL, &err), &err);
    assert_true(has_team(s, "made"));
}
