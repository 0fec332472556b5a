/* SPDX-License-Identifier: Apache-2.0 */
/* Reading resources and history.  Each function is one statement on a borrowed session (so one
 * consistent snapshot) and is tried again when the session turns out to be lost. */
#include "pg_priv.h"

static enum cz_err get_one(struct pg_store *s,
                           enum pg_stmt stmt,
                           const char *const *values,
                           struct cz_resource *ret,
                           bool *ret_found,
                           struct cz_error *err)
{
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__query(s, stmt, values, &res, err);
    if (rc != CZ_OK)
        return rc;
    *ret_found = PQntuples(res) > 0;
    return !*ret_found || pg_row_resource(res, 0, 0, ret) ? CZ_OK : pg_row_bad(res, err);
}

enum cz_err pg__get(struct cz_store *s,
                    const char *team,
                    enum cz_kind kind,
                    const char *name,
                    struct cz_resource *ret,
                    struct cz_error *err)
{
    bool found = false;
    const char *values[] = {team, cz_kind_name(kind), name};
    enum cz_err rc = get_one(pg_of(s), PG_GET, values, ret, &found, err);
    if (rc == CZ_OK && !found)
        return cz_fail(err, CZ_E_NOT_FOUND, "there is no %s '%s'", cz_kind_name(kind), name);
    return rc;
}

enum cz_err
pg__get_uid(struct cz_store *s, const char *uid, struct cz_resource *ret, struct cz_error *err)
{
    bool found = false;
    enum cz_err rc = get_one(pg_of(s), PG_GET_UID, &uid, ret, &found, err);
    if (rc == CZ_OK && !found)
        return cz_fail(err, CZ_E_NOT_FOUND, "there is no resource of uid %s", uid);
    return rc;
}

enum cz_err pg__list(struct cz_store *s,
                     const struct cz_list_filter *f,
                     struct cz_resource_list *ret,
                     int64_t *ret_seq,
                     struct cz_error *err)
{
    struct pg_list_params params;
    pg_list_params(f, &params);
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__query(pg_of(s), PG_LIST, params.values, &res, err);
    if (rc == CZ_OK)
        pg_rows_resources(res, ret, ret_seq);
    return rc;
}

enum cz_err pg__changes(struct cz_store *s,
                        const struct cz_change_filter *f,
                        struct cz_change_list *ret,
                        struct cz_error *err)
{
    bool forward = f->after > 0;
    struct pg_num bound, limit;
    CZ_CLEANUP(cz_freep) char *teams = f->teams ? cz__array_text(f->teams, f->teams_len) : NULL;
    const char *values[] = {f->team,
                            f->actor,
                            f->via,
                            f->kind < CZ_KIND_COUNT_ ? cz_kind_name(f->kind) : NULL,
                            f->name,
                            pg_limit(&bound, forward ? f->after : f->before),
                            pg_limit(&limit, f->limit),
                            f->set_name,
                            f->actor_id,
                            f->commit,
                            teams};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc =
        pg__query(pg_of(s), forward ? PG_CHANGES_AFTER : PG_CHANGES, values, &res, err);
    if (rc != CZ_OK)
        return rc;
    struct cz_change_list out = {0};
    for (int row = 0; row < PQntuples(res); row++)
        pg_row_change(res, row, cz__change_push(&out));
    *ret = out;
    return CZ_OK;
}

/* Rows of revisions from column @col on; those of a kind that we do not know are left out. */
static void add_revisions(const PGresult *res, int col, struct cz_revision_list *out)
{
    struct cz_revision r;
    for (int row = 0; row < PQntuples(res); row++)
        if (!PQgetisnull(res, row, col) && pg_row_revision(res, row, col, &r))
            *cz__revision_push(out) = r;
}

enum cz_err pg__change(struct cz_store *s,
                       int64_t seq,
                       struct cz_change *ret,
                       struct cz_revision_list *ret_revisions,
                       struct cz_error *err)
{
    struct pg_num num;
    const char *values[] = {pg_num(&num, seq)};
    CZ_CLEANUP(cz_pg_clear) PGresult *change = NULL;
    CZ_CLEANUP(cz_pg_clear) PGresult *revisions = NULL;
    enum cz_err rc = pg__query(pg_of(s), PG_CHANGE, values, &change, err);
    if (rc != CZ_OK)
        return rc;
    if (PQntuples(change) == 0)
        return cz_fail(err, CZ_E_NOT_FOUND, "there is no change %lld", (long long)seq);
    /* History never changes: a second snapshot shows the same revisions. */
    if (ret_revisions) {
        rc = pg__query(pg_of(s), PG_CHANGE_REVISIONS, values, &revisions, err);
        if (rc != CZ_OK)
            return rc;
        *ret_revisions = (struct cz_revision_list){0};
        add_revisions(revisions, 0, ret_revisions);
    }
    pg_row_change(change, 0, ret);
    return CZ_OK;
}

enum cz_err pg__before(struct cz_store *s,
                       int64_t seq,
                       struct cz_revision_list *ret,
                       struct cz_error *err)
{
    struct pg_num num;
    const char *values[] = {pg_num(&num, seq)};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__query(pg_of(s), PG_BEFORE, values, &res, err);
    if (rc != CZ_OK)
        return rc;
    *ret = (struct cz_revision_list){0};
    add_revisions(res, 0, ret);
    return CZ_OK;
}

enum cz_err pg__revisions(struct cz_store *s,
                          const char *team,
                          enum cz_kind kind,
                          const char *name,
                          int64_t before,
                          int limit,
                          struct cz_revision_list *ret,
                          struct cz_error *err)
{
    struct pg_num before_text, limit_text;
    const char *values[] = {team, cz_kind_name(kind), name, pg_limit(&before_text, before),
                            pg_limit(&limit_text, limit)};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__query(pg_of(s), PG_REVISIONS, values, &res, err);
    if (rc != CZ_OK)
        return rc;
    if (PQntuples(res) == 0)
        return cz_fail(err, CZ_E_NOT_FOUND, "there never was a %s '%s'", cz_kind_name(kind),
                       name);
    *ret = (struct cz_revision_list){0};
    add_revisions(res, 1, ret);
    return CZ_OK;
}

enum cz_err pg__access_version(struct cz_store *s, int64_t *ret, struct cz_error *err)
{
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__query(pg_of(s), PG_ACCESS_VERSION, NULL, &res, err);
    if (rc == CZ_OK)
        *ret = pg_int(res, 0, 0);
    return rc;
}

enum cz_err pg__seq(struct cz_store *s, int64_t *ret_seq, struct cz_error *err)
{
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__query(pg_of(s), PG_SEQ, NULL, &res, err);
    if (rc == CZ_OK)
        *ret_seq = pg_int(res, 0, 0);
    return rc;
}
