/* SPDX-License-Identifier: Apache-2.0 */
/** Variables of CitizenK's environment that more than one program knows. */
#include <string.h>
#include <strings.h>

#include "cz/cfg.h"

static const char *level_text(const char *given)
{
    static const char *const names[][2] = {
        {"critical", "error"}, {"fatal", "error"}, {"error", "error"},
        {"warning", "warn"},   {"warn", "warn"},   {"info", "info"},
        {"debug", "debug"},    {"trace", "debug"}, {"notset", "debug"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(names[i][0], given) == 0)
            return names[i][1];
    return NULL;
}

static const char *format_text(const char *given)
{
    bool no = strcmp(given, "0") == 0 || strcasecmp(given, "false") == 0;
    bool yes = strcmp(given, "1") == 0 || strcasecmp(given, "true") == 0;
    return yes ? "json" : no ? "logfmt" : NULL;
}

const struct cz_cfg_alias cz_log_level_aliases[] = {
    {.variable = "LOG_LEVEL", .text = level_text, .want = "DEBUG, INFO, WARNING or ERROR"}, {0}};
const struct cz_cfg_alias cz_log_format_aliases[] = {
    {.variable = "JSON_LOGGING", .text = format_text, .want = "0 or 1"}, {0}};
