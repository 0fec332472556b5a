/* SPDX-License-Identifier: Apache-2.0 */
/* Leadership: an advisory lock on a session of its own, and a row with epoch, name, process and
 * the time of the last proof.  The lock makes the leader unique; the row finds one that has
 * stopped without letting go (SIGSTOP, a dead host), whose session is then ended; the epoch
 * tells everyone else who is newer.  Whatever goes wrong with the session means "no leader any
 * more": the caller stops leading and tries again. */
#include <sys/eventfd.h>
#include <unistd.h>

#include "cz/log.h"
#include "pg_priv.h"

/* A proof that takes longer than this is none. */
enum { RENEW_MS = 3000, END_WAIT_MS = 1000, END_POLL_MS = 20 };

struct pg_leadership {
    struct cz_leadership base;
    struct cz_pg_conn *conn;
    int64_t epoch;
    int wake_fd; /* eventfd; written by any thread */
};

static struct pg_leadership *lead_of(struct cz_leadership *l)
{
    return (struct pg_leadership *)l;
}

static enum cz_err fenced(const struct pg_leadership *l, const char *why, struct cz_error *err)
{
    return cz_fail_flags(err, CZ_E_FENCED, CZ_ERR_FATAL, 0,
                         "leadership of epoch %lld is lost: %s", (long long)l->epoch, why);
}

static enum cz_err lead_renew(struct cz_leadership *base, struct cz_error *err)
{
    struct pg_leadership *l = lead_of(base);
    struct pg_num epoch;
    const char *values[] = {pg_num(&epoch, l->epoch)};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    struct cz_error e = CZ_ERROR_INIT;
    if (cz_pg_exec(l->conn, PG_LEAD_RENEW, values, cz_deadline_ms(RENEW_MS), &res, &e) != CZ_OK)
        return fenced(l, e.text, err);
    return PQntuples(res) == 1 ? CZ_OK : fenced(l, "a newer epoch exists", err);
}

static enum cz_err lead_wait(struct cz_leadership *base, cz_time deadline, struct cz_error *err)
{
    struct pg_leadership *l = lead_of(base);
    bool notified = false;
    uint64_t count;
    for (;;) {
        /* First what a renewal has read along with its answer. */
        if (!cz_pg_conn_drain(l->conn, NULL, &notified))
            return fenced(l, l->conn->error.text, err);
        if (notified)
            return CZ_OK;
        int woken = cz_pg_conn_wait(l->conn, l->wake_fd, deadline);
        if (woken == 2 && read(l->wake_fd, &count, sizeof(count)) < 0)
            cz_log(CZ_LOG_DEBUG, "postgres", "eventfd: nothing to read");
        if (woken != 1)
            return CZ_OK;
    }
}

static void lead_wake(struct cz_leadership *base)
{
    uint64_t one = 1;
    if (write(lead_of(base)->wake_fd, &one, sizeof(one)) < 0)
        cz_log(CZ_LOG_DEBUG, "postgres", "eventfd: full, so it is readable already");
}

static void lead_free(struct cz_leadership *base)
{
    struct pg_leadership *l = lead_of(base);
    cz_pg_conn_free(l->conn); /* the end of the session gives the lock back */
    if (l->wake_fd >= 0)
        (void)close(l->wake_fd);
    cz_free(l);
}

static const struct cz_leadership_vt lead_vt = {
    .renew = lead_renew,
    .wait = lead_wait,
    .wake = lead_wake,
    .free = lead_free,
};

/* ---- becoming the leader
 * --------------------------------------------------------------------- */

/* *ret_epoch 0: the lock is taken by somebody else. */
static enum cz_err take(struct cz_pg_conn *c,
                        const char *instance,
                        cz_time deadline,
                        int64_t *ret_epoch,
                        struct cz_error *err)
{
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = cz_pg_exec(c, PG_LEAD_TAKE, &instance, deadline, &res, err);
    if (rc == CZ_OK)
        *ret_epoch = PQntuples(res) ? pg_int(res, 0, 0) : 0;
    return rc;
}

/* End the session of a leader that does not renew any more, and try for the lock again until it
 * is gone: the server ends a session when it comes to it. */
static enum cz_err put_aside(struct cz_pg_conn *c,
                             const char *instance,
                             const char *stale_epoch,
                             cz_time deadline,
                             int64_t *ret_epoch,
                             struct cz_error *err)
{
    enum cz_err rc = cz_pg_exec(c, PG_LEAD_END, &stale_epoch, deadline, NULL, err);
    cz_time until = cz_deadline_ms(END_WAIT_MS);
    if (until > deadline)
        until = deadline;
    while (rc == CZ_OK) {
        rc = take(c, instance, deadline, ret_epoch, err);
        if (rc != CZ_OK || *ret_epoch || cz_now() >= until)
            break;
        (void)cz_pg_conn_wait(c, -1, cz_deadline_ms(END_POLL_MS));
        (void)cz_pg_conn_drain(c, NULL, NULL);
    }
    return rc;
}

static enum cz_err compete(struct cz_pg_conn *c,
                           const char *instance,
                           int64_t lease_ms,
                           cz_time deadline,
                           int64_t *ret_epoch,
                           char **ret_leader,
                           struct cz_error *err)
{
    struct pg_num lease;
    const char *values[] = {pg_num(&lease, lease_ms)};
    CZ_CLEANUP(cz_pg_clear) PGresult *who = NULL;
    /* Before the lock is taken, so that no commit after it goes unheard. */
    enum cz_err rc = cz_pg_exec(c, PG_LISTEN, NULL, deadline, NULL, err);
    if (rc == CZ_OK)
        rc = take(c, instance, deadline, ret_epoch, err);
    if (rc != CZ_OK || *ret_epoch)
        return rc;
    rc = cz_pg_exec(c, PG_LEAD_WHO, values, deadline, &who, err);
    if (rc != CZ_OK)
        return rc;
    if (PQntuples(who) != 1)
        return cz_fail(err, CZ_E_INTERNAL, "the leader row is missing");
    *ret_leader = pg_str(who, 0, 0);
    if (PQgetvalue(who, 0, 2)[0] != 't')
        return CZ_OK;
    cz_log(CZ_LOG_WARN, "postgres",
           "leader '%s' has not renewed for %lld ms: ending its session",
           *ret_leader ? *ret_leader : "", (long long)lease_ms);
    return put_aside(c, instance, PQgetvalue(who, 0, 1), deadline, ret_epoch, err);
}

static enum cz_err
lead_new(struct cz_pg_conn *c, int64_t epoch, struct cz_leadership **ret, struct cz_error *err)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return cz_fail(err, CZ_E_IO, "no eventfd");
    struct pg_leadership *l = cz_alloc(sizeof(*l));
    *l = (struct pg_leadership){
        .base = {.vt = &lead_vt}, .conn = c, .epoch = epoch, .wake_fd = fd};
    *ret = &l->base;
    return CZ_OK;
}

enum cz_err pg__lead(struct cz_store *s,
                     const char *instance,
                     int64_t lease_ms,
                     cz_time deadline,
                     struct cz_leadership **ret,
                     int64_t *ret_epoch,
                     char **ret_leader,
                     struct cz_error *err)
{
    struct cz_pg_conn *c = NULL;
    CZ_CLEANUP(cz_freep) char *leader = NULL;
    struct cz_leadership *l = NULL;
    int64_t epoch = 0;
    enum cz_err rc = cz_pg_conn_open(pg_of(s)->target, deadline, -1, &c, err);
    if (rc == CZ_OK)
        rc = compete(c, instance, lease_ms, deadline, &epoch, &leader, err);
    if (rc == CZ_OK && epoch)
        rc = lead_new(c, epoch, &l, err);
    if (!l)
        cz_pg_conn_free(c);
    if (rc != CZ_OK)
        return rc;
    *ret = l;
    if (l && ret_epoch)
        *ret_epoch = epoch;
    if (ret_leader) {
        *ret_leader = l ? NULL : leader;
        if (!l)
            leader = NULL; /* moved */
    }
    return CZ_OK;
}
