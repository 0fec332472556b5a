/* SPDX-License-Identifier: Apache-2.0 */
/** Every SQL statement of the store by its name; the text is in stmt.c. */
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
    PG_REVISIONS,
    PG_REVISION,
    PG_SEQ,
    PG_TEAMS,
    PG_PUT_TEAM,
    PG_CREATE,
    PG_UPDATE,
    PG_DELETE,
    PG_PUBLISH,
    PG_PUBLISH_TOMBSTONE,
    PG_AUDIT,
    PG_MARK,
    PG_SET_MARK,
    PG_OUTBOX,
    PG_OUTBOX_DONE,
    PG_CONFIG,
    PG_LISTEN,
    PG_LEAD_TAKE,
    PG_LEAD_WHO,
    PG_LEAD_END,
    PG_LEAD_RENEW,
    PG_SCHEMA,
    PG_STMT_COUNT_
};
struct pg_stmt_text {
    const char *name; /* of the prepared statement, NULL: not prepared */
    const char *sql;
    int params;
    bool simple; /* several statements at once, no parameters */
};
extern const struct pg_stmt_text pg_stmts[PG_STMT_COUNT_];

#endif
