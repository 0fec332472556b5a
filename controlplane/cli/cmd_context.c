/* SPDX-License-Identifier: Apache-2.0 */
/** citizenk context: list, show, set, use and delete the named servers of the context file. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cz/http_client.h"
#include "commands.h"
#include "cz/json.h"
#include "cz/util.h"
#include "output.h"
#include "table.h"

struct file {
    char *path;
    json_t *json;
};

static void file_done(struct file *f)
{
    cz_free(f->path);
    json_decref(f->json);
}

static int load(const struct cz_cli *cli, struct file *ret)
{
    struct cz_error err = CZ_ERROR_INIT;
    ret->path = cz_cli_context_path(cli);
    return cz_cli_context_load(ret->path, &ret->json, &err) ? cz_cli_fail(&err) : CZ_EXIT_OK;
}

static int save(const struct file *f)
{
    struct cz_error err = CZ_ERROR_INIT;
    return cz_cli_context_save(f->path, f->json, &err) ? cz_cli_fail(&err) : CZ_EXIT_OK;
}

static json_t *contexts(const struct file *f)
{
    if (!json_is_object(json_object_get(f->json, "contexts")))
        (void)json_object_set_new(f->json, "contexts", json_object());
    return json_object_get(f->json, "contexts");
}

static int unknown(const struct file *f, const char *name)
{
    cz_cli_say("%s has no context \"%s\"", f->path, name);
    return CZ_EXIT_ERROR;
}

/* A context without its token. */
static json_t *shown(const json_t *c)
{
    json_t *o = json_copy((json_t *)CZ_UNCONST(c));
    if (json_object_get(o, "token"))
        (void)json_object_set_new(o, "token", json_string("(set)"));
    return o;
}

static void add_servers(struct cz_table *t, const json_t *c)
{
    CZ_CLEANUP(cz_buf_done) struct cz_buf b = CZ_BUF_INIT(4096);
    size_t i;
    json_t *s;
    json_array_foreach (json_object_get(c, "servers"), i, s)
        cz_buf_addf(&b, "%s%s", b.len ? "," : "",
                    json_is_string(s) ? json_string_value(s) : "?");
    if (b.len == 0)
        cz_buf_adds(&b, cz_json_str(c, "server", ""));
    cz_table_add(t, cz_buf_str(&b));
}

static int list(struct cz_cli *cli)
{
    CZ_CLEANUP(file_done) struct file f = {0};
    int rc = load(cli, &f);
    if (rc)
        return rc;
    const char *current = cz_json_str(f.json, "current", ""), *name;
    json_t *c, *all = json_object();
    struct cz_table t;
    cz_table_init(&t, "CURRENT|NAME|SERVERS|TEAM");
    json_object_foreach (contexts(&f), name, c) {
        cz_table_add(&t, strcmp(name, current) == 0 ? "yes" : "");
        cz_table_add(&t, name);
        add_servers(&t, c);
        cz_table_add(&t, cz_json_str(c, "team", "default"));
        (void)json_object_set_new(all, name, shown(c));
        if (cli->format == CZ_FORMAT_NAME)
            cz_buf_addf(&cli->out, "%s\n", name);
    }
    json_t *o = json_pack("{s:s,s:O}", "current", current, "contexts", all);
    if (!cz_out_document(cli, o) && cli->format == CZ_FORMAT_TABLE) {
        if (json_object_size(all) == 0)
            cz_cli_note("no contexts in %s", f.path);
        else
            cz_table_print(&t, &cli->out, 0, cli->color);
    }
    json_decref(o);
    json_decref(all);
    cz_table_done(&t);
    return CZ_EXIT_OK;
}

static int show(struct cz_cli *cli, const char *name)
{
    CZ_CLEANUP(file_done) struct file f = {0};
    int rc = load(cli, &f);
    if (rc)
        return rc;
    if (!name)
        name = cz_json_str(f.json, "current", NULL);
    const json_t *c = name ? json_object_get(contexts(&f), name) : NULL;
    if (!name)
        cz_cli_say("%s has no current context", f.path);
    else if (!c)
        return unknown(&f, name);
    if (!name)
        return CZ_EXIT_ERROR;
    json_t *o = json_pack("{s:s,s:s}", "name", name, "file", f.path);
    json_t *safe = shown(c);
    (void)json_object_update(o, safe);
    if (cli->format == CZ_FORMAT_NAME)
        cz_buf_addf(&cli->out, "%s\n", name);
    else if (cli->format == CZ_FORMAT_TABLE)
        cli->format = CZ_FORMAT_YAML;
    (void)cz_out_document(cli, o);
    json_decref(safe);
    json_decref(o);
    return CZ_EXIT_OK;
}

static int use(struct cz_cli *cli, const char *name)
{
    CZ_CLEANUP(file_done) struct file f = {0};
    int rc = load(cli, &f);
    if (rc)
        return rc;
    if (!json_object_get(contexts(&f), name))
        return unknown(&f, name);
    cz_json_set_str(f.json, "current", name);
    rc = save(&f);
    if (rc == CZ_EXIT_OK)
        cz_cli_note("The current context is %s.", name);
    return rc;
}

/* A relative path would mean another file from another folder. */
static void set_path(json_t *c, const char *key, const char *path)
{
    if (!path)
        return;
    char full[PATH_MAX];
    cz_json_set_str(c, key, realpath(path, full) ? full : path);
}

static int set(struct cz_cli *cli, const char *name)
{
    CZ_CLEANUP(file_done) struct file f = {0};
    struct cz_error err = CZ_ERROR_INIT;
    json_t *servers = json_array();
    const char *url;
    int rc = load(cli, &f);
    for (size_t i = 0; rc == CZ_EXIT_OK && (url = cz_cli_item(cli, "server", i)); i++) {
        if (cz_client_check_url(url, false, &err))
            rc = cz_cli_usage(cli, "%s", err.text);
        (void)json_array_append_new(servers, json_string(url));
    }
    json_t *c = rc == CZ_EXIT_OK ? json_object_get(contexts(&f), name) : NULL;
    if (rc == CZ_EXIT_OK && json_array_size(servers) == 0 && !c)
        rc = cz_cli_usage(cli, "a new context needs --server URL");
    if (rc == CZ_EXIT_OK && !c) {
        c = json_object();
        (void)json_object_set_new(contexts(&f), name, c);
    }
    if (rc == CZ_EXIT_OK && json_array_size(servers) > 0) {
        (void)json_object_del(c, "server");
        (void)json_object_set(c, "servers", servers);
    }
    json_decref(servers);
    if (rc)
        return rc;
    cz_json_set_str(c, "team", cz_cli_value(cli, "team"));
    set_path(c, "token_file", cz_cli_value(cli, "token-file"));
    set_path(c, "ca_file", cz_cli_value(cli, "ca-file"));
    if (!cz_json_str(f.json, "current", NULL))
        cz_json_set_str(f.json, "current", name);
    rc = save(&f);
    if (rc == CZ_EXIT_OK)
        cz_cli_note("Saved context %s in %s.", name, f.path);
    return rc;
}

static int delete_context(struct cz_cli *cli, const char *name)
{
    CZ_CLEANUP(file_done) struct file f = {0};
    int rc = load(cli, &f);
    if (rc)
        return rc;
    if (json_object_del(contexts(&f), name) != 0)
        return unknown(&f, name);
    if (cz_streq(cz_json_str(f.json, "current", NULL), name))
        (void)json_object_del(f.json, "current");
    return save(&f);
}

static const char *const words[] = {"list", "show", "set", "use", "delete", NULL};

static int context(struct cz_cli *cli)
{
    const char *what = cli->args.pos[0];
    const char *name = cli->args.pos_len > 1 ? cli->args.pos[1] : NULL;
    if (strcmp(what, "list") == 0)
        return list(cli);
    if (strcmp(what, "show") == 0)
        return show(cli, name);
    const char *near = cz_cli_nearest(what, words);
    bool known = near && strcmp(near, what) == 0;
    if (!known)
        return cz_cli_usage(cli, "there is no \"context %s\"%s%s%s", what,
                            near ? "; did you mean \"" : "", near ? near : "",
                            near ? "\"?" : "");
    if (!name || !*name)
        return cz_cli_usage(cli, "context %s needs a NAME", what);
    if (strcmp(what, "set") == 0)
        return set(cli, name);
    return strcmp(what, "use") == 0 ? use(cli, name) : delete_context(cli, name);
}

static const struct cz_cli_opt options[] = {
    {.name = "token-file",
     .type = CZ_OPT_VALUE,
     .value = CZ_VAL_FILE,
     .arg = "FILE",
     .doc = "set: where the token is; only its owner may be able to read it"},
    {.name = "ca-file",
     .type = CZ_OPT_VALUE,
     .value = CZ_VAL_FILE,
     .arg = "FILE",
     .doc = "set: certificates of a private authority"},
    {0},
};
const struct cz_cli_cmd cz_cmd_context = {
    .name = "context",
    .args = "list | show [NAME] | set NAME | use NAME | delete NAME",
    .summary = "manage the servers and teams to work with",
    .help = "  citizenk context set prod --server https://a:8080 --server https://b:8080 "
            "--team payments \\\n"
            "      --token-file ~/prod.token\n"
            "The token may also come from CITIZENK_TOKEN or CITIZENK_TOKEN_FILE, never from an "
            "argument.",
    .opts = options,
    .min_args = 1,
    .max_args = 2,
    .words_type = CZ_WORDS_FIXED,
    .words = words,
    .exec = context,
};
