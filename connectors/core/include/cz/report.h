/* SPDX-License-Identifier: Apache-2.0 */
/** What is wrong with a document: a list of {JSON pointer, code, message}, as RFC 9457 `errors`.
 *  Validation goes on after the first problem, so that a user sees them all at once. */
#ifndef CZ_REPORT_H
#define CZ_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "cz/error.h"

struct cz_problem {
    char *pointer; /* RFC 6901, "" = the document */
    char *code;    /* short slug: "unknown-field", "type", "range", "jmespath", "not-available", … */
    char *message;
};
struct cz_report {
    struct cz_problem *items;
    size_t len, cap;
    bool truncated; /* more than CZ_MAX_PROBLEMS */
};
#define CZ_REPORT_INIT {0}

void cz_report_done(struct cz_report *r);
/** Returns CZ_E_INVALID always, for `return cz_report_add(…)`. @pointer is copied. */
enum cz_err cz_report_add(struct cz_report *r,
                          const char *pointer,
                          const char *code,
                          const char *fmt,
                          ...) CZ_PRINTF(4, 5);
bool cz_report_ok(const struct cz_report *r);
/** CZ_OK when empty; else CZ_E_INVALID with the first problem ("<pointer>: <message>") in @err. */
enum cz_err cz_report_error(const struct cz_report *r, struct cz_error *err);

/** Append "/<token>" to the pointer in @out (size CZ_POINTER_SIZE), escaping ~ and /. */
#define CZ_POINTER_SIZE 512
void cz_pointer_push(char *out, const char *token);
void cz_pointer_push_index(char *out, size_t index);
void cz_pointer_pop(char *out);

#endif
