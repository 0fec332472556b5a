/* SPDX-License-Identifier: Apache-2.0 */
/* See mock.h. */
#include "mock.h"

#include <assert.h>
#include <stdio.h>

void mock_init(struct mock *m, int brokers)
{
    char text[256], n[8];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    (void)snprintf(n, sizeof(n), "%d", brokers);
    assert(!rd_kafka_conf_set(conf, "test.mock.num.brokers", n, text, sizeof(text)));
    m->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    assert(m->rk);
    m->m = rd_kafka_handle_mock_cluster(m->rk);
    assert(!cz_cluster_from_bootstrap(rd_kafka_mock_cluster_bootstraps(m->m), NULL, &m->cluster, NULL));
}

void mock_done(struct mock *m)
{
    cz_cluster_unref(m->cluster);
    rd_kafka_destroy(m->rk);
}

void mock_topic(struct mock *m, const char *name)
{
    assert(!rd_kafka_mock_topic_create(m->m, name, 1, 1));
}

void mock_answer(struct mock *m, int api, int n, rd_kafka_resp_err_t err, int ms)
{
    for (int i = 0; i < n; i++)
        assert(!rd_kafka_mock_broker_push_request_error_rtts(m->m, 1, (int16_t)api, 1, err, ms));
}
