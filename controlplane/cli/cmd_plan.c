/* SPDX-License-Identifier: Apache-2.0 */
/** citizenk plan, show, diff, and the apply of a set: what would be done, by the server's word; the
 *  same bound to a plan that was saved; and where the database has drifted from the last apply. */
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "cz/json.h"
#include "cz/limits.h"
#include "cz/time.h"
#include "cz/util.h"
#include "output.h"
#include "plan_text.h"
#include "rest.h"
#include "set_file.h"
#include "table.h"

/* ---- a saved plan: {"api","kind":"plan","team","set","server","made","files","request","plan"} -- */

static json_t *saved(const struct cz_cli *cli, const struct cz_set_job *j, const json_t *body, json_t *plan)
{
    char at[CZ_RFC3339_SIZE];
    json_t *files = json_array();
    for (size_t i = 0; i < j->docs.len; i++) {
        struct cz_buf where CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(8192);
        cz_docs_where(&j->docs, &j->docs.items[i], "", &where);
        (void)json_array_append_new(files, json_string(cz_buf_str(&where)));
    }
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:O, s:O}", "api", "citizenk/v1", "kind", "plan",
                     "team", cli->context.team, "set", j->set, "server", cli->context.servers[0], "made",
                     cz_rfc3339(cz_wall_ms(), at), "files", files, "request", body, "plan", plan);
}

static int write_saved(const char *path, json_t *file)
{
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_buf b CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(CZ_MAX_CLI_ANSWER);
    CZ_CLEANUP(cz_freep) char *text = cz_json_text(file, false);
    cz_text_pretty(&b, text, strlen(text));
    cz_buf_addc(&b, '\n');
    if (cz_write_file(path, cz_buf_str(&b), b.len, 0600, &err))
        return cz_cli_fail(&err);
    return CZ_EXIT_OK;
}

static int read_saved(const char *path, json_t **ret)
{
    struct cz_error err = CZ_ERROR_INIT;
    CZ_CLEANUP(cz_freep) char *text = NULL;
    size_t len = 0;
    json_t *j = NULL;
    if (cz_read_file(strcmp(path, "-") == 0 ? "/dev/stdin" : path, CZ_MAX_CLI_ANSWER, &text, &len, &err))
        return cz_cli_fail(&err);
    if (cz_json_parse(text, len, &j, &err)) {
        cz_cli_say("%s: %s", path, err.text);
        return CZ_EXIT_INVALID;
    }
    if (!cz_streq(cz_json_str(j, "kind", NULL), "plan") || !json_is_object(json_object_get(j, "plan")) ||
        !json_is_object(json_object_get(j, "request")) || !cz_json_str(j, "set", NULL)) {
        cz_cli_say("%s: is no plan that \"citizenk plan -o FILE\" has written", path);
        json_decref(j);
        return CZ_EXIT_INVALID;
    }
    *ret = j;
    return CZ_EXIT_OK;
}

/* ---- plan ----------------------------------------------------------------------------------- */

static int no_set(const struct cz_cli *cli)
{
    return cz_cli_usage(cli, "which set? Put a " CZ_SET_FILE " {set: NAME} beside the files, or say --set");
}

static int ask_plan(struct cz_cli *cli, const struct cz_set_job *j, const json_t *body, json_t **ret)
{
    struct cz_rest_reply r;
    CZ_CLEANUP(cz_freep) char *what = cz_strf("set/%s", j->set);
    CZ_REST_PATH(path, "teams", cli->context.team, "sets", j->set, "plan");
    const struct cz_rest_call call = {.method = "POST", .path = cz_buf_str(&path), .body = body};
    int rc = cz_rest_send(cli, &call, &r);
    if (rc)
        return rc;
    if (!cz_rest_good(&r) || !json_is_object(r.json))
        rc = cz_set_job_problem(j, &r, what);
    else
        *ret = json_incref(r.json);
    cz_rest_reply_done(&r);
    return rc;
}

static int exit_of_plan(const struct cz_cli *cli, const json_t *plan)
{
    if (cz_plan_blocked(plan) > 0) {
        cz_cli_note("Blocked: an apply would do nothing.");
        return CZ_EXIT_CONFLICT;
    }
    return cz_cli_has(cli, "detailed-exitcode") && cz_plan_changes(plan) > 0 ? CZ_EXIT_CHANGES : CZ_EXIT_OK;
}

static void show_plan(struct cz_cli *cli, const json_t *plan, const struct cz_set_job *j)
{
    json_t *c;
    size_t i;
    if (cz_out_document(cli, plan))
        return;
    if (cli->format == CZ_FORMAT_NAME) {
        json_array_foreach (json_object_get(plan, "changes"), i, c)
            cz_out_done(cli, cz_json_str(c, "kind", "?"), cz_json_str(c, "name", "?"), "");
        return;
    }
    cz_plan_text(plan, j, &cli->out);
    cz_out_warnings(cz_json_str(plan, "set", "?"), plan);
}

int cz_plan_set(struct cz_cli *cli, struct cz_set_job *j, const char *file)
{
    json_t *body = cz_set_job_body(cli, j), *plan = NULL;
    int rc = ask_plan(cli, j, body, &plan);
    if (rc == CZ_EXIT_OK) {
        show_plan(cli, plan, j);
        json_t *whole = file ? saved(cli, j, body, plan) : NULL;
        rc = file ? write_saved(file, whole) : CZ_EXIT_OK;
        json_decref(whole);
    }
    if (rc == CZ_EXIT_OK)
        rc = exit_of_plan(cli, plan);
    json_decref(plan);
    json_decref(body);
    return rc;
}

static int plan(struct cz_cli *cli)
{
    CZ_CLEANUP(cz_set_job_done) struct cz_set_job j = {0};
    const char *out = cz_cli_value(cli, "output");
    /* "-o json" is a format here as everywhere; another word is the file. */
    bool format = cli->format != CZ_FORMAT_TABLE || cz_streq(out, "table");
    int rc = cz_set_job_load(cli, &j);
    if (rc == CZ_EXIT_OK && !j.set)
        rc = no_set(cli);
    return rc ? rc : cz_plan_set(cli, &j, format ? NULL : out);
}

/* ---- apply of a set ------------------------------------------------------------------------- */

/* A conflict: what the plan of now says. */
static void show_conflict(struct cz_cli *cli, const struct cz_rest_reply *r, const struct cz_set_job *j)
{
    const json_t *now = json_object_get(r->json, "plan");
    if (now && cli->format == CZ_FORMAT_TABLE) {
        struct cz_buf text CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(CZ_MAX_CLI_ANSWER);
        cz_plan_text(now, j, &text);
        cz_cli_note("%s", cz_buf_str(&text));
    } else if (now) {
        (void)cz_out_document(cli, now);
    }
}

static void show_applied(struct cz_cli *cli, const json_t *answer)
{
    json_t *c;
    size_t i;
    const json_t *changes = json_object_get(json_object_get(answer, "plan"), "changes");
    if (cz_out_document(cli, answer))
        return;
    json_array_foreach (changes, i, c) {
        CZ_CLEANUP(cz_freep) char *said = cz_strf("%sd", cz_json_str(c, "op", "change"));
        cz_out_done(cli, cz_json_str(c, "kind", "?"), cz_json_str(c, "name", "?"),
                    strcmp(said, "adoptd") == 0 ? "adopted" : said);
    }
    if (json_array_size(changes) == 0)
        cz_cli_note("Nothing to change.");
    else
        cz_cli_note("Applied as change %s.", cz_json_str(answer, "seq", "?"));
    cz_out_warnings("apply", answer);
}

static int send_apply(struct cz_cli *cli, const char *set, const json_t *body, const struct cz_set_job *j)
{
    struct cz_rest_reply r;
    json_t *answer = NULL;
    CZ_CLEANUP(cz_freep) char *what = cz_strf("set/%s", set);
    CZ_REST_PATH(path, "teams", cli->context.team, "sets", set, "apply");
    const struct cz_rest_call call = {.method = "POST", .path = cz_buf_str(&path), .body = body};
    int rc = cz_rest_send_write(cli, &call, &r);
    if (rc)
        return rc;
    if (!cz_rest_good(&r)) {
        rc = j ? cz_set_job_problem(j, &r, what) : cz_rest_problem(what, &r);
        if (r.status == 409)
            show_conflict(cli, &r, j);
        cz_rest_reply_done(&r);
        return rc;
    }
    bool changes = cz_plan_changes(json_object_get(r.json, "plan")) > 0;
    rc = cz_rest_take(cli, &r, what, &answer);
    if (answer)
        show_applied(cli, answer);
    json_decref(answer);
    return rc == CZ_EXIT_OK && changes && cz_cli_has(cli, "detailed-exitcode") ? CZ_EXIT_CHANGES : rc;
}

int cz_apply_set(struct cz_cli *cli, struct cz_set_job *j)
{
    if (cz_cli_has(cli, "dry-run"))
        return cz_plan_set(cli, j, NULL);
    if (j->file.require_comment && !cz_cli_value(cli, "comment"))
        return cz_cli_usage(cli, "%s wants to know why: --comment is missing", j->file.path);
    json_t *body = cz_set_job_body(cli, j);
    int rc = send_apply(cli, j->set, body, j);
    json_decref(body);
    return rc;
}

int cz_apply_plan(struct cz_cli *cli, const char *path)
{
    json_t *file = NULL;
    struct cz_error err = CZ_ERROR_INIT;
    static const char *const others[] = {"file",        "set",         "prune", "adopt",
                                         "force-adopt", "allow-empty", "max-deletes"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (cz_cli_has(cli, others[i]))
            return cz_cli_usage(cli, "--%s was decided when the plan was made: plan again", others[i]);
    int rc = read_saved(path, &file);
    if (rc)
        return rc;
    cli->wanted_server = cz_json_str(file, "server", NULL);
    cli->wanted_team = cz_json_str(file, "team", NULL);
    cli->wanted_by = path;
    if (cz_cli_context_open(cli, &err)) {
        json_decref(file);
        return cz_cli_fail(&err);
    }
    json_t *body = json_copy(json_object_get(file, "request"));
    cz_json_set_str(body, "plan_hash", cz_json_str(json_object_get(file, "plan"), "plan_hash", ""));
    if (cz_cli_has(cli, "override-block"))
        (void)json_object_set_new(body, "override_block", json_true());
    rc = send_apply(cli, cz_json_str(file, "set", ""), body, NULL);
    json_decref(body);
    json_decref(file);
    return rc;
}

/* ---- show and diff -------------------------------------------------------------------------- */

static int show(struct cz_cli *cli)
{
    json_t *file = NULL;
    int rc = read_saved(cli->args.pos[0], &file);
    if (rc)
        return rc;
    const json_t *p = json_object_get(file, "plan");
    if (cz_cli_has(cli, "markdown"))
        cz_plan_markdown(p, &cli->out);
    else
        show_plan(cli, p, NULL);
    json_decref(file);
    return CZ_EXIT_OK;
}

static int diff(struct cz_cli *cli)
{
    CZ_CLEANUP(cz_set_job_done) struct cz_set_job j = {0};
    struct cz_error err = CZ_ERROR_INIT;
    const char *here = ".", *set = cli->args.pos_len ? cli->args.pos[0] : NULL;
    json_t *o = NULL;
    const char *file = cz_cli_item(cli, "file", 0);
    int rc = set && !file ? CZ_EXIT_OK : cz_set_file_load(file ? &file : &here, 1, &j.file);
    if (rc)
        return rc;
    set = set ? set : j.file.set;
    if (!set)
        return cz_cli_usage(cli, "which set? Name it, or run this beside its " CZ_SET_FILE);
    cli->wanted_server = j.file.server;
    cli->wanted_team = j.file.team;
    cli->wanted_by = j.file.path;
    if (cz_cli_context_open(cli, &err))
        return cz_cli_fail(&err);
    CZ_CLEANUP(cz_freep) char *what = cz_strf("set/%s", set);
    CZ_REST_PATH(path, "teams", cli->context.team, "sets", set);
    rc = cz_rest_get(cli, cz_buf_str(&path), what, &o);
    if (rc)
        return rc;
    const json_t *drift = json_object_get(o, "drift");
    bool drifted = json_array_size(drift) > 0;
    if (!cz_out_document(cli, drift)) {
        cz_drift_text(drift, &cli->out);
        if (!drifted)
            cz_cli_note("No drift: everything is as the last apply (commit %s) left it.",
                        cz_json_str(o, "commit", "unknown"));
    }
    json_decref(o);
    return drifted && cz_cli_has(cli, "detailed-exitcode") ? CZ_EXIT_CHANGES : CZ_EXIT_OK;
}

/* ---- the rows ------------------------------------------------------------------------------- */

static const struct cz_cli_opt plan_options[] = {
    CZ_OPT_FILES,
    CZ_OPT_DETAILED,
    CZ_OPTS_PLAN,
    {0}};
const struct cz_cli_cmd cz_cmd_plan = {
    .name = "plan",
    .args = "[-f PATH…] [-o PLAN.json]",
    .output_file = true,
    .summary = "show what an apply of a set would do",
    .help = "The documents of PATH (default: this folder) are the set that " CZ_SET_FILE " beside them names:\n"
            "  {set: core, team: payments, server: https://…, require_comment: true}\n"
            "The server makes the plan: fields that differ, what it means for records and groups, what is\n"
            "blocked. Nothing is changed. Exit 3 when something is blocked.\n"
            "-o PLAN.json saves it for apply and show; table, json, yaml and name are formats.",
    .opts = plan_options,
    .words_type = CZ_WORDS_NONE,
    .exec = plan,
};

static const struct cz_cli_opt show_options[] = {
    {.name = "markdown", .type = CZ_OPT_FLAG, .doc = "as a comment for a pull request"}, {0}};
const struct cz_cli_cmd cz_cmd_show = {
    .name = "show",
    .args = "PLAN.json",
    .summary = "show a saved plan",
    .opts = show_options,
    .min_args = 1,
    .max_args = 1,
    .words_type = CZ_WORDS_NONE,
    .exec = show,
};

static const struct cz_cli_opt diff_options[] = {CZ_OPT_FILES, CZ_OPT_DETAILED, {0}};
const struct cz_cli_cmd cz_cmd_diff = {
    .name = "diff",
    .args = "[SET]",
    .summary = "show what was changed past a set since its last apply (drift)",
    .opts = diff_options,
    .max_args = 1,
    .words_type = CZ_WORDS_NONE,
    .exec = diff,
};
