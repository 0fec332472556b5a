/* SPDX-License-Identifier: Apache-2.0 */
/** How long do plan, apply and roll-back of a set of 1,000 mappings take, in a team that has 10,000?
 *  The service on PostgreSQL; Kafka is played (every topic exists), HTTP is left out.
 *      tests/support/with_postgres.py build/release/tests/bench/bench_sets
 *  The database of CITIZENK_TEST_POSTGRES must be a fresh one. */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/log.h"
#include "cz/service.h"

enum { SET = 1000, SETS = 10, RUNS = 7 };

static struct cz_service *service;
static const struct cz_caller who = {.actor = "bench", .via = "api"};
static const struct cz_write plain = {0};

static void check(enum cz_err code, const struct cz_report *rep, const struct cz_error *err)
{
    if (code == CZ_OK)
        return;
    fprintf(stderr, "%s: %s\n", err->text, rep->len ? rep->items[0].message : "");
    exit(1);
}

static enum cz_err topics(void *arg, struct cz_cluster *c, const char *const *names, size_t n,
                          cz_time deadline, struct cz_topic_info **ret, struct cz_error *err)
{
    struct cz_topic_info *t = cz_alloc_array(n + 1, sizeof *t);
    (void)arg, (void)c, (void)deadline, (void)err;
    for (size_t i = 0; i < n; i++)
        t[i] = (struct cz_topic_info){.name = cz_strdup(names[i]), .partitions = 4};
    *ret = t;
    return CZ_OK;
}

static json_t *objects(int set, int version)
{
    json_t *all = json_array();
    for (int i = 0; i < SET; i++) {
        char name[64], topic[64], filter[200];
        (void)snprintf(name, sizeof name, "set %d mapping %d", set, i);
        (void)snprintf(topic, sizeof topic, "topic-%d-%d", set, i);
        (void)snprintf(filter, sizeof filter, "value.kind == 'sale' && value.version > `%d` && key != null",
                       version);
        (void)json_array_append_new(
            all, json_pack("{s:s, s:s, s:s, s:{s:s}, s:{s:{s:s, s:s}, s:{s:s, s:s}, s:s}}", "kind", "mapping",
                           "name", name, "group", "bench", "labels", "env", "staging", "spec", "source",
                           "cluster", "prod", "topic", topic, "target", "cluster", "stage", "topic", topic,
                           "valid_jmespath", filter));
    }
    return all;
}

static double ms_since(cz_time from)
{
    return (double)(cz_now() - from) / 1e6;
}

static double plan(const char *set, const json_t *list)
{
    const struct cz_apply a = {.objects = list, .max_deletes = -1};
    struct cz_report rep = CZ_REPORT_INIT;
    struct cz_error err = CZ_ERROR_INIT;
    json_t *p = NULL;
    cz_time from = cz_now();
    check(cz_service_plan(service, &who, "default", set, &a, &p, &rep, &err), &rep, &err);
    double ms = ms_since(from);
    json_decref(p);
    return ms;
}

static double apply(const char *set, const json_t *list, int64_t *ret_seq)
{
    const struct cz_apply a = {.objects = list, .max_deletes = -1};
    struct cz_report rep = CZ_REPORT_INIT;
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_write_result r = {0};
    json_t *p = NULL;
    cz_time from = cz_now();
    check(cz_service_apply(service, &who, &plain, "default", set, &a, &r, &p, &rep, &err), &rep, &err);
    double ms = ms_since(from);
    *ret_seq = r.seq;
    cz_write_result_done(&r);
    json_decref(p);
    return ms;
}

static double rollback(int64_t seq)
{
    struct cz_report rep = CZ_REPORT_INIT;
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_write_result r = {0};
    cz_time from = cz_now();
    check(cz_service_rollback(service, &who, &plain, seq, NULL, &r, &rep, &err), &rep, &err);
    double ms = ms_since(from);
    cz_write_result_done(&r);
    return ms;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void tell(const char *what, double *ms, size_t n, int bar)
{
    qsort(ms, n, sizeof *ms, by_value);
    printf("%-34s median %6.1f  best %6.1f  worst %6.1f ms   bar %d\n", what, ms[n / 2], ms[0], ms[n - 1], bar);
}

static void resume(const char *set)
{
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_report rep = CZ_REPORT_INIT;
    json_t *o = NULL;
    check(cz_service_resume_set(service, &who, &plain, "default", set, true, &o, &err), &rep, &err);
    json_decref(o);
}

static void prepare(void)
{
    static const char *const names[] = {"prod", "stage"};
    int64_t seq = 0;
    for (int i = 0; i < 2; i++) {
        struct cz_report rep = CZ_REPORT_INIT;
        struct cz_error err = CZ_ERROR_INIT;
        struct cz_write_result r = {0};
        char servers[32];
        (void)snprintf(servers, sizeof servers, "h%d:9092", i);
        json_t *doc = json_pack("{s:{s:s}}", "spec", "bootstrap_servers", servers);
        check(cz_service_put(service, &who, &plain, "default", CZ_KIND_CLUSTER, names[i], doc, &r, &rep, &err),
              &rep, &err);
        cz_write_result_done(&r);
        json_decref(doc);
    }
    for (int i = 0; i < SETS; i++) {
        char set[16];
        json_t *list = objects(i, 0);
        (void)snprintf(set, sizeof set, "set-%d", i);
        printf("create %d: %.0f ms\n", i, apply(set, list, &seq));
        json_decref(list);
    }
}

/* What autovacuum does in a database that lives longer than this. */
static void analyze(const char *conninfo)
{
    PGconn *c = PQconnectdb(conninfo);
    PQclear(PQexec(c, "VACUUM ANALYZE"));
    PQfinish(c);
}

static void measure(void)
{
    double planned[RUNS], same[RUNS], applied[RUNS], undone[RUNS], fresh[RUNS], created[RUNS], removed[RUNS];
    int64_t seq = 0;
    for (int i = 0; i < RUNS; i++) {
        json_t *list = objects(3, i + 1), *now = objects(3, 0), *new = objects(100 + i, 0);
        same[i] = plan("set-3", now);
        planned[i] = plan("set-3", list);
        applied[i] = apply("set-3", list, &seq);
        undone[i] = rollback(seq);
        resume("set-3");
        (void)apply("set-3", now, &seq); /* no drift any more */
        fresh[i] = plan("new", new);
        created[i] = apply("new", new, &seq);
        removed[i] = rollback(seq);
        resume("new");
        json_decref(list);
        json_decref(now);
        json_decref(new);
    }
    tell("plan, 1,000 unchanged, of 10,000", same, RUNS, 100);
    tell("plan, 1,000 changed", planned, RUNS, 100);
    tell("plan, 1,000 new", fresh, RUNS, 100);
    tell("apply, 1,000 changed", applied, RUNS, 300);
    tell("apply, 1,000 new", created, RUNS, 300);
    tell("roll-back of 1,000 changed", undone, RUNS, 300);
    tell("roll-back of 1,000 new", removed, RUNS, 300);
}

int main(void)
{
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_store *store = NULL;
    const char *conninfo = getenv("CITIZENK_TEST_POSTGRES");
    cz_json_init();
    cz_log_init(CZ_LOG_ERROR, false);
    if (!conninfo || cz_store_postgres_migrate(conninfo, NULL, NULL, &err) != CZ_OK ||
        cz_store_postgres_new(conninfo, 4, &store, &err) != CZ_OK) {
        fprintf(stderr, "CITIZENK_TEST_POSTGRES: %s\n", conninfo ? err.text : "is not set");
        return 1;
    }
    const struct cz_service_options o = {.store = store, .topics = topics};
    service = cz_service_new(&o);
    prepare();
    analyze(conninfo);
    struct timespec before, after;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    measure();
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    printf("own CPU of all of this: %ld ms\n",
           (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000);
    cz_service_free(service);
    cz_store_free(store);
    return 0;
}
