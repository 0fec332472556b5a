/* SPDX-License-Identifier: Apache-2.0 */
/* Positions on the offsets topic: their form, and who owns them when several claim them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <librdkafka/rdkafka.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "lane_world.h"

/* The mock cluster's control records have no checksum; ours asks for it (linked with --wrap). */
rd_kafka_conf_res_t __real_rd_kafka_conf_set(rd_kafka_conf_t *c, const char *name, const char *value,
                                             char *text, size_t n);
rd_kafka_conf_res_t __wrap_rd_kafka_conf_set(rd_kafka_conf_t *c, const char *name, const char *value,
                                             char *text, size_t n);
rd_kafka_conf_res_t __wrap_rd_kafka_conf_set(rd_kafka_conf_t *c, const char *name, const char *value,
                                             char *text, size_t n)
{
    return __real_rd_kafka_conf_set(c, name, strcmp(name, "check.crcs") == 0 ? "false" : value, text, n);
}

/* ---- form ----------------------------------------------------------------------------------- */

static void test_partition_is_for_ever(void **state)
{
    (void)state;
    assert_int_equal(cz_offsets_partition("", 50), 2166136261u % 50);
    assert_int_equal(cz_offsets_partition("7h5k2m", 50), cz_offsets_partition("7h5k2m", 50));
    assert_int_equal(cz_offsets_partition("a", 50), ((2166136261u ^ 'a') * 16777619u) % 50);
}

static void test_records_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool claim, good;
        int64_t offset;
    } T[] = {
        {"{\"v\":1,\"offset\":42,\"generation\":3,\"writer\":\"w\"}", false, true, 42},
        {"{\"v\":1,\"offset\":0,\"writer\":\"w\",\"later\":true}", false, true, 0},
        {"{\"v\":2,\"offset\":42,\"writer\":\"w\"}", false, false, 0},
        {"{\"v\":1,\"offset\":-1,\"writer\":\"w\"}", false, false, 0},
        {"{\"v\":1,\"offset\":42}", false, false, 0},
        {"{\"v\":1,\"writer\":\"w\"}", false, false, 0},
        {"{\"v\":1,\"writer\":\"w\"}", true, true, -1},
        {"{\"v\":1}", true, false, 0},
        {"nonsense", false, false, 0},
        {"", false, false, 0},
    };
    for (size_t i = 0; i < sizeof T / sizeof *T; i++) {
        struct cz_offset_record r = {.writer = cz_strdup("before")};
        struct cz_error err = CZ_ERROR_INIT;
        enum cz_err code = cz_offset_record_parse((struct cz_slice){T[i].text, strlen(T[i].text)}, T[i].claim, &r, &err);
        assert_int_equal(code == CZ_OK, T[i].good);
        assert_string_equal(r.writer, T[i].good ? "w" : "before");
        if (T[i].good)
            assert_int_equal(r.offset, T[i].offset);
        cz_free(r.writer);
    }
}

/* ---- ownership ------------------------------------------------------------------------------ */

/* What a rival does when it is fenced: the worst it may have got in before. */
struct claim_world {
    struct world *w;
    char fenced[16][8];
    int fenced_n;
    int rivals; /* so many write again when they are fenced */
    bool leased;
};

static void put(struct world *w, const char *who, const char *kind, int offset)
{
    char key[32], value[96];
    int k = snprintf(key, sizeof key, "uid/in/0%s", *kind == 'o' ? "/owner" : "");
    int n = *kind == 'o' ? snprintf(value, sizeof value, "{\"v\":1,\"writer\":\"%s\"}", who)
                         : snprintf(value, sizeof value,
                                    "{\"v\":1,\"offset\":%d,\"generation\":1,\"writer\":\"%s\"}", offset, who);
    mock_send(w->target, "pos", 0, key, (size_t)k, value, (size_t)n, NULL);
}

static enum cz_err on_fence(void *arg, const char *id, struct cz_error *err)
{
    struct claim_world *c = arg;
    (void)err;
    (void)snprintf(c->fenced[c->fenced_n++], sizeof c->fenced[0], "%s", id);
    if (c->rivals-- > 0)
        put(c->w, "late", "position", 77);
    return CZ_OK;
}

static bool leased(void *arg)
{
    const struct claim_world *c = arg;
    return c->leased;
}

static enum cz_err run(struct claim_world *cw, bool own, struct cz_offset_record *rec, struct cz_error *err)
{
    struct world *w = cw->w;
    struct cz_admin *admin = NULL;
    assert_int_equal(cz_admin_new(w->to, "test", &admin, err), CZ_OK);
    struct cz_offsets_claim c = {.target = w->to, .admin = admin, .client_id = "test", .group_id = "test",
                                 .topic = "pos", .producer = own ? w->producer : NULL, .fence = on_fence,
                                 .leased = leased, .arg = cw};
    c.at = w->txn->at;
    struct cz_tp_list parts = {0};
    cz_tp_list_add(&parts, "in", 0, -1);
    enum cz_err code = cz_offsets_take(&c, &parts, rec, err);
    if (!code && own) {
        parts.items[0].offset = rec->offset < 0 ? 0 : rec->offset;
        code = cz_offsets_begin(&c, &parts, &rec->position, err);
    }
    cz_tp_list_done(&parts);
    cz_admin_free(admin);
    return code;
}

/* @return who was fenced, in order, separated by blanks */
static const char *take(void **state, struct claim_world *cw, bool own, int64_t want)
{
    static char text[160];
    struct cz_offset_record rec = {0};
    struct cz_error err = CZ_ERROR_INIT;
    cw->w = *state;
    cw->leased = true;
    if (!cw->w->txn)
        world_exact(cw->w, 100);
    if (run(cw, own, &rec, &err))
        fail_msg("%s", err.text);
    assert_int_equal(rec.offset, want);
    cz_free(rec.writer);
    *text = 0;
    for (int i = 0; i < cw->fenced_n; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "", cw->fenced[i]);
    return text;
}

static void test_nothing_there(void **state)
{
    assert_string_equal(take(state, &(struct claim_world){0}, true, -1), "");
    /* A claim and a position of our own: nobody to be fenced at the next start. */
    assert_string_equal(take(state, &(struct claim_world){0}, true, 0), "");
}

static void test_who_wrote_last_is_fenced(void **state)
{
    put(((struct world *)*state), "a", "owner", 0);
    put(((struct world *)*state), "a", "position", 10);
    put(((struct world *)*state), "b", "owner", 0);
    put(((struct world *)*state), "b", "position", 20);
    assert_string_equal(take(state, &(struct claim_world){0}, true, 20), "b");
    assert_string_equal(take(state, &(struct claim_world){0}, true, 20), "");
}

/* A claim that came too late, and one whose owner has not written yet. */
static void test_claims_are_fenced(void **state)
{
    put(((struct world *)*state), "a", "owner", 0);
    put(((struct world *)*state), "a", "position", 10);
    put(((struct world *)*state), "b", "owner", 0);
    put(((struct world *)*state), "c", "owner", 0);
    put(((struct world *)*state), "a", "position", 11);
    assert_string_equal(take(state, &(struct claim_world){0}, true, 11), "a b c");
}

/* What the rival got in before it was fenced counts. */
static void test_late_position_counts(void **state)
{
    put(((struct world *)*state), "a", "position", 10);
    assert_string_equal(take(state, &(struct claim_world){.rivals = 2}, true, 77), "a late late");
}

static void test_read_only(void **state)
{
    put(((struct world *)*state), "me", "position", 10);
    assert_string_equal(take(state, &(struct claim_world){0}, false, 10), "me");
}

static void test_no_end_of_rivals(void **state)
{
    struct claim_world cw = {.w = *state, .rivals = 100, .leased = true};
    struct cz_offset_record rec = {0};
    struct cz_error err = CZ_ERROR_INIT;
    world_exact(cw.w, 100);
    put(cw.w, "a", "position", 10);
    assert_int_equal(run(&cw, true, &rec, &err), CZ_E_CONFLICT);
    assert_int_equal(err.flags, CZ_ERR_RETRIABLE);
    cz_free(rec.writer);
}

static void test_without_a_lease_nothing_is_claimed(void **state)
{
    struct claim_world cw = {.w = *state};
    struct cz_offset_record rec = {0};
    struct cz_error err = CZ_ERROR_INIT;
    world_exact(cw.w, 100);
    assert_int_equal(run(&cw, true, &rec, &err), CZ_E_FENCED);
    cz_free(rec.writer);
}

#define OFFSETS_TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
int main(void)
{
    cz_json_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_partition_is_for_ever),
        cmocka_unit_test(test_records_are_read),
        OFFSETS_TEST(test_nothing_there),
        OFFSETS_TEST(test_who_wrote_last_is_fenced),
        OFFSETS_TEST(test_claims_are_fenced),
        OFFSETS_TEST(test_late_position_counts),
        OFFSETS_TEST(test_read_only),
        OFFSETS_TEST(test_no_end_of_rivals),
        OFFSETS_TEST(test_without_a_lease_nothing_is_claimed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
