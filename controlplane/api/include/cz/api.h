/* SPDX-License-Identifier: Apache-2.0 */
/** The REST resources: each handler reads a request, calls the service once and renders the
 *  answer.  One table of routes (routes.c) registers them and makes the OpenAPI document.
 *  No SQL, no Kafka, no sockets. */
#ifndef CZ_API_H
#define CZ_API_H

#include <jansson.h>

#include "cz/http.h"
#include "cz/identity.h"
#include "cz/service.h"

struct cz_api;

struct cz_api_options {
    struct cz_service *service; /* borrowed, outlives the api */
    struct cz_identity *identity; /* borrowed, outlives the api; NULL: one of its own, with @token */
    const char *token;          /* of the one principal that may everything; its SHA-256 is kept */
    size_t token_len;
    /** The consumer group of mappings that are made in CitizenK Replicator's form is
     *  "<source_group>.<mapping>"; "": none; NULL: the mapping's default. */
    const char *source_group;
    int64_t stats_every_ms; /* GET /stats calculates again after this time at the earliest */
    /** More checks for /readyz: append {"name","ok","message"}. NULL: none */
    void (*ready)(void *arg, json_t *checks);
    /** More families for /metrics. NULL: none */
    void (*metrics)(void *arg, struct cz_buf *out);
    void *arg;
};
struct cz_api *cz_api_new(const struct cz_api_options *o);
void cz_api_free(struct cz_api *a);
/** Whose citizenk_http_* families /metrics shows; NULL: nobody's. */
void cz_api_set_server(struct cz_api *a, struct cz_http_server *s);

/** Apply a mapping file of CitizenK Replicator's form to the team `default`, in one change: as
 *  PUT and POST /mappings do.  @templates {"<name>": [mappings]}, NULL: none.  @label_value
 *  NULL: @doc is all there shall be, or (@keep) is added to the rest; else the label
 *  `mappings-file` = @label_value is put on all of it, and only what bears it and is not in @doc
 *  any more is deleted. */
struct cz_api_import {
    const json_t *doc, *templates;
    bool keep;
    const char *label_value;
};
/** Why the watched file could not be applied, as GET /mappings shows it; NULL: all is well.
 *  @thread any */
void cz_api_set_file_error(struct cz_api *a, const char *text);
CZ_MUST_USE enum cz_err cz_api_import(struct cz_api *a,
                                      const struct cz_caller *who,
                                      const struct cz_write *w,
                                      const struct cz_api_import *in,
                                      struct cz_write_result *ret,
                                      struct cz_report *rep,
                                      struct cz_error *err);

extern const struct cz_http_route cz_api_routes[];
/** Fill in what the server needs of the api: routes, context, who asks, what it may, the audit of
 *  refusals. */
void cz_api_serve(struct cz_api *a, struct cz_http_options *o);

/** The OpenAPI 3.1 document of a table. New reference. */
json_t *cz_api_openapi(const struct cz_http_route *routes);

#endif
