/* SPDX-License-Identifier: Apache-2.0 */
/** citizenk audit: who did, or tried, what; all of it for other programs; the seals of the history, and
 *  whether what is stored still follows from them. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "cz/json.h"
#include "cz/util.h"
#include "output.h"
#include "rest.h"
#include "table.h"

enum { VERIFY_SLICE_S = 20 };

/* "/api/v1/audit", or with --team that team's. */
static void begin_path(const struct cz_cli *cli, struct cz_buf *path, const char *what)
{
    const char *team = cz_cli_value(cli, "team");
    const char *const all[] = {"audit", what, NULL};
    const char *const one[] = {"teams", team, "audit", what, NULL};
    cz_rest_path(path, team ? one : all);
}

static void add_filters(const struct cz_cli *cli, struct cz_buf *path)
{
    static const char *const names[] = {"action", "outcome", "actor", "name", "seq", "from", "to"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        cz_rest_query(path, names[i], cz_cli_value(cli, names[i]));
    cz_rest_query(path, "request_id", cz_cli_value(cli, "request-id"));
}

/* What it was about, as short as possible. */
static void add_subject(struct cz_table *t, const json_t *e)
{
    const json_t *d = json_object_get(e, "detail");
    const char *name = cz_json_str(d, "mapping", cz_json_str(d, "name", NULL));
    const char *seq = cz_json_str(e, "seq", NULL);
    if (name)
        cz_table_add(t, name);
    else if (seq)
        cz_table_addf(t, "change/%s", seq);
    else
        cz_table_add(t, NULL);
}

static void print_events(struct cz_cli *cli, const json_t *items)
{
    struct cz_table t;
    size_t i;
    json_t *e;
    cz_table_init(&t, ">ID|AT|TEAM|ACTOR|VIA|ACTION|OUTCOME|ABOUT|IP");
    json_array_foreach (items, i, e) {
        cz_table_add(&t, cz_json_str(e, "id", ""));
        cz_table_add(&t, cz_json_str(e, "at", ""));
        cz_table_add(&t, cz_json_str(e, "team", NULL));
        cz_table_add(&t, cz_json_str(e, "actor", NULL));
        cz_table_add(&t, cz_json_str(e, "via", NULL));
        cz_table_add(&t, cz_json_str(e, "action", ""));
        cz_table_add(&t, cz_json_str(e, "outcome", ""));
        add_subject(&t, e);
        cz_table_add(&t, cz_json_str(e, "ip", NULL));
    }
    cz_table_print(&t, &cli->out, 0, cli->color);
    cz_table_done(&t);
}

static int list(struct cz_cli *cli)
{
    struct cz_buf path CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(64 * 1024);
    json_t *answer = NULL;
    begin_path(cli, &path, NULL);
    add_filters(cli, &path);
    cz_rest_query(&path, "limit", cz_cli_has(cli, "limit") ? cz_cli_value(cli, "limit") : "50");
    cz_rest_query(&path, "before", cz_cli_value(cli, "before"));
    int rc = cz_rest_get(cli, cz_buf_str(&path), "audit", &answer);
    if (answer && !cz_out_document(cli, answer))
        print_events(cli, json_object_get(answer, "items"));
    const char *next = cz_json_str(answer, "next", NULL);
    if (next && cli->format == CZ_FORMAT_TABLE)
        cz_cli_note("There are more: --before %s", next);
    json_decref(answer);
    return rc;
}

/* ---- export -------------------------------------------------------------------------------- */

static int export_page(struct cz_cli *cli, const char *format, bool first, char **next)
{
    struct cz_buf path CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(64 * 1024);
    struct cz_rest_reply reply = {0};
    begin_path(cli, &path, "export");
    add_filters(cli, &path);
    cz_rest_query(&path, "format", format);
    cz_rest_query(&path, "before", *next);
    int rc = cz_rest_send(cli, &(struct cz_rest_call){.path = cz_buf_str(&path), .text = true}, &reply);
    if (!rc && !cz_rest_good(&reply))
        rc = cz_rest_problem("audit", &reply);
    cz_free(*next);
    *next = NULL;
    if (!rc) {
        const char *lines = reply.text ? reply.text : "";
        const char *end = strchr(lines, '\n');
        if (!first && strcmp(format, "csv") == 0 && end)
            lines = end + 1; /* the names of the columns stand there once */
        cz_buf_adds(&cli->out, lines);
        *next = cz_strdup(reply.next);
        if (!cz_cli_flush(cli))
            rc = CZ_EXIT_ERROR;
    }
    cz_rest_reply_done(&reply);
    return rc;
}

static int export_all(struct cz_cli *cli)
{
    const char *format = cz_cli_has(cli, "format") ? cz_cli_value(cli, "format") : "ndjson";
    char *next = cz_strdup(cz_cli_value(cli, "before"));
    int rc = export_page(cli, format, true, &next);
    while (!rc && next)
        rc = export_page(cli, format, false, &next);
    cz_free(next);
    return rc;
}

/* ---- seals --------------------------------------------------------------------------------- */

static int seals(struct cz_cli *cli)
{
    CZ_REST_PATH(path, "audit", "seals");
    json_t *answer = NULL, *s;
    size_t i;
    cz_rest_query(&path, "limit", cz_cli_has(cli, "limit") ? cz_cli_value(cli, "limit") : "20");
    cz_rest_query(&path, "before", cz_cli_value(cli, "before"));
    int rc = cz_rest_get(cli, cz_buf_str(&path), "seals", &answer);
    if (rc || cz_out_document(cli, answer)) {
        json_decref(answer);
        return rc;
    }
    struct cz_table t;
    cz_table_init(&t, ">SEAL|AT|>TO CHANGE|>TO EVENT|ROOT");
    json_array_foreach (json_object_get(answer, "items"), i, s) {
        cz_table_add(&t, cz_json_str(s, "n", ""));
        cz_table_add(&t, cz_json_str(s, "at", ""));
        cz_table_add(&t, cz_json_str(s, "change_seq", ""));
        cz_table_add(&t, cz_json_str(s, "event_id", ""));
        cz_table_add(&t, cz_json_str(s, "root", ""));
    }
    cz_table_print(&t, &cli->out, 0, cli->color);
    cz_table_done(&t);
    json_decref(answer);
    return rc;
}

/* "17:ab…" */
static int read_roots(struct cz_cli *cli, json_t **ret)
{
    const char *text;
    json_t *roots = json_object();
    for (size_t i = 0; (text = cz_cli_item(cli, "root", i)); i++) {
        const char *colon = strchr(text, ':');
        CZ_CLEANUP(cz_freep) char *n = cz_strndup(text, colon ? (size_t)(colon - text) : 0);
        int64_t number;
        if (!colon || !cz_parse_i64(n, &number) || strlen(colon + 1) != 64) {
            json_decref(roots);
            return cz_cli_usage(cli, "--root is SEAL:ROOT, as seals shows them, not \"%s\"", text);
        }
        cz_json_set_str(roots, n, colon + 1);
    }
    *ret = roots;
    return CZ_EXIT_OK;
}

/* Sums of the slices; the newest one has the last word on everything else. */
static void add_up(json_t *sum, const json_t *slice, const char *group)
{
    json_t *into = json_object_get(sum, group), *v;
    const char *key;
    json_object_foreach (json_object_get(slice, group), key, v)
        if (json_is_string(v) && strcmp(key, "to") != 0)
            cz_json_set_i64(into, key, cz_json_int(into, key, 0) +
                                           cz_json_int(json_object_get(slice, group), key, 0));
}

static void show_report(struct cz_cli *cli, const json_t *r)
{
    const json_t *checked = json_object_get(r, "checked"), *last = json_object_get(r, "last");
    const json_t *failure = json_object_get(r, "failure"), *dropped = json_object_get(r, "dropped");
    const json_t *unsealed = json_object_get(r, "unsealed");
    cz_buf_addf(&cli->out, "%s: %s seals, %s changes, %s revisions, %s events\n",
                cz_json_bool(r, "ok", false) ? "all holds" : "BROKEN", cz_json_str(checked, "seals", "?"),
                cz_json_str(checked, "changes", "?"), cz_json_str(checked, "revisions", "?"),
                cz_json_str(checked, "events", "?"));
    if (json_is_object(failure))
        cz_text_clean(&cli->out, cz_json_str(failure, "message", "?"), false);
    if (json_is_object(failure))
        cz_buf_addc(&cli->out, '\n');
    if (cz_json_int(dropped, "events", 0) > 0)
        cz_buf_addf(&cli->out, "%s events up to %s went by retention; their seals hold\n",
                    cz_json_str(dropped, "events", "?"), cz_json_str(dropped, "to", "?"));
    if (json_is_object(last))
        cz_buf_addf(&cli->out, "newest seal %s:%s of %s\n", cz_json_str(last, "n", "?"),
                    cz_json_str(last, "root", "?"), cz_json_str(last, "at", "?"));
    if (cz_json_int(unsealed, "changes", 0) + cz_json_int(unsealed, "events", 0) > 0)
        cz_buf_addf(&cli->out, "not sealed yet: %s changes, %s events\n",
                    cz_json_str(unsealed, "changes", "?"), cz_json_str(unsealed, "events", "?"));
}

static int verify(struct cz_cli *cli)
{
    CZ_REST_PATH(path, "audit", "verify");
    json_t *roots = NULL, *sum = NULL;
    char after[24] = "0";
    bool more = true;
    int rc = read_roots(cli, &roots);
    while (!rc && more) {
        json_t *slice = NULL, *body = json_object();
        cz_json_set_str(body, "after", after);
        (void)json_object_set(body, "roots", roots);
        (void)json_object_set_new(body, "timeout_seconds", json_integer(VERIFY_SLICE_S));
        const struct cz_rest_call call = {
            .method = "POST", .path = cz_buf_str(&path), .body = body, .timeout_ms = VERIFY_SLICE_S * 1000};
        rc = cz_rest_write(cli, &call, "audit", &slice);
        json_decref(body);
        if (rc)
            break;
        more = !cz_json_bool(slice, "complete", true) && cz_json_bool(slice, "ok", false);
        (void)snprintf(after, sizeof after, "%s", cz_json_str(slice, "upto", "0"));
        if (sum) {
            add_up(slice, sum, "checked");
            add_up(slice, sum, "dropped");
        }
        json_decref(sum);
        sum = slice;
    }
    if (!rc && !cz_out_document(cli, sum))
        show_report(cli, sum);
    if (!rc && !cz_json_bool(sum, "ok", false))
        rc = CZ_EXIT_ERROR;
    json_decref(sum);
    json_decref(roots);
    return rc;
}

/* ---- the command --------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int (*run)(struct cz_cli *cli);
} verbs[] = {{"list", list}, {"export", export_all}, {"seals", seals}, {"verify", verify}, {NULL, NULL}};

static int run(struct cz_cli *cli)
{
    struct cz_error err = CZ_ERROR_INIT;
    const char *verb = cli->args.pos[0];
    size_t i = 0;
    while (verbs[i].name && strcmp(verbs[i].name, verb) != 0)
        i++;
    if (!verbs[i].name)
        return cz_cli_usage(cli, "audit list, export, seals or verify, not \"%s\"", verb);
    if (cz_cli_context_open(cli, &err))
        return cz_cli_fail(&err);
    return verbs[i].run(cli);
}

static const char *const words[] = {"list", "export", "seals", "verify", NULL};
static const char *const formats[] = {"ndjson", "csv", NULL};
static const struct cz_cli_opt options[] = {
    {.name = "action",
     .type = CZ_OPT_VALUE,
     .arg = "ACTION",
     .doc = "only this action, as mapping.update; \"mapping.*\": all that begin so"},
    {.name = "outcome", .type = CZ_OPT_VALUE, .arg = "WORD", .doc = "only ok, denied or failed"},
    {.name = "actor", .type = CZ_OPT_VALUE, .arg = "NAME", .doc = "only by this principal"},
    {.name = "name", .type = CZ_OPT_VALUE, .arg = "NAME", .doc = "only about objects of this name"},
    {.name = "seq",
     .type = CZ_OPT_VALUE,
     .value = CZ_VAL_NUMBER,
     .arg = "SEQ",
     .doc = "only of this change"},
    {.name = "request-id", .type = CZ_OPT_VALUE, .arg = "ID", .doc = "only of this request"},
    {.name = "from",
     .type = CZ_OPT_VALUE,
     .value = CZ_VAL_TIME,
     .arg = "TIME",
     .doc = "only from then on: 2026-11-22T18:00:00Z"},
    {.name = "to", .type = CZ_OPT_VALUE, .value = CZ_VAL_TIME, .arg = "TIME", .doc = "only before then"},
    {.name = "limit",
     .type = CZ_OPT_VALUE,
     .value = CZ_VAL_NUMBER,
     .arg = "N",
     .doc = "list, seals: at most N; default 50 and 20"},
    {.name = "before",
     .type = CZ_OPT_VALUE,
     .value = CZ_VAL_NUMBER,
     .arg = "N",
     .doc = "only events, or seals, with a smaller number"},
    {.name = "format",
     .type = CZ_OPT_VALUE,
     .arg = "FORMAT",
     .choices = formats,
     .doc = "export: ndjson (default) or csv"},
    {.name = "root",
     .type = CZ_OPT_LIST,
     .arg = "SEAL:ROOT",
     .doc = "verify: a root that was kept elsewhere must still be the one of this seal"},
    {0},
};
const struct cz_cli_cmd cz_cmd_audit = {
    .name = "audit",
    .args = "list|export|seals|verify",
    .summary = "show and export who did what, and check that nobody rewrote it",
    .help = "list: events, newest first; with --team only that team's.\n"
            "export: all of them as lines, newest first.\n"
            "seals: each covers what was written since the one before; keep a root elsewhere (the log of the\n"
            "control plane has them, and the audit topic).\n"
            "verify: computes the seals again from what is stored. Exit code 1: something was changed, and\n"
            "what.",
    .opts = options,
    .min_args = 1,
    .max_args = 1,
    .words_type = CZ_WORDS_FIXED,
    .words = words,
    .exec = run,
};
