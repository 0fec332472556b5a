/* SPDX-License-Identifier: Apache-2.0 */
/** citizenk dead-letters: what a mapping could not copy: shown, sent again, discarded. */
#include <inttypes.h>
#include <string.h>

#include "commands.h"
#include "cz/json.h"
#include "cz/util.h"
#include "output.h"
#include "rest.h"
#include "table.h"

enum { TIMEOUT_S = 60, MAX_TIMEOUT_S = 600, ANSWER_MS = 40000, SHOWN = 60 };

struct letters {
    struct cz_cli *cli;
    char *what; /* "mapping/orders" */
    char path[4096];
    int64_t timeout_s;
};
/* Options that choose letters, and how the API calls them. */
static const struct {
    const char *option, *member;
} choice[] = {{"stage", "stage"},     {"error", "error"}, {"topic", "topic"},
              {"partition", "partition"}, {"from", "from_offset"}, {"to", "to_offset"},
              {"since", "since"},     {"until", "until"}, {"max-records", "max_records"}};
enum { CHOICES = sizeof choice / sizeof *choice };

/* ---- list --------------------------------------------------------------------------------- */

static void print_reasons(struct cz_cli *cli, const json_t *answer)
{
    struct cz_table t;
    const json_t *one;
    size_t i;
    if (json_array_size(json_object_get(answer, "reasons")) == 0)
        return;
    cz_table_init(&t, "STAGE|ERROR|>RECORDS|FIRST MESSAGE");
    json_array_foreach (json_object_get(answer, "reasons"), i, one) {
        cz_table_add(&t, cz_json_str(one, "stage", "?"));
        cz_table_add(&t, cz_json_str(one, "error", "?"));
        cz_table_number(&t, cz_json_int(one, "records", 0));
        cz_table_add(&t, cz_json_str(one, "message", NULL));
    }
    cz_table_print(&t, &cli->out, 0, cli->color);
    cz_table_done(&t);
}

static void add_bytes(struct cz_table *t, const json_t *letter, const char *member)
{
    if (cz_json_bool(letter, "withheld", false)) {
        cz_table_add(t, "(withheld)");
        return;
    }
    const json_t *v = json_object_get(letter, member);
    CZ_CLEANUP(cz_freep) char *text = v && !json_is_null(v) && !json_is_string(v) ? cz_json_text(v, false) : NULL;
    const char *s = text ? text : json_string_value(v);
    size_t len = s ? strlen(s) : 0, n = len > SHOWN ? SHOWN : len;
    while (n > 0 && n < len && ((unsigned char)s[n] & 0xC0) == 0x80)
        n--; /* not in the middle of a character */
    cz_table_addf(t, "%.*s%s", (int)n, s ? s : "", n < len ? "…" : "");
}

static void print_samples(struct cz_cli *cli, const json_t *answer)
{
    struct cz_table t;
    const json_t *one;
    size_t i;
    if (json_array_size(json_object_get(answer, "samples")) == 0)
        return;
    cz_table_init(&t, "TOPIC|>PARTITION|>OFFSET|STAGE|ERROR|KEY|VALUE");
    json_array_foreach (json_object_get(answer, "samples"), i, one) {
        cz_table_add(&t, cz_json_str(one, "topic", "?"));
        cz_table_addf(&t, "%" PRId64, cz_json_int(one, "partition", 0));
        cz_table_number(&t, cz_json_int(one, "offset", 0));
        cz_table_add(&t, cz_json_str(one, "stage", "?"));
        cz_table_add(&t, cz_json_str(one, "error", "?"));
        add_bytes(&t, one, "key");
        add_bytes(&t, one, "value");
    }
    cz_buf_addc(&cli->out, '\n');
    cz_table_print(&t, &cli->out, 0, cli->color);
    cz_table_done(&t);
}

static int list(struct letters *l)
{
    struct cz_cli *cli = l->cli;
    struct cz_buf path CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(8192);
    json_t *answer = NULL;
    cz_buf_adds(&path, l->path);
    for (size_t i = 0; i < CHOICES; i++)
        cz_rest_query(&path, choice[i].member, cz_cli_value(cli, choice[i].option));
    cz_rest_query(&path, "samples", cz_cli_value(cli, "samples"));
    int rc = cz_rest_get(cli, cz_buf_str(&path), l->what, &answer);
    if (!rc && !cz_out_document(cli, answer)) {
        cz_buf_addf(&cli->out, "%s: %s%s dead letters on topic %s of cluster %s\n", l->what,
                    cz_json_bool(answer, "complete", false) ? "" : "more than ", cz_json_str(answer, "letters", "?"),
                    cz_json_str(answer, "topic", "?"), cz_json_str(answer, "cluster", "?"));
        print_reasons(cli, answer);
        print_samples(cli, answer);
    }
    json_decref(answer);
    return rc;
}

/* ---- redrive, discard --------------------------------------------------------------------- */

static json_t *request(const struct letters *l)
{
    json_t *body = json_object();
    for (size_t i = 0; i < CHOICES; i++)
        cz_json_set_str(body, choice[i].member, cz_cli_value(l->cli, choice[i].option));
    if (json_object_get(body, "partition")) /* a number in the API */
        (void)json_object_set_new(body, "partition", json_integer(cz_cli_number(l->cli, "partition", 0)));
    (void)json_object_set_new(body, "timeout_seconds", json_integer(l->timeout_s));
    return body;
}

static int64_t dropped(const json_t *answer)
{
    const char *reason;
    json_t *v;
    int64_t n = 0;
    json_object_foreach (json_object_get(answer, "dropped"), reason, v)
        n += cz_json_int(json_object_get(answer, "dropped"), reason, 0);
    return n;
}

static void print_done(struct letters *l, const json_t *answer)
{
    struct cz_buf *out = &l->cli->out;
    bool dry = cz_json_bool(answer, "dry_run", false), again = json_object_get(answer, "redriven") != NULL;
    cz_buf_addf(out, "%s: of %s dead letters %s %s%s", l->what, cz_json_str(answer, "letters", "?"),
                cz_json_str(answer, again ? "redriven" : "discarded", "?"), dry ? "would be " : "",
                again ? "re-driven" : "discarded");
    if (dropped(answer) > 0)
        cz_buf_addf(out, ", %" PRId64 " dropped by the mapping's stages", dropped(answer));
    if (cz_json_int(answer, "failed", 0) > 0)
        cz_buf_addf(out, ", %s %s again", cz_json_str(answer, "failed", "?"), dry ? "would fail" : "failed");
    if (cz_json_int(answer, "gone", 0) > 0)
        cz_buf_addf(out, ", %s are withheld and gone from the source", cz_json_str(answer, "gone", "?"));
    cz_buf_addc(out, '\n');
    print_reasons(l->cli, answer);
}

/* Once more is worth it: there are more, and this time some were done. */
static bool again(const json_t *answer)
{
    return !cz_json_bool(answer, "complete", true) && !cz_json_bool(answer, "dry_run", false) &&
           cz_json_int(answer, "redriven", 0) + cz_json_int(answer, "discarded", 0) + dropped(answer) > 0;
}

static int act(struct letters *l, const char *action)
{
    CZ_CLEANUP(cz_freep) char *path = cz_strf("%s/%s", l->path, action);
    json_t *body = request(l), *answer = NULL;
    bool more, stays = false;
    int rc;
    do {
        json_decref(answer);
        answer = NULL;
        rc = cz_rest_write(l->cli,
                           &(struct cz_rest_call){.method = "POST",
                                                  .path = path,
                                                  .body = body,
                                                  .timeout_ms = (int)l->timeout_s * 1000 + ANSWER_MS},
                           l->what, &answer);
        if (answer && !cz_out_document(l->cli, answer))
            print_done(l, answer);
        more = !rc && again(answer) && l->cli->format == CZ_FORMAT_TABLE && !cz_cli_has(l->cli, "max-records");
    } while (more);
    if (answer) {
        stays = cz_json_int(answer, "failed", 0) + cz_json_int(answer, "gone", 0) > 0;
        if (!cz_json_bool(answer, "complete", true))
            cz_cli_note("There are more; what fails again stays in front: choose others, or discard them.");
        if (cz_cli_has(l->cli, "dry-run"))
            cz_cli_note("Nothing was written (dry run).");
    }
    json_decref(body);
    json_decref(answer);
    return rc ? rc : stays ? CZ_EXIT_ERROR : CZ_EXIT_OK;
}

static int redrive(struct letters *l)
{
    return act(l, "redrive");
}

static int discard(struct letters *l)
{
    return act(l, "discard");
}

static const struct {
    const char *name;
    int (*run)(struct letters *l);
} verbs[] = {{"list", list}, {"redrive", redrive}, {"discard", discard}, {NULL, NULL}};

static int run(struct cz_cli *cli)
{
    struct cz_error err = CZ_ERROR_INIT;
    const char *verb = cli->args.pos[0], *name = cli->args.pos[1];
    size_t i = 0;
    while (verbs[i].name && strcmp(verbs[i].name, verb) != 0)
        i++;
    if (!verbs[i].name)
        return cz_cli_usage(cli, "dead-letters list, redrive or discard, not \"%s\"", verb);
    if (cz_cli_context_open(cli, &err))
        return cz_cli_fail(&err);
    if (strncmp(name, "mapping/", 8) == 0)
        name += 8;
    CZ_REST_PATH(path, "teams", cli->context.team, "mappings", name, "dead-letters");
    struct letters l = {.cli = cli, .what = cz_strf("mapping/%s", name)};
    l.timeout_s = (cz_cli_duration(cli, "timeout", (int64_t)TIMEOUT_S * 1000) + 999) / 1000;
    l.timeout_s = l.timeout_s > MAX_TIMEOUT_S ? MAX_TIMEOUT_S : l.timeout_s;
    snprintf(l.path, sizeof l.path, "%s", cz_buf_str(&path));
    int rc = verbs[i].run(&l);
    cz_free(l.what);
    return rc;
}

static const char *const words[] = {"list", "redrive", "discard", NULL};
static const struct cz_cli_opt options[] = {
    {.name = "stage", .type = CZ_OPT_VALUE, .arg = "STAGE", .doc = "only those of this stage: decode, filter, send, …"},
    {.name = "error", .type = CZ_OPT_VALUE, .arg = "ERROR", .doc = "only those of this error: malformed, too-large, …"},
    {.name = "topic", .type = CZ_OPT_VALUE, .arg = "TOPIC", .doc = "only those of this source topic"},
    {.name = "partition", .type = CZ_OPT_VALUE, .value = CZ_VAL_NUMBER, .arg = "P",
     .doc = "only those of this partition of the source"},
    {.name = "from", .type = CZ_OPT_VALUE, .value = CZ_VAL_NUMBER, .arg = "OFFSET",
     .doc = "with --partition: from this offset of the source on"},
    {.name = "to", .type = CZ_OPT_VALUE, .value = CZ_VAL_NUMBER, .arg = "OFFSET",
     .doc = "with --partition: before this offset of the source"},
    {.name = "since", .type = CZ_OPT_VALUE, .value = CZ_VAL_TIME, .arg = "TIME",
     .doc = "records from then on: 2026-11-22T18:00:00Z"},
    {.name = "until", .type = CZ_OPT_VALUE, .value = CZ_VAL_TIME, .arg = "TIME", .doc = "records before then"},
    {.name = "max-records", .type = CZ_OPT_VALUE, .value = CZ_VAL_NUMBER, .arg = "N",
     .doc = "no more than so many; else as many calls as are needed"},
    {.name = "samples", .type = CZ_OPT_VALUE, .value = CZ_VAL_NUMBER, .arg = "N",
     .doc = "list: show so many of them; default 10"},
    CZ_OPT_DRY_RUN,
    CZ_OPT_COMMENT,
    {0},
};
const struct cz_cli_cmd cz_cmd_dead_letters = {
    .name = "dead-letters",
    .args = "list|redrive|discard MAPPING",
    .summary = "show what a mapping could not copy, send it again, or discard it",
    .help = "list: the letters that are not done, by reason, and some of them.\n"
            "redrive: through the mapping as it is now, each exactly once; --dry-run shows what would become of\n"
            "them. What fails again stays (exit code 1). A record arrives behind newer ones of its key.\n"
            "discard: count them as done without sending them. --timeout bounds one call (default 60s).",
    .opts = options,
    .min_args = 2,
    .max_args = 2,
    .words_type = CZ_WORDS_FIXED,
    .words = words,
    .exec = run,
};
