/* SPDX-License-Identifier: Apache-2.0 */
/* Writes of many objects.  What was read is remembered, so that nothing is asked twice; what is put,
 * deleted and published is kept and sent in a few statements: the rows of the objects before the
 * next list, so that it sees them; revisions and config records at the end.  In a dry run the latter
 * are not sent at all.  The epoch row is locked, so what is remembered stays true. */
#include <string.h>

#include "cz/json.h"
#include "cz/map.h"
#include "cz/util.h"
#include "pg_priv.h"

enum { MAX_STATEMENT = 256 * 1024 * 1024 };

struct entry {
    struct cz_resource before, now;
    bool existed; /* `before` is what was there when the write began */
    bool alive;   /* `now` is what is there */
    bool in_db;   /* the database has a live row of now.uid */
    bool row;     /* which differs from `now` */
    bool touched;
    enum cz_op op;
    int n; /* place of its revision in the change */
};
struct record {
    char *key, *value; /* value NULL: a tombstone */
    int n;
};
struct pg_batch {
    char *team; /* all objects are of this one */
    struct entry **entries;
    size_t len, cap;
    struct cz_map by_name; /* kind "/" name → struct entry * */
    struct record *records;
    size_t n_records, cap_records;
    struct cz_map by_key; /* → index + 1 */
    size_t rows;          /* entries whose row is to be sent */
    int64_t at_ms;
};

void pg__batch_free(struct pg_batch *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->len; i++) {
        cz_resource_done(&b->entries[i]->before);
        cz_resource_done(&b->entries[i]->now);
        cz_free(b->entries[i]);
    }
    for (size_t i = 0; i < b->n_records; i++) {
        cz_free(b->records[i].key);
        cz_free(b->records[i].value);
    }
    cz_free(b->records);
    cz_free(b->entries);
    cz_map_done(&b->by_name);
    cz_map_done(&b->by_key);
    cz_free(b->team);
    cz_free(b);
}

static struct entry *find(struct pg_batch *b, enum cz_kind kind, const char *name)
{
    CZ_CLEANUP(cz_freep) char *key = cz_strf("%d/%s", (int)kind, name);
    return cz_map_get(&b->by_name, key);
}

static void name_entry(struct pg_batch *b, struct entry *e, enum cz_kind kind, const char *name)
{
    CZ_CLEANUP(cz_freep) char *key = cz_strf("%d/%s", (int)kind, name);
    cz_map_put(&b->by_name, key, e);
}

/* @r is taken; NULL: there is none. */
static struct entry *
add(struct pg_batch *b, enum cz_kind kind, const char *name, struct cz_resource *r)
{
    struct entry *e = cz_alloc(sizeof *e);
    cz_grow(&b->entries, &b->cap, b->len, sizeof *b->entries);
    b->entries[b->len++] = e;
    name_entry(b, e, kind, name);
    if (r) {
        e->existed = e->alive = e->in_db = true;
        e->now = *r;
        cz__resource_share(r, &e->before);
    }
    return e;
}

/* The entry of a name, asked for when it is not known. */
static enum cz_err entry_of(struct pg_tx *tx,
                            enum cz_kind kind,
                            const char *name,
                            struct entry **ret,
                            struct cz_error *err)
{
    struct cz_resource r = {0};
    bool found = false;
    *ret = find(tx->batch, kind, name);
    if (*ret)
        return CZ_OK;
    enum cz_err rc = pg__tx_find(&tx->base, tx->batch->team, kind, name, &r, &found, err);
    if (rc == CZ_OK)
        *ret = add(tx->batch, kind, name, found ? &r : NULL);
    return rc;
}

enum cz_err pg__batch_get(struct pg_tx *tx,
                          const char *team,
                          enum cz_kind kind,
                          const char *name,
                          struct cz_resource *ret,
                          bool *ret_found,
                          struct cz_error *err)
{
    struct entry *e = NULL;
    if (strcmp(team, tx->batch->team) != 0)
        return pg__tx_find(&tx->base, team, kind, name, ret, ret_found, err);
    enum cz_err rc = entry_of(tx, kind, name, &e, err);
    if (rc != CZ_OK)
        return rc;
    *ret_found = e->alive;
    if (e->alive)
        cz__resource_share(&e->now, ret);
    return CZ_OK;
}

/* ---- changing ------------------------------------------------------------------------------- */

static enum cz_err entry_to_change(struct pg_tx *tx,
                                   const char *team,
                                   enum cz_kind kind,
                                   const char *name,
                                   struct entry **ret,
                                   struct cz_error *err)
{
    if (strcmp(team, tx->batch->team) != 0)
        return cz_fail(err, CZ_E_INTERNAL, "a write of many objects is of one team");
    return entry_of(tx, kind, name, ret, err);
}

static void touch(struct pg_tx *tx, struct entry *e, enum cz_op op)
{
    if (!e->touched)
        e->n = tx->next_revision++;
    e->touched = true;
    e->op = op;
    if (!e->row)
        tx->batch->rows++;
    e->row = true;
}

static void set_state(struct pg_tx *tx,
                      struct entry *e,
                      const json_t *doc,
                      const json_t *override,
                      const char *managed_by)
{
    struct cz_resource *r = &e->now;
    json_t *old_doc = r->doc, *old_override = r->override;
    char *old_owner = r->managed_by;
    r->doc = json_incref((json_t *)(uintptr_t)doc);
    r->override = override && !json_is_null(override)
                      ? json_incref((json_t *)(uintptr_t)override)
                      : NULL;
    r->managed_by = cz_strdup(managed_by);
    r->version = tx->base.seq;
    r->updated_ms = tx->batch->at_ms;
    json_decref(old_doc);
    json_decref(old_override);
    cz_free(old_owner);
}

static void begin_new(struct pg_tx *tx, struct entry *e, enum cz_kind kind, const char *name)
{
    char uid[CZ_UID_SIZE];
    cz_resource_done(&e->now);
    e->now = (struct cz_resource){.team = cz_strdup(tx->batch->team),
                                  .kind = kind,
                                  .name = cz_strdup(name),
                                  .uid = cz_strdup(cz_uid(uid)),
                                  .generation = 1,
                                  .created_ms = tx->batch->at_ms};
    e->alive = true;
    e->in_db = false;
}

enum cz_err pg__batch_put(struct pg_tx *tx,
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
    struct entry *e = NULL;
    enum cz_err rc = entry_to_change(tx, team, kind, name, &e, err);
    if (rc != CZ_OK)
        return rc;
    if (!e->alive && e->in_db) { /* deleted in this write: its row must be out of the way */
        rc = pg__batch_flush(tx, err);
        if (rc != CZ_OK)
            return rc;
    }
    if (!e->alive && (e->existed || e->touched)) /* the deleted one keeps its own revision */
        e = add(tx->batch, kind, name, NULL);
    bool noop = e->alive && cz__put_is_noop(&e->now, doc, override, managed_by);
    bool again = e->alive && e->touched;
    if (!e->alive)
        begin_new(tx, e, kind, name);
    else if (!noop && e->existed)
        e->now.generation = e->before.generation + (cz__spec_differs(e->before.doc, doc) ? 1 : 0);
    if (!noop) {
        set_state(tx, e, doc, override, managed_by);
        touch(tx, e, again ? e->op : op);
    }
    if (ret)
        cz__resource_share(&e->now, ret);
    return CZ_OK;
}

enum cz_err pg__batch_delete(struct pg_tx *tx,
                             const char *team,
                             enum cz_kind kind,
                             const char *name,
                             struct cz_error *err)
{
    struct entry *e = NULL;
    enum cz_err rc = entry_to_change(tx, team, kind, name, &e, err);
    if (rc != CZ_OK)
        return rc;
    if (!e->alive)
        return cz_fail(err, CZ_E_NOT_FOUND, "there is no %s '%s'", cz_kind_name(kind), name);
    e->alive = false;
    touch(tx, e, CZ_OP_DELETE);
    if (!e->in_db) { /* made and taken back within the write: as if it had never been */
        e->touched = e->row = false;
        tx->batch->rows--;
    }
    return CZ_OK;
}

void pg__batch_publish(struct pg_tx *tx, const char *key, const json_t *value)
{
    struct pg_batch *b = tx->batch;
    if (tx->dry_run)
        return;
    size_t at = (size_t)(uintptr_t)cz_map_get(&b->by_key, key);
    if (at == 0) {
        cz_grow(&b->records, &b->cap_records, b->n_records, sizeof *b->records);
        b->records[b->n_records++] = (struct record){.key = cz_strdup(key)};
        at = b->n_records;
        cz_map_put(&b->by_key, key, (void *)(uintptr_t)at);
    }
    struct record *r = &b->records[at - 1];
    cz_free(r->value);
    r->value = pg_json(value, true);
    r->n = tx->next_record++;
}

enum cz_err pg__tx_rename(struct cz_tx *base,
                          const char *team,
                          enum cz_kind kind,
                          const char *name,
                          const char *new_name,
                          struct cz_error *err)
{
    struct pg_tx *tx = (struct pg_tx *)base;
    struct cz_resource r = {0};
    struct pg_num seq, n;
    bool taken = false;
    struct entry *e = NULL;
    enum cz_err rc = pg__batch_flush(tx, err);
    if (rc == CZ_OK)
        rc = pg__tx_find(base, team, kind, new_name, &r, &taken, err);
    cz_resource_done(&r);
    if (rc == CZ_OK && taken)
        return cz_fail(err, CZ_E_CONFLICT, "there is a %s '%s' already", cz_kind_name(kind),
                       new_name);
    if (rc == CZ_OK && tx->batch)
        rc = entry_of(tx, kind, name, &e, err);
    if (rc != CZ_OK)
        return rc;
    const char *values[] = {team,
                            cz_kind_name(kind),
                            name,
                            new_name,
                            pg_num(&seq, base->seq),
                            pg_num(&n, tx->next_revision++),
                            cz_op_name(CZ_OP_UPDATE)};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    rc = cz_pg_exec(tx->conn, PG_RENAME, values, pg_deadline(), &res, err);
    if (rc == CZ_OK && PQntuples(res) == 0)
        return cz_fail(err, CZ_E_NOT_FOUND, "there is no %s '%s'", cz_kind_name(kind), name);
    if (rc != CZ_OK)
        return rc;
    base->dirty = true;
    if (!e) {
        base->updated++;
        return CZ_OK;
    }
    cz_free(e->now.name);
    e->now.name = cz_strdup(new_name);
    e->now.version = base->seq;
    e->touched = true;
    e->op = CZ_OP_COUNT_; /* its revision is there already, unless it is put again */
    (void)add(tx->batch, kind, name, NULL);
    name_entry(tx->batch, e, kind, new_name);
    return CZ_OK;
}

/* ---- sending -------------------------------------------------------------------------------- */

static void add_text(struct cz_buf *b, const char *key, const char *value)
{
    json_t *j = value ? json_string(value) : json_null();
    cz_buf_addf(b, ",\"%s\":", key);
    cz_json_add(b, j);
    json_decref(j);
}

static void add_json(struct cz_buf *b, const char *key, const json_t *value)
{
    if (!value)
        return;
    cz_buf_addf(b, ",\"%s\":", key);
    cz_json_add(b, value);
}

static void add_row(struct cz_buf *b, const struct entry *e)
{
    const char *what = !e->alive ? "d" : e->in_db ? "u" : "i";
    cz_buf_addf(b, "%s{\"what\":\"%s\",\"uid\":\"%s\"", b->len > 1 ? "," : "", what, e->now.uid);
    if (e->alive) {
        cz_buf_addf(b, ",\"kind\":\"%s\",\"generation\":%lld", cz_kind_name(e->now.kind),
                    (long long)e->now.generation);
        add_text(b, "name", e->now.name);
        if (e->now.managed_by)
            add_text(b, "managed_by", e->now.managed_by);
        add_json(b, "doc", e->now.doc);
        add_json(b, "override", e->now.override);
    }
    cz_buf_addc(b, '}');
}

static enum cz_err send(struct pg_tx *tx,
                        enum pg_stmt stmt,
                        const char *const *values,
                        const struct cz_buf *b,
                        PGresult **ret,
                        struct cz_error *err)
{
    if (b->failed)
        return cz_fail(err, CZ_E_TOO_LARGE, "the change is too large");
    return cz_pg_exec(tx->conn, stmt, values, pg_deadline(), ret, err);
}

enum cz_err pg__batch_flush(struct pg_tx *tx, struct cz_error *err)
{
    struct pg_batch *b = tx->batch;
    struct pg_num seq;
    if (!b || b->rows == 0)
        return CZ_OK;
    CZ_CLEANUP(cz_buf_done) struct cz_buf text = CZ_BUF_INIT(MAX_STATEMENT);
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    cz_buf_addc(&text, '[');
    for (size_t i = 0; i < b->len; i++)
        if (b->entries[i]->row)
            add_row(&text, b->entries[i]);
    cz_buf_addc(&text, ']');
    const char *values[] = {b->team, pg_num(&seq, tx->base.seq), cz_buf_str(&text)};
    enum cz_err rc = send(tx, PG_FLUSH_ROWS, values, &text, &res, err);
    if (rc == CZ_OK && pg_int(res, 0, 0) != (int64_t)b->rows)
        return cz_fail(err, CZ_E_NOT_FOUND, "there is no team '%s'", b->team);
    for (size_t i = 0; rc == CZ_OK && i < b->len; i++) {
        struct entry *e = b->entries[i];
        e->in_db = e->row ? e->alive : e->in_db;
        e->row = false;
    }
    if (rc == CZ_OK)
        b->rows = 0;
    return rc;
}

static enum cz_err send_revisions(struct pg_tx *tx, struct cz_error *err)
{
    CZ_CLEANUP(cz_buf_done) struct cz_buf text = CZ_BUF_INIT(MAX_STATEMENT);
    struct pg_num seq;
    cz_buf_addc(&text, '[');
    for (size_t i = 0; i < tx->batch->len; i++) {
        const struct entry *e = tx->batch->entries[i];
        if (e->touched && e->op != CZ_OP_COUNT_)
            cz_buf_addf(&text, "%s{\"n\":%d,\"uid\":\"%s\",\"op\":\"%s\"}", text.len > 1 ? "," : "",
                        e->n, e->now.uid, cz_op_name(e->op));
    }
    cz_buf_addc(&text, ']');
    const char *values[] = {pg_num(&seq, tx->base.seq), cz_buf_str(&text)};
    return text.len == 2 ? CZ_OK : send(tx, PG_FLUSH_REVISIONS, values, &text, NULL, err);
}

static enum cz_err send_records(struct pg_tx *tx, struct cz_error *err)
{
    struct pg_batch *b = tx->batch;
    CZ_CLEANUP(cz_buf_done) struct cz_buf text = CZ_BUF_INIT(MAX_STATEMENT);
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    struct pg_num seq;
    int64_t rows = 0;
    if (b->n_records == 0)
        return CZ_OK;
    for (size_t i = 0; i < b->n_records; i++) {
        cz_buf_addf(&text, "%s{\"n\":%d", i ? "," : "[", b->records[i].n);
        add_text(&text, "key", b->records[i].key);
        if (b->records[i].value) {
            cz_buf_adds(&text, ",\"value\":");
            cz_buf_adds(&text, b->records[i].value);
        }
        cz_buf_addc(&text, '}');
    }
    cz_buf_addc(&text, ']');
    const char *values[] = {pg_num(&seq, tx->base.seq), cz_buf_str(&text)};
    enum cz_err rc = send(tx, PG_FLUSH_RECORDS, values, &text, &res, err);
    if (rc == CZ_OK && cz_parse_i64(PQcmdTuples(res), &rows) && rows > 0)
        tx->base.dirty = true;
    return rc;
}

static void count(struct pg_tx *tx)
{
    for (size_t i = 0; i < tx->batch->len; i++) {
        const struct entry *e = tx->batch->entries[i];
        if (!e->touched)
            continue;
        tx->base.created += !e->existed && e->alive;
        tx->base.updated += e->existed && e->alive;
        tx->base.deleted += e->existed && !e->alive;
        tx->base.dirty = true;
    }
}

enum cz_err pg__batch_finish(struct pg_tx *tx, struct cz_error *err)
{
    if (!tx->batch)
        return CZ_OK;
    count(tx);
    if (tx->dry_run)
        return CZ_OK;
    enum cz_err rc = pg__batch_flush(tx, err);
    if (rc == CZ_OK)
        rc = send_revisions(tx, err);
    return rc == CZ_OK ? send_records(tx, err) : rc;
}

/* ---- asking --------------------------------------------------------------------------------- */

static json_t *refs_json(const struct cz_tx_ref *refs, size_t n)
{
    json_t *all = json_array();
    for (size_t i = 0; i < n; i++)
        (void)json_array_append_new(all, json_pack("{s:s, s:s}", "kind",
                                                   cz_kind_name(refs[i].kind), "name",
                                                   refs[i].name));
    return all;
}

static void share_entry(struct pg_batch *b, const struct cz_resource *r, struct cz_resource_list *ret)
{
    const struct entry *e = find(b, r->kind, r->name);
    if (e->alive)
        cz__resource_share(&e->now, cz__resource_push(ret));
}

enum cz_err pg__tx_load(struct cz_tx *base,
                        const char *team,
                        const struct cz_tx_ref *refs,
                        size_t n,
                        const char *managed_by,
                        struct cz_resource_list *ret,
                        struct cz_error *err)
{
    struct pg_tx *tx = (struct pg_tx *)base;
    json_t *names = refs_json(refs, n);
    CZ_CLEANUP(cz_freep) char *text = cz_json_text(names, false);
    const char *values[] = {team, text, managed_by};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    json_decref(names);
    enum cz_err rc = pg__batch_flush(tx, err);
    if (rc == CZ_OK)
        rc = cz_pg_exec(tx->conn, PG_LOAD, values, pg_deadline(), &res, err);
    if (rc != CZ_OK)
        return rc;
    if (!tx->batch) {
        tx->batch = cz_alloc(sizeof *tx->batch);
        tx->batch->team = cz_strdup(team);
        tx->batch->at_ms = cz_wall_ms();
    }
    *ret = (struct cz_resource_list){0};
    for (int row = 0; row < PQntuples(res); row++) {
        struct cz_resource r = {0};
        if (!pg_row_resource(res, row, 0, &r))
            return pg_row_bad(res, err);
        struct cz_resource key = {.kind = r.kind, .name = cz_strdup(r.name)};
        if (find(tx->batch, r.kind, r.name))
            cz_resource_done(&r);
        else
            (void)add(tx->batch, r.kind, r.name, &r);
        share_entry(tx->batch, &key, ret);
        cz_free(key.name);
    }
    for (size_t i = 0; i < n; i++) /* what is not there need not be asked for again */
        if (!find(tx->batch, refs[i].kind, refs[i].name))
            (void)add(tx->batch, refs[i].kind, refs[i].name, NULL);
    return CZ_OK;
}

bool pg__tx_touched(struct cz_tx *base,
                    size_t i,
                    const struct cz_resource **ret_before,
                    const struct cz_resource **ret_after)
{
    const struct pg_batch *b = ((struct pg_tx *)base)->batch;
    for (size_t k = 0; b && k < b->len; k++) {
        const struct entry *e = b->entries[k];
        if (!e->touched || i-- > 0)
            continue;
        *ret_before = e->existed ? &e->before : NULL;
        *ret_after = e->alive ? &e->now : NULL;
        return true;
    }
    return false;
}

/* ["…"] of strings, and of one @more. */
static char *texts(const char *const *items, size_t n, const char *more)
{
    json_t *all = json_array();
    for (size_t i = 0; i < n; i++)
        (void)json_array_append_new(all, json_string(items[i]));
    if (more)
        (void)json_array_append_new(all, json_string(more));
    char *text = cz_json_text(all, false);
    json_decref(all);
    return text;
}

enum cz_err pg__tx_readers(struct cz_tx *base,
                           const struct cz_tx_places *of,
                           struct cz_resource_list *ret,
                           struct cz_error *err)
{
    struct pg_tx *tx = (struct pg_tx *)base;
    CZ_CLEANUP(cz_freep) char *clusters = texts(of->clusters, of->clusters_len, NULL);
    CZ_CLEANUP(cz_freep) char *topics = texts(of->topics, of->topics_len, "");
    const char *values[] = {topics, clusters};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__batch_flush(tx, err);
    if (rc == CZ_OK)
        rc = cz_pg_exec(tx->conn, PG_READERS, values, pg_deadline(), &res, err);
    if (rc == CZ_OK)
        pg_rows_resources(res, ret, NULL);
    return rc;
}

enum cz_err pg__tx_committers(struct cz_tx *base,
                              const char *team,
                              const struct cz_tx_groups *of,
                              struct cz_resource_list *ret,
                              struct cz_error *err)
{
    struct pg_tx *tx = (struct pg_tx *)base;
    CZ_CLEANUP(cz_freep) char *groups = texts(of->groups, of->groups_len, NULL);
    CZ_CLEANUP(cz_freep) char *bearers = texts(of->bearers, of->bearers_len, NULL);
    const char *values[] = {team, groups, bearers};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__batch_flush(tx, err);
    if (rc == CZ_OK)
        rc = cz_pg_exec(tx->conn, PG_COMMITTERS, values, pg_deadline(), &res, err);
    if (rc == CZ_OK)
        pg_rows_resources(res, ret, NULL);
    return rc;
}
