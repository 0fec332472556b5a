/* SPDX-License-Identifier: Apache-2.0 */
/* Conformance of a store, first part: resources, lists, teams, and writes that leave nothing.
 */
#include <string.h>

#include "cz/util.h"
#include "store_test.h"

static struct cz_store *store(void **state)
{
    return ((struct store_env *)*state)->a;
}

void test_kinds(void **state)
{
    (void)state;
    enum cz_kind k = CZ_KIND_COUNT_;
    assert_true(cz_kind_parse("value-maps", &k));
    assert_int_equal(k, CZ_KIND_VALUE_MAP);
    assert_true(cz_kind_parse("value_map", &k));
    assert_true(cz_kind_parse("mapping", &k));
    assert_string_equal(cz_kind_collection(k), "mappings");
    assert_false(cz_kind_parse("topic", &k));
    assert_false(cz_kind_parse(NULL, &k));
    assert_string_equal(cz_kind_name(CZ_KIND_COUNT_), "unknown");
    assert_string_equal(cz_op_name(CZ_OP_RESTORE), "restore");
}

void test_create_get_update(void **state)
{
    struct cz_store *s = store(state);
    new_team(s, "basic");
    int64_t first = put(s, "basic", "m", "{\"group\":\"g\",\"spec\":{\"a\":1}}");
    struct cz_resource r = get(s, "basic", "m");
    assert_string_equal(r.team, "basic");
    assert_string_equal(r.name, "m");
    assert_int_equal(r.kind, CZ_KIND_MAPPING);
    assert_int_equal(strlen(r.uid), CZ_UID_SIZE - 1);
    assert_int_equal(r.generation, 1);
    assert_int_equal(r.version, first);
    assert_int_equal(r.deleted_seq, 0);
    assert_null(r.managed_by);
    assert_null(r.override);
    assert_true(r.created_ms > 1700000000000 && r.updated_ms >= r.created_ms);
    /* outside of the spec: version grows, generation stays */
    int64_t second = put(s, "basic", "m", "{\"group\":\"h\",\"spec\":{\"a\":1}}");
    assert_int_equal(second, first + 1);
    struct cz_resource r2 = get(s, "basic", "m");
    assert_int_equal(r2.generation, 1);
    assert_int_equal(r2.version, second);
    assert_string_equal(r2.uid, r.uid);
    assert_int_equal(r2.created_ms, r.created_ms);
    /* the spec */
    int64_t third = put(s, "basic", "m", "{\"group\":\"h\",\"spec\":{\"a\":2}}");
    struct cz_resource r3 = get(s, "basic", "m");
    assert_int_equal(r3.generation, 2);
    assert_int_equal(r3.version, third);
    /* the same again: no change at all */
    assert_int_equal(put(s, "basic", "m", "{\"spec\":{\"a\":2},\"group\":\"h\"}"), third);
    assert_int_equal(now_seq(s), third);
    struct cz_resource by_uid = {0};
    struct cz_error err = CZ_ERROR_INIT;
    ASSERT_OK(cz_store_get_uid(s, r.uid, &by_uid, &err), &err);
    assert_string_equal(by_uid.name, "m");
    assert_int_equal(by_uid.version, third);
    cz_resource_done(&r);
    cz_resource_done(&r2);
    cz_resource_done(&r3);
    cz_resource_done(&by_uid);
}

void test_documents_come_back(void **state)
{
    struct cz_store *s = store(state);
    struct cz_error err = CZ_ERROR_INIT;
    static const char *const docs[] = {
        "{\"spec\":{\"big\":9223372036854775807,\"small\":-9223372036854775808,\"id\":"
        "9007199254740993}}",
        "{\"spec\":{\"one\":1.0,\"hundred\":1e2,\"huge\":1e300,\"tiny\":5e-324,\"third\":0.1}}",
        "{\"spec\":{\"t\":\"\\u00e4\\u4e2d\\ud83d\\ude00 \\\"q\\\" \\\\ \\n "
        "\\u0001\",\"\\u00fc\":\"\"}}",
        "{\"spec\":{\"d\":[[[{\"e\":[null,true,false,{},[]]}]]],\"z\":0,\"a\":-0.5}}",
        "{}",
        "{\"labels\":{\"env\":\"x\"},\"group\":null,\"spec\":null}",
    };
    new_team(s, "json");
    for (size_t i = 0; i < sizeof(docs) / sizeof(*docs); i++) {
        const struct step steps[] = {{.what = STEP_PUT,
                                      .name = "d",
                                      .json = docs[i],
                                      .override = docs[i],
                                      .op = CZ_OP_UPDATE},
                                     {.what = STEP_PUBLISH, .name = "json/d", .json = docs[i]},
                                     {.what = STEP_END}};
        ASSERT_OK(do_steps(s, "json", false, steps, NULL, &err), &err);
        json_t *want = parse(docs[i]);
        struct cz_resource r = get(s, "json", "d");
        if (!json_equal(want, r.doc) || !json_equal(want, r.override))
            fail_msg("%s came back as %s", docs[i], json_dumps(r.doc, JSON_COMPACT));
        /* and again is no change: what came back equals what went in, by the store's measure */
        int64_t seq = 0;
        ASSERT_OK(do_steps(s, "json", false, steps, &seq, &err), &err);
        assert_int_equal(seq, r.version);
        cz_resource_done(&r);
        json_decref(want);
    }
}

static void check_list(struct cz_store *s, struct cz_list_filter f, const char *want)
{
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_resource_list l = {0};
    int64_t seq = -1;
    char got[512] = "";
    size_t n = 0;
    if (!f.team)
        f.team = "list";
    ASSERT_OK(cz_store_list(s, &f, &l, &seq, &err), &err);
    assert_int_equal(seq, now_seq(s));
    for (size_t i = 0; i < l.len; i++)
        n += (size_t)snprintf(got + n, sizeof(got) - n, "%s ", l.items[i].name);
    assert_string_equal(got, want);
    cz_resource_list_done(&l);
}

static enum cz_err put_cluster(struct cz_tx *tx, void *arg, struct cz_error *err)
{
    json_t *doc = parse("{\"spec\":{}}");
    enum cz_err rc =
        cz_tx_put(tx, arg, CZ_KIND_CLUSTER, "prod", doc, NULL, NULL, CZ_OP_CREATE, NULL, err);
    json_decref(doc);
    return rc;
}

void test_list(void **state)
{
    struct cz_store *s = store(state);
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_change_meta meta = {.team = "list"};
    new_team(s, "list");
    check_list(s, (struct cz_list_filter){.kind = CZ_KIND_COUNT_}, "");
    const struct step steps[] = {
        {.what = STEP_PUT,
         .name = "beta",
         .json = "{\"group\":\"g1\",\"labels\":{\"env\":\"dev\"}}"},
        {.what = STEP_PUT,
         .name = "Alpha",
         .json = "{\"group\":\"g2\",\"labels\":{\"env\":\"prod\"}}"},
        {.what = STEP_PUT,
         .name = "\xc3\xa4",
         .json = "{\"group\":\"g1\"}",
         .managed_by = "instance:x"},
        {.what = STEP_PUT, .name = "gone", .json = "{\"group\":\"g1\"}"},
        {.what = STEP_DELETE, .name = "gone"},
        {.what = STEP_END}};
    ASSERT_OK(do_steps(s, "list", false, steps, NULL, &err), &err);
    char team[] = "list";
    ASSERT_OK(cz_store_write(s, &meta, false, put_cluster, team, NULL, &err), &err);
    check_list(s, (struct cz_list_filter){.kind = CZ_KIND_COUNT_}, "prod Alpha beta \xc3\xa4 ");
    check_list(s, (struct cz_list_filter){.kind = CZ_KIND_MAPPING}, "Alpha beta \xc3\xa4 ");
    check_list(s, (struct cz_list_filter){.kind = CZ_KIND_CLUSTER}, "prod ");
    check_list(s, (struct cz_list_filter){.kind = CZ_KIND_MAPPING, .group = "g1"},
               "beta \xc3\xa4 ");
    check_list(s, (struct cz_list_filter){.kind = CZ_KIND_MAPPING, .name_contains = "A"},
               "Alpha beta ");
    check_list(s, (struct cz_list_filter){.kind = CZ_KIND_MAPPING, .name_contains = "%"}, "");
    check_list(s, (struct cz_list_filter){.kind = CZ_KIND_MAPPING, .label_key = "env"},
               "Alpha beta ");
    check_list(s,
               (struct cz_list_filter){
                   .kind = CZ_KIND_MAPPING, .label_key = "env", .label_value = "dev"},
               "beta ");
    check_list(s, (struct cz_list_filter){.kind = CZ_KIND_MAPPING, .managed_by = "instance:x"},
               "\xc3\xa4 ");
    check_list(s, (struct cz_list_filter){.kind = CZ_KIND_MAPPING, .limit = 2}, "Alpha beta ");
    check_list(
        s, (struct cz_list_filter){.kind = CZ_KIND_MAPPING, .after_name = "Alpha", .limit = 1},
        "beta ");
    check_list(s, (struct cz_list_filter){.kind = CZ_KIND_MAPPING, .team = "nobody"}, "");
}

void test_list_by_source(void **state)
{
    struct cz_store *s = store(state);
    struct cz_error err = CZ_ERROR_INIT;
    new_team(s, "sources");
    const struct step steps[] = {
        {.what = STEP_PUT, .name = "a", .json = "{\"spec\":{\"source\":{\"cluster\":\"c\",\"topic\":\"x\"}}}"},
        {.what = STEP_PUT, .name = "b", .json = "{\"spec\":{\"source\":{\"cluster\":\"c\",\"topic\":\"y\"}}}"},
        {.what = STEP_PUT, .name = "list", .json = "{\"spec\":{\"source\":{\"cluster\":\"c\"},\"topics\":[]}}"},
        {.what = STEP_PUT, .name = "other", .json = "{\"spec\":{\"source\":{\"cluster\":\"d\",\"topic\":\"x\"}}}"},
        {.what = STEP_END}};
    ASSERT_OK(do_steps(s, "sources", false, steps, NULL, &err), &err);
#define BY_SOURCE(c, t)                                                                        \
    (struct cz_list_filter)                                                                    \
    {                                                                                          \
        .kind = CZ_KIND_MAPPING, .team = "sources", .source_cluster = c, .source_topic = t     \
    }
    check_list(s, BY_SOURCE("c", NULL), "a b list ");
    check_list(s, BY_SOURCE("c", "x"), "a list ");
    check_list(s, BY_SOURCE("d", "x"), "other ");
    check_list(s, BY_SOURCE("e", "x"), "");
}

void test_list_pages(void **state)
{
    struct cz_store *s = store(state);
    struct cz_error err = CZ_ERROR_INIT;
    static const char *const names[] = {"a", "b", "c"};
    static const char *const teams[] = {"page-1", "page-2"};
    for (int t = 0; t < 2; t++) {
        new_team(s, teams[t]);
        for (int i = 0; i < 3; i++)
            put(s, teams[t], names[i], "{\"labels\":{\"page\":\"1\"}}");
    }
    struct cz_list_filter f = {.kind = CZ_KIND_MAPPING, .label_key = "page", .limit = 2};
    struct cz_resource last = {0};
    char got[128] = "";
    size_t n = 0, pages = 0;
    for (;; pages++) {
        struct cz_resource_list l = {0};
        ASSERT_OK(cz_store_list(s, &f, &l, NULL, &err), &err);
        if (l.len == 0)
            break;
        for (size_t i = 0; i < l.len; i++)
            n += (size_t)snprintf(got + n, sizeof(got) - n, "%s/%s ", l.items[i].team,
                                  l.items[i].name);
        cz_resource_done(&last);
        last = l.items[--l.len];
        f.after_team = last.team;
        f.after_name = last.name;
        cz_resource_list_done(&l);
    }
    cz_resource_done(&last);
    assert_int_equal(pages, 3);
    assert_string_equal(got, "page-1/a page-1/b page-1/c page-2/a page-2/b page-2/c ");
}

void test_delete_and_again(void **state)
{
    struct cz_store *s = store(state);
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_resource none = {0}, dead = {0};
    new_team(s, "again");
    put(s, "again", "m", "{\"spec\":{\"n\":1}}");
    put(s, "again", "m", "{\"spec\":{\"n\":2}}");
    struct cz_resource old = get(s, "again", "m");
    int64_t gone = del(s, "again", "m");
    ASSERT_CODE(cz_store_get(s, "again", CZ_KIND_MAPPING, "m", &none, NULL), CZ_E_NOT_FOUND);
    ASSERT_OK(cz_store_get_uid(s, old.uid, &dead, &err), &err);
    assert_int_equal(dead.deleted_seq, gone);
    assert_int_equal(dead.version, gone);
    assert_int_equal(dead.generation, 2);
    const struct step twice[] = {{.what = STEP_DELETE, .name = "m"}, {.what = STEP_END}};
    ASSERT_CODE(do_steps(s, "again", false, twice, NULL, NULL), CZ_E_NOT_FOUND);
    put(s, "again", "m", "{\"spec\":{\"n\":2}}");
    struct cz_resource young = get(s, "again", "m");
    assert_string_not_equal(young.uid, old.uid);
    assert_int_equal(young.generation, 1);
    struct cz_revision_list l = {0};
    ASSERT_OK(cz_store_revisions(s, "again", CZ_KIND_MAPPING, "m", 0, 0, &l, &err), &err);
    assert_int_equal(l.len, 1); /* the history of the new object alone */
    cz_revision_list_done(&l);
    cz_resource_done(&old);
    cz_resource_done(&dead);
    cz_resource_done(&young);
}

void test_teams(void **state)
{
    struct cz_store *s = store(state);
    struct cz_error err = CZ_ERROR_INIT;
    char **teams = NULL;
    size_t n = 0, found = 0;
    int64_t before = now_seq(s);
    new_team(s, "zebra");
    new_team(s, "Team \xc3\xb6");
    new_team(s, "zebra");
    assert_int_equal(now_seq(s), before);
    ASSERT_OK(cz_store_teams(s, &teams, &n, &err), &err);
    for (size_t i = 0; i < n; i++) {
        found += strcmp(teams[i], "default") == 0 || strcmp(teams[i], "zebra") == 0 ||
                 strcmp(teams[i], "Team \xc3\xb6") == 0;
        if (i > 0)
            assert_true(strcmp(teams[i - 1], teams[i]) < 0);
    }
    assert_int_equal(found, 3);
    for (size_t i = 0; i < n; i++)
        cz_free(teams[i]);
    cz_free(teams);
    const struct cz_change_meta meta = {0};
    ASSERT_CODE(cz_store_put_team(s, "a/b", &meta, NULL), CZ_E_INVALID);
}

void test_errors(void **state)
{
    struct cz_store *s = store(state);
    struct cz_resource r = {0};
    struct cz_change c = {0};
    struct cz_revision_list revs = {0};
    const struct step put_one[] = {{.what = STEP_PUT, .name = "m", .json = "{}"},
                                   {.what = STEP_END}};
    struct cz_error err = CZ_ERROR_INIT;
    ASSERT_CODE(do_steps(s, "no such team", false, put_one, NULL, &err), CZ_E_NOT_FOUND);
    assert_int_equal(err.code, CZ_E_NOT_FOUND);
    assert_non_null(strstr(err.text, "no such team"));
    ASSERT_CODE(cz_store_get(s, "default", CZ_KIND_MAPPING, "none", &r, NULL), CZ_E_NOT_FOUND);
    ASSERT_CODE(cz_store_get(s, "no such team", CZ_KIND_MAPPING, "none", &r, NULL),
                CZ_E_NOT_FOUND);
    ASSERT_CODE(cz_store_get_uid(s, "nope", &r, NULL), CZ_E_NOT_FOUND);
    ASSERT_CODE(cz_store_change(s, 1 << 30, &c, &revs, NULL), CZ_E_NOT_FOUND);
    ASSERT_CODE(cz_store_revisions(s, "default", CZ_KIND_MAPPING, "never", 0, 0, &revs, NULL),
                CZ_E_NOT_FOUND);
    assert_null(r.doc);
    assert_null(revs.items);
    /* an error that is filled already stays */
    err = (struct cz_error){.code = CZ_E_LIMIT, .text = "first"};
    ASSERT_CODE(cz_store_get_uid(s, "nope", &r, &err), CZ_E_NOT_FOUND);
    assert_string_equal(err.text, "first");
}

void test_dry_run(void **state)
{
    struct cz_store *s = store(state);
    struct cz_error err = CZ_ERROR_INIT;
    new_team(s, "dry");
    put(s, "dry", "kept", "{\"spec\":{\"n\":1}}");
    empty_outbox(s);
    int64_t before = now_seq(s), seq = 0;
    const struct step steps[] = {
        {.what = STEP_PUT, .name = "kept", .json = "{\"spec\":{\"n\":2}}"},
        {.what = STEP_PUT, .name = "new", .json = "{}"},
        {.what = STEP_DELETE, .name = "kept"},
        {.what = STEP_PUBLISH, .name = "dry/x", .json = "{}"},
        {.what = STEP_END}};
    const struct step nothing[] = {{.what = STEP_END}};
    ASSERT_OK(do_steps(s, "dry", true, steps, &seq, &err), &err);
    assert_int_equal(seq, before + 1);
    ASSERT_OK(do_steps(s, "dry", true, nothing, &seq, &err), &err);
    assert_int_equal(seq, before);
    ASSERT_OK(do_steps(s, "dry", false, nothing, &seq, &err), &err);
    assert_int_equal(seq, before);
    assert_int_equal(now_seq(s), before);
    struct cz_resource r = get(s, "dry", "kept"), none = {0};
    assert_int_equal(spec_n(r.doc), 1);
    assert_int_equal(r.deleted_seq, 0);
    ASSERT_CODE(cz_store_get(s, "dry", CZ_KIND_MAPPING, "new", &none, NULL), CZ_E_NOT_FOUND);
    struct cz_config_record_list l = {0};
    ASSERT_OK(cz_store_outbox(s, 100, &l, &err), &err);
    assert_int_equal(l.len, 0);
    cz_config_record_list_done(&l);
    cz_resource_done(&r);
}

void test_failed_write_leaves_nothing(void **state)
{
    struct cz_store *s = store(state);
    struct cz_error err = CZ_ERROR_INIT;
    new_team(s, "fail");
    put(s, "fail", "kept", "{\"spec\":{\"n\":1}}");
    empty_outbox(s);
    int64_t before = now_seq(s), seq = -7;
    const struct step steps[] = {
        {.what = STEP_PUT, .name = "new", .json = "{}"},
        {.what = STEP_PUT, .name = "new", .json = "{\"group\":\"x\"}"},
        {.what = STEP_PUT, .name = "kept", .json = "{\"spec\":{\"n\":2}}"},
        {.what = STEP_DELETE, .name = "kept"},
        {.what = STEP_PUT, .name = "kept", .json = "{\"spec\":{\"n\":3}}"},
        {.what = STEP_PUBLISH, .name = "fail/x", .json = "{}"},
        {.what = STEP_FAIL},
        {.what = STEP_END}};
    ASSERT_CODE(do_steps(s, "fail", false, steps, &seq, &err), CZ_E_STALE);
    assert_string_equal(err.text, "told to fail");
    assert_int_equal(seq, -7);
    assert_int_equal(now_seq(s), before);
    struct cz_resource r = get(s, "fail", "kept"), none = {0};
    assert_int_equal(spec_n(r.doc), 1);
    assert_int_equal(r.generation, 1);
    ASSERT_CODE(cz_store_get(s, "fail", CZ_KIND_MAPPING, "new", &none, NULL), CZ_E_NOT_FOUND);
    struct cz_config_record_list l = {0};
    ASSERT_OK(cz_store_outbox(s, 100, &l, &err), &err);
    cz_error_reset(&err);
    assert_int_equal(l.len, 0);
    /* the next number is the next number: no gap */
    assert_int_equal(put(s, "fail", "kept", "{\"spec\":{\"n\":2}}"), before + 1);
    cz_resource_done(&r);
}
