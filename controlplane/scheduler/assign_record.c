/* SPDX-License-Identifier: Apache-2.0 */
/* Assignments as values: life, comparison, and the config record.  The record lists each task's
 * partitions for the workers, and the few numbers it all follows from for the next leader. */
#include <string.h>

#include "assign.h"
#include "cz/alloc.h"
#include "cz/json.h"
#include "cz/limits.h"
#include "cz/util.h"

#define MAX_PARTITIONS 1000000 /* of one topic: more is not a record of ours */

void cz_assignment_free(struct cz_assignment *a)
{
    if (!a)
        return;
    for (int i = 0; i < a->tasks; i++)
        cz_free(a->workers[i]);
    for (size_t i = 0; i < a->topics_len; i++)
        cz_free(a->topics[i].name);
    cz_free(a->workers);
    cz_free(a->topics);
    cz_free(a);
}

static bool topic_equal(const struct cz_as_topic *a, const struct cz_as_topic *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->id, b->id) == 0 &&
           strcmp(a->was_id, b->was_id) == 0 &&
           a->partitions == b->partitions && a->seen == b->seen &&
           a->from_start == b->from_start;
}

bool cz_assignment_equal(const struct cz_assignment *a, const struct cz_assignment *b)
{
    if (!a || !b)
        return a == b;
    if (a->tasks != b->tasks || a->topics_len != b->topics_len)
        return false;
    for (int i = 0; i < a->tasks; i++) {
        if (!cz_streq(a->workers[i], b->workers[i]))
            return false;
    }
    for (size_t i = 0; i < a->topics_len; i++) {
        if (!topic_equal(&a->topics[i], &b->topics[i]))
            return false;
    }
    return true;
}

int32_t cz_assignment_partitions(const struct cz_assignment *a)
{
    int32_t sum = 0;
    for (size_t i = 0; a && i < a->topics_len; i++)
        sum += a->topics[i].partitions;
    return sum;
}

/* The first partition of topic @i that task @task reads; the others follow in steps of tasks.
 */
static int32_t first_partition(const struct cz_assignment *a, size_t i, int task)
{
    int shift = (int)(i % (size_t)a->tasks);
    return (int32_t)((task - shift + a->tasks) % a->tasks);
}

bool cz_assignment_task_empty(const struct cz_assignment *a, int task)
{
    for (size_t i = 0; i < a->topics_len; i++) {
        if (first_partition(a, i, task) < a->topics[i].partitions)
            return false;
    }
    return true;
}

static json_t *render_task(const struct cz_assignment *a, int task)
{
    json_t *list = json_array();
    for (size_t i = 0; i < a->topics_len; i++) {
        const struct cz_as_topic *t = &a->topics[i];
        for (int32_t p = first_partition(a, i, task); p < t->partitions; p += a->tasks) {
            json_t *o = json_pack("{s:s, s:i}", "topic", t->name, "partition", (int)p);
            if (t->from_start >= 0 && p >= t->from_start)
                json_object_set_new(o, "from_start", json_true());
            json_array_append_new(list, o);
        }
    }
    const char *worker = a->workers[task] ? a->workers[task] : "";
    return json_pack("{s:i, s:s, s:o}", "task", task, "worker", worker, "partitions", list);
}

json_t *cz_assignment_render(const struct cz_assignment *a, const char *uid)
{
    json_t *tasks = json_array();
    json_t *topics = json_array();
    for (int i = 0; i < a->tasks; i++) {
        if (!cz_assignment_task_empty(a, i))
            json_array_append_new(tasks, render_task(a, i));
    }
    for (size_t i = 0; i < a->topics_len; i++) {
        const struct cz_as_topic *t = &a->topics[i];
        json_t *topic = json_pack("{s:s, s:s, s:i, s:i, s:i}", "topic", t->name, "id", t->id,
                                  "partitions", (int)t->partitions, "seen", (int)t->seen,
                                  "from_start", (int)t->from_start);
        if (t->was_id[0])
            cz_json_set_str(topic, "was_id", t->was_id);
        json_array_append_new(topics, topic);
    }
    json_t *o = json_pack("{s:s, s:o, s:i, s:o}", "uid", uid, "tasks", tasks, "task_count",
                          a->tasks, "topics", topics);
    cz_json_set_i64(o, "generation", a->generation);
    return o;
}

static bool parse_topic(const json_t *j, struct cz_as_topic *ret)
{
    const char *name = cz_json_str(j, "topic", NULL);
    int64_t partitions = cz_json_int(j, "partitions", -1);
    int64_t seen = cz_json_int(j, "seen", -2);
    int64_t from = cz_json_int(j, "from_start", -1);
    const char *id = cz_json_str(j, "id", "");
    const char *was_id = cz_json_str(j, "was_id", "");
    bool unknown = seen == CZ_PARTITIONS_UNKNOWN && partitions == 0;
    if (!name || partitions < 0 || partitions > MAX_PARTITIONS ||
        (seen < partitions && !unknown) || seen > MAX_PARTITIONS || from < -1 ||
        from > MAX_PARTITIONS || strlen(id) >= sizeof(ret->id) || strlen(was_id) >= sizeof(ret->was_id))
        return false;
    *ret = (struct cz_as_topic){.name = cz_strdup(name),
                                .partitions = (int32_t)partitions,
                                .seen = (int32_t)seen,
                                .from_start = (int32_t)from};
    memcpy(ret->id, id, strlen(id) + 1);
    memcpy(ret->was_id, was_id, strlen(was_id) + 1);
    return true;
}

struct cz_assignment *cz_assignment_parse(const json_t *j)
{
    int64_t count = cz_json_int(j, "task_count", -1);
    const json_t *topics = json_object_get(j, "topics");
    const json_t *tasks = json_object_get(j, "tasks");
    if (count < 0 || count > CZ_MAX_TASKS || !json_is_array(topics) || !json_is_array(tasks))
        return NULL;
    struct cz_assignment *a = cz_alloc(sizeof(*a));
    a->generation = cz_json_int(j, "generation", 0);
    a->tasks = (int)count;
    a->workers = cz_alloc_array((size_t)count + 1, sizeof(*a->workers));
    a->topics = cz_alloc_array(json_array_size(topics) + 1, sizeof(*a->topics));
    size_t i;
    json_t *e;
    json_array_foreach (topics, i, e) {
        if (!parse_topic(e, &a->topics[i])) {
            cz_assignment_free(a);
            return NULL;
        }
        a->topics_len++;
    }
    json_array_foreach (tasks, i, e) {
        int64_t n = cz_json_int(e, "task", -1);
        const char *worker = cz_json_str(e, "worker", "");
        if (n >= 0 && n < count && *worker && !a->workers[n])
            a->workers[n] = cz_strdup(worker);
    }
    return a;
}
