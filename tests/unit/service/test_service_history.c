/* SPDX-License-Identifier: Apache-2.0 */
/** History, restore, rollback, and the overrides. */
#include <time.h>

#include "fixture.h"

static const struct cz_write any = {.if_match = CZ_IF_MATCH_ANY};
static const struct cz_write plain = {0};

static enum cz_err rollback(struct fixture *f, int64_t seq)
{
    cz_write_result_done(&f->r);
    cz_report_done(&f->rep);
    cz_error_reset(&f->err);
    return cz_service_rollback(f->s, &caller, &plain, seq, NULL, &f->r, &f->rep, &f->err);
}

static enum cz_err restore(struct fixture *f, const char *name, int64_t generation)
{
    cz_write_result_done(&f->r);
    cz_report_done(&f->rep);
    cz_error_reset(&f->err);
    return cz_service_restore(f->s, &caller, &any, "default", CZ_KIND_MAPPING, name, generation,
                              &f->r, &f->rep, &f->err);
}

static enum cz_err drop(struct fixture *f, enum cz_kind kind, const char *name)
{
    cz_write_result_done(&f->r);
    cz_error_reset(&f->err);
    return cz_service_delete(f->s, &caller, &any, "default", kind, name, &f->r, &f->err);
}

static int64_t tasks_of(struct fixture *f, const char *name)
{
    json_t *e = get(f, CZ_KIND_MAPPING, name);
    int64_t n = cz_json_int(json_object_get(e, "spec"), "tasks", 0);
    json_decref(e);
    return n;
}

static void test_history(void **state)
{
    struct fixture *f = *state;
    json_t *j = NULL;
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING(",'tasks':1")));
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING(",'tasks':2")));
    int64_t seq = f->r.seq;
    must(f, cz_service_revisions(f->s, "default", CZ_KIND_MAPPING, "m", 0, 0, &j, &f->err));
    json_t *items = json_object_get(j, "items");
    assert_int_equal(json_array_size(items), 2);
    assert_string_equal(cz_json_str(json_array_get(items, 0), "op", ""), "update");
    assert_string_equal(cz_json_str(json_array_get(items, 0), "actor", ""), "alice");
    assert_true(json_is_null(json_object_get(j, "next")));
    json_decref(j);
    must(f, cz_service_revisions(f->s, "default", CZ_KIND_MAPPING, "m", 0, 1, &j, &f->err));
    assert_string_not_equal(cz_json_str(j, "next", ""), "");
    json_decref(j);
    must(f, cz_service_change(f->s, seq, &j, &f->err));
    json_t *o = json_array_get(json_object_get(j, "objects"), 0);
    assert_int_equal(
        cz_json_int(json_object_get(json_object_get(o, "before"), "spec"), "tasks", 0), 1);
    assert_string_equal(
        cz_json_str(json_array_get(json_object_get(o, "changes"), 0), "pointer", ""),
        "/spec/tasks");
    json_decref(j);
    must(f, cz_service_diff(f->s, "default", CZ_KIND_MAPPING, "m", 1, 2, &j, &f->err));
    o = json_array_get(json_object_get(j, "changes"), 0);
    assert_string_equal(cz_json_str(o, "op", ""), "replace");
    assert_int_equal(json_integer_value(json_object_get(o, "to")), 2);
    json_decref(j);
    assert_int_equal(cz_service_diff(f->s, "default", CZ_KIND_MAPPING, "m", 1, 9, &j, NULL),
                     CZ_E_NOT_FOUND);
    struct cz_change_filter cf = {.team = "default", .kind = CZ_KIND_COUNT_, .limit = 2};
    must(f, cz_service_changes(f->s, &cf, &j, &f->err));
    assert_int_equal(json_array_size(json_object_get(j, "items")), 2);
    cf.before = cz_json_int(j, "next", 0);
    json_decref(j);
    must(f, cz_service_changes(f->s, &cf, &j, &f->err));
    assert_true(cz_json_int(json_array_get(json_object_get(j, "items"), 0), "seq", 0) <
                cf.before);
    json_decref(j);
}

static void test_restore(void **state)
{
    struct fixture *f = *state;
    must(f, put(f, CZ_KIND_VALUE_MAP, "ids", "{'spec':{'key':{'1':2}}}"));
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING(",'tasks':1,'value_map':'ids'")));
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING(",'tasks':2")));
    must(f, restore(f, "m", 1));
    assert_int_equal(tasks_of(f, "m"), 1);
    assert_string_equal(cz_json_str(f->r.resource, "generation", ""), "3");
    assert_int_equal(restore(f, "m", 77), CZ_E_NOT_FOUND);
    assert_int_equal(cz_service_restore(f->s, &caller, &plain, "default", CZ_KIND_MAPPING, "m",
                                        2, &f->r, &f->rep, NULL),
                     CZ_E_PRECONDITION);
    /* checked as any other write: the value map is gone */
    must(f, restore(f, "m", 2));
    must(f, drop(f, CZ_KIND_VALUE_MAP, "ids"));
    problem(f, restore(f, "m", 1), "/spec/value_map", "not-found");
    assert_int_equal(tasks_of(f, "m"), 2);
    /* a deleted one comes back */
    must(f, drop(f, CZ_KIND_MAPPING, "m"));
    cz_write_result_done(&f->r);
    must(f, cz_service_restore(f->s, &caller, &plain, "default", CZ_KIND_MAPPING, "m", 2, &f->r,
                               &f->rep, &f->err));
    assert_int_equal(tasks_of(f, "m"), 2);
    json_t *p = published_mapping(f, "m");
    assert_non_null(p);
    json_decref(p);
}

static void test_rollback_update(void **state)
{
    struct fixture *f = *state;
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING(",'tasks':1")));
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING(",'tasks':2")));
    int64_t bad = f->r.seq;
    must(f, rollback(f, bad));
    assert_int_equal(tasks_of(f, "m"), 1);
    json_t *j = NULL;
    must(f, cz_service_change(f->s, f->r.seq, &j, &f->err));
    assert_int_equal(cz_json_int(j, "reverts", 0), bad);
    json_decref(j);
    /* once more: it was changed since (by the rollback itself) */
    assert_int_equal(rollback(f, bad), CZ_E_CONFLICT);
    assert_non_null(strstr(f->err.text, "changed since"));
    assert_int_equal(rollback(f, 4711), CZ_E_NOT_FOUND);
}

static void test_rollback_create_and_delete(void **state)
{
    struct fixture *f = *state;
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING(",'tasks':3")));
    int64_t created = f->r.seq;
    must(f, rollback(f, created));
    assert_null(get(f, CZ_KIND_MAPPING, "m"));
    assert_int_equal(published_count(f), 2);
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING(",'tasks':4")));
    must(f, drop(f, CZ_KIND_MAPPING, "m"));
    int64_t deleted = f->r.seq;
    must(f, rollback(f, deleted));
    assert_int_equal(tasks_of(f, "m"), 4);
    /* the name is in use again: left alone */
    assert_int_equal(rollback(f, deleted), CZ_E_CONFLICT);
    assert_int_equal(tasks_of(f, "m"), 4);
}

#define TEMPLATE(extra)                                                                        \
    "{'spec':{'variables':{'T':{}},'mappings':[{'name':'{{T}} "                                \
    "copy','spec':{'source':{'cluster':'source',"                                              \
    "'topic':'{{T}}'},'target':{'cluster':'target'}" extra "}}]}}"

static void test_rollback_template(void **state)
{
    struct fixture *f = *state;
    must(f, put(f, CZ_KIND_TEMPLATE, "t", TEMPLATE(",'tasks':1")));
    must(f, put(f, CZ_KIND_INSTANCE, "i", "{'spec':{'template':'t','vars':{'T':'a'}}}"));
    int64_t made = f->r.seq;
    must(f, put(f, CZ_KIND_TEMPLATE, "t", TEMPLATE(",'tasks':2")));
    int64_t bad = f->r.seq;
    must(f, rollback(f, bad));
    assert_int_equal(tasks_of(f, "a copy"), 1);
    assert_int_equal(json_array_size(f->r.skipped), 0);
    assert_int_equal(json_array_size(f->r.changes), 2);
    /* delete the instance and undo that */
    must(f, drop(f, CZ_KIND_INSTANCE, "i"));
    int64_t dropped = f->r.seq;
    must(f, rollback(f, dropped));
    json_t *e = get(f, CZ_KIND_MAPPING, "a copy");
    assert_string_equal(cz_json_str(e, "managed_by", ""), "instance:i");
    json_decref(e);
    /* the creation of the instance: it was changed since */
    assert_int_equal(rollback(f, made), CZ_E_CONFLICT);
    must(f, put(f, CZ_KIND_INSTANCE, "j", "{'spec':{'template':'t','vars':{'T':'b'}}}"));
    must(f, rollback(f, f->r.seq));
    assert_null(get(f, CZ_KIND_MAPPING, "b copy"));
    assert_null(get(f, CZ_KIND_INSTANCE, "j"));
}

static void test_rollback_dry_run(void **state)
{
    struct fixture *f = *state;
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING(",'tasks':1")));
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING(",'tasks':2")));
    int64_t bad = f->r.seq;
    struct cz_write dry = {.dry_run = true};
    cz_write_result_done(&f->r);
    must(f, cz_service_rollback(f->s, &caller, &dry, bad, NULL, &f->r, &f->rep, &f->err));
    assert_int_equal(json_array_size(f->r.changes), 1);
    const json_t *diff = json_object_get(json_array_get(f->r.changes, 0), "diff");
    assert_string_equal(cz_json_str(json_array_get(diff, 0), "pointer", ""), "/spec/tasks");
    assert_int_equal(cz_json_int(json_array_get(diff, 0), "to", 0), 1);
    assert_int_equal(tasks_of(f, "m"), 2);
    assert_int_equal(seq_of(f), bad);
}

static enum cz_err force(struct fixture *f, int64_t seq, const struct cz_force *what)
{
    cz_write_result_done(&f->r);
    cz_report_done(&f->rep);
    cz_error_reset(&f->err);
    return cz_service_rollback(f->s, &caller, &plain, seq, what, &f->r, &f->rep, &f->err);
}

/* What was changed since is told with its version, and overwritten only when it is named. */
static void test_rollback_force(void **state)
{
    struct fixture *f = *state;
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING(",'tasks':1")));
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING(",'tasks':2")));
    int64_t bad = f->r.seq;
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING(",'tasks':3")));
    int64_t since = f->r.seq;
    struct cz_force_item item = {.kind = CZ_KIND_MAPPING, .name = "m", .version = since + 1};
    const struct cz_force one = {.items = &item, .len = 1}, all = {.all = true};
    assert_int_equal(force(f, bad, NULL), CZ_E_CONFLICT);
    assert_int_equal(force(f, bad, &one), CZ_E_CONFLICT);
    assert_non_null(strstr(f->err.text, "version that was named"));
    item.name = "other";
    assert_int_equal(force(f, bad, &one), CZ_E_CONFLICT);
    item = (struct cz_force_item){.kind = CZ_KIND_MAPPING, .name = "m", .version = since};
    must(f, force(f, bad, &one));
    assert_int_equal(tasks_of(f, "m"), 1);
    assert_true(cz_json_bool(json_array_get(f->r.changes, 0), "forced", false));
    /* deleted since: it comes back as it was before */
    must(f, drop(f, CZ_KIND_MAPPING, "m"));
    int64_t dropped = f->r.seq;
    assert_int_equal(force(f, bad, NULL), CZ_E_CONFLICT);
    must(f, force(f, bad, &all));
    assert_int_equal(tasks_of(f, "m"), 1);
    /* a delete whose name is in use again */
    assert_int_equal(force(f, dropped, NULL), CZ_E_CONFLICT);
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING(",'tasks':4")));
    must(f, force(f, dropped, &all));
    assert_int_equal(tasks_of(f, "m"), 1);
    /* made by the change, changed since: forced away */
    must(f, put(f, CZ_KIND_MAPPING, "n", MAPPING(",'consumer_group':'n'")));
    int64_t made = f->r.seq;
    must(f, put(f, CZ_KIND_MAPPING, "n", MAPPING(",'consumer_group':'n','tasks':4")));
    assert_int_equal(force(f, made, NULL), CZ_E_CONFLICT);
    must(f, force(f, made, &all));
    assert_null(get(f, CZ_KIND_MAPPING, "n"));
}

static enum cz_err
restore_kind(struct fixture *f, enum cz_kind kind, const char *name, int64_t generation)
{
    cz_write_result_done(&f->r);
    cz_report_done(&f->rep);
    cz_error_reset(&f->err);
    return cz_service_restore(f->s, &caller, &any, "default", kind, name, generation, &f->r, &f->rep,
                              &f->err);
}

/* What uses an object follows when that is restored, and an override outlives it. */
static void test_restore_kinds(void **state)
{
    struct fixture *f = *state;
    must(f, put(f, CZ_KIND_VALUE_MAP, "ids", "{'spec':{'key':{'1':2}}}"));
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING(",'tasks':1,'value_map':'ids'")));
    json_t *before = published_mapping(f, "m");
    must(f, put(f, CZ_KIND_VALUE_MAP, "ids", "{'spec':{'key':{'1':3}}}"));
    json_t *changed = published_mapping(f, "m");
    must(f, restore_kind(f, CZ_KIND_VALUE_MAP, "ids", 1));
    json_t *after = published_mapping(f, "m");
    assert_true(json_equal(after, before));
    assert_false(json_equal(after, changed));
    json_decref(before);
    json_decref(changed);
    json_decref(after);

    must(f, put(f, CZ_KIND_TEMPLATE, "t", TEMPLATE(",'tasks':1")));
    must(f, put(f, CZ_KIND_INSTANCE, "i", "{'spec':{'template':'t','vars':{'T':'a'}}}"));
    must(f, put(f, CZ_KIND_TEMPLATE, "t", TEMPLATE(",'tasks':2")));
    assert_int_equal(tasks_of(f, "a copy"), 2);
    must(f, restore_kind(f, CZ_KIND_TEMPLATE, "t", 1));
    assert_int_equal(tasks_of(f, "a copy"), 1);
    must(f, drop(f, CZ_KIND_INSTANCE, "i"));
    assert_null(get(f, CZ_KIND_MAPPING, "a copy"));
    must(f, restore_kind(f, CZ_KIND_INSTANCE, "i", 1));
    assert_int_equal(tasks_of(f, "a copy"), 1);
    must(f, drop(f, CZ_KIND_INSTANCE, "i"));
    must(f, drop(f, CZ_KIND_TEMPLATE, "t"));
    /* its template is gone: refused, and nothing is half there */
    problem(f, restore_kind(f, CZ_KIND_INSTANCE, "i", 1), "/spec/template", "not-found");
    must(f, restore_kind(f, CZ_KIND_TEMPLATE, "t", 2));
    must(f, restore_kind(f, CZ_KIND_INSTANCE, "i", 1));
    assert_int_equal(tasks_of(f, "a copy"), 2);

    cz_write_result_done(&f->r);
    must(f, cz_service_pause(f->s, &caller, &plain, "default", "m", "busy", 0, &f->r, &f->err));
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING(",'tasks':5")));
    must(f, restore_kind(f, CZ_KIND_MAPPING, "m", 1));
    json_t *e = get(f, CZ_KIND_MAPPING, "m");
    assert_true(cz_json_bool(json_object_get(e, "override"), "paused", false));
    json_decref(e);
    assert_int_equal(tasks_of(f, "m"), 1);
}

/* ---- overrides -----------------------------------------------------------------------------
 */

static const char *published_state(struct fixture *f)
{
    static char text[32];
    json_t *p = published_mapping(f, "m");
    (void)snprintf(text, sizeof text, "%s", cz_json_str(p, "state", ""));
    json_decref(p);
    return text;
}

static enum cz_err pause_m(struct fixture *f, int64_t until)
{
    cz_write_result_done(&f->r);
    cz_error_reset(&f->err);
    return cz_service_pause(f->s, &caller, &plain, "default", "m", "maintenance", until, &f->r,
                            &f->err);
}

static void test_pause_resume(void **state)
{
    struct fixture *f = *state;
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING("")));
    must(f, pause_m(f, 0));
    assert_string_equal(published_state(f), "PAUSED");
    assert_string_equal(cz_json_str(f->r.resource, "generation", ""), "1");
    json_t *o = json_object_get(f->r.resource, "override");
    assert_string_equal(cz_json_str(o, "reason", ""), "maintenance");
    assert_string_equal(cz_json_str(json_object_get(f->r.resource, "status"), "state", ""),
                        "PAUSED");
    must(f, pause_m(f, 0));
    assert_true(f->r.unchanged);
    /* an edit keeps the pause */
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING(",'tasks':2")));
    assert_string_equal(published_state(f), "PAUSED");
    cz_write_result_done(&f->r);
    must(f, cz_service_resume(f->s, &caller, &plain, "default", "m", &f->r, &f->err));
    assert_string_equal(published_state(f), "RUNNING");
    assert_true(json_is_null(json_object_get(f->r.resource, "override")));
    cz_write_result_done(&f->r);
    must(f, cz_service_resume(f->s, &caller, &plain, "default", "m", &f->r, &f->err));
    assert_true(f->r.unchanged);
    assert_int_equal(cz_service_resume(f->s, &caller, &plain, "default", "nope", &f->r, NULL),
                     CZ_E_NOT_FOUND);
    assert_int_equal(pause_m(f, cz_wall_ms() - 1), CZ_E_INVALID);
    cz_error_reset(&f->err);
    assert_int_equal(cz_service_pause(f->s, &caller, &(struct cz_write){.if_match = 1},
                                      "default", "m", NULL, 0, &f->r, &f->err),
                     CZ_E_STALE);
}

static void test_restart(void **state)
{
    struct fixture *f = *state;
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING("")));
    cz_write_result_done(&f->r);
    must(f, cz_service_restart(f->s, &caller, &plain, "default", "m", &f->r, &f->err));
    int64_t first = f->r.seq;
    json_t *p = published_mapping(f, "m");
    assert_int_equal(cz_json_int(p, "restart", 0), first);
    assert_string_equal(cz_json_str(p, "state", ""), "RUNNING");
    json_decref(p);
    /* a pause and its end do not look like another request */
    must(f, pause_m(f, 0));
    cz_write_result_done(&f->r);
    must(f, cz_service_resume(f->s, &caller, &plain, "default", "m", &f->r, &f->err));
    p = published_mapping(f, "m");
    assert_int_equal(cz_json_int(p, "restart", 0), first);
    json_decref(p);
    cz_write_result_done(&f->r);
    must(f, cz_service_restart(f->s, &caller, &plain, "default", "m", &f->r, &f->err));
    p = published_mapping(f, "m");
    assert_true(cz_json_int(p, "restart", 0) > first);
    json_decref(p);
}

static void nap(int ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    (void)nanosleep(&t, NULL);
}

static void test_pause_ends(void **state)
{
    struct fixture *f = *state;
    int n = -1;
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING("")));
    must(f, cz_service_end_overrides(f->s, &n, &f->err));
    assert_int_equal(n, 0);
    must(f, pause_m(f, cz_wall_ms() + 80));
    must(f, cz_service_end_overrides(f->s, &n, &f->err));
    assert_int_equal(n, 0);
    assert_string_equal(published_state(f), "PAUSED");
    nap(100);
    must(f, cz_service_end_overrides(f->s, &n, &f->err));
    assert_int_equal(n, 1);
    assert_string_equal(published_state(f), "RUNNING");
    must(f, cz_service_end_overrides(f->s, &n, &f->err));
    assert_int_equal(n, 0);
    /* one that was moved, and one that was deleted meanwhile */
    must(f, pause_m(f, cz_wall_ms() + 50));
    must(f, pause_m(f, cz_wall_ms() + 60000));
    nap(70);
    must(f, cz_service_end_overrides(f->s, &n, &f->err));
    assert_int_equal(n, 0);
    must(f, pause_m(f, cz_wall_ms() + 20));
    must(f, drop(f, CZ_KIND_MAPPING, "m"));
    nap(30);
    must(f, cz_service_end_overrides(f->s, &n, &f->err));
    assert_int_equal(n, 0);
}

/** Undoing a pause takes away the pause and not what was edited meanwhile. */
static void test_rollback_pause(void **state)
{
    struct fixture *f = *state;
    must(f, put(f, CZ_KIND_MAPPING, "m", MAPPING("")));
    must(f, pause_m(f, 0));
    must(f, rollback(f, f->r.seq));
    assert_string_equal(published_state(f), "RUNNING");
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
int main(void)
{
    cz_json_init();
    const struct CMUnitTest tests[] = {
        T(test_history),           T(test_restore),
        T(test_rollback_update),   T(test_rollback_create_and_delete),
        T(test_rollback_template), T(test_rollback_dry_run),
        T(test_rollback_force),    T(test_restore_kinds),
        T(test_pause_resume),      T(test_restart),
        T(test_pause_ends),        T(test_rollback_pause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
