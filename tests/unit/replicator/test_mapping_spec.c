/* SPDX-License-Identifier: Apache-2.0 */
/** The mapping spec: every field right and wrong, checks across fields, the resolved form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/mapping_spec.h"
#include "cz/time.h"
#include "cz/util.h"

#define ENDS                                                                                   \
    "\"source\":{\"cluster\":\"a\",\"topic\":\"in\"},\"target\":{\"cluster\":\"b\",\"topic\":" \
    "\"out\"}"

static json_t *json(const char *text)
{
    json_t *j = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    if (cz_json_parse(text, strlen(text), &j, &err) != CZ_OK)
        fail_msg("%s: %s", text, err.text);
    return j;
}

static struct cz_mapping_spec *good(const char *text)
{
    json_t *j = json(text);
    struct cz_mapping_spec *s = NULL;
    struct cz_report rep = CZ_REPORT_INIT;
    if (cz_mapping_spec_parse(j, "/spec", &s, &rep) != CZ_OK)
        fail_msg("%s: %s %s", text, rep.items[0].pointer, rep.items[0].message);
    assert_true(cz_report_ok(&rep));
    json_decref(j);
    return s;
}

static void bad(const char *text, const char *pointer, const char *code)
{
    json_t *j = json(text);
    struct cz_mapping_spec *s = NULL;
    struct cz_report rep = CZ_REPORT_INIT;
    if (cz_mapping_spec_parse(j, "/spec", &s, &rep) == CZ_OK)
        fail_msg("accepted: %s", text);
    assert_null(s);
    bool found = false;
    for (size_t i = 0; i < rep.len; i++) {
        found |= cz_streq(rep.items[i].pointer, pointer) && cz_streq(rep.items[i].code, code);
        assert_true(strlen(rep.items[i].message) > 0);
    }
    if (!found)
        fail_msg("%s: want %s %s, first is %s %s %s", text, pointer, code, rep.items[0].pointer,
                 rep.items[0].code, rep.items[0].message);
    cz_report_done(&rep);
    json_decref(j);
}

/* One wrong value per field of the document: {field and value, pointer, code}. */
static const struct {
    const char *field, *pointer, *code;
} wrong[] = {
    {"\"enabled\":\"yes\"", "/spec/enabled", "type"},
    {"\"start\":\"first\"", "/spec/start", "value"},
    {"\"start\":{\"timestamp\":\"yesterday\"}", "/spec/start/timestamp", "value"},
    {"\"start\":{\"timestamp\":-1}", "/spec/start/timestamp", "value"},
    {"\"start\":{\"offsets\":{}}", "/spec/start/offsets", "type"},
    {"\"start\":{\"offsets\":{\"x\":\"1\"}}", "/spec/start/offsets/x", "value"},
    {"\"start\":{\"offsets\":{\"0\":\"-3\"}}", "/spec/start/offsets/0", "value"},
    {"\"start\":{\"when\":1}", "/spec/start/when", "unknown-field"},
    {"\"end\":\"later\"", "/spec/end", "value"},
    {"\"end\":null", "/spec/end", "value"},
    {"\"end\":{}", "/spec/end", "value"},
    {"\"end\":{\"timestamp\":1,\"x\":1}", "/spec/end", "value"},
    {"\"end\":{\"timestamp\":\"tomorrow\"}", "/spec/end/timestamp", "value"},
    {"\"end\":{\"timestamp\":5},\"start\":{\"timestamp\":5}", "/spec/end/timestamp", "range"},
    {"\"end\":\"now\",\"consumer_group\":\"\"", "/spec/end", "value"},
    {"\"end\":{\"offsets\":{}}", "/spec/end/offsets", "type"},
    {"\"end\":{\"offsets\":{\"0\":-1}}", "/spec/end/offsets/0", "value"},
    {"\"end\":{\"offsets\":{\"x\":\"1\"}}", "/spec/end/offsets/x", "value"},
    {"\"on_change\":{\"offset\":\"first\"}", "/spec/on_change/offset", "value"},
    {"\"on_change\":\"keep\"", "/spec/on_change", "type"},
    {"\"on_change\":{\"ofset\":\"keep\"}", "/spec/on_change/ofset", "unknown-field"},
    {"\"consumer_group\":5", "/spec/consumer_group", "type"},
    {"\"consumer_group\":\"a\\nb\"", "/spec/consumer_group", "value"},
    {"\"target_service_consumer_group\":5", "/spec/target_service_consumer_group", "type"},
    {"\"target_service_consumer_group\":\"\"", "/spec/target_service_consumer_group", "range"},
    {"\"target_service_consumer_group\":\"a\\tb\"", "/spec/target_service_consumer_group", "value"},
    {"\"delivery\":\"exactly_once\",\"isolation\":\"read_uncommitted\"", "/spec/isolation", "value"},
    {"\"offset_map\":1", "/spec/offset_map", "type"},
    {"\"offset_map\":true,\"partitioning\":\"key\"", "/spec/offset_map", "value"},
    {"\"group_sync\":{\"groups\":[\"svc*\"]}", "/spec/group_sync", "value"},
    {"\"offset_map\":true,\"group_sync\":{\"groups\":[7]}", "/spec/group_sync/groups/0", "type"},
    {"\"offset_map\":true,\"group_sync\":{\"groups\":\"svc\"}", "/spec/group_sync/groups", "type"},
    {"\"group_sync\":{\"interval_ms\":9}", "/spec/group_sync/interval_ms", "range"},
    {"\"commit_interval_ms\":9", "/spec/commit_interval_ms", "range"},
    {"\"delivery\":\"maybe\"", "/spec/delivery", "value"},
    {"\"isolation\":\"none\"", "/spec/isolation", "value"},
    {"\"key_format\":\"xml\"", "/spec/key_format", "value"},
    {"\"schemas\":{\"copy\":\"all\"}", "/spec/schemas/copy", "value"},
    {"\"value_format\":1", "/spec/value_format", "type"},
    {"\"validate\":\"some\"", "/spec/validate", "value"},
    {"\"validate\":\"full\",\"key_format\":\"raw\",\"value_format\":\"raw\"", "/spec/validate",
     "value"},
    {"\"valid_jmespath\":\"value.[\"", "/spec/valid_jmespath", "jmespath"},
    {"\"valid_jmespath\":\"\"", "/spec/valid_jmespath", "range"},
    {"\"valid_jmespath\":7", "/spec/valid_jmespath", "type"},
    {"\"valid_jmespath\":\"nosuch(value)\"", "/spec/valid_jmespath", "jmespath"},
    {"\"sample\":{\"percent\":100.1}", "/spec/sample/percent", "range"},
    {"\"sample\":{\"percent\":-1}", "/spec/sample/percent", "range"},
    {"\"sample\":{\"percent\":\"9\"}", "/spec/sample/percent", "type"},
    {"\"sample\":{\"percent\":0.00001}", "/spec/sample/percent", "value"},
    {"\"sample\":{\"percent\":90,\"from\":10.0001}", "/spec/sample/percent", "range"},
    {"\"sample\":{\"from\":5}", "/spec/sample/percent", "range"},
    {"\"sample\":{\"by\":\"value.[\"}", "/spec/sample/by", "jmespath"},
    {"\"sample\":{\"by\":\"\"}", "/spec/sample/by", "range"},
    {"\"sample\":{\"share\":1}", "/spec/sample/share", "unknown-field"},
    {"\"sample\":90", "/spec/sample", "type"},
    {"\"value_map\":7", "/spec/value_map", "type"},
    {"\"value_map\":\"a/b\"", "/spec/value_map", "name"},
    {"\"value_map\":{\"val\":{}}", "/spec/value_map/val", "value"},
    {"\"value_map\":{\"value.\":{}}", "/spec/value_map/value.", "value"},
    {"\"value_map\":{\"value.a..b\":{}}", "/spec/value_map/value.a..b", "value"},
    {"\"value_map\":{\"key\":7}", "/spec/value_map/key", "type"},
    {"\"value_map\":{\"topics\":[]}", "/spec/value_map/topics", "type"},
    {"\"value_map\":{\"topics\":{\"a\":{\"val\":{}}}}", "/spec/value_map/topics/a/val", "value"},
    {"\"value_map\":{\"topics\":{\"a\":{\"topics\":{}}}}", "/spec/value_map/topics/a/topics",
     "value"},
    {"\"value_map\":{\"key\":{\"1\":[]}}", "/spec/value_map/key/1", "type"},
    {"\"value_map\":{\"key:partition\":{\"1\":-1}}", "/spec/value_map/key:partition/1",
     "range"},
    {"\"value_map\":{\"key:partition\":{\"1\":\"0\"}}", "/spec/value_map/key:partition/1",
     "range"},
    {"\"mask\":{}", "/spec/mask", "type"},
    {"\"mask\":[5]", "/spec/mask/0", "type"},
    {"\"mask\":[{\"path\":\"value.a\"}]", "/spec/mask/0/how", "required"},
    {"\"mask\":[{\"path\":\"value.a\",\"how\":\"hide\"}]", "/spec/mask/0/how", "value"},
    {"\"mask\":[{\"how\":\"hash\"}]", "/spec/mask/0/path", "required"},
    {"\"mask\":[{\"path\":\"headers.a\",\"how\":\"hash\"}]", "/spec/mask/0/path", "value"},
    {"\"mask\":[{\"path\":\"valuea\",\"how\":\"hash\"}]", "/spec/mask/0/path", "value"},
    {"\"mask\":[{\"path\":\"value.\",\"how\":\"hash\"}]", "/spec/mask/0/path", "value"},
    {"\"mask\":[{\"path\":\"value.a..b\",\"how\":\"hash\"}]", "/spec/mask/0/path", "value"},
    {"\"mask\":[{\"path\":\"value.a\",\"how\":\"hash\"},{\"path\":\"value.a\",\"how\":\"redact\"}]",
     "/spec/mask/1/path", "value"},
    {"\"mask\":[{\"path\":\"key\",\"how\":\"redact\"}]", "/spec/mask/0/how", "value"},
    {"\"mask\":[{\"path\":\"value.a\",\"how\":\"truncate\",\"length\":0}]", "/spec/mask/0/length", "range"},
    {"\"mask\":[{\"path\":\"value.a\",\"how\":\"hash\",\"length\":3}]", "/spec/mask/0/length", "value"},
    {"\"mask\":[{\"path\":\"value.a\",\"how\":\"hash\",\"salt\":3}]", "/spec/mask/0/salt", "unknown-field"},
    {"\"mask\":[{\"path\":\"value.a\",\"how\":\"hash\"}],\"value_format\":\"raw\"", "/spec/mask/0/path",
     "value"},
    {"\"mask\":[{\"path\":\"value\",\"how\":\"null\"}],\"value_format\":\"raw\"", "/spec/mask/0/path", "value"},
    {"\"mask_secret\":\"0123456789abcdef\"", "/spec/mask_secret", "secret"},
    {"\"mask_secret\":\"${env:DB_PASSWORD}\"", "/spec/mask_secret", "secret"},
    {"\"mask_secret\":\"${file:/etc/shadow}\"", "/spec/mask_secret", "secret"},
    {"\"mask_secret\":\"${file:/etc/mask/shadow}\"", "/spec/mask_secret", "secret"},
    {"\"mask_secret\":\"${file:/etc/shadow:/mask}\"", "/spec/mask_secret", "secret"},
    {"\"transform_jmespath\":\"value.[\"", "/spec/transform_jmespath", "jmespath"},
    {"\"transform_jmespath\":\"\"", "/spec/transform_jmespath", "range"},
    {"\"transform_jmespath\":{}", "/spec/transform_jmespath", "type"},
    {"\"headers\":{\"drop\":[\"x\"]}", "/spec/headers/drop", "unknown-field"},
    {"\"headers\":{\"remove\":\"x\"}", "/spec/headers/remove", "type"},
    {"\"headers\":{\"remove\":[5]}", "/spec/headers/remove/0", "type"},
    {"\"headers\":{\"remove\":[\"\"]}", "/spec/headers/remove/0", "value"},
    {"\"headers\":{\"add\":{\"x\":5}}", "/spec/headers/add/x", "type"},
    {"\"headers\":{\"rename\":{\"x\":null}}", "/spec/headers/rename/x", "type"},
    {"\"headers\":{\"rename\":{\"x\":\"\"}}", "/spec/headers/rename/x", "value"},
    {"\"headers\":{\"provenance\":\"yes\"}", "/spec/headers/provenance", "type"},
    {"\"partitioning\":\"random\"", "/spec/partitioning", "value"},
    {"\"topic_policy\":\"x\"", "/spec/topic_policy", "value"},
    {"\"on_error\":\"ignore\"", "/spec/on_error", "value"},
    {"\"on_error\":{\"dead_letter\":\"a b\"}", "/spec/on_error/dead_letter", "topic-name"},
    {"\"on_error\":{\"dead_letter\":\"x\",\"y\":1}", "/spec/on_error", "value"},
    {"\"on_gap\":\"ignore\"", "/spec/on_gap", "value"},
    {"\"rate\":5", "/spec/rate", "type"},
    {"\"rate\":{\"records_per_second\":-1}", "/spec/rate/records_per_second", "range"},
    {"\"rate\":{\"records\":1}", "/spec/rate/records", "unknown-field"},
    {"\"rate\":{\"burst_seconds\":0}", "/spec/rate/burst_seconds", "range"},
    {"\"rate\":{\"windows\":{}}", "/spec/rate/windows", "type"},
    {"\"rate\":{\"windows\":[{\"from\":\"22:00\"}]}", "/spec/rate/windows/0/to", "required"},
    {"\"rate\":{\"windows\":[{\"from\":\"24:00\",\"to\":\"06:00\"}]}", "/spec/rate/windows/0/from", "value"},
    {"\"rate\":{\"windows\":[{\"from\":\"2:000\",\"to\":\"06:00\"}]}", "/spec/rate/windows/0/from", "value"},
    {"\"rate\":{\"windows\":[{\"from\":\"22:00\",\"to\":600}]}", "/spec/rate/windows/0/to", "value"},
    {"\"rate\":{\"windows\":[{\"from\":\"22:00\",\"to\":\"06:00\",\"days\":[\"monday\"]}]}",
     "/spec/rate/windows/0/days", "value"},
    {"\"rate\":{\"windows\":[{\"from\":\"22:00\",\"to\":\"06:00\",\"days\":[]}]}",
     "/spec/rate/windows/0/days", "value"},
    {"\"rate\":{\"windows\":[{\"from\":\"22:00\",\"to\":\"06:00\",\"tz\":\"Europe/Atlantis\"}]}",
     "/spec/rate/windows/0/tz", "value"},
    {"\"rate\":{\"windows\":[{\"from\":\"22:00\",\"to\":\"06:00\",\"tz\":\"+2\"}]}",
     "/spec/rate/windows/0/tz", "value"},
    {"\"rate\":{\"windows\":[{\"from\":\"22:00\",\"to\":\"06:00\",\"tz\":7}]}", "/spec/rate/windows/0/tz", "value"},
    {"\"rate\":{\"windows\":[{\"from\":\"22:00\",\"to\":\"06:00\",\"x\":1}]}", "/spec/rate/windows/0/x",
     "unknown-field"},
    {"\"replay\":{\"loop\":true}", "/spec/replay", "value"},
    {"\"replay\":{\"speed\":2}", "/spec/replay", "value"},
    {"\"replay\":{\"speed\":-1}", "/spec/replay/speed", "range"},
    {"\"replay\":{\"loop\":1}", "/spec/replay/loop", "type"},
    {"\"replay\":{\"shift\":\"later\"}", "/spec/replay/shift", "value"},
    {"\"replay\":{\"from\":\"today\"}", "/spec/replay/from", "value"},
    {"\"replay\":{\"until\":5}", "/spec/replay/until", "unknown-field"},
    {"\"tasks\":0", "/spec/tasks", "range"},
    {"\"tasks\":257", "/spec/tasks", "range"},
    {"\"tasks\":\"many\"", "/spec/tasks", "range"},
    {"\"producer\":{\"compression\":\"brotli\"}", "/spec/producer/compression", "value"},
    {"\"producer\":{\"linger_ms\":-1}", "/spec/producer/linger_ms", "range"},
    {"\"producer\":{\"linger_ms\":1001}", "/spec/producer/linger_ms", "range"},
    {"\"producer\":{\"acks\":0}", "/spec/producer/acks", "unknown-field"},
    {"\"tests\":[{\"name\":\"x\"}]", "/spec/tests/0/input", "type"},
    {"\"topics\":[{\"source\":\"x\"}]", "/spec/source/topic", "both"},
    {"\"topics\":{}", "/spec/topics", "type"},
    {"\"frobnicate\":1", "/spec/frobnicate", "unknown-field"},
};

static void test_wrong_fields(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CZ_CLEANUP(cz_freep) char *text = cz_strf("{" ENDS ",%s}", wrong[i].field);
        bad(text, wrong[i].pointer, wrong[i].code);
    }
}

static void test_wrong_ends(void **state)
{
    (void)state;
#define A "{\"cluster\":\"a\",\"topic\":\"in\"}"
    bad("{}", "/spec/source", "required");
    bad("{}", "/spec/target", "required");
    bad("[]", "/spec", "type");
    bad("{\"source\":" A "}", "/spec/target", "required");
    bad("{\"source\":{\"topic\":\"in\"},\"target\":" A "}", "/spec/source/cluster", "required");
    bad("{\"source\":{\"cluster\":\"b\"},\"target\":" A "}", "/spec/source/topic", "required");
    bad("{\"source\":{\"cluster\":\"b\",\"topic\":\"a b\"},\"target\":" A "}",
        "/spec/source/topic", "topic-name");
    bad("{\"source\":{\"cluster\":\"b\",\"topic\":7},\"target\":" A "}", "/spec/source/topic",
        "type");
#define FROM_FILE(more) "{\"source\":{\"file\":\"x\"},\"target\":" A more "}"
    bad("{\"source\":{\"file\":\".x\"},\"target\":" A "}", "/spec/source/file", "file-name");
    bad("{\"source\":{\"file\":\"x\",\"cluster\":\"c\"},\"target\":" A "}", "/spec/source/cluster", "both");
    bad("{\"source\":{\"file\":\"x\"},\"target\":{\"file\":\"y\"}}", "/spec/target/file", "value");
    bad(FROM_FILE(",\"start\":\"latest\""), "/spec/start", "value");
    bad(FROM_FILE(",\"end\":\"now\""), "/spec/end", "value");
    bad(FROM_FILE(",\"on_change\":{\"offset\":\"latest\"}"), "/spec/on_change/offset", "value");
    bad(FROM_FILE(",\"consumer_group\":\"g\""), "/spec/consumer_group", "value");
    bad(FROM_FILE(",\"topic_policy\":\"create\""), "/spec/topic_policy", "value");
    bad(FROM_FILE(",\"replay\":{\"from\":5,\"to\":5}"), "/spec/replay/to", "range");
#define PATTERN(source, target)                                                                \
    "{\"source\":{\"cluster\":\"b\"," source "},\"target\":{\"cluster\":" target "}"
    bad(PATTERN("\"pattern\":\"(\"", "\"a\"") "}", "/spec/source/pattern", "pattern");
    bad(PATTERN("\"pattern\":\"x\",\"exclude\":[\"[\"]", "\"a\"") "}", "/spec/source/exclude", "pattern");
    bad(PATTERN("\"topic\":\"x\",\"exclude\":[\"y\"]", "\"a\"") "}", "/spec/source/exclude", "value");
    bad(PATTERN("\"pattern\":\"x\",\"topic\":\"y\"", "\"a\"") "}", "/spec/source/pattern", "both");
    bad(PATTERN("\"pattern\":\"x\"", "\"a\"") ",\"topics\":[{\"source\":\"y\"}]}", "/spec/source/pattern", "both");
    bad(PATTERN("\"pattern\":\"x\"", "\"a\",\"topic\":\"{{t}}\"") "}", "/spec/target/topic", "topic-name");
    bad(PATTERN("\"pattern\":\"x\"", "\"a\",\"topic\":\"a b\"") "}", "/spec/target/topic", "topic-name");
    bad(PATTERN("\"pattern\":\"x\"", "\"b\"") "}", "/spec/target/topic", "loop");
    bad(PATTERN("\"pattern\":\"x\"", "\"a\"") ",\"topic_policy\":\"create\",\"topic_acls\":true}", "/spec/topic_acls",
        "value");
#define PATTERN_FILE(file) "{\"source\":{\"cluster\":\"b\",\"pattern\":\"x\"},\"target\":{\"file\":\"" file "\"}}"
    bad(PATTERN_FILE("all"), "/spec/target/file", "file-name");
    bad(PATTERN_FILE("{{t}}"), "/spec/target/file", "file-name");
    bad(PATTERN_FILE(".{{topic}}"), "/spec/target/file", "file-name");
    bad(PATTERN("\"pattern\":\"x\"", "\"b\",\"topic\":\"{{topic}}\"") "}", "/spec/target/topic", "loop");
    bad(PATTERN("\"pattern\":\"x\"", "\"a\"") ",\"start\":{\"offsets\":{\"0\":\"1\"}}}", "/spec/start/offsets", "value");
    bad(PATTERN("\"pattern\":\"x\"", "\"a\"") ",\"value_map\":\"m-{{topic}}\"}", "/spec/value_map", "value");
    bad("{\"source\":" A ",\"target\":{\"cluster\":\"b\",\"topic\":\"x{{y}}\"}}",
        "/spec/target/topic", "topic-name");
    bad("{\"source\":" A ",\"target\":{\"cluster\":\"b\",\"topic\":\"..\"}}",
        "/spec/target/topic", "topic-name");
#define FILE_TARGET(more) "{\"source\":" A ",\"target\":{\"file\":\"x\"" more "}"
    bad("{\"source\":" A ",\"target\":{\"file\":\"../x\"}}", "/spec/target/file", "file-name");
    bad("{\"source\":" A ",\"target\":{\"file\":\"{{t}}\"}}", "/spec/target/file", "topic-name");
    bad(FILE_TARGET(",\"cluster\":\"b\"}"), "/spec/target/cluster", "both");
    bad(FILE_TARGET(",\"topic\":\"b\"}"), "/spec/target/topic", "both");
    bad(FILE_TARGET(",\"compression\":\"lz4\"}"), "/spec/target/compression", "value");
    bad(FILE_TARGET("},\"tasks\":2"), "/spec/tasks", "value");
    bad(FILE_TARGET("},\"on_error\":{\"dead_letter\":\"in\"}"), "/spec/on_error/dead_letter", "loop");
    bad("{\"source\":{\"cluster\":\"a\"},\"target\":{\"file\":\"x\"},\"topics\":[{\"source\":\"t\"}]}",
        "/spec/target/file", "both");
    bad("{\"source\":" A ",\"target\":{\"cluster\":\"b\",\"compression\":\"gzip\"}}",
        "/spec/target/compression", "value");
    bad("{\"source\":" A ",\"target\":{\"cluster\":\"b\",\"rotate\":{\"bytes\":1}}}", "/spec/target/rotate", "value");
    bad("{\"source\":" A ",\"target\":" A "}", "/spec/target/topic", "loop");
    bad("{\"source\":" A ",\"target\":{\"cluster\":\"a\"}}", "/spec/target/topic", "loop");
    bad("{\"source\":" A ",\"target\":{\"cluster\":\"a\",\"topic\":\"o\"},\"on_error\":{\"dead_"
                         "letter\":\"in\"}}",
        "/spec/on_error/dead_letter", "loop");
#define P(pairs)                                                                               \
    "{\"source\":{\"cluster\":\"a\"},\"target\":{\"cluster\":\"a\"},\"topics\":[" pairs "]}"
    bad(P(""), "/spec/source/topic", "required");
    bad(P("{\"target\":\"x\"}"), "/spec/topics/0/source", "required");
    bad(P("{\"source\":\"x\",\"target\":\"y\"},{\"source\":\"x\",\"target\":\"z\"}"),
        "/spec/topics/1/source", "duplicate");
    bad(P("{\"source\":\"x\",\"target\":\"y\"},{\"source\":\"y\",\"target\":\"z\"}"),
        "/spec/topics/0/target", "loop");
    bad(P("{\"source\":\"x\",\"target\":\"y\",\"z\":1}"), "/spec/topics/0/z", "unknown-field");
    bad(P("\"x\""), "/spec/topics/0", "type");
    bad("{\"source\":{\"cluster\":\"a\"},\"target\":{\"cluster\":\"b\",\"topic\":\"one\"},"
        "\"topics\":[{\"source\":\"x\"}]}",
        "/spec/target/topic", "both");
    bad("{\"source\":{\"cluster\":\"a\"},\"target\":{\"cluster\":\"b\"},\"start\":{\"offsets\":"
        "{\"0\":\"1\"}},"
        "\"topics\":[{\"source\":\"x\"},{\"source\":\"y\"}]}",
        "/spec/start/offsets", "value");
}

static void test_defaults(void **state)
{
    (void)state;
    struct cz_mapping_spec *s = good("{" ENDS "}");
    assert_true(s->enabled);
    assert_int_equal(s->pairs_len, 1);
    assert_string_equal(s->pairs[0].source, "in");
    assert_string_equal(s->pairs[0].target, "out");
    assert_int_equal(s->start, CZ_START_COMMITTED);
    assert_int_equal(s->on_change, CZ_ON_CHANGE_KEEP);
    assert_null(s->consumer_group);
    assert_true(s->read_committed);
    assert_null(s->filter);
    assert_int_equal(s->on_error, CZ_ON_ERROR_STOP);
    assert_int_equal(s->on_gap, CZ_ON_GAP_STOP);
    assert_int_equal(s->end, CZ_END_NONE);
    assert_int_equal(s->tasks, 0);
    assert_string_equal(s->compression, "lz4");
    assert_int_equal(s->linger_ms, 5);
    cz_mapping_spec_free(s);
}

static void pattern_of(const char *text)
{
    struct cz_mapping_spec *s = good(text), *again = NULL;
    struct cz_report rep = CZ_REPORT_INIT;
    assert_int_equal(s->pairs_len, 0);
    json_t *spec = json(text);
    json_t *full = cz_mapping_spec_resolve(s, spec, "t", "n", NULL);
    assert_int_equal(cz_mapping_spec_parse(full, "", &again, &rep), CZ_OK);
    json_t *same = cz_mapping_spec_resolve(again, full, "t", "n", NULL);
    assert_true(json_equal(full, same));
    assert_string_equal(again->source_pattern, "^o");
    assert_int_equal(json_array_size(again->source_exclude), 1);
    static const char *const found[] = {"o1", "o2"};
    for (int i = 0; i < 2; i++) {
        cz_mapping_spec_set_topics(again, found, 2);
        assert_int_equal(again->pairs_len, 2);
        assert_string_equal(again->pairs[1].source, "o2");
        assert_string_equal(again->pairs[1].target, "to.o2");
    }
    json_decref(spec);
    json_decref(full);
    json_decref(same);
    cz_report_done(&rep);
    cz_mapping_spec_free(s);
    cz_mapping_spec_free(again);
}

static void test_pattern(void **state)
{
    (void)state;
    pattern_of(PATTERN("\"pattern\":\"^o\",\"exclude\":[\"x$\"]", "\"b\",\"topic\":\"to.{{topic}}\"")
               ",\"offset_map\":true,\"group_sync\":{\"groups\":[\"svc*\"]}}");
    pattern_of("{\"source\":{\"cluster\":\"b\",\"pattern\":\"^o\",\"exclude\":[\"x$\"]},"
               "\"target\":{\"file\":\"to.{{topic}}\",\"compression\":\"gzip\"}}");
}

static void test_ends(void **state)
{
    (void)state;
    struct cz_mapping_spec *s = good("{" ENDS ",\"end\":\"now\"}");
    assert_int_equal(s->end, CZ_END_NOW);
    cz_mapping_spec_free(s);
    s = good("{" ENDS ",\"end\":{\"timestamp\":\"2026-01-01T00:00:00Z\"},\"consumer_group\":\"\","
             "\"delivery\":\"exactly_once\"}");
    assert_int_equal(s->end, CZ_END_TIMESTAMP);
    assert_int_equal(s->end_ms, 1767225600000);
    cz_mapping_spec_free(s);
    s = good("{" ENDS ",\"end\":{\"offsets\":{\"3\":\"42\"}}}");
    assert_int_equal(s->end, CZ_END_OFFSETS);
    assert_int_equal(cz_json_int(s->end_offsets, "3", -1), 42);
    cz_mapping_spec_free(s);
}

/* Records per second at a moment. */
static int64_t at(const struct cz_mapping_spec *s, const char *when)
{
    int64_t ms = 0;
    assert_true(cz_rfc3339_parse(when, &ms));
    return cz_rate_at(&s->rate, ms).records;
}

static void test_rate(void **state)
{
    (void)state;
    struct cz_mapping_spec *s = good("{" ENDS "}");
    assert_false(cz_rate_limits(&s->rate));
    assert_int_equal(s->rate.burst_s, 1);
    cz_mapping_spec_free(s);
    s = good("{" ENDS ",\"rate\":{\"records_per_second\":10,\"windows\":["
             "{\"from\":\"22:00\",\"to\":\"06:00\",\"days\":[\"fri\",\"sun\"],\"records_per_second\":20},"
             "{\"from\":\"08:00\",\"to\":\"09:30\",\"tz\":\"+02:00\",\"bytes_per_second\":7},"
             "{\"from\":\"23:00\",\"to\":\"01:00\",\"tz\":\"-03:30\",\"records_per_second\":30}]}}");
    assert_true(cz_rate_limits(&s->rate));
    /* 2026-11-27 is a Friday. */
    assert_int_equal(at(s, "2026-11-27T21:59:59Z"), 10);
    assert_int_equal(at(s, "2026-11-27T22:00:00Z"), 20);
    assert_int_equal(at(s, "2026-11-28T05:59:59Z"), 20); /* began on Friday */
    assert_int_equal(at(s, "2026-11-28T06:00:00Z"), 0);  /* 08:00 at +02:00: no cap of records */
    assert_int_equal(at(s, "2026-11-28T07:29:59Z"), 0);
    assert_int_equal(at(s, "2026-11-28T07:30:00Z"), 10);
    assert_int_equal(at(s, "2026-11-28T22:30:00Z"), 10); /* Saturday */
    assert_int_equal(at(s, "2026-11-29T02:30:00Z"), 30); /* 23:00 at -03:30 */
    assert_int_equal(at(s, "2026-11-29T04:29:59Z"), 30);
    assert_int_equal(at(s, "2026-11-29T04:30:00Z"), 10);
    assert_int_equal(at(s, "2026-11-29T22:00:00Z"), 20); /* Sunday */
    assert_int_equal(at(s, "2026-11-30T05:00:00Z"), 20); /* still, on Monday */
    cz_mapping_spec_free(s);
    /* By the clock on a wall in Berlin: at 21:00 UTC in winter, at 20:00 in summer. */
    s = good("{" ENDS ",\"rate\":{\"windows\":[{\"from\":\"22:00\",\"to\":\"02:30\",\"tz\":\"Europe/Berlin\","
             "\"records_per_second\":40}]}}");
    assert_int_equal(at(s, "2026-07-01T19:59:59Z"), 0);
    assert_int_equal(at(s, "2026-07-01T20:00:00Z"), 40);
    assert_int_equal(at(s, "2026-12-01T20:59:59Z"), 0);
    assert_int_equal(at(s, "2026-12-01T21:00:00Z"), 40);
    assert_int_equal(at(s, "2026-10-25T00:29:59Z"), 40); /* 02:30 for the first time that night */
    assert_int_equal(at(s, "2026-10-25T00:30:00Z"), 0);
    assert_int_equal(at(s, "2026-10-25T01:00:00Z"), 40); /* 02:00 again */
    assert_int_equal(at(s, "2026-10-25T01:30:00Z"), 0);
    cz_mapping_spec_free(s);
}

static void test_all_fields(void **state)
{
    (void)state;
    struct cz_mapping_spec *s =
        good("{\"enabled\":false,\"source\":{\"cluster\":\"a\"},\"target\":{\"cluster\":\"b\","
             "\"topic\":\"s.{{topic}}\"},"
             "\"topics\":[{\"source\":\"x\",\"target\":\"y\"},{\"source\":\"z\"}],"
             "\"start\":{\"timestamp\":\"2026-01-01T00:00:00Z\"},\"on_change\":{\"offset\":"
             "\"latest\"},\"consumer_group\":\"\","
             "\"isolation\":\"read_uncommitted\",\"key_format\":\"raw\",\"value_format\":"
             "\"json\",\"validate\":\"full\","
             "\"valid_jmespath\":\"value.event.type == "
             "'sale'\",\"value_map\":{\"key\":{\"1\":10},\"value.a.b\":{\"1\":{}},"
             "\"key:partition\":{\"1\":0,\"3\":-1000}},\"partitioning\":\"round_robin\",\"on_"
             "error\":{\"dead_letter\":\"dlq\"},"
             "\"tasks\":3,\"producer\":{\"compression\":\"zstd\",\"linger_ms\":0},"
             /* fields to come, at their defaults, do no harm */
             "\"end\":\"none\",\"mask\":[],\"transform_jmespath\":null,\"on_gap\":\"stop\","
             "\"tests\":[],\"delivery\":\"at_least_once\"}");
    assert_false(s->enabled);
    assert_int_equal(s->pairs_len, 2);
    assert_string_equal(s->pairs[0].target, "y");
    assert_string_equal(s->pairs[1].target, "s.z");
    assert_int_equal(s->start, CZ_START_TIMESTAMP);
    assert_int_equal(s->start_ms, 1767225600000);
    assert_int_equal(s->on_change, CZ_ON_CHANGE_LATEST);
    assert_string_equal(s->consumer_group, "");
    assert_false(s->read_committed);
    assert_int_equal(s->key_format, CZ_FORMAT_RAW);
    assert_int_equal(s->value_format, CZ_FORMAT_JSON);
    assert_true(s->validate_full);
    assert_string_equal(s->filter, "value.event.type == 'sale'");
    assert_non_null(s->value_map);
    assert_int_equal(s->partitioning, CZ_PARTITION_ROUND_ROBIN);
    assert_int_equal(s->on_error, CZ_ON_ERROR_DEAD_LETTER);
    assert_string_equal(s->dead_letter_topic, "dlq");
    assert_int_equal(s->tasks, 3);
    assert_string_equal(s->compression, "zstd");
    assert_int_equal(s->linger_ms, 0);
    cz_mapping_spec_free(s);
}

/** Resolving twice gives the same, and the resolved form parses to the same spec. */
static void test_resolve(void **state)
{
    (void)state;
    json_t *spec = json(
        "{" ENDS ",\"value_map\":\"ids\",\"start\":{\"offsets\":{\"0\":\"42\"}},\"mask\":[]}");
    json_t *map = json("{\"key\":{\"1\":10}}");
    struct cz_mapping_spec *s = NULL, *again = NULL;
    struct cz_report rep = CZ_REPORT_INIT;
    assert_int_equal(cz_mapping_spec_parse(spec, "", &s, &rep), CZ_OK);
    json_t *r = cz_mapping_spec_resolve(s, spec, "team", "a b", map);
    assert_string_equal(cz_json_str(r, "consumer_group", ""), "citizenk.team.a b");
    assert_true(json_equal(json_object_get(r, "value_map"), map));
    assert_null(json_object_get(json_object_get(r, "source"), "topic"));
    for (const struct cz_cfg_key *row = cz_mapping_table; row->name; row++) {
        if (row->flags & CZ_CFG_LATER)
            assert_null(json_object_get(r, row->name));
    }
    assert_string_equal(
        cz_json_str(json_array_get(json_object_get(r, "topics"), 0), "target", ""), "out");
    assert_string_equal(cz_json_str(json_object_get(r, "producer"), "compression", ""), "lz4");
    assert_int_equal(cz_mapping_spec_parse(r, "", &again, &rep), CZ_OK);
    assert_int_equal(again->pairs_len, 1);
    assert_string_equal(again->consumer_group, "citizenk.team.a b");
    assert_non_null(again->start_offsets);
    json_t *r2 = cz_mapping_spec_resolve(again, r, "team", "a b", NULL);
    assert_true(json_equal(r, r2));
    json_decref(r);
    json_decref(r2);
    json_decref(spec);
    json_decref(map);
    cz_mapping_spec_free(s);
    cz_mapping_spec_free(again);
}

/** Shares that meet neither overlap nor leave a gap; all is no stage. */
static void test_sample(void **state)
{
    (void)state;
    static const struct {
        const char *sample;
        unsigned from, to; /* 0 to 1000000: no stage */
    } rows[] = {
        {"{}", 0, 1000000},
        {"{\"percent\":100}", 0, 1000000},
        {"{\"percent\":0}", 0, 0},
        {"{\"percent\":90}", 0, 900000},
        {"{\"percent\":10,\"from\":90}", 900000, 1000000},
        {"{\"percent\":33.3333}", 0, 333333},
        {"{\"percent\":66.6667,\"from\":33.3333,\"by\":\"value.id\",\"salt\":\"s\"}", 333333, 1000000},
        {"{\"percent\":0.0001}", 0, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char field[256];
        (void)snprintf(field, sizeof field, "{" ENDS ",\"sample\":%s}", rows[i].sample);
        struct cz_mapping_spec *s = good(field);
        assert_int_equal(s->sample_from, rows[i].from);
        assert_int_equal(s->sample_to, rows[i].to);
        assert_true(!s->sample_by == (rows[i].from == 0 && rows[i].to == 1000000));
        if (i == 6) {
            assert_string_equal(s->sample_by, "value.id");
            assert_string_equal(s->sample_salt, "s");
        }
        cz_mapping_spec_free(s);
    }
}

static void test_files(void **state)
{
    (void)state;
    static const char *const specs[] = {
        "{\"source\":{\"file\":\"f\"},\"target\":{\"cluster\":\"b\",\"topic\":\"o\"},\"replay\":{\"speed\":0.5,"
        "\"loop\":true,\"shift\":-5,\"from\":\"1970-01-01T00:00:01Z\"}}",
        "{\"source\":{\"cluster\":\"a\"},\"topics\":[{\"source\":\"x\"},{\"source\":\"y\",\"target\":\"z\"}],"
        "\"target\":{\"file\":\"{{topic}}.rec\",\"compression\":\"zstd\",\"rotate\":{\"seconds\":60}}}",
    };
    for (size_t i = 0; i < 2; i++) {
        struct cz_mapping_spec *s = good(specs[i]), *again = NULL;
        struct cz_report rep = CZ_REPORT_INIT;
        json_t *spec = json(specs[i]), *r = cz_mapping_spec_resolve(s, spec, "t", "m", NULL);
        assert_string_equal(cz_json_str(r, "consumer_group", ""), i == 0 ? "" : "citizenk.t.m");
        if (cz_mapping_spec_parse(r, "", &again, &rep))
            fail_msg("%s: %s", rep.items[0].pointer, rep.items[0].message);
        json_t *r2 = cz_mapping_spec_resolve(again, r, "t", "m", NULL);
        assert_true(json_equal(r, r2));
        for (int k = 0; k < 2; k++) {
            const struct cz_mapping_spec *one = k ? again : s;
            assert_int_equal(one->source_file, i == 0);
            assert_int_equal(one->target_file, i == 1);
            assert_string_equal(one->pairs[0].target, i == 0 ? "o" : "x.rec");
            assert_true(one->replay_speed > 0.49 && one->replay_speed < 1.01);
            assert_int_equal(one->replay_loop, i == 0);
            assert_int_equal(one->replay_shift, i == 0 ? 2 : 0);
            assert_int_equal(one->replay_from_ms, i == 0 ? 1000 : INT64_MIN);
            assert_int_equal(one->rotate_ms, i == 0 ? 0 : 60000);
            assert_int_equal(one->target_packing, i == 0 ? 0 : 2);
        }
        cz_mapping_spec_free(s);
        cz_mapping_spec_free(again);
        json_decref(spec);
        json_decref(r);
        json_decref(r2);
    }
}

static void test_default_groups_differ(void **state)
{
    (void)state;
    CZ_CLEANUP(cz_freep) char *a = cz_mapping_default_group("a.b", "c");
    CZ_CLEANUP(cz_freep) char *b = cz_mapping_default_group("a", "b.c");
    CZ_CLEANUP(cz_freep) char *c = cz_mapping_default_group("a_b", "c");
    assert_string_not_equal(a, b);
    assert_string_not_equal(a, c);
    assert_string_equal(b, "citizenk.a.b.c");
}

static void test_schema(void **state)
{
    (void)state;
    json_t *schema = cz_cfg_schema(cz_mapping_table);
    assert_non_null(json_object_get(json_object_get(schema, "properties"), "valid_jmespath"));
    json_decref(schema);
}

int main(void)
{
    cz_json_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_fields), cmocka_unit_test(test_wrong_ends),
        cmocka_unit_test(test_defaults),     cmocka_unit_test(test_pattern),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_all_fields),
        cmocka_unit_test(test_resolve),      cmocka_unit_test(test_default_groups_differ),
        cmocka_unit_test(test_schema),       cmocka_unit_test(test_sample),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
