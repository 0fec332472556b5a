/* SPDX-License-Identifier: Apache-2.0 */
/** Documents from files: YAML, or JSON (one object, a list of them, or {"items":[…]} as get
 *  prints it).  Folders are walked in sorted order; of their files only *.yaml, *.yml and
 * *.json count, hidden ones do not.  Reading goes on after a problem, so that all are told at
 * once. */
#include "docs.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cz/json.h"
#include "cz/limits.h"
#include "cz/report.h"
#include "cz/util.h"
#include "rest.h"
#include "yaml_doc.h"

enum { MAX_FOLDERS = 32, MAX_PROBLEMS_SAID = 200 };

void cz_docs_done(struct cz_docs *d)
{
    for (size_t i = 0; i < d->len; i++) {
        json_decref(d->items[i].value);
        json_decref(d->items[i].body);
        cz_free(d->items[i].base);
        cz_free(d->items[i].label);
    }
    for (size_t i = 0; i < d->sources_len; i++) {
        cz_free(d->sources[i].path);
        cz_free(d->sources[i].text);
    }
    cz_free(d->items);
    cz_free(d->sources);
    *d = (struct cz_docs){0};
}

/* ---- problems
 * --------------------------------------------------------------------------------- */

void cz_docs_where(const struct cz_docs *d,
                   const struct cz_doc *doc,
                   const char *pointer,
                   struct cz_buf *out)
{
    const struct cz_doc_source *s = &d->sources[doc->source];
    CZ_CLEANUP(cz_freep) char *full = cz_strf("%s%s", doc->base ? doc->base : "", pointer);
    struct cz_yaml_place p = cz_yaml_find(s->text, s->len, doc->index, full);
    cz_buf_adds(out, s->path);
    if (p.line)
        cz_buf_addf(out, ":%zu:%zu", p.line, p.column);
}

CZ_PRINTF(4, 5)
static void
problem(struct cz_docs *d, const struct cz_doc *doc, const char *pointer, const char *fmt, ...)
{
    if (d->problems++ >= MAX_PROBLEMS_SAID)
        return;
    struct cz_buf where CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(8192);
    struct cz_buf text CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(8192);
    va_list ap;
    va_start(ap, fmt);
    cz_buf_addvf(&text, fmt, ap);
    va_end(ap);
    cz_docs_where(d, doc, pointer, &where);
    cz_cli_say("%s: %s%s%s", cz_buf_str(&where), pointer, *pointer ? ": " : "",
               cz_buf_str(&text));
}

/* ---- one document
 * ----------------------------------------------------------------------------- */

static const char *const BODY[] = {"group", "labels", "description", "spec", NULL};
static const char *const OTHER[] = {"api", "kind", "name", "team", "renamed_from", NULL};
/* What get adds: not for writing, but also not in the way when a document comes from there. */
static const char *const READ_ONLY[] = {
    "uid", "generation", "version", "managed_by", "override",  "status",  "created", "updated",
    "seq", "warnings",   "changes", "skipped",    "unchanged", "dry_run", "applied", NULL};

static bool among(const char *s, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(s, *words) == 0)
            return true;
    return false;
}

static void check_members(struct cz_docs *d, struct cz_doc *doc)
{
    const char *key;
    json_t *v;
    doc->body = json_object();
    json_object_foreach (doc->value, key, v) {
        char at[CZ_POINTER_SIZE] = "";
        if (among(key, BODY)) {
            (void)json_object_set(doc->body, key, v);
            continue;
        }
        if (among(key, OTHER) || among(key, READ_ONLY))
            continue;
        const char *near = cz_cli_nearest(key, BODY);
        near = near ? near : cz_cli_nearest(key, OTHER);
        cz_pointer_push(at, key);
        problem(d, doc, at, "unknown field%s%s%s", near ? "; did you mean \"" : "",
                near ? near : "", near ? "\"?" : "");
    }
}

/* A required member that must be a string; NULL when it was a problem. */
static const char *
required(struct cz_docs *d, const struct cz_doc *doc, const char *key, const char *want)
{
    const json_t *v = json_object_get(doc->value, key);
    CZ_CLEANUP(cz_freep) char *at = cz_strf("/%s", key);
    if (!v)
        problem(d, doc, "", "\"%s\" is missing: %s", key, want);
    else if (!json_is_string(v))
        problem(d, doc, at, "must be a string: %s", want);
    return json_string_value(v);
}

static void check_document(struct cz_docs *d, struct cz_doc *doc)
{
    struct cz_error err = CZ_ERROR_INIT;
    const char *api = required(d, doc, "api", "citizenk/v1");
    const char *kind =
        required(d, doc, "kind", "cluster, value_map, template, mapping or instance");
    doc->name = required(d, doc, "name", "the name of the object");
    if (api && strcmp(api, "citizenk/v1") != 0)
        problem(d, doc, "/api", "must be citizenk/v1");
    doc->kind = kind ? cz_cli_kind(kind) : NULL;
    if (kind && (!doc->kind || !doc->kind->document || strcmp(kind, doc->kind->name) != 0))
        problem(d, doc, "/kind", "must be cluster, value_map, template, mapping or instance");
    if (doc->name && cz_name_check(doc->name, &err))
        problem(d, doc, "/name", "%s", err.text);
    const json_t *team = json_object_get(doc->value, "team");
    if (team && !json_is_string(team))
        problem(d, doc, "/team", "must be a string");
    else if (team && cz_name_check(json_string_value(team), &err))
        problem(d, doc, "/team", "%s", err.text);
    doc->team = json_string_value(team);
    doc->version = json_string_value(json_object_get(doc->value, "version"));
    check_members(d, doc);
    if (!json_object_get(doc->value, "spec"))
        problem(d, doc, "", "\"spec\" is missing");
    doc->label =
        cz_strf("%s/%s", doc->kind ? doc->kind->name : "?", doc->name ? doc->name : "?");
}

/* @value is taken, @base too. */
static void
add_document(struct cz_docs *d, size_t source, size_t index, char *base, json_t *value)
{
    struct cz_doc doc = {
        .source = source, .index = index, .nth = d->len, .base = base, .value = value};
    if (json_is_object(value))
        check_document(d, &doc);
    else
        problem(d, &doc, "", "a document must be an object {api, kind, name, spec}");
    cz_grow(&d->items, &d->cap, d->len, sizeof *d->items);
    d->items[d->len++] = doc;
}

/* A list of objects, as a JSON array or as get prints it, becomes its objects. @value is taken.
 */
static void add_value(struct cz_docs *d, size_t source, size_t index, json_t *value)
{
    json_t *items = json_is_array(value) ? value : json_object_get(value, "items");
    const char *base = json_is_array(value) ? "" : "/items";
    if (strcmp(cz_json_str(value, "kind", ""), "plan") == 0) { /* saved beside the documents */
        json_decref(value);
        return;
    }
    if (!json_is_array(items) || json_object_get(value, "kind")) {
        add_document(d, source, index, cz_strdup(""), value);
        return;
    }
    for (size_t i = 0; i < json_array_size(items); i++)
        add_document(d, source, index, cz_strf("%s/%zu", base, i),
                     json_incref(json_array_get(items, i)));
    json_decref(value);
}

/* ---- one file
 * --------------------------------------------------------------------------------- */

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

/* JSON is tried first where it may be: YAML readers do not take all of it (surrogate pairs). */
static enum cz_err
read_json(const char *path, const char *text, size_t len, json_t **ret, struct cz_error *err)
{
    size_t blanks = strspn(text, " \t\r\n");
    bool named = ends_with(path, ".json");
    bool looks = text[blanks] == '{' || text[blanks] == '[';
    *ret = NULL;
    if (!named && !looks)
        return CZ_OK;
    struct cz_error why = CZ_ERROR_INIT;
    enum cz_err rc = cz_json_parse(text, len, ret, &why);
    if (rc && named)
        return cz_fail(err, rc, "%s: %s", path, why.text);
    return CZ_OK;
}

void cz_docs_add_text(struct cz_docs *d, const char *path, const char *text, size_t len)
{
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_yaml_docs docs = {0};
    json_t *json = NULL;
    size_t source = d->sources_len;
    char *copy = cz_alloc(len + 1); /* not cz_strndup(): the text may hold NUL */
    if (len > 0)
        memcpy(copy, text, len);
    cz_grow(&d->sources, &d->sources_cap, d->sources_len, sizeof *d->sources);
    d->sources[d->sources_len++] = (struct cz_doc_source){cz_strdup(path), copy, len};
    enum cz_err rc = read_json(path, copy, len, &json, &err);
    if (rc == CZ_OK && json) {
        add_value(d, source, 0, json);
        return;
    }
    bool yaml = rc == CZ_OK; /* its errors begin with line:column */
    if (yaml)
        rc = cz_yaml_read(copy, len, &docs, &err);
    if (rc) {
        d->problems++;
        cz_cli_say("%s%s%s", yaml ? path : "", yaml ? ":" : "", err.text);
        return;
    }
    for (size_t i = 0; i < docs.len; i++)
        add_value(d, source, docs.items[i].index, json_incref(docs.items[i].value));
    cz_yaml_docs_done(&docs);
}

static int load_file(struct cz_docs *d, const char *path, const char *shown)
{
    struct cz_error err = CZ_ERROR_INIT;
    char *text = NULL;
    size_t len = 0;
    if (cz_read_file(path, CZ_MAX_CLI_FILE, &text, &len, &err)) {
        cz_cli_say("%s", err.text);
        return CZ_EXIT_ERROR;
    }
    cz_docs_add_text(d, shown, text, len);
    cz_free(text);
    return CZ_EXIT_OK;
}

/* ---- folders
 * ---------------------------------------------------------------------------------- */

struct names {
    char **items;
    size_t len, cap;
};

static void names_done(struct names *n)
{
    for (size_t i = 0; i < n->len; i++)
        cz_free(n->items[i]);
    cz_free(n->items);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool read_names(const char *path, struct names *ret)
{
    DIR *dir = opendir(path);
    if (!dir)
        return false;
    for (const struct dirent *e; (e = readdir(dir));) {
        if (e->d_name[0] == '.')
            continue;
        cz_grow(&ret->items, &ret->cap, ret->len, sizeof *ret->items);
        ret->items[ret->len++] = cz_strdup(e->d_name);
    }
    (void)closedir(dir);
    if (ret->len > 1)
        qsort(ret->items, ret->len, sizeof *ret->items, by_bytes);
    return true;
}

static int load_path(struct cz_docs *d, const char *path, int depth, bool named);

static int load_folder(struct cz_docs *d, const char *path, int depth)
{
    CZ_CLEANUP(names_done) struct names names = {0};
    int rc = CZ_EXIT_OK;
    if (depth >= MAX_FOLDERS || !read_names(path, &names)) {
        cz_cli_say("%s: %s", path,
                   depth < MAX_FOLDERS ? strerrordesc_np(errno) : "too many folders deep");
        return CZ_EXIT_ERROR;
    }
    for (size_t i = 0; i < names.len; i++) {
        CZ_CLEANUP(cz_freep)
        char *full = cz_strf("%s%s%s", path, ends_with(path, "/") ? "" : "/", names.items[i]);
        int one = load_path(d, full, depth + 1, false);
        rc = rc ? rc : one;
    }
    return rc;
}

/* @named: by the user; what a folder holds is chosen, and links to folders in it are not
 * followed. */
static int load_path(struct cz_docs *d, const char *path, int depth, bool named)
{
    struct stat st, link;
    if (named && strcmp(path, "-") == 0)
        return load_file(d, "/dev/stdin", "<stdin>");
    if (lstat(path, &link) != 0 || stat(path, &st) != 0) {
        cz_cli_say("%s: %s", path, strerrordesc_np(errno));
        return CZ_EXIT_ERROR;
    }
    if (S_ISDIR(st.st_mode))
        return named || !S_ISLNK(link.st_mode) ? load_folder(d, path, depth) : CZ_EXIT_OK;
    bool document =
        ends_with(path, ".yaml") || ends_with(path, ".yml") || ends_with(path, ".json");
    if (ends_with(path, "/" CZ_SET_FILE) || strcmp(path, CZ_SET_FILE) == 0)
        return CZ_EXIT_OK; /* says which set the documents beside it are */
    return named || document ? load_file(d, path, path) : CZ_EXIT_OK;
}

/* ---- all
 * -------------------------------------------------------------------------------------- */

static int by_order(const void *a, const void *b)
{
    const struct cz_doc *x = a, *y = b;
    if (x->kind->order != y->kind->order)
        return x->kind->order < y->kind->order ? -1 : 1;
    return x->nth < y->nth ? -1 : x->nth > y->nth;
}

static void find_doubles(struct cz_docs *d)
{
    json_t *seen = json_object(); /* "kind\nteam\nname" → index */
    for (size_t i = 0; i < d->len; i++) {
        const struct cz_doc *doc = &d->items[i];
        if (!doc->kind || !doc->name)
            continue;
        CZ_CLEANUP(cz_freep)
        char *key =
            cz_strf("%s\n%s\n%s", doc->kind->name, doc->team ? doc->team : "", doc->name);
        const json_t *first = json_object_get(seen, key);
        struct cz_buf where CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(8192);
        if (first) {
            cz_docs_where(d, &d->items[json_integer_value(first)], "", &where);
            problem(d, doc, "", "%s is also in %s", doc->label, cz_buf_str(&where));
        }
        (void)json_object_set_new(seen, key, json_integer((json_int_t)i));
    }
    json_decref(seen);
}

void cz_docs_finish(struct cz_docs *d)
{
    find_doubles(d);
    if (d->problems > MAX_PROBLEMS_SAID)
        cz_cli_say("%d problems in all", d->problems);
    if (d->problems == 0 && d->len > 1)
        qsort(d->items, d->len, sizeof *d->items, by_order);
}

int cz_docs_load_paths(const char *const *paths, size_t n, struct cz_docs *ret)
{
    struct cz_docs d = {0};
    int rc = CZ_EXIT_OK;
    for (size_t i = 0; i < n; i++) {
        int one = load_path(&d, paths[i], 0, true);
        rc = rc ? rc : one;
    }
    cz_docs_finish(&d);
    if (d.problems > 0)
        rc = CZ_EXIT_INVALID;
    if (rc == CZ_EXIT_OK)
        *ret = d;
    else
        cz_docs_done(&d);
    return rc;
}

int cz_docs_load(const struct cz_cli *cli, struct cz_docs *ret)
{
    const char **paths = NULL, *path;
    size_t n = 0, cap = 0;
    while ((path = cz_cli_item(cli, "file", n))) {
        cz_grow(&paths, &cap, n, sizeof *paths);
        paths[n++] = path;
    }
    int rc = cz_docs_load_paths(paths, n, ret);
    cz_free(paths);
    if (rc == CZ_EXIT_OK && ret->len == 0) {
        cz_cli_say("there are no documents in what -f names");
        cz_docs_done(ret);
        rc = CZ_EXIT_INVALID;
    }
    return rc;
}

void cz_docs_say(const struct cz_docs *d, const struct cz_doc *doc, const char *pointer, const char *message)
{
    struct cz_buf where CZ_CLEANUP(cz_buf_done) = CZ_BUF_INIT(8192);
    cz_docs_where(d, doc, pointer, &where);
    cz_cli_say("%s: %s: %s%s%s", cz_buf_str(&where), doc->label, pointer, *pointer ? ": " : "",
               message);
}

int cz_docs_problem(const struct cz_docs *d, const struct cz_doc *doc, const struct cz_rest_reply *reply)
{
    json_t *errors = json_object_get(reply->json, "errors"), *e;
    size_t i;
    if (json_array_size(errors) == 0)
        return cz_rest_problem(doc->label, reply);
    json_array_foreach (errors, i, e)
        cz_docs_say(d, doc, cz_json_str(e, "pointer", ""), cz_json_str(e, "message", "not acceptable"));
    return cz_rest_exit(reply->status);
}
