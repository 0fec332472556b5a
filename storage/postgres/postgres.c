/* SPDX-License-Identifier: Apache-2.0 */
/* The store in PostgreSQL: its life, and the functions that are one statement each: teams,
 * audit and what the leader reads. */
#include <string.h>

#include "cz/json.h"
#include "cz/util.h"
#include "migrations.h"
#include "pg_priv.h"

/* ---- teams and audit
 * ------------------------------------------------------------------------- */

static enum cz_err
pg_teams(struct cz_store *s, char ***ret, size_t *ret_len, struct cz_error *err)
{
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__query(pg_of(s), PG_TEAMS, NULL, &res, err);
    if (rc != CZ_OK)
        return rc;
    size_t n = (size_t)PQntuples(res);
    char **out = cz_alloc_array(n ? n : 1, sizeof(*out));
    for (size_t i = 0; i < n; i++)
        out[i] = pg_str(res, (int)i, 0);
    *ret = out;
    *ret_len = n;
    return CZ_OK;
}

static enum cz_err pg_put_team(struct cz_store *s,
                               const char *team,
                               const struct cz_change_meta *meta,
                               struct cz_error *err)
{
    enum cz_err rc = cz_name_check(team, err);
    if (rc != CZ_OK)
        return rc;
    const struct cz_change_meta none = {0};
    const struct cz_change_meta *m = meta ? meta : &none;
    const char *values[] = {team,      m->actor_id,   m->actor,    m->via,
                            m->action, m->request_id, m->trace_id, m->ip};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    return pg__query(pg_of(s), PG_PUT_TEAM, values, &res, err);
}

/* An event may be there twice when the session was lost while it was written; better than not
 * at all. */
static enum cz_err pg_audit(struct cz_store *s,
                            const struct cz_change_meta *meta,
                            const char *outcome,
                            const json_t *detail,
                            struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *text = pg_json(detail, false);
    const char *values[PG_AUDIT_PARAMS];
    pg_audit_params(meta, outcome, text, values);
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    return pg__query(pg_of(s), PG_AUDIT, values, &res, err);
}

static enum cz_err pg_mark(struct cz_store *s,
                           const char *uid,
                           const char *name,
                           int64_t *ret,
                           struct cz_error *err)
{
    const char *values[] = {uid, name};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__query(pg_of(s), PG_MARK, values, &res, err);
    if (rc == CZ_OK)
        *ret = PQntuples(res) ? pg_int(res, 0, 0) : 0;
    return rc;
}

static enum cz_err pg_set_mark(struct cz_store *s,
                               const char *uid,
                               const char *name,
                               int64_t value,
                               const struct cz_change_meta *meta,
                               const json_t *detail,
                               struct cz_error *err)
{
    struct pg_num number;
    CZ_CLEANUP(cz_freep) char *text = pg_json(detail, false);
    const char *values[] = {uid,          name,         pg_num(&number, value), meta->team,
                            meta->actor,  meta->via,    meta->action,           meta->request_id,
                            meta->trace_id, meta->ip,   text};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    return pg__query(pg_of(s), PG_SET_MARK, values, &res, err);
}

static enum cz_err pg_put_report(struct cz_store *s,
                                 const char *uid,
                                 const char *name,
                                 const json_t *value,
                                 struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *text = pg_json(value, false);
    const char *values[] = {uid, name, text};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__query(pg_of(s), PG_PUT_REPORT, values, &res, err);
    if (rc == CZ_OK && PQntuples(res) == 0)
        rc = cz_fail(err, CZ_E_NOT_FOUND, "there is no object %s", uid);
    return rc;
}

static enum cz_err pg_reports(
    struct cz_store *s, const char *name, const char *uid, json_t **ret, struct cz_error *err)
{
    const char *values[] = {name, uid};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__query(pg_of(s), PG_REPORTS, values, &res, err);
    if (rc != CZ_OK)
        return rc;
    json_t *all = json_object();
    for (int row = 0; row < PQntuples(res); row++) {
        json_t *value = NULL;
        if (!pg_get_json(res, row, 1, &value)) {
            json_decref(all);
            return pg_row_bad(res, err);
        }
        (void)json_object_set_new(all, PQgetvalue(res, row, 0), value);
    }
    *ret = all;
    return CZ_OK;
}

/* ---- the leader's side
 * ----------------------------------------------------------------------- */

/* Records from column @col on. */
static enum cz_err add_records(const PGresult *res,
                               int col,
                               struct cz_config_record_list *ret,
                               struct cz_error *err)
{
    struct cz_config_record_list out = {0};
    for (int row = 0; row < PQntuples(res); row++) {
        struct cz_config_record r;
        if (PQgetisnull(res, row, col))
            continue; /* the row of an empty table, which has the seq alone */
        if (!pg_row_config(res, row, col, &r)) {
            cz_config_record_list_done(&out);
            return pg_row_bad(res, err);
        }
        *cz__config_record_push(&out) = r;
    }
    *ret = out;
    return CZ_OK;
}

static enum cz_err pg_outbox(struct cz_store *s,
                             int limit,
                             struct cz_config_record_list *ret,
                             struct cz_error *err)
{
    struct pg_num num;
    const char *values[] = {pg_num(&num, limit)};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__query(pg_of(s), PG_OUTBOX, values, &res, err);
    return rc == CZ_OK ? add_records(res, 0, ret, err) : rc;
}

static enum cz_err
pg_outbox_done(struct cz_store *s, int64_t epoch, int64_t seq, struct cz_error *err)
{
    struct pg_num epoch_text, seq_text;
    const char *values[] = {pg_num(&epoch_text, epoch), pg_num(&seq_text, seq)};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__query(pg_of(s), PG_OUTBOX_DONE, values, &res, err);
    if (rc != CZ_OK)
        return rc;
    long long leads = PQntuples(res) ? (long long)pg_int(res, 0, 0) : 0;
    if (leads != epoch)
        return cz_fail_flags(err, CZ_E_FENCED, CZ_ERR_FATAL, 0, "epoch %lld leads, not %lld",
                             leads, (long long)epoch);
    return CZ_OK;
}

static enum cz_err pg_config(struct cz_store *s,
                             struct cz_config_record_list *ret,
                             int64_t *ret_seq,
                             struct cz_error *err)
{
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__query(pg_of(s), PG_CONFIG, NULL, &res, err);
    if (rc == CZ_OK)
        rc = add_records(res, 1, ret, err);
    if (rc == CZ_OK && ret_seq)
        *ret_seq = pg_int(res, 0, 0);
    return rc;
}

/* ---- life
 * ------------------------------------------------------------------------------------ */

static enum cz_err pg_check(struct cz_store *s, cz_time deadline, struct cz_error *err)
{
    struct cz_pg_conn *c = NULL;
    int done = 0;
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = cz_pg_pool_acquire(pg_of(s)->pool, deadline, &c, err);
    if (rc != CZ_OK)
        return rc;
    c->fate = PG_FINE;
    rc = cz_pg_exec(c, PG_SCHEMA, NULL, deadline, &res, err);
    /* 42P01: no such table. */
    bool empty = rc != CZ_OK && strcmp(c->error.state, "42P01") == 0;
    cz_pg_pool_release(pg_of(s)->pool, c);
    if (rc == CZ_OK)
        rc = pg__schema_compare(res, &done, err);
    if (empty || (rc == CZ_OK && done < cz__pg_migrations_len)) {
        cz_error_reset(err);
        return cz_fail(err, CZ_E_UNAVAILABLE,
                       "the database has %d of %d migrations: run --migrate-only", done,
                       cz__pg_migrations_len);
    }
    return rc;
}

static void pg_stats(struct cz_store *s, struct cz_store_stats *ret)
{
    cz_pg_pool_stats(pg_of(s)->pool, ret);
}

static void pg_free(struct cz_store *base)
{
    struct pg_store *s = pg_of(base);
    pg__listener_free(s->listener);
    cz_pg_pool_free(s->pool);
    cz_pg_target_free(s->target);
    cz_free(s);
}

static const struct cz_store_vt pg_vt = {
    .get = pg__get,
    .get_uid = pg__get_uid,
    .list = pg__list,
    .changes = pg__changes,
    .change = pg__change,
    .revisions = pg__revisions,
    .before = pg__before,
    .seq = pg__seq,
    .wait = pg__wait,
    .teams = pg_teams,
    .access_version = pg__access_version,
    .put_team = pg_put_team,
    .write = pg__write,
    .sets = pg__sets,
    .set_members = pg__set_members,
    .set_moved = pg__set_moved,
    .audit = pg_audit,
    .mark = pg_mark,
    .set_mark = pg_set_mark,
    .put_report = pg_put_report,
    .reports = pg_reports,
    .outbox = pg_outbox,
    .outbox_done = pg_outbox_done,
    .config = pg_config,
    .lead = pg__lead,
    .check = pg_check,
    .stats = pg_stats,
    .identity = &pg__identity_vt,
    .free = pg_free,
};

enum cz_err cz_store_postgres_new(const char *conninfo,
                                  int pool_max,
                                  struct cz_store **ret,
                                  struct cz_error *err)
{
    /* A bit less than the client's patience: a server that still answers says what was wrong,
     * and the session can be kept. */
    const struct cz_pg_limits limits = {.statement = PG_PATIENCE_MS - 200,
                                        .lock = PG_PATIENCE_MS - 500,
                                        .idle_in_transaction = 15000};
    struct cz_pg_target *target = NULL;
    enum cz_err rc = cz_pg_target_new(conninfo, &limits, &target, err);
    if (rc != CZ_OK)
        return rc;
    struct pg_store *s = cz_alloc(sizeof(*s));
    s->base.vt = &pg_vt;
    s->base.audit = &pg__audit_vt;
    s->target = target;
    s->pool = cz_pg_pool_new(target, pool_max);
    s->listener = pg__listener_new(s);
    *ret = &s->base;
    return CZ_OK;
}
