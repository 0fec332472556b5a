/* SPDX-License-Identifier: Apache-2.0 */
/** Time zones by their IANA names (Europe/Berlin), out of the system's tzdata: libc knows one zone per
 *  process only.  Read once, kept for the process's life (there are some hundred names), so that a
 *  zone is a plain pointer: who updates tzdata restarts the programs.  @thread any */
#ifndef CZ_TIMEZONE_H
#define CZ_TIMEZONE_H

#include <stddef.h>
#include <stdint.h>

#include "cz/error.h"

struct cz_timezone; /* immutable */

/** Out of $TZDIR, else /usr/share/zoneinfo. CZ_E_NOT_FOUND: there is no such zone, or no tzdata. */
CZ_MUST_USE enum cz_err cz_timezone_get(const char *name, const struct cz_timezone **ret, struct cz_error *err);
/** Seconds that local time is ahead of UTC at this moment, daylight saving time included. */
int cz_timezone_offset(const struct cz_timezone *z, int64_t wall_ms);

/** A zone out of the content of a TZif file (RFC 9636); for cz_timezone_get() and tests. cz_free */
CZ_MUST_USE enum cz_err cz_timezone_parse(const void *data, size_t len, struct cz_timezone **ret,
                                          struct cz_error *err);

#endif
