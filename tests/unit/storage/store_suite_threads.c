/* SPDX-License-Identifier: Apache-2.0 */
/* Conformance of a store, last part: many writers at once. */
#include <stdlib.h>

#include "store_test.h"

enum { THREADS = 8, WRITES = 100, ROUNDS = 20 };

struct writer {
    struct cz_store *store;
    struct cz_thread thread;
    char name[32];
    int64_t seqs[WRITES];
    char problem[256];
};

static void *write_many(void *arg)
{
    struct writer *w = arg;
    for (int i = 0; i < WRITES; i++) {
        struct cz_error err = CZ_ERROR_INIT;
        /* every second write to one that all share */
        const char *name = i % 2 ? "shared" : w->name;
        if (count_up(w->store, "writers", name, &w->seqs[i], &err) != CZ_OK) {
            (void)snprintf(w->problem, sizeof(w->problem), "%.200s", err.text);
            break;
        }
    }
    return NULL;
}

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

void test_writers(void **state)
{
    const struct store_env *e = *state;
    struct cz_error err = CZ_ERROR_INIT;
    static struct writer w[THREADS];
    static int64_t all[THREADS * WRITES];
    new_team(e->a, "writers");
    put(e->a, "writers", "shared", "{\"spec\":{\"n\":0}}");
    for (int t = 0; t < THREADS; t++) {
        w[t] = (struct writer){.store = t % 2 ? e->a : e->b};
        (void)snprintf(w[t].name, sizeof(w[t].name), "own %d", t);
        put(e->a, "writers", w[t].name, "{\"spec\":{\"n\":0}}");
    }
    empty_outbox(e->a);
    int64_t before = now_seq(e->a);
    cz_time begin = cz_now();
    for (int t = 0; t < THREADS; t++)
        cz_thread_start(&w[t].thread, "writer", write_many, &w[t]);
    for (int t = 0; t < THREADS; t++)
        cz_thread_join(&w[t].thread);
    print_message("# %d writes by %d threads: %.0f/s\n", THREADS * WRITES, THREADS,
                  THREADS * WRITES / ((double)(cz_now() - begin) / (double)CZ_SEC));
    for (int t = 0; t < THREADS; t++) {
        assert_string_equal(w[t].problem, "");
        for (int i = 0; i < WRITES; i++)
            all[t * WRITES + i] = w[t].seqs[i];
        struct cz_resource own = get(e->a, "writers", w[t].name);
        assert_int_equal(spec_n(own.doc), WRITES / 2);
        cz_resource_done(&own);
    }
    qsort(all, THREADS * WRITES, sizeof(*all), by_number);
    for (int i = 0; i < THREADS * WRITES; i++)
        assert_int_equal(all[i], before + 1 + i); /* no gap, none twice */
    struct cz_resource r = get(e->a, "writers", "shared");
    assert_int_equal(spec_n(r.doc), THREADS * WRITES / 2);
    assert_int_equal(r.generation, THREADS * WRITES / 2 + 1);
    cz_resource_done(&r);
    /* the outbox tells every one of them, in order */
    struct cz_config_record_list l = {0};
    ASSERT_OK(cz_store_outbox(e->a, THREADS * WRITES + 100, &l, &err), &err);
    assert_int_equal(l.len, THREADS * WRITES);
    for (size_t i = 0; i < l.len; i++)
        assert_int_equal(l.items[i].seq, before + 1 + (int64_t)i);
    cz_config_record_list_done(&l);
}

/* Two editors with the same ETag: just one of them wins each round. */
struct editor {
    struct cz_store *store;
    struct cz_thread thread;
    int64_t expected;
    int number;
    enum cz_err result;
};

static enum cz_err edit_fn(struct cz_tx *tx, void *arg, struct cz_error *err)
{
    const struct editor *ed = arg;
    struct cz_resource r = {0};
    enum cz_err rc = cz_tx_get(tx, "editors", CZ_KIND_MAPPING, "m", &r, err);
    if (rc != CZ_OK)
        return rc;
    int64_t version = r.version;
    cz_resource_done(&r);
    if (version != ed->expected)
        return cz_fail(err, CZ_E_STALE, "changed by somebody else");
    json_t *doc =
        json_pack("{s:{s:i,s:I}}", "spec", "by", ed->number, "after", (json_int_t)ed->expected);
    rc = cz_tx_put(tx, "editors", CZ_KIND_MAPPING, "m", doc, NULL, NULL, CZ_OP_UPDATE, NULL,
                   err);
    json_decref(doc);
    return rc;
}

static void *edit(void *arg)
{
    struct editor *ed = arg;
    const struct cz_change_meta meta = {.team = "editors"};
    ed->result = cz_store_write(ed->store, &meta, false, edit_fn, ed, NULL, NULL);
    return NULL;
}

void test_optimistic(void **state)
{
    const struct store_env *e = *state;
    new_team(e->a, "editors");
    put(e->a, "editors", "m", "{}");
    for (int round = 0; round < ROUNDS; round++) {
        struct cz_resource r = get(e->a, "editors", "m");
        struct editor ed[4] = {0};
        int won = 0;
        for (int i = 0; i < 4; i++) {
            ed[i] = (struct editor){
                .store = i % 2 ? e->a : e->b, .expected = r.version, .number = i};
            cz_thread_start(&ed[i].thread, "editor", edit, &ed[i]);
        }
        for (int i = 0; i < 4; i++) {
            cz_thread_join(&ed[i].thread);
            assert_true(ed[i].result == CZ_OK || ed[i].result == CZ_E_STALE);
            won += ed[i].result == CZ_OK;
        }
        assert_int_equal(won, 1);
        cz_resource_done(&r);
    }
}
