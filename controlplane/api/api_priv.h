/* SPDX-License-Identifier: Apache-2.0 */
/** What the resource files share: reading the common parts of a request, rendering a write. */
#ifndef CZ_API_PRIV_H
#define CZ_API_PRIV_H

#include <stdatomic.h>

#include "cz/alloc.h"
#include "cz/api.h"
#include "cz/json.h"
#include "cz/limits.h"
#include "cz/map.h"
#include "cz/thread.h"
#include "cz/time.h"
#include "cz/util.h"

struct cz_api {
    struct cz_service *service;
    struct cz_identity *identity, *own_identity; /* own: NULL when it was given one */
    int64_t stats_every_ms;
    _Atomic uint64_t denied[CZ_VERB_COUNT_];
    struct cz_mutex lock; /* of what follows */
    char *file_error;     /* NULL: none */
    char *source_group; /* NULL: the default of each mapping */
    struct cz_map invalid; /* who sends what cannot be accepted → how often in this window; see noted.c */
    cz_time window_ends;
    _Atomic(struct cz_http_server *) server;
    void (*ready)(void *arg, json_t *checks);
    void (*metrics)(void *arg, struct cz_buf *out);
    void *arg;
};

#define CZ_SEED_TEAM "default" /* whose objects CitizenK Replicator's paths show */

/* common.c */
struct cz_service *cz__api_service(const struct cz_http_request *rq);
struct cz_caller cz__api_caller(const struct cz_http_request *rq);
/** What the caller is measured by; NULL: nobody is known. */
const struct cz_access *cz__api_access(const struct cz_http_request *rq);
/** citizenk_authz_denied_total */
void cz__api_denied_metrics(struct cz_api *a, struct cz_buf *out);
struct cz_identity *cz__api_identity(const struct cz_http_request *rq);
/** Where it comes from, for sign-in and audit. */
struct cz_origin cz__api_origin(const struct cz_http_request *rq);
/** dry_run, comment, If-Match, If-None-Match. */
enum cz_err
cz__api_write(const struct cz_http_request *rq, struct cz_write *ret, struct cz_error *err);
/** The body without the members that only an answer has. New reference. */
json_t *cz__api_document(const struct cz_http_request *rq);
/** Render a finished write: waits when ?wait=applied; empties @r. */
void cz__api_written(const struct cz_http_request *rq,
                     struct cz_http_response *rs,
                     const struct cz_write *w,
                     struct cz_write_result *r);
/** A positive number in the path, else CZ_E_NOT_FOUND. */
enum cz_err cz__api_number(const struct cz_http_request *rq,
                           const char *var,
                           int64_t *ret,
                           struct cz_error *err);
/** A 64-bit number in a body: 3 or "3". false: neither. */
bool cz__api_i64(const json_t *v, int64_t *ret);
/** Unknown members of a small body, by a NULL-terminated list of the known ones. */
void cz__api_known(const json_t *body, const char *const *names, struct cz_report *rep);

/* noted.c */
/** Write down that the caller sees records, before it does: a failure is the request's. @detail is taken */
enum cz_err cz__api_peeked(const struct cz_http_request *rq,
                           const char *team,
                           json_t *detail,
                           struct cz_error *err);
/** The caller's request was not acceptable; many of them are an event. */
void cz__api_invalid(const struct cz_http_request *rq);

/* cursor.c: opaque, signed, bound to the list and its filters */
/** Their key must be known before any is made. CZ_E_UNAVAILABLE: not yet. */
enum cz_err cz__cursor_ready(const struct cz_api *a, struct cz_error *err);
char *
cz__cursor_make(const struct cz_api *a, const char *scope, const char *team, const char *name);
enum cz_err cz__cursor_read(const struct cz_api *a,
                            const char *scope,
                            const char *cursor,
                            char **ret_team,
                            char **ret_name,
                            struct cz_error *err);

/* schemas.c: named schemas of the document. New reference. */
json_t *cz__api_schemas(void);

/* handlers, one file per resource */
#define HANDLER(name)                                                                          \
    enum cz_err name(const struct cz_http_request *rq, struct cz_http_response *rs,            \
                     struct cz_error *err)
HANDLER(cz__rest_list); /* resources.c */
HANDLER(cz__rest_get);
HANDLER(cz__rest_put);
HANDLER(cz__rest_patch);
HANDLER(cz__rest_delete);
HANDLER(cz__rest_pause); /* mappings.c */
HANDLER(cz__rest_resume);
HANDLER(cz__rest_restart);
HANDLER(cz__rest_status);
HANDLER(cz__rest_offsets); /* offsets.c */
HANDLER(cz__rest_move_offsets);
HANDLER(cz__rest_translate_offsets);
HANDLER(cz__rest_revisions); /* revisions.c */
HANDLER(cz__rest_diff);
HANDLER(cz__rest_restore);
HANDLER(cz__rest_changes); /* changes.c */
HANDLER(cz__rest_change);
HANDLER(cz__rest_rollback);
HANDLER(cz__rest_auth_config); /* sign_in.c */
HANDLER(cz__rest_login);
HANDLER(cz__rest_login_token);
HANDLER(cz__rest_bootstrap);
HANDLER(cz__rest_oidc_login);
HANDLER(cz__rest_oidc_callback);
HANDLER(cz__rest_device);
HANDLER(cz__rest_device_token);
HANDLER(cz__rest_logout);
HANDLER(cz__rest_me);
HANDLER(cz__rest_password);
HANDLER(cz__rest_sessions);
HANDLER(cz__rest_end_session);
HANDLER(cz__rest_end_sessions);
HANDLER(cz__rest_principals); /* principals.c */
HANDLER(cz__rest_new_principal);
HANDLER(cz__rest_patch_principal);
HANDLER(cz__rest_principal_sessions);
HANDLER(cz__rest_end_principal_sessions);
HANDLER(cz__rest_tokens); /* tokens.c */
HANDLER(cz__rest_new_token);
HANDLER(cz__rest_revoke_token);
HANDLER(cz__rest_sets); /* sets.c */
HANDLER(cz__rest_set);
HANDLER(cz__rest_plan_set);
HANDLER(cz__rest_apply_set);
HANDLER(cz__rest_suspend_set);
HANDLER(cz__rest_resume_set);
HANDLER(cz__rest_delete_set);
HANDLER(cz__rest_adopt);
HANDLER(cz__rest_release);
HANDLER(cz__rest_audit); /* audit.c */
HANDLER(cz__rest_audit_export);
HANDLER(cz__rest_seals);
HANDLER(cz__rest_audit_verify);
HANDLER(cz__rest_teams); /* teams.c */
HANDLER(cz__rest_team);
HANDLER(cz__rest_put_team);
HANDLER(cz__rest_access); /* access.c */
HANDLER(cz__rest_workers); /* stats.c */
HANDLER(cz__rest_stats);
HANDLER(cz__rest_eval);  /* eval.c */
HANDLER(cz__rest_verify); /* verify.c */
HANDLER(cz__rest_dead_letters); /* dead_letters.c */
HANDLER(cz__rest_redrive);
HANDLER(cz__rest_recopy); /* mappings.c */
HANDLER(cz__rest_discard);
HANDLER(cz__rest_preview); /* preview.c */
HANDLER(cz__rest_preview_spec);
HANDLER(cz__rest_livez); /* health.c */
HANDLER(cz__rest_readyz);
HANDLER(cz__rest_metrics);
HANDLER(cz__rest_version);
HANDLER(cz__rest_openapi); /* openapi.c */
HANDLER(cz__rest_seed_get); /* seed.c */
HANDLER(cz__rest_seed_post);
HANDLER(cz__rest_seed_put);
HANDLER(cz__rest_seed_delete);
HANDLER(cz__rest_seed_enable);
HANDLER(cz__rest_seed_disable);
HANDLER(cz__rest_seed_state); /* seed_state.c */
HANDLER(cz__rest_seed_put_state);
HANDLER(cz__rest_seed_post_state);
HANDLER(cz__rest_seed_templates);
HANDLER(cz__rest_seed_put_templates);
HANDLER(cz__rest_seed_post_templates);
HANDLER(cz__rest_seed_value_map); /* seed_topics.c */
HANDLER(cz__rest_seed_put_value_map);
HANDLER(cz__rest_seed_delete_value_map);
HANDLER(cz__rest_seed_topics);
HANDLER(cz__rest_seed_groups);
HANDLER(cz__rest_seed_consume);
HANDLER(cz__rest_seed_stats);

#endif
