/* SPDX-License-Identifier: Apache-2.0 */
/** What a cluster document says: its config table, the checks that go over several fields, and the
 *  short list of librdkafka properties that a document may carry.  librdkafka has properties that
 *  load code, read files or fetch addresses; so everything that is not on the list is refused. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cz/limits.h"
#include "cz/map.h"
#include "cz/json.h"
#include "cz/secret.h"
#include "cz/util.h"
#include "kafka_priv.h"

enum { MAX_PEM = 65536, MAX_PROPERTIES_FILE = 256 * 1024 };

const char *const cz__security_names[] = {"plaintext", "ssl", "sasl_plaintext", "sasl_ssl", NULL};
const char *const cz__sasl_mechanisms[] = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", NULL};

/* Harmless tuning: sizes, times and preferences of one client. */
static const char *const allowed[] = {
    "batch.num.messages",
    "batch.size",
    "broker.address.family",
    "broker.address.ttl",
    "client.rack",
    "compression.level",
    "compression.type",
    "connections.max.idle.ms",
    "fetch.error.backoff.ms",
    "fetch.max.bytes",
    "fetch.message.max.bytes",
    "fetch.min.bytes",
    "fetch.wait.max.ms",
    "linger.ms",
    "message.max.bytes",
    "metadata.max.age.ms",
    "queued.max.messages.kbytes",
    "queued.min.messages",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "retry.backoff.max.ms",
    "retry.backoff.ms",
    "socket.connection.setup.timeout.ms",
    "socket.receive.buffer.bytes",
    "socket.send.buffer.bytes",
    "socket.timeout.ms",
    "topic.metadata.refresh.interval.ms",
};

/* Why a property outside of the list is refused; the first prefix or suffix that fits tells. */
static const struct {
    const char *prefix, *suffix, *why;
} reasons[] = {
    {"bootstrap.servers", NULL, "use the field bootstrap_servers"},
    {"metadata.broker.list", NULL, "use the field bootstrap_servers"},
    {"security.protocol", NULL, "use the field security_protocol"},
    {"sasl.mechanism", NULL, "use the field sasl_mechanism"},
    {"sasl.username", NULL, "use the field sasl_username"},
    {"sasl.password", NULL, "use the field sasl_password with a secret reference"},
    {"ssl.endpoint.identification.algorithm", NULL, "use the field ssl_verify_hostname"},
    {"enable.ssl.certificate.verification", NULL, "a broker's certificate is always checked"},
    {NULL, ".location", "it names a file of the process; use ssl_ca, ssl_certificate and ssl_key"},
    {NULL, ".file", "it names a file of the process"},
    {NULL, ".path", "it names a file of the process"},
    {NULL, ".paths", "it loads code into the process"},
    {NULL, ".cmd", "it runs a command"},
    {NULL, ".url", "it makes the process call an address"},
    {"interceptors", NULL, "it loads code into the process"},
    {"ssl.engine.", NULL, "it loads code into the process"},
    {"ssl.providers", NULL, "it loads code into the process"},
    {"sasl.", NULL, "only PLAIN and SCRAM are available, by the sasl_ fields"},
    {"ssl.", NULL, "use the ssl_ fields"},
    {"debug", NULL, "it would write a tenant's data into the log"},
    {"log", NULL, "logging belongs to the operator"},
    {"group.", NULL, "CitizenK assigns partitions itself"},
    {"enable.", NULL, "CitizenK decides it, delivery depends on it"},
    {"transaction", NULL, "CitizenK decides it, delivery depends on it"},
    {"acks", NULL, "CitizenK always waits for all in-sync replicas"},
    {"request.required.acks", NULL, "CitizenK always waits for all in-sync replicas"},
    {"isolation.level", NULL, "use the field isolation of the mapping"},
    {"auto.offset.reset", NULL, "use the field start of the mapping"},
};

static bool is_allowed(const char *key)
{
    for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed); i++)
        if (strcmp(allowed[i], key) == 0)
            return true;
    return false;
}

static const char *why_not(const char *key)
{
    size_t n = strlen(key);
    for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++) {
        const char *p = reasons[i].prefix, *s = reasons[i].suffix;
        if (p && strncmp(key, p, strlen(p)) == 0)
            return reasons[i].why;
        if (s && n > strlen(s) && strcmp(key + n - strlen(s), s) == 0)
            return reasons[i].why;
    }
    return "it is not on the list of properties that a cluster may set";
}

static void check_value(rd_kafka_conf_t *conf,
                        const char *key,
                        const json_t *value,
                        const char *pointer,
                        struct cz_report *rep)
{
    char number[32], text[256];
    const char *s = json_string_value(value);
    if (json_is_integer(value)) {
        snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
        s = number;
    } else if (json_is_boolean(value)) {
        s = json_is_true(value) ? "true" : "false";
    }
    if (!s)
        cz_report_add(rep, pointer, "type", "must be a string, an integer, true or false");
    else if (cz_secret_is_ref(s))
        cz_report_add(rep, pointer, "secret", "a property is not a secret: write its value");
    else if (rd_kafka_conf_set(conf, key, s, text, sizeof(text)) != RD_KAFKA_CONF_OK)
        cz_report_add(rep, pointer, "value", "%s", text);
}

/* librdkafka would find these out only when a client is made. */
static void check_order(rd_kafka_conf_t *conf,
                        const char *low,
                        const char *high,
                        const char *pointer,
                        struct cz_report *rep)
{
    char a[32], b[32];
    size_t an = sizeof(a), bn = sizeof(b);
    int64_t av, bv;
    if (rd_kafka_conf_get(conf, low, a, &an) == RD_KAFKA_CONF_OK &&
        rd_kafka_conf_get(conf, high, b, &bn) == RD_KAFKA_CONF_OK && cz_parse_i64(a, &av) &&
        cz_parse_i64(b, &bv) && av > bv)
        cz_report_add(rep, pointer, "value", "%s (%s) must not be over %s (%s)", low, a, high, b);
}

static void check_properties(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    (void)field;
    if (!json_is_object(v)) {
        cz_report_add(rep, pointer, "type", "must be an object");
        return;
    }
    size_t before = rep->len;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    (void)rd_kafka_conf_set(conf, "reconnect.backoff.max.ms", "2000", NULL, 0);
    const char *key;
    json_t *value;
    json_object_foreach(CZ_UNCONST(v), key, value) {
        char at[CZ_POINTER_SIZE];
        snprintf(at, sizeof(at), "%s", pointer);
        cz_pointer_push(at, key);
        if (is_allowed(key))
            check_value(conf, key, value, at, rep);
        else
            cz_report_add(rep, at, "forbidden-property", "%.100s is refused: %s", key, why_not(key));
    }
    if (rep->len == before) {
        check_order(conf, "reconnect.backoff.ms", "reconnect.backoff.max.ms", pointer, rep);
        check_order(conf, "retry.backoff.ms", "retry.backoff.max.ms", pointer, rep);
    }
    rd_kafka_conf_destroy(conf);
}

/* One "host", "host:port", "1.2.3.4:port" or "[v6]:port". */
static bool address_ok(const char *s, size_t n)
{
    const char *end = s + n, *host_end = end, *port = NULL;
    if (n > 0 && s[0] == '[') {
        host_end = memchr(s, ']', n);
        if (!host_end || strspn(s + 1, "0123456789abcdefABCDEF:.") != (size_t)(host_end - s - 1))
            return false;
        port = ++host_end;
    } else {
        const char *colon = memchr(s, ':', n);
        host_end = port = colon ? colon : end;
        if (host_end == s)
            return false;
        for (const char *p = s; p < host_end; p++)
            if (!isalnum((unsigned char)*p) && !strchr(".-_", *p))
                return false;
    }
    if (port == end)
        return true;
    char digits[6] = "";
    size_t len = (size_t)(end - port - 1);
    int64_t number;
    if (*port != ':' || len == 0 || len >= sizeof(digits))
        return false;
    memcpy(digits, port + 1, len);
    return cz_parse_i64(digits, &number) && number > 0 && number < 65536;
}

static bool bootstrap_ok(const char *s)
{
    for (;;) {
        s += strspn(s, " ");
        size_t n = strcspn(s, ",");
        size_t trimmed = n;
        while (trimmed > 0 && s[trimmed - 1] == ' ')
            trimmed--;
        if (!address_ok(s, trimmed))
            return false;
        if (!s[n])
            return true;
        s += n + 1;
    }
}

static void check_bootstrap(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    (void)field;
    const char *s = json_string_value(v);
    if (s && !bootstrap_ok(s))
        cz_report_add(rep, pointer, "address", "must be a list \"host:port,host:port\"");
}

/* Public text (a certificate) or a reference to it. */
static void check_ref_or_text(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    (void)field;
    const char *s = json_string_value(v);
    struct cz_error err = CZ_ERROR_INIT;
    if (s && strncmp(s, "${", 2) == 0 && cz_secret_check_ref(s, &err))
        cz_report_add(rep, pointer, "secret", "%s", err.text);
}

static void check_url(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    (void)field;
    const char *s = json_string_value(v);
    if (!s)
        return;
    const char *host = strncasecmp(s, "http://", 7) == 0    ? s + 7
                       : strncasecmp(s, "https://", 8) == 0 ? s + 8
                                                            : NULL;
    size_t n = host ? strcspn(host, "/") : 0;
    if (n == 0 || memchr(host, '@', n) || strpbrk(s, " \t\r\n?#"))
        cz_report_add(rep, pointer, "address", "must be an address \"http://host:port/path\" without user "
                                               "and password");
}

#define REGISTRY(f) offsetof(struct cz_registry_conf, f)
static const struct cz_cfg_key registry_table[] = {
    {.name = "url", .type = CZ_CFG_STRING, .flags = CZ_CFG_REQUIRED, .offset = REGISTRY(url), .min = 1,
     .max = 2048, .parse = check_url,
     .doc = "Address of its API, in Confluent's form: \"http://host:8081\", \"https://host/apis/ccompat/v7\"."},
    {.name = "username", .type = CZ_CFG_STRING, .offset = REGISTRY(username), .min = 1, .max = 1024,
     .parse = check_ref_or_text, .doc = "User name for basic authentication; text or a secret reference."},
    {.name = "password", .type = CZ_CFG_STRING, .flags = CZ_CFG_SECRET, .offset = REGISTRY(password),
     .min = 1, .max = 1024, .doc = "Its password, as a reference: ${env:NAME} or ${file:/path:key}."},
    {.name = "ssl_ca", .type = CZ_CFG_STRING, .offset = REGISTRY(ssl_ca), .min = 1, .max = MAX_PEM,
     .parse = check_ref_or_text,
     .doc = "CA certificates that sign its one (PEM); text or a reference. Default: the system's."},
    {.name = "ssl_certificate", .type = CZ_CFG_STRING, .offset = REGISTRY(ssl_certificate), .min = 1,
     .max = MAX_PEM, .parse = check_ref_or_text, .doc = "Client certificate (PEM); text or a reference."},
    {.name = "ssl_key", .type = CZ_CFG_STRING, .flags = CZ_CFG_SECRET, .offset = REGISTRY(ssl_key),
     .min = 1, .max = 4096, .doc = "Key of the client certificate (PEM), as a reference."},
    {.name = "ssl_key_password", .type = CZ_CFG_STRING, .flags = CZ_CFG_SECRET,
     .offset = REGISTRY(ssl_key_password), .min = 1, .max = 4096,
     .doc = "Password of the key, as a reference."},
    {.name = "ssl_verify_hostname", .type = CZ_CFG_BOOL, .offset = REGISTRY(ssl_verify_hostname),
     .def = "true", .doc = "Whether its certificate must carry the name of the URL."},
    {0},
};

#define FIELD(f) offsetof(struct cz__cluster_spec, f)
const struct cz_cfg_key cz_cluster_table[] = {
    {.name = "bootstrap_servers", .type = CZ_CFG_STRING, .flags = CZ_CFG_REQUIRED,
     .offset = FIELD(bootstrap), .min = 1, .max = 4096, .parse = check_bootstrap,
     .group = "Connection", .doc = "Addresses to begin with: \"host:port,host:port\"."},
    {.name = "security_protocol", .type = CZ_CFG_ENUM, .offset = FIELD(security),
     .def = "\"plaintext\"", .values = cz__security_names, .group = "Security",
     .doc = "How to connect: without or with TLS, without or with SASL sign-in."},
    {.name = "sasl_mechanism", .type = CZ_CFG_ENUM, .offset = FIELD(sasl_mechanism),
     .def = "\"PLAIN\"", .values = cz__sasl_mechanisms, .group = "Security",
     .doc = "How to sign in, when security_protocol begins with sasl."},
    {.name = "sasl_username", .type = CZ_CFG_STRING, .offset = FIELD(sasl_username), .min = 1,
     .max = 1024, .parse = check_ref_or_text, .group = "Security",
     .doc = "User name for SASL; text or a secret reference."},
    {.name = "sasl_password", .type = CZ_CFG_STRING, .flags = CZ_CFG_SECRET,
     .offset = FIELD(sasl_password), .min = 1, .max = 1024, .group = "Security",
     .doc = "Password for SASL, as a reference: ${env:NAME} or ${file:/path:key}."},
    {.name = "ssl_ca", .type = CZ_CFG_STRING, .offset = FIELD(ssl_ca), .min = 1, .max = MAX_PEM,
     .parse = check_ref_or_text, .group = "Security",
     .doc = "CA certificates that sign the brokers' ones (PEM); text or a reference. "
            "Default: the system's."},
    {.name = "ssl_certificate", .type = CZ_CFG_STRING, .offset = FIELD(ssl_certificate), .min = 1,
     .max = MAX_PEM, .parse = check_ref_or_text, .group = "Security",
     .doc = "Client certificate (PEM); text or a reference."},
    {.name = "ssl_key", .type = CZ_CFG_STRING, .flags = CZ_CFG_SECRET, .offset = FIELD(ssl_key),
     .min = 1, .max = 4096, .group = "Security",
     .doc = "Key of the client certificate (PEM), as a reference."},
    {.name = "ssl_key_password", .type = CZ_CFG_STRING, .flags = CZ_CFG_SECRET,
     .offset = FIELD(ssl_key_password), .min = 1, .max = 4096, .group = "Security",
     .doc = "Password of the key, as a reference."},
    {.name = "ssl_verify_hostname", .type = CZ_CFG_BOOL, .offset = FIELD(ssl_verify_hostname),
     .def = "true", .group = "Security",
     .doc = "Whether a broker's certificate must carry the name that was connected to."},
    {.name = "schema_registry", .type = CZ_CFG_OBJECT, .flags = CZ_CFG_NULLABLE, .offset = FIELD(registry),
     .sub = registry_table, .group = "Schema registry",
     .doc = "Where the schemas of this cluster's Avro records are."},
    {.name = "properties", .type = CZ_CFG_JSON, .offset = FIELD(properties),
     .parse = check_properties,
     .schema = "{\"type\":\"object\",\"additionalProperties\":{\"type\":[\"string\",\"integer\","
               "\"boolean\"]}}",
     .group = "Tuning", .doc = "Further librdkafka properties, from a short list."},
    {0},
};

static void need(bool ok,
                 const char *pointer,
                 const char *field,
                 struct cz_report *rep,
                 const char *why)
{
    char at[CZ_POINTER_SIZE];
    if (ok)
        return;
    snprintf(at, sizeof(at), "%s", pointer);
    cz_pointer_push(at, field);
    cz_report_add(rep, at, "required", "%s %s", field, why);
}

static void check_fields(const struct cz__cluster_spec *s, const char *pointer, struct cz_report *rep)
{
    bool sasl = s->security >= CZ__SASL_PLAINTEXT;
    bool ssl = s->security == CZ__SSL || s->security == CZ__SASL_SSL;
    static const char with_sasl[] = "is required with sasl", pair[] = "is required with the other";
    need(!sasl || s->sasl_username, pointer, "sasl_username", rep, with_sasl);
    need(!sasl || s->sasl_password, pointer, "sasl_password", rep, with_sasl);
    need(!s->ssl_certificate || s->ssl_key, pointer, "ssl_key", rep, pair);
    need(!s->ssl_key || s->ssl_certificate, pointer, "ssl_certificate", rep, pair);
    /* A password beside "plaintext" is most likely a forgotten protocol, and would be a quiet
     * connection without sign-in. */
    bool has_sasl = s->sasl_username || s->sasl_password;
    bool has_ssl = s->ssl_ca || s->ssl_certificate || s->ssl_key;
    need(sasl || !has_sasl, pointer, "security_protocol", rep, "must begin with sasl: sasl_ fields are set");
    const struct cz_registry_conf *r = &s->registry;
    char at[CZ_POINTER_SIZE];
    (void)snprintf(at, sizeof at, "%s", pointer);
    cz_pointer_push(at, "schema_registry");
    need(!r->username || r->password, at, "password", rep, "is required with username");
    need(!r->password || r->username, at, "username", rep, "is required with password");
    need(!r->ssl_certificate || r->ssl_key, at, "ssl_key", rep, pair);
    need(!r->ssl_key || r->ssl_certificate, at, "ssl_certificate", rep, pair);
    need(ssl || !has_ssl, pointer, "security_protocol", rep, "must be ssl or sasl_ssl: ssl_ fields are set");
}

static struct cz_cluster *cluster_new(void)
{
    struct cz_cluster *c = cz_alloc(sizeof(*c));
    atomic_init(&c->refs, 1);
    c->spec.ssl_verify_hostname = true;
    return c;
}

/* Every field with a name between, so that no two specs can look alike. */
static uint64_t spec_hash(const struct cz__cluster_spec *s)
{
    CZ_CLEANUP(cz_freep) char *properties = s->properties ? cz_json_text(s->properties, true) : NULL;
    const char *const parts[] = {s->bootstrap, s->sasl_username, s->sasl_password, s->ssl_ca,
                                 s->ssl_certificate, s->ssl_key, s->ssl_key_password, properties,
                                 s->registry.url, s->registry.username, s->registry.password,
                                 s->registry.ssl_ca, s->registry.ssl_certificate, s->registry.ssl_key,
                                 s->registry.ssl_key_password};
    json_t *all = json_array();
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
        json_array_append_new(all, parts[i] ? json_string(parts[i]) : json_null());
    json_array_append_new(all, json_integer(s->security));
    json_array_append_new(all, json_integer(s->sasl_mechanism));
    json_array_append_new(all, json_boolean(s->ssl_verify_hostname));
    json_array_append_new(all, json_boolean(s->registry.ssl_verify_hostname));
    CZ_CLEANUP(cz_freep) char *text = cz_json_text(all, true);
    json_decref(all);
    return cz_hash(text, strlen(text));
}

enum cz_err cz_cluster_parse(const json_t *spec,
                             const char *pointer,
                             struct cz_cluster **ret,
                             struct cz_report *rep)
{
    struct cz_cluster *c = cluster_new();
    size_t before = rep->len;
    bool truncated = rep->truncated;
    enum cz_err code = cz_cfg_parse_json(cz_cluster_table, spec, &c->spec, pointer, rep);
    if (!code)
        check_fields(&c->spec, pointer, rep);
    if (code || rep->len > before || rep->truncated != truncated) {
        cz_cluster_unref(c);
        return code ? code : CZ_E_INVALID;
    }
    c->hash = spec_hash(&c->spec);
    *ret = c;
    return CZ_OK;
}

static char *trim(char *s)
{
    while (isspace((unsigned char)*s))
        s++;
    for (size_t n = strlen(s); n > 0 && isspace((unsigned char)s[n - 1]); n--)
        s[n - 1] = '\0';
    return s;
}

/* One line `key=value` of the operator's file. */
static enum cz_err take_line(char *line, json_t *properties, rd_kafka_conf_t *probe, struct cz_error *err)
{
    char *key = trim(line), *value = strchr(key, '=');
    if (!*key || *key == '#')
        return CZ_OK;
    if (!value)
        return cz_fail(err, CZ_E_PARSE, "a line without '=': \"%.60s\"", key);
    *value++ = '\0';
    key = trim(key);
    value = trim(value);
    /* References are resolved, and so checked, when a client is made. */
    if (!cz_secret_is_ref(value)) {
        enum cz_err code = cz__kafka_set(probe, key, value, err);
        if (code)
            return code;
    }
    if (json_object_set_new(properties, key, json_string(value)))
        return cz_fail(err, CZ_E_PARSE, "property %.60s: not UTF-8", key);
    return CZ_OK;
}

static enum cz_err read_properties(const char *path, json_t *properties, struct cz_error *err)
{
    char *text = NULL;
    size_t len = 0;
    enum cz_err code = cz_read_file(path, MAX_PROPERTIES_FILE, &text, &len, err);
    if (code)
        return code;
    rd_kafka_conf_t *probe = rd_kafka_conf_new();
    char *rest = text;
    for (char *line; !code && (line = strsep(&rest, "\n"));)
        code = take_line(line, properties, probe, err);
    rd_kafka_conf_destroy(probe);
    explicit_bzero(text, len);
    cz_free(text);
    return code ? cz_fail_prefix(err, "%s", path), code : CZ_OK;
}

enum cz_err cz_cluster_from_bootstrap(const char *bootstrap,
                                      const char *properties_file,
                                      struct cz_cluster **ret,
                                      struct cz_error *err)
{
    if (!bootstrap || !bootstrap_ok(bootstrap))
        return cz_fail(err, CZ_E_INVALID, "bootstrap servers must be a list \"host:port,host:port\"");
    struct cz_cluster *c = cluster_new();
    c->spec.bootstrap = cz_strdup(bootstrap);
    c->spec.properties = json_object();
    if (properties_file && *properties_file) {
        enum cz_err code = read_properties(properties_file, c->spec.properties, err);
        if (code) {
            cz_cluster_unref(c);
            return code;
        }
    }
    c->hash = spec_hash(&c->spec);
    *ret = c;
    return CZ_OK;
}

struct cz_cluster *cz_cluster_ref(struct cz_cluster *c)
{
    atomic_fetch_add(&c->refs, 1);
    return c;
}

void cz_cluster_unref(struct cz_cluster *c)
{
    if (!c || atomic_fetch_sub(&c->refs, 1) != 1)
        return;
    cz_cfg_done(cz_cluster_table, &c->spec);
    cz_free(c);
}

const char *cz_cluster_bootstrap(const struct cz_cluster *c)
{
    return c->spec.bootstrap;
}

const struct cz_registry_conf *cz_cluster_registry(const struct cz_cluster *c)
{
    return c->spec.registry.url ? &c->spec.registry : NULL;
}

uint64_t cz_cluster_hash(const struct cz_cluster *c)
{
    return c->hash;
}
