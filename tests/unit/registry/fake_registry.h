/* SPDX-License-Identifier: Apache-2.0 */
/** A schema registry in the test's own process: answers what it was told to, counts what it is asked.
 *  @thread any */
#ifndef CZ_FAKE_REGISTRY_H
#define CZ_FAKE_REGISTRY_H

#include <jansson.h>
#include <stdbool.h>

#include "cz/registry_conf.h"
#include "cz/thread.h"

struct fake_registry {
    struct cz_registry_conf conf; /* borrows from here; a test may put more into it */
    char url[64];
    int fd;
    struct cz_thread thread;
    struct cz_mutex lock;   /* below */
    struct cz_cond changed; /* another request was answered */
    json_t *answers; /* "GET /schemas/ids/1" → [status, body] */
    json_t *asked;   /* the same → how often */
    json_t *bodies;  /* the same → the last request's body */
    char authorization[256]; /* of the last request; "" none */
    int total, broken;       /* broken: this status is every answer's; 0: none */
    bool stop;
};
void fake_registry_start(struct fake_registry *f);
void fake_registry_stop(struct fake_registry *f);
/** @request "GET /schemas/ids/1". What it was not told is answered in a registry's words: there is none. */
void fake_registry_answer(struct fake_registry *f, const char *request, int status, const char *body);
/** The schema of an id, without references. */
void fake_registry_schema(struct fake_registry *f, unsigned id, const char *type, const char *text);
void fake_registry_break(struct fake_registry *f, int status);
/** How often @request was asked (NULL: all together). */
int fake_registry_asked(struct fake_registry *f, const char *request);
/** Until it was asked @n times in all, or ten seconds passed. */
bool fake_registry_wait(struct fake_registry *f, int n);

#endif
