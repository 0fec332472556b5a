/* SPDX-License-Identifier: Apache-2.0 */
/** Templates and instances: rendering, what it may not do, and what follows from an edit. */
#include "fixture.h"

#define TEMPLATE(extra)                                                                        \
    "{'spec':{'variables':{'T':{},'G':{'default':'first'}},'mappings':["                       \
    "{'name':'{{T}} copy','group':'{{ G "                                                      \
    "}}','spec':{'source':{'cluster':'source','topic':'{{T}}'},"                               \
    "'target':{'cluster':'target','topic':'x.{{topic}}'}" extra "}},"                          \
    "{'name':'{{T}} "                                                                          \
    "again','spec':{'source':{'cluster':'source','topic':'{{T}}'},'target':{'cluster':'"       \
    "target'}}}]}}"
#define INSTANCE                                                                               \
    "{'spec':{'template':'t','vars':{'T':'orders'},'overrides':{'orders "                      \
    "again':{'enabled':false}}}}"

static void make(struct fixture *f)
{
    must(f, put(f, CZ_KIND_TEMPLATE, "t", TEMPLATE("")));
    must(f, put(f, CZ_KIND_INSTANCE, "i", INSTANCE));
}

static void test_render(void **state)
{
    struct fixture *f = *state;
    make(f);
    assert_int_equal(json_array_size(f->r.changes), 3);
    json_t *e = get(f, CZ_KIND_MAPPING, "orders copy");
    assert_string_equal(cz_json_str(e, "managed_by", ""), "instance:i");
    assert_string_equal(cz_json_str(e, "group", ""), "first");
    json_decref(e);
    json_t *p = published_mapping(f, "orders copy");
    json_t *pair = json_array_get(json_object_get(json_object_get(p, "spec"), "topics"), 0);
    assert_string_equal(cz_json_str(pair, "target", ""), "x.orders");
    json_decref(p);
    p = published_mapping(f, "orders again");
    assert_string_equal(cz_json_str(p, "state", ""), "STOPPED");
    json_decref(p);
    /* one change for all */
    assert_int_equal(version_of(f, CZ_KIND_MAPPING, "orders copy"),
                     version_of(f, CZ_KIND_INSTANCE, "i"));
}

static void test_managed_is_refused(void **state)
{
    struct fixture *f = *state;
    make(f);
    assert_int_equal(put(f, CZ_KIND_MAPPING, "orders copy", MAPPING("")), CZ_E_CONFLICT);
    assert_non_null(strstr(f->err.text, "instance:i"));
    cz_error_reset(&f->err);
    assert_int_equal(
        cz_service_delete(f->s, &caller, &(struct cz_write){.if_match = CZ_IF_MATCH_ANY},
                          "default", CZ_KIND_MAPPING, "orders copy", &f->r, &f->err),
        CZ_E_CONFLICT);
    cz_error_reset(&f->err);
    /* a pause is no configuration, and survives a new rendering */
    cz_write_result_done(&f->r);
    must(f, cz_service_pause(f->s, &caller, &(struct cz_write){0}, "default", "orders copy",
                             "x", 0, &f->r, &f->err));
    must(f, put(f, CZ_KIND_TEMPLATE, "t", TEMPLATE(",'tasks':2")));
    json_t *p = published_mapping(f, "orders copy");
    assert_string_equal(cz_json_str(p, "state", ""), "PAUSED");
    json_decref(p);
}

static void test_edit_template(void **state)
{
    struct fixture *f = *state;
    make(f);
    must(f, put(f, CZ_KIND_INSTANCE, "j",
                "{'spec':{'template':'t','vars':{'T':'users','G':'g2'}}}"));
    must(f, put(f, CZ_KIND_TEMPLATE, "t", TEMPLATE(",'tasks':2")));
    assert_int_equal(json_array_size(f->r.changes),
                     3); /* the template and one mapping of each instance */
    json_t *e = get(f, CZ_KIND_MAPPING, "users copy");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(e, "spec"), "tasks")),
                     2);
    assert_string_equal(cz_json_str(e, "generation", ""), "2");
    json_decref(e);
    /* a wrong edit changes nothing anywhere */
    int64_t seq = seq_of(f);
    problem(f, put(f, CZ_KIND_TEMPLATE, "t", TEMPLATE(",'tasks':0,'valid_jmespath':'['")),
            "/spec/mappings/0/spec/tasks", "range");
    assert_non_null(strstr(f->rep.items[0].message, "instance \"i\""));
    assert_int_equal(seq_of(f), seq);
    /* a mapping that the template no longer has goes away */
    must(f, put(f, CZ_KIND_TEMPLATE, "t",
                "{'spec':{'variables':{'T':{},'G':{'default':'x'}},'mappings':[{'name':'{{T}} "
                "copy','spec':{'source':{'cluster':'source','topic':'{{T}}'},"
                "'target':{'cluster':'target'}}}]}}"));
    assert_null(get(f, CZ_KIND_MAPPING, "orders again"));
    assert_null(get(f, CZ_KIND_MAPPING, "users again"));
    assert_int_equal(published_count(f), 4);
}

static void test_undefined(void **state)
{
    struct fixture *f = *state;
    problem(f,
            put(f, CZ_KIND_TEMPLATE, "t",
                "{'spec':{'mappings':[{'name':'{{A}}','spec':{'source':{'cluster':'source','"
                "topic':'x'},'target':{'cluster':'target'}}}]}}"),
            "/spec/mappings/0/name", "undefined-variable");
    must(f, put(f, CZ_KIND_TEMPLATE, "t", TEMPLATE("")));
    problem(f, put(f, CZ_KIND_INSTANCE, "i", "{'spec':{'template':'t'}}"), "/spec/vars",
            "undefined-variable");
    assert_non_null(strstr(f->rep.items[0].message, "\"T\""));
    assert_non_null(strstr(f->rep.items[0].message, "/spec/mappings/0"));
    problem(f,
            put(f, CZ_KIND_INSTANCE, "i", "{'spec':{'template':'t','vars':{'T':'a','X':'b'}}}"),
            "/spec/vars/X", "unknown-field");
    problem(f, put(f, CZ_KIND_INSTANCE, "i", "{'spec':{'template':'t','vars':{'T':7}}}"),
            "/spec/vars/T", "type");
    problem(f, put(f, CZ_KIND_INSTANCE, "i", "{'spec':{'template':'nope','vars':{}}}"),
            "/spec/template", "not-found");
    problem(
        f,
        put(f, CZ_KIND_INSTANCE, "i",
            "{'spec':{'template':'t','vars':{'T':'a'},'overrides':{'nope':{'enabled':true}}}}"),
        "/spec/overrides/nope", "not-found");
    problem(
        f,
        put(f, CZ_KIND_INSTANCE, "i",
            "{'spec':{'template':'t','vars':{'T':'a'},'overrides':{'a copy':{'tasks':1}}}}"),
        "/spec/overrides/a copy", "type");
    assert_int_equal(published_count(f), 2);
}

/** What a value holds stays inside its string (security checklist E6). */
static void test_no_injection(void **state)
{
    struct fixture *f = *state;
    must(f, put(f, CZ_KIND_TEMPLATE, "t",
                "{'spec':{'variables':{'D':{}},'mappings':[{'name':'m','description':'{{D}}','"
                "spec':{'source':{'cluster':'source','topic':'x'},"
                "'target':{'cluster':'target'},'enabled':false}}]}}"));
    json_t *doc = js("{'spec':{'template':'t','vars':{}}}");
    (void)json_object_set_new(json_object_get(json_object_get(doc, "spec"), "vars"), "D",
                              json_string("x\",\"enabled\":true,\"y\":\"{{D}}"));
    cz_write_result_done(&f->r);
    must(f, cz_service_put(f->s, &caller, &(struct cz_write){0}, "default", CZ_KIND_INSTANCE,
                           "i", doc, &f->r, &f->rep, &f->err));
    json_decref(doc);
    json_t *e = get(f, CZ_KIND_MAPPING, "m");
    assert_string_equal(cz_json_str(e, "description", ""),
                        "x\",\"enabled\":true,\"y\":\"{{D}}");
    assert_true(json_is_false(json_object_get(json_object_get(e, "spec"), "enabled")));
    json_decref(e);
}

static void test_rendered_is_checked(void **state)
{
    struct fixture *f = *state;
    must(f, put(f, CZ_KIND_TEMPLATE, "t", TEMPLATE("")));
    problem(f,
            put(f, CZ_KIND_INSTANCE, "i", "{'spec':{'template':'t','vars':{'T':'missing1'}}}"),
            "/spec/vars", "topic-missing");
    assert_non_null(strstr(f->rep.items[0].message, "/spec/source/topic"));
    problem(f, put(f, CZ_KIND_INSTANCE, "i", "{'spec':{'template':'t','vars':{'T':'a/b'}}}"),
            "/spec/vars", "name");
    /* names that exist */
    must(f, put(f, CZ_KIND_MAPPING, "orders copy", MAPPING("")));
    problem(f, put(f, CZ_KIND_INSTANCE, "i", "{'spec':{'template':'t','vars':{'T':'orders'}}}"),
            "/spec/vars", "name-taken");
    must(f, put(f, CZ_KIND_INSTANCE, "j", "{'spec':{'template':'t','vars':{'T':'users'}}}"));
    problem(f, put(f, CZ_KIND_INSTANCE, "k", "{'spec':{'template':'t','vars':{'T':'users'}}}"),
            "/spec/vars", "name-taken");
    /* the same name twice out of one template */
    must(f, put(f, CZ_KIND_TEMPLATE, "u",
                "{'spec':{'variables':{'A':{}},'mappings':[{'name':'q','spec':{'source':{'"
                "cluster':'source','topic':'x'},'target':{'cluster':'target'}}},"
                "{'name':'{{A}}','spec':{'source':{'cluster':'source','topic':'y'},'target':{'"
                "cluster':'target'}}}]}}"));
    problem(f, put(f, CZ_KIND_INSTANCE, "k", "{'spec':{'template':'u','vars':{'A':'q'}}}"),
            "/spec/vars", "duplicate");
}

static void test_template_shape(void **state)
{
    static const struct {
        const char *spec, *pointer, *slug;
    } cases[] = {
        {"{}", "/spec/mappings", "required"},
        {"{'mappings':[]}", "/spec/mappings", "range"},
        {"{'mappings':[7]}", "/spec/mappings/0", "type"},
        {"{'mappings':[{'spec':{}}]}", "/spec/mappings/0/name", "required"},
        {"{'mappings':[{'name':'a'}]}", "/spec/mappings/0/spec", "required"},
        {"{'mappings':[{'name':'a','colour':1,'spec':{}}]}", "/spec/mappings/0/colour",
         "unknown-field"},
        {"{'mappings':[{'name':'a','spec':{'frob':1}}]}", "/spec/mappings/0/spec/frob",
         "unknown-field"},
        {"{'mappings':[{'name':'a','spec':{}}],'variables':{'a b':{}}}", "/spec/variables/a b",
         "name"},
        {"{'mappings':[{'name':'a','spec':{}}],'variables':{'a':7}}", "/spec/variables/a",
         "type"},
        {"{'mappings':[{'name':'a','spec':{}}],'variables':{'a':{'default':7}}}",
         "/spec/variables/a/default", "type"},
        {"{'mappings':[{'name':'a','spec':{}}],'variables':{'a':{'kind':'x'}}}",
         "/spec/variables/a/kind", "unknown-field"},
        {"{'mappings':[{'name':'a','spec':{}}],'loop':1}", "/spec/loop", "unknown-field"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CZ_CLEANUP(cz_freep) char *doc = cz_strf("{'spec':%s}", cases[i].spec);
        problem(f, put(f, CZ_KIND_TEMPLATE, "t", doc), cases[i].pointer, cases[i].slug);
    }
}

static void test_delete(void **state)
{
    struct fixture *f = *state;
    struct cz_write any = {.if_match = CZ_IF_MATCH_ANY};
    make(f);
    cz_write_result_done(&f->r);
    assert_int_equal(cz_service_delete(f->s, &caller, &any, "default", CZ_KIND_TEMPLATE, "t",
                                       &f->r, &f->err),
                     CZ_E_CONFLICT);
    assert_non_null(strstr(f->err.text, "\"i\""));
    cz_error_reset(&f->err);
    must(f, cz_service_delete(f->s, &caller, &any, "default", CZ_KIND_INSTANCE, "i", &f->r,
                              &f->err));
    assert_int_equal(json_array_size(f->r.changes), 3);
    assert_null(get(f, CZ_KIND_MAPPING, "orders copy"));
    assert_int_equal(published_count(f), 2);
    cz_write_result_done(&f->r);
    must(f, cz_service_delete(f->s, &caller, &any, "default", CZ_KIND_TEMPLATE, "t", &f->r,
                              &f->err));
}

static json_t *topic_map(struct fixture *f, const char *topic)
{
    json_t *p = published_mapping(f, "m");
    json_t *m = json_object_get(json_object_get(p, "spec"), "value_map");
    m = json_incref(json_object_get(json_object_get(m, "topics"), topic));
    json_decref(p);
    return m;
}

/** A value map of a source topic reaches the workers when it comes, changes and goes. */
static void test_value_map_of_a_topic(void **state)
{
    struct fixture *f = *state;
    must(f, put(f, CZ_KIND_MAPPING, "m",
                "{'spec':{'source':{'cluster':'source'},'target':{'cluster':'target'},"
                "'topics':[{'source':'a'},{'source':'b'}],'value_map':'ids.{{topic}}'}}"));
    assert_null(topic_map(f, "a"));
    must(f, put(f, CZ_KIND_VALUE_MAP, "ids.b", "{'spec':{'key':{'1':2}}}"));
    json_t *m = topic_map(f, "b");
    assert_non_null(json_object_get(m, "key"));
    json_decref(m);
    assert_null(topic_map(f, "a"));
    must(f, put(f, CZ_KIND_VALUE_MAP, "ids.b", "{'spec':{'value.x':{'1':2}}}"));
    m = topic_map(f, "b");
    assert_non_null(json_object_get(m, "value.x"));
    json_decref(m);
    must(f, put(f, CZ_KIND_VALUE_MAP, "ids.other", "{'spec':{}}"));
    cz_write_result_done(&f->r);
    must(f, cz_service_delete(f->s, &caller, &(struct cz_write){.if_match = CZ_IF_MATCH_ANY},
                              "default", CZ_KIND_VALUE_MAP, "ids.b", &f->r, &f->err));
    assert_null(topic_map(f, "b"));
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
int main(void)
{
    cz_json_init();
    const struct CMUnitTest tests[] = {
        T(test_render),         T(test_managed_is_refused),
        T(test_edit_template),  T(test_undefined),
        T(test_no_injection),   T(test_rendered_is_checked),
        T(test_template_shape), T(test_delete),
        T(test_value_map_of_a_topic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
