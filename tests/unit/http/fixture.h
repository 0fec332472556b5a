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
/** Knows TOKEN as a bearer token, COOKIE as a session of now and OLD_COOKIE as one of yesterday. */
enum cz_err fixture_auth(const struct cz_http_request *rq,
                         const struct cz_http_credential *c,
                         struct cz_http_who *ret,
                         struct cz_error *err);
#define COOKIE "fresh"
#define OLD_COOKIE "old"
struct cz_http_server *fixture_server(const struct cz_http_options *with);

#endif
