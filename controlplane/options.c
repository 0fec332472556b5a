/* SPDX-License-Identifier: Apache-2.0 */
/** The table of settings: command line, environment, config file and --help of
 *  citizenk-controlplane.  CitizenK Replicator's variables are further names of rows. */
#include "options.h"

#include <string.h>
#include <strings.h>

#include "cz/identity.h"
#include "cz/log.h"
#include "cz/secret.h"

static const char *const LEVELS[] = {"error", "warn", "info", "debug", NULL};
static const char *const FORMATS[] = {"auto", "json", "logfmt", NULL};

static const char *const ON_OFF[] = {"auto", "on", "off", NULL};
static const char *const MECHANISMS[] = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", NULL};

/* ---- the environment of CitizenK Replicator ------------------------------------------------- */

#define ALIAS(...)                                                                             \
    (const struct cz_cfg_alias[]) { {.variable = __VA_ARGS__}, {0} }

static void
check_prefix(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    const char *s = json_string_value(v);
    size_t n = s ? strlen(s) : 0;
    (void)field;
    if (n > 0 && (s[0] != '/' || s[n - 1] == '/' || strpbrk(s, " ?#%")))
        (void)cz_report_add(rep, pointer, "value",
                            "must be a path that begins with / and does not end with it");
}

static void check_ref(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    struct cz_error err = CZ_ERROR_INIT;
    (void)field;
    if (cz_secret_check_ref(json_string_value(v), &err) != CZ_OK)
        (void)cz_report_add(rep, pointer, "secret", "%s", err.text);
}

static void check_issuer(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    struct cz_error err = CZ_ERROR_INIT;
    (void)field;
    if (cz_identity_check_issuer(json_string_value(v), &err) != CZ_OK)
        (void)cz_report_add(rep, pointer, "value", "%s", err.text);
}

static void
check_public_url(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    const char *s = json_string_value(v);
    const char *host = s ? strstr(s, "://") : NULL;
    (void)field;
    if (!host || strchr(host + 3, '/') ||
        (strncmp(s, "https://", 8) != 0 && strncmp(s, "http://", 7) != 0))
        (void)cz_report_add(rep, pointer, "value",
                            "must be an origin: https://host or https://host:port, without a path");
}

/* As the original: in any case. */
static const char *mechanism_text(const char *given)
{
    for (size_t i = 0; MECHANISMS[i]; i++)
        if (strcasecmp(given, MECHANISMS[i]) == 0)
            return MECHANISMS[i];
    return NULL;
}

/* Workers resolve it as well, so it stays where it is. */
static const char *source_password(const char *given)
{
    (void)given;
    return "${env:KAFKA_SOURCE_SASL_PASSWORD}";
}

static const char *target_password(const char *given)
{
    (void)given;
    return "${env:KAFKA_TARGET_SASL_PASSWORD}";
}

#define END(f, t) .type = (t), .offset = offsetof(struct end_options, f)
#define END_ROWS(UP, password)                                                                 \
    {.name = "server_url",                                                                     \
     END(server_url, CZ_CFG_STRING),                                                           \
     .group = "CitizenK Replicator",                                                           \
     .doc = "Brokers of the cluster, host:port,host:port; it is made, or changed to what stands " \
            "here, at the start.",                                                             \
     .aliases = ALIAS("KAFKA_" UP "_SERVER_URL")},                                             \
    {.name = "use_tls",                                                                        \
     END(use_tls, CZ_CFG_BOOL),                                                                \
     .def = "true",                                                                            \
     .group = "CitizenK Replicator",                                                           \
     .doc = "Connect with TLS.",                                                               \
     .aliases = ALIAS("KAFKA_" UP "_USE_TLS")},                                                \
    {.name = "sasl_mechanism",                                                                 \
     END(sasl_mechanism, CZ_CFG_ENUM),                                                         \
     .values = MECHANISMS,                                                                     \
     .def = "\"PLAIN\"",                                                                       \
     .group = "CitizenK Replicator",                                                           \
     .doc = "How to sign in, when there is a user name.",                                      \
     .aliases = ALIAS("KAFKA_" UP "_SASL_MECHANISM", .text = mechanism_text,                   \
                      .want = "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")},                       \
    {.name = "sasl_username",                                                                  \
     END(sasl_username, CZ_CFG_STRING),                                                        \
     .group = "CitizenK Replicator",                                                           \
     .doc = "User name; none: no sign-in.",                                                    \
     .aliases = ALIAS("KAFKA_" UP "_SASL_USERNAME")},                                          \
    {.name = "sasl_password",                                                                  \
     END(sasl_password, CZ_CFG_STRING),                                                        \
     .parse = check_ref,                                                                       \
     .group = "CitizenK Replicator",                                                           \
     .doc = "Reference to the password. The variable in brackets that begins with KAFKA holds the " \
            "password itself, and the workers need it too.",                                   \
     .aliases = ALIAS("KAFKA_" UP "_SASL_PASSWORD", .text = password)},                        \
    {.name = "extra_config",                                                                   \
     END(extra_config, CZ_CFG_JSON),                                                           \
     .group = "CitizenK Replicator",                                                           \
     .doc = "Further librdkafka properties, from the list that a cluster may carry, and "      \
            "ssl.ca.location and its like.",                                                   \
     .aliases = ALIAS("KAFKA_" UP "_EXTRA_CONFIG_")}

static const struct cz_cfg_key source_table[] = {
    END_ROWS("SOURCE", source_password),
    {.name = "group_name",
     END(group_name, CZ_CFG_STRING),
     .max = 200,
     .group = "CitizenK Replicator",
     .doc = "Consumer groups of mappings made in CitizenK Replicator's form: <this>.<mapping>. "
            "The variable in brackets that begins with KAFKA may be empty: no group. "
            "Absent: the default of each mapping.",
     .aliases = ALIAS("KAFKA_SOURCE_GROUP_NAME", .even_empty = true)},
    {0},
};
static const struct cz_cfg_key target_table[] = {END_ROWS("TARGET", target_password), {0}};

/* ---- all ------------------------------------------------------------------------------------ */

#define OPT(f, t) .type = (t), .offset = offsetof(struct options, f)
const struct cz_cfg_key controlplane_options[] = {
    {.name = "listen",
     OPT(listen, CZ_CFG_STRING),
     .def = "\"127.0.0.1:8080\"",
     .group = "REST",
     .doc = "HOST:PORT of the REST API."},
    {.name = "admin_token_file",
     OPT(admin_token_file, CZ_CFG_STRING),
     .group = "REST",
     .doc = "File with a bearer token that may do everything, at least 16 characters: for small "
            "installations. Without it nobody is known until the first admin is made with the "
            "token that a fresh installation logs."},
    {.name = "local_accounts",
     OPT(local_accounts, CZ_CFG_ENUM),
     .def = "\"auto\"",
     .values = ON_OFF,
     .group = "REST",
     .doc = "Users with a name and a password of this installation. auto: unless an identity "
            "provider is configured."},
    {.name = "public_url",
     OPT(public_url, CZ_CFG_STRING),
     .parse = check_public_url,
     .group = "REST",
     .doc = "How browsers reach this installation, as https://citizenk.example. Needed for an "
            "identity provider; with it, requests of other origins are refused by name."},
    {.name = "oidc_issuer",
     OPT(oidc_issuer, CZ_CFG_STRING),
     .parse = check_issuer,
     .group = "Identity provider",
     .doc = "Issuer of the OpenID Connect provider, exactly as its tokens say it."},
    {.name = "oidc_client_id",
     OPT(oidc_client_id, CZ_CFG_STRING),
     .group = "Identity provider",
     .doc = "This installation's client there; its redirect URI is "
            "<public_url>/api/v1/auth/oidc/callback."},
    {.name = "oidc_client_secret",
     OPT(oidc_client_secret, CZ_CFG_STRING),
     .parse = check_ref,
     .group = "Identity provider",
     .doc = "Reference to its secret, ${file:/path} or ${env:NAME}; none for a public client."},
    {.name = "oidc_scopes",
     OPT(oidc_scopes, CZ_CFG_STRING),
     .def = "\"openid profile\"",
     .group = "Identity provider",
     .doc = "What to ask for; add what brings the groups, if they need it."},
    {.name = "oidc_groups_claim",
     OPT(oidc_groups_claim, CZ_CFG_STRING),
     .def = "\"groups\"",
     .group = "Identity provider",
     .doc = "Claim of the ID token that lists the user's groups; read at every sign-in."},
    {.name = "oidc_name_claim",
     OPT(oidc_name_claim, CZ_CFG_STRING),
     .def = "\"preferred_username\"",
     .group = "Identity provider",
     .doc = "Claim that a user is called by; who it is, is its subject."},
    {.name = "oidc_admin_group",
     OPT(oidc_admin_group, CZ_CFG_STRING),
     .group = "Identity provider",
     .doc = "Members of this group are platform admins."},
    {.name = "oidc_ca_file",
     OPT(oidc_ca_file, CZ_CFG_STRING),
     .group = "Identity provider",
     .doc = "Certificates of a private authority that the provider's is of (PEM)."},
    {.name = "tls_cert",
     OPT(tls_cert, CZ_CFG_STRING),
     .group = "REST",
     .doc = "Certificate chain (PEM); with tls_key the REST API speaks TLS only."},
    {.name = "tls_key",
     OPT(tls_key, CZ_CFG_STRING),
     .group = "REST",
     .doc = "Key of the certificate (PEM)."},
    {.name = "metrics_open",
     OPT(metrics_open, CZ_CFG_BOOL),
     .def = "false",
     .group = "REST",
     .doc = "Serve /metrics without a token."},
    {.name = "connections",
     OPT(connections, CZ_CFG_INT),
     .def = "1000",
     .min = 1,
     .max = 100000,
     .group = "REST",
     .doc = "Connections at once; each has a thread."},
    {.name = "connections_per_ip",
     OPT(connections_per_ip, CZ_CFG_INT),
     .def = "500",
     .min = 1,
     .max = 100000,
     .group = "REST",
     .doc = "Connections at once from one address; raise it behind a proxy."},
    {.name = "requests_per_second",
     OPT(requests_per_second, CZ_CFG_INT),
     .def = "200",
     .min = 0,
     .max = 1000000,
     .group = "REST",
     .doc = "Requests of one user or service, in the long run; ten seconds of them may come at once. "
            "More are answered with 429. 0: no limit."},
    {.name = "requests_per_second_per_ip",
     OPT(requests_per_second_per_ip, CZ_CFG_INT),
     .def = "500",
     .min = 0,
     .max = 1000000,
     .group = "REST",
     .doc = "The same for one address (of IPv6: one /64), known or not; raise it behind a proxy."},
    {.name = "drain_ms",
     OPT(drain_ms, CZ_CFG_INT),
     .def = "0",
     .min = 0,
     .max = 60000,
     .group = "REST",
     .doc = "Milliseconds to go on serving after SIGTERM with /readyz at 503, for load "
            "balancers."},
    {.name = "postgres",
     OPT(postgres, CZ_CFG_STRING),
     .flags = CZ_CFG_REQUIRED | CZ_CFG_SECRET,
     .group = "PostgreSQL",
     .doc = "libpq connection string of the run-time role."},
    {.name = "postgres_admin",
     OPT(postgres_admin, CZ_CFG_STRING),
     .flags = CZ_CFG_SECRET,
     .group = "PostgreSQL",
     .doc = "Connection string of the role that owns the tables, for migrations; the run-time "
            "role then gets only "
            "the rights that it needs. Default: postgres."},
    {.name = "pool_size",
     OPT(pool_size, CZ_CFG_INT),
     .def = "10",
     .min = 2,
     .max = 1000,
     .group = "PostgreSQL",
     .doc = "Connections to PostgreSQL at most."},
    {.name = "migrate_only",
     OPT(migrate_only, CZ_CFG_BOOL),
     .def = "false",
     .group = "PostgreSQL",
     .doc = "Apply the migrations and exit."},
    {.name = "bootstrap_servers",
     OPT(bootstrap, CZ_CFG_STRING),
     .group = "Kafka",
     .doc = "Brokers of the control cluster: host:port,host:port."},
    {.name = "kafka_properties",
     OPT(kafka_properties, CZ_CFG_STRING),
     .group = "Kafka",
     .doc = "File with librdkafka properties (key=value) for the control cluster."},
    {.name = "group_id",
     OPT(group_id, CZ_CFG_STRING),
     .def = "\"citizenk\"",
     .min = 1,
     .max = 200,
     .group = "Kafka",
     .doc = "Id of the deployment: the topics are <group_id>.config and <group_id>.status."},
    {.name = "audit_seal_seconds",
     OPT(audit_seal_seconds, CZ_CFG_INT),
     .def = "60",
     .min = 0,
     .max = 86400,
     .group = "Audit",
     .doc = "How often what was written to history and audit log is sealed; 0: never, and then no month "
            "of events is ever dropped."},
    {.name = "audit_keep_months",
     OPT(audit_keep_months, CZ_CFG_INT),
     .def = "13",
     .min = 1,
     .max = 1200,
     .group = "Audit",
     .doc = "Months that audit events are kept beside the current one; older ones are dropped when they are "
            "sealed. Changes and revisions are kept for ever. Set by the role that owns the tables."},
    {.name = "audit_topic",
     OPT(audit_topic, CZ_CFG_STRING),
     .min = 1,
     .max = 249,
     .group = "Audit",
     .doc = "Topic of the control cluster to which every audit event and seal is written as a CloudEvent, "
            "as _citizenk_audit; made when it is missing. Default: none."},
    {.name = "instance",
     OPT(instance, CZ_CFG_STRING),
     .min = 1,
     .max = 200,
     .group = "General",
     .doc = "Name of this control plane. Default: host name and process id."},
    {.name = "file_data_path",
     OPT(file_data_path, CZ_CFG_STRING),
     .group = "General",
     .doc = "The workers' folder of topic files, to verify mappings from and to files; to read is enough.",
     .aliases = ALIAS("FILE_DATA_PATH")},
    {.name = "log_level",
     OPT(log_level, CZ_CFG_ENUM),
     .def = "\"info\"",
     .values = LEVELS,
     .aliases = cz_log_level_aliases,
     .group = "General",
     .doc = "What to log at least."},
    {.name = "log_format",
     OPT(log_format, CZ_CFG_ENUM),
     .def = "\"auto\"",
     .values = FORMATS,
     .aliases = cz_log_format_aliases,
     .group = "General",
     .doc = "auto: logfmt on a terminal, else json."},
    {.name = "api_prefix",
     OPT(api_prefix, CZ_CFG_STRING),
     .max = 200,
     .parse = check_prefix,
     .group = "CitizenK Replicator",
     .doc = "Every path is served below this one as well, as /replicator.",
     .aliases = ALIAS("API_PREFIX")},
    {.name = "mappings_file",
     OPT(mappings_file, CZ_CFG_STRING),
     .group = "CitizenK Replicator",
     .doc = "Mapping file of the team default. It is applied at the start and whenever it changed; "
            "what it no longer names is deleted. A bad file changes nothing and is logged."},
    {.name = "templates_folder",
     OPT(templates_folder, CZ_CFG_STRING),
     .group = "CitizenK Replicator",
     .doc = "Folder of the templates that mappings_file uses: <name>.json, a list of mappings."},
    {.name = "read_mappings_every_seconds",
     OPT(read_mappings_every_seconds, CZ_CFG_INT),
     .def = "10",
     .min = 1,
     .max = 86400,
     .group = "CitizenK Replicator",
     .doc = "How often to look whether mappings_file has changed.",
     .aliases = ALIAS("READ_MAPPINGS_EVERY_SECONDS")},
    {.name = "stats_every_seconds",
     OPT(stats_every_seconds, CZ_CFG_INT),
     .def = "0",
     .min = 0,
     .max = 86400,
     .group = "CitizenK Replicator",
     .doc = "GET /stats is calculated again after this time at the earliest; 0: each time.",
     .aliases = ALIAS("CACULATE_STATS_EVERY_SECONDS"}, {.variable = "CALCULATE_STATS_EVERY_SECONDS")},
    {.name = "delete_groups_every_seconds",
     OPT(delete_groups_every_seconds, CZ_CFG_INT),
     .def = "2",
     .min = 1,
     .max = 86400,
     .group = "CitizenK Replicator",
     .doc = "How often to look at the groups of target services, and to try to delete one.",
     .aliases = ALIAS("DELETE_GROUPS_EVERY_SECONDS")},
    {.name = "source",
     OPT(source, CZ_CFG_OBJECT),
     .sub = source_table,
     .group = "CitizenK Replicator",
     .doc = "The cluster `source` of the team default."},
    {.name = "target",
     OPT(target, CZ_CFG_OBJECT),
     .sub = target_table,
     .group = "CitizenK Replicator",
     .doc = "The cluster `target` of the team default."},
    {0},
};
