/* SPDX-License-Identifier: Apache-2.0 */
/** Principals as admins see them: listed, made, changed, disabled; and one's own password. */
#include <string.h>

#include "identity_priv.h"

static json_t *shown(const struct cz_principal_row *row)
{
    json_t *o = json_object();
    cz_json_set_str(o, "id", row->id);
    cz_json_set_str(o, "kind", row->kind);
    cz_json_set_str(o, "issuer", row->issuer);
    cz_json_set_str(o, "subject", row->subject);
    cz_json_set_str(o, "name", row->name);
    (void)json_object_set_new(o, "admin", json_boolean(row->admin));
    (void)json_object_set_new(o, "auditor", json_boolean(row->auditor));
    (void)json_object_set_new(o, "disabled", json_boolean(row->disabled));
    (void)json_object_set(o, "groups", row->groups);
    cz__id_set_time(o, "created", row->created_ms);
    cz__id_set_time(o, "login", row->login_ms);
    return o;
}

enum cz_err cz_identity_principals(struct cz_identity *id, const struct cz_principal *p,
                                   json_t **ret, struct cz_error *err)
{
    struct cz_principal_list l = {0};
    enum cz_err rc = p->auditor ? CZ_OK : cz__need_admin(p, "the list of principals", err);
    if (rc == CZ_OK)
        rc = cz_store_principals(id->store, &l, err);
    if (rc != CZ_OK)
        return rc;
    json_t *items = json_array();
    for (size_t i = 0; i < l.len; i++)
        (void)json_array_append_new(items, shown(&l.items[i]));
    cz_principal_list_done(&l);
    *ret = json_pack("{s:o}", "items", items);
    return CZ_OK;
}

/* A member that is a password: checked. NULL: absent or wrong. */
static const char *
new_password(const json_t *body, const char *key, const char *name, struct cz_report *rep)
{
    const char *s = cz__body_text(body, key, false, rep);
    char pointer[CZ_POINTER_SIZE] = "";
    size_t before = rep->len;
    cz_pointer_push(pointer, key);
    if (s)
        cz__password_check(s, json_string_length(json_object_get(body, key)), name, pointer, rep);
    return rep->len == before ? s : NULL;
}

/* ---- making --------------------------------------------------------------------------------- */

static enum cz_err read_new(const json_t *body, struct cz_principal_new *n, const char **password,
                            bool local, struct cz_report *rep)
{
    static const char *const known[] = {"kind", "name", "password", "admin", "auditor", NULL};
    cz__body_known(body, known, rep);
    n->kind = cz__body_text(body, "kind", true, rep);
    n->name = n->subject = cz__body_name(body, "name", true, rep);
    n->admin = cz__body_bool(body, "admin", rep) == 1;
    n->auditor = cz__body_bool(body, "auditor", rep) == 1;
    bool user = cz_streq(n->kind, "user"), has = json_object_get(body, "password") != NULL;
    n->issuer = user ? CZ_ISSUER_LOCAL : CZ_ISSUER_SERVICE;
    if (n->kind && !user && !cz_streq(n->kind, "service"))
        (void)cz_report_add(rep, "/kind", "value", "must be user or service");
    *password = new_password(body, "password", n->name, rep);
    if (user && !has)
        (void)cz_report_add(rep, "/password", "required",
                            "a local user has a password; others come by signing in");
    if (user && !local)
        (void)cz_report_add(rep, "/kind", "not-available", "there are no local accounts here");
    if (!user && has)
        (void)cz_report_add(rep, "/password", "value", "a service has tokens, no password");
    return cz_report_ok(rep) ? CZ_OK : CZ_E_INVALID;
}

enum cz_err cz_identity_principal_new(struct cz_identity *id, const struct cz_principal *p,
                                      const struct cz_origin *from, const json_t *body,
                                      json_t **ret, struct cz_report *rep, struct cz_error *err)
{
    struct cz_principal_new n = {0};
    struct cz_principal_row row = {0};
    const char *password = NULL;
    char hash[CZ__PASSWORD_HASH_SIZE];
    enum cz_err rc = cz__need_admin(p, "making a principal", err);
    if (rc == CZ_OK)
        rc = read_new(body, &n, &password, id->local_accounts, rep);
    if (rc == CZ_OK && password)
        rc = cz__password_hash(&id->hasher, password, hash, err);
    if (rc == CZ_OK)
        rc = cz_store_principal_new(id->store, &n, password ? hash : NULL, &row, err);
    if (rc != CZ_OK)
        return rc;
    cz_identity_audit(id, p, NULL, from, "principal.create", "ok", shown(&row));
    *ret = shown(&row);
    cz_principal_row_done(&row);
    return CZ_OK;
}

/* ---- changing ------------------------------------------------------------------------------- */

static enum cz_err set_password(struct cz_identity *id, const char *principal_id,
                                const char *password, const char *but_session, struct cz_error *err)
{
    char hash[CZ__PASSWORD_HASH_SIZE];
    int64_t ended;
    enum cz_err rc = cz__password_hash(&id->hasher, password, hash, err);
    if (rc == CZ_OK)
        rc = cz_store_password_set(id->store, principal_id, hash, err);
    if (rc == CZ_OK)
        rc = cz_store_sessions_end(id->store, principal_id, but_session, &ended, err);
    return rc;
}

static json_t *changed(const struct cz_principal_row *row, bool password)
{
    json_t *o = shown(row);
    (void)json_object_set_new(o, "password_changed", json_boolean(password));
    return o;
}

enum cz_err cz_identity_principal_set(struct cz_identity *id, const struct cz_principal *p,
                                      const struct cz_origin *from, const char *principal_id,
                                      const json_t *body, json_t **ret, struct cz_report *rep,
                                      struct cz_error *err)
{
    static const char *const known[] = {"admin", "auditor", "disabled", "password", NULL};
    struct cz_principal_row row = {0};
    enum cz_err rc = cz__need_admin(p, "changing a principal", err);
    if (rc == CZ_OK)
        rc = cz_store_principal_get(id->store, principal_id, &row, err);
    if (rc != CZ_OK)
        return rc;
    cz__body_known(body, known, rep);
    const struct cz_principal_change c = {.admin = cz__body_bool(body, "admin", rep),
                                          .auditor = cz__body_bool(body, "auditor", rep),
                                          .disabled = cz__body_bool(body, "disabled", rep)};
    const char *password = new_password(body, "password", row.subject, rep);
    if (password && !cz_streq(row.issuer, CZ_ISSUER_LOCAL))
        (void)cz_report_add(rep, "/password", "value", "only local users have one");
    cz_principal_row_done(&row);
    if (!cz_report_ok(rep))
        return CZ_E_INVALID;
    if (password)
        rc = set_password(id, principal_id, password, NULL, err);
    if (rc == CZ_OK)
        rc = cz_store_principal_set(id->store, principal_id, &c, &row, err);
    if (rc != CZ_OK)
        return rc;
    cz_identity_audit(id, p, NULL, from, "principal.update", "ok", changed(&row, password != NULL));
    *ret = shown(&row);
    cz_principal_row_done(&row);
    return CZ_OK;
}

enum cz_err cz_identity_password(struct cz_identity *id, const struct cz_principal *p,
                                 const struct cz_origin *from, const json_t *body,
                                 struct cz_report *rep, struct cz_error *err)
{
    static const char *const known[] = {"old", "new", NULL};
    struct cz_principal_row row = {0};
    if (!cz_streq(p->issuer, CZ_ISSUER_LOCAL))
        return cz_fail(err, CZ_E_CONFLICT, "this principal has no password here");
    cz__body_known(body, known, rep);
    const char *old = cz__body_text(body, "old", true, rep);
    const char *fresh = new_password(body, "new", p->name, rep);
    if (!json_object_get(body, "new"))
        (void)cz_report_add(rep, "/new", "required", "is required");
    if (!cz_report_ok(rep))
        return CZ_E_INVALID;
    enum cz_err rc = cz_store_principal_get(id->store, p->id, &row, err);
    if (rc == CZ_OK)
        rc = cz__prove_password(id, row.subject, old, from, err);
    cz_principal_row_done(&row);
    if (rc == CZ_E_UNAUTHENTICATED) { /* the request itself is authenticated */
        cz_error_reset(err);
        return cz_report_add(rep, "/old", "value", "is not the password");
    }
    if (rc == CZ_OK)
        rc = set_password(id, p->id, fresh, p->session_id, err);
    if (rc == CZ_OK)
        cz_identity_audit(id, p, NULL, from, "auth.password", "ok", NULL);
    return rc;
}
