/* SPDX-License-Identifier: Apache-2.0 */
/** The rows of a mapping's `spec`.  Every default and every doc line of the document is here
 * and nowhere else.  A field that the format knows but that does not work yet is a row with
 *  CZ_CFG_LATER. */
#include "cz/limits.h"
#include "mapping_priv.h"

#define GROUP_MAX 249

static const char *const v_offset[] = {"keep", "latest", "earliest", NULL};
static const char *const v_delivery[] = {"at_least_once", "exactly_once", NULL};
static const char *const v_isolation[] = {"read_committed", "read_uncommitted", NULL};
static const char *const v_format[] = {"auto", "raw", "json", "avro", NULL};
static const char *const v_copy[] = {"none", "value", "key", "both", NULL};
static const char *const v_subjects[] = {"topic_name", "record_name", "topic_record_name", NULL};
static const char *const v_validate[] = {"touched", "full", NULL};
static const char *const v_partitioning[] = {"same", "key", "round_robin", NULL};
static const char *const v_policy[] = {"require", "create", "sync", NULL};
static const char *const v_gap[] = {"stop", "skip", "restart", NULL};
static const char *const v_packing[] = {"none", "gzip", "zstd", NULL};
const char *const cz__compressions[] = {"none", "gzip", "snappy", "lz4", "zstd", NULL};

#define AT(member) offsetof(struct cz__raw, member)
#define END(member) offsetof(struct cz__end, member)
#define SUB(s, member) (offsetof(struct cz__raw, s.member) - offsetof(struct cz__raw, s))

static const struct cz_cfg_key source_table[] = {
    {.name = "cluster",
     .type = CZ_CFG_STRING,
     .offset = END(cluster),
     .min = 1,
     .max = CZ_MAX_NAME,
     .doc = "Name of the cluster to read from, in the mapping's team. Needed, unless `file` is given."},
    {.name = "topic",
     .type = CZ_CFG_STRING,
     .offset = END(topic),
     .parse = cz__check_topic,
     .doc = "Topic to read. Leave it out when `topics` lists pairs."},
    {.name = "file",
     .type = CZ_CFG_STRING,
     .offset = END(file),
     .min = 1,
     .max = CZ_MAX_NAME,
     .doc = "Instead of a topic: <file>.json (.gz, .zst) in the worker's file_data_path is replayed, see `replay`."},
    {.name = "pattern",
     .type = CZ_CFG_STRING,
     .offset = END(pattern),
     .parse = cz__check_pattern,
     .doc = "Instead of topics: every topic in whose name this POSIX extended regular expression is "
            "found, also one that comes later, which is then read from its beginning. target.topic "
            "(or file) may be a template as stage.{{topic}}. A topic is read once its target is there."},
    {.name = "exclude",
     .type = CZ_CFG_JSON,
     .offset = END(exclude),
     .def = "[]",
     .parse = cz__check_exclude,
     .schema = "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}",
     .doc = "Expressions of topics that `pattern` leaves out. Names that begin with two underscores and "
            "CitizenK's own topics never match."},
    {0},
};
#define ROTATE(member) (offsetof(struct cz__end, rotate.member) - offsetof(struct cz__end, rotate))
static const struct cz_cfg_key rotate_table[] = {
    {.name = "bytes",
     .type = CZ_CFG_INT,
     .offset = ROTATE(bytes),
     .def = "0",
     .min = 0,
     .max = INT64_C(1) << 50,
     .doc = "Once the file is that large; 0: never."},
    {.name = "seconds",
     .type = CZ_CFG_INT,
     .offset = ROTATE(seconds),
     .def = "0",
     .min = 0,
     .max = 10 * 366 * 86400,
     .doc = "With the first record after the file was begun so long ago; 0: never."},
    {0},
};
static const struct cz_cfg_key target_table[] = {
    {.name = "cluster",
     .type = CZ_CFG_STRING,
     .offset = END(cluster),
     .min = 1,
     .max = CZ_MAX_NAME,
     .doc = "Name of the cluster to write to, in the mapping's team. Needed, unless `file` is given."},
    {.name = "topic",
     .type = CZ_CFG_STRING,
     .offset = END(topic),
     .parse = cz__check_target_topic,
     .doc =
         "Topic to write; {{topic}} stands for the source's name, which is also the default."},
    {.name = "file",
     .type = CZ_CFG_STRING,
     .offset = END(file),
     .min = 1,
     .max = CZ_MAX_NAME,
     .doc = "Instead of a topic: <file>.json in the worker's file_data_path is appended to. {{topic}} stands "
            "for the source's name."},
    {.name = "compression",
     .type = CZ_CFG_ENUM,
     .offset = END(packing),
     .def = "\"none\"",
     .values = v_packing,
     .doc = "Of the file: none, gzip (.json.gz) or zstd (.json.zst)."},
    {.name = "rotate",
     .type = CZ_CFG_OBJECT,
     .offset = END(rotate),
     .sub = rotate_table,
     .doc = "When the file is given a number and another is begun."},
    {0},
};
static const struct cz_cfg_key on_change_table[] = {
    {.name = "offset",
     .type = CZ_CFG_ENUM,
     .offset = SUB(on_change, offset),
     .def = "\"keep\"",
     .values = v_offset,
     .doc = "Where to go on after the spec was changed or enabled again."},
    {0},
};
static const struct cz_cfg_key schemas_table[] = {
    {.name = "copy",
     .type = CZ_CFG_ENUM,
     .offset = SUB(schemas, copy),
     .def = "\"none\"",
     .values = v_copy,
     .doc = "Sides whose schemas are copied to the target cluster's schema_registry, with their "
            "versions, references and compatibility; the schema ids in the records become those that "
            "the target gave. Whatever the format is: bytes that name no schema pass as they are."},
    {.name = "subjects",
     .type = CZ_CFG_ENUM,
     .offset = SUB(schemas, subjects),
     .def = "\"topic_name\"",
     .values = v_subjects,
     .doc = "What schemas are filed under in both registries: topic_name (<topic>-key or "
            "<topic>-value), record_name, or topic_record_name (<topic>-<record name>)."},
    {0},
};
static const struct cz_cfg_key sample_table[] = {
    {.name = "percent",
     .type = CZ_CFG_DOUBLE,
     .offset = SUB(sample, percent),
     .def = "100",
     .min = 0,
     .max = 100,
     .parse = cz__check_percent,
     .doc = "Share of the entities that pass, with up to 4 decimals. Those of a smaller share are "
            "among those of a larger one."},
    {.name = "from",
     .type = CZ_CFG_DOUBLE,
     .offset = SUB(sample, from),
     .def = "0",
     .min = 0,
     .max = 100,
     .parse = cz__check_percent,
     .doc = "Where the share begins: {percent: 90} and {percent: 10, from: 90} are all entities, "
            "each once."},
    {.name = "by",
     .type = CZ_CFG_STRING,
     .offset = SUB(sample, by),
     .def = "\"key\"",
     .min = 1,
     .max = CZ_MAX_EXPRESSION,
     .parse = cz__check_sample_by,
     .doc = "The entity: key (its bytes), record (each one by itself), or a JMESPath as "
            "value.user.id. A record without one is taken by itself."},
    {.name = "salt",
     .type = CZ_CFG_STRING,
     .offset = SUB(sample, salt),
     .def = "\"\"",
     .max = CZ_MAX_NAME,
     .doc = "Another salt chooses other entities; mappings with the same one agree."},
    {0},
};
static const struct cz_cfg_key headers_table[] = {
    {.name = "add",
     .type = CZ_CFG_JSON,
     .offset = SUB(headers, add),
     .def = "{}",
     .parse = cz__check_header_texts,
     .schema = "{\"type\":\"object\",\"additionalProperties\":{\"type\":[\"string\",\"null\"]}}",
     .doc = "{name: text}: put after the record's own headers, by name, also when they have "
            "one of that name."},
    {.name = "remove",
     .type = CZ_CFG_JSON,
     .offset = SUB(headers, remove),
     .def = "[]",
     .parse = cz__check_header_names,
     .schema = "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}",
     .doc = "Headers of the record that are left off, by name; * stands for any text, ? for any "
            "character. A dead letter has them neither."},
    {.name = "rename",
     .type = CZ_CFG_JSON,
     .offset = SUB(headers, rename),
     .def = "{}",
     .parse = cz__check_header_texts,
     .schema = "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\"}}",
     .doc = "{old: new} names of headers, which keep their place."},
    {.name = "provenance",
     .type = CZ_CFG_BOOL,
     .offset = SUB(headers, provenance),
     .def = "false",
     .doc = "Add a header " CZ_PROVENANCE " that tells cluster, topic, partition, offset and "
            "mapping, and drop records that have been on the target topic before (reason loop): "
            "with it on both of two mappings that copy into each other nothing goes round."},
    {0},
};
static const struct cz_cfg_key group_sync_table[] = {
    {.name = "groups",
     .type = CZ_CFG_JSON,
     .offset = SUB(group_sync, groups),
     .def = "[]",
     .parse = cz__check_group_patterns,
     .schema = "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}",
     .doc = "Their names, with * and ? as in a shell."},
    {.name = "interval_ms",
     .type = CZ_CFG_INT,
     .offset = SUB(group_sync, interval_ms),
     .def = "10000",
     .min = 1000,
     .max = 3600000,
     .doc = "How often they are compared, in milliseconds."},
    {0},
};
static const struct cz_cfg_key producer_table[] = {
    {.name = "compression",
     .type = CZ_CFG_ENUM,
     .offset = SUB(producer, compression),
     .def = "\"lz4\"",
     .values = cz__compressions,
     .doc = "Compression of what is written."},
    {.name = "linger_ms",
     .type = CZ_CFG_INT,
     .offset = SUB(producer, linger_ms),
     .def = "5",
     .min = 0,
     .max = 1000,
     .doc = "How long a batch waits to fill, in milliseconds."},
    {0},
};

static const struct cz_cfg_key rate_table[] = {
    {.name = "records_per_second",
     .type = CZ_CFG_INT,
     .offset = SUB(rate, cap.records),
     .def = "0",
     .min = 0,
     .max = CZ__MAX_RATE,
     .doc = "Records per second; 0: no cap."},
    {.name = "bytes_per_second",
     .type = CZ_CFG_INT,
     .offset = SUB(rate, cap.bytes),
     .def = "0",
     .min = 0,
     .max = CZ__MAX_RATE,
     .doc = "Bytes of keys and values per second; 0: no cap."},
    {.name = "burst_seconds",
     .type = CZ_CFG_INT,
     .offset = SUB(rate, burst_s),
     .def = "1",
     .min = 1,
     .max = 3600,
     .doc = "Allowance for catching up: what was not used in so many seconds may be used later, at "
            "full speed."},
    {.name = "windows",
     .type = CZ_CFG_CUSTOM,
     .offset = SUB(rate, windows),
     .def = "[]",
     .parse = cz__parse_windows,
     .schema = "{\"type\":\"array\",\"items\":{\"type\":\"object\"}}",
     .doc = "Other caps at certain times: {from: \"22:00\", to: \"06:00\", days: [mon, …], tz: "
            "\"+02:00\", records_per_second, bytes_per_second}. The first that fits holds; a cap that "
            "it does not name is none."},
    {0},
};

#define MASK_SCHEMA                                                                            \
    "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"path\":"             \
    "{\"type\":\"string\"},\"how\":{\"enum\":[\"hash\",\"redact\",\"truncate\",\"null\"]},"       \
    "\"length\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000}},"                        \
    "\"required\":[\"path\",\"how\"],\"additionalProperties\":false}}"
#define TESTS_SCHEMA                                                                           \
    "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"name\":"             \
    "{\"type\":\"string\"},\"input\":{\"type\":\"object\"},\"expect\":{\"type\":\"object\"}},"   \
    "\"required\":[\"name\",\"input\",\"expect\"],\"additionalProperties\":false}}"
#define START_SCHEMA                                                                           \
    "{\"oneOf\":[{\"enum\":[\"committed\",\"earliest\",\"latest\"]},"                          \
    "{\"type\":\"object\",\"properties\":{\"timestamp\":{\"type\":[\"string\",\"integer\"]}}," \
    "\"required\":[\"timestamp\"],\"additionalProperties\":false},"                            \
    "{\"type\":\"object\",\"properties\":{\"offsets\":{\"type\":\"object\"}},"                 \
    "\"required\":[\"offsets\"],\"additionalProperties\":false}]}"
#define END_SCHEMA                                                                             \
    "{\"oneOf\":[{\"enum\":[\"none\",\"now\"]},"                                              \
    "{\"type\":\"object\",\"properties\":{\"timestamp\":{\"type\":[\"string\",\"integer\"]}}," \
    "\"required\":[\"timestamp\"],\"additionalProperties\":false}]}"
#define PAIRS_SCHEMA                                                                           \
    "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"source\":"           \
    "{\"type\":\"string\"},\"target\":{\"type\":\"string\"}},\"required\":[\"source\"],"       \
    "\"additionalProperties\":false}}"
#define ON_ERROR_SCHEMA                                                                        \
    "{\"oneOf\":[{\"enum\":[\"stop\",\"skip\"]},{\"type\":\"object\",\"properties\":"          \
    "{\"dead_letter\":{\"type\":\"string\"}},\"required\":[\"dead_letter\"],"                  \
    "\"additionalProperties\":false}]}"

static const struct cz_cfg_key replay_table[] = {
    {.name = "speed",
     .type = CZ_CFG_DOUBLE,
     .offset = SUB(replay, speed),
     .def = "1",
     .min = 0,
     .max = 1000000,
     .doc = "1: with the recorded gaps, 2: twice as fast, 0.5: half as fast, 0: as fast as possible."},
    {.name = "loop",
     .type = CZ_CFG_BOOL,
     .offset = SUB(replay, loop),
     .def = "false",
     .doc = "From the beginning again at the end, for ever."},
    {.name = "shift",
     .type = CZ_CFG_CUSTOM,
     .offset = SUB(replay, shift),
     .def = "\"none\"",
     .parse = cz__parse_shift,
     .schema = "{\"oneOf\":[{\"enum\":[\"none\",\"now\"]},{\"type\":\"integer\"}]}",
     .doc = "Timestamps: none (as recorded), now (of the sending), or milliseconds to add."},
    {.name = "from",
     .type = CZ_CFG_CUSTOM,
     .flags = CZ_CFG_NULLABLE,
     .offset = SUB(replay, from),
     .parse = cz__parse_moment,
     .schema = "{\"type\":[\"string\",\"integer\",\"null\"]}",
     .doc = "Only records from this time on, as recorded; null: from the first."},
    {.name = "to",
     .type = CZ_CFG_CUSTOM,
     .flags = CZ_CFG_NULLABLE,
     .offset = SUB(replay, to),
     .parse = cz__parse_moment,
     .schema = "{\"type\":[\"string\",\"integer\",\"null\"]}",
     .doc = "Only records before this time; null: to the last."},
    {0},
};

const struct cz_cfg_key cz_mapping_table[] = {
    {.name = "enabled",
     .type = CZ_CFG_BOOL,
     .offset = AT(enabled),
     .def = "true",
     .group = "State",
     .doc = "Desired state. A pause is an override outside the spec."},
    {.name = "source",
     .type = CZ_CFG_OBJECT,
     .flags = CZ_CFG_REQUIRED,
     .offset = AT(source),
     .sub = source_table,
     .group = "Route",
     .doc = "Where records come from."},
    {.name = "target",
     .type = CZ_CFG_OBJECT,
     .flags = CZ_CFG_REQUIRED,
     .offset = AT(target),
     .sub = target_table,
     .group = "Route",
     .doc = "Where records go to."},
    {.name = "topics",
     .type = CZ_CFG_CUSTOM,
     .offset = AT(pairs),
     .parse = cz__parse_pairs,
     .done = cz__done_pairs,
     .schema = PAIRS_SCHEMA,
     .group = "Route",
     .doc = "Several pairs under one mapping, instead of source.topic and target.topic."},
    {.name = "start",
     .type = CZ_CFG_CUSTOM,
     .offset = AT(start),
     .def = "\"committed\"",
     .parse = cz__parse_start,
     .done = cz__done_start,
     .schema = START_SCHEMA,
     .group = "Offsets",
     .doc = "Where to begin: committed (else latest), earliest, latest, {timestamp} or "
            "{offsets}."},
    {.name = "end",
     .type = CZ_CFG_CUSTOM,
     .offset = AT(end),
     .def = "\"none\"",
     .parse = cz__parse_end,
     .schema = END_SCHEMA,
     .group = "Offsets",
     .doc = "Where to end: none, now (what is there when the copy first starts) or {timestamp} (the "
            "first record that is not older, and what follows it, stay out). The mapping is then "
            "FINISHED; a restart runs it again, from `start` when that names a place."},
    {.name = "on_change",
     .type = CZ_CFG_OBJECT,
     .offset = AT(on_change),
     .sub = on_change_table,
     .group = "Offsets",
     .doc = "What a change of the mapping means for its position."},
    {.name = "consumer_group",
     .type = CZ_CFG_STRING,
     .flags = CZ_CFG_NULLABLE,
     .offset = AT(consumer_group),
     .def = "\"default\"",
     .min = 0,
     .max = GROUP_MAX,
     .parse = cz__check_group,
     .group = "Offsets",
     .doc = "Group that offsets are committed to: default (citizenk.<team>.<name>), a name, or "
            "empty for none."},
    {.name = "target_service_consumer_group",
     .type = CZ_CFG_STRING,
     .flags = CZ_CFG_NULLABLE,
     .offset = AT(service_group),
     .min = 1,
     .max = GROUP_MAX,
     .parse = cz__check_group,
     .group = "Offsets",
     .doc = "This group is deleted on the target when replication is switched on: when the mapping "
            "is created enabled, is enabled again, or gets this field while it is enabled."},
    {.name = "offset_map",
     .type = CZ_CFG_BOOL,
     .offset = AT(offset_map),
     .def = "false",
     .group = "Offsets",
     .doc = "Keep a map of offsets on the target, so that a position of any group can be translated "
            "to the target and back, exactly, also through filters."},
    {.name = "group_sync",
     .type = CZ_CFG_OBJECT,
     .offset = AT(group_sync),
     .sub = group_sync_table,
     .group = "Offsets",
     .doc = "Positions of consumer groups of the source follow to the target; needs offset_map."},
    {.name = "delivery",
     .type = CZ_CFG_ENUM,
     .offset = AT(delivery),
     .def = "\"at_least_once\"",
     .values = v_delivery,
     .group = "Delivery",
     .doc = "Delivery guarantee; exactly_once copies in transactions on the target cluster."},
    {.name = "commit_interval_ms",
     .type = CZ_CFG_INT,
     .offset = AT(commit_interval_ms),
     .def = "200",
     .min = 10,
     .max = 10000,
     .group = "Delivery",
     .doc = "How often a transaction is committed with delivery exactly_once."},
    {.name = "isolation",
     .type = CZ_CFG_ENUM,
     .offset = AT(isolation),
     .def = "\"read_committed\"",
     .values = v_isolation,
     .group = "Delivery",
     .doc = "Whether records of open or aborted transactions are read."},
    {.name = "key_format",
     .type = CZ_CFG_ENUM,
     .offset = AT(key_format),
     .def = "\"auto\"",
     .values = v_format,
     .group = "Stages",
     .doc = "How a stage reads the key; auto: JSON when it is, else text; avro: by the source "
            "cluster's schema_registry, shown to expressions as JSON."},
    {.name = "value_format",
     .type = CZ_CFG_ENUM,
     .offset = AT(value_format),
     .def = "\"auto\"",
     .values = v_format,
     .group = "Stages",
     .doc = "How a stage reads the value; auto: raw unless a stage reads it, then JSON; avro: by the "
            "source cluster's schema_registry, shown to stages as JSON and written by the same schema."},
    {.name = "schemas",
     .type = CZ_CFG_OBJECT,
     .offset = AT(schemas),
     .sub = schemas_table,
     .group = "Stages",
     .doc = "Schemas on the way from one registry to another."},
    {.name = "validate",
     .type = CZ_CFG_ENUM,
     .offset = AT(validate),
     .def = "\"touched\"",
     .values = v_validate,
     .group = "Stages",
     .doc = "touched: only what the stages read must parse; full: the whole document."},
    {.name = "valid_jmespath",
     .type = CZ_CFG_STRING,
     .flags = CZ_CFG_NULLABLE,
     .offset = AT(filter),
     .min = 1,
     .max = CZ_MAX_EXPRESSION,
     .parse = cz__check_filter,
     .group = "Stages",
     .doc =
         "Filter: JMESPath over key, value, headers, topic, partition, offset and timestamp."},
    {.name = "sample",
     .type = CZ_CFG_OBJECT,
     .offset = AT(sample),
     .sub = sample_table,
     .group = "Stages",
     .doc = "Pass a share of the entities: the same one is always in or always out."},
    {.name = "value_map",
     .type = CZ_CFG_CUSTOM,
     .flags = CZ_CFG_NULLABLE,
     .offset = AT(value_map),
     .parse = cz__parse_value_map,
     .done = cz__done_value_map,
     .schema = "{\"type\":[\"string\",\"object\",\"null\"]}",
     .group = "Stages",
     .doc = "Name of a value map, or the map itself. {{topic}} in the name stands for the source "
            "topic, whose records are left as they are when there is no such map."},
    {.name = "mask",
     .type = CZ_CFG_JSON,
     .offset = AT(mask),
     .def = "[]",
     .parse = cz__check_mask,
     .schema = MASK_SCHEMA,
     .group = "Stages",
     .doc = "Fields that leave the source only masked: {path, how}, with a path as value.user.email "
            "or key, and how hash (a keyed token, the same on every topic of the team), redact, "
            "truncate (to `length` characters, 4 when absent; a shorter text stays) or \"null\". "
            "Before transform_jmespath. A dead letter of such a mapping holds no key, no value and "
            "no header of the record."},
    {.name = "mask_secret",
     .type = CZ_CFG_STRING,
     .flags = CZ_CFG_SECRET,
     .offset = AT(mask_secret),
     .def = "\"${env:CITIZENK_MASK_SECRET}\"",
     .parse = cz__check_mask_secret,
     .group = "Stages",
     .doc = "Secret of the tokens that hash makes, at least 16 bytes: a variable "
            "${env:CITIZENK_MASK_…}, or a file ${file:/path/mask…}, since by a hash any other "
            "secret could be guessed; ${env:CITIZENK_MASK_SECRET} when absent. Workers resolve it, and "
            "control planes for tests and previews; without it the mapping does not run."},
    {.name = "transform_jmespath",
     .type = CZ_CFG_STRING,
     .flags = CZ_CFG_NULLABLE,
     .offset = AT(transform),
     .min = 1,
     .max = CZ_MAX_EXPRESSION,
     .parse = cz__check_filter,
     .group = "Stages",
     .doc = "JMESPath over the mapped record that makes the new value, as JSON. A tombstone passes "
            "as it is; a null result is an error of the record."},
    {.name = "headers",
     .type = CZ_CFG_OBJECT,
     .offset = AT(headers),
     .sub = headers_table,
     .group = "Stages",
     .doc = "Headers to add, to remove and to rename; all others are kept, in order."},
    {.name = "partitioning",
     .type = CZ_CFG_ENUM,
     .offset = AT(partitioning),
     .def = "\"same\"",
     .values = v_partitioning,
     .group = "Delivery",
     .doc = "Target partition: the same number (else by key), by key as the Java client, or in "
            "turn."},
    {.name = "topic_policy",
     .type = CZ_CFG_ENUM,
     .offset = AT(topic_policy),
     .def = "\"require\"",
     .values = v_policy,
     .group = "Delivery",
     .doc = "require: the target topic must exist; create: a missing one is created like the "
            "source's; sync: and its partition count and settings go on following the source's."},
    {.name = "on_error",
     .type = CZ_CFG_CUSTOM,
     .offset = AT(on_error),
     .def = "\"stop\"",
     .parse = cz__parse_on_error,
     .done = cz__done_on_error,
     .schema = ON_ERROR_SCHEMA,
     .group = "Delivery",
     .doc = "A record that cannot be decoded, filtered or written: stop, skip or {dead_letter: "
            "<topic>}."},
    {.name = "on_gap",
     .type = CZ_CFG_ENUM,
     .offset = AT(on_gap),
     .def = "\"stop\"",
     .values = v_gap,
     .group = "Delivery",
     .doc = "The source has lost what was to be read next. stop: fail and say so; restart: a topic "
            "that was created again is read from its beginning; skip: also go on after what "
            "retention took away, with the lost offsets counted."},
    {.name = "rate",
     .type = CZ_CFG_OBJECT,
     .offset = AT(rate),
     .sub = rate_table,
     .group = "Run",
     .doc = "Caps of what is written, shared evenly between the mapping's tasks. A change acts at "
            "once."},
    {.name = "replay",
     .type = CZ_CFG_OBJECT,
     .offset = AT(replay),
     .sub = replay_table,
     .group = "Run",
     .doc = "How a file is replayed; at its end the task is FINISHED, unless it loops."},
    {.name = "verify_seconds",
     .type = CZ_CFG_INT,
     .offset = AT(verify_seconds),
     .def = "0",
     .min = 0,
     .max = 604800,
     .group = "Run",
     .doc = "Compare both sides this often and tell what differs in status, metrics and log; 0: only when asked to."},
    {.name = "tasks",
     .type = CZ_CFG_CUSTOM,
     .offset = AT(tasks),
     .def = "\"auto\"",
     .parse = cz__parse_tasks,
     .schema = "{\"oneOf\":[{\"const\":\"auto\"},{\"type\":\"integer\",\"minimum\":1,"
               "\"maximum\":256}]}",
     .group = "Run",
     .doc = "Number of tasks, or auto."},
    {.name = "producer",
     .type = CZ_CFG_OBJECT,
     .offset = AT(producer),
     .sub = producer_table,
     .group = "Delivery",
     .doc = "Settings of the writer."},
    {.name = "tests",
     .type = CZ_CFG_JSON,
     .offset = AT(tests),
     .def = "[]",
     .parse = cz__check_tests,
     .schema = TESTS_SCHEMA,
     .group = "Stages",
     .doc = "Examples {name, input, expect} that are run when the mapping is saved, by the worker's "
            "own stages: a record {key, value, headers, topic, partition, offset, timestamp}, and "
            "what must become of it: passed, dropped (true or a reason) or error (true or a stage), "
            "and its key, value, headers, partition. A mapping whose test fails is not accepted."},
    {0},
};
