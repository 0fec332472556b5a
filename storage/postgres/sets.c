/* SPDX-License-Identifier: Apache-2.0 */
/* Sets and their members. */
#include "cz/json.h"
#include "cz/util.h"
#include "pg_priv.h"

static void read_state(const PGresult *res, int row, struct cz_set_state *ret)
{
    *ret = (struct cz_set_state){
        .team = pg_str(res, row, 0),
        .name = pg_str(res, row, 1),
        .repo = pg_str(res, row, 2),
        .commit = pg_str(res, row, 3),
        .applied_seq = pg_int(res, row, 4),
        .applied_ms = pg_int(res, row, 5),
        .applied_by = pg_str(res, row, 6),
        .suspended = !PQgetisnull(res, row, 7),
        .suspended_seq = pg_int(res, row, 7),
        .suspended_ms = pg_int(res, row, 8),
        .suspended_by = pg_str(res, row, 9),
        .suspended_reason = pg_str(res, row, 10),
        .blocked_commit = pg_str(res, row, 11),
        .members = pg_int(res, row, 12),
    };
}

enum cz_err pg__sets(struct cz_store *s,
                     const char *team,
                     const char *name,
                     struct cz_set_state_list *ret,
                     struct cz_error *err)
{
    const char *values[] = {team, name};
    struct cz_set_state_list out = {0};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__query(pg_of(s), PG_SETS, values, &res, err);
    for (int row = 0; rc == CZ_OK && row < PQntuples(res); row++)
        read_state(res, row, cz__set_state_push(&out));
    if (rc == CZ_OK)
        *ret = out;
    return rc;
}

enum cz_err pg__set_members(struct cz_store *s,
                            const char *team,
                            const char *name,
                            struct cz_set_member_list *ret,
                            struct cz_error *err)
{
    const char *values[] = {team, name};
    struct cz_set_member_list out = {0};
    enum cz_kind kind;
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__query(pg_of(s), PG_SET_MEMBERS, values, &res, err);
    for (int row = 0; rc == CZ_OK && row < PQntuples(res); row++)
        if (cz_kind_parse(PQgetvalue(res, row, 0), &kind))
            *cz__set_member_push(&out) = (struct cz_set_member){
                kind, pg_str(res, row, 1), pg_str(res, row, 2), pg_int(res, row, 3)};
    if (rc == CZ_OK)
        *ret = out;
    return rc;
}

enum cz_err pg__set_moved(struct cz_store *s,
                          const char *team,
                          const char *name,
                          struct cz_set_moved_list *ret,
                          struct cz_error *err)
{
    const char *values[] = {team, name};
    struct cz_set_moved_list out = {0};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__query(pg_of(s), PG_SET_MOVED, values, &res, err);
    for (int row = 0; rc == CZ_OK && row < PQntuples(res); row++) {
        struct cz_resource now = {0};
        if (!pg_row_resource(res, row, 6, &now))
            continue; /* of a kind that a newer version made */
        struct cz_set_moved *m = cz__set_moved_push(&out);
        *m = (struct cz_set_moved){.was = {now.kind, cz_strdup(now.name), cz_strdup(now.uid),
                                           pg_int(res, row, 0)},
                                   .now = now,
                                   .seq = pg_int(res, row, 2),
                                   .at_ms = pg_int(res, row, 3),
                                   .actor = pg_str(res, row, 4),
                                   .comment = pg_str(res, row, 5)};
        (void)pg_get_json(res, row, 1, &m->doc);
    }
    if (rc == CZ_OK)
        *ret = out;
    return rc;
}

/* ---- in a write ----------------------------------------------------------------------------- */

enum cz_err pg__tx_set(struct cz_tx *tx,
                       const char *team,
                       const char *name,
                       struct cz_set_state *ret,
                       bool *ret_found,
                       struct cz_error *err)
{
    const char *values[] = {team, name};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__tx_run(tx, PG_SETS, values, &res, err);
    if (rc != CZ_OK)
        return rc;
    *ret_found = PQntuples(res) > 0;
    if (*ret_found)
        read_state(res, 0, ret);
    return CZ_OK;
}

enum cz_err pg__tx_put_set(struct cz_tx *tx, const struct cz_set_state *set, struct cz_error *err)
{
    struct cz_set_state old = {0};
    bool found = false;
    struct pg_num applied, applied_at, suspended, suspended_at;
    const char *values[] = {set->team,
                            set->name,
                            set->repo,
                            set->commit,
                            pg_limit(&applied, set->applied_seq),
                            pg_limit(&applied_at, set->applied_ms),
                            set->applied_by,
                            set->suspended ? pg_num(&suspended, set->suspended_seq) : NULL,
                            pg_limit(&suspended_at, set->suspended_ms),
                            set->suspended_by,
                            set->suspended_reason,
                            set->blocked_commit};
    enum cz_err rc = pg__tx_set(tx, set->team, set->name, &old, &found, err);
    bool same = found && cz__set_state_same(&old, set);
    cz_set_state_done(&old);
    if (rc != CZ_OK || same)
        return rc;
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    int64_t rows = 0;
    rc = pg__tx_run(tx, PG_PUT_SET, values, &res, err);
    if (rc == CZ_OK && (!cz_parse_i64(PQcmdTuples(res), &rows) || rows == 0))
        return cz_fail(err, CZ_E_NOT_FOUND, "there is no team '%s'", set->team);
    tx->dirty |= rc == CZ_OK;
    return rc;
}

enum cz_err
pg__tx_delete_set(struct cz_tx *tx, const char *team, const char *name, struct cz_error *err)
{
    const char *values[] = {team, name};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    int64_t rows = 0;
    enum cz_err rc = pg__tx_run(tx, PG_DELETE_SET, values, &res, err);
    if (rc == CZ_OK && (!cz_parse_i64(PQcmdTuples(res), &rows) || rows == 0))
        return cz_fail(err, CZ_E_NOT_FOUND, "there is no set '%s'", name);
    tx->dirty |= rc == CZ_OK;
    return rc;
}

enum cz_err pg__tx_members(struct cz_tx *tx,
                           bool put,
                           const char *team,
                           const char *set,
                           const struct cz_set_member *members,
                           size_t n,
                           struct cz_error *err)
{
    json_t *all = json_array();
    for (size_t i = 0; i < n; i++)
        (void)json_array_append_new(
            all, json_pack("{s:s, s:s, s:s*, s:I}", "kind", cz_kind_name(members[i].kind), "name",
                           members[i].name, "uid", members[i].uid, "seq",
                           (json_int_t)members[i].seq));
    CZ_CLEANUP(cz_freep) char *text = cz_json_text(all, false);
    const char *values[] = {team, set, text};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    int64_t rows = 0;
    json_decref(all);
    enum cz_err rc = pg__tx_run(tx, put ? PG_PUT_MEMBERS : PG_DROP_MEMBERS, values, &res, err);
    if (rc == CZ_OK && cz_parse_i64(PQcmdTuples(res), &rows) && rows > 0)
        tx->dirty = true;
    return rc;
}
