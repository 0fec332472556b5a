/* SPDX-License-Identifier: Apache-2.0 */
/** citizenk preview: what a mapping would do with records of its live source topic. */
#include <string.h>

#include "commands.h"
#include "cz/json.h"
#include "cz/util.h"
#include "docs.h"
#include "output.h"
#include "rest.h"
#include "table.h"

enum { ANSWER_MS = 30000, MAX_CHANGES = 3, MAX_VALUE = 40, MAX_LINE = 4096 };

/* ---- the request ---------------------------------------------------------------------------- */

/* --record P:OFFSET, each of them; what is none the server refuses with its place. */
static json_t *places(const struct cz_cli *cli)
{
    json_t *list = json_array();
    const char *text;
    for (size_t i = 0; (text = cz_cli_item(cli, "record", i)); i++) {
        size_t n = strcspn(text, ":");
        CZ_CLEANUP(cz_freep) char *number = cz_strndup(text, n);
        int64_t partition = -1;
        json_t *one = json_object();
        if (!cz_parse_i64(number, &partition))
            partition = -1;
        (void)json_object_set_new(one, "partition", json_integer(partition));
        cz_json_set_str(one, "offset", text[n] ? text + n + 1 : "");
        (void)json_array_append_new(list, one);
    }
    return list;
}

static json_t *request(const struct cz_cli *cli, const json_t *spec)
{
    static const char *const members[][2] = {{"topic", "topic"}, {"offset", "offset"}, {"since", "timestamp"}};
    json_t *body = json_object();
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        cz_json_set_str(body, members[i][1], cz_cli_value(cli, members[i][0]));
    if (cz_cli_has(cli, "records"))
        json_object_set_new(body, "limit", json_integer(cz_cli_number(cli, "records", 0)));
    if (cz_cli_has(cli, "partition"))
        json_object_set_new(body, "partition", json_integer(cz_cli_number(cli, "partition", 0)));
    if (cz_cli_has(cli, "record"))
        json_object_set_new(body, "records", places(cli));
    if (spec)
        json_object_set(body, "spec", CZ_UNCONST(spec));
    return body;
}

/* The one mapping that is meant by NAME and the files. */
static const struct cz_doc *chosen(const struct cz_docs *docs, const char *name)
{
    const struct cz_doc *found = NULL;
    for (size_t i = 0; i < docs->len; i++) {
        const struct cz_doc *d = &docs->items[i];
        if (strcmp(d->kind->name, "mapping") != 0 || (name && strcmp(d->name, name) != 0))
            continue;
        if (found) {
            cz_cli_say("there are several mappings in what -f names: give the name of one");
            return NULL;
        }
        found = d;
    }
    if (!found)
        cz_cli_say("there is no mapping%s%s in what -f names", name ? " " : "", name ? name : "");
    return found;
}

/* ---- the answer ----------------------------------------------------------------------------- */

static void add_value(struct cz_buf *out, const json_t *v)
{
    CZ_CLEANUP(cz_freep) char *text = v ? cz_json_text(v, false) : cz_strdup("nothing");
    size_t n = strlen(text), cut = n < MAX_VALUE ? n : MAX_VALUE;
    while (cut > 0 && cut < n && ((unsigned char)text[cut] & 0xC0) == 0x80)
        cut--;
    cz_buf_add(out, text, cut);
    cz_buf_adds(out, cut < n ? "…" : "");
}

static void add_changes(struct cz_buf *out, const json_t *changes)
{
    size_t i;
    json_t *c;
    json_array_foreach(changes, i, c)
    {
        if (i == MAX_CHANGES) {
            cz_buf_addf(out, ", and %zu more", json_array_size(changes) - i);
            return;
        }
        cz_buf_addf(out, "%s%s ", i ? ", " : "", cz_json_str(c, "pointer", ""));
        if (strcmp(cz_json_str(c, "op", ""), "mask") == 0)
            cz_buf_adds(out, "masked");
        else
            add_value(out, json_object_get(c, "from"));
        cz_buf_adds(out, " → ");
        add_value(out, json_object_get(c, "to"));
    }
}

static void add_why(struct cz_buf *out, const json_t *record)
{
    size_t i, k;
    json_t *part, *operand;
    cz_buf_adds(out, cz_json_str(record, "reason", ""));
    json_array_foreach(json_object_get(record, "why"), i, part)
    {
        const json_t *v = json_object_get(part, "value");
        cz_buf_addf(out, "%s%s", i ? ", " : ": ", cz_json_str(part, "expression", ""));
        cz_buf_adds(out, v ? " is " : "");
        if (v)
            add_value(out, v);
        json_array_foreach(json_object_get(part, "operands"), k, operand)
        {
            cz_buf_addf(out, "%s%s ", k ? ", " : " with ", cz_json_str(operand, "expression", ""));
            add_value(out, json_object_get(operand, "value"));
        }
    }
}

static void add_record(struct cz_table *t, const json_t *record)
{
    struct cz_buf what CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(MAX_LINE);
    const char *verdict = cz_json_str(record, "verdict", "?");
    if (strcmp(verdict, "dropped") == 0)
        add_why(&what, record);
    else if (strcmp(verdict, "error") == 0)
        cz_buf_addf(&what, "%s: %s", cz_json_str(record, "stage", "?"), cz_json_str(record, "message", ""));
    else
        add_changes(&what, json_object_get(record, "changes"));
    cz_table_addf(t, "%lld", (long long)cz_json_int(record, "partition", -1));
    cz_table_add(t, cz_json_str(record, "offset", "?"));
    cz_table_add(t, cz_json_str(record, "timestamp", NULL));
    cz_table_add(t, verdict);
    cz_table_add(t, cz_buf_str(&what));
}

static void add_unmasked(struct cz_cli *cli, const json_t *fields)
{
    struct cz_table t;
    size_t i, k;
    json_t *f, *type;
    if (json_array_size(fields) == 0)
        return;
    cz_buf_adds(&cli->out, "\nfields that no mask covers\n");
    cz_table_init(&t, "PATH|TYPES|>RECORDS");
    json_array_foreach(fields, i, f)
    {
        struct cz_buf types CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(MAX_LINE);
        json_array_foreach(json_object_get(f, "types"), k, type)
            cz_buf_addf(&types, "%s%s", k ? ", " : "", json_string_value(type));
        cz_table_add(&t, cz_json_str(f, "path", "?"));
        cz_table_add(&t, cz_buf_str(&types));
        cz_table_number(&t, cz_json_int(f, "records", 0));
    }
    cz_table_print(&t, &cli->out, 2, cli->color);
    cz_table_done(&t);
}

static void show(struct cz_cli *cli, const json_t *answer)
{
    static const char *const counts[] = {"passed", "changed", "dropped", "errors"};
    struct cz_buf line CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(MAX_LINE);
    struct cz_table t;
    size_t i;
    json_t *record;
    cz_buf_addf(&line, "%lld records of %s", (long long)cz_json_int(answer, "read", 0),
                cz_json_str(answer, "topic", "?"));
    for (i = 0; i < sizeof counts / sizeof *counts; i++) {
        int64_t n = cz_json_int(answer, counts[i], 0);
        if (n > 0)
            cz_buf_addf(&line, ", %lld %s", (long long)n, counts[i]);
    }
    cz_text_clean(&cli->out, cz_buf_str(&line), false);
    cz_buf_adds(&cli->out, "\n");
    cz_table_init(&t, ">PARTITION|>OFFSET|TIME|*VERDICT|WHAT");
    json_array_foreach(json_object_get(answer, "records"), i, record)
        add_record(&t, record);
    if (json_array_size(json_object_get(answer, "records")) > 0)
        cz_table_print(&t, &cli->out, 0, cli->color);
    cz_table_done(&t);
    if (cz_cli_has(cli, "fields"))
        add_unmasked(cli, json_object_get(answer, "unmasked"));
    if (!cz_json_bool(answer, "complete", true))
        cz_cli_note("Not all that was asked for could be read in time.");
}

/* ---- the command ---------------------------------------------------------------------------- */

/* @doc, of @docs: instead of a saved mapping; NULL: that of @name. */
static int send_request(struct cz_cli *cli, const char *name, const struct cz_docs *docs, const struct cz_doc *doc)
{
    const json_t *spec = doc ? json_object_get(doc->body, "spec") : NULL;
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_rest_reply reply = {0};
    if (cz_cli_context_open(cli, &err))
        return cz_cli_fail(&err);
    CZ_REST_PATH(of_team, "teams", cli->context.team, "preview");
    CZ_REST_PATH(of_mapping, "teams", cli->context.team, "mappings", name ? name : "", "preview");
    json_t *body = request(cli, spec);
    const struct cz_rest_call call = {.method = "POST",
                                      .path = cz_buf_str(spec ? &of_team : &of_mapping),
                                      .body = body,
                                      .timeout_ms = ANSWER_MS};
    int rc = cz_rest_send(cli, &call, &reply);
    if (rc == CZ_EXIT_OK && !cz_rest_good(&reply))
        rc = doc ? cz_docs_problem(docs, doc, &reply) : cz_rest_problem("preview", &reply);
    else if (rc == CZ_EXIT_OK && !cz_out_document(cli, reply.json))
        show(cli, reply.json);
    cz_rest_reply_done(&reply);
    json_decref(body);
    return rc;
}

static int preview(struct cz_cli *cli)
{
    const char *name = cli->args.pos_len > 0 ? cli->args.pos[0] : NULL;
    struct cz_docs docs = {0};
    if (name && strncmp(name, "mapping/", 8) == 0)
        name += 8;
    if (!cz_cli_has(cli, "file"))
        return name ? send_request(cli, name, NULL, NULL)
                    : cz_cli_usage(cli, "give the NAME of a mapping, or a file with one: -f FILE");
    int rc = cz_docs_load(cli, &docs);
    if (rc)
        return rc;
    const struct cz_doc *doc = chosen(&docs, name);
    rc = doc ? send_request(cli, NULL, &docs, doc) : CZ_EXIT_INVALID;
    cz_docs_done(&docs);
    return rc;
}

static const struct cz_cli_opt options[] = {
    {.name = "records", .letter = 'n', .type = CZ_OPT_VALUE, .value = CZ_VAL_NUMBER, .arg = "N",
     .doc = "how many records, up to 200; default 20"},
    {.name = "file", .letter = 'f', .type = CZ_OPT_LIST, .value = CZ_VAL_FILE, .arg = "PATH",
     .doc = "a mapping that is not saved, from a file, a folder or - for stdin"},
    {.name = "topic", .type = CZ_OPT_VALUE, .arg = "TOPIC", .doc = "one of its source topics; default: the first"},
    {.name = "partition", .type = CZ_OPT_VALUE, .value = CZ_VAL_NUMBER, .arg = "P", .doc = "only this partition"},
    {.name = "offset", .type = CZ_OPT_VALUE, .value = CZ_VAL_NUMBER, .arg = "N",
     .doc = "from this offset of the partition on; default: the last records"},
    {.name = "since", .type = CZ_OPT_VALUE, .value = CZ_VAL_TIME, .arg = "TIME",
     .doc = "from then on: 2026-11-22T18:00:00Z"},
    {.name = "record", .type = CZ_OPT_LIST, .arg = "PARTITION:OFFSET",
     .doc = "this record and no others; may be given several times"},
    {.name = "fields", .type = CZ_OPT_FLAG, .doc = "list the fields that no mask covers"},
    {0},
};
const struct cz_cli_cmd cz_cmd_preview = {
    .name = "preview",
    .args = "[NAME]",
    .summary = "show what a mapping would do with records of its source topic",
    .help = "By the workers' own engine, on live records; nothing is written. Each record passes, is changed\n"
            "(and how), is dropped (and by which part of the filter), or is an error:\n"
            "  citizenk preview orders -n 50\n"
            "  citizenk preview -f orders.yaml --since 2026-11-22T18:00:00Z --fields\n"
            "Of a mapping that masks nothing unmasked is shown.",
    .opts = options,
    .max_args = 1,
    .words_type = CZ_WORDS_MAPPING,
    .exec = preview,
};
