/* SPDX-License-Identifier: Apache-2.0 */
/** Shared by the files of connectors/kafka only: the cluster's insides, the base configuration of
 *  every librdkafka handle, and the one place that turns librdkafka's verdicts into ours. */
#ifndef CZ_KAFKA_PRIV_H
#define CZ_KAFKA_PRIV_H

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "cz/alloc.h"
#include "cz/error.h"
#include "cz/kafka.h"

enum cz__security { CZ__PLAINTEXT, CZ__SSL, CZ__SASL_PLAINTEXT, CZ__SASL_SSL };

/* The target of cz_cluster_table. */
struct cz__cluster_spec {
    char *bootstrap;
    int security;       /* enum cz__security */
    int sasl_mechanism; /* index into cz__sasl_mechanisms */
    char *sasl_username, *sasl_password; /* the password is a reference, the name may be one */
    char *ssl_ca, *ssl_certificate;      /* PEM text or a reference to it */
    char *ssl_key, *ssl_key_password;    /* references */
    bool ssl_verify_hostname;
    struct cz_registry_conf registry;    /* url NULL: none */
    json_t *properties; /* object of strings, numbers, booleans; NULL = none */
};
struct cz_cluster {
    atomic_int refs;
    uint64_t hash;
    struct cz__cluster_spec spec;
};
extern const char *const cz__security_names[];
extern const char *const cz__sasl_mechanisms[];

/** Base configuration for a handle: addresses, security with the secrets resolved now, the
 *  cluster's properties, logging into cz_log, no Nagle.  The callbacks use no opaque, the caller
 *  may set its own.
 *  @return owned by the caller (rd_kafka_new takes it on success), NULL with @err filled */
rd_kafka_conf_t *cz__kafka_conf(const struct cz_cluster *c, const char *client_id, struct cz_error *err);
/** Set one property; a refusal is our own bug or the operator's value: CZ_E_INVALID. */
CZ_MUST_USE enum cz_err cz__kafka_set(rd_kafka_conf_t *conf,
                                      const char *key,
                                      const char *value,
                                      struct cz_error *err);
/** Set pairs {"key","value",…,NULL}. */
CZ_MUST_USE enum cz_err cz__kafka_set_all(rd_kafka_conf_t *conf,
                                          const char *const *pairs,
                                          struct cz_error *err);
/** True when the cluster's `properties` give @key (the base configuration has it already). */
bool cz__cluster_has_property(const struct cz_cluster *c, const char *key);
/** Make a handle and start it. @conf is taken, also on failure. */
CZ_MUST_USE enum cz_err cz__kafka_handle(rd_kafka_type_t type,
                                         rd_kafka_conf_t *conf,
                                         rd_kafka_t **ret,
                                         struct cz_error *err);

/** Our code and flags for a librdkafka code; RD_KAFKA_RESP_ERR_NO_ERROR is CZ_OK. */
enum cz_err cz__kafka_code(rd_kafka_resp_err_t e, uint32_t *ret_flags);
/** Fill @err: "<fmt>: <librdkafka's text>", detail = @e. */
enum cz_err cz__kafka_fail(struct cz_error *err, rd_kafka_resp_err_t e, const char *fmt, ...)
    CZ_PRINTF(3, 4);
/** The same from an error object, which is destroyed; its own flags (fatal, abort, retriable) win. */
enum cz_err cz__kafka_fail_take(struct cz_error *err, rd_kafka_error_t *e, const char *fmt, ...)
    CZ_PRINTF(3, 4);

/** One of ours (cz_message_make), not librdkafka's? */
bool cz__message_own(const void *msg);
/** Its headers as librdkafka's, to be destroyed; NULL: none. */
rd_kafka_headers_t *cz__message_own_headers(const void *msg);

struct cz_producer;
rd_kafka_t *cz__producer_handle(struct cz_producer *p);

enum cz__txn_step { CZ__TXN_INIT, CZ__TXN_COMMIT, CZ__TXN_ABORT };
/** Call until it is done or fails for good; in the flags one of FATAL and ABORT_TXN.  What is not
 *  over by @deadline is fatal: its outcome is not known. */
CZ_MUST_USE enum cz_err
cz__txn_call(rd_kafka_t *rk, enum cz__txn_step step, cz_time deadline, struct cz_error *err);
CZ_MUST_USE enum cz_err cz__txn_begin(rd_kafka_t *rk, struct cz_error *err);

#endif
