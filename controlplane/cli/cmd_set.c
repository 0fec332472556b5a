/* SPDX-License-Identifier: Apache-2.0 */
/** citizenk set: how sets are, and what can be done with them beside plan and apply. */
#include <string.h>

#include "commands.h"
#include "cz/json.h"
#include "cz/time.h"
#include "cz/util.h"
#include "output.h"
#include "plan_text.h"
#include "rest.h"
#include "set_file.h"
#include "table.h"

static const char *const actions[] = {"status", "suspend", "resume", "adopt", "release", "delete", NULL};

static void age(struct cz_buf *b, const char *at)
{
    if (at)
        cz_text_age(b, at, cz_wall_ms());
}

static void row(struct cz_table *t, const json_t *s)
{
    struct cz_buf at CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(128);
    const json_t *applied = json_object_get(s, "applied");
    age(&at, cz_json_str(applied, "at", NULL));
    cz_table_add(t, cz_json_str(s, "name", ""));
    cz_table_add(t, cz_json_str(s, "state", ""));
    cz_table_number(t, cz_json_int(s, "members", 0));
    cz_table_number(t, cz_json_int(s, "drifted", 0));
    cz_table_addf(t, "%.12s", cz_json_str(s, "commit", ""));
    cz_table_add(t, cz_buf_str(&at));
    cz_table_add(t, cz_json_str(applied, "by", ""));
}

static int list(struct cz_cli *cli)
{
    json_t *all = NULL, *s;
    size_t i;
    CZ_REST_PATH(path, "teams", cli->context.team, "sets");
    int rc = cz_rest_get(cli, cz_buf_str(&path), "sets", &all);
    if (rc)
        return rc;
    if (!cz_out_document(cli, all)) {
        struct cz_table t;
        cz_table_init(&t, "NAME|*STATE|>MEMBERS|>DRIFTED|COMMIT|APPLIED|BY");
        json_array_foreach (json_object_get(all, "items"), i, s)
            row(&t, s);
        if (i == 0)
            cz_cli_note("no sets");
        else
            cz_table_print(&t, &cli->out, 0, cli->color);
        cz_table_done(&t);
    }
    json_decref(all);
    return CZ_EXIT_OK;
}

static void show_suspended(struct cz_cli *cli, const json_t *s)
{
    const json_t *why = json_object_get(s, "suspended");
    if (!json_is_object(why))
        return;
    CZ_CLEANUP(cz_freep)
    char *text = cz_strf("by %s at %s: %s", cz_json_str(why, "by", "an unknown actor"),
                         cz_json_str(why, "at", "?"), cz_json_str(why, "reason", "no reason given"));
    cz_out_field(cli, 16, "suspended", text);
}

static void show_set(struct cz_cli *cli, const json_t *s)
{
    const json_t *applied = json_object_get(s, "applied");
    char number[24];
    CZ_CLEANUP(cz_freep)
    char *last = json_is_object(applied)
                     ? cz_strf("change %s by %s at %s", cz_json_str(applied, "seq", "?"),
                               cz_json_str(applied, "by", "an unknown actor"), cz_json_str(applied, "at", "?"))
                     : cz_strdup("never");
    cz_out_field(cli, 16, "set", cz_json_str(s, "name", ""));
    cz_out_field(cli, 16, "team", cz_json_str(s, "team", ""));
    cz_out_field(cli, 16, "state", cz_json_str(s, "state", ""));
    cz_out_field(cli, 16, "applied", last);
    cz_out_field(cli, 16, "commit", cz_json_str(s, "commit", NULL));
    cz_out_field(cli, 16, "repository", cz_json_str(s, "repo", NULL));
    (void)snprintf(number, sizeof number, "%lld", (long long)cz_json_int(s, "members", 0));
    cz_out_field(cli, 16, "members", number);
    show_suspended(cli, s);
    if (cz_json_str(s, "blocked_commit", NULL))
        cz_out_field(cli, 16, "blocked commit", cz_json_str(s, "blocked_commit", NULL));
    if (json_array_size(json_object_get(s, "drift")) > 0) {
        cz_buf_adds(&cli->out, "drift\n");
        cz_drift_text(json_object_get(s, "drift"), &cli->out);
    }
}

static int status(struct cz_cli *cli, const char *set)
{
    json_t *s = NULL;
    CZ_CLEANUP(cz_freep) char *what = cz_strf("set/%s", set);
    CZ_REST_PATH(path, "teams", cli->context.team, "sets", set);
    int rc = cz_rest_get(cli, cz_buf_str(&path), what, &s);
    if (rc == CZ_EXIT_OK && !cz_out_document(cli, s))
        show_set(cli, s);
    json_decref(s);
    return rc;
}

/* {"objects":[{kind,name}]} of "KIND/NAME…". */
static int objects(const struct cz_cli *cli, json_t *body)
{
    json_t *all = json_array();
    int rc = CZ_EXIT_OK;
    for (size_t i = 2; rc == CZ_EXIT_OK && i < cli->args.pos_len; i++) {
        const char *word = cli->args.pos[i], *slash = strchr(word, '/');
        CZ_CLEANUP(cz_freep) char *kind_word = slash ? cz_strndup(word, (size_t)(slash - word)) : NULL;
        const struct cz_cli_kind *kind = slash ? cz_cli_kind(kind_word) : NULL;
        if (!kind || !kind->document || !slash[1])
            rc = cz_cli_usage(cli, "\"%s\": write KIND/NAME, as in mapping/orders", word);
        else
            (void)json_array_append_new(all, json_pack("{s:s, s:s}", "kind", kind->name, "name", slash + 1));
    }
    (void)json_object_set_new(body, "objects", all);
    return rc;
}

static void show_changes(struct cz_cli *cli, const json_t *answer, const char *said)
{
    json_t *c;
    size_t i;
    bool dry = cz_cli_has(cli, "dry-run");
    CZ_CLEANUP(cz_freep) char *full = cz_strf("%s%s", said, dry ? " (dry run)" : "");
    if (cz_out_document(cli, answer))
        return;
    json_array_foreach (json_object_get(answer, "changes"), i, c)
        cz_out_done(cli, cz_json_str(c, "kind", "?"), cz_json_str(c, "name", "?"), full);
    if (i == 0)
        cz_cli_note("Nothing to change.");
}

static int own(struct cz_cli *cli, const char *set, const char *action, const char *what)
{
    bool adopt = strcmp(action, "adopt") == 0, all = cz_cli_has(cli, "all");
    json_t *body = json_object(), *answer = NULL;
    CZ_REST_PATH(path, "teams", cli->context.team, "sets", set, action);
    int rc = CZ_EXIT_OK;
    if (all && !adopt)
        (void)json_object_set_new(body, "all", json_true());
    else if (cli->args.pos_len < 3)
        rc = cz_cli_usage(cli, "%s %s what? KIND/NAME…%s", action, set, adopt ? "" : ", or --all");
    else
        rc = objects(cli, body);
    if (adopt && cz_cli_has(cli, "force"))
        (void)json_object_set_new(body, "force", json_true());
    const struct cz_rest_call call = {.method = "POST", .path = cz_buf_str(&path), .body = body};
    if (rc == CZ_EXIT_OK)
        rc = cz_rest_write(cli, &call, what, &answer);
    if (answer)
        show_changes(cli, answer, adopt ? "adopted" : "released");
    json_decref(answer);
    json_decref(body);
    return rc;
}

static int change(struct cz_cli *cli, const char *set, const char *action, const char *what)
{
    bool suspend = strcmp(action, "suspend") == 0;
    json_t *body = json_object(), *answer = NULL;
    struct cz_rest_reply r;
    CZ_REST_PATH(path, "teams", cli->context.team, "sets", set, action);
    if (suspend)
        cz_json_set_str(body, "reason", cz_cli_value(cli, "reason"));
    else if (cz_cli_has(cli, "unblock"))
        (void)json_object_set_new(body, "unblock", json_true());
    const struct cz_rest_call call = {.method = "POST", .path = cz_buf_str(&path), .body = body};
    int rc = cz_rest_send(cli, &call, &r);
    json_decref(body);
    if (rc)
        return rc;
    rc = cz_rest_take(cli, &r, what, &answer);
    if (answer && !cz_out_document(cli, answer)) {
        cz_out_done(cli, "set", set, suspend ? "suspended" : "resumed");
        const char *blocked = cz_json_str(answer, "blocked_commit", NULL);
        if (!suspend && blocked)
            cz_cli_note("Commit %s was rolled back and stays blocked; --unblock lets it be applied again.",
                        blocked);
    }
    json_decref(answer);
    return rc;
}

static int forget(struct cz_cli *cli, const char *set, const char *what)
{
    json_t *answer = NULL;
    CZ_REST_PATH(path, "teams", cli->context.team, "sets", set);
    const struct cz_rest_call call = {.method = "DELETE", .path = cz_buf_str(&path)};
    int rc = cz_rest_write(cli, &call, what, &answer);
    if (answer)
        show_changes(cli, answer, "deleted");
    json_decref(answer);
    return rc;
}

/* The set that is named, or that of the citizenk.yaml here (status only). */
static int set_name(struct cz_cli *cli, struct cz_set_file *file, const char **ret)
{
    static const char *const here[] = {"."};
    *ret = cli->args.pos_len > 1 ? cli->args.pos[1] : NULL;
    if (*ret)
        return CZ_EXIT_OK;
    int rc = cz_set_file_load(here, 1, file);
    cli->wanted_server = file->server;
    cli->wanted_team = file->team;
    cli->wanted_by = file->path;
    *ret = file->set;
    return rc;
}

static int set(struct cz_cli *cli)
{
    CZ_CLEANUP(cz_set_file_done) struct cz_set_file file = {0};
    struct cz_error err = CZ_ERROR_INIT;
    const char *action = cli->args.pos[0], *name = NULL;
    bool known = false;
    for (size_t i = 0; actions[i]; i++)
        known |= strcmp(actions[i], action) == 0;
    if (!known)
        return cz_cli_usage(cli, "there is no \"set %s\" (status, suspend, resume, adopt, release, delete)",
                            action);
    int rc = set_name(cli, &file, &name);
    if (rc)
        return rc;
    bool reads = strcmp(action, "status") == 0;
    if (!name && !reads)
        return cz_cli_usage(cli, "%s which set?", action);
    if (cz_cli_context_open(cli, &err))
        return cz_cli_fail(&err);
    CZ_CLEANUP(cz_freep) char *what = cz_strf("set/%s", name ? name : "");
    if (reads)
        return name ? status(cli, name) : list(cli);
    if (strcmp(action, "adopt") == 0 || strcmp(action, "release") == 0)
        return own(cli, name, action, what);
    if (strcmp(action, "delete") == 0)
        return forget(cli, name, what);
    return change(cli, name, action, what);
}

static const struct cz_cli_opt options[] = {
    {.name = "reason", .type = CZ_OPT_VALUE, .arg = "TEXT", .doc = "of suspend"},
    {.name = "unblock", .type = CZ_OPT_FLAG, .doc = "of resume: also the commit that was rolled back"},
    {.name = "all", .type = CZ_OPT_FLAG, .doc = "of release: every member"},
    {.name = "force", .type = CZ_OPT_FLAG, .doc = "of adopt: also from other sets"},
    CZ_OPT_DRY_RUN,
    CZ_OPT_COMMENT,
    {0}};
const struct cz_cli_cmd cz_cmd_set = {
    .name = "set",
    .args = "ACTION [SET] [KIND/NAME…]",
    .summary = "look at sets, suspend and resume them, let objects in and out",
    .help = "  status [SET]               all sets, or one with its drift\n"
            "  suspend SET                refuse every apply until it is resumed\n"
            "  resume SET                 allow applies again\n"
            "  adopt SET KIND/NAME…       the set owns these objects from now on, as they are\n"
            "  release SET KIND/NAME…     they stay, without an owner\n"
            "  delete SET                 forget a set that owns nothing any more",
    .opts = options,
    .min_args = 1,
    .max_args = -1,
    .words_type = CZ_WORDS_FIXED,
    .words = actions,
    .exec = set,
};
