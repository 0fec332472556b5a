/* SPDX-License-Identifier: Apache-2.0 */
/** A control cluster in memory for the scheduler's tests: one config topic with a log, a
 * fencing writer, readers that see commits at once; and a set of topics for the watch. */
#ifndef CZ_TEST_FAKE_H
#define CZ_TEST_FAKE_H

#include "cz/thread.h"
#include "scheduler_priv.h"

struct fake_record {
    char *key;
    json_t *value; /* NULL: tombstone */
    int64_t revision, epoch;
    int txn;
};
struct fake_kafka {
    struct cz_mutex lock;
    struct fake_record *log;
    size_t len, cap;
    int txn;
    _Atomic int gen; /* the writer that may write */
    _Atomic bool exists;
    int incarnation;
    _Atomic size_t too_large; /* values above are refused by the broker; 0: none */
    _Atomic int fail_next;    /* transactions that fail retriably */
    _Atomic bool down;
    struct cz_view *views[4];
    int views_len;
    struct {
        char name[64];
        int partitions;
        int id;
    } topics[16];
    int topics_len;
};
void fake_init(struct fake_kafka *k);
void fake_done(struct fake_kafka *k);
struct cz_sched_bus fake_bus(struct fake_kafka *k, struct cz_view *view);
void fake_topic(struct fake_kafka *k, const char *name, int partitions); /* 0: deleted */
void fake_delete_config(struct fake_kafka *k);
/** A record that no leader wrote. */
void fake_intrude(struct fake_kafka *k, const char *key, const char *json);
enum cz_err fake_topics(void *arg,
                        struct cz_cluster *c,
                        const char *const *names,
                        size_t n,
                        cz_time deadline,
                        struct cz_topic_info **ret,
                        struct cz_error *err);
/** Newest value of @key: new reference, NULL when absent or a tombstone. */
json_t *fake_get(struct fake_kafka *k, const char *key, int64_t *ret_revision);
size_t fake_count(struct fake_kafka *k, const char *key); /* records ever written under it */

#endif
