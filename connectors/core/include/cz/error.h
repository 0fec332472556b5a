/* SPDX-License-Identifier: Apache-2.0 */
/** The one error type.  A function that can fail returns a code and fills a caller-owned
 *  `struct cz_error` (which may be NULL).  The first error wins: filling a filled one changes
 *  nothing.  Callers act on code and flags, people read the text, the HTTP status comes from the
 *  map.  No function here allocates.  @thread any */
#ifndef CZ_ERROR_H
#define CZ_ERROR_H

#include <stdarg.h>
#include <stdint.h>

/* X(name, HTTP status, problem type slug) */
#define CZ_ERR_MAP(X)                                                                          \
    X(CZ_OK, 200, "ok")                                                                        \
    X(CZ_E_INVALID, 422, "invalid")             /* understood, but not acceptable */           \
    X(CZ_E_PARSE, 400, "malformed")             /* not even understood */                      \
    X(CZ_E_UNAUTHENTICATED, 401, "unauthenticated")                                            \
    X(CZ_E_REAUTH, 401, "reauth")               /* signed in, but too long ago for this */      \
    X(CZ_E_FORBIDDEN, 403, "forbidden")                                                        \
    X(CZ_E_NOT_FOUND, 404, "not-found")                                                        \
    X(CZ_E_METHOD, 405, "method-not-allowed")                                                  \
    X(CZ_E_CONFLICT, 409, "conflict")                                                          \
    X(CZ_E_OWNED, 409, "owned-by-set")          /* break the glass, or change the set */       \
    X(CZ_E_STALE_PLAN, 409, "stale-plan")       /* what was planned is not what would be done */\
    X(CZ_E_PLAN_BLOCKED, 409, "plan-blocked")   /* the plan says by what */                    \
    X(CZ_E_COMMIT_BLOCKED, 409, "commit-blocked") /* it was rolled back */                     \
    X(CZ_E_SUSPENDED, 409, "set-suspended")                                                    \
    X(CZ_E_STALE, 412, "stale-version")         /* If-Match does not hold */                   \
    X(CZ_E_TOO_LARGE, 413, "too-large")                                                        \
    X(CZ_E_MEDIA_TYPE, 415, "unsupported-media-type")                                          \
    X(CZ_E_PRECONDITION, 428, "precondition-required")                                         \
    X(CZ_E_LIMIT, 429, "limit")                                                                \
    X(CZ_E_INTERNAL, 500, "internal")                                                          \
    X(CZ_E_IO, 500, "io")                                                                      \
    X(CZ_E_KAFKA, 502, "kafka")                                                                \
    X(CZ_E_UNAVAILABLE, 503, "unavailable")     /* database, broker or peer is away */         \
    X(CZ_E_FENCED, 503, "fenced")               /* somebody newer has taken our place */       \
    X(CZ_E_TIMEOUT, 504, "timeout")

enum cz_err {
#define X(name, status, slug) name,
    CZ_ERR_MAP(X)
#undef X
        CZ_ERR_COUNT_
};

enum cz_err_flags {
    CZ_ERR_RETRIABLE = 1 << 0, /* the same call may succeed later */
    CZ_ERR_FATAL = 1 << 1,     /* the object is dead: destroy and build a new one */
    CZ_ERR_ABORT_TXN = 1 << 2, /* abort the transaction, rewind, go on */
};

struct cz_error {
    enum cz_err code;
    uint32_t flags;  /* enum cz_err_flags */
    int64_t detail;  /* rd_kafka error code, errno or 0 */
    char state[6];   /* SQLSTATE, or "" */
    char text[498];  /* for people; always terminated */
};

#define CZ_ERROR_INIT {.code = CZ_OK}
#define CZ_MUST_USE __attribute__((warn_unused_result))
#define CZ_PRINTF(f, a) __attribute__((format(printf, f, a)))

/** Fill @err (NULL allowed, first one wins) and return @code. */
enum cz_err cz_fail(struct cz_error *err, enum cz_err code, const char *fmt, ...) CZ_PRINTF(3, 4);
/** As cz_fail(), with verdict flags and a detail code. */
enum cz_err cz_fail_flags(struct cz_error *err,
                          enum cz_err code,
                          uint32_t flags,
                          int64_t detail,
                          const char *fmt,
                          ...) CZ_PRINTF(5, 6);
/** Put "<fmt>: " in front of the text of a filled error, for context.  Returns err->code. */
enum cz_err cz_fail_prefix(struct cz_error *err, const char *fmt, ...) CZ_PRINTF(2, 3);
void cz_error_reset(struct cz_error *err);

int cz_err_http_status(enum cz_err code);
const char *cz_err_slug(enum cz_err code); /* "stale-version" */
const char *cz_err_name(enum cz_err code); /* "CZ_E_STALE" */

#endif
