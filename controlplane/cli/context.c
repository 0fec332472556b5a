/* SPDX-License-Identifier: Apache-2.0 */
/** Contexts: which servers, which team, which token.  The file is
 *    {"current":"quickstart","contexts":{"quickstart":{"servers":["http://…"],"team":"default",
 *     "token_file":"…"}}}
 *  Options win over the environment, the environment over the file.  A token comes from the
 * file, from CITIZENK_TOKEN or from a file that is named; never from an argument, which every
 * user of the machine can see.  A file that holds a token must be readable by its owner only.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "cz/http_client.h"
#include "cz/cfg.h"
#include "cz/json.h"
#include "cz/util.h"
#include "table.h"

enum { MAX_FILE = 1024 * 1024, MAX_TOKEN = 8192 };

struct stored {
    struct cz_cfg_strings servers;
    char *server, *team, *token, *token_file, *ca_file;
};
#define AT(field) offsetof(struct stored, field)
static const struct cz_cfg_key STORED[] = {
    {.name = "servers", .type = CZ_CFG_STRINGS, .offset = AT(servers), .doc = "control planes"},
    {.name = "server", .type = CZ_CFG_STRING, .offset = AT(server), .doc = "the only one"},
    {.name = "team", .type = CZ_CFG_STRING, .offset = AT(team), .doc = "team"},
    {.name = "token", .type = CZ_CFG_STRING, .offset = AT(token), .doc = "bearer token"},
    {.name = "token_file", .type = CZ_CFG_STRING, .offset = AT(token_file), .doc = "its file"},
    {.name = "ca_file", .type = CZ_CFG_STRING, .offset = AT(ca_file), .doc = "CA certificates"},
    {0},
};

static const char *env(const char *name)
{
    const char *v = getenv(name);
    return v && *v ? v : NULL;
}

char *cz_cli_context_path(const struct cz_cli *cli)
{
    const char *given = cz_cli_value(cli, "context-file");
    const char *xdg = env("XDG_CONFIG_HOME"), *home = env("HOME");
    if (!given)
        given = env("CITIZENK_CLI_CONFIG");
    if (given)
        return cz_strdup(given);
    if (xdg)
        return cz_strf("%s/citizenk/cli.json", xdg);
    return cz_strf("%s/.config/citizenk/cli.json", home ? home : "");
}

/* ---- the file
 * --------------------------------------------------------------------------------- */

static enum cz_err check_private(const char *path, struct cz_error *err)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return cz_fail_flags(err, CZ_E_NOT_FOUND, 0, errno, "%s: %s", path,
                             strerrordesc_np(errno));
    if (S_ISREG(st.st_mode) && (st.st_mode & 077) != 0)
        return cz_fail(err, CZ_E_FORBIDDEN,
                       "%s holds a token and can be read by others; run: chmod 600 %s", path,
                       path);
    return CZ_OK;
}

static bool holds_token(const json_t *file)
{
    const char *name;
    json_t *c;
    json_object_foreach (json_object_get(file, "contexts"), name, c)
        if (json_object_get(c, "token"))
            return true;
    return false;
}

static enum cz_err check_file(const char *path, const json_t *file, struct cz_error *err)
{
    const char *key;
    json_t *v;
    json_object_foreach ((json_t *)CZ_UNCONST(file), key, v)
        if (strcmp(key, "current") != 0 && strcmp(key, "contexts") != 0)
            return cz_fail(err, CZ_E_INVALID, "%s: /%s: unknown field", path, key);
    json_t *current = json_object_get(file, "current");
    json_t *contexts = json_object_get(file, "contexts");
    if (!json_is_object(file) || (contexts && !json_is_object(contexts)) ||
        (current && !json_is_string(current) && !json_is_null(current)))
        return cz_fail(err, CZ_E_INVALID, "%s: must be {\"current\": …, \"contexts\": {…}}",
                       path);
    return holds_token(file) ? check_private(path, err) : CZ_OK;
}

enum cz_err cz_cli_context_load(const char *path, json_t **ret, struct cz_error *err)
{
    char *text = NULL;
    size_t len = 0;
    struct cz_error why = CZ_ERROR_INIT;
    enum cz_err rc = cz_read_file(path, MAX_FILE, &text, &len, &why);
    if (rc == CZ_E_NOT_FOUND) {
        *ret = json_pack("{s:{}}", "contexts");
        return CZ_OK;
    }
    if (rc)
        return cz_fail(err, rc, "%s", why.text);
    json_t *file = NULL;
    rc = cz_json_parse(text, len, &file, err);
    explicit_bzero(text, len);
    cz_free(text);
    if (rc)
        return cz_fail_prefix(err, "%s", path);
    rc = check_file(path, file, err);
    if (rc == CZ_OK)
        *ret = file;
    else
        json_decref(file);
    return rc;
}

static enum cz_err make_folder(const char *path, struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *copy = cz_strdup(path);
    for (char *p = copy, *slash; *p && (slash = strchr(p + 1, '/')); p = slash) {
        *slash = '\0';
        if (mkdir(copy, 0700) != 0 && errno != EEXIST)
            return cz_fail_flags(err, CZ_E_IO, 0, errno, "%s: cannot make the folder: %s", copy,
                                 strerrordesc_np(errno));
        *slash = '/';
    }
    return CZ_OK;
}

enum cz_err cz_cli_context_save(const char *path, const json_t *file, struct cz_error *err)
{
    enum cz_err rc = make_folder(path, err);
    if (rc)
        return rc;
    CZ_CLEANUP(cz_freep) char *text = cz_json_text(file, false);
    struct cz_buf b = CZ_BUF_INIT(2 * MAX_FILE);
    cz_text_pretty(&b, text, strlen(text));
    cz_buf_addc(&b, '\n');
    rc = cz_write_file(path, cz_buf_str(&b), b.len, 0600, err);
    explicit_bzero(text, strlen(text));
    if (b.data)
        explicit_bzero(b.data, b.len);
    cz_buf_done(&b);
    return rc;
}

/* ---- the one that counts
 * ---------------------------------------------------------------------- */

void cz_cli_context_done(struct cz_cli_context *c)
{
    for (size_t i = 0; i < c->servers_len; i++)
        cz_free(c->servers[i]);
    cz_free(c->servers);
    cz_free(c->name);
    cz_free(c->team);
    cz_free(c->ca_file);
    if (c->token)
        explicit_bzero(c->token, strlen(c->token));
    cz_free(c->token);
    *c = (struct cz_cli_context){0};
}

static void add_server(struct cz_cli_context *c, const char *url, size_t n)
{
    c->servers = cz_realloc(c->servers, (c->servers_len + 1) * sizeof *c->servers);
    c->servers[c->servers_len++] = cz_strndup(url, n);
}

static enum cz_err read_token_file(const char *path, char **ret, struct cz_error *err)
{
    char *text = NULL;
    size_t len = 0;
    enum cz_err rc = check_private(path, err);
    if (rc == CZ_OK)
        rc = cz_read_file(path, MAX_TOKEN, &text, &len, err);
    if (rc)
        return cz_fail_prefix(err, "token file");
    while (len > 0 && strchr(" \t\r\n", text[len - 1]))
        text[--len] = '\0';
    if (len == 0) {
        cz_free(text);
        return cz_fail(err, CZ_E_INVALID, "token file: %s: is empty", path);
    }
    *ret = text;
    return CZ_OK;
}

static enum cz_err
from_stored(struct cz_cli_context *c, const json_t *obj, const char *name, struct cz_error *err)
{
    struct stored s = {0};
    struct cz_report rep = CZ_REPORT_INIT;
    enum cz_err rc = cz_cfg_parse_json(STORED, obj, &s, "", &rep);
    if (rc)
        rc = cz_report_error(&rep, err);
    for (size_t i = 0; rc == CZ_OK && i < s.servers.len; i++)
        add_server(c, s.servers.items[i], strlen(s.servers.items[i]));
    if (rc == CZ_OK && s.server)
        add_server(c, s.server, strlen(s.server));
    if (rc == CZ_OK) {
        c->name = cz_strdup(name);
        c->team = cz_strdup(s.team);
        c->ca_file = cz_strdup(s.ca_file);
        c->token = cz_strdup(s.token);
    }
    /* An own token in the environment makes the context's file unneeded. */
    if (rc == CZ_OK && s.token_file && !env("CITIZENK_TOKEN") && !env("CITIZENK_TOKEN_FILE")) {
        cz_free(c->token);
        c->token = NULL;
        rc = read_token_file(s.token_file, &c->token, err);
    }
    if (s.token)
        explicit_bzero(s.token, strlen(s.token));
    cz_cfg_done(STORED, &s);
    cz_report_done(&rep);
    return rc ? cz_fail_prefix(err, "context \"%s\"", name) : CZ_OK;
}

static bool lists_server(const json_t *context, const char *server)
{
    json_t *v;
    size_t i;
    json_array_foreach (json_object_get(context, "servers"), i, v)
        if (cz_streq(json_string_value(v), server))
            return true;
    return cz_streq(cz_json_str(context, "server", NULL), server);
}

/* The current one when it lists the server, else any that does; NULL: none. */
static const char *context_of_server(const json_t *file, const char *server)
{
    json_t *contexts = json_object_get(file, "contexts"), *c;
    const char *current = cz_json_str(file, "current", NULL), *name;
    if (current && lists_server(json_object_get(contexts, current), server))
        return current;
    json_object_foreach (contexts, name, c)
        if (lists_server(c, server))
            return name;
    return NULL;
}

static enum cz_err
from_file(const struct cz_cli *cli, struct cz_cli_context *c, struct cz_error *err)
{
    CZ_CLEANUP(cz_freep) char *path = cz_cli_context_path(cli);
    json_t *file = NULL;
    enum cz_err rc = cz_cli_context_load(path, &file, err);
    if (rc)
        return rc;
    const char *wanted = cz_cli_value(cli, "context");
    wanted = wanted ? wanted : env("CITIZENK_CONTEXT");
    const char *name = wanted               ? wanted
                       : cli->wanted_server ? context_of_server(file, cli->wanted_server)
                                            : cz_json_str(file, "current", NULL);
    const json_t *obj = name ? json_object_get(json_object_get(file, "contexts"), name) : NULL;
    if (obj)
        rc = from_stored(c, obj, name, err);
    else if (name)
        rc = cz_fail(err, CZ_E_INVALID, "%s has no context \"%s\"", path, name);
    json_decref(file);
    return rc;
}

static enum cz_err from_environment(struct cz_cli_context *c, struct cz_error *err)
{
    const char *token = env("CITIZENK_TOKEN"), *file = env("CITIZENK_TOKEN_FILE");
    const char *servers = env("CITIZENK_SERVER"), *team = env("CITIZENK_TEAM");
    char *mine = NULL;
    if (team) {
        cz_free(c->team);
        c->team = cz_strdup(team);
    }
    if (servers) {
        while (c->servers_len > 0)
            cz_free(c->servers[--c->servers_len]);
        for (size_t n; *servers; servers += n + (servers[n] == ',')) {
            n = strcspn(servers, ",");
            if (n > 0)
                add_server(c, servers, n);
        }
    }
    if (!token && !file)
        return CZ_OK;
    enum cz_err rc = token ? CZ_OK : read_token_file(file, &mine, err);
    if (rc)
        return rc;
    cz_free(c->token);
    c->token = token ? cz_strdup(token) : mine;
    return CZ_OK;
}

static void from_options(const struct cz_cli *cli, struct cz_cli_context *c)
{
    const char *team = cz_cli_value(cli, "team");
    if (cz_cli_item(cli, "server", 0))
        while (c->servers_len > 0)
            cz_free(c->servers[--c->servers_len]);
    for (size_t i = 0; cz_cli_item(cli, "server", i); i++)
        add_server(c, cz_cli_item(cli, "server", i), strlen(cz_cli_item(cli, "server", i)));
    team = team ? team : cli->wanted_team;
    if (team || !c->team) {
        cz_free(c->team);
        c->team = cz_strdup(team ? team : "default");
    }
}

/* What a file of the project wants, and the user has not said otherwise. */
static enum cz_err
check_wanted(const struct cz_cli *cli, struct cz_cli_context *c, struct cz_error *err)
{
    const char *server = cli->wanted_server;
    if (!server || cz_cli_item(cli, "server", 0))
        return CZ_OK;
    for (size_t i = 0; i < c->servers_len; i++)
        if (cz_streq(c->servers[i], server))
            return CZ_OK;
    if (c->servers_len > 0)
        return cz_fail(err, CZ_E_INVALID,
                       "%s is for the server %s, not for %s; say --server to mean that one",
                       cli->wanted_by, server, c->servers[0]);
    add_server(c, server, strlen(server));
    return CZ_OK;
}

enum cz_err cz_cli_context_open(struct cz_cli *cli, struct cz_error *err)
{
    if (cli->has_context)
        return CZ_OK;
    struct cz_cli_context c = {0};
    enum cz_err rc = from_file(cli, &c, err);
    if (rc == CZ_OK)
        rc = from_environment(&c, err);
    if (rc == CZ_OK)
        from_options(cli, &c);
    if (rc == CZ_OK)
        rc = check_wanted(cli, &c, err);
    for (size_t i = 0; rc == CZ_OK && i < c.servers_len; i++)
        rc = cz_client_check_url(c.servers[i], false, err);
    if (rc == CZ_OK && c.servers_len == 0)
        rc = cz_fail(err, CZ_E_NOT_FOUND,
                     "no server is known; make a context: citizenk context set NAME "
                     "--server http://127.0.0.1:8080 --token-file FILE");
    if (rc) {
        cz_cli_context_done(&c);
        return rc;
    }
    cli->context = c;
    cli->has_context = true;
    return CZ_OK;
}
