/* SPDX-License-Identifier: Apache-2.0 */
/** Where a request moves positions: what is refused and where, and the arithmetic at the log's ends. */
#include "fixture.h"
#include "offsets_priv.h"

enum { N = 4 };

/* Two topics of two partitions; b[1] was never committed. */
static void fill(struct cz__position *p)
{
    const struct cz__position all[N] = {
        {.topic = "a", .partition = 0, .committed = 50, .start = 10, .end = 100, .to = -1},
        {.topic = "a", .partition = 1, .committed = 5, .start = 0, .end = 7, .to = -1},
        {.topic = "b", .partition = 0, .committed = 0, .start = 3, .end = 3, .to = -1},
        {.topic = "b", .partition = 1, .committed = -1, .start = 0, .end = INT64_MAX, .to = -1},
    };
    memcpy(p, all, sizeof all);
}

static const struct {
    const char *body, *pointer, *code;
} refused[] = {
    {"{}", "/to", "required"},
    {"{'to':'end'}", "/to", "value"},
    {"{'to':7}", "/to", "value"},
    {"{'to':{}}", "/to", "value"},
    {"{'to':{'shift':1,'timestamp':1}}", "/to", "value"},
    {"{'to':{'shift':'x'}}", "/to/shift", "type"},
    {"{'to':{'timestamp':'yesterday'}}", "/to/timestamp", "value"},
    {"{'to':{'timestamp':-1}}", "/to/timestamp", "value"},
    {"{'to':{'offsets':{}}}", "/to/offsets", "type"},
    {"{'to':{'offsets':[1]}}", "/to/offsets", "type"},
    {"{'to':{'offsets':{'a':{'0':9}}}}", "/to/offsets/a/0", "range"},
    {"{'to':{'offsets':{'a':{'0':101}}}}", "/to/offsets/a/0", "range"},
    {"{'to':{'offsets':{'a':{'0':'x'}}}}", "/to/offsets/a/0", "value"},
    {"{'to':{'offsets':{'a':{'0':50,'9':1}}}}", "/to/offsets", "not-found"},
    {"{'to':{'offsets':{'0':3}}}", "/to/offsets", "value"}, /* of a, or of b? */
    {"{'to':'latest','topic':'c'}", "/topic", "not-found"},
    {"{'to':'latest','topic':7}", "/topic", "type"},
    {"{'to':'latest','partitions':[7]}", "/partitions", "not-found"},
    {"{'to':'latest','partitions':['0']}", "/partitions/0", "type"},
    {"{'to':'latest','partitions':[]}", "/partitions", "type"},
    {"{'to':'latest','when':1}", "/when", "unknown-field"},
};

static bool apply(const char *body, struct cz__position *p, struct cz_report *rep)
{
    json_t *j = js(body);
    struct cz__move m;
    fill(p);
    cz__move_parse(j, &m, rep);
    if (cz_report_ok(rep))
        cz__move_apply(&m, p, N, rep);
    json_decref(j);
    return cz_report_ok(rep);
}

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct cz_report rep = CZ_REPORT_INIT;
        struct cz__position p[N];
        bool found = false;
        assert_false(apply(refused[i].body, p, &rep));
        for (size_t k = 0; k < rep.len; k++)
            found |= cz_streq(rep.items[k].pointer, refused[i].pointer) &&
                     cz_streq(rep.items[k].code, refused[i].code);
        if (!found)
            fail_msg("%s: %s [%s] %s", refused[i].body, rep.items[0].pointer, rep.items[0].code,
                     rep.items[0].message);
        cz_report_done(&rep);
    }
}

/* @to per position; -1: not meant */
static void moved(const char *body, int64_t a0, int64_t a1, int64_t b0, int64_t b1)
{
    const int64_t to[N] = {a0, a1, b0, b1};
    struct cz_report rep = CZ_REPORT_INIT;
    struct cz__position p[N];
    if (!apply(body, p, &rep))
        fail_msg("%s: %s", body, rep.items[0].message);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(p[i].chosen, to[i] >= 0);
        if (to[i] >= 0)
            assert_int_equal(p[i].to, to[i]);
    }
}

static void test_moved(void **state)
{
    (void)state;
    moved("{'to':'earliest'}", 10, 0, 3, 0);
    moved("{'to':'latest','topic':'a'}", 100, 7, -1, -1);
    moved("{'to':'earliest','partitions':[1]}", -1, 0, -1, 0);
    moved("{'to':{'shift':1}}", 51, 6, 3, INT64_MAX);
    moved("{'to':{'shift':-10},'topic':'a'}", 40, 0, -1, -1);
    moved("{'to':{'shift':'1000000'},'topic':'a'}", 100, 7, -1, -1);
    moved("{'to':{'shift':-9223372036854775807}}", 10, 0, 3, 0);
    moved("{'to':{'offsets':{'a':{'0':'10','1':7},'b':{'0':3}}}}", 10, 7, 3, -1);
    moved("{'to':{'offsets':{'0':100}},'topic':'a'}", 100, -1, -1, -1);
}

int main(void)
{
    cz_json_init();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_refused), cmocka_unit_test(test_moved)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
