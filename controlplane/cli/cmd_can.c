/* SPDX-License-Identifier: Apache-2.0 */
/** citizenk can: may somebody do something in a team, and why. */
#include <string.h>

#include "commands.h"
#include "cz/json.h"
#include "output.h"
#include "rest.h"

static int can(struct cz_cli *cli)
{
    static const char *const asked[] = {"principal", "cluster", "topic", "group", "mode"};
    struct cz_error err = CZ_ERROR_INIT;
    json_t *answer = NULL, *step;
    size_t i;
    if (cz_cli_context_open(cli, &err))
        return cz_cli_fail(&err);
    CZ_REST_PATH(path, "access");
    cz_rest_query(&path, "verb", cli->args.pos[0]);
    cz_rest_query(&path, "team", cli->context.team);
    for (size_t k = 0; k < sizeof(asked) / sizeof(asked[0]); k++)
        cz_rest_query(&path, asked[k], cz_cli_value(cli, asked[k]));
    int rc = cz_rest_get(cli, cz_buf_str(&path), "can", &answer);
    if (rc)
        return rc;
    bool allowed = cz_json_bool(answer, "allowed", false);
    if (!cz_out_document(cli, answer)) {
        cz_buf_addf(&cli->out, "%s\n", allowed ? "yes" : "no");
        json_array_foreach (json_object_get(answer, "why"), i, step)
            cz_buf_addf(&cli->out, "  %s\n", json_is_string(step) ? json_string_value(step) : "");
    }
    json_decref(answer);
    return allowed ? CZ_EXIT_OK : CZ_EXIT_DENIED;
}

static const char *const modes[] = {"read", "write", "peek", "delete", NULL};
static const struct cz_cli_opt options[] = {
    {.name = "principal", .type = CZ_OPT_VALUE, .arg = "ID", .doc = "somebody else; needs a say in the team"},
    {.name = "cluster", .type = CZ_OPT_VALUE, .arg = "NAME", .doc = "of the topic or group"},
    {.name = "topic", .type = CZ_OPT_VALUE, .arg = "NAME", .doc = "and use this topic"},
    {.name = "group", .type = CZ_OPT_VALUE, .arg = "NAME", .doc = "and use this consumer group"},
    {.name = "mode", .type = CZ_OPT_VALUE, .arg = "MODE", .choices = modes, .doc = "how: read, write, peek, delete"},
    {0},
};
const struct cz_cli_cmd cz_cmd_can = {
    .name = "can",
    .args = "VERB",
    .summary = "tell whether somebody may do something, and why",
    .help = "VERB is one of the API's, as mapping.write or mapping.peek; the team is the context's. With a topic\n"
            "or a group also whether the team has a grant for it. Exit code 4: no.\n"
            "  citizenk can mapping.write --topic orders --cluster prod --mode read",
    .opts = options,
    .min_args = 1,
    .max_args = 1,
    .exec = can,
};
