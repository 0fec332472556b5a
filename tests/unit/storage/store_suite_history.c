/* SPDX-License-Identifier: Apache-2.0 */
/* Conformance of a store, second part: history, outbox and what the config topic should hold.
 */
#include <string.h>

#include "store_test.h"

static struct cz_store *store(void **state)
{
    return ((struct store_env *)*state)->a;
}

static void check_changes(struct cz_store *s,
                          const struct cz_change_filter *f,
                          size_t n,
                          const int64_t *want)
{
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_change_list l = {0};
    ASSERT_OK(cz_store_changes(s, f, &l, &err), &err);
    assert_int_equal(l.len, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(l.items[i].seq, want[i]);
    cz_change_list_done(&l);
}

static enum cz_err put_template(struct cz_tx *tx, void *arg, struct cz_error *err)
{
    (void)arg;
    json_t *doc = parse("{\"spec\":{}}");
    enum cz_err rc =
        cz_tx_put(tx, "log", CZ_KIND_TEMPLATE, "t", doc, NULL, NULL, CZ_OP_CREATE, NULL, err);
    json_decref(doc);
    return rc;
}

void test_changes(void **state)
{
    struct cz_store *s = store(state);
    struct cz_error err = CZ_ERROR_INIT;
    new_team(s, "log");
    const struct step three[] = {
        {.what = STEP_PUT, .name = "a", .json = "{}", .op = CZ_OP_CREATE},
        {.what = STEP_PUT, .name = "b", .json = "{}", .op = CZ_OP_CREATE},
        {.what = STEP_END}};
    int64_t q[4] = {0};
    ASSERT_OK(do_steps(s, "log", false, three, &q[0], &err), &err);
    q[1] = put(s, "log", "a", "{\"group\":\"g\"}");
    q[2] = del(s, "log", "b");
    struct cz_change_meta meta = {.team = "log", .actor = "bob", .via = "cli", .reverts = q[1]};
    ASSERT_OK(cz_store_write(s, &meta, false, put_template, NULL, &q[3], &err), &err);

    struct cz_change_filter f = {.team = "log", .kind = CZ_KIND_COUNT_};
    check_changes(s, &f, 4, (int64_t[]){q[3], q[2], q[1], q[0]});
    f.limit = 2;
    check_changes(s, &f, 2, (int64_t[]){q[3], q[2]});
    f.before = q[2];
    check_changes(s, &f, 2, (int64_t[]){q[1], q[0]});
    f = (struct cz_change_filter){.team = "log", .kind = CZ_KIND_COUNT_, .after = q[1]};
    check_changes(s, &f, 2, (int64_t[]){q[2], q[3]});
    f = (struct cz_change_filter){.team = "log", .kind = CZ_KIND_MAPPING, .name = "b"};
    check_changes(s, &f, 2, (int64_t[]){q[2], q[0]});
    f = (struct cz_change_filter){.team = "log", .kind = CZ_KIND_TEMPLATE};
    check_changes(s, &f, 1, (int64_t[]){q[3]});
    f = (struct cz_change_filter){.team = "log", .kind = CZ_KIND_COUNT_, .actor = "bob"};
    check_changes(s, &f, 1, (int64_t[]){q[3]});
    f = (struct cz_change_filter){.team = "log", .kind = CZ_KIND_COUNT_, .via = "api"};
    check_changes(s, &f, 3, (int64_t[]){q[2], q[1], q[0]});
    f = (struct cz_change_filter){.team = "nobody", .kind = CZ_KIND_COUNT_};
    check_changes(s, &f, 0, NULL);

    struct cz_change c = {0};
    struct cz_revision_list revs = {0};
    ASSERT_OK(cz_store_change(s, q[0], &c, &revs, &err), &err);
    assert_string_equal(c.team, "log");
    assert_string_equal(c.actor, "alice");
    assert_string_equal(c.comment, "why");
    assert_string_equal(c.request_id, "req-1");
    assert_true(c.at_ms > 1700000000000);
    assert_int_equal(c.created, 2);
    assert_int_equal(c.updated + c.deleted, 0);
    assert_int_equal(revs.len, 2);
    assert_string_equal(revs.items[0].name, "a");
    assert_int_equal(revs.items[1].op, CZ_OP_CREATE);
    cz_change_done(&c);
    cz_revision_list_done(&revs);
    ASSERT_OK(cz_store_change(s, q[3], &c, NULL, &err), &err);
    assert_int_equal(c.reverts, q[1]);
    cz_change_done(&c);
}

void test_revisions(void **state)
{
    struct cz_store *s = store(state);
    struct cz_error err = CZ_ERROR_INIT;
    new_team(s, "rev");
    int64_t q1 = put(s, "rev", "m", "{\"spec\":{\"n\":1}}");
    int64_t q2 = put(s, "rev", "m", "{\"spec\":{\"n\":2}}");
    const struct step pause[] = {{.what = STEP_PUT,
                                  .name = "m",
                                  .json = "{\"spec\":{\"n\":2}}",
                                  .override = "{\"paused\":true}",
                                  .op = CZ_OP_OVERRIDE},
                                 {.what = STEP_END}};
    int64_t q3 = 0;
    ASSERT_OK(do_steps(s, "rev", false, pause, &q3, &err), &err);
    int64_t q4 = del(s, "rev", "m");
    struct cz_revision_list l = {0};
    ASSERT_OK(cz_store_revisions(s, "rev", CZ_KIND_MAPPING, "m", 0, 0, &l, &err), &err);
    const int64_t seqs[] = {q4, q3, q2, q1}, gens[] = {2, 2, 2, 1}, ns[] = {2, 2, 2, 1};
    const enum cz_op ops[] = {CZ_OP_DELETE, CZ_OP_OVERRIDE, CZ_OP_UPDATE, CZ_OP_UPDATE};
    assert_int_equal(l.len, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(l.items[i].seq, seqs[i]);
        assert_int_equal(l.items[i].generation, gens[i]);
        assert_int_equal(l.items[i].op, ops[i]);
        assert_int_equal(spec_n(l.items[i].doc), ns[i]);
        assert_string_equal(l.items[i].actor, "alice");
        assert_string_equal(l.items[i].via, "api");
        assert_string_equal(l.items[i].team, "rev");
        assert_true(l.items[i].at_ms > 0);
    }
    assert_true(json_is_true(json_object_get(l.items[1].override, "paused")));
    assert_null(l.items[2].override);
    cz_revision_list_done(&l);
    ASSERT_OK(cz_store_revisions(s, "rev", CZ_KIND_MAPPING, "m", q3, 1, &l, &err), &err);
    assert_int_equal(l.len, 1);
    assert_int_equal(l.items[0].seq, q2);
    cz_revision_list_done(&l);
    ASSERT_OK(cz_store_revisions(s, "rev", CZ_KIND_MAPPING, "m", q1, 1, &l, &err), &err);
    assert_int_equal(l.len, 0);
}

static enum cz_err restore_fn(struct cz_tx *tx, void *arg, struct cz_error *err)
{
    struct cz_revision v = {0}, none = {0};
    enum cz_err rc = cz_tx_revision(tx, "restore", CZ_KIND_MAPPING, "m", 1, &v, err);
    if (rc != CZ_OK)
        return rc;
    ASSERT_CODE(cz_tx_revision(tx, "restore", CZ_KIND_MAPPING, "m", 99, &none, NULL),
                CZ_E_NOT_FOUND);
    ASSERT_CODE(cz_tx_revision(tx, "restore", CZ_KIND_MAPPING, "x", 1, &none, NULL),
                CZ_E_NOT_FOUND);
    rc = cz_tx_put(tx, "restore", CZ_KIND_MAPPING, "m", v.doc, NULL, NULL, CZ_OP_RESTORE, arg,
                   err);
    cz_revision_done(&v);
    return rc;
}

void test_restore(void **state)
{
    struct cz_store *s = store(state);
    struct cz_error err = CZ_ERROR_INIT;
    const struct cz_change_meta meta = {.team = "restore"};
    struct cz_resource r = {0};
    int64_t seq = 0;
    new_team(s, "restore");
    put(s, "restore", "m", "{\"spec\":{\"n\":1}}");
    put(s, "restore", "m", "{\"group\":\"g\",\"spec\":{\"n\":1}}"); /* newest of generation 1 */
    put(s, "restore", "m", "{\"spec\":{\"n\":2}}");
    ASSERT_OK(cz_store_write(s, &meta, false, restore_fn, &r, &seq, &err), &err);
    assert_int_equal(r.generation, 3);
    assert_int_equal(r.version, seq);
    assert_int_equal(spec_n(r.doc), 1);
    assert_string_equal(json_string_value(json_object_get(r.doc, "group")), "g");
    char *uid = cz_strdup(r.uid);
    cz_resource_done(&r);
    /* also of an object that was deleted: as a new one */
    del(s, "restore", "m");
    ASSERT_OK(cz_store_write(s, &meta, false, restore_fn, &r, &seq, &err), &err);
    assert_int_equal(r.generation, 1);
    assert_string_not_equal(r.uid, uid);
    cz_resource_done(&r);
    cz_free(uid);
    struct cz_revision_list l = {0};
    ASSERT_OK(cz_store_revisions(s, "restore", CZ_KIND_MAPPING, "m", 0, 0, &l, &err), &err);
    assert_int_equal(l.len, 1);
    assert_int_equal(l.items[0].op, CZ_OP_RESTORE);
    cz_revision_list_done(&l);
}

static void publish(struct cz_store *s, const char *key, const char *value)
{
    struct cz_error err = CZ_ERROR_INIT;
    const struct step steps[] = {{.what = STEP_PUBLISH, .name = key, .json = value},
                                 {.what = STEP_END}};
    ASSERT_OK(do_steps(s, "default", false, steps, NULL, &err), &err);
}

void test_outbox(void **state)
{
    struct cz_store *s = store(state);
    struct cz_error err = CZ_ERROR_INIT;
    empty_outbox(s);
    publish(s, "out/b", "{\"x\":1,\"y\":[1.0,2]}");
    int64_t first = now_seq(s);
    publish(s, "out/a", "{\"x\":2}");
    publish(s, "out/b", NULL);
    int64_t last = now_seq(s);
    assert_int_equal(last, first + 2);
    publish(s, "out/a", "{\"x\":2}"); /* identical, deleted, unknown: nothing to say */
    publish(s, "out/b", NULL);
    publish(s, "out/c", NULL);
    assert_int_equal(now_seq(s), last);
    struct cz_config_record_list l = {0};
    ASSERT_OK(cz_store_outbox(s, 100, &l, &err), &err);
    assert_int_equal(l.len, 3);
    assert_string_equal(l.items[0].key, "out/b");
    assert_string_equal(l.items[1].key, "out/a");
    assert_string_equal(l.items[2].key, "out/b");
    assert_null(l.items[2].value);
    for (int i = 0; i < 3; i++)
        assert_int_equal(l.items[i].seq, first + i);
    assert_string_equal(l.items[0].trace_id, "trace-1");
    json_t *want = parse("{\"x\":1,\"y\":[1.0,2]}");
    assert_true(json_equal(l.items[0].value, want));
    json_decref(want);
    cz_config_record_list_done(&l);
    struct cz_leadership *lead = NULL;
    int64_t epoch = 0;
    ASSERT_OK(cz_leadership_try(s, "x", 60000, cz_deadline_ms(5000), &lead, &epoch, NULL, &err),
              &err);
    ASSERT_OK(cz_store_outbox_done(s, epoch, first + 1, &err), &err);
    ASSERT_OK(cz_store_outbox(s, 100, &l, &err), &err);
    assert_int_equal(l.len, 1);
    assert_int_equal(l.items[0].seq, last);
    cz_config_record_list_done(&l);
    cz_leadership_free(lead);
}

void test_outbox_whole_changes(void **state)
{
    struct cz_store *s = store(state);
    struct cz_error err = CZ_ERROR_INIT;
    empty_outbox(s);
    const struct step many[] = {
        {.what = STEP_PUBLISH, .name = "many/1", .json = "{}"},
        {.what = STEP_PUBLISH, .name = "many/2", .json = "{}"},
        {.what = STEP_PUBLISH, .name = "many/1", .json = "{\"again\":1}"},
        {.what = STEP_END}};
    ASSERT_OK(do_steps(s, "default", false, many, NULL, &err), &err);
    publish(s, "many/4", "{}");
    struct cz_config_record_list l = {0};
    ASSERT_OK(cz_store_outbox(s, 2, &l, &err), &err);
    assert_int_equal(l.len, 3);
    assert_string_equal(l.items[0].key, "many/1");
    assert_string_equal(l.items[2].key, "many/1");
    assert_int_equal(l.items[2].seq, l.items[0].seq);
    cz_config_record_list_done(&l);
    ASSERT_OK(cz_store_outbox(s, 4, &l, &err), &err);
    assert_int_equal(l.len, 4);
    cz_config_record_list_done(&l);
}

void test_config(void **state)
{
    struct cz_store *s = store(state);
    struct cz_error err = CZ_ERROR_INIT;
    publish(s, "conf/b", "{\"v\":1}");
    publish(s, "conf/a", "{\"v\":2}");
    publish(s, "conf/b", "{\"v\":3}");
    int64_t b_seq = now_seq(s);
    publish(s, "conf/c", "{\"v\":4}");
    publish(s, "conf/c", NULL);
    struct cz_config_record_list l = {0};
    int64_t seq = 0;
    char got[64] = "";
    size_t n = 0;
    ASSERT_OK(cz_store_config(s, &l, &seq, &err), &err);
    assert_int_equal(seq, now_seq(s));
    for (size_t i = 0; i < l.len; i++) {
        assert_true(i == 0 || strcmp(l.items[i - 1].key, l.items[i].key) < 0);
        if (strncmp(l.items[i].key, "conf/", 5) != 0)
            continue;
        n += (size_t)snprintf(got + n, sizeof(got) - n, "%s=%d ", l.items[i].key,
                              (int)json_integer_value(json_object_get(l.items[i].value, "v")));
        if (strcmp(l.items[i].key, "conf/b") == 0)
            assert_int_equal(l.items[i].seq, b_seq);
    }
    assert_string_equal(got, "conf/a=2 conf/b=3 ");
    cz_config_record_list_done(&l);
}

void test_marks(void **state)
{
    struct cz_store *s = store(state);
    struct cz_error err = CZ_ERROR_INIT;
    const struct cz_change_meta meta = {.team = "marks", .actor = "system", .action = "mapping.once"};
    struct cz_resource r = {0};
    int64_t value = -1;
    new_team(s, "marks");
    int64_t seq = put(s, "marks", "m", "{}");
    ASSERT_OK(cz_store_get(s, "marks", CZ_KIND_MAPPING, "m", &r, &err), &err);
    ASSERT_OK(cz_store_mark(s, r.uid, "once", &value, &err), &err);
    assert_int_equal(value, 0);
    ASSERT_OK(cz_store_set_mark(s, r.uid, "once", 7, &meta, NULL, &err), &err);
    ASSERT_OK(cz_store_set_mark(s, r.uid, "once", 5000000000, &meta, NULL, &err), &err);
    ASSERT_OK(cz_store_mark(s, r.uid, "once", &value, &err), &err);
    assert_int_equal(value, 5000000000);
    ASSERT_OK(cz_store_mark(s, r.uid, "other", &value, &err), &err);
    assert_int_equal(value, 0);
    assert_int_equal(now_seq(s), seq); /* no change of the object */
    assert_int_not_equal(cz_store_set_mark(s, "no-such-uid", "once", 1, &meta, NULL, NULL), CZ_OK);
    cz_resource_done(&r);
}

void test_reports(void **state)
{
    struct cz_store *s = store(state);
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_resource a = {0}, b = {0};
    json_t *value = json_pack("{s:i}", "n", 1), *all = NULL;
    new_team(s, "reports");
    put(s, "reports", "a", "{}");
    int64_t seq = put(s, "reports", "b", "{}");
    ASSERT_OK(cz_store_get(s, "reports", CZ_KIND_MAPPING, "a", &a, &err), &err);
    ASSERT_OK(cz_store_get(s, "reports", CZ_KIND_MAPPING, "b", &b, &err), &err);
    ASSERT_OK(cz_store_put_report(s, a.uid, "r", value, &err), &err);
    ASSERT_OK(cz_store_put_report(s, b.uid, "r", value, &err), &err);
    (void)json_object_set_new(value, "n", json_integer(2));
    ASSERT_OK(cz_store_put_report(s, a.uid, "r", value, &err), &err); /* the last one counts */
    ASSERT_OK(cz_store_reports(s, "r", a.uid, &all, &err), &err);
    assert_int_equal(json_object_size(all), 1);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(all, a.uid), "n")), 2);
    json_decref(all);
    ASSERT_OK(cz_store_reports(s, "r", NULL, &all, &err), &err);
    assert_int_equal(json_object_size(all), 2);
    json_decref(all);
    ASSERT_OK(cz_store_reports(s, "other", NULL, &all, &err), &err);
    assert_int_equal(json_object_size(all), 0);
    json_decref(all);
    assert_int_equal(now_seq(s), seq); /* no change of the object */
    ASSERT_CODE(cz_store_put_report(s, "no-such-uid", "r", value, &err), CZ_E_NOT_FOUND);
    json_decref(value);
    cz_resource_done(&a);
    cz_resource_done(&b);
}

void test_audit_and_check(void **state)
{
    struct cz_store *s = store(state);
    struct cz_error err = CZ_ERROR_INIT;
    const struct cz_change_meta meta = {
        .team = "default", .actor = "mallory", .action = "mapping.update"};
    json_t *detail = parse("{\"missing\":\"verb\"}");
    int64_t before = now_seq(s);
    ASSERT_OK(cz_store_audit(s, &meta, "denied", detail, &err), &err);
    ASSERT_OK(cz_store_audit(s, &meta, "denied", NULL, &err), &err);
    assert_int_equal(now_seq(s), before);
    json_decref(detail);
    ASSERT_OK(cz_store_check(s, cz_deadline_ms(5000), &err), &err);
    struct cz_store_stats st;
    cz_store_stats(s, &st);
    assert_int_equal(st.pool_leased, 0);
    assert_int_equal(st.pool_waiting, 0);
}
