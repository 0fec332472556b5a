/* SPDX-License-Identifier: Apache-2.0 */
/** The audit log as it is shown: events as JSON and as lines for other programs, seals, and what their
 *  verification found. */
#include <string.h>

#include "cz/service_audit.h"
#include "service_priv.h"

enum { EXPORT_BYTES = 64 * 1024 * 1024 };

static void number_or_null(json_t *o, const char *key, int64_t v)
{
    (void)json_object_set_new(o, key, v ? cz_json_i64(v) : json_null());
}

json_t *cz_audit_event_json(const struct cz_audit_event *e)
{
    json_t *o = json_object();
    cz_json_set_i64(o, "id", e->id);
    cz__set_time(o, "at", e->at_ms);
    cz_json_set_str_or_null(o, "team", e->team);
    cz_json_set_str_or_null(o, "actor", e->actor);
    cz_json_set_str_or_null(o, "actor_id", e->actor_id);
    cz_json_set_str_or_null(o, "token_id", e->token_id);
    cz_json_set_str_or_null(o, "via", e->via);
    cz_json_set_str_or_null(o, "action", e->action);
    cz_json_set_str_or_null(o, "outcome", e->outcome);
    number_or_null(o, "seq", e->seq);
    cz_json_set_str_or_null(o, "request_id", e->request_id);
    cz_json_set_str_or_null(o, "trace_id", e->trace_id);
    cz_json_set_str_or_null(o, "ip", e->ip);
    (void)json_object_set_new(o, "detail", e->detail ? json_incref(e->detail) : json_null());
    return o;
}

json_t *cz_seal_json(const struct cz_seal *s)
{
    json_t *o = json_object();
    cz_json_set_i64(o, "n", s->n);
    cz__set_time(o, "at", s->at_ms);
    cz_json_set_i64(o, "change_seq", s->change_seq);
    cz_json_set_i64(o, "event_id", s->event_id);
    cz_json_set_i64(o, "changes", s->changes);
    cz_json_set_i64(o, "revisions", s->revisions);
    cz_json_set_i64(o, "events", s->events);
    cz_json_set_str(o, "root", s->root);
    return o;
}

/* One more than @max is read, to know whether there is a next page. */
static enum cz_err read_page(struct cz_service *s,
                             const struct cz_audit_filter *f,
                             int max,
                             struct cz_audit_list *ret,
                             int64_t *ret_next,
                             struct cz_error *err)
{
    struct cz_audit_filter mine = *f;
    if (mine.limit < 1 || mine.limit > max)
        return cz_fail(err, CZ_E_INVALID, "limit must be 1 to %d", max);
    size_t limit = (size_t)mine.limit++;
    enum cz_err code = f->team ? cz__team_known(s, f->team, err) : CZ_OK;
    if (code == CZ_OK)
        code = cz_store_audit_list(s->store, &mine, ret, err);
    *ret_next = code == CZ_OK && ret->len > limit ? ret->items[limit - 1].id : 0;
    return code;
}

static size_t shown(const struct cz_audit_list *l, int64_t next)
{
    return next ? l->len - 1 : l->len;
}

enum cz_err cz_service_audit(struct cz_service *s,
                             const struct cz_audit_filter *f,
                             json_t **ret,
                             struct cz_error *err)
{
    struct cz_audit_filter mine = *f;
    struct cz_audit_list l = {0};
    int64_t next = 0;
    mine.limit = f->limit ? f->limit : CZ_DEFAULT_PAGE;
    enum cz_err code = read_page(s, &mine, CZ_MAX_PAGE, &l, &next, err);
    if (code)
        return code;
    json_t *items = json_array();
    for (size_t i = 0; i < shown(&l, next); i++)
        (void)json_array_append_new(items, cz_audit_event_json(&l.items[i]));
    *ret = json_pack("{s:o}", "items", items);
    number_or_null(*ret, "next", next);
    cz_audit_list_done(&l);
    return CZ_OK;
}

/* ---- lines --------------------------------------------------------------------------------- */

static const char *const COLUMNS[] = {"id",      "at",         "team",     "actor",  "actor_id",
                                      "token_id", "via",       "action",   "outcome", "seq",
                                      "request_id", "trace_id", "ip",      "detail", NULL};

/* RFC 4180.  A spreadsheet takes a cell that begins with = + - @ (or a blank that it passes over) for a
 * formula; an apostrophe in front makes it a text. */
static void add_cell(struct cz_buf *out, const char *v)
{
    if (!*v)
        return;
    cz_buf_addc(out, '"');
    if (strchr("=+-@\t\r\n", *v))
        cz_buf_addc(out, '\'');
    for (; *v; v++) {
        if (*v == '"')
            cz_buf_addc(out, '"');
        cz_buf_addc(out, *v);
    }
    cz_buf_addc(out, '"');
}

static void add_csv(struct cz_buf *out, const json_t *event)
{
    for (size_t i = 0; COLUMNS[i]; i++) {
        const json_t *v = json_object_get(event, COLUMNS[i]);
        CZ_CLEANUP(cz_freep) char *text = json_is_object(v) || json_is_array(v) ? cz_json_text(v, false) : NULL;
        const char *plain = json_string_value(v);
        if (i > 0)
            cz_buf_addc(out, ',');
        add_cell(out, text ? text : plain ? plain : "");
    }
    cz_buf_adds(out, "\r\n");
}

enum cz_err cz_service_audit_export(struct cz_service *s,
                                    const struct cz_audit_filter *f,
                                    enum cz_audit_format format,
                                    struct cz_buf *out,
                                    int64_t *ret_next,
                                    struct cz_error *err)
{
    struct cz_audit_filter mine = *f;
    struct cz_audit_list l = {0};
    mine.limit = f->limit ? f->limit : CZ_AUDIT_EXPORT_PAGE;
    enum cz_err code = read_page(s, &mine, CZ_AUDIT_EXPORT_PAGE, &l, ret_next, err);
    if (code)
        return code;
    cz_buf_init(out, EXPORT_BYTES);
    for (size_t i = 0; format == CZ_AUDIT_CSV && COLUMNS[i]; i++)
        cz_buf_addf(out, "%s%s", COLUMNS[i], COLUMNS[i + 1] ? "," : "\r\n");
    for (size_t i = 0; i < shown(&l, *ret_next); i++) {
        json_t *event = cz_audit_event_json(&l.items[i]);
        if (format == CZ_AUDIT_CSV)
            add_csv(out, event);
        else {
            cz_json_add(out, event);
            cz_buf_addc(out, '\n');
        }
        json_decref(event);
    }
    cz_audit_list_done(&l);
    if (!out->failed)
        return CZ_OK;
    cz_buf_done(out);
    return cz_fail(err, CZ_E_TOO_LARGE, "these events have more than %d bytes: ask for fewer with limit",
                   EXPORT_BYTES);
}

/* ---- seals --------------------------------------------------------------------------------- */

enum cz_err
cz_service_seals(struct cz_service *s, int64_t before, int limit, json_t **ret, struct cz_error *err)
{
    struct cz_seal_list l = {0};
    if (limit < 1 || limit > CZ_MAX_PAGE)
        return cz_fail(err, CZ_E_INVALID, "limit must be 1 to %d", CZ_MAX_PAGE);
    enum cz_err code = cz_store_seals(s->store, before, -1, limit + 1, &l, err);
    if (code)
        return code;
    json_t *items = json_array();
    size_t n = l.len > (size_t)limit ? (size_t)limit : l.len;
    for (size_t i = 0; i < n; i++)
        (void)json_array_append_new(items, cz_seal_json(&l.items[i]));
    *ret = json_pack("{s:o}", "items", items);
    number_or_null(*ret, "next", l.len > n ? l.items[n - 1].n : 0);
    cz_seal_list_done(&l);
    return CZ_OK;
}

static json_t *failure(const struct cz_audit_check *r)
{
    if (r->ok)
        return json_null();
    json_t *o = json_object();
    number_or_null(o, "seal", r->bad_seal);
    cz_json_set_str(o, "part", r->bad_part);
    cz_json_set_str(o, "what", r->bad_what);
    number_or_null(o, "row", r->bad_row);
    number_or_null(o, "rows", r->bad_rows);
    number_or_null(o, "from", r->bad_from);
    number_or_null(o, "to", r->bad_to);
    cz_json_set_str(o, "message", r->text);
    return o;
}

static json_t *counts(const char *const *names, const int64_t *values)
{
    json_t *o = json_object();
    for (size_t i = 0; names[i]; i++)
        cz_json_set_i64(o, names[i], values[i]);
    return o;
}

enum cz_err cz_service_audit_verify(struct cz_service *s,
                                    int64_t after,
                                    const struct cz_seal_anchor *anchors,
                                    size_t n,
                                    cz_time deadline,
                                    json_t **ret,
                                    struct cz_error *err)
{
    static const char *const checked[] = {"seals", "changes", "revisions", "events", NULL};
    static const char *const unsealed[] = {"changes", "events", NULL};
    struct cz_audit_check r;
    enum cz_err code = cz_store_audit_verify(s->store, after, anchors, n, deadline, &r, err);
    if (code)
        return code;
    json_t *o = json_pack("{s:b, s:b}", "ok", r.ok, "complete", r.complete);
    cz_json_set_i64(o, "upto", r.upto);
    (void)json_object_set_new(
        o, "checked", counts(checked, (int64_t[]){r.seals, r.changes, r.revisions, r.events}));
    json_t *dropped = json_object();
    cz_json_set_i64(dropped, "events", r.dropped);
    cz_json_set_str_or_null(dropped, "to", *r.dropped_to ? r.dropped_to : NULL);
    (void)json_object_set_new(o, "dropped", dropped);
    (void)json_object_set_new(o, "last", r.last.n ? cz_seal_json(&r.last) : json_null());
    (void)json_object_set_new(
        o, "unsealed", counts(unsealed, (int64_t[]){r.unsealed_changes, r.unsealed_events}));
    (void)json_object_set_new(o, "failure", failure(&r));
    *ret = o;
    return CZ_OK;
}

enum cz_err cz_service_note(struct cz_service *s,
                            const struct cz_caller *who,
                            const char *team,
                            const char *action,
                            const char *outcome,
                            const json_t *detail,
                            struct cz_error *err)
{
    struct cz_change_meta meta = cz__meta(who, team, action, NULL);
    return cz_store_audit(s->store, &meta, outcome, detail, err);
}
