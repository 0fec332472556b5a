/* SPDX-License-Identifier: Apache-2.0 */
/* What a cz_write_fn can do inside its transaction.  The epoch row is locked, so nobody else
 * writes: what was read stays true until the commit. */
#include <string.h>

#include "cz/util.h"
#include "pg_priv.h"

static struct pg_tx *tx_of(struct cz_tx *tx)
{
    return (struct pg_tx *)tx;
}

enum cz_err pg__tx_run(struct cz_tx *tx,
                       enum pg_stmt stmt,
                       const char *const *values,
                       PGresult **ret,
                       struct cz_error *err)
{
    return cz_pg_exec(tx_of(tx)->conn, stmt, values, pg_deadline(), ret, err);
}

enum cz_err pg__tx_find(struct cz_tx *tx,
                        const char *team,
                        enum cz_kind kind,
                        const char *name,
                        struct cz_resource *ret,
                        bool *ret_found,
                        struct cz_error *err)
{
    const char *values[] = {team, cz_kind_name(kind), name};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__tx_run(tx, PG_GET, values, &res, err);
    if (rc != CZ_OK)
        return rc;
    *ret_found = PQntuples(res) > 0;
    return !*ret_found || pg_row_resource(res, 0, 0, ret) ? CZ_OK : pg_row_bad(res, err);
}

static enum cz_err tx_get(struct cz_tx *tx,
                          const char *team,
                          enum cz_kind kind,
                          const char *name,
                          struct cz_resource *ret,
                          struct cz_error *err)
{
    bool found = false;
    enum cz_err rc = tx_of(tx)->batch
                         ? pg__batch_get(tx_of(tx), team, kind, name, ret, &found, err)
                         : pg__tx_find(tx, team, kind, name, ret, &found, err);
    if (rc == CZ_OK && !found)
        return cz_fail(err, CZ_E_NOT_FOUND, "there is no %s '%s'", cz_kind_name(kind), name);
    return rc;
}

static enum cz_err tx_list(struct cz_tx *tx,
                           const struct cz_list_filter *f,
                           struct cz_resource_list *ret,
                           struct cz_error *err)
{
    struct pg_list_params params;
    pg_list_params(f, &params);
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__batch_flush(tx_of(tx), err);
    if (rc == CZ_OK)
        rc = pg__tx_run(tx, PG_LIST, params.values, &res, err);
    if (rc == CZ_OK)
        pg_rows_resources(res, ret, NULL);
    return rc;
}

static enum cz_err tx_revision(struct cz_tx *tx,
                               const char *team,
                               enum cz_kind kind,
                               const char *name,
                               int64_t generation,
                               struct cz_revision *ret,
                               struct cz_error *err)
{
    struct pg_num gen;
    const char *values[] = {team, cz_kind_name(kind), name, pg_num(&gen, generation)};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__tx_run(tx, PG_REVISION, values, &res, err);
    if (rc != CZ_OK)
        return rc;
    if (PQntuples(res) == 0)
        return cz_fail(err, CZ_E_NOT_FOUND, "%s '%s' has no generation %lld",
                       cz_kind_name(kind), name, (long long)generation);
    return pg_row_revision(res, 0, 0, ret) ? CZ_OK : pg_row_bad(res, err);
}

/* ---- changing
 * -------------------------------------------------------------------------------- */

/* The parts of a put that go into a row. */
struct put {
    const char *team, *name, *managed_by;
    enum cz_kind kind;
    enum cz_op op;
    char *doc, *override; /* JSON text */
};

/* @r becomes the new resource but for doc and override. */
static enum cz_err
tx_create(struct cz_tx *tx, const struct put *p, struct cz_resource *r, struct cz_error *err)
{
    struct pg_num seq, n;
    char uid[CZ_UID_SIZE];
    const char *values[] = {
        p->team,          cz_kind_name(p->kind), p->name,
        cz_uid(uid),      pg_num(&seq, tx->seq), p->managed_by,
        p->doc,           p->override,           pg_num(&n, tx_of(tx)->next_revision++),
        cz_op_name(p->op)};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__tx_run(tx, PG_CREATE, values, &res, err);
    if (rc != CZ_OK)
        return rc;
    if (PQntuples(res) == 0)
        return cz_fail(err, CZ_E_NOT_FOUND, "there is no team '%s'", p->team);
    *r = (struct cz_resource){.team = cz_strdup(p->team),
                              .kind = p->kind,
                              .name = cz_strdup(p->name),
                              .uid = cz_strdup(uid),
                              .generation = 1,
                              .created_ms = pg_int(res, 0, 0),
                              .updated_ms = pg_int(res, 0, 0)};
    tx->created++;
    return CZ_OK;
}

static enum cz_err tx_update(struct cz_tx *tx,
                             const struct put *p,
                             struct cz_resource *r,
                             int64_t generation,
                             struct cz_error *err)
{
    struct pg_num gen, seq, n;
    const char *values[] = {r->uid,
                            pg_num(&gen, generation),
                            pg_num(&seq, tx->seq),
                            p->managed_by,
                            p->doc,
                            p->override,
                            pg_num(&n, tx_of(tx)->next_revision++),
                            cz_op_name(p->op)};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__tx_run(tx, PG_UPDATE, values, &res, err);
    if (rc != CZ_OK)
        return rc;
    if (PQntuples(res) == 0)
        return cz_fail(err, CZ_E_INTERNAL, "%s was changed past the epoch lock", r->uid);
    r->generation = generation;
    r->updated_ms = pg_int(res, 0, 0);
    tx->updated++;
    return CZ_OK;
}

static enum cz_err tx_put(struct cz_tx *tx,
                          const char *team,
                          enum cz_kind kind,
                          const char *name,
                          const json_t *doc,
                          const json_t *override,
                          const char *managed_by,
                          enum cz_op op,
                          struct cz_resource *ret,
                          struct cz_error *err)
{
    bool found = false;
    if (tx_of(tx)->batch)
        return pg__batch_put(tx_of(tx), team, kind, name, doc, override, managed_by, op, ret, err);
    CZ_CLEANUP(cz_resource_done) struct cz_resource r = {0};
    enum cz_err rc = pg__tx_find(tx, team, kind, name, &r, &found, err);
    if (rc != CZ_OK)
        return rc;
    bool noop = found && cz__put_is_noop(&r, doc, override, managed_by);
    if (!noop) {
        struct put p = {.team = team,
                        .name = name,
                        .managed_by = managed_by,
                        .kind = kind,
                        .op = op,
                        .doc = pg_json(doc, false),
                        .override = pg_json(override, false)};
        int64_t generation = r.generation + (found && cz__spec_differs(r.doc, doc) ? 1 : 0);
        rc = found ? tx_update(tx, &p, &r, generation, err) : tx_create(tx, &p, &r, err);
        cz_free(p.doc);
        cz_free(p.override);
        if (rc != CZ_OK)
            return rc;
        json_decref(r.doc);
        json_decref(r.override);
        cz_free(r.managed_by);
        r.doc = cz__json_copy(doc);
        r.override = override && !json_is_null(override) ? cz__json_copy(override) : NULL;
        r.managed_by = cz_strdup(managed_by);
        r.version = tx->seq;
        tx->dirty = true;
    }
    if (ret) {
        *ret = r;
        r = (struct cz_resource){0}; /* moved */
    }
    return CZ_OK;
}

static enum cz_err tx_delete(struct cz_tx *tx,
                             const char *team,
                             enum cz_kind kind,
                             const char *name,
                             struct cz_error *err)
{
    struct pg_num seq, n;
    if (tx_of(tx)->batch)
        return pg__batch_delete(tx_of(tx), team, kind, name, err);
    const char *values[] = {team, cz_kind_name(kind), name, pg_num(&seq, tx->seq),
                            pg_num(&n, tx_of(tx)->next_revision++)};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__tx_run(tx, PG_DELETE, values, &res, err);
    if (rc != CZ_OK)
        return rc;
    if (PQntuples(res) == 0)
        return cz_fail(err, CZ_E_NOT_FOUND, "there is no %s '%s'", cz_kind_name(kind), name);
    tx->deleted++;
    tx->dirty = true;
    return CZ_OK;
}

static enum cz_err
tx_publish(struct cz_tx *tx, const char *key, const json_t *value, struct cz_error *err)
{
    struct pg_num seq, n;
    if (tx_of(tx)->batch) {
        pg__batch_publish(tx_of(tx), key, value);
        return CZ_OK;
    }
    char *text = pg_json(value, true);
    (void)pg_num(&seq, tx->seq);
    (void)pg_num(&n, tx_of(tx)->next_record++);
    const char *put[] = {key, text, seq.text, n.text};
    const char *del[] = {key, seq.text, n.text};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = text ? pg__tx_run(tx, PG_PUBLISH, put, &res, err)
                          : pg__tx_run(tx, PG_PUBLISH_TOMBSTONE, del, &res, err);
    cz_free(text);
    int64_t rows = 0;
    if (rc == CZ_OK && cz_parse_i64(PQcmdTuples(res), &rows) && rows > 0)
        tx->dirty = true;
    return rc;
}

static enum cz_err tx_see_all(struct cz_tx *tx, bool all, struct cz_error *err)
{
    const char *scope = cz__scope_text();
    const char *values[] = {all ? "*" : scope};
    return strcmp(scope, "*") == 0 ? CZ_OK : pg__tx_run(tx, PG_SCOPE, values, NULL, err);
}

static enum cz_err tx_put_team(struct cz_tx *tx, const char *team, struct cz_error *err)
{
    enum cz_err rc = cz_name_check(team, err);
    const char *values[] = {team};
    return rc == CZ_OK ? pg__tx_run(tx, PG_ADD_TEAM, values, NULL, err) : rc;
}

static enum cz_err tx_audit(struct cz_tx *tx,
                            const struct cz_change_meta *meta,
                            const char *outcome,
                            const json_t *detail,
                            struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *text = pg_json(detail, false);
    const char *values[PG_AUDIT_PARAMS];
    pg_audit_params(meta, outcome, text, values);
    return pg__tx_run(tx, PG_AUDIT, values, NULL, err);
}

const struct cz_tx_vt pg__tx_vt = {
    .get = tx_get,
    .list = tx_list,
    .revision = tx_revision,
    .put = tx_put,
    .del = tx_delete,
    .publish = tx_publish,
    .rename = pg__tx_rename,
    .load = pg__tx_load,
    .touched = pg__tx_touched,
    .readers = pg__tx_readers,
    .committers = pg__tx_committers,
    .set = pg__tx_set,
    .put_set = pg__tx_put_set,
    .delete_set = pg__tx_delete_set,
    .members = pg__tx_members,
    .see_all = tx_see_all,
    .put_team = tx_put_team,
    .audit = tx_audit,
};
