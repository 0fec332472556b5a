/* SPDX-License-Identifier: Apache-2.0 */
/* The registry client against one in this process: what is asked, how often, and what an answer means. */
#include "cz_test.h"

#include "cz/alloc.h"
#include "cz/registry.h"
#include "cz/util.h"
#include "fake_registry.h"
#include "registry_priv.h"

static struct fake_registry F;

static int setup(void **state)
{
    (void)state;
    fake_registry_start(&F);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_registry_stop(&F);
    return 0;
}

static struct cz_registry *open_registry(void)
{
    struct cz_registry *r = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    assert_int_equal(cz_registry_new(&F.conf, &r, &err), CZ_OK);
    return r;
}

/* Looked up again until the answer is another one than WAIT, or @why says @part. */
static enum cz_lookup look_up(struct cz_registry *r, unsigned id, const struct cz_schema **ret, const char *part,
                              struct cz_error *err)
{
    const struct cz_schema_name name = {.id = id};
    cz_time deadline = cz_deadline_ms(10000);
    for (;;) {
        cz_error_reset(err);
        enum cz_lookup l = cz_registry_schema(r, &name, ret, err);
        if (l != CZ_LOOKUP_WAIT || (part && strstr(err->text, part)))
            return l;
        assert_true(cz_now() < deadline);
        (void)usleep(1000);
    }
}

static void answers_are_kept(void **state)
{
    (void)state;
    struct cz_registry *r = open_registry();
    struct cz_error err = CZ_ERROR_INIT;
    const struct cz_schema *s = NULL, *again = NULL;
    const struct cz_schema_name seven = {.id = 7};
    fake_registry_schema(&F, 7, "AVRO", "{\"type\":\"record\",\"name\":\"a.R\",\"fields\":[]}");
    assert_int_equal(cz_registry_schema(r, &seven, &s, &err), CZ_LOOKUP_WAIT); /* at once, nobody blocks */
    assert_int_equal(look_up(r, 7, &s, NULL, &err), CZ_LOOKUP_FOUND);
    assert_string_equal(cz_avro_schema_name(s->avro), "a.R");
    for (int i = 0; i < 100; i++)
        assert_int_equal(cz_registry_schema(r, &seven, &again, &err), CZ_LOOKUP_FOUND);
    assert_ptr_equal(s, again);
    assert_int_equal(fake_registry_asked(&F, NULL), 1);
    cz_registry_unref(r);
}

static void what_it_refers_to_is_fetched_with_it(void **state)
{
    (void)state;
    struct cz_registry *r = open_registry();
    struct cz_error err = CZ_ERROR_INIT;
    const struct cz_schema *s = NULL;
    fake_registry_answer(&F, "GET /schemas/ids/1", 200,
                         "{\"schema\":\"{\\\"type\\\":\\\"array\\\",\\\"items\\\":\\\"In\\\"}\",\"references\":"
                         "[{\"name\":\"In\",\"subject\":\"s/in\",\"version\":3}]}");
    fake_registry_answer(&F, "GET /subjects/s%2Fin/versions/3", 200,
                         "{\"schema\":\"{\\\"type\\\":\\\"fixed\\\",\\\"name\\\":\\\"In\\\",\\\"size\\\":2}\"}");
    assert_int_equal(look_up(r, 1, &s, NULL, &err), CZ_LOOKUP_FOUND);
    assert_non_null(s->avro);
    assert_int_equal(fake_registry_asked(&F, "GET /subjects/s%2Fin/versions/3"), 1);
    cz_registry_unref(r);
}

/* Only a registry's own words say that there is none. */
static void an_unknown_id_fails_and_a_strange_404_waits(void **state)
{
    (void)state;
    struct cz_registry *r = open_registry();
    struct cz_error err = CZ_ERROR_INIT;
    const struct cz_schema *s = NULL;
    assert_int_equal(look_up(r, 404, &s, NULL, &err), CZ_LOOKUP_FAILED);
    CONTAINS(err.text, "Schema not found");
    assert_int_equal(err.code, CZ_E_NOT_FOUND);
    for (int i = 0; i < 10; i++)
        assert_int_equal(look_up(r, 404, &s, NULL, &err), CZ_LOOKUP_FAILED);
    assert_int_equal(fake_registry_asked(&F, NULL), 1); /* for half a minute */
    fake_registry_answer(&F, "GET /schemas/ids/5", 404, "<html>nginx</html>");
    assert_int_equal(look_up(r, 5, &s, "is the URL that of its API?", &err), CZ_LOOKUP_WAIT);
    fake_registry_schema(&F, 5, "AVRO", "\"long\"");
    assert_int_equal(look_up(r, 5, &s, NULL, &err), CZ_LOOKUP_FOUND);
    cz_registry_unref(r);
}

static void what_is_no_avro_says_why(void **state)
{
    (void)state;
    struct cz_registry *r = open_registry();
    struct cz_error err = CZ_ERROR_INIT;
    const struct cz_schema *s = NULL;
    fake_registry_schema(&F, 1, "PROTOBUF", "message M {}");
    fake_registry_schema(&F, 2, "AVRO", "{\"type\":\"nonsense\"}");
    assert_int_equal(look_up(r, 1, &s, NULL, &err), CZ_LOOKUP_FOUND);
    assert_null(s->avro);
    CONTAINS(s->why.text, "PROTOBUF");
    assert_int_equal(look_up(r, 2, &s, NULL, &err), CZ_LOOKUP_FOUND);
    CONTAINS(s->why.text, "nonsense");
    cz_registry_unref(r);
}

static void it_signs_in(void **state)
{
    (void)state;
    struct cz_error err = CZ_ERROR_INIT;
    const struct cz_schema *s = NULL;
    assert_int_equal(setenv("CZ_TEST_REGISTRY_PASSWORD", "s3cret", 1), 0);
    F.conf.username = CZ_UNCONST("me");
    F.conf.password = CZ_UNCONST("${env:CZ_TEST_REGISTRY_PASSWORD}");
    struct cz_registry *r = open_registry();
    fake_registry_answer(&F, "GET /schemas/ids/1", 401, "{\"error_code\":401,\"message\":\"who are you?\"}");
    assert_int_equal(look_up(r, 1, &s, "does not let us in", &err), CZ_LOOKUP_WAIT);
    CONTAINS(err.text, "who are you?");
    fake_registry_schema(&F, 1, "AVRO", "\"int\"");
    assert_int_equal(look_up(r, 1, &s, NULL, &err), CZ_LOOKUP_FOUND);
    assert_string_equal(F.authorization, "Basic bWU6czNjcmV0"); /* me:s3cret */
    cz_registry_unref(r);
    F.conf.password = CZ_UNCONST("${env:CZ_TEST_NO_SUCH_PASSWORD}");
    r = open_registry();
    assert_int_equal(look_up(r, 1, &s, "CZ_TEST_NO_SUCH_PASSWORD", &err), CZ_LOOKUP_WAIT);
    cz_registry_unref(r);
}

static void while_it_is_away_pauses_grow(void **state)
{
    (void)state;
    struct cz_registry *r = open_registry();
    struct cz_error err = CZ_ERROR_INIT;
    const struct cz_schema *s = NULL;
    const struct cz_schema_name names[] = {{.id = 1}, {.id = 2}, {.id = 3}};
    fake_registry_break(&F, 503);
    cz_time begin = cz_now();
    while (cz_now() < begin + 1000 * CZ_MS) {
        for (size_t i = 0; i < COUNT(names); i++)
            assert_int_equal(cz_registry_schema(r, &names[i], &s, &err), CZ_LOOKUP_WAIT);
        (void)usleep(1000);
    }
    CONTAINS(err.text, "status 503");
    /* All questions share the pause of the one that was asked last: by no means one a millisecond. */
    int asked = fake_registry_asked(&F, NULL);
    assert_in_range(asked, 2, 25);
    fake_registry_break(&F, 0);
    fake_registry_schema(&F, 1, "AVRO", "\"int\"");
    fake_registry_schema(&F, 2, "AVRO", "\"int\"");
    fake_registry_schema(&F, 3, "AVRO", "\"int\"");
    for (unsigned id = 1; id <= 3; id++)
        assert_int_equal(look_up(r, id, &s, NULL, &err), CZ_LOOKUP_FOUND);
    cz_registry_unref(r);
}

static void it_goes_while_a_question_is_open(void **state)
{
    (void)state;
    struct cz_registry *r = open_registry();
    struct cz_error err = CZ_ERROR_INIT;
    const struct cz_schema *s = NULL;
    fake_registry_break(&F, 500);
    assert_int_equal(look_up(r, 1, &s, "500", &err), CZ_LOOKUP_WAIT);
    struct cz_registry *other = cz_registry_ref(r);
    cz_registry_unref(r);
    assert_int_equal(look_up(other, 2, &s, "500", &err), CZ_LOOKUP_WAIT);
    cz_registry_unref(other);
}

static void subjects(void **state)
{
    (void)state;
    struct cz_registry *r = open_registry();
    struct cz_error err = CZ_ERROR_INIT;
    const struct cz_schema *s = NULL;
    static const struct {
        enum cz_subjects by;
        const char *want;
    } cases[] = {{CZ_SUBJECTS_TOPIC, "t-value"}, {CZ_SUBJECTS_RECORD, "a.R"}, {CZ_SUBJECTS_TOPIC_RECORD, "t-a.R"}};
    fake_registry_schema(&F, 1, "AVRO", "{\"type\":\"record\",\"name\":\"a.R\",\"fields\":[]}");
    fake_registry_schema(&F, 2, "AVRO", "\"int\"");
    assert_int_equal(look_up(r, 1, &s, NULL, &err), CZ_LOOKUP_FOUND);
    for (size_t i = 0; i < COUNT(cases); i++) {
        CZ_CLEANUP(cz_freep) char *name = cz_subject_name(cases[i].by, "t", false, s);
        assert_string_equal(name, cases[i].want);
    }
    assert_int_equal(look_up(r, 2, &s, NULL, &err), CZ_LOOKUP_FOUND);
    assert_null(cz_subject_name(CZ_SUBJECTS_RECORD, "t", true, s));
    CZ_CLEANUP(cz_freep) char *key = cz_subject_name(CZ_SUBJECTS_TOPIC, "t", true, s);
    assert_string_equal(key, "t-key");
    cz_registry_unref(r);
}

/* ---- from registry to registry ------------------------------------------------------------------ */

static enum cz_lookup copy(struct cz_schema_copier *c, unsigned id, uint32_t *ret, const char *part,
                           struct cz_error *err)
{
    const struct cz_schema_name name = {.id = id};
    cz_time deadline = cz_deadline_ms(10000);
    for (;;) {
        cz_error_reset(err);
        struct cz_schema_name there = {0};
        enum cz_lookup l = cz_schema_copier_name(c, &name, "from-value", "to-value", &there, err);
        *ret = there.id;
        if (l != CZ_LOOKUP_WAIT || (part && strstr(err->text, part)))
            return l;
        assert_true(cz_now() < deadline);
        (void)usleep(1000);
    }
}

static void a_subject_is_copied_once_and_a_refusal_waits(void **state)
{
    (void)state;
    struct fake_registry to;
    struct cz_schema_copier *c = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    uint32_t id = 0;
    fake_registry_start(&to);
    fake_registry_answer(&F, "GET /subjects/from-value/versions", 200, "[1]");
    fake_registry_answer(&F, "GET /subjects/from-value/versions/1", 200, "{\"id\":7,\"schema\":\"\\\"int\\\"\"}");
    fake_registry_answer(&F, "GET /config/from-value", 200, "{\"compatibilityLevel\":\"FULL\"}");
    fake_registry_answer(&to, "POST /subjects/to-value/versions", 409,
                         "{\"error_code\":409,\"message\":\"incompatible\"}");
    fake_registry_answer(&to, "PUT /config/to-value", 200, "{\"compatibility\":\"FULL\"}");
    assert_int_equal(cz_schema_copier_new(&F.conf, &to.conf, &c, &err), CZ_OK);
    assert_int_equal(copy(c, 7, &id, "incompatible", &err), CZ_LOOKUP_WAIT); /* its records are good */
    fake_registry_answer(&to, "POST /subjects/to-value/versions", 200, "{\"id\":70}");
    assert_int_equal(copy(c, 7, &id, NULL, &err), CZ_LOOKUP_FOUND);
    assert_int_equal(id, 70);
    int posts = fake_registry_asked(&to, "POST /subjects/to-value/versions");
    for (int i = 0; i < 10; i++)
        assert_int_equal(copy(c, 7, &id, NULL, &err), CZ_LOOKUP_FOUND);
    assert_int_equal(fake_registry_asked(&to, "POST /subjects/to-value/versions"), posts);
    assert_int_equal(fake_registry_asked(&to, "PUT /config/to-value"), 1);
    assert_string_equal(json_string_value(json_object_get(to.bodies, "PUT /config/to-value")),
                        "{\"compatibility\":\"FULL\"}");
    assert_int_equal(copy(c, 8, &id, NULL, &err), CZ_LOOKUP_FAILED); /* the source has no such id */
    cz_schema_copier_unref(c);
    fake_registry_stop(&to);
}

/* It came back empty: what an id meant before counts no more, also that of a schema that was copied long ago. */
static void a_target_that_lost_its_subjects_is_given_them_again(void **state)
{
    (void)state;
    struct fake_registry to;
    struct cz_schema_copier *c = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    uint32_t id = 0;
    fake_registry_start(&to);
    fake_registry_answer(&F, "GET /subjects/from-value/versions", 200, "[1]");
    fake_registry_answer(&F, "GET /subjects/from-value/versions/1", 200, "{\"id\":7,\"schema\":\"\\\"int\\\"\"}");
    fake_registry_answer(&F, "GET /subjects/from-value/versions/2", 200, "{\"id\":8,\"schema\":\"\\\"long\\\"\"}");
    fake_registry_answer(&to, "POST /subjects/to-value/versions", 200, "{\"id\":70}");
    assert_int_equal(cz_schema_copier_new(&F.conf, &to.conf, &c, &err), CZ_OK);
    assert_int_equal(copy(c, 7, &id, NULL, &err), CZ_LOOKUP_FOUND);
    fake_registry_answer(&to, "GET /subjects/to-value/versions", 200, "[1]");
    fake_registry_answer(&F, "GET /subjects/from-value/versions", 200, "[1,2]");
    assert_int_equal(copy(c, 8, &id, NULL, &err), CZ_LOOKUP_FOUND);
    assert_int_equal(cz_schema_copier_losses(c), 0);
    assert_int_equal(fake_registry_asked(&to, "POST /subjects/to-value/versions"), 2);
    fake_registry_answer(&to, "GET /subjects/to-value/versions", 404, "{\"error_code\":40401,\"message\":\"none\"}");
    fake_registry_answer(&F, "GET /subjects/from-value/versions", 200, "[1,2,3]");
    fake_registry_answer(&F, "GET /subjects/from-value/versions/3", 200, "{\"id\":9,\"schema\":\"\\\"string\\\"\"}");
    fake_registry_answer(&to, "POST /subjects/to-value/versions", 200, "{\"id\":90}");
    assert_int_equal(copy(c, 9, &id, NULL, &err), CZ_LOOKUP_FOUND);
    assert_int_equal(cz_schema_copier_losses(c), 1);
    fake_registry_answer(&to, "GET /subjects/to-value/versions", 200, "[1,2,3]");
    assert_int_equal(copy(c, 7, &id, NULL, &err), CZ_LOOKUP_FOUND);
    assert_int_equal(id, 90);
    assert_int_equal(fake_registry_asked(&to, "POST /subjects/to-value/versions"), 5);
    cz_schema_copier_unref(c);
    fake_registry_stop(&to);
}

/* ---- flights ---------------------------------------------------------------------------------------- */

struct flown {
    struct cz_mutex lock;
    struct cz_cond changed;
    int runs, freed;
    bool hold; /* runs do not end */
};

static enum cz_err fly(void *arg, const char *key, void **ret, struct cz_error *err)
{
    struct flown *f = arg;
    CZ_LOCKED(&f->lock);
    f->runs++;
    cz_cond_broadcast(&f->changed);
    while (f->hold)
        (void)cz_cond_wait(&f->changed, &f->lock, CZ_TIME_NEVER);
    if (strcmp(key, "none") == 0)
        return cz_fail(err, CZ_E_NOT_FOUND, "none");
    if (strcmp(key, "later") == 0 && f->runs < 3)
        return cz_fail_flags(err, CZ_E_CONFLICT, CZ_ERR_RETRIABLE, 0, "later");
    *ret = f;
    return CZ_OK;
}

static void landed(void *answer)
{
    struct flown *f = answer;
    f->freed++;
}

static void set_hold(struct flown *f, bool hold)
{
    CZ_LOCKED(&f->lock);
    f->hold = hold;
    cz_cond_broadcast(&f->changed);
}

static void one_flight_for_all_who_wait(void **state)
{
    (void)state;
    struct flown f = {.hold = true};
    cz_mutex_init(&f.lock);
    cz_cond_init(&f.changed);
    struct cz__flights *all = cz__flights_new(fly, landed, &f);
    void *answer = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    cz_time deadline = cz_deadline_ms(10000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(cz__flights_get(all, "key", &answer, &err), CZ_LOOKUP_WAIT);
    set_hold(&f, false);
    while (cz__flights_get(all, "key", &answer, &err) == CZ_LOOKUP_WAIT)
        assert_true(cz_now() < deadline);
    assert_ptr_equal(answer, &f);
    assert_int_equal(f.runs, 1);
    while (cz__flights_get(all, "none", &answer, &err) == CZ_LOOKUP_WAIT)
        assert_true(cz_now() < deadline);
    assert_int_equal(cz__flights_get(all, "none", &answer, &err), CZ_LOOKUP_FAILED);
    assert_string_equal(err.text, "none");
    assert_int_equal(f.runs, 2);
    cz__flights_free(all);
    assert_int_equal(f.freed, 1);
    f.runs = 0;
    all = cz__flights_new(fly, landed, &f);
    while (cz__flights_get(all, "later", &answer, &err) == CZ_LOOKUP_WAIT)
        assert_true(cz_now() < deadline);
    assert_int_equal(f.runs, 3); /* asked again by itself */
    cz__flights_free(all);
    cz_cond_done(&f.changed);
    cz_mutex_done(&f.lock);
}

#define ON(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON(answers_are_kept),
        ON(what_it_refers_to_is_fetched_with_it),
        ON(an_unknown_id_fails_and_a_strange_404_waits),
        ON(what_is_no_avro_says_why),
        ON(it_signs_in),
        ON(while_it_is_away_pauses_grow),
        ON(it_goes_while_a_question_is_open),
        ON(subjects),
        ON(a_subject_is_copied_once_and_a_refusal_waits),
        ON(a_target_that_lost_its_subjects_is_given_them_again),
        cmocka_unit_test(one_flight_for_all_who_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
