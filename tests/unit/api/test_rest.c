/* SPDX-License-Identifier: Apache-2.0 */
/** Requests and answers, by table: each story runs from an empty store, so versions are known.
 */
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/thread.h"
#include "cz/time.h"
#include "fixture.h"

#define T "/api/v1/teams/default"
#define SPEC                                                                                   \
    "'spec':{'source':{'cluster':'source','topic':'orders'},'target':{'cluster':'source','"    \
    "topic':'copy'}}"


static const struct step cluster = {
    PUT_(T "/clusters/source", "{'spec':{'bootstrap_servers':'127.0.0.1:1'}}"), 201, {"\"1\""}};

static void test_life_of_a_mapping(void **state)
{
    static const struct step steps[] = {
        {PUT_(T "/clusters/source", "{'spec':{'bootstrap_servers':'127.0.0.1:1'}}",
              .if_none_match = "*"),
         201,
         {"\"1\" {", "\"seq\":\"1\"", "\"dry_run\":false", "\"op\":\"create\""}},
        {GET_(T "/mappings/m%201"), 404, {"not-found"}},
        {PUT_(T "/mappings/m%201?dry_run=true", "{" SPEC "}"),
         200,
         {"- {", "\"dry_run\":true", "\"name\":\"m 1\""}},
        {GET_(T "/mappings/m%201"), 404, {"not-found"}},
        {PUT_(T "/mappings/m%201?comment=first",
              "{'group':'g','labels':{'env':'qa'}," SPEC "}"),
         201,
         {"\"2\" {", "\"generation\":\"1\"", "\"version\":\"2\"", "\"unchanged\":false"}},
        {GET_(T "/mappings/m%201"),
         200,
         {"\"2\" {", "\"kind\":\"mapping\"", "\"group\":\"g\"", "\"status\":{"}},
        {PUT_(T "/mappings/m%201", "{" SPEC "}"), 428, {"precondition-required"}},
        {PUT_(T "/mappings/m%201", "{" SPEC "}", .if_none_match = "*"), 412, {"stale-version"}},
        {PUT_(T "/mappings/m%201", "{" SPEC "}", .if_match = "\"1\""),
         412,
         {"stale-version", "admin"}},
        {PUT_(T "/mappings/m%201", "{'group':'h'," SPEC "}", .if_match = "\"2\""),
         200,
         {"\"3\" {", "\"group\":\"h\""}},
        {PUT_(T "/mappings/m%201", "{'group':'h'," SPEC "}", .if_match = "\"3\""),
         200,
         {"\"3\" {", "\"unchanged\":true"}},
        {{.method = "PATCH",
          .target = T "/mappings/m%201",
          .body = "{'spec':{'on_error':'skip'}}",
          .if_match = "*",
          .type = "application/merge-patch+json"},
         200,
         {"\"4\" {", "\"generation\":\"2\"", "\"on_error\":\"skip\""}},
        {GET_(T "/mappings/m%201/revisions"),
         200,
         {"\"seq\":\"4\"", "\"seq\":\"2\"", "\"comment\":\"first\""}},
        {GET_(T "/mappings/m%201/revisions?limit=1"), 200, {"\"next\":\"4\""}},
        {GET_(T "/mappings/m%201/revisions/1/diff/2"),
         200,
         {"/spec/on_error", "\"op\":\"add\""}},
        {GET_(T "/mappings/m%201/revisions/1/diff/x"), 404, {"not-found"}},
        {POST_(T "/mappings/m%201/restore", "{'generation':'1'}", .if_match = "\"4\""),
         200,
         {"\"generation\":\"3\""}},
        {POST_(T "/mappings/m%201/restore", "{'generation':2}", .if_match = "*"),
         200,
         {"\"generation\":\"4\""}},
        {POST_(T "/mappings/m%201/restore", "{}", .if_match = "*"),
         422,
         {"\"pointer\":\"/generation\"", "required"}},
        {POST_(T "/mappings/m%201/restore", "{'generation':99}", .if_match = "*"),
         404,
         {"not-found"}},
        {DEL_(T "/clusters/source", .if_match = "*"), 409, {"conflict", "m 1"}},
        {DEL_(T "/mappings/m%201"), 428, {"precondition"}},
        {DEL_(T "/mappings/m%201?dry_run=true", .if_match = "*"), 200, {"\"dry_run\":true"}},
        {DEL_(T "/mappings/m%201", .if_match = "\"6\""),
         200,
         {"\"seq\":\"7\"", "\"op\":\"delete\""}},
        {GET_(T "/mappings/m%201"), 404, {"not-found"}},
        {GET_(T "/mappings/m%201/status"), 404, {"not-found"}},
        {DEL_(T "/clusters/source", .if_match = "*"), 200, {"\"seq\":\"8\""}},
    };
    PLAY(steps);
}

static void test_actions(void **state)
{
    const struct step steps[] = {
        cluster,
        {PUT_(T "/mappings/m", "{" SPEC "}"), 201, {"\"2\""}},
        {POST_(T "/mappings/m/pause", "{'reason':'busy','until':'2999-01-01T00:00:00Z'}"),
         200,
         {"\"paused\":true", "\"reason\":\"busy\"", "2999-01-01"}},
        {GET_(T "/mappings/m/status"),
         200,
         {"\"state\":\"PAUSED\"", "\"type\":\"Ready\"", "\"tasks\":["}},
        {GET_(T "/mappings?state=PAUSED"), 200, {"\"name\":\"m\""}},
        {GET_(T "/mappings?state=FAILED"), 200, {"\"items\":[]"}},
        {GET_(T "/mappings?state=paused"), 400, {"state"}},
        {POST_(T "/mappings/m/resume", NULL), 200, {"\"override\":null"}},
        {POST_(T "/mappings/m/pause", NULL), 200, {"\"paused\":true"}},
        {POST_(T "/mappings/m/pause", "{'reason':1,'until':'soon','x':1}"),
         422,
         {"\"pointer\":\"/reason\"", "\"pointer\":\"/until\"", "\"pointer\":\"/x\""}},
        {POST_(T "/mappings/m/pause", "{'until':'2001-01-01T00:00:00Z'}"),
         422,
         {"in the future"}},
        {POST_(T "/mappings/m/resume", "{'x':1}"), 422, {"\"pointer\":\"/x\""}},
        {POST_(T "/mappings/m/resume", "{}", .if_match = "\"1\""), 412, {"stale"}},
        {POST_(T "/mappings/m/restart", "{}"), 200, {"\"restart\":\""}},
        {POST_(T "/mappings/none/pause", NULL), 404, {"not-found"}},
        {POST_(T "/clusters/source/pause", NULL), 404, {"not-found"}},
        {GET_(T "/mappings/m/pause"), 405, {"POST, OPTIONS"}},
    };
    PLAY(steps);
}

static void test_refusals(void **state)
{
    const struct step steps[] = {
        cluster,
        {PUT_(T "/mappings/m",
              "{'group':1,'nope':1,'spec':{'source':{'cluster':'source','topic':'missing'},"
              "'target':{'cluster':'none','topic':'t'},'valid_jmespath':'a.[','bogus':1,"
              "'sample':{'percent':500}}}"),
         422,
         {"\"pointer\":\"/nope\"", "\"pointer\":\"/spec/bogus\"",
          "\"pointer\":\"/spec/valid_jmespath\"", "\"pointer\":\"/spec/sample/percent\""}},
        {PUT_(T "/mappings/m", "{'spec':{'source':{'cluster':'source','topic':'missing'},'"
                               "target':{'cluster':'source','topic':'t'}}}"),
         422,
         {"\"pointer\":\"/spec/source/topic\"", "missing"}},
        {PUT_(T "/mappings/m", "{'spec':{'source':{'cluster':'none','topic':'a'},'target':{'"
                               "cluster':'source','topic':'t'}}}"),
         422,
         {"\"pointer\":\"/spec/source/cluster\""}},
        {PUT_(T "/clusters/bad", "{'spec':{'bootstrap_servers':'h:1','sasl_password':'plain','"
                                 "properties':{'plugin.library.paths':'x'}}}"),
         422,
         {"/spec/sasl_password", "/spec/properties/plugin.library.paths"}},
        {PUT_("/api/v1/teams/none/mappings/m", "{" SPEC "}"), 404, {"not-found"}},
        {PUT_(T "/mappings/a%2Fb", "{" SPEC "}"), 422, {"name"}},
        {PUT_(T "/mappings/m", "{" SPEC ",'version':'9'}"), 422, {"/version", "read-only"}},
        {PUT_(T "/mappings/m", "{'spec':1}"), 422, {"/spec"}},
        {PUT_(T "/mappings/m", "{"), 400, {"malformed"}},
        {PUT_(T "/mappings/m?dry_run=maybe", "{" SPEC "}"), 400, {"dry_run"}},
        {PUT_(T "/mappings/m?wait=later", "{" SPEC "}"), 400, {"wait"}},
        {GET_("/api/v1/changes?before=1&after=1"), 400, {"exclude"}},
        {GET_("/api/v1/changes?wait=1"), 400, {"after"}},
        {GET_("/api/v1/changes?kind=cat"), 400, {"kind"}},
        {GET_("/api/v1/changes/99"), 404, {"not-found"}},
        {GET_("/api/v1/changes/abc"), 404, {"not-found"}},
        {GET_(T "/mappings?limit=1001"), 400, {"limit"}},
        {GET_(T "/mappings?limit=0"), 400, {"limit"}},
        {GET_(T "/mappings?label=x"), 400, {"key=value"}},
        {GET_(T "/mappings?cursor=zz"), 400, {"cursor"}},
        {GET_("/api/v1/teams/none/mappings"), 404, {"not-found"}},
        {GET_(T "/mappings"), 200, {"\"items\":[]"}}, /* nothing was stored */
        {GET_("/api/v1/changes"), 200, {"\"seq\":\"1\""}},
    };
    PLAY(steps);
}

static void test_history(void **state)
{
    const struct step steps[] = {
        cluster,
        {PUT_(T "/mappings/a?comment=why", "{" SPEC "}"), 201, {"\"2\""}},
        {PUT_(T "/mappings/a", "{'description':'x'," SPEC "}", .if_match = "*"),
         200,
         {"\"3\""}},
        {GET_("/api/v1/changes"),
         200,
         {"\"items\":[{\"seq\":\"3\"", "\"comment\":\"why\"", "\"actor\":\"admin\"",
          "\"via\":\"api\""}},
        {GET_("/api/v1/changes?limit=1"), 200, {"\"next\":\"3\""}},
        {GET_("/api/v1/changes?before=3&limit=1"), 200, {"\"items\":[{\"seq\":\"2\""}},
        {GET_("/api/v1/changes?after=0"), 200, {"\"items\":[{\"seq\":\"1\"", "\"next\":null"}},
        {GET_("/api/v1/changes?after=0&limit=2"),
         200,
         {"\"items\":[{\"seq\":\"1\"", "\"next\":\"2\""}},
        {GET_("/api/v1/changes?after=2"), 200, {"\"items\":[{\"seq\":\"3\""}},
        {GET_("/api/v1/changes?after=3"), 200, {"\"items\":[]"}},
        {GET_("/api/v1/changes?kind=cluster"), 200, {"\"items\":[{\"seq\":\"1\""}},
        {GET_(T "/changes?name=a&limit=1"), 200, {"\"items\":[{\"seq\":\"3\""}},
        {GET_("/api/v1/changes?team=none"), 404, {"not-found"}},
        {GET_("/api/v1/changes/3"),
         200,
         {"\"objects\":[", "\"before\":{", "\"description\":\"x\""}},
        {POST_("/api/v1/changes/3/rollback?dry_run=true", NULL),
         200,
         {"\"dry_run\":true", "\"changes\":[{"}},
        {POST_("/api/v1/changes/3/rollback", "{}"), 200, {"\"seq\":\"4\"", "\"skipped\":[]"}},
        {POST_("/api/v1/changes/3/rollback", "{}"), 409, {"conflict"}},
        {POST_("/api/v1/changes/99/rollback", "{}"), 404, {"not-found"}},
        {POST_("/api/v1/changes/3/rollback", "{'x':1}"), 422, {"/x"}},
        {GET_(T "/mappings/a"), 200, {"\"4\" {"}},
    };
    PLAY(steps);
}

static void test_other_kinds(void **state)
{
    const struct step steps[] = {
        cluster,
        {PUT_(T "/value-maps/ids", "{'spec':{'key':{'1':'2'}}}"),
         201,
         {"\"kind\":\"value_map\""}},
        {PUT_(T "/value-maps/ids", "{'spec':{'key':5}}", .if_match = "*"), 422, {"/spec/key"}},
        {PUT_(T "/templates/t",
              "{'spec':{'variables':{'A':{}},'mappings':[{'name':'copy of "
              "{{A}}','spec':{'source':{'cluster':'source',"
              "'topic':'{{A}}'},'target':{'cluster':'source','topic':'copy'}}}]}}"),
         201,
         {"\"kind\":\"template\""}},
        {PUT_(T "/instances/i", "{'spec':{'template':'t','vars':{'A':'orders'}}}"),
         201,
         {"\"kind\":\"instance\"", "copy of orders"}},
        {GET_(T "/mappings/copy%20of%20orders"), 200, {"\"managed_by\":\"instance:i\""}},
        {GET_(T "/mappings?managed_by=instance%3Ai"), 200, {"copy of orders"}},
        {DEL_(T "/templates/t", .if_match = "*"), 409, {"conflict"}},
        {GET_(T "/templates"), 200, {"\"name\":\"t\""}},
        {GET_(T "/instances/i"), 200, {"\"template\":\"t\""}},
        {GET_(T "/value-maps/ids"), 200, {"\"2\" {"}},
        {{.method = "GET", .target = T "/value-maps/ids", .if_none_match = "\"2\""},
         304,
         {"\"2\" "}},
        {GET_(T "/value_maps/ids"), 404, {"not-found"}},
    };
    PLAY(steps);
}

static void test_system(void **state)
{
    static const struct step steps[] = {
        {{.method = "GET", .target = "/livez", .anonymous = true},
         200,
         {"{\"status\":\"ok\"}"}},
        {{.method = "GET", .target = "/readyz", .anonymous = true},
         200,
         {"{\"status\":\"ok\"}"}},
        {{.method = "GET", .target = "/readyz?verbose", .anonymous = true},
         200,
         {"\"name\":\"database\",\"ok\":true}"}},
        {GET_("/readyz?verbose"), 200, {"\"message\":\"ok\""}},
        {{.method = "GET", .target = "/metrics", .anonymous = true}, 401, {"unauthenticated"}},
        {GET_("/metrics"),
         200,
         {"citizenk_build_info{version=", "citizenk_http_requests_total{route=\"/livez\""}},
        {GET_("/api/v1/version"), 200, {"\"api\":\"v1\"", "librdkafka"}},
        {{.method = "GET", .target = "/api/v1/version", .anonymous = true},
         401,
         {"unauthenticated"}},
        {GET_("/api/v1/openapi.json"), 200, {"\"openapi\":\"3.1.0\""}},
        {GET_("/api/v1/teams"), 200, {"\"default\""}},
        {PUT_("/api/v1/teams/payments", NULL), 200, {"\"name\":\"payments\""}},
        {PUT_("/api/v1/teams/payments", "{'name':'other'}"), 422, {"/name"}},
        {GET_("/api/v1/teams"), 200, {"payments"}},
        {GET_("/api/v1/workers"), 200, {"\"items\":[]"}},
        {GET_("/api/v1/stats"), 200, {"\"totals\""}},
        {GET_(T "/stats"), 200, {"\"totals\""}},
        {GET_("/api/v1/teams/none/stats"), 404, {"not-found"}},
        {POST_("/api/v1/eval",
               "{'expression':'a[?b > `1`].b','document':{'a':[{'b':1},{'b':2}]}}"),
         200,
         {"{\"result\":[2]}"}},
        {POST_("/api/v1/eval", "{'expression':'a','document':null}"),
         200,
         {"{\"result\":null}"}},
        {POST_("/api/v1/eval", "{'expression':'a ='}"), 422, {"\"/document\""}},
        {POST_("/api/v1/eval", "{'expression':'a =','document':1}"),
         422,
         {"\"/expression\"", "position"}},
        {POST_("/api/v1/eval", "{'expression':1,'document':1,'x':2}"),
         422,
         {"\"/expression\"", "\"/x\""}},
    };
    PLAY(steps);
}

/* Every page once, in order, also when the list changes between pages; the cursor is bound. */
static void test_pages(void **state)
{
    struct fx *f = *state;
    json_decref(fx_json(f, "PUT", T "/clusters/source",
                        "{'spec':{'bootstrap_servers':'127.0.0.1:1'}}", 201));
    for (int i = 0; i < 25; i++) {
        char *target = cz_strf(T "/mappings/m%02d", i);
        char *body =
            cz_strf("{'group':'%s','spec':{'source':{'cluster':'source','topic':'s%d'},"
                    "'target':{'cluster':'source','topic':'t'}}}",
                    i % 2 ? "odd" : "even", i);
        json_decref(fx_json(f, "PUT", target, body, 201));
        cz_free(target);
        cz_free(body);
    }
    char *target = cz_strdup(T "/mappings?limit=4&group=even");
    int seen = 0, pages = 0;
    for (; target; pages++) {
        json_t *j = fx_json(f, "GET", target, NULL, 200), *items = json_object_get(j, "items"),
               *m;
        size_t i;
        json_array_foreach (items, i, m) {
            char want[16];
            (void)snprintf(want, sizeof(want), "m%02d", 2 * seen++);
            assert_string_equal(json_string_value(json_object_get(m, "name")), want);
        }
        const char *next = json_string_value(json_object_get(j, "next"));
        cz_free(target);
        target = next ? cz_strf(T "/mappings?limit=4&group=even&cursor=%s", next) : NULL;
        if (next && pages == 0) {
            char *other = cz_strf(T "/mappings?limit=4&group=odd&cursor=%s", next);
            json_decref(fx_json(f, "GET", other, NULL, 400));
            cz_free(other);
        }
        json_decref(j);
    }
    assert_int_equal(seen, 13);
    assert_true(pages >= 4);
}

static void test_wait_applied(void **state)
{
    struct fx *f = *state;
    cz_time t = cz_now();
    json_t *j = fx_json(f, "PUT", T "/clusters/source?wait=applied&timeout=1",
                        "{'spec':{'bootstrap_servers':'h:1'}}", 201);
    assert_true(json_is_false(json_object_get(j, "applied"))); /* nobody is there to apply it */
    assert_true(cz_now() - t >= 900 * CZ_MS && cz_now() - t < 15 * CZ_SEC);
    json_decref(j);
    fx_worker(f, "w1", 2);
    t = cz_now();
    j = fx_json(f, "PUT", T "/mappings/m?wait=applied&timeout=20", "{" SPEC "}", 201);
    assert_true(json_is_true(json_object_get(j, "applied")));
    assert_true(cz_now() - t < 15 * CZ_SEC);
    json_decref(j);
    j = fx_json(f, "GET", "/api/v1/workers", NULL, 200);
    assert_string_equal(json_string_value(json_object_get(
                            json_array_get(json_object_get(j, "items"), 0), "id")),
                        "w1");
    json_decref(j);
}

static void *later_main(void *arg)
{
    struct timespec t = {.tv_nsec = 300000000};
    (void)nanosleep(&t, NULL);
    json_decref(
        fx_json(arg, "PUT", T "/clusters/source", "{'spec':{'bootstrap_servers':'h:1'}}", 201));
    return NULL;
}

static void test_watch(void **state)
{
    struct fx *f = *state;
    struct cz_thread th = {0};
    cz_time t = cz_now();
    json_t *j = fx_json(f, "GET", "/api/v1/changes?after=0&wait=1", NULL, 200);
    assert_int_equal(json_array_size(json_object_get(j, "items")), 0);
    assert_true(cz_now() - t >= 900 * CZ_MS);
    json_decref(j);
    cz_thread_start(&th, "later", later_main, f);
    t = cz_now();
    j = fx_json(f, "GET", "/api/v1/changes?after=0&wait=30", NULL, 200);
    assert_int_equal(json_array_size(json_object_get(j, "items")), 1);
    assert_true(cz_now() - t < 15 * CZ_SEC);
    json_decref(j);
    cz_thread_join(&th);
    cz_http_server_drain(f->http); /* a stopping server does not hold a long poll */
    t = cz_now();
    j = fx_json(f, "GET", "/api/v1/changes?after=1&wait=30", NULL, 200);
    assert_true(cz_now() - t < 10 * CZ_SEC);
    json_decref(j);
    j = fx_json(f, "GET", "/readyz?verbose", NULL, 503);
    json_decref(j);
}

/* GET → edit → PUT, and PUT → edit → PUT: what an answer adds is taken back. */
static void test_round_trip(void **state)
{
    struct fx *f = *state;
    json_decref(
        fx_json(f, "PUT", T "/clusters/source", "{'spec':{'bootstrap_servers':'h:1'}}", 201));
    json_t *j = fx_json(f, "PUT", T "/mappings/m?wait=applied&timeout=0", "{" SPEC "}", 201);
    for (int i = 0; i < 2; i++) {
        char *text = NULL;
        json_object_set_new(j, "group", json_string(i ? "b" : "a"));
        char *body = cz_json_text(j, false);
        json_decref(j);
        int status = fx_ask(
            f,
            &(struct ask){
                .method = "PUT", .target = T "/mappings/m", .body = body, .if_match = "*"},
            &text);
        if (status != 200)
            fail_msg("%d %s", status, text);
        cz_free(body);
        cz_free(text);
        j = fx_json(f, "GET", T "/mappings/m", NULL, 200);
    }
    assert_string_equal(json_string_value(json_object_get(j, "group")), "b");
    json_decref(j);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fx_set_up, fx_tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_life_of_a_mapping),
        TEST(test_actions),
        TEST(test_refusals),
        TEST(test_history),
        TEST(test_other_kinds),
        TEST(test_system),
        TEST(test_pages),
        TEST(test_wait_applied),
        TEST(test_watch),
        TEST(test_round_trip),
    };
    return cmocka_run_group_tests_name("REST", tests, NULL, NULL);
}
