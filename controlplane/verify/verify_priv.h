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

/** What a key or value says: its bytes, or those of a datum and what its schema means. */
struct verify_content {
    struct cz_slice bytes;
    uint64_t schema; /* 0: the bytes are all */
};
/** Of a record's content. @timestamp_ms < 0: left out. */
uint64_t verify_hash(const struct verify_content *key, const struct verify_content *value,
                     int64_t timestamp_ms, const struct cz_header *headers, size_t headers_len);
/** Of a text; never 0. */
uint64_t verify_hash_text(const char *text);

/* ---- schemas.c ------------------------------------------------------------------------------- */

/** Keys or values whose schema ids are rewritten are compared by datum and by what their schemas mean
 *  in the registry of their side: ids differ by right, data do not. */
struct verify_schemas;
struct verify_schemas *verify_schemas_new(const struct cz_verify_conf *conf);
void verify_schemas_free(struct verify_schemas *s); /* NULL allowed */
/** A header that names the schema is taken out of @headers.
 *  @param ret_lost the mapping cannot copy it (an error of the record); only of the source */
CZ_MUST_USE enum cz_err verify_schemas_look(struct verify_schemas *s, bool of_target, bool of_key,
                                            struct cz_slice payload, struct cz_header *headers,
                                            size_t *headers_len, struct verify_content *ret, bool *ret_lost,
                                            struct cz_error *err);

/* ---- diff.c ---------------------------------------------------------------------------------- */

struct verify_item {
    uint64_t hash; /* of all that is compared */
    uint64_t name; /* of key and timestamp: the same record, even when it was altered */
    int32_t group, partition; /* partition: of its own side */
    uint32_t side;            /* number of the source; of the target 0 */
    enum verify_class class;
    int64_t offset, timestamp_ms;
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

/* ---- scan.c, scan_file.c --------------------------------------------------------------------- */

/** A topic, or a file: that is one partition, whose offsets are numbers of records. */
struct verify_side {
    struct cz_cluster *cluster; /* NULL: a file of `folder` */
    struct cz_admin *admin;
    struct cz_file_folder *folder;
    const char *topic;
    int32_t partitions;
    int64_t *begin, *end; /* per partition: [begin, end) is read */
    /* of a source */
    uint32_t number;
    int64_t *position; /* per partition: settled up to here */
    /* of a file */
    int32_t widest; /* greatest partition that a record names */
    bool untimed;   /* some record has no time */
};
/** A record of a side. @part its partition there; @bad a line of a file that is no record */
typedef enum cz_err (*verify_record_fn)(void *arg, const struct verify_side *s, int32_t part,
                                        const struct cz_record *r, bool bad, struct cz_error *err);

CZ_MUST_USE enum cz_err verify_side_open(struct verify_side *s, const char *topic, cz_time deadline,
                                         struct cz_error *err);
void verify_side_done(struct verify_side *s);
/** @what CZ_OFFSET_LATEST, CZ_OFFSET_EARLIEST or a time. Of a topic. */
CZ_MUST_USE enum cz_err verify_side_ask(const struct verify_side *s, int64_t what, bool read_committed,
                                        int64_t *at, cz_time deadline, struct cz_error *err);
int64_t verify_side_count(const struct verify_side *s);
/** Read all of it. @fn says no (with @err): the scan ends. */
CZ_MUST_USE enum cz_err verify_scan(const struct verify_side *s, const struct cz_verify_conf *conf,
                                    verify_record_fn fn, void *arg, struct cz_error *err);
/** Of a file: find out `end`, `widest` and `untimed`. */
CZ_MUST_USE enum cz_err verify_file_measure(struct verify_side *s, const struct cz_verify_conf *conf,
                                            struct cz_error *err);
CZ_MUST_USE enum cz_err verify_file_scan(const struct verify_side *s, const struct cz_verify_conf *conf,
                                         verify_record_fn fn, void *arg, struct cz_error *err);
/** CZ_E_UNAVAILABLE or CZ_E_TIMEOUT: no more. @topic what is being read. */
CZ_MUST_USE enum cz_err verify_may_go_on(const struct cz_verify_conf *conf, const char *topic,
                                         struct cz_error *err);

/* ---- records.c ------------------------------------------------------------------------------- */

/** One target, and all sources of the mapping that go there. */
struct verify_pair {
    const struct cz_verify_conf *conf;
    struct verify_side *sources, target;
    size_t sources_len;
    bool by_partition; /* where a record goes is known, so partitions are compared one by one */
    bool by_key;       /* some records go by their keys, those without one anywhere */
    bool timestamps;   /* the target keeps them */
    bool second;       /* the second reading: items, of windows that differ */
    struct verify_schemas *schemas; /* NULL: ids are compared as they are */
    struct cz_stage_ctx *ctx;
    struct verify_sums sums;
    struct verify_items items;
    int64_t dropped[CZ_DROP_COUNT_], errors, expected, pending, arrived;
    int64_t found[VERIFY_KINDS];
};
/** verify_record_fn of a verify_pair */
CZ_MUST_USE enum cz_err verify_on_source(void *arg, const struct verify_side *s, int32_t part,
                                         const struct cz_record *r, bool bad, struct cz_error *err);
CZ_MUST_USE enum cz_err verify_on_target(void *arg, const struct verify_side *s, int32_t part,
                                         const struct cz_record *r, bool bad, struct cz_error *err);

/* ---- report.c -------------------------------------------------------------------------------- */

/** The sums of a report over its pairs. */
struct verify_totals {
    int64_t expected, pending, arrived, errors, dropped[CZ_DROP_COUNT_], found[VERIFY_KINDS];
};
json_t *verify_report_new(void);
void verify_report_add(json_t *report, struct verify_totals *t, struct verify_pair *p);
void verify_report_end(json_t *report, const struct verify_totals *t, bool others);
void verify_note(json_t *report, const char *fmt, ...) CZ_PRINTF(2, 3);

#endif
