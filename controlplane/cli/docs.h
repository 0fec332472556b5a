/* SPDX-License-Identifier: Apache-2.0 */
/** The documents of files and folders, for apply and delete: read, checked as far as that is
 *  possible without a server, and sorted into the order of writing. */
#ifndef CZ_CLI_DOCS_H
#define CZ_CLI_DOCS_H

#include <jansson.h>

#include "cli.h"

struct cz_doc_source {
    char *path; /* "<stdin>" for - */
    char *text;
    size_t len;
};
struct cz_doc {
    size_t source; /* index */
    size_t index;  /* of the document in its source */
    size_t nth;    /* of all objects, as they were read */
    char *base;    /* "" or "/items/3": where in the document the object is */
    json_t *value; /* as written */
    json_t *body;  /* what a PUT sends: group, labels, description, spec */
    const struct cz_cli_kind *kind;
    const char *name, *team; /* into value; team NULL: the context's */
    const char *version;     /* NULL: none; else the object must still have it */
    char *label;             /* "mapping/orders" */
};
struct cz_docs {
    struct cz_doc_source *sources;
    size_t sources_len, sources_cap;
    struct cz_doc *items;
    size_t len, cap;
    int problems; /* said so far */
};
/** The file that names the set of the documents beside it (set_file.h): no document itself. */
#define CZ_SET_FILE "citizenk.yaml"
/** As cz_docs_load(), of these paths; there may be no document in them. */
int cz_docs_load_paths(const char *const *paths, size_t n, struct cz_docs *ret);
/** Read what the command's --file options name. Everything that is wrong is said, with its
 * place.
 *  @return CZ_EXIT_OK, CZ_EXIT_INVALID (bad documents), CZ_EXIT_ERROR (cannot be read) */
int cz_docs_load(const struct cz_cli *cli, struct cz_docs *ret);
void cz_docs_done(struct cz_docs *d);
/** Append "file:line:column" of @pointer (which starts at the object). */
void cz_docs_where(const struct cz_docs *d,
                   const struct cz_doc *doc,
                   const char *pointer,
                   struct cz_buf *out);
/** Say a problem of a document with its place. */
void cz_docs_say(const struct cz_docs *d, const struct cz_doc *doc, const char *pointer, const char *message);
/** Say what the server has against the document; returns the exit code. */
struct cz_rest_reply;
int cz_docs_problem(const struct cz_docs *d, const struct cz_doc *doc, const struct cz_rest_reply *reply);
/** Read documents of a text that was made up here (tests, fuzzing). The text is copied. */
void cz_docs_add_text(struct cz_docs *d, const char *path, const char *text, size_t len);
/** Find doubles and sort by the kind's order; keeps the files' order within a kind. */
void cz_docs_finish(struct cz_docs *d);

#endif
