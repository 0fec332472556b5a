/* SPDX-License-Identifier: Apache-2.0 */
/* A task whose next record needs a schema that is not known yet: it reads nothing for a moment, as
 * one whose budget is used up, and tries the record again.  The lane's other tasks go on.  When it
 * takes longer the log and the herder are told why, and that it is over. */
#include <stdio.h>
#include <string.h>

#include "cz/log.h"
#include "lane_priv.h"

enum { TELL_AFTER_MS = 1000 };

bool lane__wait(struct cz_lane *l, struct cz_task *t, const struct cz_error *why)
{
    cz_time now = cz_now();
    lane__lag(l, t);
    if (!t->waiting_since)
        t->waiting_since = now;
    if (now - t->waiting_since < TELL_AFTER_MS * CZ_MS || strncmp(t->waiting_for, why->text, sizeof t->waiting_for - 1) == 0)
        return false;
    (void)snprintf(t->waiting_for, sizeof t->waiting_for, "%.*s", (int)sizeof t->waiting_for - 1, why->text);
    cz_log(CZ_LOG_WARN, "task", "%s: waits: %s", t->label, why->text);
    lane__emit(l, CZ_TASK_EVENT_WAITING, t, why);
    return false;
}

void lane__waited(struct cz_lane *l, struct cz_task *t)
{
    t->waiting_since = 0;
    if (!t->waiting_for[0])
        return;
    t->waiting_for[0] = '\0';
    cz_log(CZ_LOG_INFO, "task", "%s: goes on", t->label);
    lane__emit(l, CZ_TASK_EVENT_WAITING, t, NULL);
}
