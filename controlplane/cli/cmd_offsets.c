/* SPDX-License-Identifier: Apache-2.0 */
/** citizenk offsets: the positions of a mapping, shown and moved. */
#include <string.h>
#include <time.h>

#include "commands.h"
#include "cz/json.h"
#include "cz/time.h"
#include "cz/util.h"
#include "output.h"
#include "rest.h"
#include "table.h"

enum { IDLE_WAIT_MS = 60000, IDLE_POLL_MS = 200 };

struct offsets {
    struct cz_cli *cli;
    const char *name;
    char *what; /* "mapping/orders" */
    char path[4096];
};

static int open_mapping(struct cz_cli *cli, struct offsets *ret)
{
    struct cz_error err = CZ_ERROR_INIT;
    const char *name = cli->args.pos[1];
    if (cz_cli_context_open(cli, &err))
        return cz_cli_fail(&err);
    if (strncmp(name, "mapping/", 8) == 0)
        name += 8;
    CZ_REST_PATH(path, "teams", cli->context.team, "mappings", name, "offsets");
    *ret = (struct offsets){.cli = cli, .name = name, .what = cz_strf("mapping/%s", name)};
    snprintf(ret->path, sizeof ret->path, "%s", cz_buf_str(&path));
    return CZ_EXIT_OK;
}

static void add_offset(struct cz_table *t, const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    if (!v || json_is_null(v))
        cz_table_add(t, NULL);
    else
        cz_table_number(t, cz_json_int(o, key, 0));
}

/* ---- show --------------------------------------------------------------------------------- */

static int show(struct offsets *o)
{
    json_t *answer = NULL, *p;
    size_t i;
    int rc = cz_rest_get(o->cli, o->path, o->what, &answer);
    if (rc || cz_out_document(o->cli, answer)) {
        json_decref(answer);
        return rc;
    }
    struct cz_table t;
    cz_table_init(&t, "TOPIC|>PARTITION|>COMMITTED|>START|>END|>LAG|PROBLEM");
    json_array_foreach (json_object_get(answer, "partitions"), i, p) {
        cz_table_add(&t, cz_json_str(p, "topic", ""));
        cz_table_addf(&t, "%lld", (long long)cz_json_int(p, "partition", 0));
        add_offset(&t, p, "committed");
        add_offset(&t, p, "start");
        add_offset(&t, p, "end");
        add_offset(&t, p, "lag");
        cz_table_add(&t, cz_json_str(p, "error", NULL));
    }
    const char *group = cz_json_str(answer, "group", NULL);
    cz_out_field(o->cli, 8, "group", group ? group : "none");
    cz_out_field(o->cli, 8, "cluster", cz_json_str(answer, "cluster", "?"));
    cz_buf_addc(&o->cli->out, '\n');
    cz_table_print(&t, &o->cli->out, 0, o->cli->color);
    cz_table_done(&t);
    json_decref(answer);
    return CZ_EXIT_OK;
}

/* ---- reset -------------------------------------------------------------------------------- */

static json_t *one(const char *key, json_t *value)
{
    json_t *o = json_object();
    (void)json_object_set_new(o, key, value);
    return o;
}

/* "0=42" or "orders/0=42" */
static bool add_given(json_t *offsets, const char *text)
{
    const char *equals = strrchr(text, '=');
    const char *slash = strrchr(text, '/');
    int64_t offset;
    if (!equals || equals == text || !cz_parse_i64(equals + 1, &offset))
        return false;
    if (slash && slash > equals)
        return false;
    const char *from = slash ? slash + 1 : text;
    CZ_CLEANUP(cz_freep) char *partition = cz_strndup(from, (size_t)(equals - from));
    json_t *into = offsets;
    if (slash) {
        CZ_CLEANUP(cz_freep) char *topic = cz_strndup(text, (size_t)(slash - text));
        into = json_object_get(offsets, topic);
        if (!into) {
            into = json_object();
            (void)json_object_set_new(offsets, topic, into);
        }
    }
    int64_t number;
    if (!json_is_object(into) || !cz_parse_i64(partition, &number))
        return false;
    cz_json_set_i64(into, partition, offset);
    return true;
}

static int given(struct cz_cli *cli, const char *option, json_t **ret)
{
    json_t *offsets = json_object();
    const char *text;
    for (size_t i = 0; (text = cz_cli_item(cli, option, i)); i++) {
        if (add_given(offsets, text))
            continue;
        json_decref(offsets);
        return cz_cli_usage(cli, "--%s is PARTITION=OFFSET or TOPIC/PARTITION=OFFSET, not \"%s\"", option, text);
    }
    *ret = one("offsets", offsets);
    return CZ_EXIT_OK;
}

static int read_to(struct cz_cli *cli, json_t **ret)
{
    static const char *const options[] = {"to-earliest", "to-latest", "to-time", "to-offset", "shift"};
    int n = 0;
    int64_t shift;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        n += cz_cli_has(cli, options[i]);
    if (n != 1)
        return cz_cli_usage(cli, "say where to: one of --to-earliest, --to-latest, --to-time, "
                                 "--to-offset and --shift");
    if (cz_cli_has(cli, "to-earliest"))
        *ret = json_string("earliest");
    else if (cz_cli_has(cli, "to-latest"))
        *ret = json_string("latest");
    else if (cz_cli_has(cli, "to-time"))
        *ret = one("timestamp", json_string(cz_cli_value(cli, "to-time")));
    else if (cz_cli_has(cli, "to-offset"))
        return given(cli, "to-offset", ret);
    else if (cz_parse_i64(cz_cli_value(cli, "shift"), &shift))
        *ret = one("shift", json_integer(shift));
    else
        return cz_cli_usage(cli, "--shift is a number of records, negative: back");
    return CZ_EXIT_OK;
}

static int read_body(struct cz_cli *cli, json_t **ret)
{
    json_t *to = NULL, *partitions = json_array();
    const char *text;
    int64_t n;
    int rc = read_to(cli, &to);
    for (size_t i = 0; !rc && (text = cz_cli_item(cli, "partition", i)); i++) {
        if (cz_parse_i64(text, &n) && n >= 0)
            (void)json_array_append_new(partitions, json_integer(n));
        else
            rc = cz_cli_usage(cli, "--partition is a number, not \"%s\"", text);
    }
    if (!rc) {
        *ret = one("to", json_incref(to));
        cz_json_set_str(*ret, "topic", cz_cli_value(cli, "topic"));
        if (json_array_size(partitions) > 0)
            (void)json_object_set(*ret, "partitions", partitions);
    }
    json_decref(to);
    json_decref(partitions);
    return rc;
}

/* Pause or resume it, for --pause. */
static int act(struct offsets *o, const char *action, const json_t *body)
{
    CZ_REST_PATH(path, "teams", o->cli->context.team, "mappings", o->name, action);
    struct cz_rest_reply reply = {0};
    int rc = cz_rest_send(o->cli, &(struct cz_rest_call){.method = "POST", .path = cz_buf_str(&path), .body = body},
                          &reply);
    if (!rc && !cz_rest_good(&reply))
        rc = cz_rest_problem(o->what, &reply);
    cz_rest_reply_done(&reply);
    return rc;
}

/* Whether the mapping is to run now: then it is paused for the move, else it stays as it is. */
static int runs(struct offsets *o, bool *ret)
{
    CZ_REST_PATH(path, "teams", o->cli->context.team, "mappings", o->name);
    json_t *m = NULL;
    int rc = cz_rest_get(o->cli, cz_buf_str(&path), o->what, &m);
    *ret = cz_json_bool(json_object_get(m, "spec"), "enabled", true) &&
           !cz_json_bool(json_object_get(m, "override"), "paused", false);
    json_decref(m);
    return rc;
}

static int wait_idle(struct offsets *o)
{
    cz_time deadline = cz_deadline_ms(IDLE_WAIT_MS);
    for (;;) {
        json_t *answer = NULL;
        int rc = cz_rest_get(o->cli, o->path, o->what, &answer);
        bool idle = cz_json_bool(answer, "can_be_moved", false) || json_is_null(json_object_get(answer, "group"));
        json_decref(answer);
        if (rc || idle)
            return rc;
        if (cz_remaining_ms(deadline) == 0) {
            cz_cli_say("%s: its tasks have not stopped within a minute", o->what);
            return CZ_EXIT_WAIT;
        }
        struct timespec pause = {.tv_nsec = IDLE_POLL_MS * 1000000L};
        (void)nanosleep(&pause, NULL);
    }
}

static void print_moved(struct cz_cli *cli, const json_t *answer)
{
    struct cz_table t;
    size_t i;
    json_t *p;
    cz_table_init(&t, "TOPIC|>PARTITION|>FROM|>TO|>CHANGE");
    json_array_foreach (json_object_get(answer, "moved"), i, p) {
        cz_table_add(&t, cz_json_str(p, "topic", ""));
        cz_table_addf(&t, "%lld", (long long)cz_json_int(p, "partition", 0));
        add_offset(&t, p, "from");
        add_offset(&t, p, "to");
        add_offset(&t, p, "change");
    }
    cz_table_print(&t, &cli->out, 0, cli->color);
    cz_table_done(&t);
}

static int move(struct offsets *o, const json_t *body)
{
    json_t *answer = NULL;
    int rc = cz_rest_write(
        o->cli, &(struct cz_rest_call){.method = "POST", .path = o->path, .body = body},
        o->what, &answer);
    if (answer && !cz_out_document(o->cli, answer))
        print_moved(o->cli, answer);
    if (answer && cz_cli_has(o->cli, "dry-run"))
        cz_cli_note("Nothing was moved (dry run). CHANGE > 0: records that would be left out; < 0: copied again.");
    json_decref(answer);
    return rc;
}

static int move_paused(struct offsets *o, const json_t *body)
{
    bool running = false;
    int rc = runs(o, &running);
    if (!rc && running) {
        json_t *why = one("reason", json_string("its offsets are moved"));
        rc = act(o, "pause", why);
        json_decref(why);
    }
    if (rc)
        return rc;
    rc = wait_idle(o);
    if (!rc)
        rc = move(o, body);
    int back = running ? act(o, "resume", NULL) : CZ_EXIT_OK; /* whatever became of it */
    return rc ? rc : back;
}

static int reset(struct offsets *o)
{
    json_t *body = NULL;
    int rc = read_body(o->cli, &body);
    if (!rc)
        rc = cz_cli_has(o->cli, "pause") && !cz_cli_has(o->cli, "dry-run") ? move_paused(o, body)
                                                                           : move(o, body);
    json_decref(body);
    return rc;
}

/* ---- translate ---------------------------------------------------------------------------- */

static int translate_body(struct cz_cli *cli, json_t **ret)
{
    json_t *offsets = NULL;
    const char *group = cz_cli_value(cli, "group");
    bool some = cz_cli_has(cli, "offset");
    if (!group == !some)
        return cz_cli_usage(cli, "say what: --group, or --offset PARTITION=OFFSET");
    *ret = json_object();
    cz_json_set_str(*ret, "direction", cz_cli_has(cli, "to-source") ? "to_source" : "to_target");
    cz_json_set_str(*ret, "group", group);
    int rc = some ? given(cli, "offset", &offsets) : CZ_EXIT_OK;
    if (offsets)
        (void)json_object_set(*ret, "offsets", json_object_get(offsets, "offsets"));
    json_decref(offsets);
    return rc;
}

static void print_translated(struct cz_cli *cli, const json_t *answer)
{
    struct cz_table t;
    size_t i;
    json_t *p;
    cz_table_init(&t, "TOPIC|>PARTITION|>OFFSET|TO|>PARTITION|>OFFSET|EXACT|REASON");
    json_array_foreach (json_object_get(answer, "partitions"), i, p) {
        cz_table_add(&t, cz_json_str(p, "topic", ""));
        cz_table_addf(&t, "%lld", (long long)cz_json_int(p, "partition", 0));
        add_offset(&t, p, "offset");
        cz_table_add(&t, cz_json_str(p, "to_topic", NULL));
        cz_table_addf(&t, "%lld", (long long)cz_json_int(p, "to_partition", 0));
        add_offset(&t, p, "to_offset");
        cz_table_add(&t, cz_json_bool(p, "exact", false) ? "yes" : "no");
        cz_table_add(&t, cz_json_str(p, "reason", NULL));
    }
    cz_table_print(&t, &cli->out, 0, cli->color);
    cz_table_done(&t);
}

static int translate(struct offsets *o)
{
    json_t *body = NULL, *answer = NULL;
    int rc = translate_body(o->cli, &body);
    CZ_CLEANUP(cz_freep) char *path = cz_strf("%s/translate", o->path);
    if (!rc)
        rc = cz_rest_write(o->cli, &(struct cz_rest_call){.method = "POST", .path = path, .body = body}, o->what,
                           &answer);
    if (answer && !cz_out_document(o->cli, answer))
        print_translated(o->cli, answer);
    json_decref(body);
    json_decref(answer);
    return rc;
}

static const struct {
    const char *name;
    int (*run)(struct offsets *o);
} verbs[] = {{"show", show}, {"reset", reset}, {"translate", translate}, {NULL, NULL}};

static int run(struct cz_cli *cli)
{
    struct offsets o;
    const char *verb = cli->args.pos[0];
    size_t i = 0;
    while (verbs[i].name && strcmp(verbs[i].name, verb) != 0)
        i++;
    if (!verbs[i].name)
        return cz_cli_usage(cli, "offsets show, reset or translate, not \"%s\"", verb);
    int rc = open_mapping(cli, &o);
    if (rc)
        return rc;
    rc = verbs[i].run(&o);
    cz_free(o.what);
    return rc;
}

static const char *const words[] = {"show", "reset", "translate", NULL};
static const struct cz_cli_opt options[] = {
    {.name = "to-earliest", .type = CZ_OPT_FLAG, .doc = "reset: to the first record of the log"},
    {.name = "to-latest", .type = CZ_OPT_FLAG, .doc = "reset: to the end: only what is new"},
    {.name = "to-time",
     .type = CZ_OPT_VALUE,
     .arg = "TIME",
     .doc = "reset: to the first record that is not older: 2026-11-22T18:00:00Z"},
    {.name = "to-offset",
     .type = CZ_OPT_LIST,
     .arg = "P=OFFSET",
     .doc = "reset: this partition to this offset; TOPIC/P=OFFSET with several topics"},
    {.name = "shift", .type = CZ_OPT_VALUE, .arg = "N", .doc = "reset: by N records, back when N < 0"},
    {.name = "topic", .type = CZ_OPT_VALUE, .arg = "TOPIC", .doc = "reset: only this source topic"},
    {.name = "partition", .type = CZ_OPT_LIST, .arg = "P", .doc = "reset: only this partition"},
    {.name = "pause",
     .type = CZ_OPT_FLAG,
     .doc = "reset: pause the mapping, move, resume it; else it must be paused or disabled"},
    {.name = "group",
     .type = CZ_OPT_VALUE,
     .arg = "GROUP",
     .doc = "translate: what this group has committed"},
    {.name = "offset",
     .type = CZ_OPT_LIST,
     .arg = "P=OFFSET",
     .doc = "translate: this offset; TOPIC/P=OFFSET with several topics"},
    {.name = "to-source", .type = CZ_OPT_FLAG, .doc = "translate: from the target back to the source"},
    CZ_OPT_DRY_RUN,
    CZ_OPT_COMMENT,
    {0},
};
const struct cz_cli_cmd cz_cmd_offsets = {
    .name = "offsets",
    .args = "show|reset|translate MAPPING",
    .summary = "show, move or translate the positions of a mapping",
    .help = "show: what its group has committed, beside the log's ends.\n"
            "reset: where it goes on. Records between are left out or copied again; --dry-run shows it.\n"
            "translate: where a group, or an offset, is on the target, or back; needs offset_map.",
    .opts = options,
    .min_args = 2,
    .max_args = 2,
    .words_type = CZ_WORDS_FIXED,
    .words = words,
    .exec = run,
};
