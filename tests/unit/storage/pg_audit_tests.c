/* SPDX-License-Identifier: Apache-2.0 */
/* The audit log as a proof: what is sealed, what verification finds when the owner of the tables
 * rewrites history behind the program's back, and how months come and go. */
#include <stdlib.h>
#include <string.h>

#include "cz/audit_store.h"
#include "pg_env.h"

static struct cz_seal seal_all(struct cz_store *s)
{
    struct cz_seal last = {0}, one = {0};
    struct cz_error err = CZ_ERROR_INIT;
    bool more = true;
    while (more) {
        ASSERT_OK(cz_store_seal(s, &one, &more, &err), &err);
        if (one.n)
            last = one;
    }
    return last;
}

static struct cz_audit_check verify(struct cz_store *s, const struct cz_seal_anchor *anchor)
{
    struct cz_audit_check r;
    struct cz_error err = CZ_ERROR_INIT;
    ASSERT_OK(cz_store_audit_verify(s, 0, anchor, anchor ? 1 : 0, cz_deadline_ms(60000), &r, &err),
              &err);
    return r;
}

static void event(struct cz_store *s, const char *action, const char *outcome)
{
    struct cz_error err = CZ_ERROR_INIT;
    const struct cz_change_meta meta = {.team = "audit",
                                        .actor = "eve\n",
                                        .actor_id = "u9",
                                        .via = "api",
                                        .action = action,
                                        .request_id = "rq-1",
                                        .ip = "::1"};
    json_t *detail = parse("{\"name\":\"a\\nb\"}");
    ASSERT_OK(cz_store_audit(s, &meta, outcome, detail, &err), &err);
    json_decref(detail);
}

/* @text with @n in the place of its #. */
static void run_sql(struct pg_env *e, const char *text, int64_t n)
{
    const char *hash = strchr(text, '#');
    CZ_CLEANUP(cz_freep)
    char *sql = cz_strf("%.*s%lld%s", (int)(hash - text), text, (long long)n, hash + 1);
    assert_string_equal(pg_admin(e, sql, NULL), "");
}

static int64_t number(struct pg_env *e, const char *sql)
{
    char *text = NULL;
    assert_string_equal(pg_admin(e, sql, &text), "");
    int64_t n = text ? strtoll(text, NULL, 10) : 0;
    cz_free(text);
    return n;
}

void test_audit_read(void **state)
{
    struct pg_env *e = *state;
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_audit_list l = {0};
    new_team(e->stores.a, "audit");
    int64_t seq = put(e->stores.a, "audit", "seen", "{}");
    event(e->stores.a, "mapping.peek", "denied");
    event(e->stores.a, "mapping.pause", "ok");
    const struct {
        struct cz_audit_filter f;
        size_t want;
    } cases[] = {
        {{.team = "audit", .outcome = "denied"}, 1},
        {{.team = "audit", .action = "mapping.peek"}, 1},
        {{.team = "audit", .action = "mapping.p*"}, 2},
        {{.team = "audit", .action = "mapping.p"}, 0},
        {{.team = "audit", .actor = "eve\n"}, 2},
        {{.team = "audit", .request_id = "rq-1", .limit = 1}, 1},
        {{.team = "audit", .name = "seen"}, 1},
        {{.team = "audit", .name = "a\nb"}, 2},
        {{.seq = seq}, 1},
        {{.team = "audit", .to_ms = 1000}, 0},
        {{.team = "audit", .from_ms = 1000, .outcome = "denied"}, 1},
        {{.team = "nobody"}, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        ASSERT_OK(cz_store_audit_list(e->stores.a, &cases[i].f, &l, &err), &err);
        if (l.len != cases[i].want)
            fail_msg("case %zu: %zu events", i, l.len);
        cz_audit_list_done(&l);
    }
    ASSERT_OK(cz_store_audit_list(e->stores.a, &(struct cz_audit_filter){.team = "audit"}, &l, &err),
              &err);
    assert_true(l.len >= 3 && l.items[0].id > l.items[1].id);
    assert_string_equal(l.items[0].actor, "eve\n");
    assert_string_equal(l.items[0].actor_id, "u9");
    assert_string_equal(json_string_value(json_object_get(l.items[0].detail, "name")), "a\nb");
    int64_t before = l.items[1].id;
    cz_audit_list_done(&l);
    ASSERT_OK(cz_store_audit_list(e->stores.a, &(struct cz_audit_filter){.before = before, .limit = 1},
                                  &l, &err),
              &err);
    assert_int_equal(l.len, 1);
    assert_true(l.items[0].id < before);
    cz_audit_list_done(&l);
}

/* An event whose transaction is still open has its id already; no seal may pass over it. */
void test_audit_undecided(void **state)
{
    struct pg_env *e = *state;
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_seal s = {0};
    bool more = false;
    new_team(e->stores.a, "audit");
    (void)seal_all(e->stores.a);
    assert_string_equal(pg_admin(e,
                                 "BEGIN; INSERT INTO audit_event (action, outcome)"
                                 " VALUES ('late', 'ok')",
                                 NULL),
                        "");
    event(e->stores.b, "early", "ok"); /* does not wait for the other one */
    cz_time begin = cz_now();
    ASSERT_CODE(cz_store_seal(e->stores.a, &s, &more, &err), CZ_E_UNAVAILABLE);
    assert_true(err.flags & CZ_ERR_RETRIABLE);
    assert_true(cz_now() - begin < 3 * CZ_SEC);
    event(e->stores.b, "early", "ok");
    assert_string_equal(pg_admin(e, "COMMIT", NULL), "");
    s = seal_all(e->stores.a);
    assert_int_equal(s.events, 3);
    assert_true(verify(e->stores.a, NULL).ok);
}

void test_seals(void **state)
{
    struct pg_env *e = *state;
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_seal none;
    struct cz_seal_list l = {0};
    bool more = true;
    new_team(e->stores.a, "audit");
    put(e->stores.a, "audit", "sealed", "{}");
    event(e->stores.a, "mapping.peek", "ok");
    struct cz_seal s = seal_all(e->stores.a);
    assert_true(s.n > 0 && s.changes > 0 && s.revisions > 0 && s.events > 1);
    assert_int_equal(s.change_seq, now_seq(e->stores.a));
    assert_int_equal(strlen(s.root), 64);
    ASSERT_OK(cz_store_seal(e->stores.a, &none, &more, &err), &err);
    assert_true(none.n == 0 && !more); /* nothing new, no seal */
    ASSERT_OK(cz_store_seals(e->stores.a, 0, -1, 1, &l, &err), &err);
    assert_int_equal(l.len, 1);
    assert_string_equal(l.items[0].root, s.root);
    assert_int_equal(l.items[0].events, s.events);
    cz_seal_list_done(&l);
    ASSERT_OK(cz_store_seals(e->stores.a, 0, s.n - 1, 10, &l, &err), &err);
    assert_int_equal(l.len, 1);
    cz_seal_list_done(&l);

    struct cz_audit_check r = verify(e->stores.a, NULL);
    assert_true(r.ok && r.complete);
    assert_int_equal(r.upto, s.n);
    assert_int_equal(r.last.n, s.n);
    assert_int_equal(r.changes, s.change_seq);
    assert_int_equal(r.unsealed_events, 0);
    put(e->stores.a, "audit", "sealed", "{\"spec\":{\"n\":2}}");
    r = verify(e->stores.a, NULL);
    assert_true(r.ok);
    assert_int_equal(r.unsealed_changes, 1);
    assert_int_equal(r.unsealed_events, 1);

    const struct cz_seal_anchor good = {s.n, s.root};
    const struct cz_seal_anchor later = {s.n + 1, s.root};
    const struct cz_seal_anchor other = {1, s.root};
    assert_true(verify(e->stores.a, &good).ok);
    r = verify(e->stores.a, &later);
    assert_false(r.ok);
    assert_string_equal(r.bad_what, "missing");
    if (s.n > 1) {
        r = verify(e->stores.a, &other);
        assert_false(r.ok);
        assert_int_equal(r.bad_seal, 1);
        assert_string_equal(r.bad_part, "root");
    }
    (void)seal_all(e->stores.a);
}

/* Rows of one table are put aside, tampered with, and put back. */
struct tamper {
    const char *table, *key, *sql; /* #: the key's value */
    const char *part, *what;
};

static void tampered(struct pg_env *e, const struct tamper *t, int64_t row, int64_t seal)
{
    char keep[256], back[256];
    (void)snprintf(keep, sizeof(keep), "CREATE TEMP TABLE kept AS SELECT * FROM %s", t->table);
    (void)snprintf(back, sizeof(back),
                   "DELETE FROM %s; INSERT INTO %s OVERRIDING SYSTEM VALUE SELECT * FROM kept;"
                   " DROP TABLE kept",
                   t->table, t->table);
    assert_string_equal(pg_admin(e, keep, NULL), "");
    run_sql(e, t->sql, row);
    struct cz_audit_check r = verify(e->stores.a, NULL);
    assert_string_equal(pg_admin(e, back, NULL), "");
    if (r.ok)
        fail_msg("not found: %s", t->sql);
    if (strncmp(r.bad_part, t->part, strlen(t->part)) != 0 || strcmp(r.bad_what, t->what) != 0 ||
        (t->key && r.bad_row != row) || (seal && r.bad_seal != seal))
        fail_msg("%s (%lld): seal %lld %s %s %lld: %s", t->sql, (long long)row,
                 (long long)r.bad_seal, r.bad_part, r.bad_what, (long long)r.bad_row, r.text);
    assert_true(strlen(r.text) > 0);
    struct cz_audit_check again = verify(e->stores.a, NULL);
    if (!again.ok)
        fail_msg("not put back after %s: %s", t->sql, again.text);
}

/* The owner, with the triggers out of the way. */
void test_tampering(void **state)
{
    struct pg_env *e = *state;
    static const struct tamper events[] = {
        {"audit_event", "id", "UPDATE audit_event SET actor = 'x' WHERE id = #", "event", "changed"},
        {"audit_event", "id", "UPDATE audit_event SET ip = NULL WHERE id = #", "event", "changed"},
        {"audit_event", "id", "UPDATE audit_event SET at = at + interval '1 us' WHERE id = #",
         "event", "changed"},
        {"audit_event", "id", "UPDATE audit_event SET detail = '{}' WHERE id = #", "event",
         "changed"},
        {"audit_event", "id", "DELETE FROM audit_event WHERE id = #", "event", "missing"},
    };
    static const struct tamper changes[] = {
        {"change", "seq", "UPDATE change SET actor = 'x' WHERE seq = #", "change", "changed"},
        {"change", "seq", "UPDATE change SET comment = 'x' WHERE seq = #", "change", "changed"},
        {"change", "seq", "DELETE FROM change WHERE seq = #", "change", "missing"},
        {"revision", "seq", "UPDATE revision SET doc = '{\"spec\":{}}' WHERE seq = #", "revision",
         "changed"},
        {"revision", "seq", "DELETE FROM revision WHERE seq = #", "revision", "missing"},
        {"revision", "seq",
         "INSERT INTO revision SELECT seq, n + 1000, resource_id, team_id, kind, name, uid, generation,"
         " op, managed_by, doc, override FROM revision WHERE seq = # LIMIT 1",
         "revision", "added"},
    };
    static const struct tamper seals[] = {
        {"audit_seal", NULL, "UPDATE audit_seal SET at = at + interval '1 us' WHERE n = #", "seal",
         "changed"},
        {"audit_seal", NULL, "UPDATE audit_seal SET event_id = event_id - 1 WHERE n = #", "seal",
         "changed"},
        {"audit_seal", NULL, "DELETE FROM audit_seal WHERE n = #", "seal", "missing"},
        {"audit_seal_part", NULL, "UPDATE audit_seal_part SET hash = '\\x00' WHERE n = #", "seal",
         "changed"},
        {"audit_seal_part", NULL, "DELETE FROM audit_seal_part WHERE n = #", "seal", "changed"},
    };
    new_team(e->stores.a, "audit");
    for (int i = 0; i < 3; i++) { /* one seal in the middle, one at the end */
        put(e->stores.a, "audit", "t", i % 2 ? "{\"spec\":{\"n\":1}}" : "{\"spec\":{\"n\":2}}");
        event(e->stores.a, "mapping.peek", "denied");
        if (i < 2)
            put(e->stores.a, "audit", "u", i % 2 ? "{\"spec\":{\"n\":1}}" : "{\"spec\":{\"n\":2}}");
        (void)seal_all(e->stores.a);
    }
    int64_t seal = number(e, "SELECT max(n) FROM audit_seal");
    int64_t last_event = number(e, "SELECT max(id) FROM audit_event");
    int64_t last_change = number(e, "SELECT max(seq) FROM change");
    assert_string_equal(pg_admin(e, "SET session_replication_role = replica", NULL), "");
    for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++) {
        tampered(e, &events[i], last_event, seal);
        tampered(e, &events[i], number(e, "SELECT id FROM audit_event WHERE action = 'mapping.peek'"
                                          " ORDER BY id DESC OFFSET 1 LIMIT 1"),
                 seal - 1);
    }
    for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
        tampered(e, &changes[i], last_change, seal);
        tampered(e, &changes[i], last_change - 1, seal - 1);
    }
    for (size_t i = 0; i < sizeof(seals) / sizeof(*seals); i++)
        tampered(e, &seals[i], seal - 1, seal - 1);

    /* Cut off at the end, with its seal: numbers of changes have no gaps. */
    put(e->stores.a, "audit", "t", "{\"spec\":{\"n\":7}}");
    struct cz_seal cut = seal_all(e->stores.a);
    assert_string_equal(pg_admin(e, "CREATE TEMP TABLE kept AS SELECT * FROM audit_seal", NULL), "");
    run_sql(e, "DELETE FROM audit_seal WHERE n = #", cut.n);
    const struct cz_seal_anchor anchor = {cut.n, cut.root};
    struct cz_audit_check r = verify(e->stores.a, &anchor);
    assert_false(r.ok);
    assert_int_equal(r.bad_seal, cut.n);
    assert_string_equal(r.bad_what, "missing");
    run_sql(e, "CREATE TEMP TABLE kept2 AS SELECT * FROM change; DELETE FROM change WHERE seq = #",
            cut.change_seq);
    r = verify(e->stores.a, NULL);
    assert_false(r.ok);
    assert_string_equal(r.bad_part, "change");
    assert_int_equal(r.bad_row, cut.change_seq);
    assert_string_equal(
        pg_admin(e,
                 "DELETE FROM change; INSERT INTO change SELECT * FROM kept2; DELETE FROM audit_seal;"
                 " INSERT INTO audit_seal SELECT * FROM kept; DROP TABLE kept, kept2;"
                 " SET session_replication_role = origin",
                 NULL),
        "");
    assert_true(verify(e->stores.a, NULL).ok);
}

void test_retention(void **state)
{
    struct pg_env *e = *state;
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_audit_kept_list l = {0};
    /* Left in the default partition, as if nobody had made partitions for long. */
    assert_string_equal(pg_admin(e,
                                 "INSERT INTO audit_event (at, action, outcome)"
                                 " SELECT statement_timestamp() - i * interval '20 months', 'old', 'ok'"
                                 " FROM generate_series(1, 2) i, generate_series(1, 3)",
                                 NULL),
                        "");
    ASSERT_OK(cz_store_audit_keep(e->stores.a, &l, &err), &err);
    assert_int_equal(l.len, 2); /* months for them; not one goes before it is sealed */
    assert_string_equal(l.items[0].what, "created");
    assert_int_equal(l.items[0].events, 3);
    cz_free(l.items);
    assert_int_equal(number(e, "SELECT count(*) FROM audit_event_default"), 0);
    assert_int_equal(number(e, "SELECT count(*) FROM audit_event WHERE action = 'old'"), 6);
    assert_string_equal(pg_admin(e, "DELETE FROM audit_event WHERE action = 'old'", NULL), "42501");
    (void)seal_all(e->stores.a);
    assert_true(verify(e->stores.a, NULL).ok);

    ASSERT_OK(cz_store_audit_keep(e->stores.a, &l, &err), &err);
    assert_int_equal(l.len, 2);
    assert_string_equal(l.items[1].what, "dropped");
    assert_int_equal(l.items[1].events, 3);
    assert_int_equal(number(e, "SELECT count(*) FROM audit_event WHERE action = 'old'"), 0);
    assert_int_equal(number(e, "SELECT count(*) FROM audit_event WHERE action = 'audit.retention'"), 2);
    struct cz_audit_check r = verify(e->stores.a, NULL);
    if (!r.ok)
        fail_msg("%s", r.text);
    assert_int_equal(r.dropped, 6);
    assert_string_equal(r.dropped_to, l.items[1].month);
    cz_free(l.items);
    (void)seal_all(e->stores.a);
    r = verify(e->stores.a, NULL);
    assert_true(r.ok && r.dropped == 6);

    /* A month that is younger and gone is no retention. */
    assert_string_equal(pg_admin(e,
                                 "SET session_replication_role = replica;"
                                 "CREATE TEMP TABLE kept AS SELECT * FROM audit_event;"
                                 "DELETE FROM audit_event",
                                 NULL),
                        "");
    assert_false(verify(e->stores.a, NULL).ok);
    assert_string_equal(pg_admin(e,
                                 "INSERT INTO audit_event OVERRIDING SYSTEM VALUE SELECT * FROM kept;"
                                 "DROP TABLE kept; SET session_replication_role = origin",
                                 NULL),
                        "");
    assert_true(verify(e->stores.a, NULL).ok);
}

void test_audit_rights(void **state)
{
    struct pg_env *e = *state;
    struct cz_error err = CZ_ERROR_INIT;
    static const char *const refused[] = {"UPDATE audit_policy SET keep_months = 1",
                                          "UPDATE audit_seal SET root = ''",
                                          "DELETE FROM audit_seal_part",
                                          "TRUNCATE audit_seal CASCADE",
                                          "DROP FUNCTION audit_keep()",
                                          "DELETE FROM audit_export"};
    char *app = pg_app_conninfo(e, NULL);
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
        assert_string_equal(pg_run_as(app, refused[i]), "42501");
    /* What it creates in its own name is not what the owner's function finds. */
    assert_string_equal(pg_run_as(app, "CREATE TEMP TABLE audit_policy (keep_months int);"
                                       "INSERT INTO pg_temp.audit_policy VALUES (-1000);"
                                       "SELECT audit_keep()"),
                        "");
    assert_true(verify(e->stores.a, NULL).ok);
    ASSERT_CODE(cz_store_audit_policy(app, 1, NULL), CZ_E_INTERNAL);
    char search_path[64];
    (void)snprintf(search_path, sizeof(search_path), "-c search_path=%s", e->schema);
    char *owner = pg_conninfo((const char *[]){"options", search_path, NULL});
    ASSERT_OK(cz_store_audit_policy(owner, 24, &err), &err);
    assert_int_equal(number(e, "SELECT keep_months FROM audit_policy"), 24);
    cz_free(app);
    cz_free(owner);

    struct cz_audit_position p = {.event_id = 7, .seal_n = 3}, got = {1, 1};
    ASSERT_OK(cz_store_audit_position(e->stores.a, "t", &got, &err), &err);
    assert_int_equal(got.event_id, 0);
    ASSERT_OK(cz_store_audit_set_position(e->stores.a, "t", &p, &err), &err);
    p.event_id = 9;
    ASSERT_OK(cz_store_audit_set_position(e->stores.a, "t", &p, &err), &err);
    ASSERT_OK(cz_store_audit_position(e->stores.b, "t", &got, &err), &err);
    assert_int_equal(got.event_id, 9);
    assert_int_equal(got.seal_n, 3);
}
