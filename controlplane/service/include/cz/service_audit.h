/* SPDX-License-Identifier: Apache-2.0 */
/** Use cases of the audit log: reading and exporting events, its seals, and their verification; and
 *  noting that somebody looked at something.  Codes and ownership as in cz/service.h.  @thread any */
#ifndef CZ_SERVICE_AUDIT_H
#define CZ_SERVICE_AUDIT_H

#include "cz/audit_store.h"
#include "cz/service.h"

/** {"id","at","team","actor","actor_id","token_id","via","action","outcome","seq","request_id",
 *   "trace_id","ip","detail"}; null: none. New reference. */
json_t *cz_audit_event_json(const struct cz_audit_event *e);
/** {"n","at","change_seq","event_id","changes","revisions","events","root"}. New reference. */
json_t *cz_seal_json(const struct cz_seal *s);

/** {"items":[event],"next":"<id for before=>"|null}, newest first. limit 0: CZ_DEFAULT_PAGE. */
CZ_MUST_USE enum cz_err cz_service_audit(struct cz_service *s, const struct cz_audit_filter *f,
                                         json_t **ret, struct cz_error *err);
#define CZ_AUDIT_EXPORT_PAGE 5000
enum cz_audit_format { CZ_AUDIT_NDJSON, CZ_AUDIT_CSV };
/** Events as lines, at most CZ_AUDIT_EXPORT_PAGE. @param ret_next what to go on before; 0: that was all */
CZ_MUST_USE enum cz_err cz_service_audit_export(struct cz_service *s, const struct cz_audit_filter *f,
                                                enum cz_audit_format format, struct cz_buf *out,
                                                int64_t *ret_next, struct cz_error *err);
/** {"items":[seal],"next"}, newest first. */
CZ_MUST_USE enum cz_err cz_service_seals(struct cz_service *s, int64_t before, int limit, json_t **ret,
                                         struct cz_error *err);
/** What is stored against the seals after number @after, until @deadline.
 *  @param ret {"ok","complete","upto","checked":{"seals","changes","revisions","events"},"dropped":
 *   {"events","to"},"last":seal|null,"unsealed":{"changes","events"},"failure":null|{"seal","part",
 *   "what","row","rows","from","to","message"}} */
CZ_MUST_USE enum cz_err cz_service_audit_verify(struct cz_service *s, int64_t after,
                                                const struct cz_seal_anchor *anchors, size_t n,
                                                cz_time deadline, json_t **ret, struct cz_error *err);
/** An event of its own: that somebody looked at records, tried what is not allowed, and the like.
 *  @detail borrowed; NULL: none */
CZ_MUST_USE enum cz_err cz_service_note(struct cz_service *s, const struct cz_caller *who,
                                        const char *team, const char *action, const char *outcome,
                                        const json_t *detail, struct cz_error *err);

#endif
