/* SPDX-License-Identifier: Apache-2.0 */
/** Sets over REST: bodies, problems and what they carry. The rules are tested in unit/service. */
#include <string.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "fixture.h"

#define T "/api/v1/teams/default"
#define S T "/sets/core"
#define M(name, extra)                                                                         \
    "{'kind':'mapping','name':'" name "','spec':{'source':{'cluster':'source','topic':'" name  \
    "'},'target':{'cluster':'source','topic':'" name "-copy'}" extra "}}"
#define ONE "{'objects':[" M("a", "") "]}"

static const struct step cluster = {
    PUT_(T "/clusters/source", "{'spec':{'bootstrap_servers':'127.0.0.1:1'}}"), 201, {"\"1\""}};

static void test_life_of_a_set(void **state)
{
    static const struct step steps[] = {
        {GET_(T "/sets"), 200, {"{\"items\":[]}"}},
        {GET_(S), 404, {"not-found"}},
        {POST_(S "/plan", "{'objects':[" M("a", "") "],'commit':'c1'}"),
         200,
         {"\"create\":1", "\"plan_hash\":\"", "\"starts\"", "\"base_seq\":\"1\""}},
        {POST_(S "/apply?dry_run=true", ONE), 200, {"\"dry_run\":true", "\"plan\":{"}},
        {GET_(S), 404, {"not-found"}},
        {POST_(S "/apply?comment=first", "{'objects':[" M("a", "") "],'commit':'c1','repo':'r'}"),
         200,
         {"\"seq\":\"2\"", "\"plan\":{", "\"op\":\"create\"", "\"unchanged\":false"}},
        {GET_(S), 200, {"\"state\":\"in_sync\"", "\"commit\":\"c1\"", "\"repo\":\"r\"", "\"drift\":[]"}},
        {GET_(T "/mappings/a"), 200, {"\"managed_by\":\"set:core\""}},
        {GET_(T "/mappings?managed_by=set:core"), 200, {"\"name\":\"a\""}},
        {GET_(T "/changes?set=core"), 200, {"\"comment\":\"first\"", "\"commit\":\"c1\""}},
        {GET_(T "/changes?set=other"), 200, {"\"items\":[]"}},
        {POST_(S "/suspend", "{'reason':'freeze'}"), 200, {"\"state\":\"suspended\"", "freeze"}},
        {POST_(S "/apply", ONE), 409, {"set-suspended", "freeze", "\"plan\":{"}},
        {POST_(S "/resume", "{}"), 200, {"\"state\":\"in_sync\""}},
        {DEL_(S), 409, {"conflict"}},
        {POST_(S "/release", "{'all':true}"), 200, {"\"op\":\"release\""}},
        {POST_(S "/adopt", "{'objects':[{'kind':'mapping','name':'a'}]}"), 200, {"\"op\":\"adopt\""}},
        {POST_(S "/release", "{'objects':[{'kind':'mapping','name':'a'}]}"), 200, {"release"}},
        {DEL_(S), 200, {"\"kind\":\"set\""}},
        {GET_(S), 404, {"not-found"}},
    };
    fx_play(*state, &cluster, 1);
    PLAY(steps);
}

static void test_refusals(void **state)
{
    static const struct step steps[] = {
        {POST_(S "/apply", ONE), 200, {"\"seq\":\"2\""}},
        {PUT_(T "/mappings/a", "{'spec':{}}", .if_match = "*"), 409, {"owned-by-set", "set:core"}},
        {DEL_(T "/mappings/a", .if_match = "*"), 409, {"owned-by-set"}},
        {DEL_(T "/mappings/a?break_glass=fire&dry_run=true", .if_match = "*"), 200, {"delete"}},
        {POST_(S "/apply", "{'objects':[" M("a", "") "],'plan_hash':'x'}"),
         409,
         {"/problems/stale-plan", "\"plan\":{", "\"unchanged\":1"}},
        {PUT_(T "/mappings/b", "{'spec':{'source':{'cluster':'source','topic':'b'},'target':"
              "{'cluster':'source','topic':'x'}}}"), 201, {"\"b\""}},
        {POST_(S "/apply", "{'objects':[" M("a", "") "," M("b", "") "]}"),
         409,
         {"/problems/plan-blocked", "needs-adopt", "/objects/1"}},
        {POST_(S "/plan", "{'objects':[" M("a", ",'tasks':'x'") "]}"),
         422,
         {"/objects/0/spec/tasks"}},
        {POST_(S "/plan", "{}"), 422, {"/objects", "required"}},
        {POST_(S "/plan", "{'objects':{}}"), 422, {"/objects", "type"}},
        {POST_(S "/plan", "{'objects':[],'prune':1,'max_deletes':-1,'commit':'','what':0}"),
         422,
         {"/prune", "/max_deletes", "/commit", "/what"}},
        {POST_(S "/plan", "{'objects':[1,{}]}"), 422, {"/objects/0", "/objects/1/kind"}},
        {POST_(S "/adopt", "{'objects':[]}"), 422, {"/objects"}},
        {POST_(S "/adopt", "{'objects':[{'kind':'mapping','name':'no'}]}"), 422, {"not-found"}},
        {POST_(S "/release", "{'objects':[{'kind':'mapping','name':'b'}]}"), 422, {"not-a-member"}},
        {POST_(S "/suspend", "{'why':'x'}"), 422, {"/why"}},
        {POST_(T "/sets/none/suspend", "{}"), 404, {"no set"}},
        {POST_("/api/v1/teams/none/sets/core/plan", ONE), 404, {"team"}},
        {POST_(T "/sets/%0a/plan", ONE), 422, {"invalid"}},
    };
    fx_play(*state, &cluster, 1);
    PLAY(steps);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fx_set_up, fx_tear_down)
int main(void)
{
    cz_json_init();
    const struct CMUnitTest tests[] = {TEST(test_life_of_a_set), TEST(test_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
