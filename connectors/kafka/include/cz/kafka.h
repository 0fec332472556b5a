/* SPDX-License-Identifier: Apache-2.0 */
/** Kafka clients without librdkafka's header.  Here: the description of a cluster, and the admin
 *  side (metadata, topics, offsets, groups).  The data path is in cz/consumer.h and cz/producer.h.
 *
 *  A cluster document (resource kind `cluster`, and config record `cluster/<team>/<name>`):
 *    {"bootstrap_servers":"h:9092,h:9093", "security_protocol":"plaintext|ssl|sasl_plaintext|sasl_ssl",
 *     "sasl_mechanism":"PLAIN|SCRAM-SHA-256|SCRAM-SHA-512", "sasl_username":"…" ,
 *     "sasl_password":"${env:NAME}", "ssl_ca":"${file:/path}" , "ssl_certificate":…, "ssl_key":"${…}",
 *     "ssl_key_password":"${…}", "ssl_verify_hostname":true, "properties":{"<allowlisted>":"value"},
 *     "schema_registry":{"url":"http://h:8081","username":"…","password":"${env:NAME}","ssl_ca":…}}
 *  Secrets are references only (cz/secret.h), resolved when a client is made. */
#ifndef CZ_KAFKA_H
#define CZ_KAFKA_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cz/cfg.h"
#include "cz/error.h"
#include "cz/registry_conf.h"
#include "cz/report.h"
#include "cz/time.h"

/* ---- cluster description ------------------------------------------------------------------ */

struct cz_cluster; /* immutable, reference counted, shareable between threads */

extern const struct cz_cfg_key cz_cluster_table[]; /* the config table of a cluster document */

/** Parse and check a cluster spec; problems (with pointers below @pointer) go to @rep.
 *  @param ret  on CZ_OK: owned by the caller, cz_cluster_unref() */
CZ_MUST_USE enum cz_err cz_cluster_parse(const json_t *spec, const char *pointer,
                                         struct cz_cluster **ret, struct cz_report *rep);
/** A plain cluster from a bootstrap list and optional properties file of librdkafka-style
 *  `key=value` lines (the operator's own, not a tenant's): for the control cluster. */
CZ_MUST_USE enum cz_err cz_cluster_from_bootstrap(const char *bootstrap, const char *properties_file,
                                                  struct cz_cluster **ret, struct cz_error *err);
struct cz_cluster *cz_cluster_ref(struct cz_cluster *c);
void cz_cluster_unref(struct cz_cluster *c);
const char *cz_cluster_bootstrap(const struct cz_cluster *c);
/** The cluster's schema registry; NULL: it names none. Borrowed from the cluster. */
const struct cz_registry_conf *cz_cluster_registry(const struct cz_cluster *c);
/** Equal hashes: same connection settings (secret references compared, not values). */
uint64_t cz_cluster_hash(const struct cz_cluster *c);

/* ---- admin client --------------------------------------------------------------------------- */

struct cz_admin; /* one librdkafka handle; every function is thread safe and bounded by a deadline */
CZ_MUST_USE enum cz_err cz_admin_new(struct cz_cluster *c, const char *client_id,
                                     struct cz_admin **ret, struct cz_error *err);
void cz_admin_free(struct cz_admin *a);

/** Kafka's own id of the cluster. cz_free(*ret). */
CZ_MUST_USE enum cz_err cz_admin_cluster_id(struct cz_admin *a, cz_time deadline, char **ret,
                                            struct cz_error *err);

struct cz_tp { /* topic partition with an offset; topic borrowed or owned as the function says */
    const char *topic;
    int32_t partition;
    int64_t offset;       /* in or out; -1 = none */
    const char *metadata; /* of a committed offset; NULL = none */
    int32_t leader_epoch; /* -1 = unknown */
    enum cz_err code;     /* per-partition result */
};
struct cz_tp_list {
    struct cz_tp *items; /* strings owned by the list */
    size_t len, cap;
};
void cz_tp_list_done(struct cz_tp_list *l);
struct cz_tp *cz_tp_list_add(struct cz_tp_list *l, const char *topic, int32_t partition, int64_t offset);

struct cz_topic_info {
    char *name;
    int32_t partitions;  /* 0 when it does not exist */
    enum cz_err code;    /* CZ_OK, CZ_E_NOT_FOUND, CZ_E_FORBIDDEN, CZ_E_KAFKA */
    char topic_id[24];   /* base64 topic id; "" when the broker or library does not tell */
};
/** Metadata of @n topics, a name may come twice (never creates them). CZ_E_UNAVAILABLE: the cluster cannot be reached. */
CZ_MUST_USE enum cz_err cz_admin_topics(struct cz_admin *a, const char *const *names, size_t n,
                                        cz_time deadline, struct cz_topic_info **ret, struct cz_error *err);
void cz_topic_infos_free(struct cz_topic_info *t, size_t n);
/** All topics of the cluster (internal ones too). */
CZ_MUST_USE enum cz_err cz_admin_all_topics(struct cz_admin *a, cz_time deadline,
                                            struct cz_topic_info **ret, size_t *ret_n,
                                            int *ret_brokers, struct cz_error *err);
/** Create a topic with configs {"key","value",…,NULL}; an existing one is CZ_OK. */
CZ_MUST_USE enum cz_err cz_admin_create_topic(struct cz_admin *a, const char *name, int partitions,
                                              int replication, const char *const *configs,
                                              cz_time deadline, struct cz_error *err);
/** A topic of our own, made when it is missing, with up to three copies, and visible. *ret: as it is
 *  now, cz_topic_infos_free(*ret, 1). */
CZ_MUST_USE enum cz_err cz_admin_ensure_topic(struct cz_admin *a, const char *name, int partitions,
                                              const char *const *configs, cz_time deadline,
                                              struct cz_topic_info **ret, bool *ret_created,
                                              struct cz_error *err);
CZ_MUST_USE enum cz_err cz_admin_delete_topic(struct cz_admin *a, const char *name, cz_time deadline,
                                              struct cz_error *err);

/** The config values of a topic for @keys, in one request. ret[i] NULL when it has no such key; cz_free each. */
CZ_MUST_USE enum cz_err cz_admin_topic_values(struct cz_admin *a, const char *topic, const char *const *keys,
                                              size_t n, char **ret, cz_time deadline, struct cz_error *err);
/** One config value of a topic. *ret NULL when it has no such key; cz_free(*ret). */
CZ_MUST_USE enum cz_err cz_admin_topic_config(struct cz_admin *a, const char *topic, const char *key,
                                              char **ret, cz_time deadline, struct cz_error *err);

/** Those of @names (NULL-terminated) that are set on the topic itself, as {"key","value",…,NULL};
 *  cz_admin_configs_free(*ret). */
CZ_MUST_USE enum cz_err cz_admin_topic_own_configs(struct cz_admin *a, const char *topic,
                                                   const char *const *names, char ***ret,
                                                   cz_time deadline, struct cz_error *err);
void cz_admin_configs_free(char **configs);
struct cz_config_change {
    const char *key, *value; /* NULL value: back to the cluster's default */
};
/** Change these of a topic and leave the others (IncrementalAlterConfigs). */
CZ_MUST_USE enum cz_err cz_admin_set_topic_configs(struct cz_admin *a, const char *topic,
                                                   const struct cz_config_change *changes, size_t n,
                                                   cz_time deadline, struct cz_error *err);
/** Grow a topic to @partitions; CZ_E_INVALID when it has as many or more. */
CZ_MUST_USE enum cz_err cz_admin_grow_topic(struct cz_admin *a, const char *topic, int32_t partitions,
                                            cz_time deadline, struct cz_error *err);

/** Give the target's topic the access rules that hold for the source's (its own, of prefixes and of *), as
 *  rules of its own: allowed ALL becomes READ, what is about WRITE stays behind.  Nothing is taken away.
 *  An error names the side: without an authorizer there, or not allowed to see or set them. */
CZ_MUST_USE enum cz_err cz_admin_copy_acls(struct cz_admin *from, const char *source, struct cz_admin *to,
                                           const char *target, cz_time deadline, size_t *ret_added,
                                           struct cz_error *err);

#define CZ_OFFSET_LATEST (-1)   /* as in ListOffsets: the high watermark */
#define CZ_OFFSET_EARLIEST (-2)
/** ListOffsets: items[i].offset in: CZ_OFFSET_LATEST, CZ_OFFSET_EARLIEST or a timestamp in ms;
 *  out: the offset (timestamp after the end: the latest), with items[i].code per partition.
 *  CZ_OK means asked and answered: look at the codes. Each partition at most once in @l.
 *  @read_committed: latest = last stable offset. */
CZ_MUST_USE enum cz_err cz_admin_list_offsets(struct cz_admin *a, struct cz_tp_list *l,
                                              bool read_committed, cz_time deadline, struct cz_error *err);
/** Committed offsets of a group, stable ones (pending transactions waited for). items[i].offset
 *  = -1 when the group never committed there; a read that failed is an error and never -1. */
CZ_MUST_USE enum cz_err cz_admin_group_offsets(struct cz_admin *a, const char *group,
                                               struct cz_tp_list *l, cz_time deadline, struct cz_error *err);
/** AlterConsumerGroupOffsets: commit for a group that has no members (else CZ_E_CONFLICT).
 *  items[i].code per partition; the first of them that is not CZ_OK is returned. */
CZ_MUST_USE enum cz_err cz_admin_commit(struct cz_admin *a, const char *group, struct cz_tp_list *l,
                                        cz_time deadline, struct cz_error *err);
/** The same without waiting: @done runs on the admin's own thread, once, also at free. */
void cz_admin_commit_async(struct cz_admin *a, const char *group, const struct cz_tp_list *l,
                           int timeout_ms, void (*done)(void *arg, const struct cz_error *err),
                           void *arg);
/** CZ_E_CONFLICT|RETRIABLE: it has members. A group that is not there is CZ_OK. */
CZ_MUST_USE enum cz_err cz_admin_delete_group(struct cz_admin *a, const char *group, cz_time deadline,
                                              struct cz_error *err);

enum cz_group_state {
    CZ_GROUP_UNKNOWN, /* the broker does not tell */
    CZ_GROUP_ABSENT,
    CZ_GROUP_EMPTY, /* offsets, and nobody who reads */
    CZ_GROUP_MEMBERS,
};
struct cz_group {
    char *name;
    enum cz_group_state state;
};
/** All consumer groups of the cluster that we may see. cz_groups_free(*ret, *ret_n). */
CZ_MUST_USE enum cz_err cz_admin_groups(struct cz_admin *a, cz_time deadline, struct cz_group **ret,
                                        size_t *ret_n, struct cz_error *err);
void cz_groups_free(struct cz_group *g, size_t n);

/** librdkafka's version, for logs and /api/v1/version. */
const char *cz_kafka_library_version(void);

#endif
