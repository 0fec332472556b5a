/* SPDX-License-Identifier: Apache-2.0 */
/* Header rules: order and duplicates kept, what is removed, renamed and added, provenance hop by hop
 * and the loop guard that reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/stages.h"

static struct cz_stage_ctx *ctx;

/* "a=1 b=2 a=" as headers; without '=': a null value. */
static struct cz_header have[64];
static size_t have_len;

static void set_headers(const char *text)
{
    have_len = 0;
    while (*text) {
        size_t n = strcspn(text, " "), eq = 0;
        while (eq < n && text[eq] != '=')
            eq++;
        struct cz_header h = {.name = {text, eq}};
        if (eq < n)
            h.value = (struct cz_slice){text + eq + 1, n - eq - 1};
        have[have_len++] = h;
        text += n + (text[n] == ' ');
    }
}

static size_t get_headers(const struct cz_record *r, struct cz_header *out, size_t max)
{
    (void)r;
    for (size_t i = 0; i < have_len && i < max; i++)
        out[i] = have[i];
    return have_len;
}

static json_t *json(const char *text)
{
    json_t *j = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    if (text && cz_json_parse(text, strlen(text), &j, &err) != CZ_OK)
        fail_msg("%s: %s", text, err.text);
    return j;
}

static struct cz_stages *stages(const char *add, const char *remove, const char *rename, bool provenance,
                                const char *source_id, const char *target_id)
{
    json_t *a = json(add), *b = json(remove), *c = json(rename);
    const struct cz_stages_conf conf = {.headers = {.add = a,
                                                    .remove = b,
                                                    .rename = c,
                                                    .provenance = provenance,
                                                    .mapping = "team/\"m\"",
                                                    .generation = 4,
                                                    .source_cluster = "prod",
                                                    .source_id = source_id,
                                                    .target_id = target_id}};
    struct cz_stages *s = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    assert_int_equal(cz_stages_new(&conf, &s, &err), CZ_OK);
    json_decref(a);
    json_decref(b);
    json_decref(c);
    return s;
}

static struct cz_record record(const char *topic, const char *target)
{
    return (struct cz_record){.topic = topic,
                              .target = target,
                              .partition = 3,
                              .offset = 5000000000,
                              .value = {"not json", 8},
                              .headers = get_headers};
}

static void expect(const char *from, const char *add, const char *remove, const char *rename, const char *want)
{
    struct cz_stages *s = stages(add, remove, rename, false, NULL, NULL);
    const struct cz_record r = record("in", "out");
    struct cz_stage_result got;
    struct cz_error err = CZ_ERROR_INIT;
    set_headers(from);
    cz_stages_run(s, ctx, &r, &got, &err);
    assert_int_equal(got.verdict, CZ_VERDICT_PASS);
    assert_ptr_equal(got.value.data, r.value.data);
    assert_int_equal(got.headers_changed, want != NULL);
    CZ_CLEANUP(cz_buf_done) struct cz_buf text = CZ_BUF_INIT(4096);
    for (size_t i = 0; i < got.headers_len; i++) {
        const struct cz_header *h = &got.headers[i];
        cz_buf_addf(&text, "%s%.*s", i ? " " : "", (int)h->name.len, h->name.data);
        if (h->value.data)
            cz_buf_addf(&text, "=%.*s", (int)h->value.len, h->value.data);
    }
    if (want)
        assert_string_equal(cz_buf_str(&text), want);
    cz_stages_unref(s);
}

static void test_rules(void **state)
{
    (void)state;
    expect("a=1 b=2 a=3", "{\"x\":\"9\",\"n\":null}", NULL, NULL, "a=1 b=2 a=3 n x=9");
    expect("a=1 b=2 a=3", "{\"a\":\"\"}", NULL, NULL, "a=1 b=2 a=3 a=");
    expect("a=1 b a=3", NULL, "[\"a\"]", NULL, "b");
    expect("a=1 b=2 a=3", NULL, NULL, "{\"a\":\"z\"}", "z=1 b=2 z=3");
    expect("a=1 b=2", "{\"a\":\"new\"}", "[\"a\"]", "{\"b\":\"a\"}", "a=2 a=new");
    expect("a=1", NULL, "[\"b\"]", "{\"c\":\"d\"}", NULL);
    expect("", NULL, "[\"*\"]", NULL, NULL);
    expect("a=1 b=2", NULL, "[\"*\"]", NULL, "");
    expect("trace-id=1 trace=2 x-trace-id=3", NULL, "[\"trace-*\"]", NULL, "trace=2 x-trace-id=3");
    expect("ab=1 abc=2 b=3", NULL, "[\"?b\"]", NULL, "abc=2 b=3");
    expect("aXbYc=1 aXbY=2", NULL, "[\"a*b*c\"]", NULL, "aXbY=2");
}

/* What one mapping writes the next one reads, and the record does not come back. */
static void test_provenance(void **state)
{
    (void)state;
    struct cz_stages *there = stages(NULL, NULL, NULL, true, "ID-A", "ID-B");
    struct cz_stages *back = stages(NULL, NULL, NULL, true, "ID-B", "ID-A");
    struct cz_stage_result got;
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_record r = record("orders", "copy");
    set_headers("h=1");
    cz_stages_run(there, ctx, &r, &got, &err);
    assert_int_equal(got.verdict, CZ_VERDICT_PASS);
    assert_int_equal(got.headers_len, 2);
    char hop[300];
    assert_true(got.headers[1].value.len < sizeof hop);
    memcpy(hop, got.headers[1].value.data, got.headers[1].value.len);
    hop[got.headers[1].value.len] = '\0';
    assert_memory_equal(got.headers[1].name.data, CZ_PROVENANCE, strlen(CZ_PROVENANCE));
    assert_string_equal(hop, "{\"cluster\":\"prod\",\"cluster_id\":\"ID-A\",\"topic\":\"orders\",\"partition\":3,"
                             "\"offset\":\"5000000000\",\"mapping\":\"team/\\\"m\\\"\",\"generation\":\"4\"}");
    have[have_len++] = (struct cz_header){{CZ_PROVENANCE, strlen(CZ_PROVENANCE)}, {hop, strlen(hop)}};

    r = record("copy", "orders"); /* straight back */
    cz_stages_run(back, ctx, &r, &got, &err);
    assert_int_equal(got.verdict, CZ_VERDICT_DROP);
    assert_int_equal(got.drop, CZ_DROP_LOOP);
    r = record("copy", "elsewhere"); /* on the same cluster, to another topic */
    cz_stages_run(back, ctx, &r, &got, &err);
    assert_int_equal(got.verdict, CZ_VERDICT_PASS);
    assert_int_equal(got.headers_len, 3);
    r = record("orders", "copy"); /* it came back by a mapping without provenance: not once more */
    cz_stages_run(there, ctx, &r, &got, &err);
    assert_int_equal(got.verdict, CZ_VERDICT_DROP);
    cz_stages_unref(there);
    cz_stages_unref(back);
}

static void test_foreign_header(void **state)
{
    (void)state;
    static const char *const texts[] = {CZ_PROVENANCE, CZ_PROVENANCE "=", CZ_PROVENANCE "=junk",
                                        CZ_PROVENANCE "=5", CZ_PROVENANCE "={\"topic\":\"out\"}",
                                        CZ_PROVENANCE "={\"cluster_id\":\"\",\"topic\":5}"};
    struct cz_stages *s = stages(NULL, NULL, NULL, true, "ID-A", "ID-B");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct cz_stage_result got;
        struct cz_error err = CZ_ERROR_INIT;
        const struct cz_record r = record("in", "out");
        set_headers(texts[i]);
        cz_stages_run(s, ctx, &r, &got, &err);
        assert_int_equal(got.verdict, CZ_VERDICT_PASS);
        assert_int_equal(got.headers_len, 2);
    }
    cz_stages_unref(s);
}

static int make_ctx(void **state)
{
    (void)state;
    ctx = cz_stage_ctx_new();
    return 0;
}

static int free_ctx(void **state)
{
    (void)state;
    cz_stage_ctx_free(ctx);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_provenance),
        cmocka_unit_test(test_foreign_header),
    };
    return cmocka_run_group_tests(tests, make_ctx, free_ctx);
}
