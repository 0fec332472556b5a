/* SPDX-License-Identifier: Apache-2.0 */
/** citizenk apply: make the objects of files so.  Those of a set (citizenk.yaml, --set) and saved plans
 *  are the server's business as a whole (cmd_plan.c).  Other objects go one by one, in three steps: read all documents; let the
 *  server check every one (dry run) before the first is written; write them, kind by kind, each
 *  with the version that was read in step two, so that a change in between is a conflict and is
 *  not overwritten.
 *
 *  A mapping may need a cluster that the same files create.  The server cannot know that in
 * step two, so what it says about an object that names one which is about to change is kept
 * back, and the object is checked again when those it names are written, before any of its own
 * kind. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "cz/json.h"
#include "docs.h"
#include "output.h"
#include "plan_text.h"
#include "rest.h"

enum plan { UNCHANGED, CREATE, UPDATE };

struct item {
    const struct cz_doc *doc;
    enum plan plan;
    char *version;     /* that was read; NULL: the object does not exist */
    bool check_late;   /* its check waits for objects that it names */
    const char *needs; /* label of one of them */
    bool done;
};
struct run {
    struct cz_cli *cli;
    const struct cz_docs *docs;
    struct item *items;
    size_t len;
    int rc;
};

static void run_done(struct run *r)
{
    for (size_t i = 0; i < r->len; i++)
        cz_free(r->items[i].version);
    cz_free(r->items);
}

/* The first failure decides the exit code; those of the input win over "not all applied". */
static void failed(struct run *r, int rc)
{
    if (r->rc == CZ_EXIT_OK || r->rc == CZ_EXIT_WAIT)
        r->rc = rc ? rc : r->rc;
}

/* ---- what names what
 * -------------------------------------------------------------------------- */

static bool mentions(const json_t *j, const char *name)
{
    const char *key;
    json_t *v;
    size_t i;
    if (json_is_string(j))
        return strcmp(json_string_value(j), name) == 0;
    json_object_foreach ((json_t *)CZ_UNCONST(j), key, v)
        if (mentions(v, name))
            return true;
    json_array_foreach (j, i, v)
        if (mentions(v, name))
            return true;
    return false;
}

/* An object written earlier, and changed, that this one may depend on: it is named, or it is
 * behind one that is named (a template's clusters). NULL: none. */
static const struct item *depends_on(const struct run *r, const struct item *it)
{
    for (size_t i = 0; i < r->len; i++) {
        const struct item *o = &r->items[i];
        if (o->doc->kind->order >= it->doc->kind->order || o->done ||
            (o->plan == UNCHANGED && !o->check_late))
            continue;
        if (mentions(it->doc->body, o->doc->name) ||
            (o->check_late && mentions(it->doc->body, o->doc->name)))
            return o;
    }
    return NULL;
}

/* ---- calls
 * ------------------------------------------------------------------------------------ */

static void object_path(const struct run *r, const struct item *it, struct cz_buf *path)
{
    cz_rest_object(r->cli, path, it->doc->team, it->doc->kind, it->doc->name);
}

static int read_version(const struct run *r, struct item *it)
{
    struct cz_buf path CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(64 * 1024);
    object_path(r, it, &path);
    return cz_rest_version(r->cli, cz_buf_str(&path), it->doc->label, &it->version);
}

static int put(const struct run *r,
               const struct item *it,
               bool dry,
               int64_t wait_ms,
               struct cz_rest_reply *ret)
{
    struct cz_buf path CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(64 * 1024);
    char seconds[16];
    object_path(r, it, &path);
    if (dry)
        cz_rest_query(&path, "dry_run", "true");
    cz_rest_query(&path, "comment", cz_cli_value(r->cli, "comment"));
    cz_rest_query(&path, "break_glass", cz_cli_value(r->cli, "break-glass"));
    if (wait_ms) {
        (void)snprintf(seconds, sizeof seconds, "%d", (int)((wait_ms + 999) / 1000));
        cz_rest_query(&path, "wait", "applied");
        cz_rest_query(&path, "timeout", seconds);
    }
    struct cz_rest_call call = {
        .method = "PUT",
        .path = cz_buf_str(&path),
        .body = it->doc->body,
        .if_match = it->version,
        .create_only = !it->version,
        .timeout_ms = (int)wait_ms,
    };
    return cz_rest_send(r->cli, &call, ret);
}

/* The file says which version it was made from, and that is not the one on the server. */
static int check_base(const struct run *r, const struct item *it)
{
    const char *base = it->doc->version;
    if (!base || it->plan != UPDATE || strcmp(base, it->version) == 0)
        return CZ_EXIT_OK;
    CZ_CLEANUP(cz_freep)
    char *text = cz_strf("this file was made from version %s, but the object has version %s by "
                         "now; get it again, "
                         "or take \"version\" out of the file to overwrite it",
                         base, it->version);
    cz_docs_say(r->docs, it->doc, "/version", text);
    return CZ_EXIT_CONFLICT;
}

/* ---- step two: plan
 * --------------------------------------------------------------------------- */

static int check(const struct run *r, struct item *it)
{
    struct cz_rest_reply reply;
    int rc = put(r, it, true, 0, &reply);
    if (rc)
        return rc;
    const struct item *first = NULL;
    if (cz_rest_good(&reply)) {
        it->plan = cz_json_bool(reply.json, "unchanged", false) ? UNCHANGED
                   : it->version                                ? UPDATE
                                                                : CREATE;
        it->check_late = false;
        rc = check_base(r, it);
    } else if (reply.status == 422 && (first = depends_on(r, it))) {
        it->plan = it->version ? UPDATE : CREATE;
        it->check_late = true;
        it->needs = first->doc->label;
    } else {
        rc = cz_docs_problem(r->docs, it->doc, &reply);
    }
    cz_rest_reply_done(&reply);
    return rc;
}

static void plan(struct run *r)
{
    for (size_t i = 0; i < r->len; i++) {
        struct item *it = &r->items[i];
        int rc = read_version(r, it);
        if (rc == CZ_EXIT_OK)
            rc = check(r, it);
        failed(r, rc);
        if (rc == CZ_EXIT_ERROR || rc == CZ_EXIT_DENIED || rc == CZ_EXIT_USAGE)
            return; /* the next one would fare no better */
    }
}

/* ---- step three: write
 * ------------------------------------------------------------------------ */

static const char *word_of(enum plan p)
{
    return p == CREATE ? "created" : p == UPDATE ? "configured" : "unchanged";
}

static void show(const struct run *r, const struct item *it, bool dry)
{
    const char *word = word_of(it->plan);
    CZ_CLEANUP(cz_freep)
    char *full = !dry ? cz_strdup(word)
                 : it->check_late
                     ? cz_strf("%s (dry run; to be checked after %s)", word, it->needs)
                     : cz_strf("%s (dry run)", word);
    cz_out_done(r->cli, it->doc->kind->name, it->doc->name, full);
}

static int write_one(const struct run *r, struct item *it, int64_t wait_ms)
{
    struct cz_rest_reply reply;
    int rc = put(r, it, false, wait_ms, &reply);
    if (rc)
        return rc;
    if (cz_rest_good(&reply)) {
        if (cz_json_bool(reply.json, "unchanged", false))
            it->plan = UNCHANGED;
        it->done = true;
        cz_out_warnings(it->doc->label, reply.json);
        show(r, it, false);
        if (wait_ms && !cz_json_bool(reply.json, "applied", true)) {
            cz_cli_say("%s: saved, but not all workers have applied it yet", it->doc->label);
            rc = CZ_EXIT_WAIT;
        }
    } else {
        rc = cz_docs_problem(r->docs, it->doc, &reply);
    }
    cz_rest_reply_done(&reply);
    return rc;
}

/* Those of one kind that were not checked yet; what they name is written by now. */
static void check_kind(struct run *r, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (r->items[i].check_late)
            failed(r, check(r, &r->items[i]));
}

static size_t last_change(const struct run *r)
{
    size_t last = r->len;
    for (size_t i = 0; i < r->len; i++)
        if (r->items[i].plan != UNCHANGED)
            last = i;
    return last;
}

/* A later number covers all before it, so only the last write has to wait for the workers. */
static void write_all(struct run *r)
{
    int64_t wait_ms = cz_rest_wait_ms(r->cli);
    size_t last = last_change(r), to;
    for (size_t from = 0; from < r->len && (r->rc == CZ_EXIT_OK || r->rc == CZ_EXIT_WAIT);
         from = to) {
        for (to = from; to < r->len && r->items[to].doc->kind == r->items[from].doc->kind;)
            to++;
        check_kind(r, from, to);
        for (size_t i = from; i < to && (r->rc == CZ_EXIT_OK || r->rc == CZ_EXIT_WAIT); i++) {
            struct item *it = &r->items[i];
            if (it->plan == UNCHANGED)
                show(r, it, false);
            else
                failed(r, write_one(r, it, i == last ? wait_ms : 0));
        }
    }
}

static void say_rest(const struct run *r)
{
    size_t written = 0, left = 0;
    for (size_t i = 0; i < r->len; i++) {
        written += r->items[i].done;
        left += !r->items[i].done && r->items[i].plan != UNCHANGED;
    }
    if (written == 0)
        cz_cli_note("Nothing was changed.");
    else
        cz_cli_note("Stopped: %zu written, %zu not.", written, left);
}

static bool refuse_renames(const struct cz_docs *docs)
{
    bool bad = false;
    for (size_t i = 0; i < docs->len; i++) {
        if (!json_object_get(docs->items[i].value, "renamed_from"))
            continue;
        cz_docs_say(docs, &docs->items[i], "/renamed_from", "only the objects of a set can be renamed");
        bad = true;
    }
    return bad;
}

static int apply_objects(struct cz_cli *cli)
{
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_docs docs = {0};
    bool dry = cz_cli_has(cli, "dry-run");
    int rc = cz_docs_load(cli, &docs);
    if (rc)
        return rc;
    if (refuse_renames(&docs) || cz_cli_context_open(cli, &err)) {
        cz_docs_done(&docs);
        return err.code ? cz_cli_fail(&err) : CZ_EXIT_INVALID;
    }
    CZ_CLEANUP(run_done)
    struct run r = {.cli = cli,
                    .docs = &docs,
                    .items = cz_alloc_array(docs.len, sizeof *r.items),
                    .len = docs.len};
    for (size_t i = 0; i < docs.len; i++)
        r.items[i].doc = &docs.items[i];
    plan(&r);
    if (r.rc == CZ_EXIT_OK && dry)
        for (size_t i = 0; i < r.len; i++)
            show(&r, &r.items[i], true);
    else if (r.rc == CZ_EXIT_OK)
        write_all(&r);
    if (r.rc != CZ_EXIT_OK && r.rc != CZ_EXIT_WAIT)
        say_rest(&r);
    cz_docs_done(&docs);
    return r.rc;
}

static int apply(struct cz_cli *cli)
{
    CZ_CLEANUP(cz_set_job_done) struct cz_set_job j = {0};
    static const char *const of_sets[] = {"prune",       "max-deletes",    "allow-empty", "adopt",
                                          "force-adopt", "override-block", "commit",      "repo"};
    if (cli->args.pos_len > 0)
        return cz_apply_plan(cli, cli->args.pos[0]);
    int rc = cz_set_job_load(cli, &j);
    if (rc)
        return rc;
    if (j.set && cz_cli_has(cli, "break-glass"))
        return cz_cli_usage(cli, "--break-glass is for what is changed past the set; this is the set itself");
    if (j.set)
        return cz_apply_set(cli, &j);
    for (size_t i = 0; i < sizeof of_sets / sizeof *of_sets; i++)
        if (cz_cli_has(cli, of_sets[i]))
            return cz_cli_usage(cli, "--%s is for a set: put a " CZ_SET_FILE " beside the files, or say --set",
                                of_sets[i]);
    if (!cz_cli_has(cli, "file"))
        return cz_cli_usage(cli, "-f PATH is missing (or a " CZ_SET_FILE " here)");
    return apply_objects(cli);
}

static const struct cz_cli_opt options[] = {CZ_OPT_FILES,   CZ_OPT_DRY_RUN,     CZ_OPT_COMMENT,
                                            CZ_OPT_WAIT,    CZ_OPT_BREAK_GLASS, CZ_OPT_DETAILED,
                                            CZ_OPTS_PLAN,   {0}};
const struct cz_cli_cmd cz_cmd_apply = {
    .name = "apply",
    .args = "-f PATH… | PLAN.json",
    .summary = "create or change objects as files say",
    .help = "A file holds documents {api: citizenk/v1, kind, name, team, group, labels, "
            "description, spec}, in\n"
            "YAML (without anchors, aliases and tags) or JSON.\n"
            "With a " CZ_SET_FILE " {set, team, server, require_comment} beside them they are one set: the\n"
            "server applies all of them in one change, or none. PLAN.json is a saved plan: it is applied\n"
            "only when it still says what would be done (else exit 3). Without a set each object is written\n"
            "by itself; all are checked before the first is written.",
    .opts = options,
    .max_args = 1,
    .words_type = CZ_WORDS_NONE,
    .exec = apply,
};
