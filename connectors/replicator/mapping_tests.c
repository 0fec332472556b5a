/* SPDX-License-Identifier: Apache-2.0 */
/** Mapping tests: see cz/mapping_tests.h. */
#include "cz/mapping_tests.h"

#include <string.h>

#include "cz/alloc.h"
#include "cz/drop.h"
#include "cz/json.h"
#include "cz/limits.h"
#include "cz/record_json.h"
#include "cz/util.h"
#include "mapping_priv.h"

enum { MAX_SHOWN = 120, MAX_DIFFERENCES = 4, MAX_TEXT = 800 };

/* ---- their form ---------------------------------------------------------------------------
 */

static void known_members(const json_t *o, const char *const *names, char *at, struct cz_report *rep)
{
    const char *name;
    json_t *v;
    json_object_foreach ((json_t *)(uintptr_t)o, name, v) {
        bool known = false;
        for (size_t i = 0; names[i]; i++)
            known |= cz_streq(names[i], name);
        cz_pointer_push(at, name);
        if (!known)
            (void)cz_report_add(rep, at, "unknown-field", "unknown field of a test");
        cz_pointer_pop(at);
    }
}

static void check_expect(const json_t *expect, char *at, struct cz_report *rep)
{
    static const char *const names[] = {"passed", "dropped", "error", "key", "value", "headers", "partition", NULL};
    static const char *const outcomes[] = {"passed", "dropped", "error"};
    size_t given = 0;
    if (!json_is_object(expect) || json_object_size(expect) == 0) {
        (void)cz_report_add(rep, at, "type", "must be an object that says what is expected, as {passed: true}");
        return;
    }
    known_members(expect, names, at, rep);
    for (size_t i = 0; i < 3; i++) {
        const json_t *v = json_object_get(expect, outcomes[i]);
        bool boolean = json_is_boolean(v) && (i == 0 || json_is_true(v));
        cz_pointer_push(at, outcomes[i]);
        if (v && !boolean && !(i > 0 && json_is_string(v)))
            (void)cz_report_add(rep, at, "type", i ? "must be true, or a name" : "must be true or false");
        given += v != NULL;
        cz_pointer_pop(at);
    }
    if (given > 1)
        (void)cz_report_add(rep, at, "value", "passed, dropped and error exclude each other");
    const json_t *partition = json_object_get(expect, "partition");
    if (partition && !json_is_integer(partition))
        (void)cz_report_add(rep, at, "type", "the partition must be a number");
}

static void check_test(const json_t *test, char *at, struct cz_report *rep)
{
    static const char *const names[] = {"name", "input", "expect", NULL};
    struct cz_mapping_spec none = {0};
    struct cz_json_record input;
    if (!json_is_object(test)) {
        (void)cz_report_add(rep, at, "type", "must be an object {name, input, expect}");
        return;
    }
    known_members(test, names, at, rep);
    cz_pointer_push(at, "name");
    if (!json_is_string(json_object_get(test, "name")) || !*cz_json_str(test, "name", ""))
        (void)cz_report_add(rep, at, "required", "a test needs a name");
    cz_pointer_pop(at);
    cz_pointer_push(at, "input");
    cz_json_record_init(&input, json_object_get(test, "input"), &none, at, rep);
    cz_json_record_done(&input);
    cz_pointer_pop(at);
    cz_pointer_push(at, "expect");
    check_expect(json_object_get(test, "expect"), at, rep);
    cz_pointer_pop(at);
}

void cz__check_tests(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    (void)field;
    char at[CZ_POINTER_SIZE] = "";
    cz__pointer_copy(at, pointer);
    if (!json_is_array(v)) {
        (void)cz_report_add(rep, pointer, "type", "must be a list of {name, input, expect}");
        return;
    }
    if (json_array_size(v) > CZ_MAX_MAPPING_TESTS) {
        (void)cz_report_add(rep, pointer, "range", "at most %d tests", CZ_MAX_MAPPING_TESTS);
        return;
    }
    for (size_t i = 0; i < json_array_size(v); i++) {
        cz_pointer_push_index(at, i);
        check_test(json_array_get(v, i), at, rep);
        cz_pointer_pop(at);
    }
}

/* ---- differences --------------------------------------------------------------------------
 */

struct judging {
    const struct cz_mapping_spec *spec;
    const struct cz_stages *stages;
    struct cz_stage_ctx *ctx;
    const struct cz_record *r;
    const struct cz_stage_result *got;
    const struct cz_error *err; /* of an ERROR */
    struct cz_buf say;          /* what differs; empty: nothing */
    int differences;
};

static bool next_difference(struct judging *j)
{
    if (j->differences++ >= MAX_DIFFERENCES)
        return false;
    if (j->say.len > 0)
        cz_buf_adds(&j->say, "; ");
    return true;
}

static void add_short(struct cz_buf *b, const json_t *v)
{
    CZ_CLEANUP(cz_freep) char *text = cz_json_text(v, false);
    size_t n = strlen(text), cut = n < MAX_SHOWN ? n : MAX_SHOWN;
    while (cut > 0 && cut < n && ((unsigned char)text[cut] & 0xc0) == 0x80)
        cut--;
    cz_buf_add(b, text, cut);
    cz_buf_adds(b, cut < n ? "…" : "");
}

static bool same_number(const json_t *a, const json_t *b)
{
    double x = json_number_value(a), y = json_number_value(b);
    return json_is_number(a) && json_is_number(b) && !(x < y) && !(x > y);
}

static void compare(struct judging *j, const char *what, const json_t *want, const json_t *got)
{
    json_t *all = cz_json_diff(want, got);
    size_t i;
    json_t *one;
    json_array_foreach(all, i, one) {
        const json_t *from = json_object_get(one, "from"), *to = json_object_get(one, "to");
        if (same_number(from, to) || !next_difference(j))
            continue;
        cz_buf_addf(&j->say, "%s%s ", what, cz_json_str(one, "pointer", ""));
        if (!to) {
            cz_buf_adds(&j->say, "is missing");
            continue;
        }
        cz_buf_adds(&j->say, "is ");
        add_short(&j->say, to);
        cz_buf_adds(&j->say, from ? ", not " : ", which is not expected");
        if (from)
            add_short(&j->say, from);
    }
    json_decref(all);
}

static void compare_bytes(struct judging *j, const char *what, const json_t *want, struct cz_slice got)
{
    const char *encoding;
    if (json_is_string(want) && got.data && got.len == json_string_length(want) &&
        memcmp(got.data, json_string_value(want), got.len) == 0)
        return;
    json_t *shown = cz_bytes_json(got, CZ_MAX_DOCUMENT, &encoding);
    compare(j, what, want, shown);
    json_decref(shown);
}

static json_t *header_of(const json_t *list, const char *name)
{
    json_t *found = NULL, *one;
    size_t i;
    json_array_foreach(list, i, one) {
        if (cz_streq(cz_json_str(one, "name", ""), name))
            found = json_object_get(one, "value");
    }
    return found;
}

static void compare_headers(struct judging *j, const json_t *want)
{
    const struct cz_json_record *input = j->r->msg;
    bool changed = j->got->headers_changed;
    json_t *got = cz_headers_json(changed ? j->got->headers : input->headers,
                                  changed ? j->got->headers_len : input->headers_len, CZ_MAX_DOCUMENT);
    const char *name;
    json_t *v;
    if (json_is_array(want))
        compare(j, "headers", want, got);
    json_object_foreach ((json_t *)(uintptr_t)want, name, v) {
        CZ_CLEANUP(cz_freep) char *what = cz_strf("header %s", name);
        compare(j, what, v, header_of(got, name));
    }
    json_decref(got);
}

static void compare_partition(struct judging *j, int64_t want)
{
    int64_t got = j->got->partition >= 0                         ? j->got->partition
                  : j->spec->partitioning == CZ_PARTITION_SAME ? j->r->partition
                                                                 : -1;
    if (got == want || !next_difference(j))
        return;
    if (got < 0)
        cz_buf_adds(&j->say, "the partition depends on the target topic and cannot be told here");
    else
        cz_buf_addf(&j->say, "the partition is %d, not %d", (int)got, (int)want);
}

/* ---- outcome ------------------------------------------------------------------------------
 */

static void say_why(struct judging *j)
{
    json_t *why = cz_stages_explain(j->stages, j->ctx, j->r), *part, *operand;
    size_t i, k;
    json_array_foreach(why, i, part) {
        cz_buf_addf(&j->say, "%s%s is ", i ? ", " : ": ", cz_json_str(part, "expression", ""));
        add_short(&j->say, json_object_get(part, "value"));
        json_array_foreach(json_object_get(part, "operands"), k, operand) {
            cz_buf_addf(&j->say, "%s%s ", k ? ", " : " with ", cz_json_str(operand, "expression", ""));
            add_short(&j->say, json_object_get(operand, "value"));
        }
    }
    json_decref(why);
}

static void say_outcome(struct judging *j)
{
    switch (j->got->verdict) {
    case CZ_VERDICT_PASS:
        cz_buf_adds(&j->say, "it passed");
        break;
    case CZ_VERDICT_DROP:
        cz_buf_addf(&j->say, "it was dropped by %s", cz_drop_name(j->got->drop));
        if (j->got->drop == CZ_DROP_FILTER)
            say_why(j);
        break;
    case CZ_VERDICT_ERROR:
        cz_buf_addf(&j->say, "it failed in stage %s: %s", j->got->stage, j->err->text);
        break;
    case CZ_VERDICT_WAIT:
        cz_buf_addf(&j->say, "it waits: %s", j->err->text);
        break;
    }
}

/* Is the outcome the expected one?  Says what it is otherwise. */
static bool right_outcome(struct judging *j, const json_t *expect)
{
    const json_t *dropped = json_object_get(expect, "dropped"), *error = json_object_get(expect, "error");
    enum cz_verdict verdict = j->got->verdict;
    bool ok;
    if (dropped)
        ok = verdict == CZ_VERDICT_DROP &&
             (!json_is_string(dropped) || cz_streq(json_string_value(dropped), cz_drop_name(j->got->drop)));
    else if (error)
        ok = verdict == CZ_VERDICT_ERROR &&
             (!json_is_string(error) || cz_streq(json_string_value(error), j->got->stage));
    else
        ok = (verdict == CZ_VERDICT_PASS) == cz_json_bool(expect, "passed", true);
    if (ok)
        return true;
    const char *detail = json_string_value(dropped ? dropped : error);
    cz_buf_addf(&j->say, "it should have %s%s%s, but ",
                dropped                                  ? "been dropped"
                : error                                  ? "failed"
                : cz_json_bool(expect, "passed", true) ? "passed"
                                                         : "been held back",
                detail ? (dropped ? " by " : " in stage ") : "", detail ? detail : "");
    say_outcome(j);
    return false;
}

static void judge(struct judging *j, const json_t *expect)
{
    const json_t *key = json_object_get(expect, "key"), *value = json_object_get(expect, "value");
    const json_t *headers = json_object_get(expect, "headers"),
                 *partition = json_object_get(expect, "partition");
    if (!right_outcome(j, expect) || j->got->verdict != CZ_VERDICT_PASS)
        return;
    if (key)
        compare_bytes(j, "key", key, j->got->key);
    if (value)
        compare_bytes(j, "value", value, j->got->value);
    if (headers)
        compare_headers(j, headers);
    if (partition)
        compare_partition(j, json_integer_value(partition));
}

static void run_test(struct judging *j, const json_t *test, const char *at, struct cz_report *rep)
{
    struct cz_json_record input;
    struct cz_stage_result got;
    struct cz_error err = CZ_ERROR_INIT;
    cz_json_record_init(&input, json_object_get(test, "input"), j->spec, at, rep);
    cz_stages_run(j->stages, j->ctx, &input.r, &got, &err);
    j->r = &input.r;
    j->got = &got;
    j->err = &err;
    j->differences = 0;
    cz_buf_clear(&j->say);
    judge(j, json_object_get(test, "expect"));
    if (j->say.len > 0 || j->say.failed)
        (void)cz_report_add(rep, at, "test-failed", "the test \"%.100s\" failed: %.600s", cz_json_str(test, "name", ""),
                            cz_buf_str(&j->say));
    cz_json_record_done(&input);
}

void cz_mapping_tests_run(const struct cz_mapping_spec *spec,
                          const struct cz_mapping_stages_env *env,
                          const char *pointer,
                          struct cz_report *rep)
{
    struct judging j = {.spec = spec, .say = CZ_BUF_INIT(MAX_TEXT)};
    struct cz_stages *stages = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    size_t n = json_array_size(spec->tests);
    if (n == 0)
        return;
    if (cz_mapping_stages_new(spec, env, &stages, &err)) {
        CZ_CLEANUP(cz_freep)
        char *at = cz_strf("%s/%s", pointer, cz_mask_needs_secret(spec->mask) ? "mask_secret" : "tests");
        (void)cz_report_add(rep, at, "secret", "the tests cannot be run here: %s", err.text);
        return;
    }
    j.stages = stages;
    j.ctx = cz_stage_ctx_new();
    for (size_t i = 0; i < n; i++) {
        CZ_CLEANUP(cz_freep) char *at = cz_strf("%s/tests/%zu", pointer, i);
        run_test(&j, json_array_get(spec->tests, i), at, rep);
    }
    cz_stage_ctx_free(j.ctx);
    cz_stages_unref(stages);
    cz_buf_done(&j.say);
}
