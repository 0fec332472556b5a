/* SPDX-License-Identifier: Apache-2.0 */
/** citizenk eval: an expression over one JSON document, by the worker's own engine, without a
 *  server.  What is wrong is shown with the place. */
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "cz/jmespath.h"
#include "cz/limits.h"
#include "cz/util.h"
#include "table.h"

enum { EXCERPT = 72 };

/* The line of @text that holds byte @at, with a caret below it; both cut around the place. */
static void point_at(const char *text, size_t len, size_t at)
{
    while (at == len && len > 0 && strchr(" \t\r\n", text[len - 1]))
        at = --len; /* the end of a text is where its last line ends */
    size_t begin = at, end = at;
    while (begin > 0 && text[begin - 1] != '\n' && at - begin < EXCERPT / 2)
        begin--;
    while (begin < at && ((unsigned char)text[begin] & 0xC0) == 0x80)
        begin++;
    while (end < len && text[end] != '\n' && end - at < EXCERPT / 2)
        end++;
    while (end < len && ((unsigned char)text[end] & 0xC0) == 0x80)
        end++;
    struct cz_buf before CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(8 * EXCERPT);
    struct cz_buf line CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(8 * EXCERPT);
    CZ_CLEANUP(cz_freep) char *head = cz_strndup(text + begin, at - begin);
    CZ_CLEANUP(cz_freep) char *all = cz_strndup(text + begin, end - begin);
    cz_text_clean(&before, head, false);
    cz_text_clean(&line, all, false);
    cz_cli_note("  %s", cz_buf_str(&line));
    cz_cli_note("  %*s^", (int)cz_text_width(cz_buf_str(&before), before.len), "");
}

/* "position 12: reason" → 12 */
static bool position_of(const char *text, size_t len, size_t *ret)
{
    const char *p = strstr(text, "position ");
    int64_t n;
    if (!p)
        return false;
    p += strlen("position ");
    CZ_CLEANUP(cz_freep) char *digits = cz_strndup(p, strspn(p, "0123456789"));
    if (!cz_parse_i64(digits, &n) || n < 0 || (size_t)n > len)
        return false;
    *ret = (size_t)n;
    return true;
}

static int
explain(const char *expr, const char *json, size_t json_len, const struct cz_error *err)
{
    bool input = err->code == CZ_E_PARSE;
    const char *text = input ? json : expr;
    size_t len = input ? json_len : strlen(expr), at;
    const char *category = cz_jmespath_category_name(err->detail);
    cz_cli_say("%s: %s%s%s%s", input ? "the document" : "the expression", err->text,
               !input && *category ? " (" : "", input ? "" : category,
               !input && *category ? ")" : "");
    if (position_of(err->text, len, &at))
        point_at(text, len, at);
    return CZ_EXIT_INVALID;
}

/* A string result without quotes and escapes. */
static bool add_raw(struct cz_buf *out, const struct cz_buf *result)
{
    json_t *j =
        result->len && result->data[0] == '"'
            ? json_loadb(result->data, result->len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL)
            : NULL;
    if (j)
        cz_buf_add(out, json_string_value(j), json_string_length(j));
    bool done = j != NULL;
    json_decref(j);
    return done;
}

static int eval(struct cz_cli *cli)
{
    const char *expr = cli->args.pos[0], *file = cz_cli_value(cli, "file");
    CZ_CLEANUP(cz_freep) char *json = NULL;
    size_t len = 0;
    struct cz_error err = CZ_ERROR_INIT;
    if (cli->format == CZ_FORMAT_YAML || cli->format == CZ_FORMAT_NAME)
        return cz_cli_usage(cli, "the result is JSON: -o json is its compact form");
    bool from_stdin = !file || strcmp(file, "-") == 0;
    if (from_stdin && cli->can_ask)
        cz_cli_note("Reading a JSON document from the terminal; end it with Ctrl-D.");
    if (cz_read_file(from_stdin ? "/dev/stdin" : file, CZ_MAX_CLI_FILE, &json, &len, &err))
        return cz_cli_fail(&err) == CZ_EXIT_INVALID ? CZ_EXIT_INVALID : CZ_EXIT_ERROR;
    struct cz_buf result CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(CZ_MAX_EVAL_OUTPUT);
    if (cz_jmespath_eval_text(expr, strlen(expr), json, len, &result, &err))
        return explain(expr, json, len, &err);
    if (cz_cli_has(cli, "raw") && add_raw(&cli->out, &result)) {
        cz_buf_addc(&cli->out, '\n');
        return CZ_EXIT_OK;
    }
    if (cli->format == CZ_FORMAT_JSON)
        cz_buf_add(&cli->out, cz_buf_str(&result), result.len);
    else
        cz_text_pretty(&cli->out, cz_buf_str(&result), result.len);
    cz_buf_addc(&cli->out, '\n');
    return CZ_EXIT_OK;
}

static const struct cz_cli_opt options[] = {
    {.name = "file",
     .letter = 'f',
     .type = CZ_OPT_VALUE,
     .value = CZ_VAL_FILE,
     .arg = "PATH",
     .doc = "the document; default: stdin"},
    {.name = "raw", .letter = 'r', .type = CZ_OPT_FLAG, .doc = "a string without its quotes"},
    {0},
};
const struct cz_cli_cmd cz_cmd_eval = {
    .name = "eval",
    .args = "EXPRESSION",
    .summary = "try a JMESPath expression on a JSON document",
    .help = "Needs no server. The filter of a mapping sees a record as {key, value, headers, "
            "topic,\n"
            "partition, offset, timestamp}, so give it such a document to try one:\n"
            "  echo '{\"value\":{\"event\":{\"type\":\"sale\"}}}' | citizenk eval "
            "\"value.event.type == 'sale'\"",
    .opts = options,
    .min_args = 1,
    .max_args = 1,
    .exec = eval,
};
