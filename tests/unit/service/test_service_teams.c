/* SPDX-License-Identifier: Apache-2.0 */
/** Teams in the service: what a caller may write whatever way he takes, grants at every door through
 *  which a mapping comes in, and a grant that goes away. */
#include "fixture.h"

#define S(text) ((char[]){text}) /* principals own their strings */

static struct cz_principal who_;
static struct cz_access access_ = {.who = &who_};
static struct cz_caller bound = {.access = &access_, .actor = "bob", .via = "api"};

/* From now on `bound` is @who as the rules are now. */
static void as(struct fixture *f, struct cz_principal who)
{
    cz_access_rules_give(f->s, access_.rules);
    who_ = who;
    who_.scope = CZ_SCOPE_ADMIN;
    access_.rules = NULL;
    must(f, cz_service_rules(f->s, &access_.rules, &f->err));
}

static int leave(void **state)
{
    struct fixture *f = *state;
    cz_access_rules_give(f->s, access_.rules);
    access_.rules = NULL;
    return teardown(state);
}

/* Forget the last answer. */
static void clean(struct fixture *f)
{
    cz_write_result_done(&f->r);
    cz_report_done(&f->rep);
    cz_error_reset(&f->err);
}

/* A write of `bound`. */
static enum cz_err put_as(struct fixture *f, enum cz_kind kind, const char *name, const char *doc, bool dry_run)
{
    json_t *old = get(f, kind, name), *j = js(doc);
    const struct cz_write w = {.if_match = old ? CZ_IF_MATCH_ANY : CZ_IF_MATCH_NONE, .dry_run = dry_run};
    clean(f);
    enum cz_err code = cz_service_put(f->s, &bound, &w, "default", kind, name, j, &f->r, &f->rep, &f->err);
    json_decref(old);
    json_decref(j);
    return code;
}

#define GRANT(cluster, type, pattern, mode)                                                    \
    "{'spec':{'cluster':'" cluster "','resource_type':'" type "','pattern_type':'literal','pattern':'" pattern \
    "','modes':['" mode "']}}"

static void restrict_team(struct fixture *f, bool yes)
{
    json_t *o = NULL, *settings = json_pack("{s:b}", "restricted", yes);
    int64_t version;
    const struct cz_write w = {.if_match = CZ_IF_MATCH_ANY};
    cz_error_reset(&f->err);
    must(f, cz_service_put_team(f->s, &caller, &w, "default", settings, &o, &version, &f->rep, &f->err));
    assert_int_equal(json_is_true(json_object_get(o, "restricted")), yes);
    json_decref(o);
    json_decref(settings);
}

static void grant_all(struct fixture *f)
{
    must(f, put(f, CZ_KIND_GRANT, "in", GRANT("source", "topic", "orders", "read")));
    must(f, put(f, CZ_KIND_GRANT, "out", GRANT("target", "topic", "orders", "write")));
}

static void drop(struct fixture *f, enum cz_kind kind, const char *name)
{
    const struct cz_write w = {.if_match = CZ_IF_MATCH_ANY};
    clean(f);
    must(f, cz_service_delete(f->s, &caller, &w, "default", kind, name, &f->r, &f->err));
}

/* The last write was refused for want of this grant alone. */
static void wants_grant(struct fixture *f, enum cz_err code, const char *pointer, const char *text)
{
    assert_int_equal(code, CZ_E_FORBIDDEN);
    assert_non_null(strstr(f->err.text, "has no grant"));
    for (size_t i = 0; i < f->rep.len; i++)
        if (cz_streq(f->rep.items[i].pointer, pointer) && strstr(f->rep.items[i].message, text))
            return;
    fail_msg("no %s at %s; first is %s: %s", text, pointer, f->rep.len ? f->rep.items[0].pointer : "-",
             f->rep.len ? f->rep.items[0].message : "-");
}

static const char *state_of(struct fixture *f, const char *name)
{
    static char text[32];
    json_t *r = published_mapping(f, name);
    assert_non_null(r);
    (void)snprintf(text, sizeof text, "%s", cz_json_str(r, "state", ""));
    json_decref(r);
    return text;
}

static const char *condition(struct fixture *f, const char *name, const char *type, const char *member)
{
    static char text[300];
    size_t i;
    json_t *c, *o = get(f, CZ_KIND_MAPPING, name);
    text[0] = 0;
    json_array_foreach (json_object_get(json_object_get(o, "status"), "conditions"), i, c)
        if (cz_streq(cz_json_str(c, "type", ""), type))
            (void)snprintf(text, sizeof text, "%s", cz_json_str(c, member, ""));
    json_decref(o);
    return text;
}

/* ---- grants ------------------------------------------------------------------------------------- */

static void test_needed(void **state)
{
    struct fixture *f = *state;
    must(f, put(f, CZ_KIND_MAPPING, "before", MAPPING(""))); /* a team as all were */
    restrict_team(f, true);
    wants_grant(f, put(f, CZ_KIND_MAPPING, "m", MAPPING("")), "/spec/source/topic",
                "read for topic \"orders\" on cluster \"source\"");
    wants_grant(f, put(f, CZ_KIND_MAPPING, "m", MAPPING("")), "/spec/target/topic",
                "write for topic \"orders\" on cluster \"target\"");
    must(f, put(f, CZ_KIND_GRANT, "in", GRANT("source", "topic", "orders", "read")));
    wants_grant(f, put(f, CZ_KIND_MAPPING, "m", MAPPING("")), "/spec/target/topic", "write");
    assert_int_equal(f->rep.len, 1);
    must(f, put(f, CZ_KIND_GRANT, "out", GRANT("target", "topic", "orders", "write")));
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING("")));
    wants_grant(f, put(f, CZ_KIND_MAPPING, "m", MAPPING(",'target_service_consumer_group':'svc'")),
                "/spec/target_service_consumer_group", "delete for group \"svc\" on cluster \"target\"");
    must(f, put(f, CZ_KIND_GRANT, "svc", GRANT("target", "group", "svc", "delete")));
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING(",'target_service_consumer_group':'svc'")));
    wants_grant(f, put(f, CZ_KIND_MAPPING, "m", MAPPING(",'consumer_group':'others'")), "/spec/consumer_group",
                "write for group \"others\" on cluster \"source\"");
    wants_grant(f, put(f, CZ_KIND_MAPPING, "m", MAPPING(",'on_error':{'dead_letter':'dlq'}")),
                "/spec/on_error/dead_letter", "write for topic \"dlq\"");
    /* Another problem beside: the document is wrong, and all is told. */
    problem(f, put(f, CZ_KIND_MAPPING, "m", MAPPING(",'value_map':'none','consumer_group':'others'")), "/spec/value_map",
            "not-found");
    problem(f, put(f, CZ_KIND_MAPPING, "m", MAPPING(",'value_map':'none','consumer_group':'others'")), "/spec/consumer_group",
            "not-granted");
}

static void test_not_told_what_is_there(void **state)
{
    struct fixture *f = *state;
    restrict_team(f, true);
    int asked = f->asked;
    enum cz_err code = put(f, CZ_KIND_MAPPING, "m",
                           "{'spec':{'source':{'cluster':'source','topic':'missing'},'target':{'cluster':'target',"
                           "'topic':'t'}}}");
    assert_int_equal(code, CZ_E_FORBIDDEN);
    assert_int_equal(f->asked, asked); /* Kafka was not even asked */
}

static void test_patterns(void **state)
{
    static const struct {
        const char *pattern, *granted; /* prefix that is enough */
        bool enough;
    } table[] = {
        {"^orders\\\\.", "orders.", true},  {"^orders\\\\.", "orders", true},   {"^orders\\\\.", "orders.e", false},
        {"orders", "orders", false},        {"^orders|x", "orders", false},     {"^orders.", "orders", true},
        {"^orders?", "order", true},        {"^orders?", "orders", false},      {"^(orders)", "orders", false},
        {"^orders\\\\d", "orders", true},   {"^a*", "a", false},                {"^ab{0}", "ab", false},
        {"^ab+", "ab", true},
    };
    struct fixture *f = *state;
    restrict_team(f, true);
    must(f, put(f, CZ_KIND_GRANT, "out", GRANT("target", "topic", "*", "write")));
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        CZ_CLEANUP(cz_freep)
        char *g = cz_strf("{'spec':{'cluster':'source','resource_type':'topic','pattern_type':'prefix','pattern':'%s',"
                          "'modes':['read']}}", table[i].granted);
        CZ_CLEANUP(cz_freep)
        char *m = cz_strf("{'spec':{'source':{'cluster':'source','pattern':'%s'},'target':{'cluster':'target'}}}",
                          table[i].pattern);
        must(f, put(f, CZ_KIND_GRANT, "in", g));
        enum cz_err code = put(f, CZ_KIND_MAPPING, "m", m);
        if (code != (table[i].enough ? CZ_OK : CZ_E_FORBIDDEN))
            fail_msg("%s with %s: %s %s", table[i].pattern, table[i].granted, cz_err_name(code), f->err.text);
    }
    must(f, put(f, CZ_KIND_GRANT, "in", GRANT("source", "topic", "*", "read")));
    must(f, put(f, CZ_KIND_GRANT, "out", GRANT("target", "topic", "copy", "write")));
    enum cz_err code = put(f, CZ_KIND_MAPPING, "m",
                           "{'spec':{'source':{'cluster':'source','pattern':'^a'},'target':{'cluster':'target',"
                           "'topic':'copy.{{topic}}'}}}");
    wants_grant(f, code, "/spec/target/topic", "topic \"copy.a*\"");
}

/* Every way in: template and instance, set (import), restore, rollback. */
static void test_every_door(void **state)
{
    struct fixture *f = *state;
    const struct cz_write any = {.if_match = CZ_IF_MATCH_ANY}, fresh = {0};
    must(f, put(f, CZ_KIND_MAPPING, "old", MAPPING("")));
    must(f, put(f, CZ_KIND_TEMPLATE, "t",
                "{'spec':{'variables':{'T':{}},'mappings':[{'name':'{{T}}','spec':{'source':{'cluster':'source',"
                "'topic':'{{T}}'},'target':{'cluster':'target','topic':'orders'}}}]}}"));
    drop(f, CZ_KIND_MAPPING, "old");
    int64_t dropped = f->r.seq;
    restrict_team(f, true);
    grant_all(f);
    wants_grant(f, put(f, CZ_KIND_INSTANCE, "i", "{'spec':{'template':'t','vars':{'T':'secret'}}}"), "/spec/vars",
                "read for topic \"secret\"");
    must(f, put(f, CZ_KIND_INSTANCE, "i", "{'spec':{'template':'t','vars':{'T':'orders'}}}"));
    wants_grant(f, put(f, CZ_KIND_TEMPLATE, "t",
                       "{'spec':{'variables':{'T':{}},'mappings':[{'name':'{{T}}','spec':{'source':{'cluster':'source',"
                       "'topic':'{{T}}'},'target':{'cluster':'target','topic':'elsewhere'}}}]}}"),
                "/spec/mappings/0/spec/target/topic", "write for topic \"elsewhere\"");

    json_t *doc = js(MAPPING(",'consumer_group':'others'"));
    const struct cz_set_item item = {.kind = CZ_KIND_MAPPING, .name = "set", .doc = doc, .pointer = "/mappings/0"};
    const struct cz_set set = {.items = &item, .len = 1};
    clean(f);
    wants_grant(f, cz_service_put_set(f->s, &caller, &fresh, "default", &set, &f->r, &f->rep, &f->err),
                "/mappings/0/spec/consumer_group", "write for group");
    json_decref(doc);

    drop(f, CZ_KIND_INSTANCE, "i");
    drop(f, CZ_KIND_GRANT, "in");
    clean(f);
    wants_grant(f, cz_service_restore(f->s, &caller, &any, "default", CZ_KIND_MAPPING, "old", 1, &f->r, &f->rep, &f->err),
                "/spec/source/topic", "read for topic \"orders\"");
    clean(f);
    assert_int_equal(cz_service_rollback(f->s, &caller, &fresh, dropped, NULL, &f->r, &f->rep, &f->err), CZ_E_FORBIDDEN);
    assert_non_null(strstr(f->err.text, "has no grant"));
    assert_null(get(f, CZ_KIND_MAPPING, "old"));
    grant_all(f);
    clean(f);
    must(f, cz_service_rollback(f->s, &caller, &fresh, dropped, NULL, &f->r, &f->rep, &f->err));
}

static void test_revoked(void **state)
{
    struct fixture *f = *state;
    const struct cz_write fresh = {0};
    restrict_team(f, true);
    grant_all(f);
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING("")));
    must(f, put(f, CZ_KIND_CLUSTER, "third", CLUSTER("h:3")));
    assert_string_equal(state_of(f, "m"), "RUNNING");
    assert_string_equal(condition(f, "m", "Authorized", "status"), "True");

    drop(f, CZ_KIND_GRANT, "out");
    int64_t revoked = f->r.seq;
    assert_true(has_warning(f, "mapping-stopped"));
    assert_string_equal(state_of(f, "m"), "STOPPED"); /* in the very same change */
    assert_string_equal(condition(f, "m", "Authorized", "status"), "False");
    assert_non_null(strstr(condition(f, "m", "Authorized", "message"), "write for topic \"orders\" on cluster \"target\""));
    assert_string_equal(condition(f, "m", "Ready", "reason"), "GrantMissing");
    clean(f);
    must(f, cz_service_restart(f->s, &caller, &fresh, "default", "m", &f->r, &f->err));
    assert_string_equal(state_of(f, "m"), "STOPPED"); /* nobody starts it again */

    clean(f);
    must(f, cz_service_rollback(f->s, &caller, &fresh, revoked, NULL, &f->r, &f->rep, &f->err));
    assert_string_equal(state_of(f, "m"), "RUNNING");
    assert_string_equal(condition(f, "m", "Authorized", "status"), "True");

    must(f, put(f, CZ_KIND_GRANT, "in", GRANT("source", "topic", "other", "read"))); /* changed, not deleted */
    assert_string_equal(state_of(f, "m"), "STOPPED");
    restrict_team(f, false);
    assert_string_equal(state_of(f, "m"), "RUNNING");
    restrict_team(f, true);
    assert_string_equal(state_of(f, "m"), "STOPPED");
    drop(f, CZ_KIND_MAPPING, "m"); /* what may not run may go */
}

/* What a job of the control plane does on a mapping's behalf it may do no longer than the mapping. */
static void test_dead_letters(void **state)
{
    struct fixture *f = *state;
    struct cz_dead_letters_request q = {.action = CZ_DEAD_LETTERS_REDRIVE, .deadline = cz_deadline_ms(1000)};
    json_t *o = NULL;
    restrict_team(f, true);
    grant_all(f);
    must(f, put(f, CZ_KIND_GRANT, "dlq", GRANT("target", "topic", "dlq", "write")));
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING(",'on_error':{'dead_letter':'dlq'}")));
    q.action = CZ_DEAD_LETTERS_LIST;
    q.samples = 1;
    clean(f);
    assert_int_equal(cz_service_dead_letters(f->s, &caller, "default", "m", &q, &o, &f->err), CZ_E_FORBIDDEN);
    assert_non_null(strstr(f->err.text, "peek for topic \"dlq\" on cluster \"target\""));
    drop(f, CZ_KIND_GRANT, "out");
    q.action = CZ_DEAD_LETTERS_REDRIVE;
    clean(f);
    assert_int_equal(cz_service_dead_letters(f->s, &caller, "default", "m", &q, &o, &f->err), CZ_E_FORBIDDEN);
    assert_non_null(strstr(f->err.text, "write for topic \"orders\""));
}

/* ---- callers ------------------------------------------------------------------------------------ */

static void test_callers(void **state)
{
    struct fixture *f = *state;
    const struct cz_write any = {.if_match = CZ_IF_MATCH_ANY}, fresh = {0};
    const struct cz_principal bob = {.id = S("bob")}, admin = {.id = S("ada"), .admin = true};
    must(f, put(f, CZ_KIND_BINDING, "bob", "{'spec':{'principal':'bob','role':'viewer'}}"));
    as(f, bob);
    assert_int_equal(put_as(f, CZ_KIND_MAPPING, "m", MAPPING(""), false), CZ_E_FORBIDDEN);
    assert_non_null(strstr(f->err.text, "verb mapping.write: the role editor"));
    assert_int_equal(put_as(f, CZ_KIND_MAPPING, "m", MAPPING(""), true), CZ_E_FORBIDDEN); /* a dry run, too */
    must(f, put(f, CZ_KIND_BINDING, "bob", "{'spec':{'principal':'bob','role':'editor'}}"));
    as(f, bob);
    must(f, put_as(f, CZ_KIND_MAPPING, "m", MAPPING(""), false));
    assert_int_equal(put_as(f, CZ_KIND_CLUSTER, "c", CLUSTER("h:9"), false), CZ_E_FORBIDDEN);
    assert_int_equal(put_as(f, CZ_KIND_BINDING, "bob", "{'spec':{'principal':'bob','role':'owner'}}", false),
                     CZ_E_FORBIDDEN);
    assert_int_equal(put_as(f, CZ_KIND_GRANT, "g", GRANT("source", "topic", "x", "read"), false), CZ_E_FORBIDDEN);

    /* A rollback touches kinds that its verb says nothing about. */
    must(f, put(f, CZ_KIND_CLUSTER, "c", CLUSTER("h:9")));
    int64_t made = f->r.seq;
    clean(f);
    assert_int_equal(cz_service_rollback(f->s, &bound, &fresh, made, NULL, &f->r, &f->rep, &f->err), CZ_E_FORBIDDEN);
    assert_non_null(strstr(f->err.text, "cluster.write"));
    cz_error_reset(&f->err);
    assert_int_equal(cz_service_delete(f->s, &bound, &any, "default", CZ_KIND_CLUSTER, "c", &f->r, &f->err),
                     CZ_E_FORBIDDEN);

    as(f, admin); /* clusters, grants, members; nothing of what the teams do themselves */
    must(f, put_as(f, CZ_KIND_CLUSTER, "c2", CLUSTER("h:9"), false));
    must(f, put_as(f, CZ_KIND_GRANT, "g", GRANT("source", "topic", "x", "read"), false));
    must(f, put_as(f, CZ_KIND_BINDING, "eve", "{'spec':{'idp_group':'e','role':'owner'}}", false));
    assert_int_equal(put_as(f, CZ_KIND_MAPPING, "m", MAPPING(",'on_error':'skip'"), false), CZ_E_FORBIDDEN);
    as(f, (struct cz_principal){.id = S("stranger")});
    assert_int_equal(put_as(f, CZ_KIND_MAPPING, "m2", MAPPING(""), false), CZ_E_NOT_FOUND);
}

static void test_new_teams(void **state)
{
    struct fixture *f = *state;
    const struct cz_write fresh = {0}, dry = {.dry_run = true};
    json_t *o = NULL, *settings = js("{'own_clusters':true}"), *bad = js("{'owner':'bob'}");
    int64_t version = 0;
    as(f, (struct cz_principal){.id = S("ada"), .admin = true});
    must(f, cz_service_put_team(f->s, &bound, &dry, "new", NULL, &o, &version, &f->rep, &f->err));
    assert_true(json_is_true(json_object_get(o, "restricted")));
    json_decref(o);
    assert_int_equal(cz_service_team(f->s, "new", &o, &version, NULL), CZ_E_NOT_FOUND);
    must(f, cz_service_put_team(f->s, &bound, &fresh, "new", NULL, &o, &version, &f->rep, &f->err));
    assert_true(json_is_true(json_object_get(o, "restricted")));
    json_decref(o);
    assert_int_equal(cz_service_put_team(f->s, &bound, &fresh, "new", settings, &o, &version, &f->rep, &f->err),
                     CZ_E_PRECONDITION);
    cz_error_reset(&f->err);
    const struct cz_write match = {.if_match = version};
    must(f, cz_service_put_team(f->s, &bound, &match, "new", settings, &o, &version, &f->rep, &f->err));
    assert_true(json_is_true(json_object_get(o, "restricted"))); /* what is not said stays */
    assert_true(json_is_true(json_object_get(o, "own_clusters")));
    json_decref(o);
    const struct cz_write now = {.if_match = version};
    assert_int_equal(cz_service_put_team(f->s, &bound, &now, "new", bad, &o, &version, &f->rep, &f->err), CZ_E_INVALID);
    assert_string_equal(f->rep.items[0].pointer, "/owner");
    cz_report_done(&f->rep);
    cz_error_reset(&f->err);
    /* The deployment's own token: as ever. */
    must(f, cz_service_put_team(f->s, &caller, &fresh, "plain", NULL, &o, &version, &f->rep, &f->err));
    assert_false(json_is_true(json_object_get(o, "restricted")));
    json_decref(o);
    assert_int_equal(cz_service_put_team(f->s, &(struct cz_caller){.access = &access_}, &fresh, "plain", NULL, &o,
                                         &version, &f->rep, &f->err), CZ_OK); /* is there: left as it is */
    assert_false(json_is_true(json_object_get(o, "restricted")));
    json_decref(o);
    as(f, (struct cz_principal){.id = S("u")});
    must(f, cz_service_teams(f->s, &access_, &o, &f->err));
    assert_int_equal(json_array_size(json_object_get(o, "items")), 0); /* of those he may see */
    json_decref(o);
    json_decref(settings);
    json_decref(bad);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, leave)
int main(void)
{
    cz_json_init();
    const struct CMUnitTest tests[] = {T(test_needed),    T(test_not_told_what_is_there), T(test_patterns),
                                       T(test_every_door), T(test_revoked), T(test_dead_letters),                T(test_callers),
                                       T(test_new_teams)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
