/* SPDX-License-Identifier: Apache-2.0 */
/** What the config topic says, followed by every instance: for the conditions, for the watch,
 * and as the starting point of a new leader.  After a reset (the topic is another one) the old
 *  content stays visible until the new one was read to its end.  @thread any */
#ifndef CZ_SCHED_VIEW_H
#define CZ_SCHED_VIEW_H

#include "cz/thread.h"
#include "model.h"
#include "watch.h"

struct cz_view {
    struct cz_mutex lock;
    struct cz_model now;  /* complete content */
    struct cz_model next; /* being read, until on_end */
    bool reading;         /* `next` is filled, not `now` */
    bool ready;           /* was at the end once */
    uint64_t resets;
    cz_time changed_at;     /* last record */
    int64_t epoch;          /* highest seen */
    struct cz_watch *watch; /* borrowed; told of clusters and mappings; may be NULL */
};

void cz_view_init(struct cz_view *v, struct cz_watch *watch);
void cz_view_done(struct cz_view *v);
extern const struct cz_follower_ops cz_view_ops; /* arg: struct cz_view * */

bool cz_view_ready(struct cz_view *v);
uint64_t cz_view_resets(struct cz_view *v);

/** Tell @watch of one config key; @e NULL: gone. */
void cz_view_tell_watch(struct cz_watch *w, const char *key, const struct cz_model_entry *e);

#endif
