/* SPDX-License-Identifier: Apache-2.0 */
/** The `spec` of a mapping document: one config table feeds parsing, defaults, validation, JSON
 *  Schema, forms, CLI and docs.  Used by the control plane (as written by the user, and resolved)
 *  and by the worker (always resolved).
 *
 *  Resolved = defaults filled in, `value_map` inline, `consumer_group` a real name ("" = none),
 *  `topics` the list of pairs (source.topic/target.topic gone; file: "{{topic}}" remains and says
 *  that the names of that end are files).  See guide: mapping. */
#ifndef CZ_MAPPING_SPEC_H
#define CZ_MAPPING_SPEC_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "cz/cfg.h"
#include "cz/rate.h"
#include "cz/registry.h"
#include "cz/report.h"

extern const struct cz_cfg_key cz_mapping_table[]; /* rows of `spec` */

enum cz_start { CZ_START_COMMITTED, CZ_START_LATEST, CZ_START_EARLIEST, CZ_START_TIMESTAMP, CZ_START_OFFSETS };
enum cz_end { CZ_END_NONE, CZ_END_NOW, CZ_END_TIMESTAMP, CZ_END_OFFSETS };
enum cz_on_change { CZ_ON_CHANGE_KEEP, CZ_ON_CHANGE_LATEST, CZ_ON_CHANGE_EARLIEST };
enum cz_format { CZ_FORMAT_AUTO, CZ_FORMAT_RAW, CZ_FORMAT_JSON, CZ_FORMAT_AVRO };
enum cz_partitioning { CZ_PARTITION_SAME, CZ_PARTITION_KEY, CZ_PARTITION_ROUND_ROBIN };
enum cz_on_error { CZ_ON_ERROR_STOP, CZ_ON_ERROR_SKIP, CZ_ON_ERROR_DEAD_LETTER };
enum cz_on_gap { CZ_ON_GAP_STOP, CZ_ON_GAP_SKIP, CZ_ON_GAP_RESTART };

struct cz_topic_pair {
    char *source, *target;
};
struct cz_mapping_spec {
    bool enabled;
    char *source_cluster, *target_cluster; /* names in the mapping's team; NULL: a file's end */
    bool source_file, target_file;         /* the names of that end in `pairs` are files */
    int target_packing;              /* enum cz_file_packing */
    int64_t rotate_bytes, rotate_ms; /* 0: never */
    double replay_speed;             /* of a source file; see cz/replay.h */
    bool replay_loop;
    int replay_shift; /* enum cz_shift */
    int64_t replay_shift_ms, replay_from_ms, replay_to_ms; /* INT64_MIN, INT64_MAX: not given */
    struct cz_topic_pair *pairs;           /* at least one; of a pattern: see set_topics */
    size_t pairs_len;
    char *source_pattern, *target_template; /* NULL: none; see cz/topic_pattern.h */
    json_t *source_exclude;
    enum cz_start start;
    int64_t start_ms;      /* CZ_START_TIMESTAMP */
    json_t *start_offsets; /* CZ_START_OFFSETS: {"0":"42"}, per partition of every pair; else NULL */
    enum cz_end end;
    int64_t end_ms; /* CZ_END_TIMESTAMP */
    json_t *end_offsets; /* CZ_END_OFFSETS: as start_offsets; of a partition that it does not name nothing is copied */
    enum cz_on_change on_change;
    char *consumer_group; /* as written; NULL = default; "" = none */
    char *service_group;  /* target_service_consumer_group; NULL = none */
    bool offset_map;
    bool exactly_once;
    int64_t commit_interval_ms; /* of a transaction; exactly_once */
    int64_t verify_seconds; /* between two comparisons of both sides; 0: never */
    bool read_committed;
    enum cz_format key_format, value_format;
    bool validate_full;
    bool copy_key_schemas, copy_value_schemas; /* schemas.copy */
    enum cz_subjects subjects;
    char *filter;       /* valid_jmespath; NULL = all pass */
    char *transform;    /* transform_jmespath; NULL = none */
    uint32_t sample_from, sample_to; /* [from, to) of CZ_SAMPLE_UNITS, see cz/stages.h */
    char *sample_by, *sample_salt;   /* NULL: all pass */
    char *value_map_ref; /* name of a value-map object, maybe with {{topic}}; NULL: inline or none */
    json_t *value_map;   /* inline; NULL when none or a name */
    json_t *mask;        /* a list, see cz/mask.h */
    char *mask_secret;   /* a reference */
    json_t *headers_add, *headers_remove, *headers_rename; /* see cz/headers.h */
    bool provenance;
    json_t *tests; /* a list, see cz/mapping_tests.h; not in a resolved spec */
    enum cz_partitioning partitioning;
    bool create_topics; /* topic_policy: create, sync */
    enum cz_on_error on_error;
    char *dead_letter_topic; /* CZ_ON_ERROR_DEAD_LETTER; see cz_mapping_letters_cluster() */
    enum cz_on_gap on_gap;
    struct cz_rate rate; /* of the whole mapping */
    int64_t tasks; /* 0 = auto */
    char *compression;  /* none gzip snappy lz4 zstd */
    int64_t linger_ms;
};

/** Parse and check a spec; every problem with its JSON pointer below @pointer goes to @rep:
 *  unknown fields, types, ranges, fields that are "not available yet", a JMESPath that does not
 *  compile (with the position), a bad inline value map, source == target on one cluster, a source
 *  topic twice, both topic and topics, …  @param ret  on CZ_OK only; cz_mapping_spec_free() */
CZ_MUST_USE enum cz_err cz_mapping_spec_parse(const json_t *spec, const char *pointer,
                                              struct cz_mapping_spec **ret, struct cz_report *rep);
void cz_mapping_spec_free(struct cz_mapping_spec *s);
/** Of a spec with a pattern: make the pairs of these source topics. */
void cz_mapping_spec_set_topics(struct cz_mapping_spec *s, const char *const *topics, size_t n);

/** value_map "x.{{topic}}": each source topic has a map of its own, named by it, or none.
 *  NULL when the reference is no such one. cz_free. */
char *cz_mapping_topic_map(const struct cz_mapping_spec *s, const char *topic);
/** The resolved spec. @value_map content of the value-map object named by value_map_ref (NULL when
 *  none). New reference. */
json_t *cz_mapping_spec_resolve(const struct cz_mapping_spec *s, const json_t *spec, const char *team,
                                const char *name, const json_t *value_map);
/** Fields of the spec whose change the running tasks take up without a restart; NULL-terminated. */
extern const char *const cz_mapping_live_fields[];
/** Do the tasks of an enabled mapping start again when its spec, as written, changes so? */
bool cz_mapping_restarts(const json_t *before, const json_t *after);
/** Name of the cluster where dead letters go: the target's, or where that is a file the source's. */
const char *cz_mapping_letters_cluster(const struct cz_mapping_spec *s);
/** Metadata of a position that an operator moved: newer than what the offsets topic of exactly-once
 *  says, and `on_change` is answered. */
#define CZ_POSITION_MOVED "moved"

/** "citizenk.<team>.<name>" with characters that group names cannot bear replaced. cz_free. */
char *cz_mapping_default_group(const char *team, const char *name);

/** Content check of a value-map (inline or object): {"key":{…},"value.a.b":{…},"key:partition":{…}},
 *  and "topics":{"A":{…}} with a map of its own for records of source topic A. */
void cz_value_map_check(const json_t *map, const char *pointer, struct cz_report *rep);

#endif
