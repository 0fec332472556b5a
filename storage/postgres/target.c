/* SPDX-License-Identifier: Apache-2.0 */
/* Where the database is and how a session begins.  The user's conninfo is completed with
 * time-outs and keepalives that he did not set.  A list of hosts is walked here and not in
 * libpq: its asynchronous connect, which is the only one that can be given up, waits for the
 * first host for ever when that one swallows packets. */
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>

#include "cz/log.h"
#include "cz/util.h"
#include "pg_priv.h"

enum { MAX_OPTIONS = 64, MAX_HOSTS = 16 };

struct cz_pg_target {
    char *keys[MAX_OPTIONS];
    char *values[MAX_OPTIONS];
    size_t n;
    size_t n_hosts;      /* 0: one host or none was given, libpq takes it as it is */
    _Atomic size_t last; /* the host that answered last */
    int connect_ms;
};

static const struct {
    const char *key, *value;
} defaults[] = {
    {"connect_timeout", "5"},    {"application_name", "citizenk"},
    {"keepalives_idle", "5"},    {"keepalives_interval", "2"},
    {"keepalives_count", "3"},   {"tcp_user_timeout", "8000"},
    {"client_encoding", "UTF8"},
};

static char **find(struct cz_pg_target *t, const char *key)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->keys[i], key) == 0)
            return &t->values[i];
    return NULL;
}

static void set(struct cz_pg_target *t, const char *key, char *value)
{
    char **slot = find(t, key);
    if (!slot) {
        t->keys[t->n] = cz_strdup(key);
        slot = &t->values[t->n++];
    }
    cz_free(*slot);
    *slot = value;
}

/* Number of the comma-separated items; an empty item counts. */
static size_t items(const char *list)
{
    size_t n = 1;
    for (; *list; list++)
        n += *list == ',';
    return n;
}

/* Item @i of a list; the last one when the list is shorter (one port for all hosts). */
static char *item(const char *list, size_t i)
{
    const char *end = strchr(list, ',');
    for (; i > 0 && end; i--) {
        list = end + 1;
        end = strchr(list, ',');
    }
    return end ? cz_strndup(list, (size_t)(end - list)) : cz_strdup(list);
}

static void complete(struct cz_pg_target *t, const struct cz_pg_limits *limits)
{
    for (size_t i = 0; i < sizeof(defaults) / sizeof(*defaults); i++)
        if (!find(t, defaults[i].key))
            set(t, defaults[i].key, cz_strdup(defaults[i].value));
    char **options = find(t, "options");
    set(t, "options",
        /* What the user gave stands behind ours and so wins.  No compiling of queries: each of ours takes
         * milliseconds, and over many partitions their compilation takes seconds. */
        cz_strf("-c jit=off -c statement_timeout=%d -c lock_timeout=%d"
                " -c idle_in_transaction_session_timeout=%d %s",
                limits->statement, limits->lock, limits->idle_in_transaction,
                options ? *options : ""));
    int64_t seconds = 5;
    char **timeout = find(t, "connect_timeout");
    if (timeout)
        (void)cz_parse_i64(*timeout, &seconds);
    t->connect_ms = seconds > 0 && seconds < 600 ? (int)seconds * 1000 : 5000;
    char **host = find(t, "host"), **addr = find(t, "hostaddr");
    size_t n = addr ? items(*addr) : host ? items(*host) : 1;
    t->n_hosts = n > 1 ? n : 0;
    if (n > 1 && !find(t, "target_session_attrs"))
        set(t, "target_session_attrs", cz_strdup("read-write"));
}

enum cz_err cz_pg_target_new(const char *conninfo,
                             const struct cz_pg_limits *limits,
                             struct cz_pg_target **ret,
                             struct cz_error *err)
{
    char *why = NULL;
    PQconninfoOption *options = PQconninfoParse(conninfo, &why);
    if (!options) {
        /* The reason may repeat a part of the conninfo, and so of a password. */
        PQfreemem(why);
        return cz_fail(err, CZ_E_INVALID, "the PostgreSQL connection string is malformed");
    }
    struct cz_pg_target *t = cz_alloc(sizeof(*t));
    for (PQconninfoOption *o = options; o->keyword && t->n < MAX_OPTIONS - 16; o++) {
        if (!o->val || !*o->val)
            continue;
        t->keys[t->n] = cz_strdup(o->keyword);
        t->values[t->n++] = cz_strdup(o->val);
    }
    PQconninfoFree(options);
    complete(t, limits);
    if (t->n_hosts > MAX_HOSTS) {
        cz_pg_target_free(t);
        return cz_fail(err, CZ_E_INVALID, "more than %d PostgreSQL hosts", MAX_HOSTS);
    }
    *ret = t;
    return CZ_OK;
}

void cz_pg_target_free(struct cz_pg_target *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n; i++) {
        cz_free(t->keys[i]);
        explicit_bzero(t->values[i], strlen(t->values[i])); /* one is a password */
        cz_free(t->values[i]);
    }
    cz_free(t);
}

/* ---- connecting
 * ------------------------------------------------------------------------------ */

static void on_notice(void *arg, const char *message)
{
    (void)arg;
    cz_log(CZ_LOG_DEBUG, "postgres", "%s", message);
}

/* 1: @pg is ready for what @events say; 0: the deadline; -1: told to stop. */
static int wait_socket(PGconn *pg, short events, cz_time deadline, int stop_fd)
{
    struct pollfd fds[2] = {{.fd = PQsocket(pg), .events = events},
                            {.fd = stop_fd, .events = POLLIN}};
    for (;;) {
        int n = poll(fds, 2, cz_remaining_ms(deadline));
        if (n < 0 && errno == EINTR)
            continue;
        if (fds[1].revents)
            return -1;
        return n > 0 ? 1 : 0;
    }
}

/* Drive one connection attempt to its end. NULL: well. */
static const char *drive(PGconn *pg, cz_time deadline, int stop_fd)
{
    if (PQstatus(pg) == CONNECTION_BAD)
        return PQerrorMessage(pg);
    PostgresPollingStatusType st = PGRES_POLLING_WRITING;
    while (st == PGRES_POLLING_READING || st == PGRES_POLLING_WRITING) {
        int ready =
            wait_socket(pg, st == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline, stop_fd);
        if (ready < 0)
            return "given up";
        if (ready == 0)
            return "no answer in time";
        st = PQconnectPoll(pg);
    }
    return st == PGRES_POLLING_OK ? NULL : PQerrorMessage(pg);
}

/* The list items of host, hostaddr and port that belong to host @i replace the lists. */
static void pick_host(
    struct cz_pg_target *t, size_t i, const char **keys, const char **values, char *mine[3])
{
    static const char *const lists[] = {"host", "hostaddr", "port"};
    for (size_t k = 0; k < t->n; k++) {
        keys[k] = t->keys[k];
        values[k] = t->values[k];
        for (size_t l = 0; t->n_hosts && l < 3; l++) {
            if (strcmp(keys[k], lists[l]) == 0)
                values[k] = mine[l] = item(t->values[k], i);
        }
    }
    keys[t->n] = values[t->n] = NULL;
}

static enum cz_err connect_host(struct cz_pg_target *t,
                                size_t i,
                                cz_time deadline,
                                int stop_fd,
                                PGconn **ret,
                                struct cz_error *err)
{
    const char *keys[MAX_OPTIONS + 1], *values[MAX_OPTIONS + 1];
    char *mine[3] = {NULL};
    pick_host(t, i, keys, values, mine);
    PGconn *pg = PQconnectStartParams(keys, values, 0);
    for (size_t l = 0; l < 3; l++)
        cz_free(mine[l]);
    if (pg)
        PQsetNoticeProcessor(pg, on_notice, NULL);
    const char *why = pg ? drive(pg, deadline, stop_fd) : "out of memory";
    if (!why && PQsetnonblocking(pg, 1) != 0)
        why = PQerrorMessage(pg);
    if (!why) {
        *ret = pg;
        return CZ_OK;
    }
    int len = (int)strcspn(why, "\n"); /* libpq's messages have several lines */
    cz_fail_flags(err, CZ_E_UNAVAILABLE, CZ_ERR_RETRIABLE, 0,
                  "PostgreSQL is not reachable: %.*s", len, why);
    PQfinish(pg);
    return CZ_E_UNAVAILABLE;
}

enum cz_err cz_pg_target_connect(
    struct cz_pg_target *t, cz_time deadline, int stop_fd, PGconn **ret, struct cz_error *err)
{
    size_t hosts = t->n_hosts ? t->n_hosts : 1, first = t->last;
    struct cz_error e = CZ_ERROR_INIT;
    for (size_t k = 0; k < hosts; k++) {
        /* Each host gets its share of the time, so that a silent one cannot use it all. */
        int share = cz_remaining_ms(deadline) / (int)(hosts - k);
        cz_time until = cz_deadline_ms(share < t->connect_ms ? share : t->connect_ms);
        cz_error_reset(&e);
        size_t i = (first + k) % hosts;
        if (connect_host(t, i, until, stop_fd, ret, &e) == CZ_OK) {
            t->last = i;
            return CZ_OK;
        }
    }
    return cz_fail_flags(err, e.code, e.flags, 0, "%s", e.text);
}
