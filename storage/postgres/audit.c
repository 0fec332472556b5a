/* SPDX-License-Identifier: Apache-2.0 */
/* The audit log: reading events, sealing, retention, and how far it is written elsewhere.  The SQL, and
 * what a hash is made of, is in stmt_audit.h. */
#include <stdio.h>
#include <string.h>

#include "cz/util.h"
#include "pg_priv.h"
#include "stmt_audit.h"

/* A seal stays small enough for a statement that takes far less than its time limit. */
#define SEAL_CHANGES "1000"
#define SEAL_EVENTS "5000"

/* ---- events ------------------------------------------------------------------------------- */

static bool get_event(const PGresult *res, int row, struct cz_audit_event *ret)
{
    struct cz_audit_event e = {0};
    if (!pg_get_json(res, row, 13, &e.detail))
        return false;
    e.id = pg_int(res, row, 0);
    e.at_ms = pg_int(res, row, 1);
    e.team = pg_str(res, row, 2);
    e.actor = pg_str(res, row, 3);
    e.actor_id = pg_str(res, row, 4);
    e.token_id = pg_str(res, row, 5);
    e.via = pg_str(res, row, 6);
    e.action = pg_str(res, row, 7);
    e.outcome = pg_str(res, row, 8);
    e.seq = pg_int(res, row, 9);
    e.request_id = pg_str(res, row, 10);
    e.trace_id = pg_str(res, row, 11);
    e.ip = pg_str(res, row, 12);
    *ret = e;
    return true;
}

static enum cz_err
get_events(const PGresult *res, struct cz_audit_list *ret, struct cz_error *err)
{
    struct cz_audit_list out = {0};
    for (int row = 0; row < PQntuples(res); row++) {
        cz_grow(&out.items, &out.cap, out.len, sizeof(*out.items));
        if (!get_event(res, row, &out.items[out.len])) {
            cz_audit_list_done(&out);
            return pg_row_bad(res, err);
        }
        out.len++;
    }
    *ret = out;
    return CZ_OK;
}

static enum cz_err audit_list(struct cz_store *s,
                              const struct cz_audit_filter *f,
                              struct cz_audit_list *ret,
                              struct cz_error *err)
{
    struct pg_num seq, from, to, before, limit;
    const char *values[] = {f->team,
                            f->actor,
                            f->outcome,
                            f->request_id,
                            f->action,
                            f->name,
                            pg_limit(&seq, f->seq),
                            pg_limit(&from, f->from_ms),
                            pg_limit(&to, f->to_ms),
                            pg_limit(&before, f->before),
                            pg_limit(&limit, f->limit)};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__query(pg_of(s), PG_AUDIT_LIST, values, &res, err);
    return rc == CZ_OK ? get_events(res, ret, err) : rc;
}

static enum cz_err audit_decided(struct cz_store *s, int64_t *ret_id, struct cz_error *err)
{
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__query(pg_of(s), PG_AUDIT_DECIDED, NULL, &res, err);
    if (rc == CZ_OK)
        *ret_id = pg_int(res, 0, 0);
    return rc;
}

static enum cz_err audit_next(struct cz_store *s,
                              int64_t after,
                              int64_t upto,
                              int limit,
                              struct cz_audit_list *ret,
                              struct cz_error *err)
{
    struct pg_num a, b, c;
    const char *values[] = {pg_num(&a, after), pg_num(&b, upto), pg_num(&c, limit)};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__query(pg_of(s), PG_AUDIT_NEXT, values, &res, err);
    return rc == CZ_OK ? get_events(res, ret, err) : rc;
}

/* ---- seals -------------------------------------------------------------------------------- */

static void get_seal(const PGresult *res, int row, struct cz_seal *ret)
{
    *ret = (struct cz_seal){.n = pg_int(res, row, 0),
                            .at_ms = pg_int(res, row, 1),
                            .change_seq = pg_int(res, row, 2),
                            .event_id = pg_int(res, row, 3),
                            .changes = pg_int(res, row, 5),
                            .revisions = pg_int(res, row, 6),
                            .events = pg_int(res, row, 7)};
    (void)snprintf(ret->root, sizeof(ret->root), "%s", PQgetvalue(res, row, 4));
}

enum cz_err pg__seals(struct cz_store *s,
                      int64_t before,
                      int64_t after,
                      int limit,
                      struct cz_seal_list *ret,
                      struct cz_error *err)
{
    struct pg_num bound, max;
    bool forward = after >= 0;
    const char *values[] = {forward ? pg_num(&bound, after) : pg_limit(&bound, before),
                            pg_limit(&max, limit)};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc =
        pg__query(pg_of(s), forward ? PG_SEALS_AFTER : PG_SEALS, values, &res, err);
    if (rc != CZ_OK)
        return rc;
    size_t n = (size_t)PQntuples(res);
    *ret = (struct cz_seal_list){
        .items = cz_alloc_array(n ? n : 1, sizeof(*ret->items)), .len = n, .cap = n};
    for (size_t i = 0; i < n; i++)
        get_seal(res, (int)i, &ret->items[i]);
    return CZ_OK;
}

/* Of two instances that seal at once one gets the number, the other CZ_E_CONFLICT. */
static enum cz_err
audit_seal(struct cz_store *s, struct cz_seal *ret, bool *ret_more, struct cz_error *err)
{
    struct pg_num id;
    int64_t decided = 0;
    enum cz_err rc = audit_decided(s, &decided, err);
    const char *values[] = {pg_num(&id, decided), SEAL_CHANGES, SEAL_EVENTS};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    if (rc == CZ_OK)
        rc = pg__query(pg_of(s), PG_AUDIT_SEAL, values, &res, err);
    if (rc != CZ_OK)
        return rc;
    bool made = PQntuples(res) > 0;
    *ret = (struct cz_seal){0};
    if (made)
        get_seal(res, 0, ret);
    *ret_more = made && PQgetvalue(res, 0, 8)[0] == 't';
    return CZ_OK;
}

/* ---- retention ---------------------------------------------------------------------------- */

static enum cz_err
audit_keep(struct cz_store *s, struct cz_audit_kept_list *ret, struct cz_error *err)
{
    struct cz_pg_pool *pool = pg_of(s)->pool;
    struct cz_pg_conn *c = NULL;
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = cz_pg_pool_acquire(pool, pg_deadline(), &c, err);
    if (rc != CZ_OK)
        return rc;
    c->fate = PG_FINE;
    rc = cz_pg_exec(c, PG_AUDIT_KEEP, NULL, cz_deadline_ms(AUDIT_KEEP_MS + 2000), &res, err);
    cz_pg_pool_release(pool, c);
    if (rc != CZ_OK)
        return rc;
    size_t n = (size_t)PQntuples(res);
    *ret = (struct cz_audit_kept_list){
        .items = cz_alloc_array(n ? n : 1, sizeof(*ret->items)), .len = n, .cap = n};
    for (size_t i = 0; i < n; i++) {
        struct cz_audit_kept *k = &ret->items[i];
        (void)snprintf(k->what, sizeof(k->what), "%s", PQgetvalue(res, (int)i, 0));
        (void)snprintf(k->month, sizeof(k->month), "%s", PQgetvalue(res, (int)i, 1));
        k->events = pg_int(res, (int)i, 2);
    }
    return CZ_OK;
}

enum cz_err cz_store_audit_policy(const char *conninfo, int keep_months, struct cz_error *err)
{
    struct cz_pg_target *t = NULL;
    struct cz_pg_conn *c = NULL;
    struct pg_num months;
    const char *values[] = {pg_num(&months, keep_months)};
    const struct cz_pg_limits limits = {.lock = PG_PATIENCE_MS - 500};
    enum cz_err rc = cz_pg_target_new(conninfo, &limits, &t, err);
    if (rc == CZ_OK)
        rc = cz_pg_conn_open(t, pg_deadline(), -1, &c, err);
    if (rc == CZ_OK)
        rc = cz_pg_exec(c, PG_AUDIT_POLICY, values, pg_deadline(), NULL, err);
    cz_pg_conn_free(c);
    cz_pg_target_free(t);
    return rc;
}

/* ---- written elsewhere -------------------------------------------------------------------- */

static enum cz_err audit_position(struct cz_store *s,
                                  const char *topic,
                                  struct cz_audit_position *ret,
                                  struct cz_error *err)
{
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__query(pg_of(s), PG_AUDIT_POSITION, &topic, &res, err);
    if (rc != CZ_OK)
        return rc;
    *ret = (struct cz_audit_position){0};
    if (PQntuples(res) > 0)
        *ret = (struct cz_audit_position){.event_id = pg_int(res, 0, 0),
                                          .seal_n = pg_int(res, 0, 1)};
    return CZ_OK;
}

static enum cz_err audit_set_position(struct cz_store *s,
                                      const char *topic,
                                      const struct cz_audit_position *p,
                                      struct cz_error *err)
{
    struct pg_num event, seal;
    const char *values[] = {topic, pg_num(&event, p->event_id), pg_num(&seal, p->seal_n)};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    return pg__query(pg_of(s), PG_AUDIT_SET_POSITION, values, &res, err);
}

const struct cz_audit_vt pg__audit_vt = {
    .list = audit_list,
    .decided = audit_decided,
    .next = audit_next,
    .seals = pg__seals,
    .seal = audit_seal,
    .verify = pg__audit_verify,
    .keep = audit_keep,
    .position = audit_position,
    .set_position = audit_set_position,
};
