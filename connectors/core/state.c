/* SPDX-License-Identifier: Apache-2.0 */
/** Task states: names, the table of legal steps, the one setter. */
#include "cz/state.h"

#include <stdlib.h>
#include <string.h>

#include "cz/drop.h"
#include "cz/log.h"
#include "cz/util.h"

static const char *const names[CZ_TASK_STATE_COUNT_] = {
#define X(s) [CZ_TASK_##s] = #s,
    CZ_TASK_STATE_MAP(X)
#undef X
};

/* FAILED → RUNNING is not here on purpose: a failed task is first taken down (RESTARTING).  Only
 * what runs can be FINISHED. */
static const bool legal[CZ_TASK_STATE_COUNT_][CZ_TASK_STATE_COUNT_] = {
    [CZ_TASK_UNASSIGNED] = {[CZ_TASK_RUNNING] = true,
                            [CZ_TASK_PAUSED] = true,
                            [CZ_TASK_STOPPED] = true,
                            [CZ_TASK_FAILED] = true},
    [CZ_TASK_RUNNING] = {[CZ_TASK_PAUSED] = true,
                         [CZ_TASK_STOPPED] = true,
                         [CZ_TASK_FAILED] = true,
                         [CZ_TASK_RESTARTING] = true,
                         [CZ_TASK_FINISHED] = true,
                         [CZ_TASK_UNASSIGNED] = true},
    [CZ_TASK_PAUSED] = {[CZ_TASK_RUNNING] = true,
                        [CZ_TASK_STOPPED] = true,
                        [CZ_TASK_FAILED] = true,
                        [CZ_TASK_UNASSIGNED] = true,
                        [CZ_TASK_RESTARTING] = true},
    [CZ_TASK_STOPPED] = {[CZ_TASK_RUNNING] = true,
                         [CZ_TASK_PAUSED] = true,
                         [CZ_TASK_UNASSIGNED] = true,
                         [CZ_TASK_FAILED] = true,
                         [CZ_TASK_RESTARTING] = true},
    [CZ_TASK_FAILED] = {[CZ_TASK_RESTARTING] = true,
                        [CZ_TASK_UNASSIGNED] = true,
                        [CZ_TASK_PAUSED] = true,
                        [CZ_TASK_STOPPED] = true},
    [CZ_TASK_RESTARTING] = {[CZ_TASK_RUNNING] = true,
                            [CZ_TASK_FAILED] = true,
                            [CZ_TASK_PAUSED] = true,
                            [CZ_TASK_STOPPED] = true,
                            [CZ_TASK_UNASSIGNED] = true},
    [CZ_TASK_FINISHED] = {[CZ_TASK_RESTARTING] = true,
                          [CZ_TASK_FAILED] = true,
                          [CZ_TASK_PAUSED] = true,
                          [CZ_TASK_STOPPED] = true,
                          [CZ_TASK_UNASSIGNED] = true},
};

static bool known(enum cz_task_state s)
{
    return (unsigned)s < CZ_TASK_STATE_COUNT_;
}

const char *cz_task_state_name(enum cz_task_state s)
{
    return known(s) ? names[s] : "?";
}

bool cz_task_state_parse(const char *name, enum cz_task_state *ret)
{
    for (int i = 0; name && i < CZ_TASK_STATE_COUNT_; i++) {
        if (strcmp(name, names[i]) == 0) {
            *ret = (enum cz_task_state)i;
            return true;
        }
    }
    return false;
}

bool cz_task_state_legal(enum cz_task_state from, enum cz_task_state to)
{
    return known(from) && known(to) && legal[from][to];
}

bool cz_task_state_set(enum cz_task_state *state,
                       enum cz_task_state to,
                       const char *what,
                       const char *reason)
{
    enum cz_task_state from = *state;
    if (from == to)
        return false;
    if (!cz_task_state_legal(from, to)) {
        cz_log(CZ_LOG_ERROR, "state", "illegal step %s → %s: %s %s", cz_task_state_name(from),
               cz_task_state_name(to), reason, what);
        abort();
    }
    *state = to;
    cz_log(CZ_LOG_INFO, "state", "%s → %s: %s %s", cz_task_state_name(from),
           cz_task_state_name(to), reason, what);
    return true;
}

static const char *const DROP_NAMES[] = {
#define X(e, name) name,
    CZ_DROP_MAP(X)
#undef X
};

const char *cz_drop_name(enum cz_drop d)
{
    return DROP_NAMES[d];
}

bool cz_drop_parse(const char *name, enum cz_drop *ret)
{
    for (int d = 0; d < CZ_DROP_COUNT_; d++) {
        if (cz_streq(name, DROP_NAMES[d])) {
            *ret = (enum cz_drop)d;
            return true;
        }
    }
    return false;
}
