/* SPDX-License-Identifier: Apache-2.0 */
/** The rows of the table of commands; each is defined in cmd_<name>.c (help: in commands.c).
 * And the options that several commands have. */
#ifndef CZ_CLI_COMMANDS_H
#define CZ_CLI_COMMANDS_H

#include "cli.h"

extern const struct cz_cli_cmd cz_cmd_dead_letters, cz_cmd_recopy;
extern const struct cz_cli_cmd cz_cmd_get, cz_cmd_describe, cz_cmd_apply, cz_cmd_delete,
    cz_cmd_pause, cz_cmd_resume, cz_cmd_restart, cz_cmd_offsets, cz_cmd_history, cz_cmd_rollback,
    cz_cmd_restore, cz_cmd_status, cz_cmd_verify, cz_cmd_preview, cz_cmd_eval, cz_cmd_context, cz_cmd_completion,
    cz_cmd_version, cz_cmd_help, cz_cmd_import, cz_cmd_audit, cz_cmd_login, cz_cmd_logout,
    cz_cmd_token, cz_cmd_undo, cz_cmd_plan, cz_cmd_show, cz_cmd_diff,
    cz_cmd_set, cz_cmd_validate, cz_cmd_can, cz_cmd_team;

#define CZ_OPT_WAIT                                                                            \
    {                                                                                          \
        .name = "wait", .type = CZ_OPT_MAYBE, .value = CZ_VAL_DURATION, .arg = "60s",          \
        .doc = "until all workers have applied it; exit 6 when the time is over"               \
    }
#define CZ_OPT_DRY_RUN                                                                         \
    {                                                                                          \
        .name = "dry-run", .type = CZ_OPT_FLAG, .doc = "check everything, change nothing"      \
    }
#define CZ_OPT_COMMENT                                                                         \
    {                                                                                          \
        .name = "comment", .type = CZ_OPT_VALUE, .arg = "TEXT", .doc = "kept in the history"   \
    }
#define CZ_OPT_BREAK_GLASS                                                                     \
    {                                                                                          \
        .name = "break-glass", .type = CZ_OPT_VALUE, .arg = "REASON",                          \
        .doc = "change what belongs to a set past it; the set is drifted then"                 \
    }
#define CZ_OPT_FILES                                                                           \
    {                                                                                          \
        .name = "file", .letter = 'f', .type = CZ_OPT_LIST, .value = CZ_VAL_FILE,              \
        .arg = "PATH", .doc = "YAML or JSON file, a folder of them, or - for stdin"            \
    }

#endif
