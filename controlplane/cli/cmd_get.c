/* SPDX-License-Identifier: Apache-2.0 */
/** citizenk get: objects of a kind, as a table or as documents that apply takes. */
#include <string.h>

#include "commands.h"
#include "cz/json.h"
#include "get.h"
#include "output.h"
#include "rest.h"

int cz_get_one(struct cz_cli *cli, const struct cz_cli_target *t, json_t **ret)
{
    struct cz_error err = CZ_ERROR_INIT;
    if (cz_cli_context_open(cli, &err))
        return cz_cli_fail(&err);
    CZ_CLEANUP(cz_freep) char *what = cz_strf("%s/%s", t->kind->name, t->name);
    struct cz_buf path CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(64 * 1024);
    if (t->kind->document)
        cz_rest_object(cli, &path, NULL, t->kind, t->name);
    else if (strcmp(t->kind->name, "change") == 0)
        cz_rest_path(&path, (const char *const[]){t->kind->path, t->name, NULL});
    if (path.len > 0)
        return cz_rest_get(cli, cz_buf_str(&path), what, ret);
    /* Workers and teams have no address of their own: look in the list. */
    json_t *list = NULL, *item;
    size_t i;
    cz_rest_path(&path, (const char *const[]){t->kind->path, NULL});
    int rc = cz_rest_get(cli, cz_buf_str(&path), what, &list);
    if (rc)
        return rc;
    json_t *found = NULL;
    json_array_foreach (json_object_get(list, "items"), i, item)
        if (strcmp(cz_json_str(item, "id", cz_json_str(item, "name", "")), t->name) == 0)
            found = json_incref(item);
    json_decref(list);
    if (!found) {
        cz_cli_say("%s: does not exist", what);
        return CZ_EXIT_ERROR;
    }
    *ret = found;
    return CZ_EXIT_OK;
}

static int refuse_filters(const struct cz_cli *cli, const struct cz_cli_kind *kind)
{
    static const char *const filters[] = {"group", "label", "contains", "state", NULL};
    for (size_t i = 0; filters[i]; i++)
        if (!kind->document && cz_cli_has(cli, filters[i]))
            return cz_cli_usage(cli, "--%s is not for %s", filters[i], kind->collection);
    if (cz_cli_has(cli, "state") && strcmp(kind->name, "mapping") != 0)
        return cz_cli_usage(cli, "--state is for mappings");
    return CZ_EXIT_OK;
}

/* Pages of changes are linked by number and not by cursor: one page is enough here. */
static int get_changes(struct cz_cli *cli, const struct cz_cli_kind *kind)
{
    CZ_REST_PATH(path, "changes");
    json_t *list = NULL;
    if (cz_cli_has(cli, "team"))
        cz_rest_query(&path, "team", cz_cli_value(cli, "team"));
    cz_rest_query(&path, "limit",
                  cz_cli_has(cli, "limit") ? cz_cli_value(cli, "limit") : "100");
    int rc = cz_rest_get(cli, cz_buf_str(&path), "changes", &list);
    if (rc == CZ_EXIT_OK)
        cz_out_list(cli, kind, json_object_get(list, "items"));
    json_decref(list);
    return rc;
}

static int get_list(struct cz_cli *cli, const struct cz_cli_kind *kind)
{
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_buf path CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(64 * 1024);
    json_t *list = NULL;
    int rc = refuse_filters(cli, kind);
    if (rc)
        return rc;
    if (cz_cli_context_open(cli, &err))
        return cz_cli_fail(&err);
    if (strcmp(kind->name, "change") == 0)
        return get_changes(cli, kind);
    if (kind->path) {
        cz_rest_path(&path, (const char *const[]){kind->path, NULL});
        rc = cz_rest_get(cli, cz_buf_str(&path), kind->collection, &list);
    } else {
        cz_rest_object(cli, &path, NULL, kind, NULL);
        cz_rest_query(&path, "group", cz_cli_value(cli, "group"));
        cz_rest_query(&path, "label", cz_cli_value(cli, "label"));
        cz_rest_query(&path, "name", cz_cli_value(cli, "contains"));
        cz_rest_query(&path, "state", cz_cli_value(cli, "state"));
        rc = cz_rest_list(cli, cz_buf_str(&path), cz_cli_number(cli, "limit", 0),
                          kind->collection, &list);
    }
    if (rc == CZ_EXIT_OK)
        cz_out_list(cli, kind, json_object_get(list, "items"));
    json_decref(list);
    return rc;
}

/* Objects that were named; those that are there are shown even when others are not. */
static int get_named(struct cz_cli *cli, const struct cz_cli_targets *t)
{
    json_t *items = json_array();
    int rc = CZ_EXIT_OK;
    for (size_t i = 0; i < t->len; i++) {
        json_t *item = NULL;
        int one = cz_get_one(cli, &t->items[i], &item);
        rc = rc ? rc : one;
        if (item && t->len == 1)
            cz_out_one(cli, t->items[i].kind, item);
        if (item)
            (void)json_array_append_new(items, item);
        bool last_of_kind = i + 1 == t->len || t->items[i + 1].kind != t->items[i].kind;
        if (t->len > 1 && last_of_kind && json_array_size(items) > 0) {
            cz_out_list(cli, t->items[i].kind, items);
            (void)json_array_clear(items);
        }
    }
    json_decref(items);
    return rc;
}

static int get(struct cz_cli *cli)
{
    struct cz_cli_targets t = {0};
    int rc = cz_cli_targets(cli, NULL, &t);
    if (rc)
        return rc;
    rc = t.len == 0 ? get_list(cli, t.kind) : get_named(cli, &t);
    cz_cli_targets_done(&t);
    return rc;
}

static const struct cz_cli_opt options[] = {
    {.name = "group", .type = CZ_OPT_VALUE, .arg = "GROUP", .doc = "only of this group"},
    {.name = "label",
     .letter = 'l',
     .type = CZ_OPT_VALUE,
     .arg = "KEY=VALUE",
     .doc = "only with this label"},
    {.name = "contains",
     .type = CZ_OPT_VALUE,
     .arg = "TEXT",
     .doc = "only with this text in the name"},
    {.name = "state",
     .type = CZ_OPT_VALUE,
     .arg = "STATE",
     .doc = "only mappings in this state: RUNNING, PAUSED, …"},
    {.name = "limit",
     .type = CZ_OPT_VALUE,
     .value = CZ_VAL_NUMBER,
     .arg = "N",
     .doc = "at most N; default all"},
    {0},
};
const struct cz_cli_cmd cz_cmd_get = {
    .name = "get",
    .alias = "list",
    .args = "KIND [NAME…] | KIND/NAME…",
    .summary = "list objects, or get them as documents",
    .help = "Kinds: cluster, value_map, template, mapping, instance, binding, grant, worker, "
            "change, team\n"
            "(also in the plural). -o yaml and -o json print what apply takes.",
    .opts = options,
    .min_args = 1,
    .max_args = -1,
    .words_type = CZ_WORDS_KIND,
    .exec = get,
};
