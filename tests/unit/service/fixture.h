/* SPDX-License-Identifier: Apache-2.0 */
/** A service on the store in memory, with Kafka played by names: topics that begin with
 * "missing" do not exist, "secret" is forbidden, a cluster whose bootstrap begins with "dead"
 * does not answer. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/service.h"
#include "cz/util.h"

struct fixture {
    struct cz_store *store;
    struct cz_status_view *view;
    struct cz_service *s;
    struct cz_write_result r; /* of the last write */
    struct cz_report rep;
    struct cz_error err;
    int asked; /* questions to "Kafka" */
};
/** Of fixture_memory.c or fixture_postgres.c; false: there is no such store here. */
bool fixture_can(void);
struct cz_store *fixture_store(void);
void fixture_store_done(struct cz_store *s);

int setup(void **state);
int teardown(void **state);

/** Text → JSON, with ' read as ". */
json_t *js(const char *text);
enum cz_err put_with(
    struct fixture *f, enum cz_kind kind, const char *name, const char *doc, struct cz_write w);
enum cz_err put(struct fixture *f,
                enum cz_kind kind,
                const char *name,
                const char *doc); /* If-Match: * when it exists */
void must(struct fixture *f, enum cz_err code);
/** The last write was refused with this problem. */
void problem(struct fixture *f, enum cz_err code, const char *pointer, const char *slug);
json_t *get(struct fixture *f, enum cz_kind kind, const char *name); /* NULL: none */
int64_t version_of(struct fixture *f, enum cz_kind kind, const char *name);
int64_t seq_of(struct fixture *f);
/** The record that the config topic should hold, NULL: none. */
json_t *published(struct fixture *f, const char *key);
json_t *published_mapping(struct fixture *f, const char *name);
size_t published_count(struct fixture *f);
bool has_warning(struct fixture *f, const char *code);

#define CLUSTER(bootstrap) "{'spec':{'bootstrap_servers':'" bootstrap "'}}"
#define MAPPING(extra)                                                                         \
    "{'spec':{'source':{'cluster':'source','topic':'orders'},"                                 \
    "'target':{'cluster':'target','topic':'orders'}" extra "}}"

extern const struct cz_caller caller;

#endif
