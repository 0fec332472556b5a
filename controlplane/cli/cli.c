/* SPDX-License-Identifier: Apache-2.0 */
/** The program around the commands: parse, run, write what it made to stdout, exit code.  Data
 * is written at the end and in one go, so a command that fails half way has printed nothing
 * that looks whole, unless it says so itself. */
#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cz/http_client.h"
#include "cz/json.h"
#include "cz/util.h"
#include "table.h"

enum { MAX_OUTPUT = 512 * 1024 * 1024, MAX_MESSAGE = 64 * 1024 };

CZ_PRINTF(2, 0)
static void print_message(const char *head, const char *fmt, va_list ap)
{
    struct cz_buf raw = CZ_BUF_INIT(MAX_MESSAGE), clean = CZ_BUF_INIT(4 * MAX_MESSAGE);
    cz_buf_addvf(&raw, fmt, ap);
    cz_buf_adds(&clean, head);
    cz_text_clean(&clean, cz_buf_str(&raw), true);
    (void)fprintf(stderr, "%s\n", cz_buf_str(&clean));
    cz_buf_done(&raw);
    cz_buf_done(&clean);
}

void cz_cli_say(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    print_message("citizenk: ", fmt, ap);
    va_end(ap);
}

void cz_cli_note(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    print_message("", fmt, ap);
    va_end(ap);
}

int cz_cli_usage(const struct cz_cli *cli, const char *fmt, ...)
{
    const struct cz_cli_cmd *cmd = cli->args.cmd;
    CZ_CLEANUP(cz_freep)
    char *head = cmd ? cz_strf("citizenk %s: ", cmd->name) : cz_strdup("citizenk: ");
    va_list ap;
    va_start(ap, fmt);
    print_message(head, fmt, ap);
    va_end(ap);
    cz_cli_note("Try: citizenk %s%s--help", cmd ? cmd->name : "", cmd ? " " : "");
    return CZ_EXIT_USAGE;
}

int cz_cli_fail(const struct cz_error *err)
{
    cz_cli_say("%s", err->text);
    switch (cz_err_http_status(err->code)) {
    case 404: /* no server, no file with a token */
        return err->code == CZ_E_NOT_FOUND && err->detail == 0 ? CZ_EXIT_USAGE : CZ_EXIT_ERROR;
    case 401:
    case 403:
        return CZ_EXIT_DENIED;
    case 400:
    case 422:
        return CZ_EXIT_INVALID;
    default:
        return CZ_EXIT_ERROR;
    }
}

static bool write_out(const struct cz_buf *b)
{
    const char *p = cz_buf_str(b);
    size_t n = b->len;
    while (n > 0) {
        ssize_t done = write(STDOUT_FILENO, p, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0) {
            cz_cli_say("cannot write to stdout: %s", strerrordesc_np(errno));
            return false;
        }
        p += done;
        n -= (size_t)done;
    }
    return true;
}

bool cz_cli_flush(struct cz_cli *cli)
{
    bool ok = !cli->out.failed && write_out(&cli->out);
    cz_buf_clear(&cli->out);
    return ok;
}

static enum cz_cli_format format_of(const struct cz_cli *cli)
{
    const char *o = cz_cli_value(cli, "output");
    if (cz_streq(o, "json"))
        return CZ_FORMAT_JSON;
    if (cz_streq(o, "yaml"))
        return CZ_FORMAT_YAML;
    return cz_streq(o, "name") ? CZ_FORMAT_NAME : CZ_FORMAT_TABLE;
}

static int run(struct cz_cli *cli, int argc, char **argv)
{
    struct cz_error err = CZ_ERROR_INIT;
    if (cz_cli_parse(argc, argv, &cli->args, &err))
        return cz_cli_usage(cli, "%s", err.text);
    if (cli->args.help) {
        cz_cli_help(cli->args.cmd, &cli->out);
        return CZ_EXIT_OK;
    }
    if (cli->args.version && !cli->args.cmd) {
        cz_buf_addf(&cli->out, "citizenk %s\n", cz_version);
        return CZ_EXIT_OK;
    }
    if (!cli->args.cmd) {
        struct cz_buf help CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(MAX_MESSAGE);
        cz_cli_help(NULL, &help);
        cz_cli_note("%s", cz_buf_str(&help));
        return CZ_EXIT_USAGE;
    }
    cli->format = format_of(cli);
    return cli->args.cmd->exec(cli);
}

int cz_cli_main(int argc, char **argv)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    struct cz_cli cli = {.out = CZ_BUF_INIT(MAX_OUTPUT)};
    cz_json_init();
    cli.color =
        isatty(STDOUT_FILENO) && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
    cli.can_ask = isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
    int rc = run(&cli, argc, argv);
    if (cli.out.failed) {
        cz_cli_say("the output is larger than %d bytes", MAX_OUTPUT);
        rc = CZ_EXIT_ERROR;
    } else if (!write_out(&cli.out) && rc == CZ_EXIT_OK) {
        rc = CZ_EXIT_ERROR;
    }
    cz_client_free(cli.client);
    cz_cli_context_done(&cli.context);
    cz_cli_args_done(&cli.args);
    cz_buf_done(&cli.out);
    return rc;
}
