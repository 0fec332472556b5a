/* SPDX-License-Identifier: Apache-2.0 */
/** citizenk login and logout: a token for this machine, kept in the context file (mode 0600).  Secrets are
 *  asked for on the terminal or read from stdin, never taken from an argument. */
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "cz/json.h"
#include "cz/util.h"
#include "rest.h"

enum { MAX_LINE = 1100 };

/* ---- asking --------------------------------------------------------------------------------- */

/* A line of stdin, as it is; on a terminal without echo when @hidden. false: there was none. */
static bool ask(const struct cz_cli *cli, const char *prompt, bool hidden, char out[MAX_LINE])
{
    struct termios was, now;
    bool quiet = cli->can_ask && hidden && tcgetattr(STDIN_FILENO, &was) == 0;
    if (cli->can_ask)
        (void)fprintf(stderr, "%s: ", prompt);
    if (quiet) {
        now = was;
        now.c_lflag &= ~(tcflag_t)ECHO;
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &now);
    }
    bool got = fgets(out, MAX_LINE, stdin) != NULL;
    if (quiet) {
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
        (void)fputc('\n', stderr);
    }
    if (got)
        out[strcspn(out, "\r\n")] = 0;
    return got && *out;
}

/* ---- the context file ----------------------------------------------------------------------- */

/* The context that is in use, made when servers came from options or the environment alone. */
static json_t *context_of(const struct cz_cli *cli, json_t *file)
{
    const char *name = cli->context.name ? cli->context.name : "default";
    json_t *all = json_object_get(file, "contexts");
    if (!all) {
        all = json_object();
        (void)json_object_set_new(file, "contexts", all);
    }
    json_t *c = json_object_get(all, name);
    if (c)
        return c;
    c = json_object();
    json_t *servers = json_array();
    for (size_t i = 0; i < cli->context.servers_len; i++)
        (void)json_array_append_new(servers, json_string(cli->context.servers[i]));
    (void)json_object_set_new(c, "servers", servers);
    cz_json_set_str(c, "team", cli->context.team);
    (void)json_object_set_new(all, name, c);
    if (!cz_json_str(file, "current", NULL))
        cz_json_set_str(file, "current", name);
    return c;
}

/* @token NULL: take it away. */
static int keep(const struct cz_cli *cli, const char *token)
{
    CZ_CLEANUP(cz_freep) char *path = cz_cli_context_path(cli);
    struct cz_error err = CZ_ERROR_INIT;
    json_t *file = NULL;
    if (cz_cli_context_load(path, &file, &err))
        return cz_cli_fail(&err);
    json_t *c = context_of(cli, file);
    (void)json_object_del(c, "token");
    (void)json_object_del(c, "token_file");
    cz_json_set_str(c, "token", token);
    enum cz_err rc = cz_cli_context_save(path, file, &err);
    json_decref(file);
    return rc ? cz_cli_fail(&err) : CZ_EXIT_OK;
}

/* ---- login ---------------------------------------------------------------------------------- */

static int post(struct cz_cli *cli, const char *path, const json_t *body, const char *what,
                json_t **ret)
{
    const struct cz_rest_call call = {.method = "POST", .path = path, .body = body};
    return cz_rest_write(cli, &call, what, ret);
}

static json_t *with_password(const char *name, const char *password)
{
    return json_pack("{s:s, s:s}", "username", name, "password", password);
}

static int bootstrap(struct cz_cli *cli, const char *token, const char *name, const char *password)
{
    json_t *body = with_password(name, password);
    if (!body)
        return cz_cli_usage(cli, "names and passwords are UTF-8");
    cz_json_set_str(body, "token", token);
    int rc = post(cli, "/api/v1/auth/bootstrap", body, "bootstrap", NULL);
    json_decref(body);
    if (rc == CZ_EXIT_OK)
        cz_cli_note("%s is the first admin.", name);
    return rc;
}

static void set_machine(json_t *body)
{
    char host[64] = "citizenk";
    (void)gethostname(host, sizeof(host) - 1);
    cz_json_set_str(body, "name", host);
}

static int signed_in(const struct cz_cli *cli, const json_t *made)
{
    int rc = keep(cli, cz_json_str(made, "token", ""));
    if (rc == CZ_EXIT_OK)
        cz_cli_note("Signed in as %s until %.16sZ.", cz_json_str(made, "principal", "?"),
                    cz_json_str(made, "expires", "?"));
    return rc;
}

static int sign_in(struct cz_cli *cli, const char *name, const char *password)
{
    json_t *made = NULL, *body = with_password(name, password);
    if (!body)
        return cz_cli_usage(cli, "names and passwords are UTF-8");
    set_machine(body);
    int rc = post(cli, "/api/v1/auth/token", body, "login", &made);
    json_decref(body);
    if (rc == CZ_EXIT_OK)
        rc = signed_in(cli, made);
    json_decref(made);
    return rc;
}

/* ---- by an identity provider ---------------------------------------------------------------- */

/* Until somebody has entered the code, or it has expired (which the provider says). */
static int wait_for_code(struct cz_cli *cli, const json_t *device)
{
    int64_t pause = cz_json_int(device, "interval", 5);
    json_t *body = json_pack("{s:s}", "device_code", cz_json_str(device, "device_code", ""));
    int rc = CZ_EXIT_OK;
    set_machine(body);
    for (bool pending = true; rc == CZ_EXIT_OK && pending;) {
        json_t *answer = NULL;
        struct timespec t = {.tv_sec = pause > 0 ? pause : 1};
        (void)nanosleep(&t, NULL);
        rc = post(cli, "/api/v1/auth/device/token", body, "login", &answer);
        pending = cz_json_bool(answer, "pending", false);
        if (cz_json_bool(answer, "slow_down", false))
            pause += 5; /* RFC 8628, 3.5 */
        if (rc == CZ_EXIT_OK && !pending)
            rc = signed_in(cli, answer);
        json_decref(answer);
    }
    json_decref(body);
    return rc;
}

static int by_device(struct cz_cli *cli)
{
    json_t *device = NULL, *body = json_object();
    int rc = post(cli, "/api/v1/auth/device", body, "login", &device);
    json_decref(body);
    if (rc)
        return rc;
    cz_cli_note("Open %s and enter the code %s there.",
                cz_json_str(device, "verification_uri_complete",
                            cz_json_str(device, "verification_uri", "?")),
                cz_json_str(device, "user_code", "?"));
    rc = wait_for_code(cli, device);
    json_decref(device);
    return rc;
}

/* Is that how one signs in here, when no account of ours was named? */
static int wants_device(struct cz_cli *cli, bool *ret)
{
    json_t *config = NULL;
    int rc = cz_rest_get(cli, "/api/v1/auth/config", "login", &config);
    *ret = json_is_object(json_object_get(config, "oidc"));
    json_decref(config);
    return rc;
}

static int login(struct cz_cli *cli)
{
    char name[MAX_LINE] = "", password[MAX_LINE] = "", token[MAX_LINE] = "";
    struct cz_error err = CZ_ERROR_INIT;
    const char *user = cz_cli_value(cli, "user");
    bool first = cz_cli_has(cli, "bootstrap");
    bool device = false;
    if (cz_cli_context_open(cli, &err))
        return cz_cli_fail(&err);
    int rc = user || first ? CZ_EXIT_OK : wants_device(cli, &device);
    if (rc || device)
        return rc ? rc : by_device(cli);
    if (!user && !cli->can_ask)
        return cz_cli_usage(cli, "--user NAME is needed where nobody can be asked");
    if (first && !ask(cli, "Bootstrap token", true, token))
        return cz_cli_usage(cli, "the bootstrap token is needed on stdin");
    if (!user && !ask(cli, "User", false, name))
        return cz_cli_usage(cli, "a name is needed");
    if (!ask(cli, "Password", true, password))
        return cz_cli_usage(cli, "the password is needed on stdin");
    rc = first ? bootstrap(cli, token, user ? user : name, password) : CZ_EXIT_OK;
    if (rc == CZ_EXIT_OK)
        rc = sign_in(cli, user ? user : name, password);
    explicit_bzero(password, sizeof(password));
    explicit_bzero(token, sizeof(token));
    return rc;
}

static int logout(struct cz_cli *cli)
{
    json_t *me = NULL;
    struct cz_rest_reply reply = {0};
    int rc = cz_rest_get(cli, "/api/v1/auth/me", "logout", &me);
    const char *id = cz_json_str(json_object_get(me, "token"), "id", NULL);
    if (rc == CZ_EXIT_OK && !id) {
        cz_cli_say("logout: this is not a token of a login; nothing was revoked");
        rc = CZ_EXIT_ERROR;
    }
    if (rc == CZ_EXIT_OK) {
        CZ_REST_PATH(path, "tokens", id);
        rc = cz_rest_send(
            cli, &(struct cz_rest_call){.method = "DELETE", .path = cz_buf_str(&path)}, &reply);
        if (rc == CZ_EXIT_OK && !cz_rest_good(&reply))
            rc = cz_rest_problem("logout", &reply);
        cz_rest_reply_done(&reply);
    }
    json_decref(me);
    return rc == CZ_EXIT_OK ? keep(cli, NULL) : rc;
}

static const struct cz_cli_opt options[] = {
    {.name = "user", .type = CZ_OPT_VALUE, .arg = "NAME", .doc = "name of a local account"},
    {.name = "bootstrap",
     .type = CZ_OPT_FLAG,
     .doc = "make the first admin, with the token from the log of a fresh control plane"},
    {0},
};
const struct cz_cli_cmd cz_cmd_login = {
    .name = "login",
    .args = "",
    .summary = "sign in; the context keeps a token of 12 hours",
    .help = "Where there is an identity provider it shows an address and a code to enter there (device\n"
            "flow), and waits. With --user, or without a provider, it takes a local account and asks for\n"
            "what it needs; where nobody can be asked it reads the password from stdin (with\n"
            "--bootstrap the token first, each on its line). The token is kept in the context file, which\n"
            "only its owner can read.",
    .opts = options,
    .max_args = 0,
    .exec = login,
};
const struct cz_cli_cmd cz_cmd_logout = {
    .name = "logout",
    .args = "",
    .summary = "revoke the token of the login and forget it",
    .max_args = 0,
    .exec = logout,
};
