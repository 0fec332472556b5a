/* SPDX-License-Identifier: Apache-2.0 */
/** Shared by mapping_table.c (rows), mapping_fields.c (their parsers) and mapping_spec.c
 * (checks across fields): the document as the rows read it, before it becomes a struct
 * cz_mapping_spec. */
#ifndef CZ_MAPPING_PRIV_H
#define CZ_MAPPING_PRIV_H

#include <stdio.h>

#include "cz/mapping_spec.h"
#include "cz/stages.h"

#define CZ__UNITS_PER_PERCENT (CZ_SAMPLE_UNITS / 100)

struct cz__start {
    enum cz_start how;
    int64_t ms;
    json_t *offsets;
};
struct cz__stop { /* where a bounded copy ends */
    enum cz_end how;
    int64_t ms;
    json_t *offsets; /* OFFSETS; owned */
};
#define CZ__MAX_RATE INT64_C(1000000000000)
struct cz__windows {
    struct cz_rate_window items[CZ_MAX_RATE_WINDOWS];
    int len;
};
struct cz__on_error {
    enum cz_on_error how;
    char *topic;
};
struct cz__pairs {
    struct cz_topic_pair *items;
    size_t len;
};
struct cz__value_map {
    char *ref;
    json_t *map;
};
struct cz__shift {
    int how; /* enum cz_shift */
    int64_t ms;
};
struct cz__moment {
    bool given;
    int64_t ms;
};
struct cz__end { /* one end of a mapping */
    char *cluster, *topic, *file, *pattern;
    json_t *exclude;
    int packing;
    struct {
        int64_t bytes, seconds;
    } rotate;
};
struct cz__raw {
    bool enabled;
    struct cz__end source, target;
    struct cz__pairs pairs;
    struct cz__start start;
    struct cz__stop end;
    struct {
        int offset;
    } on_change;
    bool offset_map, topic_acls;
    struct {
        json_t *groups;
        int64_t interval_ms;
    } group_sync;
    char *consumer_group, *service_group;
    int64_t commit_interval_ms, verify_seconds;
    int delivery, isolation, key_format, value_format, validate, partitioning, topic_policy;
    char *filter, *transform;
    struct cz__value_map value_map;
    struct {
        double percent, from;
        char *by, *salt;
    } sample;
    struct {
        int copy, subjects;
    } schemas;
    char *mask_secret;
    struct {
        json_t *add, *remove, *rename;
        bool provenance;
    } headers;
    json_t *mask, *tests;
    struct {
        struct cz_rate_cap cap;
        int64_t burst_s;
        struct cz__windows windows;
    } rate;
    struct {
        double speed;
        bool loop;
        struct cz__shift shift;
        struct cz__moment from, to;
    } replay;
    struct cz__on_error on_error;
    int on_gap;
    int64_t tasks;
    struct {
        int compression;
        int64_t linger_ms;
    } producer;
};

extern const char *const cz__compressions[];
/* mapping_objects.c: rows of the objects in a spec */
extern const struct cz_cfg_key cz__source_table[], cz__target_table[], cz__on_change_table[], cz__schemas_table[], cz__sample_table[], cz__headers_table[], cz__group_sync_table[], cz__producer_table[], cz__rate_table[], cz__replay_table[];
/** A name that Kafka accepts for a topic; says why not in @ret_why. */
bool cz__topic_name_ok(const char *name, const char **ret_why);
void cz__topic_check(const char *name, const char *pointer, struct cz_report *rep);

/* mapping_fields.c: for the rows */
void cz__check_topic(const json_t *v, void *field, const char *pointer, struct cz_report *rep);
void cz__check_target_topic(const json_t *v,
                            void *field,
                            const char *pointer,
                            struct cz_report *rep);
void cz__parse_pairs(const json_t *v, void *field, const char *pointer, struct cz_report *rep);
void cz__check_pattern(const json_t *v, void *field, const char *pointer, struct cz_report *rep);
void cz__check_exclude(const json_t *v, void *field, const char *pointer, struct cz_report *rep);
void cz__parse_windows(const json_t *v, void *field, const char *pointer, struct cz_report *rep);
void cz__parse_end(const json_t *v, void *field, const char *pointer, struct cz_report *rep);
void cz__parse_start(const json_t *v, void *field, const char *pointer, struct cz_report *rep);
void cz__parse_shift(const json_t *v, void *field, const char *pointer, struct cz_report *rep);
void cz__parse_moment(const json_t *v, void *field, const char *pointer, struct cz_report *rep);
void cz__parse_on_error(const json_t *v,
                        void *field,
                        const char *pointer,
                        struct cz_report *rep);
void cz__parse_value_map(const json_t *v,
                         void *field,
                         const char *pointer,
                         struct cz_report *rep);
void cz__parse_tasks(const json_t *v, void *field, const char *pointer, struct cz_report *rep);
void cz__check_filter(const json_t *v, void *field, const char *pointer, struct cz_report *rep);
void cz__check_percent(const json_t *v,
                       void *field,
                       const char *pointer,
                       struct cz_report *rep);
void cz__check_sample_by(const json_t *v,
                         void *field,
                         const char *pointer,
                         struct cz_report *rep);
void cz__check_group_patterns(const json_t *v, void *field, const char *pointer, struct cz_report *rep);
void cz__check_group(const json_t *v, void *field, const char *pointer, struct cz_report *rep);
/* mapping_shaping.c */
void cz__check_header_texts(const json_t *v, void *field, const char *pointer, struct cz_report *rep);
void cz__check_header_names(const json_t *v, void *field, const char *pointer, struct cz_report *rep);
void cz__check_mask(const json_t *v, void *field, const char *pointer, struct cz_report *rep);
/* mapping_tests.c */
void cz__check_tests(const json_t *v, void *field, const char *pointer, struct cz_report *rep);
void cz__check_mask_secret(const json_t *v, void *field, const char *pointer, struct cz_report *rep);
/** The masks against the formats of the sides that they mask. */
void cz__check_masks_of(const struct cz_mapping_spec *s, const char *pointer, struct cz_report *rep);
void cz__done_pairs(void *field);
void cz__done_start(void *field);
void cz__done_end(void *field);
void cz__done_on_error(void *field);
void cz__done_value_map(void *field);

static inline void cz__pointer_copy(char *out, const char *pointer)
{
    (void)snprintf(out, CZ_POINTER_SIZE, "%s", pointer);
}

#endif
