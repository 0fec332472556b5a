/* SPDX-License-Identifier: Apache-2.0 */
/** The service object, teams, readiness and the expression playground. */
#include <string.h>

#include "cz/jmespath.h"
#include "service_priv.h"

struct cz_service *cz_service_new(const struct cz_service_options *o)
{
    struct cz_service *s = cz_alloc(sizeof *s);
    s->store = o->store;
    s->status = o->status;
    s->timeout_ms = o->metadata_timeout_ms > 0 ? o->metadata_timeout_ms : 3000;
    s->group_id = cz_strdup(o->group_id);
    s->file_data_path = cz_strdup(o->file_data_path);
    s->topics_fn = o->topics;
    s->topics_arg = o->topics_arg;
    s->due_seq = -1;
    cz_mutex_init(&s->lock);
    cz_cond_init(&s->verify_done);
    cz_mutex_init(&s->view_lock);
    cz_mutex_init(&s->due_lock);
    cz_map_init(&s->admins, NULL);
    cz_map_init(&s->facts, cz_free);
    cz_map_init(&s->teams, NULL);
    cz_map_init(&s->moments, cz_free);
    cz_map_init(&s->watched, cz_free);
    cz_map_init(&s->due, cz_free);
    cz__pair_stats_init(s);
    return s;
}

void cz_service_free(struct cz_service *s)
{
    if (!s)
        return;
    cz_free(s->group_id);
    cz_free(s->file_data_path);
    cz__admins_done(s);
    cz_map_done(&s->facts);
    cz_map_done(&s->teams);
    cz_map_done(&s->moments);
    cz_map_done(&s->due);
    cz_map_done(&s->watched);
    cz__snapshot_free(s->snapshot);
    cz__access_done(s);
    cz__pair_stats_done(s);
    cz_cond_done(&s->verify_done);
    cz_mutex_done(&s->lock);
    cz_mutex_done(&s->view_lock);
    cz_mutex_done(&s->due_lock);
    cz_free(s);
}

void cz_service_set_view(struct cz_service *s, cz_service_view_fn fn, cz_service_writer_fn writer, void *arg)
{
    CZ_LOCKED(&s->view_lock);
    s->view = fn;
    s->writer = writer;
    s->view_arg = arg;
}

struct cz_change_meta
cz__meta(const struct cz_caller *who, const char *team, const char *action, const char *comment)
{
    struct cz_change_meta m = {.team = team, .action = action, .comment = comment};
    if (!who)
        return m;
    m.actor = who->actor;
    m.actor_id = who->actor_id;
    m.token_id = who->token_id;
    m.via = who->via;
    m.request_id = who->request_id;
    m.trace_id = who->trace_id;
    m.ip = who->ip;
    return m;
}

/* ---- teams --------------------------------------------------------------------------------
 */

static bool team_cached(struct cz_service *s, const char *team)
{
    CZ_LOCKED(&s->lock);
    return cz_map_get(&s->teams, team) != NULL;
}

enum cz_err
cz__team_names(struct cz_service *s, char ***ret, size_t *ret_len, struct cz_error *err)
{
    enum cz_err code = cz_store_teams(s->store, ret, ret_len, err);
    if (code)
        return code;
    CZ_LOCKED(&s->lock);
    for (size_t i = 0; i < *ret_len; i++)
        cz_map_put(&s->teams, (*ret)[i], s);
    return CZ_OK;
}

void cz__names_free(char **names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        cz_free(names[i]);
    cz_free(names);
}

enum cz_err cz__team_known(struct cz_service *s, const char *team, struct cz_error *err)
{
    char **names = NULL;
    size_t n = 0;
    if (team_cached(s, team))
        return CZ_OK;
    enum cz_err code = cz__team_names(s, &names, &n, err);
    if (code)
        return code;
    cz__names_free(names, n);
    return team_cached(s, team) ? CZ_OK
                                : cz_fail(err, CZ_E_NOT_FOUND, "there is no team '%s'", team);
}

enum cz_err
cz__name_possible(const char *team, enum cz_kind kind, const char *name, struct cz_error *err)
{
    if (cz_name_check(team, NULL) == CZ_OK && cz_name_check(name, NULL) == CZ_OK)
        return CZ_OK;
    return cz_fail(err, CZ_E_NOT_FOUND, "there is no %s of that name", cz_kind_name(kind));
}

/* ---- waiting, readiness --------------------------------------------------------------------
 */

enum cz_err cz_service_wait_change(struct cz_service *s,
                                   int64_t after,
                                   cz_time deadline,
                                   int64_t *ret_seq,
                                   struct cz_error *err)
{
    return cz_store_wait(s->store, after, deadline, ret_seq, err);
}

bool cz_service_wait_applied(struct cz_service *s, int64_t seq, cz_time deadline)
{
    return s->status && cz_status_wait_applied(s->status, seq, deadline);
}

static void add_check(json_t *checks, const char *name, bool ok, const char *text)
{
    (void)json_array_append_new(checks, json_pack("{s:s,s:b,s:s}", "name", name, "ok", ok,
                                                  "message", ok ? "ok" : text));
}

enum cz_err
cz_service_ready(struct cz_service *s, cz_time deadline, json_t **ret, struct cz_error *err)
{
    struct cz_error why = CZ_ERROR_INIT;
    json_t *checks = json_array();
    bool store = cz_store_check(s->store, deadline, &why) == CZ_OK;
    add_check(checks, "database", store, why.text);
    bool status = !s->status || cz_status_view_ready(s->status);
    add_check(checks, "status_topic", status, "the status topic was not read to its end yet");
    *ret = json_pack("{s:o}", "checks", checks);
    if (store && status)
        return CZ_OK;
    return cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0, "%s",
                         store ? "the status topic was not read to its end yet" : why.text);
}

/* ---- expressions ---------------------------------------------------------------------------
 */

enum cz_err cz_service_eval(const char *expression,
                            const json_t *document,
                            json_t **ret,
                            struct cz_report *rep,
                            struct cz_error *err)
{
    struct cz_jmespath *x = NULL;
    struct cz_error why = CZ_ERROR_INIT;
    if (strlen(expression) > CZ_MAX_EXPRESSION)
        return cz_report_add(rep, "/expression", "range", "at most %d bytes",
                             CZ_MAX_EXPRESSION);
    if (cz_jmespath_compile(expression, strlen(expression), &x, &why) != CZ_OK) {
        (void)cz_report_add(rep, "/expression", "jmespath", "%s", why.text);
        return cz_fail(err, CZ_E_INVALID, "%s", why.text);
    }
    cz_jmespath_free(x);
    CZ_CLEANUP(cz_freep)
    char *text = document ? cz_json_text(document, false) : cz_strdup("null");
    CZ_CLEANUP(cz_buf_done) struct cz_buf out = CZ_BUF_INIT(CZ_MAX_BODY);
    enum cz_err code =
        cz_jmespath_eval_text(expression, strlen(expression), text, strlen(text), &out, &why);
    if (code == CZ_OK && out.failed)
        code = cz_fail(&why, CZ_E_INVALID, "the result is larger than %d bytes", CZ_MAX_BODY);
    if (code) {
        (void)cz_report_add(rep, "/expression", code == CZ_E_LIMIT ? "limit" : "evaluation",
                            "%s", why.text);
        return cz_fail(err, CZ_E_INVALID, "%s", why.text);
    }
    json_t *value =
        json_loadb(cz_buf_str(&out), out.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (!value) { /* a number that no 64 bits hold */
        (void)cz_report_add(rep, "/expression", "evaluation",
                            "the result holds a number that cannot be shown");
        return cz_fail(err, CZ_E_INVALID, "the result holds a number that cannot be shown");
    }
    *ret = json_pack("{s:o}", "result", value);
    return CZ_OK;
}
