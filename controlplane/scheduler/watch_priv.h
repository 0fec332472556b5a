/* SPDX-License-Identifier: Apache-2.0 */
/** Insides of the metadata watch: watch.c asks, watch_create.c creates what is missing,
 *  watch_sync.c lets topics
 *  follow their sources, watch_groups.c deletes the groups of services. */
#ifndef CZ_SCHED_WATCH_PRIV_H
#define CZ_SCHED_WATCH_PRIV_H

#include "cz/thread.h"
#include "cz/topic_pattern.h"
#include "watch.h"

struct topic {
    struct cz_watch_topic info;
    bool missing_once;
    unsigned mark; /* round in which somebody wanted it */
    unsigned refusals;
    cz_time create_at; /* not before */
    cz_time sync_at;   /* next comparison with the source */
    int32_t synced;    /* partitions of the source at the last one */
};

struct source { /* a cluster that is watched */
    struct cz_watch *w;
    uint64_t hash;
    struct cz_cluster *cluster;
    struct cz_admin *admin;
    struct cz_map topics; /* name → struct topic */
    struct cz_thread thread;
    int refs; /* keys that mean this cluster */
    unsigned round;
    bool stop, done, poke, recheck;
    cz_time create_at; /* when to look for topics to create */
    cz_time sync_at;   /* when to compare topics with their sources */
    cz_time groups_at; /* when to look after groups of services */
    cz_time groups_looked; /* not before: the next list of all groups */
    bool asked, unreachable;
    char error[200];
    struct source *next;
};

struct user { /* a mapping */
    char *team, *name;
    char *source, *target, *dead_letter;
    bool create, sync, acls;
    char *service_group; /* NULL: none */
    int64_t switched_on;
    struct {
        enum cz_group_state state;
        enum cz_err code; /* of the last try */
        int64_t deleted;  /* for this switching-on and those before it was done */
        unsigned tries;
        cz_time next; /* not before */
        char text[160];
    } group;
    struct cz_sched_pair *pairs;
    size_t pairs_len;
    /* of a pattern: then the pairs are what was found */
    struct cz_topic_pattern *pattern; /* NULL: none */
    char *pattern_text, *template, *avoid;
    json_t *exclude;
    bool listed; /* the cluster's topics were looked through */
};

struct cz_watch {
    struct cz_watch_options o;
    struct cz_mutex lock;
    struct cz_cond wake;
    bool leads;
    struct source *sources;
    struct cz_map keys;  /* key → struct source, borrowed */
    struct cz_map users; /* uid → struct user */
};

/** Find the topics of patterns on @s; with @due also of those that were looked for before. The lock is
 *  held before and after, not meanwhile. @return whether a mapping has a pattern there */
bool cz__watch_list(struct source *s, bool due, bool *ret_change);
/** Note whether the cluster answered. @return whether that is news */
bool cz__watch_answered(struct source *s, enum cz_err rc, const struct cz_error *err);

/** Create one missing topic that a mapping wants created on @s. The lock is held before and after,
 *  not meanwhile. @return when to look again; CZ_TIME_NEVER: with the next news. */
cz_time cz__watch_create(struct source *s);

extern const char *const cz__watch_followed[]; /* settings of a topic that follow the source's */
/** Write that something was done for a mapping; takes @detail. Without the lock. */
void cz__watch_audit(const struct cz_watch *w, const struct cz_watch_once *of, const char *action,
                     json_t *detail);
/** A copy of what @u is, for use without the lock. */
void cz__watch_once_of(const char *uid, const struct user *u, struct cz_watch_once *ret);
void cz__watch_once_done(struct cz_watch_once *o);
/** Let one topic that a mapping wants synced on @s follow its source. Lock and @return as above. */
cz_time cz__watch_sync(struct source *s);
/** Look after the groups that mappings name on @s. Lock and @return as above. */
cz_time cz__watch_groups(struct source *s);

#endif
