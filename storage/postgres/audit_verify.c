/* SPDX-License-Identifier: Apache-2.0 */
/* The seals compared with what is stored: each root and each part is computed again, page by page, until
 * the first thing that does not hold; that one is looked at closer and named by its row. */
#include <stdio.h>
#include <string.h>

#include "cz/util.h"
#include "pg_priv.h"

#define PAGE_SEALS "200"
#define PAGE_ROWS "10000"
enum { FORMAT = 1 };

/* Columns of SQL_AUDIT_CHECK. */
enum { N, N0, ROOT_OK, FORM, ROOT, C0, C1, E0, E1, BAD, CHANGES, REVISIONS, EVENTS, DROPPED };

struct check {
    struct pg_store *s;
    const struct cz_seal_anchor *anchors;
    size_t anchors_len;
    struct cz_audit_check *r;
};

static void bad(struct check *c, int64_t seal, const char *part, const char *what, int64_t row)
{
    c->r->ok = false;
    c->r->bad_seal = seal;
    c->r->bad_row = row;
    (void)snprintf(c->r->bad_part, sizeof(c->r->bad_part), "%s", part);
    (void)snprintf(c->r->bad_what, sizeof(c->r->bad_what), "%s", what);
}

#define say(c, ...) (void)snprintf((c)->r->text, sizeof((c)->r->text), __VA_ARGS__)

/* ---- one seal ------------------------------------------------------------------------------ */

/* Which row of the part is it? */
static enum cz_err locate(struct check *c, const PGresult *page, int row, struct cz_error *err)
{
    const char *part = PQgetvalue(page, row, BAD);
    bool event = strncmp(part, "event", 5) == 0;
    const char *values[] = {PQgetvalue(page, row, N),  part,
                            PQgetvalue(page, row, C0), PQgetvalue(page, row, C1),
                            PQgetvalue(page, row, E0), PQgetvalue(page, row, E1)};
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__query(c->s, PG_AUDIT_LOCATE, values, &res, err);
    if (rc != CZ_OK)
        return rc;
    int64_t seal = pg_int(page, row, N);
    c->r->bad_from = pg_int(page, row, event ? E0 : C0) + 1;
    c->r->bad_to = pg_int(page, row, event ? E1 : C1);
    if (PQntuples(res) == 0) {
        bad(c, seal, part, "changed", 0);
        say(c, "seal %lld: its list of rows was changed (%s %lld to %lld)", (long long)seal, part,
            (long long)c->r->bad_from, (long long)c->r->bad_to);
        return CZ_OK;
    }
    bad(c, seal, part, PQgetvalue(res, 0, 1), pg_int(res, 0, 0));
    c->r->bad_rows = pg_int(res, 0, 2);
    const char *word = c->r->bad_what;
    say(c, "seal %lld: %.*s %lld %s%s", (long long)seal, (int)strcspn(part, " "), part,
        (long long)c->r->bad_row,
        strcmp(word, "missing") == 0 ? "is missing" : strcmp(word, "added") == 0
                                                          ? "was added afterwards"
                                                          : "was changed",
        c->r->bad_rows > 1 ? ", and others that it covers" : "");
    return CZ_OK;
}

static bool anchors_hold(struct check *c, int64_t n, const char *root)
{
    for (size_t i = 0; i < c->anchors_len; i++) {
        if (c->anchors[i].n != n || cz_streq(c->anchors[i].root, root))
            continue;
        bad(c, n, "root", "differs", 0);
        say(c, "seal %lld: its root is not the one that was given: the chain up to it was written "
               "anew", (long long)n);
        return false;
    }
    return true;
}

static enum cz_err
check_seal(struct check *c, const PGresult *page, int row, int64_t before, struct cz_error *err)
{
    struct cz_audit_check *r = c->r;
    int64_t n = pg_int(page, row, N);
    if (n != before + 1 || pg_int(page, row, N0) != before) {
        bad(c, before + 1, "seal", "missing", 0);
        say(c, "seal %lld is missing", (long long)before + 1);
        return CZ_OK;
    }
    if (pg_int(page, row, FORM) != FORMAT)
        return cz_fail(err, CZ_E_CONFLICT, "seal %lld is of format %lld, which this program does not know",
                       (long long)n, (long long)pg_int(page, row, FORM));
    if (PQgetvalue(page, row, ROOT_OK)[0] != 't') {
        bad(c, n, "seal", "changed", 0);
        say(c, "seal %lld: its root does not follow from the seal before and its parts", (long long)n);
        return CZ_OK;
    }
    if (!anchors_hold(c, n, PQgetvalue(page, row, ROOT)))
        return CZ_OK;
    if (!PQgetisnull(page, row, BAD))
        return locate(c, page, row, err);
    r->seals++;
    r->changes += pg_int(page, row, CHANGES);
    r->revisions += pg_int(page, row, REVISIONS);
    r->events += pg_int(page, row, EVENTS);
    r->dropped += pg_int(page, row, DROPPED);
    r->upto = n;
    return CZ_OK;
}

/* ---- all ----------------------------------------------------------------------------------- */

/* @param ret_end there is no further seal */
static enum cz_err check_page(struct check *c, bool *ret_end, struct cz_error *err)
{
    struct pg_num after;
    const char *values[] = {pg_num(&after, c->r->upto), PAGE_SEALS, PAGE_ROWS};
    CZ_CLEANUP(cz_pg_clear) PGresult *page = NULL;
    enum cz_err rc = pg__query(c->s, PG_AUDIT_CHECK, values, &page, err);
    *ret_end = rc == CZ_OK && PQntuples(page) == 0;
    for (int row = 0; rc == CZ_OK && c->r->ok && row < PQntuples(page); row++)
        rc = check_seal(c, page, row, c->r->upto, err);
    return rc;
}

/* Behind the last seal: numbers of changes have no gaps, and no anchor may lie there. */
static enum cz_err check_tail(struct check *c, struct cz_error *err)
{
    struct cz_audit_check *r = c->r;
    CZ_CLEANUP(cz_pg_clear) PGresult *res = NULL;
    enum cz_err rc = pg__query(c->s, PG_AUDIT_TAIL, NULL, &res, err);
    if (rc != CZ_OK)
        return rc;
    int64_t top = pg_int(res, 0, 0), sealed = pg_int(res, 0, 2);
    (void)snprintf(r->dropped_to, sizeof(r->dropped_to), "%s", PQgetvalue(res, 0, 4));
    r->unsealed_changes = pg_int(res, 0, 5);
    r->unsealed_events = pg_int(res, 0, 6);
    if (!r->ok || !r->complete)
        return CZ_OK;
    if (r->unsealed_changes != top - sealed) {
        bad(c, 0, "change", "missing", pg_int(res, 0, 7));
        r->bad_from = sealed + 1;
        r->bad_to = top;
        say(c, "change %lld, which is not sealed yet, is missing", (long long)r->bad_row);
    }
    for (size_t i = 0; r->ok && i < c->anchors_len; i++)
        if (c->anchors[i].n > pg_int(res, 0, 1)) {
            bad(c, c->anchors[i].n, "seal", "missing", 0);
            say(c, "seal %lld, whose root was given, is missing", (long long)c->anchors[i].n);
        }
    return CZ_OK;
}

static enum cz_err newest(struct check *c, struct cz_error *err)
{
    struct cz_seal_list l = {0};
    enum cz_err rc = pg__seals(&c->s->base, 0, -1, 1, &l, err);
    if (rc == CZ_OK && l.len > 0)
        c->r->last = l.items[0];
    cz_seal_list_done(&l);
    return rc;
}

enum cz_err pg__audit_verify(struct cz_store *s,
                             int64_t after,
                             const struct cz_seal_anchor *anchors,
                             size_t n,
                             cz_time deadline,
                             struct cz_audit_check *ret,
                             struct cz_error *err)
{
    struct cz_audit_check r = {.ok = true, .upto = after};
    struct check c = {.s = pg_of(s), .anchors = anchors, .anchors_len = n, .r = &r};
    enum cz_err rc = newest(&c, err);
    while (rc == CZ_OK && r.ok && !r.complete) {
        rc = check_page(&c, &r.complete, err);
        if (cz_now() >= deadline)
            break;
    }
    if (rc == CZ_OK)
        rc = check_tail(&c, err);
    if (rc == CZ_OK)
        *ret = r;
    return rc;
}
