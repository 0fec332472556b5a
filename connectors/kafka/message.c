/* SPDX-License-Identifier: Apache-2.0 */
/* Messages: librdkafka's, and those that we make of records from elsewhere.  Ours are known by a bit
 * of their address that no allocated object has, so that nobody who only holds and releases messages
 * knows of the two kinds. */
#include <stdalign.h>
#include <string.h>

#include "cz/consumer.h"
#include "cz/producer.h"
#include "kafka_priv.h"

struct own_message {
    struct cz_record record; /* topic, headers, msg: not set */
    size_t headers_len;
    struct cz_header headers[]; /* and behind them the bytes */
};
#define OWN ((uintptr_t)1)

bool cz__message_own(const void *msg)
{
    return (uintptr_t)msg & OWN;
}

static struct own_message *own(const void *msg)
{
    return (struct own_message *)((uintptr_t)msg & ~OWN);
}

static struct cz_slice put(char **to, struct cz_slice s)
{
    if (!s.data)
        return s;
    struct cz_slice copy = {*to, s.len};
    if (s.len > 0)
        memcpy(*to, s.data, s.len);
    (*to)[s.len] = '\0'; /* the name of a header is a string */
    *to += s.len + 1;
    return copy;
}

void *cz_message_make(const struct cz_record *r)
{
    size_t n = r->headers ? r->headers(r, NULL, 0) : 0;
    struct cz_header *headers = cz_alloc_array(n + 1, sizeof *headers);
    if (n > 0)
        (void)r->headers(r, headers, n);
    size_t bytes = r->key.len + r->value.len + 2;
    for (size_t i = 0; i < n; i++)
        bytes += headers[i].name.len + headers[i].value.len + 2;
    struct own_message *m = cz_try_alloc(sizeof *m + n * sizeof *headers + bytes);
    if (!m) {
        cz_free(headers);
        return NULL;
    }
    char *to = (char *)&m->headers[n];
    m->record = *r;
    m->record.topic = NULL;
    m->record.key = put(&to, r->key);
    m->record.value = put(&to, r->value);
    m->headers_len = n;
    for (size_t i = 0; i < n; i++)
        m->headers[i] = (struct cz_header){put(&to, headers[i].name), put(&to, headers[i].value)};
    cz_free(headers);
    return (void *)((uintptr_t)m | OWN);
}

void cz_message_release(void *msg)
{
    if (cz__message_own(msg))
        cz_free(own(msg));
    else if (msg)
        rd_kafka_message_destroy(msg);
}

static enum cz_ts_type ts_type(rd_kafka_timestamp_type_t t)
{
    switch (t) {
    case RD_KAFKA_TIMESTAMP_CREATE_TIME:
        return CZ_TS_CREATE;
    case RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME:
        return CZ_TS_APPEND;
    case RD_KAFKA_TIMESTAMP_NOT_AVAILABLE:
        break;
    }
    return CZ_TS_NONE;
}

void cz_message_record(void *msg, const char *topic, struct cz_record *r)
{
    if (cz__message_own(msg)) {
        *r = own(msg)->record;
    } else {
        rd_kafka_message_t *m = msg;
        rd_kafka_timestamp_type_t t;
        r->partition = m->partition;
        r->offset = m->offset;
        r->timestamp_ms = rd_kafka_message_timestamp(m, &t);
        r->ts_type = ts_type(t);
        r->key = (struct cz_slice){m->key, m->key_len};
        r->value = (struct cz_slice){m->payload, m->len};
    }
    r->topic = topic;
    r->headers = cz_message_headers;
    r->msg = msg;
}

size_t cz_message_headers(const struct cz_record *r, struct cz_header *out, size_t max)
{
    rd_kafka_headers_t *h = NULL;
    if (cz__message_own(r->msg)) {
        const struct own_message *m = own(r->msg);
        size_t k = m->headers_len < max ? m->headers_len : max;
        if (k > 0)
            memcpy(out, m->headers, k * sizeof *out);
        return m->headers_len;
    }
    if (!r->msg || rd_kafka_message_headers(r->msg, &h) || !h)
        return 0;
    size_t n = 0;
    const char *name;
    const void *value;
    size_t len;
    while (!rd_kafka_header_get_all(h, n, &name, &value, &len)) {
        if (n < max)
            out[n] = (struct cz_header){{name, strlen(name)}, {value, len}};
        n++;
    }
    return n;
}

rd_kafka_headers_t *cz__message_own_headers(const void *msg)
{
    const struct own_message *m = own(msg);
    rd_kafka_headers_t *h = m->headers_len ? rd_kafka_headers_new(m->headers_len) : NULL;
    for (size_t i = 0; i < m->headers_len; i++)
        rd_kafka_header_add(h, m->headers[i].name.data, (ssize_t)m->headers[i].name.len,
                            m->headers[i].value.data, (ssize_t)m->headers[i].value.len);
    return h;
}
