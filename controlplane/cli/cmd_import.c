/* SPDX-License-Identifier: Apache-2.0 */
/** citizenk import: a mapping file of CitizenK Replicator, unchanged, or one of its templates.  All of
 *  it is one change in the team `default`, made by the server; the file is sent as it is. */
#include <string.h>

#include "commands.h"
#include "cz/json.h"
#include "cz/limits.h"
#include "cz/util.h"
#include "output.h"
#include "rest.h"

#define TEAM "default"

static int read_file(const struct cz_cli *cli, const char *path, json_t **ret)
{
    CZ_CLEANUP(cz_freep) char *text = NULL;
    size_t len = 0;
    struct cz_error err = CZ_ERROR_INIT;
    bool from_stdin = strcmp(path, "-") == 0;
    if (from_stdin && cli->can_ask)
        cz_cli_note("Reading a JSON document from the terminal; end it with Ctrl-D.");
    if (cz_read_file(from_stdin ? "/dev/stdin" : path, CZ_MAX_BODY, &text, &len, &err))
        return cz_cli_fail(&err);
    if (cz_json_parse(text, len, ret, &err) == CZ_OK)
        return CZ_EXIT_OK;
    cz_cli_say("%s: %s", path, err.text);
    return CZ_EXIT_INVALID;
}

static void show(struct cz_cli *cli, const json_t *answer)
{
    bool dry = cz_cli_has(cli, "dry-run");
    json_t *changes = json_object_get(answer, "changes"), *one;
    size_t i;
    if (cz_out_document(cli, answer))
        return;
    json_array_foreach (changes, i, one) {
        const char *op = cz_json_str(one, "op", "");
        CZ_CLEANUP(cz_freep) char *said = cz_strf("%sd%s", op, dry ? " (dry run)" : "");
        cz_out_done(cli, cz_json_str(one, "kind", ""), cz_json_str(one, "name", ""), said);
    }
    if (json_array_size(changes) == 0)
        cz_cli_note("Nothing to change.");
}

static int import(struct cz_cli *cli)
{
    const char *file = cli->args.pos[0], *template = cz_cli_value(cli, "template");
    struct cz_error err = CZ_ERROR_INIT;
    json_t *doc = NULL, *answer = NULL;
    int rc = read_file(cli, file, &doc);
    if (rc)
        return rc;
    if (cz_cli_context_open(cli, &err)) {
        json_decref(doc);
        return cz_cli_fail(&err);
    }
    if (cli->context.team && strcmp(cli->context.team, TEAM) != 0) {
        json_decref(doc);
        return cz_cli_usage(cli, "a mapping file belongs to the team " TEAM ", not to %s",
                            cli->context.team);
    }
    if (template)
        doc = json_pack("{s:{s:o}}", "templates", template, doc);
    struct cz_rest_call call = {.method = cz_cli_has(cli, "replace") ? "PUT" : "POST",
                                .path = template ? "/templates" : "/mappings",
                                .body = doc};
    rc = cz_rest_write(cli, &call, file, &answer);
    if (answer) {
        show(cli, answer);
        cz_out_warnings(file, answer);
    }
    json_decref(answer);
    json_decref(doc);
    return rc;
}

static const struct cz_cli_opt options[] = {
    {.name = "template",
     .type = CZ_OPT_VALUE,
     .arg = "NAME",
     .doc = "the file is a template of this name: a list of mappings with {{VAR}}"},
    {.name = "replace",
     .type = CZ_OPT_FLAG,
     .doc = "delete what the file does not name: it is all there shall be"},
    CZ_OPT_DRY_RUN,
    CZ_OPT_COMMENT,
    CZ_OPT_WAIT,
    {0}};
const struct cz_cli_cmd cz_cmd_import = {
    .name = "import",
    .args = "FILE",
    .summary = "take over a mapping file of CitizenK Replicator",
    .help = "FILE is JSON, as it is: {templates, enabled, disabled, mappings, comment} or a list of\n"
            "mappings; - is stdin. It is one change: all of it, or nothing.",
    .opts = options,
    .min_args = 1,
    .max_args = 1,
    .words_type = CZ_WORDS_NONE,
    .exec = import,
};
