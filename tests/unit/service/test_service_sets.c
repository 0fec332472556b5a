/* SPDX-License-Identifier: Apache-2.0 */
/** Sets: plan, apply, who owns what, prune and its guard, drift, roll-back, renaming.  Built twice: on
 *  the store in memory and on PostgreSQL, whose writes of many objects go another way. */
#include "fixture.h"

#define M(name, extra)                                                                         \
    "{'kind':'mapping','name':'" name "','spec':{'source':{'cluster':'source','topic':'" name  \
    "'},'target':{'cluster':'target','topic':'" name "'}" extra "}}"

static const struct cz_write plain = {0};
static json_t *plan; /* of the last call */

static void forget(struct fixture *f)
{
    json_decref(plan);
    plan = NULL;
    cz_write_result_done(&f->r);
    cz_report_done(&f->rep);
    cz_error_reset(&f->err);
}

static enum cz_err
apply_as(struct fixture *f, const char *set, const char *objects, struct cz_apply o, bool dry)
{
    CZ_CLEANUP(cz_freep) char *hash = cz_strdup(o.plan_hash);
    json_t *list = js(objects);
    forget(f);
    o.objects = list;
    o.plan_hash = hash;
    o.max_deletes = o.max_deletes ? o.max_deletes : -1;
    enum cz_err code = dry ? cz_service_plan(f->s, &caller, "default", set, &o, &plan, &f->rep, &f->err)
                           : cz_service_apply(f->s, &caller, &plain, "default", set, &o, &f->r, &plan,
                                              &f->rep, &f->err);
    json_decref(list);
    assert_int_equal(code, f->err.code);
    return code;
}
#define WITH(...) ((struct cz_apply){__VA_ARGS__})
#define PLAIN ((struct cz_apply){0})

static int64_t summary(const char *what)
{
    return cz_json_int(json_object_get(plan, "summary"), what, -1);
}

static const json_t *change_of(const char *name)
{
    json_t *c;
    size_t i;
    json_array_foreach (json_object_get(plan, "changes"), i, c)
        if (cz_streq(cz_json_str(c, "name", NULL), name))
            return c;
    fail_msg("no change of %s", name);
    return NULL;
}

static const char *impact_of(const char *name, const char *code)
{
    json_t *one;
    size_t i;
    json_array_foreach (json_object_get(change_of(name), "impact"), i, one)
        if (cz_streq(cz_json_str(one, "code", NULL), code))
            return cz_json_str(one, "message", "");
    return NULL;
}

static void blocked(const char *reason)
{
    json_t *b;
    size_t i;
    json_array_foreach (json_object_get(plan, "blocked"), i, b)
        if (cz_streq(cz_json_str(b, "reason", NULL), reason))
            return;
    CZ_CLEANUP(cz_freep) char *text = cz_json_text(plan, false);
    fail_msg("not blocked by %s: %s", reason, text);
}

static json_t *set_now(struct fixture *f, const char *set)
{
    json_t *o = NULL;
    must(f, cz_service_set(f->s, "default", set, &o, &f->err));
    return o;
}

static void assert_state(struct fixture *f, const char *set, const char *state)
{
    json_t *o = set_now(f, set);
    assert_string_equal(cz_json_str(o, "state", ""), state);
    json_decref(o);
}

static void assert_owner(struct fixture *f, const char *name, const char *owner)
{
    json_t *e = get(f, CZ_KIND_MAPPING, name);
    assert_non_null(e);
    const char *is = cz_json_str(e, "managed_by", NULL);
    if (!cz_streq(is, owner))
        fail_msg("%s belongs to %s", name, is ? is : "nobody");
    json_decref(e);
}

#define TWO "[" M("a", "") "," M("b", ",'tasks':2") "]"

static void test_plan_and_apply(void **state)
{
    struct fixture *f = *state;
    int64_t before = seq_of(f);
    must(f, apply_as(f, "core", TWO, WITH(.commit = "c1"), true));
    assert_int_equal(summary("create"), 2);
    assert_int_equal(seq_of(f), before);
    assert_non_null(impact_of("a", "starts"));
    CZ_CLEANUP(cz_freep) char *hash = cz_strdup(cz_json_str(plan, "plan_hash", ""));
    assert_int_equal(strlen(hash), 64);
    must(f, apply_as(f, "core", TWO, WITH(.commit = "c1", .plan_hash = hash), false));
    assert_int_equal(seq_of(f), before + 1); /* one change */
    assert_owner(f, "a", "set:core");
    json_t *p = published_mapping(f, "b");
    assert_non_null(p);
    json_decref(p);
    json_t *o = set_now(f, "core");
    assert_string_equal(cz_json_str(o, "state", ""), "in_sync");
    assert_string_equal(cz_json_str(o, "commit", ""), "c1");
    assert_int_equal(cz_json_int(o, "members", 0), 2);
    assert_int_equal(cz_json_int(json_object_get(o, "applied"), "seq", 0), before + 1);
    json_decref(o);
    json_t *c = NULL;
    must(f, cz_service_change(f->s, before + 1, &c, &f->err));
    assert_string_equal(cz_json_str(c, "set", ""), "core");
    assert_string_equal(cz_json_str(c, "commit", ""), "c1");
    assert_string_equal(cz_json_str(c, "plan_hash", ""), hash);
    json_decref(c);
    /* again: nothing at all; another commit: a change without objects, none of them a revision */
    must(f, apply_as(f, "core", TWO, WITH(.commit = "c1"), false));
    assert_true(f->r.unchanged);
    assert_int_equal(seq_of(f), before + 1);
    must(f, apply_as(f, "core", TWO, WITH(.commit = "c2"), false));
    assert_int_equal(summary("unchanged"), 2);
    assert_int_equal(seq_of(f), before + 2);
    assert_int_equal(version_of(f, CZ_KIND_MAPPING, "a"), before + 1);
}

static void test_all_or_nothing(void **state)
{
    struct fixture *f = *state;
    int64_t before = seq_of(f);
    problem(f,
            apply_as(f, "core", "[" M("a", "") "," M("b", ",'valid_jmespath':'=='") "]", PLAIN, false),
            "/objects/1/spec/valid_jmespath", "jmespath");
    assert_non_null(strstr(f->rep.items[0].message, "mapping \"b\""));
    problem(f, apply_as(f, "core", "[" M("a", "") "," M("missing", "") "]", PLAIN, false),
            "/objects/1/spec/source/topic", "topic-missing");
    problem(f, apply_as(f, "core", "[" M("a", "") "," M("a", "") "]", PLAIN, true),
            "/objects/1/name", "duplicate");
    problem(f, apply_as(f, "core", "[{'kind':'topic','name':'x'}]", PLAIN, true),
            "/objects/0/kind", "type");
    problem(f, apply_as(f, "core", "[" M("a", ",'nothing':1") "]", PLAIN, true),
            "/objects/0/spec/nothing", "unknown-field");
    assert_int_equal(seq_of(f), before);
    assert_int_equal(cz_service_set(f->s, "default", "core", &plan, NULL), CZ_E_NOT_FOUND);
}

static void test_stale_plan(void **state)
{
    struct fixture *f = *state;
    must(f, apply_as(f, "core", TWO, PLAIN, false));
    must(f, apply_as(f, "core", "[" M("a", ",'tasks':3") "," M("b", ",'tasks':2") "]", PLAIN, true));
    CZ_CLEANUP(cz_freep) char *hash = cz_strdup(cz_json_str(plan, "plan_hash", ""));
    /* what the plan does not touch makes it not stale */
    must(f, put(f, CZ_KIND_MAPPING, "else", MAPPING("")));
    must(f, apply_as(f, "core", "[" M("a", ",'tasks':3") "," M("b", ",'tasks':2") "]", PLAIN, true));
    assert_string_equal(cz_json_str(plan, "plan_hash", ""), hash);
    struct cz_write w = {.if_match = CZ_IF_MATCH_ANY, .break_glass = "it burns"};
    must(f, put_with(f, CZ_KIND_MAPPING, "a", MAPPING(",'tasks':4"), w));
    assert_int_equal(apply_as(f, "core", "[" M("a", ",'tasks':3") "," M("b", ",'tasks':2") "]",
                              WITH(.plan_hash = hash), false),
                     CZ_E_STALE_PLAN);
    assert_non_null(plan); /* the one of now */
    assert_string_not_equal(cz_json_str(plan, "plan_hash", ""), hash);
    assert_int_equal(json_array_size(json_object_get(plan, "drift")), 1);
}

static void test_owners(void **state)
{
    struct fixture *f = *state;
    must(f, put(f, CZ_KIND_MAPPING, "a", MAPPING("")));
    must(f, apply_as(f, "core", TWO, PLAIN, true));
    blocked("needs-adopt");
    assert_int_equal(summary("blocked"), 1);
    assert_int_equal(summary("create"), 1); /* what else would be done is shown all the same */
    assert_int_equal(apply_as(f, "core", TWO, PLAIN, false), CZ_E_PLAN_BLOCKED);
    assert_null(get(f, CZ_KIND_MAPPING, "b"));
    must(f, apply_as(f, "core", TWO, WITH(.adopt = true), false));
    assert_int_equal(summary("adopt"), 1);
    assert_owner(f, "a", "set:core");
    must(f, apply_as(f, "other", "[" M("a", "") "]", WITH(.adopt = true), true));
    blocked("owned-by-set");
    must(f, apply_as(f, "other", "[" M("a", "") "]", WITH(.force_adopt = true), false));
    assert_owner(f, "a", "set:other");
    json_t *o = set_now(f, "core");
    assert_int_equal(cz_json_int(o, "members", 0), 1);
    assert_int_equal(json_array_size(json_object_get(o, "drift")), 0);
    json_decref(o);
    /* an edit by hand */
    struct cz_write w = {.if_match = CZ_IF_MATCH_ANY};
    assert_int_equal(put_with(f, CZ_KIND_MAPPING, "b", MAPPING(""), w), CZ_E_OWNED);
    cz_error_reset(&f->err);
    assert_int_equal(cz_service_delete(f->s, &caller, &w, "default", CZ_KIND_MAPPING, "b", &f->r, NULL),
                     CZ_E_OWNED);
}

static void test_break_glass_is_drift(void **state)
{
    struct fixture *f = *state;
    struct cz_write w = {.if_match = CZ_IF_MATCH_ANY, .break_glass = "it burns"};
    must(f, apply_as(f, "core", TWO, WITH(.commit = "c1"), false));
    cz_write_result_done(&f->r);
    must(f, cz_service_pause(f->s, &caller, &plain, "default", "a", "calm", 0, &f->r, &f->err));
    assert_state(f, "core", "in_sync"); /* a pause is no drift */
    must(f, put_with(f, CZ_KIND_MAPPING, "b", MAPPING(",'tasks':7"), w));
    assert_owner(f, "b", "set:core");
    json_t *o = set_now(f, "core");
    assert_string_equal(cz_json_str(o, "state", ""), "drifted");
    const json_t *d = json_array_get(json_object_get(o, "drift"), 0);
    assert_string_equal(cz_json_str(d, "what", ""), "changed");
    assert_string_equal(cz_json_str(d, "comment", ""), "it burns");
    assert_true(json_array_size(json_object_get(d, "changes")) > 0);
    json_decref(o);
    must(f, apply_as(f, "core", TWO, WITH(.commit = "c1"), false));
    assert_int_equal(summary("update"), 1);
    assert_null(impact_of("b", "paused"));
    assert_state(f, "core", "in_sync");
    /* gone, and let go */
    cz_write_result_done(&f->r);
    must(f, cz_service_delete(f->s, &caller, &w, "default", CZ_KIND_MAPPING, "b", &f->r, &f->err));
    o = set_now(f, "core");
    assert_string_equal(cz_json_str(json_array_get(json_object_get(o, "drift"), 0), "what", ""),
                        "deleted");
    json_decref(o);
    /* the file was changed to what was done by hand */
    must(f, put_with(f, CZ_KIND_MAPPING, "a", "{'spec':{'source':{'cluster':'source','topic':'a'},"
                     "'target':{'cluster':'target','topic':'a'},'tasks':5}}", w));
    must(f, apply_as(f, "core", "[" M("a", ",'tasks':5") "," M("b", ",'tasks':2") "]", PLAIN, false));
    assert_int_equal(summary("unchanged"), 1);
    assert_state(f, "core", "in_sync");
}

static void test_prune(void **state)
{
    struct fixture *f = *state;
    struct cz_buf all = CZ_BUF_INIT(100000);
    for (int i = 0; i < 30; i++)
        cz_buf_addf(&all, "%s" "{'kind':'mapping','name':'m%d','spec':{'source':{'cluster':'source',"
                    "'topic':'t%d'},'target':{'cluster':'target','topic':'t%d'}}}", i ? "," : "[", i, i, i);
    cz_buf_addc(&all, ']');
    must(f, apply_as(f, "core", cz_buf_str(&all), PLAIN, false));
    must(f, put(f, CZ_KIND_MAPPING, "mine", MAPPING("")));
    must(f, apply_as(f, "core", "[]", PLAIN, true));
    assert_int_equal(summary("delete"), 0);
    assert_int_equal(json_array_size(json_object_get(plan, "notes")), 30);
    must(f, apply_as(f, "core", "[]", WITH(.prune = true), true));
    blocked("empty-set");
    blocked("too-many-deletes");
    assert_int_equal(apply_as(f, "core", "[" M("m0", "") "]", WITH(.prune = true), false),
                     CZ_E_PLAN_BLOCKED);
    must(f, apply_as(f, "core", "[]", WITH(.prune = true, .allow_empty = true, .max_deletes = 30), true));
    assert_int_equal(summary("blocked"), 0);
    /* up to 20 % without a word: six of thirty */
    cz_buf_done(&all);
    all = (struct cz_buf)CZ_BUF_INIT(100000);
    for (int i = 6; i < 30; i++)
        cz_buf_addf(&all, "%s" "{'kind':'mapping','name':'m%d','spec':{'source':{'cluster':'source',"
                    "'topic':'t%d'},'target':{'cluster':'target','topic':'t%d'}}}", i > 6 ? "," : "[", i, i, i);
    cz_buf_addc(&all, ']');
    must(f, apply_as(f, "core", cz_buf_str(&all), WITH(.prune = true), false));
    assert_int_equal(summary("delete"), 6);
    assert_non_null(impact_of("m3", "deleted"));
    assert_null(get(f, CZ_KIND_MAPPING, "m0"));
    json_t *mine = get(f, CZ_KIND_MAPPING, "mine");
    assert_non_null(mine); /* is no member */
    json_decref(mine);
    json_t *o = set_now(f, "core");
    assert_int_equal(cz_json_int(o, "members", 0), 24);
    assert_int_equal(cz_json_int(o, "drifted", 0), 0);
    json_decref(o);
    cz_buf_done(&all);
}

static enum cz_err rollback(struct fixture *f, int64_t seq)
{
    forget(f);
    return cz_service_rollback(f->s, &caller, &plain, seq, NULL, &f->r, &f->rep, &f->err);
}

static void test_rollback_suspends(void **state)
{
    struct fixture *f = *state;
    must(f, apply_as(f, "core", TWO, WITH(.commit = "good"), false));
    must(f, apply_as(f, "core", "[" M("a", ",'tasks':9") "," M("b", ",'tasks':2") "," M("c", "") "]",
                     WITH(.commit = "bad"), false));
    must(f, rollback(f, f->r.seq));
    assert_null(get(f, CZ_KIND_MAPPING, "c"));
    assert_owner(f, "a", "set:core");
    json_t *o = set_now(f, "core");
    assert_string_equal(cz_json_str(o, "state", ""), "suspended");
    assert_string_equal(cz_json_str(o, "blocked_commit", ""), "bad");
    assert_true(cz_json_int(json_object_get(o, "suspended"), "seq", 0) == seq_of(f));
    json_decref(o);
    assert_int_equal(apply_as(f, "core", TWO, WITH(.commit = "bad"), false), CZ_E_COMMIT_BLOCKED);
    assert_non_null(strstr(f->err.text, "was rolled back"));
    must(f, apply_as(f, "core", TWO, WITH(.commit = "bad"), true));
    blocked("commit-blocked");
    assert_int_equal(apply_as(f, "core", TWO, PLAIN, false), CZ_E_SUSPENDED);
    must(f, apply_as(f, "core", TWO, WITH(.commit = "better"), false));
    assert_state(f, "core", "in_sync");
    /* an old pipeline that runs again */
    assert_int_equal(apply_as(f, "core", TWO, WITH(.commit = "bad"), false), CZ_E_COMMIT_BLOCKED);
    must(f, apply_as(f, "core", TWO, WITH(.commit = "bad", .override_block = true), false));
    must(f, apply_as(f, "core", TWO, WITH(.commit = "bad"), false));
}

static void test_suspend_by_hand(void **state)
{
    struct fixture *f = *state;
    json_t *o = NULL;
    must(f, apply_as(f, "core", TWO, WITH(.commit = "c1"), false));
    must(f, cz_service_suspend_set(f->s, &caller, &plain, "default", "core", "holidays", &o, &f->err));
    assert_string_equal(cz_json_str(json_object_get(o, "suspended"), "reason", ""), "holidays");
    json_decref(o);
    assert_int_equal(apply_as(f, "core", TWO, WITH(.commit = "c2"), false), CZ_E_SUSPENDED);
    assert_non_null(strstr(f->err.text, "holidays"));
    must(f, (cz_error_reset(&f->err),
             cz_service_resume_set(f->s, &caller, &plain, "default", "core", false, &o, &f->err)));
    assert_string_equal(cz_json_str(o, "state", ""), "in_sync");
    json_decref(o);
    must(f, apply_as(f, "core", TWO, WITH(.commit = "c2"), false));
    assert_int_equal(cz_service_resume_set(f->s, &caller, &plain, "default", "none", false, &o, NULL),
                     CZ_E_NOT_FOUND);
}

static void test_rename(void **state)
{
    struct fixture *f = *state;
    must(f, apply_as(f, "core", "[" M("a", "") "]", PLAIN, false));
    json_t *before = get(f, CZ_KIND_MAPPING, "a"), *was = published_mapping(f, "a");
    must(f, apply_as(f, "core",
                     "[{'kind':'mapping','name':'z','renamed_from':'a','spec':{'source':{'cluster':"
                     "'source','topic':'a'},'target':{'cluster':'target','topic':'a'}}}]",
                     WITH(.prune = true), false));
    assert_int_equal(summary("update"), 1);
    assert_int_equal(summary("delete"), 0);
    assert_non_null(impact_of("z", "renamed"));
    int64_t renamed = f->r.seq;
    assert_null(get(f, CZ_KIND_MAPPING, "a"));
    json_t *after = get(f, CZ_KIND_MAPPING, "z"), *is = published_mapping(f, "z");
    assert_string_equal(cz_json_str(before, "uid", "x"), cz_json_str(after, "uid", "y"));
    assert_true(json_is_null(json_object_get(after, "override")));
    assert_string_equal(cz_json_str(json_object_get(was, "spec"), "consumer_group", "x"),
                        cz_json_str(json_object_get(is, "spec"), "consumer_group", "y"));
    json_decref(before);
    json_decref(after);
    json_decref(was);
    json_decref(is);
    assert_state(f, "core", "in_sync");
    /* its group is not to be had under the old name */
    problem(f, put(f, CZ_KIND_MAPPING, "a", "{'spec':{'source':{'cluster':'source','topic':'a'},"
                   "'target':{'cluster':'target','topic':'other'}}}"),
            "/spec/consumer_group", "group-in-use");
    must(f, rollback(f, renamed));
    after = get(f, CZ_KIND_MAPPING, "a");
    assert_non_null(after);
    json_decref(after);
    assert_null(get(f, CZ_KIND_MAPPING, "z"));
    problem(f, apply_as(f, "core", "[{'kind':'cluster','name':'z','renamed_from':'a','spec':{}}]", PLAIN,
                        true),
            "/objects/0/renamed_from", "type");
}

static void test_impact(void **state)
{
    struct fixture *f = *state;
    must(f, apply_as(f, "core", "[" M("a", "") "," M("b", "") "," M("c", "") "]", PLAIN, false));
    must(f, apply_as(f, "core",
                     "[" M("a", ",'valid_jmespath':'a'") ","
                     M("b", ",'valid_jmespath':'a','on_change':{'offset':'latest'}") ","
                     M("c", ",'enabled':false") "]", PLAIN, true));
    assert_non_null(impact_of("a", "live"));
    assert_null(impact_of("a", "restart"));
    assert_non_null(impact_of("b", "restart"));
    assert_non_null(impact_of("b", "offset-jump"));
    assert_non_null(impact_of("c", "switched-off"));
    must(f, apply_as(f, "core",
                     "[" M("a", ",'target_service_consumer_group':'service'") ","
                     M("b", ",'on_change':{'offset':'earliest'}") ","
                     M("c", ",'delivery':'exactly_once'") "]", PLAIN, true));
    assert_non_null(strstr(impact_of("a", "group-deleted"), "\"service\" on cluster \"target\""));
    assert_non_null(impact_of("b", "read-again"));
    assert_non_null(impact_of("c", "restart"));
}

static void test_templates(void **state)
{
    struct fixture *f = *state;
    static const char one[] =
        "[{'kind':'instance','name':'eu','spec':{'template':'t','vars':{'A':'a'}}},"
        "{'kind':'template','name':'t','spec':{'variables':{'A':{}},'mappings':[{'name':'{{A}} copy',"
        "'spec':{'source':{'cluster':'source','topic':'{{A}}'},'target':{'cluster':'target','topic':"
        "'{{A}}'},'tasks':1}}]}}]",
        two[] =
        "[{'kind':'instance','name':'eu','spec':{'template':'t','vars':{'A':'a'}}},"
        "{'kind':'template','name':'t','spec':{'variables':{'A':{}},'mappings':[{'name':'{{A}} copy',"
        "'spec':{'source':{'cluster':'source','topic':'{{A}}'},'target':{'cluster':'target','topic':"
        "'{{A}}'},'tasks':2}}]}}]";
    must(f, apply_as(f, "core", one, PLAIN, false));
    assert_int_equal(summary("create"), 2);
    assert_int_equal(summary("rendered"), 1);
    assert_owner(f, "a copy", "instance:eu");
    assert_string_equal(cz_json_str(change_of("a copy"), "derived_from", ""), "instance:eu");
    must(f, apply_as(f, "core", two, PLAIN, true));
    assert_int_equal(summary("update"), 1);
    assert_int_equal(summary("rendered"), 1);
    assert_int_equal(summary("unchanged"), 1);
    must(f, apply_as(f, "other", "[" M("a copy", "") "]", WITH(.force_adopt = true), true));
    blocked("owned-by-instance");
    must(f, apply_as(f, "core", "[]", WITH(.prune = true, .allow_empty = true), false));
    assert_int_equal(summary("delete"), 2);
    assert_null(get(f, CZ_KIND_MAPPING, "a copy"));
    assert_null(get(f, CZ_KIND_TEMPLATE, "t"));
}

static void test_clusters_in_use(void **state)
{
    struct fixture *f = *state;
    must(f, apply_as(f, "base", "[{'kind':'cluster','name':'third','spec':{'bootstrap_servers':'h:3'}},"
                     "{'kind':'value_map','name':'ids','spec':{'key':{'1':'2'}}}]", PLAIN, false));
    must(f, put(f, CZ_KIND_MAPPING, "m",
                "{'spec':{'source':{'cluster':'third','topic':'x'},'target':{'cluster':'target'}}}"));
    must(f, apply_as(f, "base", "[{'kind':'value_map','name':'ids','spec':{'key':{'1':'3'}}}]",
                     WITH(.prune = true), true));
    blocked("in-use");
    assert_non_null(impact_of("ids", "live"));
}

#define NINE                                                                                   \
    M("m1", "") "," M("m2", "") "," M("m3", "") "," M("m4", "") "," M("m5", "") "," M("m6", "")  \
        "," M("m7", "") "," M("m8", "") "," M("m9", "")

/** Many at once are looked at another way than a few: cycles and shared groups are found all the same. */
static void test_many_at_once(void **state)
{
    struct fixture *f = *state;
    static const char back[] = "{'kind':'mapping','name':'back','spec':{'source':{'cluster':'target',"
                               "'topic':'m5'},'target':{'cluster':'source','topic':'%s'}}}";
    CZ_CLEANUP(cz_freep) char *home = cz_strf(back, "m5");
    CZ_CLEANUP(cz_freep) char *away = cz_strf(back, "elsewhere");
    CZ_CLEANUP(cz_freep) char *cycle = cz_strf("[" NINE ",%s]", home);
    CZ_CLEANUP(cz_freep) char *chain = cz_strf("[" NINE ",%s]", away);
    problem(f, apply_as(f, "core", cycle, PLAIN, true), "/objects/9/spec/target", "cycle");
    must(f, apply_as(f, "core", chain, PLAIN, true));
    problem(f, apply_as(f, "core",
                        "[" NINE "," M("x", ",'consumer_group':'g'")
                        ",{'kind':'mapping','name':'y','spec':{'source':{'cluster':'source','topic':'x'},"
                        "'target':{'cluster':'target','topic':'z'},'consumer_group':'g'}}]", PLAIN, true),
            "/objects/9/spec/consumer_group", "group-in-use");
    /* with what is there already: the default group of another */
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING("")));
    problem(f, apply_as(f, "core",
                        "[" NINE ",{'kind':'mapping','name':'y','spec':{'source':{'cluster':'source','topic':"
                        "'orders'},'target':{'cluster':'target','topic':'z'},"
                        "'consumer_group':'citizenk.default.m'}}]", PLAIN, true),
            "/objects/9/spec/consumer_group", "group-in-use");
    must(f, put(f, CZ_KIND_MAPPING, "back",
                "{'spec':{'source':{'cluster':'target','topic':'m3'},'target':{'cluster':'source',"
                "'topic':'m3'}}}"));
    problem(f, apply_as(f, "core", "[" NINE "," M("m10", "") "]", PLAIN, true), "/objects/2/spec/target",
            "cycle");
}

static void test_adopt_and_release(void **state)
{
    struct fixture *f = *state;
    struct cz_set_object a = {CZ_KIND_MAPPING, "a", "/objects/0"}, m = {CZ_KIND_MAPPING, "m", "/objects/0"};
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING("")));
    must(f, apply_as(f, "core", TWO, PLAIN, false));
    forget(f);
    must(f, cz_service_own(f->s, &caller, &plain, "default", "core", &a, 1, false, false, &f->r, &f->rep,
                           &f->err));
    assert_owner(f, "a", NULL);
    assert_state(f, "core", "in_sync");
    forget(f);
    must(f, cz_service_own(f->s, &caller, &plain, "default", "new", &m, 1, true, false, &f->r, &f->rep,
                           &f->err));
    assert_owner(f, "m", "set:new");
    assert_state(f, "new", "never_applied");
    forget(f);
    problem(f, cz_service_own(f->s, &caller, &plain, "default", "core", &m, 1, true, false, &f->r, &f->rep,
                              &f->err),
            "/objects/0/name", "owned");
    forget(f);
    problem(f, cz_service_own(f->s, &caller, &plain, "default", "core", &m, 1, false, false, &f->r,
                              &f->rep, &f->err),
            "/objects/0/name", "not-a-member");
    forget(f);
    must(f, cz_service_own(f->s, &caller, &plain, "default", "core", &m, 1, true, true, &f->r, &f->rep,
                           &f->err));
    assert_owner(f, "m", "set:core");
    forget(f);
    assert_int_equal(cz_service_delete_set(f->s, &caller, &plain, "default", "core", &f->r, &f->err),
                     CZ_E_CONFLICT);
    forget(f);
    must(f, cz_service_own(f->s, &caller, &plain, "default", "core", NULL, 0, false, false, &f->r, &f->rep,
                           &f->err));
    assert_owner(f, "b", NULL);
    forget(f);
    must(f, cz_service_delete_set(f->s, &caller, &plain, "default", "core", &f->r, &f->err));
    json_t *all = NULL;
    must(f, cz_service_sets(f->s, "default", &all, &f->err));
    assert_int_equal(json_array_size(json_object_get(all, "items")), 1);
    json_decref(all);
}

static int done(void **state)
{
    forget(*state);
    return teardown(state);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, done)
int main(void)
{
    cz_json_init();
    const struct CMUnitTest tests[] = {
        T(test_plan_and_apply), T(test_all_or_nothing),  T(test_stale_plan),
        T(test_owners),         T(test_break_glass_is_drift), T(test_prune),
        T(test_rollback_suspends), T(test_suspend_by_hand), T(test_rename),
        T(test_impact),         T(test_templates),       T(test_clusters_in_use),
        T(test_adopt_and_release), T(test_many_at_once),
    };
    return fixture_can() ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
