/* SPDX-License-Identifier: Apache-2.0 */
/** Which set the documents of a folder are: the file citizenk.yaml beside them,
 *    {"set":"core","team":"payments","server":"https://…","repo"?,"require_comment"?:true}
 *  And the request that plan and apply make of documents, flags and what the CI's environment says. */
#ifndef CZ_CLI_SET_FILE_H
#define CZ_CLI_SET_FILE_H

#include "docs.h"
#include "rest.h"

struct cz_set_file {
    char *path; /* NULL: there is none */
    char *set, *team, *server, *repo;
    bool require_comment;
};
void cz_set_file_done(struct cz_set_file *f);
/** Read citizenk.yaml of the first folder (or the folder of the first file) among @paths; without one
 *  f->path stays NULL. Says what is wrong. */
int cz_set_file_load(const char *const *paths, size_t n, struct cz_set_file *ret);

/** What a command that works on a set needs: its files, the set, and the request. */
struct cz_set_job {
    struct cz_set_file file;
    struct cz_docs docs;
    const char *set;
    char *commit, *repo; /* NULL: not known */
    bool loaded;
};
void cz_set_job_done(struct cz_set_job *j);
/** Find the paths (-f, or the positional ones, or "."), citizenk.yaml, the documents.  @return
 *  CZ_EXIT_OK; j->set NULL when no set is named anywhere. */
int cz_set_job_load(struct cz_cli *cli, struct cz_set_job *j);
/** citizenk.yaml and documents only: no set is needed and no server asked. */
int cz_set_job_read(const struct cz_cli *cli, struct cz_set_job *j);
/** The documents as a request has them. New reference. */
json_t *cz_set_job_objects(const struct cz_set_job *j);
/** The body of a plan or an apply. New reference. */
json_t *cz_set_job_body(const struct cz_cli *cli, const struct cz_set_job *j);
/** Append where a pointer of the request is in the files. */
void cz_set_job_where(const struct cz_set_job *j, const char *pointer, struct cz_buf *out);
/** Say the problems of a 422 at the places of the files; @return exit code. */
int cz_set_job_problem(const struct cz_set_job *j, const struct cz_rest_reply *r, const char *what);

/* The options that plan and apply share. */
#define CZ_OPT_SET                                                                             \
    {                                                                                          \
        .name = "set", .type = CZ_OPT_VALUE, .arg = "NAME",                                    \
        .doc = "the set; default: what " CZ_SET_FILE " says"                                   \
    }
#define CZ_OPTS_PLAN                                                                           \
    CZ_OPT_SET,                                                                                \
        {.name = "prune", .type = CZ_OPT_FLAG,                                                 \
         .doc = "delete members of the set that the files do not have"},                       \
        {.name = "max-deletes", .type = CZ_OPT_VALUE, .value = CZ_VAL_NUMBER, .arg = "N",      \
         .doc = "that --prune may do; default: 20 % of the members, or 5"},                    \
        {.name = "allow-empty", .type = CZ_OPT_FLAG, .doc = "--prune although there are no files"}, \
        {.name = "adopt", .type = CZ_OPT_FLAG, .doc = "take over objects that no set owns"},   \
        {.name = "force-adopt", .type = CZ_OPT_FLAG, .doc = "take over those of other sets, too"}, \
        {.name = "override-block", .type = CZ_OPT_FLAG,                                        \
         .doc = "although the commit was rolled back, or the set is suspended"},               \
        {.name = "commit", .type = CZ_OPT_VALUE, .arg = "SHA",                                 \
         .doc = "default: CITIZENK_COMMIT, GITHUB_SHA or CI_COMMIT_SHA"},                      \
    {                                                                                          \
        .name = "repo", .type = CZ_OPT_VALUE, .arg = "URL",                                    \
        .doc = "shown on the page of the set; default: what the CI or " CZ_SET_FILE " says"    \
    }
#define CZ_OPT_DETAILED                                                                        \
    {                                                                                          \
        .name = "detailed-exitcode", .type = CZ_OPT_FLAG, .doc = "exit 2 when something differs" \
    }

#endif
