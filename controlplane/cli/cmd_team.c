/* SPDX-License-Identifier: Apache-2.0 */
/** citizenk team: make a team, or change its settings. */
#include <string.h>

#include "commands.h"
#include "cz/json.h"
#include "output.h"
#include "rest.h"

static const char *const yes_no[] = {"yes", "no", NULL};

static void add_setting(const struct cz_cli *cli, const char *option, const char *member, json_t *body)
{
    const char *v = cz_cli_value(cli, option);
    if (v)
        (void)json_object_set_new(body, member, json_boolean(strcmp(v, "yes") == 0));
}

static int team(struct cz_cli *cli)
{
    const char *name = cli->args.pos[0];
    struct cz_error err = CZ_ERROR_INIT;
    CZ_CLEANUP(cz_freep) char *version = NULL;
    json_t *answer = NULL;
    if (cz_cli_context_open(cli, &err))
        return cz_cli_fail(&err);
    CZ_REST_PATH(path, "teams", name);
    CZ_CLEANUP(cz_freep) char *what = cz_strf("team/%s", name);
    json_t *body = json_object();
    add_setting(cli, "restricted", "restricted", body);
    add_setting(cli, "own-clusters", "own_clusters", body);
    int rc = json_object_size(body) ? cz_rest_version(cli, cz_buf_str(&path), what, &version) : CZ_EXIT_OK;
    const struct cz_rest_call call = {
        .method = "PUT", .path = cz_buf_str(&path), .body = body, .if_match = version};
    if (rc == CZ_EXIT_OK)
        rc = cz_rest_write(cli, &call, what, &answer);
    if (rc == CZ_EXIT_OK) {
        cz_out_warnings(what, answer);
        if (!cz_out_document(cli, answer))
            cz_buf_addf(&cli->out, "%s %s%s%s\n", what,
                        cz_json_bool(answer, "restricted", false) ? "restricted to its grants" : "not restricted",
                        cz_json_bool(answer, "own_clusters", false) ? ", writes its own clusters" : "",
                        cz_json_bool(answer, "dry_run", false) ? " (dry run)" : "");
    }
    json_decref(answer);
    json_decref(body);
    return rc;
}

static const struct cz_cli_opt options[] = {
    {.name = "restricted", .type = CZ_OPT_VALUE, .arg = "yes|no", .choices = yes_no,
     .doc = "may its mappings use only what grants name?"},
    {.name = "own-clusters", .type = CZ_OPT_VALUE, .arg = "yes|no", .choices = yes_no,
     .doc = "may its owners write its clusters, not only admins?"},
    CZ_OPT_DRY_RUN,
    CZ_OPT_COMMENT,
    {0},
};
const struct cz_cli_cmd cz_cmd_team = {
    .name = "team",
    .args = "NAME",
    .summary = "make a team, or change its settings",
    .help = "Members and grants are documents: kind binding and kind grant, by apply, get and delete.",
    .opts = options,
    .min_args = 1,
    .max_args = 1,
    .exec = team,
};
