/* SPDX-License-Identifier: Apache-2.0 */
/** Local accounts, sessions and the first admin, against a real database.  Tests bear the id of their
 *  line in the security checklist. */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "cz/json.h"
#include "cz/log.h"
#include "cz/util.h"
#include "identity_priv.h"
#include "pg_fixture.h"

#define AUTH "/api/v1/auth"
#define GOOD "a rather long sentence"
#define POST(path, b) {.method = "POST", .target = path, .body = b}
#define FROM(path, b, address) {.method = "POST", .target = path, .body = b, .ip = address}
#define GET(path, c) {.method = "GET", .target = path, .cookie = c}

/* Each test's logins come from an address of their own: failures of one do not slow another. */
static char *login_from(struct pfx *f, const char *name, const char *password, const char *ip,
                        int status)
{
    CZ_CLEANUP(cz_freep) char *body =
        cz_strf("{'username':'%s','password':'%s'}", name, password);
    struct call c = POST(AUTH "/login", body);
    c.ip = ip;
    struct answer a = pfx_call(f, &c);
    if (a.status != status)
        fail_msg("login of %s: %d, wanted %d: %s", name, a.status, status, a.out.body);
    char *cookie = answer_cookie(&a);
    answer_done(&a);
    return cookie;
}

/* A local user; its id. cz_free. */
static char *user(struct pfx *f, const char *name, bool admin)
{
    CZ_CLEANUP(cz_freep) char *body = cz_strf(
        "{'kind':'user','name':'%s','password':'" GOOD "','admin':%s}", name,
        admin ? "true" : "false");
    json_t *j = pfx_json(f,
                         &(struct call){.method = "POST", .target = "/api/v1/principals",
                                        .body = body, .token = ROOT},
                         201);
    char *id = cz_strdup(json_string_value(json_object_get(j, "id")));
    json_decref(j);
    return id;
}

static const char *header(const struct answer *a, const char *name, const char *start)
{
    for (size_t i = 0; i < a->out.headers_len; i++)
        if (strcmp(a->out.headers[i].name, name) == 0 &&
            strncmp(a->out.headers[i].value, start, strlen(start)) == 0)
            return a->out.headers[i].value;
    return NULL;
}

static void age(struct pfx *f, const char *column, const char *id, const char *by)
{
    CZ_CLEANUP(cz_freep) char *sql =
        cz_strf("UPDATE session SET %s = %s - interval '%s' WHERE principal_id = '%s'", column,
                column, by, id);
    cz_free(pfx_sql(f, sql));
}

/* ---- C6: the first admin -------------------------------------------------------------------- */

static void test_c6_bootstrap(void **state)
{
    struct pfx *f = *state;
    char one[80], two[80], none[80];
    bool offered = false;
    struct cz_error err = CZ_ERROR_INIT;
    /* a fresh database knows nobody */
    CZ_CLEANUP(cz_freep) char *n = pfx_sql(f, "SELECT count(*) FROM principal");
    assert_string_equal(n, "0");
    ASSERT_OK(cz_identity_bootstrap_offer(f->identity, one, &offered, &err), &err);
    assert_true(offered);
    ASSERT_OK(cz_identity_bootstrap_offer(f->identity, two, &offered, &err), &err);
    assert_true(offered);
#define BODY "{'token':'%s','username':'first','password':'%s'}"
    CZ_CLEANUP(cz_freep) char *with_one = cz_strf(BODY, one, GOOD);
    CZ_CLEANUP(cz_freep) char *with_two = cz_strf(BODY, two, GOOD);
    CZ_CLEANUP(cz_freep) char *weak = cz_strf(BODY, one, "password");
    CZ_CLEANUP(cz_freep) char *garbage = cz_strf(BODY, "czk_bootstrap_x", GOOD);
    assert_int_equal(pfx_status(f, &(struct call)POST(AUTH "/bootstrap", garbage)), 401);
    assert_int_equal(pfx_status(f, &(struct call)POST(AUTH "/bootstrap", weak)), 422);
    /* expired */
    cz_free(pfx_sql(f, "UPDATE bootstrap_token SET expires_at = expires_at - interval '15 min'"));
    assert_int_equal(pfx_status(f, &(struct call)POST(AUTH "/bootstrap", with_one)), 401);
    cz_free(pfx_sql(f, "UPDATE bootstrap_token SET expires_at = expires_at + interval '15 min'"));
    /* once, and it ends the other one too */
    struct answer a = pfx_call(f, &(struct call)POST(AUTH "/bootstrap", with_one));
    assert_int_equal(a.status, 200);
    CZ_CLEANUP(cz_freep) char *cookie = answer_cookie(&a);
    assert_non_null(cookie);
    answer_done(&a);
    assert_int_equal(pfx_status(f, &(struct call)FROM(AUTH "/bootstrap", with_one, "10.0.1.1")), 401);
    assert_int_equal(pfx_status(f, &(struct call)FROM(AUTH "/bootstrap", with_two, "10.0.1.2")), 401);
    /* each of the two reasons alone is enough: it was used, and there is an admin */
    cz_free(pfx_sql(f, "UPDATE principal SET admin = false"));
    assert_int_equal(pfx_status(f, &(struct call)FROM(AUTH "/bootstrap", with_one, "10.0.1.4")), 401);
    cz_free(pfx_sql(f, "UPDATE principal SET admin = true"));
    cz_free(pfx_sql(f, "UPDATE bootstrap_token SET used_at = NULL"));
    assert_int_equal(pfx_status(f, &(struct call)FROM(AUTH "/bootstrap", with_two, "10.0.1.5")), 401);
    /* who guesses is slowed down */
    for (int i = 0; i < 3; i++)
        (void)pfx_status(f, &(struct call)FROM(AUTH "/bootstrap", garbage, "10.0.1.3"));
    assert_int_equal(pfx_status(f, &(struct call)FROM(AUTH "/bootstrap", garbage, "10.0.1.3")), 429);
    CZ_CLEANUP(cz_freep) char *admins = pfx_sql(f, "SELECT count(*) FROM principal");
    assert_string_equal(admins, "1");
    ASSERT_OK(cz_identity_bootstrap_offer(f->identity, none, &offered, &err), &err);
    assert_false(offered);
    json_t *me = pfx_json(f, &(struct call)GET(AUTH "/me", cookie), 200);
    assert_string_equal(json_string_value(json_array_get(json_object_get(me, "roles"), 0)), "admin");
    json_decref(me);
    assert_int_equal(pfx_audited(f, "auth.bootstrap", "ok"), 1);
    assert_true(pfx_audited(f, "auth.bootstrap", "failed") >= 3);
    /* the last admin cannot shut itself out */
    CZ_CLEANUP(cz_freep) char *id = pfx_sql(f, "SELECT id FROM principal");
    CZ_CLEANUP(cz_freep) char *path = cz_strf("/api/v1/principals/%s", id);
    static const char *const outs[] = {"{'disabled':true}", "{'admin':false}"};
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pfx_status(f, &(struct call){.method = "PATCH", .target = path,
                                                      .body = outs[i], .token = ROOT}),
                         409);
}

/* ---- C2, C3, C4: passwords ------------------------------------------------------------------- */

static void test_c3_password_rules(void **state)
{
    static const struct {
        const char *password;
        int status;
    } rows[] = {
        {"1234567", 422},                              /* 7 */
        {"p\xc3\xa9rle\xc3\xa9\xc3\xa9", 422},          /* 7 characters, 10 bytes */
        {"xk3 vb8q", 201},                             /* 8, no rules of composition */
        {"aaaaaaaaaaaaaaab", 201},
        {"password", 422},
        {"Password1", 422},                            /* in any case */
        {"1q2w3e4r5t", 422},
        {"c3-name-6", 422},                            /* its own name */
        {"\xd0\xbf\xd0\xb0\xd1\x80\xd0\xbe\xd0\xbb\xd1\x8c \xd0\xbc\xd0\xbe\xd0\xb9", 201},
        {"sixty-four characters and more are allowed, as pass phrases are so long", 201},
        {"nul \\u0000 inside it", 422},
    };
    struct pfx *f = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CZ_CLEANUP(cz_freep) char *body =
            cz_strf("{'kind':'user','name':'c3-name-%zu','password':'%s'}",
                    strcmp(rows[i].password, "c3-name-6") ? i + 20 : 6, rows[i].password);
        int got = pfx_status(f, &(struct call){.method = "POST", .target = "/api/v1/principals",
                                               .body = body, .token = ROOT});
        /* what JSON itself refuses is refused as well */
        if (got != rows[i].status && !(rows[i].status == 422 && got == 400))
            fail_msg("row %zu: %d, wanted %d", i, got, rows[i].status);
    }
}

static void test_c2_argon2id(void **state)
{
    struct pfx *f = *state;
    CZ_CLEANUP(cz_freep) char *id = user(f, "c2", false);
    CZ_CLEANUP(cz_freep) char *sql =
        cz_strf("SELECT hash FROM local_password WHERE principal_id = '%s'", id);
    CZ_CLEANUP(cz_freep) char *hash = pfx_sql(f, sql);
    assert_int_equal(strncmp(hash, "$argon2id$v=19$m=19456,t=2,p=1$", 31), 0);
}

struct crowd {
    struct cz_thread thread;
    struct pfx *f;
    int status;
};

static void *crowd_main(void *arg)
{
    struct crowd *c = arg;
    struct call call = POST(AUTH "/login", "{'username':'crowd','password':'" GOOD "'}");
    call.ip = "10.0.2.1";
    c->status = pfx_status(c->f, &call);
    return NULL;
}

/* 50 at once: all get in, and no more memory is taken than four hashes need. */
static void test_c2_fifty_at_once(void **state)
{
    enum { N = 50 };
    struct pfx *f = *state;
    struct crowd crowd[N];
    struct rusage before, after;
    CZ_CLEANUP(cz_freep) char *id = user(f, "crowd", false);
    (void)getrusage(RUSAGE_SELF, &before);
    for (size_t i = 0; i < N; i++) {
        crowd[i] = (struct crowd){.f = f};
        cz_thread_start(&crowd[i].thread, "crowd", crowd_main, &crowd[i]);
    }
    size_t in = 0;
    for (size_t i = 0; i < N; i++) {
        cz_thread_join(&crowd[i].thread);
        in += crowd[i].status == 200;
        assert_true(crowd[i].status == 200 || crowd[i].status == 503);
    }
    (void)getrusage(RUSAGE_SELF, &after);
    assert_true(in > 0);
    /* 50 hashes would be 950 MiB; 4 are 76, and the sanitizer keeps what was freed for a while */
    long grown = (after.ru_maxrss - before.ru_maxrss) / 1024;
    print_message("# %zu of %d signed in, %ld MiB more at the peak\n", in, N, grown);
    assert_true(grown < 600);
}

static void test_c4_same_for_unknown_user(void **state)
{
    enum { ROUNDS = 3 };
    struct pfx *f = *state;
    CZ_CLEANUP(cz_freep) char *id = user(f, "c4-known", false);
    cz_time known = 0, unknown = 0;
    char *text[2] = {NULL};
    for (int i = 0; i < ROUNDS * 2; i++) {
        bool real = i % 2;
        CZ_CLEANUP(cz_freep) char *ip = cz_strf("10.0.3.%d", i);
        struct call c = POST(AUTH "/login", real ? "{'username':'c4-known','password':'wrong wrong'}"
                                                 : "{'username':'c4-nobody','password':'wrong wrong'}");
        c.ip = ip;
        cz_time start = cz_now();
        struct answer a = pfx_call(f, &c);
        *(real ? &known : &unknown) += cz_now() - start;
        assert_int_equal(a.status, 401);
        cz_free(text[real]);
        text[real] = cz_strdup(json_string_value(json_object_get(a.json, "detail")));
        answer_done(&a);
    }
    assert_string_equal(text[0], text[1]);
    cz_free(text[0]);
    cz_free(text[1]);
    /* a hash is some 60 ms: without one the unknown would take a fraction */
    assert_true(unknown > known / 3 && known > unknown / 3);
    assert_true(pfx_audited(f, "auth.login", "failed") >= ROUNDS * 2);
}

static void test_c4_throttle(void **state)
{
    struct pfx *f = *state;
    CZ_CLEANUP(cz_freep) char *id = user(f, "c4", false);
    for (int i = 0; i < 3; i++)
        cz_free(login_from(f, "c4", "wrong wrong", "10.0.4.1", 401));
    struct call c = POST(AUTH "/login", "{'username':'c4','password':'" GOOD "'}");
    c.ip = "10.0.4.1";
    struct answer a = pfx_call(f, &c);
    assert_int_equal(a.status, 429); /* also with the right one: no oracle */
    assert_string_equal(cz_http_out_header(&a.out, "Retry-After"), "1");
    answer_done(&a);
    /* its owner elsewhere is not kept out */
    cz_free(login_from(f, "c4", GOOD, "10.0.4.2", 200));
}

/* The rules of waiting, with a clock of our own. */
static void test_c4_backoff(void **state)
{
    struct cz__throttle t;
    cz_time now = cz_now();
    (void)state;
    cz__throttle_init(&t);
    for (int i = 0; i < 5; i++)
        cz__throttle_failed(&t, "a", "ip", now);
    assert_int_equal(cz__throttle_wait_ms(&t, "a", "ip", now), 4000); /* 1, 2, 4 */
    assert_int_equal(cz__throttle_wait_ms(&t, "a", "ip", now + 3 * CZ_SEC), 1000);
    assert_int_equal(cz__throttle_wait_ms(&t, "a", "ip", now + 4 * CZ_SEC), 0);
    assert_int_equal(cz__throttle_wait_ms(&t, "b", "ip", now), 0);
    assert_int_equal(cz__throttle_wait_ms(&t, "a", "other", now), 0);
    for (int i = 0; i < 40; i++)
        cz__throttle_failed(&t, "a", "ip", now);
    assert_int_equal(cz__throttle_wait_ms(&t, "a", "ip", now), 300000); /* and no longer */
    /* one address, many accounts */
    assert_true(cz__throttle_wait_ms(&t, "never", "ip", now) > 0);
    /* many addresses, one account: strangers wait, who has been here before does not */
    assert_true(cz__throttle_wait_ms(&t, "a", "new", now) > 0);
    cz__throttle_passed(&t, "a", "home", now);
    assert_int_equal(cz__throttle_wait_ms(&t, "a", "home", now), 0);
    /* forgotten */
    assert_int_equal(cz__throttle_wait_ms(&t, "a", "ip", now + 16 * 60 * CZ_SEC), 0);
    /* a flood of names does not grow it, and it still answers */
    for (int i = 0; i < 20000; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "n%d", i);
        cz__throttle_failed(&t, name, name, now);
    }
    cz__throttle_done(&t);
}

/* ---- B3, B4, C5: sessions -------------------------------------------------------------------- */

static void test_b3_set_cookie(void **state)
{
    struct pfx *f = *state;
    CZ_CLEANUP(cz_freep) char *id = user(f, "b3", false);
    struct call c = POST(AUTH "/login", "{'username':'b3','password':'" GOOD "'}");
    c.ip = "10.0.5.1";
    struct answer a = pfx_call(f, &c);
    const char *v = header(&a, "Set-Cookie", "__Host-citizenk=");
    assert_non_null(v);
    assert_non_null(strstr(v, "; Path=/;"));
    assert_non_null(strstr(v, "; Secure;"));
    assert_non_null(strstr(v, "; HttpOnly;"));
    assert_non_null(strstr(v, "; SameSite=Strict;"));
    assert_non_null(strstr(v, "; Max-Age=43200"));
    assert_null(strstr(v, "Domain"));
    answer_done(&a);
}

static void test_b4_logout(void **state)
{
    struct pfx *f = *state;
    CZ_CLEANUP(cz_freep) char *id = user(f, "b4", false);
    CZ_CLEANUP(cz_freep) char *cookie = login_from(f, "b4", GOOD, "10.0.6.1", 200);
    assert_int_equal(pfx_status(f, &(struct call)GET(AUTH "/me", cookie)), 200);
    struct answer a = pfx_call(
        f, &(struct call){.method = "POST", .target = AUTH "/logout", .cookie = cookie});
    assert_int_equal(a.status, 204);
    const char *v = header(&a, "Set-Cookie", "__Host-citizenk=;");
    assert_non_null(v);
    assert_non_null(strstr(v, "Expires=Thu, 01 Jan 1970 00:00:00 GMT"));
    assert_non_null(strstr(v, "Max-Age=0"));
    assert_non_null(header(&a, "Clear-Site-Data", "\"cache\", \"cookies\""));
    answer_done(&a);
    assert_int_equal(pfx_status(f, &(struct call)GET(AUTH "/me", cookie)), 401);
    CZ_CLEANUP(cz_freep) char *sql =
        cz_strf("SELECT count(*) FROM session WHERE principal_id = '%s'", id);
    CZ_CLEANUP(cz_freep) char *left = pfx_sql(f, sql);
    assert_string_equal(left, "0");
    assert_true(pfx_audited(f, "auth.logout", "ok") >= 1);
}

static void test_c5_stored_hashed_and_new_at_login(void **state)
{
    struct pfx *f = *state;
    CZ_CLEANUP(cz_freep) char *id = user(f, "c5-new", false);
    CZ_CLEANUP(cz_freep) char *first = login_from(f, "c5-new", GOOD, "10.0.7.1", 200);
    CZ_CLEANUP(cz_freep) char *sql =
        cz_strf("SELECT count(*) FROM session s WHERE s::text LIKE '%%%.30s%%'", first + 12);
    CZ_CLEANUP(cz_freep) char *plain = pfx_sql(f, sql);
    assert_string_equal(plain, "0");
    assert_int_equal(strlen(first), strlen("czk_session_") + 43 + 7);
    /* another sign-in with the old cookie at hand: another id, and the old one ends */
    struct call c = POST(AUTH "/login", "{'username':'c5-new','password':'" GOOD "'}");
    c.ip = "10.0.7.1";
    c.cookie = first;
    struct answer a = pfx_call(f, &c);
    assert_int_equal(a.status, 200);
    CZ_CLEANUP(cz_freep) char *second = answer_cookie(&a);
    answer_done(&a);
    assert_string_not_equal(first, second);
    assert_int_equal(pfx_status(f, &(struct call)GET(AUTH "/me", first)), 401);
    assert_int_equal(pfx_status(f, &(struct call)GET(AUTH "/me", second)), 200);
}

static void test_c5_idle_and_absolute(void **state)
{
    struct pfx *f = *state;
    CZ_CLEANUP(cz_freep) char *id = user(f, "c5-age", false);
    CZ_CLEANUP(cz_freep) char *idle = login_from(f, "c5-age", GOOD, "10.0.8.1", 200);
    age(f, "used_at", id, "29 min");
    assert_int_equal(pfx_status(f, &(struct call)GET(AUTH "/me", idle)), 200); /* and was used */
    age(f, "used_at", id, "29 min");
    assert_int_equal(pfx_status(f, &(struct call)GET(AUTH "/me", idle)), 200);
    age(f, "used_at", id, "31 min");
    assert_int_equal(pfx_status(f, &(struct call)GET(AUTH "/me", idle)), 401);
    CZ_CLEANUP(cz_freep) char *old = login_from(f, "c5-age", GOOD, "10.0.8.1", 200);
    age(f, "created_at", id, "11 h 59 min");
    assert_int_equal(pfx_status(f, &(struct call)GET(AUTH "/me", old)), 200);
    age(f, "created_at", id, "2 min");
    assert_int_equal(pfx_status(f, &(struct call)GET(AUTH "/me", old)), 401);
}

static void test_c5_list_and_end(void **state)
{
    struct pfx *f = *state;
    CZ_CLEANUP(cz_freep) char *id = user(f, "c5-list", false);
    CZ_CLEANUP(cz_freep) char *other_id = user(f, "c5-other", false);
    CZ_CLEANUP(cz_freep) char *a = login_from(f, "c5-list", GOOD, "10.0.9.1", 200);
    CZ_CLEANUP(cz_freep) char *b = login_from(f, "c5-list", GOOD, "10.0.9.2", 200);
    CZ_CLEANUP(cz_freep) char *c = login_from(f, "c5-list", GOOD, "10.0.9.3", 200);
    CZ_CLEANUP(cz_freep) char *other = login_from(f, "c5-other", GOOD, "10.0.9.4", 200);
    json_t *list = pfx_json(f, &(struct call)GET(AUTH "/sessions", a), 200);
    const json_t *items = json_object_get(list, "items"), *s;
    size_t i;
    CZ_CLEANUP(cz_freep) char *path = NULL;
    assert_int_equal(json_array_size(items), 3);
    json_array_foreach (items, i, s) {
        bool current = json_is_true(json_object_get(s, "current"));
        assert_int_equal(cz_streq(json_string_value(json_object_get(s, "ip")), "10.0.9.1"), current);
        if (cz_streq(json_string_value(json_object_get(s, "ip")), "10.0.9.2"))
            path = cz_strf(AUTH "/sessions/%s", json_string_value(json_object_get(s, "id")));
    }
    json_decref(list);
    assert_non_null(path);
    /* nobody ends another one's; one's own by its id */
    struct call end = {.method = "DELETE", .target = path, .cookie = other};
    assert_int_equal(pfx_status(f, &end), 404);
    end.cookie = a;
    assert_int_equal(pfx_status(f, &end), 204);
    assert_int_equal(pfx_status(f, &(struct call)GET(AUTH "/me", b)), 401);
    /* all but this one */
    assert_int_equal(
        pfx_status(f, &(struct call){.method = "DELETE", .target = AUTH "/sessions", .cookie = a}),
        200);
    assert_int_equal(pfx_status(f, &(struct call)GET(AUTH "/me", c)), 401);
    assert_int_equal(pfx_status(f, &(struct call)GET(AUTH "/me", a)), 200);
    /* an admin ends all, and no other may */
    CZ_CLEANUP(cz_freep) char *all = cz_strf("/api/v1/principals/%s/sessions", id);
    assert_int_equal(
        pfx_status(f, &(struct call){.method = "DELETE", .target = all, .cookie = other}), 403);
    assert_int_equal(
        pfx_status(f, &(struct call){.method = "DELETE", .target = all, .token = ROOT}), 200);
    assert_int_equal(pfx_status(f, &(struct call)GET(AUTH "/me", a)), 401);
    assert_int_equal(pfx_status(f, &(struct call)GET(AUTH "/me", other)), 200);
}

static void test_c5_disabled_user_is_out(void **state)
{
    struct pfx *f = *state;
    CZ_CLEANUP(cz_freep) char *id = user(f, "c5-out", false);
    CZ_CLEANUP(cz_freep) char *path = cz_strf("/api/v1/principals/%s", id);
    CZ_CLEANUP(cz_freep) char *a = login_from(f, "c5-out", GOOD, "10.0.10.1", 200);
    struct call set = {.method = "PATCH", .target = path, .body = "{'disabled':true}", .token = ROOT};
    assert_int_equal(pfx_status(f, &(struct call)GET(AUTH "/me", a)), 200);
    assert_int_equal(pfx_status(f, &set), 200);
    assert_int_equal(pfx_status(f, &(struct call)GET(AUTH "/me", a)), 401);
    cz_free(login_from(f, "c5-out", GOOD, "10.0.10.2", 401));
    /* also a session that was not ended with it */
    CZ_CLEANUP(cz_freep) char *on = cz_strf("UPDATE principal SET disabled_at = NULL WHERE id = '%s'", id);
    CZ_CLEANUP(cz_freep) char *off =
        cz_strf("UPDATE principal SET disabled_at = now() WHERE id = '%s'", id);
    cz_free(pfx_sql(f, on));
    CZ_CLEANUP(cz_freep) char *b = login_from(f, "c5-out", GOOD, "10.0.10.4", 200);
    cz_free(pfx_sql(f, off));
    assert_int_equal(pfx_status(f, &(struct call)GET(AUTH "/me", b)), 401);
    set.body = "{'disabled':false}";
    assert_int_equal(pfx_status(f, &set), 200);
    assert_int_equal(pfx_status(f, &(struct call)GET(AUTH "/me", a)), 401); /* it stays ended */
    cz_free(login_from(f, "c5-out", GOOD, "10.0.10.3", 200));
}

static void test_change_of_password(void **state)
{
    struct pfx *f = *state;
    CZ_CLEANUP(cz_freep) char *id = user(f, "pw", false);
    CZ_CLEANUP(cz_freep) char *a = login_from(f, "pw", GOOD, "10.0.11.1", 200);
    CZ_CLEANUP(cz_freep) char *b = login_from(f, "pw", GOOD, "10.0.11.2", 200);
    struct call c = {.method = "POST", .target = AUTH "/password", .cookie = a, .ip = "10.0.11.1",
                     .body = "{'old':'not it at all','new':'another long sentence'}"};
    assert_int_equal(pfx_status(f, &c), 422);
    c.body = "{'old':'" GOOD "','new':'password1'}";
    assert_int_equal(pfx_status(f, &c), 422);
    c.body = "{'old':'" GOOD "','new':'another long sentence'}";
    assert_int_equal(pfx_status(f, &c), 204);
    assert_int_equal(pfx_status(f, &(struct call)GET(AUTH "/me", a)), 200);
    assert_int_equal(pfx_status(f, &(struct call)GET(AUTH "/me", b)), 401);
    cz_free(login_from(f, "pw", GOOD, "10.0.11.3", 401));
    cz_free(login_from(f, "pw", "another long sentence", "10.0.11.4", 200));
}

/* ---- C8, G1 ---------------------------------------------------------------------------------- */

static void test_c8_old_session_makes_no_token(void **state)
{
    struct pfx *f = *state;
    CZ_CLEANUP(cz_freep) char *id = user(f, "c8", true);
    CZ_CLEANUP(cz_freep) char *a = login_from(f, "c8", GOOD, "10.0.12.1", 200);
    static const char *const targets[] = {"/api/v1/tokens", "/api/v1/principals"};
    static const char *const bodies[] = {"{'name':'t','scopes':['read'],'expires_in_days':1}",
                                         "{'kind':'service','name':'c8-service'}"};
    for (size_t i = 0; i < 2; i++) {
        struct call c = POST(targets[i], bodies[i]);
        c.cookie = a;
        age(f, "created_at", id, i ? "0 min" : "11 min");
        assert_int_equal(pfx_status(f, &c), 401);
        assert_int_equal(pfx_status(f, &(struct call)GET(targets[i], a)), 200);
    }
    age(f, "created_at", id, "-11 min");
    struct call c = POST(targets[0], bodies[0]);
    c.cookie = a;
    assert_int_equal(pfx_status(f, &c), 201);
}

static void test_token_of_a_sign_in(void **state)
{
    struct pfx *f = *state;
    CZ_CLEANUP(cz_freep) char *id = user(f, "cli", false);
    struct call c = POST(AUTH "/token", "{'username':'cli','password':'" GOOD "','name':'laptop'}");
    c.ip = "10.0.13.1";
    json_t *j = pfx_json(f, &c, 200);
    const char *value = json_string_value(json_object_get(j, "token"));
    assert_int_equal(strncmp(value, "czk_cli_", 8), 0);
    json_t *me = pfx_json(f, &(struct call){.method = "GET", .target = AUTH "/me", .token = value}, 200);
    assert_string_equal(json_string_value(json_object_get(me, "name")), "cli");
    assert_string_equal(json_string_value(json_object_get(me, "via")), "token");
    json_decref(me);
    /* C8: it stands for the person, for a while: it makes a token that lives longer than itself */
    struct call make = {.method = "POST", .target = "/api/v1/tokens", .token = value,
                        .body = "{'name':'long','scopes':['read'],'expires_in_days':90}"};
    assert_int_equal(pfx_status(f, &make), 201);
    CZ_CLEANUP(cz_freep) char *old = cz_strf(
        "UPDATE api_token SET created_at = created_at - interval '11 min' WHERE id = '%s'",
        json_string_value(json_object_get(j, "id")));
    cz_free(pfx_sql(f, old));
    assert_int_equal(pfx_status(f, &make), 401);
    json_decref(j);
}

static void test_g1_names_cannot_break_the_log(void **state)
{
    struct pfx *f = *state;
    struct call c = POST(AUTH "/login", "{'username':'eve\\nadmin signed in','password':'wrong wrong'}");
    c.ip = "10.0.14.1";
    assert_int_equal(pfx_status(f, &c), 401);
    CZ_CLEANUP(cz_freep) char *row = pfx_sql(
        f, "SELECT to_json(actor)::text || ' ' || ip || ' ' || (request_id IS NOT NULL)"
           " FROM audit_event WHERE ip = '10.0.14.1'");
    assert_string_equal(row, "\"eve\\nadmin signed in\" 10.0.14.1 true");
    assert_true(pfx_audited(f, "auth.login", "ok") > 0);
    assert_true(pfx_audited(f, "principal.create", "ok") > 0);
}

int main(void)
{
    const char *conninfo = getenv("CITIZENK_TEST_POSTGRES");
    if (!conninfo || !*conninfo) {
        print_message("# skipped: set CITIZENK_TEST_POSTGRES to the conninfo of a superuser\n");
        return 0;
    }
    cz_log_init(CZ_LOG_ERROR, false);
    pfx_options.local_accounts = true;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_c6_bootstrap), /* first: the database must be fresh */
        cmocka_unit_test(test_c3_password_rules),
        cmocka_unit_test(test_c2_argon2id),
        cmocka_unit_test(test_c2_fifty_at_once),
        cmocka_unit_test(test_c4_same_for_unknown_user),
        cmocka_unit_test(test_c4_throttle),
        cmocka_unit_test(test_c4_backoff),
        cmocka_unit_test(test_b3_set_cookie),
        cmocka_unit_test(test_b4_logout),
        cmocka_unit_test(test_c5_stored_hashed_and_new_at_login),
        cmocka_unit_test(test_c5_idle_and_absolute),
        cmocka_unit_test(test_c5_list_and_end),
        cmocka_unit_test(test_c5_disabled_user_is_out),
        cmocka_unit_test(test_change_of_password),
        cmocka_unit_test(test_c8_old_session_makes_no_token),
        cmocka_unit_test(test_token_of_a_sign_in),
        cmocka_unit_test(test_g1_names_cannot_break_the_log),
    };
    return cmocka_run_group_tests_name("api sign-in", tests, pfx_up, pfx_down);
}
