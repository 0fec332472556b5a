/* SPDX-License-Identifier: Apache-2.0 */
/** The dead letters of a mapping (cz/dead_letter.h): looked at, sent through its stages as they are now, or
 *  discarded.
 *
 *  A letter that was sent again is never sent twice and none is forgotten: the records, and which letters they
 *  were made of, are written in one transaction on the target cluster, where the dead-letter topic lies, too.
 *  What is done is kept per partition of that topic in `<group id>.dead-letters` (compacted).  A job that dies
 *  leaves what it has committed; the next one goes on behind it, and fences one that still runs.
 *  Letters that fail again stay where they are.  @thread any */
#ifndef CZ_REDRIVE_H
#define CZ_REDRIVE_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "cz/kafka.h"
#include "cz/mapping_spec.h"
#include "cz/stages.h"
#include "cz/time.h"

#define CZ_DEAD_LETTERS_TOPIC "%s.dead-letters" /* of the group id */

enum cz_redrive_action {
    CZ_REDRIVE_LIST,    /* count them and show some; nothing is written */
    CZ_REDRIVE_AGAIN,   /* through the stages, to the target */
    CZ_REDRIVE_DISCARD, /* not wanted any more: count them as done */
};
/** Which letters; all that is given must hold. */
struct cz_redrive_filter {
    const char *stage, *error; /* as the letter tells; NULL: any */
    const char *topic;         /* of the source; NULL: any */
    int32_t partition;         /* of the source; -1: any */
    int64_t from_offset, to_offset; /* of the source, [from, to); -1: no bound */
    int64_t since_ms, until_ms;     /* timestamps of the records, [since, until); -1: no bound */
};
struct cz_redrive_conf {
    struct cz_cluster *source; /* NULL: a file */
    struct cz_cluster *letters; /* where the letters lie: the target, unless that is a file (then not AGAIN) */
    struct cz_admin *letters_admin;
    const char *client_id, *group_id; /* group_id of the deployment */
    const char *team, *mapping;
    const char *first_name; /* of the mapping, when it was renamed: letters may bear it, and done is kept by it */
    const struct cz_mapping_spec *spec; /* with a dead_letter_topic */
    struct cz_stages *stages;
    enum cz_redrive_action action;
    bool dry_run; /* the same, and nothing is written */
    struct cz_redrive_filter filter;
    int64_t max_records; /* letters that are taken; then the job ends, not complete */
    int samples;         /* LIST: letters to be shown */
    cz_time deadline;    /* the same */
    const atomic_bool *stop; /* give up when it becomes true */
};
/** @param ret {"topic","cluster","letters": that match,"others": of this mapping that do not,"complete":bool}
 *   LIST:    "reasons":[{"stage","error","message","records"}], "samples":[…]
 *   AGAIN:   "redriven","dropped":{reason:n},"gone","failed","reasons": of those that failed now
 *   DISCARD: "discarded"
 *   Set also when a job failed after it had written something.
 *  @return CZ_OK also when letters failed again; CZ_E_CONFLICT: another job has taken over */
CZ_MUST_USE enum cz_err cz_redrive(const struct cz_redrive_conf *conf, json_t **ret, struct cz_error *err);

#endif
