/* SPDX-License-Identifier: Apache-2.0 */
/** Insides of cz_verify. */
#ifndef CZ_VERIFY_PRIV_H
#define CZ_VERIFY_PRIV_H

#include "cz/map.h"
#include "cz/record.h"
#include "cz/verify.h"

/* ---- sums.c ---------------------------------------------------------------------------------- */

enum verify_class {
    VERIFY_EXPECTED, /* must be on the target */
    VERIFY_PENDING,  /* may be there: behind the position */
    VERIFY_ARRIVED,  /* is there */
    VERIFY_CLASSES,
};
struct verify_sum {
    int64_t n[VERIFY_CLASSES];
    uint64_t hash[VERIFY_CLASSES];
};
struct verify_window {
    int32_t group; /* target partition; -1: all of them */
    int64_t begin; /* ms; 0: everything */
    struct verify_sum sum;
};
struct verify_sums {
    struct verify_window *items; /* in order of arrival */
    size_t len, cap;
    struct cz_map index; /* group and begin → its number + 1 */
};
void verify_sums_init(struct verify_sums *s);
void verify_sums_done(struct verify_sums *s);
/** false: too many windows. */
bool verify_sums_add(struct verify_sums *s, int32_t group, int64_t begin, enum verify_class class,
                     uint64_t hash);
struct verify_window *verify_sums_find(struct verify_sums *s, int32_t group, int64_t begin);
/** The target may hold all that is pending, or nothing of it; only some of it has to be looked at. */
bool verify_window_differs(const struct verify_window *w);

/** Of a record's content. @timestamp_ms < 0, @r NULL (its headers): left out. */
uint64_t verify_hash(struct cz_slice key, struct cz_slice value, int64_t timestamp_ms,
                     const struct cz_header *headers, size_t headers_len);

/* ---- diff.c ---------------------------------------------------------------------------------- */

struct verify_item {
    uint64_t hash; /* of all that is compared */
    uint64_t name; /* of key and timestamp: the same record, even when it was altered */
    int32_t group, partition; /* partition: of its own side */
    int64_t offset, timestamp_ms;
    enum verify_class class;
};
struct verify_items {
    struct verify_item *items;
    size_t len, cap;
};
/* X(id, name of the count in the report, kind) */
#define VERIFY_KIND_MAP(X)                                                                        \
    X(MISSING, "missing")                                                                         \
    X(DOUBLED, "doubled")                                                                         \
    X(ALTERED, "altered")                                                                         \
    X(MISPLACED, "misplaced")                                                                     \
    X(EXTRA, "extra")
enum verify_kind {
#define X(id, name) VERIFY_##id,
    VERIFY_KIND_MAP(X)
#undef X
        VERIFY_KINDS,
};
struct verify_difference {
    enum verify_kind kind;
    const struct verify_item *source, *target; /* NULL: none */
};
/** What differs, in the order of the source, what has no source last. @items is sorted and must
 *  stay. cz_free(*ret) */
size_t verify_diff(struct verify_items *items, struct verify_difference **ret);

/* ---- scan.c ---------------------------------------------------------------------------------- */

struct verify_side {
    struct cz_cluster *cluster;
    struct cz_admin *admin;
    const char *topic;
    int32_t partitions;
    int64_t *begin, *end; /* per partition: [begin, end) is read */
};
CZ_MUST_USE enum cz_err verify_side_open(struct verify_side *s, struct cz_cluster *c, struct cz_admin *a,
                                         const char *topic, cz_time deadline, struct cz_error *err);
void verify_side_done(struct verify_side *s);
/** @what CZ_OFFSET_LATEST, CZ_OFFSET_EARLIEST or a time. */
CZ_MUST_USE enum cz_err verify_side_ask(const struct verify_side *s, int64_t what, bool read_committed,
                                        int64_t *at, cz_time deadline, struct cz_error *err);
int64_t verify_side_count(const struct verify_side *s);
/** Read all of it. @fn says no (with @err): the scan ends. */
CZ_MUST_USE enum cz_err verify_scan(const struct verify_side *s, const struct cz_verify_conf *conf,
                                    enum cz_err (*fn)(void *arg, const struct cz_record *r, struct cz_error *err),
                                    void *arg, struct cz_error *err);

#endif
