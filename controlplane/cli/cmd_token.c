/* SPDX-License-Identifier: Apache-2.0 */
/** citizenk token create|list|revoke: API tokens for programs. */
#include <string.h>

#include "commands.h"
#include "cz/json.h"
#include "cz/time.h"
#include "cz/util.h"
#include "output.h"
#include "rest.h"
#include "table.h"

#define DAY_MS ((int64_t)24 * 3600 * 1000)

static void add_list(struct cz_table *t, const json_t *list)
{
    CZ_CLEANUP(cz_buf_done) struct cz_buf b = CZ_BUF_INIT(1024);
    size_t i;
    json_t *s;
    json_array_foreach ((json_t *)CZ_UNCONST(list), i, s)
        cz_buf_addf(&b, "%s%s", b.len ? "," : "", json_is_string(s) ? json_string_value(s) : "?");
    cz_table_add(t, cz_buf_str(&b));
}

static void add_age(struct cz_table *t, const char *time)
{
    CZ_CLEANUP(cz_buf_done) struct cz_buf b = CZ_BUF_INIT(64);
    if (time)
        cz_text_age(&b, time, cz_wall_ms());
    cz_table_add(t, cz_buf_str(&b));
}

static int list(struct cz_cli *cli)
{
    json_t *all = NULL, *item;
    size_t i;
    const char *path = cz_cli_has(cli, "all") ? "/api/v1/tokens?all" : "/api/v1/tokens";
    int rc = cz_rest_get(cli, path, "tokens", &all);
    if (rc)
        return rc;
    if (cli->format == CZ_FORMAT_NAME) {
        json_array_foreach (json_object_get(all, "items"), i, item)
            cz_buf_addf(&cli->out, "%s\n", cz_json_str(item, "id", "?"));
    } else if (!cz_out_document(cli, all)) {
        struct cz_table t;
        cz_table_init(&t, "ID|NAME|PRINCIPAL|SCOPES|TEAM|*STATE|EXPIRES|USED");
        json_array_foreach (json_object_get(all, "items"), i, item) {
            cz_table_add(&t, cz_json_str(item, "id", "?"));
            cz_table_add(&t, cz_json_str(item, "name", "?"));
            cz_table_add(&t, cz_json_str(item, "principal", "?"));
            add_list(&t, json_object_get(item, "scopes"));
            cz_table_add(&t, cz_json_str(item, "team", ""));
            cz_table_add(&t, cz_json_str(item, "state", "?"));
            cz_table_addf(&t, "%.10s", cz_json_str(item, "expires", "?"));
            add_age(&t, cz_json_str(item, "used", NULL));
        }
        cz_table_print(&t, &cli->out, 0, cli->color);
        cz_table_done(&t);
    }
    json_decref(all);
    return CZ_EXIT_OK;
}

static json_t *wish(const struct cz_cli *cli, const char *name)
{
    char expires[CZ_RFC3339_SIZE];
    json_t *scopes = json_array(), *body = json_object();
    const char *scope;
    for (size_t i = 0; (scope = cz_cli_item(cli, "scope", i)); i++)
        (void)json_array_append_new(scopes, json_string(scope));
    if (json_array_size(scopes) == 0)
        (void)json_array_append_new(scopes, json_string("read"));
    cz_json_set_str(body, "name", name);
    (void)json_object_set_new(body, "scopes", scopes);
    cz_json_set_str(body, "team", cz_cli_value(cli, "for-team"));
    cz_json_set_str(body, "set", cz_cli_value(cli, "for-set"));
    cz_json_set_str(body, "principal", cz_cli_value(cli, "principal"));
    int64_t life = cz_cli_duration(cli, "expires", 30 * DAY_MS);
    cz_json_set_str(body, "expires", cz_rfc3339(cz_wall_ms() + life, expires));
    return body;
}

static int create(struct cz_cli *cli, const char *name)
{
    json_t *made = NULL, *body = wish(cli, name);
    const struct cz_rest_call call = {.method = "POST", .path = "/api/v1/tokens", .body = body};
    int rc = cz_rest_write(cli, &call, "token", &made);
    json_decref(body);
    if (rc)
        return rc;
    if (!cz_out_document(cli, made)) {
        cz_buf_addf(&cli->out, "%s\n", cz_json_str(made, "token", "?"));
        cz_cli_note("Token %s expires %.10s. Keep it: it is not shown again.",
                    cz_json_str(made, "id", "?"), cz_json_str(made, "expires", "?"));
    }
    json_decref(made);
    return CZ_EXIT_OK;
}

static int revoke(struct cz_cli *cli, const char *id)
{
    CZ_REST_PATH(path, "tokens", id);
    struct cz_rest_reply reply = {0};
    CZ_CLEANUP(cz_freep) char *what = cz_strf("token %s", id);
    const struct cz_rest_call call = {.method = "DELETE", .path = cz_buf_str(&path)};
    int rc = cz_rest_send(cli, &call, &reply);
    if (rc == CZ_EXIT_OK && !cz_rest_good(&reply))
        rc = cz_rest_problem(what, &reply);
    else if (rc == CZ_EXIT_OK)
        cz_buf_addf(&cli->out, "token/%s revoked\n", id);
    cz_rest_reply_done(&reply);
    return rc;
}

static const char *const words[] = {"list", "create", "revoke", NULL};

static int token(struct cz_cli *cli)
{
    const char *what = cli->args.pos[0];
    const char *which = cli->args.pos_len > 1 ? cli->args.pos[1] : NULL;
    if (strcmp(what, "list") == 0)
        return list(cli);
    bool makes = strcmp(what, "create") == 0;
    if (!makes && strcmp(what, "revoke") != 0)
        return cz_cli_usage(cli, "there is no \"token %s\": list, create or revoke", what);
    if (!which || !*which)
        return cz_cli_usage(cli, "token %s needs %s", what, makes ? "a NAME" : "an ID");
    return makes ? create(cli, which) : revoke(cli, which);
}

static const char *const scopes[] = {"read", "operate", "apply", "admin", NULL};
static const struct cz_cli_opt options[] = {
    {.name = "scope",
     .type = CZ_OPT_LIST,
     .arg = "SCOPE",
     .choices = scopes,
     .doc = "create: read (default), operate, apply or admin; a wider one includes the others"},
    {.name = "expires",
     .type = CZ_OPT_VALUE,
     .value = CZ_VAL_DURATION,
     .arg = "TIME",
     .doc = "create: how long it lives, at most 365d; default 30d"},
    {.name = "for-team", .type = CZ_OPT_VALUE, .arg = "TEAM", .doc = "create: good for this team only"},
    {.name = "for-set", .type = CZ_OPT_VALUE, .arg = "SET", .doc = "create: good for this set only"},
    {.name = "principal",
     .type = CZ_OPT_VALUE,
     .arg = "ID",
     .doc = "create: a token of this service instead of one's own; for admins"},
    {.name = "all", .type = CZ_OPT_FLAG, .doc = "list: everybody's; for admins and auditors"},
    {0},
};
const struct cz_cli_cmd cz_cmd_token = {
    .name = "token",
    .args = "list | create NAME | revoke ID",
    .summary = "manage API tokens",
    .help = "  citizenk token create ci --scope apply --for-team payments --expires 90d\n"
            "The value is written to stdout once. A token does no more than its principal may when it\n"
            "is used, and stops at once when it is revoked.",
    .opts = options,
    .min_args = 1,
    .max_args = 2,
    .words_type = CZ_WORDS_FIXED,
    .words = words,
    .exec = token,
};
