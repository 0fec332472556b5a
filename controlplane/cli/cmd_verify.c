/* SPDX-License-Identifier: Apache-2.0 */
/** citizenk verify: is all of a mapping on its target, and nothing else? */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "cz/json.h"
#include "cz/time.h"
#include "output.h"
#include "rest.h"
#include "table.h"

enum { TIMEOUT_S = 60, ANSWER_MS = 5000 };

static json_t *request(const struct cz_cli *cli)
{
    char time[CZ_RFC3339_SIZE];
    int64_t now = cz_wall_ms(), timeout = cz_cli_duration(cli, "timeout", (int64_t)TIMEOUT_S * 1000);
    json_t *body = json_object();
    if (cz_cli_has(cli, "all"))
        cz_json_set_str(body, "since", "all");
    else if (cz_cli_has(cli, "last"))
        cz_json_set_str(body, "since", cz_rfc3339(now - cz_cli_duration(cli, "last", 0), time));
    else
        cz_json_set_str(body, "since", cz_cli_value(cli, "since"));
    cz_json_set_str(body, "until", cz_cli_value(cli, "until"));
    if (cz_cli_has(cli, "window"))
        json_object_set_new(body, "window_seconds", json_integer(cz_cli_duration(cli, "window", 0) / 1000));
    if (cz_cli_has(cli, "max-records"))
        cz_json_set_str(body, "max_records", cz_cli_value(cli, "max-records"));
    if (cz_cli_has(cli, "others"))
        json_object_set_new(body, "others", json_true());
    json_object_set_new(body, "timeout_seconds", json_integer((timeout + 999) / 1000));
    return body;
}

static void add_place(struct cz_table *t, const json_t *place)
{
    if (!place)
        cz_table_add(t, "-");
    else
        cz_table_addf(t, "%s [%lld] %s", cz_json_str(place, "topic", "?"),
                      (long long)cz_json_int(place, "partition", -1), cz_json_str(place, "offset", "?"));
}

static void show(struct cz_cli *cli, const char *name, const json_t *report)
{
    static const char *const kinds[] = {"missing", "doubled", "altered", "misplaced", "extra", NULL};
    struct cz_buf line CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(4096);
    const json_t *list = json_object_get(report, "differences"), *one;
    size_t i;
    cz_buf_addf(&line, "%s: %s expected, %s arrived, %s more on their way",
                cz_json_bool(report, "equal", false) ? "equal" : "DIFFERENT",
                cz_json_str(report, "expected", "?"), cz_json_str(report, "arrived", "?"),
                cz_json_str(report, "pending", "?"));
    for (const char *const *k = kinds; *k; k++) {
        if (strcmp(cz_json_str(report, *k, "0"), "0") != 0)
            cz_buf_addf(&line, ", %s %s", cz_json_str(report, *k, "0"), *k);
    }
    cz_buf_addf(&cli->out, "mapping/%s %s\n", name, cz_buf_str(&line));
    if (json_array_size(list) > 0) {
        struct cz_table t;
        cz_table_init(&t, "WHAT|SOURCE|TARGET");
        json_array_foreach(list, i, one)
        {
            cz_table_add(&t, cz_json_str(one, "kind", "?"));
            add_place(&t, json_object_get(one, "source"));
            add_place(&t, json_object_get(one, "target"));
        }
        cz_table_print(&t, &cli->out, 0, cli->color);
        cz_table_done(&t);
    }
    json_array_foreach(json_object_get(report, "notes"), i, one)
        cz_cli_note("%s", json_string_value(one));
}

static int verify(struct cz_cli *cli)
{
    const char *name = cli->args.pos[0];
    struct cz_error err = CZ_ERROR_INIT;
    if (cz_cli_has(cli, "all") + cz_cli_has(cli, "last") + cz_cli_has(cli, "since") > 1)
        return cz_cli_usage(cli, "--all, --last and --since exclude each other");
    if (cz_cli_context_open(cli, &err))
        return cz_cli_fail(&err);
    if (strncmp(name, "mapping/", 8) == 0)
        name += 8;
    CZ_REST_PATH(path, "teams", cli->context.team, "mappings", name, "verify");
    CZ_CLEANUP(cz_freep) char *what = cz_strf("mapping/%s", name);
    json_t *body = request(cli);
    struct cz_rest_reply reply = {0};
    const struct cz_rest_call call = {
        .method = "POST",
        .path = cz_buf_str(&path),
        .body = body,
        .timeout_ms = (int)cz_json_int(body, "timeout_seconds", TIMEOUT_S) * 1000 + ANSWER_MS};
    int rc = cz_rest_send(cli, &call, &reply);
    if (rc == CZ_EXIT_OK && !cz_rest_good(&reply))
        rc = cz_rest_problem(what, &reply);
    else if (rc == CZ_EXIT_OK) {
        if (!cz_out_document(cli, reply.json))
            show(cli, name, reply.json);
        rc = cz_json_bool(reply.json, "equal", false) ? CZ_EXIT_OK : CZ_EXIT_ERROR;
    }
    cz_rest_reply_done(&reply);
    json_decref(body);
    return rc;
}

static const struct cz_cli_opt options[] = {
    {.name = "last", .type = CZ_OPT_VALUE, .value = CZ_VAL_DURATION, .arg = "TIME",
     .doc = "records of this time until now: 10m, 2h"},
    {.name = "since", .type = CZ_OPT_VALUE, .value = CZ_VAL_TIME, .arg = "TIME",
     .doc = "records from then on: 2026-11-22T18:00:00Z; default: the mapping's last change"},
    {.name = "until", .type = CZ_OPT_VALUE, .value = CZ_VAL_TIME, .arg = "TIME", .doc = "records before then"},
    {.name = "all", .type = CZ_OPT_FLAG, .doc = "all that the topics hold"},
    {.name = "window", .type = CZ_OPT_VALUE, .value = CZ_VAL_DURATION, .arg = "TIME",
     .doc = "length of the windows that are summed up; default 60s"},
    {.name = "max-records", .type = CZ_OPT_VALUE, .arg = "N",
     .doc = "read no more than so many of a topic; default 1000000"},
    {.name = "others", .type = CZ_OPT_FLAG,
     .doc = "others write to the target as well: what is extra there is no difference"},
    {0},
};
const struct cz_cli_cmd cz_cmd_verify = {
    .name = "verify",
    .args = "NAME",
    .summary = "compare what a mapping should have copied with what is on its target",
    .help = "Reads both sides (topics, or files of the control plane's --file-data-path), passes the source's\n"
            "records through the mapping's stages, and compares counts and hashes per partition and window of\n"
            "time. Where they differ, the records are named. Exit code 1: they differ. --timeout bounds the\n"
            "reading (default 60s).",
    .opts = options,
    .min_args = 1,
    .max_args = 1,
    .words_type = CZ_WORDS_MAPPING,
    .exec = verify,
};
