/* SPDX-License-Identifier: Apache-2.0 */
/** The status view's halves: workers and tasks (status_view.c), counters (status_stats.c). */
#ifndef CZ_STATUS_PRIV_H
#define CZ_STATUS_PRIV_H

#include "cz/map.h"
#include "cz/status_view.h"
#include "cz/thread.h"

struct cz_status_view {
    struct cz_follower *follower; /* NULL: fed by hand */
    struct cz_mutex lock;         /* everything below */
    struct cz_cond changed;
    uint64_t version;   /* of workers and tasks */
    bool ready, reading; /* reading: between the begin of a (re)read and its end */
    struct cz_map workers; /* id → struct worker */
    struct cz_map tasks;   /* uid → struct task_set */
    struct cz_map stats;   /* uid → struct cz__stats */
    uint64_t gaps_seen;
    struct cz_gap_infos new_gaps; /* the last ones, as they came */
    struct cz_map gaps;    /* "uid/topic/partition" → struct cz_gap_info */
};

/* All with v->lock held. */
void cz__stats_take(struct cz_status_view *v,
                    const char *worker,
                    const char *uid,
                    const struct cz_channel_record *r);
void cz__stats_free(void *stats);
void cz__gap_take(struct cz_status_view *v, const struct cz_channel_record *r);
void cz__gap_free(void *gap);

#endif
