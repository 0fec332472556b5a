/* SPDX-License-Identifier: Apache-2.0 */
/** The whole API without sockets: store in memory, a status view that is fed by hand, Kafka
 * played by names (topics that begin with "missing" do not exist; a cluster named dead… does
 * not answer). */
#ifndef CZ_TEST_API_FIXTURE_H
#define CZ_TEST_API_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cz/api.h"

#define TOKEN "czk_test_0123456789abcdef"

struct fx {
    struct cz_store *store;
    struct cz_status_view *view;
    struct cz_service *service;
    struct cz_api *api;
    struct cz_http_server *http;
};
int fx_set_up(void **state);
int fx_tear_down(void **state);

struct ask {
    const char *method, *target, *body; /* body: ' stands for " */
    const char *if_match, *if_none_match,
        *type; /* NULL: not sent; type: application/json when there is a body */
    bool anonymous;
};
/** The status; the answer's text in @ret (cz_free), may be NULL. */
int fx_ask(struct fx *f, const struct ask *a, char **ret);
/** As fx_ask(), parsed; checks the status. */
json_t *
fx_json(struct fx *f, const char *method, const char *target, const char *body, int status);

/** A story of requests. */
struct step {
    struct ask a;
    int status;
    const char *part[4]; /* must stand in the answer */
};
#define GET_(...)                                                                              \
    {                                                                                          \
        .method = "GET", .target = __VA_ARGS__                                                 \
    }
#define PUT_(...)                                                                              \
    {                                                                                          \
        .method = "PUT", .target = __VA_ARGS__                                                 \
    }
#define POST_(...)                                                                             \
    {                                                                                          \
        .method = "POST", .target = __VA_ARGS__                                                \
    }
#define DEL_(...)                                                                              \
    {                                                                                          \
        .method = "DELETE", .target = __VA_ARGS__                                              \
    }
void fx_play(struct fx *f, const struct step *steps, size_t n);
#define PLAY(steps) fx_play(*state, steps, sizeof(steps) / sizeof((steps)[0]))

/** A worker says that it lives and has applied @revision. */
void fx_worker(struct fx *f, const char *id, int64_t revision);

#endif
