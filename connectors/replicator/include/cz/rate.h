/* SPDX-License-Identifier: Apache-2.0 */
/** `rate` of a mapping: caps per second, and other caps at certain times of the day. */
#ifndef CZ_RATE_H
#define CZ_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "cz/timezone.h"

enum { CZ_MAX_RATE_WINDOWS = 24 };

struct cz_rate_cap {
    int64_t records, bytes; /* per second; 0: none */
};
/** From `from` to `to`, in minutes of the day; where `to` is not after `from` it ends on the next
 *  day, and belongs to the day on which it began.  In a zone the clock on its wall counts: a window that
 *  lies in the hour that is skipped in spring does not open that day, in autumn one may open twice. */
struct cz_rate_window {
    int from, to;
    unsigned days;  /* bit 0: Monday */
    struct cz_rate_tz {
        const struct cz_timezone *zone; /* NULL: the offset */
        int utc_offset;                 /* minutes */
    } tz;
    struct cz_rate_cap cap;
};
struct cz_rate {
    struct cz_rate_cap cap;
    int64_t burst_s; /* so many seconds' worth may be made up for */
    struct cz_rate_window windows[CZ_MAX_RATE_WINDOWS];
    int windows_len;
};

bool cz_rate_limits(const struct cz_rate *r); /* is there a cap at any time? */
/** The caps at this moment: of the first window that it falls into, else the general ones. */
struct cz_rate_cap cz_rate_at(const struct cz_rate *r, int64_t wall_ms);

#endif
