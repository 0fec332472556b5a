/* SPDX-License-Identifier: Apache-2.0 */
/** The kinds of objects: their words, their paths and how a list of them looks as a table. */
#include <string.h>

#include "cli.h"
#include "cz/json.h"
#include "cz/time.h"
#include "table.h"

static void add_str(struct cz_table *t, const json_t *o, const char *key)
{
    cz_table_add(t, cz_json_str(o, key, ""));
}

static void add_age(struct cz_table *t, const json_t *o, const char *key)
{
    CZ_CLEANUP(cz_buf_done) struct cz_buf b = CZ_BUF_INIT(128);
    const char *at = cz_json_str(o, key, NULL);
    if (at)
        cz_text_age(&b, at, cz_wall_ms());
    cz_table_add(t, cz_buf_str(&b));
}

static void add_count(struct cz_table *t, const json_t *o, const char *key)
{
    if (!json_object_get(o, key) || json_is_null(json_object_get(o, key)))
        cz_table_add(t, "");
    else
        cz_table_number(t, cz_json_int(o, key, 0));
}

static void add_rate(struct cz_table *t, const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    if (json_is_number(v))
        cz_table_addf(t, json_number_value(v) < 10 ? "%.1f" : "%.0f", json_number_value(v));
    else
        add_count(t, o, key);
}

/* "source/orders", "source/A +2" for several pairs */
static void add_end(struct cz_table *t, const json_t *spec, const char *end)
{
    const json_t *o = json_object_get(spec, end), *pairs = json_object_get(spec, "topics");
    const char *topic = cz_json_str(o, "topic", NULL);
    const json_t *first = json_array_get(pairs, 0);
    size_t n = json_array_size(pairs);
    if (!topic)
        topic = cz_json_str(first, end, NULL);
    if (!topic) /* the target's default is the source's */
        topic = cz_json_str(json_object_get(spec, "source"), "topic",
                            cz_json_str(first, "source", ""));
    if (n > 1)
        cz_table_addf(t, "%s/%s +%zu", cz_json_str(o, "cluster", ""), topic, n - 1);
    else
        cz_table_addf(t, "%s/%s", cz_json_str(o, "cluster", ""), topic);
}

static void mapping_row(struct cz_table *t, const json_t *o)
{
    const json_t *spec = json_object_get(o, "spec"), *status = json_object_get(o, "status");
    add_str(t, o, "name");
    add_str(t, o, "group");
    add_end(t, spec, "source");
    add_end(t, spec, "target");
    add_str(t, status, "state");
    add_count(t, status, "lag");
    add_rate(t, status, "in_per_second");
    add_rate(t, status, "out_per_second");
    add_age(t, o, "updated");
}

static void cluster_row(struct cz_table *t, const json_t *o)
{
    add_str(t, o, "name");
    add_str(t, json_object_get(o, "spec"), "bootstrap_servers");
    add_str(t, o, "description");
    add_str(t, o, "version");
    add_age(t, o, "updated");
}

static void template_row(struct cz_table *t, const json_t *o)
{
    const json_t *spec = json_object_get(o, "spec");
    add_str(t, o, "name");
    add_str(t, o, "group");
    cz_table_number(t, (int64_t)json_object_size(json_object_get(spec, "variables")));
    cz_table_number(t, (int64_t)json_array_size(json_object_get(spec, "mappings")));
    add_str(t, o, "version");
    add_age(t, o, "updated");
}

static void instance_row(struct cz_table *t, const json_t *o)
{
    const json_t *spec = json_object_get(o, "spec");
    add_str(t, o, "name");
    add_str(t, spec, "template");
    CZ_CLEANUP(cz_buf_done) struct cz_buf vars = CZ_BUF_INIT(4096);
    const char *key;
    json_t *v;
    json_object_foreach (json_object_get(spec, "vars"), key, v)
        cz_buf_addf(&vars, "%s%s=%s", vars.len ? "," : "", key,
                    json_is_string(v) ? json_string_value(v) : "");
    cz_table_add(t, cz_buf_str(&vars));
    add_str(t, o, "version");
    add_age(t, o, "updated");
}

static void value_map_row(struct cz_table *t, const json_t *o)
{
    size_t entries = 0;
    const char *key;
    json_t *v;
    CZ_CLEANUP(cz_buf_done) struct cz_buf paths = CZ_BUF_INIT(4096);
    json_object_foreach (json_object_get(o, "spec"), key, v) {
        entries += json_object_size(v);
        cz_buf_addf(&paths, "%s%s", paths.len ? "," : "", key);
    }
    add_str(t, o, "name");
    cz_table_add(t, cz_buf_str(&paths));
    cz_table_number(t, (int64_t)entries);
    add_str(t, o, "version");
    add_age(t, o, "updated");
}

static void binding_row(struct cz_table *t, const json_t *o)
{
    const json_t *spec = json_object_get(o, "spec");
    const char *group = cz_json_str(spec, "idp_group", NULL);
    add_str(t, o, "name");
    cz_table_addf(t, "%s%s", group ? "group " : "", group ? group : cz_json_str(spec, "principal", ""));
    add_str(t, spec, "role");
    cz_table_add(t, cz_json_bool(spec, "peek", false) ? "peek" : "");
    add_str(t, o, "version");
    add_age(t, o, "updated");
}

static void grant_row(struct cz_table *t, const json_t *o)
{
    const json_t *spec = json_object_get(o, "spec"), *mode;
    size_t i;
    CZ_CLEANUP(cz_buf_done) struct cz_buf modes = CZ_BUF_INIT(256);
    bool prefix = strcmp(cz_json_str(spec, "pattern_type", ""), "prefix") == 0;
    json_array_foreach (json_object_get(spec, "modes"), i, mode)
        cz_buf_addf(&modes, "%s%s", i ? "," : "", json_is_string(mode) ? json_string_value(mode) : "");
    add_str(t, o, "name");
    add_str(t, spec, "cluster");
    cz_table_addf(t, "%s %s%s", cz_json_str(spec, "resource_type", ""), cz_json_str(spec, "pattern", ""),
                  prefix ? "…" : "");
    cz_table_add(t, cz_buf_str(&modes));
    add_str(t, o, "version");
    add_age(t, o, "updated");
}

static void worker_row(struct cz_table *t, const json_t *o)
{
    add_str(t, o, "id");
    add_str(t, o, "state");
    add_str(t, o, "host");
    add_str(t, o, "version");
    add_count(t, o, "tasks");
    cz_table_addf(t, "%lld", (long long)cz_json_int(o, "applied", 0));
    cz_table_addf(t, "%.1fs", (double)cz_json_int(o, "age_ms", 0) / 1000.0);
    add_age(t, o, "started");
}

static void change_row(struct cz_table *t, const json_t *o)
{
    add_str(t, o, "seq");
    add_str(t, o, "at");
    add_str(t, o, "team");
    add_str(t, o, "actor");
    add_str(t, o, "via");
    cz_table_addf(t, "+%lld ~%lld -%lld", (long long)cz_json_int(o, "created", 0),
                  (long long)cz_json_int(o, "updated", 0),
                  (long long)cz_json_int(o, "deleted", 0));
    const char *comment = cz_json_str(o, "comment", "");
    int64_t reverts = cz_json_int(o, "reverts", 0);
    if (reverts)
        cz_table_addf(t, "rolls back %lld%s%s", (long long)reverts, *comment ? ": " : "",
                      comment);
    else
        cz_table_add(t, comment);
}

static void team_row(struct cz_table *t, const json_t *o)
{
    add_str(t, o, "name");
    cz_table_add(t, cz_json_bool(o, "restricted", false) ? "restricted" : "");
    cz_table_add(t, cz_json_bool(o, "own_clusters", false) ? "own clusters" : "");
}

#define VERSION_AGE "|>VERSION|>CHANGED"
const struct cz_cli_kind cz_cli_kinds[] = {
    {"cluster",
     "clusters",
     {0},
     true,
     0,
     NULL,
     "NAME|BOOTSTRAP|DESCRIPTION" VERSION_AGE,
     cluster_row},
    {"value_map",
     "value-maps",
     {"value-map", "value_maps", "vm"},
     true,
     1,
     NULL,
     "NAME|MAPS|>ENTRIES" VERSION_AGE,
     value_map_row},
    {"template",
     "templates",
     {0},
     true,
     2,
     NULL,
     "NAME|GROUP|>VARIABLES|>MAPPINGS" VERSION_AGE,
     template_row},
    {"mapping",
     "mappings",
     {"map", "m"},
     true,
     3,
     NULL,
     "NAME|GROUP|SOURCE|TARGET|*STATE|>LAG|>IN/S|>OUT/S|>CHANGED",
     mapping_row},
    {"instance",
     "instances",
     {0},
     true,
     4,
     NULL,
     "NAME|TEMPLATE|VARS" VERSION_AGE,
     instance_row},
    {"binding",
     "bindings",
     {"member", "members"},
     true,
     1,
     NULL,
     "NAME|WHO|ROLE|PEEK" VERSION_AGE,
     binding_row},
    {"grant",
     "grants",
     {0},
     true,
     1,
     NULL,
     "NAME|CLUSTER|WHAT|MODES" VERSION_AGE,
     grant_row},
    {"worker",
     "workers",
     {0},
     false,
     9,
     "workers",
     "ID|*STATE|HOST|VERSION|>TASKS|>APPLIED|>HEARTBEAT|>STARTED",
     worker_row},
    {"change",
     "changes",
     {0},
     false,
     9,
     "changes",
     ">SEQ|AT|TEAM|ACTOR|VIA|OBJECTS|COMMENT",
     change_row},
    {"team", "teams", {0}, false, 9, "teams", "NAME|GRANTS|CLUSTERS", team_row},
    {0},
};

const struct cz_cli_kind *cz_cli_kind(const char *word)
{
    for (const struct cz_cli_kind *k = cz_cli_kinds; k->name; k++) {
        if (strcmp(word, k->name) == 0 || strcmp(word, k->collection) == 0)
            return k;
        for (size_t i = 0; i < 4 && k->aliases[i]; i++)
            if (strcmp(word, k->aliases[i]) == 0)
                return k;
    }
    return NULL;
}

const char *cz_cli_kind_names(void)
{
    return "cluster, value_map, template, mapping, instance, binding, grant, worker, change, team";
}

/* ---- targets
 * ---------------------------------------------------------------------------------- */

void cz_cli_targets_done(struct cz_cli_targets *t)
{
    cz_free(t->items);
    *t = (struct cz_cli_targets){0};
}

static int no_kind(const struct cz_cli *cli, const char *word)
{
    const char *names[64];
    size_t n = 0;
    for (const struct cz_cli_kind *k = cz_cli_kinds; k->name; k++)
        names[n++] = k->name;
    names[n] = NULL;
    const char *near = cz_cli_nearest(word, names);
    return cz_cli_usage(cli, "there is no kind \"%s\"%s%s%s (%s)", word,
                        near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "",
                        cz_cli_kind_names());
}

/* "mapping/orders": names have no slash, so this is never one. */
static int add_slashed(const struct cz_cli *cli, const char *word, struct cz_cli_targets *t)
{
    const char *slash = strchr(word, '/');
    CZ_CLEANUP(cz_freep) char *kind_word = cz_strndup(word, (size_t)(slash - word));
    const struct cz_cli_kind *kind = cz_cli_kind(kind_word);
    if (!kind)
        return no_kind(cli, kind_word);
    if (!slash[1])
        return cz_cli_usage(cli, "a name is missing behind \"%s\"", word);
    t->items[t->len++] = (struct cz_cli_target){kind, slash + 1};
    return CZ_EXIT_OK;
}

int cz_cli_targets(const struct cz_cli *cli,
                   const struct cz_cli_kind *def,
                   struct cz_cli_targets *ret)
{
    size_t n = cli->args.pos_len, i = 0;
    const char **pos = cli->args.pos;
    struct cz_cli_targets t = {.kind = def, .items = cz_alloc_array(n + 1, sizeof *t.items)};
    int rc = CZ_EXIT_OK;
    if (n > 0 && !strchr(pos[0], '/') && (!def || (n > 1 && cz_cli_kind(pos[0])))) {
        t.kind = cz_cli_kind(pos[0]);
        rc = t.kind ? CZ_EXIT_OK : no_kind(cli, pos[0]);
        i = 1;
    }
    for (; rc == CZ_EXIT_OK && i < n; i++) {
        if (strchr(pos[i], '/'))
            rc = add_slashed(cli, pos[i], &t);
        else if (!t.kind)
            rc = cz_cli_usage(cli, "\"%s\": write KIND/NAME here too", pos[i]);
        else if (!*pos[i])
            rc = cz_cli_usage(cli, "a name is empty");
        else
            t.items[t.len++] = (struct cz_cli_target){t.kind, pos[i]};
    }
    if (rc == CZ_EXIT_OK)
        *ret = t;
    else
        cz_cli_targets_done(&t);
    return rc;
}
