/* SPDX-License-Identifier: Apache-2.0 */
/* The SQL of principals, sessions and tokens.  A use is noted at most once a minute, so that requests
 * do not become writes; whether something is still valid is asked each time. */
#include "stmt.h"

#include <stddef.h>

/* Columns in the order that identity.c reads them. */
#define PRINCIPAL                                                                              \
    "p.id, p.kind, p.issuer, p.subject, p.name, p.admin, p.auditor,"                           \
    " p.disabled_at IS NOT NULL, p.groups, " PG_MS("p.created_at") ", " PG_MS("p.login_at")
#define SESSION                                                                                \
    "s.id, s.principal_id, s.ip, s.agent, " PG_MS("s.created_at") ", " PG_MS("s.used_at")
#define TOKEN                                                                                  \
    "t.id, t.principal_id, p.name, t.name, t.hint, t.scopes, t.team, t.set_name, " PG_MS(      \
        "t.created_at") ", " PG_MS("t.expires_at") ", " PG_MS("t.used_at") ", " PG_MS(         \
        "t.revoked_at") ", t.used_ip"
#define NEW_PRINCIPAL "principal AS p (id, kind, issuer, subject, name, admin, auditor, groups"
#define NEW_VALUES "$1, $2, $3, $4, $5, $6::boolean, $7::boolean, coalesce($8::json, '[]')"
#define NOW "statement_timestamp()"
#define IN_LIMITS(idle, absolute)                                                              \
    "s.used_at > " NOW " - " idle "::bigint * interval '1 ms'"                                 \
    " AND s.created_at > " NOW " - " absolute "::bigint * interval '1 ms'"
#define USED_BEFORE(column) column " < " NOW " - interval '1 minute'"

#define AT(id) [id - PG_STMT_BASE_COUNT_]
#define PREPARED(id, n, text) AT(id) = {.name = #id, .sql = (text), .params = (n)}
#define PLAIN(id, n, text) AT(id) = {.sql = (text), .params = (n)}

const struct pg_stmt_text pg_identity_stmts[PG_STMT_COUNT_ - PG_STMT_BASE_COUNT_] = {
    PLAIN(PG_PRINCIPAL_NEW,
          9,
          "WITH p AS (INSERT INTO " NEW_PRINCIPAL ") VALUES (" NEW_VALUES ") RETURNING *),"
          " w AS (INSERT INTO local_password (principal_id, hash)"
          "  SELECT id, $9 FROM p WHERE $9::text IS NOT NULL)"
          " SELECT " PRINCIPAL " FROM p"),
    PLAIN(PG_PRINCIPAL_LOGIN,
          8,
          "INSERT INTO " NEW_PRINCIPAL ", login_at) VALUES (" NEW_VALUES ", " NOW ")"
          " ON CONFLICT (issuer, subject) DO UPDATE SET name = excluded.name,"
          "  groups = excluded.groups, login_at = excluded.login_at"
          " RETURNING " PRINCIPAL),
    PLAIN(PG_PRINCIPAL_GET, 1, "SELECT " PRINCIPAL " FROM principal p WHERE p.id = $1"),
    PLAIN(PG_PRINCIPALS, 0, "SELECT " PRINCIPAL " FROM principal p ORDER BY p.name, p.id"),
    /* The last admin stays one: nobody could make another. */
    PLAIN(PG_PRINCIPAL_SET,
          5,
          "WITH p AS (UPDATE principal SET admin = coalesce($2::boolean, admin),"
          "  auditor = coalesce($3::boolean, auditor), name = coalesce($5, name),"
          "  disabled_at = CASE WHEN $4::boolean THEN coalesce(disabled_at, " NOW ")"
          "   WHEN NOT $4::boolean THEN NULL ELSE disabled_at END"
          "  WHERE id = $1 AND (NOT admin OR disabled_at IS NOT NULL"
          "   OR (coalesce($2::boolean, true) AND NOT coalesce($4::boolean, false))"
          "   OR EXISTS (SELECT FROM principal o WHERE o.admin AND o.disabled_at IS NULL"
          "    AND o.id <> $1)) RETURNING *),"
          " d AS (DELETE FROM session WHERE principal_id = $1 AND $4::boolean"
          "  AND EXISTS (SELECT FROM p))"
          " SELECT " PRINCIPAL " FROM p"),
    PREPARED(PG_PASSWORD_GET,
             1,
             "SELECT " PRINCIPAL ", w.hash FROM principal p"
             " JOIN local_password w ON w.principal_id = p.id"
             " WHERE p.issuer = 'local' AND p.subject = $1 AND p.disabled_at IS NULL"),
    PLAIN(PG_PASSWORD_SET,
          2,
          "INSERT INTO local_password (principal_id, hash) VALUES ($1, $2)"
          " ON CONFLICT (principal_id) DO UPDATE SET hash = excluded.hash,"
          "  changed_at = excluded.changed_at"),

    PREPARED(PG_SESSION_NEW,
             6,
             "WITH old AS (DELETE FROM session"
             "  WHERE created_at < " NOW " - $6::bigint * interval '1 ms'),"
             " p AS (UPDATE principal SET login_at = " NOW " WHERE id = $3)"
             " INSERT INTO session (hash, id, principal_id, ip, agent)"
             " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (hash) DO NOTHING"),
    PREPARED(PG_SESSION_GET,
             4,
             "WITH f AS (SELECT s.hash FROM session s JOIN principal p ON p.id = s.principal_id"
             "  WHERE s.hash = $1 AND p.disabled_at IS NULL AND " IN_LIMITS("$2", "$3") "),"
             " u AS (UPDATE session s SET used_at = " NOW ", ip = $4 FROM f"
             "  WHERE s.hash = f.hash AND " USED_BEFORE("s.used_at") ")"
             " SELECT " PRINCIPAL ", " SESSION " FROM session s"
             " JOIN principal p ON p.id = s.principal_id WHERE s.hash = (SELECT hash FROM f)"),
    PLAIN(PG_SESSIONS,
          3,
          "SELECT " SESSION " FROM session s WHERE s.principal_id = $1 AND " IN_LIMITS(
              "$2", "$3") " ORDER BY s.created_at DESC, s.id"),
    PLAIN(PG_SESSION_END, 2, "DELETE FROM session WHERE principal_id = $1 AND id = $2 RETURNING 1"),
    PLAIN(PG_SESSIONS_END,
          2,
          "WITH d AS (DELETE FROM session WHERE principal_id = $1"
          "  AND id IS DISTINCT FROM $2 RETURNING 1) SELECT count(*) FROM d"),

    PLAIN(PG_TOKEN_NEW,
          9,
          "INSERT INTO api_token (id, hash, hint, principal_id, name, scopes, team, set_name,"
          "  expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8,"
          "  to_timestamp($9::bigint / 1000.0)) ON CONFLICT (id) DO NOTHING"),
    PREPARED(PG_TOKEN_GET,
             2,
             "WITH f AS (SELECT t.id FROM api_token t JOIN principal p ON p.id = t.principal_id"
             "  WHERE t.hash = $1 AND t.revoked_at IS NULL AND t.expires_at > " NOW
             "   AND p.disabled_at IS NULL),"
             " u AS (UPDATE api_token t SET used_at = " NOW ", used_ip = $2 FROM f"
             "  WHERE t.id = f.id AND (t.used_at IS NULL OR " USED_BEFORE("t.used_at") "))"
             " SELECT " PRINCIPAL ", " TOKEN " FROM f JOIN api_token t ON t.id = f.id"
             " JOIN principal p ON p.id = t.principal_id"),
    PLAIN(PG_TOKENS,
          1,
          "SELECT " TOKEN " FROM api_token t JOIN principal p ON p.id = t.principal_id"
          " WHERE $1::text IS NULL OR t.principal_id = $1 ORDER BY t.created_at DESC, t.id"),
    PLAIN(PG_TOKEN_REVOKE,
          2,
          "UPDATE api_token SET revoked_at = coalesce(revoked_at, " NOW ")"
          " WHERE id = $1 AND ($2::text IS NULL OR principal_id = $2) RETURNING 1"),

    PLAIN(PG_BOOTSTRAP_OFFER,
          2,
          "INSERT INTO bootstrap_token (hash, expires_at)"
          " SELECT $1, " NOW " + $2::bigint * interval '1 ms'"
          "  WHERE NOT EXISTS (SELECT FROM principal WHERE admin)"
          " ON CONFLICT (hash) DO UPDATE SET expires_at = excluded.expires_at RETURNING 1"),
    /* All that are open are used up at once: two that come together wait for each other's rows here,
     * and the second one finds none left. */
    PLAIN(PG_BOOTSTRAP_USE,
          10,
          "WITH b AS (UPDATE bootstrap_token SET used_at = " NOW " WHERE used_at IS NULL"
          "  AND NOT EXISTS (SELECT FROM principal WHERE admin)"
          "  AND EXISTS (SELECT FROM bootstrap_token x WHERE x.hash = $10"
          "   AND x.used_at IS NULL AND x.expires_at > " NOW ") RETURNING hash),"
          " p AS (INSERT INTO " NEW_PRINCIPAL ") SELECT " NEW_VALUES
          "  WHERE EXISTS (SELECT FROM b WHERE b.hash = $10)"
          "  ON CONFLICT (issuer, subject) DO UPDATE SET admin = true RETURNING *),"
          " w AS (INSERT INTO local_password (principal_id, hash)"
          "  SELECT id, $9 FROM p WHERE $9::text IS NOT NULL"
          "  ON CONFLICT (principal_id) DO UPDATE SET hash = excluded.hash)"
          " SELECT " PRINCIPAL " FROM p"),
    PLAIN(PG_DEPLOYMENT_SECRET, 0, "SELECT secret FROM deployment"),
};
