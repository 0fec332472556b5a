/* SPDX-License-Identifier: Apache-2.0 */
/** Documents of files: what is accepted, the order of writing, and every problem with its
 * place. */
#include "cz_test.h"

#include "cz/alloc.h"
#include "docs.h"

#define HEAD "api: citizenk/v1\n"

static void sorted_by_kind(void **state)
{
    static const char text[] = HEAD "kind: instance\nname: i\nspec: {}\n---\n" HEAD
                                    "kind: mapping\nname: b\nspec: {}\n---\n" HEAD
                                    "kind: mapping\nname: a\nspec: {}\n---\n" HEAD
                                    "kind: template\nname: t\nspec: {}\n---\n" HEAD
                                    "kind: value_map\nname: v\nspec: {}\n---\n" HEAD
                                    "kind: cluster\nname: c\nspec: {}\n";
    static const char *const want[] = {"cluster/c", "value_map/v", "template/t",
                                       "mapping/b", "mapping/a",   "instance/i"};
    struct cz_docs d = {0};
    (void)state;
    cz_docs_add_text(&d, "all.yaml", text, sizeof text - 1);
    cz_docs_finish(&d);
    assert_int_equal(d.problems, 0);
    assert_int_equal(d.len, COUNT(want));
    for (size_t i = 0; i < d.len; i++)
        assert_string_equal(d.items[i].label, want[i]);
    cz_docs_done(&d);
}

static void body_holds_what_may_be_written(void **state)
{
    /* as get -o json prints it */
    static const char text[] =
        "{\"items\":[{\"api\":\"citizenk/"
        "v1\",\"kind\":\"mapping\",\"name\":\"x\",\"team\":\"t\",\"uid\":\"u\",\"version\":"
        "\"17\","
        "\"generation\":\"2\",\"managed_by\":null,\"override\":null,\"status\":{},\"created\":"
        "\"\",\"updated\":\"\",\"group\":\"g\","
        "\"labels\":{\"a\":\"b\"},\"description\":\"\\ud83d\\ude00\",\"spec\":{\"enabled\":"
        "true}}]}";
    struct cz_docs d = {0};
    (void)state;
    cz_docs_add_text(&d, "<stdin>", text, sizeof text - 1);
    cz_docs_finish(&d);
    assert_int_equal(d.problems, 0);
    assert_int_equal(d.len, 1);
    assert_int_equal(json_object_size(d.items[0].body), 4);
    assert_string_equal(d.items[0].version, "17");
    assert_string_equal(d.items[0].team, "t");
    assert_string_equal(d.items[0].base, "/items/0");
    cz_docs_done(&d);
    static const char list[] =
        "[{\"api\":\"citizenk/v1\",\"kind\":\"mapping\",\"name\":\"x\",\"spec\":{}},\n 3]";
    char said[2048];
    CAPTURE_STDERR(said, sizeof said, cz_docs_add_text(&d, "l.json", list, sizeof list - 1));
    assert_int_equal(d.problems, 1);
    CONTAINS(said, "l.json:2:2: a document must be an object");
    cz_docs_done(&d);
}

static void tells_every_problem(void **state)
{
    static const struct {
        const char *path, *text, *want;
    } cases[] = {
        {"a.yaml", "a: [", "citizenk: a.yaml:2:1: "},
        {"a.yaml", HEAD "kind: mapping\nname: x\nspec: {a: &x 1}\n",
         "a.yaml:4:11: anchors are not allowed"},
        {"a.json", "{\"a\":1,}", "citizenk: a.json: line 1 column "},
        {"a.yaml", "kind: mapping\nname: x\nspec: {}\n",
         "a.yaml:1:1: \"api\" is missing: citizenk/v1"},
        {"a.yaml", "api: citizenk/v2\nkind: mapping\nname: x\nspec: {}\n",
         "a.yaml:1:1: /api: must be citizenk/v1"},
        {"a.yaml", HEAD "kind: worker\nname: x\nspec: {}\n",
         "a.yaml:2:1: /kind: must be cluster"},
        {"a.yaml", HEAD "kind: mappings\nname: x\nspec: {}\n",
         "a.yaml:2:1: /kind: must be cluster"},
        {"a.yaml", HEAD "kind: mapping\nname: 7\nspec: {}\n",
         "a.yaml:3:1: /name: must be a string"},
        {"a.yaml", HEAD "kind: mapping\nname: a/b\nspec: {}\n", "a.yaml:3:1: /name: "},
        {"a.yaml", HEAD "kind: mapping\nname: x\nteam: [a]\nspec: {}\n",
         "a.yaml:4:1: /team: must be a string"},
        {"a.yaml", HEAD "kind: mapping\nname: x\nlabel: {}\nspec: {}\n",
         "/label: unknown field; did you mean \"labels\"?"},
        {"a.yaml", HEAD "kind: mapping\nname: x\n", "a.yaml:1:1: \"spec\" is missing"},
        {"a.yaml", "- 1\n", "a.yaml:1:3: a document must be an object"},
        {"a.yaml",
         HEAD "kind: mapping\nname: x\nspec: {}\n---\n" HEAD
              "kind: mapping\nname: x\nspec: {}\n",
         "a.yaml:6:1: mapping/x is also in a.yaml:1:1"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cz_docs d = {0};
        char said[4096];
        CAPTURE_STDERR(said, sizeof said, {
            cz_docs_add_text(&d, cases[i].path, cases[i].text, strlen(cases[i].text));
            cz_docs_finish(&d);
        });
        assert_int_equal(d.problems, 1);
        CONTAINS(said, cases[i].want);
        cz_docs_done(&d);
    }
}

static void several_problems_at_once(void **state)
{
    static const char text[] = "kind: x\nfoo: 1\n---\nbar: 2\n";
    struct cz_docs d = {0};
    char said[4096];
    (void)state;
    CAPTURE_STDERR(said, sizeof said, cz_docs_add_text(&d, "m.yaml", text, sizeof text - 1));
    assert_int_equal(d.problems, 5 + 5);
    CONTAINS(said, "m.yaml:2:1: /foo: unknown field");
    CONTAINS(said, "m.yaml:4:1: /bar: unknown field");
    cz_docs_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorted_by_kind),
        cmocka_unit_test(body_holds_what_may_be_written),
        cmocka_unit_test(tells_every_problem),
        cmocka_unit_test(several_problems_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
