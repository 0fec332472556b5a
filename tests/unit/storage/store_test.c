/* SPDX-License-Identifier: Apache-2.0 */
/* Short forms of the store's calls, for its tests. */
#include "store_test.h"

#include "cz/json.h"

static const struct cz_change_meta meta_base = {.actor = "alice",
                                                .actor_id = "u1",
                                                .via = "api",
                                                .comment = "why",
                                                .request_id = "req-1",
                                                .trace_id = "trace-1",
                                                .ip = "127.0.0.1",
                                                .action = "mapping.update"};

struct steps_arg {
    const char *team;
    const struct step *steps;
};

static enum cz_err
one_step(struct cz_tx *tx, const char *team, const struct step *st, struct cz_error *err)
{
    json_t *doc = st->json ? parse(st->json) : NULL;
    json_t *override = st->override ? parse(st->override) : NULL;
    enum cz_err rc = CZ_OK;
    if (st->what == STEP_PUT)
        rc = cz_tx_put(tx, team, CZ_KIND_MAPPING, st->name, doc, override, st->managed_by,
                       st->op, NULL, err);
    else if (st->what == STEP_DELETE)
        rc = cz_tx_delete(tx, team, CZ_KIND_MAPPING, st->name, err);
    else if (st->what == STEP_PUBLISH)
        rc = cz_tx_publish(tx, st->name, doc, err);
    else
        rc = cz_fail(err, CZ_E_STALE, "told to fail");
    json_decref(doc);
    json_decref(override);
    return rc;
}

static enum cz_err steps_fn(struct cz_tx *tx, void *arg, struct cz_error *err)
{
    const struct steps_arg *a = arg;
    for (const struct step *st = a->steps; st->what != STEP_END; st++) {
        enum cz_err rc = one_step(tx, a->team, st, err);
        if (rc != CZ_OK)
            return rc;
    }
    return CZ_OK;
}

enum cz_err do_steps(struct cz_store *s,
                     const char *team,
                     bool dry_run,
                     const struct step *steps,
                     int64_t *ret_seq,
                     struct cz_error *err)
{
    struct cz_change_meta meta = meta_base;
    struct steps_arg a = {.team = team, .steps = steps};
    meta.team = team;
    return cz_store_write(s, &meta, dry_run, steps_fn, &a, ret_seq, err);
}

int64_t put(struct cz_store *s, const char *team, const char *name, const char *doc)
{
    struct cz_error err = CZ_ERROR_INIT;
    int64_t seq = -1;
    const struct step steps[] = {
        {.what = STEP_PUT, .name = name, .json = doc, .op = CZ_OP_UPDATE}, {.what = STEP_END}};
    ASSERT_OK(do_steps(s, team, false, steps, &seq, &err), &err);
    return seq;
}

int64_t del(struct cz_store *s, const char *team, const char *name)
{
    struct cz_error err = CZ_ERROR_INIT;
    int64_t seq = -1;
    const struct step steps[] = {{.what = STEP_DELETE, .name = name}, {.what = STEP_END}};
    ASSERT_OK(do_steps(s, team, false, steps, &seq, &err), &err);
    return seq;
}

struct cz_resource get(struct cz_store *s, const char *team, const char *name)
{
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_resource r = {0};
    ASSERT_OK(cz_store_get(s, team, CZ_KIND_MAPPING, name, &r, &err), &err);
    return r;
}

void new_team(struct cz_store *s, const char *team)
{
    struct cz_error err = CZ_ERROR_INIT;
    ASSERT_OK(cz_store_put_team(s, team, &meta_base, &err), &err);
}

json_t *parse(const char *text)
{
    json_error_t why;
    json_t *j = json_loads(text, JSON_DECODE_ANY, &why);
    if (!j)
        fail_msg("%s: %s", text, why.text);
    return j;
}

int64_t now_seq(struct cz_store *s)
{
    struct cz_error err = CZ_ERROR_INIT;
    int64_t seq = -1;
    ASSERT_OK(cz_store_seq(s, &seq, &err), &err);
    return seq;
}

void empty_outbox(struct cz_store *s)
{
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_leadership *l = NULL;
    int64_t epoch = 0;
    int64_t seq = 0;
    /* The server ends the session of the leader before when it comes to it. */
    for (cz_time until = cz_deadline_ms(10000); !l && cz_now() < until;) {
        ASSERT_OK(
            cz_leadership_try(s, "sweeper", 60000, cz_deadline_ms(5000), &l, &epoch, NULL, &err),
            &err);
        if (!l)
            ASSERT_OK(cz_store_wait(s, INT64_MAX, cz_deadline_ms(20), &seq, &err), &err);
    }
    assert_non_null(l);
    ASSERT_OK(cz_store_outbox_done(s, epoch, now_seq(s), &err), &err);
    cz_leadership_free(l);
}

int64_t spec_n(const json_t *doc)
{
    return json_integer_value(json_object_get(json_object_get(doc, "spec"), "n"));
}

struct count_arg {
    const char *team, *name;
};

static enum cz_err count_fn(struct cz_tx *tx, void *arg, struct cz_error *err)
{
    const struct count_arg *a = arg;
    struct cz_resource r = {0};
    enum cz_err rc = cz_tx_get(tx, a->team, CZ_KIND_MAPPING, a->name, &r, err);
    if (rc != CZ_OK)
        return rc;
    json_t *doc = json_pack("{s:{s:I}}", "spec", "n", (json_int_t)(spec_n(r.doc) + 1));
    rc = cz_tx_put(tx, a->team, CZ_KIND_MAPPING, a->name, doc, NULL, NULL, CZ_OP_UPDATE, NULL,
                   err);
    if (rc == CZ_OK)
        rc = cz_tx_publish(tx, a->name, doc, err);
    json_decref(doc);
    cz_resource_done(&r);
    return rc;
}

enum cz_err count_up(struct cz_store *s,
                     const char *team,
                     const char *name,
                     int64_t *ret_seq,
                     struct cz_error *err)
{
    struct cz_change_meta meta = meta_base;
    struct count_arg a = {.team = team, .name = name};
    meta.team = team;
    return cz_store_write(s, &meta, false, count_fn, &a, ret_seq, err);
}
