/* SPDX-License-Identifier: Apache-2.0 */
/* The consumer group of a target's service (`target_service_consumer_group`).  While a mapping names
 * one, every instance looks every few seconds whether it is there and has members; on the one that
 * leads, the group is deleted once each time that replication was switched on.  What was done is
 * remembered in the store, so that a new leader does not do it again to a service that has come back
 * meanwhile.  A group that has members cannot be deleted: it is tried again until they are gone.
 * Runs on the thread of the target's cluster; replication does not wait for it. */
#include <stdio.h>
#include <string.h>

#include "cz/alloc.h"
#include "cz/log.h"
#include "cz/util.h"
#include "watch_priv.h"

#define CALL_TIMEOUT_MS 5000
#define LOOK_MS 2000
#define MARK "service_group_deleted"

struct job { /* a copy of what is about one mapping, used without the lock */
    struct cz_watch_once once;
    char *group;
    int64_t switched_on;
};

static void job_done(struct job *j)
{
    cz__watch_once_done(&j->once);
    cz_free(j->group);
}

static bool concerns(const struct source *s, const struct user *u)
{
    return u->service_group && cz_map_get(&s->w->keys, u->target) == s;
}

static bool open_job(const struct source *s, const struct user *u)
{
    return concerns(s, u) && u->switched_on > 0 && u->group.deleted < u->switched_on;
}

static cz_time next_look(const struct source *s)
{
    int ms = s->w->o.groups_interval_ms;
    return cz_deadline_ms(ms > 0 ? ms : LOOK_MS);
}

/* ---- looking ----------------------------------------------------------------------------------- */

static enum cz_err list_groups(struct source *s, struct cz_group **ret, size_t *ret_n, struct cz_error *err)
{
    cz_time deadline = cz_deadline_ms(CALL_TIMEOUT_MS);
    if (s->w->o.groups)
        return s->w->o.groups(s->w->o.topics_arg, s->cluster, ret, ret_n, err);
    return cz_admin_groups(s->admin, deadline, ret, ret_n, err);
}

static enum cz_group_state state_of(const struct cz_group *g, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(g[i].name, name) == 0)
            return g[i].state;
    return CZ_GROUP_ABSENT;
}

/* With the lock, which is given up meanwhile. */
static void look(struct source *s)
{
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_group *groups = NULL;
    size_t n = 0;
    cz_mutex_unlock(&s->w->lock);
    enum cz_err rc = list_groups(s, &groups, &n, &err);
    cz_mutex_lock(&s->w->lock);
    CZ_MAP_FOREACH (&s->w->users, i, e) {
        struct user *u = e->value;
        if (!concerns(s, u))
            continue;
        u->group.state = rc == CZ_OK ? state_of(groups, n, u->service_group) : CZ_GROUP_UNKNOWN;
        if (rc != CZ_OK)
            snprintf(u->group.text, sizeof(u->group.text), "%.159s", err.text);
    }
    cz_groups_free(groups, n);
}

/* ---- deleting ---------------------------------------------------------------------------------- */

/* The first mapping whose group is to be deleted and whose time has come; false: none. */
static bool pick(struct source *s, struct job *ret, cz_time *next)
{
    CZ_MAP_FOREACH (&s->w->users, i, e) {
        struct user *u = e->value;
        if (!open_job(s, u))
            continue;
        if (cz_now() < u->group.next) {
            *next = u->group.next < *next ? u->group.next : *next;
            continue;
        }
        *ret = (struct job){.group = cz_strdup(u->service_group), .switched_on = u->switched_on};
        cz__watch_once_of(e->key, u, &ret->once);
        ret->once.what = MARK;
        ret->once.value = u->switched_on;
        return true;
    }
    return false;
}

static enum cz_err delete_group(struct source *s, const struct job *j, struct cz_error *err)
{
    enum cz_err rc = s->w->o.delete_group
                         ? s->w->o.delete_group(s->w->o.topics_arg, s->cluster, j->group, err)
                         : cz_admin_delete_group(s->admin, j->group,
                                                 cz_deadline_ms(CALL_TIMEOUT_MS), err);
    if (rc != CZ_OK)
        return rc;
    json_t *detail = json_pack("{s:s,s:s}", "mapping", j->once.mapping, "group", j->group);
    rc = s->w->o.set_done(s->w->o.arg, &j->once, "mapping.service_group.delete", detail, err);
    json_decref(detail);
    if (rc == CZ_OK)
        cz_log(CZ_LOG_INFO, "watch", "group of the target's service deleted group=%s mapping=%s/%s",
               j->group, j->once.team, j->once.mapping);
    return rc;
}

/* @done: up to which switching-on the group was deleted. @return when to try again */
static void note(struct source *s, const struct job *j, enum cz_err rc, int64_t done, const struct cz_error *err)
{
    struct user *u = cz_map_get(&s->w->users, j->once.uid);
    if (!u || !cz_streq(u->service_group, j->group))
        return; /* changed meanwhile: looked at anew */
    u->group.deleted = done > u->group.deleted ? done : u->group.deleted;
    u->group.code = rc;
    if (rc == CZ_OK) {
        u->group.tries = 0;
        u->group.next = next_look(s); /* an instance that does not lead: not done yet */
        return;
    }
    snprintf(u->group.text, sizeof(u->group.text), "%.159s", err->text);
    u->group.next = cz_now() + cz_backoff_ms(++u->group.tries, 500, 10000) * CZ_MS;
}

/* What the store says, and on the leader the deletion. */
static void settle(struct source *s, const struct job *j, bool leads)
{
    struct cz_error err = CZ_ERROR_INIT;
    int64_t done = 0;
    cz_mutex_unlock(&s->w->lock);
    enum cz_err rc = s->w->o.get_done(s->w->o.arg, &j->once, &done, &err);
    if (rc == CZ_OK && done < j->switched_on && leads) {
        rc = delete_group(s, j, &err);
        if (rc == CZ_OK)
            done = j->switched_on;
        else
            CZ_LOG_EVERY(10000, CZ_LOG_WARN, "watch", "%s mapping=%s/%s", err.text, j->once.team,
                         j->once.mapping);
    }
    cz_mutex_lock(&s->w->lock);
    note(s, j, rc, done, &err);
}

cz_time cz__watch_groups(struct source *s)
{
    cz_time next = CZ_TIME_NEVER;
    bool any = false;
    struct job j;
    CZ_MAP_FOREACH (&s->w->users, i, e)
        any |= concerns(s, e->value);
    if (!any)
        return next;
    for (int k = 0; k < 64 && !s->stop && pick(s, &j, &next); k++) { /* topics wait no longer */
        settle(s, &j, s->w->leads);
        job_done(&j);
    }
    if (cz_now() >= s->groups_looked) {
        look(s);
        s->groups_looked = next_look(s);
    }
    return next < s->groups_looked ? next : s->groups_looked;
}

void cz_watch_service_group(struct cz_watch *w, const char *uid, struct cz_watch_group *ret)
{
    CZ_LOCKED(&w->lock);
    const struct user *u = cz_map_get(&w->users, uid);
    *ret = (struct cz_watch_group){0};
    if (!u || !u->service_group)
        return;
    ret->named = true;
    ret->state = u->group.state;
    ret->due = u->switched_on > 0 && u->group.deleted < u->switched_on;
    ret->code = u->group.code;
    snprintf(ret->group, sizeof(ret->group), "%s", u->service_group);
    snprintf(ret->text, sizeof(ret->text), "%s", u->group.text);
}
