/* SPDX-License-Identifier: Apache-2.0 */
/** Consumer groups follow their topics to the target; see group_sync.c.  @thread any */
#ifndef CZ_SCHED_GROUP_SYNC_H
#define CZ_SCHED_GROUP_SYNC_H

#include "cz/thread.h"
#include "view.h"

struct cz_group_sync {
    struct cz_view *view;
    const char *group_id;
    struct cz_thread thread;
    bool started;
    struct cz_mutex lock; /* what follows; taken after the view's */
    struct cz_cond wake;
    struct cz_map done; /* uid → what became of it last */
    bool leads, stop;
};
/** @view and @group_id are borrowed. */
void cz_group_sync_start(struct cz_group_sync *g, struct cz_view *view, const char *group_id);
void cz_group_sync_lead(struct cz_group_sync *g, bool leads);
void cz_group_sync_stop(struct cz_group_sync *g); /* joins; waits for the mapping at hand */
/** What became of a mapping's groups, as this instance knows. false: nothing. */
bool cz_group_sync_last(struct cz_group_sync *g, const char *uid, bool *ret_ok, char *text, size_t n);

#endif
