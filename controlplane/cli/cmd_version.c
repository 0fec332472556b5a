/* SPDX-License-Identifier: Apache-2.0 */
/** citizenk version: of this program and, when one can be reached, of the server. */
#include "commands.h"
#include "cz/json.h"
#include "cz/util.h"
#include "output.h"
#include "rest.h"

static int version(struct cz_cli *cli)
{
    struct cz_error err = CZ_ERROR_INIT;
    json_t *server = NULL;
    int rc = CZ_EXIT_OK;
    /* Without a server that is configured, the client's version is the whole answer. */
    if (!cz_cli_has(cli, "client") && cz_cli_context_open(cli, &err) != CZ_E_NOT_FOUND)
        rc = err.code ? cz_cli_fail(&err)
                      : cz_rest_get(cli, "/api/v1/version", "server", &server);
    json_t *all = json_pack("{s:s}", "client", cz_version);
    if (server)
        (void)json_object_set(all, "server", server);
    if (!cz_out_document(cli, all)) {
        cz_out_field(cli, 10, "client", cz_version);
        if (server)
            cz_out_field(cli, 10, "server", cz_json_str(server, "version", "?"));
    }
    json_decref(all);
    json_decref(server);
    return rc;
}

static const struct cz_cli_opt options[] = {
    {.name = "client", .type = CZ_OPT_FLAG, .doc = "of this program only"},
    {0},
};
const struct cz_cli_cmd cz_cmd_version = {
    .name = "version",
    .args = "",
    .summary = "show the versions of this program and of the server",
    .opts = options,
    .exec = version,
};
