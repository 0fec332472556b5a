/* SPDX-License-Identifier: Apache-2.0 */
/** Proof of copy of one mapping: finds out what it is made of, as it is now, and lets cz_verify()
 * read both sides.  One at a time in a control plane: it reads as fast as the brokers give. */
#include <string.h>

#include "cz/verify.h"
#include "mapping_now.h"

enum {
    ASK_MS = 5000,
    MARGIN_MS = 10000, /* after a change: until then records may have gone by the spec before */
};

struct subject {
    struct cz__mapping_now now;
    struct cz_file_folder *folder; /* where an end is a file */
    struct cz_mapping_stats stats;
    bool known; /* stats are */
};

/* Of files: they are in a folder of the workers, who tell nothing of what is in them. */
static enum cz_err folder(struct cz_service *s, struct subject *u, struct cz_error *err)
{
    if (!u->now.spec->source_file && !u->now.spec->target_file)
        return CZ_OK;
    if (!s->file_data_path)
        return cz_fail(err, CZ_E_CONFLICT, "mapping '%s' %s files of its worker's --file-data-path; to verify it, give "
                       "the control plane the same folder by --file-data-path (to read is enough)", u->now.mapping.name,
                       u->now.spec->source_file ? "reads" : "writes");
    enum cz_err code = cz_file_folder_open(s->file_data_path, &u->folder, err);
    return code ? cz_fail_prefix(err, "this control plane's --file-data-path") : CZ_OK;
}

static enum cz_err look_up(struct cz_service *s, const char *team, const char *name, struct subject *u,
                           struct cz_error *err)
{
    enum cz_err code = cz__mapping_now(s, team, name, &u->now, err);
    if (!code)
        code = folder(s, u, err);
    if (!code)
        code = cz__mapping_now_open(s, &u->now, err);
    if (!code)
        u->known = s->status && cz_status_stats(s->status, u->now.mapping.uid, &u->stats);
    return code;
}

static void let_go(struct cz_service *s, struct subject *u)
{
    if (u->known)
        cz_mapping_stats_done(&u->stats);
    cz_file_folder_free(u->folder);
    cz__mapping_now_done(s, &u->now);
}

/* What no worker has told of since its start may stand in the group. */
static int64_t committed(const struct subject *u, const char *topic, int32_t partition)
{
    const char *group = u->now.spec->consumer_group;
    struct cz_error err = CZ_ERROR_INIT;
    struct cz_tp_list l = {0};
    int64_t at = -1;
    if (!group || !*group || !u->now.source_admin)
        return -1;
    cz_tp_list_add(&l, topic, partition, -1);
    if (!cz_admin_group_offsets(u->now.source_admin, group, &l, cz_deadline_ms(ASK_MS), &err) && !l.items[0].code)
        at = l.items[0].offset;
    cz_tp_list_done(&l);
    return at;
}

static int64_t position(void *arg, const char *topic, int32_t partition)
{
    const struct subject *u = arg;
    for (size_t i = 0; u->known && i < u->stats.len; i++) {
        const struct cz_partition_stats *p = &u->stats.partitions[i];
        if (p->partition == partition && p->position >= 0 && strcmp(p->topic, topic) == 0)
            return p->position;
    }
    return committed(u, topic, partition);
}

/* From where on the mapping, as it is now, has to have copied everything.  A file is replayed whole, and
 * its records tell old times. */
static int64_t since(const struct subject *u)
{
    if (u->now.spec->source_file)
        return -1;
    if (u->now.spec->start == CZ_START_EARLIEST && u->now.mapping.generation == 1)
        return -1;
    return u->now.mapping.updated_ms + MARGIN_MS;
}

static enum cz_err run(const struct subject *u, const struct cz_verify_request *q, const atomic_bool *stop,
                       json_t **ret, struct cz_error *err)
{
    struct cz_verify_conf conf = {
        .source = u->now.source,
        .target = u->now.target,
        .source_admin = u->now.source_admin,
        .target_admin = u->now.target_admin,
        .folder = u->folder,
        .source_registry = u->now.source_registry,
        .target_registry = u->now.target_registry,
        .client_id = "citizenk-verify",
        .spec = u->now.spec,
        .stages = u->now.stages,
        .since_ms = q->since_ms == 0 ? since(u) : q->since_ms,
        .until_ms = q->until_ms,
        .window_ms = q->window_ms,
        .max_records = q->max_records,
        .others = q->others,
        .deadline = q->deadline,
        .stop = stop,
        .position = position,
        .arg = CZ_UNCONST(u),
    };
    enum cz_err code = cz_verify(&conf, ret, err);
    if (code)
        return code;
    cz_json_set_str(*ret, "mapping", u->now.mapping.name);
    cz_json_set_i64(*ret, "generation", u->now.mapping.generation);
    cz__set_time(*ret, "since", conf.since_ms > 0 ? conf.since_ms : 0);
    cz__set_time(*ret, "until", conf.until_ms > 0 ? conf.until_ms : 0);
    json_t *notes = json_object_get(*ret, "notes");
    if (q->since_ms == 0 && conf.since_ms > 0)
        json_array_append_new(notes, json_string("since the mapping's last change; give `since` for another time"));
    if (!u->now.spec->exactly_once)
        json_array_append_new(notes, json_string("delivery at_least_once may double records"));
    return CZ_OK;
}

bool cz__turn_take(struct cz_service *s, bool *busy, cz_time deadline)
{
    CZ_LOCKED(&s->lock);
    while (*busy) {
        if (!cz_cond_wait(&s->verify_done, &s->lock, deadline))
            return false;
    }
    *busy = true;
    return true;
}

void cz__turn_give(struct cz_service *s, bool *busy)
{
    CZ_LOCKED(&s->lock);
    *busy = false;
    cz_cond_broadcast(&s->verify_done);
}

enum cz_err cz_service_verify(struct cz_service *s, const char *team, const char *name,
                              const struct cz_verify_request *q, json_t **ret, struct cz_error *err)
{
    struct subject u = {0};
    int64_t began = cz_wall_ms();
    if (!cz__turn_take(s, &s->verifying, q->deadline))
        return cz_fail_flags(err, CZ_E_LIMIT, CZ_ERR_RETRIABLE, 0,
                             "other verifications run in this control plane: try again later");
    enum cz_err code = look_up(s, team, name, &u, err);
    if (!code)
        code = run(&u, q, &s->verify_stop, ret, err);
    if (!code && q->requested)
        cz__verified_on_request(s, &u.now.mapping, *ret, began);
    let_go(s, &u);
    cz__turn_give(s, &s->verifying);
    return code;
}
