/* SPDX-License-Identifier: Apache-2.0 */
/** The base configuration of every librdkafka handle, and the mapping of its log lines and error
 *  codes to ours.  Secrets are resolved here, at the moment a handle is made, and nowhere kept. */
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "cz/log.h"
#include "cz/secret.h"
#include "kafka_priv.h"

enum { LOG_INTERVAL_MS = 5000 };

/* librdkafka calls a lost connection an error and is silent about none; to us, whose callers learn
 * of failures from their own calls, its lines are worth one level less. */
static void log_cb(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    const char *name = rk ? rd_kafka_name(rk) : "-";
    if (level <= LOG_ERR)
        CZ_LOG_EVERY(LOG_INTERVAL_MS, CZ_LOG_WARN, "kafka", "%s %s: %s", name, facility, text);
    else if (level == LOG_WARNING)
        CZ_LOG_EVERY(LOG_INTERVAL_MS, CZ_LOG_INFO, "kafka", "%s %s: %s", name, facility, text);
    else if (cz_log_level() >= CZ_LOG_DEBUG)
        CZ_LOG_EVERY(200, CZ_LOG_DEBUG, "kafka", "%s %s: %s", name, facility, text);
}

enum cz_err cz__kafka_set(rd_kafka_conf_t *conf,
                          const char *key,
                          const char *value,
                          struct cz_error *err)
{
    char text[256];
    if (rd_kafka_conf_set(conf, key, value, text, sizeof(text)) == RD_KAFKA_CONF_OK)
        return CZ_OK;
    /* librdkafka's text may quote the value, which may be a secret: only the name is told. */
    return cz_fail(err, CZ_E_INVALID, "Kafka property %s: librdkafka refuses its value", key);
}

enum cz_err cz__kafka_set_all(rd_kafka_conf_t *conf,
                              const char *const *pairs,
                              struct cz_error *err)
{
    for (; pairs[0]; pairs += 2) {
        enum cz_err code = cz__kafka_set(conf, pairs[0], pairs[1], err);
        if (code)
            return code;
    }
    return CZ_OK;
}

/* Set @key to @value, which may be a secret reference; NULL: left alone. */
static enum cz_err set_secret(rd_kafka_conf_t *conf,
                              const char *key,
                              const char *value,
                              struct cz_error *err)
{
    if (!value || !cz_secret_is_ref(value))
        return value ? cz__kafka_set(conf, key, value, err) : CZ_OK;
    CZ_CLEANUP(cz_secret_done) struct cz_secret secret = {0};
    enum cz_err code = cz_secret_resolve(value, &secret, err);
    if (code) {
        cz_fail_prefix(err, "Kafka property %s", key);
        return code;
    }
    return cz__kafka_set(conf, key, secret.value, err);
}

static enum cz_err set_sasl(rd_kafka_conf_t *conf,
                            const struct cz__cluster_spec *s,
                            struct cz_error *err)
{
    enum cz_err code =
        cz__kafka_set(conf, "sasl.mechanisms", cz__sasl_mechanisms[s->sasl_mechanism], err);
    if (!code)
        code = set_secret(conf, "sasl.username", s->sasl_username, err);
    if (!code)
        code = set_secret(conf, "sasl.password", s->sasl_password, err);
    return code;
}

static enum cz_err set_ssl(rd_kafka_conf_t *conf,
                           const struct cz__cluster_spec *s,
                           struct cz_error *err)
{
    enum cz_err code = set_secret(conf, "ssl.ca.pem", s->ssl_ca, err);
    if (!code)
        code = set_secret(conf, "ssl.certificate.pem", s->ssl_certificate, err);
    if (!code)
        code = set_secret(conf, "ssl.key.pem", s->ssl_key, err);
    if (!code)
        code = set_secret(conf, "ssl.key.password", s->ssl_key_password, err);
    if (!code)
        code = cz__kafka_set(conf,
                             "ssl.endpoint.identification.algorithm",
                             s->ssl_verify_hostname ? "https" : "none",
                             err);
    return code;
}

static enum cz_err set_properties(rd_kafka_conf_t *conf, json_t *properties, struct cz_error *err)
{
    const char *key;
    json_t *value;
    json_object_foreach(properties, key, value) {
        char number[32];
        const char *text = json_string_value(value);
        if (json_is_integer(value)) {
            snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
            text = number;
        } else if (json_is_boolean(value)) {
            text = json_is_true(value) ? "true" : "false";
        }
        enum cz_err code = set_secret(conf, key, text ? text : "", err);
        if (code)
            return code;
    }
    return CZ_OK;
}

rd_kafka_conf_t *cz__kafka_conf(const struct cz_cluster *c, const char *client_id, struct cz_error *err)
{
    static const char *const base[] = {
        "socket.nagle.disable", "true",
        "socket.keepalive.enable", "true",
        /* One document serves consumers and producers; the other kind's property is no news. */
        "allow.auto.create.topics", "false",
        "reconnect.backoff.ms", "50",
        "reconnect.backoff.max.ms", "2000",
        NULL};
    const struct cz__cluster_spec *s = &c->spec;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, log_cb);
    enum cz_err code = cz__kafka_set_all(conf, base, err);
    if (!code)
        code = cz__kafka_set(conf, "security.protocol", cz__security_names[s->security], err);
    if (!code && s->security >= CZ__SASL_PLAINTEXT)
        code = set_sasl(conf, s, err);
    if (!code && (s->security == CZ__SSL || s->security == CZ__SASL_SSL))
        code = set_ssl(conf, s, err);
    /* An operator's own file may carry what the document's fields cannot say, so it comes last. */
    if (!code)
        code = set_properties(conf, s->properties, err);
    if (!code)
        code = cz__kafka_set(conf, "bootstrap.servers", s->bootstrap, err);
    if (!code && client_id)
        code = cz__kafka_set(conf, "client.id", client_id, err);
    if (code) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    return conf;
}

bool cz__cluster_has_property(const struct cz_cluster *c, const char *key)
{
    return json_object_get(c->spec.properties, key) != NULL;
}

enum cz_err cz__kafka_handle(rd_kafka_type_t type,
                             rd_kafka_conf_t *conf,
                             rd_kafka_t **ret,
                             struct cz_error *err)
{
    char text[256] = "";
    rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof(text));
    if (!rk) {
        rd_kafka_conf_destroy(conf);
        /* Bad certificates and settings that contradict each other end here. */
        return cz_fail_flags(err, CZ_E_INVALID, 0, rd_kafka_last_error(), "Kafka client: %s", text);
    }
    *ret = rk;
    return CZ_OK;
}

enum cz_err cz__kafka_code(rd_kafka_resp_err_t e, uint32_t *ret_flags)
{
    uint32_t flags = 0;
    enum cz_err code = CZ_E_KAFKA;
    /* Hundreds of codes, of which a few classes matter; the rest are "Kafka says no". */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wswitch-enum"
    switch (e) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        code = CZ_OK;
        break;
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
        code = CZ_E_TIMEOUT;
        flags = CZ_ERR_RETRIABLE;
        break;
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
    case RD_KAFKA_RESP_ERR__NOENT: /* ListOffsets: no leader is known, see admin_offsets.c */
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR__DESTROY_BROKER:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
    case RD_KAFKA_RESP_ERR_NOT_CONTROLLER:
    case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
    case RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS:
    case RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT:
        code = CZ_E_UNAVAILABLE;
        flags = CZ_ERR_RETRIABLE;
        break;
    case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP:
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID: /* the group has members: not ours to change now */
        code = CZ_E_CONFLICT;
        flags = CZ_ERR_RETRIABLE;
        break;
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID:
    case RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND:
        code = CZ_E_NOT_FOUND;
        flags = CZ_ERR_RETRIABLE; /* it may be made (again) */
        break;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
        code = CZ_E_FORBIDDEN;
        break;
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
        code = CZ_E_FENCED;
        flags = CZ_ERR_FATAL;
        break;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
        code = CZ_E_TOO_LARGE;
        break;
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
        code = CZ_E_LIMIT;
        flags = CZ_ERR_RETRIABLE;
        break;
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
    case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
        code = CZ_E_INVALID;
        break;
    case RD_KAFKA_RESP_ERR__FATAL:
        flags = CZ_ERR_FATAL;
        break;
    default:
        break;
    }
#pragma GCC diagnostic pop
    if (ret_flags)
        *ret_flags = flags;
    return code;
}

enum cz_err cz__kafka_fail(struct cz_error *err, rd_kafka_resp_err_t e, const char *fmt, ...)
{
    char what[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    uint32_t flags;
    enum cz_err code = cz__kafka_code(e, &flags);
    return cz_fail_flags(err, code, flags, e, "%s: %s", what, rd_kafka_err2str(e));
}

enum cz_err cz__kafka_fail_take(struct cz_error *err, rd_kafka_error_t *e, const char *fmt, ...)
{
    char what[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    rd_kafka_resp_err_t kafka = rd_kafka_error_code(e);
    uint32_t flags;
    enum cz_err code = cz__kafka_code(kafka, &flags);
    if (rd_kafka_error_is_fatal(e))
        flags = CZ_ERR_FATAL;
    else if (rd_kafka_error_txn_requires_abort(e))
        flags = CZ_ERR_ABORT_TXN;
    else if (rd_kafka_error_is_retriable(e))
        flags |= CZ_ERR_RETRIABLE;
    code = cz_fail_flags(err, code, flags, kafka, "%s: %s", what, rd_kafka_error_string(e));
    rd_kafka_error_destroy(e);
    return code;
}

const char *cz_kafka_library_version(void)
{
    return rd_kafka_version_str();
}
