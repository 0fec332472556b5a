/* SPDX-License-Identifier: Apache-2.0 */
/* Proof of copy on files at both ends, so without Kafka: partitions, windows, stages, the first that
 * differs, several sources of one target, Avro whose schema ids were rewritten. */
#include "cz_test.h"

#include <sys/stat.h>

#include "cz/alloc.h"
#include "cz/base64.h"
#include "cz/json.h"
#include "cz/util.h"
#include "cz/verify.h"
#include "fake_registry.h"

static struct {
    char path[64];
    struct cz_file_folder *folder;
    struct cz_mapping_spec spec;
    struct cz_topic_pair pairs[3];
    struct cz_stages_conf stages;
    struct cz_verify_conf conf;
    int64_t position;
    atomic_bool stop;
    struct fake_registry from, to;
} W;

static int64_t position(void *arg, const char *topic, int32_t partition)
{
    (void)arg, (void)topic;
    assert_int_equal(partition, 0);
    return W.position;
}

static int setup(void **state)
{
    (void)state;
    struct cz_error err = CZ_ERROR_INIT;
    memset(&W, 0, sizeof W);
    (void)snprintf(W.path, sizeof W.path, "/tmp/cz-verify-XXXXXX");
    assert_non_null(mkdtemp(W.path));
    assert_int_equal(cz_file_folder_open(W.path, &W.folder, &err), CZ_OK);
    W.pairs[0] = (struct cz_topic_pair){CZ_UNCONST("a"), CZ_UNCONST("out")};
    W.pairs[1] = (struct cz_topic_pair){CZ_UNCONST("b"), CZ_UNCONST("out")};
    W.pairs[2] = (struct cz_topic_pair){CZ_UNCONST("c"), CZ_UNCONST("other")};
    W.spec = (struct cz_mapping_spec){.source_file = true, .target_file = true, .pairs = W.pairs, .pairs_len = 1,
                                      .replay_from_ms = INT64_MIN, .replay_to_ms = INT64_MAX};
    W.conf = (struct cz_verify_conf){.folder = W.folder, .client_id = "test", .spec = &W.spec, .since_ms = -1,
                                     .until_ms = -1, .window_ms = 60000, .max_records = 1000,
                                     .stop = &W.stop, .position = position};
    W.position = INT64_MAX;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cz_file_folder_free(W.folder);
    CZ_CLEANUP(cz_freep) char *rm = cz_strf("exec rm -r %s", W.path);
    FILE *p = popen(rm, "r");
    if (p)
        (void)pclose(p);
    return 0;
}

/* ---- files ---------------------------------------------------------------------------------------- */

static FILE *open_file(const char *name, const char *mode)
{
    CZ_CLEANUP(cz_freep) char *path = cz_strf("%s/%s.json", W.path, name);
    FILE *f = fopen(path, mode);
    assert_non_null(f);
    return f;
}

static void line(FILE *f, int partition, int64_t ms, const char *key, const char *value)
{
    (void)fprintf(f, "{\"topic\":\"t\",\"partition\":%d,\"offset\":0,\"timestamp\":%lld,\"key\":\"%s\",\"value\":%s}\n",
                  partition, (long long)ms, key, value);
}

/* @n records on three partitions, in two windows. */
static void fill(const char *name, int n)
{
    FILE *f = open_file(name, "w");
    for (int i = 0; i < n; i++) {
        char key[16], value[32];
        (void)snprintf(key, sizeof key, "k%d", i);
        (void)snprintf(value, sizeof value, "{\"n\":%d}", i);
        line(f, i % 3, i < 15 ? 1000 : 61000, key, value);
    }
    (void)fclose(f);
}

/* ---- asking ---------------------------------------------------------------------------------------- */

static enum cz_err try(json_t **ret, struct cz_error *err)
{
    assert_int_equal(cz_stages_new(&W.stages, &W.conf.stages, err), CZ_OK);
    W.conf.deadline = cz_deadline_ms(10000);
    enum cz_err code = cz_verify(&W.conf, ret, err);
    cz_stages_unref(W.conf.stages);
    return code;
}

static json_t *verify(void)
{
    json_t *report = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    if (try(&report, &err))
        fail_msg("%s", err.text);
    return report;
}

static void is(const json_t *report, const char *name, int64_t want)
{
    int64_t n = cz_json_int(report, name, -1);
    if (n == want)
        return;
    CZ_CLEANUP(cz_freep) char *text = cz_json_text(report, false);
    fail_msg("%s is %lld, not %lld: %s", name, (long long)n, (long long)want, text);
}

static const json_t *pair(const json_t *report, size_t i)
{
    return json_array_get(json_object_get(report, "pairs"), i);
}

static const json_t *partition(const json_t *report, size_t i)
{
    return json_array_get(json_object_get(pair(report, 0), "partitions"), i);
}

static void equal_per_partition_and_window(void **state)
{
    (void)state;
    fill("a", 30);
    fill("out", 30);
    json_t *r = verify();
    assert_true(cz_json_bool(r, "equal", false));
    is(r, "expected", 30);
    is(r, "arrived", 30);
    is(pair(r, 0), "windows", 6);
    is(pair(r, 0), "windows_compared_by_record", 0);
    for (size_t i = 0; i < 3; i++) {
        is(partition(r, i), "arrived", 10);
        assert_int_equal(json_integer_value(json_object_get(partition(r, i), "partition")), i);
    }
    json_decref(r);
    W.conf.since_ms = 60000; /* the second window */
    r = verify();
    is(r, "expected", 15);
    is(pair(r, 0), "windows", 3);
    json_decref(r);
}

static void the_first_that_differs_of_each_partition(void **state)
{
    (void)state;
    fill("a", 30);
    fill("out", 20); /* the last ten are missing */
    json_t *r = verify();
    assert_false(cz_json_bool(r, "equal", true));
    is(r, "missing", 10);
    is(pair(r, 0), "windows_compared_by_record", 3);
    static const int64_t first[] = {21, 22, 20}; /* records of partition 0, 1, 2 */
    for (size_t i = 0; i < 3; i++) {
        const json_t *d = json_object_get(partition(r, i), "first_difference");
        assert_string_equal(cz_json_str(d, "kind", ""), "missing");
        is(json_object_get(d, "source"), "offset", first[i]);
    }
    const json_t *d = json_array_get(json_object_get(r, "differences"), 0);
    is(json_object_get(d, "source"), "offset", 20);
    assert_string_equal(cz_json_str(json_object_get(d, "source"), "topic", ""), "a");
    json_decref(r);
    W.position = 20; /* nobody says that they are there */
    r = verify();
    assert_true(cz_json_bool(r, "equal", false));
    is(r, "pending", 10);
    json_decref(r);
}

static void what_is_there_too_much(void **state)
{
    (void)state;
    fill("a", 9);
    fill("out", 9);
    FILE *f = open_file("out", "a");
    line(f, 1, 1000, "k1", "{\"n\":1}");  /* twice */
    line(f, 0, 1000, "x", "1");           /* foreign */
    (void)fputs("no record at all\n", f); /* as well */
    line(f, 0, 1000, "y", "1");           /* what is bad at the very end may be one in work */
    (void)fputs("{\"topic\":\"t\",\"part", f);
    (void)fclose(f);
    json_t *r = verify();
    assert_false(cz_json_bool(r, "equal", true));
    is(r, "doubled", 1);
    is(r, "extra", 3);
    is(r, "arrived", 13);
    json_decref(r);
    W.conf.others = true; /* the target has other writers: only the doubled one differs */
    r = verify();
    assert_false(cz_json_bool(r, "equal", true));
    json_decref(r);
    f = open_file("out", "w");
    (void)fclose(f);
    fill("out", 9);
    f = open_file("out", "a");
    line(f, 0, 1000, "x", "1");
    (void)fclose(f);
    r = verify();
    assert_true(cz_json_bool(r, "equal", false));
    is(r, "extra", 1);
    json_decref(r);
}

static void through_the_stages(void **state)
{
    (void)state;
    W.stages.filter = "value.n < `5`";
    fill("a", 9);
    fill("out", 9);
    FILE *f = open_file("a", "a");
    (void)fputs("no record\n", f);
    line(f, 0, 1000, "k", "1"); /* a filter error */
    line(f, 0, 1000, "k", "{\"n\":7}");
    (void)fclose(f);
    json_t *r = verify();
    is(r, "expected", 5);
    is(r, "extra", 4); /* a filter drops them */
    is(json_object_get(r, "dropped"), "filter", 6);
    is(r, "errors", 1);
    json_decref(r);
}

static void several_sources_of_one_target(void **state)
{
    (void)state;
    W.spec.pairs_len = 3;
    fill("a", 6);
    fill("c", 12);
    fill("other", 12);
    FILE *b = open_file("b", "w"), *out;
    line(b, 7, 1000, "b", "1");
    line(b, 7, 1000, "lost", "1");
    (void)fclose(b);
    fill("out", 6);
    out = open_file("out", "a");
    line(out, 7, 1000, "b", "1");
    (void)fclose(out);
    json_t *r = verify();
    is(r, "expected", 20);
    is(r, "arrived", 19);
    is(r, "missing", 1);
    is(r, "extra", 0);
    assert_int_equal(json_array_size(json_object_get(r, "pairs")), 2);
    assert_int_equal(json_array_size(json_object_get(pair(r, 0), "sources")), 2);
    const json_t *d = json_array_get(json_object_get(r, "differences"), 0);
    assert_string_equal(cz_json_str(json_object_get(d, "source"), "topic", ""), "b");
    json_decref(r);
}

static void times_of_a_replay(void **state)
{
    (void)state;
    W.spec.replay_shift = 2; /* by shift_ms */
    W.spec.replay_shift_ms = 500;
    W.spec.replay_from_ms = 2000;
    W.spec.replay_to_ms = 5000;
    FILE *f = open_file("a", "w");
    for (int i = 1; i <= 6; i++)
        line(f, 0, i * 1000, "k", "1");
    (void)fclose(f);
    f = open_file("out", "w");
    for (int i = 2; i <= 4; i++)
        line(f, 0, i * 1000 + 500, "k", "1");
    (void)fclose(f);
    json_t *r = verify();
    assert_true(cz_json_bool(r, "equal", false));
    is(r, "expected", 3);
    json_decref(r);
    W.spec.replay_loop = true;
    struct cz_error err = CZ_ERROR_INIT;
    assert_int_equal(try(&r, &err), CZ_E_CONFLICT);
    CONTAINS(err.text, "loops");
}

static void limits_are_told(void **state)
{
    (void)state;
    struct cz_error err = CZ_ERROR_INIT;
    json_t *r = NULL;
    assert_int_equal(try(&r, &err), CZ_E_NOT_FOUND);
    CONTAINS(err.text, "a.json");
    fill("a", 30);
    r = verify(); /* no target yet: all of it is missing */
    is(r, "missing", 30);
    json_decref(r);
    fill("out", 30);
    W.conf.max_records = 29;
    cz_error_reset(&err);
    assert_int_equal(try(&r, &err), CZ_E_LIMIT);
    CONTAINS(err.text, "30 records, more than 29");
    atomic_store(&W.stop, true);
    cz_error_reset(&err);
    assert_int_equal(try(&r, &err), CZ_E_UNAVAILABLE);
}

/* ---- Avro ---------------------------------------------------------------------------------------- */

static void framed(FILE *f, unsigned id, const char *datum)
{
    struct cz_buf bytes CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(64), text CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(128);
    for (int i = 0; i < 4; i++)
        cz_buf_addc(&bytes, '\0');
    cz_buf_addc(&bytes, (char)id);
    cz_buf_adds(&bytes, datum);
    cz_base64_add(&text, bytes.data, bytes.len);
    (void)fprintf(f, "{\"topic\":\"t\",\"partition\":0,\"offset\":0,\"timestamp\":1000,\"key\":null,\"value\":\"%s\","
                     "\"value_encoding\":\"base64\"}\n", cz_buf_str(&text));
}

#define RECORD(name, field) "{\"type\":\"record\",\"name\":\"" name "\",\"fields\":[{\"name\":\"" field "\",\"type\":\"string\"}]}"
#define RECORD_AGAIN "{ \"fields\" : [ { \"type\" : { \"type\" : \"string\" }, \"name\" : \"f\", \"doc\" : \"d\" } ]," \
                     " \"namespace\" : \"n\", \"name\" : \"R\", \"type\" : \"record\" }"

static int setup_avro(void **state)
{
    struct cz_error err = CZ_ERROR_INIT;
    (void)setup(state);
    fake_registry_start(&W.from);
    fake_registry_start(&W.to);
    assert_int_equal(cz_registry_new(&W.from.conf, &W.conf.source_registry, &err), CZ_OK);
    assert_int_equal(cz_registry_new(&W.to.conf, &W.conf.target_registry, &err), CZ_OK);
    W.spec.copy_value_schemas = true;
    fake_registry_schema(&W.from, 1, "AVRO", RECORD("n.R", "f"));
    fake_registry_schema(&W.from, 2, "PROTOBUF", "message M {}");
    fake_registry_schema(&W.to, 11, "AVRO", RECORD_AGAIN);
    fake_registry_schema(&W.to, 12, "PROTOBUF", "message M {}");
    fake_registry_schema(&W.to, 1, "AVRO", RECORD("n.R", "other"));
    return 0;
}

static int teardown_avro(void **state)
{
    cz_registry_unref(W.conf.source_registry);
    cz_registry_unref(W.conf.target_registry);
    fake_registry_stop(&W.from);
    fake_registry_stop(&W.to);
    return teardown(state);
}

static void pair_of(unsigned from, const char *datum, unsigned to, const char *arrived)
{
    FILE *a = open_file("a", "w"), *out = open_file("out", "w");
    framed(a, from, datum);
    framed(out, to, arrived);
    (void)fclose(a);
    (void)fclose(out);
}

static void ids_may_differ_data_may_not(void **state)
{
    (void)state;
    static const struct {
        unsigned from, to;
        const char *datum, *arrived, *what; /* NULL: equal */
    } cases[] = {
        {1, 11, "\2x", "\2x", NULL},      /* the same schema, written another way */
        {2, 12, "any", "any", NULL},      /* no Avro */
        {1, 11, "\2x", "\2y", "altered"}, /* a wrong datum */
        {1, 1, "\2x", "\2x", "altered"},  /* the id was not rewritten, and means something else there */
        {1, 12, "\2x", "\2x", "altered"},
        {1, 99, "\2x", "\2x", "altered"}, /* nobody can read it there */
        {99, 11, "\2x", "\2x", "extra"},  /* an error of the record for the mapping, so none should be there */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        pair_of(cases[i].from, cases[i].datum, cases[i].to, cases[i].arrived);
        json_t *r = verify();
        if (cases[i].what)
            is(r, cases[i].what, 1);
        assert_int_equal(cz_json_bool(r, "equal", false), !cases[i].what);
        json_decref(r);
    }
    assert_int_equal(fake_registry_asked(&W.from, "GET /schemas/ids/1"), 1);
    W.spec.copy_value_schemas = false; /* one registry: an id that differs is a difference */
    W.conf.target_registry = (cz_registry_unref(W.conf.target_registry), NULL);
    pair_of(1, "\2x", 11, "\2x");
    json_t *r = verify();
    is(r, "altered", 1);
    json_decref(r);
}

/* A header that names the schema, by id or GUID, comes to name the target's. */
static void schemas_in_headers(void **state)
{
    (void)state;
    static const char row[] = "{\"topic\":\"t\",\"partition\":0,\"offset\":0,\"timestamp\":1000,\"key\":null,\"value\":\"%s\","
                              "\"headers\":[{\"name\":\"a\",\"value\":\"b\"},{\"name\":\"__value_schema_id\","
                              "\"value\":\"%s\",\"value_encoding\":\"base64\"}]}\n";
    static const char by_id[] = "AAAAAAE=", by_other_id[] = "AAAAAAs=", guid[] = "AQABAgMEBQYHCAkKCwwNDg8=";
    static const struct {
        const char *from, *to, *value;
        bool equal;
    } cases[] = {{by_id, by_other_id, "\\u0002x", true}, {by_id, by_other_id, "\\u0002y", false},
                 {by_id, by_id, "\\u0002x", false},      {guid, guid, "\\u0002x", true}};
    fake_registry_answer(&W.from, "GET /schemas/guids/00010203-0405-0607-0809-0a0b0c0d0e0f", 200, "{\"schema\":\"\\\"int\\\"\"}");
    for (size_t i = 0; i < COUNT(cases); i++) {
        FILE *a = open_file("a", "w"), *out = open_file("out", "w");
        (void)fprintf(a, row, "\\u0002x", cases[i].from);
        (void)fprintf(out, row, cases[i].value, cases[i].to);
        (void)fclose(a);
        (void)fclose(out);
        json_t *r = verify();
        is(r, "altered", !cases[i].equal);
        is(r, "errors", 0);
        json_decref(r);
    }
}

static void a_registry_that_is_away_ends_it(void **state)
{
    (void)state;
    struct cz_error err = CZ_ERROR_INIT;
    json_t *r = NULL;
    fake_registry_break(&W.to, 503);
    pair_of(1, "\2x", 11, "\2x");
    assert_int_equal(cz_stages_new(&W.stages, &W.conf.stages, &err), CZ_OK);
    W.conf.deadline = cz_deadline_ms(300);
    assert_int_equal(cz_verify(&W.conf, &r, &err), CZ_E_UNAVAILABLE);
    cz_stages_unref(W.conf.stages);
    CONTAINS(err.text, W.to.url);
    CONTAINS(err.text, "503");
}

#define ON(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define AVRO(f) cmocka_unit_test_setup_teardown(f, setup_avro, teardown_avro)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON(equal_per_partition_and_window),
        ON(the_first_that_differs_of_each_partition),
        ON(what_is_there_too_much),
        ON(through_the_stages),
        ON(several_sources_of_one_target),
        ON(times_of_a_replay),
        ON(limits_are_told),
        AVRO(ids_may_differ_data_may_not),
        AVRO(schemas_in_headers),
        AVRO(a_registry_that_is_away_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
