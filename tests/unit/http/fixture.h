/* SPDX-License-Identifier: Apache-2.0 */
/** A small route table for the tests of the HTTP server, and what they share. */
#ifndef CZ_TEST_HTTP_FIXTURE_H
#define CZ_TEST_HTTP_FIXTURE_H

#include <stdatomic.h>

#include "cz/http.h"

#define TOKEN "czk_test_0123456789"
#define CSP                                                                                    \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "          \
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; "               \
    "frame-ancestors 'none'; object-src 'none'; require-trusted-types-for 'script'; "          \
    "trusted-types 'none'"

extern const struct cz_http_route fixture_routes[];
extern atomic_int fixture_held;     /* requests that /hold keeps */
extern atomic_bool fixture_release; /* lets them go */
enum cz_err fixture_auth(
    void *context, const char *token, size_t len, const char **ret_actor, struct cz_error *err);
struct cz_http_server *fixture_server(const struct cz_http_options *with);

#endif
