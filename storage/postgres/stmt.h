/* SPDX-License-Identifier: Apache-2.0 */
/** Every SQL statement of the store by its name; the text is in stmt.c, that of principals in
 *  stmt_identity.c. */
#ifndef CZ_PG_STMT_H
#define CZ_PG_STMT_H

#include <stdbool.h>

enum pg_stmt {
    PG_BEGIN_WRITE, /* also locks and counts up the epoch row */
    PG_COMMIT,
    PG_ROLLBACK,
    PG_FIND_TOKEN,
    PG_FINISH_WRITE,
    PG_GET,
    PG_GET_UID,
    PG_LIST,
    PG_CHANGES,
    PG_CHANGES_AFTER,
    PG_CHANGE,
    PG_CHANGE_REVISIONS,
    PG_BEFORE,
    PG_REVISIONS,
    PG_REVISION,
    PG_SEQ,
    PG_TEAMS,
    PG_PUT_TEAM,
    PG_ADD_TEAM,
    PG_ACCESS_VERSION,
    PG_BEGIN,
    PG_SCOPE,
    PG_CREATE,
    PG_UPDATE,
    PG_DELETE,
    PG_PUBLISH,
    PG_PUBLISH_TOMBSTONE,
    PG_RENAME,
    PG_LOAD, /* many objects at once: batch.c */
    PG_READERS,
    PG_COMMITTERS,
    PG_FLUSH_ROWS,
    PG_FLUSH_REVISIONS,
    PG_FLUSH_RECORDS,
    PG_SETS,
    PG_PUT_SET,
    PG_DELETE_SET,
    PG_SET_MEMBERS,
    PG_SET_MOVED,
    PG_PUT_MEMBERS,
    PG_DROP_MEMBERS,
    PG_AUDIT,
    PG_AUDIT_LIST,
    PG_AUDIT_NEXT,
    PG_AUDIT_DECIDED,
    PG_AUDIT_SEAL,
    PG_AUDIT_CHECK,
    PG_AUDIT_LOCATE,
    PG_AUDIT_TAIL,
    PG_AUDIT_KEEP,
    PG_AUDIT_POLICY,
    PG_AUDIT_POSITION,
    PG_AUDIT_SET_POSITION,
    PG_SEALS,
    PG_SEALS_AFTER,
    PG_MARK,
    PG_SET_MARK,
    PG_PUT_REPORT,
    PG_REPORTS,
    PG_OUTBOX,
    PG_OUTBOX_DONE,
    PG_CONFIG,
    PG_LISTEN,
    PG_LEAD_TAKE,
    PG_LEAD_WHO,
    PG_LEAD_END,
    PG_LEAD_RENEW,
    PG_SCHEMA,
    PG_STMT_BASE_COUNT_,
    PG_PRINCIPAL_NEW = PG_STMT_BASE_COUNT_, /* stmt_identity.c */
    PG_PRINCIPAL_LOGIN,
    PG_PRINCIPAL_GET,
    PG_PRINCIPALS,
    PG_PRINCIPAL_SET,
    PG_PASSWORD_GET,
    PG_PASSWORD_SET,
    PG_SESSION_NEW,
    PG_SESSION_GET,
    PG_SESSIONS,
    PG_SESSION_END,
    PG_SESSIONS_END,
    PG_TOKEN_NEW,
    PG_TOKEN_GET,
    PG_TOKENS,
    PG_TOKEN_REVOKE,
    PG_BOOTSTRAP_OFFER,
    PG_BOOTSTRAP_USE,
    PG_DEPLOYMENT_SECRET,
    PG_STMT_COUNT_
};
struct pg_stmt_text {
    const char *name; /* of the prepared statement, NULL: not prepared */
    const char *sql;
    int params;
    bool simple; /* several statements at once, no parameters */
};
const struct pg_stmt_text *pg_stmt_text(enum pg_stmt stmt);
extern const struct pg_stmt_text pg_identity_stmts[PG_STMT_COUNT_ - PG_STMT_BASE_COUNT_];

/* How the tables are made up: a moment as milliseconds, a statement by its kind. */
#define PG_MS(column) "floor(extract(epoch FROM " column ") * 1000)::bigint"

#endif
