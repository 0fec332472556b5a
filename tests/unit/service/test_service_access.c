/* SPDX-License-Identifier: Apache-2.0 */
/** The decision by table: who × verb × team × use.  No store, no service. */
#include "cz/access.h"
#include "fixture.h"

#define S(text) ((char[]){text}) /* principals own their strings */

static struct cz_team_rules team, other;

static void bind(struct cz_team_rules *t, const char *name, const char *spec)
{
    json_t *j = js(spec);
    assert_true(cz_team_rules_binding(t, name, j));
    json_decref(j);
}

static void grant(struct cz_team_rules *t, const char *name, const char *spec)
{
    json_t *j = js(spec);
    assert_true(cz_team_rules_grant(t, name, j));
    json_decref(j);
}

static int up(void **state)
{
    (void)state;
    team = (struct cz_team_rules){.team = cz_strdup("pay"), .restricted = true};
    other = (struct cz_team_rules){.team = cz_strdup("ads")};
    bind(&team, "v", "{'principal':'vera','role':'viewer'}");
    bind(&team, "o", "{'principal':'otto','role':'operator','peek':true}");
    bind(&team, "e", "{'idp_group':'eng','role':'editor'}");
    bind(&team, "w", "{'principal':'wanda','role':'owner','peek':false}");
    bind(&other, "x", "{'principal':'vera','role':'owner'}");
    grant(&team, "orders",
          "{'cluster':'prod','resource_type':'topic','pattern_type':'prefix','pattern':'orders.','modes':['read','peek']}");
    grant(&team, "copy",
          "{'cluster':'stage','resource_type':'topic','pattern_type':'literal','pattern':'copy','modes':['write']}");
    grant(&team, "svc",
          "{'cluster':'*','resource_type':'group','pattern_type':'literal','pattern':'*','modes':['delete']}");
    return 0;
}

static int down(void **state)
{
    (void)state;
    cz_team_rules_done(&team);
    cz_team_rules_done(&other);
    return 0;
}

static char *eng[] = {S("x"), S("eng")};
#define SCOPE .scope = CZ_SCOPE_ADMIN
static const struct cz_principal nobody = {.id = S("n"), SCOPE}, vera = {.id = S("vera"), SCOPE},
                                 otto = {.id = S("otto"), SCOPE},
                                 erik = {.id = S("erik"), .groups = eng, .groups_len = 2, SCOPE},
                                 wanda = {.id = S("wanda"), SCOPE},
                                 admin = {.id = S("a"), .admin = true, SCOPE},
                                 auditor = {.id = S("u"), .auditor = true, SCOPE},
                                 root = {.id = S("admin"), .root = true, SCOPE};

static void test_verbs(void **state)
{
    static const struct {
        const struct cz_principal *who;
        enum cz_verb verb;
        bool allowed, visible;
        const char *missing;
    } table[] = {
        {&nobody, CZ_VERB_MAPPING_READ, false, false, "viewer"},
        {&nobody, CZ_VERB_VERSION_READ, true, false, ""},
        {&vera, CZ_VERB_MAPPING_READ, true, true, ""},
        {&vera, CZ_VERB_MAPPING_OPERATE, false, true, "verb mapping.operate: the role operator in team \"pay\""},
        {&vera, CZ_VERB_MAPPING_PEEK, false, true, "peek"},
        {&otto, CZ_VERB_MAPPING_OPERATE, true, true, ""},
        {&otto, CZ_VERB_MAPPING_PEEK, true, true, ""},
        {&otto, CZ_VERB_MAPPING_WRITE, false, true, "editor"},
        {&erik, CZ_VERB_MAPPING_WRITE, true, true, ""},
        {&erik, CZ_VERB_BINDING_WRITE, false, true, "owner"},
        {&wanda, CZ_VERB_BINDING_WRITE, true, true, ""},
        {&wanda, CZ_VERB_MAPPING_PEEK, false, true, "peek"}, /* never implied */
        {&wanda, CZ_VERB_GRANT_WRITE, false, true, "only admins"},
        {&wanda, CZ_VERB_CLUSTER_WRITE, false, true, "only admins"},
        {&admin, CZ_VERB_GRANT_WRITE, true, true, ""},
        {&admin, CZ_VERB_MAPPING_READ, true, true, ""},
        {&admin, CZ_VERB_MAPPING_PEEK, false, true, "peek"}, /* config, not payloads */
        {&admin, CZ_VERB_MAPPING_WRITE, false, true, "editor"},
        {&auditor, CZ_VERB_CHANGE_READ, true, true, ""},
        {&auditor, CZ_VERB_MAPPING_PEEK, false, true, "peek"},
        {&auditor, CZ_VERB_TEAM_WRITE, false, true, "only admins"},
        {&root, CZ_VERB_MAPPING_PEEK, true, true, ""},
        {&root, CZ_VERB_TEAM_WRITE, true, true, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct cz_access_answer a;
        cz_access_decide(table[i].who, table[i].verb, &team, NULL, &a);
        if (a.allowed != table[i].allowed || a.visible != table[i].visible || !strstr(a.missing, table[i].missing) ||
            (*a.missing != 0) == a.allowed)
            fail_msg("row %zu: %s %s: allowed %d visible %d \"%s\"", i, table[i].who->id,
                     cz_verb_name(table[i].verb), a.allowed, a.visible, a.missing);
    }
}

static void test_tokens_only_narrow(void **state)
{
    struct cz_access_answer a;
    struct cz_principal t = wanda;
    (void)state;
    t.token_id = S("1");
    t.scope = CZ_SCOPE_READ;
    cz_access_decide(&t, CZ_VERB_MAPPING_READ, &team, NULL, &a);
    assert_true(a.allowed);
    cz_access_decide(&t, CZ_VERB_MAPPING_WRITE, &team, NULL, &a);
    assert_false(a.allowed);
    assert_non_null(strstr(a.missing, "the scope apply does"));
    t.scope = CZ_SCOPE_ADMIN;
    t.token_team = S("ads");
    cz_access_decide(&t, CZ_VERB_MAPPING_READ, &team, NULL, &a);
    assert_false(a.allowed);
    assert_false(a.visible);
    t = vera; /* a token gives nothing that its bearer has not */
    t.token_id = S("1");
    cz_access_decide(&t, CZ_VERB_MAPPING_WRITE, &team, NULL, &a);
    assert_false(a.allowed);
    struct cz_principal own = root; /* not even the deployment's own, when it is said to be for one team */
    own.token_team = S("ads");
    assert_false(cz_access_sees(&own, &team));
}

static void test_grants(void **state)
{
    static const struct {
        struct cz_access_use use;
        bool granted;
    } table[] = {
        {{"prod", CZ_GRANT_TOPIC, "orders.eu", false, CZ_MODE_READ}, true},
        {{"prod", CZ_GRANT_TOPIC, "orders.", false, CZ_MODE_PEEK}, true},
        {{"prod", CZ_GRANT_TOPIC, "orders", false, CZ_MODE_READ}, false},
        {{"prod", CZ_GRANT_TOPIC, "orders.eu", false, CZ_MODE_WRITE}, false},
        {{"stage", CZ_GRANT_TOPIC, "orders.eu", false, CZ_MODE_READ}, false},
        {{"prod", CZ_GRANT_TOPIC, "orders.e", true, CZ_MODE_READ}, true},
        {{"prod", CZ_GRANT_TOPIC, "order", true, CZ_MODE_READ}, false}, /* wider than the grant */
        {{"prod", CZ_GRANT_TOPIC, "", true, CZ_MODE_READ}, false},
        {{"stage", CZ_GRANT_TOPIC, "copy", false, CZ_MODE_WRITE}, true},
        {{"stage", CZ_GRANT_TOPIC, "copy", true, CZ_MODE_WRITE}, false}, /* copy2 is not granted */
        {{"stage", CZ_GRANT_TOPIC, "Copy", false, CZ_MODE_WRITE}, false},
        {{"any", CZ_GRANT_GROUP, "svc", false, CZ_MODE_DELETE}, true},
        {{"any", CZ_GRANT_GROUP, "", true, CZ_MODE_DELETE}, true},
        {{"any", CZ_GRANT_GROUP, "svc", false, CZ_MODE_WRITE}, false},
        {{"any", CZ_GRANT_TOPIC, "svc", false, CZ_MODE_DELETE}, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        bool needed;
        if ((cz_access_grant(&team, &table[i].use, &needed) != NULL) != table[i].granted || !needed)
            fail_msg("row %zu: %s", i, table[i].use.name);
        assert_null(cz_access_grant(&other, &table[i].use, &needed));
        assert_false(needed); /* a team that is not restricted */
    }
}

static void test_why(void **state)
{
    struct cz_access_answer a;
    const struct cz_access_use use = {"prod", CZ_GRANT_TOPIC, "orders.eu", false, CZ_MODE_PEEK};
    (void)state;
    cz_access_decide(&otto, CZ_VERB_MAPPING_PEEK, &team, &use, &a);
    assert_true(a.allowed);
    assert_int_equal(a.why_len, 3);
    assert_string_equal(a.why[0], "binding \"o\" of team \"pay\": principal \"otto\" is operator with peek");
    assert_string_equal(a.why[1], "the flag peek has the verb mapping.peek");
    assert_string_equal(a.why[2],
                        "grant \"orders\": peek of the prefix of a topic \"orders.\" on cluster \"prod\"");
    cz_access_decide(&root, CZ_VERB_MAPPING_PEEK, &team, &(struct cz_access_use){"prod", CZ_GRANT_TOPIC, "x", false, CZ_MODE_PEEK}, &a);
    assert_false(a.allowed); /* grants are the team's, whoever asks */
    assert_non_null(strstr(a.missing, "needs peek for topic \"x\" on cluster \"prod\""));
    team.own_clusters = true;
    cz_access_decide(&wanda, CZ_VERB_CLUSTER_WRITE, &team, NULL, &a);
    assert_true(a.allowed);
    cz_access_decide(&erik, CZ_VERB_CLUSTER_WRITE, &team, NULL, &a);
    assert_false(a.allowed);
}

static void test_documents(void **state)
{
    static const struct {
        void (*check)(const json_t *, const char *, struct cz_report *);
        const char *spec, *pointer; /* NULL: it is good */
    } table[] = {
        {cz_check_team, "{}", NULL},
        {cz_check_team, "{'restricted':1}", "/spec/restricted"},
        {cz_check_team, "{'admin':true}", "/spec/admin"},
        {cz_check_binding, "{'principal':'a','role':'viewer'}", NULL},
        {cz_check_binding, "{'role':'viewer'}", "/spec/principal"},
        {cz_check_binding, "{'principal':'a','idp_group':'g','role':'viewer'}", "/spec/idp_group"},
        {cz_check_binding, "{'principal':'a','role':'admin'}", "/spec/role"},
        {cz_check_binding, "{'principal':'a','role':'none'}", "/spec/role"},
        {cz_check_binding, "{'principal':'','role':'viewer'}", "/spec/principal"},
        {cz_check_binding, "{'principal':'a','role':'viewer','peek':'yes'}", "/spec/peek"},
        {cz_check_grant, "{'cluster':'c','resource_type':'topic','pattern_type':'literal','pattern':'t','modes':['read']}", NULL},
        {cz_check_grant, "{'cluster':'c','resource_type':'topic','pattern_type':'literal','pattern':'t*','modes':['read']}", "/spec/pattern"},
        {cz_check_grant, "{'cluster':'c','resource_type':'topic','pattern_type':'regex','pattern':'t','modes':['read']}", "/spec/pattern_type"},
        {cz_check_grant, "{'cluster':'c','resource_type':'topic','pattern_type':'literal','pattern':'t','modes':[]}", "/spec/modes"},
        {cz_check_grant, "{'cluster':'c','resource_type':'topic','pattern_type':'literal','pattern':'t','modes':['read','read']}", "/spec/modes"},
        {cz_check_grant, "{'cluster':'c','resource_type':'topic','pattern_type':'literal','pattern':'t','modes':['delete']}", "/spec/modes"},
        {cz_check_grant, "{'cluster':'c','resource_type':'group','pattern_type':'literal','pattern':'t','modes':['peek']}", "/spec/modes"},
        {cz_check_grant, "{'cluster':'c','resource_type':'acl','pattern_type':'literal','pattern':'t','modes':['read']}", "/spec/resource_type"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct cz_report rep = CZ_REPORT_INIT;
        json_t *j = js(table[i].spec);
        table[i].check(j, "/spec", &rep);
        bool good = table[i].pointer ? rep.len == 1 && cz_streq(rep.items[0].pointer, table[i].pointer)
                                     : rep.len == 0;
        if (!good)
            fail_msg("row %zu: %zu problems, first at %s", i, rep.len, rep.len ? rep.items[0].pointer : "-");
        json_decref(j);
        cz_report_done(&rep);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_verbs, up, down),
        cmocka_unit_test_setup_teardown(test_tokens_only_narrow, up, down),
        cmocka_unit_test_setup_teardown(test_grants, up, down),
        cmocka_unit_test_setup_teardown(test_why, up, down),
        cmocka_unit_test(test_documents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
