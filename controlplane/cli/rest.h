/* SPDX-License-Identifier: Apache-2.0 */
/** The REST API as the commands use it: paths, calls, pages, and what an answer means as an
 * exit code.  Everything that goes wrong is said here, once. */
#ifndef CZ_CLI_REST_H
#define CZ_CLI_REST_H

#include <jansson.h>

#include "cli.h"

/** "/api/v1/teams/default/mappings/orders%20to%20staging". @parts NULL-terminated. */
void cz_rest_path(struct cz_buf *out, const char *const *parts);
#define CZ_REST_PATH(buf, ...)                                                                 \
    struct cz_buf buf __attribute__((cleanup(cz_buf_done))) = CZ_BUF_INIT(64 * 1024);          \
    cz_rest_path(&buf, (const char *const[]){__VA_ARGS__, NULL})
/** Append "?key=value" or "&key=value"; nothing when @value is NULL. */
void cz_rest_query(struct cz_buf *path, const char *key, const char *value);
/** Path of one object, or of the collection when @name is NULL, in the context's team (@team
 *  NULL) or in another one.  The context must be open. */
void cz_rest_object(const struct cz_cli *cli,
                    struct cz_buf *out,
                    const char *team,
                    const struct cz_cli_kind *kind,
                    const char *name);

struct cz_rest_call {
    const char *method; /* NULL: GET */
    const char *path;
    const json_t *body;   /* borrowed; NULL: none */
    const char *if_match; /* version; NULL: none */
    bool create_only;
    int timeout_ms; /* 0: --timeout */
    bool text;      /* the answer is text for the reader: all of it in reply.text */
};
struct cz_rest_reply {
    int status;
    json_t *json; /* NULL: none, or not JSON */
    char *etag, *request_id, *text;
    char *next; /* where the next page of a text begins; NULL: none */
};
void cz_rest_reply_done(struct cz_rest_reply *r);
/** Connect when needed, send, read the answer whatever its status.
 *  @return CZ_EXIT_OK, else it has been said why there is no answer */
int cz_rest_send(struct cz_cli *cli,
                 const struct cz_rest_call *call,
                 struct cz_rest_reply *ret);
bool cz_rest_good(const struct cz_rest_reply *r); /* 2xx */
int cz_rest_exit(int status);                     /* exit code of a status */
/** Say what the problem document says, each line beginning with @what; returns the exit code.
 */
int cz_rest_problem(const char *what, const struct cz_rest_reply *r);
/** GET; a problem is said. @param ret new reference */
int cz_rest_get(struct cz_cli *cli, const char *path, const char *what, json_t **ret);
/** GET all pages of a list, up to @limit items (0: all). @param ret {"items":[…],"seq"} */
int cz_rest_list(
    struct cz_cli *cli, const char *path, int64_t limit, const char *what, json_t **ret);
/** Any write; a problem is said. Adds the command's --comment, --dry-run and --wait, when it
 * has them, to the query. @param ret answer, new reference; may be NULL */
int cz_rest_write(struct cz_cli *cli,
                  const struct cz_rest_call *call,
                  const char *what,
                  json_t **ret);
/** The two halves of cz_rest_write(): for those that read the problem themselves. */
int cz_rest_send_write(struct cz_cli *cli,
                       const struct cz_rest_call *call,
                       struct cz_rest_reply *ret);
int cz_rest_take(struct cz_cli *cli, struct cz_rest_reply *r, const char *what, json_t **ret);
/** The version that a write of this object must name; *ret NULL when there is no such object.
 */
int cz_rest_version(struct cz_cli *cli, const char *path, const char *what, char **ret);
/** --wait: its milliseconds, 0 when it was not given. */
int64_t cz_rest_wait_ms(const struct cz_cli *cli);

#endif
