/* SPDX-License-Identifier: Apache-2.0 */
/** Time.  Deadlines and intervals are monotonic nanoseconds (cz_time); timestamps that people or
 *  Kafka see are wall-clock milliseconds since the epoch.  @thread any */
#ifndef CZ_TIME_H
#define CZ_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int64_t cz_time; /* CLOCK_MONOTONIC, ns */

#define CZ_MS ((cz_time)1000000)
#define CZ_SEC ((cz_time)1000000000)
#define CZ_TIME_NEVER INT64_MAX

cz_time cz_now(void);
int64_t cz_wall_ms(void);
cz_time cz_deadline_ms(int64_t ms);            /* now + ms; ms < 0: never */
int cz_remaining_ms(cz_time deadline);         /* >= 0, rounded up, capped at INT_MAX; never = -1 */
/** "2026-11-22T20:33:46.942Z"; @out has room for CZ_RFC3339_SIZE. Returns @out. */
#define CZ_RFC3339_SIZE 32
char *cz_rfc3339(int64_t wall_ms, char *out);
/** Parse RFC 3339 with an offset or Z. */
bool cz_rfc3339_parse(const char *s, int64_t *ret_wall_ms);
/** Full-jitter exponential back-off: a random time in [base/2, min(cap, base << attempt)] ms. */
int64_t cz_backoff_ms(unsigned attempt, int64_t base_ms, int64_t cap_ms);

#endif
