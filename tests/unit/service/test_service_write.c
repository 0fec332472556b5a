/* SPDX-License-Identifier: Apache-2.0 */
/** Saving: what is refused and where, what is published, versions, concurrency, deleting. */
#include "cz/thread.h"
#include "fixture.h"

#define SRC "'source':{'cluster':'source','topic':'orders'}"
#define DST "'target':{'cluster':'target','topic':'orders'}"

static const struct {
    const char *doc, *pointer, *slug;
} refused[] = {
    /* the outer document */
    {"{}", "/spec", "required"},
    {"[]", "", "type"},
    {"{'spec':[]}", "/spec", "type"},
    {"{'spec':{" SRC "," DST "},'colour':1}", "/colour", "unknown-field"},
    {"{'spec':{" SRC "," DST "},'group':7}", "/group", "type"},
    {"{'spec':{" SRC "," DST "},'group':'a/b'}", "/group", "name"},
    {"{'spec':{" SRC "," DST "},'labels':[]}", "/labels", "type"},
    {"{'spec':{" SRC "," DST "},'labels':{'env':1}}", "/labels/env", "type"},
    {"{'spec':{" SRC "," DST "},'labels':{'':'x'}}", "/labels/", "range"},
    {"{'spec':{" SRC "," DST "},'description':1}", "/description", "type"},
    {"{'spec':{" SRC "," DST "},'managed_by':'instance:x'}", "/managed_by", "read-only"},
    {"{'spec':{" SRC "," DST "},'version':'7'}", "/version", "read-only"},
    {"{'spec':{" SRC "," DST "},'team':'other'}", "/team", "read-only"},
    {"{'spec':{" SRC "," DST "},'name':'other'}", "/name", "read-only"},
    {"{'spec':{" SRC "," DST "},'kind':'cluster'}", "/kind", "read-only"},
    /* what the spec names */
    {"{'spec':{'source':{'cluster':'nope','topic':'orders'}," DST "}}", "/spec/source/cluster",
     "not-found"},
    {"{'spec':{" SRC ",'target':{'cluster':'nope','topic':'orders'}}}", "/spec/target/cluster",
     "not-found"},
    {"{'spec':{'source':{'cluster':'source','topic':'missing1'}," DST "}}",
     "/spec/source/topic", "topic-missing"},
    {"{'spec':{" SRC ",'target':{'cluster':'target','topic':'missing1'}}}",
     "/spec/target/topic", "topic-missing"},
    {"{'spec':{'source':{'cluster':'source','topic':'secret'}," DST "}}", "/spec/source/topic",
     "topic-forbidden"},
    {"{'spec':{'source':{'cluster':'source'},'target':{'cluster':'target'},'topics':[{'source':"
     "'a'},{'source':'b','target':'missing2'}]}}",
     "/spec/topics/1/target", "topic-missing"},
    {MAPPING(",'on_error':{'dead_letter':'missing3'}"), "/spec/on_error/dead_letter",
     "topic-missing"},
    {"{'spec':{'source':{'cluster':'source','topic':'missing1'}," DST
     ",'topic_policy':'create'}}",
     "/spec/source/topic", "topic-missing"},
    {MAPPING(",'value_map':'nope'"), "/spec/value_map", "not-found"},
    /* one wrong value for each field that works */
    {MAPPING(",'enabled':1"), "/spec/enabled", "type"},
    {MAPPING(",'start':'begin'"), "/spec/start", "value"},
    {MAPPING(",'on_change':{'offset':'x'}"), "/spec/on_change/offset", "value"},
    {MAPPING(",'consumer_group':1"), "/spec/consumer_group", "type"},
    {MAPPING(",'isolation':'x'"), "/spec/isolation", "value"},
    {MAPPING(",'key_format':'x'"), "/spec/key_format", "value"},
    {MAPPING(",'value_format':'x'"), "/spec/value_format", "value"},
    {MAPPING(",'validate':'x'"), "/spec/validate", "value"},
    {MAPPING(",'valid_jmespath':'value.['"), "/spec/valid_jmespath", "jmespath"},
    {MAPPING(",'value_map':{'nokey':{}}"), "/spec/value_map/nokey", "value"},
    {MAPPING(",'partitioning':'x'"), "/spec/partitioning", "value"},
    {MAPPING(",'topic_policy':'x'"), "/spec/topic_policy", "value"},
    {MAPPING(",'on_error':'x'"), "/spec/on_error", "value"},
    {MAPPING(",'tasks':-1"), "/spec/tasks", "range"},
    {MAPPING(",'producer':{'compression':'x'}"), "/spec/producer/compression", "value"},
    {MAPPING(",'producer':{'plugin.library.paths':'x'}"), "/spec/producer/plugin.library.paths",
     "unknown-field"},
    {MAPPING(",'delivery':'exactly_once','isolation':'read_uncommitted'"), "/spec/isolation", "value"},
    {MAPPING(",'sample':{'percent':500}"), "/spec/sample/percent", "range"},
};

static void test_refused(void **state)
{
    struct fixture *f = *state;
    int64_t before = seq_of(f);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        problem(f, put(f, CZ_KIND_MAPPING, "m", refused[i].doc), refused[i].pointer,
                refused[i].slug);
        json_t *e = get(f, CZ_KIND_MAPPING, "m");
        assert_null(e);
    }
    assert_int_equal(seq_of(f), before);
    assert_int_equal(published_count(f), 2); /* the clusters */
}

static void test_all_problems_at_once(void **state)
{
    struct fixture *f = *state;
    enum cz_err code = put(f, CZ_KIND_MAPPING, "m",
                           "{'colour':1,'spec':{'source':{'cluster':'nope','topic':'a'},'"
                           "target':{'cluster':'target','topic':'missing'},"
                           "'valid_jmespath':'[','value_map':'nope','x':1}}");
    problem(f, code, "/colour", "unknown-field");
    problem(f, code, "/spec/x", "unknown-field");
    problem(f, code, "/spec/source/cluster", "not-found");
    problem(f, code, "/spec/valid_jmespath", "jmespath");
    problem(f, code, "/spec/value_map", "not-found");
}

static void test_bad_names(void **state)
{
    struct fixture *f = *state;
    problem(f, put(f, CZ_KIND_MAPPING, "", MAPPING("")), "/name", "name");
    problem(f, put(f, CZ_KIND_MAPPING, " a", MAPPING("")), "/name", "name");
    problem(f, put(f, CZ_KIND_MAPPING, "a\nb", MAPPING("")), "/name", "name");
    problem(f, put(f, CZ_KIND_MAPPING, "\xff", MAPPING("")), "/name", "name");
    json_t *e = NULL;
    assert_int_equal(cz_service_status(f->s, "default", "\xff", &e, NULL), CZ_E_NOT_FOUND);
    assert_int_equal(
        cz_service_resume(f->s, &caller, &(struct cz_write){0}, "\xff", "m", &f->r, NULL),
        CZ_E_NOT_FOUND);
    must(f, put(f, CZ_KIND_MAPPING, "Topic B to C", MAPPING("")));
}

/** What a write said of the group's deletion; 0: nothing. */
static int64_t switched_on(struct fixture *f)
{
    json_t *record = published_mapping(f, "m");
    int64_t n = cz_json_int(record, "switched_on", 0);
    json_decref(record);
    return n;
}

static void test_switching_on_is_numbered(void **state)
{
    struct fixture *f = *state;
#define SERVICE(name) MAPPING(",'target_service_consumer_group':'" name "'")
#define STOPPED MAPPING(",'enabled':false,'target_service_consumer_group':'svc'")
    must(f, put(f, CZ_KIND_MAPPING, "m", SERVICE("svc")));
    int64_t created = f->r.seq;
    assert_int_equal(switched_on(f), created);
    assert_true(json_is_null(json_object_get(f->r.resource, "override"))); /* not shown */
    must(f, put(f, CZ_KIND_MAPPING, "m", SERVICE("svc")));
    assert_true(f->r.unchanged);
    must(f, put(f, CZ_KIND_MAPPING, "m",
                MAPPING(",'target_service_consumer_group':'svc','tasks':3"))); /* any other change */
    cz_write_result_done(&f->r);
    must(f, cz_service_pause(f->s, &caller, &(struct cz_write){0}, "default", "m", NULL, 0, &f->r, &f->err));
    cz_write_result_done(&f->r);
    must(f, cz_service_resume(f->s, &caller, &(struct cz_write){0}, "default", "m", &f->r, &f->err));
    cz_write_result_done(&f->r);
    must(f, cz_service_restart(f->s, &caller, &(struct cz_write){0}, "default", "m", &f->r, &f->err));
    assert_int_equal(switched_on(f), created);
    must(f, put(f, CZ_KIND_MAPPING, "m", STOPPED));
    assert_int_equal(switched_on(f), 0);
    must(f, put(f, CZ_KIND_MAPPING, "m", SERVICE("svc")));
    assert_int_equal(switched_on(f), f->r.seq);
    must(f, put(f, CZ_KIND_MAPPING, "m", SERVICE("other")));
    assert_int_equal(switched_on(f), f->r.seq);
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING("")));
    assert_int_equal(switched_on(f), 0);
    problem(f, put(f, CZ_KIND_MAPPING, "m",
                   "{'spec':{'source':{'cluster':'source','topic':'a'},"
                   "'target':{'cluster':'source','topic':'b'},'consumer_group':'g',"
                   "'target_service_consumer_group':'g'}}"),
            "/spec/target_service_consumer_group", "value");
}

#define ROUTE(from, a, to, b, extra)                                                           \
    "{'spec':{'source':{'cluster':'" from "','topic':'" a "'},"                                \
    "'target':{'cluster':'" to "','topic':'" b "'}" extra "}}"
#define MARKED ",'headers':{'provenance':true}"

static void test_records_do_not_go_round(void **state)
{
    struct fixture *f = *state;
    must(f, put(f, CZ_KIND_CLUSTER, "alias", CLUSTER("h:1"))); /* the source under another name */
    must(f, put(f, CZ_KIND_MAPPING, "ab", ROUTE("source", "a", "target", "b", "")));
    must(f, put(f, CZ_KIND_MAPPING, "bc", ROUTE("target", "b", "source", "c", "")));
    problem(f, put(f, CZ_KIND_MAPPING, "ca", ROUTE("source", "c", "source", "a", "")), "/spec/target", "cycle");
    assert_non_null(strstr(f->rep.items[0].message, "\"ca\" → \"ab\" → \"bc\" → \"ca\""));
    assert_null(get(f, CZ_KIND_MAPPING, "ca"));
    /* One that does not run closes no circle; enabling it would. */
    must(f, put(f, CZ_KIND_MAPPING, "ca", ROUTE("source", "c", "source", "a", ",'enabled':false")));
    problem(f, put(f, CZ_KIND_MAPPING, "ca", ROUTE("source", "c", "source", "a", "")), "/spec/target", "cycle");
    /* By several pairs of one mapping, and by another name of a cluster, as well. */
    problem(f, put(f, CZ_KIND_MAPPING, "ca", ROUTE("alias", "c", "alias", "a", "")), "/spec/target", "cycle");
    problem(f, put(f, CZ_KIND_MAPPING, "list",
                   "{'spec':{'source':{'cluster':'source'},'target':{'cluster':'source'},"
                   "'topics':[{'source':'x','target':'y'},{'source':'c','target':'a'}]}}"),
            "/spec/target", "cycle");
    /* Provenance on all of them lets a record be recognised. */
    must(f, put(f, CZ_KIND_MAPPING, "ab", ROUTE("source", "a", "target", "b", MARKED)));
    must(f, put(f, CZ_KIND_MAPPING, "bc", ROUTE("target", "b", "source", "c", MARKED)));
    problem(f, put(f, CZ_KIND_MAPPING, "ca", ROUTE("source", "c", "source", "a", "")), "/spec/target", "cycle");
    must(f, put(f, CZ_KIND_MAPPING, "ca", ROUTE("source", "c", "source", "a", MARKED)));
    problem(f, put(f, CZ_KIND_MAPPING, "bc", ROUTE("target", "b", "source", "c", "")), "/spec/target", "cycle");
    /* A pattern reads what matches it; with one, too, a circle is closed from either side. */
    must(f, put(f, CZ_KIND_MAPPING, "pattern",
                "{'spec':{'source':{'cluster':'target','pattern':'^p'},'target':{'cluster':'source'}}}"));
    problem(f, put(f, CZ_KIND_MAPPING, "p1", ROUTE("source", "p1", "target", "p1", "")), "/spec/target", "cycle");
    /* Not a circle: two into one topic, and one into two. */
    must(f, put(f, CZ_KIND_MAPPING, "xb", ROUTE("source", "x", "target", "b", "")));
    must(f, put(f, CZ_KIND_MAPPING, "xd", ROUTE("source", "x", "target", "d", "")));
}

static void put_in_team(struct fixture *f, const char *team, enum cz_kind kind, const char *name, const char *doc)
{
    struct cz_write w = {.if_match = CZ_IF_MATCH_NONE};
    json_t *j = js(doc);
    cz_write_result_done(&f->r);
    cz_report_done(&f->rep);
    must(f, cz_service_put(f->s, &caller, &w, team, kind, name, j, &f->r, &f->rep, &f->err));
    json_decref(j);
}

/* Another team's mapping closes the circle, under its own names of the clusters; it is not named. */
static void test_round_through_another_team(void **state)
{
    struct fixture *f = *state;
    json_t *j = NULL;
    const struct cz_write w = {0};
    int64_t version;
    must(f, cz_service_put_team(f->s, &caller, &w, "other", NULL, &j, &version, &f->rep, &f->err));
    json_decref(j);
    put_in_team(f, "other", CZ_KIND_CLUSTER, "near", CLUSTER("h:2"));
    put_in_team(f, "other", CZ_KIND_CLUSTER, "far", CLUSTER("h:1"));
    put_in_team(f, "other", CZ_KIND_MAPPING, "back", ROUTE("near", "b", "far", "a", MARKED));
    must(f, put(f, CZ_KIND_MAPPING, "ac", ROUTE("source", "a", "target", "c", "")));
    problem(f, put(f, CZ_KIND_MAPPING, "there", ROUTE("source", "a", "target", "b", "")), "/spec/target", "cycle");
    assert_non_null(strstr(f->rep.items[0].message, "\"there\" → a mapping of another team → \"there\""));
    assert_null(strstr(f->rep.items[0].message, "back"));
    const char *const mine[] = {"default"}; /* whoever may not see the other team is told the same */
    cz_store_scope(mine, 1);
    problem(f, put(f, CZ_KIND_MAPPING, "there", ROUTE("source", "a", "target", "b", "")), "/spec/target", "cycle");
    cz_store_scope_all();
    must(f, put(f, CZ_KIND_MAPPING, "there", ROUTE("source", "a", "target", "b", MARKED)));
    cz_write_result_done(&f->r);
}

static void test_life(void **state)
{
    struct fixture *f = *state;
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING(",'valid_jmespath':'value.a'")));
    assert_true(f->r.created);
    assert_int_equal(f->r.version, f->r.seq);
    assert_string_equal(cz_json_str(f->r.resource, "generation", ""), "1");
    assert_non_null(json_object_get(f->r.resource, "status"));
    int64_t v1 = f->r.version;
    json_t *p = published_mapping(f, "m");
    assert_string_equal(cz_json_str(p, "state", ""), "RUNNING");
    assert_string_equal(cz_json_str(p, "team", ""), "default");
    assert_string_equal(cz_json_str(json_object_get(p, "spec"), "consumer_group", ""),
                        "citizenk.default.m");
    json_decref(p);

    /* an identical write is none */
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING(",'valid_jmespath':'value.a'")));
    assert_true(f->r.unchanged);
    assert_int_equal(f->r.seq, v1);
    assert_false(f->r.created);

    must(f, put_with(f, CZ_KIND_MAPPING, "m", MAPPING(",'enabled':false"),
                     (struct cz_write){.if_match = v1}));
    assert_false(f->r.created);
    assert_string_equal(cz_json_str(f->r.resource, "generation", ""), "2");
    p = published_mapping(f, "m");
    assert_string_equal(cz_json_str(p, "state", ""), "STOPPED");
    assert_string_equal(cz_json_str(p, "generation", ""), "2");
    json_decref(p);
}

static void test_preconditions(void **state)
{
    struct fixture *f = *state;
    must(f, put_with(f, CZ_KIND_MAPPING, "m", MAPPING(""),
                     (struct cz_write){.create_only = true}));
    int64_t v = f->r.version;
    assert_int_equal(put_with(f, CZ_KIND_MAPPING, "m", MAPPING(""), (struct cz_write){0}),
                     CZ_E_PRECONDITION);
    assert_int_equal(
        put_with(f, CZ_KIND_MAPPING, "m", MAPPING(""), (struct cz_write){.create_only = true}),
        CZ_E_STALE);
    assert_int_equal(
        put_with(f, CZ_KIND_MAPPING, "m", MAPPING(""), (struct cz_write){.if_match = v - 1}),
        CZ_E_STALE);
    assert_non_null(strstr(f->err.text, "alice"));
    assert_non_null(strstr(f->err.text, "Z")); /* and when */
    assert_int_equal(
        put_with(f, CZ_KIND_MAPPING, "new", MAPPING(""), (struct cz_write){.if_match = 3}),
        CZ_E_STALE);
    cz_error_reset(&f->err);
    assert_int_equal(cz_service_delete(f->s, &caller, &(struct cz_write){0}, "default",
                                       CZ_KIND_MAPPING, "m", &f->r, &f->err),
                     CZ_E_PRECONDITION);
    cz_error_reset(&f->err);
    assert_int_equal(cz_service_put(f->s, &caller, &(struct cz_write){0}, "nobody",
                                    CZ_KIND_MAPPING, "m", NULL, &f->r, &f->rep, &f->err),
                     CZ_E_NOT_FOUND);
}

/* The source must be there; what is written to may come later. */
static void test_created_topics_may_be_missing(void **state)
{
    struct fixture *f = *state;
    must(f, put(f, CZ_KIND_MAPPING, "m",
                "{'spec':{" SRC ",'target':{'cluster':'target','topic':'missing1'},"
                "'topic_policy':'create','on_error':{'dead_letter':'missing2'}}}"));
}

#define TESTS(want)                                                                            \
    ",'value_map':'ids','tests':[{'name':'good','input':{'value':{}},'expect':{'passed':true}},"  \
    "{'name':'mapped','input':{'value':{'id':1}},'expect':{'value':{'id':" want "}}}]"

/** Nothing is stored while a test of a mapping fails, also when it fails by a change of the value
 * map or of the template. */
static void test_mapping_tests(void **state)
{
    struct fixture *f = *state;
    must(f, put(f, CZ_KIND_VALUE_MAP, "ids", "{'spec':{'value.id':{'1':10}}}"));
    problem(f, put(f, CZ_KIND_MAPPING, "m", MAPPING(TESTS("11"))), "/spec/tests/1", "test-failed");
    assert_non_null(strstr(f->rep.items[0].message, "\"mapped\" failed: value/id is 10, not 11"));
    assert_int_equal(f->rep.len, 1);
    assert_null(get(f, CZ_KIND_MAPPING, "m"));
    problem(f,
            put_with(f, CZ_KIND_MAPPING, "m", MAPPING(TESTS("11")),
                     (struct cz_write){.dry_run = true}),
            "/spec/tests/1", "test-failed");
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING(TESTS("10"))));
    json_t *record = published_mapping(f, "m");
    assert_null(json_object_get(json_object_get(record, "spec"), "tests"));
    json_decref(record);
    problem(f, put(f, CZ_KIND_VALUE_MAP, "ids", "{'spec':{'value.id':{'1':12}}}"), "/spec", "test-failed");
    assert_non_null(strstr(f->rep.items[0].message, "mapping \"m\""));
    must(f, put(f, CZ_KIND_TEMPLATE, "t",
                "{'spec':{'variables':{'X':{}},'mappings':[{'name':'{{X}}','spec':{'source':{'cluster':"
                "'source','topic':'orders'},'target':{'cluster':'target','topic':'{{X}}'},'tests':[{'name':"
                "'n','input':{'value':'{{X}}'},'expect':{'value':'a'}}]}}]}}"));
    must(f, put(f, CZ_KIND_INSTANCE, "a", "{'spec':{'template':'t','vars':{'X':'a'}}}"));
    problem(f, put(f, CZ_KIND_INSTANCE, "b", "{'spec':{'template':'t','vars':{'X':'b'}}}"), "/spec/vars",
            "test-failed");
    assert_null(get(f, CZ_KIND_MAPPING, "b"));
}

static void test_get_edit_put(void **state)
{
    struct fixture *f = *state;
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING("")));
    json_t *e = get(f, CZ_KIND_MAPPING, "m");
    (void)json_object_set_new(e, "group", json_string("first"));
    cz_write_result_done(&f->r);
    must(f, cz_service_put(f->s, &caller, &(struct cz_write){.if_match = CZ_IF_MATCH_ANY},
                           "default", CZ_KIND_MAPPING, "m", e, &f->r, &f->rep, &f->err));
    assert_string_equal(cz_json_str(f->r.resource, "group", ""), "first");
    assert_string_equal(cz_json_str(f->r.resource, "generation", ""), "1");
    json_decref(e);
}

static void test_patch(void **state)
{
    struct fixture *f = *state;
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING(",'valid_jmespath':'value.a'")));
    json_t *patch = js("{'labels':{'env':'qa'},'spec':{'valid_jmespath':null,'tasks':2}}");
    struct cz_write w = {.if_match = f->r.version};
    cz_write_result_done(&f->r);
    must(f, cz_service_patch(f->s, &caller, &w, "default", CZ_KIND_MAPPING, "m", patch, &f->r,
                             &f->rep, &f->err));
    json_decref(patch);
    json_t *spec = json_object_get(f->r.resource, "spec");
    assert_null(json_object_get(spec, "valid_jmespath"));
    assert_int_equal(json_integer_value(json_object_get(spec, "tasks")), 2);
    patch = js("{'spec':{'tasks':0},'uid':'x'}");
    enum cz_err code =
        cz_service_patch(f->s, &caller, &(struct cz_write){.if_match = CZ_IF_MATCH_ANY},
                         "default", CZ_KIND_MAPPING, "m", patch, &f->r, &f->rep, &f->err);
    problem(f, code, "/spec/tasks", "range");
    problem(f, code, "/uid", "read-only");
    json_decref(patch);
}

static void test_dry_run(void **state)
{
    struct fixture *f = *state;
    int64_t before = seq_of(f);
    must(f, put_with(f, CZ_KIND_MAPPING, "m", MAPPING(""), (struct cz_write){.dry_run = true}));
    assert_true(f->r.created);
    assert_non_null(f->r.resource);
    assert_int_equal(json_array_size(f->r.changes), 1);
    assert_int_equal(seq_of(f), before);
    assert_null(get(f, CZ_KIND_MAPPING, "m"));
    assert_int_equal(published_count(f), 2);
    problem(f,
            put_with(f, CZ_KIND_MAPPING, "m", MAPPING(",'x':1"),
                     (struct cz_write){.dry_run = true}),
            "/spec/x", "unknown-field");
}

static void test_unreachable_cluster_warns(void **state)
{
    struct fixture *f = *state;
    must(f, put(f, CZ_KIND_CLUSTER, "far", CLUSTER("dead:1")));
    assert_true(has_warning(f, "cluster-unreachable"));
    must(f, put(f, CZ_KIND_MAPPING, "m",
                "{'spec':{" SRC ",'target':{'cluster':'far','topic':'missing'}}}"));
    assert_true(has_warning(f, "cluster-unreachable"));
    assert_int_equal(json_array_size(f->r.warnings), 1);
    /* what can be checked is checked all the same */
    problem(f,
            put(f, CZ_KIND_MAPPING, "m2",
                "{'spec':{'source':{'cluster':'source','topic':'missing'},'target':{'cluster':'"
                "far','topic':'x'}}}"),
            "/spec/source/topic", "topic-missing");
}

static void test_clusters(void **state)
{
    struct fixture *f = *state;
    json_t *p = published(f, "cluster/default/source");
    assert_string_equal(cz_json_str(json_object_get(p, "spec"), "bootstrap_servers", ""),
                        "h:1");
    json_decref(p);
    problem(f, put(f, CZ_KIND_CLUSTER, "c", "{'spec':{}}"), "/spec/bootstrap_servers",
            "required");
    problem(
        f,
        put(f, CZ_KIND_CLUSTER, "c",
            "{'spec':{'bootstrap_servers':'h:1','properties':{'plugin.library.paths':'x'}}}"),
        "/spec/properties/plugin.library.paths", "forbidden-property");
    enum cz_err code = put(f, CZ_KIND_CLUSTER, "c",
                           "{'spec':{'bootstrap_servers':'h:1','security_protocol':'sasl_ssl','"
                           "sasl_mechanism':'PLAIN',"
                           "'sasl_username':'u','sasl_password':'plain text'}}");
    assert_int_equal(code, CZ_E_INVALID);
    assert_string_equal(f->rep.items[0].pointer, "/spec/sasl_password");
    assert_null(strstr(f->rep.items[0].message, "plain text"));
    must(f, put(f, CZ_KIND_CLUSTER, "source", CLUSTER("h:9")));
    p = published(f, "cluster/default/source");
    assert_string_equal(cz_json_str(json_object_get(p, "spec"), "bootstrap_servers", ""),
                        "h:9");
    json_decref(p);
}

static enum cz_err delete (struct fixture *f, enum cz_kind kind, const char *name) {
    cz_write_result_done(&f->r); cz_error_reset(&f->err);
    return cz_service_delete(f->s,
                             &caller,
                             &(struct cz_write){.if_match = CZ_IF_MATCH_ANY},
                             "default",
                             kind,
                             name,
                             &f->r,
                             &f->err);
}

static void test_delete(void **state)
{
    struct fixture *f = *state;
    must(f, put(f, CZ_KIND_VALUE_MAP, "ids", "{'spec':{'key':{'1':2}}}"));
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING(",'value_map':'ids'")));
    assert_int_equal(delete (f, CZ_KIND_CLUSTER, "source"), CZ_E_CONFLICT);
    assert_non_null(strstr(f->err.text, "\"m\""));
    assert_int_equal(delete (f, CZ_KIND_VALUE_MAP, "ids"), CZ_E_CONFLICT);
    assert_int_equal(delete (f, CZ_KIND_MAPPING, "other"), CZ_E_NOT_FOUND);
    must(f, delete (f, CZ_KIND_MAPPING, "m"));
    assert_null(f->r.resource);
    assert_int_equal(published_count(f), 2);
    must(f, delete (f, CZ_KIND_VALUE_MAP, "ids"));
    must(f, delete (f, CZ_KIND_CLUSTER, "source"));
    assert_null(published(f, "cluster/default/source"));
    assert_int_equal(published_count(f), 1);
}

static void test_value_map(void **state)
{
    struct fixture *f = *state;
    problem(f, put(f, CZ_KIND_VALUE_MAP, "ids", "{'spec':{'key:partition':{'1':-5}}}"),
            "/spec/key:partition/1", "range");
    must(f, put(f, CZ_KIND_VALUE_MAP, "ids", "{'spec':{'key':{'1':2}}}"));
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING(",'value_map':'ids'")));
    must(f, put(f, CZ_KIND_VALUE_MAP, "ids", "{'spec':{'key':{'1':3}}}"));
    json_t *p = published_mapping(f, "m");
    json_t *map = json_object_get(json_object_get(p, "spec"), "value_map");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(map, "key"), "1")), 3);
    json_decref(p);
    problem(f, put(f, CZ_KIND_VALUE_MAP, "ids", "{'spec':{'key':7}}"), "/spec/key", "type");
}

static void test_groups(void **state)
{
    struct fixture *f = *state;
    must(f, put(f, CZ_KIND_MAPPING, "one", MAPPING(",'consumer_group':'g'")));
    problem(f, put(f, CZ_KIND_MAPPING, "two", MAPPING(",'consumer_group':'g'")),
            "/spec/consumer_group", "group-in-use");
    assert_non_null(strstr(f->rep.items[0].message, "\"one\""));
    /* other topics, another cluster or no group: fine */
    must(f, put(f, CZ_KIND_MAPPING, "three",
                "{'spec':{'source':{'cluster':'source','topic':'users'}," DST
                ",'consumer_group':'g'}}"));
    must(f, put(f, CZ_KIND_MAPPING, "four",
                "{'spec':{'source':{'cluster':'target','topic':'orders'},'target':{'cluster':'"
                "source','topic':'x'},'consumer_group':'g'}}"));
    must(f, put(f, CZ_KIND_MAPPING, "five", MAPPING(",'consumer_group':''")));
    must(f, put(f, CZ_KIND_MAPPING, "six", MAPPING(",'consumer_group':''")));
    /* another mapping's default group, from both sides */
    must(f, put(f, CZ_KIND_MAPPING, "seven", MAPPING("")));
    problem(
        f,
        put(f, CZ_KIND_MAPPING, "eight", MAPPING(",'consumer_group':'citizenk.default.seven'")),
        "/spec/consumer_group", "group-in-use");
    must(f, put(f, CZ_KIND_MAPPING, "eight",
                MAPPING(",'consumer_group':'citizenk.default.nine'")));
    problem(f, put(f, CZ_KIND_MAPPING, "nine", MAPPING("")), "/spec/consumer_group",
            "group-in-use");
    /* two names for one cluster */
    must(f, put(f, CZ_KIND_CLUSTER, "alias", CLUSTER("h:1")));
    problem(f,
            put(f, CZ_KIND_MAPPING, "ten",
                "{'spec':{'source':{'cluster':'alias','topic':'orders'}," DST
                ",'consumer_group':'g'}}"),
            "/spec/consumer_group", "group-in-use");
    /* an edit of something else is not disturbed */
    must(f, put(f, CZ_KIND_MAPPING, "one", MAPPING(",'consumer_group':'g','tasks':2")));
}

/** Topics are asked once for a run of writes, and never while nothing needs them. */
static void test_asks_little(void **state)
{
    struct fixture *f = *state;
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING("")));
    int asked = f->asked;
    for (int i = 0; i < 5; i++) {
        CZ_CLEANUP(cz_freep) char *doc = cz_strf(MAPPING(",'tasks':%d"), i + 1);
        must(f, put(f, CZ_KIND_MAPPING, "m", doc));
    }
    assert_int_equal(f->asked, asked);
}

/* Two clients edit one mapping: each version is overwritten by exactly one. */
struct client {
    struct fixture *f;
    int won, stale;
};

static void *edit(void *arg)
{
    struct client *c = arg;
    for (int i = 0; i < 20; i++) {
        struct cz_write_result r = {0};
        struct cz_report rep = CZ_REPORT_INIT;
        struct cz_error err = CZ_ERROR_INIT;
        struct cz_write w = {.if_match = version_of(c->f, CZ_KIND_MAPPING, "m")};
        char text[32];
        (void)snprintf(text, sizeof text, "%p %d", arg, i);
        json_t *doc = js(MAPPING(""));
        (void)json_object_set_new(doc, "description", json_string(text));
        enum cz_err code = cz_service_put(c->f->s, &caller, &w, "default", CZ_KIND_MAPPING, "m",
                                          doc, &r, &rep, &err);
        c->won += code == CZ_OK;
        c->stale += code == CZ_E_STALE;
        json_decref(doc);
        cz_write_result_done(&r);
        cz_report_done(&rep);
    }
    return NULL;
}

static void test_concurrent_edits(void **state)
{
    struct fixture *f = *state;
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING("")));
    int64_t before = seq_of(f);
    struct client c[4];
    struct cz_thread t[4] = {0};
    for (int i = 0; i < 4; i++) {
        c[i] = (struct client){.f = f};
        cz_thread_start(&t[i], "client", edit, &c[i]);
    }
    int won = 0, stale = 0;
    for (int i = 0; i < 4; i++) {
        cz_thread_join(&t[i]);
        won += c[i].won;
        stale += c[i].stale;
    }
    assert_int_equal(won + stale, 80);
    assert_int_equal(seq_of(f) - before, won);

    struct cz_write w = {.if_match = version_of(f, CZ_KIND_MAPPING, "m")};
    must(f, put_with(f, CZ_KIND_MAPPING, "m", MAPPING(",'tasks':3"), w));
    assert_int_equal(put_with(f, CZ_KIND_MAPPING, "m", MAPPING(",'tasks':4"), w), CZ_E_STALE);
}

static void test_eval(void **state)
{
    (void)state;
    struct cz_report rep = CZ_REPORT_INIT;
    struct cz_error err = CZ_ERROR_INIT;
    json_t *doc = js("{'value':{'n':7}}"), *ret = NULL;
    assert_int_equal(cz_service_eval("value.n", doc, &ret, &rep, &err), CZ_OK);
    assert_int_equal(json_integer_value(json_object_get(ret, "result")), 7);
    json_decref(ret);
    assert_int_equal(cz_service_eval("value.[", doc, &ret, &rep, &err), CZ_E_INVALID);
    assert_string_equal(rep.items[0].pointer, "/expression");
    cz_report_done(&rep);
    json_decref(doc);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
int main(void)
{
    cz_json_init();
    const struct CMUnitTest tests[] = {
        T(test_refused),
        T(test_all_problems_at_once),
        T(test_bad_names),
        T(test_switching_on_is_numbered),
        T(test_records_do_not_go_round), T(test_round_through_another_team),
        T(test_life),
        T(test_preconditions),
        T(test_created_topics_may_be_missing),
        T(test_mapping_tests),
        T(test_get_edit_put),
        T(test_patch),
        T(test_dry_run),
        T(test_clusters),
        T(test_unreachable_cluster_warns),
        T(test_delete),
        T(test_value_map),
        T(test_groups),
        T(test_asks_little),
        T(test_concurrent_edits),
        T(test_eval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
