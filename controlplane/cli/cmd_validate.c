/* SPDX-License-Identifier: Apache-2.0 */
/** citizenk validate: documents checked without a server, by the server's own code: the service plans
 *  them on an empty store in memory.  So templates are rendered, expressions compiled, tests of mappings
 *  run, cycles and shared consumer groups found.  What only the server can know (topics, clusters and
 *  maps that are not among the files, owners) is taken to be fine, and told. */
#include <string.h>

#include "commands.h"
#include "cz/json.h"
#include "cz/service.h"
#include "cz/storage.h"
#include "plan_text.h"
#include "set_file.h"

static enum cz_err all_exist(void *arg,
                             struct cz_cluster *c,
                             const char *const *names,
                             size_t n,
                             cz_time deadline,
                             struct cz_topic_info **ret,
                             struct cz_error *err)
{
    (void)arg, (void)c, (void)deadline, (void)err;
    struct cz_topic_info *t = cz_alloc_array(n + 1, sizeof *t);
    for (size_t i = 0; i < n; i++)
        t[i] = (struct cz_topic_info){.name = cz_strdup(names[i]), .partitions = 1};
    *ret = t;
    return CZ_OK;
}

static bool has(const json_t *objects, const char *kind, const char *name)
{
    json_t *o;
    size_t i;
    json_array_foreach (objects, i, o)
        if (strcmp(cz_json_str(o, "kind", ""), kind) == 0 && strcmp(cz_json_str(o, "name", ""), name) == 0)
            return true;
    return false;
}

/* A cluster that only the server has stands for itself: mappings that name it are checked all the same. */
static void stand_in(json_t *objects, const json_t *spec, const char *end, json_t *unknown)
{
    const char *name = cz_json_str(json_object_get(spec, end), "cluster", NULL);
    if (!name || strstr(name, "{{") || has(objects, "cluster", name))
        return;
    json_t *o = json_pack("{s:s, s:s, s:{s:s}}", "kind", "cluster", "name", name, "spec",
                          "bootstrap_servers", "unknown.invalid:9092");
    if (!o)
        return;
    /* each an own one, so that two of them are not taken for the same */
    CZ_CLEANUP(cz_freep) char *at = cz_strf("unknown-%zu.invalid:9092", json_array_size(objects));
    cz_json_set_str(json_object_get(o, "spec"), "bootstrap_servers", at);
    (void)json_object_set_new(json_object_get(o, "spec"), "schema_registry",
                              json_pack("{s:s}", "url", "http://unknown.invalid"));
    (void)json_array_append_new(objects, o);
    (void)json_array_append_new(unknown, json_string(name));
}

static void stand_ins(json_t *objects, json_t *unknown)
{
    json_t *m;
    size_t i, k, len = json_array_size(objects);
    for (i = 0; i < len; i++) {
        const json_t *spec = json_object_get(json_array_get(objects, i), "spec");
        stand_in(objects, spec, "source", unknown);
        stand_in(objects, spec, "target", unknown);
        json_array_foreach (json_object_get(spec, "mappings"), k, m) {
            stand_in(objects, json_object_get(m, "spec"), "source", unknown);
            stand_in(objects, json_object_get(m, "spec"), "target", unknown);
        }
    }
}

/* Problems that are about what is elsewhere are notes. */
static int say(const struct cz_set_job *j, const struct cz_report *rep)
{
    int rc = CZ_EXIT_OK;
    for (size_t i = 0; i < rep->len; i++) {
        const struct cz_problem *p = &rep->items[i];
        struct cz_buf where CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(8192);
        bool elsewhere = strcmp(p->code, "not-found") == 0;
        cz_set_job_where(j, p->pointer, &where);
        if (elsewhere) {
            cz_cli_note("note: %s: %s (not among the files; the server may have it)", cz_buf_str(&where),
                        p->message);
            continue;
        }
        cz_cli_say("%s: %s", cz_buf_str(&where), p->message);
        rc = CZ_EXIT_INVALID;
    }
    return rc;
}

static int check(const struct cz_set_job *j, json_t *objects)
{
    struct cz_store *store = cz_store_memory_new();
    const struct cz_service_options o = {.store = store, .topics = all_exist};
    struct cz_service *s = cz_service_new(&o);
    const struct cz_apply apply = {.objects = objects, .max_deletes = -1};
    const struct cz_caller who = {.actor = "validate", .via = "cli"};
    struct cz_report rep = CZ_REPORT_INIT;
    struct cz_error err = CZ_ERROR_INIT;
    json_t *plan = NULL;
    enum cz_err code = cz_service_plan(s, &who, "default", "validate", &apply, &plan, &rep, &err);
    int rc = code == CZ_OK         ? CZ_EXIT_OK
             : cz_report_ok(&rep) ? cz_cli_fail(&err)
                                  : say(j, &rep);
    cz_report_done(&rep);
    json_decref(plan);
    cz_service_free(s);
    cz_store_free(store);
    return rc;
}

static int validate(struct cz_cli *cli)
{
    CZ_CLEANUP(cz_set_job_done) struct cz_set_job j = {0};
    json_t *unknown = json_array(), *name;
    size_t i;
    int rc = cz_set_job_read(cli, &j);
    if (rc == CZ_EXIT_OK) {
        json_t *objects = cz_set_job_objects(&j);
        stand_ins(objects, unknown);
        rc = check(&j, objects);
        json_decref(objects);
    }
    json_array_foreach (unknown, i, name)
        if (rc == CZ_EXIT_OK)
            cz_cli_note("note: cluster \"%s\" is not among the files", json_string_value(name));
    if (rc == CZ_EXIT_OK)
        cz_cli_note("%zu document%s valid, as far as that can be told without a server.", j.docs.len,
                    j.docs.len == 1 ? " is" : "s are");
    json_decref(unknown);
    return rc;
}

static const struct cz_cli_opt options[] = {CZ_OPT_FILES, {0}};
const struct cz_cli_cmd cz_cmd_validate = {
    .name = "validate",
    .args = "[-f PATH…]",
    .summary = "check documents without a server",
    .help = "Fields, templates, JMESPath expressions, tests of mappings, cycles: by the server's own checks.\n"
            "Topics, and objects that are not among the files, only the server knows: see plan.",
    .opts = options,
    .words_type = CZ_WORDS_NONE,
    .exec = validate,
};
