/* SPDX-License-Identifier: Apache-2.0 */
/** citizenk rollback and restore: undo a change; bring an object back to an earlier generation.
 */
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "cz/json.h"
#include "cz/util.h"
#include "output.h"
#include "rest.h"

/* What a rollback did, or would do, and what it left alone because it was changed since. */
static void show_changes(struct cz_cli *cli, const json_t *answer, bool dry)
{
    size_t i;
    json_t *c;
    json_array_foreach (json_object_get(answer, "changes"), i, c) {
        const char *op = cz_json_str(c, "op", "");
        const char *said = strcmp(op, "delete") == 0   ? "deleted"
                           : strcmp(op, "create") == 0 ? "created"
                                                       : "restored";
        CZ_CLEANUP(cz_freep)
        char *full = cz_strf("%s%s%s", said, cz_json_bool(c, "forced", false) ? " (forced)" : "",
                             dry ? " (dry run)" : "");
        size_t n;
        json_t *d;
        cz_out_done(cli, cz_json_str(c, "kind", "?"), cz_json_str(c, "name", "?"), full);
        json_array_foreach (cli->format == CZ_FORMAT_TABLE ? json_object_get(c, "diff") : NULL, n, d)
            cz_out_difference(cli, 2, d);
    }
    json_array_foreach (json_object_get(answer, "skipped"), i, c) {
        const char *version = cz_json_str(c, "version", NULL);
        cz_cli_note("left as it is: %s/%s: %s%s%s", cz_json_str(c, "kind", "?"),
                    cz_json_str(c, "name", "?"), cz_json_str(c, "reason", "changed since"),
                    version ? ", by change " : "", version ? version : "");
    }
}

/* {"force": …}; *ret NULL: nothing is to be forced. */
static int read_force(struct cz_cli *cli, json_t **ret)
{
    const char *text;
    json_t *list = json_array();
    for (size_t i = 0; (text = cz_cli_item(cli, "force", i)); i++) {
        const char *slash = strchr(text, '/');
        CZ_CLEANUP(cz_freep) char *word = cz_strndup(text, slash ? (size_t)(slash - text) : 0);
        const struct cz_cli_kind *kind = slash ? cz_cli_kind(word) : NULL;
        if (!kind || !kind->document) {
            json_decref(list);
            return cz_cli_usage(cli, "--force is KIND/NAME of an object that was changed since, not \"%s\"",
                                text);
        }
        (void)json_array_append_new(
            list, json_pack("{s:s, s:s}", "kind", kind->name, "name", slash + 1));
    }
    bool all = cz_cli_has(cli, "force-all");
    if (all || json_array_size(list) > 0)
        *ret = json_pack("{s:O}", "force", all ? json_true() : list);
    json_decref(list);
    return CZ_EXIT_OK;
}

static int rollback_change(struct cz_cli *cli, const char *seq)
{
    CZ_CLEANUP(cz_freep) char *what = cz_strf("change/%s", seq);
    CZ_REST_PATH(path, "changes", seq, "rollback");
    json_t *answer = NULL, *body = NULL;
    int rc = read_force(cli, &body);
    if (rc)
        return rc;
    rc = cz_rest_write(
        cli, &(struct cz_rest_call){.method = "POST", .path = cz_buf_str(&path), .body = body}, what,
        &answer);
    json_decref(body);
    if (answer && !cz_out_document(cli, answer)) {
        bool dry = cz_cli_has(cli, "dry-run");
        show_changes(cli, answer, dry);
        if (!dry)
            cz_cli_note("Rolled back change %s by change %s.", seq,
                        cz_json_str(answer, "seq", "?"));
    }
    if (answer)
        cz_out_warnings(what, answer);
    json_decref(answer);
    return rc;
}

static int rollback(struct cz_cli *cli)
{
    const char *seq = cli->args.pos[0];
    int64_t n;
    if (strncmp(seq, "change/", 7) == 0)
        seq += 7;
    if (!cz_parse_i64(seq, &n) || n < 1)
        return cz_cli_usage(
            cli, "SEQ is the number of a change, as history shows it, not \"%s\"", seq);
    return rollback_change(cli, seq);
}

/* Of the caller's own last change; nobody wants to undo another one's without naming it. */
static int undo(struct cz_cli *cli)
{
    CZ_REST_PATH(path, "changes");
    json_t *list = NULL;
    cz_rest_query(&path, "mine", "true");
    cz_rest_query(&path, "team", cz_cli_value(cli, "team"));
    cz_rest_query(&path, "limit", "1");
    int rc = cz_rest_get(cli, cz_buf_str(&path), "undo", &list);
    const json_t *last = json_array_get(json_object_get(list, "items"), 0);
    const char *seq = cz_json_str(last, "seq", NULL), *comment = cz_json_str(last, "comment", NULL);
    const char *reverts = cz_json_str(last, "reverts", NULL);
    if (!rc && !seq) {
        cz_cli_say("undo: you have changed nothing yet");
        rc = CZ_EXIT_CONFLICT;
    } else if (!rc && reverts) {
        cz_cli_say("undo: your last change, %s, rolled back change %s; to undo that: citizenk rollback %s",
                   seq, reverts, seq);
        rc = CZ_EXIT_CONFLICT;
    } else if (!rc) {
        cz_cli_note("Your last change: %s of %s%s%s", seq, cz_json_str(last, "at", "?"),
                    comment ? ": " : "", comment ? comment : "");
        rc = rollback_change(cli, seq);
    }
    json_decref(list);
    return rc;
}

static int restore_one(struct cz_cli *cli, const struct cz_cli_target *t)
{
    struct cz_error err = CZ_ERROR_INIT;
    if (cz_cli_context_open(cli, &err))
        return cz_cli_fail(&err);
    CZ_CLEANUP(cz_freep) char *what = cz_strf("%s/%s", t->kind->name, t->name);
    CZ_CLEANUP(cz_freep) char *version = NULL;
    struct cz_buf object CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(64 * 1024);
    cz_rest_object(cli, &object, NULL, t->kind, t->name);
    int rc = cz_rest_version(cli, cz_buf_str(&object), what, &version);
    if (rc)
        return rc;
    CZ_REST_PATH(path, "teams", cli->context.team, t->kind->collection, t->name, "restore");
    json_t *answer = NULL, *body = json_object();
    cz_json_set_i64(body, "generation", cz_cli_number(cli, "generation", 0));
    struct cz_rest_call call = {
        .method = "POST", .path = cz_buf_str(&path), .body = body, .if_match = version};
    rc = cz_rest_write(cli, &call, what, &answer);
    if (answer && !cz_out_document(cli, answer)) {
        const char *said = cz_json_bool(answer, "unchanged", false) ? "unchanged" : "restored";
        CZ_CLEANUP(cz_freep)
        char *full = cz_strf("%s%s", said, cz_cli_has(cli, "dry-run") ? " (dry run)" : "");
        cz_out_done(cli, t->kind->name, t->name, full);
    }
    if (answer)
        cz_out_warnings(what, answer);
    json_decref(answer);
    json_decref(body);
    return rc;
}

static int restore(struct cz_cli *cli)
{
    struct cz_cli_targets t = {0};
    if (cz_cli_number(cli, "generation", 0) < 1)
        return cz_cli_usage(cli, "--generation N is needed: history KIND NAME shows them");
    int rc = cz_cli_targets(cli, cz_cli_kind("mapping"), &t);
    if (rc)
        return rc;
    if (t.len != 1)
        rc = cz_cli_usage(cli, "one object at a time");
    else if (!t.items[0].kind->document)
        rc = cz_cli_usage(cli, "%s cannot be restored", t.items[0].kind->collection);
    else
        rc = restore_one(cli, &t.items[0]);
    cz_cli_targets_done(&t);
    return rc;
}

static const struct cz_cli_opt rollback_options[] = {
    {.name = "force",
     .type = CZ_OPT_LIST,
     .arg = "KIND/NAME",
     .doc = "this object too, although it was changed since: what was done to it since is lost"},
    {.name = "force-all", .type = CZ_OPT_FLAG, .doc = "all objects that were changed since"},
    CZ_OPT_DRY_RUN,
    CZ_OPT_COMMENT,
    CZ_OPT_WAIT,
    {0},
};
const struct cz_cli_cmd cz_cmd_undo = {
    .name = "undo",
    .args = "",
    .summary = "roll back your own last change",
    .help = "With --team the last one in that team. --dry-run shows what each object would get.",
    .opts = rollback_options,
    .exec = undo,
};
const struct cz_cli_cmd cz_cmd_rollback = {
    .name = "rollback",
    .args = "SEQ",
    .summary = "undo a change, by a new change",
    .help = "SEQ is the number that history shows. Objects that were changed since are left as "
            "they are, unless --force names them. --dry-run shows what each object would get.",
    .opts = rollback_options,
    .min_args = 1,
    .max_args = 1,
    .exec = rollback,
};

static const struct cz_cli_opt restore_options[] = {
    {.name = "generation",
     .type = CZ_OPT_VALUE,
     .value = CZ_VAL_NUMBER,
     .arg = "N",
     .doc = "to go back to"},
    CZ_OPT_DRY_RUN,
    CZ_OPT_BREAK_GLASS,
    CZ_OPT_COMMENT,
    CZ_OPT_WAIT,
    {0},
};
const struct cz_cli_cmd cz_cmd_restore = {
    .name = "restore",
    .args = "[KIND] NAME --generation N",
    .summary = "bring an object back to an earlier generation",
    .help = "Works for deleted objects too. Without a KIND it is a mapping.",
    .opts = restore_options,
    .min_args = 1,
    .max_args = 2,
    .words_type = CZ_WORDS_KIND,
    .exec = restore,
};
