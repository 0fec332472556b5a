/* SPDX-License-Identifier: Apache-2.0 */
/* The fast program against the evaluation over the whole tree: random expressions over random
 * documents (duplicate keys and escapes included), with each engine of the structural index. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "cz/jmespath.h"

#define ROUNDS 4000

static uint64_t seed = 88172645463325252ULL;

static unsigned pick(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 33) % n;
}

static void blank(struct cz_buf *b)
{
    static const char *const blanks[] = {"", "", "", " ", "\n", " \t "};
    cz_buf_adds(b, blanks[pick(6)]);
}

static void random_json(struct cz_buf *b, int depth)
{
    static const char *const scalars[] = {"null",
                                          "true",
                                          "false",
                                          "0",
                                          "-1.50",
                                          "3",
                                          "1e2",
                                          "9007199254740993",
                                          "\"\"",
                                          "\"a\"",
                                          "\"b\"",
                                          "\"\\u0061\"",
                                          "\"x\\\\\\\"{[\"",
                                          "\"\xc3\xa9\""};
    static const char *const keys[] = {"\"a\"",       "\"b\"",     "\"c\"",
                                       "\"\\u0061\"", "\"value\"", "\"d e\""};
    unsigned kind = depth > 0 ? pick(3) : 0;
    unsigned n = pick(5);
    blank(b);
    if (kind == 0) {
        cz_buf_adds(b, scalars[pick(14)]);
    } else {
        cz_buf_addc(b, kind == 1 ? '[' : '{');
        blank(b);
        for (unsigned i = 0; i < n; i++) {
            if (i > 0)
                cz_buf_addc(b, ',');
            if (kind == 2) {
                blank(b);
                cz_buf_adds(b, keys[pick(6)]);
                blank(b);
                cz_buf_addc(b, ':');
            }
            random_json(b, depth - 1);
        }
        cz_buf_addc(b, kind == 1 ? ']' : '}');
    }
    blank(b);
}

/* %: a random expression in its place. */
static void random_expression(struct cz_buf *b, int depth)
{
    static const char *const leaves[] = {
        "a",   "b",   "c",     "@",     "a.b",   "a[0]",   "b[-1]", "\"d e\"",
        "`3`", "'a'", "a.b.c", "value", "a[1:]", "c[*].a", "[1]",   "`[1,\"a\"]`"};
    static const char *const forms[] = {
        "% == %",
        "% < %",
        "% || %",
        "% && %",
        "!%",
        "(%)",
        "% | %",
        "[%, %]",
        "{x: %, y: %}",
        "%[*]",
        "%[]",
        "%[?% == %]",
        "%[?a].b",
        "%.*",
        "*.%",
        "length(%)",
        "type(%)",
        "to_string(%)",
        "to_array(%)[0]",
        "not_null(%, %)",
        "keys(%)",
        "values(%)",
        "sort(%)",
        "map(&%, to_array(%))",
        "contains(to_array(%), %)",
        "sort_by(to_array(%), &to_string(@))[::-1]",
        "to_number(%)",
        "a.[%, b]",
        "a.{z: %}",
        "%[-1]",
        "max_by(to_array(%), &length(to_string(@)))",
        "reverse(to_array(%))",
    };
    if (depth == 0) {
        cz_buf_adds(b, leaves[pick(16)]);
        return;
    }
    for (const char *s = forms[pick(32)]; *s; s++) {
        if (*s == '%')
            random_expression(b, (int)pick((unsigned)depth));
        else
            cz_buf_addc(b, *s);
    }
}

static enum cz_err search(struct cz_eval *e,
                          const struct cz_jmespath *x,
                          bool tree,
                          const struct cz_buf *doc,
                          struct cz_buf *out)
{
    cz_eval_force_tree(e, tree);
    return cz_jmespath_search(x, e, doc->data, doc->len, out, NULL);
}

static void agree(void **state)
{
    (void)state;
    CZ_CLEANUP(cz_eval_freep) struct cz_eval *e = cz_eval_new();
    unsigned good = 0;
    for (int round = 0; round < ROUNDS; round++) {
        CZ_CLEANUP(cz_buf_done)
        struct cz_buf expr = CZ_BUF_INIT(4096),
                      doc = CZ_BUF_INIT(1 << 20);
        CZ_CLEANUP(cz_buf_done) struct cz_buf tree = CZ_BUF_INIT(1 << 20);
        CZ_CLEANUP(cz_jmespath_freep) struct cz_jmespath *x = NULL;
        random_expression(&expr, 4);
        random_json(&doc, 5);
        if (cz_jmespath_compile(expr.data, expr.len, &x, NULL) != CZ_OK)
            continue;
        enum cz_err want = search(e, x, true, &doc, &tree);
        good += want == CZ_OK;
        for (enum cz_json_engine g = CZ_JSON_AVX2; g <= CZ_JSON_PORTABLE; g++) {
            CZ_CLEANUP(cz_buf_done) struct cz_buf fast = CZ_BUF_INIT(1 << 20);
            (void)cz_json_use_engine(g);
            if (search(e, x, false, &doc, &fast) != want ||
                strcmp(cz_buf_str(&fast), cz_buf_str(&tree)) != 0)
                fail_msg("%s over %s: %s, not %s", expr.data, doc.data, cz_buf_str(&fast),
                         cz_buf_str(&tree));
        }
    }
    cz_json_use_engine(CZ_JSON_BEST);
    assert_true(good > ROUNDS / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
