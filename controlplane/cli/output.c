/* SPDX-License-Identifier: Apache-2.0 */
/** Documents in the format that -o names. */
#include "output.h"

#include <string.h>

#include "cz/json.h"
#include "table.h"
#include "yaml_doc.h"

void cz_out_json(struct cz_cli *cli, const json_t *j)
{
    CZ_CLEANUP(cz_freep) char *text = cz_json_text(j, false);
    cz_text_pretty(&cli->out, text, strlen(text));
    cz_buf_addc(&cli->out, '\n');
}

bool cz_out_document(struct cz_cli *cli, const json_t *j)
{
    if (cli->format == CZ_FORMAT_JSON)
        cz_out_json(cli, j);
    else if (cli->format == CZ_FORMAT_YAML)
        cz_yaml_write(&cli->out, j);
    return cli->format == CZ_FORMAT_JSON || cli->format == CZ_FORMAT_YAML;
}

/* With "api" in front, so that what get prints can be given to apply. */
static json_t *with_api(const struct cz_cli_kind *kind, const json_t *item)
{
    json_t *o = json_object();
    if (kind->document)
        (void)json_object_set_new(o, "api", json_string("citizenk/v1"));
    (void)json_object_update(o, (json_t *)CZ_UNCONST(item));
    return o;
}

static const char *name_of(const json_t *item)
{
    return cz_json_str(item, "name", cz_json_str(item, "id", cz_json_str(item, "seq", "")));
}

static void add_name(struct cz_cli *cli, const struct cz_cli_kind *kind, const json_t *item)
{
    cz_buf_addf(&cli->out, "%s/", kind->name);
    cz_text_clean(&cli->out, name_of(item), false);
    cz_buf_addc(&cli->out, '\n');
}

static void add_table(struct cz_cli *cli, const struct cz_cli_kind *kind, const json_t *items)
{
    struct cz_table t;
    size_t i;
    json_t *item;
    cz_table_init(&t, kind->columns);
    json_array_foreach (items, i, item)
        kind->row(&t, item);
    if (json_array_size(items) == 0)
        cz_cli_note("no %s", kind->collection);
    else
        cz_table_print(&t, &cli->out, 0, cli->color);
    cz_table_done(&t);
}

void cz_out_list(struct cz_cli *cli, const struct cz_cli_kind *kind, const json_t *items)
{
    size_t i;
    json_t *item, *all = json_array();
    if (cli->format == CZ_FORMAT_TABLE)
        add_table(cli, kind, items);
    json_array_foreach (items, i, item) {
        json_t *o = with_api(kind, item);
        if (cli->format == CZ_FORMAT_NAME)
            add_name(cli, kind, item);
        if (cli->format == CZ_FORMAT_YAML) {
            cz_buf_adds(&cli->out, i ? "---\n" : "");
            cz_yaml_write(&cli->out, o);
        }
        (void)json_array_append_new(all, o);
    }
    json_t *list = json_pack("{s:o}", "items", all);
    if (cli->format == CZ_FORMAT_JSON)
        cz_out_json(cli, list);
    json_decref(list);
}

void cz_out_one(struct cz_cli *cli, const struct cz_cli_kind *kind, const json_t *item)
{
    json_t *o = with_api(kind, item);
    if (!cz_out_document(cli, o)) {
        json_t *one = json_pack("[O]", item);
        cz_out_list(cli, kind, one);
        json_decref(one);
    }
    json_decref(o);
}

void cz_out_done(struct cz_cli *cli, const char *kind, const char *name, const char *said)
{
    cz_buf_addf(&cli->out, "%s/", kind);
    cz_text_clean(&cli->out, name, false);
    if (cli->format != CZ_FORMAT_NAME)
        cz_buf_addf(&cli->out, " %s", said);
    cz_buf_addc(&cli->out, '\n');
}

void cz_out_warnings(const char *what, const json_t *answer)
{
    size_t i;
    json_t *w;
    json_array_foreach (json_object_get(answer, "warnings"), i, w)
        cz_cli_note("warning: %s: %s: %s", what, cz_json_str(w, "pointer", ""),
                    cz_json_str(w, "message", ""));
}

void cz_out_field(struct cz_cli *cli, int width, const char *name, const char *text)
{
    cz_buf_addf(&cli->out, "%-*s", width, name);
    cz_text_clean(&cli->out, text && *text ? text : "-", false);
    cz_buf_addc(&cli->out, '\n');
}

void cz_out_difference(struct cz_cli *cli, int indent, const json_t *d)
{
    const char *op = cz_json_str(d, "op", "");
    const json_t *from = json_object_get(d, "from"), *to = json_object_get(d, "to");
    CZ_CLEANUP(cz_freep) char *a = from ? cz_json_text(from, false) : NULL;
    CZ_CLEANUP(cz_freep) char *b = to ? cz_json_text(to, false) : NULL;
    char sign = strcmp(op, "add") == 0 ? '+' : strcmp(op, "remove") == 0 ? '-' : '~';
    CZ_CLEANUP(cz_freep)
    char *line = cz_strf("%*s%c %s: %s%s%s", indent, "", sign, cz_json_str(d, "pointer", ""), a ? a : "",
                         a && b ? " -> " : "", b ? b : "");
    cz_text_clean(&cli->out, line, false);
    cz_buf_addc(&cli->out, '\n');
}
