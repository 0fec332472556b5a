/* SPDX-License-Identifier: Apache-2.0 */
/** Task states, by Kafka Connect's names, and the legal ways between them.  The one setter is
 *  cz_task_state_set(); an illegal step is our bug and aborts. */
#ifndef CZ_STATE_H
#define CZ_STATE_H

#include <stdbool.h>

#define CZ_TASK_STATE_MAP(X)                                                                   \
    X(UNASSIGNED) /* no worker, or not started yet */                                          \
    X(RUNNING)                                                                                 \
    X(PAUSED)     /* by override; position kept */                                             \
    X(STOPPED)    /* spec.enabled is false */                                                  \
    X(FAILED)     /* waits for a change, a restart, or its retry */                            \
    X(RESTARTING) /* being stopped to be started again */                                      \
    X(FINISHED)   /* all its work is done; a change or a restart may run it again */

enum cz_task_state {
#define X(s) CZ_TASK_##s,
    CZ_TASK_STATE_MAP(X)
#undef X
        CZ_TASK_STATE_COUNT_
};
const char *cz_task_state_name(enum cz_task_state s); /* "RUNNING" */
bool cz_task_state_parse(const char *name, enum cz_task_state *ret);
bool cz_task_state_legal(enum cz_task_state from, enum cz_task_state to);
/** Check, log "old → new: reason" with @what, store. Same state again: no-op, returns false. */
bool cz_task_state_set(enum cz_task_state *state, enum cz_task_state to, const char *what, const char *reason);

#endif
