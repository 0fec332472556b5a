/* SPDX-License-Identifier: Apache-2.0 */
/* JMESPath's compliance suite: every case with a result or an error, over the fast program and
 * over the whole tree.  The directory with the suite's JSON files comes from
 * CITIZENK_JMESPATH_SUITE (tests/support/jmespath_suite fetches it); without it the test is
 * skipped. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "cz/jmespath.h"
#include "cz/util.h"

#define MAX_FILE ((size_t)4 * 1024 * 1024)

struct counts {
    unsigned passed, failed, bench;
};

/* Does the outcome of a case agree with what the suite wants? @why: filled when not. */
static bool agrees(struct cz_jval wanted,
                   struct cz_jval error,
                   enum cz_err rc,
                   const struct cz_error *err,
                   const struct cz_buf *out,
                   char why[600])
{
    if (error.type == CZ_J_STRING) {
        const char *name = cz_jmespath_category_name(err->detail);
        bool same =
            rc != CZ_OK && strlen(name) == error.len && memcmp(name, error.u.s, error.len) == 0;
        snprintf(why, 600, "wanted error %.*s, got %s %s", (int)error.len, error.u.s, name,
                 cz_buf_str(out));
        return same;
    }
    snprintf(why, 600, "got %.300s %.200s", cz_buf_str(out), err->text);
    if (rc != CZ_OK)
        return false;
    struct cz_json_doc doc = CZ_JSON_DOC_INIT;
    struct cz_arena a;
    struct cz_jval got;
    cz_arena_init(&a, MAX_FILE);
    bool same = cz_json_read(&doc, &a, out->data, out->len, &got, NULL) == CZ_OK &&
                cz_jval_equal(got, wanted);
    cz_json_doc_done(&doc);
    cz_arena_done(&a);
    return same;
}

static void
run_case(const char *file, const struct cz_buf *given, struct cz_jval c, struct counts *n)
{
    struct cz_jval expr = cz_jval_get(c, "expression", 10);
    struct cz_arena a;
    cz_arena_init(&a, MAX_FILE);
    assert_true(cz_jval_plain(&a, &expr));
    CZ_CLEANUP(cz_eval_freep) struct cz_eval *e = cz_eval_new();
    for (int tree = 0; tree < 2; tree++) {
        CZ_CLEANUP(cz_buf_done) struct cz_buf out = CZ_BUF_INIT(MAX_FILE);
        CZ_CLEANUP(cz_jmespath_freep) struct cz_jmespath *x = NULL;
        struct cz_error err = CZ_ERROR_INIT;
        char why[600];
        enum cz_err rc = cz_jmespath_compile(expr.u.s, expr.len, &x, &err);
        cz_eval_force_tree(e, tree);
        if (rc == CZ_OK)
            rc = cz_jmespath_search(x, e, given->data, given->len, &out, &err);
        if (cz_jval_get(c, "bench", 5).type != CZ_J_NULL) {
            n->bench += tree == 0;
            n->failed += rc != CZ_OK;
            continue;
        }
        bool good = agrees(cz_jval_get(c, "result", 6), cz_jval_get(c, "error", 5), rc, &err,
                           &out, why);
        if (!good)
            print_error("%s %s: %.*s: %s\n", file, tree ? "tree" : "fast", (int)expr.len,
                        expr.u.s, why);
        n->failed += !good;
        n->passed += good && tree;
    }
    cz_arena_done(&a);
}

static void run_file(const char *dir, const char *name, struct counts *n)
{
    CZ_CLEANUP(cz_freep) char *path = cz_strf("%s/%s", dir, name);
    CZ_CLEANUP(cz_freep) char *text = NULL;
    size_t len;
    struct cz_json_doc doc = CZ_JSON_DOC_INIT;
    struct cz_arena a;
    struct cz_jval groups;
    cz_arena_init(&a, MAX_FILE * 8);
    assert_int_equal(cz_read_file(path, MAX_FILE, &text, &len, NULL), CZ_OK);
    assert_int_equal(cz_json_read(&doc, &a, text, len, &groups, NULL), CZ_OK);
    for (uint32_t g = 0; groups.type == CZ_J_ARRAY && g < groups.len; g++) {
        CZ_CLEANUP(cz_buf_done) struct cz_buf given = CZ_BUF_INIT(MAX_FILE);
        cz_jval_write(&given, cz_jval_get(groups.u.items[g], "given", 5));
        struct cz_jval cases = cz_jval_get(groups.u.items[g], "cases", 5);
        for (uint32_t i = 0; i < cases.len; i++)
            run_case(name, &given, cases.u.items[i], n);
    }
    cz_json_doc_done(&doc);
    cz_arena_done(&a);
}

static void suite(void **state)
{
    (void)state;
    const char *path = getenv("CITIZENK_JMESPATH_SUITE");
    if (!path || !*path) {
        print_message("CITIZENK_JMESPATH_SUITE is not set: skipped\n");
        skip();
    }
    DIR *dir = opendir(path);
    assert_non_null(dir);
    struct counts n = {0, 0, 0};
    for (const struct dirent *d = readdir(dir); d; d = readdir(dir)) {
        const char *dot = strrchr(d->d_name, '.');
        if (dot && strcmp(dot, ".json") == 0 && strcmp(d->d_name, "schema.json") != 0)
            run_file(path, d->d_name, &n);
    }
    closedir(dir);
    print_message("%u cases and %u benchmarks passed, %u failed\n", n.passed, n.bench,
                  n.failed);
    assert_int_equal(n.failed, 0);
    assert_true(n.passed > 700);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(suite)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
