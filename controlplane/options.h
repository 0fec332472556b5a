/* SPDX-License-Identifier: Apache-2.0 */
/** The settings of citizenk-controlplane: one table, see options.c. */
#ifndef CZ_CONTROLPLANE_OPTIONS_H
#define CZ_CONTROLPLANE_OPTIONS_H

#include "cz/cfg.h"

/** A cluster from the environment, as CitizenK Replicator is configured. */
struct end_options {
    char *server_url; /* NULL: no such cluster here */
    bool use_tls;
    int sasl_mechanism;
    char *sasl_username, *sasl_password; /* the password is a secret reference */
    char *group_name;                    /* source only; NULL: each mapping's default, "": none */
    json_t *extra_config;                /* librdkafka properties; NULL: none */
};
struct options {
    char *listen, *postgres, *postgres_admin, *bootstrap, *kafka_properties, *group_id;
    char *public_url, *oidc_issuer, *oidc_client_id, *oidc_client_secret, *oidc_scopes;
    char *oidc_groups_claim, *oidc_name_claim, *oidc_admin_group, *oidc_ca_file;
    int local_accounts; /* 0 auto, 1 on, 2 off */
    char *admin_token_file, *instance, *tls_cert, *tls_key, *file_data_path;
    bool migrate_only, metrics_open;
    int64_t pool_size, connections, connections_per_ip, drain_ms;
    int64_t requests_per_second, requests_per_second_per_ip;
    int log_level, log_format;
    char *api_prefix, *mappings_file, *templates_folder;
    int64_t read_mappings_every_seconds, stats_every_seconds, delete_groups_every_seconds;
    int64_t audit_seal_seconds, audit_keep_months;
    char *audit_topic;
    struct end_options source, target;
};

extern const struct cz_cfg_key controlplane_options[];

#endif
