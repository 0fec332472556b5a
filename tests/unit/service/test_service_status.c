/* SPDX-License-Identifier: Apache-2.0 */
/** Status out of what workers say: leases and assignment generations decide, not the report. */
#include "cz/scheduler.h"
#include "fixture.h"

static struct cz_mapping_view the_view;
static bool have_view;

static bool view(void *arg, const char *uid, struct cz_mapping_view *ret)
{
    (void)arg;
    (void)uid;
    if (have_view)
        *ret = the_view;
    return have_view;
}

static void feed(struct fixture *f, const char *key, const char *value)
{
    struct cz_channel_record r = {
        .key = cz_strdup(key), .value = value ? js(value) : NULL, .timestamp_ms = cz_wall_ms()};
    cz_status_view_feed(f->view, &r);
    cz_channel_record_done(&r);
}

static char *make(struct fixture *f)
{
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING("")));
    cz_service_set_view(f->s, view, NULL, NULL);
    have_view = true;
    the_view = (struct cz_mapping_view){.topics_exist = CZ_COND_TRUE,
                                        .topics_reason = "TopicsExist",
                                        .assigned = CZ_COND_TRUE,
                                        .assigned_reason = "Assigned",
                                        .assignment_generation = 5,
                                        .tasks = 2,
                                        .partitions = 4};
    return cz_strdup(cz_json_str(f->r.resource, "uid", ""));
}

static void worker(struct fixture *f, const char *id, int lease_ms)
{
    CZ_CLEANUP(cz_freep) char *key = cz_strf("worker/%s", id);
    CZ_CLEANUP(cz_freep)
    char *value = cz_strf("{'id':'%s','incarnation':'1','host':'h','version':'0','started_ms':"
                          "1,'rest':'r','capacity':100,'lease_ms':%d,"
                          "'applied':'7','epoch':'3','tasks':1,'at_ms':1}",
                          id, lease_ms);
    feed(f, key, value);
}

static void task(struct fixture *f,
                 const char *uid,
                 int n,
                 const char *who,
                 const char *task_state,
                 int generation)
{
    CZ_CLEANUP(cz_freep) char *key = cz_strf("task/%s/%d", uid, n);
    CZ_CLEANUP(cz_freep)
    char *value = cz_strf("{'uid':'%s','task':%d,'state':'%s','worker':'%s','incarnation':'1','"
                          "generation':'%d','mapping_generation':'1',"
                          "'error':{'code':'kafka','text':'it broke'},'since_ms':5,'at_ms':6}",
                          uid, n, task_state, who, generation);
    feed(f, key, value);
}

static json_t *status(struct fixture *f)
{
    json_t *j = NULL;
    must(f, cz_service_status(f->s, "default", "m", &j, &f->err));
    return j;
}

static void expect(struct fixture *f,
                   const char *want_state,
                   const char *type,
                   const char *want,
                   const char *reason)
{
    json_t *j = status(f), *c;
    size_t i;
    bool seen = false;
    assert_string_equal(cz_json_str(j, "state", ""), want_state);
    json_array_foreach (json_object_get(j, "conditions"), i, c) {
        if (!cz_streq(cz_json_str(c, "type", NULL), type))
            continue;
        seen = true;
        assert_string_equal(cz_json_str(c, "status", ""), want);
        assert_string_equal(cz_json_str(c, "reason", ""), reason);
        assert_non_null(json_object_get(c, "last_transition"));
    }
    assert_true(seen);
    json_decref(j);
}

static void test_states(void **state)
{
    struct fixture *f = *state;
    CZ_CLEANUP(cz_freep) char *uid = make(f);
    expect(f, "UNASSIGNED", "Assigned", "False", "Waiting");
    worker(f, "w1", 10000);
    task(f, uid, 0, "w1", "RUNNING", 5);
    expect(f, "UNASSIGNED", "Assigned", "False", "Waiting"); /* task 1 is nobody's */
    task(f, uid, 1, "w1", "RUNNING", 5);
    expect(f, "RUNNING", "Assigned", "True", "Assigned");
    expect(f, "RUNNING", "Ready", "True", "Running");
    task(f, uid, 1, "w1", "FAILED", 5);
    expect(f, "FAILED", "Ready", "False", "Failed");
    task(f, uid, 1, "w1", "RUNNING", 5);
    /* an old assignment's report is not trusted */
    the_view.assignment_generation = 6;
    expect(f, "UNASSIGNED", "Assigned", "False", "Waiting");
    the_view.assignment_generation = 5;
    /* nor that of a worker which has left */
    feed(f, "worker/w1", NULL);
    expect(f, "UNASSIGNED", "Assigned", "False", "Waiting");
    worker(f, "w1", 10000);
    /* one that is done waits for the others; all of them: finished, even when the worker goes */
    task(f, uid, 0, "w1", "FINISHED", 5);
    expect(f, "RUNNING", "Ready", "True", "Running");
    task(f, uid, 1, "w1", "FINISHED", 5);
    feed(f, "worker/w1", NULL);
    expect(f, "FINISHED", "Ready", "True", "Finished");
    expect(f, "FINISHED", "Progressing", "False", "Finished");
    worker(f, "w1", 10000);
    task(f, uid, 0, "w1", "RUNNING", 5);
    task(f, uid, 1, "w1", "RUNNING", 5);
    the_view.topics_exist = CZ_COND_FALSE;
    (void)snprintf(the_view.topics_reason, sizeof the_view.topics_reason, "TopicMissing");
    expect(f, "RUNNING", "TopicsExist", "False", "TopicMissing");
    expect(f, "RUNNING", "Ready", "False", "TopicMissing");
    cz_write_result_done(&f->r);
    must(f, cz_service_pause(f->s, &caller, &(struct cz_write){0}, "default", "m", "x", 0,
                             &f->r, &f->err));
    expect(f, "PAUSED", "Progressing", "False", "Paused");
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING(",'enabled':false")));
    expect(f, "STOPPED", "Progressing", "False", "Stopped");
}

static void test_rolling_out(void **state)
{
    struct fixture *f = *state;
    CZ_CLEANUP(cz_freep) char *uid = make(f);
    the_view.tasks = 1;
    worker(f, "w1", 10000);
    task(f, uid, 0, "w1", "RUNNING", 5);
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING(",'tasks':1")));
    expect(f, "RUNNING", "Ready", "False", "RollingOut");
    json_t *j = status(f);
    assert_string_equal(cz_json_str(j, "generation", ""), "2");
    assert_string_equal(cz_json_str(j, "observed_generation", ""), "1");
    assert_int_equal(json_array_size(json_object_get(j, "tasks")), 1);
    json_decref(j);
}

/* Fewer tasks than before: what was said of the others does not count. */
static void test_fewer_tasks(void **state)
{
    struct fixture *f = *state;
    CZ_CLEANUP(cz_freep) char *uid = make(f);
    worker(f, "w1", 10000);
    for (int n = 0; n < 4; n++)
        task(f, uid, n, "w1", "RUNNING", 5);
    the_view.assignment_generation = 6;
    the_view.tasks = the_view.task_numbers = 1;
    task(f, uid, 0, "w1", "RUNNING", 6);
    expect(f, "RUNNING", "Assigned", "True", "Assigned");
    expect(f, "RUNNING", "Ready", "True", "Running");
    json_t *j = status(f);
    assert_int_equal(json_array_size(json_object_get(j, "tasks")), 1);
    json_decref(j);
}

static void restart(struct fixture *f, bool again)
{
    cz_write_result_done(&f->r);
    must(f, cz_service_restart(f->s, &caller, &(struct cz_write){0}, "default", "m", &f->r, &f->err));
    json_t *j = published_mapping(f, "m");
    const char *run = cz_json_str(j, "run", "none");
    assert_int_equal(strcmp(run, cz_json_str(j, "restart", "")) == 0, again);
    json_decref(j);
}

/* A restart of what is FINISHED is a new run, one of what runs is not; a pause forgets neither. */
static void test_run_again(void **state)
{
    struct fixture *f = *state;
    CZ_CLEANUP(cz_freep) char *uid = make(f);
    the_view.tasks = 1;
    worker(f, "w1", 10000);
    task(f, uid, 0, "w1", "RUNNING", 5);
    restart(f, false);
    task(f, uid, 0, "w1", "FINISHED", 5);
    restart(f, true);
    cz_write_result_done(&f->r);
    must(f, cz_service_pause(f->s, &caller, &(struct cz_write){0}, "default", "m", "x", 0,
                             &f->r, &f->err));
    json_t *j = published_mapping(f, "m");
    CZ_CLEANUP(cz_freep) char *run = cz_strdup(cz_json_str(j, "run", NULL));
    assert_non_null(run);
    json_decref(j);
    cz_write_result_done(&f->r);
    must(f, cz_service_resume(f->s, &caller, &(struct cz_write){0}, "default", "m", &f->r, &f->err));
    /* A change of what is FINISHED is one, too; of what is not, not; nor is the same once more. */
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING(",'end':'now'")));
    j = published_mapping(f, "m");
    const char *changed = cz_json_str(j, "run", NULL);
    assert_string_not_equal(changed, run);
    assert_string_not_equal(changed, cz_json_str(j, "restart", ""));
    json_t *after = NULL;
    for (int i = 0; i < 2; i++) {
        must(f, put(f, CZ_KIND_MAPPING, "m", i ? MAPPING(",'end':'now','tasks':2") : MAPPING(",'end':'now'")));
        after = published_mapping(f, "m");
        assert_string_equal(cz_json_str(after, "run", NULL), changed);
        json_decref(after);
    }
    json_decref(j);
}

static enum cz_err put_recopies(struct cz_tx *tx, void *arg, struct cz_error *err)
{
    static const char *const names[] = {"m (recopy)", "other (recopy)"};
    struct cz_resource r = {0};
    enum cz_err code = CZ_OK;
    for (size_t i = 0; !code && i < 2; i++) {
        code = cz_tx_put(tx, "default", CZ_KIND_MAPPING, names[i], arg, NULL, i ? "mapping:other" : "mapping:m",
                         CZ_OP_CREATE, &r, err);
        cz_resource_done(&r);
    }
    return code;
}

/* Copies of a part go some time after their end, by hand at any time, or with their mapping. */
static void test_recopies(void **state)
{
    struct fixture *f = *state;
    CZ_CLEANUP(cz_freep) char *own = make(f);
    int64_t seq = 0;
    json_t *doc = js(MAPPING(",'end':'now'")), *copy;
    const struct cz_change_meta meta = {.team = "default", .actor = "a", .via = "api", .action = "test"};
    must(f, cz_store_write(f->store, &meta, false, put_recopies, doc, &seq, &f->err));
    copy = get(f, CZ_KIND_MAPPING, "m (recopy)");
    the_view.tasks = 1;
    worker(f, "w1", 10000);
    task(f, own, 0, "w1", "FINISHED", 5);
    task(f, cz_json_str(copy, "uid", ""), 0, "w1", "RUNNING", 5);
    json_decref(copy);
    cz_service_recopies_end(f->s, 0); /* it runs; the other one is not known to have begun */
    copy = get(f, CZ_KIND_MAPPING, "m (recopy)");
    assert_non_null(copy);
    task(f, cz_json_str(copy, "uid", ""), 0, "w1", "FINISHED", 5);
    json_decref(copy);
    cz_service_recopies_end(f->s, cz_wall_ms() + 60000); /* tasks tell 1970 here */
    copy = get(f, CZ_KIND_MAPPING, "m (recopy)");
    assert_non_null(copy);
    json_decref(copy);
    cz_service_recopies_end(f->s, 0);
    assert_null(get(f, CZ_KIND_MAPPING, "m (recopy)"));
    copy = get(f, CZ_KIND_MAPPING, "m");
    assert_non_null(copy); /* itself is nobody's copy */
    json_decref(copy);
    struct cz_write any = {.if_match = CZ_IF_MATCH_ANY};
    cz_write_result_done(&f->r);
    must(f, cz_service_delete(f->s, &caller, &any, "default", CZ_KIND_MAPPING, "other (recopy)", &f->r, &f->err));
    must(f, cz_store_write(f->store, &meta, false, put_recopies, doc, &seq, &f->err));
    cz_write_result_done(&f->r);
    must(f, cz_service_delete(f->s, &caller, &any, "default", CZ_KIND_MAPPING, "m", &f->r, &f->err));
    assert_null(get(f, CZ_KIND_MAPPING, "m (recopy)"));
    copy = get(f, CZ_KIND_MAPPING, "other (recopy)");
    assert_non_null(copy);
    json_decref(copy);
    json_decref(doc);
}

static void test_stats(void **state)
{
    struct fixture *f = *state;
    CZ_CLEANUP(cz_freep) char *uid = make(f);
    CZ_CLEANUP(cz_freep) char *key = cz_strf("stats/w1/%s", uid);
    worker(f, "w1", 10000);
    feed(f, key,
         "{'worker':'w1','uid':'x','at_ms':1,'partitions':[{'topic':'orders','partition':0,'in'"
         ":10,'out':7,'bytes_in':100,'bytes_out':70,"
         "'dropped':{'filter':3},'position':10,'end':15,'lag':5}],'delay':{'counts':[0,0,0,10,"
         "0,0,0,0,0,0,0,0,0,0,0,0,0],'sum_ms':80,'total':10}}");
    CZ_CLEANUP(cz_freep)
    char *value =
        cz_strf("{'worker':'w1','uid':'%s','at_ms':1,'partitions':[{'topic':'orders','"
                "partition':0,'in':10,'out':7,'bytes_in':100,'bytes_out':70,"
                "'dropped':{'filter':3},'position':10,'end':15,'lag':5}],'delay':{'counts':[0,"
                "0,0,10,0,0,0,0,0,0,0,0,0,0,0,0,0],'sum_ms':80,'total':10}}",
                uid);
    feed(f, key, value);
    json_t *j = status(f);
    assert_string_equal(cz_json_str(j, "lag", ""), "5");
    json_t *p = json_array_get(json_object_get(j, "partitions"), 0);
    assert_string_equal(cz_json_str(p, "worker", ""), "w1");
    assert_string_equal(cz_json_str(json_object_get(p, "dropped"), "filter", ""), "3");
    json_decref(j);
    must(f, cz_service_stats(f->s, NULL, NULL, &j, &f->err));
    assert_int_equal(cz_json_int(json_object_get(j, "totals"), "in", 0), 10);
    assert_int_equal(cz_json_int(json_array_get(json_object_get(j, "items"), 0), "lag", 0), 5);
    json_decref(j);
    assert_int_equal(cz_service_stats(f->s, NULL, "nobody", &j, NULL), CZ_E_NOT_FOUND);
    must(f, cz_service_workers(f->s, &j, &f->err));
    p = json_array_get(json_object_get(j, "items"), 0);
    assert_string_equal(cz_json_str(p, "state", ""), "alive");
    assert_string_equal(cz_json_str(p, "applied", ""), "7");
    json_decref(j);
    struct cz_buf b = CZ_BUF_INIT(1 << 20);
    must(f, cz_service_metrics(f->s, &b, &f->err));
    assert_non_null(
        strstr(cz_buf_str(&b),
               "citizenk_mapping_records_in_total{team=\"default\",mapping=\"m\"} 10"));
    assert_non_null(strstr(cz_buf_str(&b), "citizenk_mapping_records_dropped_total{team="
                                           "\"default\",mapping=\"m\",reason=\"filter\"} 3"));
    assert_non_null(strstr(cz_buf_str(&b),
                           "citizenk_mapping_lag_records{team=\"default\",mapping=\"m\"} 5"));
    cz_buf_done(&b);
    assert_int_equal(cz_service_status(f->s, "default", "nope", &j, NULL), CZ_E_NOT_FOUND);
}

static void test_list(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 25; i++) {
        CZ_CLEANUP(cz_freep) char *name = cz_strf("m%02d", i);
        must(f,
             put(f, CZ_KIND_MAPPING, name, i % 5 ? MAPPING("") : MAPPING(",'enabled':false")));
    }
    struct cz_list_filter lf = {.team = "default", .kind = CZ_KIND_MAPPING, .limit = 10};
    char team[64] = "", name[64] = "";
    int pages = 0, items = 0;
    for (bool more = true; more; pages++) {
        struct cz_page p = {0};
        must(f, cz_service_list(f->s, &lf, NULL, &p, &f->err));
        items += (int)json_array_size(p.items);
        more = p.next_name != NULL;
        (void)snprintf(team, sizeof team, "%s", p.next_team ? p.next_team : "");
        (void)snprintf(name, sizeof name, "%s", p.next_name ? p.next_name : "");
        lf.after_team = team;
        lf.after_name = name;
        cz_page_done(&p);
    }
    assert_int_equal(pages, 3);
    assert_int_equal(items, 25);
    struct cz_page p = {0};
    lf.after_team = lf.after_name = NULL;
    lf.limit = 3;
    must(f, cz_service_list(f->s, &lf, "STOPPED", &p, &f->err));
    assert_int_equal(json_array_size(p.items), 3);
    assert_string_equal(p.next_name, "m10");
    cz_page_done(&p);
    lf.limit = 100;
    must(f, cz_service_list(f->s, &lf, "STOPPED", &p, &f->err));
    assert_int_equal(json_array_size(p.items), 5);
    assert_null(p.next_name);
    cz_page_done(&p);
    lf.limit = 1001;
    assert_int_equal(cz_service_list(f->s, &lf, NULL, &p, NULL), CZ_E_INVALID);
    lf.limit = 1;
    lf.team = "nobody";
    assert_int_equal(cz_service_list(f->s, &lf, NULL, &p, NULL), CZ_E_NOT_FOUND);
}

static void test_teams(void **state)
{
    struct fixture *f = *state;
    json_t *j = NULL;
    const struct cz_write w = {0};
    int64_t version = -1;
    must(f, cz_service_put_team(f->s, &caller, &w, "payments", NULL, &j, &version, &f->rep, &f->err));
    assert_int_equal(version, 0);
    json_decref(j);
    must(f, cz_service_teams(f->s, NULL, &j, &f->err));
    assert_int_equal(json_array_size(json_object_get(j, "items")), 2);
    json_decref(j);
    assert_int_equal(cz_service_put_team(f->s, &caller, &w, "a/b", NULL, &j, &version, NULL, NULL), CZ_E_INVALID);
    must(f, cz_service_ready(f->s, cz_deadline_ms(1000), &j, &f->err));
    json_decref(j);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
int main(void)
{
    cz_json_init();
    const struct CMUnitTest tests[] = {T(test_states), T(test_rolling_out), T(test_fewer_tasks), T(test_run_again), T(test_recopies), T(test_stats),
                                       T(test_list), T(test_teams)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
