/* SPDX-License-Identifier: Apache-2.0 */
/** Calls of the REST API and what their answers mean. */
#include "rest.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cz/http_client.h"
#include "cz/json.h"
#include "cz/limits.h"
#include "cz/time.h"

enum { TIMEOUT_MS = 30000, MAX_PAUSE_S = 5, WAIT_MS = 60000, MAX_WAIT_MS = 300000, SHOWN_TEXT = 300 };

/* ---- paths
 * ------------------------------------------------------------------------------------ */

void cz_rest_path(struct cz_buf *out, const char *const *parts)
{
    cz_buf_adds(out, "/api/v1");
    for (; *parts; parts++) {
        cz_buf_addc(out, '/');
        cz_client_encode(out, *parts);
    }
}

void cz_rest_query(struct cz_buf *path, const char *key, const char *value)
{
    if (!value)
        return;
    cz_buf_addc(path, strchr(cz_buf_str(path), '?') ? '&' : '?');
    cz_buf_adds(path, key);
    cz_buf_addc(path, '=');
    cz_client_encode(path, value);
}

void cz_rest_object(const struct cz_cli *cli,
                    struct cz_buf *out,
                    const char *team,
                    const struct cz_cli_kind *kind,
                    const char *name)
{
    const char *parts[] = {"teams", team ? team : cli->context.team, kind->collection, name,
                           NULL};
    cz_rest_path(out, parts);
}

/* ---- calls
 * ------------------------------------------------------------------------------------ */

void cz_rest_reply_done(struct cz_rest_reply *r)
{
    json_decref(r->json);
    cz_free(r->etag);
    cz_free(r->request_id);
    cz_free(r->text);
    cz_free(r->next);
    *r = (struct cz_rest_reply){0};
}

static enum cz_err connect_once(struct cz_cli *cli, struct cz_error *err)
{
    enum cz_err rc = cz_cli_context_open(cli, err);
    if (rc || cli->client)
        return rc;
    struct cz_client_options o = {
        .servers = cli->context.servers,
        .servers_len = cli->context.servers_len,
        .name = "cli",
        .max_answer = CZ_MAX_CLI_ANSWER,
        .token = cli->context.token,
        .ca_file = cli->context.ca_file,
    };
    return cz_client_new(&o, &cli->client, err);
}

static void read_reply(struct cz_client_reply *from, bool text, struct cz_rest_reply *to)
{
    struct cz_error ignored = CZ_ERROR_INIT;
    *to = (struct cz_rest_reply){.status = from->status};
    to->etag = cz_strdup(from->etag);
    to->request_id = cz_strdup(from->request_id);
    to->next = cz_strdup(from->next);
    if (text && from->status < 300)
        to->text = cz_strndup(cz_buf_str(&from->body), from->body.len);
    else if (from->body.len > 0 &&
        cz_json_parse(from->body.data, from->body.len, &to->json, &ignored))
        to->text = cz_strndup(from->body.data,
                              from->body.len < SHOWN_TEXT ? from->body.len : SHOWN_TEXT);
}

/* Many objects are many requests: a server that takes only so many a second did nothing with this one.  A longer
 * pause is a refusal, as of a sign-in. */
static bool told_to_slow_down(const struct cz_client_reply *r, cz_time deadline)
{
    return r->status == 429 && r->retry_after_s > 0 && r->retry_after_s <= MAX_PAUSE_S &&
           cz_now() + r->retry_after_s * CZ_SEC < deadline;
}

int cz_rest_send(struct cz_cli *cli, const struct cz_rest_call *call, struct cz_rest_reply *ret)
{
    struct cz_error err = CZ_ERROR_INIT;
    if (connect_once(cli, &err))
        return cz_cli_fail(&err);
    CZ_CLEANUP(cz_freep) char *body = call->body ? cz_json_text(call->body, false) : NULL;
    int timeout_ms = (int)cz_cli_duration(cli, "timeout", TIMEOUT_MS) + call->timeout_ms;
    struct cz_client_request rq = {
        .method = call->method ? call->method : "GET",
        .path = call->path,
        .if_match = call->if_match,
        .create_only = call->create_only,
        .body = body,
        .timeout_ms = timeout_ms,
    };
    struct cz_client_reply reply;
    cz_time deadline = cz_deadline_ms(timeout_ms);
    while (true) {
        if (cz_client_send(cli->client, &rq, &reply, &err))
            return cz_cli_fail(&err);
        if (!told_to_slow_down(&reply, deadline))
            break;
        (void)sleep((unsigned)reply.retry_after_s);
        cz_client_reply_done(&reply);
    }
    read_reply(&reply, call->text, ret);
    cz_client_reply_done(&reply);
    return CZ_EXIT_OK;
}

bool cz_rest_good(const struct cz_rest_reply *r)
{
    return r->status >= 200 && r->status < 300;
}

int cz_rest_exit(int status)
{
    switch (status) {
    case 401:
    case 403:
        return CZ_EXIT_DENIED;
    case 409:
    case 412:
    case 428:
        return CZ_EXIT_CONFLICT;
    case 400:
    case 413:
    case 415:
    case 422:
        return CZ_EXIT_INVALID;
    default:
        return status >= 200 && status < 300 ? CZ_EXIT_OK : CZ_EXIT_ERROR;
    }
}

int cz_rest_problem(const char *what, const struct cz_rest_reply *r)
{
    const char *title =
        cz_json_str(r->json, "title", r->status == 401 ? "Unauthenticated" : "");
    const char *detail = cz_json_str(r->json, "detail", r->text ? r->text : title);
    json_t *errors = json_object_get(r->json, "errors");
    size_t i;
    json_t *e;
    if (json_array_size(errors) == 0 || r->status != 422)
        cz_cli_say("%s: %s%s", what, *detail ? detail : "the server gave no reason",
                   r->status == 401 ? " (token: context, CITIZENK_TOKEN or CITIZENK_TOKEN_FILE)"
                                    : "");
    json_array_foreach (errors, i, e) {
        const char *pointer = cz_json_str(e, "pointer", "");
        cz_cli_say("%s: %s%s%s", what, pointer, *pointer ? ": " : "",
                   cz_json_str(e, "message", cz_json_str(e, "code", "not acceptable")));
    }
    if (r->status >= 500 && r->request_id)
        cz_cli_note("status %d, request id %s", r->status, r->request_id);
    else if (r->status >= 500 || !r->json)
        cz_cli_note("status %d", r->status);
    return cz_rest_exit(r->status) ? cz_rest_exit(r->status) : CZ_EXIT_ERROR;
}

static int no_json(const char *what, const struct cz_rest_reply *r)
{
    cz_cli_say("%s: the answer is not JSON (status %d); is this a CitizenK server?", what,
               r->status);
    return CZ_EXIT_ERROR;
}

/* A good answer's JSON, or what went wrong. */
static int take_json(struct cz_rest_reply *r, const char *what, json_t **ret)
{
    int rc = CZ_EXIT_OK;
    if (!cz_rest_good(r))
        rc = cz_rest_problem(what, r);
    else if (!json_is_object(r->json))
        rc = no_json(what, r);
    else if (ret)
        *ret = json_incref(r->json);
    cz_rest_reply_done(r);
    return rc;
}

int cz_rest_get(struct cz_cli *cli, const char *path, const char *what, json_t **ret)
{
    struct cz_rest_reply r;
    int rc = cz_rest_send(cli, &(struct cz_rest_call){.path = path}, &r);
    return rc ? rc : take_json(&r, what, ret);
}

int cz_rest_list(
    struct cz_cli *cli, const char *path, int64_t limit, const char *what, json_t **ret)
{
    json_t *items = json_array(), *page = NULL, *all;
    CZ_CLEANUP(cz_freep) char *next = cz_strdup("");
    int64_t seq = 0;
    int rc = CZ_EXIT_OK;
    while (rc == CZ_EXIT_OK && next) {
        struct cz_buf url CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(64 * 1024);
        char page_size[16];
        int64_t left = limit ? limit - (int64_t)json_array_size(items) : CZ_MAX_PAGE;
        (void)snprintf(page_size, sizeof page_size, "%d",
                       (int)(left < CZ_MAX_PAGE ? left : CZ_MAX_PAGE));
        cz_buf_adds(&url, path);
        cz_rest_query(&url, "limit", page_size);
        cz_rest_query(&url, "cursor", *next ? next : NULL);
        rc = cz_rest_get(cli, cz_buf_str(&url), what, &page);
        if (rc)
            break;
        (void)json_array_extend(items, json_object_get(page, "items"));
        seq = cz_json_int(page, "seq", seq);
        bool full = limit && (int64_t)json_array_size(items) >= limit;
        char *after = full ? NULL : cz_strdup(cz_json_str(page, "next", NULL));
        if (after && strcmp(after, next) == 0) {
            cz_cli_say("%s: the server gives the same page again", what);
            rc = CZ_EXIT_ERROR;
        }
        cz_free(next);
        next = after;
        json_decref(page);
        page = NULL;
    }
    if (rc) {
        json_decref(items);
        return rc;
    }
    all = json_object();
    (void)json_object_set_new(all, "items", items);
    cz_json_set_i64(all, "seq", seq);
    *ret = all;
    return CZ_EXIT_OK;
}

/* ---- writes
 * ----------------------------------------------------------------------------------- */

static bool has_option(const struct cz_cli *cli, const char *name)
{
    for (const struct cz_cli_opt *o = cli->args.cmd->opts; o && o->name; o++)
        if (strcmp(o->name, name) == 0)
            return true;
    return false;
}

int64_t cz_rest_wait_ms(const struct cz_cli *cli)
{
    if (!has_option(cli, "wait") || !cz_cli_has(cli, "wait"))
        return 0;
    int64_t ms = cz_cli_duration(cli, "wait", WAIT_MS);
    return ms < 1000 ? 1000 : ms > MAX_WAIT_MS ? MAX_WAIT_MS : ms;
}

static bool dry_run(const struct cz_cli *cli)
{
    return has_option(cli, "dry-run") && cz_cli_has(cli, "dry-run");
}

int cz_rest_send_write(struct cz_cli *cli,
                       const struct cz_rest_call *call,
                       struct cz_rest_reply *ret)
{
    struct cz_buf url CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(64 * 1024);
    struct cz_rest_call mine = *call;
    int64_t wait_ms = cz_rest_wait_ms(cli);
    cz_buf_adds(&url, call->path);
    if (has_option(cli, "comment"))
        cz_rest_query(&url, "comment", cz_cli_value(cli, "comment"));
    if (has_option(cli, "break-glass"))
        cz_rest_query(&url, "break_glass", cz_cli_value(cli, "break-glass"));
    if (dry_run(cli))
        cz_rest_query(&url, "dry_run", "true");
    if (wait_ms && !dry_run(cli)) {
        char seconds[16];
        (void)snprintf(seconds, sizeof seconds, "%d", (int)((wait_ms + 999) / 1000));
        cz_rest_query(&url, "wait", "applied");
        cz_rest_query(&url, "timeout", seconds);
        mine.timeout_ms += (int)wait_ms;
    }
    mine.path = cz_buf_str(&url);
    return cz_rest_send(cli, &mine, ret);
}

int cz_rest_take(struct cz_cli *cli, struct cz_rest_reply *r, const char *what, json_t **ret)
{
    json_t *answer = NULL;
    int rc = take_json(r, what, &answer);
    if (rc == CZ_EXIT_OK && cz_rest_wait_ms(cli) && !dry_run(cli) &&
        !cz_json_bool(answer, "applied", true)) {
        cz_cli_say("%s: saved, but not all workers have applied it yet", what);
        rc = CZ_EXIT_WAIT;
    }
    if (ret)
        *ret = answer;
    else
        json_decref(answer);
    return rc;
}

int cz_rest_write(struct cz_cli *cli,
                  const struct cz_rest_call *call,
                  const char *what,
                  json_t **ret)
{
    struct cz_rest_reply r;
    int rc = cz_rest_send_write(cli, call, &r);
    return rc ? rc : cz_rest_take(cli, &r, what, ret);
}

int cz_rest_version(struct cz_cli *cli, const char *path, const char *what, char **ret)
{
    struct cz_rest_reply r;
    int rc = cz_rest_send(cli, &(struct cz_rest_call){.path = path}, &r);
    if (rc)
        return rc;
    if (r.status == 404)
        *ret = NULL;
    else if (cz_rest_good(&r))
        *ret = r.etag ? cz_strdup(r.etag) : cz_strdup(cz_json_str(r.json, "version", NULL));
    else
        rc = cz_rest_problem(what, &r);
    cz_rest_reply_done(&r);
    return rc;
}
