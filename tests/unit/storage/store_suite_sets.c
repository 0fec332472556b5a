/* SPDX-License-Identifier: Apache-2.0 */
/* Conformance of a store, fifth part: writes of many objects, renaming, sets and their members. */
#include <string.h>

#include "cz/util.h"
#include "store_test.h"

static struct cz_store *store(void **state)
{
    return ((struct store_env *)*state)->a;
}

struct many {
    const char *team;
    size_t loaded, touched, deleted, created, readers, listed;
};

static enum cz_err put_one(struct cz_tx *tx, const char *team, const char *name, const char *json,
                           enum cz_op op, struct cz_error *err)
{
    json_t *doc = parse(json);
    enum cz_err rc = cz_tx_put(tx, team, CZ_KIND_MAPPING, name, doc, NULL, "set:s", op, NULL, err);
    json_decref(doc);
    return rc;
}

static enum cz_err look(struct cz_tx *tx, struct many *m, struct cz_error *err)
{
    static const char *const topics[] = {"t1", "t9"}, *const clusters[] = {"of many"};
    const struct cz_tx_places of = {clusters, 1, topics, 2};
    const struct cz_resource *before, *after;
    struct cz_resource_list l = {0};
    struct cz_list_filter f = {.team = m->team, .kind = CZ_KIND_MAPPING, .managed_by = "set:s"};
    m->touched = m->deleted = m->created = 0;
    for (size_t i = 0; cz_tx_touched(tx, i, &before, &after); i++) {
        m->touched++;
        m->deleted += !after;
        m->created += !before;
    }
    enum cz_err rc = cz_tx_list(tx, &f, &l, err);
    m->listed = l.len;
    cz_resource_list_done(&l);
    if (rc == CZ_OK)
        rc = cz_tx_readers(tx, &of, &l, err);
    m->readers = l.len;
    cz_resource_list_done(&l);
    return rc;
}

static enum cz_err write_many(struct cz_tx *tx, void *arg, struct cz_error *err)
{
    struct many *m = arg;
    const struct cz_tx_ref refs[] = {{CZ_KIND_MAPPING, "a"}, {CZ_KIND_MAPPING, "gone"},
                                     {CZ_KIND_MAPPING, "again"}, {CZ_KIND_MAPPING, "new"},
                                     {CZ_KIND_MAPPING, "same"}};
    struct cz_resource_list l = {0};
    struct cz_resource r = {0};
    enum cz_err rc = cz_tx_load(tx, m->team, refs, 5, "set:s", &l, err);
    m->loaded = l.len;
    cz_resource_list_done(&l);
    if (rc == CZ_OK)
        rc = put_one(tx, m->team, "a", "{\"spec\":{\"n\":1}}", CZ_OP_UPDATE, err);
    if (rc == CZ_OK)
        rc = put_one(tx, m->team, "a", "{\"spec\":{\"n\":2,\"source\":{\"cluster\":\"of many\",\"topic\":\"t1\"}}}",
                     CZ_OP_UPDATE, err);
    if (rc == CZ_OK)
        rc = put_one(tx, m->team, "new", "{\"spec\":{\"source\":{\"topic\":\"t2\"}}}",
                     CZ_OP_CREATE, err);
    if (rc == CZ_OK)
        rc = cz_tx_delete(tx, m->team, CZ_KIND_MAPPING, "gone", err);
    if (rc == CZ_OK)
        rc = cz_tx_delete(tx, m->team, CZ_KIND_MAPPING, "again", err);
    if (rc == CZ_OK)
        rc = look(tx, m, err);
    if (rc == CZ_OK && cz_tx_get(tx, m->team, CZ_KIND_MAPPING, "gone", &r, NULL) != CZ_E_NOT_FOUND)
        return cz_fail(err, CZ_E_INTERNAL, "a deleted object is there");
    if (rc == CZ_OK)
        rc = put_one(tx, m->team, "again", "{\"spec\":{\"n\":7}}", CZ_OP_CREATE, err);
    json_t *value = json_pack("{s:i}", "x", 1);
    if (rc == CZ_OK)
        rc = cz_tx_publish(tx, "many/a", value, err);
    if (rc == CZ_OK)
        rc = cz_tx_publish(tx, "many/none", NULL, err);
    json_decref(value);
    return rc;
}

static void prepare(struct cz_store *s, const char *team)
{
    new_team(s, team);
    put(s, team, "a", "{\"spec\":{\"n\":0}}");
    put(s, team, "gone", "{\"spec\":{\"n\":0}}");
    put(s, team, "again", "{\"spec\":{\"n\":0}}");
    put(s, team, "other", "{\"spec\":{\"n\":0,\"source\":{\"topic\":\"t3\"}}}");
    empty_outbox(s);
}

void test_many(void **state)
{
    struct cz_store *s = store(state);
    struct cz_error err = CZ_ERROR_INIT;
    struct many m = {.team = "many"};
    struct cz_change_meta meta = {.team = "many", .actor = "a", .set_name = "s",
                                  .git_commit = "c0ffee", .plan_hash = "h"};
    int64_t seq = 0, before;
    prepare(s, "many");
    before = now_seq(s);
    ASSERT_OK(cz_store_write(s, &meta, true, write_many, &m, &seq, &err), &err);
    assert_int_equal(seq, before + 1);
    assert_int_equal(now_seq(s), before);
    ASSERT_OK(cz_store_write(s, &meta, false, write_many, &m, &seq, &err), &err);
    assert_int_equal(m.loaded, 3);
    assert_int_equal(m.touched, 4);
    assert_int_equal(m.deleted, 2);
    assert_int_equal(m.created, 1);
    assert_int_equal(m.listed, 2); /* a and new: what was put is seen */
    assert_int_equal(m.readers, 1);
    struct cz_resource r = get(s, "many", "a");
    assert_int_equal(spec_n(r.doc), 2);
    assert_int_equal(r.version, seq);
    assert_string_equal(r.managed_by, "set:s");
    cz_resource_done(&r);
    r = get(s, "many", "again");
    assert_int_equal(r.generation, 1);
    assert_int_equal(spec_n(r.doc), 7);
    cz_resource_done(&r);
    ASSERT_CODE(cz_store_get(s, "many", CZ_KIND_MAPPING, "gone", &r, NULL), CZ_E_NOT_FOUND);
    struct cz_change c = {0};
    struct cz_revision_list revs = {0};
    ASSERT_OK(cz_store_change(s, seq, &c, &revs, &err), &err);
    assert_string_equal(c.set_name, "s");
    assert_string_equal(c.git_commit, "c0ffee");
    assert_int_equal(c.created, 2);
    assert_int_equal(c.deleted, 2);
    size_t of_new = 0;
    for (size_t i = 0; i < revs.len; i++) {
        of_new += strcmp(revs.items[i].name, "new") == 0;
        if (revs.items[i].op != CZ_OP_DELETE)
            assert_string_equal(revs.items[i].managed_by, "set:s");
    }
    assert_int_equal(of_new, 1);
    cz_change_done(&c);
    cz_revision_list_done(&revs);
    struct cz_config_record_list out = {0};
    ASSERT_OK(cz_store_outbox(s, 100, &out, &err), &err);
    assert_int_equal(out.len, 1); /* the tombstone of a key that is not there is nothing */
    assert_string_equal(out.items[0].key, "many/a");
    cz_config_record_list_done(&out);
    struct cz_change_filter f = {.team = "many", .set_name = "s", .kind = CZ_KIND_COUNT_};
    struct cz_change_list l = {0};
    ASSERT_OK(cz_store_changes(s, &f, &l, &err), &err);
    assert_int_equal(l.len, 1);
    cz_change_list_done(&l);
}

static enum cz_err rename_body(struct cz_tx *tx, void *arg, struct cz_error *err)
{
    const struct cz_tx_ref refs[] = {{CZ_KIND_MAPPING, "a"}};
    struct cz_resource_list l = {0};
    bool many = *(bool *)arg;
    enum cz_err rc = many ? cz_tx_load(tx, "rename", refs, 1, NULL, &l, err) : CZ_OK;
    cz_resource_list_done(&l);
    if (rc == CZ_OK)
        rc = cz_tx_rename(tx, "rename", CZ_KIND_MAPPING, many ? "a" : "b", many ? "b" : "c", err);
    if (rc == CZ_OK && many)
        rc = put_one(tx, "rename", "b", "{\"spec\":{\"n\":5}}", CZ_OP_UPDATE, err);
    return rc;
}

static enum cz_err rename_taken(struct cz_tx *tx, void *arg, struct cz_error *err)
{
    (void)arg;
    return cz_tx_rename(tx, "rename", CZ_KIND_MAPPING, "other", "gone", err);
}

void test_rename(void **state)
{
    struct cz_store *s = store(state);
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_change_meta meta = {.team = "rename"};
    bool many = true;
    prepare(s, "rename");
    struct cz_resource a = get(s, "rename", "a"), b;
    ASSERT_OK(cz_store_write(s, &meta, false, rename_body, &many, NULL, &err), &err);
    b = get(s, "rename", "b");
    assert_string_equal(a.uid, b.uid);
    assert_int_equal(b.generation, 2);
    assert_int_equal(spec_n(b.doc), 5);
    cz_resource_done(&b);
    many = false;
    ASSERT_OK(cz_store_write(s, &meta, false, rename_body, &many, NULL, &err), &err);
    b = get(s, "rename", "c");
    assert_string_equal(a.uid, b.uid);
    assert_int_equal(b.generation, 2);
    ASSERT_CODE(cz_store_write(s, &meta, false, rename_taken, NULL, NULL, NULL), CZ_E_CONFLICT);
    struct cz_revision_list revs = {0};
    ASSERT_OK(cz_store_revisions(s, "rename", CZ_KIND_MAPPING, "c", 0, 0, &revs, &err), &err);
    assert_true(revs.len >= 3); /* the history came along */
    cz_revision_list_done(&revs);
    cz_resource_done(&a);
    cz_resource_done(&b);
}

/* The plain data of the store owns its strings; those of a test stay where they are. */
static char TEAM[] = "sets", CORE[] = "core", OTHER[] = "other", C1[] = "c1", CI[] = "ci",
            WHY[] = "why", A[] = "a", B[] = "b", U1[] = "u1", U2[] = "u2";

static enum cz_err set_body(struct cz_tx *tx, void *arg, struct cz_error *err)
{
    struct cz_set_state st = {.team = TEAM, .name = CORE, .commit = arg,
                              .applied_seq = 1, .applied_ms = 1700000000000, .applied_by = CI,
                              .suspended = true, .suspended_reason = WHY};
    struct cz_set_member in[] = {{CZ_KIND_MAPPING, B, U2, 2}, {CZ_KIND_CLUSTER, A, U1, 1}};
    enum cz_err rc = cz_tx_put_set(tx, &st, err);
    return rc ? rc : cz_tx_put_members(tx, "sets", "core", in, 2, err);
}

static enum cz_err move_body(struct cz_tx *tx, void *arg, struct cz_error *err)
{
    (void)arg;
    struct cz_set_state st = {.team = TEAM, .name = OTHER};
    struct cz_set_member b = {CZ_KIND_MAPPING, B, U2, 9};
    enum cz_err rc = cz_tx_put_set(tx, &st, err);
    if (rc == CZ_OK)
        rc = cz_tx_put_members(tx, "sets", "other", &b, 1, err);
    return rc ? rc : cz_tx_drop_members(tx, "sets", "core", &b, 1, err); /* is not core's now */
}

static enum cz_err drop_body(struct cz_tx *tx, void *arg, struct cz_error *err)
{
    return cz_tx_delete_set(tx, "sets", arg, err);
}

static size_t members_of(struct cz_store *s, const char *set)
{
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_set_member_list l = {0};
    ASSERT_OK(cz_store_set_members(s, "sets", set, &l, &err), &err);
    size_t n = l.len;
    cz_set_member_list_done(&l);
    return n;
}

void test_sets(void **state)
{
    struct cz_store *s = store(state);
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_change_meta meta = {.team = "sets"};
    struct cz_set_state_list l = {0};
    int64_t first = 0, second = 0;
    new_team(s, "sets");
    ASSERT_OK(cz_store_write(s, &meta, false, set_body, C1, &first, &err), &err);
    ASSERT_OK(cz_store_write(s, &meta, false, set_body, C1, &second, &err), &err);
    assert_int_equal(first, second); /* the same: no change */
    ASSERT_OK(cz_store_sets(s, "sets", NULL, &l, &err), &err);
    assert_int_equal(l.len, 1);
    assert_string_equal(l.items[0].commit, "c1");
    assert_int_equal(l.items[0].applied_ms, 1700000000000);
    assert_true(l.items[0].suspended);
    assert_int_equal(l.items[0].suspended_seq, 0);
    assert_string_equal(l.items[0].suspended_reason, "why");
    assert_null(l.items[0].blocked_commit);
    cz_set_state_list_done(&l);
    assert_int_equal(members_of(s, "core"), 2);
    ASSERT_OK(cz_store_write(s, &meta, false, move_body, NULL, NULL, &err), &err);
    assert_int_equal(members_of(s, "core"), 1);
    assert_int_equal(members_of(s, "other"), 1);
    ASSERT_OK(cz_store_write(s, &meta, false, drop_body, CORE, NULL, &err), &err);
    ASSERT_CODE(cz_store_write(s, &meta, false, drop_body, CORE, NULL, NULL), CZ_E_NOT_FOUND);
    ASSERT_OK(cz_store_sets(s, "sets", "core", &l, &err), &err);
    assert_int_equal(l.len, 0);
    cz_set_state_list_done(&l);
}
