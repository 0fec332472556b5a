/* SPDX-License-Identifier: Apache-2.0 */
/** The rows of a mapping's `spec`.  Every default and every doc line of the document is here
 * and nowhere else.  A field that the format knows but that does not work yet is a row with
 *  CZ_CFG_LATER. */
#include "cz/limits.h"
#include "mapping_priv.h"

#define GROUP_MAX 249

static const char *const v_delivery[] = {"at_least_once", "exactly_once", NULL};
static const char *const v_isolation[] = {"read_committed", "read_uncommitted", NULL};
static const char *const v_format[] = {"auto", "raw", "json", "avro", NULL};
static const char *const v_validate[] = {"touched", "full", NULL};
static const char *const v_partitioning[] = {"same", "key", "round_robin", NULL};
static const char *const v_policy[] = {"require", "create", "sync", NULL};
static const char *const v_gap[] = {"stop", "skip", "restart", NULL};

#define AT(member) offsetof(struct cz__raw, member)

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
    "\"required\":[\"timestamp\"],\"additionalProperties\":false},"                            \
    "{\"type\":\"object\",\"properties\":{\"offsets\":{\"type\":\"object\"}},"                 \
    "\"required\":[\"offsets\"],\"additionalProperties\":false}]}"
#define PAIRS_SCHEMA                                                                           \
    "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"source\":"           \
    "{\"type\":\"string\"},\"target\":{\"type\":\"string\"}},\"required\":[\"source\"],"       \
    "\"additionalProperties\":false}}"
#define ON_ERROR_SCHEMA                                                                        \
    "{\"oneOf\":[{\"enum\":[\"stop\",\"skip\"]},{\"type\":\"object\",\"properties\":"          \
    "{\"dead_letter\":{\"type\":\"string\"}},\"required\":[\"dead_letter\"],"                  \
    "\"additionalProperties\":false}]}"

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
     .sub = cz__source_table,
     .group = "Route",
     .doc = "Where records come from."},
    {.name = "target",
     .type = CZ_CFG_OBJECT,
     .flags = CZ_CFG_REQUIRED,
     .offset = AT(target),
     .sub = cz__target_table,
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
     .done = cz__done_end,
     .schema = END_SCHEMA,
     .group = "Offsets",
     .doc = "Where to end: none, now (what is there when the copy first starts), {timestamp} (the "
            "first record that is not older, and what follows it, stay out) or {offsets} (of one topic; they "
            "and what follows them stay out; of a partition that is not listed all). The mapping is then "
            "FINISHED; a restart runs it again, from `start` when that names a place."},
    {.name = "on_change",
     .type = CZ_CFG_OBJECT,
     .offset = AT(on_change),
     .sub = cz__on_change_table,
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
     .sub = cz__group_sync_table,
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
     .sub = cz__schemas_table,
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
     .sub = cz__sample_table,
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
     .sub = cz__headers_table,
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
    {.name = "topic_acls",
     .type = CZ_CFG_BOOL,
     .offset = AT(topic_acls),
     .def = "false",
     .group = "Delivery",
     .doc = "With topic_policy sync: who may read the source topic may read the target's, too. Its ACLs, also of "
            "prefixes, are added there; ALL becomes READ, WRITE stays behind, nothing is taken away. What the "
            "clusters refuse is told by the condition TopicsSynced."},
    {.name = "on_error",
     .type = CZ_CFG_CUSTOM,
     .offset = AT(on_error),
     .def = "\"stop\"",
     .parse = cz__parse_on_error,
     .done = cz__done_on_error,
     .schema = ON_ERROR_SCHEMA,
     .group = "Delivery",
     .doc = "A record that cannot be decoded, filtered or written: stop, skip or {dead_letter: "
            "<topic>}, on the target cluster (of a file: the source's), from where it can be re-driven. Letters bear the records' "
            "timestamps: give the topic retention.ms=-1, or a cleaner may take them at once."},
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
     .sub = cz__rate_table,
     .group = "Run",
     .doc = "Caps of what is written, shared evenly between the mapping's tasks. A change acts at "
            "once."},
    {.name = "replay",
     .type = CZ_CFG_OBJECT,
     .offset = AT(replay),
     .sub = cz__replay_table,
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
     .sub = cz__producer_table,
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
