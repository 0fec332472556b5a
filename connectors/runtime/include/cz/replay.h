/* SPDX-License-Identifier: Apache-2.0 */
/** How topic files are replayed. */
#ifndef CZ_REPLAY_H
#define CZ_REPLAY_H

#include "cz/topic_file.h"

enum cz_shift {
    CZ_SHIFT_NONE, /* timestamps as recorded */
    CZ_SHIFT_NOW,  /* the time at which a record is sent */
    CZ_SHIFT_BY,   /* as recorded, and shift_ms more */
};
struct cz_replay {
    struct cz_file_folder *folder; /* borrowed */
    double speed;                  /* 1: with the recorded gaps, 2: in half the time; 0: at once */
    bool loop;                     /* from the beginning again, for ever */
    enum cz_shift shift;
    int64_t shift_ms;
    int64_t from_ms, to_ms; /* only records of [from, to); INT64_MIN, INT64_MAX: all.  A record without
                               a timestamp has that of the one before */
};

#endif
