/* SPDX-License-Identifier: Apache-2.0 */
/** The one table of routes: it registers them and makes the OpenAPI document (openapi.c).  A row without
 *  a verb, or with one that cz/access.h does not know, does not build (check_routes.c). */
#include "api_priv.h"
#include "cz/state.h"

/* clang-format off */
#define LIMIT                                                                                  \
    {.name = "limit", .type = CZ_HTTP_INTEGER, .min = 1, .max = CZ_MAX_PAGE,                   \
     .doc = "Items of one page; 100 when absent."}
#define NAME_FILTER(n, text)                                                                   \
    {.name = n, .type = CZ_HTTP_STRING, .min = 0, .max = CZ_MAX_NAME, .doc = text}
#define DRY_RUN                                                                                \
    {.name = "dry_run", .type = CZ_HTTP_BOOLEAN,                                               \
     .doc = "Check everything and show the result, store nothing."}
#define COMMENT                                                                                \
    {.name = "comment", .type = CZ_HTTP_STRING, .min = 0, .max = 1000,                         \
     .doc = "Why; kept in the history."}
#define WAIT                                                                                   \
    {.name = "wait", .type = CZ_HTTP_STRING, .values = APPLIED,                                \
     .doc = "applied: answer when every live worker has taken the change over, or at the "     \
            "timeout; the member `applied` says which."},                                      \
    {                                                                                          \
        .name = "timeout", .type = CZ_HTTP_INTEGER, .min = 0, .max = 60,                       \
        .doc = "Seconds to wait at most; 10 when absent."                                      \
    }
#define BEFORE                                                                                 \
    {.name = "before", .type = CZ_HTTP_INTEGER, .min = 0, .max = INT64_MAX,                    \
     .doc = "Only changes with a smaller number, newest first: `next` of the page before."}

static const char *const APPLIED[] = {"applied", NULL};
static const char *const STATES[] = {
#define X(s) #s,
    CZ_TASK_STATE_MAP(X)
#undef X
        NULL};
static const char *const KINDS[] = {
#define X(e, name, coll) name,
    CZ_KIND_MAP(X)
#undef X
        NULL};

#define LIST_FILTERS                                                                           \
    LIMIT,                                                                                     \
        {.name = "cursor", .type = CZ_HTTP_STRING, .min = 1, .max = 2000,                      \
         .doc = "`next` of the page before."},                                                 \
        NAME_FILTER("group", "Only this group."),                                              \
        NAME_FILTER("name", "Only names that contain this, in any case."),                     \
        {.name = "label", .type = CZ_HTTP_STRING, .min = 1, .max = 400,                        \
         .doc = "Only with this label: key=value."},                                           \
        NAME_FILTER("managed_by", "Only what this owner manages, as in instance:name.")

static const struct cz_http_param list_query[] = {LIST_FILTERS, {0}};
static const struct cz_http_param mapping_list_query[] = {
    LIST_FILTERS,
    {.name = "state", .type = CZ_HTTP_STRING, .values = STATES, .doc = "Only mappings in this state."},
    {0},
};
static const struct cz_http_param write_query[] = {DRY_RUN, COMMENT, WAIT, {0}};
static const struct cz_http_param object_query[] = {
    DRY_RUN, COMMENT, WAIT,
    {.name = "break_glass", .type = CZ_HTTP_STRING, .min = 1, .max = 1000,
     .doc = "Why an object that belongs to a set is changed past it; else that is refused (409 "
            "owned-by-set). The set is drifted then."},
    {0}};
static const struct cz_http_param move_query[] = {DRY_RUN, COMMENT, {0}};
static const struct cz_http_param revisions_query[] = {LIMIT, BEFORE, {0}};

#define CHANGE_FILTERS                                                                         \
    LIMIT, BEFORE,                                                                             \
        {.name = "after", .type = CZ_HTTP_INTEGER, .min = 0, .max = INT64_MAX,                 \
         .doc = "Only changes with a larger number, oldest first."},                           \
        {.name = "wait", .type = CZ_HTTP_INTEGER, .min = 0, .max = 60,                         \
         .doc = "With after: seconds to wait for one when there is none yet (long poll)."},    \
        NAME_FILTER("actor", "Only changes made by this principal."),                          \
        NAME_FILTER("set", "Only applies of this set."),                                       \
        {.name = "commit", .type = CZ_HTTP_STRING, .min = 4, .max = 100,                       \
         .doc = "Only applies of this Git commit, or of those that begin so."},                \
        {.name = "mine", .type = CZ_HTTP_BOOLEAN, .doc = "Only changes that the caller made."}, \
        {.name = "via", .type = CZ_HTTP_STRING, .min = 0, .max = 20,                           \
         .doc = "Only changes made this way: api, cli, ui, system."},                          \
        {.name = "kind", .type = CZ_HTTP_STRING, .values = KINDS,                              \
         .doc = "Only changes that touched this kind."},                                       \
    {                                                                                          \
        .name = "name", .type = CZ_HTTP_STRING, .min = 0, .max = CZ_MAX_NAME,                  \
        .doc = "Only changes that touched an object of this name."                             \
    }
static const struct cz_http_param team_changes_query[] = {CHANGE_FILTERS, {0}};
static const struct cz_http_param changes_query[] = {
    CHANGE_FILTERS, NAME_FILTER("team", "Only changes of this team."), {0}};

/* A month of a busy deployment has more than a page; times bound what is looked through. */
#define AUDIT_FILTERS                                                                          \
    {.name = "before", .type = CZ_HTTP_INTEGER, .min = 0, .max = INT64_MAX,                    \
     .doc = "Only events with a smaller number: `next` of the page before."},                  \
        {.name = "action", .type = CZ_HTTP_STRING, .min = 0, .max = 100,                       \
         .doc = "Only this action, as mapping.update; with * at its end all that begin so."},  \
        {.name = "outcome", .type = CZ_HTTP_STRING, .min = 0, .max = 20,                       \
         .doc = "Only with this outcome: ok, denied, failed."},                                \
        NAME_FILTER("actor", "Only what this principal did or tried."),                        \
        NAME_FILTER("name", "Only what concerns an object of this name."),                     \
        NAME_FILTER("request_id", "Only what this request did."),                              \
        {.name = "seq", .type = CZ_HTTP_INTEGER, .min = 1, .max = INT64_MAX,                   \
         .doc = "Only events of this change."},                                                \
        {.name = "from", .type = CZ_HTTP_STRING, .min = 1, .max = 40,                          \
         .doc = "Only from this time on: 2026-11-22T18:00:00Z."},                              \
    {                                                                                          \
        .name = "to", .type = CZ_HTTP_STRING, .min = 1, .max = 40,                             \
        .doc = "Only before this time."                                                        \
    }
#define AUDIT_TEAM NAME_FILTER("team", "Only events of this team.")
#define AUDIT_EXPORT                                                                           \
    {.name = "format", .type = CZ_HTTP_STRING, .values = AUDIT_FORMATS,                        \
     .doc = "Instead of the header Accept; ndjson when neither says."},                        \
    {                                                                                          \
        .name = "limit", .type = CZ_HTTP_INTEGER, .min = 1, .max = 5000,                       \
        .doc = "Events of one answer; 5000 when absent. When there are more, the header "      \
               "X-CitizenK-Next has what to ask for with before."                              \
    }
static const char *const AUDIT_FORMATS[] = {"ndjson", "csv", NULL};
static const struct cz_http_param audit_query[] = {LIMIT, AUDIT_FILTERS, AUDIT_TEAM, {0}};
static const struct cz_http_param team_audit_query[] = {LIMIT, AUDIT_FILTERS, {0}};
static const struct cz_http_param audit_export_query[] = {AUDIT_EXPORT, AUDIT_FILTERS, AUDIT_TEAM, {0}};
static const struct cz_http_param team_audit_export_query[] = {AUDIT_EXPORT, AUDIT_FILTERS, {0}};
static const struct cz_http_param seals_query[] = {
    LIMIT,
    {.name = "before", .type = CZ_HTTP_INTEGER, .min = 0, .max = INT64_MAX,
     .doc = "Only seals with a smaller number: `next` of the page before."},
    {0},
};
#define LINES "application/x-ndjson,text/csv"
/* clang-format on */
static const struct cz_http_param readyz_query[] = {
    {.name = "verbose",
     .type = CZ_HTTP_BOOLEAN,
     .doc = "List the checks; why one fails is shown to the bearer of a token."},
    {0},
};

#define FROM_PROVIDER(n, text)                                                                 \
    {.name = n, .type = CZ_HTTP_STRING, .min = 0, .max = 4096, .doc = text}
static const struct cz_http_param callback_query[] = {
    FROM_PROVIDER("code", "What the ID token is got with."),
    FROM_PROVIDER("state", "Of the sign-in that this browser began."),
    FROM_PROVIDER("iss", "The issuer, when it says so (RFC 9207)."),
    FROM_PROVIDER("error", "Why there is no code."),
    FROM_PROVIDER("error_description", "The same for people; not looked at."),
    FROM_PROVIDER("error_uri", "Not looked at."),
    FROM_PROVIDER("session_state", "Not looked at."),
    FROM_PROVIDER("scope", "Not looked at."),
    {0},
};
static const char *const VERBS[] = {
#define X(e, name, role, platform, scope) name,
    CZ_VERB_MAP(X)
#undef X
        NULL};
static const char *const MODES[] = {"read", "write", "peek", "delete", NULL};
static const struct cz_http_param access_query[] = {
    {.name = "verb", .type = CZ_HTTP_STRING, .values = VERBS, .doc = "Required: what is to be done."},
    NAME_FILTER("team", "In this team."),
    {.name = "principal", .type = CZ_HTTP_STRING, .min = 1, .max = 512,
     .doc = "Id of who is to do it; who asks when absent."},
    NAME_FILTER("cluster", "With topic or group: on this cluster of the team."),
    {.name = "topic", .type = CZ_HTTP_STRING, .min = 1, .max = 249, .doc = "Using this topic."},
    {.name = "group", .type = CZ_HTTP_STRING, .min = 1, .max = 255, .doc = "Using this consumer group."},
    {.name = "mode", .type = CZ_HTTP_STRING, .values = MODES, .doc = "How it is used."},
    {0},
};
static const struct cz_http_param tokens_query[] = {
    {.name = "all",
     .type = CZ_HTTP_BOOLEAN,
     .doc = "Everybody's; for the platform roles admin and auditor."},
    {0},
};

#define CLUSTER(other)                                                                         \
    {.name = "cluster", .type = CZ_HTTP_STRING, .min = 1, .max = CZ_MAX_NAME,                  \
     .doc = "A cluster of the team; " other " when absent."}
static const struct cz_http_param source_query[] = {CLUSTER("source"), {0}};
static const struct cz_http_param target_query[] = {CLUSTER("target"), {0}};
static const char *const STRATEGIES[] = {"latest", "earliest", "specific", NULL};
static const struct cz_http_param consume_query[] = {
    CLUSTER("source"),
    {.name = "topic",
     .type = CZ_HTTP_STRING,
     .min = 1,
     .max = 249,
     .doc = "Required: the topic to read."},
    {.name = "count",
     .type = CZ_HTTP_INTEGER,
     .min = 1,
     .max = CZ_MAX_PAGE,
     .doc = "Records at most; 10 when absent."},
    {.name = "strategy",
     .type = CZ_HTTP_STRING,
     .values = STRATEGIES,
     .doc = "latest (default): the last ones; earliest: the first ones; specific: from `offset` on."},
    {.name = "offset",
     .type = CZ_HTTP_INTEGER,
     .min = 0,
     .max = INT64_MAX,
     .doc = "With strategy specific: where to begin in every partition."},
    {.name = "epoch",
     .type = CZ_HTTP_INTEGER,
     .min = 0,
     .max = INT64_MAX,
     .doc = "From this time on (milliseconds since 1970), whatever the strategy; 0 is none."},
    {.name = "partitions",
     .type = CZ_HTTP_STRING,
     .min = 1,
     .max = 4096,
     .doc = "Only these: 0,1,4."},
    {.name = "timeout",
     .type = CZ_HTTP_INTEGER,
     .min = 1,
     .max = 30,
     .doc = "Seconds to wait at most; 5 when absent."},
    {0},
};

#define LETTER_TEXT(n, text) {.name = n, .type = CZ_HTTP_STRING, .min = 1, .max = CZ_MAX_NAME, .doc = text}
#define LETTER_NUMBER(n, least, most, text)                                                    \
    {.name = n, .type = CZ_HTTP_INTEGER, .min = least, .max = most, .doc = text}
static const struct cz_http_param letters_query[] = {
    LETTER_TEXT("stage", "Only letters of this stage: decode, filter, send, …"),
    LETTER_TEXT("error", "Only letters of this error."),
    LETTER_TEXT("topic", "Only of this source topic."),
    LETTER_NUMBER("partition", 0, INT32_MAX, "Only of this partition of the source."),
    LETTER_NUMBER("from_offset", 0, INT64_MAX, "With partition: from this offset of the source on."),
    LETTER_NUMBER("to_offset", 0, INT64_MAX, "With partition: before this offset of the source."),
    LETTER_TEXT("since", "Records with this timestamp or a later one."),
    LETTER_TEXT("until", "Records before this time."),
    LETTER_NUMBER("max_records", 1, INT64_MAX, "Letters at most; then the answer is not complete."),
    LETTER_NUMBER("samples", 0, 200, "Letters that are shown; 10 when absent."),
    LETTER_NUMBER("timeout_seconds", 1, 600, "25 when absent; then the answer is not complete."),
    {0},
};

#define TEAM "/api/v1/teams/{team}"
#define ONE(coll) TEAM "/" coll "/{name}"
#define SEED "/mappings/{name}"
#define VALUES "/value-mappings/{topic}"
#define FREE (CZ_HTTP_NOAUTH | CZ_HTTP_QUIET)
#define AUTH "/api/v1/auth"
#define SIGN_IN (CZ_HTTP_NOAUTH | CZ_HTTP_SIGN_IN | CZ_HTTP_BODY)
#define BODY_MAYBE (CZ_HTTP_BODY | CZ_HTTP_BODY_OPTIONAL)
#define CHANGING (CZ_HTTP_BODY | CZ_HTTP_IF_MATCH)
#define SET (CZ_HTTP_BODY | CZ_HTTP_BODY_LIST | CZ_HTTP_IF_MATCH)

/* Columns: method, path, handler, flags, verb, query | request and answer schemas, status, tag,
 * operationId, summary, kind (or, for a list, 1: of one team). */
/* clang-format off */

/* The rows that every kind of resource has. */
#define RESOURCE(coll, K, e, perm, listq, safe)                                                \
    {"GET", TEAM "/" coll, cz__rest_list, 0, perm ".read", listq,                              \
     NULL, K "List", 0, coll, "list" K, "List, by name", e},                                   \
    {"GET", ONE(coll), cz__rest_get, CZ_HTTP_CACHED, perm ".read", NULL,                       \
     NULL, K, 0, coll, "get" K, "Read one", e},                                                \
    {"PUT", ONE(coll), cz__rest_put, CHANGING | (safe), perm ".write", object_query,           \
     K "Document", K "Written", 0, coll, "put" K,                                              \
     "Create or replace; If-Match is needed to replace", e},                                   \
    {"PATCH", ONE(coll), cz__rest_patch, CHANGING | CZ_HTTP_MERGE_PATCH | (safe),              \
     perm ".write", object_query,                                                              \
     "MergePatch", K "Written", 0, coll, "patch" K, "Change some fields (RFC 7396)", e},       \
    {"DELETE", ONE(coll), cz__rest_delete, CZ_HTTP_IF_MATCH | (safe), perm ".write",           \
     object_query,                                                                             \
     NULL, "Written", 0, coll, "delete" K, "Delete; refused while something uses it", e},      \
    {"GET", ONE(coll) "/revisions", cz__rest_revisions, 0, perm ".read", revisions_query,      \
     NULL, "Revisions", 0, coll, "list" K "Revisions", "Its history, newest first", e},        \
    {"GET", ONE(coll) "/revisions/{generation}/diff/{other}", cz__rest_diff, 0, perm ".read",  \
     NULL,                                                                                     \
     NULL, "Diff", 0, coll, "diff" K, "What differs between two generations", e},              \
    {"POST", ONE(coll) "/restore", cz__rest_restore, CHANGING | (safe), perm ".write",         \
     object_query,                                                                             \
     "Restore", K "Written", 0, coll, "restore" K,                                             \
     "Put an earlier generation again, checked as any write", e}

#define ACTION(name, fn, body, text)                                                           \
    {"POST", ONE("mappings") "/" name, fn, BODY_MAYBE | CZ_HTTP_IF_MATCH, "mapping.operate",   \
     write_query,                                                                              \
     body, "MappingWritten", 0, "mappings", name "Mapping", text, CZ_KIND_MAPPING}

const struct cz_http_route cz_api_routes[] = {
    {"GET", "/livez", cz__rest_livez, FREE, NULL, NULL,
     NULL, "Health", 0, "health", "livez", "The process is alive", 0},
    {"GET", "/readyz", cz__rest_readyz, FREE | CZ_HTTP_SHOWS_MORE, NULL, readyz_query,
     NULL, "Health", 0, "health", "readyz",
     "Database and control cluster are reachable; 503 when not, or when stopping", 0},
    {"GET", "/metrics", cz__rest_metrics, CZ_HTTP_OPEN_METRICS | CZ_HTTP_QUIET, "metrics.read", NULL,
     NULL, NULL, 0, "health", "metrics", "Prometheus text", 0},
    {"GET", "/api/v1/version", cz__rest_version, 0, "version.read", NULL,
     NULL, "Version", 0, "health", "version", "Versions of the program", 0},
    {"GET", "/api/v1/openapi.json", cz__rest_openapi, CZ_HTTP_CACHED, "version.read", NULL,
     NULL, "OpenApi", 0, "health", "openapi", "This document", 0},

    {"GET", AUTH "/config", cz__rest_auth_config, CZ_HTTP_NOAUTH, NULL, NULL,
     NULL, "AuthConfig", 0, "auth", "authConfig", "How one can sign in here", 0},
    {"POST", AUTH "/login", cz__rest_login, SIGN_IN, NULL, NULL,
     "Login", "Me", 0, "auth", "login", "Sign in with a name and a password: a session", 0},
    {"POST", AUTH "/token", cz__rest_login_token, SIGN_IN, NULL, NULL,
     "LoginToken", "TokenMade", 0, "auth", "loginToken",
     "The same for programs: an API token of 12 hours", 0},
    {"POST", AUTH "/bootstrap", cz__rest_bootstrap, SIGN_IN, NULL, NULL,
     "Bootstrap", "Me", 0, "auth", "bootstrap",
     "Make the first admin with the token from the log of a fresh installation", 0},
    {"GET", AUTH "/oidc/login", cz__rest_oidc_login, CZ_HTTP_NOAUTH, NULL, NULL,
     NULL, NULL, 302, "auth", "oidcLogin", "Go to the identity provider", 0},
    {"GET", AUTH "/oidc/callback", cz__rest_oidc_callback, CZ_HTTP_NOAUTH, NULL, callback_query,
     NULL, NULL, 302, "auth", "oidcCallback", "Come back from it: a session, and on to /", 0},
    {"POST", AUTH "/device", cz__rest_device, BODY_MAYBE | CZ_HTTP_NOAUTH | CZ_HTTP_SIGN_IN, NULL,
     NULL,
     "Empty", "Device", 0, "auth", "device", "Begin a device flow: a code to enter elsewhere", 0},
    {"POST", AUTH "/device/token", cz__rest_device_token, SIGN_IN, NULL, NULL,
     "DeviceToken", "DeviceAnswer", 0, "auth", "deviceToken",
     "Has the code been entered? Then an API token of 12 hours", 0},
    {"POST", AUTH "/logout", cz__rest_logout, BODY_MAYBE, "auth.self", NULL,
     "Empty", NULL, 204, "auth", "logout", "End this session", 0},
    {"GET", AUTH "/me", cz__rest_me, 0, "auth.self", NULL,
     NULL, "Me", 0, "auth", "me", "Who asks, and with what", 0},
    {"POST", AUTH "/password", cz__rest_password, CZ_HTTP_BODY, "auth.self", NULL,
     "PasswordChange", NULL, 204, "auth", "password",
     "Change one's own password; ends one's other sessions", 0},
    {"GET", AUTH "/sessions", cz__rest_sessions, 0, "auth.self", NULL,
     NULL, "SessionList", 0, "auth", "listSession", "One's own sessions", 0},
    {"DELETE", AUTH "/sessions", cz__rest_end_sessions, 0, "auth.self", NULL,
     NULL, "Ended", 0, "auth", "deleteSessions", "End one's sessions but this one", 0},
    {"DELETE", AUTH "/sessions/{id}", cz__rest_end_session, 0, "auth.self", NULL,
     NULL, NULL, 204, "auth", "deleteSession", "End one of one's sessions", 0},
    {"GET", "/api/v1/principals", cz__rest_principals, 0, "principal.read", NULL,
     NULL, "PrincipalList", 0, "auth", "listPrincipal", "Users and services", 0},
    {"POST", "/api/v1/principals", cz__rest_new_principal, CZ_HTTP_BODY | CZ_HTTP_RECENT_AUTH,
     "principal.write", NULL,
     "PrincipalDocument", "Principal", 201, "auth", "postPrincipal",
     "Make a local user or a service", 0},
    {"PATCH", "/api/v1/principals/{id}", cz__rest_patch_principal,
     CZ_HTTP_BODY | CZ_HTTP_MERGE_PATCH | CZ_HTTP_RECENT_AUTH, "principal.write", NULL,
     "PrincipalPatch", "Principal", 0, "auth", "patchPrincipal",
     "Platform roles, disabling, a new password", 0},
    {"GET", "/api/v1/principals/{id}/sessions", cz__rest_principal_sessions, 0, "principal.read",
     NULL,
     NULL, "SessionList", 0, "auth", "listPrincipalSession", "Sessions of a principal", 0},
    {"DELETE", "/api/v1/principals/{id}/sessions", cz__rest_end_principal_sessions, 0,
     "principal.write", NULL,
     NULL, "Ended", 0, "auth", "deletePrincipalSessions", "End all sessions of a principal", 0},
    {"GET", "/api/v1/tokens", cz__rest_tokens, 0, "auth.self", tokens_query,
     NULL, "TokenList", 0, "auth", "listToken", "One's own API tokens", 0},
    {"POST", "/api/v1/tokens", cz__rest_new_token, CZ_HTTP_BODY | CZ_HTTP_RECENT_AUTH, "auth.self",
     NULL,
     "TokenDocument", "TokenMade", 201, "auth", "postToken",
     "Make an API token; its value is shown this once", 0},
    {"DELETE", "/api/v1/tokens/{id}", cz__rest_revoke_token, 0, "auth.self", NULL,
     NULL, NULL, 204, "auth", "deleteToken", "Revoke a token, at once", 0},

    {"GET", "/api/v1/teams", cz__rest_teams, 0, "team.read", NULL,
     NULL, "TeamList", 0, "teams", "listTeam", "List", 0},
    {"GET", TEAM, cz__rest_team, CZ_HTTP_CACHED, "team.read", NULL,
     NULL, "Team", 0, "teams", "getTeam", "Its settings", 0},
    {"PUT", TEAM, cz__rest_put_team, BODY_MAYBE | CZ_HTTP_IF_MATCH | CZ_HTTP_RECENT_AUTH, "team.write",
     move_query,
     "TeamDocument", "Team", 0, "teams", "putTeam",
     "Create when absent, and change what of its settings is given", 0},
    {"GET", TEAM "/stats", cz__rest_stats, 0, "mapping.read", NULL,
     NULL, "Stats", 0, "teams", "teamStats",
     "Counters, rates, lag and delay of the team's mappings", 1},
    {"GET", TEAM "/changes", cz__rest_changes, 0, "change.read", team_changes_query,
     NULL, "ChangeList", 0, "changes", "listTeamChange", "The team's history", 1},

    RESOURCE("clusters", "Cluster", CZ_KIND_CLUSTER, "cluster", list_query, CZ_HTTP_RECENT_AUTH),
    RESOURCE("mappings", "Mapping", CZ_KIND_MAPPING, "mapping", mapping_list_query, 0),
    RESOURCE("templates", "Template", CZ_KIND_TEMPLATE, "template", list_query, 0),
    RESOURCE("instances", "Instance", CZ_KIND_INSTANCE, "instance", list_query, 0),
    RESOURCE("value-maps", "ValueMap", CZ_KIND_VALUE_MAP, "value_map", list_query, 0),
    RESOURCE("bindings", "Binding", CZ_KIND_BINDING, "binding", list_query, CZ_HTTP_RECENT_AUTH),
    RESOURCE("grants", "Grant", CZ_KIND_GRANT, "grant", list_query, CZ_HTTP_RECENT_AUTH),
    {"GET", ONE("mappings") "/status", cz__rest_status, 0, "mapping.read", NULL,
     NULL, "MappingStatus", 0, "mappings", "mappingStatus",
     "Conditions, tasks, partitions, lag, rates", CZ_KIND_MAPPING},
    ACTION("pause", cz__rest_pause, "Pause", "Pause: position kept, spec untouched"),
    ACTION("resume", cz__rest_resume, "Empty", "End the pause"),
    ACTION("restart", cz__rest_restart, "Empty", "Stop and start its tasks"),
    {"GET", ONE("mappings") "/offsets", cz__rest_offsets, 0, "mapping.read", NULL,
     NULL, "MappingOffsets", 0, "mappings", "mappingOffsets",
     "Its committed positions beside the ends of the log, asked from Kafka", CZ_KIND_MAPPING},
    {"POST", ONE("mappings") "/offsets", cz__rest_move_offsets, CHANGING, "mapping.operate",
     move_query,
     "OffsetMove", "OffsetsMoved", 0, "mappings", "moveMappingOffsets",
     "Move the positions of a mapping that is paused or disabled", CZ_KIND_MAPPING},
    {"POST", ONE("mappings") "/offsets/translate", cz__rest_translate_offsets, CZ_HTTP_BODY,
     "mapping.read", NULL,
     "OffsetTranslate", "OffsetsTranslated", 0, "mappings", "translateMappingOffsets",
     "Translate offsets to the target or back, by the mapping's offset map", CZ_KIND_MAPPING},

    {"POST", ONE("mappings") "/preview", cz__rest_preview, BODY_MAYBE, "mapping.peek", NULL,
     "Preview", "PreviewResult", 0, "mappings", "previewMapping",
     "What it would do with records of its live source topic; nothing is written", CZ_KIND_MAPPING},
    {"POST", TEAM "/preview", cz__rest_preview_spec, CZ_HTTP_BODY, "mapping.peek", NULL,
     "Preview", "PreviewResult", 0, "mappings", "previewSpec",
     "The same for a spec that is not saved", 1},
    {"POST", ONE("mappings") "/verify", cz__rest_verify, BODY_MAYBE, "mapping.read", NULL,
     "Verify", "VerifyReport", 0, "mappings", "verifyMapping",
     "Compare what it should have copied with what is on its target", CZ_KIND_MAPPING},
    {"POST", ONE("mappings") "/recopy", cz__rest_recopy, CZ_HTTP_BODY, "mapping.operate", move_query,
     "Recopy", "Recopied", 0, "mappings", "recopyMapping",
     "Copy a part of its source again beside it, by a mapping of its own that ends", CZ_KIND_MAPPING},
    {"GET", ONE("mappings") "/dead-letters", cz__rest_dead_letters, 0, "mapping.peek", letters_query,
     NULL, "DeadLetters", 0, "mappings", "listDeadLetters",
     "Letters that were not re-driven or discarded: by reason, and some of them", CZ_KIND_MAPPING},
    {"POST", ONE("mappings") "/dead-letters/redrive", cz__rest_redrive, BODY_MAYBE, "mapping.operate", move_query,
     "DeadLettersChoice", "DeadLettersRedriven", 0, "mappings", "redriveDeadLetters",
     "Send them through the mapping as it is now, each once; what fails again stays", CZ_KIND_MAPPING},
    {"POST", ONE("mappings") "/dead-letters/discard", cz__rest_discard, BODY_MAYBE, "mapping.operate", move_query,
     "DeadLettersChoice", "DeadLettersDiscarded", 0, "mappings", "discardDeadLetters",
     "Count them as done without sending them", CZ_KIND_MAPPING},

    {"GET", TEAM "/sets", cz__rest_sets, 0, "set.read", NULL,
     NULL, "SetList", 0, "sets", "listSet", "Sets of objects that are applied together", 1},
    {"GET", ONE("sets"), cz__rest_set, 0, "set.read", NULL,
     NULL, "Set", 0, "sets", "getSet",
     "What was applied last, and what differs from it by now (drift)", 1},
    {"DELETE", ONE("sets"), cz__rest_delete_set, 0, "set.write", move_query,
     NULL, "Written", 0, "sets", "deleteSet", "Forget a set that owns nothing any more", 1},
    {"POST", ONE("sets") "/plan", cz__rest_plan_set, CZ_HTTP_BODY, "set.plan", NULL,
     "Apply", "Plan", 0, "sets", "planSet",
     "What an apply would do, and what that means for records; nothing is stored", 1},
    {"POST", ONE("sets") "/apply", cz__rest_apply_set, CZ_HTTP_BODY, "set.apply", write_query,
     "Apply", "Applied", 0, "sets", "applySet",
     "Make the set's objects so: all or nothing, in one change", 1},
    {"POST", ONE("sets") "/suspend", cz__rest_suspend_set, BODY_MAYBE, "set.write", NULL,
     "Suspend", "Set", 0, "sets", "suspendSet", "Refuse every apply until it is resumed", 1},
    {"POST", ONE("sets") "/resume", cz__rest_resume_set, BODY_MAYBE, "set.write", NULL,
     "ResumeSet", "Set", 0, "sets", "resumeSet", "Let applies happen again", 1},
    {"POST", ONE("sets") "/adopt", cz__rest_adopt, CZ_HTTP_BODY, "set.write", write_query,
     "Adopt", "Written", 0, "sets", "adoptObjects", "Make it the owner of objects, as they are", 1},
    {"POST", ONE("sets") "/release", cz__rest_release, CZ_HTTP_BODY, "set.write", write_query,
     "Release", "Written", 0, "sets", "releaseObjects", "Let objects go: they stay, without an owner", 1},

    {"GET", "/api/v1/changes", cz__rest_changes, 0, "change.read", changes_query,
     NULL, "ChangeList", 0, "changes", "listChange", "The history of all teams", 0},
    {"GET", "/api/v1/changes/{seq}", cz__rest_change, 0, "change.read", NULL,
     NULL, "ChangeDetail", 0, "changes", "getChange",
     "One change with its objects before and after", 0},
    {"POST", "/api/v1/changes/{seq}/rollback", cz__rest_rollback, BODY_MAYBE, "change.rollback",
     write_query,
     "Rollback", "Written", 0, "changes", "rollbackChange",
     "Undo a change by a new one; objects changed since are skipped, unless they are named", 0},
    {"GET", "/api/v1/audit", cz__rest_audit, 0, "audit.read", audit_query,
     NULL, "AuditList", 0, "audit", "listAudit", "Who did, or tried, what, newest first", 0},
    {"GET", "/api/v1/audit/export", cz__rest_audit_export, 0, "audit.read", audit_export_query,
     NULL, LINES, 0, "audit", "exportAudit", "The same as lines, for other programs", 0},
    {"GET", "/api/v1/audit/seals", cz__rest_seals, 0, "audit.read", seals_query,
     NULL, "SealList", 0, "audit", "listSeal", "The seals of history and audit log", 0},
    {"POST", "/api/v1/audit/verify", cz__rest_audit_verify, BODY_MAYBE, "audit.read", NULL,
     "AuditVerify", "AuditReport", 0, "audit", "verifyAudit",
     "Compare history and audit log with their seals", 0},
    {"GET", TEAM "/audit", cz__rest_audit, 0, "audit.read", team_audit_query,
     NULL, "AuditList", 0, "audit", "listTeamAudit", "The team's events", 1},
    {"GET", TEAM "/audit/export", cz__rest_audit_export, 0, "audit.read", team_audit_export_query,
     NULL, LINES, 0, "audit", "exportTeamAudit", "The same as lines, for other programs", 1},
    {"GET", "/api/v1/workers", cz__rest_workers, 0, "worker.read", NULL,
     NULL, "WorkerList", 0, "workers", "listWorker", "Workers and when they were last heard", 0},
    {"GET", "/api/v1/stats", cz__rest_stats, 0, "mapping.read", NULL,
     NULL, "Stats", 0, "workers", "stats", "Counters, rates, lag and delay of every mapping", 0},
    {"GET", "/api/v1/access", cz__rest_access, 0, "access.read", access_query,
     NULL, "AccessAnswer", 0, "teams", "access", "May somebody do something, and why", 0},
    {"POST", "/api/v1/eval", cz__rest_eval, CZ_HTTP_BODY, "eval.use", NULL,
     "Eval", "EvalResult", 0, "eval", "eval", "Evaluate a JMESPath expression over a document", 0},

    {"GET", "/mappings", cz__rest_seed_state, CZ_HTTP_CACHED, "mapping.read", NULL,
     NULL, "SeedState", 0, "replicator", "seedState",
     "All of the team default as a mapping file of CitizenK Replicator", 0},
    {"PUT", "/mappings", cz__rest_seed_put_state, SET, "mapping.write", write_query,
     "SeedStateDocument", "Written", 0, "replicator", "seedPutState",
     "Make it so: what the document does not name is deleted", 0},
    {"POST", "/mappings", cz__rest_seed_post_state, SET, "mapping.write", write_query,
     "SeedStateDocument", "Written", 0, "replicator", "seedPostState",
     "Create and change what the document names, keep the rest", 0},
    {"GET", SEED, cz__rest_seed_get, CZ_HTTP_CACHED, "mapping.read", NULL,
     NULL, "SeedMapping", 0, "replicator", "seedGetMapping", "Read one", 0},
    {"POST", SEED, cz__rest_seed_post, CZ_HTTP_BODY, "mapping.write", write_query,
     "SeedMapping", "SeedMappingWritten", 0, "replicator", "seedPostMapping", "Create", 0},
    {"PUT", SEED, cz__rest_seed_put, CHANGING, "mapping.write", write_query,
     "SeedMapping", "SeedMappingWritten", 0, "replicator", "seedPutMapping",
     "Create or replace; fields that only the native form has are kept", 0},
    {"DELETE", SEED, cz__rest_seed_delete, CZ_HTTP_IF_MATCH, "mapping.write", write_query,
     NULL, "Written", 0, "replicator", "seedDeleteMapping", "Delete", 0},
    {"POST", SEED "/enable", cz__rest_seed_enable, BODY_MAYBE | CZ_HTTP_IF_MATCH, "mapping.write",
     write_query,
     "Empty", "SeedMappingWritten", 0, "replicator", "seedEnableMapping", "Switch on", 0},
    {"POST", SEED "/disable", cz__rest_seed_disable, BODY_MAYBE | CZ_HTTP_IF_MATCH,
     "mapping.write", write_query,
     "Empty", "SeedMappingWritten", 0, "replicator", "seedDisableMapping", "Switch off", 0},
    {"GET", "/templates", cz__rest_seed_templates, CZ_HTTP_CACHED, "template.read", NULL,
     NULL, "SeedTemplates", 0, "replicator", "seedTemplates",
     "The templates: lists of mappings with {{VAR}} in their strings", 0},
    {"PUT", "/templates", cz__rest_seed_put_templates, SET, "template.write", write_query,
     "SeedTemplates", "Written", 0, "replicator", "seedPutTemplates",
     "Make it so: a template that the document does not name is deleted", 0},
    {"POST", "/templates", cz__rest_seed_post_templates, SET, "template.write", write_query,
     "SeedTemplates", "Written", 0, "replicator", "seedPostTemplates",
     "Create and change what the document names, keep the rest", 0},
    {"GET", VALUES, cz__rest_seed_value_map, CZ_HTTP_CACHED, "value_map.read", NULL,
     NULL, "SeedValueMap", 0, "replicator", "seedGetValueMap",
     "How keys and values of a source topic are mapped", 0},
    {"PUT", VALUES, cz__rest_seed_put_value_map, CHANGING, "value_map.write", write_query,
     "SeedValueMap", "SeedValueMap", 0, "replicator", "seedPutValueMap", "Create or replace", 0},
    {"DELETE", VALUES, cz__rest_seed_delete_value_map, CZ_HTTP_IF_MATCH, "value_map.write",
     write_query,
     NULL, "Written", 0, "replicator", "seedDeleteValueMap", "Delete", 0},
    {"GET", "/stats", cz__rest_seed_stats, 0, "mapping.read", NULL,
     NULL, "SeedStats", 0, "replicator", "seedStats",
     "A row for each pair of topics; plain enough for Grafana's Infinity data source", 0},
    {"GET", "/topics", cz__rest_seed_topics, 0, "topic.read", source_query,
     NULL, "SeedTopics", 0, "replicator", "seedTopics", "Topics of the source cluster", 0},
    {"GET", "/groups", cz__rest_seed_groups, 0, "group.read", target_query,
     NULL, "SeedGroups", 0, "replicator", "seedGroups", "Consumer groups of the target cluster", 0},
    {"GET", "/consume", cz__rest_seed_consume, 0, "record.read", consume_query,
     NULL, "SeedRecords", 0, "replicator", "seedConsume",
     "Some records of a topic; no consumer group takes part", 0},
    {0},
};
/* clang-format on */
