/* SPDX-License-Identifier: Apache-2.0 */
/** citizenk delete: objects by name, or those of files (in the reverse order of apply).  It
 * asks before, on a terminal; without one it wants --yes.  The version that was just read must
 * still hold, so nobody's change is deleted unseen. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "cz/json.h"
#include "docs.h"
#include "output.h"
#include "rest.h"

struct victim {
    const struct cz_cli_kind *kind;
    const char *name, *team; /* team NULL: the context's */
};

static bool confirmed(const struct victim *v, size_t n)
{
    char answer[16] = "";
    for (size_t i = 0; i < n; i++)
        cz_cli_note("  %s/%s", v[i].kind->name, v[i].name);
    (void)fprintf(stderr, "Delete %zu object%s? [y/N] ", n, n == 1 ? "" : "s");
    if (!fgets(answer, sizeof answer, stdin))
        return false;
    return strcmp(answer, "y\n") == 0 || strcmp(answer, "yes\n") == 0 ||
           strcmp(answer, "Y\n") == 0;
}

static int delete_one(struct cz_cli *cli, const struct victim *v)
{
    CZ_CLEANUP(cz_freep) char *what = cz_strf("%s/%s", v->kind->name, v->name);
    CZ_CLEANUP(cz_freep) char *version = NULL;
    struct cz_buf path CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(64 * 1024);
    json_t *answer = NULL;
    cz_rest_object(cli, &path, v->team, v->kind, v->name);
    int rc = cz_rest_version(cli, cz_buf_str(&path), what, &version);
    if (rc)
        return rc;
    if (!version && cz_cli_has(cli, "ignore-not-found"))
        return CZ_EXIT_OK;
    if (!version) {
        cz_cli_say("%s: does not exist", what);
        return CZ_EXIT_ERROR;
    }
    struct cz_rest_call call = {
        .method = "DELETE", .path = cz_buf_str(&path), .if_match = version};
    rc = cz_rest_write(cli, &call, what, &answer);
    if (answer)
        cz_out_done(cli, v->kind->name, v->name,
                    cz_cli_has(cli, "dry-run") ? "deleted (dry run)" : "deleted");
    json_decref(answer);
    return rc;
}

static int delete_all(struct cz_cli *cli, const struct victim *v, size_t n)
{
    struct cz_error err = CZ_ERROR_INIT;
    int rc = CZ_EXIT_OK;
    bool sure = cz_cli_has(cli, "yes") || cz_cli_has(cli, "dry-run");
    if (!sure && !cli->can_ask)
        return cz_cli_usage(cli, "there is no terminal to ask on; say --yes if you are sure");
    if (cz_cli_context_open(cli, &err))
        return cz_cli_fail(&err);
    if (!sure && !confirmed(v, n)) {
        cz_cli_note("Nothing was deleted.");
        return CZ_EXIT_ERROR;
    }
    for (size_t i = 0; i < n; i++) {
        int one = delete_one(cli, &v[i]);
        rc = rc ? rc : one;
    }
    return rc;
}

static int delete_files(struct cz_cli *cli)
{
    struct cz_docs d = {0};
    int rc = cz_docs_load(cli, &d);
    if (rc)
        return rc;
    struct victim *v = cz_alloc_array(d.len, sizeof *v);
    for (size_t i = 0; i < d.len; i++) {
        const struct cz_doc *doc = &d.items[d.len - 1 - i];
        v[i] = (struct victim){doc->kind, doc->name, doc->team};
    }
    rc = delete_all(cli, v, d.len);
    cz_free(v);
    cz_docs_done(&d);
    return rc;
}

static int delete_named(struct cz_cli *cli)
{
    struct cz_cli_targets t = {0};
    int rc = cz_cli_targets(cli, NULL, &t);
    if (rc)
        return rc;
    struct victim *v = cz_alloc_array(t.len + 1, sizeof *v);
    for (size_t i = 0; rc == CZ_EXIT_OK && i < t.len; i++) {
        v[i] = (struct victim){t.items[i].kind, t.items[i].name, NULL};
        if (!v[i].kind->document)
            rc = cz_cli_usage(cli, "%s cannot be deleted", v[i].kind->collection);
    }
    if (rc == CZ_EXIT_OK && t.len == 0)
        rc = cz_cli_usage(cli, "a name is missing");
    if (rc == CZ_EXIT_OK)
        rc = delete_all(cli, v, t.len);
    cz_free(v);
    cz_cli_targets_done(&t);
    return rc;
}

static int delete_objects(struct cz_cli *cli)
{
    bool files = cz_cli_has(cli, "file");
    if (files && cli->args.pos_len > 0)
        return cz_cli_usage(cli, "give names or files, not both");
    if (!files && cli->args.pos_len == 0)
        return cz_cli_usage(cli, "what is to be deleted? KIND NAME, or -f FILE");
    return files ? delete_files(cli) : delete_named(cli);
}

static const struct cz_cli_opt options[] = {
    CZ_OPT_FILES,
    {.name = "yes", .letter = 'y', .type = CZ_OPT_FLAG, .doc = "do not ask"},
    {.name = "ignore-not-found",
     .type = CZ_OPT_FLAG,
     .doc = "what does not exist counts as deleted"},
    CZ_OPT_DRY_RUN,
    CZ_OPT_BREAK_GLASS,
    CZ_OPT_COMMENT,
    CZ_OPT_WAIT,
    {0},
};
const struct cz_cli_cmd cz_cmd_delete = {
    .name = "delete",
    .alias = "rm",
    .args = "KIND NAME… | KIND/NAME… | -f PATH…",
    .summary = "delete objects; restore brings them back",
    .opts = options,
    .max_args = -1,
    .words_type = CZ_WORDS_KIND,
    .exec = delete_objects,
};
