/* SPDX-License-Identifier: Apache-2.0 */
/** citizenk recopy: a part of a mapping's source once more, beside the mapping. */
#include <inttypes.h>
#include <string.h>

#include "commands.h"
#include "cz/json.h"
#include "cz/util.h"
#include "output.h"
#include "rest.h"
#include "table.h"

/* "0=42", repeated. */
static int read_offsets(struct cz_cli *cli, const char *option, json_t **ret)
{
    json_t *offsets = json_object();
    const char *text;
    for (size_t i = 0; (text = cz_cli_item(cli, option, i)); i++) {
        const char *equals = strchr(text, '=');
        CZ_CLEANUP(cz_freep) char *partition = equals ? cz_strndup(text, (size_t)(equals - text)) : NULL;
        int64_t p, offset;
        if (!equals || !cz_parse_i64(partition, &p) || p < 0 || !cz_parse_i64(equals + 1, &offset) || offset < 0) {
            json_decref(offsets);
            return cz_cli_usage(cli, "--%s is PARTITION=OFFSET, not \"%s\"", option, text);
        }
        cz_json_set_i64(offsets, partition, offset);
    }
    *ret = json_pack("{s:o}", "offsets", offsets);
    return CZ_EXIT_OK;
}

static int read_body(struct cz_cli *cli, json_t **ret)
{
    json_t *from = NULL, *to = NULL;
    int rc = CZ_EXIT_OK;
    if (cz_cli_has(cli, "from") + cz_cli_has(cli, "from-offset") != 1)
        return cz_cli_usage(cli, "say where to begin: --from TIME, --from earliest, or --from-offset");
    if (cz_cli_has(cli, "to") + cz_cli_has(cli, "to-offset") > 1)
        return cz_cli_usage(cli, "--to and --to-offset exclude each other");
    if (cz_cli_has(cli, "from"))
        from = json_string(cz_cli_value(cli, "from"));
    else
        rc = read_offsets(cli, "from-offset", &from);
    if (!rc && cz_cli_has(cli, "to"))
        to = json_string(cz_cli_value(cli, "to"));
    else if (!rc && cz_cli_has(cli, "to-offset"))
        rc = read_offsets(cli, "to-offset", &to);
    if (!rc) {
        *ret = json_pack("{s:O}", "from", from);
        if (to)
            (void)json_object_set(*ret, "to", to);
    }
    json_decref(from);
    json_decref(to);
    return rc;
}

static void show(struct cz_cli *cli, const char *what, const json_t *answer)
{
    const json_t *list = json_object_get(answer, "partitions"), *p;
    bool dry = cz_json_bool(answer, "dry_run", false);
    size_t i;
    cz_buf_addf(&cli->out, "%s: %s records %s by mapping/%s\n", what, cz_json_str(answer, "records", "?"),
                dry ? "would be read again" : "are read again", cz_json_str(answer, "mapping", "?"));
    if (json_array_size(list) > 0) {
        struct cz_table t;
        cz_table_init(&t, "TOPIC|>PARTITION|>FROM|>TO");
        json_array_foreach (list, i, p) {
            cz_table_add(&t, cz_json_str(p, "topic", ""));
            cz_table_addf(&t, "%" PRId64, cz_json_int(p, "partition", 0));
            cz_table_number(&t, cz_json_int(p, "from", 0));
            cz_table_number(&t, cz_json_int(p, "to", 0));
        }
        cz_table_print(&t, &cli->out, 0, cli->color);
        cz_table_done(&t);
    }
    if (dry)
        cz_cli_note("Nothing was begun (dry run).");
    else
        cz_cli_note("citizenk status '%s' tells how far it is; to delete it ends it.", cz_json_str(answer, "mapping", "?"));
}

static int run(struct cz_cli *cli)
{
    struct cz_error err = CZ_ERROR_INIT;
    const char *name = cli->args.pos[0];
    json_t *body = NULL, *answer = NULL;
    int rc = read_body(cli, &body);
    if (rc)
        return rc;
    if (cz_cli_context_open(cli, &err)) {
        json_decref(body);
        return cz_cli_fail(&err);
    }
    if (strncmp(name, "mapping/", 8) == 0)
        name += 8;
    CZ_REST_PATH(path, "teams", cli->context.team, "mappings", name, "recopy");
    CZ_CLEANUP(cz_freep) char *what = cz_strf("mapping/%s", name);
    rc = cz_rest_write(cli, &(struct cz_rest_call){.method = "POST", .path = cz_buf_str(&path), .body = body}, what,
                       &answer);
    if (answer && !cz_out_document(cli, answer))
        show(cli, what, answer);
    json_decref(body);
    json_decref(answer);
    return rc;
}

static const struct cz_cli_opt options[] = {
    {.name = "from", .type = CZ_OPT_VALUE, .arg = "TIME",
     .doc = "from the first record that is not older: 2026-11-22T18:00:00Z; or earliest"},
    {.name = "to", .type = CZ_OPT_VALUE, .arg = "TIME",
     .doc = "before the first record that is not older; default: now"},
    {.name = "from-offset", .type = CZ_OPT_LIST, .arg = "P=OFFSET", .doc = "this partition from this offset on"},
    {.name = "to-offset", .type = CZ_OPT_LIST, .arg = "P=OFFSET",
     .doc = "this partition before this offset, and no others"},
    CZ_OPT_DRY_RUN,
    CZ_OPT_COMMENT,
    {0},
};
const struct cz_cli_cmd cz_cmd_recopy = {
    .name = "recopy",
    .args = "MAPPING",
    .summary = "copy a part of a mapping's source again, beside the mapping",
    .help = "A mapping \"NAME (recopy)\" with the same stages copies from --from to --to and is FINISHED then; the\n"
            "mapping itself goes on. What was copied before is on the target twice. It is taken away ten minutes\n"
            "after its end, by the next recopy, or by citizenk delete. --dry-run tells how many records it would be.",
    .opts = options,
    .min_args = 1,
    .max_args = 1,
    .words_type = CZ_WORDS_MAPPING,
    .exec = run,
};
