/* SPDX-License-Identifier: Apache-2.0 */
/** citizenk describe: everything about one object for people: its fields, its spec as YAML, a
 *  mapping's status, its last revisions.  A change is shown with the fields that it changed. */
#include <string.h>

#include "commands.h"
#include "cz/json.h"
#include "cz/report.h"
#include "get.h"
#include "output.h"
#include "rest.h"
#include "status.h"
#include "table.h"
#include "yaml_doc.h"

enum { WIDTH = 14, MAX_DEPTH = 64 };

static void heading(struct cz_cli *cli, const char *text)
{
    cz_buf_addf(&cli->out, "\n%s\n", text);
}

/* YAML, moved in by two blanks. */
static void add_yaml(struct cz_cli *cli, const json_t *j)
{
    struct cz_buf text CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(cli->out.max);
    cz_yaml_write(&text, j);
    for (const char *p = cz_buf_str(&text); *p;) {
        size_t n = strcspn(p, "\n");
        cz_buf_adds(&cli->out, n ? "  " : "");
        cz_buf_add(&cli->out, p, n);
        cz_buf_addc(&cli->out, '\n');
        p += n + (p[n] == '\n');
    }
}

static void add_field(struct cz_cli *cli, const json_t *o, const char *key, const char *name)
{
    const char *s = cz_json_str(o, key, NULL);
    if (s)
        cz_out_field(cli, WIDTH, name, s);
}

static void add_labels(struct cz_cli *cli, const json_t *o)
{
    struct cz_buf b CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(64 * 1024);
    const char *key;
    json_t *v;
    json_object_foreach (json_object_get(o, "labels"), key, v)
        cz_buf_addf(&b, "%s%s=%s", b.len ? ", " : "", key,
                    json_is_string(v) ? json_string_value(v) : "");
    if (b.len > 0)
        cz_out_field(cli, WIDTH, "labels", cz_buf_str(&b));
}

static void add_override(struct cz_cli *cli, const json_t *o)
{
    const json_t *v = json_object_get(o, "override");
    if (!cz_json_bool(v, "paused", false))
        return;
    const char *reason = cz_json_str(v, "reason", ""), *until = cz_json_str(v, "until", "");
    CZ_CLEANUP(cz_freep)
    char *text = cz_strf("%s%s%s%s", *until ? "until " : "until resumed", until,
                         *reason ? ": " : "", reason);
    cz_out_field(cli, WIDTH, "paused", text);
}

/* The last few, without complaint when they cannot be had: the object itself was shown. */
static int add_last_revisions(struct cz_cli *cli, const struct cz_cli_target *t)
{
    CZ_REST_PATH(path, "teams", cli->context.team, t->kind->collection, t->name, "revisions");
    json_t *list = NULL, *r;
    size_t i;
    cz_rest_query(&path, "limit", "5");
    int rc = cz_rest_get(cli, cz_buf_str(&path), t->name, &list);
    if (rc)
        return rc;
    struct cz_table table;
    cz_table_init(&table, ">SEQ|>GENERATION|AT|WHAT|ACTOR|COMMENT");
    json_array_foreach (json_object_get(list, "items"), i, r) {
        static const char *const keys[] = {"seq", "generation", "at", "op", "actor", "comment"};
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
            cz_table_add(&table, cz_json_str(r, keys[k], ""));
    }
    heading(cli, "History (the last 5)");
    cz_table_print(&table, &cli->out, 2, cli->color);
    cz_table_done(&table);
    json_decref(list);
    return rc;
}

static int describe_object(struct cz_cli *cli, const struct cz_cli_target *t, const json_t *o)
{
    static const char *const fields[][2] = {
        {"kind", "kind"},
        {"name", "name"},
        {"team", "team"},
        {"group", "group"},
        {"description", "about"},
        {"uid", "uid"},
        {"version", "version"},
        {"generation", "generation"},
        {"managed_by", "managed by"},
        {"created", "created"},
        {"updated", "changed"},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        add_field(cli, o, fields[i][0], fields[i][1]);
    add_labels(cli, o);
    add_override(cli, o);
    heading(cli, "Spec");
    add_yaml(cli, json_object_get(o, "spec"));
    int rc = CZ_EXIT_OK;
    if (strcmp(t->kind->name, "mapping") == 0) {
        heading(cli, "Status");
        rc = cz_status_mapping(cli, t->name, 2);
    }
    return rc ? rc : add_last_revisions(cli, t);
}

/* ---- a change
 * --------------------------------------------------------------------------------- */

static void add_difference(
    struct cz_cli *cli, char sign, const char *pointer, const json_t *a, const json_t *b)
{
    CZ_CLEANUP(cz_freep) char *from = a ? cz_json_text(a, false) : NULL;
    CZ_CLEANUP(cz_freep) char *to = b ? cz_json_text(b, false) : NULL;
    CZ_CLEANUP(cz_freep)
    char *line = cz_strf("      %c %s: %s%s%s", sign, pointer, from ? from : "",
                         from && to ? " -> " : "", to ? to : "");
    cz_text_clean(&cli->out, line, false);
    cz_buf_addc(&cli->out, '\n');
}

static void compare(struct cz_cli *cli, char *at, const json_t *a, const json_t *b, int depth)
{
    const char *key;
    json_t *v;
    if (!json_is_object(a) || !json_is_object(b) || depth > MAX_DEPTH) {
        if (!json_equal(a, b))
            add_difference(cli, '~', at, a, b);
        return;
    }
    json_object_foreach ((json_t *)CZ_UNCONST(a), key, v) {
        cz_pointer_push(at, key);
        const json_t *other = json_object_get(b, key);
        if (other)
            compare(cli, at, v, other, depth + 1);
        else
            add_difference(cli, '-', at, v, NULL);
        cz_pointer_pop(at);
    }
    json_object_foreach ((json_t *)CZ_UNCONST(b), key, v) {
        if (json_object_get(a, key))
            continue;
        cz_pointer_push(at, key);
        add_difference(cli, '+', at, NULL, v);
        cz_pointer_pop(at);
    }
}

static void describe_change(struct cz_cli *cli, const json_t *o)
{
    static const char *const fields[][2] = {
        {"seq", "change"},
        {"at", "at"},
        {"team", "team"},
        {"actor", "actor"},
        {"via", "via"},
        {"comment", "comment"},
        {"reverts", "rolls back"},
        {"set", "set"},
        {"commit", "commit"},
        {"plan_hash", "plan"},
        {"actor_id", "principal"},
        {"token_id", "token"},
        {"request_id", "request"},
        {"trace_id", "trace"},
        {"ip", "from"},
    };
    size_t i;
    json_t *r;
    for (i = 0; i < sizeof fields / sizeof *fields; i++)
        add_field(cli, o, fields[i][0], fields[i][1]);
    heading(cli, "Objects");
    json_array_foreach (json_object_get(o, "objects"), i, r) {
        CZ_CLEANUP(cz_freep)
        char *line = cz_strf("  %s/%s %s (generation %s)", cz_json_str(r, "kind", "?"),
                             cz_json_str(r, "name", "?"), cz_json_str(r, "op", "?"),
                             cz_json_str(r, "generation", "?"));
        const json_t *before = json_object_get(r, "before"),
                     *after = json_object_get(r, "document");
        char at[CZ_POINTER_SIZE] = "";
        cz_text_clean(&cli->out, line, false);
        cz_buf_addc(&cli->out, '\n');
        if (json_is_object(before) && json_is_object(after))
            compare(cli, at, before, after, 0);
    }
}

static int describe_worker(struct cz_cli *cli, const json_t *o)
{
    const char *key;
    json_t *v;
    json_object_foreach ((json_t *)CZ_UNCONST(o), key, v) {
        CZ_CLEANUP(cz_freep)
        char *text =
            json_is_string(v) ? cz_strdup(json_string_value(v)) : cz_json_text(v, false);
        cz_out_field(cli, WIDTH, key, text);
    }
    return CZ_EXIT_OK;
}

static int describe_one(struct cz_cli *cli, const struct cz_cli_target *t)
{
    json_t *o = NULL;
    int rc = cz_get_one(cli, t, &o);
    if (rc == CZ_EXIT_OK && cli->format == CZ_FORMAT_TABLE) {
        if (strcmp(t->kind->name, "change") == 0)
            describe_change(cli, o);
        else
            rc = t->kind->document ? describe_object(cli, t, o) : describe_worker(cli, o);
    } else if (rc == CZ_EXIT_OK) {
        cz_out_one(cli, t->kind, o);
    }
    json_decref(o);
    return rc;
}

static int describe(struct cz_cli *cli)
{
    struct cz_cli_targets t = {0};
    int rc = cz_cli_targets(cli, NULL, &t);
    if (rc == CZ_EXIT_OK && t.len == 0)
        rc = cz_cli_usage(cli, "a name is missing");
    for (size_t i = 0; rc == CZ_EXIT_OK && i < t.len; i++) {
        cz_buf_adds(&cli->out, i ? "\n" : "");
        rc = describe_one(cli, &t.items[i]);
    }
    cz_cli_targets_done(&t);
    return rc;
}

const struct cz_cli_cmd cz_cmd_describe = {
    .name = "describe",
    .args = "KIND NAME… | KIND/NAME…",
    .summary = "show all about an object, a worker or a change",
    .min_args = 1,
    .max_args = -1,
    .words_type = CZ_WORDS_KIND,
    .exec = describe,
};
