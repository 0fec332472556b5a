/* SPDX-License-Identifier: Apache-2.0 */
/** The SQL of the audit log, its seals and their verification; rows of the table in stmt.c.
 *
 *  A row's hash is SHA-256 of a JSON array of its columns, times as microseconds: no setting of a session
 *  changes it, and a dump that is restored elsewhere has the same.  A part's hash is over the rows' hashes in
 *  their order; a seal's root over the root before, the seal's bounds and its parts.  Format 1 is just these
 *  columns: a column that is added later needs format 2. */
#ifndef CZ_PG_STMT_AUDIT_H
#define CZ_PG_STMT_AUDIT_H

#include "stmt.h"

#define AUDIT_LOCK "7168148913737266291" /* 'czaudits'; also in the migration */

#define AUDIT_US(column) "(extract(epoch FROM " column ") * 1000000)::bigint"
#define AUDIT_HASH(columns) "sha256(convert_to(json_build_array(" columns ")::text, 'UTF8'))"

/* ---- rows of seals: b (n, c0, c1, e0, e1) → r (n, part, k, i, h) ---- */
#define AUDIT_ROWS                                                                             \
    "r (n, part, k, i, h) AS ("                                                                \
    "SELECT b.n, 'change', c.seq, 0, " AUDIT_HASH(                                             \
        "c.seq, " AUDIT_US("c.at") ", c.token, c.team_id, c.principal_id, c.token_id, c.actor, c.via,"  \
        " c.comment, c.set_name, c.git_commit, c.plan_hash, c.reverts, c.request_id, c.trace_id, c.ip," \
        " c.created, c.updated, c.deleted")                                                    \
    " FROM b JOIN change c ON c.seq > b.c0 AND c.seq <= b.c1"                                  \
    " UNION ALL SELECT b.n, 'revision', v.seq, v.n, " AUDIT_HASH(                              \
        "v.seq, v.n, v.resource_id, v.team_id, v.kind, v.name, v.uid, v.generation, v.op, v.managed_by," \
        " v.doc::text, v.override::text")                                                      \
    " FROM b JOIN revision v ON v.seq > b.c0 AND v.seq <= b.c1"                                \
    " UNION ALL SELECT b.n, 'event ' || to_char(a.at AT TIME ZONE 'UTC', 'YYYY-MM'), a.id, 0, " AUDIT_HASH( \
        "a.id, " AUDIT_US("a.at") ", a.team_id, a.principal_id, a.token_id, a.actor, a.via, a.action,"   \
        " a.outcome, a.seq, a.request_id, a.trace_id, a.ip, a.detail::text")                   \
    " FROM b JOIN audit_event a ON a.id > b.e0 AND a.id <= b.e1)"
#define AUDIT_PART_HASH "sha256(string_agg(h, ''::bytea ORDER BY k, i))"

/* @parts a FROM clause with part, rows and hash of one seal; the rest are columns. */
#define AUDIT_ROOT(before, n, at, format, change_seq, event_id, parts)                         \
    "sha256(" before " || convert_to(json_build_array(" n ", " AUDIT_US(at) ", " format ", " change_seq \
    ", " event_id ", (SELECT string_agg(part || ' ' || rows || ' ' || encode(hash, 'hex'), E'\\n'"      \
    " ORDER BY part COLLATE \"C\") FROM " parts "))::text, 'UTF8'))"

/* $1 decided id, $2 changes at most, $3 events at most */
#define SQL_AUDIT_SEAL                                                                         \
    "WITH last AS (SELECT * FROM audit_seal ORDER BY n DESC LIMIT 1),"                         \
    " p AS (SELECT e.n AS top, coalesce(l.n, 0) + 1 AS n, coalesce(l.change_seq, 0) AS c0,"    \
    "  coalesce(l.event_id, 0) AS e0, coalesce(l.root, ''::bytea) AS before,"                  \
    "  statement_timestamp() AS at FROM epoch e LEFT JOIN last l ON true),"                    \
    " b AS (SELECT p.*, least(p.top, p.c0 + $2::bigint) AS c1, coalesce((SELECT max(x.id) FROM" \
    "  (SELECT id FROM audit_event WHERE id > p.e0 AND id <= $1::bigint ORDER BY id"           \
    "  LIMIT $3::bigint) x), p.e0) AS e1 FROM p), " AUDIT_ROWS ","                             \
    " parts AS (SELECT part, count(*) AS rows, " AUDIT_PART_HASH " AS hash,"                   \
    "  string_agg(int8send(k) || int4send(i) || substr(h, 1, 8), ''::bytea ORDER BY k, i) AS places" \
    "  FROM r GROUP BY part),"                                                                 \
    " s AS (INSERT INTO audit_seal (n, at, format, change_seq, event_id, root)"                \
    "  SELECT n, at, 1, c1, e1, " AUDIT_ROOT("before", "n", "at", "1", "c1", "e1", "parts")    \
    "  FROM b WHERE c1 > c0 OR e1 > e0 RETURNING *),"                                          \
    " i AS (INSERT INTO audit_seal_part (n, part, rows, hash, places)"                         \
    "  SELECT s.n, q.part, q.rows, q.hash, q.places FROM s, parts q)"                          \
    " SELECT s.n, " PG_MS("s.at") ", s.change_seq, s.event_id, encode(s.root, 'hex'),"      \
    "  (SELECT coalesce(sum(rows) FILTER (WHERE part = 'change'), 0) FROM parts),"             \
    "  (SELECT coalesce(sum(rows) FILTER (WHERE part = 'revision'), 0) FROM parts),"           \
    "  (SELECT coalesce(sum(rows) FILTER (WHERE part LIKE 'event %'), 0) FROM parts),"         \
    "  b.c1 < b.top OR b.e1 < $1::bigint FROM s, b"

/* The table before the lock, as everybody who adds an event. */
#define SQL_AUDIT_DECIDED                                                                      \
    "SET LOCAL lock_timeout = 500; LOCK TABLE audit_event IN ACCESS SHARE MODE;"               \
    " SELECT pg_advisory_xact_lock(" AUDIT_LOCK ");"                                           \
    " SELECT coalesce(max(id), 0) FROM audit_event"

/* In milliseconds, but when many events wait in the default partition, because nobody led for months. */
#define AUDIT_KEEP_MS 120000
#define SQL_AUDIT_KEEP                                                                         \
    "SET LOCAL statement_timeout = 120000; SELECT what, month, events FROM audit_keep()"

/* ---- verification ---- */

/* The last month that retention took; it goes in order, so all before it are gone as well. */
#define AUDIT_GONE                                                                             \
    "gone AS (SELECT coalesce(max(detail ->> 'month'), '') AS month FROM audit_event"          \
    " WHERE team_id IS NULL AND action = 'audit.retention' AND outcome = 'ok')"

/* $1 after, $2 seals at most, $3 rows about at most.  lag() of the first seal of all has nothing before. */
#define SQL_AUDIT_CHECK                                                                        \
    "WITH few AS (SELECT * FROM audit_seal WHERE n >= $1::bigint ORDER BY n LIMIT $2::bigint + 1)," \
    " w AS (SELECT q.*, lag(n) OVER o AS n0, lag(change_seq, 1, 0::bigint) OVER o AS c0,"      \
    "  lag(event_id, 1, 0::bigint) OVER o AS e0, lag(root, 1, ''::bytea) OVER o AS before,"    \
    "  sum(coalesce((SELECT sum(p.rows) FROM audit_seal_part p WHERE p.n = q.n), 0)) OVER o AS run" \
    "  FROM few q WINDOW o AS (ORDER BY n)),"                                                 \
    " s AS (SELECT * FROM w WHERE n > $1::bigint AND (n = (SELECT min(n) FROM w WHERE n > $1::bigint)" \
    "  OR run <= $3::bigint + (SELECT min(run) FROM w WHERE n > $1::bigint))),"                \
    " b AS (SELECT n, c0, change_seq AS c1, e0, event_id AS e1 FROM s), " AUDIT_ROWS ","       \
    " now AS (SELECT n, part, count(*) AS rows, " AUDIT_PART_HASH " AS hash FROM r GROUP BY n, part)," \
    " was AS (SELECT p.n, p.part, p.rows, p.hash FROM audit_seal_part p JOIN s ON s.n = p.n)," \
    AUDIT_GONE ","                                                                             \
    " x AS (SELECT n, part, now.rows AS now_rows, was.rows AS was_rows,"                       \
    "  now.rows IS NOT DISTINCT FROM was.rows AND now.hash IS NOT DISTINCT FROM was.hash AS same," \
    "  now.rows IS NULL AND part LIKE 'event %' AND substr(part, 7) <= gone.month AS dropped"  \
    "  FROM gone, now FULL JOIN was USING (n, part))"                                          \
    " SELECT s.n, coalesce(s.n0, 0), s.root = " AUDIT_ROOT("s.before", "s.n", "s.at", "s.format", \
        "s.change_seq", "s.event_id", "was WHERE was.n = s.n") ","                             \
    "  s.format, encode(s.root, 'hex'), s.c0, s.change_seq, s.e0, s.event_id,"                 \
    "  (SELECT min(part) FROM x WHERE x.n = s.n AND NOT same AND NOT dropped),"                \
    "  (SELECT coalesce(sum(now_rows) FILTER (WHERE part = 'change'), 0) FROM x WHERE x.n = s.n)," \
    "  (SELECT coalesce(sum(now_rows) FILTER (WHERE part = 'revision'), 0) FROM x WHERE x.n = s.n)," \
    "  (SELECT coalesce(sum(now_rows) FILTER (WHERE part LIKE 'event %'), 0) FROM x WHERE x.n = s.n)," \
    "  (SELECT coalesce(sum(was_rows) FILTER (WHERE dropped), 0) FROM x WHERE x.n = s.n)"      \
    " FROM s ORDER BY s.n"

/* $1 seal, $2 part, $3 to $6 its bounds: the rows that differ, by the list that the seal keeps. */
#define SQL_AUDIT_LOCATE                                                                       \
    "WITH b (n, c0, c1, e0, e1) AS (VALUES ($1::bigint, $3::bigint, $4::bigint, $5::bigint, $6::bigint))," \
    AUDIT_ROWS ","                                                                             \
    " now AS (SELECT k, i, substr(h, 1, 8) AS h FROM r WHERE part = $2),"                      \
    " was AS (SELECT ('x' || encode(substr(p.places, g * 20 + 1, 8), 'hex'))::bit(64)::bigint AS k," \
    "  ('x' || encode(substr(p.places, g * 20 + 9, 4), 'hex'))::bit(32)::int AS i,"            \
    "  substr(p.places, g * 20 + 13, 8) AS h FROM audit_seal_part p,"                          \
    "  generate_series(0, length(p.places) / 20 - 1) g WHERE p.n = $1::bigint AND p.part = $2)" \
    " SELECT k, CASE WHEN now.h IS NULL THEN 'missing' WHEN was.h IS NULL THEN 'added'"        \
    "  ELSE 'changed' END, count(*) OVER ()"                                                   \
    " FROM now FULL JOIN was USING (k, i) WHERE now.h IS DISTINCT FROM was.h ORDER BY k, i LIMIT 1"

/* What is behind the last seal: numbers of changes have no gaps. */
#define SQL_AUDIT_TAIL                                                                         \
    "WITH l AS (SELECT coalesce(max(n), 0) AS n, coalesce(max(change_seq), 0) AS c,"           \
    "  coalesce(max(event_id), 0) AS e FROM audit_seal), " AUDIT_GONE ","                      \
    " h AS (SELECT seq, lag(seq, 1, l.c) OVER (ORDER BY seq) AS before FROM change, l WHERE seq > l.c)" \
    " SELECT e.n, l.n, l.c, l.e, gone.month, (SELECT count(*) FROM h),"                        \
    "  (SELECT count(*) FROM audit_event WHERE id > l.e),"                                     \
    "  coalesce((SELECT min(before) + 1 FROM h WHERE seq <> before + 1),"                      \
    "   (SELECT max(seq) + 1 FROM h), l.c + 1) FROM epoch e, l, gone"

/* ---- reading ---- */

#define AUDIT_EVENT                                                                            \
    "SELECT a.id, " PG_MS("a.at") ", t.name, a.actor, a.principal_id, a.token_id, a.via, a.action," \
    " a.outcome, a.seq, a.request_id, a.trace_id, a.ip, a.detail"                              \
    " FROM audit_event a LEFT JOIN team t ON t.id = a.team_id"
#define SQL_AUDIT_LIST                                                                         \
    AUDIT_EVENT " WHERE ($1::text IS NULL OR a.team_id ="                                      \
    "  (SELECT id FROM team WHERE name = $1 AND deleted_seq IS NULL))"                         \
    " AND ($2::text IS NULL OR a.actor = $2) AND ($3::text IS NULL OR a.outcome = $3)"         \
    " AND ($4::text IS NULL OR a.request_id = $4)"                                             \
    " AND ($5::text IS NULL OR CASE WHEN right($5, 1) = '*'"                                   \
    "  THEN starts_with(a.action, left($5, -1)) ELSE a.action = $5 END)"                       \
    " AND ($6::text IS NULL OR a.detail ->> 'name' = $6 OR a.detail ->> 'mapping' = $6 OR EXISTS" \
    "  (SELECT FROM revision v WHERE v.seq = a.seq AND v.name = $6))"                          \
    " AND ($7::bigint IS NULL OR a.seq = $7)"                                                  \
    " AND ($8::bigint IS NULL OR a.at >= to_timestamp($8 / 1000.0))"                           \
    " AND ($9::bigint IS NULL OR a.at < to_timestamp($9 / 1000.0))"                            \
    " AND ($10::bigint IS NULL OR a.id < $10) ORDER BY a.id DESC LIMIT $11::bigint"
#define SQL_AUDIT_NEXT                                                                         \
    AUDIT_EVENT " WHERE a.id > $1::bigint AND a.id <= $2::bigint ORDER BY a.id LIMIT $3::bigint"

#define AUDIT_SEALS                                                                            \
    "SELECT s.n, " PG_MS("s.at") ", s.change_seq, s.event_id, encode(s.root, 'hex'),"       \
    " coalesce(sum(p.rows) FILTER (WHERE p.part = 'change'), 0),"                              \
    " coalesce(sum(p.rows) FILTER (WHERE p.part = 'revision'), 0),"                            \
    " coalesce(sum(p.rows) FILTER (WHERE p.part LIKE 'event %'), 0)"                           \
    " FROM audit_seal s LEFT JOIN audit_seal_part p ON p.n = s.n"
#define SQL_SEALS                                                                              \
    AUDIT_SEALS " WHERE $1::bigint IS NULL OR s.n < $1 GROUP BY s.n ORDER BY s.n DESC LIMIT $2::bigint"
#define SQL_SEALS_AFTER                                                                        \
    AUDIT_SEALS " WHERE s.n > $1::bigint GROUP BY s.n ORDER BY s.n LIMIT $2::bigint"

#define SQL_AUDIT_POSITION "SELECT event_id, seal_n FROM audit_export WHERE topic = $1"
#define SQL_AUDIT_SET_POSITION                                                                 \
    "INSERT INTO audit_export (topic, event_id, seal_n) VALUES ($1, $2::bigint, $3::bigint)"   \
    " ON CONFLICT (topic) DO UPDATE SET event_id = excluded.event_id, seal_n = excluded.seal_n," \
    "  at = excluded.at"

#endif
