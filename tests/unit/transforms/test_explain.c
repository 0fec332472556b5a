/* SPDX-License-Identifier: Apache-2.0 */
/* Explaining an expression: the parts of &&, || and ! that decide, as they stand in the text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/jmespath.h"

#define VALUE "{\"a\":1,\"b\":\"x\",\"c\":[1,2],\"e\":[],\"n\":null}"

static const struct {
    const char *expression, *parts; /* "text=value text=value", by ';' */
} ROWS[] = {
    {"value.a == `2`", "value.a == `2`=false(value.a=1)"},
    {"value.a == `1` && value.b == 'y' && value.z", "value.b == 'y'=false(value.b=\"x\")"},
    {"value.a == `2` || value.b == 'y'", "value.a == `2`=false(value.a=1);value.b == 'y'=false(value.b=\"x\")"},
    {"value.z || value.e", "value.z=null;value.e=[]"},
    {"!(value.a == `1`)", "value.a == `1`=true(value.a=1)"},
    {"!(value.a == `1` && value.b == 'x')",
     "value.a == `1`=true(value.a=1);value.b == 'x'=true(value.b=\"x\")"},
    {"!(value.z || value.b == 'x' || value.a)", "value.b == 'x'=true(value.b=\"x\")"},
    {"value.a == `1` && (value.z || !(value.b == 'x'))", "value.z=null;value.b == 'x'=true(value.b=\"x\")"},
    {"contains( value.c , `3` ) && value.a", "contains( value.c , `3` )=false(value.c=[1,2])"},
    {"length(value.c) > length(value.e) && value.n",
     "value.n=null"},
    {"value.c[?@ > `5`]", "value.c[?@ > `5`]=[]"},
    {"value | n", "value | n=null"},
    {"  value.a==`2`  ", "value.a==`2`=false(value.a=1)"},
    {"topic == 'other'", "topic == 'other'=false(topic=\"in\")"},
    {"sort_by(value.e, &x) && value.a", "sort_by(value.e, &x)=[](value.e=[])"},
    {"value.a == `1`", "value.a == `1`=true(value.a=1)"}, /* why it passes */
};

static void add(struct cz_buf *b, const json_t *part)
{
    size_t i;
    json_t *operand;
    cz_buf_addf(b, "%s=", cz_json_str(part, "expression", "?"));
    cz_json_add(b, json_object_get(part, "value"));
    const json_t *operands = json_object_get(part, "operands");
    json_array_foreach(operands, i, operand)
    {
        cz_buf_addf(b, "%s%s=", i ? "," : "(", cz_json_str(operand, "expression", "?"));
        cz_json_add(b, json_object_get(operand, "value"));
    }
    if (json_array_size(operands) > 0)
        cz_buf_addc(b, ')');
}

static void test_rows(void **state)
{
    (void)state;
    const struct cz_record r = {.topic = "in", .key = {"k", 1}, .value = {VALUE, sizeof VALUE - 1}};
    CZ_CLEANUP(cz_eval_freep) struct cz_eval *e = cz_eval_new();
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        CZ_CLEANUP(cz_jmespath_freep) struct cz_jmespath *x = NULL;
        CZ_CLEANUP(cz_buf_done) struct cz_buf said = CZ_BUF_INIT(4096);
        struct cz_error err = CZ_ERROR_INIT;
        json_t *parts = NULL, *part;
        size_t k;
        assert_int_equal(cz_jmespath_compile(ROWS[i].expression, strlen(ROWS[i].expression), &x, &err), CZ_OK);
        cz_eval_begin(e, &r, NULL);
        if (cz_jmespath_explain(x, e, &parts, &err))
            fail_msg("%s: %s", ROWS[i].expression, err.text);
        json_array_foreach(parts, k, part)
        {
            cz_buf_adds(&said, k ? ";" : "");
            add(&said, part);
        }
        assert_string_equal(cz_buf_str(&said), ROWS[i].parts);
        json_decref(parts);
    }
}

/* What is long is cut, whole characters only; an error of the whole is one of the explanation. */
static void test_limits(void **state)
{
    (void)state;
    CZ_CLEANUP(cz_buf_done) struct cz_buf value = CZ_BUF_INIT(8192);
    cz_buf_adds(&value, "{\"a\":\"");
    for (size_t i = 0; i < 800; i++)
        cz_buf_adds(&value, "\xe2\x82\xac");
    cz_buf_adds(&value, "\"}");
    const struct cz_record r = {.topic = "in", .value = {value.data, value.len}}, bad = {.topic = "in", .value = {"{", 1}};
    CZ_CLEANUP(cz_eval_freep) struct cz_eval *e = cz_eval_new();
    CZ_CLEANUP(cz_jmespath_freep) struct cz_jmespath *x = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    json_t *parts = NULL;
    assert_int_equal(cz_jmespath_compile("value.a == 'x'", 14, &x, &err), CZ_OK);
    cz_eval_begin(e, &r, NULL);
    assert_int_equal(cz_jmespath_explain(x, e, &parts, &err), CZ_OK);
    const json_t *operand = json_array_get(json_object_get(json_array_get(parts, 0), "operands"), 0);
    const char *text = cz_json_str(operand, "value", NULL);
    assert_non_null(text);
    assert_true(strlen(text) > 1000 && strlen(text) < 1100);
    json_decref(parts);
    cz_eval_begin(e, &bad, NULL);
    assert_int_equal(cz_jmespath_explain(x, e, &parts, &err), CZ_E_PARSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
