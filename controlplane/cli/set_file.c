/* SPDX-License-Identifier: Apache-2.0 */
/** citizenk.yaml, and what plan and apply send. */
#include "set_file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cz/cfg.h"
#include "cz/json.h"
#include "cz/limits.h"
#include "cz/report.h"
#include "cz/util.h"
#include "rest.h"
#include "yaml_doc.h"

enum { MAX_SET_FILE = 64 * 1024 };

#define AT(field) offsetof(struct cz_set_file, field)
static const struct cz_cfg_key ROWS[] = {
    {.name = "set", .type = CZ_CFG_STRING, .flags = CZ_CFG_REQUIRED, .offset = AT(set), .doc = "Name of the set."},
    {.name = "team", .type = CZ_CFG_STRING, .offset = AT(team), .doc = "Its team."},
    {.name = "server", .type = CZ_CFG_STRING, .offset = AT(server), .doc = "URL of the control plane."},
    {.name = "repo", .type = CZ_CFG_STRING, .offset = AT(repo), .doc = "Where these files are from."},
    {.name = "require_comment", .type = CZ_CFG_BOOL, .offset = AT(require_comment), .def = "false",
     .doc = "An apply must say why."},
    {0},
};

void cz_set_file_done(struct cz_set_file *f)
{
    cz_free(f->path);
    f->path = NULL;
    cz_cfg_done(ROWS, f);
    *f = (struct cz_set_file){0};
}

static char *folder_of(const char *path)
{
    struct stat st;
    const char *slash = strrchr(path, '/');
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return cz_strdup(path);
    return slash ? cz_strndup(path, (size_t)(slash - path) + (slash == path)) : cz_strdup(".");
}

static void say_problems(const char *path, const char *text, size_t len, const struct cz_report *rep)
{
    for (size_t i = 0; i < rep->len; i++) {
        struct cz_yaml_place p = cz_yaml_find(text, len, 0, rep->items[i].pointer);
        cz_cli_say("%s:%zu:%zu: %s: %s", path, p.line, p.column, rep->items[i].pointer,
                   rep->items[i].message);
    }
}

static int parse(const char *path, const char *text, size_t len, struct cz_set_file *ret)
{
    struct cz_yaml_docs docs = {0};
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_report rep = CZ_REPORT_INIT;
    struct cz_set_file f = {0};
    if (cz_yaml_read(text, len, &docs, &err)) {
        cz_cli_say("%s:%s", path, err.text);
        return CZ_EXIT_INVALID;
    }
    int rc = CZ_EXIT_OK;
    if (docs.len != 1 || !json_is_object(docs.items[0].value)) {
        cz_cli_say("%s: must be one document {set, team, server}", path);
        rc = CZ_EXIT_INVALID;
    } else if (cz_cfg_parse_json(ROWS, docs.items[0].value, &f, "", &rep)) {
        say_problems(path, text, len, &rep);
        rc = CZ_EXIT_INVALID;
    } else if (cz_name_check(f.set, &err) || (f.team && cz_name_check(f.team, &err))) {
        cz_cli_say("%s: %s", path, err.text);
        rc = CZ_EXIT_INVALID;
    }
    if (rc == CZ_EXIT_OK) {
        f.path = cz_strdup(path);
        *ret = f;
    } else {
        cz_set_file_done(&f);
    }
    cz_report_done(&rep);
    cz_yaml_docs_done(&docs);
    return rc;
}

int cz_set_file_load(const char *const *paths, size_t n, struct cz_set_file *ret)
{
    struct cz_error err = CZ_ERROR_INIT;
    CZ_CLEANUP(cz_freep) char *text = NULL;
    size_t len = 0;
    if (n == 0 || strcmp(paths[0], "-") == 0)
        return CZ_EXIT_OK;
    CZ_CLEANUP(cz_freep) char *folder = folder_of(paths[0]);
    CZ_CLEANUP(cz_freep)
    char *path = strcmp(folder, ".") == 0 ? cz_strdup(CZ_SET_FILE) : cz_strf("%s/" CZ_SET_FILE, folder);
    enum cz_err rc = cz_read_file(path, MAX_SET_FILE, &text, &len, &err);
    if (rc == CZ_E_NOT_FOUND)
        return CZ_EXIT_OK;
    if (rc)
        return cz_cli_fail(&err);
    return parse(path, text, len, ret);
}

/* ---- the job -------------------------------------------------------------------------------- */

void cz_set_job_done(struct cz_set_job *j)
{
    cz_set_file_done(&j->file);
    if (j->loaded)
        cz_docs_done(&j->docs);
    cz_free(j->commit);
    cz_free(j->repo);
    *j = (struct cz_set_job){0};
}

static const char *env(const char *name)
{
    const char *v = getenv(name);
    return v && *v ? v : NULL;
}

/* What GitHub's and GitLab's runners say about themselves, when nothing else is said. */
static void read_origin(const struct cz_cli *cli, struct cz_set_job *j)
{
    const char *commit = cz_cli_value(cli, "commit"), *repo = cz_cli_value(cli, "repo");
    static const char *const shas[] = {"CITIZENK_COMMIT", "GITHUB_SHA", "CI_COMMIT_SHA"};
    for (size_t i = 0; !commit && i < sizeof shas / sizeof *shas; i++)
        commit = env(shas[i]);
    j->commit = cz_strdup(commit);
    repo = repo ? repo : j->file.repo ? j->file.repo : env("CI_PROJECT_URL");
    if (!repo && env("GITHUB_SERVER_URL") && env("GITHUB_REPOSITORY"))
        j->repo = cz_strf("%s/%s", env("GITHUB_SERVER_URL"), env("GITHUB_REPOSITORY"));
    else
        j->repo = cz_strdup(repo);
}

/* All objects of a set are of its team. */
static int check_teams(const struct cz_cli *cli, const struct cz_set_job *j)
{
    int rc = CZ_EXIT_OK;
    for (size_t i = 0; i < j->docs.len; i++) {
        const struct cz_doc *d = &j->docs.items[i];
        if (!d->team || strcmp(d->team, cli->context.team) == 0)
            continue;
        CZ_CLEANUP(cz_freep)
        char *text = cz_strf("the set is of team \"%s\"", cli->context.team);
        cz_docs_say(&j->docs, d, "/team", text);
        rc = CZ_EXIT_INVALID;
    }
    return rc;
}

/* What -f names, or this folder. The array is new, its strings are borrowed. */
static const char **paths_of(const struct cz_cli *cli, size_t *ret_len)
{
    const char **paths = NULL, *path;
    size_t n = 0, cap = 0;
    while ((path = cz_cli_item(cli, "file", n))) {
        cz_grow(&paths, &cap, n, sizeof *paths);
        paths[n++] = path;
    }
    if (n == 0) {
        cz_grow(&paths, &cap, n, sizeof *paths);
        paths[n++] = ".";
    }
    *ret_len = n;
    return paths;
}

int cz_set_job_read(const struct cz_cli *cli, struct cz_set_job *j)
{
    size_t n = 0;
    const char **paths = paths_of(cli, &n);
    int rc = cz_set_file_load(paths, n, &j->file);
    int docs = cz_docs_load_paths(paths, n, &j->docs);
    cz_free(paths);
    j->loaded = docs == CZ_EXIT_OK;
    if (rc == CZ_EXIT_OK && docs == CZ_EXIT_OK && j->docs.len == 0) {
        cz_cli_say("there are no documents here; -f PATH names a file or folder");
        return CZ_EXIT_INVALID;
    }
    return rc ? rc : docs;
}

int cz_set_job_load(struct cz_cli *cli, struct cz_set_job *j)
{
    struct cz_error err = CZ_ERROR_INIT;
    size_t n = 0;
    const char **paths = paths_of(cli, &n), *set = cz_cli_value(cli, "set");
    int rc = cz_set_file_load(paths, n, &j->file);
    j->set = set ? set : j->file.set;
    bool none = rc == CZ_EXIT_OK && !j->set;
    if (rc == CZ_EXIT_OK && !none)
        rc = cz_docs_load_paths(paths, n, &j->docs);
    cz_free(paths);
    if (rc || none)
        return rc;
    j->loaded = true;
    read_origin(cli, j);
    cli->wanted_server = j->file.server;
    cli->wanted_team = j->file.team;
    cli->wanted_by = j->file.path;
    if (cz_cli_context_open(cli, &err))
        return cz_cli_fail(&err);
    return check_teams(cli, j);
}

static json_t *object_of(const struct cz_doc *d)
{
    json_t *o = json_copy(d->body), *from = json_object_get(d->value, "renamed_from");
    cz_json_set_str(o, "kind", d->kind->name);
    cz_json_set_str(o, "name", d->name);
    if (from)
        (void)json_object_set(o, "renamed_from", from);
    return o;
}

static void set_flag(const struct cz_cli *cli, json_t *body, const char *option, const char *member)
{
    if (cz_cli_has(cli, option))
        (void)json_object_set_new(body, member, json_true());
}

json_t *cz_set_job_objects(const struct cz_set_job *j)
{
    json_t *objects = json_array();
    for (size_t i = 0; i < j->docs.len; i++)
        (void)json_array_append_new(objects, object_of(&j->docs.items[i]));
    return objects;
}

json_t *cz_set_job_body(const struct cz_cli *cli, const struct cz_set_job *j)
{
    json_t *body = json_object();
    (void)json_object_set_new(body, "objects", cz_set_job_objects(j));
    set_flag(cli, body, "prune", "prune");
    set_flag(cli, body, "adopt", "adopt");
    set_flag(cli, body, "force-adopt", "force_adopt");
    set_flag(cli, body, "allow-empty", "allow_empty");
    set_flag(cli, body, "override-block", "override_block");
    if (cz_cli_has(cli, "max-deletes"))
        (void)json_object_set_new(body, "max_deletes",
                                  json_integer(cz_cli_number(cli, "max-deletes", 0)));
    cz_json_set_str(body, "commit", j->commit);
    cz_json_set_str(body, "repo", j->repo);
    return body;
}

/* "/objects/12/spec/x" is the object that was sent as number 12. */
static bool split_pointer(const struct cz_set_job *j,
                          const char *pointer,
                          const struct cz_doc **ret_doc,
                          const char **ret_rest)
{
    static const char head[] = "/objects/";
    char *end = NULL;
    if (strncmp(pointer, head, sizeof head - 1) != 0)
        return false;
    unsigned long i = strtoul(pointer + sizeof head - 1, &end, 10);
    if (end == pointer + sizeof head - 1 || i >= j->docs.len)
        return false;
    *ret_doc = &j->docs.items[i];
    *ret_rest = end;
    return true;
}

void cz_set_job_where(const struct cz_set_job *j, const char *pointer, struct cz_buf *out)
{
    const struct cz_doc *doc = NULL;
    const char *rest = "";
    if (j && j->loaded && split_pointer(j, pointer, &doc, &rest)) {
        cz_docs_where(&j->docs, doc, rest, out);
        cz_buf_addf(out, ": %s", *rest ? rest : "");
    } else {
        cz_buf_adds(out, pointer);
    }
}

int cz_set_job_problem(const struct cz_set_job *j, const struct cz_rest_reply *r, const char *what)
{
    json_t *errors = json_object_get(r->json, "errors"), *e;
    size_t i;
    if (json_array_size(errors) == 0)
        return cz_rest_problem(what, r);
    json_array_foreach (errors, i, e) {
        struct cz_buf where CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(8192);
        cz_set_job_where(j, cz_json_str(e, "pointer", ""), &where);
        cz_cli_say("%s: %s", cz_buf_str(&where), cz_json_str(e, "message", "not acceptable"));
    }
    if (json_is_true(json_object_get(r->json, "errors_truncated")))
        cz_cli_note("There are more problems than these.");
    return cz_rest_exit(r->status);
}
