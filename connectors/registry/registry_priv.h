/* SPDX-License-Identifier: Apache-2.0 */
/** Insides of the registry client. */
#ifndef CZ_REGISTRY_PRIV_H
#define CZ_REGISTRY_PRIV_H

#include <jansson.h>
#include <stdatomic.h>

#include "cz/http_client.h"
#include "cz/registry.h"

/* ---- flights: questions that a thread of their own answers, each once for all askers ---------- */

struct cz__flights;
/** Answer @key.  An error with CZ_ERR_RETRIABLE is tried again after a while, any other one is the
 *  answer for a while. */
typedef enum cz_err (*cz__flight_fn)(void *arg, const char *key, void **ret, struct cz_error *err);
/** @param free_answer  NULL: answers are no memory */
struct cz__flights *cz__flights_new(cz__flight_fn run, void (*free_answer)(void *), void *arg);
/** From @run: what was answered is asked again. Only without free_answer: answers are borrowed. */
void cz__flights_forget(struct cz__flights *f);
/** Stops; the caller has made sure that a run ends soon. */
void cz__flights_free(struct cz__flights *f);
/** @ret borrowed until the flights are freed. @err filled when FAILED, and when WAIT has a reason. */
enum cz_lookup
cz__flights_get(struct cz__flights *f, const char *key, void **ret, struct cz_error *err);

/* ---- calls ------------------------------------------------------------------------------------ */

/** One registry as one thread calls it. */
struct cz__calls {
    char *url, *username, *password, *ssl_ca, *ssl_certificate, *ssl_key, *ssl_key_password;
    bool ssl_verify_hostname;
    struct cz_client *client; /* NULL: secrets are to be resolved first */
    atomic_bool cancel;
};
CZ_MUST_USE enum cz_err
cz__calls_init(struct cz__calls *c, const struct cz_registry_conf *conf, struct cz_error *err);
void cz__calls_done(struct cz__calls *c);
/** @param body NULL: none; borrowed.
 *  @return CZ_E_NOT_FOUND: the registry says that it has none · CZ_E_CONFLICT, CZ_E_INVALID: it
 *  refuses · else retriable */
CZ_MUST_USE enum cz_err cz__call(struct cz__calls *c,
                                 const char *method,
                                 const char *path,
                                 const json_t *body,
                                 json_t **ret,
                                 struct cz_error *err);
/** Path with two %s at most that are encoded: cz__path("/subjects/%s/versions/%s", a, b). cz_free. */
char *cz__path(const char *format, const char *a, const char *b);

/* ---- schemas ------------------------------------------------------------------------------------ */

/** From an answer with "schema", "schemaType", "references". CZ_E_INVALID: something is missing. */
CZ_MUST_USE enum cz_err cz__schema_parse(const json_t *answer, struct cz_schema **ret, struct cz_error *err);
void cz__schema_free(void *s);
/** "ids/42" or "guids/…", as in the API's paths. cz_free. */
char *cz__schema_key(const struct cz_schema_name *name);

enum { CZ__MAX_REFERENCES = 256 };

#endif
