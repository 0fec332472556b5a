/* SPDX-License-Identifier: Apache-2.0 */
/* The metadata watch creates topics for mappings that ask for it: when it leads, as large as the
 * source, never before the source is known, and a refusal holds up nobody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "cz/util.h"
#include "fake.h"

#define EVENTUALLY(cond)                                                                       \
    do {                                                                                       \
        cz_time until_ = cz_deadline_ms(8000);                                                 \
        while (!(cond) && cz_now() < until_)                                                   \
            nap();                                                                             \
        assert_true(cond);                                                                     \
    } while (0)

struct world {
    struct fake_kafka kafka; /* source and target: told apart by their topics' names */
    struct cz_cluster *source, *target;
    struct cz_watch *w;
    _Atomic int created, refused, wrong_cluster;
    /* the group "svc" on the target, and what the store remembers */
    _Atomic int group, deleted, told, store_fails;
    _Atomic int64_t done;
    _Atomic int syncs, grown, audits;
};

static void nap(void)
{
    struct timespec t = {.tv_nsec = 5000000};
    (void)nanosleep(&t, NULL);
}

static enum cz_err
topics(void *arg, struct cz_cluster *c, const char *const *names, size_t n, cz_time deadline,
       struct cz_topic_info **ret, struct cz_error *err)
{
    struct world *x = arg;
    return fake_topics(&x->kafka, c, names, n, deadline, ret, err);
}

static enum cz_err
create(void *arg, const struct cz_watch_job *job, cz_time deadline, struct cz_error *err)
{
    struct world *x = arg;
    (void)deadline;
    bool dead = strcmp(job->topic, "t-dead") == 0;
    if (cz_cluster_hash(job->cluster) != cz_cluster_hash(x->target) || dead != !job->like_cluster ||
        (!dead && cz_cluster_hash(job->like_cluster) != cz_cluster_hash(x->source)))
        x->wrong_cluster++;
    if (strcmp(job->topic, "t-denied") == 0) {
        x->refused++;
        return cz_fail(err, CZ_E_FORBIDDEN, "create topic t-denied: denied");
    }
    x->created++;
    fake_topic(&x->kafka, job->topic, job->partitions);
    return CZ_OK;
}

static enum cz_err
groups(void *arg, struct cz_cluster *c, struct cz_group **ret, size_t *ret_n, struct cz_error *err)
{
    struct world *x = arg;
    (void)err;
    x->wrong_cluster += cz_cluster_hash(c) != cz_cluster_hash(x->target);
    *ret = cz_alloc(sizeof(**ret));
    **ret = (struct cz_group){.name = cz_strdup("svc"), .state = (enum cz_group_state)x->group};
    *ret_n = x->group != CZ_GROUP_ABSENT;
    if (*ret_n == 0)
        cz_free((*ret)->name);
    return CZ_OK;
}

static enum cz_err
delete_group(void *arg, struct cz_cluster *c, const char *group, struct cz_error *err)
{
    struct world *x = arg;
    x->wrong_cluster += cz_cluster_hash(c) != cz_cluster_hash(x->target) || strcmp(group, "svc") != 0;
    if (x->group == CZ_GROUP_MEMBERS)
        return cz_fail(err, CZ_E_CONFLICT, "delete group svc: it has members");
    x->group = CZ_GROUP_ABSENT;
    x->deleted++;
    return CZ_OK;
}

static enum cz_err get_done(void *arg, const struct cz_watch_once *o, int64_t *ret, struct cz_error *err)
{
    struct world *x = arg;
    assert_string_equal(o->what, "service_group_deleted");
    if (x->store_fails)
        return cz_fail(err, CZ_E_UNAVAILABLE, "the store is away");
    *ret = x->done;
    return CZ_OK;
}

static enum cz_err set_done(void *arg, const struct cz_watch_once *o, const char *action,
                            const json_t *detail, struct cz_error *err)
{
    struct world *x = arg;
    (void)err;
    assert_string_equal(action, "mapping.service_group.delete");
    assert_string_equal(json_string_value(json_object_get(detail, "group")), "svc");
    x->done = o->value;
    x->told++;
    return CZ_OK;
}

static enum cz_err sync_topic(void *arg, const struct cz_watch_job *job, cz_time deadline,
                              json_t **ret_done, struct cz_error *err)
{
    struct world *x = arg;
    (void)deadline;
    x->syncs++;
    x->wrong_cluster += cz_cluster_hash(job->cluster) != cz_cluster_hash(x->target) ||
                        cz_cluster_hash(job->like_cluster) != cz_cluster_hash(x->source);
    if (strcmp(job->topic, "t-denied") == 0)
        return cz_fail(err, CZ_E_FORBIDDEN, "configuration of topic t-denied: denied");
    if (job->has < job->partitions) {
        fake_topic(&x->kafka, job->topic, job->partitions);
        *ret_done = json_pack("{s:i}", "partitions", (int)job->partitions);
        x->grown++;
    }
    return CZ_OK;
}

static void audit(void *arg, const struct cz_watch_once *of, const char *action, const json_t *detail)
{
    struct world *x = arg;
    (void)of;
    if (strcmp(action, "mapping.topic.sync") == 0)
        assert_non_null(json_object_get(detail, "topic"));
    x->audits++;
}

static void changed(void *arg)
{
    (void)arg;
}

static int setup(void **state)
{
    struct world *x = cz_alloc(sizeof(*x));
    struct cz_error err = CZ_ERROR_INIT;
    fake_init(&x->kafka);
    assert_int_equal(cz_cluster_from_bootstrap("127.0.0.1:1", NULL, &x->source, &err), CZ_OK);
    assert_int_equal(cz_cluster_from_bootstrap("127.0.0.1:2", NULL, &x->target, &err), CZ_OK);
    struct cz_watch_options o = {
        .interval_ms = 20, .topics = topics, .create = create, .topics_arg = x, .changed = changed,
        .groups = groups, .delete_group = delete_group, .get_done = get_done, .set_done = set_done,
        .sync = sync_topic, .audit = audit, .arg = x};
    x->w = cz_watch_new(&o);
    cz_watch_cluster(x->w, "a/source", x->source);
    cz_watch_cluster(x->w, "a/target", x->target);
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct world *x = *state;
    cz_watch_free(x->w);
    cz_cluster_unref(x->source);
    cz_cluster_unref(x->target);
    fake_done(&x->kafka);
    cz_free(x);
    return 0;
}

static void map(struct world *x, const char *uid, const char *from, const char *to, bool make, const char *dead)
{
    char source[] = "a/source";
    char target[] = "a/target";
    char *s = cz_strdup(from);
    char *t = cz_strdup(to);
    char *d = dead ? cz_strdup(dead) : NULL;
    struct cz_sched_pair pairs[] = {{s, t}};
    struct cz_sched_mapping m = {.source = source, .target = target, .pairs = pairs, .pairs_len = 1,
                                 .create = make, .dead_letter = d};
    cz_watch_mapping(x->w, uid, &m);
    cz_free(s);
    cz_free(t);
    cz_free(d);
}

static struct cz_watch_topic at(struct world *x, const char *key, const char *topic)
{
    struct cz_watch_topic t;
    cz_watch_topic(x->w, key, topic, &t);
    return t;
}
#define PARTITIONS(topic) at(x, "a/target", topic).partitions
#define MISSING(key, topic) (at(x, key, topic).known && at(x, key, topic).code == CZ_E_NOT_FOUND)

static void test_created_like_the_source(void **state)
{
    struct world *x = *state;
    cz_watch_lead(x->w, true);
    map(x, "m", "s", "t", true, "t-dead");
    EVENTUALLY(MISSING("a/source", "s"));
    EVENTUALLY(PARTITIONS("t-dead") == 1);
    assert_true(MISSING("a/target", "t")); /* the source is not there yet */
    fake_topic(&x->kafka, "s", 7);
    EVENTUALLY(PARTITIONS("t") == 7);
    assert_int_equal(x->wrong_cluster, 0);
}

static void test_largest_source_decides(void **state)
{
    struct world *x = *state;
    fake_topic(&x->kafka, "s1", 3);
    fake_topic(&x->kafka, "s2", 5);
    fake_topic(&x->kafka, "s3", 4);
    map(x, "m1", "s1", "t", true, NULL);
    map(x, "m2", "s2", "t", true, "t");
    map(x, "m3", "s3", "t", true, NULL);
    EVENTUALLY(at(x, "a/source", "s1").known && at(x, "a/source", "s2").known &&
               at(x, "a/source", "s3").known && MISSING("a/target", "t"));
    assert_int_equal(x->created, 0); /* who does not lead creates nothing */
    cz_watch_lead(x->w, true);
    EVENTUALLY(PARTITIONS("t") == 5);
    assert_int_equal(x->created, 1);
}

static void test_only_where_asked(void **state)
{
    struct world *x = *state;
    cz_watch_lead(x->w, true);
    fake_topic(&x->kafka, "s", 2);
    map(x, "m1", "s", "t-required", false, NULL);
    map(x, "m2", "s", "t", true, NULL);
    EVENTUALLY(PARTITIONS("t") == 2);
    EVENTUALLY(MISSING("a/target", "t-required"));
    assert_int_equal(x->created, 1);
}

static void test_refusal_is_told_and_alone(void **state)
{
    struct world *x = *state;
    cz_watch_lead(x->w, true);
    fake_topic(&x->kafka, "s", 2);
    map(x, "m1", "s", "t-denied", true, NULL);
    EVENTUALLY(at(x, "a/target", "t-denied").refusal[0] != '\0');
    map(x, "m2", "s", "t", true, NULL);
    EVENTUALLY(PARTITIONS("t") == 2);
    assert_non_null(strstr(at(x, "a/target", "t-denied").refusal, "denied"));
    assert_in_range(x->refused, 1, 5); /* not in a tight loop */
    fake_topic(&x->kafka, "t-denied", 1); /* somebody else made it */
    EVENTUALLY(PARTITIONS("t-denied") == 1);
    assert_string_equal(at(x, "a/target", "t-denied").refusal, "");
}

static void name_group(struct world *x, int64_t switched_on)
{
    char source[] = "a/source", target[] = "a/target", topic[] = "s", group[] = "svc", name[] = "m";
    struct cz_sched_pair pairs[] = {{topic, topic}};
    struct cz_sched_mapping m = {.name = name, .source = source, .target = target, .pairs = pairs,
                                 .pairs_len = 1, .service_group = switched_on ? group : NULL,
                                 .switched_on = switched_on};
    cz_watch_mapping(x->w, "m", &m);
}

static struct cz_watch_group group_of(struct world *x)
{
    struct cz_watch_group g;
    cz_watch_service_group(x->w, "m", &g);
    return g;
}

static void test_service_group_is_deleted_once(void **state)
{
    struct world *x = *state;
    x->group = CZ_GROUP_EMPTY;
    name_group(x, 7);
    EVENTUALLY(group_of(x).state == CZ_GROUP_EMPTY);
    assert_true(group_of(x).named && group_of(x).due);
    assert_int_equal(x->deleted, 0); /* who does not lead deletes nothing */
    cz_watch_lead(x->w, true);
    EVENTUALLY(!group_of(x).due);
    assert_int_equal(x->deleted, 1);
    assert_int_equal(x->done, 7);
    /* The service came back, and another leader comes: its group is left alone. */
    x->group = CZ_GROUP_EMPTY;
    name_group(x, 0);
    name_group(x, 7);
    EVENTUALLY(group_of(x).state == CZ_GROUP_EMPTY && !group_of(x).due);
    assert_int_equal(x->deleted, 1);
    /* Switched off and on again. */
    name_group(x, 9);
    EVENTUALLY(!group_of(x).due);
    assert_int_equal(x->deleted, 2);
    assert_int_equal(x->told, 2);
    assert_int_equal(x->wrong_cluster, 0);
}

static void test_service_group_with_members(void **state)
{
    struct world *x = *state;
    x->group = CZ_GROUP_MEMBERS;
    cz_watch_lead(x->w, true);
    name_group(x, 7);
    EVENTUALLY(group_of(x).code == CZ_E_CONFLICT);
    assert_true(group_of(x).due);
    assert_non_null(strstr(group_of(x).text, "has members"));
    x->group = CZ_GROUP_EMPTY; /* the service has stopped */
    EVENTUALLY(!group_of(x).due);
    assert_int_equal(x->deleted, 1);
}

/* Without the store nobody knows whether it was done: nothing is deleted on a guess. */
static void test_service_group_and_a_store_that_is_away(void **state)
{
    struct world *x = *state;
    x->group = CZ_GROUP_EMPTY;
    x->store_fails = 1;
    x->done = 7;
    cz_watch_lead(x->w, true);
    name_group(x, 7);
    EVENTUALLY(group_of(x).code == CZ_E_UNAVAILABLE);
    assert_true(group_of(x).due);
    x->store_fails = 0;
    EVENTUALLY(!group_of(x).due);
    assert_int_equal(x->deleted, 0);
}

static void follow(struct world *x, const char *uid, char *from, char *to)
{
    char source[] = "a/source", target[] = "a/target", name[] = "m";
    struct cz_sched_pair pairs[] = {{from, to}};
    struct cz_sched_mapping m = {.name = name, .source = source, .target = target, .pairs = pairs,
                                 .pairs_len = 1, .create = true, .sync = true};
    cz_watch_mapping(x->w, uid, &m);
}

static void test_follows_its_source(void **state)
{
    struct world *x = *state;
    char s[] = "s", t[] = "t", big[] = "big", denied[] = "t-denied";
    fake_topic(&x->kafka, "s", 2);
    cz_watch_lead(x->w, true);
    follow(x, "m", s, t);
    EVENTUALLY(PARTITIONS("t") == 2); /* created */
    EVENTUALLY(at(x, "a/target", "t").compared);
    assert_int_equal(x->grown, 0);
    fake_topic(&x->kafka, "s", 6);
    EVENTUALLY(PARTITIONS("t") == 6);
    assert_int_equal(x->grown, 1);
    assert_int_equal(x->audits, 2);
    assert_in_range(x->syncs, 2, 4); /* not with each look */
    fake_topic(&x->kafka, "s", 3);   /* another topic of that name: nothing can be taken away */
    fake_topic(&x->kafka, "big", 9); /* of two sources the larger one decides */
    follow(x, "m2", big, t);
    EVENTUALLY(PARTITIONS("t") == 9);
    fake_topic(&x->kafka, "t-denied", 2);
    follow(x, "m3", s, denied);
    EVENTUALLY(at(x, "a/target", "t-denied").unsynced[0] != '\0');
    assert_int_equal(x->wrong_cluster, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_created_like_the_source),
        T(test_largest_source_decides),
        T(test_only_where_asked),
        T(test_refusal_is_told_and_alone),
        T(test_follows_its_source),
        T(test_service_group_is_deleted_once),
        T(test_service_group_with_members),
        T(test_service_group_and_a_store_that_is_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
