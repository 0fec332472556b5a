/* SPDX-License-Identifier: Apache-2.0 */
/* Between C values and rows: parameters as text, and the columns of RESOURCE, REVISION and
 * CHANGE of stmt.c as structs. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cz/json.h"
#include "cz/util.h"
#include "pg_priv.h"

const char *pg_num(struct pg_num *n, int64_t v)
{
    (void)snprintf(n->text, sizeof(n->text), "%" PRId64, v);
    return n->text;
}

const char *pg_limit(struct pg_num *n, int64_t v)
{
    return v > 0 ? pg_num(n, v) : NULL;
}

char *pg_json(const json_t *j, bool canonical)
{
    return j && !json_is_null(j) ? cz_json_text(j, canonical) : NULL;
}

int64_t pg_int(const PGresult *res, int row, int col)
{
    int64_t v = 0;
    if (PQgetisnull(res, row, col) || !cz_parse_i64(PQgetvalue(res, row, col), &v))
        return 0;
    return v;
}

char *pg_str(const PGresult *res, int row, int col)
{
    return PQgetisnull(res, row, col) ? NULL : cz_strdup(PQgetvalue(res, row, col));
}

bool pg_get_json(const PGresult *res, int row, int col, json_t **ret)
{
    *ret = NULL;
    if (PQgetisnull(res, row, col))
        return true;
    size_t len = (size_t)PQgetlength(res, row, col);
    *ret = json_loadb(PQgetvalue(res, row, col), len, JSON_DECODE_ANY, NULL);
    return *ret != NULL;
}

enum cz_err pg_row_bad(const PGresult *res, struct cz_error *err)
{
    return cz_fail(err, CZ_E_INTERNAL,
                   "the database holds a row of a kind or form that this version does not know"
                   " (%d rows)",
                   PQntuples(res));
}

bool pg_row_resource(const PGresult *res, int row, int col, struct cz_resource *ret)
{
    struct cz_resource r = {0};
    if (!cz_kind_parse(PQgetvalue(res, row, col + 1), &r.kind))
        return false;
    if (!pg_get_json(res, row, col + 7, &r.doc) || !r.doc ||
        !pg_get_json(res, row, col + 8, &r.override)) {
        json_decref(r.doc);
        return false;
    }
    r.team = pg_str(res, row, col);
    r.name = pg_str(res, row, col + 2);
    r.uid = pg_str(res, row, col + 3);
    r.generation = pg_int(res, row, col + 4);
    r.version = pg_int(res, row, col + 5);
    r.managed_by = pg_str(res, row, col + 6);
    r.deleted_seq = pg_int(res, row, col + 9);
    r.created_ms = pg_int(res, row, col + 10);
    r.updated_ms = pg_int(res, row, col + 11);
    *ret = r;
    return true;
}

bool pg_row_revision(const PGresult *res, int row, int col, struct cz_revision *ret)
{
    struct cz_revision r = {0};
    if (!cz_kind_parse(PQgetvalue(res, row, col + 2), &r.kind) ||
        !cz__op_parse(PQgetvalue(res, row, col + 6), &r.op))
        return false;
    if (!pg_get_json(res, row, col + 7, &r.doc) || !pg_get_json(res, row, col + 8, &r.override)) {
        json_decref(r.doc);
        return false;
    }
    r.seq = pg_int(res, row, col);
    r.team = pg_str(res, row, col + 1);
    r.name = pg_str(res, row, col + 3);
    r.uid = pg_str(res, row, col + 4);
    r.generation = pg_int(res, row, col + 5);
    r.at_ms = pg_int(res, row, col + 9);
    r.actor = pg_str(res, row, col + 10);
    r.via = pg_str(res, row, col + 11);
    r.comment = pg_str(res, row, col + 12);
    r.managed_by = pg_str(res, row, col + 13);
    *ret = r;
    return true;
}

void pg_row_change(const PGresult *res, int row, struct cz_change *ret)
{
    *ret = (struct cz_change){
        .seq = pg_int(res, row, 0),
        .at_ms = pg_int(res, row, 1),
        .team = pg_str(res, row, 2),
        .actor = pg_str(res, row, 3),
        .via = pg_str(res, row, 4),
        .comment = pg_str(res, row, 5),
        .request_id = pg_str(res, row, 6),
        .reverts = pg_int(res, row, 7),
        .created = (int)pg_int(res, row, 8),
        .updated = (int)pg_int(res, row, 9),
        .deleted = (int)pg_int(res, row, 10),
        .set_name = pg_str(res, row, 11),
        .git_commit = pg_str(res, row, 12),
        .plan_hash = pg_str(res, row, 13),
        .actor_id = pg_str(res, row, 14),
        .token_id = pg_str(res, row, 15),
        .trace_id = pg_str(res, row, 16),
        .ip = pg_str(res, row, 17),
    };
}

bool pg_row_config(const PGresult *res, int row, int col, struct cz_config_record *ret)
{
    struct cz_config_record r = {0};
    if (!pg_get_json(res, row, col + 2, &r.value))
        return false;
    r.seq = pg_int(res, row, col);
    r.key = pg_str(res, row, col + 1);
    r.trace_id = pg_str(res, row, col + 3);
    *ret = r;
    return true;
}

void pg_audit_params(const struct cz_change_meta *m,
                     const char *outcome,
                     const char *detail,
                     const char *ret[PG_AUDIT_PARAMS])
{
    const char *const values[PG_AUDIT_PARAMS] = {
        m->team, m->actor_id,   m->actor,    m->via, m->action, outcome, m->request_id,
        m->trace_id, m->ip, detail, m->token_id};
    memcpy(ret, values, sizeof(values));
}

/* ---- lists
 * ----------------------------------------------------------------------------------- */

void pg_list_params(const struct cz_list_filter *f, struct pg_list_params *ret)
{
    const char *after_team = f->after_team ? f->after_team : f->team;
    const char **v = ret->values;
    v[0] = f->team;
    v[1] = f->kind < CZ_KIND_COUNT_ ? cz_kind_name(f->kind) : NULL;
    v[2] = f->group;
    v[3] = f->name_contains;
    v[4] = f->label_key;
    v[5] = f->label_value;
    v[6] = f->managed_by;
    v[7] = after_team ? after_team : "";
    v[8] = f->after_name;
    v[9] = pg_limit(&ret->limit, f->limit);
    v[10] = f->consumer_group;
    v[11] = f->source_cluster;
    v[12] = f->source_topic;
    v[13] = f->group_bearer;
    v[14] = f->managed_prefix;
}

void pg_rows_resources(const PGresult *res, struct cz_resource_list *ret, int64_t *ret_seq)
{
    struct cz_resource_list out = {0};
    struct cz_resource r;
    if (ret_seq)
        *ret_seq = pg_int(res, 0, 0);
    for (int row = 0; row < PQntuples(res); row++) {
        /* The only row of an empty list has the seq and nothing else; a row of a kind that a
         * newer version made is not ours to show. */
        if (!PQgetisnull(res, row, 1) && pg_row_resource(res, row, 1, &r))
            *cz__resource_push(&out) = r;
    }
    *ret = out;
}
