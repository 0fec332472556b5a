/* SPDX-License-Identifier: Apache-2.0 */
/** librdkafka's mock cluster for tests: real protocol, no broker, errors at will. */
#ifndef MOCK_KAFKA_H
#define MOCK_KAFKA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mock;
struct mock *mock_new(void);
void mock_free(struct mock *m);
const char *mock_bootstrap(const struct mock *m);
void mock_topic(struct mock *m, const char *topic, int partitions);
/** Produce @n records "<prefix><i>" with key "k<i % 7>" to one partition, and wait for them. */
void mock_fill(struct mock *m, const char *topic, int partition, const char *format, int from, int n);
/** Produce one record and wait for it. @key, @value NULL: null. @header NULL: none, else its value. */
void mock_send(struct mock *m, const char *topic, int partition, const char *key, size_t key_len,
               const char *value, size_t value_len, const char *header);
/** Records {"n":<i>,"pad":"xxx…"} of about @size bytes. */
void mock_fill_big(struct mock *m, const char *topic, int partition, size_t size, int from, int n);
/** Delete the records before @offset, as retention does. */
void mock_cut(struct mock *m, const char *topic, int partition, int64_t offset);
/** Value of the header "h" of a record; false: it has none. */
bool mock_header(struct mock *m, const char *topic, int partition, int64_t offset, char out[64]);
/** How many records a partition holds. */
int64_t mock_count(struct mock *m, const char *topic, int partition);
/** Read a whole partition; calls @fn for each record. */
void mock_read(struct mock *m, const char *topic, int partition,
               void (*fn)(void *arg, int64_t offset, const char *key, size_t key_len, const char *value,
                          size_t len, const char *error_stage),
               void *arg);
void mock_down(struct mock *m, bool down);
/** The next @n produce requests fail with this Kafka error code. */
void mock_produce_errors(struct mock *m, int code, int n);
/** The same for requests of any kind (Kafka's number of it). */
void mock_errors(struct mock *m, int api, int code, int n);

/** Raise a fatal error in a producer of ours. */
struct cz_producer;
void mock_make_fatal(struct cz_producer *p);

#endif
