/* SPDX-License-Identifier: Apache-2.0 */
/** Which partitions are which task, and which worker runs it: pure functions, no clock, no I/O,
 *  no randomness; equal inputs give equal outputs.
 *
 *  Shape.  Partition p of the i-th topic pair belongs to task (p + i) mod tasks, so new
 * partitions join without moving old ones and several pairs are spread.  Hence an assignment is
 * just the number of tasks, a worker per task and, per topic, how many partitions it has.
 *  Files.  A task that reads or writes a file goes only to a worker with a folder of files, and
 * moves only when that worker is gone: another one's folder may be another one.
 *  Number of tasks.  A number in the spec: that one, at most one per partition.  `auto`: at the
 *  first assignment min(partitions, live workers, CZ_AUTO_TASKS_MAX).  Afterwards it never
 *  shrinks (an idle task costs nothing, a moved partition does) and grows only by doubling,
 * when twice as many workers are there and the mapping's measured rate is worth it: a doubled task splits in place, so no partition changes
 * its worker for it, and a fleet that breathes does not make it flap. Placement.  Sticky: a
 * task stays where it is unless its worker is gone.  Homeless tasks go, heaviest first, to the
 * least loaded worker with room.  Running tasks move only when the caller asks to balance (a
 * worker came, or loads have been out of the band for long). */
#ifndef CZ_ASSIGN_H
#define CZ_ASSIGN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CZ_AUTO_TASKS_MAX 16
#define CZ_PARTITIONS_UNKNOWN (-1)
#define CZ_SPLIT_RATE (4.0 * 1024 * 1024) /* bytes/s of a mapping from which `auto` splits tasks */
#define CZ_PARTITION_BASE_LOAD 1024.0 /* bytes/s that an idle partition counts as */

/* ---- assignment -----------------------------------------------------------------------------
 */

struct cz_as_topic {
    char *name;
    char id[24];        /* topic id when it was assigned; "" unknown */
    char was_id[24];    /* of the topic of this name before it was created again; "" never */
    int32_t partitions; /* assigned now; 0 when the topic is missing */
    int32_t seen;       /* the most it ever had: what comes above is new; -1: not known yet */
    int32_t from_start; /* partitions from this one on began after the mapping; -1: none */
};
struct cz_assignment {
    int64_t generation;
    int tasks;                  /* 0: nothing to read yet */
    char **workers;             /* per task; NULL: nobody */
    struct cz_as_topic *topics; /* in the order of the pairs */
    size_t topics_len;
};
void cz_assignment_free(struct cz_assignment *a);
bool cz_assignment_equal(const struct cz_assignment *a,
                         const struct cz_assignment *b);         /* without generation */
int32_t cz_assignment_partitions(const struct cz_assignment *a); /* in all */
/** Where the partitions of task @t of @tasks ran before; NULL: nowhere. */
const char *cz_assignment_hint(const struct cz_assignment *prev, int tasks, int t);
bool cz_assignment_task_empty(const struct cz_assignment *a, int task);
/** The record `assignment/<uid>`. Beyond the channel's contract it carries "task_count" and
 *  "topics":[{"topic","id","was_id"?,"partitions","seen","from_start"}], so that a new leader goes on
 * from it. */
json_t *cz_assignment_render(const struct cz_assignment *a, const char *uid);
/** NULL: not one of ours. */
struct cz_assignment *cz_assignment_parse(const json_t *j);

/* ---- placement ------------------------------------------------------------------------------
 */

struct cz_place_worker {
    const char *id;
    int capacity;  /* most tasks; 0: no limit */
    bool eligible; /* may get more */
    bool keeps;    /* not gone: keeps what it has */
    bool files;    /* may get tasks of files */
    double load;   /* out */
    int tasks;     /* out */
};
struct cz_place_task {
    double weight;
    bool files; /* of a file: only where there is a folder of files, and moved for no balance */
    int prev;   /* index of its worker; -1: none */
    int worker; /* out: index; -1: no room anywhere */
};
/** @return how many tasks changed to another worker. */
size_t cz_place(struct cz_place_task *tasks,
                size_t n,
                struct cz_place_worker *workers,
                size_t m,
                bool balance);

/* ---- plan -----------------------------------------------------------------------------------
 */

struct cz_plan_topic {
    const char *name;
    const char *id;     /* "" unknown */
    int32_t partitions; /* 0: missing; CZ_PARTITIONS_UNKNOWN: not known yet */
};
struct cz_plan_item { /* a mapping; borrowed strings */
    const char *uid;
    int tasks; /* wanted; 0: auto */
    bool files; /* reads or writes files */
    const struct cz_plan_topic *topics;
    size_t topics_len;
    bool pattern; /* the topics are what was found: none is an answer, too */
    const struct cz_assignment *prev; /* NULL: none */
    const double *rates;              /* bytes/s per task of prev; NULL: not measured */
    const bool *held;                 /* per task of prev: not to be placed now; NULL: none */
    struct cz_assignment *next;       /* out: owned by the caller; NULL: unchanged */
};
struct cz_plan_result {
    size_t changed,
        moves; /* assignments that differ; tasks that changed from one worker to another */
    size_t homeless; /* tasks without a worker that is there */
};
/** @items sorted by uid, @workers by id. @generation is what a changed assignment gets at
 * least: max(prev->generation, generation) + 1. */
void cz_assign_plan(struct cz_plan_item *items,
                    size_t n,
                    struct cz_place_worker *workers,
                    size_t m,
                    int64_t generation,
                    bool balance,
                    struct cz_plan_result *ret);

#endif
