/* SPDX-License-Identifier: Apache-2.0 */
/* The index, the walk and the trie: what is accepted, what is seen, and that every engine of
 * the index gives the same answer for every position of a document in its 64-byte blocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "cz/json_doc.h"
#include "cz/limits.h"

static const enum cz_json_engine engines[] = {CZ_JSON_AVX2, CZ_JSON_SSE2, CZ_JSON_PORTABLE};

enum { BAD, LOOSE, FULL }; /* not even the structure; only the structure; completely valid */
static const struct {
    const char *json;
    int want;
} documents[] = {
    {"{}", FULL},
    {"[]", FULL},
    {"  [ ]\n", FULL},
    {"null", FULL},
    {"-1.5e+3", FULL},
    {"\"a\"", FULL},
    {"\"\"", FULL},
    {"{\"a\":{\"b\":[1,2,{\"c\":null}]},\"d\":\"\\\\\\\"\"}", FULL},
    {"{\"a\" : 1 , \"b\"\t:\r\n[ true , false ] }", FULL},
    {"[\"\\u00e9\\ud83d\\ude00\"]", FULL},
    {"[\"{[,:]}\"]", FULL},
    {"[\"\\\\\",\"\\\\\\\"\"]", FULL},
    {"[\"\xc3\xa9\"]", FULL},
    {"", BAD},
    {"   ", BAD},
    {"tru", BAD}, /* the root is always checked */
    {"01", BAD},
    {"\"a", BAD},
    {"\"a\\\"", BAD},
    {"[", BAD},
    {"{", BAD},
    {"]", BAD},
    {"[}", BAD},
    {"{]", BAD},
    {"[[]", BAD},
    {"[]]", BAD},
    {"[] []", BAD},
    {"{}x", BAD},
    {"1 2", BAD},
    {"[1 2]", BAD},
    {"[1,]", BAD},
    {"[,1]", BAD},
    {"[,]", BAD},
    {"{,}", BAD},
    {"{\"a\"}", BAD},
    {"{\"a\":}", BAD},
    {"{\"a\" 1}", BAD},
    {"{\"a\":1,}", BAD},
    {"{\"a\":1 \"b\":2}", BAD},
    {"{\"a\":1,,\"b\":2}", BAD},
    {"{1:2}", BAD},
    {"{\"a\":1:2}", BAD},
    {"[1:2]", BAD},
    {"[\"a\"b]", BAD},
    {"[\"a\"\"b\"]", BAD},
    {"[a\"b\"]", BAD},
    {"[1\"b\"]", BAD},
    {"{\"x\":[{\"y\":1}}", BAD},
    {"{\"x\":{\"y\":1]}", BAD},
    {"['a']", BAD},
    {"[\x0c]", BAD},
    {"\xef\xbb\xbf{}", BAD},
    {"[tru]", LOOSE},
    {"[nulll]", LOOSE},
    {"[1.]", LOOSE},
    {"[-]", LOOSE},
    {"[00]", LOOSE},
    {"[1e]", LOOSE},
    {"[\"\\x\"]", LOOSE},
    {"[\"\\u12\"]", LOOSE},
    {"[\"\\ud800\"]", LOOSE},
    {"[\"\\udc00\\ud800\"]", LOOSE},
    {"[\"\x01\"]", LOOSE},
    {"[\"\xc3\"]", LOOSE},
    {"{\"\\q\":1}", LOOSE},
};

/* The document alone in exactly its bytes, so that the sanitizer sees a read beyond. */
static int judge(const char *json, size_t len)
{
    struct cz_json_doc d = CZ_JSON_DOC_INIT;
    char *exact = len ? cz_memdup(json, len) : cz_strdup("");
    int got = BAD;
    assert_int_equal(cz_json_doc_index(&d, exact, len, NULL), CZ_OK);
    if (cz_json_doc_walk(&d, NULL, NULL, NULL) == CZ_OK)
        got = cz_json_doc_check_full(&d, NULL) == CZ_OK ? FULL : LOOSE;
    cz_json_doc_done(&d);
    cz_free(exact);
    return got;
}

static void accepts(void **state)
{
    (void)state;
    for (size_t g = 0; g < 3; g++) {
        if (!cz_json_use_engine(engines[g]))
            continue;
        for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
            int got = judge(documents[i].json, strlen(documents[i].json));
            if (got != documents[i].want)
                fail_msg("engine %zu: %s: %d", g, documents[i].json, got);
        }
    }
    cz_json_use_engine(CZ_JSON_BEST);
}

/* Shift each document through the positions of a block, before and after blanks. */
static void any_position(void **state)
{
    (void)state;
    char text[512];
    for (size_t g = 0; g < 3; g++) {
        if (!cz_json_use_engine(engines[g]))
            continue;
        for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
            size_t n = strlen(documents[i].json);
            for (size_t shift = 0; shift < 130; shift += 1) {
                memset(text, ' ', sizeof(text));
                memcpy(text + shift, documents[i].json, n);
                assert_int_equal(judge(text, shift + n), documents[i].want);
            }
        }
    }
    cz_json_use_engine(CZ_JSON_BEST);
}

/* Runs of backslashes of every length, ending at every position. */
static void backslashes(void **state)
{
    (void)state;
    char text[400];
    for (size_t g = 0; g < 3; g++) {
        if (!cz_json_use_engine(engines[g]))
            continue;
        for (int shift = 0; shift < 70; shift++) {
            for (int run = 0; run < 140; run++) {
                int n = snprintf(text, sizeof(text), "%*s[\"", shift, "");
                memset(text + n, '\\', (size_t)run);
                n += run;
                n += snprintf(text + n, sizeof(text) - (size_t)n, "\"]");
                assert_int_equal(judge(text, (size_t)n), run % 2 ? BAD : FULL);
            }
        }
    }
    cz_json_use_engine(CZ_JSON_BEST);
}

static void depth(void **state)
{
    (void)state;
    for (int extra = 0; extra < 2; extra++) {
        size_t n = CZ_MAX_RECORD_JSON_DEPTH + (size_t)extra;
        char text[2 * CZ_MAX_RECORD_JSON_DEPTH + 4];
        memset(text, '[', n);
        memset(text + n, ']', n);
        assert_int_equal(judge(text, 2 * n), extra ? BAD : FULL);
        assert_int_equal(judge(text, n), BAD);
    }
}

static void positions(void **state)
{
    (void)state;
    struct cz_json_doc d = CZ_JSON_DOC_INIT;
    static const struct {
        const char *json, *text;
    } cases[] = {
        {"{\"a\":1 2}", "position 7: ',' or the closing bracket was expected"},
        {"{\"a\" 1}", "position 5: ':' was expected"},
        {"[1", "position 2: the document ends too early"},
        {"[\"abc", "position 5: a string is not closed"},
        {"{} 1", "position 3: bytes after the end of the document"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cz_error err = CZ_ERROR_INIT;
        assert_int_equal(cz_json_doc_index(&d, cases[i].json, strlen(cases[i].json), &err),
                         CZ_OK);
        assert_int_equal(cz_json_doc_walk(&d, NULL, NULL, &err), CZ_E_PARSE);
        assert_string_equal(err.text, cases[i].text);
    }
    cz_json_doc_done(&d);
}

/* Slots: 0 = a, 1 = a.b, 2 = a.c[1], 3 = "é", in the order of the trie. */
struct paths {
    struct cz_arena a;
    struct cz_json_trie root;
    struct cz_json_trie *node[4];
    struct cz_json_hit hits[4];
};

static void make_paths(struct paths *p)
{
    cz_arena_init(&p->a, 65536);
    p->root = (struct cz_json_trie){.slot = -1};
    p->node[0] = cz_json_trie_child(&p->a, &p->root, "a", 1, 0);
    p->node[1] = cz_json_trie_child(&p->a, p->node[0], "b", 1, 0);
    struct cz_json_trie *c = cz_json_trie_child(&p->a, p->node[0], "c", 1, 0);
    p->node[2] = cz_json_trie_child(&p->a, c, NULL, 0, 1);
    p->node[3] = cz_json_trie_child(&p->a, &p->root, "\xc3\xa9", 2, 0);
    assert_ptr_equal(cz_json_trie_child(&p->a, &p->root, "a", 1, 0), p->node[0]);
    for (int i = 0; i < 4; i++)
        p->node[i]->slot = 0;
    assert_int_equal(cz_json_trie_number(&p->root, 0), 4);
}

static void slots(void **state)
{
    (void)state;
    static const struct {
        const char *json, *want[4];
    } cases[] = {
        {"{\"a\":{\"b\":1,\"c\":[5,[6]]},\"x\":2}",
         {"{\"b\":1,\"c\":[5,[6]]}", "1", "[6]", "-"}},
        {"{\"a\":{\"b\":1},\"a\":{}}", {"{}", "-", "-", "-"}}, /* the last duplicate wins */
        {"{\"a\":{\"b\":1},\"a\":3}", {"3", "-", "-", "-"}},
        {"{\"a\":{\"b\":1,\"b\":\"z\"}}", {"{\"b\":\"z\"}", "\"z\"", "-", "-"}},
        {"{\"\\u0061\":{\"\\u0062\":[]},\"\\u00e9\":0}", {"{\"b\":[]}", "[]", "-", "0"}},
        {"{\"\xc3\xa9\" : 7.50 }", {"-", "-", "-", "7.50"}},
        {"[{\"a\":1}]", {"-", "-", "-", "-"}},
        {"{\"a\":[{\"b\":1}],\"aa\":{\"b\":2}}", {"[{\"b\":1}]", "-", "-", "-"}},
        {"{\"a\":{\"c\":[1]}}", {"{\"c\":[1]}", "-", "-", "-"}},
        {"7", {"-", "-", "-", "-"}},
    };
    struct paths p;
    struct cz_json_doc d = CZ_JSON_DOC_INIT;
    make_paths(&p);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(p.hits, 0, sizeof(p.hits));
        assert_int_equal(cz_json_doc_index(&d, cases[i].json, strlen(cases[i].json), NULL),
                         CZ_OK);
        assert_int_equal(cz_json_doc_walk(&d, &p.root, p.hits, NULL), CZ_OK);
        for (int k = 0; k < 4; k++) {
            CZ_CLEANUP(cz_buf_done) struct cz_buf out = CZ_BUF_INIT(1000);
            struct cz_jval v;
            struct cz_json_hit hit = p.hits[p.node[k]->slot];
            assert_int_equal(cz_json_doc_value(&d, hit, &p.a, &v, NULL), CZ_OK);
            cz_jval_write(&out, v);
            assert_string_equal(hit.tok ? cz_buf_str(&out) : "-", cases[i].want[k]);
        }
    }
    cz_json_doc_done(&d);
    cz_arena_done(&p.a);
}

/* Broken parts beside the wanted paths are seen, in whatever part they are. */
static void broken_anywhere(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "{\"a\":{\"b\":1},\"x\":[1 2]}",
        "{\"x\":{\"y\":[}]},\"a\":{\"b\":1}}",
        "{\"a\":{\"b\":1,\"z\":{\"q\" 1}}}",
        "{\"a\":{\"c\":[1,2}}",
        "{\"a\":{\"b\":1}",
        "{\"a\":{\"b\":1}}}",
        "{\"a\":nope}",
        "{\"a\":{\"b\":1,}}",
    };
    struct paths p;
    struct cz_json_doc d = CZ_JSON_DOC_INIT;
    make_paths(&p);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(p.hits, 0, sizeof(p.hits));
        assert_int_equal(cz_json_doc_index(&d, cases[i], strlen(cases[i]), NULL), CZ_OK);
        assert_int_equal(cz_json_doc_walk(&d, &p.root, p.hits, NULL), CZ_E_PARSE);
    }
    cz_json_doc_done(&d);
    cz_arena_done(&p.a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts),         cmocka_unit_test(any_position),
        cmocka_unit_test(backslashes),     cmocka_unit_test(depth),
        cmocka_unit_test(positions),       cmocka_unit_test(slots),
        cmocka_unit_test(broken_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
