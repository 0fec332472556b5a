/* SPDX-License-Identifier: Apache-2.0 */
/* The SQL of the store.  Point statements of the write path are prepared once per session;
 * lists with optional filters are not, so that the planner sees which filters are set. */
#include "stmt.h"

#include <stddef.h>

#include "stmt_audit.h"

#define MS(column) PG_MS(column)
#define LIVE_TEAM(param) "(SELECT id FROM team WHERE name = " param " AND deleted_seq IS NULL)"

/* Columns in the order that rows.c reads them. */
#define RESOURCE                                                                               \
    "t.name, r.kind, r.name, r.uid, r.generation, r.version, r.managed_by, r.doc,"             \
    " r.override, r.deleted_seq, " MS("r.created_at") ", " MS("r.updated_at")
#define REVISION                                                                               \
    "v.seq, t.name, v.kind, v.name, v.uid, v.generation, v.op, v.doc, v.override, " MS(        \
        "c.at") ", c.actor, c.via, c.comment, v.managed_by"
#define CHANGE                                                                                 \
    "c.seq, " MS("c.at") ", t.name, c.actor, c.via, c.comment, c.request_id, c.reverts,"       \
                         " c.created, c.updated, c.deleted, c.set_name, c.git_commit,"     \
                         " c.plan_hash, c.principal_id, c.token_id, c.trace_id, c.ip"
#define SET_STATE                                                                              \
    "t.name, s.name, s.repo, s.git_commit, s.applied_seq, " MS("s.applied_at") ", s.applied_by,"\
    " s.suspended_seq, " MS("s.suspended_at") ", s.suspended_by, s.suspended_reason,"          \
    " s.blocked_commit, (SELECT count(*) FROM resource r WHERE r.team_id = s.team_id"          \
    "  AND r.deleted_seq IS NULL AND r.managed_by = 'set:' || s.name)"
#define CHANGES_WHERE                                                                          \
    " FROM change c LEFT JOIN team t ON t.id = c.team_id"                                      \
    " WHERE ($1::text IS NULL OR c.team_id = " LIVE_TEAM(                                      \
        "$1") ") AND ($11::text[] IS NULL OR t.name = ANY($11))"                               \
              " AND ($2::text IS NULL OR c.actor = $2) AND ($3::text IS NULL OR c.via = $3)"   \
              " AND (($4::text IS NULL AND $5::text IS NULL) OR EXISTS (SELECT FROM revision " \
              "v"                                                                              \
              "  WHERE v.seq = c.seq AND ($4 IS NULL OR v.kind = $4) AND ($5 IS NULL OR "      \
              "v.name = $5)))"                                                                  \
              " AND ($8::text IS NULL OR c.set_name = $8)"                                     \
              " AND ($9::text IS NULL OR c.principal_id = $9)"                                 \
              " AND ($10::text IS NULL OR starts_with(c.git_commit, $10))"
/* The object that bears, or bore last, a name. */
#define BEARER                                                                                 \
    "WITH o AS (SELECT r.id FROM resource r JOIN team t ON t.id = r.team_id"                   \
    " WHERE t.name = $1 AND t.deleted_seq IS NULL AND r.kind = $2 AND r.name = $3"             \
    " ORDER BY r.id DESC LIMIT 1) "
/* The advisory lock of the leader: 'citizenk' as a number. */
#define LEAD_LOCK "7163384678683340395"

#define PREPARED(id, n, text) [id] = {.name = #id, .sql = (text), .params = (n)}
#define PLAIN(id, n, text) [id] = {.sql = (text), .params = (n)}
#define SIMPLE(id, text) [id] = {.sql = (text), .simple = true}

static const struct pg_stmt_text stmts[PG_STMT_BASE_COUNT_] = {
    SIMPLE(PG_BEGIN_WRITE, "BEGIN; UPDATE epoch SET n = n + 1 RETURNING n"),
    SIMPLE(PG_BEGIN, "BEGIN"),
    /* Until the end of the transaction, so that it fits a pooler between us and the server. */
    PREPARED(PG_SCOPE, 1, "SELECT set_config('citizenk.teams', $1, true)"),
    SIMPLE(PG_COMMIT, "COMMIT"),
    SIMPLE(PG_ROLLBACK, "ROLLBACK"),
    SIMPLE(PG_LISTEN, "LISTEN citizenk_change"),

    PLAIN(PG_FIND_TOKEN, 1, "SELECT seq FROM change WHERE token = $1"),
    PREPARED(
        PG_FINISH_WRITE,
        19,
        "WITH c AS (INSERT INTO change (seq, token, team_id, principal_id, actor, via,"
        "  comment, request_id, trace_id, ip, reverts, created, updated, deleted, token_id,"
        "  set_name, git_commit, plan_hash)"
        " VALUES ($1::bigint, $2, " LIVE_TEAM(
            "$3") ", $4, $5, $6, $7, $8, $9, $10,"
                  "  $11::bigint, $12::int, $13::int, $14::int, $16, $17, $18, $19)"
                  " RETURNING seq, team_id, principal_id, token_id, actor, via, request_id,"
                  "  trace_id, ip),"
                  " a AS (INSERT INTO audit_event (team_id, principal_id, token_id, actor, via,"
                  "  action, outcome, seq, request_id, trace_id, ip)"
                  " SELECT team_id, principal_id, token_id, actor, via, coalesce($15, 'change'),"
                  "  'ok', seq, request_id, trace_id, ip FROM c)"
                  " SELECT pg_notify('citizenk_change', $1::text)"),

    PREPARED(PG_GET,
             3,
             "SELECT " RESOURCE " FROM resource r JOIN team t ON t.id = r.team_id"
             " WHERE t.name = $1 AND t.deleted_seq IS NULL AND r.kind = $2 AND r.name = $3"
             " AND r.deleted_seq IS NULL"),
    PREPARED(PG_GET_UID,
             1,
             "SELECT " RESOURCE " FROM resource r JOIN team t ON t.id = r.team_id"
             " WHERE r.uid = $1"),
    /* One statement is one snapshot: the list and its seq belong together. */
    PLAIN(PG_LIST,
          15,
          "SELECT e.n, x.* FROM epoch e LEFT JOIN LATERAL (SELECT " RESOURCE
          " FROM resource r JOIN team t ON t.id = r.team_id"
          " WHERE r.deleted_seq IS NULL AND t.deleted_seq IS NULL"
          " AND ($1::text IS NULL OR t.name = $1) AND ($2::text IS NULL OR r.kind = $2)"
          " AND ($3::text IS NULL OR r.group_name = $3)"
          " AND ($4::text IS NULL"
          "  OR position(lower($4 COLLATE \"C\") IN lower(r.name)) > 0)"
          " AND ($5::text IS NULL OR CASE WHEN $6::text IS NULL"
          "  THEN jsonb_exists(r.labels, $5) ELSE r.labels ->> $5 = $6 END)"
          " AND ($7::text IS NULL OR r.managed_by = $7)"
          " AND ($11::text IS NULL OR r.doc #>> '{spec,consumer_group}' = $11)"
          " AND ($12::text IS NULL OR (r.doc #>> '{spec,source,cluster}' = $12"
          "  AND ($13::text IS NULL OR coalesce(r.doc #>> '{spec,source,topic}', $13) = $13)))"
          " AND ($14::text IS NULL OR r.override ->> 'group_name' = $14)"
          " AND ($15::text IS NULL OR starts_with(r.managed_by, $15))"
          " AND ($9::text IS NULL OR (t.name, r.name) > ($8::text, $9))"
          " ORDER BY t.name, r.kind, r.name LIMIT $10::bigint)"
          " x (team, kind, name) ON true ORDER BY x.team, x.kind, x.name"),

    PLAIN(PG_CHANGES,
          11,
          "SELECT " CHANGE CHANGES_WHERE " AND ($6::bigint IS NULL OR c.seq < $6)"
          " ORDER BY c.seq DESC LIMIT $7::bigint"),
    PLAIN(PG_CHANGES_AFTER,
          11,
          "SELECT " CHANGE CHANGES_WHERE " AND c.seq > $6::bigint"
          " ORDER BY c.seq LIMIT $7::bigint"),
    PLAIN(PG_CHANGE,
          1,
          "SELECT " CHANGE " FROM change c LEFT JOIN team t ON t.id = c.team_id"
          " WHERE c.seq = $1::bigint"),
    PLAIN(PG_CHANGE_REVISIONS,
          1,
          "SELECT " REVISION " FROM revision v JOIN change c ON c.seq = v.seq"
          " JOIN team t ON t.id = v.team_id WHERE v.seq = $1::bigint ORDER BY v.n"),
    PLAIN(PG_BEFORE,
          1,
          "WITH o AS (SELECT p.resource_id, max(p.seq) AS seq FROM revision p"
          "  WHERE p.resource_id IN (SELECT resource_id FROM revision WHERE seq = $1::bigint)"
          "  AND p.seq < $1::bigint GROUP BY p.resource_id),"
          " v AS (SELECT DISTINCT ON (x.resource_id) x.* FROM o JOIN revision x"
          "  ON x.resource_id = o.resource_id AND x.seq = o.seq ORDER BY x.resource_id, x.n DESC)"
          " SELECT " REVISION " FROM v"
          " JOIN change c ON c.seq = v.seq JOIN team t ON t.id = v.team_id"),
    PLAIN(PG_REVISIONS,
          5,
          BEARER "SELECT o.id, " REVISION " FROM o"
                 " LEFT JOIN revision v ON v.resource_id = o.id"
                 "  AND ($4::bigint IS NULL OR v.seq < $4)"
                 " LEFT JOIN change c ON c.seq = v.seq LEFT JOIN team t ON t.id = v.team_id"
                 " ORDER BY v.seq DESC NULLS LAST, v.n DESC LIMIT $5::bigint"),
    PLAIN(PG_REVISION,
          4,
          BEARER "SELECT " REVISION " FROM o JOIN revision v ON v.resource_id = o.id"
                 " LEFT JOIN change c ON c.seq = v.seq JOIN team t ON t.id = v.team_id"
                 " WHERE v.generation = $4::bigint AND v.op <> 'delete'"
                 " ORDER BY v.seq DESC, v.n DESC LIMIT 1"),
    PREPARED(PG_SEQ, 0, "SELECT n FROM epoch"),

    PLAIN(PG_TEAMS, 0, "SELECT name FROM team WHERE deleted_seq IS NULL ORDER BY name"),
    PLAIN(PG_PUT_TEAM,
          8,
          "WITH i AS (INSERT INTO team (name) VALUES ($1)"
          "  ON CONFLICT (name) WHERE deleted_seq IS NULL DO NOTHING RETURNING id),"
          " a AS (INSERT INTO audit_event (team_id, principal_id, actor, via, action, outcome,"
          "  request_id, trace_id, ip) SELECT id, $2, $3, $4, coalesce($5, 'team.create'),"
          "  'ok', $6, $7, $8 FROM i) SELECT count(*) FROM i"),

    PLAIN(PG_ADD_TEAM,
          1,
          "INSERT INTO team (name) VALUES ($1)"
          " ON CONFLICT (name) WHERE deleted_seq IS NULL DO NOTHING"),
    /* What is deleted has the number of its deletion as version. */
    PREPARED(PG_ACCESS_VERSION,
             0,
             "SELECT coalesce(max(version), 0) FROM resource"
             " WHERE kind IN ('team', 'binding', 'grant')"),

    PREPARED(PG_CREATE,
             10,
             "WITH r AS (INSERT INTO resource (team_id, kind, name, uid, generation, version,"
             "  managed_by, doc, override)"
             " SELECT id, $2, $3, $4, 1, $5::bigint, $6, $7::json, $8::json FROM team"
             "  WHERE name = $1 AND deleted_seq IS NULL RETURNING *),"
             " v AS (INSERT INTO revision (seq, n, resource_id, team_id, kind, name, uid,"
             "  generation, op, managed_by, doc, override)"
             " SELECT version, $9::int, id, team_id, kind, name, uid, generation, $10,"
             "  managed_by, doc, override FROM r)"
             " SELECT " MS("created_at") " FROM r"),
    PREPARED(PG_UPDATE,
             8,
             "WITH r AS (UPDATE resource SET generation = $2::bigint, version = $3::bigint,"
             "  managed_by = $4, doc = $5::json, override = $6::json,"
             "  updated_at = statement_timestamp()"
             "  WHERE uid = $1 AND deleted_seq IS NULL RETURNING *),"
             " v AS (INSERT INTO revision (seq, n, resource_id, team_id, kind, name, uid,"
             "  generation, op, managed_by, doc, override)"
             " SELECT version, $7::int, id, team_id, kind, name, uid, generation, $8,"
             "  managed_by, doc, override FROM r)"
             " SELECT " MS("updated_at") " FROM r"),
    PREPARED(
        PG_DELETE,
        5,
        "WITH r AS (UPDATE resource SET deleted_seq = $4::bigint, version = $4::bigint,"
        "  updated_at = statement_timestamp()"
        "  WHERE team_id = " LIVE_TEAM(
            "$1") " AND kind = $2 AND name = $3"
                  "  AND deleted_seq IS NULL RETURNING *),"
                  " v AS (INSERT INTO revision (seq, n, resource_id, team_id, kind, name, uid,"
                  "  generation, op, managed_by, doc, override)"
                  " SELECT version, $5::int, id, team_id, kind, name, uid, generation, "
                  "'delete',"
                  "  managed_by, doc, override FROM r)"
                  " SELECT 1 FROM r"),

    /* Values are canonical text, so that equal text is an equal value: no outbox row then. */
    PREPARED(PG_PUBLISH,
             4,
             "WITH u AS (INSERT INTO config_record (key, value, seq)"
             "  VALUES ($1, $2::json, $3::bigint)"
             "  ON CONFLICT (key) DO UPDATE SET value = excluded.value, seq = excluded.seq"
             "  WHERE config_record.value::text IS DISTINCT FROM excluded.value::text"
             "  RETURNING key, value, seq)"
             " INSERT INTO outbox (seq, n, key, value) SELECT seq, $4::int, key, value FROM u"),
    PREPARED(PG_PUBLISH_TOMBSTONE,
             3,
             "WITH d AS (DELETE FROM config_record WHERE key = $1 RETURNING key)"
             " INSERT INTO outbox (seq, n, key) SELECT $2::bigint, $3::int, key FROM d"),

    PLAIN(PG_RENAME,
          7,
          "WITH r AS (UPDATE resource SET name = $4, version = $5::bigint,"
          "  updated_at = statement_timestamp() WHERE team_id = " LIVE_TEAM("$1")
          "  AND kind = $2 AND name = $3 AND deleted_seq IS NULL RETURNING *),"
          " v AS (INSERT INTO revision (seq, n, resource_id, team_id, kind, name, uid,"
          "  generation, op, managed_by, doc, override)"
          " SELECT version, $6::int, id, team_id, kind, name, uid, generation, $7,"
          "  managed_by, doc, override FROM r) SELECT 1 FROM r"),
    PLAIN(PG_LOAD,
          3,
          "SELECT " RESOURCE " FROM resource r JOIN team t ON t.id = r.team_id WHERE r.id IN ("
          "SELECT n.id FROM json_to_recordset($2::json) AS x (kind text, name text)"
          "  JOIN resource n ON n.kind = x.kind AND n.name = x.name"
          "  WHERE n.team_id = " LIVE_TEAM("$1") " AND n.deleted_seq IS NULL"
          " UNION SELECT m.id FROM resource m WHERE m.team_id = " LIVE_TEAM("$1")
          "  AND m.deleted_seq IS NULL AND m.managed_by = $3)"),
    PLAIN(PG_READERS,
          2,
          "SELECT 0, " RESOURCE " FROM resource r JOIN team t ON t.id = r.team_id"
          " WHERE t.deleted_seq IS NULL AND r.kind = 'mapping' AND r.deleted_seq IS NULL"
          " AND coalesce(r.doc #>> '{spec,source,topic}', '')"
          "  = ANY (ARRAY(SELECT json_array_elements_text($1::json)))"
          " AND r.doc #>> '{spec,source,cluster}'"
          "  = ANY (ARRAY(SELECT json_array_elements_text($2::json)))"),
    PLAIN(PG_COMMITTERS,
          3,
          "SELECT 0, " RESOURCE " FROM resource r JOIN team t ON t.id = r.team_id WHERE r.id IN ("
          "SELECT g.id FROM resource g WHERE g.team_id = " LIVE_TEAM("$1") " AND g.kind = 'mapping'"
          "  AND g.deleted_seq IS NULL AND g.doc #>> '{spec,consumer_group}'"
          "  = ANY (ARRAY(SELECT json_array_elements_text($2::json)))"
          " UNION SELECT b.id FROM resource b WHERE b.team_id = " LIVE_TEAM("$1")
          "  AND b.deleted_seq IS NULL AND b.override ->> 'group_name'"
          "  = ANY (ARRAY(SELECT json_array_elements_text($3::json))))"),
    /* Rows that bear each other's names are sent apart from each other (batch.c). */
    PLAIN(PG_FLUSH_ROWS,
          3,
          "WITH x AS (SELECT * FROM json_to_recordset($3::json) AS x (what text, kind text,"
          "  name text, uid text, generation bigint, managed_by text, doc json, override json)),"
          " d AS (UPDATE resource r SET deleted_seq = $2::bigint, version = $2::bigint,"
          "  updated_at = statement_timestamp() FROM x WHERE x.what = 'd' AND r.uid = x.uid"
          "  AND r.deleted_seq IS NULL RETURNING 1),"
          " u AS (UPDATE resource r SET generation = x.generation, version = $2::bigint,"
          "  managed_by = x.managed_by, doc = x.doc, override = x.override,"
          "  updated_at = statement_timestamp() FROM x WHERE x.what = 'u' AND r.uid = x.uid"
          "  AND r.deleted_seq IS NULL RETURNING 1),"
          " i AS (INSERT INTO resource (team_id, kind, name, uid, generation, version,"
          "  managed_by, doc, override) SELECT t.id, x.kind, x.name, x.uid, x.generation,"
          "  $2::bigint, x.managed_by, x.doc, x.override FROM x JOIN team t ON t.name = $1"
          "  AND t.deleted_seq IS NULL WHERE x.what = 'i' RETURNING 1)"
          " SELECT (SELECT count(*) FROM d) + (SELECT count(*) FROM u) + (SELECT count(*) FROM i)"),
    PLAIN(PG_FLUSH_REVISIONS,
          2,
          "INSERT INTO revision (seq, n, resource_id, team_id, kind, name, uid, generation, op,"
          " managed_by, doc, override) SELECT $1::bigint, x.n, r.id, r.team_id, r.kind, r.name,"
          " r.uid, r.generation, x.op, r.managed_by, r.doc, r.override"
          " FROM json_to_recordset($2::json) AS x (n int, uid text, op text)"
          " JOIN resource r ON r.uid = x.uid"),
    PLAIN(PG_FLUSH_RECORDS,
          2,
          "WITH x AS (SELECT * FROM json_to_recordset($2::json) AS x (n int, key text, value json)),"
          " d AS (DELETE FROM config_record c USING x WHERE c.key = x.key AND x.value IS NULL"
          "  RETURNING c.key),"
          " u AS (INSERT INTO config_record (key, value, seq)"
          "  SELECT key, value, $1::bigint FROM x WHERE value IS NOT NULL"
          "  ON CONFLICT (key) DO UPDATE SET value = excluded.value, seq = excluded.seq"
          "  WHERE config_record.value::text IS DISTINCT FROM excluded.value::text RETURNING key)"
          " INSERT INTO outbox (seq, n, key, value) SELECT $1::bigint, x.n, x.key, x.value FROM x"
          "  WHERE x.key IN (SELECT key FROM u UNION ALL SELECT key FROM d)"),

    PLAIN(PG_SETS,
          2,
          "SELECT " SET_STATE " FROM apply_set s JOIN team t ON t.id = s.team_id"
          " WHERE t.name = $1 AND t.deleted_seq IS NULL AND ($2::text IS NULL OR s.name = $2)"
          " ORDER BY s.name"),
    PLAIN(PG_PUT_SET,
          12,
          "INSERT INTO apply_set (team_id, name, repo, git_commit, applied_seq, applied_at,"
          "  applied_by, suspended_seq, suspended_at, suspended_by, suspended_reason,"
          "  blocked_commit) SELECT id, $2, $3, $4, $5::bigint,"
          "  to_timestamp($6::bigint / 1000.0), $7, $8::bigint,"
          "  to_timestamp($9::bigint / 1000.0), $10, $11, $12"
          "  FROM team WHERE name = $1 AND deleted_seq IS NULL"
          " ON CONFLICT (team_id, name) DO UPDATE SET repo = excluded.repo,"
          "  git_commit = excluded.git_commit, applied_seq = excluded.applied_seq,"
          "  applied_at = excluded.applied_at, applied_by = excluded.applied_by,"
          "  suspended_seq = excluded.suspended_seq, suspended_at = excluded.suspended_at,"
          "  suspended_by = excluded.suspended_by, suspended_reason = excluded.suspended_reason,"
          "  blocked_commit = excluded.blocked_commit"),
    PLAIN(PG_DELETE_SET,
          2,
          "DELETE FROM apply_set WHERE team_id = " LIVE_TEAM("$1") " AND name = $2"),
    PLAIN(PG_SET_MEMBERS,
          2,
          "SELECT m.kind, m.name, m.uid, m.seq FROM set_member m WHERE m.team_id = "
          LIVE_TEAM("$1") " AND m.set_name = $2 ORDER BY m.kind, m.name"),
    PLAIN(PG_SET_MOVED,
          2,
          "SELECT m.seq, v.doc, l.seq, " MS("l.at") ", l.actor, l.comment, " RESOURCE
          " FROM set_member m JOIN team t ON t.id = m.team_id JOIN resource r ON r.uid = m.uid"
          " LEFT JOIN LATERAL (SELECT p.doc FROM revision p WHERE p.resource_id = r.id"
          "  AND p.seq = m.seq ORDER BY p.n DESC LIMIT 1) v ON true"
          " LEFT JOIN change l ON l.seq = r.version"
          " WHERE t.name = $1 AND t.deleted_seq IS NULL AND m.set_name = $2"
          " AND r.version <> m.seq ORDER BY m.kind, m.name"),
    PLAIN(PG_PUT_MEMBERS,
          3,
          "INSERT INTO set_member (team_id, kind, name, set_name, uid, seq)"
          " SELECT t.id, x.kind, x.name, $2, x.uid, x.seq FROM team t, json_to_recordset($3::json)"
          "  AS x (kind text, name text, uid text, seq bigint)"
          " WHERE t.name = $1 AND t.deleted_seq IS NULL"
          " ON CONFLICT (team_id, kind, name) DO UPDATE SET set_name = excluded.set_name,"
          "  uid = excluded.uid, seq = excluded.seq WHERE (set_member.set_name, set_member.uid,"
          "  set_member.seq) IS DISTINCT FROM (excluded.set_name, excluded.uid, excluded.seq)"),
    PLAIN(PG_DROP_MEMBERS,
          3,
          "DELETE FROM set_member m USING json_to_recordset($3::json) AS x (kind text, name text)"
          " WHERE m.team_id = " LIVE_TEAM("$1") " AND m.set_name = $2 AND m.kind = x.kind"
          " AND m.name = x.name"),

    PREPARED(PG_AUDIT,
             11,
             "INSERT INTO audit_event (team_id, principal_id, actor, via, action, outcome,"
             " request_id, trace_id, ip, detail, token_id) VALUES (" LIVE_TEAM(
                 "$1") ", $2, $3, $4,"
                       " coalesce($5, 'unknown'), $6, $7, $8, $9, $10::json, $11)"),

    PLAIN(PG_AUDIT_LIST, 11, SQL_AUDIT_LIST),
    PLAIN(PG_AUDIT_NEXT, 3, SQL_AUDIT_NEXT),
    SIMPLE(PG_AUDIT_DECIDED, SQL_AUDIT_DECIDED),
    PLAIN(PG_AUDIT_SEAL, 3, SQL_AUDIT_SEAL),
    PLAIN(PG_AUDIT_CHECK, 3, SQL_AUDIT_CHECK),
    PLAIN(PG_AUDIT_LOCATE, 6, SQL_AUDIT_LOCATE),
    PLAIN(PG_AUDIT_TAIL, 0, SQL_AUDIT_TAIL),
    SIMPLE(PG_AUDIT_KEEP, SQL_AUDIT_KEEP),
    PLAIN(PG_AUDIT_POLICY, 1,
          "UPDATE audit_policy SET keep_months = $1::int WHERE keep_months <> $1::int"),
    PLAIN(PG_AUDIT_POSITION, 1, SQL_AUDIT_POSITION),
    PLAIN(PG_AUDIT_SET_POSITION, 3, SQL_AUDIT_SET_POSITION),
    PLAIN(PG_SEALS, 2, SQL_SEALS),
    PLAIN(PG_SEALS_AFTER, 2, SQL_SEALS_AFTER),

    PLAIN(PG_MARK, 2, "SELECT value FROM mark WHERE uid = $1 AND name = $2"),
    PLAIN(PG_SET_MARK,
          11,
          "WITH m AS (INSERT INTO mark (uid, name, value) VALUES ($1, $2, $3::bigint)"
          "  ON CONFLICT (uid, name) DO UPDATE SET value = excluded.value, at = excluded.at)"
          " INSERT INTO audit_event (team_id, actor, via, action, outcome, request_id, trace_id,"
          "  ip, detail) VALUES (" LIVE_TEAM("$4") ", $5, $6, $7, 'ok', $8, $9, $10, $11::json)"),

    PLAIN(PG_PUT_REPORT,
          3,
          "INSERT INTO report (uid, name, value) SELECT uid, $2, $3::json FROM resource WHERE uid = $1"
          " ON CONFLICT (uid, name) DO UPDATE SET value = excluded.value, at = excluded.at"
          " RETURNING uid"),
    PLAIN(PG_REPORTS,
          2,
          "SELECT p.uid, p.value FROM report p JOIN resource r ON r.uid = p.uid"
          " WHERE p.name = $1 AND ($2::text IS NULL OR p.uid = $2) AND r.deleted_seq IS NULL"),

    PREPARED(PG_OUTBOX,
             1,
             "SELECT o.seq, o.key, o.value, c.trace_id FROM outbox o"
             " LEFT JOIN change c ON c.seq = o.seq WHERE o.seq <= (SELECT max(x.seq) FROM"
             " (SELECT seq FROM outbox ORDER BY seq, n LIMIT $1::bigint) x)"
             " ORDER BY o.seq, o.n"),
    /* The leader's row is held while the rows go: no take-over can come in between. */
    PREPARED(PG_OUTBOX_DONE,
             2,
             "WITH l AS (SELECT epoch FROM leader FOR SHARE),"
             " d AS (DELETE FROM outbox o USING l WHERE o.seq <= $2::bigint"
             "  AND l.epoch = $1::bigint) SELECT epoch FROM l"),
    PLAIN(PG_CONFIG,
          0,
          "SELECT e.n, k.seq, k.key, k.value, c.trace_id FROM epoch e"
          " LEFT JOIN config_record k ON true LEFT JOIN change c ON c.seq = k.seq"
          " ORDER BY k.key"),

    /* The lock and the row are taken by one statement, so that no client that stops between the
     * two can keep the lock under another's name. */
    PLAIN(PG_LEAD_TAKE,
          1,
          "UPDATE leader SET epoch = epoch + 1, instance = $1, backend_pid = pg_backend_pid(),"
          " renewed_at = clock_timestamp() WHERE pg_try_advisory_lock(" LEAD_LOCK ")"
          " RETURNING epoch"),
    PLAIN(PG_LEAD_WHO,
          1,
          "SELECT instance, epoch, clock_timestamp() - renewed_at"
          " > $1::bigint * interval '1 ms' FROM leader"),
    /* Only the session that really holds the lock: the number of a process may be used again.
     */
    PLAIN(PG_LEAD_END,
          1,
          "SELECT pg_terminate_backend(l.backend_pid) FROM leader l JOIN pg_locks k"
          " ON k.pid = l.backend_pid AND k.granted AND k.locktype = 'advisory'"
          " AND k.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
          " AND k.objsubid = 1 AND (k.classid::bigint << 32 | k.objid::bigint) = " LEAD_LOCK
          " WHERE l.epoch = $1::bigint"),
    PREPARED(PG_LEAD_RENEW,
             1,
             "UPDATE leader SET renewed_at = clock_timestamp()"
             " WHERE epoch = $1::bigint AND backend_pid = pg_backend_pid() RETURNING 1"),

    PLAIN(
        PG_SCHEMA, 0, "SELECT version, name, checksum FROM schema_migration ORDER BY version"),
};

const struct pg_stmt_text *pg_stmt_text(enum pg_stmt stmt)
{
    return stmt < PG_STMT_BASE_COUNT_ ? &stmts[stmt]
                                      : &pg_identity_stmts[stmt - PG_STMT_BASE_COUNT_];
}
