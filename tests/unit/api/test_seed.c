/* SPDX-License-Identifier: Apache-2.0 */
/** CitizenK Replicator's documents of many mappings: the README's own examples, what can be wrong in
 *  them and where that is told, what PUT deletes and POST keeps, and topic-level value mappings. */
#include "fixture.h"

#include <string.h>

#include "cz/alloc.h"
#include "cz/json.h"

#define CLUSTERS "/api/v1/teams/default/clusters/"
/* The README's list, but for files, which are other work. */
#define TEMPLATE                                                                               \
    "{'templates':{'name':["                                                                   \
    "{'group':'first','name':'Topic B to C','source_topic_name':'{{B}}',"                      \
    "'target_topic_name':'{{C}}'},"                                                            \
    "{'group':'second','name':'Topic C to D Using filter','source_topic_name':'{{C}}',"        \
    "'target_topic_name':'D','valid_jmespath':'key == `\\\"hello\\\"`','enabled':true},"           \
    "{'group':'second','name':'TopicCtoD','topics':[{'source':'{{C}}','target':'D'}],"         \
    "'enabled':true}]}}"
#define STATE                                                                                  \
    "{'templates':[{'template':'name','vars':{'B':'B','C':'C'}}],'enabled':[],"                \
    "'disabled':['TopicCtoD'],'mappings':[{'group':'third','name':'Topic U to V',"             \
    "'source_topic_name':'U','target_topic_name':'V','enabled':false}],"                       \
    "'comment':'no comment'}"

static void clusters(struct fx *f)
{
    json_decref(fx_json(f, "PUT", CLUSTERS "source", "{'spec':{'bootstrap_servers':'a:1'}}", 201));
    json_decref(fx_json(f, "PUT", CLUSTERS "target", "{'spec':{'bootstrap_servers':'b:1'}}", 201));
}

static void told(struct fx *f,
                 const char *method,
                 const char *path,
                 const char *body,
                 const char *pointer,
                 const char *code)
{
    json_t *e, *answer = fx_json(f, method, path, body, 422);
    bool found = false;
    size_t i;
    json_array_foreach (json_object_get(answer, "errors"), i, e)
        found |= strcmp(cz_json_str(e, "pointer", "-"), pointer) == 0 &&
                 strcmp(cz_json_str(e, "code", "-"), code) == 0;
    if (!found) {
        char *text = cz_json_text(answer, false);
        print_error("no %s at %s in %s\n", code, pointer, text);
        cz_free(text);
    }
    assert_true(found);
    json_decref(answer);
}

static size_t changes(struct fx *f, const char *method, const char *path, const char *body)
{
    json_t *a = fx_json(f, method, path, body, 200);
    size_t n = json_array_size(json_object_get(a, "changes"));
    json_decref(a);
    return n;
}

static void test_the_readme_file(void **state)
{
    struct fx *f = *state;
    clusters(f);
    assert_int_equal(changes(f, "PUT", "/templates", TEMPLATE), 1);
    assert_int_equal(changes(f, "PUT", "/mappings", STATE), 5); /* instance, 3 of it, 1 */
    json_t *s = fx_json(f, "GET", "/mappings", NULL, 200);
    assert_int_equal(json_array_size(json_object_get(s, "mappings")), 1);
    assert_int_equal(json_array_size(json_object_get(s, "rendered")), 3);
    assert_string_equal(cz_json_str(s, "comment", ""), "no comment");
    assert_string_equal(json_string_value(json_array_get(json_object_get(s, "disabled"), 0)),
                        "TopicCtoD");
    json_t *one = fx_json(f, "GET", "/mappings/TopicCtoD", NULL, 200);
    assert_false(cz_json_bool(one, "enabled", true));
    json_decref(one);
    /* The same again, and what GET gave, change nothing. */
    assert_int_equal(changes(f, "PUT", "/mappings", STATE), 0);
    char *text = cz_json_text(s, false);
    assert_int_equal(changes(f, "PUT", "/mappings", text), 0);
    cz_free(text);
    json_decref(s);
    /* A mapping of a template has a switch as well. */
    one = fx_json(f, "POST", "/mappings/TopicCtoD/enable?dry_run=true", NULL, 200);
    assert_true(cz_json_bool(one, "enabled", false));
    json_decref(one);
    one = fx_json(f, "POST", "/mappings/TopicCtoD/enable", NULL, 200);
    assert_true(cz_json_bool(one, "enabled", false));
    json_decref(one);
    s = fx_json(f, "GET", "/mappings", NULL, 200);
    assert_int_equal(json_array_size(json_object_get(s, "disabled")), 0);
    assert_int_equal(json_array_size(json_object_get(s, "enabled")), 1);
    json_decref(s);
    assert_int_equal(fx_ask(f, &(struct ask){"POST", "/mappings/TopicCtoD/disable",
                                             .if_match = "\"1\""}, NULL),
                     412);
    json_decref(fx_json(f, "POST", "/mappings/TopicCtoD/disable", NULL, 200));
    json_decref(fx_json(f, "POST", "/mappings/nobody/disable", NULL, 404));
    assert_int_equal(changes(f, "PUT", "/mappings", STATE), 0);
    /* A list is taken directly; PUT deletes what is not in it, POST keeps it. */
    assert_int_equal(changes(f, "POST", "/mappings",
                             "[{'name':'x','source_topic_name':'X','target_topic_name':'Y'}]"),
                     1);
    assert_int_equal(changes(f, "PUT", "/mappings",
                             "[{'name':'x','source_topic_name':'X','target_topic_name':'Z'}]"),
                     6);
    assert_int_equal(changes(f, "PUT", "/templates", "{'templates':{}}"), 1);
}

/* A template and its uses change together, also when the new one needs a variable more. */
static void test_template_and_vars(void **state)
{
    struct fx *f = *state;
    clusters(f);
    assert_int_equal(changes(f, "POST", "/templates",
                             "{'templates':{'t':[{'name':'{{N}} one','source_topic_name':'{{N}}',"
                             "'target_topic_name':'{{topic}}'}]}}"),
                     1); /* a variable of this name is one, although we know {{topic}} as well */
    assert_int_equal(changes(f, "POST", "/mappings",
                             "{'templates':[{'template':'t','vars':{'N':'A','topic':'T'}},"
                             "{'template':'t','vars':{'N':'B','topic':'T'}}],'disabled':['B one']}"),
                     4);
    json_t *s = fx_json(f, "GET", "/mappings/B%20one", NULL, 200);
    assert_string_equal(cz_json_str(s, "target_topic_name", ""), "T");
    assert_false(cz_json_bool(s, "enabled", true));
    json_decref(s);
    told(f, "POST", "/mappings", "{'templates':[{'template':'t','vars':{'N':'C'}}]}",
         "/templates/0/vars", "undefined-variable");
    told(f, "PUT", "/templates",
         "{'templates':{'t':[{'name':'{{N}} one','source_topic_name':'{{Q}}',"
         "'target_topic_name':'x'}]}}",
         "/templates/t/0/source_topic_name", "undefined-variable");
    json_t *p = fx_json(f, "PUT", "/templates", "{'templates':{}}", 409);
    json_decref(p);
}

static void test_what_is_wrong_has_a_place(void **state)
{
    static const struct {
        const char *body, *pointer, *code;
    } rows[] = {
        {"{'mappings':[{'source_topic_name':'a','target_topic_name':'b'}]}", "/mappings/0/name",
         "required"},
        {"[{'name':'x','source_topic_name':'a'}]", "/0/target_topic_name", "required"},
        {"[7]", "/0", "type"},
        {"{'nonsense':1}", "/nonsense", "unknown-field"},
        {"{'mappings':{}}", "/mappings", "type"},
        {"{'comment':7}", "/comment", "type"},
        {"{'templates':[{'template':'none'}]}", "/templates/0/template", "not-found"},
        {"{'templates':[{'vars':{}}]}", "/templates/0/template", "required"},
        {"{'templates':[{'template':'t','other':1}]}", "/templates/0/other", "unknown-field"},
        {"{'enabled':['x'],'disabled':['x'],'mappings':[{'name':'x','source_topic_name':'a',"
         "'target_topic_name':'b'}]}",
         "/disabled/0", "duplicate"},
        {"{'disabled':['gone']}", "/disabled/0", "not-found"},
        {"[{'name':'x','source_topic_name':'a','target_topic_name':'b'},"
         "{'name':'x','source_topic_name':'c','target_topic_name':'d'}]",
         "/1/name", "duplicate"},
        {"{'mappings':[{'name':'x','source_topic_name':'a','target_topic_name':'b',"
         "'valid_jmespath':'key =='}]}",
         "/mappings/0/valid_jmespath", "jmespath"},
        {"[{'name':'x','source_topic_name':'missing-a','target_topic_name':'b'}]",
         "/0/source_topic_name", "topic-missing"},
        {"[{'name':'a/b','source_topic_name':'a','target_topic_name':'b'}]", "/0/name", "name"},
        {"[{'name':'x','source_topic_name':'a','target_topic_name':'b','topics':[]},"
         "{'name':'y','source_topic_name':'a','target_topic_name':'b','enabled':'yes'}]",
         "/1/enabled", "type"},
    };
    struct fx *f = *state;
    clusters(f);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        told(f, "PUT", "/mappings", rows[i].body, rows[i].pointer, rows[i].code);
    json_t *s = fx_json(f, "GET", "/mappings", NULL, 200);
    assert_int_equal(json_array_size(json_object_get(s, "mappings")), 0);
    json_decref(s);
    told(f, "PUT", "/templates", "{'templates':[]}", "/templates", "type");
    json_decref(fx_json(f, "PUT", "/mappings", "'text'", 422));
    json_decref(fx_json(f, "PUT", "/mappings/x", "[]", 422)); /* only the lists take lists */
}

static void test_a_topic_becomes_a_file_and_back(void **state)
{
    static const char path[] = "/mappings/x";
    struct fx *f = *state;
    clusters(f);
    json_decref(fx_json(f, "POST", path, "{'source_topic_name':'a','target_topic_name':'b'}", 201));
    json_decref(fx_json(f, "PUT", path,
                        "{'source_topic_name':'a','target_topic_name':'b','target_is_file':true}",
                        200));
    json_decref(fx_json(f, "PUT", path, "{'source_topic_name':'a','target_topic_name':'c'}", 200));
    assert_int_equal(changes(f, "POST", "/mappings",
                             "[{'name':'x','source_topic_name':'a','target_topic_name':'b',"
                             "'target_is_file':true}]"),
                     1);
    assert_int_equal(changes(f, "POST", "/mappings",
                             "[{'name':'x','source_topic_name':'a','target_topic_name':'c'}]"),
                     1);
    json_t *m = fx_json(f, "GET", path, NULL, 200);
    assert_false(cz_json_bool(m, "target_is_file", true));
    json_decref(m);
}

static void test_a_lost_race_is_told(void **state)
{
    struct fx *f = *state;
    char *text = NULL;
    clusters(f);
    assert_int_equal(fx_ask(f, &(struct ask){"PUT", "/mappings", "[]", .if_match = "\"1\""}, &text),
                     412);
    cz_free(text);
    assert_int_equal(fx_ask(f, &(struct ask){"PUT", "/mappings", "[]", .if_match = "\"2\""}, &text),
                     200);
    cz_free(text);
}

/* What the workers get: see resolved value_map. */
static json_t *value_map_of(struct fx *f, const char *name)
{
    char *path = cz_strf("/api/v1/teams/default/mappings/%s", name);
    json_t *e = fx_json(f, "GET", path, NULL, 200);
    json_t *m = json_incref(json_object_get(json_object_get(e, "spec"), "value_map"));
    json_decref(e);
    cz_free(path);
    return m;
}

static void test_value_mappings(void **state)
{
    static const char map[] = "{'key':{'1':10},'value.payload.product_id':{'1001':1},"
                              "'key:partition':{'1':0,'3':-1000}}";
    struct fx *f = *state;
    clusters(f);
    json_decref(fx_json(f, "GET", "/value-mappings/orders", NULL, 404));
    json_decref(fx_json(f, "PUT", "/value-mappings/orders", map, 201));
    json_t *a = fx_json(f, "PUT", "/value-mappings/orders", map, 200);
    assert_true(cz_json_bool(a, "unchanged", false));
    json_decref(a);
    a = fx_json(f, "GET", "/value-mappings/orders", NULL, 200);
    assert_int_equal(json_object_size(a), 3);
    char *text = cz_json_text(a, false);
    json_decref(fx_json(f, "PUT", "/value-mappings/orders", text, 200));
    cz_free(text);
    json_decref(a);
    told(f, "PUT", "/value-mappings/orders", "{'key:partition':{'1':-1}}", "/key:partition/1",
         "range");
    told(f, "PUT", "/value-mappings/orders", "{'nonsense':{}}", "/nonsense", "value");
    json_decref(fx_json(f, "POST", "/mappings/x",
                        "{'source_topic_name':'orders','target_topic_name':'b'}", 201));
    a = value_map_of(f, "x");
    assert_string_equal(json_string_value(a), "{{topic}}");
    json_decref(a);
    /* Nothing keeps a topic's map from being deleted. */
    json_decref(fx_json(f, "DELETE", "/value-mappings/orders", NULL, 200));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_readme_file, fx_set_up, fx_tear_down),
        cmocka_unit_test_setup_teardown(test_template_and_vars, fx_set_up, fx_tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_wrong_has_a_place, fx_set_up, fx_tear_down),
        cmocka_unit_test_setup_teardown(test_a_topic_becomes_a_file_and_back, fx_set_up,
                                        fx_tear_down),
        cmocka_unit_test_setup_teardown(test_a_lost_race_is_told, fx_set_up, fx_tear_down),
        cmocka_unit_test_setup_teardown(test_value_mappings, fx_set_up, fx_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
