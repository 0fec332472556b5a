/* SPDX-License-Identifier: Apache-2.0 */
/** citizenk pause, resume, restart: what happens to mappings outside their spec. */
#include <string.h>

#include "commands.h"
#include "cz/json.h"
#include "cz/time.h"
#include "output.h"
#include "rest.h"

static int act_on(struct cz_cli *cli,
                  const struct cz_cli_target *t,
                  const char *action,
                  const json_t *body,
                  const char *said)
{
    struct cz_error err = CZ_ERROR_INIT;
    if (cz_cli_context_open(cli, &err))
        return cz_cli_fail(&err);
    CZ_REST_PATH(path, "teams", cli->context.team, "mappings", t->name, action);
    CZ_CLEANUP(cz_freep) char *what = cz_strf("mapping/%s", t->name);
    json_t *answer = NULL;
    int rc = cz_rest_write(
        cli, &(struct cz_rest_call){.method = "POST", .path = cz_buf_str(&path), .body = body},
        what, &answer);
    if (answer) {
        bool unchanged = cz_json_bool(answer, "unchanged", false);
        cz_out_warnings(what, answer);
        cz_out_done(cli, "mapping", t->name, unchanged ? "unchanged" : said);
    }
    json_decref(answer);
    return rc;
}

static int act(struct cz_cli *cli, const char *action, const json_t *body, const char *said)
{
    struct cz_cli_targets t = {0};
    int rc = cz_cli_targets(cli, cz_cli_kind("mapping"), &t);
    if (rc == CZ_EXIT_OK && t.len == 0)
        rc = cz_cli_usage(cli, "a mapping's name is missing");
    for (size_t i = 0; rc == CZ_EXIT_OK && i < t.len; i++)
        if (strcmp(t.items[i].kind->name, "mapping") != 0)
            rc = cz_cli_usage(cli, "only mappings can be %s, not %s", said,
                              t.items[i].kind->collection);
    if (rc == CZ_EXIT_OK)
        for (size_t i = 0; i < t.len; i++) {
            int one = act_on(cli, &t.items[i], action, body, said);
            rc = rc ? rc : one;
        }
    cz_cli_targets_done(&t);
    return rc;
}

static int pause_mapping(struct cz_cli *cli)
{
    json_t *body = json_object();
    char until[CZ_RFC3339_SIZE];
    if (cz_cli_has(cli, "until") && cz_cli_has(cli, "for")) {
        json_decref(body);
        return cz_cli_usage(cli, "--until and --for exclude each other");
    }
    cz_json_set_str(body, "reason", cz_cli_value(cli, "reason"));
    cz_json_set_str(body, "until", cz_cli_value(cli, "until"));
    if (cz_cli_has(cli, "for"))
        cz_json_set_str(body, "until",
                        cz_rfc3339(cz_wall_ms() + cz_cli_duration(cli, "for", 0), until));
    int rc = act(cli, "pause", body, "paused");
    json_decref(body);
    return rc;
}

static int resume_mapping(struct cz_cli *cli)
{
    return act(cli, "resume", NULL, "resumed");
}

static int restart_mapping(struct cz_cli *cli)
{
    return act(cli, "restart", NULL, "restarted");
}

static const struct cz_cli_opt pause_options[] = {
    {.name = "reason",
     .type = CZ_OPT_VALUE,
     .arg = "TEXT",
     .doc = "shown to everybody who looks at the mapping"},
    {.name = "until",
     .type = CZ_OPT_VALUE,
     .value = CZ_VAL_TIME,
     .arg = "TIME",
     .doc = "resume by itself then: 2026-11-22T18:00:00Z"},
    {.name = "for",
     .type = CZ_OPT_VALUE,
     .value = CZ_VAL_DURATION,
     .arg = "TIME",
     .doc = "resume by itself after this time: 30m, 2h"},
    CZ_OPT_DRY_RUN,
    CZ_OPT_COMMENT,
    CZ_OPT_WAIT,
    {0},
};
static const struct cz_cli_opt options[] = {CZ_OPT_DRY_RUN, CZ_OPT_COMMENT, CZ_OPT_WAIT, {0}};

const struct cz_cli_cmd cz_cmd_pause = {
    .name = "pause",
    .args = "NAME…",
    .summary = "stop mappings for a while, outside their spec",
    .opts = pause_options,
    .min_args = 1,
    .max_args = -1,
    .words_type = CZ_WORDS_MAPPING,
    .exec = pause_mapping,
};
const struct cz_cli_cmd cz_cmd_resume = {
    .name = "resume",
    .args = "NAME…",
    .summary = "let paused mappings go on",
    .opts = options,
    .min_args = 1,
    .max_args = -1,
    .words_type = CZ_WORDS_MAPPING,
    .exec = resume_mapping,
};
const struct cz_cli_cmd cz_cmd_restart = {
    .name = "restart",
    .args = "NAME…",
    .summary = "start the tasks of mappings anew",
    .opts = options,
    .min_args = 1,
    .max_args = -1,
    .words_type = CZ_WORDS_MAPPING,
    .exec = restart_mapping,
};
