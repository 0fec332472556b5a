/* SPDX-License-Identifier: Apache-2.0 */
/** The table of commands.  It feeds dispatch, --help, the suggestions of usage errors and the
 *  completion of the shells. */
#include "commands.h"

#include <string.h>

#include "cz/util.h"

static const char *const formats[] = {"table", "json", "yaml", "name", NULL};

const struct cz_cli_opt cz_cli_globals[] = {
    {.name = "output",
     .letter = 'o',
     .type = CZ_OPT_VALUE,
     .arg = "FORMAT",
     .choices = formats,
     .doc = "table (default), json, yaml or name"},
    {.name = "team",
     .type = CZ_OPT_VALUE,
     .arg = "TEAM",
     .doc = "instead of the context's (CITIZENK_TEAM)"},
    {.name = "context",
     .type = CZ_OPT_VALUE,
     .arg = "NAME",
     .doc = "instead of the current one (CITIZENK_CONTEXT)"},
    {.name = "server",
     .type = CZ_OPT_LIST,
     .arg = "URL",
     .doc = "instead of the context's; repeat it for several (CITIZENK_SERVER, with commas)"},
    {.name = "context-file",
     .type = CZ_OPT_VALUE,
     .value = CZ_VAL_FILE,
     .arg = "FILE",
     .doc = "default: CITIZENK_CLI_CONFIG, or ~/.config/citizenk/cli.json"},
    {.name = "timeout",
     .type = CZ_OPT_VALUE,
     .value = CZ_VAL_DURATION,
     .arg = "TIME",
     .doc = "of one request; default 30s"},
    {.name = "help", .letter = 'h', .type = CZ_OPT_FLAG, .doc = "this text"},
    {.name = "version", .type = CZ_OPT_FLAG, .doc = "the version of this program"},
    {0},
};

const struct cz_cli_cmd *const cz_cli_commands[] = {
    &cz_cmd_get,
    &cz_cmd_describe,
    &cz_cmd_apply,
    &cz_cmd_plan,
    &cz_cmd_show,
    &cz_cmd_diff,
    &cz_cmd_set,
    &cz_cmd_validate,
    &cz_cmd_import,
    &cz_cmd_delete,
    &cz_cmd_pause,
    &cz_cmd_resume,
    &cz_cmd_restart,
    &cz_cmd_offsets,
    &cz_cmd_history,
    &cz_cmd_audit,
    &cz_cmd_rollback,
    &cz_cmd_undo,
    &cz_cmd_restore,
    &cz_cmd_status,
    &cz_cmd_verify,
    &cz_cmd_dead_letters,
    &cz_cmd_recopy,
    &cz_cmd_preview,
    &cz_cmd_eval,
    &cz_cmd_login,
    &cz_cmd_logout,
    &cz_cmd_token,
    &cz_cmd_can,
    &cz_cmd_team,
    &cz_cmd_context,
    &cz_cmd_completion,
    &cz_cmd_version,
    &cz_cmd_help,
    NULL,
};

const struct cz_cli_cmd *cz_cli_command(const char *name)
{
    for (size_t i = 0; cz_cli_commands[i]; i++) {
        const struct cz_cli_cmd *c = cz_cli_commands[i];
        if (cz_streq(c->name, name) || (c->alias && cz_streq(c->alias, name)))
            return c;
    }
    return NULL;
}

/* ---- help
 * ------------------------------------------------------------------------------------- */

static void add_options(struct cz_buf *out, const struct cz_cli_opt *o)
{
    for (; o && o->name; o++) {
        struct cz_buf left CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(256);
        if (o->letter)
            cz_buf_addf(&left, "-%c, ", o->letter);
        cz_buf_addf(&left, "--%s", o->name);
        if (o->type == CZ_OPT_MAYBE)
            cz_buf_addf(&left, "[=%s]", o->arg);
        else if (o->arg)
            cz_buf_addf(&left, " %s", o->arg);
        cz_buf_addf(out, "  %-22s %s%s\n", cz_buf_str(&left), o->doc,
                    o->type == CZ_OPT_LIST ? " (may be repeated)" : "");
    }
}

static void overview(struct cz_buf *out)
{
    cz_buf_adds(out, "citizenk: manage the mappings of a CitizenK deployment.\n\n"
                     "Usage: citizenk COMMAND [ARGUMENTS] [OPTIONS]\n\nCommands:\n");
    for (size_t i = 0; cz_cli_commands[i]; i++)
        cz_buf_addf(out, "  %-12s %s\n", cz_cli_commands[i]->name, cz_cli_commands[i]->summary);
    cz_buf_adds(out, "\nOptions of every command:\n");
    add_options(out, cz_cli_globals);
    cz_buf_adds(out,
                "\nExit codes: 0 done, 1 error, 2 something differs (--detailed-exitcode), 3 conflict,\n"
                "4 not allowed, 5 invalid input, 6 saved but --wait timed out, 64 usage.\n"
                "citizenk COMMAND --help says more about a command.\n");
}

void cz_cli_help(const struct cz_cli_cmd *cmd, struct cz_buf *out)
{
    if (!cmd) {
        overview(out);
        return;
    }
    cz_buf_addf(out, "citizenk %s: %s.\n\nUsage: citizenk %s%s%s%s\n", cmd->name, cmd->summary,
                cmd->name, *cmd->args ? " " : "", cmd->args, cmd->opts ? " [OPTIONS]" : "");
    if (cmd->alias)
        cz_buf_addf(out, "Also: citizenk %s\n", cmd->alias);
    if (cmd->help)
        cz_buf_addf(out, "\n%s\n", cmd->help);
    if (cmd->opts) {
        cz_buf_adds(out, "\nOptions:\n");
        add_options(out, cmd->opts);
    }
    cz_buf_adds(out, "\nOptions of every command:\n");
    add_options(out, cz_cli_globals);
}

/* ---- help, the command
 * ------------------------------------------------------------------------ */

static int help(struct cz_cli *cli)
{
    const char *name = cli->args.pos_len ? cli->args.pos[0] : NULL;
    const struct cz_cli_cmd *cmd = name ? cz_cli_command(name) : NULL;
    if (name && !cmd)
        return cz_cli_usage(cli, "there is no command \"%s\"", name);
    cz_cli_help(cmd, &cli->out);
    return CZ_EXIT_OK;
}

const struct cz_cli_cmd cz_cmd_help = {
    .name = "help",
    .args = "[COMMAND]",
    .summary = "explain a command",
    .max_args = 1,
    .exec = help,
};
