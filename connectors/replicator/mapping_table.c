/* SPDX-License-Identifier: Apache-2.0 */
/** The rows of a mapping's `spec` and the parsers of the fields that have more than one shape.
 *  Every default and every doc line of the document is here and nowhere else.  A field that the
 *  format knows but that does not work yet is a row with CZ_CFG_LATER, or a value that
 *  not_yet() refuses. */
#include <string.h>

#include "cz/alloc.h"
#include "cz/jmespath.h"
#include "cz/json.h"
#include "cz/limits.h"
#include "cz/time.h"
#include "cz/util.h"
#include "mapping_priv.h"

#define KAFKA_TOPIC_MAX 249
#define GROUP_MAX 249

static void not_yet(const char *pointer, struct cz_report *rep, const char *what)
{
    (void)cz_report_add(rep, pointer, "not-available", "%s is not available yet", what);
}

static void wrong_type(const char *pointer, struct cz_report *rep, const char *want)
{
    (void)cz_report_add(rep, pointer, "type", "must be %s", want);
}

/* ---- topics ------------------------------------------------------------------------------- */

bool cz__topic_name_ok(const char *name, const char **ret_why)
{
    size_t n = strlen(name);
    *ret_why = NULL;
    if (n == 0)
        *ret_why = "a topic name cannot be empty";
    else if (n > KAFKA_TOPIC_MAX)
        *ret_why = "a topic name has at most 249 characters";
    else if (cz_streq(name, ".") || cz_streq(name, ".."))
        *ret_why = "a topic cannot be named '.' or '..'";
    else if (strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != n)
        *ret_why = "a topic name has only letters, digits, '.', '_' and '-'";
    return *ret_why == NULL;
}

void cz__topic_check(const char *name, const char *pointer, struct cz_report *rep)
{
    const char *why;
    if (!cz__topic_name_ok(name, &why))
        (void)cz_report_add(rep, pointer, "topic-name", "%s", why);
}

static void check_topic(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    (void)field;
    if (json_is_string(v))
        cz__topic_check(json_string_value(v), pointer, rep);
}

/** A target's topic may hold {{topic}}: only what stands around it can be checked here. */
static void check_target_topic(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    (void)field;
    const char *s = json_string_value(v);
    if (s && !strstr(s, "{{"))
        cz__topic_check(s, pointer, rep);
}

static void parse_pair(const json_t *v, struct cz__pairs *out, char *at, struct cz_report *rep)
{
    static const char *const members[] = {"source", "target"};
    const char *name[2] = {NULL, NULL};
    if (!json_is_object(v)) {
        wrong_type(at, rep, "an object {source, target}");
        return;
    }
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)(uintptr_t)v, key, member)
    {
        cz_pointer_push(at, key);
        int i = cz_streq(key, members[0]) ? 0 : cz_streq(key, members[1]) ? 1 : -1;
        if (i < 0)
            (void)cz_report_add(rep, at, "unknown-field", "unknown field; a pair has source and target");
        else if (!json_is_string(member))
            wrong_type(at, rep, "a string");
        else {
            name[i] = json_string_value(member);
            if (i == 0)
                cz__topic_check(name[i], at, rep);
            else
                check_target_topic(member, NULL, at, rep);
        }
        cz_pointer_pop(at);
    }
    if (!name[0] && !json_object_get(v, "source")) {
        cz_pointer_push(at, "source");
        (void)cz_report_add(rep, at, "required", "a source topic is required");
        cz_pointer_pop(at);
    }
    out->items[out->len].source = cz_strdup(name[0] ? name[0] : "");
    out->items[out->len].target = cz_strdup(name[1]);
    out->len++;
}

static void parse_pairs(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    struct cz__pairs *p = field;
    if (!json_is_array(v)) {
        wrong_type(pointer, rep, "a list of {source, target}");
        return;
    }
    size_t n = json_array_size(v);
    if (n > CZ_MAX_TOPIC_PAIRS) {
        (void)cz_report_add(rep, pointer, "range", "at most %d pairs", CZ_MAX_TOPIC_PAIRS);
        return;
    }
    p->items = cz_alloc_array(n ? n : 1, sizeof *p->items);
    char at[CZ_POINTER_SIZE] = "";
    cz__pointer_copy(at, pointer);
    for (size_t i = 0; i < n; i++) {
        cz_pointer_push_index(at, i);
        parse_pair(json_array_get(v, i), p, at, rep);
        cz_pointer_pop(at);
    }
}

static void done_pairs(void *field)
{
    struct cz__pairs *p = field;
    for (size_t i = 0; i < p->len; i++) {
        cz_free(p->items[i].source);
        cz_free(p->items[i].target);
    }
    cz_free(p->items);
    *p = (struct cz__pairs){0};
}

/* ---- start -------------------------------------------------------------------------------- */

static void parse_timestamp(const json_t *v, struct cz__start *s, const char *pointer, struct cz_report *rep)
{
    s->how = CZ_START_TIMESTAMP;
    if (json_is_integer(v) && json_integer_value(v) >= 0)
        s->ms = json_integer_value(v);
    else if (!json_is_string(v) || (!cz_rfc3339_parse(json_string_value(v), &s->ms) &&
                                    !cz_parse_i64(json_string_value(v), &s->ms)) || s->ms < 0)
        (void)cz_report_add(rep, pointer, "value",
                            "must be a time as 2026-11-22T20:33:46Z, or milliseconds since 1970");
}

static void parse_offsets(const json_t *v, struct cz__start *s, char *at, struct cz_report *rep)
{
    const char *key;
    json_t *off;
    s->how = CZ_START_OFFSETS;
    if (!json_is_object(v) || json_object_size(v) == 0) {
        wrong_type(at, rep, "an object {\"<partition>\": \"<offset>\"} with at least one entry");
        return;
    }
    json_object_foreach((json_t *)(uintptr_t)v, key, off)
    {
        int64_t p = -1, o = -1;
        cz_pointer_push(at, key);
        if (!cz_parse_i64(key, &p) || p < 0 || p > INT32_MAX)
            (void)cz_report_add(rep, at, "value", "the name must be a partition number");
        if (json_is_string(off) && !cz_parse_i64(json_string_value(off), &o))
            o = -1;
        else if (json_is_integer(off))
            o = json_integer_value(off);
        if (o < 0)
            (void)cz_report_add(rep, at, "value", "must be an offset, 0 or more, as a string");
        cz_pointer_pop(at);
    }
    s->offsets = json_deep_copy(v);
}

static void parse_start_object(const json_t *v, struct cz__start *s, char *at, struct cz_report *rep)
{
    const char *key;
    json_t *member;
    if (json_object_size(v) != 1) {
        wrong_type(at, rep, "{timestamp: …} or {offsets: …}");
        return;
    }
    json_object_foreach((json_t *)(uintptr_t)v, key, member)
    {
        cz_pointer_push(at, key);
        if (cz_streq(key, "timestamp"))
            parse_timestamp(member, s, at, rep);
        else if (cz_streq(key, "offsets"))
            parse_offsets(member, s, at, rep);
        else
            (void)cz_report_add(rep, at, "unknown-field", "unknown field; timestamp or offsets");
        cz_pointer_pop(at);
    }
}

static void parse_start(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    struct cz__start *s = field;
    const char *word = json_string_value(v);
    char at[CZ_POINTER_SIZE] = "";
    cz__pointer_copy(at, pointer);
    if (json_is_object(v))
        parse_start_object(v, s, at, rep);
    else if (cz_streq(word, "committed"))
        s->how = CZ_START_COMMITTED;
    else if (cz_streq(word, "earliest"))
        s->how = CZ_START_EARLIEST;
    else if (cz_streq(word, "latest"))
        s->how = CZ_START_LATEST;
    else
        (void)cz_report_add(rep, pointer, "value",
                            "must be committed, earliest, latest, {timestamp: …} or {offsets: …}");
}

static void done_start(void *field)
{
    struct cz__start *s = field;
    json_decref(s->offsets);
    s->offsets = NULL;
}

/* ---- the other fields of more than one shape ---------------------------------------------- */

static void parse_on_error(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    struct cz__on_error *e = field;
    const char *word = json_string_value(v);
    const json_t *topic = json_object_get(v, "dead_letter");
    if (cz_streq(word, "stop"))
        e->how = CZ_ON_ERROR_STOP;
    else if (cz_streq(word, "skip"))
        e->how = CZ_ON_ERROR_SKIP;
    else if (json_object_size(v) == 1 && json_is_string(topic)) {
        char at[CZ_POINTER_SIZE] = "";
        cz__pointer_copy(at, pointer);
        cz_pointer_push(at, "dead_letter");
        cz__topic_check(json_string_value(topic), at, rep);
        e->how = CZ_ON_ERROR_DEAD_LETTER;
        e->topic = cz_strdup(json_string_value(topic));
    } else
        (void)cz_report_add(rep, pointer, "value", "must be stop, skip or {dead_letter: <topic>}");
}

static void done_on_error(void *field)
{
    cz_freep(&((struct cz__on_error *)field)->topic);
}

static void parse_value_map(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    struct cz__value_map *m = field;
    if (json_is_null(v))
        return;
    if (json_is_object(v)) {
        cz_value_map_check(v, pointer, rep);
        m->map = json_deep_copy(v);
    } else if (json_is_string(v)) {
        struct cz_error err = CZ_ERROR_INIT;
        if (cz_name_check(json_string_value(v), &err) != CZ_OK)
            (void)cz_report_add(rep, pointer, "name", "%s", err.text);
        m->ref = cz_strdup(json_string_value(v));
    } else
        wrong_type(pointer, rep, "the name of a value map, or a map itself");
}

static void done_value_map(void *field)
{
    struct cz__value_map *m = field;
    cz_freep(&m->ref);
    json_decref(m->map);
    m->map = NULL;
}

static void parse_tasks(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    int64_t *tasks = field;
    if (cz_streq(json_string_value(v), "auto"))
        *tasks = 0;
    else if (json_is_integer(v) && json_integer_value(v) >= 1 && json_integer_value(v) <= CZ_MAX_TASKS)
        *tasks = json_integer_value(v);
    else
        (void)cz_report_add(rep, pointer, "range", "must be auto, or a number from 1 to %d", CZ_MAX_TASKS);
}

static void check_filter(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    (void)field;
    if (!json_is_string(v))
        return;
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_jmespath *x = NULL;
    if (cz_jmespath_compile(json_string_value(v), json_string_length(v), &x, &err) != CZ_OK)
        (void)cz_report_add(rep, pointer, "jmespath", "%s", err.text);
    cz_jmespath_free(x);
}

static void check_group(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    (void)field;
    const char *s = json_string_value(v);
    if (!s)
        return;
    bool control = false;
    for (const char *p = s; *p; p++)
        control |= (unsigned char)*p < 0x20 || *p == 0x7f;
    if (control)
        (void)cz_report_add(rep, pointer, "value", "a group name has no control characters");
}

/* Values of enum rows that the format knows and the product does not have yet. */
static void check_delivery(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    (void)field;
    if (cz_streq(json_string_value(v), "exactly_once"))
        not_yet(pointer, rep, "exactly_once");
}

static void check_format(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    (void)field;
    if (cz_streq(json_string_value(v), "avro"))
        not_yet(pointer, rep, "avro");
}

static void check_topic_policy(const json_t *v, void *field, const char *pointer, struct cz_report *rep)
{
    (void)field;
    if (cz_streq(json_string_value(v), "create") || cz_streq(json_string_value(v), "sync"))
        not_yet(pointer, rep, json_string_value(v));
}

/* ---- rows --------------------------------------------------------------------------------- */

static const char *const v_offset[] = {"keep", "latest", "earliest", NULL};
static const char *const v_delivery[] = {"at_least_once", "exactly_once", NULL};
static const char *const v_isolation[] = {"read_committed", "read_uncommitted", NULL};
static const char *const v_format[] = {"auto", "raw", "json", "avro", NULL};
static const char *const v_validate[] = {"touched", "full", NULL};
static const char *const v_partitioning[] = {"same", "key", "round_robin", NULL};
static const char *const v_policy[] = {"require", "create", "sync", NULL};
static const char *const v_gap[] = {"stop", "skip", "restart", NULL};
const char *const cz__compressions[] = {"none", "gzip", "snappy", "lz4", "zstd", NULL};

#define AT(member) offsetof(struct cz__raw, member)
#define END(member) offsetof(struct cz__end, member)
#define SUB(s, member) (offsetof(struct cz__raw, s.member) - offsetof(struct cz__raw, s))

static const struct cz_cfg_key source_table[] = {
    {.name = "cluster", .type = CZ_CFG_STRING, .flags = CZ_CFG_REQUIRED, .offset = END(cluster), .min = 1, .max = CZ_MAX_NAME,
     .doc = "Name of the cluster to read from, in the mapping's team."},
    {.name = "topic", .type = CZ_CFG_STRING, .offset = END(topic), .parse = check_topic,
     .doc = "Topic to read. Leave it out when `topics` lists pairs."},
    {.name = "file", .type = CZ_CFG_STRING, .flags = CZ_CFG_LATER, .offset = END(file), .doc = "Base name of a file to replay instead of a topic."},
    {.name = "pattern", .type = CZ_CFG_STRING, .flags = CZ_CFG_LATER, .offset = END(pattern), .doc = "Regular expression: every topic whose name matches."},
    {.name = "exclude", .type = CZ_CFG_JSON, .flags = CZ_CFG_LATER, .offset = END(exclude), .def = "[]", .schema = "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}",
     .doc = "Expressions of topics that `pattern` shall leave out."},
    {0},
};
static const struct cz_cfg_key target_table[] = {
    {.name = "cluster", .type = CZ_CFG_STRING, .flags = CZ_CFG_REQUIRED, .offset = END(cluster), .min = 1, .max = CZ_MAX_NAME,
     .doc = "Name of the cluster to write to, in the mapping's team."},
    {.name = "topic", .type = CZ_CFG_STRING, .offset = END(topic), .parse = check_target_topic,
     .doc = "Topic to write; {{topic}} stands for the source's name, which is also the default."},
    {.name = "file", .type = CZ_CFG_STRING, .flags = CZ_CFG_LATER, .offset = END(file), .doc = "Base name of a file to append to instead of a topic."},
    {0},
};
static const struct cz_cfg_key on_change_table[] = {
    {.name = "offset", .type = CZ_CFG_ENUM, .offset = SUB(on_change, offset), .def = "\"keep\"", .values = v_offset,
     .doc = "Where to go on after the spec was changed or enabled again."},
    {0},
};
static const struct cz_cfg_key producer_table[] = {
    {.name = "compression", .type = CZ_CFG_ENUM, .offset = SUB(producer, compression), .def = "\"lz4\"", .values = cz__compressions,
     .doc = "Compression of what is written."},
    {.name = "linger_ms", .type = CZ_CFG_INT, .offset = SUB(producer, linger_ms), .def = "5", .min = 0, .max = 1000,
     .doc = "How long a batch waits to fill, in milliseconds."},
    {0},
};

#define START_SCHEMA                                                                           \
    "{\"oneOf\":[{\"enum\":[\"committed\",\"earliest\",\"latest\"]},"                          \
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
    {.name = "enabled", .type = CZ_CFG_BOOL, .offset = AT(enabled), .def = "true", .group = "State",
     .doc = "Desired state. A pause is an override outside the spec."},
    {.name = "source", .type = CZ_CFG_OBJECT, .flags = CZ_CFG_REQUIRED, .offset = AT(source), .sub = source_table, .group = "Route", .doc = "Where records come from."},
    {.name = "target", .type = CZ_CFG_OBJECT, .flags = CZ_CFG_REQUIRED, .offset = AT(target), .sub = target_table, .group = "Route", .doc = "Where records go to."},
    {.name = "topics", .type = CZ_CFG_CUSTOM, .offset = AT(pairs), .parse = parse_pairs, .done = done_pairs, .schema = PAIRS_SCHEMA, .group = "Route",
     .doc = "Several pairs under one mapping, instead of source.topic and target.topic."},
    {.name = "start", .type = CZ_CFG_CUSTOM, .offset = AT(start), .def = "\"committed\"", .parse = parse_start, .done = done_start, .schema = START_SCHEMA, .group = "Offsets",
     .doc = "Where to begin: committed (else latest), earliest, latest, {timestamp} or {offsets}."},
    {.name = "end", .type = CZ_CFG_JSON, .flags = CZ_CFG_LATER, .offset = AT(end), .def = "\"none\"", .schema = "{}", .group = "Offsets", .doc = "none, now or {timestamp}: a bounded copy that finishes."},
    {.name = "on_change", .type = CZ_CFG_OBJECT, .offset = AT(on_change), .sub = on_change_table, .group = "Offsets", .doc = "What a change of the mapping means for its position."},
    {.name = "consumer_group", .type = CZ_CFG_STRING, .flags = CZ_CFG_NULLABLE, .offset = AT(consumer_group), .def = "\"default\"", .min = 0, .max = GROUP_MAX, .parse = check_group, .group = "Offsets",
     .doc = "Group that offsets are committed to: default (citizenk.<team>.<name>), a name, or empty for none."},
    {.name = "target_service_consumer_group", .type = CZ_CFG_STRING, .flags = CZ_CFG_LATER | CZ_CFG_NULLABLE, .offset = AT(service_group), .group = "Offsets",
     .doc = "This group is deleted on the target when replication is switched on."},
    {.name = "delivery", .type = CZ_CFG_ENUM, .offset = AT(delivery), .def = "\"at_least_once\"", .values = v_delivery, .parse = check_delivery, .group = "Delivery", .doc = "Delivery guarantee."},
    {.name = "isolation", .type = CZ_CFG_ENUM, .offset = AT(isolation), .def = "\"read_committed\"", .values = v_isolation, .group = "Delivery", .doc = "Whether records of open or aborted transactions are read."},
    {.name = "key_format", .type = CZ_CFG_ENUM, .offset = AT(key_format), .def = "\"auto\"", .values = v_format, .parse = check_format, .group = "Stages", .doc = "How a stage reads the key; auto: JSON when it is, else text."},
    {.name = "value_format", .type = CZ_CFG_ENUM, .offset = AT(value_format), .def = "\"auto\"", .values = v_format, .parse = check_format, .group = "Stages", .doc = "How a stage reads the value; auto: raw unless a stage reads it, then JSON."},
    {.name = "validate", .type = CZ_CFG_ENUM, .offset = AT(validate), .def = "\"touched\"", .values = v_validate, .group = "Stages", .doc = "touched: only what the stages read must parse; full: the whole document."},
    {.name = "valid_jmespath", .type = CZ_CFG_STRING, .flags = CZ_CFG_NULLABLE, .offset = AT(filter), .min = 1, .max = CZ_MAX_EXPRESSION, .parse = check_filter, .group = "Stages",
     .doc = "Filter: JMESPath over key, value, headers, topic, partition, offset and timestamp."},
    {.name = "sample", .type = CZ_CFG_JSON, .flags = CZ_CFG_LATER, .offset = AT(sample), .schema = "{\"type\":\"object\"}", .group = "Stages", .doc = "Pass a share of the entities."},
    {.name = "value_map", .type = CZ_CFG_CUSTOM, .flags = CZ_CFG_NULLABLE, .offset = AT(value_map), .parse = parse_value_map, .done = done_value_map, .schema = "{\"type\":[\"string\",\"object\",\"null\"]}", .group = "Stages",
     .doc = "Name of a value map, or the map itself."},
    {.name = "mask", .type = CZ_CFG_JSON, .flags = CZ_CFG_LATER, .offset = AT(mask), .def = "[]", .schema = "{\"type\":\"array\"}", .group = "Stages", .doc = "Fields to hash, redact or truncate."},
    {.name = "transform_jmespath", .type = CZ_CFG_STRING, .flags = CZ_CFG_LATER | CZ_CFG_NULLABLE, .offset = AT(transform), .group = "Stages", .doc = "Expression that makes the new value."},
    {.name = "headers", .type = CZ_CFG_JSON, .flags = CZ_CFG_LATER, .offset = AT(headers), .def = "{}", .schema = "{\"type\":\"object\"}", .group = "Stages", .doc = "Headers to add and to remove."},
    {.name = "partitioning", .type = CZ_CFG_ENUM, .offset = AT(partitioning), .def = "\"same\"", .values = v_partitioning, .group = "Delivery", .doc = "Target partition: the same number (else by key), by key as the Java client, or in turn."},
    {.name = "topic_policy", .type = CZ_CFG_ENUM, .offset = AT(topic_policy), .def = "\"require\"", .values = v_policy, .parse = check_topic_policy, .group = "Delivery", .doc = "require: the target topic must exist."},
    {.name = "on_error", .type = CZ_CFG_CUSTOM, .offset = AT(on_error), .def = "\"stop\"", .parse = parse_on_error, .done = done_on_error, .schema = ON_ERROR_SCHEMA, .group = "Delivery", .doc = "A record that cannot be decoded, filtered or written: stop, skip or {dead_letter: <topic>}."},
    {.name = "on_gap", .type = CZ_CFG_ENUM, .flags = CZ_CFG_LATER, .offset = AT(on_gap), .def = "\"stop\"", .values = v_gap, .group = "Delivery", .doc = "The source was truncated past our offset or the topic re-created."},
    {.name = "rate", .type = CZ_CFG_JSON, .flags = CZ_CFG_LATER, .offset = AT(rate), .def = "{}", .schema = "{\"type\":\"object\"}", .group = "Run", .doc = "Caps of records and bytes per second."},
    {.name = "replay", .type = CZ_CFG_JSON, .flags = CZ_CFG_LATER, .offset = AT(replay), .def = "{}", .schema = "{\"type\":\"object\"}", .group = "Run", .doc = "Speed, loop and window of a replay."},
    {.name = "tasks", .type = CZ_CFG_CUSTOM, .offset = AT(tasks), .def = "\"auto\"", .parse = parse_tasks, .schema = "{\"oneOf\":[{\"const\":\"auto\"},{\"type\":\"integer\",\"minimum\":1,\"maximum\":256}]}", .group = "Run", .doc = "Number of tasks, or auto."},
    {.name = "producer", .type = CZ_CFG_OBJECT, .offset = AT(producer), .sub = producer_table, .group = "Delivery", .doc = "Settings of the writer."},
    {.name = "tests", .type = CZ_CFG_JSON, .flags = CZ_CFG_LATER, .offset = AT(tests), .def = "[]", .schema = "{\"type\":\"array\"}", .group = "Stages", .doc = "Examples that are checked when the mapping is saved."},
    {0},
};
