/* SPDX-License-Identifier: Apache-2.0 */
/** API tokens: made, listed, revoked. */
#include <string.h>

#include "identity_priv.h"

enum { MAX_DAYS = 365, HINT_LEN = 14 };

/* ---- reading the body ----------------------------------------------------------------------- */

struct wish {
    const char *name, *team, *set, *principal;
    char scopes[64];
    enum cz_scope widest;
    int64_t expires_ms;
};

static const char *const members[] = {"name",    "scopes",          "team",      "set",
                                      "expires", "expires_in_days", "principal", NULL};

static void read_scopes(const json_t *body, struct wish *w, struct cz_report *rep)
{
    const json_t *list = json_object_get(body, "scopes"), *v;
    size_t i;
    bool has[CZ_SCOPE_COUNT_] = {false};
    enum cz_scope s;
    if (!json_is_array(list) || json_array_size(list) == 0) {
        (void)cz_report_add(rep, "/scopes", "required",
                            "must be a list of some of read, operate, apply, admin");
        return;
    }
    json_array_foreach (list, i, v) {
        if (!cz_scope_parse(json_string_value(v), &s))
            (void)cz_report_add(rep, "/scopes", "value",
                                "must be a list of some of read, operate, apply, admin");
        else
            has[s] = true;
    }
    for (int k = 0; k < CZ_SCOPE_COUNT_; k++) {
        size_t n = strlen(w->scopes);
        if (!has[k])
            continue;
        w->widest = (enum cz_scope)k;
        (void)snprintf(w->scopes + n, sizeof(w->scopes) - n, "%s%s", n ? "," : "",
                       cz_scope_name(w->widest));
    }
}

static void read_expiry(const json_t *body, struct wish *w, struct cz_report *rep)
{
    const json_t *at = json_object_get(body, "expires");
    const json_t *days = json_object_get(body, "expires_in_days");
    int64_t now = cz_wall_ms();
    if ((at != NULL) == (days != NULL)) {
        (void)cz_report_add(rep, "/expires", "required",
                            "expires (a time) or expires_in_days is needed: no token lives for ever");
        return;
    }
    if (days)
        w->expires_ms = json_is_integer(days) && json_integer_value(days) > 0 &&
                                json_integer_value(days) <= MAX_DAYS
                            ? now + json_integer_value(days) * 24 * 3600 * 1000
                            : 0;
    else if (!json_is_string(at) || !cz_rfc3339_parse(json_string_value(at), &w->expires_ms))
        w->expires_ms = 0;
    if (w->expires_ms <= now || w->expires_ms > now + CZ_TOKEN_MAX_LIFE_MS)
        (void)cz_report_add(rep, days ? "/expires_in_days" : "/expires", "value",
                            "must be in the future and at most %d days away", MAX_DAYS);
}

/* A token passes on no more than it has. That of a sign-in is the person (who signed in a moment ago: the
 * route asks for that), so its own end is no limit. */
static void check_limits(const struct cz_principal *p, const struct wish *w, struct cz_report *rep)
{
    if (w->widest > p->scope)
        (void)cz_report_add(rep, "/scopes", "scope", "the token that asks has only the scope %s",
                            cz_scope_name(p->scope));
    if (p->token_team && !cz_streq(p->token_team, w->team))
        (void)cz_report_add(rep, "/team", "scope", "must be %s, as of the token that asks",
                            p->token_team);
    if (p->token_set && !cz_streq(p->token_set, w->set))
        (void)cz_report_add(rep, "/set", "scope", "must be %s, as of the token that asks",
                            p->token_set);
    if (p->token_expires_ms && !p->sign_in && w->expires_ms > p->token_expires_ms)
        (void)cz_report_add(rep, "/expires", "scope", "must not be later than that of the token that asks");
    if (w->set && !w->team)
        (void)cz_report_add(rep, "/team", "required", "a set is of a team: name it");
}

/* ---- making --------------------------------------------------------------------------------- */

/* Whose token it becomes: one's own, or (by an admin) a service's. */
static enum cz_err owner(struct cz_identity *id, const struct cz_principal *p, const char *wanted,
                         struct cz_principal_row *ret, struct cz_error *err)
{
    const char *whose = wanted ? wanted : p->id;
    if (p->root && !wanted)
        return cz_fail(err, CZ_E_CONFLICT,
                       "the token of --admin-token-file has no tokens of its own: name a service as "
                       "principal");
    enum cz_err rc = CZ_OK;
    if (!cz_streq(whose, p->id))
        rc = cz__need_admin(p, "a token of another principal", err);
    if (rc == CZ_OK)
        rc = cz_store_principal_get(id->store, whose, ret, err);
    if (rc == CZ_OK && !cz_streq(whose, p->id) && !cz_streq(ret->kind, "service")) {
        cz_principal_row_done(ret);
        rc = cz_fail(err, CZ_E_FORBIDDEN, "only users themselves make their tokens");
    }
    return rc;
}

static json_t *scopes_json(const char *scopes)
{
    json_t *list = json_array();
    while (*scopes) {
        size_t n = strcspn(scopes, ",");
        (void)json_array_append_new(list, json_stringn(scopes, n));
        scopes += n + (scopes[n] == ',');
    }
    return list;
}

static json_t *shown(const struct cz_token_row *t)
{
    json_t *o = json_object();
    const char *state = t->revoked_ms                       ? "revoked"
                        : t->expires_ms <= cz_wall_ms() ? "expired"
                                                         : "active";
    cz_json_set_str(o, "id", t->id);
    cz_json_set_str(o, "name", t->name);
    cz_json_set_str(o, "principal", t->principal);
    cz_json_set_str(o, "principal_id", t->principal_id);
    cz_json_set_str(o, "hint", t->hint);
    (void)json_object_set_new(o, "scopes", scopes_json(t->scopes));
    cz_json_set_str_or_null(o, "team", t->team);
    cz_json_set_str_or_null(o, "set", t->set);
    cz__id_set_time(o, "created", t->created_ms);
    cz__id_set_time(o, "expires", t->expires_ms);
    cz__id_set_time(o, "used", t->used_ms);
    cz_json_set_str_or_null(o, "used_ip", t->used_ip);
    cz__id_set_time(o, "revoked", t->revoked_ms);
    cz_json_set_str(o, "state", state);
    return o;
}

static enum cz_err make(struct cz_identity *id, const struct cz_principal *p,
                        const struct cz_origin *from, const struct wish *w, const char *kind,
                        const struct cz_principal_row *of, json_t **ret, struct cz_error *err)
{
    char value[CZ__TOKEN_SIZE], hint[HINT_LEN + 4], hash[CZ__HASH_SIZE], uid[CZ_UID_SIZE];
    cz__token_make(kind ? kind : of->kind, value);
    (void)snprintf(hint, sizeof(hint), "%.*s...", HINT_LEN, value);
    (void)cz_sha256_hex(value, strlen(value), hash);
    const struct cz_token_row t = {.id = cz_uid(uid),
                                   .principal_id = of->id,
                                   .principal = of->name,
                                   .name = CZ_UNCONST(w->name),
                                   .hint = hint,
                                   .scopes = CZ_UNCONST(w->scopes),
                                   .team = CZ_UNCONST(w->team),
                                   .set = CZ_UNCONST(w->set),
                                   .created_ms = cz_wall_ms(),
                                   .expires_ms = w->expires_ms};
    enum cz_err rc = cz_store_token_new(id->store, &t, hash, err);
    if (rc == CZ_OK) {
        json_t *detail = shown(&t);
        cz_identity_audit(id, p, NULL, from, "token.create", "ok", detail);
        *ret = shown(&t);
        cz_json_set_str(*ret, "token", value);
    }
    explicit_bzero(value, sizeof(value));
    return rc;
}

enum cz_err cz_identity_token_new(struct cz_identity *id, const struct cz_principal *p,
                                  const struct cz_origin *from, const json_t *body, json_t **ret,
                                  struct cz_report *rep, struct cz_error *err)
{
    return cz__token_new(id, p, from, body, NULL, ret, rep, err);
}

enum cz_err cz__token_new(struct cz_identity *id, const struct cz_principal *p,
                          const struct cz_origin *from, const json_t *body, const char *kind,
                          json_t **ret, struct cz_report *rep, struct cz_error *err)
{
    struct wish w = {0};
    struct cz_principal_row of = {0};
    cz__body_known(body, members, rep);
    w.name = cz__body_name(body, "name", true, rep);
    w.team = cz__body_name(body, "team", false, rep);
    w.set = cz__body_name(body, "set", false, rep);
    w.principal = cz__body_name(body, "principal", false, rep);
    read_scopes(body, &w, rep);
    read_expiry(body, &w, rep);
    check_limits(p, &w, rep);
    if (!cz_report_ok(rep))
        return CZ_E_INVALID;
    enum cz_err rc = owner(id, p, w.principal, &of, err);
    if (rc != CZ_OK)
        return rc;
    rc = make(id, p, from, &w, kind, &of, ret, err);
    cz_principal_row_done(&of);
    return rc;
}

/* ---- listing, revoking ---------------------------------------------------------------------- */

enum cz_err cz_identity_tokens(struct cz_identity *id, const struct cz_principal *p, bool all,
                               json_t **ret, struct cz_error *err)
{
    struct cz_token_list l = {0};
    enum cz_err rc = CZ_OK;
    if (all && !p->auditor)
        rc = cz__need_admin(p, "the list of everybody's tokens", err);
    if (rc == CZ_OK)
        rc = cz_store_tokens(id->store, all ? NULL : p->id, &l, err);
    if (rc != CZ_OK)
        return rc;
    json_t *items = json_array();
    for (size_t i = 0; i < l.len; i++)
        (void)json_array_append_new(items, shown(&l.items[i]));
    cz_token_list_done(&l);
    *ret = json_pack("{s:o}", "items", items);
    return CZ_OK;
}

enum cz_err cz_identity_token_revoke(struct cz_identity *id, const struct cz_principal *p,
                                     const struct cz_origin *from, const char *token_id,
                                     struct cz_error *err)
{
    bool any = p->root || p->admin;
    enum cz_err rc = cz_store_token_revoke(id->store, token_id, any ? NULL : p->id, err);
    if (rc == CZ_OK)
        cz_identity_audit(id, p, NULL, from, "token.revoke", "ok",
                          json_pack("{s:s}", "id", token_id));
    return rc;
}
