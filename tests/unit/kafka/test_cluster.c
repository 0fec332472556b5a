/* SPDX-License-Identifier: Apache-2.0 */
/* Cluster documents: the list of properties holds against every property that librdkafka has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/util.h"
#include "kafka_priv.h"

/* What security checklist E1 names, beyond what the loop over all of them shows. */
static const char *const dangerous[] = {
    "plugin.library.paths", "interceptors", "ssl.engine.location", "ssl.engine.id", "ssl.providers",
    "sasl.kerberos.kinit.cmd", "sasl.kerberos.keytab", "ssl.ca.location", "ssl.key.location",
    "ssl.keystore.location", "ssl.crl.location", "offset.store.path", "debug", "log_level",
    "sasl.oauthbearer.token.endpoint.url", "sasl.oauthbearer.metadata.authentication.type",
    "enable.ssl.certificate.verification", "ssl.endpoint.identification.algorithm",
    "security.protocol", "sasl.password", "bootstrap.servers", "group.id", "transactional.id",
    "enable.idempotence", "acks", "client.id", "opaque", "ssl_key", "no.such.property",
};

static json_t *spec_with(const char *property, const char *value)
{
    return json_pack("{s:s,s:{s:s}}", "bootstrap_servers", "h:9092", "properties", property, value);
}

/* Parse; returns whether it was accepted, and the first problem's code in @ret_code. */
static bool accepted(json_t *spec, char *ret_code, size_t size)
{
    struct cz_report rep = CZ_REPORT_INIT;
    struct cz_cluster *c = NULL;
    enum cz_err code = cz_cluster_parse(spec, "/spec", &c, &rep);
    assert_int_equal(code == CZ_OK, cz_report_ok(&rep));
    if (ret_code)
        snprintf(ret_code, size, "%s", rep.len ? rep.items[0].code : "");
    if (rep.len)
        assert_true(strncmp(rep.items[0].pointer, "/spec", 5) == 0);
    cz_report_done(&rep);
    cz_cluster_unref(c);
    json_decref(spec);
    return code == CZ_OK;
}

static bool refused(const char *property)
{
    char code[64];
    bool ok = accepted(spec_with(property, "1"), code, sizeof(code));
    return !ok && strcmp(code, "forbidden-property") == 0;
}

static void test_every_property(void **state)
{
    (void)state;
    static const char *const allowed[] = {
        "batch.num.messages", "batch.size", "broker.address.family", "broker.address.ttl",
        "client.rack", "compression.level", "compression.type", "connections.max.idle.ms",
        "fetch.error.backoff.ms", "fetch.max.bytes", "fetch.message.max.bytes", "fetch.min.bytes",
        "fetch.wait.max.ms", "linger.ms", "message.max.bytes", "metadata.max.age.ms",
        "queued.max.messages.kbytes", "queued.min.messages", "reconnect.backoff.max.ms",
        "reconnect.backoff.ms", "retry.backoff.max.ms", "retry.backoff.ms",
        "socket.connection.setup.timeout.ms", "socket.receive.buffer.bytes",
        "socket.send.buffer.bytes", "socket.timeout.ms", "topic.metadata.refresh.interval.ms"};
    char *text = NULL;
    size_t size = 0, seen = 0;
    FILE *out = open_memstream(&text, &size);
    rd_kafka_conf_properties_show(out);
    fclose(out);
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n"));) {
        char name[100];
        if (!strstr(line, " | ") || sscanf(line, "%99[a-z0-9._]", name) != 1)
            continue;
        bool listed = false;
        for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed); i++)
            listed = listed || strcmp(allowed[i], name) == 0;
        seen++;
        if (!listed && !refused(name))
            fail_msg("%s is let through", name);
        if (listed && refused(name))
            fail_msg("%s is refused", name);
    }
    free(text);
    assert_true(seen > 120);
    for (size_t i = 0; i < sizeof(dangerous) / sizeof(*dangerous); i++)
        if (!refused(dangerous[i]))
            fail_msg("%s is let through", dangerous[i]);
}

static void test_values(void **state)
{
    (void)state;
    static const struct {
        const char *property, *value;
        bool ok;
    } table[] = {
        {"linger.ms", "5", true},           {"linger.ms", "-1", false},
        {"linger.ms", "soon", false},       {"compression.type", "zstd", true},
        {"compression.type", "rar", false}, {"socket.timeout.ms", "${env:HOME}", false},
        {"client.rack", "eu-1a", true},     {"reconnect.backoff.ms", "5000", false},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        assert_int_equal(accepted(spec_with(table[i].property, table[i].value), NULL, 0), table[i].ok);
}

static bool accepts(const char *text)
{
    json_t *spec = json_loads(text, 0, NULL);
    assert_non_null(spec);
    return accepted(spec, NULL, 0);
}

#define WITH_REGISTRY(fields) "{\"bootstrap_servers\":\"h:9092\",\"schema_registry\":{" fields "}}"

static void test_registry(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
    } table[] = {
        {WITH_REGISTRY("\"url\":\"http://h:8081\""), true},
        {WITH_REGISTRY("\"url\":\"https://h/apis/ccompat/v7\",\"username\":\"u\",\"password\":\"${env:P}\""), true},
        {WITH_REGISTRY(""), false},
        {WITH_REGISTRY("\"url\":\"h:8081\""), false},
        {WITH_REGISTRY("\"url\":\"http://u:p@h:8081\""), false},
        {WITH_REGISTRY("\"url\":\"http://h:8081?x=1\""), false},
        {WITH_REGISTRY("\"url\":\"file:///etc/passwd\""), false},
        {WITH_REGISTRY("\"url\":\"http://h\",\"username\":\"u\""), false},
        {WITH_REGISTRY("\"url\":\"http://h\",\"username\":\"u\",\"password\":\"plain\""), false},
        {WITH_REGISTRY("\"url\":\"https://h\",\"ssl_certificate\":\"pem\""), false},
        {WITH_REGISTRY("\"url\":\"http://h\",\"token\":\"x\""), false},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        if (accepts(table[i].text) != table[i].ok)
            fail_msg("%s", table[i].text);
    }
    uint64_t hash[2];
    for (int i = 0; i < 2; i++) {
        struct cz_report rep = CZ_REPORT_INIT;
        struct cz_cluster *c = NULL;
        json_t *spec = json_loads(i ? table[0].text : "{\"bootstrap_servers\":\"h:9092\"}", 0, NULL);
        assert_int_equal(cz_cluster_parse(spec, "/spec", &c, &rep), CZ_OK);
        assert_int_equal(cz_cluster_registry(c) != NULL, i);
        hash[i] = cz_cluster_hash(c);
        cz_cluster_unref(c);
        cz_report_done(&rep);
        json_decref(spec);
    }
    assert_true(hash[0] != hash[1]);
}

static void test_documents(void **state)
{
    (void)state;
    assert_true(accepts("{\"bootstrap_servers\":\"h:9092, 10.0.0.1:1,[::1]:9092,plain-host\"}"));
    assert_true(accepts("{\"bootstrap_servers\":\"h\",\"properties\":{\"linger.ms\":5}}"));
    assert_true(accepts("{\"bootstrap_servers\":\"h\",\"security_protocol\":\"sasl_ssl\",\"sasl_username\":\"u\","
                        "\"sasl_password\":\"${env:P}\",\"sasl_mechanism\":\"SCRAM-SHA-512\"}"));
    static const char *const bad[] = {
        "{}",
        "{\"bootstrap_servers\":\"\"}",
        "{\"bootstrap_servers\":\"http://h:1\"}",
        "{\"bootstrap_servers\":\"h:0\"}",
        "{\"bootstrap_servers\":\"h:65536\"}",
        "{\"bootstrap_servers\":\"h:1,\"}",
        "{\"bootstrap_servers\":\"h:1;x\"}",
        "{\"bootstrap_servers\":\"[::1\"}",
        "{\"bootstrap_servers\":\"h\",\"what\":1}",
        "{\"bootstrap_servers\":\"h\",\"properties\":[]}",
        "{\"bootstrap_servers\":\"h\",\"properties\":{\"linger.ms\":null}}",
        "{\"bootstrap_servers\":\"h\",\"security_protocol\":\"sasl_ssl\"}",
        "{\"bootstrap_servers\":\"h\",\"sasl_username\":\"u\",\"sasl_password\":\"${env:P}\"}",
        ("{\"bootstrap_servers\":\"h\",\"security_protocol\":\"sasl_plaintext\",\"sasl_username\":\"u\","
         "\"sasl_password\":\"secret in the open\"}"),
        "{\"bootstrap_servers\":\"h\",\"security_protocol\":\"ssl\",\"ssl_key\":\"${env:K}\"}",
        "{\"bootstrap_servers\":\"h\",\"ssl_ca\":\"${file:/ca.pem}\"}",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        if (accepts(bad[i]))
            fail_msg("accepted: %s", bad[i]);
}

static struct cz_cluster *parse(const char *text)
{
    struct cz_report rep = CZ_REPORT_INIT;
    struct cz_cluster *c = NULL;
    json_t *spec = json_loads(text, 0, NULL);
    assert_int_equal(cz_cluster_parse(spec, "", &c, &rep), CZ_OK);
    json_decref(spec);
    return c;
}

static void test_hash(void **state)
{
    (void)state;
    struct cz_cluster *a = parse("{\"bootstrap_servers\":\"h\",\"properties\":{\"linger.ms\":1,\"batch.size\":9}}");
    struct cz_cluster *b = parse("{\"properties\":{\"batch.size\":9,\"linger.ms\":1},\"bootstrap_servers\":\"h\"}");
    struct cz_cluster *c = parse("{\"bootstrap_servers\":\"h\",\"properties\":{\"linger.ms\":2}}");
    assert_true(cz_cluster_hash(a) == cz_cluster_hash(b));
    assert_true(cz_cluster_hash(a) != cz_cluster_hash(c));
    assert_true(cz_cluster_ref(a) == a);
    cz_cluster_unref(a);
    assert_string_equal(cz_cluster_bootstrap(a), "h");
    cz_cluster_unref(a);
    cz_cluster_unref(b);
    cz_cluster_unref(c);
}

/* A secret is resolved when a client is made, and told to nobody when that fails. */
static void test_secrets(void **state)
{
    (void)state;
    struct cz_cluster *c =
        parse("{\"bootstrap_servers\":\"127.0.0.1:1\",\"security_protocol\":\"sasl_plaintext\","
              "\"sasl_username\":\"u\",\"sasl_password\":\"${env:CZ_TEST_PASSWORD}\"}");
    struct cz_error err = CZ_ERROR_INIT;
    unsetenv("CZ_TEST_PASSWORD");
    assert_null(cz__kafka_conf(c, "x", &err));
    assert_non_null(strstr(err.text, "sasl.password"));
    setenv("CZ_TEST_PASSWORD", "canary-4711", 1);
    rd_kafka_conf_t *conf = cz__kafka_conf(c, "x", &err);
    assert_non_null(conf);
    char value[64];
    size_t n = sizeof(value);
    assert_int_equal(rd_kafka_conf_get(conf, "sasl.password", value, &n), RD_KAFKA_CONF_OK);
    assert_string_equal(value, "canary-4711");
    cz_error_reset(&err);
    assert_int_equal(cz__kafka_set(conf, "sasl.mechanisms.no", "canary-4711", &err), CZ_E_INVALID);
    assert_null(strstr(err.text, "canary"));
    rd_kafka_conf_destroy(conf);
    cz_cluster_unref(c);
}

static void test_operators_file(void **state)
{
    (void)state;
    char path[] = "/tmp/cz-test-properties-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    struct cz_error err = CZ_ERROR_INIT;
    static const char good[] = "# ours\n\n security.protocol = plaintext \r\nsocket.timeout.ms=1234\n";
    struct cz_cluster *c = NULL;
    assert_int_equal(cz_write_file(path, good, strlen(good), 0600, &err), CZ_OK);
    assert_int_equal(cz_cluster_from_bootstrap("h:1", path, &c, &err), CZ_OK);
    rd_kafka_conf_t *conf = cz__kafka_conf(c, "x", &err);
    char value[64];
    size_t n = sizeof(value);
    assert_int_equal(rd_kafka_conf_get(conf, "socket.timeout.ms", value, &n), RD_KAFKA_CONF_OK);
    assert_string_equal(value, "1234");
    rd_kafka_conf_destroy(conf);
    cz_cluster_unref(c);
    static const char *const bad[] = {"no equals sign\n", "no.such.property=1\n", "socket.timeout.ms=soon\n"};
    for (size_t i = 0; i < 3; i++) {
        cz_error_reset(&err);
        assert_int_equal(cz_write_file(path, bad[i], strlen(bad[i]), 0600, &err), CZ_OK);
        assert_int_not_equal(cz_cluster_from_bootstrap("h:1", path, &c, &err), CZ_OK);
        assert_non_null(strstr(err.text, path));
    }
    unlink(path);
    assert_int_not_equal(cz_cluster_from_bootstrap("h:1", path, &c, NULL), CZ_OK);
    assert_int_not_equal(cz_cluster_from_bootstrap("", NULL, &c, NULL), CZ_OK);
}

int main(void)
{
    cz_json_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_property), cmocka_unit_test(test_values),
        cmocka_unit_test(test_registry),
        cmocka_unit_test(test_documents),      cmocka_unit_test(test_hash),
        cmocka_unit_test(test_secrets),        cmocka_unit_test(test_operators_file),
    };
    return cmocka_run_group_tests_name("cluster", tests, NULL, NULL);
}
