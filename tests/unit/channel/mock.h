/* SPDX-License-Identifier: Apache-2.0 */
/** librdkafka's mock cluster for the tests of the channel and the admin client. */
#ifndef CZ_TEST_CHANNEL_MOCK_H
#define CZ_TEST_CHANNEL_MOCK_H

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "cz/kafka.h"

/* Kafka's request numbers. */
enum { API_PRODUCE = 0, API_OFFSET_COMMIT = 8, API_OFFSET_FETCH = 9, API_ADD_PARTITIONS = 24, API_END_TXN = 26 };

struct mock {
    rd_kafka_t *rk;
    rd_kafka_mock_cluster_t *m;
    struct cz_cluster *cluster;
};
void mock_init(struct mock *m, int brokers);
void mock_done(struct mock *m);
void mock_topic(struct mock *m, const char *name);
/** The next @n answers to @api are @err (0: none), each held back for @ms. */
void mock_answer(struct mock *m, int api, int n, rd_kafka_resp_err_t err, int ms);

#endif
