/* SPDX-License-Identifier: Apache-2.0 */
/** Logging.  One line per event on stderr: logfmt on a terminal or by choice, else JSON
 *  ({"ts","level","component","msg"}).  The top of a thread or request logs an error
 *  once; libraries never log above debug, except state changes.  Control characters are escaped.
 *  What a line is about stands as key=value at the end of the message, e.g.
 *  cz_log(CZ_LOG_INFO, "task", "started mapping=%s task=%d", uid, n).  One write(2) per line, no
 *  allocation, messages over 4 KiB are cut.  Without cz_log_init() the level is info.
 *  @thread any */
#ifndef CZ_LOG_H
#define CZ_LOG_H

#include <stdbool.h>

#include "cz/error.h"

enum cz_log_level { CZ_LOG_ERROR, CZ_LOG_WARN, CZ_LOG_INFO, CZ_LOG_DEBUG };

void cz_log_init(enum cz_log_level level, bool json);
void cz_log_set_level(enum cz_log_level level);
enum cz_log_level cz_log_level(void);
bool cz_log_level_parse(const char *s, enum cz_log_level *ret);
const char *cz_log_level_name(enum cz_log_level level);

/** @component short lower-case name of the room ("scheduler"); message by printf format. */
void cz_log(enum cz_log_level level, const char *component, const char *fmt, ...)
    CZ_PRINTF(3, 4);

/** At most one line per @interval_ms from this place; tells how many were held back. */
#define CZ_LOG_EVERY(interval_ms, level, component, ...)                                       \
    do {                                                                                       \
        static struct cz_log_gate gate_;                                                       \
        if (cz_log_gate(&gate_, (interval_ms)))                                                \
            cz_log((level), (component), __VA_ARGS__);                                         \
    } while (0)
struct cz_log_gate {
    _Atomic long long next_ns;
    _Atomic unsigned long long held;
};
bool cz_log_gate(struct cz_log_gate *g, long long interval_ms);

#endif
