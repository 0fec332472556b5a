/* SPDX-License-Identifier: Apache-2.0 */
/** citizenk history: the changes of everything, or the generations of one object. */
#include <string.h>

#include "commands.h"
#include "cz/json.h"
#include "output.h"
#include "rest.h"
#include "table.h"

static const char *override_text(const json_t *revision)
{
    const json_t *o = json_object_get(revision, "override");
    if (strcmp(cz_json_str(revision, "op", ""), "override") != 0)
        return NULL;
    return cz_json_bool(o, "paused", false)  ? "pause"
           : cz_json_str(o, "restart", NULL) ? "restart"
                                             : "resume";
}

static void add_revisions(struct cz_cli *cli, const json_t *items)
{
    struct cz_table t;
    size_t i;
    json_t *r;
    cz_table_init(&t, ">SEQ|>GENERATION|AT|WHAT|ACTOR|VIA|COMMENT");
    json_array_foreach (items, i, r) {
        const char *what = override_text(r);
        cz_table_add(&t, cz_json_str(r, "seq", ""));
        cz_table_add(&t, cz_json_str(r, "generation", ""));
        cz_table_add(&t, cz_json_str(r, "at", ""));
        cz_table_add(&t, what ? what : cz_json_str(r, "op", ""));
        cz_table_add(&t, cz_json_str(r, "actor", ""));
        cz_table_add(&t, cz_json_str(r, "via", ""));
        cz_table_add(&t, cz_json_str(r, "comment", ""));
    }
    cz_table_print(&t, &cli->out, 0, cli->color);
    cz_table_done(&t);
}

static int
add_diff(struct cz_cli *cli, const struct cz_cli_target *t, const char *from, const char *to)
{
    CZ_REST_PATH(path, "teams", cli->context.team, t->kind->collection, t->name, "revisions",
                 from, "diff", to);
    json_t *diff = NULL, *c;
    size_t i;
    int rc = cz_rest_get(cli, cz_buf_str(&path), t->name, &diff);
    if (rc)
        return rc;
    cz_buf_addf(&cli->out, "%s -> %s\n", from, to);
    json_array_foreach (json_object_get(diff, "changes"), i, c)
        cz_out_difference(cli, 4, c);
    json_decref(diff);
    return CZ_EXIT_OK;
}

/* Newest first; each generation against the one before it. */
static int add_diffs(struct cz_cli *cli, const struct cz_cli_target *t, const json_t *items)
{
    const char *newer = NULL;
    size_t i;
    json_t *r;
    int rc = CZ_EXIT_OK;
    json_array_foreach (items, i, r) {
        const char *g = cz_json_str(r, "generation", "");
        if (rc == CZ_EXIT_OK && newer && strcmp(newer, g) != 0)
            rc = add_diff(cli, t, g, newer);
        newer = g;
    }
    return rc;
}

static int of_object(struct cz_cli *cli, const struct cz_cli_target *t)
{
    struct cz_error err = CZ_ERROR_INIT;
    if (cz_cli_context_open(cli, &err))
        return cz_cli_fail(&err);
    if (!t->kind->document)
        return cz_cli_usage(cli, "%s have no history", t->kind->collection);
    CZ_CLEANUP(cz_freep) char *what = cz_strf("%s/%s", t->kind->name, t->name);
    CZ_REST_PATH(path, "teams", cli->context.team, t->kind->collection, t->name, "revisions");
    json_t *list = NULL;
    cz_rest_query(&path, "limit", cz_cli_has(cli, "limit") ? cz_cli_value(cli, "limit") : "20");
    cz_rest_query(&path, "before", cz_cli_value(cli, "before"));
    int rc = cz_rest_get(cli, cz_buf_str(&path), what, &list);
    const json_t *items = json_object_get(list, "items");
    if (rc == CZ_EXIT_OK && cz_cli_has(cli, "diff"))
        rc = add_diffs(cli, t, items);
    else if (rc == CZ_EXIT_OK && !cz_out_document(cli, list))
        add_revisions(cli, items);
    json_decref(list);
    return rc;
}

static int of_all(struct cz_cli *cli)
{
    CZ_REST_PATH(path, "changes");
    json_t *list = NULL;
    if (cz_cli_has(cli, "diff"))
        return cz_cli_usage(cli, "--diff needs an object: history KIND NAME --diff");
    cz_rest_query(&path, "team", cz_cli_value(cli, "team"));
    cz_rest_query(&path, "actor", cz_cli_value(cli, "actor"));
    cz_rest_query(&path, "via", cz_cli_value(cli, "via"));
    cz_rest_query(&path, "set", cz_cli_value(cli, "set"));
    cz_rest_query(&path, "commit", cz_cli_value(cli, "commit"));
    if (cz_cli_has(cli, "mine"))
        cz_rest_query(&path, "mine", "true");
    cz_rest_query(&path, "limit", cz_cli_has(cli, "limit") ? cz_cli_value(cli, "limit") : "20");
    cz_rest_query(&path, "before", cz_cli_value(cli, "before"));
    int rc = cz_rest_get(cli, cz_buf_str(&path), "history", &list);
    if (rc == CZ_EXIT_OK)
        cz_out_list(cli, cz_cli_kind("change"), json_object_get(list, "items"));
    json_decref(list);
    return rc;
}

static int history(struct cz_cli *cli)
{
    struct cz_cli_targets t = {0};
    int rc = cz_cli_targets(cli, cz_cli_kind("mapping"), &t);
    if (rc)
        return rc;
    if (t.len > 1)
        rc = cz_cli_usage(cli, "one object at a time");
    else
        rc = t.len == 1 ? of_object(cli, &t.items[0]) : of_all(cli);
    cz_cli_targets_done(&t);
    return rc;
}

static const struct cz_cli_opt options[] = {
    {.name = "limit",
     .type = CZ_OPT_VALUE,
     .value = CZ_VAL_NUMBER,
     .arg = "N",
     .doc = "at most N; default 20"},
    {.name = "before",
     .type = CZ_OPT_VALUE,
     .value = CZ_VAL_NUMBER,
     .arg = "SEQ",
     .doc = "only what came before"},
    {.name = "actor", .type = CZ_OPT_VALUE, .arg = "NAME", .doc = "only by this principal"},
    {.name = "via",
     .type = CZ_OPT_VALUE,
     .arg = "WAY",
     .doc = "only by this way: api, cli, ui"},
    {.name = "set", .type = CZ_OPT_VALUE, .arg = "NAME", .doc = "only applies of this set"},
    {.name = "commit",
     .type = CZ_OPT_VALUE,
     .arg = "COMMIT",
     .doc = "only applies of this Git commit; its begin is enough"},
    {.name = "mine", .type = CZ_OPT_FLAG, .doc = "only your own"},
    {.name = "diff", .type = CZ_OPT_FLAG, .doc = "what each generation of the object changed"},
    {0},
};
const struct cz_cli_cmd cz_cmd_history = {
    .name = "history",
    .alias = "log",
    .args = "[[KIND] NAME]",
    .summary = "show who changed what, newest first",
    .help = "Without a KIND it is a mapping. describe change SEQ shows one change with its "
            "objects.",
    .opts = options,
    .max_args = 2,
    .words_type = CZ_WORDS_KIND,
    .exec = history,
};
